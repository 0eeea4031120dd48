/* Agent and guardian are told to end, or to thaw, at whatever moment: all is undone, and no more is claimed than is
 * true. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "freezes.h"

#define LIMITED "run --format json --freeze-timeout 5 --hold-limit 10 -- " RUN_SNAP

QZ_TEST(a_signal_ends_the_run_in_every_phase) // thawed, post-script run, Interrupted, none
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < FREEZES_MOMENTS * 3; i++) {
        struct run *run = freezes_slow_run();
        virtual_signal_at(run->world, VIRTUAL_AGENT, signals[i % 3], freezes_moments[i / 3]);
        CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_NONE);
        CHECK_STRING(freezes_claim(run), "none/Interrupted");
        freezes_check_left_nothing(run, true);
        CU_ASSERT(freezes_moments[i / 3] > FREEZES_IN_FREEZE || virtual_starts_of(run->world, RUN_SNAP) == 0);
        run_free(run);
    }
}

/* What a run that is told to end in its snapshot says of that. */
static void check_told(struct run *run, const char *expected)
{
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, FREEZES_IN_HOLD);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_NONE);
    int place = run_find_error(run, "Interrupted");
    char path[32];
    snprintf(path, sizeof path, "errors.%d.message", place);
    CU_ASSERT(place >= 0);
    CHECK_STRING(run_text(run, path), expected);
    run_free(run);
}

QZ_TEST(an_interrupted_run_claims_only_what_is_true) // of the thaw and of the post-scripts
{
    struct run *run = freezes_slow_run();
    check_told(run, "ended by signal 15 (SIGTERM); everything was thawed and the post-scripts were run");
    run = freezes_slow_run();
    RUN_SCRIPT(run, RUN_POST, {.status = 1});
    check_told(run, "ended by signal 15 (SIGTERM); everything was thawed; not every post-script succeeded");
    run = freezes_slow_run();
    RUN_SCRIPT(run, RUN_POST, {.start_error = EAGAIN});
    check_told(run, "ended by signal 15 (SIGTERM); everything was thawed; not every post-script succeeded");
    run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .thaw_error = EIO, .thaw_errors = 3);
    check_told(run, "ended by signal 15 (SIGTERM); a volume may still be frozen and the post-scripts were run");
    run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .thaw_us = 30 * RUN_SECOND);
    RUN_SCRIPT(run, RUN_POST, {.status = 1});
    check_told(run, "ended by signal 15 (SIGTERM); a volume may still be frozen; not every post-script succeeded");
}

QZ_TEST(what_was_not_frozen_is_not_called_thawed) // ended in the pre-script; or without any script
{
    struct run *run = freezes_slow_run();
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, FREEZES_IN_PRE);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "errors.0.message"),
                 "ended by signal 15 (SIGTERM); nothing was frozen and the post-scripts were run");
    run_free(run);
    run = freezes_slow_run();
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, FREEZES_IN_HOLD);
    CHECK_INT(run_quiesce(run, "freeze --hold 5 --format json"), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "errors.0.message"), "ended by signal 15 (SIGTERM); everything was thawed");
    run_free(run);
}

QZ_TEST(between_two_attempts_it_claims_no_more) // what the one before left is not thawed by a signal
{
    for (int stuck = 0; stuck <= 1; stuck++) {
        struct run *run = run_new(2);
        if (stuck)
            FREEZES_BEHAVE(run, 1, .thaw_error = EIO, .thaw_errors = 3);
        RUN_SCRIPT(run, RUN_SNAP, {.status = 1});
        virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 20 * RUN_SECOND);
        CHECK_INT(run_quiesce(run, "run --attempts 2 --attempt-delay 30 --format json -- " RUN_SNAP), QZ_EXIT_NONE);
        CHECK_STRING(run_text(run, "errors.0.message"),
                     stuck ? "ended by signal 15 (SIGTERM); a volume may still be frozen and the post-scripts were run"
                           : "ended by signal 15 (SIGTERM); everything was thawed and the post-scripts were run");
        run_free(run);
    }
}

QZ_TEST(a_signal_before_the_guardian_is_ready_is_not_forgotten) // nothing is frozen after it
{
    struct run *run = run_new(2);
    virtual_aim(run->world, 2);
    virtual_delay(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, RUN_SECOND);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, RUN_SECOND / 2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/Interrupted");
    CHECK_INT(run_count(run, "errors"), 1); /* the guardian did become ready */
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_guardian_that_is_told_to_thaw_thaws) // in every phase; the run claims no more than a crash
{
    for (int i = 1; i < FREEZES_MOMENTS - 1; i++) {
        struct run *run = freezes_slow_run();
        bool thawing = freezes_moments[i] == FREEZES_IN_THAW;
        virtual_signal_at(run->world, VIRTUAL_GUARDIAN, SIGTERM, freezes_moments[i]);
        CHECK_INT(run_quiesce(run, LIMITED), thawing ? QZ_EXIT_APPLICATION : QZ_EXIT_CRASH);
        CHECK_STRING(freezes_claim(run), thawing ? "application/Success" : "crash/FreezeLost");
        freezes_check_left_nothing(run, true);
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
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "told to thaw (quiesce thaw, or SIGTERM)");
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    run_free(run);
}

QZ_TEST(quiesce_thaw_tells_a_run_to_thaw) // which then claims no more; a freeze that is only held is ended by it, too
{
    struct run *run = freezes_slow_run();
    run_beside(run, FREEZES_IN_HOLD, "thaw");
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CHECK_INT(run->beside->status, 0);
    freezes_check_left_nothing(run, true);
    run_free(run);
    run = run_new(2);
    run_beside(run, 5 * RUN_SECOND, "thaw");
    run_quiesce(run, "freeze --format json --hold 60");
    CU_ASSERT(freezes_thawed_us(run, 1) <= 5 * RUN_SECOND + 100);
    CHECK_INT(run_find_error(run, "FreezeLost"), 0);
    CHECK_INT(run->beside->status, 0);
    freezes_check_left_nothing(run, false);
    run_free(run);
}
