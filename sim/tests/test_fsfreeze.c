/* Flush, freeze, hold and thaw in a whole run: what is frozen when, what is undone when something fails, and what is
 * claimed of it. */
#include <errno.h>
#include <string.h>

#include "freezes.h"
#include "fsfreeze.h"

#define NO_CONTINUE "\"continueBackupOnFailure\": false"
#define LIMITED "run --format json --freeze-timeout 5 --hold-limit 10 -- " RUN_SNAP

/* ---- Order ------------------------------------------------------------------------------------------------------- */

QZ_TEST(volumes_of_one_level_freeze_side_by_side) // three of a second each take one second, and thaw together
{
    struct run *run = run_new(3);
    for (unsigned n = 1; n <= 3; n++)
        FREEZES_BEHAVE(run, n, .freeze_us = RUN_SECOND, .thaw_us = RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    for (unsigned n = 2; n <= 3; n++) {
        CHECK_INT(freezes_frozen_us(run, n), freezes_frozen_us(run, 1));
        CHECK_INT(freezes_thawed_us(run, n), freezes_thawed_us(run, 1));
    }
    CHECK_INT(run_number(run, "freeze.window_us"), 2 * RUN_SECOND + RUN_MS);
    run_free(run);
}

QZ_TEST(what_is_stored_on_another_freezes_before_it) // level by level, and thaws after it
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    freezes_add_stored(run, 3, 2);
    freezes_add_stored(run, 4, 1);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CU_ASSERT(freezes_frozen_us(run, 3) < freezes_frozen_us(run, 2));
    CU_ASSERT(freezes_frozen_us(run, 2) < freezes_frozen_us(run, 1));
    CU_ASSERT(freezes_frozen_us(run, 4) < freezes_frozen_us(run, 1));
    CU_ASSERT(freezes_thawed_us(run, 1) < freezes_thawed_us(run, 2));
    CU_ASSERT(freezes_thawed_us(run, 2) < freezes_thawed_us(run, 3));
    CU_ASSERT(freezes_thawed_us(run, 1) < freezes_thawed_us(run, 4));
    run_free(run);
}

QZ_TEST(all_is_flushed_before_anything_is_frozen) // each volume in each round, however long the slowest takes
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    FREEZES_BEHAVE(run, 1, .sync_us = 3 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC), 4);
    size_t last_flush = freezes_place(run, VIRTUAL_DID_OPERATION_ENDS, QZ_VOLUME_SYNC, 3);
    CU_ASSERT(last_flush < freezes_place(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_FREEZE, 0));
    CHECK_INT(run_number(run, "freeze.volumes.1.presync_us"), 3 * RUN_SECOND);
    run_free(run);
}

/* How many rounds of flushing a run makes whose first one takes `sync_us`, and every other one `again_us`. */
static int64_t rounds(int64_t sync_us, int64_t again_us)
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .sync_us = sync_us, .sync_again_us = again_us);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    int64_t told = run_number(run, "freeze.volumes.1.presync_rounds");
    CHECK_INT(run_number(run, "freeze.volumes.0.presync_rounds"), told);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC), 2 * told);
    CHECK_INT(run_number(run, "freeze.volumes.1.presync_us"), sync_us + (told - 1) * again_us);
    run_free(run);
    return told;
}

QZ_TEST(flushing_is_repeated_while_it_pays) // as long as a round takes long, and less than half of the one before
{
    CHECK_INT(rounds(QZ_PRESYNC_WORTH_US - 1, 0), 1);
    CHECK_INT(rounds(QZ_PRESYNC_WORTH_US, 0), 2);
    CHECK_INT(rounds(RUN_SECOND, RUN_SECOND / 2), 2);
    CHECK_INT(rounds(RUN_SECOND, RUN_SECOND / 2 - 1), 3);
}

QZ_TEST(flushing_leaves_half_of_the_freeze_timeout) // 60 s: a round of 15 s may be followed by another one, no longer one
{
    CHECK_INT(rounds(15 * RUN_SECOND, 0), 2);
    CHECK_INT(rounds(15 * RUN_SECOND + 1, 0), 1);
}

QZ_TEST(flushing_comes_to_an_end) // after five rounds, though each takes less than half of the one before
{
    struct qz_presync presync = {0};
    int64_t now_us = 1, round_us = 10 * QZ_US_PER_S;
    do {
        qz_presync_begin(&presync, now_us);
        now_us += round_us;
        round_us /= 3;
    } while (qz_presync_again(&presync, now_us, 3600 * QZ_US_PER_S));
    CHECK_INT(presync.rounds, QZ_PRESYNC_ROUNDS_MAX);
}

