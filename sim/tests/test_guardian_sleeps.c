/* A guardian that sleeps, or does not answer: the agent does what is due, and the guardian, when it wakes up, no more
 * than is left to it. */
#include <errno.h>
#include <signal.h>

#include "freezes.h"

#define LIMITED "run --format json --freeze-timeout 5 --hold-limit 10 -- " RUN_SNAP
#define PATIENCE_US (250 * RUN_MS)

QZ_TEST(a_signal_is_not_kept_waiting_by_a_silent_guardian) // longer than it is given to answer
{
    struct run *run = freezes_slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FLUSH, QZ_NEVER);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, FREEZES_IN_FLUSH + RUN_MS);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 600 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/Interrupted");
    CU_ASSERT(run_started_us(run, RUN_POST, 0) <= FREEZES_IN_FLUSH + 2 * PATIENCE_US);
    run_free(run);
}

QZ_TEST(an_answer_to_the_freeze_is_none_to_the_thaw) // a guardian that falls asleep between the two is silent
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .sync_us = 30 * RUN_SECOND);
    virtual_aim(run->world, 2);
    virtual_delay(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_WAIT, 1, 100 * RUN_MS);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_TELL_PEER, 2, VIRTUAL_AFTER, QZ_NEVER);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 50 * RUN_MS);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 600 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/Interrupted");
    CU_ASSERT(run_started_us(run, RUN_POST, 0) <= RUN_SECOND);
    run_free(run);
}

static struct run *asleep_before_it_begins(int64_t for_us)
{
    struct run *run = run_new(2);
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_TELL_PEER, 1, VIRTUAL_AFTER, for_us);
    return run;
}

QZ_TEST(a_guardian_may_sleep_before_it_begins_to_freeze) // for as long as the freeze may take: nobody waits for it meanwhile
{
    struct run *run = asleep_before_it_begins(4 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_APPLICATION);
    CU_ASSERT(freezes_frozen_us(run, 1) >= 4 * RUN_SECOND);
    run_free(run);
    run = asleep_before_it_begins(QZ_NEVER);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeTimeout");
    CU_ASSERT(run_started_us(run, RUN_POST, 0) >= 5 * RUN_SECOND);
    CU_ASSERT(run_started_us(run, RUN_POST, 0) <= 6 * RUN_SECOND);
    run_free(run);
}

QZ_TEST(a_guardian_that_falls_asleep_while_it_freezes_is_not_waited_for) // when the freeze timeout is over, the agent thaws
{
    struct run *run = freezes_slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE, 100 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 5 --hold-limit 60 -- " RUN_SNAP), QZ_EXIT_CRASH);
    CU_ASSERT(freezes_thawed_us(run, 1) <= FREEZES_IN_FREEZE + 6 * RUN_SECOND);
    freezes_check_left_nothing(run, true);
    run_free(run);
    run = freezes_slow_run(); /* or the hold limit, though nobody has told that the flush is over */
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE, 1000 * RUN_SECOND);
    run_quiesce(run, "run --format json --freeze-timeout 600 --hold-limit 5 -- " RUN_SNAP);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CU_ASSERT(freezes_thawed_us(run, 1) <= FREEZES_IN_FREEZE + 7 * RUN_SECOND);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_silent_guardian_that_dies_is_taken_over_from_once) // what it was freezing is still looked for
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 9 * RUN_SECOND, .thaw_passes = true);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE, QZ_NEVER);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 8 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_INT(freezes_frozen_us(run, 1), 9 * RUN_SECOND);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(the_guardian_keeps_every_limit_by_itself) // while the agent, which would ask, is asleep
{
    static const struct {
        int64_t stuck_until_us, thawed_by_us;
    } cases[] = {{60 * RUN_SECOND, 8 * RUN_SECOND}, {0, 14 * RUN_SECOND}}; /* the freeze timeout, the hold limit */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run *run = freezes_slow_run();
        FREEZES_BEHAVE(run, 1, .stuck_until_us = cases[i].stuck_until_us);
        virtual_stop_at(run->world, VIRTUAL_AGENT, FREEZES_IN_FREEZE, 100 * RUN_SECOND);
        CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
        CU_ASSERT(freezes_frozen_us(run, 2) > 0);
        CU_ASSERT(freezes_thawed_us(run, 2) <= cases[i].thawed_by_us);
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(what_a_guardian_slept_through_is_thawed_once) // by the agent, if it could wait for it; else by the guardian
{
    for (int late = 0; late <= 1; late++) {
        struct run *run = freezes_slow_run();
        int64_t returns_us = (late ? 100 : 8) * RUN_SECOND;
        FREEZES_BEHAVE(run, 1, .stuck_until_us = returns_us, .thaw_passes = late == 1);
        virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE, 50 * RUN_SECOND);
        CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
        CHECK_INT(freezes_frozen_us(run, 1), returns_us);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        CHECK_INT(freezes_count(run, VIRTUAL_DID_THAWED, (int64_t)RUN_DEV(1)), 1);
        CU_ASSERT(late == 1 || freezes_thaws_begun(run, 0) == 1);
        run_free(run);
    }
}

