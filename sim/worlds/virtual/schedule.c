#include "machine.h"

int64_t time_add(int64_t a_us, int64_t b_us)
{
    return a_us > QZ_NEVER - b_us ? QZ_NEVER : a_us + b_us;
}

static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

uint64_t timer_set(struct virtual_world *world, int64_t at_us, void (*fire)(struct virtual_world *, void *, uint64_t),
                   void *object)
{
    uint64_t order = ++world->timer_order;
    if (at_us == QZ_NEVER)
        return order;
    if (world->timer_count == world->timer_capacity) {
        size_t capacity = world->timer_capacity ? world->timer_capacity * 2 : 32;
        world->timers =
            arena_grow(&world->arena, world->timers, world->timer_count, capacity, sizeof *world->timers);
        world->timer_capacity = capacity;
    }
    struct timer timer = {at_us, order, fire, object};
    size_t at = world->timer_count++;
    for (; at > 0 && earlier(&timer, &world->timers[(at - 1) / 2]); at = (at - 1) / 2)
        world->timers[at] = world->timers[(at - 1) / 2];
    world->timers[at] = timer;
    return order;
}

static struct timer take_first(struct virtual_world *world)
{
    struct timer first = world->timers[0];
    struct timer last = world->timers[--world->timer_count];
    size_t at = 0;
    for (size_t below = 1; below < world->timer_count; below = 2 * at + 1) {
        if (below + 1 < world->timer_count && earlier(&world->timers[below + 1], &world->timers[below]))
            below++;
        if (!earlier(&world->timers[below], &last))
            break;
        world->timers[at] = world->timers[below];
        at = below;
    }
    world->timers[at] = last;
    return first;
}

/* Returns whether anything was due. */
static bool fire_due(struct virtual_world *world)
{
    bool fired = world->timer_count > 0 && world->timers[0].at_us <= world->now_us;
    while (world->timer_count > 0 && world->timers[0].at_us <= world->now_us) {
        struct timer timer = take_first(world);
        timer.fire(world, timer.object, timer.order);
    }
    return fired;
}

void schedule_pass(struct virtual_world *world, int64_t until_us)
{
    while (world->timer_count > 0 && world->timers[0].at_us <= until_us) {
        if (world->timers[0].at_us > world->now_us)
            world->now_us = world->timers[0].at_us;
        fire_due(world);
    }
    world->now_us = until_us;
}

/* Who can go on: the first after the one that ran last, so that none can keep the others from their turn. */
static struct process *whose_turn(const struct virtual_world *world)
{
    struct process *first = world->current ? world->current->next : world->processes;
    for (struct process *process = first; process; process = process->next) {
        if (process_can_go_on(process))
            return process;
    }
    for (struct process *process = world->processes; process != first; process = process->next) {
        if (process_can_go_on(process))
            return process;
    }
    return NULL;
}

/* The next moment at which something can happen, or QZ_NEVER. `*alive`: is any process not over? */
static int64_t next_moment(const struct virtual_world *world, bool *alive)
{
    int64_t next_us = world->timer_count > 0 ? world->timers[0].at_us : QZ_NEVER;
    *alive = false;
    for (const struct process *process = world->processes; process; process = process->next) {
        if (process->state == PROCESS_OVER)
            continue;
        *alive = true;
        int64_t deadline_us = process_deadline_us(process);
        if (deadline_us < next_us)
            next_us = deadline_us;
    }
    return next_us;
}

/* Has everybody ended whom the run waits for, while an agent in the background goes on? */
static bool is_left_alone(const struct virtual_world *world)
{
    bool background = false;
    for (const struct process *process = world->processes; process && world->leaves_background; process = process->next) {
        if (process->state != PROCESS_OVER && !process->background)
            return false;
        background |= process->state != PROCESS_OVER && process->role == VIRTUAL_AGENT;
    }
    return background;
}

/* Until somebody is handed over to, memory is nobody's: what observers allocate outlives the process that yielded. */
struct process *schedule_next(struct virtual_world *world)
{
    memory_set_owner(NULL, NULL);
    while (!world->hangs) {
        do {
            if (world->observe)
                world->observe(world->observer);
        } while (fire_due(world)); /* what that came to is looked at before time goes on */
        bool alone = is_left_alone(world);
        if (alone && world->now_us >= world->alone_until_us)
            return NULL;
        struct process *next = whose_turn(world);
        if (next)
            return next;
        bool alive;
        int64_t next_us = next_moment(world, &alive);
        if (next_us == QZ_NEVER || (!alive && world->settling == 0))
            return NULL;
        if (alone && next_us > world->alone_until_us)
            next_us = world->alone_until_us;
        if (next_us > world->now_us)
            world->now_us = next_us;
    }
    return NULL;
}

/* Makes `next` the running one (NULL: the outside) and returns its fiber. */
static struct fiber *hand_over(struct virtual_world *world, struct process *next)
{
    world->current = next;
    memory_set_owner(next ? &next->killed : NULL, next ? &next->memory : NULL);
    return next ? next->fiber : fiber_main();
}

void schedule_yield(struct process *process)
{
    struct process *next = schedule_next(process->world);
    struct fiber *fiber = hand_over(process->world, next);
    if (next != process)
        fiber_switch(fiber);
}

void schedule_leave(struct process *process)
{
    fiber_finish(hand_over(process->world, schedule_next(process->world)));
}

void schedule_run(struct virtual_world *world)
{
    struct process *next = schedule_next(world);
    if (next)
        fiber_switch(hand_over(world, next));
}
