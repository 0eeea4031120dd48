/* The snapshot command and the hold: what they find, how they end, what is claimed then. The rules are those of
 * quiesce(8), The snapshot command. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "runner.h"

#define SECOND RUN_SECOND
#define MS RUN_MS
#define SNAP_SLOT 2 /* with one plugin: after its two scripts */

/* ---- How it ends ------------------------------------------------------------------------------------------------ */

QZ_TEST(a_snapshot_is_taken_while_all_is_frozen) // from before it starts to after it ends
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 5 * SECOND, .out = "snap-1\n"});
    CHECK_INT(run_quiesce(run, RUN_JSON " --name x"), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "snapshot.outcome"), "taken");
    CHECK_STRING(run_text(run, "snapshot.command"), RUN_SNAP " --name x");
    CHECK_INT(run_number(run, "snapshot.exit_code"), 0);
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.signal"));
    CHECK_INT(run_number(run, "snapshot.duration_us"), 5 * SECOND);
    CHECK_STRING(run_text(run, "snapshot.stdout_tail"), "snap-1\n");
    CU_ASSERT_TRUE(run_number(run, "freeze.window_us") >= 5 * SECOND);
    for (unsigned n = 1; n <= 2; n++)
        CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(n)) >= 5 * SECOND);
    const struct virtual_start *start = run_start(run, RUN_SNAP, 0);
    CHECK_STRING(start->argv[1], "--name");
    CHECK_STRING(start->argv[2], "x");
    CU_ASSERT_PTR_NULL(start->argv[3]);
    CU_ASSERT_FALSE(start->clean);
    run_free(run);
}

QZ_TEST(a_failed_command_is_no_snapshot) // a non-zero exit: everything is thawed, the post-script runs, none is claimed
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = SECOND, .status = 5, .err = "no space in vg0\n"});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "SnapshotFailed");
    CHECK_INT(run_number(run, "number"), 910);
    CHECK_STRING(run_text(run, "errors.0.path"), RUN_SNAP);
    CHECK_STRING(run_text(run, "errors.0.phase"), "snapshot");
    CHECK_STRING(run_text(run, "errors.0.detail"), "exit status 5");
    CHECK_STRING(run_text(run, "errors.0.message"), "snapshot command " RUN_SNAP ": exit status 5");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "failed");
    CHECK_INT(run_number(run, "snapshot.exit_code"), 5);
    CHECK_STRING(run_text(run, "snapshot.stderr_tail"), "no space in vg0\n");
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(a_killed_command_is_no_snapshot) // a death by signal is told as such
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.signal = SIGABRT});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "errors.0.detail"), "ended by signal 6 (SIGABRT)");
    CHECK_INT(run_number(run, "snapshot.signal"), SIGABRT);
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.exit_code"));
    run_free(run);
}

QZ_TEST(a_command_that_is_not_there_is_no_snapshot) // nor one that cannot be started
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run --format json -- no-such-command"), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "SnapshotFailed");
    CHECK_STRING(run_text(run, "errors.0.detail"), "could not be started: No such file or directory");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "failed");
    CHECK_STRING(run_text(run, "snapshot.start_error"), "No such file or directory");
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.exit_code"));
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(a_successful_command_may_leave_a_process) // which is neither ended nor waited for
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = MS, .leftovers = 1, .leftover_us = 100 * SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_signaled_us(run, SNAP_SLOT, SIGTERM), -1);
    CHECK_INT(virtual_alive(run->world), 1);
    run_free(run);
}

QZ_TEST(a_failed_command_leaves_no_process) // SIGTERM, grace, SIGKILL, after the thaw
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = SECOND, .status = 1, .leftovers = 2, .leftover_us = QZ_NEVER,
                               .leftovers_ignore_term = true});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(run_number(run, "snapshot.exit_code"), 1);
    int64_t term_us = run_signaled_us(run, SNAP_SLOT, SIGTERM);
    CU_ASSERT_TRUE(term_us >= SECOND);
    CHECK_INT(run_signaled_us(run, SNAP_SLOT, SIGKILL), term_us + QZ_RUNNER_GRACE_US);
    CHECK_INT(virtual_alive(run->world), 0);
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < 2 * SECOND);
    run_free(run);
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

