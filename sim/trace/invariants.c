/* invariants.c: what must hold after every run of every world (design: "Invariants", 1–7), from the trace alone. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "judge.h"

#define US_PER_S 1000000
#define HOLD_LIMIT_DEFAULT_S 60.0
#define HOLD_LIMIT_ABOVE_HOLD_S 10.0
#define HOLD_MARGIN_US US_PER_S /* how late a thaw may come, on a machine busy with other scenarios */
#define WAY_BACK_US 5000        /* from a system call to its caller, there */

struct judging {
    const struct scenario *scenario;
    const struct outcome *outcome;
    struct findings *findings;
};

static const struct trace_event *at(const struct judging *judging, size_t index)
{
    return &judging->outcome->trace.events[index];
}

static size_t count(const struct judging *judging)
{
    return judging->outcome->trace.count;
}

static bool is_named(const struct trace_event *event, const char *plugin)
{
    return event->plugin && strcmp(event->plugin, plugin) == 0;
}

static bool was_sent(const struct judging *judging, int step, enum trace_role role, int signal_number)
{
    for (size_t i = 0; i < count(judging); i++) {
        const struct trace_event *event = at(judging, i);
        if (event->what == TRACE_SENT && event->step == step && event->target == role && event->value == signal_number)
            return true;
    }
    return false;
}

/* ---- 1: nothing is left ----------------------------------------------------------------------------------------- */

static bool is_in(const char *text, const char *const *list, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strcmp(list[i], text) == 0)
            return true;
    }
    return false;
}

/* What somebody else froze stays; so does what the scenario says stays, where it ends with agent and guardian
 * killed. */
static bool may_stay_frozen(const struct judging *judging, const char *mount)
{
    const struct scenario *scenario = judging->scenario;
    const struct scenario_expect *expect = &scenario->steps[scenario->step_count - 1].expect;
    bool by_other = false;
    for (size_t i = 0; i < scenario->workload_count; i++) {
        if (scenario->workloads[i].kind == SCENARIO_FREEZERS && strcmp(scenario->workloads[i].volume, mount) == 0)
            return true; /* who comes and goes as he likes may be there at the end */
    }
    for (size_t i = 0; i < scenario->volume_count; i++)
        by_other |= scenario->volumes[i].frozen_by_other && strcmp(scenario->volumes[i].mount, mount) == 0;
    for (size_t i = 0; i < count(judging); i++) {
        const struct trace_event *event = at(judging, i);
        if (event->role == TRACE_OTHER && event->what == TRACE_DONE && event->value == 0 && strcmp(event->volume, mount) == 0)
            by_other = event->op == TRACE_FREEZE;
    }
    return by_other || (expect->frozen && is_in(mount, expect->frozen, expect->frozen_count));
}

/* Was there a moment when nobody was left: both killed in a step up to this one? */
static bool both_were_killed(const struct judging *judging, int last)
{
    bool both = false;
    for (int step = 0; step <= last; step++)
        both |= was_sent(judging, step, TRACE_AGENT, 9) && was_sent(judging, step, TRACE_GUARDIAN, 9);
    return both;
}

static void judge_leftovers(struct judging *judging)
{
    const struct outcome *outcome = judging->outcome;
    bool nobody = both_were_killed(judging, (int)outcome->step_count - 1); /* who could have ended processes */
    for (size_t i = 0; i < outcome->left_count; i++) {
        if (!nobody || strncmp(outcome->left[i], "process ", 8) != 0)
            findings_add(judging->findings, 1, SIZE_MAX, "nothing", outcome->left[i], "something was left behind");
    }
    if (outcome->refused)
        findings_add(judging->findings, 1, SIZE_MAX, "only the scenario's volumes are frozen", outcome->refused,
                     "quiesce reached for a filesystem that is not the scenario's");
    if (outcome->step_count == 0 || judging->scenario->oracle)
        return;
    const struct outcome_step *last = &outcome->steps[outcome->step_count - 1];
    for (size_t i = 0; i < last->frozen_count; i++) {
        if (!may_stay_frozen(judging, last->frozen[i]))
            findings_add(judging->findings, 1, SIZE_MAX, "thawed", "frozen", "%s was left frozen", last->frozen[i]);
    }
}

/* ---- 2, 5, 7: each volume's freezes ----------------------------------------------------------------------------- */

enum owner { NOBODY, OURS, OTHERS };

