#include "check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/error.h"

/* A list that cannot grow is made by asking for more than there is: the sanitizer must let that fail quietly. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

QZ_TEST(rows_carry_the_wire_names_and_numbers_of_the_contract) // Existing alerts match on these.
{
    CHECK_STRING(qz_error_name(QZ_E_PRE_SCRIPT_EXECUTION_FAILED), "Pre-ScriptExecutionFailed");
    CHECK_INT(qz_error_number(QZ_E_PRE_SCRIPT_EXECUTION_FAILED), 300);
    CHECK_STRING(qz_error_name(QZ_E_INCORRECT_JSON_CONFIG_FILE), "IncorrectJSONConfigFile");
    CHECK_INT(qz_error_number(QZ_E_INCORRECT_JSON_CONFIG_FILE), 305);
    CHECK_INT(qz_error_number(QZ_E_SUCCESS), 0);
    CHECK_INT(QZ_E_SUCCESS, 0);
    CHECK_INT(qz_error_rank(QZ_E_INCORRECT_PLUGIN_HOST_FILE), 12);
    CHECK_CONTAINS(qz_error_meaning(QZ_E_FREEZE_LOST), "thawed by somebody else");
    CHECK_CONTAINS(qz_error_action(QZ_E_FREEZE_LOST), "--hold-limit");
}

QZ_TEST(every_row_is_whole_and_no_two_share_name_or_number) // A code on the wire means one thing.
{
    for (enum qz_code code = 0; code < QZ_CODE_COUNT; code++) {
        CU_ASSERT(strlen(qz_error_name(code)) > 0);
        CU_ASSERT(strlen(qz_error_meaning(code)) > 0);
        CU_ASSERT(strlen(qz_error_action(code)) > 0);
        for (enum qz_code other = 0; other < code; other++) {
            CU_ASSERT_NOT_EQUAL(qz_error_number(code), qz_error_number(other));
            CU_ASSERT_STRING_NOT_EQUAL(qz_error_name(code), qz_error_name(other));
        }
    }
}

QZ_TEST(a_row_is_found_by_name_in_any_case_and_by_number) // `quiesce errors NAME|NUMBER` takes both.
{
    for (enum qz_code code = 0; code < QZ_CODE_COUNT; code++)
        CHECK_INT(qz_error_find(qz_error_name(code)), code);
    CHECK_INT(qz_error_find("pre-scripttimeout"), QZ_E_PRE_SCRIPT_TIMEOUT);
    CHECK_INT(qz_error_find("308"), QZ_E_PRE_SCRIPT_TIMEOUT);
    CHECK_INT(qz_error_find("0"), QZ_E_SUCCESS);
}

QZ_TEST(what_names_no_row_is_not_found) // Nothing near is taken for it: no prefix, no zeros, no signs.
{
    const char *const wrong[] = {"", "999", "0308", "+308", "308 ", "Pre-Script", "-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_INT(qz_error_find(wrong[i]), QZ_CODE_COUNT);
}

QZ_TEST(phases_have_the_names_of_the_report) // And no phase has none.
{
    CHECK_STRING(qz_phase_name(QZ_PHASE_NONE), "");
    CHECK_STRING(qz_phase_name(QZ_PHASE_PRE), "pre");
    CHECK_STRING(qz_phase_name(QZ_PHASE_FREEZE), "freeze");
    CHECK_STRING(qz_phase_name(QZ_PHASE_SNAPSHOT), "snapshot");
    CHECK_STRING(qz_phase_name(QZ_PHASE_THAW), "thaw");
    CHECK_STRING(qz_phase_name(QZ_PHASE_POST), "post");
}

QZ_TEST(setting_an_error_clears_what_was_there) // Nothing of an older failure stays in a new one.
{
    struct qz_error error = {.phase = QZ_PHASE_POST, .attempt = 3, .plugin = "x", .path = "y", .detail = "old"};
    CHECK_INT(qz_error_set(&error, QZ_E_NOT_ROOT, "uid %d", 7), QZ_E_NOT_ROOT);
    CHECK_INT(error.code, QZ_E_NOT_ROOT);
    CHECK_STRING(error.message, "uid 7");
    CHECK_INT(error.phase, QZ_PHASE_NONE);
    CHECK_INT(error.attempt, 0);
    CU_ASSERT_PTR_NULL(error.plugin);
    CU_ASSERT_PTR_NULL(error.path);
    CHECK_STRING(error.detail, "");
}

QZ_TEST(an_error_can_be_set_from_its_own_words) // A caller adds to the message it got.
{
    struct qz_error error = {0};
    qz_error_set(&error, QZ_E_NOT_ROOT, "inner");
    qz_error_detail(&error, "cause");
    qz_error_set(&error, QZ_E_INTERNAL_ERROR, "outer: %s (%s)", error.message, error.detail);
    CHECK_STRING(error.message, "outer: inner (cause)");
    qz_error_detail(&error, "first");
    qz_error_detail(&error, "%s, second", error.detail);
    CHECK_STRING(error.detail, "first, second");
}

QZ_TEST(a_message_that_does_not_fit_ends_in_an_ellipsis) // And one that just fits is whole.
{
    char text[QZ_MESSAGE_SIZE + 1];
    struct qz_error error;
    memset(text, 'x', sizeof text);
    text[QZ_MESSAGE_SIZE - 1] = '\0';
    qz_error_set(&error, QZ_E_NOT_ROOT, "%s", text);
    CHECK_STRING(error.message, text);
    text[QZ_MESSAGE_SIZE - 1] = 'x';
    text[QZ_MESSAGE_SIZE] = '\0';
    qz_error_set(&error, QZ_E_NOT_ROOT, "%s", text);
    CHECK_INT(strlen(error.message), QZ_MESSAGE_SIZE - 1);
    CHECK_STRING(error.message + QZ_MESSAGE_SIZE - 5, "x…");
    qz_error_detail(&error, "%s", text);
    CHECK_STRING(error.detail + QZ_DETAIL_SIZE - 5, "x…");
}

QZ_TEST(a_message_is_cut_between_characters) // No half of a UTF-8 sequence is left before the ellipsis.
{
    for (int shift = 0; shift < 4; shift++) {
        char text[QZ_MESSAGE_SIZE * 2] = "";
        memset(text, 'x', (size_t)shift);
        for (int i = 0; i < 300; i++)
            snprintf(text + shift + i * 4, 5, "😀");
        struct qz_error error;
        qz_error_set(&error, QZ_E_NOT_ROOT, "%s", text);
        const char *end = strstr(error.message, "…");
        CU_ASSERT_PTR_NOT_NULL(end);
        CHECK_INT(end ? (end - error.message - shift) % 4 : -1, 0);
        CHECK_STRING(end ? end : "", "…");
    }
}

QZ_TEST(a_list_keeps_all_errors_and_sorts_the_most_decisive_first) // Equals keep the order they came in.
{
    static const enum qz_code codes[] = {QZ_E_POST_SCRIPT_TIMEOUT, QZ_E_FS_FREEZE_FAILED, QZ_E_FROZEN_BY_OTHER,
                                         QZ_E_INCORRECT_PLUGIN_HOST_FILE, QZ_E_FREEZE_LOST, QZ_E_NOT_ROOT};
    static const enum qz_code sorted[] = {QZ_E_NOT_ROOT, QZ_E_INCORRECT_PLUGIN_HOST_FILE, QZ_E_FS_FREEZE_FAILED,
                                          QZ_E_FROZEN_BY_OTHER, QZ_E_FREEZE_LOST, QZ_E_POST_SCRIPT_TIMEOUT};
    struct qz_error_list list = {0};
    for (size_t i = 0; i < 6; i++) {
        struct qz_error error;
        qz_error_set(&error, codes[i], "number %zu", i);
        qz_error_list_add(&list, &error);
    }
    qz_error_list_sort(&list);
    CHECK_INT(list.count, 6);
    for (size_t i = 0; i < 6; i++)
        CHECK_INT(list.items[i].code, sorted[i]);
    CHECK_STRING(list.items[0].message, "number 5");
    qz_error_list_free(&list);
    CU_ASSERT_PTR_NULL(list.items);
    CHECK_INT(list.count, 0);
}

QZ_TEST(what_finds_no_memory_is_counted_as_lost) // Never dropped in silence.
{
    struct qz_error error = {0};
    struct qz_error_list errors = {.count = SIZE_MAX / 4, .capacity = SIZE_MAX / 4};
    qz_error_list_add(&errors, &error);
    CHECK_INT(errors.lost, 1);
    CHECK_INT(errors.count, SIZE_MAX / 4);
    struct qz_warning_list warnings = {.count = SIZE_MAX / 4, .capacity = SIZE_MAX / 4};
    qz_warning_list_add(&warnings, "/x", 1, 1, "unseen");
    CHECK_INT(warnings.lost, 1);
}

QZ_TEST(a_warning_carries_its_place_and_words) // As many as there are.
{
    struct qz_warning_list list = {0};
    for (int i = 1; i <= 9; i++)
        qz_warning_list_add(&list, "/etc/x", i, i + 1, "key %d", i);
    CHECK_INT(list.count, 9);
    CHECK_STRING(list.items[8].path, "/etc/x");
    CHECK_INT(list.items[8].line, 9);
    CHECK_INT(list.items[8].column, 10);
    CHECK_STRING(list.items[8].message, "key 9");
    CHECK_INT(list.lost, 0);
    qz_warning_list_free(&list);
    CHECK_INT(list.count, 0);
}
