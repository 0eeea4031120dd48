/* shrink.c: a violation as a small scenario file.
 *
 * The scenario's JSON gets the fault as a row of "calls", and loses what it expects. Then members and elements are taken
 * out, one at a time, from the whole to its parts, and numbers made small, as long as it goes wrong in the same way.
 * What makes no sense without the part the reader refuses, which costs nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "explore.h"
#include "put.h"
#include "trace.h"

#define RUNS_MAX 250
#define TIME_MAX_US 60000000

struct shrinker {
    struct plan *plan;
    const struct base *base;
    const struct attempt *attempt;
    int invariant; /* in the same way: this one is violated */
    cJSON *root;
    const char *what;
    int runs;
    int64_t until_us;
};

static bool is_over(const struct shrinker *shrinker)
{
    return shrinker->runs >= RUNS_MAX || now_us() >= shrinker->until_us || shrinker->plan->interrupted;
}

/* ---- Does it still go wrong? ------------------------------------------------------------------------------------ */

/* As `quiesce-sim run` judges; but that an action's turn never comes any more is not what went wrong. */
static enum verdict judge_shrunk(struct report_case *it)
{
    judge_invariants(it->scenario, &it->outcome, &it->findings);
    judge_expectations(it->scenario, &it->outcome, &it->findings);
    return it->findings.count > 0 ? VERDICT_FAILED : VERDICT_PASSED;
}

static bool goes_wrong(struct shrinker *shrinker, const struct scenario *scenario)
{
    struct scenario patient = *scenario;
    struct report_case it = {.scenario = &patient, .world = shrinker->base->world};
    struct running running = shrinker->plan->running;
    patient.timeout_us = shrinker->base->late_us + 30000000;
    running.report.cases = &it;
    running.report.count = 1;
    running.options.jobs = 1;
    running.options.tap = true;
    /* What nobody could thaw is no failure. */
    running.judge = shrinker->attempt->fault->target == SCENARIO_BOTH ? attempt_judge : judge_shrunk;
    shrinker->runs++;
    shrinker->plan->interrupted = jobs_run(&running);
    bool same = false;
    for (size_t i = 0; i < it.findings.count; i++)
        same |= it.findings.items[i].invariant == shrinker->invariant || it.findings.items[i].invariant == 0;
    report_case_free(&it);
    return same && !shrinker->plan->interrupted;
}

/* Is what the tree says now a scenario of one variant, that goes wrong? */
static bool still(struct shrinker *shrinker)
{
    struct scenario_set set = {0};
    struct scenario_mistakes mistakes;
    char *text = must(cJSON_PrintUnformatted(shrinker->root));
    bool parsed = scenario_parse(&set, "scenarios", shrinker->base->scenario->file, text, strlen(text), &mistakes);
    bool same = parsed && set.count == 1 && !is_over(shrinker) &&
                set.items[0].worlds & shrinker->base->world->bit && goes_wrong(shrinker, &set.items[0]);
    scenario_set_free(&set);
    free(text);
    return same;
}

/* ---- Taking out ------------------------------------------------------------------------------------------------- */

/* Without them it is no scenario, one that is played somewhere else, or one that says nothing: of another fault, or of
 * what nobody was there to thaw. */
static bool is_needed(const struct shrinker *shrinker, const cJSON *parent, const cJSON *item)
{
    static const char *const KEYS[] = {"$schema", "description", "worlds", "expect", "calls", "about", "nth", "then"};
    for (size_t i = 0; item->string && i < sizeof KEYS / sizeof KEYS[0]; i++) {
        if (strcmp(item->string, KEYS[i]) == 0)
            return true;
    }
    const char *list = parent->string ? parent->string : "";
    bool last = (strcmp(list, "calls") == 0 || strcmp(list, "then") == 0) && !item->next; /* we have put it there */
    bool word = strcmp(list, "command") == 0 && item == parent->child;
    bool words = item->string && strcmp(item->string, "command") == 0 && parent != shrinker->root;
    return last || word || words;
}

/* Puts back what was detached. Debian 12's libcjson refuses an item without `prev`, which it then overwrites. */
static void put_back(cJSON *parent, cJSON *item, int at)
{
    item->prev = item;
    cJSON_InsertItemInArray(parent, at, item);
}

