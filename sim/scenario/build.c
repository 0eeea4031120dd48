/* build.c: from what a file says to a whole scenario: defaults filled in, files named, references checked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/config.h"
#include "build.h"

#define MIB INT64_C(1048576)

/* ---- What is there without being said ---------------------------------------------------------------------------- */

static const struct scenario_volume USUAL_VOLUME = {.mount = "/data", .type = "ext4", .size = 16 * MIB, .disk = 1};

const struct scenario_volume *scenario_volumes(const struct given *given, size_t *count)
{
    *count = given->volumes ? given->volume_count : 1;
    return given->volumes ? given->volumes : &USUAL_VOLUME;
}

const char *scenario_plugin_name(struct scenario_memory *memory, const struct given *given, size_t index)
{
    if (!given->plugins)
        return QZ_PLUGIN_NAME_DEFAULT;
    const char *name = given->plugins[index].name;
    return name ? name : scenario_format(memory, "plugin%zu", index);
}

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

static bool refuse_volume(struct builder *builder, const char *what, const char *mount, const char *says)
{
    const cJSON *volumes = scenario_member(builder->reader, builder->reader->json.root, "volumes");
    return scenario_refuse(builder->reader, volumes, what, "%s %s", mount, says);
}

static bool note_mount(struct builder *builder, const char **mounts, size_t *count, const char *mount)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(mounts[i], mount) == 0)
            return refuse_volume(builder, "volumes", mount, "a second time; each mount point is there once");
    }
    mounts[(*count)++] = mount;
    return true;
}

static bool is_before(const struct scenario_volume *volumes, size_t index, const char *mount)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(volumes[i].mount, mount) == 0 && strcmp(volumes[i].type, "tmpfs") != 0)
            return true;
    }
    return false;
}

static bool make_volumes(struct builder *builder)
{
    size_t count, points = 0, mount_count = 0;
    const struct scenario_volume *given = scenario_volumes(builder->given, &count);
    struct scenario_volume *volumes = scenario_take(builder->reader->memory, (count + 1) * sizeof *volumes);
    for (size_t i = 0; i < count; i++)
        points += 1 + given[i].bind_count + given[i].subvolume_count;
    const char **mounts = scenario_take(builder->reader->memory, (points + 1) * sizeof *mounts);
    for (size_t i = 0; i < count; i++) {
        volumes[i] = given[i];
        if (volumes[i].disk == 0)
            volumes[i].disk = (int)i + 1;
        bool once = note_mount(builder, mounts, &mount_count, volumes[i].mount);
        for (size_t k = 0; once && k < volumes[i].bind_count; k++)
            once = note_mount(builder, mounts, &mount_count, volumes[i].binds[k]);
        for (size_t k = 0; once && k < volumes[i].subvolume_count; k++)
            once = note_mount(builder, mounts, &mount_count, volumes[i].subvolumes[k]);
        if (!once)
            return false;
        if (volumes[i].on && !is_before(volumes, i, volumes[i].on))
            return refuse_volume(builder, "on", volumes[i].on, "is no volume with a disk that is listed before");
    }
    builder->scenario->volumes = volumes;
    builder->scenario->volume_count = count;
    return true;
}

/* ---- Actions ----------------------------------------------------------------------------------------------------- */

/* Is `path` that file, or a directory on the way to it? */
static bool is_at_or_above(const char *path, const char *file)
{
    size_t length = strlen(path);
    return strncmp(file, path, length) == 0 && (file[length] == '\0' || file[length] == '/');
}

static bool check_actions(struct builder *builder)
{
    const struct given *given = builder->given;
    bool good = true;
    for (size_t i = 0; i < given->action_count; i++) {
        const struct scenario_action *action = &given->actions[i];
        if (!action->path)
            continue;
        size_t k = 0;
        while (k < builder->path_count && !is_at_or_above(action->path, builder->paths[k]))
            k++;
        const char **known = scenario_take(builder->reader->memory, (builder->path_count + 1) * sizeof *known);
        memcpy(known, builder->paths, builder->path_count * sizeof *known);
        if (k == builder->path_count)
            good = scenario_refuse_at(builder->reader, action->place,
                                      action->kind == SCENARIO_REPLACE ? "replace" : "chmod",
                                      "%s is no file of this scenario%s", action->path,
                                      scenario_nearest(builder->reader, action->path, known));
    }
    return good;
}

