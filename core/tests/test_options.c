#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "commands.h"
#include "fixture.h"
#include "options.h"
#include "options_table.h"
#include "text.h"

#define WORDS_MAX 24

/* A command line under test; `text` is cut at blanks, `''` is an empty word. */
struct words {
    char text[512];
    char *argv[WORDS_MAX + 1];
    int argc;
    struct qz_command_line line;
};

static enum qz_parse parse(struct words *words, const char *text)
{
    snprintf(words->text, sizeof words->text, "%s", text);
    words->argc = 0;
    for (char *word = strtok(words->text, " "); word && words->argc < WORDS_MAX; word = strtok(NULL, " "))
        words->argv[words->argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    words->argv[words->argc] = NULL;
    return qz_options_parse(words->argc, words->argv, NULL, &words->line);
}

/* Is the line wrong, and the message this one? */
static void check_wrong(const char *text, const char *message)
{
    struct words words;
    CHECK_INT(parse(&words, text), QZ_PARSE_WRONG);
    CHECK_STRING(words.line.message, message);
    qz_options_free(&words.line);
}

static void check_parse(const char *text, enum qz_parse expected, enum qz_command command)
{
    struct words words;
    CHECK_INT(parse(&words, text), expected);
    CHECK_STRING(words.line.message, "");
    CHECK_INT(words.line.command, command);
    qz_options_free(&words.line);
}

QZ_TEST(every_command_is_known) // Each of the seven commands is recognised by its name.
{
    check_parse("quiesce run -- true", QZ_PARSE_GO, QZ_COMMAND_RUN);
    check_parse("quiesce check", QZ_PARSE_GO, QZ_COMMAND_CHECK);
    check_parse("quiesce freeze --hold 1", QZ_PARSE_GO, QZ_COMMAND_FREEZE);
    check_parse("quiesce thaw", QZ_PARSE_GO, QZ_COMMAND_THAW);
    check_parse("quiesce status", QZ_PARSE_GO, QZ_COMMAND_STATUS);
    check_parse("quiesce init", QZ_PARSE_GO, QZ_COMMAND_INIT);
    check_parse("quiesce errors", QZ_PARSE_GO, QZ_COMMAND_ERRORS);
}

QZ_TEST(help_and_version_everywhere) // --help, -h and --version are understood with and without a command.
{
    check_parse("quiesce --help", QZ_PARSE_HELP, QZ_COMMAND_NONE);
    check_parse("quiesce -h", QZ_PARSE_HELP, QZ_COMMAND_NONE);
    check_parse("quiesce --version", QZ_PARSE_VERSION, QZ_COMMAND_NONE);
    for (int i = QZ_COMMAND_NONE + 1; i < QZ_COMMAND_COUNT; i++) {
        char text[64];
        snprintf(text, sizeof text, "quiesce %s --help", qz_command_rows[i].name);
        check_parse(text, QZ_PARSE_HELP, (enum qz_command)i);
        snprintf(text, sizeof text, "quiesce %s --version", qz_command_rows[i].name);
        check_parse(text, QZ_PARSE_VERSION, (enum qz_command)i);
        snprintf(text, sizeof text, "quiesce %s -h", qz_command_rows[i].name);
        check_parse(text, QZ_PARSE_HELP, (enum qz_command)i);
    }
}

QZ_TEST(defaults_are_filled_in) // What is not given has the contract's default.
{
    struct words words;
    CHECK_INT(parse(&words, "quiesce run -- snap --volume /x"), QZ_PARSE_GO);
    const struct qz_options *options = &words.line.options;
    CU_ASSERT_PTR_NULL(options->config_path);
    CU_ASSERT_PTR_NULL(options->plugin_host_path);
    CHECK_INT(options->volume_count, 0);
    CHECK_INT(options->exclude_count, 0);
    CHECK_INT(options->freeze_timeout_us, 60000000);
    CHECK_INT(options->hold_limit_us, 60000000);
    CHECK_INT(options->hold_us, 0);
    CHECK_INT(options->attempts, 1);
    CHECK_INT(options->attempt_delay_us, 5000000);
    CHECK_INT(options->expedite, QZ_EXPEDITE_AUTO);
    CU_ASSERT_TRUE(options->scripts);
    CHECK_INT(words.line.format, QZ_FORMAT_HUMAN);
    CU_ASSERT_PTR_NULL(words.line.report_path);
    CHECK_STRING(words.line.init_directory, "/etc/azure");
    CHECK_STRING(options->snapshot_argv[0], "snap");
    CHECK_STRING(options->snapshot_argv[1], "--volume");
    CU_ASSERT_PTR_NULL(options->snapshot_argv[3]);
    qz_options_free(&words.line);
}

QZ_TEST(every_option_is_taken) // Each option's value arrives where it belongs.
{
    struct words words;
    CHECK_INT(parse(&words, "quiesce freeze --config /c --plugin-host=/p --hold 2.5 --hold-limit 20 --freeze-timeout "
                            "0.25 --attempts 100 --attempt-delay 0 --expedite never --format json"),
              QZ_PARSE_GO);
    const struct qz_options *options = &words.line.options;
    CHECK_STRING(options->config_path, "/c");
    CHECK_STRING(options->plugin_host_path, "/p");
    CHECK_INT(options->hold_us, 2500000);
    CHECK_INT(options->hold_limit_us, 20000000);
    CHECK_INT(options->freeze_timeout_us, 250000);
    CHECK_INT(options->attempts, 100);
    CHECK_INT(options->attempt_delay_us, 0);
    CHECK_INT(options->expedite, QZ_EXPEDITE_NEVER);
    CHECK_INT(words.line.format, QZ_FORMAT_JSON);
    CU_ASSERT_FALSE(options->scripts);
    CU_ASSERT_PTR_NULL(options->snapshot_argv);
    qz_options_free(&words.line);
    CHECK_INT(parse(&words, "quiesce check --report r.json --format human"), QZ_PARSE_GO);
    CHECK_STRING(words.line.report_path, "r.json");
    qz_options_free(&words.line);
    CHECK_INT(parse(&words, "quiesce init --dir /srv"), QZ_PARSE_GO);
    CHECK_STRING(words.line.init_directory, "/srv");
    qz_options_free(&words.line);
    CHECK_INT(parse(&words, "quiesce errors 308 --format json"), QZ_PARSE_GO);
    CHECK_STRING(words.line.error_word, "308");
    CHECK_INT(words.line.format, QZ_FORMAT_JSON);
    qz_options_free(&words.line);
}

QZ_TEST(mount_points_are_collected) // --volume and --exclude repeat; a slash at the end makes no other mount point.
{
    struct words words;
    CHECK_INT(parse(&words, "quiesce check --volume / --volume /srv/ --exclude /boot// --volume /home"), QZ_PARSE_GO);
    CHECK_INT(words.line.options.volume_count, 3);
    CHECK_STRING(words.line.options.volumes[0], "/");
    CHECK_STRING(words.line.options.volumes[1], "/srv");
    CHECK_STRING(words.line.options.volumes[2], "/home");
    CHECK_INT(words.line.options.exclude_count, 1);
    CHECK_STRING(words.line.options.excludes[0], "/boot");
    qz_options_free(&words.line);
    check_wrong("quiesce check --volume /srv --exclude /srv/",
                "check: \"/srv\" is named by --volume and by --exclude; give one of them");
}

QZ_TEST(paths_must_be_absolute) // Relative paths are refused: what is checked must not depend on where one stands.
{
    check_wrong("quiesce check --volume srv", "check: --volume: found \"srv\", allowed: an absolute path");
    check_wrong("quiesce check --exclude ./srv",
                "check: --exclude: found \"./srv\", allowed: an absolute path");
    check_wrong("quiesce check --config c.json",
                "check: --config: found \"c.json\", allowed: an absolute path");
    check_wrong("quiesce init --dir .", "init: --dir: found \".\", allowed: an absolute path");
}

QZ_TEST(run_needs_a_snapshot_command_or_a_hold) // Exactly one of `-- COMMAND` and --hold.
{
    check_wrong("quiesce run",
                "run: needs `-- COMMAND ARG...`, which takes the snapshot, or `--hold SECONDS`");
    check_wrong("quiesce run --", "run: after `--` the snapshot command is missing");
    check_wrong("quiesce run --hold 1 --", "run: after `--` the snapshot command is missing");
    check_wrong("quiesce run --hold 1 -- snap",
                "run: --hold and a snapshot command exclude each other; give one of them");
    check_wrong("quiesce run snap", "run: found \"snap\"; the snapshot command comes after `--`");
    check_wrong("quiesce run snap -- more", "run: found \"snap\"; the snapshot command comes after `--`");
    check_wrong("quiesce run --config -- snap", "run: --config: needs a value: FILE");
    check_parse("quiesce run --hold 1", QZ_PARSE_GO, QZ_COMMAND_RUN);
    check_wrong("quiesce freeze", "freeze: needs `--hold SECONDS`");
}

QZ_TEST(seconds_are_bounded_decimals) // Seconds may have decimals; all else is refused.
{
    static const char *const refused[] = {"0",   "-1",   "1e1", "0x1", ".5",   "1.",  "inf",      "3600.1",
                                          "1,5", "0.0001", "1 ",  "+1",  "1.0000001", "s", "99999999999", "1.5.2",
                                          "18446744073710" /* in millionths, 2^64 and half a second */};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct words words;
        char *argv[] = {"quiesce", "freeze", "--hold", (char *)(uintptr_t)refused[i], NULL};
        CHECK_INT(qz_options_parse(4, argv, NULL, &words.line), QZ_PARSE_WRONG);
        CHECK_CONTAINS(words.line.message, "allowed: seconds from 0.001 to 3600, such as 2 or 0.5");
        qz_options_free(&words.line);
    }
    struct words words;
    CHECK_INT(parse(&words, "quiesce freeze --hold 0.000999"), QZ_PARSE_WRONG);
    qz_options_free(&words.line);
    CHECK_INT(parse(&words, "quiesce freeze --hold 0.001"), QZ_PARSE_GO);
    CHECK_INT(words.line.options.hold_us, 1000);
    qz_options_free(&words.line);
    CHECK_INT(parse(&words, "quiesce freeze --hold 3600.000000"), QZ_PARSE_GO);
    CHECK_INT(words.line.options.hold_us, INT64_C(3600000000));
    qz_options_free(&words.line);
}

