/* kept.h: the result of a backup that `quiesce begin` began, kept in the state directory until `quiesce end` asks for it.
 *
 * It is written whole by whoever ends the backup (the agent; its guardian, if that was killed), after the last thaw, and
 * before the journal is cleared. It holds what is to be printed in either form, since the plugins, scripts and volumes
 * that the result speaks of are not there any more; and, where nobody had told in time whether there is a snapshot, the
 * same once more for the case that there is one. */
#ifndef QUIESCE_KEPT_H
#define QUIESCE_KEPT_H

#include <stdbool.h>

#include "quiesce/os.h"
#include "quiesce/report.h"

struct qz_kept_text {
    int status; /* the exit status */
    char *json;
    char *human;
};

struct qz_kept {
    char *run_id;
    struct qz_process writer; /* until it is gone, the next quiesce finds the lock taken */
    struct qz_kept_text result;
    struct qz_kept_text if_taken; /* `json` NULL: there is none */
};

/* Keeps `result`, in place of one before. Returns 0 or an errno. */
int qz_kept_write(struct qz_os *os, struct qz_result *result);

/* Reads what is kept (free with qz_kept_free). Returns 0, ENOENT if nothing is, EINVAL if it is not what we write, or
 * another errno. */
int qz_kept_read(struct qz_os *os, struct qz_kept *kept);
/* What cannot be read just now is there. */
bool qz_kept_exists(struct qz_os *os);
void qz_kept_free(struct qz_kept *kept);

int qz_kept_remove(struct qz_os *os); /* ENOENT: nothing was kept */

#endif
