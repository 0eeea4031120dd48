/* Files of scenarios: what ships is sound, each mistake in fixtures/scenarios/bad is told, and the schema says the
 * same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "../commands.h" /* the core has one of that name, too */
#include "explain.h"
#include "quiesce/report.h"
#include "read.h"
#include "schema.h"

#define SCENARIOS QZ_FIXTURES "/../scenarios"

/* A whole file; the caller frees. */
static char *slurp(const char *path)
{
    size_t size;
    char *text = scenario_slurp(path, &size);
    if (!text) {
        fprintf(stderr, "  %s: %s\n", path, strerror(errno));
        return strdup("");
    }
    text[size] = '\0';
    return text;
}

/* ---- Files of scenarios ------------------------------------------------------------------------------------------ */

static FILE *seen;

static bool tell_mistake(const char *file, void *argument)
{
    unsigned *count = argument;
    struct scenario_set set = {NULL, 0, NULL};
    struct scenario_mistakes mistakes;
    if (scenario_read(&set, SCENARIOS, file, &mistakes))
        fprintf(seen, "%s: no mistake\n", file);
    else
        scenario_tell_mistakes(&mistakes, seen);
    scenario_set_free(&set);
    ++*count;
    return true;
}

QZ_TEST(every_mistake_is_told_by_its_place) // A line each, in order: file, line, column, what it is, what is allowed.
{
    char *text = NULL;
    size_t size;
    unsigned count = 0;
    CHECK_INT(chdir(QZ_FIXTURES "/scenarios/bad"), 0);
    seen = open_memstream(&text, &size);
    CHECK_INT(scenario_walk("form", tell_mistake, &count), 0);
    CHECK_INT(scenario_walk("json/", tell_mistake, &count), 0);
    CHECK_INT(scenario_walk("meaning", tell_mistake, &count), 0);
    fclose(seen);
    char *expected = slurp("expected.txt");
    CHECK_STRING(text, expected);
    CU_ASSERT_TRUE(count > 80);
    free(expected);
    free(text);
}

static bool read_shipped(const char *file, void *argument)
{
    unsigned *count = argument;
    struct scenario_set set = {NULL, 0, NULL};
    struct scenario_mistakes mistakes;
    CU_ASSERT_TRUE(scenario_read(&set, SCENARIOS, file, &mistakes));
    if (set.count == 0)
        scenario_tell_mistakes(&mistakes, stderr);
    *count += (unsigned)set.count;
    scenario_set_free(&set);
    return true;
}

QZ_TEST(the_shipped_scenarios_are_read) // All files below scenarios/; the schema is none of them.
{
    unsigned count = 0;
    CHECK_INT(scenario_walk(SCENARIOS, read_shipped, &count), 0);
    CU_ASSERT_TRUE(count > 0);
    CHECK_INT(scenario_walk(SCENARIOS "/nowhere", read_shipped, &count), ENOENT);
}

static void check_telling(const char *file, const char *telling)
{
    struct scenario_set set = {NULL, 0, NULL};
    struct scenario_mistakes mistakes;
    char *text = NULL;
    size_t size;
    CHECK_INT(scenario_read(&set, QZ_FIXTURES "/scenarios", file, &mistakes), true);
    FILE *out = open_memstream(&text, &size);
    if (set.count > 0)
        scenario_explain(out, &set.items[0]);
    fclose(out);
    char *expected = slurp(telling);
    CHECK_STRING(text, expected);
    free(expected);
    free(text);
    scenario_set_free(&set);
}

QZ_TEST(a_scenario_can_be_told_in_plain_words) // Everything that can be said is in the telling.
{
    check_telling(QZ_FIXTURES "/scenarios/explain/everything.json", QZ_FIXTURES "/scenarios/explain/everything.txt");
    check_telling(QZ_FIXTURES "/scenarios/explain/storm.json", QZ_FIXTURES "/scenarios/explain/storm.txt");
}

/* ---- The starter ------------------------------------------------------------------------------------------------- */

static int call_new(const char *name)
{
    char word[] = "new";
    char argument[64];
    snprintf(argument, sizeof argument, "%s", name);
    return command_new(2, (char *[]){word, argument, NULL});
}

