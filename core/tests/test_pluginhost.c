#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "quiesce/config.h"

struct parsed {
    struct qz_plugin_host host;
    struct qz_warning_list warnings;
    struct qz_error error;
    enum qz_code code;
};

static struct parsed parse(const struct fixture *fixture)
{
    struct parsed parsed = {.code = QZ_E_SUCCESS};
    parsed.code = qz_plugin_host_parse(fixture->path, fixture->text, fixture->size, &parsed.host, &parsed.warnings,
                                       &parsed.error);
    return parsed;
}

static void free_parsed(struct parsed *parsed)
{
    qz_plugin_host_free(&parsed->host);
    qz_warning_list_free(&parsed->warnings);
}

/* Parses a file of good/, which must succeed. The path of its warnings must not be used. */
static struct parsed parse_good(const char *name)
{
    struct fixture fixture = fixture_read("pluginhosts/good", name);
    struct parsed parsed = parse(&fixture);
    CHECK_STRING(parsed.error.message, "");
    CHECK_INT(parsed.code, QZ_E_SUCCESS);
    fixture_free(&fixture);
    return parsed;
}

/* What the files of fixtures/pluginhosts/bad are refused with, after the path. */
static const struct {
    const char *name;
    const char *message;
} bad[] = {
    {"carriage-returns-only.conf", "1:11: found \"\\r\", allowed text without control characters"},
    {"control-character.conf", "6:60: found \"\\x1b\", allowed text without control characters"},
    {"duplicate-key-in-other-case.conf",
     "7:1: PLUGINCONFIGPATH0: found the key a second time (first in line 6), allowed each key once, in any case"},
    {"duplicate-key.conf",
     "7:1: timeoutInSeconds: found the key a second time (first in line 2), allowed each key once, in any case"},
    {"empty-config-path.conf", "6:21: pluginConfigPath0: found \"\", allowed an absolute path"},
    {"empty-file.conf", "1:1: found no section, allowed the section [pre_post] with the keys"},
    {"indented-key.conf", "3:1: found \"  numberOfPlugins = 1\", allowed no blanks before a key or section"},
    {"inline-comment.conf", "6:66: found \"; the config\", allowed comments only on lines of their own"},
    {"inline-hash-comment.conf", "6:66: found \"# the config\", allowed comments only on lines of their own"},
    {"key-too-long.conf",
     "7:1: found \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\", allowed a key of at most 49 bytes"},
    {"latin-1.conf", "6:28: found \"\\xfc\", allowed UTF-8 text"},
    {"line-too-long.conf", "6:1: found a line of 199 bytes, allowed at most 198"},
    {"line-without-equals.conf",
     "7:1: found \"pluginName1 ScriptRunner\", allowed \"key = value\", the section, or a comment"},
    {"no-key.conf", "7:1: found \"= value\", allowed a key before the \"=\""},
    {"no-number-of-plugins.conf", "1:1: numberOfPlugins: found no such key, allowed a number from 1 to 64"},
    {"no-plugin-config-path.conf", "3:1: pluginConfigPath1: found no such key, allowed an absolute path"},
    {"no-plugin-name.conf", "3:1: pluginName1: found no such key, allowed only \"ScriptRunner\""},
    {"no-plugins.conf", "3:19: numberOfPlugins: found \"0\", allowed a number from 1 to 64"},
    {"no-section.conf", "1:1: found \"timeoutInSeconds\", allowed keys only after the section [pre_post]"},
    {"no-timeout.conf", "1:1: timeoutInSeconds: found no such key, allowed a number from 1 to 1800"},
    {"nul.conf", "2:22: found \"\\x00\", allowed text without control characters"},
    {"only-comments.conf", "1:1: found no section, allowed the section [pre_post] with the keys"},
    {"other-plugin-name.conf", "4:15: pluginName0: found \"Custom\", allowed only \"ScriptRunner\""},
    {"other-section.conf", "7:1: found \"[general]\", allowed only the section [pre_post]"},
    {"plugin-name-in-other-case.conf", "4:15: pluginName0: found \"scriptrunner\", allowed only \"ScriptRunner\""},
    {"plugin-number-too-large.conf",
     "7:1: pluginName64: found \"64\", allowed a plugin's number from 0 to 63 without leading zeros"},
    {"plugin-number-with-leading-zero.conf",
     "7:1: pluginName00: found \"00\", allowed a plugin's number from 0 to 63 without leading zeros"},
    {"relative-config-path.conf",
     "6:21: pluginConfigPath0: found \"VMSnapshotScriptPluginConfig.json\", allowed an absolute path"},
    {"section-in-other-case.conf", "1:1: found \"[Pre_Post]\", allowed only the section [pre_post]"},
    {"section-twice.conf", "7:1: found the section a second time (first in line 1), allowed it once"},
    {"section-unclosed.conf", "1:1: found \"[pre_post\", allowed only the section [pre_post]"},
    {"surplus-config-path.conf",
     "7:1: pluginConfigPath63: found a plugin too many, allowed plugin numbers below 1, as numberOfPlugins says"},
    {"surplus-plugin-name.conf",
     "7:1: pluginName1: found a plugin too many, allowed plugin numbers below 1, as numberOfPlugins says"},
    {"surplus-plugin-path.conf",
     "7:1: pluginPath1: found a plugin too many, allowed plugin numbers below 1, as numberOfPlugins says"},
    {"text-after-section.conf",
     "1:1: found \"[pre_post] timeoutInSeconds = 5\", allowed only the section [pre_post]"},
    {"timeout-beyond-int.conf", "2:20: timeoutInSeconds: found \"4294967326\", allowed a number from 1 to 1800"},
    {"timeout-empty.conf", "2:20: timeoutInSeconds: found \"\", allowed a number from 1 to 1800"},
    {"timeout-leading-zero.conf", "2:20: timeoutInSeconds: found \"030\", allowed a number from 1 to 1800"},
    {"timeout-negative.conf", "2:20: timeoutInSeconds: found \"-1\", allowed a number from 1 to 1800"},
    {"timeout-not-a-number.conf", "2:20: timeoutInSeconds: found \"30s\", allowed a number from 1 to 1800"},
    {"timeout-not-integral.conf", "2:20: timeoutInSeconds: found \"2.5\", allowed a number from 1 to 1800"},
    {"timeout-too-long.conf", "2:20: timeoutInSeconds: found \"1801\", allowed a number from 1 to 1800"},
    {"timeout-zero.conf", "2:20: timeoutInSeconds: found \"0\", allowed a number from 1 to 1800"},
    {"too-many-plugins.conf", "3:19: numberOfPlugins: found \"65\", allowed a number from 1 to 64"},
    {"value-a-comment.conf", "4:15: found \";ScriptRunner\", allowed comments only on lines of their own"},
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
    CHECK_INT(parsed.code, QZ_E_INCORRECT_PLUGIN_HOST_FILE);
    CHECK_INT(parsed.error.code, QZ_E_INCORRECT_PLUGIN_HOST_FILE);
    size_t length = strlen(fixture.path);
    CU_ASSERT(strncmp(parsed.error.message, fixture.path, length) == 0 && parsed.error.message[length] == ':');
    parsed.error.message[length + 1 + strlen(expected ? expected : "")] = '\0';
    CHECK_STRING(parsed.error.message + length + 1, expected);
    CU_ASSERT_PTR_EQUAL(parsed.error.path, fixture.path);
    CHECK_CONTAINS(parsed.error.detail, "line ");
    CU_ASSERT_PTR_NULL(strpbrk(parsed.error.message, "\n\r\x1b"));
    CHECK_INT(parsed.host.count, 0);
    free_parsed(&parsed);
    fixture_free(&fixture);
}

