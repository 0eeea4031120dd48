/* What is dirty, and the kernel's threads that write it out. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux_check.h"
#include "loop_volumes.h"
#include "settings.h"

#define DIRTY_MIB 8
#define MIB 1048576
#define SOON_US (10 * QZ_US_PER_S) /* the kernel by itself writes out what is 30 s old */

static bool open_volume(struct qz_os *os, const char *path)
{
    struct qz_mount_table table = {0};
    bool opened = false;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    for (size_t i = 0; i < table.count && !opened; i++)
        opened = strcmp(table.mounts[i].mount_point, path) == 0 && os->ops->volume_open(os, 0, &table.mounts[i]) == 0;
    qz_mount_table_free(&table);
    return opened;
}

static void make_dirty(const char *directory)
{
    static char block[MIB];
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/dirty", directory);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT(file >= 0);
    memset(block, 'd', sizeof block);
    for (int i = 0; i < DIRTY_MIB; i++)
        CHECK_INT(write(file, block, sizeof block), MIB);
    close(file);
}

static int64_t written(struct qz_os *os)
{
    bool writing;
    return os->ops->volumes_written(os, &writing);
}

QZ_TEST(a_marked_period_has_the_kernel_write_out_what_is_dirty) // on the disks, without anybody's sync; and then it is as before
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 1, false))
        return;
    struct qz_os *os = linux_check_open();
    int period = 0, after = 0;
    CHECK_INT(os->ops->setting_get(os, QZ_SETTING_WRITEBACK_PERIOD, &period), 0);
    CU_ASSERT_TRUE(open_volume(os, loop_volumes_path(&volumes, 0)));
    make_dirty(loop_volumes_path(&volumes, 0));
    CU_ASSERT(os->ops->dirty_bytes(os) >= DIRTY_MIB * MIB);
    int64_t before = written(os), end_us = os->ops->now_us(os) + SOON_US;
    qz_setting_mark(os, QZ_SETTING_WRITEBACK_PERIOD);
    CHECK_INT(qz_setting_restore(os, QZ_SETTING_WRITEBACK_PERIOD), 0);
    bool usual = period > 0 && period % QZ_MARK_PERIOD_UNIT == 0;
    while (usual && written(os) - before < DIRTY_MIB * MIB && os->ops->now_us(os) < end_us)
        usleep(10000);
    CU_ASSERT(!usual || written(os) - before >= DIRTY_MIB * MIB);
    do { /* another test's quiesce may just be at it */
        CHECK_INT(os->ops->setting_get(os, QZ_SETTING_WRITEBACK_PERIOD, &after), 0);
    } while (after != period && os->ops->now_us(os) < end_us);
    CHECK_INT(after, period);
    if (!usual)
        check_skip("vm.dirty_writeback_centisecs is not usual here, and is left alone");
    linux_check_close(os);
    loop_volumes_remove(&volumes);
}