QZ_TEST(a_starter_is_sound_and_overwrites_nothing) // In the folder scenarios that is found upwards.
{
    char folder[] = "/tmp/test_scenario.XXXXXX";
    unsigned count = 0;
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
    CHECK_INT(chdir(folder), 0);
    CHECK_INT(call_new("retries/mine"), EXIT_MISTAKE);
    CHECK_INT(mkdir("scenarios", 0700), 0);
    CHECK_INT(mkdir("deeper", 0700), 0);
    fclose(fopen("scenarios/scenario.schema.json", "w"));
    CHECK_INT(chdir("deeper"), 0);
    CHECK_INT(call_new("retries/mine"), EXIT_PASSED);
    CHECK_INT(call_new("retries/mine.json"), EXIT_MISTAKE);
    CHECK_INT(call_new("../outside"), EXIT_MISTAKE);
    CHECK_INT(call_new("/outside"), EXIT_MISTAKE);
    CHECK_INT(chdir(".."), 0);
    CHECK_INT(scenario_walk("scenarios", read_shipped, &count), 0);
    CHECK_INT(count, 1);
    char *text = slurp("scenarios/retries/mine.json");
    CHECK_CONTAINS(text, "\"$schema\": \"../scenario.schema.json\"");
    free(text);
    unlink("scenarios/retries/mine.json");
    unlink("scenarios/scenario.schema.json");
    rmdir("scenarios/retries");
    rmdir("scenarios");
    rmdir("deeper");
    CHECK_INT(chdir("/"), 0);
    CHECK_INT(rmdir(folder), 0);
}

/* ---- The tables and the schema ----------------------------------------------------------------------------------- */

QZ_TEST(the_schema_is_what_the_tables_say) // If not: quiesce-sim schema > scenarios/scenario.schema.json
{
    char *schema = scenario_schema();
    char *file = slurp(SCENARIOS "/scenario.schema.json");
    CU_ASSERT_TRUE(strcmp(schema, file) == 0);
    free(file);
    free(schema);
}

/* An object of which keys are tried one by one. */
struct trial {
    const struct key_object *keys;
    struct scenario_memory *memory;
    unsigned keys_tried;
};

