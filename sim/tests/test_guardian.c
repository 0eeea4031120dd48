/* Agent and guardian: whichever of them dies, stands still, or is told to end, at whatever moment, the other one thaws
 * in time, and nothing is claimed that did not hold. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "freezes.h"

#define LIMITED "run --format json --freeze-timeout 5 --hold-limit 10 -- " RUN_SNAP
#define PATIENCE_US (250 * RUN_MS)

/* Times of the slow run: each phase of it takes a second. */
#define IN_PRE (RUN_SECOND / 2)
#define IN_FLUSH (RUN_SECOND + RUN_SECOND / 2)
#define IN_FREEZE (2 * RUN_SECOND + RUN_SECOND / 2)
#define IN_HOLD (3 * RUN_SECOND + RUN_SECOND / 2)
#define IN_THAW (4 * RUN_SECOND + RUN_SECOND / 2)
#define IN_POST (5 * RUN_SECOND + RUN_SECOND / 2)

static const int64_t moments[] = {IN_PRE, IN_FLUSH, IN_FREEZE, IN_HOLD, IN_THAW, IN_POST};
enum { MOMENTS = sizeof moments / sizeof moments[0] };

/* Two volumes on disks of their own; pre-script, flush, freeze, snapshot, thaw and post-script of a second each. */
static struct run *slow_run(void)
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = RUN_SECOND});
    RUN_SCRIPT(run, RUN_POST, {.run_us = RUN_SECOND});
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_SECOND});
    FREEZES_BEHAVE(run, 1, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_us = RUN_SECOND);
    FREEZES_BEHAVE(run, 2, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_us = RUN_SECOND);
    return run;
}

/* What is true at the end, whatever befell. */
static void check_left_nothing(struct run *run, bool post)
{
    CHECK_INT(run->end, VIRTUAL_OVER);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(virtual_alive(run->world), 0);
    CHECK_STRING(virtual_journal(run->world), "");
    CU_ASSERT(!post || virtual_starts_of(run->world, RUN_POST) >= 1);
}

/* ---- The agent is killed ----------------------------------------------------------------------------------------- */

QZ_TEST(a_killed_agent_leaves_nothing_frozen) // in whatever phase: the guardian thaws, ends scripts, runs the post-script
{
    for (int i = 0; i < MOMENTS; i++) {
        struct run *run = slow_run();
        virtual_kill_at(run->world, VIRTUAL_AGENT, moments[i]);
        CHECK_INT(run_quiesce(run, RUN_JSON), -1);
        check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(the_guardian_thaws_in_the_moment_of_the_agents_death) // and what is being frozen the moment it is frozen
{
    struct run *run = slow_run();
    FREEZES_BEHAVE(run, 1, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_us = 100);
    virtual_kill_at(run->world, VIRTUAL_AGENT, IN_HOLD);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(freezes_thawed_us(run, 1), IN_HOLD + 100);
    run_free(run);
    run = slow_run();
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 60 * RUN_SECOND);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 60 * RUN_SECOND, .thaw_passes = true);
    virtual_kill_at(run->world, VIRTUAL_AGENT, IN_FREEZE);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(freezes_thawed_us(run, 1), 60 * RUN_SECOND + 100);
    CHECK_INT(freezes_thawed_us(run, 2), 60 * RUN_SECOND + 100);
    check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(there_is_always_a_guardian_while_a_post_script_is_owed) // also while one takes the place of another
{
    static const enum virtual_op ops[] = {VIRTUAL_OP_VOLUMES_ARM, VIRTUAL_OP_GUARD, VIRTUAL_OP_DISMISS,
                                          VIRTUAL_OP_JOURNAL_WRITE};
    for (size_t i = 0; i < 2 * sizeof ops / sizeof ops[0]; i++) {
        struct run *run = run_new(2);
        bool first = ops[i / 2] == VIRTUAL_OP_VOLUMES_ARM || ops[i / 2] == VIRTUAL_OP_DISMISS;
        virtual_kill_on(run->world, VIRTUAL_AGENT, ops[i / 2], first ? 1 : 2, i % 2 ? VIRTUAL_AFTER : VIRTUAL_BEFORE);
        run_quiesce(run, RUN_JSON);
        check_left_nothing(run, true);
        CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
        run_free(run);
    }
}

QZ_TEST(a_guardian_that_cannot_be_had_freezes_nothing) // the first one stays, and does what the agent owes
{
    for (int killed = 0; killed <= 1; killed++) {
        struct run *run = slow_run();
        virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_GUARD, 2, EAGAIN);
        if (killed)
            virtual_kill_at(run->world, VIRTUAL_AGENT, IN_FLUSH);
        CHECK_INT(run_quiesce(run, RUN_JSON), killed ? -1 : QZ_EXIT_CRASH);
        CHECK_INT(freezes_frozen_us(run, 1), -1);
        check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_guardian_without_workers_freezes_nothing) // and another one watches over what is owed
{
    struct run *run = slow_run();
    virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, EAGAIN);
    virtual_kill_at(run->world, VIRTUAL_AGENT, IN_FLUSH);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    check_left_nothing(run, true);
    run_free(run);
}

