/* linux_mounts.c: /proc/self/mountinfo, and opening what it names. */
#include "linux_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux_devices.h"
#include "mount_paths.h"

#define MOUNTINFO "/proc/self/mountinfo"

/* A table that is being read: for each mount the one it lies on, and its filesystem's own options. */
struct reading {
    struct qz_mount_table *table;
    int *parents;
    char **options;
};

static bool has_option(const char *options, const char *name)
{
    char *value = NULL;
    size_t size = 0;
    return options && mnt_optstr_get_option(options, name, &value, &size) == 0;
}

static char *copy(const char *text)
{
    return strdup(text ? text : "");
}

/* Takes row `index` over from libmount. Returns 0, ENOMEM or EBADMSG: a row of another kind of table. */
static int take_row(struct reading *reading, size_t index, struct libmnt_fs *fs)
{
    if (!mnt_fs_is_kernel(fs) || !mnt_fs_get_root(fs))
        return EBADMSG;
    struct qz_mount *mount = &reading->table->mounts[index];
    *mount = (struct qz_mount){
        .id = mnt_fs_get_id(fs),
        .dev = mnt_fs_get_devno(fs),
        .mount_point = copy(mnt_fs_get_target(fs)),
        .root = copy(mnt_fs_get_root(fs)),
        .fstype = copy(mnt_fs_get_fstype(fs)),
        .source = copy(mnt_fs_get_source(fs)),
        .uuid = copy(NULL),
        .label = copy(NULL),
        .read_only = has_option(mnt_fs_get_vfs_options(fs), "ro"),
        .super_read_only = has_option(mnt_fs_get_fs_options(fs), "ro"),
    };
    reading->parents[index] = mnt_fs_get_parent_id(fs);
    reading->options[index] = copy(mnt_fs_get_fs_options(fs));
    reading->table->count = index + 1;
    if (!mount->mount_point || !mount->root || !mount->fstype || !mount->source || !mount->uuid || !mount->label ||
        !reading->options[index])
        return ENOMEM;
    /* btrfs and bcachefs may have several devices, so that theirs is a made-up one. */
    mount->block_backed = major(mount->dev) != 0 || strcmp(mount->fstype, "btrfs") == 0 ||
                          strcmp(mount->fstype, "bcachefs") == 0;
    return 0;
}

static void forget(struct reading *reading)
{
    for (size_t i = 0; reading->options && i < reading->table->count; i++)
        free(reading->options[i]);
    free(reading->options);
    free(reading->parents);
}

static int take_rows(struct reading *reading, struct libmnt_table *rows)
{
    size_t count = (size_t)mnt_table_get_nents(rows);
    reading->table->mounts = calloc(count + 1, sizeof *reading->table->mounts);
    reading->parents = calloc(count + 1, sizeof *reading->parents);
    reading->options = calloc(count + 1, sizeof *reading->options);
    struct libmnt_iter *iterator = mnt_new_iter(MNT_ITER_FORWARD);
    bool memory = reading->table->mounts && reading->parents && reading->options && iterator;
    int error = memory ? 0 : ENOMEM;
    struct libmnt_fs *fs = NULL;
    for (size_t i = 0; !error && i < count && mnt_table_next_fs(rows, iterator, &fs) == 0; i++)
        error = take_row(reading, i, fs);
    mnt_free_iter(iterator);
    return error;
}

/* Is mount `index` where path lookup begins: does it lie on none that we see? */
static bool is_uppermost(const struct reading *reading, size_t index)
{
    const struct qz_mount_table *table = reading->table;
    for (size_t i = 0; i < table->count; i++) {
        if (i != index && table->mounts[i].id == reading->parents[index])
            return false;
    }
    return true;
}

/* The next mount that a lookup of `path` crosses into after mount `from` (-1: at the start); -1: none. */
static int crossed(const struct reading *reading, const bool *uppermost, int from, const char *path)
{
    const struct qz_mount_table *table = reading->table;
    int next = -1;
    for (size_t i = 0; i < table->count; i++) {
        bool lies_on = from < 0 ? uppermost[i] : reading->parents[i] == table->mounts[from].id && (int)i != from;
        if (!lies_on || !qz_mount_path_in(path, table->mounts[i].mount_point))
            continue;
        if (next < 0 || strlen(table->mounts[i].mount_point) <= strlen(table->mounts[next].mount_point))
            next = (int)i;
    }
    return next;
}

/* Marks the mounts that their own paths do not lead to, by looking the paths up as the kernel does: from mount to the
 * mount that lies on it, the first on the way first. */
static int mark_hidden(struct reading *reading)
{
    struct qz_mount_table *table = reading->table;
    bool *uppermost = calloc(table->count + 1, sizeof *uppermost);
    if (!uppermost)
        return ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        uppermost[i] = is_uppermost(reading, i);
    for (size_t i = 0; i < table->count; i++) {
        int reached = -1;
        int next = crossed(reading, uppermost, -1, table->mounts[i].mount_point);
        for (size_t steps = 0; next >= 0 && steps < table->count; steps++) {
            reached = next;
            next = crossed(reading, uppermost, reached, table->mounts[i].mount_point);
        }
        table->mounts[i].hidden = reached != (int)i;
    }
    free(uppermost);
    return 0;
}

