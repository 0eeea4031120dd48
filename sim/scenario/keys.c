/* keys.c: the scenario file itself: its files, its scripts, its steps. The rest of the words is in keys_machine.c,
 * keys_expect.c and keys_result.c. */
#include "keys.h"

#include "quiesce/config.h"
#include "read.h"
#include "values.h"

#define TIMEOUT_MS_MAX INT64_C(3600000)

/* ---- Files ------------------------------------------------------------------------------------------------------- */

#define FILE_ROWS                                                                                                      \
    {.name = "text", .kind = KEY_LINES, KEY_AT(struct given_file, text), .count = offsetof(struct given_file, size),   \
     .description = "What is in it: a string, or a list of lines.",                                                    \
     .example = "[\"#!/bin/sh\", \"exit 3\"]"},                                                                        \
    {.name = "fixture", .kind = KEY_FIXTURE, KEY_AT(struct given_file, fixture),                                       \
     .description = "What is in it is in this file below fixtures/.", .example = "\"configs/bad/latin-1.json\""},      \
    {.name = "symlink", .kind = KEY_TEXT, KEY_AT(struct given_file, symlink),                                          \
     .description = "It is a symbolic link that leads there.", .example = "\"/opt/app\""},                             \
    {.name = "directory", .kind = KEY_FLAG, KEY_AT(struct given_file, directory),                                      \
     .description = "It is a directory.", .fallback = "false"},                                                        \
    {.name = "fifo", .kind = KEY_FLAG, KEY_AT(struct given_file, fifo),                                                \
     .description = "It is a named pipe.", .fallback = "false"},                                                       \
    {.name = "absent", .kind = KEY_FLAG, KEY_AT(struct given_file, absent),                                            \
     .description = "It is not there.", .fallback = "false"},                                                          \
    {.name = "owner", .kind = KEY_OWNER, KEY_AT(struct given_file, owner), .max = VALUES_OWNER_MAX,                    \
     .description = "Whose it is, as a number.", .fallback = "0", .example = "1000"},                                  \
    {.name = "mode", .kind = KEY_MODE, KEY_AT(struct given_file, mode),                                                \
     .description = "Its mode, in octal. Without this key: configs 0600, scripts 0700, directories 0755, else 0644.",  \
     .example = "\"0644\""},                                                                                           \
    {.name = NULL}

static const char *const FILE_CHOICE[] = {"text", "fixture", "symlink", "directory", "fifo", "absent", NULL};
static const struct given_file FILE_INITIAL = {.mode = GIVEN_NO_MODE};

static const struct key FILE_KEYS[] = {
    {.name = "path", .kind = KEY_PATH, .required = true, KEY_AT(struct given_file, path),
     .description = "Where it is. Directories on the way that are missing are root's, 0755.",
     .example = "\"/opt/app\""},
    FILE_ROWS,
};

static const struct key_object FILE_OBJECT = {
    .name = "file", .keys = FILE_KEYS, .size = sizeof(struct given_file), .initial = &FILE_INITIAL,
    .place = offsetof(struct given_file, place), .rule = KEY_AT_MOST_ONE, .choice = FILE_CHOICE};

static const struct key OWN_FILE_KEYS[] = {
    {.name = "path", .kind = KEY_PATH, KEY_AT(struct given_file, path),
     .description = "Where it is, if not at the usual place.", .example = "\"/srv/app/pre.sh\""},
    FILE_ROWS,
};

static const struct key_object OWN_FILE_OBJECT = {
    .name = "own_file", .keys = OWN_FILE_KEYS, .size = sizeof(struct given_file), .initial = &FILE_INITIAL,
    .place = offsetof(struct given_file, place), .rule = KEY_AT_MOST_ONE, .choice = FILE_CHOICE};

/* ---- The keys of quiesce's own files, for editors: a scenario may say anything there ----------------------------- */

static const struct key CONFIG_KEYS[] = {
    {.name = "pluginName", .kind = KEY_ANY, .description = "Anything but ScriptRunner is a warning."},
    {.name = "preScriptLocation", .kind = KEY_ANY, .description = "Without this key: the path of `pre_file`."},
    {.name = "postScriptLocation", .kind = KEY_ANY, .description = "Without this key: the path of `post_file`."},
    {.name = "preScriptParams", .kind = KEY_ANY, .description = "A list of strings."},
    {.name = "postScriptParams", .kind = KEY_ANY, .description = "A list of strings."},
    {.name = "preScriptNoOfRetries", .kind = KEY_ANY, .description = "0 to 100."},
    {.name = "postScriptNoOfRetries", .kind = KEY_ANY, .description = "0 to 100."},
    {.name = "timeoutInSeconds", .kind = KEY_ANY, .description = "1 to 1800; 30 if it is not there."},
    {.name = "continueBackupOnFailure", .kind = KEY_ANY, .description = "true if it is not there."},
    {.name = "fsFreezeEnabled", .kind = KEY_ANY, .description = "true if it is not there."},
    {.name = "ScriptsExecutionPollTimeSeconds", .kind = KEY_ANY, .description = "1 to 5; 3 if it is not there."},
    {.name = "appName", .kind = KEY_ANY, .description = "Known, and ignored."},
    {.name = NULL},
};

