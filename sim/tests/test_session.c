/* The whole way of a run: what comes after what, what the run gives up when, and what it says then. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "freezes.h"

#define NO_CONTINUE "\"continueBackupOnFailure\": false"

/* ---- The way ----------------------------------------------------------------------------------------------------- */

QZ_TEST(each_step_waits_for_the_one_before) // pre-script, flush, freeze, snapshot, thaw, post-script
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = RUN_SECOND});
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    size_t pre_ended = freezes_place(run, VIRTUAL_DID_CHILD_ENDS, 0, 0);
    size_t snapshot_ended = freezes_place(run, VIRTUAL_DID_CHILD_ENDS, 0, 1);
    CU_ASSERT(pre_ended < freezes_place(run, VIRTUAL_OP_LIST_MOUNTS, 3, 0));
    CU_ASSERT(pre_ended < freezes_place(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC, 0));
    for (unsigned n = 1; n <= 2; n++) {
        CU_ASSERT(freezes_frozen_us(run, n) <= run_started_us(run, RUN_SNAP, 0));
        CU_ASSERT(freezes_thawed_place(run, n) > snapshot_ended);
        CU_ASSERT(freezes_thawed_us(run, n) <= run_started_us(run, RUN_POST, 0));
    }
    static const char *const phases[] = {"check", "pre", "freeze", "snapshot", "thaw", "post"};
    CHECK_INT(run_count(run, "phases"), 6);
    for (int i = 0; i < 6; i++) {
        char path[] = "phases.0.name";
        path[7] = (char)('0' + i);
        CHECK_STRING(run_text(run, path), phases[i]);
    }
    run_free(run);
}

QZ_TEST(the_journal_comes_before_the_freeze) // with every volume that is about to be frozen, and is rewritten after it
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    size_t count, last = 0;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < freezes_frozen_place(run, 1); i++)
        if (trace[i].what == VIRTUAL_OP_JOURNAL_WRITE)
            last = i;
    CU_ASSERT(last > 0 && last < freezes_place(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC, 0));
    run_free(run);
    run = run_new(2);
    virtual_kill_on(run->world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 2, VIRTUAL_AFTER);
    virtual_aim(run->world, 2);
    virtual_kill_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_WAIT, 1, VIRTUAL_BEFORE);
    run_quiesce(run, RUN_JSON);
    CHECK_CONTAINS(virtual_journal(run->world), "/data1");
    CHECK_CONTAINS(virtual_journal(run->world), "/data2");
    run_free(run);
}

QZ_TEST(what_is_thawed_is_not_in_the_journal) // any more, while the post-script runs
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_POST, {.run_us = 10 * RUN_SECOND});
    run_beside(run, 5 * RUN_SECOND, "status");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->beside->output, "nothing is frozen\n");
    run_free(run);
}

QZ_TEST(without_shared_memory_nothing_is_frozen) // the scripts': nothing is begun; the hold's: the freeze has failed
{
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct run *run = run_new(2);
        virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_SHARE, nth, ENOMEM);
        CHECK_INT(run_quiesce(run, RUN_JSON), nth == 1 ? QZ_EXIT_SOFTWARE : QZ_EXIT_CRASH);
        CHECK_STRING(run_text(run, "code"), nth == 1 ? "InternalError" : "FsFreezeFailed");
        CHECK_CONTAINS(run_text(run, "errors.0.message"), "Cannot allocate memory");
        CHECK_INT(virtual_starts_of(run->world, RUN_PRE), nth - 1);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), nth - 1);
        freezes_check_left_nothing(run, false);
        run_free(run);
    }
}

