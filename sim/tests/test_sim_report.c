/* test_sim_report.c: the forms in which a run of scenarios is told, over a fixed report (report_cases.h). */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "report_cases.h"

/* What `write` makes of the fixed report. The caller frees. */
static char *form(void (*write)(const struct report *, FILE *))
{
    struct report report = report_cases();
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    write(&report, out);
    fclose(out);
    report_free(&report);
    return text;
}

static void plain(const struct report *report, FILE *out)
{
    report_terminal(report, out, false);
}

static void coloured(const struct report *report, FILE *out)
{
    report_terminal(report, out, true);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        text++;
        count++;
    }
    return count;
}

static bool is_utf8(const char *text)
{
    FILE *iconv = popen("iconv -f utf-8 -t utf-8 >/dev/null 2>&1", "w");
    fputs(text, iconv);
    return pclose(iconv) == 0;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static const cJSON *in(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!value)
        fprintf(stderr, "there is no %s\n", key);
    CU_ASSERT_PTR_NOT_NULL(value);
    return value;
}

QZ_TEST(json_tells_everything) // The JSON report has every case with its verdict, findings, steps and trace.
{
    char *text = form(report_json);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    CU_ASSERT_PTR_NOT_NULL(root);
    const cJSON *cases = in(root, "cases");
    CHECK_INT(cJSON_GetArraySize(cases), REPORT_CASES);
    CHECK_INT(in(in(root, "counts"), "failed")->valueint, 3);
    CHECK_INT(in(in(root, "counts"), "not run")->valueint, 1);
    CHECK_INT(in(root, "seed")->valueint, 42);
    const cJSON *killed = cJSON_GetArrayItem(cases, CASE_KILLED);
    CHECK_STRING(in(killed, "verdict")->valuestring, "failed");
    CHECK_STRING(in(killed, "world")->valuestring, "fake");
    CHECK_STRING(in(killed, "variant")->valuestring, "signal=KILL,type=a*[b]");
    const cJSON *finding = cJSON_GetArrayItem(in(killed, "findings"), 0);
    CHECK_INT(in(finding, "invariant")->valueint, 1);
    CHECK_STRING(in(finding, "expected")->valuestring, "thawed");
    CHECK_STRING(in(finding, "seen")->valuestring, "frozen");
    const cJSON *event = cJSON_GetArrayItem(in(killed, "trace"), in(finding, "event")->valueint);
    CHECK_STRING(in(event, "line")->valuestring, "freeze /srv EIO");
    CHECK_INT(in(event, "at_us")->valueint, 8000);
    CHECK_INT(in(cJSON_GetArrayItem(in(killed, "steps"), 0), "signal")->valueint, 9);
    CHECK_STRING(in(cJSON_GetArrayItem(cases, CASE_SKIPPED), "why")->valuestring, "not root");
    cJSON_Delete(root);
    free(text);
}

QZ_TEST(json_may_stand_in_a_page) // Nothing that a script says can end the element that the JSON stands in.
{
    char *text = form(report_json);
    CU_ASSERT_PTR_NULL(strchr(text, '<'));
    CU_ASSERT(is_utf8(text));
    cJSON *root = cJSON_Parse(text);
    const cJSON *hostile = cJSON_GetArrayItem(in(root, "cases"), CASE_HOSTILE);
    CHECK_STRING(in(hostile, "variant")->valuestring,
                 "</script><b>]]>&\"'\x01\x1b[31m \xef\xbf\xbd\xef\xbf\xbd \\ # tail");
    cJSON_Delete(root);
    free(text);
}

/* ---- TAP -------------------------------------------------------------------------------------------------------- */

QZ_TEST(tap_counts_its_lines) // The plan says how many test points follow, and they are numbered in order.
{
    char *text = form(report_tap);
    char start[64];
    CU_ASSERT(strncmp(text, "TAP version 14\n1..8\n", 20) == 0);
    for (int i = 1; i <= REPORT_CASES; i++) {
        snprintf(start, sizeof start, "ok %d - ", i);
        CHECK_INT(count_of(text, start), 1);
    }
    CHECK_INT(count_of(text, "\nnot ok "), 4);
    CHECK_CONTAINS(text, "not ok 2 - fake guardian/killed:signal=KILL,type=a*[b]\n  ---\n");
    CHECK_CONTAINS(text, "ok 5 - loop freeze/two-volumes # SKIP not root\n");
    CHECK_CONTAINS(text, "ok 8 - loop runner/retries:exit=3 \\#2 # SKIP interrupted");
    CHECK_CONTAINS(text, "\nBail out! SIGTERM\n");
    free(text);
}

