/* select.c: files → scenarios → cases. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "put.h"
#include "quiesce/json.h"
#include "running.h"

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

struct reading {
    struct scenario_set *set;
    const char *root;
    char **seen; /* real paths of the files read */
    size_t seen_count;
    size_t mistakes;
    size_t files; /* below the path that is looked at */
};

/* One file may be reached by several paths; it is read once. */
static bool is_new(struct reading *reading, const char *file)
{
    char *real = realpath(file, NULL);
    if (!real)
        return true; /* reading it will say why */
    for (size_t i = 0; i < reading->seen_count; i++) {
        if (strcmp(reading->seen[i], real) == 0) {
            free(real);
            return false;
        }
    }
    reading->seen = must(realloc(reading->seen, (reading->seen_count + 1) * sizeof *reading->seen));
    reading->seen[reading->seen_count++] = real;
    return true;
}

static bool read_file(const char *file, void *argument)
{
    struct reading *reading = argument;
    struct scenario_mistakes mistakes;
    reading->files++;
    if (is_new(reading, file) && !scenario_read(reading->set, reading->root, file, &mistakes)) {
        scenario_tell_mistakes(&mistakes, stderr);
        reading->mistakes++;
    }
    return true;
}

/* The folder below which names count: where the schema lies, else ./scenarios. The caller frees. */
static char *find_root(const char *path)
{
    char *root = scenario_find_root(path);
    return root ? root : must(strdup("scenarios"));
}

/* Why there is no scenario in `path`. */
static const char *why_none(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return strerror(errno);
    return S_ISDIR(facts.st_mode)   ? "found no scenario in it, allowed: files whose names end in .json"
           : S_ISREG(facts.st_mode) ? "found no scenario in it, allowed: a file whose name ends in .json"
                                    : "found what is neither a file nor a folder";
}

static int read_path(struct reading *reading, const struct options *options, const char *path)
{
    char *root = find_root(path);
    reading->root = root;
    reading->files = 0;
    int error = scenario_walk(path, read_file, reading);
    free(root);
    if (error)
        fprintf(stderr, "quiesce-sim %s: %s: %s%s\n", running_command, path, strerror(error),
                options->paths_given ? "" : "; name the folder that your scenarios are in");
    else if (reading->files == 0)
        fprintf(stderr, "quiesce-sim %s: %s: %s\n", running_command, path, why_none(path));
    return error || reading->files == 0 ? EXIT_MISTAKE : EXIT_PASSED;
}

/* All mistakes of all files are told. */
static int read_all(struct running *running)
{
    const struct options *options = &running->options;
    struct reading reading = {.set = &running->set};
    int status = EXIT_PASSED;
    for (size_t i = 0; i < options->path_count; i++) {
        if (read_path(&reading, options, options->paths[i]) != EXIT_PASSED)
            status = EXIT_MISTAKE;
    }
    for (size_t i = 0; i < reading.seen_count; i++)
        free(reading.seen[i]);
    free(reading.seen);
    if (reading.mistakes > 0)
        fprintf(stderr, "quiesce-sim %s: %zu %s; nothing was played\n", running_command, reading.mistakes,
                reading.mistakes == 1 ? "file is wrong" : "files are wrong");
    return reading.mistakes > 0 ? EXIT_MISTAKE : status;
}

/* ---- Choosing --------------------------------------------------------------------------------------------------- */

static bool matches_filters(const struct options *options, const struct scenario *scenario, const char *name)
{
    for (size_t i = 0; i < options->filter_count; i++) {
        if (fnmatch(options->filters[i], name, 0) == 0 || fnmatch(options->filters[i], scenario->name, 0) == 0)
            return true;
    }
    return options->filter_count == 0;
}

static bool has_tag(const struct scenario *scenario, const char *tag, size_t length)
{
    for (size_t i = 0; i < scenario->tag_count; i++) {
        if (strlen(scenario->tags[i]) == length && strncmp(scenario->tags[i], tag, length) == 0)
            return true;
    }
    return false;
}

/* "a,b,!c": one of them must hold. */
static bool holds(const struct scenario *scenario, const char *list)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        bool without = *list == '!';
        if (has_tag(scenario, list + without, length - without) != without)
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

static bool matches_tags(const struct options *options, const struct scenario *scenario)
{
    for (size_t i = 0; i < options->tag_count; i++) {
        if (!holds(scenario, options->tags[i]))
            return false;
    }
    return true;
}

/* FNV-1a of the name: a new scenario moves no other one into another part, and all variants' worlds stay together. */
static bool is_in_shard(const struct options *options, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return options->shard == 0 || (hash >> 17) % (unsigned)options->shards == (unsigned)options->shard - 1;
}

/* By its nature; what this machine lacks is another matter. NULL: it can. */
static const char *why_not(const struct scenario *scenario, const struct world *world)
{
    if (!(scenario->worlds & (unsigned)world->bit)) {
        for (int i = 0; i < SCENARIO_WORLD_COUNT; i++) {
            if ((unsigned)world->bit == 1u << i && scenario->why_not[i])
                return scenario->why_not[i];
        }
        return "it does not have what the scenario asks for";
    }
    return world->cannot ? world->cannot(scenario) : NULL;
}

/* ---- Nothing matches -------------------------------------------------------------------------------------------- */

/* How many were left after each choice, and what the last one refused. */
struct choice {
    size_t by_name;
    size_t by_tag;
    size_t by_world;
    size_t by_failed;
    size_t chosen;
    const char *why_not; /* of the last scenario that no world can play */
    const struct world *refused_by;
};

