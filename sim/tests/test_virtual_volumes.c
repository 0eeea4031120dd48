/* Volumes of the virtual world: what can be frozen, fails, hangs, and what befalls who writes to it. */
#include <errno.h>

#include "check.h"
#include "inside.h"

/* Waits for the agent's loss and notes when it is lost, when it is gone, and whether the volume then needs a thaw. */
static void watch_the_end(struct qz_os *os, void *argument)
{
    int64_t *seen_us = argument;
    os->ops->volumes_arm(os, 1);
    inside_wait_for(os, QZ_EVENT_PEER_LOST);
    seen_us[0] = inside_since_start_us(os);
    while (!os->ops->peer_gone(os))
        inside_wait_until(os, inside_since_start_us(os) + MS);
    seen_us[1] = inside_since_start_us(os);
    seen_us[2] = inside_operate(os, 0, QZ_VOLUME_THAW).error;
}

static void freeze_slowly(struct qz_os *os, void *argument)
{
    CHECK_INT(os->ops->lock(os), 0);
    inside_open_all(os);
    os->ops->guard(os, watch_the_end, argument);
    inside_operate(os, 0, QZ_VOLUME_FREEZE);
}

QZ_TEST(a_freeze_outlives_its_process) // it takes effect when its time has come; until then the peer is not gone
{
    struct virtual_world *world = inside_world_with_data();
    int64_t seen_us[3] = {0};
    virtual_set_volume(world, DATA, &(struct virtual_volume){.freeze_us = SECOND});
    virtual_kill_at(world, VIRTUAL_AGENT, 300 * MS);
    CHECK_INT(virtual_run(world, freeze_slowly, seen_us), VIRTUAL_OVER);
    CHECK_INT(seen_us[0], 300 * MS);
    CHECK_INT(seen_us[1], SECOND);
    CHECK_INT(seen_us[2], 0);
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    virtual_free(world);
}

QZ_TEST(a_run_is_over_when_its_freezes_are) // also when both were killed: the volume is then frozen, for the next run
{
    struct virtual_world *world = inside_world_with_data();
    int64_t seen_us[3];
    virtual_set_volume(world, DATA, &(struct virtual_volume){.freeze_us = SECOND});
    virtual_kill_at(world, VIRTUAL_AGENT, 300 * MS);
    virtual_kill_at(world, VIRTUAL_GUARDIAN, 300 * MS);
    CHECK_INT(virtual_run(world, freeze_slowly, seen_us), VIRTUAL_OVER);
    CHECK_INT(virtual_now_us(world), SECOND);
    CU_ASSERT_TRUE(virtual_is_frozen(world, DATA));
    virtual_free(world);
}

static void look_for_the_dead(struct qz_os *os, void *argument)
{
    const struct qz_process *dead = argument;
    CHECK_INT(os->ops->lock(os), 0);
    CU_ASSERT_FALSE(os->ops->process_alive(os, dead));
    CU_ASSERT_FALSE(os->ops->process_gone(os, dead));
}

static void say_who_and_freeze(struct qz_os *os, void *argument)
{
    CHECK_INT(os->ops->lock(os), 0);
    os->ops->self(os, argument);
    inside_open_all(os);
    inside_operate(os, 0, QZ_VOLUME_FREEZE);
}

QZ_TEST(the_dead_may_linger_in_a_call_that_hangs) // but hold no lock, so that what they froze can be thawed
{
    struct virtual_world *world = inside_world_with_data();
    struct qz_process dead = {0};
    virtual_set_volume(world, DATA, &(struct virtual_volume){.stuck_until_us = QZ_NEVER});
    virtual_kill_at(world, VIRTUAL_AGENT, 300 * MS);
    CHECK_INT(virtual_run(world, say_who_and_freeze, &dead), VIRTUAL_OVER);
    CHECK_INT(virtual_run(world, look_for_the_dead, &dead), VIRTUAL_OVER);
    virtual_free(world);
}

/* Starts a thaw of the agent's freeze while that is under way, and notes when it returned. */
static void thaw_at_once(struct qz_os *os, void *argument)
{
    int64_t *seen_us = argument;
    os->ops->volumes_arm(os, 1);
    inside_wait_for(os, QZ_EVENT_MESSAGE);
    seen_us[0] = inside_operate(os, 0, QZ_VOLUME_THAW).error;
    seen_us[1] = inside_since_start_us(os);
}

static void freeze_and_tell(struct qz_os *os, void *argument)
{
    inside_open_all(os);
    os->ops->guard(os, thaw_at_once, argument);
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE, NULL);
    os->ops->tell_peer(os, 1);
    CHECK_INT(inside_wait_for(os, QZ_EVENT_VOLUME).error, 0);
    inside_wait_for(os, QZ_EVENT_PEER_LOST);
}

