/* journal.h: what a run owes the machine, written down before it owes it.
 *
 * One JSON file in the state directory, replaced as a whole: which volumes are (about to be) frozen, by whom, since
 * when and until when, and which post-scripts are owed: those whose pre-script was started, or is about to be. It is
 * written before the pre-scripts, before the first freeze and after the last thaw, never while anything is frozen. A
 * journal of another boot says nothing: a reboot thaws everything. */
#ifndef QUIESCE_JOURNAL_H
#define QUIESCE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quiesce/error.h"
#include "quiesce/os.h"
#include "quiesce/report.h"

#define QZ_JOURNAL_SIZE_MAX (1024 * 1024)
#define QZ_TMPDIR_PREFIX "tmp-" /* and the run id: the snapshot command's TMPDIR, in the state directory if that is not frozen */

/* What is said of a post-script that a dead run owed: its path and the run's name. */
#define QZ_POST_NEVER_RAN "post-script %s of run %s never ran: its application may still be quiesced"

struct qz_journal_volume {
    char *mount;
    char *device;
    char *fstype;
    dev_t dev;
};

struct qz_journal {
    char *command;
    char *run_id;
    struct qz_process agent;
    struct qz_process guardian;
    int64_t since_us; /* wall clock */
    int64_t until_us;
    struct qz_journal_volume *volumes;
    size_t volume_count;
    char **posts_owed; /* paths of post-scripts */
    size_t post_count;
};

/* Takes the machine-wide lock. Returns 0, or an errno with `error` set: EWOULDBLOCK (AlreadyRunning), else
 * InternalError. */
int qz_journal_lock(struct qz_os *os, struct qz_error *error);

/* Writes what `journal` says for this boot. Returns 0 or an errno. */
int qz_journal_write(struct qz_os *os, const struct qz_journal *journal);
int qz_journal_clear(struct qz_os *os);

/* Removes what a dead run had as its TMPDIR in the state directory, if it had one there. */
void qz_journal_remove_tmpdir(struct qz_os *os, const char *run_id);

/* The debts of dead processes are paid: clears the journal, and removes what else their run had in the state
 * directory. */
void qz_journal_settle(struct qz_os *os, const struct qz_journal *journal);

/* What a journal that cannot be read just now returns: another time it may say what is frozen. */
#define QZ_JOURNAL_UNREAD (-2)

/* Reads the journal (free with qz_journal_free). Returns 1; 0 if there is none for this boot; or, with `error`
 * (InternalError), -1 if it cannot be understood, QZ_JOURNAL_UNREAD if it cannot be read. */
int qz_journal_read(struct qz_os *os, struct qz_journal *journal, struct qz_error *error);
void qz_journal_free(struct qz_journal *journal);

/* Thaws what the journal says is frozen, by any way there is. Adds an error ThawFailed for each volume that stays
 * frozen, with `mount` kept alive by the journal. Returns how many volumes were thawed (one that was not frozen counts
 * as thawed by nobody); `thawed` (NULL, or room for volume_count) says which. */
size_t qz_journal_thaw(struct qz_os *os, const struct qz_journal *journal, bool *thawed, struct qz_error_list *errors);

/* The same with the journal of dead processes, for the holder of the lock: it is cleared unless a volume stays
 * frozen. */
size_t qz_journal_recover(struct qz_os *os, const struct qz_journal *journal, struct qz_error_list *errors);

#endif