struct hold {
    enum owner owner;
    size_t since; /* the event */
    int thaws;    /* under way: from then on the disk may be written at any moment */
};

int64_t judge_hold_limit_us(const struct scenario_step *step)
{
    const char *limit = claim_option(step, "--hold-limit");
    const char *hold = claim_option(step, "--hold");
    double limit_s = HOLD_LIMIT_DEFAULT_S;
    if (limit)
        limit_s = strtod(limit, NULL);
    else if (hold && strtod(hold, NULL) + HOLD_LIMIT_ABOVE_HOLD_S > limit_s)
        limit_s = strtod(hold, NULL) + HOLD_LIMIT_ABOVE_HOLD_S;
    return (int64_t)(limit_s * US_PER_S);
}

/* Can nobody be blamed for a late thaw: it was made to be late, or both who could have thawed were stopped or
 * killed? */
static bool is_late_on_purpose(const struct judging *judging, const char *volume, int step)
{
    for (size_t i = 0; i < judging->scenario->fault_count; i++) {
        const struct scenario_fault *fault = &judging->scenario->faults[i];
        if (fault->op == SCENARIO_THAW && (!fault->volume || strcmp(fault->volume, volume) == 0))
            return true;
    }
    for (size_t i = 0; i < judging->scenario->call_count; i++) {
        const struct scenario_call *call = &judging->scenario->calls[i];
        bool thaws = call->about && strncmp(call->about, "FITHAW ", 7) == 0;
        bool reports = call->about && strcmp(call->about, "eventfd") == 0 && strcmp(call->call, "write") == 0;
        if (call->delay_us > 0 && (thaws || reports)) /* a volume's thread, which thaws when it has told of the freeze */
            return true;
    }
    bool agent = was_sent(judging, step, TRACE_AGENT, 9) || was_sent(judging, step, TRACE_AGENT, 19);
    bool guardian = was_sent(judging, step, TRACE_GUARDIAN, 9) || was_sent(judging, step, TRACE_GUARDIAN, 19);
    for (size_t i = 0; i < judging->scenario->call_count; i++) { /* who waits for a late call can thaw as little */
        const struct scenario_call *call = &judging->scenario->calls[i];
        agent |= call->delay_us > 0 && call->by == SCENARIO_BY_AGENT;
        guardian |= call->delay_us > 0 && call->by == SCENARIO_BY_GUARDIAN;
    }
    return agent && guardian;
}

/* Was somebody killed, or stopped, while it froze or thawed the volume, or before its thread could be back and note it?
 * Nobody knows what came of it then, or what may still come. */
static bool lost_on_the_way_back(const struct judging *judging, const char *volume, size_t before)
{
    int64_t back_us[] = {[TRACE_AGENT] = INT64_MIN, [TRACE_GUARDIAN] = INT64_MIN}; /* at the latest */
    int64_t sent_us[] = {[TRACE_AGENT] = INT64_MIN / 2, [TRACE_GUARDIAN] = INT64_MIN / 2}; /* as it came to the call, say */
    bool lost = false;
    for (size_t i = 0; i < before; i++) {
        const struct trace_event *event = at(judging, i);
        bool operates = (event->op == TRACE_FREEZE || event->op == TRACE_THAW) && event->role <= TRACE_GUARDIAN &&
                        strcmp(event->volume, volume) == 0;
        if (operates && event->what == TRACE_BEGINS) {
            back_us[event->role] = INT64_MAX;
            lost |= event->at_us <= sent_us[event->role] + WAY_BACK_US;
        } else if (operates && event->what == TRACE_DONE) {
            back_us[event->role] = event->at_us + WAY_BACK_US;
        } else if (event->what == TRACE_SENT && (event->value == SIGKILL || event->value == SIGSTOP) &&
                   event->target <= TRACE_GUARDIAN) {
            sent_us[event->target] = event->at_us;
            lost |= event->at_us <= back_us[event->target];
        }
    }
    return lost;
}

