/* settings.h: settings of the whole machine that a run changes for a moment, and puts back whatever happens.
 *
 * For that moment a number stands there that nobody else uses, and that tells what stood there before. So nothing has to be
 * remembered for whoever comes after a crash: who finds such a mark knows that a quiesce has put it there, and what to write
 * in its place. A mark is put only where a usual number stands, and only a mark is taken away: what anybody else has written
 * stays. Of two runs at one time, which can be only under two state directories, one may take the mark away early for the
 * other: that costs speed, and nothing else. */
#ifndef QUIESCE_SETTINGS_H
#define QUIESCE_SETTINGS_H

#include <stdbool.h>

#include "quiesce/os.h"

/* In place of rcu_expedited's 0. The kernel keeps any number. */
#define QZ_MARK_EXPEDITED 71563

/* The writeback period is marked where it is whole seconds, by so many centiseconds more: it is as good as before,
 * should a mark ever stay. 0 is no period but says that the disks are not to be woken up, and stays. */
#define QZ_MARK_PERIOD 63
#define QZ_MARK_PERIOD_UNIT 100
#define QZ_MARK_PERIOD_MAX 1000000

/* Puts the mark, if a usual number stands there. Returns whether the mark stands there now, put by us. */
bool qz_setting_mark(struct qz_os *os, enum qz_setting setting);

/* Takes the mark away, if it stands there. Returns 0 or the errno for which it stays. */
int qz_setting_restore(struct qz_os *os, enum qz_setting setting);

/* All of them, for who may come after a dead one. */
void qz_settings_restore(struct qz_os *os);

#endif