static const struct key_object CONFIG_OBJECT = {.name = "config", .keys = CONFIG_KEYS, .place = NO_PLACE};

static const struct key PLUGIN_HOST_KEYS[] = {
    {.name = "timeoutInSeconds", .kind = KEY_ANY, .description = "1 to 1800, over all plugins; 1800 without this key."},
    {.name = "numberOfPlugins", .kind = KEY_ANY, .description = "Without this key: as many as there are."},
    {.name = NULL},
};

static const struct key_object PLUGIN_HOST_OBJECT = {.name = "plugin_host", .keys = PLUGIN_HOST_KEYS,
                                                     .place = NO_PLACE};

/* ---- Plugins ----------------------------------------------------------------------------------------------------- */

/* A plugin's rows, for a struct in which it lies at `inside`; `without_`: the key beside which they may not stand. */
#define PLUGIN_ROWS(type, inside, without_)                                                                            \
    {.name = "config", .kind = KEY_CONFIG, KEY_AT(type, inside config), .object = &CONFIG_OBJECT, .without = without_, \
     .description = "What the config says, merged over one that names the scripts and nothing else; null takes a key " \
                    "out.", .fallback = "{}", .example = "{\"preScriptNoOfRetries\": 1}"},                             \
    {.name = "config_file", .kind = KEY_OBJECT, KEY_AT(type, inside config_file), .object = &OWN_FILE_OBJECT,          \
     .without = without_, .description = "The config as a file: its path, owner and mode, or any text.",               \
     .example = "{\"mode\": \"0644\"}"},                                                                               \
    {.name = "pre", .kind = KEY_OBJECT, KEY_LIST_AT(type, inside pre, inside pre_count),                               \
     .object = &scenario_attempt_keys, .without = without_,                                                            \
     .description = "What the pre-script does: a row for each start, the last one for all that follow. Without this "  \
                    "key it succeeds at once.", .fallback = "[{}]", .example = "[{\"exit\": 3}, {}]"},                 \
    {.name = "pre_file", .kind = KEY_OBJECT, KEY_AT(type, inside pre_file), .object = &OWN_FILE_OBJECT,                \
     .without = without_,                                                                                              \
     .description = "The pre-script as a file: its path, owner and mode, or its whole text.",                          \
     .example = "{\"owner\": 1000}"},                                                                                  \
    {.name = "post", .kind = KEY_OBJECT, KEY_LIST_AT(type, inside post, inside post_count),                            \
     .object = &scenario_attempt_keys, .without = without_, .description = "What the post-script does; as `pre`.",     \
     .fallback = "[{}]", .example = "[{\"run_ms\": 50}]"},                                                             \
    {.name = "post_file", .kind = KEY_OBJECT, KEY_AT(type, inside post_file), .object = &OWN_FILE_OBJECT,              \
     .without = without_, .description = "The post-script as a file; as `pre_file`.", .example = "{\"absent\": true}"}

#define NO_OTHER NULL
static const struct key PLUGIN_KEYS[] = {
    {.name = "name", .kind = KEY_TAG, KEY_AT(struct given_plugin, name),
     .description = "Its name in traces (quiesce knows all of them as ScriptRunner). Without this key: plugin0, "
                    "plugin1 …",
     .example = "\"orders\""},
    PLUGIN_ROWS(struct given_plugin, , NO_OTHER),
    {.name = NULL},
};

static const struct key_object PLUGIN_OBJECT = {
    .name = "plugin", .keys = PLUGIN_KEYS, .size = sizeof(struct given_plugin),
    .place = offsetof(struct given_plugin, place)};

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

