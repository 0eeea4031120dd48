/* missed.c: what the scenario wanted to happen, and did not: then it shows nothing of what it is for. */
#include <limits.h>
#include <stdio.h>

#include "judge.h"

static int count_lines(const struct outcome *outcome, const char *pattern)
{
    int count = 0;
    for (size_t i = 0; i < outcome->trace.count; i++)
        count += trace_matches(&outcome->trace.events[i], pattern);
    return count;
}

/* The `nth` line like that was waited for, and there were fewer. */
static void expect_lines(const struct outcome *outcome, const char *pattern, int nth, const char *key, size_t index,
                         const char *missed, struct findings *findings)
{
    char seen[48];
    int count = count_lines(outcome, pattern);
    if (count >= nth)
        return;
    if (count == 0)
        snprintf(seen, sizeof seen, "nowhere");
    else
        snprintf(seen, sizeof seen, "%d time%s only, and nth is %d", count, count == 1 ? "" : "s", nth);
    findings_add(findings, 0, SIZE_MAX, pattern, seen, "%s[%zu] %s", key, index, missed);
}

void judge_missed(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings)
{
    static const char *const OPERATIONS[] = {
        [SCENARIO_SYNC] = "sync", [SCENARIO_FREEZE] = "freeze", [SCENARIO_THAW] = "thaw"};
    for (size_t i = 0; i < scenario->action_count; i++) {
        const struct scenario_action *action = &scenario->actions[i];
        if (action->when)
            expect_lines(outcome, action->when, action->nth, "actions", i, "was never done", findings);
    }
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scenario_fault *fault = &scenario->faults[i];
        char pattern[PATH_MAX + 32];
        snprintf(pattern, sizeof pattern, "%s %s begins", OPERATIONS[fault->op], fault->volume ? fault->volume : "*");
        expect_lines(outcome, pattern, fault->nth > 0 ? fault->nth : 1, "faults", i, "never struck", findings);
    }
}
