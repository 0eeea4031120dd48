/* play.c: the way through a scenario: sandbox, steps, and the one loop that waits for whatever happens. */
#include "play.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "claims.h"
#include "parts.h"

#define US_PER_S 1000000
#define US_PER_MS 1000
#define ORPHANS_WAIT_US 3000000

/* ---- Telling ---------------------------------------------------------------------------------------------------- */

int64_t play_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)US_PER_S + now.tv_nsec / 1000;
}

void play_tell(struct play *play, struct trace_event event, struct held *held)
{
    event.at_us = play_now_us() - play->start_us;
    event.step = play->step;
    size_t at = trace_add(&play->outcome->trace, &event);
    event = play->outcome->trace.events[at];
    play_actions_match(play, &event, held);
}

void play_note(struct play *play, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    play_tell(play, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = text, .disk_writes = -1},
              NULL);
}

/* ---- Waiting ---------------------------------------------------------------------------------------------------- */

static void add_source(struct play *play, int descriptor, struct play_source source)
{
    if (play->source_count == play->source_capacity) {
        play->source_capacity = play->source_capacity ? 2 * play->source_capacity : 32;
        play->polled = realloc(play->polled, play->source_capacity * sizeof *play->polled);
        play->sources = realloc(play->sources, play->source_capacity * sizeof *play->sources);
        if (!play->polled || !play->sources)
            abort();
    }
    play->polled[play->source_count] = (struct pollfd){.fd = descriptor, .events = POLLIN};
    play->sources[play->source_count++] = source;
}

/* The kernel looks at them in this order. Who acts upon a process's end comes to the gate after that end, so gates are
 * looked at first: where the act was seen, the end is seen, too. (play_settle is for who saw it coming.) */
