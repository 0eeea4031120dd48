/* loop_volumes.h: ext4 filesystems of the test's own on loop devices. Nothing else is ever frozen here.
 *
 * A process apart, which needs nothing from the test, thaws them all after twenty seconds. */
#ifndef QUIESCE_TESTS_LOOP_VOLUMES_H
#define QUIESCE_TESTS_LOOP_VOLUMES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct loop_volumes {
    char directory[64];
    int count;
    pid_t rescuer;
};

/* Makes and mounts `count` filesystems. With `nested` the second one's image lies on the first one. False: it can't be
 * done here, and the rule was skipped. */
bool loop_volumes_make(struct loop_volumes *volumes, int count, bool nested);

/* Where volume `index` is mounted; good until the next call. */
const char *loop_volumes_path(const struct loop_volumes *volumes, int index);

bool loop_volumes_frozen(const struct loop_volumes *volumes, int index);

/* A freeze of the second one hangs, because the first one is frozen: lets it end, as it must, and thaws both. */
void loop_volumes_end_hang(const struct loop_volumes *volumes);

/* Thaws, unmounts and removes them all: a rule that leaves one behind has failed. */
void loop_volumes_remove(struct loop_volumes *volumes);

#endif
