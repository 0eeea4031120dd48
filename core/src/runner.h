/* runner.h: the scripts of one phase, side by side: attempts, deadlines, whole trees ended.
 *
 * Source: Azure's guide, step 5 (…NoOfRetries, timeoutInSeconds, ScriptsExecutionPollTimeSeconds); quiesce.conf(5),
 * SCRIPTS. */
#ifndef QUIESCE_RUNNER_H
#define QUIESCE_RUNNER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "quiesce/config.h"
#include "quiesce/os.h"
#include "quiesce/report.h"

/* How long a tree is given between SIGTERM and SIGKILL, and how long its end is waited for after SIGKILL. */
#define QZ_RUNNER_GRACE_US (2 * QZ_US_PER_S)
#define QZ_RUNNER_KILL_WAIT_US (5 * QZ_US_PER_S)
/* After an attempt that could not be started for a reason that passes. */
#define QZ_RUNNER_PAUSE_US QZ_US_PER_S

/* How far a script has come; in memory shared with the guardian, which finishes what a dead agent began. IDLE is also
 * a script of which no attempt could be started: it has done nothing, so that no post-script is owed for it. WAITING is
 * the snapshot command at its gate: there is a process of it, which has done nothing yet. */
enum qz_script_progress {
    QZ_SCRIPT_IDLE,
    QZ_SCRIPT_WAITING,
    QZ_SCRIPT_RUNNING,
    QZ_SCRIPT_SUCCEEDED,
    QZ_SCRIPT_FAILED,
};

/* One script to run. All borrowed; `result` is filled in, its tails and attempts allocated as it goes. */
struct qz_job {
    int slot;
    const struct qz_script_config *script;
    const struct qz_config *config;
    const struct qz_path_facts *facts; /* as they were checked */
    const char *plugin;
    const char *snapshot; /* QUIESCE_SNAPSHOT for post-scripts: "taken", "failed", "none"; NULL for pre-scripts */
    atomic_int *progress; /* enum qz_script_progress */
    struct qz_script_result *result;
};

/* Runs all jobs side by side to their end. `host_timeout_us` bounds them all together (the plugin host's limit).
 * With `interruptible`, a signal ends every tree and returns its number; without, a signal is noted and returned at
 * the end. Returns 0 or that signal. Each job's result says the rest; whatever it says, no process of a failed
 * attempt is alive, except where `left_alive` owns up. */
int qz_runner_run(struct qz_os *os, const char *run_id, struct qz_job *jobs, size_t count, int64_t host_timeout_us,
                  bool interruptible);

/* Ends a slot's whole tree: SIGTERM, grace, SIGKILL. Returns true once no process of it is alive. Events that come
 * meanwhile are dropped: call it only while nothing is frozen and nobody can ask for anything. */
bool qz_runner_end_tree(struct qz_os *os, int slot);

#endif
