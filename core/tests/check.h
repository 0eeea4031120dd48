/* check.h: CUnit with one ctest entry a rule.
 *
 *     QZ_TEST(retries_are_counted) // the sentence of the rule
 *     {
 *         CU_ASSERT_EQUAL(…);
 *     }
 *
 * QZ_TEST( must stand at the start of a line: CMake reads the rules from the source. The executable runs the rule
 * named in its arguments, or all; it exits 0, 1 if an assertion failed, 77 if every rule run was skipped. */
#ifndef QUIESCE_TESTS_CHECK_H
#define QUIESCE_TESTS_CHECK_H

#include <CUnit/CUnit.h>

struct check_rule {
    const char *name;
    void (*run)(void);
    struct check_rule *next;
};

void check_register(struct check_rule *rule);

/* Says why this rule cannot be tested here; the caller returns. Under CI=true this is a failure. */
void check_skip(const char *why);

#define QZ_TEST(rule)                                                      \
    static void rule(void);                                                \
    __attribute__((constructor)) static void check_register_##rule(void)   \
    {                                                                      \
        static struct check_rule entry = {#rule, rule, NULL};              \
        check_register(&entry);                                            \
    }                                                                      \
    static void rule(void)

/* Strings compared with both shown on failure (CUnit shows only the expression). */
void check_string(const char *file, unsigned line, const char *seen, const char *expected);
void check_contains(const char *file, unsigned line, const char *seen, const char *part);
void check_int(const char *file, unsigned line, const char *what, long long seen, long long expected);

#define CHECK_STRING(seen, expected) check_string(__FILE__, __LINE__, seen, expected)
#define CHECK_CONTAINS(seen, part) check_contains(__FILE__, __LINE__, seen, part)
#define CHECK_INT(seen, expected) check_int(__FILE__, __LINE__, #seen, (long long)(seen), (long long)(expected))

#endif
