/* scenario.h: a scenario file as data: what is given, what happens, what must be seen.
 *
 * A file becomes one struct scenario for each combination of its matrix. Every default is filled in, so that worlds
 * never ask whether a key was there. All strings and arrays lie in the set's memory and live as long as it.
 * The words of the language are documented where editors find them: scenarios/scenario.schema.json. */
#ifndef QUIESCE_SIM_SCENARIO_H
#define QUIESCE_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "quiesce/json.h"

#define SCENARIO_FOREVER INT64_MAX /* "forever", as a duration in microseconds */
#define SCENARIO_CONFIG_DIRECTORY "/etc/azure"
#define SCENARIO_SCRIPT_DIRECTORY "/opt/app" /* where scripts lie unless told: pre.sh; of plugin k: pre-K.sh … */

enum scenario_world {
    SCENARIO_VIRTUAL = 1 << 0,
    SCENARIO_FAKE = 1 << 1,
    SCENARIO_LOOP = 1 << 2,
    SCENARIO_WORLDS = 7,
};
#define SCENARIO_WORLD_COUNT 3 /* the bits above, from the lowest */

/* Where something stands in the file, for messages. */
struct scenario_place {
    int line;
    int column;
};

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* A file, directory or symbolic link of the scenario's machine. Missing parents are directories of root's, 0755. */
enum scenario_file_kind { SCENARIO_FILE, SCENARIO_DIRECTORY, SCENARIO_SYMLINK, SCENARIO_FIFO, SCENARIO_ABSENT };

struct scenario_file {
    enum scenario_file_kind kind;
    const char *path; /* absolute, in the scenario's own root */
    const char *text; /* content, or a link's target; NULL: none, or made by the world (a script's behaviour) */
    size_t size;      /* of text */
    uid_t owner;
    mode_t mode;
};

/* ---- Scripts and the snapshot command ---------------------------------------------------------------------------- */

/* What one attempt does. */
struct scenario_attempt {
    int64_t run_us; /* before it ends; SCENARIO_FOREVER */
    int exit;
    int signal; /* dies by it instead; 0: exits */
    const char *out; /* written first, again and again until out_size bytes are written */
    size_t out_size; /* 0: nothing */
    const char *err;
    size_t err_size;
    bool ignores_term;
    int leaves; /* processes left behind, each in a session of its own, double-forked */
    int64_t leaves_run_us;
    bool leaves_ignore_term;
    bool leaves_hold_output; /* they keep the output pipes open */
    const char *reads;  /* a mount point: lists it and reads a file of it, from its disk, before it goes on; NULL */
    const char *writes; /* a mount point: writes and syncs a file there before it goes on; NULL */
};

/* `attempts`: what the first, second, … start does; the last row serves all later ones; count 0 only with file.text,
 * a program written out in the scenario, which the virtual world cannot run, or where there is no regular file.
 * `location`: the path in the config, by which quiesce starts it and worlds tell scripts apart; file.path unless a
 * symbolic link of the scenario leads there. */
struct scenario_script {
    const char *location;
    struct scenario_file file;
    const struct scenario_attempt *attempts;
    size_t attempt_count;
};

/* `name`: of the harness's own, in traces ("ScriptRunner" where there is one plugin only); quiesce knows all of them as
 * ScriptRunner, so worlds tell plugins apart by their scripts' paths. */
struct scenario_plugin {
    const char *name;
    struct scenario_file config; /* its text is complete: merged over the base, or raw */
    struct scenario_script pre;
    struct scenario_script post;
};

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

enum scenario_fill { SCENARIO_EMPTY, SCENARIO_NEARLY_FULL, SCENARIO_FULL };

#define SCENARIO_WRITEBACK_PERIOD 500 /* usual, in centiseconds */

