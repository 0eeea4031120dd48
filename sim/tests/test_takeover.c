/* When the agent is dead: what a guardian still does for it; and when both are: what the journal tells the next one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "freezes.h"

#define TMPDIR "/run/quiesce/tmp-20240101T000000Z-aff44f"

/* The agent is killed a second and a half after the start of a run in which everything but the snapshot is quick. */
static struct run *orphaned_run(void)
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 3 * RUN_SECOND});
    virtual_kill_at(run->world, VIRTUAL_AGENT, RUN_SECOND + RUN_SECOND / 2);
    return run;
}

/* Both are killed then. */
static struct run *abandoned_run(void)
{
    struct run *run = orphaned_run();
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND + RUN_SECOND / 2);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_frozen_count(run->world), 2);
    return run;
}

/* ---- The guardian takes over ------------------------------------------------------------------------------------- */

QZ_TEST(a_running_pre_script_is_ended_first) // with all that it started; then its post-script runs, without a snapshot
{
    struct run *run = orphaned_run();
    RUN_SCRIPT(run, RUN_PRE,
               {.run_us = QZ_NEVER, .leftovers = 2, .leftover_us = QZ_NEVER, .leftovers_ignore_term = true});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CU_ASSERT(run_started_us(run, RUN_POST, 0) >= run_start(run, RUN_PRE, 0)->end_us);
    CHECK_INT(virtual_alive(run->world), 0);
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "none");
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_PHASE"), "post");
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_RUN_ID"), run_variable(run, RUN_PRE, 0, "QUIESCE_RUN_ID"));
    run_free(run);
}

QZ_TEST(a_script_of_the_dead_has_its_grace) // it may clean up; and one that cannot be killed at once is waited for
{
    struct run *run = orphaned_run();
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 2 * RUN_SECOND, .ignores_term = true});
    run_quiesce(run, RUN_JSON);
    CU_ASSERT(run_signaled_us(run, 0, SIGTERM) >= RUN_SECOND + RUN_SECOND / 2);
    CHECK_INT(run_signaled_us(run, 0, SIGKILL), -1);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
    run = orphaned_run();
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER, .ignores_term = true, .unkillable_us = 5 * RUN_SECOND});
    run_quiesce(run, RUN_JSON);
    CU_ASSERT_PTR_NULL(strstr(run->log, "could not be ended"));
    CHECK_INT(run_start(run, RUN_PRE, 0)->end_us, 5 * RUN_SECOND);
    CU_ASSERT(run_started_us(run, RUN_POST, 0) >= 5 * RUN_SECOND);
    run_free(run);
}

QZ_TEST(a_running_snapshot_is_ended_once_thawed) // it may write to what was frozen; the post-script is told
{
    struct run *run = orphaned_run();
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 3 * RUN_SECOND, .writes = "/data1"});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(virtual_alive(run->world), 0);
    CU_ASSERT(run_start(run, RUN_SNAP, 0)->end_us > freezes_thawed_us(run, 1));
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "failed");
    CHECK_CONTAINS(virtual_trace_text(run->world), "guardian#2 remove " TMPDIR " = 0");
    CHECK_CONTAINS(run->log, "the agent died");
    CHECK_CONTAINS(run->log, "no usable backup");
    run_free(run);
}

QZ_TEST(a_post_script_that_was_cut_short_is_run_again) // one that had ended is not; it hears what the first one heard
{
    struct run *run = orphaned_run();
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_MS});
    RUN_SCRIPT(run, RUN_POST, {.run_us = 3 * RUN_SECOND});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 2);
    CU_ASSERT(run_started_us(run, RUN_POST, 1) >= run_start(run, RUN_POST, 0)->end_us);
    CHECK_STRING(run_variable(run, RUN_POST, 1, "QUIESCE_SNAPSHOT"), "taken");
    run_free(run);
    run = orphaned_run();
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_MS});
    virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_REMOVE, 1, 3 * RUN_SECOND);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(a_post_script_is_retried_by_the_guardian_too) // from the first attempt on, and bounded as ever
{
    struct run *run = orphaned_run();
    run_config(run, "\"postScriptNoOfRetries\": 2, \"timeoutInSeconds\": 5");
    RUN_SCRIPT(run, RUN_POST, {.status = 1}, {.run_us = RUN_SECOND, .signal = SIGSEGV}, {.run_us = QZ_NEVER});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 3);
    CHECK_STRING(run_variable(run, RUN_POST, 2, "QUIESCE_ATTEMPT"), "3");
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(a_post_script_that_cannot_be_ended_is_not_run_beside_itself) // it is told, and the journal goes
{
    struct run *run = orphaned_run();
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_MS});
    RUN_SCRIPT(run, RUN_POST, {.run_us = 60 * RUN_SECOND, .unkillable_us = 60 * RUN_SECOND});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CHECK_CONTAINS(run->log, "could not be ended");
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(only_what_was_started_is_finished) // of several plugins
{
    struct run *run = orphaned_run();
    run_plugins(run, 3, 60, NULL);
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = 3 * RUN_SECOND});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.start_error = EAGAIN});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post0.sh"), 1);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post1.sh"), 0);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post2.sh"), 1);
    run_free(run);
}

