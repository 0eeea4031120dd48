#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"
#include "put.h"

enum { BUDGET = 256, FAULT, FILTER, FOUND, JOBS, JSON, JUNIT, LIST, PAIRS, BINARY, SEED, SITE, STATE, WORLD, HELP };

static const struct option LONG[] = {
    {"binary", required_argument, NULL, BINARY}, {"budget", required_argument, NULL, BUDGET},
    {"fault", required_argument, NULL, FAULT},   {"filter", required_argument, NULL, FILTER},
    {"found", required_argument, NULL, FOUND},   {"help", no_argument, NULL, HELP},
    {"jobs", required_argument, NULL, JOBS},     {"json", required_argument, NULL, JSON},
    {"junit", required_argument, NULL, JUNIT},   {"list", no_argument, NULL, LIST},
    {"pairs", no_argument, NULL, PAIRS},         {"seed", required_argument, NULL, SEED},
    {"site", required_argument, NULL, SITE},     {"state", required_argument, NULL, STATE},
    {"world", required_argument, NULL, WORLD},   {NULL, 0, NULL, 0},
};

void explore_options_help(FILE *out)
{
    fputs("Usage: quiesce-sim explore [OPTION…] SCENARIO…\n\n"
          "Plays each scenario once and records every system call that quiesce makes. Then, one run each: every call\n"
          "fails with every plausible error, transfers one byte, comes too late; agent, guardian or both are killed\n"
          "before and after it, or stopped. Invariants are checked each time.\n\n"
          "  --world WORLD     fake or loop (may be repeated; without it: both)\n"
          "  --filter PATTERN  only scenarios (NAME or NAME:VARIANT) that match\n"
          "  --site PATTERN    only calls that match, as in \"guardian openat /proc/*\"\n"
          "  --fault PATTERN   only faults that match, as in \"E*\", \"KILL * before\", \"STOP *\", \"late\", \"1 byte\"\n"
          "  --budget SECONDS  begins nothing after that time; every call comes to its first fault first\n"
          "  --pairs           two faults at a time, when all have had their turn alone; needs a budget\n"
          "  --seed N          of the order, and of pairs\n"
          "  --jobs N          so many at a time, up to 256 (16, and of those that only wait up to 128)\n"
          "  --state FILE      goes on where an exploration with this file ended; of the same program only\n"
          "  --found FOLDER    where violations are written, each a small scenario (explore-found)\n"
          "  --list            prints calls and how many faults each has, and ends\n"
          "  --json FILE, --junit FILE   coverage and violations\n"
          "  --binary FILE     the quiesce to be explored\n\n"
          "Exit status: 0 all is well; 1 a violation, or a call that no fault has reached; 2 a mistake in the command\n"
          "line or a scenario; 3 the environment does not work; 77 this machine cannot (with CI=true: 3).\n",
          out);
}

static void add(const char ***list, size_t *count, const char *value)
{
    *list = must(realloc(*list, (*count + 1) * sizeof **list));
    (*list)[(*count)++] = value;
}

/* A whole number from `min` to `max`; false: `message` says so. */
static bool take_number(const char *name, const char *value, int64_t min, int64_t max, int64_t *number, char *message,
                        size_t size)
{
    char *end = NULL;
    double parsed = strtod(value, &end);
    if (end != value && *end == '\0' && parsed >= (double)min && parsed <= (double)max &&
        parsed == (double)(int64_t)parsed) {
        *number = (int64_t)parsed;
        return true;
    }
    snprintf(message, size, "--%s: found \"%.100s\", allowed: a whole number from %lld to %lld", name, value,
             (long long)min, (long long)max);
    return false;
}

static bool take_world(const char *value, unsigned *worlds, char *message, size_t size)
{
    unsigned world = strcmp(value, "fake") == 0 ? SCENARIO_FAKE : strcmp(value, "loop") == 0 ? SCENARIO_LOOP : 0;
    *worlds |= world;
    if (world == 0)
        snprintf(message, size, "--world: found \"%.100s\", allowed: fake or loop", value);
    return world != 0;
}

static bool take(int option, char *value, struct explore_options *options, char *message, size_t size)
{
    int64_t number = 0;
    struct options *run = &options->run;
    switch (option) {
    case BUDGET:
        if (!take_number("budget", value, 1, 1000000, &number, message, size))
            return false;
        options->budget_us = number * 1000000;
        return true;
    case JOBS:
        if (!take_number("jobs", value, 1, OPTIONS_JOBS_MAX, &number, message, size))
            return false;
        run->jobs = (int)number;
        return true;
    case SEED:
        if (!take_number("seed", value, 0, OPTIONS_SEED_MAX, &number, message, size))
            return false;
        run->seed = (uint64_t)number;
        run->seed_given = true;
        return true;
    case WORLD: return take_world(value, &run->worlds, message, size);
    case FILTER: add(&run->filters, &run->filter_count, value); return true;
    case FAULT: options->fault = value; return true;
    case FOUND: options->found = value; return true;
    case JSON: run->json = value; return true;
    case JUNIT: run->junit = value; return true;
    case LIST: options->list = true; return true;
    case PAIRS: options->pairs = true; return true;
    case SITE: options->site = value; return true;
    case STATE: options->state = value; return true;
    case BINARY: run->binary = value; return true;
    default: return false;
    }
}

enum options_parse explore_options_parse(int argc, char **argv, struct explore_options *options, char *message,
                                         size_t message_size)
{
    *options = (struct explore_options){.run = {.repeat = 1, .paths_given = true}, .found = "explore-found"};
    optind = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", LONG, NULL)) >= 0;) {
        if (option == HELP)
            return OPTIONS_HELP;
        if (option == '?' || option == ':') {
            snprintf(message, message_size, "%.100s %s; --help lists the options", argv[optind - 1],
                     option == ':' ? "needs a value" : "is no option");
            return OPTIONS_WRONG;
        }
        if (!take(option, optarg, options, message, message_size))
            return OPTIONS_WRONG;
    }
    for (; optind < argc; optind++)
        add(&options->run.paths, &options->run.path_count, argv[optind]);
    if (options->run.path_count == 0) {
        snprintf(message, message_size, "no scenario is named");
        return OPTIONS_WRONG;
    }
    if (options->pairs && options->budget_us == 0) {
        snprintf(message, message_size, "--pairs needs a --budget: there are too many to try all of them");
        return OPTIONS_WRONG;
    }
    return OPTIONS_GO;
}

void explore_options_free(struct explore_options *options)
{
    free(options->run.paths);
    free(options->run.filters);
}
