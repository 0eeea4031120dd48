#include "commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "init.h"
#include "journal.h"
#include "result.h"

#define THAW_WAIT_US (5 * QZ_US_PER_S) /* for a living quiesce to thaw on request */
#define THAW_LOOK_US 20000

static void print(struct qz_os *os, const char *text)
{
    os->ops->print(os, QZ_STREAM_RESULT, text, strlen(text));
}

/* Says what a failing command has to say, in the format asked for. Returns `status`. */
static int fail(struct qz_os *os, const struct qz_error *error, int status)
{
    qz_say(os, "%s (%s, %d)", error->message, qz_error_name(error->code), qz_error_number(error->code));
    return status;
}

static int out_of_memory(struct qz_os *os)
{
    struct qz_error error;
    qz_error_set(&error, QZ_E_INTERNAL_ERROR, "%s", strerror(ENOMEM));
    return fail(os, &error, QZ_EXIT_SOFTWARE);
}

/* ---- run, check, freeze ----------------------------------------------------------------------------------------- */

static int write_report(struct qz_os *os, const struct qz_command_line *line, const char *json)
{
    if (!line->report_path)
        return 0;
    int failed = os->ops->write_file(os, line->report_path, json, strlen(json), 0600, true);
    if (failed)
        qz_say(os, "%s: the report could not be written: %s", line->report_path, strerror(failed));
    return failed;
}

static int show_result(struct qz_os *os, const struct qz_command_line *line, const struct qz_result *result,
                       bool no_colour)
{
    bool colour = !no_colour && os->ops->is_terminal(os, QZ_STREAM_RESULT);
    char *json = qz_report_json(result);
    char *human = line->format == QZ_FORMAT_HUMAN ? qz_report_human(result, colour) : NULL;
    bool complete = json && (human || line->format == QZ_FORMAT_JSON);
    int status = complete ? (int)qz_result_exit(result) : out_of_memory(os);
    if (complete) {
        print(os, line->format == QZ_FORMAT_JSON ? json : human);
        if (write_report(os, line, json) != 0 && status == QZ_EXIT_APPLICATION)
            status = QZ_EXIT_SOFTWARE;
    }
    free(json);
    free(human);
    return status;
}

static int do_session(struct qz_os *os, const struct qz_command_line *line, bool no_colour)
{
    struct qz_result result;
    if (line->command == QZ_COMMAND_CHECK)
        qz_session_check(os, &line->options, &result);
    else
        qz_session_run(os, &line->options, &result);
    os->hush = false;
    int status = show_result(os, line, &result, no_colour);
    qz_result_free(&result);
    return status;
}

/* ---- status ----------------------------------------------------------------------------------------------------- */

static void format_time(int64_t wall_us, char *out, size_t size)
{
    time_t seconds = (time_t)(wall_us / QZ_US_PER_S);
    struct tm broken_down;
    gmtime_r(&seconds, &broken_down);
    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &broken_down);
}

/* The state of things as one JSON object; NULL: no memory. A journal without volumes is a run that froze nothing yet. */
static cJSON *describe(struct qz_os *os, const struct qz_journal *journal)
{
    char since[32], until[32];
    cJSON *root = cJSON_CreateObject();
    cJSON *frozen = cJSON_AddArrayToObject(root, "frozen");
    if (!journal->run_id || !frozen)
        return root;
    format_time(journal->since_us, since, sizeof since);
    format_time(journal->until_us, until, sizeof until);
    cJSON_AddStringToObject(root, "run_id", journal->run_id);
    cJSON_AddStringToObject(root, "command", journal->command);
    cJSON_AddNumberToObject(root, "agent", journal->agent.pid);
    cJSON_AddBoolToObject(root, "agent_alive", os->ops->process_alive(os, &journal->agent));
    cJSON_AddNumberToObject(root, "guardian", journal->guardian.pid);
    cJSON_AddBoolToObject(root, "guardian_alive", os->ops->process_alive(os, &journal->guardian));
    cJSON_AddStringToObject(root, "since", since);
    cJSON_AddStringToObject(root, "until", until);
    for (size_t i = 0; i < journal->volume_count; i++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "mount", journal->volumes[i].mount);
        cJSON_AddStringToObject(entry, "device", journal->volumes[i].device);
        cJSON_AddStringToObject(entry, "fstype", journal->volumes[i].fstype);
        cJSON_AddItemToArray(frozen, entry);
    }
    return root;
}

