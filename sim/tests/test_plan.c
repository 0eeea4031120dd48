/* What is to be run: plugin host file, configs and scripts, found, read and judged, each plugin for itself. The rules
 * are those of quiesce.conf(5); those on what a file may say and who may own it: core/tests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/json.h"
#include "run.h"

#define OTHER_CONFIG "/srv/backup/app.json"
#define OTHER_HOST "/srv/backup/host.conf"
#define ONE_PLUGIN                                                                             \
    "[pre_post]\ntimeoutInSeconds = 60\nnumberOfPlugins = 1\npluginName0 = ScriptRunner\n"    \
    "pluginConfigPath0 = /etc/azure/plugin0.json\n"

/* Expects the most decisive error, and for whom it is. `plugin` NULL: for none. */
static void expect_error(const struct run *run, const char *code, const char *path, const char *plugin)
{
    CHECK_STRING(run_text(run, "code"), code);
    CHECK_STRING(run_text(run, "errors.0.path"), path);
    if (plugin)
        CHECK_STRING(run_text(run, "errors.0.plugin"), plugin);
    else
        CU_ASSERT_TRUE(run_is_null(run, "errors.0.plugin"));
    CU_ASSERT_TRUE(run_is_null(run, "errors.0.attempt"));
    CHECK_CONTAINS(run_text(run, "errors.0.message"), path);
}

/* How often a file of that name was read. */
static size_t reads_of(const struct run *run, const char *name)
{
    size_t count, reads = 0;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        reads += trace[i].what == VIRTUAL_OP_READ_FILE && strcmp(trace[i].text, name) == 0;
    return reads;
}

/* ---- The plugin host file --------------------------------------------------------------------------------------- */

QZ_TEST(the_default_host_file_may_be_absent) // then there is one plugin with the default config, and check says so
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "check --format json"), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "files.0.path"), RUN_HOST);
    CHECK_STRING(run_text(run, "files.0.code"), "Success");
    CHECK_STRING(run_text(run, "files.0.note"), "absent: the built-in plugin is used");
    CHECK_STRING(run_text(run, "files.1.what"), "config");
    CHECK_STRING(run_text(run, "files.1.path"), RUN_CONFIG);
    CHECK_STRING(run_text(run, "files.1.plugin"), "ScriptRunner");
    run_free(run);
}

QZ_TEST(a_host_file_that_is_named_must_be_there) // without it nothing can be run, but the backup goes on
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run --plugin-host " OTHER_HOST " --format json -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    expect_error(run, "PluginhostFileNotFound", OTHER_HOST, NULL);
    CHECK_INT(run_count(run, "scripts"), 0);
    CHECK_INT(virtual_start_count(run->world), 1);
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "thawed");
    run_free(run);
}

QZ_TEST(an_unsafe_host_file_is_not_used) // nor is the built-in plugin in its place: its config might be unwanted
{
    static const struct {
        uid_t uid;
        mode_t mode;
    } rows[] = {{0, 0664}, {0, 0646}, {1000, 0644}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run *run = run_new(2);
        virtual_add_file(run->world, RUN_HOST, rows[i].uid, rows[i].mode, ONE_PLUGIN);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
        expect_error(run, "InsufficientPermissionforPluginhostFile", RUN_HOST, NULL);
        CHECK_INT(virtual_start_count(run->world), 1);
        CHECK_INT(reads_of(run, "VMSnapshotPluginHost.conf"), 0);
        run_free(run);
    }
}

QZ_TEST(a_broken_host_file_is_told_by_its_place) // in the message, and as the detail
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, RUN_HOST, 0, 0644, "[pre_post]\ntimeoutInSeconds = soon\n");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    expect_error(run, "IncorrectPluginhostFile", RUN_HOST, NULL);
    CHECK_INT(run_number(run, "number"), 304);
    CHECK_STRING(run_text(run, "errors.0.detail"), "line 2, column 20");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), RUN_HOST ":2:20: timeoutInSeconds: found \"soon\"");
    CHECK_STRING(run_text(run, "files.0.code"), "IncorrectPluginhostFile");
    CHECK_INT(run_count(run, "files"), 1);
    run_free(run);
}

QZ_TEST(a_refused_host_file_is_as_if_all_went_on) // continueBackupOnFailure and fsFreezeEnabled are true
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false, \"fsFreezeEnabled\": false");
    virtual_add_file(run->world, RUN_HOST, 0, 0644, "");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CU_ASSERT_TRUE(run_bool(run, "freeze.enabled"));
    run_free(run);
}

