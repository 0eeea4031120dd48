/* play.h: what the rooms that play a scenario with the real binary know of each other.
 *
 *   play.c            the way: sandbox, steps, one loop that waits     play_worlds.c  the rows of the two real worlds
 *   play_calls.c      gated calls → what is to be done                 play_mounts.c  the mount table, retold (fake)
 *   play_volumes.c    operations on volumes, in a queue and a worker for each volume
 *   play_processes.c  who is who, and how they end
 *   play_actions.c    what the scenario does at lines of the trace
 *   play_sites.c      each system call of quiesce's: recorded, and made to go wrong
 *
 * One thread does all of it but the workers' system calls. Whatever happens becomes a line of the trace (play_tell);
 * a call at the gate is answered when nothing holds it any more (struct held). */
#ifndef QUIESCE_SIM_PLAY_H
#define QUIESCE_SIM_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "gate.h"
#include "sandbox.h"
#include "scenario.h"
#include "trace.h"
#include "world.h"

#define PLAY_NEVER INT64_MAX

struct play;

/* ---- Calls that wait at the gate -------------------------------------------------------------------------------- */

/* A gated call. It goes on when as many have let go of it as took hold; who made it holds it first. */
struct held {
    struct gate_call call;
    int listener;
    pid_t process; /* thread group */
    int holds;
    void (*go_on)(struct play *play, struct held *held); /* answers and frees it, or takes hold of it anew */
    int error;        /* of a fault: an operation on a volume fails with it; 0 */
    struct operation *operation; /* of a call that is one on a volume */
};

void held_take(struct held *held);
void held_let_go(struct play *play, struct held *held); /* NULL: nothing */

/* ---- play.c ----------------------------------------------------------------------------------------------------- */

/* The gate of one step. */
struct play_gate {
    struct play_gate *next;
    int listener;
    bool left; /* nobody is behind it any more */
};

/* What is waited for, and whose it is. */
struct play_source {
    struct play_gate *gate;
    struct play_process *process;
};

struct play {
    const struct scenario *scenario;
    const struct world_settings *settings;
    struct outcome *outcome;
    struct sandbox sandbox;
    struct stat binary; /* quiesce, as seen inside */
    int step;
    int64_t start_us; /* of the clock: the trace's zero */
    int64_t deadline_us; /* of the scenario */

    struct pollfd *polled; /* rebuilt in each turn */
    struct play_source *sources;
    size_t source_count;
    size_t source_capacity;

    struct play_gate *gates;        /* one a step */
    struct play_volume *volumes;    /* play_volumes.c; in the order of the scenario */
    int operations_done;            /* eventfd: a worker has done what it was given */
    struct play_process *processes; /* play_processes.c; the last one first */
    struct play_process *agent;     /* of this step */
    int agents;                     /* so far */
    int guardians;
    bool agent_ended;               /* of this step: what hangs is let go */
    int64_t orphans_until_us;       /* when what a killed quiesce had started is waited for no more; 0: not yet */
    int64_t pause_until_us;         /* when the next step's command is started; 0: it is */
    bool ended;                     /* nobody waits for anything any more */
    bool looked_for_leftovers;      /* since the last thaw */
    struct due_action *due_actions; /* play_actions.c */
    int *matches;                   /* lines so far that matched each action */
    struct play_sites *sites;       /* play_sites.c; NULL: nobody looks at every call */
};

