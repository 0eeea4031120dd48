#include "guardian.h"

#include <errno.h>

#include "journal.h"

/* How long a new guardian is waited for. */
#define READY_WAIT_US (10 * QZ_US_PER_S)

enum tell { TELL_READY = 'r', TELL_FREEZE = 'f', TELL_THAW = 't', TELL_CHANGED = 'c' };

/* ---- The guardian process --------------------------------------------------------------------------------------- */

struct watch {
    struct qz_freezer freezer;
    enum qz_hold_phase told;
    bool orphaned;  /* the agent is dead */
    bool dismissed; /* the agent needs us no longer */
};

static void guardian_note(struct watch *watch, const struct qz_event *event, bool holding)
{
    switch (event->kind) {
    case QZ_EVENT_VOLUME:
        qz_freezer_note(&watch->freezer, event);
        break;
    case QZ_EVENT_MESSAGE:
        if (holding && event->value == TELL_FREEZE)
            qz_freezer_begin(&watch->freezer);
        else if (holding && event->value == TELL_THAW)
            qz_freezer_thaw(&watch->freezer, QZ_CAUSE_ASKED);
        break;
    case QZ_EVENT_SIGNAL:
        if (holding)
            qz_freezer_thaw(&watch->freezer, QZ_CAUSE_RELEASED);
        break;
    case QZ_EVENT_PEER_LOST:
        watch->orphaned = true;
        if (holding) {
            qz_freezer_thaw(&watch->freezer, QZ_CAUSE_PEER);
            qz_freezer_take_over(&watch->freezer, QZ_CAUSE_PEER);
        }
        break;
    case QZ_EVENT_DISMISSED:
        watch->dismissed = true;
        if (holding)
            qz_freezer_thaw(&watch->freezer, QZ_CAUSE_RELEASED);
        break;
    case QZ_EVENT_TIMEOUT:
    case QZ_EVENT_CHILD:
        break;
    }
}

/* Tells the agent of every phase that it may be waiting for. */
static void tell_change(struct qz_os *os, struct watch *watch, const struct qz_hold *hold)
{
    enum qz_hold_phase phase = (enum qz_hold_phase)(int)hold->phase;
    if (phase == watch->told)
        return;
    watch->told = phase;
    if (phase >= QZ_HOLD_HELD)
        os->ops->tell_peer(os, TELL_CHANGED);
}

/* Watches the agent, freezes and thaws for it, until it is dead or needs us no longer and nothing is frozen. */
static void hold_and_watch(struct qz_os *os, struct watch *watch, struct qz_hold *hold)
{
    for (;;) {
        bool settled = !hold || qz_freezer_settled(&watch->freezer);
        if (settled && (watch->orphaned || watch->dismissed))
            return;
        struct qz_event event;
        os->ops->wait(os, hold ? qz_freezer_deadline(&watch->freezer) : QZ_NEVER, &event);
        guardian_note(watch, &event, hold != NULL);
        if (!hold)
            continue;
        qz_freezer_advance(&watch->freezer, os->ops->now_us(os));
        tell_change(os, watch, hold);
        if (hold->phase == QZ_HOLD_OVER && qz_freezer_settled(&watch->freezer))
            os->hush = false;
    }
}

static void guardian_main(struct qz_os *os, void *argument)
{
    struct qz_guard *guard = argument;
    struct qz_hold *hold = guard->hold;
    struct watch watch = {.told = QZ_HOLD_IDLE};
    if (hold) {
        qz_freezer_init(&watch.freezer, os, hold, QZ_DRIVER_GUARDIAN);
        if (os->ops->volumes_arm(os, hold->count) != 0)
            return; /* the agent sees us go and does without a freeze */
        os->hush = true;
    }
    os->ops->tell_peer(os, TELL_READY);
    hold_and_watch(os, &watch, hold);
    os->hush = false;
    if (hold && watch.orphaned)
        os->ops->volumes_close(os); /* a post-script may want to unmount them */
    if (watch.orphaned)
        guard->inherit(os, guard->argument, hold);
    else if (hold && hold->left && !qz_hold_owes(hold))
        qz_journal_clear(os);
}

/* ---- The agent's side ------------------------------------------------------------------------------------------- */

static int await_ready(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    int64_t deadline_us = os->ops->now_us(os) + READY_WAIT_US;
    for (;;) {
        struct qz_event event;
        os->ops->wait(os, deadline_us, &event);
        if (event.kind == QZ_EVENT_MESSAGE && event.value == TELL_READY)
            return 0;
        if (event.kind == QZ_EVENT_SIGNAL)
            guard->signal_number = event.value;
        if (event.kind == QZ_EVENT_PEER_LOST || event.kind == QZ_EVENT_TIMEOUT)
            return ECHILD;
    }
}

int qz_guard_start(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    guard->taken_over = false;
    guard->expected = QZ_HOLD_IDLE;
    int failed = guard->hold ? os->ops->volumes_arm(os, guard->hold->count) : 0;
    if (failed == 0)
        failed = os->ops->guard(os, guardian_main, guard);
    if (failed)
        return failed;
    failed = await_ready(guard);
    guard->present = failed == 0;
    return failed;
}

static void take_over(struct qz_guard *guard, enum qz_hold_cause cause)
{
    guard->taken_over = true;
    qz_freezer_init(&guard->own, guard->os, guard->hold, QZ_DRIVER_AGENT);
    qz_freezer_take_over(&guard->own, cause);
}

