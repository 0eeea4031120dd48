/* The result as one JSON object; quiesce(8), THE JSON RESULT, tells what each key means. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "quiesce/report.h"
#include "result.h"
#include "text.h"

/* An object under way. Adding to one that could not be made, or failing to add, clears `*ok`, and all else goes on. */
struct object {
    cJSON *json;
    bool *ok;
};

static void note(const struct object *object, const void *added)
{
    if (!added)
        *object->ok = false;
}

static void add_null(const struct object *object, const char *key)
{
    note(object, cJSON_AddNullToObject(object->json, key));
}

static void add_bytes(const struct object *object, const char *key, const char *bytes, size_t size)
{
    struct qz_text text = {0};
    qz_text_add_utf8(&text, bytes, size);
    char *clean = qz_text_take(&text);
    note(object, clean ? cJSON_AddStringToObject(object->json, key, clean) : NULL);
    free(clean);
}

/* NULL becomes null. */
static void add_string(const struct object *object, const char *key, const char *value)
{
    if (value)
        add_bytes(object, key, value, strlen(value));
    else
        add_null(object, key);
}

/* An empty string says that there is nothing to say. */
static void add_text_or_null(const struct object *object, const char *key, const char *value)
{
    add_string(object, key, value && *value ? value : NULL);
}

static void add_number(const struct object *object, const char *key, int64_t value)
{
    note(object, cJSON_AddNumberToObject(object->json, key, (double)value));
}

static void add_number_if(const struct object *object, const char *key, bool applies, int64_t value)
{
    if (applies)
        add_number(object, key, value);
    else
        add_null(object, key);
}

static void add_duration(const struct object *object, const char *key, int64_t duration_us)
{
    add_number_if(object, key, duration_us >= 0, duration_us);
}

static void add_bool(const struct object *object, const char *key, bool value)
{
    note(object, cJSON_AddBoolToObject(object->json, key, value));
}

static struct object add_object(const struct object *object, const char *key)
{
    cJSON *json = cJSON_AddObjectToObject(object->json, key);
    note(object, json);
    return (struct object){json, object->ok};
}

static cJSON *add_array(const struct object *object, const char *key)
{
    cJSON *json = cJSON_AddArrayToObject(object->json, key);
    note(object, json);
    return json;
}

/* A new object at the end of `array`. If there is none to be had, adding to it will tell. */
static struct object append(const struct object *owner, cJSON *array)
{
    cJSON *json = cJSON_CreateObject();
    if (json && !cJSON_AddItemToArray(array, json)) {
        cJSON_Delete(json);
        json = NULL;
    }
    return (struct object){json, owner->ok};
}

static void add_tail(const struct object *object, const char *key, const struct qz_tail *tail)
{
    if (!tail) {
        add_null(object, key);
        return;
    }
    char bytes[QZ_TAIL_SIZE];
    size_t size = qz_tail_copy(tail, bytes);
    size_t start = 0;
    /* A tail that was cut may begin inside a character; that is no fault of whoever wrote it. */
    if (tail->total > QZ_TAIL_SIZE)
        while (start < 3 && start < size && ((unsigned char)bytes[start] & 0xC0) == 0x80)
            start++;
    add_bytes(object, key, bytes + start, size - start);
}

static void add_errors(const struct object *root, const struct qz_error_list *errors)
{
    cJSON *array = add_array(root, "errors");
    for (size_t i = 0; i < errors->count; i++) {
        const struct qz_error *error = &errors->items[i];
        struct object entry = append(root, array);
        add_string(&entry, "code", qz_error_name(error->code));
        add_number(&entry, "number", qz_error_number(error->code));
        add_string(&entry, "message", error->message);
        add_string(&entry, "action", qz_error_action(error->code));
        add_string(&entry, "plugin", error->plugin);
        add_string(&entry, "path", error->path);
        add_text_or_null(&entry, "phase", qz_phase_name(error->phase));
        add_number_if(&entry, "attempt", error->attempt > 0, error->attempt);
        add_text_or_null(&entry, "detail", error->detail);
    }
}

