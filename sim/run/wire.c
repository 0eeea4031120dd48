/* wire.c: a case as one line of JSON, from the player's process to the one that reports.
 *
 * {"case", "why", "stall", "findings": [[invariant, what, expected, seen, event]…],
 *  "snapshots": [[volume, taken, mounts, clean, missing, damaged]…],
 *  "crashes": [[volume, at_flush, at_us, mounts, clean, missing, damaged]…],
 *  "steps": [[exit, signal, out, err, result]…],
 *  "trace": [[at_us, step, role, what, op, ordinal, value, target, plugin, volume, text, disk_writes]…]} */
#include <stdlib.h>
#include <string.h>

#include "put.h"
#include "running.h"

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static cJSON *string_or_null(const char *text)
{
    return must(text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static void add_number(cJSON *row, int64_t number)
{
    cJSON_AddItemToArray(row, must(cJSON_CreateNumber((double)number)));
}

static cJSON *encode_findings(const struct findings *findings)
{
    cJSON *list = must(cJSON_CreateArray());
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        cJSON *row = must(cJSON_CreateArray());
        add_number(row, finding->invariant);
        cJSON_AddItemToArray(row, string_or_null(finding->what));
        cJSON_AddItemToArray(row, string_or_null(finding->expected));
        cJSON_AddItemToArray(row, string_or_null(finding->seen));
        add_number(row, finding->event == SIZE_MAX ? -1 : (int64_t)finding->event);
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

/* What judge_agreement looks at, and no more. */
static cJSON *abridge(const cJSON *result)
{
    static const char *const STRINGS[] = {"consistency", "code"};
    cJSON *shorter = must(cJSON_CreateObject());
    for (size_t i = 0; i < 2; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(result, STRINGS[i]);
        if (value)
            cJSON_AddItemToObject(shorter, STRINGS[i], must(cJSON_Duplicate(value, false)));
    }
    cJSON *phases = must(cJSON_AddArrayToObject(shorter, "phases"));
    const cJSON *phase;
    cJSON_ArrayForEach(phase, cJSON_GetObjectItemCaseSensitive(result, "phases")) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(phase, "name"));
        cJSON *named = must(cJSON_CreateObject());
        if (name)
            cJSON_AddStringToObject(named, "name", name);
        cJSON_AddItemToArray(phases, named);
    }
    return shorter;
}

static cJSON *encode_steps(const struct outcome *outcome, enum wire_detail detail)
{
    cJSON *list = must(cJSON_CreateArray());
    for (size_t i = 0; i < outcome->step_count; i++) {
        const struct outcome_step *step = &outcome->steps[i];
        bool all = detail == WIRE_ALL;
        cJSON *result = !step->result ? cJSON_CreateNull()
                        : all         ? cJSON_Duplicate(step->result, true)
                                      : abridge(step->result);
        cJSON *row = must(cJSON_CreateArray());
        add_number(row, step->exit);
        add_number(row, step->signal);
        cJSON_AddItemToArray(row, string_or_null(all ? step->out : NULL));
        cJSON_AddItemToArray(row, string_or_null(all ? step->err : NULL));
        cJSON_AddItemToArray(row, must(result));
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

static cJSON *encode_trace(const struct trace *trace)
{
    cJSON *list = must(cJSON_CreateArray());
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        const int64_t numbers[] = {event->at_us, event->step, event->role, event->what, event->op, event->ordinal,
                                   event->value, event->target};
        cJSON *row = must(cJSON_CreateArray());
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            add_number(row, numbers[k]);
        cJSON_AddItemToArray(row, string_or_null(event->plugin));
        cJSON_AddItemToArray(row, string_or_null(event->volume));
        cJSON_AddItemToArray(row, string_or_null(event->text));
        add_number(row, event->disk_writes);
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

/* A volume goes by its place in the scenario. */
static int64_t place_of(const struct scenario *scenario, const char *mount)
{
    size_t place = 0;
    while (strcmp(scenario->volumes[place].mount, mount) != 0)
        place++;
    return (int64_t)place;
}

static cJSON *encode_rows(const int64_t *numbers, size_t rows, size_t columns)
{
    cJSON *list = must(cJSON_CreateArray());
    for (size_t i = 0; i < rows; i++) {
        cJSON *row = must(cJSON_CreateArray());
        for (size_t k = 0; k < columns; k++)
            add_number(row, numbers[i * columns + k]);
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

static void encode_images(cJSON *root, const struct report_case *it)
{
    const struct outcome *outcome = &it->outcome;
    int64_t *numbers = must(calloc(outcome->snapshot_count + outcome->crash_count + 1, 7 * sizeof *numbers));
    int64_t *at = numbers;
    for (size_t i = 0; i < outcome->snapshot_count; i++) {
        const struct outcome_snapshot *seen = &outcome->snapshots[i];
        const int64_t row[] = {place_of(it->scenario, seen->mount), seen->taken, seen->mounts, seen->clean,
                               seen->missing, seen->damaged};
        memcpy(at, row, sizeof row);
        at += sizeof row / sizeof *row;
    }
    cJSON_AddItemToObject(root, "snapshots", encode_rows(numbers, outcome->snapshot_count, 6));
    at = numbers;
    for (size_t i = 0; i < outcome->crash_count; i++) {
        const struct outcome_crash *seen = &outcome->crashes[i];
        const int64_t row[] = {place_of(it->scenario, seen->mount), seen->at_flush, seen->at_us, seen->mounts,
                               seen->clean, seen->missing, seen->damaged};
        memcpy(at, row, sizeof row);
        at += sizeof row / sizeof *row;
    }
    cJSON_AddItemToObject(root, "crashes", encode_rows(numbers, outcome->crash_count, 7));
    free(numbers);
}

char *wire_encode(const struct report_case *it, size_t index, enum wire_detail detail)
{
    cJSON *root = must(cJSON_CreateObject());
    cJSON_AddNumberToObject(root, "case", (double)index);
    cJSON_AddNumberToObject(root, "stall", (double)it->outcome.longest_stall_us);
    if (it->why)
        cJSON_AddStringToObject(root, "why", it->why);
    if (it->findings.count > 0)
        cJSON_AddItemToObject(root, "findings", encode_findings(&it->findings));
    if (it->outcome.crash_count > 0)
        encode_images(root, it);
    if (detail >= WIRE_STEPS)
        cJSON_AddItemToObject(root, "steps", encode_steps(&it->outcome, detail));
    if (detail >= WIRE_ALL)
        cJSON_AddItemToObject(root, "trace", encode_trace(&it->outcome.trace));
    char *line = must(cJSON_PrintUnformatted(root));
    cJSON_Delete(root);
    return line;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* The next element of an array, and a step on. */
static const cJSON *take(const cJSON **at)
{
    const cJSON *item = *at;
    *at = item ? item->next : NULL;
    return item;
}

static int64_t take_number(const cJSON **at)
{
    const cJSON *item = take(at);
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

static const char *take_string(const cJSON **at)
{
    return cJSON_GetStringValue(take(at));
}

static void decode_findings(struct report_case *it, const cJSON *list)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, list) {
        const cJSON *at = row->child;
        int invariant = (int)take_number(&at);
        const char *what = take_string(&at);
        const char *expected = take_string(&at);
        const char *seen = take_string(&at);
        int64_t event = take_number(&at);
        findings_add(&it->findings, invariant, event < 0 ? SIZE_MAX : (size_t)event, expected, seen, "%s",
                     what ? what : "");
    }
}

static void decode_steps(struct outcome *outcome, cJSON *list)
{
    cJSON *row;
    outcome->steps = must(calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *outcome->steps));
    cJSON_ArrayForEach(row, list) {
        struct outcome_step *step = &outcome->steps[outcome->step_count++];
        const cJSON *at = row->child;
        step->exit = (int)take_number(&at);
        step->signal = (int)take_number(&at);
        const char *out = take_string(&at);
        const char *err = take_string(&at);
        step->out = out ? must(strdup(out)) : NULL;
        step->err = err ? must(strdup(err)) : NULL;
        cJSON *result = cJSON_DetachItemFromArray(row, 4);
        if (cJSON_IsNull(result))
            cJSON_Delete(result);
        else
            step->result = result;
    }
}

static void decode_trace(struct trace *trace, const cJSON *list)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, list) {
        const cJSON *at = row->child;
        struct trace_event event = {.at_us = take_number(&at)};
        event.step = (int)take_number(&at);
        event.role = (enum trace_role)take_number(&at);
        event.what = (enum trace_what)take_number(&at);
        event.op = (enum trace_op)take_number(&at);
        event.ordinal = (int)take_number(&at);
        event.value = (int)take_number(&at);
        event.target = (enum trace_role)take_number(&at);
        event.plugin = take_string(&at);
        event.volume = take_string(&at);
        event.text = take_string(&at);
        event.disk_writes = take_number(&at);
        trace_add(trace, &event);
    }
}

static const char *take_volume(const struct scenario *scenario, const cJSON **at)
{
    int64_t place = take_number(at);
    return place >= 0 && (size_t)place < scenario->volume_count ? scenario->volumes[place].mount : "?";
}

static void decode_images(struct report_case *it, const cJSON *snapshots, const cJSON *crashes)
{
    struct outcome *outcome = &it->outcome;
    const cJSON *row;
    outcome->snapshots = must(calloc((size_t)cJSON_GetArraySize(snapshots) + 1, sizeof *outcome->snapshots));
    cJSON_ArrayForEach(row, snapshots) {
        struct outcome_snapshot *seen = &outcome->snapshots[outcome->snapshot_count++];
        const cJSON *at = row->child;
        seen->mount = take_volume(it->scenario, &at);
        seen->taken = take_number(&at) != 0;
        seen->mounts = take_number(&at) != 0;
        seen->clean = take_number(&at) != 0;
        seen->missing = take_number(&at);
        seen->damaged = take_number(&at);
    }
    outcome->crashes = must(calloc((size_t)cJSON_GetArraySize(crashes) + 1, sizeof *outcome->crashes));
    cJSON_ArrayForEach(row, crashes) {
        struct outcome_crash *seen = &outcome->crashes[outcome->crash_count++];
        const cJSON *at = row->child;
        seen->mount = take_volume(it->scenario, &at);
        seen->at_flush = take_number(&at) != 0;
        seen->at_us = take_number(&at);
        seen->mounts = take_number(&at) != 0;
        seen->clean = take_number(&at) != 0;
        seen->missing = take_number(&at);
        seen->damaged = take_number(&at);
    }
}

bool wire_decode(struct report *report, const char *line)
{
    cJSON *root = cJSON_Parse(line);
    const cJSON *index = cJSON_GetObjectItemCaseSensitive(root, "case");
    bool good = cJSON_IsNumber(index) && index->valuedouble >= 0 && index->valuedouble < (double)report->count;
    if (good) {
        struct report_case *it = &report->cases[(size_t)index->valuedouble];
        const cJSON *stall = cJSON_GetObjectItemCaseSensitive(root, "stall");
        const char *why = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "why"));
        it->outcome.longest_stall_us = cJSON_IsNumber(stall) ? (int64_t)stall->valuedouble : 0;
        it->why = why ? must(strdup(why)) : NULL;
        decode_findings(it, cJSON_GetObjectItemCaseSensitive(root, "findings"));
        decode_images(it, cJSON_GetObjectItemCaseSensitive(root, "snapshots"),
                      cJSON_GetObjectItemCaseSensitive(root, "crashes"));
        decode_steps(&it->outcome, cJSON_GetObjectItemCaseSensitive(root, "steps"));
        decode_trace(&it->outcome.trace, cJSON_GetObjectItemCaseSensitive(root, "trace"));
    }
    cJSON_Delete(root);
    return good;
}
