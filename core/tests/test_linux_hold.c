#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_check.h"
#include "loop_volumes.h"

#define SOON_US (5 * QZ_US_PER_S)

/* Opens what is mounted at `path` as volume `slot`. */
static void open_volume(struct qz_os *os, const struct qz_mount_table *table, int slot, const char *path)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->mounts[i].mount_point, path) == 0 && !table->mounts[i].hidden) {
            CHECK_INT(os->ops->volume_open(os, slot, &table->mounts[i]), 0);
            return;
        }
    }
    CU_FAIL("not mounted");
}

/* Opens and arms all of them. */
static void arm(struct qz_os *os, const struct loop_volumes *volumes)
{
    struct qz_mount_table table = {0};
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    for (int i = 0; i < volumes->count; i++)
        open_volume(os, &table, i, loop_volumes_path(volumes, i));
    qz_mount_table_free(&table);
    CHECK_INT(os->ops->volumes_arm(os, volumes->count), 0);
}

static struct qz_event finished(struct qz_os *os)
{
    struct qz_event event;
    CU_ASSERT(linux_check_await(os, QZ_EVENT_VOLUME, SOON_US, &event));
    return event;
}

static struct qz_event operate(struct qz_os *os, int slot, enum qz_volume_op op)
{
    os->ops->volume_start(os, slot, op, NULL);
    struct qz_event event = finished(os);
    CHECK_INT(event.slot, slot);
    CHECK_INT(event.op, op);
    return event;
}

QZ_TEST(a_volume_is_flushed_frozen_and_thawed)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 1, false))
        return;
    struct qz_os *os = linux_check_open();
    arm(os, &volumes);
    int64_t before_us = os->ops->now_us(os);
    CHECK_INT(operate(os, 0, QZ_VOLUME_SYNC).error, 0);
    struct qz_event freeze = operate(os, 0, QZ_VOLUME_FREEZE);
    CHECK_INT(freeze.error, 0);
    CU_ASSERT(before_us <= freeze.begin_us && freeze.begin_us <= freeze.end_us);
    CU_ASSERT(freeze.end_us <= os->ops->now_us(os));
    CU_ASSERT(loop_volumes_frozen(&volumes, 0));
    CHECK_INT(operate(os, 0, QZ_VOLUME_FREEZE).error, EBUSY);
    CHECK_INT(operate(os, 0, QZ_VOLUME_THAW).error, 0);
    CU_ASSERT(!loop_volumes_frozen(&volumes, 0));
    CHECK_INT(operate(os, 0, QZ_VOLUME_THAW).error, EINVAL);
    linux_check_close(os);
    loop_volumes_remove(&volumes);
}

/* Starts `op` on all volumes at once. Returns the time from the first one's begin to the last one's end. */
static int64_t operate_all(struct qz_os *os, int count, enum qz_volume_op op)
{
    int64_t first_us = INT64_MAX, last_us = 0;
    for (int i = 0; i < count; i++)
        os->ops->volume_start(os, i, op, NULL);
    for (int i = 0; i < count; i++) {
        struct qz_event event = finished(os);
        CHECK_INT(event.error, 0);
        first_us = event.begin_us < first_us ? event.begin_us : first_us;
        last_us = event.end_us > last_us ? event.end_us : last_us;
    }
    return last_us - first_us;
}

QZ_TEST(many_volumes_are_frozen_side_by_side)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 32, false))
        return;
    struct qz_os *os = linux_check_open();
    arm(os, &volumes);
    operate_all(os, volumes.count, QZ_VOLUME_SYNC);
    usleep(100000); /* cold, as the first freeze of a run is */
    int64_t freeze_us = operate_all(os, volumes.count, QZ_VOLUME_FREEZE);
    for (int i = 0; i < volumes.count; i++)
        CU_ASSERT(loop_volumes_frozen(&volumes, i));
    int64_t thaw_us = operate_all(os, volumes.count, QZ_VOLUME_THAW);
    printf("32 volumes: frozen in %lld us, thawed in %lld us\n", (long long)freeze_us, (long long)thaw_us);
    /* One after another it is about a second. */
    CU_ASSERT(freeze_us < 400000);
    linux_check_close(os);
    loop_volumes_remove(&volumes);
}

