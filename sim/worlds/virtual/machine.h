/* machine.h: what the rooms of the virtual world know of each other. Not for tests: they use virtual.h.
 *
 *   setup.c     worlds made and freed, and what a test may ask       schedule.c  time, turns, timers
 *   process.c   agent and guardians: life, death, and their talk     fault.c     what strikes an operation
 *   files.c     the tree of files      state.c  lock, journal, identity, output
 *   child.c     scripts and commands   mounts.c  the mount table and volume slots
 *   volume.c    superblocks and what freezes them                    trace.c  what happened, in order
 *   memory.c    arenas and the blocks of the killed                  fiber.c  coroutines */
#ifndef QUIESCE_SIM_MACHINE_H
#define QUIESCE_SIM_MACHINE_H

#include "fiber.h"
#include "memory.h"
#include "virtual.h"

/* ---- The world's things ------------------------------------------------------------------------------------------ */

/* Something that happens at a time; equal times: in the order in which they were set. */
struct timer {
    int64_t at_us; /* of the world's clock */
    uint64_t order;
    void (*fire)(struct virtual_world *world, void *object, uint64_t order);
    void *object;
};

struct node {
    struct node *parent;
    struct node *children;
    struct node *sibling;
    const char *name;
    enum qz_step_kind kind;
    uid_t uid;
    mode_t mode;
    dev_t dev;
    ino_t ino;
    int64_t ctime_ns;
    const char *content; /* a symbolic link's: where it leads */
    size_t size;
};

struct operation;

/* What befalls the nth operation of a kind on a superblock. */
struct volume_fault {
    struct volume_fault *next;
    enum qz_volume_op op;
    unsigned nth;
    int error;
    int64_t delay_us;
    enum { HANG_BEFORE, HANG_INSIDE, HANG_PASSED } hang;
};

struct superblock {
    struct superblock *next;
    dev_t dev;
    struct virtual_volume behaviour;
    struct volume_fault *faults;
    unsigned calls[QZ_VOLUME_THAW + 1]; /* so far, of each operation */
    struct operation *held;             /* by a fault, until they are released */
    int freezes_failed;
    int thaws_failed;
    bool frozen;
    enum virtual_role frozen_by;
    int64_t frozen_at_us;
    int64_t longest_us;
    struct operation *holder; /* of s_umount: freezes and thaws of one superblock go one after another */
    struct operation *waiting;
    struct operation **waiting_end;
    const dev_t *below;
    size_t below_count;
};

struct mount {
    struct mount *next;
    struct qz_mount row;
    struct superblock *superblock;
};

struct script {
    struct script *next;
    const char *path;
    const struct virtual_attempt *attempts;
    size_t count;
    size_t started;
};

/* One process of a tree; the first of a tree is the child itself. */
struct member {
    struct tree *tree;
    bool alive;
    bool ignores_term;
    uint64_t timer;    /* the one that counts */
    int64_t ends_us;   /* when that one fires */
    int ending_signal; /* what ends it then; 0: its own will */
};

struct tree {
    struct virtual_start start;
    struct process *owner;
    const struct virtual_attempt *attempt;
    struct member *members;
    size_t member_count;
    size_t alive;
    int refusal; /* of one that is gated: the errno for which it cannot be executed */
    bool gated; /* not released, and not in the world's list */
    struct superblock *blocked_on;
    struct tree *undrained; /* the next one that has written what nobody has read yet */
    struct qz_tail *out;
    struct qz_tail *err;
};

enum process_state {
    PROCESS_READY,     /* goes on as soon as it is its turn */
    PROCESS_WAITING,   /* for an event or the deadline */
    PROCESS_DELAYED,   /* until the deadline, whatever comes */
    PROCESS_BLOCKED,   /* until `blocked_on` is thawed */
    PROCESS_DISMISSING, /* until its last guardian has ended, or the deadline */
    PROCESS_OVER,
};

struct slot {
    struct superblock *superblock;
    bool busy;
    bool flushed; /* by this process, once at least */
    struct qz_volume_done *unwritten; /* where its thread, which is stopped, will write … */
    struct qz_volume_done done;       /* … this */
};

struct process {
    struct qz_os os; /* the first member: what core calls with */
    struct virtual_world *world;
    struct process *next; /* in order of start */
    enum virtual_role role;
    int ordinal;
    struct qz_process id;
    void (*main)(struct qz_os *, void *);
    void *argument;
    struct fiber *fiber;
    enum process_state state;
    bool stopped;
    bool killed;
    int64_t deadline_us;
    struct superblock *blocked_on;
    struct process *guardian;  /* an agent's, until dismissed */
    struct process *former;    /* one that an agent let go for another */
    struct process *dismissed; /* whose end an agent waits for */
    struct process *agent;     /* a guardian's */
    bool let_go;               /* a guardian that was dismissed */
    bool background;           /* an agent that has detached, and its guardians */
    struct process *starter;   /* … and what it was started by, until that is let go */
    qz_rest rest;              /* what it was started by does this, for `background_of` */
    struct process *background_of;
    struct qz_event *events;  /* a ring */
    size_t event_first, event_count, event_capacity;
    unsigned calls[VIRTUAL_OP_ANY + 1]; /* the last: all together */
    struct memory_asked memory;
    struct slot *slots;
    size_t slot_count;
    size_t armed;
    unsigned generation; /* of its volumes: one more each time it has closed them */
    size_t operations; /* on volumes, under way */
    bool holds_lock;
    bool opened[QZ_SETTINGS];
    const struct node **open_files;
    size_t open_file_count;
};

