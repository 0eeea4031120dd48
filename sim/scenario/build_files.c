/* build_files.c: the files of a scenario: configs, scripts, the plugin host file, and what else lies about. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "quiesce/config.h"

#define PLUGIN_HOST_TIMEOUT_S 1800

const struct given_plugin *build_given_plugins(const struct given *given, size_t *count)
{
    *count = given->plugins ? given->plugin_count : 1;
    return given->plugins ? given->plugins : &given->plugin;
}

/* The place where a file of this plugin lies unless told. */
static const char *usual_path(struct builder *builder, const char *directory, const char *stem, const char *end,
                              size_t index)
{
    if (!builder->given->plugins)
        return scenario_format(builder->reader->memory, "%s/%s%s", directory, stem, end);
    return scenario_format(builder->reader->memory, "%s/%s-%zu%s", directory, stem, index, end);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static struct scenario_place place_of(const struct builder *builder, struct scenario_place place)
{
    return place.line > 0 ? place : builder->given->step.place;
}

/* Notes a path; false: a file lies there already. */
static bool note_path(struct builder *builder, const char *path, struct scenario_place place)
{
    for (size_t i = 0; i < builder->path_count; i++) {
        if (strcmp(builder->paths[i], path) == 0)
            return scenario_refuse_at(builder->reader, place_of(builder, place), "path",
                                      "%s a second time; each file is said once", path);
    }
    builder->paths[builder->path_count++] = path;
    return true;
}

/* What was given becomes a file; `path` and `mode` hold where nothing is said. */
static bool make_file(struct builder *builder, const struct given_file *given, const char *path, mode_t mode,
                      struct scenario_file *file)
{
    struct reader *reader = builder->reader;
    bool said = given->place.line > 0;
    *file = (struct scenario_file){.kind = SCENARIO_FILE, .path = path, .mode = mode};
    if (said) {
        file->kind = given->directory ? SCENARIO_DIRECTORY : given->symlink ? SCENARIO_SYMLINK
                     : given->fifo    ? SCENARIO_FIFO      : given->absent  ? SCENARIO_ABSENT : SCENARIO_FILE;
        file->path = given->path ? given->path : path;
        file->owner = given->owner;
        file->mode = given->mode != GIVEN_NO_MODE ? given->mode : given->directory ? 0755 : mode;
        file->text = given->symlink ? given->symlink : given->text;
        file->size = given->symlink ? strlen(given->symlink) : given->size;
    }
    if (said && given->fixture) {
        const char *name = scenario_format(reader->memory, "%s/%s", reader->fixtures, given->fixture);
        char *text = scenario_slurp(name, &file->size);
        if (!text)
            return scenario_refuse_at(reader, given->place, "fixture", "fixtures/%s can't be read", given->fixture);
        file->text = scenario_copy(reader->memory, text, file->size);
        free(text);
    }
    return note_path(builder, file->path, given->place);
}

/* ---- Configs ----------------------------------------------------------------------------------------------------- */

/* Puts the members of `over` in place of those of `base`; null takes one out. */
static void merge(cJSON *base, const cJSON *over)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, over) {
        cJSON *copy = cJSON_IsNull(member) ? NULL : cJSON_Duplicate(member, true);
        if (!copy)
            cJSON_DeleteItemFromObjectCaseSensitive(base, member->string);
        else if (cJSON_GetObjectItemCaseSensitive(base, member->string))
            cJSON_ReplaceItemInObjectCaseSensitive(base, member->string, copy);
        else
            cJSON_AddItemToObject(base, member->string, copy);
    }
}

