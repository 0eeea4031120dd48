/* The result as one JSON object; quiesce(8), THE JSON RESULT, tells what each key means. */
#include <stdlib.h>
#include <string.h>

#include "json_write.h"
#include "quiesce/report.h"
#include "result.h"

/* An empty string says that there is nothing to say. */
static void add_text_or_null(struct qz_text *text, const char *key, const char *value)
{
    qz_json_string(text, key, value && *value ? value : NULL);
}

static void add_number_if(struct qz_text *text, const char *key, bool applies, int64_t value)
{
    if (applies)
        qz_json_number(text, key, value);
    else
        qz_json_null(text, key);
}

static void add_duration(struct qz_text *text, const char *key, int64_t duration_us)
{
    add_number_if(text, key, duration_us >= 0, duration_us);
}

static void add_tail(struct qz_text *text, const char *key, const struct qz_tail *tail)
{
    if (!tail) {
        qz_json_null(text, key);
        return;
    }
    char bytes[QZ_TAIL_SIZE];
    size_t size = qz_tail_copy(tail, bytes);
    size_t start = 0;
    /* A tail that was cut may begin inside a character; that is no fault of whoever wrote it. */
    if (tail->total > QZ_TAIL_SIZE)
        while (start < 3 && start < size && ((unsigned char)bytes[start] & 0xC0) == 0x80)
            start++;
    qz_json_bytes(text, key, bytes + start, size - start);
}

