/* Tests of the player of the real worlds: what the production binary does is seen, whole and in order. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "scene.h"

/* ---- What is told ----------------------------------------------------------------------------------------------- */

QZ_TEST(plain_run_is_told_whole) // A plain run is application-consistent, and its trace is complete and in order.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    if (scene_play(&scene, &played)) {
        /* One guardian relieves the other, which ends beside all that follows: nothing waits for its end. */
        CHECK_ORDER(&played, "agent starts", "guardian starts", "pre ScriptRunner 1 starts",
                    "pre ScriptRunner 1 exits 0", "guardian starts", "sync /data begins", "sync /data ok",
                    "freeze /data begins", "freeze /data ok", "snapshot starts", "snapshot exits 0",
                    "thaw /data begins", "thaw /data ok", "post ScriptRunner 1 starts",
                    "post ScriptRunner 1 exits 0", "guardian exits 0", "agent exits 0");
        /* There are no others; but a disk that is slow just then is flushed once more. */
        CHECK_INT(played_count(&played, "*") - played_count(&played, "sync *"), 16);
        CHECK_INT(played_count(&played, "guardian starts"), 2);
        CHECK_INT(played_count(&played, "guardian exits 0"), 2);
        CHECK_INT(played_exit(&played, 0), 0);
        CHECK_STRING(played_result(&played, 0, "consistency"), "application");
        CHECK_CONTAINS(played_of_step(&played, 0, "out"), "application-consistent");
        CHECK_STRING(played_text(&played, "left"), "");
        CHECK_STRING(played_text(&played, "refused"), "");
        CU_ASSERT_FALSE(played_frozen(&played, 0, "/data"));
    }
    played_free(&played);
}

QZ_TEST(writes_of_the_disk_are_counted) // When frozen and when the thaw begins, the disk has seen the same writes.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    if (scene_play(&scene, &played)) {
        int64_t frozen = played_writes(&played, played_line(&played, "freeze /data ok", 0));
        CU_ASSERT_TRUE(frozen > 0);
        CHECK_INT(played_writes(&played, played_line(&played, "thaw /data begins", 0)), frozen);
        CHECK_INT(played_writes(&played, played_line(&played, "freeze /data begins", 0)), -1);
    }
    played_free(&played);
}

QZ_TEST(stalls_of_writers_are_told) // How long writers stood still is told as it goes on, and the longest of it.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.scenario.workloads = &(struct scenario_workload){.kind = SCENARIO_APPEND, .volume = "/data", .writers = 1};
    scene.scenario.workload_count = 1;
    scene.snapshot.run_us = 200000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "thaw /data ok", "writer of /data waited * ms");
        CU_ASSERT_TRUE(played_number(&played, "longest_stall_us") >= 200000);
    }
    played_free(&played);
}

QZ_TEST(snapshots_are_judged) // What the snapshot command copied is judged where an expectation asks.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    cJSON *asked = cJSON_Parse("{\"/data\":{\"clean\":true}}");
    scene.steps[0].expect.snapshot = asked;
    if (scene_play(&scene, &played))
        CHECK_INT(played_number(&played, "snapshots"), 1);
    cJSON_Delete(asked);
    played_free(&played);
}

QZ_TEST(failing_scripts_are_told) // Each attempt's start and end is told, with its status or its signal.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.pre.exit = 3;
    scene.post.signal = SIGUSR1;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "pre ScriptRunner 1 exits 3", "freeze /data ok",
                    "post ScriptRunner 1 starts", "post ScriptRunner 1 dies USR1", "agent exits 10");
        CHECK_INT(played_exit(&played, 0), 10);
    }
    played_free(&played);
}

QZ_TEST(timed_out_script_is_seen_to_die) // A script that runs out of time is seen to die, before anything is frozen.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_short_timeout(&scene);
    scene.pre.run_us = SCENARIO_FOREVER;
    scene.pre.leaves = 1;
    scene.pre.leaves_run_us = SCENARIO_FOREVER;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "leftover of pre ScriptRunner 1 starts",
                    "pre ScriptRunner 1 dies TERM", "freeze /data begins");
        CHECK_ORDER(&played, "leftover of pre ScriptRunner 1 dies TERM", "freeze /data begins");
        CHECK_STRING(played_result(&played, 0, "code"), "Pre-ScriptTimeout");
    }
    played_free(&played);
}