QZ_TEST(an_operation_that_hangs_hangs_alone)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 3, true))
        return;
    struct qz_os *os = linux_check_open();
    arm(os, &volumes);
    struct qz_event event;
    CHECK_INT(operate(os, 0, QZ_VOLUME_FREEZE).error, 0);
    /* Its image lies on volume 0. */
    os->ops->volume_start(os, 1, QZ_VOLUME_FREEZE, NULL);
    CHECK_INT(operate(os, 2, QZ_VOLUME_FREEZE).error, 0);
    CHECK_INT(operate(os, 2, QZ_VOLUME_THAW).error, 0);
    os->ops->wait(os, os->ops->now_us(os) + 300000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(operate(os, 0, QZ_VOLUME_THAW).error, 0);
    event = finished(os);
    CHECK_INT(event.slot, 1);
    CHECK_INT(event.error, 0);
    CHECK_INT(operate(os, 1, QZ_VOLUME_THAW).error, 0);
    linux_check_close(os);
    loop_volumes_remove(&volumes);
}

QZ_TEST(giving_up_does_not_wait_for_an_operation_that_hangs)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 2, true))
        return;
    struct qz_os *os = linux_check_open();
    arm(os, &volumes);
    CHECK_INT(operate(os, 0, QZ_VOLUME_FREEZE).error, 0);
    os->ops->volume_start(os, 1, QZ_VOLUME_FREEZE, NULL);
    usleep(200000);
    int64_t begin_us = os->ops->now_us(os);
    linux_check_close(os);
    CU_ASSERT(qz_linux_now_us(NULL) - begin_us < 2 * QZ_US_PER_S); /* it hangs for ever */
    loop_volumes_end_hang(&volumes);
    loop_volumes_remove(&volumes);
}

QZ_TEST(volumes_can_be_armed_again_after_they_were_given_up)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 2, false))
        return;
    struct qz_os *os = linux_check_open();
    for (int round = 0; round < 3; round++) {
        arm(os, &volumes);
        CHECK_INT(os->ops->volumes_arm(os, 2), 0);
        CHECK_INT(operate(os, 1, QZ_VOLUME_SYNC).error, 0);
        os->ops->volumes_close(os);
    }
    linux_check_close(os);
    loop_volumes_remove(&volumes);
}

/* How many of our threads have that scheduling policy. */
static int threads_with(int policy)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    for (struct dirent *task = readdir(tasks); task; task = readdir(tasks))
        count += task->d_name[0] != '.' && sched_getscheduler((pid_t)strtol(task->d_name, NULL, 10)) == policy;
    closedir(tasks);
    return count;
}

/* Puts something on a volume that flushing it has to write. */
static void make_dirty(const struct loop_volumes *volumes, int slot)
{
    char path[300];
    snprintf(path, sizeof path, "%s/file", loop_volumes_path(volumes, slot));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(write(fd, path, sizeof path), sizeof path);
    close(fd);
}

QZ_TEST(who_freezes_goes_before_others) // while volumes are armed; what it starts does not, and flushing does not
{
    const int urgent = SCHED_RR | SCHED_RESET_ON_FORK;
    const struct sched_param lowest = {.sched_priority = 1}, none = {0};
    if (sched_setscheduler(0, urgent, &lowest) != 0) {
        check_skip("needs leave to use SCHED_RR");
        return;
    }
    CHECK_INT(sched_setscheduler(0, SCHED_OTHER, &none), 0);
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 2, true))
        return;
    struct qz_os *os = linux_check_open();
    arm(os, &volumes);
    make_dirty(&volumes, 1);
    CHECK_INT(threads_with(urgent), 3);
    CHECK_INT(operate(os, 0, QZ_VOLUME_FREEZE).error, 0);
    os->ops->volume_start(os, 1, QZ_VOLUME_SYNC, NULL); /* it lies on the other one, and so hangs */
    usleep(200000);
    CHECK_INT(threads_with(urgent), 2);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW, NULL);
    finished(os);
    finished(os);
    CHECK_INT(threads_with(urgent), 3);
    pid_t child = fork();
    if (child == 0)
        _exit(sched_getscheduler(0) == SCHED_OTHER ? 0 : 1);
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    os->ops->volumes_close(os);
    CHECK_INT(sched_getscheduler(0), SCHED_OTHER);
    linux_check_close(os);
    loop_volumes_remove(&volumes);
}

