/* What a scenario expects, held against a story. */
#include <stdio.h>

#include "check.h"
#include "story.h"

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
    story_begin(&story);
    story_good_run(&story);
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
    story_end(&story);
}

QZ_TEST(each_command_is_judged_by_what_happened_in_it) // … and where else a line is that is not there is told, too.
{
    static const char *const lines[] = {"thaw /data ok", "freeze /data ok"};
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    struct scenario_step steps[] = {{.argv = (const char *const[]){"begin", NULL}, .expect = {.exit = -1}},
                                    {.argv = (const char *const[]){"end", NULL}}};
    struct outcome_step seen[] = {story.seen, {.exit = 0}};
    struct scenario_duration duration = {.from = "freeze /data begins", .to = "pre * starts", .max_us = MS};
    struct trace *trace = &story.outcome.trace;
    for (size_t i = trace->count - 6; i < trace->count; i++)
        trace->events[i].step = 1; /* from the thaw on */
    steps[1].expect = (struct scenario_expect){.exit = 0, .trace = lines, .trace_count = 2, .durations = &duration,
                                               .duration_count = 1};
    story.scenario.steps = steps;
    story.scenario.step_count = story.outcome.step_count = 2;
    story.outcome.steps = seen;
    judge_expectations(&story.scenario, &story.outcome, &story.findings);
    CHECK_INT(story.findings.count, 2);
    CHECK_STRING(story.findings.items[0].what, "command 2, end: line 2 of the expected trace is not there after: thaw /data ok");
    CHECK_STRING(story.findings.items[0].seen, "only in command 1");
    CHECK_STRING(story.findings.items[1].seen, "only in command 1");
    findings_free(&story.findings);
    story.outcome.steps = &story.seen;
    story_end(&story);
}

QZ_TEST(what_must_not_happen_is_told_first) // … also where a line that was expected is not there.
{
    static const char *const missing[] = {"pre * 2 starts"};
    static const char *const never[] = {"thaw *"};
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    story.step.expect.trace = missing;
    story.step.expect.never = never;
    story.step.expect.trace_count = story.step.expect.never_count = 1;
    judge_expectations(&story.scenario, &story.outcome, &story.findings);
    CHECK_INT(story.findings.count, 2);
    CHECK_CONTAINS(story.findings.items[0].what, "what must not happen did");
    CHECK_CONTAINS(story.findings.items[1].what, "line 1 of the expected trace");
    story_end(&story);
}

/* Checks for just one finding with this text, or none. */
static void missed(struct story *story, const char *part)
{
    judge_missed(&story->scenario, &story->outcome, &story->findings);
    CHECK_INT(story->findings.count, part ? 1 : 0);
    if (story->findings.count && part)
        CHECK_CONTAINS(story->findings.items[0].what, part);
    findings_free(&story->findings);
}

QZ_TEST(what_was_to_go_wrong_went_wrong) // An action whose line never came, and a fault that never struck, are found.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    struct scenario_action action = {.when = "freeze * begins", .nth = 1};
    story.scenario.actions = &action;
    story.scenario.action_count = 1;
    missed(&story, NULL);
    action.nth = 2;
    missed(&story, "actions[0] was never done");
    action = (struct scenario_action){.when = "pre * 9 starts", .nth = 1};
    missed(&story, "actions[0] was never done");
    action = (struct scenario_action){.after_us = 5000}; /* at a time */
    missed(&story, NULL);
    story.scenario.action_count = 0;
    story.fault = (struct scenario_fault){.op = SCENARIO_THAW, .volume = "/data", .nth = 1};
    story.scenario.faults = &story.fault;
    story.scenario.fault_count = 1;
    missed(&story, NULL);
    story.fault.volume = NULL;
    missed(&story, NULL);
    story.fault.nth = 7;
    missed(&story, "faults[0] never struck");
    story.fault = (struct scenario_fault){.op = SCENARIO_SYNC, .volume = "/other"};
    missed(&story, "faults[0] never struck");
    story_end(&story);
}

QZ_TEST(an_action_that_came_too_late_or_in_vain_is_found) // it shows nothing of what it is for
{
    static const char *const VAIN[] = {"KILL to guardian: there is none", "unmount /data: EINVAL", "chmod /opt/x: ENOENT"};
    static const char *const DONE[] = {"unmount /data", "a child inherits 5: /x", "another: Eager"};
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    struct scenario_action action = {.when = "freeze /data ok", .nth = 1, .after_us = 1000};
    story.scenario.actions = &action;
    story.scenario.action_count = 1;
    missed(&story, NULL);
    action.after_us = 1000000;
    missed(&story, "actions[0] was never done");
    story.scenario.action_count = 0;
    for (size_t i = 0; i < 3; i++) {
        story_tell(&story, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = DONE[i], .disk_writes = -1});
        missed(&story, NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        struct trace *trace = &story.outcome.trace;
        story_tell(&story, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = VAIN[i], .disk_writes = -1});
        missed(&story, "an action was in vain");
        trace->events[trace->count - 1].what = TRACE_STARTS;
    }
    story_end(&story);
}

