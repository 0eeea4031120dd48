/* `quiesce status`, `quiesce thaw` and the next run: what is frozen, by whom, and who thaws it. The rules are those of
 * quiesce(8). The journal itself: test_journal.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define SECOND RUN_SECOND
#define MS RUN_MS

/* Has a run killed, with its guardian, in the middle of its snapshot: both volumes stay frozen. */
static void leave_frozen(struct run *run)
{
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    int64_t killed_us = virtual_now_us(run->world) + 5 * SECOND;
    virtual_kill_at(run->world, VIRTUAL_AGENT, killed_us);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, killed_us);
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    CHECK_INT(virtual_frozen_count(run->world), run->volumes);
    virtual_pass(run->world, 60 * SECOND);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = MS});
}

/* ---- status ----------------------------------------------------------------------------------------------------- */

QZ_TEST(status_of_a_machine_at_rest) // nothing is frozen, by us
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, "status"), 0);
    CHECK_STRING(run->output, "nothing is frozen by quiesce\n");
    CHECK_INT(run_quiesce(run, "status --format json"), 0);
    CHECK_INT(run_count(run, "frozen"), 0);
    CHECK_INT(cJSON_GetArraySize(run->json), 1);
    run_free(run);
}

QZ_TEST(status_of_a_run_under_way) // what is frozen, by whom, since when, until when
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    run_beside(run, 5 * SECOND, "status --format json");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run->beside->status, 0);
    char run_id[64];
    snprintf(run_id, sizeof run_id, "%s", run_text(run, "run_id"));
    cJSON_Delete(run->json);
    run->json = cJSON_ParseWithOpts(run->beside->output, NULL, true);
    CHECK_STRING(run_text(run, "run_id"), run_id);
    CHECK_STRING(run_text(run, "command"), "run");
    CHECK_INT(run_number(run, "agent"), 1000);
    CHECK_INT(run_number(run, "guardian"), 1002);
    CU_ASSERT_TRUE(run_bool(run, "agent_alive"));
    CU_ASSERT_TRUE(run_bool(run, "guardian_alive"));
    CHECK_STRING(run_text(run, "since"), "2024-01-01T00:00:00Z");
    CHECK_STRING(run_text(run, "until"), "2024-01-01T00:02:00Z");
    CHECK_INT(run_count(run, "frozen"), 2);
    CHECK_STRING(run_text(run, "frozen.1.mount"), "/data2");
    CHECK_STRING(run_text(run, "frozen.1.device"), "/dev/vdb");
    CHECK_STRING(run_text(run, "frozen.1.fstype"), "ext4");
    run_beside(run, 5 * SECOND, "status");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->beside->output, "alive, guardian ");
    CHECK_CONTAINS(run->beside->output, "frozen: /data1 (ext4 on /dev/vdb), until 2024-01-01T00:02:1");
    CU_ASSERT_PTR_NULL(strstr(run->beside->output, "nobody is left"));
    run_free(run);
}

QZ_TEST(status_before_the_freeze) // a run is under way, and nothing is frozen
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 10 * SECOND});
    run_beside(run, 5 * SECOND, "status");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->beside->output, "quiesce run, run 20240101T000000Z-");
    CHECK_CONTAINS(run->beside->output, "\nnothing is frozen\n");
    run_free(run);
}

QZ_TEST(status_after_both_were_killed) // what is frozen still, and that nobody is left to thaw it
{
    struct run *run = run_new(2);
    leave_frozen(run);
    CHECK_INT(run_quiesce(run, "status"), 0);
    CHECK_CONTAINS(run->output, "agent 1000 dead, guardian 1002 dead\n");
    CHECK_CONTAINS(run->output, "\nfrozen: /data1 (ext4 on /dev/vdb)\n");
    CHECK_CONTAINS(run->output, "frozen: /data2 ");
    CHECK_CONTAINS(run->output, "nobody is left to thaw: use `quiesce thaw`\n");
    CHECK_INT(run_quiesce(run, "status --format json"), 0);
    CU_ASSERT_FALSE(run_bool(run, "agent_alive"));
    CU_ASSERT_FALSE(run_bool(run, "guardian_alive"));
    CHECK_INT(run_count(run, "frozen"), 2);
    run_free(run);
}

