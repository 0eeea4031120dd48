#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "foresee.h"
#include "quiesce/session.h"
#include "session_state.h"
#include "settings.h"

/* ---- Small things ----------------------------------------------------------------------------------------------- */

static int64_t since_start(const struct qz_session *session)
{
    return session->os->ops->now_us(session->os) - session->start_us;
}

void qz_session_phase_begin(struct qz_session *session, const char *name)
{
    struct qz_result *result = session->result;
    if (result->phase_count < QZ_PHASES_MAX)
        result->phases[result->phase_count++] = (struct qz_phase_time){.name = name, .start_us = since_start(session)};
}

void qz_session_phase_end(struct qz_session *session)
{
    struct qz_phase_time *phase = &session->result->phases[session->result->phase_count - 1];
    phase->duration_us = since_start(session) - phase->start_us;
}

void qz_session_add_error(struct qz_session *session, enum qz_code code, enum qz_phase phase, const char *message)
{
    struct qz_error error;
    qz_error_set(&error, code, "%s", message);
    error.phase = phase;
    qz_error_list_add(&session->result->errors, &error);
}

void qz_session_add_unready(struct qz_session *session, enum qz_code code, enum qz_phase phase, const char *what,
                            int unguarded, int unwritten)
{
    struct qz_error error;
    if (unguarded)
        qz_error_set(&error, code, "%s: the guardian could not be made ready: %s", what, strerror(unguarded));
    else
        qz_error_set(&error, code, "%s: the journal in %s could not be written: %s", what,
                     session->os->ops->state_directory(session->os), strerror(unwritten));
    qz_error_detail(&error, "%s", strerror(unguarded ? unguarded : unwritten));
    error.phase = phase;
    qz_error_list_add(&session->result->errors, &error);
}

void qz_session_note_signal(struct qz_session *session, int signal_number)
{
    bool late_word = session->opened && (signal_number == QZ_SIGNAL_TAKEN || signal_number == QZ_SIGNAL_FAILED);
    if (signal_number && !late_word)
        session->signal_number = signal_number;
}

const char *qz_session_command(const struct qz_options *options)
{
    return options->until_end ? "begin" : options->scripts ? "run" : "freeze";
}

/* "20261123T033015Z-5f0a9c": sorts by time, and two runs in one second differ. */
static void make_run_id(struct qz_session *session)
{
    unsigned char random[3] = {0};
    session->os->ops->random_bytes(session->os, random, sizeof random);
    time_t now = (time_t)(session->start_wall_us / QZ_US_PER_S);
    struct tm broken_down;
    gmtime_r(&now, &broken_down);
    char *id = session->result->run_id;
    size_t size = sizeof session->result->run_id;
    size_t used = strftime(id, size, "%Y%m%dT%H%M%SZ", &broken_down);
    snprintf(id + used, size - used, "-%02x%02x%02x", random[0], random[1], random[2]);
}

/* ---- Check: files ----------------------------------------------------------------------------------------------- */

/* The plan lives as long as the result, whose strings lie in it. */
struct kept {
    struct qz_os *os;
    struct qz_plan plan;
};

static void release_kept(void *pointer)
{
    struct kept *kept = pointer;
    qz_plan_free(kept->os, &kept->plan);
    free(kept);
}

static bool prepare_script(struct qz_script_result *result, const struct qz_plugin *plugin, enum qz_phase role)
{
    const struct qz_script_config *script = role == QZ_PHASE_PRE ? &plugin->config.pre : &plugin->config.post;
    *result = (struct qz_script_result){.plugin = plugin->name, .role = role, .path = script->path};
    result->attempts = calloc((size_t)script->retries + 1, sizeof *result->attempts);
    return result->attempts != NULL;
}

static bool prepare_scripts(struct qz_session *session)
{
    struct qz_result *result = session->result;
    size_t count = qz_plan_sound_count(session->plan);
    result->scripts = calloc(2 * count + 1, sizeof *result->scripts);
    if (!result->scripts)
        return false;
    result->script_count = 2 * count;
    bool complete = true;
    for (size_t i = 0; i < session->plan->host.count; i++) {
        struct qz_plugin *plugin = &session->plan->plugins[i];
        if (!plugin->sound)
            continue;
        size_t k = session->sound_count++;
        session->sound[k] = plugin;
        complete = prepare_script(&result->scripts[k], plugin, QZ_PHASE_PRE) && complete;
        complete = prepare_script(&result->scripts[count + k], plugin, QZ_PHASE_POST) && complete;
    }
    return complete;
}

