#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"
#include "result.h"

int qz_command_print(struct qz_os *os, const char *text, int status)
{
    int failed = os->ops->print(os, QZ_STREAM_RESULT, text, strlen(text));
    if (failed)
        qz_say(os, "the result could not be printed: %s", strerror(failed));
    return failed && status == 0 ? QZ_EXIT_SOFTWARE : status;
}

int qz_command_fail(struct qz_os *os, const struct qz_error *error, int status)
{
    qz_say(os, "%s (%s, %d)", error->message, qz_error_name(error->code), qz_error_number(error->code));
    return status;
}

int qz_command_out_of_memory(struct qz_os *os)
{
    struct qz_error error;
    qz_error_set(&error, QZ_E_INTERNAL_ERROR, "%s", strerror(ENOMEM));
    return qz_command_fail(os, &error, QZ_EXIT_SOFTWARE);
}

/* ---- run, check, freeze ----------------------------------------------------------------------------------------- */

int qz_command_report(struct qz_os *os, const char *report_path, const char *json)
{
    if (!report_path)
        return 0;
    int failed = os->ops->write_file(os, report_path, json, strlen(json), 0600, true);
    if (failed)
        qz_say(os, "%s: the report could not be written: %s", report_path, strerror(failed));
    return failed;
}

int qz_command_result(struct qz_os *os, enum qz_format format, const char *report_path, const struct qz_result *result,
                      bool no_colour)
{
    bool colour = !no_colour && os->ops->is_terminal(os, QZ_STREAM_RESULT);
    char *json = qz_report_json(result);
    char *human = format == QZ_FORMAT_HUMAN ? qz_report_human(result, colour) : NULL;
    bool complete = json && (human || format == QZ_FORMAT_JSON);
    int status = complete ? (int)qz_result_exit(result) : qz_command_out_of_memory(os);
    if (complete) {
        status = qz_command_print(os, format == QZ_FORMAT_JSON ? json : human, status);
        if (qz_command_report(os, report_path, json) != 0 && status == QZ_EXIT_APPLICATION)
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
    int status = qz_command_result(os, line->format, line->report_path, &result, no_colour);
    qz_result_free(&result);
    return status;
}

/* ---- init, errors ----------------------------------------------------------------------------------------------- */

static int do_init(struct qz_os *os, const struct qz_command_line *line)
{
    struct qz_init_result result;
    struct qz_error error;
    enum qz_code code = qz_init_write(os, line->init_directory, &result, &error);
    char *text = qz_init_describe(&result);
    int status = text ? qz_command_print(os, text, 0) : 0;
    free(text);
    qz_init_free(&result);
    return code == QZ_E_SUCCESS ? status : qz_command_fail(os, &error, QZ_EXIT_SOFTWARE);
}

static int do_errors(struct qz_os *os, const struct qz_command_line *line)
{
    char *text = NULL;
    struct qz_error error;
    int status = qz_command_errors(line->error_word, line->format, &text, &error);
    if (status == 0)
        status = qz_command_print(os, text, 0);
    else
        qz_say(os, "%s", error.message);
    free(text);
    return status;
}

/* Could there be a report, as far as can be seen before anything is begun? `quiesce end` goes on without: what is open is
 * to be ended. */
static bool has_place_for_report(struct qz_os *os, const struct qz_command_line *line)
{
    const char *slash = line->report_path ? strrchr(line->report_path, '/') : NULL;
    if (!slash || line->report_path[0] != '/' || line->command == QZ_COMMAND_END)
        return true;
    struct qz_path_facts facts;
    char *directory = strndup(line->report_path, (size_t)(slash - line->report_path) + 1);
    bool place = !directory || os->ops->inspect(os, directory, &facts) != 0;
    if (!place) {
        int failed = facts.error;
        place = failed == 0;
        qz_path_facts_free(os, &facts);
        if (failed)
            qz_say(os, "--report %s: no report can be written there: %s: %s", line->report_path, directory, strerror(failed));
    }
    free(directory);
    return place;
}

static int do_command(struct qz_os *os, struct qz_command_line *line, bool no_colour)
{
    if (!has_place_for_report(os, line))
        return QZ_EXIT_USAGE;
    switch (line->command) {
    case QZ_COMMAND_RUN:
    case QZ_COMMAND_CHECK:
    case QZ_COMMAND_FREEZE:
        return do_session(os, line, no_colour);
    case QZ_COMMAND_BEGIN:
        return qz_command_begin(os, line, no_colour);
    case QZ_COMMAND_END:
        return qz_command_end(os, line, no_colour);
    case QZ_COMMAND_THAW:
        return qz_command_thaw(os);
    case QZ_COMMAND_STATUS:
        return qz_command_status(os, line->format);
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
    int status = text ? qz_command_print(os, text, 0) : QZ_EXIT_SOFTWARE;
    free(text);
    return status;
}

static int dispatch(struct qz_os *os, enum qz_parse parsed, struct qz_command_line *line, bool no_colour)
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
