#include <stdlib.h>

#include "result.h"
#include "session_state.h"

/* Ends a script that was running, or a command that waits. Returns whether one did, and is gone. */
static bool end_left_behind(struct qz_session *session, atomic_int *progress, int slot)
{
    bool waits = *progress == QZ_SCRIPT_WAITING;
    if (!waits && *progress != QZ_SCRIPT_RUNNING)
        return false;
    bool ended = qz_runner_end_tree(session->os, slot);
    if (!ended)
        qz_say(session->os, "a process that the dead agent had started could not be ended");
    *progress = waits ? QZ_SCRIPT_IDLE : QZ_SCRIPT_FAILED;
    return ended;
}

/* The hold that the agent had, or that it had given up; NULL: nothing was frozen. */
static const struct qz_hold *any_hold(const struct qz_session *session, const struct qz_hold *hold)
{
    return hold ? hold : session->last_hold;
}

static void collect(struct qz_result *result, const struct qz_hold *hold)
{
    result->window_us = qz_hold_collect(hold, result->volumes).length_us;
    for (int i = 0; i < hold->count; i++) {
        const struct qz_volume *volume = &result->volumes[i];
        if (volume->outcome == QZ_VOLUME_STUCK || volume->outcome == QZ_VOLUME_THAW_FAILED)
            qz_error_list_add(&result->errors, volume->error);
    }
}

/* Whoever calls `quiesce end` is told what became of the agent, and of the scripts that were run for it. */
static void store(struct qz_session *session, struct qz_hold *hold)
{
    struct qz_result *result = session->result;
    struct qz_error error;
    if (hold)
        collect(result, hold);
    qz_error_set(&error, hold ? QZ_E_FREEZE_LOST : QZ_E_INTERRUPTED,
                 "the agent was killed before the backup had ended; %s%s",
                 qz_session_thaw_words(any_hold(session, hold)), qz_session_post_words(session));
    error.phase = hold ? QZ_PHASE_FREEZE : QZ_PHASE_NONE;
    qz_error_list_add(&result->errors, &error);
    qz_error_list_sort(&result->errors);
    result->consistency = result->if_taken = QZ_NONE;
    qz_session_store(session);
}

/* There may be nobody to whom the result is shown: what went wrong with the post-scripts is for the log. */
static void say_errors(const struct qz_session *session, size_t from)
{
    const struct qz_error_list *errors = &session->result->errors;
    for (size_t i = from; i < errors->count; i++)
        qz_say(session->os, "%s (%s, %d)", errors->items[i].message, qz_error_name(errors->items[i].code),
               qz_error_number(errors->items[i].code));
}

/* Runs the post-scripts that are owed. Nobody sees the result but `quiesce end`: it has to hold what is being done. */
static void run_posts(struct qz_session *session, struct qz_hold *hold)
{
    struct qz_result *result = session->result;
    for (size_t i = 0; i < result->script_count; i++)
        result->scripts[i].attempt_count = 0; /* those that the agent had noted are not ours */
    result->phase_count = 0;                  /* nor are its phases */
    size_t before = result->errors.count;
    qz_session_post(session);
    say_errors(session, before);
    if (session->options->until_end)
        store(session, hold);
    for (size_t i = 0; i < result->script_count; i++)
        qz_result_free_attempts(&result->scripts[i]);
    qz_error_list_free(&result->errors);
}

/* A volume that could not be thawed is all that is still owed; also one of a hold that the agent had given up. */
static void settle_journal(struct qz_session *session, const struct qz_hold *hold)
{
    hold = any_hold(session, hold);
    if (hold && qz_hold_owes(hold)) {
        qz_hold_collect(hold, session->result->volumes);
        qz_session_journal(session, false);
    } else {
        qz_journal_clear(session->os);
    }
}

void qz_session_take_over(struct qz_os *os, void *argument, struct qz_hold *hold)
{
    struct qz_session *session = argument;
    struct qz_progress *progress = session->progress;
    int count = (int)session->sound_count;
    if (atomic_exchange(&progress->inherited, true))
        return;
    session->os = os;
    qz_say(os, "the agent died; %s; its post-scripts are run now", qz_session_thaw_words(any_hold(session, hold)));
    end_left_behind(session, &progress->snapshot, 2 * count);
    for (int k = 0; k < count; k++) {
        end_left_behind(session, &progress->pre[k], k);
        if (end_left_behind(session, &progress->post[k], count + k))
            progress->post[k] = QZ_SCRIPT_IDLE; /* a post-script that was cut short is run again */
    }
    run_posts(session, hold);
    if (session->snapshot.tmpdir)
        os->ops->remove(os, session->snapshot.tmpdir);
    else
        qz_journal_remove_tmpdir(os, session->result->run_id); /* made, perhaps, after we were forked */
    settle_journal(session, hold);
    qz_say(os, "done for the dead agent; there is no usable backup");
}
