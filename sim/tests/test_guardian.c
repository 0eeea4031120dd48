/* Agent and guardian: whichever of them dies, at whatever moment, the other one thaws, does what is owed, and nothing
 * is claimed that did not hold. */
#include <errno.h>
#include <signal.h>

#include "freezes.h"
#include "guardian.h"

#define LIMITED "run --format json --freeze-timeout 5 --hold-limit 10 -- " RUN_SNAP

/* ---- The agent is killed ----------------------------------------------------------------------------------------- */

QZ_TEST(a_killed_agent_leaves_nothing_frozen) // in whatever phase: the guardian does what is due
{
    for (int i = 0; i < FREEZES_MOMENTS; i++) {
        struct run *run = freezes_slow_run();
        virtual_kill_at(run->world, VIRTUAL_AGENT, freezes_moments[i]);
        CHECK_INT(run_quiesce(run, RUN_JSON), -1);
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(the_guardian_thaws_in_the_moment_of_the_agents_death) // and what is being frozen the moment it is frozen
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_us = 100);
    virtual_kill_at(run->world, VIRTUAL_AGENT, FREEZES_IN_HOLD);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(freezes_thawed_us(run, 1), FREEZES_IN_HOLD + 100);
    run_free(run);
    run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 60 * RUN_SECOND);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 60 * RUN_SECOND, .thaw_passes = true);
    virtual_kill_at(run->world, VIRTUAL_AGENT, FREEZES_IN_FREEZE);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(freezes_thawed_us(run, 1), 60 * RUN_SECOND + 100);
    CHECK_INT(freezes_thawed_us(run, 2), 60 * RUN_SECOND + 100);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(there_is_always_a_guardian_while_a_post_script_is_owed) // also while one takes the place of another
{
    static const enum virtual_op ops[] = {VIRTUAL_OP_VOLUMES_ARM, VIRTUAL_OP_GUARD, VIRTUAL_OP_DISMISS,
                                          VIRTUAL_OP_JOURNAL_WRITE};
    for (size_t i = 0; i < 2 * sizeof ops / sizeof ops[0]; i++) {
        struct run *run = run_new(2);
        bool first = ops[i / 2] == VIRTUAL_OP_VOLUMES_ARM || ops[i / 2] == VIRTUAL_OP_DISMISS;
        virtual_kill_on(run->world, VIRTUAL_AGENT, ops[i / 2], first ? 1 : 2, i % 2 ? VIRTUAL_AFTER : VIRTUAL_BEFORE);
        run_quiesce(run, RUN_JSON);
        freezes_check_left_nothing(run, true);
        CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
        run_free(run);
    }
}

QZ_TEST(a_guardian_that_cannot_be_had_freezes_nothing) // the first one stays, and does what the agent owes
{
    for (int killed = 0; killed <= 1; killed++) {
        struct run *run = freezes_slow_run();
        virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_GUARD, 2, EAGAIN);
        if (killed)
            virtual_kill_at(run->world, VIRTUAL_AGENT, FREEZES_IN_FLUSH);
        CHECK_INT(run_quiesce(run, RUN_JSON), killed ? -1 : QZ_EXIT_CRASH);
        CHECK_INT(freezes_frozen_us(run, 1), -1);
        CU_ASSERT(killed || run_started_us(run, RUN_SNAP, 0) < 2 * RUN_SECOND); /* nobody is waited for */
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_guardian_without_workers_freezes_nothing) // and another one watches over what is owed
{
    struct run *run = freezes_slow_run();
    virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, EAGAIN);
    virtual_kill_at(run->world, VIRTUAL_AGENT, FREEZES_IN_FLUSH);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

/* ---- The guardian is killed -------------------------------------------------------------------------------------- */

