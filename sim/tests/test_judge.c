/* test_judge.c: the judge of the harness itself: a story that is as it should be, and violations planted in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "judge.h"

#define MS 1000

static const char *const RUN[] = {"run", "--hold-limit", "5", "--", "snapshot", NULL};
static const char *const HOLD[] = {"run", "--hold", "1", NULL};

/* One volume, one plugin, `quiesce run … snapshot`; a trace being told; a result. */
struct story {
    struct scenario scenario;
    struct scenario_volume volume;
    struct scenario_plugin plugin;
    struct scenario_step step;
    struct scenario_fault fault;
    struct outcome outcome;
    struct outcome_step seen;
    int64_t now_us;
    struct findings findings;
};

static void begin(struct story *story)
{
    *story = (struct story){
        .volume = {.mount = "/data", .type = "ext4"},
        .plugin = {.name = "ScriptRunner",
                   .config = {.path = "/etc/c.json", .text = "{\"preScriptNoOfRetries\":1}", .size = 26, .mode = 0600},
                   .pre = {.file = {.path = "/pre.sh", .mode = 0700}},
                   .post = {.file = {.path = "/post.sh", .mode = 0700}}},
        .step = {.argv = RUN, .argc = 5, .expect = {.exit = -1}},
    };
    story->scenario = (struct scenario){.volumes = &story->volume, .volume_count = 1, .plugins = &story->plugin,
                                        .plugin_count = 1, .steps = &story->step, .step_count = 1};
    story->outcome.steps = &story->seen;
    story->outcome.step_count = 1;
}

static void end(struct story *story)
{
    trace_free(&story->outcome.trace);
    cJSON_Delete(story->seen.result);
    findings_free(&story->findings);
}

static void tell(struct story *story, struct trace_event event)
{
    story->now_us += MS;
    event.at_us = story->now_us;
    trace_add(&story->outcome.trace, &event);
}

static void script(struct story *story, enum trace_role role, int attempt, enum trace_what what, int value)
{
    tell(story, (struct trace_event){.role = role, .what = what, .ordinal = attempt, .value = value,
                                     .plugin = "ScriptRunner", .disk_writes = -1});
}

static void operation(struct story *story, enum trace_role by, enum trace_op op, int error, int64_t disk_writes)
{
    tell(story, (struct trace_event){.role = by, .what = TRACE_BEGINS, .op = op, .volume = "/data", .disk_writes = disk_writes});
    tell(story, (struct trace_event){.role = by, .what = TRACE_DONE, .op = op, .volume = "/data", .value = error,
                                     .disk_writes = disk_writes});
}

static void snapshot(struct story *story, int status)
{
    tell(story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_STARTS});
    tell(story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_EXITS, .value = status});
}

static void pre(struct story *story)
{
    script(story, TRACE_PRE, 1, TRACE_STARTS, 0);
    script(story, TRACE_PRE, 1, TRACE_EXITS, 0);
}

static void post(struct story *story)
{
    script(story, TRACE_POST, 1, TRACE_STARTS, 0);
    script(story, TRACE_POST, 1, TRACE_EXITS, 0);
}

static void result(struct story *story, const char *consistency, int exit, const char *error)
{
    static char printed[] = "what came of it\n";
    char text[512];
    snprintf(text, sizeof text,
             "{\"consistency\":\"%s\",\"code\":\"%s\",\"errors\":[%s%s%s],"
             "\"freeze\":{\"enabled\":true,\"volumes\":[{\"mount\":\"/data\",\"decision\":\"freeze\"}]},"
             "\"phases\":[{\"name\":\"pre\"},{\"name\":\"post\"}]}",
             consistency, error ? error : "Success", error ? "{\"code\":\"" : "", error ? error : "", error ? "\"}" : "");
    story->seen.result = cJSON_Parse(text);
    story->seen.out = printed;
    story->seen.exit = exit;
    CU_ASSERT_PTR_NOT_NULL(story->seen.result);
}

