/* Several plugins side by side, the plugin host's own limits, and which post-scripts are owed. The rules are those of
 * quiesce.conf(5), THE PLUGIN HOST FILE and SCRIPTS. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "runner.h"

#define SECOND RUN_SECOND
#define MS RUN_MS
#define TWO_MINUTES 120

/* ---- Side by side ----------------------------------------------------------------------------------------------- */

QZ_TEST(all_plugins_run_side_by_side) // pre-scripts together, then the snapshot, then post-scripts together
{
    struct run *run = run_new(2);
    run_plugins(run, 3, TWO_MINUTES, NULL);
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = 3 * SECOND});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = 2 * SECOND});
    RUN_SCRIPT(run, "/etc/azure/post1.sh", {.run_us = 2 * SECOND});
    RUN_SCRIPT(run, "/etc/azure/post2.sh", {.run_us = 2 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "scripts"), 6);
    CHECK_INT(run_number(run, "phases.1.duration_us"), 3 * SECOND);
    CHECK_STRING(run_text(run, "phases.5.name"), "post");
    CHECK_INT(run_number(run, "phases.5.duration_us"), 2 * SECOND);
    CHECK_INT(run_started_us(run, "/etc/azure/pre2.sh", 0), 0);
    CU_ASSERT_TRUE(run_started_us(run, RUN_SNAP, 0) > 3 * SECOND);
    CHECK_INT(run_started_us(run, "/etc/azure/post2.sh", 0), run_started_us(run, "/etc/azure/post0.sh", 0));
    run_free(run);
}

QZ_TEST(sixty_four_plugins_run_side_by_side) // the most that a plugin host file may name
{
    struct run *run = run_new(2);
    run_plugins(run, QZ_PLUGINS_MAX, TWO_MINUTES, NULL);
    RUN_SCRIPT(run, "/etc/azure/pre63.sh", {.run_us = SECOND});
    RUN_SCRIPT(run, "/etc/azure/post0.sh", {.run_us = SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "scripts"), 2 * QZ_PLUGINS_MAX);
    CHECK_INT(virtual_start_count(run->world), 2 * QZ_PLUGINS_MAX + 1);
    CHECK_STRING(run_text(run, "scripts.63.path"), "/etc/azure/pre63.sh");
    CHECK_STRING(run_text(run, "scripts.127.path"), "/etc/azure/post63.sh");
    CHECK_INT(run_number(run, "scripts.63.attempts.0.duration_us"), SECOND);
    run_free(run);
}

QZ_TEST(each_plugin_keeps_its_own_verdict) // one fails, one is too slow, one is sound: each is told as it was
{
    struct run *run = run_new(2);
    run_plugins(run, 3, TWO_MINUTES, "\"timeoutInSeconds\": 5");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = SECOND, .status = 4});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = QZ_NEVER});
    RUN_SCRIPT(run, "/etc/azure/pre2.sh", {.run_us = 2 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_count(run, "errors"), 2);
    CHECK_STRING(run_text(run, "errors.0.code"), "Pre-ScriptExecutionFailed");
    CHECK_STRING(run_text(run, "errors.0.path"), "/etc/azure/pre0.sh");
    CHECK_STRING(run_text(run, "errors.1.code"), "Pre-ScriptTimeout");
    CHECK_STRING(run_text(run, "errors.1.path"), "/etc/azure/pre1.sh");
    CHECK_INT(run_number(run, "scripts.0.attempts.0.exit_code"), 4);
    CHECK_STRING(run_text(run, "scripts.1.attempts.0.outcome"), "timeout");
    CHECK_INT(run_number(run, "scripts.2.attempts.0.exit_code"), 0);
    CU_ASSERT_FALSE(run_bool(run, "scripts.2.failed"));
    for (int n = 0; n < 3; n++) {
        char post[64];
        snprintf(post, sizeof post, "/etc/azure/post%d.sh", n);
        CHECK_INT(virtual_starts_of(run->world, post), 1);
    }
    run_free(run);
}

