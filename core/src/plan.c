#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "permissions.h"
#include "quiesce/json.h"

#define FILES_MAX (1 + 3 * QZ_PLUGINS_MAX) /* the plugin host file, and each plugin's config and scripts */

/* Where verdicts, errors and warnings belong, while a plan is being read. */
struct reading {
    struct qz_os *os;
    struct qz_result *result;
    const char *plugin;
};

static void add_error(const struct reading *reading, struct qz_error *error, const char *path)
{
    error->plugin = reading->plugin;
    error->path = path;
    qz_error_list_add(&reading->result->errors, error);
}

static void add_file(const struct reading *reading, const char *what, const char *path, enum qz_code code,
                     const char *note)
{
    struct qz_result *result = reading->result;
    if (result->files)
        result->files[result->file_count++] = (struct qz_file_verdict){what, reading->plugin, path, code, note};
}

/* Is there nothing at `path`: no link that leads nowhere either? */
static bool is_absent(const struct qz_path_facts *facts, const char *path)
{
    bool absent = facts->error == ENOENT;
    for (size_t i = 0; i < facts->count; i++)
        absent = absent && (facts->steps[i].kind != QZ_STEP_SYMLINK || strcmp(facts->steps[i].path, path) != 0);
    return absent;
}

/* Reads the whole of a file that may be trusted in its role. Returns QZ_E_SUCCESS and a text to free, or sets
 * `error`; what is too long or cannot be read is of code `unreadable`. `absent`: is there none? NULL: nobody asks. */
static enum qz_code read_trusted(struct qz_os *os, enum qz_file_role role, enum qz_code unreadable, const char *path,
                                 char **text, size_t *size, bool *absent, struct qz_error *error)
{
    struct qz_path_facts facts = {0};
    *text = NULL;
    int failed = os->ops->inspect(os, path, &facts);
    enum qz_code code = failed ? qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s: %s", path, strerror(failed))
                               : qz_permissions_check(role, path, &facts, error);
    ssize_t length = 0;
    if (absent)
        *absent = is_absent(&facts, path);
    if (code == QZ_E_SUCCESS)
        length = os->ops->read_file(os, facts.handle, QZ_JSON_SIZE_MAX, text);
    if (length == -EFBIG)
        code = qz_error_set(error, unreadable, "%s: longer than %d bytes", path, QZ_JSON_SIZE_MAX);
    else if (length < 0)
        code = qz_error_set(error, unreadable, "%s: %s", path, strerror((int)-length));
    qz_path_facts_free(os, &facts);
    *size = length > 0 ? (size_t)length : 0;
    return code;
}

static enum qz_code load_host_file(const struct reading *reading, const char *path, struct qz_plugin_host *host,
                                   bool *absent, struct qz_error *error)
{
    char *text;
    size_t size;
    enum qz_code code = read_trusted(reading->os, QZ_FILE_PLUGIN_HOST, QZ_E_INCORRECT_PLUGIN_HOST_FILE, path, &text,
                                     &size, absent, error);
    if (code == QZ_E_SUCCESS)
        code = qz_plugin_host_parse(path, text, size, host, &reading->result->warnings, error);
    free(text);
    return code;
}

static void load_builtin(const struct reading *reading, const char *config_path, struct qz_plan *plan)
{
    if (qz_plugin_host_builtin(config_path, &plan->host))
        return;
    struct qz_error error;
    qz_error_set(&error, QZ_E_INTERNAL_ERROR, "%s", strerror(ENOMEM));
    add_error(reading, &error, NULL);
    plan->host_refused = true;
}

/* --plugin-host: that file. --config alone: the built-in plugin with it. Neither: the default host file if there is
 * one, else the built-in plugin with the default config. */
static void load_host(const struct reading *reading, const struct qz_options *options, struct qz_plan *plan)
{
    const char *path = options->plugin_host_path;
    if (path && options->config_path)
        qz_warning_list_add(&reading->result->warnings, options->config_path, 0, 0,
                            "--config %s is not used: the plugin host file %s names the configs", options->config_path,
                            path);
    if (!path && options->config_path) {
        load_builtin(reading, options->config_path, plan);
        return;
    }
    struct qz_error error;
    const char *file = path ? path : QZ_PLUGIN_HOST_PATH_DEFAULT;
    bool absent;
    enum qz_code code = load_host_file(reading, file, &plan->host, &absent, &error);
    if (absent && !path) {
        add_file(reading, "plugin host file", file, QZ_E_SUCCESS, "absent: the built-in plugin is used");
        load_builtin(reading, QZ_CONFIG_PATH_DEFAULT, plan);
        return;
    }
    add_file(reading, "plugin host file", file, code, NULL);
    if (code != QZ_E_SUCCESS) {
        add_error(reading, &error, file);
        plan->host_refused = true;
    }
}

