/* worlds.c: in which worlds can a scenario be played, by what it asks for? */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "read.h"

struct finding_worlds {
    struct scenario_memory *memory;
    struct scenario *scenario;
};

const char *scenario_world_name(enum scenario_world world)
{
    return world == SCENARIO_VIRTUAL ? "virtual" : world == SCENARIO_FAKE ? "fake" : "loop";
}

/* Only `worlds` have what is asked for; the first reason against a world is the one that is told. */
__attribute__((format(printf, 3, 4))) static void only(struct finding_worlds *finding, unsigned worlds,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    for (size_t i = 0; i < SCENARIO_WORLD_COUNT; i++) {
        char text[256];
        if (worlds & 1u << i || finding->scenario->why_not[i])
            continue;
        va_list copy;
        va_copy(copy, arguments);
        vsnprintf(text, sizeof text, format, copy);
        va_end(copy);
        finding->scenario->why_not[i] = scenario_copy(finding->memory, text, strlen(text));
    }
    va_end(arguments);
}

#define NOT_VIRTUAL (SCENARIO_FAKE | SCENARIO_LOOP)
#define NOT_FAKE (SCENARIO_VIRTUAL | SCENARIO_LOOP)
#define NOT_LOOP (SCENARIO_VIRTUAL | SCENARIO_FAKE)

static void look_at_volume(struct finding_worlds *finding, const struct scenario_volume *volume)
{
    only(finding, scenario_fstype(volume->type)->worlds, "it has no %s (%s)", volume->type, volume->mount);
    if (strcmp(volume->mount, "/") == 0)
        only(finding, SCENARIO_VIRTUAL, "its root directory is no volume");
    if (volume->on)
        only(finding, NOT_FAKE, "its volumes have no disks that could lie on one another (%s)", volume->mount);
    if (volume->fill != SCENARIO_EMPTY)
        only(finding, NOT_VIRTUAL, "its volumes are never full (%s)", volume->mount);
    if (volume->recorded)
        only(finding, SCENARIO_LOOP, "it has no recording disk (%s)", volume->mount);
    if (volume->subvolume_count > 0)
        only(finding, SCENARIO_LOOP, "it has no subvolumes (%s)", volume->mount);
    for (const struct scenario_volume *other = finding->scenario->volumes; other != volume; other++) {
        if (other->disk == volume->disk)
            only(finding, SCENARIO_VIRTUAL, "each volume is a disk there (%s, %s)", other->mount, volume->mount);
    }
}

/* Others do what the kernel has them do, which is not simulated. */
static bool is_simulated(int signal_number)
{
    static const int KNOWN[] = {SIGKILL, SIGSTOP, SIGCONT, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (signal_number == KNOWN[i])
            return true;
    }
    return false;
}

/* A disk that a loop device serves cannot be pulled out while it is mounted, but what serves the file below it can
 * fail. */
static void look_at_action(struct finding_worlds *finding, const struct scenario_action *action)
{
    const struct scenario_volume *volume = finding->scenario->volumes;
    if (action->kind == SCENARIO_OTHER_QUIESCE)
        only(finding, NOT_VIRTUAL, "it has one quiesce at a time");
    if (action->kind == SCENARIO_SEND && !is_simulated(action->signal))
        only(finding, NOT_VIRTUAL, "it does not know what comes of SIG%s", sigabbrev_np(action->signal));
    for (size_t i = 0; action->kind == SCENARIO_LOSE_DISK && i < finding->scenario->volume_count; i++) {
        if (strcmp(volume[i].mount, action->volume) == 0 && !volume[i].recorded)
            only(finding, NOT_LOOP, "only a recorded disk can be lost there (%s)", action->volume);
    }
}

static void look_at_attempts(struct finding_worlds *finding, const struct scenario_attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (attempts[i].reads)
            only(finding, NOT_VIRTUAL, "nobody reads there (%s)", attempts[i].reads);
    }
}

static void look_at_script(struct finding_worlds *finding, const struct scenario_script *script)
{
    look_at_attempts(finding, script->attempts, script->attempt_count);
    if (script->file.kind == SCENARIO_FILE && script->file.text)
        only(finding, NOT_VIRTUAL, "it cannot run %s, a program that is written out", script->file.path);
}

/* What only the machine that is simulated can be told to do. */
static void look_at_storm(struct finding_worlds *finding)
{
    const struct scenario *scenario = finding->scenario;
    if (scenario->blow_count > 0)
        only(finding, SCENARIO_VIRTUAL, "the program's own operations cannot be struck there (blows)");
    if (scenario->oracle)
        only(finding, SCENARIO_VIRTUAL, "it has no oracle");
    for (size_t i = 0; i < scenario->fault_count; i++) {
        if (scenario->faults[i].hang != SCENARIO_HANGS_BEFORE)
            only(finding, SCENARIO_VIRTUAL, "a freeze cannot be made to hang inside the kernel there (faults)");
    }
}

/* The real worlds have the machine's programs; what it has not is to be found in no world. */
static bool is_program(const char *command)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", strchr(command, '/') ? "" : "/usr/bin/", command);
    return access(path, X_OK) == 0;
}

static void look_at_command(struct finding_worlds *finding, const struct scenario_step *step)
{
    for (size_t i = 0; i + 1 < step->argc; i++) {
        if (strcmp(step->argv[i], "--") != 0)
            continue;
        if (strcmp(step->argv[i + 1], "snapshot") != 0 && is_program(step->argv[i + 1]))
            only(finding, NOT_VIRTUAL, "it has no programs but the command \"snapshot\" (%s)", step->argv[i + 1]);
        return;
    }
}

static void look_at_steps(struct finding_worlds *finding)
{
    for (size_t i = 0; i < finding->scenario->step_count; i++) {
        look_at_command(finding, &finding->scenario->steps[i]);
        if (finding->scenario->steps[i].expect.snapshot)
            only(finding, SCENARIO_LOOP, "its snapshots hold nothing");
        if (finding->scenario->steps[i].expect.crash_images)
            only(finding, SCENARIO_LOOP, "its disks remember nothing");
    }
}

void scenario_find_worlds(struct scenario_memory *memory, struct scenario *scenario, unsigned wanted)
{
    struct finding_worlds finding = {memory, scenario};
    only(&finding, wanted, "\"worlds\" leaves it out");
    for (size_t i = 0; i < scenario->volume_count; i++)
        look_at_volume(&finding, &scenario->volumes[i]);
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        look_at_script(&finding, &scenario->plugins[i].pre);
        look_at_script(&finding, &scenario->plugins[i].post);
    }
    for (size_t i = 0; i < scenario->need_count; i++) {
        if (strncmp(scenario->needs[i], "program:", 8) == 0)
            only(&finding, NOT_VIRTUAL, "it has no programs (%s)", scenario->needs[i]);
    }
    for (size_t i = 0; i < scenario->action_count; i++)
        look_at_action(&finding, &scenario->actions[i]);
    if (scenario->call_count > 0)
        only(&finding, NOT_VIRTUAL, "nobody makes system calls there (calls)");
    look_at_attempts(&finding, scenario->snapshots, scenario->snapshot_count);
    if (scenario->workload_count > 0)
        only(&finding, SCENARIO_LOOP, "nobody writes there");
    look_at_storm(&finding);
    look_at_steps(&finding);
    scenario->worlds = 0;
    for (unsigned i = 0; i < SCENARIO_WORLD_COUNT; i++)
        scenario->worlds |= scenario->why_not[i] ? 0 : 1u << i;
}