QZ_TEST(status_after_the_agent_was_killed) // its guardian is there still, and runs the post-scripts
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    RUN_SCRIPT(run, RUN_POST, {.run_us = 10 * SECOND});
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * SECOND);
    run_beside(run, 8 * SECOND, "status");
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    CHECK_CONTAINS(run->beside->output, "agent 1000 dead, guardian 1002 alive\n");
    CU_ASSERT_PTR_NULL(strstr(run->beside->output, "nobody is left"));
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(a_number_that_was_given_again_is_nobody) // a process is known by when it was started, too
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_add_process(run->world, &(struct qz_process){.pid = 1000, .start_time = 1});
    CHECK_INT(run_quiesce(run, "status --format json"), 0);
    CU_ASSERT_FALSE(run_bool(run, "agent_alive"));
    run_free(run);
}

QZ_TEST(a_reboot_ends_every_freeze) // the journal of another boot says nothing to status, thaw or run
{
    struct run *run = run_new(2);
    leave_frozen(run);
    char journal[2048];
    snprintf(journal, sizeof journal, "%s", virtual_journal(run->world));
    virtual_reboot(run->world);
    virtual_set_journal(run->world, journal);
    CHECK_INT(run_quiesce(run, "status"), 0);
    CHECK_STRING(run->output, "nothing is frozen by quiesce\n");
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_STRING(run->output, "nothing is frozen by quiesce\n");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "warnings"), 0);
    run_free(run);
}

QZ_TEST(a_damaged_journal_is_told) // by status and thaw, as a failure; by the next run, as a warning
{
    struct run *run = run_new(2);
    virtual_set_journal(run->world, "{}");
    CHECK_INT(run_quiesce(run, "status"), QZ_EXIT_SOFTWARE);
    CHECK_CONTAINS(run->log, VIRTUAL_STATE_DIRECTORY "/journal: not a journal of quiesce");
    CHECK_CONTAINS(run->log, "(InternalError, 990)");
    CHECK_INT(run_quiesce(run, "thaw"), QZ_EXIT_SOFTWARE);
    CHECK_CONTAINS(run->log, VIRTUAL_STATE_DIRECTORY "/journal: not a journal of quiesce");
    CHECK_STRING(run->output, "");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "not a journal of quiesce");
    run_free(run);
}

/* A machine whose one volume is mounted where no name should be. */
static struct run *run_with_strange_volume(void)
{
    struct run *run = run_new(0);
    virtual_add_ext4(run->world, "/mnt/\x1b[31m\n\xff", RUN_DEV(1));
    run->volumes = 1;
    return run;
}

