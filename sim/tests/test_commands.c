/* The commands as whole: what is printed, what exit status they give, what stands in the way. The rules are those of
 * quiesce(8). What the words on the command line mean: core/tests/test_options.c; status and thaw: test_state.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "init.h"
#include "run.h"

#define SECOND RUN_SECOND
#define MS RUN_MS

/* ---- What stands in the way ------------------------------------------------------------------------------------- */

QZ_TEST(only_root_may) // NotRoot, before anything is looked at; the report makes nothing else up
{
    static const char *const words[] = {RUN_JSON, "check --format json", "freeze --hold 1 --format json"};
    for (size_t i = 0; i < 3; i++) {
        struct run *run = run_new(2);
        virtual_set_root(run->world, false);
        CHECK_INT(run_quiesce(run, words[i]), QZ_EXIT_NONE);
        CHECK_STRING(run_text(run, "consistency"), "none");
        CHECK_STRING(run_text(run, "code"), "NotRoot");
        CHECK_INT(run_number(run, "number"), 921);
        CHECK_CONTAINS(run_text(run, "errors.0.message"), "must be run by root");
        CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_INSPECT), 0);
        CHECK_INT(virtual_start_count(run->world), 0);
        run_free(run);
    }
    struct run *run = run_new(2);
    virtual_set_root(run->world, false);
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, "no usable backup: NotRoot (921)\n");
    CHECK_CONTAINS(run->output, "Nothing was frozen.\n");
    CHECK_INT(run_quiesce(run, "check"), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, "`quiesce run` would exit with status 20.\n");
    CHECK_INT(run_quiesce(run, "status"), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->log, "quiesce status must be run by root (NotRoot, 921)");
    CHECK_INT(run_quiesce(run, "thaw"), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->log, "quiesce thaw must be run by root (NotRoot, 921)");
    CHECK_STRING(run->output, "");
    run_free(run);
}

QZ_TEST(only_one_may_run) // AlreadyRunning: the second one does nothing, the first one is not disturbed
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    run_beside(run, 5 * SECOND, RUN_JSON);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run->beside->status, QZ_EXIT_NONE);
    CHECK_CONTAINS(run->beside->output, "\"code\":\"AlreadyRunning\",\"number\":920");
    CHECK_CONTAINS(run->beside->output, "it holds " VIRTUAL_STATE_DIRECTORY "/lock");
    CHECK_INT(virtual_start_count(run->world), 3);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(looking_needs_no_lock) // check works beside a run; the next run may begin once the lock is free
{
    struct run *run = run_new(2);
    virtual_lock_by_other(run->world, 10 * SECOND);
    CHECK_INT(run_quiesce(run, "check --format json"), QZ_EXIT_APPLICATION);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "AlreadyRunning");
    virtual_pass(run->world, 10 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    run_free(run);
}

QZ_TEST(what_quiesce_needs_itself_is_told) // the lock, shared memory, a guardian, the journal: 70, and nothing is begun
{
    static const enum virtual_op ops[] = {VIRTUAL_OP_LOCK, VIRTUAL_OP_SHARE, VIRTUAL_OP_GUARD,
                                          VIRTUAL_OP_JOURNAL_WRITE};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct run *run = run_new(2);
        virtual_fail(run->world, VIRTUAL_AGENT, ops[i], 1, ENOSPC);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_SOFTWARE);
        CHECK_STRING(run_text(run, "code"), "InternalError");
        CHECK_INT(run_number(run, "number"), 990);
        CHECK_INT(run_number(run, "exit_status"), 70);
        CHECK_STRING(run_text(run, "consistency"), "none");
        CHECK_INT(virtual_start_count(run->world), 0);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        run_free(run);
    }
}

/* ---- run -------------------------------------------------------------------------------------------------------- */

QZ_TEST(phases_count_from_the_start) // not from the machine's; each begins when the one before has ended
{
    struct run *run = run_new(2);
    virtual_pass(run->world, 100 * SECOND);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 2 * SECOND});
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 3 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    static const char *const names[] = {"check", "pre", "freeze", "snapshot", "thaw", "post"};
    int64_t end_us = 0;
    CHECK_INT(run_count(run, "phases"), 6);
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "phases.%d.name", i);
        CHECK_STRING(run_text(run, path), names[i]);
        snprintf(path, sizeof path, "phases.%d.start_us", i);
        CHECK_INT(run_number(run, path), end_us);
        snprintf(path, sizeof path, "phases.%d.duration_us", i);
        end_us += run_number(run, path);
    }
    CU_ASSERT_TRUE(end_us > 5 * SECOND && end_us < 6 * SECOND);
    run_free(run);
}

