/* The contract: scripts and the snapshot command. */
#include "contract_rules.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static bool await_tree_end(struct qz_os *os, int slot)
{
    struct qz_event event;
    int64_t deadline_us = os->ops->now_us(os) + PATIENCE_US;
    while (os->ops->tree_alive(os, slot) && os->ops->now_us(os) < deadline_us)
        os->ops->wait(os, os->ops->now_us(os) + 5000, &event);
    return !os->ops->tree_alive(os, slot);
}

QZ_TEST(an_exit_status_is_told) // the child's exit status, and no tree is left
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start_script(contract, CONTRACT_EXITS_3, tails), 0);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.slot, 0);
    CU_ASSERT_FALSE(event.end.signaled);
    CHECK_INT(event.end.status, 3);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(a_death_by_signal_is_told) // and is not an exit status
{
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start_script(contract, CONTRACT_KILLS_ITSELF, tails), 0);
    CU_ASSERT_TRUE(contract_await(contract->os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_TRUE(event.end.signaled);
    CHECK_INT(event.end.status, SIGKILL);
}

QZ_TEST(output_is_drained) // all is counted, the last bytes are kept, and they are there when the end is told
{
    static char kept[QZ_TAIL_SIZE];
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start_script(contract, CONTRACT_WRITES, tails), 0);
    CU_ASSERT_TRUE(contract_await(contract->os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, 0);
    CHECK_INT(tails[0].total, CONTRACT_OUTPUT);
    CHECK_INT(qz_tail_copy(&tails[0], kept), QZ_TAIL_SIZE);
    CU_ASSERT(memcmp(kept + QZ_TAIL_SIZE - 10, "0123456789", 10) == 0);
    CHECK_INT(qz_tail_copy(&tails[1], kept), 4);
    CU_ASSERT(memcmp(kept, "oops", 4) == 0);
}

QZ_TEST(what_was_checked_is_what_starts) // ESTALE if the file was swapped since its facts were taken
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    const char *path = contract_script(contract, CONTRACT_EXITS_3);
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    contract_swap(contract, path);
    CHECK_INT(contract_start(os, path, &facts, false, tails), ESTALE);
    CU_ASSERT_FALSE(os->ops->tree_alive(os, 0));
    qz_path_facts_free(os, &facts);
}

QZ_TEST(an_unknown_command_does_not_start) // ENOENT if PATH does not know it
{
    struct qz_tail tails[2] = {0};
    for (int gated = 0; gated < 2; gated++) {
        CHECK_INT(contract_start(contract->os, "no-such-command-anywhere", NULL, gated, tails), ENOENT);
        CU_ASSERT_FALSE(contract->os->ops->tree_alive(contract->os, 0));
    }
}

QZ_TEST(a_gated_child_waits) // it is alive, and does nothing, until it is released
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start(os, contract_script(contract, CONTRACT_WRITES), NULL, true, tails), 0);
    os->ops->wait(os, os->ops->now_us(os) + 50000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(tails[0].total, 0);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    CHECK_INT(os->ops->child_release(os, 0), 0);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, 0);
    CHECK_INT(event.end.error, 0);
    CHECK_INT(tails[0].total, CONTRACT_OUTPUT);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(a_gated_child_can_be_ended) // SIGTERM ends it whatever it would become; released, it is not there: ESRCH
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start(os, contract_script(contract, CONTRACT_SLEEPS_DEAF), NULL, true, tails), 0);
    os->ops->tree_signal(os, 0, SIGTERM);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_TRUE(event.end.signaled);
    CHECK_INT(event.end.status, SIGTERM);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
    CHECK_INT(os->ops->child_release(os, 0), ESRCH);
}

QZ_TEST(a_tree_is_ended_politely) // SIGTERM ends what does not ignore it
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start_script(contract, CONTRACT_SLEEPS, tails), 0);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGTERM);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_TRUE(event.end.signaled);
    CHECK_INT(event.end.status, SIGTERM);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(a_tree_is_ended_in_any_case) // what ignores SIGTERM lives on until SIGKILL
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start_script(contract, CONTRACT_SLEEPS_DEAF, tails), 0);
    os->ops->wait(os, os->ops->now_us(os) + 200000, &event); /* a real one has to come to its trap */
    os->ops->tree_signal(os, 0, SIGTERM);
    os->ops->wait(os, os->ops->now_us(os) + 50000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGKILL);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, SIGKILL);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(who_moved_away_belongs_to_the_tree) // a child's end is told though a grandchild lives; a signal reaches that, too
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start_script(contract, CONTRACT_LEAVES_A_CHILD, tails), 0);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_FALSE(event.end.signaled);
    CHECK_INT(event.end.status, 0);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGKILL);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}
