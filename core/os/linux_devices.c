/* linux_devices.c: what is under a filesystem. */
#include "linux_devices.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux_mounts.h"

#define SYS_BTRFS "/sys/fs/btrfs"
#define DEVICES_MAX 64 /* under one filesystem */

/* The way down from one filesystem. */
struct descent {
    const struct qz_mount_table *table;
    struct qz_mount *mount;
    dev_t seen[DEVICES_MAX];
    size_t seen_count;
    int error; /* 0 or ENOMEM */
};

/* Adds `dev` to a list of the mount, if it is not in it. */
static void add_dev(struct descent *descent, dev_t **list, size_t *count, dev_t dev)
{
    for (size_t i = 0; i < *count; i++) {
        if ((*list)[i] == dev)
            return;
    }
    dev_t *longer = realloc(*list, (*count + 1) * sizeof **list);
    if (!longer) {
        descent->error = ENOMEM;
        return;
    }
    *list = longer;
    longer[(*count)++] = dev;
}

/* Reads the one line of a small file, without its end. */
static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool read = fgets(line, (int)size, file) != NULL;
    fclose(file);
    if (read)
        line[strcspn(line, "\n")] = '\0';
    return read;
}

/* The devices that a sysfs directory has one entry for each ("slaves", btrfs' "devices"). */
static size_t list_devices(const char *directory, dev_t *devices, size_t capacity)
{
    DIR *entries = opendir(directory);
    if (!entries)
        return 0;
    size_t count = 0;
    for (struct dirent *entry = readdir(entries); entry && count < capacity; entry = readdir(entries)) {
        char path[PATH_MAX];
        char line[32];
        unsigned major_number = 0;
        unsigned minor_number = 0;
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s/dev", directory, entry->d_name) >= (int)sizeof path ||
            !read_line(path, line, sizeof line) || sscanf(line, "%u:%u", &major_number, &minor_number) != 2)
            continue;
        devices[count++] = makedev(major_number, minor_number);
    }
    closedir(entries);
    return count;
}

size_t qz_linux_btrfs_members(const char *directory, dev_t *members, size_t capacity)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, SYS_BTRFS "/%s/devices", directory);
    return list_devices(path, members, capacity);
}

char *qz_linux_device_path(dev_t dev)
{
    return blkid_devno_to_devname(dev);
}

/* ---- Loop devices ----------------------------------------------------------------------------------------------- */

/* The superblock that the file at `path` lies on, if the file is still the one that `loop` tells of. */
static bool superblock_of_file(const struct qz_mount_table *table, const char *path, const struct loop_info64 *loop,
                               dev_t *superblock)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct stat status;
    int id = -1;
    bool same = fstat(fd, &status) == 0 &&
                (!loop || (status.st_dev == (dev_t)loop->lo_device && status.st_ino == (ino_t)loop->lo_inode));
    bool found = false;
    if (same && qz_linux_mount_id(fd, &id) == 0) {
        for (size_t i = 0; i < table->count && !found; i++) {
            found = table->mounts[i].id == id;
            *superblock = table->mounts[i].dev;
        }
    }
    close(fd);
    return found;
}

/* The superblock whose files have `st_dev`: the same number, except for the subvolumes of a btrfs. */
static bool superblock_of_st_dev(const struct qz_mount_table *table, dev_t st_dev, dev_t *superblock)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct qz_mount *mount = &table->mounts[i];
        struct stat status;
        bool matches = mount->dev == st_dev || (strcmp(mount->fstype, "btrfs") == 0 && !mount->hidden &&
                                                stat(mount->mount_point, &status) == 0 && status.st_dev == st_dev);
        if (!matches)
            continue;
        *superblock = mount->dev;
        return true;
    }
    return false;
}

static bool ask_loop(dev_t dev, struct loop_info64 *loop)
{
    char *path = qz_linux_device_path(dev);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    free(path);
    if (fd < 0)
        return false;
    bool told = ioctl(fd, LOOP_GET_STATUS64, loop) == 0;
    close(fd);
    return told;
}

/* If this is a loop device, adds the superblock that holds its file. By path first, as the driver's device number is
 * no superblock's on btrfs or overlay; by that number if the file was deleted or its path leads elsewhere here. */
static void add_backing(struct descent *descent, dev_t dev)
{
    char attribute[64];
    char path[PATH_MAX];
    snprintf(attribute, sizeof attribute, "/sys/dev/block/%u:%u/loop/backing_file", major(dev), minor(dev));
    if (!read_line(attribute, path, sizeof path))
        return;
    struct loop_info64 loop;
    bool told = ask_loop(dev, &loop);
    dev_t superblock = 0;
    if (superblock_of_file(descent->table, path, told ? &loop : NULL, &superblock) ||
        (told && superblock_of_st_dev(descent->table, (dev_t)loop.lo_device, &superblock)))
        add_dev(descent, &descent->mount->below, &descent->mount->below_count, superblock);
}

/* ---- Stacks ----------------------------------------------------------------------------------------------------- */