QZ_TEST(each_plugin_has_its_own_retries) // and its own poll time, whatever the others do
{
    struct run *run = run_new(2);
    run_plugins(run, 2, TWO_MINUTES, NULL);
    run_plugin(run, 0, "\"preScriptNoOfRetries\": 2, \"ScriptsExecutionPollTimeSeconds\": 1");
    run_plugin(run, 1, "\"preScriptNoOfRetries\": 1, \"ScriptsExecutionPollTimeSeconds\": 5");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = 2500 * MS, .status = 1}, {.run_us = MS, .status = 1},
               {.run_us = MS});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = 6 * SECOND, .status = 1}, {.run_us = MS});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "scripts.0.attempts"), 3);
    CHECK_INT(run_count(run, "scripts.1.attempts"), 2);
    CHECK_INT(run_logged_us(run, "pre0.sh (plugin ScriptRunner): running for 2 s", 0), 2 * SECOND);
    CHECK_INT(run_logged_us(run, "pre1.sh (plugin ScriptRunner): running for", 0), 5 * SECOND);
    run_free(run);
}

QZ_TEST(a_broken_plugin_stops_no_other) // nor hides or replaces it: the sound one runs, every fault is told by its rank
{
    struct run *run = run_new(2);
    run_plugins(run, 5, TWO_MINUTES, NULL);
    virtual_add_file(run->world, "/etc/azure/plugin0.json", 0, 0600, "{");
    virtual_add_file(run->world, "/etc/azure/post1.sh", 0, 0777, "#!/bin/sh\n");
    virtual_add_directory(run->world, "/etc/azure/pre2.sh", 0, 0755);
    virtual_add_file(run->world, "/etc/azure/plugin4.json", 1000, 0600, "{}");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/pre3.sh"), 1);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post3.sh"), 1);
    CHECK_INT(virtual_start_count(run->world), 3);
    static const char *const expected[][2] = {
        {"InsufficientPermissionforJSONConfigFile", "/etc/azure/plugin4.json"},
        {"IncorrectJSONConfigFile", "/etc/azure/plugin0.json"},
        {"Pre-ScriptNotFound", "/etc/azure/pre2.sh"},
        {"InsufficientPermissionforPost-Script", "/etc/azure/post1.sh"}};
    CHECK_INT(run_count(run, "errors"), 4);
    for (int i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof path, "errors.%d.code", i);
        CHECK_STRING(run_text(run, path), expected[i][0]);
        snprintf(path, sizeof path, "errors.%d.path", i);
        CHECK_STRING(run_text(run, path), expected[i][1]);
    }
    CHECK_STRING(run_text(run, "scripts.2.path"), "/etc/azure/pre3.sh");
    CHECK_INT(run_count(run, "scripts.2.attempts"), 1);
    CHECK_INT(run_count(run, "scripts.0.attempts"), 0);
    run_free(run);
}

/* ---- What plugins decide together ------------------------------------------------------------------------------- */

QZ_TEST(who_failed_decides_whether_to_go_on) // continueBackupOnFailure of the sound ones does not matter
{
    struct run *run = run_new(2);
    run_plugins(run, 2, TWO_MINUTES, NULL);
    run_plugin(run, 0, "\"continueBackupOnFailure\": true");
    run_plugin(run, 1, "\"continueBackupOnFailure\": false");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.status = 0});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptExecutionFailed");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "not_taken");
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
    CHECK_STRING(run_variable(run, "/etc/azure/post0.sh", 1, "QUIESCE_SNAPSHOT"), "none");
    run_free(run);
}

QZ_TEST(one_refusal_is_enough) // of all plugins that failed, every one must say to go on
{
    struct run *run = run_new(2);
    run_plugins(run, 2, TWO_MINUTES, NULL);
    run_plugin(run, 1, "\"continueBackupOnFailure\": false");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.status = 1});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_DID_FROZEN), 0);
    run_free(run);
}

