/* Scripts of the virtual world: what they do, leave behind, and are ended by. */
#include <errno.h>
#include <signal.h>

#include "check.h"
#include "inside.h"

#define SCRIPT "/opt/script"

static struct virtual_world *world_with_script(const struct virtual_attempt *attempts, size_t count)
{
    struct virtual_world *world = inside_world_with_data();
    virtual_add_file(world, SCRIPT, 0, 0700, "#!/bin/sh\n");
    virtual_set_script(world, SCRIPT, attempts, count);
    return world;
}

static void start_four_times(struct qz_os *os, void *argument)
{
    (void)argument;
    CHECK_INT(inside_start(os, 0, SCRIPT, NULL), 0);
    struct qz_event event = inside_wait_for(os, QZ_EVENT_CHILD);
    CHECK_INT(event.end.status, 7);
    CHECK_INT(inside_since_start_us(os), SECOND);
    CHECK_INT(inside_start(os, 0, SCRIPT, NULL), ENOEXEC);
    CHECK_INT(inside_start(os, 0, SCRIPT, NULL), ESTALE);
    CHECK_INT(inside_start(os, 0, SCRIPT, NULL), ESTALE);
}

QZ_TEST(attempts_take_their_turns) // the last row serves all later ones; a swapped file is not started
{
    static const struct virtual_attempt attempts[] = {
        {.run_us = SECOND, .status = 7}, {.start_error = ENOEXEC}, {.swapped = true}};
    struct virtual_world *world = world_with_script(attempts, 3);
    CHECK_INT(virtual_run(world, start_four_times, NULL), VIRTUAL_OVER);
    CHECK_INT(virtual_starts_of(world, SCRIPT), 1);
    const struct virtual_start *first = virtual_start_at(world, 0);
    CHECK_STRING(first->argv[0], SCRIPT);
    CHECK_STRING(first->envp[0], "QUIESCE_PHASE=pre");
    CHECK_INT(first->end_us, SECOND);
    CHECK_INT(virtual_open_files(world), 0);
    virtual_free(world);
}

static void start_and_kill(struct qz_os *os, void *argument)
{
    CHECK_INT(inside_start(os, 0, SCRIPT, NULL), 0);
    inside_wait_until(os, SECOND);
    os->ops->tree_signal(os, 0, SIGTERM);
    os->ops->tree_signal(os, 0, SIGKILL);
    struct qz_event event = inside_wait_for(os, QZ_EVENT_CHILD);
    CU_ASSERT_TRUE(event.end.signaled);
    *(int64_t *)argument = inside_since_start_us(os);
    while (os->ops->tree_alive(os, 0))
        inside_wait_until(os, inside_since_start_us(os) + MS);
}

QZ_TEST(a_kill_is_not_instant) // and what is unkillable takes its time
{
    static const struct virtual_attempt plain = {.run_us = QZ_NEVER};
    static const struct virtual_attempt hard = {
        .run_us = QZ_NEVER, .unkillable_us = 5 * SECOND, .leftovers = 2, .leftover_us = QZ_NEVER};
    int64_t ended_us = 0;
    struct virtual_world *world = world_with_script(&plain, 1);
    CHECK_INT(virtual_run(world, start_and_kill, &ended_us), VIRTUAL_OVER);
    CU_ASSERT(ended_us > SECOND);
    virtual_free(world);
    world = world_with_script(&hard, 1);
    CHECK_INT(virtual_run(world, start_and_kill, &ended_us), VIRTUAL_OVER);
    CHECK_INT(ended_us, 5 * SECOND);
    CHECK_INT(virtual_alive(world), 0);
    virtual_free(world);
}

static void start_and_leave(struct qz_os *os, void *argument)
{
    (void)argument;
    CHECK_INT(inside_start(os, 0, SCRIPT, NULL), 0);
    CHECK_INT(inside_wait_for(os, QZ_EVENT_CHILD).end.status, 0);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
}

QZ_TEST(what_a_script_leaves_behind_lives_its_time) // also when quiesce is over
{
    static const struct virtual_attempt attempt = {.leftovers = 3, .leftover_us = SECOND};
    struct virtual_world *world = world_with_script(&attempt, 1);
    CHECK_INT(virtual_run(world, start_and_leave, NULL), VIRTUAL_OVER);
    CHECK_INT(virtual_alive(world), 3);
    virtual_pass(world, SECOND);
    CHECK_INT(virtual_alive(world), 0);
    virtual_free(world);
}

static void start_on_frozen(struct qz_os *os, void *argument)
{
    struct qz_tail *out = argument;
    inside_open_all(os);
    inside_operate(os, 0, QZ_VOLUME_FREEZE);
    CHECK_INT(inside_start(os, 0, SCRIPT, out), 0);
    inside_wait_until(os, SECOND);
    os->ops->tree_signal(os, 0, SIGKILL);
    CHECK_INT(inside_wait_until(os, 2 * SECOND).kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(out->total, 0);
    inside_operate(os, 0, QZ_VOLUME_THAW);
    CHECK_INT(inside_wait_for(os, QZ_EVENT_CHILD).end.status, SIGKILL);
}

QZ_TEST(a_script_that_writes_to_a_frozen_volume_is_deaf) // to SIGKILL, too, until the thaw
{
    static const struct virtual_attempt attempt = {.run_us = SECOND, .out = "written", .writes = "/data"};
    struct qz_tail out = {0};
    struct virtual_world *world = world_with_script(&attempt, 1);
    CHECK_INT(virtual_run(world, start_on_frozen, &out), VIRTUAL_OVER);
    CHECK_INT(out.total, 7);
    virtual_free(world);
}
