/* The contract in the virtual world. */
#include <signal.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "check.h"
#include "contract.h"
#include "virtual.h"

#define DIRECTORY "/srv/contract"
#define MOUNT_POINT "/srv/volume"
#define DEVICE makedev(7, 0)

static struct virtual_world *world;

struct run {
    void (*rule)(struct contract *);
    void (*rule_with_volume)(struct contract *, const char *);
};

static void agent(struct qz_os *os, void *argument)
{
    const struct run *run = argument;
    struct contract contract = {.os = os, .directory = DIRECTORY};
    if (run->rule)
        run->rule(&contract);
    else
        run->rule_with_volume(&contract, MOUNT_POINT);
}

static void run_in_world(struct run *run)
{
    world = virtual_new();
    virtual_add_directory(world, DIRECTORY, 0, 0755);
    virtual_add_ext4(world, MOUNT_POINT, DEVICE);
    CHECK_INT(virtual_run(world, agent, run), VIRTUAL_OVER);
    CU_ASSERT_PTR_NULL(virtual_violation(world));
    CHECK_INT(virtual_open_files(world), 0);
    CHECK_INT(virtual_frozen_count(world), 0);
    CHECK_INT(virtual_alive(world), 0);
    virtual_free(world);
}

void contract_run(void (*rule)(struct contract *contract))
{
    run_in_world(&(struct run){.rule = rule});
}

void contract_run_apart(void (*rule)(struct contract *contract))
{
    contract_run(rule); /* its processes are none of the machine's */
}

void contract_run_with_volume(void (*rule)(struct contract *contract, const char *mount_point))
{
    run_in_world(&(struct run){.rule_with_volume = rule});
}

const char *contract_script(struct contract *contract, enum contract_script kind)
{
    static const struct virtual_attempt attempts[CONTRACT_SCRIPTS] = {
        [CONTRACT_EXITS_3] = {.run_us = 1000, .status = 3},
        [CONTRACT_KILLS_ITSELF] = {.run_us = 1000, .signal = SIGKILL},
        [CONTRACT_WRITES] = {.run_us = 5000, .out = "0123456789", .out_size = CONTRACT_OUTPUT, .err = "oops"},
        [CONTRACT_SLEEPS] = {.run_us = 60 * QZ_US_PER_S},
        [CONTRACT_SLEEPS_DEAF] = {.run_us = 60 * QZ_US_PER_S, .ignores_term = true},
        [CONTRACT_LEAVES_A_CHILD] = {.run_us = 1000, .leftovers = 1, .leftover_us = 60 * QZ_US_PER_S},
    };
    static const char path[] = DIRECTORY "/script";
    (void)contract;
    virtual_add_file(world, path, 0, 0700, "#!/bin/sh\n");
    virtual_set_script(world, path, &attempts[kind], 1);
    return path;
}

void contract_link(struct contract *contract, const char *target, const char *path)
{
    (void)contract;
    virtual_add_symlink(world, path, target);
}

void contract_swap(struct contract *contract, const char *path)
{
    (void)contract;
    virtual_add_file(world, path, 0, 0700, virtual_file(world, path, NULL));
}

void contract_raise(struct contract *contract)
{
    (void)contract;
    virtual_signal_at(world, VIRTUAL_AGENT, SIGTERM, virtual_now_us(world));
}

void contract_others_lock(struct contract *contract)
{
    (void)contract;
    virtual_lock_by_other(world, QZ_NEVER);
}

void contract_others_rcu(struct contract *contract, int value)
{
    (void)contract;
    virtual_set(world, QZ_SETTING_RCU_EXPEDITED, value);
}

/* What somebody else does takes effect in the next wait. */
static void let_happen(struct contract *contract)
{
    struct qz_event event;
    contract->os->ops->wait(contract->os, 0, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
}

void contract_others_freeze(struct contract *contract)
{
    virtual_foreign_freeze(world, DEVICE, virtual_now_us(world));
    let_happen(contract);
}

void contract_others_thaw(struct contract *contract)
{
    virtual_foreign_thaw(world, DEVICE, virtual_now_us(world));
    let_happen(contract);
}

void contract_cover(struct contract *contract)
{
    (void)contract;
    virtual_add_mount(world, &(struct qz_mount){.dev = makedev(0, 50),
                                                .mount_point = (char[]){MOUNT_POINT},
                                                .fstype = (char[]){"tmpfs"},
                                                .source = (char[]){"none"}});
}
