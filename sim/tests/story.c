#include "story.h"

#include <stdio.h>

#include "check.h"

static const char *const RUN[] = {"run", "--hold-limit", "5", "--", "snapshot", NULL};

void story_begin(struct story *story)
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

void story_end(struct story *story)
{
    trace_free(&story->outcome.trace);
    cJSON_Delete(story->seen.result);
    findings_free(&story->findings);
}

void story_tell(struct story *story, struct trace_event event)
{
    story->now_us += MS;
    event.at_us = story->now_us;
    trace_add(&story->outcome.trace, &event);
}

void story_script(struct story *story, enum trace_role role, int attempt, enum trace_what what, int value)
{
    story_tell(story, (struct trace_event){.role = role,
                                           .what = what,
                                           .ordinal = attempt,
                                           .value = value,
                                           .plugin = "ScriptRunner",
                                           .disk_writes = -1});
}

void story_operation(struct story *story, enum trace_role by, enum trace_op op, int error, int64_t disk_writes)
{
    story_tell(story, (struct trace_event){
                          .role = by, .what = TRACE_BEGINS, .op = op, .volume = "/data", .disk_writes = disk_writes});
    story_tell(
        story,
        (struct trace_event){
            .role = by, .what = TRACE_DONE, .op = op, .volume = "/data", .value = error, .disk_writes = disk_writes});
}

void story_snapshot(struct story *story, int status)
{
    story_tell(story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_STARTS});
    story_tell(story, (struct trace_event){.role = TRACE_SNAPSHOT, .what = TRACE_EXITS, .value = status});
}

void story_pre(struct story *story)
{
    story_script(story, TRACE_PRE, 1, TRACE_STARTS, 0);
    story_script(story, TRACE_PRE, 1, TRACE_EXITS, 0);
}

void story_post(struct story *story)
{
    story_script(story, TRACE_POST, 1, TRACE_STARTS, 0);
    story_script(story, TRACE_POST, 1, TRACE_EXITS, 0);
}

void story_result(struct story *story, const char *consistency, int exit, const char *error)
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

void story_until_post(struct story *story)
{
    story_pre(story);
    story_operation(story, TRACE_GUARDIAN, TRACE_FREEZE, 0, 7);
    story_snapshot(story, 0);
    story_operation(story, TRACE_GUARDIAN, TRACE_THAW, 0, 7);
}

void story_good_run(struct story *story)
{
    story_until_post(story);
    story_post(story);
    story_result(story, "application", 0, NULL);
}

void story_judged(struct story *story, int invariant, const char *part)
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
    story_end(story);
}
