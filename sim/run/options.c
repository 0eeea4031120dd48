#include "options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "put.h"
#include "quiesce/json.h"
#include "text.h"

const char *running_command = "run";

struct parser {
    const struct world *const *worlds;
    struct options *options;
    char *message;
    size_t message_size;
};

struct row {
    const char *name;
    const char *value; /* what its value is called; NULL: it takes none */
    const char *help;
    bool (*take)(struct parser *parser, const struct row *row, const char *value);
    size_t offset; /* of what it sets in struct options */
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct parser *parser, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->message, parser->message_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool wrong_value(struct parser *parser, const struct row *row, const char *value, const char *allowed)
{
    struct qz_text quoted = {0};
    qz_text_add_visible(&quoted, value, strlen(value));
    wrong(parser, "--%s: found \"%s\", allowed: %s", row->name, (char *)must(quoted.bytes), allowed);
    qz_text_free(&quoted);
    return false;
}

/* ---- What values become ----------------------------------------------------------------------------------------- */

static void *member(struct parser *parser, const struct row *row)
{
    return (char *)parser->options + row->offset;
}

static bool set_flag(struct parser *parser, const struct row *row, const char *value)
{
    (void)value;
    *(bool *)member(parser, row) = true;
    return true;
}

static bool set_string(struct parser *parser, const struct row *row, const char *value)
{
    *(const char **)member(parser, row) = value;
    return true;
}

/* A list and its count, which is the next member. */
static void add_to(const char ***list, size_t *count, const char *value)
{
    *list = must(realloc(*list, (*count + 1) * sizeof **list));
    (*list)[(*count)++] = value;
}

static bool add_filter(struct parser *parser, const struct row *row, const char *value)
{
    (void)row;
    add_to(&parser->options->filters, &parser->options->filter_count, value);
    return true;
}

static bool add_tags(struct parser *parser, const struct row *row, const char *value)
{
    (void)row;
    add_to(&parser->options->tags, &parser->options->tag_count, value);
    return true;
}

/* Digits only, from `least` to `most`. */
static bool read_whole(const char *value, long long least, long long most, long long *number)
{
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > 18 || value[digits] != '\0')
        return false;
    *number = strtoll(value, NULL, 10);
    return *number >= least && *number <= most;
}

static bool set_number(struct parser *parser, const struct row *row, const char *value, long long least, long long most)
{
    long long number;
    char allowed[80];
    snprintf(allowed, sizeof allowed, "a whole number from %lld to %lld", least, most);
    if (!read_whole(value, least, most, &number))
        return wrong_value(parser, row, value, allowed);
    *(int *)member(parser, row) = (int)number;
    return true;
}

static bool set_jobs(struct parser *parser, const struct row *row, const char *value)
{
    return set_number(parser, row, value, 1, OPTIONS_JOBS_MAX);
}

static bool set_repeat(struct parser *parser, const struct row *row, const char *value)
{
    return set_number(parser, row, value, 1, OPTIONS_REPEAT_MAX);
}

static bool set_crash_images(struct parser *parser, const struct row *row, const char *value)
{
    return set_number(parser, row, value, 1, OPTIONS_CRASH_IMAGES_MAX);
}

static bool set_seed(struct parser *parser, const struct row *row, const char *value)
{
    long long seed;
    if (!read_whole(value, 0, OPTIONS_SEED_MAX, &seed))
        return wrong_value(parser, row, value, "a whole number from 0 to 9007199254740991");
    parser->options->seed = (uint64_t)seed;
    parser->options->seed_given = true;
    return true;
}

static bool set_timeout(struct parser *parser, const struct row *row, const char *value)
{
    char *end = NULL;
    double seconds = strspn(value, "0123456789.") == strlen(value) ? strtod(value, &end) : -1;
    if (!end || end == value || *end != '\0' || seconds < 0.001 || seconds > 86400)
        return wrong_value(parser, row, value, "seconds from 0.001 to 86400, such as 5 or 0.5");
    parser->options->timeout_us = (int64_t)(seconds * 1e6);
    return true;
}