static void load_facts(struct qz_session *session)
{
    const struct qz_plan *plan = session->plan;
    struct qz_verdict_facts *facts = &session->facts;
    facts->scripts_configured = plan->host.count > 0 || plan->host_refused;
    facts->scripts_failed = plan->host_refused;
    facts->failed_scripts_continue = true;
    facts->freeze_continue = qz_plan_freeze_continue(plan);
    for (size_t i = 0; i < plan->host.count; i++) {
        if (plan->plugins[i].runnable)
            continue;
        facts->scripts_failed = true;
        if (!plan->plugins[i].config.continue_on_failure)
            facts->failed_scripts_continue = false;
    }
    session->result->freeze_enabled = qz_plan_wants_freeze(plan) && !session->options->scripts_only;
    facts->freeze = session->result->freeze_enabled ? QZ_FREEZE_FAILED : QZ_FREEZE_DISABLED;
}

/* Returns false if memory is short. */
static bool check_files(struct qz_session *session)
{
    struct qz_result *result = session->result;
    struct kept *kept = calloc(1, sizeof *kept);
    if (!kept)
        return false;
    kept->os = session->os;
    result->kept = kept;
    result->release = release_kept;
    session->plan = &kept->plan;
    qz_session_phase_begin(session, "check");
    qz_plan_load(session->os, session->options, session->plan, result);
    load_facts(session);
    bool complete = prepare_scripts(session);
    session->progress = session->os->ops->share(session->os, sizeof *session->progress);
    qz_session_phase_end(session);
    return complete && session->progress;
}

/* ---- The way ---------------------------------------------------------------------------------------------------- */

/* Has the command get ready to go on as soon as everything is frozen, if there will be a snapshot as far as can be told
 * now. Returns false if it cannot be started: then nothing is frozen for it. */
static bool start_snapshot(struct qz_session *session, bool freezes)
{
    struct qz_verdict_facts hoped = session->facts;
    if (freezes)
        hoped.freeze = QZ_FREEZE_HELD;
    return !qz_verdict_may_snapshot(&hoped) || qz_snapshot_start(&session->snapshot);
}

static bool freeze(struct qz_session *session)
{
    qz_session_phase_begin(session, "freeze");
    bool held = qz_session_freeze(session);
    qz_session_phase_end(session);
    return held;
}

static void take_snapshot(struct qz_session *session, bool held)
{
    struct qz_verdict_facts if_lost = session->facts;
    if_lost.freeze = QZ_FREEZE_LOST;
    bool go_on = session->options->scripts && qz_verdict_may_snapshot(&if_lost);
    qz_session_phase_begin(session, "snapshot");
    int signal_number = session->options->until_end
                            ? qz_session_stay_open(session, held)
                            : qz_snapshot_run(&session->snapshot, held ? &session->guard : NULL, go_on);
    qz_session_note_signal(session, signal_number);
    qz_session_phase_end(session);
}

static void follow_through(struct qz_session *session)
{
    struct qz_result *result = session->result;
    const char *tmp_parent = NULL;
    bool wants_freeze = result->freeze_enabled && !session->signal_number;
    bool sound = qz_session_choose_volumes(session, wants_freeze, &tmp_parent);
    if (wants_freeze && qz_session_left_alive(session)) {
        qz_session_add_error(session, QZ_E_FS_FREEZE_FAILED, QZ_PHASE_FREEZE,
                  "nothing was frozen: a process of a failed pre-script is still alive and could not be ended");
        sound = false;
    }
    session->facts.interrupted = session->signal_number != 0;
    bool ready = qz_snapshot_prepare(&session->snapshot, result->run_id, result->volumes, result->volume_count,
                                     tmp_parent);
    if (!ready)
        qz_session_add_error(session, QZ_E_INTERNAL_ERROR, QZ_PHASE_SNAPSHOT, strerror(ENOMEM));
    bool freezes = ready && wants_freeze && sound && qz_verdict_may_freeze(&session->facts);
    ready = ready && start_snapshot(session, freezes);
    bool held = ready && freezes && freeze(session);
    ready = ready && qz_snapshot_await(&session->snapshot);
    session->facts.interrupted = session->signal_number != 0 || session->guard.signal_number != 0;
    if (!held)
        qz_session_end_hold(session);
    bool alone = !session->options->scripts && !held; /* `quiesce freeze` that froze nothing has nothing to hold */
    if (ready && !alone && qz_verdict_may_snapshot(&session->facts))
        take_snapshot(session, held);
    if (held) {
        qz_session_thaw(session);
        qz_session_end_hold(session);
    }
    qz_session_note_signal(session, qz_snapshot_cancel(&session->snapshot));
    if (result->snapshot.error.code != QZ_E_SUCCESS)
        qz_error_list_add(&result->errors, &result->snapshot.error);
}

