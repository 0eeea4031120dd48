/* jobs.c: the pool of player processes.
 *
 * Each player gets a slice of the cases, plays one after the other, and leaves a mark for each in shared memory: that
 * is all that a case costs that passed and has nothing to tell. What has more to tell is a line of JSON in a pipe.
 * A player that crashes, hangs or is killed fails the case it was at; the rest of its slice goes to another one. Real
 * worlds have one player a case, as each becomes the master of namespaces; the virtual one has slices of many. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jobs.h"

#define BATCH_MAX 2048
#define REAL_JOBS 16
#define TICK_MS 100
#define GRACE_US INT64_C(10000000) /* from being told to end to being killed */
#define SETTLE_US INT64_C(2000000) /* for the player of a real world to end by itself, and to tell how far it came */
#define NOISE_MAX 16384            /* the last so many bytes of a player's standard error are kept */

/* ---- A player's process ----------------------------------------------------------------------------------------- */

static enum wire_detail detail_for(const struct jobs *jobs, const struct report_case *it)
{
    if (it->verdict == VERDICT_FAILED || it->verdict == VERDICT_BROKEN || jobs->tell_all)
        return WIRE_ALL;
    return it->compared || it->outcome.crash_count > 0 ? WIRE_STEPS : WIRE_NOTHING;
}

static void write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno != EINTR)
            _exit(1); /* nobody listens */
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
}

static void tell(const struct jobs *jobs, const struct report_case *it, size_t index, int told)
{
    enum wire_detail detail = detail_for(jobs, it);
    if (detail == WIRE_NOTHING && it->outcome.longest_stall_us == 0)
        return;
    char *line = wire_encode(it, index, detail);
    write_all(told, line, strlen(line));
    write_all(told, "\n", 1);
    free(line);
}

static void play_slice(struct jobs *jobs, const struct seat *seat, int told)
{
    for (size_t i = 0; i < seat->slice.count; i++) {
        size_t index = jobs->order[seat->slice.first + i];
        struct report_case it = jobs->running->report.cases[index];
        struct mark *mark = &jobs->marks[index];
        mark->start_us = now_us();
        atomic_store(&seat->post->since_us, mark->start_us);
        atomic_store(&seat->post->at, i);
        it.verdict = player_play(jobs->running, &it, index);
        if (jobs->hashed)
            mark->trace_hash = player_trace_hash(&it.outcome.trace);
        tell(jobs, &it, index, told);
        mark->duration_us = now_us() - mark->start_us;
        mark->verdict = (unsigned char)it.verdict;
        report_case_free(&it);
    }
}

/* The child's side of a fork: nothing of the parent's is used on, and with it this process ends, too. */
static _Noreturn void become_player(struct jobs *jobs, const struct seat *seat, int told, int noise, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0); /* Ctrl-C is the parent's, who tells us */
    dup2(nothing, STDIN_FILENO);
    dup2(noise, STDOUT_FILENO);
    dup2(noise, STDERR_FILENO);
    for (int i = 0; i < jobs->seat_count; i++) {
        if (jobs->seats[i].pid > 0) {
            close(jobs->seats[i].pidfd);
            close(jobs->seats[i].told);
            close(jobs->seats[i].noise);
        }
    }
    close(jobs->signals);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &jobs->mask_before, NULL);
    play_slice(jobs, seat, told);
    fflush(NULL);
    _exit(0);
}

static void start_player(struct jobs *jobs, struct seat *seat)
{
    int told[2];
    int noise[2];
    pid_t parent = getpid();
    seat->slice = jobs->slices[--jobs->slice_count];
    if (pipe2(told, O_CLOEXEC) != 0 || pipe2(noise, O_CLOEXEC) != 0)
        jobs_die("pipe2");
    atomic_store(&seat->post->at, 0);
    atomic_store(&seat->post->since_us, now_us());
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        jobs_die("fork");
    if (pid == 0)
        become_player(jobs, seat, told[1], noise[1], parent);
    close(told[1]);
    close(noise[1]);
    fcntl(told[0], F_SETFL, O_NONBLOCK);
    fcntl(noise[0], F_SETFL, O_NONBLOCK);
    seat->pid = pid;
    seat->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (seat->pidfd < 0)
        jobs_die("pidfd_open");
    seat->told = told[0];
    seat->noise = noise[0];
    seat->ending_us = 0;
    seat->timed_out = false;
    seat->killed = false;
}

/* ---- What comes back -------------------------------------------------------------------------------------------- */

static void take_lines(struct jobs *jobs, struct seat *seat)
{
    char *line = seat->line.bytes;
    for (char *end = line ? strchr(line, '\n') : NULL; end; end = strchr(line, '\n')) {
        *end = '\0';
        wire_decode(&jobs->running->report, line);
        line = end + 1;
    }
    if (line && line != seat->line.bytes) {
        size_t rest = seat->line.size - (size_t)(line - seat->line.bytes);
        memmove(seat->line.bytes, line, rest + 1);
        seat->line.size = rest;
    }
}

