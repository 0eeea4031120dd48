/* The judge of the harness: a story that is as it should be, and violations of the invariants planted in it. */
#include <signal.h>

#include "check.h"
#include "story.h"

static const char *const HOLD[] = {"run", "--hold", "1", NULL};

QZ_TEST(a_good_run_has_no_findings) // What is as it should be is left in peace.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    story_judged(&story, 0, NULL);
}

QZ_TEST(what_the_oracle_says_counts) // … in place of the invariants that know no operations.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    story.outcome.unsafe = (char[]){"a volume is left frozen"};
    story_judged(&story, 0, "the oracle");

    story_begin(&story);
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story.scenario.oracle = true;
    story_judged(&story, 0, NULL);
}

QZ_TEST(something_left_is_found) // 1: nothing is left running, mounted or attached.
{
    struct story story;
    char line[] = "process 12 (sleep)";
    char *left[] = {line};
    story_begin(&story);
    story_good_run(&story);
    story.outcome.left = left;
    story.outcome.left_count = 1;
    story_judged(&story, 1, "left behind");
}

QZ_TEST(a_left_freeze_is_found) // 1: nothing is left frozen, but for what somebody else froze.
{
    const char *frozen[] = {"/data"};
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    story.seen.frozen = frozen;
    story.seen.frozen_count = 1;
    story_judged(&story, 1, "left frozen");

    story_begin(&story);
    story_good_run(&story);
    story_operation(&story, TRACE_OTHER, TRACE_FREEZE, 0, -1);
    story.seen.frozen = frozen;
    story.seen.frozen_count = 1;
    story_judged(&story, 0, NULL);
}

QZ_TEST(a_foreign_filesystem_is_found) // 1: quiesce reached for what the scenario did not make.
{
    struct story story;
    char refused[] = "FIFREEZE on 254:0";
    story_begin(&story);
    story_good_run(&story);
    story.outcome.refused = refused;
    story_judged(&story, 1, "not the scenario's");
}

QZ_TEST(a_write_to_a_frozen_disk_is_found) // 2: no write reaches the disk of a frozen volume.
{
    struct story story;
    story_begin(&story);
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 8);
    story_post(&story);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 2, "written while it was frozen");
}

QZ_TEST(a_run_that_says_nothing_is_found) // 3: who comes to its end by itself says what came of it.
{
    static const char *const AS_JSON[] = {"run", "--format", "json", "--", "snapshot", NULL};
    char words[] = "not JSON", other[] = "{\"consistency\": \"crash\"}";
    struct story story;
    story_begin(&story); /* nothing was printed */
    story_good_run(&story);
    story.seen.out = NULL;
    story_judged(&story, 3, "no result was printed");

    story_begin(&story); /* asked for JSON, it is none */
    story_good_run(&story);
    story.step.argv = AS_JSON;
    story.seen.out = words;
    story_judged(&story, 3, "is none");

    story_begin(&story); /* two results that differ */
    story_good_run(&story);
    story.seen.out = other;
    story_judged(&story, 3, "differ");

    story_begin(&story); /* it failed, and does not say at what */
    story.seen.exit = 70;
    story_judged(&story, 3, "said nothing");
    story_begin(&story);
    story.seen.exit = 70;
    story.seen.err = words;
    story_judged(&story, 0, NULL);

    story_begin(&story); /* an exit status that is none */
    story.seen.exit = 127;
    story_judged(&story, 3, "says nothing");
    story_begin(&story); /* dead, and nobody did it */
    story.seen.exit = -1;
    story.seen.signal = 11;
    story_judged(&story, 3, "nobody sent");
    story_begin(&story);
    story.seen.exit = -1;
    story.seen.signal = 9;
    story_tell(&story,
               (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .value = 9, .target = TRACE_AGENT});
    story_judged(&story, 0, NULL);
}

QZ_TEST(an_inherited_descriptor_is_found) // 6: a script has its three streams, and nothing of quiesce's.
{
    struct story story;
    story_begin(&story);
    story_tell(&story, (struct trace_event){
                           .role = TRACE_HARNESS, .what = TRACE_NOTE, .text = "a child inherits descriptor 7"});
    story_good_run(&story);
    story_judged(&story, 6, "inherits a descriptor");
}