QZ_TEST(a_phase_in_which_nothing_is_run_is_none) // without scripts there is no pre, and no post
{
    static const char *const names[] = {"check", "freeze", "snapshot", "thaw"};
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "freeze --hold 1 --format json"), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_count(run, "phases"), 4);
    for (int i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof path, "phases.%d.name", i);
        CHECK_STRING(run_text(run, path), names[i]);
    }
    run_free(run);
}

QZ_TEST(attempts_have_no_clock_of_their_own) // start_us is the phases' alone
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CU_ASSERT_PTR_NULL(cJSON_GetObjectItemCaseSensitive(run_at(run, "scripts.0.attempts.0"), "start_us"));
    CU_ASSERT_PTR_NULL(cJSON_GetObjectItemCaseSensitive(run_at(run, "snapshot"), "start_us"));
    run_free(run);
}

QZ_TEST(the_report_is_the_json_result) // for root alone, whatever is printed; an old one is replaced
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, "/var/report.json", 0, 0644, "old");
    CHECK_INT(run_quiesce(run, "run --report /var/report.json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->output, "application-consistent backup taken\n");
    cJSON *report = cJSON_Parse(virtual_file(run->world, "/var/report.json", NULL));
    CHECK_STRING(cJSON_GetStringValue(cJSON_GetObjectItem(report, "consistency")), "application");
    cJSON_Delete(report);
    /* A file that is not root's alone would be refused as a config for that, before its content is. */
    CHECK_INT(run_quiesce(run, "check --format json --config /var/report.json"), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "IncorrectJSONConfigFile");
    CHECK_INT(run_quiesce(run, "run --format json --report /var/report.json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_STRING(virtual_file(run->world, "/var/report.json", NULL), run->output);
    run_free(run);
}

QZ_TEST(a_report_that_cannot_be_written_is_told) // and is no success; a worse status stays
{
    struct run *run = run_new(2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_WRITE_FILE, VIRTUAL_EVERY, ENOSPC);
    CHECK_INT(run_quiesce(run, "run --format json --report /run/report -- " RUN_SNAP), QZ_EXIT_SOFTWARE);
    CHECK_STRING(run_text(run, "consistency"), "application");
    CHECK_CONTAINS(run->log, "/run/report: the report could not be written: No space left on device");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1});
    CHECK_INT(run_quiesce(run, "run --format json --report /run/report -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    virtual_set_volume(run->world, RUN_DEV(1), &(struct virtual_volume){.thaw_error = EIO});
    CHECK_INT(run_quiesce(run, "run --format json --report /run/report -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "errors.1.code"), "ThawFailed");
    CHECK_CONTAINS(run->log, "/run/report: the report could not be written");
    run_free(run);
}

QZ_TEST(a_report_that_can_have_no_place_is_told_before_anything_is_begun)
{
    struct run *run = run_new(1);
    CHECK_INT(run_quiesce(run, "run --report /nowhere/report -- " RUN_SNAP), QZ_EXIT_USAGE);
    CHECK_CONTAINS(run->log, "--report /nowhere/report: no report can be written there: /nowhere/: No such file or directory");
    CHECK_INT(run_quiesce(run, "check --report /etc/azure/pre.sh/report"), QZ_EXIT_USAGE);
    CHECK_CONTAINS(run->log, "Not a directory");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 0);
    run_free(run);
}

QZ_TEST(colours_are_for_terminals) // and only where they are wanted
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    run->colour = true;
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CU_ASSERT_PTR_NULL(strchr(run->output, '\x1b'));
    virtual_set_terminal(run->world, QZ_STREAM_RESULT, true);
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->output, "\x1b[1;32mapplication-consistent backup taken\x1b[0m\n");
    run->colour = false;
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CU_ASSERT_PTR_NULL(strchr(run->output, '\x1b'));
    run_free(run);
}

/* ---- run --attempts --------------------------------------------------------------------------------------------- */

QZ_TEST(the_whole_is_done_again) // while there is no usable backup, after the delay; the result is the last one's
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.status = 1}, {.status = 1}, {.status = 0});
    CHECK_INT(run_quiesce(run, "run --attempts 5 --attempt-delay 20 --format json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "attempt"), 3);
    CHECK_INT(run_number(run, "attempts"), 5);
    CHECK_INT(run_count(run, "errors"), 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 3);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 3);
    CHECK_INT(run_started_us(run, RUN_PRE, 1) - run_ended_us(run, RUN_POST, 0), 20 * SECOND);
    CHECK_CONTAINS(run->log, "attempt 1 of 5 gave no usable backup (SnapshotFailed); the next one in 20 s");
    run_free(run);
}

