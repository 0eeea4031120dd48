/* test_virtual_player.c: scenarios, built by hand, played in the virtual world and judged. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "judge.h"

static const char CONFIG[] = "{\"preScriptLocation\":\"/opt/app/pre.sh\",\"postScriptLocation\":\"/opt/app/post.sh\","
                             "\"preScriptNoOfRetries\":1,\"timeoutInSeconds\":1800}";
static const char *const RUN[] = {"run", "--", "snapshot", NULL};

struct stage {
    struct scenario scenario;
    struct scenario_volume volumes[2];
    struct scenario_plugin plugin;
    struct scenario_attempt pre[2];
    struct scenario_attempt post;
    struct scenario_attempt snapshot;
    struct scenario_fault fault;
    struct scenario_action action;
    struct scenario_blow blow;
    struct scenario_step step;
    struct outcome outcome;
    struct findings findings;
};

static void set(struct stage *stage)
{
    *stage = (struct stage){
        .volumes = {{.mount = "/data", .type = "ext4", .disk = 1}, {.mount = "/log", .type = "xfs", .disk = 2}},
        .plugin = {.name = "ScriptRunner",
                   .config = {.path = "/etc/azure/VMSnapshotScriptPluginConfig.json", .text = CONFIG,
                              .size = sizeof CONFIG - 1, .mode = 0600},
                   .pre = {.location = "/opt/app/pre.sh", .file = {.path = "/opt/app/pre.sh", .mode = 0700}, .attempt_count = 1},
                   .post = {.location = "/opt/app/post.sh", .file = {.path = "/opt/app/post.sh", .mode = 0700}, .attempt_count = 1}},
        .snapshot = {.run_us = 20000},
        .step = {.argv = RUN, .argc = 3, .root = true, .expect = {.exit = -1}},
    };
    stage->plugin.pre.attempts = stage->pre;
    stage->plugin.post.attempts = &stage->post;
    stage->scenario = (struct scenario){
        .name = "by hand", .variant = "", .worlds = SCENARIO_WORLDS, .volumes = stage->volumes, .volume_count = 2,
        .plugins = &stage->plugin, .plugin_count = 1, .snapshots = &stage->snapshot, .snapshot_count = 1,
        .writeback_period = SCENARIO_WRITEBACK_PERIOD,
        .faults = &stage->fault, .actions = &stage->action, .blows = &stage->blow, .steps = &stage->step, .step_count = 1,
    };
}

/* Plays; the invariants must hold; the step must have come to this. */
static void play(struct stage *stage, int exit, const char *consistency, const char *code, const char *const *trace)
{
    static const struct world_settings SETTINGS = {.seed = 1};
    struct scenario_expect *expect = &stage->step.expect;
    world_virtual.play(&stage->scenario, &SETTINGS, &stage->outcome);
    for (expect->trace = trace; trace && trace[expect->trace_count];)
        expect->trace_count++;
    expect->exit = exit;
    expect->consistency = consistency;
    judge_invariants(&stage->scenario, &stage->outcome, &stage->findings);
    judge_expectations(&stage->scenario, &stage->outcome, &stage->findings);
    for (size_t i = 0; i < stage->findings.count; i++)
        printf("finding of %d: %s (%s, %s)\n", stage->findings.items[i].invariant, stage->findings.items[i].what,
               stage->findings.items[i].expected, stage->findings.items[i].seen);
    CHECK_INT(stage->findings.count, 0);
    if (code)
        CHECK_STRING(cJSON_GetStringValue(cJSON_GetObjectItem(stage->outcome.steps[0].result, "code")), code);
    char line[256];
    for (size_t i = 0; i < stage->outcome.trace.count && stage->findings.count; i++)
        printf("%10.6f %s\n", (double)stage->outcome.trace.events[i].at_us / 1e6,
               trace_line(&stage->outcome.trace.events[i], line, sizeof line));
    findings_free(&stage->findings);
    outcome_free(&stage->outcome);
}

QZ_TEST(a_plain_run_is_told_in_order) // Everything that happens in a run is in the trace.
{
    static const char *const TRACE[] = {
        "agent starts", "pre ScriptRunner 1 starts", "pre ScriptRunner 1 exits 0", "sync /* ok", "freeze /* begins",
        "freeze /* ok", "freeze /* ok", "snapshot starts", "snapshot exits 0", "thaw /* begins", "thaw /* ok", "thaw /* ok",
        "post ScriptRunner 1 starts", "post ScriptRunner 1 exits 0", "agent exits 0", NULL};
    struct stage stage;
    set(&stage);
    play(&stage, 0, "application", "Success", TRACE);
}

