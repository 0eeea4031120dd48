#include "fsfreeze.h"

#include <errno.h>
#include <string.h>

#define RETRY_US 5000 /* between looks at a freeze that a lost peer has under way */

size_t qz_hold_size(size_t count)
{
    return sizeof(struct qz_hold) + count * sizeof(struct qz_hold_volume);
}

void qz_hold_init(struct qz_hold *hold, const struct qz_volume *volumes, size_t count, int64_t freeze_timeout_us,
                  int64_t hold_limit_us)
{
    memset(hold, 0, qz_hold_size(count));
    hold->count = (int)count;
    hold->freeze_timeout_us = freeze_timeout_us;
    hold->hold_limit_us = hold_limit_us;
    hold->freeze_deadline_us = QZ_NEVER;
    hold->hold_deadline_us = QZ_NEVER;
    hold->thaw_begin_us = QZ_NEVER;
    for (size_t i = 0; i < count; i++) {
        hold->volumes[i].order = volumes[i].order;
        if (volumes[i].order >= hold->levels)
            hold->levels = volumes[i].order + 1;
    }
}

bool qz_hold_any(const struct qz_hold *hold, enum qz_hold_volume_state state)
{
    for (int i = 0; i < hold->count; i++)
        if (hold->volumes[i].state == (int)state)
            return true;
    return false;
}

bool qz_hold_owes(const struct qz_hold *hold)
{
    return qz_hold_any(hold, QZ_HOLD_FREEZING_NOW) || qz_hold_any(hold, QZ_HOLD_FROZEN) ||
           qz_hold_any(hold, QZ_HOLD_THAWING_NOW) || qz_hold_any(hold, QZ_HOLD_THAW_FAILED);
}

void qz_freezer_init(struct qz_freezer *freezer, struct qz_os *os, struct qz_hold *hold, enum qz_driver self)
{
    *freezer = (struct qz_freezer){.os = os, .hold = hold, .self = self};
}

static bool drives(const struct qz_freezer *freezer)
{
    return freezer->hold->driver == (int)freezer->self;
}

/* From one phase to the next, unless the peer has taken over meanwhile. */
static bool move(struct qz_hold *hold, enum qz_hold_phase from, enum qz_hold_phase to)
{
    int expected = (int)from;
    return atomic_compare_exchange_strong(&hold->phase, &expected, (int)to);
}

static void start(struct qz_freezer *freezer, int slot, enum qz_volume_op op)
{
    freezer->hold->volumes[slot].under_way[freezer->self] = (signed char)(op + 1);
    freezer->os->ops->volume_start(freezer->os, slot, op);
}

static bool is_busy(const struct qz_freezer *freezer, int slot)
{
    return freezer->hold->volumes[slot].under_way[freezer->self] != 0;
}

static bool any_busy(const struct qz_freezer *freezer)
{
    for (int i = 0; i < freezer->hold->count; i++)
        if (is_busy(freezer, i))
            return true;
    return false;
}

static bool level_in_state(const struct qz_hold *hold, int level, enum qz_hold_volume_state state)
{
    for (int i = 0; i < hold->count; i++)
        if (hold->volumes[i].order == level && hold->volumes[i].state == (int)state)
            return true;
    return false;
}

void qz_freezer_begin(struct qz_freezer *freezer)
{
    struct qz_hold *hold = freezer->hold;
    int64_t now_us = freezer->os->ops->now_us(freezer->os);
    hold->freeze_deadline_us = now_us + hold->freeze_timeout_us;
    if (!move(hold, QZ_HOLD_IDLE, QZ_HOLD_SYNCING))
        return;
    for (int i = 0; i < hold->count; i++) {
        hold->volumes[i].sync_begin_us = now_us;
        start(freezer, i, QZ_VOLUME_SYNC);
    }
}

static void freeze_level(struct qz_freezer *freezer, int level)
{
    struct qz_hold *hold = freezer->hold;
    freezer->level = level;
    for (int i = 0; i < hold->count && drives(freezer); i++) {
        if (hold->volumes[i].order != level)
            continue;
        /* Before it is begun: whoever takes over must not miss it. */
        hold->volumes[i].may_freeze = true;
        hold->volumes[i].state = QZ_HOLD_FREEZING_NOW;
        start(freezer, i, QZ_VOLUME_FREEZE);
    }
}

static void thaw_volume(struct qz_freezer *freezer, int slot)
{
    struct qz_hold_volume *volume = &freezer->hold->volumes[slot];
    volume->tries++;
    start(freezer, slot, QZ_VOLUME_THAW);
    /* Once it is begun: until then the agent takes a silent guardian for one that has not done its duty. */
    volume->state = QZ_HOLD_THAWING_NOW;
}