QZ_TEST(more_volumes_than_descriptors_are_usual) // we take as many as we may have; a child gets what we were started with
{
    struct rlimit given, few, now;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &given), 0);
    few = (struct rlimit){.rlim_cur = 64, .rlim_max = given.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct qz_os *os = linux_check_open();
    struct qz_mount_table table = {0};
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    for (int slot = 0; slot < 100; slot++)
        open_volume(os, &table, slot, "/"); /* only opened */
    qz_mount_table_free(&table);
    CHECK_INT(linux_check_shell(os, 0, "ulimit -Sn"), 0);
    linux_check_end(os, 0, false, 0);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "64\n");
    linux_check_close(os);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &now), 0);
    CHECK_INT(now.rlim_cur, 64);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &given), 0);
}

struct faults {
    int count; /* of volumes */
    long seen; /* page faults from the first freeze to the last thaw; -1: not yet known */
};

static void operate_on_all(struct qz_os *os, int count, enum qz_volume_op op)
{
    for (int slot = 0; slot < count; slot++)
        os->ops->volume_start(os, slot, op, NULL);
    for (int slot = 0; slot < count; slot++)
        finished(os);
}

static void freeze_in_guardian(struct qz_os *os, void *argument)
{
    struct faults *faults = argument;
    struct rusage before, after;
    os->ops->volumes_arm(os, faults->count);
    operate_on_all(os, faults->count, QZ_VOLUME_SYNC);
    getrusage(RUSAGE_SELF, &before);
    operate_on_all(os, faults->count, QZ_VOLUME_FREEZE);
    operate_on_all(os, faults->count, QZ_VOLUME_THAW);
    getrusage(RUSAGE_SELF, &after);
    faults->seen = after.ru_minflt - before.ru_minflt;
    os->ops->tell_peer(os, 1);
    struct qz_event event;
    linux_check_await(os, QZ_EVENT_DISMISSED, SOON_US, &event);
}

QZ_TEST(no_page_is_missing_while_frozen) // in a guardian, whose memory is a copy that is made when it is first written to
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 4, false))
        return;
    struct qz_os *os = linux_check_open();
    struct faults *faults = os->ops->share(os, sizeof *faults);
    struct qz_event event;
    *faults = (struct faults){.count = volumes.count, .seen = -1};
    arm(os, &volumes);
    CHECK_INT(os->ops->guard(os, freeze_in_guardian, faults), 0);
    CU_ASSERT(linux_check_await(os, QZ_EVENT_MESSAGE, SOON_US, &event));
    if (!LINUX_CHECK_SANITIZED)
        CHECK_INT(faults->seen, 0);
    os->ops->dismiss(os, false);
    linux_check_close(os);
    loop_volumes_remove(&volumes);
}

QZ_TEST(five_hundred_volumes_need_little_memory)
{
    struct qz_os *os = linux_check_open();
    struct qz_mount_table table = {0};
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    for (int i = 0; i < 512; i++)
        open_volume(os, &table, i, "/"); /* only armed, never frozen */
    qz_mount_table_free(&table);
    CHECK_INT(os->ops->volumes_arm(os, 512), 0);
    long resident_kib = linux_check_resident_kib(getpid());
    printf("512 volumes: %ld KiB resident\n", resident_kib);
    CU_ASSERT(LINUX_CHECK_SANITIZED || resident_kib < 8 * 1024);
    linux_check_close(os);
}
