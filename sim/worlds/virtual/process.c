#include "machine.h"

/* How long dismiss waits for a guardian to end. */
#define DISMISS_US (100 * INT64_C(1000))

void violate(struct process *process, const char *rule)
{
    struct virtual_world *world = process->world;
    if (!world->violation)
        world->violation = rule;
    entry_add(world, process, VIRTUAL_DID_VIOLATION)->text = rule;
}

/* ---- Life and death ---------------------------------------------------------------------------------------------- */

static struct process *peer_of(const struct process *process)
{
    if (process->background_of)
        return process->background_of;
    return process->role == VIRTUAL_AGENT ? process->guardian : process->let_go ? NULL : process->agent;
}

/* What is the same whether a process ends or is killed. While one guardian takes the place of another, an agent has
 * two. */
static void over(struct process *process)
{
    process->state = PROCESS_OVER;
    child_owner_over(process);
    const struct qz_event lost = {.kind = QZ_EVENT_PEER_LOST};
    if (process->agent && process->agent->guardian == process)
        process_post(process->agent, &lost);
    for (struct process *other = process->world->processes; other; other = other->next)
        if (other->agent == process && !other->let_go)
            process_post(other, &lost);
    if (process->starter)
        process_post(process->starter, &lost);
}

static void run(void *argument)
{
    struct process *process = argument;
    int status = 0;
    if (process->rest)
        status = process->rest(&process->os, process->argument, &process->background_of->id);
    else
        process->main(&process->os, process->argument);
    struct virtual_entry *entry = entry_add(process->world, process, VIRTUAL_DID_ENDS);
    entry->detail = process->rest ? VIRTUAL_STARTED : process->background ? VIRTUAL_BACKGROUND : VIRTUAL_ALONE;
    entry->value = status;
    process->world->files_left_open += process->open_file_count;
    for (size_t i = 0; i < process->open_file_count; i++)
        process->world->files_left_open -= process->open_files[i] == NULL;
    over(process);
    schedule_leave(process);
}

struct process *process_new(struct virtual_world *world, enum virtual_role role,
                            void (*main)(struct qz_os *, void *), void *argument)
{
    struct process *process = arena_take(&world->arena, sizeof *process);
    process->os.ops = &virtual_ops;
    process->world = world;
    process->role = role;
    process->ordinal = role == VIRTUAL_AGENT ? ++world->agents : ++world->guardians;
    if (role == world->starved_role && process->ordinal == world->starved_ordinal)
        process->memory.refused = world->starved_nth;
    process->id.pid = world->next_pid++;
    process->id.start_time = (uint64_t)(world->now_us + VIRTUAL_START_US) / 10000;
    process->main = main;
    process->argument = argument;
    process->fiber = fiber_new(run, process);
    *world->processes_end = process;
    world->processes_end = &process->next;
    if (role == VIRTUAL_AGENT)
        world->agent = process;
    else
        world->guardian = process;
    entry_add(world, process, VIRTUAL_DID_STARTS);
    return process;
}

void process_kill(struct process *process)
{
    entry_add(process->world, process, VIRTUAL_DID_KILLED);
    process->killed = true;
    over(process);
}

void process_continue(struct process *process)
{
    if (process->state == PROCESS_OVER || !process->stopped)
        return;
    entry_add(process->world, process, VIRTUAL_DID_CONTINUED);
    process->stopped = false;
    volumes_continue(process);
}

static void continue_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)world;
    (void)order;
    process_continue(object);
}

void process_stop(struct process *process, int64_t for_us)
{
    struct virtual_world *world = process->world;
    entry_add(world, process, VIRTUAL_DID_STOPPED)->value = for_us;
    process->stopped = true;
    timer_set(world, time_add(world->now_us, for_us), continue_now, process);
}

unsigned virtual_asked_for(struct virtual_world *world, enum virtual_role role, int ordinal)
{
    unsigned asked = 0;
    for (const struct process *process = world->processes; process; process = process->next) {
        if (process->role == role && process->ordinal == ordinal)
            asked = process->memory.count; /* those of earlier runs come before */
    }
    return asked;
}

