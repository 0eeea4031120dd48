#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "sweep.h"

#define MIB (INT64_C(1) << 20)
#define CONFIG "/etc/azure/VMSnapshotScriptPluginConfig.json"

/* ---- Building --------------------------------------------------------------------------------------------------- */

static const char CONFIG_TEXT[] = "{\"preScriptLocation\":\"/opt/app/pre.sh\",\"postScriptLocation\":\"/opt/app/post.sh\"}";

static struct scenario_script script(const char *path, const struct scenario_attempt *attempt)
{
    return (struct scenario_script){.location = path,
                                    .file = {.kind = SCENARIO_FILE, .path = path, .mode = 0700},
                                    .attempts = attempt,
                                    .attempt_count = 1};
}

void scene_set(struct scene *scene)
{
    *scene = (struct scene){.world = &world_loop, .quiesce = QUIESCE};
    scene->plugin = (struct scenario_plugin){.name = "ScriptRunner",
                                             .config = {.kind = SCENARIO_FILE, .path = CONFIG, .text = CONFIG_TEXT,
                                                        .size = sizeof CONFIG_TEXT - 1, .mode = 0600},
                                             .pre = script("/opt/app/pre.sh", &scene->pre),
                                             .post = script("/opt/app/post.sh", &scene->post)};
    scene->scenario = (struct scenario){.file = "test.json", .name = "test", .variant = "", .description = "A test.",
                                        .worlds = SCENARIO_WORLDS, .timeout_us = 20000000, .volumes = scene->volumes,
                                        .plugins = &scene->plugin, .plugin_count = 1, .snapshots = &scene->snapshot,
                                        .snapshot_count = 1, .faults = scene->faults, .actions = scene->actions,
                                        .steps = scene->steps};
    scene_volume(scene, "/data");
    scene_step(scene, "run --volume /data -- snapshot");
}

void scene_short_timeout(struct scene *scene)
{
    static const char config[] =
        "{\"preScriptLocation\":\"/opt/app/pre.sh\",\"postScriptLocation\":\"/opt/app/post.sh\",\"timeoutInSeconds\":1}";
    scene->plugin.config.text = config;
    scene->plugin.config.size = sizeof config - 1;
}

void scene_two_plugins(struct scene *scene, const struct scenario_attempt *pre)
{
    static const char config[] =
        "{\"preScriptLocation\":\"/opt/app/pre-2.sh\",\"postScriptLocation\":\"/opt/app/post-2.sh\"}";
    static const char host[] = "[pre_post]\ntimeoutInSeconds=30\nnumberOfPlugins=2\n"
                               "pluginName0=ScriptRunner\npluginConfigPath0=" CONFIG "\n"
                               "pluginName1=ScriptRunner\npluginConfigPath1=" CONFIG "2\n";
    scene->plugins[0] = scene->plugins[1] = scene->plugin;
    scene->plugins[0].name = "first";
    scene->plugins[1] = (struct scenario_plugin){.name = "second",
                                                 .config = {.kind = SCENARIO_FILE, .path = CONFIG "2", .text = config,
                                                            .size = sizeof config - 1, .mode = 0600},
                                                 .pre = script("/opt/app/pre-2.sh", pre),
                                                 .post = script("/opt/app/post-2.sh", &scene->post)};
    scene->plugin_host = (struct scenario_file){.kind = SCENARIO_FILE, .path = "/etc/azure/VMSnapshotPluginHost.conf",
                                                .text = host, .size = sizeof host - 1, .mode = 0600};
    scene->scenario.plugins = scene->plugins;
    scene->scenario.plugin_count = 2;
    scene->scenario.plugin_host = &scene->plugin_host;
}

void scene_step(struct scene *scene, const char *words)
{
    size_t number = scene->scenario.step_count++;
    static char copies[SCENE_STEPS][256];
    snprintf(copies[number], sizeof copies[number], "%s", words);
    size_t count = 0;
    for (char *word = strtok(copies[number], " "); word; word = strtok(NULL, " "))
        scene->words[number][count++] = word;
    scene->words[number][count] = NULL;
    scene->steps[number] = (struct scenario_step){.argv = scene->words[number], .argc = count, .root = true};
}

void scene_only_step(struct scene *scene, const char *words)
{
    scene->scenario.step_count = 0;
    scene_step(scene, words);
}

struct scenario_volume *scene_volume(struct scene *scene, const char *mount)
{
    struct scenario_volume *volume = &scene->volumes[scene->scenario.volume_count++];
    *volume = (struct scenario_volume){.mount = mount, .type = "ext4", .size = 16 * MIB, .disk = 1};
    return volume;
}

