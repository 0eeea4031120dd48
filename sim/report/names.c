/* names.c: how cases are called, and how they are played again. */
#include <stdlib.h>
#include <string.h>

#include "put.h"
#include "report.h"
#include "text.h"

const char *report_verdict_name(enum verdict verdict)
{
    static const char *const NAMES[VERDICT_COUNT] = {"not run", "passed", "failed", "skipped", "broken"};
    return NAMES[verdict];
}

char *report_name(const struct scenario *scenario)
{
    return must_format("%s%s%s", scenario->name, *scenario->variant ? ":" : "", scenario->variant);
}

char *report_title(const struct report_case *it)
{
    char *name = report_name(it->scenario);
    if (it->repetition == 0)
        return name;
    char *title = must_format("%s #%d", name, it->repetition + 1);
    free(name);
    return title;
}

char *report_capability(const struct scenario *scenario)
{
    size_t length = strcspn(scenario->name, "/");
    return must(scenario->name[length] ? strndup(scenario->name, length) : strdup("scenarios"));
}

/* The pattern that matches this name and no other. The caller frees. */
static char *exact_pattern(const struct scenario *scenario)
{
    char *name = report_name(scenario);
    char *pattern = must(malloc(2 * strlen(name) + 1));
    char *end = pattern;
    for (const char *c = name; *c; c++) {
        if (strchr("*?[\\", *c))
            *end++ = '\\';
        *end++ = *c;
    }
    *end = '\0';
    free(name);
    return pattern;
}

char *report_begin_again(const char *folder, const char *program)
{
    struct qz_text text = {0};
    if (folder) {
        qz_text_add(&text, "cd ");
        qz_text_add_words(&text, (char *[]){(char *)folder, NULL});
        qz_text_add(&text, " && ");
    }
    qz_text_add_words(&text, (char *[]){(char *)program, NULL});
    return must(qz_text_take(&text));
}

char *report_repeat(const struct report *report, const struct report_case *it)
{
    char seed[32];
    char *filter = *it->scenario->variant ? exact_pattern(it->scenario) : NULL;
    char *words[12];
    size_t count = 0;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)report->seed);
    if (it->contradicts) {
        words[count++] = (char *)"--world";
        words[count++] = (char *)it->contradicts->name;
    }
    words[count++] = (char *)"--world";
    words[count++] = (char *)it->world->name;
    words[count++] = (char *)"--seed";
    words[count++] = seed;
    if (filter) {
        words[count++] = (char *)"--filter";
        words[count++] = filter;
    }
    words[count++] = (char *)it->scenario->file;
    words[count] = NULL;
    struct qz_text text = {0};
    char *begin = report_begin_again(report->folder, report->program);
    qz_text_add(&text, "%s run %s%s", begin, report->options, *report->options ? " " : "");
    qz_text_add_words(&text, words);
    free(begin);
    free(filter);
    return must(qz_text_take(&text));
}

struct report_counts report_count(const struct report *report)
{
    struct report_counts counts = {{0}};
    for (size_t i = 0; i < report->count; i++)
        counts.of[report->cases[i].verdict]++;
    return counts;
}

void report_case_free(struct report_case *it)
{
    free(it->why);
    free(it->noise);
    free(it->kept);
    findings_free(&it->findings);
    outcome_free(&it->outcome);
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        report_case_free(&report->cases[i]);
    free(report->cases);
    free(report->folder);
    free(report->program);
    free(report->options);
    free(report->command);
    *report = (struct report){.cases = NULL};
}