QZ_TEST(a_failed_post_script_decides_too) // the snapshot is there, but must not be used
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false");
    RUN_SCRIPT(run, RUN_POST, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "consistency"), "none");
    CHECK_STRING(run_text(run, "code"), "Post-ScriptExecutionFailed");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "taken");
    run_free(run);
}

QZ_TEST(a_single_disk_is_snapshotted_regardless) // crash-consistent, and nothing is frozen for it
{
    struct run *run = run_new(1);
    run_config(run, "\"continueBackupOnFailure\": false");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "consistency"), "crash");
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
    run_free(run);
}

QZ_TEST(a_script_that_cannot_run_fails) // continueBackupOnFailure of its config is heeded, that of a refused one is not
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false");
    virtual_add_file(run->world, RUN_POST, 0, 0755, "#!/bin/sh\n");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "InsufficientPermissionforPost-Script");
    virtual_add_file(run->world, RUN_CONFIG, 0, 0644, "{\"continueBackupOnFailure\": false}");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "InsufficientPermissionforJSONConfigFile");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 0);
    run_free(run);
}

QZ_TEST(any_plugin_may_ask_for_the_freeze) // one is enough; with none nothing is frozen, which costs no consistency
{
    struct run *run = run_new(2);
    run_plugins(run, 2, TWO_MINUTES, "\"fsFreezeEnabled\": false");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CU_ASSERT_FALSE(run_bool(run, "freeze.enabled"));
    CHECK_INT(run_number(run, "freeze.window_us"), 0);
    CHECK_STRING(run_text(run, "freeze.volumes.0.reason"), "fsFreezeEnabled is false");
    CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_DID_FROZEN), 0);
    run_plugin(run, 1, NULL);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CU_ASSERT_TRUE(run_bool(run, "freeze.enabled"));
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "thawed");
    run_free(run);
}

QZ_TEST(who_asked_for_the_freeze_decides_without_it) // continueBackupOnFailure of the others does not matter
{
    struct run *run = run_new(2);
    run_plugins(run, 2, TWO_MINUTES, NULL);
    run_plugin(run, 0, "\"fsFreezeEnabled\": false, \"continueBackupOnFailure\": false");
    virtual_set_volume(run->world, RUN_DEV(1), &(struct virtual_volume){.freeze_us = MS, .freeze_error = EIO});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    run_plugin(run, 0, "\"continueBackupOnFailure\": false");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    run_free(run);
}

QZ_TEST(without_freeze_failed_scripts_leave_a_crash) // nothing held, so nothing more can be claimed
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    run_free(run);
}

/* ---- The plugin host's limit ------------------------------------------------------------------------------------ */

QZ_TEST(the_plugin_host_bounds_an_attempt) // if its limit is shorter than the script's timeout
{
    struct run *run = run_new(2);
    run_plugins(run, 1, 10, "\"timeoutInSeconds\": 30, \"preScriptNoOfRetries\": 3");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-PluginhostTimeout");
    CHECK_INT(run_number(run, "number"), 310);
    CHECK_STRING(run_text(run, "errors.0.detail"), "not finished when the plugin host's timeoutInSeconds ran out");
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "timeout");
    CHECK_INT(run_signaled_us(run, 0, SIGTERM), 10 * SECOND);
    CHECK_INT(run_logged_us(run, "running for 9 s of at most 10 s", 0), 9 * SECOND);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/pre0.sh"), 1);
    run_free(run);
}

QZ_TEST(the_plugin_host_bounds_all_attempts) // a later attempt has only what is left of its time
{
    struct run *run = run_new(2);
    run_plugins(run, 1, 10, "\"timeoutInSeconds\": 8, \"preScriptNoOfRetries\": 20");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = 3 * SECOND, .status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-PluginhostTimeout");
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_INT(run_number(run, "errors.0.attempt"), 4);
    CHECK_INT(run_count(run, "scripts.0.attempts"), 4);
    CHECK_STRING(run_text(run, "scripts.0.attempts.2.outcome"), "exited");
    CHECK_STRING(run_text(run, "scripts.0.attempts.3.outcome"), "timeout");
    CHECK_INT(run_signaled_us(run, 0, SIGTERM), 10 * SECOND);
    run_free(run);
}

