#include "expedite.h"

#include <stdio.h>
#include <string.h>

#include "settings.h"

bool qz_expedite_plan(struct qz_os *os, enum qz_expedite mode, char *why)
{
    int value = 0;
    const char *spared = mode == QZ_EXPEDITE_AUTO ? os->ops->rcu_spared(os) : NULL;
    why[0] = '\0';
    if (mode == QZ_EXPEDITE_NEVER)
        return false;
    if (spared) {
        snprintf(why, QZ_DETAIL_SIZE, "%s", spared);
        return false;
    }
    int failed = os->ops->setting_get(os, QZ_SETTING_RCU_EXPEDITED, &value);
    if (failed)
        snprintf(why, QZ_DETAIL_SIZE, "/sys/kernel/rcu_expedited: %s", strerror(failed));
    return failed == 0;
}

void qz_expedite_begin(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    if (!hold->expedite)
        return;
    hold->expedite_until_us = now_us + QZ_EXPEDITE_LIMIT_US; /* before it is done: whoever takes over must see to it */
    hold->expedited = qz_setting_mark(freezer->os, QZ_SETTING_RCU_EXPEDITED);
    if (!qz_freezer_drives(freezer))
        qz_setting_restore(freezer->os, QZ_SETTING_RCU_EXPEDITED); /* who has taken over meanwhile has looked already */
}

void qz_expedite_end(struct qz_freezer *freezer, int64_t now_us)
{
    struct qz_hold *hold = freezer->hold;
    if (hold->expedite_until_us == QZ_NEVER)
        return;
    bool failed = qz_setting_restore(freezer->os, QZ_SETTING_RCU_EXPEDITED) != 0;
    hold->expedite_until_us = failed ? now_us + QZ_EXPEDITE_LIMIT_US : QZ_NEVER; /* or tried again then */
}