struct process *process_of_role(struct virtual_world *world, enum virtual_role role)
{
    return role == VIRTUAL_AGENT ? world->agent : role == VIRTUAL_GUARDIAN ? world->guardian : NULL;
}

bool process_can_go_on(const struct process *process)
{
    if (process->stopped)
        return false;
    bool late = process->deadline_us <= process->world->now_us;
    switch (process->state) {
    case PROCESS_READY:
        return true;
    case PROCESS_WAITING:
        return late || process->event_count > 0;
    case PROCESS_DELAYED:
        return late;
    case PROCESS_BLOCKED:
        return !process->blocked_on->frozen;
    case PROCESS_DISMISSING:
        return late || process->dismissed->state == PROCESS_OVER || process->dismissed->operations > 0;
    case PROCESS_OVER:
        break;
    }
    return false;
}

int64_t process_deadline_us(const struct process *process)
{
    bool timed = process->state == PROCESS_WAITING || process->state == PROCESS_DELAYED ||
                 process->state == PROCESS_DISMISSING;
    return timed && !process->stopped ? process->deadline_us : QZ_NEVER;
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

/* The kernel keeps one signal of a kind. */
static bool is_pending(const struct process *process, int signal_number)
{
    for (size_t i = 0; i < process->event_count; i++) {
        const struct qz_event *event = &process->events[(process->event_first + i) % process->event_capacity];
        if (event->kind == QZ_EVENT_SIGNAL && event->value == signal_number)
            return true;
    }
    return false;
}

void process_post(struct process *process, const struct qz_event *event)
{
    if (process->state == PROCESS_OVER || (event->kind == QZ_EVENT_SIGNAL && is_pending(process, event->value)))
        return;
    if (process->event_count == process->event_capacity) {
        size_t capacity = process->event_capacity ? process->event_capacity * 2 : 16;
        struct qz_event *events = arena_take(&process->world->arena, capacity * sizeof *events);
        for (size_t i = 0; i < process->event_count; i++)
            events[i] = process->events[(process->event_first + i) % process->event_capacity];
        process->events = events;
        process->event_first = 0;
        process->event_capacity = capacity;
    }
    process->events[(process->event_first + process->event_count++) % process->event_capacity] = *event;
}

void process_signal(struct process *process, int signal_number)
{
    entry_add(process->world, process, VIRTUAL_DID_SIGNALED)->value = signal_number;
    if (process->role == VIRTUAL_GUARDIAN && signal_number != SIGTERM)
        return; /* it has all others blocked, and does not ask for them */
    process_post(process, &(struct qz_event){.kind = QZ_EVENT_SIGNAL, .value = signal_number});
}

static void take_event(struct process *process, struct qz_event *event)
{
    if (process->event_count == 0) {
        *event = (struct qz_event){.kind = QZ_EVENT_TIMEOUT};
        return;
    }
    *event = process->events[process->event_first];
    process->event_first = (process->event_first + 1) % process->event_capacity;
    process->event_count--;
}

static void trace_wait(struct process *process, int64_t deadline_us, const struct qz_event *event)
{
    struct virtual_entry *entry = entry_add(process->world, process, VIRTUAL_OP_WAIT);
    entry->value = deadline_us == QZ_NEVER ? QZ_NEVER : deadline_us - VIRTUAL_START_US;
    entry->result = event->kind;
    entry->slot = event->kind == QZ_EVENT_CHILD || event->kind == QZ_EVENT_VOLUME ? event->slot : -1;
    entry->detail = event->kind == QZ_EVENT_CHILD    ? (event->end.signaled ? -event->end.status : event->end.status)
                    : event->kind == QZ_EVENT_VOLUME ? -event->error
                                                     : event->value;
}

static int64_t os_now_us(struct qz_os *os)
{
    return process_of(os)->world->now_us + VIRTUAL_START_US;
}

static void os_wait(struct qz_os *os, int64_t deadline_us, struct qz_event *event)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_WAIT);
    process->deadline_us = deadline_us == QZ_NEVER ? QZ_NEVER : deadline_us - VIRTUAL_START_US;
    process->state = PROCESS_WAITING;
    schedule_yield(process);
    process->state = PROCESS_READY;
    child_drain(process);
    take_event(process, event);
    trace_wait(process, deadline_us, event);
    leave(process, VIRTUAL_OP_WAIT);
}

