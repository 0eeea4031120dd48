/* One script and its attempts: deadlines, retries, whole trees ended. The rules are those of quiesce.conf(5), SCRIPTS.
 * How it is started: test_runner_start.c; several plugins: test_scripts.c. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "runner.h"

#define SECOND RUN_SECOND
#define MS RUN_MS

/* With one plugin, these are the slots of its two scripts. */
enum { PRE_SLOT, POST_SLOT };

QZ_TEST(a_sound_run_is_application_consistent) // pre-script, freeze, snapshot, thaw, post-script: in that order, once
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "consistency"), "application");
    CHECK_STRING(run_text(run, "code"), "Success");
    CHECK_INT(virtual_start_count(run->world), 3);
    CHECK_STRING(virtual_start_at(run->world, 0)->path, RUN_PRE);
    CHECK_STRING(virtual_start_at(run->world, 1)->path, RUN_SNAP);
    CHECK_STRING(virtual_start_at(run->world, 2)->path, RUN_POST);
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "thawed");
    run_free(run);
}

/* ---- Retries ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_failed_attempt_is_run_again) // after a non-zero exit and after a death by signal, until one succeeds
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 3");
    RUN_SCRIPT(run, RUN_PRE, {.status = 3}, {.signal = SIGSEGV}, {.run_us = MS});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 3);
    CHECK_INT(run_count(run, "errors"), 0);
    CHECK_INT(run_count(run, "scripts.0.attempts"), 3);
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "exited");
    CHECK_INT(run_number(run, "scripts.0.attempts.0.exit_code"), 3);
    CU_ASSERT_TRUE(run_is_null(run, "scripts.0.attempts.0.signal"));
    CHECK_STRING(run_text(run, "scripts.0.attempts.1.outcome"), "signaled");
    CHECK_INT(run_number(run, "scripts.0.attempts.1.signal"), SIGSEGV);
    CU_ASSERT_TRUE(run_is_null(run, "scripts.0.attempts.1.exit_code"));
    CHECK_INT(run_number(run, "scripts.0.attempts.2.exit_code"), 0);
    CU_ASSERT_FALSE(run_bool(run, "scripts.0.failed"));
    CHECK_CONTAINS(run->log, "attempt 1 of 4): exit status 3; trying again");
    CHECK_CONTAINS(run->log, "attempt 2 of 4): ended by signal 11 (SIGSEGV); trying again");
    run_free(run);
}

QZ_TEST(retries_are_counted) // N retries are N + 1 attempts, and the error tells the last one
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 2, \"postScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1}, {.status = 2}, {.status = 3});
    RUN_SCRIPT(run, RUN_POST, {.status = 9});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 3);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 2);
    CHECK_STRING(run_text(run, "errors.0.code"), "Pre-ScriptExecutionFailed");
    CHECK_INT(run_number(run, "errors.0.number"), 300);
    CHECK_INT(run_number(run, "errors.0.attempt"), 3);
    CHECK_STRING(run_text(run, "errors.0.plugin"), "ScriptRunner");
    CHECK_STRING(run_text(run, "errors.0.path"), RUN_PRE);
    CHECK_STRING(run_text(run, "errors.0.phase"), "pre");
    CHECK_STRING(run_text(run, "errors.0.detail"), "exit status 3");
    CHECK_STRING(run_text(run, "errors.0.message"),
                 "pre-script " RUN_PRE " (plugin ScriptRunner, attempt 3 of 3): exit status 3");
    CHECK_STRING(run_text(run, "errors.1.code"), "Post-ScriptExecutionFailed");
    CHECK_STRING(run_text(run, "errors.1.phase"), "post");
    CHECK_INT(run_number(run, "errors.1.attempt"), 2);
    CU_ASSERT_TRUE(run_bool(run, "scripts.1.failed"));
    run_free(run);
}

QZ_TEST(without_retries_one_attempt_is_made) // the default
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.signal = SIGKILL}, {.status = 0});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_STRING(run_text(run, "errors.0.detail"), "ended by signal 9 (SIGKILL)");
    CHECK_INT(run_number(run, "errors.0.attempt"), 1);
    CU_ASSERT_PTR_NULL(strstr(run->log, "trying again"));
    run_free(run);
}

QZ_TEST(a_success_is_not_repeated) // retries or not
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 5");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    run_free(run);
}

QZ_TEST(exit_status_124_is_no_timeout) // it is an exit status like any other, and is retried
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.status = 124});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptExecutionFailed");
    CHECK_INT(run_count(run, "scripts.0.attempts"), 2);
    CHECK_STRING(run_text(run, "scripts.0.attempts.1.outcome"), "exited");
    CHECK_INT(run_number(run, "scripts.0.attempts.1.exit_code"), 124);
    run_free(run);
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

QZ_TEST(a_timeout_is_not_retried) // the script is ended on time; the error says how much time it had
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 7, \"preScriptNoOfRetries\": 5");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptTimeout");
    CHECK_INT(run_number(run, "number"), 308);
    CHECK_STRING(run_text(run, "errors.0.detail"), "not finished in 7 s (timeoutInSeconds)");
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "timeout");
    CU_ASSERT_TRUE(run_is_null(run, "scripts.0.attempts.0.exit_code"));
    CU_ASSERT_TRUE(run_is_null(run, "scripts.0.attempts.0.signal"));
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGTERM), 7 * SECOND);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(a_script_may_use_all_its_time) // what ends just before the timeout is in time; at the timeout it is not
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 7");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 7 * SECOND - 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "scripts.0.attempts.0.duration_us"), 7 * SECOND - 1);
    RUN_SCRIPT(run, RUN_POST, {.run_us = 7 * SECOND + 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Post-ScriptTimeout");
    CHECK_INT(run_number(run, "number"), 309);
    run_free(run);
}

QZ_TEST(each_attempt_has_its_own_timeout) // together they may take longer
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 10, \"preScriptNoOfRetries\": 2");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 9 * SECOND, .status = 1}, {.run_us = 9 * SECOND, .status = 1},
               {.run_us = 9 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "phases.1.duration_us"), 27 * SECOND);
    CHECK_INT(run_number(run, "scripts.0.attempts.1.duration_us"), 9 * SECOND);
    run_free(run);
}

QZ_TEST(half_an_hour_is_the_longest_timeout) // and takes no time here
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 1800, \"ScriptsExecutionPollTimeSeconds\": 5");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptTimeout");
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGTERM), 1800 * SECOND);
    run_free(run);
}

QZ_TEST(the_script_s_limit_is_told_where_both_run_out) // however long it takes to start the scripts side by side
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 7, "\"timeoutInSeconds\": 7");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = QZ_NEVER});
    virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_CHILD_START, 1, RUN_MS);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_count(run, "errors"), 2);
    CHECK_STRING(run_text(run, "errors.0.code"), "Pre-ScriptTimeout");
    CHECK_STRING(run_text(run, "errors.1.code"), "Pre-ScriptTimeout");
    run_free(run);
}

QZ_TEST(the_plugin_host_s_limit_is_told_where_it_is_shorter) // and where attempts before have used up the time
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 7, "\"timeoutInSeconds\": 8, \"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-PluginhostTimeout");
    run_plugins(run, 2, 7, "\"timeoutInSeconds\": 7, \"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = RUN_MS, .status = 1}, {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-PluginhostTimeout");
    run_free(run);
}

QZ_TEST(a_running_script_is_reported) // every ScriptsExecutionPollTimeSeconds, with the time it has had and may have
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 20, \"ScriptsExecutionPollTimeSeconds\": 4");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 10 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_logged_us(run, "running for 4 s of at most 20 s", 0), 4 * SECOND);
    CHECK_INT(run_logged_us(run, "running for 8 s of at most 20 s", 0), 8 * SECOND);
    CHECK_INT(run_logged_us(run, "running for", 2), -1);
    CHECK_CONTAINS(run->log, "quiesce: pre-script " RUN_PRE " (plugin ScriptRunner): running for 4 s");
    run_free(run);
}

QZ_TEST(the_poll_time_is_three_seconds) // where the config says nothing; each attempt counts from its own start
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 4 * SECOND, .status = 1}, {.run_us = 4 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_logged_us(run, "running for 3 s", 0), 3 * SECOND);
    CHECK_INT(run_logged_us(run, "running for 3 s", 1), 7 * SECOND);
    run_free(run);
}

QZ_TEST(an_end_is_noticed_at_once) // whatever the poll time is
{
    struct run *run = run_new(2);
    run_config(run, "\"ScriptsExecutionPollTimeSeconds\": 5");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 5100 * MS});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "scripts.0.attempts.0.duration_us"), 5100 * MS);
    CHECK_INT(run_number(run, "phases.1.duration_us"), 5100 * MS);
    run_free(run);
}

QZ_TEST(missed_reports_are_not_made_up_for) // an agent that stood still for a minute reports once, not twenty times
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 120");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 70 * SECOND});
    virtual_stop_at(run->world, VIRTUAL_AGENT, SECOND, 60 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_logged_us(run, "running for 61 s", 0), 61 * SECOND);
    CHECK_INT(run_logged_us(run, "running for", 1), 63 * SECOND);
    run_free(run);
}

/* ---- Trees ------------------------------------------------------------------------------------------------------ */

