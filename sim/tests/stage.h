/* stage.h: tests of sandboxes. Each sandbox is opened in a process of its own (it becomes the player), under a
 * harness's folder of its own; a process apart, which needs nothing from the test, sweeps that folder after some
 * seconds. */
#ifndef QUIESCE_TESTS_STAGE_H
#define QUIESCE_TESTS_STAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parts.h"
#include "sandbox.h"

#define MIB INT64_C(1048576)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Volumes as large as they need be. */
#define EXT4(at) {.mount = at, .type = "ext4", .size = 16 * MIB}
#define XFS(at) {.mount = at, .type = "xfs", .size = 300 * MIB}
#define BTRFS(at) {.mount = at, .type = "btrfs", .size = 128 * MIB}

/* What a player hands to the test: shared memory. */
struct stage_notes {
    bool opened;
    bool closed;
    char why[512];     /* it was not opened */
    char left[4096];   /* outcome.left, a line each */
    char text[65536];  /* of the act */
    int64_t numbers[32];
};

/* A harness: the folder, and who sweeps it. */
struct stage {
    char folder[PATH_MAX];
    pid_t rescuer;
    pid_t alarm;
    struct stage_notes *notes;
};

/* False: it can't be done here, and the rule was skipped. */
bool stage_open(struct stage *stage);
/* Sweeps, and fails the test if anything was left that bears the mark. */
void stage_close(struct stage *stage);

/* Settings of the world for scenario folder `name` of the stage. Good until the next call. */
const struct world_settings *stage_settings(const struct stage *stage, const char *name);

/* In the player: what is done in an open sandbox. */
typedef void (*stage_act)(struct sandbox *sandbox, struct stage_notes *notes);

/* Starts a player: it opens, acts, closes, and ends. `sandbox`: what the caller of sandbox_open gives. */
pid_t stage_start(const struct stage *stage, const char *name, const struct sandbox *given, stage_act act,
                  struct stage_notes *notes);
/* Waits for a player, half a minute at most. Did it end by itself? */
bool stage_wait(pid_t player);
/* A whole play with the stage's own notes, and a stage of its own. False: the rule was skipped. */
bool stage_play(const struct sandbox *given, stage_act act, struct stage_notes *notes);

/* What a play of these came to. */
extern struct stage_notes stage_seen;
/* Plays with these volumes and nothing else, or with this scenario, and checks that it could be. False: skipped. */
bool stage_volumes(const struct scenario_volume *volumes, size_t count, stage_act act);
bool stage_scenario(const struct scenario *scenario, stage_act act);

/* In the player: runs a shell command inside, without a gate; its output, both streams, at the end of notes->text.
 * Returns its status as waitpid has it. */
int stage_shell(struct sandbox *sandbox, struct stage_notes *notes, const char *command);

/* How many things (processes, loop devices, control groups) bear the mark of the stage, or of its scenario `name`. */
int stage_count_marked(const struct stage *stage, const char *name);

#endif
