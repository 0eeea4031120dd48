#include "report_cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct world VIRTUAL = {.name = "virtual", .bit = SCENARIO_VIRTUAL};
static const struct world FAKE = {.name = "fake", .bit = SCENARIO_FAKE};
static const struct world LOOP = {.name = "loop", .bit = SCENARIO_LOOP};

#define HOSTILE "</script><b>]]>&\"'\x01\x1b[31m \xff\xfe \\ # tail"

static const char *const TAGS[] = {"freeze", "peers"};
static const char *const RUN[] = {"run", "--volume", "/data", "--", "snapshot", NULL};
static const char *const THAW[] = {"thaw", NULL};
static const struct scenario_step STEPS[] = {{.argv = RUN, .argc = 5, .root = true},
                                             {.argv = THAW, .argc = 1, .root = true}};
static const char *const BEGIN[] = {"begin", NULL};
static const char *const END[] = {"end", NULL};
static const struct scenario_step HALVES[] = {{.argv = BEGIN, .argc = 1, .root = true},
                                              {.argv = END, .argc = 1, .root = true}};

/* Name, variant, rule. */
static const char *const RULES[REPORT_CASES][3] = {
    [CASE_PASSED] = {"freeze/two-volumes", "", "Two volumes are frozen side by side and thawed in the reverse order."},
    [CASE_KILLED] = {"guardian/killed", "signal=KILL,type=a*[b]", "An agent that is killed leaves nothing frozen."},
    [CASE_HOSTILE] = {"runner/hostile", HOSTILE, "Whatever a script prints does no harm: " HOSTILE},
    [CASE_LONG] = {"timeouts/half-an-hour", "", "A script may take as long as its config allows."},
    [CASE_SKIPPED] = {"freeze/two-volumes", "", "Two volumes are frozen side by side and thawed in the reverse order."},
    [CASE_BROKEN] = {"guardian/killed", "signal=TERM,type=xfs", "An agent that is killed leaves nothing frozen."},
    [CASE_CRASHED] = {"runner/retries", "exit=3", "A failing script is started again as often as the config says."},
    [CASE_NOT_RUN] = {"runner/retries", "exit=3", "A failing script is started again as often as the config says."},
};

static const struct scenario *scenario_of(int index)
{
    static struct scenario scenarios[REPORT_CASES];
    static char files[REPORT_CASES][64];
    snprintf(files[index], sizeof files[index], "scenarios/%s.json", RULES[index][0]);
    scenarios[index] = (struct scenario){.file = files[index], .name = RULES[index][0], .variant = RULES[index][1],
                                         .description = RULES[index][2], .tags = TAGS, .tag_count = 2,
                                         .worlds = SCENARIO_WORLDS, .step_count = 2,
                                         .steps = index == CASE_LONG ? HALVES : STEPS};
    return &scenarios[index];
}

/* ---- Traces ----------------------------------------------------------------------------------------------------- */

static void add(struct trace *trace, int64_t at_us, struct trace_event event)
{
    event.at_us = at_us;
    event.disk_writes = -1;
    trace_add(trace, &event);
}

static void add_operation(struct trace *trace, int64_t at_us, enum trace_op op, const char *volume, int64_t took_us,
                          int error)
{
    add(trace, at_us, (struct trace_event){.what = TRACE_BEGINS, .op = op, .volume = volume});
    add(trace, at_us + took_us, (struct trace_event){.what = TRACE_DONE, .op = op, .volume = volume, .value = error});
}

static void add_script(struct trace *trace, enum trace_role role, int64_t at_us, int64_t took_us, int attempt,
                       int status)
{
    const char *plugin = role == TRACE_SNAPSHOT ? NULL : "ScriptRunner";
    add(trace, at_us, (struct trace_event){.role = role, .what = TRACE_STARTS, .plugin = plugin, .ordinal = attempt});
    add(trace, at_us + took_us,
        (struct trace_event){.role = role, .what = TRACE_EXITS, .plugin = plugin, .ordinal = attempt, .value = status});
}

static void add_start(struct trace *trace, int64_t at_us, int step)
{
    add(trace, at_us,
        (struct trace_event){.role = TRACE_AGENT, .what = TRACE_STARTS, .ordinal = step + 1, .step = step});
}

static void add_exit(struct trace *trace, int64_t at_us, int step)
{
    add(trace, at_us,
        (struct trace_event){.role = TRACE_AGENT, .what = TRACE_EXITS, .ordinal = step + 1, .step = step});
}

