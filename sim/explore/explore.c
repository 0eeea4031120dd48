/* explore.c: the way of `quiesce-sim explore`. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "explore.h"
#include "failure.h"
#include "put.h"

#define RECORDINGS 3         /* not every run makes the same calls; what any of them made is explored */
#define TRIES_MAX 4          /* to come to a site that not every run comes to */
#define JOBS 16              /* who waits for processors */
#define WAITING_JOBS_MAX 128 /* who waits for time to pass */
#define REPLAYED_MAX 300
#define BATCH_MAX 2048 /* so many scenarios at a time: each player is a fork of all that lies in memory */
#define SHRUNK_MAX 12
#define WAITING_ROUNDS 16 /* that each place plays of those that wait, before places are counted anew */
#define PAIRS_AT_ONCE 2000
#define EXIT_SKIPPED 77 /* as test harnesses have it */

static const struct world *const WORLDS[] = {&world_fake, &world_loop, NULL};

/* ---- Playing ---------------------------------------------------------------------------------------------------- */

/* Attempts that are being played: those of the cases, in the same order. */
struct batch {
    struct plan *plan;
    struct scenario_memory *memory; /* of the scenarios; not owned */
    struct attempt **attempts;
    struct report_case *cases;
    size_t count;
};

static struct batch new_batch(struct plan *plan, struct scenario_memory *memory)
{
    return (struct batch){.plan = plan,
                          .memory = memory,
                          .attempts = must(calloc(BATCH_MAX, sizeof(struct attempt *))),
                          .cases = must(calloc(BATCH_MAX, sizeof(struct report_case)))};
}

/* A running of cases of ours, in the places that there are. */
static struct running running_with(const struct plan *plan, struct report_case *cases, size_t count, int jobs)
{
    struct running running = plan->running;
    running.report.cases = cases;
    running.report.count = count;
    running.options.jobs = jobs;
    running.options.tap = true;  /* progress is told here, */
    running.options.json = NULL; /* and the report is ours: of what held, its players need not say a word */
    running.until_us = plan->until_us;
    return running;
}

static void add_to_batch(struct batch *batch, struct attempt *attempt)
{
    struct plan *plan = batch->plan;
    batch->cases[batch->count] = (struct report_case){.scenario = plan_scenario(plan, attempt, batch->memory),
                                                      .world = plan->bases[attempt->base].world};
    batch->attempts[batch->count++] = attempt;
}

static void free_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        report_case_free(&batch->cases[i]);
    free(batch->cases);
    free(batch->attempts);
}

static void tell_at_once(const struct plan *plan, const struct attempt *attempt, const struct report_case *it)
{
    char *name = attempt_name(plan, attempt);
    const char *what = it->findings.count > 0 ? it->findings.items[0].what : it->why ? it->why : "broken";
    fprintf(stderr, "%s%s: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", name, what);
    free(name);
}

static void note(struct running *running, size_t index)
{
    struct batch *batch = running->owner;
    struct plan *plan = batch->plan;
    struct attempt *attempt = batch->attempts[index];
    const struct report_case *it = &running->report.cases[index];
    attempt->tries++;
    switch (it->verdict) {
    case VERDICT_PASSED: attempt->state = ATTEMPT_HELD; break;
    case VERDICT_FAILED: attempt->state = ATTEMPT_VIOLATED; break;
    case VERDICT_SKIPPED: attempt->state = attempt->tries < TRIES_MAX ? ATTEMPT_OPEN : ATTEMPT_UNREACHED; break;
    default: attempt->state = ATTEMPT_BROKEN;
    }
    if (attempt->state == ATTEMPT_VIOLATED || attempt->state == ATTEMPT_BROKEN)
        tell_at_once(plan, attempt, it);
    bool reached = attempt->state == ATTEMPT_HELD || attempt->state == ATTEMPT_VIOLATED;
    plan->bases[attempt->base].sites.items[attempt->site].reached |= reached;
    plan->played++;
    if (attempt->state != ATTEMPT_OPEN)
        progress_note(plan, attempt);
    progress_show(plan, false);
}

static bool is_past(int64_t until_us)
{
    return until_us > 0 && now_us() >= until_us;
}

static bool is_over(const struct plan *plan)
{
    return plan->interrupted || is_past(plan->until_us);
}

static bool waits(const struct plan *plan, const struct attempt *attempt)
{
    return fault_waits(attempt->fault) ||
           (attempt->second != SIZE_MAX && fault_waits(plan->attempts[attempt->second].fault));
}

/* What all players so far have cost the processors. */
static int64_t worked_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

