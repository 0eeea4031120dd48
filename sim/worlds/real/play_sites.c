/* play_sites.c: each system call that quiesce makes, as a site: who makes it, which it is, what it is about, and which
 * of those it is. Sites are written down where somebody asks for them, and go wrong where the scenario says so.
 *
 * Nothing is looked at for what scripts and other programs call. */
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate_calls.h"
#include "parts.h"
#include "play.h"

#define AFTER_US 20000             /* a call that has not come back by then hangs */
#define AFTER_VOLUMES_US 1000000 /* the same, of an operation on a volume */
#define KILLED_WAIT_MS 1000 /* nobody who is killed waits for anything here but a busy machine */
#define TRANSFER_MAX 65536

static const char *const CALLERS[] = {"agent", "guardian", "child"};

/* So many calls by the same caller, of the same name, about the same. */
struct tally {
    char *site;
    int count;
};

enum later_what { LATER_PASS, LATER_SEND, LATER_RESUME };

/* What is to be done when its time has come, or, LATER_SEND, when the thread of `call` makes its next one. */
struct later {
    struct later *next;
    int64_t due_us;
    enum later_what what;
    const struct scenario_call *given;
    struct gate_call call;
    int listener;
};

struct play_sites {
    FILE *record; /* NULL: nobody asked */
    struct tally *tallies;
    size_t tally_count;
    struct later *later;
};

/* ---- Recording -------------------------------------------------------------------------------------------------- */

static int count_site(struct play_sites *sites, const char *site)
{
    for (size_t i = sites->tally_count; i > 0; i--) {
        if (strcmp(sites->tallies[i - 1].site, site) == 0)
            return ++sites->tallies[i - 1].count;
    }
    if (sites->tally_count % 256 == 0)
        sites->tallies = realloc(sites->tallies, (sites->tally_count + 256) * sizeof *sites->tallies);
    char *copy = strdup(site);
    if (!sites->tallies || !copy)
        abort();
    sites->tallies[sites->tally_count++] = (struct tally){copy, 1};
    return 1;
}

/* "agent TAB openat TAB /etc/azure/… TAB 2": the second one of these. What the loader calls before there is a program
 * is counted, but not written down: nothing is done yet that could go wrong. */
static void record(struct play_sites *sites, enum scenario_caller by, const char *name, const char *about,
                   const struct gate_call *call)
{
    char site[GATE_ABOUT_MAX + 64];
    snprintf(site, sizeof site, "%s\t%s\t%s", CALLERS[by], name, about);
    int nth = count_site(sites, site);
    if (!gate_call_is_loaders(call))
        fprintf(sites->record, "%s\t%d\n", site, nth);
}

/* ---- Later ------------------------------------------------------------------------------------------------------ */

static void do_later(struct play_sites *sites, enum later_what what, int64_t after_us,
                     const struct scenario_call *given, int listener, const struct gate_call *call)
{
    struct later *later = allocate(1, sizeof *later);
    *later = (struct later){.next = sites->later, .due_us = play_now_us() + after_us, .what = what, .given = given,
                            .call = *call, .listener = listener};
    sites->later = later;
}

static void send_now(struct play *play, const struct scenario_call *given, const struct gate_call *call)
{
    play_send(play, given->target, given->signal);
    if (given->resume_us > 0)
        do_later(play->sites, LATER_RESUME, given->resume_us, given, -1, call);
}

static bool is_volumes(const struct gate_call *call)
{
    return call->call == SYS_ioctl || call->call == SYS_syncfs;
}

/* It fails, where an operation on a volume is told as one that failed; without an error, it is done. */
static void end_call(struct play *play, int listener, const struct gate_call *call, int error)
{
    if (error && !is_volumes(call))
        gate_fail(listener, call, error);
    else
        play_pass_call(play, listener, call, error);
}

static void carry_out(struct play *play, const struct later *later)
{
    switch (later->what) {
    case LATER_PASS: end_call(play, later->listener, &later->call, later->given->error); break;
    case LATER_SEND: send_now(play, later->given, &later->call); break;
    case LATER_RESUME: play_send(play, later->given->target, SIGCONT); break;
    }
}

