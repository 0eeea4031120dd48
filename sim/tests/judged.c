#include "judged.h"

#define VOLUMES 4

static struct oracle_run seen_of(const struct run *run)
{
    static const char *const MOUNTS[VOLUMES] = {"/data1", "/data2", "/data3", "/data4"};
    struct oracle_run seen = {.world = run->world,
                              .end = run->end,
                              .status = run->status,
                              .result = run->json,
                              .volume_count = VOLUMES,
                              .pre_scripts = {RUN_PRE},
                              .post_scripts = {RUN_POST},
                              .plugin_count = 1,
                              .snapshot = RUN_SNAP};
    for (size_t i = 0; i < VOLUMES; i++) {
        seen.mounts[i] = MOUNTS[i];
        seen.devices[i] = RUN_DEV(i + 1);
    }
    return seen;
}

static const char *recover(struct run *run, enum judged_recovery recovery)
{
    if (recovery == JUDGED_BY_THAW && run_quiesce(run, "thaw") == -1)
        run_quiesce(run, "thaw"); /* a fault was left over for it */
    if (recovery == JUDGED_BY_THAW && run->status != 0)
        return "quiesce thaw failed to recover";
    if (recovery == JUDGED_BY_NEXT_RUN && run_quiesce(run, RUN_JSON) != QZ_EXIT_APPLICATION)
        return "the next run did not come to a backup as good as any";
    struct oracle_run seen = seen_of(run);
    return oracle_judge_recovery(&seen);
}

const char *judged(struct run *run, const struct oracle_terms *terms, enum judged_recovery recovery)
{
    bool owed;
    struct oracle_run seen = seen_of(run);
    const char *broken = oracle_judge(&seen, terms, &owed);
    return broken || !owed ? broken : recover(run, recovery);
}