struct scenario_fault *scene_fault(struct scene *scene, enum scenario_op op, const char *volume)
{
    struct scenario_fault *fault = &scene->faults[scene->scenario.fault_count++];
    *fault = (struct scenario_fault){.op = op, .volume = volume};
    return fault;
}

struct scenario_action *scene_action(struct scene *scene, const char *when, enum scenario_action_kind kind)
{
    struct scenario_action *action = &scene->actions[scene->scenario.action_count++];
    *action = (struct scenario_action){.when = when, .nth = 1, .kind = kind, .volume = "/data"};
    return action;
}

void scene_send(struct scene *scene, const char *when, enum scenario_target target, int signal_number)
{
    struct scenario_action *action = scene_action(scene, when, SCENARIO_SEND);
    action->target = target;
    action->signal = signal_number;
}

void scene_program(struct scenario_script *it, const char *text)
{
    it->file.text = text;
    it->file.size = strlen(text);
    it->attempts = NULL;
    it->attempt_count = 0;
}

/* ---- Playing ---------------------------------------------------------------------------------------------------- */

static void add_text(cJSON *object, const char *key, const char *text)
{
    cJSON_AddItemToObject(object, key, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static cJSON *step_json(const struct outcome_step *step)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "exit", step->exit);
    cJSON_AddNumberToObject(object, "signal", step->signal);
    add_text(object, "out", step->out);
    add_text(object, "err", step->err);
    cJSON_AddItemToObject(object, "result", cJSON_Duplicate(step->result, true));
    cJSON_AddItemToObject(object, "frozen", cJSON_CreateStringArray(step->frozen, (int)step->frozen_count));
    return object;
}

static cJSON *outcome_json(const struct outcome *outcome)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *lines = cJSON_AddArrayToObject(object, "lines");
    cJSON *writes = cJSON_AddArrayToObject(object, "writes");
    cJSON *steps = cJSON_AddArrayToObject(object, "steps");
    for (size_t i = 0; i < outcome->trace.count; i++) {
        char line[512];
        cJSON_AddItemToArray(lines, cJSON_CreateString(trace_line(&outcome->trace.events[i], line, sizeof line)));
        cJSON_AddItemToArray(writes, cJSON_CreateNumber((double)outcome->trace.events[i].disk_writes));
    }
    for (size_t i = 0; i < outcome->step_count; i++)
        cJSON_AddItemToArray(steps, step_json(&outcome->steps[i]));
    char left[1024] = "";
    for (size_t i = 0; i < outcome->left_count; i++)
        snprintf(left + strlen(left), sizeof left - strlen(left), "%s\n", outcome->left[i]);
    add_text(object, "left", left);
    add_text(object, "refused", outcome->refused);
    add_text(object, "broken", outcome->broken);
    int clean = 0;
    for (size_t i = 0; i < outcome->snapshot_count; i++)
        clean += outcome->snapshots[i].taken && outcome->snapshots[i].clean;
    cJSON_AddNumberToObject(object, "snapshots", clean);
    cJSON_AddNumberToObject(object, "longest_stall_us", (double)outcome->longest_stall_us);
    cJSON_AddNumberToObject(object, "call_matches", outcome->call_matches ? outcome->call_matches[0] : -1);
    return object;
}

static _Noreturn void play_and_tell(const struct scene *scene, const char *folder, int out)
{
    char work[PATH_MAX + 8];
    struct outcome outcome;
    snprintf(work, sizeof work, "%s/1", folder);
    struct world_settings settings = {
        .quiesce = scene->quiesce, .self = QUIESCE_SIM, .cache = SCENE_CACHE, .work = work};
    if (scene->no_cgroups && (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                              umount2("/sys/fs/cgroup", MNT_DETACH) != 0))
        _exit(1);
    if (mkdir(SCENE_CACHE, 0755) != 0 && errno != EEXIST)
        _exit(1);
    scene->world->play(&scene->scenario, &settings, &outcome);
    cJSON *json = outcome_json(&outcome);
    char *text = cJSON_PrintUnformatted(json);
    for (size_t size = strlen(text), done = 0; done < size;) {
        ssize_t written = write(out, text + done, size - done);
        if (written <= 0)
            _exit(1);
        done += (size_t)written;
    }
    cJSON_free(text);
    cJSON_Delete(json);
    outcome_free(&outcome);
    exit(0); /* with the leak check */
}