/* ---- Agent and guardian ------------------------------------------------------------------------------------------ */

static void *os_share(struct qz_os *os, size_t size)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_SHARE);
    void *memory = error ? NULL : arena_take(&process->world->arena, size);
    entry_operation(process, VIRTUAL_OP_SHARE, NULL, -1, (int64_t)size, -error);
    leave(process, VIRTUAL_OP_SHARE);
    return memory;
}

/* What a child process has from its parent. */
static void inherit(struct process *child, struct process *parent)
{
    struct arena *arena = &child->world->arena;
    child->os.hush = parent->os.hush;
    child->holds_lock = parent->holds_lock;
    child->slots = arena_grow(arena, parent->slots, parent->slot_count, parent->slot_count, sizeof *child->slots);
    child->slot_count = parent->slot_count;
    for (size_t i = 0; i < child->slot_count; i++)
        child->slots[i].busy = false;
    child->agent = parent;
    child->background = parent->background;
}

/* What its guardian had said and was not heard is gone with the socket. */
static void forget_peer(struct process *process)
{
    size_t count = process->event_count;
    for (size_t i = 0; i < count; i++) {
        struct qz_event event;
        take_event(process, &event);
        if (event.kind != QZ_EVENT_MESSAGE && event.kind != QZ_EVENT_PEER_LOST)
            process_post(process, &event);
    }
}

static void let_go(struct process *guardian)
{
    if (!guardian || guardian->state == PROCESS_OVER)
        return;
    guardian->let_go = true;
    process_post(guardian, &(struct qz_event){.kind = QZ_EVENT_DISMISSED});
}

/* Waits a moment for the end of one that was let go. */
static void await_end(struct process *process, struct process *guardian)
{
    if (!guardian || guardian->state == PROCESS_OVER)
        return;
    process->dismissed = guardian;
    process->deadline_us = time_add(process->world->now_us, DISMISS_US);
    process->state = PROCESS_DISMISSING;
    schedule_yield(process);
    process->state = PROCESS_READY;
}

static void end_guardian(struct process *process, struct process *guardian, bool needed)
{
    await_end(process, guardian);
    if (!needed && guardian && guardian->state != PROCESS_OVER && guardian->operations == 0)
        process_kill(guardian);
}

static void os_dismiss(struct qz_os *os, bool needed)
{
    struct process *process = process_of(os);
    struct process *guardian = process->guardian, *former = process->former;
    process->guardian = process->former = NULL;
    enter(process, VIRTUAL_OP_DISMISS);
    forget_peer(process);
    let_go(guardian);
    end_guardian(process, guardian, needed);
    end_guardian(process, former, needed);
    entry_operation(process, VIRTUAL_OP_DISMISS, NULL, -1, 0, 0);
    leave(process, VIRTUAL_OP_DISMISS);
}

/* Lets the one before go, which is not waited for. */
static void replace(struct process *process, struct process *before)
{
    enter(process, VIRTUAL_OP_DISMISS);
    forget_peer(process);
    let_go(before);
    end_guardian(process, process->former, true);
    process->former = before;
    entry_operation(process, VIRTUAL_OP_DISMISS, NULL, -1, 0, 0);
    leave(process, VIRTUAL_OP_DISMISS);
}

/* The one before is let go as a second operation, so that a fault can strike while there are two. */
static int os_guard(struct qz_os *os, void (*main)(struct qz_os *, void *), void *argument)
{
    struct process *process = process_of(os);
    struct process *before = process->guardian;
    int error = enter(process, VIRTUAL_OP_GUARD);
    if (!error) {
        struct process *guardian = process_new(process->world, VIRTUAL_GUARDIAN, main, argument);
        inherit(guardian, process);
        process->guardian = guardian;
    }
    entry_operation(process, VIRTUAL_OP_GUARD, NULL, -1, 0, -error);
    leave(process, VIRTUAL_OP_GUARD);
    if (!error && before)
        replace(process, before);
    return error;
}

