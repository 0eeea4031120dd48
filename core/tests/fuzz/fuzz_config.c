/* Any bytes as a config: refused with one clear line, or read; what was read means the same when it is written anew. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "fuzz.h"
#include "quiesce/config.h"

#define PATH "/etc/f.json"

static bool same_script(const struct qz_script_config *one, const struct qz_script_config *other)
{
    bool same = strcmp(one->path, other->path) == 0 && one->param_count == other->param_count &&
                one->retries == other->retries && !one->params[one->param_count] && !other->params[other->param_count];
    for (size_t i = 0; same && i < one->param_count; i++)
        same = strcmp(one->params[i], other->params[i]) == 0;
    return same;
}

static bool same(const struct qz_config *one, const struct qz_config *other)
{
    return strcmp(one->plugin_name, other->plugin_name) == 0 && same_script(&one->pre, &other->pre) &&
           same_script(&one->post, &other->post) && one->timeout_s == other->timeout_s && one->poll_s == other->poll_s &&
           one->continue_on_failure == other->continue_on_failure && one->fs_freeze == other->fs_freeze;
}

static bool in_range(const struct qz_config *config)
{
    return config->pre.path[0] == '/' && config->post.path[0] == '/' && config->pre.retries >= 0 &&
           config->pre.retries <= QZ_RETRIES_MAX && config->post.retries >= 0 &&
           config->post.retries <= QZ_RETRIES_MAX && config->timeout_s >= 1 && config->timeout_s <= QZ_TIMEOUT_S_MAX &&
           config->poll_s >= QZ_POLL_S_MIN && config->poll_s <= QZ_POLL_S_MAX;
}

/* The config as a file that says everything; the caller frees. */
static char *write_config(const struct qz_config *config)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "pluginName", config->plugin_name);
    cJSON_AddStringToObject(root, "preScriptLocation", config->pre.path);
    cJSON_AddStringToObject(root, "postScriptLocation", config->post.path);
    cJSON_AddItemToObject(root, "preScriptParams",
                          cJSON_CreateStringArray((const char *const *)config->pre.params, (int)config->pre.param_count));
    cJSON_AddItemToObject(
        root, "postScriptParams",
        cJSON_CreateStringArray((const char *const *)config->post.params, (int)config->post.param_count));
    cJSON_AddNumberToObject(root, "preScriptNoOfRetries", config->pre.retries);
    cJSON_AddNumberToObject(root, "postScriptNoOfRetries", config->post.retries);
    cJSON_AddNumberToObject(root, "timeoutInSeconds", config->timeout_s);
    cJSON_AddBoolToObject(root, "continueBackupOnFailure", config->continue_on_failure);
    cJSON_AddBoolToObject(root, "fsFreezeEnabled", config->fs_freeze);
    cJSON_AddNumberToObject(root, "ScriptsExecutionPollTimeSeconds", config->poll_s);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

static void write_and_read(const struct qz_config *config)
{
    struct qz_config again;
    struct qz_warning_list warnings = {0};
    struct qz_error error = {.code = QZ_E_SUCCESS};
    char *text = write_config(config);
    fuzz_must(text != NULL, "there is memory", NULL);
    if (strlen(text) <= 1048576) { /* escapes may have made it longer than what is read */
        enum qz_code code = qz_config_parse(PATH, text, strlen(text), &again, &warnings, &error);
        fuzz_must(code == QZ_E_SUCCESS, "what was accepted is accepted when it is written anew", error.message);
        fuzz_must(same(config, &again), "what was read is read again", text);
        qz_config_free(&again);
        qz_warning_list_free(&warnings);
    }
    cJSON_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct qz_config none;
    struct qz_config config;
    struct qz_warning_list warnings = {0};
    struct qz_error error = {.code = QZ_E_SUCCESS};
    enum qz_code code = qz_config_parse(PATH, (const char *)data, size, &config, &warnings, &error);
    fuzz_must_be_warnings(&warnings, data, size);
    if (code == QZ_E_SUCCESS) {
        fuzz_must(in_range(&config), "every value of a config that is accepted is allowed", NULL);
        write_and_read(&config);
        qz_config_free(&config);
    } else {
        fuzz_must(code == QZ_E_INCORRECT_JSON_CONFIG_FILE && error.code == code, "a refusal has its code", error.message);
        fuzz_must(memcmp(&config, &none, sizeof none) == 0, "a config that is refused is left empty", error.message);
        fuzz_must_be_refusal(error.message, PATH, data, size);
    }
    qz_warning_list_free(&warnings);
    return 0;
}
