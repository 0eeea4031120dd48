/* oracle.h: what must be true of every run of quiesce in the virtual world, judged from the world's trace alone.
 *
 * Volumes are /data1, /data2, … on RUN_DEV(1), RUN_DEV(2), …; scripts RUN_PRE and RUN_POST; the snapshot RUN_SNAP. */
#ifndef QUIESCE_SIM_TESTS_ORACLE_H
#define QUIESCE_SIM_TESTS_ORACLE_H

#include "run.h"

#define ORACLE_VOLUMES_MAX 8

/* How long past the hold limit a volume may be frozen: the agent's patience with a silent guardian, and the time that
 * thawing takes. */
#define ORACLE_MARGIN_US QZ_US_PER_S

/* By what is recovered if nobody was left to thaw. */
enum oracle_recovery { ORACLE_THAW, ORACLE_NEXT_RUN };

/* What the world was told to do that quiesce cannot make good. */
struct oracle_terms {
    enum oracle_recovery recovery;
    int64_t hold_limit_us;
    int64_t hold_us;       /* --hold; 0: a snapshot command */
    int64_t thaw_slack_us; /* the longest that the thaws of all levels take, failures and waits included */
    bool thaw_fails;       /* some volume cannot be thawed at all */
    bool no_result;        /* standard output does not take the result */
    bool no_journal;       /* the journal cannot be removed */
    bool may_leave;        /* a script leaves something behind, or cannot be ended */
    bool late;             /* a volume may be frozen when quiesce has gone on without it, for a moment */
};

/* Judges the last run_quiesce (the world's first): returns the broken rule as a sentence, or NULL. Where both agent and
 * guardian were killed, it recovers, and judges that, too. */
const char *oracle_judge(struct run *run, const struct oracle_terms *terms);

#endif
