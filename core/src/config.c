/* config.c: the config file, from JSON to struct qz_config. */
#include "quiesce/config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/json.h"
#include "quote.h"

enum kind { KIND_IGNORED, KIND_NAME, KIND_PATH, KIND_PARAMS, KIND_INTEGER, KIND_BOOLEAN };

/* Every key that may be in a config: what it is, which field it fills, and for integers the range. */
static const struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    int min;
    int max;
} keys[] = {
    {"pluginName", KIND_NAME, offsetof(struct qz_config, plugin_name), 0, 0},
    {"preScriptLocation", KIND_PATH, offsetof(struct qz_config, pre.path), 0, 0},
    {"postScriptLocation", KIND_PATH, offsetof(struct qz_config, post.path), 0, 0},
    {"preScriptParams", KIND_PARAMS, offsetof(struct qz_config, pre), 0, 0},
    {"postScriptParams", KIND_PARAMS, offsetof(struct qz_config, post), 0, 0},
    {"preScriptNoOfRetries", KIND_INTEGER, offsetof(struct qz_config, pre.retries), 0, QZ_RETRIES_MAX},
    {"postScriptNoOfRetries", KIND_INTEGER, offsetof(struct qz_config, post.retries), 0, QZ_RETRIES_MAX},
    {"timeoutInSeconds", KIND_INTEGER, offsetof(struct qz_config, timeout_s), 1, QZ_TIMEOUT_S_MAX},
    {"continueBackupOnFailure", KIND_BOOLEAN, offsetof(struct qz_config, continue_on_failure), 0, 0},
    {"fsFreezeEnabled", KIND_BOOLEAN, offsetof(struct qz_config, fs_freeze), 0, 0},
    {"ScriptsExecutionPollTimeSeconds", KIND_INTEGER, offsetof(struct qz_config, poll_s), QZ_POLL_S_MIN, QZ_POLL_S_MAX},
    {"appName", KIND_IGNORED, 0, 0, 0},
};

#define KEY_COUNT (sizeof keys / sizeof keys[0])

struct reader {
    const char *path;
    struct qz_json json;
    struct qz_config *config;
    struct qz_warning_list *warnings;
    struct qz_error *error;
};

/* How a value is shown as "found"; `out` has QZ_QUOTE_SIZE bytes. */
static const char *describe(char *out, const cJSON *value)
{
    if (cJSON_IsString(value))
        return qz_quote_text(out, QZ_QUOTE_SIZE, value->valuestring, strlen(value->valuestring));
    if (cJSON_IsNumber(value))
        snprintf(out, QZ_QUOTE_SIZE, fabs(value->valuedouble) < 1e15 ? "%.15g" : "%.0f", value->valuedouble);
    else if (cJSON_IsArray(value))
        snprintf(out, QZ_QUOTE_SIZE, "an array of %d", cJSON_GetArraySize(value));
    else
        snprintf(out, QZ_QUOTE_SIZE, "%s",
                 cJSON_IsObject(value) ? "an object"
                 : cJSON_IsNull(value) ? "null"
                 : cJSON_IsTrue(value) ? "true"
                                       : "false");
    return out;
}

/* Refuses `value`, which belongs to `key` (NULL: none). */
static enum qz_code refuse(const struct reader *reader, const char *key, const cJSON *value, const char *allowed)
{
    const struct qz_json_place *json_place = qz_json_place(&reader->json, value);
    struct qz_place place = {reader->path, json_place->line, json_place->column, key, key ? strlen(key) : 0};
    char buffer[QZ_QUOTE_SIZE];
    const char *found = json_place->number ? qz_quote_text(buffer, sizeof buffer, json_place->number, json_place->number_size)
                                           : describe(buffer, value);
    return qz_quote_refuse(reader->error, QZ_E_INCORRECT_JSON_CONFIG_FILE, &place, found, allowed);
}

