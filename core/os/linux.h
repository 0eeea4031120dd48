/* linux.h: the parts of the Linux implementation of the seam. Private to core/os and its tests.
 *
 * One struct for a process; the guardian goes on with the copy that fork gave it. Everything that wait() touches lies
 * in it, so that waiting allocates nothing. */
#ifndef QUIESCE_LINUX_H
#define QUIESCE_LINUX_H

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "quiesce/os.h"

/* Slots of children: pre- and post-script of each of 64 plugins, and the snapshot command. */
#define QZ_LINUX_SLOTS (2 * 64 + 1)

/* ---- Trees ------------------------------------------------------------------------------------------------------ */

#define QZ_LINUX_KNOWN 16

/* A child and its descendants, in memory that agent and guardian share. */
struct qz_linux_tree {
    _Atomic pid_t root;           /* the child; also its session. 0: no tree */
    atomic_uint attempt;          /* names the tree's control group; 0: it has none, and /proc is searched for it */
    _Atomic uint64_t environment; /* what its processes' environment says about whom they belong to; 0: nothing */
    /* The root, then others that were found: they stay members, and what descends from them is, when whatever they
     * were known by is gone. */
    struct qz_process known[QZ_LINUX_KNOWN];
};

/* ---- Guardian --------------------------------------------------------------------------------------------------- */

/* What an agent and one of its guardians share beside their socket. A guardian that was let go with an operation
 * under way outlives its place, hence one of these for each. */
struct qz_linux_pairing {
    atomic_bool dismissed;
    atomic_int operations; /* volume operations that the guardian has under way */
};

#define QZ_LINUX_PAIRINGS 64

struct qz_linux_shared {
    struct qz_linux_tree trees[QZ_LINUX_SLOTS];
    atomic_uint attempts; /* trees started so far */
    struct qz_linux_pairing pairings[QZ_LINUX_PAIRINGS];
};

enum qz_linux_role { QZ_LINUX_AGENT, QZ_LINUX_GUARDIAN };

/* The other one of agent and guardian. */
struct qz_linux_peer {
    struct qz_process process; /* pid 0: there was none yet */
    int socket;                /* -1: there is none, or it was lost */
    int pidfd;                 /* -1: as above, or the kernel has none */
    bool lost;
    bool reaped; /* the agent has taken the guardian's exit status */
    struct qz_linux_pairing *pairing;
};

/* ---- Children --------------------------------------------------------------------------------------------------- */

/* Our end of a child's output. */
struct qz_linux_pipe {
    int fd; /* -1: nobody holds the other end any more */
    struct qz_tail *tail; /* NULL: what is read is discarded */
};

struct qz_linux_child {
    pid_t pid;  /* 0: none is running, or its end was delivered */
    bool ended; /* … `end` says how, and is to be delivered */
    struct qz_child_end end;
    struct qz_linux_pipe pipes[2];
    int line; /* to one that is, or was, gated; -1: none */
};

/* What it takes to start one: `ends[0]` of each pipe is ours. */
struct qz_linux_kit {
    int out[2];
    int err[2];
    int line[2];      /* a socket: the child says by it what went wrong, or that it waits, and is told to go on */
    unsigned attempt; /* of the control group; 0: there is none */
    int cgroup;       /* a descriptor of it, or -1 */
};

/* ---- Volumes ---------------------------------------------------------------------------------------------------- */

struct qz_linux_workers; /* linux_hold.c */

/* ---- All of it -------------------------------------------------------------------------------------------------- */

enum qz_linux_source {
    QZ_LINUX_SIGNAL,   /* SIGTERM…, and SIGCHLD */
    QZ_LINUX_WAKE,     /* a worker thread has finished an operation */
    QZ_LINUX_PEER,     /* messages, and the end of them */
    QZ_LINUX_PEER_END, /* its process has ended */
    QZ_LINUX_PIPES,    /* two for each slot */
};

#define QZ_LINUX_SOURCES (QZ_LINUX_PIPES + 2 * QZ_LINUX_SLOTS)

struct qz_linux {
    struct qz_os base;
    enum qz_linux_role role;
    const char *state_directory;
    char boot_id[40];
    struct qz_process self;
    char oom_score[16]; /* as it was when we were started, for children; "": unknown */
    struct rlimit descriptors; /* likewise; all zero: unknown */
    struct qz_linux_shared *shared;
    struct qz_linux_region *regions; /* all memory from share() */

    bool no_result; /* nobody gave us a standard output */
    int signals;
    int wake;
    struct pollfd polls[QZ_LINUX_SOURCES];

    struct qz_linux_child children[QZ_LINUX_SLOTS];
    int slots_used; /* one more than the highest slot used so far */
    struct qz_linux_kit spare; /* for the next child */
    bool has_spare;

