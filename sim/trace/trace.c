#include "trace.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each string once, for as long as the trace lives: there are a handful of them, in thousands of events. */
struct strings {
    char **items;
    size_t count;
    size_t capacity;
};

static _Noreturn void no_memory(void)
{
    fputs("quiesce-sim: out of memory\n", stderr);
    abort();
}

static void *grow(void *items, size_t *capacity, size_t size)
{
    *capacity = *capacity ? *capacity * 2 : 64;
    void *larger = realloc(items, *capacity * size);
    if (!larger)
        no_memory();
    return larger;
}

static const char *keep(struct trace *trace, const char *text)
{
    if (!text)
        return NULL;
    struct strings *strings = trace->strings;
    if (!strings) {
        trace->strings = strings = calloc(1, sizeof *strings);
        if (!strings)
            no_memory();
    }
    for (size_t i = strings->count; i > 0; i--) {
        if (strcmp(strings->items[i - 1], text) == 0)
            return strings->items[i - 1];
    }
    if (strings->count == strings->capacity)
        strings->items = grow(strings->items, &strings->capacity, sizeof *strings->items);
    char *copy = strdup(text);
    if (!copy)
        no_memory();
    return strings->items[strings->count++] = copy;
}

size_t trace_add(struct trace *trace, const struct trace_event *event)
{
    if (trace->count == trace->capacity)
        trace->events = grow(trace->events, &trace->capacity, sizeof *trace->events);
    struct trace_event *copy = &trace->events[trace->count];
    *copy = *event;
    copy->plugin = keep(trace, event->plugin);
    copy->volume = keep(trace, event->volume);
    copy->text = keep(trace, event->text);
    return trace->count++;
}

void trace_clear(struct trace *trace)
{
    trace->count = 0;
}

void trace_free(struct trace *trace)
{
    struct strings *strings = trace->strings;
    for (size_t i = 0; strings && i < strings->count; i++)
        free(strings->items[i]);
    if (strings)
        free(strings->items);
    free(strings);
    free(trace->events);
    *trace = (struct trace){NULL, 0, 0, NULL};
}

static const char *const ROLES[] = {"agent", "guardian", "pre", "post", "snapshot", "leftover", "other", "harness"};
static const char *const OPS[] = {"", "sync", "freeze", "thaw"};

/* "pre ScriptRunner 1", "snapshot", "leftover of pre ScriptRunner 1". */
static void who(const struct trace_event *event, char *text, size_t size)
{
    enum trace_role role = event->role == TRACE_LEFTOVER ? event->target : event->role;
    const char *leftover = event->role == TRACE_LEFTOVER ? "leftover of " : "";
    if (event->plugin)
        snprintf(text, size, "%s%s %s %d", leftover, ROLES[role], event->plugin, event->ordinal);
    else
        snprintf(text, size, "%s%s", leftover, ROLES[role]);
}

char *trace_line(const struct trace_event *event, char *line, size_t size)
{
    char name[256];
    const char *other = event->role == TRACE_OTHER ? "other " : "";
    who(event, name, sizeof name);
    switch (event->what) {
    case TRACE_STARTS: snprintf(line, size, "%s starts", name); break;
    case TRACE_EXITS: snprintf(line, size, "%s exits %d", name, event->value); break;
    case TRACE_DIES: snprintf(line, size, "%s dies %s", name, event->value ? trace_signal_name(event->value) : "?"); break;
    case TRACE_BEGINS: snprintf(line, size, "%s%s %s begins", other, OPS[event->op], event->volume); break;
    case TRACE_DONE:
        snprintf(line, size, "%s%s %s %s", other, OPS[event->op], event->volume,
                 event->value ? trace_errno_name(event->value) : "ok");
        break;
    case TRACE_SENT: snprintf(line, size, "%s to %s", trace_signal_name(event->value), ROLES[event->target]); break;
    case TRACE_NOTE: snprintf(line, size, "%s", event->text ? event->text : ""); break;
    }
    return line;
}

bool trace_matches(const struct trace_event *event, const char *pattern)
{
    char line[512];
    return fnmatch(pattern, trace_line(event, line, sizeof line), 0) == 0;
}