QZ_TEST(a_killed_guardian_leaves_nothing_frozen) // the agent thaws; a crash is the most that is claimed
{
    for (int i = 0; i < FREEZES_MOMENTS; i++) {
        struct run *run = freezes_slow_run();
        bool frozen = freezes_moments[i] > FREEZES_IN_PRE && freezes_moments[i] < FREEZES_IN_POST;
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, freezes_moments[i]);
        CHECK_INT(run_quiesce(run, RUN_JSON), frozen ? QZ_EXIT_CRASH : QZ_EXIT_APPLICATION);
        CHECK_STRING(freezes_claim(run), frozen ? "crash/FreezeLost" : "application/Success");
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(the_agent_thaws_in_the_moment_of_the_guardians_death) // also what its FIFREEZE freezes then
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_us = 100);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_HOLD);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_INT(freezes_thawed_us(run, 1), FREEZES_IN_HOLD + 100);
    run_free(run);
    for (int passes = 0; passes <= 1; passes++) {
        run = freezes_slow_run();
        FREEZES_BEHAVE(run, 1, .stuck_until_us = 8 * RUN_SECOND, .thaw_passes = passes == 1);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        CU_ASSERT(freezes_thawed_us(run, 1) <= 8 * RUN_SECOND + 10 * RUN_MS);
        CU_ASSERT(run_started_us(run, RUN_SNAP, 0) >= freezes_thawed_us(run, 1));
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_freeze_is_not_missed_between_two_looks) // one that comes after our thaw, before we see who is left
{
    static const enum virtual_op ops[] = {VIRTUAL_OP_PEER_GONE, VIRTUAL_OP_WAIT};
    for (unsigned nth = 1; nth <= 12; nth++) {
        struct run *run = freezes_slow_run();
        FREEZES_BEHAVE(run, 1, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_passes = true);
        virtual_delay(run->world, VIRTUAL_AGENT, ops[nth % 2], nth / 2 + nth % 2 * 4, 2 * RUN_SECOND);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(what_a_killed_guardian_freezes_too_late_is_for_thaw) // nine seconds are waited for it; the journal names it
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 60 * RUN_SECOND, .thaw_passes = true);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_FREEZE);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "stuck");
    CHECK_STRING(run_text(run, "freeze.volumes.0.error"), "FsFreezeTimeout");
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_guardian_lost_with_what_it_waits_for_is_noticed) // before the agent gives up its volumes
{
    struct run *run = freezes_slow_run();
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 9 * RUN_SECOND, .thaw_passes = true);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 8 * RUN_SECOND);
    virtual_stop_at(run->world, VIRTUAL_AGENT, FREEZES_IN_FREEZE, 10 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    freezes_check_left_nothing(run, true);
    CU_ASSERT(run_started_us(run, RUN_SNAP, 0) >= freezes_thawed_us(run, 1));
    run_free(run);
}

QZ_TEST(a_lost_guardian_is_replaced) // so that the agent's death, later, still costs no post-script
{
    struct run *run = freezes_slow_run();
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_HOLD);
    virtual_kill_at(run->world, VIRTUAL_AGENT, FREEZES_IN_POST);
    run_quiesce(run, RUN_JSON);
    freezes_check_left_nothing(run, true);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 2); /* the first one was cut short */
    CHECK_INT(run_start(run, RUN_POST, 1)->by, VIRTUAL_GUARDIAN);
    run_free(run);
}

QZ_TEST(a_guardian_that_is_lost_before_it_is_ready_is_not_waited_for) // one that sleeps is, for ten seconds
{
    for (int sleeps = 0; sleeps <= 1; sleeps++) {
        struct run *run = run_new(2);
        virtual_aim(run->world, 2);
        if (sleeps)
            virtual_delay(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, 60 * RUN_SECOND);
        else
            virtual_kill_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, VIRTUAL_BEFORE);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        CHECK_INT(run_find_error(run, "FsFreezeFailed"), 0);
        CHECK_INT(run_started_us(run, RUN_SNAP, 0) / RUN_SECOND, sleeps ? 10 : 0);
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_guardian_lost_before_the_freeze_costs_nothing) // the one with the volumes is another one
{
    struct run *run = freezes_slow_run();
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, FREEZES_IN_PRE);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    run_free(run);
}

static void do_nothing(struct qz_os *os, void *argument, struct qz_hold *hold)
{
    (void)os, (void)argument, (void)hold;
}

/* A guard of the volume that was mounted last, opened. */
static struct qz_guard new_guard(struct qz_os *os)
{
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    CHECK_INT(os->ops->volume_open(os, 0, &table.mounts[table.count - 1]), 0);
    qz_mount_table_free(&table);
    return (struct qz_guard){.os = os, .inherit = do_nothing};
}

static bool freeze_with(struct qz_guard *guard)
{
    struct qz_volume volume = {.order = 0};
    guard->hold = guard->os->ops->share(guard->os, qz_hold_size(1));
    qz_hold_init(guard->hold, "run", &volume, 1, 60 * RUN_SECOND, 60 * RUN_SECOND);
    CHECK_INT(qz_guard_start(guard), 0);
    return qz_guard_freeze(guard);
}

/* Freezes and lets the guardian go, as no run does. */
static void freeze_and_let_go(struct qz_os *os, void *argument)
{
    struct qz_guard guard = new_guard(os);
    *(bool *)argument = freeze_with(&guard);
    qz_guard_end(&guard, false);
}

QZ_TEST(a_guardian_that_is_let_go_keeps_nothing_frozen) // whoever lets it go, and why ever
{
    struct run *run = run_new(1);
    bool held = false;
    CHECK_INT(virtual_run(run->world, freeze_and_let_go, &held), VIRTUAL_OVER);
    CU_ASSERT_TRUE(held);
    CHECK_INT(freezes_thawed_us(run, 1) - freezes_frozen_us(run, 1), 100);
    run_free(run);
}