QZ_TEST(tap_diagnoses_failures) // A failed point has what was expected and seen, the trace, and how to repeat it.
{
    char *text = form(report_tap);
    CHECK_CONTAINS(text, "  message: \"/data is still frozen at the end\"\n");
    CHECK_CONTAINS(text, "      expected: \"thawed\"\n      seen: \"frozen\"\n      at: \"freeze /srv EIO\"\n");
    CHECK_CONTAINS(text, "    - [8100, \"KILL to agent\"]\n");
    CHECK_CONTAINS(text,
                   "  repeat: \"cd '/srv/a house' && build/run/sim/quiesce-sim run --binary build/run/core/quiesce "
                   "--world fake --seed 42 ");
    CHECK_CONTAINS(text, "  severity: error\n");
    CU_ASSERT_PTR_NULL(strchr(text, '\x1b'));
    free(text);
}

/* ---- JUnit ------------------------------------------------------------------------------------------------------ */

/* Runs xmllint with `options` over the report; what it printed, the caller frees; NULL: it failed. */
static char *xmllint(const char *options)
{
    char path[] = "/tmp/test_sim_report.XXXXXX";
    char *command = NULL;
    char *text = form(report_junit);
    int file = mkstemp(path);
    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) ||
        asprintf(&command, "xmllint %s %s 2>&1", options, path) < 0)
        abort();
    close(file);
    free(text);
    FILE *pipe = popen(command, "r");
    char *answer = calloc(1, 4096);
    size_t size = fread(answer, 1, 4095, pipe);
    bool worked = pclose(pipe) == 0;
    unlink(path);
    free(command);
    if (worked)
        return answer;
    fprintf(stderr, "xmllint %s: %.*s\n", options, (int)size, answer);
    free(answer);
    return NULL;
}

static void check_xpath(const char *expression, const char *expected)
{
    char *options = NULL;
    if (asprintf(&options, "--xpath '%s'", expression) < 0)
        abort();
    char *seen = xmllint(options);
    if (seen)
        seen[strcspn(seen, "\n")] = '\0';
    CHECK_STRING(seen, expected);
    free(seen);
    free(options);
}

static bool can_lint(void)
{
    bool found = system("command -v xmllint >/dev/null") == 0;
    if (!found)
        check_skip("no xmllint (ci/setup test)");
    return found;
}

QZ_TEST(junit_obeys_its_schema) // Whatever is in the report, the JUnit file is valid.
{
    if (!can_lint())
        return;
    char *seen = xmllint("--noout --schema " QZ_FIXTURES "/junit/junit.xsd");
    CU_ASSERT_PTR_NOT_NULL(seen);
    free(seen);
}

QZ_TEST(junit_has_a_suite_for_each_capability) // Each capability is one suite, and its counts are those of its cases.
{
    if (!can_lint())
        return;
    check_xpath("count(//testsuite)", "4");
    check_xpath("string(//testsuite[@name=\"guardian\"]/@failures)", "1");
    check_xpath("string(//testsuite[@name=\"guardian\"]/@errors)", "1");
    check_xpath("string(//testsuite[@name=\"runner\"]/@tests)", "3");
    check_xpath("string(//testsuite[@name=\"runner\"]/@skipped)", "1");
    check_xpath("string(/testsuites/@tests)", "8");
    check_xpath("count(//failure)", "3");
    check_xpath("string(//testcase[@classname=\"guardian.fake\"]/failure/@type)", "invariant");
    check_xpath("contains(//testcase[@classname=\"guardian.fake\"]/system-out, \"KILL to agent\")", "true");
    check_xpath("contains(//testcase[@classname=\"runner.fake\"]/system-err, \"AddressSanitizer\")", "true");
    check_xpath("string(//testcase[@classname=\"freeze.loop\"]/skipped/@message)", "not root");
}

/* ---- The terminal ----------------------------------------------------------------------------------------------- */

