#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "quiesce/config.h"

struct parsed {
    struct qz_config config;
    struct qz_warning_list warnings;
    struct qz_error error;
    enum qz_code code;
};

static struct parsed parse(const struct fixture *fixture)
{
    struct parsed parsed = {.code = QZ_E_SUCCESS};
    parsed.code = qz_config_parse(fixture->path, fixture->text, fixture->size, &parsed.config, &parsed.warnings,
                                  &parsed.error);
    return parsed;
}

static void free_parsed(struct parsed *parsed)
{
    qz_config_free(&parsed->config);
    qz_warning_list_free(&parsed->warnings);
}

/* Parses a file of good/, which must succeed. The path of its warnings must not be used. */
static struct parsed parse_good(const char *name)
{
    struct fixture fixture = fixture_read("configs/good", name);
    struct parsed parsed = parse(&fixture);
    CHECK_STRING(parsed.error.message, "");
    CHECK_INT(parsed.code, QZ_E_SUCCESS);
    fixture_free(&fixture);
    return parsed;
}

/* Parses text that is at hand, named "f". */
static struct parsed parse_text(const char *text)
{
    struct parsed parsed = {.code = QZ_E_SUCCESS};
    parsed.code = qz_config_parse("f", text, strlen(text), &parsed.config, &parsed.warnings, &parsed.error);
    return parsed;
}