QZ_TEST(the_cut_is_when_the_last_one_froze) // none, where they were not all frozen at one time
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "freeze.cut_us"), freezes_frozen_us(run, 1));
    CU_ASSERT(freezes_frozen_us(run, 1) > freezes_frozen_us(run, 2));
    run_free(run);
    run = run_new(2);
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 5 * RUN_SECOND + 20 * RUN_MS); /* the freeze timeout, and a moment */
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CU_ASSERT(freezes_frozen_us(run, 1) > freezes_thawed_us(run, 2));
    CU_ASSERT_TRUE(run_is_null(run, "freeze.cut_us"));
    run_free(run);
}

QZ_TEST(the_report_has_the_traces_times) // each duration of each volume, and the window over all
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    FREEZES_BEHAVE(run, 1, .sync_us = 70, .freeze_us = 500, .thaw_us = 40);
    FREEZES_BEHAVE(run, 2, .sync_us = 80, .freeze_us = 600, .thaw_us = 50);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_SECOND});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "freeze.volumes.0.mount"), "/data2");
    CHECK_INT(run_number(run, "freeze.volumes.0.presync_us"), 80);
    CHECK_INT(run_number(run, "freeze.volumes.0.freeze_us"), 600);
    CHECK_INT(run_number(run, "freeze.volumes.0.thaw_us"), 50);
    CHECK_INT(run_number(run, "freeze.volumes.0.frozen_us"), freezes_thawed_us(run, 2) - freezes_frozen_us(run, 2));
    CHECK_INT(run_number(run, "freeze.volumes.1.frozen_us"), freezes_thawed_us(run, 1) - freezes_frozen_us(run, 1));
    CHECK_INT(run_number(run, "freeze.window_us"), freezes_thawed_us(run, 2) - freezes_frozen_us(run, 2) + 600);
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "thawed");
    run_free(run);
}

QZ_TEST(a_thaw_that_hangs_keeps_no_other_level_waiting) // for longer than 50 ms
{
    struct run *run = run_new(2);
    freezes_add_stored(run, 3, 1);
    freezes_add_stored(run, 4, 2);
    FREEZES_BEHAVE(run, 1, .thaw_us = 4 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    int64_t told_us = run_started_us(run, RUN_SNAP, 0) + RUN_MS;
    CHECK_INT(freezes_thawed_us(run, 2), told_us + 100);
    CHECK_INT(freezes_thawed_us(run, 4), told_us + 50 * RUN_MS + 100);
    CHECK_INT(freezes_thawed_us(run, 1), told_us + 4 * RUN_SECOND);
    CHECK_INT(freezes_thawed_us(run, 3), told_us + 4 * RUN_SECOND); /* no earlier: it is stored on /data1 */
    run_free(run);
}

/* ---- All or nothing ---------------------------------------------------------------------------------------------- */

QZ_TEST(a_flush_that_fails_freezes_nothing) // and what it was that failed is told
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .sync_error = EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeFailed");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "/data2");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "flushing");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), strerror(EIO));
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_FREEZE), 0);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_THAW), 0);
    run_free(run);
}

QZ_TEST(a_failed_freeze_undoes_what_we_froze) // through the same slots, and touches nothing else
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    freezes_add_stored(run, 3, 2); /* slots: /data3 0, /data2 1, /data1 2 */
    FREEZES_BEHAVE(run, 2, .freeze_error = EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeFailed");
    CHECK_STRING(run_text(run, "errors.0.detail"), "Input/output error");
    CHECK_INT(freezes_thaws_begun(run, 0), 1);
    CHECK_INT(freezes_thaws_begun(run, 1), 0);
    CHECK_INT(freezes_thaws_begun(run, 2), 0);
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "thawed");
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "failed");
    CHECK_STRING(run_text(run, "freeze.volumes.2.outcome"), "untouched");
    run_free(run);
}

QZ_TEST(a_freeze_under_way_is_waited_for) // when its neighbour has failed: no snapshot while it is frozen
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .freeze_error = EIO);
    FREEZES_BEHAVE(run, 2, .freeze_us = 2 * RUN_SECOND, .thaw_us = RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_INT(freezes_thawed_us(run, 2) - freezes_frozen_us(run, 2), RUN_SECOND);
    CU_ASSERT(run_started_us(run, RUN_SNAP, 0) >= freezes_thawed_us(run, 2));
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "thawed");
    run_free(run);
}

