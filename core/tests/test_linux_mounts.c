/* The rules of linux_mounts.h, on filesystems of the test's own: on loop devices, in a mount namespace of its own.
 * Whatever is frozen has a thaw beside it that needs nothing from the test. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_mounts.h"

#define THAW_AFTER_S 20

/* ---- Given ------------------------------------------------------------------------------------------------------ */

static char folder[64];

/* A path in the test's folder; good until the next but seven calls. */
static const char *in(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Runs a shell command in the test's folder. Returns whether it succeeded. */
__attribute__((format(printf, 1, 2))) static bool shell(const char *format, ...)
{
    char command[1024];
    int used = snprintf(command, sizeof command, "cd %s && exec >>log 2>&1; ", folder);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command + used, sizeof command - (size_t)used, format, arguments);
    va_end(arguments);
    return system(command) == 0;
}

static void must(bool succeeded, const char *what)
{
    if (!succeeded)
        fprintf(stderr, "could not be set up: %s\n", what);
    CU_ASSERT_TRUE(succeeded);
}

#define MUST(call) must(call, #call)

/* Goes to a new mount namespace and makes the folder. False: this machine does not let us, and the rule is skipped. */
static bool set_up(void)
{
    if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) != 0) {
        check_skip("needs root and loop devices");
        return false;
    }
    strcpy(folder, "/tmp/quiesce-mounts-XXXXXX");
    MUST(mkdtemp(folder) != NULL);
    MUST(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    return true;
}

/* Makes an ext4 in NAME.img and mounts it on NAME. */
static void make_ext4(const char *name)
{
    MUST(shell("mkdir -p %s && truncate -s 16M %s.img && mkfs.ext4 -q -L %s %s.img && mount -o loop %s.img %s", name,
               name, name, name, name, name));
}

/* Unmounts all that the folder has, the last first. */
static void tear_down(void)
{
    MUST(shell("tac /proc/self/mountinfo | cut -d' ' -f5 | grep \"^$PWD/\" | "
               "while read -r place; do umount -l \"$(printf '%%b' \"$place\")\"; done"));
    MUST(shell("rm -r --one-file-system %s", folder));
}

/* ---- When and then ---------------------------------------------------------------------------------------------- */

static struct qz_mount_table list(void)
{
    struct qz_mount_table table = {0};
    CHECK_INT(qz_linux_list_mounts(NULL, &table), 0);
    return table;
}

/* The `nth` mount (from 0) at NAME in the folder; a failed check and an empty one if there is none. */
static const struct qz_mount *find(const struct qz_mount_table *table, const char *name, int nth)
{
    static const struct qz_mount NONE = {
        .mount_point = "", .root = "", .fstype = "", .source = "", .uuid = "", .label = ""};
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->mounts[i].mount_point, in(name)) == 0 && nth-- == 0)
            return &table->mounts[i];
    }
    CHECK_STRING("no such mount", name);
    return &NONE;
}

/* The device that mountinfo has for the filesystem that `path` is on, asked in another way. */
static dev_t device_of(const char *path)
{
    char command[512];
    snprintf(command, sizeof command, "findmnt -n -o MAJ:MIN -T '%s'", path);
    FILE *output = popen(command, "re");
    unsigned major_number = 0;
    unsigned minor_number = 0;
    MUST(output && fscanf(output, "%u:%u", &major_number, &minor_number) == 2);
    if (output)
        pclose(output);
    return makedev(major_number, minor_number);
}

