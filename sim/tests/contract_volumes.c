/* The contract: volumes, and settings of the machine. */
#include "contract_rules.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Does one operation on volume 0 and returns its errno, -1 if it does not end. */
static int operate(struct qz_os *os, enum qz_volume_op op)
{
    struct qz_event event;
    os->ops->volume_start(os, 0, op, NULL);
    if (!contract_await(os, QZ_EVENT_VOLUME, &event))
        return -1;
    CHECK_INT(event.slot, 0);
    CHECK_INT(event.op, op);
    CU_ASSERT(event.begin_us <= event.end_us);
    CU_ASSERT(event.end_us <= os->ops->now_us(os));
    return event.error;
}

/* Finds the mount of `mount_point` in `table`. */
static const struct qz_mount *find_mount(const struct qz_mount_table *table, const char *mount_point)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->mounts[i].mount_point, mount_point) == 0 && !table->mounts[i].hidden)
            return &table->mounts[i];
    }
    return NULL;
}

/* Opens the volume as slot 0 and arms it. False: that failed, and nothing may be started on it. */
static bool open_volume(struct qz_os *os, const char *mount_point)
{
    struct qz_mount_table table;
    int error = os->ops->list_mounts(os, &table);
    const struct qz_mount *mount = error ? NULL : find_mount(&table, mount_point);
    if (!error)
        error = mount ? os->ops->volume_open(os, 0, mount) : ENOENT;
    if (!error)
        error = os->ops->volumes_arm(os, 1);
    os->hush = true; /* before anything is frozen, as in core */
    qz_mount_table_free(&table);
    CHECK_INT(error, 0);
    return error == 0;
}

QZ_TEST_WITH_VOLUME(a_mount_is_described) // its filesystem, its superblock's device, its disk
{
    struct qz_os *os = contract->os;
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    const struct qz_mount *mount = find_mount(&table, mount_point);
    CU_ASSERT_PTR_NOT_NULL(mount);
    if (mount) {
        CHECK_STRING(mount->fstype, "ext4");
        CHECK_STRING(mount->root, "/");
        CU_ASSERT_TRUE(mount->block_backed);
        CU_ASSERT_FALSE(mount->read_only || mount->super_read_only);
        CU_ASSERT(mount->dev != 0);
        CHECK_INT(mount->disk_count, 1);
    }
    qz_mount_table_free(&table);
}

QZ_TEST_WITH_VOLUME(a_volume_is_frozen_and_thawed) // twice frozen: EBUSY; thawed when it is not frozen: EINVAL
{
    struct qz_os *os = contract->os;
    if (!open_volume(os, mount_point))
        return;
    CHECK_INT(operate(os, QZ_VOLUME_SYNC), 0);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), EBUSY);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), 0);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), EINVAL);
    os->ops->volumes_close(os);
}

QZ_TEST_WITH_VOLUME(a_thaw_may_be_called_off) // until it has begun: ECANCELED, and nothing is thawed; a freeze may not
{
    struct qz_os *os = contract->os;
    struct qz_volume_done done = {.called_off = true};
    struct qz_event event;
    if (!open_volume(os, mount_point))
        return;
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE, &done);
    contract_await(os, QZ_EVENT_VOLUME, &event);
    CHECK_INT(event.error, 0);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW, &done);
    contract_await(os, QZ_EVENT_VOLUME, &event);
    CHECK_INT(event.error, ECANCELED);
    CHECK_INT(done.error, ECANCELED);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), 0); /* was frozen */
    os->ops->volumes_close(os);
}

QZ_TEST_WITH_VOLUME(somebody_elses_freeze_is_seen) // EBUSY
{
    struct qz_os *os = contract->os;
    if (!open_volume(os, mount_point))
        return;
    contract_others_freeze(contract);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), EBUSY);
    contract_others_thaw(contract);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), 0);
    os->ops->volumes_close(os);
}

QZ_TEST_WITH_VOLUME(somebody_elses_thaw_is_seen) // EINVAL
{
    struct qz_os *os = contract->os;
    if (!open_volume(os, mount_point))
        return;
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    contract_others_thaw(contract);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), EINVAL);
    os->ops->volumes_close(os);
}

QZ_TEST_WITH_VOLUME(a_covered_mount_is_not_opened) // ESTALE by its mount point; recovery finds the superblock underneath
{
    struct qz_os *os = contract->os;
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    const struct qz_mount *mount = find_mount(&table, mount_point);
    CU_ASSERT_PTR_NOT_NULL(mount);
    contract_cover(contract);
    int error = ENOENT;
    if (mount) {
        CHECK_INT(os->ops->volume_open(os, 0, mount), ESTALE);
        error = os->ops->volume_recover(os, 0, mount_point, mount->dev);
    }
    if (!error)
        error = os->ops->volumes_arm(os, 1);
    CHECK_INT(error, 0);
    if (!error) {
        os->hush = true;
        CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
        CHECK_INT(operate(os, QZ_VOLUME_THAW), 0);
    }
    os->ops->volumes_close(os);
    qz_mount_table_free(&table);
}

