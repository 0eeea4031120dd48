/* keys_machine.c: what a scenario's machine is made of, and what befalls it: volumes, attempts, workloads, faults,
 * actions. */
#include <signal.h>
#include <string.h>

#include "keys.h"
#include "read.h"

#define MS_MAX INT64_C(86400000) /* a day */
#define MIB INT64_C(1048576)

/* ---- Attempts of scripts, and the snapshot command --------------------------------------------------------------- */

static const struct key ATTEMPT[] = {
    {.name = "run_ms", .kind = KEY_MS_FOREVER, KEY_AT(struct scenario_attempt, run_us), .max = MS_MAX,
     .description = "How long it runs before it ends.", .fallback = "0", .example = "50"},
    {.name = "exit", .kind = KEY_INTEGER, KEY_AT(struct scenario_attempt, exit), .max = 255, .without = "signal",
     .description = "Its exit status.", .fallback = "0", .example = "3"},
    {.name = "signal", .kind = KEY_SIGNAL, KEY_AT(struct scenario_attempt, signal),
     .description = "It dies by this signal instead of exiting.", .example = "\"SEGV\""},
    {.name = "stdout", .kind = KEY_TEXT, KEY_AT(struct scenario_attempt, out),
     .description = "What it prints first.", .example = "\"quiesced\\n\""},
    {.name = "stdout_bytes", .kind = KEY_BYTES, KEY_AT(struct scenario_attempt, out_size), .min = 1, .max = 1 << 30,
     .with = "stdout", .description = "`stdout` is printed again and again until so many bytes are; without this "
                                      "key, once.",
     .example = "200000"},
    {.name = "stderr", .kind = KEY_TEXT, KEY_AT(struct scenario_attempt, err),
     .description = "What it prints first on standard error.", .example = "\"no such database\\n\""},
    {.name = "stderr_bytes", .kind = KEY_BYTES, KEY_AT(struct scenario_attempt, err_size), .min = 1, .max = 1 << 30,
     .with = "stderr", .description = "As stdout_bytes.", .example = "200000"},
    {.name = "ignores_term", .kind = KEY_FLAG, KEY_AT(struct scenario_attempt, ignores_term),
     .description = "SIGTERM does not end it.", .fallback = "false"},
    {.name = "leaves", .kind = KEY_INTEGER, KEY_AT(struct scenario_attempt, leaves), .max = 100,
     .description = "So many processes are left behind, double-forked, each in a session of its own.", .fallback = "0",
     .example = "1"},
    {.name = "leaves_run_ms", .kind = KEY_MS_FOREVER, KEY_AT(struct scenario_attempt, leaves_run_us), .max = MS_MAX,
     .with = "leaves", .description = "How long they run.", .fallback = "\"forever\"", .example = "5000"},
    {.name = "leaves_ignore_term", .kind = KEY_FLAG, KEY_AT(struct scenario_attempt, leaves_ignore_term),
     .with = "leaves", .description = "SIGTERM does not end them.", .fallback = "false"},
    {.name = "leaves_hold_output", .kind = KEY_FLAG, KEY_AT(struct scenario_attempt, leaves_hold_output),
     .with = "leaves", .description = "They keep the output pipes open.", .fallback = "false"},
    {.name = "reads", .kind = KEY_VOLUME, KEY_AT(struct scenario_attempt, reads),
     .description = "It lists this volume and reads a file of it, from its disk, before it goes on.",
     .example = "\"/data\""},
    {.name = "writes", .kind = KEY_VOLUME, KEY_AT(struct scenario_attempt, writes),
     .description = "It first writes and syncs a file on this volume: it stands still if that is frozen.",
     .example = "\"/data\""},
    {.name = NULL},
};

