#include "init.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/config.h"
#include "text.h"

enum { PRE, POST, CONFIG };

static const char *const names[QZ_INIT_FILES] = {[PRE] = "pre-script.sh",
                                                 [POST] = "post-script.sh",
                                                 [CONFIG] = "VMSnapshotScriptPluginConfig.json"};

static const char pre_script[] =
    "#!/bin/sh\n"
    "# The pre-script: runs just before the snapshot. Make your application write out what it holds in memory and\n"
    "# stop writing (FLUSH TABLES WITH READ LOCK, CHECKPOINT, fsync, a maintenance mode ...), then exit 0.\n"
    "#\n"
    "# Any other exit status says that the application is not quiesced: the script is run again, as often as\n"
    "# preScriptNoOfRetries says. What it prints is in the report. It runs as root, in /, with an empty environment\n"
    "# but for PATH, HOME, LANG, SHELL and QUIESCE_RUN_ID, QUIESCE_PLUGIN, QUIESCE_PHASE, QUIESCE_ATTEMPT.\n"
    "# A process that must live on until the post-script (a session that holds a lock) may be left in the background.\n"
    "#\n"
    "# The keys of the config, VMSnapshotScriptPluginConfig.json, which can hold no comments itself:\n"
    "#   pluginName                      leave it as it is\n"
    "#   preScriptLocation               this file: an absolute path, owned by root, mode 0700\n"
    "#   postScriptLocation              the script that undoes what this one did: likewise\n"
    "#   preScriptParams                 arguments for the scripts: strings,\n"
    "#   postScriptParams                  such as [\"--database\", \"orders\"]\n"
    "#   preScriptNoOfRetries            how often a failed script is run again: 0 to 100\n"
    "#   postScriptNoOfRetries\n"
    "#   timeoutInSeconds                how long one attempt of a script may take: 1 to 1800\n"
    "#   continueBackupOnFailure         true: take the backup all the same if a script fails; it is then\n"
    "#                                   only file-system-consistent. false: no backup, or, where there is a\n"
    "#                                   single disk, a crash-consistent one\n"
    "#   fsFreezeEnabled                 true: freeze the filesystems for the snapshot\n"
    "#   ScriptsExecutionPollTimeSeconds how often a running script is reported: 1 to 5\n"
    "# More: quiesce.conf(5).\n"
    "\n"
    "# Quiesce your application here, then remove these two lines.\n"
    "echo \"$0 is still the template: no application is quiesced\" >&2\n"
    "exit 1\n";

static const char post_script[] =
    "#!/bin/sh\n"
    "# The post-script: runs after the snapshot, and whenever the pre-script was started, whatever came of it. Let\n"
    "# your application go on (UNLOCK TABLES, end the maintenance mode ...), then exit 0. It must do no harm to an\n"
    "# application that the pre-script did not get to quiesce.\n"
    "#\n"
    "# QUIESCE_SNAPSHOT tells what became of the snapshot: taken, failed or none. Everything else is as for the\n"
    "# pre-script, whose comments also explain the keys of the config.\n"
    "\n"
    "# Resume your application here, then remove these two lines.\n"
    "echo \"$0 is still the template: no application is resumed\" >&2\n"
    "exit 1\n";

/* Adds key and value; false once memory was short. */
static bool add_string(cJSON *config, const char *key, const char *value)
{
    return cJSON_AddStringToObject(config, key, value);
}

static bool add_number(cJSON *config, const char *key, int value)
{
    return cJSON_AddNumberToObject(config, key, value);
}

/* The config with every key of Azure's guide, in its order, at its default. The caller frees; NULL: no memory. */
static char *make_config(const char *pre, const char *post)
{
    cJSON *config = cJSON_CreateObject();
    bool whole = add_string(config, "pluginName", QZ_PLUGIN_NAME_DEFAULT) &&
                 add_string(config, "preScriptLocation", pre) && add_string(config, "postScriptLocation", post) &&
                 cJSON_AddArrayToObject(config, "preScriptParams") &&
                 cJSON_AddArrayToObject(config, "postScriptParams") && add_number(config, "preScriptNoOfRetries", 0) &&
                 add_number(config, "postScriptNoOfRetries", 0) &&
                 add_number(config, "timeoutInSeconds", QZ_TIMEOUT_S_DEFAULT) &&
                 cJSON_AddTrueToObject(config, "continueBackupOnFailure") &&
                 cJSON_AddTrueToObject(config, "fsFreezeEnabled") &&
                 add_number(config, "ScriptsExecutionPollTimeSeconds", QZ_POLL_S_DEFAULT);
    char *printed = whole ? cJSON_Print(config) : NULL;
    cJSON_Delete(config);
    struct qz_text text = {.failed = !printed};
    qz_text_add(&text, "%s\n", printed ? printed : "");
    cJSON_free(printed);
    return qz_text_take(&text);
}