/* What a guardian tells of. */
struct shared {
    atomic_int seen;
    atomic_int error;
};

static void thaw_slot_0(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    shared->error = os->ops->volumes_arm(os, 1);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW, NULL);
    struct qz_event event;
    shared->seen = contract_await(os, QZ_EVENT_VOLUME, &event) ? event.error : -1;
    os->ops->tell_peer(os, 1);
    contract_await(os, QZ_EVENT_DISMISSED, &event);
}

QZ_TEST_WITH_VOLUME(a_guardian_thaws_what_the_agent_froze) // it has the open volumes, and workers of its own
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_event event = {0};
    if (!open_volume(os, mount_point))
        return;
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    CHECK_INT(os->ops->guard(os, thaw_slot_0, shared), 0);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(shared->error, 0);
    CHECK_INT(shared->seen, 0);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), EINVAL);
    os->ops->dismiss(os, false);
    os->ops->volumes_close(os);
}

static void freeze_slot_0(struct qz_os *os, void *argument)
{
    struct qz_volume_done *done = argument;
    struct qz_event event;
    os->ops->volumes_arm(os, 1);
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE, done);
    contract_await(os, QZ_EVENT_DISMISSED, &event);
}

QZ_TEST_WITH_VOLUME(what_came_of_it_is_known_to_the_other) // whether or not who began it has taken it in
{
    struct qz_os *os = contract->os;
    struct qz_volume_done *done = os->ops->share(os, sizeof *done);
    struct qz_event event;
    if (!open_volume(os, mount_point))
        return;
    int64_t begin_us = os->ops->now_us(os);
    done->error = -1;
    CHECK_INT(os->ops->guard(os, freeze_slot_0, done), 0);
    while (!done->ended && os->ops->now_us(os) < begin_us + 5 * QZ_US_PER_S)
        os->ops->wait(os, os->ops->now_us(os) + 10000, &event);
    CU_ASSERT_TRUE(done->ended);
    CHECK_INT(done->error, 0);
    CU_ASSERT(done->begin_us >= begin_us && done->end_us >= done->begin_us && done->end_us <= os->ops->now_us(os));
    CHECK_INT(operate(os, QZ_VOLUME_THAW), 0);
    os->ops->dismiss(os, false);
    os->ops->volumes_close(os);
}

static void set_rcu_to_9(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    int value = 0;
    struct qz_event event;
    shared->error = os->ops->setting_set(os, QZ_SETTING_RCU_EXPEDITED, 9); /* the agent has opened it */
    shared->seen = os->ops->setting_get(os, QZ_SETTING_RCU_EXPEDITED, &value) == 0 ? value : -1;
    os->ops->tell_peer(os, 1);
    contract_await(os, QZ_EVENT_DISMISSED, &event);
}

QZ_TEST_WITH_VOLUME(the_rcu_number_is_what_was_set_last) // any number, by us, by others, by a guardian
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_event event = {0};
    int value = -1;
    (void)mount_point;
    CHECK_INT(os->ops->setting_get(os, QZ_SETTING_RCU_EXPEDITED, &value), 0);
    CHECK_INT(value, 0);
    CHECK_INT(os->ops->setting_set(os, QZ_SETTING_RCU_EXPEDITED, 71563), 0);
    CHECK_INT(os->ops->setting_get(os, QZ_SETTING_RCU_EXPEDITED, &value), 0);
    CHECK_INT(value, 71563);
    contract_others_rcu(contract, 5);
    CHECK_INT(os->ops->setting_get(os, QZ_SETTING_RCU_EXPEDITED, &value), 0);
    CHECK_INT(value, 5);
    CHECK_INT(os->ops->guard(os, set_rcu_to_9, shared), 0);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(shared->error, 0);
    CHECK_INT(shared->seen, 9);
    CHECK_INT(os->ops->setting_get(os, QZ_SETTING_RCU_EXPEDITED, &value), 0);
    CHECK_INT(value, 9);
    CHECK_INT(os->ops->setting_set(os, QZ_SETTING_RCU_EXPEDITED, 0), 0);
    os->ops->dismiss(os, false);
}

QZ_TEST_WITH_VOLUME(how_much_is_dirty_is_known) // of the machine; and what has been written to the volume's disk
{
    struct qz_os *os = contract->os;
    bool writing = true;
    CU_ASSERT(os->ops->dirty_bytes(os) >= 0);
    if (!open_volume(os, mount_point))
        return;
    int64_t written = os->ops->volumes_written(os, &writing);
    CU_ASSERT(written >= 0);
    CHECK_INT(operate(os, QZ_VOLUME_SYNC), 0);
    CU_ASSERT(os->ops->volumes_written(os, &writing) >= written);
    CU_ASSERT_FALSE(writing);
    os->ops->volumes_close(os);
}
