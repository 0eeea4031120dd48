/* A backup that is open between `quiesce begin` and `quiesce end`, with one of its processes killed at every call that
 * it makes, or without a piece of memory: whatever happens nothing stays frozen, every pre-script has its post-script,
 * `end` has something to tell and claims no more than it may, and the next run finds the machine as it was. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call.h"

/* Did anybody thaw the volume before `at` of the trace, where somebody had frozen it? */
static bool was_frozen_until(const struct run *run, size_t at)
{
    size_t count;
    bool frozen = false;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < at; i++)
        if (trace[i].what == VIRTUAL_DID_OPERATION_ENDS && trace[i].result == 0 && trace[i].value != QZ_VOLUME_SYNC)
            frozen = trace[i].value == QZ_VOLUME_FREEZE;
    return frozen;
}

QZ_TEST(the_word_on_the_snapshot_reaches_the_post_scripts) // and so does that there was none
{
    struct run *run = run_new(2);
    struct call begin[3] = {CALL((char[]){"begin"}), CALL((char[]){"begin"}), CALL((char[]){"begin"})};
    struct call taken = CALL((char[]){"end"}), failed = CALL((char[]){"end"}, (char[]){"--failed"});
    call_do(run, &begin[0], true);
    call_do(run, &taken, false);
    call_do(run, &begin[1], true);
    call_do(run, &failed, false);
    call_do(run, &begin[2], false); /* till the hold limit */
    CHECK_STRING(run_variable(run, RUN_POST, 0, "QUIESCE_SNAPSHOT"), "taken");
    CHECK_STRING(run_variable(run, RUN_POST, 1, "QUIESCE_SNAPSHOT"), "failed");
    CHECK_STRING(run_variable(run, RUN_POST, 2, "QUIESCE_SNAPSHOT"), "none");
    run_free(run);
}

QZ_TEST(what_cannot_be_told_is_not_left_open) // The caller hears of a failure, and all is undone before it does.
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"});
    virtual_aim(run->world, 2);
    virtual_fail(run->world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_READ, 1, EIO);
    call_do(run, &begin, true);
    CHECK_INT(begin.status, QZ_EXIT_NONE);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    CHECK_CONTAINS(virtual_output(run->world, QZ_STREAM_RESULT), "Interrupted");
    run_free(run);
}

/* `begin`, its agent killed in the hold, and `end`, which tells of it. */
static void lose_agent(struct run *run)
{
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
    virtual_aim(run->world, 1);
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * RUN_SECOND);
    call_do(run, &begin, false);
    call_do(run, &end, false);
    CHECK_INT(end.status, QZ_EXIT_NONE);
}

QZ_TEST(of_a_lost_agent_no_more_is_told_than_is_true) // of the thaw and the post-scripts
{
    struct run *run = run_new(2);
    lose_agent(run);
    CHECK_CONTAINS(virtual_output(run->world, QZ_STREAM_RESULT),
                   "the agent was killed before the backup had ended; everything was thawed and the post-scripts were"
                   " run\n");
    run_free(run);
    run = run_new(2);
    RUN_SCRIPT(run, RUN_POST, {.status = 1});
    virtual_set_volume(run->world, RUN_DEV(1), &(struct virtual_volume){.thaw_error = EIO, .thaw_errors = 3});
    lose_agent(run);
    const char *told = virtual_output(run->world, QZ_STREAM_RESULT);
    CHECK_CONTAINS(told, "the agent was killed before the backup had ended; a volume may still be frozen; not every"
                         " post-script succeeded\n");
    CHECK_CONTAINS(told, "\n1 volume may still be frozen; its error below names it.\n");
    CHECK_CONTAINS(told, "\nThawFailed (902): /data1 is still frozen: FITHAW Input/output error");
    CHECK_CONTAINS(virtual_output(run->world, QZ_STREAM_LOG), "the agent died; a volume may still be frozen");
    run_free(run);
}

