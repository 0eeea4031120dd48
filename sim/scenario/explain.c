/* explain.c: worlds, steps and expectations in plain words; and the command `explain`. */
#include "explain.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "memory.h"
#include "schema.h"
#include "trace.h"

#define WORD_WIDTH 13

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

void explain_begin(struct explainer *explainer, const char *word)
{
    explainer->word = word;
}

void explain_line(struct explainer *explainer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(explainer->out, "%-*s", WORD_WIDTH, explainer->word);
    vfprintf(explainer->out, format, arguments);
    fputc('\n', explainer->out);
    explainer->word = "";
    va_end(arguments);
}

const char *explain_duration(int64_t duration_us)
{
    static _Thread_local char texts[4][32];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 4];
    if (duration_us == SCENARIO_FOREVER)
        snprintf(text, sizeof texts[0], "for ever");
    else if (duration_us >= 1000000)
        snprintf(text, sizeof texts[0], "%.15g s", (double)duration_us / 1e6);
    else
        snprintf(text, sizeof texts[0], "%.15g ms", (double)duration_us / 1e3);
    return text;
}

/* ---- Worlds ------------------------------------------------------------------------------------------------------ */

static void explain_worlds(FILE *out, const struct scenario *scenario)
{
    struct explainer explainer = {out, "Worlds"};
    for (unsigned i = 0; i < SCENARIO_WORLD_COUNT; i++) {
        const char *name = scenario_world_name((enum scenario_world)(1u << i));
        if (scenario->worlds & 1u << i)
            explain_line(&explainer, "%s", name);
        else
            explain_line(&explainer, "not %s: %s", name, scenario->why_not[i]);
    }
    explain_begin(&explainer, "Needs");
    for (size_t i = 0; i < scenario->need_count; i++)
        explain_line(&explainer, "%s%s", scenario->needs[i],
                     strncmp(scenario->needs[i], "fs:", 3) == 0 ? " (in the loop world)" : "");
}

/* ---- Expectations ------------------------------------------------------------------------------------------------ */

static void explain_list(struct explainer *explainer, const char *says, const char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        explain_line(explainer, "%s%s", i ? "    " : says, items[i]);
}

static void explain_errors(struct explainer *explainer, const struct scenario_expect *expect)
{
    if (!expect->errors)
        return;
    if (expect->error_count == 0)
        explain_line(explainer, "no errors");
    for (size_t i = 0; i < expect->error_count; i++)
        explain_line(explainer, "error %zu of %zu: %s", i + 1, expect->error_count, expect->errors[i]);
}

static void explain_trace(struct explainer *explainer, const struct scenario_expect *expect)
{
    for (size_t i = 0; i < expect->trace_count; i++)
        explain_line(explainer, "%s%s", i ? "  then   " : "  first  ", expect->trace[i]);
    for (size_t i = 0; i < expect->never_count; i++)
        explain_line(explainer, "  never  %s", expect->never[i]);
    for (size_t i = 0; i < expect->duration_count; i++) {
        const struct scenario_duration *duration = &expect->durations[i];
        if (duration->max_us == SCENARIO_FOREVER)
            explain_line(explainer, "from \"%s\" to \"%s\" at least %s", duration->from, duration->to,
                         explain_duration(duration->min_us));
        else
            explain_line(explainer, "from \"%s\" to \"%s\" %s to %s", duration->from, duration->to,
                         explain_duration(duration->min_us), explain_duration(duration->max_us));
    }
}

static void explain_frozen(struct explainer *explainer, const struct scenario_expect *expect)
{
    if (expect->frozen && expect->frozen_count == 0)
        explain_line(explainer, "nothing is frozen");
    for (size_t i = 0; i < expect->frozen_count; i++)
        explain_line(explainer, "%s is frozen", expect->frozen[i]);
}

static void explain_json(struct explainer *explainer, const char *says, const cJSON *value)
{
    char *text = value ? cJSON_PrintUnformatted(value) : NULL;
    if (value && !text)
        scenario_no_memory();
    if (text)
        explain_line(explainer, "%s %s", says, text);
    cJSON_free(text);
}

static void explain_expectations(FILE *out, const struct scenario_expect *expect, bool oracle)
{
    struct explainer explainer = {out, "must be seen"};
    if (expect->exit >= 0)
        explain_line(&explainer, "exit status %d", expect->exit);
    if (expect->signal > 0)
        explain_line(&explainer, "it dies by SIG%s", trace_signal_name(expect->signal));
    if (expect->consistency)
        explain_line(&explainer, "the backup is worth: %s", expect->consistency);
    explain_errors(&explainer, expect);
    explain_trace(&explainer, expect);
    explain_list(&explainer, "on standard output: ", expect->out, expect->out_count);
    explain_list(&explainer, "on standard error: ", expect->err, expect->err_count);
    explain_json(&explainer, "the result contains", expect->result);
    explain_json(&explainer, "the snapshot holds", expect->snapshot);
    explain_json(&explainer, "what crashes would have left", expect->crash_images);
    explain_frozen(&explainer, expect);
    if (expect->golden)
        explain_line(&explainer, "the trace is the golden one, beside the file");
    explain_line(&explainer, oracle ? "and the oracle has no objection" : "and the seven invariants hold");
}

