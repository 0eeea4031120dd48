#include "machine.h"

#include <stdio.h>
#include <stdlib.h>

enum fault_kind { FAULT_FAIL, FAULT_DELAY, FAULT_KILL, FAULT_KILL_BOTH, FAULT_STOP };

struct fault {
    struct fault *next;
    enum fault_kind kind;
    enum virtual_role role;
    int ordinal; /* of the process; 0: any */
    enum virtual_op op;
    unsigned nth;
    enum virtual_moment moment;
    int error;
    int64_t duration_us;
    bool used_up;
};

static const bool can_fail[VIRTUAL_OP_ANY] = {
#define VIRTUAL_OPERATION(symbol, text, can_fail) can_fail,
#define VIRTUAL_HAPPENING(symbol, text) false,
#include "operations.def"
#undef VIRTUAL_OPERATION
#undef VIRTUAL_HAPPENING
};

/* Adds a fault behind those that are there. */
static void fault_add(struct virtual_world *world, const struct fault *fault)
{
    struct fault **end = &world->faults;
    while (*end)
        end = &(*end)->next;
    *end = arena_take(&world->arena, sizeof *fault);
    **end = *fault;
    (*end)->ordinal = world->aim;
}

void virtual_starve(struct virtual_world *world, enum virtual_role role, int ordinal, unsigned nth)
{
    world->starved_role = role;
    world->starved_ordinal = ordinal;
    world->starved_nth = nth;
}

void virtual_aim(struct virtual_world *world, int ordinal)
{
    world->aim = ordinal;
}

void virtual_forget_faults(struct virtual_world *world)
{
    world->faults = NULL;
}

bool virtual_has_struck(const struct virtual_world *world, size_t index)
{
    const struct fault *fault = world->faults;
    for (; fault && index > 0; index--)
        fault = fault->next;
    return fault && fault->used_up;
}

void virtual_fail(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth, int error)
{
    if (op == VIRTUAL_OP_ANY || !can_fail[op]) {
        fprintf(stderr, "virtual_fail: %s cannot fail\n", virtual_op_name(op));
        abort();
    }
    fault_add(world, &(struct fault){.kind = FAULT_FAIL, .role = role, .op = op, .nth = nth, .error = error});
}

void virtual_delay(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                   int64_t delay_us)
{
    fault_add(world,
              &(struct fault){.kind = FAULT_DELAY, .role = role, .op = op, .nth = nth, .duration_us = delay_us});
}

void virtual_kill_on(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                     enum virtual_moment moment)
{
    fault_add(world, &(struct fault){.kind = FAULT_KILL, .role = role, .op = op, .nth = nth, .moment = moment});
}

void virtual_kill_both_on(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                          enum virtual_moment moment)
{
    fault_add(world, &(struct fault){.kind = FAULT_KILL_BOTH, .role = role, .op = op, .nth = nth, .moment = moment});
}

void virtual_stop_on(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                     enum virtual_moment moment, int64_t for_us)
{
    fault_add(world, &(struct fault){.kind = FAULT_STOP,
                                     .role = role,
                                     .op = op,
                                     .nth = nth,
                                     .moment = moment,
                                     .duration_us = for_us});
}

static bool strikes(const struct fault *fault, const struct process *process, enum virtual_op op,
                    enum virtual_moment moment)
{
    if (fault->used_up || fault->role != process->role || fault->moment != moment)
        return false;
    if (fault->ordinal && fault->ordinal != process->ordinal)
        return false;
    if (fault->op != op && fault->op != VIRTUAL_OP_ANY)
        return false;
    return fault->nth == VIRTUAL_EVERY || fault->nth == process->calls[fault->op];
}

static void delay(struct process *process, int64_t duration_us)
{
    entry_add(process->world, process, VIRTUAL_DID_DELAYED)->value = duration_us;
    process->state = PROCESS_DELAYED;
    process->deadline_us = time_add(process->world->now_us, duration_us);
    schedule_yield(process);
    process->state = PROCESS_READY;
}

static void kill_other(const struct process *process)
{
    enum virtual_role role = process->role == VIRTUAL_AGENT ? VIRTUAL_GUARDIAN : VIRTUAL_AGENT;
    struct process *other = process_of_role(process->world, role);
    if (other && other->state != PROCESS_OVER)
        process_kill(other);
}

/* Returns the errno with which the operation is to fail, or 0. */
static int strike(struct process *process, enum virtual_op op, enum virtual_moment moment)
{
    int error = 0;
    for (struct fault *fault = process->world->faults; fault; fault = fault->next) {
        if (!strikes(fault, process, op, moment))
            continue;
        fault->used_up = fault->nth != VIRTUAL_EVERY;
        switch (fault->kind) {
        case FAULT_FAIL:
            error = fault->error;
            break;
        case FAULT_DELAY:
            delay(process, fault->duration_us);
            break;
        case FAULT_KILL_BOTH:
            kill_other(process);
            process_kill(process);
            schedule_yield(process);
            break;
        case FAULT_KILL:
            process_kill(process);
            schedule_yield(process);
            break;
        case FAULT_STOP:
            process_stop(process, fault->duration_us);
            schedule_yield(process);
            break;
        }
    }
    return error;
}

int enter(struct process *process, enum virtual_op op)
{
    struct virtual_world *world = process->world;
    if (++world->steps > world->step_limit) {
        world->hangs = true;
        schedule_yield(process);
    }
    process->calls[op]++;
    process->calls[VIRTUAL_OP_ANY]++;
    process->memory.spared = true;
    return world->faults ? strike(process, op, VIRTUAL_BEFORE) : 0;
}

void leave(struct process *process, enum virtual_op op)
{
    if (process->world->faults)
        strike(process, op, VIRTUAL_AFTER);
    process->memory.spared = false;
}

static void kill_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    const struct fault *fault = object;
    struct process *process = process_of_role(world, fault->role);
    if (process && process->state != PROCESS_OVER)
        process_kill(process);
}

static void stop_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    const struct fault *fault = object;
    struct process *process = process_of_role(world, fault->role);
    if (process && process->state != PROCESS_OVER)
        process_stop(process, fault->duration_us);
}

static void signal_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    const struct fault *fault = object;
    struct process *process = process_of_role(world, fault->role);
    if (process && process->state != PROCESS_OVER)
        process_signal(process, fault->error);
}

static void continue_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    const struct fault *fault = object;
    struct process *process = process_of_role(world, fault->role);
    if (process)
        process_continue(process);
}

static void at(struct virtual_world *world, int64_t at_us,
               void (*fire)(struct virtual_world *, void *, uint64_t), const struct fault *fault)
{
    struct fault *copy = arena_take(&world->arena, sizeof *copy);
    *copy = *fault;
    timer_set(world, at_us, fire, copy);
}

void virtual_kill_at(struct virtual_world *world, enum virtual_role role, int64_t at_us)
{
    at(world, at_us, kill_now, &(struct fault){.role = role});
}

void virtual_stop_at(struct virtual_world *world, enum virtual_role role, int64_t at_us, int64_t for_us)
{
    at(world, at_us, stop_now, &(struct fault){.role = role, .duration_us = for_us});
}

void virtual_continue_at(struct virtual_world *world, enum virtual_role role, int64_t at_us)
{
    at(world, at_us, continue_now, &(struct fault){.role = role});
}

void virtual_signal_at(struct virtual_world *world, enum virtual_role role, int signal_number, int64_t at_us)
{
    at(world, at_us, signal_now, &(struct fault){.role = role, .error = signal_number});
}