struct scenario_volume {
    const char *mount;
    const char *type; /* ext4, xfs, btrfs, …; in real worlds also tmpfs, vfat: what cannot be frozen */
    int64_t size;     /* bytes */
    const char *on;   /* mount point of the volume on which its disk image lies; NULL: a disk of its own */
    bool read_only;
    enum scenario_fill fill;
    bool recorded;    /* its disk is a file of the fake filesystem: slow, recording (loop world) */
    int64_t disk_write_us; /* with `recorded`: what each write costs */
    const char *const *binds; /* more mount points of the same filesystem */
    size_t bind_count;
    const char *const *subvolumes; /* btrfs: mount points of subvolumes */
    size_t subvolume_count;
    bool frozen_by_other; /* from the beginning; must be so at the end */
    bool covered;         /* a tmpfs is mounted on top of it from the beginning */
    int disk;             /* which whole disk (1, 2, …): virtual; in real worlds each volume is a disk */
};

enum scenario_workload_kind {
    SCENARIO_APPEND,      /* 4 KiB writes in a loop */
    SCENARIO_FSYNC,       /* each of them synced */
    SCENARIO_MMAP,        /* stores to a shared mapping */
    SCENARIO_DIRECT,      /* O_DIRECT */
    SCENARIO_DIRECTORIES, /* create, rename, link, unlink, mkdir */
    SCENARIO_LEDGER,      /* fixtures/apps/ledger: acknowledged records; pre/post may quiesce it */
    SCENARIO_TRUNCATE,    /* a file is made longer and shorter */
    SCENARIO_FREEZERS,    /* somebody else freezes and thaws it, now and then; thaws only what he froze himself */
    SCENARIO_REMOUNT,     /* it is remounted read-only and writable */
    SCENARIO_MOUNTS,      /* it is bind-mounted somewhere and unmounted there */
    SCENARIO_QUOTA,       /* btrfs: a quota is set */
};

struct scenario_workload {
    enum scenario_workload_kind kind;
    const char *volume;
    int writers;
    int64_t flush_us; /* of a ledger: how often it flushes; 0: it acknowledges only what is durable */
};

/* ---- What goes wrong, what is done ------------------------------------------------------------------------------- */

enum scenario_op { SCENARIO_SYNC, SCENARIO_FREEZE, SCENARIO_THAW };

/* Where a freeze hangs: before the kernel takes the lock that freezes and thaws of a filesystem take turns by, or with
 * it, so that a thaw waits; or where a thaw finds nothing frozen meanwhile (virtual world). */
enum scenario_hang { SCENARIO_HANGS_BEFORE, SCENARIO_HANGS_INSIDE, SCENARIO_HANGS_PASSED };

/* An operation of quiesce's on a volume does not do what it should. */
struct scenario_fault {
    enum scenario_op op;
    const char *volume; /* mount point, as in volumes; NULL: any */
    int nth;            /* from 1; 0: every one */
    int error;          /* errno; 0: it is done all the same */
    int64_t delay_us;   /* before it is done or fails; SCENARIO_FOREVER: until released or the end */
    enum scenario_hang hang; /* of a freeze that is delayed */
};

/* Both: two signals, the agent's first, with nothing between. */
enum scenario_target { SCENARIO_AGENT = 1, SCENARIO_GUARDIAN = 2, SCENARIO_BOTH = 3, SCENARIO_SNAPSHOT = 4 };

/* Agent or guardian is struck at one of its own calls through the seam (virtual world). */
struct scenario_blow {
    enum scenario_target by; /* SCENARIO_AGENT or SCENARIO_GUARDIAN */
    int command;       /* of the scenario's, from 1 */
    int which;         /* of that role, from 1 in the order of their starts in that command; 0: any */
    const char *op;    /* its name in sim/worlds/virtual/operations.def, or "any" */
    int nth;           /* call of that operation by the process, from 1 */
    int error;         /* it fails with that errno; 0: it does not */
    int64_t delay_us;  /* it is made so much later; 0: at once */
    int signal;        /* SIGKILL or SIGSTOP to `target`; 0: none */
    enum scenario_target target; /* `by`, or for SIGKILL both */
    bool after;        /* … after the call, and not before */
    int64_t resume_us; /* SIGCONT follows so much later; SCENARIO_FOREVER: it does not */
};

/* Who makes a system call: a child is what quiesce has forked, until it executes something or shows itself as
 * guardian. */
enum scenario_caller { SCENARIO_BY_AGENT, SCENARIO_BY_GUARDIAN, SCENARIO_BY_CHILD };