/* So many that the processors are busy most of the time, and late for nobody. */
static int waiting_jobs(const struct plan *plan)
{
    int64_t wait_us = INT64_MAX, processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (size_t i = 0; i < plan->base_count; i++)
        wait_us = plan->bases[i].late_us < wait_us ? plan->bases[i].late_us : wait_us;
    int64_t jobs = wait_us / 10 * 7 * processors / plan->work_us;
    return jobs < JOBS ? JOBS : jobs > WAITING_JOBS_MAX ? WAITING_JOBS_MAX : (int)jobs;
}

static int jobs_for(const struct plan *plan, bool waiting)
{
    int asked = plan->options.run.jobs;
    return asked > 0 ? asked : waiting ? waiting_jobs(plan) : JOBS;
}

static void play_batch(struct batch *batch, int jobs, int64_t until_us)
{
    int64_t before_us = worked_us();
    size_t before = batch->plan->played;
    struct running running = running_with(batch->plan, batch->cases, batch->count, jobs);
    running.judge = attempt_judge;
    running.done = note;
    running.owner = batch;
    running.until_us = until_us;
    batch->plan->interrupted = jobs_run(&running);
    if (batch->plan->played > before)
        batch->plan->work_us = (worked_us() - before_us) / (int64_t)(batch->plan->played - before) + 1;
}

/* Plays all that are open, and wait or do not. Of those that wait, soon enough again as many as what they turn out to cost
 * leaves room for. */
static void play(struct plan *plan, bool waiting, int64_t until_us)
{
    for (size_t i = 0; i < plan->attempt_count && !plan->interrupted && !is_past(until_us);) {
        struct scenario_memory *memory = scenario_memory_new();
        struct batch batch = new_batch(plan, memory);
        int jobs = jobs_for(plan, waiting);
        size_t most = waiting && jobs * WAITING_ROUNDS < BATCH_MAX ? (size_t)(jobs * WAITING_ROUNDS) : BATCH_MAX;
        for (; i < plan->attempt_count && batch.count < most; i++) {
            struct attempt *attempt = &plan->attempts[i];
            if (attempt->state == ATTEMPT_OPEN && waits(plan, attempt) == waiting)
                add_to_batch(&batch, attempt);
        }
        if (batch.count > 0)
            play_batch(&batch, jobs, until_us);
        free_batch(&batch);
        scenario_memory_free(memory);
    }
}

/* Of a budget, most is for those who take no time to wait. */
static void play_open(struct plan *plan)
{
    int64_t half_us = plan->until_us > 0 ? now_us() + (plan->until_us - now_us()) * 7 / 10 : 0;
    for (int round = 0; round < TRIES_MAX && !is_over(plan); round++) {
        play(plan, false, half_us);
        play(plan, true, plan->until_us);
    }
    while (plan->options.pairs && !is_over(plan)) {
        size_t before = plan->attempt_count;
        plan_pairs(plan, PAIRS_AT_ONCE);
        if (plan->attempt_count == before)
            break;
        plan->total += plan->attempt_count - before;
        play(plan, false, plan->until_us);
        play(plan, true, plan->until_us);
    }
}

/* ---- Recording -------------------------------------------------------------------------------------------------- */

static enum verdict judge_recording(struct report_case *it)
{
    judge_invariants(it->scenario, &it->outcome, &it->findings);
    return it->findings.count > 0 ? VERDICT_FAILED : VERDICT_PASSED;
}

static int take_recording(struct plan *plan, size_t index, const struct report *report)
{
    const struct report_case *it = &report->cases[index];
    struct base *base = &plan->bases[index / RECORDINGS];
    static const struct paint PLAIN = {"", "", "", "", "", ""};
    char *path = must_format("%s/%zu.calls", plan->running.places.work, index);
    int error = sites_read(&base->sites, plan->memory, path);
    unlink(path);
    free(path);
    if (it->verdict == VERDICT_PASSED && !error)
        return EXIT_PASSED;
    printf("%s: %s\n", base->name, it->verdict == VERDICT_FAILED ? "violated without any fault"
                                   : it->why                      ? it->why
                                                                  : "its system calls were not recorded");
    put_failure(stdout, report, it, &PLAIN);
    printf("  scenario: %s\n", base->scenario->file);
    return it->verdict == VERDICT_FAILED ? EXIT_FAILED : EXIT_BROKEN;
}

static int record(struct plan *plan)
{
    size_t count = RECORDINGS * plan->base_count;
    struct report_case *cases = must(calloc(count + 1, sizeof *cases));
    for (size_t i = 0; i < count; i++)
        cases[i] = (struct report_case){.scenario = plan->bases[i / RECORDINGS].scenario,
                                        .world = plan->bases[i / RECORDINGS].world};
    struct running running = running_with(plan, cases, count, 2);
    running.judge = judge_recording;
    running.records = true;
    running.until_us = 0;
    plan->interrupted = jobs_run(&running);
    plan->work_us = worked_us() / (int64_t)count + 1;
    int status = plan->interrupted ? 128 + plan->interrupted : EXIT_PASSED;
    for (size_t i = 0; i < count; i++) {
        int taken = take_recording(plan, i, &running.report);
        status = status == EXIT_PASSED ? taken : status;
        report_case_free(&cases[i]);
    }
    free(cases);
    return status;
}

