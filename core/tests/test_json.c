#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "quiesce/json.h"

/* Parses `size` bytes in memory of exactly that size and keeps the error's message. */
static enum qz_code parse_bytes(const char *text, size_t size, struct qz_json *json, struct qz_error *error)
{
    *json = (struct qz_json){0};
    char *copy = malloc(size ? size : 1);
    CU_ASSERT_PTR_NOT_NULL(copy);
    if (!copy)
        return QZ_E_INTERNAL_ERROR;
    memcpy(copy, text, size);
    enum qz_code code = qz_json_parse("f", copy, size, QZ_E_INCORRECT_JSON_CONFIG_FILE, json, error);
    free(copy);
    return code;
}

/* The message with which `text` is refused; "" if it is not. */
static const char *refusal(const char *text)
{
    static struct qz_error error;
    struct qz_json json = {0};
    error = (struct qz_error){0};
    enum qz_code code = parse_bytes(text, strlen(text), &json, &error);
    CHECK_INT(code, error.code);
    if (code != QZ_E_SUCCESS) {
        CU_ASSERT_PTR_NULL(json.root);
        CU_ASSERT_PTR_NULL(json.places);
    }
    qz_json_free(&json);
    return error.message;
}

static void check_all_refused(const char *const *texts)
{
    for (; *texts; texts++)
        CHECK_CONTAINS(refusal(*texts), "f:1:");
}

static void check_all_accepted(const char *const *texts)
{
    for (; *texts; texts++)
        CHECK_STRING(refusal(*texts), "");
}

/* Writes `part` so many times to `out`. Returns its end, where a NUL is. */
static char *repeat(char *out, const char *part, int times)
{
    size_t length = strlen(part);
    for (int i = 0; i < times; i++, out += length)
        memcpy(out, part, length);
    *out = '\0';
    return out;
}

QZ_TEST(places_of_keys_and_values_count_from_one_in_characters) // Byte order mark and CR take no column, "é" one.
{
    static const char text[] = "\xef\xbb\xbf{\"é\": [1,\r\n  \"é\", {\"b\" :null}]}\r\n";
    struct qz_json json = {0};
    struct qz_error error = {0};
    CHECK_INT(parse_bytes(text, sizeof text - 1, &json, &error), QZ_E_SUCCESS);
    if (!json.root)
        return;
    const struct qz_json_place *root = qz_json_place(&json, json.root);
    CHECK_INT(root->line * 100 + root->column, 101);
    CHECK_INT(root->key_line, 0);
    CHECK_INT(root->key_column, 0);
    const cJSON *array = json.root->child;
    CHECK_INT(qz_json_place(&json, array)->key_column, 2);
    CHECK_INT(qz_json_place(&json, array)->column, 7);
    const cJSON *object = cJSON_GetArrayItem(array, 2);
    CHECK_INT(qz_json_place(&json, object)->line, 2);
    CHECK_INT(qz_json_place(&json, object)->column, 8);
    CHECK_INT(qz_json_place(&json, object)->key_line, 0);
    const struct qz_json_place *member = qz_json_place(&json, object->child);
    CHECK_INT(member->key_line, 2);
    CHECK_INT(member->key_column, 9);
    CHECK_INT(member->column, 14);
    CHECK_INT(json.place_count, 6);
    qz_json_free(&json);
}

QZ_TEST(values_arrive_as_written) // Escapes, pairs of surrogates and exponents included.
{
    static const char text[] = "[\"a\\n\\\"\\/\\u00e9\\ud83d\\ude00\", 1.5e2, true, false, null]";
    struct qz_json json = {0};
    struct qz_error error = {0};
    CHECK_INT(parse_bytes(text, sizeof text - 1, &json, &error), QZ_E_SUCCESS);
    CHECK_STRING(cJSON_GetArrayItem(json.root, 0)->valuestring, "a\n\"/é😀");
    CU_ASSERT_EQUAL(cJSON_GetArrayItem(json.root, 1)->valuedouble, 150.0);
    CU_ASSERT(cJSON_IsTrue(cJSON_GetArrayItem(json.root, 2)));
    CU_ASSERT(cJSON_IsFalse(cJSON_GetArrayItem(json.root, 3)));
    CU_ASSERT(cJSON_IsNull(cJSON_GetArrayItem(json.root, 4)));
    qz_json_free(&json);
}

QZ_TEST(sound_json_of_any_kind_is_accepted) // Any value may be the root; blanks may stand anywhere between.
{
    check_all_accepted((const char *const[]){
        "0", "-0", "\"\"", " \t\r\n[ ]\n", "{ }", "[ [ ] , { \"a\" : { } } ]", "1.5", "-12.5E-3", "0.1", "1e3",
        "true", "{\"\":1}", "[\"\x7f\"]", NULL});
}

