/* volumes.c: which filesystems are frozen, in which order, and why not the others. */
#include "volumes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fstypes.h"
#include "mount_paths.h"

/* How many filesystems on top of each other are followed: more than there are, less than for ever. */
#define LEVELS_MAX 32
#define DEPTH_MAX 8

enum verdict { UNLISTED, SKIPPED, FAILED, CHOSEN };

/* A filesystem, however often it is mounted. `mount` is the one by which people know it: the one asked for, or the
 * first that its path leads to. */
struct superblock {
    const struct qz_mount *mount;
    const struct qz_mount *opened; /* NULL: none yet, or none could be */
    bool named;
    bool excluded;
    enum verdict verdict;
    enum qz_code code;           /* of the verdict FAILED */
    char reason[QZ_DETAIL_SIZE]; /* of the verdicts SKIPPED and FAILED */
    int level;                   /* the longest chain of chosen filesystems that are stored above this one */
};

/* One decision under way. `lost_names[i]`: choice->volumes[i] is no mount point. */
struct chooser {
    struct qz_os *os;
    const struct qz_mount_table *table;
    const struct qz_volume_choice *choice;
    bool open;
    struct superblock *superblocks;
    size_t superblock_count;
    bool *lost_names;
    struct qz_volume *volumes;
    size_t volume_count;
    size_t freeze_count;
};

/* ---- Superblocks ------------------------------------------------------------------------------------------------ */

static struct superblock *superblock_of(const struct chooser *chooser, dev_t dev)
{
    for (size_t i = 0; i < chooser->superblock_count; i++) {
        if (chooser->superblocks[i].mount->dev == dev)
            return &chooser->superblocks[i];
    }
    return NULL;
}

/* Is `a` the better mount to know a filesystem by: can it be reached, and is it the whole filesystem? */
static bool better_mount(const struct qz_mount *a, const struct qz_mount *b)
{
    if (a->hidden != b->hidden)
        return !a->hidden;
    return strcmp(a->root, "/") == 0 && strcmp(b->root, "/") != 0;
}

static bool gather(struct chooser *chooser)
{
    const struct qz_mount_table *table = chooser->table;
    chooser->superblocks = calloc(table->count + 1, sizeof *chooser->superblocks);
    chooser->lost_names = calloc(chooser->choice->volume_count + 1, sizeof *chooser->lost_names);
    size_t named = chooser->choice->volume_count;
    chooser->volumes = qz_volumes_new(named > 0 ? named : table->count + 1);
    if (!chooser->superblocks || !chooser->lost_names || !chooser->volumes)
        return false;
    for (size_t i = 0; i < table->count; i++) {
        const struct qz_mount *mount = &table->mounts[i];
        struct superblock *known = superblock_of(chooser, mount->dev);
        if (!known)
            chooser->superblocks[chooser->superblock_count++].mount = mount;
        else if (better_mount(mount, known->mount))
            known->mount = mount;
    }
    return true;
}

/* Was the same thing asked for already? */
static bool named_before(const struct qz_volume_choice *choice, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(choice->volumes[i], choice->volumes[index]) == 0)
            return true;
    }
    return false;
}

static bool mark_named(struct chooser *chooser)
{
    for (size_t i = 0; i < chooser->choice->volume_count; i++) {
        char *path = qz_mount_path_clean(chooser->choice->volumes[i]);
        if (!path)
            return false;
        const struct qz_mount *mount = qz_mount_at(chooser->table, path);
        free(path);
        struct superblock *superblock = mount ? superblock_of(chooser, mount->dev) : NULL;
        chooser->lost_names[i] = !superblock && !named_before(chooser->choice, i);
        if (!superblock || superblock->named)
            continue;
        superblock->named = true;
        superblock->mount = mount;
    }
    return true;
}

/* Excludes all that is mounted at a mount point, also what is covered there: it could be named in no other way. */
static bool exclude_at(struct chooser *chooser, const char *mount_point)
{
    bool found = false;
    for (size_t i = 0; i < chooser->table->count; i++) {
        const struct qz_mount *mount = &chooser->table->mounts[i];
        if (strcmp(mount->mount_point, mount_point) != 0)
            continue;
        superblock_of(chooser, mount->dev)->excluded = true;
        found = true;
    }
    return found;
}

static bool mark_excluded(struct chooser *chooser, struct qz_warning_list *warnings)
{
    for (size_t i = 0; i < chooser->choice->exclude_count; i++) {
        const char *exclude = chooser->choice->excludes[i];
        char *path = qz_mount_path_clean(exclude);
        if (!path)
            return false;
        if (!exclude_at(chooser, path)) {
            const struct qz_mount *on = qz_mount_of_path(chooser->table, path);
            qz_warning_list_add(warnings, exclude, 0, 0,
                                "--exclude %s leaves nothing out: it is no mount point%s%s", exclude,
                                on ? ", it lies on " : "", on ? on->mount_point : "");
        }
        free(path);
    }
    return true;
}