/* A run as it should be. */
static void tell_good_run(struct story *story)
{
    pre(story);
    operation(story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(story, 0);
    operation(story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(story);
    result(story, "application", 0, NULL);
}

/* Judges, and checks that there is just this: a finding of `invariant` whose text has `part`; none if `part` is NULL. */
static void judged(struct story *story, int invariant, const char *part)
{
    judge_invariants(&story->scenario, &story->outcome, &story->findings);
    for (size_t i = 0; i < story->findings.count; i++) {
        if (!part || i > 0)
            printf("finding of %d: %s (%s, %s)\n", story->findings.items[i].invariant, story->findings.items[i].what,
                   story->findings.items[i].expected, story->findings.items[i].seen);
    }
    CHECK_INT(story->findings.count, part ? 1 : 0);
    if (story->findings.count && part) {
        CHECK_INT(story->findings.items[0].invariant, invariant);
        CHECK_CONTAINS(story->findings.items[0].what, part);
    }
    end(story);
}

QZ_TEST(a_good_run_has_no_findings) // What is as it should be is left in peace.
{
    struct story story;
    begin(&story);
    tell_good_run(&story);
    judged(&story, 0, NULL);
}

QZ_TEST(what_the_oracle_says_counts) // … in place of the invariants that know no operations.
{
    struct story story;
    begin(&story);
    tell_good_run(&story);
    story.outcome.unsafe = (char[]){"a volume is left frozen"};
    judged(&story, 0, "the oracle");

    begin(&story);
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story.scenario.oracle = true;
    judged(&story, 0, NULL);
}

QZ_TEST(something_left_is_found) // 1: nothing is left running, mounted or attached.
{
    struct story story;
    char line[] = "process 12 (sleep)";
    char *left[] = {line};
    begin(&story);
    tell_good_run(&story);
    story.outcome.left = left;
    story.outcome.left_count = 1;
    judged(&story, 1, "left behind");
}

QZ_TEST(a_left_freeze_is_found) // 1: nothing is left frozen, but for what somebody else froze.
{
    const char *frozen[] = {"/data"};
    struct story story;
    begin(&story);
    tell_good_run(&story);
    story.seen.frozen = frozen;
    story.seen.frozen_count = 1;
    judged(&story, 1, "left frozen");

    begin(&story);
    tell_good_run(&story);
    operation(&story, TRACE_OTHER, TRACE_FREEZE, 0, -1);
    story.seen.frozen = frozen;
    story.seen.frozen_count = 1;
    judged(&story, 0, NULL);
}

QZ_TEST(a_foreign_filesystem_is_found) // 1: quiesce reached for what the scenario did not make.
{
    struct story story;
    char refused[] = "FIFREEZE on 254:0";
    begin(&story);
    tell_good_run(&story);
    story.outcome.refused = refused;
    judged(&story, 1, "not the scenario's");
}

QZ_TEST(a_write_to_a_frozen_disk_is_found) // 2: no write reaches the disk of a frozen volume.
{
    struct story story;
    begin(&story);
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 8);
    post(&story);
    result(&story, "application", 0, NULL);
    judged(&story, 2, "written while it was frozen");
}

QZ_TEST(a_run_that_says_nothing_is_found) // 3: who comes to its end by itself says what came of it.
{
    static const char *const AS_JSON[] = {"run", "--format", "json", "--", "snapshot", NULL};
    char words[] = "not JSON", other[] = "{\"consistency\": \"crash\"}";
    struct story story;
    begin(&story); /* nothing was printed */
    tell_good_run(&story);
    story.seen.out = NULL;
    judged(&story, 3, "no result was printed");

    begin(&story); /* asked for JSON, it is none */
    tell_good_run(&story);
    story.step.argv = AS_JSON;
    story.seen.out = words;
    judged(&story, 3, "is none");

    begin(&story); /* two results that differ */
    tell_good_run(&story);
    story.seen.out = other;
    judged(&story, 3, "differ");

    begin(&story); /* it failed, and does not say at what */
    story.seen.exit = 70;
    judged(&story, 3, "said nothing");
    begin(&story);
    story.seen.exit = 70;
    story.seen.err = words;
    judged(&story, 0, NULL);

    begin(&story); /* an exit status that is none */
    story.seen.exit = 127;
    judged(&story, 3, "says nothing");
    begin(&story); /* dead, and nobody did it */
    story.seen.exit = -1;
    story.seen.signal = 11;
    judged(&story, 3, "nobody sent");
    begin(&story);
    story.seen.exit = -1;
    story.seen.signal = 9;
    tell(&story, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .value = 9, .target = TRACE_AGENT});
    judged(&story, 0, NULL);
}