QZ_TEST(what_was_done_for_a_dead_agent_is_told) // the post-scripts, and not what the agent itself had done and noted
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    RUN_SCRIPT(run, RUN_POST, {.status = 1});
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * RUN_SECOND);
    call_do(run, &begin, false);
    call_do(run, &end, false);
    CHECK_STRING(run_text(run, "command"), "begin");
    CHECK_STRING(run_text(run, "scripts.0.path"), RUN_PRE);
    CHECK_INT(run_count(run, "scripts.0.attempts"), 0);
    CHECK_INT(run_count(run, "scripts.1.attempts"), 1);
    CHECK_INT(run_count(run, "phases"), 1);
    CHECK_STRING(run_text(run, "phases.0.name"), "post");
    CU_ASSERT(run_number(run, "freeze.window_us") > 4 * RUN_SECOND);
    CHECK_INT(run_count(run, "errors"), 2);
    CHECK_STRING(run_text(run, "errors.0.code"), "FreezeLost");
    CHECK_STRING(run_text(run, "errors.0.phase"), "freeze");
    CHECK_STRING(run_text(run, "errors.1.code"), "Post-ScriptExecutionFailed");
    run_free(run);
}

QZ_TEST(an_agent_that_froze_nothing_was_interrupted) // no freeze was lost; who waits for it is told
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}, (char[]){"--format"}, (char[]){"json"});
    RUN_SCRIPT(run, RUN_PRE, {.run_us = 20 * RUN_SECOND});
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * RUN_SECOND);
    call_do(run, &begin, false);
    CHECK_INT(begin.status, QZ_EXIT_NONE);
    CHECK_INT(run_count(run, "errors"), 1);
    CHECK_STRING(run_text(run, "errors.0.code"), "Interrupted");
    CU_ASSERT_TRUE(run_is_null(run, "errors.0.phase"));
    CHECK_STRING(run_text(run, "errors.0.message"),
                 "the agent was killed before the backup had ended; nothing was frozen and the post-scripts were run");
    run_free(run);
}

QZ_TEST(a_guardian_that_could_freeze_nothing_says_so) // no freeze was lost; it had no workers, and the agent is killed
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    virtual_fail(run->world, VIRTUAL_GUARDIAN, VIRTUAL_OP_VOLUMES_ARM, 1, EAGAIN);
    virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * RUN_SECOND);
    call_do(run, &begin, false);
    CHECK_INT(begin.status, QZ_EXIT_CRASH);
    call_do(run, &end, false);
    CHECK_INT(run_find_error(run, "FreezeLost"), -1);
    CHECK_INT(run_find_error(run, "Interrupted"), 0);
    CHECK_INT(virtual_starts_of(run->world, RUN_POST), 1);
    run_free(run);
}

QZ_TEST(an_agent_that_is_killed_as_it_keeps_its_result_claims_nothing) // though it had one: nobody else may know
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}), end = END_JSON;
    virtual_aim(run->world, 1);
    virtual_kill_on(run->world, VIRTUAL_AGENT, VIRTUAL_OP_WRITE_FILE, 1, VIRTUAL_BEFORE);
    call_do(run, &begin, true);
    call_do(run, &end, true);
    CHECK_CONTAINS(virtual_trace_text(run->world), " agent *killed\n");
    CHECK_INT(end.status, QZ_EXIT_NONE);
    run_free(run);
}

