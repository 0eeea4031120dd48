/* RCU grace periods are short while filesystems are being frozen, and no longer; and whatever befalls, the number that
 * says so is in the end what it was. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "expedite.h"
#include "freezes.h"
#include "settings.h"

#define RUN_WITH(mode) "run --format json --expedite " mode " -- " RUN_SNAP
#define LIMITED "run --format json --freeze-timeout 5 -- " RUN_SNAP

/* The guardian that has the volumes. */
enum { HOLDER = 2 };

/* When the number was set to `value` for the nth time; -1: never. */
static int64_t set_us(const struct run *run, int value, size_t nth)
{
    return freezes_us(run, VIRTUAL_OP_RCU_SET, value, nth);
}

static void check_not_touched(const struct run *run)
{
    CHECK_INT(set_us(run, QZ_MARK_EXPEDITED, 0), -1);
    CHECK_INT(set_us(run, 0, 0), -1);
    CU_ASSERT_FALSE(run_bool(run, "freeze.expedited"));
}

static void set_rcu(void *world)
{
    virtual_set(world, QZ_SETTING_RCU_EXPEDITED, 5);
}

/* ---- When -------------------------------------------------------------------------------------------------------- */

QZ_TEST(it_is_set_while_freezing_and_no_longer) // through all levels; before anything is held it is put back
{
    struct run *run = run_new(1);
    freezes_add_stored(run, 2, 1);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    size_t set = freezes_place(run, VIRTUAL_OP_RCU_SET, QZ_MARK_EXPEDITED, 0);
    size_t put_back = freezes_place(run, VIRTUAL_OP_RCU_SET, 0, 0);
    CU_ASSERT(set > freezes_place(run, VIRTUAL_DID_OPERATION_ENDS, QZ_VOLUME_SYNC, 1));
    CU_ASSERT(set < freezes_place(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_FREEZE, 0));
    CU_ASSERT(put_back > freezes_frozen_place(run, 1) && put_back > freezes_frozen_place(run, 2));
    CHECK_INT(set_us(run, 0, 0), freezes_frozen_us(run, 1));
    CHECK_INT(freezes_count(run, VIRTUAL_OP_RCU_SET, QZ_MARK_EXPEDITED), 1);
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
    CU_ASSERT_TRUE(run_bool(run, "freeze.expedited"));
    run_free(run);
}