/* What the files of fixtures/configs/bad are refused with, after the path. */
static const struct {
    const char *name;
    const char *message;
} bad[] = {
    {"almost-an-integer.json",
     "4:25: timeoutInSeconds: found \"30.0000000000000000001\""
     ", allowed an integer from 1 to 1800, without quotes"},
    {"bad-escape.json", "4:28: preScriptParams: found \"\\U\", allowed \\ followed by one of \" \\ / b f n r t u"},
    {"boolean-as-number.json", "4:24: fsFreezeEnabled: found 1, allowed true or false, without quotes"},
    {"boolean-in-quotes.json",
     "4:32: continueBackupOnFailure: found \"false\", allowed true or false, without quotes"},
    {"comment.json", "2:5: found \"/\", allowed a key in double quotes"},
    {"control-character.json",
     "4:26: preScriptParams: found \"\\x1b\""
     ", allowed control characters in a string only as escapes such as \\t or \\u001b"},
    {"duplicate-key-escaped.json",
     "5:5: fsFreezeEnabled: found the key a second time (first in line 4), allowed each key once"},
    {"duplicate-key-nested.json", "4:34: a: found the key a second time (first in line 4), allowed each key once"},
    {"duplicate-key.json",
     "5:5: timeoutInSeconds: found the key a second time (first in line 4), allowed each key once"},
    {"empty-file.json",
     "1:1: found the end of the file, allowed a value: a text in double quotes, a number, true, false, null, [ or {"},
    {"empty-path.json", "2:26: preScriptLocation: found \"\", allowed an absolute path in double quotes"},
    {"exponent-without-digit.json", "4:25: timeoutInSeconds: found \"3e\", allowed a digit in the exponent"},
    {"hexadecimal.json", "4:25: timeoutInSeconds: found \"0x1E\", allowed a number like 30, -1, 2.5 or 1e3"},
    {"high-surrogate-twice.json",
     "4:26: preScriptParams: found \"\\ud83d\", allowed no surrogate, or two that belong together (\\ud83d\\ude00)"},
    {"integer-beyond-double.json",
     "4:29: preScriptNoOfRetries: found \"9007199254740993\", allowed an integer from 0 to 100, without quotes"},
    {"key-without-quotes.json", "2:5: found \"p\", allowed a key in double quotes"},
    {"latin-1.json", "2:34: preScriptLocation: found \"\\xfc\", allowed UTF-8 text"},
    {"leading-zero.json", "4:25: timeoutInSeconds: found \"030\", allowed a number without leading zeros"},
    {"lone-high-surrogate.json",
     "4:27: preScriptParams: found \"\\ud800\", allowed no surrogate, or two that belong together (\\ud83d\\ude00)"},
    {"lone-low-surrogate.json",
     "4:26: preScriptParams: found \"\\udc00\", allowed no surrogate, or two that belong together (\\ud83d\\ude00)"},
    {"lone-minus.json", "4:25: timeoutInSeconds: found \"-\", allowed a number like 30, -1, 2.5 or 1e3"},
    {"missing-brace.json", "4:1: found the end of the file, allowed \",\" or \"}\""},
    {"missing-colon.json", "2:25: preScriptLocation: found \"\\\"\", allowed a \":\" after the key"},
    {"missing-comma.json", "3:5: found \"\\\"\", allowed \",\" or \"}\""},
    {"name-of-wrong-type.json", "4:19: pluginName: found 7, allowed a text in double quotes (\"ScriptRunner\")"},
    {"negative-integer-beyond-double.json",
     "4:29: preScriptNoOfRetries: found \"-9007199254740992\", allowed an integer from 0 to 100, without quotes"},
    {"nesting-bomb.json", "1:33: found a 33rd level of nesting, allowed at most 32 levels"},
    {"nesting-too-deep.json", "4:47: appName: found a 33rd level of nesting, allowed at most 32 levels"},
    {"no-post-script.json",
     "1:1: postScriptLocation: found no such key, allowed an absolute path in double quotes (the key is required)"},
    {"no-pre-script.json",
     "1:1: preScriptLocation: found no such key, allowed an absolute path in double quotes (the key is required)"},
    {"not-a-number.json",
     "4:25: timeoutInSeconds: found \"NaN\""
     ", allowed a value: a text in double quotes, a number, true, false, null, [ or {"},
    {"not-an-object.json", "1:1: found an array of 1, allowed an object: { \"preScriptLocation\": \"/path\", … }"},
    {"nul-in-string.json", "4:27: preScriptParams: found a NUL in a string, allowed any other character"},
    {"number-overflow.json",
     "4:29: preScriptNoOfRetries: found \"1e999\", allowed an integer from 0 to 100, without quotes"},
    {"number-too-long.json",
     "4:25: timeoutInSeconds: found \"30.000000000000000000000000000000"},
    {"number-underflow.json",
     "4:29: preScriptNoOfRetries: found \"1e-400\", allowed an integer from 0 to 100, without quotes"},
    {"only-blanks.json",
     "3:1: found the end of the file, allowed a value: a text in double quotes, a number, true, false, null, [ or {"},
    {"only-bom.json",
     "1:1: found the end of the file, allowed a value: a text in double quotes, a number, true, false, null, [ or {"},
    {"overlong-utf8.json", "2:31: preScriptLocation: found \"\\xc0\", allowed UTF-8 text"},
    {"param-of-wrong-type.json",
     "4:37: postScriptParams: found 9, allowed only texts in double quotes as parameters"},
    {"params-of-wrong-type.json",
     "4:24: preScriptParams: found \"--full\", allowed an array of texts in double quotes"},
    {"path-of-wrong-type.json", "2:26: preScriptLocation: found null, allowed an absolute path in double quotes"},
    {"plus-sign.json",
     "4:25: timeoutInSeconds: found \"+30\""
     ", allowed a value: a text in double quotes, a number, true, false, null, [ or {"},
    {"point-without-digit.json", "4:25: timeoutInSeconds: found \"30.\", allowed a digit after the decimal point"},
    {"poll-time-not-integral.json",
     "4:40: ScriptsExecutionPollTimeSeconds: found 1.5, allowed an integer from 1 to 5, without quotes"},
    {"poll-time-too-long.json",
     "4:40: ScriptsExecutionPollTimeSeconds: found 6, allowed an integer from 1 to 5, without quotes"},
    {"poll-time-zero.json",
     "4:40: ScriptsExecutionPollTimeSeconds: found 0, allowed an integer from 1 to 5, without quotes"},
    {"python-literal.json",
     "4:24: fsFreezeEnabled: found \"True\""
     ", allowed a value: a text in double quotes, a number, true, false, null, [ or {"},
    {"raw-nul-in-string.json",
     "4:27: preScriptParams: found \"\\x00\""
     ", allowed control characters in a string only as escapes such as \\t or \\u001b"},
    {"relative-path.json", "2:26: preScriptLocation: found \"pre.sh\", allowed an absolute path in double quotes"},
    {"relative-post-path.json",
     "3:27: postScriptLocation: found \"./post.sh\", allowed an absolute path in double quotes"},
    {"required-key-in-other-case.json",
     "1:1: preScriptLocation: found no such key, allowed an absolute path in double quotes (the key is required)"},
    {"retries-negative.json",
     "4:29: preScriptNoOfRetries: found -1, allowed an integer from 0 to 100, without quotes"},
    {"retries-not-integral.json",
     "4:29: preScriptNoOfRetries: found 2.5, allowed an integer from 0 to 100, without quotes"},
    {"retries-too-many.json",
     "4:30: postScriptNoOfRetries: found 101, allowed an integer from 0 to 100, without quotes"},
    {"short-unicode-escape.json", "4:26: preScriptParams: found \"\\u00\", allowed \\u and four hexadecimal digits"},
    {"single-quotes.json", "2:5: found \"'\", allowed a key in double quotes"},
    {"steering-value.json",
     "4:25: timeoutInSeconds: found \"\\x1b]0;owned\\x07\\u009b2J\\u202e\\nxxxx"},
    {"surrogate-in-utf8.json", "2:32: preScriptLocation: found \"\\xed\", allowed UTF-8 text"},
    {"tab-in-string.json",
     "4:27: preScriptParams: found \"\\t\""
     ", allowed control characters in a string only as escapes such as \\t or \\u001b"},
    {"timeout-a-boolean.json",
     "4:25: timeoutInSeconds: found true, allowed an integer from 1 to 1800, without quotes"},
    {"timeout-in-quotes.json",
     "4:25: timeoutInSeconds: found \"30\", allowed an integer from 1 to 1800, without quotes"},
    {"timeout-too-long.json",
     "4:25: timeoutInSeconds: found 1801, allowed an integer from 1 to 1800, without quotes"},
    {"timeout-zero.json", "4:25: timeoutInSeconds: found 0, allowed an integer from 1 to 1800, without quotes"},
    {"trailing-comma.json", "4:27: found a comma before the closing \"}\", allowed none there"},
    {"trailing-nul.json", "5:1: found \"\\x00\", allowed nothing after the end of the value"},
    {"trailing-text.json", "5:1: found \"{\", allowed nothing after the end of the value"},
    {"two-texts-in-one.json", "2:44: found \"\\\"\", allowed \",\" or \"}\""},
    {"unclosed-string-at-end.json",
     "1:32: preScriptLocation: found the end of the file, allowed a closing \" before it"},
    {"unclosed-string.json",
     "2:43: preScriptLocation: found the line's end in a string, allowed a closing \" before it"},
    {"utf-16.json",
     "1:1: found \"\\xff\\xfe\", allowed a value: a text in double quotes, a number, true, false, null, [ or {"},
    {"vertical-tab.json", "1:2: found \"\\x0b\", allowed a key in double quotes"},
};