QZ_TEST(what_is_no_json_is_refused) // Trailing text, commas, comments, single quotes, words of other languages.
{
    check_all_refused((const char *const[]){
        "", " ", "{", "[", "}", "{}{}", "{} x", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}",
        "{a:1}", "{1:1}", "{'a':1}", "[1}", "/**/1", "1 //", "True", "nul", "nulll", "truefalse", "undefined",
        "[1\v]", "[\f]", "{\"a\":1;\"b\":2}", "\xef\xbb\xbf\xef\xbb\xbf{}", NULL});
}

QZ_TEST(numbers_follow_the_grammar) // cJSON takes 01 and 1. for numbers.
{
    check_all_refused((const char *const[]){
        "01", "-01", "00", "1.", ".5", "-", "+1", "1e", "1e+", "0x10", "1_000", "1,5", "NaN", "Infinity",
        "-Infinity", "1.5.1", "1e5e5", "--1", "1d", NULL});
}

QZ_TEST(numbers_that_a_double_would_change_are_refused) // Nothing is silently altered.
{
    check_all_refused((const char *const[]){
        "9007199254740992", "9007199254740993", "-9007199254740993", "99999999999999999999", "1e16", "9.1e15",
        "1e308", "1e309", "1e99999999999", "1e-400", "1e-99999999999", "30.0000000000000000001", "1.9999999999999999999",
        "0.1234567890123456", "9007199254740991.5",
        "0.0000000000000000000000000000000000000000000000000000000000000000", NULL});
    check_all_accepted((const char *const[]){
        "9007199254740991", "-9007199254740991", "900719925474099.1e1", "1e15", "0.123456789012345", "1e-300",
        "0e999", "0e-999", "0.000", "123456789012345000e-3", NULL});
}

QZ_TEST(strings_hold_neither_nul_nor_halves_of_pairs_nor_raw_controls) // They would be cut, or mean nothing.
{
    check_all_refused((const char *const[]){
        "[\"\\u0000\"]", "[\"\\ud800\"]", "[\"\\ud800x\"]", "[\"\\ud800\\n\"]", "[\"\\udc00\"]",
        "[\"\\ud800\\ud800\"]", "[\"\\udc00\\udc00\"]", "[\"\\ud800\\ue000\"]", "[\"\\x41\"]", "[\"\\u12\"]",
        "[\"\\u12g4\"]", "[\"\\", "[\"\\u", "[\"\\\"", "[\"a\nb\"]", "[\"a\tb\"]", "[\"\x1f\"]",
        "{\"\\u0000\":1}", NULL});
    struct qz_json json = {0};
    struct qz_error error = {0};
    CHECK_INT(parse_bytes("[\"a\0b\"]", 7, &json, &error), QZ_E_INCORRECT_JSON_CONFIG_FILE);
    CHECK_INT(parse_bytes("[1]\0", 4, &json, &error), QZ_E_INCORRECT_JSON_CONFIG_FILE);
}

QZ_TEST(strings_are_utf8) // No overlong forms, no surrogates, nothing above U+10FFFF, nothing cut off.
{
    check_all_refused((const char *const[]){
        "\"\x80\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xe0\x80\xaf\"", "\"\xf0\x80\x80\xaf\"",
        "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc3\"", "\"\xe2\x82\"", "\"\xf0\x9f\x98", "\xc3\xa9", NULL});
    check_all_accepted((const char *const[]){
        "\"\xc2\x80\"", "\"\xef\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\"", "\"\xed\x9f\xbf\xee\x80\x80\"", NULL});
}

QZ_TEST(a_key_stands_once_in_its_object) // However it is written; the same key in another object is another key.
{
    CHECK_STRING(refusal("{\"a\":1,\n \"b\":2,\n \"a\":3,\"a\":4}"),
                 "f:3:2: a: found the key a second time (first in line 1), allowed each key once");
    CHECK_CONTAINS(refusal("{\"ab\":1,\"a\\u0062\":2}"), "f:1:9: ab: found the key a second time");
    CHECK_CONTAINS(refusal("[{\"z\":[{\"x\":1,\"x\":2}],\"z\":2}]"), "f:1:15: x: found");
    CHECK_STRING(refusal("{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]},\"A\":1}"), "");
}

QZ_TEST(the_message_says_where_in_which_key_what_and_what_else) // In one line, with the cause in the detail.
{
    struct qz_json json = {0};
    struct qz_error error = {0};
    static const char text[] = "{\"one\": 1,\n \"two\": [030]}";
    CHECK_INT(parse_bytes(text, sizeof text - 1, &json, &error), QZ_E_INCORRECT_JSON_CONFIG_FILE);
    CHECK_STRING(error.message, "f:2:10: two: found \"030\", allowed a number without leading zeros");
    CHECK_STRING(error.detail, "line 2, column 10");
    CHECK_STRING(error.path, "f");
    CHECK_STRING(refusal("{\"a\": {\"b\": 1}, \"c\" 2}"), "f:1:21: c: found \"2\", allowed a \":\" after the key");
    CHECK_STRING(refusal("{\"a\": {\"b\": 1} \"c\": 2}"), "f:1:16: found \"\\\"\", allowed \",\" or \"}\"");
}