static void os_tell_peer(struct qz_os *os, int byte)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_TELL_PEER);
    struct process *peer = peer_of(process);
    if (peer)
        process_post(peer, &(struct qz_event){.kind = QZ_EVENT_MESSAGE, .value = byte});
    entry_operation(process, VIRTUAL_OP_TELL_PEER, NULL, -1, byte, 0);
    leave(process, VIRTUAL_OP_TELL_PEER);
}

/* The caller goes on with its own memory; who was started by is a new process, and comes to itself later. */
static int os_detach(struct qz_os *os, qz_rest rest, void *argument)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_DETACH);
    if (process->guardian || process->background)
        violate(process, "a detach with a guardian, or a second one");
    if (!error) {
        struct process *starter = process_new(process->world, VIRTUAL_AGENT, NULL, argument);
        starter->rest = rest;
        starter->background_of = process;
        process->background = true;
        process->starter = starter;
        process->world->agent = process;
    }
    entry_operation(process, VIRTUAL_OP_DETACH, NULL, -1, 0, -error);
    leave(process, VIRTUAL_OP_DETACH);
    return error;
}

static bool os_release(struct qz_os *os, int byte)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_RELEASE);
    struct process *starter = process->starter;
    bool told = starter && starter->state != PROCESS_OVER;
    if (told) {
        process_post(starter, &(struct qz_event){.kind = QZ_EVENT_MESSAGE, .value = byte});
        process_post(starter, &(struct qz_event){.kind = QZ_EVENT_PEER_LOST});
    }
    process->starter = NULL;
    entry_operation(process, VIRTUAL_OP_RELEASE, NULL, -1, byte, told);
    leave(process, VIRTUAL_OP_RELEASE);
    return told;
}

static void os_guardian(struct qz_os *os, struct qz_process *out)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_GUARDIAN);
    *out = process->guardian ? process->guardian->id : (struct qz_process){0};
    entry_operation(process, VIRTUAL_OP_GUARDIAN, NULL, -1, 0, out->pid);
    leave(process, VIRTUAL_OP_GUARDIAN);
}

static bool os_peer_gone(struct qz_os *os)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_PEER_GONE);
    const struct process *peer = peer_of(process);
    bool gone = !peer || (peer->state == PROCESS_OVER && peer->operations == 0);
    entry_operation(process, VIRTUAL_OP_PEER_GONE, NULL, -1, 0, gone);
    leave(process, VIRTUAL_OP_PEER_GONE);
    return gone;
}

const struct qz_os_ops virtual_ops = {
    .now_us = os_now_us,
    .wall_us = os_wall_us,
    .wait = os_wait,
    .is_root = os_is_root,
    .random_bytes = os_random_bytes,
    .self = os_self,
    .process_alive = os_process_alive,
    .process_gone = os_process_gone,
    .process_signal = os_process_signal,
    .boot_id = os_boot_id,
    .inspect = os_inspect,
    .read_file = os_read_file,
    .close_file = os_close_file,
    .write_file = os_write_file,
    .make_directory = os_make_directory,
    .remove = os_remove,
    .lock = os_lock,
    .journal_write = os_journal_write,
    .journal_read = os_journal_read,
    .state_directory = os_state_directory,
    .child_start = os_child_start,
    .child_await = os_child_await,
    .child_release = os_child_release,
    .tree_signal = os_tree_signal,
    .tree_alive = os_tree_alive,
    .list_mounts = os_list_mounts,
    .volume_open = os_volume_open,
    .volume_recover = os_volume_recover,
    .volumes_arm = os_volumes_arm,
    .volume_start = os_volume_start,
    .volume_mounted = os_volume_mounted,
    .volumes_close = os_volumes_close,
    .share = os_share,
    .guard = os_guard,
    .dismiss = os_dismiss,
    .tell_peer = os_tell_peer,
    .guardian = os_guardian,
    .peer_gone = os_peer_gone,
    .detach = os_detach,
    .release = os_release,
    .setting_get = os_setting_get,
    .setting_set = os_setting_set,
    .rcu_spared = os_rcu_spared,
    .dirty_bytes = os_dirty_bytes,
    .volumes_written = os_volumes_written,
    .print = os_print,
    .is_terminal = os_is_terminal,
};
