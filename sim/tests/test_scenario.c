/* What is read of a scenario's text, and what is filled in. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "read.h"

#define SCENARIOS QZ_FIXTURES "/../scenarios"
#define MS INT64_C(1000)

/* ---- Helpers ----------------------------------------------------------------------------------------------------- */

/* What was read from a text; free with scenario_set_free(&…set). */
struct parsed {
    struct scenario_set set;
    struct scenario_mistakes mistakes;
    bool good;
};

static struct parsed parse(const char *text)
{
    struct parsed parsed = {.good = false};
    parsed.good = scenario_parse(&parsed.set, SCENARIOS, SCENARIOS "/a/b.json", text, strlen(text), &parsed.mistakes);
    if (!parsed.good)
        scenario_tell_mistakes(&parsed.mistakes, stderr);
    return parsed;
}

/* A sound scenario with these members more. */
static struct parsed parse_with(const char *members)
{
    char text[4096];
    snprintf(text, sizeof text, "{\"description\": \"A rule.\", \"expect\": {}%s%s}", *members ? ", " : "", members);
    return parse(text);
}

/* The only scenario of what was read; fails if it is not alone. */
static const struct scenario *only(const struct parsed *parsed)
{
    static const struct scenario none;
    CU_ASSERT_TRUE(parsed->good);
    CHECK_INT(parsed->set.count, 1);
    return parsed->set.count == 1 ? &parsed->set.items[0] : &none;
}

