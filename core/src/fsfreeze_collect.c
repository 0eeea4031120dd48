/* fsfreeze_collect.c: from a hold to the report. */
#include <errno.h>
#include <string.h>

#include "fsfreeze.h"

static int64_t duration(int64_t begin_us, int64_t end_us)
{
    return begin_us > 0 && end_us >= begin_us ? end_us - begin_us : -1;
}

/* What the cause of an early thaw is called in messages. */
static const char *cause_text(enum qz_hold_cause cause, const struct qz_hold_volume *held)
{
    switch (cause) {
    case QZ_CAUSE_LIMIT:
        return "thawed by the hold limit before the snapshot had ended";
    case QZ_CAUSE_RELEASED:
        return "thawed on request (quiesce thaw, or SIGTERM to the guardian) before the snapshot had ended";
    case QZ_CAUSE_PEER:
        return "the guardian or the agent was lost, so it was thawed at once";
    case QZ_CAUSE_NONE:
    case QZ_CAUSE_ASKED:
    case QZ_CAUSE_FAILED:
    case QZ_CAUSE_TIMEOUT:
        break;
    }
    if (held->thaw_unseen)
        return "it may have been thawed before the snapshot had ended: the guardian was lost, or stood still, as it thawed it";
    return "somebody else thawed it before the snapshot had ended";
}

static void set_freeze_error(struct qz_volume *volume, const struct qz_hold_volume *held)
{
    struct qz_error *error = volume->error;
    if (held->error == EBUSY && !held->sync_failed)
        qz_error_set(error, QZ_E_FROZEN_BY_OTHER, "%s: already frozen by somebody else; left as it is", volume->mount);
    else
        qz_error_set(error, QZ_E_FS_FREEZE_FAILED, "%s (%s on %s): %s failed: %s", volume->mount, volume->fstype,
                     volume->device, held->sync_failed ? "flushing before the freeze" : "FIFREEZE",
                     strerror(held->error));
    qz_error_detail(error, "%s", strerror(held->error));
}

/* "MOUNT: CAUSE; FURTHER", with the cause as the detail. `further` may be NULL. */
static void set_error(struct qz_volume *volume, enum qz_code code, const char *cause, const char *further)
{
    qz_error_set(volume->error, code, "%s: %s%s%s", volume->mount, cause, further ? "; " : "", further ? further : "");
    qz_error_detail(volume->error, "%s", cause);
}

static void collect_error(const struct qz_hold *hold, const struct qz_hold_volume *held, struct qz_volume *volume)
{
    enum qz_hold_cause cause = (enum qz_hold_cause)(int)hold->cause;
    switch ((enum qz_hold_volume_state)held->state) {
    case QZ_HOLD_FAILED:
        volume->outcome = QZ_VOLUME_FAILED;
        set_freeze_error(volume, held);
        break;
    case QZ_HOLD_FREEZING_NOW:
        volume->outcome = QZ_VOLUME_STUCK;
        set_error(volume, QZ_E_FS_FREEZE_TIMEOUT, "FIFREEZE has not returned",
                  hold->driver == QZ_DRIVER_GUARDIAN ? "the guardian thaws it the moment it does"
                                                     : "the guardian is lost, so use `quiesce thaw` once it has");
        break;
    case QZ_HOLD_FROZEN:
    case QZ_HOLD_THAWING_NOW:
    case QZ_HOLD_THAW_FAILED:
        volume->outcome = QZ_VOLUME_THAW_FAILED;
        qz_error_set(volume->error, QZ_E_THAW_FAILED, "%s is still frozen: FITHAW %s; thaw it with: fsfreeze -u %s",
                     volume->mount, held->error ? strerror(held->error) : "has not returned", volume->mount);
        qz_error_detail(volume->error, "%s", held->error ? strerror(held->error) : "FITHAW has not returned");
        break;
    case QZ_HOLD_LOST:
        volume->outcome = QZ_VOLUME_LOST;
        set_error(volume, QZ_E_FREEZE_LOST, cause_text(cause, held), NULL);
        break;
    case QZ_HOLD_THAWED:
        volume->outcome = QZ_VOLUME_THAWED;
        if (cause == QZ_CAUSE_LIMIT || cause == QZ_CAUSE_RELEASED || cause == QZ_CAUSE_PEER) {
            volume->outcome = QZ_VOLUME_LOST;
            set_error(volume, QZ_E_FREEZE_LOST, cause_text(cause, held), NULL);
        }
        break;
    case QZ_HOLD_UNTOUCHED:
        volume->outcome = QZ_VOLUME_UNTOUCHED;
        if (cause == QZ_CAUSE_TIMEOUT && held->sync_under_way)
            set_error(volume, QZ_E_FS_FREEZE_TIMEOUT, "flushing before the freeze did not end in the freeze timeout", NULL);
        break;
    }
    if (volume->error->code == QZ_E_SUCCESS)
        return;
    volume->error->phase = volume->outcome == QZ_VOLUME_THAW_FAILED ? QZ_PHASE_THAW : QZ_PHASE_FREEZE;
    volume->error->path = volume->mount;
}

static void collect_times(const struct qz_hold *hold, const struct qz_hold_volume *held, struct qz_volume *volume)
{
    bool flushed = held->sync_rounds > held->sync_under_way;
    bool froze = held->freeze_end_us > 0 && held->state != QZ_HOLD_FAILED;
    volume->presync_us = flushed ? hold->writeback_us + held->sync_us : -1;
    volume->presync_rounds = held->sync_rounds - held->sync_under_way;
    volume->freeze_us = duration(held->freeze_begin_us, held->freeze_end_us);
    volume->frozen_us = froze ? duration(held->freeze_end_us, held->thaw_end_us) : -1;
    volume->thaw_us = duration(held->thaw_begin_us, held->thaw_end_us);
}

struct qz_window qz_hold_collect(const struct qz_hold *hold, struct qz_volume *volumes)
{
    int64_t first_us = QZ_NEVER, last_us = 0, all_us = 0, thaw_us = QZ_NEVER;
    bool all = hold->count > 0;
    for (int i = 0; i < hold->count; i++) {
        const struct qz_hold_volume *held = &hold->volumes[i];
        collect_error(hold, held, &volumes[i]);
        collect_times(hold, held, &volumes[i]);
        if (held->freeze_begin_us > 0 && held->freeze_begin_us < first_us)
            first_us = held->freeze_begin_us;
        if (held->thaw_end_us > last_us)
            last_us = held->thaw_end_us;
        if (held->freeze_end_us > all_us)
            all_us = held->freeze_end_us;
        if (held->thaw_begin_us > 0 && held->thaw_begin_us < thaw_us)
            thaw_us = held->thaw_begin_us;
        all = all && held->freeze_end_us > 0 && held->state != QZ_HOLD_FAILED;
    }
    return (struct qz_window){.length_us = last_us > 0 && first_us < last_us ? last_us - first_us : 0,
                              .cut_us = all && all_us <= thaw_us ? all_us : 0};
}