QZ_TEST(programs_of_scripts_are_followed) // Of a script's many processes only the script itself is told.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_program(&scene.plugin.pre, "#!/bin/sh\nfor i in 1 2 3; do (true | cat); /bin/true; done\nexit 4\n");
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "pre ScriptRunner 1 exits 4");
        CHECK_INT(played_count(&played, "pre *"), 2);
        CHECK_INT(played_count(&played, "leftover *"), 0);
    }
    played_free(&played);
}

QZ_TEST(what_never_started_is_not_told) // What cannot be executed is not told to start, in PATH or by its interpreter.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    static const struct scenario_file plain = {
        .kind = SCENARIO_FILE, .path = "/opt/plain", .text = "x", .size = 1, .mode = 0644};
    scene_only_step(&scene, "run --volume /data -- no-such-command");
    scene_step(&scene, "run --volume /data -- /opt/plain");
    scene.scenario.files = &plain;
    scene.scenario.file_count = 1;
    scene_program(&scene.plugin.pre, "#!/no/such/interpreter\n");
    if (scene_play(&scene, &played)) {
        CHECK_INT(played_count(&played, "pre *"), 0);
        CHECK_INT(played_count(&played, "snapshot *"), 0);
        CHECK_STRING(played_result(&played, 0, "code"), "Pre-ScriptExecutionFailed");
    }
    played_free(&played);
}

QZ_TEST(scripts_without_a_shebang_are_told_once) // A script that the shell must run after all starts once.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_program(&scene.plugin.pre, "exit 5\n");
    if (scene_play(&scene, &played)) {
        CHECK_INT(played_count(&played, "pre ScriptRunner 1 starts"), 1);
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "pre ScriptRunner 1 exits 5");
    }
    played_free(&played);
}

static void check_leftovers(bool no_cgroups)
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.no_cgroups = no_cgroups;
    scene.pre.exit = 1;
    scene.pre.leaves = 1;
    scene.pre.leaves_run_us = SCENARIO_FOREVER;
    scene_program(&scene.plugin.post, "#!/bin/sh\nsetsid sleep 1000 > /dev/null 2>&1 &\nexit 0\n");
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "leftover of pre ScriptRunner 1 starts",
                    "pre ScriptRunner 1 exits 1", "leftover of pre ScriptRunner 1 dies TERM", "freeze /data begins",
                    "post ScriptRunner 1 starts", "leftover of post ScriptRunner 1 starts",
                    "post ScriptRunner 1 exits 0");
        CHECK_INT(played_count(&played, "leftover of *starts"), 2);
    }
    played_free(&played);
}

QZ_TEST(leftovers_are_told) // What a script leaves behind is told, whose it is, and how it ends.
{
    check_leftovers(false);
}

QZ_TEST(leftovers_are_told_without_control_groups) // Also where there are no control groups to tell whose they are.
{
    check_leftovers(true);
}

