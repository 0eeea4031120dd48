/* virtual.h: a world over the seam, in which time is a number and everything is simulated.
 *
 *     struct virtual_world *world = virtual_new();
 *     virtual_add_ext4(world, "/data", makedev(8, 17));
 *     virtual_kill_at(world, VIRTUAL_AGENT, 2 * QZ_US_PER_S);
 *     CHECK_INT(virtual_run(world, agent, &argument), VIRTUAL_OVER);
 *     CU_ASSERT_FALSE(virtual_is_frozen(world, makedev(8, 17)));
 *     virtual_free(world);
 *
 * The agent and its guardians are coroutines, each with a struct qz_os of its own. They take turns only in wait(), in
 * dismiss() and where a fault holds them up; an operation takes no time. The same calls give the same trace, byte for
 * byte. Strings and tables given to a setter are copied. All `…_us` in this header count from the world's start;
 * what os->now_us() tells is VIRTUAL_START_US more, so that nobody mistakes a duration for a time.
 *
 * Memory: a guardian sees the agent's very memory and not a copy, so what it reads after guard() has returned must be
 * in shared memory, or stay as it was while the guardian lives. What a killed process had allocated is freed with the
 * world (so a test does not free it before or after: it may, before). Memory that is short aborts the test program.
 * A world belongs to one thread, and only one world runs at a time in a thread. */
#ifndef QUIESCE_SIM_VIRTUAL_H
#define QUIESCE_SIM_VIRTUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quiesce/os.h"

#define VIRTUAL_START_US (1000 * QZ_US_PER_S)
#define VIRTUAL_STATE_DIRECTORY "/run/quiesce"
#define VIRTUAL_PERIOD 500 /* the usual writeback period, in centiseconds */
#define VIRTUAL_EVERY 0 /* as `nth`: every call */

enum virtual_role { VIRTUAL_AGENT, VIRTUAL_GUARDIAN, VIRTUAL_WORLD };

/* Operations and what the world does by itself: the rows of operations.def. */
enum virtual_op {
#define VIRTUAL_OPERATION(symbol, text, can_fail) VIRTUAL_OP_##symbol,
#define VIRTUAL_HAPPENING(symbol, text) VIRTUAL_DID_##symbol,
#include "operations.def"
#undef VIRTUAL_OPERATION
#undef VIRTUAL_HAPPENING
    VIRTUAL_OP_ANY, /* in a fault: whichever operation is the nth */
};

/* The `detail` of a process's end: whether it had been alone, or was the half of a detach() that waits, whose exit
 * status is then the entry's `value`, or the one that went on. */
enum virtual_half { VIRTUAL_ALONE, VIRTUAL_STARTED, VIRTUAL_BACKGROUND };

struct virtual_world;

struct virtual_world *virtual_new(void);
void virtual_free(struct virtual_world *world);

/* ---- The machine ------------------------------------------------------------------------------------------------ */

void virtual_set_seed(struct virtual_world *world, uint64_t seed); /* of random_bytes */
void virtual_set_root(struct virtual_world *world, bool is_root);  /* default: true */
void virtual_set_boot_id(struct virtual_world *world, const char *boot_id);
void virtual_set_terminal(struct virtual_world *world, enum qz_stream stream, bool is_terminal);
/* At first RCU is not expedited (0), and the writeback period VIRTUAL_PERIOD. And there is none at all. */
void virtual_set(struct virtual_world *world, enum qz_setting setting, int value);
void virtual_lack(struct virtual_world *world, enum qz_setting setting);
int virtual_setting(const struct virtual_world *world, enum qz_setting setting);
/* So much is dirty: all the time, or until the writeback period changes and so many bytes a second are written out. At
 * first nothing is. */
void virtual_set_dirty(struct virtual_world *world, int64_t bytes, int64_t bytes_per_s);
void virtual_busy_disks(struct virtual_world *world, int64_t bytes_per_s); /* others write so much to them, all the time */
int64_t virtual_dirty(const struct virtual_world *world);
int64_t virtual_written(const struct virtual_world *world, bool *writing); /* to all disks */
void virtual_spare_processors(struct virtual_world *world, const char *why); /* of rcu_spared */
/* Another process is there, for process_alive. */
void virtual_add_process(struct virtual_world *world, const struct qz_process *process);
void virtual_set_journal(struct virtual_world *world, const char *text);
/* Another quiesce has the lock until then (QZ_NEVER: for ever). */
void virtual_lock_by_other(struct virtual_world *world, int64_t until_us);

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Missing parents come as directories of root's, 0755. A path that exists is replaced by the new one. */
void virtual_add_file(struct virtual_world *world, const char *path, uid_t uid, mode_t mode, const char *content);
void virtual_add_bytes(struct virtual_world *world, const char *path, uid_t uid, mode_t mode, const void *content,
                       size_t size);
