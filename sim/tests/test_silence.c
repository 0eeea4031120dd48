/* Agent and guardian when one of them, or both, stand still: the other one keeps every limit, and who wakes up does no
 * harm. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "freezes.h"

#define LIMITED "run --format json --freeze-timeout 5 --hold-limit 10 -- " RUN_SNAP
#define PATIENCE_US (250 * RUN_MS)

/* ---- The guardian stands still ----------------------------------------------------------------------------------- */

QZ_TEST(a_silent_guardian_is_taken_over_from) // when it does not answer; what it had frozen is thawed
{
    struct run *run = freezes_slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_HOLD, QZ_NEVER);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(freezes_thawed_us(run, 1), 4 * RUN_SECOND + PATIENCE_US + RUN_SECOND);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(the_agent_keeps_the_hold_limit_itself) // if the guardian does not
{
    struct run *run = freezes_slow_run();
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 30 * RUN_SECOND});
    FREEZES_BEHAVE(run, 1, .thaw_us = 100);
    FREEZES_BEHAVE(run, 2, .thaw_us = 100);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_HOLD, QZ_NEVER);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/FreezeLost");
    CU_ASSERT(freezes_thawed_us(run, 1) - freezes_frozen_us(run, 1) <= 10 * RUN_SECOND + 2 * PATIENCE_US);
    run_free(run);
}

QZ_TEST(the_hold_limit_counts_while_freezing) // though the freeze timeout is longer, and the guardian stands still
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    FREEZES_BEHAVE(run, 1, .freeze_us = 30 * RUN_SECOND);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND, 20 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 60 --hold-limit 3 -- " RUN_SNAP), QZ_EXIT_CRASH);
    CU_ASSERT(freezes_thawed_us(run, 2) - freezes_frozen_us(run, 2) <= 3 * RUN_SECOND + 2 * PATIENCE_US);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_guardian_that_sleeps_through_the_freeze_freezes_nothing) // when it wakes up and the agent has given it up
{
    struct run *run = run_new(2);
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_TELL_PEER, 1, VIRTUAL_AFTER, 100 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeTimeout");
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_FREEZE), 0);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_guardian_that_sleeps_while_freezing_thaws_late) // what it freezes when it wakes up, and only that
{
    struct run *run = run_new(2);
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 4, VIRTUAL_BEFORE, 100 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CU_ASSERT(freezes_thawed_us(run, 1) < 6 * RUN_SECOND);
    CU_ASSERT(freezes_frozen_us(run, 2) > 100 * RUN_SECOND);
    CHECK_INT(freezes_thawed_us(run, 2), freezes_frozen_us(run, 2) + 100);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_guardian_that_wakes_up_begins_nothing_more) // what it had not begun to freeze before it slept stays as it is
{
    struct run *run = run_new(3);
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 4, VIRTUAL_BEFORE, 100 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_FREEZE), 1);
    CHECK_INT(freezes_frozen_us(run, 2), -1);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_sleeper_is_not_deceived_by_somebody_elses_freeze) // that the agent thawed for one of its own
{
    struct run *run = run_new(1);
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 2, VIRTUAL_BEFORE, 100 * RUN_SECOND);
    virtual_foreign_freeze(run->world, RUN_DEV(1), RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_sleeper_leaves_what_the_agent_found_alone) // asleep in the middle of a thaw: nothing is owed then
{
    for (unsigned nth = 5; nth <= 6; nth++) {
        struct run *run = run_new(2);
        RUN_SCRIPT(run, RUN_POST, {.run_us = 3 * RUN_SECOND});
        virtual_aim(run->world, 2);
        virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, nth, VIRTUAL_AFTER, 2 * RUN_SECOND);
        run_quiesce(run, RUN_JSON);
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_late_thaw_is_waited_for) // what a dead guardian froze at the last moment is thawed before a snapshot is taken
{
    for (int64_t late_us = 8 * RUN_SECOND; late_us <= 12 * RUN_SECOND; late_us += 333 * RUN_MS) {
        struct run *run = freezes_slow_run();
        FREEZES_BEHAVE(run, 1, .stuck_until_us = FREEZES_IN_FREEZE + late_us, .thaw_us = 300 * RUN_MS,
                       .thaw_passes = true);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        int64_t taken_us = run_started_us(run, RUN_SNAP, 0);
        CU_ASSERT(freezes_frozen_us(run, 1) >= taken_us || freezes_thawed_us(run, 1) <= taken_us);
        CU_ASSERT(late_us > 8900 * RUN_MS || virtual_frozen_count(run->world) == 0);
        run_free(run);
    }
}

QZ_TEST(a_sleeper_thaws_nothing_that_came_later) // what the agent thawed for it and others froze then is theirs
{
    struct run *run = run_new(1);
    RUN_SCRIPT(run, RUN_POST, {.run_us = 25 * RUN_SECOND}); /* when the agent ends, so does the sleeper */
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 2, VIRTUAL_AFTER, 20 * RUN_SECOND);
    virtual_foreign_freeze(run->world, RUN_DEV(1), 12 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_INT(freezes_thaws_begun(run, 0), 1);
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    run_free(run);
}

