/* run.h: many scenarios, several at a time, and what came of each. */
#ifndef QUIESCE_SIM_RUN_H
#define QUIESCE_SIM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge.h"
#include "scenario.h"
#include "world.h"

enum verdict { VERDICT_PASSED, VERDICT_FAILED, VERDICT_SKIPPED, VERDICT_BROKEN };

/* What came of one scenario variant in one world. What crosses from a player process to the parent is JSON. */
struct report_case {
    const struct scenario *scenario;
    const struct world *world;
    int repetition;          /* of --repeat, from 0 */
    enum verdict verdict;
    char *why;               /* skipped, broken: one line */
    struct findings findings;
    struct trace trace;
    char *out;               /* of the last step */
    char *err;
    cJSON *result;           /* of the first step that has one */
    int exit;
    int64_t duration_us;     /* real time */
    int64_t longest_stall_us;
};

struct report {
    struct report_case *cases; /* in the order of the files, whatever order they ran in */
    size_t count;
    uint64_t seed;
    int64_t duration_us;
    const char *command;       /* that repeats it all */
};

#endif