/* ---- Decisions -------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void reject(struct superblock *superblock, enum verdict verdict,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(superblock->reason, sizeof superblock->reason, format, arguments);
    va_end(arguments);
    superblock->verdict = verdict;
    superblock->code = QZ_E_FS_FREEZE_FAILED;
}

/* Rejects, as `verdict`, what certainly cannot or need not be frozen. */
static bool reject_obstacle(struct superblock *superblock, enum verdict verdict)
{
    const char *fstype = superblock->mount->fstype;
    enum qz_fstype kind = qz_fstype_kind(fstype);
    if (kind == QZ_FSTYPE_NETWORK)
        reject(superblock, verdict, "network filesystem (%s)", fstype);
    else if (kind == QZ_FSTYPE_UNFREEZABLE)
        reject(superblock, verdict, "the kernel cannot freeze %s", fstype);
    else if (superblock->mount->super_read_only)
        reject(superblock, verdict, "read-only");
    else
        return false;
    return true;
}

/* What was asked for is tried where only trying tells, so that a type that nobody knew here can be frozen. */
static void decide_named(struct superblock *superblock)
{
    const struct qz_mount *mount = superblock->mount;
    bool fuse = strcmp(mount->fstype, "fuse") == 0 || strncmp(mount->fstype, "fuse.", 5) == 0;
    if (superblock->excluded)
        reject(superblock, FAILED, "both asked for with --volume and left out with --exclude");
    else if (reject_obstacle(superblock, FAILED))
        return;
    else if (!mount->block_backed && !fuse)
        reject(superblock, FAILED, "not on a block device (%s)", mount->fstype);
    else
        superblock->verdict = CHOSEN;
}

static void decide_default(struct superblock *superblock)
{
    const struct qz_mount *mount = superblock->mount;
    enum qz_fstype kind = qz_fstype_kind(mount->fstype);
    if (!mount->block_backed && kind == QZ_FSTYPE_UNKNOWN)
        superblock->verdict = UNLISTED;
    else if (superblock->excluded)
        reject(superblock, SKIPPED, "excluded with --exclude");
    else if (reject_obstacle(superblock, SKIPPED))
        return;
    else if (kind == QZ_FSTYPE_UNKNOWN)
        reject(superblock, SKIPPED, "not known to be freezable (%s); --volume would try", mount->fstype);
    else if (!mount->block_backed)
        reject(superblock, SKIPPED, "not on a block device (%s)", mount->fstype);
    else
        superblock->verdict = CHOSEN;
}

static void decide_all(struct chooser *chooser)
{
    for (size_t i = 0; i < chooser->superblock_count; i++) {
        struct superblock *superblock = &chooser->superblocks[i];
        if (chooser->choice->volume_count == 0)
            decide_default(superblock);
        else if (superblock->named)
            decide_named(superblock);
    }
}

/* ---- Order ------------------------------------------------------------------------------------------------------ */

/* Raises the level of what lies directly below `upper`. Also through filesystems that are not frozen themselves: they
 * could not take the flush of the upper one once the lower one is frozen. */
static bool raise_below(struct chooser *chooser, const struct superblock *upper)
{
    int level = upper->level + (upper->verdict == CHOSEN ? 1 : 0);
    bool raised = false;
    for (size_t i = 0; i < upper->mount->below_count; i++) {
        struct superblock *lower = superblock_of(chooser, upper->mount->below[i]);
        if (!lower || lower == upper || lower->level >= level)
            continue;
        lower->level = level;
        raised = true;
    }
    return raised;
}

static void find_levels(struct chooser *chooser)
{
    bool raised = true;
    for (int round = 0; raised && round < LEVELS_MAX; round++) {
        raised = false;
        for (size_t i = 0; i < chooser->superblock_count; i++)
            raised |= raise_below(chooser, &chooser->superblocks[i]);
    }
}

/* The lowest level above `level` that a chosen superblock has; -1: none. */
static int next_level(const struct chooser *chooser, int level)
{
    int next = -1;
    for (size_t i = 0; i < chooser->superblock_count; i++) {
        const struct superblock *superblock = &chooser->superblocks[i];
        if (superblock->verdict == CHOSEN && superblock->level > level && (next < 0 || superblock->level < next))
            next = superblock->level;
    }
    return next;
}

