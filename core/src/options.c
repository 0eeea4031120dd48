#include "options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_table.h"
#include "quiesce/json.h"
#include "quote.h"

#define OPTION_BASE 256 /* what getopt returns for the first row; above every character */
#define SECONDS_ALLOWED "seconds from %s to %d, such as 2 or 0.5"

struct parser {
    struct qz_command_line *line;
    bool seen[QZ_OPTION_COUNT];
};

/* Says what is wrong, after the command's name; the program's own is the printer's to add. */
__attribute__((format(printf, 2, 3))) static enum qz_parse wrong(struct qz_command_line *line, const char *format, ...)
{
    const char *name = qz_command_rows[line->command].name;
    int used = snprintf(line->message, sizeof line->message, "%s%s", name, *name ? ": " : "");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->message + used, sizeof line->message - (size_t)used, format, arguments);
    va_end(arguments);
    return QZ_PARSE_WRONG;
}

struct quoted {
    char text[QZ_QUOTE_SIZE];
};

static struct quoted quote(const char *word)
{
    struct quoted quoted;
    qz_quote_text(quoted.text, sizeof quoted.text, word, strlen(word));
    return quoted;
}

static enum qz_parse wrong_value(struct parser *parser, enum qz_option_id option, const char *value,
                                 const char *allowed)
{
    return wrong(parser->line, "--%s: found %s, allowed: %s", qz_option_rows[option].name, quote(value).text, allowed);
}

/* Reads digits, and with `decimals` up to six more after a point, as that many millionths. Returns false for anything
 * else: no signs, no blanks, no exponents. */
static bool read_decimal(const char *word, bool decimals, int64_t *millionths)
{
    static const char digits[] = "0123456789";
    size_t whole = strspn(word, digits);
    const char *point = word + whole;
    size_t places = decimals && *point == '.' ? strspn(point + 1, digits) : 0;
    const char *end = places > 0 ? point + 1 + places : point;
    if (whole == 0 || whole > 9 || places > 6 || *end != '\0')
        return false;
    int64_t value = strtoll(word, NULL, 10);
    for (size_t i = 0; i < 6; i++)
        value = value * 10 + (i < places ? point[1 + i] - '0' : 0);
    *millionths = value;
    return true;
}

static enum qz_parse set_seconds(struct parser *parser, enum qz_option_id option, const char *value, bool zero,
                                 int64_t *duration_us)
{
    char allowed[QZ_DETAIL_SIZE];
    int64_t read_us = -1;
    bool is_decimal = read_decimal(value, true, &read_us);
    if (!is_decimal || read_us > QZ_SECONDS_MAX * QZ_US_PER_S || read_us < (zero ? 0 : 1000)) {
        snprintf(allowed, sizeof allowed, SECONDS_ALLOWED, zero ? "0" : "0.001", QZ_SECONDS_MAX);
        return wrong_value(parser, option, value, allowed);
    }
    *duration_us = read_us;
    return QZ_PARSE_GO;
}

static enum qz_parse set_attempts(struct parser *parser, const char *value)
{
    int64_t millionths = 0;
    bool is_number = read_decimal(value, false, &millionths);
    int64_t attempts = millionths / 1000000;
    if (!is_number || attempts < 1 || attempts > QZ_ATTEMPTS_MAX)
        return wrong_value(parser, QZ_OPTION_ATTEMPTS, value, "a whole number from 1 to 100");
    parser->line->options.attempts = (int)attempts;
    return QZ_PARSE_GO;
}

static enum qz_parse set_path(struct parser *parser, enum qz_option_id option, const char *value, const char **path)
{
    if (value[0] != '/')
        return wrong_value(parser, option, value, "an absolute path");
    *path = value;
    return QZ_PARSE_GO;
}

static enum qz_parse no_memory(struct qz_command_line *line)
{
    wrong(line, "out of memory");
    return QZ_PARSE_FAILED;
}

/* Adds a mount point, spelled as the mount table does: a shell's completion leaves a slash at the end. */
static enum qz_parse add_mount_point(struct parser *parser, enum qz_option_id option, const char *value, char **list,
                                     size_t *count)
{
    const char *path = NULL;
    enum qz_parse parse = set_path(parser, option, value, &path);
    if (parse != QZ_PARSE_GO)
        return parse;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    list[*count] = strndup(path, length);
    if (!list[*count])
        return no_memory(parser->line);
    ++*count;
    return QZ_PARSE_GO;
}

