/* workers.c: processes that play scenarios one after the other. Each has a place in shared memory that tells where it
 * is, so that one that crashes or hangs is a scenario that went wrong, and another takes over behind it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "put.h"
#include "random.h"
#include "running.h"

#define TICK_MS 100
#define LATE_US INT64_C(20000000) /* this long at one scenario: it hangs */
#define TWICE_EVERY 64            /* so often a scenario is played twice */

struct place {
    _Atomic uint64_t at;      /* which it plays */
    _Atomic uint64_t played;
    _Atomic int64_t since_us; /* when it began with that */
};

struct worker {
    pid_t pid; /* 0: nobody */
    int told;  /* numbers of scenarios that went wrong */
    struct place *place;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    interrupted = signal_number;
}

static _Noreturn void work(const struct random_order *order, struct place *place, uint64_t first, int told, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN); /* the parent's, who ends us */
    signal(SIGTERM, SIG_DFL);
    for (uint64_t number = first; number - order->first < order->count; number += (uint64_t)order->jobs) {
        struct random_verdict verdict;
        atomic_store(&place->at, number);
        atomic_store(&place->since_us, now_us());
        cJSON *scenario = random_scenario(number);
        random_play(scenario, number % TWICE_EVERY == 0, &verdict);
        cJSON_Delete(scenario);
        atomic_fetch_add(&place->played, 1);
        if ((!verdict.sound || verdict.kind[0]) && write(told, &number, sizeof number) != sizeof number)
            _exit(1);
    }
    _exit(0);
}

static void start(const struct random_order *order, struct worker *worker, uint64_t first)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe(ends) != 0)
        abort();
    atomic_store(&worker->place->since_us, now_us());
    fflush(NULL);
    worker->pid = fork();
    if (worker->pid == 0)
        work(order, worker->place, first, ends[1], parent);
    if (worker->pid < 0)
        abort();
    close(ends[1]);
    worker->told = ends[0];
}

struct pool {
    const struct random_order *order;
    struct worker *workers;
    struct random_sum sum;
    void (*found)(uint64_t number, void *argument);
    void *argument;
};

static void note(struct pool *pool, uint64_t number)
{
    pool->sum.violations++;
    pool->found(number, pool->argument);
}

static bool is_enough(const struct pool *pool)
{
    return interrupted || (pool->sum.violations > 0 && !pool->order->keep_going);
}

/* Reads what a worker tells, and sees it end. */
static void attend(struct pool *pool, struct worker *worker)
{
    uint64_t number;
    int status = 0;
    ssize_t size = read(worker->told, &number, sizeof number);
    if (size == sizeof number) {
        if (!is_enough(pool))
            note(pool, number);
        return;
    }
    if (size < 0 && errno == EINTR)
        return;
    waitpid(worker->pid, &status, 0);
    close(worker->told);
    worker->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    number = atomic_load(&worker->place->at);
    if (!is_enough(pool))
        note(pool, number);
    if (!is_enough(pool))
        start(pool->order, worker, number + (uint64_t)pool->order->jobs);
}

static bool wait_for_some(struct pool *pool)
{
    struct pollfd polled[OPTIONS_JOBS_MAX];
    bool any = false;
    for (int i = 0; i < pool->order->jobs; i++) {
        struct worker *worker = &pool->workers[i];
        any |= worker->pid > 0;
        polled[i] = (struct pollfd){.fd = worker->pid > 0 ? worker->told : -1, .events = POLLIN};
        if (worker->pid > 0 && now_us() - atomic_load(&worker->place->since_us) > LATE_US)
            kill(worker->pid, SIGKILL);
    }
    if (any && poll(polled, (nfds_t)pool->order->jobs, TICK_MS) > 0) {
        for (int i = 0; i < pool->order->jobs; i++) {
            if (polled[i].revents)
                attend(pool, &pool->workers[i]);
        }
    }
    return any;
}

static void end_all(struct pool *pool)
{
    for (int i = 0; i < pool->order->jobs; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->pid <= 0)
            continue;
        kill(worker->pid, SIGKILL);
        waitpid(worker->pid, NULL, 0);
        close(worker->told);
    }
}

struct random_sum random_work(const struct random_order *order, void (*found)(uint64_t number, void *argument),
                              void *argument)
{
    size_t size = (size_t)order->jobs * sizeof(struct place);
    struct place *places = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct pool pool = {order, must(calloc((size_t)order->jobs, sizeof *pool.workers)), {0}, found, argument};
    struct sigaction action = {.sa_handler = interrupt}, before[2];
    int64_t start_us = now_us();
    if (places == MAP_FAILED)
        abort();
    interrupted = 0;
    sigaction(SIGINT, &action, &before[0]);
    sigaction(SIGTERM, &action, &before[1]);
    for (int i = 0; i < order->jobs; i++) {
        pool.workers[i].place = &places[i];
        start(order, &pool.workers[i], order->first + (uint64_t)i);
    }
    while (wait_for_some(&pool) && !is_enough(&pool) &&
           (order->seconds == 0 || now_us() - start_us < order->seconds * 1000000))
        ;
    end_all(&pool);
    for (int i = 0; i < order->jobs; i++)
        pool.sum.played += atomic_load(&places[i].played);
    pool.sum.duration_us = now_us() - start_us;
    pool.sum.interrupted = interrupted;
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
    munmap(places, size);
    free(pool.workers);
    return pool.sum;
}