QZ_TEST(a_failed_attempt_is_gone_before_the_next) // with all that it had started
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1, .leftovers = 3, .leftover_us = QZ_NEVER}, {.run_us = MS});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGTERM), 0);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGKILL), -1);
    CU_ASSERT_TRUE(run_started_us(run, RUN_PRE, 1) > 0);
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(who_ignores_sigterm_is_killed) // after the grace, and the next attempt comes only then
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1, .leftovers = 1, .leftover_us = QZ_NEVER, .leftovers_ignore_term = true},
               {.run_us = MS});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGTERM), 0);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGKILL), QZ_RUNNER_GRACE_US);
    CU_ASSERT_TRUE(run_started_us(run, RUN_PRE, 1) > QZ_RUNNER_GRACE_US);
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(a_timed_out_tree_is_gone_before_the_freeze) // the script and its children, also those that ignore SIGTERM
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 5");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER, .ignores_term = true, .leftovers = 2, .leftover_us = QZ_NEVER,
                              .leftovers_ignore_term = true});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGTERM), 5 * SECOND);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGKILL), 5 * SECOND + QZ_RUNNER_GRACE_US);
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "timeout");
    CU_ASSERT_FALSE(run_bool(run, "scripts.0.left_alive"));
    CU_ASSERT_TRUE(run_number(run, "phases.2.start_us") > 5 * SECOND + QZ_RUNNER_GRACE_US);
    CHECK_STRING(run_text(run, "phases.2.name"), "freeze");
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(who_heeds_sigterm_gets_no_sigkill) // a script that cleans up for a second may
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 5");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 6 * SECOND, .ignores_term = true});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGKILL), -1);
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "timeout");
    CU_ASSERT_TRUE(run_number(run, "scripts.0.attempts.0.duration_us") >= 6 * SECOND);
    run_free(run);
}