/* ---- Workloads --------------------------------------------------------------------------------------------------- */

static bool check_workloads(struct builder *builder)
{
    const struct scenario *scenario = builder->scenario;
    const cJSON *key = scenario_member(builder->reader, builder->reader->json.root, "workload");
    for (size_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *workload = &scenario->workloads[i];
        for (size_t k = 0; workload->kind == SCENARIO_QUOTA && k < scenario->volume_count; k++) {
            const struct scenario_volume *volume = &scenario->volumes[k];
            if (strcmp(volume->mount, workload->volume) == 0 && strcmp(volume->type, "btrfs") != 0)
                return scenario_refuse(builder->reader, key, "workload", "a quota on %s, a filesystem of type %s; only "
                                       "btrfs has them everywhere", volume->mount, volume->type);
        }
    }
    return true;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

static bool is_recorded(const struct scenario *scenario, const char *mount)
{
    for (size_t i = 0; i < scenario->volume_count; i++) {
        if (strcmp(scenario->volumes[i].mount, mount) == 0)
            return scenario->volumes[i].recorded;
    }
    return false;
}

/* Only some commands have a result of which something can be expected. */
static bool check_result(struct builder *builder, const struct scenario_step *step)
{
    static const char *const WITH_REPORT[] = {"run", "begin", "end", "check", "freeze", NULL};
    const struct scenario_expect *expect = &step->expect;
    bool reports = step->argc > 0 && is_one_of(step->argv[0], WITH_REPORT);
    const char *asked = expect->result ? "result" : expect->errors ? "errors" : "consistency";
    if ((expect->consistency || expect->errors || expect->result) && !reports)
        return scenario_refuse_at(builder->reader, expect->place, asked,
                                  "only `run`, `begin`, `end`, `check` and `freeze` have a result");
    const cJSON *crash;
    cJSON_ArrayForEach(crash, expect->crash_images) {
        if (!is_recorded(builder->scenario, crash->string))
            return scenario_refuse_at(builder->reader, expect->place, "crash_images",
                                      "%s has no recording disk (\"recorded\")", crash->string);
    }
    return true;
}

static bool make_step(struct builder *builder, const struct given_step *given, struct scenario_step *step)
{
    static const char *const USUAL[] = {"run", "--", "snapshot"};
    size_t count = given->command ? given->command_count : sizeof USUAL / sizeof USUAL[0];
    const char **argv = scenario_take(builder->reader->memory, (count + 1) * sizeof *argv);
    memcpy(argv, given->command ? given->command : USUAL, count * sizeof *argv);
    *step = (struct scenario_step){argv, count, given->root, given->log_on, given->after_us, given->expect, given->place};
    return check_result(builder, step);
}

static bool make_steps(struct builder *builder)
{
    const struct given *given = builder->given;
    struct scenario_step *steps = scenario_take(builder->reader->memory, (given->then_count + 1) * sizeof *steps);
    builder->scenario->steps = steps;
    builder->scenario->step_count = given->then_count + 1;
    bool good = true;
    for (size_t i = 0; i <= given->then_count; i++)
        good = make_step(builder, i == 0 ? &given->step : &given->then[i - 1], &steps[i]) && good;
    return good;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

/* Below the root and without ".json": "retries/counted"; a file that lies elsewhere goes by its whole name. */
static const char *name_of(struct builder *builder, const char *root)
{
    const char *file = builder->reader->file;
    size_t length = root ? strlen(root) : 0;
    while (length > 0 && root[length - 1] == '/')
        length--;
    if (length > 0 && strncmp(file, root, length) == 0 && file[length] == '/')
        file += length + 1;
    size_t size = strlen(file);
    if (size > 5 && strcmp(file + size - 5, ".json") == 0)
        size -= 5;
    return scenario_copy(builder->reader->memory, file, size);
}

/* Adds a need that is not among them yet. */
static void add_need(const char **needs, size_t *count, const char *need)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(needs[i], need) == 0)
            return;
    }
    needs[(*count)++] = need;
}

