/* explore.h: `quiesce-sim explore`: every system call of quiesce's, made to go wrong in every way, one way a run.
 *
 *   explore.c   the way: record, plan, play, shrink, tell     sites.c     the calls that a scenario's quiesce makes
 *   options.c   the command line                              faults.c    what may befall each of them
 *   plan.c      sites × faults → scenarios                    progress.c  what is done already, on the screen and on disk
 *   shrink.c    a violation as a small scenario file          coverage.c  how much was tried, of how much */
#ifndef QUIESCE_SIM_EXPLORE_H
#define QUIESCE_SIM_EXPLORE_H

#include "memory.h"
#include "running.h"

struct explore_options {
    struct options run; /* paths, filters, worlds, jobs, seed, binary, junit, json */
    int64_t budget_us;  /* 0: as long as it takes */
    bool pairs;         /* when each fault has had its turn alone, two at a time */
    bool list;          /* sites and faults only */
    const char *state;  /* file; NULL: none */
    const char *found;  /* folder for scenarios of violations */
    const char *site;   /* pattern: of "agent openat /etc/azure" only; NULL: of all */
    const char *fault;  /* pattern: "EIO", "KILL*" only; NULL: all */
};

enum options_parse explore_options_parse(int argc, char **argv, struct explore_options *options, char *message,
                                         size_t message_size);
void explore_options_help(FILE *out);
void explore_options_free(struct explore_options *options);

/* ---- sites.c ---------------------------------------------------------------------------------------------------- */

/* A system call that quiesce makes in a scenario. */
struct site {
    enum scenario_caller by;
    const char *call;
    const char *about; /* gate_call_about */
    int nth;           /* of those of the same caller, name and subject */
    bool guarded;      /* a guardian has been seen before */
    bool reached;      /* some fault has come to it */
};

struct sites {
    struct site *items; /* owned; strings are the memory's */
    size_t count;
};

extern const char *const explore_callers[]; /* by enum scenario_caller */

/* Adds what the file of a recording says, where it is not there yet. 0 or an errno. */
int sites_read(struct sites *sites, struct scenario_memory *memory, const char *path);

/* ---- faults.c --------------------------------------------------------------------------------------------------- */

struct fault {
    const char *name; /* "EIO", "KILL agent before", "1 byte", "late" */
    int error;
    int transfers;
    int signal;
    enum scenario_target target;
    bool after;
    bool late;    /* it comes later than the limits in force allow */
    bool resumes; /* stopped for so long */
};

/* Calls `each` for everything that may befall the site; faults are static. False: nobody has thought of this call
 * yet. */
bool faults_of(const struct site *site, void (*each)(void *argument, const struct fault *fault), void *argument);
bool fault_waits(const struct fault *fault); /* it takes seconds, most of them idle */

/* ---- plan.c ----------------------------------------------------------------------------------------------------- */

/* A scenario in one world, explored. */
struct base {
    const struct scenario *scenario; /* with its result as JSON, and a hold limit of seconds; the memory's */
    const struct world *world;
    char *name; /* "fake explore/plain"; owned */
    int64_t late_us;
    struct sites sites;
};

/* One run: a fault at a site, or two. */
struct attempt {
    size_t base;
    size_t site;
    const struct fault *fault; /* faults_of() */
    size_t second; /* of a pair: the attempt whose fault comes on top; SIZE_MAX */
    unsigned rank; /* how many faults of its site come before it */
    uint32_t draw; /* by the seed: the order among those of the same rank */
    enum { ATTEMPT_OPEN, ATTEMPT_HELD, ATTEMPT_VIOLATED, ATTEMPT_UNREACHED, ATTEMPT_BROKEN } state;
    int tries;
};

struct plan {
    struct explore_options options;
    struct running running; /* the scenarios as they are */
    struct scenario_memory *memory;
    struct base *bases;
    size_t base_count;
    struct attempt *attempts;
    size_t attempt_count;
    size_t strangers; /* sites of calls that nobody has thought of */
    const struct attempt **violations; /* those that were seen again when they were played again */
    struct report shown;  /* their cases, for the report */
    int interrupted;
    int64_t until_us; /* now_us(); 0: never */
    int64_t start_us;
    int64_t work_us; /* what one run costs the processors */
    size_t done;  /* attempts that have come to their end, in this and earlier explorations */
    size_t played; /* in this one */
    size_t total; /* to be played in this one */
    int state;    /* descriptor; -1 */
};

void plan_base(struct plan *plan, struct base *base, const struct scenario *scenario, const struct world *world);
void plan_attempts(struct plan *plan);
void plan_pairs(struct plan *plan, size_t count);
void plan_forget_attempts(struct plan *plan);
/* The scenario in which it happens; lies in `memory`, but for what the plan's bases have. */
struct scenario *plan_scenario(const struct plan *plan, const struct attempt *attempt, struct scenario_memory *memory);
/* What befalls the site, as a row of a scenario. */
struct scenario_call plan_call(const struct plan *plan, const struct attempt *attempt);
/* "fake explore/plain: agent openat /etc/azure #2: EIO". The caller frees. */
char *attempt_name(const struct plan *plan, const struct attempt *attempt);
/* The judge of an attempt: VERDICT_SKIPPED: the site was not reached. */
enum verdict attempt_judge(struct report_case *it);

/* ---- progress.c ------------------------------------------------------------------------------------------------- */

int progress_open(struct plan *plan); /* takes what the state file knows. An exit status */
void progress_note(struct plan *plan, const struct attempt *attempt);
void progress_show(const struct plan *plan, bool last);
void progress_close(struct plan *plan);

/* ---- shrink.c --------------------------------------------------------------------------------------------------- */

/* Makes a violation small and writes it as a scenario file into the folder for those. Returns its path, the caller's
 * to free; NULL: it could not be written. */
char *shrink_violation(struct plan *plan, const struct attempt *attempt, const struct report_case *seen);

/* ---- coverage.c ------------------------------------------------------------------------------------------------- */

struct coverage {
    size_t sites, reached;
    size_t possible, tried, violated, unreached;
};

struct coverage coverage_of(const struct plan *plan, size_t base); /* SIZE_MAX: of all */
void coverage_terminal(const struct plan *plan, FILE *out);
void coverage_json(const struct plan *plan, FILE *out);
void coverage_junit(const struct plan *plan, FILE *out);

#endif