QZ_TEST(terminal_shows_expected_beside_seen) // A failure shows rule, findings, trace, and how to repeat it.
{
    char *text = form(plain);
    CHECK_CONTAINS(text, "FAILED  fake     guardian/killed:signal=KILL,type=a*[b]  (617.3 ms)\n"
                         "  An agent that is killed leaves nothing frozen.\n");
    CHECK_CONTAINS(text, "  invariant 1: /data is still frozen at the end\n    expected thawed\n    seen     frozen\n");
    CHECK_CONTAINS(text, "  >         8.000 ms  freeze /srv EIO\n");
    CHECK_CONTAINS(text, "           6.300 ms  freeze /data begins\n");
    CHECK_CONTAINS(text, "  standard error of the player\n    ==1==ERROR: AddressSanitizer: SEGV\n");
    CHECK_CONTAINS(text,
                   "  repeat: cd '/srv/a house' && build/run/sim/quiesce-sim run --binary build/run/core/quiesce "
                   "--world fake --seed 42 --filter 'guardian/killed:signal=KILL,type=a\\*\\[b]' "
                   "scenarios/guardian/killed.json\n");
    CHECK_CONTAINS(text, "BROKEN  loop     guardian/killed:signal=TERM,type=xfs");
    CHECK_CONTAINS(text, "skipped 1 in the world loop: not root\n");
    CHECK_CONTAINS(text, "2 passed, 3 failed, 1 broken, 1 skipped, 1 not run in 4.20 s, seed 42\n");
    free(text);
}

QZ_TEST(terminal_is_not_steered) // What a script printed reaches no terminal as it is; colours are asked for.
{
    char *without = form(plain);
    char *with = form(coloured);
    CU_ASSERT_PTR_NULL(strchr(without, '\x1b'));
    CU_ASSERT(count_of(with, "\x1b") > 10);
    CU_ASSERT_PTR_NULL(strstr(with, "\x1b[31m \xff"));
    CHECK_CONTAINS(without, "\\x1b[31m \\xff");
    CU_ASSERT(is_utf8(with));
    free(without);
    free(with);
}

QZ_TEST(terminal_cuts_long_values) // Of a value of many lines only the first are shown, and the rest is counted.
{
    struct report report = report_cases();
    char many[301];
    for (size_t i = 0; i < 300; i += 3)
        memcpy(many + i, "ab\n", 4);
    findings_add(&report.cases[CASE_CRASHED].findings, 0, SIZE_MAX, "short", many, "too much");
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    report_terminal(&report, out, false);
    fclose(out);
    CHECK_CONTAINS(text, "    seen     ab\n             ab\n");
    CHECK_CONTAINS(text, "             … and 88 more lines\n");
    free(text);
    report_free(&report);
}

/* A report with a case for each variant, all failed with what `wrong` says of it, in the worlds by turns. */
static char *terminal_of(const char *const *variants, const char *const *wrong, size_t count)
{
    static const struct world worlds[] = {{.name = "virtual"}, {.name = "fake"}};
    struct scenario scenarios[16];
    struct report_case cases[16];
    const struct report report = {.cases = cases, .count = count, .program = (char *)"sim", .options = (char *)""};
    for (size_t i = 0; i < count; i++) {
        scenarios[i] = (struct scenario){
            .file = "s/a.json", .name = "a", .variant = variants[i], .description = "A rule."};
        cases[i] = (struct report_case){.scenario = &scenarios[i], .world = &worlds[i % 2], .verdict = VERDICT_FAILED};
        findings_add(&cases[i].findings, 0, SIZE_MAX, "0", wrong[i], "the exit status");
    }
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    report_terminal(&report, out, false);
    fclose(out);
    for (size_t i = 0; i < count; i++)
        findings_free(&cases[i].findings);
    return text;
}

QZ_TEST(failures_that_are_alike_are_told_once) // In each world; the first one can be repeated, the others are named.
{
    static const char *const variants[] = {"n=1", "n=1", "n=2", "n=2", "n=3", "n=3"};
    static const char *const wrong[] = {"10", "10", "20", "10", "10", "10"};
    char *text = terminal_of(variants, wrong, 6);
    CHECK_INT(count_of(text, "FAILED"), 3);
    CHECK_INT(count_of(text, "  repeat: "), 3);
    CHECK_CONTAINS(text, "FAILED  virtual  a:n=1  (0 µs)\n  A rule.\n  s/a.json\n  and 1 more alike\n    a:n=3\n"
                         "  the exit status\n    expected 0\n    seen     10\n");
    CHECK_CONTAINS(text, "FAILED  fake     a:n=1  (0 µs)\n  A rule.\n  s/a.json\n"
                         "  and 2 more alike\n    a:n=2\n    a:n=3\n");
    CHECK_CONTAINS(text, "FAILED  virtual  a:n=2  (0 µs)\n  A rule.\n  s/a.json\n  the exit status\n");
    CHECK_CONTAINS(text, "--filter a:n=1 s/a.json\n");
    CHECK_CONTAINS(text, "0 passed, 6 failed in ");
    free(text);
}

