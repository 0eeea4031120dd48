/* contract.h: what every implementation of struct qz_os owes to core.
 *
 * The rules stand in contract_*.c, once. Each world that they are checked in gives what only it can: how a script with a
 * certain behaviour comes about, how somebody else freezes a volume. A rule is run inside a process of that world. */
#ifndef QUIESCE_SIM_CONTRACT_H
#define QUIESCE_SIM_CONTRACT_H

#include "quiesce/os.h"

struct contract {
    struct qz_os *os;
    const char *directory; /* root's, empty, absolute; files may be made there */
};

enum contract_script {
    CONTRACT_EXITS_3,
    CONTRACT_KILLS_ITSELF,     /* by SIGKILL */
    CONTRACT_WRITES,           /* CONTRACT_OUTPUT bytes "0123456789…" to standard output, "oops" to standard error */
    CONTRACT_SLEEPS,           /* for a minute */
    CONTRACT_SLEEPS_DEAF,      /* … and does not heed SIGTERM */
    CONTRACT_LEAVES_A_CHILD,   /* exits 0; a grandchild in a session of its own sleeps for a minute */
    CONTRACT_SCRIPTS
};

#define CONTRACT_OUTPUT 200000

/* Runs a rule in a new world of its own. A rule with a volume finds an ext4 filesystem, and is skipped where there can
 * be none. */
void contract_run(void (*rule)(struct contract *contract));
/* … of which the process that it is run in may end; with another status than 0, if something is wrong. */
void contract_run_apart(void (*rule)(struct contract *contract));
void contract_run_with_volume(void (*rule)(struct contract *contract, const char *mount_point));

/* Makes a script in the contract's directory and returns its path. */
const char *contract_script(struct contract *contract, enum contract_script kind);
void contract_link(struct contract *contract, const char *target, const char *path);
/* Somebody puts another file in the place of this one. */
void contract_swap(struct contract *contract, const char *path);
/* SIGTERM for the process that runs the rule. */
void contract_raise(struct contract *contract);
/* Another process has the lock, until the rule is over. */
void contract_others_lock(struct contract *contract);

/* Somebody sets rcu_expedited; in rules with a volume, which begin with 0. */
void contract_others_rcu(struct contract *contract, int value);

/* Of the volume that the rule was given: */
void contract_others_freeze(struct contract *contract);
void contract_others_thaw(struct contract *contract);
void contract_cover(struct contract *contract); /* something else is mounted on its mount point */

#endif