QZ_TEST(too_much_is_found_to_be_claimed) // 3: a snapshot before the freeze is worth less than one within it.
{
    struct story story;
    story_begin(&story);
    story_pre(&story);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(&story);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 3, "not frozen by quiesce");

    story_begin(&story); /* a script that failed */
    story_script(&story, TRACE_PRE, 1, TRACE_STARTS, 0);
    story_script(&story, TRACE_PRE, 1, TRACE_EXITS, 3);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(&story);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 3, "pre-script of ScriptRunner failed");

    story_begin(&story); /* thawed by somebody else in the middle */
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_tell(&story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_STARTS});
    story_operation(&story, TRACE_OTHER, TRACE_THAW, 0, -1);
    story_tell(&story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_EXITS});
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 22, 7);
    story_post(&story);
    story_result(&story, "filesystem", 10, "FreezeLost");
    story_judged(&story, 3, "not frozen by quiesce");

    story_begin(&story); /* not thawed: filesystem is true, application is not */
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 5, 7);
    story_post(&story);
    story_result(&story, "filesystem", 10, "ThawFailed");
    story_judged(&story, 0, NULL);

    story_begin(&story);
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 5, 7);
    story_post(&story);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 3, "not thawed by quiesce");

    story_begin(&story); /* no snapshot */
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 1);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(&story);
    story_result(&story, "crash", 11, "SnapshotFailed");
    story_judged(&story, 3, "no snapshot was taken");
}

QZ_TEST(what_was_unmounted_was_not_held) // 3: within the snapshot, and this volume
{
    static const struct {
        const char *note;
        bool within;
        const char *part;
    } ROWS[] = {{"unmount /data", true, "not frozen by quiesce"}, {"unmount /data2", true, NULL}, {"unmount /data", false, NULL}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const struct trace_event note = {.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = ROWS[i].note, .disk_writes = -1};
        struct story story;
        story_begin(&story);
        story_pre(&story);
        story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
        if (ROWS[i].within)
            story_tell(&story, note);
        story_snapshot(&story, 0);
        if (!ROWS[i].within)
            story_tell(&story, note);
        story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
        story_post(&story);
        story_result(&story, "application", 0, NULL);
        story_judged(&story, ROWS[i].part ? 3 : 0, ROWS[i].part);
    }
}

QZ_TEST(a_thaw_that_failed_costs_the_application) // 3: and not what the freeze was worth, which held all the time.
{
    static const char *const CLAIMS[] = {"application", "filesystem"};
    for (int exit = 0; exit <= 10; exit += 10) {
        struct story story;
        const char *left = "/data";
        story_begin(&story);
        story_pre(&story);
        story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
        story_snapshot(&story, 0);
        story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 5, 7);
        story_post(&story);
        story.step.expect.frozen = &left;
        story.step.expect.frozen_count = 1;
        story_result(&story, CLAIMS[exit / 10], exit, "ThawFailed");
        story_judged(&story, 3, exit ? NULL : "not thawed by quiesce");
    }
}

QZ_TEST(too_little_without_a_reason_is_found) // 3: less may be claimed only with an error that says why.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    cJSON_Delete(story.seen.result);
    story_result(&story, "filesystem", 10, NULL);
    story_judged(&story, 3, "less was claimed");
}

QZ_TEST(a_wrong_exit_status_is_found) // 3: exit status, code and consistency agree.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    story.seen.exit = 10;
    story_judged(&story, 3, "exit status");

    story_begin(&story);
    story_good_run(&story);
    cJSON_ReplaceItemInObject(story.seen.result, "code", cJSON_CreateString("FreezeLost"));
    story_judged(&story, 3, "the code is not that of the first error");
}