QZ_TEST(it_is_set_only_where_it_pays_and_is_wanted) // auto spares processors; always does not; never is never
{
    static const struct {
        const char *words;
        bool spared, missing;
        bool expedited;
        const char *warning;
    } rows[] = {
        {RUN_JSON, false, false, true, NULL},
        {RUN_JSON, true, false, false, NULL},
        {RUN_JSON, false, true, false, NULL},
        {RUN_WITH("auto"), true, false, false, NULL},
        {RUN_WITH("always"), true, false, true, NULL},
        {RUN_WITH("always"), false, true, false, "the freeze cannot be expedited: /sys/kernel/rcu_expedited: No such file or directory"},
        {RUN_WITH("never"), false, false, false, NULL},
        {"check --format json --expedite always", false, false, true, NULL},
        {"check --format json", true, false, false, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run *run = run_new(2);
        if (rows[i].spared)
            virtual_spare_processors(run->world, "a real-time kernel");
        if (rows[i].missing)
            virtual_lack(run->world, QZ_SETTING_RCU_EXPEDITED);
        CHECK_INT(run_quiesce(run, rows[i].words), QZ_EXIT_APPLICATION);
        CHECK_INT(run_bool(run, "freeze.expedited"), rows[i].expedited);
        CHECK_INT(run_count(run, "warnings"), rows[i].warning ? 1 : 0);
        if (rows[i].warning)
            CHECK_STRING(run_text(run, "warnings.0.message"), rows[i].warning);
        CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
        run_free(run);
    }
}

struct planned {
    enum qz_expedite mode;
    bool planned;
    char why[QZ_DETAIL_SIZE];
};

static void plan(struct qz_os *os, void *argument)
{
    struct planned *planned = argument;
    planned->planned = qz_expedite_plan(os, planned->mode, planned->why);
}

QZ_TEST(why_it_is_not_expedited_is_told) // nothing is, where that was asked for, or where it is
{
    static const struct {
        enum qz_expedite mode;
        bool spared, missing;
        const char *why;
    } rows[] = {
        {QZ_EXPEDITE_AUTO, false, false, ""},
        {QZ_EXPEDITE_AUTO, true, false, "a real-time kernel"},
        {QZ_EXPEDITE_AUTO, false, true, "/sys/kernel/rcu_expedited: No such file or directory"},
        {QZ_EXPEDITE_ALWAYS, true, false, ""},
        {QZ_EXPEDITE_NEVER, true, true, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run *run = run_new(1);
        struct planned planned = {.mode = rows[i].mode, .why = "as before"};
        if (rows[i].spared)
            virtual_spare_processors(run->world, "a real-time kernel");
        if (rows[i].missing)
            virtual_lack(run->world, QZ_SETTING_RCU_EXPEDITED);
        CHECK_INT(virtual_run(run->world, plan, &planned), VIRTUAL_OVER);
        CHECK_STRING(planned.why, rows[i].why);
        CHECK_INT(planned.planned, planned.why[0] == '\0' && rows[i].mode != QZ_EXPEDITE_NEVER);
        run_free(run);
    }
}

QZ_TEST(a_freeze_that_is_not_expedited_does_not_look) // whose number it may be
{
    struct run *run = run_new(1);
    CHECK_INT(run_quiesce(run, RUN_WITH("never")), QZ_EXIT_APPLICATION);
    CHECK_INT(run_calls(run, VIRTUAL_GUARDIAN, VIRTUAL_OP_RCU_GET), 0);
    run_free(run);
}

QZ_TEST(nothing_is_touched_where_nothing_is_frozen) // a flush that fails, or no volume at all
{
    for (int volumes = 0; volumes <= 1; volumes++) {
        struct run *run = run_new((unsigned)volumes);
        if (volumes > 0)
            FREEZES_BEHAVE(run, 1, .sync_error = EIO);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
        check_not_touched(run);
        run_free(run);
    }
}

QZ_TEST(what_others_have_set_stays) // before the freeze, or while it lasts
{
    struct run *run = run_new(1);
    virtual_set(run->world, QZ_SETTING_RCU_EXPEDITED, 1);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    check_not_touched(run);
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 1);
    run_free(run);
    run = run_new(1);
    FREEZES_BEHAVE(run, 1, .freeze_us = 100 * RUN_MS);
    virtual_call_at(run->world, 50 * RUN_MS, set_rcu, run->world);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CU_ASSERT_TRUE(run_bool(run, "freeze.expedited"));
    CHECK_INT(set_us(run, 0, 0), -1);
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 5);
    run_free(run);
}

QZ_TEST(a_number_that_cannot_be_set_stops_nothing) // nor one that cannot be read; the freeze is not expedited
{
    static const enum virtual_op ops[] = {VIRTUAL_OP_RCU_SET, VIRTUAL_OP_RCU_GET};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct run *run = run_new(1);
        virtual_fail(run->world, VIRTUAL_GUARDIAN, ops[i], 1, EACCES);
        CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
        CU_ASSERT_FALSE(run_bool(run, "freeze.expedited"));
        CHECK_INT(run_count(run, "warnings"), 0);
        run_free(run);
    }
}

/* ---- Whatever befalls -------------------------------------------------------------------------------------------- */

QZ_TEST(a_freeze_that_takes_long_is_not_expedited_for_long) // 250 ms, though one hangs for seconds
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 3 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(set_us(run, 0, 0) - set_us(run, QZ_MARK_EXPEDITED, 0), QZ_EXPEDITE_LIMIT_US);
    CHECK_INT(freezes_count(run, VIRTUAL_OP_RCU_SET, 0), 1);
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
    run_free(run);
}