#define STEP_ROWS(type, inside)                                                                                        \
    {.name = "command", .kind = KEY_TEXT, KEY_LIST_AT(type, inside command, inside command_count),                     \
     .description = "The words after `quiesce`. `snapshot` is a command that does what the key of that name says.",    \
     .fallback = "[\"run\", \"--\", \"snapshot\"]", .example = "[\"run\", \"--hold\", \"2\"]"},                        \
    {.name = "root", .kind = KEY_FLAG, KEY_AT(type, inside root),                                                      \
     .description = "false: it is run by nobody instead of root.", .fallback = "true"},                                \
    {.name = "log_on", .kind = KEY_VOLUME, KEY_AT(type, inside log_on),                                                \
     .description = "Its log (standard error) goes to a file on this volume. Without this key: to one that nobody "    \
                    "freezes.", .example = "\"/data\""},                                                               \
    {.name = "expect", .kind = KEY_OBJECT, .required = true, KEY_AT(type, inside expect),                              \
     .object = &scenario_expect_keys, .description = "What must be seen.", .example = "{\"exit\": 0}"}

static const struct key STEP_KEYS[] = {
    STEP_ROWS(struct given_step, ),
    {.name = "after_ms", .kind = KEY_MS, KEY_AT(struct given_step, after_us), .max = TIMEOUT_MS_MAX,
     .description = "So long after the command before it has ended; what `begin` began goes on meanwhile.",
     .fallback = "0", .example = "1500"},
    {.name = NULL},
};

static const struct key_object STEP_OBJECT = {
    .name = "step", .keys = STEP_KEYS, .size = sizeof(struct given_step), .place = offsetof(struct given_step, place),
    .initial = &(const struct given_step){.root = true, .expect = NOTHING_EXPECTED}};

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static const struct key_word WORLDS[] = {
    {"virtual", SCENARIO_VIRTUAL}, {"fake", SCENARIO_FAKE}, {"loop", SCENARIO_LOOP}, {NULL, 0}};

