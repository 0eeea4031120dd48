/* expedite.h: RCU grace periods made short while filesystems are being frozen, and no longer.
 *
 * FIFREEZE waits for several RCU grace periods, and with it every writer; nothing else makes a freeze of an idle filesystem
 * long. Where /sys/kernel/rcu_expedited is not 0 they are over in a fraction of a millisecond, at the price of an interrupt
 * to every processor that is at work. The setting is the whole machine's, so it has to be put back whatever happens.
 *
 * The kernel keeps any number that is written there. Ours is QZ_EXPEDITE_MARK; it is written only where 0 stood, and 0 is
 * written only where it stands. So nothing has to be remembered for whoever comes after a crash: the mark says that a
 * quiesce has put it there, and that there was a 0. What anybody else has written stays. Of two runs at one time, which
 * can be only under two state directories, one may put it back early for the other: that costs speed, and nothing else. */
#ifndef QUIESCE_EXPEDITE_H
#define QUIESCE_EXPEDITE_H

#include <stdbool.h>

#include "fsfreeze.h"
#include "quiesce/session.h"

#define QZ_EXPEDITE_MARK 71563

/* However long the freeze takes, it is not expedited for longer. */
#define QZ_EXPEDITE_LIMIT_US 250000

/* Is a freeze to be expedited, and can it be? Before the guardian is forked: it inherits what was opened. If not, `why`
 * (QZ_DETAIL_SIZE bytes) says so, or is empty where that was asked for. */
bool qz_expedite_plan(struct qz_os *os, enum qz_expedite mode, char *why);

/* Puts 0 where the mark stands. Returns 0 or the errno with which the mark could not be taken away. */
int qz_expedite_restore(struct qz_os *os);

/* For a hold whose freeze is to be expedited, else nothing: from now on; and not any more, from `until_us` at the latest.
 * Allocate nothing. */
void qz_expedite_begin(struct qz_freezer *freezer, int64_t now_us);
void qz_expedite_end(struct qz_freezer *freezer, int64_t now_us);

#endif
