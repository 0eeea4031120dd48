/* Tests of the player of the real worlds: what a scenario does at lines of the trace. */
#include <signal.h>

#include "check.h"
#include "scene.h"

QZ_TEST(killed_agent) // The agent is killed while all is frozen: the guardian thaws and runs the post-script.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_send(&scene, "freeze /data ok", SCENARIO_AGENT, SIGKILL);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data ok", "KILL to agent", "agent dies KILL", "thaw /data begins",
                    "thaw /data ok", "post ScriptRunner 1 starts", "post ScriptRunner 1 exits 0", "guardian exits 0");
        CHECK_INT(played_exit(&played, 0), -1);
        CHECK_INT(played_signal(&played, 0), SIGKILL);
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

QZ_TEST(orphans_are_waited_for) // What a killed quiesce had started may end by itself before the step is over.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.pre.run_us = 100000;
    scene_send(&scene, "pre ScriptRunner 1 starts", SCENARIO_BOTH, SIGKILL);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "agent dies KILL", "pre ScriptRunner 1 exits 0");
        CHECK_STRING(played_text(&played, "left"), "");
    }
    played_free(&played);
}

QZ_TEST(killed_in_the_midst_of_a_freeze) // A freeze that has begun takes effect though its caller dies.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_fault(&scene, SCENARIO_FREEZE, "/data")->delay_us = 500000;
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
    scene.pre.run_us = 5000000;
    scene_step(&scene, "status");
    scene_send(&scene, NULL, SCENARIO_AGENT, SIGTERM);
    scene.actions[0].after_us = 1000000; /* it hears signals by then, with sanitizers on a busy machine */
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "agent starts", "TERM to agent", "agent exits 20");
        CHECK_INT(played_count(&played, "TERM to agent"), 1);
    }
    played_free(&played);
}

QZ_TEST(actions_wait_their_time) // An action that is to be done after a line is not done at the line.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene.pre.run_us = 500000;
    scene_send(&scene, "pre ScriptRunner 1 starts", SCENARIO_AGENT, SIGCONT);
    scene.actions[0].after_us = 20000;
    scene_send(&scene, "pre ScriptRunner 1 starts", SCENARIO_AGENT, SIGWINCH);
    if (scene_play(&scene, &played))
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "WINCH to agent", "CONT to agent",
                    "pre ScriptRunner 1 exits 0");
    played_free(&played);
}

QZ_TEST(actions_are_done_once) // Lines are counted over all steps, so that no step meets an action again.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_step(&scene, "status");
    scene_send(&scene, "agent starts", SCENARIO_AGENT, SIGCONT);
    if (scene_play(&scene, &played))
        CHECK_INT(played_count(&played, "CONT to agent"), 1);
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
