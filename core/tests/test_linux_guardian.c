#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_check.h"
#include "loop_volumes.h"

#define SOON_US (5 * QZ_US_PER_S)
/* Less than a guardian that was let go is waited for. */
#define NOT_AWAITED_US 150000

/* What a guardian, or an agent that is to be killed, lets the test see. */
struct seen {
    _Atomic pid_t guardian;
    _Atomic pid_t child;
    atomic_int events[QZ_EVENT_DISMISSED + 1]; /* how often each kind came to the guardian */
    char messages[16];
    _Atomic int64_t lost_us; /* when it learnt that the agent is lost */
    atomic_bool gone;
    atomic_bool ready; /* for the next step of the test */
    atomic_bool done;
    atomic_ullong drained;
    char cgroups[PATH_MAX];
};

static struct seen *new_seen(void)
{
    struct seen *seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        exit(2);
    return seen;
}

/* Waits up to two seconds for what another process makes true. */
#define SEE(condition)                                                \
    do {                                                              \
        for (int tries_ = 0; tries_ < 2000 && !(condition); tries_++) \
            usleep(1000);                                             \
        CU_ASSERT(condition);                                         \
    } while (0)

static void note(struct seen *seen, const struct qz_event *event)
{
    seen->events[event->kind]++;
    if (event->kind == QZ_EVENT_MESSAGE)
        seen->messages[strlen(seen->messages)] = (char)event->value;
}

/* A guardian that answers every message until it is let go, or the agent is lost and gone. */
static void watch(struct qz_os *os, void *argument)
{
    struct seen *seen = argument;
    struct qz_event event = {.kind = QZ_EVENT_TIMEOUT};
    seen->guardian = getpid();
    while (event.kind != QZ_EVENT_PEER_LOST && event.kind != QZ_EVENT_DISMISSED) {
        os->ops->wait(os, QZ_NEVER, &event);
        note(seen, &event);
        if (event.kind == QZ_EVENT_MESSAGE)
            os->ops->tell_peer(os, event.value);
    }
    if (event.kind == QZ_EVENT_DISMISSED)
        return;
    seen->lost_us = os->ops->now_us(os);
    while (!os->ops->peer_gone(os)) {
        os->ops->wait(os, os->ops->now_us(os) + 1000, &event);
        note(seen, &event);
    }
    seen->gone = true;
}

/* Runs `agent` in a process of its own, until it says that it is ready. */
static pid_t start_agent(struct seen *seen, void (*agent)(struct seen *))
{
    pid_t pid = fork();
    if (pid == 0) {
        agent(seen);
        pause();
    }
    SEE(seen->ready);
    return pid;
}

/* Kills an agent and takes its status. Returns when it was killed. */
static int64_t kill_agent(pid_t agent)
{
    int64_t now_us = qz_linux_now_us(NULL);
    CHECK_INT(kill(agent, SIGKILL), 0);
    waitpid(agent, NULL, 0);
    return now_us;
}

/* ---- The agent dies --------------------------------------------------------------------------------------------- */

static void agent_that_talks(struct seen *seen)
{
    struct qz_os *os = qz_linux_open("/tmp");
    struct qz_event answer = {0};
    if (!os || os->ops->guard(os, watch, seen) != 0)
        return;
    os->ops->tell_peer(os, 'a');
    os->ops->wait(os, QZ_NEVER, &answer);
    kill(seen->guardian, SIGSTOP);
    os->ops->tell_peer(os, answer.value + 1);
    os->ops->tell_peer(os, answer.value + 2);
    seen->ready = true;
}

QZ_TEST(what_a_lost_agent_had_sent_comes_first)
{
    struct seen *seen = new_seen();
    pid_t agent = start_agent(seen, agent_that_talks);
    kill_agent(agent);
    kill(seen->guardian, SIGCONT);
    SEE(seen->gone);
    CHECK_STRING(seen->messages, "abc");
    munmap(seen, sizeof *seen);
}

