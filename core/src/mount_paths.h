/* mount_paths.h: which mount a path belongs to, from a mount table alone. Pure: links are not followed. */
#ifndef QUIESCE_MOUNT_PATHS_H
#define QUIESCE_MOUNT_PATHS_H

#include "quiesce/os.h"

/* `path` (absolute) without doubled and trailing slashes, "." and "..". The caller frees; NULL: no memory. */
char *qz_mount_path_clean(const char *path);

/* Is a clean path `directory` (clean) or something in it? */
bool qz_mount_path_in(const char *path, const char *directory);

/* The mount that a clean path leads to; NULL: none. Mounts that are covered lead nowhere. */
const struct qz_mount *qz_mount_of_path(const struct qz_mount_table *table, const char *path);

/* The mount at a mount point: the one that its path leads to, or else the last of those that are covered there;
 * NULL: `mount_point` (clean) is none. */
const struct qz_mount *qz_mount_at(const struct qz_mount_table *table, const char *mount_point);

#endif
