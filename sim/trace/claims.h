/* claims.h: what a backup is worth, recomputed from the trace alone; nothing of core's is used. */
#ifndef QUIESCE_SIM_CLAIMS_H
#define QUIESCE_SIM_CLAIMS_H

#include "scenario.h"
#include "world.h"

enum claim { CLAIM_NONE, CLAIM_CRASH, CLAIM_FILESYSTEM, CLAIM_APPLICATION, CLAIM_UNKNOWN };

/* By its name in a result; CLAIM_UNKNOWN: nobody knows it. */
enum claim claim_of(const char *name);
const char *claim_name(enum claim claim);

/* The most that may be claimed for the backup that step `step` made. `reason` gets why not more; `event` where. */
enum claim claim_allowed(const struct scenario *scenario, const struct outcome *outcome, size_t step, char *reason,
                         size_t reason_size, size_t *event);

/* Is a backup open after this step, for an `end` to come? */
bool claim_is_open(const struct scenario *scenario, const struct outcome *outcome, size_t step);

/* The step in which what `step` ended was begun: for `end` that of its `begin`, else the same. */
size_t claim_begun(const struct scenario *scenario, const struct outcome *outcome, size_t step);

/* The value of `option` among the step's words ("--hold"), in either form; NULL: not given. */
const char *claim_option(const struct scenario_step *step, const char *option);

#endif
