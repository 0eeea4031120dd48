/* junit.c: JUnit's XML, as Jenkins, GitLab and Azure Pipelines read it (fixtures/junit/junit.xsd). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "failure.h"
#include "put.h"
#include "report.h"

/* " name="value"". */
static void put_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    put_xml(out, value);
    putc('"', out);
}

static void put_seconds(FILE *out, int64_t duration_us)
{
    fprintf(out, " time=\"%lld.%06lld\"", (long long)(duration_us / 1000000), (long long)(duration_us % 1000000));
}

static void put_counts(FILE *out, const struct report_counts *counts)
{
    size_t tests = 0;
    for (int i = 0; i < VERDICT_COUNT; i++)
        tests += counts->of[i];
    fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"", tests, counts->of[VERDICT_FAILED],
            counts->of[VERDICT_BROKEN]);
}

/* The failure's text as a terminal shows it, in XML. */
static void put_element(FILE *out, const struct report *report, const struct report_case *it)
{
    static const struct paint PLAIN = {"", "", "", "", "", ""};
    bool failed = it->verdict == VERDICT_FAILED;
    const char *element = failed ? "failure" : "error";
    const struct finding *finding = it->findings.count > 0 ? &it->findings.items[0] : NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *lines = must(open_memstream(&text, &size));
    put_failure(lines, report, it, &PLAIN);
    fclose(lines);
    fprintf(out, "      <%s", element);
    put_attribute(out, "type", !failed ? "environment" : finding && finding->invariant ? "invariant" : "expectation");
    put_attribute(out, "message", finding ? finding->what : it->why ? it->why : "");
    putc('>', out);
    put_xml(out, text);
    fprintf(out, "</%s>\n", element);
    free(text);
}

static void put_system_out(FILE *out, const struct report_case *it)
{
    char *text = NULL;
    size_t size = 0;
    FILE *lines = must(open_memstream(&text, &size));
    put_trace(lines, &it->outcome.trace);
    fclose(lines);
    if (size > 0) {
        fputs("      <system-out>", out);
        put_xml(out, text);
        fputs("</system-out>\n", out);
    }
    free(text);
    if (it->noise) {
        fputs("      <system-err>", out);
        put_xml(out, it->noise);
        fputs("</system-err>\n", out);
    }
}

static void put_case(FILE *out, const struct report *report, const struct report_case *it, const char *capability)
{
    char *title = report_title(it);
    char *class = must_format("%s.%s", capability, it->world->name);
    fputs("    <testcase", out);
    put_attribute(out, "classname", class);
    put_attribute(out, "name", title);
    put_seconds(out, it->duration_us);
    fputs(">\n", out);
    if (it->verdict == VERDICT_FAILED || it->verdict == VERDICT_BROKEN) {
        put_element(out, report, it);
        put_system_out(out, it);
    }
    if (it->verdict == VERDICT_SKIPPED || it->verdict == VERDICT_NOT_RUN) {
        fputs("      <skipped", out);
        put_attribute(out, "message", it->why ? it->why : "interrupted before its turn");
        fputs("/>\n", out);
    }
    fputs("    </testcase>\n", out);
    free(title);
    free(class);
}

/* The capabilities, each once, in the order in which they first occur. */
struct suites {
    char **names;
    size_t count;
    size_t *of; /* of each case */
};

static struct suites find_suites(const struct report *report)
{
    struct suites suites = {must(calloc(report->count + 1, sizeof *suites.names)), 0,
                            must(calloc(report->count + 1, sizeof *suites.of))};
    for (size_t i = 0; i < report->count; i++) {
        char *name = report_capability(report->cases[i].scenario);
        size_t found = 0;
        while (found < suites.count && strcmp(suites.names[found], name) != 0)
            found++;
        suites.of[i] = found;
        if (found == suites.count)
            suites.names[suites.count++] = name;
        else
            free(name);
    }
    return suites;
}

static void put_suite(FILE *out, const struct report *report, const struct suites *suites, size_t suite)
{
    struct report_counts counts = {{0}};
    int64_t duration_us = 0;
    for (size_t i = 0; i < report->count; i++) {
        if (suites->of[i] == suite) {
            counts.of[report->cases[i].verdict]++;
            duration_us += report->cases[i].duration_us;
        }
    }
    char when[32];
    struct tm broken_down;
    time_t started = (time_t)report->started;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&started, &broken_down));
    fputs("  <testsuite", out);
    put_attribute(out, "name", suites->names[suite]);
    put_counts(out, &counts);
    fprintf(out, " skipped=\"%zu\" timestamp=\"%s\"", counts.of[VERDICT_SKIPPED] + counts.of[VERDICT_NOT_RUN], when);
    put_seconds(out, duration_us);
    fprintf(out,
            ">\n    <properties>\n      <property name=\"seed\" value=\"%llu\"/>\n      <property name=\"command\"",
            (unsigned long long)report->seed);
    put_attribute(out, "value", report->command);
    fputs("/>\n    </properties>\n", out);
    for (size_t i = 0; i < report->count; i++) {
        if (suites->of[i] == suite)
            put_case(out, report, &report->cases[i], suites->names[suite]);
    }
    fputs("  </testsuite>\n", out);
}

void report_junit(const struct report *report, FILE *out)
{
    struct report_counts counts = report_count(report);
    struct suites suites = find_suites(report);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"quiesce-sim\"", out);
    put_counts(out, &counts);
    put_seconds(out, report->duration_us);
    fputs(">\n", out);
    for (size_t i = 0; i < suites.count; i++) {
        put_suite(out, report, &suites, i);
        free(suites.names[i]);
    }
    fputs("</testsuites>\n", out);
    free(suites.names);
    free(suites.of);
}
