/* linux_hold.c: open volumes, and the threads that flush, freeze and thaw them.
 *
 * Each volume has a thread that stands ready before anything is frozen. So the waits of several volumes overlap, and
 * one that hangs hangs alone. A thread decides nothing: it waits for an operation, does it, says what came of it.
 *
 * A thread in a system call that hangs can't be ended, and a process of which one thread lives still has all its
 * descriptors open: the peer would never learn of the process's death. So each thread has a table of descriptors of
 * its own, with nothing in it but its volume and the way to wake us. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux.h"
#include "linux_mounts.h"

/* Room for the sanitizers; only what is touched, two pages, is ever in memory. */
#define STACK_SIZE ((size_t)128 * 1024)

/* Writable memory of a library is brought in ahead of need up to this size a mapping. */
#define PREFAULT_LIMIT ((size_t)512 * 1024)

enum worker_state { WORKER_IDLE, WORKER_BUSY, WORKER_DONE };

/* In a thread's own table of descriptors. */
enum { OWN_VOLUME, OWN_WAKE };

struct worker {
    pthread_t thread;
    sem_t start; /* an operation; or, where none is under way, the end */
    atomic_int state; /* whose the results are: BUSY: the thread's, else ours */
    atomic_int op; /* enum qz_volume_op */
    struct qz_volume_done own;
    struct qz_volume_done *done; /* `own`, or where it was asked for */
    atomic_int *operations; /* where a guardian counts what it has under way, else NULL */
    struct qz_linux_workers *all;
    int slot;
    bool left; /* to itself: something is under way still */
};

/* One mapping: this, then the threads' stacks. It is never given back while a thread may still come back to it. */
struct qz_linux_workers {
    size_t size; /* of the mapping */
    struct qz_linux *lx;
    char *stacks;
    sem_t ready;
    atomic_int failed; /* errno of a thread that could not make itself ready */
    int count;
    int next; /* where to look for the next operation that has ended */
    struct worker list[];
};

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static int keep_volume(struct qz_linux *lx, int slot, int fd)
{
    if (slot >= lx->volume_capacity) {
        int capacity = slot + 16;
        int *volumes = realloc(lx->volumes, (size_t)capacity * sizeof *volumes);
        if (!volumes) {
            close(fd);
            return ENOMEM;
        }
        for (int i = lx->volume_capacity; i < capacity; i++)
            volumes[i] = -1;
        lx->volumes = volumes;
        lx->volume_capacity = capacity;
    }
    qz_linux_close_fd(&lx->volumes[slot]);
    lx->volumes[slot] = fd;
    return 0;
}

int qz_linux_volume_open(struct qz_os *os, int slot, const struct qz_mount *mount)
{
    int fd = -1;
    int failed = qz_linux_open_mount(mount, &fd);
    if (!failed)
        failed = keep_volume(qz_linux(os), slot, fd);
    return failed ? failed : qz_linux_keep_disks(qz_linux(os), mount);
}

int qz_linux_volume_recover(struct qz_os *os, int slot, const char *mount_point, dev_t dev)
{
    int fd = -1;
    int failed = qz_linux_recover_mount(mount_point, dev, &fd);
    return failed ? failed : keep_volume(qz_linux(os), slot, fd);
}

/* ---- Urgency ------------------------------------------------------------------------------------------------------ */

/* While something is frozen everybody may be waiting for us: on a busy machine we must not have to wait for our
 * turn. What we start does not inherit this. Whoever gave us another class knows better; not being allowed to is no
 * matter. */
static void hurry(void)
{
    const struct sched_param lowest = {.sched_priority = 1};
    if (sched_getscheduler(0) == SCHED_OTHER)
        sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest);
}

static void take_time(void)
{
    const struct sched_param none = {0};
    if (sched_getscheduler(0) == (SCHED_RR | SCHED_RESET_ON_FORK))
        sched_setscheduler(0, SCHED_OTHER, &none);
}

/* ---- The threads ------------------------------------------------------------------------------------------------ */

/* Flushing may keep a processor busy for long, and nobody waits for it. */
static int do_operation(int op)
{
    int result;
    if (op == QZ_VOLUME_SYNC)
        take_time();
    do
        result = op == QZ_VOLUME_SYNC     ? syncfs(OWN_VOLUME)
                 : op == QZ_VOLUME_FREEZE ? ioctl(OWN_VOLUME, FIFREEZE, 0)
                                          : ioctl(OWN_VOLUME, FITHAW, 0);
    while (result != 0 && errno == EINTR);
    int error = result == 0 ? 0 : errno;
    if (op == QZ_VOLUME_SYNC)
        hurry();
    return error;
}