QZ_TEST(a_killed_agent_is_noticed_at_once_and_only_once)
{
    struct seen *seen = new_seen();
    pid_t agent = start_agent(seen, agent_that_talks);
    kill(seen->guardian, SIGCONT);
    usleep(20000);
    int64_t killed_us = kill_agent(agent);
    SEE(seen->gone);
    printf("a killed agent is noticed after %lld us\n", (long long)(seen->lost_us - killed_us));
    CU_ASSERT(seen->lost_us - killed_us < QZ_US_PER_S);
    CHECK_INT(seen->events[QZ_EVENT_PEER_LOST], 1);
    CHECK_INT(seen->events[QZ_EVENT_DISMISSED], 0);
    SEE(!linux_check_alive(seen->guardian));
    munmap(seen, sizeof *seen);
}

static void end_tree(struct qz_os *os, void *argument)
{
    struct seen *seen = argument;
    watch(os, seen);
    bool alive = os->ops->tree_alive(os, 7);
    os->ops->tree_signal(os, 7, SIGKILL);
    seen->done = alive && linux_check_tree(os, 7, false);
}

static void agent_with_a_tree(struct seen *seen)
{
    struct qz_os *os = qz_linux_open("/tmp");
    /* The child is started after the guardian. */
    if (!os || os->ops->guard(os, end_tree, seen) != 0 || linux_check_shell(os, 7, "setsid sleep 60 & wait") != 0)
        return;
    strcpy(seen->cgroups, qz_linux(os)->cgroup_base);
    seen->child = qz_linux(os)->children[7].pid;
    seen->ready = true;
}

QZ_TEST(a_guardian_ends_the_tree_of_a_lost_agent)
{
    struct seen *seen = new_seen();
    pid_t agent = start_agent(seen, agent_with_a_tree);
    CU_ASSERT(linux_check_alive(seen->child));
    kill_agent(agent);
    SEE(seen->done);
    CU_ASSERT(!linux_check_alive(seen->child));
    SEE(!linux_check_alive(seen->guardian));
    CU_ASSERT(access(seen->cgroups, F_OK) != 0);
    munmap(seen, sizeof *seen);
}

static void go_on_draining(struct qz_os *os, void *argument)
{
    struct seen *seen = argument;
    struct qz_event event;
    watch(os, seen);
    for (int64_t end_us = os->ops->now_us(os) + 300000; os->ops->now_us(os) < end_us;)
        os->ops->wait(os, end_us, &event);
    seen->drained = linux_check_out(2)->total;
    seen->done = linux_check_alive(seen->child);
    os->ops->tree_signal(os, 2, SIGKILL);
}

static void agent_with_a_writer(struct seen *seen)
{
    struct qz_os *os = qz_linux_open("/tmp");
    struct qz_event event;
    if (!os || linux_check_shell(os, 2, "yes & echo $! >&2") != 0)
        return;
    while (linux_check_err(2)->total == 0)
        os->ops->wait(os, os->ops->now_us(os) + 1000, &event);
    seen->child = (pid_t)strtol(linux_check_err(2)->bytes, NULL, 10);
    if (os->ops->guard(os, go_on_draining, seen) == 0)
        seen->ready = true;
}

QZ_TEST(a_left_process_may_go_on_writing_after_the_agents_death)
{
    struct seen *seen = new_seen();
    pid_t agent = start_agent(seen, agent_with_a_writer);
    kill_agent(agent);
    SEE(seen->guardian != 0);
    SEE(!linux_check_alive(seen->guardian));
    CU_ASSERT(seen->done);
    CU_ASSERT(seen->drained > 1000000);
    munmap(seen, sizeof *seen);
}

QZ_TEST(a_guardian_does_not_keep_a_later_childs_output_open) // its pipes are made before the guardian is
{
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    struct qz_event event;
    CHECK_INT(os->ops->volumes_arm(os, 0), 0);
    CHECK_INT(os->ops->guard(os, watch, seen), 0);
    CHECK_INT(linux_check_shell(os, 4, "echo all"), 0);
    CU_ASSERT(linux_check_await(os, QZ_EVENT_CHILD, SOON_US, &event));
    const struct qz_linux_pipe *pipes = qz_linux(os)->children[4].pipes;
    for (int tries = 0; tries < 100 && (pipes[0].fd >= 0 || pipes[1].fd >= 0); tries++)
        os->ops->wait(os, os->ops->now_us(os) + 5000, &event);
    CHECK_INT(pipes[0].fd, -1);
    CHECK_INT(pipes[1].fd, -1);
    linux_check_close(os);
    munmap(seen, sizeof *seen);
}

/* ---- The guardian is let go, or dies ---------------------------------------------------------------------------- */