/* A system call of quiesce's goes wrong, or something happens to quiesce right there (real worlds). */
struct scenario_call {
    enum scenario_caller by;
    const char *call;  /* its name, of sim/gate/calls.def */
    const char *about; /* pattern for what it is about (gate_call_about); NULL: whatever */
    int nth;           /* of those that match, over all steps, from 1; 0: every one */
    int error;         /* errno; 0: it is done */
    int64_t delay_us;  /* before it is done or fails */
    int transfers;     /* a read or write goes no further than these bytes; 0: as far as it can */
    int signal;        /* sent to `target`; 0: none */
    enum scenario_target target;
    bool after;         /* … once the call has been made, or hangs, and not before */
    int64_t resume_us;  /* SIGCONT follows so much later; 0: it does not */
};

enum scenario_action_kind {
    SCENARIO_SEND,       /* `signal` to `target` */
    SCENARIO_OTHER_FREEZE, /* somebody else freezes `volume` … */
    SCENARIO_OTHER_THAW,
    SCENARIO_MOUNT_OVER, /* a tmpfs is mounted on top of `volume` */
    SCENARIO_UNMOUNT,    /* `volume`, lazily if busy */
    SCENARIO_RELEASE,    /* the operation of quiesce's on `volume` that a fault holds goes on */
    SCENARIO_REPLACE,    /* the file `path` is replaced by another one with the same name, owner, mode and text */
    SCENARIO_CHMOD,      /* `path` gets `mode` */
    SCENARIO_OTHER_QUIESCE, /* another quiesce is started with `words`; whoever waits at the line waits for its end */
    SCENARIO_LOSE_DISK,  /* from now on everything that is asked of the disk of `volume` fails with EIO */
};

/* Something done once, at a point: right after the `nth` line of the trace that matches `when` (fnmatch; an operation
 * that "begins" has not taken effect yet, and waits until the action is done), counted over all steps, or at a time. */
struct scenario_action {
    const char *when;  /* NULL: at `after_us` */
    int nth;           /* from 1 */
    int64_t after_us;  /* after that line, or after the scenario's start */
    enum scenario_action_kind kind;
    enum scenario_target target;
    int signal;
    const char *volume;
    const char *path;
    mode_t mode;
    const char *const *words; /* of quiesce, without its name */
    size_t word_count;
    struct scenario_place place;
};

/* ---- What must be seen ------------------------------------------------------------------------------------------- */

struct scenario_duration {
    const char *from; /* patterns of trace lines: the first match of `from`, the first of `to` after it */
    const char *to;
    int64_t min_us;
    int64_t max_us; /* SCENARIO_FOREVER: no bound */
};

/* NULL or negative: not asked. */
struct scenario_expect {
    int exit;
    int signal; /* the command dies by it; 0: not asked */
    const char *consistency;
    const char *const *errors; /* names, all of them in order; NULL: not asked */
    size_t error_count;
    const char *const *trace; /* patterns; matching lines must occur in this order, others between them */
    size_t trace_count;
    const char *const *never; /* no line may match */
    size_t never_count;
    const char *const *out; /* of the command: each pattern must match a line */
    size_t out_count;
    const char *const *err;
    size_t err_count;
    const struct scenario_duration *durations;
    size_t duration_count;
    const cJSON *result; /* the JSON result must contain this: objects by key, arrays by index, strings as patterns */
    const char *const *frozen; /* mount points still frozen after the step; all others must not be. NULL: those frozen
                                  by others */
    size_t frozen_count;
    const cJSON *snapshot; /* mount point → {"clean": bool, "missing": N|"some"} */
    const cJSON *crash_images; /* mount point of a recorded disk → {"images": N, "clean": bool, "missing": N|"some"} */
    bool golden; /* the step's trace, without times, is the one kept beside the file, in NAME.golden (run --update) */
    struct scenario_place place;
};

/* A world that has to know the result of a run, a check or a freeze adds `--report FILE` to it, unless it is there. */
struct scenario_step {
    const char *const *argv; /* of quiesce, without its name; NULL-terminated */
    size_t argc;
    bool root;          /* false: run as nobody */
    const char *log_on; /* its standard error goes to a file on this volume; NULL: to one that nobody freezes */
    int64_t after_us;   /* after the end of the step before */
    struct scenario_expect expect;
    struct scenario_place place;
};

