/* The rules of volumes.h, over mount tables made by hand and an os that only opens. */
#include "check.h"

#include <errno.h>
#include <string.h>

#include "volumes.h"

/* ---- Given ------------------------------------------------------------------------------------------------------ */

#define MOUNTS_MAX 8

/* An os whose volume_open notes what it was asked for and fails for the mounts in `closed`, each in its way. */
struct opener {
    struct qz_os os;
    int closed[MOUNTS_MAX];
    int errors[MOUNTS_MAX];
    int opened_id[MOUNTS_MAX]; /* by slot; 0: not opened */
    int calls;
};

static int open_volume(struct qz_os *os, int slot, const struct qz_mount *mount)
{
    struct opener *opener = (struct opener *)os;
    opener->calls++;
    for (size_t i = 0; i < MOUNTS_MAX; i++) {
        if (opener->closed[i] == mount->id)
            return opener->errors[i];
    }
    opener->opened_id[slot] = mount->id;
    return 0;
}

static const struct qz_os_ops OPS = {.volume_open = open_volume};

/* A writable, whole filesystem on a disk of its own, which has the filesystem's number. */
static struct qz_mount ext4(int id, dev_t dev, char *mount_point)
{
    static dev_t disks[64];
    disks[dev] = dev;
    return (struct qz_mount){.id = id, .dev = dev, .mount_point = mount_point, .root = "/", .fstype = "ext4",
                             .source = "/dev/sdx1", .uuid = "u", .label = "l", .block_backed = true,
                             .disks = &disks[dev], .disk_count = 1};
}

static struct qz_mount other(int id, dev_t dev, char *mount_point, char *fstype)
{
    return (struct qz_mount){.id = id, .dev = dev, .mount_point = mount_point, .root = "/", .fstype = fstype,
                             .source = fstype, .uuid = "", .label = ""};
}

/* ---- When ------------------------------------------------------------------------------------------------------- */

struct outcome {
    struct qz_volume *volumes;
    size_t count;
    size_t freeze_count;
    size_t disks;
    struct qz_warning_list warnings;
};

static struct outcome choose(struct opener *opener, struct qz_mount *mounts, size_t mount_count,
                             const struct qz_volume_choice *choice, bool open)
{
    opener->os.ops = &OPS;
    struct qz_mount_table table = {.mounts = mounts, .count = mount_count};
    struct outcome outcome = {0};
    struct qz_error error;
    CHECK_INT(qz_volumes_choose(&opener->os, &table, choice, open, &outcome.volumes, &outcome.count,
                                &outcome.freeze_count, &outcome.disks, &outcome.warnings, &error),
              QZ_E_SUCCESS);
    return outcome;
}

static struct outcome choose_default(struct opener *opener, struct qz_mount *mounts, size_t mount_count)
{
    return choose(opener, mounts, mount_count, &(struct qz_volume_choice){0}, true);
}

static struct outcome choose_named(struct opener *opener, struct qz_mount *mounts, size_t mount_count,
                                   const char *const *names, size_t name_count)
{
    struct qz_volume_choice choice = {.volumes = names, .volume_count = name_count};
    return choose(opener, mounts, mount_count, &choice, true);
}

/* ---- Then ------------------------------------------------------------------------------------------------------- */

/* The volume known as `mount`; a failed check and an empty one if it is not in the list. */
static const struct qz_volume *volume(const struct outcome *outcome, const char *mount)
{
    static const struct qz_volume NONE = {.mount = "", .order = -2};
    for (size_t i = 0; i < outcome->count; i++) {
        if (strcmp(outcome->volumes[i].mount, mount) == 0)
            return &outcome->volumes[i];
    }
    CHECK_STRING("not in the list", mount);
    return &NONE;
}

