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

/* A world that cannot make them go wrong tells nothing of them. */
static void judge_calls(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings)
{
    static const char *const CALLERS[] = {
        [SCENARIO_BY_AGENT] = "agent", [SCENARIO_BY_GUARDIAN] = "guardian", [SCENARIO_BY_CHILD] = "child"};
    char expected[512];
    for (size_t i = 0; outcome->call_matches && i < scenario->call_count; i++) {
        const struct scenario_call *call = &scenario->calls[i];
        snprintf(expected, sizeof expected, "%s(%s) by %s", call->call, call->about ? call->about : "*",
                 CALLERS[call->by]);
        expect_nth(outcome->call_matches[i], call->nth > 0 ? call->nth : 1, expected, "calls", i, "never went wrong",
                   findings);
    }
    for (size_t i = 0; outcome->blows_struck && i < scenario->blow_count; i++) {
        const struct scenario_blow *blow = &scenario->blows[i];
        snprintf(expected, sizeof expected, "%s %d by %s in command %d", blow->op, blow->nth,
                 blow->by == SCENARIO_AGENT ? "agent" : "guardian", blow->command);
        expect_nth(outcome->blows_struck[i], 1, expected, "blows", i, "never struck", findings);
    }
}

static int count_starts(const struct outcome *outcome, enum trace_role role, const char *plugin)
{
    int count = 0;
    for (size_t i = 0; i < outcome->trace.count; i++) {
        const struct trace_event *event = &outcome->trace.events[i];
        count += event->what == TRACE_STARTS && event->role == role && event->plugin &&
                 strcmp(event->plugin, plugin) == 0;
    }
    return count;
}

/* Whether somebody has written down the first row, which may be the usual one, is not known here; each further one was
 * written down to be played. */
static void judge_rows(const struct scenario_script *script, const struct outcome *outcome, enum trace_role role,
                       const char *plugin, struct findings *findings)
{
    char expected[48];
    char seen[48];
    int rows = (int)script->attempt_count;
    int count = count_starts(outcome, role, plugin);
    if (rows < 2 || count >= rows)
        return;
    snprintf(expected, sizeof expected, "%d starts", rows);
    snprintf(seen, sizeof seen, "%d start%s", count, count == 1 ? "" : "s");
    findings_add(findings, 0, SIZE_MAX, expected, seen, "%s[%d] of %s was never played",
                 role == TRACE_PRE ? "pre" : "post", count > 0 ? count : 1, plugin);
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
    judge_calls(scenario, outcome, findings);
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        const struct scenario_plugin *plugin = &scenario->plugins[i];
        judge_rows(&plugin->pre, outcome, TRACE_PRE, plugin->name, findings);
        judge_rows(&plugin->post, outcome, TRACE_POST, plugin->name, findings);
    }
}