/* Does what is due, and what was to come before the next call of `thread`. */
static void do_due(struct play *play, pid_t thread)
{
    int64_t now_us = play_now_us();
    for (struct later **place = &play->sites->later; *place;) {
        struct later *later = *place;
        if (later->due_us > now_us && !(later->what == LATER_SEND && later->call.pid == thread)) {
            place = &later->next;
            continue;
        }
        *place = later->next;
        carry_out(play, later);
        free(later);
        place = &play->sites->later; /* it may have got a new beginning */
    }
}

/* ---- A transfer that goes no further ---------------------------------------------------------------------------- */

/* Does it on the process's behalf. Returns what it came to; -1: it is not to be had without waiting, or not that
 * way. */
static ssize_t transfer(const struct gate_call *call, int descriptor, size_t size)
{
    char bytes[TRANSFER_MAX];
    off_t at = (off_t)call->arguments[3];
    bool reads = call->call == SYS_read || call->call == SYS_pread64;
    struct pollfd ready = {.fd = descriptor, .events = reads ? POLLIN : POLLOUT};
    if (poll(&ready, 1, 0) <= 0 || (!reads && gate_read(call, call->arguments[1], bytes, size) != 0))
        return -1;
    ssize_t done = call->call == SYS_read     ? read(descriptor, bytes, size)
                   : call->call == SYS_pread64 ? pread(descriptor, bytes, size, at)
                   : call->call == SYS_write   ? write(descriptor, bytes, size)
                                               : pwrite(descriptor, bytes, size, at);
    if (reads && done > 0 && gate_write(call, call->arguments[1], bytes, (size_t)done) != 0)
        return -1;
    return done;
}

/* Only what is a stream of bytes, whoever reads or writes it, and nothing on a volume, which could be frozen. */
static bool can_be_cut(struct play *play, const struct gate_call *call, int descriptor)
{
    struct stat facts;
    char about[GATE_ABOUT_MAX];
    bool writes = call->call == SYS_write || call->call == SYS_pwrite64;
    if (fstat(descriptor, &facts) != 0 || !(S_ISREG(facts.st_mode) || S_ISFIFO(facts.st_mode)) ||
        sandbox_volume_of(&play->sandbox, descriptor))
        return false;
    gate_call_about(call, play->sandbox.root, about);
    return !writes || (strncmp(about, "/proc/", 6) != 0 && strncmp(about, "/sys/", 5) != 0);
}

/* True: the call is answered. */
static bool cut(struct play *play, int listener, const struct gate_call *call, size_t size)
{
    int descriptor = -1;
    bool transfers = call->call == SYS_read || call->call == SYS_write || call->call == SYS_pread64 ||
                     call->call == SYS_pwrite64;
    if (!transfers || call->arguments[2] <= size || size > TRANSFER_MAX ||
        gate_descriptor(call, (int)call->arguments[0], &descriptor) != 0)
        return false;
    ssize_t done = can_be_cut(play, call, descriptor) ? transfer(call, descriptor, size) : -1;
    close(descriptor);
    if (done >= 0)
        gate_return(listener, call, done);
    return done >= 0;
}

/* ---- Going wrong ------------------------------------------------------------------------------------------------ */

/* The scenario's row that this call is the turn of; NULL: none. */
static const struct scenario_call *find_given(struct play *play, enum scenario_caller by, const char *name,
                                              const char *about)
{
    const struct scenario_call *found = NULL;
    for (size_t i = 0; i < play->scenario->call_count; i++) {
        const struct scenario_call *given = &play->scenario->calls[i];
        if (given->by != by || strcmp(given->call, name) != 0 || (given->about && fnmatch(given->about, about, 0) != 0))
            continue;
        int match = ++play->outcome->call_matches[i];
        if (!found && (given->nth == 0 || given->nth == match))
            found = given;
    }
    return found;
}