static void judge_thaw(struct judging *judging, const struct hold *hold, size_t index)
{
    const struct trace_event *event = at(judging, index);
    /* After both were killed the journal is all that says whose a freeze is. */
    if (event->role != TRACE_OTHER && hold->owner == OTHERS && !both_were_killed(judging, event->step - 1) &&
        !lost_on_the_way_back(judging, event->volume, index))
        findings_add(judging->findings, 7, index, "somebody else's freeze is left alone", "thawed by quiesce",
                     "%s had been frozen by somebody else", event->volume);
    int begun = at(judging, hold->since)->step;
    const struct scenario_step *step = &judging->scenario->steps[begun];
    bool stays_open = step->argc > 0 && strcmp(step->argv[0], "begin") == 0;
    if (hold->owner != OURS || (begun != event->step && !stays_open))
        return;
    int64_t limit_us = judge_hold_limit_us(step);
    int64_t held_us = event->at_us - at(judging, hold->since)->at_us;
    char expected[64];
    char seen[64];
    snprintf(expected, sizeof expected, "at most %.3f s", (double)(limit_us + HOLD_MARGIN_US) / US_PER_S);
    snprintf(seen, sizeof seen, "%.3f s", (double)held_us / US_PER_S);
    if (held_us > limit_us + HOLD_MARGIN_US && !is_late_on_purpose(judging, event->volume, begun) &&
        !is_late_on_purpose(judging, event->volume, event->step))
        findings_add(judging->findings, 5, index, expected, seen, "%s was frozen for too long", event->volume);
}

/* Between freeze and thaw nothing may reach the disk. */
static void judge_disk(struct judging *judging, const struct hold *hold, size_t index)
{
    int64_t before = at(judging, hold->since)->disk_writes;
    int64_t after = at(judging, index)->disk_writes;
    char expected[64];
    char seen[64];
    snprintf(expected, sizeof expected, "%lld writes, as when it was frozen", (long long)before);
    snprintf(seen, sizeof seen, "%lld", (long long)after);
    if (before >= 0 && after >= 0 && before != after)
        findings_add(judging->findings, 2, index, expected, seen, "the disk of %s was written while it was frozen",
                     at(judging, index)->volume);
}

static void judge_volume(struct judging *judging, const struct scenario_volume *volume)
{
    struct hold hold = {.owner = volume->frozen_by_other ? OTHERS : NOBODY};
    for (size_t i = 0; i < count(judging); i++) {
        const struct trace_event *event = at(judging, i);
        if (!event->volume || event->op == TRACE_SYNC || strcmp(event->volume, volume->mount) != 0)
            continue;
        if (event->what == TRACE_BEGINS && event->op == TRACE_THAW && hold.thaws++ == 0 && hold.owner == OURS)
            judge_disk(judging, &hold, i);
        if (event->what == TRACE_DONE && event->op == TRACE_THAW && hold.thaws > 0)
            hold.thaws--;
        if (event->what != TRACE_DONE || event->value != 0)
            continue;
        if (event->op == TRACE_FREEZE)
            hold.thaws = 0;
        if (event->op == TRACE_THAW)
            judge_thaw(judging, &hold, i);
        hold.owner = event->op == TRACE_THAW ? NOBODY : event->role == TRACE_OTHER ? OTHERS : OURS;
        hold.since = i;
    }
}

/* ---- 3: the claim ----------------------------------------------------------------------------------------------- */

static const char *string_in(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "(absent)";
}

static void judge_status(struct judging *judging, const struct outcome_step *step)
{
    static const int STATUS[] = {20, 11, 10, 0};
    const char *consistency = string_in(step->result, "consistency");
    enum claim claim = claim_of(consistency);
    char expected[16];
    char seen[16];
    if (claim == CLAIM_UNKNOWN) {
        findings_add(judging->findings, 3, SIZE_MAX, "none, crash, filesystem or application", consistency,
                     "the result names no consistency");
        return;
    }
    snprintf(expected, sizeof expected, "%d", STATUS[claim]);
    snprintf(seen, sizeof seen, "%d", step->exit);
    /* 70 is the program's own failure, and beside any result. */
    if (step->exit >= 0 && step->exit != STATUS[claim] && step->exit != 70)
        findings_add(judging->findings, 3, SIZE_MAX, expected, seen, "the exit status is not that of %s", consistency);
    const cJSON *errors = cJSON_GetObjectItemCaseSensitive(step->result, "errors");
    const char *code = string_in(step->result, "code");
    const char *first = cJSON_GetArraySize(errors) ? string_in(cJSON_GetArrayItem(errors, 0), "code") : "Success";
    if (strcmp(code, first) != 0)
        findings_add(judging->findings, 3, SIZE_MAX, first, code, "the code is not that of the first error");
    if (strcmp(first, "Success") == 0 && claim == CLAIM_NONE)
        findings_add(judging->findings, 3, SIZE_MAX, "an error", "none", "nothing explains why there is no backup");
}

