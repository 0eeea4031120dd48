/* superblocks.c: mounted volumes: which one it is, whether it is frozen, and thawing all of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"

#define THAW_WAIT_S 10
#define IN_FLIGHT_LOOKS 100
#define IN_FLIGHT_LOOK_US 1000

/* ---- Which superblock ------------------------------------------------------------------------------------------- */

int volume_mountinfo_dev(const char *path, dev_t *dev)
{
    struct statx facts;
    if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &facts) != 0)
        return errno;
    FILE *table = fopen("/proc/self/mountinfo", "re");
    if (!table)
        return errno;
    char *line = NULL;
    size_t capacity = 0;
    int error = ENOENT;
    while (error && getline(&line, &capacity, table) > 0) {
        unsigned long long id = 0;
        unsigned major_number = 0, minor_number = 0;
        if (sscanf(line, "%llu %*d %u:%u", &id, &major_number, &minor_number) == 3 && id == facts.stx_mnt_id) {
            *dev = makedev(major_number, minor_number);
            error = 0;
        }
    }
    free(line);
    fclose(table);
    return error;
}

static bool same_superblock(const struct sandbox_volume *volume, int descriptor)
{
    struct stat facts, ours;
    if (volume->directory < 0 || fstat(descriptor, &facts) != 0 || fstat(volume->directory, &ours) != 0)
        return false;
    if (facts.st_dev == ours.st_dev)
        return true;
    struct btrfs_ioctl_fs_info_args theirs_info = {0}, ours_info = {0};
    return strcmp(volume->given->type, "btrfs") == 0 && ioctl(descriptor, BTRFS_IOC_FS_INFO, &theirs_info) == 0 &&
           ioctl(volume->directory, BTRFS_IOC_FS_INFO, &ours_info) == 0 &&
           memcmp(theirs_info.fsid, ours_info.fsid, sizeof ours_info.fsid) == 0;
}

struct sandbox_volume *sandbox_volume_of(struct sandbox *sandbox, int descriptor)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        if (same_superblock(&sandbox->volumes[i], descriptor))
            return &sandbox->volumes[i];
    }
    return NULL;
}

struct sandbox_volume *sandbox_volume_at(struct sandbox *sandbox, const char *mount)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        if (strcmp(sandbox->volumes[i].given->mount, mount) == 0)
            return &sandbox->volumes[i];
    }
    return NULL;
}

/* ---- Freezing and looking --------------------------------------------------------------------------------------- */

int sandbox_freeze(struct sandbox_volume *volume)
{
    if (volume->fake)
        return fakefs_freeze(&volume->fakefs);
    return ioctl(volume->directory, FIFREEZE, 0) == 0 ? 0 : errno;
}

int sandbox_thaw(struct sandbox_volume *volume)
{
    if (volume->fake)
        return fakefs_thaw(&volume->fakefs);
    return ioctl(volume->directory, FITHAW, 0) == 0 ? 0 : errno;
}

bool sandbox_is_frozen(struct sandbox_volume *volume)
{
    bool frozen = false;
    if (volume->fake)
        return fakefs_is_frozen(&volume->fakefs, &frozen) == 0 && frozen;
    /* To be reconfigured without any change: EBUSY, before anything is done, if it is frozen (fs/super.c). */
    int picked = fspick(volume->directory, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
    if (picked < 0)
        return false;
    frozen = fsconfig(picked, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) != 0 && errno == EBUSY;
    close(picked);
    return frozen;
}

/* Writes, and requests in flight, as block/stat in the kernel's documentation has them. False: there is no such disk. */
static bool look_at_disk(int file, long long *writes, long long *in_flight)
{
    char text[512] = "";
    return file >= 0 && pread(file, text, sizeof text - 1, 0) > 0 &&
           sscanf(text, "%*u %*u %*u %*u %lld %*u %*u %*u %lld", writes, in_flight) == 2;
}

/* A request is counted when whoever waits for it is awake already, and until then it is in flight: so what is read counts
 * if it was read after none was. A disk on a frozen filesystem may have some for long. */
static int64_t loop_writes(const struct sandbox_volume *volume)
{
    long long writes = -1, in_flight = 1;
    PATH_OF(path, "/sys/block/%s/stat", volume->loop);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < IN_FLIGHT_LOOKS && in_flight > 0 && look_at_disk(file, &writes, &in_flight); i++) {
        if (in_flight > 0)
            usleep(IN_FLIGHT_LOOK_US);
    }
    if (!look_at_disk(file, &writes, &in_flight))
        writes = -1;
    if (file >= 0)
        close(file);
    return writes;
}

int64_t sandbox_disk_writes(const struct sandbox_volume *volume)
{
    int64_t count = 0;
    struct fakefs fakefs = volume->fakefs;
    if (fakefs.server > 0)
        return fakefs_writes(&fakefs, volume->fake ? NULL : fake_disk(volume), &count) == 0 ? count : -1;
    return volume->loop[0] ? loop_writes(volume) : -1;
}

/* ---- The end --------------------------------------------------------------------------------------------------- */

/* Lower ones first: what hangs above a frozen one goes on then, and can be thawed itself. */
static void *thaw_all(void *argument)
{
    struct sandbox *sandbox = argument;
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        struct sandbox_volume *volume = &sandbox->volumes[i];
        if (volume->fakefs.server > 0 && volume->fakefs.has_rules) {
            fakefs_clear_rules(&volume->fakefs);
            fakefs_release(&volume->fakefs, NULL);
        }
        while (volume->directory >= 0 && sandbox_thaw(volume) == 0)
            ;
    }
    return NULL;
}

bool volumes_thaw(struct sandbox *sandbox)
{
    pthread_t thread;
    struct timespec deadline;
    /* In a thread, as a thaw hangs where a freeze does. */
    if (sandbox->volume_count == 0 || pthread_create(&thread, NULL, thaw_all, sandbox) != 0)
        return sandbox->volume_count == 0;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += THAW_WAIT_S;
    return pthread_timedjoin_np(thread, NULL, &deadline) == 0;
}
