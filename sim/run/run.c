/* run.c: the way of `quiesce-sim run`. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "put.h"
#include "run_command.h"
#include "running.h"
#include "text.h"

/* ---- Before ----------------------------------------------------------------------------------------------------- */

/* The words that repeat all of it: those given, with the seed. */
static char *command_of(const struct running *running, int argc, char **argv)
{
    struct qz_text text = {0};
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)running->report.seed);
    qz_text_add_words(&text, (char *[]){running->report.program, (char *)"run", NULL});
    if (!running->options.seed_given) {
        qz_text_add(&text, " ");
        qz_text_add_words(&text, (char *[]){(char *)"--seed", seed, NULL});
    }
    if (argc > 1)
        qz_text_add(&text, " ");
    qz_text_add_words(&text, argv + 1);
    return must(qz_text_take(&text));
}

/* What a single case needs beside its file, world and seed. */
static char *options_of(const struct options *options)
{
    struct qz_text text = {0};
    if (options->binary)
        qz_text_add_words(&text, (char *[]){(char *)"--binary", (char *)options->binary, NULL});
    if (options->timeout_us > 0)
        qz_text_add(&text, "%s--timeout %g", options->binary ? " " : "", (double)options->timeout_us / 1e6);
    if (options->crash_images > 0)
        qz_text_add(&text, "%s--crash-images %d", options->binary || options->timeout_us > 0 ? " " : "",
                    options->crash_images);
    return must(qz_text_take(&text));
}

static void describe(struct running *running, int argc, char **argv)
{
    struct report *report = &running->report;
    uint32_t seed = 1;
    if (!running->options.seed_given && getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint32_t)now_us();
    report->seed = running->options.seed_given ? running->options.seed : seed;
    report->folder = places_here();
    report->program = places_program();
    report->options = options_of(&running->options);
    report->command = command_of(running, argc, argv);
    report->started = time(NULL);
}

/* What this machine cannot play is skipped; under CI=true nothing may be. */
static void skip(struct running *running)
{
    const char *ci = getenv("CI");
    bool strict = ci && strcmp(ci, "true") == 0;
    for (const struct world *const *world = running->known; *world; world++) {
        const char *lacks = NULL;
        bool asked = false;
        for (size_t i = 0; i < running->report.count; i++) {
            struct report_case *it = &running->report.cases[i];
            if (it->world != *world)
                continue;
            if (!asked && (*world)->lacks)
                lacks = (*world)->lacks();
            asked = true;
            const char *why = lacks ? lacks : needs_missing(it->scenario, *world);
            if (!why)
                continue;
            it->verdict = strict ? VERDICT_BROKEN : VERDICT_SKIPPED;
            it->why = strict ? must_format("cannot be skipped under CI=true: %s", why) : must(strdup(why));
        }
    }
}

/* The files of the report, opened before anything is played: a wrong path is found out now. */
struct outputs {
    FILE *junit;
    FILE *html;
    FILE *json;
};

static bool open_output(const char *option, const char *path, FILE **file)
{
    *file = path ? fopen(path, "we") : NULL;
    if (path && !*file)
        fprintf(stderr, "quiesce-sim %s: --%s: %s: %s\n", running_command, option, path, strerror(errno));
    return !path || *file;
}

static int open_outputs(const struct options *options, struct outputs *outputs)
{
    bool all = open_output("junit", options->junit, &outputs->junit) &&
               open_output("html", options->html, &outputs->html) && open_output("json", options->json, &outputs->json);
    return all ? EXIT_PASSED : EXIT_MISTAKE;
}

/* ---- After ------------------------------------------------------------------------------------------------------ */

static bool has_ended(const struct report_case *it)
{
    return (it->verdict == VERDICT_PASSED || it->verdict == VERDICT_FAILED) && it->outcome.step_count > 0;
}

/* Every world is compared with the first that played the same. */
static void agree(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        struct report_case *it = &report->cases[i];
        size_t first = i;
        for (size_t k = i; it->compared && k > 0 && report->cases[k - 1].scenario == it->scenario; k--) {
            if (report->cases[k - 1].repetition == it->repetition && has_ended(&report->cases[k - 1]))
                first = k - 1;
        }
        if (first == i || !has_ended(it))
            continue;
        const struct report_case *other = &report->cases[first];
        size_t before = it->findings.count;
        judge_agreement(other->world->name, &other->outcome, it->world->name, &it->outcome, &it->findings);
        if (it->findings.count == before)
            continue;
        it->contradicts = other->world;
        it->verdict = VERDICT_FAILED;
    }
}