QZ_TEST(attempts_are_counted) // the last failure stands
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.status = 1});
    CHECK_INT(run_quiesce(run, "run --attempts 3 --format json -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 3);
    CHECK_INT(run_number(run, "attempt"), 3);
    CHECK_STRING(run_text(run, "code"), "SnapshotFailed");
    CHECK_INT(run_started_us(run, RUN_PRE, 1) - run_ended_us(run, RUN_POST, 0), 5 * SECOND);
    CHECK_INT(run_quiesce(run, "run --attempts 2 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, "\nThis was attempt 2 of 2.\n");
    run_free(run);
}

QZ_TEST(a_usable_backup_is_enough) // a file-system-consistent one is not tried again
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.status = 1});
    CHECK_INT(run_quiesce(run, "run --attempts 3 --format json -- " RUN_SNAP), QZ_EXIT_FILESYSTEM);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
    run_free(run);
}

QZ_TEST(a_signal_ends_all_attempts) // in one, and between two: Interrupted
{
    static const int64_t moments_us[] = {500 * MS, 5 * SECOND};
    for (size_t i = 0; i < 2; i++) {
        struct run *run = run_new(2);
        RUN_SCRIPT(run, RUN_SNAP, {.run_us = SECOND, .status = 1});
        virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, moments_us[i]);
        CHECK_INT(run_quiesce(run, "run --attempts 3 --attempt-delay 20 --format json -- " RUN_SNAP), QZ_EXIT_NONE);
        CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
        CHECK_STRING(run_text(run, "code"), "Interrupted");
        CHECK_STRING(run_text(run, "errors.0.detail"), "signal 15 (SIGTERM)");
        CHECK_STRING(virtual_journal(run->world), "");
        run_free(run);
    }
}

/* ---- check ------------------------------------------------------------------------------------------------------ */

static void add_read_only(struct run *run)
{
    dev_t disk = makedev(8, 200);
    virtual_add_mount(run->world, &(struct qz_mount){.dev = disk, .mount_point = (char[]){"/media/ro"},
                                                     .fstype = (char[]){"ext4"}, .source = (char[]){"/dev/vdz"},
                                                     .block_backed = true, .read_only = true, .super_read_only = true,
                                                     .disks = &disk, .disk_count = 1});
}

QZ_TEST(check_touches_nothing) // no script, no freeze, no lock, no journal, no guardian
{
    struct run *run = run_new(2);
    add_read_only(run);
    CHECK_INT(run_quiesce(run, "check --format json"), QZ_EXIT_APPLICATION);
    static const enum virtual_op ops[] = {VIRTUAL_OP_LOCK, VIRTUAL_OP_JOURNAL_WRITE, VIRTUAL_OP_GUARD,
                                          VIRTUAL_OP_VOLUME_OPEN, VIRTUAL_OP_VOLUME_START, VIRTUAL_OP_CHILD_START,
                                          VIRTUAL_OP_MAKE_DIRECTORY};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        CHECK_INT(run_calls(run, VIRTUAL_AGENT, ops[i]), 0);
    CHECK_STRING(run_text(run, "command"), "check");
    CHECK_STRING(run_text(run, "freeze.volumes.0.decision"), "freeze");
    CHECK_INT(run_number(run, "freeze.volumes.0.order"), 0);
    CHECK_STRING(run_text(run, "freeze.volumes.2.decision"), "skip");
    CHECK_STRING(run_text(run, "freeze.volumes.2.mount"), "/media/ro");
    CU_ASSERT_TRUE(run_is_null(run, "freeze.volumes.2.order"));
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "untouched");
    run_free(run);
}

