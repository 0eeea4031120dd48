#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

#define CONFIG_SIZE 4096
#define HOST_SIZE 16384

/* A command line. */
struct run_words {
    char **words;
    int count;
};

static char *const environment[] = {(char[]){"PATH=/caller/bin"}, (char[]){"LANG=de_DE.UTF-8"},
                                    (char[]){"PASSWORD=secret"}, NULL};

/* ---- Words ------------------------------------------------------------------------------------------------------ */

static struct run_words *split(const char *text)
{
    struct run_words *words = calloc(1, sizeof *words);
    words->words = calloc(strlen(text) + 3, sizeof *words->words);
    words->words[words->count++] = strdup("quiesce");
    while (*text) {
        size_t length = strcspn(text, " ");
        if (length > 0)
            words->words[words->count++] = strndup(text, length);
        text += length + strspn(text + length, " ");
    }
    return words;
}

static void free_words(struct run_words *words)
{
    for (int i = 0; words && i < words->count; i++)
        free(words->words[i]);
    if (words)
        free(words->words);
    free(words);
}

/* ---- The machine ------------------------------------------------------------------------------------------------ */

static void add_tmpfs(struct virtual_world *world, const char *mount_point)
{
    virtual_add_mount(world, &(struct qz_mount){.dev = makedev(0, 25),
                                                .mount_point = (char *)(uintptr_t)mount_point,
                                                .fstype = (char[]){"tmpfs"},
                                                .source = (char[]){"tmpfs"}});
}

static void add_script(struct run *run, const char *path)
{
    virtual_add_file(run->world, path, 0, 0700, "#!/bin/sh\n");
}

struct run *run_new(size_t volumes)
{
    struct run *run = calloc(1, sizeof *run);
    run->world = virtual_new();
    run->volumes = volumes;
    run->environment = environment;
    add_tmpfs(run->world, "/run");
    for (size_t i = 1; i <= volumes; i++) {
        char mount_point[32];
        snprintf(mount_point, sizeof mount_point, "/data%zu", i);
        virtual_add_ext4(run->world, mount_point, RUN_DEV(i));
    }
    virtual_add_file(run->world, "/bin/sh", 0, 0755, "");
    add_script(run, RUN_PRE);
    add_script(run, RUN_POST);
    virtual_add_file(run->world, RUN_SNAP, 0, 0755, "#!/bin/sh\n");
    run_config(run, NULL);
    return run;
}

static void write_config(struct run *run, const char *path, const char *pre, const char *post, const char *members)
{
    char text[CONFIG_SIZE];
    snprintf(text, sizeof text, "{\"preScriptLocation\": \"%s\", \"postScriptLocation\": \"%s\"%s%s}", pre, post,
             members ? ", " : "", members ? members : "");
    virtual_add_file(run->world, path, 0, 0600, text);
}

void run_config(struct run *run, const char *members)
{
    write_config(run, RUN_CONFIG, RUN_PRE, RUN_POST, members);
}

void run_plugin(struct run *run, int n, const char *members)
{
    char config[64], pre[64], post[64];
    snprintf(config, sizeof config, "/etc/azure/plugin%d.json", n);
    snprintf(pre, sizeof pre, "/etc/azure/pre%d.sh", n);
    snprintf(post, sizeof post, "/etc/azure/post%d.sh", n);
    add_script(run, pre);
    add_script(run, post);
    write_config(run, config, pre, post, members);
}

void run_plugins(struct run *run, int count, int timeout_s, const char *members)
{
    char text[HOST_SIZE];
    size_t used = (size_t)snprintf(text, sizeof text, "[pre_post]\ntimeoutInSeconds = %d\nnumberOfPlugins = %d\n",
                                   timeout_s, count);
    for (int n = 0; n < count; n++) {
        run_plugin(run, n, members);
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "pluginName%d = ScriptRunner\npluginConfigPath%d = /etc/azure/plugin%d.json\n", n,
                                 n, n);
    }
    virtual_add_file(run->world, RUN_HOST, 0, 0644, text);
}

static void forget_run(struct run *run)
{
    cJSON_Delete(run->json);
    free(run->output);
    free(run->log);
    free_words(run->words);
    run->json = NULL;
    run->output = run->log = NULL;
    run->words = NULL;
}

static void forget_beside(struct run *run)
{
    if (!run->beside)
        return;
    free(run->beside->output);
    free(run->beside->log);
    free_words(run->beside->words);
    free(run->beside);
    run->beside = NULL;
}

void run_free(struct run *run)
{
    const char *violation = virtual_violation(run->world);
    CHECK_STRING(violation ? violation : "none", "none");
    CHECK_INT(virtual_open_files(run->world), 0);
    virtual_free(run->world);
    forget_run(run);
    forget_beside(run);
    free(run);
}

/* ---- A run ------------------------------------------------------------------------------------------------------ */

static void agent(struct qz_os *os, void *argument)
{
    struct run *run = argument;
    run->status = qz_command_line_do(os, run->words->count, run->words->words, run->environment, !run->colour);
}

static void agent_beside(struct qz_os *os, void *argument)
{
    struct run_beside *beside = argument;
    beside->status = qz_command_line_do(os, beside->words->count, beside->words->words, beside->run->environment, true);
}

void run_beside(struct run *run, int64_t at_us, const char *words)
{
    forget_beside(run);
    run->beside = calloc(1, sizeof *run->beside);
    *run->beside = (struct run_beside){.status = -1, .run = run, .words = split(words)};
    virtual_also_run(run->world, virtual_now_us(run->world) + at_us, agent_beside, run->beside);
}