/* Thaws what is frozen on this level. What the peer was freezing or thawing is thawed as well, since nobody knows how
 * far it came; what this process is freezing is thawed when it comes back. */
static void thaw_level(struct qz_freezer *freezer, int level, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    freezer->level = level;
    freezer->level_wait_us = now_us + QZ_THAW_LEVEL_WAIT_US;
    for (int i = 0; i < hold->count; i++) {
        struct qz_hold_volume *volume = &hold->volumes[i];
        if (volume->order != level || is_busy(freezer, i))
            continue;
        bool unknown = freezer->inherited &&
                       (volume->state == QZ_HOLD_FREEZING_NOW || volume->state == QZ_HOLD_THAWING_NOW);
        if (volume->state == QZ_HOLD_FROZEN || unknown)
            thaw_volume(freezer, i);
    }
}

static void begin_thawing(struct qz_freezer *freezer, enum qz_hold_cause cause)
{
    struct qz_hold *hold = freezer->hold;
    int none = QZ_CAUSE_NONE;
    atomic_compare_exchange_strong(&hold->cause, &none, (int)cause);
    int64_t now_us = freezer->os->ops->now_us(freezer->os);
    hold->thaw_begin_us = now_us;
    hold->phase = QZ_HOLD_THAWING;
    freezer->give_up_us = now_us + QZ_THAW_WAIT_US;
    thaw_level(freezer, hold->levels - 1, now_us);
    qz_freezer_advance(freezer, now_us);
}

void qz_freezer_thaw(struct qz_freezer *freezer, enum qz_hold_cause cause)
{
    if (drives(freezer) && freezer->hold->phase < QZ_HOLD_THAWING)
        begin_thawing(freezer, cause);
}

void qz_freezer_take_over(struct qz_freezer *freezer, enum qz_hold_cause cause)
{
    if (drives(freezer) || freezer->hold->phase == QZ_HOLD_OVER)
        return;
    freezer->hold->driver = (int)freezer->self;
    freezer->inherited = true;
    begin_thawing(freezer, cause);
}

static void note_sync(struct qz_freezer *freezer, struct qz_hold_volume *volume, const struct qz_event *event)
{
    if (!drives(freezer))
        return;
    volume->sync_begin_us = event->begin_us;
    volume->sync_end_us = event->end_us;
    if (event->error == 0)
        return;
    volume->error = event->error;
    volume->sync_failed = true;
    volume->state = QZ_HOLD_FAILED;
}

static void note_freeze(struct qz_freezer *freezer, struct qz_hold_volume *volume, const struct qz_event *event)
{
    volume->may_freeze = false;
    volume->freeze_begin_us = event->begin_us;
    volume->freeze_end_us = event->end_us;
    if (event->error != 0) {
        volume->error = event->error;
        volume->state = QZ_HOLD_FAILED;
    } else if (drives(freezer)) {
        volume->state = QZ_HOLD_FROZEN;
        if (freezer->hold->phase >= QZ_HOLD_THAWING)
            thaw_volume(freezer, event->slot); /* it came too late to be waited for */
    } else if (volume->state != QZ_HOLD_THAWED) {
        thaw_volume(freezer, event->slot); /* the peer, which drives now, has not seen it */
    }
}

static void note_thaw(struct qz_freezer *freezer, struct qz_hold_volume *volume, const struct qz_event *event)
{
    if (volume->thaw_begin_us == 0)
        volume->thaw_begin_us = event->begin_us;
    volume->thaw_end_us = event->end_us;
    volume->error = event->error;
    if (event->error == 0)
        volume->state = QZ_HOLD_THAWED;
    else if (event->error != EINVAL && volume->tries < QZ_THAW_TRIES)
        thaw_volume(freezer, event->slot);
    else if (event->error != EINVAL)
        volume->state = QZ_HOLD_THAW_FAILED;
    else if (freezer->inherited && volume->may_freeze && !freezer->os->ops->peer_gone(freezer->os))
        volume->state = QZ_HOLD_FREEZING_NOW; /* the peer's FIFREEZE may still come: look again */
    else
        volume->state = QZ_HOLD_LOST;
}

void qz_freezer_note(struct qz_freezer *freezer, const struct qz_event *event)
{
    struct qz_hold_volume *volume = &freezer->hold->volumes[event->slot];
    volume->under_way[freezer->self] = 0;
    switch (event->op) {
    case QZ_VOLUME_SYNC:
        note_sync(freezer, volume, event);
        break;
    case QZ_VOLUME_FREEZE:
        note_freeze(freezer, volume, event);
        break;
    case QZ_VOLUME_THAW:
        note_thaw(freezer, volume, event);
        break;
    }
}

