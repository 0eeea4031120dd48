/* results.c: a command that came to its end by itself has said what came of it (part of invariant 3). */
#include <stdio.h>
#include <string.h>

#include "claims.h"
#include "judge.h"

bool judge_is_reporting(const struct scenario_step *step)
{
    static const char *const REPORTING[] = {"run", "check", "freeze"};
    for (size_t i = 0; i < sizeof REPORTING / sizeof REPORTING[0]; i++) {
        if (step->argc > 0 && strcmp(step->argv[0], REPORTING[i]) == 0)
            return true;
    }
    return false;
}

/* Did the harness, or the scenario's actions or calls, send this signal to the agent? */
static bool was_sent(const struct outcome *outcome, size_t step, int signal_number)
{
    for (size_t i = 0; i < outcome->trace.count; i++) {
        const struct trace_event *event = &outcome->trace.events[i];
        if (event->what == TRACE_SENT && event->step == (int)step && event->target == TRACE_AGENT &&
            event->value == signal_number)
            return true;
    }
    return false;
}

static void judge_printed(const struct scenario_step *given, const struct outcome_step *step,
                          struct findings *findings)
{
    const char *format = claim_option(given, "--format");
    cJSON *printed = step->out ? cJSON_Parse(step->out) : NULL;
    const char *consistency = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(printed, "consistency"));
    const char *reported = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(step->result, "consistency"));
    bool said = step->exit != 0 && step->err && step->err[0]; /* why it could not be printed */
    if ((!step->out || !step->out[0]) && !said)
        findings_add(findings, 3, SIZE_MAX, "a result", "nothing", "no result was printed");
    else if (format && strcmp(format, "json") == 0 && !consistency && !said)
        findings_add(findings, 3, SIZE_MAX, "a result in JSON", step->out, "the result that was printed is none");
    else if (consistency && reported && strcmp(consistency, reported) != 0)
        findings_add(findings, 3, SIZE_MAX, consistency, reported, "the report and what was printed differ");
    cJSON_Delete(printed);
}

static void judge_step(const struct scenario_step *given, const struct outcome *outcome, size_t index,
                       struct findings *findings)
{
    const struct outcome_step *step = &outcome->steps[index];
    char seen[32];
    snprintf(seen, sizeof seen, "%d", step->exit);
    switch (step->exit) {
    case 0:
    case 10:
    case 11:
    case 20:
        judge_printed(given, step, findings);
        break;
    case 64:
        break;
    case 70:
        if ((!step->err || !step->err[0]) && (!step->out || !step->out[0]))
            findings_add(findings, 3, SIZE_MAX, "what it left undone", "nothing", "the program failed and said nothing");
        break;
    case -1:
        if (step->signal && !was_sent(outcome, index, step->signal))
            findings_add(findings, 3, SIZE_MAX, "a result", trace_signal_name(step->signal),
                         "the agent died by a signal that nobody sent");
        break;
    default:
        findings_add(findings, 3, SIZE_MAX, "0, 10, 11, 20, 64 or 70", seen, "the exit status says nothing");
    }
}

/* Part of invariant 6: a script has what it needs to run, and nothing of quiesce's. */
static void judge_inherited(const struct outcome *outcome, struct findings *findings)
{
    for (size_t i = 0; i < outcome->trace.count; i++) {
        const struct trace_event *event = &outcome->trace.events[i];
        if (event->what == TRACE_NOTE && event->text && strncmp(event->text, "a child inherits ", 17) == 0)
            findings_add(findings, 6, i, "no descriptor but 0, 1 and 2", event->text + 17,
                         "a script or the snapshot command inherits a descriptor");
    }
}

void judge_results(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings)
{
    judge_inherited(outcome, findings);
    for (size_t i = 0; i < outcome->step_count; i++) {
        if (judge_is_reporting(&scenario->steps[i]))
            judge_step(&scenario->steps[i], outcome, i, findings);
    }
}