static bool set_shard(struct parser *parser, const struct row *row, const char *value)
{
    char first[24];
    long long shard = 0;
    long long shards = 0;
    const char *slash = strchr(value, '/');
    snprintf(first, sizeof first, "%.*s", slash ? (int)(slash - value) : 0, value);
    if (!slash || !read_whole(slash + 1, 1, 10000, &shards) || !read_whole(first, 1, shards, &shard))
        return wrong_value(parser, row, value, "I/N, the I-th of N parts, such as 1/4");
    parser->options->shard = (int)shard;
    parser->options->shards = (int)shards;
    return true;
}

static bool set_world(struct parser *parser, const struct row *row, const char *value)
{
    const char *known[8] = {NULL};
    size_t count = 0;
    for (const struct world *const *world = parser->worlds; *world && count < 7; world++) {
        if (strcmp((*world)->name, value) == 0) {
            parser->options->worlds |= (unsigned)(*world)->bit;
            return true;
        }
        known[count++] = (*world)->name;
    }
    char allowed[160] = "";
    const char *nearest = qz_nearest_word(value, known);
    for (size_t i = 0; i < count; i++)
        snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s", i ? ", " : "", known[i]);
    if (nearest)
        snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "; did you mean %s?", nearest);
    return wrong_value(parser, row, value, allowed);
}

#define SETS(name) offsetof(struct options, name)

static const struct row ROWS[] = {
    {"world", "WORLD", "only in virtual, fake or loop (repeatable)", set_world, 0},
    {"filter", "PATTERN", "only names that match: 'retries/*', '*:exit=3' (repeatable)", add_filter, 0},
    {"tags", "TAG,TAG", "only with one of them; !TAG: without it (repeatable: all)", add_tags, 0},
    {"shard", "I/N", "only the I-th of N parts, the same in every run", set_shard, 0},
    {"failed", NULL, "only what failed last time", set_flag, SETS(failed)},
    {"list", NULL, "print what would be played, play nothing", set_flag, SETS(list)},
    {"jobs", "N", "so many at a time (fake, loop: 16; virtual: one a CPU)", set_jobs, SETS(jobs)},
    {"repeat", "N", "play everything N times", set_repeat, SETS(repeat)},
    {"timeout", "SECONDS", "for each scenario, in place of its own", set_timeout, 0},
    {"crash-images", "N", "look at so many states of each recorded disk, and tell", set_crash_images,
     SETS(crash_images)},
    {"seed", "N", "of whatever is random (a random one)", set_seed, 0},
    {"binary", "FILE", "the quiesce to play with (that built with this program)", set_string, SETS(binary)},
    {"keep", NULL, "leave each scenario's folder, thawed, with a repro.sh", set_flag, SETS(keep)},
    {"update", NULL, "rewrite golden traces (not under CI=true)", set_flag, SETS(update)},
    {"tap", NULL, "print TAP instead of text for people", set_flag, SETS(tap)},
    {"junit", "FILE", "write JUnit XML", set_string, SETS(junit)},
    {"html", "FILE", "write a page with a timeline for each scenario", set_string, SETS(html)},
    {"json", "FILE", "write everything", set_string, SETS(json)},
    {"help", NULL, "show this", NULL, 0},
};
#define ROW_COUNT (sizeof ROWS / sizeof *ROWS)

/* ---- Words ------------------------------------------------------------------------------------------------------ */

static const struct row *find_row(struct parser *parser, const char *word, size_t length)
{
    const char *known[ROW_COUNT + 1] = {NULL};
    char name[64];
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strlen(ROWS[i].name) == length && strncmp(ROWS[i].name, word, length) == 0)
            return &ROWS[i];
        known[i] = ROWS[i].name;
    }
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    const char *nearest = qz_nearest_word(name, known);
    if (nearest)
        wrong(parser, "no option --%s; did you mean --%s?", name, nearest);
    else
        wrong(parser, "no option --%s; quiesce-sim %s --help lists those there are", name, running_command);
    return NULL;
}