QZ_TEST(what_was_to_befall_calls_did) // A system call, and an operation of the seam, that never came is found …
{
    struct story story;
    int matches[] = {2, 0};
    bool struck[] = {true, false};
    const struct scenario_call calls[] = {{.by = SCENARIO_BY_GUARDIAN, .call = "openat", .nth = 2}, {.call = "read"}};
    const struct scenario_blow blows[] = {{.by = SCENARIO_AGENT, .op = "any", .nth = 40}, {.op = "lock", .nth = 1}};
    story_begin(&story);
    story_good_run(&story);
    story.scenario.calls = calls;
    story.scenario.call_count = 2;
    story.scenario.blows = blows;
    story.scenario.blow_count = 2;
    missed(&story, NULL); /* … unless the world cannot tell */
    story.outcome.call_matches = matches;
    missed(&story, "calls[1] never went wrong");
    matches[0] = matches[1] = 1;
    missed(&story, "calls[0] never went wrong");
    story.outcome.call_matches = NULL;
    story.outcome.blows_struck = struck;
    missed(&story, "blows[1] never struck");
    struck[1] = true;
    missed(&story, NULL);
    story_end(&story);
}

QZ_TEST(what_a_script_was_to_do_it_did) // Each row of a script is played; those of the snapshot command need not be.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
    story.plugin.post.attempt_count = 1;
    story.scenario.snapshot_count = 3;
    missed(&story, NULL);
    story.plugin.pre.attempt_count = 2;
    missed(&story, "pre[1] of ScriptRunner was never played");
    story.plugin.post.attempt_count = 3;
    story_script(&story, TRACE_PRE, 2, TRACE_STARTS, 0);
    story_script(&story, TRACE_POST, 2, TRACE_STARTS, 0);
    missed(&story, "post[2] of ScriptRunner was never played");
    story_end(&story);
}

QZ_TEST(the_result_is_compared) // Exit status, consistency, errors and any part of the result.
{
    static const char *const errors[] = {"FreezeLost"};
    struct story story;
    story_begin(&story);
    story_good_run(&story);
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
    part = cJSON_Parse("{\"freeze\":{\"volumes\":[]}}"); /* empty is empty */
    expect->result = part;
    expected(&story, "freeze.volumes of the result");
    cJSON_Delete(part);
    story_end(&story);
}

QZ_TEST(crash_images_are_compared) // Each must be as all must be; of "some" one is enough; there must be both kinds.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
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
    story_end(&story);
}

QZ_TEST(durations_and_text_are_compared) // Bounds on the time between two lines; lines of output; frozen volumes.
{
    static const char *const frozen[] = {"/data"};
    static const char *const line[] = {"*warning*"};
    char out[] = "one\na warning: two\n";
    struct story story;
    story_begin(&story);
    story_good_run(&story);
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
    story_end(&story);
}

QZ_TEST(snapshots_are_compared) // Clean or not, and how many acknowledged records are missing.
{
    struct story story;
    story_begin(&story);
    story_good_run(&story);
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
    story_end(&story);
}

QZ_TEST(worlds_must_agree) // Exit status, code, consistency and order of phases.
{
    struct story one;
    struct story two;
    story_begin(&one);
    story_begin(&two);
    story_good_run(&one);
    story_good_run(&two);
    judge_agreement("virtual", &one.outcome, "loop", &two.outcome, &one.findings);
    CHECK_INT(one.findings.count, 0);
    cJSON_ReplaceItemInObject(two.seen.result, "consistency", cJSON_CreateString("crash"));
    cJSON_ReplaceItemInObject(two.seen.result, "phases", cJSON_Parse("[{\"name\":\"post\"},{\"name\":\"pre\"}]"));
    two.seen.exit = 11;
    judge_agreement("virtual", &one.outcome, "loop", &two.outcome, &one.findings);
    CHECK_INT(one.findings.count, 3);
    story_end(&one);
    story_end(&two);
}

QZ_TEST(every_event_has_its_line) // The lines that trace.h documents.
{
    char line[128];
    struct trace_event event = {
        .role = TRACE_PRE, .what = TRACE_DIES, .plugin = "ScriptRunner", .ordinal = 2, .value = 15};
    CHECK_STRING(trace_line(&event, line, sizeof line), "pre ScriptRunner 2 dies TERM");
    event = (struct trace_event){.role = TRACE_OTHER, .what = TRACE_DONE, .op = TRACE_THAW, .volume = "/data"};
    CHECK_STRING(trace_line(&event, line, sizeof line), "other thaw /data ok");
    event = (struct trace_event){
        .role = TRACE_GUARDIAN, .what = TRACE_DONE, .op = TRACE_FREEZE, .volume = "/d", .value = 16};
    CHECK_STRING(trace_line(&event, line, sizeof line), "freeze /d EBUSY");
    event = (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .target = TRACE_GUARDIAN, .value = 9};
    CHECK_STRING(trace_line(&event, line, sizeof line), "KILL to guardian");
    event = (struct trace_event){
        .role = TRACE_LEFTOVER, .what = TRACE_STARTS, .target = TRACE_POST, .plugin = "x", .ordinal = 1};
    CHECK_STRING(trace_line(&event, line, sizeof line), "leftover of post x 1 starts");
    CHECK_INT(trace_errno_number("EBUSY"), 16);
    CHECK_INT(trace_signal_number("SIGKILL"), 9);
    CHECK_INT(trace_signal_number("KILLED"), -1);
}
