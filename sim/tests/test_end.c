/* What `quiesce begin` and `quiesce end` wait for, and what they say. What is left where one of them is killed:
 * test_open.c; what is kept in between: test_kept.c. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "call.h"

#define LOOK_LEAST_US (2 * RUN_MS)
#define LOOK_MOST_US (250 * RUN_MS)

/* When the last process of that kind ended; -1: there is none. */
static int64_t ended_us(const struct run *run, enum virtual_half half)
{
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    while (count-- > 0)
        if (trace[count].what == VIRTUAL_DID_ENDS && trace[count].role == VIRTUAL_AGENT && trace[count].detail == half)
            return trace[count].at_us;
    return -1;
}

/* How often `part` stands in `text`. */
static int occurrences(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part))) {
        text++;
        count++;
    }
    return count;
}

/* A backup whose post-script takes so long, begun. */
static struct run *opened_run(struct call *begin, int64_t post_us)
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_POST, {.run_us = post_us});
    call_do(run, begin, true);
    CHECK_INT(begin->status, QZ_EXIT_APPLICATION);
    return run;
}

/* ---- How long is waited ----------------------------------------------------------------------------------------- */

/* When `end` looked whether anybody has the lock: the times since the trace's entry `from`. */
static size_t looks_since(const struct run *run, size_t from, int64_t *times, size_t most)
{
    size_t count, looks = 0;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = from; i < count && looks < most; i++)
        if (trace[i].what == VIRTUAL_OP_LOCK)
            times[looks++] = trace[i].at_us;
    return looks;
}

QZ_TEST(end_looks_at_an_eighth_of_what_was_waited) // apart; 2 ms at least and 250 at most: soon enough, and not often
{
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
    struct run *run = opened_run(&begin, 4 * RUN_SECOND);
    int64_t times[1000];
    size_t from;
    virtual_trace(run->world, &from);
    call_do(run, &end, false);
    size_t looks = looks_since(run, from, times, sizeof times / sizeof times[0]);
    CU_ASSERT(looks > 20 && looks < 100);
    for (size_t i = 0; i + 1 < looks; i++) {
        int64_t waited_us = times[i] - times[0], pause_us = waited_us / 8;
        pause_us = pause_us < LOOK_LEAST_US ? LOOK_LEAST_US : pause_us > LOOK_MOST_US ? LOOK_MOST_US : pause_us;
        CHECK_INT(times[i + 1] - times[i], pause_us);
    }
    CU_ASSERT(ended_us(run, VIRTUAL_ALONE) - ended_us(run, VIRTUAL_BACKGROUND) <= LOOK_MOST_US);
    run_free(run);
}

QZ_TEST(what_is_waited_for_is_said_after_ten_seconds) // once
{
    static const char said[] = "waiting for the end of the backup";
    for (int slow = 0; slow <= 1; slow++) {
        struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
        struct run *run = opened_run(&begin, slow ? 30 * RUN_SECOND : 9 * RUN_SECOND);
        int64_t start_us = virtual_now_us(run->world);
        call_do(run, &end, false);
        CHECK_INT(end.status, QZ_EXIT_APPLICATION);
        CHECK_INT(occurrences(run->log, said), slow);
        int64_t said_us = run_logged_us(run, said, 0);
        CU_ASSERT(!slow || (said_us >= start_us + 10 * RUN_SECOND && said_us <= start_us + 11 * RUN_SECOND));
        run_free(run);
    }
}

QZ_TEST(end_waits_for_who_kept_the_result) // so that the next one finds the lock free
{
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
    struct call next = CALL((char[]){"run"}, (char[]){"--hold"}, (char[]){"1"});
    struct run *run = opened_run(&begin, RUN_MS);
    virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_DISMISS, VIRTUAL_EVERY, 5 * RUN_SECOND);
    call_do(run, &end, true);
    CHECK_INT(end.status, QZ_EXIT_APPLICATION);
    CU_ASSERT(ended_us(run, VIRTUAL_BACKGROUND) > 5 * RUN_SECOND);
    CU_ASSERT(ended_us(run, VIRTUAL_ALONE) >= ended_us(run, VIRTUAL_BACKGROUND));
    virtual_forget_faults(run->world);
    call_do(run, &next, false);
    CHECK_INT(next.status, QZ_EXIT_APPLICATION);
    run_free(run);
}

