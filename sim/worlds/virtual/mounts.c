#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- The mount table --------------------------------------------------------------------------------------------- */

struct superblock *superblock_find(const struct virtual_world *world, dev_t dev)
{
    struct superblock *superblock = world->superblocks;
    while (superblock && superblock->dev != dev)
        superblock = superblock->next;
    return superblock;
}

struct superblock *superblock_get(struct virtual_world *world, dev_t dev)
{
    struct superblock *superblock = superblock_find(world, dev);
    if (superblock)
        return superblock;
    superblock = arena_take(&world->arena, sizeof *superblock);
    superblock->dev = dev;
    superblock->behaviour = VIRTUAL_VOLUME_DEFAULT;
    superblock->waiting_end = &superblock->waiting;
    superblock->next = world->superblocks;
    world->superblocks = superblock;
    return superblock;
}

/* The mount that the mount point leads to. */
static struct mount *topmost(const struct virtual_world *world, const char *mount_point)
{
    struct mount *mount = world->mounts;
    while (mount && strcmp(mount->row.mount_point, mount_point) != 0)
        mount = mount->next;
    return mount;
}

static char *copy_or_empty(struct arena *arena, const char *text)
{
    return arena_string(arena, text ? text : "");
}

void virtual_add_mount(struct virtual_world *world, const struct qz_mount *row)
{
    struct arena *arena = &world->arena;
    struct mount *covered = topmost(world, row->mount_point);
    if (covered)
        covered->row.hidden = true;
    struct mount *mount = arena_take(arena, sizeof *mount);
    mount->row = *row;
    mount->row.id = row->id ? row->id : world->next_mount_id++;
    mount->row.mount_point = arena_string(arena, row->mount_point);
    mount->row.root = arena_string(arena, row->root ? row->root : "/");
    mount->row.fstype = copy_or_empty(arena, row->fstype);
    mount->row.source = copy_or_empty(arena, row->source);
    mount->row.uuid = copy_or_empty(arena, row->uuid);
    mount->row.label = copy_or_empty(arena, row->label);
    mount->row.below = arena_grow(arena, row->below, row->below_count, row->below_count, sizeof(dev_t));
    mount->row.disks = arena_grow(arena, row->disks, row->disk_count, row->disk_count, sizeof(dev_t));
    mount->superblock = superblock_get(world, row->dev);
    mount->superblock->below = mount->row.below;
    mount->superblock->below_count = row->below_count;
    mount->next = world->mounts;
    world->mounts = mount;
    files_mount(world, row->mount_point, row->dev);
}

void virtual_add_ext4(struct virtual_world *world, const char *mount_point, dev_t dev)
{
    virtual_add_mount(world, &(struct qz_mount){
                                 .dev = dev,
                                 .mount_point = (char *)(uintptr_t)mount_point,
                                 .fstype = (char[]){"ext4"},
                                 .source = (char[]){"/dev/vdb"},
                                 .block_backed = true,
                                 .disks = &dev,
                                 .disk_count = 1,
                             });
}

static void unmount_now(struct virtual_world *world, void *object, uint64_t order)
{
    (void)order;
    const char *mount_point = object;
    struct mount *mount = topmost(world, mount_point);
    if (!mount)
        return;
    struct mount **at = &world->mounts;
    while (*at != mount)
        at = &(*at)->next;
    *at = mount->next;
    struct mount *uncovered = topmost(world, mount_point);
    if (uncovered)
        uncovered->row.hidden = false;
}

void virtual_unmount_at(struct virtual_world *world, const char *mount_point, int64_t at_us)
{
    timer_set(world, at_us, unmount_now, arena_string(&world->arena, mount_point));
}

void virtual_stream_on(struct virtual_world *world, enum qz_stream stream, const char *mount_point)
{
    world->stream_on[stream] = mount_point ? arena_string(&world->arena, mount_point) : NULL;
}