/* The config that names the scripts, and `given->config` over it. */
static void make_config_text(struct builder *builder, const struct given_plugin *given, struct scenario_plugin *plugin)
{
    struct scenario_memory *memory = builder->reader->memory;
    cJSON *config = cJSON_CreateObject();
    if (!cJSON_AddStringToObject(config, "preScriptLocation", plugin->pre.file.path) ||
        !cJSON_AddStringToObject(config, "postScriptLocation", plugin->post.file.path))
        scenario_no_memory();
    merge(config, given->config);
    char *text = cJSON_Print(config);
    if (!text)
        scenario_no_memory();
    plugin->config.text = scenario_format(memory, "%s\n", text);
    plugin->config.size = strlen(plugin->config.text);
    cJSON_free(text);
    cJSON_Delete(config);
}

static const char *location_of(struct builder *builder, const cJSON *config, const char *key, const char *path)
{
    const char *location = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(config, key));
    return location && location[0] == '/' ? scenario_copy(builder->reader->memory, location, strlen(location)) : path;
}

/* Where quiesce will look for the scripts, by whatever the config says in the end. */
static void find_locations(struct builder *builder, struct scenario_plugin *plugin)
{
    cJSON *config = plugin->config.text ? cJSON_ParseWithLength(plugin->config.text, plugin->config.size) : NULL;
    plugin->pre.location = location_of(builder, config, "preScriptLocation", plugin->pre.file.path);
    plugin->post.location = location_of(builder, config, "postScriptLocation", plugin->post.file.path);
    cJSON_Delete(config);
}

static bool make_config(struct builder *builder, const struct given_plugin *given, size_t index,
                        struct scenario_plugin *plugin)
{
    const char *path = builder->given->plugins ? usual_path(builder, SCENARIO_CONFIG_DIRECTORY, "plugin", ".json",
                                                            index)
                                               : QZ_CONFIG_PATH_DEFAULT;
    if (!make_file(builder, &given->config_file, path, 0600, &plugin->config))
        return false;
    bool is_file = plugin->config.kind == SCENARIO_FILE;
    if (given->config && (!is_file || plugin->config.text))
        return scenario_refuse_at(builder->reader, given->config_file.place, "config_file",
                                  "it says what the file is, so that there is no place for what `config` says");
    if (is_file && !plugin->config.text)
        make_config_text(builder, given, plugin);
    find_locations(builder, plugin);
    return true;
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

const struct scenario_attempt *build_attempts(struct builder *builder, const struct scenario_attempt *given,
                                              size_t *count)
{
    if (given)
        return given;
    *count = 1;
    struct scenario_attempt *attempt = scenario_take(builder->reader->memory, sizeof *attempt);
    memcpy(attempt, scenario_attempt_keys.initial, sizeof *attempt);
    return attempt;
}

static bool make_script(struct builder *builder, const struct given_file *file, const struct scenario_attempt *attempts,
                        size_t count, const char *role, size_t index, struct scenario_script *script)
{
    const char *key = scenario_format(builder->reader->memory, "%s_file", role);
    if (!make_file(builder, file, usual_path(builder, SCENARIO_SCRIPT_DIRECTORY, role, ".sh", index), 0700,
                   &script->file))
        return false;
    bool program = script->file.kind == SCENARIO_FILE && script->file.text;
    if (script->file.kind == SCENARIO_SYMLINK)
        return scenario_refuse_at(builder->reader, file->place, key,
                                  "a link; put the link into `files`, and its path as %sScriptLocation into `config`",
                                  role);
    if (attempts && count == 0)
        return scenario_refuse_at(builder->reader, place_of(builder, file->place), role,
                                  "no rows; allowed are one or more");
    if (attempts && (program || script->file.kind != SCENARIO_FILE))
        return scenario_refuse_at(builder->reader, file->place, key,
                                  "it says what the file is, so that there is no place for what `%s` says", role);
    if (program || script->file.kind != SCENARIO_FILE)
        return true;
    script->attempt_count = count;
    script->attempts = build_attempts(builder, attempts, &script->attempt_count);
    return true;
}

bool build_plugins(struct builder *builder)
{
    size_t count;
    const struct given_plugin *given = build_given_plugins(builder->given, &count);
    struct scenario_plugin *plugins = scenario_take(builder->reader->memory, (count + 1) * sizeof *plugins);
    builder->scenario->plugins = plugins;
    builder->scenario->plugin_count = count;
    for (size_t i = 0; i < count; i++) {
        plugins[i].name = scenario_plugin_name(builder->reader->memory, builder->given, i);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(plugins[k].name, plugins[i].name) == 0)
                return scenario_refuse_at(builder->reader, given[i].place, "name",
                                          "\"%s\" is there a second time; each plugin has a name of its own",
                                          plugins[i].name);
        }
        if (!make_script(builder, &given[i].pre_file, given[i].pre, given[i].pre_count, "pre", i, &plugins[i].pre) ||
            !make_script(builder, &given[i].post_file, given[i].post, given[i].post_count, "post", i,
                         &plugins[i].post) ||
            !make_config(builder, &given[i], i, &plugins[i]))
            return false;
    }
    return true;
}