QZ_TEST(every_bad_plugin_host_file_is_refused_with_its_place) // One file a rule; nothing is altered or dropped.
{
    CHECK_INT(fixture_walk("pluginhosts/bad", check_bad), sizeof bad / sizeof bad[0]);
}

static void check_good(const char *folder, const char *name)
{
    (void)folder;
    struct parsed parsed = parse_good(name);
    CU_ASSERT(parsed.host.count >= 1);
    for (size_t i = 0; i < parsed.host.count; i++) {
        CHECK_STRING(parsed.host.plugins[i].name, "ScriptRunner");
        CHECK_INT(parsed.host.plugins[i].config_path[0], '/');
    }
    free_parsed(&parsed);
}

QZ_TEST(every_good_plugin_host_file_is_accepted) // With as many plugins as it names.
{
    CU_ASSERT(fixture_walk("pluginhosts/good", check_good) > 0);
}

static void check_one(const char *name)
{
    struct parsed parsed = parse_good(name);
    CHECK_INT(parsed.host.count, 1);
    CHECK_INT(parsed.host.timeout_s, 1800);
    CHECK_STRING(parsed.host.plugins[0].config_path, QZ_CONFIG_PATH_DEFAULT);
    CHECK_INT(parsed.warnings.count, 0);
    free_parsed(&parsed);
}

