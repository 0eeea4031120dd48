/* Every error that there is, made to happen, and what the JSON result says of it: name, number, phase, plugin, path,
 * attempt, cause, and what a run is worth then. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

#define SECOND RUN_SECOND
#define MS RUN_MS
#define PLUGIN "ScriptRunner"
#define OTHER_HOST "/srv/host.conf"
#define HOST_OPTION "run --plugin-host " OTHER_HOST " --format json -- " RUN_SNAP
#define HOST_TIMEOUT "not finished when the plugin host's timeoutInSeconds ran out"
#define ANY "*" /* says something, and what is not of interest here */

static void nothing(struct run *run)
{
    (void)run;
}

static void not_root(struct run *run)
{
    virtual_set_root(run->world, false);
}

static void locked(struct run *run)
{
    virtual_lock_by_other(run->world, QZ_NEVER);
}

static void interrupted(struct run *run)
{
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGINT, 5 * SECOND);
}

static void no_guardian(struct run *run)
{
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_GUARD, 1, EAGAIN);
}

static void host_unsafe(struct run *run)
{
    virtual_add_file(run->world, OTHER_HOST, 0, 0666, "");
}

static void host_broken(struct run *run)
{
    virtual_add_file(run->world, OTHER_HOST, 0, 0644, "[pre_post]\ntimeoutInSeconds=0\n");
}

static void config_missing(struct run *run)
{
    virtual_add_symlink(run->world, RUN_CONFIG, "/nowhere");
}

static void config_unsafe(struct run *run)
{
    virtual_add_file(run->world, RUN_CONFIG, 1000, 0600, "{}");
}

static void config_broken(struct run *run)
{
    virtual_add_file(run->world, RUN_CONFIG, 0, 0600, "{\n  \"timeoutInSeconds\": 0}");
}

static void pre_missing(struct run *run)
{
    virtual_add_symlink(run->world, RUN_PRE, "/nowhere");
}

static void pre_unsafe(struct run *run)
{
    virtual_add_file(run->world, RUN_PRE, 0, 0777, "");
}

static void post_missing(struct run *run)
{
    virtual_add_symlink(run->world, RUN_POST, "/nowhere");
}

static void post_unsafe(struct run *run)
{
    virtual_add_file(run->world, RUN_POST, 0, 0777, "");
}

static void pre_fails(struct run *run)
{
    run_config(run, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.status = 3}, {.signal = SIGSEGV});
}

static void pre_is_slow(struct run *run)
{
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER});
}

static void post_fails(struct run *run)
{
    run_config(run, "\"postScriptNoOfRetries\": 2");
    RUN_SCRIPT(run, RUN_POST, {.status = 3});
}

static void post_is_slow(struct run *run)
{
    RUN_SCRIPT(run, RUN_POST, {.run_us = QZ_NEVER});
}

static void host_short_for_pre(struct run *run)
{
    run_plugins(run, 1, 10, NULL);
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.run_us = QZ_NEVER});
}

static void host_short_for_post(struct run *run)
{
    run_plugins(run, 1, 10, NULL);
    RUN_SCRIPT(run, "/etc/azure/post0.sh", {.run_us = QZ_NEVER});
}

static void frozen_by_other(struct run *run)
{
    virtual_foreign_freeze(run->world, RUN_DEV(2), 0);
}

static void mount_gone(struct run *run)
{
    RUN_SCRIPT(run, RUN_PRE, {.run_us = SECOND});
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_VOLUME_OPEN, 2, ESTALE);
}

static void freeze_fails(struct run *run)
{
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.freeze_us = MS, .freeze_error = EIO});
}

static void freeze_hangs(struct run *run)
{
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.stuck_until_us = 100 * SECOND});
}

static void freeze_lost(struct run *run)
{
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    virtual_foreign_thaw(run->world, RUN_DEV(2), 5 * SECOND);
}

static void snapshot_fails(struct run *run)
{
    RUN_SCRIPT(run, RUN_SNAP, {.status = 9});
}

