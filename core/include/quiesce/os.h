/* os.h: the seam. Core reaches the world only through struct qz_os.
 *
 * Two implementations exist: core/os (Linux) and sim/worlds/virtual (a virtual clock and simulated everything). One
 * contract test runs against both. Operations are at the level of intent; only `wait` blocks for longer than a
 * system call takes, so that a virtual world can advance time there.
 *
 * Times are microseconds of a monotonic clock unless a name says otherwise. Functions that return int and say
 * nothing else return 0 or an errno value (positive). An os belongs to one process and one thread; guard() gives the
 * guardian one of its own. */
#ifndef QUIESCE_OS_H
#define QUIESCE_OS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define QZ_US_PER_S INT64_C(1000000)
#define QZ_NEVER INT64_MAX

struct qz_os;

/* ---- Paths ------------------------------------------------------------------------------------------------------ */

enum qz_step_kind { QZ_STEP_DIRECTORY, QZ_STEP_SYMLINK, QZ_STEP_REGULAR, QZ_STEP_OTHER };

/* One thing met on the way to a file, in the order met; the last one is the file itself. `parent` is the index of
 * the directory step in which this one was looked up (-1 for the root directory). */
struct qz_path_step {
    char *path;
    enum qz_step_kind kind;
    int parent;
    mode_t mode; /* permission bits with set-id and sticky, no type */
    uid_t uid;
    dev_t dev;
    ino_t ino;
    off_t size;
    int64_t ctime_ns;
};

/* What was found when a path was walked, symbolic links followed by hand. `error`: 0, or the errno that ended the
 * walk (the last step is then the last thing that was there). `handle`: the opened file, or -1. */
struct qz_path_facts {
    struct qz_path_step *steps;
    size_t count;
    int error;
    int handle;
};

/* ---- Volumes ---------------------------------------------------------------------------------------------------- */

/* One row of the mount table, with what the kernel tells of its devices. `dev` is mountinfo's device, which
 * identifies the superblock (st_dev does not, on btrfs). */
struct qz_mount {
    int id;
    dev_t dev;
    char *mount_point;
    char *root;   /* the directory of the filesystem that is mounted here */
    char *fstype;
    char *source; /* device path where there is one */
    char *uuid;   /* "" if unknown */
    char *label;  /* "" if none */
    bool read_only;       /* this mount */
    bool super_read_only; /* the superblock */
    bool hidden;          /* another mount covers the mount point: its path leads elsewhere */
    bool block_backed;    /* the superblock lives on block devices */
    dev_t *below;         /* superblocks that hold this one's storage (a loop device's file, through any stack) */
    size_t below_count;
    bool below_unknown;   /* and others, maybe: an overlay whose upper directory cannot be seen from here (a container's) */
    dev_t *disks; /* whole disks under it (libblkid), partitions and stacks followed down; a loop device is a disk */
    size_t disk_count;
};

struct qz_mount_table {
    struct qz_mount *mounts;
    size_t count;
};

enum qz_volume_op { QZ_VOLUME_SYNC, QZ_VOLUME_FREEZE, QZ_VOLUME_THAW };

/* What came of an operation on a volume. It may lie in memory that agent and guardian share: so the one knows what the
 * other did last, which was killed before it could say so. */
struct qz_volume_done {
    atomic_bool ended; /* written last */
    atomic_bool called_off; /* by the other one, who thaws now: a thaw that has not begun ends with ECANCELED */
    int error;
    int64_t begin_us;
    int64_t end_us;
};

/* ---- Children (scripts and the snapshot command) ---------------------------------------------------------------- */

#define QZ_TAIL_SIZE 4096

/* The last QZ_TAIL_SIZE bytes of a stream, as a ring; `total` counts every byte that was read. */
struct qz_tail {
    uint64_t total;
    char bytes[QZ_TAIL_SIZE];
};

/* Copies a tail out in order. `out` has room for QZ_TAIL_SIZE bytes; returns how many it got. */
size_t qz_tail_copy(const struct qz_tail *tail, char *out);

/* How to start a child. Everything is borrowed until start() returns, the tails until the run's end.
 * The child gets a session of its own, default signals, no other descriptors, standard input from /dev/null, its
 * output drained into the tails for as long as anybody holds the other end. */
