#include "machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* 2024-01-01T00:00:00Z */
#define WALL_START_US (INT64_C(1704067200) * QZ_US_PER_S)

int64_t os_wall_us(struct qz_os *os)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_WALL_US);
    int64_t wall_us = WALL_START_US + process->world->now_us;
    entry_operation(process, VIRTUAL_OP_WALL_US, NULL, -1, 0, wall_us);
    leave(process, VIRTUAL_OP_WALL_US);
    return wall_us;
}

bool os_is_root(struct qz_os *os)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_IS_ROOT);
    entry_operation(process, VIRTUAL_OP_IS_ROOT, NULL, -1, 0, process->world->is_root);
    leave(process, VIRTUAL_OP_IS_ROOT);
    return process->world->is_root;
}

/* SplitMix64. */
static uint64_t next_random(struct virtual_world *world)
{
    uint64_t z = world->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int os_random_bytes(struct qz_os *os, void *out, size_t size)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_RANDOM_BYTES);
    for (size_t i = 0; i < size && !error; i++)
        ((unsigned char *)out)[i] = (unsigned char)next_random(process->world);
    entry_operation(process, VIRTUAL_OP_RANDOM_BYTES, NULL, -1, (int64_t)size, -error);
    leave(process, VIRTUAL_OP_RANDOM_BYTES);
    return error;
}

void os_self(struct qz_os *os, struct qz_process *out)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_SELF);
    *out = process->id;
    entry_operation(process, VIRTUAL_OP_SELF, NULL, -1, 0, out->pid);
    leave(process, VIRTUAL_OP_SELF);
}

static bool same_process(const struct qz_process *a, const struct qz_process *b)
{
    return a->pid == b->pid && a->start_time == b->start_time;
}

static struct process *living(const struct virtual_world *world, const struct qz_process *process)
{
    for (struct process *ours = world->processes; ours; ours = ours->next) {
        if (ours->state != PROCESS_OVER && same_process(&ours->id, process))
            return ours;
    }
    return NULL;
}

static bool is_there(const struct virtual_world *world, const struct qz_process *process)
{
    if (living(world, process))
        return true;
    for (size_t i = 0; i < world->other_count; i++) {
        if (same_process(&world->others[i], process))
            return true;
    }
    return false;
}

bool os_process_alive(struct qz_os *os, const struct qz_process *asked)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_PROCESS_ALIVE);
    bool alive = is_there(process->world, asked);
    entry_operation(process, VIRTUAL_OP_PROCESS_ALIVE, NULL, -1, asked->pid, alive);
    leave(process, VIRTUAL_OP_PROCESS_ALIVE);
    return alive;
}

bool os_process_gone(struct qz_os *os, const struct qz_process *asked)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_PROCESS_GONE);
    bool gone = !is_there(process->world, asked);
    for (const struct process *ours = process->world->processes; ours && gone; ours = ours->next)
        gone = !same_process(&ours->id, asked) || ours->operations == 0;
    entry_operation(process, VIRTUAL_OP_PROCESS_GONE, NULL, -1, asked->pid, gone);
    leave(process, VIRTUAL_OP_PROCESS_GONE);
    return gone;
}

int os_process_signal(struct qz_os *os, const struct qz_process *asked, int signal_number)
{
    struct process *process = process_of(os);
    struct virtual_world *world = process->world;
    int error = enter(process, VIRTUAL_OP_PROCESS_SIGNAL);
    if (!error && !is_there(world, asked))
        error = ESRCH;
    struct process *target = error ? NULL : living(world, asked);
    bool asks = signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGHUP ||
                signal_number == SIGQUIT || signal_number == QZ_SIGNAL_TAKEN || signal_number == QZ_SIGNAL_FAILED;
    if (target && asks)
        process_signal(target, signal_number);
    entry_operation(process, VIRTUAL_OP_PROCESS_SIGNAL, NULL, -1, signal_number, -error);
    leave(process, VIRTUAL_OP_PROCESS_SIGNAL);
    return error;
}

const char *os_boot_id(struct qz_os *os)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_BOOT_ID);
    entry_operation(process, VIRTUAL_OP_BOOT_ID, process->world->boot_id, -1, 0, 0);
    leave(process, VIRTUAL_OP_BOOT_ID);
    return process->world->boot_id;
}

static bool is_locked(const struct process *asking)
{
    const struct virtual_world *world = asking->world;
    if (world->locked_until_us > world->now_us)
        return true;
    for (const struct process *process = world->processes; process; process = process->next) {
        if (process != asking && process->holds_lock && process->state != PROCESS_OVER)
            return true;
    }
    return false;
}

int os_lock(struct qz_os *os)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_LOCK);
    if (!error && !process->holds_lock && is_locked(process))
        error = EWOULDBLOCK;
    if (!error)
        process->holds_lock = true;
    entry_operation(process, VIRTUAL_OP_LOCK, NULL, -1, 0, -error);
    leave(process, VIRTUAL_OP_LOCK);
    return error;
}

int os_journal_write(struct qz_os *os, const char *text, size_t size)
{
    struct process *process = process_of(os);
    struct virtual_world *world = process->world;
    int error = enter(process, VIRTUAL_OP_JOURNAL_WRITE);
    if (!error) {
        mounts_write_to(process, VIRTUAL_STATE_DIRECTORY);
        world->journal = size > 0 ? arena_bytes(&world->arena, text, size) : "";
        world->journal_size = size;
    }
    entry_operation(process, VIRTUAL_OP_JOURNAL_WRITE, NULL, -1, (int64_t)size, -error);
    leave(process, VIRTUAL_OP_JOURNAL_WRITE);
    return error;
}