QZ_TEST(a_slow_command_outlives_its_freeze) // the hold limit thaws; with continueBackupOnFailure it may then still end
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 15 * SECOND});
    CHECK_INT(run_quiesce(run, "run --hold-limit 10 --format json -- " RUN_SNAP), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "code"), "FreezeLost");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "taken");
    CHECK_INT(run_number(run, "snapshot.duration_us"), 15 * SECOND);
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "lost");
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) <= 10 * SECOND + MS);
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "taken");
    run_free(run);
}

QZ_TEST(the_hold_limit_is_the_freezes) // a guardian that is late with its thaw does not cost the command its time
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 15 * SECOND});
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, 5 * SECOND, 20 * SECOND);
    CHECK_INT(run_quiesce(run, "run --hold-limit 10 --format json -- " RUN_SNAP), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "snapshot.outcome"), "taken");
    CHECK_INT(run_number(run, "snapshot.duration_us"), 15 * SECOND);
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < 11 * SECOND);
    run_free(run);
}

QZ_TEST(a_stuck_command_is_ended) // one hold limit after the freeze was lost: SnapshotTimeout, and no exit status
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, "run --hold-limit 10 --format json -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "errors.0.code"), "FreezeLost");
    int at = run_find_error(run, "SnapshotTimeout");
    CHECK_INT(at, 2);
    CHECK_INT(run_number(run, "errors.2.number"), 911);
    CHECK_STRING(run_text(run, "errors.2.detail"), "not finished within 10 s (--hold-limit)");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "timeout");
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.exit_code"));
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.signal"));
    int64_t term_us = run_signaled_us(run, SNAP_SLOT, SIGTERM);
    CU_ASSERT_TRUE(term_us >= 20 * SECOND && term_us < 21 * SECOND);
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(without_freeze_the_hold_limit_bounds_the_command) // a run that hangs would never run its post-script
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, "run --hold-limit 10 --format json -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "SnapshotTimeout");
    CHECK_INT(run_signaled_us(run, SNAP_SLOT, SIGTERM), 10 * SECOND + MS);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(a_timed_out_command_is_told_to_people) // not as one that exited with 0
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER});
    CHECK_INT(run_quiesce(run, "run --hold-limit 10 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, RUN_SNAP ": timed out, and was ended, after 10.00 s\n");
    CU_ASSERT_PTR_NULL(strstr(run->output, "still alive"));
    run_free(run);
}

QZ_TEST(a_lost_freeze_ends_the_command) // where continueBackupOnFailure is false
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 15 * SECOND});
    CHECK_INT(run_quiesce(run, "run --hold-limit 10 --format json -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "FreezeLost");
    CHECK_INT(run_find_error(run, "SnapshotTimeout"), -1);
    CHECK_STRING(run_text(run, "snapshot.outcome"), "failed");
    CHECK_INT(run_number(run, "snapshot.signal"), SIGTERM);
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "failed");
    int64_t term_us = run_signaled_us(run, SNAP_SLOT, SIGTERM);
    CU_ASSERT_TRUE(term_us >= 10 * SECOND && term_us < 11 * SECOND);
    run_free(run);
}

QZ_TEST(a_freeze_lost_to_others_is_not_claimed) // somebody thawed meanwhile: it is noticed at our own thaw
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 5 * SECOND});
    virtual_foreign_thaw(run->world, RUN_DEV(2), 2 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "code"), "FreezeLost");
    CHECK_STRING(run_text(run, "errors.0.path"), "/data2");
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "thawed");
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "lost");
    run_free(run);
}

