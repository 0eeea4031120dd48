/* plan.c: sites × faults, and the scenario that each of them is. */
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "claims.h"
#include "explore.h"
#include "put.h"

#define LATE_MARGIN_US 1500000 /* beyond what the invariants allow: a thaw that waits for this is too late */
#define HOLD_LIMIT "1"         /* where a scenario does not say: nobody wants to wait for a minute */
#define ATTEMPTS_MAX ((size_t)1 << 23)
#define SLACK_US 30000000      /* for what an error makes quiesce wait for */

/* ---- Bases ------------------------------------------------------------------------------------------------------ */

static void *copy_of(struct scenario_memory *memory, const void *bytes, size_t size)
{
    return memcpy(scenario_take(memory, size), bytes, size);
}

/* `quiesce COMMAND WORD WORD …` */
static void add_option(struct scenario_memory *memory, struct scenario_step *step, const char *option,
                       const char *value)
{
    const char **argv = scenario_take(memory, (step->argc + 3) * sizeof *argv);
    argv[0] = step->argv[0];
    argv[1] = option;
    argv[2] = value;
    memcpy(argv + 3, step->argv + 1, (step->argc - 1) * sizeof *argv);
    step->argv = argv;
    step->argc += 2;
}

void plan_base(struct plan *plan, struct base *base, const struct scenario *scenario, const struct world *world)
{
    struct scenario *copy = copy_of(plan->memory, scenario, sizeof *scenario);
    struct scenario_step *steps = copy_of(plan->memory, scenario->steps, scenario->step_count * sizeof *steps);
    *base = (struct base){.scenario = copy, .world = world};
    for (size_t i = 0; i < scenario->step_count; i++) {
        bool holds = judge_is_reporting(&steps[i]) && strcmp(steps[i].argv[0], "check") != 0;
        if (holds && !claim_option(&steps[i], "--hold-limit") && !claim_option(&steps[i], "--hold"))
            add_option(plan->memory, &steps[i], "--hold-limit", HOLD_LIMIT);
        if (judge_is_reporting(&steps[i]) && !claim_option(&steps[i], "--format"))
            add_option(plan->memory, &steps[i], "--format", "json");
        int64_t late_us = holds ? judge_hold_limit_us(&steps[i]) + LATE_MARGIN_US : 0;
        base->late_us = late_us > base->late_us ? late_us : base->late_us;
    }
    base->late_us = base->late_us > 0 ? base->late_us : LATE_MARGIN_US;
    copy->steps = steps;
    char *name = report_name(scenario);
    base->name = must_format("%s %s", world->name, name);
    free(name);
}

/* ---- Scenarios -------------------------------------------------------------------------------------------------- */

struct scenario_call plan_call(const struct plan *plan, const struct attempt *attempt)
{
    const struct base *base = &plan->bases[attempt->base];
    const struct site *site = &base->sites.items[attempt->site];
    const struct fault *fault = attempt->fault;
    return (struct scenario_call){.by = site->by, .call = site->call, .about = site->about, .nth = site->nth,
                                  .error = fault->error, .transfers = fault->transfers, .signal = fault->signal,
                                  .target = fault->target, .after = fault->after,
                                  .delay_us = fault->late ? base->late_us : 0,
                                  .resume_us = fault->resumes ? base->late_us : 0};
}

struct scenario *plan_scenario(const struct plan *plan, const struct attempt *attempt, struct scenario_memory *memory)
{
    static const char *const THAW[] = {"thaw", NULL};
    const struct base *base = &plan->bases[attempt->base];
    struct scenario *scenario = copy_of(memory, base->scenario, sizeof *base->scenario);
    struct scenario_step *steps = scenario_take(memory, (scenario->step_count + 1) * sizeof *steps);
    struct scenario_call *calls = scenario_take(memory, (scenario->call_count + 2) * sizeof *calls);
    if (scenario->call_count > 0)
        memcpy(calls, scenario->calls, scenario->call_count * sizeof *calls);
    calls[scenario->call_count++] = plan_call(plan, attempt);
    if (attempt->second != SIZE_MAX)
        calls[scenario->call_count++] = plan_call(plan, &plan->attempts[attempt->second]);
    memcpy(steps, scenario->steps, scenario->step_count * sizeof *steps);
    /* Whoever is left thaws; when nobody is, the journal says what. */
    steps[scenario->step_count++] = (struct scenario_step){.argv = THAW, .argc = 1, .root = true,
                                                           .expect = {.exit = -1}};
    scenario->calls = calls;
    scenario->steps = steps;
    scenario->timeout_us = base->late_us + SLACK_US;
    return scenario;
}

