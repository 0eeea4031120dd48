/* running.h: what the rooms of `quiesce-sim run` share.
 *
 *   run.c      the way: options → cases → places → players → agreement, golden traces → reports → exit status
 *   options.c  the command line                   select.c  files → scenarios → cases
 *   places.c   where things are                   jobs.c    the pool of player processes
 *   player.c   in such a process: one case        wire.c    a case, through a pipe
 *   golden.c   traces kept beside scenarios       failed.c  what failed last time
 *   needs.c    what this machine lacks            keep.c    what --keep leaves
 *   worlds.c   the worlds there are */
#ifndef QUIESCE_SIM_RUNNING_H
#define QUIESCE_SIM_RUNNING_H

#include <limits.h>

#include "options.h"
#include "report.h"

struct places {
    char self[PATH_MAX];    /* quiesce-sim */
    char quiesce[PATH_MAX]; /* "": only the virtual world is played in, which has it inside */
    char ledger[PATH_MAX];  /* "": not built */
    char cache[PATH_MAX];
    char work[PATH_MAX];    /* a folder of this run's, with one for each case: its index; "": not needed */
    pid_t rescuer;          /* sweep.h; 0: nothing that it could have to remove */
};

/* Somebody else's rule for a case that was played; in the player's process. */
typedef enum verdict running_judge(struct report_case *it);

struct running {
    const struct world *const *known; /* ended by NULL */
    struct options options;
    struct scenario_set set;
    struct report report;
    struct places places;
    bool records;          /* each case's system calls are written down in places.work/INDEX.calls */
    running_judge *judge;  /* NULL: invariants, expectations, golden traces */
    void (*done)(struct running *running, size_t index); /* a case has come to its end; NULL */
    void *owner;           /* of whoever asked for that */
    int64_t until_us;      /* now_us() after which no further case begins; 0: never */
};

/* All that returns an exit status: EXIT_PASSED is to go on; else the reason has been printed. */

/* select.c: fills `set` and `report.cases`. */
int select_cases(struct running *running);

/* places.c: fills `places` and makes the folders. */
int places_open(struct running *running);
void places_close(struct running *running); /* removes the work folder, if it is empty */
int places_keep(struct running *running);   /* gives the work folder a name that no sweep removes */
void places_clean_up(struct running *running, size_t index); /* after the player of a case was killed */
/* The cache folder, made if missing: ours, and nobody else may write in it. False: `why` says what is wrong. */
bool places_cache(char cache[PATH_MAX], char *why, size_t why_size);
/* As the shell finds it from here. The caller frees. */
char *places_program(void);
/* Where we are. The caller frees. NULL: nowhere that has a name. */
char *places_here(void);

/* jobs.c: plays every case that has no verdict yet. Returns the signal that interrupted, or 0. */
int jobs_run(struct running *running);

/* player.c: plays and judges one case in this process. */
enum verdict player_play(const struct running *running, struct report_case *it, size_t index);
/* What a case is remembered by: equal traces have equal ones. */
uint64_t player_trace_hash(const struct trace *trace);

/* wire.c: how much crosses of a case that passed. */
enum wire_detail {
    WIRE_NOTHING,
    WIRE_STEPS, /* what agreement with other worlds is judged by */
    WIRE_ALL,
};
/* One line of JSON; the caller frees. */
char *wire_encode(const struct report_case *it, size_t index, enum wire_detail detail);
/* Puts what the line says into its case. False: it is no such line. */
bool wire_decode(struct report *report, const char *line);

/* golden.c: judges the steps that have golden traces; and rewrites them from the cases that passed. */
void golden_judge(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings);
int golden_update(struct running *running);

/* failed.c: "world<TAB>file<TAB>name" of the cases that failed last time. */
struct failed_list {
    char **lines;
    size_t count;
};
struct failed_list failed_read(void);
bool failed_contains(const struct failed_list *list, const struct scenario *scenario, const struct world *world);
void failed_free(struct failed_list *list);
void failed_remember(const struct report *report);

/* needs.c: why this machine cannot play the scenario in the world, or NULL; valid until the next call. */
const char *needs_missing(const struct scenario *scenario, const struct world *world);

/* keep.c: fills the folder of a case. */
void keep_case(struct running *running, size_t index);

/* Microseconds, monotonic. */
int64_t now_us(void);

#endif