QZ_TEST(check_foretells_the_run) // the same code, consistency and status, as far as files and volumes decide
{
    static const struct {
        const char *config, *options;
        mode_t post_mode;
        size_t volumes;
    } rows[] = {
        {NULL, "", 0700, 2},
        {NULL, "", 0755, 2},
        {"\"continueBackupOnFailure\": false", "", 0755, 2},
        {"\"continueBackupOnFailure\": false", "", 0755, 1},
        {"\"fsFreezeEnabled\": false", "", 0700, 2},
        {"\"fsFreezeEnabled\": false", "", 0755, 2},
        {"\"retries\": 1", "", 0700, 2},
        {"\"timeoutInSeconds\": 0", "", 0700, 2},
        {NULL, "--volume /run ", 0700, 2},
        {NULL, "--volume /nowhere ", 0700, 2},
        {"\"continueBackupOnFailure\": false", "--volume /nowhere ", 0700, 2},
        {NULL, "--exclude /data1 --exclude /data2 ", 0700, 2},
        {NULL, "", 0700, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char check[128], go[128];
        snprintf(check, sizeof check, "check %s--format json", rows[i].options);
        snprintf(go, sizeof go, "run %s--format json -- " RUN_SNAP, rows[i].options);
        struct run *run = run_new(rows[i].volumes);
        run_config(run, rows[i].config);
        virtual_add_file(run->world, RUN_POST, 0, rows[i].post_mode, "#!/bin/sh\n");
        int status = run_quiesce(run, check);
        char code[64], consistency[32];
        snprintf(code, sizeof code, "%s", run_text(run, "code"));
        snprintf(consistency, sizeof consistency, "%s", run_text(run, "consistency"));
        CHECK_INT(run_number(run, "exit_status"), status);
        CHECK_INT(run_quiesce(run, go), status);
        CHECK_STRING(run_text(run, "code"), code);
        CHECK_STRING(run_text(run, "consistency"), consistency);
        run_free(run);
    }
}

QZ_TEST(check_speaks_to_people) // a verdict, the status of a run, each file, each volume and why
{
    struct run *run = run_new(1);
    add_read_only(run);
    virtual_add_file(run->world, RUN_PRE, 1000, 0700, "#!/bin/sh\n");
    CHECK_INT(run_quiesce(run, "check"), QZ_EXIT_FILESYSTEM);
    static const char *const parts[] = {
        "a run would give a file-system-consistent backup: InsufficientPermissionforPre-Script (306)\n",
        "`quiesce run` would exit with status 10.\n",
        "absent: the built-in plugin is used",
        ("InsufficientPermissionforPre-Script  pre-script        " RUN_PRE),
        "    1  freeze    /data1",
        "    -  skip      /media/ro",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        CHECK_CONTAINS(run->output, parts[i]);
    run_free(run);
}

/* ---- freeze ----------------------------------------------------------------------------------------------------- */

QZ_TEST(freeze_only_freezes) // for as long as asked, without scripts or snapshot
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "freeze --hold 3 --format json"), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "command"), "freeze");
    CHECK_STRING(run_text(run, "consistency"), "filesystem");
    CHECK_STRING(run_text(run, "code"), "Success");
    CHECK_INT(virtual_start_count(run->world), 0);
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) >= 3 * SECOND);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(run_quiesce(run, "freeze --hold 3"), QZ_EXIT_FILESYSTEM);
    CHECK_CONTAINS(run->output, "the volumes were frozen for the whole hold, and thawed\n");
    CU_ASSERT_PTR_NULL(strstr(run->output, "No script is configured"));
    run_free(run);
}

QZ_TEST(a_freeze_that_fails_holds_nothing) // the failure stands there at once
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "freeze --hold 30 --volume /nowhere --format json"), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "UnableToOpenMount");
    CU_ASSERT_TRUE(virtual_now_us(run->world) < SECOND);
    run_free(run);
}

/* ---- init ------------------------------------------------------------------------------------------------------- */

QZ_TEST(init_writes_what_check_accepts) // a config and two scripts, each as safe as it must be
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, RUN_CONFIG, 0, 0600, "");
    CHECK_INT(run_quiesce(run, "init --dir /srv/backup"), QZ_EXIT_SOFTWARE);
    CHECK_CONTAINS(run->log, "(InternalError, 990)");
    virtual_add_directory(run->world, "/srv", 0, 0755);
    CHECK_INT(run_quiesce(run, "init --dir /srv/backup"), 0);
    CHECK_CONTAINS(run->output, "written         config       /srv/backup/VMSnapshotScriptPluginConfig.json\n");
    CHECK_CONTAINS(run->output, "Next: quiesce check --config /srv/backup/VMSnapshotScriptPluginConfig.json\n");
    CHECK_INT(run_quiesce(run, "check --config /srv/backup/VMSnapshotScriptPluginConfig.json --format json"), 0);
    CHECK_INT(run_count(run, "warnings"), 2); /* so that nobody believes in scripts that fail on purpose */
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "still the template of `quiesce init`");
    CHECK_STRING(run_text(run, "warnings.1.path"), "/srv/backup/post-script.sh");
    run_free(run);
}

