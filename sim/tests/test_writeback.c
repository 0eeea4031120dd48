/* Where much is dirty it is written out before anything is flushed; and whatever befalls, the setting that makes the
 * kernel do so is in the end what it was. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "freezes.h"
#include "settings.h"
#include "writeback.h"

#define MIB INT64_C(1048576)
#define MARKED (VIRTUAL_PERIOD + QZ_MARK_PERIOD)
#define FLUSH_US (2 * RUN_MS)
#define LIMITED "run --format json --freeze-timeout 4 -- " RUN_SNAP

static struct run *dirty_run(int64_t mib, int64_t mib_per_s)
{
    struct run *run = run_new(2);
    virtual_set_dirty(run->world, mib * MIB, mib_per_s * MIB);
    return run;
}

static size_t woken(const struct run *run)
{
    return freezes_count(run, VIRTUAL_OP_PERIOD_SET, MARKED);
}

static int64_t woken_us(const struct run *run, size_t nth)
{
    return freezes_us(run, VIRTUAL_OP_PERIOD_SET, MARKED, nth);
}

static int64_t flushed_us(const struct run *run)
{
    return freezes_us(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_SYNC, 0);
}

static int64_t written_out_us(const struct run *run)
{
    return flushed_us(run) - woken_us(run, 0);
}

static int period(const struct run *run)
{
    return virtual_setting(run->world, QZ_SETTING_WRITEBACK_PERIOD);
}

/* ---- When, and for how long -------------------------------------------------------------------------------------- */

QZ_TEST(what_is_dirty_is_written_out_before_it_is_flushed) // nobody waits for it but we; it counts as flushing
{
    struct run *run = dirty_run(50, 100);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(woken(run), 1);
    CHECK_INT(freezes_us(run, VIRTUAL_OP_PERIOD_SET, VIRTUAL_PERIOD, 0), woken_us(run, 0));
    CHECK_INT(written_out_us(run), 500 * RUN_MS + QZ_WRITEBACK_LOOK_US);
    CHECK_INT(run_number(run, "freeze.volumes.0.presync_us"), written_out_us(run) + FLUSH_US);
    CHECK_INT(period(run), VIRTUAL_PERIOD);
    run_free(run);
}

QZ_TEST(little_is_not_worth_it) // nor what nobody knows
{
    static const struct {
        int64_t bytes;
        int error;
        size_t woken;
    } rows[] = {{QZ_WRITEBACK_WORTH_BYTES, 0, 1}, {QZ_WRITEBACK_WORTH_BYTES - 1, 0, 0}, {64 * MIB, EIO, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run *run = run_new(1);
        virtual_set_dirty(run->world, rows[i].bytes, 100 * MIB);
        if (rows[i].error)
            virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_DIRTY_BYTES, 1, rows[i].error);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
        CHECK_INT(woken(run), rows[i].woken);
        run_free(run);
    }
}

QZ_TEST(disks_that_do_not_write_are_not_waited_for) // what is dirty is somebody else's
{
    struct run *run = dirty_run(64, 0);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(written_out_us(run), QZ_WRITEBACK_IDLE_LOOKS * QZ_WRITEBACK_LOOK_US);
    CHECK_INT(woken(run), 1);
    run_free(run);
}

QZ_TEST(disks_that_always_write_are_not_waited_for) // when they have written twice what was dirty anywhere
{
    struct run *run = dirty_run(50, 100);
    virtual_busy_disks(run->world, 100 * MIB);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(written_out_us(run), 500 * RUN_MS); /* 50 by one, and by the others 50 */
    CHECK_INT(woken(run), 1);
    run_free(run);
}

QZ_TEST(slow_disks_leave_three_quarters_of_the_freeze_timeout) // and what is left is flushed
{
    struct run *run = dirty_run(1000, 1);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_APPLICATION);
    CHECK_INT(written_out_us(run), RUN_SECOND);
    CHECK_INT(woken(run), 1);
    run_free(run);
}

/* Somebody dirties so much more, which nobody writes out unless he is woken up again. */
static void dirty_mib(struct run *run, int64_t mib)
{
    virtual_set_dirty(run->world, mib * MIB, 100 * MIB);
}

#define DIRTIES(mib) \
    static void dirty_##mib(void *run) { dirty_mib(run, mib); }
DIRTIES(4)
DIRTIES(10)
DIRTIES(24)
DIRTIES(60)
DIRTIES(160)

QZ_TEST(what_was_dirtied_meanwhile_has_a_round_of_its_own) // after one worth it, that wrote less than half of the one before
{
    static void (*const dirty[])(void *run) = {dirty_160, dirty_60, dirty_24, dirty_10};
    static const int64_t over_us[] = {4001 * RUN_MS, 5611 * RUN_MS, 6221 * RUN_MS, 6471 * RUN_MS};
    for (size_t more = 0; more <= 4; more++) {
        struct run *run = dirty_run(400, 100);
        for (size_t i = 0; i < more; i++)
            virtual_call_at(run->world, over_us[i] + 5 * RUN_MS, dirty[i], run); /* between two looks that see nothing */
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
        CHECK_INT(woken(run), more < QZ_WRITEBACK_ROUNDS_MAX ? more + 1 : QZ_WRITEBACK_ROUNDS_MAX);
        run_free(run);
    }
    struct run *run = dirty_run(4, 100); /* as little as is worth it */
    virtual_call_at(run->world, 46 * RUN_MS, dirty_4, run);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(woken(run), 2);
    run_free(run);
    run = dirty_run(48, 100);
    virtual_call_at(run->world, 485 * RUN_MS, dirty_24, run);
    virtual_call_at(run->world, 735 * RUN_MS, dirty_10, run);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(woken(run), 2);
    run_free(run);
}

