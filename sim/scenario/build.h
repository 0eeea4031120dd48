/* build.h: from what a file says to a whole scenario, in two halves. */
#ifndef QUIESCE_SIM_SCENARIO_BUILD_H
#define QUIESCE_SIM_SCENARIO_BUILD_H

#include "read.h"

struct builder {
    struct reader *reader;
    const struct given *given;
    struct scenario *scenario;
    const char **paths; /* of all files so far: each once */
    size_t path_count;
};

/* build_files.c. Each fills its part of builder->scenario; false: a mistake. */
bool build_plugins(struct builder *builder);
bool build_plugin_host(struct builder *builder);
bool build_files(struct builder *builder);

/* The plugins that are given: those of the key "plugins", or the one of the whole file. */
const struct given_plugin *build_given_plugins(const struct given *given, size_t *count);
/* The rows that are given, or the one that succeeds at once. */
const struct scenario_attempt *build_attempts(struct builder *builder, const struct scenario_attempt *given,
                                              size_t *count);

#endif
