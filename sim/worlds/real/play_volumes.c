/* play_volumes.c: what is done to volumes on behalf of the program and of others.
 *
 * Operations on a volume stand in a queue, as they do in the kernel at the lock of its superblock, and a worker thread
 * does them one at a time: one that hangs hangs its volume only. They are done whether their caller still lives or not,
 * again as in the kernel, where a FIFREEZE that has begun is not ended by SIGKILL: it leaves a frozen filesystem to
 * those who are left. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "parts.h"
#include "play.h"

#define END_WAIT_US 5000000 /* for operations that are under way when the scenario ends */

struct operation {
    struct operation *next; /* in the queue of its volume */
    struct play_volume *volume;
    enum trace_op op;
    enum trace_role role; /* TRACE_HARNESS: ours, at the end */
    struct held *held;    /* waits for it; NULL: nobody */
    bool answers;         /* the held call's: its result is the answer */
    int error;         /* of a fault: it is not done; 0: it is */
    int64_t delay_us;  /* of a fault, from when it is its turn */
    int64_t due_us;    /* when it is done; -1: it is not its turn yet */
    bool under_way;    /* with the worker */
    int result;
};

enum worker_state { WORKER_IDLE, WORKER_BUSY, WORKER_DONE };

struct worker {
    pthread_t thread;
    sem_t go;
    atomic_int state; /* BUSY: the thread's; else ours */
    atomic_bool last; /* nobody will thaw any more what is frozen from now on */
    bool ends;
    enum trace_op op;
    int result;
    int done; /* eventfd */
    struct sandbox_volume volume; /* a copy, with a descriptor of its own: a worker that hangs outlives the sandbox */
};

struct play_volume {
    struct sandbox_volume *volume;
    struct operation *first;
    struct worker *worker; /* NULL: there was nothing to do yet */
    int *matches;          /* operations that each fault is about, so far */
    bool lost;             /* its disk, which a fake filesystem never reads or writes */
};

/* ---- The worker ------------------------------------------------------------------------------------------------- */

static int do_operation(struct sandbox_volume *volume, enum trace_op op)
{
    if (op == TRACE_SYNC)
        return syncfs(volume->directory) == 0 ? 0 : errno;
    return op == TRACE_FREEZE ? sandbox_freeze(volume) : sandbox_thaw(volume);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (;;) {
        while (sem_wait(&worker->go) != 0)
            ;
        if (worker->ends)
            return NULL;
        worker->result = do_operation(&worker->volume, worker->op);
        if (worker->op == TRACE_FREEZE && worker->result == 0 && atomic_load(&worker->last))
            do_operation(&worker->volume, TRACE_THAW);
        atomic_store(&worker->state, WORKER_DONE);
        uint64_t one = 1;
        (void)!write(worker->done, &one, sizeof one);
    }
}