/* ---- The guardian is killed -------------------------------------------------------------------------------------- */

QZ_TEST(a_killed_guardian_leaves_nothing_frozen) // the agent thaws; a crash is the most that is claimed
{
    for (int i = 0; i < MOMENTS; i++) {
        struct run *run = slow_run();
        bool frozen = moments[i] > IN_PRE && moments[i] < IN_POST;
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, moments[i]);
        CHECK_INT(run_quiesce(run, RUN_JSON), frozen ? QZ_EXIT_CRASH : QZ_EXIT_APPLICATION);
        CHECK_STRING(freezes_claim(run), frozen ? "crash/FreezeLost" : "application/Success");
        check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(the_agent_thaws_in_the_moment_of_the_guardians_death) // also what its FIFREEZE freezes then
{
    struct run *run = slow_run();
    FREEZES_BEHAVE(run, 1, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_us = 100);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, IN_HOLD);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_INT(freezes_thawed_us(run, 1), IN_HOLD + 100);
    run_free(run);
    for (int passes = 0; passes <= 1; passes++) {
        run = slow_run();
        FREEZES_BEHAVE(run, 1, .stuck_until_us = 8 * RUN_SECOND, .thaw_passes = passes == 1);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, IN_FREEZE);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        CU_ASSERT(freezes_thawed_us(run, 1) <= 8 * RUN_SECOND + 10 * RUN_MS);
        CU_ASSERT(run_started_us(run, RUN_SNAP, 0) >= freezes_thawed_us(run, 1));
        check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_freeze_is_not_missed_between_two_looks) // one that comes after our thaw, and before we see that nobody is left
{
    static const enum virtual_op ops[] = {VIRTUAL_OP_PEER_GONE, VIRTUAL_OP_WAIT};
    for (unsigned nth = 1; nth <= 12; nth++) {
        struct run *run = slow_run();
        FREEZES_BEHAVE(run, 1, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_passes = true);
        virtual_delay(run->world, VIRTUAL_AGENT, ops[nth % 2], nth / 2 + nth % 2 * 4, 2 * RUN_SECOND);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, IN_FREEZE);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(what_a_killed_guardian_freezes_too_late_is_for_thaw) // ten seconds are waited for it; the journal names it
{
    struct run *run = slow_run();
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 60 * RUN_SECOND, .thaw_passes = true);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, IN_FREEZE);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "stuck");
    CHECK_STRING(run_text(run, "freeze.volumes.0.error"), "FsFreezeTimeout");
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_lost_guardian_is_replaced) // so that the agent's death, later, still costs no post-script
{
    struct run *run = slow_run();
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, IN_HOLD);
    virtual_kill_at(run->world, VIRTUAL_AGENT, IN_POST);
    run_quiesce(run, RUN_JSON);
    check_left_nothing(run, true);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 2); /* the first one was cut short */
    CHECK_INT(run_start(run, RUN_POST, 1)->by, VIRTUAL_GUARDIAN);
    run_free(run);
}

QZ_TEST(a_guardian_lost_before_the_freeze_costs_nothing) // the one with the volumes is another one
{
    struct run *run = slow_run();
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, IN_PRE);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    run_free(run);
}

/* ---- The guardian stands still ----------------------------------------------------------------------------------- */

QZ_TEST(a_silent_guardian_is_taken_over_from) // when it does not answer; what it had frozen is thawed
{
    struct run *run = slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, IN_HOLD, QZ_NEVER);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(freezes_thawed_us(run, 1), 4 * RUN_SECOND + PATIENCE_US + RUN_SECOND);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(the_agent_keeps_the_hold_limit_itself) // if the guardian does not
{
    struct run *run = slow_run();
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 30 * RUN_SECOND});
    FREEZES_BEHAVE(run, 1, .thaw_us = 100);
    FREEZES_BEHAVE(run, 2, .thaw_us = 100);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, IN_HOLD, QZ_NEVER);
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
    check_left_nothing(run, true);
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
    check_left_nothing(run, true);
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
    check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_sleeper_is_not_deceived_by_somebody_elses_freeze) // that the agent thawed for one of its own
{
    struct run *run = run_new(1);
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 2, VIRTUAL_BEFORE, 100 * RUN_SECOND);
    virtual_foreign_freeze(run->world, RUN_DEV(1), RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_sleeper_thaws_nothing_that_came_later) // what the agent thawed for it, and somebody else froze then, is theirs
{
    struct run *run = run_new(1);
    virtual_aim(run->world, 2);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 2, VIRTUAL_AFTER, 100 * RUN_SECOND);
    virtual_foreign_freeze(run->world, RUN_DEV(1), 50 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_INT(freezes_thaws_begun(run, 0), 1);
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    run_free(run);
}