QZ_TEST(an_inherited_descriptor_is_found) // 6: a script has its three streams, and nothing of quiesce's.
{
    struct story story;
    begin(&story);
    tell(&story, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = "a child inherits descriptor 7"});
    tell_good_run(&story);
    judged(&story, 6, "inherits a descriptor");
}

QZ_TEST(too_much_is_found_to_be_claimed) // 3: a snapshot before the freeze is worth less than one within it.
{
    struct story story;
    begin(&story);
    pre(&story);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(&story);
    result(&story, "application", 0, NULL);
    judged(&story, 3, "not frozen by quiesce");

    begin(&story); /* a script that failed */
    script(&story, TRACE_PRE, 1, TRACE_STARTS, 0);
    script(&story, TRACE_PRE, 1, TRACE_EXITS, 3);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(&story);
    result(&story, "application", 0, NULL);
    judged(&story, 3, "pre-script of ScriptRunner failed");

    begin(&story); /* thawed by somebody else in the middle */
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    tell(&story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_STARTS});
    operation(&story, TRACE_OTHER, TRACE_THAW, 0, -1);
    tell(&story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_EXITS});
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 22, 7);
    post(&story);
    result(&story, "filesystem", 10, "FreezeLost");
    judged(&story, 3, "not frozen by quiesce");

    begin(&story); /* not thawed: filesystem is true, application is not */
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 5, 7);
    post(&story);
    result(&story, "filesystem", 10, "ThawFailed");
    judged(&story, 0, NULL);

    begin(&story);
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 5, 7);
    post(&story);
    result(&story, "application", 0, NULL);
    judged(&story, 3, "not thawed by quiesce");

    begin(&story); /* no snapshot */
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 1);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(&story);
    result(&story, "crash", 11, "SnapshotFailed");
    judged(&story, 3, "no snapshot was taken");
}

QZ_TEST(a_thaw_that_failed_costs_the_application) // 3: and not what the freeze was worth, which held all the time.
{
    static const char *const CLAIMS[] = {"application", "filesystem"};
    for (int exit = 0; exit <= 10; exit += 10) {
        struct story story;
        const char *left = "/data";
        begin(&story);
        pre(&story);
        operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
        snapshot(&story, 0);
        operation(&story, TRACE_GUARDIAN, TRACE_THAW, 5, 7);
        post(&story);
        story.step.expect.frozen = &left;
        story.step.expect.frozen_count = 1;
        result(&story, CLAIMS[exit / 10], exit, "ThawFailed");
        judged(&story, 3, exit ? NULL : "not thawed by quiesce");
    }
}

QZ_TEST(too_little_without_a_reason_is_found) // 3: less may be claimed only with an error that says why.
{
    struct story story;
    begin(&story);
    tell_good_run(&story);
    cJSON_Delete(story.seen.result);
    result(&story, "filesystem", 10, NULL);
    judged(&story, 3, "less was claimed");
}

QZ_TEST(a_wrong_exit_status_is_found) // 3: exit status, code and consistency agree.
{
    struct story story;
    begin(&story);
    tell_good_run(&story);
    story.seen.exit = 10;
    judged(&story, 3, "exit status");

    begin(&story);
    tell_good_run(&story);
    cJSON_ReplaceItemInObject(story.seen.result, "code", cJSON_CreateString("FreezeLost"));
    judged(&story, 3, "the code is not that of the first error");
}