QZ_TEST(end_does_not_wait_for_a_guardian_that_has_to) // for a FIFREEZE that hangs: what is kept is told without it
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    virtual_set_volume(run->world, RUN_DEV(1), &(struct virtual_volume){.stuck_until_us = 300 * RUN_SECOND});
    call_do(run, &begin, true);
    CHECK_INT(begin.status, QZ_EXIT_CRASH);
    int64_t start_us = virtual_now_us(run->world);
    CU_ASSERT(start_us < 200 * RUN_SECOND);
    call_do(run, &end, true);
    CHECK_INT(end.status, QZ_EXIT_CRASH);
    CHECK_STRING(run_text(run, "freeze.volumes.0.outcome"), "stuck");
    CU_ASSERT(ended_us(run, VIRTUAL_ALONE) < start_us + RUN_SECOND);
    virtual_pause(run->world, 300 * RUN_SECOND);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    run_free(run);
}

QZ_TEST(whoever_waits_may_be_told_to_stop) // the backup goes on to its end, and its result is for the next one
{
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"}), again = CALL((char[]){"end"});
    struct run *run = opened_run(&begin, 20 * RUN_SECOND);
    int64_t told_us = virtual_now_us(run->world) + 5 * RUN_SECOND;
    virtual_signal_at(run->world, VIRTUAL_AGENT, SIGTERM, told_us);
    call_do(run, &end, true);
    CHECK_INT(end.status, QZ_EXIT_NONE);
    CHECK_INT(ended_us(run, VIRTUAL_ALONE), told_us);
    CHECK_STRING(run->output, "");
    CHECK_CONTAINS(run->log, "no longer waiting for the backup, which goes on to its end; `quiesce end` will tell its"
                             " result (Interrupted, 930)");
    call_do(run, &again, false);
    CHECK_INT(again.status, QZ_EXIT_APPLICATION);
    run_free(run);
}

/* ---- What is told ----------------------------------------------------------------------------------------------- */

QZ_TEST(a_result_is_told_once) // in the form that is asked for, and in a report
{
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"}, (char[]){"--report"}, (char[]){"/run/r"});
    struct call again = CALL((char[]){"end"});
    struct run *run = opened_run(&begin, RUN_MS);
    call_do(run, &end, false);
    CHECK_INT(end.status, QZ_EXIT_APPLICATION);
    CHECK_CONTAINS(run->output, "application");
    CU_ASSERT_PTR_NULL(run->json);
    CHECK_CONTAINS(virtual_file(run->world, "/run/r", &(size_t){0}), "\"consistency\":\"application\"");
    call_do(run, &again, false);
    CHECK_INT(again.status, QZ_EXIT_NONE);
    CHECK_STRING(run->output, "");
    CHECK_CONTAINS(run->log, "no backup is open that `quiesce begin` began\n");
    run_free(run);
}

QZ_TEST(what_cannot_be_read_is_kept_for_the_next_one) // a backup that ended by itself, and `end` is short of memory
{
    bool refused = true;
    for (unsigned nth = 1; refused; nth++) {
        struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"}), again = CALL((char[]){"end"});
        struct run *run = run_new(2);
        call_do(run, &begin, false);
        virtual_starve(run->world, VIRTUAL_AGENT, 1, nth);
        call_do(run, &end, false);
        refused = virtual_asked_for(run->world, VIRTUAL_AGENT, 1) >= nth;
        virtual_starve(run->world, VIRTUAL_AGENT, 1, 0);
        if (end.status != QZ_EXIT_CRASH) {
            CHECK_INT(end.status, QZ_EXIT_SOFTWARE);
            CHECK_CONTAINS(run->log, "memory");
            call_do(run, &again, false);
            CHECK_INT(again.status, QZ_EXIT_CRASH);
        }
        run_free(run);
    }
}