/* The words of a command, with a blank between. */
static const char *words_of(const struct scenario_step *step)
{
    static char text[512];
    text[0] = '\0';
    for (size_t i = 0; i < step->argc; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", step->argv[i]);
    CU_ASSERT_PTR_NULL(step->argv[step->argc]);
    return text;
}

/* ---- What is there without being said ---------------------------------------------------------------------------- */

QZ_TEST(the_least_scenario_is_a_whole_one) // What is not said is filled in: a volume, a sound plugin, a plain run.
{
    struct parsed parsed = parse_with("");
    const struct scenario *scenario = only(&parsed);
    CHECK_STRING(scenario->name, "a/b");
    CHECK_STRING(scenario->variant, "");
    CHECK_STRING(scenario->file, SCENARIOS "/a/b.json");
    CHECK_INT(scenario->worlds, SCENARIO_WORLDS);
    CHECK_INT(scenario->timeout_us, 60000 * MS);
    CHECK_INT(scenario->volume_count, 1);
    CHECK_STRING(scenario->volumes[0].mount, "/data");
    CHECK_STRING(scenario->volumes[0].type, "ext4");
    CHECK_INT(scenario->volumes[0].size, 16 << 20);
    CHECK_INT(scenario->volumes[0].disk, 1);
    CHECK_INT(scenario->plugin_count, 1);
    const struct scenario_plugin *plugin = &scenario->plugins[0];
    CHECK_STRING(plugin->name, "ScriptRunner");
    CHECK_STRING(plugin->config.path, "/etc/azure/VMSnapshotScriptPluginConfig.json");
    CHECK_INT(plugin->config.mode, 0600);
    CHECK_STRING(plugin->config.text, "{\n\t\"preScriptLocation\":\t\"/opt/app/pre.sh\",\n"
                                      "\t\"postScriptLocation\":\t\"/opt/app/post.sh\"\n}\n");
    CHECK_INT(plugin->config.size, strlen(plugin->config.text));
    CHECK_STRING(plugin->pre.location, "/opt/app/pre.sh");
    CHECK_STRING(plugin->post.file.path, "/opt/app/post.sh");
    CHECK_INT(plugin->post.file.mode, 0700);
    CHECK_INT(plugin->pre.attempt_count, 1);
    CHECK_INT(plugin->pre.attempts[0].exit, 0);
    CU_ASSERT_PTR_NULL(scenario->plugin_host);
    CHECK_INT(scenario->snapshot_count, 1);
    CHECK_INT(scenario->step_count, 1);
    CHECK_STRING(words_of(&scenario->steps[0]), "run -- snapshot");
    CU_ASSERT_TRUE(scenario->steps[0].root);
    CHECK_INT(scenario->steps[0].expect.exit, -1);
    CU_ASSERT_PTR_NULL(scenario->steps[0].expect.errors);
    CU_ASSERT_PTR_NULL(scenario->steps[0].expect.frozen);
    scenario_set_free(&parsed.set);
}

QZ_TEST(nothing_is_not_nothing_said) // An empty list is an expectation; no list is none.
{
    struct parsed parsed = parse("{\"description\": \"A rule.\", \"volumes\": [], "
                                 "\"expect\": {\"errors\": [], \"frozen\": []}}");
    const struct scenario *scenario = only(&parsed);
    CHECK_INT(scenario->volume_count, 0);
    CU_ASSERT_PTR_NOT_NULL(scenario->steps[0].expect.errors);
    CU_ASSERT_PTR_NOT_NULL(scenario->steps[0].expect.frozen);
    scenario_set_free(&parsed.set);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

QZ_TEST(values_come_in_the_units_of_worlds) // Milliseconds become microseconds, names numbers, modes bits.
{
    struct parsed parsed = parse_with(
        "\"pre\": [{\"run_ms\": 1.5, \"signal\": \"TERM\", \"stdout\": \"ab\"}, "
        "{\"run_ms\": \"forever\", \"leaves\": 1}],"
        "\"post_file\": {\"mode\": \"04755\", \"owner\": 1000, \"path\": \"/srv/p\"},"
        "\"faults\": [{\"op\": \"thaw\", \"error\": \"EIO\", \"nth\": 2}, "
        "{\"op\": \"freeze\", \"delay_ms\": \"forever\"}],"
        "\"calls\": [{\"by\": \"guardian\", \"call\": \"openat\", \"about\": \"/proc/*\", \"nth\": 3, "
        "\"error\": \"EIO\"}, {\"by\": \"child\", \"call\": \"execve\", \"send\": \"STOP\", \"to\": \"both\", "
        "\"after\": true, \"resume_ms\": 2}],"
        "\"actions\": [{\"when\": \"snapshot starts\", \"send\": \"KILL\", \"to\": \"both\"}, "
        "{\"at_ms\": 2, \"thaw\": \"/data\"}]");
    const struct scenario *scenario = only(&parsed);
    const struct scenario_attempt *attempts = scenario->plugins[0].pre.attempts;
    CHECK_INT(attempts[0].run_us, 1500);
    CHECK_INT(attempts[0].signal, SIGTERM);
    CHECK_INT(attempts[0].out_size, 2);
    CHECK_INT(attempts[1].run_us, SCENARIO_FOREVER);
    CHECK_INT(attempts[1].leaves_run_us, SCENARIO_FOREVER);
    CHECK_INT(scenario->plugins[0].post.file.mode, 04755);
    CHECK_INT(scenario->plugins[0].post.file.owner, 1000);
    CHECK_STRING(scenario->plugins[0].post.location, "/srv/p");
    CHECK_INT(scenario->faults[0].op, SCENARIO_THAW);
    CHECK_INT(scenario->faults[0].error, EIO);
    CHECK_INT(scenario->faults[0].nth, 2);
    CHECK_INT(scenario->faults[1].nth, 0);
    CHECK_INT(scenario->faults[1].delay_us, SCENARIO_FOREVER);
    CHECK_INT(scenario->calls[0].by, SCENARIO_BY_GUARDIAN);
    CHECK_STRING(scenario->calls[0].call, "openat");
    CHECK_STRING(scenario->calls[0].about, "/proc/*");
    CHECK_INT(scenario->calls[0].nth, 3);
    CHECK_INT(scenario->calls[0].error, EIO);
    CHECK_INT(scenario->calls[1].signal, SIGSTOP);
    CHECK_INT(scenario->calls[1].target, SCENARIO_BOTH);
    CHECK_INT(scenario->calls[1].after, true);
    CHECK_INT(scenario->calls[1].resume_us, 2 * MS);
    CHECK_INT(scenario->actions[0].kind, SCENARIO_SEND);
    CHECK_INT(scenario->actions[0].target, SCENARIO_BOTH);
    CHECK_INT(scenario->actions[0].nth, 1);
    CHECK_INT(scenario->actions[1].kind, SCENARIO_OTHER_THAW);
    CHECK_INT(scenario->actions[1].after_us, 2 * MS);
    CU_ASSERT_PTR_NULL(scenario->actions[1].when);
    scenario_set_free(&parsed.set);
}

QZ_TEST(actions_leave_the_lines_that_patterns_may_ask_for) // Each kind's line is possible.
{
    static const char *const ACTIONS[][2] = {
        {"\"send\": \"KILL\", \"to\": \"agent\"", "KILL to agent"},
        {"\"freeze\": \"/data\"", "other freeze /data ok"},
        {"\"thaw\": \"/data\"", "other thaw /data ok"},
        {"\"mount_over\": \"/data\"", "mount over /data"},
        {"\"unmount\": \"/data\"", "unmount /data"},
        {"\"release\": \"/data\"", "release /data"},
        {"\"replace\": \"/opt/app/pre.sh\"", "replace /opt/app/pre.sh"},
        {"\"chmod\": \"/opt/app\", \"mode\": \"0777\"", "chmod /opt/app"},
        {"\"quiesce\": [\"thaw\"]", "other quiesce starts"},
        {"\"lose_disk\": \"/data\"", "lose disk /data"},
    };
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        char text[512], line[512];
        snprintf(text, sizeof text,
                 "{\"description\": \"A rule.\", \"actions\": [{%s}], \"expect\": {\"trace\": [\"%s\"]}}",
                 ACTIONS[i][0], ACTIONS[i][1]);
        struct parsed parsed = parse(text);
        const struct scenario *scenario = only(&parsed);
        CHECK_INT(scenario->action_count, 1);
        if (scenario->action_count == 1)
            CHECK_STRING(scenario_action_line(&scenario->actions[0], line, sizeof line), ACTIONS[i][1]);
        scenario_set_free(&parsed.set);
    }
}

/* ---- The matrix -------------------------------------------------------------------------------------------------- */

QZ_TEST(every_combination_of_the_matrix_is_a_scenario) // Named by its values, the last variable going fastest.
{
    static const char *const NAMES[] = {"exit=1,type=ext4", "exit=1,type=xfs", "exit=2,type=ext4", "exit=2,type=xfs"};
    struct parsed parsed = parse_with("\"matrix\": {\"exit\": [1, 2], \"type\": [\"ext4\", \"xfs\"]},"
                                      "\"volumes\": [{\"mount\": \"/v/${type}\", \"type\": \"${type}\"}],"
                                      "\"pre\": [{\"exit\": \"${exit}\", \"stdout\": \"exits ${exit}\"}]");
    CHECK_INT(parsed.set.count, 4);
    for (size_t i = 0; i < parsed.set.count; i++) {
        const struct scenario *scenario = &parsed.set.items[i];
        char mount[32];
        snprintf(mount, sizeof mount, "/v/%s", i % 2 ? "xfs" : "ext4");
        CHECK_STRING(scenario->variant, NAMES[i]);
        CHECK_STRING(scenario->volumes[0].mount, mount);
        CHECK_INT(scenario->volumes[0].size >> 20, i % 2 ? 300 : 16);
        CHECK_INT(scenario->plugins[0].pre.attempts[0].exit, i / 2 + 1);
        CHECK_STRING(scenario->plugins[0].pre.attempts[0].out, i / 2 ? "exits 2" : "exits 1");
    }
    scenario_set_free(&parsed.set);
}

QZ_TEST(values_may_be_objects_lists_and_nothing) // A list in a list is spliced; what has no value is not said.
{
    struct parsed parsed = parse_with(
        "\"matrix\": {\"case\": [{\"name\": \"plain\"},"
        " {\"name\": \"slow\", \"ms\": 5, \"words\": [\"--hold\", \"2\"], "
        "\"fault\": {\"op\": \"sync\", \"error\": \"EIO\"}}]},"
        "\"pre\": [{\"run_ms\": \"${case.ms}\"}], \"faults\": [\"${case.fault}\"], "
        "\"command\": [\"run\", \"${case.words}\"]");
    CHECK_INT(parsed.set.count, 2);
    if (parsed.set.count == 2) {
        const struct scenario *plain = &parsed.set.items[0], *slow = &parsed.set.items[1];
        CHECK_STRING(plain->variant, "case=plain");
        CHECK_STRING(slow->variant, "case=slow");
        CHECK_INT(plain->plugins[0].pre.attempts[0].run_us, 0);
        CHECK_INT(slow->plugins[0].pre.attempts[0].run_us, 5 * MS);
        CHECK_INT(plain->fault_count, 0);
        CHECK_INT(slow->fault_count, 1);
        CHECK_STRING(words_of(&plain->steps[0]), "run");
        CHECK_STRING(words_of(&slow->steps[0]), "run --hold 2");
    }
    scenario_set_free(&parsed.set);
}

QZ_TEST(a_script_may_have_variables_of_its_own) // ${…} in the text of a file is a variable only if the matrix has it.
{
    struct parsed parsed = parse_with("\"matrix\": {\"status\": [3]},"
                                      "\"pre_file\": {\"text\": [\"#!/bin/sh\", "
                                      "\"exit ${status}\", \"echo ${HOME}\"]}");
    CHECK_STRING(only(&parsed)->plugins[0].pre.file.text, "#!/bin/sh\nexit 3\necho ${HOME}\n");
    scenario_set_free(&parsed.set);
}

QZ_TEST(a_mistake_leaves_the_set_as_it_was) // What was read before stays; of the file that is wrong, nothing is added.
{
    struct parsed parsed = parse_with("");
    static const char WRONG[] = "{\"description\": \"A rule.\", \"matrix\": {\"exit\": [1, 2, 256]},"
                                "\"pre\": [{\"exit\": \"${exit}\"}], \"expect\": {}}";
    CU_ASSERT_FALSE(scenario_parse(&parsed.set, SCENARIOS, "wrong.json", WRONG, strlen(WRONG), &parsed.mistakes));
    CHECK_STRING(parsed.mistakes.items[0].line, "wrong.json:1:54: exit: 256; allowed is a whole number from 0 to 255");
    CHECK_STRING(only(&parsed)->name, "a/b");
    scenario_set_free(&parsed.set);
}

/* ---- Configs and plugins ----------------------------------------------------------------------------------------- */

QZ_TEST(a_config_is_merged_over_one_that_names_the_scripts) // null takes a key out; the location is the last word.
{
    struct parsed parsed = parse_with("\"config\": {\"preScriptLocation\": \"/srv/link\", \"postScriptLocation\": null,"
                                      " \"timeoutInSeconds\": 2.5, \"appName\": [null]},"
                                      "\"files\": [{\"path\": \"/srv/link\", \"symlink\": \"/opt/app/pre.sh\"}]");
    const struct scenario_plugin *plugin = only(&parsed)->plugins;
    CHECK_STRING(plugin->config.text, "{\n\t\"preScriptLocation\":\t\"/srv/link\",\n\t\"timeoutInSeconds\":\t2.5,\n"
                                      "\t\"appName\":\t[null]\n}\n");
    CHECK_STRING(plugin->pre.location, "/srv/link");
    CHECK_STRING(plugin->pre.file.path, "/opt/app/pre.sh");
    CHECK_STRING(plugin->post.location, "/opt/app/post.sh");
    scenario_set_free(&parsed.set);
}

QZ_TEST(a_config_may_be_any_text) // Inline, by lines, or a fixture, which may hold any bytes.
{
    struct parsed parsed = parse_with("\"config_file\": {\"text\": \"{\", \"mode\": \"0644\"}");
    CHECK_STRING(only(&parsed)->plugins[0].config.text, "{");
    CHECK_INT(only(&parsed)->plugins[0].config.mode, 0644);
    scenario_set_free(&parsed.set);
    parsed = parse_with("\"config_file\": {\"fixture\": \"configs/bad/trailing-nul.json\"}");
    const struct scenario_file *config = &only(&parsed)->plugins[0].config;
    CHECK_INT(config->text[config->size - 1] == '\0' || strlen(config->text) < config->size, true);
    scenario_set_free(&parsed.set);
}

QZ_TEST(several_plugins_get_files_of_their_own) // And a plugin host file that names their configs.
{
    struct parsed parsed = parse_with("\"plugins\": [{\"name\": \"orders\"}, {\"pre\": [{\"exit\": 3}]}],"
                                      "\"plugin_host\": {\"timeoutInSeconds\": 60, "
                                      "\"pluginName1\": null, \"pluginPath0\": \"x\"}");
    const struct scenario *scenario = only(&parsed);
    CHECK_INT(scenario->plugin_count, 2);
    CHECK_STRING(scenario->plugins[0].name, "orders");
    CHECK_STRING(scenario->plugins[1].name, "plugin1");
    CHECK_STRING(scenario->plugins[1].pre.location, "/opt/app/pre-1.sh");
    CHECK_INT(scenario->plugins[1].pre.attempts[0].exit, 3);
    CHECK_STRING(scenario->plugin_host->path, "/etc/azure/VMSnapshotPluginHost.conf");
    CHECK_STRING(scenario->plugin_host->text,
                 "[pre_post]\ntimeoutInSeconds = 60\nnumberOfPlugins = 2\npluginName0 = ScriptRunner\n"
                 "pluginConfigPath0 = /etc/azure/plugin-0.json\npluginConfigPath1 = /etc/azure/plugin-1.json\n"
                 "pluginPath0 = x\n");
    scenario_set_free(&parsed.set);
}

/* ---- Worlds ------------------------------------------------------------------------------------------------------ */

QZ_TEST(worlds_follow_from_what_is_asked_for) // Each with the reason why another one cannot play.
{
    static const struct {
        const char *members;
        unsigned worlds;
    } CASES[] = {
        {"\"pre_file\": {\"text\": \"#!/bin/sh\"}", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"needs\": [\"program:sqlite3\"]", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"command\": [\"run\", \"--\", \"/bin/true\"]", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"command\": [\"run\", \"--\", \"sh\"]", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"command\": [\"run\", \"--\", \"no-such-command\"]", SCENARIO_WORLDS},
        {"\"volumes\": [{\"mount\": \"/data\", \"fill\": \"full\"}]", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"volumes\": [{\"mount\": \"/a\"}, {\"mount\": \"/b\", \"on\": \"/a\"}]", SCENARIO_VIRTUAL | SCENARIO_LOOP},
        {"\"volumes\": [{\"mount\": \"/data\", \"type\": \"vfat\"}]", SCENARIO_VIRTUAL},
        {"\"volumes\": [{\"mount\": \"/data\", \"type\": \"nfs4\"}]", SCENARIO_VIRTUAL},
        {"\"volumes\": [{\"mount\": \"/\"}]", SCENARIO_VIRTUAL},
        {"\"volumes\": [{\"mount\": \"/a\", \"disk\": 1}, {\"mount\": \"/b\", \"disk\": 1}]", SCENARIO_VIRTUAL},
        {"\"volumes\": [{\"mount\": \"/a\", \"disk\": 2}, {\"mount\": \"/b\", \"disk\": 1}]", SCENARIO_WORLDS},
        {"\"volumes\": [{\"mount\": \"/data\", \"recorded\": true}]", SCENARIO_LOOP},
        {"\"volumes\": [{\"mount\": \"/data\", \"type\": \"btrfs\", \"subvolumes\": [\"/s\"]}]", SCENARIO_LOOP},
        {"\"workload\": [{\"kind\": \"mmap\", \"volume\": \"/data\"}]", SCENARIO_LOOP},
        {"\"calls\": [{\"by\": \"agent\", \"call\": \"read\", \"transfers\": 1}]", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"then\": [{\"expect\": {\"snapshot\": {\"/data\": {\"clean\": true}}}}]", SCENARIO_LOOP},
        {"\"worlds\": [\"fake\", \"virtual\"], \"pre_file\": {\"text\": \"\"}", SCENARIO_FAKE},
        {"\"faults\": [{\"op\": \"freeze\", \"delay_ms\": \"forever\"}]", SCENARIO_WORLDS},
        {"\"actions\": [{\"at_ms\": 1, \"quiesce\": [\"thaw\"]}]", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"actions\": [{\"at_ms\": 1, \"lose_disk\": \"/data\"}]", SCENARIO_VIRTUAL | SCENARIO_FAKE},
        {"\"volumes\": [{\"mount\": \"/data\", \"recorded\": true}], "
         "\"actions\": [{\"at_ms\": 1, \"lose_disk\": \"/data\"}]", SCENARIO_LOOP},
        {"\"log_on\": \"/data\"", SCENARIO_WORLDS},
        {"\"snapshot\": [{\"reads\": \"/data\"}]", SCENARIO_FAKE | SCENARIO_LOOP},
        {"\"volumes\": [{\"mount\": \"/data\", \"recorded\": true}], "
         "\"then\": [{\"expect\": {\"crash_images\": {\"/data\": {\"images\": 2, \"clean\": true}}}}]", SCENARIO_LOOP},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct parsed parsed = parse_with(CASES[i].members);
        const struct scenario *scenario = only(&parsed);
        CHECK_INT(scenario->worlds, CASES[i].worlds);
        for (unsigned world = 0; world < SCENARIO_WORLD_COUNT; world++)
            CHECK_INT(scenario->why_not[world] != NULL, !(CASES[i].worlds >> world & 1));
        scenario_set_free(&parsed.set);
    }
}

/* ---- Lines of traces --------------------------------------------------------------------------------------------- */

QZ_TEST(a_pattern_that_no_line_can_match_is_a_mistake) // By form, plugin, volume, error, signal and status.
{
    static const char *const POSSIBLE[] = {
        "agent starts", "agent exits 0", "agent *", "*", "*ata ok", "freeze /data ok", "freeze /d?ta ok",
        "freeze * EIO",
        "freeze /data [eE]IO", "freeze /data EA*", "pre * 1 exits 3", "pre ScriptRunner 101 dies KILL",
        "p*t * 1 starts",
        "leftover of pre * 1 dies *", "other thaw /data EINVAL", "TERM to agent", "* to snapshot", "replace *pre*",
        "chmod /x", "pre * 1[0-9] starts", "pre * [1-9]00 starts", "* exits *5*",
        "*d*a* ok", "freeze *ata ok", "pre ScriptRunner *01 starts", "freeze *\\\\/data ok", "thaw * E[IA]*",
        "*[0-9]", "[!x]gent starts",
        "sync /data begins", "thaw /data [!b]*",
    };
    static const char *const IMPOSSIBLE[] = {
        "agent start", "freeze /dat ok", "freeze /data okay", "freeze * EFOO", "pre * 0 starts", "pre * 102 starts",
        "pre mail 1 starts", "pre * 1 exits 256", "pre * 1 exits -1", "SIGTERM to agent", "TERM to pre",
        "thaw /data [x]*",
        "replace pre.sh", "agent starts ", "", "freeze ok", "other sync /data ok", "[af]reeze /data failed",
        "pre * [2-9]00 starts", "pre * 01 starts", "pre ScriptRunner *02 starts",
        "pre * 1 exits 2[6-9]?", "freeze *dx* ok", "thaw * E[!A-Z2]*", "pre * 1x starts",
    };
    for (size_t i = 0; i < sizeof POSSIBLE / sizeof POSSIBLE[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"description\": \"A rule.\", \"expect\": {\"trace\": [\"%s\"]}}", POSSIBLE[i]);
        struct parsed parsed = parse(text);
        CHECK_STRING(parsed.good ? POSSIBLE[i] : "a mistake", POSSIBLE[i]);
        scenario_set_free(&parsed.set);
    }
    for (size_t i = 0; i < sizeof IMPOSSIBLE / sizeof IMPOSSIBLE[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"description\": \"A rule.\", \"expect\": {\"never\": [\"%s\"]}}", IMPOSSIBLE[i]);
        struct parsed parsed = {.good = false};
        parsed.good = scenario_parse(&parsed.set, SCENARIOS, "f.json", text, strlen(text), &parsed.mistakes);
        CHECK_STRING(parsed.good ? "no mistake" : IMPOSSIBLE[i], IMPOSSIBLE[i]);
        scenario_set_free(&parsed.set);
    }
}