/* What was printed from the trace's entry `from` on; by the second agent, or by all others. The caller frees. */
static char *printed(const struct virtual_world *world, size_t from, enum qz_stream stream, bool second)
{
    size_t count, size = 1;
    const struct virtual_entry *trace = virtual_trace(world, &count);
    char *text = calloc(1, size);
    for (size_t i = from; i < count; i++) {
        bool by_second = trace[i].role == VIRTUAL_AGENT && trace[i].ordinal == 2;
        if (trace[i].what != VIRTUAL_OP_PRINT || trace[i].value != (int64_t)stream || trace[i].result != 0 ||
            by_second != second)
            continue;
        size += strlen(trace[i].text);
        text = realloc(text, size);
        strcat(text, trace[i].text);
    }
    return text;
}

int run_quiesce(struct run *run, const char *words)
{
    size_t from;
    virtual_trace(run->world, &from);
    forget_run(run);
    run->words = split(words);
    run->status = -1;
    run->end = virtual_run(run->world, agent, run);
    run->output = printed(run->world, from, QZ_STREAM_RESULT, false);
    run->log = printed(run->world, from, QZ_STREAM_LOG, false);
    run->json = cJSON_ParseWithOpts(run->output, NULL, true);
    if (run->beside) {
        free(run->beside->output);
        free(run->beside->log);
        run->beside->output = printed(run->world, from, QZ_STREAM_RESULT, true);
        run->beside->log = printed(run->world, from, QZ_STREAM_LOG, true);
    }
    return run->status;
}

/* ---- What came of it -------------------------------------------------------------------------------------------- */

/* The item that a path leads to, or NULL. */
static const cJSON *find(const struct run *run, const char *path)
{
    const cJSON *item = run->json;
    while (item && *path) {
        char word[64];
        size_t length = strcspn(path, ".");
        snprintf(word, sizeof word, "%.*s", (int)length, path);
        bool array = cJSON_IsArray(item);
        item = array ? cJSON_GetArrayItem(item, atoi(word)) : cJSON_GetObjectItemCaseSensitive(item, word);
        path += length + (path[length] == '.');
    }
    return item;
}

static void miss(const struct run *run, const char *path, const char *wanted)
{
    fprintf(stderr, "  no %s at %s in: %.1500s\n  log: %s\n", wanted, path, run->output ? run->output : "(no run)",
            run->log ? run->log : "");
    CU_FAIL("the JSON result has it");
}

const cJSON *run_at(const struct run *run, const char *path)
{
    const cJSON *item = find(run, path);
    if (!item)
        miss(run, path, "value");
    return item;
}

const char *run_text(const struct run *run, const char *path)
{
    const cJSON *item = find(run, path);
    if (!cJSON_IsString(item))
        miss(run, path, "string");
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

int64_t run_number(const struct run *run, const char *path)
{
    const cJSON *item = find(run, path);
    if (!cJSON_IsNumber(item))
        miss(run, path, "number");
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : -1;
}

bool run_bool(const struct run *run, const char *path)
{
    const cJSON *item = find(run, path);
    if (!cJSON_IsBool(item))
        miss(run, path, "boolean");
    return cJSON_IsTrue(item);
}

bool run_is_null(const struct run *run, const char *path)
{
    return cJSON_IsNull(run_at(run, path));
}

size_t run_count(const struct run *run, const char *path)
{
    const cJSON *item = find(run, path);
    if (!cJSON_IsArray(item))
        miss(run, path, "array");
    return (size_t)cJSON_GetArraySize(item);
}

int run_find_error(const struct run *run, const char *code)
{
    const cJSON *errors = find(run, "errors");
    for (int i = 0; i < cJSON_GetArraySize(errors); i++) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(errors, i), "code");
        if (cJSON_IsString(name) && strcmp(name->valuestring, code) == 0)
            return i;
    }
    return -1;
}

const struct virtual_start *run_start(const struct run *run, const char *path, size_t nth)
{
    for (size_t i = 0; i < virtual_start_count(run->world); i++) {
        const struct virtual_start *start = virtual_start_at(run->world, i);
        if (strcmp(start->path, path) == 0 && nth-- == 0)
            return start;
    }
    return NULL;
}

const char *run_variable(const struct run *run, const char *path, size_t nth, const char *name)
{
    const struct virtual_start *start = run_start(run, path, nth);
    size_t length = strlen(name);
    for (size_t i = 0; start && start->envp[i]; i++)
        if (strncmp(start->envp[i], name, length) == 0 && start->envp[i][length] == '=')
            return start->envp[i] + length + 1;
    return NULL;
}

/* ---- What was done ---------------------------------------------------------------------------------------------- */

int64_t run_started_us(const struct run *run, const char *path, size_t nth)
{
    const struct virtual_start *start = run_start(run, path, nth);
    return start ? start->at_us : -1;
}

int64_t run_ended_us(const struct run *run, const char *path, size_t nth)
{
    const struct virtual_start *start = run_start(run, path, nth);
    return start && start->end_us != QZ_NEVER ? start->end_us : -1;
}

int64_t run_logged_us(const struct run *run, const char *part, size_t nth)
{
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        if (trace[i].what == VIRTUAL_OP_PRINT && trace[i].value == QZ_STREAM_LOG && strstr(trace[i].text, part) &&
            nth-- == 0)
            return trace[i].at_us;
    return -1;
}

size_t run_calls(const struct run *run, enum virtual_role role, enum virtual_op op)
{
    size_t count, calls = 0;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        calls += trace[i].what == op && trace[i].role == role;
    return calls;
}

int64_t run_signaled_us(const struct run *run, int slot, int signal_number)
{
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        if (trace[i].what == VIRTUAL_OP_TREE_SIGNAL && trace[i].slot == slot && trace[i].value == signal_number)
            return trace[i].at_us;
    return -1;
}