QZ_TEST(foreign_text_in_messages_is_escaped_and_cut) // A config file must not steer the operator's terminal.
{
    CHECK_CONTAINS(refusal("[\x1b[2J]"), "found \"\\x1b\"");
    CHECK_CONTAINS(refusal("{\"k\xc2\x9b\xe2\x80\xae\": x}"), "k\\u009b\\u202e: found \"x\"");
    char text[2000] = "[";
    memset(text + 1, 'z', 1000);
    const char *message = refusal(text);
    CHECK_CONTAINS(message, "zzz…\", allowed");
    CU_ASSERT(strlen(message) < 300);
    char path[3000];
    struct qz_json json = {0};
    struct qz_error error = {0};
    memset(path, 'p', sizeof path);
    memcpy(path, "/\n/", 3);
    path[sizeof path - 1] = '\0';
    qz_json_parse(path, "x", 1, QZ_E_INCORRECT_JSON_CONFIG_FILE, &json, &error);
    CHECK_CONTAINS(error.message, "/\\n/ppp");
    CHECK_CONTAINS(error.message, "p…:1:1: found \"x\", allowed a value");
}

QZ_TEST(nesting_ends_at_32_levels) // Objects and arrays together; more is refused where it begins.
{
    char text[200] = "";
    repeat(repeat(repeat(text, "[{\"a\":", 16), "1", 1), "}]", 16);
    CHECK_STRING(refusal(text), "");
    *strchr(text, '1') = '[';
    CHECK_CONTAINS(refusal(text), "f:1:97: a: found a 33rd level of nesting, allowed at most 32");
}

QZ_TEST(side_by_side_is_not_nesting) // The depth goes down again.
{
    char text[400] = "";
    repeat(repeat(repeat(text, "[", 1), "[],", 100), "{}]", 1);
    CHECK_STRING(refusal(text), "");
}

QZ_TEST(a_file_has_at_most_one_mebibyte) // Exactly so many bytes are read, one more is refused unread.
{
    char *text = malloc(QZ_JSON_SIZE_MAX + 1);
    struct qz_json json = {0};
    struct qz_error error = {0};
    CU_ASSERT_PTR_NOT_NULL(text);
    if (!text)
        return;
    memset(text, ' ', QZ_JSON_SIZE_MAX + 1);
    text[QZ_JSON_SIZE_MAX - 1] = '1';
    CHECK_INT(qz_json_parse("f", text, QZ_JSON_SIZE_MAX, QZ_E_INTERNAL_ERROR, &json, &error), QZ_E_SUCCESS);
    qz_json_free(&json);
    CHECK_INT(qz_json_parse("f", text, QZ_JSON_SIZE_MAX + 1, QZ_E_NOT_ROOT, &json, &error), QZ_E_NOT_ROOT);
    CHECK_STRING(error.message, "f:1:1: found 1048577 bytes, allowed at most 1048576 bytes");
    free(text);
}

QZ_TEST(empty_text_may_be_null) // Reading an empty file may give no memory at all.
{
    struct qz_json json = {0};
    struct qz_error error = {0};
    CHECK_INT(qz_json_parse("f", NULL, 0, QZ_E_NOT_ROOT, &json, &error), QZ_E_NOT_ROOT);
    CHECK_CONTAINS(error.message, "f:1:1: found the end of the file, allowed a value");
}

QZ_TEST(every_cut_of_sound_text_is_refused) // No byte beyond the end is ever looked at (the sanitizer watches).
{
    static const char text[] = "{\"a\": [1.5e3, \"\\ud83d\\ude00é\", true], \"b\": null}";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct qz_json json = {0};
        struct qz_error error = {0};
        CHECK_INT(parse_bytes(text, size, &json, &error), QZ_E_INCORRECT_JSON_CONFIG_FILE);
    }
}

QZ_TEST(the_nearest_word_is_what_was_probably_meant) // Any case, a few letters off, or only how it begins.
{
    static const char *const known[] = {"preScriptLocation", "postScriptLocation", "timeoutInSeconds", "appName", NULL};
    CHECK_STRING(qz_nearest_word("PRESCRIPTLOCATION", known), "preScriptLocation");
    CHECK_STRING(qz_nearest_word("preScriptPath", known), "preScriptLocation");
    CHECK_STRING(qz_nearest_word("postScriptlocaton", known), "postScriptLocation");
    CHECK_STRING(qz_nearest_word("timeout", known), "timeoutInSeconds");
    CHECK_STRING(qz_nearest_word("exti", (const char *const[]){"trace", "exit", NULL}), "exit");
    CU_ASSERT_PTR_NULL(qz_nearest_word("comment", known));
    CU_ASSERT_PTR_NULL(qz_nearest_word("name", known));
    CU_ASSERT_PTR_NULL(qz_nearest_word("", known));
    char word[300];
    memset(word, 'a', sizeof word);
    word[sizeof word - 1] = '\0';
    CU_ASSERT_PTR_NULL(qz_nearest_word(word, known));
    CU_ASSERT_PTR_NULL(qz_nearest_word("a", (const char *const[]){word, NULL}));
}