static void end(struct outcome *outcome)
{
    qz_volumes_free(outcome->volumes, outcome->count);
    qz_warning_list_free(&outcome->warnings);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- The default choice ----------------------------------------------------------------------------------------- */

QZ_TEST(by_default_every_local_writable_freezable_filesystem_is_frozen) // with its device, type, uuid and label
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/data")};
    mounts[1].fstype = "xfs";
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.count, 2);
    CHECK_INT(outcome.freeze_count, 2);
    CHECK_INT(outcome.disks, 2);
    const struct qz_volume *data = volume(&outcome, "/data");
    CHECK_INT(data->decision, QZ_DECISION_FREEZE);
    CHECK_INT(data->error->code, QZ_E_SUCCESS);
    CHECK_INT(data->named, false);
    CHECK_INT(data->dev, 2);
    CHECK_INT(data->mount_id, 2);
    CHECK_INT(data->frozen_us, -1);
    CHECK_STRING(data->fstype, "xfs");
    CHECK_STRING(data->device, "/dev/sdx1");
    CHECK_STRING(data->uuid, "u");
    CHECK_STRING(data->label, "l");
    end(&outcome);
}

QZ_TEST(what_is_passed_over_is_listed_with_its_reason) // after those to freeze, and it is no error
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/ro"), other(2, 2, "/net", "nfs4"), ext4(3, 3, "/efi"),
                                other(4, 4, "/pool", "zfs"), ext4(5, 5, "/new"), ext4(6, 6, "/")};
    mounts[0].super_read_only = true;
    mounts[2].fstype = "vfat";
    mounts[4].fstype = "newfs";
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.count, 6);
    CHECK_INT(outcome.freeze_count, 1);
    CHECK_STRING(outcome.volumes[0].mount, "/");
    CHECK_STRING(volume(&outcome, "/ro")->reason, "read-only");
    CHECK_STRING(volume(&outcome, "/net")->reason, "network filesystem (nfs4)");
    CHECK_STRING(volume(&outcome, "/efi")->reason, "the kernel cannot freeze vfat");
    CHECK_STRING(volume(&outcome, "/pool")->reason, "the kernel cannot freeze zfs");
    CHECK_STRING(volume(&outcome, "/new")->reason, "not known to be freezable (newfs); --volume would try");
    for (size_t i = 1; i < outcome.count; i++) {
        CHECK_INT(outcome.volumes[i].decision, QZ_DECISION_SKIP);
        CHECK_INT(outcome.volumes[i].order, -1);
        CHECK_INT(outcome.volumes[i].error->code, QZ_E_SUCCESS);
    }
    CHECK_INT(outcome.disks, 1);
    end(&outcome);
}

QZ_TEST(pseudo_filesystems_are_not_listed) // nobody would ask about proc, tmpfs or an overlay
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {other(1, 1, "/proc", "proc"), other(2, 2, "/run", "tmpfs"),
                                other(3, 3, "/merged", "overlay"), other(4, 4, "/f", "fuse.lxcfs")};
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.count, 0);
    CHECK_INT(outcome.freeze_count, 0);
    end(&outcome);
}

QZ_TEST(a_read_only_mount_of_a_writable_filesystem_is_frozen) // somebody may write to it through another mount
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/")};
    mounts[0].read_only = true;
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.freeze_count, 1);
    end(&outcome);
}

/* ---- One superblock, many mounts -------------------------------------------------------------------------------- */

QZ_TEST(one_superblock_is_frozen_once) // known by the mount of its root directory
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/bind"), ext4(2, 1, "/data"), ext4(3, 1, "/again")};
    mounts[0].root = "/sub";
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.count, 1);
    CHECK_INT(outcome.disks, 1);
    CHECK_INT(opener.calls, 1);
    CHECK_INT(volume(&outcome, "/data")->mount_id, 2);
    end(&outcome);
}

QZ_TEST(a_mount_that_cannot_be_opened_is_replaced_by_another) // of the same superblock, and the reason says so
{
    struct opener opener = {.closed = {1}, .errors = {EACCES}};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 1, "/bind")};
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.freeze_count, 1);
    CHECK_INT(opener.opened_id[0], 2);
    CHECK_INT(volume(&outcome, "/data")->mount_id, 2);
    CHECK_STRING(volume(&outcome, "/data")->reason, "opened through /bind");
    CHECK_INT(volume(&outcome, "/data")->error->code, QZ_E_SUCCESS);
    end(&outcome);
}

