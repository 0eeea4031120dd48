/* worlds.c: the worlds there are. */
#include "commands.h"
#include "run_command.h"

static const struct world *const WORLDS[] = {
    &world_virtual,
    &world_fake,
    &world_loop,
    NULL,
};

int command_run(int argc, char **argv)
{
    return run_in_worlds(WORLDS, argc, argv);
}