void virtual_add_directory(struct virtual_world *world, const char *path, uid_t uid, mode_t mode);
void virtual_add_symlink(struct virtual_world *world, const char *path, const char *target);
void virtual_add_other(struct virtual_world *world, const char *path, uid_t uid, mode_t mode); /* a device, a socket */
/* The content of the regular file at `path` (no links followed; NUL-terminated), or NULL. */
const char *virtual_file(const struct virtual_world *world, const char *path, size_t *size);

/* ---- Scripts and commands --------------------------------------------------------------------------------------- */

/* What one attempt does. All zero: it ends at once with status 0 and prints nothing. Output is written at the start:
 * `out` again and again until `out_size` bytes are written (0: once). */
struct virtual_attempt {
    int64_t run_us; /* QZ_NEVER: until somebody ends it */
    int status;
    int signal; /* dies by it, instead of exiting */
    const char *out;
    size_t out_size;
    const char *err;
    size_t err_size;
    bool ignores_term;
    int64_t unkillable_us; /* no signal is acted on before it has run that long */
    int leftovers;         /* processes that it leaves behind, in sessions of their own; there from its start */
    int64_t leftover_us;   /* how long after the start each of them ends */
    bool leftovers_ignore_term;
    int64_t leftovers_unkillable_us; /* as unkillable_us, theirs */
    int start_error;    /* errno: it cannot be started */
    int late_error;     /* errno: of a gated one, that it cannot be executed turns out when it is released */
    bool swapped;       /* the file is replaced by another one just before the start */
    const char *writes; /* a mount point it writes to first: stands still, deaf to signals, while that is frozen */
};

/* What is executed at `path` (a script's configured path, or a command's argv[0]) does at its first, second, … start;
 * the last row serves for all later ones. A regular file with an executable bit and no rows is a script that takes a
 * millisecond and succeeds. */
void virtual_set_script(struct virtual_world *world, const char *path, const struct virtual_attempt *attempts,
                        size_t count);

/* ---- Volumes ---------------------------------------------------------------------------------------------------- */

/* How a superblock's operations behave. Times: QZ_NEVER is for ever. An error holds for the first `…_errors` calls, or
 * for all where that is 0. */
struct virtual_volume {
    int64_t sync_us;
    int64_t sync_again_us; /* … of every later one, which finds what was written since */
    int sync_error;
    int64_t freeze_us;
    int freeze_error;
    int freeze_errors;
    int64_t stuck_until_us; /* FIFREEZE does not return (nor fail) before then; 0: is not stuck */
    bool thaw_passes;       /* a FITHAW meanwhile finds nothing frozen (EINVAL), and does not wait for the FIFREEZE */
    int64_t thaw_us;
    int thaw_error;
    int thaw_errors;
};

#define VIRTUAL_VOLUME_DEFAULT ((struct virtual_volume){.sync_us = 2000, .freeze_us = 1000, .thaw_us = 100})

/* Adds a row to the mount table. Equal `dev`: one superblock. A mount point that was mounted before gets hidden.
 * Freezing or thawing a superblock while one that it lies on (`below`) is frozen hangs until that is thawed. */
void virtual_add_mount(struct virtual_world *world, const struct qz_mount *mount);
/* The plain case: ext4 on a disk of its own, whose device is `dev`. */
void virtual_add_ext4(struct virtual_world *world, const char *mount_point, dev_t dev);
void virtual_set_volume(struct virtual_world *world, dev_t dev, const struct virtual_volume *behaviour);
/* The nth `op` of quiesce's on the superblock (from 1) is begun only `delay_us` later (QZ_NEVER: when it is released),
 * and fails then, unless `error` is 0. */
void virtual_fault_volume(struct virtual_world *world, dev_t dev, enum qz_volume_op op, unsigned nth, int error,
                          int64_t delay_us);