QZ_TEST(attempts_are_a_number_from_1_to_100) // --attempts takes whole numbers from 1 to 100.
{
    static const char *const refused[] = {"0", "101", "1.0", "-1", "many", "1x", "''"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct words words;
        char text[64];
        snprintf(text, sizeof text, "quiesce check --attempts %s", refused[i]);
        CHECK_INT(parse(&words, text), QZ_PARSE_WRONG);
        qz_options_free(&words.line);
    }
    check_wrong("quiesce check --attempts 101",
                "check: --attempts: found \"101\", allowed: a whole number from 1 to 100");
}

QZ_TEST(a_hold_must_fit_its_limit) // Longer than a given limit is wrong; without one the limit leaves ten seconds more.
{
    struct words words;
    check_wrong("quiesce freeze --hold 20.5 --hold-limit 20",
                "freeze: --hold: found 20.5, allowed: no more than --hold-limit, which is 20");
    CHECK_INT(parse(&words, "quiesce freeze --hold-limit 20 --hold 20"), QZ_PARSE_GO);
    CHECK_INT(words.line.options.hold_limit_us, 20000000);
    qz_options_free(&words.line);
    CHECK_INT(parse(&words, "quiesce run --hold 50.5"), QZ_PARSE_GO);
    CHECK_INT(words.line.options.hold_limit_us, 60500000);
    qz_options_free(&words.line);
    CHECK_INT(parse(&words, "quiesce run --hold 49"), QZ_PARSE_GO);
    CHECK_INT(words.line.options.hold_limit_us, 60000000);
    qz_options_free(&words.line);
}

