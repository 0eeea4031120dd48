/* Memory runs out, at every piece that agent and guardian ask for in turn: what oracle.h demands is true all the
 * same. */
#include <stdio.h>
#include <string.h>

#include "freezes.h"
#include "judged.h"

#define HOLD_LIMIT_US (60 * RUN_SECOND)

/* Two plugins, so that their scripts stand side by side, one of them with what takes memory: parameters, a retry. */
static struct run *machine(void)
{
    struct run *run = run_new(2);
    run_config(run, "\"preScriptParams\": [\"a\", \"b\"], \"preScriptNoOfRetries\": 1");
    RUN_SCRIPT(run, RUN_PRE, {.status = 1, .out = "no\n"}, {.status = 0});
    return run;
}

/* What must be true. Where memory is too short for the result itself, a line on the log and exit status 70 stand for
 * it; where it is too short to start the post-script, the result says so. */
static const char *judge(struct run *run)
{
    struct oracle_terms terms = {.hold_limit_us = HOLD_LIMIT_US, .no_result = !run->json && run->status != -1};
    const char *broken = judged(run, &terms, JUDGED_BY_THAW);
    if (terms.no_result && (run->status != QZ_EXIT_SOFTWARE || !strstr(run->log, "memory")))
        return "neither a result nor a word of why there is none";
    const char *post = strstr(run->output, "\"phase\":\"post\"");
    if (broken && post && strstr(post, "could not be started: Cannot allocate memory"))
        return strcmp(broken, "a pre-script was started, and no post-script") == 0 ? NULL : broken;
    return broken;
}

static void starve(enum virtual_role role, int ordinal, const char *words)
{
    bool refused = true;
    unsigned nth = 0;
    while (refused) {
        nth++;
        struct run *run = machine();
        virtual_starve(run->world, role, ordinal, nth);
        run_quiesce(run, words);
        refused = virtual_asked_for(run->world, role, ordinal) >= nth;
        const char *broken = judge(run);
        if (broken) {
            fprintf(stderr, "%s#%d without its piece %u of memory: %s\n%s%s", role == VIRTUAL_AGENT ? "agent" : "guardian",
                    ordinal, nth, broken, run->output, run->log);
            CU_FAIL("every invariant holds");
        }
        run_free(run);
    }
    CU_ASSERT(role == VIRTUAL_GUARDIAN || nth > 50);
}

QZ_TEST(memory_runs_out_in_the_agent) // nothing stays frozen, no post-script is owed, no more is claimed than is true
{
    starve(VIRTUAL_AGENT, 1, RUN_JSON);
}

QZ_TEST(memory_runs_out_in_a_guardian) // the first one, and that of the freeze
{
    for (int ordinal = 1; ordinal <= 2; ordinal++)
        starve(VIRTUAL_GUARDIAN, ordinal, RUN_JSON);
}

QZ_TEST(memory_runs_out_in_every_other_command) // each ends by itself and leaves nothing
{
    static const char *const commands[] = {
        "check",  "check --format json", "freeze --hold 1", "freeze --hold 1 --format json", "run --hold 1 --report /run/r",
        "status", "status --format json", "thaw",           "errors",                        "init --dir /etc/other",
        "freeze --hold 1 --volume /data1 --exclude /data2",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        bool refused = true;
        for (unsigned nth = 1; refused; nth++) {
            struct run *run = machine();
            virtual_starve(run->world, VIRTUAL_AGENT, 1, nth);
            run_quiesce(run, commands[i]);
            refused = virtual_asked_for(run->world, VIRTUAL_AGENT, 1) >= nth;
            CHECK_INT(run->end, VIRTUAL_OVER);
            CU_ASSERT(run->status >= 0);
            freezes_check_left_nothing(run, false);
            run_free(run);
        }
    }
}
