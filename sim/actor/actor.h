/* actor.h: what the files of quiesce-sim-actor need of each other. */
#ifndef QUIESCE_SIM_ACTOR_H
#define QUIESCE_SIM_ACTOR_H

#include <stdbool.h>

/* Copies the disks that SANDBOX_COPY_LIST names, if there is one. False: errno. */
bool actor_copy_disks(void);

#endif
