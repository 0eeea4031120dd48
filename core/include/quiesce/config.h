/* config.h: the config file (JSON) and the plugin host file (INI), as data.
 *
 * Source of the rules: Azure's guide "Application-consistent backup of Azure Linux VMs", step 5, and for what the
 * guide leaves open the manual page quiesce.conf(5). What the guide forbids is refused; nothing is silently altered. */
#ifndef QUIESCE_CONFIG_H
#define QUIESCE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "quiesce/error.h"

#define QZ_CONFIG_PATH_DEFAULT "/etc/azure/VMSnapshotScriptPluginConfig.json"
#define QZ_PLUGIN_HOST_PATH_DEFAULT "/etc/azure/VMSnapshotPluginHost.conf"
#define QZ_PLUGIN_NAME_DEFAULT "ScriptRunner"

#define QZ_RETRIES_MAX 100
#define QZ_TIMEOUT_S_MAX 1800
#define QZ_TIMEOUT_S_DEFAULT 30
#define QZ_POLL_S_MIN 1
#define QZ_POLL_S_MAX 5
#define QZ_POLL_S_DEFAULT 3
#define QZ_PLUGINS_MAX 64

/* One script of a config. `params` is NULL-terminated. All strings are owned by the config. */
struct qz_script_config {
    char *path; /* absolute */
    char **params;
    size_t param_count;
    int retries; /* 0…QZ_RETRIES_MAX; 0: one try */
};

struct qz_config {
    char *plugin_name;
    struct qz_script_config pre;
    struct qz_script_config post;
    int timeout_s; /* 1…QZ_TIMEOUT_S_MAX, for each attempt of each script */
    int poll_s;    /* QZ_POLL_S_MIN…QZ_POLL_S_MAX */
    bool continue_on_failure;
    bool fs_freeze;
};

/* Reads a config from `size` bytes of `text`. `path` (borrowed, also by warnings and error) names it in messages.
 * Unknown keys and another pluginName are warnings. Returns QZ_E_SUCCESS and fills `config` (free with
 * qz_config_free), or sets `error` to IncorrectJSONConfigFile with "path:line:column: key: found, allowed" and leaves
 * `config` empty. */
enum qz_code qz_config_parse(const char *path, const char *text, size_t size, struct qz_config *config,
                             struct qz_warning_list *warnings, struct qz_error *error);

/* What holds for a plugin whose config cannot be trusted: no scripts, continue on failure, freeze. Allocates
 * nothing. */
void qz_config_set_defaults(struct qz_config *config);

void qz_config_free(struct qz_config *config);

struct qz_plugin_entry {
    char *name;
    char *config_path; /* absolute */
};

struct qz_plugin_host {
    int timeout_s; /* 1…QZ_TIMEOUT_S_MAX, over all plugins and attempts of a phase */
    size_t count;  /* 1…QZ_PLUGINS_MAX */
    struct qz_plugin_entry plugins[QZ_PLUGINS_MAX];
};

/* Reads a plugin host file; conventions as above, the error is IncorrectPluginhostFile with path:line. */
enum qz_code qz_plugin_host_parse(const char *path, const char *text, size_t size, struct qz_plugin_host *host,
                                  struct qz_warning_list *warnings, struct qz_error *error);

/* The host used where there is no file: one ScriptRunner with `config_path`, QZ_TIMEOUT_S_MAX seconds.
 * Returns false if memory is short. */
bool qz_plugin_host_builtin(const char *config_path, struct qz_plugin_host *host);

void qz_plugin_host_free(struct qz_plugin_host *host);

#endif