int64_t play_now_us(void);
/* Adds a line to the trace and does what the scenario does there. Actions hold `held` (or NULL) until they are done. */
void play_tell(struct play *play, struct trace_event event, struct held *held);
void play_note(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Starts the program with `words` behind a gate of its own, its output into the descriptors. NULL: *error says why. */
struct play_process *play_start(struct play *play, const char *const *words, bool root, const int output[2],
                                enum trace_role role, int *error);

/* Plays the scenario: the way of world.h's `play`. */
void play_real(const struct scenario *scenario, const struct world_settings *settings, bool fake,
               struct outcome *outcome);

/* ---- play_calls.c ----------------------------------------------------------------------------------------------- */

/* The calls to be gated; `calls` has room for GATE_CALLS_MAX and is the filter's. */
struct gate_filter play_gated_calls(const struct play *play, int *calls);
/* Takes a call that waits at the listener, and does about it what is to be done. */
void play_take_call(struct play *play, int listener);
/* Does about a call what its meaning asks for. `error`: what it is to fail with, if it is an operation on a volume. */
void play_pass_call(struct play *play, int listener, const struct gate_call *call, int error);

/* ---- play_mounts.c ---------------------------------------------------------------------------------------------- */

/* Does the call open a table of mounts? */
bool play_opens_mounts(const struct gate_call *call);
/* Opens the table that it opens, but with the scenario's types for fake filesystems. Returns the descriptor, or -1. */
int play_open_mounts(struct play *play, const struct held *held);

/* ---- play_volumes.c --------------------------------------------------------------------------------------------- */

void play_volumes_begin(struct play *play);
/* An operation of `held`'s caller on a volume of the scenario: told, queued, done, and the call answered. */
void play_operate(struct play *play, struct held *held, struct sandbox_volume *volume, enum trace_op op,
                  enum trace_role role);
/* Somebody else freezes or thaws; holds `held` (or NULL) until it is done. */
void play_operate_as_other(struct play *play, struct held *held, struct sandbox_volume *volume, enum trace_op op);
/* What a fault delays on the volume goes on. */
void play_release(struct play *play, const struct sandbox_volume *volume);
/* Everything that is asked of the volume's disk fails from now on. 0 or an errno. */
int play_lose_disk(struct play *play, struct sandbox_volume *volume);
void play_release_all(struct play *play); /* what would hang for ever, on all volumes, also from now on in this step */
/* Takes what workers have done, and starts what is due. */
void play_volumes_turn(struct play *play);
int64_t play_volumes_due_us(const struct play *play); /* when the next delay is over; PLAY_NEVER */
bool play_volumes_idle(const struct play *play);
bool play_volume_is_frozen(const struct play *play, const struct sandbox_volume *volume);
/* Nobody waits any more: what is delayed is dropped, and everything thawed. Bounded in time; tells what hangs. */
void play_volumes_end(struct play *play);

/* ---- play_processes.c ------------------------------------------------------------------------------------------- */

/* A process that has a part. Roles: the trace's; TRACE_OTHER: a quiesce that somebody else started; TRACE_HARNESS: one
 * of which is not known yet whether it is a guardian. */
struct play_process {
    struct play_process *next;
    pid_t pid;
    int pidfd; /* -1: it has ended */
    enum trace_role role;
    enum trace_role target; /* of a leftover: its script's role */
    int ordinal;
    const char *plugin;
    char *group;       /* a script's control groups, as /proc tells them */
    bool in_background; /* an agent that has detached */
    bool killed;        /* by an action, whether its end was seen or not */
    bool start_told;
    bool end_told;
    int status; /* waitpid's; when it has ended. -1: nobody saw how */
    int output;         /* of another quiesce that the scenario started; -1 */
    struct held *waits; /* for its end; NULL: nobody */
};

/* NULL: it is gone already. */
struct play_process *play_process_add(struct play *play, pid_t pid, enum trace_role role);
struct play_process *play_process_find(const struct play *play, pid_t pid); /* NULL: it has no part */
/* A living process of the role, the last one started; NULL: there is none. */
struct play_process *play_process_of_role(const struct play *play, enum trace_role role);
bool play_quiesce_lives(const struct play *play);  /* any agent or guardian */
bool play_children_live(const struct play *play); /* any script or snapshot command */
/* Who the caller is, with one that shows itself now as a guardian told. TRACE_OTHER: nobody of quiesce's. */
enum trace_role play_caller_role(struct play *play, struct held *held);

/* What calls tell of processes. */
void play_process_executes(struct play *play, struct held *held, const char *path, uint64_t environment);
void play_process_exits(struct play *play, struct held *held, int status);
void play_process_names_itself(struct play *play, struct held *held);
/* Its pidfd says that it has ended. */
void play_process_ended(struct play *play, struct play_process *process);
/* Is the call one of quiesce's own, and by whom of it? */
bool play_process_calls(const struct play *play, const struct gate_call *call, enum scenario_caller *by);
/* Finds processes that scripts have left behind and nobody knows yet. `script`: of that one only; NULL: of all. */
void play_find_leftovers(struct play *play, const struct play_process *script);
/* Nobody waits for another quiesce's end any more. */
void play_others_end(struct play *play);
bool play_process_is_stopped(const struct play_process *process); /* or has ended */
/* Who acts because a process died may be seen before its end: takes the ends of all that are about to. */
void play_settle(struct play *play);
void play_processes_end(struct play *play);

/* ---- play_actions.c --------------------------------------------------------------------------------------------- */

/* Sends the signal, and tells. */
void play_send(struct play *play, enum scenario_target target, int signal_number);
void play_actions_begin(struct play *play);
/* Carries out what the scenario does at this line. */
void play_actions_match(struct play *play, const struct trace_event *event, struct held *held);
void play_actions_turn(struct play *play); /* what is due by the clock */
int64_t play_actions_due_us(const struct play *play);
void play_actions_end(struct play *play);

/* ---- play_sites.c ----------------------------------------------------------------------------------------------- */

/* Makes play->sites if somebody wants every call of quiesce's. */
void play_sites_begin(struct play *play);
/* A call that waits at the gate. True: it goes wrong, and is seen to here; false: it is to be passed. */
bool play_sites_take(struct play *play, int listener, const struct gate_call *call);
void play_sites_turn(struct play *play); /* what is due by the clock */
int64_t play_sites_due_us(const struct play *play);
void play_sites_end(struct play *play);

#endif