QZ_TEST(a_dismissal_is_no_death)
{
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    struct qz_process guardian;
    struct qz_event event;
    for (int round = 1; round <= 3; round++) {
        CHECK_INT(os->ops->guard(os, watch, seen), 0);
        os->ops->guardian(os, &guardian);
        CU_ASSERT(os->ops->process_alive(os, &guardian));
        int64_t begin_us = os->ops->now_us(os);
        os->ops->dismiss(os, false);
        CU_ASSERT(os->ops->now_us(os) - begin_us < NOT_AWAITED_US);
        CU_ASSERT(!os->ops->process_alive(os, &guardian));
        CHECK_INT(seen->events[QZ_EVENT_DISMISSED], round);
    }
    CHECK_INT(seen->events[QZ_EVENT_PEER_LOST], 0);
    os->ops->guardian(os, &guardian);
    CHECK_INT(guardian.pid, 0);
    os->ops->tell_peer(os, 'x');
    os->ops->wait(os, os->ops->now_us(os) + 50000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    linux_check_close(os);
    munmap(seen, sizeof *seen);
}

QZ_TEST(control_groups_of_killed_runs_are_removed) // with our own, when the guardian is let go
{
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    struct qz_linux *lx = qz_linux(os);
    struct qz_event event;
    char left[PATH_MAX + 64], group[PATH_MAX + 72];
    /* This process, but not since then: it is another one. */
    snprintf(left, sizeof left, "%s/quiesce-%d-1", lx->cgroup_parent, (int)getpid());
    snprintf(group, sizeof group, "%s/7", left);
    bool made = lx->cgroup_base[0] && mkdir(left, 0755) == 0 && mkdir(group, 0755) == 0;
    if (made) {
        CHECK_INT(os->ops->guard(os, watch, seen), 0);
        CHECK_INT(linux_check_shell(os, 0, "exit 0"), 0);
        CU_ASSERT(linux_check_await(os, QZ_EVENT_CHILD, SOON_US, &event));
        os->ops->dismiss(os, false);
        CU_ASSERT(access(left, F_OK) != 0);
        CU_ASSERT(access(lx->cgroup_base, F_OK) != 0);
    }
    linux_check_close(os);
    munmap(seen, sizeof *seen);
    if (!made)
        check_skip("no cgroup v2 to write to");
}

static struct seen *seen_by_first;

static void agent_that_replaces(struct seen *seen)
{
    struct qz_os *os = qz_linux_open("/tmp");
    /* Two guardians beside each other, since the first one stands still. */
    if (!os || os->ops->guard(os, watch, seen_by_first) != 0)
        return;
    SEE(seen_by_first->guardian != 0);
    kill(seen_by_first->guardian, SIGSTOP);
    if (os->ops->guard(os, watch, seen) != 0)
        return;
    SEE(seen->guardian != 0);
    seen->ready = true;
}

QZ_TEST(a_replaced_guardian_was_let_go_whatever_comes) // the agent's death is for the new one
{
    struct seen *seen = new_seen();
    seen_by_first = new_seen();
    pid_t agent = start_agent(seen, agent_that_replaces);
    kill_agent(agent);
    SEE(seen->gone);
    kill(seen_by_first->guardian, SIGCONT);
    SEE(!linux_check_alive(seen_by_first->guardian));
    CHECK_INT(seen->events[QZ_EVENT_PEER_LOST], 1);
    CHECK_INT(seen_by_first->events[QZ_EVENT_PEER_LOST], 0);
    CHECK_INT(seen_by_first->events[QZ_EVENT_DISMISSED], 1);
    munmap(seen, sizeof *seen);
    munmap(seen_by_first, sizeof *seen_by_first);
}

QZ_TEST(a_replaced_guardian_is_waited_for_at_the_end) // and killed if it is stopped: it would wake up to whatever goes on then
{
    struct seen *seen = new_seen();
    seen_by_first = new_seen();
    struct qz_os *os = linux_check_open();
    CHECK_INT(os->ops->guard(os, watch, seen_by_first), 0);
    SEE(seen_by_first->guardian != 0);
    kill(seen_by_first->guardian, SIGSTOP);
    int64_t begin_us = os->ops->now_us(os);
    CHECK_INT(os->ops->guard(os, watch, seen), 0);
    CU_ASSERT(os->ops->now_us(os) - begin_us < NOT_AWAITED_US);
    SEE(seen->guardian != 0);
    CU_ASSERT(linux_check_alive(seen_by_first->guardian));
    os->ops->dismiss(os, false);
    SEE(!linux_check_alive(seen_by_first->guardian));
    CHECK_INT(seen_by_first->events[QZ_EVENT_PEER_LOST], 0);
    linux_check_close(os);
    munmap(seen, sizeof *seen);
    munmap(seen_by_first, sizeof *seen_by_first);
}

QZ_TEST(a_killed_guardian_is_noticed_and_can_be_replaced)
{
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    struct qz_process guardian;
    struct qz_event event;
    for (int round = 0; round < 2; round++) {
        CHECK_INT(os->ops->guard(os, watch, seen), 0);
        os->ops->guardian(os, &guardian);
        CU_ASSERT(!os->ops->peer_gone(os));
        kill(guardian.pid, SIGKILL);
        CU_ASSERT(linux_check_await(os, QZ_EVENT_PEER_LOST, SOON_US, &event));
        SEE(os->ops->peer_gone(os));
        CU_ASSERT(!linux_check_await(os, QZ_EVENT_PEER_LOST, 50000, &event));
    }
    linux_check_close(os);
    munmap(seen, sizeof *seen);
}

QZ_TEST(of_all_signals_only_sigterm_is_for_the_guardian)
{
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    CHECK_INT(os->ops->guard(os, watch, seen), 0);
    SEE(seen->guardian != 0);
    kill(seen->guardian, SIGINT);
    kill(seen->guardian, SIGHUP);
    usleep(50000);
    CHECK_INT(seen->events[QZ_EVENT_SIGNAL], 0);
    kill(seen->guardian, SIGTERM);
    SEE(seen->events[QZ_EVENT_SIGNAL] == 1);
    CHECK_INT(getsid(seen->guardian), seen->guardian);
    linux_check_close(os);
    munmap(seen, sizeof *seen);
}

static void show_dumpable(struct qz_os *os, void *argument)
{
    struct seen *seen = argument;
    seen->done = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
    seen->ready = true;
    watch(os, argument);
}

QZ_TEST(neither_agent_nor_guardian_dumps_core) // onto what is frozen, as long as which nobody would see it dead
{
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    CHECK_INT(os->ops->guard(os, show_dumpable, seen), 0);
    CHECK_INT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    SEE(seen->ready);
    CU_ASSERT(!seen->done);
    linux_check_close(os);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    munmap(seen, sizeof *seen);
}

QZ_TEST(the_lock_is_held_until_the_guardian_ends_too)
{
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    struct qz_os *other = qz_linux_open(os->ops->state_directory(os));
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->guard(os, watch, seen), 0);
    qz_linux_close_fd(&qz_linux(os)->lock);
    CHECK_INT(other->ops->lock(other), EWOULDBLOCK);
    os->ops->dismiss(os, false);
    CHECK_INT(other->ops->lock(other), 0);
    qz_linux_close(other);
    linux_check_close(os);
    munmap(seen, sizeof *seen);
}

