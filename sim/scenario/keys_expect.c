/* keys_expect.c: what must be seen. */
#include <string.h>

#include "keys.h"
#include "read.h"

#define MS_MAX INT64_C(86400000)

static const struct key DURATION[] = {
    {.name = "from", .kind = KEY_PATTERN, .required = true, KEY_AT(struct scenario_duration, from),
     .description = "The first line of the trace that matches this …", .example = "\"freeze /data begins\""},
    {.name = "to", .kind = KEY_PATTERN, .required = true, KEY_AT(struct scenario_duration, to),
     .description = "… and the first one after it that matches this.", .example = "\"thaw /data ok\""},
    {.name = "min_ms", .kind = KEY_MS, KEY_AT(struct scenario_duration, min_us), .max = MS_MAX,
     .description = "At least so long.", .fallback = "0", .example = "50"},
    {.name = "max_ms", .kind = KEY_MS, KEY_AT(struct scenario_duration, max_us), .max = MS_MAX,
     .description = "At most so long. Without this key: however long.", .example = "2000"},
    {.name = NULL},
};

static bool check_duration(struct reader *reader, const cJSON *item, void *object)
{
    const struct scenario_duration *duration = object;
    return duration->min_us <= duration->max_us ||
           scenario_refuse(reader, scenario_member(reader, item, "min_ms"), "min_ms", "more than max_ms");
}

static const struct key_object DURATION_OBJECT = {
    .name = "duration", .keys = DURATION, .size = sizeof(struct scenario_duration), .place = NO_PLACE,
    .initial = &(const struct scenario_duration){.max_us = SCENARIO_FOREVER}, .rule = KEY_AT_LEAST_ONE,
    .choice = (const char *const[]){"min_ms", "max_ms", NULL}, .check = check_duration};

/* What a snapshot holds; read only to be checked. */
struct snapshot {
    bool clean;
    int missing;
};

static const struct key SNAPSHOT[] = {
    {.name = "clean", .kind = KEY_FLAG, KEY_AT(struct snapshot, clean),
     .description = "It mounts, and its filesystem's checker finds nothing.", .example = "true"},
    {.name = "missing", .kind = KEY_MISSING, KEY_AT(struct snapshot, missing), .max = 1000000000,
     .description = "How many records that the ledger had acknowledged are not in it; \"some\": at least one.",
     .example = "0"},
    {.name = NULL},
};

static const struct key_object SNAPSHOT_OBJECT = {
    .name = "snapshot_content", .keys = SNAPSHOT, .size = sizeof(struct snapshot), .place = NO_PLACE,
    .rule = KEY_AT_LEAST_ONE, .choice = (const char *const[]){"clean", "missing", NULL}};

struct crash {
    int images;
    bool clean;
    int missing;
};

static const struct key CRASH[] = {
    {.name = "images", .kind = KEY_INTEGER, .required = true, KEY_AT(struct crash, images), .min = 1, .max = 100000,
     .description = "About how many are looked at: half of them right after flushes, half between two, with some of "
                    "what was written since the first one. The seed chooses.", .example = "10"},
    {.name = "clean", .kind = KEY_FLAG, KEY_AT(struct crash, clean),
     .description = "true: each of them mounts, and its filesystem's checker finds nothing.", .example = "true"},
    {.name = "missing", .kind = KEY_MISSING, KEY_AT(struct crash, missing), .max = 1000000000,
     .description = "How many records that the ledger had acknowledged by then are not in each of them; \"some\": at "
                    "least one is missing in at least one.",
     .example = "0"},
    {.name = NULL},
};

static const struct key_object CRASH_OBJECT = {
    .name = "crash_images", .keys = CRASH, .size = sizeof(struct crash), .place = NO_PLACE,
    .rule = KEY_AT_LEAST_ONE, .choice = (const char *const[]){"clean", "missing", NULL}};

static const struct key_word CONSISTENCIES[] = {{"application", 0}, {"filesystem", 0}, {"crash", 0}, {"none", 0},
                                                {NULL, 0}};