struct qz_child_spec {
    int slot;                          /* who this is. One child at a time; what one before has left behind is let go */
    const char *path;                  /* what to execute, and $0 */
    const struct qz_path_facts *facts; /* a script's: it must still be this file, or ESTALE; NULL: search PATH */
    char *const *argv;                 /* argv[0] = path, NULL-terminated */
    char *const *envp;
    bool clean;                        /* a script: working directory /, umask 022; else the caller's */
    bool gated;                        /* it is executed only when child_release says so */
    struct qz_tail *out;               /* written to, by whatever holds the other end, until dismiss */
    struct qz_tail *err;
};

struct qz_child_end {
    bool signaled;
    int status; /* the exit status, or the signal that ended it */
    int error;  /* of one that was gated: the errno for which it could not be executed after all; else 0 */
};

/* What `quiesce end` tells the agent: the caller's snapshot was taken, or failed. */
#define QZ_SIGNAL_TAKEN SIGUSR1
#define QZ_SIGNAL_FAILED SIGUSR2

/* ---- Events ----------------------------------------------------------------------------------------------------- */

enum qz_event_kind {
    QZ_EVENT_TIMEOUT,   /* the deadline passed and nothing else had happened */
    QZ_EVENT_SIGNAL,    /* `value`: SIGTERM, SIGINT, SIGHUP or SIGQUIT asked us to end (a guardian: SIGTERM, to thaw); or it is
                           QZ_SIGNAL_TAKEN or QZ_SIGNAL_FAILED, which no guardian sees */
    QZ_EVENT_CHILD,     /* the child of `slot` ended as `end` says; its tree may live on */
    QZ_EVENT_VOLUME,    /* `op` on volume `slot` returned: `error`, begun and ended when */
    QZ_EVENT_MESSAGE,   /* `value`: a byte that the peer (agent or guardian; after detach() see there) sent */
    QZ_EVENT_PEER_LOST, /* the peer died, or released us; comes once, after everything that it had sent */
    QZ_EVENT_DISMISSED, /* in a guardian: the agent lets it go */
};

struct qz_event {
    enum qz_event_kind kind;
    int slot;
    int value;
    struct qz_child_end end;
    enum qz_volume_op op;
    int error;
    int64_t begin_us;
    int64_t end_us;
};

/* ---- Run state -------------------------------------------------------------------------------------------------- */

/* A process, told apart from a later one with the same number by when it was started. */
struct qz_process {
    pid_t pid;
    uint64_t start_time; /* /proc/PID/stat, field 22 */
};

enum qz_stream { QZ_STREAM_RESULT, QZ_STREAM_LOG };

/* A number that the kernel keeps for the whole machine. */
enum qz_setting {
    QZ_SETTING_RCU_EXPEDITED,    /* /sys/kernel/rcu_expedited: RCU grace periods are short, while it is not 0 */
    QZ_SETTING_WRITEBACK_PERIOD, /* /proc/sys/vm/dirty_writeback_centisecs: whatever is dirty is written out when it changes,
                                    but to 0 (mm/page-writeback.c, dirty_writeback_centisecs_handler) */
    QZ_SETTINGS
};

/* What the process that was started does after a detach(); returns the exit status. */
typedef int (*qz_rest)(struct qz_os *os, void *argument, const struct qz_process *background);

struct qz_os_ops {
    /* -- time -- */
    int64_t (*now_us)(struct qz_os *os);
    int64_t (*wall_us)(struct qz_os *os); /* since 1970, UTC */

    /* Waits for the next event, until the monotonic `deadline_us` (QZ_NEVER: without bound; a past one: looks once).
     * Drains children's output meanwhile. Allocates nothing. */
    void (*wait)(struct qz_os *os, int64_t deadline_us, struct qz_event *event);

    /* -- identity -- */
    bool (*is_root)(struct qz_os *os);
    int (*random_bytes)(struct qz_os *os, void *out, size_t size);
    void (*self)(struct qz_os *os, struct qz_process *out);
    bool (*process_alive)(struct qz_os *os, const struct qz_process *process);
    /* Has it ended with every thread, so that no system call of its can still take effect? One that was killed may be
     * dead and not gone. */
    bool (*process_gone)(struct qz_os *os, const struct qz_process *process);
    int (*process_signal)(struct qz_os *os, const struct qz_process *process, int signal_number); /* ESRCH: gone */
    const char *(*boot_id)(struct qz_os *os); /* of the running kernel; lives as long as the os */