static void snapshot_is_slow(struct run *run)
{
    run_config(run, "\"fsFreezeEnabled\": false");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER});
}

static void thaw_fails(struct run *run)
{
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.freeze_us = MS, .thaw_error = EIO});
}

/* NULL: null. */
static const struct row {
    enum qz_code code;
    void (*happens)(struct run *run);
    const char *words;
    int number;
    int status;
    const char *phase, *plugin, *path, *detail;
    int attempt; /* 0: null */
} rows[] = {
    {QZ_E_SUCCESS, nothing, RUN_JSON, 0, 0, NULL, NULL, NULL, NULL, 0},
    {QZ_E_NOT_ROOT, not_root, RUN_JSON, 921, 20, NULL, NULL, NULL, NULL, 0},
    {QZ_E_ALREADY_RUNNING, locked, RUN_JSON, 920, 20, NULL, NULL, NULL, NULL, 0},
    {QZ_E_INTERRUPTED, interrupted, RUN_JSON, 930, 20, NULL, NULL, NULL, "signal 2 (SIGINT)", 0},
    {QZ_E_INTERNAL_ERROR, no_guardian, RUN_JSON, 990, 70, NULL, NULL, NULL, "Resource temporarily unavailable", 0},
    {QZ_E_PLUGIN_HOST_FILE_NOT_FOUND, nothing, HOST_OPTION, 313, 10, NULL, NULL, OTHER_HOST,
     "No such file or directory", 0},
    {QZ_E_INSUFFICIENT_PERMISSION_FOR_PLUGIN_HOST_FILE, host_unsafe, HOST_OPTION, 314, 10, NULL, NULL, OTHER_HOST,
     "mode is 0666", 0},
    {QZ_E_INCORRECT_PLUGIN_HOST_FILE, host_broken, HOST_OPTION, 304, 10, NULL, NULL, OTHER_HOST, "line 2, column 18",
     0},
    {QZ_E_JSON_CONFIG_FILE_NOT_FOUND, config_missing, RUN_JSON, 316, 10, NULL, PLUGIN, RUN_CONFIG,
     "No such file or directory", 0},
    {QZ_E_INSUFFICIENT_PERMISSION_FOR_JSON_CONFIG_FILE, config_unsafe, RUN_JSON, 317, 10, NULL, PLUGIN, RUN_CONFIG,
     "owner is uid 1000", 0},
    {QZ_E_INCORRECT_JSON_CONFIG_FILE, config_broken, RUN_JSON, 305, 10, NULL, PLUGIN, RUN_CONFIG, "line 2, column 23",
     0},
    {QZ_E_PRE_SCRIPT_NOT_FOUND, pre_missing, RUN_JSON, 302, 10, "pre", PLUGIN, RUN_PRE, "No such file or directory", 0},
    {QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT, pre_unsafe, RUN_JSON, 306, 10, "pre", PLUGIN, RUN_PRE,
     "mode is 0777", 0},
    {QZ_E_POST_SCRIPT_NOT_FOUND, post_missing, RUN_JSON, 303, 10, "post", PLUGIN, RUN_POST,
     "No such file or directory", 0},
    {QZ_E_INSUFFICIENT_PERMISSION_FOR_POST_SCRIPT, post_unsafe, RUN_JSON, 307, 10, "post", PLUGIN, RUN_POST,
     "mode is 0777", 0},
    {QZ_E_PRE_SCRIPT_EXECUTION_FAILED, pre_fails, RUN_JSON, 300, 10, "pre", PLUGIN, RUN_PRE,
     "ended by signal 11 (SIGSEGV)", 2},
    {QZ_E_PRE_SCRIPT_TIMEOUT, pre_is_slow, RUN_JSON, 308, 10, "pre", PLUGIN, RUN_PRE,
     "not finished in 30 s (timeoutInSeconds)", 1},
    {QZ_E_PRE_PLUGIN_HOST_TIMEOUT, host_short_for_pre, RUN_JSON, 310, 10, "pre", PLUGIN, "/etc/azure/pre0.sh",
     HOST_TIMEOUT, 1},
    {QZ_E_FROZEN_BY_OTHER, frozen_by_other, RUN_JSON, 901, 11, "freeze", NULL, "/data2", "Device or resource busy", 0},
    {QZ_E_UNABLE_TO_OPEN_MOUNT, mount_gone, RUN_JSON, 123, 11, "freeze", NULL, "/data2",
     "cannot be opened: another mount covers it", 0},
    {QZ_E_FS_FREEZE_FAILED, freeze_fails, RUN_JSON, 121, 11, "freeze", NULL, "/data2", "Input/output error", 0},
    {QZ_E_FS_FREEZE_TIMEOUT, freeze_hangs, RUN_JSON, 122, 11, "freeze", NULL, "/data2", "FIFREEZE has not returned", 0},
    {QZ_E_FREEZE_LOST, freeze_lost, RUN_JSON, 903, 11, "freeze", NULL, "/data2",
     "somebody else thawed it before the snapshot had ended", 0},
    {QZ_E_SNAPSHOT_FAILED, snapshot_fails, RUN_JSON, 910, 20, "snapshot", NULL, RUN_SNAP, "exit status 9", 0},
    {QZ_E_SNAPSHOT_TIMEOUT, snapshot_is_slow, RUN_JSON, 911, 20, "snapshot", NULL, RUN_SNAP,
     "not finished within 60 s (--hold-limit)", 0},
    {QZ_E_THAW_FAILED, thaw_fails, RUN_JSON, 902, 10, "thaw", NULL, "/data2", "Input/output error", 0},
    {QZ_E_POST_SCRIPT_EXECUTION_FAILED, post_fails, RUN_JSON, 301, 10, "post", PLUGIN, RUN_POST, "exit status 3", 3},
    {QZ_E_POST_SCRIPT_TIMEOUT, post_is_slow, RUN_JSON, 309, 10, "post", PLUGIN, RUN_POST,
     "not finished in 30 s (timeoutInSeconds)", 1},
    {QZ_E_POST_PLUGIN_HOST_TIMEOUT, host_short_for_post, RUN_JSON, 311, 10, "post", PLUGIN, "/etc/azure/post0.sh",
     HOST_TIMEOUT, 1},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void expect_text(const struct run *run, const char *path, const char *expected)
{
    if (!expected) {
        CU_ASSERT_TRUE(run_is_null(run, path));
        return;
    }
    const char *seen = run_text(run, path);
    if (strcmp(expected, ANY) != 0)
        CHECK_STRING(seen, expected);
    CU_ASSERT_TRUE(seen && *seen);
}

static void expect_error(const struct run *run, const struct row *row)
{
    CHECK_STRING(run_text(run, "errors.0.code"), qz_error_name(row->code));
    CHECK_INT(run_number(run, "errors.0.number"), row->number);
    CHECK_STRING(run_text(run, "errors.0.action"), qz_error_action(row->code));
    expect_text(run, "errors.0.message", ANY);
    expect_text(run, "errors.0.phase", row->phase);
    expect_text(run, "errors.0.plugin", row->plugin);
    expect_text(run, "errors.0.path", row->path);
    expect_text(run, "errors.0.detail", row->detail);
    if (row->path)
        CHECK_CONTAINS(run_text(run, "errors.0.message"), row->path);
    bool no_attempt = run_is_null(run, "errors.0.attempt");
    CHECK_INT(no_attempt, row->attempt == 0);
    if (!no_attempt)
        CHECK_INT(run_number(run, "errors.0.attempt"), row->attempt);
}

QZ_TEST(every_error_is_told_whole) // name, number, phase, plugin, path, attempt, cause, and what is to be done
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        struct run *run = run_new(2);
        row->happens(run);
        int status = run_quiesce(run, row->words);
        if (status != row->status)
            fprintf(stderr, "  %s:\n", qz_error_name(row->code));
        CHECK_INT(status, row->status);
        CHECK_INT(run_number(run, "exit_status"), row->status);
        CHECK_STRING(run_text(run, "code"), qz_error_name(row->code));
        CHECK_INT(run_number(run, "number"), row->number);
        if (row->code == QZ_E_SUCCESS)
            CHECK_INT(run_count(run, "errors"), 0);
        else
            expect_error(run, row);
        run_free(run);
    }
}

