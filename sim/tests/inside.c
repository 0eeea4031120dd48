#include "inside.h"

#include "check.h"

int64_t inside_since_start_us(struct qz_os *os)
{
    return os->ops->now_us(os) - VIRTUAL_START_US;
}

struct qz_event inside_wait_until(struct qz_os *os, int64_t at_us)
{
    struct qz_event event;
    os->ops->wait(os, at_us == QZ_NEVER ? QZ_NEVER : at_us + VIRTUAL_START_US, &event);
    return event;
}

struct qz_event inside_wait_for(struct qz_os *os, enum qz_event_kind kind)
{
    struct qz_event event;
    do
        os->ops->wait(os, QZ_NEVER, &event);
    while (event.kind != kind);
    return event;
}

void inside_open_all(struct qz_os *os)
{
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    for (size_t i = 0; i < table.count; i++)
        CHECK_INT(os->ops->volume_open(os, (int)i, &table.mounts[i]), 0);
    CHECK_INT(os->ops->volumes_arm(os, (int)table.count), 0);
    os->hush = true; /* before anything is frozen, as in core */
    qz_mount_table_free(&table);
}

struct qz_event inside_operate(struct qz_os *os, int slot, enum qz_volume_op op)
{
    os->ops->volume_start(os, slot, op, NULL);
    return inside_wait_for(os, QZ_EVENT_VOLUME);
}

int inside_start(struct qz_os *os, int slot, const char *path, struct qz_tail *out)
{
    char *argv[] = {(char *)(uintptr_t)path, NULL};
    char *envp[] = {(char[]){"QUIESCE_PHASE=pre"}, NULL};
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    int error = os->ops->child_start(
        os,
        &(struct qz_child_spec){.slot = slot, .path = path, .facts = &facts, .argv = argv, .envp = envp, .out = out});
    qz_path_facts_free(os, &facts);
    return error;
}

void inside_thaw_when_lost(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->volumes_arm(os, 1);
    struct qz_event event;
    do
        os->ops->wait(os, QZ_NEVER, &event);
    while (event.kind != QZ_EVENT_PEER_LOST && event.kind != QZ_EVENT_DISMISSED);
    while (event.kind == QZ_EVENT_PEER_LOST && !os->ops->peer_gone(os))
        inside_wait_until(os, inside_since_start_us(os) + MS);
    if (event.kind == QZ_EVENT_PEER_LOST)
        inside_operate(os, 0, QZ_VOLUME_THAW);
}

void inside_hold_a_second(struct qz_os *os, void *argument)
{
    inside_open_all(os);
    os->ops->guard(os, inside_thaw_when_lost, NULL);
    os->ops->journal_write(os, "frozen", 6);
    inside_operate(os, 0, QZ_VOLUME_FREEZE);
    inside_wait_until(os, inside_since_start_us(os) + SECOND);
    inside_operate(os, 0, QZ_VOLUME_THAW);
    os->ops->journal_write(os, "", 0);
    os->ops->dismiss(os, false);
    if (argument)
        *(bool *)argument = true;
}

struct virtual_world *inside_world_with_data(void)
{
    struct virtual_world *world = virtual_new();
    virtual_add_ext4(world, "/data", DATA);
    return world;
}