QZ_TEST(no_attempt_begins_without_time) // when the limit runs out just as an attempt fails
{
    struct run *run = run_new(2);
    run_plugins(run, 1, 10, "\"timeoutInSeconds\": 8, \"preScriptNoOfRetries\": 20");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = 5 * SECOND, .status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-PluginhostTimeout");
    CHECK_STRING(run_text(run, "errors.0.detail"),
                 "the plugin host's timeoutInSeconds ran out before the next attempt");
    CHECK_INT(run_count(run, "scripts.0.attempts"), 2);
    CHECK_STRING(run_text(run, "scripts.0.attempts.1.outcome"), "exited");
    CU_ASSERT_TRUE(run_bool(run, "scripts.0.failed"));
    run_free(run);
}

QZ_TEST(both_limits_at_once_are_the_scripts) // in the first attempt, and in a later one
{
    struct run *run = run_new(2);
    run_plugins(run, 1, 10, "\"timeoutInSeconds\": 10");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptTimeout");
    run_plugins(run, 1, 10, "\"timeoutInSeconds\": 6, \"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = 4 * SECOND, .status = 1}, {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptTimeout");
    CHECK_INT(run_count(run, "scripts.0.attempts"), 2);
    run_free(run);
}

QZ_TEST(post_scripts_have_the_whole_limit_again) // what the pre-scripts used is not taken from them
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 10, "\"timeoutInSeconds\": 20");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = 9 * SECOND});
    RUN_SCRIPT(run, "/etc/azure/post0.sh", {.run_us = 9 * SECOND});
    RUN_SCRIPT(run, "/etc/azure/post1.sh", {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Post-PluginhostTimeout");
    CHECK_INT(run_number(run, "number"), 311);
    CHECK_STRING(run_text(run, "errors.0.path"), "/etc/azure/post1.sh");
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_INT(run_signaled_us(run, 3, SIGTERM) - run_started_us(run, "/etc/azure/post1.sh", 0), 10 * SECOND);
    run_free(run);
}

QZ_TEST(a_slow_plugin_costs_the_others_nothing) // its timeout is its own; its tree is ended while they run on
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 60, "\"timeoutInSeconds\": 30");
    run_plugin(run, 0, "\"timeoutInSeconds\": 2");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER, .ignores_term = true});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = 20 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_INT(run_signaled_us(run, 0, SIGKILL), 2 * SECOND + QZ_RUNNER_GRACE_US);
    CHECK_INT(run_signaled_us(run, 1, SIGTERM), -1);
    CHECK_INT(run_number(run, "phases.1.duration_us"), 20 * SECOND);
    run_free(run);
}

QZ_TEST(a_verdict_stays) // a script that was given up on and then ends after all has still timed out
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 120, "\"timeoutInSeconds\": 60");
    run_plugin(run, 0, "\"timeoutInSeconds\": 2");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER, .unkillable_us = 20 * SECOND});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = 30 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "timeout");
    CHECK_INT(run_number(run, "scripts.0.attempts.0.duration_us"),
              2 * SECOND + QZ_RUNNER_GRACE_US + QZ_RUNNER_KILL_WAIT_US);
    CU_ASSERT_TRUE(run_bool(run, "scripts.0.left_alive"));
    run_free(run);
}

QZ_TEST(nothing_is_frozen_beside_the_unkillable_of_any_plugin) // nor beside the last one's
{
    for (int n = 0; n < 3; n++) {
        struct run *run = run_new(2);
        char pre[32];
        snprintf(pre, sizeof pre, "/etc/azure/pre%d.sh", n);
        run_plugins(run, 3, TWO_MINUTES, NULL);
        RUN_SCRIPT(run, pre, {.status = 1, .leftovers = 1, .leftover_us = QZ_NEVER,
                              .leftovers_unkillable_us = 600 * SECOND});
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        CU_ASSERT(run_find_error(run, "FsFreezeFailed") >= 0);
        CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "untouched");
        run_free(run);
    }
}