static enum qz_code no_memory(struct qz_error *error)
{
    return qz_error_set(error, QZ_E_INTERNAL_ERROR, "out of memory");
}

static enum qz_code fail(struct qz_error *error, const char *path, const char *what, int cause)
{
    qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s: %s: %s", path, what, strerror(cause));
    qz_error_detail(error, "%s", strerror(cause));
    return QZ_E_INTERNAL_ERROR;
}

static enum qz_code write_one(struct qz_os *os, struct qz_init_file *file, const char *text, struct qz_error *error)
{
    int cause = os->ops->write_file(os, file->path, text, strlen(text), file->mode, false);
    file->state = cause == 0 ? QZ_INIT_WRITTEN : cause == EEXIST ? QZ_INIT_LEFT : QZ_INIT_FAILED;
    return file->state == QZ_INIT_FAILED ? fail(error, file->path, "cannot be written", cause) : QZ_E_SUCCESS;
}

/* Puts down where the files go. Returns false if memory is short. */
static bool name_files(const char *directory, struct qz_init_result *result)
{
    static const struct qz_init_file files[QZ_INIT_FILES] = {[PRE] = {.what = "pre-script", .mode = 0700},
                                                             [POST] = {.what = "post-script", .mode = 0700},
                                                             [CONFIG] = {.what = "config", .mode = 0600}};
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/')
        length--;
    bool whole = true;
    for (size_t i = 0; i < QZ_INIT_FILES; i++) {
        struct qz_text path = {0};
        qz_text_add(&path, "%.*s/%s", (int)length, directory, names[i]);
        result->files[i] = files[i];
        result->files[i].path = qz_text_take(&path);
        whole = whole && result->files[i].path;
    }
    result->standard = whole && strcmp(result->files[CONFIG].path, QZ_CONFIG_PATH_DEFAULT) == 0;
    return whole;
}

enum qz_code qz_init_write(struct qz_os *os, const char *directory, struct qz_init_result *result,
                           struct qz_error *error)
{
    *result = (struct qz_init_result){0};
    if (!name_files(directory, result))
        return no_memory(error);
    struct qz_init_file *files = result->files;
    char *config = make_config(files[PRE].path, files[POST].path);
    if (!config)
        return no_memory(error);
    int cause = os->ops->make_directory(os, directory, 0755);
    enum qz_code code = cause != 0 ? fail(error, directory, "cannot be made", cause) : QZ_E_SUCCESS;
    const char *const texts[QZ_INIT_FILES] = {[PRE] = pre_script, [POST] = post_script, [CONFIG] = config};
    for (size_t i = 0; i < QZ_INIT_FILES && code == QZ_E_SUCCESS; i++)
        code = write_one(os, &files[i], texts[i], error);
    free(config);
    return code;
}

bool qz_init_is_template(const char *text)
{
    return strcmp(text, pre_script) == 0 || strcmp(text, post_script) == 0;
}

/* What is left to do, once all three files are there. */
static void add_next_step(struct qz_text *text, const struct qz_init_result *result)
{
    bool fresh = result->files[PRE].state == QZ_INIT_WRITTEN || result->files[POST].state == QZ_INIT_WRITTEN;
    char option[] = "--config";
    char *words[] = {option, result->files[CONFIG].path, NULL};
    if (fresh)
        qz_text_add(text, "\nA script that is still the template fails on purpose: fill it in.");
    qz_text_add(text, "\nNext: quiesce check%s", result->standard ? "" : " ");
    if (!result->standard)
        qz_text_add_words(text, words);
    qz_text_add(text, "\n");
}

char *qz_init_describe(const struct qz_init_result *result)
{
    static const char *const states[] = {[QZ_INIT_NOT_REACHED] = "not written",
                                         [QZ_INIT_WRITTEN] = "written",
                                         [QZ_INIT_LEFT] = "left as it was",
                                         [QZ_INIT_FAILED] = "failed"};
    struct qz_text text = {0};
    bool whole = true;
    for (size_t i = 0; i < QZ_INIT_FILES; i++) {
        const struct qz_init_file *file = &result->files[i];
        whole = whole && (file->state == QZ_INIT_WRITTEN || file->state == QZ_INIT_LEFT);
        qz_text_add(&text, "%-14s  %-11s  ", states[file->state], file->what ? file->what : "");
        if (file->path)
            qz_text_add_visible(&text, file->path, strlen(file->path));
        qz_text_add(&text, "\n");
    }
    if (whole)
        add_next_step(&text, result);
    return qz_text_take(&text);
}

void qz_init_free(struct qz_init_result *result)
{
    for (size_t i = 0; i < QZ_INIT_FILES; i++)
        free(result->files[i].path);
    *result = (struct qz_init_result){0};
}