QZ_TEST(nothing_is_frozen_beside_the_unkillable) // it could write into the snapshot; it is not retried either
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 5, \"preScriptNoOfRetries\": 3");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER, .unkillable_us = 600 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptTimeout");
    CHECK_STRING(run_text(run, "errors.1.code"), "FsFreezeFailed");
    CHECK_CONTAINS(run_text(run, "errors.1.message"), "a process of a failed pre-script is still alive");
    CU_ASSERT_TRUE(run_bool(run, "scripts.0.left_alive"));
    CHECK_INT(run_number(run, "phases.1.duration_us"), 5 * SECOND + QZ_RUNNER_GRACE_US + QZ_RUNNER_KILL_WAIT_US);
    CHECK_INT(run_calls(run, VIRTUAL_WORLD, VIRTUAL_DID_FROZEN), 0);
    CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_DID_FROZEN), 0);
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "untouched");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_CRASH);
    CHECK_CONTAINS(run->output, "\n    a process of it could not be ended and is still alive\n  post  ");
    run_free(run);
}

QZ_TEST(an_unkillable_leftover_ends_the_retries) // the error is the script's own, and nothing is frozen
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 3");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1, .leftovers = 1, .leftover_us = QZ_NEVER,
                              .leftovers_unkillable_us = 600 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_STRING(run_text(run, "errors.0.detail"), "exit status 1");
    CHECK_STRING(run_text(run, "errors.1.code"), "FsFreezeFailed");
    CHECK_INT(run_number(run, "scripts.0.attempts.0.exit_code"), 1);
    CU_ASSERT_TRUE(run_bool(run, "scripts.0.left_alive"));
    run_free(run);
}