QZ_TEST(what_cannot_be_printed_is_kept_for_the_next_one) // and the report is written all the same
{
    struct run *run = run_new(1);
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"}), again = END_JSON;
    call_do(run, &begin, true);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_PRINT, 1, ENOSPC);
    call_do(run, &end, false);
    CHECK_INT(end.status, QZ_EXIT_SOFTWARE);
    CHECK_CONTAINS(run->log, "the result could not be printed: No space left on device");
    CHECK_CONTAINS(run->log, "it is kept, and the next `quiesce end` tells it");
    call_do(run, &again, false);
    CHECK_INT(again.status, QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "consistency"), "application");
    run_free(run);
}

QZ_TEST(how_long_the_caller_has_is_told_exactly) // counted from the first freeze
{
    struct run *run = run_new(1);
    struct call begin = CALL((char[]){"begin"}, (char[]){"--format"}, (char[]){"json"}, (char[]){"--hold-limit"},
                              (char[]){"20"});
    virtual_set_volume(run->world, RUN_DEV(1), &(struct virtual_volume){.sync_us = 3 * RUN_SECOND});
    call_do(run, &begin, true);
    CHECK_STRING(run_text(run, "since"), "2024-01-01T00:00:00Z");
    CHECK_STRING(run_text(run, "until"), "2024-01-01T00:00:23Z");
    run_free(run);
}

QZ_TEST(how_long_it_was_open_is_kept) // as the time that the snapshot took; once
{
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    struct run *run = opened_run(&begin, RUN_MS);
    virtual_pause(run->world, 3 * RUN_SECOND);
    call_do(run, &end, false);
    CHECK_INT(run_number(run, "snapshot.duration_us"), 3 * RUN_SECOND);
    CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_WRITE_FILE), 1);
    run_free(run);
}

QZ_TEST(a_result_that_cannot_be_kept_is_tried_again) // once, as the agent's last act
{
    for (int errors = 1; errors <= 2; errors++) {
        struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
        struct run *run = run_new(2);
        virtual_aim(run->world, 1);
        virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_WRITE_FILE, 1, ENOSPC);
        if (errors > 1)
            virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_WRITE_FILE, 2, ENOSPC);
        call_do(run, &begin, true);
        call_do(run, &end, false);
        CHECK_INT(end.status, errors > 1 ? QZ_EXIT_NONE : QZ_EXIT_APPLICATION);
        CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
        run_free(run);
    }
}

QZ_TEST(a_report_that_cannot_be_written_is_no_success) // and no worse failure where there is no success
{
    for (int failed = 0; failed <= 1; failed++) {
        struct call begin = CALL((char[]){"begin"});
        struct call end = CALL((char[]){"end"}, (char[]){"--report"}, (char[]){"/run/r"},
                               failed ? (char[]){"--failed"} : NULL);
        struct run *run = opened_run(&begin, RUN_MS);
        virtual_add_directory(run->world, "/run/r", 0, 0755);
        call_do(run, &end, false);
        CHECK_INT(end.status, failed ? QZ_EXIT_NONE : QZ_EXIT_SOFTWARE);
        CHECK_CONTAINS(run->log, "/run/r: the report could not be written");
        CU_ASSERT(strlen(run->output) > 0);
        run_free(run);
    }
}

QZ_TEST(what_a_backup_before_left_is_not_told_for_it) // one that nobody ended
{
    struct call first = CALL((char[]){"begin"}), second = CALL((char[]){"begin"}), end = END_JSON;
    struct run *run = run_new(2);
    call_do(run, &first, false); /* till the hold limit */
    call_do(run, &second, true);
    call_do(run, &end, false);
    CHECK_INT(end.status, QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "run_id"), run_variable(run, RUN_PRE, 1, "QUIESCE_RUN_ID"));
    run_free(run);
}