static void stand_still(void *run)
{
    virtual_set_dirty(((struct run *)run)->world, 40 * MIB, 0);
}

QZ_TEST(each_round_is_waited_for) // though nothing is being written to our disks: it may have to begin first
{
    struct run *run = dirty_run(100, 100);
    virtual_call_at(run->world, 1006 * RUN_MS, stand_still, run);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(woken(run), 2);
    CHECK_INT(flushed_us(run) - woken_us(run, 1), QZ_WRITEBACK_IDLE_LOOKS * QZ_WRITEBACK_LOOK_US);
    run_free(run);
}

QZ_TEST(where_it_cannot_be_all_goes_on_as_ever) // a setting that is not there, or that somebody has set to what is unusual
{
    static const int values[] = {0, 50, 550, MARKED + 1, QZ_MARK_PERIOD_MAX + QZ_MARK_PERIOD_UNIT};
    for (size_t i = 0; i <= sizeof values / sizeof values[0]; i++) {
        struct run *run = dirty_run(50, 100);
        int value = VIRTUAL_PERIOD;
        if (i == 0)
            virtual_lack(run->world, QZ_SETTING_WRITEBACK_PERIOD);
        else
            virtual_set(run->world, QZ_SETTING_WRITEBACK_PERIOD, value = values[i - 1]);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
        CHECK_INT(run_number(run, "freeze.volumes.0.presync_us"), FLUSH_US);
        CHECK_INT(run_count(run, "warnings"), 0);
        CHECK_INT(period(run), value);
        run_free(run);
    }
}

/* ---- Whatever befalls -------------------------------------------------------------------------------------------- */

QZ_TEST(a_lost_agent_is_not_waited_for) // nothing is frozen by then, and nothing will be
{
    struct run *run = dirty_run(1000, 100);
    virtual_kill_at(run->world, VIRTUAL_AGENT, RUN_SECOND);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(flushed_us(run), -1);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(whoever_is_killed_the_setting_is_put_back) // by the agent, or by who comes after two dead
{
    for (int way = 0; way < 3; way++) {
        struct run *run = dirty_run(50, 100);
        virtual_kill_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_PERIOD_SET, 1, VIRTUAL_AFTER);
        if (way > 0)
            virtual_kill_on(run->world, VIRTUAL_AGENT, VIRTUAL_OP_PERIOD_GET, 2, VIRTUAL_BEFORE);
        run_quiesce(run, RUN_JSON);
        if (way > 0) {
            CHECK_INT(period(run), MARKED);
            run_quiesce(run, way == 1 ? "thaw" : RUN_JSON);
        }
        CHECK_INT(period(run), VIRTUAL_PERIOD);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        run_free(run);
    }
}

QZ_TEST(a_guardian_that_sleeps_puts_it_back) // or the agent has, when it wakes up
{
    struct run *run = dirty_run(50, 100);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_PERIOD_SET, 1, VIRTUAL_BEFORE, 8 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CHECK_INT(period(run), VIRTUAL_PERIOD);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(putting_it_back_is_tried_again) // at the end; then a warning says what to do
{
    for (unsigned times = 1; times <= 2; times++) {
        struct run *run = dirty_run(50, 100);
        virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_PERIOD_SET, 2, EIO);
        if (times > 1)
            virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_PERIOD_SET, 1, EIO);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
        CHECK_INT(run_count(run, "warnings"), times - 1);
        if (times > 1)
            CHECK_STRING(run_text(run, "warnings.0.message"),
                         "vm.dirty_writeback_centisecs could not be put back (Input/output error); it is 63 too much");
        CHECK_INT(period(run), VIRTUAL_PERIOD); /* and again as the run ends */
        run_free(run);
    }
}

QZ_TEST(only_a_mark_is_taken_away) // what looks like none stays
{
    static const int values[][2] = {{MARKED, VIRTUAL_PERIOD}, {100 + QZ_MARK_PERIOD, 100},
                                    {QZ_MARK_PERIOD_MAX + QZ_MARK_PERIOD, QZ_MARK_PERIOD_MAX}, {QZ_MARK_PERIOD, QZ_MARK_PERIOD},
                                    {MARKED + 50, MARKED + 50}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct run *run = run_new(1);
        virtual_set(run->world, QZ_SETTING_WRITEBACK_PERIOD, values[i][0]);
        run_quiesce(run, "thaw");
        CHECK_INT(period(run), values[i][1]);
        run_free(run);
    }
}
