#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"

#define TREE_LOOK_US 2000 /* between looks whether a tree that is being ended is gone */

enum stage { STAGE_READY, STAGE_RUNNING, STAGE_TERMINATING, STAGE_KILLING, STAGE_PAUSED, STAGE_DONE };

/* One job on its way. */
struct track {
    struct qz_job *job;
    enum stage stage;
    int64_t started_us;
    int64_t deadline_us;  /* of the attempt */
    int64_t progress_us;  /* next progress line */
    int64_t escalate_us;  /* from SIGTERM to SIGKILL, from SIGKILL to giving up */
    int64_t resume_us;    /* end of the pause */
    bool host_first;      /* the plugin host's limit is the one that ends this attempt */
    bool started;         /* some attempt was */
    bool ended;           /* the child itself has ended */
    bool timed_out;
};

struct run {
    struct qz_os *os;
    const char *run_id;
    struct track *tracks;
    size_t count;
    int64_t host_timeout_us;
    int64_t host_deadline_us; /* after it no further attempt is started */
    int signal_number;
    bool interrupted; /* no further attempt is started */
};

static const char *role_text(const struct qz_job *job)
{
    return job->result->role == QZ_PHASE_PRE ? "pre-script" : "post-script";
}

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

struct role_codes {
    enum qz_code permission, failed, timeout, host_timeout;
};

static const struct role_codes *codes_of(const struct qz_job *job)
{
    static const struct role_codes pre = {QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT, QZ_E_PRE_SCRIPT_EXECUTION_FAILED,
                                          QZ_E_PRE_SCRIPT_TIMEOUT, QZ_E_PRE_PLUGIN_HOST_TIMEOUT};
    static const struct role_codes post = {QZ_E_INSUFFICIENT_PERMISSION_FOR_POST_SCRIPT,
                                           QZ_E_POST_SCRIPT_EXECUTION_FAILED, QZ_E_POST_SCRIPT_TIMEOUT,
                                           QZ_E_POST_PLUGIN_HOST_TIMEOUT};
    return job->result->role == QZ_PHASE_PRE ? &pre : &post;
}

/* "pre-script PATH (plugin NAME, attempt 2 of 3): CAUSE", with CAUSE as the detail. */
static void set_error(const struct qz_job *job, enum qz_code code, const char *cause)
{
    struct qz_error *error = &job->result->error;
    qz_error_set(error, code, "%s %s (plugin %s, attempt %zu of %d): %s", role_text(job), job->script->path,
                 job->plugin, job->result->attempt_count, job->script->retries + 1, cause);
    qz_error_detail(error, "%s", cause);
    error->phase = job->result->role;
    error->plugin = job->plugin;
    error->path = job->script->path;
    error->attempt = (int)job->result->attempt_count;
}

static void set_attempt_error(const struct track *track)
{
    const struct qz_job *job = track->job;
    const struct qz_attempt *attempt = &job->result->attempts[job->result->attempt_count - 1];
    char cause[QZ_DETAIL_SIZE];
    switch (attempt->outcome) {
    case QZ_ATTEMPT_EXITED:
        snprintf(cause, sizeof cause, "exit status %d", attempt->status);
        set_error(job, codes_of(job)->failed, cause);
        break;
    case QZ_ATTEMPT_SIGNALED:
        snprintf(cause, sizeof cause, "ended by signal %d (SIG%s)", attempt->status,
                 sigabbrev_np(attempt->status) ? sigabbrev_np(attempt->status) : "?");
        set_error(job, codes_of(job)->failed, cause);
        break;
    case QZ_ATTEMPT_TIMEOUT:
        if (track->host_first)
            snprintf(cause, sizeof cause, "not finished when the plugin host's timeoutInSeconds ran out");
        else
            snprintf(cause, sizeof cause, "not finished in %d s (timeoutInSeconds)", job->config->timeout_s);
        set_error(job, track->host_first ? codes_of(job)->host_timeout : codes_of(job)->timeout, cause);
        break;
    case QZ_ATTEMPT_NOT_STARTED:
        if (attempt->status == ESTALE)
            snprintf(cause, sizeof cause, QZ_SCRIPT_CHANGED);
        else if (attempt->status == ENOENT) /* the script is there: it was checked */
            snprintf(cause, sizeof cause,
                     "could not be started: the interpreter that its first line names is not there "
                     "(a line that ends in CRLF names none)");
        else
            snprintf(cause, sizeof cause, "could not be started: %s", strerror(attempt->status));
        set_error(job, attempt->status == ESTALE ? codes_of(job)->permission : codes_of(job)->failed, cause);
        break;
    }
}

