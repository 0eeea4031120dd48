/* pluginhost.c: the plugin host file, from INI to the plugins to run. */
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pluginhost_lines.h"
#include "quiesce/config.h"
#include "quiesce/json.h"
#include "quote.h"
#include "utf8.h"

#define FILE_SIZE_MAX 1048576 /* bytes: 1 MiB */

enum key { KEY_TIMEOUT, KEY_COUNT, KEY_NAME, KEY_PATH, KEY_CONFIG_PATH, KEY_UNKNOWN };

/* Keys that end in N are one for each plugin, N being its number. */
static const char *const key_names[] = {
    [KEY_TIMEOUT] = "timeoutInSeconds", [KEY_COUNT] = "numberOfPlugins", [KEY_NAME] = "pluginNameN",
    [KEY_PATH] = "pluginPathN",         [KEY_CONFIG_PATH] = "pluginConfigPathN", [KEY_UNKNOWN] = NULL,
};

/* What the file says for one key. `value` is owned; NULL: nothing. */
struct setting {
    char *value;
    int line;
    int column; /* of the value; the key begins its line */
};

struct reader {
    struct qz_plugin_host_lines lines;
    struct qz_warning_list *warnings;
    size_t unknown;
    struct setting settings[KEY_UNKNOWN][QZ_PLUGINS_MAX]; /* keys without a number: the first */
};

static bool is_numbered(enum key key)
{
    return key == KEY_NAME || key == KEY_PATH || key == KEY_CONFIG_PATH;
}

/* Which key `name` is; *suffix: what follows the key's name in it. */
static enum key find_key(const char *name, const char **suffix)
{
    for (enum key key = 0; key < KEY_UNKNOWN; key++) {
        size_t length = strlen(key_names[key]) - is_numbered(key);
        *suffix = name + length;
        if (strncasecmp(name, key_names[key], length) != 0)
            continue;
        size_t digits = strspn(*suffix, "0123456789");
        if ((*suffix)[digits] == '\0' && (digits > 0) == is_numbered(key))
            return key;
    }
    return KEY_UNKNOWN;
}

/* Reads a number without sign and leading zeros. Returns -1 if it is none or above `max` (at most 4 digits). */
static int parse_number(const char *text, int max)
{
    size_t length = strlen(text);
    if (length == 0 || length > 4 || strspn(text, "0123456789") != length || (length > 1 && text[0] == '0'))
        return -1;
    int number = (int)strtol(text, NULL, 10);
    return number <= max ? number : -1;
}

/* Writes the name of a key, with the plugin's number if it has one, to `out`. */
static void write_key(char out[QZ_QUOTE_SIZE], enum key key, size_t plugin)
{
    if (is_numbered(key))
        snprintf(out, QZ_QUOTE_SIZE, "%.*s%zu", (int)strlen(key_names[key]) - 1, key_names[key], plugin);
    else
        snprintf(out, QZ_QUOTE_SIZE, "%s", key_names[key]);
}

/* Refuses the file at line and column, for `key` of `plugin`. */
static enum qz_code refuse_at(struct reader *reader, int line, int column, const char *key, const char *found,
                              const char *allowed)
{
    struct qz_place place = {reader->lines.path, line, column, key, strlen(key)};
    reader->lines.refused = true;
    return qz_quote_refuse(reader->lines.error, QZ_E_INCORRECT_PLUGIN_HOST_FILE, &place, found, allowed);
}

static enum qz_code refuse_value(struct reader *reader, enum key key, size_t plugin, const char *allowed)
{
    const struct setting *setting = &reader->settings[key][plugin];
    char name[QZ_QUOTE_SIZE];
    char found[QZ_QUOTE_SIZE];
    write_key(name, key, plugin);
    qz_quote_text(found, sizeof found, setting->value, strlen(setting->value));
    return refuse_at(reader, setting->line, setting->column, name, found, allowed);
}

/* Refuses a file that lacks a key: at the line that asks for it. */
static enum qz_code refuse_missing(struct reader *reader, enum key key, size_t plugin, const char *allowed)
{
    int line = is_numbered(key) ? reader->settings[KEY_COUNT][0].line : reader->lines.section_line;
    char name[QZ_QUOTE_SIZE];
    write_key(name, key, plugin);
    return refuse_at(reader, line, 1, name, "no such key", allowed);
}

