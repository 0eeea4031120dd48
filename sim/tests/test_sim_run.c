/* `quiesce-sim run`: what comes of scenarios, and of those who play them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "house.h"

/* ---- What comes of scenarios ------------------------------------------------------------------------------------ */

QZ_TEST(all_passed_is_0) // Scenarios that do what they should give exit status 0, and the seed is told.
{
    house_enter();
    house_scenario("a/one", "");
    house_scenario("b/two", "");
    CHECK_INT(house_run(BOTH, REAL "--seed 42"), 0);
    CHECK_CONTAINS(house.out, "playing 4 cases, seed 42\n");
    CHECK_CONTAINS(house.out, "4 passed in ");
    CHECK_INT(house.shared->played, 4);
    CHECK_INT(house_run(BOTH, REAL "scenarios/a/one.json scenarios/a"), 0);
    CHECK_CONTAINS(house.out, "2 passed in "); /* one file, reached twice */
    house_leave();
}

QZ_TEST(a_failure_is_1_and_can_be_repeated) // A failure shows expected and seen, and how to play it again.
{
    house_enter();
    house_scenario("a/good", "");
    house_scenario("a/fail", ", \"matrix\": {\"n\": [1, 12]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    CHECK_INT(house_run(BOTH, REAL "--seed 9"), 1);
    CHECK_CONTAINS(house.out, "FAILED  virtual  a/fail:n=1  (");
    CHECK_CONTAINS(house.out, "  the exit status\n    expected 0\n    seen     20\n");
    CHECK_CONTAINS(house.out, "agent exits 20\n");
    CHECK_CONTAINS(house.out, "quiesce: a line of its log\n");
    CHECK_CONTAINS(house.out, "2 passed, 4 failed in ");
    char here[256], begin[300];
    snprintf(begin, sizeof begin, "repeat: cd %s && ", getcwd(here, sizeof here));
    char *repeat = strstr(house.out, begin);
    char *words = repeat ? strstr(repeat, " run ") : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(words);
    words = strndup(words + 5, strcspn(words + 5, "\n"));
    CHECK_CONTAINS(words, "--binary /bin/true --world virtual --seed 9 --filter a/fail:n=1 scenarios/a/fail.json");
    CHECK_INT(house_run(BOTH, words), 1);
    CHECK_CONTAINS(house.out, "playing 1 case, seed 9\n");
    free(words);
    house_leave();
}

static void check_crash(const struct world *const *worlds, const char *name)
{
    char head[64];
    house_scenario("a/first", "");
    house_scenario("b/crash", "");
    house_scenario("b/leave", "");
    house_scenario("c/last", "");
    CHECK_INT(house_run(worlds, REAL "--jobs 1"), 1);
    snprintf(head, sizeof head, "FAILED  %-7s  b/crash  (", name);
    CHECK_CONTAINS(house.out, head);
    CHECK_CONTAINS(house.out, "  the player died by SIGKILL\n");
    CHECK_CONTAINS(house.out, "  standard error of the player\n    its last words\n");
    CHECK_CONTAINS(house.out, "  the player ended with status 7\n");
    CHECK_CONTAINS(house.out, "2 passed, 2 failed in ");
    CHECK_INT(house.shared->played, 4);
}

QZ_TEST(a_crash_fails_one_case_virtual) // A player that dies fails the case it was at; the rest is played.
{
    house_enter();
    check_crash(ONLY_VIRTUAL, "virtual");
    house_leave();
}

QZ_TEST(a_crash_fails_one_case_real) // The same where each case has a player of its own.
{
    house_enter();
    check_crash(ONLY_LOOP, "loop");
    house_leave();
}

static void check_hang(const struct world *const *worlds)
{
    house_scenario("a/hang", "");
    house_scenario("b/good", "");
    CHECK_INT(house_run(worlds, REAL "--jobs 1 --timeout 0.2"), 1);
    CHECK_CONTAINS(house.out, "  it ran out of time\n    expected the end within 0.2 s\n    seen     still playing\n");
    CHECK_CONTAINS(house.out, "1 passed, 1 failed in ");
    CHECK_INT(kill(house.shared->pid, 0), -1);
    CHECK_CONTAINS(house.out, "--timeout 0.2 --world");
}

QZ_TEST(a_hang_fails_one_case_virtual) // A case that takes longer than it may is ended and fails; the rest is played.
{
    house_enter();
    check_hang(ONLY_VIRTUAL);
    house_leave();
}

QZ_TEST(a_hang_fails_one_case_real) // The same where each case has a player of its own.
{
    house_enter();
    check_hang(ONLY_LOOP);
    house_leave();
}

QZ_TEST(a_broken_world_is_3) // A world that does not work says why, and nothing is said of the scenario.
{
    house_enter();
    house_scenario("a/broken", "");
    house_scenario("a/good", "");
    CHECK_INT(house_run(ONLY_LOOP, REAL), 3);
    CHECK_CONTAINS(house.out, "BROKEN  loop     a/broken  (");
    CHECK_CONTAINS(house.out, "  no loop device is free\n");
    CHECK_CONTAINS(house.out, "1 passed, 1 broken in ");
    house_scenario("a/fail", "");
    CHECK_INT(house_run(ONLY_LOOP, REAL), 1);
    house_leave();
}

QZ_TEST(what_the_machine_lacks_is_skipped) // Skipped is what this machine cannot play; under CI=true that is a failure.
{
    house_enter();
    house_scenario("a/good", "");
    house_scenario("b/picky", ", \"needs\": [\"program:no-such-program\"]");
    CHECK_INT(house_run(ONLY_LOOP, REAL), 0);
    CHECK_CONTAINS(house.out, "skipped 1 in the world loop: no program no-such-program\n1 passed, 1 skipped in ");
    house.lacks = "not root";
    CHECK_INT(house_run(BOTH, ""), 0); /* and needs no binary */
    CHECK_CONTAINS(house.out, "skipped 2 in the world loop: not root\n1 passed, 2 skipped in ");
    setenv("CI", "true", 1);
    CHECK_INT(house_run(BOTH, ""), 3);
    CHECK_CONTAINS(house.out, "cannot be skipped under CI=true: not root\n");
    house_leave();
}

QZ_TEST(what_cannot_be_is_not_played) // What a world cannot play by its nature is not played there, CI or not.
{
    house_enter();
    house_scenario("a/not-there", "");
    house_scenario("a/good", ", \"worlds\": [\"virtual\"]");
    setenv("CI", "true", 1);
    CHECK_INT(house_run(BOTH, ""), 0);
    CHECK_CONTAINS(house.out, "1 passed in ");
    CHECK_INT(house_run(ONLY_LOOP, ""), 2);
    CHECK_CONTAINS(house.err, "none of these 2 can be played in the world loop: ");
    house_leave();
}

QZ_TEST(worlds_must_agree) // Two worlds that play the same scenario must come to the same.
{
    house_enter();
    house_scenario("a/good", "");
    house.loop_exits = 11;
    CHECK_INT(house_run(BOTH, REAL), 1);
    CHECK_CONTAINS(house.out, "the exit status of command 1\n    expected the same in both worlds\n"
                              "    seen     virtual: 0\n             loop: 11\n");
    CHECK_CONTAINS(house.out, "--world virtual --world loop --seed ");
    CHECK_CONTAINS(house.out, "1 passed, 1 failed in ");
    house_leave();
}

QZ_TEST(the_same_seed_goes_the_same_way) // A virtual world that takes another way with the same seed fails.
{
    house_enter();
    house_scenario("a/good", "");
    CHECK_INT(house_run(ONLY_VIRTUAL, "--repeat 50 --jobs 2"), 0);
    CHECK_CONTAINS(house.out, "50 passed in ");
    house_scenario("a/moody", "");
    CHECK_INT(house_run(ONLY_VIRTUAL, "--repeat 4 --jobs 1 scenarios/a/moody.json"), 1);
    CHECK_CONTAINS(house.out, "FAILED  virtual  a/moody #2  (");
    CHECK_CONTAINS(house.out, "  repeated with the same seed it went another way\n");
    CHECK_CONTAINS(house.out, "2 passed, 2 failed in ");
    house_leave();
}

QZ_TEST(the_seed_reaches_the_worlds) // Worlds are given the seed that was asked for.
{
    house_enter();
    house_scenario("a/seven", "");
    house_write("scenarios/a/seven.json",
                "{\"description\": \"Seven.\", \"expect\": {\"exit\": 0, \"never\": [\"mount over *\"]}}");
    CHECK_INT(house_run(ONLY_VIRTUAL, "--seed 7"), 0);
    CHECK_INT(house_run(ONLY_VIRTUAL, "--seed 8"), 1);
    house_leave();
}

QZ_TEST(jobs_play_side_by_side) // No more players at a time than --jobs says, and no fewer.
{
    house_enter();
    house_scenario(
        "a/meet",
        ", \"matrix\": {\"n\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    CHECK_INT(house_run(ONLY_LOOP, REAL "--jobs 3"), 0);
    CHECK_INT(house.shared->most, 3);
    house_leave();
}

/* ---- Being interrupted ------------------------------------------------------------------------------------------ */

static void check_interrupted(const struct world *const *worlds, int signal_number)
{
    house.shared->pid = 0;
    pid_t pid = house_start(worlds, REAL "--jobs 1 --tap");
    for (int i = 0; i < 1000 && house.shared->pid == 0; i++)
        house_wait_ms(10);
    kill(pid, signal_number);
    CHECK_INT(house_finish(pid), 128 + signal_number);
    CHECK_CONTAINS(house.out, "\nok 1 - ");
    CHECK_CONTAINS(house.out, "b/hang # SKIP interrupted before its turn\n");
    CHECK_CONTAINS(house.out, "c/late # SKIP interrupted before its turn\n");
    CHECK_CONTAINS(house.out, "\nBail out! SIG");
    CHECK_INT(kill(house.shared->pid, 0), -1);
    CHECK_INT(errno, ESRCH);
}

QZ_TEST(interrupted_in_good_order) // A signal ends every player; what ran is told; the exit status names it.
{
    house_enter();
    house_scenario("a/good", "");
    house_scenario("b/hang", "");
    house_scenario("c/late", "");
    check_interrupted(ONLY_VIRTUAL, SIGINT);
    check_interrupted(ONLY_LOOP, SIGTERM);
    house_leave();
}

/* ---- The wire --------------------------------------------------------------------------------------------------- */

QZ_TEST(the_wire_loses_nothing) // What a player tells of a case arrives whole.
{
    struct report_case told = {.why = (char *)"because", .outcome = {.longest_stall_us = 1234}};
    struct trace_event event = {INT64_C(1800000000123),
                                2,
                                TRACE_LEFTOVER,
                                TRACE_DIES,
                                TRACE_FREEZE,
                                3,
                                -5,
                                TRACE_POST,
                                "plugin \"1\"",
                                "/da\nta",
                                "text\x01",
                                INT64_C(123456789012345)};
    struct outcome_step steps[2] = {{.exit = -1, .signal = 9, .out = (char *)"out \xff", .err = (char *)"err"},
                                    {.exit = 10}};
    steps[0].result =
        cJSON_Parse("{\"code\":\"Success\",\"phases\":[{\"name\":\"pre\",\"start_us\":3}],\"deep\":{\"a\":[1]}}");
    told.outcome.steps = steps;
    told.outcome.step_count = 2;
    const struct scenario_volume volumes[] = {{.mount = "/a"}, {.mount = "/b"}};
    const struct scenario machine = {.volumes = volumes, .volume_count = 2};
    struct outcome_snapshot snapshot = {"/b", true, false, true, -1, 5};
    struct outcome_crash crashes[] = {{"/a", true, 77, true, true, 3, 0}, {"/b", false, -5, false, false, -1, -1}};
    told.scenario = &machine;
    told.outcome.snapshots = &snapshot;
    told.outcome.snapshot_count = 1;
    told.outcome.crashes = crashes;
    told.outcome.crash_count = 2;
    trace_add(&told.outcome.trace, &event);
    findings_add(&told.findings, 3, 0, "expected", NULL, "what %d", 1);
    findings_add(&told.findings, 0, SIZE_MAX, NULL, "seen", "else");
    char *line = wire_encode(&told, 1, WIRE_ALL);
    CU_ASSERT_PTR_NULL(strchr(line, '\n'));
    struct report report = {.cases = calloc(2, sizeof *report.cases), .count = 2};
    report.cases[1].scenario = &machine;
    CU_ASSERT(wire_decode(&report, line));
    struct report_case *it = &report.cases[1];
    CHECK_STRING(it->why, "because");
    CHECK_INT(it->outcome.snapshot_count, 1);
    CHECK_STRING(it->outcome.snapshots[0].mount, "/b");
    CU_ASSERT(it->outcome.snapshots[0].taken && !it->outcome.snapshots[0].mounts && it->outcome.snapshots[0].clean);
    CHECK_INT(it->outcome.snapshots[0].missing, -1);
    CHECK_INT(it->outcome.snapshots[0].damaged, 5);
    CHECK_INT(it->outcome.crash_count, 2);
    CHECK_STRING(it->outcome.crashes[0].mount, "/a");
    CHECK_INT(it->outcome.crashes[0].at_us, 77);
    CU_ASSERT(it->outcome.crashes[0].at_flush && it->outcome.crashes[0].mounts && it->outcome.crashes[0].clean);
    CHECK_INT(it->outcome.crashes[0].missing, 3);
    CHECK_INT(it->outcome.crashes[1].at_us, -5);
    CU_ASSERT(!it->outcome.crashes[1].at_flush && !it->outcome.crashes[1].mounts);
    CHECK_INT(it->outcome.crashes[1].damaged, -1);
    CHECK_INT(it->outcome.longest_stall_us, 1234);
    CHECK_INT(it->findings.count, 2);
    CHECK_INT(it->findings.items[0].invariant, 3);
    CHECK_INT(it->findings.items[0].event, 0);
    CHECK_STRING(it->findings.items[0].what, "what 1");
    CHECK_STRING(it->findings.items[0].expected, "expected");
    CU_ASSERT_PTR_NULL(it->findings.items[0].seen);
    CU_ASSERT(it->findings.items[1].event == SIZE_MAX);
    CHECK_INT(it->outcome.step_count, 2);
    CHECK_INT(it->outcome.steps[0].exit, -1);
    CHECK_INT(it->outcome.steps[0].signal, 9);
    CHECK_STRING(it->outcome.steps[0].out, "out \xff");
    CHECK_INT(it->outcome.steps[1].exit, 10);
    CU_ASSERT(cJSON_Compare(it->outcome.steps[0].result, steps[0].result, true));
    CU_ASSERT_PTR_NULL(it->outcome.steps[1].result);
    const struct trace_event *seen_event = it->outcome.trace.events;
    CHECK_INT(it->outcome.trace.count, 1);
    CHECK_INT(seen_event->at_us, event.at_us);
    CHECK_INT(seen_event->step, 2);
    CHECK_INT(seen_event->role, TRACE_LEFTOVER);
    CHECK_INT(seen_event->what, TRACE_DIES);
    CHECK_INT(seen_event->op, TRACE_FREEZE);
    CHECK_INT(seen_event->ordinal, 3);
    CHECK_INT(seen_event->value, -5);
    CHECK_INT(seen_event->target, TRACE_POST);
    CHECK_STRING(seen_event->plugin, event.plugin);
    CHECK_STRING(seen_event->volume, event.volume);
    CHECK_STRING(seen_event->text, event.text);
    CHECK_INT(seen_event->disk_writes, event.disk_writes);
    CU_ASSERT(!wire_decode(&report, "{\"case\":2}"));
    CU_ASSERT(!wire_decode(&report, "nonsense"));
    free(line);
    report_free(&report);
    findings_free(&told.findings);
    trace_free(&told.outcome.trace);
    cJSON_Delete(steps[0].result);
}

QZ_TEST(agreement_needs_little) // What is told of a case that passed is enough to compare it, and no more.
{
    struct report_case told = {.outcome = {.step_count = 1}};
    struct outcome_step step = {.exit = 10, .out = (char *)"long"};
    step.result = cJSON_Parse("{\"code\":\"Success\",\"consistency\":\"application\",\"scripts\":[1,2,3],"
                              "\"phases\":[{\"name\":\"pre\",\"start_us\":3},{\"name\":\"post\"}]}");
    told.outcome.steps = &step;
    house_note(&told.outcome.trace, "x");
    char *line = wire_encode(&told, 0, WIRE_STEPS);
    CHECK_STRING(
        line,
        "{\"case\":0,\"stall\":0,\"steps\":[[10,0,null,null,{\"consistency\":\"application\",\"code\":\"Success\","
        "\"phases\":[{\"name\":\"pre\"},{\"name\":\"post\"}]}]]}");
    free(line);
    cJSON_Delete(step.result);
    trace_free(&told.outcome.trace);
}