/* ---- The plugin host file ---------------------------------------------------------------------------------------- */

static void add_number(cJSON *object, const char *key, double number)
{
    if (!cJSON_AddNumberToObject(object, key, number))
        scenario_no_memory();
}

static void add_text(cJSON *object, const char *key, const char *text)
{
    if (!cJSON_AddStringToObject(object, key, text))
        scenario_no_memory();
}

static const char *plugin_host_text(struct builder *builder)
{
    struct scenario_memory *memory = builder->reader->memory;
    const struct scenario *scenario = builder->scenario;
    cJSON *keys = cJSON_CreateObject();
    add_number(keys, "timeoutInSeconds", PLUGIN_HOST_TIMEOUT_S);
    add_number(keys, "numberOfPlugins", (double)scenario->plugin_count);
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        add_text(keys, scenario_format(memory, "pluginName%zu", i), QZ_PLUGIN_NAME_DEFAULT);
        add_text(keys, scenario_format(memory, "pluginConfigPath%zu", i), scenario->plugins[i].config.path);
    }
    merge(keys, builder->given->plugin_host);
    const char *text = "[pre_post]\n";
    const cJSON *key;
    cJSON_ArrayForEach(key, keys) {
        char *value = cJSON_IsString(key) ? NULL : cJSON_PrintUnformatted(key);
        text = scenario_format(memory, "%s%s = %s\n", text, key->string, value ? value : cJSON_GetStringValue(key));
        cJSON_free(value);
    }
    cJSON_Delete(keys);
    return text;
}

bool build_plugin_host(struct builder *builder)
{
    const struct given *given = builder->given;
    const struct given_file *said = &given->plugin_host_file;
    if (!given->plugin_host && said->place.line == 0 && !given->plugins)
        return true;
    struct scenario_file *file = scenario_take(builder->reader->memory, sizeof *file);
    if (!make_file(builder, said, QZ_PLUGIN_HOST_PATH_DEFAULT, 0600, file))
        return false;
    bool is_file = file->kind == SCENARIO_FILE;
    if (given->plugin_host && (!is_file || file->text))
        return scenario_refuse_at(builder->reader, said->place, "plugin_host_file",
                                  "it says what the file is, so that there is no place for what `plugin_host` says");
    if (is_file && !file->text) {
        file->text = plugin_host_text(builder);
        file->size = strlen(file->text);
    }
    builder->scenario->plugin_host = file;
    return true;
}

bool build_files(struct builder *builder)
{
    const struct given *given = builder->given;
    struct scenario_file *files = scenario_take(builder->reader->memory, (given->file_count + 1) * sizeof *files);
    builder->scenario->files = files;
    builder->scenario->file_count = given->file_count;
    for (size_t i = 0; i < given->file_count; i++) {
        if (!make_file(builder, &given->files[i], NULL, 0644, &files[i]))
            return false;
        if (files[i].kind == SCENARIO_FILE && !files[i].text)
            files[i].text = "";
    }
    return true;
}
