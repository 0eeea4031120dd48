#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "quiesce/json.h"
#include "quiesce/report.h"
#include "result.h"
#include "text.h"
#include "volumes.h"

#define PRE "/opt/app/pre.sh"
#define POST "/opt/app/post.sh"

/* ---- A result to show: built here, freed with qz_result_free ---------------------------------------------------- */

static struct qz_tail *new_tail(const char *bytes, size_t size)
{
    struct qz_tail *tail = calloc(1, sizeof *tail);
    for (size_t i = 0; i < size; i++)
        tail->bytes[i % QZ_TAIL_SIZE] = bytes[i];
    tail->total = size;
    return tail;
}

static struct qz_attempt new_attempt(enum qz_attempt_outcome outcome, int status, const char *err)
{
    return (struct qz_attempt){.outcome = outcome,
                               .status = status,
                               .duration_us = 120400,
                               .out = new_tail("", 0),
                               .err = new_tail(err, strlen(err))};
}

static void add_script(struct qz_result *result, enum qz_phase role, const char *path)
{
    struct qz_script_result *script = &result->scripts[result->script_count++];
    *script = (struct qz_script_result){.plugin = "ScriptRunner", .role = role, .path = path};
    script->attempts = calloc(3, sizeof *script->attempts);
    script->attempts[script->attempt_count++] = new_attempt(QZ_ATTEMPT_EXITED, 0, "all is well\n");
}

static void set_volume(struct qz_volume *volume, const char *mount, const char *fstype, const char *device)
{
    *volume = (struct qz_volume){.mount = strdup(mount),
                                 .device = strdup(device),
                                 .fstype = strdup(fstype),
                                 .uuid = strdup(""),
                                 .label = strdup(""),
                                 .decision = QZ_DECISION_FREEZE,
                                 .outcome = QZ_VOLUME_THAWED,
                                 .presync_us = 1200,
                                 .presync_rounds = 2,
                                 .freeze_us = 24000,
                                 .frozen_us = 31200,
                                 .thaw_us = 85,
                                 .error = volume->error};
}

static void add_volumes(struct qz_result *result)
{
    result->volumes = qz_volumes_new(3);
    set_volume(&result->volumes[0], "/", "ext4", "/dev/sda1");
    set_volume(&result->volumes[1], "/srv/a long name", "xfs", "/dev/sdb");
    set_volume(&result->volumes[2], "/tmp", "tmpfs", "");
    struct qz_volume *skipped = &result->volumes[2];
    skipped->decision = QZ_DECISION_SKIP;
    skipped->outcome = QZ_VOLUME_UNTOUCHED;
    skipped->order = -1;
    skipped->presync_us = skipped->freeze_us = skipped->frozen_us = skipped->thaw_us = -1;
    snprintf(skipped->reason, sizeof skipped->reason, "lives in memory, not on a disk");
    result->volume_count = 3;
}

static char *const snapshot_argv[] = {"snap", "--name", "it's mine", NULL};

/* Everything went well. */
static struct qz_result good_result(const char *command)
{
    struct qz_result result = {.command = command,
                               .run_id = "0123-4567",
                               .attempt = 1,
                               .attempts = 1,
                               .consistency = QZ_APPLICATION,
                               .freeze_enabled = true,
                               .window_us = 55300,
                               .cut_us = 145600,
                               .expedited = true,
                               .snapshot_argv = snapshot_argv};
    result.scripts = calloc(2, sizeof *result.scripts);
    add_script(&result, QZ_PHASE_PRE, PRE);
    add_script(&result, QZ_PHASE_POST, POST);
    add_volumes(&result);
    result.snapshot.outcome = QZ_SNAPSHOT_TAKEN;
    result.snapshot.attempt = new_attempt(QZ_ATTEMPT_EXITED, 0, "");
    result.phases[0] = (struct qz_phase_time){"check", 0, 1200};
    result.phases[1] = (struct qz_phase_time){"pre", 1200, 120400};
    result.phases[2] = (struct qz_phase_time){"freeze", 121600, 24100};
    result.phase_count = 3;
    return result;
}