/* True: it was taken out for good. */
static bool take_out(struct shrinker *shrinker, cJSON *parent, cJSON *item, int at)
{
    if (is_needed(shrinker, parent, item))
        return false;
    cJSON_DetachItemViaPointer(parent, item);
    if (still(shrinker)) {
        cJSON_Delete(item);
        return true;
    }
    put_back(parent, item, at);
    return false;
}

static void make_small(struct shrinker *shrinker, cJSON *number)
{
    const double before = number->valuedouble;
    const double tries[] = {0, 1, (double)(int64_t)(before / 2)};
    for (size_t i = 0; i < 3; i++) {
        if (tries[i] >= before)
            continue;
        cJSON_SetNumberValue(number, tries[i]);
        if (still(shrinker))
            return;
        cJSON_SetNumberValue(number, before);
    }
}

/* True: something has become less. */
static bool shrink_below(struct shrinker *shrinker, cJSON *parent)
{
    bool any = false;
    int at = 0;
    for (cJSON *item = parent->child; item && !is_over(shrinker);) {
        cJSON *next = item->next;
        if (take_out(shrinker, parent, item, at)) {
            any = true;
        } else {
            at++;
            if (cJSON_IsNumber(item) && !(item->string && strcmp(item->string, "nth") == 0))
                make_small(shrinker, item);
            else if (item->child)
                any = shrink_below(shrinker, item) || any;
        }
        item = next;
    }
    return any;
}

/* ---- The beginning ---------------------------------------------------------------------------------------------- */

static cJSON *read_tree(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    cJSON *root = file && getdelim(&text, &size, '\0', file) > 0 ? cJSON_Parse(text) : NULL;
    if (file)
        fclose(file);
    free(text);
    return root;
}

static void set(cJSON *object, const char *key, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    cJSON_AddItemToObject(object, key, must(value));
}

static cJSON *row_of(const struct scenario_call *call)
{
    static const char *const TARGETS[] = {"", "agent", "guardian", "both"};
    cJSON *row = must(cJSON_CreateObject());
    cJSON_AddStringToObject(row, "by", explore_callers[call->by]);
    cJSON_AddStringToObject(row, "call", call->call);
    if (call->about[0])
        cJSON_AddStringToObject(row, "about", call->about);
    cJSON_AddNumberToObject(row, "nth", call->nth);
    if (call->error)
        cJSON_AddStringToObject(row, "error", trace_errno_name(call->error));
    if (call->transfers)
        cJSON_AddNumberToObject(row, "transfers", call->transfers);
    if (call->delay_us)
        cJSON_AddNumberToObject(row, "delay_ms", (double)call->delay_us / 1e3);
    if (call->signal) {
        cJSON_AddStringToObject(row, "send", trace_signal_name(call->signal));
        cJSON_AddStringToObject(row, "to", TARGETS[call->target]);
    }
    if (call->after)
        cJSON_AddTrueToObject(row, "after");
    if (call->resume_us)
        cJSON_AddNumberToObject(row, "resume_ms", (double)call->resume_us / 1e3);
    return row;
}

static cJSON *words_of(const struct scenario_step *step)
{
    cJSON *words = must(cJSON_CreateArray());
    for (size_t i = 0; i < step->argc; i++)
        cJSON_AddItemToArray(words, must(cJSON_CreateString(step->argv[i])));
    return words;
}