QZ_TEST(half_an_hour_is_waited_out) // A script that needs 1,800 s and more is ended, and costs no time.
{
    static const char *const TRACE[] = {"pre ScriptRunner 1 starts", "pre ScriptRunner 1 dies TERM", "freeze /data ok", NULL};
    struct stage stage;
    set(&stage);
    stage.pre[0].run_us = SCENARIO_FOREVER;
    play(&stage, 10, "filesystem", "Pre-ScriptTimeout", TRACE);
}

QZ_TEST(attempts_are_played_in_turn) // The nth start does what the nth row says.
{
    static const char *const TRACE[] = {"pre * 1 exits 3", "pre * 2 exits 0", "freeze /data ok", NULL};
    struct stage stage;
    set(&stage);
    stage.pre[0].exit = 3;
    stage.plugin.pre.attempt_count = 2;
    play(&stage, 0, "application", "Success", TRACE);
}

QZ_TEST(a_killed_agent_is_survived) // Actions strike at their line; the guardian does what is owed.
{
    static const char *const TRACE[] = {"freeze /log ok", "KILL to agent", "agent dies KILL", "thaw /* ok", "thaw /* ok",
                                        "post ScriptRunner 1 exits 0", NULL};
    struct stage stage;
    set(&stage);
    stage.scenario.action_count = 1;
    stage.action = (struct scenario_action){.when = "freeze /log ok", .nth = 1, .kind = SCENARIO_SEND,
                                            .target = SCENARIO_AGENT, .signal = 9};
    play(&stage, -1, NULL, NULL, TRACE);
}

QZ_TEST(faults_strike_their_volume) // A freeze fails as told; the other volume is thawed.
{
    static const char *const TRACE[] = {"freeze /log EIO", "thaw /data ok", "snapshot exits 0", NULL};
    struct stage stage;
    set(&stage);
    stage.scenario.fault_count = 1;
    stage.fault = (struct scenario_fault){.op = SCENARIO_FREEZE, .volume = "/log", .nth = 1, .error = 5, .delay_us = 3000};
    play(&stage, 11, "crash", "FsFreezeFailed", TRACE);
}

QZ_TEST(a_hung_freeze_is_released_at_the_end) // It never returns while the command runs; then it is thawed at once.
{
    static const char *const TRACE[] = {"freeze /log begins", "thaw /data ok", "agent exits 11", "freeze /log ok",
                                        "thaw /log ok", NULL};
    struct stage stage;
    set(&stage);
    stage.scenario.fault_count = 1;
    stage.fault = (struct scenario_fault){.op = SCENARIO_FREEZE, .volume = "/log", .nth = 1, .delay_us = SCENARIO_FOREVER};
    play(&stage, 11, "crash", "FsFreezeTimeout", TRACE);
}

QZ_TEST(a_foreign_freeze_stays) // It was there before, is left alone, and is there afterwards.
{
    struct stage stage;
    set(&stage);
    stage.volumes[0].frozen_by_other = true;
    play(&stage, 11, "crash", "FrozenByOther", NULL);
}

/* ---- What befalls agent and guardian at their own operations ------------------------------------------------------ */

static void set_blow(struct stage *stage, struct scenario_blow blow)
{
    set(stage);
    stage->scenario.oracle = true;
    stage->scenario.blow_count = 1;
    stage->blow = blow;
    stage->blow.command = stage->blow.command ? stage->blow.command : 1;
}

QZ_TEST(an_operation_fails_as_told) // The nth of its kind by that process.
{
    struct stage stage;
    set_blow(&stage, (struct scenario_blow){.by = SCENARIO_AGENT, .op = "guard", .nth = 2, .error = EAGAIN});
    play(&stage, 11, "crash", "FsFreezeFailed", NULL);
    set_blow(&stage, (struct scenario_blow){.by = SCENARIO_AGENT, .op = "guard", .nth = 2, .error = EAGAIN, .command = 2});
    play(&stage, 0, "application", "Success", NULL);
}

