/* fsfreeze_presync.c: how often everything is flushed before it is frozen. */
#include "fsfreeze.h"

void qz_presync_begin(struct qz_presync *presync, int64_t now_us)
{
    presync->before_us = presync->rounds > 0 ? now_us - presync->begin_us : QZ_NEVER;
    presync->rounds++;
    presync->begin_us = now_us;
}

bool qz_presync_again(const struct qz_presync *presync, int64_t now_us, int64_t freeze_timeout_us)
{
    int64_t last_us = now_us - presync->begin_us, gone_us = now_us - presync->first_us;
    return presync->rounds < QZ_PRESYNC_ROUNDS_MAX && last_us >= QZ_PRESYNC_WORTH_US &&
           last_us < presync->before_us / 2 && gone_us + last_us <= freeze_timeout_us / 2;
}
