/* Tests of the player of the real worlds: freezing and thawing on behalf of others, and what goes wrong with it. */
#include <errno.h>
#include <signal.h>

#include "check.h"
#include "scene.h"

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
    scene_program(&scene.plugin.pre, "#!/bin/sh\nsync -f /data && fsfreeze -f /data && fsfreeze -u /data\n");
    struct scenario_fault *fault = scene_fault(&scene, SCENARIO_FREEZE, "/data"); /* of quiesce's operations only */
    fault->error = EIO;
    fault->nth = 2;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 starts", "other freeze /data ok", "other thaw /data ok",
                    "pre ScriptRunner 1 exits 0", "freeze /data ok");
        CHECK_INT(played_count(&played, "other * begins"), 0);
        CHECK_INT(played_count(&played, "other sync *"), 0);
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

QZ_TEST(fault_that_hangs_in_a_later_step) // It hangs there as well: only the end of its own step's command lets it go.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_step(&scene, "run --volume /data -- snapshot");
    struct scenario_fault *fault = scene_fault(&scene, SCENARIO_FREEZE, "/data");
    fault->delay_us = SCENARIO_FOREVER;
    fault->nth = 2;
    struct scenario_action *release = scene_action(&scene, "freeze /data begins", SCENARIO_RELEASE);
    release->nth = 2;
    release->after_us = 50000;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data ok", "freeze /data begins", "release /data", "freeze /data ok");
        CHECK_INT(played_exit(&played, 1), 0);
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
    scene_fault(&scene, SCENARIO_THAW, "/data")->delay_us = 500000;
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

QZ_TEST(what_runs_when_freezing_starts_is_told) // What a failed attempt left alive is told before.
{
    struct scene scene;
    struct played played;
    scene_set(&scene);
    scene_step(&scene, "run");
    scene.quiesce = IMPOSTOR;
    scene_program(&scene.plugin.pre, "#!/bin/sh\nsetsid sleep 1000 > /dev/null &\necho\nsleep 1000\n");
    if (scene_play(&scene, &played))
        CHECK_ORDER(&played, "pre ScriptRunner 1 dies KILL", "leftover of pre ScriptRunner 1 starts",
                    "freeze /data begins", "agent exits 0", "pre ScriptRunner 1 dies KILL",
                    "leftover of pre ScriptRunner 1 starts", "freeze /data begins");
    played_free(&played);
}
