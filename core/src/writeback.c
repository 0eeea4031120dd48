#include "writeback.h"

#include "settings.h"

static void wake_flushers(struct qz_writeback *writeback, struct qz_os *os, int64_t now_us, int64_t dirty_bytes)
{
    bool writing;
    writeback->written_bytes = os->ops->volumes_written(os, &writing);
    writeback->under_way = qz_setting_mark(os, QZ_SETTING_WRITEBACK_PERIOD);
    qz_setting_restore(os, QZ_SETTING_WRITEBACK_PERIOD);
    writeback->rounds++;
    writeback->idle = 0;
    writeback->dirty_bytes = dirty_bytes;
    writeback->look_us = now_us + QZ_WRITEBACK_LOOK_US;
}

void qz_writeback_begin(struct qz_writeback *writeback, struct qz_os *os, int64_t now_us, int64_t until_us)
{
    int64_t dirty_bytes = os->ops->dirty_bytes(os);
    writeback->until_us = until_us;
    writeback->before_bytes = INT64_MAX;
    if (dirty_bytes >= QZ_WRITEBACK_WORTH_BYTES)
        wake_flushers(writeback, os, now_us, dirty_bytes);
}

/* A further round is for what was dirtied meanwhile. Of that only the whole machine's is known: so not after one in
 * which little was left for our disks, or not much less than in the one before. */
static bool again(const struct qz_writeback *writeback, int64_t round_bytes, int64_t dirty_bytes)
{
    return writeback->rounds < QZ_WRITEBACK_ROUNDS_MAX && dirty_bytes >= QZ_WRITEBACK_WORTH_BYTES &&
           round_bytes >= QZ_WRITEBACK_WORTH_BYTES && round_bytes < writeback->before_bytes / 2;
}

void qz_writeback_look(struct qz_writeback *writeback, struct qz_os *os, int64_t now_us)
{
    if (now_us < writeback->look_us)
        return;
    bool writing;
    int64_t round_bytes = os->ops->volumes_written(os, &writing) - writeback->written_bytes;
    bool late = now_us >= writeback->until_us;
    writeback->idle = writing ? 0 : writeback->idle + 1;
    writeback->look_us = now_us + QZ_WRITEBACK_LOOK_US;
    if (!late && writeback->idle < QZ_WRITEBACK_IDLE_LOOKS && round_bytes < QZ_WRITEBACK_COPIES * writeback->dirty_bytes)
        return;
    int64_t dirty_bytes = os->ops->dirty_bytes(os);
    writeback->under_way = false;
    if (!late && again(writeback, round_bytes, dirty_bytes))
        wake_flushers(writeback, os, now_us, dirty_bytes);
    writeback->before_bytes = round_bytes;
}
