#include "machine.h"

#include <errno.h>

/* SYNC, FREEZE or THAW of one superblock by one process. It outlives that process: the kernel finishes what it
 * began. */
struct operation {
    struct operation *next; /* among those that wait for the same thing */
    struct process *process;
    unsigned generation;
    int slot;
    struct superblock *superblock;
    enum qz_volume_op op;
    bool again; /* the process has flushed it before */
    int64_t begin_us;
    int error;
    struct qz_volume_done *done; /* NULL: nobody wants to know */
    const struct volume_fault *hangs; /* a freeze: inside the kernel, as this says; NULL: it does not */
};

static void operation_ends(struct virtual_world *world, void *object, uint64_t order);
static void begin(struct operation *operation);
static void end_in(struct operation *operation, int64_t duration_us);

void virtual_set_volume(struct virtual_world *world, dev_t dev, const struct virtual_volume *behaviour)
{
    struct superblock *superblock = superblock_get(world, dev);
    superblock->behaviour = *behaviour;
    superblock->freezes_failed = 0;
    superblock->thaws_failed = 0;
}

void virtual_fault_volume(struct virtual_world *world, dev_t dev, enum qz_volume_op op, unsigned nth, int error,
                          int64_t delay_us)
{
    struct superblock *superblock = superblock_get(world, dev);
    struct volume_fault *fault = arena_take(&world->arena, sizeof *fault);
    *fault = (struct volume_fault){superblock->faults, op, nth, error, delay_us, HANG_BEFORE};
    superblock->faults = fault;
}

void virtual_hang_freeze(struct virtual_world *world, dev_t dev, unsigned nth, int error, int64_t delay_us, bool passes)
{
    virtual_fault_volume(world, dev, QZ_VOLUME_FREEZE, nth, error, delay_us);
    superblock_get(world, dev)->faults->hang = passes ? HANG_PASSED : HANG_INSIDE;
}

void virtual_release_volume(struct virtual_world *world, dev_t dev)
{
    struct superblock *superblock = superblock_get(world, dev);
    struct operation *held = superblock->held;
    superblock->held = NULL;
    while (held) {
        struct operation *operation = held;
        held = held->next;
        operation->next = NULL;
        if (operation->hangs)
            end_in(operation, 0);
        else
            begin(operation);
    }
}

/* ---- Frozen and thawed ------------------------------------------------------------------------------------------- */

static void superblock_freeze(struct virtual_world *world, struct superblock *superblock, const struct process *by)
{
    superblock->frozen = true;
    superblock->frozen_by = by ? by->role : VIRTUAL_WORLD;
    superblock->frozen_at_us = world->now_us;
    entry_add(world, by, VIRTUAL_DID_FROZEN)->value = (int64_t)superblock->dev;
}

static int64_t frozen_for_us(const struct virtual_world *world, const struct superblock *superblock)
{
    bool ours = superblock->frozen && superblock->frozen_by != VIRTUAL_WORLD;
    return ours ? world->now_us - superblock->frozen_at_us : 0;
}

static void note_thaw(struct virtual_world *world, struct superblock *superblock, const struct process *by)
{
    int64_t frozen_us = frozen_for_us(world, superblock);
    if (frozen_us > superblock->longest_us)
        superblock->longest_us = frozen_us;
    superblock->frozen = false;
    entry_add(world, by, VIRTUAL_DID_THAWED)->value = (int64_t)superblock->dev;
}

static void release_parked(struct virtual_world *world)
{
    struct operation *parked = world->parked;
    world->parked = NULL;
    while (parked) {
        struct operation *operation = parked;
        parked = parked->next;
        world->settling++;
        timer_set(world, world->now_us, operation_ends, operation);
    }
}

static void thaw_by(struct virtual_world *world, struct superblock *superblock, const struct process *by)
{
    note_thaw(world, superblock, by);
    release_parked(world);
    child_thawed(world, superblock);
}

