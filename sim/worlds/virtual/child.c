#include "machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* How long the kernel takes to end a process that was killed: what polls for an end right after a signal must wait. */
#define DEATH_US 100

#define NOT_EXECUTED 127 /* the exit status of one whose execve fails */

static const struct virtual_attempt default_attempt = {.run_us = 1000};

static struct script *script_of(const struct virtual_world *world, const char *path)
{
    struct script *script = world->scripts;
    while (script && strcmp(script->path, path) != 0)
        script = script->next;
    return script;
}

void virtual_set_script(struct virtual_world *world, const char *path, const struct virtual_attempt *attempts,
                        size_t count)
{
    struct virtual_attempt *copies =
        arena_grow(&world->arena, attempts, count, count, sizeof *attempts);
    for (size_t i = 0; i < count; i++) {
        copies[i].out = copies[i].out ? arena_string(&world->arena, copies[i].out) : NULL;
        copies[i].err = copies[i].err ? arena_string(&world->arena, copies[i].err) : NULL;
        copies[i].writes = copies[i].writes ? arena_string(&world->arena, copies[i].writes) : NULL;
    }
    struct script *script = script_of(world, path);
    if (!script) {
        script = arena_take(&world->arena, sizeof *script);
        script->path = arena_string(&world->arena, path);
        script->next = world->scripts;
        world->scripts = script;
    }
    script->attempts = copies;
    script->count = count;
    script->started = 0;
}

/* ---- Output ------------------------------------------------------------------------------------------------------ */

/* Puts `size` bytes, `text` again and again, at the end of a tail, whose byte number n stands at n modulo its size. */
static void tail_write(struct qz_tail *tail, const char *text, size_t size)
{
    size_t length = text ? strlen(text) : 0;
    if (length == 0)
        return;
    if (size == 0)
        size = length;
    size_t skipped = size > QZ_TAIL_SIZE ? size - QZ_TAIL_SIZE : 0;
    for (size_t i = skipped; i < size; i++)
        tail->bytes[(tail->total + i) % QZ_TAIL_SIZE] = text[i % length];
    tail->total += size;
}

void child_drain(struct process *process)
{
    struct tree **at = &process->world->undrained;
    while (*at) {
        struct tree *tree = *at;
        if (tree->owner != process || tree->blocked_on) {
            at = &tree->undrained;
            continue;
        }
        if (tree->out)
            tail_write(tree->out, tree->attempt->out, tree->attempt->out_size);
        if (tree->err)
            tail_write(tree->err, tree->attempt->err, tree->attempt->err_size);
        *at = tree->undrained;
    }
}

/* ---- Life and death ---------------------------------------------------------------------------------------------- */

static void child_ends(struct tree *tree, int signal_number)
{
    struct virtual_world *world = tree->owner->world;
    const struct virtual_attempt *attempt = tree->attempt;
    bool refused = tree->gated && !signal_number; /* it was never executed */
    int number = signal_number || refused ? signal_number : attempt->signal;
    int status = refused ? NOT_EXECUTED : attempt->status;
    tree->start.end_us = world->now_us;
    tree->start.end = (struct qz_child_end){.signaled = number != 0, .status = number ? number : status,
                                            .error = refused ? attempt->late_error : 0};
    struct virtual_entry *entry = entry_add(world, NULL, VIRTUAL_DID_CHILD_ENDS);
    entry->slot = tree->start.slot;
    entry->text = tree->start.path;
    entry->detail = number ? -number : status;
    process_post(tree->owner,
                 &(struct qz_event){.kind = QZ_EVENT_CHILD, .slot = tree->start.slot, .end = tree->start.end});
}

static void member_ends(struct virtual_world *world, void *object, uint64_t order)
{
    struct member *member = object;
    struct tree *tree = member->tree;
    bool waits = member == tree->members && tree->blocked_on;
    if (!member->alive || member->timer != order || waits)
        return;
    member->alive = false;
    tree->alive--;
    if (member == tree->members) {
        child_ends(tree, member->ending_signal);
        return;
    }
    struct virtual_entry *entry = entry_add(world, NULL, VIRTUAL_DID_MEMBER_ENDS);
    entry->slot = tree->start.slot;
    entry->text = tree->start.path;
    entry->detail = -member->ending_signal;
}

static void end_at(struct member *member, int64_t at_us, int signal_number)
{
    member->ends_us = at_us;
    member->ending_signal = signal_number;
    member->timer = timer_set(member->tree->owner->world, at_us, member_ends, member);
}

static void member_signal(struct member *member, int signal_number)
{
    bool harmless = signal_number == 0 || signal_number == SIGSTOP || signal_number == SIGCONT;
    struct tree *tree = member->tree;
    if (!member->alive || harmless || (member->ignores_term && signal_number != SIGKILL && !tree->gated))
        return;
    int64_t now_us = tree->owner->world->now_us;
    int64_t at_us = time_add(now_us, DEATH_US);
    bool first = member == tree->members;
    int64_t unkillable_us = first ? tree->attempt->unkillable_us : tree->attempt->leftovers_unkillable_us;
    int64_t killable_us = time_add(tree->start.at_us, unkillable_us);
    if (killable_us > at_us && !tree->gated)
        at_us = killable_us;
    if (at_us < member->ends_us || member->ends_us == QZ_NEVER)
        end_at(member, at_us, signal_number);
}