static void say_status(struct qz_os *os, const struct qz_journal *journal)
{
    char line[QZ_MESSAGE_SIZE], since[32], until[32];
    if (!journal->run_id) {
        print(os, "nothing is frozen by quiesce\n");
        return;
    }
    format_time(journal->since_us, since, sizeof since);
    format_time(journal->until_us, until, sizeof until);
    bool agent = os->ops->process_alive(os, &journal->agent);
    bool guardian = os->ops->process_alive(os, &journal->guardian);
    snprintf(line, sizeof line, "quiesce %s, run %s, since %s: agent %d %s, guardian %d %s\n", journal->command,
             journal->run_id, since, (int)journal->agent.pid, agent ? "alive" : "dead", (int)journal->guardian.pid,
             guardian ? "alive" : "dead");
    print(os, line);
    for (size_t i = 0; i < journal->volume_count; i++) {
        const struct qz_journal_volume *volume = &journal->volumes[i];
        snprintf(line, sizeof line, "frozen: %s (%s on %s), until %s at the latest\n", volume->mount, volume->fstype,
                 volume->device, until);
        print(os, line);
    }
    if (journal->volume_count == 0)
        print(os, "nothing is frozen\n");
    if (!agent && !guardian)
        print(os, "nobody is left to thaw or to run the post-scripts: use `quiesce thaw`\n");
}

/* Root, and the journal. Returns 0, or the exit status after having said why not. */
static int open_journal(struct qz_os *os, const char *command, struct qz_journal *journal)
{
    struct qz_error error;
    *journal = (struct qz_journal){0};
    if (!os->ops->is_root(os)) {
        qz_error_set(&error, QZ_E_NOT_ROOT, "quiesce %s must be run by root", command);
        return fail(os, &error, QZ_EXIT_NONE);
    }
    return qz_journal_read(os, journal, &error) < 0 ? fail(os, &error, QZ_EXIT_SOFTWARE) : 0;
}

static int do_status(struct qz_os *os, const struct qz_command_line *line)
{
    struct qz_journal journal;
    int status = open_journal(os, "status", &journal);
    if (status)
        return status;
    if (line->format == QZ_FORMAT_JSON) {
        cJSON *root = describe(os, &journal);
        char *text = cJSON_Print(root);
        cJSON_Delete(root);
        if (text) {
            print(os, text);
            print(os, "\n");
        } else {
            status = out_of_memory(os);
        }
        cJSON_free(text);
    } else {
        say_status(os, &journal);
    }
    qz_journal_free(&journal);
    return status;
}

/* ---- thaw ------------------------------------------------------------------------------------------------------- */

/* Asks the living guardian to thaw and waits for it. Returns whether it has. */
static bool ask_guardian(struct qz_os *os, const struct qz_journal *journal)
{
    if (!os->ops->process_alive(os, &journal->guardian) ||
        os->ops->process_signal(os, &journal->guardian, SIGTERM) != 0)
        return false;
    int64_t until_us = os->ops->now_us(os) + THAW_WAIT_US;
    while (os->ops->now_us(os) < until_us) {
        struct qz_event event;
        os->ops->wait(os, os->ops->now_us(os) + THAW_LOOK_US, &event);
        struct qz_journal now;
        struct qz_error error;
        int found = qz_journal_read(os, &now, &error);
        bool thawed = found == 0 || (found == 1 && now.volume_count == 0);
        if (found == 1)
            qz_journal_free(&now);
        if (thawed)
            return true;
    }
    return false;
}

static void say_thawed(struct qz_os *os, const struct qz_journal *journal)
{
    char line[QZ_MESSAGE_SIZE];
    for (size_t i = 0; i < journal->volume_count; i++) {
        snprintf(line, sizeof line, "thawed: %s (%s on %s)\n", journal->volumes[i].mount, journal->volumes[i].fstype,
                 journal->volumes[i].device);
        print(os, line);
    }
}

