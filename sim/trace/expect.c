/* expect.c: what a scenario expects, beside what was seen. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"

struct judging {
    const struct scenario *scenario;
    const struct outcome *outcome;
    struct findings *findings;
    size_t step;
};

static bool is_of_step(const struct judging *judging, size_t index)
{
    return judging->outcome->trace.events[index].step == (int)judging->step;
}

/* The first event of the step from `from` on whose line matches; SIZE_MAX: none. */
static size_t find(const struct judging *judging, const char *pattern, size_t from)
{
    const struct trace *trace = &judging->outcome->trace;
    for (size_t i = from; i < trace->count; i++) {
        if (is_of_step(judging, i) && trace_matches(&trace->events[i], pattern))
            return i;
    }
    return SIZE_MAX;
}

/* Where else a line matches that is not where it should be: "only before that", "only in command 1", "nowhere". */
static const char *seen_where(const struct judging *judging, const char *pattern, char text[40])
{
    const struct trace *trace = &judging->outcome->trace;
    if (find(judging, pattern, 0) != SIZE_MAX)
        return "only before that";
    for (size_t i = 0; i < trace->count; i++) {
        if (trace_matches(&trace->events[i], pattern)) {
            snprintf(text, 40, "only in command %d", trace->events[i].step + 1);
            return text;
        }
    }
    return "nowhere";
}

static void judge_never(struct judging *judging, const struct scenario_expect *expect)
{
    char line[512];
    for (size_t i = 0; i < expect->never_count; i++) {
        size_t found = find(judging, expect->never[i], 0);
        if (found != SIZE_MAX)
            findings_add(judging->findings, 0, found, "never", trace_line(&judging->outcome->trace.events[found], line, sizeof line),
                         "what must not happen did: %s", expect->never[i]);
    }
}

static void judge_trace(struct judging *judging, const struct scenario_expect *expect)
{
    size_t from = 0;
    for (size_t i = 0; i < expect->trace_count; i++) {
        size_t found = find(judging, expect->trace[i], from);
        if (found == SIZE_MAX) {
            char where[40];
            findings_add(judging->findings, 0, from ? from - 1 : SIZE_MAX, expect->trace[i],
                         seen_where(judging, expect->trace[i], where), "line %zu of the expected trace is not there%s%s", i + 1,
                         i ? " after: " : "", i ? expect->trace[i - 1] : "");
            return;
        }
        from = found + 1;
    }
}

static void judge_durations(struct judging *judging, const struct scenario_expect *expect)
{
    for (size_t i = 0; i < expect->duration_count; i++) {
        const struct scenario_duration *duration = &expect->durations[i];
        size_t from = find(judging, duration->from, 0);
        size_t to = from == SIZE_MAX ? SIZE_MAX : find(judging, duration->to, from + 1);
        if (to == SIZE_MAX) {
            const char *missing = from == SIZE_MAX ? duration->from : duration->to;
            char where[40];
            findings_add(judging->findings, 0, from, missing, seen_where(judging, missing, where),
                         "the time from \"%s\" to \"%s\" can't be told", duration->from, duration->to);
            continue;
        }
        const struct trace_event *events = judging->outcome->trace.events;
        int64_t took_us = events[to].at_us - events[from].at_us;
        char expected[80];
        char seen[40];
        if (duration->max_us == SCENARIO_FOREVER)
            snprintf(expected, sizeof expected, "at least %.9g ms", (double)duration->min_us / 1e3);
        else
            snprintf(expected, sizeof expected, "%.9g … %.9g ms", (double)duration->min_us / 1e3, (double)duration->max_us / 1e3);
        snprintf(seen, sizeof seen, "%.9g ms", (double)took_us / 1e3);
        if (took_us < duration->min_us || took_us > duration->max_us)
            findings_add(judging->findings, 0, to, expected, seen, "the time from \"%s\" to \"%s\"", duration->from, duration->to);
    }
}

/* Does a line of `text` match? */
static bool has_line(const char *text, const char *pattern)
{
    char *copy = strdup(text ? text : "");
    char *rest = copy;
    bool found = false;
    for (char *line = strsep(&rest, "\n"); line && !found; line = strsep(&rest, "\n"))
        found = fnmatch(pattern, line, 0) == 0;
    free(copy);
    return found;
}

static void judge_text(struct judging *judging, const char *name, const char *text, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!has_line(text, patterns[i]))
            findings_add(judging->findings, 0, SIZE_MAX, patterns[i], text, "no line of %s matches", name);
    }
}

/* ---- The JSON result -------------------------------------------------------------------------------------------- */

static bool value_matches(const cJSON *expected, const cJSON *seen)
{
    if (cJSON_IsString(expected))
        return cJSON_IsString(seen) && fnmatch(expected->valuestring, seen->valuestring, 0) == 0;
    return cJSON_Compare(expected, seen, true);
}

/* Is a list expected to be empty, which has something in it? Of others, what follows is not looked at. */
static bool is_not_empty(const cJSON *expected, const cJSON *seen)
{
    return cJSON_IsArray(expected) && !expected->child && cJSON_IsArray(seen) && seen->child;
}