QZ_TEST(without_a_mount_table_the_freeze_has_failed) // and only where one was wanted: else it is a warning
{
    struct run *run = run_new(2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_LIST_MOUNTS, 1, EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "errors.0.code"), "FsFreezeFailed");
    CHECK_STRING(run_text(run, "errors.0.phase"), "freeze");
    CHECK_STRING(run_text(run, "errors.0.message"), "the mount table cannot be read: Input/output error");
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_LIST_MOUNTS, 1, EIO);
    CHECK_INT(run_quiesce(run, "run --scripts-only --format json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "errors"), 0);
    CHECK_STRING(run_text(run, "warnings.0.message"), "the mount table cannot be read: Input/output error");
    run_free(run);
}

QZ_TEST(volumes_that_nobody_wants_frozen_are_passed_over) // each says why
{
    for (int option = 0; option <= 1; option++) {
        struct run *run = run_new(2);
        if (!option)
            run_config(run, "\"fsFreezeEnabled\": false");
        run_quiesce(run, option ? "run --scripts-only --format json -- " RUN_SNAP : RUN_JSON);
        for (int i = 0; i < 2; i++) {
            char path[64];
            snprintf(path, sizeof path, "freeze.volumes.%d.decision", i);
            CHECK_STRING(run_text(run, path), "skip");
            snprintf(path, sizeof path, "freeze.volumes.%d.reason", i);
            CHECK_STRING(run_text(run, path), option ? "--scripts-only" : "fsFreezeEnabled is false");
        }
        run_free(run);
    }
}

QZ_TEST(without_a_journal_nothing_is_frozen) // the first one: nothing is begun; the second one: the freeze has failed
{
    struct run *run = run_new(2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 1, ENOSPC);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_SOFTWARE);
    CHECK_STRING(freezes_claim(run), "none/InternalError");
    CHECK_INT(virtual_start_count(run->world), 0);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 2, ENOSPC);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeFailed");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "No space left");
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(the_freeze_is_not_begun_for_nothing) // scripts that failed, where that forbids the backup: none, and no freeze
{
    struct run *run = run_new(2);
    run_config(run, NO_CONTINUE);
    RUN_SCRIPT(run, RUN_PRE, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/Pre-ScriptExecutionFailed");
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(failed_scripts_leave_a_file_system_backup) // where they do not forbid it, and the freeze held
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(freezes_claim(run), "filesystem/Pre-ScriptExecutionFailed");
    RUN_SCRIPT(run, RUN_PRE, {.status = 0});
    RUN_SCRIPT(run, RUN_POST, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(freezes_claim(run), "filesystem/Post-ScriptExecutionFailed");
    run_free(run);
}

QZ_TEST(a_failed_freeze_forbids_what_its_owner_forbids) // no snapshot is begun, and none is claimed
{
    struct run *run = run_new(2);
    run_config(run, NO_CONTINUE);
    FREEZES_BEHAVE(run, 2, .freeze_error = EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/FsFreezeFailed");
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "none");
    run_free(run);
}

QZ_TEST(every_error_of_every_volume_is_told) // not only the first one
{
    struct run *run = run_new(3);
    FREEZES_BEHAVE(run, 1, .freeze_error = EIO);
    FREEZES_BEHAVE(run, 2, .freeze_error = EOPNOTSUPP);
    virtual_foreign_freeze(run->world, RUN_DEV(3), 0);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_INT(run_count(run, "errors"), 3);
    CU_ASSERT(run_find_error(run, "FrozenByOther") >= 0);
    CHECK_STRING(run_text(run, "freeze.volumes.0.error"), "FsFreezeFailed");
    CHECK_STRING(run_text(run, "freeze.volumes.1.error"), "FsFreezeFailed");
    CHECK_STRING(run_text(run, "freeze.volumes.2.error"), "FrozenByOther");
    run_free(run);
}

/* ---- Attempts ---------------------------------------------------------------------------------------------------- */

QZ_TEST(each_attempt_is_a_whole_way) // thawed, post-script run, and the freeze is begun anew
{
    struct run *run = run_new(2);
    run_config(run, NO_CONTINUE);
    FREEZES_BEHAVE(run, 2, .freeze_error = EIO, .freeze_errors = 2);
    CHECK_INT(run_quiesce(run, "run --format json --attempts 5 --attempt-delay 7 -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "attempt"), 3);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 3);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 3);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
    CHECK_INT(freezes_thaws_begun(run, 0), 3);
    CU_ASSERT(run_started_us(run, RUN_PRE, 1) - run_started_us(run, RUN_POST, 0) >= 7 * RUN_SECOND);
    run_free(run);
}

QZ_TEST(no_further_attempt_beside_what_may_still_freeze) // the journal would forget it
{
    struct run *run = run_new(2);
    run_config(run, NO_CONTINUE);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 60 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 2 --attempts 2 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/FsFreezeTimeout");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(a_stuck_volume_that_comes_back_allows_a_further_attempt) // when the delay is over it is thawed
{
    struct run *run = run_new(2);
    run_config(run, NO_CONTINUE);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 10 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 2 --attempts 2 --attempt-delay 30 -- " RUN_SNAP),
              QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "attempt"), 2);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(a_late_guardian_leaves_another_attempts_journal_alone) // it outlives its own attempt
{
    struct run *run = run_new(2);
    run_config(run, NO_CONTINUE);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 10 * RUN_SECOND);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 40 * RUN_SECOND});
    virtual_aim(run->world, 2);
    virtual_delay(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_JOURNAL_READ, 1, 40 * RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_AGENT, 65 * RUN_SECOND);
    virtual_aim(run->world, 4);
    virtual_kill_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUME_START, 5, VIRTUAL_BEFORE);
    run_quiesce(run, "run --format json --freeze-timeout 2 --attempts 2 --attempt-delay 30 -- " RUN_SNAP);
    CU_ASSERT(virtual_frozen_count(run->world) > 0);
    CHECK_CONTAINS(virtual_journal(run->world), "/data1");
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(no_further_attempt_beside_the_unkillable) // a process of the last one is alive; nor is anything frozen then
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = QZ_NEVER, .unkillable_us = 100 * RUN_SECOND});
    RUN_SCRIPT(run, RUN_SNAP, {.status = 1});
    CHECK_INT(run_quiesce(run, "run --format json --attempts 3 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    run_free(run);
    run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = QZ_NEVER, .unkillable_us = 1000 * RUN_SECOND});
    CHECK_INT(run_quiesce(run, "run --format json --hold-limit 5 --attempts 3 -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
    run_free(run);
}

QZ_TEST(a_command_that_was_ended_is_no_obstacle) // with all that it had started
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.status = 1, .leftovers = 1, .leftover_us = QZ_NEVER, .leftovers_ignore_term = true},
               {.run_us = RUN_MS});
    CHECK_INT(run_quiesce(run, "run --format json --attempts 3 -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 2);
    run_free(run);
}

QZ_TEST(what_a_successful_script_left_is_no_obstacle) // to a further attempt, in which it is started again
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.leftovers = 1, .leftover_us = 100 * RUN_SECOND});
    RUN_SCRIPT(run, RUN_SNAP, {.status = 1}, {.status = 0});
    CHECK_INT(run_quiesce(run, "run --format json --attempts 2 -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 2);
    run_free(run);
}

/* ---- Two at a time ----------------------------------------------------------------------------------------------- */

QZ_TEST(a_second_run_waits_for_no_freeze) // it is refused, and leaves the first one's freeze and journal alone
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 5 * RUN_SECOND});
    run_beside(run, RUN_SECOND, RUN_JSON);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run->beside->status, QZ_EXIT_NONE);
    CHECK_CONTAINS(run->beside->output, "AlreadyRunning");
    run_free(run);
}

