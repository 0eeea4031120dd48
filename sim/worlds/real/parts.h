/* parts.h: what the files behind sandbox.h need of each other. */
#ifndef QUIESCE_SIM_PARTS_H
#define QUIESCE_SIM_PARTS_H

#include "inside.h"
#include "marks.h"
#include "sandbox.h"

#define SANDBOX_PROGRAMS SANDBOX_PRIVATE "/bin"   /* commands of the scenario: snapshot */
#define SANDBOX_REPORTS SANDBOX_PRIVATE "/reports" /* whoever a command is run as can write there */
/* These lie over what is the machine's: /sys/kernel/rcu_expedited, /proc/sys/vm/dirty_writeback_centisecs,
 * /proc/meminfo. */
#define SANDBOX_RCU SANDBOX_PRIVATE "/rcu"
#define SANDBOX_PERIOD SANDBOX_PRIVATE "/period"
#define SANDBOX_MEMINFO SANDBOX_PRIVATE "/meminfo"
#define SANDBOX_DISKS SANDBOX_PRIVATE "/disks"    /* images of volumes */
/* In the folder that lies over /usr: what links in /etc lead to, and the actor. */
#define SANDBOX_LAYER_ETC_IN_USR "/libexec/quiesce-sim/etc"
#define SANDBOX_LAYER_ETC "/usr" SANDBOX_LAYER_ETC_IN_USR
#define SANDBOX_LAYER_ACTOR "/usr/libexec/quiesce-sim/actor"
#define SANDBOX_LEDGER "/usr/local/bin/ledger"
#define SANDBOX_LEDGER_SOCKET "/run/ledger.socket" /* of the first ledger; of the k-th: /run/ledger-K.socket */

/* What does not work here: one line, kept from the first failure. */
struct problem {
    char *text;
    size_t size;
};

