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

/* How many lines match; `*at_us`: when the `nth` of them came. */
static int count_lines(const struct outcome *outcome, const char *pattern, int nth, int64_t *at_us)
{
    int count = 0;
    for (size_t i = 0; i < outcome->trace.count; i++) {
        const struct trace_event *event = &outcome->trace.events[i];
        if (trace_matches(event, pattern) && ++count == nth)
            *at_us = event->at_us;
    }
    return count;
}

/* All was over before the time of an action had come: had it been done, a line would tell of that. */
static void judge_late(const struct outcome *outcome, const struct scenario_action *action, size_t index, int64_t line_us,
                       struct findings *findings)
{
    const struct trace *trace = &outcome->trace;
    int64_t end_us = trace->count > 0 ? trace->events[trace->count - 1].at_us : 0;
    char expected[64], seen[64];
    if (end_us >= line_us + action->after_us)
        return;
    snprintf(expected, sizeof expected, "it is done %.6g ms after its line", (double)action->after_us / 1e3);
    snprintf(seen, sizeof seen, "all was over after %.6g ms", (double)(end_us - line_us) / 1e3);
    findings_add(findings, 0, SIZE_MAX, expected, seen, "actions[%zu] was never done", index);
}

/* "KILL to guardian: there is none", "unmount /data: EINVAL" */
static bool is_vain(const struct trace_event *event)
{
    static const char UPPER[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const char *colon = event->what == TRACE_NOTE && event->text ? strrchr(event->text, ':') : NULL;
    if (!colon || event->role != TRACE_HARNESS || colon[1] != ' ')
        return false;
    return strcmp(colon + 2, "there is none") == 0 || (colon[2] == 'E' && colon[2 + strspn(colon + 2, UPPER)] == '\0');
}

/* What was carried out and had no effect shows nothing of what it is for. */
static void judge_vain(const struct outcome *outcome, struct findings *findings)
{
    for (size_t i = 0; i < outcome->trace.count; i++) {
        const struct trace_event *event = &outcome->trace.events[i];
        if (is_vain(event))
            findings_add(findings, 0, i, "it takes effect", event->text, "an action was in vain");
    }
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
        int64_t line_us = 0;
        int count = action->when ? count_lines(outcome, action->when, action->nth, &line_us) : 0;
        if (action->when)
            expect_nth(count, action->nth, action->when, "actions", i, "was never done", findings);
        if (action->when && count >= action->nth)
            judge_late(outcome, action, i, line_us, findings);
    }
    judge_vain(outcome, findings);
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