QZ_TEST(options_are_given_once) // The same option twice is refused, unless it is --volume or --exclude.
{
    check_wrong("quiesce check --format json --format json", "check: --format: given twice, allowed once");
    check_wrong("quiesce run --hold 1 --hold=2", "run: --hold: given twice, allowed once");
}

QZ_TEST(values_are_not_forgotten) // An option without its value, or with one it does not take, is refused.
{
    check_wrong("quiesce check --config", "check: --config: needs a value: FILE");
    check_wrong("quiesce check --config ''", "check: --config: needs a value: FILE");
    check_wrong("quiesce check --help=run", "check: --help: takes no value");
    check_wrong("quiesce check --format xml", "check: --format: found \"xml\", allowed: human, json");
    check_wrong("quiesce check --expedite yes", "check: --expedite: found \"yes\", allowed: auto, always, never");
}

QZ_TEST(the_nearest_word_is_named) // A misspelt command or option is answered with the one that was probably meant.
{
    check_wrong("quiesce chekc", "no command \"chekc\"; did you mean check?");
    check_wrong("quiesce frobnicate", "no command \"frobnicate\"; there are run, begin, end, check, freeze, thaw, status, "
                                      "init and errors");
    check_wrong("quiesce", "needs a command: run, begin, end, check, freeze, thaw, status, init or errors");
    check_wrong("quiesce check --exlude=/x", "check: no option \"--exlude=/x\"; did you mean --exclude?");
    check_wrong("quiesce thaw --volume /x",
                "thaw: --volume is no option of this command; `quiesce thaw --help` lists those that are");
    check_wrong("quiesce thaw --zzzzzzzzzzzzzz", "thaw: no option \"--zzzzzzzzzzzzzz\"; `quiesce thaw --help` "
                                                 "lists those that are");
    check_wrong("quiesce run -x", "run: no option \"-x\"; `quiesce run --help` lists those that are");
}

