/* expedite.h: RCU grace periods made short while filesystems are being frozen, and no longer.
 *
 * FIFREEZE waits for several RCU grace periods, and with it every writer; nothing else makes a freeze of an idle filesystem
 * long. Where /sys/kernel/rcu_expedited is not 0 they are over in a fraction of a millisecond, at the price of an interrupt
 * to every processor that is at work. The setting is the whole machine's, so it has to be put back whatever happens
 * (settings.h). */
#ifndef QUIESCE_EXPEDITE_H
#define QUIESCE_EXPEDITE_H

#include <stdbool.h>

#include "fsfreeze.h"
#include "quiesce/session.h"

/* However long the freeze takes, it is not expedited for longer. */
#define QZ_EXPEDITE_LIMIT_US 250000

/* Is a freeze to be expedited, and can it be? Before the guardian is forked: it inherits what was opened. If not, `why`
 * (QZ_DETAIL_SIZE bytes) says so, or is empty where that was asked for. */
bool qz_expedite_plan(struct qz_os *os, enum qz_expedite mode, char *why);

/* For a hold whose freeze is to be expedited, else nothing: from now on; and not any more, from `until_us` at the
 * latest. Allocate nothing. */
void qz_expedite_begin(struct qz_freezer *freezer, int64_t now_us);
void qz_expedite_end(struct qz_freezer *freezer, int64_t now_us);

#endif