/* Every file of the folder has its row, so that none is forgotten; its message begins as the row says. */
static void check_bad(const char *folder, const char *name)
{
    const char *expected = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (strcmp(bad[i].name, name) == 0)
            expected = bad[i].message;
    }
    if (!expected)
        fprintf(stderr, "no row for %s\n", name);
    CU_ASSERT_PTR_NOT_NULL(expected);
    struct fixture fixture = fixture_read(folder, name);
    struct parsed parsed = parse(&fixture);
    CHECK_INT(parsed.code, QZ_E_INCORRECT_JSON_CONFIG_FILE);
    CHECK_INT(parsed.error.code, QZ_E_INCORRECT_JSON_CONFIG_FILE);
    size_t length = strlen(fixture.path);
    CU_ASSERT(strncmp(parsed.error.message, fixture.path, length) == 0 && parsed.error.message[length] == ':');
    parsed.error.message[length + 1 + strlen(expected ? expected : "")] = '\0';
    CHECK_STRING(parsed.error.message + length + 1, expected);
    CU_ASSERT_PTR_EQUAL(parsed.error.path, fixture.path);
    CHECK_CONTAINS(parsed.error.detail, "line ");
    CU_ASSERT_PTR_NULL(strpbrk(parsed.error.message, "\n\r\x1b"));
    CU_ASSERT_PTR_NULL(parsed.config.pre.path);
    CU_ASSERT_PTR_NULL(parsed.config.plugin_name);
    free_parsed(&parsed);
    fixture_free(&fixture);
}

QZ_TEST(every_bad_config_is_refused_with_place_key_found_and_allowed) // One file a rule; one line for the operator.
{
    CHECK_INT(fixture_walk("configs/bad", check_bad), sizeof bad / sizeof bad[0]);
}

static void check_good(const char *folder, const char *name)
{
    (void)folder;
    struct parsed parsed = parse_good(name);
    CU_ASSERT_PTR_NOT_NULL(parsed.config.pre.path);
    CU_ASSERT_PTR_NOT_NULL(parsed.config.post.path);
    CU_ASSERT_PTR_NULL(parsed.config.pre.params[parsed.config.pre.param_count]);
    CU_ASSERT_PTR_NULL(parsed.config.post.params[parsed.config.post.param_count]);
    free_parsed(&parsed);
}

