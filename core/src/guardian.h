/* guardian.h: the small process that holds the freeze and outlives the agent; and the agent's side of it.
 *
 * From before the first pre-script to after the last post-script a guardian watches the agent. It does the freezing
 * and the thawing; while anything is frozen it allocates nothing, writes nothing and logs nothing. The agent dies: it
 * thaws, then does what the agent still owed (`inherit`). The hold limit passes: it thaws. The guardian dies, or does
 * not react: the agent, which has the same volumes open, thaws.
 *
 * The first guardian has no volumes; the one that has them takes its place, without a moment between them. */
#ifndef QUIESCE_GUARDIAN_H
#define QUIESCE_GUARDIAN_H

#include <stdbool.h>

#include "fsfreeze.h"
#include "quiesce/os.h"

/* How long a guardian may take to answer, before it is asked again or, if it has not done what is due, the agent
 * thaws by itself. It is asked whenever it is told something, and when something is due; to freeze it has the freeze
 * timeout. */
#define QZ_GUARDIAN_PATIENCE_US 250000

/* What a guardian does after the agent's death, when everything is thawed, or cannot be. `hold` NULL: it had none. */
typedef void (*qz_inherit)(struct qz_os *os, void *argument, struct qz_hold *hold);

/* The agent's view of guardian and hold. One for a run; `hold` NULL while no volumes are open. */
struct qz_guard {
    struct qz_os *os;
    struct qz_hold *hold;
    qz_inherit inherit;
    void *argument;
    struct qz_freezer own; /* used only when the agent has to thaw by itself; else zeroed */
    int64_t heard_us;      /* when the guardian was last heard */
    int64_t answer_us;     /* by when it must answer; QZ_NEVER: it owes no answer */
    bool quiet;            /* nothing had happened when we looked last */
    bool thaw_told;
    bool present;          /* a guardian was started, and has not been seen to be lost */
    bool taken_over;       /* by us */
    int unarmed;       /* the errno for which the agent's volumes could not be armed */
    int signal_number; /* a signal that came while we waited; 0: none */
};

/* Starts a guardian, which takes the place of the one before, and is ready on return. With a hold, its volumes are
 * armed then, and the agent's too. Returns 0 or an errno; the one before may then be there still. */
int qz_guard_start(struct qz_guard *guard);
/* The same in two parts, for what there is to be done while it begins. The second one only where the first has returned
 * 0. */
int qz_guard_begin(struct qz_guard *guard);
int qz_guard_await(struct qz_guard *guard);

/* What follows is for a guard with a hold.
 *
 * Has everything flushed and frozen. Returns true when all is HELD; else everything that was frozen has been thawed,
 * as far as could be waited for, and the hold says why. */
bool qz_guard_freeze(struct qz_guard *guard);

/* Takes in any event that came while something is frozen: the guardian's death, its messages, signals, volume
 * operations. Returns true if the freeze does not hold any more. */
bool qz_guard_note(struct qz_guard *guard, const struct qz_event *event);

/* Until when the agent may wait before it calls qz_guard_look, which thaws if the guardian should have and has not. */
int64_t qz_guard_deadline(const struct qz_guard *guard);
bool qz_guard_look(struct qz_guard *guard); /* true: the freeze does not hold any more */

/* Has everything thawed. Returns when it is, or cannot be. */
void qz_guard_thaw(struct qz_guard *guard);

/* The hold is over: gives up the volumes, the guardian's too, unless it is owing a thaw. A guardian that does not
 * answer in time keeps them. */
void qz_guard_close(struct qz_guard *guard);

/* Lets the guardian go; one that waits for a stuck volume stays until that is thawed, and then clears the journal. One
 * that is stopped is ended, if nothing is owing. */
void qz_guard_end(struct qz_guard *guard, bool owing);

#endif
