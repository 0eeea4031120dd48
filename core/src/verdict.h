/* verdict.h: what happened → what may be claimed. Pure.
 *
 * Source: Azure's guide (continueBackupOnFailure, fsFreezeEnabled, the single-disk rule) and quiesce(8), CONSISTENCY. */
#ifndef QUIESCE_VERDICT_H
#define QUIESCE_VERDICT_H

#include <stdbool.h>

#include "quiesce/report.h"

enum qz_freeze_state {
    QZ_FREEZE_DISABLED, /* no plugin asked for it */
    QZ_FREEZE_FAILED,   /* nothing, or not everything that was asked for, was frozen */
    QZ_FREEZE_LOST,     /* frozen, but not for the whole snapshot */
    QZ_FREEZE_HELD,     /* every volume asked for was frozen for the whole snapshot */
};

/* Facts of a run, or, before the snapshot, of a run as far as it has come. */
struct qz_verdict_facts {
    bool scripts_configured;      /* at least one plugin whose scripts were to run */
    bool scripts_failed;          /* a file refused or missing, or a pre- or post-script failed */
    bool failed_scripts_continue; /* every plugin that failed has continueBackupOnFailure (or defaults, if refused) */
    enum qz_freeze_state freeze;
    bool freeze_continue; /* every plugin that asked for freezing has continueBackupOnFailure */
    bool thaw_failed;     /* a thaw that was not ours, or not on time, or failed */
    bool single_disk;
    enum qz_snapshot_outcome snapshot;
    bool interrupted;
};

/* After the pre-scripts: should anything be frozen? After the freeze: should the snapshot be taken? (`snapshot` is
 * not looked at.) */
bool qz_verdict_may_freeze(const struct qz_verdict_facts *facts);
bool qz_verdict_may_snapshot(const struct qz_verdict_facts *facts);

enum qz_consistency qz_verdict_consistency(const struct qz_verdict_facts *facts);

enum qz_exit qz_verdict_exit(enum qz_consistency consistency);

#endif