    bool no_cgroups;                /* tests set it, to see the machine without them */
    char cgroup_parent[PATH_MAX];   /* the control group we are in; "": no cgroup v2 */
    char cgroup_base[PATH_MAX];     /* where ours are made */
    bool cgroups_made;

    int *volumes; /* directory descriptors by slot; -1: not open */
    int volume_capacity;
    struct qz_linux_workers *workers; /* NULL: not armed */

    dev_t *disks; /* of all volumes that are open, each once */
    size_t disk_count;

    int settings[QZ_SETTINGS]; /* descriptors; -1: not opened (yet) */

    struct qz_linux_peer peer;
    struct qz_linux_peer former; /* a guardian that was let go for another; pid 0: none whose end was not seen */
    unsigned pairings_used;
    int starter; /* in the background: a socket to the process that was started; -1: it was let go, or we are it */
    int nowhere; /* /dev/null, for the log once that is let go */
    int lock;
};

static inline struct qz_linux *qz_linux(struct qz_os *os)
{
    return (struct qz_linux *)os;
}

/* ---- linux.c: time, identity, wait ---- */

struct qz_linux_stat {
    char state;
    pid_t parent;
    pid_t session;
    int threads;
    uint64_t start_time;
};

/* /proc/PID/stat of a process. Returns false if there is none. Allocates nothing. */
bool qz_linux_stat(pid_t pid, struct qz_linux_stat *out);

int64_t qz_linux_now_us(struct qz_os *os);

/* Reads a small file into `buffer`, terminated and without its last newline. Returns its size; -1 and errno: it could
 * not be read, and is empty then. */
ssize_t qz_linux_read_text(const char *path, char *buffer, size_t capacity);
/* Reads `size` bytes from `at` on, or what there is up to the file's end, however few come at a time. Returns how
 * many. */
size_t qz_linux_read_at(int fd, void *buffer, size_t size, off_t at);
/* Writes to a file of /proc or /sys that exists. Returns 0 or an errno. */
int qz_linux_write_text(const char *path, const char *text);

/* Gives the calling process back as many descriptors as it may have had when we were started. */
void qz_linux_restore_descriptors(const struct qz_linux *lx);

/* Closes *fd if it is open, and makes it -1. */
void qz_linux_close_fd(int *fd);

/* Makes the descriptor from which this process reads its signals: those of an agent, or those of a guardian. Returns
 * -1 with errno set, as signalfd(2). */
int qz_linux_signals(enum qz_linux_role role);

/* ---- linux_children.c ---- */

int qz_linux_child_start(struct qz_os *os, const struct qz_child_spec *spec);
int qz_linux_child_await(struct qz_os *os, int slot);
int qz_linux_child_release(struct qz_os *os, int slot);

/* Takes the exit status of every child of the process that has ended: kept for slots, noted for the guardian, dropped
 * for orphans that came to us. */
void qz_linux_reap(struct qz_linux *lx);

/* Fills `event` with an end that has not been delivered yet; false: none. What the child had written is in its
 * tails. */
bool qz_linux_take_child(struct qz_linux *lx, struct qz_event *event);

/* Reads what a pipe holds. Bounded, so that nobody who writes without end keeps us. */
void qz_linux_drain(struct qz_linux_pipe *pipe);
/* What children and those they left behind write is discarded from now on. */
void qz_linux_children_discard(struct qz_linux *lx);

/* Makes ready what starting one child takes, at a time when there is something else to wait for. Returns 0 or an
 * errno. */
int qz_linux_child_prepare(struct qz_linux *lx);
/* Gives that up again, if no child was started. */
void qz_linux_child_unprepare(struct qz_linux *lx);

/* In a new guardian: the agent's children are not ours to wait for, nor to start. */
void qz_linux_children_forget(struct qz_linux *lx);

/* ---- linux_command.c ---- */

/* Finds what execvp(3) would execute as `name`, with the PATH of `envp`, and brings it in: the file, what interprets
 * it, and its libraries, so that executing it need not wait for a disk. `found` has room for PATH_MAX bytes. Returns 0
 * or the errno for which it cannot be executed. */
int qz_linux_command_find(const char *name, char *const *envp, char *found);

/* ---- linux_program.c ---- */

/* The dynamic linker that an opened program asks for, into `path` of PATH_MAX bytes; "": none, or it is no program that
 * is made for this machine. */
void qz_linux_program_linker(int fd, char *path);

/* Brings the file into memory, up to a limit, and returns when it is there. */
void qz_linux_file_bring_in(int fd);
/* Brings in the shared libraries that an opened program will be linked with, as far as they are easily found. */
void qz_linux_libraries_bring_in(int fd);

/* ---- linux_trees.c ---- */

/* Finds out where control groups can be made, if anywhere; makes none yet. */
void qz_linux_trees_open(struct qz_linux *lx);

