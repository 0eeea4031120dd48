/* report.h: what came of many scenarios, and the forms in which it is told.
 *
 * A "case" is one variant of a scenario, played once in one world. Its full name is "runner/retries:exit=3": the
 * scenario's, and, where there is a matrix, the variant's; that is what --filter matches. */
#ifndef QUIESCE_SIM_REPORT_H
#define QUIESCE_SIM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "judge.h"
#include "scenario.h"
#include "world.h"

enum verdict {
    VERDICT_NOT_RUN, /* somebody interrupted before its turn */
    VERDICT_PASSED,
    VERDICT_FAILED,
    VERDICT_SKIPPED, /* this machine cannot */
    VERDICT_BROKEN,  /* the world did not work: nothing is known of the scenario */
    VERDICT_COUNT
};

struct report_case {
    const struct scenario *scenario;
    const struct world *world;
    int repetition;          /* of --repeat, from 0 */
    bool compared;           /* it is played in other worlds, too, and they must agree */
    const struct world *contradicts; /* this one, which told another story; NULL: none */
    enum verdict verdict;
    char *why;               /* skipped, broken: one line; owned; else NULL */
    struct findings findings;
    struct outcome outcome;  /* what the player told; of a case that passed, no more than was asked for */
    char *noise;             /* what the player itself printed on standard error; owned; NULL: nothing */
    char *kept;              /* --keep: its folder; owned; NULL */
    int64_t start_us;        /* since the report's start, real time */
    int64_t duration_us;     /* real time */
};

struct report {
    struct report_case *cases; /* in the order of the files, whatever order they ran in */
    size_t count;
    uint64_t seed;
    int64_t started;         /* seconds since the Epoch */
    int64_t duration_us;
    char *folder;            /* from which paths lead on; owned; NULL: not known */
    char *program;           /* quiesce-sim, as the shell finds it from there; owned */
    char *options;           /* which every command that repeats something needs, as shell words; "": none; owned */
    char *command;           /* that repeats all of it; owned */
    int interrupted;         /* by this signal; 0: it went to its end */
};

void report_case_free(struct report_case *it);
void report_free(struct report *report);

/* ---- Names ------------------------------------------------------------------------------------------------------ */

const char *report_verdict_name(enum verdict verdict); /* "passed", …; static */
/* The full name; the caller frees. */
char *report_name(const struct scenario *scenario);
/* The full name and, of a second and later repetition, "#2"; the caller frees. */
char *report_title(const struct report_case *it);
/* "runner" of "runner/retries"; the caller frees. */
char *report_capability(const struct scenario *scenario);
/* "cd FOLDER && PROGRAM", for a shell: how a command begins that plays something again, wherever it is called. `folder`
 * may be NULL. The caller frees. */
char *report_begin_again(const char *folder, const char *program);
/* The one command that plays this case again, for a shell; the caller frees. */
char *report_repeat(const struct report *report, const struct report_case *it);

/* How many came to each verdict. */
struct report_counts {
    size_t of[VERDICT_COUNT];
};
struct report_counts report_count(const struct report *report);

/* ---- Forms ------------------------------------------------------------------------------------------------------ */

/* For people: every failure (expected beside seen, the trace around, the command that repeats it), then a summary. */
void report_terminal(const struct report *report, FILE *out, bool colour);

/* A table of what snapshots and crashes were worth: the cases of which old states of disks were looked at. */
void report_crashes(const struct report *report, FILE *out);

/* One line that is written over itself, cut to `columns`; and its end. */
void report_progress(FILE *terminal, int columns, size_t done, size_t count, size_t failed, const char *latest);
void report_progress_end(FILE *terminal);

void report_tap(const struct report *report, FILE *out);   /* TAP 14 */
void report_junit(const struct report *report, FILE *out); /* a test suite for each capability */
void report_json(const struct report *report, FILE *out);  /* everything; README.md has the keys */
void report_html(const struct report *report, FILE *out);  /* one page, nothing beside it */

#endif