QZ_TEST(what_struck_is_told) // A blow at a call that was never made has not struck.
{
    static const struct world_settings SETTINGS = {.seed = 1};
    static const struct scenario_blow BLOWS[] = {
        {.by = SCENARIO_AGENT, .command = 1, .op = "guard", .nth = 99, .error = EAGAIN},
        {.by = SCENARIO_AGENT, .command = 2, .op = "guard", .nth = 1, .error = EAGAIN},
        {.by = SCENARIO_AGENT, .command = 1, .op = "guard", .nth = 2, .error = EAGAIN}};
    struct stage stage;
    set(&stage);
    stage.scenario.blows = BLOWS;
    stage.scenario.blow_count = 3;
    world_virtual.play(&stage.scenario, &SETTINGS, &stage.outcome);
    CHECK_INT(stage.outcome.blows_struck[0], false);
    CHECK_INT(stage.outcome.blows_struck[1], false);
    CHECK_INT(stage.outcome.blows_struck[2], true);
    outcome_free(&stage.outcome);
}

QZ_TEST(a_process_is_killed_at_its_operation) // Before or after it, alone or both at once; the trace says who did it.
{
    static const char *const ALONE[] = {"freeze /log begins", "KILL to guardian", "guardian dies KILL", "thaw /* ok",
                                        "post ScriptRunner 1 exits 0", "agent exits 11", NULL};
    static const char *const BOTH[] = {"snapshot starts", "KILL to guardian", "guardian dies KILL", "KILL to agent",
                                       "agent dies KILL", NULL};
    struct stage stage;
    set_blow(&stage, (struct scenario_blow){.by = SCENARIO_GUARDIAN, .which = 2, .op = "volume_start", .nth = 4,
                                            .signal = SIGKILL, .after = true});
    play(&stage, 11, "crash", "FreezeLost", ALONE);
    set_blow(&stage, (struct scenario_blow){.by = SCENARIO_AGENT, .op = "child_release", .nth = 1, .signal = SIGKILL,
                                            .after = true, .target = SCENARIO_BOTH});
    play(&stage, -1, NULL, NULL, BOTH);
}

QZ_TEST(a_process_sleeps_at_its_operation) // Stopped, or just late; the other one does what has to be done.
{
    static const char *const STOPPED[] = {"snapshot starts", "STOP to agent", "thaw /* ok", "thaw /* ok", NULL};
    struct stage stage;
    set_blow(&stage, (struct scenario_blow){.by = SCENARIO_AGENT, .op = "child_release", .nth = 1, .signal = SIGSTOP,
                                            .after = true, .resume_us = 100000000});
    play(&stage, 11, "crash", "FreezeLost", STOPPED);
    set_blow(&stage, (struct scenario_blow){.by = SCENARIO_AGENT, .op = "child_release", .nth = 1, .delay_us = 5000000});
    play(&stage, 0, "application", "Success", NULL);
}

QZ_TEST(a_freeze_hangs_inside_the_kernel) // A thaw meanwhile waits until it has returned, or passes it by.
{
    static const char *const EARLY[] = {"thaw /log EINVAL"};
    static const char *const WAITS[] = {"guardian dies KILL", "thaw /log begins", "freeze /log ok", "thaw /log ok", NULL};
    static const char *const PASSES[] = {"guardian dies KILL", "thaw /log EINVAL", "freeze /log ok", "thaw /log ok", NULL};
    struct stage stage;
    for (int passed = 0; passed < 2; passed++) {
        set(&stage);
        stage.scenario.oracle = true;
        stage.scenario.fault_count = 1;
        stage.fault = (struct scenario_fault){.op = SCENARIO_FREEZE, .volume = "/log", .delay_us = 50000,
                                              .hang = passed ? SCENARIO_HANGS_PASSED : SCENARIO_HANGS_INSIDE};
        stage.scenario.action_count = 1;
        stage.action = (struct scenario_action){.when = "freeze /log begins", .nth = 1, .kind = SCENARIO_SEND,
                                                .target = SCENARIO_GUARDIAN, .signal = SIGKILL};
        stage.step.expect.never = EARLY;
        stage.step.expect.never_count = passed ? 0 : 1;
        play(&stage, 11, "crash", "FreezeLost", passed ? PASSES : WAITS);
    }
}