static enum qz_parse set_format(struct parser *parser, const char *value)
{
    bool json = strcmp(value, "json") == 0;
    if (!json && strcmp(value, "human") != 0)
        return wrong_value(parser, QZ_OPTION_FORMAT, value, "human, json");
    parser->line->format = json ? QZ_FORMAT_JSON : QZ_FORMAT_HUMAN;
    return QZ_PARSE_GO;
}

static enum qz_parse set_expedite(struct parser *parser, const char *value)
{
    static const char *const modes[] = {
        [QZ_EXPEDITE_AUTO] = "auto", [QZ_EXPEDITE_ALWAYS] = "always", [QZ_EXPEDITE_NEVER] = "never"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(value, modes[i]) != 0)
            continue;
        parser->line->options.expedite = (enum qz_expedite)i;
        return QZ_PARSE_GO;
    }
    return wrong_value(parser, QZ_OPTION_EXPEDITE, value, "auto, always, never");
}

static enum qz_parse set_option(struct parser *parser, enum qz_option_id option, const char *value)
{
    struct qz_command_line *line = parser->line;
    struct qz_options *options = &line->options;
    switch (option) {
    case QZ_OPTION_HOLD:
        return set_seconds(parser, option, value, false, &options->hold_us);
    case QZ_OPTION_FREEZE_TIMEOUT:
        return set_seconds(parser, option, value, false, &options->freeze_timeout_us);
    case QZ_OPTION_HOLD_LIMIT:
        return set_seconds(parser, option, value, false, &options->hold_limit_us);
    case QZ_OPTION_ATTEMPT_DELAY:
        return set_seconds(parser, option, value, true, &options->attempt_delay_us);
    case QZ_OPTION_ATTEMPTS:
        return set_attempts(parser, value);
    case QZ_OPTION_EXPEDITE:
        return set_expedite(parser, value);
    case QZ_OPTION_CONFIG:
        return set_path(parser, option, value, &options->config_path);
    case QZ_OPTION_PLUGIN_HOST:
        return set_path(parser, option, value, &options->plugin_host_path);
    case QZ_OPTION_VOLUME:
        return add_mount_point(parser, option, value, line->volumes, &options->volume_count);
    case QZ_OPTION_EXCLUDE:
        return add_mount_point(parser, option, value, line->excludes, &options->exclude_count);
    case QZ_OPTION_DIR:
        return set_path(parser, option, value, &line->init_directory);
    case QZ_OPTION_FORMAT:
        return set_format(parser, value);
    case QZ_OPTION_FAILED:
        line->snapshot_failed = true;
        return QZ_PARSE_GO;
    case QZ_OPTION_SCRIPTS_ONLY:
        options->scripts_only = true;
        return QZ_PARSE_GO;
    case QZ_OPTION_REPORT:
        line->report_path = value;
        return QZ_PARSE_GO;
    case QZ_OPTION_HELP:
        return QZ_PARSE_HELP;
    case QZ_OPTION_VERSION:
        return QZ_PARSE_VERSION;
    case QZ_OPTION_COUNT:
        break;
    }
    return QZ_PARSE_WRONG;
}

static enum qz_parse take_option(struct parser *parser, enum qz_option_id option, const char *value)
{
    const struct qz_option_row *row = &qz_option_rows[option];
    if (parser->seen[option] && !row->repeatable)
        return wrong(parser->line, "--%s: given twice, allowed once", row->name);
    parser->seen[option] = true;
    /* `--config -- COMMAND` has forgotten the value: getopt would take the dashes for it. */
    if (row->value && (*value == '\0' || strcmp(value, "--") == 0))
        return wrong(parser->line, "--%s: needs a value: %s", row->name, row->value);
    return set_option(parser, option, value);
}

/* An option that this command does not have: another command's, or one that was nearly meant. */
static enum qz_parse unknown_option(struct qz_command_line *line, const char *word)
{
    const char *known[QZ_OPTION_COUNT + 1] = {NULL};
    char name[QZ_DETAIL_SIZE];
    size_t count = 0;
    const char *bare = word + strspn(word, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bare, "="), bare);
    for (int i = 0; i < QZ_OPTION_COUNT; i++) {
        if (qz_option_applies((enum qz_option_id)i, line->command))
            known[count++] = qz_option_rows[i].name;
        else if (strcmp(qz_option_rows[i].name, name) == 0)
            return wrong(line, "--%s is no option of this command; `quiesce %s --help` lists those that are", name,
                         qz_command_rows[line->command].name);
    }
    const char *nearest = qz_nearest_word(name, known);
    if (nearest)
        return wrong(line, "no option %s; did you mean --%s?", quote(word).text, nearest);
    return wrong(line, "no option %s; `quiesce %s --help` lists those that are", quote(word).text,
                 qz_command_rows[line->command].name);
}

