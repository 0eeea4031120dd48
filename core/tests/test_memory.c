/* Memory that runs out, at every allocation in turn: told as such, nothing half read is left, nothing leaks. What core
 * asks for comes through the linker's --wrap, what cJSON asks for through its hooks. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "fixture.h"
#include "quiesce/config.h"
#include "quiesce/json.h"

static int left = -1; /* allocations until one fails; negative: none does */
static bool failed;

static bool fails(void)
{
    bool now = left == 0;
    failed |= now;
    left -= left >= 0;
    return now;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(memory, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* Lets the allocation number `nth` (from 0) fail from here on. */
static void fail_at(int nth)
{
    cJSON_Hooks hooks = {.malloc_fn = malloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
    failed = false;
    left = nth;
}

/* Was memory short? Nothing fails any more. */
static bool was_short(void)
{
    left = -1;
    return failed;
}

static void expect_told(enum qz_code code, const struct qz_error *error, const char *path)
{
    CHECK_INT(code, QZ_E_INTERNAL_ERROR);
    CHECK_INT(error->code, QZ_E_INTERNAL_ERROR);
    CHECK_CONTAINS(error->message, ": out of memory while reading the file");
    CHECK_STRING(error->path, path);
}

/* Reads a config with each allocation failing in turn. Returns how many failed; *lost: warnings not told of. */
static int starve_config(const char *name, size_t warning_count, size_t *lost)
{
    static const struct qz_config none;
    struct fixture fixture = fixture_read("configs/good", name);
    int told = 0;
    bool was = true;
    for (int nth = 0; was && nth < 1000; nth++) {
        struct qz_config config;
        struct qz_warning_list warnings = {0};
        struct qz_error error = {.code = QZ_E_SUCCESS};
        fail_at(nth);
        enum qz_code code = qz_config_parse(fixture.path, fixture.text, fixture.size, &config, &warnings, &error);
        was = was_short();
        if (code != QZ_E_SUCCESS) {
            expect_told(code, &error, fixture.path);
            CHECK_INT(memcmp(&config, &none, sizeof none), 0);
        } else {
            CHECK_INT(warnings.count + warnings.lost, warning_count);
            CHECK_INT(warnings.lost > 0, was);
        }
        *lost += warnings.lost;
        told += was;
        qz_config_free(&config);
        qz_warning_list_free(&warnings);
    }
    fixture_free(&fixture);
    return told;
}

QZ_TEST(a_config_that_memory_does_not_suffice_for_is_not_half_read) // a script without its parameters, say
{
    size_t lost = 0;
    CU_ASSERT(starve_config("all-keys.json", 0, &lost) > 20);
    CU_ASSERT(starve_config("minimal.json", 0, &lost) > 5); /* defaults need memory, too */
    CHECK_INT(lost, 0);
}

QZ_TEST(warnings_that_memory_does_not_suffice_for_are_counted) // and the config is read all the same
{
    size_t lost = 0;
    CU_ASSERT(starve_config("unknown-key.json", 2, &lost) > 5);
    CU_ASSERT(lost > 0);
}

QZ_TEST(a_plugin_host_file_that_memory_does_not_suffice_for_is_not_half_read) // one plugin fewer, say
{
    static const struct qz_plugin_host none;
    struct fixture fixture = fixture_read("pluginhosts/good", "64-plugins.conf");
    int told = 0;
    bool was = true;
    for (int nth = 0; was && nth < 1000; nth++) {
        struct qz_plugin_host host;
        struct qz_warning_list warnings = {0};
        struct qz_error error = {.code = QZ_E_SUCCESS};
        fail_at(nth);
        enum qz_code code = qz_plugin_host_parse(fixture.path, fixture.text, fixture.size, &host, &warnings, &error);
        was = was_short();
        if (was) {
            expect_told(code, &error, fixture.path);
            CHECK_INT(memcmp(&host, &none, sizeof none), 0);
        }
        told += was;
        qz_plugin_host_free(&host);
        qz_warning_list_free(&warnings);
    }
    CU_ASSERT(told > 2 * QZ_PLUGINS_MAX);
    fixture_free(&fixture);
}

QZ_TEST(the_builtin_host_needs_memory) // and says so by its return value
{
    for (int nth = 0; nth < 3; nth++) {
        struct qz_plugin_host host;
        fail_at(nth);
        bool there = qz_plugin_host_builtin("/etc/f.json", &host);
        CHECK_INT(there, !was_short());
        CHECK_INT(host.count, there);
        qz_plugin_host_free(&host);
    }
}