QZ_TEST(another_quiesce_is_no_open_backup) // and is not disturbed by `end`, which says what it is
{
    static const char said[] = "no backup is open that `quiesce begin` began; what is at work is another quiesce: see"
                               " `quiesce status`";
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * RUN_SECOND});
    run_beside(run, 5 * RUN_SECOND, "end");
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_INT(run->beside->status, QZ_EXIT_NONE);
    CHECK_CONTAINS(run->beside->log, said);
    run_free(run);
}

QZ_TEST(what_agent_and_guardian_took_with_them_is_told_as_lost) // by its run, with what is thawed now
{
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    struct run *run = opened_run(&begin, RUN_MS);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, virtual_now_us(run->world) + 1);
    virtual_kill_at(run->world, VIRTUAL_AGENT, virtual_now_us(run->world) + 1);
    virtual_pause(run->world, RUN_SECOND);
    CHECK_INT(virtual_frozen_count(run->world), 2);
    call_do(run, &end, false);
    CHECK_INT(end.status, QZ_EXIT_NONE);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_STRING(run_text(run, "run_id"), run_variable(run, RUN_PRE, 0, "QUIESCE_RUN_ID"));
    CHECK_STRING(run_text(run, "command"), "end");
    CHECK_INT(run_number(run, "attempt"), 1);
    CHECK_INT(run_number(run, "attempts"), 1);
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_STRING(run_text(run, "errors.0.code"), "FreezeLost");
    CHECK_STRING(run_text(run, "errors.0.phase"), "freeze");
    CHECK_STRING(run_text(run, "errors.0.message"), "agent and guardian of the backup were killed before it had ended");
    run_free(run);
}

QZ_TEST(a_guardian_that_cannot_look_keeps_its_own_result) // its agent, which was killed, may have kept none
{
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
    struct run *run = opened_run(&begin, RUN_MS);
    virtual_kill_at(run->world, VIRTUAL_AGENT, virtual_now_us(run->world) + 1);
    virtual_aim(run->world, 2);
    virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_INSPECT, 1, ENOMEM);
    virtual_pause(run->world, RUN_SECOND);
    call_do(run, &end, false);
    CHECK_INT(end.status, QZ_EXIT_NONE);
    CHECK_CONTAINS(run->output, "the agent was killed before the backup had ended");
    run_free(run);
}

QZ_TEST(what_was_lost_is_not_forgotten_where_memory_is_short) // it is thawed by `end`, or by the next one
{
    bool refused = true;
    for (unsigned nth = 1; refused; nth++) {
        struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"}), thaw = CALL((char[]){"thaw"});
        struct run *run = opened_run(&begin, RUN_MS);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, virtual_now_us(run->world) + 1);
        virtual_kill_at(run->world, VIRTUAL_AGENT, virtual_now_us(run->world) + 1);
        virtual_pause(run->world, RUN_SECOND);
        virtual_starve(run->world, VIRTUAL_AGENT, 1, nth);
        call_do(run, &end, false);
        refused = virtual_asked_for(run->world, VIRTUAL_AGENT, 1) >= nth;
        virtual_starve(run->world, VIRTUAL_AGENT, 1, 0);
        CU_ASSERT(end.status == QZ_EXIT_NONE || end.status == QZ_EXIT_SOFTWARE);
        call_do(run, &thaw, false);
        CHECK_INT(thaw.status, 0);
        CHECK_INT(virtual_frozen_count(run->world), 0);
        run_free(run);
    }
}

QZ_TEST(that_a_backup_was_lost_comes_before_what_stays_frozen) // the most decisive error first, as in every result
{
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    struct run *run = opened_run(&begin, RUN_MS);
    virtual_set_volume(run->world, RUN_DEV(1), &(struct virtual_volume){.thaw_error = EIO, .thaw_errors = 3});
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, virtual_now_us(run->world) + 1);
    virtual_kill_at(run->world, VIRTUAL_AGENT, virtual_now_us(run->world) + 1);
    virtual_pause(run->world, RUN_SECOND);
    call_do(run, &end, false);
    CHECK_INT(run_count(run, "errors"), 2);
    CHECK_STRING(run_text(run, "errors.0.code"), "FreezeLost");
    CHECK_STRING(run_text(run, "errors.1.code"), "ThawFailed");
    run_free(run);
}