/* Reads what is there. */
static void drain(int file, struct qz_text *text, size_t most)
{
    char bytes[65536];
    ssize_t size;
    while ((size = read(file, bytes, sizeof bytes)) > 0) {
        qz_text_add_bytes(text, bytes, (size_t)size);
        if (most > 0 && text->size > most) {
            memmove(text->bytes, text->bytes + text->size - most, most + 1);
            text->size = most;
        }
        must(text->bytes);
    }
}

static void drain_seat(struct jobs *jobs, struct seat *seat)
{
    drain(seat->told, &seat->line, 0);
    take_lines(jobs, seat);
    drain(seat->noise, &seat->noisy, NOISE_MAX);
}

/* ---- The end of a player ---------------------------------------------------------------------------------------- */

static void add_noise(struct seat *seat, struct report_case *it)
{
    bool bad = it->verdict == VERDICT_FAILED || it->verdict == VERDICT_BROKEN;
    if (bad && !it->noise && seat->noisy.size > 0)
        it->noise = must(strdup(seat->noisy.bytes));
}

static void add_timeout(struct jobs *jobs, struct report_case *it)
{
    char expected[64];
    snprintf(expected, sizeof expected, "the end within %.3g s", (double)jobs_limit_us(jobs, it) / 1e6);
    findings_add(&it->findings, 0, SIZE_MAX, expected, "still playing", "it ran out of time");
    it->verdict = VERDICT_FAILED;
}

static void tell_done(struct jobs *jobs, size_t index)
{
    jobs_tell_done(jobs, &jobs->running->report.cases[index]);
    if (jobs->running->done)
        jobs->running->done(jobs->running, index);
}

/* A case that came to its end, whatever that was. */
static void finish_case(struct jobs *jobs, struct seat *seat, size_t index)
{
    struct report_case *it = &jobs->running->report.cases[index];
    const struct mark *mark = &jobs->marks[index];
    it->verdict = (enum verdict)mark->verdict;
    it->start_us = mark->start_us - jobs->start_us;
    it->duration_us = mark->duration_us;
    if (seat->timed_out)
        add_timeout(jobs, it);
    add_noise(seat, it);
    tell_done(jobs, index);
}

/* The case at which the player ended before its time. */
static void finish_lost_case(struct jobs *jobs, struct seat *seat, size_t index, int status)
{
    struct report_case *it = &jobs->running->report.cases[index];
    it->start_us = atomic_load(&seat->post->since_us) - jobs->start_us;
    it->duration_us = now_us() - atomic_load(&seat->post->since_us);
    it->verdict = VERDICT_FAILED;
    if (seat->timed_out)
        add_timeout(jobs, it);
    else if (WIFSIGNALED(status))
        findings_add(&it->findings, 0, SIZE_MAX, "it comes to its end", "it died", "the player died by SIG%s",
                     trace_signal_name(WTERMSIG(status)));
    else
        findings_add(&it->findings, 0, SIZE_MAX, "it comes to its end", "it ended", "the player ended with status %d",
                     WEXITSTATUS(status));
    add_noise(seat, it);
    tell_done(jobs, index);
}

static void forget_case(struct report_case *it)
{
    struct report_case fresh = {.scenario = it->scenario, .world = it->world, .repetition = it->repetition,
                                .compared = it->compared};
    report_case_free(it);
    *it = fresh;
}

static void finish_slice(struct jobs *jobs, struct seat *seat, int status)
{
    const struct slice *slice = &seat->slice;
    size_t i = 0;
    for (; i < slice->count && jobs->marks[jobs->order[slice->first + i]].verdict != VERDICT_NOT_RUN; i++) {
        size_t index = jobs->order[slice->first + i];
        if (jobs->interrupted && seat->ending_us && i == slice->count - 1)
            forget_case(&jobs->running->report.cases[index]); /* it may have ended as it did because of that */
        else
            finish_case(jobs, seat, index);
    }
    if (i == slice->count)
        return;
    if (!jobs->interrupted) {
        finish_lost_case(jobs, seat, jobs->order[slice->first + i], status);
        if (i + 1 < slice->count)
            jobs_push_slice(jobs, (struct slice){slice->first + i + 1, slice->count - i - 1});
    }
    places_clean_up(jobs->running, jobs->order[slice->first + i]);
}

