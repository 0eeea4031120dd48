#include "freezes.h"

#include <stdio.h>

void freezes_add_stored(struct run *run, unsigned n, unsigned storage)
{
    char mount_point[16];
    dev_t lower[] = {RUN_DEV(storage)};
    snprintf(mount_point, sizeof mount_point, "/data%u", n);
    virtual_add_mount(run->world, &(struct qz_mount){.dev = RUN_DEV(n),
                                                     .mount_point = mount_point,
                                                     .fstype = (char[]){"xfs"},
                                                     .source = (char[]){"/dev/loop0"},
                                                     .block_backed = true,
                                                     .below = lower,
                                                     .below_count = 1,
                                                     .disks = lower,
                                                     .disk_count = 1});
}

void freezes_behave(struct run *run, unsigned n, const struct virtual_volume *behaviour)
{
    struct virtual_volume whole = *behaviour, plain = VIRTUAL_VOLUME_DEFAULT;
    whole.sync_us = behaviour->sync_us ? behaviour->sync_us : plain.sync_us;
    whole.freeze_us = behaviour->freeze_us ? behaviour->freeze_us : plain.freeze_us;
    whole.thaw_us = behaviour->thaw_us ? behaviour->thaw_us : plain.thaw_us;
    virtual_set_volume(run->world, RUN_DEV(n), &whole);
}

size_t freezes_place(const struct run *run, enum virtual_op what, int64_t value, size_t nth)
{
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        if (trace[i].what == what && trace[i].value == value && nth-- == 0)
            return i;
    return FREEZES_NOWHERE;
}

int64_t freezes_us(const struct run *run, enum virtual_op what, int64_t value, size_t nth)
{
    size_t count, place = freezes_place(run, what, value, nth);
    return place == FREEZES_NOWHERE ? -1 : virtual_trace(run->world, &count)[place].at_us;
}

size_t freezes_count(const struct run *run, enum virtual_op what, int64_t value)
{
    size_t seen = 0;
    while (freezes_place(run, what, value, seen) != FREEZES_NOWHERE)
        seen++;
    return seen;
}

int64_t freezes_frozen_us(const struct run *run, unsigned n)
{
    return freezes_us(run, VIRTUAL_DID_FROZEN, (int64_t)RUN_DEV(n), 0);
}

int64_t freezes_thawed_us(const struct run *run, unsigned n)
{
    return freezes_us(run, VIRTUAL_DID_THAWED, (int64_t)RUN_DEV(n), 0);
}

size_t freezes_frozen_place(const struct run *run, unsigned n)
{
    return freezes_place(run, VIRTUAL_DID_FROZEN, (int64_t)RUN_DEV(n), 0);
}

size_t freezes_thawed_place(const struct run *run, unsigned n)
{
    return freezes_place(run, VIRTUAL_DID_THAWED, (int64_t)RUN_DEV(n), 0);
}

size_t freezes_thaws_begun(const struct run *run, int slot)
{
    size_t count, thaws = 0;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = 0; i < count; i++)
        thaws += trace[i].what == VIRTUAL_OP_VOLUME_START && trace[i].slot == slot && trace[i].value == QZ_VOLUME_THAW;
    return thaws;
}

const char *freezes_claim(const struct run *run)
{
    static char claim[100];
    const char *consistency = run_text(run, "consistency"), *code = run_text(run, "code");
    snprintf(claim, sizeof claim, "%s/%s", consistency ? consistency : "(no result)", code ? code : "(no code)");
    return claim;
}

const int64_t freezes_moments[FREEZES_MOMENTS] = {FREEZES_IN_PRE,  FREEZES_IN_FLUSH, FREEZES_IN_FREEZE,
                                                  FREEZES_IN_HOLD, FREEZES_IN_THAW,  FREEZES_IN_POST};

struct run *freezes_slow_run(void)
{
    struct run *run = run_new(2);
    RUN_SCRIPT(run, RUN_PRE, {.run_us = RUN_SECOND});
    RUN_SCRIPT(run, RUN_POST, {.run_us = RUN_SECOND});
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = RUN_SECOND});
    for (unsigned n = 1; n <= 2; n++)
        FREEZES_BEHAVE(run, n, .sync_us = RUN_SECOND, .freeze_us = RUN_SECOND, .thaw_us = RUN_SECOND);
    return run;
}

void freezes_check_left_nothing(struct run *run, bool post)
{
    CHECK_INT(run->end, VIRTUAL_OVER);
    CHECK_INT(virtual_frozen_count(run->world), 0);
    CHECK_INT(virtual_alive(run->world), 0);
    CHECK_STRING(virtual_journal(run->world), "");
    CHECK_INT(virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED), 0);
    CU_ASSERT(!post || virtual_starts_of(run->world, RUN_POST) >= 1);
}
