/* snapshot.h: the snapshot command, or the time in which somebody else takes the snapshot. */
#ifndef QUIESCE_SNAPSHOT_H
#define QUIESCE_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "guardian.h"
#include "quiesce/os.h"
#include "quiesce/report.h"
#include "quiesce/session.h"

/* Everything that the command needs, made ready before anything is frozen. */
struct qz_snapshot {
    struct qz_os *os;
    const struct qz_options *options;
    int slot;
    atomic_int *progress; /* enum qz_script_progress, shared with the guardian */
    char **envp;          /* owned words from `own_words` on, the caller's before */
    size_t own_words;
    char *tmpdir; /* NULL: none could be made */
    bool starting; /* the command is on its way to its gate */
    bool waiting;  /* it stands there */
    struct qz_snapshot_result *result;
    void (*thawed)(void *argument); /* called once when everything is thawed though the command, or the hold, goes on */
    void *argument;
};

/* Makes `snapshot` ready: environment, TMPDIR in `tmp_parent` (NULL: none), tails. Returns false if memory is short. */
bool qz_snapshot_prepare(struct qz_snapshot *snapshot, const char *run_id, const struct qz_volume *volumes,
                         size_t volume_count, const char *tmp_parent);

/* Starts the command, which then waits for qz_snapshot_run: so nothing but its execution is left for the time in which
 * everything is frozen. Call it before the volumes are armed. Returns false if it cannot be started; the result says
 * why. True, if there is no command. */
bool qz_snapshot_start(struct qz_snapshot *snapshot);

/* Waits for the command to stand ready, if it was started; before any other event is waited for. Returns false if it
 * could not be executed; the result says why. */
bool qz_snapshot_await(struct qz_snapshot *snapshot);

/* Ends a command that waits, if one does; only while nothing is frozen. Returns a signal's number or 0. */
int qz_snapshot_cancel(struct qz_snapshot *snapshot);

/* Lets the command go on, or holds, while `guard` (NULL: nothing is frozen) is watched. Ends early when a signal comes;
 * when the freeze is lost it goes on if `go_on` (crash-consistent), else ends. The result tells the rest. On return
 * nothing of a command that failed is alive, except where `left_alive` owns up; what a successful one left behind is
 * its own. Where the snapshot was taken, the freeze, if it still holds, goes on holding. Returns a signal's number or
 * 0. */
int qz_snapshot_run(struct qz_snapshot *snapshot, struct qz_guard *guard, bool go_on);

void qz_snapshot_clean(struct qz_snapshot *snapshot);

#endif