QZ_TEST(what_a_killed_run_left_undone_is_told_by_end) // though begin saw to it; also where its own agent is lost then
{
    for (int lost = 0; lost <= 1; lost++) {
        struct run *run = run_new(2);
        struct call killed = CALL((char[]){"begin"}), begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"});
        virtual_kill_at(run->world, VIRTUAL_AGENT, 5 * RUN_SECOND);
        virtual_kill_at(run->world, VIRTUAL_GUARDIAN, 5 * RUN_SECOND);
        call_do(run, &killed, false);
        CHECK_INT(virtual_frozen_count(run->world), 2);
        if (lost)
            virtual_kill_at(run->world, VIRTUAL_AGENT, 15 * RUN_SECOND);
        virtual_pass(run->world, 5 * RUN_SECOND);
        call_do(run, &begin, !lost);
        call_do(run, &end, false);
        CHECK_INT(end.status, lost ? QZ_EXIT_NONE : QZ_EXIT_APPLICATION);
        const char *told = virtual_output(run->world, QZ_STREAM_RESULT);
        CHECK_CONTAINS(told, "was killed before it had ended; thawed of what it had left frozen: 2;");
        CHECK_CONTAINS(told, "warning: post-script " RUN_POST " of run 20240101T000000Z-");
        run_free(run);
    }
}

struct victim {
    enum virtual_role role;
    int ordinal;
    bool by_end; /* in the second call, not in the first */
};

/* What must be true, whoever was killed before its nth call, or went without its nth piece of memory. */
static void check_machine(struct run *run, const char *what, unsigned nth)
{
    bool told = strstr(run->output, "could not be started: Cannot allocate memory");
    bool owed = virtual_starts_of(run->world, RUN_PRE) > 0 && virtual_starts_of(run->world, RUN_POST) == 0;
    bool sound = virtual_frozen_count(run->world) == 0 && virtual_alive(run->world) == 0 && (!owed || told) &&
                 !virtual_violation(run->world);
    if (!sound)
        fprintf(stderr, "  %s, call or piece %u: %zu frozen, %zu pre, %zu post, %s\n%s", what, nth,
                virtual_frozen_count(run->world), virtual_starts_of(run->world, RUN_PRE),
                virtual_starts_of(run->world, RUN_POST), virtual_violation(run->world),
                virtual_trace_text(run->world));
    CU_ASSERT_TRUE(sound);
}

/* Kills before the nth call. Returns whether there was one. */
static bool kill_before(const struct victim *victim, unsigned nth)
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"});
    struct call end = CALL((char[]){"end"}), again = CALL((char[]){"end"});
    struct call next = CALL((char[]){"run"}, (char[]){"--hold"}, (char[]){"1"});
    size_t ended;
    virtual_aim(run->world, victim->ordinal);
    if (!victim->by_end)
        virtual_kill_on(run->world, victim->role, VIRTUAL_OP_ANY, nth, VIRTUAL_BEFORE);
    call_do(run, &begin, true);
    virtual_trace(run->world, &ended);
    bool frozen = was_frozen_until(run, ended);
    if (victim->by_end)
        virtual_kill_on(run->world, victim->role, VIRTUAL_OP_ANY, nth, VIRTUAL_BEFORE);
    size_t printed = strlen(virtual_output(run->world, QZ_STREAM_RESULT));
    call_do(run, &end, victim->by_end);
    bool told = strlen(virtual_output(run->world, QZ_STREAM_RESULT)) > printed;
    size_t count, killed = 0;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        killed += trace[i].what == VIRTUAL_DID_KILLED;
    if (victim->by_end && killed > 0)
        call_do(run, &again, false);
    check_machine(run, victim->by_end ? "end" : victim->role == VIRTUAL_GUARDIAN ? "guardian" : "begin", nth);
    CU_ASSERT(victim->by_end || end.status >= 0);
    bool unknown = strstr(virtual_output(run->world, QZ_STREAM_LOG), "no result is known");
    CU_ASSERT(!unknown || virtual_starts_of(run->world, RUN_PRE) == 0);
    CU_ASSERT(end.status != QZ_EXIT_APPLICATION || frozen);
    if (killed == 0) {
        run_free(run);
        return false;
    }
    if (!victim->by_end)
        call_do(run, &again, false);
    bool kept = victim->by_end && again.status == QZ_EXIT_APPLICATION;
    CU_ASSERT(kept || (again.status == QZ_EXIT_NONE && (told || !victim->by_end)));
    call_do(run, &next, false);
    CHECK_INT(next.status, QZ_EXIT_APPLICATION);
    check_machine(run, "the next run after it", nth);
    run_free(run);
    return true;
}

