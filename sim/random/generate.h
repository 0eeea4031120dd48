/* generate.h: a scenario in the making, between generate.c and generate_bad.c. */
#ifndef QUIESCE_SIM_RANDOM_GENERATE_H
#define QUIESCE_SIM_RANDOM_GENERATE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define MAKING_VOLUMES 6
#define MAKING_WORDS 48

/* What may be on in a scenario: each is in about a third of them. */
enum feature {
    STACKED,       /* filesystems whose disks lie on others */
    UNUSUAL,       /* binds, read-only, covered, other types, one disk for several */
    CHOSEN,        /* --volume, --exclude */
    MANY_PLUGINS,
    FAILING,       /* scripts that exit with a status or die */
    SLOW,          /* … that take seconds, or never end */
    STUBBORN,      /* … that ignore SIGTERM, leave processes, write to a volume */
    CHATTY,
    RETRYING,      /* preScriptNoOfRetries, --attempts */
    NO_BACKUP,     /* continueBackupOnFailure, fsFreezeEnabled false */
    LIMITED,       /* --freeze-timeout, --hold-limit, timeoutInSeconds */
    HELD,          /* --hold, quiesce freeze */
    SYNC_FAULTS,
    FREEZE_FAULTS,
    THAW_FAULTS,
    OTHERS,        /* who freeze and thaw, mount and unmount, change files */
    SIGNALS,       /* TERM, INT, HUP */
    KILLS,
    STOPS,
    LATE,          /* one of our processes sees nothing for a while */
    ERRORS,        /* operations of the seam fail */
    LOOKS,         /* check and status between */
    DIRTY,         /* much is to be written out */
    FEATURES,
};

struct making {
    uint64_t random;
    uint64_t features; /* bits */
    cJSON *root;
    int volumes;
    char mounts[MAKING_VOLUMES][40];
    int commands;
};

bool making_has(const struct making *making, enum feature feature);
unsigned making_below(struct making *making, unsigned limit);
bool making_percent(struct making *making, unsigned chance);
/* Mostly milliseconds, sometimes seconds. */
double making_time_ms(struct making *making);
/* A moment at which something may be going on. */
double making_moment_ms(struct making *making);
const char *making_mount(struct making *making); /* one of the volumes */
cJSON *making_row(cJSON *array);                 /* a new object at its end */
void making_ms(cJSON *object, const char *key, double ms);

/* generate_bad.c: faults, blows and actions. */
void making_befall(struct making *making);

#endif