static struct worker *start_worker(const struct play *play, const struct sandbox_volume *volume)
{
    struct worker *worker = allocate(1, sizeof *worker);
    worker->done = play->operations_done;
    worker->volume = *volume;
    worker->volume.directory = fcntl(volume->directory, F_DUPFD_CLOEXEC, 0);
    sem_init(&worker->go, 0, 0);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (worker->volume.directory < 0 || pthread_create(&worker->thread, NULL, work, worker) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return worker;
}

static void set_going(struct play *play, struct play_volume *volume)
{
    if (!volume->worker)
        volume->worker = start_worker(play, volume->volume);
    volume->worker->op = volume->first->op;
    volume->first->under_way = true;
    atomic_store(&volume->worker->state, WORKER_BUSY);
    sem_post(&volume->worker->go);
}

/* ---- The queue -------------------------------------------------------------------------------------------------- */

static struct play_volume *of(const struct play *play, const struct sandbox_volume *volume)
{
    return &play->volumes[volume - play->sandbox.volumes];
}

static struct operation *new_operation(struct play *play, const struct sandbox_volume *volume, enum trace_op op,
                                       enum trace_role role, struct held *held)
{
    struct operation *operation = allocate(1, sizeof *operation);
    *operation = (struct operation){.volume = of(play, volume), .op = op, .role = role, .held = held, .due_us = -1};
    return operation;
}

static void tell(struct play *play, const struct operation *operation, enum trace_what what)
{
    const struct sandbox_volume *volume = operation->volume->volume;
    bool counts = (operation->op == TRACE_FREEZE && what == TRACE_DONE && operation->result == 0) ||
                  (operation->op == TRACE_THAW && what == TRACE_BEGINS);
    play_tell(play, (struct trace_event){.role = operation->role, .what = what, .op = operation->op,
                                         .value = what == TRACE_DONE ? operation->result : 0,
                                         .volume = volume->given->mount,
                                         .disk_writes = counts ? sandbox_disk_writes(volume) : -1}, operation->held);
}

/* The first of the queue is over. Who waits for it is let go after what the scenario does at its line. */
static void finish(struct play *play, struct operation *operation, int result)
{
    operation->volume->first = operation->next;
    operation->result = result;
    if (!play->ended && operation->role != TRACE_HARNESS)
        tell(play, operation, TRACE_DONE);
    struct held *held = operation->held;
    if (!operation->answers)
        free(operation);
    held_let_go(play, held);
}

/* It is the turn of the first of the queue. */
static void begin_turn(const struct play *play, struct operation *operation)
{
    bool hangs = operation->delay_us == SCENARIO_FOREVER;
    if (hangs && play->agent_ended)
        operation->due_us = 0;
    else
        operation->due_us = hangs ? PLAY_NEVER : play_now_us() + operation->delay_us;
}

/* Does what can be done now. */
static void look_at(struct play *play, struct play_volume *volume)
{
    for (struct operation *operation = volume->first; operation; operation = volume->first) {
        if (operation->due_us < 0)
            begin_turn(play, operation);
        if (operation->under_way) {
            if (atomic_load(&volume->worker->state) != WORKER_DONE)
                return;
            atomic_store(&volume->worker->state, WORKER_IDLE);
            finish(play, operation, volume->worker->result);
        } else if (play->ended && operation->role != TRACE_HARNESS) {
            finish(play, operation, EINTR);
        } else if (operation->due_us > play_now_us()) {
            return;
        } else if (operation->error) {
            finish(play, operation, operation->error);
        } else {
            set_going(play, volume);
        }
    }
}

static void enqueue(struct play *play, struct operation *operation)
{
    struct operation **end = &operation->volume->first;
    while (*end)
        end = &(*end)->next;
    *end = operation;
    look_at(play, operation->volume);
}

/* ---- Faults ----------------------------------------------------------------------------------------------------- */

static bool is_about(const struct scenario_fault *fault, enum trace_op op, const char *mount)
{
    static const enum trace_op OPS[] = {
        [SCENARIO_SYNC] = TRACE_SYNC, [SCENARIO_FREEZE] = TRACE_FREEZE, [SCENARIO_THAW] = TRACE_THAW};
    return OPS[fault->op] == op && (!fault->volume || strcmp(fault->volume, mount) == 0);
}

static void apply_faults(const struct play *play, struct operation *operation)
{
    struct play_volume *volume = operation->volume;
    if (volume->lost && operation->op != TRACE_THAW)
        operation->error = EIO;
    for (size_t i = 0; i < play->scenario->fault_count; i++) {
        const struct scenario_fault *fault = &play->scenario->faults[i];
        if (!is_about(fault, operation->op, volume->volume->given->mount))
            continue;
        volume->matches[i]++;
        if (fault->nth && fault->nth != volume->matches[i])
            continue;
        if (fault->error)
            operation->error = fault->error;
        if (fault->delay_us > operation->delay_us)
            operation->delay_us = fault->delay_us;
    }
}

/* ---- What is asked for ------------------------------------------------------------------------------------------ */

static void answer(struct play *play, struct held *held)
{
    (void)play;
    int result = held->operation->result;
    if (result)
        gate_fail(held->listener, &held->call, result);
    else
        gate_return(held->listener, &held->call, 0);
    free(held->operation);
    free(held);
}

/* What the scenario does where the operation begins has been done. */
static void go_ahead(struct play *play, struct held *held)
{
    held->go_on = answer;
    held_take(held);
    enqueue(play, held->operation);
}

void play_operate(struct play *play, struct held *held, struct sandbox_volume *volume, enum trace_op op,
                  enum trace_role role)
{
    held->operation = new_operation(play, volume, op, role, held);
    held->operation->answers = true;
    held->go_on = go_ahead;
    if (role != TRACE_OTHER) {
        apply_faults(play, held->operation);
        if (held->error)
            held->operation->error = held->error;
        tell(play, held->operation, TRACE_BEGINS);
    }
    held_let_go(play, held);
}

void play_operate_as_other(struct play *play, struct held *held, struct sandbox_volume *volume, enum trace_op op)
{
    held_take(held);
    enqueue(play, new_operation(play, volume, op, TRACE_OTHER, held));
}

void play_release(struct play *play, const struct sandbox_volume *volume)
{
    struct operation *operation = of(play, volume)->first;
    if (operation && operation->due_us > 0)
        operation->due_us = 0;
}

int play_lose_disk(struct play *play, struct sandbox_volume *volume)
{
    of(play, volume)->lost = volume->fake;
    return fake_lose_disk(volume);
}

void play_release_all(struct play *play)
{
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        if (play->volumes[i].first && play->volumes[i].first->due_us == PLAY_NEVER)
            play->volumes[i].first->due_us = 0;
    }
}

