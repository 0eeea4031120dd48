/* jobs.h: the pool's state, for jobs.c and jobs_state.c. */
#ifndef QUIESCE_SIM_RUN_JOBS_H
#define QUIESCE_SIM_RUN_JOBS_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "put.h"
#include "running.h"
#include "text.h"

/* In memory shared with the players: what came of a case. */
struct mark {
    int64_t start_us; /* now_us() */
    int64_t duration_us;
    uint64_t trace_hash;
    unsigned char verdict; /* VERDICT_NOT_RUN: it has not come to its end */
};

/* In memory shared with one player: where it is. */
struct post {
    _Atomic int64_t since_us; /* now_us() when it began with that */
    _Atomic size_t at;        /* of its slice, from 0 */
};

/* Consecutive elements of jobs.order. */
struct slice {
    size_t first;
    size_t count;
};

/* A place for a player. */
struct seat {
    pid_t pid; /* 0: nobody */
    int pidfd;
    int told;  /* pipe: lines of JSON */
    int noise; /* pipe: its standard output and error */
    struct slice slice;
    struct post *post;
    struct qz_text line;  /* of `told`, not complete yet */
    struct qz_text noisy; /* the end of what came through `noise` */
    int64_t ending_us;    /* when it was told to end; 0: it was not */
    bool timed_out;
    bool killed;
};

struct jobs {
    struct running *running;
    struct mark *marks;    /* one a case */
    struct post *posts;    /* one a seat */
    struct seat *seats;    /* OPTIONS_JOBS_MAX */
    int seat_count;        /* in use */
    size_t *order;         /* indices of the cases to be played */
    struct slice *slices;  /* a stack of what nobody has taken yet */
    size_t slice_count;
    size_t slice_capacity;
    bool tell_all;         /* somebody wants to see the cases that passed, too */
    bool hashed;           /* repetitions are compared */
    int signals;           /* signalfd */
    sigset_t mask_before;
    int interrupted;       /* by this signal */
    int64_t start_us;
    size_t done;
    size_t failed;
    bool terminal;         /* progress is shown on standard error */
    int64_t shown_us;
    const struct report_case *latest;
};

void jobs_open(struct jobs *jobs, struct running *running);
void jobs_close(struct jobs *jobs);
void jobs_push_slice(struct jobs *jobs, struct slice slice);
int64_t jobs_limit_us(const struct jobs *jobs, const struct report_case *it);
void jobs_tell_done(struct jobs *jobs, const struct report_case *it); /* for the progress */
void jobs_show_progress(struct jobs *jobs);
_Noreturn void jobs_die(const char *what); /* the machine is short of something: says so */

#endif