    /* -- files -- */
    /* Walks `path` (absolute) and fills `facts` (free with qz_path_facts_free); opens the file for reading if it is
     * regular. Returns ENOMEM or 0; what was found, or not, is in the facts. */
    int (*inspect)(struct qz_os *os, const char *path, struct qz_path_facts *facts);
    /* Reads a whole opened file of at most `limit` bytes into `*text`, the caller's to free. Returns its size, or a
     * negative errno (-EFBIG: it is longer), with `*text` NULL. */
    ssize_t (*read_file)(struct qz_os *os, int handle, size_t limit, char **text);
    void (*close_file)(struct qz_os *os, int handle);
    /* Writes `size` bytes to a new file at `path` and gives it `mode`. With `replace` an old file is replaced as a
     * whole, never half written; without, EEXIST. */
    int (*write_file)(struct qz_os *os, const char *path, const char *text, size_t size, mode_t mode, bool replace);
    int (*make_directory)(struct qz_os *os, const char *path, mode_t mode); /* EEXIST is success */
    int (*remove)(struct qz_os *os, const char *path);                      /* a file or a directory tree of ours */

    /* -- run state: one directory, one lock, one journal -- */
    /* Takes the machine-wide lock, held until the last process that inherited it ends. EWOULDBLOCK: somebody has it. */
    int (*lock)(struct qz_os *os);
    int (*journal_write)(struct qz_os *os, const char *text, size_t size); /* all or nothing; 0 bytes: removes it */
    ssize_t (*journal_read)(struct qz_os *os, size_t limit, char **text); /* as read_file; 0, NULL: there is none */
    const char *(*state_directory)(struct qz_os *os);

    /* -- children -- */
    /* Starts a child. ESTALE: the file or a directory changed since `facts`; other errno: could not be started. One
     * that is gated begins beside us to do everything but to be executed, and then waits; it ends there if the agent
     * dies. */
    int (*child_start)(struct qz_os *os, const struct qz_child_spec *spec);
    /* Waits until the gated child of the slot, started since the last wait(), stands there. Returns 0, or the errno for
     * which, as far as can be told, it could not be executed: then there is none any more. */
    int (*child_await)(struct qz_os *os, int slot);
    /* Has the gated child of the slot executed now. Allocates nothing, and does not wait for it: what goes wrong from
     * here on is told by its end. Returns 0 or an errno, with which it still waits. ESRCH: it ended while it waited,
     * and that was told. */
    int (*child_release)(struct qz_os *os, int slot);
    /* Sends `signal_number` to every process of the slot's tree, also to those that moved away from their parents. */
    void (*tree_signal)(struct qz_os *os, int slot, int signal_number);
    /* Is any process of the slot's tree alive? Serves the guardian too, for children that the agent started. */
    bool (*tree_alive)(struct qz_os *os, int slot);

    /* -- volumes -- */
    int (*list_mounts)(struct qz_os *os, struct qz_mount_table *table); /* free with qz_mount_table_free */
    /* Opens mount `mount` as volume `slot`. ESTALE: its mount point leads to another mount. */
    int (*volume_open)(struct qz_os *os, int slot, const struct qz_mount *mount);
    /* As above, by any way there is to this superblock: another mount, or underneath what covers the mount point. */
    int (*volume_recover)(struct qz_os *os, int slot, const char *mount_point, dev_t dev);
    /* Makes ready, for volumes 0…count-1, everything that starting operations needs (threads, memory). A child that is
     * to be released while they are frozen is started before: it shares our memory, of which arming makes copies. */
    int (*volumes_arm)(struct qz_os *os, int count);
    /* Starts `op` on a volume; it ends in a QZ_EVENT_VOLUME. One at a time a volume. Allocates nothing. What came of it
     * is written to `done` (NULL: nowhere) as soon as it is known, by the thread that did it; it lives until then. A
     * thaw that is called off there by then is not done: ECANCELED. */
    void (*volume_start)(struct qz_os *os, int slot, enum qz_volume_op op, struct qz_volume_done *done);
    /* Is mount number `mount_id` of superblock `dev`, that was at `mount_point`, still mounted, there or elsewhere? */
    bool (*volume_mounted)(struct qz_os *os, const char *mount_point, int mount_id, dev_t dev);
    void (*volumes_close)(struct qz_os *os); /* gives up all volumes; those with an operation under way later */

