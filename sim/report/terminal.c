/* terminal.c: for people who watch. */
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "put.h"
#include "report.h"
#include "text.h"

#define ALIKE_LINES 5 /* of the names of those that fail alike */

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

/* ---- Failures that are alike ------------------------------------------------------------------------------------ */

static bool has_failed(const struct report_case *it)
{
    return it->verdict == VERDICT_FAILED || it->verdict == VERDICT_BROKEN;
}

static bool is_same(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

/* Variants of one scenario, in one world, with the same findings and the same words. */
static bool fail_alike(const struct report_case *one, const struct report_case *other)
{
    bool alike = one->world == other->world && one->verdict == other->verdict && is_same(one->why, other->why) &&
                 is_same(one->noise, other->noise) && one->findings.count == other->findings.count;
    for (size_t i = 0; alike && i < one->findings.count; i++) {
        const struct finding *its = &one->findings.items[i];
        const struct finding *others = &other->findings.items[i];
        alike = its->invariant == others->invariant && is_same(its->what, others->what) &&
                is_same(its->expected, others->expected) && is_same(its->seen, others->seen);
    }
    return alike;
}

/* For each case the first of those that fail alike, which may be itself; of one that did not fail, itself. Cases of one
 * file stand together. The caller frees. */
static size_t *find_firsts(const struct report *report)
{
    size_t *firsts = must(calloc(report->count + 1, sizeof *firsts));
    size_t begin = 0; /* of the file's cases */
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->cases[begin].scenario->file, report->cases[i].scenario->file) != 0)
            begin = i;
        firsts[i] = i;
        for (size_t k = begin; has_failed(&report->cases[i]) && firsts[i] == i && k < i; k++) {
            if (firsts[k] == k && fail_alike(&report->cases[k], &report->cases[i]))
                firsts[i] = k;
        }
    }
    return firsts;
}

/* The names of those that fail as the first one does; the rest is counted. */
static void put_alike(FILE *out, const struct report *report, const size_t *firsts, size_t first)
{
    size_t count = 0;
    for (size_t i = first + 1; i < report->count; i++)
        count += firsts[i] == first;
    if (count == 0)
        return;
    fprintf(out, "  and %zu more alike\n", count);
    size_t shown = 0;
    for (size_t i = first + 1; shown < count && shown < ALIKE_LINES; i++) {
        if (firsts[i] != first)
            continue;
        char *title = report_title(&report->cases[i]);
        fputs("    ", out);
        put_visible(out, title);
        putc('\n', out);
        free(title);
        shown++;
    }
    if (count > shown)
        fprintf(out, "    … and %zu others\n", count - shown);
}

static void put_failures(FILE *out, const struct report *report, const struct paint *paint)
{
    size_t *firsts = find_firsts(report);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_case *it = &report->cases[i];
        if (firsts[i] != i || !has_failed(it))
            continue;
        put_head(out, it, paint);
        put_alike(out, report, firsts, i);
        put_failure(out, report, it, paint);
        putc('\n', out);
    }
    free(firsts);
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

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
    put_failures(out, report, &paint);
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