QZ_TEST(config_alone_leaves_the_host_file_unread) // even a broken one: there is one plugin, with this config
{
    struct run *run = run_new(2);
    run_plugin(run, 0, NULL);
    virtual_add_file(run->world, RUN_HOST, 0, 0644, "broken");
    CHECK_INT(run_quiesce(run, "run --config /etc/azure/plugin0.json --format json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_INT(reads_of(run, "VMSnapshotPluginHost.conf"), 0);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/pre0.sh"), 1);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 0);
    CHECK_INT(run_count(run, "warnings"), 0);
    run_free(run);
}

QZ_TEST(beside_a_host_file_config_is_not_used) // which is a warning
{
    struct run *run = run_new(2);
    run_plugin(run, 0, NULL);
    virtual_add_file(run->world, OTHER_HOST, 0, 0644, ONE_PLUGIN);
    CHECK_INT(run_quiesce(run, "run --config " OTHER_CONFIG " --plugin-host " OTHER_HOST " --format json -- " RUN_SNAP),
              QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "warnings"), 1);
    CHECK_STRING(run_text(run, "warnings.0.message"),
                 "--config " OTHER_CONFIG " is not used: the plugin host file " OTHER_HOST " names the configs");
    CHECK_STRING(run_text(run, "warnings.0.path"), OTHER_CONFIG);
    CU_ASSERT_TRUE(run_is_null(run, "warnings.0.line"));
    run_free(run);
}