/* Keeps the value of a known key. */
static void keep(struct reader *reader, enum key key, size_t plugin, const char *name, const char *value)
{
    struct setting *setting = &reader->settings[key][plugin];
    if (setting->value) {
        char found[QZ_QUOTE_SIZE];
        snprintf(found, sizeof found, "the key a second time (first in line %d)", setting->line);
        refuse_at(reader, reader->lines.line, 1, name, found, "each key once, in any case");
        return;
    }
    *setting = (struct setting){strdup(value), reader->lines.line, reader->lines.value_column};
    if (!setting->value) {
        qz_quote_no_memory(reader->lines.error, reader->lines.path);
        reader->lines.refused = true;
    }
}

/* Takes one setting from libinih (an ini_handler). Returns 0 after a refusal. */
static int take_setting(void *user, const char *section, const char *name, const char *value)
{
    (void)section; /* there is only one: the lines were vetted */
    struct reader *reader = user;
    const char *suffix;
    enum key key = find_key(name, &suffix);
    if (key == KEY_UNKNOWN) {
        struct qz_place place = {reader->lines.path, reader->lines.line, 1, name, strlen(name)};
        qz_quote_warn_unknown(reader->warnings, &place, key_names, &reader->unknown);
        return 1;
    }
    int plugin = is_numbered(key) ? parse_number(suffix, QZ_PLUGINS_MAX - 1) : 0;
    if (plugin < 0) {
        char found[QZ_QUOTE_SIZE];
        qz_quote_text(found, sizeof found, suffix, strlen(suffix));
        refuse_at(reader, reader->lines.line, 1, name, found, "a plugin's number from 0 to 63 without leading zeros");
    } else {
        keep(reader, key, (size_t)plugin, name, value);
    }
    return !reader->lines.refused;
}

/* Reads a number that must be there, from 1 to `max`. */
static enum qz_code read_number(struct reader *reader, enum key key, int max, int *number)
{
    char allowed[QZ_QUOTE_SIZE];
    snprintf(allowed, sizeof allowed, "a number from 1 to %d", max);
    if (!reader->settings[key][0].value)
        return refuse_missing(reader, key, 0, allowed);
    *number = parse_number(reader->settings[key][0].value, max);
    return *number < 1 ? refuse_value(reader, key, 0, allowed) : QZ_E_SUCCESS;
}

static char *take_value(struct setting *setting)
{
    char *value = setting->value;
    setting->value = NULL;
    return value;
}

/* The same config twice means the same scripts twice at the same time. */
static void warn_shared(struct reader *reader, const struct qz_plugin_host *host, size_t plugin)
{
    for (size_t i = 0; i < plugin; i++) {
        const struct setting *setting = &reader->settings[KEY_CONFIG_PATH][plugin];
        if (strcmp(host->plugins[i].config_path, host->plugins[plugin].config_path) != 0)
            continue;
        qz_warning_list_add(reader->warnings, reader->lines.path, setting->line, setting->column,
                            "pluginConfigPath%zu: the same config as pluginConfigPath%zu: its scripts run twice, side "
                            "by side",
                            plugin, i);
        return;
    }
}

static enum qz_code read_plugin(struct reader *reader, size_t plugin, struct qz_plugin_host *host)
{
    static const char name_allowed[] = "only \"" QZ_PLUGIN_NAME_DEFAULT "\"";
    static const char path_allowed[] = "an absolute path";
    struct setting *name = &reader->settings[KEY_NAME][plugin];
    struct setting *config_path = &reader->settings[KEY_CONFIG_PATH][plugin];
    if (!name->value)
        return refuse_missing(reader, KEY_NAME, plugin, name_allowed);
    if (strcmp(name->value, QZ_PLUGIN_NAME_DEFAULT) != 0)
        return refuse_value(reader, KEY_NAME, plugin, name_allowed);
    if (!config_path->value)
        return refuse_missing(reader, KEY_CONFIG_PATH, plugin, path_allowed);
    if (config_path->value[0] != '/')
        return refuse_value(reader, KEY_CONFIG_PATH, plugin, path_allowed);
    host->plugins[plugin] = (struct qz_plugin_entry){take_value(name), take_value(config_path)};
    host->count = plugin + 1;
    warn_shared(reader, host, plugin);
    return QZ_E_SUCCESS;
}

