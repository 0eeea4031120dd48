#include "machine.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static const char *const op_names[VIRTUAL_OP_ANY + 1] = {
#define VIRTUAL_OPERATION(symbol, text, can_fail) text,
#define VIRTUAL_HAPPENING(symbol, text) text,
#include "operations.def"
#undef VIRTUAL_OPERATION
#undef VIRTUAL_HAPPENING
    "any operation",
};

const char *virtual_op_name(enum virtual_op op)
{
    return op_names[op];
}

enum virtual_op virtual_op_named(const char *name)
{
    int op = 0;
    while (op < VIRTUAL_OP_ANY && strcmp(op_names[op], name) != 0)
        op++;
    return (enum virtual_op)op;
}

struct virtual_entry *entry_add(struct virtual_world *world, const struct process *process, enum virtual_op what)
{
    if (world->trace_count == world->trace_capacity) {
        size_t capacity = world->trace_capacity ? world->trace_capacity * 2 : 128;
        world->trace = arena_grow(&world->arena, world->trace, world->trace_count, capacity, sizeof *world->trace);
        world->trace_capacity = capacity;
    }
    struct virtual_entry *entry = &world->trace[world->trace_count++];
    entry->at_us = world->now_us;
    entry->role = process ? process->role : VIRTUAL_WORLD;
    entry->ordinal = process ? process->ordinal : 0;
    entry->what = what;
    entry->slot = -1;
    return entry;
}

void entry_operation(struct process *process, enum virtual_op op, const char *text, int slot, int64_t value,
                     int64_t result)
{
    struct virtual_entry *entry = entry_add(process->world, process, op);
    entry->text = text ? arena_string(&process->world->arena, text) : NULL;
    entry->slot = slot;
    entry->value = value;
    entry->result = result;
}

const struct virtual_entry *virtual_trace(const struct virtual_world *world, size_t *count)
{
    *count = world->trace_count;
    return world->trace;
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

struct text {
    struct arena *arena;
    char *bytes;
    size_t size;
    size_t capacity;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t length = (size_t)vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (text->size + length + 1 > text->capacity) {
        size_t capacity = (text->size + length + 1) * 2;
        text->bytes = arena_grow(text->arena, text->bytes, text->size, capacity, 1);
        text->capacity = capacity;
    }
    vsnprintf(text->bytes + text->size, length + 1, format, arguments);
    text->size += length;
    va_end(arguments);
}

static void say_time(struct text *text, const char *name, int64_t at_us)
{
    if (at_us == QZ_NEVER)
        say(text, " %s=never", name);
    else
        say(text, " %s=%.6f", name, (double)at_us / (double)QZ_US_PER_S);
}

/* An errno (negative) by name, else the number. */
static void say_result(struct text *text, int64_t result)
{
    const char *name = result < 0 ? strerrorname_np((int)-result) : NULL;
    if (name)
        say(text, " = %s", name);
    else
        say(text, " = %lld", (long long)result);
}

static void say_text(struct text *text, const char *words)
{
    if (!words)
        return;
    size_t length = strlen(words);
    while (length > 0 && words[length - 1] == '\n')
        length--;
    say(text, " %.*s", (int)length, words);
}

static void say_end(struct text *text, int64_t detail)
{
    const char *name = detail < 0 ? sigabbrev_np((int)-detail) : NULL;
    if (name)
        say(text, " by SIG%s", name);
    else
        say(text, " with %lld", (long long)detail);
}

static void say_wait(struct text *text, const struct virtual_entry *entry)
{
    static const char *const kinds[] = {"TIMEOUT", "SIGNAL", "CHILD", "VOLUME", "MESSAGE", "PEER_LOST", "DISMISSED"};
    say_time(text, "until", entry->value);
    say(text, " = %s", kinds[entry->result]);
    if (entry->slot >= 0)
        say(text, " slot=%d", entry->slot);
    if (entry->result == QZ_EVENT_CHILD)
        say_end(text, entry->detail);
    else if (entry->result == QZ_EVENT_VOLUME)
        say_result(text, entry->detail);
    else if (entry->result == QZ_EVENT_SIGNAL || entry->result == QZ_EVENT_MESSAGE)
        say(text, " %lld", (long long)entry->detail);
}

static void say_volume(struct text *text, const struct virtual_entry *entry)
{
    static const char *const operations[] = {"sync", "freeze", "thaw"};
    say(text, " slot=%d %s", entry->slot, operations[entry->value]);
    if (entry->what == VIRTUAL_DID_OPERATION_ENDS)
        say_result(text, entry->result);
}

static void say_operation(struct text *text, const struct virtual_entry *entry)
{
    say_text(text, entry->text);
    if (entry->slot >= 0)
        say(text, " slot=%d", entry->slot);
    if (entry->value != 0)
        say(text, " %lld", (long long)entry->value);
    say_result(text, entry->result);
}

static void say_entry(struct text *text, const struct virtual_entry *entry)
{
    static const char *const roles[] = {"agent", "guardian", "world"};
    say(text, "%12.6f ", (double)entry->at_us / (double)QZ_US_PER_S);
    say(text, entry->ordinal > 1 ? "%s#%d " : "%s ", roles[entry->role], entry->ordinal);
    say(text, "%s", op_names[entry->what]);
    switch (entry->what) {
    case VIRTUAL_OP_WAIT:
        say_wait(text, entry);
        break;
    case VIRTUAL_OP_VOLUME_START:
    case VIRTUAL_DID_OPERATION_ENDS:
        say_volume(text, entry);
        break;
    case VIRTUAL_DID_CHILD_ENDS:
    case VIRTUAL_DID_MEMBER_ENDS:
        say(text, " slot=%d", entry->slot);
        say_text(text, entry->text);
        say_end(text, entry->detail);
        break;
    case VIRTUAL_DID_FROZEN:
    case VIRTUAL_DID_THAWED:
        say(text, " %u:%u", major((dev_t)entry->value), minor((dev_t)entry->value));
        break;
    case VIRTUAL_DID_STOPPED:
    case VIRTUAL_DID_DELAYED:
        say_time(text, "for", entry->value);
        break;
    case VIRTUAL_DID_SIGNALED:
        say_end(text, -entry->value);
        break;
    default:
        if (entry->what < VIRTUAL_DID_STARTS)
            say_operation(text, entry);
        else
            say_text(text, entry->text);
    }
    say(text, "\n");
}

const char *virtual_trace_text(struct virtual_world *world)
{
    struct text text = {.arena = &world->arena};
    say(&text, "%s", "");
    for (size_t i = 0; i < world->trace_count; i++)
        say_entry(&text, &world->trace[i]);
    return text.bytes;
}