QZ_TEST(each_ends_what_is_its_own) // of several plugins, one's post-script runs still: it alone is ended, and run again
{
    struct run *run = orphaned_run();
    run_plugins(run, 2, 60, NULL);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_MS});
    RUN_SCRIPT(run, "/etc/azure/post1.sh", {.run_us = 3 * RUN_SECOND}, {.run_us = RUN_MS});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post0.sh"), 1);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post1.sh"), 2);
    CU_ASSERT(run_start(run, "/etc/azure/post1.sh", 0)->end_us < 2 * RUN_SECOND);
    CU_ASSERT(run_started_us(run, "/etc/azure/post1.sh", 1) >= run_start(run, "/etc/azure/post1.sh", 0)->end_us);
    run_free(run);
}

QZ_TEST(all_plugins_that_there_can_be_are_finished) // each has its post-script
{
    struct run *run = orphaned_run();
    run_plugins(run, QZ_PLUGINS_MAX, 60, NULL);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_start_count(run->world), 2 * QZ_PLUGINS_MAX + 1);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
    freezes_check_left_nothing(run, false);
    run_free(run);
}

QZ_TEST(what_went_wrong_with_the_post_scripts_is_logged) // each of them: there is nobody to whom a result is shown
{
    struct run *run = orphaned_run();
    run_plugins(run, 3, 60, NULL);
    RUN_SCRIPT(run, "/etc/azure/post0.sh", {.status = 3});
    RUN_SCRIPT(run, "/etc/azure/post2.sh", {.status = 4});
    run_quiesce(run, RUN_JSON);
    static const char *const expected[] = {"/etc/azure/post0.sh", "/etc/azure/post2.sh"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        CHECK_CONTAINS(run->log, expected[i]);
    CHECK_CONTAINS(run->log, "(Post-ScriptExecutionFailed, 301)");
    CU_ASSERT_PTR_NULL(strstr(run->log, "/etc/azure/post1.sh"));
    run_free(run);
}

QZ_TEST(what_an_orphaned_guardian_cannot_thaw_stays_in_the_journal) // that volume alone, and no post-script any more
{
    struct run *run = orphaned_run();
    FREEZES_BEHAVE(run, 1, .thaw_error = EIO, .thaw_errors = 3);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_frozen_count(run->world), 1);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CHECK_CONTAINS(virtual_journal(run->world), "/data1");
    CU_ASSERT_PTR_NULL(strstr(virtual_journal(run->world), "/data2"));
    CU_ASSERT_PTR_NULL(strstr(virtual_journal(run->world), RUN_POST));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(a_guardian_that_is_killed_while_it_takes_over_leaves_the_journal) // which then names the post-script
{
    struct run *run = orphaned_run();
    RUN_SCRIPT(run, RUN_POST, {.run_us = 5 * RUN_SECOND});
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 3 * RUN_SECOND);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_CONTAINS(run->log, RUN_POST);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

/* ---- Nobody is left ---------------------------------------------------------------------------------------------- */

QZ_TEST(the_journal_tells_what_both_left_frozen) // and quiesce thaw thaws it, and nothing else
{
    struct run *run = abandoned_run();
    virtual_add_ext4(run->world, "/data3", RUN_DEV(3));
    virtual_foreign_freeze(run->world, RUN_DEV(3), virtual_now_us(run->world));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_CONTAINS(run->output, "thawed: /data1");
    CHECK_CONTAINS(run->output, "thawed: /data2");
    CHECK_CONTAINS(run->log, RUN_POST);
    CHECK_INT(virtual_frozen_count(run->world), 1);
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(3)));
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(the_journal_names_no_post_script_that_is_not_owed) // its pre-script could not be started, whichever it is
{
    for (int n = 0; n < 3; n++) {
        struct run *run = orphaned_run();
        char pre[32], post[32];
        snprintf(pre, sizeof pre, "/etc/azure/pre%d.sh", n);
        snprintf(post, sizeof post, "/etc/azure/post%d.sh", n);
        run_plugins(run, 3, 60, NULL);
        RUN_SCRIPT(run, pre, {.start_error = EAGAIN});
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND + RUN_SECOND / 2);
        run_quiesce(run, "run --scripts-only -- " RUN_SNAP);
        CU_ASSERT_PTR_NULL(strstr(virtual_journal(run->world), post));
        CHECK_CONTAINS(virtual_journal(run->world), n == 0 ? "/etc/azure/post1.sh" : "/etc/azure/post0.sh");
        run_free(run);
    }
}

