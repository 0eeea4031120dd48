/* Any bytes as a plugin host file: refused with one clear line, or read; and the same again when it is written anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "quiesce/config.h"
#include "text.h"

#define PATH "/etc/f.conf"

static bool same(const struct qz_plugin_host *one, const struct qz_plugin_host *other)
{
    bool same = one->timeout_s == other->timeout_s && one->count == other->count;
    for (size_t i = 0; same && i < one->count; i++)
        same = strcmp(one->plugins[i].name, other->plugins[i].name) == 0 &&
               strcmp(one->plugins[i].config_path, other->plugins[i].config_path) == 0;
    return same;
}

static bool in_range(const struct qz_plugin_host *host)
{
    bool sound = host->timeout_s >= 1 && host->timeout_s <= QZ_TIMEOUT_S_MAX && host->count >= 1 &&
                 host->count <= QZ_PLUGINS_MAX;
    for (size_t i = 0; sound && i < host->count; i++)
        sound = strcmp(host->plugins[i].name, QZ_PLUGIN_NAME_DEFAULT) == 0 && host->plugins[i].config_path[0] == '/';
    return sound;
}

static void write_and_read(const struct qz_plugin_host *host)
{
    struct qz_text text = {0};
    qz_text_add(&text, "[pre_post]\ntimeoutInSeconds=%d\nnumberOfPlugins=%zu\n", host->timeout_s, host->count);
    for (size_t i = 0; i < host->count; i++)
        qz_text_add(&text, "pluginName%zu=%s\npluginConfigPath%zu=%s\n", i, host->plugins[i].name, i,
                    host->plugins[i].config_path);
    struct qz_plugin_host again;
    struct qz_warning_list warnings = {0};
    struct qz_error error = {.code = QZ_E_SUCCESS};
    enum qz_code code = qz_plugin_host_parse(PATH, text.bytes, text.size, &again, &warnings, &error);
    fuzz_must(code == QZ_E_SUCCESS, "what was accepted is accepted when it is written anew", error.message);
    fuzz_must(same(host, &again), "what was read is read again", text.bytes);
    qz_plugin_host_free(&again);
    qz_warning_list_free(&warnings);
    qz_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct qz_plugin_host none;
    struct qz_plugin_host host;
    struct qz_warning_list warnings = {0};
    struct qz_error error = {.code = QZ_E_SUCCESS};
    enum qz_code code = qz_plugin_host_parse(PATH, (const char *)data, size, &host, &warnings, &error);
    fuzz_must_be_warnings(&warnings, data, size);
    if (code == QZ_E_SUCCESS) {
        fuzz_must(in_range(&host), "every value of a file that is accepted is allowed", NULL);
        write_and_read(&host);
        qz_plugin_host_free(&host);
    } else {
        fuzz_must(code == QZ_E_INCORRECT_PLUGIN_HOST_FILE && error.code == code, "a refusal has its code", error.message);
        fuzz_must(memcmp(&host, &none, sizeof none) == 0, "a host that is refused is left empty", error.message);
        fuzz_must_be_refusal(error.message, PATH, data, size);
    }
    qz_warning_list_free(&warnings);
    return 0;
}