QZ_TEST(a_freeze_that_fails_puts_it_back) // before anything is thawed
{
    struct run *run = run_new(2);
    FREEZES_BEHAVE(run, 1, .freeze_error = EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CU_ASSERT(freezes_place(run, VIRTUAL_OP_RCU_SET, 0, 0) < freezes_place(run, VIRTUAL_OP_VOLUME_START, QZ_VOLUME_THAW, 0));
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
    run_free(run);
}

QZ_TEST(whoever_is_killed_the_other_one_puts_it_back) // at once
{
    for (int role = VIRTUAL_AGENT; role <= VIRTUAL_GUARDIAN; role++) {
        struct run *run = run_new(1);
        FREEZES_BEHAVE(run, 1, .freeze_us = 100 * RUN_MS);
        virtual_kill_at(run->world, (enum virtual_role)role, 50 * RUN_MS);
        run_quiesce(run, RUN_JSON);
        CU_ASSERT(set_us(run, QZ_MARK_EXPEDITED, 0) < 50 * RUN_MS);
        CHECK_INT(set_us(run, 0, 0), 50 * RUN_MS);
        freezes_check_left_nothing(run, true);
        run_free(run);
    }
}

QZ_TEST(a_guardian_that_wakes_up_too_late_puts_it_back) // it was stopped just before it set it, and the agent went on
{
    struct run *run = run_new(1);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 9 * RUN_SECOND});
    virtual_aim(run->world, HOLDER);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_RCU_SET, 1, VIRTUAL_BEFORE, 8 * RUN_SECOND);
    CHECK_INT(run_quiesce(run, LIMITED), QZ_EXIT_CRASH);
    CU_ASSERT(set_us(run, QZ_MARK_EXPEDITED, 0) > 8 * RUN_SECOND);
    CHECK_INT(set_us(run, 0, 0), set_us(run, QZ_MARK_EXPEDITED, 0));
    size_t count, place = freezes_place(run, VIRTUAL_OP_RCU_SET, 0, 0);
    CHECK_INT(virtual_trace(run->world, &count)[place].role, VIRTUAL_GUARDIAN);
    freezes_check_left_nothing(run, true);
    run_free(run);
}

QZ_TEST(a_guardian_that_dies_too_late_has_it_put_back) // by the agent, at the end of the run
{
    struct run *run = run_new(1);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 9 * RUN_SECOND});
    FREEZES_BEHAVE(run, 1, .stuck_until_us = 9 * RUN_SECOND);
    virtual_aim(run->world, HOLDER);
    virtual_stop_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_RCU_SET, 1, VIRTUAL_BEFORE, 5 * RUN_SECOND + 300 * RUN_MS);
    virtual_kill_on(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_RCU_SET, 1, VIRTUAL_AFTER);
    run_quiesce(run, LIMITED);
    CU_ASSERT(set_us(run, QZ_MARK_EXPEDITED, 0) > 5 * RUN_SECOND);
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
    run_free(run);
}

QZ_TEST(who_comes_after_two_dead_puts_it_back) // quiesce thaw, or the next run
{
    for (int next_run = 0; next_run <= 1; next_run++) {
        struct run *run = run_new(1);
        FREEZES_BEHAVE(run, 1, .freeze_us = 100 * RUN_MS);
        virtual_kill_at(run->world, VIRTUAL_AGENT, 50 * RUN_MS);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 50 * RUN_MS);
        run_quiesce(run, RUN_JSON);
        CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), QZ_MARK_EXPEDITED);
        run_quiesce(run, next_run ? RUN_WITH("never") : "thaw");
        CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        run_free(run);
    }
}

QZ_TEST(quiesce_thaw_puts_it_back_over_the_head_of_the_living) // who do not react, and have to be helped
{
    struct run *run = run_new(1);
    FREEZES_BEHAVE(run, 1, .freeze_us = 100 * RUN_MS);
    virtual_stop_at(run->world, VIRTUAL_AGENT, 50 * RUN_MS, QZ_NEVER);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, 50 * RUN_MS, QZ_NEVER);
    run_quiesce(run, RUN_JSON);
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), QZ_MARK_EXPEDITED);
    run_quiesce(run, "thaw");
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(a_mark_without_a_journal_is_put_back) // and what is none is left as it is
{
    static const char *const words[] = {"thaw", RUN_WITH("never")};
    static const int values[][2] = {{QZ_MARK_EXPEDITED, 0}, {1, 1}};
    for (size_t i = 0; i < 4; i++) {
        struct run *run = run_new(1);
        virtual_set(run->world, QZ_SETTING_RCU_EXPEDITED, values[i / 2][0]);
        run_quiesce(run, words[i % 2]);
        CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), values[i / 2][1]);
        run_free(run);
    }
}

QZ_TEST(putting_it_back_is_tried_again) // a quarter of a second later, and at the end; then a warning says what to do
{
    struct run *run = run_new(1);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_SECOND});
    virtual_aim(run->world, HOLDER);
    virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_RCU_SET, 2, EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(set_us(run, 0, 1) - set_us(run, 0, 0), QZ_EXPEDITE_LIMIT_US);
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
    CHECK_INT(run_count(run, "warnings"), 0);
    run_free(run);
    run = run_new(1);
    for (unsigned nth = 2; nth < 5; nth++)
        virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_RCU_SET, nth, EIO);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_RCU_SET, 1, EIO);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "could not be put back (Input/output error); write 0 to it");
    CU_ASSERT_TRUE(run_is_null(run, "warnings.0.line")); /* it is about no file that was read */
    run_free(run);
}