static void judge_claim(struct judging *judging, size_t index)
{
    const struct outcome_step *step = &judging->outcome->steps[index];
    const struct scenario_step *given = &judging->scenario->steps[index];
    char reason[256];
    size_t event;
    if (!step->result || !cJSON_GetObjectItemCaseSensitive(step->result, "consistency"))
        return;
    judge_status(judging, step);
    if (given->argc == 0 || strcmp(given->argv[0], "check") == 0)
        return; /* made nothing */
    enum claim claimed = claim_of(string_in(step->result, "consistency"));
    enum claim allowed = claim_allowed(judging->scenario, judging->outcome, index, reason, sizeof reason, &event);
    if (claimed != CLAIM_UNKNOWN && claimed > allowed)
        findings_add(judging->findings, 3, event, claim_name(allowed), claim_name(claimed),
                     "more was claimed than happened: %s", reason);
    if (claimed < allowed && strcmp(string_in(step->result, "code"), "Success") == 0)
        findings_add(judging->findings, 3, SIZE_MAX, claim_name(allowed), claim_name(claimed),
                     "less was claimed than happened, and no error says why");
}

/* ---- 4: owed post-scripts --------------------------------------------------------------------------------------- */

static bool names_post(const struct outcome_step *step)
{
    const cJSON *error;
    cJSON_ArrayForEach(error, cJSON_GetObjectItemCaseSensitive(step->result, "errors")) {
        const char *code = string_in(error, "code");
        if (strncmp(code, "Post-", 5) == 0 || strcmp(code, "InsufficientPermissionforPost-Script") == 0)
            return true;
    }
    return false;
}

static bool mentions_post(const char *text)
{
    return text && strstr(text, "Post-Script");
}

/* Was the post-script found unfit to run at the last moment, or could it not be started? Then the result says so, that
 * of the step in which the pre-script was started, or that of the `end` that belongs to it. Where there is no report, it is
 * said in print; or on the log, by who did it for a dead agent. */
static bool post_was_refused(const struct judging *judging, size_t begun)
{
    for (size_t i = begun; i < judging->outcome->step_count; i++) {
        const struct outcome_step *step = &judging->outcome->steps[i];
        bool in_print = !step->result && (mentions_post(step->out) || mentions_post(step->err));
        if (claim_begun(judging->scenario, judging->outcome, i) == begun && (names_post(step) || in_print))
            return true;
    }
    return false;
}

static void judge_owed_post(struct judging *judging, size_t index)
{
    const struct trace_event *pre = at(judging, index);
    for (size_t i = index + 1; i < count(judging); i++) {
        const struct trace_event *event = at(judging, i);
        if (event->role == TRACE_POST && event->what == TRACE_STARTS && is_named(event, pre->plugin))
            return;
    }
    if (was_sent(judging, pre->step, TRACE_AGENT, 9) && was_sent(judging, pre->step, TRACE_GUARDIAN, 9))
        return; /* nobody was left who could */
    if (!post_was_refused(judging, (size_t)pre->step))
        findings_add(judging->findings, 4, index, "its post-script runs", "it never started",
                     "the pre-script of %s was started", pre->plugin);
}

/* ---- 6: what ran ------------------------------------------------------------------------------------------------ */

static const struct scenario_plugin *plugin_of(const struct judging *judging, const struct trace_event *event)
{
    for (size_t i = 0; i < judging->scenario->plugin_count; i++) {
        if (is_named(event, judging->scenario->plugins[i].name))
            return &judging->scenario->plugins[i];
    }
    return NULL;
}

static const char *unfit(const struct scenario_file *file, mode_t allowed)
{
    if (file->kind == SCENARIO_ABSENT)
        return "is absent";
    if (file->kind == SCENARIO_SYMLINK)
        return NULL; /* its target's facts are not here */
    if (file->owner != 0)
        return "is not root's";
    return file->mode & ~allowed & 07777 ? "has too many permission bits" : NULL;
}

static int retries_of(const struct scenario_plugin *plugin, enum trace_role role)
{
    cJSON *config = plugin->config.text ? cJSON_ParseWithLength(plugin->config.text, plugin->config.size) : NULL;
    const char *key = role == TRACE_PRE ? "preScriptNoOfRetries" : "postScriptNoOfRetries";
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(config, key);
    int retries = cJSON_IsNumber(value) ? value->valueint : 0;
    cJSON_Delete(config);
    return retries;
}

