/* verdict.c: what the oracle has to know of a scenario, and what it says of the run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "oracle.h"
#include "player.h"

#define THAW_TRIES 3
#define LATE_US QZ_US_PER_S
#define PATIENCE_US (3 * QZ_US_PER_S) /* a thaw that takes longer is given up by all who wait for it */
#define HOLD_LIMIT_DEFAULT_US (60 * QZ_US_PER_S)
#define HOLD_LIMIT_ABOVE_HOLD_US (10 * QZ_US_PER_S)

static int64_t seconds(const struct scenario_step *step, const char *option)
{
    const char *value = claim_option(step, option);
    return value ? (int64_t)(strtod(value, NULL) * (double)QZ_US_PER_S) : 0;
}

static void add_limits(struct oracle_terms *terms, const struct scenario_step *step)
{
    terms->freeze_only = step->argc > 0 && strcmp(step->argv[0], "freeze") == 0;
    terms->hold_us = seconds(step, "--hold");
    terms->hold_limit_us = seconds(step, "--hold-limit");
    if (terms->hold_limit_us == 0)
        terms->hold_limit_us = terms->hold_us + HOLD_LIMIT_ABOVE_HOLD_US > HOLD_LIMIT_DEFAULT_US
                                   ? terms->hold_us + HOLD_LIMIT_ABOVE_HOLD_US
                                   : HOLD_LIMIT_DEFAULT_US;
}

static void add_faults(struct oracle_terms *terms, const struct scenario *scenario)
{
    int thaw_errors = 0;
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scenario_fault *fault = &scenario->faults[i];
        if (fault->op == SCENARIO_FREEZE && (fault->delay_us > LATE_US || fault->hang != SCENARIO_HANGS_BEFORE))
            terms->late = true;
        if (fault->op != SCENARIO_THAW)
            continue;
        thaw_errors += fault->error != 0;
        terms->thaw_fails |= fault->delay_us > PATIENCE_US || (fault->error && fault->nth == 0) || thaw_errors >= THAW_TRIES;
        terms->thaw_slack_us += fault->delay_us > PATIENCE_US ? 0 : THAW_TRIES * fault->delay_us;
    }
}

/* A thaw of ours may be the one that fails once too often. */
static void add_blows(struct oracle_terms *terms, const struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->blow_count; i++) {
        const struct scenario_blow *blow = &scenario->blows[i];
        if (!blow->error)
            continue;
        terms->may_leave = true;
        terms->thaw_fails |= strcmp(blow->op, "volume_start") == 0;
        terms->no_journal |= strcmp(blow->op, "journal_write") == 0 || strcmp(blow->op, "journal_read") == 0;
        terms->no_result |= strcmp(blow->op, "print") == 0 || strcmp(blow->op, "write_file") == 0;
    }
}

/* What is stored on a filesystem that somebody else has frozen can be thawed only when that is. */
static void add_others(struct oracle_terms *terms, const struct scenario *scenario)
{
    bool stored = false;
    bool others = false;
    for (size_t i = 0; i < scenario->volume_count; i++) {
        stored |= scenario->volumes[i].on != NULL;
        others |= scenario->volumes[i].frozen_by_other;
    }
    for (size_t i = 0; i < scenario->action_count; i++)
        others |= scenario->actions[i].kind == SCENARIO_OTHER_FREEZE;
    terms->thaw_fails |= stored && others;
    terms->may_leave |= others;
}

static void add_attempts(struct oracle_terms *terms, const struct scenario_attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        terms->may_leave |= attempts[i].leaves > 0 || (attempts[i].writes && terms->thaw_fails);
}

static struct oracle_terms terms_of(const struct scenario *scenario)
{
    struct oracle_terms terms = {0};
    add_limits(&terms, &scenario->steps[0]);
    add_faults(&terms, scenario);
    add_blows(&terms, scenario);
    add_others(&terms, scenario);
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        add_attempts(&terms, scenario->plugins[i].pre.attempts, scenario->plugins[i].pre.attempt_count);
        add_attempts(&terms, scenario->plugins[i].post.attempts, scenario->plugins[i].post.attempt_count);
    }
    add_attempts(&terms, scenario->snapshots, scenario->snapshot_count);
    return terms;
}

static void add_mount(struct oracle_run *run, const char *mount, dev_t dev)
{
    if (run->volume_count == ORACLE_VOLUMES_MAX)
        return;
    run->mounts[run->volume_count] = mount;
    run->devices[run->volume_count++] = dev;
}

static struct oracle_run run_of(const struct player *player, const struct outcome_step *step, enum virtual_end end)
{
    const struct scenario *scenario = player->scenario;
    struct oracle_run run = {.world = player->world, .end = end, .status = player->status, .result = step->result,
                             .snapshot = PLAYER_SNAPSHOT};
    for (size_t i = 0; i < scenario->volume_count; i++) {
        const struct scenario_volume *volume = &scenario->volumes[i];
        dev_t dev = player_device(player, volume->mount);
        add_mount(&run, volume->mount, dev);
        for (size_t k = 0; k < volume->bind_count; k++)
            add_mount(&run, volume->binds[k], dev);
    }
    for (size_t i = 0; i < scenario->plugin_count && i < ORACLE_PLUGINS_MAX; i++) {
        run.pre_scripts[i] = scenario->plugins[i].pre.location;
        run.post_scripts[i] = scenario->plugins[i].post.location;
        run.plugin_count++;
    }
    return run;
}

/* Was `quiesce thaw` left in peace, with what it has to find? */
static bool is_undisturbed(const struct player *player)
{
    for (size_t i = 0; i < player->scenario->action_count; i++) {
        if (player->scenario->actions[i].kind == SCENARIO_UNMOUNT)
            return false; /* what is mounted nowhere cannot be thawed */
    }
    const struct trace *trace = &player->outcome->trace;
    for (size_t i = 0; i < player->scenario->blow_count; i++) {
        if (player->scenario->blows[i].command == player->step + 1)
            return false;
    }
    for (size_t i = trace->count; i > 0 && trace->events[i - 1].step == player->step; i--) {
        if (trace->events[i - 1].what == TRACE_SENT)
            return false;
    }
    return player->status >= 0;
}

void player_ask_oracle(struct player *player, const struct outcome_step *step, enum virtual_end end)
{
    const struct scenario *scenario = player->scenario;
    struct outcome *outcome = player->outcome;
    const char *objection = NULL;
    if (!scenario->oracle || outcome->unsafe)
        return;
    struct oracle_run run = run_of(player, step, end);
    if (player->step == 0) {
        struct oracle_terms terms = terms_of(scenario);
        objection = oracle_judge(&run, &terms, &player->owed);
    } else if (end != VIRTUAL_OVER) {
        player->owed = false; /* somebody stands still, with the lock */
    } else if (player->owed && strcmp(scenario->steps[player->step].argv[0], "thaw") == 0 && is_undisturbed(player)) {
        player->owed = false;
        objection = player->status == 0 ? oracle_judge_recovery(&run) : "quiesce thaw failed to recover";
    }
    outcome->unsafe = objection ? strdup(objection) : NULL;
}