static enum qz_code copy_text(const struct reader *reader, const char *text, char **copy)
{
    *copy = strdup(text);
    return *copy ? QZ_E_SUCCESS : qz_quote_no_memory(reader->error, reader->path);
}

static enum qz_code read_name(const struct reader *reader, const cJSON *value, char **name)
{
    if (!cJSON_IsString(value))
        return refuse(reader, value->string, value, "a text in double quotes (\"" QZ_PLUGIN_NAME_DEFAULT "\")");
    if (strcmp(value->valuestring, QZ_PLUGIN_NAME_DEFAULT) != 0) {
        const struct qz_json_place *place = qz_json_place(&reader->json, value);
        char found[QZ_QUOTE_SIZE];
        qz_warning_list_add(reader->warnings, reader->path, place->line, place->column,
                            "%s: found %s, which is shown in reports and means nothing else; the guide says to leave "
                            "it \"" QZ_PLUGIN_NAME_DEFAULT "\"",
                            value->string, describe(found, value));
    }
    return copy_text(reader, value->valuestring, name);
}

static enum qz_code read_path(const struct reader *reader, const cJSON *value, char **path)
{
    if (!cJSON_IsString(value) || value->valuestring[0] != '/')
        return refuse(reader, value->string, value, "an absolute path in double quotes");
    return copy_text(reader, value->valuestring, path);
}

static enum qz_code read_params(const struct reader *reader, const cJSON *value, struct qz_script_config *script)
{
    if (!cJSON_IsArray(value))
        return refuse(reader, value->string, value, "an array of texts in double quotes");
    char **params = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof *params);
    if (!params)
        return qz_quote_no_memory(reader->error, reader->path);
    script->params = params; /* owned from here on, so that a refusal below leaks nothing */
    for (const cJSON *param = value->child; param; param = param->next) {
        if (!cJSON_IsString(param))
            return refuse(reader, value->string, param, "only texts in double quotes as parameters");
        if (copy_text(reader, param->valuestring, &params[script->param_count]) != QZ_E_SUCCESS)
            return reader->error->code;
        script->param_count++;
    }
    return QZ_E_SUCCESS;
}

static enum qz_code read_integer(const struct reader *reader, const cJSON *value, const struct key *key, int *number)
{
    double found = value->valuedouble;
    bool exact = !qz_json_place(&reader->json, value)->number;
    bool sound = cJSON_IsNumber(value) && exact && found >= key->min && found <= key->max && found == (double)(int)found;
    if (!sound) {
        char allowed[QZ_QUOTE_SIZE];
        snprintf(allowed, sizeof allowed, "an integer from %d to %d, without quotes", key->min, key->max);
        return refuse(reader, value->string, value, allowed);
    }
    *number = (int)found;
    return QZ_E_SUCCESS;
}

static enum qz_code read_boolean(const struct reader *reader, const cJSON *value, bool *boolean)
{
    if (!cJSON_IsBool(value))
        return refuse(reader, value->string, value, "true or false, without quotes");
    *boolean = cJSON_IsTrue(value);
    return QZ_E_SUCCESS;
}

/* Reads the value of a known key into its field. */
static enum qz_code read_value(const struct reader *reader, const struct key *key, const cJSON *value)
{
    void *field = (char *)reader->config + key->offset;
    switch (key->kind) {
    case KIND_NAME:
        return read_name(reader, value, field);
    case KIND_PATH:
        return read_path(reader, value, field);
    case KIND_PARAMS:
        return read_params(reader, value, field);
    case KIND_INTEGER:
        return read_integer(reader, value, key, field);
    case KIND_BOOLEAN:
        return read_boolean(reader, value, field);
    case KIND_IGNORED:
        break;
    }
    return QZ_E_SUCCESS;
}

static void warn_unknown(const struct reader *reader, const cJSON *member, size_t *unknown)
{
    const char *known[KEY_COUNT + 1] = {NULL};
    for (size_t i = 0; i < KEY_COUNT; i++)
        known[i] = keys[i].name;
    const struct qz_json_place *json_place = qz_json_place(&reader->json, member);
    struct qz_place place = {reader->path, json_place->key_line, json_place->key_column, member->string,
                             strlen(member->string)};
    qz_quote_warn_unknown(reader->warnings, &place, known, unknown);
}