/* The options of one command, as getopt wants them, ended by zeros. */
static void list_options(enum qz_command command, struct option rows[QZ_OPTION_COUNT + 1])
{
    for (int i = 0; i < QZ_OPTION_COUNT; i++)
        if (qz_option_applies((enum qz_option_id)i, command))
            *rows++ = (struct option){.name = qz_option_rows[i].name,
                                      .has_arg = qz_option_rows[i].value ? required_argument : no_argument,
                                      .val = OPTION_BASE + i};
    *rows = (struct option){0};
}

/* Was the option written out? getopt takes any beginning that is unique, and so `check --hold 3` for --hold-limit. */
static bool is_whole(const char *word, const char *name)
{
    size_t length = strlen(name);
    return strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, length) == 0 && strchr("=", word[2 + length]);
}

/* What getopt has found: `found` is its return value, `word` the option as it was typed. */
static enum qz_parse take_found(struct parser *parser, int found, const char *word)
{
    bool no_option = found == '?' && optopt < OPTION_BASE;
    if (found == 'h')
        return QZ_PARSE_HELP;
    if (no_option)
        return unknown_option(parser->line, optopt != 0 ? (char[]){'-', (char)optopt, '\0'} : word);
    enum qz_option_id option = (enum qz_option_id)((found < OPTION_BASE ? optopt : found) - OPTION_BASE);
    const struct qz_option_row *row = &qz_option_rows[option];
    if (!is_whole(word, row->name))
        return unknown_option(parser->line, word);
    if (found == ':')
        return wrong(parser->line, "--%s: needs a value: %s", row->name, row->value);
    if (found == '?')
        return wrong(parser->line, "--%s: takes no value", row->name);
    return take_option(parser, option, optarg);
}

/* Returns where the words after the options begin; *parse is QZ_PARSE_GO if they were all good. */
static int read_options(struct parser *parser, int argc, char **argv, enum qz_parse *parse)
{
    struct option rows[QZ_OPTION_COUNT + 1];
    enum qz_command command = parser->line->command;
    list_options(command, rows);
    /* In `run` everything from the first word on is the snapshot command, with options of its own. */
    const char *letters = command == QZ_COMMAND_RUN ? "+:h" : ":h";
    int found;
    opterr = 0;
    optind = 0;
    *parse = QZ_PARSE_GO;
    while (*parse == QZ_PARSE_GO && (found = getopt_long(argc, argv, letters, rows, NULL)) != -1) {
        bool value_apart = found >= OPTION_BASE && optarg && optarg == argv[optind - 1];
        *parse = take_found(parser, found, argv[optind - (value_apart ? 2 : 1)]);
    }
    return optind;
}

/* `run`: exactly one of `-- COMMAND ARG…` and --hold. `words` are those after the options. */
static enum qz_parse take_snapshot_command(struct qz_command_line *line, char **words)
{
    bool dashes = strcmp(words[-1], "--") == 0;
    bool hold = line->options.hold_us > 0;
    if (words[0] && !dashes)
        return wrong(line, "found %s; the snapshot command comes after `--`", quote(words[0]).text);
    if (words[0] && hold)
        return wrong(line, "--hold and a snapshot command exclude each other; give one of them");
    if (!words[0] && dashes)
        return wrong(line, "after `--` the snapshot command is missing");
    if (!words[0] && !hold)
        return wrong(line, "needs `-- COMMAND ARG...`, which takes the snapshot, or `--hold SECONDS`");
    line->options.snapshot_argv = words[0] ? words : NULL;
    return QZ_PARSE_GO;
}

static enum qz_parse take_words(struct qz_command_line *line, char **words)
{
    if (line->command == QZ_COMMAND_RUN)
        return take_snapshot_command(line, words);
    if (line->command == QZ_COMMAND_ERRORS && words[0])
        line->error_word = *words++;
    if (words[0])
        return wrong(line, "found %s, allowed: %s", quote(words[0]).text,
                     line->command == QZ_COMMAND_ERRORS ? "one name or number" : "options only");
    if (line->command == QZ_COMMAND_FREEZE && line->options.hold_us == 0)
        return wrong(line, "needs `--hold SECONDS`");
    return QZ_PARSE_GO;
}