/* Is `path` the directory or below it? */
static bool is_under(const char *path, const char *directory, size_t length)
{
    if (length == 1)
        return true;
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

struct superblock *mounts_under(const struct virtual_world *world, const char *path)
{
    const struct mount *best = NULL;
    size_t best_length = 0;
    for (const struct mount *mount = world->mounts; mount; mount = mount->next) {
        size_t length = strlen(mount->row.mount_point);
        if (length > best_length && is_under(path, mount->row.mount_point, length)) {
            best = mount;
            best_length = length;
        }
    }
    return best ? best->superblock : NULL;
}

void mounts_write_to(struct process *process, const char *path)
{
    struct superblock *superblock = mounts_under(process->world, path);
    if (!superblock || !superblock->frozen)
        return;
    entry_add(process->world, process, VIRTUAL_DID_BLOCKED)->text = arena_string(&process->world->arena, path);
    process->blocked_on = superblock;
    process->state = PROCESS_BLOCKED;
    schedule_yield(process);
    process->state = PROCESS_READY;
}

/* ---- Operations -------------------------------------------------------------------------------------------------- */

static void *copy_array(const void *array, size_t count, size_t item_size)
{
    void *copy = calloc(count ? count : 1, item_size);
    if (copy && count)
        memcpy(copy, array, count * item_size);
    return copy;
}

static bool copy_row(struct qz_mount *to, const struct qz_mount *from)
{
    *to = *from;
    to->mount_point = strdup(from->mount_point);
    to->root = strdup(from->root);
    to->fstype = strdup(from->fstype);
    to->source = strdup(from->source);
    to->uuid = strdup(from->uuid);
    to->label = strdup(from->label);
    to->below = copy_array(from->below, from->below_count, sizeof(dev_t));
    to->disks = copy_array(from->disks, from->disk_count, sizeof(dev_t));
    return to->mount_point && to->root && to->fstype && to->source && to->uuid && to->label && to->below && to->disks;
}

/* The rows in the order in which they were mounted. */
static int copy_table(const struct virtual_world *world, struct qz_mount_table *table)
{
    size_t count = 0;
    for (const struct mount *mount = world->mounts; mount; mount = mount->next)
        count++;
    *table = (struct qz_mount_table){.mounts = calloc(count ? count : 1, sizeof *table->mounts), .count = count};
    bool whole = table->mounts;
    for (const struct mount *mount = world->mounts; mount && whole; mount = mount->next)
        whole = copy_row(&table->mounts[--count], &mount->row);
    return whole ? 0 : ENOMEM;
}

int os_list_mounts(struct qz_os *os, struct qz_mount_table *table)
{
    struct process *process = process_of(os);
    *table = (struct qz_mount_table){0};
    int error = enter(process, VIRTUAL_OP_LIST_MOUNTS);
    if (!error)
        error = copy_table(process->world, table);
    entry_operation(process, VIRTUAL_OP_LIST_MOUNTS, NULL, -1, (int64_t)table->count, -error);
    leave(process, VIRTUAL_OP_LIST_MOUNTS);
    return error;
}

static void put_in_slot(struct process *process, int slot, struct superblock *superblock)
{
    size_t wanted = (size_t)slot + 1;
    if (wanted > process->slot_count) {
        process->slots = arena_grow(&process->world->arena, process->slots, process->slot_count, wanted * 2,
                                    sizeof *process->slots);
        process->slot_count = wanted * 2;
    }
    if (process->slots[slot].busy)
        violate(process, "a volume slot is opened again while an operation is under way");
    process->slots[slot].superblock = superblock;
}

int os_volume_open(struct qz_os *os, int slot, const struct qz_mount *row)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_VOLUME_OPEN);
    struct mount *mount = topmost(process->world, row->mount_point);
    if (!error && !mount)
        error = ENOENT;
    if (!error && (mount->row.id != row->id || mount->row.dev != row->dev))
        error = ESTALE;
    if (!error)
        put_in_slot(process, slot, mount->superblock);
    entry_operation(process, VIRTUAL_OP_VOLUME_OPEN, row->mount_point, slot, (int64_t)row->dev, -error);
    leave(process, VIRTUAL_OP_VOLUME_OPEN);
    return error;
}

int os_volume_recover(struct qz_os *os, int slot, const char *mount_point, dev_t dev)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_VOLUME_RECOVER);
    const struct mount *mount = process->world->mounts;
    while (mount && mount->row.dev != dev)
        mount = mount->next;
    if (!error && !mount)
        error = ENOENT;
    if (!error)
        put_in_slot(process, slot, mount->superblock);
    entry_operation(process, VIRTUAL_OP_VOLUME_RECOVER, mount_point, slot, (int64_t)dev, -error);
    leave(process, VIRTUAL_OP_VOLUME_RECOVER);
    return error;
}

bool os_volume_mounted(struct qz_os *os, const char *mount_point, int mount_id, dev_t dev)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_VOLUME_MOUNTED);
    const struct mount *mount = process->world->mounts;
    while (mount && (mount->row.id != mount_id || mount->row.dev != dev))
        mount = mount->next;
    entry_operation(process, VIRTUAL_OP_VOLUME_MOUNTED, mount_point, -1, mount_id, mount != NULL);
    leave(process, VIRTUAL_OP_VOLUME_MOUNTED);
    return mount != NULL;
}

int os_volumes_arm(struct qz_os *os, int count)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_VOLUMES_ARM);
    if (!error)
        process->armed = (size_t)count;
    entry_operation(process, VIRTUAL_OP_VOLUMES_ARM, NULL, -1, count, -error);
    leave(process, VIRTUAL_OP_VOLUMES_ARM);
    return error;
}

void os_volumes_close(struct qz_os *os)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_VOLUMES_CLOSE);
    process->slots = NULL;
    process->slot_count = 0;
    process->armed = 0;
    process->generation++;
    entry_operation(process, VIRTUAL_OP_VOLUMES_CLOSE, NULL, -1, 0, 0);
    leave(process, VIRTUAL_OP_VOLUMES_CLOSE);
}