/* Goes down from a block device to whole disks, through stacks (dm, md, bcache) and partitions. */
static void descend(struct descent *descent, dev_t dev)
{
    for (size_t i = 0; i < descent->seen_count; i++) {
        if (descent->seen[i] == dev)
            return;
    }
    if (descent->seen_count == DEVICES_MAX)
        return;
    descent->seen[descent->seen_count++] = dev;

    char directory[64];
    snprintf(directory, sizeof directory, "/sys/dev/block/%u:%u/slaves", major(dev), minor(dev));
    dev_t slaves[DEVICES_MAX];
    size_t count = list_devices(directory, slaves, DEVICES_MAX);
    for (size_t i = 0; i < count; i++)
        descend(descent, slaves[i]);
    if (count > 0)
        return;
    dev_t disk = dev;
    if (blkid_devno_to_wholedisk(dev, NULL, 0, &disk) == 0 && disk != dev) {
        descend(descent, disk);
        return;
    }
    add_dev(descent, &descent->mount->disks, &descent->mount->disk_count, dev);
    add_backing(descent, dev);
}

/* Goes down from the block device at `path` (need not end in NUL). */
static void descend_path(struct descent *descent, const char *path, size_t size)
{
    char name[PATH_MAX];
    struct stat status;
    if (size >= sizeof name)
        return;
    memcpy(name, path, size);
    name[size] = '\0';
    if (stat(name, &status) == 0 && S_ISBLK(status.st_mode))
        descend(descent, status.st_rdev);
}

/* Goes down from every device of the btrfs that has `member`, or else from that alone. */
static void descend_btrfs(struct descent *descent, dev_t member)
{
    DIR *entries = opendir(SYS_BTRFS);
    bool found = false;
    for (struct dirent *entry = entries ? readdir(entries) : NULL; entry && !found; entry = readdir(entries)) {
        dev_t members[DEVICES_MAX];
        size_t count = qz_linux_btrfs_members(entry->d_name, members, DEVICES_MAX);
        for (size_t i = 0; i < count && !found; i++)
            found = members[i] == member;
        for (size_t i = 0; i < count && found; i++)
            descend(descent, members[i]);
    }
    if (entries)
        closedir(entries);
    descend(descent, member);
}

/* Goes down from the devices that the source of a filesystem without a device number of its own names. */
static void descend_source(struct descent *descent)
{
    const char *source = descent->mount->source;
    struct stat status;
    if (strcmp(descent->mount->fstype, "btrfs") == 0) {
        if (stat(source, &status) == 0 && S_ISBLK(status.st_mode))
            descend_btrfs(descent, status.st_rdev);
        return;
    }
    while (*source) {
        size_t size = strcspn(source, ":");
        descend_path(descent, source, size);
        source += size + strspn(source + size, ":");
    }
}

/* Devices and directories that mount options name: xfs' log and realtime devices, an overlay's upper directory. */
static void descend_options(struct descent *descent, const char *options)
{
    static const char *const DEVICES[] = {"logdev", "rtdev"};
    struct qz_mount *mount = descent->mount;
    char *value = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof DEVICES / sizeof DEVICES[0] && strcmp(mount->fstype, "xfs") == 0; i++) {
        if (mnt_optstr_get_option(options, DEVICES[i], &value, &size) == 0)
            descend_path(descent, value, size);
    }
    if (strcmp(mount->fstype, "overlay") != 0 || mnt_optstr_get_option(options, "upperdir", &value, &size) != 0)
        return;
    char *upper = strndup(value, size);
    dev_t superblock = 0;
    if (!upper)
        descent->error = ENOMEM;
    else if (superblock_of_file(descent->table, upper, NULL, &superblock))
        add_dev(descent, &mount->below, &mount->below_count, superblock);
    else
        mount->below_unknown = true;
    free(upper);
}

/* ---- One filesystem --------------------------------------------------------------------------------------------- */

/* Copies what another mount of the same superblock was found to have. */
static int copy_devices(struct qz_mount *mount, const struct qz_mount *twin)
{
    char *uuid = strdup(twin->uuid);
    char *label = strdup(twin->label);
    mount->below = calloc(twin->below_count + 1, sizeof *mount->below);
    mount->disks = calloc(twin->disk_count + 1, sizeof *mount->disks);
    if (!uuid || !label || !mount->below || !mount->disks) {
        free(uuid);
        free(label);
        return ENOMEM;
    }
    free(mount->uuid);
    free(mount->label);
    mount->uuid = uuid;
    mount->label = label;
    mount->below_unknown = twin->below_unknown;
    for (; mount->below_count < twin->below_count; mount->below_count++)
        mount->below[mount->below_count] = twin->below[mount->below_count];
    for (; mount->disk_count < twin->disk_count; mount->disk_count++)
        mount->disks[mount->disk_count] = twin->disks[mount->disk_count];
    return 0;
}

int qz_linux_describe_devices(struct qz_mount_table *table, size_t index, const char *options)
{
    struct descent descent = {.table = table, .mount = &table->mounts[index]};
    for (size_t i = 0; i < index; i++) {
        if (table->mounts[i].dev == descent.mount->dev)
            return copy_devices(descent.mount, &table->mounts[i]);
    }
    descend_options(&descent, options);
    if (!descent.mount->block_backed)
        return descent.error;
    if (major(descent.mount->dev) != 0)
        descend(&descent, descent.mount->dev);
    else
        descend_source(&descent);
    return descent.error ? descent.error : qz_linux_read_names(descent.mount);
}