static void tell_no_name(const struct running *running)
{
    const char **names = must(calloc(running->set.count + 1, sizeof *names));
    for (size_t i = 0; i < running->set.count; i++)
        names[i] = running->set.items[i].name;
    const char *nearest = qz_nearest_word(running->options.filters[0], names);
    fprintf(stderr, "quiesce-sim %s: --filter: no name matches \"%s\"%s%s%s; --list prints all\n", running_command,
            running->options.filters[0], nearest ? " (did you mean \"" : "", nearest ? nearest : "",
            nearest ? "\"?)" : "");
    free(names);
}

static void tell_no_tag(const struct running *running)
{
    const struct options *options = &running->options;
    const char **tags = NULL;
    size_t count = 0;
    for (size_t i = 0; i < running->set.count; i++) {
        const struct scenario *scenario = &running->set.items[i];
        tags = must(realloc(tags, (count + scenario->tag_count + 1) * sizeof *tags));
        for (size_t k = 0; k < scenario->tag_count; k++)
            tags[count++] = scenario->tags[k];
        tags[count] = NULL;
    }
    const char *nearest = qz_nearest_word(options->tags[0], tags);
    fprintf(stderr, "quiesce-sim %s: --tags: no scenario has what \"%s\"%s asks for%s%s%s\n", running_command, options->tags[0],
            options->tag_count > 1 ? " and the others" : "", nearest ? "; there is \"" : "", nearest ? nearest : "",
            nearest ? "\"" : "");
    free(tags);
}

static int tell_nothing(const struct running *running, const struct choice *choice)
{
    if (choice->by_name == 0) {
        tell_no_name(running);
    } else if (choice->by_tag == 0) {
        tell_no_tag(running);
    } else if (choice->by_world == 0 && choice->refused_by) {
        fprintf(stderr, "quiesce-sim %s: none of these %zu can be played in the world %s: %s\n", running_command, choice->by_tag,
                choice->refused_by->name, choice->why_not);
    } else if (choice->by_failed == 0) {
        fprintf(stderr, "quiesce-sim %s: --failed: none of these failed last time\n", running_command);
    } else {
        /* Others have something to do. */
        printf("part %d of %d holds none of %zu; nothing to play\n", running->options.shard, running->options.shards,
               choice->by_failed);
        return EXIT_PASSED;
    }
    return EXIT_MISTAKE;
}

/* ---- Cases ------------------------------------------------------------------------------------------------------ */

static void add_case(struct running *running, const struct scenario *scenario, const struct world *world)
{
    struct report *report = &running->report;
    for (int i = 0; i < running->options.repeat; i++) {
        if ((report->count & (report->count + 1)) == 0) /* full, at 0, 1, 3, 7 … */
            report->cases = must(realloc(report->cases, (2 * report->count + 1) * sizeof *report->cases));
        report->cases[report->count++] = (struct report_case){.scenario = scenario, .world = world, .repetition = i};
    }
}

/* In every world that is asked for and can. */
static void add_cases(struct running *running, const struct scenario *scenario, const char *name,
                      const struct failed_list *failed, struct choice *choice)
{
    size_t first = running->report.count;
    bool any = false;
    for (const struct world *const *world = running->known; *world; world++) {
        unsigned asked = running->options.worlds;
        const char *why = why_not(scenario, *world);
        if (asked && !(asked & (unsigned)(*world)->bit))
            continue;
        if (why) {
            choice->why_not = why;
            choice->refused_by = *world;
            continue;
        }
        any = true;
        if (running->options.failed && !failed_contains(failed, scenario, *world))
            continue;
        choice->by_failed++;
        if (is_in_shard(&running->options, name))
            add_case(running, scenario, *world);
    }
    choice->by_world += any;
    bool compared = running->report.count - first > (size_t)running->options.repeat;
    for (size_t i = first; i < running->report.count; i++)
        running->report.cases[i].compared = compared;
}

static void print_list(const struct running *running)
{
    const struct report *report = &running->report;
    for (size_t i = 0; i < report->count; i++) {
        const struct scenario *scenario = report->cases[i].scenario;
        if (report->cases[i].repetition > 0)
            continue;
        char *name = report_name(scenario);
        printf("%-8s %s", report->cases[i].world->name, name);
        for (size_t k = 0; k < scenario->tag_count; k++)
            printf("%s%s", k ? "," : "  [", scenario->tags[k]);
        puts(scenario->tag_count ? "]" : "");
        free(name);
    }
}

int select_cases(struct running *running)
{
    struct choice choice = {0};
    int status = read_all(running);
    if (status != EXIT_PASSED)
        return status;
    struct failed_list failed = running->options.failed ? failed_read() : (struct failed_list){NULL, 0};
    for (size_t i = 0; i < running->set.count; i++) {
        const struct scenario *scenario = &running->set.items[i];
        char *name = report_name(scenario);
        bool named = matches_filters(&running->options, scenario, name);
        bool tagged = named && matches_tags(&running->options, scenario);
        choice.by_name += named;
        choice.by_tag += tagged;
        if (tagged)
            add_cases(running, scenario, name, &failed, &choice);
        free(name);
    }
    failed_free(&failed);
    if (running->report.count == 0)
        return tell_nothing(running, &choice);
    if (running->options.list)
        print_list(running);
    return EXIT_PASSED;
}
