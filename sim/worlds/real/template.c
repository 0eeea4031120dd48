/* template.c: images of new filesystems: made once for each type and size, kept in the cache, copied for each
 * volume. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"
#include "sparse.h"

#define MIB INT64_C(1048576)
#define MIXED_BTRFS_BELOW (128 * MIB) /* with separate data and metadata it needs more */
#define WHOLE_XFS_FROM (300 * MIB)    /* smaller ones mkfs.xfs makes only when it is told that they are for tests */

/* ---- Making a filesystem ---------------------------------------------------------------------------------------- */

#define ARGUMENTS_MAX 12

/* The command that makes a filesystem of `type` in `image`; false: nobody knows that type. */
static bool mkfs_command(const char *type, int64_t size, const char *image, const char *argv[ARGUMENTS_MAX])
{
    static const struct {
        const char *type;
        const char *argv[ARGUMENTS_MAX];
    } COMMANDS[] = {
        {"ext4", {"mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"}},
        {"ext3", {"mkfs.ext3", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"}},
        {"ext2", {"mkfs.ext2", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0"}},
        {"xfs", {"mkfs.xfs", "-q", "-f"}},
        {"btrfs", {"mkfs.btrfs", "-q", "-f"}},
    };
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        if (strcmp(COMMANDS[i].type, type) != 0)
            continue;
        size_t n = 0;
        for (; COMMANDS[i].argv[n]; n++)
            argv[n] = COMMANDS[i].argv[n];
        if (strcmp(type, "btrfs") == 0 && size < MIXED_BTRFS_BELOW)
            argv[n++] = "--mixed";
        if (strcmp(type, "xfs") == 0 && size < WHOLE_XFS_FROM)
            argv[n++] = "--unsupported";
        argv[n++] = image;
        argv[n] = NULL;
        return true;
    }
    return false;
}

int program_run(const char *const *argv, char *output, size_t size)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(out[1]);
    size_t length = 0;
    for (ssize_t got = 1; pid > 0 && got > 0; length += got > 0 ? (size_t)got : 0) {
        char rest[512];
        bool full = length + 1 >= size;
        got = full ? read(out[0], rest, sizeof rest) : read(out[0], output + length, size - 1 - length);
        if (full)
            length -= got > 0 ? (size_t)got : 0;
    }
    output[length] = '\0';
    close(out[0]);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -ECHILD;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool make_filesystem(const char *type, int64_t size, const char *path, struct problem *problem)
{
    const char *argv[ARGUMENTS_MAX];
    char output[512];
    if (!mkfs_command(type, size, path, argv))
        return problem_set(problem, "%s: no volume of this type can be made; known are ext2, ext3, ext4, xfs, btrfs "
                                    "and tmpfs", type);
    int status = program_run(argv, output, sizeof output);
    if (status == 127)
        return problem_set(problem, "%s is not installed", argv[0]);
    /* The first line says what is wrong. */
    return status == 0 || problem_set(problem, "%s of %" PRId64 " MiB failed: %.*s", argv[0], size / MIB,
                                      (int)strcspn(output, "\n"), output);
}

/* Makes the template under a name of our own, copies it without its blocks of zeros, and names it. */
static bool make_template(const char *type, int64_t size, const char *path, struct problem *problem)
{
    PATH_OF(raw, "%s.%d.raw", path, (int)getpid());
    PATH_OF(dug, "%s.%d.dug", path, (int)getpid());
    int image = open(raw, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int copy = open(dug, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool made = image >= 0 && copy >= 0 && ftruncate(image, size) == 0;
    if (!made)
        problem_set(problem, "%s: %s", path, strerror(errno));
    made = made && make_filesystem(type, size, raw, problem);
    int error = made ? sparse_copy(image, copy, true) : 0;
    if (!error && made && rename(dug, path) != 0)
        error = errno;
    if (error)
        made = problem_set(problem, "%s: %s", path, strerror(error));
    if (image >= 0)
        close(image);
    if (copy >= 0)
        close(copy);
    unlink(raw);
    unlink(dug);
    return made;
}

int template_open(const struct world_settings *settings, const char *type, int64_t size, struct problem *problem)
{
    PATH_OF(path, "%s/%s-%" PRId64 ".img", settings->cache, type, size);
    int image = open(path, O_RDONLY | O_CLOEXEC);
    if (image >= 0 || errno != ENOENT)
        return image;
    PATH_OF(lock_path, "%s/templates.lock", settings->cache);
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        problem_set(problem, "%s: %s", lock_path, strerror(errno));
        return -1;
    }
    /* Somebody may have made it while we waited. */
    if (access(path, R_OK) == 0 || make_template(type, size, path, problem))
        image = open(path, O_RDONLY | O_CLOEXEC);
    close(lock);
    return image;
}

/* ---- An identity of its own ------------------------------------------------------------------------------------- */

/* Of the superblock of btrfs (its on-disk format): where what we change stands. */
enum {
    SUPER_OFFSET = 64 * 1024,
    SUPER_SIZE = 4096,
    SUPER_CHECKSUM = 0,       /* crc32c of all that follows it, in its first 4 of 32 bytes */
    SUPER_FSID = 32,
    SUPER_MAGIC = 64,
    SUPER_INCOMPAT = 188,
    SUPER_METADATA_UUID = 571,
    UUID_SIZE = 16,
};
#define INCOMPAT_METADATA_UUID (UINT64_C(1) << 10)

static uint32_t crc32c(const unsigned char *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

/* Two btrfs with the same number are taken for one; with a metadata number of its own, as btrfstune -m gives it, the
 * outer one can be changed by writing the superblock alone. */
static int make_btrfs_unique(int image)
{
    unsigned char super[SUPER_SIZE];
    if (pread(image, super, sizeof super, SUPER_OFFSET) != (ssize_t)sizeof super ||
        memcmp(super + SUPER_MAGIC, "_BHRfS_M", 8) != 0)
        return EINVAL;
    uint64_t incompat;
    memcpy(&incompat, super + SUPER_INCOMPAT, sizeof incompat);
    if (!(incompat & INCOMPAT_METADATA_UUID))
        memcpy(super + SUPER_METADATA_UUID, super + SUPER_FSID, UUID_SIZE);
    incompat |= INCOMPAT_METADATA_UUID;
    memcpy(super + SUPER_INCOMPAT, &incompat, sizeof incompat);
    if (getrandom(super + SUPER_FSID, UUID_SIZE, 0) != UUID_SIZE)
        return errno;
    uint32_t checksum = crc32c(super + 32, sizeof super - 32);
    memcpy(super + SUPER_CHECKSUM, &checksum, sizeof checksum);
    return pwrite(image, super, sizeof super, SUPER_OFFSET) == (ssize_t)sizeof super ? 0 : errno;
}

int image_make_unique(int image, const char *type)
{
    return strcmp(type, "btrfs") == 0 ? make_btrfs_unique(image) : 0;
}