QZ_TEST(a_thaw_waits_for_the_freeze_under_way) // of the same volume, and thaws it the moment it is frozen
{
    struct virtual_world *world = inside_world_with_data();
    int64_t seen_us[2] = {-1};
    virtual_set_volume(world, DATA, &(struct virtual_volume){.stuck_until_us = 4 * SECOND, .thaw_us = 100});
    CHECK_INT(virtual_run(world, freeze_and_tell, seen_us), VIRTUAL_OVER);
    CHECK_INT(seen_us[0], 0);
    CHECK_INT(seen_us[1], 4 * SECOND + 100);
    CHECK_INT(virtual_longest_frozen_us(world, DATA), 100);
    virtual_free(world);
}

static void thaw_meanwhile(struct qz_os *os, void *argument)
{
    (void)argument;
    inside_open_all(os);
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE, NULL);
    os->ops->guard(os, thaw_at_once, argument);
    os->ops->tell_peer(os, 1);
    CHECK_INT(inside_wait_for(os, QZ_EVENT_VOLUME).error, 0);
}

static void freeze_for_the_other(struct qz_os *os, void *argument)
{
    os->ops->volumes_arm(os, 1);
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE, argument);
    inside_wait_for(os, QZ_EVENT_DISMISSED);
}

static void look_what_came_of_it(struct qz_os *os, void *argument)
{
    bool *seen = argument;
    struct qz_event event;
    struct qz_volume_done *done = os->ops->share(os, sizeof *done);
    inside_open_all(os);
    os->ops->guard(os, freeze_for_the_other, done);
    os->ops->wait(os, os->ops->now_us(os) + 3 * SECOND, &event);
    seen[0] = done->ended;
    os->ops->wait(os, os->ops->now_us(os) + 2 * SECOND, &event);
    seen[1] = done->ended;
    CHECK_INT(done->end_us - done->begin_us, 2 * SECOND);
    os->ops->dismiss(os, false);
}

QZ_TEST(who_is_stopped_writes_nothing_down) // its operation goes on, but what came of it is known when it goes on
{
    struct virtual_world *world = inside_world_with_data();
    bool seen[2] = {false};
    virtual_set_volume(world, DATA, &(struct virtual_volume){.freeze_us = 2 * SECOND});
    virtual_stop_at(world, VIRTUAL_GUARDIAN, SECOND, 3 * SECOND);
    CHECK_INT(virtual_run(world, look_what_came_of_it, seen), VIRTUAL_OVER);
    CU_ASSERT_TRUE(virtual_is_frozen(world, DATA));
    CU_ASSERT_FALSE(seen[0]);
    CU_ASSERT_TRUE(seen[1]);
    virtual_free(world);
}

QZ_TEST(a_thaw_may_come_before_a_freeze_that_waits) // for its writers: it finds nothing frozen
{
    struct virtual_world *world = inside_world_with_data();
    int64_t seen_us[2] = {-1};
    virtual_set_volume(world, DATA, &(struct virtual_volume){.freeze_us = SECOND, .thaw_passes = true});
    CHECK_INT(virtual_run(world, thaw_meanwhile, seen_us), VIRTUAL_OVER);
    CHECK_INT(seen_us[0], EINVAL);
    CHECK_INT(seen_us[1], 0);
    CU_ASSERT_TRUE(virtual_is_frozen(world, DATA));
    virtual_free(world);
}

QZ_TEST(what_never_returns_is_left) // and who waits for it is not said to hang
{
    struct virtual_world *world = inside_world_with_data();
    int64_t seen_us[2];
    virtual_set_volume(world, DATA, &(struct virtual_volume){.stuck_until_us = QZ_NEVER});
    CHECK_INT(virtual_run(world, freeze_and_tell, seen_us), VIRTUAL_LEFT_STUCK);
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    virtual_free(world);
}

/* Slot 0 is the lower one, slot 1 lies on it. */
static void freeze_from_below(struct qz_os *os, void *argument)
{
    (void)argument;
    inside_open_all(os);
    CHECK_INT(inside_operate(os, 0, QZ_VOLUME_FREEZE).error, 0);
    os->ops->volume_start(os, 1, QZ_VOLUME_FREEZE, NULL);
    CHECK_INT(inside_wait_until(os, SECOND).kind, QZ_EVENT_TIMEOUT);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW, NULL);
    struct qz_event lower = inside_wait_for(os, QZ_EVENT_VOLUME);
    struct qz_event upper = inside_wait_for(os, QZ_EVENT_VOLUME);
    CHECK_INT(lower.slot, 0);
    CHECK_INT(upper.slot, 1);
    CHECK_INT(upper.error, 0);
    CHECK_INT(upper.end_us, lower.end_us);
    CHECK_INT(inside_operate(os, 0, QZ_VOLUME_FREEZE).error, 0);
    os->ops->volume_start(os, 1, QZ_VOLUME_THAW, NULL);
    CHECK_INT(inside_wait_until(os, 2 * SECOND).kind, QZ_EVENT_TIMEOUT);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW, NULL);
    inside_wait_for(os, QZ_EVENT_VOLUME);
    CHECK_INT(inside_wait_for(os, QZ_EVENT_VOLUME).error, 0);
}