ssize_t os_journal_read(struct qz_os *os, size_t limit, char **text)
{
    struct process *process = process_of(os);
    const struct virtual_world *world = process->world;
    int error = enter(process, VIRTUAL_OP_JOURNAL_READ);
    bool there = !error && world->journal_size > 0;
    *text = NULL;
    ssize_t result = there ? files_copy(world->journal, world->journal_size, limit, text) : -(ssize_t)error;
    entry_operation(process, VIRTUAL_OP_JOURNAL_READ, NULL, -1, 0, result);
    leave(process, VIRTUAL_OP_JOURNAL_READ);
    return result;
}

const char *os_state_directory(struct qz_os *os)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_STATE_DIRECTORY);
    entry_operation(process, VIRTUAL_OP_STATE_DIRECTORY, NULL, -1, 0, 0);
    leave(process, VIRTUAL_OP_STATE_DIRECTORY);
    return VIRTUAL_STATE_DIRECTORY;
}

static enum virtual_op setting_op(enum qz_setting setting, bool set)
{
    if (setting == QZ_SETTING_RCU_EXPEDITED)
        return set ? VIRTUAL_OP_RCU_SET : VIRTUAL_OP_RCU_GET;
    return set ? VIRTUAL_OP_PERIOD_SET : VIRTUAL_OP_PERIOD_GET;
}

int os_setting_get(struct qz_os *os, enum qz_setting setting, int *value)
{
    struct process *process = process_of(os);
    enum virtual_op op = setting_op(setting, false);
    int error = enter(process, op);
    if (!error && process->world->lacks[setting])
        error = ENOENT;
    if (!error) {
        process->opened[setting] = true;
        *value = process->world->settings[setting];
    }
    entry_operation(process, op, NULL, -1, error ? 0 : *value, -error);
    leave(process, op);
    return error;
}

int os_setting_set(struct qz_os *os, enum qz_setting setting, int value)
{
    struct process *process = process_of(os);
    enum virtual_op op = setting_op(setting, true);
    int error = enter(process, op);
    bool opened = process->opened[setting] || (process->agent && process->agent->opened[setting]);
    if (!opened)
        violate(process, "setting_set: setting_get has not succeeded before");
    else if (!error)
        virtual_set(process->world, setting, value);
    entry_operation(process, op, NULL, -1, value, -error);
    leave(process, op);
    return error;
}

int64_t os_dirty_bytes(struct qz_os *os)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_DIRTY_BYTES);
    int64_t bytes = error ? -1 : virtual_dirty(process->world);
    entry_operation(process, VIRTUAL_OP_DIRTY_BYTES, NULL, -1, 0, (long)bytes);
    leave(process, VIRTUAL_OP_DIRTY_BYTES);
    return bytes;
}

int64_t os_volumes_written(struct qz_os *os, bool *writing)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_VOLUMES_WRITTEN);
    int64_t bytes = virtual_written(process->world, writing);
    entry_operation(process, VIRTUAL_OP_VOLUMES_WRITTEN, NULL, -1, *writing, (long)bytes);
    leave(process, VIRTUAL_OP_VOLUMES_WRITTEN);
    return bytes;
}

const char *os_rcu_spared(struct qz_os *os)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_RCU_SPARED);
    entry_operation(process, VIRTUAL_OP_RCU_SPARED, process->world->rcu_spared, -1, 0, 0);
    leave(process, VIRTUAL_OP_RCU_SPARED);
    return process->world->rcu_spared;
}

static void append(struct virtual_world *world, enum qz_stream stream, const char *text, size_t size)
{
    size_t used = world->output_size[stream];
    if (used + size + 1 > world->output_capacity[stream]) {
        size_t capacity = (used + size + 1) * 2;
        world->output[stream] = arena_grow(&world->arena, world->output[stream], used, capacity, 1);
        world->output_capacity[stream] = capacity;
    }
    memcpy(world->output[stream] + used, text, size);
    world->output_size[stream] = used + size;
    world->output[stream][used + size] = '\0';
}

int os_print(struct qz_os *os, enum qz_stream stream, const char *text, size_t size)
{
    struct process *process = process_of(os);
    struct virtual_world *world = process->world;
    int error = enter(process, VIRTUAL_OP_PRINT);
    const char *on = world->stream_on[stream];
    const struct superblock *under = on ? mounts_under(world, on) : NULL;
    if (stream == QZ_STREAM_LOG && under && under->frozen)
        error = EAGAIN;
    else if (on)
        mounts_write_to(process, on);
    if (!error)
        append(world, stream, text, size);
    struct virtual_entry *entry = entry_add(world, process, VIRTUAL_OP_PRINT);
    entry->text = arena_bytes(&world->arena, text, size);
    entry->value = stream;
    entry->result = -error;
    leave(process, VIRTUAL_OP_PRINT);
    return error;
}

bool os_is_terminal(struct qz_os *os, enum qz_stream stream)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_IS_TERMINAL);
    bool is_terminal = process->world->terminal[stream];
    entry_operation(process, VIRTUAL_OP_IS_TERMINAL, NULL, -1, stream, is_terminal);
    leave(process, VIRTUAL_OP_IS_TERMINAL);
    return is_terminal;
}
