/* session_open.c: between `quiesce begin` and `quiesce end`: somebody else takes the snapshot. */
#include "kept.h"
#include "session_state.h"

/* What the snapshot's outcome is by the word of whoever took it. */
static void take_word(struct qz_session *session, int signal_number)
{
    struct qz_snapshot_result *snapshot = &session->result->snapshot;
    bool taken = signal_number == QZ_SIGNAL_TAKEN;
    snapshot->outcome = taken ? QZ_SNAPSHOT_TAKEN : QZ_SNAPSHOT_FAILED;
    session->progress->snapshot = taken ? QZ_SCRIPT_SUCCEEDED : QZ_SCRIPT_FAILED;
    if (taken)
        return;
    qz_error_set(&snapshot->error, QZ_E_SNAPSHOT_FAILED, "the caller of `quiesce end --failed` says that its snapshot failed");
    qz_error_detail(&snapshot->error, "quiesce end --failed");
    snapshot->error.phase = QZ_PHASE_SNAPSHOT;
}

/* Nobody came, and nothing stays quiesced. */
static void give_up(struct qz_session *session)
{
    qz_session_add_error(session, QZ_E_SNAPSHOT_TIMEOUT, QZ_PHASE_SNAPSHOT,
                         "nobody called `quiesce end` in time (--hold-limit); the post-scripts were run without it");
}

/* Waits for the word. Returns a signal's number if that is what came. */
static int await_word(struct qz_session *session, struct qz_guard *guard)
{
    struct qz_os *os = session->os;
    int64_t deadline_us = guard ? QZ_NEVER : os->ops->now_us(os) + session->options->hold_limit_us;
    for (;;) {
        struct qz_event event;
        os->ops->wait(os, guard ? qz_guard_deadline(guard) : deadline_us, &event);
        if (event.kind == QZ_EVENT_SIGNAL && (event.value == QZ_SIGNAL_TAKEN || event.value == QZ_SIGNAL_FAILED)) {
            take_word(session, event.value);
            return 0;
        }
        bool lost = guard && qz_guard_note(guard, &event);
        lost = (guard && qz_guard_look(guard)) || lost;
        if (event.kind == QZ_EVENT_SIGNAL)
            return event.value;
        if (lost)
            return 0;
        if (os->ops->now_us(os) >= deadline_us) {
            give_up(session);
            return 0;
        }
    }
}

int qz_session_stay_open(struct qz_session *session, bool held)
{
    struct qz_os *os = session->os;
    struct qz_verdict_facts best = session->facts;
    int64_t start_us = os->ops->now_us(os);
    best.snapshot = QZ_SNAPSHOT_TAKEN;
    if (held)
        *session->options->frozen_until_us = os->ops->wall_us(os) + session->guard.hold->hold_deadline_us - start_us;
    session->opened = os->ops->release(os, (int)qz_verdict_exit(qz_verdict_consistency(&best)));
    if (!session->opened)
        return SIGHUP; /* whoever was to be told is gone: nobody takes a snapshot now */
    int signal_number = await_word(session, held ? &session->guard : NULL);
    session->result->snapshot.attempt.duration_us = os->ops->now_us(os) - start_us;
    return signal_number;
}

void qz_session_store(struct qz_session *session)
{
    if (!session->options->until_end)
        return;
    struct qz_kept kept; /* a dead agent's: `begin` has removed older ones */
    bool stored = qz_kept_read(session->os, &kept) == 0;
    qz_kept_free(&kept);
    if (stored) /* what cannot be read may be none, and what is lost then is this one */
        return;
    session->result->stored = qz_kept_write(session->os, session->result) == 0;
}
