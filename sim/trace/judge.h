/* judge.h: does what happened obey the invariants, and is it what the scenario expects? Pure functions. */
#ifndef QUIESCE_SIM_JUDGE_H
#define QUIESCE_SIM_JUDGE_H

#include "scenario.h"
#include "world.h"

/* One thing that is not as it should be. `invariant`: 1…7 (design: "Invariants"), 0: an expectation. All owned. */
struct finding {
    int invariant;
    char *what;     /* one line */
    char *expected; /* may be NULL */
    char *seen;
    size_t event;   /* the trace around it is shown; SIZE_MAX: nowhere in particular */
};

struct findings {
    struct finding *items;
    size_t count;
    size_t capacity;
};

/* Recomputes the seven invariants from the trace, whatever the scenario expects. */
void judge_invariants(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings);
/* Part of them: what a command says of itself when it comes to its end. */
void judge_results(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings);
/* How long the step may hold a freeze. */
int64_t judge_hold_limit_us(const struct scenario_step *step);
/* Is it one of the commands that have a result? */
bool judge_is_reporting(const struct scenario_step *step);
void judge_expectations(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings);
/* Was each action done that waits for a line, did each fault, blow and call strike, was each row of a script played? A
 * scenario that somebody wrote is for that. */
void judge_missed(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings);
/* Two worlds played the same scenario: code, consistency, exit status and order of phases must agree. */
void judge_agreement(const char *name_a, const struct outcome *a, const char *name_b, const struct outcome *b,
                     struct findings *findings);

void findings_add(struct findings *findings, int invariant, size_t event, const char *expected, const char *seen,
                  const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Says of all findings from `first` on that they are of the scenario's command `number`, from 1. */
void findings_of_command(struct findings *findings, size_t first, size_t number, const char *command);
void findings_free(struct findings *findings);

#endif