static bool is_coloured(void)
{
    const char *without = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(without && *without) && !(term && strcmp(term, "dumb") == 0);
}

static int write_output(const char *option, FILE *file, const struct report *report,
                        void (*write)(const struct report *, FILE *))
{
    if (!file)
        return EXIT_PASSED;
    write(report, file);
    bool failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        fprintf(stderr, "quiesce-sim %s: --%s: the file could not be written: %s\n", running_command, option, strerror(errno));
        return EXIT_BROKEN;
    }
    return EXIT_PASSED;
}

static int write_reports(struct running *running, struct outputs *outputs)
{
    const struct report *report = &running->report;
    if (running->options.tap)
        report_tap(report, stdout);
    else if (running->options.crash_images > 0)
        report_crashes(report, stdout);
    if (!running->options.tap)
        report_terminal(report, stdout, is_coloured());
    int statuses[] = {
        write_output("junit", outputs->junit, report, report_junit),
        write_output("html", outputs->html, report, report_html),
        write_output("json", outputs->json, report, report_json),
    };
    *outputs = (struct outputs){NULL, NULL, NULL};
    return statuses[0] + statuses[1] + statuses[2] > 0 ? EXIT_BROKEN : EXIT_PASSED;
}

static int status_of(const struct report *report)
{
    struct report_counts counts = report_count(report);
    if (report->interrupted)
        return 128 + report->interrupted;
    if (counts.of[VERDICT_FAILED] > 0)
        return EXIT_FAILED;
    return counts.of[VERDICT_BROKEN] > 0 ? EXIT_BROKEN : EXIT_PASSED;
}

/* ---- The way ---------------------------------------------------------------------------------------------------- */

static int play(struct running *running, struct outputs *outputs)
{
    struct report *report = &running->report;
    if (!running->options.tap)
        printf("playing %zu case%s, seed %llu\n", report->count, report->count == 1 ? "" : "s",
               (unsigned long long)report->seed);
    int64_t start_us = now_us();
    report->interrupted = jobs_run(running);
    report->duration_us = now_us() - start_us;
    agree(report);
    int status = running->options.update ? golden_update(running) : EXIT_PASSED;
    if (running->options.keep && status == EXIT_PASSED)
        status = places_keep(running);
    for (size_t i = 0; running->options.keep && i < report->count; i++) {
        if (report->cases[i].verdict == VERDICT_PASSED || report->cases[i].verdict == VERDICT_FAILED)
            keep_case(running, i);
    }
    failed_remember(report);
    int written = write_reports(running, outputs);
    if (status == EXIT_PASSED)
        status = written;
    int outcome = status_of(report);
    return outcome != EXIT_PASSED ? outcome : status;
}

static int prepare_and_play(struct running *running, struct outputs *outputs, int argc, char **argv)
{
    int status = select_cases(running);
    if (status != EXIT_PASSED || running->report.count == 0 || running->options.list)
        return status;
    describe(running, argc, argv);
    skip(running);
    status = open_outputs(&running->options, outputs);
    if (status == EXIT_PASSED)
        status = places_open(running);
    if (status == EXIT_PASSED)
        status = play(running, outputs);
    places_close(running);
    return status;
}

int run_in_worlds(const struct world *const *worlds, int argc, char **argv)
{
    struct running running = {.known = worlds};
    struct outputs outputs = {NULL, NULL, NULL};
    char message[512];
    int status = EXIT_PASSED;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a pager that is closed must not keep us from cleaning up */
    enum options_parse parse = options_parse(worlds, argc, argv, &running.options, message, sizeof message);
    if (parse == OPTIONS_HELP) {
        options_help(stdout);
    } else if (parse == OPTIONS_WRONG) {
        fprintf(stderr, "quiesce-sim %s: %s\n", running_command, message);
        status = EXIT_MISTAKE;
    } else {
        status = prepare_and_play(&running, &outputs, argc, argv);
    }
    FILE *files[] = {outputs.junit, outputs.html, outputs.json};
    for (size_t i = 0; i < 3; i++) {
        if (files[i])
            fclose(files[i]);
    }
    options_free(&running.options);
    report_free(&running.report);
    scenario_set_free(&running.set);
    signal(SIGPIPE, before);
    return status;
}