QZ_TEST(a_sleeper_does_not_try_again_what_the_agent_has_done) // a thaw of its own that had failed when it fell asleep
{
    struct run *run = slow_run();
    FREEZES_BEHAVE(run, 1, .thaw_us = RUN_SECOND, .thaw_error = EIO, .thaw_errors = 1);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, IN_THAW, 100 * RUN_SECOND);
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
    check_left_nothing(run, true);
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
    check_left_nothing(run, true);
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
    struct run *run = slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, IN_HOLD, 10 * RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_AGENT, 4 * RUN_SECOND + PATIENCE_US + RUN_SECOND / 2);
    run_quiesce(run, RUN_JSON);
    check_left_nothing(run, true);
    run_free(run);
}

/* ---- The agent stands still -------------------------------------------------------------------------------------- */

QZ_TEST(the_guardian_keeps_the_hold_limit) // while the agent is stopped; what was frozen no longer is not claimed
{
    struct run *run = slow_run();
    FREEZES_BEHAVE(run, 1, .thaw_us = 100);
    virtual_stop_at(run->world, VIRTUAL_AGENT, IN_HOLD, 60 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CHECK_INT(freezes_thawed_us(run, 1), 2 * RUN_SECOND + 10 * RUN_SECOND + 100);
    check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(an_agent_that_never_goes_on_keeps_nothing_frozen) // in whatever phase it was stopped
{
    for (int i = 0; i < MOMENTS; i++) {
        struct run *run = slow_run();
        virtual_stop_at(run->world, VIRTUAL_AGENT, moments[i], QZ_NEVER);
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
    for (int i = 0; i < MOMENTS; i++) {
        struct run *run = slow_run();
        bool frozen = moments[i] > IN_FLUSH && moments[i] < IN_POST;
        virtual_stop_at(run->world, VIRTUAL_AGENT, moments[i], 60 * RUN_SECOND);
        virtual_stop_at(run->world, VIRTUAL_GUARDIAN, moments[i], 60 * RUN_SECOND);
        int status = run_quiesce(run, LIMITED);
        CU_ASSERT(!frozen || moments[i] == IN_THAW || status >= QZ_EXIT_CRASH);
        CU_ASSERT(!frozen || freezes_thawed_us(run, 1) <= moments[i] + 63 * RUN_SECOND);
        check_left_nothing(run, true);
        run_free(run);
    }
}

/* ---- They are told to end ---------------------------------------------------------------------------------------- */

QZ_TEST(a_signal_ends_the_run_in_every_phase) // thawed, post-script run, Interrupted, none
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < MOMENTS * 3; i++) {
        struct run *run = slow_run();
        virtual_signal_at(run->world, VIRTUAL_AGENT, signals[i % 3], moments[i / 3]);
        CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_NONE);
        CHECK_STRING(freezes_claim(run), "none/Interrupted");
        check_left_nothing(run, true);
        CU_ASSERT(moments[i / 3] > IN_FREEZE || virtual_starts_of(run->world, RUN_SNAP) == 0);
        run_free(run);
    }
}

QZ_TEST(a_signal_is_not_kept_waiting_by_a_silent_guardian) // longer than it is given to answer
{
    struct run *run = slow_run();
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, IN_FLUSH, QZ_NEVER);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, IN_FLUSH + RUN_MS);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 600 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/Interrupted");
    CU_ASSERT(run_started_us(run, RUN_POST, 0) <= IN_FLUSH + 2 * PATIENCE_US);
    run_free(run);
}

QZ_TEST(a_guardian_that_is_told_to_thaw_thaws) // in every phase; the run claims no more than a crash
{
    for (int i = 1; i < MOMENTS - 1; i++) {
        struct run *run = slow_run();
        bool thawing = moments[i] == IN_THAW;
        virtual_signal_at(run->world, VIRTUAL_GUARDIAN, SIGTERM, moments[i]);
        CHECK_INT(run_quiesce(run, LIMITED), thawing ? QZ_EXIT_APPLICATION : QZ_EXIT_CRASH);
        CHECK_STRING(freezes_claim(run), thawing ? "application/Success" : "crash/FreezeLost");
        check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_guardian_that_is_told_to_thaw_before_it_froze_freezes_nothing) // also when it is told to freeze afterwards
{
    struct run *run = run_new(2);
    virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 2, 2 * RUN_SECOND);
    virtual_signal_at(run->world, VIRTUAL_GUARDIAN, SIGTERM, RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    run_free(run);
}

QZ_TEST(quiesce_thaw_tells_a_run_to_thaw) // which then claims no more; a freeze that is only held is ended by it
{
    struct run *run = slow_run();
    run_beside(run, IN_HOLD, "thaw");
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CHECK_INT(run->beside->status, 0);
    check_left_nothing(run, true);
    run_free(run);
    run = run_new(2);
    run_beside(run, 5 * RUN_SECOND, "thaw");
    run_quiesce(run, "freeze --format json --hold 60");
    CU_ASSERT(freezes_thawed_us(run, 1) <= 5 * RUN_SECOND + 100);
    CHECK_INT(run_find_error(run, "FreezeLost"), -1);
    CHECK_INT(run->beside->status, 0);
    check_left_nothing(run, false);
    run_free(run);
}