QZ_TEST(every_good_config_is_accepted) // And its params always end in NULL.
{
    CU_ASSERT(fixture_walk("configs/good", check_good) > 0);
}

static void check_document(const char *name)
{
    struct parsed parsed = parse_good(name);
    CHECK_STRING(parsed.config.plugin_name, "ScriptRunner");
    CHECK_STRING(parsed.config.pre.path, "/etc/azure/pre.sh");
    CHECK_STRING(parsed.config.post.path, "/etc/azure/post.sh");
    CHECK_INT(parsed.config.pre.param_count, 2);
    CHECK_STRING(parsed.config.post.params[1], "");
    CHECK_INT(parsed.config.timeout_s, 30);
    CHECK_INT(parsed.config.poll_s, 3);
    CHECK_INT(parsed.warnings.count, 0);
    free_parsed(&parsed);
}

QZ_TEST(the_guides_template_is_read_as_it_is) // Empty parameters are parameters.
{
    check_document("document.json");
}

QZ_TEST(byte_order_mark_and_crlf_change_nothing) // Editors on Windows write them.
{
    check_document("bom-crlf.json");
}

QZ_TEST(what_is_left_out_has_its_default) // Only the two locations are required.
{
    struct parsed parsed = parse_good("minimal.json");
    CHECK_STRING(parsed.config.plugin_name, QZ_PLUGIN_NAME_DEFAULT);
    CHECK_STRING(parsed.config.pre.path, "/a");
    CHECK_STRING(parsed.config.post.path, "/b");
    CHECK_INT(parsed.config.pre.param_count, 0);
    CHECK_INT(parsed.config.pre.retries, 0);
    CHECK_INT(parsed.config.post.retries, 0);
    CHECK_INT(parsed.config.timeout_s, 30);
    CHECK_INT(parsed.config.poll_s, 3);
    CU_ASSERT(parsed.config.continue_on_failure);
    CU_ASSERT(parsed.config.fs_freeze);
    free_parsed(&parsed);
}

QZ_TEST(every_key_fills_its_own_field) // No two are mixed up, nothing of appName matters.
{
    struct parsed parsed = parse_good("all-keys.json");
    const struct qz_config *config = &parsed.config;
    CHECK_STRING(config->pre.path, "/opt/app/pre.sh");
    CHECK_STRING(config->post.path, "/opt/app/post.sh");
    CHECK_INT(config->pre.param_count, 4);
    CHECK_STRING(config->pre.params[1], "full backup");
    CHECK_STRING(config->pre.params[2], "grüß 😀");
    CHECK_INT(config->post.param_count, 1);
    CHECK_STRING(config->post.params[0], "--resume");
    CHECK_INT(config->pre.retries, 3);
    CHECK_INT(config->post.retries, 2);
    CHECK_INT(config->timeout_s, 600);
    CHECK_INT(config->poll_s, 5);
    CU_ASSERT(!config->continue_on_failure);
    CU_ASSERT(!config->fs_freeze);
    CHECK_INT(parsed.warnings.count, 0);
    free_parsed(&parsed);
}

QZ_TEST(the_booleans_are_two) // One does not stand for the other.
{
    struct parsed parsed = parse_text("{\"preScriptLocation\":\"/a\",\"postScriptLocation\":\"/b\","
                                      "\"continueBackupOnFailure\":false,\"fsFreezeEnabled\":true}");
    CHECK_INT(parsed.code, QZ_E_SUCCESS);
    CU_ASSERT(!parsed.config.continue_on_failure);
    CU_ASSERT(parsed.config.fs_freeze);
    free_parsed(&parsed);
}

QZ_TEST(a_large_number_is_shown_in_digits) // not as 1e+15, which is not what stands in the file
{
    struct parsed parsed = parse_text("{\"timeoutInSeconds\": 1000000000000000}");
    CHECK_STRING(parsed.error.message, "f:1:22: timeoutInSeconds: found 1000000000000000, allowed an integer from 1 to "
                                       "1800, without quotes");
    free_parsed(&parsed);
}

QZ_TEST(both_ends_of_each_range_are_allowed) // The values just beyond are in the bad set.
{
    struct parsed least = parse_good("smallest-values.json");
    CHECK_INT(least.config.pre.retries, 0);
    CHECK_INT(least.config.timeout_s, 1);
    CHECK_INT(least.config.poll_s, 1);
    free_parsed(&least);
    struct parsed most = parse_good("largest-values.json");
    CHECK_INT(most.config.pre.retries, 100);
    CHECK_INT(most.config.post.retries, 100);
    CHECK_INT(most.config.timeout_s, 1800);
    CHECK_INT(most.config.poll_s, 5);
    free_parsed(&most);
}

