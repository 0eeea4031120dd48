/* `quiesce-sim run`: what it writes, golden traces and what it keeps among it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "house.h"

QZ_TEST(reports_are_written) // --tap, --junit, --html and --json give the forms they name, traces of all included.
{
    house_enter();
    house_scenario("a/good", "");
    house_scenario("a/fail", "");
    CHECK_INT(house_run(ONLY_VIRTUAL, "--tap --junit junit.xml --html page.html --json all.json --seed 3"), 1);
    CU_ASSERT(strncmp(house.out, "TAP version 14\n1..2\n# seed 3\n", 29) == 0);
    CHECK_CONTAINS(house.out, "\nok 2 - virtual a/good\n");
    char *junit = house_read("junit.xml");
    char *html = house_read("page.html");
    char *json = house_read("all.json");
    CHECK_CONTAINS(junit, "<testsuites name=\"quiesce-sim\" tests=\"2\" failures=\"1\" errors=\"0\"");
    CHECK_CONTAINS(html, "<!DOCTYPE html>");
    cJSON *root = cJSON_Parse(json);
    cJSON *good = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "cases"), 1);
    CHECK_STRING(cJSON_GetStringValue(cJSON_GetObjectItem(good, "verdict")), "passed");
    CHECK_INT(cJSON_GetArraySize(cJSON_GetObjectItem(good, "trace")), 2);
    CHECK_STRING(
        cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(good, "steps"), 0), "err")),
        "quiesce: a line of its log\n");
    cJSON_Delete(root);
    free(junit);
    free(html);
    free(json);
    CHECK_INT(house_run(ONLY_VIRTUAL, "--html page.html scenarios/a/good.json"), 0);
    html = house_read("page.html");
    CHECK_CONTAINS(html, "\"line\":\"agent starts\"");
    free(html);
    house_leave();
}

QZ_TEST(keep_leaves_a_folder) // --keep leaves each case's folder, with a program that plays it again and what was seen.
{
    house_enter();
    house_scenario("a/fail", "");
    CHECK_INT(house_run(ONLY_LOOP, REAL "--keep --seed 5"), 1);
    CHECK_CONTAINS(house.err, "kept in /var/tmp/quiesce-sim-kept.");
    char *kept = strstr(house.out, "kept: ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
    kept = strndup(kept + 6, strcspn(kept + 6, "\n"));
    char path[300];
    struct stat facts;
    snprintf(path, sizeof path, "%s/repro.sh", kept);
    CHECK_INT(stat(path, &facts), 0);
    CHECK_INT(facts.st_mode & 07777, 0700);
    char *text = house_read(path);
    CHECK_CONTAINS(text, "#!/bin/sh\n");
    CHECK_CONTAINS(text, " run --binary /bin/true --world loop --seed 5 scenarios/a/fail.json \"$@\"\n");
    free(text);
    snprintf(path, sizeof path, "%s/trace.txt", kept);
    text = house_read(path);
    CHECK_CONTAINS(text, "agent exits 20\n");
    free(text);
    *strrchr(kept, '/') = '\0';
    house_remove(kept);
    free(kept);
    house_leave();
}

static void golden(const char *more)
{
    mkdir("scenarios/a", 0755);
    house_write("scenarios/a/golden.json",
                "{\"description\": \"Golden.\", \"expect\": {\"exit\": 0, \"golden\": true}%s}", more);
}

QZ_TEST(golden_traces_are_kept) // A trace that a scenario calls golden must stay as --update has written it.
{
    house_enter();
    golden(", \"matrix\": {\"n\": [1, 2]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    CHECK_INT(house_run(BOTH, REAL), 1);
    CHECK_CONTAINS(house.out, "scenarios/a/golden.golden has no golden trace for it; --update writes one\n");
    CHECK_INT(house_run(BOTH, REAL "--update"), 0);
    char *text = house_read("scenarios/a/golden.golden");
    CHECK_STRING(text, "== n=1: command 1\nagent starts\nas ever\nagent exits 0\n"
                       "== n=2: command 1\nagent starts\nas ever\nagent exits 0\n");
    free(text);
    CHECK_INT(house_run(BOTH, REAL), 0);
    setenv("GOLDEN", "not as ever", 1);
    CHECK_INT(house_run(BOTH, REAL), 1);
    CHECK_CONTAINS(house.out, "  line 2 differs from the golden trace in scenarios/a/golden.golden\n"
                              "    expected as ever\n    seen     not as ever\n");
    CHECK_INT(house_run(ONLY_VIRTUAL, "--update --filter *:n=1"), 0);
    text = house_read("scenarios/a/golden.golden");
    CHECK_STRING(text, "== n=1: command 1\nagent starts\nnot as ever\nagent exits 0\n"
                       "== n=2: command 1\nagent starts\nas ever\nagent exits 0\n");
    free(text);
    house_leave();
}

QZ_TEST(golden_traces_have_no_chance) // Overlapping operations and times make no difference to a golden trace.
{
    house_enter();
    struct scenario_step step = {.expect = {.golden = true}};
    struct scenario given = {.file = "x.json", .name = "x", .variant = "", .steps = &step, .step_count = 1};
    struct outcome_step ended = {.exit = 0};
    struct outcome outcome = {.steps = &ended, .step_count = 1};
    struct findings findings = {NULL, 0, 0};
    house_write("x.golden",
                "== command 1\nfreeze /a begins\nfreeze /a ok\nfreeze /b begins\nfreeze /b ok\nthaw /b begins\n");
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_BEGINS, .op = TRACE_FREEZE, .volume = "/b"});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_BEGINS, .op = TRACE_FREEZE, .volume = "/a"});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_DONE, .op = TRACE_FREEZE, .volume = "/b"});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_DONE, .op = TRACE_FREEZE, .volume = "/a"});
    house_note(&outcome.trace, "writer of /a waited 12.3 ms");
    trace_add(&outcome.trace, &(struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_STARTS});
    trace_add(&outcome.trace, &(struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_EXITS});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_BEGINS, .op = TRACE_THAW, .volume = "/b"});
    golden_judge(&given, &outcome, &findings);
    CHECK_INT(findings.count, 0);
    trace_add(&outcome.trace, &(struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_DIES, .value = SIGKILL});
    golden_judge(&given, &outcome, &findings);
    CHECK_INT(findings.count, 1);
    CHECK_STRING(findings.items[0].expected, "(the end)");
    CHECK_STRING(findings.items[0].seen, "guardian dies KILL");
    findings_free(&findings);
    trace_free(&outcome.trace);
    house_leave();
}
