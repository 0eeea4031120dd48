#include "acts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static void say(struct side *side, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct side *side, const char *format, ...)
{
    size_t used = strlen(side->line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(side->line + used, sizeof side->line - used, format, arguments);
    va_end(arguments);
}

static void result(struct side *side, long long value)
{
    int error = errno;
    if (value < 0)
        say(side, "%s", strerrorname_np(error));
    else
        say(side, "%lld", value);
}

static const char *at(const struct side *side, const char *path)
{
    static char paths[4][192];
    static int next;
    char *out = paths[next++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", side->root, path);
    return out;
}

/* A hash of bytes, so that a line tells what was read. */
static unsigned digest(const char *bytes, size_t size)
{
    unsigned hash = 5381;
    for (size_t i = 0; i < size; i++)
        hash = hash * 33 + (unsigned char)bytes[i];
    return hash;
}

static const char *filled(const struct step *step)
{
    static char bytes[ACTS_LONGEST];
    for (size_t i = 0; i < step->length; i++)
        bytes[i] = (char)('a' + (step->value + i) % 23);
    return bytes;
}

/* ---- What can be done -------------------------------------------------------------------------------------------- */

static void do_open(struct side *side, const struct step *step)
{
    int file = open(at(side, step->one), step->flags | O_CLOEXEC | O_NONBLOCK, step->mode);
    result(side, file < 0 ? -1 : 0);
    if (file < 0)
        return;
    if (side->files[step->slot] >= 0)
        close(side->files[step->slot]);
    side->files[step->slot] = file;
}

static void do_close(struct side *side, const struct step *step)
{
    result(side, close(side->files[step->slot]));
    side->files[step->slot] = -1;
}

static void do_read(struct side *side, const struct step *step)
{
    static char bytes[ACTS_LONGEST];
    int file = side->files[step->slot];
    ssize_t size = step->flags ? read(file, bytes, step->length) : pread(file, bytes, step->length, step->offset);
    result(side, size);
    say(side, " %x", size > 0 ? digest(bytes, (size_t)size) : 0);
}

static void do_write(struct side *side, const struct step *step)
{
    int file = side->files[step->slot];
    const char *bytes = filled(step);
    result(side, step->flags ? write(file, bytes, step->length) : pwrite(file, bytes, step->length, step->offset));
}

bool acts_reserve;

static void do_lseek(struct side *side, const struct step *step)
{
    struct stat stat; /* what lseek says of a directory is each filesystem's own business */
    if (acts_reserve && (step->flags == SEEK_DATA || step->flags == SEEK_HOLE))
        return;
    if (fstat(side->files[step->slot], &stat) == 0 && !S_ISREG(stat.st_mode))
        return;
    result(side, lseek(side->files[step->slot], step->offset, step->flags));
}

static void do_truncate(struct side *side, const struct step *step)
{
    result(side, truncate(at(side, step->one), step->offset + 1)); /* 0 cannot be told from O_TRUNC */
}

static void do_ftruncate(struct side *side, const struct step *step)
{
    struct stat stat;
    bool same = step->flags && fstat(side->files[step->slot], &stat) == 0; /* to the size that it has */
    result(side, ftruncate(side->files[step->slot], same ? stat.st_size : step->offset));
}

static void do_fallocate(struct side *side, const struct step *step)
{
    if (!acts_reserve && step->flags != PUNCH)
        return;
    result(side, fallocate(side->files[step->slot], step->flags, step->offset, (off_t)step->length + 1));
}

static void do_fsync(struct side *side, const struct step *step)
{
    result(side, fsync(side->files[step->slot]));
}

/* What the kernel has cached of the file is given up: it is read from the filesystem again. */
static void do_forget(struct side *side, const struct step *step)
{
    int file = side->files[step->slot];
    if (file >= 0 && fsync(file) == 0)
        posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
}

/* A byte stored into a mapping, where the file is long enough. */
static void do_map(struct side *side, const struct step *step)
{
    int file = side->files[step->slot];
    struct stat stat;
    if (fstat(file, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_size <= step->offset)
        return;
    char *memory = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        result(side, -1);
        return;
    }
    memory[step->offset] = (char)('A' + step->value % 26);
    result(side, msync(memory, (size_t)stat.st_size, MS_SYNC));
    munmap(memory, (size_t)stat.st_size);
}

static void do_copy_range(struct side *side, const struct step *step)
{
    off_t from = step->offset;
    off_t to = step->offset / 2;
    if (side->files[step->slot] == side->files[step->other_slot])
        return;
    result(side, copy_file_range(side->files[step->slot], &from, side->files[step->other_slot], &to, step->length, 0));
}

static void do_mkdir(struct side *side, const struct step *step)
{
    result(side, mkdir(at(side, step->one), step->mode));
}

static void do_mknod(struct side *side, const struct step *step)
{
    result(side, mknod(at(side, step->one), (mode_t)step->flags | step->mode, 0x0103));
}

static void do_symlink(struct side *side, const struct step *step)
{
    result(side, symlink(step->name, at(side, step->one)));
}

static void do_readlink(struct side *side, const struct step *step)
{
    char target[64] = "";
    result(side, readlink(at(side, step->one), target, sizeof target - 1));
    say(side, " %s", target);
}

static void do_link(struct side *side, const struct step *step)
{
    result(side, linkat(-1, at(side, step->one), -1, at(side, step->other), step->flags));
}

static void do_unlink(struct side *side, const struct step *step)
{
    result(side, unlinkat(-1, at(side, step->one), step->flags));
}

static void do_rename(struct side *side, const struct step *step)
{
    result(side, renameat2(-1, at(side, step->one), -1, at(side, step->other), (unsigned)step->flags));
}

static void do_chmod(struct side *side, const struct step *step)
{
    result(side, chmod(at(side, step->one), step->mode));
}

static void do_fchmod(struct side *side, const struct step *step)
{
    result(side, fchmod(side->files[step->slot], step->mode));
}

static void do_chown(struct side *side, const struct step *step)
{
    static const uid_t OWNERS[] = {0, ACTS_SOMEBODY, (uid_t)-1};
    result(side, fchownat(-1, at(side, step->one), OWNERS[step->value % 3], OWNERS[step->value / 3 % 2], step->flags));
}

static void do_utimens(struct side *side, const struct step *step)
{
    const struct timespec times[2] = {{.tv_sec = step->value, .tv_nsec = step->value % 7 ? 5 : UTIME_OMIT},
                                      {.tv_sec = step->value / 2, .tv_nsec = step->value % 5 ? 6 : UTIME_NOW}};
    result(side, utimensat(-1, at(side, step->one), times, step->flags));
}

static void do_access(struct side *side, const struct step *step)
{
    result(side, faccessat(-1, at(side, step->one), step->flags, AT_EACCESS));
}

static void do_setxattr(struct side *side, const struct step *step)
{
    result(side, lsetxattr(at(side, step->one), step->name, filled(step), step->length, step->flags));
}

static void do_getxattr(struct side *side, const struct step *step)
{
    static char value[ACTS_LONGEST];
    ssize_t size = lgetxattr(at(side, step->one), step->name, value, step->length);
    result(side, size);
    say(side, " %x", size > 0 && step->length > 0 ? digest(value, (size_t)size) : 0);
}

static void do_removexattr(struct side *side, const struct step *step)
{
    result(side, lremovexattr(at(side, step->one), step->name));
}

static int by_text(const void *one, const void *other)
{
    return strcmp(one, other);
}

static void do_list(struct side *side, const struct step *step)
{
    char names[64][64];
    size_t count = 0;
    DIR *directory = opendir(at(side, step->one));
    if (!directory) {
        result(side, -1);
        return;
    }
    for (const struct dirent *entry; count < 64 && (entry = readdir(directory));)
        snprintf(names[count++], sizeof names[0], "%.40s:%d", entry->d_name, entry->d_type);
    closedir(directory);
    qsort(names, count, sizeof names[0], by_text);
    for (size_t i = 0; i < count; i++)
        say(side, " %s", names[i]);
}

/* A time that a test has set; "now" for all others. */
static void say_time(struct side *side, const struct timespec *time)
{
    if (time->tv_sec < 1000000)
        say(side, " %lld.%ld", (long long)time->tv_sec, time->tv_nsec);
    else
        say(side, " now");
}

static void say_stat(struct side *side, const struct stat *stat)
{
    bool directory = S_ISDIR(stat->st_mode);
    say(side, " %o %d %d:%d %llx %lld %lld", stat->st_mode, (int)stat->st_nlink, (int)stat->st_uid, (int)stat->st_gid,
        S_ISCHR(stat->st_mode) ? (unsigned long long)stat->st_rdev : 0, directory ? 0 : (long long)stat->st_size,
        S_ISREG(stat->st_mode) ? (long long)stat->st_blocks : 0);
    if (S_ISFIFO(stat->st_mode)) /* moved by who writes to it, and no filesystem hears of that */
        return;
    say_time(side, &stat->st_atim);
    say_time(side, &stat->st_mtim);
}

static void do_stat(struct side *side, const struct step *step)
{
    struct stat stat;
    int error = fstatat(-1, at(side, step->one), &stat, step->flags);
    result(side, error);
    if (error == 0)
        say_stat(side, &stat);
}

static void do_fstat(struct side *side, const struct step *step)
{
    struct stat stat;
    int error = fstat(side->files[step->slot], &stat);
    result(side, error);
    if (error == 0)
        say_stat(side, &stat);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

#define ONE_OF(...) (const int[]){__VA_ARGS__, -1}

const struct act ACTS[] = {
    {"open", do_open, ONE_OF(O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_APPEND, O_RDWR | O_TRUNC, O_RDONLY | O_DIRECTORY,
                             O_RDWR | O_NOFOLLOW)},
    {"create", do_open, ONE_OF(O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_TRUNC,
                               O_RDWR | O_CREAT | O_APPEND, O_RDONLY | O_CREAT | O_NOFOLLOW)},
    {"close", do_close, NULL},
    {"read", do_read, ONE_OF(0, 1)},
    {"write", do_write, ONE_OF(0, 1)},
    {"write", do_write, ONE_OF(0, 1)},
    {"lseek", do_lseek, ONE_OF(SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE)},
    {"truncate", do_truncate, NULL},
    {"ftruncate", do_ftruncate, ONE_OF(0, 1)},
    {"fallocate", do_fallocate, ONE_OF(0, FALLOC_FL_KEEP_SIZE, PUNCH, PUNCH)},
    {"fsync", do_fsync, NULL},
    {"forget", do_forget, NULL},
    {"map", do_map, NULL},
    {"copy range", do_copy_range, NULL},
    {"mkdir", do_mkdir, NULL},
    {"mknod", do_mknod, ONE_OF(S_IFREG, S_IFIFO, S_IFCHR, S_IFSOCK)},
    {"symlink", do_symlink, NULL},
    {"readlink", do_readlink, NULL},
    {"link", do_link, ONE_OF(0, AT_SYMLINK_FOLLOW)},
    {"unlink", do_unlink, NULL},
    {"rmdir", do_unlink, ONE_OF(AT_REMOVEDIR)},
    {"rename", do_rename, ONE_OF(0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE)},
    {"chmod", do_chmod, NULL},
    {"fchmod", do_fchmod, NULL},
    {"chown", do_chown, ONE_OF(0, AT_SYMLINK_NOFOLLOW)},
    {"utimens", do_utimens, ONE_OF(0, AT_SYMLINK_NOFOLLOW)},
    {"access", do_access, ONE_OF(F_OK, R_OK, W_OK, X_OK)},
    {"setxattr", do_setxattr, ONE_OF(0, XATTR_CREATE, XATTR_REPLACE)},
    {"getxattr", do_getxattr, NULL},
    {"removexattr", do_removexattr, NULL},
    {"list", do_list, NULL},
    {"stat", do_stat, ONE_OF(0, AT_SYMLINK_NOFOLLOW)},
    {"fstat", do_fstat, NULL},
};

const size_t ACTS_COUNT = sizeof ACTS / sizeof *ACTS;

void acts_do(struct side *side, const struct step *step)
{
    snprintf(side->line, sizeof side->line, "%s %s %s %s slot %d %d at %lld for %zu flags %#x mode %o value %u%s: ",
             step->act->name, step->one, step->other, step->name, step->slot, step->other_slot,
             (long long)step->offset, step->length, (unsigned)step->flags, step->mode, step->value,
             step->somebody ? " as somebody" : "");
    setfsgid(step->somebody ? ACTS_SOMEBODY : 0);
    setfsuid(step->somebody ? ACTS_SOMEBODY : 0);
    step->act->run(side, step);
    setfsuid(0);
    setfsgid(0);
    struct stat stat; /* what has become of those that it was about */
    if (side->files[step->slot] >= 0 && fstat(side->files[step->slot], &stat) == 0)
        say_stat(side, &stat);
    if (lstat(at(side, step->one), &stat) == 0)
        say_stat(side, &stat);
}
