/* linux_recover.c: a way back to a filesystem that may be frozen, whatever was done to its mount point since. */
#include "linux_mounts.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "linux_devices.h"
#include "mount_paths.h"

#define COVERS_MAX 64  /* mounts that are peeled off one mount point */
#define MEMBERS_MAX 16 /* devices of a btrfs that are looked at */
#define END_LOOKS_MAX 500 /* for the child's end, a millisecond apart */

/* ---- Through the mounts there are ------------------------------------------------------------------------------- */

static bool is_at(const struct qz_mount *mount, const char *mount_point)
{
    return strcmp(mount->mount_point, mount_point) == 0;
}

/* Opens any mount of `dev` in the table, the one at `mount_point` first. ENOENT: there is none. */
static int open_any(const struct qz_mount_table *table, const char *mount_point, dev_t dev, int *fd)
{
    int error = ENOENT;
    for (int elsewhere = 0; elsewhere <= 1; elsewhere++) {
        for (size_t i = 0; i < table->count; i++) {
            const struct qz_mount *mount = &table->mounts[i];
            if (mount->dev != dev || is_at(mount, mount_point) != (elsewhere == 0))
                continue;
            error = qz_linux_open_mount(mount, fd);
            if (!error)
                return 0;
        }
    }
    return error;
}

/* Opens any mount of `dev` that this namespace has and leads to. ENOENT: there is none, ESTALE: all are covered. */
static int open_mounted(const char *mount_point, dev_t dev, int *fd)
{
    struct qz_mount_table table;
    int error = qz_linux_read_mounts(&table);
    if (error)
        return error;
    error = open_any(&table, mount_point, dev, fd);
    qz_mount_table_free(&table);
    return error;
}

/* ---- In a namespace of our own ---------------------------------------------------------------------------------- */

/* Takes away the mount that the path of a covered mount of `dev` leads to. */
static int peel(dev_t dev)
{
    struct qz_mount_table table;
    int error = qz_linux_read_mounts(&table);
    if (error)
        return error;
    error = ENOENT;
    for (size_t i = 0; i < table.count && error; i++) {
        if (table.mounts[i].dev != dev)
            continue;
        const struct qz_mount *cover = qz_mount_of_path(&table, table.mounts[i].mount_point);
        error = EBUSY;
        if (cover && cover->dev != dev && strcmp(cover->mount_point, "/") != 0)
            error = umount2(cover->mount_point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ? 0 : errno;
    }
    qz_mount_table_free(&table);
    return error;
}

/* Peels until a mount of `dev` can be opened. */
static int open_covered(const char *mount_point, dev_t dev, int *fd)
{
    int error = open_mounted(mount_point, dev, fd);
    for (int peeled = 0; error == ESTALE && peeled < COVERS_MAX; peeled++) {
        error = peel(dev);
        if (!error)
            error = open_mounted(mount_point, dev, fd);
    }
    return error;
}

/* The type of filesystem on the opened device; the caller frees. NULL: cannot be told. */
static char *probe_type(int device)
{
    const char *type = NULL;
    char *found = NULL;
    blkid_probe probe = blkid_new_probe();
    if (probe && blkid_probe_set_device(probe, device, 0, 0) == 0 && blkid_do_safeprobe(probe) == 0 &&
        blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0)
        found = strdup(type);
    blkid_free_probe(probe);
    return found;
}

/* Is there a superblock (or another holder) on the device? If not, to mount it would make a new one. */
static bool is_held(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_EXCL);
    if (fd >= 0)
        close(fd);
    return fd < 0 && errno == EBUSY;
}

/* Mounts what is on the device once more, over a directory that is certainly there and not needed any more. */
static int mount_once_more(const char *path, const char *mount_point)
{
    const char *const places[] = {mount_point, "/mnt", "/sys"};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    char *type = probe_type(fd);
    close(fd);
    if (!type)
        return EINVAL;
    int error = EINVAL;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && error; i++)
        error = mount(path, places[i], type, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ? 0 : errno;
    free(type);
    return error;
}