/* ---- Configs ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_missing_config_is_told) // the plugin's name and path are, too
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run --config " OTHER_CONFIG " --format json -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    expect_error(run, "JSONConfigFileNotFound", OTHER_CONFIG, "ScriptRunner");
    CHECK_INT(run_number(run, "number"), 316);
    CHECK_STRING(run_text(run, "errors.0.detail"), "No such file or directory");
    CHECK_INT(run_count(run, "scripts"), 0);
    run_free(run);
}

QZ_TEST(an_unsafe_config_is_not_read) // by its mode, its owner, or a directory on the way
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, OTHER_CONFIG, 0, 0640, "{}");
    CHECK_INT(run_quiesce(run, "run --config " OTHER_CONFIG " --format json -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    expect_error(run, "InsufficientPermissionforJSONConfigFile", OTHER_CONFIG, "ScriptRunner");
    CHECK_INT(run_number(run, "number"), 317);
    virtual_add_file(run->world, OTHER_CONFIG, 0, 0600, "{}");
    virtual_add_directory(run->world, "/srv", 0, 0777);
    virtual_add_file(run->world, OTHER_CONFIG, 0, 0600, "{}");
    CHECK_INT(run_quiesce(run, "run --config " OTHER_CONFIG " --format json -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    expect_error(run, "InsufficientPermissionforJSONConfigFile", OTHER_CONFIG, "ScriptRunner");
    CHECK_INT(reads_of(run, "app.json"), 0);
    run_free(run);
}

QZ_TEST(a_broken_config_is_told_by_its_place) // and its plugin's scripts are not judged: nothing it says is trusted
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": \"30\", \"fsFreezeEnabled\": false, \"continueBackupOnFailure\": false");
    virtual_add_file(run->world, RUN_PRE, 0, 0777, "#!/bin/sh\n");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    expect_error(run, "IncorrectJSONConfigFile", RUN_CONFIG, "ScriptRunner");
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_CONTAINS(run_text(run, "errors.0.detail"), "line 1, column ");
    CHECK_INT(run_count(run, "files"), 2);
    CU_ASSERT_TRUE(run_bool(run, "freeze.enabled"));
    run_free(run);
}

QZ_TEST(a_config_that_cannot_be_read_is_told) // an oversized one, and one on a broken disk
{
    struct run *run = run_new(2);
    char *text = malloc(QZ_JSON_SIZE_MAX + 1);
    memset(text, ' ', QZ_JSON_SIZE_MAX + 1);
    virtual_add_bytes(run->world, RUN_CONFIG, 0, 0600, text, QZ_JSON_SIZE_MAX + 1);
    virtual_add_file(run->world, OTHER_CONFIG, 0, 0600, "");
    free(text);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    expect_error(run, "IncorrectJSONConfigFile", RUN_CONFIG, "ScriptRunner");
    CHECK_STRING(run_text(run, "errors.0.message"), RUN_CONFIG ": longer than 1048576 bytes");
    run_config(run, NULL);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_READ_FILE, 1, EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    expect_error(run, "IncorrectJSONConfigFile", RUN_CONFIG, "ScriptRunner");
    CHECK_STRING(run_text(run, "errors.0.message"), RUN_CONFIG ": Input/output error");
    run_free(run);
}

QZ_TEST(one_config_may_serve_two_plugins) // then its scripts run twice
{
    struct run *run = run_new(2);
    run_plugin(run, 0, NULL);
    virtual_add_file(run->world, RUN_HOST, 0, 0644,
                     "[pre_post]\ntimeoutInSeconds = 60\nnumberOfPlugins = 2\n"
                     "pluginName0 = ScriptRunner\npluginConfigPath0 = /etc/azure/plugin0.json\n"
                     "pluginName1 = ScriptRunner\npluginConfigPath1 = /etc/azure/plugin0.json\n");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/pre0.sh"), 2);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post0.sh"), 2);
    run_free(run);
}

QZ_TEST(warnings_have_their_place) // as fields in JSON; for people in front of the message
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, RUN_CONFIG, 0, 0600,
                     "{\"preScriptLocation\": \"" RUN_PRE "\", \"postScriptLocation\": \"" RUN_POST "\",\n"
                     "  \"timeOutInSeconds\": 5}\n");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "warnings"), 1);
    CHECK_STRING(run_text(run, "warnings.0.path"), RUN_CONFIG);
    CHECK_INT(run_number(run, "warnings.0.line"), 2);
    CHECK_INT(run_number(run, "warnings.0.column"), 3);
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "the nearest known key is \"timeoutInSeconds\"");
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->output, "warning: " RUN_CONFIG ":2:3: unknown key \"timeOutInSeconds\", ignored");
    run_free(run);
}

QZ_TEST(warnings_do_not_steer_a_terminal) // whatever a path in them holds
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "check --config /srv/\x1b[31mx --plugin-host " OTHER_HOST), QZ_EXIT_FILESYSTEM);
    CHECK_CONTAINS(run->output, "warning: --config /srv/\\x1b[31mx is not used");
    CU_ASSERT_PTR_NULL(strchr(run->output, '\x1b'));
    run_free(run);
}

QZ_TEST(a_warning_without_place_has_none_made_up) // for people, too
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run --exclude /nowhere -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->output, "warning: ");
    CU_ASSERT_PTR_NULL(strstr(run->output, ":0:"));
    run_free(run);
}

/* ---- Scripts ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_missing_script_is_told) // a dangling link, a directory, a device; the other script does not run either
{
    static const char *const expected[][2] = {{RUN_PRE, "Pre-ScriptNotFound"}, {RUN_POST, "Post-ScriptNotFound"}};
    for (size_t i = 0; i < 2; i++) {
        const char *path = expected[i][0];
        struct run *run = run_new(2);
        virtual_add_symlink(run->world, path, "/nowhere");
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
        expect_error(run, expected[i][1], path, "ScriptRunner");
        CHECK_STRING(run_text(run, "errors.0.phase"), i == 0 ? "pre" : "post");
        CHECK_INT(run_number(run, "number"), i == 0 ? 302 : 303);
        virtual_add_directory(run->world, path, 0, 0700);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
        expect_error(run, expected[i][1], path, "ScriptRunner");
        virtual_add_other(run->world, path, 0, 0700);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
        expect_error(run, expected[i][1], path, "ScriptRunner");
        CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 0);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), 0);
        CHECK_INT(run_count(run, "scripts"), 2);
        CHECK_INT(run_count(run, "scripts.0.attempts"), 0);
        run_free(run);
    }
}

QZ_TEST(an_unsafe_script_is_not_run) // nor the other one of its plugin
{
    static const char *const expected[][2] = {{RUN_PRE, "InsufficientPermissionforPre-Script"},
                                              {RUN_POST, "InsufficientPermissionforPost-Script"}};
    for (size_t i = 0; i < 2; i++) {
        struct run *run = run_new(2);
        virtual_add_file(run->world, expected[i][0], 0, 0755, "#!/bin/sh\n");
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
        expect_error(run, expected[i][1], expected[i][0], "ScriptRunner");
        CHECK_INT(run_number(run, "number"), i == 0 ? 306 : 307);
        CHECK_STRING(run_text(run, "errors.0.phase"), i == 0 ? "pre" : "post");
        CHECK_CONTAINS(run_text(run, "errors.0.message"), "mode is 0755");
        CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 0);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), 0);
        run_free(run);
    }
}

QZ_TEST(what_cannot_be_inspected_is_told) // memory was short: InternalError, for that file alone
{
    struct run *run = run_new(2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_INSPECT, 3, ENOMEM);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    expect_error(run, "InternalError", RUN_PRE, "ScriptRunner");
    CHECK_INT(run_count(run, "errors"), 1);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_INSPECT, 2, ENOMEM);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    expect_error(run, "InternalError", RUN_CONFIG, "ScriptRunner");
    run_free(run);
}

/* ---- All together ----------------------------------------------------------------------------------------------- */

