/* sandbox.h: a root of its own for one scenario: namespaces, files, volumes; and the way back. */
#ifndef QUIESCE_SIM_SANDBOX_H
#define QUIESCE_SIM_SANDBOX_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fakefs.h"
#include "gate.h"
#include "scenario.h"
#include "world.h"

#define SANDBOX_BINARY "/usr/sbin/quiesce"  /* where scenarios' processes find the production binary */

/* One volume, mounted. `directory`: held open for as long as the sandbox lives, for thawing. */
struct sandbox_volume {
    const struct scenario_volume *given;
    char path[PATH_MAX];  /* outside view of its mount point */
    char image[PATH_MAX]; /* of its disk, outside view; "" where there is none */
    char loop[32];        /* "loopN"; "" */
    int directory;        /* -1: not mounted yet */
    dev_t dev;            /* of the superblock (mountinfo's) */
    struct fakefs fakefs; /* serves the volume, or its recorded disk; server 0: neither */
    bool fake;            /* the former */
    int log[2];           /* a file on it, as a log: to be read, to be written; -1: none is wanted */
    bool frozen_by_other;
};

/* Zero, but for what the caller gives: the first four. Everything else is sandbox_open's. */
struct sandbox {
    const struct scenario *scenario;
    const struct world_settings *settings;
    bool fake;       /* volumes are fake filesystems instead of loop devices */
    bool no_cgroups; /* the scenario's machine has no control groups */

    char root[PATH_MAX];            /* outside view of the scenario's root */
    struct sandbox_volume *volumes; /* in the order of the scenario */
    size_t volume_count;
    pid_t init;     /* pid 1 of the pid namespace, as the player sees it; 0: not started */
    int init_pidfd;
    int own_pids;   /* the player's own pid namespace */
    int root_directory;
    int cgroup;     /* the control group of the scenario's processes; -1: none */
    char cgroup_path[PATH_MAX];
    int64_t workload_us; /* when the workloads began (CLOCK_MONOTONIC) */
    int lock;       /* on the sandbox's /run/quiesce, as the other quiesce; -1 */
    pid_t *started; /* by sandbox_start and the workloads */
    size_t started_count;
    struct workload *workload; /* of workload.c */
};

/* Makes everything that the scenario gives, in a mount namespace of the calling process, which becomes the player and
 * must have one thread only (pid 1 of the scenario dies with that thread). False: `why` says what does not work here.
 * Call sandbox_close in either case. */
bool sandbox_open(struct sandbox *sandbox, char *why, size_t why_size);

/* Starts `argv` (argv[0] = path inside) in the sandbox, as root or nobody, its output into the descriptors, behind a
 * gate with that filter (gate.h). The listener comes back in `listener`; the process, a child of the player
 * to be waited for, in the return value as the player sees its number, or a negative errno. It may be waiting at the
 * gate already, with its execve. One thread at a time. */
pid_t sandbox_start(struct sandbox *sandbox, char *const *argv, bool root, int out, int err,
                    const struct gate_filter *filter, int *listener);

/* The number that process `inside` of the scenario has outside; 0: there is no such process. */
pid_t sandbox_pid(const struct sandbox *sandbox, pid_t inside);

/* The volume whose superblock the open descriptor lies on, or NULL: the scenario did not make it. */
struct sandbox_volume *sandbox_volume_of(struct sandbox *sandbox, int descriptor);
struct sandbox_volume *sandbox_volume_at(struct sandbox *sandbox, const char *mount); /* as the scenario names it */

/* Writes that have reached the volume's disk so far (sysfs for a loop device); -1: can't be told. */
int64_t sandbox_disk_writes(const struct sandbox_volume *volume);
bool sandbox_is_frozen(struct sandbox_volume *volume); /* asks the kernel, without changing anything that lasts */
int sandbox_freeze(struct sandbox_volume *volume);     /* as somebody else; errno */
int sandbox_thaw(struct sandbox_volume *volume);

/* Actions: 0 or an errno. */
int sandbox_mount_over(struct sandbox *sandbox, const char *mount);
int sandbox_unmount(struct sandbox *sandbox, const char *mount);
int sandbox_replace_file(struct sandbox *sandbox, const char *path);
int sandbox_chmod(struct sandbox *sandbox, const char *path, mode_t mode);

/* The file `path` of the sandbox, read from outside; the caller frees; NULL: errno. */
char *sandbox_read(struct sandbox *sandbox, const char *path, size_t *size);

/* A wait of a writer that was over at `end_us` (CLOCK_MONOTONIC). */
struct sandbox_stall {
    const char *volume; /* mount point */
    int64_t end_us;
    int64_t duration_us;
};

/* Starts and ends the scenario's workloads. Stop returns the longest stall of a writer in microseconds; a ledger's
 * writers also wait while it is quiesced. */
bool sandbox_workload_start(struct sandbox *sandbox, char *why, size_t why_size);
int64_t sandbox_workload_stop(struct sandbox *sandbox);
/* The next wait of a millisecond or more that nobody asked for yet; false: there is none. Ledgers tell none. */
bool sandbox_next_stall(struct sandbox *sandbox, struct sandbox_stall *stall);

/* Looks at what the command `snapshot` copied: fills outcome->snapshots. */
void sandbox_judge_snapshots(struct sandbox *sandbox, struct outcome *outcome);

/* Is the volume's disk one of which old states will be looked at? */
bool sandbox_looks_back(const struct sandbox *sandbox, const struct scenario_volume *given);
/* Looks at what crashes would have left of recorded disks: fills outcome->crashes. `start_us`: the trace's zero. */
void sandbox_judge_crashes(struct sandbox *sandbox, int64_t start_us, struct outcome *outcome);

/* Thaws, ends every process, unmounts, detaches, removes; bounded in time. Adds to outcome->left what should have been
 * gone by itself (processes other than allowed, mounts, frozen volumes). */
void sandbox_close(struct sandbox *sandbox, struct outcome *outcome);

#endif
