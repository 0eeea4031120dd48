#include "claims.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[] = {"none", "crash", "filesystem", "application"};

enum claim claim_of(const char *name)
{
    for (int claim = CLAIM_NONE; name && claim < CLAIM_UNKNOWN; claim++) {
        if (strcmp(NAMES[claim], name) == 0)
            return (enum claim)claim;
    }
    return CLAIM_UNKNOWN;
}

const char *claim_name(enum claim claim)
{
    return claim < CLAIM_UNKNOWN ? NAMES[claim] : "unknown";
}

const char *claim_option(const struct scenario_step *step, const char *option)
{
    size_t length = strlen(option);
    for (size_t i = 0; i < step->argc && strcmp(step->argv[i], "--") != 0; i++) {
        if (strcmp(step->argv[i], option) == 0)
            return i + 1 < step->argc ? step->argv[i + 1] : NULL;
        if (strncmp(step->argv[i], option, length) == 0 && step->argv[i][length] == '=')
            return step->argv[i] + length + 1;
    }
    return NULL;
}

static bool is_called(const struct scenario *scenario, size_t step, const char *command)
{
    return scenario->steps[step].argc > 0 && strcmp(scenario->steps[step].argv[0], command) == 0;
}

static bool opens(const struct scenario *scenario, const struct outcome *outcome, size_t step)
{
    int exit = outcome->steps[step].exit;
    return is_called(scenario, step, "begin") && (exit == 0 || exit == 10 || exit == 11);
}

bool claim_is_open(const struct scenario *scenario, const struct outcome *outcome, size_t step)
{
    bool ended = false;
    bool opened = false;
    for (size_t i = step + 1; i > 0 && !ended && !opened; i--) {
        opened = opens(scenario, outcome, i - 1);
        int exit = outcome->steps[i - 1].exit;
        ended = is_called(scenario, i - 1, "end") && (exit == 0 || exit == 10 || exit == 11 || exit == 20);
    }
    return opened;
}

size_t claim_begun(const struct scenario *scenario, const struct outcome *outcome, size_t step)
{
    if (!is_called(scenario, step, "end"))
        return step;
    for (size_t i = step; i > 0; i--) {
        if (opens(scenario, outcome, i - 1))
            return i - 1;
    }
    return step;
}

/* When the snapshot was taken: [from, to] of the trace, by index. */
struct window {
    bool taken;
    size_t from;
    size_t to;
    int64_t hold_us; /* with --hold: this long, somewhere between freeze and thaw; 0: a command */
};

/* What is being worked out. */
struct inquiry {
    const struct scenario *scenario;
    const struct outcome *outcome;
    int begun; /* the steps that made the backup: from here … */
    int step;  /* … to here */
    struct window window;
    char *reason;
    size_t reason_size;
    size_t event;
    bool left_frozen; /* a volume that was held was not thawed by us afterwards */
};

__attribute__((format(printf, 3, 4))) static bool no(struct inquiry *inquiry, size_t event, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(inquiry->reason, inquiry->reason_size, format, arguments);
    va_end(arguments);
    inquiry->event = event;
    return false;
}

static const struct trace_event *at(const struct inquiry *inquiry, size_t index)
{
    return &inquiry->outcome->trace.events[index];
}

static bool is_of_step(const struct inquiry *inquiry, size_t index)
{
    return at(inquiry, index)->step >= inquiry->begun && at(inquiry, index)->step <= inquiry->step;
}

static bool is_operation(const struct trace_event *event, enum trace_op op, enum trace_what what)
{
    return event->op == op && event->what == what && event->role != TRACE_OTHER;
}

/* Somebody else's snapshot was taken, by the word of whoever calls `end`, after `begin` had returned and before
 * that. */