/* The same for a freeze that hangs inside the kernel: a thaw meanwhile waits until it has returned, or, if it `passes`,
 * finds nothing frozen. */
void virtual_hang_freeze(struct virtual_world *world, dev_t dev, unsigned nth, int error, int64_t delay_us, bool passes);
void virtual_release_volume(struct virtual_world *world, dev_t dev);
void virtual_foreign_freeze(struct virtual_world *world, dev_t dev, int64_t at_us);
void virtual_foreign_thaw(struct virtual_world *world, dev_t dev, int64_t at_us);
void virtual_unmount_at(struct virtual_world *world, const char *mount_point, int64_t at_us); /* its topmost mount */
/* The stream leads to a file on this mount point (NULL: to none): printing while that is frozen blocks (the log: is
 * dropped). */
void virtual_stream_on(struct virtual_world *world, enum qz_stream stream, const char *mount_point);

/* ---- Faults ----------------------------------------------------------------------------------------------------- */

/* The nth call (from 1) of `op` by a process of that role; VIRTUAL_OP_ANY counts all but now_us. A fault is used up
 * when it strikes, except where nth is VIRTUAL_EVERY. A second guardian counts from 1 again. */
enum virtual_moment { VIRTUAL_BEFORE, VIRTUAL_AFTER }; /* the operation takes effect */

/* Faults on operations that are set from now on strike only that process of their role (1: a run's first; 0, as at
 * the beginning: any). */
void virtual_aim(struct virtual_world *world, int ordinal);
void virtual_forget_faults(struct virtual_world *world); /* those on operations, that have not struck yet */
/* Has the one that was set as number `index` since then, from 0, struck? Of one with VIRTUAL_EVERY it is not known. */
bool virtual_has_struck(const struct virtual_world *world, size_t index);

/* volume_start's error comes in its event. Operations that cannot fail: the test program aborts. */
void virtual_fail(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth, int error);
/* The operation is entered that much later; the process reacts to nothing meanwhile. */
void virtual_delay(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                   int64_t delay_us);
/* The nth piece of memory (from 1) that this process of its role (1: a run's first) asks for cannot be had. What
 * operations need for themselves does not count: they fail with ENOMEM. */
void virtual_starve(struct virtual_world *world, enum virtual_role role, int ordinal, unsigned nth);
/* How many pieces it has asked for in the last run; 0: there was no such process. */
unsigned virtual_asked_for(struct virtual_world *world, enum virtual_role role, int ordinal);
/* SIGKILL. Its operations on volumes that are under way still take effect. */
void virtual_kill_on(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                     enum virtual_moment moment);
/* The process, and the last one of the other role with it. */
void virtual_kill_both_on(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                          enum virtual_moment moment);
void virtual_kill_at(struct virtual_world *world, enum virtual_role role, int64_t at_us);
/* SIGSTOP, and SIGCONT `for_us` later (QZ_NEVER: none). */
void virtual_stop_on(struct virtual_world *world, enum virtual_role role, enum virtual_op op, unsigned nth,
                     enum virtual_moment moment, int64_t for_us);
void virtual_stop_at(struct virtual_world *world, enum virtual_role role, int64_t at_us, int64_t for_us);
void virtual_continue_at(struct virtual_world *world, enum virtual_role role, int64_t at_us); /* SIGCONT */
/* SIGTERM, SIGINT, SIGHUP or SIGQUIT: an event in its next wait. */
void virtual_signal_at(struct virtual_world *world, enum virtual_role role, int signal_number, int64_t at_us);

/* Calls `observe` each time before the next process gets its turn, or time goes on: whoever looks at the trace there
 * can still set something for this very moment. */
void virtual_observe(struct virtual_world *world, void (*observe)(void *observer), void *observer);
/* Calls `call` when it is `at_us`. */
void virtual_call_at(struct virtual_world *world, int64_t at_us, void (*call)(void *argument), void *argument);

/* ---- Running ---------------------------------------------------------------------------------------------------- */

enum virtual_end {
    VIRTUAL_OVER,         /* agent and guardians have ended or were killed */
    VIRTUAL_LEFT_STOPPED, /* some of them is stopped, and nobody will continue it; others may wait for that one */
    VIRTUAL_LEFT_STUCK,   /* some of them waits, with an operation on a volume that will never return */
    VIRTUAL_HANGS,        /* the step limit was reached, or some of them waits for what can never come */
};

