#include "session_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expedite.h"
#include "settings.h"
#include "volumes.h"

/* ---- Journal ---------------------------------------------------------------------------------------------------- */

int qz_session_journal(struct qz_session *session, bool frozen)
{
    struct qz_os *os = session->os;
    const struct qz_result *result = session->result;
    struct qz_journal_volume *volumes = calloc(session->freeze_count + 1, sizeof *volumes);
    char *posts[QZ_PLUGINS_MAX];
    if (!volumes)
        return ENOMEM;
    struct qz_journal journal = {.command = (char *)(uintptr_t)qz_session_command(session->options),
                                 .run_id = session->result->run_id, .volumes = volumes, .posts_owed = posts};
    os->ops->self(os, &journal.agent);
    os->ops->guardian(os, &journal.guardian);
    int64_t wall_us = os->ops->wall_us(os);
    if (frozen && session->since_us == session->start_wall_us)
        session->since_us = wall_us;
    journal.since_us = session->since_us;
    /* Should the first FIFREEZE come as late as it may. Once it has come, this is not written anew: nothing is, then. */
    journal.until_us = wall_us + session->options->freeze_timeout_us + session->options->hold_limit_us;
    for (size_t i = 0; i < session->freeze_count; i++) {
        const struct qz_volume *volume = &result->volumes[i];
        bool owed = frozen || volume->outcome == QZ_VOLUME_STUCK || volume->outcome == QZ_VOLUME_THAW_FAILED;
        if (owed)
            volumes[journal.volume_count++] = (struct qz_journal_volume){
                .mount = volume->mount, .device = volume->device, .fstype = volume->fstype, .dev = volume->dev};
    }
    for (size_t k = 0; k < session->sound_count; k++)
        if (session->progress->pre[k] != QZ_SCRIPT_IDLE && session->progress->post[k] == QZ_SCRIPT_IDLE)
            posts[journal.post_count++] = session->sound[k]->config.post.path;
    int failed = qz_journal_write(os, &journal);
    free(volumes);
    return failed;
}

/* ---- Volumes ---------------------------------------------------------------------------------------------------- */

static void pass_over_all(struct qz_result *result, const char *reason)
{
    for (size_t i = 0; i < result->volume_count; i++) {
        struct qz_volume *volume = &result->volumes[i];
        if (volume->decision != QZ_DECISION_FREEZE)
            continue;
        volume->decision = QZ_DECISION_SKIP;
        volume->order = -1;
        snprintf(volume->reason, sizeof volume->reason, "%s", reason);
    }
}

bool qz_session_choose_volumes(struct qz_session *session, bool open, const char **tmp_parent)
{
    struct qz_os *os = session->os;
    struct qz_result *result = session->result;
    const struct qz_options *options = session->options;
    const char *const candidates[] = {os->ops->state_directory(os), "/run", "/dev/shm", "/tmp", "/var/tmp", NULL};
    struct qz_volume_choice choice = {options->volumes, options->volume_count, options->excludes,
                                      options->exclude_count};
    struct qz_mount_table table = {0};
    struct qz_error error;
    size_t disks = 0;
    int failed = os->ops->list_mounts(os, &table);
    enum qz_code code = failed ? qz_error_set(&error, QZ_E_FS_FREEZE_FAILED, "the mount table cannot be read: %s",
                                              strerror(failed))
                               : qz_volumes_choose(os, &table, &choice, open, &result->volumes, &result->volume_count,
                                                   &session->freeze_count, &disks, &result->warnings, &error);
    session->facts.single_disk = code == QZ_E_SUCCESS && disks == 1;
    if (!result->freeze_enabled)
        pass_over_all(result, options->scripts_only ? "--scripts-only" : "fsFreezeEnabled is false");
    if (tmp_parent)
        *tmp_parent = qz_volumes_find_unfrozen(&table, result->volumes, result->volume_count, candidates);
    qz_mount_table_free(&table);
    if (code != QZ_E_SUCCESS && !result->freeze_enabled)
        qz_warning_list_add(&result->warnings, NULL, 0, 0, "%s", error.message); /* nothing was asked of the volumes */
    if (code != QZ_E_SUCCESS && result->freeze_enabled) {
        error.phase = QZ_PHASE_FREEZE;
        qz_error_list_add(&result->errors, &error);
    }
    if (code != QZ_E_SUCCESS)
        return false;
    bool sound = true;
    for (size_t i = 0; i < result->volume_count && result->freeze_enabled; i++) {
        if (result->volumes[i].error->code == QZ_E_SUCCESS)
            continue;
        sound = false;
        qz_error_list_add(&result->errors, result->volumes[i].error);
    }
    if (sound && session->freeze_count == 0 && result->freeze_enabled) {
        qz_session_add_error(session, QZ_E_FS_FREEZE_FAILED, QZ_PHASE_FREEZE,
                  "there is no filesystem that could be frozen; `quiesce check` says why each is passed over");
        sound = false;
    }
    return sound;
}