const char *qz_session_thaw_words(const struct qz_hold *hold)
{
    return !hold ? "nothing was frozen" : qz_hold_owes(hold) ? "a volume may still be frozen" : "everything was thawed";
}

const char *qz_session_post_words(const struct qz_session *session)
{
    const struct qz_progress *progress = session->progress;
    size_t owed = 0, succeeded = 0;
    for (size_t k = 0; k < session->sound_count; k++) {
        owed += progress->pre[k] != QZ_SCRIPT_IDLE;
        succeeded += progress->pre[k] != QZ_SCRIPT_IDLE && progress->post[k] == QZ_SCRIPT_SUCCEEDED;
    }
    return owed == 0 ? "" : succeeded == owed ? " and the post-scripts were run" : "; not every post-script succeeded";
}

static void add_interrupted(struct qz_result *result, int signal_number, const struct qz_hold *hold, const char *posts)
{
    struct qz_error error;
    qz_error_set(&error, QZ_E_INTERRUPTED, "ended by signal %d (SIG%s); %s%s", signal_number,
                 sigabbrev_np(signal_number), qz_session_thaw_words(hold), posts);
    qz_error_detail(&error, "signal %d (SIG%s)", signal_number, sigabbrev_np(signal_number));
    qz_error_list_add(&result->errors, &error);
    qz_error_list_sort(&result->errors);
}

static void conclude(struct qz_session *session)
{
    struct qz_result *result = session->result;
    session->facts.interrupted = session->signal_number != 0;
    qz_error_list_sort(&result->errors);
    if (session->signal_number)
        add_interrupted(result, session->signal_number, session->last_hold, qz_session_post_words(session));
    result->consistency = qz_verdict_consistency(&session->facts);
    struct qz_verdict_facts told = session->facts;
    told.snapshot = QZ_SNAPSHOT_TAKEN;
    told.freeze = QZ_FREEZE_LOST; /* nobody said that the snapshot had ended before the thaw */
    if (session->facts.snapshot == QZ_SNAPSHOT_NOT_TAKEN && session->opened)
        result->if_taken = qz_verdict_consistency(&told);
}

static void set_up(struct qz_session *session, struct qz_os *os, const struct qz_options *options,
                   struct qz_result *result)
{
    memset(session, 0, sizeof *session);
    session->os = os;
    session->options = options;
    session->result = result;
    session->start_us = os->ops->now_us(os);
    session->since_us = session->start_wall_us = os->ops->wall_us(os);
    result->snapshot_argv = options->snapshot_argv;
    make_run_id(session);
}

/* What one attempt leaves to the next one. */
struct attempt_end {
    struct qz_hold *hold; /* NULL: nothing was frozen */
    bool owing;           /* something in it is, or may become, frozen still */
    const char *posts;    /* as of qz_session_post_words */
    bool last;             /* a signal came, or a process that should have ended is alive: no further attempt */
};

/* Is nothing owed (any more)? Else the journal tells of it, and must go on to. */
static bool settle(struct qz_os *os, const struct attempt_end *end)
{
    if (!end->owing)
        return true;
    if (qz_hold_owes(end->hold))
        return false;
    qz_journal_clear(os);
    return true;
}