/* Begins a story of `--hold 1` in which everything was frozen for so long; its result is still to be told. */
static void tell_hold(struct story *story, int64_t held_ms)
{
    begin(story);
    story->step.argv = HOLD;
    story->step.argc = 3;
    pre(story);
    operation(story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story->now_us += held_ms * MS;
    operation(story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(story);
}

QZ_TEST(a_short_hold_is_found) // 3: with --hold the time between freeze and thaw is the snapshot.
{
    struct story story;
    tell_hold(&story, 1000);
    result(&story, "application", 0, NULL);
    judged(&story, 0, NULL);

    tell_hold(&story, 900);
    result(&story, "application", 0, NULL);
    judged(&story, 3, "nothing was frozen for the whole hold");
}

QZ_TEST(a_hold_that_was_lost_is_a_crash) // 3: nobody sees the snapshot that --hold waits for; at most it was taken later.
{
    struct story story;
    tell_hold(&story, 900);
    result(&story, "crash", 11, "FreezeLost");
    judged(&story, 0, NULL);
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
    tell(story, (struct trace_event){.role = TRACE_AGENT, .what = what, .step = step});
}

static void thaw_in(struct story *story, int step)
{
    size_t from = story->outcome.trace.count;
    operation(story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
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
        begin(&story);
        struct scenario_step steps[] = {{.argv = BEGIN, .argc = 3, .expect = {.exit = -1}},
                                        {.argv = it->failed ? FAILED : END, .argc = it->failed ? 2 : 1, .expect = {.exit = -1}}};
        struct outcome_step seen[2] = {{.out = (char[]){"open\n"}}};
        pre(&story);
        operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
        agent(&story, TRACE_EXITS, 0);
        story.now_us += it->held_us;
        if (it->thawed_before)
            thaw_in(&story, 1);
        agent(&story, TRACE_STARTS, 1);
        if (!it->thawed_before)
            thaw_in(&story, 1);
        post(&story);
        result(&story, it->consistency, it->exit, it->exit ? "FreezeLost" : NULL);
        seen[1] = story.seen;
        story.scenario.steps = steps;
        story.scenario.step_count = story.outcome.step_count = 2;
        story.outcome.steps = seen;
        judged(&story, it->invariant, it->part);
    }
}

QZ_TEST(an_owed_post_script_is_found) // 4: a pre-script that started has its post-script run.
{
    struct story story;
    begin(&story);
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    result(&story, "filesystem", 10, "Interrupted");
    judged(&story, 4, "was started");
}

QZ_TEST(a_long_freeze_is_found) // 5: nothing stays frozen longer than the hold limit and a margin.
{
    struct story story;
    begin(&story);
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    story.now_us += 6001 * MS;
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(&story);
    result(&story, "application", 0, NULL);
    judged(&story, 5, "too long");
}

QZ_TEST(what_should_not_have_run_is_found) // 6: unfit scripts, one attempt too many, an attempt that still runs.
{
    struct story story;
    begin(&story);
    story.plugin.pre.file.mode = 0777;
    tell_good_run(&story);
    judged(&story, 6, "too many permission bits");

    begin(&story);
    story.plugin.config.owner = 1000;
    tell_good_run(&story);
    judge_invariants(&story.scenario, &story.outcome, &story.findings);
    CHECK_INT(story.findings.count, 2); /* for pre and post */
    end(&story);

    begin(&story);
    for (int attempt = 1; attempt <= 3; attempt++) {
        script(&story, TRACE_PRE, attempt, TRACE_STARTS, 0);
        script(&story, TRACE_PRE, attempt, TRACE_EXITS, attempt == 3 ? 0 : 1);
    }
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(&story);
    result(&story, "application", 0, NULL);
    judged(&story, 6, "too often");

    begin(&story);
    script(&story, TRACE_PRE, 1, TRACE_STARTS, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(&story);
    result(&story, "filesystem", 10, "Pre-ScriptTimeout");
    judged(&story, 6, "when freezing starts");
}

QZ_TEST(a_process_of_a_failed_attempt_is_found) // 6: no child of a failed attempt is alive when freezing starts.
{
    struct story story;
    begin(&story);
    script(&story, TRACE_PRE, 1, TRACE_STARTS, 0);
    tell(&story, (struct trace_event){.role = TRACE_LEFTOVER, .what = TRACE_STARTS, .target = TRACE_PRE, .ordinal = 1,
                                      .plugin = "ScriptRunner"});
    script(&story, TRACE_PRE, 1, TRACE_EXITS, 3);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    snapshot(&story, 0);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    post(&story);
    result(&story, "filesystem", 10, "Pre-ScriptExecutionFailed");
    judged(&story, 6, "failed attempt 1");
}

QZ_TEST(a_thaw_of_a_foreign_freeze_is_found) // 7: nobody else's freeze is thawed.
{
    struct story story;
    begin(&story);
    story.volume.frozen_by_other = true;
    pre(&story);
    operation(&story, TRACE_GUARDIAN, TRACE_FREEZE, 16, 7);
    operation(&story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
    snapshot(&story, 0);
    post(&story);
    result(&story, "crash", 11, "FrozenByOther");
    judged(&story, 7, "frozen by somebody else");
}

/* ---- Expectations ----------------------------------------------------------------------------------------------- */

/* Judges the expectations; checks for just one finding with this text, or none. */
static void expected(struct story *story, const char *part)
{
    judge_expectations(&story->scenario, &story->outcome, &story->findings);
    for (size_t i = 0; i < story->findings.count && !part; i++)
        printf("finding: %s (%s, %s)\n", story->findings.items[i].what, story->findings.items[i].expected,
               story->findings.items[i].seen);
    CHECK_INT(story->findings.count, part ? 1 : 0);
    if (story->findings.count && part)
        CHECK_CONTAINS(story->findings.items[0].what, part);
    findings_free(&story->findings);
}

QZ_TEST(the_trace_is_an_ordered_subset) // Patterns match in order, with others between them; a wrong order is found.
{
    static const char *const right[] = {"pre * 1 exits 0", "freeze /data ok", "snapshot exits 0", "post * exits 0"};
    static const char *const wrong[] = {"freeze /data ok", "pre * 1 exits 0"};
    static const char *const never[] = {"thaw * EINVAL"};
    static const char *const bad_never[] = {"thaw *"};
    struct story story;
    begin(&story);
    tell_good_run(&story);
    struct scenario_expect *expect = &story.step.expect;
    expect->trace = right;
    expect->trace_count = 4;
    expect->never = never;
    expect->never_count = 1;
    expected(&story, NULL);
    expect->trace = wrong;
    expect->trace_count = 2;
    expected(&story, "line 2 of the expected trace");
    expect->trace_count = 1;
    expect->never = bad_never;
    expected(&story, "what must not happen did");
    end(&story);
}

QZ_TEST(the_result_is_compared) // Exit status, consistency, errors and any part of the result.
{
    static const char *const errors[] = {"FreezeLost"};
    struct story story;
    begin(&story);
    tell_good_run(&story);
    struct scenario_expect *expect = &story.step.expect;
    *expect = (struct scenario_expect){.exit = 0, .consistency = "application", .errors = errors, .error_count = 0};
    cJSON *part = cJSON_Parse("{\"freeze\":{\"volumes\":[{\"mount\":\"/d*\"}]}}");
    expect->result = part;
    expected(&story, NULL);
    expect->exit = 10;
    expected(&story, "the exit status");
    expect->exit = 0;
    expect->consistency = "crash";
    expected(&story, "the consistency");
    expect->consistency = NULL;
    expect->error_count = 1;
    expected(&story, "the errors");
    expect->error_count = 0;
    cJSON_Delete(part);
    part = cJSON_Parse("{\"freeze\":{\"volumes\":[{\"mount\":\"/e*\"}]}}");
    expect->result = part;
    expected(&story, "freeze.volumes[0].mount of the result");
    cJSON_Delete(part);
    end(&story);
}

QZ_TEST(crash_images_are_compared) // Each must be as all must be; of "some" one is enough; there must be both kinds.
{
    struct story story;
    begin(&story);
    tell_good_run(&story);
    struct outcome_crash crashes[] = {{.mount = "/data", .at_flush = true, .mounts = true, .clean = true},
                                      {.mount = "/srv", .at_flush = false, .missing = 7},
                                      {.mount = "/data", .at_flush = false, .mounts = true, .clean = true}};
    story.outcome.crashes = crashes;
    story.outcome.crash_count = 3;
    cJSON *none = cJSON_Parse("{\"/data\":{\"images\":2,\"clean\":true,\"missing\":0}}");
    cJSON *some = cJSON_Parse("{\"/data\":{\"images\":2,\"missing\":\"some\"}}");
    story.step.expect.crash_images = none;
    expected(&story, NULL);
    crashes[0].clean = false;
    expected(&story, "the filesystem of /data after a crash");
    crashes[0].clean = true;
    crashes[2].missing = 1;
    expected(&story, "acknowledged records missing on /data after a crash at");
    story.step.expect.crash_images = some;
    expected(&story, NULL);
    crashes[2].missing = 0;
    expected(&story, "acknowledged records missing on /data after a crash");
    crashes[0].missing = 1;
    crashes[2].mount = "/srv";
    expected(&story, "what crashes would have left of /data");
    cJSON_Delete(none);
    cJSON_Delete(some);
    end(&story);
}

QZ_TEST(durations_and_text_are_compared) // Bounds on the time between two lines; lines of output; frozen volumes.
{
    static const char *const frozen[] = {"/data"};
    static const char *const line[] = {"*warning*"};
    char out[] = "one\na warning: two\n";
    struct story story;
    begin(&story);
    tell_good_run(&story);
    struct scenario_duration duration = {"freeze /data ok", "thaw /data begins", 0, 4 * MS};
    struct scenario_expect *expect = &story.step.expect;
    expect->durations = &duration;
    expect->duration_count = 1;
    expect->out = line;
    expect->out_count = 1;
    story.seen.out = out;
    expected(&story, NULL);
    duration.max_us = 2 * MS;
    expected(&story, "the time from");
    duration.max_us = SCENARIO_FOREVER;
    duration.min_us = 4 * MS;
    expected(&story, "the time from");
    expect->duration_count = 0;
    story.seen.out = NULL;
    expected(&story, "no line of standard output matches");
    story.seen.out = out;
    expect->frozen = frozen;
    expect->frozen_count = 1;
    expected(&story, "/data after the command");
    end(&story);
}

QZ_TEST(snapshots_are_compared) // Clean or not, and how many acknowledged records are missing.
{
    struct story story;
    begin(&story);
    tell_good_run(&story);
    struct outcome_snapshot taken = {.mount = "/data", .taken = true, .clean = true, .missing = 3};
    story.outcome.snapshots = &taken;
    story.outcome.snapshot_count = 1;
    cJSON *expect = cJSON_Parse("{\"/data\":{\"clean\":true,\"missing\":\"some\"}}");
    story.step.expect.snapshot = expect;
    expected(&story, NULL);
    taken.missing = 0;
    expected(&story, "acknowledged records");
    taken.missing = 3;
    taken.clean = false;
    expected(&story, "the filesystem in the snapshot");
    taken.taken = false;
    expected(&story, "the snapshot of /data");
    cJSON_Delete(expect);
    end(&story);
}

QZ_TEST(worlds_must_agree) // Exit status, code, consistency and order of phases.
{
    struct story one;
    struct story two;
    begin(&one);
    begin(&two);
    tell_good_run(&one);
    tell_good_run(&two);
    judge_agreement("virtual", &one.outcome, "loop", &two.outcome, &one.findings);
    CHECK_INT(one.findings.count, 0);
    cJSON_ReplaceItemInObject(two.seen.result, "consistency", cJSON_CreateString("crash"));
    cJSON_ReplaceItemInObject(two.seen.result, "phases", cJSON_Parse("[{\"name\":\"post\"},{\"name\":\"pre\"}]"));
    two.seen.exit = 11;
    judge_agreement("virtual", &one.outcome, "loop", &two.outcome, &one.findings);
    CHECK_INT(one.findings.count, 3);
    end(&one);
    end(&two);
}

QZ_TEST(every_event_has_its_line) // The lines that trace.h documents.
{
    char line[128];
    struct trace_event event = {.role = TRACE_PRE, .what = TRACE_DIES, .plugin = "ScriptRunner", .ordinal = 2, .value = 15};
    CHECK_STRING(trace_line(&event, line, sizeof line), "pre ScriptRunner 2 dies TERM");
    event = (struct trace_event){.role = TRACE_OTHER, .what = TRACE_DONE, .op = TRACE_THAW, .volume = "/data"};
    CHECK_STRING(trace_line(&event, line, sizeof line), "other thaw /data ok");
    event = (struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_DONE, .op = TRACE_FREEZE, .volume = "/d", .value = 16};
    CHECK_STRING(trace_line(&event, line, sizeof line), "freeze /d EBUSY");
    event = (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .target = TRACE_GUARDIAN, .value = 9};
    CHECK_STRING(trace_line(&event, line, sizeof line), "KILL to guardian");
    event = (struct trace_event){.role = TRACE_LEFTOVER, .what = TRACE_STARTS, .target = TRACE_POST, .plugin = "x", .ordinal = 1};
    CHECK_STRING(trace_line(&event, line, sizeof line), "leftover of post x 1 starts");
    CHECK_INT(trace_errno_number("EBUSY"), 16);
    CHECK_INT(trace_signal_number("SIGKILL"), 9);
    CHECK_INT(trace_signal_number("KILLED"), -1);
}
