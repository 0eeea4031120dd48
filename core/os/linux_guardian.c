/* linux_guardian.c: the second process: how it is started, talked to, let go, and how the loss of either is seen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux.h"

/* How long a guardian that was let go is waited for. */
#define DISMISS_WAIT_US 200000

/* So often a message that no memory could be had for is asked for again. */
#define RECEIVE_TRIES 3

/* ---- Shared memory ---------------------------------------------------------------------------------------------- */

struct qz_linux_region {
    struct qz_linux_region *next;
    size_t size;
    _Alignas(max_align_t) char memory[];
};

void *qz_linux_share(struct qz_os *os, size_t size)
{
    struct qz_linux *lx = qz_linux(os);
    struct qz_linux_region *region = mmap(NULL, sizeof *region + size, PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (region == MAP_FAILED)
        return NULL;
    region->size = sizeof *region + size;
    region->next = lx->regions;
    lx->regions = region;
    return region->memory;
}

void qz_linux_unshare(struct qz_linux *lx)
{
    while (lx->regions) {
        struct qz_linux_region *region = lx->regions;
        lx->regions = region->next;
        munmap(region, region->size);
    }
}

/* ---- The guardian's beginning ----------------------------------------------------------------------------------- */

/* Makes the copy of the agent's struct that fork gave us the guardian's own. Returns false if it cannot be. */
static bool become_guardian(struct qz_linux *lx, int socket, int agent_pidfd, struct qz_linux_pairing *pairing)
{
    setsid();
    /* The guardian before sees the agent's death by the end of this socket: ours must not keep it open. */
    qz_linux_close_fd(&lx->peer.socket);
    qz_linux_close_fd(&lx->peer.pidfd);
    qz_linux_close_fd(&lx->former.pidfd);
    /* Who started us waits for the end of our log, too. */
    if (lx->starter >= 0)
        dup2(lx->nowhere, STDERR_FILENO);
    qz_linux_close_fd(&lx->starter);
    prctl(PR_SET_NAME, "quiesce-guard", 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    lx->peer =
        (struct qz_linux_peer){.process = lx->self, .socket = socket, .pidfd = agent_pidfd, .pairing = pairing};
    lx->self = (struct qz_process){.pid = getpid()}; /* when it was started is looked for when it is asked for */
    lx->role = QZ_LINUX_GUARDIAN;
    qz_linux_workers_forget(lx);
    qz_linux_children_forget(lx);
    qz_linux_close_fd(&lx->signals);
    qz_linux_close_fd(&lx->wake);
    lx->signals = qz_linux_signals(QZ_LINUX_GUARDIAN);
    lx->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return lx->signals >= 0 && lx->wake >= 0;
}

static _Noreturn void run_guardian(struct qz_linux *lx, void (*main)(struct qz_os *, void *), void *argument)
{
    main(&lx->base, argument);
    /* The agent removes its control groups by itself, if it lives. */
    if (lx->peer.lost)
        qz_linux_trees_close(lx);
    _exit(EXIT_SUCCESS);
}

/* Forgets a guardian that was lost or let go. */
static void forget(struct qz_linux_peer *peer)
{
    qz_linux_close_fd(&peer->socket);
    qz_linux_close_fd(&peer->pidfd);
    *peer = (struct qz_linux_peer){.socket = -1, .pidfd = -1};
}

static struct qz_linux_pairing *new_pairing(struct qz_linux *lx)
{
    struct qz_linux_pairing *pairing = &lx->shared->pairings[lx->pairings_used++ % QZ_LINUX_PAIRINGS];
    pairing->dismissed = false;
    pairing->operations = 0;
    return pairing;
}

/* Lets the guardian go. Set before the end of the socket is seen: a dismissal is never taken for a death, whatever
 * comes between. */
static void let_go(struct qz_linux *lx)
{
    lx->peer.pairing->dismissed = true;
    qz_linux_close_fd(&lx->peer.socket);
}

/* Waits a moment for the end of a guardian that was let go. Only for that: the end of another one is for qz_linux_reap
 * to see. */
static void await_end(struct qz_linux_peer *peer)
{
    int64_t deadline_us = qz_linux_now_us(NULL) + DISMISS_WAIT_US;
    while (!peer->reaped && peer->pairing->operations == 0 && qz_linux_now_us(NULL) < deadline_us) {
        peer->reaped = waitpid(peer->process.pid, NULL, WNOHANG) != 0;
        struct pollfd end = {.fd = peer->pidfd, .events = POLLIN};
        if (!peer->reaped)
            poll(&end, 1, 5);
    }
}

/* The end of a guardian that was let go, and forgetting it. */
static void see_off(struct qz_linux_peer *peer, bool needed)
{
    if (peer->pairing)
        await_end(peer);
    if (peer->pairing && !needed && !peer->reaped && peer->pairing->operations == 0)
        kill(peer->process.pid, SIGKILL);
    forget(peer);
}

int qz_linux_guard(struct qz_os *os, void (*main)(struct qz_os *, void *), void *argument)
{
    struct qz_linux *lx = qz_linux(os);
    int ends[2];
    /* Who started us may unmount where it is; what is named from there has been read. */
    if (lx->starter >= 0 && chdir("/") != 0)
        return errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return errno;
    struct qz_linux_pairing *pairing = new_pairing(lx);
    int agent_pidfd = pidfd_open(lx->self.pid, 0);
    /* Whoever dumps core lives until that is written, and on what is frozen it never is: the other one would not see its
     * death. Of both; what they execute may. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    pid_t pid = fork();
    int failed = pid < 0 ? errno : 0;
    if (pid == 0) {
        close(ends[0]);
        if (!become_guardian(lx, ends[1], agent_pidfd, pairing))
            _exit(EXIT_FAILURE);
        run_guardian(lx, main, argument);
    }
    close(ends[1]);
    qz_linux_close_fd(&agent_pidfd);
    if (failed) {
        close(ends[0]);
        return failed;
    }
    /* Not earlier: there is no moment in which nobody would see the agent die. */
    if (lx->peer.socket >= 0) {
        let_go(lx);
        see_off(&lx->former, true);
        lx->former = lx->peer; /* it ends beside what comes */
    } else {
        forget(&lx->peer);
    }
    struct qz_linux_stat stat = {0};
    qz_linux_stat(pid, &stat);
    lx->peer = (struct qz_linux_peer){.process = {.pid = pid, .start_time = stat.start_time},
                                      .socket = ends[0],
                                      .pidfd = pidfd_open(pid, 0),
                                      .pairing = pairing};
    /* While it begins, for a script to come; if it cannot be done now, starting that will say so. */
    qz_linux_child_prepare(lx);
    return 0;
}

/* ---- Talking to each other -------------------------------------------------------------------------------------- */

void qz_linux_tell_peer(struct qz_os *os, int byte)
{
    struct qz_linux *lx = qz_linux(os);
    unsigned char message = (unsigned char)byte;
    while (lx->peer.socket >= 0 && send(lx->peer.socket, &message, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

/* Receives one byte. Returns 1, 0 at the end of all messages, or -1: nothing there now. */
static int receive(int socket, unsigned char *message)
{
    for (int tries = 0;;) {
        ssize_t got = recv(socket, message, 1, MSG_DONTWAIT);
        if (got >= 0)
            return (int)got;
        if (errno == EAGAIN)
            return -1;
        /* ECONNRESET: the peer had not read everything before it ended. What it had sent is still to come. And memory
         * that is short for a moment is no loss of the peer. */
        if (errno != EINTR && errno != ECONNRESET && !(errno == ENOMEM && tries++ < RECEIVE_TRIES))
            return 0;
    }
}

bool qz_linux_take_peer(struct qz_linux *lx, bool ended, struct qz_event *event)
{
    unsigned char message;
    int got = receive(lx->peer.socket, &message);
    if (got > 0) {
        *event = (struct qz_event){.kind = QZ_EVENT_MESSAGE, .value = message};
        return true;
    }
    if (got < 0 && !ended)
        return false;
    qz_linux_close_fd(&lx->peer.socket);
    bool dismissed = lx->role == QZ_LINUX_GUARDIAN && lx->peer.pairing->dismissed;
    lx->peer.lost = !dismissed;
    *event = (struct qz_event){.kind = dismissed ? QZ_EVENT_DISMISSED : QZ_EVENT_PEER_LOST};
    return true;
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

void qz_linux_dismiss(struct qz_os *os, bool needed)
{
    struct qz_linux *lx = qz_linux(os);
    if (lx->role != QZ_LINUX_AGENT)
        return;
    qz_linux_children_discard(lx);
    if (lx->peer.socket >= 0) {
        let_go(lx);
        /* While it ends. */
        qz_linux_child_unprepare(lx);
        qz_linux_trees_tidy(lx);
        see_off(&lx->peer, needed);
    } else {
        forget(&lx->peer);
    }
    see_off(&lx->former, needed);
}

void qz_linux_guardian(struct qz_os *os, struct qz_process *out)
{
    const struct qz_linux_peer *peer = &qz_linux(os)->peer;
    *out = qz_linux(os)->role == QZ_LINUX_AGENT && peer->socket >= 0 ? peer->process : (struct qz_process){0};
}

bool qz_linux_peer_gone(struct qz_os *os)
{
    struct qz_linux *lx = qz_linux(os);
    /* We are given to another parent when the last thread of ours has ended. */
    if (lx->role == QZ_LINUX_GUARDIAN)
        return getppid() != lx->peer.process.pid;
    qz_linux_reap(lx);
    return lx->peer.process.pid == 0 || lx->peer.reaped;
}
