/* terminal.c: for people who watch. */
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "put.h"
#include "report.h"
#include "text.h"

static void put_head(FILE *out, const struct report_case *it, const struct paint *paint)
{
    char *title = report_title(it);
    fprintf(out, "%s%s%s  %-7s  %s", paint->red, it->verdict == VERDICT_FAILED ? "FAILED" : "BROKEN", paint->off,
            it->world->name, paint->bold);
    put_visible(out, title);
    fprintf(out, "%s  (", paint->off);
    put_duration(out, it->duration_us);
    fputs(")\n", out);
    put_lines(out, it->scenario->description, "  ", 3);
    fprintf(out, "  %s%s%s\n", paint->dim, it->scenario->file, paint->off);
    free(title);
}

/* One line for each reason for which cases were skipped. */
static void put_skips(FILE *out, const struct report *report, const struct paint *paint)
{
    bool *told = must(calloc(report->count + 1, sizeof *told));
    for (size_t i = 0; i < report->count; i++) {
        const struct report_case *it = &report->cases[i];
        size_t same = 0;
        if (it->verdict != VERDICT_SKIPPED || told[i])
            continue;
        for (size_t k = i; k < report->count; k++) {
            const struct report_case *other = &report->cases[k];
            if (other->verdict == VERDICT_SKIPPED && other->world == it->world && strcmp(other->why, it->why) == 0) {
                told[k] = true;
                same++;
            }
        }
        fprintf(out, "%sskipped %zu in the world %s: %s%s\n", paint->yellow, same, it->world->name, it->why,
                paint->off);
    }
    free(told);
}

static void put_count(FILE *out, const struct report_counts *counts, enum verdict verdict, const char *colour,
                      const struct paint *paint)
{
    if (counts->of[verdict] > 0 || verdict == VERDICT_PASSED)
        fprintf(out, "%s%s%zu %s%s", verdict == VERDICT_PASSED ? "" : ", ", colour, counts->of[verdict],
                report_verdict_name(verdict), paint->off);
}

static void put_summary(FILE *out, const struct report *report, const struct paint *paint)
{
    struct report_counts counts = report_count(report);
    if (report->interrupted)
        fprintf(out, "%sinterrupted by SIG%s%s; nothing is left behind\n", paint->red,
                trace_signal_name(report->interrupted), paint->off);
    put_count(out, &counts, VERDICT_PASSED, paint->green, paint);
    put_count(out, &counts, VERDICT_FAILED, paint->red, paint);
    put_count(out, &counts, VERDICT_BROKEN, paint->red, paint);
    put_count(out, &counts, VERDICT_SKIPPED, paint->yellow, paint);
    put_count(out, &counts, VERDICT_NOT_RUN, paint->yellow, paint);
    fputs(" in ", out);
    put_duration(out, report->duration_us);
    fprintf(out, ", seed %llu\n", (unsigned long long)report->seed);
}

void report_terminal(const struct report *report, FILE *out, bool colour)
{
    struct paint paint = paint_with(colour);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_case *it = &report->cases[i];
        if (it->verdict != VERDICT_FAILED && it->verdict != VERDICT_BROKEN)
            continue;
        put_head(out, it, &paint);
        put_failure(out, report, it, &paint);
        putc('\n', out);
    }
    put_skips(out, report, &paint);
    put_summary(out, report, &paint);
}

/* The longest beginning of `text` that takes no more than `columns`. */
static int cut_to(const char *text, int columns)
{
    size_t bytes = 0;
    while (text[bytes] && columns > 0) {
        bytes++;
        while (((unsigned char)text[bytes] & 0xC0) == 0x80)
            bytes++;
        columns--;
    }
    return (int)bytes;
}

void report_progress(FILE *terminal, int columns, size_t done, size_t count, size_t failed, const char *latest)
{
    char *line = failed ? must_format("[%zu/%zu] %zu failed  %s", done, count, failed, latest)
                        : must_format("[%zu/%zu] %s", done, count, latest);
    fprintf(terminal, "\r\033[K%.*s", cut_to(line, columns - 1), line);
    fflush(terminal);
    free(line);
}

void report_progress_end(FILE *terminal)
{
    fputs("\r\033[K", terminal);
    fflush(terminal);
}
