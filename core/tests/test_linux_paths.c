/* The rules of linux_paths.h, on real files; and of the comparison of two walks (os.c). */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux_paths.h"

static const struct qz_os_ops OPS = {
    .inspect = qz_linux_inspect, .read_file = qz_linux_read_file, .close_file = qz_linux_close_file};
static struct qz_os os = {.ops = &OPS};

/* ---- Given ------------------------------------------------------------------------------------------------------ */

static char folder[64];

/* A path in the test's folder; good until the next but seven calls. */
__attribute__((format(printf, 1, 2))) static const char *in(const char *format, ...)
{
    static char paths[8][2 * PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    int used = snprintf(path, sizeof paths[0], "%s/", folder);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path + used, sizeof paths[0] - (size_t)used, format, arguments);
    va_end(arguments);
    return path;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL(file);
    if (!file)
        return;
    fputs(text, file);
    fclose(file);
}

/* FOLDER/dir/file holds "hello". */
static void set_up(void)
{
    strcpy(folder, "/tmp/quiesce-paths-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
    CHECK_INT(mkdir(in("dir"), 0755), 0);
    write_text(in("dir/file"), "hello");
    CHECK_INT(chmod(in("dir/file"), 0640), 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static void tear_down(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- When and then ---------------------------------------------------------------------------------------------- */

static struct qz_path_facts inspect(const char *path)
{
    struct qz_path_facts facts;
    CHECK_INT(os.ops->inspect(&os, path, &facts), 0);
    return facts;
}

static const struct qz_path_step *last(const struct qz_path_facts *facts)
{
    static const struct qz_path_step NONE = {.path = "(none)"};
    return facts->count > 0 ? &facts->steps[facts->count - 1] : &NONE;
}

/* Walks `path` and expects it to end in the regular file `target`, opened. */
static void expect_file(const char *path, const char *target)
{
    struct qz_path_facts facts = inspect(path);
    CHECK_INT(facts.error, 0);
    CHECK_INT(last(&facts)->kind, QZ_STEP_REGULAR);
    CHECK_STRING(last(&facts)->path, target);
    CU_ASSERT_TRUE(facts.handle >= 0);
    qz_path_facts_free(&os, &facts);
}

/* Walks `path` and expects `error`, with `target` the last thing that was there, and nothing opened. */
static void expect_error(const char *path, int error, const char *target)
{
    struct qz_path_facts facts = inspect(path);
    CHECK_INT(facts.error, error);
    CHECK_INT(facts.handle, -1);
    CHECK_STRING(last(&facts)->path, target);
    qz_path_facts_free(&os, &facts);
}

QZ_TEST(every_step_is_described) // each directory from the root on, with the one it was looked up in
{
    set_up();
    struct qz_path_facts facts = inspect(in("dir/file"));
    CHECK_INT(facts.count, 5);
    CHECK_STRING(facts.steps[0].path, "/");
    CHECK_INT(facts.steps[0].parent, -1);
    CHECK_STRING(facts.steps[1].path, "/tmp");
    CHECK_INT(facts.steps[1].mode & S_ISVTX, S_ISVTX);
    for (int i = 1; i < (int)facts.count; i++)
        CHECK_INT(facts.steps[i].parent, i - 1);
    struct stat status;
    CHECK_INT(stat(in("dir/file"), &status), 0);
    CHECK_INT(last(&facts)->mode, 0640);
    CHECK_INT(last(&facts)->uid, getuid());
    CHECK_INT(last(&facts)->ino, status.st_ino);
    CHECK_INT(last(&facts)->dev, status.st_dev);
    CHECK_INT(last(&facts)->size, 5);
    CHECK_INT(last(&facts)->ctime_ns, status.st_ctim.tv_sec * 1000000000 + status.st_ctim.tv_nsec);
    qz_path_facts_free(&os, &facts);
    tear_down();
}

QZ_TEST(what_is_opened_is_what_was_described) // for reading, and not for children
{
    set_up();
    CHECK_INT(symlink("dir/file", in("link")), 0);
    struct qz_path_facts facts = inspect(in("link"));
    struct stat status;
    CHECK_INT(fstat(facts.handle, &status), 0);
    CHECK_INT(status.st_ino, last(&facts)->ino);
    CHECK_INT(fcntl(facts.handle, F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_INT(fcntl(facts.handle, F_GETFD), FD_CLOEXEC);
    qz_path_facts_free(&os, &facts);
    CHECK_INT(facts.handle, -1);
    tear_down();
}

QZ_TEST(links_are_followed_by_hand) // relative and absolute ones, to files and directories, each a step of its own
{
    set_up();
    CHECK_INT(symlink("dir", in("relative")), 0);
    CHECK_INT(symlink(in("relative/file"), in("absolute")), 0);
    struct qz_path_facts facts = inspect(in("absolute"));
    static const enum qz_step_kind KINDS[] = {QZ_STEP_DIRECTORY, QZ_STEP_DIRECTORY, QZ_STEP_DIRECTORY, QZ_STEP_SYMLINK,
                                              QZ_STEP_DIRECTORY, QZ_STEP_DIRECTORY, QZ_STEP_SYMLINK, QZ_STEP_DIRECTORY,
                                              QZ_STEP_REGULAR};
    CHECK_INT(facts.count, sizeof KINDS / sizeof KINDS[0]);
    for (size_t i = 0; i < facts.count && i < sizeof KINDS / sizeof KINDS[0]; i++)
        CHECK_INT(facts.steps[i].kind, KINDS[i]);
    CHECK_STRING(facts.steps[3].path, in("absolute"));
    CHECK_INT(facts.steps[4].parent, 0); /* an absolute target begins at the root again */
    CHECK_STRING(last(&facts)->path, in("dir/file"));
    qz_path_facts_free(&os, &facts);
    tear_down();
}

QZ_TEST(dots_and_slashes_do_not_matter) // ".." is the directory that one came from
{
    set_up();
    CHECK_INT(symlink("dir", in("link")), 0);
    expect_file(in("dir/./file"), in("dir/file"));
    expect_file(in("//dir///file"), in("dir/file"));
    expect_file(in("dir/../dir/file"), in("dir/file"));
    expect_file(in("link/../dir/file"), in("dir/file"));
    char above_root[PATH_MAX];
    snprintf(above_root, sizeof above_root, "/../..%s", in("dir/file"));
    expect_file(above_root, in("dir/file"));
    tear_down();
}

QZ_TEST(a_file_is_no_directory) // also not with a slash or a dot behind it, or through a link
{
    set_up();
    CHECK_INT(symlink("dir/file", in("link")), 0);
    expect_error(in("dir/file/"), ENOTDIR, in("dir/file"));
    expect_error(in("dir/file/x"), ENOTDIR, in("dir/file"));
    expect_error(in("dir/file/."), ENOTDIR, in("dir/file"));
    expect_error(in("dir/file/.."), ENOTDIR, in("dir/file"));
    expect_error(in("link/"), ENOTDIR, in("dir/file"));
    tear_down();
}

QZ_TEST(a_directory_is_found_but_not_opened) // with or without a slash behind it
{
    set_up();
    expect_error(in("dir"), 0, in("dir"));
    expect_error(in("dir/"), 0, in("dir"));
    expect_error("/", 0, "/");
    tear_down();
}

QZ_TEST(what_is_missing_is_said) // the last step is the last thing that was there
{
    set_up();
    CHECK_INT(symlink("nowhere", in("dangling")), 0);
    expect_error(in("none"), ENOENT, folder);
    expect_error(in("none/file"), ENOENT, folder);
    expect_error(in("dir/none/../file"), ENOENT, in("dir"));
    expect_error(in("dangling"), ENOENT, in("dangling"));
    expect_error("", ENOENT, "(none)");
    expect_error("dir/file", EINVAL, "(none)");
    tear_down();
}

QZ_TEST(at_most_forty_links_are_followed) // as many as the kernel follows
{
    set_up();
    CHECK_INT(symlink("dir/file", in("1")), 0);
    for (int i = 2; i <= 41; i++) {
        char target[16];
        snprintf(target, sizeof target, "%d", i - 1);
        CHECK_INT(symlink(target, in("%d", i)), 0);
    }
    CHECK_INT(symlink("self", in("self")), 0);
    expect_file(in("40"), in("dir/file"));
    expect_error(in("41"), ELOOP, in("1"));
    expect_error(in("self"), ELOOP, in("self"));
    tear_down();
}

QZ_TEST(long_names_and_paths_are_refused) // as the kernel does
{
    set_up();
    char name[PATH_MAX + 2];
    memset(name, 'x', sizeof name);
    name[NAME_MAX + 1] = '\0';
    expect_error(in("%s", name), ENAMETOOLONG, folder);
    name[NAME_MAX] = '\0';
    expect_error(in("%s", name), ENOENT, folder);
    memset(name, '/', sizeof name);
    name[PATH_MAX] = '\0';
    expect_error(name, ENAMETOOLONG, "(none)");
    name[PATH_MAX - 1] = '\0';
    expect_error(name, 0, "/");
    tear_down();
}

QZ_TEST(a_pipe_or_device_is_never_opened) // to open a pipe would block, to open a device may do something
{
    set_up();
    alarm(10); /* a blocked test must end */
    CHECK_INT(mkfifo(in("pipe"), 0700), 0);
    struct qz_path_facts facts = inspect(in("pipe"));
    CHECK_INT(facts.error, 0);
    CHECK_INT(last(&facts)->kind, QZ_STEP_OTHER);
    CHECK_INT(facts.handle, -1);
    qz_path_facts_free(&os, &facts);
    expect_error("/dev/null", 0, "/dev/null");
    expect_error(in("pipe/"), ENOTDIR, in("pipe"));
    alarm(0);
    tear_down();
}

QZ_TEST(magic_links_are_not_special) // /proc/self/fd/N is followed by its text, so that a deleted file is not found
{
    set_up();
    int fd = open(in("dir/file"), O_RDONLY | O_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    expect_file(path, in("dir/file"));
    CHECK_INT(unlink(in("dir/file")), 0);
    struct qz_path_facts facts = inspect(path);
    CHECK_INT(facts.error, ENOENT);
    qz_path_facts_free(&os, &facts);
    close(fd);
    tear_down();
}

static int lowest_free_descriptor(void)
{
    int fd = open("/", O_PATH | O_CLOEXEC);
    close(fd);
    return fd;
}

QZ_TEST(a_walk_holds_few_descriptors_and_leaves_none) // however long the path is
{
    set_up();
    int before = lowest_free_descriptor();
    char path[PATH_MAX] = "";
    while (strlen(path) < PATH_MAX - 100)
        strcat(path, "dir/../");
    expect_file(in("%sdir/file", path), in("dir/file"));
    expect_error(in("dir/file/"), ENOTDIR, in("dir/file"));
    expect_error(in("dir/none"), ENOENT, in("dir"));
    CHECK_INT(lowest_free_descriptor(), before);
    tear_down();
}

QZ_TEST(a_file_is_read_whole_or_not_at_all) // as often as wanted, and never more than is allowed
{
    set_up();
    struct qz_path_facts facts = inspect(in("dir/file"));
    char *text;
    CHECK_INT(os.ops->read_file(&os, facts.handle, 16, &text), 5);
    CU_ASSERT(memcmp(text, "hello", 5) == 0);
    free(text);
    CHECK_INT(os.ops->read_file(&os, facts.handle, 5, &text), 5);
    free(text);
    CHECK_INT(os.ops->read_file(&os, facts.handle, 4, &text), -EFBIG);
    CU_ASSERT_PTR_NULL(text);
    CHECK_INT(os.ops->read_file(&os, -1, 16, &text), -EBADF);
    CU_ASSERT_PTR_NULL(text);
    qz_path_facts_free(&os, &facts);
    tear_down();
}

QZ_TEST(a_long_file_is_read_whole_or_not_at_all) // longer than what is read at once, and exactly as long
{
    static const size_t SIZES[] = {8191, 8192, 8193, 16384, 100000};
    set_up();
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        char *wanted = malloc(SIZES[i]), *text;
        for (size_t at = 0; at < SIZES[i]; at++)
            wanted[at] = (char)(at * 7 + at / 251);
        int fd = open(in("dir/file"), O_WRONLY | O_TRUNC | O_CLOEXEC);
        CHECK_INT(write(fd, wanted, SIZES[i]), (ssize_t)SIZES[i]);
        close(fd);
        struct qz_path_facts facts = inspect(in("dir/file"));
        CHECK_INT(os.ops->read_file(&os, facts.handle, SIZES[i], &text), (ssize_t)SIZES[i]);
        CU_ASSERT(text && memcmp(text, wanted, SIZES[i]) == 0);
        free(text);
        CHECK_INT(os.ops->read_file(&os, facts.handle, SIZES[i] - 1, &text), -EFBIG);
        qz_path_facts_free(&os, &facts);
        free(wanted);
    }
    tear_down();
}

/* Inspects FOLDER/link/file before and after `change` and expects the walks to be the same, or not. */
static void expect_same(void (*change)(void), int same)
{
    set_up();
    CHECK_INT(symlink("dir", in("link")), 0);
    struct qz_path_facts before = inspect(in("link/file"));
    if (change)
        change();
    struct qz_path_facts after = inspect(in("link/file"));
    CHECK_INT(qz_path_facts_same(&before, &after), same);
    qz_path_facts_free(&os, &before);
    qz_path_facts_free(&os, &after);
    tear_down();
}

static void add_neighbour(void)
{
    write_text(in("dir/neighbour"), "");
}

static void rewrite(void)
{
    usleep(20000); /* older kernels' timestamps are no finer than a tick */
    write_text(in("dir/file"), "HELLO");
}

static void replace(void)
{
    write_text(in("dir/new"), "hello");
    CHECK_INT(chmod(in("dir/new"), 0640), 0);
    CHECK_INT(rename(in("dir/new"), in("dir/file")), 0);
}

static void open_up(void)
{
    CHECK_INT(chmod(in("dir"), 0777), 0);
}

static void swap_directory(void)
{
    CHECK_INT(rename(in("dir"), in("old")), 0);
    CHECK_INT(symlink("old", in("dir")), 0);
}

static void point_elsewhere(void)
{
    CHECK_INT(unlink(in("link")), 0);
    CHECK_INT(symlink("./dir", in("link")), 0);
}

static void remove_file(void)
{
    CHECK_INT(unlink(in("dir/file")), 0);
}

QZ_TEST(a_walk_is_the_same_while_nothing_that_matters_changed) // a new neighbour does not matter
{
    expect_same(NULL, 1);
    expect_same(add_neighbour, 1);
}

QZ_TEST(a_walk_differs_after_any_change_that_matters) // content, identity, mode, link, directory
{
    expect_same(rewrite, 0);
    expect_same(replace, 0);
    expect_same(open_up, 0);
    expect_same(swap_directory, 0);
    expect_same(point_elsewhere, 0);
    expect_same(remove_file, 0);
}