static void fail_pre_script(struct qz_result *result, const char *err)
{
    struct qz_script_result *script = &result->scripts[0];
    struct qz_error error;
    qz_error_set(&error, QZ_E_PRE_SCRIPT_EXECUTION_FAILED, PRE ": exit status 3");
    qz_error_detail(&error, "exit status 3");
    error.plugin = "ScriptRunner";
    error.path = PRE;
    error.phase = QZ_PHASE_PRE;
    error.attempt = 2;
    qz_error_list_add(&result->errors, &error);
    script->attempts[script->attempt_count++] = new_attempt(QZ_ATTEMPT_EXITED, 3, err);
    script->failed = true;
    result->consistency = QZ_FILESYSTEM;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

/* The report, read back by our own strict parser. */
static struct qz_json read_back(const struct qz_result *result)
{
    struct qz_json json = {0};
    struct qz_error error = {0};
    char *text = qz_report_json(result);
    CU_ASSERT_PTR_NOT_NULL(text);
    if (text) {
        CHECK_INT(qz_json_parse("report", text, strlen(text), QZ_E_INTERNAL_ERROR, &json, &error), QZ_E_SUCCESS);
        CHECK_STRING(error.message, "");
        CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
    }
    free(text);
    return json;
}

/* The value at a path such as "freeze.volumes.0.mount"; NULL: there is none. */
static const cJSON *find(const struct qz_json *json, const char *path)
{
    const cJSON *item = json->root;
    while (item && *path) {
        char word[64];
        size_t length = strcspn(path, ".");
        snprintf(word, sizeof word, "%.*s", (int)length, path);
        item = cJSON_IsArray(item) ? cJSON_GetArrayItem(item, atoi(word))
                                   : cJSON_GetObjectItemCaseSensitive(item, word);
        path += length + (path[length] == '.');
    }
    return item;
}

static void check_value(const struct qz_json *json, const char *path, const char *expected)
{
    char *printed = cJSON_PrintUnformatted(find(json, path));
    CHECK_STRING(printed ? printed : path, expected);
    cJSON_free(printed);
}

/* The first members of the object at `path` are `expected`, in this order; more may follow. */
static void check_keys(const struct qz_json *json, const char *path, const char *expected)
{
    struct qz_text keys = {0};
    size_t wanted = 1;
    for (const char *blank = strchr(expected, ' '); blank; blank = strchr(blank + 1, ' '))
        wanted++;
    const cJSON *object = find(json, path), *member;
    cJSON_ArrayForEach(member, object)
        if (wanted > 0 && wanted--)
            qz_text_add(&keys, "%s%s", keys.size > 0 ? " " : "", member->string);
    CHECK_STRING(keys.bytes ? keys.bytes : "(nothing)", expected);
    qz_text_free(&keys);
}

QZ_TEST(json_has_the_shape_of_the_contract) // Every object has the contract's keys, in its order.
{
    struct qz_result result = good_result("run");
    fail_pre_script(&result, "");
    qz_warning_list_add(&result.warnings, PRE, 3, 5, "unknown key");
    struct qz_json json = read_back(&result);
    check_keys(&json, "", "run_id consistency code number errors warnings scripts freeze snapshot phases");
    check_keys(&json, "errors.0", "code number message action plugin path phase attempt detail");
    check_keys(&json, "warnings.0", "message path line column");
    check_keys(&json, "scripts.0", "plugin role path attempts");
    check_keys(&json, "scripts.0.attempts.0", "outcome exit_code signal duration_us stdout_tail stderr_tail");
    check_keys(&json, "freeze", "enabled window_us volumes expedited cut_us");
    check_keys(&json, "freeze.volumes.0", "mount device fstype uuid decision reason order presync_us freeze_us"
                                          " frozen_us thaw_us outcome");
    check_keys(&json, "snapshot", "command outcome exit_code");
    check_keys(&json, "phases.0", "name start_us duration_us");
    qz_json_free(&json);
    qz_result_free(&result);
}

QZ_TEST(json_tells_what_happened) // The values are those of the result, in the contract's words.
{
    struct qz_result result = good_result("run");
    fail_pre_script(&result, "no database\n");
    struct qz_json json = read_back(&result);
    check_value(&json, "run_id", "\"0123-4567\"");
    check_value(&json, "consistency", "\"filesystem\"");
    check_value(&json, "code", "\"Pre-ScriptExecutionFailed\"");
    check_value(&json, "number", "300");
    check_value(&json, "exit_status", "10");
    check_value(&json, "errors.0.phase", "\"pre\"");
    check_value(&json, "errors.0.attempt", "2");
    check_value(&json, "errors.0.detail", "\"exit status 3\"");
    check_value(&json, "scripts.0.role", "\"pre\"");
    check_value(&json, "scripts.0.attempts.1.outcome", "\"exited\"");
    check_value(&json, "scripts.0.attempts.1.exit_code", "3");
    check_value(&json, "scripts.0.attempts.1.signal", "null");
    check_value(&json, "scripts.0.attempts.1.stderr_tail", "\"no database\\n\"");
    check_value(&json, "freeze.volumes.0.outcome", "\"thawed\"");
    check_value(&json, "freeze.volumes.1.frozen_us", "31200");
    check_value(&json, "freeze.volumes.1.presync_rounds", "2");
    check_value(&json, "freeze.volumes.2.decision", "\"skip\"");
    check_value(&json, "freeze.expedited", "true");
    check_value(&json, "freeze.cut_us", "145600");
    check_value(&json, "snapshot.command", "\"snap --name 'it'\\\\''s mine'\"");
    check_value(&json, "snapshot.outcome", "\"taken\"");
    check_value(&json, "phases.1.start_us", "1200");
    qz_json_free(&json);
    qz_result_free(&result);
}

QZ_TEST(json_says_null_for_what_did_not_happen) // What does not apply or did not happen is null, never a made-up value.
{
    struct qz_result result = good_result("run");
    result.cut_us = 0;
    result.snapshot.outcome = QZ_SNAPSHOT_NOT_TAKEN;
    result.scripts[0].attempts[0].outcome = QZ_ATTEMPT_SIGNALED;
    result.scripts[0].attempts[0].status = SIGKILL;
    result.scripts[1].attempts[0].outcome = QZ_ATTEMPT_NOT_STARTED;
    result.scripts[1].attempts[0].status = ENOEXEC;
    struct qz_error error;
    qz_error_set(&error, QZ_E_ALREADY_RUNNING, "busy");
    qz_error_list_add(&result.errors, &error);
    qz_warning_list_add(&result.warnings, PRE, 0, 0, "no place");
    struct qz_json json = read_back(&result);
    static const char *const nulls[] = {"errors.0.plugin",
                                        "errors.0.path",
                                        "errors.0.phase",
                                        "errors.0.attempt",
                                        "errors.0.detail",
                                        "warnings.0.line",
                                        "scripts.0.attempts.0.exit_code",
                                        "scripts.1.attempts.0.exit_code",
                                        "scripts.1.attempts.0.signal",
                                        "freeze.cut_us",
                                        "freeze.volumes.2.presync_us",
                                        "freeze.volumes.2.thaw_us",
                                        "freeze.volumes.2.order",
                                        "freeze.volumes.2.uuid",
                                        "snapshot.exit_code",
                                        "snapshot.duration_us"};
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        check_value(&json, nulls[i], "null");
    check_value(&json, "scripts.0.attempts.0.signal", "9");
    check_value(&json, "scripts.1.attempts.0.start_error", "\"Exec format error\"");
    qz_json_free(&json);
    qz_result_free(&result);
}

QZ_TEST(json_of_a_hold_has_no_command) // With --hold there is no snapshot command and no exit code.
{
    struct qz_result result = good_result("run");
    result.snapshot_argv = NULL;
    struct qz_json json = read_back(&result);
    check_value(&json, "snapshot.command", "null");
    check_value(&json, "snapshot.exit_code", "null");
    check_value(&json, "snapshot.duration_us", "120400");
    qz_json_free(&json);
    qz_result_free(&result);
}

QZ_TEST(json_is_valid_whatever_a_script_prints) // Bytes that are no UTF-8, NUL and control characters do no harm.
{
    static const char hostile[] = "a\0b\xff\xc3(\x1b[31m\xe2\x82\xac\xed\xa0\x80\"\\\xf0\x9f\x98";
    struct qz_result result = good_result("run");
    free(result.scripts[0].attempts[0].out);
    result.scripts[0].attempts[0].out = new_tail(hostile, sizeof hostile - 1);
    result.scripts[0].path = "/opt/\xfe\xff.sh";
    struct qz_json json = read_back(&result);
    CHECK_STRING(cJSON_GetStringValue(find(&json, "scripts.0.attempts.0.stdout_tail")),
                 "a\uFFFDb\uFFFD\uFFFD(\x1b[31m\u20AC\uFFFD\uFFFD\uFFFD\"\\\uFFFD\uFFFD\uFFFD");
    CHECK_STRING(cJSON_GetStringValue(find(&json, "scripts.0.path")), "/opt/\uFFFD\uFFFD.sh");
    qz_json_free(&json);
    qz_result_free(&result);
}

QZ_TEST(json_tail_begins_with_a_whole_character) // Cutting a stream must not break its first character.
{
    char euros[3 * 2000];
    for (size_t i = 0; i < sizeof euros; i++)
        euros[i] = "\xe2\x82\xac"[i % 3];
    struct qz_result result = good_result("run");
    free(result.scripts[0].attempts[0].out);
    result.scripts[0].attempts[0].out = new_tail(euros, sizeof euros);
    struct qz_json json = read_back(&result);
    const char *tail = cJSON_GetStringValue(find(&json, "scripts.0.attempts.0.stdout_tail"));
    CHECK_INT(tail ? strlen(tail) : 0, QZ_TAIL_SIZE / 3 * 3);
    CU_ASSERT_TRUE(tail && !strstr(tail, "\uFFFD"));
    qz_json_free(&json);
    qz_result_free(&result);
}

static unsigned allocations_before_failure = UINT_MAX;

/* What the linker puts in place of realloc: fails once. */
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

void *__wrap_realloc(void *block, size_t size)
{
    return allocations_before_failure-- == 0 ? NULL : __real_realloc(block, size);
}

QZ_TEST(json_is_whole_or_not_at_all) // If memory is short once, there is no report.
{
    struct qz_result result = good_result("run");
    char *whole = qz_report_json(&result);
    unsigned needed = 0;
    char *text = NULL;
    for (; !text && needed < 100; needed++) {
        allocations_before_failure = needed;
        text = qz_report_json(&result);
    }
    allocations_before_failure = UINT_MAX;
    CU_ASSERT_TRUE(needed > 3 && needed < 100);
    CHECK_STRING(text, whole);
    free(text);
    free(whole);
    qz_result_free(&result);
}

/* ---- For people ------------------------------------------------------------------------------------------------- */

static void check_first_line(const struct qz_result *result, const char *expected)
{
    char *text = qz_report_human(result, false);
    char *end = text ? strchr(text, '\n') : NULL;
    if (end)
        *end = '\0';
    CHECK_STRING(text, expected);
    free(text);
}

QZ_TEST(the_first_line_is_the_verdict) // The first line says what the backup is worth and the code that decided.
{
    struct qz_result result = good_result("run");
    check_first_line(&result, "application-consistent backup taken");
    fail_pre_script(&result, "");
    check_first_line(&result, "file-system-consistent backup taken: Pre-ScriptExecutionFailed (300)");
    result.consistency = QZ_CRASH;
    check_first_line(&result, "crash-consistent backup taken: Pre-ScriptExecutionFailed (300)");
    result.consistency = QZ_NONE;
    check_first_line(&result, "no usable backup: Pre-ScriptExecutionFailed (300)");
    result.command = "check";
    check_first_line(&result, "a run would give no usable backup: Pre-ScriptExecutionFailed (300)");
    qz_result_free(&result);
}

/* Are `expected` parts there, one after another? */
static void check_parts(const struct qz_result *result, const char *const *expected)
{
    char *text = qz_report_human(result, false);
    const char *rest = text;
    for (; rest && *expected; expected++) {
        CHECK_CONTAINS(rest, *expected);
        rest = strstr(rest, *expected);
    }
    free(text);
}

QZ_TEST(errors_come_with_a_remedy) // Each error is shown as its message and what to do; warnings follow.
{
    struct qz_result result = good_result("run");
    fail_pre_script(&result, "");
    qz_warning_list_add(&result.warnings, PRE, 3, 5, "unknown key");
    check_parts(&result, (const char *const[]){"Writers were stopped for 55.3 ms at most; 2 volumes were frozen.\n",
                                               "Pre-ScriptExecutionFailed (300): " PRE ": exit status 3\n",
                                               "  what to do: Look at the script's output",
                                               "warning: /opt/app/pre.sh:3:5: unknown key\n", NULL});
    qz_result_free(&result);
}

QZ_TEST(what_may_still_be_frozen_comes_first) // Nobody reads that nothing was frozen while a volume is.
{
    static const enum qz_volume_outcome outcomes[] = {QZ_VOLUME_STUCK, QZ_VOLUME_THAW_FAILED};
    for (size_t i = 0; i < 2; i++) {
        struct qz_result result = good_result("freeze");
        result.volumes[0].outcome = outcomes[i];
        check_parts(&result,
                    (const char *const[]){"the volumes were frozen for the whole hold\n"
                                          "1 volume may still be frozen; its error below names it.\n"
                                          "Writers of the others were stopped for 55.3 ms at most;"
                                          " 1 volume was thawed.\n",
                                          NULL});
        result.volumes[1].outcome = outcomes[i];
        result.window_us = 0;
        check_parts(&result,
                    (const char *const[]){"2 volumes may still be frozen; their errors below name them.\n", NULL});
        char *text = qz_report_human(&result, false);
        CU_ASSERT_TRUE(text && !strstr(text, "Nothing was frozen") && !strstr(text, "Writers"));
        free(text);
        qz_result_free(&result);
    }
}

QZ_TEST(a_script_that_changed_is_told_as_such) // not as a file handle
{
    struct qz_result result = good_result("run");
    result.scripts[0].attempts[0].outcome = QZ_ATTEMPT_NOT_STARTED;
    result.scripts[0].attempts[0].status = ESTALE;
    check_parts(&result, (const char *const[]){"  pre   " PRE " (ScriptRunner): not run: the file, or a directory on"
                                               " the way to it, changed after the check\n",
                                               NULL});
    qz_result_free(&result);
}

QZ_TEST(tails_of_failed_attempts_are_shown) // Only a failed attempt's output is shown, every line marked, harmless.
{
    struct qz_result result = good_result("run");
    fail_pre_script(&result, "\033[2Jno database\nReally\xff");
    check_parts(&result, (const char *const[]){"  pre   " PRE " (ScriptRunner):\n    attempt 1: exit status 0 after ",
                                               "    attempt 2: exit status 3 after 120.4 ms\n"
                                               "      stderr | \\x1b[2Jno database\n"
                                               "      stderr | Really\\xff\n"
                                               "  post  " POST " (ScriptRunner): exit status 0 after 120.4 ms\n",
                                               NULL});
    char *text = qz_report_human(&result, false);
    CU_ASSERT_TRUE(text && !strstr(text, "all is well"));
    free(text);
    qz_result_free(&result);
}

QZ_TEST(long_tails_are_cut_to_their_last_lines) // Of a long output the last ten lines are shown, and that it was cut.
{
    struct qz_text lines = {0};
    for (int i = 1; i <= 30; i++)
        qz_text_add(&lines, "line %d\n", i);
    struct qz_result result = good_result("run");
    fail_pre_script(&result, lines.bytes);
    check_parts(&result, (const char *const[]){"stderr | (151 earlier bytes are left out)\n      stderr | line 21\n",
                                               "stderr | line 30\n  post", NULL});
    qz_text_free(&lines);
    qz_result_free(&result);
}

QZ_TEST(volumes_stand_in_an_aligned_table) // One line a frozen volume, columns aligned; the skipped ones are counted.
{
    struct qz_result result = good_result("run");
    check_parts(&result,
                (const char *const[]){
                    "  mount point       type  device     outcome         pre-sync   freeze   frozen   thaw\n"
                    "  /                 ext4  /dev/sda1  frozen, thawed    1.2 ms  24.0 ms  31.2 ms  85 µs\n"
                    "  /srv/a long name  xfs   /dev/sdb   frozen, thawed    1.2 ms  24.0 ms  31.2 ms  85 µs\n"
                    "  1 other filesystem was passed over",
                    NULL});
    qz_result_free(&result);
}

QZ_TEST(the_timeline_is_drawn_to_scale) // Phases with begin and duration, and a bar that no phase is too short for.
{
    struct qz_result result = good_result("run");
    check_parts(&result, (const char *const[]){"timeline\n"
                                               "  check       at 0 µs    1.2 ms  ━\n"
                                               "  pre       at 1.2 ms  120.4 ms  ━",
                                               "  freeze  at 121.6 ms   24.1 ms   ", NULL});
    qz_result_free(&result);
}

QZ_TEST(check_shows_files_and_decisions) // `check` gives each file's verdict, each volume's decision, run's status.
{
    struct qz_result result = good_result("check");
    result.files = calloc(2, sizeof *result.files);
    result.files[0] = (struct qz_file_verdict){.what = "config", .path = "/etc/c.json", .plugin = "ScriptRunner"};
    result.files[1] = (struct qz_file_verdict){
        .what = "pre-script", .path = PRE, .plugin = "ScriptRunner", .code = QZ_E_PRE_SCRIPT_NOT_FOUND};
    result.file_count = 2;
    result.consistency = QZ_FILESYSTEM;
    check_parts(&result, (const char *const[]){"`quiesce run` would exit with status 10.\n",
                                               "  ok                  config      /etc/c.json      ScriptRunner\n"
                                               "  Pre-ScriptNotFound  pre-script  " PRE "  ScriptRunner\n",
                                               "      1  freeze    /                 ext4   /dev/sda1\n",
                                               "      -  skip      /tmp              tmpfs             lives in memory",
                                               NULL});
    qz_result_free(&result);
}

QZ_TEST(colour_only_when_asked) // Without colour there is no escape sequence; with colour the words are the same.
{
    struct qz_result result = good_result("run");
    fail_pre_script(&result, "");
    char *plain = qz_report_human(&result, false), *coloured = qz_report_human(&result, true);
    CU_ASSERT_TRUE(plain && !strchr(plain, '\033'));
    CU_ASSERT_TRUE(coloured && strchr(coloured, '\033'));
    struct qz_text stripped = {0};
    for (const char *c = coloured; c && *c; c++) {
        if (*c == '\033')
            c = strchr(c, 'm');
        else
            qz_text_add_bytes(&stripped, c, 1);
    }
    CHECK_STRING(stripped.bytes, plain);
    qz_text_free(&stripped);
    free(plain);
    free(coloured);
    qz_result_free(&result);
}

QZ_TEST(durations_are_readable) // Microseconds, milliseconds, seconds, minutes: whichever is read most easily.
{
    static const struct {
        int64_t duration_us;
        const char *words;
    } cases[] = {{-1, "-"},           {0, "0 µs"},           {999, "999 µs"},        {1000, "1.0 ms"},
                 {999949, "999.9 ms"}, {999950, "1.00 s"},   {4200000, "4.20 s"},    {119994999, "119.99 s"},
                 {119995000, "2 min 0 s"}, {200400000, "3 min 20 s"}, {INT64_C(1800000000), "30 min 0 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct qz_text text = {0};
        qz_text_add_duration(&text, cases[i].duration_us);
        CHECK_STRING(text.bytes, cases[i].words);
        qz_text_free(&text);
    }
}

/* ---- The result itself ------------------------------------------------------------------------------------------ */

QZ_TEST(the_first_error_is_the_code) // The first error decides; errors lost for want of memory are not success.
{
    struct qz_result result = {0};
    CHECK_INT(qz_result_code(&result), QZ_E_SUCCESS);
    result.errors.lost = 1;
    CHECK_INT(qz_result_code(&result), QZ_E_INTERNAL_ERROR);
    struct qz_error error;
    qz_error_set(&error, QZ_E_FREEZE_LOST, "lost");
    qz_error_list_add(&result.errors, &error);
    CHECK_INT(qz_result_code(&result), QZ_E_FREEZE_LOST);
    qz_result_free(&result);
    CHECK_INT(result.errors.count, 0);
}

QZ_TEST(an_internal_error_has_its_own_exit_status) // 70 where quiesce failed and there is no backup; else the claim's.
{
    struct qz_result result = {.consistency = QZ_NONE};
    CHECK_INT(qz_result_exit(&result), 20);
    struct qz_error error;
    qz_error_set(&error, QZ_E_INTERNAL_ERROR, "no memory");
    qz_error_list_add(&result.errors, &error);
    CHECK_INT(qz_result_exit(&result), 70);
    result.consistency = QZ_CRASH;
    CHECK_INT(qz_result_exit(&result), 11);
    qz_result_free(&result);
}
