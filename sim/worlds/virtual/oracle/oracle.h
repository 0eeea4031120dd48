/* oracle.h: what must be true of a run of quiesce in the virtual world, whatever befalls it, judged from the machine's
 * trace alone. It knows what nobody can help when processes are killed or stopped at any operation: the invariants of
 * sim/trace, which know no operations, could only excuse all of it.
 *
 *   oracle.c   who could have acted, silence while frozen, claims, the end
 *   digest.c   what is read out of a trace                                   foreign.c  whose freeze was thawed */
#ifndef QUIESCE_SIM_ORACLE_H
#define QUIESCE_SIM_ORACLE_H

#include <cjson/cJSON.h>

#include "virtual.h"

#define ORACLE_VOLUMES_MAX 16
#define ORACLE_PLUGINS_MAX 8

/* How long past the hold limit a volume may be frozen: the agent's patience with a silent guardian, and the time that
 * thawing takes. */
#define ORACLE_MARGIN_US QZ_US_PER_S

/* The machine's first run, right after it. All is borrowed. */
struct oracle_run {
    const struct virtual_world *world;
    enum virtual_end end;
    int status;          /* the agent's exit status; -1: it was killed, or never ended */
    const cJSON *result; /* NULL: there is none */
    const char *mounts[ORACLE_VOLUMES_MAX]; /* as the result names them */
    dev_t devices[ORACLE_VOLUMES_MAX];
    size_t volume_count;
    const char *pre_scripts[ORACLE_PLUGINS_MAX];
    const char *post_scripts[ORACLE_PLUGINS_MAX];
    size_t plugin_count;
    const char *snapshot; /* the command */
};

/* What the machine was told to do that quiesce cannot make good. */
struct oracle_terms {
    int64_t hold_limit_us;
    int64_t hold_us;       /* --hold; 0: a snapshot command */
    int64_t thaw_slack_us; /* the longest that the thaws of all levels take, failures and waits included */
    bool freeze_only;      /* `quiesce freeze`: there are no scripts */
    bool thaw_fails;       /* some volume cannot be thawed at all */
    bool no_result;        /* standard output does not take the result */
    bool no_journal;       /* the journal cannot be removed */
    bool may_leave;        /* a script leaves something behind, or cannot be ended */
    bool late;             /* a volume may be frozen when quiesce has gone on without it, for a moment */
};

/* Returns the broken rule as a sentence, or NULL. `*owed`: agent and guardian were killed, and what they left is for
 * `quiesce thaw` or the next run, after which oracle_judge_recovery must find nothing either. */
const char *oracle_judge(const struct oracle_run *run, const struct oracle_terms *terms, bool *owed);
const char *oracle_judge_recovery(const struct oracle_run *run);

#endif
