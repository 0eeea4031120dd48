#include "machine.h"

#include <stdio.h>
#include <string.h>

#define FIRST_PID 1000

/* As after a boot; nothing is dirty then. */
static void reset_settings(struct virtual_world *world)
{
    world->settings[QZ_SETTING_RCU_EXPEDITED] = 0;
    world->settings[QZ_SETTING_WRITEBACK_PERIOD] = VIRTUAL_PERIOD;
    world->woken_us = QZ_NEVER;
    virtual_set_dirty(world, 0, 0);
}

struct virtual_world *virtual_new(void)
{
    struct arena arena = {0};
    struct virtual_world *world = arena_take(&arena, sizeof *world);
    world->arena = arena;
    memory_adopt_cjson();
    world->processes_end = &world->processes;
    world->next_pid = FIRST_PID;
    world->next_mount_id = 20;
    world->step_limit = VIRTUAL_STEPS_DEFAULT;
    world->is_root = true;
    reset_settings(world);
    world->journal = "";
    virtual_set_boot_id(world, "00000000-0000-4000-8000-000000000001");
    world->root = files_new_root(world);
    virtual_add_directory(world, VIRTUAL_STATE_DIRECTORY, 0, 0700);
    virtual_add_directory(world, "/etc/azure", 0, 0755);
    virtual_add_directory(world, "/tmp", 0, 01777);
    return world;
}

/* Its memory is garbage from now on. */
static void abandon(struct process *process)
{
    process->killed = true;
    process->state = PROCESS_OVER;
}

static void abandon_all(struct virtual_world *world)
{
    for (struct process *process = world->processes; process; process = process->next) {
        if (process->state != PROCESS_OVER)
            abandon(process);
    }
}

void virtual_free(struct virtual_world *world)
{
    if (!world)
        return;
    abandon_all(world);
    for (struct process *process = world->processes; process; process = process->next)
        fiber_free(process->fiber);
    memory_sweep();
    struct arena arena = world->arena; /* the world lies in it */
    arena_free(&arena);
}

/* ---- The machine ------------------------------------------------------------------------------------------------- */

void virtual_set_seed(struct virtual_world *world, uint64_t seed)
{
    world->random = seed;
}

void virtual_set_root(struct virtual_world *world, bool is_root)
{
    world->is_root = is_root;
}

void virtual_set_boot_id(struct virtual_world *world, const char *boot_id)
{
    world->boot_id = arena_string(&world->arena, boot_id);
}

/* What has been written out since somebody was woken up to do so. */
static int64_t written_out(const struct virtual_world *world)
{
    if (world->woken_us == QZ_NEVER)
        return 0;
    int64_t could = world->dirty_rate * (world->now_us - world->woken_us) / QZ_US_PER_S;
    return could < world->dirty_bytes ? could : world->dirty_bytes;
}

int64_t virtual_dirty(const struct virtual_world *world)
{
    return world->dirty_bytes - written_out(world);
}

int64_t virtual_written(const struct virtual_world *world, bool *writing)
{
    bool woken = world->woken_us != QZ_NEVER && world->dirty_rate > 0;
    *writing = world->busy_rate > 0 || (woken && virtual_dirty(world) > 0);
    return world->written_bytes + written_out(world) + world->busy_rate * world->now_us / QZ_US_PER_S;
}

void virtual_set_dirty(struct virtual_world *world, int64_t bytes, int64_t bytes_per_s)
{
    world->written_bytes += written_out(world);
    world->dirty_bytes = bytes;
    world->dirty_rate = bytes_per_s;
    world->woken_us = QZ_NEVER;
}

void virtual_busy_disks(struct virtual_world *world, int64_t bytes_per_s)
{
    world->busy_rate = bytes_per_s;
}

/* A new period, but none at all, wakes those up who write out. */
void virtual_set(struct virtual_world *world, enum qz_setting setting, int value)
{
    if (setting == QZ_SETTING_WRITEBACK_PERIOD && value != 0 && value != world->settings[setting]) {
        virtual_set_dirty(world, virtual_dirty(world), world->dirty_rate);
        world->woken_us = world->now_us;
    }
    world->settings[setting] = value;
}

void virtual_lack(struct virtual_world *world, enum qz_setting setting)
{
    world->lacks[setting] = true;
}

int virtual_setting(const struct virtual_world *world, enum qz_setting setting)
{
    return world->settings[setting];
}

void virtual_spare_processors(struct virtual_world *world, const char *why)
{
    world->rcu_spared = arena_string(&world->arena, why);
}

void virtual_set_terminal(struct virtual_world *world, enum qz_stream stream, bool is_terminal)
{
    world->terminal[stream] = is_terminal;
}

void virtual_add_process(struct virtual_world *world, const struct qz_process *process)
{
    size_t count = world->other_count;
    world->others = arena_grow(&world->arena, world->others, count, count + 1, sizeof *process);
    world->others[world->other_count++] = *process;
}

void virtual_set_journal(struct virtual_world *world, const char *text)
{
    world->journal = arena_string(&world->arena, text);
    world->journal_size = strlen(text);
}