static void add_warnings(const struct object *root, const struct qz_warning_list *warnings)
{
    cJSON *array = add_array(root, "warnings");
    for (size_t i = 0; i < warnings->count; i++) {
        const struct qz_warning *warning = &warnings->items[i];
        struct object entry = append(root, array);
        add_string(&entry, "message", warning->message);
        add_string(&entry, "path", warning->path);
        add_number_if(&entry, "line", warning->line > 0, warning->line);
        add_number_if(&entry, "column", warning->line > 0, warning->column);
    }
}

static void add_attempt_end(const struct object *object, const struct qz_attempt *attempt, bool took_place)
{
    bool exited = took_place && attempt->outcome == QZ_ATTEMPT_EXITED;
    bool signaled = took_place && attempt->outcome == QZ_ATTEMPT_SIGNALED;
    add_number_if(object, "exit_code", exited, attempt->status);
    add_number_if(object, "signal", signaled, attempt->status);
}

static void add_start_error(const struct object *object, const struct qz_attempt *attempt, bool took_place)
{
    bool started = !took_place || attempt->outcome != QZ_ATTEMPT_NOT_STARTED;
    add_string(object, "start_error", started ? NULL : strerror(attempt->status));
}

static void add_attempt(const struct object *entry, const struct qz_attempt *attempt)
{
    add_string(entry, "outcome", qz_attempt_outcome_name(attempt->outcome));
    add_attempt_end(entry, attempt, true);
    add_duration(entry, "duration_us", attempt->duration_us);
    add_tail(entry, "stdout_tail", attempt->out);
    add_tail(entry, "stderr_tail", attempt->err);
    add_start_error(entry, attempt, true);
}

static void add_scripts(const struct object *root, const struct qz_result *result)
{
    cJSON *array = add_array(root, "scripts");
    for (size_t i = 0; i < result->script_count; i++) {
        const struct qz_script_result *script = &result->scripts[i];
        struct object entry = append(root, array);
        add_string(&entry, "plugin", script->plugin);
        add_string(&entry, "role", qz_phase_name(script->role));
        add_string(&entry, "path", script->path);
        cJSON *attempts = add_array(&entry, "attempts");
        for (size_t j = 0; j < script->attempt_count; j++) {
            struct object attempt = append(root, attempts);
            add_attempt(&attempt, &script->attempts[j]);
        }
        add_bool(&entry, "failed", script->failed);
        add_bool(&entry, "left_alive", script->left_alive);
    }
}

static void add_volume(const struct object *entry, const struct qz_volume *volume)
{
    add_string(entry, "mount", volume->mount);
    add_text_or_null(entry, "device", volume->device);
    add_text_or_null(entry, "fstype", volume->fstype);
    add_text_or_null(entry, "uuid", volume->uuid);
    add_string(entry, "decision", qz_decision_name(volume->decision));
    add_text_or_null(entry, "reason", volume->reason);
    add_number_if(entry, "order", volume->order >= 0, volume->order);
    add_duration(entry, "presync_us", volume->presync_us);
    add_duration(entry, "freeze_us", volume->freeze_us);
    add_duration(entry, "frozen_us", volume->frozen_us);
    add_duration(entry, "thaw_us", volume->thaw_us);
    add_string(entry, "outcome", qz_volume_outcome_name(volume->outcome));
    add_text_or_null(entry, "label", volume->label);
    add_bool(entry, "named", volume->named);
    bool failed = volume->error.code != QZ_E_SUCCESS;
    add_string(entry, "error", failed ? qz_error_name(volume->error.code) : NULL);
}