/* Begins a story of `--hold 1` in which everything was frozen for so long; its result is still to be told. */
static void tell_hold(struct story *story, int64_t held_ms)
{
    story_begin(story);
    story->step.argv = HOLD;
    story->step.argc = 3;
    story_pre(story);
    story_operation(story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story->now_us += held_ms * MS;
    story_operation(story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(story);
}

QZ_TEST(a_short_hold_is_found) // 3: with --hold the time between freeze and thaw is the snapshot.
{
    struct story story;
    tell_hold(&story, 1000);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 0, NULL);

    tell_hold(&story, 900);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 3, "nothing was frozen for the whole hold");
}

QZ_TEST(a_hold_that_was_lost_is_a_crash) // 3: nobody sees the snapshot that --hold waits for; at most it was taken later.
{
    struct story story;
    tell_hold(&story, 900);
    story_result(&story, "crash", 11, "FreezeLost");
    story_judged(&story, 0, NULL);
}

/* `begin` and `end`: in which order the agent of `end` starts and everything is thawed, and what is claimed. */
struct halves {
    bool thawed_before;
    bool failed;
    int64_t held_us;
    const char *consistency;
    int exit;
    int invariant; /* what is found wrong; 0: nothing */
    const char *part;
};

static void agent(struct story *story, enum trace_what what, int step)
{
    story_tell(story, (struct trace_event){.role = TRACE_AGENT, .what = what, .step = step});
}

