#include "loop_volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

__attribute__((format(printf, 1, 2))) static bool run(const char *format, ...)
{
    char command[PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return system(command) == 0;
}

const char *loop_volumes_path(const struct loop_volumes *volumes, int index)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/mount%d", volumes->directory, index);
    return path;
}

static void thaw(const struct loop_volumes *volumes, int index)
{
    int fd = open(loop_volumes_path(volumes, index), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    ioctl(fd, FITHAW, 0);
    close(fd);
}

static void thaw_all(const struct loop_volumes *volumes)
{
    for (int i = 0; i < volumes->count; i++)
        thaw(volumes, i);
}

static pid_t start_rescuer(const struct loop_volumes *volumes)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setsid();
    close_range(3, ~0U, 0);
    sleep(20);
    thaw_all(volumes);
    _exit(0);
}

bool loop_volumes_make(struct loop_volumes *volumes, int count, bool nested)
{
    *volumes = (struct loop_volumes){.directory = "/tmp/quiesce-loop-XXXXXX"};
    if (geteuid() != 0 || !mkdtemp(volumes->directory)) {
        check_skip("loop devices need root");
        return false;
    }
    const char *dir = volumes->directory;
    bool made = run("truncate -s 64M %s/template && mkfs.ext4 -q %s/template", dir, dir);
    for (int i = 0; made && i < count; i++) {
        const char *image = nested && i == 1 ? "mount0/image" : "image";
        /* Smaller than what it lies on. */
        made = nested && i == 1 ? run("truncate -s 16M %s/%s1 && mkfs.ext4 -q %s/%s1", dir, image, dir, image)
                                : run("cp --sparse=always %s/template %s/%s%d", dir, dir, image, i);
        made = made && run("mkdir %s/mount%d && mount -o loop %s/%s%d %s/mount%d", dir, i, dir, image, i, dir, i);
        volumes->count += made;
    }
    if (made)
        volumes->rescuer = start_rescuer(volumes);
    if (!made || volumes->rescuer < 0) {
        loop_volumes_remove(volumes);
        check_skip("no ext4 on a loop device here");
        return false;
    }
    return true;
}

bool loop_volumes_frozen(const struct loop_volumes *volumes, int index)
{
    int fd = open(loop_volumes_path(volumes, index), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool frozen = ioctl(fd, FIFREEZE, 0) != 0 && errno == EBUSY;
    if (!frozen)
        ioctl(fd, FITHAW, 0);
    close(fd);
    return frozen;
}

void loop_volumes_end_hang(const struct loop_volumes *volumes)
{
    thaw(volumes, 0);
    for (int tries = 0; tries < 400 && !loop_volumes_frozen(volumes, 1); tries++)
        usleep(5000);
    CU_ASSERT(loop_volumes_frozen(volumes, 1));
    thaw(volumes, 1);
}

/* A loop device lets go of its image a moment after it was unmounted. */
static bool unmount(const struct loop_volumes *volumes, int index)
{
    const char *path = loop_volumes_path(volumes, index);
    int failed = umount2(path, 0);
    for (int tries = 0; tries < 500 && failed && errno == EBUSY; tries++) {
        usleep(20000);
        failed = umount2(path, 0);
    }
    return !failed;
}

void loop_volumes_remove(struct loop_volumes *volumes)
{
    thaw_all(volumes);
    if (volumes->rescuer > 0) {
        kill(volumes->rescuer, SIGKILL);
        waitpid(volumes->rescuer, NULL, 0);
    }
    while (volumes->count > 0)
        CU_ASSERT(unmount(volumes, --volumes->count));
    run("rm -rf --one-file-system %s", volumes->directory);
}
