/* missed.c: what the scenario wanted to happen, and did not: then it shows nothing of what it is for. */
#include <stdio.h>
#include <string.h>

#include "judge.h"

/* There were `count` of what was waited for, and the `nth` was wanted. */
static void expect_nth(int count, int nth, const char *expected, const char *key, size_t index, const char *missed,
                       struct findings *findings)
{
    char seen[48] = "nowhere";
    if (count >= nth)
        return;
    if (count > 0)
        snprintf(seen, sizeof seen, "%d time%s only, and nth is %d", count, count == 1 ? "" : "s", nth);
    findings_add(findings, 0, SIZE_MAX, expected, seen, "%s[%zu] %s", key, index, missed);
}

static int count_lines(const struct outcome *outcome, const char *pattern)
{
    int count = 0;
    for (size_t i = 0; i < outcome->trace.count; i++)
        count += trace_matches(&outcome->trace.events[i], pattern);
    return count;
}

/* How many operations of quiesce's the fault was for; `expected`: what one looks like. */
static int count_operations(const struct outcome *outcome, const struct scenario_fault *fault, char *expected, size_t size)
{
    static const enum trace_op OPERATIONS[] = {
        [SCENARIO_SYNC] = TRACE_SYNC, [SCENARIO_FREEZE] = TRACE_FREEZE, [SCENARIO_THAW] = TRACE_THAW};
    const struct trace_event begins = {.role = TRACE_AGENT, .what = TRACE_BEGINS, .op = OPERATIONS[fault->op],
                                       .volume = fault->volume ? fault->volume : "*"};
    int count = 0;
    for (size_t i = 0; i < outcome->trace.count; i++) {
        const struct trace_event *event = &outcome->trace.events[i];
        count += event->what == TRACE_BEGINS && event->op == begins.op && event->role != TRACE_OTHER &&
                 (!fault->volume || strcmp(event->volume, fault->volume) == 0);
    }
    trace_line(&begins, expected, size);
    return count;
}

void judge_missed(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings)
{
    char expected[512];
    for (size_t i = 0; i < scenario->action_count; i++) {
        const struct scenario_action *action = &scenario->actions[i];
        if (action->when)
            expect_nth(count_lines(outcome, action->when), action->nth, action->when, "actions", i, "was never done",
                       findings);
    }
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scenario_fault *fault = &scenario->faults[i];
        int count = count_operations(outcome, fault, expected, sizeof expected);
        expect_nth(count, fault->nth > 0 ? fault->nth : 1, expected, "faults", i, "never struck", findings);
    }
}