void virtual_lock_by_other(struct virtual_world *world, int64_t until_us)
{
    world->locked_until_us = until_us;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

void virtual_observe(struct virtual_world *world, void (*observe)(void *observer), void *observer)
{
    world->observe = observe;
    world->observer = observer;
}

struct call {
    void (*call)(void *argument);
    void *argument;
};

static void call_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)world;
    (void)order;
    const struct call *call = object;
    call->call(call->argument);
}

void virtual_call_at(struct virtual_world *world, int64_t at_us, void (*call)(void *argument), void *argument)
{
    struct call *copy = arena_take(&world->arena, sizeof *copy);
    *copy = (struct call){call, argument};
    timer_set(world, at_us, call_now, copy);
}

void virtual_set_step_limit(struct virtual_world *world, unsigned long steps)
{
    world->step_limit = steps;
}

static bool any_stopped(const struct virtual_world *world)
{
    for (const struct process *process = world->processes; process; process = process->next)
        if (process->state != PROCESS_OVER && process->stopped)
            return true;
    return false;
}

static enum virtual_end end_of_run(struct virtual_world *world)
{
    enum virtual_end end = world->hangs ? VIRTUAL_HANGS : VIRTUAL_OVER;
    bool stopped = any_stopped(world);
    for (struct process *process = world->processes; process; process = process->next) {
        if (process->state == PROCESS_OVER || (process->background && world->leaves_background && !world->hangs))
            continue;
        enum virtual_end left = VIRTUAL_HANGS;
        if (!world->hangs && process->operations > 0 && !process->stopped)
            left = VIRTUAL_LEFT_STUCK;
        else if (!world->hangs && stopped)
            left = VIRTUAL_LEFT_STOPPED;
        if (left == VIRTUAL_HANGS)
            abandon(process);
        if (left > end)
            end = left;
    }
    return end;
}

static bool any_in_background(const struct virtual_world *world)
{
    for (const struct process *process = world->processes; process; process = process->next)
        if (process->state != PROCESS_OVER && process->background)
            return true;
    return false;
}

void virtual_leave_background(struct virtual_world *world, bool leaves)
{
    world->leaves_background = leaves;
}

void virtual_pause(struct virtual_world *world, int64_t duration_us)
{
    if (duration_us == 0)
        return;
    world->alone_until_us = world->now_us + duration_us;
    schedule_run(world);
    if (world->now_us < world->alone_until_us)
        schedule_pass(world, world->alone_until_us);
    world->alone_until_us = 0;
}

bool virtual_is_in_background(struct qz_os *os)
{
    return process_of(os)->background;
}

enum virtual_end virtual_run(struct virtual_world *world, void (*main)(struct qz_os *os, void *argument),
                             void *argument)
{
    world->steps = 0;
    world->hangs = false;
    world->agents = 0;
    world->guardians = 0;
    if (!any_in_background(world)) {
        world->tree_of_slot = NULL;
        world->tree_slots = 0;
    }
    process_new(world, VIRTUAL_AGENT, main, argument);
    schedule_run(world);
    return end_of_run(world);
}

struct other {
    void (*main)(struct qz_os *, void *);
    void *argument;
};

static void start_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    const struct other *other = object;
    process_new(world, VIRTUAL_AGENT, other->main, other->argument);
}

void virtual_also_run(struct virtual_world *world, int64_t at_us, void (*main)(struct qz_os *os, void *argument),
                      void *argument)
{
    struct other *other = arena_take(&world->arena, sizeof *other);
    *other = (struct other){main, argument};
    timer_set(world, at_us, start_now, other);
}

void virtual_pass(struct virtual_world *world, int64_t duration_us)
{
    schedule_pass(world, world->now_us + duration_us);
}

void virtual_reboot(struct virtual_world *world)
{
    abandon_all(world);
    for (size_t i = 0; i < world->tree_count; i++) {
        struct tree *tree = world->trees[i];
        for (size_t m = 0; m < tree->member_count; m++)
            tree->members[m].alive = false;
        tree->alive = 0;
        tree->blocked_on = NULL;
    }
    for (struct superblock *superblock = world->superblocks; superblock; superblock = superblock->next)
        superblock_reset(superblock);
    for (struct process *process = world->processes; process; process = process->next)
        process->operations = 0;
    world->timer_count = 0;
    world->settling = 0;
    world->parked = NULL;
    world->undrained = NULL;
    world->locked_until_us = 0;
    reset_settings(world);
    virtual_set_journal(world, "");
    char boot_id[40];
    snprintf(boot_id, sizeof boot_id, "00000000-0000-4000-8000-%012d", ++world->boots + 1);
    virtual_set_boot_id(world, boot_id);
}

/* ---- What happened ----------------------------------------------------------------------------------------------- */

int64_t virtual_now_us(const struct virtual_world *world)
{
    return world->now_us;
}

bool virtual_is_alive(const struct virtual_world *world, enum virtual_role role)
{
    const struct process *process = role == VIRTUAL_AGENT ? world->agent : world->guardian;
    return process && process->state != PROCESS_OVER;
}

size_t virtual_open_files(const struct virtual_world *world)
{
    return world->files_left_open;
}

const char *virtual_output(const struct virtual_world *world, enum qz_stream stream)
{
    return world->output[stream] ? world->output[stream] : "";
}

const char *virtual_journal(const struct virtual_world *world)
{
    return world->journal;
}

const char *virtual_violation(const struct virtual_world *world)
{
    return world->violation;
}
