/* foresee.h: what `check` can see of scripts that may be run and will fail all the same. */
#ifndef QUIESCE_FORESEE_H
#define QUIESCE_FORESEE_H

#include "plan.h"

/* Warns of runnable scripts that are still the template of `quiesce init`, or whose interpreter the kernel would not find
 * (execve(2), "Interpreter scripts"). What cannot be looked at is passed over. */
void qz_foresee(struct qz_os *os, const struct qz_plan *plan, struct qz_warning_list *warnings);

#endif