QZ_TEST(somebody_elses_freeze_is_left_as_it_is) // ours is undone; a snapshot is taken only with continueBackupOnFailure
{
    for (int forbidden = 0; forbidden <= 1; forbidden++) {
        struct run *run = run_new(2);
        run_config(run, forbidden ? NO_CONTINUE : NULL);
        virtual_foreign_freeze(run->world, RUN_DEV(2), 0);
        CHECK_INT(run_quiesce(run, RUN_JSON), forbidden ? QZ_EXIT_NONE : QZ_EXIT_CRASH);
        CHECK_STRING(run_text(run, "code"), "FrozenByOther");
        CHECK_INT(run_number(run, "number"), 901);
        CHECK_INT(virtual_starts_of(run->world, RUN_SNAP), !forbidden);
        CU_ASSERT_FALSE(virtual_is_frozen(run->world, RUN_DEV(1)));
        CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(2)));
        CHECK_INT(freezes_thaws_begun(run, 1), 0);
        run_free(run);
    }
}

QZ_TEST(a_single_disk_is_snapshotted_all_the_same) // though continueBackupOnFailure is false: crash-consistent
{
    struct run *run = run_new(1);
    run_config(run, NO_CONTINUE);
    FREEZES_BEHAVE(run, 1, .freeze_error = EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeFailed");
    run_free(run);
}

QZ_TEST(nothing_to_freeze_is_no_freeze) // zero volumes: never application- or file-system-consistent
{
    struct run *run = run_new(0);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeFailed");
    CHECK_INT(run_number(run, "freeze.window_us"), 0);
    CHECK_INT(run_quiesce(run, "run --format json --volume /data1 -- " RUN_SNAP), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/UnableToOpenMount");
    run_free(run);
}

QZ_TEST(a_freeze_that_nobody_wants_is_no_failure) // fsFreezeEnabled false: no volume is touched, application-consistent
{
    struct run *run = run_new(2);
    run_config(run, "\"fsFreezeEnabled\": false");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC), 0);
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_LIST_MOUNTS, 1, ENOMEM);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "code"), "Success");
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "mount table");
    run_free(run);
}

QZ_TEST(a_mount_that_vanishes_is_a_failure) // before the freeze, and while it is held
{
    struct run *run = run_new(2);
    virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_VOLUME_OPEN, 1, RUN_SECOND);
    virtual_unmount_at(run->world, "/data2", RUN_SECOND / 2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/UnableToOpenMount");
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    run_free(run);
    run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_SECOND});
    virtual_unmount_at(run->world, "/data2", RUN_SECOND / 2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

/* ---- What hangs -------------------------------------------------------------------------------------------------- */

QZ_TEST(a_stuck_freeze_keeps_nothing_else_frozen) // the timeout covers the call itself; then the snapshot is a crash
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 60 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeTimeout");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "/data2");
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "stuck");
    CHECK_INT(freezes_thawed_us(run, 1), RUN_MS + 5 * RUN_SECOND + 100);
    CU_ASSERT(run_started_us(run, RUN_SNAP, 0) >= freezes_thawed_us(run, 1));
    run_free(run);
}

QZ_TEST(a_late_freeze_is_never_held) // it is thawed the moment it comes, whatever else goes on, and forgotten
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .stuck_until_us = 60 * RUN_SECOND, .thaw_us = 300);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_INT(freezes_frozen_us(run, 2), 60 * RUN_SECOND);
    CHECK_INT(freezes_thawed_us(run, 2), 60 * RUN_SECOND + 300);
    CHECK_STRING(virtual_journal(run->world), "");
    virtual_foreign_freeze(run->world, RUN_DEV(2), virtual_now_us(run->world));
    FREEZES_BEHAVE(run, 2, .freeze_us = RUN_MS);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FrozenByOther");
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(2)));
    run_free(run);
}

