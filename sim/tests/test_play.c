/* Tests of the player of the real worlds: what the production binary does is seen, in order, and can be disturbed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
        /* One guardian relieves the other, and starts while that one ends. */
        CHECK_LINES(&played, "agent starts", "guardian starts", "pre ScriptRunner 1 starts",
                    "pre ScriptRunner 1 exits 0", "guardian [se]*", "guardian [se]*", "sync /data begins",
                    "sync /data ok", "freeze /data begins", "freeze /data ok", "snapshot starts", "snapshot exits 0",
                    "thaw /data begins", "thaw /data ok", "post ScriptRunner 1 starts",
                    "post ScriptRunner 1 exits 0", "guardian exits 0", "agent exits 0");
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
    static const char text[] = "#!/bin/sh\nsleep 0.1\nquiesce thaw\nquiesce run --volume /data -- true\n";
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

/* ---- What is done to it ----------------------------------------------------------------------------------------- */

QZ_TEST(killed_agent) // The agent is killed while all is frozen: the guardian thaws and runs the post-script.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_send(&scene, "freeze /data ok", SCENARIO_AGENT, SIGKILL);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data ok", "KILL to agent", "agent dies KILL", "thaw /data begins",
                    "thaw /data ok",
                    "post ScriptRunner 1 starts", "post ScriptRunner 1 exits 0", "guardian exits 0");
        CHECK_INT(played_exit(&played, 0), -1);
        CU_ASSERT_FALSE(played_frozen(&played, 0, "/data"));
        CHECK_STRING(played_text(&played, "left"), "");
    }
    played_free(&played);
}

QZ_TEST(killed_guardian) // The guardian is killed while all is frozen: the agent thaws and says so.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_send(&scene, "snapshot starts", SCENARIO_GUARDIAN, SIGKILL);
    scene.snapshot.run_us = 100000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "snapshot starts", "KILL to guardian", "guardian dies KILL", "thaw /data begins",
                    "thaw /data ok", "agent exits 11");
        CHECK_STRING(played_result(&played, 0, "code"), "FreezeLost");
    }
    played_free(&played);
}

QZ_TEST(both_killed) // Both are killed at once: it stays frozen, until the next step's command thaws it.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_send(&scene, "snapshot starts", SCENARIO_BOTH, SIGKILL);
    scene_step(&scene, "thaw");
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "KILL to agent", "KILL to guardian", "agent starts", "thaw /data begins", "thaw /data ok",
                    "agent exits 0");
        CU_ASSERT_TRUE(played_frozen(&played, 0, "/data"));
        CU_ASSERT_FALSE(played_frozen(&played, 1, "/data"));
        CHECK_INT(played_count(&played, "thaw /data begins"), 1);
    }
    played_free(&played);
}

QZ_TEST(both_killed_and_nobody_thaws) // What stays frozen is told, and thawed when the scenario is over.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_send(&scene, "snapshot starts", SCENARIO_BOTH, SIGKILL);
    scene.scenario.workloads = &(struct scenario_workload){.kind = SCENARIO_APPEND, .volume = "/data", .writers = 2};
    scene.scenario.workload_count = 1;
    if (scene_play(&scene, &played)) {
        CU_ASSERT_TRUE(played_frozen(&played, 0, "/data"));
        CHECK_STRING(played_text(&played, "left"), "");
    }
    played_free(&played);
}

QZ_TEST(killed_in_the_midst_of_a_freeze) // A freeze that has begun takes effect though its caller dies.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_fault(&scene, SCENARIO_FREEZE, "/data")->delay_us = 100000;
    scene_send(&scene, "freeze /data begins", SCENARIO_GUARDIAN, SIGKILL);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data begins", "KILL to guardian", "guardian dies KILL", "thaw /data begins",
                    "freeze /data ok", "thaw /data ok");
        CU_ASSERT_FALSE(played_frozen(&played, 0, "/data"));
    }
    played_free(&played);
}

