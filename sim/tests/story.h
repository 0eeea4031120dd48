/* story.h: a run as the judge is told of it: one that is as it should be, and what a test makes of it. */
#ifndef STORY_H
#define STORY_H

#include "judge.h"

#define MS 1000

/* One volume, one plugin, `quiesce run … snapshot`; a trace being told; a result. */
struct story {
    struct scenario scenario;
    struct scenario_volume volume;
    struct scenario_plugin plugin;
    struct scenario_step step;
    struct scenario_fault fault;
    struct outcome outcome;
    struct outcome_step seen;
    int64_t now_us;
    struct findings findings;
};

void story_begin(struct story *story);
void story_end(struct story *story); /* frees; story_judged does it, too */

/* What happens next, a millisecond later. */
void story_tell(struct story *story, struct trace_event event);
void story_script(struct story *story, enum trace_role role, int attempt, enum trace_what what, int value);
void story_operation(struct story *story, enum trace_role by, enum trace_op op, int error, int64_t disk_writes);
void story_snapshot(struct story *story, int status);
void story_pre(struct story *story);
void story_post(struct story *story);
void story_result(struct story *story, const char *consistency, int exit, const char *error);

/* A run as it should be; and what comes of it before its post-script and its result. */
void story_until_post(struct story *story);
void story_good_run(struct story *story);

/* Judges, and checks that there is just this: a finding of `invariant` whose text has `part`; none if `part` is
 * NULL. */
void story_judged(struct story *story, int invariant, const char *part);

#endif
