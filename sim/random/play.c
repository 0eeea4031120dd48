/* play.c: one scenario, played in the virtual world and judged, here or in a process of its own. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "judge.h"
#include "put.h"
#include "random.h"
#include "running.h"

#define PLAY_SECONDS 20 /* a scenario takes less than a millisecond */

/* What two scenarios share in which the same goes wrong. */
static void name_kind(struct random_verdict *verdict, const struct finding *finding)
{
    if (finding->invariant == 0)
        snprintf(verdict->kind, sizeof verdict->kind, "%s", finding->seen ? finding->seen : finding->what);
    else if (finding->invariant == 1)
        snprintf(verdict->kind, sizeof verdict->kind, "invariant 1: %s", finding->seen ? finding->seen : finding->what);
    else
        snprintf(verdict->kind, sizeof verdict->kind, "invariant %d: expected %s, seen %s", finding->invariant,
                 finding->expected ? finding->expected : "-", finding->seen ? finding->seen : "-");
    snprintf(verdict->says, sizeof verdict->says, "%s: expected %s, seen %s", finding->what,
             finding->expected ? finding->expected : "-", finding->seen ? finding->seen : "-");
}

static uint64_t play_once(const struct scenario *scenario, struct random_verdict *verdict)
{
    struct world_settings settings = {.seed = 1};
    struct outcome outcome;
    struct findings findings = {0};
    world_virtual.play(scenario, &settings, &outcome);
    judge_invariants(scenario, &outcome, &findings);
    judge_expectations(scenario, &outcome, &findings);
    if (findings.count > 0)
        name_kind(verdict, &findings.items[0]);
    uint64_t hash = player_trace_hash(&outcome.trace);
    findings_free(&findings);
    outcome_free(&outcome);
    return hash;
}

void random_play(const cJSON *scenario, bool twice, struct random_verdict *verdict)
{
    struct scenario_set set = {0};
    struct scenario_mistakes mistakes;
    char *text = must(cJSON_PrintUnformatted(scenario));
    *verdict = (struct random_verdict){.sound = scenario_parse(&set, "", "random.json", text, strlen(text), &mistakes)};
    if (!verdict->sound) {
        snprintf(verdict->says, sizeof verdict->says, "%s", mistakes.items[0].line);
    } else {
        uint64_t hash = play_once(&set.items[0], verdict);
        if (twice && !verdict->kind[0] && play_once(&set.items[0], verdict) != hash)
            snprintf(verdict->kind, sizeof verdict->kind, "the same scenario gives another trace");
    }
    scenario_set_free(&set);
    free(text);
}

void random_play_apart(const cJSON *scenario, struct random_verdict *verdict)
{
    int ends[2];
    int status = 0;
    *verdict = (struct random_verdict){.sound = true};
    if (pipe(ends) != 0)
        abort();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct random_verdict seen;
        alarm(PLAY_SECONDS);
        random_play(scenario, true, &seen);
        _exit(write(ends[1], &seen, sizeof seen) != sizeof seen);
    }
    close(ends[1]);
    bool told = pid > 0 && read(ends[0], verdict, sizeof *verdict) == sizeof *verdict;
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (told)
        return;
    *verdict = (struct random_verdict){.sound = true};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(verdict->kind, sizeof verdict->kind, "it never ends");
    else if (WIFSIGNALED(status))
        snprintf(verdict->kind, sizeof verdict->kind, "it dies by SIG%s", trace_signal_name(WTERMSIG(status)));
    else
        snprintf(verdict->kind, sizeof verdict->kind, "it ends with status %d", WEXITSTATUS(status));
    snprintf(verdict->says, sizeof verdict->says, "%s", verdict->kind);
}