QZ_TEST(any_other_mount_may_replace_it) // also the first one of the table
{
    struct opener opener = {.closed = {2}, .errors = {EACCES}};
    struct qz_mount mounts[] = {ext4(1, 1, "/bind"), ext4(2, 1, "/data")};
    mounts[0].root = "/sub";
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.freeze_count, 1);
    CHECK_INT(opener.opened_id[0], 1);
    CHECK_STRING(volume(&outcome, "/data")->reason, "opened through /bind");
    end(&outcome);
}

QZ_TEST(a_superblock_that_cannot_be_opened_at_all_is_an_error) // never left out in silence; the other slots stay dense
{
    struct opener opener = {.closed = {2, 3}, .errors = {EACCES, EIO}};
    struct qz_mount mounts[] = {ext4(1, 1, "/a"), ext4(2, 2, "/b"), ext4(3, 2, "/b2"), ext4(4, 3, "/c")};
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.count, 3);
    CHECK_INT(outcome.freeze_count, 2);
    CHECK_STRING(outcome.volumes[0].mount, "/a");
    CHECK_STRING(outcome.volumes[1].mount, "/c");
    CHECK_INT(opener.opened_id[0], 1);
    CHECK_INT(opener.opened_id[1], 4);
    const struct qz_volume *broken = volume(&outcome, "/b");
    CHECK_INT(broken->decision, QZ_DECISION_FREEZE);
    CHECK_INT(broken->order, -1);
    CHECK_INT(broken->error->code, QZ_E_UNABLE_TO_OPEN_MOUNT);
    CHECK_STRING(broken->error->message, "volume /b (ext4): cannot be opened: Permission denied");
    CHECK_STRING(broken->error->path, "/b");
    CHECK_INT(outcome.disks, 3);
    end(&outcome);
}

QZ_TEST(a_covered_mount_is_not_the_one_a_filesystem_is_known_by) // if there is another; then it is tried last
{
    struct opener opener = {.closed = {2}, .errors = {EACCES}};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 1, "/bind"), ext4(3, 1, "/third")};
    mounts[0].hidden = true;
    mounts[1].root = mounts[2].root = "/sub";
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(volume(&outcome, "/bind")->mount_id, 3);
    CHECK_INT(opener.calls, 2);
    end(&outcome);
}

QZ_TEST(check_opens_nothing) // and yet says what could not be opened: what is covered everywhere
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 2, "/covered"), ext4(3, 3, "/covered/too")};
    mounts[1].hidden = mounts[2].hidden = true;
    struct qz_volume_choice choice = {0};
    struct outcome outcome = choose(&opener, mounts, COUNT(mounts), &choice, false);
    CHECK_INT(opener.calls, 0);
    CHECK_INT(outcome.freeze_count, 1);
    CHECK_INT(volume(&outcome, "/covered")->error->code, QZ_E_UNABLE_TO_OPEN_MOUNT);
    CHECK_CONTAINS(volume(&outcome, "/covered/too")->error->message, "another mount covers it");
    end(&outcome);
}

/* ---- --volume --------------------------------------------------------------------------------------------------- */

QZ_TEST(named_volumes_are_taken_exactly) // nothing else is frozen or listed, however the path is written
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/data"), ext4(3, 3, "/more"), other(4, 4, "/n", "nfs")};
    const char *names[] = {"//data/", "/data/./x/../../more"};
    struct outcome outcome = choose_named(&opener, mounts, COUNT(mounts), names, COUNT(names));
    CHECK_INT(outcome.count, 2);
    CHECK_INT(outcome.freeze_count, 2);
    CHECK_INT(volume(&outcome, "/data")->named, true);
    CHECK_INT(volume(&outcome, "/more")->named, true);
    end(&outcome);
}

QZ_TEST(a_volume_named_twice_is_taken_once) // by one path or two of one superblock: under its first name
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 1, "/bind")};
    const char *names[] = {"/bind", "/data", "/bind", "/nowhere", "/nowhere"};
    struct outcome outcome = choose_named(&opener, mounts, COUNT(mounts), names, COUNT(names));
    CHECK_INT(outcome.count, 2);
    CHECK_INT(outcome.freeze_count, 1);
    CHECK_INT(volume(&outcome, "/bind")->mount_id, 2);
    end(&outcome);
}