static void thaw_in(struct story *story, int step)
{
    size_t from = story->outcome.trace.count;
    story_operation(story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    for (size_t i = from; i < story->outcome.trace.count; i++)
        story->outcome.trace.events[i].step = step;
}

QZ_TEST(an_open_backup_is_judged_by_both_its_halves) // 3, 5: the snapshot lies between `begin`'s end and `end`'s start.
{
    static const char *const BEGIN[] = {"begin", "--hold-limit", "5", NULL};
    static const char *const END[] = {"end", NULL};
    static const char *const FAILED[] = {"end", "--failed", NULL};
    static const struct halves CASES[] = {
        {false, false, 0, "application", 0, 0, NULL},
        {true, false, 0, "application", 0, 3, "claimed"},
        {true, false, 0, "crash", 11, 0, NULL},
        {false, true, 0, "crash", 11, 3, "claimed"},
        {false, false, 7000 * MS, "application", 0, 5, "too long"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct halves *it = &CASES[i];
        struct story story;
        story_begin(&story);
        struct scenario_step steps[] = {
            {.argv = BEGIN, .argc = 3, .expect = {.exit = -1}},
            {.argv = it->failed ? FAILED : END, .argc = it->failed ? 2 : 1, .expect = {.exit = -1}}};
        struct outcome_step seen[2] = {{.out = (char[]){"open\n"}}};
        story_pre(&story);
        story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
        agent(&story, TRACE_EXITS, 0);
        story.now_us += it->held_us;
        if (it->thawed_before)
            thaw_in(&story, 1);
        agent(&story, TRACE_STARTS, 1);
        if (!it->thawed_before)
            thaw_in(&story, 1);
        story_post(&story);
        story_result(&story, it->consistency, it->exit, it->exit ? "FreezeLost" : NULL);
        seen[1] = story.seen;
        story.scenario.steps = steps;
        story.scenario.step_count = story.outcome.step_count = 2;
        story.outcome.steps = seen;
        story_judged(&story, it->invariant, it->part);
    }
}

QZ_TEST(an_owed_post_script_is_found) // 4: a pre-script that started has its post-script run.
{
    struct story story;
    story_begin(&story);
    story_until_post(&story);
    story_result(&story, "filesystem", 10, "Interrupted");
    story_judged(&story, 4, "was started");
}

QZ_TEST(an_owed_post_script_that_could_not_run_is_told_in_print_too) // 4: and is no finding where the report was lost.
{
    static char told[] = "Post-ScriptExecutionFailed (301): post-script /opt/app/post.sh: could not be started";
    static char silent[] = "file-system-consistent backup taken";
    struct story story;
    story_begin(&story);
    story_until_post(&story);
    story.seen.exit = 10;
    story.seen.out = told;
    story_judged(&story, 0, NULL);
    story_begin(&story);
    story_until_post(&story);
    story.seen.exit = 10;
    story.seen.out = silent;
    story_judged(&story, 4, "was started");
}

QZ_TEST(a_long_freeze_is_found) // 5: nothing stays frozen longer than the hold limit and a margin.
{
    struct story story;
    story_begin(&story);
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story.now_us += 6001 * MS;
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(&story);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 5, "too long");
}

QZ_TEST(what_should_not_have_run_is_found) // 6: unfit scripts, one attempt too many, an attempt that still runs.
{
    struct story story;
    story_begin(&story);
    story.plugin.pre.file.mode = 0777;
    story_good_run(&story);
    story_judged(&story, 6, "too many permission bits");

    story_begin(&story);
    story.plugin.config.owner = 1000;
    story_good_run(&story);
    judge_invariants(&story.scenario, &story.outcome, &story.findings);
    CHECK_INT(story.findings.count, 2); /* for pre and post */
    story_end(&story);

    story_begin(&story);
    for (int attempt = 1; attempt <= 3; attempt++) {
        story_script(&story, TRACE_PRE, attempt, TRACE_STARTS, 0);
        story_script(&story, TRACE_PRE, attempt, TRACE_EXITS, attempt == 3 ? 0 : 1);
    }
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(&story);
    story_result(&story, "application", 0, NULL);
    story_judged(&story, 6, "too often");

    story_begin(&story);
    story_script(&story, TRACE_PRE, 1, TRACE_STARTS, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(&story);
    story_result(&story, "filesystem", 10, "Pre-ScriptTimeout");
    story_judged(&story, 6, "when freezing starts");
}

QZ_TEST(a_process_of_a_failed_attempt_is_found) // 6: no child of a failed attempt is alive when freezing starts.
{
    struct story story;
    story_begin(&story);
    story_script(&story, TRACE_PRE, 1, TRACE_STARTS, 0);
    story_tell(
        &story,
        (struct trace_event){
            .role = TRACE_LEFTOVER, .what = TRACE_STARTS, .target = TRACE_PRE, .ordinal = 1, .plugin = "ScriptRunner"});
    story_script(&story, TRACE_PRE, 1, TRACE_EXITS, 3);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(&story, 0);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_post(&story);
    story_result(&story, "filesystem", 10, "Pre-ScriptExecutionFailed");
    story_judged(&story, 6, "failed attempt 1");
}

QZ_TEST(a_thaw_of_a_foreign_freeze_is_found) // 7: nobody else's freeze is thawed.
{
    struct story story;
    story_begin(&story);
    story.volume.frozen_by_other = true;
    story_pre(&story);
    story_operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 16, 7);
    story_operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story_snapshot(&story, 0);
    story_post(&story);
    story_result(&story, "crash", 11, "FrozenByOther");
    story_judged(&story, 7, "frozen by somebody else");
}

/* The guardian thaws, gets the signal so much later, somebody else freezes, and the agent thaws once more. */
static void thawed_again(struct story *story, int signal_number, int64_t after_us)
{
    story_begin(story);
    story_pre(story);
    story_operation(story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(story, 0);
    story_operation(story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    story->now_us += after_us - MS;
    story_tell(story, (struct trace_event){
                          .role = TRACE_HARNESS, .what = TRACE_SENT, .target = TRACE_GUARDIAN, .value = signal_number});
    story_operation(story, TRACE_OTHER, TRACE_FREEZE, 0, 7);
    story_operation(story, TRACE_AGENT, TRACE_THAW, 0, 7);
    story_post(story);
    story_result(story, "application", 0, NULL);
}

QZ_TEST(who_could_not_note_its_thaw_is_excused) // 7: lost before it can have been back from the call, and not later.
{
    static const int SIGNALS[] = {SIGKILL, SIGSTOP};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        struct story story;
        thawed_again(&story, SIGNALS[i], 2 * MS);
        story_judged(&story, 7, NULL);
        thawed_again(&story, SIGNALS[i], 20 * MS);
        story_judged(&story, 7, "frozen by somebody else");
    }
}