void superblock_reset(struct superblock *superblock)
{
    superblock->frozen = false;
    superblock->holder = NULL;
    superblock->waiting = NULL;
    superblock->waiting_end = &superblock->waiting;
}

static bool lies_on_frozen(const struct virtual_world *world, const struct superblock *superblock)
{
    for (size_t i = 0; i < superblock->below_count; i++) {
        const struct superblock *below = superblock_find(world, superblock->below[i]);
        if (below && (below->frozen || lies_on_frozen(world, below)))
            return true;
    }
    return false;
}

/* ---- The way of an operation ------------------------------------------------------------------------------------- */

/* Lets it end after `duration_us`; for ever: never. */
static void end_in(struct operation *operation, int64_t duration_us)
{
    struct virtual_world *world = operation->process->world;
    int64_t at_us = time_add(world->now_us, duration_us);
    if (at_us == QZ_NEVER)
        return;
    world->settling++;
    timer_set(world, at_us, operation_ends, operation);
}

/* Has this call its share of the errors that were asked for? Then the errno. */
static int share_of_errors(int error, int errors, int *failed)
{
    if (!error || (errors > 0 && *failed >= errors))
        return 0;
    (*failed)++;
    return error;
}

/* Until it is released, or for so long. */
static void hang(struct operation *operation)
{
    struct superblock *superblock = operation->superblock;
    operation->error = operation->hangs->error;
    if (operation->hangs->delay_us == QZ_NEVER) {
        operation->next = superblock->held;
        superblock->held = operation;
    } else {
        end_in(operation, operation->hangs->delay_us);
    }
}

static void begin_freeze(struct operation *operation)
{
    struct superblock *superblock = operation->superblock;
    const struct virtual_volume *behaviour = &superblock->behaviour;
    int64_t now_us = operation->process->world->now_us;
    if (superblock->frozen) {
        operation->error = EBUSY;
        end_in(operation, 0);
    } else if (operation->hangs) {
        hang(operation);
    } else if (behaviour->stuck_until_us > now_us) {
        end_in(operation, behaviour->stuck_until_us == QZ_NEVER ? QZ_NEVER : behaviour->stuck_until_us - now_us);
    } else {
        operation->error =
            share_of_errors(behaviour->freeze_error, behaviour->freeze_errors, &superblock->freezes_failed);
        end_in(operation, behaviour->freeze_us);
    }
}

static void begin_thaw(struct operation *operation)
{
    struct superblock *superblock = operation->superblock;
    const struct virtual_volume *behaviour = &superblock->behaviour;
    if (!superblock->frozen) {
        operation->error = EINVAL;
        end_in(operation, 0);
    } else {
        operation->error = share_of_errors(behaviour->thaw_error, behaviour->thaw_errors, &superblock->thaws_failed);
        end_in(operation, behaviour->thaw_us);
    }
}

/* Freezes and thaws of a superblock take turns. */
static void take_turn(struct operation *operation)
{
    operation->superblock->holder = operation;
    if (operation->op == QZ_VOLUME_FREEZE)
        begin_freeze(operation);
    else
        begin_thaw(operation);
}

/* Does a freeze that is under way let thaws pass? */
static bool is_passed(const struct superblock *superblock)
{
    const struct operation *holder = superblock->holder;
    if (!holder || holder->op != QZ_VOLUME_FREEZE)
        return false;
    return superblock->behaviour.thaw_passes || (holder->hangs && holder->hangs->hang == HANG_PASSED);
}

static void begin(struct operation *operation)
{
    struct superblock *superblock = operation->superblock;
    const struct virtual_volume *behaviour = &superblock->behaviour;
    if (operation->error) {
        end_in(operation, 0);
    } else if (operation->op == QZ_VOLUME_SYNC) {
        operation->error = behaviour->sync_error;
        end_in(operation, superblock->frozen ? 0 : operation->again ? behaviour->sync_again_us : behaviour->sync_us);
    } else if (operation->op == QZ_VOLUME_THAW && is_passed(superblock)) {
        operation->error = EINVAL;
        end_in(operation, 0);
    } else if (superblock->holder) {
        *superblock->waiting_end = operation;
        superblock->waiting_end = &operation->next;
    } else {
        take_turn(operation);
    }
}

