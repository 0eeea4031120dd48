/* keys_result.c: the members of quiesce's JSON result, of which a scenario may expect any value: quiesce(8) tells what
 * each means. */
#include "keys.h"

#define VALUE(member, says) {.name = member, .kind = KEY_ANY, .description = says}
#define PART(member, members, says) {.name = member, .kind = KEY_RESULT, .object = members, .description = says}
#define PARTS(member, members, says)                                                                                   \
    {.name = member, .kind = KEY_RESULT, .list = true, .object = members, .description = says}
#define RESULT_OBJECT(called, members) {.name = called, .keys = members, .place = NO_PLACE}

static const struct key ERROR[] = {
    VALUE("code", "Its name."),
    VALUE("number", "Its number."),
    VALUE("message", "Everything about it, in a sentence."),
    VALUE("action", "What to do."),
    VALUE("plugin", "Whose it is."),
    VALUE("path", "The file or mount point it is about."),
    VALUE("phase", "When it happened."),
    VALUE("attempt", "Of a script: which one, from 1."),
    VALUE("detail", "The bare cause."),
    {.name = NULL},
};
static const struct key_object ERROR_OBJECT = RESULT_OBJECT("result_error", ERROR);

static const struct key WARNING[] = {
    VALUE("message", "The whole warning."),
    VALUE("path", "The file it is about."),
    VALUE("line", "Where in that file."),
    VALUE("column", "Where in that line."),
    {.name = NULL},
};
static const struct key_object WARNING_OBJECT = RESULT_OBJECT("result_warning", WARNING);

/* What is told of every command that was started. */
#define START_ROWS                                                                                                     \
    VALUE("exit_code", "Its exit status; null: it did not exit."),                                                     \
    VALUE("signal", "The number of the signal it died by; null: it did not."),                                         \
    VALUE("duration_us", "How long it took."),                                                                         \
    VALUE("stdout_tail", "The last 4 KiB of its standard output."),                                                    \
    VALUE("stderr_tail", "The last 4 KiB of its standard error."),                                                     \
    VALUE("start_error", "Why it could not be started.")

static const struct key ATTEMPT[] = {
    VALUE("outcome", "exited, signaled, timeout or not_started."),
    START_ROWS,
    {.name = NULL},
};
static const struct key_object ATTEMPT_OBJECT = RESULT_OBJECT("result_attempt", ATTEMPT);

static const struct key SCRIPT[] = {
    VALUE("plugin", "Whose it is; ScriptRunner."),
    VALUE("role", "pre or post."),
    VALUE("path", "As the config names it."),
    PARTS("attempts", &ATTEMPT_OBJECT, "Every start."),
    VALUE("failed", "After all attempts."),
    VALUE("left_alive", "A process of it could not be ended."),
    {.name = NULL},
};
static const struct key_object SCRIPT_OBJECT = RESULT_OBJECT("result_script", SCRIPT);

static const struct key VOLUME[] = {
    VALUE("mount", "Its mount point."),
    VALUE("device", "The device it is on."),
    VALUE("fstype", "Its type."),
    VALUE("uuid", "Its UUID."),
    VALUE("label", "Its label."),
    VALUE("named", "It was asked for with --volume."),
    VALUE("decision", "freeze or skip."),
    VALUE("reason", "Why it is skipped, or what it is frozen with."),
    VALUE("order", "Of freezing, from 0; null: skipped."),
    VALUE("presync_us", "How long flushing before the freeze took, in all rounds."),
    VALUE("presync_rounds", "How many those were."),
    VALUE("freeze_us", "How long freezing took."),
    VALUE("frozen_us", "How long it was frozen."),
    VALUE("thaw_us", "How long thawing took."),
    VALUE("outcome", "untouched, thawed, failed, lost, stuck or thaw_failed."),
    VALUE("error", "The name of what went wrong with it."),
    {.name = NULL},
};
static const struct key_object VOLUME_OBJECT = RESULT_OBJECT("result_volume", VOLUME);

static const struct key FREEZE[] = {
    VALUE("enabled", "Some plugin wants it."),
    VALUE("window_us", "From the first freeze call to the last thaw."),
    VALUE("cut_us", "The moment from which everything was frozen, since the start."),
    VALUE("expedited", "The kernel's RCU was told to hurry."),
    PARTS("volumes", &VOLUME_OBJECT, "Every filesystem that was looked at."),
    {.name = NULL},
};
static const struct key_object FREEZE_OBJECT = RESULT_OBJECT("result_freeze", FREEZE);

static const struct key SNAPSHOT[] = {
    VALUE("command", "As words for a shell; null: --hold."),
    VALUE("outcome", "taken, failed, timeout or not_taken."),
    START_ROWS,
    VALUE("left_alive", "A process of it could not be ended."),
    {.name = NULL},
};
static const struct key_object SNAPSHOT_OBJECT = RESULT_OBJECT("result_snapshot", SNAPSHOT);

static const struct key PHASE[] = {
    VALUE("name", "check, pre, freeze, snapshot, thaw or post."),
    VALUE("start_us", "Since the start."),
    VALUE("duration_us", "How long it took."),
    {.name = NULL},
};
static const struct key_object PHASE_OBJECT = RESULT_OBJECT("result_phase", PHASE);

static const struct key FILE_VERDICT[] = {
    VALUE("what", "plugin host file, config, pre-script or post-script."),
    VALUE("plugin", "Whose it is."),
    VALUE("path", "Where it is."),
    VALUE("code", "The name of what is wrong with it, or Success."),
    VALUE("note", "What is done instead."),
    {.name = NULL},
};
static const struct key_object FILE_OBJECT = RESULT_OBJECT("result_file", FILE_VERDICT);

static const struct key RESULT[] = {
    VALUE("run_id", "The run's name."),
    VALUE("command", "run, check, freeze, begin or end."),
    VALUE("consistency", "As the key of that name beside `result`."),
    VALUE("code", "The name of the first error, or Success."),
    VALUE("number", "The number of the first error, or 0."),
    VALUE("exit_status", "Of the command."),
    VALUE("attempt", "Of --attempts: which one, from 1."),
    VALUE("attempts", "Of --attempts: how many are allowed."),
    PARTS("errors", &ERROR_OBJECT, "All errors, most decisive first."),
    PARTS("warnings", &WARNING_OBJECT, "All warnings."),
    PARTS("scripts", &SCRIPT_OBJECT, "The pre-scripts of all plugins, then the post-scripts."),
    PART("freeze", &FREEZE_OBJECT, "What was frozen."),
    PART("snapshot", &SNAPSHOT_OBJECT, "What came of the snapshot command."),
    PARTS("phases", &PHASE_OBJECT, "What happened when."),
    PARTS("files", &FILE_OBJECT, "Of `check`: each file that a run depends on."),
    VALUE("errors_lost", "Errors that there was no memory for."),
    VALUE("warnings_lost", "Warnings that there was no memory for."),
    {.name = NULL},
};

const struct key_object scenario_result_keys = RESULT_OBJECT("result", RESULT);