QZ_TEST(a_guardian_that_stays_for_a_stuck_volume_keeps_others_out) // until it has thawed that
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 60 * RUN_SECOND);
    run_beside(run, 30 * RUN_SECOND, RUN_JSON);
    CHECK_INT(run_quiesce(run, "run --format json --freeze-timeout 2 -- " RUN_SNAP), QZ_EXIT_CRASH);
    CHECK_INT(run->beside->status, QZ_EXIT_NONE);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    run_free(run);
}

QZ_TEST(what_could_not_be_made_ready_is_named) // the journal is not the guardian, before the pre-scripts and the freeze
{
    static const struct {
        enum virtual_op op;
        unsigned nth;
        const char *message;
    } cases[] = {
        {VIRTUAL_OP_JOURNAL_WRITE, 1, "nothing was begun: the journal in /run/quiesce could not be written: "},
        {VIRTUAL_OP_GUARD, 1, "nothing was begun: the guardian could not be made ready: "},
        {VIRTUAL_OP_JOURNAL_WRITE, 2, "nothing was frozen: the journal in /run/quiesce could not be written: "},
        {VIRTUAL_OP_GUARD, 2, "nothing was frozen: the guardian could not be made ready: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run *run = run_new(2);
        virtual_fail(run->world, VIRTUAL_AGENT, cases[i].op, cases[i].nth, ENOSPC);
        run_quiesce(run, RUN_JSON);
        CHECK_CONTAINS(run_text(run, "errors.0.message"), cases[i].message);
        CHECK_STRING(run_text(run, "errors.0.detail"), "No space left on device");
        run_free(run);
    }
}