#define AT(member) KEY_AT(struct scenario_expect, member)
#define LIST_AT(member, number) KEY_LIST_AT(struct scenario_expect, member, number)

static const struct key EXPECT[] = {
    {.name = "exit", .kind = KEY_INTEGER, AT(exit), .max = 255, .without = "signal",
     .description = "The exit status: 0, 10, 11 or 20 for application, filesystem, crash and none; 64: wrong command "
                    "line; 70: quiesce itself failed.", .example = "0"},
    {.name = "signal", .kind = KEY_SIGNAL, AT(signal), .description = "The command dies by this signal.",
     .example = "\"KILL\""},
    {.name = "consistency", .kind = KEY_CHOICE, AT(consistency), .words = CONSISTENCIES,
     .description = "What the backup is worth.", .example = "\"application\""},
    {.name = "errors", .kind = KEY_ERROR_NAME, LIST_AT(errors, error_count),
     .description = "All errors of the result, most decisive first.", .example = "[\"Pre-ScriptExecutionFailed\"]"},
    {.name = "trace", .kind = KEY_PATTERN, LIST_AT(trace, trace_count),
     .description = "Patterns (* ? […]). Lines of the trace that match them must occur in this order; others may stand "
                    "between them.", .example = "[\"pre * 1 exits 3\", \"pre * 2 exits 0\", \"freeze /data ok\"]"},
    {.name = "never", .kind = KEY_PATTERN, LIST_AT(never, never_count),
     .description = "Patterns that no line of the trace may match.", .example = "[\"freeze *\"]"},
    {.name = "stdout", .kind = KEY_TEXT, LIST_AT(out, out_count),
     .description = "Patterns, each of which must match a line of standard output.", .example = "[\"*/data*\"]"},
    {.name = "stderr", .kind = KEY_TEXT, LIST_AT(err, err_count),
     .description = "Patterns, each of which must match a line of standard error.", .example = "[\"*trying again*\"]"},
    {.name = "durations", .kind = KEY_OBJECT, LIST_AT(durations, duration_count), .object = &DURATION_OBJECT,
     .description = "Bounds on the time between two lines of the trace.",
     .example = "[{\"from\": \"freeze /data begins\", \"to\": \"thaw /data ok\", \"max_ms\": 2000}]"},
    {.name = "result", .kind = KEY_RESULT, AT(result), .object = &scenario_result_keys,
     .description = "The JSON result must contain this: objects by key, lists by place, strings as patterns.",
     .example = "{\"scripts\": [{\"attempts\": [{\"exit_code\": 3}]}]}"},
    {.name = "frozen", .kind = KEY_VOLUME, LIST_AT(frozen, frozen_count),
     .description = "Volumes that are still frozen after the command; no others are. Without this key: those that "
                    "somebody else froze.", .example = "[]"},
    {.name = "snapshot", .kind = KEY_MAP, AT(snapshot), .object = &SNAPSHOT_OBJECT,
     .description = "For volumes: what the snapshot holds of them (loop world).",
     .example = "{\"/data\": {\"clean\": true, \"missing\": 0}}"},
    {.name = "crash_images", .kind = KEY_MAP, AT(crash_images), .object = &CRASH_OBJECT,
     .description = "For volumes with a recording disk: what crashes during the scenario would have left of it (loop "
                    "world).",
     .example = "{\"/data\": {\"images\": 10, \"clean\": true}}"},
    {.name = "golden", .kind = KEY_FLAG, AT(golden),
     .description = "The whole trace, without times, is the one in the file NAME.golden beside this one, which `run "
                    "--update` writes.", .fallback = "false", .example = "true"},
    {.name = NULL},
};

const struct key_object scenario_expect_keys = {
    .name = "expectation", .keys = EXPECT, .size = sizeof(struct scenario_expect),
    .place = offsetof(struct scenario_expect, place),
    .initial = &(const struct scenario_expect)NOTHING_EXPECTED};