static void advance_syncing(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    if (qz_hold_any(hold, QZ_HOLD_FAILED)) {
        qz_freezer_thaw(freezer, QZ_CAUSE_FAILED);
    } else if (!any_busy(freezer)) {
        hold->hold_deadline_us = now_us + hold->hold_limit_us;
        if (move(hold, QZ_HOLD_SYNCING, QZ_HOLD_FREEZING))
            freeze_level(freezer, 0);
    } else if (now_us >= hold->freeze_deadline_us) {
        qz_freezer_thaw(freezer, QZ_CAUSE_TIMEOUT);
    }
}

static void advance_freezing(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    if (qz_hold_any(hold, QZ_HOLD_FAILED)) {
        qz_freezer_thaw(freezer, QZ_CAUSE_FAILED);
    } else if (now_us >= hold->freeze_deadline_us) {
        qz_freezer_thaw(freezer, QZ_CAUSE_TIMEOUT);
    } else if (now_us >= hold->hold_deadline_us) {
        qz_freezer_thaw(freezer, QZ_CAUSE_LIMIT);
    } else if (!level_in_state(hold, freezer->level, QZ_HOLD_FREEZING_NOW)) {
        if (freezer->level + 1 < hold->levels)
            freeze_level(freezer, freezer->level + 1);
        else
            move(hold, QZ_HOLD_FREEZING, QZ_HOLD_HELD);
    }
}

/* Has everything on the current level been thawed, or has it been waited for long enough? */
static bool level_done(const struct qz_freezer *freezer, int64_t now_us)
{
    return now_us >= freezer->level_wait_us ||
           (!level_in_state(freezer->hold, freezer->level, QZ_HOLD_FROZEN) &&
            !level_in_state(freezer->hold, freezer->level, QZ_HOLD_THAWING_NOW));
}

static void advance_thawing(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    while (freezer->level > 0 && level_done(freezer, now_us))
        thaw_level(freezer, freezer->level - 1, now_us);
    if (freezer->level > 0)
        return;
    if (freezer->inherited && now_us >= freezer->level_wait_us)
        for (int level = hold->levels - 1; level >= 0; level--)
            thaw_level(freezer, level, now_us - QZ_THAW_LEVEL_WAIT_US + RETRY_US);
    bool under_way = qz_hold_any(hold, QZ_HOLD_FROZEN) || qz_hold_any(hold, QZ_HOLD_THAWING_NOW) ||
                     (freezer->inherited && qz_hold_any(hold, QZ_HOLD_FREEZING_NOW));
    if (!under_way || now_us >= freezer->give_up_us)
        hold->phase = QZ_HOLD_OVER;
}

void qz_freezer_advance(struct qz_freezer *freezer, int64_t now_us)
{
    if (!drives(freezer))
        return;
    switch ((enum qz_hold_phase)freezer->hold->phase) {
    case QZ_HOLD_SYNCING:
        advance_syncing(freezer, now_us);
        break;
    case QZ_HOLD_FREEZING:
        advance_freezing(freezer, now_us);
        break;
    case QZ_HOLD_HELD:
        if (now_us >= freezer->hold->hold_deadline_us)
            qz_freezer_thaw(freezer, QZ_CAUSE_LIMIT);
        break;
    case QZ_HOLD_THAWING:
        advance_thawing(freezer, now_us);
        break;
    case QZ_HOLD_IDLE:
    case QZ_HOLD_OVER:
        break;
    }
}

int64_t qz_freezer_deadline(const struct qz_freezer *freezer)
{
    const struct qz_hold *hold = freezer->hold;
    if (!drives(freezer))
        return QZ_NEVER;
    switch ((enum qz_hold_phase)hold->phase) {
    case QZ_HOLD_SYNCING:
        return hold->freeze_deadline_us;
    case QZ_HOLD_FREEZING:
        return hold->freeze_deadline_us < hold->hold_deadline_us ? hold->freeze_deadline_us : hold->hold_deadline_us;
    case QZ_HOLD_HELD:
        return hold->hold_deadline_us;
    case QZ_HOLD_THAWING:
        return (freezer->level > 0 || freezer->inherited) && freezer->level_wait_us < freezer->give_up_us
                   ? freezer->level_wait_us
                   : freezer->give_up_us;
    case QZ_HOLD_IDLE:
    case QZ_HOLD_OVER:
        break;
    }
    return QZ_NEVER;
}

bool qz_freezer_settled(const struct qz_freezer *freezer)
{
    const struct qz_hold *hold = freezer->hold;
    for (int i = 0; i < hold->count; i++)
        if (is_busy(freezer, i) && hold->volumes[i].under_way[freezer->self] != QZ_VOLUME_SYNC + 1)
            return false;
    return !drives(freezer) || hold->phase == QZ_HOLD_OVER || hold->phase == QZ_HOLD_IDLE;
}

static int64_t duration(int64_t begin_us, int64_t end_us)
{
    return begin_us > 0 && end_us >= begin_us ? end_us - begin_us : -1;
}

