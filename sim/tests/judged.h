/* judged.h: runs of a machine (run.h) before the oracle. */
#ifndef QUIESCE_SIM_TESTS_JUDGED_H
#define QUIESCE_SIM_TESTS_JUDGED_H

#include "oracle.h"
#include "run.h"

/* By what is recovered if nobody was left to thaw. */
enum judged_recovery { JUDGED_BY_THAW, JUDGED_BY_NEXT_RUN };

/* Judges the machine's first run: returns the broken rule as a sentence, or NULL. Where both agent and guardian were
 * killed, it recovers, and judges that, too. Volumes are those of run_new and freezes_add_stored. */
const char *judged(struct run *run, const struct oracle_terms *terms, enum judged_recovery recovery);

#endif
