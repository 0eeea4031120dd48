/* options.h: the command line of `quiesce-sim run`, as data. */
#ifndef QUIESCE_SIM_RUN_OPTIONS_H
#define QUIESCE_SIM_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "world.h"

#define OPTIONS_REPEAT_MAX 1000000
#define OPTIONS_JOBS_MAX 256

/* Who speaks to people: "run", "crash" or "explore". */
extern const char *running_command;
#define OPTIONS_CRASH_IMAGES_MAX 100000
#define OPTIONS_SEED_MAX 9007199254740991 /* what JSON can tell exactly */

/* Strings are borrowed from argv. */
struct options {
    const char **paths; /* owned array; files or folders, at least one */
    size_t path_count;
    bool paths_given;
    const char **filters; /* owned array; patterns of which one must match */
    size_t filter_count;
    const char **tags; /* owned array; of each element one must hold */
    size_t tag_count;
    unsigned worlds; /* bits; 0: all */
    bool list;
    bool failed;
    bool keep;
    bool tap;
    bool update;
    int jobs; /* 0: not given */
    int crash_images; /* 0: not given */
    int shard; /* from 1, of `shards`; 0: not given */
    int shards;
    int repeat;
    int64_t timeout_us; /* 0: each scenario's own */
    bool seed_given;
    uint64_t seed;
    const char *junit;
    const char *html;
    const char *json;
    const char *binary; /* NULL: to be found */
};

enum options_parse { OPTIONS_GO, OPTIONS_HELP, OPTIONS_WRONG };

/* Reads argv (argv[0] is the command's name). `worlds` are those there are, ended by NULL. OPTIONS_WRONG: `message`
 * says in one line what was found and what is allowed. Free with options_free in any case. */
enum options_parse options_parse(const struct world *const *worlds, int argc, char **argv, struct options *options,
                                 char *message, size_t message_size);
void options_free(struct options *options);
void options_help(FILE *out);

#endif
