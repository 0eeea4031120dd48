/* volumes.h: which filesystems are frozen, in which order, and why not the others. */
#ifndef QUIESCE_VOLUMES_H
#define QUIESCE_VOLUMES_H

#include "quiesce/os.h"
#include "quiesce/report.h"

struct qz_volume_choice {
    const char *const *volumes; /* mount points asked for; count 0: every one that can be frozen */
    size_t volume_count;
    const char *const *excludes;
    size_t exclude_count;
};

/* Decides over a mount table; opens what is to be frozen as volume slots 0…*freeze_count-1 (`open` false: opens
 * nothing, for `check`). Fills `*volumes`, `*count` (the caller frees with qz_volumes_free): first those to freeze, by
 * order (their index is their slot; orders have no gaps), then those that should be but can't, each with its `error`
 * (asked for and not freezable, or none of its mounts can be opened; decision freeze, order -1), then the skipped
 * ones, each with its reason. With `volumes` named, only those are in the list. One superblock
 * appears once. `*disks`: whole disks under the volumes asked to freeze. An exclude that is no mount point adds to
 * `warnings` (which borrow its string). Returns QZ_E_SUCCESS, or InternalError (no memory). */
enum qz_code qz_volumes_choose(struct qz_os *os, const struct qz_mount_table *table,
                               const struct qz_volume_choice *choice, bool open, struct qz_volume **volumes,
                               size_t *count, size_t *freeze_count, size_t *disks, struct qz_warning_list *warnings,
                               struct qz_error *error);

/* A directory that is on none of the volumes to freeze and not read-only, for TMPDIR: the first of `candidates`
 * (NULL-terminated) that serves, or NULL. */
const char *qz_volumes_find_unfrozen(const struct qz_mount_table *table, const struct qz_volume *volumes, size_t count,
                                     const char *const *candidates);

/* `count` zeroed volumes, each with its error, in one block. NULL: no memory. */
struct qz_volume *qz_volumes_new(size_t count);
void qz_volumes_free(struct qz_volume *volumes, size_t count);

#endif
