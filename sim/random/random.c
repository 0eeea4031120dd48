/* random.c: the command `random`: what is asked for, and what is told. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "put.h"
#include "random.h"
#include "running.h"

#define SECONDS_DEFAULT 10
#define SECONDS_MAX (7 * 86400)
#define COUNT_MAX 1000000000

struct asked {
    struct random_order order;
    const char *found; /* folder */
    const char *again; /* how commands begin that play something again */
    bool print;
    bool seed_given;
};

static void print_help(FILE *out)
{
    fputs("Usage: quiesce-sim random [OPTION]…\n\n"
          "Makes scenarios by chance and plays them in the virtual world: in each, another part of\n"
          "what may happen is on. Each has a number. What goes wrong is made small and written as a\n"
          "scenario file, which `quiesce-sim run` plays.\n\n"
          "  --seed N       number of the first scenario; without this option: any\n"
          "  --count N      so many scenarios\n"
          "  --seconds N    for so long; 10 without --count\n"
          "  --jobs N       so many at a time; without this option: as many as there are processors\n"
          "  --keep-going   also after a violation\n"
          "  --found DIR    where scenario files are written (.)\n"
          "  --print        print the scenario of --seed, and play nothing\n"
          "  --help\n\n"
          "Exit status: 0 nothing went wrong, 1 something did, 2 the command line is wrong,\n"
          "3 a file could not be written; 128 + signal: interrupted.\n", out);
}

/* ---- The command line -------------------------------------------------------------------------------------------- */

static bool read_number(const char *option, const char *value, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(value, &end, 10);
    if (*value >= '0' && *value <= '9' && *end == '\0' && errno == 0 && *number >= least && *number <= most)
        return true;
    fprintf(stderr, "quiesce-sim random: --%s: found \"", option);
    put_visible(stderr, value);
    fprintf(stderr, "\", allowed: a whole number from %" PRIu64 " to %" PRIu64 "\n", least, most);
    return false;
}

enum { SEED, COUNT, SECONDS, JOBS, KEEP_GOING, FOUND, PRINT, HELP };

static const struct option OPTIONS[] = {
    {"seed", required_argument, NULL, SEED},       {"count", required_argument, NULL, COUNT},
    {"seconds", required_argument, NULL, SECONDS}, {"jobs", required_argument, NULL, JOBS},
    {"keep-going", no_argument, NULL, KEEP_GOING}, {"found", required_argument, NULL, FOUND},
    {"print", no_argument, NULL, PRINT},           {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0}};

static bool take(struct asked *asked, int option, const char *value)
{
    struct random_order *order = &asked->order;
    const char *name = OPTIONS[option].name;
    uint64_t number = 0;
    bool sound = true;
    switch (option) {
    case SEED:
        sound = read_number(name, value, 0, OPTIONS_SEED_MAX, &order->first);
        asked->seed_given = true;
        break;
    case COUNT: sound = read_number(name, value, 1, COUNT_MAX, &order->count); break;
    case SECONDS:
        sound = read_number(name, value, 1, SECONDS_MAX, &number);
        order->seconds = (int64_t)number;
        break;
    case JOBS:
        sound = read_number(name, value, 1, OPTIONS_JOBS_MAX, &number);
        order->jobs = (int)number;
        break;
    case KEEP_GOING: order->keep_going = true; break;
    case FOUND: asked->found = value; break;
    default: asked->print = true;
    }
    return sound;
}

/* Returns an exit status, or -1: go on. */
static int parse(int argc, char **argv, struct asked *asked)
{
    int option;
    opterr = 0;
    optind = 0; /* begin anew */
    while ((option = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1) {
        if (option == HELP) {
            print_help(stdout);
            return EXIT_PASSED;
        }
        if (option == '?' || option == ':') {
            fprintf(stderr, "quiesce-sim random: %s %s; quiesce-sim random --help lists the options\n", argv[optind - 1],
                    option == ':' ? "needs a value" : "is no option");
            return EXIT_MISTAKE;
        }
        if (!take(asked, option, optarg))
            return EXIT_MISTAKE;
    }
    if (optind < argc) {
        fprintf(stderr, "quiesce-sim random: %s: takes no words but options\n", argv[optind]);
        return EXIT_MISTAKE;
    }
    return -1;
}

static void settle(struct asked *asked)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t seed = 1;
    if (asked->order.count == 0 && asked->order.seconds == 0)
        asked->order.seconds = SECONDS_DEFAULT;
    if (asked->order.count == 0)
        asked->order.count = UINT64_MAX;
    if (asked->order.jobs == 0)
        asked->order.jobs = processors > 0 && processors < OPTIONS_JOBS_MAX ? (int)processors : 1;
    if (!asked->seed_given && getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint32_t)now_us();
    if (!asked->seed_given)
        asked->order.first = seed;
}