static void find_foreign_window(struct inquiry *inquiry)
{
    const struct trace *trace = &inquiry->outcome->trace;
    const struct scenario_step *end = &inquiry->scenario->steps[inquiry->step];
    struct window *window = &inquiry->window;
    window->from = window->to = SIZE_MAX;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (event->role != TRACE_AGENT)
            continue;
        if (event->step == inquiry->begun && event->what == TRACE_EXITS && event->value < 20 && window->from == SIZE_MAX)
            window->from = i;
        if (event->step == inquiry->step && event->what == TRACE_STARTS && window->to == SIZE_MAX)
            window->to = i;
    }
    window->taken = window->from < window->to && window->to != SIZE_MAX;
    for (size_t i = 1; i < end->argc; i++)
        window->taken &= strcmp(end->argv[i], "--failed") != 0;
}

/* The last snapshot command of the step that succeeded; with --hold the time from the last freeze to the first thaw. */
static void find_window(struct inquiry *inquiry)
{
    const struct trace *trace = &inquiry->outcome->trace;
    const char *hold = claim_option(&inquiry->scenario->steps[inquiry->step], "--hold");
    struct window *window = &inquiry->window;
    size_t started = SIZE_MAX;
    bool thawing = true; /* before the first freeze of an attempt */
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (!is_of_step(inquiry, i))
            continue;
        if (!hold && event->role == TRACE_SNAPSHOT && event->what == TRACE_STARTS)
            started = i;
        if (!hold && event->role == TRACE_SNAPSHOT && event->what == TRACE_EXITS && event->value == 0 && started != SIZE_MAX)
            *window = (struct window){true, started, i, 0};
        if (hold && is_operation(event, TRACE_FREEZE, TRACE_DONE) && event->value == 0) {
            started = i;
            thawing = false;
        }
        if (hold && is_operation(event, TRACE_THAW, TRACE_BEGINS) && !thawing) {
            thawing = true;
            int64_t hold_us = (int64_t)(strtod(hold, NULL) * 1e6);
            window->taken = event->at_us - trace->events[started].at_us >= hold_us;
            window->from = started;
            window->to = i;
            window->hold_us = hold_us;
        }
    }
    /* Nothing frozen: a hold can't be seen in the trace, and is believed, wherever it was. */
    if (hold && started == SIZE_MAX)
        *window = (struct window){true, trace->count, 0, 1};
}

/* Did the scenario unmount `volume`? */
static bool is_unmounting(const struct trace_event *event, const char *volume)
{
    static const char WORD[] = "unmount ";
    return event->what == TRACE_NOTE && event->text && strncmp(event->text, WORD, sizeof WORD - 1) == 0 &&
           strcmp(event->text + sizeof WORD - 1, volume) == 0;
}

/* Was `volume` frozen by us, and mounted, from before the window until after it? Notes if it was not thawed by us then. */
static bool was_held(struct inquiry *inquiry, const char *volume)
{
    const struct trace *trace = &inquiry->outcome->trace;
    bool held = false;
    bool thawed = false;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (is_unmounting(event, volume) && i < inquiry->window.to)
            held = false;
        if (!event->volume || event->what != TRACE_DONE || event->value != 0 || strcmp(event->volume, volume) != 0)
            continue;
        if (event->op == TRACE_FREEZE && event->role != TRACE_OTHER && i <= inquiry->window.from)
            held = true;
        if (event->op == TRACE_THAW && i < inquiry->window.to)
            held = false;
        if (event->op == TRACE_THAW && i > inquiry->window.to && event->role != TRACE_OTHER)
            thawed = true;
    }
    if (!held)
        return no(inquiry, inquiry->window.from, "%s was not frozen by quiesce for the whole snapshot", volume);
    if (!thawed) {
        inquiry->left_frozen = true;
        no(inquiry, inquiry->window.to, "%s was not thawed by quiesce after the snapshot", volume);
    }
    return true;
}

/* Does the result say that it froze something, and was all of it held? The mount a volume is frozen at may be any of
 * its mount points: worlds name a volume in the trace as the scenario does, the result as quiesce opened it. */
static const char *volume_named(const struct scenario *scenario, const char *mount)
{
    for (size_t i = 0; i < scenario->volume_count; i++) {
        const struct scenario_volume *volume = &scenario->volumes[i];
        if (strcmp(volume->mount, mount) == 0)
            return volume->mount;
        for (size_t k = 0; k < volume->bind_count; k++) {
            if (strcmp(volume->binds[k], mount) == 0)
                return volume->mount;
        }
        for (size_t k = 0; k < volume->subvolume_count; k++) {
            if (strcmp(volume->subvolumes[k], mount) == 0)
                return volume->mount;
        }
    }
    return mount;
}

