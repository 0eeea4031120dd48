/* The snapshot command at its gate: started before anything is frozen, let through when everything is, and never left
 * behind. */
#include <errno.h>
#include <signal.h>

#include "freezes.h"

#define SECOND RUN_SECOND
#define SNAP_SLOT 2 /* with one plugin: after its two scripts */

QZ_TEST(the_command_stands_ready_before_anything_is_frozen) // and goes on when all is; nothing is started in between
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .freeze_us = SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    size_t begun = freezes_place(run, VIRTUAL_OP_CHILD_START, true, 0);
    size_t ready = freezes_place(run, VIRTUAL_OP_CHILD_AWAIT, 0, 0);
    size_t released = freezes_place(run, VIRTUAL_OP_CHILD_RELEASE, 0, 0);
    CU_ASSERT(begun < freezes_place(run, VIRTUAL_OP_VOLUMES_ARM, 2, 0));
    CU_ASSERT(begun < ready && ready < freezes_place(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC, 0));
    CU_ASSERT(released > freezes_frozen_place(run, 1) && released > freezes_frozen_place(run, 2));
    CHECK_INT(run_started_us(run, RUN_SNAP, 0), freezes_frozen_us(run, 2));
    CHECK_INT(freezes_count(run, VIRTUAL_OP_CHILD_START, true), 1);
    run_free(run);
}

QZ_TEST(for_a_command_that_is_not_there_nothing_is_frozen) // the volumes are given up before the post-script runs
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "run --format json -- no-such-command"), QZ_EXIT_NONE);
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC), 0);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_FREEZE), 0);
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "failed");
    CU_ASSERT(freezes_place(run, VIRTUAL_OP_VOLUMES_CLOSE, 0, 0) < freezes_place(run, VIRTUAL_OP_CHILD_START, false, 1));
    run_free(run);
}

QZ_TEST(a_command_that_is_not_wanted_any_more_is_ended) // the freeze failed, and its owner wants no other backup
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false");
    FREEZES_BEHAVE(run, 2, .freeze_error = EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(freezes_claim(run), "none/FsFreezeFailed");
    CHECK_STRING(run_text(run, "snapshot.outcome"), "not_taken");
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.signal"));
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
    CHECK_INT(virtual_alive(run->world), 0);
    CU_ASSERT(run_signaled_us(run, SNAP_SLOT, SIGTERM) >= freezes_thawed_us(run, 1));
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "none");
    run_free(run);
}

QZ_TEST(a_failed_freeze_lets_it_through) // where the backup goes on, after everything is thawed
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .freeze_error = EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 1);
    CU_ASSERT(run_started_us(run, RUN_SNAP, 0) >= freezes_thawed_us(run, 1));
    run_free(run);
}

QZ_TEST(a_command_without_hope_is_not_started) // the pre-script failed, and its owner wants no backup then
{
    struct run *run = run_new(2);
    run_config(run, "\"continueBackupOnFailure\": false");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_CHILD_START, true), 0);
    run_free(run);
}

QZ_TEST(a_signal_while_freezing_ends_the_waiting_command)
{
    struct run *run = freezes_slow_run();
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, FREEZES_IN_FREEZE);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_dead_agents_command_is_never_let_through) // nor does it stay, in whatever phase the agent dies; it was none
{
    for (int i = 0; i < FREEZES_MOMENTS; i++) {
        struct run *run = freezes_slow_run();
        virtual_kill_at(run->world, VIRTUAL_AGENT, freezes_moments[i]);
        CHECK_INT(run_quiesce(run, RUN_JSON), -1);
        bool waited = freezes_moments[i] == FREEZES_IN_FLUSH || freezes_moments[i] == FREEZES_IN_FREEZE;
        CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), freezes_moments[i] > FREEZES_IN_FREEZE);
        CU_ASSERT(!waited || run_signaled_us(run, SNAP_SLOT, SIGTERM) >= freezes_moments[i]);
        if (waited || freezes_moments[i] == FREEZES_IN_HOLD)
            CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), waited ? "none" : "failed");
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_gate_closes_though_both_are_dead) // nobody ends what waits; it ends by itself
{
    struct run *run = freezes_slow_run();
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE);
    virtual_kill_at(run->world, VIRTUAL_AGENT, FREEZES_IN_FREEZE);
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    CHECK_INT(virtual_alive(run->world), 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
    run_free(run);
}

QZ_TEST(a_command_that_was_ended_at_its_gate_is_no_snapshot) // it is not waited for until the hold limit
{
    struct run *run = run_new(2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_CHILD_RELEASE, 1, ESRCH);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "SnapshotFailed");
    CHECK_STRING(run_text(run, "errors.0.detail"),
                 "could not be started: it was ended by somebody while it waited for the freeze");
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < SECOND);
    CHECK_INT(virtual_alive(run->world), 0);
    run_free(run);
}

QZ_TEST(a_command_that_is_refused_at_the_last_moment_is_no_snapshot) // its end tells why; all is thawed at once
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.late_error = ETXTBSY});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "SnapshotFailed");
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_STRING(run_text(run, "errors.0.detail"), "could not be started: Text file busy");
    CHECK_STRING(run_text(run, "snapshot.start_error"), "Text file busy");
    CU_ASSERT_TRUE(run_is_null(run, "snapshot.exit_code"));
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < SECOND);
    CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), 0);
    run_free(run);
}

QZ_TEST(a_signal_while_the_command_is_ended_is_heard) // without a freeze there is nobody else who hears it
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = SECOND, .status = 1, .leftovers = 1, .leftover_us = QZ_NEVER,
                               .leftovers_ignore_term = true});
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, 2 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CU_ASSERT(run_find_error(run, "Interrupted") >= 0);
    run_free(run);
}
