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

static const char *const ROLES[] = {"agent", "guardian", "pre", "post", "snapshot", "leftover", "other quiesce", "harness"};
static const char *const OPS[] = {"", "sync", "freeze", "thaw"};

/* A line in the making. Written piece by piece: lines are made by the million, and printf is slow. */
struct line {
    char *end;
    char *limit; /* where its NUL stands at the latest */
};

static void put(struct line *line, const char *text)
{
    size_t length = strnlen(text, (size_t)(line->limit - line->end));
    memcpy(line->end, text, length);
    line->end += length;
    *line->end = '\0';
}

static void put_number(struct line *line, int number)
{
    char digits[16];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    unsigned rest = number < 0 ? 0U - (unsigned)number : (unsigned)number;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    put(line, number < 0 ? "-" : "");
    put(line, first);
}

/* "pre ScriptRunner 1", "snapshot", "leftover of pre ScriptRunner 1". */
static void put_who(struct line *line, const struct trace_event *event)
{
    bool leftover = event->role == TRACE_LEFTOVER;
    put(line, leftover ? "leftover of " : "");
    put(line, ROLES[leftover ? event->target : event->role]);
    if (event->plugin) {
        put(line, " ");
        put(line, event->plugin);
        put(line, " ");
        put_number(line, event->ordinal);
    }
}

/* "other freeze /data", and how it ended. */
static void put_operation(struct line *line, const struct trace_event *event, const char *end)
{
    put(line, event->role == TRACE_OTHER ? "other " : "");
    put(line, OPS[event->op]);
    put(line, " ");
    put(line, event->volume);
    put(line, " ");
    put(line, end);
}

char *trace_line(const struct trace_event *event, char *text, size_t size)
{
    struct line line = {text, text + size - 1};
    if (event->what < TRACE_BEGINS)
        put_who(&line, event);
    switch (event->what) {
    case TRACE_STARTS: put(&line, " starts"); break;
    case TRACE_EXITS:
        put(&line, " exits ");
        put_number(&line, event->value);
        break;
    case TRACE_DIES:
        put(&line, " dies ");
        put(&line, event->value ? trace_signal_name(event->value) : "?");
        break;
    case TRACE_BEGINS: put_operation(&line, event, "begins"); break;
    case TRACE_DONE: put_operation(&line, event, event->value ? trace_errno_name(event->value) : "ok"); break;
    case TRACE_SENT:
        put(&line, trace_signal_name(event->value));
        put(&line, " to ");
        put(&line, ROLES[event->target]);
        break;
    case TRACE_NOTE: put(&line, event->text ? event->text : ""); break;
    }
    return text;
}

bool trace_matches(const struct trace_event *event, const char *pattern)
{
    char line[512];
    return fnmatch(pattern, trace_line(event, line, sizeof line), 0) == 0;
}
