#include "check.h"

#include <CUnit/TestRun.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct check_rule *rules;
static unsigned skipped;

void check_register(struct check_rule *rule)
{
    rule->next = rules;
    rules = rule;
}

void check_skip(const char *why)
{
    const char *ci = getenv("CI");
    if (ci && strcmp(ci, "true") == 0) {
        fprintf(stderr, "cannot be skipped under CI=true: %s\n", why);
        CU_FAIL("skipped under CI");
        return;
    }
    printf("skipped: %s\n", why);
    skipped++;
}

static void report(bool holds, const char *file, unsigned line, const char *expression)
{
    if (!holds)
        fprintf(stderr, "%s:%u: does not hold: %s\n", file, line, expression);
    CU_assertImplementation(holds ? CU_TRUE : CU_FALSE, line, expression, file, "", CU_FALSE);
}

void check_string(const char *file, unsigned line, const char *seen, const char *expected)
{
    bool same = seen && expected && strcmp(seen, expected) == 0;
    if (!same)
        fprintf(stderr, "  expected: %s\n  seen:     %s\n", expected ? expected : "(null)", seen ? seen : "(null)");
    report(same, file, line, "strings are equal");
}

void check_contains(const char *file, unsigned line, const char *seen, const char *part)
{
    bool contains = seen && strstr(seen, part);
    if (!contains)
        fprintf(stderr, "  expected part: %s\n  seen:          %s\n", part, seen ? seen : "(null)");
    report(contains, file, line, "the part is there");
}

void check_int(const char *file, unsigned line, const char *what, long long seen, long long expected)
{
    if (seen != expected)
        fprintf(stderr, "  expected: %lld\n  seen:     %lld\n", expected, seen);
    report(seen == expected, file, line, what);
}

/* Puts a rule among those to run. */
static void choose(struct check_rule *rule)
{
    CU_pSuite suite = CU_get_suite("rules");
    if (!suite)
        suite = CU_add_suite("rules", NULL, NULL);
    if (!suite || !CU_add_test(suite, rule->name, rule->run)) {
        fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
        exit(2);
    }
}

int main(int argc, char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    unsigned chosen = 0;
    for (struct check_rule *rule = rules; rule; rule = rule->next) {
        if (argc > 1 && strcmp(argv[1], rule->name) != 0)
            continue;
        choose(rule);
        chosen++;
    }
    if (chosen == 0) {
        fprintf(stderr, "no rule is called %s\n", argc > 1 ? argv[1] : "(none)");
        return 2;
    }
    CU_run_all_tests();
    unsigned failed = CU_get_number_of_failures(); /* failed assertions */
    for (CU_pFailureRecord record = CU_get_failure_list(); record; record = record->pNext)
        fprintf(stderr, "%s: %s:%u: failed: %s\n", record->pTest ? record->pTest->pName : "", record->strFileName,
                record->uiLineNumber, record->strCondition);
    printf("%u of %u rules failed, %u assertions, %u failed, %u skipped\n", CU_get_number_of_tests_failed(), chosen,
           CU_get_number_of_asserts(), failed, skipped);
    CU_cleanup_registry();
    if (failed > 0)
        return 1;
    return skipped == chosen ? 77 : 0;
}
