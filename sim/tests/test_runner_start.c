/* How a script is started: words, environment, output; and what comes of one that cannot be. quiesce.conf(5),
 * SCRIPTS. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "runner.h"

#define SECOND RUN_SECOND
#define MS RUN_MS

/* With one plugin, these are the slots of its two scripts. */
enum { PRE_SLOT, POST_SLOT };

QZ_TEST(the_environment_is_what_is_documented) // nothing of the caller's, and QUIESCE_SNAPSHOT for the post-script only
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1}, {.status = 0});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    char run_id[80];
    snprintf(run_id, sizeof run_id, "QUIESCE_RUN_ID=%s", run_text(run, "run_id"));
    const char *const expected[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                    "HOME=/root",
                                    "LANG=C.UTF-8",
                                    "SHELL=/bin/sh",
                                    run_id,
                                    "QUIESCE_PLUGIN=ScriptRunner",
                                    "QUIESCE_PHASE=pre",
                                    "QUIESCE_ATTEMPT=2",
                                    NULL};
    char *const *seen = run_start(run, RUN_PRE, 1)->envp;
    size_t i = 0;
    for (; expected[i] && seen[i]; i++)
        CHECK_STRING(seen[i], expected[i]);
    CU_ASSERT_PTR_NULL(expected[i]);
    CU_ASSERT_PTR_NULL(seen[i]);
    CHECK_STRING(run_variable(run, RUN_PRE, 0, "QUIESCE_ATTEMPT"), "1");
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_PHASE"), "post");
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_ATTEMPT"), "1");
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "taken");
    CHECK_STRING(run_start(run, RUN_POST, 0)->envp[8], "QUIESCE_SNAPSHOT=taken");
    CU_ASSERT_PTR_NULL(run_start(run, RUN_POST, 0)->envp[9]);
    run_free(run);
}

QZ_TEST(the_words_are_the_path_and_the_params) // $0 as configured, each parameter one word, none altered
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptParams\": [\"\", \"two words\", \"$(x) \\u00e9\"], \"postScriptParams\": [\"-f\"]");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    char *const *words = run_start(run, RUN_PRE, 0)->argv;
    const char *const expected[] = {RUN_PRE, "", "two words", "$(x) é"};
    for (size_t i = 0; i < 4; i++)
        CHECK_STRING(words[i], expected[i]);
    CU_ASSERT_PTR_NULL(words[4]);
    CHECK_STRING(run_start(run, RUN_POST, 0)->argv[0], RUN_POST);
    CHECK_STRING(run_start(run, RUN_POST, 0)->argv[1], "-f");
    CU_ASSERT_PTR_NULL(run_start(run, RUN_POST, 0)->argv[2]);
    CU_ASSERT_TRUE(run_start(run, RUN_PRE, 0)->clean);
    run_free(run);
}

QZ_TEST(a_link_keeps_its_name) // $0 is the configured path, though it leads elsewhere
{
    struct run *run = run_new(2);
    virtual_add_file(run->world, "/opt/app/pre-2.0.sh", 0, 0700, "#!/bin/sh\n");
    virtual_add_symlink(run->world, RUN_PRE, "/opt/app/pre-2.0.sh");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_start(run, RUN_PRE, 0)->argv[0], RUN_PRE);
    run_free(run);
}

QZ_TEST(output_is_drained) // a lot of it does no harm; the last 4 KiB of each stream of each attempt are reported
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = MS, .status = 1, .out = "0123456789", .out_size = 200000, .err = "oops\n"},
               {.run_us = MS, .err = "better\n"});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    const char *tail = run_text(run, "scripts.0.attempts.0.stdout_tail");
    CHECK_INT(strlen(tail), QZ_TAIL_SIZE);
    CHECK_STRING(tail + QZ_TAIL_SIZE - 5, "56789");
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.stderr_tail"), "oops\n");
    CHECK_STRING(run_text(run, "scripts.0.attempts.1.stdout_tail"), "");
    CHECK_STRING(run_text(run, "scripts.0.attempts.1.stderr_tail"), "better\n");
    run_free(run);
}

QZ_TEST(a_script_that_cannot_start_is_told) // with the cause; it is not retried: nothing would be different
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 2");
    RUN_SCRIPT(run, RUN_PRE, {.start_error = ENOEXEC});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptExecutionFailed");
    CHECK_STRING(run_text(run, "errors.0.detail"), "could not be started: Exec format error");
    CHECK_INT(run_count(run, "scripts.0.attempts"), 1);
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "not_started");
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.start_error"), "Exec format error");
    CU_ASSERT_TRUE(run_is_null(run, "scripts.0.attempts.0.exit_code"));
    CU_ASSERT_TRUE(run_bool(run, "scripts.0.failed"));
    run_free(run);
}

