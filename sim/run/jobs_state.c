/* jobs_state.c: what the pool consists of, and its progress. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "commands.h"
#include "jobs.h"

#define CRASH_IMAGE_US INT64_C(2000000) /* for each image that is looked at: more than that takes anywhere */
#define SHOW_EVERY_US 100000

void jobs_die(const char *what)
{
    fprintf(stderr, "quiesce-sim %s: %s: %s\n", running_command, what, strerror(errno));
    exit(EXIT_BROKEN);
}

static void *share(size_t count, size_t size)
{
    void *memory = mmap(NULL, count * size + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        jobs_die("mmap");
    return memory;
}

static bool is_terminal(const struct options *options)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !options->tap && !(term && strcmp(term, "dumb") == 0);
}

void jobs_open(struct jobs *jobs, struct running *running)
{
    const struct options *options = &running->options;
    sigset_t mask;
    *jobs = (struct jobs){.running = running, .start_us = now_us(), .terminal = is_terminal(options)};
    jobs->marks = share(running->report.count, sizeof *jobs->marks);
    jobs->posts = share(OPTIONS_JOBS_MAX, sizeof *jobs->posts);
    jobs->seats = must(calloc(OPTIONS_JOBS_MAX, sizeof *jobs->seats));
    jobs->order = must(calloc(running->report.count + 1, sizeof *jobs->order));
    for (int i = 0; i < OPTIONS_JOBS_MAX; i++)
        jobs->seats[i].post = &jobs->posts[i];
    jobs->tell_all = options->html || options->json || options->update || options->keep;
    jobs->hashed = options->repeat > 1;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, &jobs->mask_before);
    jobs->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (jobs->signals < 0)
        jobs_die("signalfd");
}

/* The same seed gives the same trace in the virtual world, or the world has a fault. */
static void compare_repetitions(struct jobs *jobs)
{
    struct report *report = &jobs->running->report;
    for (size_t i = 0; i < report->count; i++) {
        struct report_case *it = &report->cases[i];
        size_t first = i - (size_t)it->repetition;
        bool both = it->verdict == VERDICT_PASSED && report->cases[first].verdict == VERDICT_PASSED;
        if (!both || it->world->bit != SCENARIO_VIRTUAL || jobs->marks[i].trace_hash == jobs->marks[first].trace_hash)
            continue;
        findings_add(&it->findings, 0, SIZE_MAX, "the trace of the first time", "another one",
                     "repeated with the same seed it went another way");
        it->verdict = VERDICT_FAILED;
    }
}

void jobs_close(struct jobs *jobs)
{
    size_t count = jobs->running->report.count;
    if (jobs->terminal)
        report_progress_end(stderr);
    if (jobs->hashed)
        compare_repetitions(jobs);
    sigprocmask(SIG_SETMASK, &jobs->mask_before, NULL);
    close(jobs->signals);
    munmap(jobs->marks, count * sizeof *jobs->marks + 1);
    munmap(jobs->posts, OPTIONS_JOBS_MAX * sizeof *jobs->posts + 1);
    free(jobs->seats);
    free(jobs->order);
    free(jobs->slices);
}

void jobs_push_slice(struct jobs *jobs, struct slice slice)
{
    if (jobs->slice_count == jobs->slice_capacity) {
        jobs->slice_capacity = jobs->slice_capacity * 2 + 64;
        jobs->slices = must(realloc(jobs->slices, jobs->slice_capacity * sizeof *jobs->slices));
    }
    jobs->slices[jobs->slice_count++] = slice;
}

int64_t jobs_limit_us(const struct jobs *jobs, const struct report_case *it)
{
    int64_t asked_us = jobs->running->options.timeout_us;
    int64_t limit_us = asked_us > 0 ? asked_us : it->scenario->timeout_us;
    return limit_us + jobs->running->options.crash_images * CRASH_IMAGE_US;
}

void jobs_tell_done(struct jobs *jobs, const struct report_case *it)
{
    jobs->done++;
    jobs->failed += it->verdict == VERDICT_FAILED || it->verdict == VERDICT_BROKEN;
    jobs->latest = it;
}

void jobs_show_progress(struct jobs *jobs)
{
    struct winsize size = {.ws_col = 0};
    int64_t now = now_us();
    if (!jobs->terminal || !jobs->latest || now - jobs->shown_us < SHOW_EVERY_US)
        return;
    jobs->shown_us = now;
    size_t done = jobs->done;
    for (int i = 0; i < jobs->seat_count; i++) {
        if (jobs->seats[i].pid > 0)
            done += atomic_load(&jobs->seats[i].post->at);
    }
    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    char *title = report_title(jobs->latest);
    char *latest = must_format("%s %s", jobs->latest->world->name, title);
    report_progress(stderr, size.ws_col > 0 ? size.ws_col : 80, done, jobs->running->report.count, jobs->failed,
                    latest);
    free(title);
    free(latest);
}