QZ_TEST(a_sleeper_does_not_outlive_its_agent) // it would wake up to do what it was about to; unless it owes a thaw
{
    for (unsigned owing = 0; owing < 2; owing++) {
        struct run *run = run_new(2);
        virtual_aim(run->world, 2);
        virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, owing ? 4 : 1,
                        owing ? VIRTUAL_BEFORE : VIRTUAL_AFTER, 100 * RUN_SECOND);
        run_quiesce(run, LIMITED);
        CHECK_INT(freezes_count(run, VIRTUAL_DID_KILLED, 0), owing ? 0 : 1);
        CU_ASSERT((virtual_now_us(run->world) > 100 * RUN_SECOND) == owing);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        run_free(run);
    }
}

QZ_TEST(a_sleeper_does_not_try_again_what_the_agent_has_done) // a thaw of its own that had failed when it fell asleep
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .thaw_us = RUN_SECOND, .thaw_error = EIO, .thaw_errors = 1);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_THAW, 100 * RUN_SECOND);
    run_quiesce(run, RUN_JSON);
    size_t thaws = freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_THAW);
    CHECK_INT(thaws, 4); /* of each volume two: the sleeper's and the agent's */
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(only_one_drives) // a guardian that wakes up beside the agent that took over keeps out of its way
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_SECOND});
    FREEZES_BEHAVE(run, 1, .thaw_us = 20 * RUN_MS);
    FREEZES_BEHAVE(run, 2, .thaw_us = 20 * RUN_MS);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND / 2, RUN_SECOND / 2 + PATIENCE_US + 20 * RUN_MS);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(freezes_thaws_begun(run, 0) + freezes_thaws_begun(run, 1), 2);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_guardian_that_stands_still_while_thawing_is_helped) // within half a second, not at the snapshot's end
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 15 * RUN_SECOND});
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 5, VIRTUAL_BEFORE, 100 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    for (unsigned n = 1; n <= 2; n++)
        CU_ASSERT(virtual_longest_frozen_us(run->world, RUN_DEV(n)) <= 10 * RUN_SECOND + 3 * PATIENCE_US);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_slow_thaw_is_no_silence) // a guardian that answers is not taken over from
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .thaw_us = 8 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(freezes_thaws_begun(run, 0), 1);
    run_free(run);
}

QZ_TEST(the_agent_dies_while_it_thaws_for_a_silent_guardian) // which goes on when it wakes up
{
    struct run *run = freezes_slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_HOLD, 10 * RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_AGENT, 4 * RUN_SECOND + PATIENCE_US + RUN_SECOND / 2);
    run_quiesce(run, RUN_JSON);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

/* ---- The agent stands still -------------------------------------------------------------------------------------- */

QZ_TEST(the_guardian_keeps_the_hold_limit) // while the agent is stopped; what was frozen no longer is not claimed
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .thaw_us = 100);
    virtual_stop_at(run->world, VIRTUAL_AGENT, FREEZES_IN_HOLD, 60 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CHECK_INT(freezes_thawed_us(run, 1), 2 * RUN_SECOND + 10 * RUN_SECOND + 100);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(an_agent_that_never_goes_on_keeps_nothing_frozen) // in whatever phase it was stopped
{
    for (int i = 0; i < FREEZES_MOMENTS; i++) {
        struct run *run = freezes_slow_run();
        virtual_stop_at(run->world, VIRTUAL_AGENT, freezes_moments[i], QZ_NEVER);
        run_quiesce(run, LIMITED);
        CHECK_INT(run->end, VIRTUAL_LEFT_STOPPED);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        for (unsigned n = 1; n <= 2; n++)
            CU_ASSERT(virtual_longest_frozen_us(run->world, RUN_DEV(n)) <= 11 * RUN_SECOND);
        run_free(run);
    }
}

QZ_TEST(both_stand_still_and_go_on) // what was frozen beyond its limit meanwhile is thawed at once, and not claimed
{
    for (int i = 0; i < FREEZES_MOMENTS; i++) {
        struct run *run = freezes_slow_run();
        bool frozen = freezes_moments[i] > FREEZES_IN_FLUSH && freezes_moments[i] < FREEZES_IN_POST;
        virtual_stop_at(run->world, VIRTUAL_AGENT, freezes_moments[i], 60 * RUN_SECOND);
        virtual_stop_at(run->world, VIRTUAL_GUARDIAN, freezes_moments[i], 60 * RUN_SECOND);
        int status = run_quiesce(run, LIMITED);
        CU_ASSERT(!frozen || freezes_moments[i] == FREEZES_IN_THAW || status >= QZ_EXIT_CRASH);
        CU_ASSERT(!frozen || freezes_thawed_us(run, 1) <= freezes_moments[i] + 63 * RUN_SECOND);
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}