QZ_TEST(a_name_that_is_no_mount_point_is_an_error) // that says which mount point it lies on
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/data"), ext4(3, 3, "/data/sub")};
    mounts[2].hidden = true;
    const char *names[] = {"/data/sub/x", "/database"};
    struct outcome outcome = choose_named(&opener, mounts, COUNT(mounts), names, COUNT(names));
    CHECK_INT(outcome.count, 2);
    CHECK_INT(outcome.freeze_count, 0);
    const struct qz_volume *lost = volume(&outcome, "/data/sub/x");
    CHECK_INT(lost->decision, QZ_DECISION_FREEZE);
    CHECK_INT(lost->named, true);
    CHECK_INT(lost->error->code, QZ_E_UNABLE_TO_OPEN_MOUNT);
    CHECK_STRING(lost->error->message, "volume /data/sub/x: is no mount point; it lies on /data");
    CHECK_STRING(volume(&outcome, "/database")->error->message, "volume /database: is no mount point; it lies on /");
    end(&outcome);
}

QZ_TEST(a_named_volume_that_cannot_be_frozen_is_an_error) // where the default choice would pass over it
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/ro"), other(2, 2, "/tmp", "tmpfs"), ext4(3, 3, "/efi"),
                                other(4, 4, "/net", "nfs4")};
    mounts[0].super_read_only = true;
    mounts[2].fstype = "vfat";
    const char *names[] = {"/ro", "/tmp", "/efi", "/net"};
    struct outcome outcome = choose_named(&opener, mounts, COUNT(mounts), names, COUNT(names));
    CHECK_INT(outcome.freeze_count, 0);
    CHECK_INT(opener.calls, 0);
    for (size_t i = 0; i < COUNT(names); i++)
        CHECK_INT(volume(&outcome, names[i])->error->code, QZ_E_FS_FREEZE_FAILED);
    CHECK_STRING(volume(&outcome, "/ro")->error->message, "volume /ro (ext4): read-only");
    CHECK_STRING(volume(&outcome, "/tmp")->error->message, "volume /tmp (tmpfs): not on a block device (tmpfs)");
    CHECK_STRING(volume(&outcome, "/efi")->error->detail, "the kernel cannot freeze vfat");
    CHECK_STRING(volume(&outcome, "/net")->error->detail, "network filesystem (nfs4)");
    end(&outcome);
}

QZ_TEST(a_type_that_nobody_knows_is_tried_if_named) // only the kernel can tell
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/new"), other(2, 2, "/fuse", "fuse.something")};
    mounts[0].fstype = "newfs";
    const char *names[] = {"/new", "/fuse"};
    struct outcome outcome = choose_named(&opener, mounts, COUNT(mounts), names, COUNT(names));
    CHECK_INT(outcome.freeze_count, 2);
    end(&outcome);
}

QZ_TEST(a_name_means_the_mount_that_its_path_leads_to) // not what is covered there
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 2, "/data"), ext4(3, 3, "/data")};
    mounts[0].hidden = mounts[2].hidden = true;
    const char *names[] = {"/data"};
    struct outcome outcome = choose_named(&opener, mounts, COUNT(mounts), names, COUNT(names));
    CHECK_INT(outcome.count, 1);
    CHECK_INT(volume(&outcome, "/data")->dev, 2);
    end(&outcome);
}

/* ---- --exclude -------------------------------------------------------------------------------------------------- */

QZ_TEST(an_exclude_leaves_out_the_whole_superblock) // by any of its mounts
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 1, "/bind"), ext4(3, 2, "/")};
    const char *excludes[] = {"/bind/"};
    struct qz_volume_choice choice = {.excludes = excludes, .exclude_count = 1};
    struct outcome outcome = choose(&opener, mounts, COUNT(mounts), &choice, true);
    CHECK_INT(outcome.freeze_count, 1);
    CHECK_INT(volume(&outcome, "/data")->decision, QZ_DECISION_SKIP);
    CHECK_STRING(volume(&outcome, "/data")->reason, "excluded with --exclude");
    CHECK_INT(outcome.warnings.count, 0);
    CHECK_INT(outcome.disks, 1);
    end(&outcome);
}