static void judge_value(struct judging *judging, const cJSON *expected, const cJSON *seen, const char *path)
{
    char deeper[512];
    const cJSON *item;
    int index = 0;
    if (!is_not_empty(expected, seen) && seen && (cJSON_IsObject(expected) || cJSON_IsArray(expected)) && (expected->type & 0xff) == (seen->type & 0xff)) {
        cJSON_ArrayForEach(item, expected) {
            if (cJSON_IsObject(expected))
                snprintf(deeper, sizeof deeper, "%s%s%s", path, *path ? "." : "", item->string);
            else
                snprintf(deeper, sizeof deeper, "%s[%d]", path, index);
            judge_value(judging, item,
                        cJSON_IsObject(expected) ? cJSON_GetObjectItemCaseSensitive(seen, item->string)
                                                 : cJSON_GetArrayItem(seen, index),
                        deeper);
            index++;
        }
        return;
    }
    if (seen && value_matches(expected, seen))
        return;
    char *wanted = cJSON_PrintUnformatted(expected);
    char *found = seen ? cJSON_PrintUnformatted(seen) : NULL;
    findings_add(judging->findings, 0, SIZE_MAX, wanted, found ? found : "(absent)", "%s of the result", path);
    cJSON_free(wanted);
    cJSON_free(found);
}

/* "FsFreezeFailed, Pre-ScriptTimeout", or "(none)". The caller frees. */
static char *join(const char *const *names, size_t count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%s", i ? ", " : "", names[i]);
    if (count == 0)
        fputs("(none)", out);
    fclose(out);
    return text;
}

static void judge_errors(struct judging *judging, const struct scenario_expect *expect, const cJSON *result)
{
    const cJSON *errors = cJSON_GetObjectItemCaseSensitive(result, "errors");
    size_t count = (size_t)cJSON_GetArraySize(errors);
    const char **seen = calloc(count + 1, sizeof *seen);
    bool same = count == expect->error_count;
    for (size_t i = 0; i < count; i++) {
        const cJSON *error = cJSON_GetArrayItem(errors, (int)i);
        seen[i] = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "code"));
        if (!seen[i])
            seen[i] = "(no code)";
        same = same && strcmp(seen[i], expect->errors[i]) == 0;
    }
    if (!same) {
        char *wanted = join(expect->errors, expect->error_count);
        char *found = join(seen, count);
        findings_add(judging->findings, 0, SIZE_MAX, wanted, found, "the errors");
        free(wanted);
        free(found);
    }
    free(seen);
}

static void judge_result(struct judging *judging, const struct scenario_expect *expect, const cJSON *result)
{
    if (!result && (expect->consistency || expect->errors || expect->result)) {
        findings_add(judging->findings, 0, SIZE_MAX, "a result", "none", "the command gave no result");
        return;
    }
    const char *consistency = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "consistency"));
    if (expect->consistency && (!consistency || strcmp(consistency, expect->consistency) != 0))
        findings_add(judging->findings, 0, SIZE_MAX, expect->consistency, consistency ? consistency : "(absent)", "the consistency");
    if (expect->errors)
        judge_errors(judging, expect, result);
    if (expect->result)
        judge_value(judging, expect->result, result, "");
}

/* ---- Volumes and snapshots -------------------------------------------------------------------------------------- */

static bool is_in(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) == 0)
            return true;
    }
    return false;
}

static void judge_frozen(struct judging *judging, const struct scenario_expect *expect, const struct outcome_step *step)
{
    for (size_t i = 0; expect->frozen && i < judging->scenario->volume_count; i++) {
        const char *mount = judging->scenario->volumes[i].mount;
        bool wanted = is_in(mount, expect->frozen, expect->frozen_count);
        bool seen = is_in(mount, step->frozen, step->frozen_count);
        if (wanted != seen)
            findings_add(judging->findings, 0, SIZE_MAX, wanted ? "frozen" : "not frozen", seen ? "frozen" : "not frozen",
                         "%s after the command", mount);
    }
}

static const struct outcome_snapshot *snapshot_of(const struct judging *judging, const char *mount)
{
    for (size_t i = 0; i < judging->outcome->snapshot_count; i++) {
        if (strcmp(judging->outcome->snapshots[i].mount, mount) == 0)
            return &judging->outcome->snapshots[i];
    }
    return NULL;
}

/* "some" or a number, as it was written. */
static void show_missing(const cJSON *missing, char text[40])
{
    if (cJSON_IsNumber(missing))
        snprintf(text, 40, "%d", missing->valueint);
    else
        snprintf(text, 40, "some");
}