static void make_needs(struct builder *builder)
{
    const struct given *given = builder->given;
    struct scenario *scenario = builder->scenario;
    size_t most = given->need_count + scenario->volume_count;
    const char **needs = scenario_take(builder->reader->memory, (most + 1) * sizeof *needs);
    for (size_t i = 0; i < given->need_count; i++)
        add_need(needs, &scenario->need_count, given->needs[i]);
    for (size_t i = 0; i < scenario->volume_count; i++)
        add_need(needs, &scenario->need_count,
                 scenario_format(builder->reader->memory, "fs:%s", scenario->volumes[i].type));
    scenario->needs = needs;
}

static void make_lists(struct builder *builder)
{
    const struct given *given = builder->given;
    struct scenario *scenario = builder->scenario;
    scenario->description = given->description;
    scenario->tags = given->tags;
    scenario->tag_count = given->tag_count;
    scenario->timeout_us = given->timeout_us;
    scenario->other_has_lock = given->other_has_lock;
    scenario->journal = given->journal;
    scenario->rcu_expedited = given->rcu_expedited;
    scenario->writeback_period = given->writeback_period;
    scenario->dirty_bytes = given->dirty_kib * INT64_C(1024);
    scenario->snapshot_count = given->snapshot_count;
    scenario->snapshots = build_attempts(builder, given->snapshots, &scenario->snapshot_count);
    scenario->workloads = given->workloads;
    scenario->workload_count = given->workload_count;
    scenario->faults = given->faults;
    scenario->fault_count = given->fault_count;
    scenario->calls = given->calls;
    scenario->call_count = given->call_count;
    scenario->blows = given->blows;
    scenario->blow_count = given->blow_count;
    scenario->oracle = given->oracle;
    scenario->actions = given->actions;
    scenario->action_count = given->action_count;
}

static bool make_worlds(struct builder *builder)
{
    const struct given *given = builder->given;
    struct scenario *scenario = builder->scenario;
    unsigned wanted = given->worlds ? 0 : SCENARIO_WORLDS;
    const char *why = "";
    for (size_t i = 0; i < given->world_count; i++)
        wanted |= (unsigned)given->worlds[i];
    scenario_find_worlds(builder->reader->memory, scenario, wanted);
    for (size_t i = 0; i < SCENARIO_WORLD_COUNT; i++) {
        if (scenario->why_not[i])
            why = scenario_format(builder->reader->memory, "%s; not %s: %s", why,
                                  scenario_world_name((enum scenario_world)(1 << i)), scenario->why_not[i]);
    }
    const cJSON *key = scenario_member(builder->reader, builder->reader->json.root, "worlds");
    return scenario->worlds != 0 ||
           scenario_refuse(builder->reader, key ? key : builder->reader->json.root, "worlds",
                           "no world can play this%s", why);
}

bool scenario_build(struct reader *reader, const char *root, const struct given *given, struct scenario *scenario)
{
    size_t count;
    build_given_plugins(given, &count);
    struct builder builder = {.reader = reader, .given = given, .scenario = scenario};
    builder.paths = scenario_take(reader->memory, (3 * count + given->file_count + 2) * sizeof *builder.paths);
    *scenario = (struct scenario){.file = scenario_copy(reader->memory, reader->file, strlen(reader->file)),
                                  .name = name_of(&builder, root), .variant = matrix_name(reader)};
    make_lists(&builder);
    bool files = build_plugins(&builder) && build_plugin_host(&builder) && build_files(&builder) &&
                 check_actions(&builder);
    bool steps = make_volumes(&builder) && check_workloads(&builder) && make_steps(&builder);
    if (!files || !steps)
        return false;
    make_needs(&builder);
    return make_worlds(&builder);
}