QZ_TEST(what_could_not_be_ended_is_no_success) // an interrupted script that is still alive has no exit status
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 3");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1},
               {.run_us = 600 * SECOND, .ignores_term = true, .unkillable_us = 600 * SECOND});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CU_ASSERT_TRUE(run_bool(run, "scripts.0.left_alive"));
    CHECK_STRING(run_text(run, "scripts.0.attempts.1.outcome"), "signaled");
    CHECK_INT(run_number(run, "scripts.0.attempts.1.signal"), SIGKILL);
    CU_ASSERT_TRUE(run_is_null(run, "scripts.0.attempts.1.exit_code"));
    run_free(run);
}

QZ_TEST(a_successful_script_may_leave_a_process) // that holds a lock: it is neither ended nor waited for
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = MS, .leftovers = 2, .leftover_us = 500 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGTERM), -1);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGKILL), -1);
    CHECK_INT(virtual_alive(run->world), 2);
    CHECK_INT(run_number(run, "phases.1.duration_us"), MS);
    run_free(run);
}

/* ---- Signals ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_signal_ends_the_pre_script) // no further attempt, no freeze, no snapshot; the post-script runs
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        struct run *run = run_new(2);
        run_config(run, "\"preScriptNoOfRetries\": 3, \"timeoutInSeconds\": 60");
        RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER});
        virtual_signal_at(run->world, VIRTUAL_AGENT, signals[i], 4 * SECOND);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
        CHECK_STRING(run_text(run, "code"), "Interrupted");
        CHECK_INT(run_number(run, "number"), 930);
        CHECK_INT(run_count(run, "errors"), 1);
        CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGTERM), 4 * SECOND);
        CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "signaled");
        CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
        CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
        CHECK_STRING(run_text(run, "snapshot.outcome"), "not_taken");
        CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "none");
        CHECK_INT(virtual_frozen_count(run->world), 0);
        CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_DID_FROZEN), 0);
        run_free(run);
    }
}

QZ_TEST(a_signal_between_attempts_is_one_between_attempts) // while a failed attempt's tree is ended: no next attempt
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 3");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1, .leftovers = 1, .leftover_us = QZ_NEVER, .leftovers_ignore_term = true});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_INT(run_number(run, "scripts.0.attempts.0.exit_code"), 1);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGKILL), QZ_RUNNER_GRACE_US);
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(a_signal_does_not_end_the_post_script) // which puts the application right; its retries are made, too
{
    struct run *run = run_new(2);
    run_config(run, "\"postScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_POST, {.run_us = 5 * SECOND, .status = 1}, {.run_us = 5 * SECOND});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 2 * SECOND);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 3 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_INT(run_signaled_us(run, POST_SLOT, SIGTERM), -1);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 2);
    CU_ASSERT_FALSE(run_bool(run, "scripts.1.failed"));
    run_free(run);
}

QZ_TEST(a_second_signal_changes_nothing) // the grace goes on from the first one
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER, .ignores_term = true});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, SECOND);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGINT, 2 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(run_signaled_us(run, PRE_SLOT, SIGKILL), SECOND + QZ_RUNNER_GRACE_US);
    CHECK_INT(run_find_error(run, "Interrupted"), 0);
    run_free(run);
}

QZ_TEST(control_characters_do_not_reach_the_log) // a path from a config must not steer the terminal
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, "/etc/azure/\x1b[31mpre", 0, 0700, "#!/bin/sh\n");
    virtual_add_file(run->world, RUN_CONFIG, 0, 0600,
                     "{\"preScriptLocation\": \"/etc/azure/\\u001b[31mpre\", \"postScriptLocation\": \"" RUN_POST
                     "\", \"preScriptNoOfRetries\": 1}");
    RUN_SCRIPT(run, "/etc/azure/\x1b[31mpre", {.run_us = 4 * SECOND, .status = 1});
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    CHECK_CONTAINS(run->log, "/etc/azure/\\x1b[31mpre (plugin ScriptRunner): running for 3 s");
    CHECK_CONTAINS(run->log, "exit status 1; trying again");
    CU_ASSERT_PTR_NULL(strchr(run->log, '\x1b'));
    CHECK_CONTAINS(run->output, "\\x1b[31mpre");
    CU_ASSERT_PTR_NULL(strchr(run->output, '\x1b'));
    run_free(run);
}