/* The nearest chosen filesystem that holds the storage of `upper`, or NULL. */
static const struct superblock *storage_of(const struct chooser *chooser, const struct superblock *upper, int depth)
{
    for (size_t i = 0; depth < DEPTH_MAX && i < upper->mount->below_count; i++) {
        const struct superblock *lower = superblock_of(chooser, upper->mount->below[i]);
        if (!lower || lower == upper)
            continue;
        const struct superblock *found = lower->verdict == CHOSEN ? lower : storage_of(chooser, lower, depth + 1);
        if (found)
            return found;
    }
    return NULL;
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

/* Tries one mount; `*error` keeps the first failure. */
static bool try_mount(struct chooser *chooser, struct superblock *superblock, const struct qz_mount *mount, int *error)
{
    int failed = mount->hidden ? ESTALE : 0;
    if (chooser->open)
        failed = chooser->os->ops->volume_open(chooser->os, (int)chooser->freeze_count, mount);
    if (failed && !*error)
        *error = failed;
    if (!failed)
        superblock->opened = mount;
    return !failed;
}

/* Opens a superblock as the next slot by any of its mounts: the one it is known by first, those that are covered
 * last. Without success `reason` tells of the first failure, and the verdict is FAILED. */
static bool open_superblock(struct chooser *chooser, struct superblock *superblock)
{
    int error = 0;
    if (try_mount(chooser, superblock, superblock->mount, &error))
        return true;
    for (int hidden = 0; hidden <= 1; hidden++) {
        for (size_t i = 0; i < chooser->table->count; i++) {
            const struct qz_mount *mount = &chooser->table->mounts[i];
            if (mount->dev == superblock->mount->dev && mount != superblock->mount && mount->hidden == (hidden == 1) &&
                try_mount(chooser, superblock, mount, &error))
                return true;
        }
    }
    reject(superblock, FAILED, "cannot be opened: %s", error == ESTALE ? "another mount covers it" : strerror(error));
    superblock->code = QZ_E_UNABLE_TO_OPEN_MOUNT;
    return false;
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

/* Adds a volume with all that is known of `mount` (NULL: nothing but `name`). NULL: no memory. */
static struct qz_volume *add_volume(struct chooser *chooser, const char *name, const struct qz_mount *mount)
{
    struct qz_volume *volume = &chooser->volumes[chooser->volume_count++];
    *volume = (struct qz_volume){
        .mount = strdup(name),
        .device = strdup(mount ? mount->source : ""),
        .fstype = strdup(mount ? mount->fstype : ""),
        .uuid = strdup(mount ? mount->uuid : ""),
        .label = strdup(mount ? mount->label : ""),
        .dev = mount ? mount->dev : 0,
        .mount_id = mount ? mount->id : -1,
        .decision = QZ_DECISION_FREEZE,
        .order = -1,
        .presync_us = -1,
        .freeze_us = -1,
        .frozen_us = -1,
        .thaw_us = -1,
        .error = volume->error,
    };
    bool whole = volume->mount && volume->device && volume->fstype && volume->uuid && volume->label;
    return whole ? volume : NULL;
}

static struct qz_volume *add_superblock(struct chooser *chooser, const struct superblock *superblock)
{
    struct qz_volume *volume = add_volume(chooser, superblock->mount->mount_point, superblock->mount);
    if (volume)
        volume->named = superblock->named;
    return volume;
}

/* Adds a volume that was opened as the next slot. */
static bool add_opened(struct chooser *chooser, const struct superblock *superblock, int order)
{
    struct qz_volume *volume = add_superblock(chooser, superblock);
    if (!volume)
        return false;
    chooser->freeze_count++;
    volume->order = order;
    volume->mount_id = superblock->opened->id;
    const struct superblock *storage = storage_of(chooser, superblock, 0);
    bool detour = superblock->opened != superblock->mount;
    snprintf(volume->reason, sizeof volume->reason, "%s%s%s%s%s", detour ? "opened through " : "",
             detour ? superblock->opened->mount_point : "", detour && storage ? "; " : "",
             storage ? "stored on " : "", storage ? storage->mount->mount_point : "");
    return true;
}

/* Opens what was chosen, level by level, and lists it. An order counts only levels where something was opened. */
static bool add_chosen(struct chooser *chooser)
{
    int order = 0;
    for (int level = next_level(chooser, -1); level >= 0; level = next_level(chooser, level)) {
        size_t before = chooser->freeze_count;
        for (size_t i = 0; i < chooser->superblock_count; i++) {
            struct superblock *superblock = &chooser->superblocks[i];
            if (superblock->verdict != CHOSEN || superblock->level != level || !open_superblock(chooser, superblock))
                continue;
            if (!add_opened(chooser, superblock, order))
                return false;
        }
        order += chooser->freeze_count > before ? 1 : 0;
    }
    return true;
}

/* Lists the --volume names that are no mount points. */
static bool add_lost_names(struct chooser *chooser)
{
    for (size_t i = 0; i < chooser->choice->volume_count; i++) {
        if (!chooser->lost_names[i])
            continue;
        const char *name = chooser->choice->volumes[i];
        char *path = qz_mount_path_clean(name);
        struct qz_volume *volume = path ? add_volume(chooser, name, NULL) : NULL;
        const struct qz_mount *on = path ? qz_mount_of_path(chooser->table, path) : NULL;
        free(path);
        if (!volume)
            return false;
        volume->named = true;
        qz_error_set(volume->error, QZ_E_UNABLE_TO_OPEN_MOUNT, "volume %s: is no mount point%s%s", name,
                     on ? "; it lies on " : "", on ? on->mount_point : "");
        qz_error_detail(volume->error, "is no mount point");
        volume->error->phase = QZ_PHASE_FREEZE;
        volume->error->path = volume->mount;
    }
    return true;
}

/* Lists what has `verdict`, SKIPPED or FAILED. */
static bool add_others(struct chooser *chooser, enum verdict verdict)
{
    for (size_t i = 0; i < chooser->superblock_count; i++) {
        const struct superblock *superblock = &chooser->superblocks[i];
        if (superblock->verdict != verdict)
            continue;
        struct qz_volume *volume = add_superblock(chooser, superblock);
        if (!volume)
            return false;
        memcpy(volume->reason, superblock->reason, sizeof volume->reason);
        if (verdict == SKIPPED) {
            volume->decision = QZ_DECISION_SKIP;
            continue;
        }
        qz_error_set(volume->error, superblock->code, "volume %s (%s): %s", volume->mount, volume->fstype,
                     superblock->reason);
        qz_error_detail(volume->error, "%s", superblock->reason);
        volume->error->phase = QZ_PHASE_FREEZE;
        volume->error->path = volume->mount;
    }
    return true;
}

static bool is_wanted(const struct superblock *superblock)
{
    return superblock->verdict == CHOSEN || superblock->verdict == FAILED;
}

/* Was this disk met under an earlier filesystem asked to freeze, or earlier under the same one? */
static bool disk_counted(const struct chooser *chooser, const struct superblock *superblock, size_t index)
{
    dev_t disk = superblock->mount->disks[index];
    for (const struct superblock *other = chooser->superblocks; other <= superblock; other++) {
        size_t limit = other == superblock ? index : other->mount->disk_count;
        for (size_t i = 0; is_wanted(other) && i < limit; i++) {
            if (other->mount->disks[i] == disk)
                return true;
        }
    }
    return false;
}

static size_t count_disks(const struct chooser *chooser)
{
    size_t count = 0;
    for (size_t i = 0; i < chooser->superblock_count; i++) {
        const struct superblock *superblock = &chooser->superblocks[i];
        for (size_t k = 0; is_wanted(superblock) && k < superblock->mount->disk_count; k++)
            count += disk_counted(chooser, superblock, k) ? 0 : 1;
    }
    return count;
}

static bool choose(struct chooser *chooser, struct qz_warning_list *warnings)
{
    if (!gather(chooser) || !mark_named(chooser) || !mark_excluded(chooser, warnings))
        return false;
    decide_all(chooser);
    find_levels(chooser);
    return add_chosen(chooser) && add_lost_names(chooser) && add_others(chooser, FAILED) &&
           add_others(chooser, SKIPPED);
}

enum qz_code qz_volumes_choose(struct qz_os *os, const struct qz_mount_table *table,
                               const struct qz_volume_choice *choice, bool open, struct qz_volume **volumes,
                               size_t *count, size_t *freeze_count, size_t *disks, struct qz_warning_list *warnings,
                               struct qz_error *error)
{
    struct chooser chooser = {.os = os, .table = table, .choice = choice, .open = open};
    bool chosen = choose(&chooser, warnings);
    *disks = chosen ? count_disks(&chooser) : 0;
    free(chooser.superblocks);
    free(chooser.lost_names);
    if (!chosen) {
        qz_volumes_free(chooser.volumes, chooser.volume_count);
        chooser = (struct chooser){0};
    }
    *volumes = chooser.volumes;
    *count = chooser.volume_count;
    *freeze_count = chooser.freeze_count;
    if (chosen)
        return QZ_E_SUCCESS;
    return qz_error_set(error, QZ_E_INTERNAL_ERROR, "out of memory while choosing the volumes");
}

struct qz_volume *qz_volumes_new(size_t count)
{
    struct qz_volume *volumes = calloc(count, sizeof *volumes + sizeof *volumes->error);
    if (!volumes)
        return NULL;
    struct qz_error *errors = (struct qz_error *)(void *)(volumes + count);
    for (size_t i = 0; i < count; i++)
        volumes[i].error = &errors[i];
    return volumes;
}

void qz_volumes_free(struct qz_volume *volumes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(volumes[i].mount);
        free(volumes[i].device);
        free(volumes[i].fstype);
        free(volumes[i].uuid);
        free(volumes[i].label);
    }
    free(volumes);
}