QZ_TEST(a_frozen_volume_holds_up_what_lies_on_it) // its freeze and its thaw return only once the lower one is thawed
{
    struct virtual_world *world = virtual_new();
    dev_t below[] = {LOWER};
    virtual_add_ext4(world, "/lower", LOWER);
    virtual_add_mount(
        world,
        &(struct qz_mount){
            .dev = DATA, .mount_point = (char[]){"/data"}, .block_backed = true, .below = below, .below_count = 1});
    CHECK_INT(virtual_run(world, freeze_from_below, NULL), VIRTUAL_OVER);
    CHECK_INT(virtual_frozen_count(world), 0);
    virtual_free(world);
}

static void freeze_and_thaw_with_errors(struct qz_os *os, void *argument)
{
    (void)argument;
    inside_open_all(os);
    CHECK_INT(inside_operate(os, 0, QZ_VOLUME_SYNC).error, EIO);
    CHECK_INT(inside_operate(os, 0, QZ_VOLUME_FREEZE).error, EOPNOTSUPP);
    struct qz_event event = inside_operate(os, 0, QZ_VOLUME_FREEZE);
    CHECK_INT(event.error, 0);
    CHECK_INT(event.end_us - event.begin_us, 30 * MS);
    CHECK_INT(inside_operate(os, 0, QZ_VOLUME_THAW).error, EROFS);
    CHECK_INT(inside_operate(os, 0, QZ_VOLUME_THAW).error, EROFS);
    event = inside_operate(os, 0, QZ_VOLUME_THAW);
    CHECK_INT(event.error, 0);
    CHECK_INT(event.end_us - event.begin_us, 40 * MS);
}

QZ_TEST(volume_operations_take_time_and_fail_as_told) // the first ones, where a number is given
{
    struct virtual_world *world = inside_world_with_data();
    virtual_set_volume(world, DATA,
                       &(struct virtual_volume){.sync_error = EIO,
                                                .freeze_us = 30 * MS,
                                                .freeze_error = EOPNOTSUPP,
                                                .freeze_errors = 1,
                                                .thaw_us = 40 * MS,
                                                .thaw_error = EROFS,
                                                .thaw_errors = 2});
    CHECK_INT(virtual_run(world, freeze_and_thaw_with_errors, NULL), VIRTUAL_OVER);
    virtual_free(world);
}

QZ_TEST(whose_freeze_it_is_is_told) // and only ours count for the longest one
{
    struct virtual_world *world = inside_world_with_data();
    virtual_foreign_freeze(world, DATA, 5 * SECOND);
    CHECK_INT(virtual_run(world, inside_hold_a_second, NULL), VIRTUAL_OVER);
    CHECK_INT(virtual_frozen_by(world, DATA), VIRTUAL_AGENT);
    CHECK_INT(virtual_longest_frozen_us(world, DATA), SECOND + 100);
    virtual_pass(world, 60 * SECOND);
    CU_ASSERT_TRUE(virtual_is_frozen(world, DATA));
    CHECK_INT(virtual_frozen_by(world, DATA), VIRTUAL_WORLD);
    CHECK_INT(virtual_longest_frozen_us(world, DATA), SECOND + 100);
    virtual_free(world);
}

static void write_while_frozen(struct qz_os *os, void *argument)
{
    (void)argument;
    inside_open_all(os);
    inside_operate(os, 0, QZ_VOLUME_FREEZE);
    os->ops->print(os, QZ_STREAM_LOG, "dropped\n", 8);
    CHECK_INT(inside_since_start_us(os), MS);
    CHECK_INT(os->ops->write_file(os, "/data/file", "x", 1, 0600, false), 0);
    CHECK_INT(inside_since_start_us(os), 3 * SECOND);
    os->ops->print(os, QZ_STREAM_LOG, "printed\n", 8);
}

QZ_TEST(a_writer_on_a_frozen_volume_stands_still) // until it is thawed; a line of log is dropped instead
{
    struct virtual_world *world = inside_world_with_data();
    virtual_stream_on(world, QZ_STREAM_LOG, "/data");
    virtual_foreign_thaw(world, DATA, 3 * SECOND);
    CHECK_INT(virtual_run(world, write_while_frozen, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_output(world, QZ_STREAM_LOG), "printed\n");
    virtual_free(world);
}

static void open_late(struct qz_os *os, void *argument)
{
    (void)argument;
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    inside_wait_until(os, SECOND);
    CHECK_INT(os->ops->volume_open(os, 0, &table.mounts[0]), ENOENT);
    CHECK_INT(os->ops->volume_recover(os, 0, "/data", DATA), ENOENT);
    qz_mount_table_free(&table);
}

QZ_TEST(a_mount_can_vanish) // and is then not to be opened any more
{
    struct virtual_world *world = inside_world_with_data();
    virtual_unmount_at(world, "/data", SECOND);
    CHECK_INT(virtual_run(world, open_late, NULL), VIRTUAL_OVER);
    virtual_free(world);
}