static bool is_in(const char *name, const char *const *names)
{
    for (; name && *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

/* Must `key` stand beside the one that is tried? Of keys of which there must be one, the second does. */
static bool is_company(const struct trial *trial, const struct key *tried, const struct key *key)
{
    bool must = trial->keys->rule == KEY_ONE || trial->keys->rule == KEY_AT_LEAST_ONE;
    bool has = must && (is_in(tried->name, trial->keys->choice) || is_in(tried->with, trial->keys->choice));
    return key->required || (tried->with && strcmp(tried->with, key->name) == 0) ||
           (must && !has && strcmp(trial->keys->choice[1], key->name) == 0);
}

/* Reads {"name": value and what must stand beside it}; value NULL: without that key. */
static bool read_trial(const struct trial *trial, const struct key *tried, const char *value, void *out)
{
    static const struct given nothing;
    struct scenario_mistakes mistakes = {.count = 0};
    struct qz_error error;
    char text[2048] = "{";
    for (const struct key *key = trial->keys->keys; key->name; key++) {
        bool other = key != tried && is_company(trial, tried, key);
        const char *shown = key == tried ? value : other ? key->example : NULL;
        if (!shown && other)
            shown = "true";
        if (shown)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"%s\": %s", text[1] ? ", " : "", key->name,
                     shown);
    }
    snprintf(text + strlen(text), sizeof text - strlen(text), "}");
    struct reader reader = {.file = trial->keys->name, .fixtures = QZ_FIXTURES, .memory = trial->memory,
                            .mistakes = &mistakes, .given = &nothing};
    if (qz_json_parse(reader.file, text, strlen(text), QZ_E_INTERNAL_ERROR, &reader.json, &error) != QZ_E_SUCCESS) {
        fprintf(stderr, "  %s: %s\n", error.message, text);
        return false;
    }
    bool read = scenario_read_object(&reader, trial->keys, reader.json.root, out);
    if (!read)
        fprintf(stderr, "  %s: %s\n", mistakes.items[0].line, text);
    qz_json_free(&reader.json);
    return read;
}

static bool is_plain(enum key_kind kind)
{
    return kind == KEY_WORD || kind == KEY_FLAG || kind == KEY_INTEGER || kind == KEY_MIB || kind == KEY_MS ||
           kind == KEY_MS_FOREVER || kind == KEY_OWNER;
}

static size_t width_of(enum key_kind kind)
{
    return kind == KEY_FLAG ? sizeof(bool) : kind == KEY_INTEGER || kind == KEY_WORD ? sizeof(int)
           : kind == KEY_OWNER ? sizeof(uid_t) : sizeof(int64_t);
}

static void try_key(struct trial *trial, const struct key *key)
{
    unsigned char *with = scenario_take(trial->memory, trial->keys->size);
    unsigned char *without = scenario_take(trial->memory, trial->keys->size);
    trial->keys_tried++;
    if (key->example)
        CU_ASSERT_TRUE(read_trial(trial, key, key->example, with));
    if (key->fallback)
        CU_ASSERT_TRUE(read_trial(trial, key, key->fallback, with));
    if (!key->fallback || key->list || !(is_plain(key->kind) || key->kind == KEY_CHOICE))
        return;
    if (is_in(key->name, trial->keys->choice ? trial->keys->choice : (const char *const[]){NULL}))
        return; /* without it there may be nothing to read */
    CU_ASSERT_TRUE(read_trial(trial, key, NULL, without));
    bool same = is_plain(key->kind)
                    ? memcmp(with + key->at, without + key->at, width_of(key->kind)) == 0
                    : strcmp(*(const char **)(void *)(with + key->at),
                             *(const char **)(void *)(without + key->at)) == 0;
    CHECK_STRING(same ? key->name : "another default", key->name);
}

static void try_object(struct trial *trial, const struct key_object *keys)
{
    for (const struct key *key = keys->keys; key->name; key++) {
        trial->keys = keys;
        if (key->kind != KEY_MATRIX && key->kind != KEY_NOTHING)
            try_key(trial, key);
        if (key->object && key->kind != KEY_CONFIG && key->kind != KEY_RESULT && key->object != keys)
            try_object(trial, key->object);
    }
}

QZ_TEST(defaults_and_examples_are_true) // What the schema says of defaults holds, its examples are accepted.
{
    struct trial trial = {.memory = scenario_memory_new()};
    try_object(&trial, &scenario_keys);
    CU_ASSERT_TRUE(trial.keys_tried > 100);
    scenario_memory_free(trial.memory);
}

/* ---- The JSON result --------------------------------------------------------------------------------------------- */

/* Is what the table says of this part of a result what the result has? Of a list, the first element is looked at. */
static void compare_members(const struct key_object *keys, const cJSON *object)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
        CHECK_STRING(scenario_find_key(keys, member->string) ? member->string : "not in the table", member->string);
    for (const struct key *key = keys->keys; key->name; key++) {
        const cJSON *written = cJSON_GetObjectItemCaseSensitive(object, key->name);
        CHECK_STRING(written ? key->name : "in no result", key->name);
        CHECK_INT(cJSON_IsObject(written), key->kind == KEY_RESULT && !key->list);
        CHECK_INT(cJSON_IsArray(written), key->kind == KEY_RESULT && key->list);
        if (key->kind == KEY_RESULT)
            compare_members(key->object, key->list ? written->child : written);
    }
}

QZ_TEST(the_members_of_a_result_are_those_of_the_table) // A result with one of everything, and the table, both ways.
{
    struct qz_error error = {.code = QZ_E_SUCCESS};
    struct qz_warning warning = {.line = 0};
    struct qz_attempt attempt = {.outcome = QZ_ATTEMPT_EXITED};
    struct qz_script_result script = {.role = QZ_PHASE_PRE, .attempts = &attempt, .attempt_count = 1};
    struct qz_volume volume = {.outcome = QZ_VOLUME_THAWED, .error = &error};
    struct qz_file_verdict file = {.code = QZ_E_SUCCESS};
    struct qz_result result = {.errors = {.items = &error, .count = 1}, .warnings = {.items = &warning, .count = 1},
                               .files = &file, .file_count = 1, .scripts = &script, .script_count = 1,
                               .volumes = &volume, .volume_count = 1, .phases = {{.name = "check"}}, .phase_count = 1};
    char *text = qz_report_json(&result);
    cJSON *written = cJSON_Parse(text);
    CU_ASSERT_PTR_NOT_NULL(written);
    compare_members(&scenario_result_keys, written);
    cJSON_Delete(written);
    free(text);
}
