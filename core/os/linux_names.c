/* linux_names.c: the UUID and label of a mounted filesystem. */
#include "linux_devices.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int take(char **value, const char *found, size_t size)
{
    char *copy = strndup(found, size);
    if (!copy)
        return ENOMEM;
    free(*value);
    *value = copy;
    return 0;
}

/* The path of the block device that a filesystem is on, or of its first one; the caller frees. NULL: it has none. */
static char *device_of(const struct qz_mount *mount, dev_t *dev)
{
    struct stat status;
    bool named = stat(mount->source, &status) == 0 && S_ISBLK(status.st_mode) &&
                 (major(mount->dev) == 0 || status.st_rdev == mount->dev);
    *dev = named ? status.st_rdev : mount->dev;
    if (named)
        return strdup(mount->source);
    return major(mount->dev) != 0 ? qz_linux_device_path(mount->dev) : NULL;
}

/* ---- By udev ---------------------------------------------------------------------------------------------------- */

/* Undoes \xNN, in place. */
static size_t decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned byte = 0;
        if (from[0] == '\\' && from[1] == 'x' && isxdigit((unsigned char)from[2]) && isxdigit((unsigned char)from[3]) &&
            sscanf(from + 2, "%2x", &byte) == 1) {
            *to = (char)byte;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

/* What udev found on the device when it came: nothing is read from a disk, which may not answer. Returns whether it has
 * looked; `error`: 0 or ENOMEM. */
static bool ask_udev(struct qz_mount *mount, dev_t dev, int *error)
{
    char path[64];
    snprintf(path, sizeof path, "/run/udev/data/b%u:%u", major(dev), minor(dev));
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    bool looked = false;
    static const char uuid[] = "E:ID_FS_UUID_ENC=", label[] = "E:ID_FS_LABEL_ENC=";
    while (file && !*error && getline(&line, &capacity, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        size_t size = decode(line);
        if (strncmp(line, "E:ID_FS_TYPE=", 13) == 0)
            looked = true;
        else if (strncmp(line, uuid, sizeof uuid - 1) == 0)
            *error = take(&mount->uuid, line + sizeof uuid - 1, size);
        else if (strncmp(line, label, sizeof label - 1) == 0)
            *error = take(&mount->label, line + sizeof label - 1, size);
    }
    free(line);
    if (file)
        fclose(file);
    return looked;
}

/* ---- By libblkid ------------------------------------------------------------------------------------------------ */

static int take_value(blkid_probe probe, const char *name, char **value)
{
    const char *found = NULL;
    return blkid_probe_lookup_value(probe, name, &found, NULL) == 0 ? take(value, found, strlen(found)) : 0;
}

/* Has only the filesystem looked for that is mounted: to look for all that there are reads half a megabyte. Where
 * libblkid has another name for it, or none, all are. */
static void look_only_for(blkid_probe probe, char *fstype)
{
    /* One driver mounts all three. */
    char *ext[] = {(char[]){"ext4"}, (char[]){"ext3"}, (char[]){"ext2"}, NULL};
    char *own[] = {fstype, NULL};
    if (blkid_known_fstype(fstype))
        blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_ONLYIN, strncmp(fstype, "ext", 3) == 0 ? ext : own);
}

/* Reads the filesystem's superblock, and no more of the disk than that. */
static int probe_names(struct qz_mount *mount, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    int error = 0;
    blkid_probe probe = blkid_new_probe();
    if (probe && blkid_probe_set_device(probe, fd, 0, 0) == 0) {
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_TYPE);
        look_only_for(probe, mount->fstype);
        if (blkid_do_safeprobe(probe) == 0) {
            error = take_value(probe, "UUID", &mount->uuid);
            if (!error)
                error = take_value(probe, "LABEL", &mount->label);
        }
    }
    blkid_free_probe(probe);
    close(fd);
    return error;
}

int qz_linux_read_names(struct qz_mount *mount)
{
    dev_t dev = 0;
    int error = 0;
    char *path = device_of(mount, &dev);
    if (path && !ask_udev(mount, dev, &error) && !error)
        error = probe_names(mount, path);
    free(path);
    return error;
}