QZ_TEST(every_outcome_of_a_volume_is_told) // of the one that it concerns
{
    static const struct {
        void (*happens)(struct run *run);
        const char *outcome;
    } outcomes[] = {{nothing, "thawed"},         {pre_missing, "thawed"},        {frozen_by_other, "failed"},
                    {freeze_fails, "failed"},    {freeze_hangs, "stuck"},        {freeze_lost, "lost"},
                    {thaw_fails, "thaw_failed"}, {snapshot_is_slow, "untouched"}};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        struct run *run = run_new(2);
        outcomes[i].happens(run);
        run_quiesce(run, RUN_JSON);
        CHECK_STRING(run_text(run, "freeze.volumes.1.mount"), "/data2");
        CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), outcomes[i].outcome);
        run_free(run);
    }
}

QZ_TEST(no_error_is_left_out) // each one of the table has its row above
{
    for (int code = 0; code < QZ_CODE_COUNT; code++) {
        size_t seen = 0;
        for (size_t i = 0; i < ROW_COUNT; i++)
            seen += (int)rows[i].code == code;
        if (seen == 0)
            fprintf(stderr, "  no row for %s\n", qz_error_name((enum qz_code)code));
        CHECK_INT(seen, 1);
    }
}

QZ_TEST(people_are_told_the_same) // the code in the first line, and each error with its remedy
{
    for (size_t i = 1; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        char words[128], code[96];
        snprintf(words, sizeof words, "run %s-- " RUN_SNAP,
                 strcmp(row->words, HOST_OPTION) == 0 ? "--plugin-host " OTHER_HOST " " : "");
        snprintf(code, sizeof code, "%s (%d)", qz_error_name(row->code), row->number);
        struct run *run = run_new(2);
        row->happens(run);
        CHECK_INT(run_quiesce(run, words), row->status);
        CHECK_CONTAINS(run->output, code);
        const char *line = strchr(run->output, '\n');
        CU_ASSERT_TRUE(line && strstr(run->output, code) < line);
        CHECK_CONTAINS(run->output, qz_error_action(row->code));
        run_free(run);
    }
}