static void delay_is_over(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    world->settling--;
    begin(object);
}

/* Begins, unless a fault says otherwise. */
static void begin_with_faults(struct operation *operation)
{
    struct superblock *superblock = operation->superblock;
    struct virtual_world *world = operation->process->world;
    unsigned call = ++superblock->calls[operation->op];
    const struct volume_fault *fault = superblock->faults;
    while (fault && (fault->op != operation->op || (fault->nth != VIRTUAL_EVERY && fault->nth != call)))
        fault = fault->next;
    if (fault && fault->hang != HANG_BEFORE) {
        operation->hangs = fault;
        begin(operation);
        return;
    }
    if (fault && fault->error)
        operation->error = fault->error;
    if (!fault || fault->delay_us == 0) {
        begin(operation);
    } else if (fault->delay_us == QZ_NEVER) {
        operation->next = superblock->held;
        superblock->held = operation;
    } else {
        world->settling++;
        timer_set(world, time_add(world->now_us, fault->delay_us), delay_is_over, operation);
    }
}

static void take_effect(struct operation *operation)
{
    struct virtual_world *world = operation->process->world;
    struct superblock *superblock = operation->superblock;
    /* Somebody else may have been faster. */
    if (operation->op == QZ_VOLUME_FREEZE && superblock->frozen)
        operation->error = EBUSY;
    else if (operation->op == QZ_VOLUME_FREEZE)
        superblock_freeze(world, superblock, operation->process);
    else if (operation->op == QZ_VOLUME_THAW && !superblock->frozen)
        operation->error = EINVAL;
    else if (operation->op == QZ_VOLUME_THAW)
        thaw_by(world, superblock, operation->process);
}

static void give_turn(struct superblock *superblock)
{
    struct operation *next = superblock->waiting;
    superblock->holder = NULL;
    if (!next)
        return;
    superblock->waiting = next->next;
    if (!superblock->waiting)
        superblock->waiting_end = &superblock->waiting;
    next->next = NULL;
    take_turn(next);
}

static void write_done(struct qz_volume_done *to, const struct qz_volume_done *done)
{
    to->error = done->error;
    to->begin_us = done->begin_us;
    to->end_us = done->end_us;
    to->ended = true;
}

void volumes_continue(struct process *process)
{
    for (size_t slot = 0; slot < process->slot_count; slot++) {
        if (process->slots[slot].unwritten)
            write_done(process->slots[slot].unwritten, &process->slots[slot].done);
        process->slots[slot].unwritten = NULL;
    }
}

/* The thread that did it writes down what came of it, if it is not stopped. */
static void tell_done(const struct operation *operation, const struct qz_event *event)
{
    struct process *process = operation->process;
    struct slot *slot = &process->slots[operation->slot];
    struct qz_volume_done done = {.error = event->error, .begin_us = event->begin_us, .end_us = event->end_us};
    if (process->stopped) {
        slot->unwritten = operation->done;
        slot->done = done;
    } else if (operation->done) {
        write_done(operation->done, &done);
    }
}

static void report(struct operation *operation)
{
    struct process *process = operation->process;
    struct virtual_entry *entry = entry_add(process->world, process, VIRTUAL_DID_OPERATION_ENDS);
    entry->slot = operation->slot;
    entry->value = operation->op;
    entry->result = -operation->error;
    process->operations--;
    if (process->state == PROCESS_OVER || process->generation != operation->generation)
        return;
    struct qz_event event = {.kind = QZ_EVENT_VOLUME,
                             .slot = operation->slot,
                             .op = operation->op,
                             .error = operation->error,
                             .begin_us = operation->begin_us + VIRTUAL_START_US,
                             .end_us = process->world->now_us + VIRTUAL_START_US};
    process->slots[operation->slot].busy = false;
    tell_done(operation, &event);
    process_post(process, &event);
}

