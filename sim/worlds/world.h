/* world.h: one interface, three worlds. A world plays a scenario and tells what happened; it judges nothing. */
#ifndef QUIESCE_SIM_WORLD_H
#define QUIESCE_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "scenario.h"
#include "trace.h"

/* How to play. Borrowed for the call. */
struct world_settings {
    uint64_t seed;
    const char *quiesce;  /* the production binary (real worlds) */
    const char *self;     /* the quiesce-sim binary, for the processes it starts of itself; beside it lies quiesce-sim-actor */
    const char *ledger;   /* fixtures/apps/ledger's binary, or NULL */
    const char *cache;    /* folder of template images, shared by parallel runs */
    const char *work;     /* folder for this run's files; made and removed by the world; its name marks what is ours */
    const char *calls;    /* file for the system calls that quiesce makes, a line each (real worlds); NULL: not asked */
    bool keep;            /* leave the folder (thawed, unmounted) */
    int64_t timeout_us;   /* in place of the scenario's; 0: that */
    int crash_images;     /* so many of each recorded disk are looked at, or more if the scenario asks (loop world) */
};

/* What one step of the scenario came to. */
struct outcome_step {
    int exit;         /* status; -1: did not exit */
    int signal;       /* died by it; 0 */
    char *out;        /* standard output, NUL-terminated; owned */
    char *err;
    cJSON *result;    /* the report of run, check, freeze; NULL: none, or not JSON. Owned */
    const char **frozen; /* mount points of volumes that are frozen after the step; the array is owned, its strings are
                            the scenario's */
    size_t frozen_count;
};

/* What a snapshot holds of a volume (taken by the command "snapshot", when an expectation asks). */
struct outcome_snapshot {
    const char *mount;
    bool taken;
    bool mounts;
    bool clean;        /* mounts, and its filesystem's checker finds nothing */
    int64_t missing;   /* acknowledged records that are not in it; -1: no ledger */
    int64_t damaged;   /* records in it that are torn; -1: no ledger */
};

/* What a crash would have left of a recorded disk. A disk keeps what was written before a flush; of what came after the
 * last one it keeps any part. */
struct outcome_crash {
    const char *mount;
    bool at_flush;   /* right after a flush; else between two, with a part of what was written since the first one */
    int64_t at_us;   /* when, in the trace's time */
    bool mounts;
    bool clean;
    int64_t missing; /* records acknowledged by then that are not in it; -1: no ledger, or it cannot be said */
    int64_t damaged;
};

/* Arrays and strings are malloc'ed and owned. */
struct outcome {
    struct trace trace;
    struct outcome_step *steps;
    size_t step_count;
    struct outcome_snapshot *snapshots;
    size_t snapshot_count;
    struct outcome_crash *crashes; /* in the order of time */
    size_t crash_count;
    int *call_matches;  /* for each of the scenario's calls: how many of quiesce's it was about. Owned; NULL: no world of
                           calls */
    bool *blows_struck; /* for each of its blows. Owned; NULL: no world of blows */
    char **left;      /* what was still there at the end and had not been before: one line each (invariant 1) */
    size_t left_count;
    char *refused;    /* an attempt to freeze or thaw what the scenario did not make; NULL: none */
    char *unsafe;     /* the rule of the virtual world's oracle that was broken; NULL: none, or it was not asked */
    char *broken;     /* the environment does not work: why; NULL: all is well. Nothing else counts then */
    int64_t longest_stall_us; /* of the workload's writers; 0: no workload */
    int64_t duration_us;      /* in the world's own time */
};

struct world {
    const char *name;
    enum scenario_world bit;
    /* NULL: this machine can play in this world; else why not ("not root", "no /dev/fuse"). */
    const char *(*lacks)(void);
    /* NULL: the scenario can be played here; else why not. */
    const char *(*cannot)(const struct scenario *scenario);
    /* Plays. Whatever happens, nothing of the scenario is left frozen, mounted, attached or running afterwards, and
     * what had to be removed by force is in `left`. Free with outcome_free. */
    void (*play)(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome);
};

extern const struct world world_virtual;
extern const struct world world_fake;
extern const struct world world_loop;

void outcome_free(struct outcome *outcome);

#endif