static void judge_retry(struct judging *judging, size_t index, const struct scenario_plugin *plugin,
                        const struct scenario_file *script)
{
    const struct trace_event *event = at(judging, index);
    int allowed = retries_of(plugin, event->role) + 1;
    char expected[64];
    char seen[64];
    snprintf(expected, sizeof expected, "at most %d", allowed);
    snprintf(seen, sizeof seen, "attempt %d", event->ordinal);
    if (event->ordinal > allowed)
        findings_add(judging->findings, 6, index, expected, seen, "%s was started too often", script->path);
}

static void judge_start(struct judging *judging, size_t index)
{
    const struct trace_event *event = at(judging, index);
    const struct scenario_plugin *plugin = plugin_of(judging, event);
    if (!plugin)
        return;
    const struct scenario_file *script = event->role == TRACE_PRE ? &plugin->pre.file : &plugin->post.file;
    const char *why = unfit(&plugin->config, 0600);
    if (why)
        findings_add(judging->findings, 6, index, "it does not run", "it ran", "the config %s %s", plugin->config.path, why);
    why = unfit(script, 0700);
    if (why)
        findings_add(judging->findings, 6, index, "it does not run", "it ran", "the script %s %s", script->path, why);
    if (event->ordinal > 1)
        judge_retry(judging, index, plugin, script);
}

/* Did this pre-script's attempt, or a process that it left behind, end before `limit`, or did it succeed? */
static void judge_ended_before(struct judging *judging, size_t index, size_t limit)
{
    const struct trace_event *start = at(judging, index);
    bool ended = false;
    bool failed = true;
    bool leftover_alive = false;
    for (size_t i = index + 1; i < limit; i++) {
        const struct trace_event *event = at(judging, i);
        if (!is_named(event, start->plugin) || event->ordinal != start->ordinal || event->step != start->step)
            continue;
        bool ends = event->what == TRACE_EXITS || event->what == TRACE_DIES;
        if (event->role == TRACE_PRE && event->what == TRACE_STARTS)
            break; /* another of quiesce's --attempts */
        if (event->role == TRACE_PRE && ends) {
            ended = true;
            failed = event->what == TRACE_DIES || event->value != 0;
        }
        if (event->role == TRACE_LEFTOVER && event->target == TRACE_PRE)
            leftover_alive = event->what == TRACE_STARTS;
    }
    if (!ended)
        findings_add(judging->findings, 6, limit, "it has ended", "it runs", "attempt %d of %s when freezing starts",
                     start->ordinal, start->plugin);
    else if (failed && leftover_alive)
        findings_add(judging->findings, 6, limit, "all of it has ended", "a process of it runs",
                     "failed attempt %d of %s when freezing starts", start->ordinal, start->plugin);
}

static void judge_scripts(struct judging *judging)
{
    size_t freeze = SIZE_MAX;
    for (size_t i = count(judging); i > 0; i--) {
        const struct trace_event *event = at(judging, i - 1);
        if (event->op == TRACE_FREEZE && event->what == TRACE_BEGINS && event->role != TRACE_OTHER)
            freeze = i - 1;
    }
    for (size_t i = 0; i < count(judging); i++) {
        const struct trace_event *event = at(judging, i);
        if (event->what != TRACE_STARTS || !event->plugin || (event->role != TRACE_PRE && event->role != TRACE_POST))
            continue;
        judge_start(judging, i);
        if (event->role == TRACE_PRE) {
            if (!judging->scenario->oracle)
                judge_owed_post(judging, i);
            if (freeze != SIZE_MAX && i < freeze)
                judge_ended_before(judging, i, freeze);
        }
    }
}

void judge_invariants(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings)
{
    struct judging judging = {scenario, outcome, findings};
    judge_leftovers(&judging);
    if (outcome->unsafe)
        findings_add(findings, 0, SIZE_MAX, "what the oracle demands", outcome->unsafe, "the oracle has an objection");
    for (size_t i = 0; i < scenario->volume_count && !scenario->oracle; i++)
        judge_volume(&judging, &scenario->volumes[i]);
    for (size_t i = 0; i < outcome->step_count; i++)
        judge_claim(&judging, i);
    if (!scenario->oracle) /* which knows whether anything could be said */
        judge_results(scenario, outcome, findings);
    judge_scripts(&judging);
}