static void raise_flag(struct qz_os *os, void *argument)
{
    (void)os;
    *(atomic_bool *)argument = true;
}

QZ_TEST(shared_memory_is_zeroed_and_seen_by_both)
{
    struct qz_os *os = linux_check_open();
    char *memory = os->ops->share(os, 100000);
    CU_ASSERT(memory && memory[0] == 0 && memory[99999] == 0);
    CHECK_INT(os->ops->guard(os, raise_flag, memory + 99999), 0);
    SEE(memory[99999] == 1);
    linux_check_close(os);
}

/* ---- With volumes ----------------------------------------------------------------------------------------------- */

/* A guardian of two volumes, the second one on the first: freezes both, which for the second one hangs. */
static void hang(struct qz_os *os, void *argument)
{
    struct seen *seen = argument;
    struct qz_event event;
    if (os->ops->volumes_arm(os, 2) != 0)
        return;
    os->ops->volume_start(os, 0, QZ_VOLUME_FREEZE, NULL);
    if (!linux_check_await(os, QZ_EVENT_VOLUME, SOON_US, &event) || event.error != 0)
        return;
    os->ops->volume_start(os, 1, QZ_VOLUME_FREEZE, NULL);
    seen->done = !linux_check_await(os, QZ_EVENT_VOLUME, 200000, &event);
    seen->ready = true;
    watch(os, seen);
}

