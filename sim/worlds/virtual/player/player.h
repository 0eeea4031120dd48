/* player.h: what the rooms that play a scenario in the virtual world know of each other.
 *
 *   play.c   the world's row, step by step     setup.c  scenario → machine
 *   story.c  the machine's trace → the common one     actions.c  what is done at its lines
 *   verdict.c  scenario and machine → the oracle */
#ifndef QUIESCE_SIM_PLAYER_H
#define QUIESCE_SIM_PLAYER_H

#include "../../world.h"
#include "virtual.h"

#define PLAYER_SNAPSHOT "snapshot" /* the command's name, as scenarios say it */
#define PLAYER_REPORTS "/quiesce-sim"

/* Who runs in a slot of the program's: the last script or snapshot command that was started there. */
struct player_child {
    enum trace_role role; /* TRACE_PRE, TRACE_POST, TRACE_SNAPSHOT */
    int attempt;
    const char *plugin;
    bool running;
    bool failed;
    int leftovers; /* processes that it left, alive */
};

#define PLAYER_SLOTS 256   /* more than twice as many as plugins can be */
#define PLAYER_VOLUMES 1024

/* An action, and how it stands with it. */
struct player_due {
    struct player *player;
    const struct scenario_action *action;
    int matches; /* of its pattern so far */
};

struct player {
    const struct scenario *scenario;
    struct virtual_world *world;
    struct outcome *outcome;
    int step;
    int status;                /* of the agent; -1: it has not ended by itself */
    size_t told;               /* entries of the machine's trace that were told */
    size_t started;            /* children that the machine has started so far */
    struct player_child children[PLAYER_SLOTS];
    const char *volumes[PLAYER_VOLUMES]; /* slot → the volume's mount point as the scenario names it */
    struct player_due *dues;   /* one for each action */
    int64_t step_start_us;
    bool owed;                 /* the oracle waits for a recovery */
};

/* ---- setup.c ---------------------------------------------------------------------------------------------------- */

void player_set_up(struct player *player, uint64_t seed);
void player_set_blows(struct player *player); /* those of its step */
void player_note_blows(struct player *player); /* which of them have struck */
dev_t player_device(const struct player *player, const char *mount); /* of the volume that is named so */
/* The volume that has this mount point, as the scenario names it; NULL: none. */
const char *player_volume(const struct scenario *scenario, const char *mount_point);

/* ---- story.c ---------------------------------------------------------------------------------------------------- */

/* Tells what happened since the last call; a virtual_observe callback. */
void player_tell(void *player);
void player_add(struct player *player, struct trace_event event);

/* ---- verdict.c -------------------------------------------------------------------------------------------------- */

/* Asks the oracle about the step that has just been played, if the scenario wants that. */
void player_ask_oracle(struct player *player, const struct outcome_step *step, enum virtual_end end);

/* ---- actions.c -------------------------------------------------------------------------------------------------- */

void player_start_clock_actions(struct player *player);
void player_match_actions(struct player *player, const struct trace_event *event);

#endif
