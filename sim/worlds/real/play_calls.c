/* play_calls.c: what each gated call means. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate_calls.h"
#include "parts.h"
#include "play.h"

#define CAP_SYS_ADMIN_BIT 21

/* ---- Holding and answering -------------------------------------------------------------------------------------- */

void held_take(struct held *held)
{
    if (held)
        held->holds++;
}

void held_let_go(struct play *play, struct held *held)
{
    if (held && --held->holds == 0)
        held->go_on(play, held);
}

/* Whether the process still waits for an answer makes no difference: what was done, was done. */
static void let_continue(struct play *play, struct held *held)
{
    (void)play;
    gate_continue(held->listener, &held->call);
    free(held);
}

static void refuse(struct held *held, int error)
{
    gate_fail(held->listener, &held->call, error);
    free(held);
}

/* ---- Processes -------------------------------------------------------------------------------------------------- */

/* What the kernel does not take for a program (ENOEXEC) is given to a shell: it is still that file which is run. */
static void look_behind_shell(const struct held *held, uint64_t words, char path[PATH_MAX])
{
    uint64_t word = 0;
    char file[PATH_MAX];
    if (strcmp(path, "/bin/sh") == 0 && gate_read(&held->call, words + sizeof word, &word, sizeof word) == 0 && word &&
        gate_string(&held->call, word, file, sizeof file) == 0 && file[0] == '/')
        strcpy(path, file);
}

static void execute(struct play *play, struct held *held, const uint64_t *arguments)
{
    char path[PATH_MAX];
    if (gate_string(&held->call, arguments[0], path, sizeof path) == 0) {
        look_behind_shell(held, arguments[1], path);
        play_process_executes(play, held, path, arguments[2]);
    }
    held_let_go(play, held);
}

static void on_execve(struct play *play, struct held *held)
{
    execute(play, held, held->call.arguments);
}

static void on_execveat(struct play *play, struct held *held)
{
    execute(play, held, held->call.arguments + 1);
}

static void on_exit_group(struct play *play, struct held *held)
{
    play_process_exits(play, held, (int)held->call.arguments[0] & 0xff);
    held_let_go(play, held);
}

static bool gives_a_name(const struct gate_call *call)
{
    return call->arguments[0] == PR_SET_NAME;
}

static bool freezes_or_thaws(const struct gate_call *call)
{
    unsigned request = (unsigned)call->arguments[1];
    return request == (unsigned)FIFREEZE || request == (unsigned)FITHAW;
}

static void on_prctl(struct play *play, struct held *held)
{
    play_process_names_itself(play, held);
    held_let_go(play, held);
}

/* ---- Volumes ---------------------------------------------------------------------------------------------------- */

/* May it freeze? What is done on its behalf is done with the player's rights. */
static bool has_rights(pid_t process)
{
    PATH_OF(path, "/proc/%d/status", (int)process);
    unsigned long long capabilities = 0;
    FILE *file = fopen(path, "re");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "CapEff: %llx", &capabilities) == 1)
            break;
    }
    if (file)
        fclose(file);
    return capabilities >> CAP_SYS_ADMIN_BIT & 1;
}

/* Somebody reached for a filesystem that the scenario did not make: the scenario fails loudly. */
static void note_refused(struct play *play, const struct held *held, int descriptor)
{
    char path[PATH_MAX] = "?";
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 1] = '\0';
    const char *what = (unsigned)held->call.arguments[1] == (unsigned)FIFREEZE ? "FIFREEZE" : "FITHAW";
    play_note(play, "refused: %s of %s by process %d", what, path, (int)held->process);
    if (!play->outcome->refused && asprintf(&play->outcome->refused, "%s of %s", what, path) < 0)
        abort();
}

static void on_ioctl(struct play *play, struct held *held)
{
    int descriptor = -1;
    int error = gate_descriptor(&held->call, (int)held->call.arguments[0], &descriptor);
    struct sandbox_volume *volume = error ? NULL : sandbox_volume_of(&play->sandbox, descriptor);
    if (!error && !volume) {
        note_refused(play, held, descriptor);
        error = EPERM;
    }
    if (!error && !has_rights(held->process))
        error = EPERM;
    if (descriptor >= 0)
        close(descriptor);
    if (error) {
        refuse(held, error);
        return;
    }
    bool freezes = (unsigned)held->call.arguments[1] == (unsigned)FIFREEZE;
    if (freezes && !play->looked_for_leftovers)
        play_find_leftovers(play, NULL);
    play->looked_for_leftovers = freezes;
    enum trace_role role = play_caller_role(play, held);
    /* Who was killed before its call was looked at does not make it, and is nobody's any more. */
    if (role == TRACE_OTHER && !gate_waits(held->listener, &held->call))
        refuse(held, EINTR);
    else
        play_operate(play, held, volume, freezes ? TRACE_FREEZE : TRACE_THAW, role);
}