/* Makes a control group for a tree to come, and a number for it. Returns a descriptor of it, or -1: it has none, and
 * `*attempt` is 0. */
int qz_linux_tree_prepare(struct qz_linux *lx, unsigned *attempt);
/* There was no such tree. */
void qz_linux_tree_unprepare(struct qz_linux *lx, unsigned attempt);

/* Begins a new tree for `slot`, in the control group that was made for it. */
void qz_linux_tree_begin(struct qz_linux *lx, int slot, unsigned attempt, char *const *envp);
/* In the child: it is the root, from now on and should its parent be killed before that knows of it. */
void qz_linux_tree_root(struct qz_linux *lx, int slot);
/* Moves the calling child into its tree's control group. */
void qz_linux_tree_enter(struct qz_linux *lx, int slot, int cgroup);
/* There is no such tree any more, or nothing was started after all. */
void qz_linux_tree_drop(struct qz_linux *lx, int slot);

void qz_linux_tree_signal(struct qz_os *os, int slot, int signal_number);
bool qz_linux_tree_alive(struct qz_os *os, int slot);

/* Removes the control groups that nothing lives in: ours, and those of runs that were killed. */
void qz_linux_trees_tidy(struct qz_linux *lx);

/* Removes every control group of ours; what lives in them lives on in the one that we are in. */
void qz_linux_trees_close(struct qz_linux *lx);

/* ---- linux_hold.c ---- */

int qz_linux_volume_open(struct qz_os *os, int slot, const struct qz_mount *mount);
bool qz_linux_volume_mounted(struct qz_os *os, const char *mount_point, int mount_id, dev_t dev);
int qz_linux_volume_recover(struct qz_os *os, int slot, const char *mount_point, dev_t dev);
int qz_linux_volumes_arm(struct qz_os *os, int count);
void qz_linux_volume_start(struct qz_os *os, int slot, enum qz_volume_op op, struct qz_volume_done *done);
void qz_linux_volumes_close(struct qz_os *os);

/* Fills `event` with an operation that has ended and was not delivered yet; false: none. */
bool qz_linux_take_volume(struct qz_linux *lx, struct qz_event *event);

/* In a new guardian: the agent's threads did not come along. */
void qz_linux_workers_forget(struct qz_linux *lx);

/* ---- linux_guardian.c ---- */

/* Memory shared with every process that is forked later; given back by qz_linux_unshare. */
void *qz_linux_share(struct qz_os *os, size_t size);
void qz_linux_unshare(struct qz_linux *lx);
int qz_linux_guard(struct qz_os *os, void (*main)(struct qz_os *, void *), void *argument);
void qz_linux_dismiss(struct qz_os *os, bool needed);
void qz_linux_tell_peer(struct qz_os *os, int byte);
void qz_linux_guardian(struct qz_os *os, struct qz_process *out);
bool qz_linux_peer_gone(struct qz_os *os);

/* Fills `event` with what the peer sent, or that it is lost, or that it let us go; false: nothing of that.
 * `ended`: its process is known to have ended. */
bool qz_linux_take_peer(struct qz_linux *lx, bool ended, struct qz_event *event);

/* ---- linux_detach.c ---- */

int qz_linux_detach(struct qz_os *os, qz_rest rest, void *argument);
bool qz_linux_release(struct qz_os *os, int byte);

/* ---- linux_state.c ---- */

int qz_linux_write_file(struct qz_os *os, const char *path, const char *text, size_t size, mode_t mode, bool replace);
int qz_linux_make_directory(struct qz_os *os, const char *path, mode_t mode);
int qz_linux_remove(struct qz_os *os, const char *path);
int qz_linux_lock(struct qz_os *os);
int qz_linux_journal_write(struct qz_os *os, const char *text, size_t size);
ssize_t qz_linux_journal_read(struct qz_os *os, size_t limit, char **text);
const char *qz_linux_state_directory(struct qz_os *os);
const char *qz_linux_boot_id(struct qz_os *os);

/* ---- linux_writeback.c ---- */

/* Adds the disks of a mount to those that are looked at. Returns 0 or ENOMEM. */
int qz_linux_keep_disks(struct qz_linux *lx, const struct qz_mount *mount);
int64_t qz_linux_dirty_bytes(struct qz_os *os);
int64_t qz_linux_volumes_written(struct qz_os *os, bool *writing);

/* ---- linux_settings.c ---- */

int qz_linux_setting_get(struct qz_os *os, enum qz_setting setting, int *value);
int qz_linux_setting_set(struct qz_os *os, enum qz_setting setting, int value);
const char *qz_linux_rcu_spared(struct qz_os *os);

/* ---- linux_output.c ---- */

int qz_linux_print(struct qz_os *os, enum qz_stream stream, const char *text, size_t size);
bool qz_linux_is_terminal(struct qz_os *os, enum qz_stream stream);

#endif
