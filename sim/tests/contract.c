#include "contract_rules.h"

#include <string.h>

bool contract_await(struct qz_os *os, enum qz_event_kind kind, struct qz_event *event)
{
    int64_t deadline_us = os->ops->now_us(os) + PATIENCE_US;
    do
        os->ops->wait(os, deadline_us, event);
    while (event->kind != kind && event->kind != QZ_EVENT_TIMEOUT);
    return event->kind == kind;
}

int contract_start(struct qz_os *os, const char *path, const struct qz_path_facts *facts, bool gated,
                   struct qz_tail *tails)
{
    char *argv[] = {(char *)(uintptr_t)path, NULL};
    char *envp[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
    int error = os->ops->child_start(os, &(struct qz_child_spec){.slot = 0,
                                                                 .path = path,
                                                                 .facts = facts,
                                                                 .argv = argv,
                                                                 .envp = envp,
                                                                 .clean = true,
                                                                 .gated = gated,
                                                                 .out = &tails[0],
                                                                 .err = &tails[1]});
    return error || !gated ? error : os->ops->child_await(os, 0);
}

int contract_start_script(struct contract *contract, enum contract_script kind, struct qz_tail *tails)
{
    struct qz_os *os = contract->os;
    const char *path = contract_script(contract, kind);
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    CHECK_INT(facts.error, 0);
    int error = contract_start(os, path, &facts, false, tails);
    qz_path_facts_free(os, &facts);
    return error;
}