/* ---- Freeze and thaw -------------------------------------------------------------------------------------------- */

bool qz_session_plan_expedite(struct qz_session *session)
{
    char why[QZ_DETAIL_SIZE];
    bool planned = qz_expedite_plan(session->os, session->options->expedite, why);
    if (!planned && session->options->expedite == QZ_EXPEDITE_ALWAYS)
        qz_warning_list_add(&session->result->warnings, NULL, 0, 0, "the freeze cannot be expedited: %s", why);
    return planned;
}

static bool prepare_hold(struct qz_session *session)
{
    struct qz_guard *guard = &session->guard;
    size_t count = session->freeze_count;
    guard->hold = session->os->ops->share(session->os, qz_hold_size(count));
    if (!guard->hold)
        return false;
    qz_hold_init(guard->hold, session->result->run_id, session->result->volumes, count,
                 session->options->freeze_timeout_us, session->options->hold_limit_us);
    guard->hold->expedite = qz_session_plan_expedite(session);
    if (session->options->hold_us == session->options->hold_limit_us)
        qz_warning_list_add(&session->result->warnings, NULL, 0, 0,
                            "--hold is as long as --hold-limit, which counts from before the first freeze: "
                            "no freeze holds that long");
    return true;
}

/* What is said of a hold that ended before its time, if no volume's own error says it. NULL: it did not. */
static const char *early_end(enum qz_hold_cause cause)
{
    switch (cause) {
    case QZ_CAUSE_LIMIT:
        return "the hold limit passed before the snapshot had ended";
    case QZ_CAUSE_RELEASED:
        return "the guardian was told to thaw (quiesce thaw, or SIGTERM) before the snapshot had ended";
    case QZ_CAUSE_PEER:
        return "the guardian was lost before the snapshot had ended";
    case QZ_CAUSE_NONE:
    case QZ_CAUSE_ASKED:
    case QZ_CAUSE_FAILED:
    case QZ_CAUSE_TIMEOUT:
        break;
    }
    return NULL;
}

/* What became of a filesystem that was unmounted while it was frozen is not ours to say. Asked after the thaw, so that it
 * takes none of the window's time. */
static void find_unmounted(struct qz_session *session)
{
    const struct qz_os *os = session->os;
    for (size_t i = 0; i < session->freeze_count; i++) {
        struct qz_volume *volume = &session->result->volumes[i];
        if (volume->outcome != QZ_VOLUME_THAWED ||
            os->ops->volume_mounted(session->os, volume->mount, volume->mount_id, volume->dev))
            continue;
        volume->outcome = QZ_VOLUME_LOST;
        qz_error_set(volume->error, QZ_E_FREEZE_LOST, "%s: it was unmounted before the snapshot had ended", volume->mount);
        qz_error_detail(volume->error, "it was unmounted before the snapshot had ended");
        volume->error->phase = QZ_PHASE_FREEZE;
        volume->error->path = volume->mount;
    }
}

/* Takes in the volumes' errors. Returns whether one of them says why the freeze is worth nothing. */
static bool collect_volumes(struct qz_session *session)
{
    bool explained = false;
    for (size_t i = 0; i < session->freeze_count; i++) {
        const struct qz_volume *volume = &session->result->volumes[i];
        if (volume->error->code == QZ_E_SUCCESS)
            continue;
        qz_error_list_add(&session->result->errors, volume->error);
        if (volume->outcome == QZ_VOLUME_THAW_FAILED)
            session->facts.thaw_failed = true;
        else
            explained = true;
    }
    return explained;
}

/* Is a volume frozen that we do not thaw: one that could not be, or somebody else's? */
static bool stays_frozen(const struct qz_session *session)
{
    for (size_t i = 0; i < session->freeze_count; i++) {
        const struct qz_volume *volume = &session->result->volumes[i];
        if (volume->outcome == QZ_VOLUME_THAW_FAILED || volume->error->code == QZ_E_FROZEN_BY_OTHER)
            return true;
    }
    return false;
}