QZ_TEST(a_command_that_writes_to_a_frozen_volume_is_freed) // the hold limit thaws, so that it can go on, or be ended
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 15 * SECOND, .writes = "/data1"});
    CHECK_INT(run_quiesce(run, "run --hold-limit 10 --format json -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "FreezeLost");
    CHECK_INT(virtual_alive(run->world), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

/* ---- Signals ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_signal_ends_the_command) // thawed first, then the command is ended; how it ended is told
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGINT, 3 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_STRING(run_text(run, "snapshot.outcome"), "failed");
    CHECK_INT(run_number(run, "snapshot.signal"), SIGTERM);
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.exit_code"));
    CU_ASSERT_TRUE(run_signaled_us(run, SNAP_SLOT, SIGTERM) >= 3 * SECOND);
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "thawed");
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "failed");
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(a_signal_is_heard_without_freeze) // when nothing but the command is waited for
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGINT, 3 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_INT(run_signaled_us(run, SNAP_SLOT, SIGTERM), 3 * SECOND);
    run_free(run);
}

QZ_TEST(a_command_that_ignores_signals_is_killed) // and one that cannot be killed does not hold up the run
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER, .ignores_term = true});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 3 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(run_number(run, "snapshot.signal"), SIGKILL);
    CHECK_INT(virtual_alive(run->world), 0);
    CU_ASSERT_FALSE(run_bool(run, "snapshot.left_alive"));
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER, .unkillable_us = 600 * SECOND});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, virtual_now_us(run->world) + 3 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(run_number(run, "snapshot.signal"), SIGKILL);
    CU_ASSERT_TRUE(run_bool(run, "snapshot.left_alive"));
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 2);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, virtual_now_us(run->world) + 3 * SECOND);
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, "\n    a process of it could not be ended and is still alive\n\ntimeline\n");
    run_free(run);
}

QZ_TEST(a_command_that_is_slow_to_die_is_waited_for) // for as long as a script is; then it was not left alive
{
    struct run *run = run_new(2);
    int64_t killed_us = 3 * SECOND + QZ_RUNNER_GRACE_US;
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER, .unkillable_us = killed_us + QZ_RUNNER_KILL_WAIT_US / 2});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 3 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CU_ASSERT_FALSE(run_bool(run, "snapshot.left_alive"));
    CHECK_INT(virtual_alive(run->world), 0);
    CU_ASSERT(run_started_us(run, RUN_POST, 0) >= killed_us + QZ_RUNNER_KILL_WAIT_US / 2);
    run_free(run);
}

QZ_TEST(quiesce_thaw_does_not_wait_for_the_command) // which goes on without the freeze: the journal says so
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 20 * SECOND});
    run_beside(run, 3 * SECOND, "thaw");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_INT(run->beside->status, 0);
    int64_t ended_us = -1;
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        if (trace[i].what == VIRTUAL_DID_ENDS && trace[i].role == VIRTUAL_AGENT && trace[i].ordinal == 2)
            ended_us = trace[i].at_us;
    CU_ASSERT(ended_us >= 3 * SECOND && ended_us < 4 * SECOND);
    run_free(run);
}

/* ---- The hold --------------------------------------------------------------------------------------------------- */

QZ_TEST(a_hold_lasts_as_long_as_asked) // from the last volume's freeze on; no command is run
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run --hold 2.5 --format json"), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "snapshot.outcome"), "taken");
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.command"));
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.exit_code"));
    CHECK_INT(run_number(run, "snapshot.duration_us"), 2500 * MS);
    for (unsigned n = 1; n <= 2; n++)
        CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(n)) >= 2500 * MS);
    CHECK_INT(virtual_start_count(run->world), 2);
    run_free(run);
}

QZ_TEST(a_long_hold_raises_the_limit) // ten seconds over the hold, where no limit is given
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run --hold 300 --format json"), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "snapshot.duration_us"), 300 * SECOND);
    run_free(run);
}

QZ_TEST(a_hold_is_ended_by_a_signal) // then nobody has taken a snapshot
{
    struct run *run = run_new(2);
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 3 * SECOND);
    CHECK_INT(run_quiesce(run, "run --hold 10 --format json"), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "not_taken");
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "failed");
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < 4 * SECOND);
    run_free(run);
}

QZ_TEST(a_hold_that_was_lost_is_a_crash) // the guardian was told to thaw; the other side may still take its snapshot
{
    struct run *run = run_new(2);
    virtual_signal_at(run->world, VIRTUAL_GUARDIAN, SIGTERM, 3 * SECOND);
    CHECK_INT(run_quiesce(run, "run --hold 10 --format json"), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "code"), "FreezeLost");
    CHECK_INT(run_number(run, "snapshot.duration_us"), 10 * SECOND);
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < 4 * SECOND);
    run_free(run);
}

