/* digest.h: what the oracle's judges know of a trace. Private to them. */
#ifndef QUIESCE_SIM_ORACLE_DIGEST_H
#define QUIESCE_SIM_ORACLE_DIGEST_H

#include "oracle.h"

/* What became of a plugin's scripts: of the last attempt that was started of each. */
struct digest_plugin {
    bool pre_started;
    bool pre_succeeded;
    bool post_tried;
    bool post_succeeded;
};

/* What is read out of a trace, once. */
struct digest {
    const struct virtual_entry *trace;
    size_t count;
    size_t snapshot_start; /* places in the trace; `count`: did not happen */
    size_t snapshot_end;
    bool held_only; /* the snapshot was somebody else's */
    bool snapshot_succeeded;
    struct digest_plugin plugins[ORACLE_PLUGINS_MAX];
    bool agent_killed;
    bool guardian_killed;
    bool unguarded; /* the agent was killed when there was no guardian, since none could be had */
    bool hangs;     /* an operation on a volume never returned */
    bool abandoned; /* a killed process's FIFREEZE took effect when nobody waited for it any more */
    bool left; /* somebody is stopped for ever, or waits for what never returns */
};

struct digest digest_read(const struct oracle_run *run, const struct oracle_terms *terms);

static inline bool digest_by_us(const struct virtual_entry *entry)
{
    return entry->role != VIRTUAL_WORLD;
}

static inline bool digest_same_process(const struct virtual_entry *a, const struct virtual_entry *b)
{
    return a->role == b->role && a->ordinal == b->ordinal;
}

/* Did the FIFREEZE that took effect at this place do so when nobody waited for it any more? One that was under way
 * when its process was killed is waited for by the other one, for so long, sleep included. What comes later, or is
 * frozen late by a guardian that is killed before it has thawed it, is for `quiesce thaw`. */
bool digest_is_abandoned(const struct digest *digest, size_t place);

/* The rule that nobody else's freeze is thawed: the broken rule as a sentence, or NULL. */
const char *digest_judge_foreign(const struct digest *digest, const struct oracle_run *run);

#endif