static void gather(struct play *play)
{
    play->source_count = 0;
    for (struct play_gate *gate = play->gates; gate; gate = gate->next) {
        if (!gate->left)
            add_source(play, gate->listener, (struct play_source){.gate = gate});
    }
    add_source(play, play->operations_done, (struct play_source){NULL, NULL});
    for (struct play_process *process = play->processes; process; process = process->next) {
        if (process->pidfd >= 0)
            add_source(play, process->pidfd, (struct play_source){.process = process});
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Sleeps until something happens or is due. */
static void await(struct play *play)
{
    int64_t due_us = sooner(play->deadline_us, sooner(play_actions_due_us(play), play_volumes_due_us(play)));
    due_us = sooner(due_us, play_sites_due_us(play));
    if (play->orphans_until_us > 0)
        due_us = sooner(due_us, play->orphans_until_us);
    if (play->pause_until_us > 0)
        due_us = sooner(due_us, play->pause_until_us);
    int64_t left_us = due_us - play_now_us();
    if (left_us < 0)
        left_us = 0;
    struct timespec left = {.tv_sec = left_us / US_PER_S, .tv_nsec = left_us % US_PER_S * 1000};
    if (ppoll(play->polled, play->source_count, &left, NULL) < 0) {
        for (size_t i = 0; i < play->source_count; i++)
            play->polled[i].revents = 0;
    }
}

/* One round: ends of processes first, then what they may have led to. */
static void turn(struct play *play)
{
    gather(play);
    await(play);
    for (size_t i = 0; i < play->source_count; i++) {
        if (play->polled[i].revents && play->sources[i].process)
            play_process_ended(play, play->sources[i].process);
    }
    play_volumes_turn(play);
    for (size_t i = 0; i < play->source_count; i++) {
        struct play_gate *gate = play->sources[i].gate;
        if (gate && play->polled[i].revents & POLLIN)
            play_take_call(play, gate->listener);
        else if (gate && play->polled[i].revents)
            gate->left = true;
    }
    play_actions_turn(play);
    play_sites_turn(play);
    struct sandbox_stall stall;
    while (sandbox_next_stall(&play->sandbox, &stall))
        play_note(play, "writer of %s waited %.1f ms", stall.volume, (double)stall.duration_us / US_PER_MS);
}

/* ---- One step --------------------------------------------------------------------------------------------------- */

/* `quiesce COMMAND --report FILE …`, where the command has a report and the scenario asks for none of its own.
 * Returns the path of the report, or NULL: there will be none. The array is the caller's to free. */
static const char *make_words(const struct scenario_step *step, char own_report[64], const char ***words)
{
    static const char *const REPORTING[] = {"run", "begin", "end", "check", "freeze"};
    bool reports = false;
    for (size_t i = 0; i < sizeof REPORTING / sizeof REPORTING[0]; i++)
        reports |= step->argc > 0 && strcmp(step->argv[0], REPORTING[i]) == 0;
    const char *report = reports ? claim_option(step, "--report") : NULL;
    const char **word = *words = allocate(step->argc + 4, sizeof *word);
    *word++ = SANDBOX_BINARY;
    for (size_t i = 0; i < step->argc; i++) {
        *word++ = step->argv[i];
        if (i == 0 && reports && !report) {
            *word++ = "--report";
            *word++ = own_report;
        }
    }
    return reports && !report ? own_report : report;
}

struct play_process *play_start(struct play *play, const char *const *words, bool root, const int output[2],
                                enum trace_role role, int *error)
{
    int calls[GATE_CALLS_MAX];
    struct gate_filter filter = play_gated_calls(play, calls);
    struct play_gate *gate = allocate(1, sizeof *gate);
    pid_t pid = sandbox_start(&play->sandbox, (char *const *)(uintptr_t)words, root, output[0], output[1],
                              &filter, &gate->listener);
    if (pid < 0) {
        free(gate);
        *error = -pid;
        return NULL;
    }
    gate->next = play->gates;
    play->gates = gate;
    struct play_process *process = play_process_add(play, pid, role);
    *error = process ? 0 : errno;
    return process;
}

/* Starts the step's command. False: the environment does not work. */
static bool start(struct play *play, const char *const *words, const int output[2])
{
    int error;
    play->agent = play_start(play, words, play->scenario->steps[play->step].root, output, TRACE_AGENT, &error);
    if (!play->agent && asprintf(&play->outcome->broken, "quiesce cannot be started: %s", strerror(error)) < 0)
        abort();
    return play->agent != NULL;
}

/* Did the step begin a backup, or find one begun, that a later step is to end? What goes on in the background is not
 * waited for then. */
static bool leaves_background(const struct play *play)
{
    const struct play_process *agent = play_process_of_role(play, TRACE_AGENT);
    return agent && agent->in_background && !agent->killed && (size_t)play->step + 1 < play->scenario->step_count;
}

/* A command whose quiesce was killed under it has nobody left who ends it; most end by themselves. */
static bool is_over(struct play *play)
{
    if (play->agent_ended && play_volumes_idle(play) && leaves_background(play))
        return true;
    if (!play->agent_ended || play_quiesce_lives(play) || !play_volumes_idle(play) ||
        play_process_of_role(play, TRACE_OTHER))
        return false;
    if (play->orphans_until_us == 0)
        play->orphans_until_us = sooner(play_now_us() + ORPHANS_WAIT_US, play->deadline_us);
    return !play_children_live(play) || play_now_us() >= play->orphans_until_us;
}

static int64_t timeout_us(const struct play *play)
{
    return play->settings->timeout_us > 0 ? play->settings->timeout_us : play->scenario->timeout_us;
}

/* Serves the step's processes until they have ended. False: time ran out. */
static bool follow(struct play *play)
{
    while (!is_over(play)) {
        if (play_now_us() >= play->deadline_us) {
            outcome_left(play->outcome, "%s after %.6g s (timeout_ms), when the scenario was ended",
                         play_process_of_role(play, TRACE_AGENT)      ? "the command still ran"
                         : play_process_of_role(play, TRACE_GUARDIAN) ? "the guardian still ran"
                                                                      : "an operation on a volume was still under way",
                         (double)timeout_us(play) / US_PER_S);
            return false;
        }
        turn(play);
    }
    return true;
}

/* What goes on in the background does so until the step's command is due. */
static void let_time_pass(struct play *play, int64_t duration_us)
{
    play->pause_until_us = sooner(play_now_us() + duration_us, play->deadline_us);
    while (play_now_us() < play->pause_until_us)
        turn(play);
    play->pause_until_us = 0;
}

/* Where the step's standard error goes: a file of its own, or one on a volume, of which only what is written from now
 * on is this step's. */
struct log {
    int reader;
    int writer;
    off_t begin;
};

static struct log open_log(struct play *play, const struct scenario_step *given)
{
    if (!given->log_on) {
        int file = memfd_create("err", MFD_CLOEXEC);
        return (struct log){file, file, 0};
    }
    const int *log = sandbox_volume_at(&play->sandbox, given->log_on)->log;
    int reader = fcntl(log[0], F_DUPFD_CLOEXEC, 0);
    return (struct log){reader, log[1], lseek(reader, 0, SEEK_END)};
}

static char *take_output(int file, off_t begin)
{
    lseek(file, begin, SEEK_SET);
    char *text = read_whole(file, NULL);
    close(file);
    return text;
}

static void fill_step(struct play *play, struct outcome_step *step, const char *report)
{
    int status = play->agent ? play->agent->status : -1;
    step->exit = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    step->signal = status >= 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    size_t size = 0;
    char *text = report ? sandbox_read(&play->sandbox, report, &size) : NULL;
    step->result = text ? cJSON_ParseWithLength(text, size) : NULL;
    free(text);
    step->frozen = allocate(play->sandbox.volume_count, sizeof *step->frozen);
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        if (play_volume_is_frozen(play, &play->sandbox.volumes[i]))
            step->frozen[step->frozen_count++] = play->scenario->volumes[i].mount;
    }
}

/* False: the scenario goes no further. */
static bool play_step(struct play *play, size_t number)
{
    char own_report[64];
    const char **words;
    struct outcome_step *step = &play->outcome->steps[number];
    snprintf(own_report, sizeof own_report, SANDBOX_REPORTS "/%zu.json", number + 1);
    const char *report = make_words(&play->scenario->steps[number], own_report, &words);
    struct log log = open_log(play, &play->scenario->steps[number]);
    int output[] = {memfd_create("out", MFD_CLOEXEC), log.writer};
    play->step = (int)number;
    play->outcome->step_count = number + 1;
    play->agent = NULL;
    play->agent_ended = false;
    play->orphans_until_us = 0;
    let_time_pass(play, play->scenario->steps[number].after_us);
    bool completed = start(play, words, output) && follow(play);
    free(words);
    step->out = take_output(output[0], 0);
    step->err = take_output(log.reader, log.begin);
    fill_step(play, step, report);
    return completed;
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

/* Makes the scenario's machine. False: outcome.broken says why it can't be. */
static bool begin(struct play *play)
{
    char why[512] = "";
    bool made = sandbox_open(&play->sandbox, why, sizeof why);
    int binary = made ? inside_open(&play->sandbox, SANDBOX_BINARY, O_PATH) : -1;
    if (made && (binary < 0 || fstat(binary, &play->binary) != 0)) {
        made = false;
        snprintf(why, sizeof why, SANDBOX_BINARY ": %s", strerror(errno));
    }
    if (binary >= 0)
        close(binary);
    if (made)
        made = sandbox_workload_start(&play->sandbox, why, sizeof why);
    if (!made)
        play->outcome->broken = strdup(why);
    play->start_us = play_now_us();
    play->deadline_us = play->start_us + timeout_us(play);
    return made;
}

static void end(struct play *play, bool begun)
{
    play->outcome->duration_us = play_now_us() - play->start_us;
    play->ended = true;
    if (begun) {
        play_others_end(play);
        play_volumes_end(play);
        play->outcome->longest_stall_us = sandbox_workload_stop(&play->sandbox);
        sandbox_judge_snapshots(&play->sandbox, play->outcome);
        sandbox_judge_crashes(&play->sandbox, play->start_us, play->outcome);
    }
    sandbox_close(&play->sandbox, play->outcome);
    play_actions_end(play);
    play_sites_end(play);
    play_processes_end(play);
    while (play->gates) {
        struct play_gate *gate = play->gates;
        play->gates = gate->next;
        close(gate->listener);
        free(gate);
    }
    free(play->polled);
    free(play->sources);
}

void play_real(const struct scenario *scenario, const struct world_settings *settings, bool fake,
               struct outcome *outcome)
{
    struct play play = {.scenario = scenario, .settings = settings, .outcome = outcome};
    *outcome = (struct outcome){.steps = allocate(scenario->step_count, sizeof *outcome->steps)};
    play.sandbox = (struct sandbox){.scenario = scenario, .settings = settings, .fake = fake};
    bool begun = begin(&play);
    if (begun) {
        play_volumes_begin(&play);
        play_actions_begin(&play);
        play_sites_begin(&play);
    }
    for (size_t i = 0; begun && i < scenario->step_count; i++) {
        if (!play_step(&play, i))
            break;
    }
    end(&play, begun);
}