static void end_player(struct jobs *jobs, struct seat *seat)
{
    int status = 0;
    while (waitpid(seat->pid, &status, 0) < 0 && errno == EINTR)
        ;
    drain_seat(jobs, seat);
    finish_slice(jobs, seat, status);
    close(seat->pidfd);
    close(seat->told);
    close(seat->noise);
    qz_text_free(&seat->line);
    qz_text_free(&seat->noisy);
    seat->pid = 0;
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

/* Told to end, a real world's player cleans up first; a virtual one has nothing to clean up. */
static void send_end(struct seat *seat, int signal_number)
{
    if (!seat->ending_us)
        seat->ending_us = now_us();
    kill(seat->pid, signal_number);
}

static void look_at_clock(struct jobs *jobs, struct seat *seat)
{
    size_t at = atomic_load(&seat->post->at);
    const struct report_case *it = &jobs->running->report.cases[jobs->order[seat->slice.first + at]];
    int64_t now = now_us();
    bool is_virtual = it->world->bit == SCENARIO_VIRTUAL;
    int64_t limit_us = jobs_limit_us(jobs, it) + (is_virtual ? 0 : SETTLE_US);
    if (!seat->ending_us && now - atomic_load(&seat->post->since_us) > limit_us) {
        seat->timed_out = true;
        send_end(seat, is_virtual ? SIGKILL : SIGTERM);
    }
    if (seat->ending_us && !seat->killed && now - seat->ending_us > GRACE_US) {
        seat->killed = true;
        kill(seat->pid, SIGKILL);
    }
}

/* The first signal ends all players in good order, a second one at once. */
static void take_signal(struct jobs *jobs)
{
    struct signalfd_siginfo info;
    if (read(jobs->signals, &info, sizeof info) != sizeof info)
        return;
    bool again = jobs->interrupted != 0;
    if (!again)
        jobs->interrupted = (int)info.ssi_signo;
    jobs->slice_count = 0;
    for (int i = 0; i < jobs->seat_count; i++) {
        if (jobs->seats[i].pid > 0)
            send_end(&jobs->seats[i], again ? SIGKILL : SIGTERM);
    }
}

/* ---- The loop --------------------------------------------------------------------------------------------------- */

static bool fill_seats(struct jobs *jobs)
{
    bool any = false;
    if (jobs->running->until_us > 0 && now_us() >= jobs->running->until_us)
        jobs->slice_count = 0;
    for (int i = 0; i < jobs->seat_count; i++) {
        if (jobs->seats[i].pid == 0 && jobs->slice_count > 0)
            start_player(jobs, &jobs->seats[i]);
        any = any || jobs->seats[i].pid > 0;
    }
    return any;
}

static void wait_for_something(struct jobs *jobs, struct pollfd *polled)
{
    int count = jobs->seat_count;
    polled[0] = (struct pollfd){.fd = jobs->signals, .events = POLLIN};
    for (int i = 0; i < count; i++) {
        const struct seat *seat = &jobs->seats[i];
        bool taken = seat->pid > 0;
        polled[1 + i] = (struct pollfd){.fd = taken ? seat->pidfd : -1, .events = POLLIN};
        polled[1 + count + i] = (struct pollfd){.fd = taken ? seat->told : -1, .events = POLLIN};
        polled[1 + 2 * count + i] = (struct pollfd){.fd = taken ? seat->noise : -1, .events = POLLIN};
    }
    poll(polled, (nfds_t)(1 + 3 * count), TICK_MS);
}

static void work_off(struct jobs *jobs)
{
    int count = jobs->seat_count;
    struct pollfd *polled = must(calloc((size_t)(1 + 3 * count), sizeof *polled));
    while (fill_seats(jobs)) {
        wait_for_something(jobs, polled);
        if (polled[0].revents)
            take_signal(jobs);
        for (int i = 0; i < count; i++) {
            struct seat *seat = &jobs->seats[i];
            if (polled[1 + i].revents)
                end_player(jobs, seat);
            else if (polled[1 + count + i].revents || polled[1 + 2 * count + i].revents)
                drain_seat(jobs, seat);
            if (seat->pid > 0)
                look_at_clock(jobs, seat);
        }
        jobs_show_progress(jobs);
    }
    free(polled);
}

/* ---- Cutting ---------------------------------------------------------------------------------------------------- */

/* Plays those of the cases that are of the virtual world, or those that are not. */
static void play_kind(struct jobs *jobs, bool is_virtual)
{
    const struct report *report = &jobs->running->report;
    int asked = jobs->running->options.jobs;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++) {
        if (report->cases[i].verdict == VERDICT_NOT_RUN &&
            (report->cases[i].world->bit == SCENARIO_VIRTUAL) == is_virtual && !report->cases[i].why)
            jobs->order[count++] = i;
    }
    jobs->seat_count = asked ? asked : is_virtual ? (int)(cpus > 0 ? cpus : 1) : REAL_JOBS;
    size_t batch = is_virtual ? count / ((size_t)jobs->seat_count * 4) + 1 : 1;
    batch = batch > BATCH_MAX ? BATCH_MAX : batch;
    /* The last slice is taken first. */
    for (size_t slices = (count + batch - 1) / batch; slices > 0; slices--) {
        size_t first = (slices - 1) * batch;
        jobs_push_slice(jobs, (struct slice){first, count - first < batch ? count - first : batch});
    }
    work_off(jobs);
}

int jobs_run(struct running *running)
{
    struct jobs jobs;
    jobs_open(&jobs, running);
    play_kind(&jobs, true);
    if (!jobs.interrupted)
        play_kind(&jobs, false);
    jobs_close(&jobs);
    return jobs.interrupted;
}
