/* The virtual world itself: time, faults, volumes and scripts behave as virtual.h says. What it owes to core is in
 * contract.c. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "check.h"
#include "virtual.h"

#define DATA makedev(8, 17)
#define LOWER makedev(8, 33)
#define SECOND QZ_US_PER_S
#define MS INT64_C(1000)

/* ---- Helpers for what runs inside -------------------------------------------------------------------------------- */

static int64_t since_start_us(struct qz_os *os)
{
    return os->ops->now_us(os) - VIRTUAL_START_US;
}

static struct qz_event wait_until(struct qz_os *os, int64_t at_us)
{
    struct qz_event event;
    os->ops->wait(os, at_us == QZ_NEVER ? QZ_NEVER : at_us + VIRTUAL_START_US, &event);
    return event;
}

/* The first event of that kind; others are dropped. */
static struct qz_event wait_for(struct qz_os *os, enum qz_event_kind kind)
{
    struct qz_event event;
    do
        os->ops->wait(os, QZ_NEVER, &event);
    while (event.kind != kind);
    return event;
}

/* Opens and arms all that is mounted, in the table's order. */
static void open_all(struct qz_os *os)
{
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    for (size_t i = 0; i < table.count; i++)
        CHECK_INT(os->ops->volume_open(os, (int)i, &table.mounts[i]), 0);
    CHECK_INT(os->ops->volumes_arm(os, (int)table.count), 0);
    qz_mount_table_free(&table);
}

static struct qz_event operate(struct qz_os *os, int slot, enum qz_volume_op op)
{
    os->ops->volume_start(os, slot, op);
    return wait_for(os, QZ_EVENT_VOLUME);
}

static int start(struct qz_os *os, int slot, const char *path, struct qz_tail *out)
{
    char *argv[] = {(char *)(uintptr_t)path, NULL};
    char *envp[] = {(char[]){"QUIESCE_PHASE=pre"}, NULL};
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    int error = os->ops->child_start(
        os, &(struct qz_child_spec){.slot = slot, .path = path, .facts = &facts, .argv = argv, .envp = envp, .out = out});
    qz_path_facts_free(os, &facts);
    return error;
}

/* A guardian that thaws slot 0 when the agent is lost, and ends when it is let go. */
static void thaw_when_lost(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->volumes_arm(os, 1);
    struct qz_event event;
    do
        os->ops->wait(os, QZ_NEVER, &event);
    while (event.kind != QZ_EVENT_PEER_LOST && event.kind != QZ_EVENT_DISMISSED);
    while (event.kind == QZ_EVENT_PEER_LOST && !os->ops->peer_gone(os))
        wait_until(os, since_start_us(os) + MS);
    if (event.kind == QZ_EVENT_PEER_LOST)
        operate(os, 0, QZ_VOLUME_THAW);
}

/* Freezes slot 0 for a second, with a guardian beside it. */
static void hold_a_second(struct qz_os *os, void *argument)
{
    open_all(os);
    os->ops->guard(os, thaw_when_lost, NULL);
    os->ops->journal_write(os, "frozen", 6);
    operate(os, 0, QZ_VOLUME_FREEZE);
    wait_until(os, since_start_us(os) + SECOND);
    operate(os, 0, QZ_VOLUME_THAW);
    os->ops->journal_write(os, "", 0);
    os->ops->dismiss(os);
    if (argument)
        *(bool *)argument = true;
}

static struct virtual_world *world_with_data(void)
{
    struct virtual_world *world = virtual_new();
    virtual_add_ext4(world, "/data", DATA);
    return world;
}

/* ---- Time and turns ---------------------------------------------------------------------------------------------- */

