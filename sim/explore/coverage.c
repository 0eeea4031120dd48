/* coverage.c: sites × faults, tried of possible: for people, programs and CI services. */
#include <stdlib.h>
#include <string.h>

#include "explore.h"
#include "put.h"

struct coverage coverage_of(const struct plan *plan, size_t base)
{
    struct coverage coverage = {0};
    for (size_t i = 0; i < plan->base_count; i++) {
        for (size_t k = 0; k < plan->bases[i].sites.count && (base == SIZE_MAX || base == i); k++) {
            coverage.sites++;
            coverage.reached += plan->bases[i].sites.items[k].reached;
        }
    }
    for (size_t i = 0; i < plan->attempt_count; i++) {
        const struct attempt *attempt = &plan->attempts[i];
        if (base != SIZE_MAX && attempt->base != base)
            continue;
        coverage.possible++;
        coverage.tried += attempt->state == ATTEMPT_HELD || attempt->state == ATTEMPT_VIOLATED;
        coverage.violated += attempt->state == ATTEMPT_VIOLATED;
        coverage.unreached += attempt->state == ATTEMPT_UNREACHED;
    }
    return coverage;
}

/* ---- The terminal ----------------------------------------------------------------------------------------------- */

static void put_row(FILE *out, const char *name, const struct coverage *coverage)
{
    fprintf(out, "  %-44s %6zu of %-6zu %8zu of %-8zu %9zu %9zu\n", name, coverage->reached, coverage->sites,
            coverage->tried, coverage->possible, coverage->unreached, coverage->violated);
}

void coverage_terminal(const struct plan *plan, FILE *out)
{
    fprintf(out, "  %-44s %16s %20s %9s %9s\n", "scenario", "sites reached", "faults tried", "not met", "violated");
    for (size_t i = 0; i < plan->base_count; i++) {
        struct coverage coverage = coverage_of(plan, i);
        put_row(out, plan->bases[i].name, &coverage);
    }
    struct coverage all = coverage_of(plan, SIZE_MAX);
    if (plan->base_count > 1)
        put_row(out, "all", &all);
    size_t told = 0;
    for (size_t i = 0; i < plan->base_count && plan->until_us == 0; i++) {
        for (size_t k = 0; k < plan->bases[i].sites.count && told < 20; k++) {
            const struct site *site = &plan->bases[i].sites.items[k];
            if (site->reached)
                continue;
            told++;
            fprintf(out, "  no fault has reached %s: %s %s(%s) #%d\n", plan->bases[i].name, explore_callers[site->by],
                    site->call, site->about, site->nth);
        }
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static void put_numbers(FILE *out, const struct coverage *coverage)
{
    fprintf(out, "\"sites\": %zu, \"reached\": %zu, \"possible\": %zu, \"tried\": %zu, \"not_met\": %zu, \"violated\": %zu",
            coverage->sites, coverage->reached, coverage->possible, coverage->tried, coverage->unreached,
            coverage->violated);
}

void coverage_json(const struct plan *plan, FILE *out)
{
    struct coverage all = coverage_of(plan, SIZE_MAX);
    fprintf(out, "{\"seed\": %llu, ", (unsigned long long)plan->running.report.seed);
    put_numbers(out, &all);
    fputs(", \"scenarios\": [", out);
    for (size_t i = 0; i < plan->base_count; i++) {
        struct coverage coverage = coverage_of(plan, i);
        fprintf(out, "%s\n  {\"name\": ", i ? "," : "");
        put_json_string(out, plan->bases[i].name);
        fputs(", ", out);
        put_numbers(out, &coverage);
        putc('}', out);
    }
    fputs("],\n \"violations\": [", out);
    for (size_t i = 0; i < plan->shown.count; i++) {
        char *name = attempt_name(plan, plan->violations[i]);
        fprintf(out, "%s\n  ", i ? "," : "");
        put_json_string(out, name);
        free(name);
    }
    fputs("]}\n", out);
}

/* ---- JUnit ------------------------------------------------------------------------------------------------------ */

/* A test case for each system call of each caller: how many of its sites and faults, and what went wrong. */
struct row {
    enum scenario_caller by;
    const char *call;
    size_t possible, tried, sites, reached;
};

static struct row *row_of(struct row *rows, size_t *count, const struct site *site)
{
    for (size_t i = 0; i < *count; i++) {
        if (rows[i].by == site->by && strcmp(rows[i].call, site->call) == 0)
            return &rows[i];
    }
    rows[*count] = (struct row){.by = site->by, .call = site->call};
    return &rows[(*count)++];
}

static void put_violations(const struct plan *plan, size_t base, const struct row *row, FILE *out)
{
    for (size_t i = 0; i < plan->shown.count; i++) {
        const struct attempt *attempt = plan->violations[i];
        const struct site *site = &plan->bases[attempt->base].sites.items[attempt->site];
        const struct findings *findings = &plan->shown.cases[i].findings;
        if (attempt->base != base || site->by != row->by || strcmp(site->call, row->call) != 0)
            continue;
        char *name = attempt_name(plan, attempt);
        fputs("<failure type=\"invariant\" message=\"", out);
        put_xml(out, findings->count > 0 ? findings->items[0].what : "");
        fputs("\">", out);
        put_xml(out, name);
        fputs("</failure>", out);
        free(name);
    }
    if (row->reached < row->sites && plan->until_us == 0)
        fprintf(out, "<failure type=\"coverage\" message=\"no fault has reached %zu of its sites\"/>",
                row->sites - row->reached);
}

static void put_suite(const struct plan *plan, size_t base, FILE *out)
{
    const struct sites *sites = &plan->bases[base].sites;
    struct row *rows = must(calloc(sites->count + 1, sizeof *rows));
    size_t count = 0;
    for (size_t i = 0; i < sites->count; i++) {
        struct row *row = row_of(rows, &count, &sites->items[i]);
        row->sites++;
        row->reached += sites->items[i].reached;
    }
    for (size_t i = 0; i < plan->attempt_count; i++) {
        const struct attempt *attempt = &plan->attempts[i];
        if (attempt->base != base)
            continue;
        struct row *row = row_of(rows, &count, &sites->items[attempt->site]);
        row->possible++;
        row->tried += attempt->state == ATTEMPT_HELD || attempt->state == ATTEMPT_VIOLATED;
    }
    fputs("  <testsuite name=\"", out);
    put_xml(out, plan->bases[base].name);
    fprintf(out, "\" tests=\"%zu\">\n", count);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "    <testcase classname=\"explore.%s\" name=\"%s: %zu of %zu faults, %zu of %zu sites\">",
                explore_callers[rows[i].by], rows[i].call, rows[i].tried, rows[i].possible, rows[i].reached,
                rows[i].sites);
        put_violations(plan, base, &rows[i], out);
        fputs("</testcase>\n", out);
    }
    fputs("  </testsuite>\n", out);
    free(rows);
}

void coverage_junit(const struct plan *plan, FILE *out)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
    for (size_t i = 0; i < plan->base_count; i++)
        put_suite(plan, i, out);
    fputs("</testsuites>\n", out);
}