QZ_TEST(one_plugin_is_read) // pluginPath0 is known and unused.
{
    check_one("one-plugin.conf");
}

QZ_TEST(byte_order_mark_and_crlf_change_nothing) // Editors on Windows write them.
{
    check_one("bom-crlf.conf");
}

QZ_TEST(keys_are_known_in_any_case_and_order_with_colon_or_equals) // Values keep their blanks, ":" and "=" inside.
{
    struct parsed parsed = parse_good("colons-and-cases.conf");
    CHECK_INT(parsed.host.count, 2);
    CHECK_INT(parsed.host.timeout_s, 60);
    CHECK_STRING(parsed.host.plugins[0].config_path, "/etc/a b.json");
    CHECK_STRING(parsed.host.plugins[1].config_path, "/etc/b:c=d.json");
    CHECK_INT(parsed.warnings.count, 0);
    free_parsed(&parsed);
}

QZ_TEST(comments_stand_on_lines_of_their_own) // However long; "#" and ";" inside a word are no comment.
{
    struct parsed parsed = parse_good("comments.conf");
    CHECK_INT(parsed.host.count, 1);
    CHECK_STRING(parsed.host.plugins[0].config_path, "/etc/azure/a;b#c.json");
    CHECK_INT(parsed.warnings.count, 0);
    free_parsed(&parsed);
}

QZ_TEST(there_may_be_64_plugins) // Each with its own config.
{
    struct parsed parsed = parse_good("64-plugins.conf");
    CHECK_INT(parsed.host.count, 64);
    CHECK_STRING(parsed.host.plugins[0].config_path, "/etc/azure/plugin0.json");
    CHECK_STRING(parsed.host.plugins[63].config_path, "/etc/azure/plugin63.json");
    free_parsed(&parsed);
}

QZ_TEST(a_line_as_long_as_libinih_takes_is_whole) // One byte more is in the bad set.
{
    struct parsed parsed = parse_good("longest-line.conf");
    CHECK_INT(strlen(parsed.host.plugins[0].config_path), 178);
    free_parsed(&parsed);
}

QZ_TEST(an_unknown_key_is_a_warning_with_the_nearest_known_one) // At its place; without one if none is near.
{
    struct parsed parsed = parse_good("unknown-key.conf");
    CHECK_INT(parsed.warnings.count, 3);
    CHECK_INT(parsed.warnings.items[0].line, 7);
    CHECK_INT(parsed.warnings.items[0].column, 1);
    CHECK_STRING(parsed.warnings.items[0].message,
                 "unknown key \"timeoutInSecond\", ignored; the nearest known key is \"timeoutInSeconds\"");
    CHECK_CONTAINS(parsed.warnings.items[1].message, "the nearest known key is \"pluginNameN\"");
    CHECK_STRING(parsed.warnings.items[2].message, "unknown key \"colour\", ignored");
    free_parsed(&parsed);
}

