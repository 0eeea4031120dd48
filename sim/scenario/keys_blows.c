/* keys_blows.c: what may befall agent and guardian at their own calls through the seam. */
#include <signal.h>
#include <string.h>

#include "keys.h"
#include "read.h"
#include "trace.h"

#define MS_MAX INT64_C(86400000) /* a day */

static const struct key_word STRUCK[] = {{"agent", SCENARIO_AGENT}, {"guardian", SCENARIO_GUARDIAN}, {NULL, 0}};
static const struct key_word STRUCK_BOTH[] = {{"self", 0}, {"both", SCENARIO_BOTH}, {NULL, 0}};

/* Operations of the seam: the value tells whether it can be made to fail. */
static const struct key_word SEAM[] = {
#define VIRTUAL_OPERATION(symbol, text, can_fail) {text, can_fail},
#define VIRTUAL_HAPPENING(symbol, text)
#include "../worlds/virtual/operations.def"
#undef VIRTUAL_OPERATION
#undef VIRTUAL_HAPPENING
    {"any", false}, {NULL, 0}};

static const struct key BLOW[] = {
    {.name = "by", .kind = KEY_WORD, .required = true, KEY_AT(struct scenario_blow, by), .words = STRUCK,
     .description = "Whose call it is.", .example = "\"guardian\""},
    {.name = "command", .kind = KEY_INTEGER, KEY_AT(struct scenario_blow, command), .min = 1, .max = 100,
     .description = "While which of the scenario's commands runs: 1 is `command`, 2 the first of `then`.", .fallback = "1",
     .example = "2"},
    {.name = "which", .kind = KEY_INTEGER, KEY_AT(struct scenario_blow, which), .min = 1, .max = 100,
     .description = "The how-many-th agent or guardian of that command, from 1. Without this key: any.",
     .example = "2"},
    {.name = "op", .kind = KEY_CHOICE, .required = true, KEY_AT(struct scenario_blow, op), .words = SEAM,
     .description = "The operation (core/include/quiesce/os.h), or any.", .example = "\"journal_write\""},
    {.name = "nth", .kind = KEY_INTEGER, .required = true, KEY_AT(struct scenario_blow, nth), .min = 1, .max = 100000,
     .description = "Its nth call of that, from 1.", .example = "2"},
    {.name = "error", .kind = KEY_ERRNO, KEY_AT(struct scenario_blow, error),
     .description = "It fails with this error, and is not done.", .example = "\"ENOSPC\""},
    {.name = "delay_ms", .kind = KEY_MS, KEY_AT(struct scenario_blow, delay_us), .max = MS_MAX,
     .description = "It is made that much later, and the process sees nothing meanwhile.", .example = "100"},
    {.name = "send", .kind = KEY_SIGNAL, KEY_AT(struct scenario_blow, signal),
     .description = "KILL or STOP hits the process right before it.", .example = "\"KILL\""},
    {.name = "to", .kind = KEY_WORD, KEY_AT(struct scenario_blow, target), .words = STRUCK_BOTH, .with = "send",
     .description = "KILL hits agent and guardian at once.", .fallback = "\"self\"", .example = "\"both\""},
    {.name = "after", .kind = KEY_FLAG, KEY_AT(struct scenario_blow, after), .with = "send",
     .description = "… right after it.", .fallback = "false"},
    {.name = "resume_ms", .kind = KEY_MS_FOREVER, KEY_AT(struct scenario_blow, resume_us), .max = MS_MAX, .with = "send",
     .description = "CONT follows STOP that much later.", .fallback = "\"forever\"", .example = "2000"},
    {.name = NULL},
};

static bool check_blow(struct reader *reader, const cJSON *item, void *object)
{
    const struct scenario_blow *blow = object;
    for (const struct key_word *word = SEAM; word->word; word++) {
        if (blow->error && strcmp(word->word, blow->op) == 0 && !word->value)
            return scenario_refuse(reader, scenario_member(reader, item, "op"), "op", "%s cannot fail", blow->op);
    }
    if (blow->signal && blow->signal != SIGKILL && blow->signal != SIGSTOP)
        return scenario_refuse(reader, scenario_member(reader, item, "send"), "send", "%s; allowed is KILL or STOP",
                               trace_signal_name(blow->signal));
    if (blow->target == SCENARIO_BOTH && blow->signal != SIGKILL)
        return scenario_refuse(reader, scenario_member(reader, item, "to"), "to", "only KILL hits both at once");
    return true;
}

const struct key_object scenario_blow_keys = {
    .name = "blow", .keys = BLOW, .size = sizeof(struct scenario_blow), .place = NO_PLACE, .check = check_blow,
    .initial = &(const struct scenario_blow){.resume_us = SCENARIO_FOREVER, .command = 1}, .rule = KEY_ONE,
    .choice = (const char *const[]){"error", "delay_ms", "send", NULL}};