QZ_TEST(errors_come_by_their_rank) // missing before unsafe, pre before post, whatever order they were found in
{
    struct run *run = run_new(2);
    run_plugins(run, 3, 60, NULL);
    virtual_add_file(run->world, "/etc/azure/post0.sh", 0, 0755, "#!/bin/sh\n");
    virtual_add_file(run->world, "/etc/azure/pre0.sh", 0, 0755, "#!/bin/sh\n");
    virtual_add_symlink(run->world, "/etc/azure/post1.sh", "/nowhere");
    virtual_add_symlink(run->world, "/etc/azure/pre1.sh", "/nowhere");
    virtual_add_file(run->world, "/etc/azure/plugin2.json", 0, 0600, "{}");
    CHECK_INT(run_quiesce(run, "check --format json"), QZ_EXIT_FILESYSTEM);
    static const char *const expected[] = {"IncorrectJSONConfigFile", "Pre-ScriptNotFound",
                                           "InsufficientPermissionforPre-Script", "Post-ScriptNotFound",
                                           "InsufficientPermissionforPost-Script"};
    CHECK_INT(run_count(run, "errors"), 5);
    for (int i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "errors.%d.code", i);
        CHECK_STRING(run_text(run, path), expected[i]);
    }
    run_free(run);
}

QZ_TEST(check_foresees_what_cannot_be_executed) // an interpreter that is not there, or that the kernel takes for another
{
    struct run *run = run_new(1);
    virtual_add_file(run->world, RUN_PRE, 0, 0700, "#! /bin/bsh -e\nexit 0\n");
    virtual_add_file(run->world, RUN_POST, 0, 0700, "#!/bin/sh\r\nexit 0\r\n");
    CHECK_INT(run_quiesce(run, "check --format json"), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "warnings"), 2);
    CHECK_STRING(run_text(run, "warnings.0.path"), RUN_PRE);
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "its interpreter /bin/bsh is not there");
    CHECK_STRING(run_text(run, "warnings.1.path"), RUN_POST);
    CHECK_INT(run_number(run, "warnings.1.column"), 10);
    CHECK_CONTAINS(run_text(run, "warnings.1.message"), "carriage return");
    virtual_add_file(run->world, RUN_PRE, 0, 0700, "#!/bin/sh\n");
    virtual_add_file(run->world, RUN_POST, 0, 0700, "no first line like that");
    CHECK_INT(run_quiesce(run, "check --format json"), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "warnings"), 0);
    run_free(run);
}

QZ_TEST(a_default_host_file_that_is_no_file_is_not_absent) // a link to nothing, a directory: whose plugins are they?
{
    struct run *run = run_new(1);
    virtual_add_symlink(run->world, "/etc/azure/VMSnapshotPluginHost.conf", "/nowhere");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "PluginhostFileNotFound");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "VMSnapshotPluginHost.conf, a symbolic link to nothing");
    virtual_add_directory(run->world, "/etc/azure/VMSnapshotPluginHost.conf", 0, 0700);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "PluginhostFileNotFound");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 0);
    run_free(run);
}

QZ_TEST(check_gives_a_verdict_for_each_file) // in the order of the checks, the sound ones too
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 60, NULL);
    virtual_add_symlink(run->world, "/etc/azure/pre1.sh", "/nowhere");
    CHECK_INT(run_quiesce(run, "check --format json"), QZ_EXIT_FILESYSTEM);
    static const char *const expected[][3] = {
        {"plugin host file", RUN_HOST, "Success"},
        {"config", "/etc/azure/plugin0.json", "Success"},
        {"pre-script", "/etc/azure/pre0.sh", "Success"},
        {"post-script", "/etc/azure/post0.sh", "Success"},
        {"config", "/etc/azure/plugin1.json", "Success"},
        {"pre-script", "/etc/azure/pre1.sh", "Pre-ScriptNotFound"},
        {"post-script", "/etc/azure/post1.sh", "Success"},
    };
    CHECK_INT(run_count(run, "files"), 7);
    for (int i = 0; i < 7; i++) {
        static const char *const keys[] = {"what", "path", "code"};
        for (int k = 0; k < 3; k++) {
            char path[32];
            snprintf(path, sizeof path, "files.%d.%s", i, keys[k]);
            CHECK_STRING(run_text(run, path), expected[i][k]);
        }
    }
    run_free(run);
}

QZ_TEST(freeze_reads_no_files) // `quiesce freeze` has nothing to do with scripts
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, RUN_HOST, 0, 0666, "broken");
    CHECK_INT(run_quiesce(run, "freeze --hold 1 --format json"), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_INSPECT), 0);
    CHECK_INT(run_count(run, "files"), 0);
    CHECK_INT(run_count(run, "errors"), 0);
    run_free(run);
}
