/* The contract: the guardian, and going on in the background. */
#include "contract_rules.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>

/* ---- Guardian ---------------------------------------------------------------------------------------------------- */

struct shared {
    atomic_int seen;
    atomic_int error;
};

/* Answers each byte with the next one, until it is let go. */
static void echo(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    struct qz_event event;
    do {
        os->ops->wait(os, os->ops->now_us(os) + PATIENCE_US, &event);
        if (event.kind == QZ_EVENT_MESSAGE)
            os->ops->tell_peer(os, event.value + 1);
    } while (event.kind == QZ_EVENT_MESSAGE);
    shared->seen = (int)event.kind;
}

QZ_TEST(agent_and_guardian_talk) // bytes go both ways; the guardian is let go, and the agent hears no more of it
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_process guardian;
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, echo, shared), 0);
    os->ops->guardian(os, &guardian);
    CU_ASSERT(guardian.pid > 0);
    CU_ASSERT_TRUE(os->ops->process_alive(os, &guardian));
    os->ops->tell_peer(os, 7);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 8);
    os->ops->dismiss(os, false);
    CHECK_INT(shared->seen, QZ_EVENT_DISMISSED);
    CU_ASSERT_FALSE(os->ops->process_alive(os, &guardian));
    os->ops->guardian(os, &guardian);
    CHECK_INT(guardian.pid, 0);
    os->ops->wait(os, os->ops->now_us(os) + 50000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
}

/* Answers a byte, and ends without having been let go. */
static void leave_early(struct qz_os *os, void *argument)
{
    struct qz_event event;
    (void)argument;
    contract_await(os, QZ_EVENT_MESSAGE, &event);
    os->ops->tell_peer(os, 42);
}

QZ_TEST(a_lost_guardian_is_noticed) // PEER_LOST, once, after what it had said; then it is gone
{
    struct qz_os *os = contract->os;
    struct qz_process self, guardian;
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, leave_early, NULL), 0);
    os->ops->self(os, &self);
    os->ops->guardian(os, &guardian);
    CU_ASSERT_FALSE(os->ops->process_gone(os, &self));
    CU_ASSERT_FALSE(os->ops->process_gone(os, &guardian));
    os->ops->tell_peer(os, 1);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 42);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_PEER_LOST, &event));
    os->ops->wait(os, os->ops->now_us(os) + 20000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CU_ASSERT_TRUE(os->ops->peer_gone(os));
    CU_ASSERT_TRUE(os->ops->process_gone(os, &guardian));
    os->ops->tell_peer(os, 1);
    os->ops->dismiss(os, false);
}

QZ_TEST(a_second_guardian_is_possible) // after the first one was let go
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    for (int i = 0; i < 2; i++) {
        shared->seen = 0;
        CHECK_INT(os->ops->guard(os, echo, shared), 0);
        os->ops->dismiss(os, false);
        CHECK_INT(shared->seen, QZ_EVENT_DISMISSED);
    }
}

QZ_TEST(a_guardian_takes_the_place_of_another) // that is let go once it is there, and ends; the agent talks to the new one
{
    struct qz_os *os = contract->os;
    struct shared *first = os->ops->share(os, sizeof *first), *second = os->ops->share(os, sizeof *second);
    struct qz_process before, after;
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, echo, first), 0);
    os->ops->guardian(os, &before);
    CHECK_INT(os->ops->guard(os, echo, second), 0);
    os->ops->guardian(os, &after);
    CU_ASSERT(after.pid > 0 && after.pid != before.pid);
    os->ops->tell_peer(os, 7);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 8);
    CU_ASSERT_FALSE(os->ops->peer_gone(os));
    os->ops->dismiss(os, false);
    CHECK_INT(second->seen, QZ_EVENT_DISMISSED);
    CHECK_INT(first->seen, QZ_EVENT_DISMISSED);
    CU_ASSERT_FALSE(os->ops->process_alive(os, &before));
}

QZ_TEST(of_a_replaced_guardian_nothing_more_is_heard) // not even its loss
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, leave_early, NULL), 0);
    os->ops->tell_peer(os, 1);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(os->ops->guard(os, echo, shared), 0);
    os->ops->tell_peer(os, 7);
    os->ops->wait(os, os->ops->now_us(os) + PATIENCE_US, &event);
    CHECK_INT(event.kind, QZ_EVENT_MESSAGE);
    CHECK_INT(event.value, 8);
    os->ops->dismiss(os, false);
}