struct fault;

struct virtual_world {
    struct arena arena;
    int64_t now_us; /* since the world's start */
    uint64_t random;

    struct timer *timers; /* a heap */
    size_t timer_count, timer_capacity;
    uint64_t timer_order;
    size_t settling; /* timers of operations on volumes: a run is not over before they have fired */

    struct process *processes;
    struct process **processes_end;
    struct process *current; /* NULL: between runs */
    struct process *agent;   /* the last of each */
    struct process *guardian;
    int agents, guardians;
    pid_t next_pid;
    unsigned long steps, step_limit;
    void (*observe)(void *observer);
    void *observer;
    bool hangs;
    bool leaves_background; /* a run does not wait for it */
    int64_t alone_until_us; /* … but goes on till then */

    struct fault *faults;
    int aim; /* of the faults that are set */
    enum virtual_role starved_role;
    int starved_ordinal;
    unsigned starved_nth;
    struct node *root;
    ino_t next_ino;
    struct script *scripts;
    struct tree **trees; /* that were executed, in order */
    size_t tree_count, tree_capacity;
    struct tree *undrained;
    struct tree **tree_of_slot;
    size_t tree_slots;
    struct mount *mounts; /* newest first */
    int next_mount_id;
    struct superblock *superblocks;
    struct operation *parked; /* wait for a superblock below them to be thawed */

    bool is_root;
    const char *boot_id;
    int boots;
    struct qz_process *others;
    size_t other_count;
    int64_t locked_until_us;
    int settings[QZ_SETTINGS];
    bool lacks[QZ_SETTINGS];
    const char *rcu_spared;
    int64_t dirty_bytes; /* before they are written out … */
    int64_t dirty_rate;  /* … so many a second … */
    int64_t woken_us;    /* … since then; QZ_NEVER: they are not */
    int64_t written_bytes; /* before that … */
    int64_t busy_rate;     /* … and so many a second by others, all the time */
    const char *journal;
    size_t journal_size;
    bool terminal[2];
    const char *stream_on[2];
    char *output[2];
    size_t output_size[2], output_capacity[2];
    size_t files_left_open;
    const char *violation;

    struct virtual_entry *trace;
    size_t trace_count, trace_capacity;
};

/* ---- schedule.c: time and turns ------------------------------------------------------------------------------------ */

/* Sets a timer and returns its order, by which a stale one is told. `at_us` QZ_NEVER: none is set. */
uint64_t timer_set(struct virtual_world *world, int64_t at_us,
                   void (*fire)(struct virtual_world *, void *, uint64_t), void *object);
/* What is due fires; then the clock goes on to the next thing due, until some process can go on. Returns it, or NULL:
 * nobody can any more. */
struct process *schedule_next(struct virtual_world *world);
/* Lets others go on until `process`, the running one, can. Does not return if it was killed meanwhile. */
void schedule_yield(struct process *process);
/* The running process will never go on. */
_Noreturn void schedule_leave(struct process *process);
/* From outside of all processes: lets them go on until none can. */
void schedule_run(struct virtual_world *world);
/* From outside, nobody's turn: fires what is due until then. */
void schedule_pass(struct virtual_world *world, int64_t until_us);
int64_t time_add(int64_t a_us, int64_t b_us); /* QZ_NEVER stays QZ_NEVER */

/* ---- process.c ----------------------------------------------------------------------------------------------------- */

extern const struct qz_os_ops virtual_ops;

static inline struct process *process_of(struct qz_os *os)
{
    return (struct process *)(void *)os;
}

struct process *process_new(struct virtual_world *world, enum virtual_role role,
                            void (*main)(struct qz_os *, void *), void *argument);
bool process_can_go_on(const struct process *process);
/* The moment by which it can go on even if nothing happens. */
int64_t process_deadline_us(const struct process *process);
void process_post(struct process *process, const struct qz_event *event);
void process_kill(struct process *process); /* the running one must yield then, and does not come back */
void process_stop(struct process *process, int64_t for_us);
void process_continue(struct process *process);
void process_signal(struct process *process, int signal_number); /* one that its os reports as an event */
struct process *process_of_role(struct virtual_world *world, enum virtual_role role); /* the last; or NULL */
/* A rule of os.h was broken: remembered, traced; the operation then does what seems least harmful. */
void violate(struct process *process, const char *rule);

/* ---- fault.c ------------------------------------------------------------------------------------------------------- */

/* Every operation begins with `enter` and ends with `leave`; faults strike there. `enter` returns the errno with which
 * the operation is to fail, or 0. Neither returns if the process is killed. */
