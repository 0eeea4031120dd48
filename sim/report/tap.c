/* tap.c: the Test Anything Protocol, version 14. */
#include <stdlib.h>
#include <string.h>

#include "put.h"
#include "report.h"

/* A description: "#" would begin a directive, "\" an escape. */
static void put_description(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '#' || *text == '\\')
            putc('\\', out);
        putc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static void put_key(FILE *out, const char *key, const char *value)
{
    if (!value)
        return;
    fprintf(out, "%s: ", key);
    put_json_string(out, value); /* which is YAML, too */
    putc('\n', out);
}

static void put_findings(FILE *out, const struct report_case *it)
{
    fputs("  findings:\n", out);
    for (size_t i = 0; i < it->findings.count; i++) {
        const struct finding *finding = &it->findings.items[i];
        fprintf(out, "    - invariant: %d\n", finding->invariant);
        put_key(out, "      what", finding->what);
        put_key(out, "      expected", finding->expected);
        put_key(out, "      seen", finding->seen);
        if (finding->event < it->outcome.trace.count) {
            char line[512];
            put_key(out, "      at", trace_line(&it->outcome.trace.events[finding->event], line, sizeof line));
        }
    }
}

static void put_diagnostics(FILE *out, const struct report *report, const struct report_case *it)
{
    char *repeat = report_repeat(report, it);
    fputs("  ---\n", out);
    put_key(out, "  message", it->findings.count > 0 ? it->findings.items[0].what : it->why);
    fprintf(out, "  severity: %s\n", it->verdict == VERDICT_BROKEN ? "error" : "fail");
    put_key(out, "  file", it->scenario->file);
    put_key(out, "  repeat", repeat);
    if (it->findings.count > 0)
        put_findings(out, it);
    if (it->outcome.trace.count > 0)
        fputs("  trace:\n", out);
    for (size_t i = 0; i < it->outcome.trace.count; i++) {
        char line[512];
        fprintf(out, "    - [%lld, ", (long long)it->outcome.trace.events[i].at_us);
        put_json_string(out, trace_line(&it->outcome.trace.events[i], line, sizeof line));
        fputs("]\n", out);
    }
    put_key(out, "  stderr", it->noise);
    fputs("  ...\n", out);
    free(repeat);
}

void report_tap(const struct report *report, FILE *out)
{
    fprintf(out, "TAP version 14\n1..%zu\n", report->count);
    fprintf(out, "# seed %llu\n", (unsigned long long)report->seed);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_case *it = &report->cases[i];
        bool bad = it->verdict == VERDICT_FAILED || it->verdict == VERDICT_BROKEN;
        char *title = report_title(it);
        fprintf(out, "%s %zu - %s ", bad ? "not ok" : "ok", i + 1, it->world->name);
        put_description(out, title);
        if (it->verdict == VERDICT_SKIPPED || it->verdict == VERDICT_NOT_RUN) {
            fputs(" # SKIP ", out);
            put_description(out, it->why ? it->why : "interrupted before its turn");
        }
        putc('\n', out);
        if (bad)
            put_diagnostics(out, report, it);
        free(title);
    }
    if (report->interrupted)
        fprintf(out, "Bail out! SIG%s\n", trace_signal_name(report->interrupted));
}