QZ_TEST(a_key_may_have_forty_nine_bytes) // as many as libinih keeps; with one more it is refused
{
    struct fixture fixture = fixture_read("pluginhosts/good", "minimal.conf");
    struct parsed parsed = {.code = QZ_E_SUCCESS};
    char text[4096];
    snprintf(text, sizeof text, "%.*s\n%049d=\n", (int)fixture.size, fixture.text, 0);
    parsed.code = qz_plugin_host_parse("f", text, strlen(text), &parsed.host, &parsed.warnings, &parsed.error);
    CHECK_INT(parsed.code, QZ_E_SUCCESS);
    CHECK_INT(parsed.warnings.count, 1);
    free_parsed(&parsed);
    fixture_free(&fixture);
}

QZ_TEST(two_plugins_with_one_config_are_a_warning) // Its scripts would run twice at the same time.
{
    struct parsed parsed = parse_good("same-config-twice.conf");
    CHECK_INT(parsed.host.count, 2);
    CHECK_INT(parsed.warnings.count, 1);
    CHECK_INT(parsed.warnings.items[0].line, 8);
    CHECK_INT(parsed.warnings.items[0].column, 21);
    CHECK_CONTAINS(parsed.warnings.items[0].message, "pluginConfigPath1: the same config as pluginConfigPath0");
    free_parsed(&parsed);
}

QZ_TEST(a_file_has_at_most_one_mebibyte) // Exactly so many bytes are read, one more is refused unread.
{
    static const char sound[] = "[pre_post]\ntimeoutInSeconds=1\nnumberOfPlugins=1\npluginName0=ScriptRunner\n"
                                "pluginConfigPath0=/a\n";
    size_t size = 1024 * 1024 + 1;
    struct fixture fixture = {.path = "f", .text = malloc(size), .size = size - 1};
    CU_ASSERT_PTR_NOT_NULL(fixture.text);
    if (!fixture.text)
        return;
    memset(fixture.text, '#', size);
    memcpy(fixture.text, sound, sizeof sound - 1);
    struct parsed parsed = parse(&fixture);
    CHECK_INT(parsed.code, QZ_E_SUCCESS);
    free_parsed(&parsed);
    fixture.size = size;
    parsed = parse(&fixture);
    CHECK_INT(parsed.code, QZ_E_INCORRECT_PLUGIN_HOST_FILE);
    CHECK_STRING(parsed.error.message, "f:1:1: found 1048577 bytes, allowed at most 1048576 bytes");
    free_parsed(&parsed);
    fixture_free(&fixture);
}

QZ_TEST(empty_text_may_be_null) // Reading an empty file may give no memory at all.
{
    struct fixture fixture = {.path = "f", .text = NULL, .size = 0};
    struct parsed parsed = parse(&fixture);
    CHECK_STRING(parsed.error.message, "f:1:1: found no section, allowed the section [pre_post] with the keys");
    free_parsed(&parsed);
}

QZ_TEST(without_a_file_there_is_one_plugin) // With the config it is given and the longest time.
{
    struct qz_plugin_host host;
    CU_ASSERT(qz_plugin_host_builtin("/etc/x.json", &host));
    CHECK_INT(host.count, 1);
    CHECK_INT(host.timeout_s, 1800);
    CHECK_STRING(host.plugins[0].name, "ScriptRunner");
    CHECK_STRING(host.plugins[0].config_path, "/etc/x.json");
    qz_plugin_host_free(&host);
    CHECK_INT(host.count, 0);
    CU_ASSERT_PTR_NULL(host.plugins[0].name);
}