int enter(struct process *process, enum virtual_op op);
void leave(struct process *process, enum virtual_op op);

/* ---- trace.c ------------------------------------------------------------------------------------------------------- */

/* Appends an entry and returns it, to be filled in; it is valid until the next one. `process` NULL: the world. */
struct virtual_entry *entry_add(struct virtual_world *world, const struct process *process, enum virtual_op what);
/* An operation's entry, its text (copied; or NULL) and its end. `result` as in struct virtual_entry. */
void entry_operation(struct process *process, enum virtual_op op, const char *text, int slot, int64_t value,
                     int64_t result);

/* ---- files.c ------------------------------------------------------------------------------------------------------- */

struct node *files_new_root(struct virtual_world *world);
/* Puts another file of the same looks in place of the regular file that `path` leads to. */
void files_swap(struct virtual_world *world, const char *path);
/* Does `path` lead to a regular file that may be executed? */
bool files_executable(struct virtual_world *world, const char *path);
/* Is what `path` leads to still what the facts tell? */
bool files_unchanged(struct virtual_world *world, const char *path, const struct qz_path_facts *facts);
/* As qz_os.read_file, of what a file holds. */
ssize_t files_copy(const char *content, size_t size, size_t limit, char **text);
/* The directory at `path`, made if missing, is on that device now. */
void files_mount(struct virtual_world *world, const char *path, dev_t dev);

int os_inspect(struct qz_os *os, const char *path, struct qz_path_facts *facts);
ssize_t os_read_file(struct qz_os *os, int handle, size_t limit, char **text);
void os_close_file(struct qz_os *os, int handle);
int os_write_file(struct qz_os *os, const char *path, const char *text, size_t size, mode_t mode, bool replace);
int os_make_directory(struct qz_os *os, const char *path, mode_t mode);
int os_remove(struct qz_os *os, const char *path);

/* ---- state.c ------------------------------------------------------------------------------------------------------- */

int64_t os_wall_us(struct qz_os *os);
bool os_is_root(struct qz_os *os);
int os_random_bytes(struct qz_os *os, void *out, size_t size);
void os_self(struct qz_os *os, struct qz_process *out);
bool os_process_alive(struct qz_os *os, const struct qz_process *process);
bool os_process_gone(struct qz_os *os, const struct qz_process *process);
int os_process_signal(struct qz_os *os, const struct qz_process *process, int signal_number);
const char *os_boot_id(struct qz_os *os);
int os_lock(struct qz_os *os);
int os_journal_write(struct qz_os *os, const char *text, size_t size);
ssize_t os_journal_read(struct qz_os *os, size_t limit, char **text);
const char *os_state_directory(struct qz_os *os);
int os_setting_get(struct qz_os *os, enum qz_setting setting, int *value);
int os_setting_set(struct qz_os *os, enum qz_setting setting, int value);
const char *os_rcu_spared(struct qz_os *os);
int64_t os_dirty_bytes(struct qz_os *os);
int64_t os_volumes_written(struct qz_os *os, bool *writing);
int os_print(struct qz_os *os, enum qz_stream stream, const char *text, size_t size);
bool os_is_terminal(struct qz_os *os, enum qz_stream stream);

/* ---- child.c ------------------------------------------------------------------------------------------------------- */

void child_drain(struct process *process); /* all output that its children have written */
void child_thawed(struct virtual_world *world, const struct superblock *superblock);

void child_owner_over(const struct process *process); /* what waits at its gates ends */

int os_child_start(struct qz_os *os, const struct qz_child_spec *spec);
int os_child_await(struct qz_os *os, int slot);
int os_child_release(struct qz_os *os, int slot);
void os_tree_signal(struct qz_os *os, int slot, int signal_number);
bool os_tree_alive(struct qz_os *os, int slot);

/* ---- mounts.c ------------------------------------------------------------------------------------------------------ */

struct superblock *superblock_get(struct virtual_world *world, dev_t dev); /* made if there is none */
struct superblock *superblock_find(const struct virtual_world *world, dev_t dev);
/* The superblock that `path` lies on; NULL: none that is in the mount table. */
struct superblock *mounts_under(const struct virtual_world *world, const char *path);
/* Stands still while the superblock under `path` is frozen. */
void mounts_write_to(struct process *process, const char *path);

int os_list_mounts(struct qz_os *os, struct qz_mount_table *table);
int os_volume_open(struct qz_os *os, int slot, const struct qz_mount *mount);
int os_volume_recover(struct qz_os *os, int slot, const char *mount_point, dev_t dev);
int os_volumes_arm(struct qz_os *os, int count);
bool os_volume_mounted(struct qz_os *os, const char *mount_point, int mount_id, dev_t dev);
void os_volumes_close(struct qz_os *os);

/* ---- volume.c ------------------------------------------------------------------------------------------------------ */

void superblock_reset(struct superblock *superblock); /* not frozen, nothing under way */
void volumes_continue(struct process *process); /* its threads, which were stopped, write down what they have done */
void os_volume_start(struct qz_os *os, int slot, enum qz_volume_op op, struct qz_volume_done *done);

#endif
