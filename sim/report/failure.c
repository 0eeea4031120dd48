#include "failure.h"

#include <stdlib.h>
#include <string.h>

#include "put.h"

#define AROUND 5        /* events of the trace before and after a finding */
#define TRACE_LINES 24  /* where no finding has a place, the last so many */
#define VALUE_LINES 12  /* of an expected or seen value */
#define OUTPUT_LINES 20 /* of what was printed */

struct paint paint_with(bool colour)
{
    if (!colour)
        return (struct paint){"", "", "", "", "", ""};
    return (struct paint){"\033[31m", "\033[32m", "\033[33m", "\033[1m", "\033[2m", "\033[m"};
}

void put_finding(FILE *out, const struct finding *finding)
{
    if (finding->invariant > 0)
        fprintf(out, "invariant %d: ", finding->invariant);
    put_visible(out, finding->what);
}

/* One value after its label; further lines below its first. */
static void put_value(FILE *out, const char *label, const char *value)
{
    char *text = NULL;
    size_t size = 0;
    if (!value)
        return;
    FILE *lines = must(open_memstream(&text, &size));
    put_lines(lines, *value ? value : "(empty)", "             ", VALUE_LINES);
    fclose(lines);
    fprintf(out, "    %s%s", label, text + 4 + strlen(label)); /* over the first line's blanks */
    free(text);
}

static void put_findings(FILE *out, const struct report_case *it, const struct paint *paint)
{
    for (size_t i = 0; i < it->findings.count; i++) {
        const struct finding *finding = &it->findings.items[i];
        fprintf(out, "  %s", paint->red);
        put_finding(out, finding);
        fprintf(out, "%s\n", paint->off);
        put_value(out, "expected", finding->expected);
        put_value(out, "seen", finding->seen);
    }
}

static void put_event(FILE *out, const struct trace_event *event)
{
    char line[512];
    fprintf(out, "%14.3f ms  ", (double)event->at_us / 1e3);
    put_visible(out, trace_line(event, line, sizeof line));
    putc('\n', out);
}

/* A line where a further command begins. */
static void put_step(FILE *out, const struct trace *trace, size_t i)
{
    if (i > 0 && trace->events[i].step != trace->events[i - 1].step)
        fprintf(out, "      command %d\n", trace->events[i].step + 1);
}

void put_trace(FILE *out, const struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        put_step(out, trace, i);
        put_event(out, &trace->events[i]);
    }
}

/* 0: not to be shown; 1: near a finding; 2: it is the finding's own. */
static char *choose_events(const struct report_case *it)
{
    size_t count = it->outcome.trace.count;
    char *chosen = must(calloc(count + 1, 1));
    bool any = false;
    for (size_t i = 0; i < it->findings.count; i++) {
        size_t event = it->findings.items[i].event;
        if (event >= count)
            continue;
        any = true;
        for (size_t k = event > AROUND ? event - AROUND : 0; k < count && k <= event + AROUND; k++)
            chosen[k] |= 1;
        chosen[event] = 2;
    }
    for (size_t i = count > TRACE_LINES ? count - TRACE_LINES : 0; !any && i < count; i++)
        chosen[i] = 1;
    if (count > 0)
        chosen[count - 1] |= 1; /* how it ended */
    return chosen;
}

static void put_trace_around(FILE *out, const struct report_case *it, const struct paint *paint)
{
    const struct trace *trace = &it->outcome.trace;
    char *chosen = choose_events(it);
    bool gap = false;
    if (trace->count > 0)
        fprintf(out, "  the trace around it (%zu events)\n", trace->count);
    for (size_t i = 0; i < trace->count; i++) {
        if (!chosen[i]) {
            gap = true;
            continue;
        }
        if (gap)
            fprintf(out, "  %s      …%s\n", paint->dim, paint->off);
        gap = false;
        put_step(out, trace, i);
        fprintf(out, "  %s%s", chosen[i] == 2 ? paint->bold : paint->dim, chosen[i] == 2 ? ">" : " ");
        put_event(out, &trace->events[i]);
        fputs(paint->off, out);
    }
    free(chosen);
}

/* The errors or warnings of a result, a line each. */
static void put_said(FILE *out, const cJSON *result, const char *key, bool *any)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(result, key)) {
        const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "code"));
        const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "message"));
        if (!*any)
            fputs("  the result says\n", out);
        *any = true;
        fputs("    ", out);
        put_visible(out, code ? code : "warning");
        fputs(": ", out);
        put_visible(out, message ? message : "");
        putc('\n', out);
    }
}

static void put_results(FILE *out, const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->step_count; i++) {
        bool any = false;
        put_said(out, outcome->steps[i].result, "errors", &any);
        put_said(out, outcome->steps[i].result, "warnings", &any);
    }
}

static void put_output(FILE *out, const char *what, const char *text)
{
    if (!text || !*text)
        return;
    fprintf(out, "  %s\n", what);
    put_lines(out, text, "    ", OUTPUT_LINES);
}

void put_failure(FILE *out, const struct report *report, const struct report_case *it, const struct paint *paint)
{
    put_findings(out, it, paint);
    if (it->why) {
        fprintf(out, "  %s", paint->red);
        put_visible(out, it->why);
        fprintf(out, "%s\n", paint->off);
    }
    put_trace_around(out, it, paint);
    put_results(out, &it->outcome);
    if (it->outcome.step_count > 0)
        put_output(out, "standard error of quiesce", it->outcome.steps[it->outcome.step_count - 1].err);
    put_output(out, "standard error of the player", it->noise);
    if (it->kept)
        fprintf(out, "  kept: %s\n", it->kept);
    char *repeat = report_repeat(report, it);
    fprintf(out, "  %srepeat:%s ", paint->bold, paint->off);
    put_visible(out, repeat);
    putc('\n', out);
    free(repeat);
}