static void trace_passed(struct trace *trace)
{
    add_start(trace, 0, 0);
    add_script(trace, TRACE_PRE, 1500, 21000, 1, 1);
    add_script(trace, TRACE_PRE, 24000, 18000, 2, 0);
    add(trace, 43000, (struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_STARTS, .ordinal = 1});
    add_operation(trace, 44000, TRACE_SYNC, "/data", 9000, 0);
    add_operation(trace, 44100, TRACE_SYNC, "/srv/database", 12000, 0);
    add_operation(trace, 57000, TRACE_FREEZE, "/data", 2400, 0);
    add_operation(trace, 57100, TRACE_FREEZE, "/srv/database", 3100, 0);
    add_script(trace, TRACE_SNAPSHOT, 61000, 24000, 1, 0);
    add_operation(trace, 86000, TRACE_THAW, "/srv/database", 300, 0);
    add_operation(trace, 86100, TRACE_THAW, "/data", 250, 0);
    add(trace, 86500,
        (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = "writer of /data waited 28.6 ms"});
    add(trace, 87000, (struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_EXITS, .ordinal = 1});
    add_script(trace, TRACE_POST, 88000, 15000, 1, 0);
    add_exit(trace, 105000, 0);
}

static void trace_killed(struct trace *trace)
{
    add_start(trace, 0, 0);
    add_script(trace, TRACE_PRE, 900, 4000, 1, 0);
    add(trace, 5200, (struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_STARTS, .ordinal = 1});
    add_operation(trace, 5400, TRACE_SYNC, "/data", 800, 0);
    add_operation(trace, 6300, TRACE_FREEZE, "/data", 1200, 0);
    add_operation(trace, 7600, TRACE_FREEZE, "/srv", 400, EIO);
    add(trace, 8100,
        (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .value = 9, .target = TRACE_AGENT});
    add(trace, 8200, (struct trace_event){.role = TRACE_AGENT, .what = TRACE_DIES, .value = 9, .ordinal = 1});
    add(trace, 15000, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = "the end"});
}

static void trace_long(struct trace *trace)
{
    add_start(trace, 0, 0);
    add(trace, 700,
        (struct trace_event){.role = TRACE_OTHER, .what = TRACE_DONE, .op = TRACE_FREEZE, .volume = "/data"});
    add(trace, 1000,
        (struct trace_event){.role = TRACE_PRE, .what = TRACE_STARTS, .plugin = "ScriptRunner", .ordinal = 1});
    add(trace, 1500, (struct trace_event){.role = TRACE_LEFTOVER, .target = TRACE_PRE, .what = TRACE_STARTS,
                                          .plugin = "ScriptRunner", .ordinal = 1});
    add(trace, INT64_C(1800001000), (struct trace_event){.role = TRACE_PRE, .what = TRACE_DIES, .value = 15,
                                                         .plugin = "ScriptRunner", .ordinal = 1});
    add_operation(trace, INT64_C(1800002000), TRACE_FREEZE, "/data", 300, EBUSY);
    add_exit(trace, INT64_C(1800010000), 0);
    add_start(trace, INT64_C(1800020000), 1);
    add_exit(trace, INT64_C(1800025000), 1);
}

/* ---- Cases ------------------------------------------------------------------------------------------------------ */

static void add_steps(struct report_case *it, size_t count, const char *err, const char *result)
{
    it->outcome.steps = calloc(count, sizeof *it->outcome.steps);
    it->outcome.step_count = count;
    for (size_t i = 0; i < count; i++) {
        it->outcome.steps[i].exit = 0;
        it->outcome.steps[i].out = strdup(i == 0 ? result : "");
        it->outcome.steps[i].err = strdup(err);
        it->outcome.steps[i].result = i == 0 ? cJSON_Parse(result) : NULL;
    }
}

