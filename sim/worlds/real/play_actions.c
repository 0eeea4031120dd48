/* play_actions.c: what the scenario does at lines of the trace, and by the clock. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "parts.h"
#include "play.h"

#define STOP_WAIT_US 100000 /* who hangs in the kernel stops later, but acts no sooner */

/* One that is to be carried out later. */
struct due_action {
    struct due_action *next;
    const struct scenario_action *action;
    int64_t at_us;
};

/* ---- Carrying out ----------------------------------------------------------------------------------------------- */

static const struct {
    enum scenario_target target;
    enum trace_role role;
    const char *name;
} TARGETS[] = {
    {SCENARIO_AGENT, TRACE_AGENT, "agent"},
    {SCENARIO_GUARDIAN, TRACE_GUARDIAN, "guardian"},
    {SCENARIO_SNAPSHOT, TRACE_SNAPSHOT, "snapshot"},
};
#define TARGET_COUNT (sizeof TARGETS / sizeof TARGETS[0])

/* Nothing may come between two signals, but whoever sees the other one die acts within microseconds: before both are
 * killed, both stand still. */
static void stop_targets(struct play_process *const targets[TARGET_COUNT])
{
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        if (targets[i])
            pidfd_send_signal(targets[i]->pidfd, SIGSTOP, NULL, 0);
    }
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        int64_t until_us = play_now_us() + STOP_WAIT_US;
        while (targets[i] && !play_process_is_stopped(targets[i]) && play_now_us() < until_us)
            usleep(50);
    }
}

void play_send(struct play *play, enum scenario_target target, int signal_number)
{
    struct play_process *targets[TARGET_COUNT] = {NULL};
    bool sent[TARGET_COUNT] = {false};
    for (size_t i = 0; i < TARGET_COUNT; i++)
        targets[i] = target & TARGETS[i].target ? play_process_of_role(play, TARGETS[i].role) : NULL;
    if (signal_number == SIGKILL && target == SCENARIO_BOTH)
        stop_targets(targets);
    for (size_t i = 0; i < TARGET_COUNT; i++)
        sent[i] = targets[i] && pidfd_send_signal(targets[i]->pidfd, signal_number, NULL, 0) == 0;
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        if (sent[i] && signal_number == SIGKILL)
            targets[i]->killed = true;
        if (sent[i])
            play_tell(play, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .value = signal_number,
                                                 .target = TARGETS[i].role, .disk_writes = -1}, NULL);
        else if (target & TARGETS[i].target)
            play_note(play, "%s to %s: there is none", trace_signal_name(signal_number), TARGETS[i].name);
    }
}

/* Another quiesce; `held` waits for its end. Its log goes nowhere. */
static void start_other_quiesce(struct play *play, const struct scenario_action *action, struct held *held)
{
    const char **words = allocate(action->word_count + 2, sizeof *words);
    words[0] = SANDBOX_BINARY;
    memcpy(words + 1, action->words, action->word_count * sizeof *words);
    int error;
    int output[] = {memfd_create("out", MFD_CLOEXEC), open("/dev/null", O_WRONLY | O_CLOEXEC)};
    struct play_process *other = play_start(play, words, true, output, TRACE_OTHER, &error);
    close(output[1]);
    free(words);
    if (!other) {
        close(output[0]);
        play_note(play, "another quiesce cannot be started: %s", strerror(error));
        return;
    }
    other->output = output[0];
    other->waits = held;
    held_take(held);
}

/* Returns 0 or an errno. */
static int carry_out_there(struct play *play, const struct scenario_action *action, struct sandbox_volume *volume)
{
    switch (action->kind) {
    case SCENARIO_MOUNT_OVER: return sandbox_mount_over(&play->sandbox, action->volume);
    case SCENARIO_UNMOUNT: return sandbox_unmount(&play->sandbox, action->volume);
    case SCENARIO_REPLACE: return sandbox_replace_file(&play->sandbox, action->path);
    case SCENARIO_CHMOD: return sandbox_chmod(&play->sandbox, action->path, action->mode);
    case SCENARIO_RELEASE: play_release(play, volume); return 0;
    case SCENARIO_LOSE_DISK: return play_lose_disk(play, volume);
    case SCENARIO_SEND:
    case SCENARIO_OTHER_FREEZE:
    case SCENARIO_OTHER_THAW:
    case SCENARIO_OTHER_QUIESCE: break; /* tell of themselves */
    }
    return EINVAL;
}

static void carry_out(struct play *play, const struct scenario_action *action, struct held *held)
{
    struct sandbox_volume *volume = action->volume ? sandbox_volume_at(&play->sandbox, action->volume) : NULL;
    char line[512];
    switch (action->kind) {
    case SCENARIO_SEND: play_send(play, action->target, action->signal); break;
    case SCENARIO_OTHER_FREEZE: play_operate_as_other(play, held, volume, TRACE_FREEZE); break;
    case SCENARIO_OTHER_THAW: play_operate_as_other(play, held, volume, TRACE_THAW); break;
    case SCENARIO_OTHER_QUIESCE: start_other_quiesce(play, action, held); break;
    default: {
        int error = carry_out_there(play, action, volume);
        scenario_action_line(action, line, sizeof line);
        play_note(play, error ? "%s: %s" : "%s", line, trace_errno_name(error));
    }
    }
}

/* ---- When ------------------------------------------------------------------------------------------------------- */

static void carry_out_at(struct play *play, const struct scenario_action *action, int64_t at_us)
{
    struct due_action *due = allocate(1, sizeof *due);
    *due = (struct due_action){.action = action, .at_us = at_us};
    struct due_action **place = &play->due_actions;
    while (*place && (*place)->at_us <= at_us)
        place = &(*place)->next;
    due->next = *place;
    *place = due;
}

void play_actions_begin(struct play *play)
{
    const struct scenario *scenario = play->scenario;
    play->matches = allocate(scenario->action_count, sizeof *play->matches);
    for (size_t i = 0; i < scenario->action_count; i++) {
        if (!scenario->actions[i].when)
            carry_out_at(play, &scenario->actions[i], play->start_us + scenario->actions[i].after_us);
    }
}

void play_actions_match(struct play *play, const struct trace_event *event, struct held *held)
{
    for (size_t i = 0; i < play->scenario->action_count && !play->ended; i++) {
        const struct scenario_action *action = &play->scenario->actions[i];
        if (!action->when || !trace_matches(event, action->when) || ++play->matches[i] != action->nth)
            continue;
        if (action->after_us > 0)
            carry_out_at(play, action, play_now_us() + action->after_us);
        else
            carry_out(play, action, held);
    }
}

void play_actions_turn(struct play *play)
{
    while (play->due_actions && play->due_actions->at_us <= play_now_us()) {
        struct due_action *due = play->due_actions;
        play->due_actions = due->next;
        carry_out(play, due->action, NULL);
        free(due);
    }
}

int64_t play_actions_due_us(const struct play *play)
{
    return play->due_actions ? play->due_actions->at_us : PLAY_NEVER;
}

void play_actions_end(struct play *play)
{
    while (play->due_actions) {
        struct due_action *due = play->due_actions;
        play->due_actions = due->next;
        free(due);
    }
    free(play->matches);
    play->matches = NULL;
}
