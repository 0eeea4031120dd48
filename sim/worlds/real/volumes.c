/* volumes.c: the filesystems of a scenario: making, mounting, freezing, and taking them away again. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "parts.h"
#include "sparse.h"

#define NEARLY_FULL_LEFT (256 * 1024) /* bytes */
#define GONE_WAIT_MS 3000

/* ---- Mounting --------------------------------------------------------------------------------------------------- */

int volume_mount(const char *device, const char *path, const char *type, unsigned long flags)
{
    const char *options = strcmp(type, "xfs") == 0 ? "nouuid" : NULL;
    return mount(device, path, type, flags, options) == 0 ? 0 : errno;
}

void volume_device(const struct sandbox *sandbox, const char *loop, char device[PATH_MAX])
{
    struct stat theirs, ours;
    PATH_OF(node, "%s/dev/%s", sandbox->root, loop);
    path_format(device, "/dev/%s", loop);
    if (stat(device, &theirs) != 0 || stat(node, &ours) != 0 || theirs.st_rdev != ours.st_rdev)
        path_format(device, "%s", node);
}

int volume_open_image(const struct sandbox *sandbox, const char *path, int flags)
{
    const char *inside = path + strlen(sandbox->root) + 1;
    int apart = open_tree(AT_FDCWD, sandbox->root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int image = apart < 0 ? -1 : openat(apart, inside, flags, 0600);
    int error = errno;
    if (apart >= 0)
        close(apart);
    errno = error;
    return image;
}

/* Makes the disk of a volume as a copy of the template. Returns a descriptor, or -1. */
static int make_image(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem)
{
    const struct scenario_volume *given = volume->given;
    size_t index = (size_t)(volume - sandbox->volumes);
    if (given->recorded && !fake_make_disk(sandbox, volume, problem))
        return -1;
    if (!given->recorded && given->on)
        path_format(volume->image, "%s%s/disk-%zu.img", sandbox->root, given->on, index);
    else if (!given->recorded)
        path_format(volume->image, "%s" SANDBOX_DISKS "/%zu", sandbox->root, index);
    int template = template_open(sandbox->settings, given->type, given->size, problem);
    if (template < 0)
        return -1;
    const int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
    bool on_root = !given->on && !given->recorded;
    int image = on_root ? volume_open_image(sandbox, volume->image, flags) : open(volume->image, flags, 0600);
    int error = image < 0 ? errno : sparse_copy(template, image, false);
    close(template);
    if (!error)
        error = image_make_unique(image, given->type);
    if (error)
        problem_set(problem, "the disk of %s: %s", given->mount, strerror(error));
    if (error && image >= 0)
        close(image);
    return error ? -1 : image;
}

int volume_attach(struct sandbox *sandbox, struct sandbox_volume *volume, int image, struct problem *problem)
{
    char name[MARK_SIZE];
    int number = 0;
    sandbox_mark(sandbox, name);
    PATH_OF(nodes, "%s/dev", sandbox->root);
    int loop = loop_attach(image, name, nodes, &number);
    close(image);
    if (loop < 0)
        problem_set(problem, "a loop device for %s: %s", volume->given->mount, strerror(-loop));
    else
        snprintf(volume->loop, sizeof volume->loop, "loop%d", number);
    return loop < 0 ? -1 : loop;
}

static bool mount_disk(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem)
{
    const char *type = volume->given->type;
    int image = make_image(sandbox, volume, problem);
    int loop = image < 0 ? -1 : volume_attach(sandbox, volume, image, problem);
    if (loop < 0)
        return false;
    char device[PATH_MAX];
    volume_device(sandbox, volume->loop, device);
    int error = volume_mount(device, volume->path, type, 0);
    close(loop);
    if (error == ENODEV)
        return problem_set(problem, "this kernel has no %s", type);
    return !error || problem_set(problem, "mounting %s on %s: %s", type, volume->given->mount, strerror(error));
}

static bool mount_tmpfs(const struct sandbox_volume *volume, struct problem *problem)
{
    char options[64];
    snprintf(options, sizeof options, "size=%lld,mode=755", (long long)volume->given->size);
    return mount("tmpfs", volume->path, "tmpfs", 0, options) == 0 ||
           problem_set(problem, "a tmpfs on %s: %s", volume->given->mount, strerror(errno));
}

/* ---- More than a mount ------------------------------------------------------------------------------------------ */

/* Takes room until only `left` bytes are free, as far as the filesystem can be made to; 0: until nothing goes in. */
static int fill_up(const struct sandbox_volume *volume, int64_t left)
{
    int file = openat(volume->directory, "filling", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return errno;
    struct statfs facts;
    off_t at = 0;
    for (int rounds = 0; rounds < 64 && fstatfs(file, &facts) == 0; rounds++) {
        int64_t room = (int64_t)facts.f_bavail * facts.f_bsize - left;
        /* Metadata takes some of it, so what does not go in as a whole goes in by halves. */
        while (room >= facts.f_bsize && fallocate(file, 0, at, room) != 0)
            room /= 2;
        if (room < facts.f_bsize)
            break;
        at += room;
    }
    static const char block[4096];
    while (left == 0 && pwrite(file, block, sizeof block, at) > 0)
        at += (off_t)sizeof block;
    int error = fsync(file) == 0 || errno == ENOSPC ? 0 : errno;
    close(file);
    return error;
}

static bool add_bind(struct sandbox *sandbox, const struct sandbox_volume *volume, const char *at, struct problem *problem)
{
    PATH_OF(path, "%s%s", sandbox->root, at);
    int error = inside_make_directories(sandbox, at);
    if (!error && mount(volume->path, path, NULL, MS_BIND, NULL) != 0)
        error = errno;
    return !error || problem_set(problem, "a bind mount of %s on %s: %s", volume->given->mount, at, strerror(error));
}

static bool add_subvolume(struct sandbox *sandbox, const struct sandbox_volume *volume, size_t index,
                          struct problem *problem)
{
    const char *at = volume->given->subvolumes[index];
    if (volume->fake)
        return fake_add_subvolume(sandbox, volume, index, problem);
    struct btrfs_ioctl_vol_args arguments = {0};
    snprintf(arguments.name, sizeof arguments.name, "subvolume-%zu", index);
    char device[PATH_MAX], options[64];
    volume_device(sandbox, volume->loop, device);
    snprintf(options, sizeof options, "subvol=subvolume-%zu", index);
    PATH_OF(path, "%s%s", sandbox->root, at);
    int error = ioctl(volume->directory, BTRFS_IOC_SUBVOL_CREATE, &arguments) == 0 ? 0 : errno;
    if (!error)
        error = inside_make_directories(sandbox, at);
    if (!error && mount(device, path, "btrfs", 0, options) != 0)
        error = errno;
    return !error || problem_set(problem, "a subvolume of %s on %s: %s", volume->given->mount, at, strerror(error));
}

static bool is_read_by(const char *mount, const struct scenario_attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (attempts[i].reads && strcmp(attempts[i].reads, mount) == 0)
            return true;
    }
    return false;
}

/* A file for those who read from the volume. 0 or an errno. */
static int make_file_to_read(const struct scenario *scenario, const struct sandbox_volume *volume)
{
    static const char bytes[4096] = "to be read";
    const char *mount = volume->given->mount;
    bool wanted = is_read_by(mount, scenario->snapshots, scenario->snapshot_count);
    for (size_t i = 0; i < scenario->plugin_count; i++)
        wanted |= is_read_by(mount, scenario->plugins[i].pre.attempts, scenario->plugins[i].pre.attempt_count) ||
                  is_read_by(mount, scenario->plugins[i].post.attempts, scenario->plugins[i].post.attempt_count);
    int file = wanted ? openat(volume->directory, SANDBOX_TO_READ, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    int error = wanted && (file < 0 || write(file, bytes, sizeof bytes) < 0 || fsync(file) != 0) ? errno : 0;
    if (file >= 0)
        close(file);
    return error;
}

static bool add_more(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem)
{
    const struct scenario_volume *given = volume->given;
    int error = make_file_to_read(sandbox->scenario, volume);
    if (!error && given->fill != SCENARIO_EMPTY)
        error = workload_make_files(sandbox->scenario, volume);
    if (!error && given->fill != SCENARIO_EMPTY)
        error = fill_up(volume, given->fill == SCENARIO_FULL ? 0 : NEARLY_FULL_LEFT);
    if (error)
        return problem_set(problem, "files on %s: %s", given->mount, strerror(error));
    bool made = true;
    for (size_t i = 0; made && i < given->subvolume_count; i++)
        made = add_subvolume(sandbox, volume, i, problem);
    for (size_t i = 0; made && i < given->bind_count; i++)
        made = add_bind(sandbox, volume, given->binds[i], problem);
    return made;
}

/* Opens a mounted volume for good and finds out which superblock it is. */
static bool open_volume(struct sandbox_volume *volume, struct problem *problem)
{
    struct stat facts;
    volume->directory = open(volume->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = volume->directory < 0 || fstat(volume->directory, &facts) != 0 ? errno : 0;
    if (!error && !volume->fake && strcmp(volume->given->type, "btrfs") == 0)
        error = volume_mountinfo_dev(volume->path, &volume->dev);
    else if (!error)
        volume->dev = facts.st_dev;
    return !error || problem_set(problem, "%s: %s", volume->given->mount, strerror(error));
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

static bool make_volume(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem)
{
    const struct scenario_volume *given = volume->given;
    path_format(volume->path, "%s%s", sandbox->root, given->mount);
    int error = inside_make_directories(sandbox, given->mount);
    if (error)
        return problem_set(problem, "%s: %s", given->mount, strerror(error));
    bool mounted = strcmp(given->type, "tmpfs") == 0 ? mount_tmpfs(volume, problem)
                   : sandbox->fake                   ? fake_mount(sandbox, volume, problem)
                                                     : mount_disk(sandbox, volume, problem);
    return mounted && open_volume(volume, problem) && add_more(sandbox, volume, problem);
}

/* A file for the log, if there is to be one: opened while that does not wait, and twice: who waits in a write holds the
 * position of his descriptor, and all that share it wait with him. 0 or an errno. */
static int open_log(const struct sandbox *sandbox, struct sandbox_volume *volume)
{
    static const char NAME[] = "quiesce.log";
    bool wanted = false;
    for (size_t i = 0; i < sandbox->scenario->step_count; i++) {
        const char *on = sandbox->scenario->steps[i].log_on;
        wanted |= on && strcmp(on, volume->given->mount) == 0;
    }
    if (!wanted)
        return 0;
    volume->log[1] = openat(volume->directory, NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    volume->log[0] = volume->log[1] < 0 ? -1 : openat(volume->directory, NAME, O_RDONLY | O_CLOEXEC);
    return volume->log[0] < 0 ? errno : 0;
}

/* What must come last: after the scenario's files lie where they should. */
static bool finish_volume(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem)
{
    const struct scenario_volume *given = volume->given;
    int error = open_log(sandbox, volume);
    if (!error && given->read_only && mount(NULL, volume->path, NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
        error = errno;
    if (!error && given->covered)
        error = sandbox_mount_over(sandbox, given->mount);
    if (!error && given->frozen_by_other) {
        error = sandbox_freeze(volume);
        volume->frozen_by_other = !error;
    }
    if (error)
        return problem_set(problem, "%s: %s", given->mount, strerror(error));
    return fake_slow_down(volume, problem);
}

bool volumes_make(struct sandbox *sandbox, struct problem *problem)
{
    const struct scenario *scenario = sandbox->scenario;
    sandbox->volumes = allocate(scenario->volume_count, sizeof *sandbox->volumes);
    for (size_t i = 0; i < scenario->volume_count; i++) {
        sandbox->volumes[i] = (struct sandbox_volume){.given = &scenario->volumes[i], .directory = -1, .log = {-1, -1}};
        sandbox->volume_count++;
        if (!make_volume(sandbox, &sandbox->volumes[i], problem))
            return false;
    }
    return true;
}

bool volumes_finish(struct sandbox *sandbox, struct problem *problem)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        if (!finish_volume(sandbox, &sandbox->volumes[i], problem))
            return false;
    }
    return true;
}

/* ---- Actions ---------------------------------------------------------------------------------------------------- */

int sandbox_mount_over(struct sandbox *sandbox, const char *mount_point)
{
    PATH_OF(path, "%s%s", sandbox->root, mount_point);
    return mount("tmpfs", path, "tmpfs", 0, "mode=755") == 0 ? 0 : errno;
}

int sandbox_unmount(struct sandbox *sandbox, const char *mount_point)
{
    PATH_OF(path, "%s%s", sandbox->root, mount_point);
    if (umount2(path, 0) == 0)
        return 0;
    return errno == EBUSY && umount2(path, MNT_DETACH) == 0 ? 0 : errno;
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* Is the device still attached, and by this sandbox? */
static bool is_attached(const struct sandbox *sandbox, const char *loop)
{
    PATH_OF(used, "/sys/block/%s/loop", loop);
    if (access(used, F_OK) != 0)
        return false;
    struct loop_info64 info = {0};
    char name[MARK_SIZE];
    sandbox_mark(sandbox, name);
    PATH_OF(device, "/dev/%s", loop);
    int file = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool ours = file >= 0 && ioctl(file, LOOP_GET_STATUS64, &info) == 0 &&
                strncmp((const char *)info.lo_file_name, name, LO_NAME_SIZE) == 0;
    if (file >= 0)
        close(file);
    return ours;
}

/* Waits until the devices are gone: they let go of their images a moment after they were unmounted. */
static void await_detached(const struct sandbox *sandbox, struct outcome *outcome)
{
    int waited_ms = 0;
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        const struct sandbox_volume *volume = &sandbox->volumes[i];
        bool attached = volume->loop[0] && is_attached(sandbox, volume->loop);
        for (; attached && waited_ms < GONE_WAIT_MS; attached = is_attached(sandbox, volume->loop), waited_ms += 2)
            usleep(2000);
        if (attached)
            outcome_left(outcome, "/dev/%s, the disk of %s", volume->loop, volume->given->mount);
    }
}

void volumes_close(struct sandbox *sandbox, struct outcome *outcome)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        if (sandbox->volumes[i].directory >= 0)
            close(sandbox->volumes[i].directory);
        for (size_t k = 0; k < 2; k++) {
            if (sandbox->volumes[i].log[k] >= 0)
                close(sandbox->volumes[i].log[k]);
        }
    }
    umount2(sandbox->root, MNT_DETACH);
    /* Those that served disks had to write what unmounting flushed. */
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        if (sandbox->volumes[i].fakefs.server > 0)
            fakefs_stop(&sandbox->volumes[i].fakefs);
    }
    await_detached(sandbox, outcome);
    free(sandbox->volumes);
    sandbox->volumes = NULL;
    sandbox->volume_count = 0;
}
