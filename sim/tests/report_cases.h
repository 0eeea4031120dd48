/* report_cases.h: a fixed report with a case of every kind, for tests of the forms. */
#ifndef QUIESCE_SIM_TESTS_REPORT_CASES_H
#define QUIESCE_SIM_TESTS_REPORT_CASES_H

#include "report.h"

enum {
    CASE_PASSED,   /* virtual: two volumes, frozen and thawed; writers waited */
    CASE_KILLED,   /* fake: failed: /data stayed frozen after the agent was killed; findings with and without a place */
    CASE_HOSTILE,  /* virtual: failed; its strings try to break out of every form */
    CASE_LONG,     /* virtual: passed; two commands, half an hour */
    CASE_SKIPPED,  /* loop */
    CASE_BROKEN,   /* loop */
    CASE_CRASHED,  /* fake: failed; no trace, noise on standard error */
    CASE_NOT_RUN,  /* loop, and a second repetition */
    REPORT_CASES
};

/* Free with report_free. */
struct report report_cases(void);

#endif