#define VIRTUAL_STEPS_DEFAULT 100000

/* Most operations that one run may make. */
void virtual_set_step_limit(struct virtual_world *world, unsigned long steps);

/* Runs `main(its os, argument)` as the agent, with the guardians that it starts, until all of them and their operations
 * on volumes are over (except those that never return). Later runs in the same world are new processes on the machine
 * that the earlier ones left. */
enum virtual_end virtual_run(struct virtual_world *world, void (*main)(struct qz_os *os, void *argument),
                             void *argument);

/* From now on a run waits no longer, once nobody else runs, for an agent that has detached and for its guardian: they
 * go on in the next one. */
void virtual_leave_background(struct virtual_world *world, bool leaves);
/* Between runs: lets time go by for those in the background. */
void virtual_pause(struct virtual_world *world, int64_t duration_us);
/* Is the process whose os this is one that has detached? Its `main` asks that. */
bool virtual_is_in_background(struct qz_os *os);

/* At that time another quiesce is started, beside the one that runs then: an agent, too (the last one, then). It may
 * look and thaw; it starts no children. */
void virtual_also_run(struct virtual_world *world, int64_t at_us, void (*main)(struct qz_os *os, void *argument),
                      void *argument);

/* Between runs: lets time go by, for all but the processes of ours that were left. */
void virtual_pass(struct virtual_world *world, int64_t duration_us);

/* Between runs: everything that ran is gone, nothing is frozen, the boot id is another one, journal and lock are lost,
 * and so is what was to happen at a later time. */
void virtual_reboot(struct virtual_world *world);

/* ---- What happened ---------------------------------------------------------------------------------------------- */

int64_t virtual_now_us(const struct virtual_world *world);

/* One line of the trace. What the numbers mean depends on `what`: virtual_trace_text shows them by name. */
struct virtual_entry {
    int64_t at_us;
    enum virtual_role role;
    int ordinal; /* of the process among those of its role, from 1; 0: the world */
    enum virtual_op what;
    int slot;        /* -1: none */
    int64_t value;   /* deadline, signal, byte, size, volume operation, device … */
    int64_t result;  /* 0 or more: what was returned; negative: an errno. wait: enum qz_event_kind */
    int64_t detail;  /* wait: the event's status, signal, byte or error */
    const char *text; /* path, mount point, text; NULL: none */
};

const struct virtual_entry *virtual_trace(const struct virtual_world *world, size_t *count);
const char *virtual_op_name(enum virtual_op op);
/* The operation of that name; "any operation" has none, and is VIRTUAL_OP_ANY. */
enum virtual_op virtual_op_named(const char *name);
/* The trace as lines. Lives as long as the world. */
const char *virtual_trace_text(struct virtual_world *world);

/* What a process of quiesce had executed, in order. */
struct virtual_start {
    const char *path;
    int slot;
    enum virtual_role by;
    int64_t at_us;
    int64_t end_us; /* of the first process; QZ_NEVER: it has not ended */
    struct qz_child_end end;
    char *const *argv;
    char *const *envp;
    bool clean;
};

size_t virtual_start_count(const struct virtual_world *world);
const struct virtual_start *virtual_start_at(const struct virtual_world *world, size_t index);
size_t virtual_starts_of(const struct virtual_world *world, const char *path); /* how often it was started */

bool virtual_is_frozen(const struct virtual_world *world, dev_t dev);
size_t virtual_frozen_count(const struct virtual_world *world);
enum virtual_role virtual_frozen_by(const struct virtual_world *world, dev_t dev); /* the last freeze; WORLD: others */
/* The longest that a freeze of ours has lasted, one that still lasts included. */
int64_t virtual_longest_frozen_us(const struct virtual_world *world, dev_t dev);

size_t virtual_alive(const struct virtual_world *world); /* processes of scripts and commands */
bool virtual_is_alive(const struct virtual_world *world, enum virtual_role role); /* the last one of that role */
/* Files that processes which ended by themselves had left open. */
size_t virtual_open_files(const struct virtual_world *world);
const char *virtual_output(const struct virtual_world *world, enum qz_stream stream);
const char *virtual_journal(const struct virtual_world *world); /* "": none */
/* The first rule of os.h that was broken, as a sentence, or NULL. */
const char *virtual_violation(const struct virtual_world *world);

#endif