/* Tells the guardian something; it should be in phase `expected`, or beyond, soon. */
static void tell(struct qz_guard *guard, enum tell what, enum qz_hold_phase expected)
{
    guard->os->ops->tell_peer(guard->os, (int)what);
    guard->expected = expected;
    guard->react_us = guard->os->ops->now_us(guard->os) + QZ_GUARDIAN_PATIENCE_US;
}

static bool held(const struct qz_guard *guard)
{
    return guard->hold->phase == QZ_HOLD_HELD;
}

bool qz_guard_note(struct qz_guard *guard, const struct qz_event *event)
{
    struct qz_hold *hold = guard->hold;
    if (event->kind == QZ_EVENT_SIGNAL) {
        guard->signal_number = event->value;
        if (hold && !guard->taken_over && hold->phase < QZ_HOLD_HELD)
            tell(guard, TELL_THAW, QZ_HOLD_THAWING);
    } else if (event->kind == QZ_EVENT_PEER_LOST) {
        guard->present = false;
        if (hold && !guard->taken_over && (hold->phase != QZ_HOLD_OVER || qz_hold_owes(hold)))
            take_over(guard, QZ_CAUSE_PEER);
    } else if (event->kind == QZ_EVENT_VOLUME && guard->taken_over) {
        qz_freezer_note(&guard->own, event);
    }
    if (guard->taken_over)
        qz_freezer_advance(&guard->own, guard->os->ops->now_us(guard->os));
    return hold && !held(guard);
}

/* By when a guardian that is alive has done what is due while it thaws. A FITHAW may take long; to have begun it does not; and what was being frozen may be so since. */
static int64_t thawing_deadline(const struct qz_hold *hold)
{
    int64_t begun_us = hold->thaw_begin_us + hold->levels * QZ_THAW_LEVEL_WAIT_US;
    int64_t over_us = hold->thaw_begin_us + QZ_THAW_WAIT_US;
    int64_t frozen_us = qz_hold_freezing_deadline(hold);
    if (qz_hold_any(hold, QZ_HOLD_FROZEN) || (qz_hold_any(hold, QZ_HOLD_FREEZING_NOW) && frozen_us < begun_us))
        return begun_us;
    return qz_hold_any(hold, QZ_HOLD_FREEZING_NOW) && frozen_us < over_us ? frozen_us : over_us;
}

/* The same in any phase. */
static int64_t phase_deadline(const struct qz_hold *hold)
{
    switch ((enum qz_hold_phase)hold->phase) {
    case QZ_HOLD_SYNCING:
        return hold->freeze_deadline_us;
    case QZ_HOLD_FREEZING:
        return qz_hold_freezing_deadline(hold);
    case QZ_HOLD_HELD:
        return hold->hold_deadline_us;
    case QZ_HOLD_THAWING:
        return thawing_deadline(hold);
    case QZ_HOLD_IDLE:
    case QZ_HOLD_OVER:
        break;
    }
    return QZ_NEVER;
}

int64_t qz_guard_deadline(const struct qz_guard *guard)
{
    const struct qz_hold *hold = guard->hold;
    if (!hold)
        return QZ_NEVER;
    if (guard->taken_over)
        return qz_freezer_deadline(&guard->own);
    int64_t due_us = phase_deadline(hold);
    if (due_us != QZ_NEVER)
        due_us += QZ_GUARDIAN_PATIENCE_US;
    return hold->phase < (int)guard->expected && guard->react_us < due_us ? guard->react_us : due_us;
}

static enum qz_hold_cause silence_cause(const struct qz_guard *guard)
{
    if (!held(guard))
        return QZ_CAUSE_TIMEOUT;
    return guard->expected == QZ_HOLD_THAWING ? QZ_CAUSE_ASKED : QZ_CAUSE_LIMIT;
}

bool qz_guard_look(struct qz_guard *guard)
{
    if (!guard->hold)
        return false;
    int64_t now_us = guard->os->ops->now_us(guard->os);
    if (guard->taken_over)
        qz_freezer_advance(&guard->own, now_us);
    else if (now_us >= qz_guard_deadline(guard))
        take_over(guard, silence_cause(guard));
    return !held(guard);
}

/* Waits while the hold is in a phase before `phase`. */
static void await(struct qz_guard *guard, enum qz_hold_phase phase)
{
    struct qz_os *os = guard->os;
    while (guard->hold->phase < (int)phase) {
        struct qz_event event;
        os->ops->wait(os, qz_guard_deadline(guard), &event);
        qz_guard_note(guard, &event);
        qz_guard_look(guard);
    }
}

bool qz_guard_freeze(struct qz_guard *guard)
{
    tell(guard, TELL_FREEZE, QZ_HOLD_SYNCING);
    await(guard, QZ_HOLD_HELD);
    if (held(guard))
        return true;
    await(guard, QZ_HOLD_OVER);
    return false;
}

void qz_guard_thaw(struct qz_guard *guard)
{
    if (held(guard))
        tell(guard, TELL_THAW, QZ_HOLD_THAWING);
    await(guard, QZ_HOLD_OVER);
}

void qz_guard_end(struct qz_guard *guard)
{
    guard->os->ops->dismiss(guard->os);
}

bool qz_guard_leave(struct qz_hold *hold)
{
    hold->left = true;
    return !qz_hold_owes(hold);
}
