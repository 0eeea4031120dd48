/* fsfreeze.h: flush, freeze, roll back, thaw: one state machine over volumes 0…count-1.
 *
 *     IDLE ─begin→ SYNCING → FREEZING (level by level) → HELD ─thaw→ THAWING (levels in reverse) → OVER
 *
 * A failure, the freeze timeout or the hold limit leads to THAWING from wherever it is. One process drives it: the
 * guardian; the agent, once the guardian is lost or silent; the guardian again, should the agent then be lost or
 * stopped. What is known lies in a struct qz_hold in memory shared by both, so that either can go on where the other was
 * ended. Who drives no longer, and wakes up, only thaws what its own late FIFREEZE has frozen.
 *
 * Only what this run froze is thawed, through the descriptors that froze it. A FIFREEZE that hangs keeps nothing else
 * frozen; it is thawed when it returns. Nothing here allocates. */
#ifndef QUIESCE_FSFREEZE_H
#define QUIESCE_FSFREEZE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quiesce/os.h"
#include "quiesce/report.h"
#include "writeback.h"

/* How long the thaw of one level is waited for before the next level is begun all the same, and how long thawing is
 * waited for altogether before the rest is called failed (it is then still under way). */
#define QZ_THAW_LEVEL_WAIT_US 50000
#define QZ_THAW_WAIT_US (10 * QZ_US_PER_S)
#define QZ_THAW_TRIES 3

/* A peer that took over and has not thawed everything so long after the hold limit, or after its time for thawing, is
 * stopped: the hold is taken back from it. */
#define QZ_OVERDUE_US 250000

enum qz_hold_phase { QZ_HOLD_IDLE, QZ_HOLD_SYNCING, QZ_HOLD_FREEZING, QZ_HOLD_HELD, QZ_HOLD_THAWING, QZ_HOLD_OVER };

/* Why a hold came, or never came, to be thawed; the first cause stays. */
enum qz_hold_cause {
    QZ_CAUSE_NONE,
    QZ_CAUSE_ASKED,   /* the snapshot had ended */
    QZ_CAUSE_FAILED,  /* a volume could not be flushed or frozen */
    QZ_CAUSE_TIMEOUT, /* the freeze timeout */
    QZ_CAUSE_LIMIT,   /* the hold limit */
    QZ_CAUSE_RELEASED, /* `quiesce thaw`, or the service manager, asked the guardian */
    QZ_CAUSE_PEER,    /* agent or guardian was lost */
};

enum qz_hold_volume_state {
    QZ_HOLD_UNTOUCHED,
    QZ_HOLD_FREEZING_NOW, /* FIFREEZE is under way: it may take effect at any moment */
    QZ_HOLD_FROZEN,
    QZ_HOLD_THAWING_NOW,
    QZ_HOLD_THAWED,
    QZ_HOLD_FAILED, /* FIFREEZE or the flush before it failed: nothing of ours is frozen */
    QZ_HOLD_LOST,   /* not frozen any more when we came to thaw */
    QZ_HOLD_THAW_FAILED,
};

/* Who drives a hold. */
enum qz_driver { QZ_DRIVER_GUARDIAN, QZ_DRIVER_AGENT, QZ_DRIVERS };

struct qz_hold_volume {
    atomic_int state; /* enum qz_hold_volume_state */
    int order;
    int error;        /* errno of what failed */
    bool sync_failed;
    bool may_freeze;  /* FIFREEZE was begun, and nobody has seen what came of it */
    bool thaw_unseen; /* the peer, which drove before, had begun to thaw it, and nobody has seen what came of that */
    int failures;     /* of thawing */
    _Atomic signed char under_way[QZ_DRIVERS]; /* 1 + enum qz_volume_op; 0: nothing. Until who began it has heard of its end */
    struct qz_volume_done done[QZ_DRIVERS];     /* what came of that … */
    atomic_bool noted[QZ_DRIVERS];              /* … and the other one has taken it in */
    bool sync_under_way;
    int sync_rounds;
    int64_t sync_us; /* all rounds that have ended */
    int64_t freeze_begin_us, freeze_end_us;
    int64_t thaw_begin_us, thaw_end_us;
};

