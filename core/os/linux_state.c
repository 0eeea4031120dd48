/* linux_state.c: files that we write, and what says on this machine that we run: the directory, the lock, the journal. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux.h"
#include "linux_paths.h"

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

/* Fills and closes a file that was just made. */
static int fill(int fd, const char *text, size_t size, mode_t mode, bool durable)
{
    int failed = write_all(fd, text, size);
    if (!failed && fchmod(fd, mode) != 0)
        failed = errno;
    if (!failed && durable && fsync(fd) != 0)
        failed = errno;
    if (close(fd) != 0 && !failed)
        failed = errno;
    return failed;
}

/* Puts a new file in the place of `path`, as a whole. */
static int replace_file(const char *path, const char *text, size_t size, mode_t mode, bool durable)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= sizeof temporary)
        return ENAMETOOLONG;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return errno;
    int failed = fill(fd, text, size, mode, durable);
    if (!failed && rename(temporary, path) != 0)
        failed = errno;
    if (failed)
        unlink(temporary);
    return failed;
}

static int create_file(const char *path, const char *text, size_t size, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return errno;
    int failed = fill(fd, text, size, mode, true);
    if (failed)
        unlink(path);
    return failed;
}

/* Writes to what is there and no regular file: a device or a pipe is written to, not replaced. */
static int write_special(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int failed = write_all(fd, text, size);
    close(fd);
    return failed;
}

int qz_linux_write_file(struct qz_os *os, const char *path, const char *text, size_t size, mode_t mode, bool replace)
{
    (void)os;
    if (!replace)
        return create_file(path, text, size, mode);
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return write_special(path, text, size);
    /* A symbolic link stays one; the file that it leads to is replaced. */
    char target[PATH_MAX];
    return replace_file(realpath(path, target) ? target : path, text, size, mode, true);
}

int qz_linux_make_directory(struct qz_os *os, const char *path, mode_t mode)
{
    (void)os;
    if (mkdir(path, mode) != 0)
        return errno == EEXIST ? 0 : errno;
    /* Whatever the umask says. */
    return chmod(path, mode) == 0 ? 0 : errno;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

int qz_linux_remove(struct qz_os *os, const char *path)
{
    (void)os;
    return nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ? 0 : errno;
}

/* ---- The run state ---------------------------------------------------------------------------------------------- */

const char *qz_linux_state_directory(struct qz_os *os)
{
    return qz_linux(os)->state_directory;
}

const char *qz_linux_boot_id(struct qz_os *os)
{
    return qz_linux(os)->boot_id;
}

/* Makes the state directory if need be. EPERM: others may write what we would believe. */
static int make_state_directory(struct qz_linux *lx)
{
    int failed = qz_linux_make_directory(&lx->base, lx->state_directory, S_IRWXU);
    if (failed)
        return failed;
    struct stat facts;
    if (lstat(lx->state_directory, &facts) != 0)
        return errno;
    if (!S_ISDIR(facts.st_mode))
        return ENOTDIR;
    return facts.st_uid == geteuid() && (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0 ? 0 : EPERM;
}

static int state_path(const struct qz_linux *lx, const char *name, char path[PATH_MAX])
{
    return snprintf(path, PATH_MAX, "%s/%s", lx->state_directory, name) < PATH_MAX ? 0 : ENAMETOOLONG;
}

int qz_linux_lock(struct qz_os *os)
{
    struct qz_linux *lx = qz_linux(os);
    if (lx->lock >= 0)
        return 0;
    char path[PATH_MAX];
    int failed = make_state_directory(lx);
    if (!failed)
        failed = state_path(lx, "lock", path);
    if (failed)
        return failed;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return errno;
    /* Of the open file, not of the process: the guardian's copy of the descriptor holds it, too. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        failed = errno;
        close(fd);
        return failed;
    }
    lx->lock = fd;
    return 0;
}

int qz_linux_journal_write(struct qz_os *os, const char *text, size_t size)
{
    struct qz_linux *lx = qz_linux(os);
    char path[PATH_MAX];
    int failed = make_state_directory(lx);
    if (!failed)
        failed = state_path(lx, "journal", path);
    if (failed)
        return failed;
    if (size == 0)
        return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
    /* It need not outlive the kernel that it speaks of. */
    return replace_file(path, text, size, S_IRUSR | S_IWUSR, false);
}

ssize_t qz_linux_journal_read(struct qz_os *os, char *buffer, size_t capacity)
{
    char path[PATH_MAX];
    int failed = state_path(qz_linux(os), "journal", path);
    if (failed)
        return -failed;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    ssize_t size = qz_linux_read_file(os, fd, buffer, capacity);
    close(fd);
    return size;
}