static void judge_snapshot(struct judging *judging, const cJSON *expected)
{
    const struct outcome_snapshot *seen = snapshot_of(judging, expected->string);
    const cJSON *clean = cJSON_GetObjectItemCaseSensitive(expected, "clean");
    const cJSON *missing = cJSON_GetObjectItemCaseSensitive(expected, "missing");
    char found[40];
    char wanted[40];
    if (!seen || !seen->taken) {
        findings_add(judging->findings, 0, SIZE_MAX, "a snapshot", "none", "the snapshot of %s", expected->string);
        return;
    }
    if (clean && cJSON_IsTrue(clean) != seen->clean)
        findings_add(judging->findings, 0, SIZE_MAX, cJSON_IsTrue(clean) ? "clean" : "damaged", seen->clean ? "clean" : "damaged",
                     "the filesystem in the snapshot of %s", expected->string);
    snprintf(found, sizeof found, "%lld", (long long)seen->missing);
    show_missing(missing, wanted);
    if (missing && (cJSON_IsString(missing) ? seen->missing <= 0 : seen->missing != (int64_t)missing->valuedouble))
        findings_add(judging->findings, 0, SIZE_MAX, wanted, found, "acknowledged records missing in the snapshot of %s",
                     expected->string);
}

/* One image: is it as each of them must be? "some" is a matter of all. */
static void judge_crash(struct judging *judging, const struct outcome_crash *seen, const cJSON *expected)
{
    const cJSON *missing = cJSON_GetObjectItemCaseSensitive(expected, "missing");
    char found[40];
    char wanted[40];
    const char *where = seen->at_flush ? "at a flush" : "between two flushes";
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(expected, "clean")) && !seen->clean)
        findings_add(judging->findings, 0, SIZE_MAX, "clean", seen->mounts ? "damaged" : "does not mount",
                     "the filesystem of %s after a crash at %.3f ms, %s", seen->mount, (double)seen->at_us / 1e3, where);
    snprintf(found, sizeof found, "%lld", (long long)seen->missing);
    show_missing(missing, wanted);
    if (cJSON_IsNumber(missing) && seen->missing != (int64_t)missing->valuedouble)
        findings_add(judging->findings, 0, SIZE_MAX, wanted, found,
                     "acknowledged records missing on %s after a crash at %.3f ms, %s", seen->mount,
                     (double)seen->at_us / 1e3, where);
}

static void judge_crashes(struct judging *judging, const cJSON *expected)
{
    const struct outcome *outcome = judging->outcome;
    size_t of_flushes = 0;
    size_t between = 0;
    bool some = false;
    for (size_t i = 0; i < outcome->crash_count; i++) {
        const struct outcome_crash *seen = &outcome->crashes[i];
        if (strcmp(seen->mount, expected->string) != 0)
            continue;
        *(seen->at_flush ? &of_flushes : &between) += 1;
        some |= seen->missing > 0;
        judge_crash(judging, seen, expected);
    }
    if (of_flushes == 0 || (between == 0 && cJSON_GetObjectItemCaseSensitive(expected, "images")->valueint > 1))
        findings_add(judging->findings, 0, SIZE_MAX, "images at flushes and between them", "too little was written",
                     "what crashes would have left of %s", expected->string);
    if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(expected, "missing")) && !some)
        findings_add(judging->findings, 0, SIZE_MAX, "some", "0", "acknowledged records missing on %s after a crash",
                     expected->string);
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

static void judge_step(struct judging *judging)
{
    const struct scenario_expect *expect = &judging->scenario->steps[judging->step].expect;
    const struct outcome_step *step = &judging->outcome->steps[judging->step];
    char wanted[32];
    char seen[64];
    snprintf(wanted, sizeof wanted, "%d", expect->exit);
    if (step->signal)
        snprintf(seen, sizeof seen, "died by SIG%s", trace_signal_name(step->signal));
    else
        snprintf(seen, sizeof seen, "%d", step->exit);
    if (expect->exit >= 0 && (step->signal || step->exit != expect->exit))
        findings_add(judging->findings, 0, SIZE_MAX, wanted, seen, "the exit status");
    judge_result(judging, expect, step->result);
    judge_never(judging, expect);
    judge_trace(judging, expect);
    judge_durations(judging, expect);
    judge_text(judging, "standard output", step->out, expect->out, expect->out_count);
    judge_text(judging, "standard error", step->err, expect->err, expect->err_count);
    judge_frozen(judging, expect, step);
    const cJSON *snapshot;
    cJSON_ArrayForEach(snapshot, expect->snapshot) judge_snapshot(judging, snapshot);
    const cJSON *crash;
    cJSON_ArrayForEach(crash, expect->crash_images) judge_crashes(judging, crash);
}

void judge_expectations(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings)
{
    struct judging judging = {scenario, outcome, findings, 0};
    for (size_t i = 0; i < scenario->step_count; i++) {
        size_t first = findings->count;
        judging.step = i;
        if (i < outcome->step_count) {
            judge_step(&judging);
            if (scenario->step_count > 1)
                findings_of_command(findings, first, i + 1, scenario->steps[i].argv[0]);
        } else
            findings_add(findings, 0, SIZE_MAX, "it runs", "it did not", "command %zu of the scenario", i + 1);
    }
}
