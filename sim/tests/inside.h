/* inside.h: what the tests of the virtual world have run in it. Times are since the world's start. */
#ifndef INSIDE_H
#define INSIDE_H

#include <sys/sysmacros.h>

#include "virtual.h"

#define DATA makedev(8, 17)
#define LOWER makedev(8, 33)
#define SECOND QZ_US_PER_S
#define MS INT64_C(1000)

int64_t inside_since_start_us(struct qz_os *os);
struct qz_event inside_wait_until(struct qz_os *os, int64_t at_us);
/* The first event of that kind; others are dropped. */
struct qz_event inside_wait_for(struct qz_os *os, enum qz_event_kind kind);

/* Opens and arms all that is mounted, in the table's order. */
void inside_open_all(struct qz_os *os);
struct qz_event inside_operate(struct qz_os *os, int slot, enum qz_volume_op op);

/* Starts a script, the pre-script of nobody. Returns what child_start does. */
int inside_start(struct qz_os *os, int slot, const char *path, struct qz_tail *out);

/* A guardian that thaws slot 0 when the agent is lost, and ends when it is let go. */
void inside_thaw_when_lost(struct qz_os *os, void *argument);

/* Freezes slot 0 for a second, with a guardian beside it. `argument`: NULL, or a bool
 * that becomes true at its end. */
void inside_hold_a_second(struct qz_os *os, void *argument);

/* A new world with an ext4 at /data, on DATA. Free with virtual_free. */
struct virtual_world *inside_world_with_data(void);

#endif