/* Refuses keys of plugins beyond numberOfPlugins: their owner thinks that they run. */
static enum qz_code refuse_surplus(struct reader *reader, size_t count)
{
    for (size_t plugin = count; plugin < QZ_PLUGINS_MAX; plugin++) {
        for (enum key key = 0; key < KEY_UNKNOWN; key++) {
            const struct setting *setting = &reader->settings[key][plugin];
            if (!setting->value)
                continue;
            char name[QZ_QUOTE_SIZE];
            char allowed[QZ_QUOTE_SIZE];
            write_key(name, key, plugin);
            snprintf(allowed, sizeof allowed, "plugin numbers below %zu, as numberOfPlugins says", count);
            return refuse_at(reader, setting->line, 1, name, "a plugin too many", allowed);
        }
    }
    return QZ_E_SUCCESS;
}

/* Makes a host of the settings. */
static enum qz_code build(struct reader *reader, struct qz_plugin_host *host)
{
    if (reader->lines.section_line == 0) {
        struct qz_place place = {.path = reader->lines.path, .line = 1, .column = 1};
        return qz_quote_refuse(reader->lines.error, QZ_E_INCORRECT_PLUGIN_HOST_FILE, &place, "no section",
                               "the section [" QZ_PLUGIN_HOST_SECTION "] with the keys");
    }
    int count = 0;
    enum qz_code code = read_number(reader, KEY_TIMEOUT, QZ_TIMEOUT_S_MAX, &host->timeout_s);
    if (code == QZ_E_SUCCESS)
        code = read_number(reader, KEY_COUNT, QZ_PLUGINS_MAX, &count);
    if (code == QZ_E_SUCCESS)
        code = refuse_surplus(reader, (size_t)count);
    for (size_t plugin = 0; code == QZ_E_SUCCESS && plugin < (size_t)count; plugin++)
        code = read_plugin(reader, plugin, host);
    return code;
}

/* Reads all settings through libinih. */
static enum qz_code read_settings(struct reader *reader)
{
    int fault = ini_parse_stream(qz_plugin_host_next_line, &reader->lines, take_setting, reader);
    if (reader->lines.refused)
        return reader->lines.error->code;
    if (fault < 0)
        return qz_quote_no_memory(reader->lines.error, reader->lines.path);
    struct qz_place place = {.path = reader->lines.path, .line = fault, .column = 1};
    return fault == 0 ? QZ_E_SUCCESS
                      : qz_quote_refuse(reader->lines.error, QZ_E_INCORRECT_PLUGIN_HOST_FILE, &place,
                                        "a line that libinih cannot read", "\"key = value\"");
}

enum qz_code qz_plugin_host_parse(const char *path, const char *text, size_t size, struct qz_plugin_host *host,
                                  struct qz_warning_list *warnings, struct qz_error *error)
{
    *host = (struct qz_plugin_host){0};
    if (size > FILE_SIZE_MAX) {
        struct qz_place place = {.path = path, .line = 1, .column = 1};
        char found[QZ_QUOTE_SIZE];
        snprintf(found, sizeof found, "%zu bytes", size);
        return qz_quote_refuse(error, QZ_E_INCORRECT_PLUGIN_HOST_FILE, &place, found, "at most 1048576 bytes");
    }
    if (size == 0)
        text = ""; /* it may be NULL then */
    size_t mark = qz_utf8_mark_length(text, size);
    struct reader reader = {.lines = {.path = path, .at = text + mark, .end = text + size, .error = error},
                            .warnings = warnings};
    enum qz_code code = read_settings(&reader);
    if (code == QZ_E_SUCCESS)
        code = build(&reader, host);
    for (enum key key = 0; key < KEY_UNKNOWN; key++) {
        for (size_t plugin = 0; plugin < QZ_PLUGINS_MAX; plugin++)
            free(reader.settings[key][plugin].value);
    }
    if (code != QZ_E_SUCCESS)
        qz_plugin_host_free(host);
    return code;
}

bool qz_plugin_host_builtin(const char *config_path, struct qz_plugin_host *host)
{
    *host = (struct qz_plugin_host){.timeout_s = QZ_TIMEOUT_S_MAX, .count = 1};
    struct qz_plugin_entry *plugin = &host->plugins[0];
    *plugin = (struct qz_plugin_entry){strdup(QZ_PLUGIN_NAME_DEFAULT), strdup(config_path)};
    if (plugin->name && plugin->config_path)
        return true;
    qz_plugin_host_free(host);
    return false;
}

void qz_plugin_host_free(struct qz_plugin_host *host)
{
    for (size_t i = 0; i < host->count; i++) {
        free(host->plugins[i].name);
        free(host->plugins[i].config_path);
    }
    *host = (struct qz_plugin_host){0};
}