static void end_slot_0(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    shared->seen = os->ops->tree_alive(os, 0);
    os->ops->tree_signal(os, 0, SIGKILL);
    os->ops->tell_peer(os, 1);
    struct qz_event event;
    contract_await(os, QZ_EVENT_DISMISSED, &event);
}

QZ_TEST(a_guardian_reaches_the_agents_children) // tree_alive and tree_signal serve it, too
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(contract_start_script(contract, CONTRACT_SLEEPS, tails), 0);
    CHECK_INT(os->ops->guard(os, end_slot_0, shared), 0);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, SIGKILL);
    CHECK_INT(shared->seen, true);
    os->ops->dismiss(os, false);
}

/* ---- In the background ------------------------------------------------------------------------------------------- */

/* What both halves of a detach() tell each other. */
struct halves {
    struct qz_process background;
    atomic_bool spoken; /* the half that goes on has done what it was to do */
    atomic_bool done;   /* the other half needs nothing any more */
    atomic_int wrong;   /* what was not as it should be in the half whose exit status nobody sees */
};

static int all_is_well(const struct halves *halves)
{
    CHECK_INT(halves->wrong, 0);
    return halves->wrong != 0 || CU_get_number_of_failures() > 0;
}

static void await_true(struct qz_os *os, const atomic_bool *condition)
{
    int64_t deadline_us = os->ops->now_us(os) + PATIENCE_US;
    struct qz_event event;
    while (!*condition && os->ops->now_us(os) < deadline_us)
        os->ops->wait(os, os->ops->now_us(os) + 5000, &event);
}

static int hear_it_out(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    struct qz_event event = {0};
    struct qz_process self;
    os->ops->self(os, &self);
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 42);
    CHECK_INT(background->pid, halves->background.pid);
    CHECK_INT(background->start_time, halves->background.start_time);
    CU_ASSERT_NOT_EQUAL(self.pid, background->pid);
    CU_ASSERT_TRUE(os->ops->process_alive(os, background));
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_PEER_LOST, &event));
    await_true(os, &halves->spoken);
    halves->done = true;
    return all_is_well(halves);
}

QZ_TEST_APART(who_goes_on_in_the_background_is_heard_once) // release: a message, then no more; a second one finds nobody
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    CHECK_INT(os->ops->detach(os, hear_it_out, halves), 0);
    os->ops->self(os, &halves->background);
    halves->wrong += !os->ops->release(os, 42);
    halves->wrong += os->ops->release(os, 43);
    halves->spoken = true;
    await_true(os, &halves->done);
}

static int hear_it_end(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    struct qz_event event = {0};
    (void)background;
    halves->done = true;
    os->ops->wait(os, os->ops->now_us(os) + PATIENCE_US, &event);
    CHECK_INT(event.kind, QZ_EVENT_PEER_LOST);
    return all_is_well(halves);
}

QZ_TEST_APART(who_ends_in_the_background_is_missed) // PEER_LOST for the process that was started, also without a release
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    CHECK_INT(os->ops->detach(os, hear_it_end, halves), 0);
    await_true(os, &halves->done);
}

static int ask_for_the_lock(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    (void)background;
    CHECK_INT(os->ops->lock(os), EWOULDBLOCK);
    halves->done = true;
    return all_is_well(halves);
}

QZ_TEST_APART(the_lock_goes_on_in_the_background) // the process that was started has it no longer
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->detach(os, ask_for_the_lock, halves), 0);
    await_true(os, &halves->done);
}

static int give_the_word(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    CHECK_INT(os->ops->process_signal(os, background, QZ_SIGNAL_FAILED), 0);
    struct qz_event event = {0};
    CU_ASSERT_TRUE(contract_await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 1);
    halves->done = true;
    return all_is_well(halves);
}

QZ_TEST_APART(a_word_on_the_snapshot_is_an_event) // QZ_SIGNAL_TAKEN and QZ_SIGNAL_FAILED are heard as signals
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    struct qz_event event = {0};
    CHECK_INT(os->ops->detach(os, give_the_word, halves), 0);
    halves->wrong += !contract_await(os, QZ_EVENT_SIGNAL, &event) || event.value != QZ_SIGNAL_FAILED;
    os->ops->release(os, 1);
    await_true(os, &halves->done);
}