static bool freeze_held(struct inquiry *inquiry)
{
    const cJSON *result = inquiry->outcome->steps[inquiry->step].result;
    const cJSON *volumes = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(result, "freeze"), "volumes");
    const cJSON *volume;
    int frozen = 0;
    cJSON_ArrayForEach(volume, volumes) {
        const char *decision = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(volume, "decision"));
        const char *mount = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(volume, "mount"));
        if (!decision || !mount || strcmp(decision, "freeze") != 0)
            continue;
        frozen++;
        if (!was_held(inquiry, volume_named(inquiry->scenario, mount)))
            return false;
    }
    return frozen > 0 || no(inquiry, SIZE_MAX, "no volume was frozen");
}

/* The last attempt of this plugin's script exited with 0, on the right side of the freeze. */
static bool script_succeeded(struct inquiry *inquiry, enum trace_role role, const char *plugin)
{
    const struct trace *trace = &inquiry->outcome->trace;
    const char *what = role == TRACE_PRE ? "pre-script" : "post-script";
    size_t ended = SIZE_MAX;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        if (is_of_step(inquiry, i) && event->role == role && event->plugin && strcmp(event->plugin, plugin) == 0 &&
            (event->what == TRACE_EXITS || event->what == TRACE_DIES))
            ended = i;
    }
    if (ended == SIZE_MAX)
        return no(inquiry, SIZE_MAX, "the %s of %s did not end", what, plugin);
    if (at(inquiry, ended)->what != TRACE_EXITS || at(inquiry, ended)->value != 0)
        return no(inquiry, ended, "the %s of %s failed", what, plugin);
    if (role == TRACE_PRE ? ended > inquiry->window.from : ended < inquiry->window.to)
        return no(inquiry, ended, "the %s of %s ended on the wrong side of the snapshot", what, plugin);
    return true;
}

static bool scripts_succeeded(struct inquiry *inquiry)
{
    if (inquiry->scenario->plugin_count == 0)
        return no(inquiry, SIZE_MAX, "there are no scripts");
    for (size_t i = 0; i < inquiry->scenario->plugin_count; i++) {
        const char *name = inquiry->scenario->plugins[i].name;
        if (!script_succeeded(inquiry, TRACE_PRE, name) || !script_succeeded(inquiry, TRACE_POST, name))
            return false;
    }
    return true;
}

enum claim claim_allowed(const struct scenario *scenario, const struct outcome *outcome, size_t step, char *reason,
                         size_t reason_size, size_t *event)
{
    struct inquiry inquiry = {.scenario = scenario, .outcome = outcome, .begun = (int)claim_begun(scenario, outcome, step),
                              .step = (int)step, .reason = reason, .reason_size = reason_size, .event = SIZE_MAX};
    bool ends = is_called(scenario, step, "end");
    const cJSON *freeze = cJSON_GetObjectItemCaseSensitive(outcome->steps[step].result, "freeze");
    bool freeze_wanted = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(freeze, "enabled"));
    enum claim allowed = CLAIM_NONE;
    reason[0] = '\0';
    if (ends)
        find_foreign_window(&inquiry);
    else
        find_window(&inquiry);
    if (!inquiry.window.taken && claim_option(&scenario->steps[step], "--hold"))
        allowed = CLAIM_CRASH, no(&inquiry, SIZE_MAX, "nothing was frozen for the whole hold");
    else if (!inquiry.window.taken)
        no(&inquiry, SIZE_MAX, "no snapshot was taken");
    else if (freeze_wanted ? !freeze_held(&inquiry) : !scripts_succeeded(&inquiry))
        allowed = CLAIM_CRASH;
    else
        allowed = !inquiry.left_frozen && scripts_succeeded(&inquiry) ? CLAIM_APPLICATION : CLAIM_FILESYSTEM;
    *event = inquiry.event;
    return allowed;
}