QZ_TEST(options_are_written_out) // No abbreviations: the beginning of one option may be another command's whole one.
{
    check_wrong("quiesce check --hold 3",
                "check: --hold is no option of this command; `quiesce check --help` lists those that are");
    check_wrong("quiesce run --volu=/srv", "run: no option \"--volu=/srv\"; did you mean --volume?");
    check_wrong("quiesce run --attempt", "run: no option \"--attempt\"; did you mean --attempts?");
    check_wrong("quiesce run --hel=x", "run: no option \"--hel=x\"; did you mean --help?");
    check_wrong("quiesce check --hold-l 3", "check: no option \"--hold-l\"; did you mean --hold-limit?");
}

QZ_TEST(options_come_after_the_command) // Before the command only --help and --version are understood.
{
    check_wrong("quiesce --format json check",
                "found \"--format\", allowed: options come after the command, as in "
                "`quiesce check --format json`");
}

QZ_TEST(words_too_many_are_refused) // Only `run` and `errors` take words of their own.
{
    check_wrong("quiesce check /srv", "check: found \"/srv\", allowed: options only");
    check_wrong("quiesce thaw -- all", "thaw: found \"all\", allowed: options only");
    check_wrong("quiesce errors 300 301", "errors: found \"301\", allowed: one name or number");
}

QZ_TEST(a_hostile_word_cannot_steer_the_terminal) // What was typed is shown escaped and cut.
{
    char *argv[] = {"quiesce", "\033[2Jx\n", NULL};
    struct qz_command_line line;
    CHECK_INT(qz_options_parse(2, argv, NULL, &line), QZ_PARSE_WRONG);
    CU_ASSERT_PTR_NULL(strpbrk(line.message, "\033\n"));
    qz_options_free(&line);
}