static cJSON *read_json(int file)
{
    size_t size = 0, capacity = 1 << 20;
    char *text = malloc(capacity);
    ssize_t got;
    while (text && (got = read(file, text + size, capacity - size)) > 0)
        size += (size_t)got;
    cJSON *json = text ? cJSON_ParseWithLength(text, size) : NULL;
    free(text);
    return json;
}

bool scene_play(struct scene *scene, struct played *played)
{
    int ends[2];
    int status = 0;
    char folder[PATH_MAX];
    *played = (struct played){.json = NULL};
    const char *lacks = scene->world->lacks();
    if (lacks) {
        check_skip(lacks);
        return false;
    }
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(work_make(WORK_BASE, folder), 0);
    pid_t rescuer = rescuer_start(folder);
    pid_t player = fork();
    if (player == 0)
        play_and_tell(scene, folder, ends[1]);
    close(ends[1]);
    played->json = read_json(ends[0]);
    close(ends[0]);
    waitpid(player, &status, 0);
    CHECK_INT(status, 0);
    CHECK_INT(rmdir(folder), 0);
    rescuer_stop(rescuer);
    CHECK_STRING(played_text(played, "broken"), "");
    if (getenv("SCENE_SHOW")) {
        char *text = cJSON_Print(played->json);
        puts(text ? text : "nothing came back");
        cJSON_free(text);
    }
    return played->json && !*played_text(played, "broken");
}

void played_free(struct played *played)
{
    cJSON_Delete(played->json);
    played->json = NULL;
}

/* ---- Looking ---------------------------------------------------------------------------------------------------- */

static const cJSON *in(const struct played *played, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(played->json, key);
}

static const char *text_of(const cJSON *item)
{
    const char *text = cJSON_GetStringValue(item);
    return text ? text : "";
}

static const char *line_at(const struct played *played, int line)
{
    return text_of(cJSON_GetArrayItem(in(played, "lines"), line));
}

static int line_count(const struct played *played)
{
    return cJSON_GetArraySize(in(played, "lines"));
}

int played_line(const struct played *played, const char *pattern, int from)
{
    for (int i = from; i < line_count(played); i++) {
        if (fnmatch(pattern, line_at(played, i), 0) == 0)
            return i;
    }
    return -1;
}

int played_count(const struct played *played, const char *pattern)
{
    int count = 0;
    for (int at = played_line(played, pattern, 0); at >= 0; at = played_line(played, pattern, at + 1))
        count++;
    return count;
}

int64_t played_writes(const struct played *played, int line)
{
    return (int64_t)cJSON_GetNumberValue(cJSON_GetArrayItem(in(played, "writes"), line));
}

const char *played_text(const struct played *played, const char *key)
{
    return text_of(in(played, key));
}

static const cJSON *step_at(const struct played *played, int step)
{
    return cJSON_GetArrayItem(in(played, "steps"), step);
}

static int number_of_step(const struct played *played, int step, const char *key)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(step_at(played, step), key);
    return cJSON_IsNumber(number) ? number->valueint : -2;
}

int played_exit(const struct played *played, int step)
{
    return number_of_step(played, step, "exit");
}

int played_signal(const struct played *played, int step)
{
    return number_of_step(played, step, "signal");
}

int64_t played_number(const struct played *played, const char *key)
{
    return (int64_t)cJSON_GetNumberValue(in(played, key));
}

const char *played_of_step(const struct played *played, int step, const char *key)
{
    return text_of(cJSON_GetObjectItemCaseSensitive(step_at(played, step), key));
}

const char *played_result(const struct played *played, int step, const char *key)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(step_at(played, step), "result");
    return text_of(cJSON_GetObjectItemCaseSensitive(result, key));
}

bool played_frozen(const struct played *played, int step, const char *mount)
{
    const cJSON *frozen;
    cJSON_ArrayForEach(frozen, cJSON_GetObjectItemCaseSensitive(step_at(played, step), "frozen")) {
        if (strcmp(text_of(frozen), mount) == 0)
            return true;
    }
    return false;
}

/* ---- Checking --------------------------------------------------------------------------------------------------- */

static void show_lines(const struct played *played)
{
    for (int i = 0; i < line_count(played); i++)
        fprintf(stderr, "    %s\n", line_at(played, i));
}

void check_order(const char *file, unsigned line, const struct played *played, const char *const *patterns)
{
    int at = -1;
    while (*patterns && (at = played_line(played, *patterns, at + 1)) >= 0)
        patterns++;
    if (*patterns) {
        show_lines(played);
        check_string(file, line, "(not there, or too early)", *patterns);
    }
}
