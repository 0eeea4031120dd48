#include "kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "json_write.h"
#include "result.h"
#include "text.h"

#define NAME "result"
#define INTEGER_MAX 9007199254740991.0 /* the largest that survives JSON: 2^53 - 1 */

static char *kept_path(struct qz_os *os)
{
    struct qz_text path = {0};
    qz_text_add(&path, "%s/" NAME, os->ops->state_directory(os));
    return qz_text_take(&path);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* Takes a text, NULL for memory that was short. */
static void add_text(struct qz_text *text, const char *key, char *bytes)
{
    text->failed |= !bytes;
    qz_json_string(text, key, bytes);
    free(bytes);
}

static void add_result(struct qz_text *text, const char *key, const struct qz_result *result)
{
    qz_json_object(text, key);
    qz_json_number(text, "status", qz_result_exit(result));
    add_text(text, "json", qz_report_json(result));
    add_text(text, "human", qz_report_human(result, false));
    qz_json_end_object(text);
}

/* The same result, had the caller told in time what it may tell too late. */
static void add_if_taken(struct qz_text *text, struct qz_result *result)
{
    enum qz_consistency consistency = result->consistency;
    if (result->if_taken == QZ_NONE)
        return;
    result->consistency = result->if_taken;
    result->snapshot.outcome = QZ_SNAPSHOT_TAKEN;
    add_result(text, "if_taken", result);
    result->consistency = consistency;
    result->snapshot.outcome = QZ_SNAPSHOT_NOT_TAKEN;
}

static char *compose(struct qz_os *os, struct qz_result *result)
{
    struct qz_text text = {0};
    struct qz_process self;
    os->ops->self(os, &self);
    qz_json_object(&text, NULL);
    qz_json_string(&text, "run_id", result->run_id);
    qz_json_number(&text, "pid", self.pid);
    qz_json_number(&text, "start_time", (int64_t)self.start_time);
    add_result(&text, "result", result);
    add_if_taken(&text, result);
    qz_json_end_object(&text);
    return qz_text_take(&text);
}

int qz_kept_write(struct qz_os *os, struct qz_result *result)
{
    char *path = kept_path(os);
    char *text = compose(os, result);
    int failed = path && text ? os->ops->write_file(os, path, text, strlen(text), 0600, true) : ENOMEM;
    free(path);
    free(text);
    return failed;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static char *copy_string(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? strdup(text) : NULL;
}

/* An integer from `min` to `max`. */
static bool take_number(const cJSON *object, const char *key, double min, double max, uint64_t *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    bool sound = cJSON_IsNumber(item) && item->valuedouble >= min && item->valuedouble <= max;
    *out = sound ? (uint64_t)item->valuedouble : 0;
    return sound && (double)*out == item->valuedouble;
}

/* A status that a result has: exit(2) takes 256 for 0. */
static bool is_status(uint64_t status)
{
    return status == QZ_EXIT_APPLICATION || status == QZ_EXIT_FILESYSTEM || status == QZ_EXIT_CRASH ||
           status == QZ_EXIT_NONE || status == QZ_EXIT_SOFTWARE;
}

static bool take_result(const cJSON *root, const char *key, struct qz_kept_text *out)
{
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(root, key);
    uint64_t status;
    bool sound = take_number(entry, "status", 0, QZ_EXIT_SOFTWARE, &status) && is_status(status);
    *out = (struct qz_kept_text){(int)status, copy_string(entry, "json"), copy_string(entry, "human")};
    return sound && out->json && out->human;
}

static int take(const char *text, size_t size, struct qz_kept *kept)
{
    errno = 0;
    cJSON *root = cJSON_ParseWithLength(text, size);
    uint64_t pid, start_time;
    kept->run_id = copy_string(root, "run_id");
    bool complete = kept->run_id && take_number(root, "pid", 1, INT32_MAX, &pid) &&
                    take_number(root, "start_time", 0, INTEGER_MAX, &start_time) &&
                    take_result(root, "result", &kept->result);
    if (complete)
        kept->writer = (struct qz_process){.pid = (pid_t)pid, .start_time = start_time};
    if (complete && cJSON_HasObjectItem(root, "if_taken"))
        complete = take_result(root, "if_taken", &kept->if_taken);
    int failed = complete ? 0 : errno == ENOMEM ? ENOMEM : EINVAL; /* allocating sets errno (malloc(3)) */
    cJSON_Delete(root);
    return failed;
}

static int read_whole(struct qz_os *os, const struct qz_path_facts *facts, struct qz_kept *kept)
{
    if (facts->error || facts->handle < 0)
        return facts->error ? facts->error : EINVAL;
    char *text;
    ssize_t size = os->ops->read_file(os, facts->handle, (size_t)facts->steps[facts->count - 1].size, &text);
    int failed = size < 0 ? (int)-size : take(text, (size_t)size, kept);
    free(text);
    return failed;
}

int qz_kept_read(struct qz_os *os, struct qz_kept *kept)
{
    struct qz_path_facts facts;
    char *path = kept_path(os);
    *kept = (struct qz_kept){0};
    int failed = path ? os->ops->inspect(os, path, &facts) : ENOMEM;
    if (failed == 0) {
        failed = read_whole(os, &facts, kept);
        qz_path_facts_free(os, &facts);
    }
    free(path);
    if (failed)
        qz_kept_free(kept);
    return failed;
}

bool qz_kept_exists(struct qz_os *os)
{
    struct qz_kept kept;
    int failed = qz_kept_read(os, &kept);
    qz_kept_free(&kept);
    return failed != ENOENT && failed != EINVAL;
}

void qz_kept_free(struct qz_kept *kept)
{
    free(kept->run_id);
    free(kept->result.json);
    free(kept->result.human);
    free(kept->if_taken.json);
    free(kept->if_taken.human);
    *kept = (struct qz_kept){0};
}

int qz_kept_remove(struct qz_os *os)
{
    char *path = kept_path(os);
    int failed = path ? os->ops->remove(os, path) : ENOMEM;
    free(path);
    return failed;
}
