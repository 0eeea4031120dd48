/* report.h: the result of a run, and how it is shown. */
#ifndef QUIESCE_REPORT_H
#define QUIESCE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quiesce/error.h"
#include "quiesce/os.h"

enum qz_consistency { QZ_NONE, QZ_CRASH, QZ_FILESYSTEM, QZ_APPLICATION };

/* Exit statuses; those of sysexits.h where it has one. */
enum qz_exit {
    QZ_EXIT_APPLICATION = 0,
    QZ_EXIT_FILESYSTEM = 10,
    QZ_EXIT_CRASH = 11,
    QZ_EXIT_NONE = 20,
    QZ_EXIT_USAGE = 64,
    QZ_EXIT_SOFTWARE = 70,
};

enum qz_attempt_outcome { QZ_ATTEMPT_EXITED, QZ_ATTEMPT_SIGNALED, QZ_ATTEMPT_TIMEOUT, QZ_ATTEMPT_NOT_STARTED };

/* `status`: the exit status, the signal, or the errno of a start that failed; unused after a timeout. */
struct qz_attempt {
    enum qz_attempt_outcome outcome;
    int status;
    int64_t duration_us;
    struct qz_tail *out; /* owned; NULL if it was not started */
    struct qz_tail *err;
};

/* One script of one plugin. `attempts` has room for every attempt it may take. `plugin`, `path`: borrowed. */
struct qz_script_result {
    const char *plugin;
    enum qz_phase role; /* QZ_PHASE_PRE or QZ_PHASE_POST */
    const char *path;
    struct qz_attempt *attempts;
    size_t attempt_count;
    bool failed;
    bool left_alive; /* a process of a failed attempt could not be ended: nothing may be frozen */
    struct qz_error error;
};

enum qz_decision { QZ_DECISION_SKIP, QZ_DECISION_FREEZE };

enum qz_volume_outcome {
    QZ_VOLUME_UNTOUCHED, /* not (or no longer) asked to freeze */
    QZ_VOLUME_THAWED,    /* frozen and thawed by us: as it should be */
    QZ_VOLUME_FAILED,    /* FIFREEZE failed, or came too late; nothing of ours is frozen */
    QZ_VOLUME_LOST,      /* it was not frozen any more when we came to thaw it, or was thawed by the hold limit */
    QZ_VOLUME_STUCK,     /* FIFREEZE has not returned; the guardian thaws the moment it does */
    QZ_VOLUME_THAW_FAILED,
};

/* One filesystem (superblock), with what was decided and what happened to it. Strings are owned. */
struct qz_volume {
    char *mount;
    char *device;
    char *fstype;
    char *uuid;
    char *label;
    dev_t dev;
    int mount_id;
    enum qz_decision decision;
    char reason[QZ_DETAIL_SIZE]; /* why it is skipped, or what it is frozen with; may be empty */
    int order;                   /* freeze order: 0 first; equal: side by side; thawed the other way round. -1: skipped */
    bool named;                  /* asked for with --volume */
    enum qz_volume_outcome outcome;
    int64_t presync_us; /* durations; -1: did not happen. All rounds of flushing */
    int presync_rounds;
    int64_t freeze_us;
    int64_t frozen_us;
    int64_t thaw_us;
    struct qz_error *error; /* code QZ_E_SUCCESS: none. Apart: memory for hundreds of them is not touched if all is well */
};

enum qz_snapshot_outcome {
    QZ_SNAPSHOT_NOT_TAKEN,
    QZ_SNAPSHOT_TAKEN, /* the command succeeded, or the hold ran its full time */
    QZ_SNAPSHOT_FAILED,
    QZ_SNAPSHOT_TIMEOUT,
};

struct qz_snapshot_result {
    enum qz_snapshot_outcome outcome;
    struct qz_attempt attempt; /* the command's; `out` NULL for --hold */
    bool left_alive;           /* a process of a command that failed could not be ended */
    struct qz_error error;
};

struct qz_phase_time {
    const char *name; /* static: "check", "pre", "freeze", "snapshot", "thaw", "post" */
    int64_t start_us; /* since the run's start */
    int64_t duration_us;
};

#define QZ_PHASES_MAX 8
#define QZ_RUN_ID_SIZE 40

/* A file that the run depends on, as it was judged before anything ran (the error, if any, is in the result's list
 * too). `plugin` (NULL: the plugin host file) and `path` are borrowed. */
struct qz_file_verdict {
    const char *what; /* static: "plugin host file", "config", "pre-script", "post-script" */
    const char *plugin;
    const char *path;
    enum qz_code code;
    const char *note; /* static: what is done instead ("absent: the built-in plugin is used"), or NULL */
};

/* What a run, a check or a freeze came to. */
struct qz_result {
    const char *command; /* "run", "check", "freeze", "begin", "end" */
    char run_id[QZ_RUN_ID_SIZE];
    int attempt;  /* of --attempts, from 1 */
    int attempts;
    enum qz_consistency consistency;
    enum qz_consistency if_taken; /* what it is if the caller of `quiesce end` says, too late, that there is a snapshot */
    bool stored;                  /* … for that caller (kept.h) */
    struct qz_error_list errors;     /* sorted; the first one's code is the result's */
    struct qz_warning_list warnings;
    struct qz_file_verdict *files; /* in the order of the checks; owned */
    size_t file_count;
    struct qz_script_result *scripts;
    size_t script_count;
    bool freeze_enabled;
    int64_t window_us; /* first FIFREEZE to last FITHAW; 0: nothing was frozen */
    int64_t cut_us;    /* since the run's start: the moment from which everything was frozen; 0: it never was */
    bool expedited;    /* the freeze; for check: it would be */
    struct qz_volume *volumes;
    size_t volume_count;
    char *const *snapshot_argv; /* borrowed; NULL: --hold, or no snapshot in this command */
    struct qz_snapshot_result snapshot;
    struct qz_phase_time phases[QZ_PHASES_MAX];
    size_t phase_count;
    void *kept; /* what the borrowed strings lie in, given up by `release`; NULL: nothing */
    void (*release)(void *kept);
};

void qz_result_free(struct qz_result *result);

/* The code that decided: the first error's, or QZ_E_SUCCESS. */
enum qz_code qz_result_code(const struct qz_result *result);

const char *qz_consistency_name(enum qz_consistency consistency);

/* The whole result as one JSON object and a newline, or as text for people (`colour`: with ANSI colours).
 * The caller frees. NULL: out of memory. */
char *qz_report_json(const struct qz_result *result);
char *qz_report_human(const struct qz_result *result, bool colour);

#endif