/* ---- From turn to turn ------------------------------------------------------------------------------------------ */

void play_volumes_begin(struct play *play)
{
    play->operations_done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    play->volumes = allocate(play->sandbox.volume_count, sizeof *play->volumes);
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        play->volumes[i].volume = &play->sandbox.volumes[i];
        play->volumes[i].matches = allocate(play->scenario->fault_count, sizeof *play->volumes[i].matches);
    }
}

void play_volumes_turn(struct play *play)
{
    uint64_t count;
    (void)!read(play->operations_done, &count, sizeof count);
    for (size_t i = 0; i < play->sandbox.volume_count; i++)
        look_at(play, &play->volumes[i]);
}

int64_t play_volumes_due_us(const struct play *play)
{
    int64_t due_us = PLAY_NEVER;
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        const struct operation *first = play->volumes[i].first;
        if (first && !first->under_way && first->due_us < due_us)
            due_us = first->due_us;
    }
    return due_us;
}

bool play_volumes_idle(const struct play *play)
{
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        if (play->volumes[i].first)
            return false;
    }
    return true;
}

bool play_volume_is_frozen(const struct play *play, const struct sandbox_volume *volume)
{
    /* To ask would wait for what is under way. */
    return !of(play, volume)->first && sandbox_is_frozen(play->volumes[volume - play->sandbox.volumes].volume);
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* Returns false if it hangs: then it is left, and what it uses with it. */
static bool end_worker(struct play *play, struct play_volume *volume)
{
    static const char *const NAMES[] = {[TRACE_SYNC] = "syncfs", [TRACE_FREEZE] = "FIFREEZE", [TRACE_THAW] = "FITHAW"};
    struct worker *worker = volume->worker;
    if (atomic_load(&worker->state) == WORKER_BUSY) {
        outcome_left(play->outcome, "%s of %s hangs", NAMES[worker->op], volume->volume->given->mount);
        return false;
    }
    worker->ends = true;
    sem_post(&worker->go);
    pthread_join(worker->thread, NULL);
    sem_destroy(&worker->go);
    close(worker->volume.directory);
    free(worker);
    return true;
}

void play_volumes_end(struct play *play)
{
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        struct play_volume *volume = &play->volumes[i];
        if (volume->worker)
            atomic_store(&volume->worker->last, true);
        look_at(play, volume);
        if (volume->first || sandbox_is_frozen(volume->volume))
            enqueue(play, new_operation(play, volume->volume, TRACE_THAW, TRACE_HARNESS, NULL));
    }
    int64_t until_us = play_now_us() + END_WAIT_US;
    while (!play_volumes_idle(play) && play_now_us() < until_us) {
        poll(&(struct pollfd){.fd = play->operations_done, .events = POLLIN}, 1, 100);
        play_volumes_turn(play);
    }
    bool all = true;
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        all = (!play->volumes[i].worker || end_worker(play, &play->volumes[i])) && all;
        free(play->volumes[i].matches);
    }
    if (all)
        close(play->operations_done);
    free(play->volumes);
    play->volumes = NULL;
}