static void fill_failed(struct report_case *cases)
{
    struct report_case *killed = &cases[CASE_KILLED];
    trace_killed(&killed->outcome.trace);
    add_steps(killed, 1, "quiesce: freezing /data\n", "{\"code\":\"FsFreezeFailed\",\"phases\":[]}");
    killed->outcome.steps[0].exit = -1;
    killed->outcome.steps[0].signal = 9;
    findings_add(&killed->findings, 1, 9, "thawed", "frozen", "/data is still frozen at the end");
    findings_add(&killed->findings, 0, SIZE_MAX, "20", "died by SIGKILL", "the exit status");
    struct report_case *hostile = &cases[CASE_HOSTILE];
    trace_passed(&hostile->outcome.trace);
    add(&hostile->outcome.trace, 106000,
        (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = HOSTILE});
    add_steps(hostile, 1, HOSTILE "\nsecond line\n", "{\"code\":\"</script><i>\"}");
    findings_add(&hostile->findings, 0, 3, HOSTILE, HOSTILE "\n" HOSTILE, "what is wrong: %s", HOSTILE);
    hostile->noise = strdup(HOSTILE);
    struct report_case *crashed = &cases[CASE_CRASHED];
    findings_add(&crashed->findings, 0, SIZE_MAX, NULL, NULL, "the player died by SIGSEGV");
    char wide[400];
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    findings_add(&crashed->findings, 2, SIZE_MAX, wide,
                 "a line as long as any that has blanks in it, to be broken in two or three on a small screen", "%s",
                 wide);
    crashed->noise = strdup("==1==ERROR: AddressSanitizer: SEGV\n    #0 0x1 in play\n");
}

static void fill_others(struct report_case *cases)
{
    struct report_case *passed = &cases[CASE_PASSED];
    trace_passed(&passed->outcome.trace);
    passed->outcome.longest_stall_us = 28600;
    add_steps(passed, 1, "",
              "{\"code\":\"Success\",\"consistency\":\"application\",\"phases\":["
              "{\"name\":\"check\",\"start_us\":0,\"duration_us\":1200},{\"name\":\"pre\",\"start_us\":1300,\"duration_"
              "us\":41000},"
              "{\"name\":\"freeze\",\"start_us\":43000,\"duration_us\":17500},"
              "{\"name\":\"snapshot\",\"start_us\":60800,\"duration_us\":24500},{\"name\":\"thaw\",\"start_us\":85500,"
              "\"duration_us\":1500},{\"name\":\"post\",\"start_us\":87500,\"duration_us\":16000}]}");
    trace_long(&cases[CASE_LONG].outcome.trace);
    struct report_case *halves = &cases[CASE_LONG];
    add_steps(halves, 2, "", "{\"code\":\"Pre-ScriptTimeout\",\"phases\":[]}");
    halves->outcome.steps[1].result = cJSON_Parse(
        "{\"command\":\"begin\",\"phases\":[{\"name\":\"pre\",\"start_us\":900,\"duration_us\":1800000100}]}");
    cases[CASE_SKIPPED].why = strdup("not root");
    cases[CASE_BROKEN].why = strdup("no free loop device: /dev/loop-control: Permission denied");
}

struct report report_cases(void)
{
    static const struct {
        const struct world *world;
        enum verdict verdict;
        int repetition;
    } KINDS[REPORT_CASES] = {
        [CASE_PASSED] = {&VIRTUAL, VERDICT_PASSED, 0},  [CASE_KILLED] = {&FAKE, VERDICT_FAILED, 0},
        [CASE_HOSTILE] = {&VIRTUAL, VERDICT_FAILED, 0}, [CASE_LONG] = {&VIRTUAL, VERDICT_PASSED, 0},
        [CASE_SKIPPED] = {&LOOP, VERDICT_SKIPPED, 0},   [CASE_BROKEN] = {&LOOP, VERDICT_BROKEN, 0},
        [CASE_CRASHED] = {&FAKE, VERDICT_FAILED, 0},    [CASE_NOT_RUN] = {&LOOP, VERDICT_NOT_RUN, 1},
    };
    struct report report = {.cases = calloc(REPORT_CASES, sizeof *report.cases),
                            .count = REPORT_CASES,
                            .seed = 42,
                            .started = 1700000000,
                            .duration_us = 4200000,
                            .folder = strdup("/srv/a house"),
            .program = strdup("build/run/sim/quiesce-sim"),
                            .options = strdup("--binary build/run/core/quiesce"),
                            .command = strdup("build/run/sim/quiesce-sim run --seed 42 scenarios"),
                            .interrupted = 15};
    for (int i = 0; i < REPORT_CASES; i++) {
        struct report_case *it = &report.cases[i];
        it->scenario = scenario_of(i);
        it->world = KINDS[i].world;
        it->verdict = KINDS[i].verdict;
        it->repetition = KINDS[i].repetition;
        it->start_us = i * 1000;
        it->duration_us = 1234567 >> i;
    }
    fill_failed(report.cases);
    fill_others(report.cases);
    return report;
}