/* What the cause of an early thaw is called in messages. */
static const char *cause_text(enum qz_hold_cause cause)
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
    return "somebody else thawed it before the snapshot had ended";
}

static void set_freeze_error(struct qz_volume *volume, const struct qz_hold_volume *held)
{
    struct qz_error *error = &volume->error;
    if (held->error == EBUSY && !held->sync_failed)
        qz_error_set(error, QZ_E_FROZEN_BY_OTHER, "%s: already frozen by somebody else; left as it is", volume->mount);
    else
        qz_error_set(error, QZ_E_FS_FREEZE_FAILED, "%s (%s on %s): %s failed: %s", volume->mount, volume->fstype,
                     volume->device, held->sync_failed ? "flushing before the freeze" : "FIFREEZE",
                     strerror(held->error));
    qz_error_detail(error, "%s", strerror(held->error));
}

static void collect_error(const struct qz_hold *hold, const struct qz_hold_volume *held, struct qz_volume *volume)
{
    enum qz_hold_cause cause = (enum qz_hold_cause)(int)hold->cause;
    bool syncing = held->sync_begin_us > 0 && held->sync_end_us == 0;
    switch ((enum qz_hold_volume_state)held->state) {
    case QZ_HOLD_FAILED:
        volume->outcome = QZ_VOLUME_FAILED;
        set_freeze_error(volume, held);
        break;
    case QZ_HOLD_FREEZING_NOW:
        volume->outcome = QZ_VOLUME_STUCK;
        qz_error_set(&volume->error, QZ_E_FS_FREEZE_TIMEOUT, "%s: FIFREEZE has not returned; %s", volume->mount,
                     hold->driver == QZ_DRIVER_GUARDIAN ? "the guardian thaws it the moment it does"
                                                        : "the guardian is lost, so use `quiesce thaw` once it has");
        break;
    case QZ_HOLD_FROZEN:
    case QZ_HOLD_THAWING_NOW:
    case QZ_HOLD_THAW_FAILED:
        volume->outcome = QZ_VOLUME_THAW_FAILED;
        qz_error_set(&volume->error, QZ_E_THAW_FAILED, "%s is still frozen: FITHAW %s; thaw it with: fsfreeze -u %s",
                     volume->mount, held->error ? strerror(held->error) : "has not returned", volume->mount);
        break;
    case QZ_HOLD_LOST:
        volume->outcome = QZ_VOLUME_LOST;
        qz_error_set(&volume->error, QZ_E_FREEZE_LOST, "%s: %s", volume->mount, cause_text(cause));
        break;
    case QZ_HOLD_THAWED:
        volume->outcome = QZ_VOLUME_THAWED;
        if (cause == QZ_CAUSE_LIMIT || cause == QZ_CAUSE_RELEASED || cause == QZ_CAUSE_PEER) {
            volume->outcome = QZ_VOLUME_LOST;
            qz_error_set(&volume->error, QZ_E_FREEZE_LOST, "%s: %s", volume->mount, cause_text(cause));
        }
        break;
    case QZ_HOLD_UNTOUCHED:
        volume->outcome = QZ_VOLUME_UNTOUCHED;
        if (cause == QZ_CAUSE_TIMEOUT && syncing)
            qz_error_set(&volume->error, QZ_E_FS_FREEZE_TIMEOUT,
                         "%s: flushing before the freeze did not end in the freeze timeout", volume->mount);
        break;
    }
    volume->error.phase = volume->outcome == QZ_VOLUME_THAW_FAILED ? QZ_PHASE_THAW : QZ_PHASE_FREEZE;
    volume->error.path = volume->mount;
}

int64_t qz_hold_collect(const struct qz_hold *hold, struct qz_volume *volumes)
{
    int64_t first_us = QZ_NEVER, last_us = 0;
    for (int i = 0; i < hold->count; i++) {
        const struct qz_hold_volume *held = &hold->volumes[i];
        struct qz_volume *volume = &volumes[i];
        collect_error(hold, held, volume);
        volume->presync_us = duration(held->sync_begin_us, held->sync_end_us);
        volume->freeze_us = duration(held->freeze_begin_us, held->freeze_end_us);
        volume->thaw_us = duration(held->thaw_begin_us, held->thaw_end_us);
        bool froze = held->freeze_end_us > 0 && held->state != QZ_HOLD_FAILED;
        volume->frozen_us = froze ? duration(held->freeze_end_us, held->thaw_end_us) : -1;
        if (held->freeze_begin_us > 0 && held->freeze_begin_us < first_us)
            first_us = held->freeze_begin_us;
        if (held->thaw_end_us > last_us)
            last_us = held->thaw_end_us;
    }
    return last_us > 0 && first_us < last_us ? last_us - first_us : 0;
}