QZ_TEST(a_freeze_that_never_returns_is_left_to_the_guardian) // the run ends without it; the journal names it alone
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .stuck_until_us = QZ_NEVER);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_INT(run->end, VIRTUAL_LEFT_STUCK);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CHECK_CONTAINS(virtual_journal(run->world), "/data1");
    CU_ASSERT_PTR_NULL(strstr(virtual_journal(run->world), "/data2"));
    CU_ASSERT_PTR_NULL(strstr(virtual_journal(run->world), RUN_POST));
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(a_stuck_flush_is_a_timeout_too) // nothing is frozen, and the volume is told
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .sync_us = QZ_NEVER);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeTimeout");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "/data2: flushing");
    CHECK_INT(freezes_frozen_us(run, 1), -1);
    CHECK_INT(run_started_us(run, RUN_SNAP, 0), RUN_MS + 5 * RUN_SECOND);
    CHECK_INT(run->end, VIRTUAL_OVER); /* the guardian does not wait for what freezes nothing */
    run_free(run);
}

QZ_TEST(nothing_is_frozen_when_the_time_is_over) // a flush that ends with the freeze timeout ends too late
{
    struct run *run = run_new(1);
    FREEZES_BEHAVE(run, 1, .sync_us = 5 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeTimeout");
    CHECK_INT(freezes_count(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_FREEZE), 0);
    run_free(run);
}

QZ_TEST(a_freeze_that_is_all_but_done_is_waited_for) // for a moment beyond the timeout
{
    struct run *run = run_new(1);
    FREEZES_BEHAVE(run, 1, .freeze_us = 5 * RUN_SECOND + 40 * RUN_MS);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeTimeout");
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "thawed");
    CU_ASSERT(run_started_us(run, RUN_SNAP, 0) >= freezes_thawed_us(run, 1));
    run_free(run);
}

QZ_TEST(a_timeout_between_levels_is_told) // each FIFREEZE returned, but together they took too long
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    FREEZES_BEHAVE(run, 2, .freeze_us = 4 * RUN_SECOND);
    FREEZES_BEHAVE(run, 1, .freeze_us = 4 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FsFreezeTimeout");
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

/* ---- Thaws that fail --------------------------------------------------------------------------------------------- */

QZ_TEST(a_thaw_that_fails_is_tried_again) // three times in all; nobody is the worse for two failures
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 2, .thaw_error = EIO, .thaw_errors = 2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(freezes_thaws_begun(run, 1), 3);
    CHECK_INT(freezes_thaws_begun(run, 0), 1);
    run_free(run);
}

QZ_TEST(a_volume_that_stays_frozen_is_told) // ThawFailed; the others are thawed; `quiesce thaw` can still do it
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .thaw_error = EIO, .thaw_errors = 3);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(freezes_claim(run), "filesystem/ThawFailed");
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "thaw_failed");
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "thawed");
    CHECK_STRING(run_text(run, "errors.0.phase"), "thaw");
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    CU_ASSERT_FALSE(virtual_is_frozen(run->world, RUN_DEV(2)));
    CHECK_CONTAINS(virtual_journal(run->world), "/data1");
    CU_ASSERT_PTR_NULL(strstr(virtual_journal(run->world), RUN_POST));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(a_thaw_that_hangs_is_given_up) // after ten seconds it is called failed; the guardian stays at it
{
    struct run *run = run_new(1);
    FREEZES_BEHAVE(run, 1, .thaw_us = 30 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(freezes_claim(run), "filesystem/ThawFailed");
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(what_is_still_frozen_is_not_called_thawed) // whoever reads the report as text, of a thaw or a freeze that hangs
{
    static const struct virtual_volume hang[] = {{.thaw_us = 30 * RUN_SECOND}, {.stuck_until_us = 200 * RUN_SECOND}};
    for (size_t i = 0; i < 2; i++) {
        struct run *run = run_new(1);
        freezes_behave(run, 1, &hang[i]);
        run_quiesce(run, "run -- " RUN_SNAP);
        CHECK_CONTAINS(run->output, "\n1 volume may still be frozen; its error below names it.\n");
        CU_ASSERT_PTR_NULL(strstr(run->output, "Nothing was frozen"));
        run_free(run);
    }
}

QZ_TEST(a_hold_that_could_not_be_ended_in_time_is_lost) // though the volume stayed frozen: nobody meant it to
{
    struct run *run = run_new(1);
    FREEZES_BEHAVE(run, 1, .thaw_error = EIO, .thaw_errors = 3);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 15 * RUN_SECOND});
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CU_ASSERT(run_find_error(run, "ThawFailed") >= 0);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    run_free(run);
}