static const struct key SCENARIO[] = {
    {.name = "$schema", .kind = KEY_NOTHING, .description = "Where this schema is, for editors.",
     .example = "\"../scenario.schema.json\""},
    {.name = "description", .kind = KEY_TEXT, .required = true, KEY_AT(struct given, description),
     .description = "The rule, in one sentence.", .example = "\"A pre-script that fails once is run again.\""},
    {.name = "tags", .kind = KEY_TAG, KEY_LIST_AT(struct given, tags, tag_count),
     .description = "Words to choose scenarios by (--tags).", .fallback = "[]", .example = "[\"peers\"]"},
    {.name = "worlds", .kind = KEY_WORD, KEY_LIST_AT(struct given, worlds, world_count), .words = WORLDS,
     .description = "Only these worlds play it, of those that can. Without this key: all that can.",
     .example = "[\"virtual\", \"loop\"]"},
    {.name = "needs", .kind = KEY_NEED, KEY_LIST_AT(struct given, needs, need_count),
     .description = "What the machine must have: program:NAME, fs:TYPE. The types of the volumes are needed anyway.",
     .fallback = "[]", .example = "[\"program:sqlite3\"]"},
    {.name = "timeout_ms", .kind = KEY_MS, KEY_AT(struct given, timeout_us), .min = 1, .max = TIMEOUT_MS_MAX,
     .description = "How long the whole may take in real time.", .fallback = "60000", .example = "5000"},
    {.name = "matrix", .kind = KEY_MATRIX,
     .description = "Variables, each with a list of values. The scenario is played for every combination of them. "
                    "\"${NAME}\" in a string is the value; a string that is nothing else becomes the value itself, and "
                    "null as if the key were not there. Values that are objects have members, \"${NAME.MEMBER}\", and "
                    "go by their member \"name\".",
     .example = "{\"exit\": [1, 255], \"how\": [{\"name\": \"slow\", \"run_ms\": 50}, {\"name\": \"fast\"}]}"},
    {.name = "volumes", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, volumes, volume_count),
     .object = &scenario_volume_keys, .named = true,
     .description = "The machine's filesystems. Without this key: one of ext4 at /data.",
     .example = "[{\"mount\": \"/data\", \"type\": \"xfs\"}]"},
    PLUGIN_ROWS(struct given, plugin., "plugins"),
    {.name = "plugins", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, plugins, plugin_count), .object = &PLUGIN_OBJECT,
     .named = true, .description = "Several plugins, each with a config and scripts of its own.",
     .example = "[{\"name\": \"orders\"}, {\"name\": \"mail\", \"pre\": [{\"exit\": 1}]}]"},
    {.name = "plugin_host", .kind = KEY_CONFIG, KEY_AT(struct given, plugin_host), .object = &PLUGIN_HOST_OBJECT,
     .description = "What the plugin host file says, merged over one that names the plugins; null takes a key out. "
                    "Without this key there is no such file, unless there are `plugins`.",
     .example = "{\"timeoutInSeconds\": 60}"},
    {.name = "plugin_host_file", .kind = KEY_OBJECT, KEY_AT(struct given, plugin_host_file), .object = &OWN_FILE_OBJECT,
     .description = "The plugin host file as a file: its path, owner and mode, or its whole text.",
     .example = "{\"mode\": \"0666\"}"},
    {.name = "files", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, files, file_count), .object = &FILE_OBJECT,
     .description = "More files and directories.", .fallback = "[]",
     .example = "[{\"path\": \"/opt/app\", \"directory\": true, \"owner\": 1000}]"},
    {.name = "journal", .kind = KEY_LINES, KEY_AT(struct given, journal), .count = SIZE_MAX,
     .description = "What lies in /run/quiesce/journal before anything begins; ${boot_id} is the machine's.",
     .example = "\"no journal\""},
    {.name = "rcu_expedited", .kind = KEY_INTEGER, KEY_AT(struct given, rcu_expedited), .max = 1000000,
     .description = "What /sys/kernel/rcu_expedited says before anything begins; in the end it must say so again.",
     .fallback = "0", .example = "1"},
    {.name = "dirty_writeback_centisecs", .kind = KEY_INTEGER, KEY_AT(struct given, writeback_period), .max = 1000000,
     .description = "What /proc/sys/vm/dirty_writeback_centisecs says before anything begins; in the end it must say so again.",
     .fallback = "500", .example = "0"},
    {.name = "dirty_kib", .kind = KEY_INTEGER, KEY_AT(struct given, dirty_kib), .max = 1000000000,
     .description = "What /proc/meminfo says is dirty, in KiB, all the time, whatever is written.",
     .fallback = "0", .example = "65536"},
    {.name = "another_runs", .kind = KEY_FLAG, KEY_AT(struct given, other_has_lock),
     .description = "Another quiesce is at work all the time.", .fallback = "false"},
    {.name = "workload", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, workloads, workload_count),
     .object = &scenario_workload_keys, .description = "Who writes to the volumes meanwhile (loop world).",
     .fallback = "[]", .example = "[{\"kind\": \"append\", \"volume\": \"/data\"}]"},
    {.name = "snapshot", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, snapshots, snapshot_count),
     .object = &scenario_attempt_keys, .description = "What the command `snapshot` does; rows as for `pre`.",
     .fallback = "[{}]", .example = "[{\"run_ms\": 50}]"},
    {.name = "faults", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, faults, fault_count),
     .object = &scenario_fault_keys,
     .description = "Operations of quiesce's that do not do what they should.", .fallback = "[]",
     .example = "[{\"op\": \"freeze\", \"volume\": \"/data\", \"error\": \"EIO\"}]"},
    {.name = "calls", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, calls, call_count), .object = &scenario_call_keys,
     .description = "System calls of quiesce's that go wrong, or at which something happens to it (not in the virtual "
                    "world).",
     .fallback = "[]",
     .example = "[{\"by\": \"guardian\", \"call\": \"openat\", \"about\": \"/proc/*\", \"error\": \"EIO\"}]"},
    {.name = "blows", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, blows, blow_count), .object = &scenario_blow_keys,
     .description = "What befalls agent and guardian at their own calls of operations (virtual world).",
     .fallback = "[]", .example = "[{\"by\": \"agent\", \"op\": \"any\", \"nth\": 40, \"send\": \"KILL\"}]"},
    {.name = "oracle", .kind = KEY_FLAG, KEY_AT(struct given, oracle),
     .description = "Judged by the virtual world's oracle: it tells what nobody can help, when processes are killed and "
                    "stopped anywhere, from what must not happen. It takes the place of the invariants on what is left, "
                    "on freezes and on post-scripts that are owed.",
     .fallback = "false"},
    {.name = "actions", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, actions, action_count),
     .object = &scenario_action_keys, .description = "What is done at points of the run.", .fallback = "[]",
     .example = "[{\"when\": \"freeze /data ok\", \"send\": \"KILL\", \"to\": \"agent\"}]"},
    STEP_ROWS(struct given, step.),
    {.name = "then", .kind = KEY_OBJECT, KEY_LIST_AT(struct given, then, then_count), .object = &STEP_OBJECT,
     .description = "Further commands, one after another on the same machine.", .fallback = "[]",
     .example = "[{\"command\": [\"status\"], \"expect\": {\"exit\": 0}}]"},
    {.name = NULL},
};

const struct key_object scenario_keys = {
    .name = "scenario", .keys = SCENARIO, .size = sizeof(struct given), .place = offsetof(struct given, step.place),
    .initial = &(const struct given){.timeout_us = 60000000, .writeback_period = SCENARIO_WRITEBACK_PERIOD,
                                     .step = {.root = true, .expect = NOTHING_EXPECTED}}};