/* ---- Judging ---------------------------------------------------------------------------------------------------- */

static bool was_reached(const struct report_case *it)
{
    for (size_t i = 0; i < it->outcome.trace.count; i++) {
        const struct trace_event *event = &it->outcome.trace.events[i];
        if (event->what == TRACE_NOTE && event->text && strstr(event->text, " goes wrong"))
            return true;
    }
    return false;
}

static bool was_killed(const struct outcome *outcome, size_t last, enum trace_role role)
{
    for (size_t i = 0; i < outcome->trace.count; i++) {
        const struct trace_event *event = &outcome->trace.events[i];
        if (event->what == TRACE_SENT && event->target == role && event->value == SIGKILL && event->step <= (int)last)
            return true;
    }
    return false;
}

static bool was_frozen_by_other(const struct report_case *it, size_t last, const char *mount)
{
    bool by_other = false;
    for (size_t v = 0; v < it->scenario->volume_count; v++)
        by_other |= it->scenario->volumes[v].frozen_by_other && strcmp(it->scenario->volumes[v].mount, mount) == 0;
    for (size_t i = 0; i < it->outcome.trace.count; i++) {
        const struct trace_event *event = &it->outcome.trace.events[i];
        if (event->volume && event->what == TRACE_DONE && event->value == 0 && event->op != TRACE_SYNC &&
            event->step <= (int)last && strcmp(event->volume, mount) == 0)
            by_other = event->op == TRACE_FREEZE && event->role == TRACE_OTHER;
    }
    return by_other;
}

/* What is frozen when a command has come to its end was left by one that could have thawed it. */
static void judge_each_step(struct report_case *it)
{
    const struct outcome *outcome = &it->outcome;
    for (size_t i = 0; i + 1 < outcome->step_count; i++) {
        const struct outcome_step *step = &outcome->steps[i];
        bool nobody = was_killed(outcome, i, TRACE_AGENT) && was_killed(outcome, i, TRACE_GUARDIAN);
        nobody |= claim_is_open(it->scenario, outcome, i); /* and nobody has come to */
        for (size_t k = 0; k < step->frozen_count && !nobody; k++) {
            if (!was_frozen_by_other(it, i, step->frozen[k]))
                findings_add(&it->findings, 1, SIZE_MAX, "thawed", "frozen", "%s was left frozen by command %zu",
                             step->frozen[k], i + 1);
        }
    }
}

/* Interrupted, or done in part: nothing is wrong with that, and whoever calls goes on. */
static bool is_harmless(const struct scenario_call *call)
{
    static const char CALLS[] = " read write pread64 pwrite64 recvfrom sendto poll ppoll waitid getrandom syncfs ioctl ";
    char name[64];
    snprintf(name, sizeof name, " %s ", call->call);
    bool alone = call->delay_us == 0 && call->signal == 0;
    return alone && (call->transfers > 0 || (call->error == EINTR && strstr(CALLS, name)));
}

/* Was it a limit that decided? A busy machine comes to that by itself. */
static bool ran_out_of_time(const struct outcome_step *step)
{
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(step->result, "code"));
    return code && (strstr(code, "Timeout") || strcmp(code, "FreezeLost") == 0);
}

/* What is no failure must make no difference: it exits as the scenario says that it does without any fault. */
static void judge_difference(struct report_case *it)
{
    const struct scenario *scenario = it->scenario;
    for (size_t i = 0; i < scenario->call_count; i++) {
        if (!is_harmless(&scenario->calls[i]))
            return;
    }
    for (size_t i = 0; i < it->outcome.step_count; i++) {
        int expected = scenario->steps[i].expect.exit;
        char expects[16], seen[16];
        snprintf(expects, sizeof expects, "%d", expected);
        snprintf(seen, sizeof seen, "%d", it->outcome.steps[i].exit);
        if (expected >= 0 && expected != it->outcome.steps[i].exit && !ran_out_of_time(&it->outcome.steps[i]))
            findings_add(&it->findings, 3, SIZE_MAX, expects, seen, "what is no failure made a difference");
    }
}

enum verdict attempt_judge(struct report_case *it)
{
    judge_invariants(it->scenario, &it->outcome, &it->findings);
    judge_each_step(it);
    judge_difference(it);
    if (it->findings.count > 0)
        return VERDICT_FAILED;
    return was_reached(it) ? VERDICT_PASSED : VERDICT_SKIPPED;
}

/* ---- Attempts --------------------------------------------------------------------------------------------------- */

struct adding {
    struct plan *plan;
    size_t base;
    size_t site;
    unsigned rank;
    uint64_t *seed;
};