/* One attempt of the whole way. */
static struct attempt_end run_once(struct qz_os *os, const struct qz_options *options, struct qz_result *result)
{
    struct qz_session session;
    struct attempt_end end = {.posts = ""};
    set_up(&session, os, options, result);
    if (!check_files(&session)) {
        qz_session_add_error(&session, QZ_E_INTERNAL_ERROR, QZ_PHASE_NONE, strerror(ENOMEM));
        return end;
    }
    session.guard = (struct qz_guard){.os = os, .inherit = qz_session_take_over, .argument = &session};
    session.snapshot = (struct qz_snapshot){.os = os, .options = options, .slot = 2 * (int)session.sound_count,
                                            .progress = &session.progress->snapshot, .result = &result->snapshot,
                                            .thawed = qz_session_note_thawed, .argument = &session};
    int unguarded = qz_guard_start(&session.guard);
    if (!unguarded && !session.guard.signal_number)
        qz_session_announce_pre(&session);
    int unwritten = unguarded ? 0 : qz_session_journal(&session, false);
    if (unguarded || unwritten) {
        qz_session_add_unready(&session, QZ_E_INTERNAL_ERROR, QZ_PHASE_NONE, "nothing was begun", unguarded, unwritten);
    } else {
        session.signal_number = session.guard.signal_number;
        if (!session.signal_number)
            qz_session_pre(&session);
        follow_through(&session);
        qz_session_post(&session);
    }
    session.facts.snapshot = result->snapshot.outcome;
    conclude(&session);
    qz_snapshot_clean(&session.snapshot);
    qz_session_store(&session);
    end.last = session.signal_number != 0 || session.result->snapshot.left_alive ||
               qz_session_left_alive(&session);
    end.hold = session.last_hold;
    end.owing = end.hold && qz_hold_owes(end.hold);
    end.posts = qz_session_post_words(&session);
    if (end.owing) {
        qz_session_journal(&session, false); /* the post-scripts are not owed any more */
    } else {
        qz_journal_clear(os); /* while there is a guardian: killed after it has gone, we would leave a journal */
    }
    qz_guard_end(&session.guard, end.owing);
    qz_settings_restore(os); /* it may have been killed as it had marked one for a freeze that was given up before */
    return end;
}

/* What every session needs first: root, and, unless it only looks, the lock and a machine on which nothing of an
 * earlier, killed quiesce is frozen. */
static bool admit(struct qz_os *os, struct qz_result *result, bool lock)
{
    struct qz_error error = {0};
    if (!os->ops->is_root(os)) {
        qz_error_set(&error, QZ_E_NOT_ROOT, "quiesce %s must be run by root", result->command);
    } else if (lock) {
        qz_journal_lock(os, &error);
    }
    if (error.code == QZ_E_SUCCESS)
        return true;
    qz_error_list_add(&result->errors, &error);
    return false;
}

bool qz_session_admit(struct qz_os *os, const struct qz_options *options, struct qz_result *result)
{
    int attempts = options->attempts > 0 ? options->attempts : 1;
    *result = (struct qz_result){.command = qz_session_command(options), .attempt = 1, .attempts = attempts};
    return admit(os, result, true);
}

bool qz_session_recover(struct qz_os *os, struct qz_warning_list *warnings, struct qz_error_list *errors)
{
    struct qz_journal journal;
    struct qz_error error;
    int found = qz_journal_read(os, &journal, &error);
    qz_settings_restore(os); /* whatever the journal says: with the lock, a mark is that of a dead one */
    if (found == QZ_JOURNAL_UNREAD)
        qz_error_list_add(errors, &error); /* a run would put its own in the place of what names a frozen volume */
    else if (found < 0)
        qz_warning_list_add(warnings, NULL, 0, 0,
                            "%s; so nobody knows what a killed run has left frozen: if writing to a filesystem hangs, use "
                            "`fsfreeze -u MOUNTPOINT`", error.message);
    if (found <= 0)
        return found != QZ_JOURNAL_UNREAD;
    size_t thawed = journal.volume_count > 0 ? qz_journal_recover(os, &journal, errors) : 0;
    qz_warning_list_add(warnings, NULL, 0, 0,
                        "run %s was killed before it had ended; thawed of what it had left frozen: %zu; post-scripts of it that never ran: %zu",
                        journal.run_id, thawed, journal.post_count);
    for (size_t i = 0; i < journal.post_count; i++)
        qz_warning_list_add(warnings, NULL, 0, 0, QZ_POST_NEVER_RAN, journal.posts_owed[i], journal.run_id);
    for (size_t i = 0; i < errors->count; i++)
        errors->items[i].path = NULL; /* it is the journal's */
    qz_journal_free(&journal);
    return errors->count == 0 && errors->lost == 0;
}

/* Of what was found: before anything is begun, so that whoever stores the result, be it a guardian, has it. */
static void tell_found(const struct qz_warning_list *found, struct qz_result *result)
{
    for (size_t i = 0; i < found->count; i++)
        qz_warning_list_add(&result->warnings, NULL, 0, 0, "%s", found->items[i].message);
}

