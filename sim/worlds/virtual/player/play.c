#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "player.h"

/* The words of one step, as the agent gets them. */
struct words {
    char **items;
    size_t count;
    char report[64]; /* the path behind --report */
};

static const char *lacks(void)
{
    return NULL;
}

static const char *cannot(const struct scenario *scenario)
{
    static const char *const NO_SIGNALS = "the virtual world sends signals to agent and guardian only";
    if (!(scenario->worlds & SCENARIO_VIRTUAL))
        return "the scenario asks for what is not there in the virtual world";
    for (size_t i = 0; i < scenario->action_count; i++) {
        if (scenario->actions[i].kind == SCENARIO_SEND && (scenario->actions[i].target & SCENARIO_SNAPSHOT))
            return NO_SIGNALS;
    }
    return NULL;
}

static char *copy(const char *text)
{
    char *result = strdup(text);
    if (!result)
        abort();
    return result;
}

/* `quiesce COMMAND --report FILE …`, where the command has a report and the scenario asks for none of its own. */
static void make_words(struct words *words, const struct scenario_step *step, int number)
{
    static const char *const REPORTING[] = {"run", "begin", "end", "check", "freeze"};
    bool reports = false;
    for (size_t i = 0; i < sizeof REPORTING / sizeof REPORTING[0]; i++)
        reports |= step->argc > 0 && strcmp(step->argv[0], REPORTING[i]) == 0;
    snprintf(words->report, sizeof words->report, PLAYER_REPORTS "/report-%d.json", number);
    words->items = calloc(step->argc + 4, sizeof *words->items);
    words->count = 0;
    words->items[words->count++] = copy("quiesce");
    for (size_t i = 0; i < step->argc; i++) {
        words->items[words->count++] = copy(step->argv[i]);
        if (i == 0 && reports) {
            words->items[words->count++] = copy("--report");
            words->items[words->count++] = copy(words->report);
        }
    }
}

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
}

/* The command of one step; kept to the end of the scenario, since it may go on in the background. */
struct command {
    struct player *player;
    struct words words;
};

static void agent(struct qz_os *os, void *argument)
{
    char path[] = "PATH=/usr/bin:/bin";
    char home[] = "HOME=/root";
    char *const environment[] = {path, home, NULL}; /* lives as long as the agent does */
    struct command *it = argument;
    int status = qz_command_line_do(os, (int)it->words.count, it->words.items, environment, true);
    if (!virtual_is_in_background(os))
        it->player->status = status;
}

static void note_left(struct outcome *outcome, char *line)
{
    outcome->left = realloc(outcome->left, (outcome->left_count + 1) * sizeof *outcome->left);
    if (!outcome->left || !line)
        abort();
    outcome->left[outcome->left_count++] = line;
}

/* Scripts that run on, and what a failed one has left: nobody asked for them. */
static void note_children(struct player *player)
{
    for (size_t i = 0; i < PLAYER_SLOTS; i++) {
        const struct player_child *child = &player->children[i];
        char *line = NULL;
        if (!child->running && !(child->failed && child->leftovers > 0))
            continue;
        if (asprintf(&line, "%s of %s %s", child->running ? "a running script" : "a process left",
                     child->plugin ? child->plugin : PLAYER_SNAPSHOT, child->role == TRACE_PRE ? "(pre)" : "") < 0)
            abort();
        note_left(player->outcome, line);
    }
}

static void take_frozen(struct player *player, struct outcome_step *step)
{
    const struct scenario *scenario = player->scenario;
    step->frozen = calloc(scenario->volume_count + 1, sizeof *step->frozen);
    for (size_t i = 0; i < scenario->volume_count; i++) {
        if (virtual_is_frozen(player->world, player_device(player, scenario->volumes[i].mount)))
            step->frozen[step->frozen_count++] = scenario->volumes[i].mount;
    }
}

static bool was_killed(const struct player *player)
{
    const struct trace *trace = &player->outcome->trace;
    for (size_t i = trace->count; i > 0 && trace->events[i - 1].step == player->step; i--) {
        if (trace->events[i - 1].role == TRACE_AGENT && trace->events[i - 1].what == TRACE_DIES)
            return true;
    }
    return false;
}

static void play_step(struct player *player, struct command *command, int number)
{
    const struct scenario_step *given = &player->scenario->steps[number];
    struct outcome_step *step = &player->outcome->steps[number];
    size_t printed = strlen(virtual_output(player->world, QZ_STREAM_RESULT));
    size_t logged = strlen(virtual_output(player->world, QZ_STREAM_LOG));
    command->player = player;
    make_words(&command->words, given, number + 1);
    player->step = number;
    player->status = -1;
    player->step_start_us = virtual_now_us(player->world);
    virtual_set_root(player->world, given->root);
    virtual_stream_on(player->world, QZ_STREAM_LOG, given->log_on);
    virtual_pause(player->world, given->after_us);
    virtual_leave_background(player->world, (size_t)number + 1 < player->scenario->step_count);
    player_start_clock_actions(player);
    player_set_blows(player);
    enum virtual_end end = virtual_run(player->world, agent, command);
    player_tell(player);
    player_note_blows(player);
    step->exit = player->status;
    step->signal = player->status < 0 && was_killed(player) ? SIGKILL : 0; /* else it stands still */
    step->out = copy(virtual_output(player->world, QZ_STREAM_RESULT) + printed);
    step->err = copy(virtual_output(player->world, QZ_STREAM_LOG) + logged);
    const char *report = virtual_file(player->world, command->words.report, NULL);
    step->result = report ? cJSON_Parse(report) : NULL;
    take_frozen(player, step);
    player_ask_oracle(player, step, end);
    if (end == VIRTUAL_HANGS)
        note_left(player->outcome, copy("the program waits for what never comes"));
}

static void play(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome)
{
    static _Thread_local struct player state; /* large, and there is one at a time */
    struct player *player = &state;
    *player = (struct player){0};
    struct command *commands = calloc(scenario->step_count, sizeof *commands);
    *outcome = (struct outcome){.steps = calloc(scenario->step_count, sizeof *outcome->steps)};
    player->scenario = scenario;
    player->outcome = outcome;
    outcome->blows_struck = calloc(scenario->blow_count + 1, sizeof *outcome->blows_struck);
    player->dues = calloc(scenario->action_count + 1, sizeof *player->dues);
    player_set_up(player, settings->seed);
    virtual_observe(player->world, player_tell, player);
    for (size_t i = 0; i < scenario->step_count; i++) {
        outcome->step_count++;
        play_step(player, &commands[i], (int)i);
    }
    if (!scenario->oracle)
        note_children(player);
    if (virtual_violation(player->world))
        note_left(outcome, copy(virtual_violation(player->world)));
    if (virtual_setting(player->world, QZ_SETTING_RCU_EXPEDITED) != scenario->rcu_expedited)
        note_left(outcome, copy("another rcu_expedited"));
    if (virtual_setting(player->world, QZ_SETTING_WRITEBACK_PERIOD) != scenario->writeback_period)
        note_left(outcome, copy("another dirty_writeback_centisecs"));
    if (virtual_open_files(player->world) > 0)
        note_left(outcome, copy("files that were not closed"));
    outcome->duration_us = virtual_now_us(player->world);
    virtual_free(player->world);
    for (size_t i = 0; i < scenario->step_count; i++)
        free_words(&commands[i].words);
    free(commands);
    free(player->dues);
}

const struct world world_virtual = {"virtual", SCENARIO_VIRTUAL, lacks, cannot, play};