static void expect_one(const dev_t *devices, size_t count, dev_t expected)
{
    CHECK_INT(count, 1);
    if (count == 1)
        CHECK_INT(devices[0], expected);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

QZ_TEST(a_loop_filesystem_is_described) // names, device, the whole disk under it, and the one that holds its file
{
    if (!set_up())
        return;
    make_ext4("data");
    struct qz_mount_table table = list();
    const struct qz_mount *data = find(&table, "data", 0);
    CHECK_STRING(data->fstype, "ext4");
    CHECK_STRING(data->label, "data");
    CHECK_INT(strlen(data->uuid), 36);
    CHECK_STRING(data->root, "/");
    CHECK_CONTAINS(data->source, "/dev/loop");
    CHECK_INT(data->block_backed, true);
    CHECK_INT(data->read_only, false);
    CHECK_INT(data->super_read_only, false);
    CHECK_INT(data->hidden, false);
    CHECK_INT(data->dev, device_of(in("data")));
    expect_one(data->disks, data->disk_count, data->dev);
    expect_one(data->below, data->below_count, device_of(folder));
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(uuid_and_label_are_found_by_whatever_driver_mounted_it) // ext4 mounts an ext2, and that has another name on disk
{
    if (!set_up())
        return;
    MUST(shell("mkdir old && truncate -s 16M old.img && mkfs.ext2 -q -L old old.img && mount -t ext4 -o loop old.img old"));
    struct qz_mount_table table = list();
    const struct qz_mount *old = find(&table, "old", 0);
    CHECK_STRING(old->fstype, "ext4");
    CHECK_STRING(old->label, "old");
    CHECK_INT(strlen(old->uuid), 36);
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(what_udev_has_found_is_not_looked_for_on_the_disk) // which may not answer: applications wait meanwhile
{
    if (!set_up())
        return;
    make_ext4("data");
    struct qz_mount_table table = list();
    dev_t dev = find(&table, "data", 0)->dev;
    qz_mount_table_free(&table);
    MUST(shell("mkdir -p /run/udev && mount -t tmpfs tmpfs /run/udev && mkdir /run/udev/data"));
    MUST(shell("printf '%%s\\n' S:disk/by-label/x I:1 E:ID_FS_TYPE=ext4 E:ID_FS_UUID_ENC=of-udev 'E:ID_FS_LABEL_ENC=a\\x20b\\x5cx' "
               ">/run/udev/data/b%u:%u", major(dev), minor(dev)));
    table = list();
    CHECK_STRING(find(&table, "data", 0)->uuid, "of-udev");
    CHECK_STRING(find(&table, "data", 0)->label, "a b\\x");
    qz_mount_table_free(&table);
    MUST(shell("echo E:ID_PATH=x >/run/udev/data/b%u:%u", major(dev), minor(dev))); /* where it has not looked, we do */
    table = list();
    CHECK_STRING(find(&table, "data", 0)->label, "data");
    qz_mount_table_free(&table);
    MUST(shell("umount /run/udev"));
    tear_down();
}

QZ_TEST(a_file_that_was_deleted_still_holds_a_filesystem) // its path is gone, its superblock is not
{
    if (!set_up())
        return;
    make_ext4("data");
    MUST(unlink(in("data.img")) == 0);
    struct qz_mount_table table = list();
    const struct qz_mount *data = find(&table, "data", 0);
    expect_one(data->below, data->below_count, device_of(folder));
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(a_path_that_leads_to_another_file_now_is_not_believed) // the image is covered by a mount of the same name
{
    if (!set_up())
        return;
    MUST(mkdir(in("images"), 0700) == 0);
    MUST(shell("mkdir data && truncate -s 16M images/x && mkfs.ext4 -q images/x && mount -o loop images/x data"));
    MUST(shell("mount -t tmpfs none images && truncate -s 16M images/x"));
    struct qz_mount_table table = list();
    const struct qz_mount *data = find(&table, "data", 0);
    expect_one(data->below, data->below_count, device_of(folder));
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(every_mount_of_a_superblock_has_its_devices) // a bind mount too, with the directory that it shows
{
    if (!set_up())
        return;
    make_ext4("data");
    MUST(shell("mkdir data/sub bind && mount --bind data/sub bind && mount -o remount,bind,ro bind"));
    struct qz_mount_table table = list();
    const struct qz_mount *data = find(&table, "data", 0);
    const struct qz_mount *bind = find(&table, "bind", 0);
    CHECK_INT(bind->dev, data->dev);
    CHECK_STRING(bind->root, "/sub");
    CHECK_STRING(bind->uuid, data->uuid);
    CHECK_STRING(bind->label, "data");
    expect_one(bind->disks, bind->disk_count, data->dev);
    expect_one(bind->below, bind->below_count, device_of(folder));
    CHECK_INT(bind->read_only, true);
    CHECK_INT(bind->super_read_only, false);
    CHECK_INT(data->read_only, false);
    qz_mount_table_free(&table);
    MUST(shell("mount -o remount,ro data"));
    table = list();
    CHECK_INT(find(&table, "data", 0)->super_read_only, true);
    CHECK_INT(find(&table, "bind", 0)->super_read_only, true);
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(odd_mount_points_are_read_as_they_are) // blanks, tabs, newlines, backslashes
{
    if (!set_up())
        return;
    static const char NAME[] = "a b\tc\nd\\040e";
    MUST(mkdir(in(NAME), 0700) == 0);
    MUST(mount("none", in(NAME), "tmpfs", 0, NULL) == 0);
    struct qz_mount_table table = list();
    const struct qz_mount *odd = find(&table, NAME, 0);
    CHECK_STRING(odd->fstype, "tmpfs");
    CHECK_INT(odd->hidden, false);
    CHECK_INT(odd->block_backed, false);
    CHECK_INT(odd->disk_count, 0);
    qz_mount_table_free(&table);
    MUST(umount(in(NAME)) == 0);
    tear_down();
}

QZ_TEST(covered_mounts_are_hidden) // by one on the same mount point, or on a directory above; what lies on top is not
{
    if (!set_up())
        return;
    MUST(shell("mkdir -p up/a two && mount -t tmpfs none up/a && mkdir up/a/b && mount -t tmpfs none up/a/b"));
    MUST(shell("mount -t tmpfs none two && mount -t tmpfs none two && mkdir two/in && mount -t tmpfs none two/in"));
    struct qz_mount_table table = list();
    CHECK_INT(find(&table, "up/a", 0)->hidden, false);
    CHECK_INT(find(&table, "up/a/b", 0)->hidden, false);
    CHECK_INT(find(&table, "two", 0)->hidden, true);
    CHECK_INT(find(&table, "two", 1)->hidden, false);
    CHECK_INT(find(&table, "two/in", 0)->hidden, false);
    qz_mount_table_free(&table);
    MUST(shell("mount -t tmpfs none up && mkdir up/new && mount -t tmpfs none up/new"));
    table = list();
    CHECK_INT(find(&table, "up", 0)->hidden, false);
    CHECK_INT(find(&table, "up/new", 0)->hidden, false);
    CHECK_INT(find(&table, "up/a", 0)->hidden, true);
    CHECK_INT(find(&table, "up/a/b", 0)->hidden, true);
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(an_overlay_lies_on_what_holds_its_upper_directory) // a loop file in it is stored there
{
    if (!set_up())
        return;
    make_ext4("data");
    MUST(shell("mkdir data/up data/work low over"));
    if (!shell("mount -t overlay none -o lowerdir=low,upperdir=$PWD/data/up,workdir=data/work over")) {
        check_skip("the kernel has no overlay");
        tear_down();
        return;
    }
    struct qz_mount_table table = list();
    const struct qz_mount *over = find(&table, "over", 0);
    expect_one(over->below, over->below_count, device_of(in("data")));
    CHECK_INT(over->block_backed, false);
    CU_ASSERT(!over->below_unknown);
    qz_mount_table_free(&table);
    MUST(shell("mount -t tmpfs none data")); /* covered, as in a container, which does not see where its root lies */
    table = list();
    over = find(&table, "over", 0);
    CHECK_INT(over->below_count, 0);
    CU_ASSERT(over->below_unknown);
    qz_mount_table_free(&table);
    MUST(shell("umount data"));
    tear_down();
}

/* Makes a btrfs on two loop devices, mounted on both/ and its subvolume on sub/. */
static bool make_btrfs(void)
{
    if (shell("mkdir both sub && truncate -s 130M one two && a=$(losetup -f --show one) && echo $a >devices && "
              "b=$(losetup -f --show two) && echo $b >>devices && mkfs.btrfs -q -L pair -m raid1 -d raid1 $a $b && "
              "mount $a both && btrfs subvolume create both/s && mount -o subvol=s $a sub"))
        return true;
    check_skip("no btrfs here");
    return false;
}

static void tear_down_btrfs(void)
{
    shell("umount sub both; xargs losetup -d <devices");
    tear_down();
}

QZ_TEST(a_btrfs_is_one_superblock_on_all_its_devices) // its subvolumes are mounts of it, and hold files as it does
{
    if (!set_up())
        return;
    if (!make_btrfs()) {
        tear_down_btrfs();
        return;
    }
    MUST(shell("mkdir loop && truncate -s 16M sub/img && mkfs.ext4 -q sub/img && mount -o loop sub/img loop"));
    struct qz_mount_table table = list();
    const struct qz_mount *both = find(&table, "both", 0);
    const struct qz_mount *sub = find(&table, "sub", 0);
    const struct qz_mount *loop = find(&table, "loop", 0);
    CHECK_INT(both->block_backed, true);
    CHECK_STRING(both->label, "pair");
    CHECK_INT(both->disk_count, 2);
    CHECK_INT(sub->dev, both->dev);
    CHECK_INT(sub->disk_count, 2);
    CHECK_STRING(sub->root, "/s");
    expect_one(both->below, both->below_count, device_of(folder));
    expect_one(loop->below, loop->below_count, both->dev);
    qz_mount_table_free(&table);
    MUST(unlink(in("sub/img")) == 0);
    table = list();
    loop = find(&table, "loop", 0);
    expect_one(loop->below, loop->below_count, find(&table, "both", 0)->dev);
    qz_mount_table_free(&table);
    MUST(shell("umount loop"));
    tear_down_btrfs();
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

/* Opens the `nth` mount at `name` and closes it again. Returns the errno. */
static int open_mount(const struct qz_mount_table *table, const char *name, int nth)
{
    const struct qz_mount *mount = find(table, name, nth);
    int fd = -1;
    int error = qz_linux_open_mount(mount, &fd);
    int id = -1;
    if (!error) {
        CHECK_INT(qz_linux_mount_id(fd, &id), 0);
        CHECK_INT(id, mount->id);
        CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
    }
    return error;
}

QZ_TEST(a_mount_is_opened_by_its_mount_point) // a directory, or the file that a bind mount shows
{
    if (!set_up())
        return;
    MUST(shell("mkdir dir && mount -t tmpfs none dir && touch dir/file shown && mount --bind dir/file shown"));
    MUST(shell("mkfifo dir/pipe pipe && mount --bind dir/pipe pipe"));
    struct qz_mount_table table = list();
    CHECK_INT(open_mount(&table, "dir", 0), 0);
    CHECK_INT(open_mount(&table, "shown", 0), 0);
    CHECK_INT(open_mount(&table, "pipe", 0), ENOTDIR);
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(a_mount_is_opened_without_the_mount_table) // to read all of it for each of many volumes would take ever longer
{
    if (!set_up())
        return;
    MUST(shell("mkdir dir && mount -t tmpfs none dir"));
    struct qz_mount_table table = list();
    MUST(mount("/dev/null", "/proc/self/mountinfo", NULL, MS_BIND, NULL) == 0);
    CHECK_INT(open_mount(&table, "dir", 0), 0);
    MUST(umount("/proc/self/mountinfo") == 0);
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(another_mount_at_the_same_place_is_not_opened) // covered, gone, or a number that belongs to another by now
{
    if (!set_up())
        return;
    MUST(shell("mkdir dir && mount -t tmpfs none dir && mount -t tmpfs none dir"));
    struct qz_mount_table table = list();
    CHECK_INT(open_mount(&table, "dir", 0), ESTALE);
    CHECK_INT(open_mount(&table, "dir", 1), 0);
    struct qz_mount reused = *find(&table, "dir", 1);
    reused.dev++;
    int fd = -1;
    CHECK_INT(qz_linux_open_mount(&reused, &fd), ESTALE);
    MUST(shell("umount dir"));
    CHECK_INT(open_mount(&table, "dir", 1), ESTALE);
    MUST(shell("umount dir && rmdir dir"));
    CHECK_INT(open_mount(&table, "dir", 0), ENOENT);
    qz_mount_table_free(&table);
    tear_down();
}

/* ---- Recovering ------------------------------------------------------------------------------------------------- */

/* What thaws if this test does not: after a while it mounts the device once more, which also reaches a filesystem
 * that is covered or unmounted. Returns its pid. */
static pid_t stand_by(const char *device, const char *fstype)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    sleep(THAW_AFTER_S);
    if (mount(device, "/mnt", fstype, 0, NULL) == 0) {
        int fd = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ioctl(fd, FITHAW, 0);
        close(fd);
        umount("/mnt");
    }
    _exit(0);
}

static void stand_down(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* A frozen filesystem, and who watches over it. */
struct frozen {
    dev_t dev;
    pid_t thawer;
};

static struct frozen freeze(const char *name)
{
    struct qz_mount_table table = list();
    const struct qz_mount *mount = find(&table, name, 0);
    struct frozen frozen = {.dev = mount->dev, .thawer = stand_by(mount->source, mount->fstype)};
    qz_mount_table_free(&table);
    int fd = open(in(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(fd >= 0 && ioctl(fd, FIFREEZE, 0) == 0);
    close(fd);
    return frozen;
}

/* Recovers, thaws, and sees that it was frozen until then. */
static void expect_recovered(const struct frozen *frozen, const char *name)
{
    int fd = -1;
    CHECK_INT(qz_linux_recover_mount(in(name), frozen->dev, &fd), 0);
    CU_ASSERT_TRUE(fd >= 0);
    int thawed = ioctl(fd, FITHAW, 0);
    CHECK_INT(thawed, 0);
    if (thawed != 0)
        return; /* the other one will thaw */
    CHECK_INT(ioctl(fd, FITHAW, 0), -1);
    CHECK_INT(errno, EINVAL);
    close(fd);
    stand_down(frozen->thawer);
}

QZ_TEST(a_frozen_filesystem_is_recovered_by_its_mount_point) // to open a directory writes nothing
{
    if (!set_up())
        return;
    make_ext4("data");
    struct frozen frozen = freeze("data");
    expect_recovered(&frozen, "data");
    tear_down();
}

QZ_TEST(a_frozen_filesystem_is_recovered_by_another_mount) // where its own mount point is covered or gone
{
    if (!set_up())
        return;
    make_ext4("data");
    MUST(shell("mkdir bind && mount --bind data bind"));
    struct frozen frozen = freeze("data");
    MUST(shell("mount -t tmpfs none data"));
    expect_recovered(&frozen, "data");
    tear_down();
}

QZ_TEST(a_frozen_filesystem_is_recovered_from_under_its_cover) // and everybody else sees the cover where it was
{
    if (!set_up())
        return;
    MUST(mkdir(in("up"), 0700) == 0);
    make_ext4("up/data");
    struct frozen frozen = freeze("up/data");
    MUST(shell("mount -t tmpfs none up/data && mount -t tmpfs none up/data"));
    MUST(shell("mount -t tmpfs none up && touch up/mine"));
    expect_recovered(&frozen, "up/data");
    struct qz_mount_table table = list();
    CHECK_INT(find(&table, "up/data", 0)->hidden, true);
    CHECK_INT(find(&table, "up/data", 2)->hidden, true);
    CHECK_STRING(find(&table, "up", 0)->fstype, "tmpfs");
    qz_mount_table_free(&table);
    CHECK_INT(access(in("up/mine"), F_OK), 0);
    tear_down();
}

QZ_TEST(a_frozen_filesystem_is_recovered_after_its_umount) // the kernel keeps it, mounted nowhere
{
    if (!set_up())
        return;
    make_ext4("data");
    struct frozen frozen = freeze("data");
    MUST(shell("umount data"));
    expect_recovered(&frozen, "data");
    struct qz_mount_table table = list();
    for (size_t i = 0; i < table.count; i++)
        CU_ASSERT_TRUE(table.mounts[i].dev != frozen.dev);
    qz_mount_table_free(&table);
    tear_down();
}

QZ_TEST(a_frozen_btrfs_is_recovered_after_its_umount) // although its number does not tell its devices
{
    if (!set_up())
        return;
    if (!make_btrfs()) {
        tear_down_btrfs();
        return;
    }
    struct frozen frozen = freeze("both");
    MUST(shell("umount sub && umount both"));
    expect_recovered(&frozen, "both");
    tear_down_btrfs();
}

QZ_TEST(what_was_unmounted_in_earnest_is_not_mounted_again) // nothing of it can be frozen
{
    if (!set_up())
        return;
    MUST(shell("mkdir data && truncate -s 16M img && mkfs.ext4 -q img && losetup -f --show img >device && "
               "mount $(cat device) data"));
    struct qz_mount_table table = list();
    dev_t dev = find(&table, "data", 0)->dev;
    qz_mount_table_free(&table);
    MUST(shell("umount data"));
    int fd = -1;
    CHECK_INT(qz_linux_recover_mount(in("data"), dev, &fd), ENOENT);
    CHECK_INT(fd, -1);
    MUST(shell("losetup -d $(cat device)"));
    CHECK_INT(qz_linux_recover_mount(in("data"), makedev(7, 1 << 19), &fd), ENOENT);
    tear_down();
}
