/* contract_rules.h: how a rule of the contract (contract.h) is written, and what rules of several rooms share. */
#ifndef QUIESCE_SIM_CONTRACT_RULES_H
#define QUIESCE_SIM_CONTRACT_RULES_H

#include "check.h"
#include "contract.h"

/* Here a rule is given its world: QZ_TEST(rule) { … contract->os … }, QZ_TEST_WITH_VOLUME the same with a volume, and
 * QZ_TEST_APART one whose process may end in the rule. */
#undef QZ_TEST
#define RULE(rule, runner, ...)                                                  \
    static void rule(__VA_ARGS__);                                               \
    static void run_##rule(void)                                                 \
    {                                                                            \
        runner(rule);                                                            \
    }                                                                            \
    __attribute__((constructor)) static void check_register_##rule(void)         \
    {                                                                            \
        static struct check_rule entry = {#rule, run_##rule, NULL};              \
        check_register(&entry);                                                  \
    }                                                                            \
    static void rule(__VA_ARGS__)
#define QZ_TEST(rule) RULE(rule, contract_run, struct contract *contract)
#define QZ_TEST_APART(rule) RULE(rule, contract_run_apart, struct contract *contract)
#define QZ_TEST_WITH_VOLUME(rule) \
    RULE(rule, contract_run_with_volume, struct contract *contract, const char *mount_point)

#define PATIENCE_US (10 * QZ_US_PER_S)

/* Waits for an event of that kind and drops others. False: it did not come. */
bool contract_await(struct qz_os *os, enum qz_event_kind kind, struct qz_event *event);

/* Starts `path` as slot 0, and returns what child_start does, or child_await for one that is gated; tails[0] gets its
 * output, tails[1] its errors. */
int contract_start(struct qz_os *os, const char *path, const struct qz_path_facts *facts, bool gated,
                   struct qz_tail *tails);
/* Starts a script of that kind, as it is found now. */
int contract_start_script(struct contract *contract, enum contract_script kind, struct qz_tail *tails);

#endif