/* Reaches superblock `dev` through a block device that may hold it. ENOENT: it does not. */
static int open_through_device(dev_t device, const char *mount_point, dev_t dev, int *fd)
{
    char *path = qz_linux_device_path(device);
    if (!path)
        return ENOENT;
    int error = is_held(path) ? mount_once_more(path, mount_point) : ENOENT;
    free(path);
    return error ? error : open_mounted(mount_point, dev, fd);
}

/* The number of a btrfs' superblock does not tell its devices: all btrfs that the kernel has are tried. */
static int open_some_btrfs(const char *mount_point, dev_t dev, int *fd)
{
    DIR *entries = opendir("/sys/fs/btrfs");
    if (!entries)
        return ENOENT;
    int error = ENOENT;
    for (struct dirent *entry = readdir(entries); entry && error; entry = readdir(entries)) {
        dev_t members[MEMBERS_MAX];
        size_t count = qz_linux_btrfs_members(entry->d_name, members, MEMBERS_MAX);
        if (count > 0)
            error = open_through_device(members[0], mount_point, dev, fd);
    }
    closedir(entries);
    return error;
}

/* What the child does: everything that must not be seen outside, or may hang. */
static int open_privately(const char *mount_point, dev_t dev, int *fd)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return errno;
    int error = open_covered(mount_point, dev, fd);
    if (error != ENOENT)
        return error;
    if (major(dev) != 0)
        return open_through_device(dev, mount_point, dev, fd);
    return open_some_btrfs(mount_point, dev, fd);
}

/* ---- The child -------------------------------------------------------------------------------------------------- */

/* Sends `error` and, if it is 0, `fd`. */
static void send_result(int socket, int error, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec data = {.iov_base = &error, .iov_len = sizeof error};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (!error) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    sendmsg(socket, &message, MSG_NOSIGNAL);
}

static int receive_result(int socket, int *fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    int error = 0;
    struct iovec data = {.iov_base = &error, .iov_len = sizeof error};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof error)
        return ECHILD;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (error)
        return error;
    if (!header)
        return ECHILD;
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return 0;
}

/* The child keeps no descriptor but its socket: should it hang, it must hold no lock and no pipe of ours. */
_Noreturn static void run_child(int socket, const char *mount_point, dev_t dev)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(socket, STDIN_FILENO) < 0 || close_range(STDOUT_FILENO, ~0U, 0) != 0)
        _exit(1);
    int fd = -1;
    int error = open_privately(mount_point, dev, &fd);
    send_result(STDIN_FILENO, error, fd);
    _exit(0);
}

/* Waits until the socket can be read; ETIMEDOUT after QZ_LINUX_RECOVER_US, whatever signals come. */
static int await(int socket)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t waited_us = (now.tv_sec - start.tv_sec) * QZ_US_PER_S + (now.tv_nsec - start.tv_nsec) / 1000;
        if (waited_us >= QZ_LINUX_RECOVER_US)
            return ETIMEDOUT;
        struct pollfd wanted = {.fd = socket, .events = POLLIN};
        int ready = poll(&wanted, 1, (int)((QZ_LINUX_RECOVER_US - waited_us) / 1000 + 1));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
}

/* Ends the child, but does not wait for one that hangs in the kernel. */
static void end_child(pid_t child)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    kill(child, SIGKILL);
    for (int looks = 0; looks < END_LOOKS_MAX && waitpid(child, NULL, WNOHANG) == 0; looks++)
        nanosleep(&pause, NULL);
}

static int recover_in_child(const char *mount_point, dev_t dev, int *fd)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return errno;
    pid_t child = fork();
    if (child == 0)
        run_child(pair[1], mount_point, dev);
    int error = child < 0 ? errno : 0;
    close(pair[1]);
    if (!error)
        error = await(pair[0]);
    if (!error)
        error = receive_result(pair[0], fd);
    close(pair[0]);
    if (child > 0)
        end_child(child);
    return error;
}

int qz_linux_recover_mount(const char *mount_point, dev_t dev, int *fd)
{
    int error = open_mounted(mount_point, dev, fd);
    return error ? recover_in_child(mount_point, dev, fd) : 0;
}