static void add_errors(struct qz_text *text, const struct qz_error_list *errors)
{
    qz_json_array(text, "errors");
    for (size_t i = 0; i < errors->count; i++) {
        const struct qz_error *error = &errors->items[i];
        qz_json_object(text, NULL);
        qz_json_string(text, "code", qz_error_name(error->code));
        qz_json_number(text, "number", qz_error_number(error->code));
        qz_json_string(text, "message", error->message);
        qz_json_string(text, "action", qz_error_action(error->code));
        qz_json_string(text, "plugin", error->plugin);
        qz_json_string(text, "path", error->path);
        add_text_or_null(text, "phase", qz_phase_name(error->phase));
        add_number_if(text, "attempt", error->attempt > 0, error->attempt);
        add_text_or_null(text, "detail", error->detail);
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
}

static void add_warnings(struct qz_text *text, const struct qz_warning_list *warnings)
{
    qz_json_array(text, "warnings");
    for (size_t i = 0; i < warnings->count; i++) {
        const struct qz_warning *warning = &warnings->items[i];
        qz_json_object(text, NULL);
        qz_json_string(text, "message", warning->message);
        qz_json_string(text, "path", warning->path);
        add_number_if(text, "line", warning->line > 0, warning->line);
        add_number_if(text, "column", warning->line > 0, warning->column);
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
}

static void add_attempt_end(struct qz_text *text, const struct qz_attempt *attempt, bool took_place)
{
    bool exited = took_place && attempt->outcome == QZ_ATTEMPT_EXITED;
    bool signaled = took_place && attempt->outcome == QZ_ATTEMPT_SIGNALED;
    add_number_if(text, "exit_code", exited, attempt->status);
    add_number_if(text, "signal", signaled, attempt->status);
}

static void add_start_error(struct qz_text *text, const struct qz_attempt *attempt, bool took_place)
{
    bool started = !took_place || attempt->outcome != QZ_ATTEMPT_NOT_STARTED;
    qz_json_string(text, "start_error", started ? NULL : strerror(attempt->status));
}

static void add_attempt(struct qz_text *text, const struct qz_attempt *attempt)
{
    qz_json_string(text, "outcome", qz_attempt_outcome_name(attempt->outcome));
    add_attempt_end(text, attempt, true);
    add_duration(text, "duration_us", attempt->duration_us);
    add_tail(text, "stdout_tail", attempt->out);
    add_tail(text, "stderr_tail", attempt->err);
    add_start_error(text, attempt, true);
}

static void add_scripts(struct qz_text *text, const struct qz_result *result)
{
    qz_json_array(text, "scripts");
    for (size_t i = 0; i < result->script_count; i++) {
        const struct qz_script_result *script = &result->scripts[i];
        qz_json_object(text, NULL);
        qz_json_string(text, "plugin", script->plugin);
        qz_json_string(text, "role", qz_phase_name(script->role));
        qz_json_string(text, "path", script->path);
        qz_json_array(text, "attempts");
        for (size_t j = 0; j < script->attempt_count; j++) {
            qz_json_object(text, NULL);
            add_attempt(text, &script->attempts[j]);
            qz_json_end_object(text);
        }
        qz_json_end_array(text);
        qz_json_bool(text, "failed", script->failed);
        qz_json_bool(text, "left_alive", script->left_alive);
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
}

static void add_volume(struct qz_text *text, const struct qz_volume *volume)
{
    qz_json_string(text, "mount", volume->mount);
    add_text_or_null(text, "device", volume->device);
    add_text_or_null(text, "fstype", volume->fstype);
    add_text_or_null(text, "uuid", volume->uuid);
    qz_json_string(text, "decision", qz_decision_name(volume->decision));
    add_text_or_null(text, "reason", volume->reason);
    add_number_if(text, "order", volume->order >= 0, volume->order);
    add_duration(text, "presync_us", volume->presync_us);
    add_duration(text, "freeze_us", volume->freeze_us);
    add_duration(text, "frozen_us", volume->frozen_us);
    add_duration(text, "thaw_us", volume->thaw_us);
    qz_json_string(text, "outcome", qz_volume_outcome_name(volume->outcome));
    add_text_or_null(text, "label", volume->label);
    qz_json_bool(text, "named", volume->named);
    qz_json_number(text, "presync_rounds", volume->presync_rounds);
    bool failed = volume->error->code != QZ_E_SUCCESS;
    qz_json_string(text, "error", failed ? qz_error_name(volume->error->code) : NULL);
}

static void add_freeze(struct qz_text *text, const struct qz_result *result)
{
    qz_json_object(text, "freeze");
    qz_json_bool(text, "enabled", result->freeze_enabled);
    qz_json_number(text, "window_us", result->window_us);
    qz_json_array(text, "volumes");
    for (size_t i = 0; i < result->volume_count; i++) {
        qz_json_object(text, NULL);
        add_volume(text, &result->volumes[i]);
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
    qz_json_bool(text, "expedited", result->expedited);
    add_number_if(text, "cut_us", result->cut_us > 0, result->cut_us);
    qz_json_end_object(text);
}

static void add_snapshot(struct qz_text *text, const struct qz_result *result)
{
    const struct qz_attempt *attempt = &result->snapshot.attempt;
    bool begun = result->snapshot.outcome != QZ_SNAPSHOT_NOT_TAKEN;
    qz_json_object(text, "snapshot");
    if (result->snapshot_argv) {
        struct qz_text words = {0};
        qz_text_add_words(&words, result->snapshot_argv);
        char *command = qz_text_take(&words);
        text->failed |= !command;
        qz_json_string(text, "command", command);
        free(command);
    } else {
        qz_json_null(text, "command");
    }
    qz_json_string(text, "outcome", qz_snapshot_outcome_name(result->snapshot.outcome));
    add_attempt_end(text, attempt, begun && result->snapshot_argv);
    add_duration(text, "duration_us", begun ? attempt->duration_us : -1);
    add_tail(text, "stdout_tail", attempt->out);
    add_tail(text, "stderr_tail", attempt->err);
    add_start_error(text, attempt, begun && result->snapshot_argv);
    qz_json_bool(text, "left_alive", result->snapshot.left_alive);
    qz_json_end_object(text);
}

static void add_phases(struct qz_text *text, const struct qz_result *result)
{
    qz_json_array(text, "phases");
    for (size_t i = 0; i < result->phase_count; i++) {
        qz_json_object(text, NULL);
        qz_json_string(text, "name", result->phases[i].name);
        qz_json_number(text, "start_us", result->phases[i].start_us);
        qz_json_number(text, "duration_us", result->phases[i].duration_us);
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
}

static void add_files(struct qz_text *text, const struct qz_result *result)
{
    qz_json_array(text, "files");
    for (size_t i = 0; i < result->file_count; i++) {
        const struct qz_file_verdict *file = &result->files[i];
        qz_json_object(text, NULL);
        qz_json_string(text, "what", file->what);
        qz_json_string(text, "plugin", file->plugin);
        qz_json_string(text, "path", file->path);
        qz_json_string(text, "code", qz_error_name(file->code));
        qz_json_string(text, "note", file->note);
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
}

static void add_result(struct qz_text *text, const struct qz_result *result)
{
    enum qz_code code = qz_result_code(result);
    qz_json_string(text, "run_id", result->run_id);
    qz_json_string(text, "consistency", qz_consistency_name(result->consistency));
    qz_json_string(text, "code", qz_error_name(code));
    qz_json_number(text, "number", qz_error_number(code));
    add_errors(text, &result->errors);
    add_warnings(text, &result->warnings);
    add_scripts(text, result);
    add_freeze(text, result);
    add_snapshot(text, result);
    add_phases(text, result);
    qz_json_string(text, "command", result->command);
    qz_json_number(text, "exit_status", qz_result_exit(result));
    qz_json_number(text, "attempt", result->attempt);
    qz_json_number(text, "attempts", result->attempts);
    add_files(text, result);
    qz_json_number(text, "errors_lost", (int64_t)result->errors.lost);
    qz_json_number(text, "warnings_lost", (int64_t)result->warnings.lost);
}

char *qz_report_json(const struct qz_result *result)
{
    struct qz_text text = {0};
    qz_json_object(&text, NULL);
    add_result(&text, result);
    qz_json_end_object(&text);
    qz_text_add_bytes(&text, "\n", 1);
    return qz_text_take(&text);
}