QZ_TEST(init_overwrites_nothing) // and that is no failure
{
    struct run *run = run_new(2);
    char before[256];
    snprintf(before, sizeof before, "%s", virtual_file(run->world, RUN_CONFIG, NULL));
    CHECK_INT(run_quiesce(run, "init"), 0);
    CHECK_CONTAINS(run->output, "left as it was  config       " RUN_CONFIG "\n");
    CHECK_CONTAINS(run->output, "written         pre-script   /etc/azure/pre-script.sh\n");
    CHECK_STRING(virtual_file(run->world, RUN_CONFIG, NULL), before);
    CHECK_INT(run_quiesce(run, "init"), 0);
    CHECK_CONTAINS(run->output, "left as it was  pre-script   /etc/azure/pre-script.sh\n");
    run_free(run);
}

/* ---- errors, help, and what is no command ------------------------------------------------------------------------ */

QZ_TEST(errors_are_explained) // all, one by name in any case, one by number
{
    struct run *run = run_new(0);
    CHECK_INT(run_quiesce(run, "errors --format json"), 0);
    CHECK_INT(run_count(run, "errors"), QZ_CODE_COUNT);
    CHECK_STRING(run_text(run, "errors.0.code"), "Success");
    CHECK_INT(run_quiesce(run, "errors 308"), 0);
    CHECK_CONTAINS(run->output, "Pre-ScriptTimeout (308)\n  meaning:    The pre-script did not finish");
    CHECK_INT(run_quiesce(run, "errors freezelost"), 0);
    CHECK_CONTAINS(run->output, "FreezeLost (903)\n");
    CHECK_CONTAINS(run->output, "  what to do: If the snapshot needs longer");
    virtual_set_root(run->world, false);
    CHECK_INT(run_quiesce(run, "errors"), 0);
    for (int code = 0; code < QZ_CODE_COUNT; code++)
        CHECK_CONTAINS(run->output, qz_error_name((enum qz_code)code));
    run_free(run);
}

QZ_TEST(an_unknown_error_is_a_wrong_command_line) // with the nearest one there is, and nothing on standard output
{
    struct run *run = run_new(0);
    CHECK_INT(run_quiesce(run, "errors FrezeLost"), QZ_EXIT_USAGE);
    CHECK_CONTAINS(run->log, "quiesce: no error \"FrezeLost\"; did you mean FreezeLost?\n");
    CHECK_STRING(run->output, "");
    CHECK_INT(run_quiesce(run, "errors 299 --format json"), QZ_EXIT_USAGE);
    CHECK_CONTAINS(run->log, "`quiesce errors` lists all");
    run_free(run);
}

QZ_TEST(help_and_version_are_results) // on standard output, with status 0, for everybody
{
    struct run *run = run_new(0);
    virtual_set_root(run->world, false);
    CHECK_INT(run_quiesce(run, "--help"), 0);
    CHECK_CONTAINS(run->output, "  errors  Every error: name, number, meaning and what to do.\n");
    CHECK_STRING(run->log, "");
    CHECK_INT(run_quiesce(run, "run --help"), 0);
    CHECK_CONTAINS(run->output, "--hold-limit");
    CHECK_INT(run_quiesce(run, "--version"), 0);
    CHECK_CONTAINS(run->output, QZ_VERSION);
    run_free(run);
}

QZ_TEST(a_wrong_command_line_does_nothing) // 64, one line on standard error
{
    static const char *const words[] = {"", "frobnicate", "run", "run -- ", "run --hold 0 --", "check --hold 3",
                                        "freeze", "run --hold 5 -- snap", "run --hold 20 --hold-limit 10",
                                        "run --attempts 0 -- snap", "status extra", "thaw --volume /data1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct run *run = run_new(2);
        CHECK_INT(run_quiesce(run, words[i]), QZ_EXIT_USAGE);
        CHECK_STRING(run->output, "");
        const char *end = strchr(run->log, '\n');
        CU_ASSERT_TRUE(end && end[1] == '\0');
        CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_LOCK), 0);
        CHECK_INT(virtual_start_count(run->world), 0);
        run_free(run);
    }
}
