/* scene.h: scenarios built by hand and played in a real world, for tests of the player.
 *
 * A play needs a process of its own (namespaces): it is one, under a harness's folder of its own with a rescuer beside
 * it (sweep.h), and what came of it comes back as a struct played. */
#ifndef QUIESCE_SIM_TESTS_SCENE_H
#define QUIESCE_SIM_TESTS_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "world.h"

#define SCENE_VOLUMES 4
#define SCENE_FAULTS 4
#define SCENE_ACTIONS 8
#define SCENE_STEPS 3
#define SCENE_WORDS 16

/* A scenario with room for what tests add. scene_set gives it an ext4 filesystem /data, one plugin whose scripts
 * succeed and may take a second, a snapshot command that succeeds, and one step: run --volume /data -- snapshot. */
struct scene {
    struct scenario scenario;
    struct scenario_volume volumes[SCENE_VOLUMES];
    struct scenario_plugin plugin;
    struct scenario_plugin plugins[2]; /* of scene_two_plugins */
    struct scenario_file plugin_host;
    struct scenario_attempt pre;
    struct scenario_attempt post;
    struct scenario_attempt snapshot;
    struct scenario_fault faults[SCENE_FAULTS];
    struct scenario_action actions[SCENE_ACTIONS];
    struct scenario_step steps[SCENE_STEPS];
    const char *words[SCENE_STEPS][SCENE_WORDS];
    const struct world *world;
    const char *quiesce; /* the binary under test */
    bool no_cgroups;     /* on a machine without control groups */
};

void scene_set(struct scene *scene);
/* Its scripts have a second, and not as long as usual. */
void scene_short_timeout(struct scene *scene);
/* Two plugins, "first" with the scripts of scene_set, "second" with one whose pre-script does what `pre` says. */
void scene_two_plugins(struct scene *scene, const struct scenario_attempt *pre);
void scene_step(struct scene *scene, const char *words);      /* one more, its words apart by spaces */
void scene_only_step(struct scene *scene, const char *words); /* instead of those there are */
struct scenario_volume *scene_volume(struct scene *scene, const char *mount);
struct scenario_fault *scene_fault(struct scene *scene, enum scenario_op op, const char *volume);
struct scenario_action *scene_action(struct scene *scene, const char *when, enum scenario_action_kind kind); /* /data */
/* A signal at a line. */
void scene_send(struct scene *scene, const char *when, enum scenario_target target, int signal_number);
/* The program of a script, instead of a behaviour. */
void scene_program(struct scenario_script *script, const char *text);

/* What came of it. */
struct played {
    cJSON *json; /* {"lines": […], "writes": […], "steps": [{"exit", "signal", "out", "err", "result", "frozen"}], …} */
};

/* Plays. False: the world can't be had here, or does not work; the rule was skipped, or has failed. Free with
 * played_free in either case. With SCENE_SHOW in the environment, prints all of it. */
bool scene_play(struct scene *scene, struct played *played);
void played_free(struct played *played);

int played_line(const struct played *played, const char *pattern, int from); /* the first match from there on; -1 */
int played_count(const struct played *played, const char *pattern);
int64_t played_writes(const struct played *played, int line);
const char *played_text(const struct played *played, const char *key); /* left, refused; "" if there is none */
int played_exit(const struct played *played, int step);
int played_signal(const struct played *played, int step);
/* longest_stall_us, snapshots (taken and clean), call_matches (of the first call) */
int64_t played_number(const struct played *played, const char *key);
const char *played_of_step(const struct played *played, int step, const char *key); /* out, err */
const char *played_result(const struct played *played, int step, const char *key);
bool played_frozen(const struct played *played, int step, const char *mount);

/* The lines must match the patterns (NULL-terminated), in this order; others may come between. */
void check_order(const char *file, unsigned line, const struct played *played, const char *const *patterns);
#define CHECK_ORDER(played, ...) check_order(__FILE__, __LINE__, played, (const char *const[]){__VA_ARGS__, NULL})

#endif