QZ_TEST(whose_result_was_told_to_another_says_so) // two wait for the same backup; one is told
{
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
    struct run *run = opened_run(&begin, 5 * RUN_SECOND);
    run_beside(run, RUN_SECOND, "end");
    call_do(run, &end, false);
    CHECK_INT(run->beside->status + end.status, QZ_EXIT_NONE + QZ_EXIT_APPLICATION);
    static const char said[] = "no result is known: it was told to another `quiesce begin` or `quiesce end`, or the"
                               " agent was killed before it had begun anything (Interrupted, 930)";
    CHECK_INT(occurrences(run->log, said), 1);
    run_free(run);
}

QZ_TEST(what_is_dead_is_not_at_work) // a killed run is no other quiesce; one whose guardian alone is dead is
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * RUN_SECOND});
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 3 * RUN_SECOND);
    run_beside(run, 5 * RUN_SECOND, "end");
    run_quiesce(run, RUN_JSON);
    CHECK_CONTAINS(run->beside->log, "what is at work is another quiesce");
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, virtual_now_us(run->world) + 5 * RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_AGENT, virtual_now_us(run->world) + 5 * RUN_SECOND);
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * RUN_SECOND});
    run_quiesce(run, RUN_JSON);
    CHECK_INT(run_quiesce(run, "end"), QZ_EXIT_NONE);
    CHECK_CONTAINS(run->log, "no backup is open that `quiesce begin` began\n");
    run_free(run);
}

/* ---- Who was started -------------------------------------------------------------------------------------------- */

/* Tells the process that was started, the next one after the world's first agent, to end. */
static void interrupt(struct qz_os *os, void *argument)
{
    const struct qz_process started = {.pid = 1001, .start_time = VIRTUAL_START_US / 10000};
    (void)argument;
    CHECK_INT(os->ops->process_signal(os, &started, SIGINT), 0);
}

QZ_TEST(whoever_ends_begin_ends_the_backup) // by the same signal; and is told what came of it
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}, (char[]){"--format"}, (char[]){"json"});
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 20 * RUN_SECOND});
    virtual_also_run(run->world, 5 * RUN_SECOND, interrupt, NULL);
    call_do(run, &begin, true);
    CHECK_INT(begin.status, QZ_EXIT_NONE);
    CU_ASSERT(virtual_now_us(run->world) < 10 * RUN_SECOND);
    CHECK_STRING(run_text(run, "errors.0.message"),
                 "ended by signal 2 (SIGINT); nothing was frozen and the post-scripts were run");
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(what_nobody_can_be_told_of_is_not_left_open) // who was started is gone: nobody takes a snapshot now
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    virtual_aim(run->world, 2);
    virtual_kill_on(run->world, VIRTUAL_AGENT, VIRTUAL_OP_ANY, 1, VIRTUAL_BEFORE);
    call_do(run, &begin, false);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CU_ASSERT(ended_us(run, VIRTUAL_BACKGROUND) < RUN_SECOND);
    call_do(run, &end, false);
    CHECK_INT(end.status, QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "errors.0.message"),
                 "ended by signal 1 (SIGHUP); everything was thawed and the post-scripts were run");
    run_free(run);
}

QZ_TEST(who_was_told_to_end_opens_nothing) // though it is open by then: the signal came before the word
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}, (char[]){"--format"}, (char[]){"json"});
    virtual_aim(run->world, 2);
    virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_WAIT, 1, 10 * RUN_SECOND);
    virtual_also_run(run->world, RUN_MS, interrupt, NULL);
    call_do(run, &begin, true);
    CHECK_INT(begin.status, QZ_EXIT_NONE);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_STRING(run_text(run, "code"), "Interrupted");
    run_free(run);
}

