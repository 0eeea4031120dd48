/* volumes_unfrozen.c: where one can still write while volumes are frozen. */
#include <stdlib.h>

#include "mount_paths.h"
#include "volumes.h"

/* How many filesystems on top of each other are followed: more than there are, less than for ever. */
#define DEPTH_MAX 8

static bool is_frozen(const struct qz_volume *volume)
{
    return volume->decision == QZ_DECISION_FREEZE && volume->mount_id >= 0;
}

/* Does a write to this filesystem wait for a frozen one: itself, or one that holds its storage? It may, where nobody knows
 * what does. */
static bool waits_for_frozen(const struct qz_mount_table *table, const struct qz_volume *volumes, size_t count,
                             dev_t dev, int depth)
{
    const struct qz_mount *mount = NULL;
    for (size_t i = 0; i < table->count && !mount; i++)
        mount = table->mounts[i].dev == dev ? &table->mounts[i] : NULL;
    for (size_t i = 0; i < count; i++) {
        if (is_frozen(&volumes[i]) && (volumes[i].dev == dev || (mount && mount->below_unknown)))
            return true;
    }
    for (size_t i = 0; mount && depth < DEPTH_MAX && i < mount->below_count; i++) {
        if (waits_for_frozen(table, volumes, count, mount->below[i], depth + 1))
            return true;
    }
    return false;
}

const char *qz_volumes_find_unfrozen(const struct qz_mount_table *table, const struct qz_volume *volumes, size_t count,
                                     const char *const *candidates)
{
    for (; *candidates; candidates++) {
        char *path = qz_mount_path_clean(*candidates);
        const struct qz_mount *mount = path ? qz_mount_of_path(table, path) : NULL;
        free(path);
        if (mount && !mount->read_only && !mount->super_read_only &&
            !waits_for_frozen(table, volumes, count, mount->dev, 0))
            return *candidates;
    }
    return NULL;
}