/* Shows the help that is too large. */
static void check_at_most(const char *help, int seen, int limit)
{
    if (seen > limit)
        fprintf(stderr, "%d, at most %d:\n%s", seen, limit, help);
    CU_ASSERT_TRUE(seen <= limit);
}

QZ_TEST(help_fits_a_screen) // Every help text has at most 24 lines of at most 80 characters, options and examples.
{
    for (int i = 0; i < QZ_COMMAND_COUNT; i++) {
        char *help = qz_options_help((enum qz_command)i);
        int lines = 0;
        for (const char *line = help; line && *line; lines++) {
            size_t size = strcspn(line, "\n");
            check_at_most(help, (int)qz_text_width(line, size), 80);
            line += size + 1;
        }
        check_at_most(help, lines, 24);
        for (int j = 0; j < QZ_OPTION_COUNT; j++) {
            char option[64];
            snprintf(option, sizeof option, "\n  --%s ", qz_option_rows[j].name);
            bool shown = strstr(help, option);
            CHECK_INT(shown, qz_option_applies((enum qz_option_id)j, (enum qz_command)i));
        }
        if (i != QZ_COMMAND_NONE)
            CHECK_CONTAINS(help, "Example");
        free(help);
    }
}

QZ_TEST(examples_in_the_help_are_right) // Every example that a help text gives is itself a good command line.
{
    int examples = 0;
    for (int i = QZ_COMMAND_NONE + 1; i < QZ_COMMAND_COUNT; i++) {
        const char *line = strstr(qz_command_rows[i].epilogue, "\n  quiesce ");
        for (; line; line = strstr(line + 1, "\n  quiesce "), examples++) {
            struct words words;
            char example[256];
            snprintf(example, sizeof example, "%.*s", (int)strcspn(line + 3, "\n&"), line + 3);
            CHECK_INT(parse(&words, example), QZ_PARSE_GO);
            CHECK_STRING(words.line.message, "");
            qz_options_free(&words.line);
        }
    }
    CHECK_INT(examples, 14);
}

QZ_TEST(errors_are_listed) // `quiesce errors` gives every row of the table, with meaning and remedy.
{
    char *text;
    struct qz_error error;
    CHECK_INT(qz_command_errors(NULL, QZ_FORMAT_HUMAN, &text, &error), 0);
    for (int i = 0; i < QZ_CODE_COUNT; i++) {
        char head[128];
        snprintf(head, sizeof head, "%s (%d)\n  meaning:    ", qz_error_name((enum qz_code)i),
                 qz_error_number((enum qz_code)i));
        CHECK_CONTAINS(text, head);
    }
    free(text);
}

QZ_TEST(one_error_is_explained) // By number or by name in any case; an unknown one names the nearest.
{
    char *text;
    struct qz_error error;
    CHECK_INT(qz_command_errors("910", QZ_FORMAT_HUMAN, &text, &error), 0);
    CHECK_STRING(text, "SnapshotFailed (910)\n"
                       "  meaning:    The snapshot command failed; there is no usable backup.\n"
                       "  what to do: Look at the message, and at the command's output in the report.\n");
    free(text);
    CHECK_INT(qz_command_errors("snapshotfailed", QZ_FORMAT_JSON, &text, &error), 0);
    CHECK_STRING(text, "{\"errors\":[{\"code\":\"SnapshotFailed\",\"number\":910,\"meaning\":\"The snapshot command "
                       "failed; there is no usable backup.\",\"action\":\"Look at the message, and at the command's output in the "
                       "report.\"}]}\n");
    free(text);
    CHECK_INT(qz_command_errors("SnapshotFaild", QZ_FORMAT_HUMAN, &text, &error), 64);
    CHECK_STRING(error.message, "no error \"SnapshotFaild\"; did you mean SnapshotFailed?");
    CU_ASSERT_PTR_NULL(text);
}