static bool load_script(const struct reading *reading, enum qz_file_role role, const char *path,
                        struct qz_path_facts *facts)
{
    struct qz_error error;
    int failed = reading->os->ops->inspect(reading->os, path, facts);
    enum qz_code code = failed ? qz_error_set(&error, QZ_E_INTERNAL_ERROR, "%s: %s", path, strerror(failed))
                               : qz_permissions_check(role, path, facts, &error);
    if (facts->handle >= 0) /* nobody reads it, and to keep it open would keep its filesystem mounted */
        reading->os->ops->close_file(reading->os, facts->handle);
    facts->handle = -1;
    add_file(reading, role == QZ_FILE_PRE_SCRIPT ? "pre-script" : "post-script", path, code, NULL);
    if (code == QZ_E_SUCCESS)
        return true;
    error.phase = role == QZ_FILE_PRE_SCRIPT ? QZ_PHASE_PRE : QZ_PHASE_POST;
    add_error(reading, &error, path);
    return false;
}

static void load_plugin(const struct reading *reading, struct qz_plugin *plugin)
{
    struct qz_error error;
    char *text;
    size_t size;
    enum qz_code code = read_trusted(reading->os, QZ_FILE_CONFIG, QZ_E_INCORRECT_JSON_CONFIG_FILE, plugin->config_path,
                                     &text, &size, NULL, &error);
    if (code == QZ_E_SUCCESS)
        code = qz_config_parse(plugin->config_path, text, size, &plugin->config, &reading->result->warnings, &error);
    free(text);
    plugin->sound = code == QZ_E_SUCCESS;
    add_file(reading, "config", plugin->config_path, code, NULL);
    if (!plugin->sound) {
        qz_config_set_defaults(&plugin->config);
        add_error(reading, &error, plugin->config_path);
        return;
    }
    bool pre = load_script(reading, QZ_FILE_PRE_SCRIPT, plugin->config.pre.path, &plugin->pre_facts);
    bool post = load_script(reading, QZ_FILE_POST_SCRIPT, plugin->config.post.path, &plugin->post_facts);
    plugin->runnable = pre && post;
}

void qz_plan_load(struct qz_os *os, const struct qz_options *options, struct qz_plan *plan, struct qz_result *result)
{
    memset(plan, 0, sizeof *plan);
    if (!options->scripts)
        return;
    result->files = calloc(FILES_MAX, sizeof *result->files);
    struct reading reading = {.os = os, .result = result};
    load_host(&reading, options, plan);
    for (size_t i = 0; i < plan->host.count; i++) {
        struct qz_plugin *plugin = &plan->plugins[i];
        plugin->name = plan->host.plugins[i].name;
        plugin->config_path = plan->host.plugins[i].config_path;
        plugin->pre_facts.handle = plugin->post_facts.handle = -1;
        reading.plugin = plugin->name;
        load_plugin(&reading, plugin);
    }
}

void qz_plan_free(struct qz_os *os, struct qz_plan *plan)
{
    for (size_t i = 0; i < plan->host.count; i++) {
        qz_path_facts_free(os, &plan->plugins[i].pre_facts);
        qz_path_facts_free(os, &plan->plugins[i].post_facts);
        if (plan->plugins[i].sound)
            qz_config_free(&plan->plugins[i].config);
    }
    qz_plugin_host_free(&plan->host);
    memset(plan, 0, sizeof *plan);
}

size_t qz_plan_sound_count(const struct qz_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->host.count; i++)
        count += plan->plugins[i].sound;
    return count;
}

bool qz_plan_wants_freeze(const struct qz_plan *plan)
{
    for (size_t i = 0; i < plan->host.count; i++)
        if (plan->plugins[i].config.fs_freeze)
            return true;
    return plan->host.count == 0;
}

bool qz_plan_freeze_continue(const struct qz_plan *plan)
{
    for (size_t i = 0; i < plan->host.count; i++)
        if (plan->plugins[i].config.fs_freeze && !plan->plugins[i].config.continue_on_failure)
            return false;
    return true;
}