    /* -- guardian -- */
    /* Memory that agent and guardian share, zeroed, `size` bytes; lives as long as the os. NULL: none to be had. */
    void *(*share)(struct qz_os *os, size_t size);
    /* Starts a guardian process that runs `main(its os, argument)` and ends. It sees the agent's memory as it is now
     * (later changes only in shared memory), the open volumes and the lock; it has a session of its own, so that a
     * terminal's Ctrl-C does not reach it, and arms volumes for itself. A guardian before it is dismissed once the new
     * one is there, and ends beside it: if the agent dies in between, both learn of it. If there comes no new one, it
     * stays. */
    int (*guard)(struct qz_os *os, void (*main)(struct qz_os *, void *), void *argument);
    /* Lets the guardian go (QZ_EVENT_DISMISSED there); its end is no event here. Waits a moment for it, and the one
     * before it, to end, but not for one that has a volume operation under way. One that does neither is stopped, and
     * would wake up to do what it was about to: it is killed, unless it is `needed`. With or without one, an attempt is
     * over: what children have left behind may go on writing, but no longer into their tails. */
    void (*dismiss)(struct qz_os *os, bool needed);
    void (*tell_peer)(struct qz_os *os, int byte); /* never blocks; a lost peer is told nothing */
    void (*guardian)(struct qz_os *os, struct qz_process *out); /* pid 0: none */
    /* Has every thread of the lost peer ended, so that no system call of its can still take effect? */
    bool (*peer_gone)(struct qz_os *os);

    /* -- in the background -- */
    /* Goes on in the background: on return the caller is a process of its own, with all that it had (memory, lock,
     * log), but in a session of its own and without standard output. The process that was started does `rest`
     * meanwhile, and ends with the status that this returns; it has no lock, and `background` for its peer. It sees our
     * memory as it is now (later changes only in shared memory). Called before there is a guardian, a child or a
     * volume. */
    int (*detach)(struct qz_os *os, qz_rest rest, void *argument);
    /* In the background: tells the process that was started `byte`, a message there, and lets go of it and of the log,
     * which leads nowhere from now on. Never blocks, allocates nothing. False: that process is gone, or was let go. */
    bool (*release)(struct qz_os *os, int byte);

    /* -- settings of the whole machine -- */
    /* What it is set to. Its place is opened the first time, and stays so, in a guardian that is forked later, too.
     * Allocates nothing. */
    int (*setting_get)(struct qz_os *os, enum qz_setting setting, int *value);
    /* Sets it, after setting_get has succeeded. Allocates nothing. */
    int (*setting_set)(struct qz_os *os, enum qz_setting setting, int value);
    /* Why RCU had better be left alone on this machine, static; NULL: nothing speaks against it. */
    const char *(*rcu_spared)(struct qz_os *os);

    /* -- what was written and is not on a disk yet. Both allocate nothing -- */
    int64_t (*dirty_bytes)(struct qz_os *os); /* of the whole machine, what is being written among it; -1: unknown */
    /* What has been written to the disks of volumes that are open, all together, in bytes since some time; 0 where
     * nobody knows. `writing`: is anything being written to one? */
    int64_t (*volumes_written)(struct qz_os *os, bool *writing);

    /* -- output -- */
    /* Writes whole lines. Returns 0, or the errno for which not all was written. The log is never waited for longer
     * than a moment: what it cannot take is dropped. */
    int (*print)(struct qz_os *os, enum qz_stream stream, const char *text, size_t size);
    bool (*is_terminal)(struct qz_os *os, enum qz_stream stream);
};

/* `hush`: while set, qz_say drops its lines; core sets it from the first freeze to the last thaw. */
struct qz_os {
    const struct qz_os_ops *ops;
    bool hush;
};

/* One line of log, printf-style, without the newline. */
void qz_say(struct qz_os *os, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* May what failed for this reason succeed a moment later, with nothing done about it? */
bool qz_errno_passes(int error);

void qz_path_facts_free(struct qz_os *os, struct qz_path_facts *facts);
/* Was the same file reached in the same way, unchanged in content, owner and mode? Directories may have new entries. */
bool qz_path_facts_same(const struct qz_path_facts *a, const struct qz_path_facts *b);
void qz_mount_table_free(struct qz_mount_table *table);

/* The Linux implementation. `state_directory` is borrowed ("/run/quiesce"). NULL: out of memory or descriptors,
 * errno says which. Free with qz_linux_close. */
struct qz_os *qz_linux_open(const char *state_directory);
void qz_linux_close(struct qz_os *os);

#endif
