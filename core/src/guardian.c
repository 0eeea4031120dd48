#include "guardian.h"

#include <errno.h>
#include <string.h>

#include "journal.h"

/* How long a new guardian is waited for. */
#define READY_WAIT_US (10 * QZ_US_PER_S)

enum tell {
    TELL_READY = 'r',
    TELL_UNFIT = 'u',   /* … to see the agent die, but not to freeze */
    TELL_FREEZE = 'f',
    TELL_THAW = 't',
    TELL_PING = 'p',
    TELL_HEARD = 'h',   /* and done: the guardian's answer to each of these */
    TELL_CLOSE = 'x',   /* give up the volumes */
    TELL_CLOSED = 'd',  /* … the answer to that */
    TELL_CHANGED = 'c', /* the hold is in another phase */
};

/* ---- The guardian process --------------------------------------------------------------------------------------- */

struct watch {
    struct qz_os *os;
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
static void tell_change(struct watch *watch, const struct qz_hold *hold)
{
    enum qz_hold_phase phase = (enum qz_hold_phase)(int)hold->phase;
    if (phase == watch->told)
        return;
    watch->told = phase;
    if (phase >= QZ_HOLD_HELD)
        watch->os->ops->tell_peer(watch->os, TELL_CHANGED);
}

/* The hold is over, or never began, and the agent wants to go on to what may unmount the volumes. */
static bool is_close(const struct watch *watch, const struct qz_hold *hold, const struct qz_event *event)
{
    return event->kind == QZ_EVENT_MESSAGE && event->value == TELL_CLOSE && (!hold || qz_freezer_settled(&watch->freezer));
}

/* Watches the agent, freezes and thaws for it, until it is dead or needs us no longer and nothing is frozen. */
static void hold_and_watch(struct watch *watch, struct qz_hold *hold)
{
    struct qz_os *os = watch->os;
    for (;;) {
        bool settled = !hold || qz_freezer_settled(&watch->freezer);
        if (settled && (watch->orphaned || watch->dismissed))
            return;
        struct qz_event event;
        os->ops->wait(os, hold ? qz_freezer_deadline(&watch->freezer) : QZ_NEVER, &event);
        guardian_note(watch, &event, hold != NULL);
        if (hold) {
            qz_freezer_advance(&watch->freezer, os->ops->now_us(os));
            tell_change(watch, hold);
        }
        if (is_close(watch, hold, &event)) {
            os->ops->volumes_close(os);
            os->ops->tell_peer(os, TELL_CLOSED);
            hold = NULL;
        } else if (hold && event.kind == QZ_EVENT_MESSAGE) {
            os->ops->tell_peer(os, TELL_HEARD); /* … and done */
        }
    }
}

/* The agent may have left us with something that was stuck. Now it is thawed, and the journal, unless it is that of a
 * further attempt, has done its duty. */
static void clear_late(struct qz_os *os, const struct qz_hold *hold)
{
    struct qz_journal journal;
    struct qz_error error;
    if (hold->phase != QZ_HOLD_OVER || qz_hold_owes(hold))
        return;
    if (qz_journal_read(os, &journal, &error) == 1 && strcmp(journal.run_id, hold->run_id) == 0)
        qz_journal_clear(os);
    qz_journal_free(&journal);
}

static void guardian_main(struct qz_os *os, void *argument)
{
    struct qz_guard *guard = argument;
    struct qz_hold *hold = guard->hold;
    struct watch watch = {.os = os, .told = QZ_HOLD_IDLE};
    bool fit = !hold || os->ops->volumes_arm(os, hold->count) == 0;
    if (!fit)
        hold = NULL; /* nothing will be frozen; but the guardian before us is gone, and a post-script may be owed */
    if (hold) {
        qz_freezer_init(&watch.freezer, os, hold, QZ_DRIVER_GUARDIAN);
        os->hush = true;
    }
    os->ops->tell_peer(os, fit ? TELL_READY : TELL_UNFIT);
    hold_and_watch(&watch, hold);
    os->hush = false;
    if (watch.orphaned) {
        os->ops->volumes_close(os); /* a post-script may want to unmount them */
        guard->inherit(os, guard->argument, hold);
    } else if (hold) {
        clear_late(os, hold);
    }
}

/* ---- The agent's side ------------------------------------------------------------------------------------------- */

/* Returns 0 once the guardian is there and can freeze, or an errno; `present` tells whether it is there at all. */
static int await_ready(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    int64_t deadline_us = os->ops->now_us(os) + READY_WAIT_US;
    for (;;) {
        struct qz_event event;
        os->ops->wait(os, deadline_us, &event);
        guard->present = event.kind == QZ_EVENT_MESSAGE;
        if (guard->present)
            return event.value == TELL_READY ? 0 : ENOMEM;
        if (event.kind == QZ_EVENT_SIGNAL)
            guard->signal_number = event.value;
        if (event.kind == QZ_EVENT_PEER_LOST || event.kind == QZ_EVENT_TIMEOUT)
            return ECHILD;
    }
}

int qz_guard_begin(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    guard->taken_over = guard->thaw_told = false;
    guard->own = (struct qz_freezer){0};
    guard->answer_us = QZ_NEVER;
    int failed = os->ops->guard(os, guardian_main, guard);
    if (failed)
        return failed;
    /* While it does the same; and after the fork, which makes each page of ours one that must be copied. */
    guard->unarmed = guard->hold ? os->ops->volumes_arm(os, guard->hold->count) : 0;
    return 0;
}

int qz_guard_await(struct qz_guard *guard)
{
    int failed = await_ready(guard);
    return failed ? failed : guard->unarmed;
}

int qz_guard_start(struct qz_guard *guard)
{
    int failed = qz_guard_begin(guard);
    return failed ? failed : qz_guard_await(guard);
}

static void take_over(struct qz_guard *guard, enum qz_hold_cause cause)
{
    guard->taken_over = true;
    qz_freezer_init(&guard->own, guard->os, guard->hold, QZ_DRIVER_AGENT);
    qz_freezer_take_over(&guard->own, cause);
}

/* Tells the guardian something, which it does and answers at once if it is there. */
static void tell(struct qz_guard *guard, enum tell what)
{
    guard->os->ops->tell_peer(guard->os, (int)what);
    guard->answer_us = guard->os->ops->now_us(guard->os) + QZ_GUARDIAN_PATIENCE_US;
    guard->thaw_told = guard->thaw_told || what == TELL_THAW;
}

/* The guardian may take the hold back. Then it is watched as before. */
static void see_who_drives(struct qz_guard *guard)
{
    if (!guard->taken_over || qz_freezer_drives(&guard->own))
        return;
    guard->taken_over = false;
    guard->heard_us = guard->os->ops->now_us(guard->os);
    guard->answer_us = QZ_NEVER;
}

static bool held(const struct qz_guard *guard)
{
    return guard->hold->phase == QZ_HOLD_HELD;
}

bool qz_guard_note(struct qz_guard *guard, const struct qz_event *event)
{
    struct qz_hold *hold = guard->hold;
    see_who_drives(guard);
    guard->quiet = event->kind == QZ_EVENT_TIMEOUT;
    if (event->kind == QZ_EVENT_MESSAGE) {
        guard->heard_us = guard->os->ops->now_us(guard->os);
        guard->answer_us = QZ_NEVER;
    } else if (event->kind == QZ_EVENT_SIGNAL) {
        guard->signal_number = event->value;
        if (!guard->taken_over && hold->phase < QZ_HOLD_HELD)
            tell(guard, TELL_THAW);
    } else if (event->kind == QZ_EVENT_PEER_LOST) {
        guard->present = false;
        if (!guard->taken_over && (hold->phase != QZ_HOLD_OVER || qz_hold_owes(hold)))
            take_over(guard, QZ_CAUSE_PEER);
    } else if (event->kind == QZ_EVENT_VOLUME && guard->own.hold) {
        qz_freezer_note(&guard->own, event);
    }
    if (guard->taken_over)
        qz_freezer_advance(&guard->own, guard->os->ops->now_us(guard->os));
    return !held(guard);
}

/* When the guardian goes on to the next phase; 0: it should have by now, or nobody can say, so it is asked at times. */
static int64_t due(const struct qz_guard *guard, int64_t now_us)
{
    const struct qz_hold *hold = guard->hold;
    int64_t soonest_us = now_us + hold->hold_limit_us; /* the hold limit, should the freeze begin this moment */
    if (guard->thaw_told)
        return 0;
    switch ((enum qz_hold_phase)hold->phase) {
    case QZ_HOLD_IDLE:
    case QZ_HOLD_SYNCING:
        return hold->freeze_deadline_us < soonest_us ? hold->freeze_deadline_us : soonest_us;
    case QZ_HOLD_FREEZING:
        return qz_hold_freezing_deadline(hold);
    case QZ_HOLD_HELD:
        return hold->hold_deadline_us;
    case QZ_HOLD_THAWING:
    case QZ_HOLD_OVER:
        break;
    }
    return 0;
}

int64_t qz_guard_deadline(const struct qz_guard *guard)
{
    const struct qz_hold *hold = guard->hold;
    if (guard->taken_over)
        return qz_freezer_deadline(&guard->own);
    if (hold->phase == QZ_HOLD_OVER)
        return QZ_NEVER;
    if (guard->answer_us != QZ_NEVER)
        return guard->answer_us;
    int64_t due_us = due(guard, guard->os->ops->now_us(guard->os));
    int64_t asked_us = guard->heard_us + QZ_GUARDIAN_PATIENCE_US;
    return due_us > asked_us ? due_us : asked_us;
}

static enum qz_hold_cause silence_cause(const struct qz_guard *guard)
{
    if (guard->thaw_told)
        return QZ_CAUSE_ASKED;
    bool timeout = !held(guard) && guard->os->ops->now_us(guard->os) >= guard->hold->freeze_deadline_us;
    return timeout ? QZ_CAUSE_TIMEOUT : QZ_CAUSE_LIMIT;
}

bool qz_guard_look(struct qz_guard *guard)
{
    see_who_drives(guard);
    int64_t now_us = guard->os->ops->now_us(guard->os);
    bool silent = guard->quiet && now_us >= qz_guard_deadline(guard);
    if (guard->taken_over)
        qz_freezer_advance(&guard->own, now_us);
    else if (silent && guard->answer_us != QZ_NEVER && now_us >= due(guard, now_us))
        take_over(guard, silence_cause(guard));
    else if (silent)
        tell(guard, guard->hold->phase == QZ_HOLD_IDLE ? TELL_FREEZE : TELL_PING);
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

/* Waits until the hold is over. If something may then freeze still, which the guardian waits for, its loss is not to go
 * unnoticed before the volumes are given up. */
static void await_over(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    struct qz_event event = {.kind = QZ_EVENT_MESSAGE};
    await(guard, QZ_HOLD_OVER);
    while (qz_hold_owes(guard->hold) && event.kind != QZ_EVENT_TIMEOUT) {
        os->ops->wait(os, os->ops->now_us(os), &event);
        qz_guard_note(guard, &event);
        await(guard, QZ_HOLD_OVER);
    }
}

bool qz_guard_freeze(struct qz_guard *guard)
{
    guard->hold->freeze_deadline_us = guard->os->ops->now_us(guard->os) + guard->hold->freeze_timeout_us;
    tell(guard, TELL_FREEZE);
    await(guard, QZ_HOLD_HELD);
    if (held(guard))
        return true;
    await_over(guard);
    return false;
}

void qz_guard_thaw(struct qz_guard *guard)
{
    if (held(guard))
        tell(guard, TELL_THAW);
    await_over(guard);
}

/* Waits for the guardian to have given up its volumes too. */
static void await_closed(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    struct qz_event event;
    do {
        os->ops->wait(os, guard->answer_us, &event);
        if (event.kind == QZ_EVENT_SIGNAL)
            guard->signal_number = event.value;
        if (event.kind == QZ_EVENT_PEER_LOST)
            guard->present = false;
    } while (guard->present && event.kind != QZ_EVENT_TIMEOUT &&
             !(event.kind == QZ_EVENT_MESSAGE && event.value == TELL_CLOSED));
}

void qz_guard_close(struct qz_guard *guard)
{
    struct qz_os *os = guard->os;
    bool both = guard->present && !guard->taken_over && !qz_hold_owes(guard->hold);
    if (both)
        tell(guard, TELL_CLOSE);
    os->ops->volumes_close(os);
    if (both)
        await_closed(guard);
}

void qz_guard_end(struct qz_guard *guard, bool owing)
{
    guard->os->ops->dismiss(guard->os, owing);
}