static void wait_half_an_hour(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->journal_write(os, "x", 1);
    CHECK_INT(since_start_us(os), 0);
    CHECK_INT(wait_until(os, 1800 * SECOND).kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(since_start_us(os), 1800 * SECOND);
    CHECK_INT(wait_until(os, 0).kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(since_start_us(os), 1800 * SECOND);
}

QZ_TEST(time_passes_only_in_wait) // operations take none; a deadline is met exactly; a past one lets none pass
{
    struct virtual_world *world = virtual_new();
    CHECK_INT(virtual_run(world, wait_half_an_hour, NULL), VIRTUAL_OVER);
    CHECK_INT(virtual_now_us(world), 1800 * SECOND);
    virtual_free(world);
}

QZ_TEST(a_trace_tells_all) // every operation and event in order, each with its time, its process and its result
{
    struct virtual_world *world = world_with_data();
    virtual_foreign_thaw(world, DATA, SECOND / 2);
    CHECK_INT(virtual_run(world, hold_a_second, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_trace_text(world),
                 "    0.000000 agent *starts\n"
                 "    0.000000 agent list_mounts 1 = 0\n"
                 "    0.000000 agent volume_open /data slot=0 2065 = 0\n"
                 "    0.000000 agent volumes_arm 1 = 0\n"
                 "    0.000000 guardian *starts\n"
                 "    0.000000 agent guard = 0\n"
                 "    0.000000 agent journal_write 6 = 0\n"
                 "    0.000000 agent volume_start slot=0 freeze\n"
                 "    0.000000 guardian volumes_arm 1 = 0\n"
                 "    0.001000 agent *frozen 8:17\n"
                 "    0.001000 agent *volume-ends slot=0 freeze = 0\n"
                 "    0.001000 agent wait until=never = VOLUME slot=0 = 0\n"
                 "    0.500000 world *thawed 8:17\n"
                 "    1.001000 agent wait until=1.001000 = TIMEOUT\n"
                 "    1.001000 agent volume_start slot=0 thaw\n"
                 "    1.001000 agent *volume-ends slot=0 thaw = EINVAL\n"
                 "    1.001000 agent wait until=never = VOLUME slot=0 = EINVAL\n"
                 "    1.001000 agent journal_write = 0\n"
                 "    1.001000 guardian wait until=never = DISMISSED\n"
                 "    1.001000 guardian *ends\n"
                 "    1.001000 agent dismiss = 0\n"
                 "    1.001000 agent *ends\n");
    virtual_free(world);
}

QZ_TEST(every_run_is_repeatable) // the same world gives the same trace, byte for byte, kills included
{
    const char *first = NULL;
    struct virtual_world *worlds[2];
    for (int i = 0; i < 2; i++) {
        worlds[i] = world_with_data();
        virtual_kill_at(worlds[i], VIRTUAL_AGENT, SECOND / 3);
        CHECK_INT(virtual_run(worlds[i], hold_a_second, NULL), VIRTUAL_OVER);
        if (first)
            CHECK_STRING(virtual_trace_text(worlds[i]), first);
        first = virtual_trace_text(worlds[i]);
    }
    virtual_free(worlds[0]);
    virtual_free(worlds[1]);
}

static void wait_for_nothing(struct qz_os *os, void *argument)
{
    (void)argument;
    wait_until(os, QZ_NEVER);
}

static void look_for_ever(struct qz_os *os, void *argument)
{
    (void)argument;
    for (;;)
        wait_until(os, 0);
}

QZ_TEST(hanging_is_noticed) // a wait that can never end, and a loop that never waits
{
    struct virtual_world *world = virtual_new();
    CHECK_INT(virtual_run(world, wait_for_nothing, NULL), VIRTUAL_HANGS);
    virtual_set_step_limit(world, 50);
    CHECK_INT(virtual_run(world, look_for_ever, NULL), VIRTUAL_HANGS);
    CU_ASSERT_FALSE(virtual_is_alive(world, VIRTUAL_AGENT));
    virtual_free(world);
}

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

QZ_TEST(a_killed_agent_never_goes_on) // and its guardian hears of it at that very time
{
    struct virtual_world *world = world_with_data();
    bool finished = false;
    virtual_kill_at(world, VIRTUAL_AGENT, SECOND / 2);
    CHECK_INT(virtual_run(world, hold_a_second, &finished), VIRTUAL_OVER);
    CU_ASSERT_FALSE(finished);
    CHECK_CONTAINS(virtual_trace_text(world), "0.500000 agent *killed\n    0.500000 guardian wait until=never = PEER_LOST");
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    CHECK_INT(virtual_longest_frozen_us(world, DATA), SECOND / 2 - MS + 100);
    virtual_free(world);
}

QZ_TEST(a_kill_comes_before_or_after_the_effect) // of an operation
{
    struct virtual_world *world = world_with_data();
    virtual_kill_on(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 1, VIRTUAL_BEFORE);
    CHECK_INT(virtual_run(world, hold_a_second, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_journal(world), "");
    virtual_kill_on(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 1, VIRTUAL_AFTER);
    CHECK_INT(virtual_run(world, hold_a_second, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_journal(world), "frozen");
    virtual_free(world);
}

QZ_TEST(every_operation_can_be_the_last) // wherever either is killed, the other one and the world come to an end
{
    for (int role = VIRTUAL_AGENT; role <= VIRTUAL_GUARDIAN; role++) {
        for (unsigned nth = 1; nth <= 14; nth++) {
            struct virtual_world *world = world_with_data();
            virtual_kill_on(world, (enum virtual_role)role, VIRTUAL_OP_ANY, nth,
                            nth % 2 ? VIRTUAL_BEFORE : VIRTUAL_AFTER);
            CHECK_INT(virtual_run(world, hold_a_second, NULL), VIRTUAL_OVER);
            CHECK_INT(virtual_frozen_count(world), 0);
            CU_ASSERT_PTR_NULL(virtual_violation(world));
            virtual_free(world);
        }
    }
}

static void allocate_and_wait(struct qz_os *os, void *argument)
{
    (void)argument;
    char *blocks[100];
    for (size_t i = 0; i < 100; i++)
        blocks[i] = strdup("a block that is never freed");
    blocks[0] = realloc(blocks[0], 5000);
    wait_until(os, SECOND);
    for (size_t i = 0; i < 100; i++)
        free(blocks[i]);
}

QZ_TEST(what_the_killed_had_is_no_leak) // the leak checker of a sanitized build says so at the end
{
    struct virtual_world *world = virtual_new();
    virtual_kill_at(world, VIRTUAL_AGENT, MS);
    CHECK_INT(virtual_run(world, allocate_and_wait, NULL), VIRTUAL_OVER);
    virtual_free(world);
}

static void keep_a_block(struct qz_os *os, void *argument)
{
    (void)os;
    *(char **)argument = strdup("the caller's");
}

QZ_TEST(what_an_ended_process_gave_away_lives) // longer than its world
{
    struct virtual_world *world = virtual_new();
    char *block = NULL;
    CHECK_INT(virtual_run(world, keep_a_block, &block), VIRTUAL_OVER);
    virtual_free(world);
    CHECK_STRING(block, "the caller's");
    free(block);
}

static void wait_twice(struct qz_os *os, void *argument)
{
    int64_t *seen_us = argument;
    wait_until(os, SECOND);
    seen_us[0] = since_start_us(os);
    wait_until(os, 10 * SECOND);
    seen_us[1] = since_start_us(os);
}

QZ_TEST(a_stopped_process_stands_still) // its deadlines pass unseen until it is continued
{
    struct virtual_world *world = virtual_new();
    int64_t seen_us[2] = {0};
    virtual_stop_at(world, VIRTUAL_AGENT, SECOND / 2, 5 * SECOND);
    CHECK_INT(virtual_run(world, wait_twice, seen_us), VIRTUAL_OVER);
    CHECK_INT(seen_us[0], 11 * SECOND / 2);
    CHECK_INT(seen_us[1], 10 * SECOND);
    virtual_free(world);
}

QZ_TEST(who_is_stopped_for_ever_is_left) // a run ends when nobody but the stopped is there
{
    struct virtual_world *world = world_with_data();
    virtual_stop_on(world, VIRTUAL_AGENT, VIRTUAL_OP_WAIT, 2, VIRTUAL_BEFORE, QZ_NEVER);
    virtual_kill_at(world, VIRTUAL_GUARDIAN, 2 * SECOND);
    CHECK_INT(virtual_run(world, hold_a_second, NULL), VIRTUAL_LEFT_STOPPED);
    CU_ASSERT_TRUE(virtual_is_alive(world, VIRTUAL_AGENT));
    CU_ASSERT_TRUE(virtual_is_frozen(world, DATA));
    CHECK_INT(virtual_frozen_by(world, DATA), VIRTUAL_AGENT);
    virtual_free(world);
}

static void write_three_times(struct qz_os *os, void *argument)
{
    int *errors = argument;
    for (int i = 0; i < 3; i++)
        errors[i] = os->ops->journal_write(os, "abc", (size_t)i + 1);
}

QZ_TEST(the_nth_call_fails) // that one alone, without effect; VIRTUAL_EVERY: all of them
{
    struct virtual_world *world = virtual_new();
    int errors[3];
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 3, ENOSPC);
    CHECK_INT(virtual_run(world, write_three_times, errors), VIRTUAL_OVER);
    CHECK_INT(errors[0] + errors[1], 0);
    CHECK_INT(errors[2], ENOSPC);
    CHECK_STRING(virtual_journal(world), "ab");
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, VIRTUAL_EVERY, EIO);
    CHECK_INT(virtual_run(world, write_three_times, errors), VIRTUAL_OVER);
    CHECK_INT(errors[0] + errors[1] + errors[2], 3 * EIO);
    virtual_free(world);
}

static void tell_twice(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->tell_peer(os, 1);
    os->ops->tell_peer(os, 2);
}

static void guard_twice(struct qz_os *os, void *argument)
{
    (void)argument;
    for (int i = 0; i < 2; i++) {
        os->ops->guard(os, tell_twice, NULL);
        wait_for(os, QZ_EVENT_PEER_LOST);
        os->ops->dismiss(os);
    }
}

QZ_TEST(a_fault_can_be_aimed) // at the second guardian, past the first one
{
    struct virtual_world *world = virtual_new();
    virtual_aim(world, 2);
    virtual_kill_on(world, VIRTUAL_GUARDIAN, VIRTUAL_OP_TELL_PEER, 1, VIRTUAL_AFTER);
    CHECK_INT(virtual_run(world, guard_twice, NULL), VIRTUAL_OVER);
    CHECK_CONTAINS(virtual_trace_text(world), "guardian tell_peer 2");
    CHECK_CONTAINS(virtual_trace_text(world), "guardian#2 tell_peer 1 = 0\n    0.000000 guardian#2 *killed");
    virtual_free(world);
}

static void write_once(struct qz_os *os, void *argument)
{
    CHECK_INT(os->ops->journal_write(os, "x", 1), 0);
    *(int64_t *)argument = since_start_us(os);
}

QZ_TEST(an_operation_can_take_its_time) // a delay holds up its process, not the world
{
    struct virtual_world *world = virtual_new();
    int64_t done_us = 0;
    virtual_delay(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 1, 3 * SECOND);
    CHECK_INT(virtual_run(world, write_once, &done_us), VIRTUAL_OVER);
    CHECK_INT(done_us, 3 * SECOND);
    virtual_free(world);
}

static void count_signals(struct qz_os *os, void *argument)
{
    int *counts = argument;
    wait_until(os, 0);
    for (struct qz_event event = wait_until(os, SECOND); event.kind == QZ_EVENT_SIGNAL; event = wait_until(os, SECOND))
        counts[event.value == SIGTERM]++;
}

QZ_TEST(signals_of_a_kind_are_one) // while nobody has waited for them
{
    struct virtual_world *world = virtual_new();
    int counts[2] = {0};
    virtual_delay(world, VIRTUAL_AGENT, VIRTUAL_OP_WAIT, 2, 100 * MS);
    virtual_signal_at(world, VIRTUAL_AGENT, SIGTERM, MS);
    virtual_signal_at(world, VIRTUAL_AGENT, SIGTERM, 2 * MS);
    virtual_signal_at(world, VIRTUAL_AGENT, SIGINT, 3 * MS);
    virtual_signal_at(world, VIRTUAL_AGENT, SIGTERM, 200 * MS);
    CHECK_INT(virtual_run(world, count_signals, counts), VIRTUAL_OVER);
    CHECK_INT(counts[0], 1);
    CHECK_INT(counts[1], 2);
    virtual_free(world);
}

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

/* Waits for the agent's loss and notes when it is lost, when it is gone, and whether the volume then needs a thaw. */
static void watch_the_end(struct qz_os *os, void *argument)
{
    int64_t *seen_us = argument;
    os->ops->volumes_arm(os, 1);
    wait_for(os, QZ_EVENT_PEER_LOST);
    seen_us[0] = since_start_us(os);
    while (!os->ops->peer_gone(os))
        wait_until(os, since_start_us(os) + MS);
    seen_us[1] = since_start_us(os);
    seen_us[2] = operate(os, 0, QZ_VOLUME_THAW).error;
}

static void freeze_slowly(struct qz_os *os, void *argument)
{
    CHECK_INT(os->ops->lock(os), 0);
    open_all(os);
    os->ops->guard(os, watch_the_end, argument);
    operate(os, 0, QZ_VOLUME_FREEZE);
}

QZ_TEST(a_freeze_outlives_its_process) // it takes effect when its time has come; until then the peer is not gone
{
    struct virtual_world *world = world_with_data();
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
    struct virtual_world *world = world_with_data();
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
    open_all(os);
    operate(os, 0, QZ_VOLUME_FREEZE);
}

QZ_TEST(the_dead_may_linger_in_a_call_that_hangs) // but hold no lock, so that what they froze can be thawed
{
    struct virtual_world *world = world_with_data();
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
    wait_for(os, QZ_EVENT_MESSAGE);
    seen_us[0] = operate(os, 0, QZ_VOLUME_THAW).error;
    seen_us[1] = since_start_us(os);
}

static void freeze_and_tell(struct qz_os *os, void *argument)
{
    open_all(os);
    os->ops->guard(os, thaw_at_once, argument);
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE);
    os->ops->tell_peer(os, 1);
    CHECK_INT(wait_for(os, QZ_EVENT_VOLUME).error, 0);
    wait_for(os, QZ_EVENT_PEER_LOST);
}

QZ_TEST(a_thaw_waits_for_the_freeze_under_way) // of the same volume, and thaws it the moment it is frozen
{
    struct virtual_world *world = world_with_data();
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
    open_all(os);
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE);
    os->ops->guard(os, thaw_at_once, argument);
    os->ops->tell_peer(os, 1);
    CHECK_INT(wait_for(os, QZ_EVENT_VOLUME).error, 0);
}

QZ_TEST(a_thaw_may_come_before_a_freeze_that_waits) // for its writers: it finds nothing frozen
{
    struct virtual_world *world = world_with_data();
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
    struct virtual_world *world = world_with_data();
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
    open_all(os);
    CHECK_INT(operate(os, 0, QZ_VOLUME_FREEZE).error, 0);
    os->ops->volume_start(os, 1, QZ_VOLUME_FREEZE);
    CHECK_INT(wait_until(os, SECOND).kind, QZ_EVENT_TIMEOUT);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW);
    struct qz_event lower = wait_for(os, QZ_EVENT_VOLUME);
    struct qz_event upper = wait_for(os, QZ_EVENT_VOLUME);
    CHECK_INT(lower.slot, 0);
    CHECK_INT(upper.slot, 1);
    CHECK_INT(upper.error, 0);
    CHECK_INT(upper.end_us, lower.end_us);
    CHECK_INT(operate(os, 0, QZ_VOLUME_FREEZE).error, 0);
    os->ops->volume_start(os, 1, QZ_VOLUME_THAW);
    CHECK_INT(wait_until(os, 2 * SECOND).kind, QZ_EVENT_TIMEOUT);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW);
    wait_for(os, QZ_EVENT_VOLUME);
    CHECK_INT(wait_for(os, QZ_EVENT_VOLUME).error, 0);
}

