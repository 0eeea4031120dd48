/* play_worlds.c: the rows of the two real worlds, and whether they can be had here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play.h"

/* Can a process be put behind a gate? In a child, for there is no way back from a filter. */
static bool has_gate(void)
{
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
        return false;
    pid_t child = fork();
    if (child == 0)
        _exit(gate_install(&(struct gate_filter){.calls = NULL}, channel[1]) != 0);
    int status = 1;
    bool ended = child > 0 && waitpid(child, &status, 0) == child;
    close(channel[0]);
    close(channel[1]);
    return ended && status == 0;
}

/* What both worlds need. */
static const char *lacks_any(void)
{
    if (geteuid() != 0)
        return "not root";
    if (access("/dev/loop-control", R_OK | W_OK) != 0)
        return "no /dev/loop-control";
    return has_gate() ? NULL : "no seccomp user notification";
}

static const char *lacks_loop(void)
{
    return lacks_any();
}

static const char *lacks_fake(void)
{
    const char *lacks = lacks_any();
    return lacks || access("/dev/fuse", R_OK | W_OK) == 0 ? lacks : "no /dev/fuse";
}

static const char *cannot_in(const struct scenario *scenario, enum scenario_world world)
{
    if (scenario->worlds & world)
        return NULL;
    const char *why = scenario->why_not[__builtin_ctz(world)];
    return why ? why : "the scenario leaves this world out";
}

static const char *cannot_loop(const struct scenario *scenario)
{
    return cannot_in(scenario, SCENARIO_LOOP);
}

static const char *cannot_fake(const struct scenario *scenario)
{
    return cannot_in(scenario, SCENARIO_FAKE);
}

static void play_loop(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome)
{
    play_real(scenario, settings, false, outcome);
}

static void play_fake(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome)
{
    play_real(scenario, settings, true, outcome);
}

const struct world world_loop = {"loop", SCENARIO_LOOP, lacks_loop, cannot_loop, play_loop};
const struct world world_fake = {"fake", SCENARIO_FAKE, lacks_fake, cannot_fake, play_fake};
