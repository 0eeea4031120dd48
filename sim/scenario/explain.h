/* explain.h: a scenario in plain words. */
#ifndef QUIESCE_SIM_SCENARIO_EXPLAIN_H
#define QUIESCE_SIM_SCENARIO_EXPLAIN_H

#include <stdarg.h>
#include <stdio.h>

#include "scenario.h"

/* What will be set up, what goes wrong, what is done, what must be seen, and in which worlds. */
void scenario_explain(FILE *out, const struct scenario *scenario);

/* ---- Between explain.c and explain_machine.c --------------------------------------------------------------------- */

/* Lines in two columns: a word on the left for the first of its lines. */
struct explainer {
    FILE *out;
    const char *word; /* not shown yet; "": shown */
};

void explain_begin(struct explainer *explainer, const char *word);
void explain_line(struct explainer *explainer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void explain_machine(FILE *out, const struct scenario *scenario);
/* "50 ms", "1.5 s", "for ever". Valid until the fourth call after it. */
const char *explain_duration(int64_t duration_us);

#endif