QZ_TEST(an_exclude_reaches_what_is_covered) // it can be left out in no other way
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), other(2, 2, "/data", "tmpfs")};
    mounts[0].hidden = true;
    const char *excludes[] = {"/data"};
    struct qz_volume_choice choice = {.excludes = excludes, .exclude_count = 1};
    struct outcome outcome = choose(&opener, mounts, COUNT(mounts), &choice, true);
    CHECK_INT(volume(&outcome, "/data")->decision, QZ_DECISION_SKIP);
    end(&outcome);
}

QZ_TEST(an_exclude_that_is_no_mount_point_is_a_warning) // it leaves nothing out, and says what is there
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/data")};
    const char *excludes[] = {"/data/cache"};
    struct qz_volume_choice choice = {.excludes = excludes, .exclude_count = 1};
    struct outcome outcome = choose(&opener, mounts, COUNT(mounts), &choice, true);
    CHECK_INT(outcome.freeze_count, 2);
    CHECK_INT(outcome.warnings.count, 1);
    if (outcome.warnings.count == 1)
        CHECK_STRING(outcome.warnings.items[0].message,
                     "--exclude /data/cache leaves nothing out: it is no mount point, it lies on /data");
    end(&outcome);
}

QZ_TEST(asked_for_and_excluded_is_an_error) // also when the two name different mounts of one superblock
{
    struct opener opener = {0};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 1, "/bind")};
    const char *names[] = {"/data"};
    const char *excludes[] = {"/bind"};
    struct qz_volume_choice choice = {
        .volumes = names, .volume_count = 1, .excludes = excludes, .exclude_count = 1};
    struct outcome outcome = choose(&opener, mounts, COUNT(mounts), &choice, true);
    CHECK_INT(outcome.freeze_count, 0);
    CHECK_INT(volume(&outcome, "/data")->error->code, QZ_E_FS_FREEZE_FAILED);
    CHECK_CONTAINS(volume(&outcome, "/data")->error->message, "both asked for");
    end(&outcome);
}

/* ---- Order and disks -------------------------------------------------------------------------------------------- */

QZ_TEST(what_is_stored_on_another_is_frozen_before_it) // whatever the mount order; independent ones side by side
{
    struct opener opener = {0};
    static dev_t on_root[] = {1};
    static dev_t on_loop[] = {2};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/loop"), ext4(3, 3, "/loop/loop"), ext4(4, 4, "/data")};
    mounts[1].below = on_root;
    mounts[2].below = on_loop;
    mounts[1].below_count = mounts[2].below_count = 1;
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(volume(&outcome, "/loop/loop")->order, 0);
    CHECK_INT(volume(&outcome, "/data")->order, 0);
    CHECK_INT(volume(&outcome, "/loop")->order, 1);
    CHECK_INT(volume(&outcome, "/")->order, 2);
    CHECK_STRING(volume(&outcome, "/loop")->reason, "stored on /");
    for (size_t slot = 0; slot < outcome.freeze_count; slot++)
        CHECK_INT(opener.opened_id[slot], outcome.volumes[slot].mount_id);
    for (size_t slot = 1; slot < outcome.freeze_count; slot++)
        CU_ASSERT_TRUE(outcome.volumes[slot - 1].order <= outcome.volumes[slot].order);
    end(&outcome);
}

QZ_TEST(a_filesystem_that_is_not_frozen_passes_the_order_on) // its own storage still holds what lies on it
{
    struct opener opener = {0};
    static dev_t on_root[] = {1};
    static dev_t on_overlay[] = {2};
    static dev_t on_data[] = {4};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), other(2, 2, "/overlay", "overlay"), ext4(3, 3, "/loop"),
                                ext4(4, 4, "/data"), ext4(5, 5, "/data/loop")};
    mounts[1].below = on_root;
    mounts[2].below = on_overlay;
    mounts[4].below = on_data;
    mounts[1].below_count = mounts[2].below_count = mounts[4].below_count = 1;
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(volume(&outcome, "/loop")->order, 0);
    CHECK_INT(volume(&outcome, "/")->order, 1);
    CHECK_INT(volume(&outcome, "/data")->order, 1); /* the overlay makes no level of its own */
    CHECK_STRING(volume(&outcome, "/loop")->reason, "stored on /");
    end(&outcome);
}

