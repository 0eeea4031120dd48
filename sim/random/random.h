/* random.h: `quiesce-sim random`: scenarios made by chance for the virtual world, swarm style: in each, a random part of
 * what may happen at all is on.
 *
 *   random.c    the command line, and what is told      generate.c      number → scenario
 *   workers.c   many at a time                          generate_bad.c  what befalls it
 *   play.c      one of them, played and judged          shrink.c        a violation made small */
#ifndef QUIESCE_SIM_RANDOM_H
#define QUIESCE_SIM_RANDOM_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- generate.c -------------------------------------------------------------------------------------------------- */

/* The scenario of that number, as its file would have it. The caller frees with cJSON_Delete. */
cJSON *random_scenario(uint64_t number);

/* ---- play.c ------------------------------------------------------------------------------------------------------ */

/* What went wrong. */
struct random_verdict {
    bool sound;      /* the reader takes it, and the virtual world plays it */
    char kind[200];  /* the rule that was broken, without what differs from scenario to scenario; "": none */
    char says[1024]; /* the same in full; or why it is not sound */
};

/* Plays the scenario in this process and judges it, as `quiesce-sim run` does. `twice`: a second time, too: the trace
 * must be the same. */
void random_play(const cJSON *scenario, bool twice, struct random_verdict *verdict);

/* The same in a process of its own, so that one that crashes or never ends is a verdict, too. */
void random_play_apart(const cJSON *scenario, struct random_verdict *verdict);

/* ---- shrink.c ---------------------------------------------------------------------------------------------------- */

/* Takes out of the scenario what is not needed for `kind` to go wrong, and makes what is left simple. Returns how many
 * were played. */
int random_shrink(cJSON *scenario, const char *kind);

/* ---- workers.c --------------------------------------------------------------------------------------------------- */

struct random_order {
    uint64_t first;     /* number of the first scenario */
    uint64_t count;     /* UINT64_MAX: no end */
    int64_t seconds;    /* 0: no end */
    int jobs;
    bool keep_going;    /* after a violation */
};

struct random_sum {
    uint64_t played;
    uint64_t violations;
    int64_t duration_us;
    int interrupted; /* by this signal; 0 */
};

/* Plays them; calls `found` with the number of each that went wrong. */
struct random_sum random_work(const struct random_order *order, void (*found)(uint64_t number, void *argument),
                              void *argument);

#endif