QZ_TEST(strange_mount_points_do_no_harm) // status and thaw show them, and JSON stays JSON; the volume gets thawed
{
    struct run *run = run_with_strange_volume();
    leave_frozen(run);
    CHECK_INT(run_quiesce(run, "status"), 0);
    CHECK_CONTAINS(run->output, "frozen: /mnt/\\x1b[31m\\n\\xff (ext4 on /dev/vdb)\n");
    CHECK_INT(run_quiesce(run, "status --format json"), 0);
    CHECK_STRING(run_text(run, "frozen.0.mount"), "/mnt/\x1b[31m\n\xEF\xBF\xBD");
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_CONTAINS(run->output, "thawed: /mnt/\\x1b[31m\\n\\xff (ext4 on /dev/vdb)\n");
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

/* ---- thaw ------------------------------------------------------------------------------------------------------- */

QZ_TEST(there_is_nothing_to_thaw) // which is no failure; somebody else's freeze stays as it is
{
    struct run *run = run_new(2);
    virtual_foreign_freeze(run->world, RUN_DEV(1), 0);
    virtual_pass(run->world, SECOND);
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_STRING(run->output, "nothing is frozen by quiesce\n");
    CU_ASSERT_TRUE(virtual_is_frozen(run->world, RUN_DEV(1)));
    run_free(run);
}

QZ_TEST(thaw_tells_a_run_under_way) // its guardian thaws; the run then claims no more than it can
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    run_beside(run, 5 * SECOND, "thaw");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "code"), "FreezeLost");
    CHECK_INT(run->beside->status, 0);
    CHECK_STRING(run->beside->output, "thawed: /data1 (ext4 on /dev/vdb)\nthawed: /data2 (ext4 on /dev/vdb)\n");
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < 6 * SECOND);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(thaw_ends_a_freeze) // `quiesce freeze` is ended early by it, and says so
{
    struct run *run = run_new(2);
    run_beside(run, 5 * SECOND, "thaw");
    CHECK_INT(run_quiesce(run, "freeze --hold 300 --format json"), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "FreezeLost");
    CHECK_INT(run->beside->status, 0);
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) < 6 * SECOND);
    CU_ASSERT_TRUE(virtual_now_us(run->world) < 10 * SECOND);
    run_free(run);
}

QZ_TEST(thaw_leaves_a_run_that_has_not_frozen) // there is nothing to thaw
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 10 * SECOND});
    run_beside(run, 5 * SECOND, "thaw");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run->beside->status, 0);
    CHECK_STRING(run->beside->output, "nothing is frozen by quiesce\n");
    CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_LOCK), 1);
    run_free(run);
}

QZ_TEST(thaw_after_both_were_killed) // what the journal names; whose post-script never ran is told
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_foreign_freeze(run->world, RUN_DEV(9), virtual_now_us(run->world));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_STRING(run->output, "thawed: /data1 (ext4 on /dev/vdb)\nthawed: /data2 (ext4 on /dev/vdb)\n");
    CHECK_CONTAINS(run->log, "post-script " RUN_POST " of run 20240101T000000Z-");
    CHECK_CONTAINS(run->log, " never ran: its application may still be quiesced");
    CHECK_INT(virtual_frozen_count(run->world), 1);
    CHECK_STRING(virtual_journal(run->world), "");
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_STRING(run->output, "nothing is frozen by quiesce\n");
    run_free(run);
}

QZ_TEST(thaw_tells_what_had_been_thawed) // by others since: what is not frozen any more is not called thawed by us
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_foreign_thaw(run->world, RUN_DEV(1), virtual_now_us(run->world));
    virtual_pass(run->world, SECOND);
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_STRING(run->output,
                 "was not frozen any more: /data1 (ext4 on /dev/vdb)\nthawed: /data2 (ext4 on /dev/vdb)\n");
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(thaw_owns_up_to_failure) // status 20, the volume and the cause; it can be tried again
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.thaw_error = EIO, .thaw_errors = 3});
    CHECK_INT(run_quiesce(run, "thaw"), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->log, "/data2 (/dev/vdb): still frozen: Input/output error (ThawFailed, 902)");
    CHECK_STRING(run->output, "thawed: /data1 (ext4 on /dev/vdb)\n");
    CU_ASSERT_FALSE(virtual_is_frozen(run->world, RUN_DEV(1)));
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(thaw_does_not_depend_on_a_guardian) // one that is stopped is given five seconds
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    virtual_stop_at(run->world, VIRTUAL_AGENT, SECOND, QZ_NEVER);
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, SECOND, QZ_NEVER);
    run_beside(run, 5 * SECOND, "thaw");
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    CHECK_INT(run->end, VIRTUAL_LEFT_STOPPED);
    CHECK_INT(run->beside->status, 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) >= 9 * SECOND);
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) <= 11 * SECOND);
    CHECK_STRING(run->beside->log, "");
    CU_ASSERT_TRUE(strlen(virtual_journal(run->world)) > 0);
    run_free(run);
}

