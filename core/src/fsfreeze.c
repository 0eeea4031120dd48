#include "fsfreeze.h"

#include <errno.h>

#include "expedite.h"

#define RETRY_US 5000 /* between looks at a freeze that a lost peer has under way */
#define WRITEBACK_SHARE 4 /* a quarter of the freeze timeout is for writing out before anything is flushed */
#define LAST_THAW_US QZ_US_PER_S /* what a thaw that is begun late is given before we give up */

void qz_freezer_init(struct qz_freezer *freezer, struct qz_os *os, struct qz_hold *hold, enum qz_driver self)
{
    *freezer = (struct qz_freezer){.os = os, .hold = hold, .self = self};
}

bool qz_freezer_drives(const struct qz_freezer *freezer)
{
    return freezer->hold->driver == (int)freezer->self;
}

static enum qz_driver peer_of(const struct qz_freezer *freezer)
{
    return freezer->self == QZ_DRIVER_AGENT ? QZ_DRIVER_GUARDIAN : QZ_DRIVER_AGENT;
}

static int64_t sooner(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

static int64_t later(int64_t a_us, int64_t b_us)
{
    return a_us > b_us ? a_us : b_us;
}

/* From one phase to the next, unless the peer has taken over meanwhile. */
static bool move(struct qz_hold *hold, enum qz_hold_phase from, enum qz_hold_phase to)
{
    int expected = (int)from;
    return atomic_compare_exchange_strong(&hold->phase, &expected, (int)to);
}

static void start(struct qz_freezer *freezer, int slot, enum qz_volume_op op)
{
    struct qz_hold_volume *volume = &freezer->hold->volumes[slot];
    volume->done[freezer->self].ended = false;
    volume->noted[freezer->self] = false;
    volume->under_way[freezer->self] = (signed char)(op + 1);
    freezer->os->ops->volume_start(freezer->os, slot, op, &volume->done[freezer->self]);
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

/* A round of flushing, all volumes side by side. */
static void flush(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    qz_presync_begin(&freezer->presync, now_us);
    for (int i = 0; i < hold->count && qz_freezer_drives(freezer); i++) {
        struct qz_hold_volume *volume = &hold->volumes[i];
        volume->sync_under_way = true;
        volume->sync_rounds++;
        start(freezer, i, QZ_VOLUME_SYNC);
    }
}

void qz_freezer_begin(struct qz_freezer *freezer)
{
    struct qz_hold *hold = freezer->hold;
    int64_t now_us = freezer->os->ops->now_us(freezer->os);
    if (!move(hold, QZ_HOLD_IDLE, QZ_HOLD_SYNCING))
        return;
    freezer->presync.first_us = now_us;
    qz_writeback_begin(&freezer->writeback, freezer->os, now_us, now_us + hold->freeze_timeout_us / WRITEBACK_SHARE);
    if (!freezer->writeback.under_way)
        flush(freezer, now_us);
}

static void freeze_level(struct qz_freezer *freezer, int level)
{
    struct qz_hold *hold = freezer->hold;
    freezer->level = level;
    for (int i = 0; i < hold->count && qz_freezer_drives(freezer); i++) {
        if (hold->volumes[i].order != level)
            continue;
        /* Before it is begun: whoever takes over must not miss it. */
        hold->volumes[i].may_freeze = true;
        hold->volumes[i].state = QZ_HOLD_FREEZING_NOW;
        start(freezer, i, QZ_VOLUME_FREEZE);
    }
}

/* Gives up in so long at the soonest. */
static void wait_at_least(struct qz_freezer *freezer, int64_t least_us)
{
    freezer->give_up_us = later(freezer->give_up_us, freezer->os->ops->now_us(freezer->os) + least_us);
}

static void thaw_volume(struct qz_freezer *freezer, int slot)
{
    struct qz_hold_volume *volume = &freezer->hold->volumes[slot];
    /* Asked before: what comes between a FITHAW that finds nothing frozen and the question is not to be missed. */
    if (freezer->inherited && volume->may_freeze && freezer->os->ops->peer_gone(freezer->os))
        volume->may_freeze = false;
    volume->state = QZ_HOLD_THAWING_NOW; /* before it is begun: who sleeps in between must not write it later */
    start(freezer, slot, QZ_VOLUME_THAW);
    wait_at_least(freezer, LAST_THAW_US); /* what we have slept costs it no time */
}

static void note(struct qz_freezer *freezer, const struct qz_event *event);

/* Takes in what has come of the peer's last operation, and the peer has not. */
static void note_for_peer(struct qz_freezer *freezer, int slot)
{
    struct qz_hold_volume *volume = &freezer->hold->volumes[slot];
    enum qz_driver peer = peer_of(freezer);
    const struct qz_volume_done *done = &volume->done[peer];
    int op = volume->under_way[peer] - 1;
    if (op < 0 || !done->ended || volume->noted[peer])
        return;
    volume->noted[peer] = true;
    note(freezer, &(struct qz_event){.slot = slot, .op = (enum qz_volume_op)op, .error = done->error,
                                     .begin_us = done->begin_us, .end_us = done->end_us});
}

/* Thaws what is frozen on this level. What the peer was freezing or thawing is thawed as well where nobody knows how
 * far it came; what this process is freezing is thawed when it comes back. */
static void thaw_level(struct qz_freezer *freezer, int level, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    freezer->level = level;
    freezer->level_wait_us = now_us + QZ_THAW_LEVEL_WAIT_US;
    for (int i = 0; i < hold->count; i++) {
        struct qz_hold_volume *volume = &hold->volumes[i];
        if (volume->order == level && freezer->inherited)
            note_for_peer(freezer, i);
        if (volume->order != level || is_busy(freezer, i))
            continue;
        bool unknown = freezer->inherited &&
                       (volume->state == QZ_HOLD_FREEZING_NOW || volume->state == QZ_HOLD_THAWING_NOW);
        volume->thaw_unseen |= unknown && volume->state == QZ_HOLD_THAWING_NOW;
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
    qz_expedite_end(freezer, now_us);
    hold->thaw_begin_us = now_us;
    hold->phase = QZ_HOLD_THAWING;
    thaw_level(freezer, hold->levels - 1, now_us);
    int64_t awake_us = freezer->os->ops->now_us(freezer->os); /* what we slept costs nobody his time */
    freezer->freeze_wait_us = later(qz_hold_freezing_deadline(hold), awake_us + QZ_THAW_LEVEL_WAIT_US);
    freezer->give_up_us = awake_us + QZ_THAW_WAIT_US;
    freezer->awake_us = QZ_NEVER;
    qz_freezer_advance(freezer, now_us);
}

void qz_freezer_thaw(struct qz_freezer *freezer, enum qz_hold_cause cause)
{
    if (qz_freezer_drives(freezer) && freezer->hold->phase < QZ_HOLD_THAWING)
        begin_thawing(freezer, cause);
}

void qz_freezer_take_over(struct qz_freezer *freezer, enum qz_hold_cause cause)
{
    if (qz_freezer_drives(freezer) || (freezer->hold->phase == QZ_HOLD_OVER && !qz_hold_owes(freezer->hold)))
        return;
    freezer->hold->thaw_begin_us = freezer->os->ops->now_us(freezer->os); /* what the peer has to know of a driver */
    freezer->hold->driver = (int)freezer->self;
    freezer->inherited = true;
    for (int i = 0; i < freezer->hold->count; i++) {
        freezer->hold->volumes[i].done[freezer->self].called_off = false;
        freezer->hold->volumes[i].done[peer_of(freezer)].called_off = true;
    }
    begin_thawing(freezer, cause);
}

static void note_sync(struct qz_freezer *freezer, struct qz_hold_volume *volume, const struct qz_event *event)
{
    if (!qz_freezer_drives(freezer))
        return;
    volume->sync_under_way = false;
    volume->sync_us += event->end_us - event->begin_us;
    if (event->error == 0)
        return;
    volume->error = event->error;
    volume->sync_failed = true;
    volume->state = QZ_HOLD_FAILED;
}

/* Has the peer, while we slept, thawed what that FIFREEZE of ours froze? What is frozen by now is somebody else's. */
static bool thawed_since(const struct qz_hold_volume *volume, const struct qz_event *freeze)
{
    return volume->state == QZ_HOLD_THAWED && volume->thaw_end_us > freeze->end_us;
}

static void note_freeze(struct qz_freezer *freezer, struct qz_hold_volume *volume, const struct qz_event *event)
{
    volume->may_freeze = false;
    volume->freeze_begin_us = event->begin_us;
    volume->freeze_end_us = event->end_us;
    if (event->error != 0) {
        volume->error = event->error;
        volume->state = QZ_HOLD_FAILED;
    } else if (thawed_since(volume, event)) {
        return;
    } else if (qz_freezer_drives(freezer)) {
        volume->state = QZ_HOLD_FROZEN;
        if (freezer->hold->phase >= QZ_HOLD_THAWING) { /* it came late; its thaw has the time of any other */
            thaw_volume(freezer, event->slot);
            wait_at_least(freezer, QZ_THAW_WAIT_US);
        }
    } else {
        volume->done[freezer->self].called_off = false;
        thaw_volume(freezer, event->slot); /* the peer, which drives now, has not seen it: it came later */
    }
}

static void note_thaw(struct qz_freezer *freezer, struct qz_hold_volume *volume, const struct qz_event *event)
{
    if (event->error == ECANCELED || (!qz_freezer_drives(freezer) && event->begin_us <= freezer->hold->thaw_begin_us))
        return; /* called off by the peer, or begun before it took over: it sees to it */
    if (volume->thaw_begin_us == 0)
        volume->thaw_begin_us = event->begin_us;
    volume->thaw_end_us = event->end_us;
    volume->error = event->error;
    if (event->error == 0)
        volume->state = QZ_HOLD_THAWED;
    else if (event->error != EINVAL && ++volume->failures < QZ_THAW_TRIES)
        thaw_volume(freezer, event->slot);
    else if (event->error != EINVAL)
        volume->state = QZ_HOLD_THAW_FAILED;
    else if (freezer->inherited && volume->may_freeze)
        volume->state = QZ_HOLD_FREEZING_NOW; /* the peer's FIFREEZE may still come: look again */
    else
        volume->state = QZ_HOLD_LOST;
}

static void note(struct qz_freezer *freezer, const struct qz_event *event)
{
    struct qz_hold_volume *volume = &freezer->hold->volumes[event->slot];
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

void qz_freezer_note(struct qz_freezer *freezer, const struct qz_event *event)
{
    freezer->hold->volumes[event->slot].under_way[freezer->self] = 0;
    note(freezer, event);
}

/* Until the kernel has written out what it can; then everything is flushed. */
static void write_out(struct qz_freezer *freezer, int64_t now_us)
{
    qz_writeback_look(&freezer->writeback, freezer->os, now_us);
    if (freezer->writeback.under_way)
        return;
    freezer->hold->writeback_us = now_us - freezer->presync.first_us;
    flush(freezer, now_us);
}

static void advance_syncing(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    if (qz_hold_any(hold, QZ_HOLD_FAILED)) {
        qz_freezer_thaw(freezer, QZ_CAUSE_FAILED);
    } else if (now_us >= hold->freeze_deadline_us) {
        qz_freezer_thaw(freezer, QZ_CAUSE_TIMEOUT);
    } else if (freezer->writeback.under_way) {
        write_out(freezer, now_us);
    } else if (any_busy(freezer)) {
        return;
    } else if (qz_presync_again(&freezer->presync, now_us, hold->freeze_timeout_us)) {
        flush(freezer, now_us);
    } else {
        hold->hold_deadline_us = now_us + hold->hold_limit_us;
        if (!move(hold, QZ_HOLD_SYNCING, QZ_HOLD_FREEZING))
            return;
        qz_expedite_begin(freezer, now_us);
        freeze_level(freezer, 0);
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
        if (freezer->level + 1 < hold->levels) {
            freeze_level(freezer, freezer->level + 1);
        } else {
            qz_expedite_end(freezer, now_us);
            move(hold, QZ_HOLD_FREEZING, QZ_HOLD_HELD);
        }
    }
}

/* Has everything on the current level been thawed, or has it been waited for long enough? */
static bool level_done(const struct qz_freezer *freezer, int64_t now_us)
{
    return now_us >= freezer->level_wait_us ||
           (!level_in_state(freezer->hold, freezer->level, QZ_HOLD_FROZEN) &&
            !level_in_state(freezer->hold, freezer->level, QZ_HOLD_THAWING_NOW));
}

/* Is there a volume that a peer which drives no longer may still freeze, or has frozen late and thaws, if it can? How
 * far it came only looking again tells. */
static bool any_unknown(const struct qz_freezer *freezer)
{
    const struct qz_hold *hold = freezer->hold;
    for (int i = 0; freezer->inherited && i < hold->count; i++)
        if (hold->volumes[i].state == QZ_HOLD_FREEZING_NOW ||
            (hold->volumes[i].state == QZ_HOLD_THAWING_NOW && !is_busy(freezer, i)))
            return true;
    return false;
}

/* Is a FIFREEZE waited for that may still come? */
static bool freeze_awaited(const struct qz_freezer *freezer, int64_t now_us)
{
    return freezer->inherited ? any_unknown(freezer) && freezer->level_wait_us != QZ_NEVER
                              : qz_hold_any(freezer->hold, QZ_HOLD_FREEZING_NOW) && now_us < freezer->freeze_wait_us;
}

/* Looks again at what the peer may still freeze; now and then, until there is no time left to thaw it in. What we sleep
 * costs it no time. */
static void look_again(struct qz_freezer *freezer, int64_t now_us)
{
    if (!any_unknown(freezer) || now_us < freezer->level_wait_us)
        return;
    freezer->give_up_us += now_us - freezer->level_wait_us;
    if (now_us >= freezer->give_up_us - LAST_THAW_US) {
        freezer->level_wait_us = QZ_NEVER;
        return;
    }
    for (int level = freezer->hold->levels - 1; level >= 0; level--)
        thaw_level(freezer, level, now_us - QZ_THAW_LEVEL_WAIT_US + RETRY_US);
}

/* When advance_thawing is to be called at the latest. */
static int64_t thawing_deadline(const struct qz_freezer *freezer)
{
    if (freezer->level > 0 || any_unknown(freezer))
        return sooner(freezer->level_wait_us, freezer->give_up_us);
    bool awaited = freeze_awaited(freezer, freezer->os->ops->now_us(freezer->os));
    return awaited ? sooner(freezer->freeze_wait_us, freezer->give_up_us) : freezer->give_up_us;
}

/* Who slept longer than he was to has not heard yet of what has come back meanwhile: a FIFREEZE has a moment for that,
 * and what it froze the time to be thawed. */
static void make_up_for_sleep(struct qz_freezer *freezer, int64_t now_us)
{
    if (freezer->awake_us == QZ_NEVER || now_us <= freezer->awake_us + RETRY_US)
        return;
    freezer->freeze_wait_us = later(freezer->freeze_wait_us, now_us + QZ_THAW_LEVEL_WAIT_US);
    wait_at_least(freezer, LAST_THAW_US);
}

static void thaw_on(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    while (freezer->level > 0 && level_done(freezer, now_us))
        thaw_level(freezer, freezer->level - 1, now_us);
    if (freezer->level > 0)
        return;
    look_again(freezer, now_us);
    bool under_way = qz_hold_any(hold, QZ_HOLD_FROZEN) || qz_hold_any(hold, QZ_HOLD_THAWING_NOW) ||
                     freeze_awaited(freezer, now_us);
    if (!under_way || now_us >= freezer->give_up_us)
        hold->phase = QZ_HOLD_OVER;
}

static void advance_thawing(struct qz_freezer *freezer, int64_t now_us)
{
    make_up_for_sleep(freezer, now_us);
    thaw_on(freezer, now_us);
    freezer->awake_us = thawing_deadline(freezer);
}

/* When a peer that drives should have thawed everything; it may be stopped. Once only: two that sleep in turns would go
 * on taking the hold from each other. */
static int64_t overdue_us(const struct qz_freezer *freezer)
{
    const struct qz_hold *hold = freezer->hold;
    if (freezer->inherited || hold->phase == QZ_HOLD_OVER)
        return QZ_NEVER;
    return sooner(hold->hold_deadline_us, hold->thaw_begin_us + QZ_THAW_WAIT_US) + QZ_OVERDUE_US;
}

void qz_freezer_advance(struct qz_freezer *freezer, int64_t now_us)
{
    if (!qz_freezer_drives(freezer)) {
        if (now_us >= overdue_us(freezer))
            qz_freezer_take_over(freezer, QZ_CAUSE_PEER);
        return;
    }
    if (now_us >= freezer->hold->expedite_until_us)
        qz_expedite_end(freezer, now_us);
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

/* When the phase comes to its end, if nothing else happens. */
static int64_t phase_deadline(const struct qz_freezer *freezer)
{
    const struct qz_hold *hold = freezer->hold;
    switch ((enum qz_hold_phase)hold->phase) {
    case QZ_HOLD_SYNCING:
        return freezer->writeback.under_way ? sooner(freezer->writeback.look_us, hold->freeze_deadline_us)
                                            : hold->freeze_deadline_us;
    case QZ_HOLD_FREEZING:
        return qz_hold_freezing_deadline(hold);
    case QZ_HOLD_HELD:
        return hold->hold_deadline_us;
    case QZ_HOLD_THAWING:
        return thawing_deadline(freezer);
    case QZ_HOLD_IDLE:
    case QZ_HOLD_OVER:
        break;
    }
    return QZ_NEVER;
}

int64_t qz_freezer_deadline(const struct qz_freezer *freezer)
{
    if (!qz_freezer_drives(freezer))
        return overdue_us(freezer);
    return sooner(phase_deadline(freezer), freezer->hold->expedite_until_us);
}

bool qz_freezer_settled(const struct qz_freezer *freezer)
{
    const struct qz_hold *hold = freezer->hold;
    for (int i = 0; i < hold->count; i++)
        if (is_busy(freezer, i) && hold->volumes[i].under_way[freezer->self] != QZ_VOLUME_SYNC + 1)
            return false;
    return !qz_freezer_drives(freezer) || hold->phase == QZ_HOLD_OVER || hold->phase == QZ_HOLD_IDLE;
}