/* xorshift64*: the same seed gives the same order. */
static uint32_t draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (uint32_t)(*seed * UINT64_C(2685821657736338717) >> 32);
}

/* Room for all of them, of which what is written to is there: players, which need none of it, would spend their time on
 * having a copy. */
static void make_room(struct plan *plan)
{
    size_t size = ATTEMPTS_MAX * sizeof *plan->attempts;
    plan->attempts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(plan->attempts == MAP_FAILED ? NULL : plan->attempts);
    madvise(plan->attempts, size, MADV_DONTFORK);
}

static struct attempt *add_attempt(struct plan *plan)
{
    if (!plan->attempts)
        make_room(plan);
    if (plan->attempt_count == ATTEMPTS_MAX)
        must(NULL);
    return &plan->attempts[plan->attempt_count++];
}

void plan_forget_attempts(struct plan *plan)
{
    if (plan->attempts)
        munmap(plan->attempts, ATTEMPTS_MAX * sizeof *plan->attempts);
}

static void add_fault(void *argument, const struct fault *fault)
{
    struct adding *adding = argument;
    const struct explore_options *options = &adding->plan->options;
    if (options->fault && fnmatch(options->fault, fault->name, 0) != 0)
        return;
    *add_attempt(adding->plan) = (struct attempt){.base = adding->base, .site = adding->site, .fault = fault,
                                                  .second = SIZE_MAX, .rank = adding->rank++,
                                                  .draw = draw(adding->seed)};
}

static bool is_chosen(const struct plan *plan, const struct site *site)
{
    char text[600];
    snprintf(text, sizeof text, "%s %s %s", explore_callers[site->by], site->call, site->about);
    return !plan->options.site || fnmatch(plan->options.site, text, 0) == 0;
}

static int by_order(const void *one, const void *other)
{
    const struct attempt *a = one;
    const struct attempt *b = other;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->draw < b->draw ? -1 : a->draw > b->draw;
}

/* Each site has its first fault before any has a second one: so even a small budget comes to every site. Which fault is
 * first is by the seed, too. */
static void shuffle_ranks(struct plan *plan, size_t from, uint64_t *seed)
{
    for (size_t count = plan->attempt_count - from; count > 1; count--) {
        struct attempt *last = &plan->attempts[from + count - 1];
        struct attempt *other = &plan->attempts[from + draw(seed) % count];
        unsigned rank = last->rank;
        last->rank = other->rank;
        other->rank = rank;
    }
}

void plan_attempts(struct plan *plan)
{
    uint64_t seed = plan->running.report.seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (size_t i = 0; i < plan->base_count; i++) {
        const struct sites *sites = &plan->bases[i].sites;
        for (size_t k = 0; k < sites->count; k++) {
            struct adding adding = {.plan = plan, .base = i, .site = k, .seed = &seed};
            size_t from = plan->attempt_count;
            if (!is_chosen(plan, &sites->items[k]))
                continue;
            bool thought_of = faults_of(&sites->items[k], add_fault, &adding);
            if (!thought_of && plan->strangers++ == 0)
                fprintf(stderr, "quiesce-sim explore: %s: nobody has thought of what may befall it (faults.c)\n",
                        sites->items[k].call);
            shuffle_ranks(plan, from, &seed);
        }
    }
    qsort(plan->attempts, plan->attempt_count, sizeof *plan->attempts, by_order);
}

void plan_pairs(struct plan *plan, size_t count)
{
    uint64_t seed = plan->running.report.seed * UINT64_C(0xD1342543DE82EF95) + 1;
    size_t singles = plan->attempt_count;
    for (size_t i = 0; singles > 0 && i < count; i++) {
        struct attempt first = plan->attempts[draw(&seed) % singles];
        size_t second = draw(&seed) % singles;
        if (plan->attempts[second].base != first.base || plan->attempts[second].site == first.site)
            continue;
        first.second = second;
        first.state = ATTEMPT_OPEN;
        first.tries = 0;
        *add_attempt(plan) = first;
    }
}

char *attempt_name(const struct plan *plan, const struct attempt *attempt)
{
    const struct base *base = &plan->bases[attempt->base];
    const struct site *site = &base->sites.items[attempt->site];
    char *name = must_format("%s: %s %s(%s) #%d: %s", base->name, explore_callers[site->by], site->call, site->about,
                             site->nth, attempt->fault->name);
    if (attempt->second == SIZE_MAX)
        return name;
    char *second = attempt_name(plan, &plan->attempts[attempt->second]);
    char *both = must_format("%s + %s", name, second + strlen(base->name) + 2);
    free(name);
    free(second);
    return both;
}