static void operation_ends(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    struct operation *operation = object;
    world->settling--;
    if (!operation->error && lies_on_frozen(world, operation->superblock)) {
        operation->next = world->parked;
        world->parked = operation;
        return;
    }
    operation->next = NULL;
    if (!operation->error)
        take_effect(operation);
    report(operation);
    if (operation->superblock->holder == operation)
        give_turn(operation->superblock);
}

void os_volume_start(struct qz_os *os, int slot, enum qz_volume_op op, struct qz_volume_done *done)
{
    struct process *process = process_of(os);
    struct virtual_world *world = process->world;
    int error = enter(process, VIRTUAL_OP_VOLUME_START);
    struct slot *place = slot >= 0 && (size_t)slot < process->slot_count ? &process->slots[slot] : NULL;
    struct virtual_entry *entry = entry_add(world, process, VIRTUAL_OP_VOLUME_START);
    entry->slot = slot;
    entry->value = op;
    bool called_off = op == QZ_VOLUME_THAW && done && done->called_off;
    if (op == QZ_VOLUME_FREEZE && !os->hush)
        violate(process, "volume_start: a freeze while qz_say is not hushed");
    if (!place || !place->superblock) {
        violate(process, "volume_start: the volume is not open");
    } else if ((size_t)slot >= process->armed) {
        violate(process, "volume_start: the volume is not armed");
    } else if (place->busy) {
        violate(process, "volume_start: an operation on the volume is under way");
    } else {
        struct operation *operation = arena_take(&world->arena, sizeof *operation);
        *operation = (struct operation){.process = process,
                                        .generation = process->generation,
                                        .slot = slot,
                                        .superblock = place->superblock,
                                        .op = op,
                                        .done = done,
                                        .again = op == QZ_VOLUME_SYNC && place->flushed,
                                        .begin_us = world->now_us,
                                        .error = called_off ? ECANCELED : error};
        place->busy = true;
        place->flushed = place->flushed || op == QZ_VOLUME_SYNC;
        process->operations++;
        begin_with_faults(operation);
    }
    leave(process, VIRTUAL_OP_VOLUME_START);
}

/* ---- Others ------------------------------------------------------------------------------------------------------ */

static void foreign_freeze_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    struct superblock *superblock = object;
    if (!superblock->frozen)
        superblock_freeze(world, superblock, NULL);
}

static void foreign_thaw_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    struct superblock *superblock = object;
    if (superblock->frozen)
        thaw_by(world, superblock, NULL);
}

void virtual_foreign_freeze(struct virtual_world *world, dev_t dev, int64_t at_us)
{
    timer_set(world, at_us, foreign_freeze_now, superblock_get(world, dev));
}

void virtual_foreign_thaw(struct virtual_world *world, dev_t dev, int64_t at_us)
{
    timer_set(world, at_us, foreign_thaw_now, superblock_get(world, dev));
}

bool virtual_is_frozen(const struct virtual_world *world, dev_t dev)
{
    const struct superblock *superblock = superblock_find(world, dev);
    return superblock && superblock->frozen;
}

size_t virtual_frozen_count(const struct virtual_world *world)
{
    size_t count = 0;
    for (const struct superblock *superblock = world->superblocks; superblock; superblock = superblock->next)
        count += superblock->frozen;
    return count;
}

enum virtual_role virtual_frozen_by(const struct virtual_world *world, dev_t dev)
{
    const struct superblock *superblock = superblock_find(world, dev);
    return superblock ? superblock->frozen_by : VIRTUAL_WORLD;
}

int64_t virtual_longest_frozen_us(const struct virtual_world *world, dev_t dev)
{
    const struct superblock *superblock = superblock_find(world, dev);
    if (!superblock)
        return 0;
    int64_t now_us = frozen_for_us(world, superblock);
    return now_us > superblock->longest_us ? now_us : superblock->longest_us;
}