/* What the options come to together. */
static enum qz_parse settle(struct parser *parser)
{
    struct qz_options *options = &parser->line->options;
    if (parser->seen[QZ_OPTION_HOLD_LIMIT] && options->hold_us > options->hold_limit_us)
        return wrong(parser->line, "--hold: found %.15g, allowed: no more than --hold-limit, which is %.15g",
                     (double)options->hold_us / 1e6, (double)options->hold_limit_us / 1e6);
    if (!parser->seen[QZ_OPTION_HOLD_LIMIT] && options->hold_us + QZ_HOLD_LIMIT_MARGIN_US > options->hold_limit_us)
        options->hold_limit_us = options->hold_us + QZ_HOLD_LIMIT_MARGIN_US;
    for (size_t i = 0; i < options->volume_count; i++)
        for (size_t j = 0; j < options->exclude_count; j++)
            if (strcmp(options->volumes[i], options->excludes[j]) == 0)
                return wrong(parser->line, "%s is named by --volume and by --exclude; give one of them",
                             quote(options->volumes[i]).text);
    return QZ_PARSE_GO;
}

static enum qz_command find_command(const char *word)
{
    for (int i = QZ_COMMAND_NONE + 1; i < QZ_COMMAND_COUNT; i++)
        if (strcmp(qz_command_rows[i].name, word) == 0)
            return (enum qz_command)i;
    return QZ_COMMAND_NONE;
}

static enum qz_parse wrong_command(struct qz_command_line *line, const char *word)
{
    const char *known[QZ_COMMAND_COUNT] = {NULL};
    for (int i = QZ_COMMAND_NONE + 1; i < QZ_COMMAND_COUNT; i++)
        known[i - 1] = qz_command_rows[i].name;
    if (!word)
        return wrong(line, "needs a command: run, begin, end, check, freeze, thaw, status, init or errors");
    const char *nearest = qz_nearest_word(word, known);
    if (nearest)
        return wrong(line, "no command %s; did you mean %s?", quote(word).text, nearest);
    return wrong(line, "no command %s; there are run, begin, end, check, freeze, thaw, status, init and errors", quote(word).text);
}

/* Before the command only --help and --version may stand. */
static enum qz_parse read_command(int argc, char **argv, struct qz_command_line *line)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
        return QZ_PARSE_HELP;
    if (word && strcmp(word, "--version") == 0)
        return QZ_PARSE_VERSION;
    if (word && word[0] == '-')
        return wrong(line, "found %s, allowed: options come after the command, as in `quiesce check --format json`",
                     quote(word).text);
    line->command = word ? find_command(word) : QZ_COMMAND_NONE;
    return line->command == QZ_COMMAND_NONE ? wrong_command(line, word) : QZ_PARSE_GO;
}

static bool set_defaults(struct qz_command_line *line, int argc, char *const *environment)
{
    line->volumes = calloc((size_t)argc + 1, sizeof *line->volumes);
    line->excludes = calloc((size_t)argc + 1, sizeof *line->excludes);
    line->init_directory = QZ_INIT_DIRECTORY_DEFAULT;
    line->options = (struct qz_options){.volumes = (const char *const *)line->volumes,
                                        .excludes = (const char *const *)line->excludes,
                                        .freeze_timeout_us = QZ_FREEZE_TIMEOUT_US_DEFAULT,
                                        .hold_limit_us = QZ_HOLD_LIMIT_US_DEFAULT,
                                        .environment = environment,
                                        .attempts = 1,
                                        .attempt_delay_us = QZ_ATTEMPT_DELAY_US_DEFAULT};
    return line->volumes && line->excludes;
}

enum qz_parse qz_options_parse(int argc, char **argv, char *const *environment, struct qz_command_line *line)
{
    *line = (struct qz_command_line){.command = QZ_COMMAND_NONE};
    struct parser parser = {.line = line};
    if (!set_defaults(line, argc, environment))
        return no_memory(line);
    enum qz_parse parse = read_command(argc, argv, line);
    if (parse != QZ_PARSE_GO)
        return parse;
    line->options.scripts = line->command != QZ_COMMAND_FREEZE;
    int words = read_options(&parser, argc - 1, argv + 1, &parse);
    if (parse == QZ_PARSE_GO)
        parse = take_words(line, argv + 1 + words);
    return parse == QZ_PARSE_GO ? settle(&parser) : parse;
}

void qz_options_free(struct qz_command_line *line)
{
    for (size_t i = 0; line->volumes && i < line->options.volume_count; i++)
        free(line->volumes[i]);
    for (size_t i = 0; line->excludes && i < line->options.exclude_count; i++)
        free(line->excludes[i]);
    free(line->volumes);
    free(line->excludes);
    *line = (struct qz_command_line){.command = QZ_COMMAND_NONE};
}