/* Waits between two attempts. Returns a signal's number if one came. */
static int pause_between(struct qz_os *os, int64_t delay_us)
{
    int64_t until_us = os->ops->now_us(os) + delay_us;
    for (;;) {
        struct qz_event event;
        os->ops->wait(os, until_us, &event);
        if (event.kind == QZ_EVENT_SIGNAL)
            return event.value;
        if (os->ops->now_us(os) >= until_us)
            return 0;
    }
}

/* With process 1 of a PID namespace the kernel ends all others, and a guardian is there to survive the agent. */
static void warn_of_first_process(struct qz_os *os, struct qz_warning_list *warnings)
{
    struct qz_process self;
    os->ops->self(os, &self);
    if (self.pid == 1)
        qz_warning_list_add(warnings, NULL, 0, 0,
                            "quiesce is process 1 of its PID namespace: if it is killed, so is its guardian, and what is frozen "
                            "stays so until `quiesce thaw`; start it below an init (docker run --init)");
}

enum qz_exit qz_session_run(struct qz_os *os, const struct qz_options *options, struct qz_result *result)
{
    const char *command = qz_session_command(options);
    if (!qz_session_admit(os, options, result))
        return QZ_EXIT_NONE;
    int attempts = result->attempts;
    struct qz_warning_list found = {0};
    struct attempt_end end = {0};
    bool sound = qz_session_recover(os, &found, &result->errors);
    warn_of_first_process(os, &found);
    tell_found(&found, result);
    for (int attempt = 1; sound; attempt++) {
        end = run_once(os, options, result);
        if (result->consistency != QZ_NONE || end.last || attempt == attempts)
            break;
        qz_say(os, "attempt %d of %d gave no usable backup (%s); the next one in %.6g s", attempt, attempts,
               qz_error_name(qz_result_code(result)), (double)options->attempt_delay_us / QZ_US_PER_S);
        int signal_number = pause_between(os, options->attempt_delay_us);
        if (signal_number) {
            add_interrupted(result, signal_number, end.hold, end.posts);
            break;
        }
        if (!settle(os, &end))
            break;
        qz_result_free(result);
        *result = (struct qz_result){.command = command, .attempt = attempt + 1, .attempts = attempts};
        tell_found(&found, result);
    }
    settle(os, &end);
    qz_warning_list_free(&found);
    return qz_verdict_exit(result->consistency);
}

/* What the journal says of others, who make a difference to a run that is started now. */
static void warn_of_others(struct qz_os *os, struct qz_warning_list *warnings)
{
    struct qz_journal journal;
    struct qz_error error;
    int found = qz_journal_read(os, &journal, &error);
    bool living = found == 1 && (os->ops->process_alive(os, &journal.agent) ||
                                 os->ops->process_alive(os, &journal.guardian));
    if (found < 0)
        qz_warning_list_add(warnings, NULL, 0, 0, "%s", error.message);
    else if (living)
        qz_warning_list_add(warnings, NULL, 0, 0, "another quiesce is at work, and a run is refused as long (AlreadyRunning); "
                                                  "`quiesce status` shows it");
    else if (found == 1)
        qz_warning_list_add(warnings, NULL, 0, 0, "run %s was killed; `quiesce thaw`, or the next run, thaws what it has left "
                                                  "frozen (filesystems: %zu)", journal.run_id, journal.volume_count);
    qz_journal_free(&journal);
}

enum qz_exit qz_session_check(struct qz_os *os, const struct qz_options *options, struct qz_result *result)
{
    *result = (struct qz_result){.command = "check", .attempt = 1, .attempts = 1};
    if (!admit(os, result, false))
        return QZ_EXIT_NONE;
    struct qz_session session;
    set_up(&session, os, options, result);
    if (!check_files(&session)) {
        qz_session_add_error(&session, QZ_E_INTERNAL_ERROR, QZ_PHASE_NONE, strerror(ENOMEM));
        return QZ_EXIT_SOFTWARE;
    }
    qz_foresee(os, session.plan, &result->warnings);
    bool sound = qz_session_choose_volumes(&session, false, NULL);
    if (result->freeze_enabled)
        result->expedited = qz_session_plan_expedite(&session);
    if (result->freeze_enabled)
        session.facts.freeze = sound ? QZ_FREEZE_HELD : QZ_FREEZE_FAILED;
    session.facts.snapshot = qz_verdict_may_snapshot(&session.facts) ? QZ_SNAPSHOT_TAKEN : QZ_SNAPSHOT_NOT_TAKEN;
    warn_of_others(os, &result->warnings);
    conclude(&session);
    return qz_verdict_exit(result->consistency);
}