/* Ends the reading at a line that libmount cannot understand: it would pass over it, and nobody would know of the
 * mount. The table's user data is where it says so: in the last line libmount forgets what is returned. */
static int refuse_line(struct libmnt_table *rows, const char *name, int line)
{
    (void)name, (void)line;
    int *error = mnt_table_get_userdata(rows);
    *error = EBADMSG;
    return -EBADMSG;
}

/* Reads the table; `reading` is to be forgotten also after a failure. */
static int read_table(struct reading *reading, FILE *file)
{
    struct libmnt_table *rows = mnt_new_table();
    if (!rows)
        return ENOMEM;
    int error = 0;
    mnt_table_set_userdata(rows, &error);
    mnt_table_set_parser_errcb(rows, refuse_line);
    int failed = -mnt_table_parse_stream(rows, file, MOUNTINFO);
    error = error ? error : failed;
    if (!error)
        error = take_rows(reading, rows);
    mnt_unref_table(rows);
    return error ? error : mark_hidden(reading);
}

int qz_linux_parse_mounts(FILE *file, struct qz_mount_table *table)
{
    *table = (struct qz_mount_table){0};
    struct reading reading = {.table = table};
    int error = read_table(&reading, file);
    forget(&reading);
    if (error)
        qz_mount_table_free(table);
    return error;
}

int qz_linux_read_mounts(struct qz_mount_table *table)
{
    *table = (struct qz_mount_table){0};
    FILE *file = fopen(MOUNTINFO, "re");
    if (!file)
        return errno;
    int error = qz_linux_parse_mounts(file, table);
    fclose(file);
    return error;
}

int qz_linux_list_mounts(struct qz_os *os, struct qz_mount_table *table)
{
    (void)os;
    *table = (struct qz_mount_table){0};
    FILE *file = fopen(MOUNTINFO, "re");
    if (!file)
        return errno;
    struct reading reading = {.table = table};
    int error = read_table(&reading, file);
    fclose(file);
    for (size_t i = 0; !error && i < table->count; i++)
        error = qz_linux_describe_devices(table, i, reading.options[i]);
    forget(&reading);
    if (error)
        qz_mount_table_free(table);
    return error;
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

int qz_linux_mount_id(int fd, int *id)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "re");
    if (!file)
        return errno;
    char line[256];
    int error = ENOENT;
    while (error && fgets(line, sizeof line, file)) {
        if (sscanf(line, "mnt_id: %d", id) == 1)
            error = 0;
    }
    fclose(file);
    return error;
}

/* Does mount number `id` belong to superblock `dev` at this moment? */
static bool is_mounted(int id, dev_t dev)
{
    FILE *file = fopen(MOUNTINFO, "re");
    if (!file)
        return false;
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (!found && getline(&line, &capacity, file) > 0) {
        int row = 0;
        unsigned major_number = 0;
        unsigned minor_number = 0;
        found = sscanf(line, "%d %*d %u:%u", &row, &major_number, &minor_number) == 3 && row == id &&
                makedev(major_number, minor_number) == dev;
    }
    free(line);
    fclose(file);
    return found;
}

/* The mount table takes the longer to read the more is mounted: it is, for what is not at its place any more. */
bool qz_linux_volume_mounted(struct qz_os *os, const char *mount_point, int mount_id, dev_t dev)
{
    struct statx facts;
    (void)os;
    bool at_place = statx(AT_FDCWD, mount_point, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &facts) == 0 &&
                    (facts.stx_mask & STATX_MNT_ID) && facts.stx_mnt_id == (uint64_t)mount_id;
    return at_place || is_mounted(mount_id, dev);
}

/* Is what was opened as `path`, of mount number `id`, on superblock `dev`? Most filesystems say so themselves; for
 * others (btrfs) the mount table has to be read again, which takes the longer the more is mounted. */
static bool is_on(int path, int id, dev_t dev)
{
    struct stat status;
    return (fstat(path, &status) == 0 && status.st_dev == dev) || is_mounted(id, dev);
}

/* Opens for ioctls what `path` (O_PATH) is. Only directories and regular files: to open a device may do something. */
static int open_for_ioctl(int path, int *fd)
{
    struct stat status;
    if (fstat(path, &status) != 0)
        return errno;
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
        return ENOTDIR;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", path);
    *fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (S_ISDIR(status.st_mode) ? O_DIRECTORY : 0));
    return *fd < 0 ? errno : 0;
}

int qz_linux_open_mount(const struct qz_mount *mount, int *fd)
{
    int path = open(mount->mount_point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (path < 0)
        return errno;
    int id = -1;
    int error = qz_linux_mount_id(path, &id);
    if (!error && (id != mount->id || !is_on(path, id, mount->dev)))
        error = ESTALE;
    if (!error)
        error = open_for_ioctl(path, fd);
    close(path);
    return error;
}