static void close_above(int last)
{
    if (close_range((unsigned)last + 1, ~0U, 0) == 0)
        return;
    for (int fd = last + 1; fd < (int)sysconf(_SC_OPEN_MAX); fd++)
        close(fd);
}

/* Leaves the thread a table of descriptors with its volume and the way to wake us. Returns 0 or an errno. */
static int take_descriptors(int volume, int wake)
{
    /* Neither is 0, 1 or 2: those were open before. */
    if (unshare(CLONE_FILES) != 0 || dup2(volume, OWN_VOLUME) < 0 || dup2(wake, OWN_WAKE) < 0)
        return errno;
    close_above(OWN_WAKE);
    return 0;
}

static void finish(struct worker *worker, int error)
{
    worker->done->error = error;
    worker->done->end_us = qz_linux_now_us(NULL);
    atomic_store(&worker->done->ended, true);
    atomic_int *operations = worker->operations;
    atomic_store(&worker->state, WORKER_DONE);
    if (operations)
        atomic_fetch_sub(operations, 1);
    uint64_t one = 1;
    /* Fails only if nobody has looked for 2^64 operations. */
    (void)!write(OWN_WAKE, &one, sizeof one);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct qz_linux *lx = worker->all->lx;
    int failed = take_descriptors(lx->volumes[worker->slot], lx->wake);
    hurry();
    if (failed)
        atomic_store(&worker->all->failed, failed);
    sem_post(&worker->all->ready);
    for (;;) {
        while (sem_wait(&worker->start) != 0)
            ;
        if (atomic_load(&worker->state) != WORKER_BUSY)
            return NULL;
        int op = worker->op;
        worker->done->begin_us = qz_linux_now_us(NULL);
        bool called_off = op == QZ_VOLUME_THAW && worker->done->called_off; /* looked at as late as can be */
        finish(worker, called_off ? ECANCELED : do_operation(op));
    }
}

/* ---- Making ready ----------------------------------------------------------------------------------------------- */

static struct qz_linux_workers *map_workers(struct qz_linux *lx, int count)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t head = sizeof(struct qz_linux_workers) + (size_t)count * sizeof(struct worker);
    head = (head + page - 1) / page * page;
    size_t size = head + (size_t)count * STACK_SIZE;
    char *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct qz_linux_workers *workers = (struct qz_linux_workers *)(void *)memory;
    workers->size = size;
    workers->lx = lx;
    workers->stacks = memory + head;
    sem_init(&workers->ready, 0, 0);
    return workers;
}