static void add_timeout(struct qz_session *session)
{
    char message[QZ_DETAIL_SIZE];
    snprintf(message, sizeof message, "freezing did not finish within %.6g s (--freeze-timeout)",
             (double)session->options->freeze_timeout_us / QZ_US_PER_S);
    qz_session_add_error(session, QZ_E_FS_FREEZE_TIMEOUT, QZ_PHASE_FREEZE, message);
}

/* From the hold to errors and facts, once everything is thawed, or cannot be. */
static void collect(struct qz_session *session)
{
    struct qz_hold *hold = session->guard.hold;
    struct qz_window window = qz_hold_collect(hold, session->result->volumes);
    session->result->window_us = window.length_us;
    session->result->cut_us = window.cut_us > 0 ? window.cut_us - session->start_us : 0;
    if (session->facts.freeze == QZ_FREEZE_HELD)
        find_unmounted(session);
    bool explained = collect_volumes(session);
    const char *early = early_end((enum qz_hold_cause)(int)hold->cause);
    if ((early || explained) && session->facts.freeze == QZ_FREEZE_HELD)
        session->facts.freeze = QZ_FREEZE_LOST;
    if (!explained && early)
        qz_session_add_error(session, QZ_E_FREEZE_LOST, QZ_PHASE_FREEZE, early);
    else if (!explained && hold->cause == QZ_CAUSE_TIMEOUT)
        add_timeout(session);
}

void qz_session_note_thawed(void *argument)
{
    struct qz_session *session = argument;
    if (!qz_hold_owes(session->guard.hold))
        qz_session_journal(session, false); /* if this fails, it says until our end that something is frozen */
}

void qz_session_thaw(struct qz_session *session)
{
    qz_session_phase_begin(session, "thaw");
    qz_guard_thaw(&session->guard);
    qz_session_phase_end(session);
}

/* The last try to put it back, if all others have failed. */
static void settle_setting(struct qz_session *session, enum qz_setting setting, const char *name, const char *advice)
{
    int failed = qz_setting_restore(session->os, setting);
    if (failed)
        qz_warning_list_add(&session->result->warnings, NULL, 0, 0, "%s could not be put back (%s); %s", name,
                            strerror(failed), advice);
}

static void settle_settings(struct qz_session *session)
{
    const struct qz_hold *hold = session->guard.hold;
    session->result->expedited = hold->expedited;
    if (hold->expedite)
        settle_setting(session, QZ_SETTING_RCU_EXPEDITED, "/sys/kernel/rcu_expedited", "write 0 to it");
    settle_setting(session, QZ_SETTING_WRITEBACK_PERIOD, "vm.dirty_writeback_centisecs", "it is 63 too much");
}

void qz_session_end_hold(struct qz_session *session)
{
    struct qz_guard *guard = &session->guard;
    if (!guard->hold) {
        session->os->ops->volumes_close(session->os); /* a post-script may want to unmount them */
        return;
    }
    collect(session);
    settle_settings(session);
    session->os->hush = stays_frozen(session); /* a log on a volume that stays frozen would hang us */
    qz_guard_close(guard); /* as above; a guardian's open volumes keep them from it just as well */
    session->last_hold = guard->hold;
    guard->hold = NULL;
    if (!guard->present)
        qz_guard_start(guard); /* for the post-scripts that are owed; if it fails, we are on our own */
    qz_session_note_signal(session, guard->signal_number);
    qz_session_journal(session, false);
}

bool qz_session_freeze(struct qz_session *session)
{
    struct qz_guard *guard = &session->guard;
    int unguarded = prepare_hold(session) ? qz_guard_begin(guard) : ENOMEM;
    bool ready = qz_snapshot_await(&session->snapshot);
    if (!unguarded)
        unguarded = qz_guard_await(guard);
    if (!ready)
        return false;
    int unwritten = unguarded ? 0 : qz_session_journal(session, true);
    if (unguarded || unwritten) {
        qz_session_add_unready(session, QZ_E_FS_FREEZE_FAILED, QZ_PHASE_FREEZE, "nothing was frozen", unguarded,
                               unwritten);
        return false;
    }
    session->os->hush = true;
    if (!guard->signal_number && qz_guard_freeze(guard)) {
        session->facts.freeze = QZ_FREEZE_HELD;
        return true;
    }
    return false;
}