static bool check_attempt(struct reader *reader, const cJSON *item, void *object)
{
    static const int HARMLESS[] = {SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
    struct scenario_attempt *attempt = object;
    for (size_t i = 0; i < sizeof HARMLESS / sizeof *HARMLESS; i++) {
        if (attempt->signal == HARMLESS[i])
            return scenario_refuse(reader, scenario_member(reader, item, "signal"), "signal",
                                   "%s, of which no process dies", sigabbrev_np(attempt->signal));
    }
    if (attempt->out && attempt->out_size == 0)
        attempt->out_size = strlen(attempt->out);
    if (attempt->err && attempt->err_size == 0)
        attempt->err_size = strlen(attempt->err);
    return true;
}

const struct key_object scenario_attempt_keys = {
    .name = "attempt", .keys = ATTEMPT, .size = sizeof(struct scenario_attempt), .place = NO_PLACE,
    .initial = &(const struct scenario_attempt){.leaves_run_us = SCENARIO_FOREVER}, .check = check_attempt};

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

#define VIRTUAL SCENARIO_VIRTUAL
#define LOOP (SCENARIO_VIRTUAL | SCENARIO_LOOP)
#define ALL SCENARIO_WORLDS
#define FSTYPES(row) \
    row("ext4", ALL, 16, 2) row("xfs", ALL, 300, 300) row("btrfs", ALL, 128, 110) row("ext3", LOOP, 16, 2)             \
    row("ext2", LOOP, 16, 2) row("vfat", VIRTUAL, 16, 2) row("tmpfs", LOOP, 16, 1) row("f2fs", VIRTUAL, 64, 64)        \
    row("exfat", VIRTUAL, 16, 1) row("ntfs3", VIRTUAL, 16, 1) row("iso9660", VIRTUAL, 16, 1) \
    row("squashfs", VIRTUAL, 16, 1) row("zfs", VIRTUAL, 64, 64) row("overlay", VIRTUAL, 0, 0) \
    row("nfs4", VIRTUAL, 0, 0) row("cifs", VIRTUAL, 0, 0) row("fuse.sshfs", VIRTUAL, 0, 0) row("newfs", VIRTUAL, 16, 1)

#define FSTYPE_ROW(name, worlds, usual, least) {name, worlds, usual, least},
static const struct key_fstype FSTYPES_KNOWN[] = {FSTYPES(FSTYPE_ROW){NULL, 0, 0, 0}};
#define FSTYPE_WORD(name, worlds, usual, least) {name, 0},
static const struct key_word FSTYPE_WORDS[] = {FSTYPES(FSTYPE_WORD){NULL, 0}};

const struct key_fstype *scenario_fstype(const char *name)
{
    for (const struct key_fstype *type = FSTYPES_KNOWN; type->name; type++) {
        if (strcmp(type->name, name) == 0)
            return type;
    }
    return NULL;
}

static const struct key_word FILLS[] = {
    {"empty", SCENARIO_EMPTY}, {"nearly_full", SCENARIO_NEARLY_FULL}, {"full", SCENARIO_FULL}, {NULL, 0}};

static const struct key VOLUME[] = {
    {.name = "mount", .kind = KEY_PATH, .required = true, KEY_AT(struct scenario_volume, mount),
     .description = "Where it is mounted; its name in the rest of the scenario.", .example = "\"/data\""},
    {.name = "type", .kind = KEY_CHOICE, KEY_AT(struct scenario_volume, type), .words = FSTYPE_WORDS,
     .description = "Its filesystem. The loop world has ext4, xfs, btrfs, ext3, ext2 and tmpfs, the fake world "
                    "plays ext4, xfs and btrfs, the virtual world all; newfs is one that nobody knows.",
     .fallback = "\"ext4\"", .example = "\"btrfs\""},
    {.name = "size_mib", .kind = KEY_MIB, KEY_AT(struct scenario_volume, size), .min = 1, .max = 16384,
     .description = "Its size in MiB. Without this key: ext4 16, xfs 300, btrfs 128.", .example = "64"},
    {.name = "on", .kind = KEY_PATH, KEY_AT(struct scenario_volume, on),
     .description = "The mount point of another volume, listed before, on which its disk image lies.",
     .example = "\"/outer\""},
    {.name = "disk", .kind = KEY_INTEGER, KEY_AT(struct scenario_volume, disk), .min = 1, .max = 64,
     .description = "Which whole disk it lies on. Without this key each volume has a disk of its own.", .example = "1"},
    {.name = "read_only", .kind = KEY_FLAG, KEY_AT(struct scenario_volume, read_only),
     .description = "It is mounted read-only.", .fallback = "false"},
    {.name = "fill", .kind = KEY_WORD, KEY_AT(struct scenario_volume, fill), .words = FILLS,
     .description = "How full it is.", .fallback = "\"empty\"", .example = "\"full\""},
    {.name = "recorded", .kind = KEY_FLAG, KEY_AT(struct scenario_volume, recorded),
     .description = "Its disk is a file of the fake filesystem, which records every write (loop world).",
     .fallback = "false"},
    {.name = "disk_write_ms", .kind = KEY_MS, KEY_AT(struct scenario_volume, disk_write_us), .max = MS_MAX,
     .with = "recorded", .description = "What each write to its disk takes.", .fallback = "0", .example = "20"},
    {.name = "binds", .kind = KEY_PATH, KEY_LIST_AT(struct scenario_volume, binds, bind_count),
     .description = "More mount points of the same filesystem.", .example = "[\"/data2\"]"},
    {.name = "subvolumes", .kind = KEY_PATH, KEY_LIST_AT(struct scenario_volume, subvolumes, subvolume_count),
     .with = "type", .description = "Mount points of subvolumes (btrfs).", .example = "[\"/data/photos\"]"},
    {.name = "frozen_by_other", .kind = KEY_FLAG, KEY_AT(struct scenario_volume, frozen_by_other),
     .description = "Somebody else has frozen it before anything begins, and it must be frozen at the end.",
     .fallback = "false"},
    {.name = "covered", .kind = KEY_FLAG, KEY_AT(struct scenario_volume, covered),
     .description = "A tmpfs is mounted on top of it before anything begins.", .fallback = "false"},
    {.name = NULL},
};

static bool check_volume(struct reader *reader, const cJSON *item, void *object)
{
    static const char *const SYSTEM[] = {"/dev", "/proc", "/quiesce-sim", "/sys", "/usr"};
    struct scenario_volume *volume = object;
    const struct key_fstype *type = scenario_fstype(volume->type);
    for (size_t i = 0; i < sizeof SYSTEM / sizeof SYSTEM[0]; i++) {
        size_t length = strlen(SYSTEM[i]);
        if (strncmp(volume->mount, SYSTEM[i], length) == 0 &&
            (volume->mount[length] == '\0' || volume->mount[length] == '/'))
            return scenario_refuse(reader, scenario_member(reader, item, "mount"), "mount",
                                   "%s; allowed is what is not in /dev, /proc, /quiesce-sim, /sys or /usr",
                                   volume->mount);
    }
    if (volume->size == 0)
        volume->size = type->usual_mib * MIB;
    else if (volume->size < type->least_mib * MIB)
        return scenario_refuse(reader, scenario_member(reader, item, "size_mib"), "size_mib",
                               "%lld; a filesystem of type %s has at least %d", (long long)(volume->size / MIB),
                               volume->type, type->least_mib);
    if (volume->subvolume_count > 0 && strcmp(volume->type, "btrfs") != 0)
        return scenario_refuse(reader, scenario_member(reader, item, "subvolumes"), "subvolumes",
                               "on a filesystem of type %s; only btrfs has them", volume->type);
    if ((volume->on || volume->recorded) && (strcmp(volume->type, "tmpfs") == 0 || type->usual_mib == 0))
        return scenario_refuse(reader, item, volume->on ? "on" : "recorded", "a filesystem of type %s has no disk",
                               volume->type);
    return true;
}

const struct key_object scenario_volume_keys = {
    .name = "volume", .keys = VOLUME, .size = sizeof(struct scenario_volume), .place = NO_PLACE,
    .initial = &(const struct scenario_volume){.type = "ext4"}, .check = check_volume};

/* ---- Workloads --------------------------------------------------------------------------------------------------- */

static const struct key_word WORKLOADS[] = {
    {"append", SCENARIO_APPEND}, {"fsync", SCENARIO_FSYNC}, {"mmap", SCENARIO_MMAP}, {"direct", SCENARIO_DIRECT},
    {"directories", SCENARIO_DIRECTORIES}, {"ledger", SCENARIO_LEDGER}, {"truncate", SCENARIO_TRUNCATE},
    {"freezers", SCENARIO_FREEZERS}, {"remount", SCENARIO_REMOUNT}, {"mounts", SCENARIO_MOUNTS},
    {"quota", SCENARIO_QUOTA}, {NULL, 0}};

static const struct key WORKLOAD[] = {
    {.name = "kind", .kind = KEY_WORD, .required = true, KEY_AT(struct scenario_workload, kind), .words = WORKLOADS,
     .description = "append: 4 KiB writes in a loop; fsync: each of them synced; mmap: stores to a shared mapping; "
                    "direct: O_DIRECT; directories: create, rename, link, unlink, mkdir; ledger: the database of "
                    "fixtures/apps; truncate: a file is made longer and shorter; freezers: somebody else freezes and "
                    "thaws it, thawing what he froze himself only; remount: read-only and writable; mounts: it is "
                    "bind-mounted and unmounted; quota: one is set (btrfs).",
     .example = "\"append\""},
    {.name = "volume", .kind = KEY_VOLUME, .required = true, KEY_AT(struct scenario_workload, volume),
     .description = "Where it writes.", .example = "\"/data\""},
    {.name = "writers", .kind = KEY_INTEGER, KEY_AT(struct scenario_workload, writers), .min = 1, .max = 64,
     .description = "How many do so side by side.", .fallback = "1", .example = "4"},
    {.name = "flush_ms", .kind = KEY_MS, KEY_AT(struct scenario_workload, flush_us), .max = 60000,
     .description = "Of a ledger: how often it flushes what it has acknowledged; 0: it acknowledges only what is "
                    "durable.", .fallback = "500", .example = "0"},
    {.name = NULL},
};

const struct key_object scenario_workload_keys = {
    .name = "workload", .keys = WORKLOAD, .size = sizeof(struct scenario_workload), .place = NO_PLACE,
    .initial = &(const struct scenario_workload){.writers = 1, .flush_us = 500000}};

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

static const struct key_word OPERATIONS[] = {
    {"sync", SCENARIO_SYNC}, {"freeze", SCENARIO_FREEZE}, {"thaw", SCENARIO_THAW}, {NULL, 0}};

static const struct key_word HANGS[] = {
    {"before", SCENARIO_HANGS_BEFORE}, {"inside", SCENARIO_HANGS_INSIDE}, {"passed", SCENARIO_HANGS_PASSED}, {NULL, 0}};

static const struct key FAULT[] = {
    {.name = "op", .kind = KEY_WORD, .required = true, KEY_AT(struct scenario_fault, op), .words = OPERATIONS,
     .description = "The operation of quiesce's that goes wrong.", .example = "\"freeze\""},
    {.name = "volume", .kind = KEY_VOLUME, KEY_AT(struct scenario_fault, volume),
     .description = "On which volume. Without this key: on any.", .example = "\"/data\""},
    {.name = "nth", .kind = KEY_INTEGER, KEY_AT(struct scenario_fault, nth), .min = 1, .max = 10000,
     .description = "Only the nth of them, from 1. Without this key: every one.", .example = "1"},
    {.name = "error", .kind = KEY_ERRNO, KEY_AT(struct scenario_fault, error),
     .description = "It fails with this error, and is not done.", .example = "\"EIO\""},
    {.name = "delay_ms", .kind = KEY_MS_FOREVER, KEY_AT(struct scenario_fault, delay_us), .max = MS_MAX,
     .description = "It takes that long before it is done or fails; \"forever\": until an action releases it.",
     .fallback = "0", .example = "100"},
    {.name = "hangs", .kind = KEY_WORD, KEY_AT(struct scenario_fault, hang), .words = HANGS, .with = "delay_ms",
     .description = "Where a freeze hangs that is delayed. before: before it has begun; inside: a thaw waits until it "
                    "has returned; passed: a thaw finds nothing frozen (EINVAL). The latter two in the virtual world "
                    "only.",
     .fallback = "\"before\"", .example = "\"inside\""},
    {.name = NULL},
};

static bool check_fault(struct reader *reader, const cJSON *item, void *object)
{
    const struct scenario_fault *fault = object;
    if (fault->hang != SCENARIO_HANGS_BEFORE && fault->op != SCENARIO_FREEZE)
        return scenario_refuse(reader, scenario_member(reader, item, "hangs"), "hangs", "only a freeze hangs like that");
    return true;
}

const struct key_object scenario_fault_keys = {
    .name = "fault", .keys = FAULT, .size = sizeof(struct scenario_fault), .place = NO_PLACE, .check = check_fault,
    .rule = KEY_AT_LEAST_ONE, .choice = (const char *const[]){"error", "delay_ms", NULL}};

/* ---- System calls ------------------------------------------------------------------------------------------------- */

static const struct key_word CALLERS[] = {{"agent", SCENARIO_BY_AGENT}, {"guardian", SCENARIO_BY_GUARDIAN},
                                          {"child", SCENARIO_BY_CHILD}, {NULL, 0}};

static const struct key_word CALL_TARGETS[] = {
    {"agent", SCENARIO_AGENT}, {"guardian", SCENARIO_GUARDIAN}, {"both", SCENARIO_BOTH}, {NULL, 0}};

static const struct key CALL_KEYS[] = {
    {.name = "by", .kind = KEY_WORD, .required = true, KEY_AT(struct scenario_call, by), .words = CALLERS,
     .description = "Who makes it: the agent, a guardian, or what quiesce has forked until that executes a script or "
                    "shows itself as the guardian.",
     .example = "\"agent\""},
    {.name = "call", .kind = KEY_CALL_NAME, .required = true, KEY_AT(struct scenario_call, call),
     .description = "The system call.", .example = "\"openat\""},
    {.name = "about", .kind = KEY_TEXT, KEY_AT(struct scenario_call, about),
     .description = "A pattern for what it is about: a path, the path of an open file (\"pipe\", \"socket\", "
                    "\"eventfd\"), \"FITHAW /data\", \"F_SETFL pipe\", \"thread\" … Without this key: whatever.",
     .example = "\"/run/quiesce/*\""},
    {.name = "nth", .kind = KEY_INTEGER, KEY_AT(struct scenario_call, nth), .min = 1, .max = 100000,
     .description = "Only the nth of those that match, from 1, over all steps. Without this key: every one.",
     .example = "3"},
    {.name = "error", .kind = KEY_ERRNO, KEY_AT(struct scenario_call, error),
     .description = "It fails with this error, and is not done.", .example = "\"EIO\""},
    {.name = "delay_ms", .kind = KEY_MS, KEY_AT(struct scenario_call, delay_us), .max = MS_MAX,
     .description = "It takes that long before it is done or fails.", .fallback = "0", .example = "100"},
    {.name = "transfers", .kind = KEY_INTEGER, KEY_AT(struct scenario_call, transfers), .min = 1, .max = 65536,
     .description = "A read or write goes no further than these bytes.", .example = "1"},
    {.name = "send", .kind = KEY_SIGNAL, KEY_AT(struct scenario_call, signal),
     .description = "A signal is sent right before the call is made.", .example = "\"KILL\""},
    {.name = "to", .kind = KEY_WORD, KEY_AT(struct scenario_call, target), .words = CALL_TARGETS, .with = "send",
     .description = "To whom; both: agent and guardian at once.", .fallback = "\"agent\"",
     .example = "\"guardian\""},
    {.name = "after", .kind = KEY_FLAG, KEY_AT(struct scenario_call, after), .with = "send",
     .description = "The signal is sent once the call has been made, or hangs.", .fallback = "false"},
    {.name = "resume_ms", .kind = KEY_MS, KEY_AT(struct scenario_call, resume_us), .max = MS_MAX, .with = "send",
     .description = "SIGCONT follows so much later.", .fallback = "0", .example = "2000"},
    {.name = NULL},
};

const struct key_object scenario_call_keys = {
    .name = "call", .keys = CALL_KEYS, .size = sizeof(struct scenario_call), .place = NO_PLACE,
    .initial = &(const struct scenario_call){.target = SCENARIO_AGENT},
    .rule = KEY_AT_LEAST_ONE, .choice = (const char *const[]){"error", "delay_ms", "transfers", "send", NULL}};

/* ---- Actions ----------------------------------------------------------------------------------------------------- */

static const struct key_word TARGETS[] = {{"agent", SCENARIO_AGENT}, {"guardian", SCENARIO_GUARDIAN},
                                          {"both", SCENARIO_BOTH}, {"snapshot", SCENARIO_SNAPSHOT}, {NULL, 0}};

static const struct key ACTION[] = {
    {.name = "when", .kind = KEY_PATTERN, KEY_AT(struct scenario_action, when),
     .description = "It is done once, right after a line of the trace that matches this pattern. What \"begins\" has "
                    "not taken effect yet, and waits until the action is done. Without this key and at_ms: at the "
                    "start.",
     .example = "\"freeze /data ok\""},
    {.name = "nth", .kind = KEY_INTEGER, KEY_AT(struct scenario_action, nth), .min = 1, .max = 10000, .with = "when",
     .description = "The nth such line, from 1, counted over all steps.", .fallback = "1", .example = "2"},
    {.name = "after_ms", .kind = KEY_MS, KEY_AT(struct scenario_action, after_us), .max = MS_MAX, .with = "when",
     .description = "So long after that line.", .fallback = "0", .example = "100"},
    {.name = "at_ms", .kind = KEY_MS, KEY_AT(struct scenario_action, after_us), .max = MS_MAX, .without = "when",
     .description = "It is done so long after the first step's start.", .fallback = "0", .example = "100"},
    {.name = "send", .kind = KEY_SIGNAL, KEY_AT(struct scenario_action, signal), .with = "to",
     .description = "A signal is sent.", .example = "\"KILL\""},
    {.name = "to", .kind = KEY_WORD, KEY_AT(struct scenario_action, target), .words = TARGETS, .with = "send",
     .description = "To whom; both: agent and guardian at once.", .example = "\"agent\""},
    {.name = "freeze", .kind = KEY_VOLUME, KEY_AT(struct scenario_action, volume),
     .description = "Somebody else freezes this volume.", .example = "\"/data\""},
    {.name = "thaw", .kind = KEY_VOLUME, KEY_AT(struct scenario_action, volume),
     .description = "Somebody else thaws this volume.", .example = "\"/data\""},
    {.name = "mount_over", .kind = KEY_VOLUME, KEY_AT(struct scenario_action, volume),
     .description = "A tmpfs is mounted on top of this volume.", .example = "\"/data\""},
    {.name = "unmount", .kind = KEY_VOLUME, KEY_AT(struct scenario_action, volume),
     .description = "This volume is unmounted, lazily if it is busy.", .example = "\"/data\""},
    {.name = "release", .kind = KEY_VOLUME, KEY_AT(struct scenario_action, volume),
     .description = "The operation of quiesce's on this volume that a fault holds up goes on.", .example = "\"/data\""},
    {.name = "replace", .kind = KEY_PATH, KEY_AT(struct scenario_action, path),
     .description = "This file is replaced by another one with the same name, owner, mode and text.",
     .example = "\"/opt/app/pre.sh\""},
    {.name = "chmod", .kind = KEY_PATH, KEY_AT(struct scenario_action, path), .with = "mode",
     .description = "This file or directory gets another mode.", .example = "\"/opt/app/pre.sh\""},
    {.name = "mode", .kind = KEY_MODE, KEY_AT(struct scenario_action, mode), .with = "chmod",
     .description = "The mode, in octal.", .example = "\"0777\""},
    {.name = "quiesce", .kind = KEY_TEXT, KEY_LIST_AT(struct scenario_action, words, word_count),
     .description = "Another quiesce is started with these words, and what waits at the line waits for its end. "
                    "\"other quiesce says …\" tells each line of its standard output.", .example = "[\"thaw\"]"},
    {.name = "lose_disk", .kind = KEY_VOLUME, KEY_AT(struct scenario_action, volume),
     .description = "From now on everything that is asked of this volume's disk fails (EIO). The loop world can take "
                    "a recorded disk away.", .example = "\"/data\""},
    {.name = NULL},
};

static const struct key_word ACTION_KINDS[] = {
    {"send", SCENARIO_SEND}, {"freeze", SCENARIO_OTHER_FREEZE}, {"thaw", SCENARIO_OTHER_THAW},
    {"mount_over", SCENARIO_MOUNT_OVER}, {"unmount", SCENARIO_UNMOUNT}, {"release", SCENARIO_RELEASE},
    {"replace", SCENARIO_REPLACE}, {"chmod", SCENARIO_CHMOD}, {"quiesce", SCENARIO_OTHER_QUIESCE},
    {"lose_disk", SCENARIO_LOSE_DISK}, {NULL, 0}};

static bool check_action(struct reader *reader, const cJSON *item, void *object)
{
    struct scenario_action *action = object;
    for (const struct key_word *kind = ACTION_KINDS; kind->word; kind++) {
        if (scenario_member(reader, item, kind->word)) {
            action->kind = (enum scenario_action_kind)kind->value;
            return true;
        }
    }
    return true;
}

const struct key_object scenario_action_keys = {
    .name = "action", .keys = ACTION, .size = sizeof(struct scenario_action),
    .place = offsetof(struct scenario_action, place), .initial = &(const struct scenario_action){.nth = 1},
    .rule = KEY_ONE, .check = check_action,
    .choice = (const char *const[]){"send", "freeze", "thaw", "mount_over", "unmount", "release", "replace", "chmod",
                                    "quiesce", "lose_disk", NULL}};