QZ_TEST(thaw_helps_a_stopped_guardian) // whose agent is dead: it has the lock, and the run is still its own
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * SECOND});
    virtual_stop_at(run->world, VIRTUAL_GUARDIAN, SECOND, 60 * SECOND);
    virtual_kill_at(run->world, VIRTUAL_AGENT, 2 * SECOND);
    run_beside(run, 5 * SECOND, "thaw");
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    CHECK_INT(run->beside->status, 0);
    CHECK_STRING(run->beside->output, "thawed: /data1 (ext4 on /dev/vdb)\nthawed: /data2 (ext4 on /dev/vdb)\n");
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) <= 11 * SECOND);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(thaw_goes_by_what_is_owed_now) // another one was faster: what it thawed is not told, and not thawed, again
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_aim(run->world, 1);
    virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_LOCK, 1, SECOND);
    run_beside(run, SECOND / 2, "thaw");
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_INT(run->beside->status, 0);
    CHECK_CONTAINS(run->beside->output, "thawed: /data1 ");
    CHECK_STRING(run->output, "nothing is frozen by quiesce any more\n");
    CHECK_STRING(run->log, "");
    run_free(run);
}

QZ_TEST(thaw_tells_of_debts_that_are_no_freeze) // both were killed before anything was frozen
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 10 * SECOND});
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * SECOND);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 5 * SECOND);
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    CHECK_INT(run_quiesce(run, "thaw"), 0);
    CHECK_STRING(run->output, "nothing is frozen by quiesce\n");
    CHECK_CONTAINS(run->log, "post-script " RUN_POST " of run 20240101T000000Z-");
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(thaw_needs_the_lock) // it says so if that fails, as what it is: quiesce's own failure
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_LOCK, 1, ENOSPC);
    CHECK_INT(run_quiesce(run, "thaw"), QZ_EXIT_SOFTWARE);
    CHECK_CONTAINS(run->log, VIRTUAL_STATE_DIRECTORY "/lock: No space left on device (InternalError, 990)");
    CHECK_INT(virtual_frozen_count(run->world), 2);
    run_free(run);
}

QZ_TEST(an_unsafe_state_directory_is_told) // who owns it or may write to it, and what it must be
{
    struct run *run = run_new(1);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_LOCK, 1, EPERM);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_SOFTWARE);
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "it must be root's, with mode 0755 or less");
    run_free(run);
}

QZ_TEST(what_the_dead_left_beside_is_removed) // their snapshot command's TMPDIR, by thaw and by the next run
{
    static const char *const commands[] = {"thaw", RUN_JSON};
    for (size_t i = 0; i < 2; i++) {
        struct run *run = run_new(2);
        leave_frozen(run);
        const char *tmpdir = run_variable(run, RUN_SNAP, 0, "TMPDIR");
        char *inside = NULL;
        CU_ASSERT_TRUE(tmpdir && asprintf(&inside, "%s/left", tmpdir) > 0);
        virtual_add_file(run->world, inside, 0, 0600, "");
        run_quiesce(run, commands[i]);
        CU_ASSERT_PTR_NULL(virtual_file(run->world, inside, NULL));
        free(inside);
        run_free(run);
    }
}

QZ_TEST(thaw_does_not_wait_for_the_dead) // a killed process that hangs in the kernel holds up its own volume only
{
    struct run *run = run_new(2);
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.stuck_until_us = 100 * SECOND});
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * SECOND);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 5 * SECOND);
    run_beside(run, 8 * SECOND, "thaw");
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    CHECK_INT(run->beside->status, QZ_EXIT_NONE);
    CHECK_STRING(run->beside->output, "thawed: /data1 (ext4 on /dev/vdb)\n");
    CHECK_CONTAINS(run->beside->log, "/data2 (/dev/vdb): still frozen: FITHAW has not returned (ThawFailed, 902)");
    CU_ASSERT_TRUE(virtual_longest_frozen_us(run->world, RUN_DEV(1)) <= 9 * SECOND);
    run_free(run);
}