QZ_TEST(a_frozen_volume_holds_up_what_lies_on_it) // its freeze and its thaw return only once the lower one is thawed
{
    struct virtual_world *world = virtual_new();
    dev_t below[] = {LOWER};
    virtual_add_ext4(world, "/lower", LOWER);
    virtual_add_mount(world, &(struct qz_mount){.dev = DATA,
                                                .mount_point = (char[]){"/data"},
                                                .block_backed = true,
                                                .below = below,
                                                .below_count = 1});
    CHECK_INT(virtual_run(world, freeze_from_below, NULL), VIRTUAL_OVER);
    CHECK_INT(virtual_frozen_count(world), 0);
    virtual_free(world);
}

static void freeze_and_thaw_with_errors(struct qz_os *os, void *argument)
{
    (void)argument;
    open_all(os);
    CHECK_INT(operate(os, 0, QZ_VOLUME_SYNC).error, EIO);
    CHECK_INT(operate(os, 0, QZ_VOLUME_FREEZE).error, EOPNOTSUPP);
    struct qz_event event = operate(os, 0, QZ_VOLUME_FREEZE);
    CHECK_INT(event.error, 0);
    CHECK_INT(event.end_us - event.begin_us, 30 * MS);
    CHECK_INT(operate(os, 0, QZ_VOLUME_THAW).error, EROFS);
    CHECK_INT(operate(os, 0, QZ_VOLUME_THAW).error, EROFS);
    event = operate(os, 0, QZ_VOLUME_THAW);
    CHECK_INT(event.error, 0);
    CHECK_INT(event.end_us - event.begin_us, 40 * MS);
}

