#include "snapshot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "runner.h"

#define TREE_LOOK_US 2000

/* How far the command, or the hold, has come. */
struct course {
    bool frozen;
    bool ended; /* the command itself has, or was never started */
    bool over;  /* nothing more is waited for */
    bool thawed; /* … was told */
    int signal_number;
    int64_t deadline_us; /* of the command, or the end of the hold */
};

/* ---- Before the freeze ------------------------------------------------------------------------------------------ */

static bool is_ours(const char *word)
{
    static const char *const names[] = {"QUIESCE_RUN_ID=", "QUIESCE_VOLUMES=", "TMPDIR="};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(word, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* "QUIESCE_VOLUMES=" and the mount points to freeze, one a line; NULL: no memory. */
static char *volumes_variable(const struct qz_volume *volumes, size_t count)
{
    size_t size = sizeof "QUIESCE_VOLUMES=";
    for (size_t i = 0; i < count; i++)
        size += strlen(volumes[i].mount) + 1;
    char *text = malloc(size);
    if (!text)
        return NULL;
    char *end = stpcpy(text, "QUIESCE_VOLUMES=");
    for (size_t i = 0; i < count; i++)
        if (volumes[i].decision == QZ_DECISION_FREEZE)
            end = stpcpy(stpcpy(end, volumes[i].mount), "\n");
    return text;
}

static bool make_tmpdir(struct qz_snapshot *snapshot, const char *run_id, const char *parent)
{
    struct qz_os *os = snapshot->os;
    if (!parent)
        return true;
    if (asprintf(&snapshot->tmpdir, "%s/" QZ_TMPDIR_PREFIX "%s", parent, run_id) < 0) {
        snapshot->tmpdir = NULL;
        return false;
    }
    if (os->ops->make_directory(os, snapshot->tmpdir, 0700) == 0)
        return true;
    free(snapshot->tmpdir);
    snapshot->tmpdir = NULL;
    return true;
}

static bool make_environment(struct qz_snapshot *snapshot, const char *run_id, const struct qz_volume *volumes,
                             size_t volume_count)
{
    char *const *environment = snapshot->options->environment;
    size_t count = 0;
    while (environment && environment[count])
        count++;
    snapshot->envp = calloc(count + 4, sizeof *snapshot->envp);
    if (!snapshot->envp)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_ours(environment[i]))
            snapshot->envp[n++] = environment[i];
    snapshot->own_words = n;
    snapshot->envp[n] = volumes_variable(volumes, volume_count);
    if (!snapshot->envp[n++] || asprintf(&snapshot->envp[n], "QUIESCE_RUN_ID=%s", run_id) < 0)
        return false;
    n++;
    return !snapshot->tmpdir || asprintf(&snapshot->envp[n], "TMPDIR=%s", snapshot->tmpdir) >= 0;
}

bool qz_snapshot_prepare(struct qz_snapshot *snapshot, const char *run_id, const struct qz_volume *volumes,
                         size_t volume_count, const char *tmp_parent)
{
    if (!snapshot->options->snapshot_argv)
        return true;
    snapshot->result->attempt.out = calloc(1, sizeof *snapshot->result->attempt.out);
    snapshot->result->attempt.err = calloc(1, sizeof *snapshot->result->attempt.err);
    return snapshot->result->attempt.out && snapshot->result->attempt.err &&
           make_tmpdir(snapshot, run_id, tmp_parent) &&
           make_environment(snapshot, run_id, volumes, volume_count);
}

void qz_snapshot_clean(struct qz_snapshot *snapshot)
{
    for (size_t i = snapshot->own_words; snapshot->envp && snapshot->envp[i]; i++)
        free(snapshot->envp[i]);
    free(snapshot->envp);
    snapshot->envp = NULL;
    if (snapshot->tmpdir)
        snapshot->os->ops->remove(snapshot->os, snapshot->tmpdir);
    free(snapshot->tmpdir);
    snapshot->tmpdir = NULL;
}

/* ---- The command, or the hold ----------------------------------------------------------------------------------- */

static void fail(struct qz_snapshot *snapshot, enum qz_snapshot_outcome outcome, enum qz_code code, const char *cause)
{
    struct qz_snapshot_result *result = snapshot->result;
    result->outcome = outcome;
    qz_error_set(&result->error, code, "snapshot command %s: %s", snapshot->options->snapshot_argv[0], cause);
    qz_error_detail(&result->error, "%s", cause);
    result->error.phase = QZ_PHASE_SNAPSHOT;
    result->error.path = snapshot->options->snapshot_argv[0];
}

static void note_end(struct qz_snapshot *snapshot, struct course *course, const struct qz_child_end *end)
{
    struct qz_attempt *attempt = &snapshot->result->attempt;
    course->ended = true;
    if (attempt->outcome == QZ_ATTEMPT_TIMEOUT)
        return;
    attempt->outcome = end->error      ? QZ_ATTEMPT_NOT_STARTED
                       : end->signaled ? QZ_ATTEMPT_SIGNALED
                                       : QZ_ATTEMPT_EXITED;
    attempt->status = end->error ? end->error : end->status;
}

/* It could not be executed, or has ended before it was to be. */
static void not_started(struct qz_snapshot *snapshot, int failed)
{
    char cause[QZ_DETAIL_SIZE];
    if (failed == ESRCH)
        snprintf(cause, sizeof cause, "could not be started: it was ended by somebody while it waited for the freeze");
    else if (failed == E2BIG)
        snprintf(cause, sizeof cause, "could not be started: %s (QUIESCE_VOLUMES names every mount point)", strerror(failed));
    else
        snprintf(cause, sizeof cause, "could not be started: %s", strerror(failed));
    snapshot->result->attempt.outcome = QZ_ATTEMPT_NOT_STARTED;
    snapshot->result->attempt.status = failed;
    fail(snapshot, QZ_SNAPSHOT_FAILED, QZ_E_SNAPSHOT_FAILED, cause);
}

/* The command has ended by itself. */
static void judge_end(struct qz_snapshot *snapshot, const struct qz_child_end *end)
{
    if (!end->signaled && end->status == 0) {
        snapshot->result->outcome = QZ_SNAPSHOT_TAKEN;
        return;
    }
    if (end->error) {
        not_started(snapshot, end->error);
        return;
    }
    char cause[QZ_DETAIL_SIZE];
    if (end->signaled)
        snprintf(cause, sizeof cause, "ended by signal %d (SIG%s)", end->status,
                 sigabbrev_np(end->status) ? sigabbrev_np(end->status) : "?");
    else
        snprintf(cause, sizeof cause, "exit status %d", end->status);
    fail(snapshot, QZ_SNAPSHOT_FAILED, QZ_E_SNAPSHOT_FAILED, cause);
}

static bool release(struct qz_snapshot *snapshot)
{
    int failed = snapshot->os->ops->child_release(snapshot->os, snapshot->slot);
    snapshot->waiting = false;
    if (failed)
        not_started(snapshot, failed);
    return failed == 0;
}

/* Ends the command's tree; what it writes to may be frozen, so the caller thaws first. */
static void end_command(struct qz_snapshot *snapshot, struct qz_guard *guard, struct course *course)
{
    struct qz_os *os = snapshot->os;
    struct qz_snapshot_result *result = snapshot->result;
    int64_t kill_us = os->ops->now_us(os) + QZ_RUNNER_GRACE_US;
    int64_t give_up_us = QZ_NEVER;
    os->ops->tree_signal(os, snapshot->slot, SIGTERM);
    while (!course->ended || os->ops->tree_alive(os, snapshot->slot)) {
        int64_t now_us = os->ops->now_us(os);
        if (now_us >= give_up_us) {
            result->left_alive = true;
            if (!course->ended) /* SIGKILL is what it will die of */
                note_end(snapshot, course, &(struct qz_child_end){.signaled = true, .status = SIGKILL});
            return;
        }
        if (now_us >= kill_us && give_up_us == QZ_NEVER) {
            os->ops->tree_signal(os, snapshot->slot, SIGKILL);
            give_up_us = now_us + QZ_RUNNER_KILL_WAIT_US;
        }
        struct qz_event event;
        os->ops->wait(os, now_us + TREE_LOOK_US, &event);
        if (event.kind == QZ_EVENT_CHILD && event.slot == snapshot->slot)
            note_end(snapshot, course, &event.end);
        if (event.kind == QZ_EVENT_SIGNAL)
            course->signal_number = event.value;
        if (guard)
            qz_guard_note(guard, &event);
    }
}

/* The freeze does not hold any more: go on without it for another hold limit, or end. */
static void freeze_lost(struct qz_snapshot *snapshot, struct course *course, bool go_on)
{
    struct qz_os *os = snapshot->os;
    course->frozen = false;
    if (!go_on)
        course->over = true;
    else if (snapshot->options->snapshot_argv)
        course->deadline_us = os->ops->now_us(os) + snapshot->options->hold_limit_us;
}

static void note(struct qz_snapshot *snapshot, struct qz_guard *guard, struct course *course,
                 const struct qz_event *event, bool go_on)
{
    if (event->kind == QZ_EVENT_SIGNAL) {
        course->signal_number = event->value;
        course->over = true;
    } else if (event->kind == QZ_EVENT_CHILD && event->slot == snapshot->slot) {
        note_end(snapshot, course, &event->end);
        judge_end(snapshot, &event->end);
        course->over = true;
    }
    if (!guard)
        return;
    bool lost = qz_guard_note(guard, event);
    lost = qz_guard_look(guard) || lost;
    if (lost && course->frozen)
        freeze_lost(snapshot, course, go_on);
}

static void time_over(struct qz_snapshot *snapshot, struct course *course)
{
    course->over = true;
    if (!snapshot->options->snapshot_argv) {
        snapshot->result->outcome = QZ_SNAPSHOT_TAKEN;
        return;
    }
    snapshot->result->attempt.outcome = QZ_ATTEMPT_TIMEOUT;
    char cause[QZ_DETAIL_SIZE];
    snprintf(cause, sizeof cause, "not finished within %.6g s (--hold-limit)",
             (double)snapshot->options->hold_limit_us / QZ_US_PER_S);
    fail(snapshot, QZ_SNAPSHOT_TIMEOUT, QZ_E_SNAPSHOT_TIMEOUT, cause);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Who asked for the thaw (`quiesce thaw`) looks at the journal, and must not wait for the command's end. */
static void tell_thawed(const struct qz_snapshot *snapshot, const struct qz_guard *guard, struct course *course)
{
    if (!guard || course->thawed || guard->hold->phase != QZ_HOLD_OVER)
        return;
    course->thawed = true;
    snapshot->thawed(snapshot->argument);
}

static void follow(struct qz_snapshot *snapshot, struct qz_guard *guard, struct course *course, bool go_on)
{
    struct qz_os *os = snapshot->os;
    while (!course->over) {
        struct qz_event event;
        os->ops->wait(os, sooner(course->deadline_us, guard ? qz_guard_deadline(guard) : QZ_NEVER), &event);
        note(snapshot, guard, course, &event, go_on);
        if (!course->over && os->ops->now_us(os) >= course->deadline_us)
            time_over(snapshot, course);
        tell_thawed(snapshot, guard, course);
    }
}

static void refuse(struct qz_snapshot *snapshot, int failed)
{
    not_started(snapshot, failed);
    *snapshot->progress = QZ_SCRIPT_FAILED;
}

bool qz_snapshot_start(struct qz_snapshot *snapshot)
{
    struct qz_attempt *attempt = &snapshot->result->attempt;
    char *const *argv = snapshot->options->snapshot_argv;
    if (!argv)
        return true;
    struct qz_child_spec spec = {.slot = snapshot->slot, .path = argv[0], .argv = argv, .envp = snapshot->envp,
                                 .gated = true, .out = attempt->out, .err = attempt->err};
    *snapshot->progress = QZ_SCRIPT_WAITING;
    int failed = snapshot->os->ops->child_start(snapshot->os, &spec);
    snapshot->starting = failed == 0;
    if (failed)
        refuse(snapshot, failed);
    return failed == 0;
}

bool qz_snapshot_await(struct qz_snapshot *snapshot)
{
    if (!snapshot->starting)
        return *snapshot->progress != QZ_SCRIPT_FAILED;
    int failed = snapshot->os->ops->child_await(snapshot->os, snapshot->slot);
    snapshot->starting = false;
    snapshot->waiting = failed == 0;
    if (failed)
        refuse(snapshot, failed);
    return failed == 0;
}

int qz_snapshot_cancel(struct qz_snapshot *snapshot)
{
    struct course course = {0};
    if (!snapshot->waiting)
        return 0;
    end_command(snapshot, NULL, &course); /* of a snapshot that was not begun nobody reports how it ended */
    snapshot->waiting = false;
    return course.signal_number;
}

int qz_snapshot_run(struct qz_snapshot *snapshot, struct qz_guard *guard, bool go_on)
{
    struct qz_os *os = snapshot->os;
    const struct qz_options *options = snapshot->options;
    struct qz_attempt *attempt = &snapshot->result->attempt;
    struct course course = {.frozen = guard != NULL};
    int64_t start_us = os->ops->now_us(os);
    *snapshot->progress = QZ_SCRIPT_RUNNING;
    /* While frozen, the hold limit ends the freeze, and only then a second one the command. */
    if (!options->snapshot_argv)
        course.deadline_us = start_us + options->hold_us;
    else
        course.deadline_us = course.frozen ? QZ_NEVER : start_us + options->hold_limit_us;
    if (options->snapshot_argv && !release(snapshot))
        course.over = course.ended = true;
    follow(snapshot, guard, &course, go_on);
    attempt->duration_us = os->ops->now_us(os) - start_us;
    bool taken = snapshot->result->outcome == QZ_SNAPSHOT_TAKEN;
    if (!taken && options->snapshot_argv) {
        if (guard)
            qz_guard_thaw(guard); /* a command that writes to a frozen volume can't be ended before */
        end_command(snapshot, guard, &course);
        if (snapshot->result->outcome == QZ_SNAPSHOT_NOT_TAKEN)
            snapshot->result->outcome = QZ_SNAPSHOT_FAILED;
    }
    *snapshot->progress = taken ? QZ_SCRIPT_SUCCEEDED : QZ_SCRIPT_FAILED;
    return course.signal_number;
}