QZ_TEST(orders_have_no_gaps) // also where the only filesystem of a level could not be opened
{
    struct opener opener = {.closed = {2}, .errors = {EIO}};
    static dev_t on_root[] = {1};
    static dev_t on_middle[] = {2};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/middle"), ext4(3, 3, "/top")};
    mounts[1].below = on_root;
    mounts[2].below = on_middle;
    mounts[1].below_count = mounts[2].below_count = 1;
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.freeze_count, 2);
    CHECK_INT(volume(&outcome, "/top")->order, 0);
    CHECK_INT(volume(&outcome, "/")->order, 1);
    end(&outcome);
}

QZ_TEST(a_cycle_of_storage_does_not_hang) // the kernel allows none, but a table may claim one
{
    struct opener opener = {0};
    static dev_t both[] = {1, 2};
    struct qz_mount mounts[] = {ext4(1, 1, "/a"), ext4(2, 2, "/b"), other(3, 3, "/c", "overlay")};
    for (size_t i = 0; i < COUNT(mounts); i++) {
        mounts[i].below = both;
        mounts[i].below_count = 2;
    }
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.freeze_count, 2);
    end(&outcome);
}

QZ_TEST(storage_that_is_not_mounted_makes_no_order) // nor does a filesystem that is said to lie on itself
{
    struct opener opener = {0};
    static dev_t on_what[] = {9, 1};
    struct qz_mount mounts[] = {ext4(1, 1, "/data"), ext4(2, 2, "/srv")};
    mounts[0].below = on_what;
    mounts[0].below_count = 2;
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(volume(&outcome, "/data")->order, 0);
    CHECK_INT(volume(&outcome, "/srv")->order, 0);
    CHECK_STRING(volume(&outcome, "/data")->reason, "");
    end(&outcome);
}

QZ_TEST(disks_are_counted_once) // two filesystems on one disk, one on two
{
    struct opener opener = {0};
    static dev_t one[] = {40};
    static dev_t two[] = {40, 41};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/data"), ext4(3, 3, "/home")};
    mounts[0].disks = mounts[1].disks = one;
    mounts[2].disks = two;
    mounts[2].disk_count = 2;
    struct outcome outcome = choose_default(&opener, mounts, COUNT(mounts));
    CHECK_INT(outcome.disks, 2);
    end(&outcome);
}

/* ---- Where one can still write ---------------------------------------------------------------------------------- */

QZ_TEST(a_directory_that_is_not_frozen_is_found) // neither frozen, nor read-only, nor stored on what is frozen
{
    struct opener opener = {0};
    static dev_t on_root[] = {1};
    struct qz_mount mounts[] = {ext4(1, 1, "/"), ext4(2, 2, "/loop"), other(3, 3, "/ro", "tmpfs"),
                                other(4, 4, "/run", "tmpfs"), other(5, 5, "/tmp", "tmpfs")};
    mounts[1].below = on_root;
    mounts[1].below_count = 1;
    mounts[2].read_only = true;
    mounts[4].hidden = true;
    const char *names[] = {"/"};
    struct outcome outcome = choose_named(&opener, mounts, COUNT(mounts), names, 1);
    struct qz_mount_table table = {.mounts = mounts, .count = COUNT(mounts)};
    const char *const all[] = {"/tmp", "/loop/x", "/ro", "/var/run/../../run/quiesce", "/run", NULL};
    const char *const none[] = {"/var/tmp", "/ro", NULL};
    CHECK_STRING(qz_volumes_find_unfrozen(&table, outcome.volumes, outcome.count, all), all[3]);
    CU_ASSERT_PTR_NULL(qz_volumes_find_unfrozen(&table, outcome.volumes, outcome.count, none));
    mounts[3].below_unknown = true; /* it may lie on what is frozen */
    CU_ASSERT_PTR_NULL(qz_volumes_find_unfrozen(&table, outcome.volumes, outcome.count, all));
    end(&outcome);
}