/* In shared memory; qz_hold_size(count) bytes, zeroed, then qz_hold_init. */
struct qz_hold {
    atomic_int phase; /* enum qz_hold_phase */
    atomic_int cause; /* enum qz_hold_cause */
    atomic_int driver; /* enum qz_driver */
    char run_id[QZ_RUN_ID_SIZE];
    int count;
    int levels; /* orders are 0…levels-1 */
    int64_t freeze_timeout_us;
    int64_t hold_limit_us;
    bool expedite; /* the freeze is to be expedited (expedite.h) … */
    atomic_bool expedited; /* … and was, for some time … */
    _Atomic int64_t expedite_until_us; /* … and may be still, until then at the latest; QZ_NEVER: it is not */
    int64_t writeback_us; /* how long everything was being written out before it was flushed */
    _Atomic int64_t freeze_deadline_us;
    _Atomic int64_t hold_deadline_us; /* QZ_NEVER before the first FIFREEZE */
    _Atomic int64_t thaw_begin_us;    /* when THAWING was begun; QZ_NEVER before */
    struct qz_hold_volume volumes[];
};

size_t qz_hold_size(size_t count);
void qz_hold_init(struct qz_hold *hold, const char *run_id, const struct qz_volume *volumes, size_t count,
                  int64_t freeze_timeout_us, int64_t hold_limit_us);

bool qz_hold_any(const struct qz_hold *hold, enum qz_hold_volume_state state);

/* Until when a FIFREEZE is waited for. */
int64_t qz_hold_freezing_deadline(const struct qz_hold *hold);

/* Is anything frozen by us, or may it become so? */
bool qz_hold_owes(const struct qz_hold *hold);

/* Rounds of flushing. What FIFREEZE finds dirty it flushes while writers stand still, so a further round, in which they
 * do not, is worth its time while there is less to flush in each. */
struct qz_presync {
    int rounds; /* begun */
    int64_t first_us; /* when everything was begun, writing out before the first one included */
    int64_t begin_us; /* when the last one was begun */
    int64_t before_us; /* how long the one before the last took */
};

/* A round that is over sooner leaves too little to be flushed in the freeze. */
#define QZ_PRESYNC_WORTH_US 5000
#define QZ_PRESYNC_ROUNDS_MAX 5

void qz_presync_begin(struct qz_presync *presync, int64_t now_us);

/* All volumes have been flushed: again? Only if the last round took less than half as long as the one before, and
 * another one like it would not use up more than half of `freeze_timeout_us`. */
bool qz_presync_again(const struct qz_presync *presync, int64_t now_us, int64_t freeze_timeout_us);

/* A process's own view beside the shared one. */
struct qz_freezer {
    struct qz_os *os;
    struct qz_hold *hold;
    enum qz_driver self;
    struct qz_writeback writeback;
    struct qz_presync presync;
    bool inherited;        /* the peer drove before: what it had under way may still take effect */
    int level;             /* being frozen or thawed */
    int64_t level_wait_us; /* THAWING: go on to the next level then, or, after the last one, look again */
    int64_t freeze_wait_us; /* THAWING: wait until then for a FIFREEZE of our own that is still under way */
    int64_t give_up_us;    /* THAWING: call the rest failed then */
    int64_t awake_us;      /* THAWING: when to be awake again at the latest */
};

void qz_freezer_init(struct qz_freezer *freezer, struct qz_os *os, struct qz_hold *hold, enum qz_driver self);

/* Begins, if nothing was begun or ended before. Until when that may take, who asked for it has written to
 * freeze_deadline_us. */
void qz_freezer_begin(struct qz_freezer *freezer);

/* Starts thawing; no effect when that was begun, or when the peer drives. */
void qz_freezer_thaw(struct qz_freezer *freezer, enum qz_hold_cause cause);

/* Takes the hold from a peer that is lost, or that does not react, and starts thawing. */
void qz_freezer_take_over(struct qz_freezer *freezer, enum qz_hold_cause cause);

bool qz_freezer_drives(const struct qz_freezer *freezer);

/* Takes in a QZ_EVENT_VOLUME. */
void qz_freezer_note(struct qz_freezer *freezer, const struct qz_event *event);

/* Does whatever is next at time `now_us`; call after every event and at qz_freezer_deadline. Takes the hold back, once,
 * from a peer that drives and does not go on. */
void qz_freezer_advance(struct qz_freezer *freezer, int64_t now_us);

int64_t qz_freezer_deadline(const struct qz_freezer *freezer);

/* Has this process nothing left to do: it does not drive, or the hold is over, and no operation of its own that
 * freezes or thaws is under way. */
bool qz_freezer_settled(const struct qz_freezer *freezer);

/* The time in which anything was frozen. */
struct qz_window {
    int64_t length_us; /* first FIFREEZE to last FITHAW; 0: nothing was frozen */
    int64_t cut_us;    /* monotonic: since when all was frozen; 0: it never was */
};

/* From the hold to the report: outcome, durations and error of volumes 0…count-1. */
struct qz_window qz_hold_collect(const struct qz_hold *hold, struct qz_volume *volumes);

#endif
