#include "result.h"

#include <stdlib.h>

#include "verdict.h"
#include "volumes.h"

static void free_attempt(struct qz_attempt *attempt)
{
    free(attempt->out);
    free(attempt->err);
}

void qz_result_free_attempts(struct qz_script_result *script)
{
    for (size_t i = 0; i < script->attempt_count; i++)
        free_attempt(&script->attempts[i]);
    script->attempt_count = 0;
}

void qz_result_free(struct qz_result *result)
{
    for (size_t i = 0; i < result->script_count; i++) {
        qz_result_free_attempts(&result->scripts[i]);
        free(result->scripts[i].attempts);
    }
    free(result->scripts);
    free(result->files);
    free_attempt(&result->snapshot.attempt);
    qz_volumes_free(result->volumes, result->volume_count);
    qz_error_list_free(&result->errors);
    qz_warning_list_free(&result->warnings);
    if (result->release)
        result->release(result->kept);
    *result = (struct qz_result){0};
}

enum qz_code qz_result_code(const struct qz_result *result)
{
    if (result->errors.count > 0)
        return result->errors.items[0].code;
    return result->errors.lost > 0 ? QZ_E_INTERNAL_ERROR : QZ_E_SUCCESS;
}

enum qz_exit qz_result_exit(const struct qz_result *result)
{
    if (result->consistency == QZ_NONE && qz_result_code(result) == QZ_E_INTERNAL_ERROR)
        return QZ_EXIT_SOFTWARE;
    return qz_verdict_exit(result->consistency);
}

const char *qz_consistency_name(enum qz_consistency consistency)
{
    static const char *const names[] = {
        [QZ_NONE] = "none", [QZ_CRASH] = "crash", [QZ_FILESYSTEM] = "filesystem", [QZ_APPLICATION] = "application"};
    return names[consistency];
}

const char *qz_attempt_outcome_name(enum qz_attempt_outcome outcome)
{
    static const char *const names[] = {[QZ_ATTEMPT_EXITED] = "exited",
                                        [QZ_ATTEMPT_SIGNALED] = "signaled",
                                        [QZ_ATTEMPT_TIMEOUT] = "timeout",
                                        [QZ_ATTEMPT_NOT_STARTED] = "not_started"};
    return names[outcome];
}

const char *qz_decision_name(enum qz_decision decision)
{
    return decision == QZ_DECISION_FREEZE ? "freeze" : "skip";
}

const char *qz_volume_outcome_name(enum qz_volume_outcome outcome)
{
    static const char *const names[] = {[QZ_VOLUME_UNTOUCHED] = "untouched",
                                        [QZ_VOLUME_THAWED] = "thawed",
                                        [QZ_VOLUME_FAILED] = "failed",
                                        [QZ_VOLUME_LOST] = "lost",
                                        [QZ_VOLUME_STUCK] = "stuck",
                                        [QZ_VOLUME_THAW_FAILED] = "thaw_failed"};
    return names[outcome];
}

const char *qz_snapshot_outcome_name(enum qz_snapshot_outcome outcome)
{
    static const char *const names[] = {[QZ_SNAPSHOT_NOT_TAKEN] = "not_taken",
                                        [QZ_SNAPSHOT_TAKEN] = "taken",
                                        [QZ_SNAPSHOT_FAILED] = "failed",
                                        [QZ_SNAPSHOT_TIMEOUT] = "timeout"};
    return names[outcome];
}
