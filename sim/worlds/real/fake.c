/* fake.c: what the fake filesystem serves: the volumes of the fake world, and recorded disks of the loop world. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "parts.h"

#define TINY_DISK 65536 /* bytes: only there so that the volume has a block device */

static bool start(struct sandbox_volume *volume, const struct fakefs_mount *served, struct problem *problem)
{
    char why[256] = "";
    int error = fakefs_start(&volume->fakefs, served, why, sizeof why);
    return !error || problem_set(problem, "the fake filesystem of %s: %s", volume->given->mount, why);
}

/* A file as the disk under a volume of the fake world: its content is never read. */
static int make_tiny_disk(struct sandbox *sandbox, const struct sandbox_volume *volume)
{
    const char *on = volume->given->on;
    size_t index = (size_t)(volume - sandbox->volumes);
    PATH_OF(path, "%s%s/disk-%zu.img", sandbox->root, on ? on : SANDBOX_DISKS, index);
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC;
    int image = on ? open(path, flags, 0600) : volume_open_image(sandbox, path, flags);
    if (image >= 0 && ftruncate(image, TINY_DISK) == 0)
        return image;
    if (image >= 0)
        close(image);
    return -1;
}

bool fake_mount(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem)
{
    int image = make_tiny_disk(sandbox, volume);
    if (image < 0)
        return problem_set(problem, "the disk of %s: %s", volume->given->mount, strerror(errno));
    int loop = volume_attach(sandbox, volume, image, problem);
    if (loop < 0)
        return false;
    char device[PATH_MAX];
    volume_device(sandbox, volume->loop, device);
    const struct fakefs_mount served = {.mount_point = volume->path, .block_device = device, .size = volume->given->size};
    volume->fake = start(volume, &served, problem);
    close(loop);
    return volume->fake;
}

bool fake_add_subvolume(struct sandbox *sandbox, const struct sandbox_volume *volume, size_t index,
                        struct problem *problem)
{
    const char *at = volume->given->subvolumes[index];
    PATH_OF(folder, "%s/subvolume-%zu", volume->path, index);
    PATH_OF(path, "%s%s", sandbox->root, at);
    int error = mkdir(folder, 0755) == 0 ? inside_make_directories(sandbox, at) : errno;
    if (!error && mount(folder, path, NULL, MS_BIND, NULL) != 0)
        error = errno;
    return !error || problem_set(problem, "a subvolume of %s on %s: %s", volume->given->mount, at, strerror(error));
}

const char *fake_disk(const struct sandbox_volume *volume)
{
    return strrchr(volume->image, '/');
}

bool fake_make_disk(struct sandbox *sandbox, struct sandbox_volume *volume, struct problem *problem)
{
    char mark[MARK_SIZE];
    struct stat facts;
    sandbox_dotted_mark(sandbox, mark);
    PATH_OF(folder, "%s" SANDBOX_DISKS "/recorded-%zu", sandbox->root, (size_t)(volume - sandbox->volumes));
    const struct fakefs_mount served = {.mount_point = folder, .history = sandbox_looks_back(sandbox, volume->given)};
    if (mkdir(folder, 0700) != 0)
        return problem_set(problem, "%s: %s", folder, strerror(errno));
    if (!start(volume, &served, problem))
        return false;
    if (stat(folder, &facts) != 0)
        return problem_set(problem, "%s: %s", folder, strerror(errno));
    path_format(volume->image, "%s" MARKED_DISK "%s", folder, minor(facts.st_dev), mark);
    return true;
}

bool fake_slow_down(struct sandbox_volume *volume, struct problem *problem)
{
    if (!volume->given->recorded || volume->given->disk_write_us == 0)
        return true;
    const struct fakefs_rule slow = {.operation = "write", .path = fake_disk(volume), .delay_us = volume->given->disk_write_us};
    int error = fakefs_add_rule(&volume->fakefs, &slow);
    return !error || problem_set(problem, "a slow disk for %s: %s", volume->given->mount, strerror(error));
}

int fake_lose_disk(struct sandbox_volume *volume)
{
    /* What a filesystem knows already it goes on telling. */
    const struct fakefs_rule rule = {.operation = volume->fake ? "change" : "*", .error = EIO};
    return fakefs_add_rule(&volume->fakefs, &rule);
}

int fake_open_then(struct sandbox_volume *volume, int64_t at_us, char path[PATH_MAX])
{
    path_format(path, "%.*s" FAKE_DISK_THEN, (int)(fake_disk(volume) - volume->image), volume->image);
    unlink(path);
    return fakefs_copy(&volume->fakefs, fake_disk(volume), at_us, FAKE_DISK_THEN) == 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
}