/* Only quiesce's own are told; everybody else's concern nobody. */
static void on_syncfs(struct play *play, struct held *held)
{
    int descriptor = -1;
    enum trace_role role = play_caller_role(play, held);
    bool ours = role != TRACE_OTHER && gate_descriptor(&held->call, (int)held->call.arguments[0], &descriptor) == 0;
    struct sandbox_volume *volume = ours ? sandbox_volume_of(&play->sandbox, descriptor) : NULL;
    if (descriptor >= 0)
        close(descriptor);
    if (volume)
        play_operate(play, held, volume, TRACE_SYNC, role);
    else
        held_let_go(play, held);
}

static void on_openat(struct play *play, struct held *held)
{
    int table = play_open_mounts(play, held);
    if (table < 0) {
        held_let_go(play, held);
        return;
    }
    gate_return_descriptor(held->listener, &held->call, table, held->call.arguments[2] & O_CLOEXEC);
    close(table);
    free(held);
}

/* ---- Which is which --------------------------------------------------------------------------------------------- */

/* `concerns`: false: it goes on, and nothing is looked at for it (there are hundreds of opens); NULL: always true.
 * `take` lets go of the call, or answers it. */
static const struct gated {
    int call;
    bool only_fake;
    bool (*concerns)(const struct gate_call *call);
    void (*take)(struct play *play, struct held *held);
} GATED[] = {
    {SYS_execve, false, NULL, on_execve},
    {SYS_execveat, false, NULL, on_execveat},
    {SYS_exit_group, false, NULL, on_exit_group},
    {SYS_prctl, false, gives_a_name, on_prctl},
    {SYS_syncfs, false, NULL, on_syncfs},
    {SYS_openat, true, play_opens_mounts, on_openat}, /* those to read only, or each one that is in the list above */
    {SYS_ioctl, false, freezes_or_thaws, on_ioctl}, /* the gate's own */
    {-1, false, NULL, NULL},
};

/* Only the calls that go wrong need to be held for it, unless what comes after one of them, whatever it is, matters. */
static bool needs_every_call(const struct play *play)
{
    bool every = play->settings->calls != NULL;
    for (size_t i = 0; i < play->scenario->call_count; i++)
        every |= play->scenario->calls[i].after;
    return every || play->scenario->call_count > GATE_CALLS_MAX - sizeof GATED / sizeof GATED[0];
}

struct gate_filter play_gated_calls(const struct play *play, int *calls)
{
    if (needs_every_call(play))
        return (struct gate_filter){.calls = calls, .count = gate_free_calls(calls), .all_others = true};
    size_t count = 0;
    for (size_t i = 0; i < play->scenario->call_count; i++)
        calls[count++] = gate_call_number(play->scenario->calls[i].call);
    for (const struct gated *gated = GATED; gated->take; gated++) {
        if (gated->call != SYS_ioctl && gated->call != SYS_openat)
            calls[count++] = gated->call;
    }
    return (struct gate_filter){.calls = calls, .count = count, .opens_to_read = play->sandbox.fake};
}

void play_pass_call(struct play *play, int listener, const struct gate_call *call, int error)
{
    const struct gated *gated = GATED;
    while (gated->take && gated->call != call->call)
        gated++;
    if (!gated->take || (gated->only_fake && !play->sandbox.fake) || (gated->concerns && !gated->concerns(call))) {
        gate_continue(listener, call);
        return;
    }
    struct held *held = allocate(1, sizeof *held);
    *held = (struct held){.call = *call, .listener = listener, .holds = 1, .go_on = let_continue, .error = error};
    /* A thread that is the only one of its process has its number. */
    held->process = play_process_find(play, call->pid) ? call->pid : gate_process(call);
    gated->take(play, held);
}

void play_take_call(struct play *play, int listener)
{
    struct gate_call call;
    if (gate_next(listener, &call) == 0 && !play_sites_take(play, listener, &call))
        play_pass_call(play, listener, &call, 0);
}