static void add_freeze(const struct object *root, const struct qz_result *result)
{
    struct object freeze = add_object(root, "freeze");
    add_bool(&freeze, "enabled", result->freeze_enabled);
    add_number(&freeze, "window_us", result->window_us);
    cJSON *volumes = add_array(&freeze, "volumes");
    for (size_t i = 0; i < result->volume_count; i++) {
        struct object entry = append(root, volumes);
        add_volume(&entry, &result->volumes[i]);
    }
}

static void add_snapshot(const struct object *root, const struct qz_result *result)
{
    const struct qz_attempt *attempt = &result->snapshot.attempt;
    bool begun = result->snapshot.outcome != QZ_SNAPSHOT_NOT_TAKEN;
    struct object snapshot = add_object(root, "snapshot");
    if (result->snapshot_argv) {
        struct qz_text words = {0};
        qz_text_add_words(&words, result->snapshot_argv);
        char *command = qz_text_take(&words);
        note(root, command);
        add_string(&snapshot, "command", command);
        free(command);
    } else {
        add_null(&snapshot, "command");
    }
    add_string(&snapshot, "outcome", qz_snapshot_outcome_name(result->snapshot.outcome));
    add_attempt_end(&snapshot, attempt, begun && result->snapshot_argv);
    add_duration(&snapshot, "duration_us", begun ? attempt->duration_us : -1);
    add_tail(&snapshot, "stdout_tail", attempt->out);
    add_tail(&snapshot, "stderr_tail", attempt->err);
    add_start_error(&snapshot, attempt, begun && result->snapshot_argv);
    add_bool(&snapshot, "left_alive", result->snapshot.left_alive);
}

static void add_phases(const struct object *root, const struct qz_result *result)
{
    cJSON *array = add_array(root, "phases");
    for (size_t i = 0; i < result->phase_count; i++) {
        struct object entry = append(root, array);
        add_string(&entry, "name", result->phases[i].name);
        add_number(&entry, "start_us", result->phases[i].start_us);
        add_number(&entry, "duration_us", result->phases[i].duration_us);
    }
}

static void add_files(const struct object *root, const struct qz_result *result)
{
    cJSON *array = add_array(root, "files");
    for (size_t i = 0; i < result->file_count; i++) {
        const struct qz_file_verdict *file = &result->files[i];
        struct object entry = append(root, array);
        add_string(&entry, "what", file->what);
        add_string(&entry, "plugin", file->plugin);
        add_string(&entry, "path", file->path);
        add_string(&entry, "code", qz_error_name(file->code));
        add_string(&entry, "note", file->note);
    }
}

static void add_result(const struct object *root, const struct qz_result *result)
{
    enum qz_code code = qz_result_code(result);
    add_string(root, "run_id", result->run_id);
    add_string(root, "consistency", qz_consistency_name(result->consistency));
    add_string(root, "code", qz_error_name(code));
    add_number(root, "number", qz_error_number(code));
    add_errors(root, &result->errors);
    add_warnings(root, &result->warnings);
    add_scripts(root, result);
    add_freeze(root, result);
    add_snapshot(root, result);
    add_phases(root, result);
    add_string(root, "command", result->command);
    add_number(root, "exit_status", qz_result_exit(result));
    add_number(root, "attempt", result->attempt);
    add_number(root, "attempts", result->attempts);
    add_files(root, result);
    add_number(root, "errors_lost", (int64_t)result->errors.lost);
    add_number(root, "warnings_lost", (int64_t)result->warnings.lost);
}

char *qz_report_json(const struct qz_result *result)
{
    bool ok = true;
    struct object root = {cJSON_CreateObject(), &ok};
    note(&root, root.json);
    add_result(&root, result);
    char *compact = ok ? cJSON_PrintUnformatted(root.json) : NULL;
    cJSON_Delete(root.json);
    if (!compact)
        return NULL;
    struct qz_text text = {0};
    qz_text_add(&text, "%s\n", compact);
    cJSON_free(compact);
    return qz_text_take(&text);
}