/* What stood still goes on: a deadly signal that came meanwhile strikes now, else it runs its time. */
void child_thawed(struct virtual_world *world, const struct superblock *superblock)
{
    for (size_t i = 0; i < world->tree_count; i++) {
        struct tree *tree = world->trees[i];
        if (tree->blocked_on != superblock)
            continue;
        tree->blocked_on = NULL;
        struct member *first = tree->members;
        if (first->ending_signal)
            end_at(first, time_add(world->now_us, DEATH_US), first->ending_signal);
        else
            end_at(first, time_add(world->now_us, tree->attempt->run_us), 0);
    }
}

void child_owner_over(const struct process *process)
{
    struct virtual_world *world = process->world;
    for (size_t slot = 0; slot < world->tree_slots; slot++) {
        struct tree *tree = world->tree_of_slot[slot];
        if (tree && tree->gated && tree->owner == process && tree->alive)
            end_at(tree->members, time_add(world->now_us, DEATH_US), SIGKILL);
    }
}

/* ---- Starting ---------------------------------------------------------------------------------------------------- */

static char *const *copy_words(struct arena *arena, char *const *words)
{
    size_t count = 0;
    while (words && words[count])
        count++;
    char **copy = arena_take(arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_string(arena, words[i]);
    return copy;
}

static void bear_members(struct tree *tree)
{
    struct virtual_world *world = tree->owner->world;
    const struct virtual_attempt *attempt = tree->attempt;
    tree->member_count = 1 + (size_t)attempt->leftovers;
    tree->members = arena_take(&world->arena, tree->member_count * sizeof *tree->members);
    tree->alive = tree->member_count;
    for (size_t i = 0; i < tree->member_count; i++) {
        struct member *member = &tree->members[i];
        member->tree = tree;
        member->alive = true;
        member->ignores_term = i == 0 ? attempt->ignores_term : attempt->leftovers_ignore_term;
        if (i == 0 && tree->blocked_on)
            member->ends_us = QZ_NEVER;
        else
            end_at(member, time_add(world->now_us, i == 0 ? attempt->run_us : attempt->leftover_us), 0);
    }
}

/* The slot's last tree, or a place for one. */
static struct tree **place_of(struct virtual_world *world, int slot)
{
    size_t wanted = (size_t)slot + 1;
    if (wanted > world->tree_slots) {
        size_t slots = wanted * 2 > 16 ? wanted * 2 : 16;
        world->tree_of_slot = arena_grow(&world->arena, world->tree_of_slot, world->tree_slots, slots,
                                         sizeof *world->tree_of_slot);
        world->tree_slots = slots;
    }
    return &world->tree_of_slot[slot];
}

/* It is executed: what it does takes its course. */
static void let_loose(struct tree *tree)
{
    struct virtual_world *world = tree->owner->world;
    const struct virtual_attempt *attempt = tree->attempt;
    tree->gated = false;
    tree->start.at_us = world->now_us;
    struct superblock *written = attempt->writes ? mounts_under(world, attempt->writes) : NULL;
    tree->blocked_on = written && written->frozen ? written : NULL;
    tree->undrained = world->undrained;
    world->undrained = tree;
    bear_members(tree);
    if (world->tree_count == world->tree_capacity) {
        world->tree_capacity = world->tree_capacity ? world->tree_capacity * 2 : 16;
        world->trees = arena_grow(&world->arena, world->trees, world->tree_count, world->tree_capacity,
                                  sizeof(struct tree *));
    }
    world->trees[world->tree_count++] = tree;
}

/* Only the child itself, which does nothing until it is released. */
static void stand_at_gate(struct tree *tree)
{
    tree->gated = true;
    tree->member_count = tree->alive = 1;
    tree->members = arena_take(&tree->owner->world->arena, sizeof *tree->members);
    *tree->members = (struct member){.tree = tree, .alive = true, .ends_us = QZ_NEVER};
}

static void bear(struct process *process, const struct qz_child_spec *spec, const struct virtual_attempt *attempt)
{
    struct virtual_world *world = process->world;
    struct tree *tree = arena_take(&world->arena, sizeof *tree);
    tree->start = (struct virtual_start){
        .path = arena_string(&world->arena, spec->path),
        .slot = spec->slot,
        .by = process->role,
        .end_us = QZ_NEVER,
        .argv = copy_words(&world->arena, spec->argv),
        .envp = copy_words(&world->arena, spec->envp),
        .clean = spec->clean,
    };
    tree->owner = process;
    tree->attempt = attempt;
    tree->out = spec->out;
    tree->err = spec->err;
    *place_of(world, spec->slot) = tree;
    if (spec->gated)
        stand_at_gate(tree);
    else
        let_loose(tree);
}

/* Why a start fails by what is to be started, or 0. */
static int refuse(struct virtual_world *world, const struct qz_child_spec *spec, const struct virtual_attempt *attempt)
{
    if (attempt && attempt->swapped)
        files_swap(world, spec->path);
    if (attempt && attempt->start_error)
        return attempt->start_error;
    if (spec->facts && !files_unchanged(world, spec->path, spec->facts))
        return ESTALE;
    if (spec->facts && !files_executable(world, spec->path))
        return EACCES;
    return !spec->facts && !attempt && !files_executable(world, spec->path) ? ENOENT : 0;
}

int os_child_start(struct qz_os *os, const struct qz_child_spec *spec)
{
    struct process *process = process_of(os);
    struct virtual_world *world = process->world;
    int error = enter(process, VIRTUAL_OP_CHILD_START);
    const struct tree *before = *place_of(world, spec->slot);
    if (before && before->members[0].alive)
        violate(process, "child_start: a child of this slot is alive");
    if (!spec->argv || !spec->envp || !spec->out || !spec->err)
        violate(process, "child_start: words, environment or tails are missing");
    struct script *script = script_of(world, spec->path);
    const struct virtual_attempt *attempt = NULL;
    if (!error && script && script->count > 0) { /* a start that fails here comes to no script */
        attempt = &script->attempts[script->started < script->count ? script->started : script->count - 1];
        script->started++;
    }
    int refusal = error ? 0 : refuse(world, spec, attempt);
    if (!spec->gated)
        error = error ? error : refusal;
    if (!error)
        bear(process, spec, attempt ? attempt : &default_attempt);
    if (!error)
        (*place_of(world, spec->slot))->refusal = refusal;
    entry_operation(process, VIRTUAL_OP_CHILD_START, spec->path, spec->slot, spec->gated, -error);
    leave(process, VIRTUAL_OP_CHILD_START);
    return error;
}

int os_child_await(struct qz_os *os, int slot)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_CHILD_AWAIT);
    struct tree *tree = *place_of(process->world, slot);
    if (!tree || !tree->gated)
        violate(process, "child_await: no child of this slot is on its way to its gate");
    else if (!error)
        error = tree->alive ? tree->refusal : ESRCH;
    if (error && tree && tree->alive) {
        tree->members[0].alive = false;
        tree->alive = 0;
    }
    entry_operation(process, VIRTUAL_OP_CHILD_AWAIT, tree ? tree->start.path : NULL, slot, 0, -error);
    leave(process, VIRTUAL_OP_CHILD_AWAIT);
    return error;
}