QZ_TEST(thaw_does_not_meddle_with_the_next_run) // which has the lock, and thaws what was left frozen itself
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_lock_by_other(run->world, QZ_NEVER);
    CHECK_INT(run_quiesce(run, "thaw"), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->log, "(AlreadyRunning, 920)");
    CHECK_INT(virtual_frozen_count(run->world), 2);
    run_free(run);
}

/* ---- The next run ----------------------------------------------------------------------------------------------- */

QZ_TEST(the_next_run_thaws_first) // what killed processes left frozen, before its pre-script; and says so
{
    struct run *run = run_new(2);
    leave_frozen(run);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run_count(run, "warnings"), 2);
    CHECK_CONTAINS(run_text(run, "warnings.0.message"),
                   "was killed before it had ended; thawed of what it had left frozen: 2; post-scripts of it that never ran: 1");
    CHECK_CONTAINS(run_text(run, "warnings.1.message"), "post-script " RUN_POST " of run 20240101T000000Z-");
    CHECK_CONTAINS(run_text(run, "warnings.1.message"), " never ran: its application may still be quiesced");
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}

QZ_TEST(beside_an_old_freeze_nothing_is_begun) // a volume that a dead run left and that cannot be thawed: ThawFailed
{
    struct run *run = run_new(2);
    leave_frozen(run);
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.thaw_error = EIO, .thaw_errors = 3});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "ThawFailed");
    CHECK_CONTAINS(run_text(run, "errors.0.message"), "/data2 (/dev/vdb): still frozen: Input/output error");
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "thawed of what it had left frozen: 1;");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    virtual_set_volume(run->world, RUN_DEV(2), &(struct virtual_volume){.thaw_error = EIO, .thaw_errors = 3});
    CHECK_INT(run_quiesce(run, "run -- " RUN_SNAP), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, "\n1 volume may still be frozen; its error below names it.\n");
    CHECK_INT(run_quiesce(run, "status --format json"), 0);
    CHECK_INT(run_count(run, "frozen"), 2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(what_is_frozen_is_not_forgotten_where_memory_is_short) // as the next run begins, or somebody thaws
{
    static const char *const commands[] = {RUN_JSON, "freeze --hold 1", "thaw", "status", "check"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        bool refused = true;
        for (unsigned nth = 1; refused; nth++) {
            struct run *run = run_new(2);
            leave_frozen(run);
            virtual_starve(run->world, VIRTUAL_AGENT, 1, nth);
            run_quiesce(run, commands[i]);
            refused = virtual_asked_for(run->world, VIRTUAL_AGENT, 1) >= nth;
            virtual_starve(run->world, VIRTUAL_AGENT, 1, 0);
            CU_ASSERT(!strstr(run->log, "remove it") && !strstr(run->output, "remove it"));
            CHECK_INT(run_quiesce(run, "thaw"), 0);
            CHECK_INT(virtual_frozen_count(run->world), 0);
            run_free(run);
        }
    }
}

QZ_TEST(what_was_found_is_told_after_the_last_attempt) // not forgotten with the first one
{
    struct run *run = run_new(2);
    leave_frozen(run);
    RUN_SCRIPT(run, RUN_SNAP, {.status = 1}, {.status = 0});
    CHECK_INT(run_quiesce(run, "run --attempts 2 --format json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
    CHECK_INT(run_number(run, "attempt"), 2);
    CHECK_INT(run_count(run, "warnings"), 2);
    CHECK_CONTAINS(run_text(run, "warnings.0.message"), "thawed of what it had left frozen: 2;");
    run_free(run);
}
