/* failure.h: what went wrong with one case, as text: the same for terminals, JUnit and whoever else prints lines. */
#ifndef QUIESCE_SIM_REPORT_FAILURE_H
#define QUIESCE_SIM_REPORT_FAILURE_H

#include "report.h"

/* ANSI sequences, or "" where there is no colour. */
struct paint {
    const char *red;
    const char *green;
    const char *yellow;
    const char *bold;
    const char *dim;
    const char *off;
};
struct paint paint_with(bool colour);

/* Every finding, expected beside seen; the trace around them; what was printed; the command that repeats it. Lines
 * begin with two blanks. */
void put_failure(FILE *out, const struct report *report, const struct report_case *it, const struct paint *paint);
/* "invariant 3: more was claimed than happened". */
void put_finding(FILE *out, const struct finding *finding);
/* The whole trace, a line an event. */
void put_trace(FILE *out, const struct trace *trace);

#endif
