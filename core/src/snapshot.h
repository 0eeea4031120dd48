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
    struct qz_snapshot_result *result;
    void (*thawed)(void *argument); /* called once when everything is thawed though the command, or the hold, goes on */
    void *argument;
};

/* Makes `snapshot` ready: environment, TMPDIR in `tmp_parent` (NULL: none), tails. Returns false if memory is short. */
bool qz_snapshot_prepare(struct qz_snapshot *snapshot, const char *run_id, const struct qz_volume *volumes,
                         size_t volume_count, const char *tmp_parent);

/* Runs the command, or holds, while `guard` (NULL: nothing is frozen) is watched. Ends early when a signal comes; when the
 * freeze is lost it goes on if `go_on` (crash-consistent), else ends. The result tells the rest. On return nothing of a
 * command that failed is alive, except where `left_alive` owns up; what a successful one left behind is its own. Where
 * the snapshot was taken, the freeze, if it still holds, goes on holding. Returns a signal's number or 0. */
int qz_snapshot_run(struct qz_snapshot *snapshot, struct qz_guard *guard, bool go_on);

void qz_snapshot_clean(struct qz_snapshot *snapshot);

#endif