/* ---- The hold ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_freeze_undone_by_somebody_else_is_lost) // which is noticed when we come to thaw, and not claimed
{
    for (int forbidden = 0; forbidden <= 1; forbidden++) {
        struct run *run = run_new(2);
        run_config(run, forbidden ? NO_CONTINUE : NULL);
        RUN_SCRIPT(run, RUN_SNAP, {.run_us = 2 * RUN_SECOND});
        virtual_foreign_thaw(run->world, RUN_DEV(1), RUN_SECOND);
        CHECK_INT(run_quiesce(run, RUN_JSON), forbidden ? QZ_EXIT_NONE : QZ_EXIT_CRASH);
        CHECK_STRING(run_text(run, "code"), "FreezeLost");
        CHECK_CONTAINS(run_text(run, "errors.0.message"), "somebody else");
        CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "lost");
        CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "thawed");
        run_free(run);
    }
}

QZ_TEST(what_somebody_freezes_after_our_loss_is_theirs) // it is not thawed by us, in this run or by a recovery
{
    struct run *run = run_new(1);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 2 * RUN_SECOND});
    RUN_SCRIPT(run, RUN_POST, {.run_us = RUN_SECOND});
    virtual_foreign_thaw(run->world, RUN_DEV(1), RUN_SECOND);
    virtual_foreign_freeze(run->world, RUN_DEV(1), 2 * RUN_SECOND + RUN_SECOND / 2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    run_free(run);
}

QZ_TEST(nothing_stays_frozen_beyond_the_hold_limit) // counted from the first FIFREEZE, however slow the next ones are
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    FREEZES_BEHAVE(run, 1, .freeze_us = 20 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, "run --format json --hold-limit 3 -- " RUN_SNAP), QZ_EXIT_CRASH);
    CHECK_STRING(freezes_claim(run), "crash/FreezeLost");
    CHECK_INT(freezes_thawed_us(run, 2) - freezes_frozen_us(run, 2), 3 * RUN_SECOND - RUN_MS + 100);
    CHECK_INT(freezes_thawed_us(run, 1) - freezes_frozen_us(run, 1), 100);
    run_free(run);
}

QZ_TEST(while_frozen_nothing_is_written) // no line of log, no journal, no file; a log on a frozen volume stops nobody
{
    struct run *run = run_new(2);
    run_config(run, "\"timeoutInSeconds\": 60");
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 4 * RUN_SECOND});
    RUN_SCRIPT(run, RUN_POST, {.run_us = 4 * RUN_SECOND});
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 20 * RUN_SECOND});
    virtual_stream_on(run->world, QZ_STREAM_LOG, "/data1");
    virtual_stream_on(run->world, QZ_STREAM_RESULT, "/data2");
    CHECK_INT(run_quiesce(run, "run --format json --report /data1/report.json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    size_t count, first = freezes_frozen_place(run, 1), last = freezes_thawed_place(run, 2);
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = first; i < last; i++) {
        enum virtual_op what = trace[i].what;
        CU_ASSERT(what != VIRTUAL_OP_PRINT && what != VIRTUAL_OP_JOURNAL_WRITE && what != VIRTUAL_OP_WRITE_FILE &&
                  what != VIRTUAL_OP_MAKE_DIRECTORY && what != VIRTUAL_OP_REMOVE);
    }
    CU_ASSERT_PTR_NULL(strstr(virtual_trace_text(run->world), "*blocked"));
    CHECK_CONTAINS(run->log, "running for 3 s");
    CU_ASSERT_PTR_NOT_NULL(virtual_file(run->world, "/data1/report.json", &count));
    run_free(run);
}

QZ_TEST(a_log_on_a_volume_that_stays_frozen_stops_nobody) // the post-script runs, and the result is told
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_POST, {.run_us = 4 * RUN_SECOND});
    FREEZES_BEHAVE(run, 1, .thaw_error = EIO);
    virtual_stream_on(run->world, QZ_STREAM_LOG, "/data1");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_FILESYSTEM);
    CHECK_STRING(freezes_claim(run), "filesystem/ThawFailed");
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    for (size_t i = freezes_frozen_place(run, 1), count = 0; i < count || count == 0; i++) {
        const struct virtual_entry *entry = &virtual_trace(run->world, &count)[i];
        CU_ASSERT(entry->what != VIRTUAL_OP_PRINT || entry->value != QZ_STREAM_LOG);
    }
    run_free(run);
}
