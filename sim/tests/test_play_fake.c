/* Tests of the player in the fake world: the same player, on filesystems of ours that look like the scenario's. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "check.h"
#include "scene.h"

static void set(struct scene *scene)
{
    scene_set(scene);
    scene->world = &world_fake;
}

static const char *volume_text(const struct played *played, const char *key)
{
    const cJSON *step = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(played->json, "steps"), 0);
    const cJSON *freeze = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(step, "result"), "freeze");
    const cJSON *volume = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(freeze, "volumes"), 0);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(volume, key));
    return text ? text : "";
}

QZ_TEST(plain_run_on_a_fake_filesystem) // A run on a fake filesystem is told like any other.
{
    struct scene scene;
    struct played played;
    set(&scene);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 exits 0", "sync /data ok", "freeze /data begins", "freeze /data ok",
                    "snapshot starts", "snapshot exits 0", "thaw /data begins", "thaw /data ok",
                    "post ScriptRunner 1 exits 0", "agent exits 0");
        CHECK_STRING(played_result(&played, 0, "consistency"), "application");
        CHECK_STRING(played_text(&played, "left"), "");
        CHECK_STRING(played_text(&played, "refused"), "");
    }
    played_free(&played);
}

QZ_TEST(volumes_are_of_the_scenarios_types) // Whatever reads the table of mounts sees the type that the scenario gives.
{
    struct scene scene;
    struct played played;
    set(&scene);
    scene.volumes[0].type = "xfs";
    scene_volume(&scene, "/other")->type = "ext4";
    scene_program(&scene.plugin.pre, "#!/bin/sh\ngrep -q ' /data .* - xfs ' /proc/self/mountinfo &&\n"
                                     "grep -q ' /other .* - ext4 ' /proc/$$/mountinfo &&\n"
                                     "! grep -q fuseblk /proc/thread-self/mountinfo &&\n"
                                     "! cat /proc/99999/mountinfo 2> /dev/null\n");
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "pre ScriptRunner 1 exits 0");
        CHECK_STRING(volume_text(&played, "fstype"), "xfs");
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(nothing_else_of_the_table_is_altered) // Other mounts are in the table as they are, line by line.
{
    struct scene scene;
    struct played played;
    set(&scene);
    /* By a relative path come the kernel's own words. */
    scene_program(&scene.plugin.pre, "#!/bin/sh\ncat /proc/$$/mountinfo > /tmp/told\ncd /proc/$$\n"
                                     "grep -q ' - fuseblk ' mountinfo &&\n"
                                     "sed 's/ - fuseblk / - ext4 /' mountinfo | cmp - /tmp/told\n");
    if (scene_play(&scene, &played))
        CHECK_ORDER(&played, "pre ScriptRunner 1 exits 0");
    played_free(&played);
}

QZ_TEST(fake_filesystem_stops_its_writers) // Frozen, it lets nothing be changed: no write is counted.
{
    struct scene scene;
    struct played played;
    set(&scene);
    scene.scenario.workloads = &(struct scenario_workload){.kind = SCENARIO_APPEND, .volume = "/data", .writers = 2};
    scene.scenario.workload_count = 1;
    scene.snapshot.run_us = 100000;
    if (scene_play(&scene, &played)) {
        int64_t frozen = played_writes(&played, played_line(&played, "freeze /data ok", 0));
        CU_ASSERT_TRUE(frozen > 0);
        CHECK_INT(played_writes(&played, played_line(&played, "thaw /data begins", 0)), frozen);
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(killed_agent_on_a_fake_filesystem) // The agent is killed while all is frozen: the guardian thaws.
{
    struct scene scene;
    struct played played;
    set(&scene);
    scene_send(&scene, "freeze /data ok", SCENARIO_AGENT, SIGKILL);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data ok", "agent dies KILL", "thaw /data ok", "post ScriptRunner 1 exits 0");
        CU_ASSERT_FALSE(played_frozen(&played, 0, "/data"));
    }
    played_free(&played);
}

QZ_TEST(frozen_by_somebody_else_on_a_fake_filesystem) // A second freeze is EBUSY, and what others froze stays so.
{
    struct scene scene;
    struct played played;
    set(&scene);
    scene_action(&scene, "freeze /data begins", SCENARIO_OTHER_FREEZE);
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "other freeze /data ok", "freeze /data EBUSY");
        CHECK_STRING(played_result(&played, 0, "code"), "FrozenByOther");
        CU_ASSERT_TRUE(played_frozen(&played, 0, "/data"));
    }
    played_free(&played);
}