/* ---- Environment ------------------------------------------------------------------------------------------------ */

static const char *const fixed_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "SHELL=/bin/sh",
};
enum { FIXED_COUNT = sizeof fixed_environment / sizeof fixed_environment[0], VARIABLE_COUNT = 5 };

static void free_words(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

static char *variable(const char *name, const char *value)
{
    char *text = NULL;
    return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

/* The whole environment of a script; NULL: no memory. */
static char **environment(const struct run *run, const struct qz_job *job, int attempt)
{
    char **words = calloc(FIXED_COUNT + VARIABLE_COUNT + 1, sizeof *words);
    if (!words)
        return NULL;
    size_t n = 0;
    bool complete = true;
    for (; n < FIXED_COUNT && complete; n++) {
        words[n] = strdup(fixed_environment[n]);
        complete = words[n] != NULL;
    }
    char number[16];
    snprintf(number, sizeof number, "%d", attempt);
    const char *pairs[VARIABLE_COUNT][2] = {
        {"QUIESCE_RUN_ID", run->run_id},
        {"QUIESCE_PLUGIN", job->plugin},
        {"QUIESCE_PHASE", qz_phase_name(job->result->role)},
        {"QUIESCE_ATTEMPT", number},
        {"QUIESCE_SNAPSHOT", job->snapshot},
    };
    for (size_t i = 0; i < VARIABLE_COUNT && complete; i++) {
        if (!pairs[i][1])
            continue;
        words[n] = variable(pairs[i][0], pairs[i][1]);
        complete = words[n++] != NULL;
    }
    if (complete)
        return words;
    free_words(words);
    return NULL;
}

/* path and params as one vector, borrowed strings; NULL: no memory. */
static char **arguments(const struct qz_script_config *script)
{
    char **words = calloc(script->param_count + 2, sizeof *words);
    if (!words)
        return NULL;
    words[0] = script->path;
    for (size_t i = 0; i < script->param_count; i++)
        words[i + 1] = script->params[i];
    return words;
}

/* ---- One attempt ------------------------------------------------------------------------------------------------ */

static int start_child(const struct run *run, const struct qz_job *job, struct qz_attempt *attempt)
{
    attempt->out = calloc(1, sizeof *attempt->out);
    attempt->err = calloc(1, sizeof *attempt->err);
    char **argv = arguments(job->script);
    char **envp = environment(run, job, (int)job->result->attempt_count);
    int failed = ENOMEM;
    if (attempt->out && attempt->err && argv && envp) {
        struct qz_child_spec spec = {.slot = job->slot, .path = job->script->path, .facts = job->facts,
                                     .argv = argv, .envp = envp, .clean = true,
                                     .out = attempt->out, .err = attempt->err};
        failed = run->os->ops->child_start(run->os, &spec);
    }
    free(argv);
    free_words(envp);
    return failed;
}

static void finish(struct track *track, enum qz_script_progress progress)
{
    track->stage = STAGE_DONE;
    track->job->result->failed = progress == QZ_SCRIPT_FAILED;
    *track->job->progress = progress == QZ_SCRIPT_FAILED && !track->started ? QZ_SCRIPT_IDLE : (int)progress;
}

static void terminate(struct run *run, struct track *track)
{
    struct qz_os *os = run->os;
    os->ops->tree_signal(os, track->job->slot, SIGTERM);
    track->stage = STAGE_TERMINATING;
    track->escalate_us = os->ops->now_us(os) + QZ_RUNNER_GRACE_US;
}

/* Until the next attempt: at once after one that ran; what kept another one from starting is given time to pass. */
static void pause_before_next(struct run *run, struct track *track)
{
    const struct qz_script_result *result = track->job->result;
    if (result->attempts[result->attempt_count - 1].outcome != QZ_ATTEMPT_NOT_STARTED) {
        track->stage = STAGE_READY;
        return;
    }
    int64_t resume_us = run->os->ops->now_us(run->os) + QZ_RUNNER_PAUSE_US;
    track->resume_us = resume_us < run->host_deadline_us ? resume_us : run->host_deadline_us;
    track->stage = STAGE_PAUSED;
    if (!track->started)
        *track->job->progress = QZ_SCRIPT_IDLE;
}

/* What is to be done once a failed attempt's tree is gone: another attempt, or none. */
static void attempt_over(struct run *run, struct track *track)
{
    struct qz_script_result *result = track->job->result;
    struct qz_attempt *attempt = &result->attempts[result->attempt_count - 1];
    attempt->duration_us = run->os->ops->now_us(run->os) - track->started_us;
    if (track->timed_out) {
        attempt->outcome = QZ_ATTEMPT_TIMEOUT;
    } else if (!track->ended) { /* given up on: SIGKILL is what it will die of */
        attempt->outcome = QZ_ATTEMPT_SIGNALED;
        attempt->status = SIGKILL;
    }
    if (run->interrupted) {
        finish(track, QZ_SCRIPT_FAILED);
        return;
    }
    set_attempt_error(track);
    bool final = attempt->outcome == QZ_ATTEMPT_NOT_STARTED && !qz_errno_passes(attempt->status);
    if (track->timed_out || final || result->left_alive || (int)result->attempt_count > track->job->script->retries) {
        finish(track, QZ_SCRIPT_FAILED);
        return;
    }
    qz_say(run->os, "%s; trying again", result->error.message);
    pause_before_next(run, track);
}

/* One that was given up as it started may have a process still: nobody else hears of its end. */
static void not_started(struct run *run, struct track *track, struct qz_attempt *attempt, int why)
{
    attempt->outcome = QZ_ATTEMPT_NOT_STARTED;
    attempt->status = why;
    track->ended = true;
    if (run->os->ops->tree_alive(run->os, track->job->slot))
        terminate(run, track);
    else
        attempt_over(run, track);
}

static void start_attempt(struct run *run, struct track *track)
{
    struct qz_job *job = track->job;
    struct qz_os *os = run->os;
    int64_t now_us = os->ops->now_us(os);
    bool first = job->result->attempt_count == 0;
    if (!first && now_us >= run->host_deadline_us) {
        set_error(job, codes_of(job)->host_timeout,
                  "the plugin host's timeoutInSeconds ran out before the next attempt");
        finish(track, QZ_SCRIPT_FAILED);
        return;
    }
    struct qz_attempt *attempt = &job->result->attempts[job->result->attempt_count++];
    *attempt = (struct qz_attempt){0};
    int64_t timeout_us = job->config->timeout_s * QZ_US_PER_S;
    /* Should we sleep as we start the first attempts, none is left out, and those still to start lose no time. */
    int64_t host_deadline_us = first ? now_us + run->host_timeout_us : run->host_deadline_us;
    track->host_first = host_deadline_us < now_us + timeout_us;
    track->deadline_us = track->host_first ? host_deadline_us : now_us + timeout_us;
    track->started_us = now_us;
    track->progress_us = now_us + job->config->poll_s * QZ_US_PER_S;
    track->ended = false;
    *job->progress = QZ_SCRIPT_RUNNING;
    int failed = start_child(run, job, attempt);
    if (failed) {
        not_started(run, track, attempt, failed);
        return;
    }
    track->started = true;
    track->stage = STAGE_RUNNING;
}

static void child_ended(struct run *run, struct track *track, const struct qz_child_end *end)
{
    struct qz_script_result *result = track->job->result;
    struct qz_attempt *attempt = &result->attempts[result->attempt_count - 1];
    track->ended = true;
    attempt->outcome = end->signaled ? QZ_ATTEMPT_SIGNALED : QZ_ATTEMPT_EXITED;
    attempt->status = end->status;
    if (track->stage != STAGE_RUNNING)
        return; /* its tree is being ended already */
    if (!end->signaled && end->status == 0) {
        attempt->duration_us = run->os->ops->now_us(run->os) - track->started_us;
        finish(track, QZ_SCRIPT_SUCCEEDED);
    } else if (run->os->ops->tree_alive(run->os, track->job->slot)) {
        terminate(run, track);
    } else {
        attempt_over(run, track);
    }
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

static void tick_running(struct run *run, struct track *track, int64_t now_us)
{
    const struct qz_job *job = track->job;
    if (now_us >= track->deadline_us) {
        track->timed_out = true;
        terminate(run, track);
    } else if (now_us >= track->progress_us) {
        int64_t poll_us = job->config->poll_s * QZ_US_PER_S, running_us = now_us - track->started_us;
        track->progress_us += ((now_us - track->progress_us) / poll_us + 1) * poll_us;
        qz_say(run->os, "%s %s (plugin %s): running for %d s of at most %d s", role_text(job), job->script->path,
               job->plugin, (int)(running_us / QZ_US_PER_S),
               (int)((track->deadline_us - track->started_us) / QZ_US_PER_S));
    }
}

static void tick_ending(struct run *run, struct track *track, int64_t now_us)
{
    struct qz_os *os = run->os;
    struct qz_job *job = track->job;
    if (track->ended && !os->ops->tree_alive(os, job->slot)) {
        attempt_over(run, track);
    } else if (now_us >= track->escalate_us && track->stage == STAGE_TERMINATING) {
        os->ops->tree_signal(os, job->slot, SIGKILL);
        track->stage = STAGE_KILLING;
        track->escalate_us = now_us + QZ_RUNNER_KILL_WAIT_US;
    } else if (now_us >= track->escalate_us) {
        job->result->left_alive = true;
        attempt_over(run, track);
    }
}

static void tick(struct run *run, struct track *track)
{
    int64_t now_us = run->os->ops->now_us(run->os);
    switch (track->stage) {
    case STAGE_READY:
        start_attempt(run, track);
        break;
    case STAGE_RUNNING:
        tick_running(run, track, now_us);
        break;
    case STAGE_TERMINATING:
    case STAGE_KILLING:
        tick_ending(run, track, now_us);
        break;
    case STAGE_PAUSED:
        if (now_us >= track->resume_us)
            start_attempt(run, track);
        break;
    case STAGE_DONE:
        break;
    }
}

/* When this track wants to be looked at next. */
static int64_t track_deadline(const struct track *track, int64_t now_us)
{
    switch (track->stage) {
    case STAGE_READY:
        return now_us;
    case STAGE_RUNNING:
        return track->deadline_us < track->progress_us ? track->deadline_us : track->progress_us;
    case STAGE_TERMINATING:
    case STAGE_KILLING:
        return now_us + TREE_LOOK_US;
    case STAGE_PAUSED:
        return track->resume_us;
    case STAGE_DONE:
        break;
    }
    return QZ_NEVER;
}

/* ---- The phase -------------------------------------------------------------------------------------------------- */

static void interrupt(struct run *run)
{
    run->interrupted = true;
    for (size_t i = 0; i < run->count; i++) {
        struct track *track = &run->tracks[i];
        if (track->stage == STAGE_RUNNING)
            terminate(run, track);
        else if (track->stage == STAGE_PAUSED)
            finish(track, QZ_SCRIPT_FAILED);
    }
}

static void note(struct run *run, const struct qz_event *event, bool interruptible)
{
    if (event->kind == QZ_EVENT_SIGNAL) {
        run->signal_number = event->value;
        if (interruptible)
            interrupt(run);
    }
    for (size_t i = 0; event->kind == QZ_EVENT_CHILD && i < run->count; i++)
        if (run->tracks[i].job->slot == event->slot && run->tracks[i].stage != STAGE_DONE)
            child_ended(run, &run->tracks[i], &event->end);
}

/* Ticks every track; returns when the next one wants to be looked at, or QZ_NEVER when all are done. */
static int64_t tick_all(struct run *run)
{
    int64_t next_us = QZ_NEVER;
    for (size_t i = 0; i < run->count; i++) {
        struct track *track = &run->tracks[i];
        do
            tick(run, track);
        while (track->stage == STAGE_READY);
        int64_t wanted_us = track_deadline(track, run->os->ops->now_us(run->os));
        if (wanted_us < next_us)
            next_us = wanted_us;
    }
    return next_us;
}

int qz_runner_run(struct qz_os *os, const char *run_id, struct qz_job *jobs, size_t count, int64_t host_timeout_us,
                  bool interruptible)
{
    struct track tracks[QZ_PLUGINS_MAX] = {0};
    struct run run = {.os = os, .run_id = run_id, .tracks = tracks, .count = count, .host_timeout_us = host_timeout_us,
                      .host_deadline_us = os->ops->now_us(os) + host_timeout_us};
    for (size_t i = 0; i < count; i++)
        tracks[i].job = &jobs[i];
    for (;;) {
        int64_t next_us = tick_all(&run);
        if (next_us == QZ_NEVER)
            return run.signal_number;
        struct qz_event event;
        os->ops->wait(os, next_us, &event);
        note(&run, &event, interruptible);
    }
}

/* Waits until no process of the tree is alive, or `until_us`. */
static bool await_tree_end(struct qz_os *os, int slot, int64_t until_us)
{
    while (os->ops->tree_alive(os, slot)) {
        int64_t now_us = os->ops->now_us(os);
        if (now_us >= until_us)
            return false;
        struct qz_event event;
        os->ops->wait(os, now_us + TREE_LOOK_US, &event);
    }
    return true;
}

bool qz_runner_end_tree(struct qz_os *os, int slot)
{
    os->ops->tree_signal(os, slot, SIGTERM);
    if (await_tree_end(os, slot, os->ops->now_us(os) + QZ_RUNNER_GRACE_US))
        return true;
    os->ops->tree_signal(os, slot, SIGKILL);
    return await_tree_end(os, slot, os->ops->now_us(os) + QZ_RUNNER_KILL_WAIT_US);
}