/* Somebody's backup is open, as its journal says. */
static void begun_by_another(void *world)
{
    virtual_set_journal(world, "{\"command\":\"begin\",\"run_id\":\"20240101T000000Z-000001\","
                               "\"boot_id\":\"00000000-0000-4000-8000-000000000001\","
                               "\"agent\":{\"pid\":77,\"start_time\":5},\"guardian\":{\"pid\":78,\"start_time\":6},"
                               "\"since_us\":1,\"until_us\":2,\"volumes\":[],\"posts_owed\":[]}");
}

QZ_TEST(who_hears_too_late_that_it_is_open_is_told_the_end) // and claims no snapshot: none can have been taken
{
    for (int journal = 0; journal < 3; journal++) { /* there is none any more, or it cannot be read, or it is another's */
        struct run *run = run_new(2);
        struct call begin = CALL((char[]){"begin"}, (char[]){"--format"}, (char[]){"json"});
        virtual_aim(run->world, 2);
        virtual_delay(run->world, VIRTUAL_AGENT, VIRTUAL_OP_WAIT, 1, 200 * RUN_SECOND);
        if (journal == 1)
            virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_READ, 1, EIO);
        if (journal == 2)
            virtual_call_at(run->world, 150 * RUN_SECOND, begun_by_another, run->world);
        call_do(run, &begin, true);
        CHECK_INT(begin.status, QZ_EXIT_NONE);
        CHECK_STRING(run_text(run, "consistency"), "none");
        CHECK_INT(run_find_error(run, "FreezeLost"), 0);
        run_free(run);
    }
}

/* ---- Where nothing is begun ------------------------------------------------------------------------------------- */

/* Does anything begin, or get lost, after all? */
static void check_nothing_begun(const struct run *run)
{
    CHECK_INT(virtual_start_count(run->world), 0);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_GUARD), 0);
}

QZ_TEST(what_cannot_go_on_in_the_background_is_not_begun) // no memory to share, no process to be had
{
    for (int shared = 0; shared <= 1; shared++) {
        struct run *run = run_new(2);
        struct call begin = CALL((char[]){"begin"});
        virtual_fail(run->world, VIRTUAL_AGENT, shared ? VIRTUAL_OP_SHARE : VIRTUAL_OP_DETACH, 1,
                     shared ? ENOMEM : EAGAIN);
        call_do(run, &begin, false);
        CHECK_INT(begin.status, QZ_EXIT_SOFTWARE);
        CHECK_STRING(run->output, "");
        CHECK_STRING(run->log, shared ? "quiesce: Cannot allocate memory (InternalError, 990)\n"
                                      : "quiesce: Resource temporarily unavailable (InternalError, 990)\n");
        check_nothing_begun(run);
        run_free(run);
    }
}

QZ_TEST(a_second_begin_is_told_so_at_once) // by itself, and in the background there is nothing then
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}, (char[]){"--format"}, (char[]){"json"});
    virtual_lock_by_other(run->world, QZ_NEVER);
    call_do(run, &begin, false);
    CHECK_INT(begin.status, QZ_EXIT_NONE);
    CHECK_STRING(run_text(run, "code"), "AlreadyRunning");
    CHECK_STRING(run->log, "");
    CHECK_INT(run_calls(run, VIRTUAL_AGENT, VIRTUAL_OP_DETACH), 0);
    check_nothing_begun(run);
    run_free(run);
}

QZ_TEST(what_a_killed_run_left_frozen_forbids_a_backup) // where it cannot be thawed: begin says so
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}, (char[]){"--format"}, (char[]){"json"});
    virtual_set_volume(run->world, RUN_DEV(1), &(struct virtual_volume){.thaw_error = EIO, .thaw_errors = 3});
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 10 * RUN_SECOND});
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 5 * RUN_SECOND);
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * RUN_SECOND);
    run_quiesce(run, RUN_JSON);
    call_do(run, &begin, true);
    CHECK_INT(begin.status, QZ_EXIT_NONE);
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_STRING(run_text(run, "code"), "ThawFailed");
    CHECK_INT(virtual_starts_of(run->world, RUN_PRE), 1);
    run_free(run);
}
