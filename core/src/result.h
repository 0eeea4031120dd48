/* result.h: the words in which reports speak of a result; the same in JSON and for people. All strings are static. */
#ifndef QUIESCE_RESULT_H
#define QUIESCE_RESULT_H

#include "quiesce/report.h"

const char *qz_attempt_outcome_name(enum qz_attempt_outcome outcome);
const char *qz_decision_name(enum qz_decision decision);
const char *qz_volume_outcome_name(enum qz_volume_outcome outcome);
const char *qz_snapshot_outcome_name(enum qz_snapshot_outcome outcome);

/* Of a script's start that failed with ESTALE. */
#define QZ_SCRIPT_CHANGED "not run: the file, or a directory on the way to it, changed after the check"

/* The exit status of a run that came to this: its consistency's, or QZ_EXIT_SOFTWARE where there is no usable backup
 * because quiesce itself failed. */
enum qz_exit qz_result_exit(const struct qz_result *result);

/* Gives up what a script's attempts hold; it has room for as many again. */
void qz_result_free_attempts(struct qz_script_result *script);

#endif
