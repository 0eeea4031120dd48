#include "verdict.h"

static bool freeze_broke(const struct qz_verdict_facts *facts)
{
    return facts->freeze == QZ_FREEZE_FAILED || facts->freeze == QZ_FREEZE_LOST;
}

/* Did something fail whose owner wants no backup then? */
static bool forbidden(const struct qz_verdict_facts *facts)
{
    return (facts->scripts_failed && !facts->failed_scripts_continue) ||
           (freeze_broke(facts) && !facts->freeze_continue);
}

bool qz_verdict_may_freeze(const struct qz_verdict_facts *facts)
{
    bool scripts_forbid = facts->scripts_failed && !facts->failed_scripts_continue;
    return !facts->interrupted && facts->freeze != QZ_FREEZE_DISABLED && !scripts_forbid;
}

bool qz_verdict_may_snapshot(const struct qz_verdict_facts *facts)
{
    return !facts->interrupted && (facts->single_disk || !forbidden(facts));
}

enum qz_consistency qz_verdict_consistency(const struct qz_verdict_facts *facts)
{
    if (facts->snapshot != QZ_SNAPSHOT_TAKEN || !qz_verdict_may_snapshot(facts))
        return QZ_NONE;
    if (forbidden(facts) || freeze_broke(facts))
        return QZ_CRASH;
    if (facts->scripts_configured && !facts->scripts_failed && !facts->thaw_failed)
        return QZ_APPLICATION;
    return facts->freeze == QZ_FREEZE_HELD ? QZ_FILESYSTEM : QZ_CRASH;
}

enum qz_exit qz_verdict_exit(enum qz_consistency consistency)
{
    switch (consistency) {
    case QZ_APPLICATION:
        return QZ_EXIT_APPLICATION;
    case QZ_FILESYSTEM:
        return QZ_EXIT_FILESYSTEM;
    case QZ_CRASH:
        return QZ_EXIT_CRASH;
    case QZ_NONE:
        break;
    }
    return QZ_EXIT_NONE;
}