QZ_TEST(a_hold_without_freeze_is_held_too) // somebody takes a snapshot while the application rests
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    CHECK_INT(run_quiesce(run, "run --hold 10 --format json"), QZ_EXIT_APPLICATION);
    CHECK_INT(run_started_us(run, RUN_POST, 0), 10 * SECOND + MS);
    run_free(run);
}

/* ---- What the command finds ------------------------------------------------------------------------------------- */

QZ_TEST(the_callers_environment_is_handed_on) // with the run's own variables more, which the caller's do not replace
{
    struct run *run = run_new(3);
    char *const mine[] = {(char[]){"PATH=/caller/bin"},           (char[]){"QUIESCE_VOLUMES=/elsewhere\n"},
                          (char[]){"TMPDIR=/data1/tmp"},          (char[]){"QUIESCE_RUN_ID=forged"},
                          (char[]){"QUIESCE_VOLUMES_OF_MY_OWN=1"}, NULL};
    run->environment = mine;
    CHECK_INT(run_quiesce(run, "run --exclude /data2 --format json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    char *const *seen = run_start(run, RUN_SNAP, 0)->envp;
    CHECK_STRING(seen[0], "PATH=/caller/bin");
    CHECK_STRING(seen[1], "QUIESCE_VOLUMES_OF_MY_OWN=1");
    CHECK_STRING(run_variable(run, RUN_SNAP, 0, "QUIESCE_VOLUMES"), "/data1\n/data3\n");
    CHECK_STRING(run_variable(run, RUN_SNAP, 0, "QUIESCE_RUN_ID"), run_text(run, "run_id"));
    CU_ASSERT_PTR_NOT_NULL(run_variable(run, RUN_SNAP, 0, "TMPDIR"));
    size_t count = 0;
    while (seen[count])
        count++;
    CHECK_INT(count, 5);
    run_free(run);
}

QZ_TEST(an_empty_environment_is_handed_on) // a caller may have none
{
    struct run *run = run_new(2);
    run->environment = NULL;
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run_start(run, RUN_SNAP, 0)->envp[0], "QUIESCE_VOLUMES=");
    CU_ASSERT_PTR_NULL(run_variable(run, RUN_SNAP, 0, "PATH"));
    run_free(run);
}

QZ_TEST(without_frozen_volumes_none_are_named) // the variable is there, and empty
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_variable(run, RUN_SNAP, 0, "QUIESCE_VOLUMES"), "");
    run_free(run);
}

/* What was done with a path, with success; NULL: it was not. */
static const struct virtual_entry *find_done(const struct run *run, enum virtual_op op, const char *path)
{
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        if (trace[i].what == op && trace[i].text && strcmp(trace[i].text, path) == 0 && trace[i].result == 0)
            return &trace[i];
    return NULL;
}

QZ_TEST(tmpdir_lies_on_no_frozen_filesystem) // it is made before the freeze, for root alone, and removed at the end
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    char expected[128];
    snprintf(expected, sizeof expected, VIRTUAL_STATE_DIRECTORY "/tmp-%s", run_text(run, "run_id"));
    CHECK_STRING(run_variable(run, RUN_SNAP, 0, "TMPDIR"), expected);
    const struct virtual_entry *made = find_done(run, VIRTUAL_OP_MAKE_DIRECTORY, expected);
    CU_ASSERT_PTR_NOT_NULL(made);
    CHECK_INT(made ? made->value : -1, 0700);
    CU_ASSERT_PTR_NOT_NULL(find_done(run, VIRTUAL_OP_REMOVE, expected));
    run_free(run);
}

QZ_TEST(without_a_tmpdir_none_is_named) // it could not be made: the caller's might be frozen, so there is none
{
    struct run *run = run_new(2);
    char *const mine[] = {(char[]){"TMPDIR=/data1/tmp"}, NULL};
    run->environment = mine;
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_MAKE_DIRECTORY, 1, ENOSPC);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CU_ASSERT_PTR_NULL(run_variable(run, RUN_SNAP, 0, "TMPDIR"));
    CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_REMOVE), 0);
    run_free(run);
}

QZ_TEST(control_characters_of_the_command_are_shown) // in the result for people
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run -- bad\x1b[31mcommand"), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, "bad\\x1b[31mcommand");
    CU_ASSERT_PTR_NULL(strchr(run->output, '\x1b'));
    run_free(run);
}