QZ_TEST(who_could_not_be_started_for_a_moment_is_tried_again) // after a pause, with the retries that the config has
{
    static const int passing[] = {EAGAIN, ENOMEM, EMFILE, ENFILE, ETIMEDOUT, EINTR, ETXTBSY};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        struct run *run = run_new(2);
        run_config(run, "\"postScriptNoOfRetries\": 2");
        RUN_SCRIPT(run, RUN_POST, {.start_error = passing[i]}, {.start_error = passing[i]}, {.run_us = MS});
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
        CHECK_INT(run_count(run, "errors"), 0);
        CHECK_INT(run_count(run, "scripts.1.attempts"), 3);
        CHECK_STRING(run_text(run, "scripts.1.attempts.1.outcome"), "not_started");
        CHECK_STRING(run_text(run, "scripts.1.attempts.1.start_error"), strerror(passing[i]));
        CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_ATTEMPT"), "3");
        CHECK_INT(run_started_us(run, RUN_POST, 0) - run_number(run, "phases.5.start_us"), 2 * QZ_RUNNER_PAUSE_US);
        CHECK_STRING(run_text(run, "phases.5.name"), "post");
        CHECK_CONTAINS(run->log, "attempt 1 of 3): could not be started: ");
        run_free(run);
    }
}

QZ_TEST(a_reason_that_stays_ends_the_retries) // also after others
{
    static const int staying[] = {ESTALE, ENOENT, EACCES, ENOEXEC, ELOOP, ENOTDIR, EINVAL, EPERM, E2BIG};
    for (size_t i = 0; i < sizeof staying / sizeof *staying; i++) {
        struct run *run = run_new(2);
        run_config(run, "\"preScriptNoOfRetries\": 5");
        RUN_SCRIPT(run, RUN_PRE, {.start_error = EAGAIN}, {.start_error = staying[i]});
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
        CHECK_INT(run_count(run, "scripts.0.attempts"), 2);
        CHECK_INT(run_number(run, "errors.0.attempt"), 2);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), 0);
        run_free(run);
    }
}

QZ_TEST(who_was_never_started_needs_no_post_script) // however often it was tried; one start is enough to need it
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 2");
    RUN_SCRIPT(run, RUN_PRE, {.start_error = EAGAIN});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "Pre-ScriptExecutionFailed");
    CHECK_INT(run_count(run, "scripts.0.attempts"), 3);
    CHECK_INT(run_number(run, "phases.1.duration_us"), 2 * QZ_RUNNER_PAUSE_US);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 0);
    RUN_SCRIPT(run, RUN_PRE, {.start_error = EAGAIN}, {.run_us = MS, .status = 1}, {.start_error = EAGAIN});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_number(run, "errors.0.attempt"), 3);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(a_pause_ends_with_the_plugin_host_s_limit) // and no attempt comes after it
{
    struct run *run = run_new(2);
    run_plugins(run, 2, 1, "\"timeoutInSeconds\": 8, \"preScriptNoOfRetries\": 5");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.start_error = EAGAIN});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.run_us = RUN_MS, .status = 1}, {.start_error = ENOMEM});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "errors.0.code"), "Pre-PluginhostTimeout");
    CHECK_STRING(run_text(run, "errors.1.code"), "Pre-PluginhostTimeout");
    CHECK_INT(run_count(run, "scripts.0.attempts"), 1);
    CHECK_INT(run_count(run, "scripts.1.attempts"), 2);
    CHECK_INT(run_number(run, "phases.1.duration_us"), SECOND);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post0.sh"), 0);
    CHECK_INT(virtual_starts_of(run->world, "/etc/azure/post1.sh"), 1);
    run_free(run);
}

QZ_TEST(a_missing_interpreter_is_told) // "no such file" would be said of a script that anybody can see
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.start_error = ENOENT});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_CONTAINS(run_text(run, "errors.0.detail"), "could not be started: the interpreter that its first line names");
    run_free(run);
}

QZ_TEST(what_changed_after_the_check_is_not_run) // and the error says so; also before a later attempt
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.swapped = true});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(run_text(run, "code"), "InsufficientPermissionforPre-Script");
    CHECK_INT(run_number(run, "number"), 306);
    CHECK_STRING(run_text(run, "errors.0.detail"),
                 "not run: the file, or a directory on the way to it, changed after the check");
    CHECK_STRING(run_text(run, "scripts.0.attempts.0.outcome"), "not_started");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 0);
    run_config(run, "\"preScriptNoOfRetries\": 2");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1}, {.swapped = true});
    RUN_SCRIPT(run, RUN_POST, {.swapped = true});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_INT(run_count(run, "scripts.0.attempts"), 2);
    CHECK_INT(run_number(run, "errors.0.attempt"), 2);
    CHECK_STRING(run_text(run, "errors.1.code"), "InsufficientPermissionforPost-Script");
    CHECK_STRING(run_text(run, "errors.1.phase"), "post");
    run_free(run);
}

QZ_TEST(a_signal_ends_a_pause) // at once; who was never started needs no post-script
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptNoOfRetries\": 3");
    RUN_SCRIPT(run, RUN_PRE, {.start_error = EAGAIN});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, SECOND / 4);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_INT(run_count(run, "scripts.0.attempts"), 1);
    CHECK_INT(run_number(run, "phases.1.duration_us"), SECOND / 4);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 0);
    run_free(run);
}

QZ_TEST(a_signal_does_not_end_the_post_script_s_pause)
{
    struct run *run = run_new(2);
    run_config(run, "\"postScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_POST, {.start_error = EAGAIN}, {.run_us = MS});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, SECOND / 2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CU_ASSERT_FALSE(run_bool(run, "scripts.1.failed"));
    run_free(run);
}