/* Is it the caller who is killed? */
static bool is_hit(const struct scenario_call *given)
{
    return given->target & (given->by == SCENARIO_BY_AGENT      ? SCENARIO_AGENT
                            : given->by == SCENARIO_BY_GUARDIAN ? SCENARIO_GUARDIAN
                                                                : 0);
}

/* Whoever was killed at a call does not make it. True: its caller is gone. */
static bool await_end(int listener, const struct gate_call *call)
{
    for (int waited_ms = 0; waited_ms < KILLED_WAIT_MS && gate_waits(listener, call); waited_ms++)
        usleep(1000);
    return !gate_waits(listener, call);
}

/* True: the call is answered, or will be. */
static bool go_wrong(struct play *play, const struct scenario_call *given, int listener, const struct gate_call *call)
{
    if (given->signal && given->after)
        do_later(play->sites, LATER_SEND, is_volumes(call) ? AFTER_VOLUMES_US : AFTER_US, given, listener, call);
    else if (given->signal)
        send_now(play, given, call);
    if (given->signal == SIGKILL && !given->after && is_hit(given))
        return await_end(listener, call);
    if (given->delay_us > 0)
        do_later(play->sites, LATER_PASS, given->delay_us, given, listener, call);
    else if (given->error)
        end_call(play, listener, call, given->error);
    else
        return given->transfers > 0 && cut(play, listener, call, (size_t)given->transfers);
    return true;
}

/* Can it be any row's turn? Who makes it, and what it is about, need not be looked for otherwise. */
static bool is_awaited(const struct play *play, const char *name)
{
    bool awaited = play->sites->record != NULL;
    for (size_t i = 0; name && !awaited && i < play->scenario->call_count; i++)
        awaited = strcmp(play->scenario->calls[i].call, name) == 0;
    return awaited;
}

bool play_sites_take(struct play *play, int listener, const struct gate_call *call)
{
    enum scenario_caller by;
    char about[GATE_ABOUT_MAX], unknown[32];
    if (!play->sites)
        return false;
    do_due(play, call->pid);
    const char *name = gate_call_name(call->call);
    if (!is_awaited(play, name) || !play_process_calls(play, call, &by))
        return false;
    snprintf(unknown, sizeof unknown, "%d", call->call);
    gate_call_about(call, play->sandbox.root, about);
    if (play->sites->record)
        record(play->sites, by, name ? name : unknown, about, call);
    const struct scenario_call *given = name ? find_given(play, by, name, about) : NULL;
    if (!given)
        return false;
    play_note(play, "%s(%s) by %s goes wrong", name, about, CALLERS[by]);
    return go_wrong(play, given, listener, call);
}

/* ---- From turn to turn ------------------------------------------------------------------------------------------ */

void play_sites_begin(struct play *play)
{
    if (!play->settings->calls && play->scenario->call_count == 0)
        return;
    play->sites = allocate(1, sizeof *play->sites);
    play->outcome->call_matches = allocate(play->scenario->call_count, sizeof *play->outcome->call_matches);
    play->sites->record = play->settings->calls ? fopen(play->settings->calls, "we") : NULL;
    if (play->settings->calls && !play->sites->record)
        abort();
}

void play_sites_turn(struct play *play)
{
    if (play->sites)
        do_due(play, 0);
}

int64_t play_sites_due_us(const struct play *play)
{
    int64_t due_us = PLAY_NEVER;
    for (const struct later *later = play->sites ? play->sites->later : NULL; later; later = later->next)
        due_us = later->due_us < due_us ? later->due_us : due_us;
    return due_us;
}

void play_sites_end(struct play *play)
{
    struct play_sites *sites = play->sites;
    if (!sites)
        return;
    while (sites->later) {
        struct later *later = sites->later;
        sites->later = later->next;
        free(later);
    }
    for (size_t i = 0; i < sites->tally_count; i++)
        free(sites->tallies[i].site);
    if (sites->record)
        fclose(sites->record);
    free(sites->tallies);
    free(sites);
    play->sites = NULL;
}
