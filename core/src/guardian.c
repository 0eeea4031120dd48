#include "guardian.h"

#include <errno.h>

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
            qz_freezer_thaw(&watch->freezer, QZ_CAUSE_ASKED, false);
        break;
    case QZ_EVENT_SIGNAL:
        if (holding)
            qz_freezer_thaw(&watch->freezer, QZ_CAUSE_RELEASED, false);
        break;
    case QZ_EVENT_PEER_LOST:
        watch->orphaned = true;
        if (holding)
            qz_freezer_thaw(&watch->freezer, QZ_CAUSE_PEER, false);
        break;
    case QZ_EVENT_DISMISSED:
        watch->dismissed = true;
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
        qz_freezer_init(&watch.freezer, os, hold, guard->busy);
        if (os->ops->volumes_arm(os, hold->count) != 0)
            return; /* the agent sees us go and does without a freeze */
        os->hush = true;
    }
    os->ops->tell_peer(os, TELL_READY);
    hold_and_watch(os, &watch, hold);
    os->hush = false;
    if (hold)
        os->ops->volumes_close(os);
    if (watch.orphaned)
        guard->inherit(os, guard->argument);
}

/* ---- The agent's side ------------------------------------------------------------------------------------------- */

int qz_guard_start(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    os->ops->dismiss(os);
    guard->lost = false;
    guard->taken_over = false;
    guard->present = false;
    if (guard->hold) {
        int failed = os->ops->volumes_arm(os, guard->hold->count);
        if (failed)
            return failed;
    }
    int failed = os->ops->guard(os, guardian_main, guard);
    if (failed)
        return failed;
    guard->present = true;
    int64_t deadline_us = os->ops->now_us(os) + 10 * QZ_US_PER_S;
    while (guard->present) {
        struct qz_event event;
        os->ops->wait(os, deadline_us, &event);
        if (event.kind == QZ_EVENT_MESSAGE && event.value == TELL_READY)
            return 0;
        if (event.kind == QZ_EVENT_SIGNAL)
            guard->signal_number = event.value;
        if (event.kind == QZ_EVENT_PEER_LOST || event.kind == QZ_EVENT_TIMEOUT)
            guard->present = false;
    }
    return ECHILD;
}

static void take_over(struct qz_guard *guard, enum qz_hold_cause cause)
{
    if (guard->taken_over)
        return;
    guard->taken_over = true;
    qz_freezer_init(&guard->own, guard->os, guard->hold, guard->own_busy);
    qz_freezer_thaw(&guard->own, cause, true);
}

static bool held(const struct qz_guard *guard)
{
    return guard->hold->phase == QZ_HOLD_HELD;
}

bool qz_guard_note(struct qz_guard *guard, const struct qz_event *event)
{
    if (event->kind == QZ_EVENT_SIGNAL) {
        guard->signal_number = event->value;
        if (guard->hold && guard->hold->phase < QZ_HOLD_HELD)
            guard->os->ops->tell_peer(guard->os, TELL_THAW);
    } else if (event->kind == QZ_EVENT_PEER_LOST) {
        guard->present = false;
        if (guard->hold && guard->hold->phase != QZ_HOLD_OVER) {
            guard->lost = true;
            take_over(guard, QZ_CAUSE_PEER);
        }
    } else if (event->kind == QZ_EVENT_VOLUME && guard->taken_over) {
        qz_freezer_note(&guard->own, event);
    }
    if (guard->taken_over)
        qz_freezer_advance(&guard->own, guard->os->ops->now_us(guard->os));
    return guard->hold && !held(guard);
}

int64_t qz_guard_deadline(const struct qz_guard *guard)
{
    const struct qz_hold *hold = guard->hold;
    if (!hold)
        return QZ_NEVER;
    if (guard->taken_over)
        return qz_freezer_deadline(&guard->own);
    if (hold->phase == QZ_HOLD_SYNCING || hold->phase == QZ_HOLD_FREEZING) {
        int64_t first_us = hold->freeze_deadline_us < hold->hold_deadline_us ? hold->freeze_deadline_us
                                                                             : hold->hold_deadline_us;
        return first_us == QZ_NEVER ? QZ_NEVER : first_us + QZ_GUARDIAN_PATIENCE_US;
    }
    return hold->phase == QZ_HOLD_HELD ? hold->hold_deadline_us + QZ_GUARDIAN_PATIENCE_US : QZ_NEVER;
}

bool qz_guard_look(struct qz_guard *guard)
{
    if (!guard->hold)
        return false;
    int64_t now_us = guard->os->ops->now_us(guard->os);
    if (now_us >= qz_guard_deadline(guard) && !guard->taken_over)
        take_over(guard, held(guard) ? QZ_CAUSE_LIMIT : QZ_CAUSE_TIMEOUT);
    else if (guard->taken_over)
        qz_freezer_advance(&guard->own, now_us);
    return !held(guard);
}

/* Waits while the hold is in a phase before `phase`. A guardian that has not moved on by `deadline_us` is taken over
 * from. */
static void await(struct qz_guard *guard, enum qz_hold_phase phase, int64_t deadline_us)
{
    struct qz_os *os = guard->os;
    while (guard->hold->phase < (int)phase) {
        int64_t until_us = qz_guard_deadline(guard);
        bool patience = !guard->taken_over && deadline_us < until_us;
        struct qz_event event;
        os->ops->wait(os, patience ? deadline_us : until_us, &event);
        qz_guard_note(guard, &event);
        if (!guard->taken_over && os->ops->now_us(os) >= deadline_us)
            take_over(guard, QZ_CAUSE_ASKED);
        else
            qz_guard_look(guard);
    }
}

bool qz_guard_freeze(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    struct qz_hold *hold = guard->hold;
    os->ops->tell_peer(os, TELL_FREEZE);
    int64_t limit_us = hold->freeze_timeout_us + QZ_GUARDIAN_PATIENCE_US;
    await(guard, QZ_HOLD_HELD, os->ops->now_us(os) + limit_us);
    if (held(guard))
        return true;
    qz_guard_thaw(guard);
    return false;
}

void qz_guard_thaw(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    if (held(guard))
        os->ops->tell_peer(os, TELL_THAW);
    int64_t now_us = os->ops->now_us(os);
    await(guard, QZ_HOLD_THAWING, now_us + QZ_GUARDIAN_PATIENCE_US);
    await(guard, QZ_HOLD_OVER, now_us + QZ_THAW_WAIT_US + QZ_GUARDIAN_PATIENCE_US);
}

void qz_guard_end(struct qz_guard *guard)
{
    guard->os->ops->dismiss(guard->os);
    guard->present = false;
}