QZ_TEST(fault_on_a_fake_filesystem) // Faults strike there as they do anywhere.
{
    struct scene scene;
    struct played played;
    set(&scene);
    scene_fault(&scene, SCENARIO_FREEZE, "/data")->error = EIO;
    if (scene_play(&scene, &played)) {
        CHECK_ORDER(&played, "freeze /data EIO");
        CHECK_STRING(played_result(&played, 0, "code"), "FsFreezeFailed");
    }
    played_free(&played);
}

/* Plays with one system call that goes wrong. */
static bool play_with_call(struct scene *scene, struct played *played, const struct scenario_call *call)
{
    set(scene);
    scene->scenario.calls = call;
    scene->scenario.call_count = 1;
    return scene_play(scene, played);
}

QZ_TEST(system_call_fails) // The nth system call of the agent that matches fails with the errno that the scenario says.
{
    struct scene scene;
    struct played played;
    const struct scenario_call call = {.by = SCENARIO_BY_AGENT, .call = "unlink", .about = "/run/quiesce/journal",
                                       .nth = 1, .error = EIO};
    if (play_with_call(&scene, &played, &call)) {
        CHECK_INT(played_count(&played, "unlink(/run/quiesce/journal) by agent goes wrong"), 1);
        CHECK_INT(played_number(&played, "call_matches"), 1);
        CHECK_ORDER(&played, "thaw /data ok", "unlink(/run/quiesce/journal) by agent goes wrong", "agent exits *");
    }
    played_free(&played);
}

QZ_TEST(system_call_fails_every_time) // Without a number every one fails; operations on volumes are told as failed.
{
    struct scene scene;
    struct played played;
    const struct scenario_call call = {.by = SCENARIO_BY_GUARDIAN, .call = "ioctl", .about = "FIFREEZE /data", .error = EIO};
    if (play_with_call(&scene, &played, &call)) {
        CHECK_ORDER(&played, "ioctl(FIFREEZE /data) by guardian goes wrong", "freeze /data EIO", "snapshot starts");
        CHECK_STRING(played_result(&played, 0, "code"), "FsFreezeFailed");
    }
    played_free(&played);
}

QZ_TEST(system_call_is_late) // A call that is delayed is made after that time.
{
    struct scene scene;
    struct played played;
    const struct scenario_call call = {.by = SCENARIO_BY_CHILD, .call = "execve", .nth = 1, .delay_us = 300000};
    if (play_with_call(&scene, &played, &call)) {
        CHECK_ORDER(&played, "execve(/opt/app/pre.sh) by child goes wrong", "pre ScriptRunner 1 starts",
                    "pre ScriptRunner 1 exits 0");
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(transfer_is_cut) // A read that goes no further than a byte is a short one, and what is read is still all there.
{
    struct scene scene;
    struct played played;
    const struct scenario_call call = {.by = SCENARIO_BY_AGENT, .call = "pread64", .about = "/etc/azure/*.json",
                                       .transfers = 1};
    if (play_with_call(&scene, &played, &call)) {
        CU_ASSERT_TRUE(played_count(&played, "pread64(/etc/azure/*) by agent goes wrong") > 20);
        CHECK_ORDER(&played, "pre ScriptRunner 1 exits 0");
        CHECK_INT(played_exit(&played, 0), 0);
    }
    played_free(&played);
}

QZ_TEST(killed_before_and_after_a_call) // Before: it is not made; after: it is, and the next one is not.
{
    struct scene scene;
    struct played played;
    struct scenario_call call = {.by = SCENARIO_BY_GUARDIAN, .call = "ioctl", .about = "FIFREEZE /data", .nth = 1,
                                 .signal = SIGKILL, .target = SCENARIO_GUARDIAN};
    if (play_with_call(&scene, &played, &call)) {
        CHECK_ORDER(&played, "KILL to guardian", "guardian dies KILL", "post ScriptRunner 1 exits 0");
        CHECK_INT(played_count(&played, "freeze /data begins"), 0);
    }
    played_free(&played);
    call.after = true;
    if (play_with_call(&scene, &played, &call)) {
        CHECK_ORDER(&played, "freeze /data ok", "KILL to guardian", "thaw /data ok", "post ScriptRunner 1 exits 0");
    }
    played_free(&played);
}

QZ_TEST(stopped_and_resumed_at_a_call) // Who is stopped goes on when the time has come.
{
    struct scene scene;
    struct played played;
    const struct scenario_call call = {.by = SCENARIO_BY_AGENT, .call = "clone3", .about = "process", .nth = 1,
                                       .signal = SIGSTOP, .target = SCENARIO_AGENT, .resume_us = 300000};
    if (play_with_call(&scene, &played, &call)) {
        CHECK_ORDER(&played, "STOP to agent", "CONT to agent", "agent exits 0");
    }
    played_free(&played);
}