QZ_TEST(an_integral_value_is_an_integer_however_written) // 2.0, 1e0, 1.8E+3, 30e-1.
{
    struct parsed parsed = parse_good("integers-in-other-clothes.json");
    CHECK_INT(parsed.config.pre.retries, 2);
    CHECK_INT(parsed.config.post.retries, 1);
    CHECK_INT(parsed.config.timeout_s, 1800);
    CHECK_INT(parsed.config.poll_s, 3);
    free_parsed(&parsed);
}

QZ_TEST(an_unknown_key_is_a_warning_with_the_nearest_known_one) // At the key's place; without one if none is near.
{
    struct parsed parsed = parse_good("unknown-key.json");
    CHECK_INT(parsed.warnings.count, 2);
    CHECK_INT(parsed.warnings.items[0].line, 4);
    CHECK_INT(parsed.warnings.items[0].column, 5);
    CHECK_STRING(parsed.warnings.items[0].message,
                 "unknown key \"timeoutInSecond\", ignored; the nearest known key is \"timeoutInSeconds\"");
    CHECK_STRING(parsed.warnings.items[1].message, "unknown key \"comment\", ignored");
    CHECK_INT(parsed.config.timeout_s, 30);
    free_parsed(&parsed);
}

QZ_TEST(a_key_in_another_case_is_unknown) // Keys are exactly as in the guide; the value is not taken.
{
    struct parsed parsed = parse_good("key-in-other-case.json");
    CHECK_INT(parsed.config.timeout_s, 30);
    CHECK_INT(parsed.warnings.count, 1);
    CHECK_CONTAINS(parsed.warnings.items[0].message, "the nearest known key is \"timeoutInSeconds\"");
    free_parsed(&parsed);
}

QZ_TEST(many_unknown_keys_are_not_all_listed) // The last warning says so.
{
    char text[4096];
    int used = snprintf(text, sizeof text, "{\"preScriptLocation\":\"/a\",\"postScriptLocation\":\"/b\"");
    for (int i = 0; i < 100; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, ",\"#%d\":0", i);
    snprintf(text + used, sizeof text - (size_t)used, "}");
    struct parsed parsed = parse_text(text);
    CHECK_INT(parsed.code, QZ_E_SUCCESS);
    CHECK_INT(parsed.warnings.count, 21);
    CHECK_STRING(parsed.warnings.items[19].message, "unknown key \"#19\", ignored");
    CHECK_CONTAINS(parsed.warnings.items[20].message, "more unknown keys from here on");
    free_parsed(&parsed);
}

QZ_TEST(another_plugin_name_is_a_warning) // It is kept as it is, and shown escaped.
{
    struct parsed parsed = parse_good("other-plugin-name.json");
    CHECK_STRING(parsed.config.plugin_name, "Custom\x1b[2JRunner");
    CHECK_INT(parsed.warnings.count, 1);
    CHECK_INT(parsed.warnings.items[0].line, 2);
    CHECK_INT(parsed.warnings.items[0].column, 19);
    CHECK_CONTAINS(parsed.warnings.items[0].message, "pluginName: found \"Custom\\x1b[2JRunner\"");
    free_parsed(&parsed);
}

QZ_TEST(warnings_before_a_refusal_are_kept) // A required key in another case is explained by its warning.
{
    struct parsed parsed = parse_text("{\"PreScriptLocation\": \"/a\", \"postScriptLocation\": \"/b\"}");
    CHECK_INT(parsed.code, QZ_E_INCORRECT_JSON_CONFIG_FILE);
    CHECK_CONTAINS(parsed.error.message, "f:1:1: preScriptLocation: found no such key");
    CHECK_INT(parsed.warnings.count, 1);
    free_parsed(&parsed);
}

QZ_TEST(without_a_config_nothing_runs_and_the_backup_goes_on) // As if continueBackupOnFailure were true.
{
    struct qz_config config;
    memset(&config, 0x55, sizeof config);
    qz_config_set_defaults(&config);
    CU_ASSERT_PTR_NULL(config.plugin_name);
    CU_ASSERT_PTR_NULL(config.pre.path);
    CU_ASSERT_PTR_NULL(config.post.path);
    CHECK_INT(config.pre.param_count, 0);
    CU_ASSERT(config.continue_on_failure);
    CU_ASSERT(config.fs_freeze);
    CHECK_INT(config.timeout_s, 30);
    CHECK_INT(config.poll_s, 3);
    qz_config_free(&config);
}