static void open_volumes(struct qz_os *os, const struct loop_volumes *volumes)
{
    struct qz_mount_table table = {0};
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    for (int i = 0; i < volumes->count; i++)
        for (size_t row = 0; row < table.count; row++)
            if (strcmp(table.mounts[row].mount_point, loop_volumes_path(volumes, i)) == 0)
                CHECK_INT(os->ops->volume_open(os, i, &table.mounts[row]), 0);
    qz_mount_table_free(&table);
}

QZ_TEST(a_guardian_killed_in_a_freeze_that_hangs_is_lost_at_once_and_gone_later)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 2, true))
        return;
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    struct qz_process guardian;
    struct qz_event event;
    struct qz_os *other = qz_linux_open(os->ops->state_directory(os));
    open_volumes(os, &volumes);
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->guard(os, hang, seen), 0);
    qz_linux_close_fd(&qz_linux(os)->lock);
    SEE(seen->ready);
    CU_ASSERT(seen->done);
    os->ops->guardian(os, &guardian);
    CHECK_INT(other->ops->lock(other), EWOULDBLOCK);
    int64_t killed_us = os->ops->now_us(os);
    kill(guardian.pid, SIGKILL);
    CU_ASSERT(linux_check_await(os, QZ_EVENT_PEER_LOST, SOON_US, &event));
    int64_t lost_us = os->ops->now_us(os) - killed_us;
    printf("a guardian killed in a freeze that hangs is noticed after %lld us\n", (long long)lost_us);
    CU_ASSERT(lost_us < QZ_US_PER_S);
    CU_ASSERT(!os->ops->peer_gone(os));
    SEE(!os->ops->process_alive(os, &guardian));
    CU_ASSERT(!os->ops->process_gone(os, &guardian));
    SEE(other->ops->lock(other) == 0); /* so that what it has frozen can be thawed */
    qz_linux_close(other);
    loop_volumes_end_hang(&volumes);
    SEE(os->ops->peer_gone(os));
    CU_ASSERT(os->ops->process_gone(os, &guardian));
    linux_check_close(os);
    loop_volumes_remove(&volumes);
    munmap(seen, sizeof *seen);
}

QZ_TEST(a_dismissed_guardian_with_a_freeze_that_hangs_is_not_waited_for)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 2, true))
        return;
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    open_volumes(os, &volumes);
    CHECK_INT(os->ops->guard(os, hang, seen), 0);
    SEE(seen->ready);
    int64_t begin_us = os->ops->now_us(os);
    os->ops->dismiss(os, false);
    CU_ASSERT(os->ops->now_us(os) - begin_us < NOT_AWAITED_US);
    SEE(seen->events[QZ_EVENT_DISMISSED] == 1);
    loop_volumes_end_hang(&volumes);
    linux_check_close(os);
    loop_volumes_remove(&volumes);
    munmap(seen, sizeof *seen);
}

static void arm_and_watch(struct qz_os *os, void *argument)
{
    struct seen *seen = argument;
    seen->ready = os->ops->volumes_arm(os, 3) == 0;
    watch(os, seen);
}

QZ_TEST(agent_and_guardian_stay_small)
{
    struct loop_volumes volumes;
    if (!loop_volumes_make(&volumes, 3, false))
        return;
    struct seen *seen = new_seen();
    struct qz_os *os = linux_check_open();
    open_volumes(os, &volumes);
    CHECK_INT(os->ops->volumes_arm(os, 3), 0);
    CHECK_INT(os->ops->guard(os, arm_and_watch, seen), 0);
    SEE(seen->ready);
    long agent_kib = linux_check_resident_kib(getpid());
    long guardian_kib = linux_check_resident_kib(seen->guardian);
    printf("3 volumes: agent %ld KiB resident, guardian %ld KiB\n", agent_kib, guardian_kib);
    CU_ASSERT(LINUX_CHECK_SANITIZED || (agent_kib > 0 && agent_kib < 4096));
    CU_ASSERT(LINUX_CHECK_SANITIZED || (guardian_kib > 0 && guardian_kib < 4096));
    linux_check_close(os);
    loop_volumes_remove(&volumes);
    munmap(seen, sizeof *seen);
}