QZ_TEST(a_thaw_that_was_slept_through_is_not_tried_again) // it failed, and the agent's did not
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .thaw_us = RUN_SECOND, .thaw_error = EIO, .thaw_errors = 1);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_THAW, 2 * RUN_SECOND);
    run_quiesce(run, LIMITED);
    CHECK_INT(freezes_thaws_begun(run, 0), 2);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(who_took_over_is_taken_over_in_turn) // the guardian had only been asleep, and the agent was killed before its thaw
{
    struct run *run = freezes_slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_HOLD, 10 * RUN_SECOND);
    virtual_kill_on(run->world, VIRTUAL_AGENT, VIRTUAL_OP_VOLUME_START, 1, VIRTUAL_BEFORE);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(run->status, -1);
    CHECK_INT(freezes_thawed_us(run, 1), FREEZES_IN_HOLD + 11 * RUN_SECOND);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

/* A guardian sleeps in the hold until it takes it back from the agent, whose FITHAW takes its time. What the test sets
 * then befalls that guardian. */
static struct run *taken_back_run(int64_t thaw_us)
{
    struct run *run = run_new(1);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 100 * RUN_MS});
    FREEZES_BEHAVE(run, 1, .thaw_us = thaw_us);
    virtual_aim(run->world, 2);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, 50 * RUN_MS, RUN_SECOND + RUN_SECOND / 2);
    return run;
}

QZ_TEST(a_guardian_that_took_the_hold_back_is_asked_first) // before it is taken over from again: it was not heard since
{
    struct run *run = taken_back_run(2 * RUN_SECOND);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 3, VIRTUAL_AFTER, QZ_NEVER); /* its FITHAW */
    run_quiesce(run, "run --format json --hold-limit 1 -- " RUN_SNAP);
    int64_t learns_us = freezes_thawed_us(run, 1); /* by its own FITHAW, which has returned */
    CU_ASSERT(run_started_us(run, RUN_POST, 0) >= learns_us + 2 * PATIENCE_US);
    CU_ASSERT(run_started_us(run, RUN_POST, 0) <= learns_us + 3 * PATIENCE_US);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(a_guardian_lost_as_it_took_the_hold_back_is_not_asked) // the agent goes on with the thaw that it had begun
{
    struct run *run = taken_back_run(RUN_SECOND + RUN_SECOND / 2);
    virtual_kill_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 3, VIRTUAL_BEFORE);
    run_quiesce(run, "run --format json --hold-limit 1 -- " RUN_SNAP);
    CHECK_INT(run_started_us(run, RUN_POST, 0), freezes_thawed_us(run, 1));
    CHECK_INT(freezes_thaws_begun(run, 0), 1);
    freezes_check_left_nothing(run, true);
    run_free(run);
}