/* ---- Violations ------------------------------------------------------------------------------------------------- */

static bool is_told(char *const *whats, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(whats[i], what) == 0)
            return true;
    }
    return false;
}

/* Each way of going wrong is told once, with its smallest scenario; then all that go wrong in that way. */
static void tell_violations(struct plan *plan)
{
    static const struct paint PLAIN = {"", "", "", "", "", ""};
    char *told[SHRUNK_MAX] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < plan->shown.count && count < SHRUNK_MAX; i++) {
        const struct report_case *it = &plan->shown.cases[i];
        char *what = it->findings.count > 0 ? it->findings.items[0].what : it->why ? it->why : (char *)"it is broken";
        if (is_told(told, count, what))
            continue;
        told[count++] = what;
        char *file = shrink_violation(plan, plan->violations[i], it);
        printf("\nVIOLATED  %s\n", what);
        for (size_t k = i; k < plan->shown.count; k++) {
            const struct findings *findings = &plan->shown.cases[k].findings;
            if (findings->count == 0 || strcmp(findings->items[0].what, what) != 0)
                continue;
            char *name = attempt_name(plan, plan->violations[k]);
            printf("  %s\n", name);
            free(name);
        }
        put_failure(stdout, &plan->shown, it, &PLAIN);
        printf("  scenario: %s\n", file ? file : "could not be written");
        free(file);
    }
}