/* ---- A violation ------------------------------------------------------------------------------------------------- */

/* "found/a-volume-is-left-frozen-4711.json". The caller frees. */
static char *path_of(const char *folder, const char *kind, uint64_t number)
{
    char slug[48];
    size_t length = 0;
    for (const char *c = kind; *c && length < sizeof slug - 1; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (plain || (length > 0 && slug[length - 1] != '-'))
            slug[length++] = plain ? *c : '-';
    }
    while (length > 0 && slug[length - 1] == '-')
        length--;
    return must_format("%s/%.*s-%" PRIu64 ".json", folder, (int)length, slug, number);
}

static bool write_scenario(cJSON *scenario, const char *path, const struct random_verdict *verdict, uint64_t number)
{
    char *description = must_format("Found by chance (number %" PRIu64 "): %s", number, verdict->kind);
    cJSON_ReplaceItemInObjectCaseSensitive(scenario, "description", must(cJSON_CreateString(description)));
    char *text = must(cJSON_Print(scenario));
    FILE *file = fopen(path, "we");
    bool written = file && fprintf(file, "%s\n", text) > 0;
    written = file && fclose(file) == 0 && written;
    free(text);
    free(description);
    return written;
}

struct telling {
    const struct asked *asked;
    int status;
};

/* Plays it once more, makes it small, writes it, and says so. */
static void tell_violation(uint64_t number, void *argument)
{
    struct telling *telling = argument;
    const struct asked *asked = telling->asked;
    struct random_verdict verdict;
    cJSON *scenario = random_scenario(number);
    random_play_apart(scenario, &verdict);
    printf("\nnumber %" PRIu64 ": ", number);
    put_visible(stdout, verdict.says);
    printf("\n  repeat:  %s random --seed %" PRIu64 " --count 1\n", asked->again, number);
    fflush(stdout);
    telling->status = EXIT_FAILED;
    if (verdict.sound && verdict.kind[0]) {
        int plays = random_shrink(scenario, verdict.kind);
        char *path = path_of(asked->found, verdict.kind, number);
        if (write_scenario(scenario, path, &verdict, number)) {
            printf("  small:   %s run %s   (after %d plays)\n", asked->again, path, plays);
        } else {
            fprintf(stderr, "quiesce-sim random: %s: %s\n", path, strerror(errno));
            telling->status = EXIT_BROKEN;
        }
        free(path);
    }
    cJSON_Delete(scenario);
    fflush(stdout);
}

/* ---- The way ----------------------------------------------------------------------------------------------------- */

static int print_scenario(uint64_t number)
{
    cJSON *scenario = random_scenario(number);
    char *text = must(cJSON_Print(scenario));
    puts(text);
    free(text);
    cJSON_Delete(scenario);
    return EXIT_PASSED;
}

static int explore(const struct asked *asked)
{
    struct telling telling = {asked, EXIT_PASSED};
    if (mkdir(asked->found, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "quiesce-sim random: --found %s: %s\n", asked->found, strerror(errno));
        return EXIT_BROKEN;
    }
    printf("scenarios from number %" PRIu64 " on (--seed)\n", asked->order.first);
    fflush(stdout);
    struct random_sum sum = random_work(&asked->order, tell_violation, &telling);
    double seconds = (double)sum.duration_us / 1e6;
    printf("%" PRIu64 " scenarios in %.1f s, %.0f a second; %" PRIu64 " violation%s\n", sum.played, seconds,
           (double)sum.played / seconds, sum.violations, sum.violations == 1 ? "" : "s");
    return sum.interrupted ? 128 + sum.interrupted : telling.status;
}

int command_random(int argc, char **argv)
{
    char *here = places_here();
    char *program = places_program();
    char *again = report_begin_again(here, program);
    struct asked asked = {.found = ".", .again = again};
    int status = parse(argc, argv, &asked);
    if (status < 0) {
        settle(&asked);
        status = asked.print ? print_scenario(asked.order.first) : explore(&asked);
    }
    free(again);
    free(program);
    free(here);
    return status;
}
