/* session.h: the whole way of a backup: check, pre-scripts, freeze, snapshot, thaw, post-scripts, verdict. */
#ifndef QUIESCE_SESSION_H
#define QUIESCE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quiesce/os.h"
#include "quiesce/report.h"

#define QZ_FREEZE_TIMEOUT_US_DEFAULT (60 * QZ_US_PER_S)
#define QZ_HOLD_LIMIT_US_DEFAULT (60 * QZ_US_PER_S)
#define QZ_HOLD_LIMIT_MARGIN_US (10 * QZ_US_PER_S)
#define QZ_ATTEMPT_DELAY_US_DEFAULT (5 * QZ_US_PER_S)

/* Are RCU grace periods to be short while filesystems are being frozen (expedite.h)? */
enum qz_expedite {
    QZ_EXPEDITE_AUTO, /* where nothing speaks against it */
    QZ_EXPEDITE_ALWAYS,
    QZ_EXPEDITE_NEVER,
};

/* What was asked for. Everything is borrowed for the session's life. */
struct qz_options {
    const char *config_path;      /* --config; NULL: the default */
    const char *plugin_host_path; /* --plugin-host; NULL: the default, which may be absent */
    const char *const *volumes;   /* --volume; count 0: the default choice */
    size_t volume_count;
    const char *const *excludes;
    size_t exclude_count;
    int64_t freeze_timeout_us;
    int64_t hold_limit_us;
    enum qz_expedite expedite;
    int64_t hold_us;           /* --hold; 0: a snapshot command */
    char *const *snapshot_argv; /* NULL: --hold */
    char *const *environment;   /* the caller's, for the snapshot command */
    int attempts;               /* --attempts, from 1 */
    int64_t attempt_delay_us;
    bool scripts;               /* false: `quiesce freeze`, no config is read */
    bool scripts_only;          /* as if fsFreezeEnabled were false everywhere */
    bool until_end;             /* `quiesce begin`, in the background: until `quiesce end` tells of the snapshot */
    int64_t *frozen_until_us;   /* its: where to write, before the caller is told to go on, until when on the wall clock
                                   everything stays frozen at the most; shared memory */
};

/* Root, and the machine-wide lock? Else the result says why not, and is free of anything to free. */
bool qz_session_admit(struct qz_os *os, const struct qz_options *options, struct qz_result *result);

/* Runs the whole way, as often as `attempts` says while the result is *none*, and fills `result` (free with
 * qz_result_free also after a failure). Returns the exit status. Whatever happens, on return everything that could
 * be thawed is thawed and every post-script that was owed has run. */
enum qz_exit qz_session_run(struct qz_os *os, const struct qz_options *options, struct qz_result *result);

/* Everything `run` would find out before it does anything: files, volumes, the code it would give. */
enum qz_exit qz_session_check(struct qz_os *os, const struct qz_options *options, struct qz_result *result);

#endif