/* A violation that is not seen a second time may be a machine that was busy; it is told, but does not count. */
static void replay_violations(struct plan *plan)
{
    struct batch batch = new_batch(plan, plan->memory);
    for (size_t i = 0; i < plan->attempt_count && batch.count < REPLAYED_MAX; i++) {
        if (plan->attempts[i].state == ATTEMPT_VIOLATED)
            add_to_batch(&batch, &plan->attempts[i]);
    }
    struct running running = running_with(plan, batch.cases, batch.count, 4);
    running.judge = attempt_judge;
    running.until_us = 0;
    running.options.json = "-"; /* whole traces */
    if (batch.count > 0 && !plan->interrupted)
        plan->interrupted = jobs_run(&running);
    plan->violations = must(calloc(batch.count + 1, sizeof *plan->violations));
    plan->shown = plan->running.report;
    plan->shown.cases = must(calloc(batch.count + 1, sizeof *plan->shown.cases));
    plan->shown.count = 0;
    for (size_t i = 0; i < batch.count; i++) {
        if (batch.cases[i].verdict == VERDICT_FAILED) {
            plan->violations[plan->shown.count] = batch.attempts[i];
            plan->shown.cases[plan->shown.count++] = batch.cases[i];
            batch.cases[i] = (struct report_case){.scenario = NULL};
            continue;
        }
        char *name = attempt_name(plan, batch.attempts[i]);
        printf("violated once, and not again: %s\n", name);
        free(name);
        batch.attempts[i]->state = ATTEMPT_HELD;
    }
    free_batch(&batch);
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

static int write_output(const struct plan *plan, const char *path, void (*write)(const struct plan *, FILE *))
{
    FILE *file = path ? fopen(path, "we") : NULL;
    if (!path)
        return EXIT_PASSED;
    if (file)
        write(plan, file);
    if (file && fclose(file) == 0)
        return EXIT_PASSED;
    fprintf(stderr, "quiesce-sim explore: %s: %s\n", path, strerror(errno));
    return EXIT_BROKEN;
}

static int status_of(const struct plan *plan)
{
    struct coverage all = coverage_of(plan, SIZE_MAX);
    bool broken = false;
    for (size_t i = 0; i < plan->attempt_count; i++)
        broken |= plan->attempts[i].state == ATTEMPT_BROKEN;
    bool chosen = plan->options.site || plan->options.fault;
    bool missed = plan->until_us == 0 && !chosen && all.reached < all.sites;
    if (plan->interrupted)
        return 128 + plan->interrupted;
    if (plan->shown.count > 0 || missed || plan->strangers > 0)
        return EXIT_FAILED;
    return broken ? EXIT_BROKEN : EXIT_PASSED;
}

static int tell(struct plan *plan)
{
    int64_t took_us = now_us() - plan->start_us;
    tell_violations(plan);
    printf("\n");
    coverage_terminal(plan, stdout);
    int written = write_output(plan, plan->options.run.json, coverage_json);
    int junit = write_output(plan, plan->options.run.junit, coverage_junit);
    printf("%zu runs in %.1f s, %zu violation%s, seed %llu\n", plan->played, (double)took_us / 1e6, plan->shown.count,
           plan->shown.count == 1 ? "" : "s", (unsigned long long)plan->running.report.seed);
    int status = status_of(plan);
    return status != EXIT_PASSED ? status : written != EXIT_PASSED ? written : junit;
}

static void print_list(const struct plan *plan)
{
    for (size_t i = 0; i < plan->base_count; i++) {
        for (size_t k = 0; k < plan->bases[i].sites.count; k++) {
            const struct site *site = &plan->bases[i].sites.items[k];
            size_t count = 0;
            for (size_t a = 0; a < plan->attempt_count; a++)
                count += plan->attempts[a].base == i && plan->attempts[a].site == k;
            if (count == 0 && (plan->options.site || plan->options.fault))
                continue;
            printf("%s: %s %s(%s) #%d: %zu faults\n", plan->bases[i].name, explore_callers[site->by], site->call,
                   site->about, site->nth, count);
        }
    }
}

/* ---- The way ---------------------------------------------------------------------------------------------------- */

static int explore(struct plan *plan)
{
    int status = record(plan);
    if (status != EXIT_PASSED)
        return status;
    plan_attempts(plan);
    if (plan->options.list) {
        print_list(plan);
        return EXIT_PASSED;
    }
    if (plan->attempt_count == 0) {
        fprintf(stderr, "quiesce-sim explore: no call and no fault match; --list tells which there are\n");
        return EXIT_MISTAKE;
    }
    status = progress_open(plan);
    if (status != EXIT_PASSED)
        return status;
    plan->start_us = now_us();
    plan->until_us = plan->options.budget_us > 0 ? plan->start_us + plan->options.budget_us : 0;
    plan->total = plan->attempt_count - plan->done;
    printf("exploring %zu faults, %zu of them done, seed %llu\n", plan->attempt_count, plan->done,
           (unsigned long long)plan->running.report.seed);
    fflush(stdout);
    play_open(plan);
    progress_show(plan, true);
    replay_violations(plan);
    progress_close(plan);
    return tell(plan);
}

static int make_bases(struct plan *plan)
{
    struct running *running = &plan->running;
    uint32_t seed = 1;
    int status = select_cases(running);
    if (status != EXIT_PASSED)
        return status;
    if (!running->options.seed_given && getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint32_t)now_us();
    running->report.seed = running->options.seed_given ? running->options.seed : seed;
    running->report.folder = places_here();
    running->report.program = places_program();
    running->report.options = must(strdup(""));
    plan->bases = must(calloc(running->report.count + 1, sizeof *plan->bases));
    for (size_t i = 0; i < running->report.count; i++) {
        const struct world *world = running->report.cases[i].world;
        const char *lacks = world->lacks();
        if (lacks) {
            const char *ci = getenv("CI");
            fprintf(stderr, "quiesce-sim explore: skipped: the world %s is not to be had: %s\n", world->name, lacks);
            return ci && strcmp(ci, "true") == 0 ? EXIT_BROKEN : EXIT_SKIPPED;
        }
        plan_base(plan, &plan->bases[plan->base_count++], running->report.cases[i].scenario, world);
    }
    return EXIT_PASSED;
}

static void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->base_count; i++) {
        free(plan->bases[i].name);
        free(plan->bases[i].sites.items);
    }
    for (size_t i = 0; i < plan->shown.count; i++)
        report_case_free(&plan->shown.cases[i]);
    free(plan->shown.cases);
    free(plan->violations);
    free(plan->bases);
    plan_forget_attempts(plan);
    report_free(&plan->running.report);
    scenario_set_free(&plan->running.set);
    scenario_memory_free(plan->memory);
}

int command_explore(int argc, char **argv)
{
    struct plan plan = {.memory = scenario_memory_new(), .state = -1};
    char message[512];
    int status = EXIT_PASSED;
    running_command = "explore";
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    enum options_parse parse = explore_options_parse(argc, argv, &plan.options, message, sizeof message);
    plan.running = (struct running){.known = WORLDS, .options = plan.options.run};
    if (parse == OPTIONS_HELP) {
        explore_options_help(stdout);
    } else if (parse == OPTIONS_WRONG) {
        fprintf(stderr, "quiesce-sim explore: %s\n", message);
        status = EXIT_MISTAKE;
    } else {
        status = make_bases(&plan);
        if (status == EXIT_PASSED)
            status = places_open(&plan.running);
        if (status == EXIT_PASSED)
            status = explore(&plan);
        places_close(&plan.running);
    }
    plan_free(&plan);
    explore_options_free(&plan.options);
    signal(SIGPIPE, before);
    return status;
}