/* The explored scenario as JSON: its commands, nothing expected, and the fault. */
static bool begin(struct shrinker *shrinker)
{
    const struct plan *plan = shrinker->plan;
    const struct attempt *attempt = shrinker->attempt;
    const struct scenario *scenario = plan_scenario(plan, attempt, plan->memory);
    cJSON *root = shrinker->root = read_tree(shrinker->base->scenario->file);
    if (!root)
        return false;
    char *name = attempt_name(plan, attempt);
    char *description = must_format("Explored: %s.", name);
    set(root, "description", cJSON_CreateString(description));
    free(description);
    free(name);
    set(root, "worlds", cJSON_CreateStringArray(&shrinker->base->world->name, 1));
    set(root, "command", words_of(&scenario->steps[0]));
    set(root, "expect", cJSON_CreateObject());
    int exit = scenario->steps[0].expect.exit; /* "made a difference": to that */
    if (strstr(shrinker->what, "made a difference") && exit >= 0)
        cJSON_AddNumberToObject(cJSON_GetObjectItemCaseSensitive(root, "expect"), "exit", exit);
    cJSON *then = must(cJSON_CreateArray());
    for (size_t i = 1; i < scenario->step_count; i++) {
        cJSON *step = must(cJSON_CreateObject());
        cJSON_AddItemToObject(step, "command", words_of(&scenario->steps[i]));
        cJSON_AddItemToObject(step, "expect", must(cJSON_CreateObject()));
        cJSON_AddItemToArray(then, step);
    }
    set(root, "then", then);
    const char *by = strstr(shrinker->what, "was left frozen by command "); /* and the last one thaws it */
    int number = by ? atoi(strrchr(by, ' ')) : 0;
    cJSON *step = number > 1 ? cJSON_GetArrayItem(then, number - 2) : number == 1 ? root : NULL;
    if (step)
        cJSON_AddArrayToObject(cJSON_GetObjectItemCaseSensitive(step, "expect"), "frozen");
    cJSON *calls = cJSON_GetObjectItemCaseSensitive(root, "calls");
    if (!calls)
        calls = cJSON_AddArrayToObject(root, "calls");
    struct scenario_call call = plan_call(plan, attempt);
    cJSON_AddItemToArray(calls, row_of(&call));
    if (attempt->second != SIZE_MAX) {
        call = plan_call(plan, &plan->attempts[attempt->second]);
        cJSON_AddItemToArray(calls, row_of(&call));
    }
    return true;
}

/* Of a matrix only the variant's values remain: whichever can go while the variant is still there. */
static void choose_variant(struct shrinker *shrinker)
{
    cJSON *variable;
    cJSON_ArrayForEach(variable, cJSON_GetObjectItemCaseSensitive(shrinker->root, "matrix")) {
        for (int at = 0; at < cJSON_GetArraySize(variable) && cJSON_GetArraySize(variable) > 1;) {
            cJSON *value = cJSON_DetachItemFromArray(variable, at);
            struct scenario_set set = {0};
            struct scenario_mistakes mistakes;
            char *text = must(cJSON_PrintUnformatted(shrinker->root));
            bool there = false;
            if (scenario_parse(&set, "scenarios", shrinker->base->scenario->file, text, strlen(text), &mistakes)) {
                for (size_t i = 0; i < set.count; i++)
                    there |= strcmp(set.items[i].variant, shrinker->base->scenario->variant) == 0;
            }
            scenario_set_free(&set);
            free(text);
            if (there)
                cJSON_Delete(value);
            else
                put_back(variable, value, at++);
        }
    }
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* "explore-found/freeze-fails-guardian-openat-EIO-2.json". The caller frees; NULL: errno. */
static char *write_file(struct shrinker *shrinker)
{
    const struct site *site = &shrinker->base->sites.items[shrinker->attempt->site];
    const char *folder = shrinker->plan->options.found;
    char *name = must_format("%s-%s-%s-%s-%d", shrinker->base->scenario->name, explore_callers[site->by], site->call,
                             shrinker->attempt->fault->name, site->nth);
    for (char *c = name; *c; c++)
        if (strchr("/ :=,", *c))
            *c = '-';
    mkdir(folder, 0755);
    char *path = must_format("%s/%s.json", folder, name);
    char *text = must(cJSON_Print(shrinker->root));
    FILE *file = fopen(path, "we");
    bool written = file && fprintf(file, "%s\n", text) > 0;
    if (file && fclose(file) != 0)
        written = false;
    free(text);
    free(name);
    if (!written) {
        free(path);
        path = NULL;
    }
    return path;
}

char *shrink_violation(struct plan *plan, const struct attempt *attempt, const struct report_case *seen)
{
    struct shrinker shrinker = {.plan = plan, .base = &plan->bases[attempt->base], .attempt = attempt,
                                .what = seen->findings.count > 0 ? seen->findings.items[0].what : "",
                                .until_us = now_us() + TIME_MAX_US,
                                .invariant = seen->findings.count > 0 ? seen->findings.items[0].invariant : 0};
    if (!begin(&shrinker))
        return NULL;
    choose_variant(&shrinker);
    if (still(&shrinker)) {
        while (shrink_below(&shrinker, shrinker.root) && !is_over(&shrinker))
            ;
    }
    char *path = write_file(&shrinker);
    cJSON_Delete(shrinker.root);
    return path;
}