static void explain_step(FILE *out, const struct scenario *scenario, size_t index)
{
    const struct scenario_step *step = &scenario->steps[index];
    struct explainer explainer = {out, index ? "Then" : "Command"};
    fprintf(out, "%-*squiesce", WORD_WIDTH, explainer.word);
    for (size_t i = 0; i < step->argc; i++)
        fprintf(out, strpbrk(step->argv[i], " \t\n'\"*$") || !step->argv[i][0] ? " '%s'" : " %s", step->argv[i]);
    if (step->after_us > 0)
        fprintf(out, "   (%.3g s later)", (double)step->after_us / 1e6);
    fprintf(out, "%s\n", step->root ? "" : "   (by nobody, not root)");
    if (step->log_on)
        fprintf(out, "%-*sits log goes to a file on %s\n", WORD_WIDTH, "", step->log_on);
    explain_expectations(out, &step->expect, scenario->oracle);
}

void scenario_explain(FILE *out, const struct scenario *scenario)
{
    fprintf(out, "%s%s%s%s\n%s\n\n", scenario->name, scenario->variant[0] ? " [" : "", scenario->variant,
            scenario->variant[0] ? "]" : "", scenario->description);
    explain_worlds(out, scenario);
    explain_machine(out, scenario);
    for (size_t i = 0; i < scenario->step_count; i++)
        explain_step(out, scenario, i);
}

/* ---- The commands ------------------------------------------------------------------------------------------------ */

/* What the command line asks for, and what has come of it. */
struct request {
    const char *root;
    const char *pattern; /* of variants; NULL: the first of each file */
    bool first;
    bool found; /* a scenario, in the path at hand */
    int status;
};

static void explain_set(struct request *request, const struct scenario_set *set)
{
    size_t shown = 0;
    request->found = true;
    for (size_t i = 0; i < set->count; i++) {
        const struct scenario *scenario = &set->items[i];
        if (request->pattern ? fnmatch(request->pattern, scenario->variant, 0) != 0 : i > 0)
            continue;
        fputs(request->first ? "" : "\n", stdout);
        request->first = false;
        scenario_explain(stdout, scenario);
        shown++;
    }
    if (shown == set->count)
        return;
    if (shown == 0) {
        fprintf(stderr, "quiesce-sim explain: --variant: no variant of %s matches \"%s\"\n", set->items[0].file,
                request->pattern);
        request->status = EXIT_MISTAKE;
    }
    if (!set->items[0].variant[0])
        return;
    printf("%s%zu variants:\n", shown ? "\n" : "", set->count);
    for (size_t i = 0; i < set->count; i++)
        printf("    %s\n", set->items[i].variant);
}

static bool explain_file(const char *file, void *argument)
{
    struct request *request = argument;
    struct scenario_set set = {NULL, 0, NULL};
    struct scenario_mistakes mistakes;
    if (scenario_read(&set, request->root, file, &mistakes)) {
        explain_set(request, &set);
    } else {
        scenario_tell_mistakes(&mistakes, stderr);
        request->status = EXIT_MISTAKE;
    }
    scenario_set_free(&set);
    return true;
}

static int explain_path(struct request *request, const char *path)
{
    char *root = scenario_find_root(path);
    request->root = root;
    request->found = false;
    int error = scenario_walk(path, explain_file, request);
    free(root);
    request->root = NULL;
    if (error) {
        fprintf(stderr, "%s: %s\n", path, strerror(error));
        request->status = EXIT_MISTAKE;
    } else if (!request->found && request->status == EXIT_PASSED) {
        fprintf(stderr, "%s: found no scenario in it, allowed: files whose names end in .json\n", path);
        request->status = EXIT_MISTAKE;
    }
    return request->status;
}

static void print_explain_help(FILE *out)
{
    fputs("Usage: quiesce-sim explain [--variant PATTERN] SCENARIO…\n\n"
          "Says in plain words what scenarios (files, or folders of them) set up, what goes wrong in them, and what "
          "must\n"
          "be seen. Of a matrix the first combination is told in full, or all those whose name matches PATTERN.\n"
          "Plays nothing. Exits 2 if one is wrong.\n", out);
}

int command_explain(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"variant", required_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct request request = {.first = true};
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == 'h') {
            print_explain_help(stdout);
            return EXIT_PASSED;
        }
        if (option != 'v') {
            print_explain_help(stderr);
            return EXIT_MISTAKE;
        }
        request.pattern = optarg;
    }
    if (optind == argc) {
        print_explain_help(stderr);
        return EXIT_MISTAKE;
    }
    for (int i = optind; i < argc; i++)
        explain_path(&request, argv[i]);
    return request.status;
}

int command_schema(int argc, char **argv)
{
    if (argc > 1) {
        fputs("Usage: quiesce-sim schema\n\nPrints the JSON Schema of scenario files: "
              "scenarios/scenario.schema.json.\n",
              strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return strcmp(argv[1], "--help") == 0 ? EXIT_PASSED : EXIT_MISTAKE;
    }
    char *schema = scenario_schema();
    fputs(schema, stdout);
    free(schema);
    return EXIT_PASSED;
}