/* Sets the line; returns false. */
bool problem_set(struct problem *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* snprintf for paths; one that does not fit ends the program: a harness cannot go on with half a path. */
void path_format(char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define PATH_OF(name, ...)  \
    char name[PATH_MAX];    \
    path_format(name, __VA_ARGS__)

void *allocate(size_t count, size_t size); /* zeroed, or the program ends */

/* ---- root.c: the scenario's root, without volumes and files ------------------------------------------------------- */

/* Needs the mount namespace; makes and mounts sandbox->root. */
bool root_make(struct sandbox *sandbox, struct problem *problem);
/* What scenarios that run side by side must not share of /sys and /proc. Needs the namespace's /proc. */
bool root_cover(struct sandbox *sandbox, struct problem *problem);
/* The folder of the cache that lies over /usr: the binaries under test, and what /etc links to. */
bool layer_prepare(const struct world_settings *settings, char *layer, struct problem *problem);
/* Removes what is at `path`, in a work folder or a layer of the cache, and nothing that is mounted in it. A path that
 * leads elsewhere ends the program: whoever asks for that is mistaken, and we are root. */
void remove_tree(const char *path);

/* ---- process.c: namespaces, pid 1, starting and ending ------------------------------------------------------------- */

/* Where control groups of version 2 are mounted; NULL: nowhere. */
const char *cgroup_mount(void);
/* Removes a control group and, `depth` levels down, those in it: quiesce leaves its own behind when it is killed. */
int cgroup_remove(const char *path, int depth);
bool namespaces_enter(struct sandbox *sandbox, struct problem *problem);
bool init_start(struct sandbox *sandbox, struct problem *problem);
/* Forks a process into the sandbox's pid namespace and control group. 0 in it; its number; negative errno. In the child
 * only async-signal-safe calls may follow. */
pid_t sandbox_fork(struct sandbox *sandbox);
/* In such a child: the root is the scenario's, the working directory /, signals are as new, standard input is empty,
 * and `out` and `err` are the output; every other descriptor but `keep` (-1: none) is closed. Returns `keep`'s new
 * number. */
int process_become(const struct sandbox *sandbox, int out, int err, int keep);
void init_end(struct sandbox *sandbox, struct outcome *outcome);
void namespaces_leave(struct sandbox *sandbox);

/* ---- template.c, loop.c: disks ------------------------------------------------------------------------------------ */

/* Opens the template image of a new filesystem, made once for each type and size. Descriptor, or -1. */
int program_run(const char *const *argv, char *output, size_t size); /* its output, cut; exit status, 127: not there */
int template_open(const struct world_settings *settings, const char *type, int64_t size, struct problem *problem);
/* Gives the image a filesystem identity of its own where two of the same could not be mounted (btrfs). 0 or an
 * errno. */
int image_make_unique(int image, const char *type);

/* Attaches `image` to a free loop device that detaches itself once nobody uses it, `name` as its owner's mark (64 bytes
 * with NUL), its node in directory `nodes`. Returns a descriptor that keeps it; negative errno. */
int loop_attach(int image, const char *name, const char *nodes, int *number);
/* The mark of everything of this sandbox. */
void sandbox_mark(const struct sandbox *sandbox, char mark[MARK_SIZE]);
void sandbox_dotted_mark(const struct sandbox *sandbox, char mark[MARK_SIZE]); /* with dots for slashes */

/* ---- volumes.c, superblocks.c ----------------------------------------------------------------------------------------------------- */

bool volumes_make(struct sandbox *sandbox, struct problem *problem);
bool volumes_finish(struct sandbox *sandbox, struct problem *problem); /* after the scenario's files: covers, freezes */
bool volumes_thaw(struct sandbox *sandbox); /* false: a thaw hangs; nothing of the volumes may be freed any more */
void volumes_close(struct sandbox *sandbox, struct outcome *outcome); /* and unmounts the whole root */
/* Mounts the filesystem on `device` so that a second one with the same identity may be mounted as well. */
int volume_mount(const char *device, const char *path, const char *type, unsigned long flags);

/* The device as people know it, if that leads to the same one here; the sandbox's own node otherwise. */
void volume_device(const struct sandbox *sandbox, const char *loop, char device[PATH_MAX]);
/* Opens a file of the sandbox's tmpfs by another mount of it, which lies nowhere. A loop device holds the mount by
 * which its file was opened; if that were the one that the volume is mounted in, and somebody removed the work folder,
 * both would hold each other for ever. */
int volume_open_image(const struct sandbox *sandbox, const char *path, int flags);
/* Gives the volume a loop device; closes `image`. Returns a descriptor that keeps it, or -1. */
int volume_attach(struct sandbox *sandbox, struct sandbox_volume *volume, int image, struct problem *problem);
/* The device by which /proc/PID/mountinfo knows what is mounted at a path: on btrfs st_dev is another one. */
int volume_mountinfo_dev(const char *path, dev_t *dev);

/* ---- fake.c ---------------------------------------------------------------------------------------------------------- */

#define FAKE_DISK_THEN "/disk-then" /* what a recorded disk was at some moment */

/* Where a recorded disk lies in its fake filesystem (MARKED_DISK). */
const char *fake_disk(const struct sandbox_volume *volume);

bool fake_mount(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem);
/* A subvolume as far as a fake filesystem can have one: a directory of it, mounted. */
bool fake_add_subvolume(struct sandbox *sandbox, const struct sandbox_volume *volume, size_t index,
                        struct problem *problem);
/* Sets volume->image. */
bool fake_make_disk(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem);
/* From now on everything that is asked of the volume's disk (in the fake world: each change of the volume) fails. 0 or
 * an errno. */
int fake_lose_disk(struct sandbox_volume *volume);
/* Opens a copy of a recorded disk as it was at that moment (CLOCK_MONOTONIC); -1: none. `path`: where it is, from
 * outside. There is one at a time. */
int fake_open_then(struct sandbox_volume *volume, int64_t at_us, char path[PATH_MAX]);
/* What a slow disk costs begins only when the scenario does. */
bool fake_slow_down(struct sandbox_volume *volume, struct problem *problem);

/* ---- files.c: files, scripts, behaviours ---------------------------------------------------------------------------- */

bool files_make(struct sandbox *sandbox, struct problem *problem);
/* Opens `path` as it is seen inside. */
int inside_open(const struct sandbox *sandbox, const char *path, int flags);
/* Makes directory `path` and those above it, 0755. 0 or an errno. */
int inside_make_directories(const struct sandbox *sandbox, const char *path);
/* Opens the directory that `path` lies in, made if missing; `name` points into `path`. Negative errno. */
int inside_open_parent(const struct sandbox *sandbox, const char *path, const char **name);
/* The whole content of an open file. Owned by the caller; NULL: errno. */
char *read_whole(int file, size_t *size);

/* ---- snapshots.c ----------------------------------------------------------------------------------------------------- */

bool snapshot_prepare(const struct sandbox *sandbox, struct problem *problem); /* writes that list, if it is to be */

/* ---- look.c ---------------------------------------------------------------------------------------------------------- */

/* What an image of a volume's disk holds. Records: -1: there is no ledger, or it cannot be said. */
struct look {
    bool mounts;
    bool clean;      /* and its filesystem's checker finds nothing */
    int64_t missing; /* records that were acknowledged until then and are not in it */
    int64_t damaged; /* records that are torn */
};
/* Looks at the image, which lies at `path` and is changed by it: its log is replayed. `until_us`: what was acknowledged
 * until then (CLOCK_MONOTONIC) should be there. Returns whether it mounts. */
bool look_at_image(const struct sandbox *sandbox, const struct scenario_volume *given, int image, const char *path,
                   int64_t until_us, struct look *look);
/* Is there a ledger on the volume (NULL: on any)? */
bool sandbox_has_ledger(const struct scenario *scenario, const char *volume);

/* ---- workload.c, leftovers.c ---------------------------------------------------------------------------------------- */

/* The file, outside, in which the ledger on `volume` notes what it acknowledges. */
void ledger_acks(const struct sandbox *sandbox, const char *volume, char path[PATH_MAX]);
/* What writers on the volume will work on, made while there is room. 0 or an errno. */
int workload_make_files(const struct scenario *scenario, const struct sandbox_volume *volume);
void workload_free(struct sandbox *sandbox);
/* Names in outcome->left what still runs and was not left on purpose by a script that succeeded. */
void leftovers_name(const struct sandbox *sandbox, struct outcome *outcome);

/* ---- others --------------------------------------------------------------------------------------------------------- */

void outcome_left(struct outcome *outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