/* ---- The manual page -------------------------------------------------------------------------------------------- */

/* quiesce.8 with its escaped dashes made plain. The caller frees. */
static char *read_manual(void)
{
    struct fixture fixture = fixture_read("../core/man", "quiesce.8");
    char *text = calloc(fixture.size + 1, 1);
    size_t used = 0;
    for (size_t i = 0; i < fixture.size; i++) {
        bool escape = fixture.text[i] == '\\' && i + 1 < fixture.size && fixture.text[i + 1] == '-';
        if (!escape)
            text[used++] = fixture.text[i];
    }
    fixture_free(&fixture);
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

/* "Ar seconds" for SECONDS, "Cm human Ns | Ns Cm json" for human|json, "" for none. */
static void manual_value(const char *value, char *out, size_t size)
{
    const char *bar = value ? strchr(value, '|') : NULL;
    if (bar)
        snprintf(out, size, " Cm %.*s Ns | Ns Cm %s", (int)(bar - value), value, bar + 1);
    else
        snprintf(out, size, "%s%s", value ? " Ar " : "", value ? value : "");
    for (char *at = out + (bar || !value ? strlen(out) : 4); *at; at++)
        *at = (char)tolower((unsigned char)*at);
}

QZ_TEST(the_manual_has_every_option) // With its value, once, and no other; likewise every command.
{
    char *manual = read_manual();
    size_t listed = 0;
    for (int i = 0; i < QZ_OPTION_COUNT; i++) {
        const struct qz_option_row *row = &qz_option_rows[i];
        bool in_list = qz_option_applies((enum qz_option_id)i, QZ_COMMAND_FREEZE) && row->value;
        char value[64], line[128];
        manual_value(row->value, value, sizeof value);
        snprintf(line, sizeof line, "%sFl -%s%s%s", in_list ? "\n.It " : "", row->name, value, in_list ? "\n" : "");
        CHECK_CONTAINS(manual, line);
        listed += in_list;
    }
    CHECK_INT(count_of(manual, "\n.It Fl -"), listed);
    for (int i = QZ_COMMAND_NONE + 1; i < QZ_COMMAND_COUNT; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n.It Cm %s\n", qz_command_rows[i].name);
        CHECK_INT(count_of(manual, line), 1);
        CHECK_INT(count_of(manual, line + strlen("\n.It ")) > 1, true);
    }
    CHECK_INT(count_of(manual, "\n.It Cm "), QZ_COMMAND_COUNT - 1);
    free(manual);
}

QZ_TEST(the_manual_has_the_defaults_and_limits) // The numbers that the program goes by.
{
    char *manual = read_manual();
    char part[128];
    snprintf(part, sizeof part, "are at most %d.", QZ_SECONDS_MAX);
    CHECK_CONTAINS(manual, part);
    snprintf(part, sizeof part, "times in all, 1 to %d; by default 1.", QZ_ATTEMPTS_MAX);
    CHECK_CONTAINS(manual, part);
    int freeze_timeout_s = (int)(QZ_FREEZE_TIMEOUT_US_DEFAULT / QZ_US_PER_S);
    snprintf(part, sizeof part, "all volumes together; by default %d.", freeze_timeout_s);
    CHECK_CONTAINS(manual, part);
    snprintf(part, sizeof part, "whatever happens; by default %d, or\n", (int)(QZ_HOLD_LIMIT_US_DEFAULT / QZ_US_PER_S));
    CHECK_CONTAINS(manual, part);
    snprintf(part, sizeof part, "plus %d where that is more", (int)(QZ_HOLD_LIMIT_MARGIN_US / QZ_US_PER_S));
    CHECK_CONTAINS(manual, part);
    int attempt_delay_s = (int)(QZ_ATTEMPT_DELAY_US_DEFAULT / QZ_US_PER_S);
    snprintf(part, sizeof part, "between two attempts; by default %d.", attempt_delay_s);
    CHECK_CONTAINS(manual, part);
    free(manual);
}