/* ---- The whole --------------------------------------------------------------------------------------------------- */

struct scenario {
    const char *file;        /* as it was named on the command line, or found below it */
    const char *name;        /* "runner/retries": below scenarios/, without .json */
    const char *variant;     /* "exit=3,type=xfs"; "" without a matrix */
    const char *description; /* one sentence: the rule */
    const char *const *tags;
    size_t tag_count;
    unsigned worlds;         /* bits: where it may run, from the file's "worlds" and from what it asks for */
    const char *why_not[SCENARIO_WORLD_COUNT]; /* of each world that is not among them: one reason */
    const char *const *needs; /* beyond that: "fs:xfs", "program:sqlite3" */
    size_t need_count;
    int64_t timeout_us;      /* of the whole, in real time */
    bool other_has_lock;     /* another quiesce runs all the time */
    const char *journal;     /* what lies in /run/quiesce at the start; NULL: nothing. "${boot_id}" is the real one */
    int rcu_expedited;       /* what /sys/kernel/rcu_expedited says before, and must say after it all */
    int writeback_period;    /* the same of /proc/sys/vm/dirty_writeback_centisecs */
    int64_t dirty_bytes;     /* what /proc/meminfo says is dirty, all the time */
    const struct scenario_volume *volumes;
    size_t volume_count;
    const struct scenario_plugin *plugins;
    size_t plugin_count;
    const struct scenario_file *plugin_host; /* NULL: absent */
    const struct scenario_file *files;
    size_t file_count;
    const struct scenario_attempt *snapshots; /* what the command "snapshot" does; as for scripts */
    size_t snapshot_count;
    const struct scenario_workload *workloads;
    size_t workload_count;
    const struct scenario_fault *faults;
    size_t fault_count;
    const struct scenario_call *calls;
    size_t call_count;
    const struct scenario_blow *blows;
    size_t blow_count;
    bool oracle;             /* the virtual world's oracle judges what invariants 1, 2, 4, 5 and 7 do otherwise */
    const struct scenario_action *actions;
    size_t action_count;
    const struct scenario_step *steps; /* one after another on the same machine; at least one */
    size_t step_count;
};

struct scenario_set {
    struct scenario *items;
    size_t count;
    void *memory; /* of scenario/, opaque */
};

#define SCENARIO_MISTAKES_MAX 10

/* What is wrong with a file, in the order of the places. Of more mistakes the first ones are kept. */
struct scenario_mistakes {
    size_t count;
    struct scenario_mistake {
        struct scenario_place place;
        size_t combination; /* of the matrix, from 0: the first one that it was found in */
        char line[1024];    /* "file:line:column: what was found, what is allowed" */
    } items[SCENARIO_MISTAKES_MAX];
};

void scenario_tell_mistakes(const struct scenario_mistakes *mistakes, FILE *out); /* a line each */

/* Reads one file and expands its matrix. `root`: the folder below which names count ("scenarios"). False: `mistakes`
 * says why, and the set is as it was. Free with scenario_set_free. */
bool scenario_read(struct scenario_set *set, const char *root, const char *file, struct scenario_mistakes *mistakes);
/* The same from memory; `file` names it in messages. */
bool scenario_parse(struct scenario_set *set, const char *root, const char *file, const char *text, size_t size,
                    struct scenario_mistakes *mistakes);
void scenario_set_free(struct scenario_set *set);

/* The nearest folder at or above `path` that holds scenario.schema.json, or a folder "scenarios" in it that does: the
 * root. The caller frees. NULL: there is none. */
char *scenario_find_root(const char *path);
/* Calls `found` for each scenario file at or below `path`, in the order of their names; other files are passed over.
 * `found` returns false to end it. Returns 0 or an errno (`path` is not there, or cannot be read). */
int scenario_walk(const char *path, bool (*found)(const char *file, void *argument), void *argument);

const char *scenario_world_name(enum scenario_world world);
/* The line that an action leaves in the trace: "KILL to agent", "other thaw /data ok" (if it worked), "mount over
 * /data", "unmount /data", "release /data", "replace /opt/app/pre.sh", "chmod /opt/app/pre.sh". Returns `line`. */
char *scenario_action_line(const struct scenario_action *action, char *line, size_t size);

#endif