int os_child_release(struct qz_os *os, int slot)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_CHILD_RELEASE);
    struct tree *tree = *place_of(process->world, slot);
    if (!tree || !tree->gated)
        violate(process, "child_release: no child of this slot waits");
    else if (!error && !tree->alive)
        error = ESRCH;
    else if (!error && tree->attempt->late_error)
        end_at(tree->members, time_add(process->world->now_us, DEATH_US), 0);
    else if (!error)
        let_loose(tree);
    entry_operation(process, VIRTUAL_OP_CHILD_RELEASE, tree ? tree->start.path : NULL, slot, 0, -error);
    leave(process, VIRTUAL_OP_CHILD_RELEASE);
    return error;
}

static const struct tree *tree_in(const struct virtual_world *world, int slot)
{
    return slot >= 0 && (size_t)slot < world->tree_slots ? world->tree_of_slot[slot] : NULL;
}

void os_tree_signal(struct qz_os *os, int slot, int signal_number)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_TREE_SIGNAL);
    const struct tree *tree = tree_in(process->world, slot);
    for (size_t i = 0; tree && i < tree->member_count; i++)
        member_signal(&tree->members[i], signal_number);
    entry_operation(process, VIRTUAL_OP_TREE_SIGNAL, NULL, slot, signal_number, 0);
    leave(process, VIRTUAL_OP_TREE_SIGNAL);
}

bool os_tree_alive(struct qz_os *os, int slot)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_TREE_ALIVE);
    const struct tree *tree = tree_in(process->world, slot);
    bool alive = tree && tree->alive > 0;
    entry_operation(process, VIRTUAL_OP_TREE_ALIVE, NULL, slot, 0, alive);
    leave(process, VIRTUAL_OP_TREE_ALIVE);
    return alive;
}

/* ---- What a test may ask ------------------------------------------------------------------------------------------ */

size_t virtual_start_count(const struct virtual_world *world)
{
    return world->tree_count;
}

const struct virtual_start *virtual_start_at(const struct virtual_world *world, size_t index)
{
    return index < world->tree_count ? &world->trees[index]->start : NULL;
}

size_t virtual_starts_of(const struct virtual_world *world, const char *path)
{
    size_t count = 0;
    for (size_t i = 0; i < world->tree_count; i++)
        count += strcmp(world->trees[i]->start.path, path) == 0;
    return count;
}

size_t virtual_alive(const struct virtual_world *world)
{
    size_t alive = 0;
    for (size_t i = 0; i < world->tree_count; i++)
        alive += world->trees[i]->alive;
    for (size_t slot = 0; slot < world->tree_slots; slot++) {
        const struct tree *tree = world->tree_of_slot[slot];
        alive += tree && tree->gated ? tree->alive : 0;
    }
    return alive;
}