static enum qz_code read_member(const struct reader *reader, const cJSON *member, size_t *unknown)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(member->string, keys[i].name) == 0)
            return read_value(reader, &keys[i], member);
    }
    warn_unknown(reader, member, unknown);
    return QZ_E_SUCCESS;
}

/* Refuses a config that lacks what it must have. */
static enum qz_code require(const struct reader *reader, const char *key, const char *value)
{
    if (value)
        return QZ_E_SUCCESS;
    const struct qz_json_place *root = qz_json_place(&reader->json, reader->json.root);
    struct qz_place place = {reader->path, root->line, root->column, key, strlen(key)};
    return qz_quote_refuse(reader->error, QZ_E_INCORRECT_JSON_CONFIG_FILE, &place, "no such key",
                           "an absolute path in double quotes (the key is required)");
}

/* Gives what was not in the file and is text its default; the rest has it already. */
static enum qz_code fill_in(const struct reader *reader)
{
    struct qz_config *config = reader->config;
    if (!config->plugin_name && copy_text(reader, QZ_PLUGIN_NAME_DEFAULT, &config->plugin_name) != QZ_E_SUCCESS)
        return reader->error->code;
    struct qz_script_config *scripts[] = {&config->pre, &config->post};
    for (size_t i = 0; i < 2; i++) {
        if (!scripts[i]->params)
            scripts[i]->params = calloc(1, sizeof *scripts[i]->params);
        if (!scripts[i]->params)
            return qz_quote_no_memory(reader->error, reader->path);
    }
    return QZ_E_SUCCESS;
}

static enum qz_code read_root(const struct reader *reader)
{
    const cJSON *root = reader->json.root;
    if (!cJSON_IsObject(root))
        return refuse(reader, NULL, root, "an object: { \"preScriptLocation\": \"/path\", … }");
    size_t unknown = 0;
    enum qz_code code = QZ_E_SUCCESS;
    for (const cJSON *member = root->child; member && code == QZ_E_SUCCESS; member = member->next)
        code = read_member(reader, member, &unknown);
    if (code == QZ_E_SUCCESS)
        code = require(reader, "preScriptLocation", reader->config->pre.path);
    if (code == QZ_E_SUCCESS)
        code = require(reader, "postScriptLocation", reader->config->post.path);
    return code == QZ_E_SUCCESS ? fill_in(reader) : code;
}

enum qz_code qz_config_parse(const char *path, const char *text, size_t size, struct qz_config *config,
                             struct qz_warning_list *warnings, struct qz_error *error)
{
    struct reader reader = {.path = path, .config = config, .warnings = warnings, .error = error};
    qz_config_set_defaults(config);
    enum qz_code code = qz_json_parse_lazily(path, text, size, QZ_E_INCORRECT_JSON_CONFIG_FILE, &reader.json, error);
    if (code == QZ_E_SUCCESS)
        code = read_root(&reader);
    qz_json_free(&reader.json);
    if (code != QZ_E_SUCCESS)
        qz_config_free(config);
    return code;
}

void qz_config_set_defaults(struct qz_config *config)
{
    *config = (struct qz_config){.timeout_s = QZ_TIMEOUT_S_DEFAULT,
                                 .poll_s = QZ_POLL_S_DEFAULT,
                                 .continue_on_failure = true,
                                 .fs_freeze = true};
}

static void free_script(struct qz_script_config *script)
{
    for (size_t i = 0; i < script->param_count; i++)
        free(script->params[i]);
    free(script->params);
    free(script->path);
}

void qz_config_free(struct qz_config *config)
{
    free(config->plugin_name);
    free_script(&config->pre);
    free_script(&config->post);
    *config = (struct qz_config){0};
}
