/* session_state.h: a session on its way; shared by session.c (the way) and takeover.c (its end, when the agent
 * died). */
#ifndef QUIESCE_SESSION_STATE_H
#define QUIESCE_SESSION_STATE_H

#include <stdatomic.h>

#include "guardian.h"
#include "journal.h"
#include "plan.h"
#include "quiesce/session.h"
#include "runner.h"
#include "snapshot.h"
#include "verdict.h"

/* In memory shared with the guardian: how far each script and the snapshot have come. */
struct qz_progress {
    atomic_int pre[QZ_PLUGINS_MAX]; /* enum qz_script_progress */
    atomic_int post[QZ_PLUGINS_MAX];
    atomic_int snapshot;
    atomic_bool inherited; /* by a guardian, after the agent's death, of which two may learn (os.h, guard) */
};

struct qz_session {
    struct qz_os *os;
    const struct qz_options *options;
    struct qz_result *result;
    struct qz_plan *plan; /* kept by the result */
    size_t sound_count;   /* scripts[k] and scripts[sound_count + k]: pre and post of the k-th sound plugin */
    struct qz_plugin *sound[QZ_PLUGINS_MAX];
    struct qz_progress *progress;
    struct qz_guard guard;
    struct qz_hold *last_hold; /* NULL: nothing was frozen */
    size_t freeze_count; /* the result's volumes 0…freeze_count-1 are open */
    struct qz_snapshot snapshot;
    struct qz_verdict_facts facts;
    int64_t start_us;
    int64_t start_wall_us;
    int64_t since_us;    /* on the wall: the start, or when freezing began */
    int signal_number;
    bool opened; /* `begin`: the caller was told to take its snapshot */
};

/* ---- session.c -------------------------------------------------------------------------------------------------- */

void qz_session_phase_begin(struct qz_session *session, const char *name);
void qz_session_phase_end(struct qz_session *session);
void qz_session_add_error(struct qz_session *session, enum qz_code code, enum qz_phase phase, const char *message);
/* "WHAT: the guardian could not be made ready: CAUSE", or else that the journal could not be written. The detail is the
 * cause, that of whichever errno value is not 0. */
void qz_session_add_unready(struct qz_session *session, enum qz_code code, enum qz_phase phase, const char *what,
                            int unguarded, int unwritten);

/* "everything was thawed" " and the post-scripts were run": of both what is true by now. `hold`: NULL if nothing was
 * frozen. Static. */
const char *qz_session_thaw_words(const struct qz_hold *hold);
const char *qz_session_post_words(const struct qz_session *session);

/* Takes in a signal that came (0: none) as one that ends the session; a word on the snapshot is none, once it is
 * open. */
void qz_session_note_signal(struct qz_session *session, int signal_number);

/* "run", "freeze" or "begin". */
const char *qz_session_command(const struct qz_options *options);

/* Thaws what killed processes left frozen; for the holder of the lock. Returns whether nothing of theirs is frozen now;
 * else the errors stand in `errors`, and the journal that names it must stay. */
bool qz_session_recover(struct qz_os *os, struct qz_warning_list *warnings, struct qz_error_list *errors);

/* ---- session_open.c --------------------------------------------------------------------------------------------- */

/* `begin`: lets the caller take its snapshot, and waits for its word on it, or for what ends the waiting. Returns a
 * signal's number or 0; what the freeze came to stands in the hold. */
int qz_session_stay_open(struct qz_session *session, bool held);

/* Keeps the result for `quiesce end`, once; nothing for other commands. */
void qz_session_store(struct qz_session *session);

/* ---- session_scripts.c ------------------------------------------------------------------------------------------ */

/* Marks the pre-scripts of every plugin whose scripts may be run as begun: from now on their post-scripts are owed. */
void qz_session_announce_pre(struct qz_session *session);

/* Runs the pre-scripts that were announced. A signal ends them. */
void qz_session_pre(struct qz_session *session);

/* Runs the post-scripts of every plugin whose pre-script was started and whose post-script has not ended. */
void qz_session_post(struct qz_session *session);

/* Is a process of a failed script alive? Then nothing may be frozen: it could write into the snapshot. */
bool qz_session_left_alive(const struct qz_session *session);

/* ---- session_freeze.c ------------------------------------------------------------------------------------------- */

/* Lists and chooses the volumes; `open`: opens what is to be frozen. Every volume that should be frozen and can't be
 * adds its error. Returns whether all that was asked for may be frozen, and there is something. `tmp_parent` (or
 * NULL): where a TMPDIR may be made, static, or NULL. */
bool qz_session_choose_volumes(struct qz_session *session, bool open, const char **tmp_parent);

/* Will the freeze be expedited? Adds a warning if that was asked for and cannot be done. */
bool qz_session_plan_expedite(struct qz_session *session);

/* Arms everything and freezes. On false nothing of ours is frozen, as far as could be waited for. */
bool qz_session_freeze(struct qz_session *session);
void qz_session_thaw(struct qz_session *session);

/* Takes what came of the hold into errors and facts; gives up what only it needed. Nothing, if there was none. */
void qz_session_end_hold(struct qz_session *session);

/* A snapshot's `thawed`: the journal says so from now on. Argument: the session. */
void qz_session_note_thawed(void *argument);

/* Writes the journal as things stand; `frozen`: volumes are about to be frozen. Returns 0 or an errno. */
int qz_session_journal(struct qz_session *session, bool frozen);

/* ---- takeover.c ------------------------------------------------------------------------------------------------- */

/* A guardian's `inherit`: does what a dead agent still owed. Argument: the session. */
void qz_session_take_over(struct qz_os *os, void *argument, struct qz_hold *hold);

#endif
