/* linux_state.c: files that we write, and what says on this machine that we run: the directory, the lock, the
 * journal. */
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

/* Makes the file that a symbolic link leads to. */
static int create_through_link(const char *path, const char *text, size_t size, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    return fd < 0 ? errno : fill(fd, text, size, mode, true);
}

/* Writes to what is there and cannot be replaced: a device, a pipe, a file that has a descriptor and no name. A pipe by
 * name that nobody reads is not waited for (ENXIO). */
static int write_special(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int failed = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0 ? errno : write_all(fd, text, size);
    close(fd);
    return failed;
}

/* Walks `path`, also one that does not begin at the root directory. */
static int walk(struct qz_os *os, const char *path, struct qz_path_facts *way)
{
    char here[PATH_MAX], whole[2 * PATH_MAX];
    if (path[0] == '/')
        return qz_linux_inspect(os, path, way);
    if (!getcwd(here, sizeof here))
        return errno;
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return qz_linux_inspect(os, whole, way);
}

/* Is there a link on the way that anybody may have put there: in a sticky directory that all may write to, and neither
 * ours nor that directory's owner's? The kernel, where fs.protected_symlinks is on, does not follow it either. */
static bool has_stranger_s_link(const struct qz_path_facts *way)
{
    for (size_t i = 1; i < way->count; i++) {
        const struct qz_path_step *step = &way->steps[i], *directory = &way->steps[step->parent];
        if (step->kind == QZ_STEP_SYMLINK && (directory->mode & S_ISVTX) && (directory->mode & S_IWOTH) &&
            step->uid != geteuid() && step->uid != directory->uid)
            return true;
    }
    return false;
}

int qz_linux_write_file(struct qz_os *os, const char *path, const char *text, size_t size, mode_t mode, bool replace)
{
    if (!replace)
        return create_file(path, text, size, mode);
    struct stat there;
    int absent = stat(path, &there) == 0 ? 0 : errno;
    if (absent && absent != ENOENT)
        return absent;
    struct qz_path_facts way;
    int failed = walk(os, path, &way);
    if (failed)
        return failed;
    if (has_stranger_s_link(&way))
        failed = EACCES;
    else if (way.error && way.error != ENOENT)
        failed = way.error;
    else if (!absent && (way.error || !S_ISREG(there.st_mode)))
        failed = write_special(path, text, size);
    else if (absent && readlink(path, (char[1]){0}, 1) > 0)
        failed = create_through_link(path, text, size, mode);
    else /* A symbolic link that leads to a file stays one, and that file is replaced. */
        failed = replace_file(absent ? path : way.steps[way.count - 1].path, text, size, mode, true);
    qz_path_facts_free(os, &way);
    return failed;
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

/* Makes the state directory if need be. EPERM: others may write what we would believe.
 * It may lie on what is frozen, and whoever is to thaw that comes this way: what is there is asked for nothing that waits
 * for a frozen filesystem, as mkdir(2) and O_CREAT do before they see that there is nothing to be made. */
static int make_state_directory(struct qz_linux *lx)
{
    struct stat facts;
    int failed = lstat(lx->state_directory, &facts) == 0 ? 0 : errno;
    if (failed == ENOENT) {
        failed = qz_linux_make_directory(&lx->base, lx->state_directory, S_IRWXU);
        if (!failed && lstat(lx->state_directory, &facts) != 0)
            failed = errno;
    }
    if (failed)
        return failed;
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
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
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

ssize_t qz_linux_journal_read(struct qz_os *os, size_t limit, char **text)
{
    char path[PATH_MAX];
    *text = NULL;
    int failed = state_path(qz_linux(os), "journal", path);
    if (failed)
        return -failed;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    struct stat facts;
    bool regular = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode); /* a pipe would be waited for */
    ssize_t size = regular ? qz_linux_read_file(os, fd, limit, text) : -EINVAL;
    close(fd);
    return size;
}
