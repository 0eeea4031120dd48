/* run_command.h: `quiesce-sim run`, in the worlds one has. */
#ifndef QUIESCE_SIM_RUN_COMMAND_H
#define QUIESCE_SIM_RUN_COMMAND_H

#include "world.h"

/* As command_run (commands.h), with `worlds` (ended by NULL) instead of those of worlds.c. */
int run_in_worlds(const struct world *const *worlds, int argc, char **argv);

#endif