QZ_TEST(the_next_run_thaws_first) // and is as good as any, with a warning of what it found
{
    struct run *run = abandoned_run();
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "killed");
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "frozen: 2");
    CU_ASSERT(freezes_thawed_us(run, 1) <= run_started_us(run, RUN_PRE, 1));
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(after_a_reboot_nothing_is_owed) // the kernel has thawed everything: somebody else's freeze is left alone
{
    struct run *run = abandoned_run();
    virtual_reboot(run->world);
    virtual_foreign_freeze(run->world, RUN_DEV(1), virtual_now_us(run->world));
    virtual_pass(run->world, RUN_MS);
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    run_free(run);
}

QZ_TEST(a_freeze_that_is_still_under_way_is_waited_for) // nothing is frozen yet, but a dead process's FIFREEZE will
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .freeze_us = 8 * RUN_SECOND, .thaw_passes = true);
    virtual_kill_at(run->world, VIRTUAL_AGENT, RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND);
    run_beside(run, 2 * RUN_SECOND, "thaw");
    run_quiesce(run, RUN_JSON);
    CHECK_INT(run->beside->status, 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CU_ASSERT(freezes_thawed_us(run, 1) <= 8 * RUN_SECOND + 50 * RUN_MS);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(a_freeze_that_hangs_is_not_forgotten) // ten seconds are waited, then the journal stays, to be tried again
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .freeze_us = 30 * RUN_SECOND, .thaw_passes = true);
    virtual_kill_at(run->world, VIRTUAL_AGENT, RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND);
    run_beside(run, 2 * RUN_SECOND, "thaw");
    run_quiesce(run, RUN_JSON);
    CHECK_INT(run->beside->status, QZ_EXIT_NONE);
    CHECK_CONTAINS(run->beside->log, "thaw again");
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    CHECK_CONTAINS(virtual_journal(run->world), "/data1");
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(no_freeze_is_missed_between_two_looks_of_a_thaw) // one that comes after it found nothing frozen
{
    for (unsigned nth = 1; nth <= 3; nth++) {
        struct run *run = run_new(1);
        FREEZES_BEHAVE(run, 1, .freeze_us = 8 * RUN_SECOND, .thaw_passes = true);
        virtual_kill_at(run->world, VIRTUAL_AGENT, RUN_SECOND);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND);
        virtual_aim(run->world, 2);
        enum virtual_op op = nth == 1 ? VIRTUAL_OP_PROCESS_GONE : VIRTUAL_OP_WAIT;
        virtual_delay(run->world, VIRTUAL_AGENT, op, nth, 9 * RUN_SECOND);
        run_beside(run, 2 * RUN_SECOND, "thaw");
        run_quiesce(run, RUN_JSON);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        run_free(run);
    }
}

QZ_TEST(a_recovery_tries_three_times) // like any thaw
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .thaw_error = EIO, .thaw_errors = 2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 3 * RUN_SECOND});
    virtual_kill_at(run->world, VIRTUAL_AGENT, RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(what_cannot_be_thawed_is_kept) // the journal goes on naming it, whoever tries; then it is thawed after all
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .thaw_error = EIO, .thaw_errors = 6);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 3 * RUN_SECOND});
    virtual_kill_at(run->world, VIRTUAL_AGENT, RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(run_quiesce(run, "thaw"), QZ_EXIT_NONE);
    CU_ASSERT(run_quiesce(run, RUN_JSON) != QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(virtual_journal(run->world), "/data1");
    CHECK_INT(virtual_frozen_count(run->world), 1);
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}