QZ_TEST(holders_stay_their_scripts) // What a pre-script left on purpose does not become the post-script's.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.no_cgroups = true;
    scene_program(&scene.plugin.pre, "#!/bin/sh\nsetsid sh -c 'while :; do sleep 0.02; done' > /dev/null 2>&1 &\n");
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "leftover of pre ScriptRunner 1 starts", "pre ScriptRunner 1 exits 0");
        CHECK_INT(played_count(&played, "leftover of post *"), 0);
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(plugins_are_told_by_their_scripts) // Plugins have the scenario's names, not quiesce's.
{
    struct scene scene;
    struct played played;
    const struct scenario_attempt leaving = {.leaves = 1, .leaves_run_us = SCENARIO_FOREVER, .run_us = 100000};
    scene_set(&scene);
    scene_two_plugins(&scene, &leaving);
    scene.pre.run_us = 200000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre first 1 starts", "pre first 1 exits 0", "post first 1 starts");
        CHECK_ORDER(&played, "pre second 1 starts", "leftover of pre second 1 starts", "pre second 1 exits 0",
                    "post second 1 starts");
        CHECK_INT(played_count(&played, "leftover of *starts"), 1);
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(volumes_have_the_scenarios_names) // Whatever mount point leads there, a volume is called as the scenario does.
{
    static const char *const binds[] = {"/elsewhere"};
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.volumes[0].binds = binds;
    scene.volumes[0].bind_count = 1;
    scene_only_step(&scene, "run --volume /elsewhere -- snapshot");
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data ok", "thaw /data ok");
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(other_quiesces_are_nobodys) // A quiesce that something else starts is neither agent nor guardian.
{
    static const char text[] = "#!/bin/sh\nquiesce thaw\nquiesce run --volume /data -- true\n";
    static const struct scenario_file other = {
        .kind = SCENARIO_FILE, .path = "/opt/other", .text = text, .size = sizeof text - 1, .mode = 0755};
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_only_step(&scene, "run --volume /data -- /opt/other");
    scene.scenario.files = &other;
    scene.scenario.file_count = 1;
    scene_send(&scene, "snapshot starts", SCENARIO_BOTH, SIGKILL);
    if (scene_play(&scene, &played)) {
        CHECK_INT(played_count(&played, "agent starts"), 1);
        CHECK_INT(played_count(&played, "guardian starts"), 2);
        CHECK_INT(played_count(&played, "thaw *"), 0);
        CHECK_ORDER(&played, "guardian dies KILL", "other thaw /data ok", "other freeze /data ok",
                    "other thaw /data ok");
    }
    played_free(&played);
}

QZ_TEST(ended_agents_are_seen_off) // No step meets a zombie of the step before.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_step(&scene, "run --volume /data -- snapshot");
    scene_program(&scene.plugin.pre, "#!/bin/sh\n! grep -qs '^State:.Z' /proc/[0-9]*/status\n");
    if (scene_play(&scene, &played))
        CHECK_INT(played_exit(&played, 1), 0);
    played_free(&played);
}

QZ_TEST(steps_follow_each_other) // Steps run on one machine, each with its own output, result and lines.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_only_step(&scene, "check --volume /data");
    scene_step(&scene, "freeze --volume /data --hold 1 --report /run/mine.json");
    scene_step(&scene, "errors 901");
    if (scene_play(&scene, &played)) {
        CHECK_STRING(played_result(&played, 0, "command"), "check");
        CHECK_STRING(played_result(&played, 1, "command"), "freeze");
        CHECK_STRING(played_result(&played, 2, "command"), "");
        CHECK_CONTAINS(played_of_step(&played, 2, "out"), "FrozenByOther");
        CHECK_INT(played_count(&played, "agent starts"), 3);
        CHECK_ORDER(&played, "agent exits 0", "agent starts", "freeze /data ok", "thaw /data ok", "agent exits 10",
                    "agent starts", "agent exits 0");
    }
    played_free(&played);
}

QZ_TEST(step_without_root) // A step that is not root's runs as nobody.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.steps[0].root = false;
    if (scene_play(&scene, &played)) {
        CHECK_CONTAINS(played_of_step(&played, 0, "out"), "NotRoot");
        CHECK_INT(played_count(&played, "freeze *"), 0);
    }
    played_free(&played);
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* Writes a program to be taken for quiesce. Returns its path. */
static const char *impostor(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/var/tmp/quiesce-impostor-%d", (int)getpid());
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    CHECK_INT(write(file, text, strlen(text)), strlen(text));
    close(file);
    return path;
}

QZ_TEST(hostile_agent_is_cut_off) // An agent that ends for nobody is cut off by the scenario's timeout.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.scenario.timeout_us = 2000000;
    scene.quiesce = impostor("#!/bin/sh\ntrap '' TERM INT HUP\nfsfreeze -f /data\nwhile :; do sleep 1; done\n");
    if (scene_play(&scene, &played)) {
        CHECK_CONTAINS(played_text(&played, "left"), "the command still ran after 2 s (timeout_ms)");
        CHECK_ORDER(&played, "agent starts", "other freeze /data ok");
        CHECK_INT(played_exit(&played, 0), -1);
        CU_ASSERT_TRUE(played_frozen(&played, 0, "/data"));
    }
    unlink(scene.quiesce);
    played_free(&played);
}

QZ_TEST(scenario_ends_while_operations_hang) // What hangs when time is up is given up, and nothing stays frozen.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.scenario.timeout_us = 2000000;
    scene_fault(&scene, SCENARIO_FREEZE, "/data")->delay_us = SCENARIO_FOREVER;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data begins");
        CHECK_INT(played_count(&played, "freeze /data [!b]*"), 0);
        CHECK_CONTAINS(played_text(&played, "left"), "the command still ran after 2 s (timeout_ms)");
    }
    played_free(&played);
}
