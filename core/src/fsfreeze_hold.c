/* fsfreeze_hold.c: the shared record of a hold, and what can be told from it. */
#include <stdio.h>
#include <string.h>

#include "fsfreeze.h"

size_t qz_hold_size(size_t count)
{
    return sizeof(struct qz_hold) + count * sizeof(struct qz_hold_volume);
}

void qz_hold_init(struct qz_hold *hold, const char *run_id, const struct qz_volume *volumes, size_t count,
                  int64_t freeze_timeout_us, int64_t hold_limit_us)
{
    memset(hold, 0, qz_hold_size(count));
    snprintf(hold->run_id, sizeof hold->run_id, "%s", run_id);
    hold->count = (int)count;
    hold->freeze_timeout_us = freeze_timeout_us;
    hold->hold_limit_us = hold_limit_us;
    hold->freeze_deadline_us = QZ_NEVER;
    hold->hold_deadline_us = QZ_NEVER;
    hold->thaw_begin_us = QZ_NEVER;
    hold->expedite_until_us = QZ_NEVER;
    for (size_t i = 0; i < count; i++) {
        hold->volumes[i].order = volumes[i].order;
        if (volumes[i].order >= hold->levels)
            hold->levels = volumes[i].order + 1;
    }
}

bool qz_hold_any(const struct qz_hold *hold, enum qz_hold_volume_state state)
{
    for (int i = 0; i < hold->count; i++)
        if (hold->volumes[i].state == (int)state)
            return true;
    return false;
}

int64_t qz_hold_freezing_deadline(const struct qz_hold *hold)
{
    int64_t freeze_us = hold->freeze_deadline_us, hold_us = hold->hold_deadline_us;
    return freeze_us < hold_us ? freeze_us : hold_us;
}

bool qz_hold_owes(const struct qz_hold *hold)
{
    return qz_hold_any(hold, QZ_HOLD_FREEZING_NOW) || qz_hold_any(hold, QZ_HOLD_FROZEN) ||
           qz_hold_any(hold, QZ_HOLD_THAWING_NOW) || qz_hold_any(hold, QZ_HOLD_THAW_FAILED);
}