static int start_thread(struct qz_linux_workers *workers, int slot)
{
    struct worker *worker = &workers->list[slot];
    *worker = (struct worker){.all = workers, .slot = slot};
    sem_init(&worker->start, 0, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    /* The lowest page of each stack keeps it apart from the next one. */
    char *stack = workers->stacks + (size_t)slot * STACK_SIZE;
    mprotect(stack, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE);
    int failed = pthread_attr_setstack(&attributes, stack, STACK_SIZE);
    if (!failed)
        failed = pthread_create(&worker->thread, &attributes, work, worker);
    pthread_attr_destroy(&attributes);
    return failed;
}

/* Ends all threads, side by side. One that has an operation under way ends after that: it is left alone, and the memory
 * with it. */
static void end_workers(struct qz_linux_workers *workers)
{
    bool left = false;
    for (int slot = 0; slot < workers->count; slot++) {
        struct worker *worker = &workers->list[slot];
        worker->left = worker->state == WORKER_BUSY;
        left = left || worker->left;
        sem_post(&worker->start);
    }
    for (int slot = 0; slot < workers->count; slot++) {
        if (workers->list[slot].left)
            pthread_detach(workers->list[slot].thread);
        else
            pthread_join(workers->list[slot].thread, NULL);
    }
    if (!left)
        munmap(workers, workers->size);
}

static int start_threads(struct qz_linux_workers *workers, int count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    for (int slot = 0; slot < count && !failed; slot++) {
        failed = start_thread(workers, slot);
        if (!failed)
            workers->count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* Returns 0 or the errno of a thread that could not make itself ready. */
static int await_threads(struct qz_linux_workers *workers)
{
    for (int slot = 0; slot < workers->count; slot++)
        while (sem_wait(&workers->ready) != 0)
            ;
    return atomic_load(&workers->failed);
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

struct mapping {
    unsigned long begin, end;
    char mode[5];
    char path[PATH_MAX]; /* "" for none */
};

/* Lets go of the code of libraries that are for reading configs and choosing volumes only: it would be locked. */
static void let_go_of_library(const struct mapping *mapping)
{
    const char *name = strrchr(mapping->path, '/');
    if (name && strcmp(mapping->mode, "r-xp") == 0 && strncmp(name, "/lib", 4) == 0 && strncmp(name, "/libc.", 6) != 0)
        madvise((void *)mapping->begin, mapping->end - mapping->begin, MADV_DONTNEED);
}

/* Brings all small writable memory in, each page our own, so that writing to it while everything is frozen needs no
 * memory that only writeback could make free. */
static void prefault(const struct mapping *mapping, const struct qz_linux_workers *workers)
{
    bool stacks = mapping->begin >= (unsigned long)(uintptr_t)workers->stacks &&
                  mapping->begin < (unsigned long)(uintptr_t)workers + workers->size;
    if (strcmp(mapping->mode, "rw-p") == 0 && !stacks && mapping->end - mapping->begin <= PREFAULT_LIMIT)
        mlock((void *)mapping->begin, mapping->end - mapping->begin);
}

static void settle_mappings(const struct qz_linux_workers *workers)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 128];
    struct mapping mapping;
    while (maps && fgets(line, sizeof line, maps)) {
        mapping.path[0] = '\0';
        if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %4095s", &mapping.begin, &mapping.end, mapping.mode, mapping.path) < 3)
            continue;
        let_go_of_library(&mapping);
        prefault(&mapping, workers);
    }
    if (maps)
        fclose(maps);
}

/* Keeps in memory what is needed while filesystems are frozen: our own program, what of the libraries has been used,
 * and all that we write to. It stays locked until the process ends, which costs less than to unlock it page by page.
 * Not being allowed to is no reason not to go on. */
static void lock_memory(const struct qz_linux_workers *workers)
{
    extern const char __executable_start[], end[];
    malloc_trim(0); /* what is let go of is not to be locked */
    settle_mappings(workers);
    mlockall(MCL_CURRENT | MCL_ONFAULT);
    mlock(__executable_start, (size_t)(end - __executable_start));
}

int qz_linux_volumes_arm(struct qz_os *os, int count)
{
    struct qz_linux *lx = qz_linux(os);
    if (lx->workers) {
        end_workers(lx->workers);
        lx->workers = NULL;
    }
    if (count < 0 || count > lx->volume_capacity)
        return EINVAL;
    struct qz_linux_workers *workers = map_workers(lx, count);
    if (!workers)
        return ENOMEM;
    int failed = start_threads(workers, count);
    if (!failed)
        lock_memory(workers); /* while they make themselves ready */
    int unready = await_threads(workers);
    failed = failed ? failed : unready;
    if (failed) {
        end_workers(workers);
        return failed;
    }
    lx->workers = workers;
    hurry();
    return 0;
}

void qz_linux_workers_forget(struct qz_linux *lx)
{
    if (lx->workers)
        munmap(lx->workers, lx->workers->size);
    lx->workers = NULL;
}

/* ---- Operations ------------------------------------------------------------------------------------------------- */

void qz_linux_volume_start(struct qz_os *os, int slot, enum qz_volume_op op, struct qz_volume_done *done)
{
    struct qz_linux *lx = qz_linux(os);
    struct worker *worker = &lx->workers->list[slot];
    worker->op = (int)op;
    worker->done = done ? done : &worker->own;
    worker->operations = lx->role == QZ_LINUX_GUARDIAN ? &lx->peer.pairing->operations : NULL;
    if (worker->operations)
        atomic_fetch_add(worker->operations, 1);
    atomic_store(&worker->state, WORKER_BUSY);
    sem_post(&worker->start);
}

bool qz_linux_take_volume(struct qz_linux *lx, struct qz_event *event)
{
    struct qz_linux_workers *workers = lx->workers;
    for (int i = 0; workers && i < workers->count; i++) {
        int slot = (workers->next + i) % workers->count;
        struct worker *worker = &workers->list[slot];
        if (atomic_load(&worker->state) != WORKER_DONE)
            continue;
        workers->next = slot + 1;
        *event = (struct qz_event){.kind = QZ_EVENT_VOLUME,
                                   .slot = slot,
                                   .op = (enum qz_volume_op)(int)worker->op,
                                   .error = worker->done->error,
                                   .begin_us = worker->done->begin_us,
                                   .end_us = worker->done->end_us};
        atomic_store(&worker->state, WORKER_IDLE);
        return true;
    }
    return false;
}

void qz_linux_volumes_close(struct qz_os *os)
{
    struct qz_linux *lx = qz_linux(os);
    if (lx->workers)
        end_workers(lx->workers);
    lx->workers = NULL;
    take_time();
    for (int slot = 0; slot < lx->volume_capacity; slot++)
        qz_linux_close_fd(&lx->volumes[slot]);
    lx->disk_count = 0;
}