static void kill_everywhere(const struct victim *victim, unsigned at_least)
{
    unsigned nth = 1;
    while (kill_before(victim, nth) && nth < 10000)
        nth++;
    CU_ASSERT(nth > at_least);
}

QZ_TEST(the_agent_in_the_background_is_killed_anywhere)
{
    kill_everywhere(&(struct victim){VIRTUAL_AGENT, 1, false}, 50);
}

QZ_TEST(who_waits_for_the_agent_is_killed_anywhere)
{
    kill_everywhere(&(struct victim){VIRTUAL_AGENT, 2, false}, 2);
}

QZ_TEST(the_first_guardian_is_killed_anywhere)
{
    kill_everywhere(&(struct victim){VIRTUAL_GUARDIAN, 1, false}, 2);
}

QZ_TEST(the_guardian_that_holds_is_killed_anywhere)
{
    kill_everywhere(&(struct victim){VIRTUAL_GUARDIAN, 2, false}, 10);
}

QZ_TEST(who_ends_it_is_killed_anywhere) // the result is told to the next one, unless it had been told
{
    kill_everywhere(&(struct victim){VIRTUAL_AGENT, 1, true}, 5);
}

/* The nth piece of memory cannot be had. Returns whether it was asked for. */
static bool starve_at(const struct victim *victim, unsigned nth)
{
    struct run *run = run_new(2);
    struct call begin = CALL((char[]){"begin"}), end = CALL((char[]){"end"}), again = CALL((char[]){"end"});
    struct call next = CALL((char[]){"run"}, (char[]){"--hold"}, (char[]){"1"});
    virtual_starve(run->world, victim->role, victim->ordinal, victim->by_end ? 0 : nth);
    call_do(run, &begin, true);
    bool asked = virtual_asked_for(run->world, victim->role, victim->ordinal) >= nth;
    CU_ASSERT(begin.status >= 0);
    virtual_starve(run->world, victim->role, victim->ordinal, victim->by_end ? nth : 0);
    call_do(run, &end, false);
    CU_ASSERT(end.status >= 0);
    asked = asked || virtual_asked_for(run->world, victim->role, victim->ordinal) >= nth;
    virtual_starve(run->world, victim->role, victim->ordinal, 0);
    if (victim->by_end && end.status != QZ_EXIT_APPLICATION) { /* it was not told, and is not lost */
        CHECK_INT(end.status, QZ_EXIT_SOFTWARE);
        call_do(run, &again, false);
        CU_ASSERT(again.status == QZ_EXIT_APPLICATION || again.status == QZ_EXIT_CRASH);
    }
    check_machine(run, "without memory", nth);
    CHECK_STRING(virtual_journal(run->world), "");
    call_do(run, &next, false);
    CHECK_INT(next.status, QZ_EXIT_APPLICATION);
    run_free(run);
    return asked;
}

QZ_TEST(memory_runs_out_anywhere) // in the agent, in who waits for it, in each guardian, in who ends it
{
    static const struct victim victims[] = {{VIRTUAL_AGENT, 1, false}, {VIRTUAL_AGENT, 2, false},
                                            {VIRTUAL_GUARDIAN, 1, false}, {VIRTUAL_GUARDIAN, 2, false},
                                            {VIRTUAL_AGENT, 1, true}};
    for (size_t i = 0; i < sizeof victims / sizeof victims[0]; i++) {
        unsigned nth = 1;
        while (starve_at(&victims[i], nth) && nth < 10000)
            nth++;
        CU_ASSERT(victims[i].role == VIRTUAL_GUARDIAN || nth > 5);
    }
}