static int recover(struct qz_os *os, const struct qz_journal *journal)
{
    struct qz_error_list errors = {0};
    size_t thawed = qz_journal_recover(os, journal, &errors);
    for (size_t i = 0; i < errors.count; i++)
        fail(os, &errors.items[i], QZ_EXIT_NONE);
    if (errors.count == 0 && thawed == journal->volume_count)
        say_thawed(os, journal);
    else if (errors.count == 0)
        print(os, "what run had frozen is not frozen any more\n");
    for (size_t i = 0; i < journal->post_count; i++)
        qz_say(os, "post-script %s of run %s never ran: its application may still be quiesced", journal->posts_owed[i],
               journal->run_id);
    bool failed = errors.count > 0;
    qz_error_list_free(&errors);
    return failed ? QZ_EXIT_NONE : 0;
}

static int do_thaw(struct qz_os *os)
{
    struct qz_journal journal;
    int status = open_journal(os, "thaw", &journal);
    if (status)
        return status;
    if (!journal.run_id || (journal.volume_count == 0 && os->ops->process_alive(os, &journal.agent)))
        print(os, "nothing is frozen by quiesce\n");
    else if (journal.volume_count > 0 && ask_guardian(os, &journal))
        say_thawed(os, &journal);
    else
        status = recover(os, &journal);
    qz_journal_free(&journal);
    return status;
}

/* ---- init, errors ----------------------------------------------------------------------------------------------- */

static int do_init(struct qz_os *os, const struct qz_command_line *line)
{
    struct qz_init_result result;
    struct qz_error error;
    enum qz_code code = qz_init_write(os, line->init_directory, &result, &error);
    char *text = qz_init_describe(&result);
    if (text)
        print(os, text);
    free(text);
    qz_init_free(&result);
    return code == QZ_E_SUCCESS ? 0 : fail(os, &error, QZ_EXIT_SOFTWARE);
}

static int do_errors(struct qz_os *os, const struct qz_command_line *line)
{
    char *text = NULL;
    struct qz_error error;
    int status = qz_command_errors(line->error_word, line->format, &text, &error);
    if (status == 0)
        print(os, text);
    else
        qz_say(os, "%s", error.message);
    free(text);
    return status;
}

static int do_command(struct qz_os *os, const struct qz_command_line *line, bool no_colour)
{
    switch (line->command) {
    case QZ_COMMAND_RUN:
    case QZ_COMMAND_CHECK:
    case QZ_COMMAND_FREEZE:
        return do_session(os, line, no_colour);
    case QZ_COMMAND_THAW:
        return do_thaw(os);
    case QZ_COMMAND_STATUS:
        return do_status(os, line);
    case QZ_COMMAND_INIT:
        return do_init(os, line);
    case QZ_COMMAND_ERRORS:
        return do_errors(os, line);
    case QZ_COMMAND_NONE:
    case QZ_COMMAND_COUNT:
        break;
    }
    return QZ_EXIT_USAGE;
}

/* ---- The command line ------------------------------------------------------------------------------------------- */

static int show(struct qz_os *os, char *text)
{
    if (text)
        print(os, text);
    free(text);
    return text ? 0 : QZ_EXIT_SOFTWARE;
}

static int dispatch(struct qz_os *os, enum qz_parse parsed, const struct qz_command_line *line, bool no_colour)
{
    switch (parsed) {
    case QZ_PARSE_HELP:
        return show(os, qz_options_help(line->command));
    case QZ_PARSE_VERSION:
        return show(os, strdup(qz_options_version()));
    case QZ_PARSE_WRONG:
        qz_say(os, "%s", line->message);
        return QZ_EXIT_USAGE;
    case QZ_PARSE_FAILED:
        qz_say(os, "%s", line->message);
        return QZ_EXIT_SOFTWARE;
    case QZ_PARSE_GO:
        break;
    }
    return do_command(os, line, no_colour);
}

int qz_command_line_do(struct qz_os *os, int argc, char **argv, char *const *environment, bool no_colour)
{
    struct qz_command_line line;
    enum qz_parse parsed = qz_options_parse(argc, argv, environment, &line);
    int status = dispatch(os, parsed, &line, no_colour);
    qz_options_free(&line);
    return status;
}
