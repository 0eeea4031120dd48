/* freezes.h: machines whose volumes lie on each other, and questions to the trace about what was frozen when. */
#ifndef QUIESCE_SIM_TESTS_FREEZES_H
#define QUIESCE_SIM_TESTS_FREEZES_H

#include "run.h"

/* Adds /data<n> on RUN_DEV(n), an xfs that is stored in a file on /data<storage>. */
void freezes_add_stored(struct run *run, unsigned n, unsigned storage);

/* Volume n behaves as given; times that are 0 are those of the default: FREEZES_BEHAVE(run, 2, .freeze_error = EIO). */
#define FREEZES_BEHAVE(run, n, ...) freezes_behave(run, n, &(struct virtual_volume){__VA_ARGS__})
void freezes_behave(struct run *run, unsigned n, const struct virtual_volume *behaviour);

#define FREEZES_NOWHERE ((size_t)-1)

/* The place in the trace of the nth (from 0) entry of that kind and value (device, volume operation …), or
 * FREEZES_NOWHERE; its time, or -1; and how many there are. */
size_t freezes_place(const struct run *run, enum virtual_op what, int64_t value, size_t nth);
int64_t freezes_us(const struct run *run, enum virtual_op what, int64_t value, size_t nth);
size_t freezes_count(const struct run *run, enum virtual_op what, int64_t value);

/* When volume n was frozen, or thawed, for the first time (-1: never), and where in the trace. */
int64_t freezes_frozen_us(const struct run *run, unsigned n);
int64_t freezes_thawed_us(const struct run *run, unsigned n);
size_t freezes_frozen_place(const struct run *run, unsigned n);
size_t freezes_thawed_place(const struct run *run, unsigned n);

/* How often FITHAW was begun on the volume in that slot. */
size_t freezes_thaws_begun(const struct run *run, int slot);

/* Consistency and code of the result as one word: "crash/FreezeLost". */
const char *freezes_claim(const struct run *run);

/* A machine on which each phase of a run takes a second: pre-script, flush, freeze, snapshot, thaw, post-script. Two
 * volumes on disks of their own. And the moments in the middle of each phase. */
struct run *freezes_slow_run(void);

#define FREEZES_IN_PRE (RUN_SECOND / 2)
#define FREEZES_IN_FLUSH (RUN_SECOND + RUN_SECOND / 2)
#define FREEZES_IN_FREEZE (2 * RUN_SECOND + RUN_SECOND / 2)
#define FREEZES_IN_HOLD (3 * RUN_SECOND + RUN_SECOND / 2)
#define FREEZES_IN_THAW (4 * RUN_SECOND + RUN_SECOND / 2)
#define FREEZES_IN_POST (5 * RUN_SECOND + RUN_SECOND / 2)

enum { FREEZES_MOMENTS = 6 };
extern const int64_t freezes_moments[FREEZES_MOMENTS];

/* What is true at the end of a run, whatever befell: nothing is frozen, nothing runs, no journal is left; and (`post`)
 * a post-script has been run. */
void freezes_check_left_nothing(struct run *run, bool post);

#endif