/* Holds twice, each time until that is lost. */
static void hold_twice(struct qz_os *os, void *argument)
{
    struct qz_guard guard = new_guard(os);
    for (int i = 0; i < 2; i++) {
        bool lost = !freeze_with(&guard);
        CU_ASSERT_FALSE(lost);
        while (!lost) {
            struct qz_event event;
            os->ops->wait(os, qz_guard_deadline(&guard), &event);
            lost = qz_guard_note(&guard, &event);
            lost = qz_guard_look(&guard) || lost;
        }
        qz_guard_thaw(&guard);
        *(int *)argument += guard.hold->phase == QZ_HOLD_OVER && guard.hold->cause == QZ_CAUSE_PEER;
    }
    qz_guard_end(&guard, false);
}

QZ_TEST(a_guard_is_as_new_when_it_is_started_again) // what was taken over once is taken over once more
{
    struct run *run = run_new(1);
    int lost = 0;
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 2 * RUN_SECOND);
    CHECK_INT(virtual_run(run->world, hold_twice, &lost), VIRTUAL_OVER);
    CHECK_INT(lost, 2);
    CHECK_INT(freezes_us(run, VIRTUAL_DID_THAWED, (int64_t)RUN_DEV(1), 0), RUN_SECOND + 100);
    CHECK_INT(freezes_us(run, VIRTUAL_DID_THAWED, (int64_t)RUN_DEV(1), 1), 2 * RUN_SECOND + 100);
    run_free(run);
}

/* ---- What they say to each other, and give up -------------------------------------------------------------------- */

QZ_TEST(the_guardian_says_no_more_than_it_must) // each word wakes the agent, and some while writers stand still
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    enum { GUARDIANS_READY = 2, ANSWERS = 3, PHASES = 3 }; /* to freeze, thaw and close; held, thawing, over */
    CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_OP_TELL_PEER), GUARDIANS_READY + ANSWERS + PHASES);
    run_free(run);
    run = run_new(2); /* and it is asked nothing while it may take its time */
    FREEZES_BEHAVE(run, 1, .sync_us = 20 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_OP_TELL_PEER), GUARDIANS_READY + ANSWERS + PHASES);
    run_free(run);
    run = run_new(2); /* nor once it has thawed by itself, while the command goes on */
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 9 * RUN_SECOND});
    CHECK_INT(run_quiesce(run, "run --format json --hold-limit 5 -- " RUN_SNAP), QZ_EXIT_CRASH);
    CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_OP_TELL_PEER), GUARDIANS_READY + ANSWERS - 1 + PHASES);
    run_free(run);
}

QZ_TEST(both_have_given_up_the_volumes_when_a_post_script_begins) // which may unmount them; also those that were never frozen
{
    for (int failing = 0; failing < 3; failing++) {
        struct run *run = run_new(2);
        if (failing == 1)
            virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 2, ENOSPC);
        if (failing == 2)
            virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, ENOMEM);
        run_quiesce(run, RUN_JSON);
        CU_ASSERT(virtual_now_us(run->world) < 100 * RUN_MS); /* nobody is waited for who does not answer */
        size_t post = freezes_place(run, VIRTUAL_OP_CHILD_START, false, 1);
        CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_CLOSE), 1);
        CU_ASSERT(post != FREEZES_NOWHERE && freezes_place(run, VIRTUAL_OP_VOLUMES_CLOSE, 0, 1) < post);
        run_free(run);
    }
}

QZ_TEST(volumes_are_let_go_before_an_orphan_runs_the_post_script) // which may want to unmount them
{
    struct run *run = freezes_slow_run();
    virtual_kill_at(run->world, VIRTUAL_AGENT, FREEZES_IN_HOLD);
    run_quiesce(run, RUN_JSON);
    int64_t closed_us = -1;
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        if (trace[i].what == VIRTUAL_OP_VOLUMES_CLOSE && trace[i].role == VIRTUAL_GUARDIAN)
            closed_us = trace[i].at_us;
    CU_ASSERT(closed_us >= FREEZES_IN_HOLD && closed_us <= run_started_us(run, RUN_POST, 0));
    run_free(run);
    run = run_new(2); /* also of one that could not arm them */
    virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, ENOMEM);
    virtual_kill_on(run->world, VIRTUAL_AGENT, VIRTUAL_OP_VOLUMES_CLOSE, 1, VIRTUAL_BEFORE);
    run_quiesce(run, RUN_JSON);
    CU_ASSERT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_CLOSE) > 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(without_a_freeze_there_is_a_guardian_all_the_same) // a signal is heeded, and its loss costs nothing
{
    for (int lost = 0; lost < 2; lost++) {
        struct run *run = freezes_slow_run();
        run_config(run, "\"fsFreezeEnabled\": false");
        int64_t in_snapshot_us = RUN_SECOND + RUN_SECOND / 2;
        if (lost)
            virtual_kill_at(run->world, VIRTUAL_GUARDIAN, in_snapshot_us);
        else
            virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, in_snapshot_us);
        CHECK_INT(run_quiesce(run, RUN_JSON), lost ? QZ_EXIT_APPLICATION : QZ_EXIT_NONE);
        CHECK_STRING(freezes_claim(run), lost ? "application/Success" : "none/Interrupted");
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}