QZ_TEST(of_many_that_fail_alike_some_are_named) // The rest is counted, and none is told twice.
{
    static const char *const variants[] = {"n=0", "", "n=1", "", "n=2", "", "n=3", "", "n=4", "", "n=5", "", "n=6", "",
                                           "n=7", ""};
    static const char *const wrong[] = {"10", "0", "10", "1", "10", "2", "10", "3", "10", "4", "10", "5", "10", "6",
                                        "10", "7"};
    char *text = terminal_of(variants, wrong, 16);
    CHECK_INT(count_of(text, "FAILED"), 9);
    CHECK_CONTAINS(text, "  and 7 more alike\n    a:n=1\n    a:n=2\n    a:n=3\n    a:n=4\n    a:n=5\n"
                         "    … and 2 others\n");
    free(text);
}

QZ_TEST(crashes_are_counted_by_kind) // A row for snapshots, one for crashes at flushes, one for those between.
{
    const struct scenario_volume volumes[] = {{.mount = "/plain"}, {.mount = "/data", .recorded = true}};
    const struct scenario scenario = {.name = "a/b", .variant = "", .volumes = volumes, .volume_count = 2};
    struct outcome_snapshot snapshots[] = {{"/plain", true, true, true, 9, 9}, {"/data", true, true, true, 0, 0}};
    struct outcome_crash crashes[] = {{"/data", true, 1, true, true, 0, 0}, {"/data", false, 2, true, true, 12, 1},
                                      {"/data", false, 3, true, false, 3, 0}, {"/data", false, 4, false, false, -1, -1}};
    struct report_case it = {.scenario = &scenario,
                             .outcome = {.snapshots = snapshots, .snapshot_count = 2, .crashes = crashes, .crash_count = 4}};
    const struct report report = {.cases = &it, .count = 1};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    report_crashes(&report, out);
    fclose(out);
    CHECK_CONTAINS(text, "a/b, /data, claimed: nothing\n");
    CHECK_CONTAINS(text, "  the snapshot                 1       1       1         0         0         0\n");
    CHECK_CONTAINS(text, "  crashes at flushes           1       1       1         0         0         0\n");
    CHECK_CONTAINS(text, "  crashes between them         3       2       1         2        12         1\n");
    CU_ASSERT_PTR_NULL(strstr(text, "/plain"));
    free(text);
}

QZ_TEST(progress_stays_on_one_line) // The line of progress is never longer than the terminal is wide.
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    report_progress(out, 31, 7, 120, 2, "loop runner/äöüäöüäöüäöüäöüäöü");
    fclose(out);
    CHECK_STRING(text, "\r\033[K[7/120] 2 failed  loop runner/");
    free(text);
    out = open_memstream(&text, &size);
    report_progress(out, 41, 7, 120, 2, "loop runner/äöüäöüäöüäöüäöüäöü");
    fclose(out);
    CHECK_STRING(text, "\r\033[K[7/120] 2 failed  loop runner/äöüäöüäöüä");
    free(text);
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

QZ_TEST(repeating_names_one_case) // The pattern that repeats a case matches its name, and not those it looks like.
{
    struct report report = report_cases();
    char *command = report_repeat(&report, &report.cases[CASE_KILLED]);
    char *pattern = strstr(command, "--filter '") + strlen("--filter '");
    pattern[strcspn(pattern, "'")] = '\0';
    CHECK_INT(fnmatch(pattern, "guardian/killed:signal=KILL,type=a*[b]", 0), 0);
    CHECK_INT(fnmatch(pattern, "guardian/killed:signal=KILL,type=axb", 0), FNM_NOMATCH);
    free(command);
    command = report_repeat(&report, &report.cases[CASE_PASSED]);
    CHECK_STRING(command, "cd '/srv/a house' && build/run/sim/quiesce-sim run --binary build/run/core/quiesce "
                          "--world virtual --seed 42 scenarios/freeze/two-volumes.json");
    free(command);
    report_free(&report);
}

/* ---- The page --------------------------------------------------------------------------------------------------- */

QZ_TEST(page_needs_nothing_beside_it) // The page loads nothing, and no string of a case is markup.
{
    char *text = form(report_html);
    CU_ASSERT(strncmp(text, "<!DOCTYPE html>", 15) == 0);
    CHECK_INT(count_of(text, "<script"), 3);
    CHECK_INT(count_of(text, "</script"), 3);
    CHECK_CONTAINS(text, "default-src 'none'");
    CHECK_INT(count_of(text, "src=\""), 0);
    CHECK_INT(count_of(text, "url("), count_of(text, "url(#")); /* patterns of its own */
    CHECK_INT(count_of(text, "@import"), 0);
    CHECK_INT(count_of(text, "@DATA@"), 0);
    CHECK_CONTAINS(text, "\"name\":\"guardian/killed\"");
    CU_ASSERT(is_utf8(text));
    free(text);
}