QZ_TEST(signal_to_agent) // A signal reaches the agent at the very line.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.pre.run_us = 300000;
    scene_send(&scene, "pre ScriptRunner 1 starts", SCENARIO_AGENT, SIGTERM);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "TERM to agent", "agent exits 20");
        CHECK_STRING(played_result(&played, 0, "code"), "Interrupted");
        CHECK_INT(played_count(&played, "freeze *"), 0);
    }
    played_free(&played);
}

QZ_TEST(signal_to_snapshot) // The snapshot command can be killed; that is a failed snapshot.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.snapshot.run_us = SCENARIO_FOREVER;
    scene_send(&scene, "snapshot starts", SCENARIO_SNAPSHOT, SIGKILL);
    scene.actions[0].after_us = 20000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "snapshot starts", "KILL to snapshot", "snapshot dies KILL", "thaw /data ok");
        CHECK_STRING(played_result(&played, 0, "code"), "SnapshotFailed");
    }
    played_free(&played);
}

QZ_TEST(actions_by_the_clock) // An action without a line is done at its time, once, in the first step.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.pre.run_us = 800000;
    scene_step(&scene, "status");
    scene_send(&scene, NULL, SCENARIO_AGENT, SIGTERM);
    scene.actions[0].after_us = 150000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "agent starts", "TERM to agent", "agent exits 20");
        CHECK_INT(played_count(&played, "TERM to agent"), 1);
    }
    played_free(&played);
}

QZ_TEST(actions_at_the_nth_line) // An action is done at the nth line that matches, not before.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_send(&scene, "guardian starts", SCENARIO_GUARDIAN, SIGKILL);
    scene.actions[0].nth = 2;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "guardian starts", "pre ScriptRunner 1 exits 0", "guardian starts", "KILL to guardian");
        CHECK_INT(played_count(&played, "KILL to guardian"), 1);
    }
    played_free(&played);
}

/* ---- Volumes ---------------------------------------------------------------------------------------------------- */

QZ_TEST(somebody_else_froze_it) // A volume that somebody else froze is FrozenByOther, and stays as it is.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_action(&scene, "freeze /data begins", SCENARIO_OTHER_FREEZE);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data begins", "other freeze /data ok", "freeze /data EBUSY");
        CHECK_STRING(played_result(&played, 0, "code"), "FrozenByOther");
        CU_ASSERT_TRUE(played_frozen(&played, 0, "/data"));
    }
    played_free(&played);
}

QZ_TEST(somebody_else_thawed_it) // A volume that somebody else thawed meanwhile makes the freeze lost.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_action(&scene, "snapshot starts", SCENARIO_OTHER_THAW);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "snapshot starts", "other thaw /data ok", "snapshot exits 0", "thaw /data EINVAL");
        CHECK_STRING(played_result(&played, 0, "code"), "FreezeLost");
    }
    played_free(&played);
}

QZ_TEST(freezes_by_scripts_are_others) // What a script freezes and thaws is done, and told as somebody else's.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_program(&scene.plugin.pre, "#!/bin/sh\nfsfreeze -f /data && fsfreeze -u /data\n");
    struct scenario_fault *fault = scene_fault(&scene, SCENARIO_FREEZE, "/data"); /* of quiesce's operations only */
    fault->error = EIO;
    fault->nth = 2;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "other freeze /data ok", "other thaw /data ok",
                    "pre ScriptRunner 1 exits 0", "freeze /data ok");
        CHECK_INT(played_count(&played, "other * begins"), 0);
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(freezing_what_is_not_the_scenarios_is_refused) // FIFREEZE of anything else is EPERM, and the outcome says so.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_program(&scene.plugin.pre, "#!/bin/sh\nfsfreeze -f /proc\n");
    if (scene_play(&scene, &played)) {
        CHECK_CONTAINS(played_text(&played, "refused"), "FIFREEZE of ");
        CHECK_CONTAINS(played_text(&played, "refused"), "/proc");
        CHECK_ORDER(&played, "refused: FIFREEZE *", "pre ScriptRunner 1 exits 1");
    }
    played_free(&played);
}

QZ_TEST(freezing_without_rights_is_not_done) // Who may not freeze gets EPERM, although the player could.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_program(&scene.plugin.pre, "#!/bin/sh\nexec setpriv --reuid 65534 --clear-groups fsfreeze -f /data\n");
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 exits 1");
        CHECK_INT(played_count(&played, "other freeze *"), 0);
        CHECK_STRING(played_text(&played, "refused"), "");
    }
    played_free(&played);
}