/* An option, and its value, from argv[*index]. */
static enum options_parse take_option(struct parser *parser, int argc, char **argv, int *index)
{
    const char *word = argv[*index] + 2;
    size_t length = strcspn(word, "=");
    const struct row *row = find_row(parser, word, length);
    const char *value = word[length] ? word + length + 1 : NULL;
    if (!row)
        return OPTIONS_WRONG;
    if (!row->take)
        return OPTIONS_HELP;
    if (!row->value && value) {
        wrong(parser, "--%s: takes no value", row->name);
        return OPTIONS_WRONG;
    }
    if (row->value && !value)
        value = *index + 1 < argc ? argv[++*index] : NULL;
    if (row->value && (!value || !*value)) {
        wrong(parser, "--%s: needs a value: %s", row->name, row->value);
        return OPTIONS_WRONG;
    }
    return row->take(parser, row, value) ? OPTIONS_GO : OPTIONS_WRONG;
}

static enum options_parse one_dash(struct parser *parser, const char *word)
{
    if (find_row(parser, word + 1, strlen(word + 1)))
        wrong(parser, "found %s, allowed: --%s", word, word + 1);
    return OPTIONS_WRONG;
}

/* What the options come to together. */
static enum options_parse settle(struct parser *parser)
{
    struct options *options = parser->options;
    const char *ci = getenv("CI");
    options->paths_given = options->path_count > 0;
    if (!options->paths_given)
        add_to(&options->paths, &options->path_count, "scenarios");
    if (options->update && ci && strcmp(ci, "true") == 0) {
        wrong(parser, "--update: found CI=true in the environment; what is expected is changed by people only");
        return OPTIONS_WRONG;
    }
    return OPTIONS_GO;
}

enum options_parse options_parse(const struct world *const *worlds, int argc, char **argv, struct options *options,
                                 char *message, size_t message_size)
{
    struct parser parser = {worlds, options, message, message_size};
    *options = (struct options){.repeat = 1};
    bool only_paths = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        enum options_parse parse = OPTIONS_GO;
        if (!only_paths && strcmp(word, "--") == 0)
            only_paths = true;
        else if (!only_paths && strncmp(word, "--", 2) == 0)
            parse = take_option(&parser, argc, argv, &i);
        else if (!only_paths && strcmp(word, "-h") == 0)
            parse = OPTIONS_HELP;
        else if (!only_paths && word[0] == '-')
            parse = one_dash(&parser, word);
        else
            add_to(&options->paths, &options->path_count, word);
        if (parse != OPTIONS_GO)
            return parse;
    }
    return settle(&parser);
}

void options_free(struct options *options)
{
    free(options->paths);
    free(options->filters);
    free(options->tags);
}

void options_help(FILE *out)
{
    fputs("Usage: quiesce-sim run [OPTION]… [PATH]…\n\n"
          "Plays scenarios: files, or all below folders (./scenarios).\n\n", out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char name[40];
        snprintf(name, sizeof name, "--%s%s%s", ROWS[i].name, ROWS[i].value ? " " : "",
                 ROWS[i].value ? ROWS[i].value : "");
        fprintf(out, "  %-18s %s\n", name, ROWS[i].help);
    }
    fputs("\nExamples:\n"
          "  quiesce-sim run --world virtual\n"
          "  quiesce-sim run --filter 'retries/until-success:*' --html report.html\n"
          "  CI=true quiesce-sim run --shard 1/4 --junit junit.xml --tap\n\n"
          "Exit status: 0 all passed, 1 some failed, 2 a scenario or the command line is\n"
          "wrong, or nothing matches, 3 this machine cannot; 128 + signal: interrupted.\n", out);
}