/* ---- Signals ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_signal_ends_the_trees_of_all_plugins) // who had succeeded is left alone; every post-script runs
{
    struct run *run = run_new(2);
    run_plugins(run, 3, TWO_MINUTES, NULL);
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = SECOND, .leftovers = 1, .leftover_us = 500 * SECOND});
    RUN_SCRIPT(run, "/etc/azure/pre2.sh", {.run_us = QZ_NEVER, .leftovers = 1, .leftover_us = QZ_NEVER});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGHUP, 2 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(run_signaled_us(run, 0, SIGTERM), 2 * SECOND);
    CHECK_INT(run_signaled_us(run, 1, SIGTERM), -1);
    CHECK_INT(run_signaled_us(run, 2, SIGTERM), 2 * SECOND);
    CHECK_INT(run_number(run, "scripts.0.attempts.0.signal"), SIGTERM);
    CHECK_INT(run_number(run, "scripts.2.attempts.0.signal"), SIGTERM);
    CHECK_INT(virtual_alive(run->world), 1);
    for (int n = 0; n < 3; n++) {
        char post[64];
        snprintf(post, sizeof post, "/etc/azure/post%d.sh", n);
        CHECK_INT(virtual_starts_of(run->world, post), 1);
    }
    run_free(run);
}

QZ_TEST(a_signal_ends_the_trees_of_sixty_four_plugins) // and no sixty-fifth
{
    struct run *run = run_new(2);
    run_plugins(run, QZ_PLUGINS_MAX, TWO_MINUTES, NULL);
    for (int n = 0; n < QZ_PLUGINS_MAX; n++) {
        char pre[64];
        snprintf(pre, sizeof pre, "/etc/azure/pre%d.sh", n);
        RUN_SCRIPT(run, pre, {.run_us = QZ_NEVER});
    }
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(run_signaled_us(run, 0, SIGTERM), SECOND);
    CHECK_INT(run_signaled_us(run, QZ_PLUGINS_MAX - 1, SIGTERM), SECOND);
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

/* ---- Which post-scripts are owed -------------------------------------------------------------------------------- */

QZ_TEST(a_started_pre_script_has_its_post_script_run) // whatever came of it, once, and told how the snapshot went
{
    static const struct {
        struct virtual_attempt pre, snap;
        const char *snapshot;
    } rows[] = {
        {{.status = 1}, {.status = 0}, "taken"},         {{.signal = SIGKILL}, {.status = 0}, "taken"},
        {{.run_us = QZ_NEVER}, {.status = 0}, "taken"},  {{.status = 0}, {.status = 7}, "failed"},
        {{.status = 0}, {.run_us = QZ_NEVER}, "failed"}, {{.status = 0}, {.start_error = ENOENT}, "failed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run *run = run_new(2);
        virtual_set_script(run->world, RUN_PRE, &rows[i].pre, 1);
        virtual_set_script(run->world, RUN_SNAP, &rows[i].snap, 1);
        run_quiesce(run, RUN_JSON);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
        CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), rows[i].snapshot);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        run_free(run);
    }
}

QZ_TEST(a_failed_freeze_does_not_cost_the_post_script) // nor does a snapshot that was never begun
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false");
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.freeze_us = 2 * MS, .freeze_error = EIO});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "FsFreezeFailed");
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "none");
    run_free(run);
}

QZ_TEST(without_its_pre_script_no_post_script_runs) // one that was never started has quiesced nothing
{
    struct run *run = run_new(2);
    run_plugins(run, 2, TWO_MINUTES, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.swapped = true});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.status = 1}, {.start_error = EAGAIN});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post0.sh"), 0);
    CHECK_INT(run_count(run, "scripts.2.attempts"), 0);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post1.sh"), 1);
    CHECK_INT(run_count(run, "errors"), 2);
    run_free(run);
}