QZ_TEST(errors_come_by_rank) // as the run goes, and the first one is the code
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 60, NULL);
    run_plugin(run, 1, "\"retries\": 5");
    virtual_add_file(run->world, "/etc/azure/plugin1.json", 0, 0600, "");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.status = 1});
    RUN_SCRIPT(run, "/etc/azure/post0.sh", {.status = 1});
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = SECOND, .status = 1});
    virtual_foreign_thaw(run->world, RUN_DEV(1), SECOND / 2);
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.freeze_us = MS, .thaw_error = EIO});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    static const char *const expected[] = {"IncorrectJSONConfigFile", "Pre-ScriptExecutionFailed", "FreezeLost",
                                           "SnapshotFailed", "ThawFailed", "Post-ScriptExecutionFailed"};
    CHECK_INT(run_count(run, "errors"), 6);
    CHECK_STRING(run_text(run, "code"), expected[0]);
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "errors.%d.code", i);
        CHECK_STRING(run_text(run, path), expected[i]);
    }
    run_free(run);
}

QZ_TEST(an_internal_error_does_not_spoil_a_backup) // 70 is for a run without one; else its consistency decides
{
    struct run *run = run_new(2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_INSPECT, 3, ENOMEM);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "InternalError");
    CHECK_INT(run_number(run, "exit_status"), QZ_EXIT_FILESYSTEM);
    run_free(run);
}

QZ_TEST(an_error_that_was_not_decisive_keeps_its_status) // an interrupted run is none, and 20
{
    struct run *run = run_new(2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_INSPECT, 3, ENOMEM);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 5 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_INT(run_find_error(run, "InternalError"), 1);
    run_free(run);
}
