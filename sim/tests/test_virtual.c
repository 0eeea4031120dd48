/* The virtual world itself: time, faults, and who dies when, as virtual.h says. What it owes core is in contract.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "inside.h"

/* ---- Time and turns ---------------------------------------------------------------------------------------------- */

static void wait_half_an_hour(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->journal_write(os, "x", 1);
    CHECK_INT(inside_since_start_us(os), 0);
    CHECK_INT(inside_wait_until(os, 1800 * SECOND).kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(inside_since_start_us(os), 1800 * SECOND);
    CHECK_INT(inside_wait_until(os, 0).kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(inside_since_start_us(os), 1800 * SECOND);
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
    struct virtual_world *world = inside_world_with_data();
    virtual_foreign_thaw(world, DATA, SECOND / 2);
    CHECK_INT(virtual_run(world, inside_hold_a_second, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_trace_text(world), "    0.000000 agent *starts\n"
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
        worlds[i] = inside_world_with_data();
        virtual_kill_at(worlds[i], VIRTUAL_AGENT, SECOND / 3);
        CHECK_INT(virtual_run(worlds[i], inside_hold_a_second, NULL), VIRTUAL_OVER);
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
    inside_wait_until(os, QZ_NEVER);
}

static void look_for_ever(struct qz_os *os, void *argument)
{
    (void)argument;
    for (;;)
        inside_wait_until(os, 0);
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
    struct virtual_world *world = inside_world_with_data();
    bool finished = false;
    virtual_kill_at(world, VIRTUAL_AGENT, SECOND / 2);
    CHECK_INT(virtual_run(world, inside_hold_a_second, &finished), VIRTUAL_OVER);
    CU_ASSERT_FALSE(finished);
    CHECK_CONTAINS(virtual_trace_text(world),
                   "0.500000 agent *killed\n    0.500000 guardian wait until=never = PEER_LOST");
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    CHECK_INT(virtual_longest_frozen_us(world, DATA), SECOND / 2 - MS + 100);
    virtual_free(world);
}

QZ_TEST(a_kill_comes_before_or_after_the_effect) // of an operation
{
    struct virtual_world *world = inside_world_with_data();
    virtual_kill_on(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 1, VIRTUAL_BEFORE);
    CHECK_INT(virtual_run(world, inside_hold_a_second, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_journal(world), "");
    virtual_kill_on(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 1, VIRTUAL_AFTER);
    CHECK_INT(virtual_run(world, inside_hold_a_second, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_journal(world), "frozen");
    virtual_free(world);
}

QZ_TEST(every_operation_can_be_the_last) // wherever either is killed, the other one and the world come to an end
{
    for (int role = VIRTUAL_AGENT; role <= VIRTUAL_GUARDIAN; role++) {
        for (unsigned nth = 1; nth <= 14; nth++) {
            struct virtual_world *world = inside_world_with_data();
            virtual_kill_on(world, (enum virtual_role)role, VIRTUAL_OP_ANY, nth,
                            nth % 2 ? VIRTUAL_BEFORE : VIRTUAL_AFTER);
            CHECK_INT(virtual_run(world, inside_hold_a_second, NULL), VIRTUAL_OVER);
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
    inside_wait_until(os, SECOND);
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
    inside_wait_until(os, SECOND);
    seen_us[0] = inside_since_start_us(os);
    inside_wait_until(os, 10 * SECOND);
    seen_us[1] = inside_since_start_us(os);
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
    struct virtual_world *world = inside_world_with_data();
    virtual_stop_on(world, VIRTUAL_AGENT, VIRTUAL_OP_WAIT, 2, VIRTUAL_BEFORE, QZ_NEVER);
    virtual_kill_at(world, VIRTUAL_GUARDIAN, 2 * SECOND);
    CHECK_INT(virtual_run(world, inside_hold_a_second, NULL), VIRTUAL_LEFT_STOPPED);
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
        inside_wait_for(os, QZ_EVENT_PEER_LOST);
        os->ops->dismiss(os, false);
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
    *(int64_t *)argument = inside_since_start_us(os);
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
    inside_wait_until(os, 0);
    struct qz_event event;
    for (event = inside_wait_until(os, SECOND); event.kind == QZ_EVENT_SIGNAL; event = inside_wait_until(os, SECOND))
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
        struct qz_event event = inside_wait_until(os, SECOND);
        CHECK_INT(event.kind, QZ_EVENT_MESSAGE);
        CHECK_INT(event.value, byte);
    }
    CHECK_INT(inside_wait_until(os, SECOND).kind, QZ_EVENT_PEER_LOST);
    CHECK_INT(inside_wait_until(os, SECOND).kind, QZ_EVENT_TIMEOUT);
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
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE, NULL);
    os->ops->tell_peer(os, 1);
    inside_wait_for(os, QZ_EVENT_VOLUME);
}

static void dismiss_stuck(struct qz_os *os, void *argument)
{
    inside_open_all(os);
    os->ops->guard(os, freeze_for_ever, NULL);
    inside_wait_for(os, QZ_EVENT_MESSAGE);
    os->ops->dismiss(os, false);
    *(int64_t *)argument = inside_since_start_us(os);
}

static void dismiss_only(struct qz_os *os, void *argument)
{
    os->ops->guard(os, inside_thaw_when_lost, NULL);
    inside_wait_until(os, SECOND);
    os->ops->dismiss(os, false);
    *(int64_t *)argument = inside_since_start_us(os) - SECOND;
}

QZ_TEST(a_dismissal_waits_a_moment) // for a guardian that stands still; not for one with an operation under way
{
    int64_t waited_us = 0;
    struct virtual_world *world = inside_world_with_data();
    virtual_stop_at(world, VIRTUAL_GUARDIAN, MS, 10 * SECOND);
    CHECK_INT(virtual_run(world, dismiss_only, &waited_us), VIRTUAL_OVER);
    CHECK_INT(waited_us, 100 * MS);
    virtual_free(world);
    world = inside_world_with_data();
    virtual_set_volume(world, DATA, &(struct virtual_volume){.freeze_us = 5 * SECOND});
    CHECK_INT(virtual_run(world, dismiss_stuck, &waited_us), VIRTUAL_OVER);
    CHECK_INT(waited_us, 0);
    virtual_free(world);
}

static void say_who_and_wait(struct qz_os *os, void *argument)
{
    struct qz_process *self = argument;
    os->ops->self(os, self);
    CHECK_INT(inside_wait_until(os, 10 * SECOND).value, SIGTERM);
    CHECK_INT(inside_since_start_us(os), SECOND);
}

static void ask_to_end(struct qz_os *os, void *argument)
{
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->process_signal(os, argument, SIGTERM), 0);
    inside_wait_until(os, 2 * SECOND);
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
    inside_open_all(os);
    os->ops->volume_start(os, 5, QZ_VOLUME_SYNC, NULL);
}

static void freeze_aloud(struct qz_os *os, void *argument)
{
    (void)argument;
    inside_open_all(os);
    os->hush = false;
    inside_operate(os, 0, QZ_VOLUME_FREEZE);
    inside_operate(os, 0, QZ_VOLUME_THAW);
}

QZ_TEST(broken_rules_are_told) // the first one, in words
{
    struct virtual_world *world = inside_world_with_data();
    CHECK_INT(virtual_run(world, break_rules, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_violation(world), "volume_start: the volume is not open");
    virtual_free(world);
    world = inside_world_with_data();
    CHECK_INT(virtual_run(world, freeze_aloud, NULL), VIRTUAL_OVER);
    CHECK_STRING(virtual_violation(world), "volume_start: a freeze while qz_say is not hushed");
    virtual_free(world);
}

/* ---- From run to run --------------------------------------------------------------------------------------------- */

static void read_journal(struct qz_os *os, void *argument)
{
    char *text;
    ssize_t size = os->ops->journal_read(os, 15, &text);
    if (size > 0)
        memcpy(argument, text, (size_t)size);
    free(text);
}

QZ_TEST(the_machine_outlives_its_processes) // the next run finds journal and freeze; after a reboot neither
{
    struct virtual_world *world = inside_world_with_data();
    char journal[16] = "";
    virtual_kill_at(world, VIRTUAL_AGENT, SECOND / 2);
    virtual_kill_at(world, VIRTUAL_GUARDIAN, SECOND / 2);
    CHECK_INT(virtual_run(world, inside_hold_a_second, NULL), VIRTUAL_OVER);
    CU_ASSERT_TRUE(virtual_is_frozen(world, DATA));
    CHECK_INT(virtual_run(world, read_journal, journal), VIRTUAL_OVER);
    CHECK_STRING(journal, "frozen");
    virtual_reboot(world);
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    CHECK_STRING(virtual_journal(world), "");
    virtual_free(world);
}