QZ_TEST(fault_with_an_errno) // A fault fails the operation without doing it: FsFreezeFailed.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_fault(&scene, SCENARIO_FREEZE, "/data")->error = EIO;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data begins", "freeze /data EIO");
        CHECK_STRING(played_result(&played, 0, "code"), "FsFreezeFailed");
        CU_ASSERT_FALSE(played_frozen(&played, 0, "/data"));
    }
    played_free(&played);
}

QZ_TEST(fault_at_the_nth) // A fault strikes the nth operation on the volume only.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_step(&scene, "run --volume /data -- snapshot");
    scene_step(&scene, "run --volume /data -- snapshot");
    struct scenario_fault *fault = scene_fault(&scene, SCENARIO_FREEZE, NULL);
    fault->error = EIO;
    fault->nth = 2;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data ok", "freeze /data EIO", "freeze /data ok");
        CHECK_INT(played_exit(&played, 0), 0);
        CHECK_INT(played_exit(&played, 1), 11);
        CHECK_INT(played_exit(&played, 2), 0);
    }
    played_free(&played);
}

QZ_TEST(fault_that_hangs_is_released) // A freeze that hangs goes on when it is released, and holds up no other volume.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_volume(&scene, "/other");
    scene_only_step(&scene, "run --volume /data --volume /other -- snapshot");
    scene_fault(&scene, SCENARIO_FREEZE, "/data")->delay_us = SCENARIO_FOREVER;
    scene_action(&scene, "freeze /other ok", SCENARIO_RELEASE)->after_us = 50000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data begins", "freeze /other ok", "release /data", "freeze /data ok",
                    "snapshot starts");
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(fault_that_hangs_for_ever) // A freeze that nobody releases ends when the command has ended, and is thawed.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_only_step(&scene, "run --volume /data --freeze-timeout 1 -- snapshot");
    scene_fault(&scene, SCENARIO_FREEZE, "/data")->delay_us = SCENARIO_FOREVER;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data begins", "agent exits 11", "freeze /data ok", "thaw /data ok");
        CHECK_STRING(played_result(&played, 0, "code"), "FsFreezeTimeout");
        CU_ASSERT_FALSE(played_frozen(&played, 0, "/data"));
        CHECK_STRING(played_text(&played, "left"), "");
    }
    played_free(&played);
}

QZ_TEST(fault_that_delays) // A delayed operation is done after its delay, and the loop goes on meanwhile.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_fault(&scene, SCENARIO_THAW, "/data")->delay_us = 100000;
    scene_send(&scene, "thaw /data begins", SCENARIO_AGENT, SIGCONT);
    scene.actions[0].after_us = 20000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "thaw /data begins", "CONT to agent", "thaw /data ok");
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(mounted_over_while_frozen) // What is mounted over a frozen volume does not keep it from being thawed.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_action(&scene, "snapshot starts", SCENARIO_MOUNT_OVER);
    scene_action(&scene, "agent exits *", SCENARIO_UNMOUNT);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "snapshot starts", "mount over /data", "thaw /data ok", "unmount /data");
        CHECK_STRING(played_text(&played, "left"), "");
    }
    played_free(&played);
}

QZ_TEST(files_change_before_a_script_starts) // A file that is changed at a line is changed before anything goes on.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    struct scenario_action *replace = scene_action(&scene, "snapshot starts", SCENARIO_REPLACE);
    replace->path = "/opt/app/post.sh";
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "snapshot starts", "replace /opt/app/post.sh", "snapshot exits 0");
        CHECK_INT(played_count(&played, "post *"), 0);
        CHECK_STRING(played_result(&played, 0, "code"), "InsufficientPermissionforPost-Script");
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
        CHECK_CONTAINS(played_text(&played, "left"), "the command still ran after 2.000 s");
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
        CHECK_CONTAINS(played_text(&played, "left"), "the command still ran after 2.000 s");
    }
    played_free(&played);
}