QZ_TEST(volume_operations_take_time_and_fail_as_told) // the first ones, where a number is given
{
    struct virtual_world *world = world_with_data();
    virtual_set_volume(world, DATA, &(struct virtual_volume){.sync_error = EIO,
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
    struct virtual_world *world = world_with_data();
    virtual_foreign_freeze(world, DATA, 5 * SECOND);
    CHECK_INT(virtual_run(world, hold_a_second, NULL), VIRTUAL_OVER);
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
    open_all(os);
    operate(os, 0, QZ_VOLUME_FREEZE);
    os->ops->print(os, QZ_STREAM_LOG, "dropped\n", 8);
    CHECK_INT(since_start_us(os), MS);
    CHECK_INT(os->ops->write_file(os, "/data/file", "x", 1, 0600, false), 0);
    CHECK_INT(since_start_us(os), 3 * SECOND);
    os->ops->print(os, QZ_STREAM_LOG, "printed\n", 8);
}

QZ_TEST(a_writer_on_a_frozen_volume_stands_still) // until it is thawed; a line of log is dropped instead
{
    struct virtual_world *world = world_with_data();
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
    wait_until(os, SECOND);
    CHECK_INT(os->ops->volume_open(os, 0, &table.mounts[0]), ENOENT);
    CHECK_INT(os->ops->volume_recover(os, 0, "/data", DATA), ENOENT);
    qz_mount_table_free(&table);
}

QZ_TEST(a_mount_can_vanish) // and is then not to be opened any more
{
    struct virtual_world *world = world_with_data();
    virtual_unmount_at(world, "/data", SECOND);
    CHECK_INT(virtual_run(world, open_late, NULL), VIRTUAL_OVER);
    virtual_free(world);
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

#define SCRIPT "/opt/script"

static struct virtual_world *world_with_script(const struct virtual_attempt *attempts, size_t count)
{
    struct virtual_world *world = world_with_data();
    virtual_add_file(world, SCRIPT, 0, 0700, "#!/bin/sh\n");
    virtual_set_script(world, SCRIPT, attempts, count);
    return world;
}

static void start_four_times(struct qz_os *os, void *argument)
{
    (void)argument;
    CHECK_INT(start(os, 0, SCRIPT, NULL), 0);
    struct qz_event event = wait_for(os, QZ_EVENT_CHILD);
    CHECK_INT(event.end.status, 7);
    CHECK_INT(since_start_us(os), SECOND);
    CHECK_INT(start(os, 0, SCRIPT, NULL), ENOEXEC);
    CHECK_INT(start(os, 0, SCRIPT, NULL), ESTALE);
    CHECK_INT(start(os, 0, SCRIPT, NULL), ESTALE);
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
    CHECK_INT(start(os, 0, SCRIPT, NULL), 0);
    wait_until(os, SECOND);
    os->ops->tree_signal(os, 0, SIGTERM);
    os->ops->tree_signal(os, 0, SIGKILL);
    struct qz_event event = wait_for(os, QZ_EVENT_CHILD);
    CU_ASSERT_TRUE(event.end.signaled);
    *(int64_t *)argument = since_start_us(os);
    while (os->ops->tree_alive(os, 0))
        wait_until(os, since_start_us(os) + MS);
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
    CHECK_INT(start(os, 0, SCRIPT, NULL), 0);
    CHECK_INT(wait_for(os, QZ_EVENT_CHILD).end.status, 0);
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
    open_all(os);
    operate(os, 0, QZ_VOLUME_FREEZE);
    CHECK_INT(start(os, 0, SCRIPT, out), 0);
    wait_until(os, SECOND);
    os->ops->tree_signal(os, 0, SIGKILL);
    CHECK_INT(wait_until(os, 2 * SECOND).kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(out->total, 0);
    operate(os, 0, QZ_VOLUME_THAW);
    CHECK_INT(wait_for(os, QZ_EVENT_CHILD).end.status, SIGKILL);
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

/* ---- Agent and guardian ------------------------------------------------------------------------------------------ */

static void talk_and_end(struct qz_os *os, void *argument)
{
    (void)argument;
    for (int byte = 1; byte <= 40; byte++)
        os->ops->tell_peer(os, byte);
}

static void listen(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->guard(os, talk_and_end, NULL);
    for (int byte = 1; byte <= 40; byte++) {
        struct qz_event event = wait_until(os, SECOND);
        CHECK_INT(event.kind, QZ_EVENT_MESSAGE);
        CHECK_INT(event.value, byte);
    }
    CHECK_INT(wait_until(os, SECOND).kind, QZ_EVENT_PEER_LOST);
    CHECK_INT(wait_until(os, SECOND).kind, QZ_EVENT_TIMEOUT);
}

QZ_TEST(a_loss_comes_after_the_last_word) // all that a lost peer had said is heard, in order
{
    struct virtual_world *world = virtual_new();
    CHECK_INT(virtual_run(world, listen, NULL), VIRTUAL_OVER);
    virtual_free(world);
}

static void freeze_for_ever(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->volumes_arm(os, 1);
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE);
    os->ops->tell_peer(os, 1);
    wait_for(os, QZ_EVENT_VOLUME);
}

static void dismiss_stuck(struct qz_os *os, void *argument)
{
    open_all(os);
    os->ops->guard(os, freeze_for_ever, NULL);
    wait_for(os, QZ_EVENT_MESSAGE);
    os->ops->dismiss(os);
    *(int64_t *)argument = since_start_us(os);
}

static void dismiss_only(struct qz_os *os, void *argument)
{
    os->ops->guard(os, thaw_when_lost, NULL);
    wait_until(os, SECOND);
    os->ops->dismiss(os);
    *(int64_t *)argument = since_start_us(os) - SECOND;
}

QZ_TEST(a_dismissal_waits_a_moment) // for a guardian that stands still; not for one with an operation under way
{
    int64_t waited_us = 0;
    struct virtual_world *world = world_with_data();
    virtual_stop_at(world, VIRTUAL_GUARDIAN, MS, 10 * SECOND);
    CHECK_INT(virtual_run(world, dismiss_only, &waited_us), VIRTUAL_OVER);
    CHECK_INT(waited_us, 100 * MS);
    virtual_free(world);
    world = world_with_data();
    virtual_set_volume(world, DATA, &(struct virtual_volume){.freeze_us = 5 * SECOND});
    CHECK_INT(virtual_run(world, dismiss_stuck, &waited_us), VIRTUAL_OVER);
    CHECK_INT(waited_us, 0);
    virtual_free(world);
}

static void say_who_and_wait(struct qz_os *os, void *argument)
{
    struct qz_process *self = argument;
    os->ops->self(os, self);
    CHECK_INT(wait_until(os, 10 * SECOND).value, SIGTERM);
    CHECK_INT(since_start_us(os), SECOND);
}

static void ask_to_end(struct qz_os *os, void *argument)
{
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->process_signal(os, argument, SIGTERM), 0);
    wait_until(os, 2 * SECOND);
    CU_ASSERT_FALSE(os->ops->process_alive(os, argument));
    CHECK_INT(os->ops->process_signal(os, argument, SIGTERM), ESRCH);
}

QZ_TEST(another_quiesce_runs_beside) // and finds and signals the first one by what that is known by
{
    struct virtual_world *world = virtual_new();
    struct qz_process first = {0};
    virtual_also_run(world, SECOND, ask_to_end, &first);
    CHECK_INT(virtual_run(world, say_who_and_wait, &first), VIRTUAL_OVER);
    CHECK_INT(virtual_now_us(world), 2 * SECOND);
    virtual_free(world);
}

static void break_rules(struct qz_os *os, void *argument)
{
    (void)argument;
    open_all(os);
    os->ops->volume_start(os, 5, QZ_VOLUME_SYNC);
}

QZ_TEST(broken_rules_are_told) // the first one, in words
{
    struct virtual_world *world = world_with_data();
    CHECK_INT(virtual_run(world, break_rules, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_violation(world), "volume_start: the volume is not open");
    virtual_free(world);
}

/* ---- From run to run --------------------------------------------------------------------------------------------- */

static void read_journal(struct qz_os *os, void *argument)
{
    os->ops->journal_read(os, argument, 15);
}

QZ_TEST(the_machine_outlives_its_processes) // the next run finds journal and freeze; after a reboot neither
{
    struct virtual_world *world = world_with_data();
    char journal[16] = "";
    virtual_kill_at(world, VIRTUAL_AGENT, SECOND / 2);
    virtual_kill_at(world, VIRTUAL_GUARDIAN, SECOND / 2);
    CHECK_INT(virtual_run(world, hold_a_second, NULL), VIRTUAL_OVER);
    CU_ASSERT_TRUE(virtual_is_frozen(world, DATA));
    CHECK_INT(virtual_run(world, read_journal, journal), VIRTUAL_OVER);
    CHECK_STRING(journal, "frozen");
    virtual_reboot(world);
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    CHECK_STRING(virtual_journal(world), "");
    virtual_free(world);
}
