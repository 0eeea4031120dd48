/* linux.c: opening and closing the Linux implementation, time, identity, and the one place that waits. */
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "linux_mounts.h"
#include "linux_paths.h"

/* ---- Small helpers ---------------------------------------------------------------------------------------------- */

ssize_t qz_linux_read_text(const char *path, char *buffer, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    buffer[0] = '\0';
    if (fd < 0)
        return -1;
    size_t size = 0;
    ssize_t got;
    do { /* a read may fall short */
        got = read(fd, buffer + size, capacity - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    close(fd);
    if (got < 0) {
        buffer[0] = '\0'; /* half a text is none */
        return -1;
    }
    if (size > 0 && buffer[size - 1] == '\n')
        size--;
    buffer[size] = '\0';
    return (ssize_t)size;
}

size_t qz_linux_read_at(int fd, void *buffer, size_t size, off_t at)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = pread(fd, (char *)buffer + have, size - have, at + (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    return have;
}

int qz_linux_write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t written = write(fd, text, strlen(text));
    int failed = written < 0 ? errno : 0;
    close(fd);
    return failed;
}

void qz_linux_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * QZ_US_PER_S + now.tv_nsec / 1000;
}

int64_t qz_linux_now_us(struct qz_os *os)
{
    (void)os;
    return clock_us(CLOCK_MONOTONIC);
}

static int64_t wall_us(struct qz_os *os)
{
    (void)os;
    return clock_us(CLOCK_REALTIME);
}

/* ---- Identity --------------------------------------------------------------------------------------------------- */

bool qz_linux_stat(pid_t pid, struct qz_linux_stat *out)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (qz_linux_read_text(path, text, sizeof text) < 0)
        return false;
    /* The name may hold spaces and parentheses; no later field does. */
    const char *rest = strrchr(text, ')');
    unsigned long long start_time;
    int parent, session;
    if (!rest || sscanf(rest + 1,
                        " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu",
                        &out->state, &parent, &session, &out->threads, &start_time) != 5)
        return false;
    out->parent = parent;
    out->session = session;
    out->start_time = start_time;
    return true;
}

static bool is_root(struct qz_os *os)
{
    (void)os;
    return geteuid() == 0;
}

static int random_bytes(struct qz_os *os, void *out, size_t size)
{
    (void)os;
    char *next = out;
    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        next += got;
        size -= (size_t)got;
    }
    return 0;
}

static void self(struct qz_os *os, struct qz_process *out)
{
    struct qz_linux *lx = qz_linux(os);
    struct qz_linux_stat stat;
    if (lx->self.start_time == 0 && qz_linux_stat(lx->self.pid, &stat))
        lx->self.start_time = stat.start_time;
    *out = lx->self;
}

static bool process_alive(struct qz_os *os, const struct qz_process *process)
{
    (void)os;
    struct qz_linux_stat stat;
    return process->pid > 0 && qz_linux_stat(process->pid, &stat) && stat.start_time == process->start_time &&
           stat.state != 'Z' && stat.state != 'X';
}

/* The first thread of a killed process is a zombie at once; another one may hang in a system call. */
static bool process_gone(struct qz_os *os, const struct qz_process *process)
{
    (void)os;
    struct qz_linux_stat stat;
    if (process->pid <= 0 || !qz_linux_stat(process->pid, &stat) || stat.start_time != process->start_time)
        return true;
    return (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
}

/* Looked at when the descriptor is there, which is nobody else's later: a signal may end whoever does not expect it. */
static int process_signal(struct qz_os *os, const struct qz_process *process, int signal_number)
{
    if (process->pid <= 0)
        return ESRCH;
    int failed = 0, fd = pidfd_open(process->pid, 0);
    if (fd < 0)
        return errno;
    if (!process_alive(os, process))
        failed = ESRCH;
    else if (pidfd_send_signal(fd, signal_number, NULL, 0) != 0)
        failed = errno;
    close(fd);
    return failed;
}

/* ---- Waiting ---------------------------------------------------------------------------------------------------- */

/* What a terminal sends to ask us to end, where nobody has us ignore it: nohup does, and a shell for what it runs in the
 * background. What is ignored would come to a signalfd all the same, as it is blocked. */
static void add_terminal_signals(sigset_t *set)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler != SIG_IGN)
            sigaddset(set, numbers[i]);
    }
}

int qz_linux_signals(enum qz_linux_role role)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    if (role == QZ_LINUX_AGENT) {
        add_terminal_signals(&set);
        sigaddset(&set, QZ_SIGNAL_TAKEN);
        sigaddset(&set, QZ_SIGNAL_FAILED);
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void add_source(struct qz_linux *lx, int source, int fd)
{
    lx->polls[source] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static bool ready(const struct qz_linux *lx, int source)
{
    return lx->polls[source].fd >= 0 && lx->polls[source].revents != 0;
}

/* Sleeps until a source is ready or the deadline has come. */
static void poll_sources(struct qz_linux *lx, int64_t deadline_us)
{
    add_source(lx, QZ_LINUX_SIGNAL, lx->signals);
    add_source(lx, QZ_LINUX_WAKE, lx->wake);
    add_source(lx, QZ_LINUX_PEER, lx->peer.socket);
    add_source(lx, QZ_LINUX_PEER_END, lx->peer.socket >= 0 ? lx->peer.pidfd : -1);
    /* What the agent's children write is the agent's to read, as long as there is one. */
    bool drains = lx->role == QZ_LINUX_AGENT || lx->peer.lost;
    for (int i = 0; i < 2 * lx->slots_used; i++)
        add_source(lx, QZ_LINUX_PIPES + i, drains ? lx->children[i / 2].pipes[i % 2].fd : -1);
    nfds_t count = (nfds_t)(QZ_LINUX_PIPES + 2 * lx->slots_used);

    struct timespec left = {0};
    if (deadline_us != QZ_NEVER) {
        int64_t left_us = deadline_us - qz_linux_now_us(&lx->base);
        if (left_us > 0)
            left = (struct timespec){.tv_sec = left_us / QZ_US_PER_S, .tv_nsec = left_us % QZ_US_PER_S * 1000};
    }
    if (ppoll(lx->polls, count, deadline_us == QZ_NEVER ? NULL : &left, NULL) < 0)
        for (nfds_t i = 0; i < count; i++)
            lx->polls[i].revents = 0;
}

/* Takes one signal. Returns false if it was none for the caller. */
static bool take_signal(struct qz_linux *lx, struct qz_event *event)
{
    struct signalfd_siginfo info;
    if (read(lx->signals, &info, sizeof info) != sizeof info)
        return false;
    if (info.ssi_signo == SIGCHLD) {
        qz_linux_reap(lx);
        return false;
    }
    *event = (struct qz_event){.kind = QZ_EVENT_SIGNAL, .value = (int)info.ssi_signo};
    return true;
}

/* Sees to every source that is ready until there is an event. */
static bool look(struct qz_linux *lx, struct qz_event *event)
{
    for (int i = 0; i < 2 * lx->slots_used; i++)
        if (ready(lx, QZ_LINUX_PIPES + i))
            qz_linux_drain(&lx->children[i / 2].pipes[i % 2]);
    if (ready(lx, QZ_LINUX_SIGNAL) && take_signal(lx, event))
        return true;
    if (ready(lx, QZ_LINUX_WAKE)) {
        uint64_t count;
        /* Fails only if there was nothing to clear. */
        (void)!read(lx->wake, &count, sizeof count);
    }
    if (qz_linux_take_volume(lx, event))
        return true;
    bool peer_ended = ready(lx, QZ_LINUX_PEER_END);
    if ((ready(lx, QZ_LINUX_PEER) || peer_ended) && qz_linux_take_peer(lx, peer_ended, event))
        return true;
    return qz_linux_take_child(lx, event);
}

static void wait_event(struct qz_os *os, int64_t deadline_us, struct qz_event *event)
{
    struct qz_linux *lx = qz_linux(os);
    for (;;) {
        /* Several things may have ended at once; the sources tell of them only once. */
        if (qz_linux_take_volume(lx, event) || qz_linux_take_child(lx, event))
            return;
        poll_sources(lx, deadline_us);
        if (look(lx, event))
            return;
        if (deadline_us != QZ_NEVER && qz_linux_now_us(os) >= deadline_us) {
            *event = (struct qz_event){.kind = QZ_EVENT_TIMEOUT};
            return;
        }
    }
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static const struct qz_os_ops linux_ops = {
    .now_us = qz_linux_now_us,
    .wall_us = wall_us,
    .wait = wait_event,
    .is_root = is_root,
    .random_bytes = random_bytes,
    .self = self,
    .process_alive = process_alive,
    .process_gone = process_gone,
    .process_signal = process_signal,
    .boot_id = qz_linux_boot_id,
    .inspect = qz_linux_inspect,
    .read_file = qz_linux_read_file,
    .close_file = qz_linux_close_file,
    .write_file = qz_linux_write_file,
    .make_directory = qz_linux_make_directory,
    .remove = qz_linux_remove,
    .lock = qz_linux_lock,
    .journal_write = qz_linux_journal_write,
    .journal_read = qz_linux_journal_read,
    .state_directory = qz_linux_state_directory,
    .child_start = qz_linux_child_start,
    .child_await = qz_linux_child_await,
    .child_release = qz_linux_child_release,
    .tree_signal = qz_linux_tree_signal,
    .tree_alive = qz_linux_tree_alive,
    .list_mounts = qz_linux_list_mounts,
    .volume_open = qz_linux_volume_open,
    .volume_recover = qz_linux_volume_recover,
    .volumes_arm = qz_linux_volumes_arm,
    .volume_start = qz_linux_volume_start,
    .volume_mounted = qz_linux_volume_mounted,
    .volumes_close = qz_linux_volumes_close,
    .share = qz_linux_share,
    .guard = qz_linux_guard,
    .dismiss = qz_linux_dismiss,
    .tell_peer = qz_linux_tell_peer,
    .guardian = qz_linux_guardian,
    .peer_gone = qz_linux_peer_gone,
    .detach = qz_linux_detach,
    .release = qz_linux_release,
    .setting_get = qz_linux_setting_get,
    .setting_set = qz_linux_setting_set,
    .rcu_spared = qz_linux_rcu_spared,
    .dirty_bytes = qz_linux_dirty_bytes,
    .volumes_written = qz_linux_volumes_written,
    .print = qz_linux_print,
    .is_terminal = qz_linux_is_terminal,
};

/* A descriptor of ours in the place of a closed standard stream would be taken for that stream. */
static int open_standard_streams(struct qz_linux *lx)
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (fcntl(stream, F_GETFD) >= 0)
            continue;
        lx->no_result = lx->no_result || stream == STDOUT_FILENO;
        if (open("/dev/null", O_RDWR) < 0)
            return errno;
    }
    return 0;
}

/* Once a large buffer was given back, the C library takes further ones from the heap, and that does not get small
 * again; agent and guardian are, while something is frozen, in memory as a whole. */
#define LARGE_BUFFER (128 * 1024)

/* A pipe that nobody reads and a file that may not get any larger are errors; and to be stopped by the terminal, when it
 * is written to from the background too, is not for whoever has something frozen. */
static int ignore_signals(void)
{
    static const int numbers[] = {SIGPIPE, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (signal(numbers[i], SIG_IGN) == SIG_ERR)
            return errno;
    return 0;
}

/* From here on signals wait until wait() looks; children get the usual ones back. */
static int claim_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    add_terminal_signals(&set);
    sigaddset(&set, QZ_SIGNAL_TAKEN);
    sigaddset(&set, QZ_SIGNAL_FAILED);
    sigaddset(&set, SIGCHLD);
    /* A SIGCHLD that was ignored by whoever started us would take away the exit status of our children. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return errno;
    return ignore_signals();
}

/* Makes us the last process that the kernel ends for want of memory, where that may be asked for. */
static void lower_oom_score(struct qz_linux *lx)
{
    static const char path[] = "/proc/self/oom_score_adj";
    if (qz_linux_read_text(path, lx->oom_score, sizeof lx->oom_score) < 0 || qz_linux_write_text(path, "-1000") != 0)
        lx->oom_score[0] = '\0';
}

/* A volume takes a descriptor, and many programs are started with leave for no more than 1024. */
static void raise_descriptors(struct qz_linux *lx)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &lx->descriptors) != 0)
        return;
    most = lx->descriptors;
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
}

void qz_linux_restore_descriptors(const struct qz_linux *lx)
{
    if (lx->descriptors.rlim_max > 0)
        setrlimit(RLIMIT_NOFILE, &lx->descriptors);
}

static int prepare(struct qz_linux *lx)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER);
    int failed = open_standard_streams(lx);
    if (!failed)
        failed = claim_signals();
    if (failed)
        return failed;
    lx->signals = qz_linux_signals(QZ_LINUX_AGENT);
    lx->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lx->signals < 0 || lx->wake < 0)
        return errno;
    lx->shared = qz_linux_share(&lx->base, sizeof *lx->shared);
    if (!lx->shared)
        return ENOMEM;
    struct qz_linux_stat stat = {0};
    qz_linux_stat(getpid(), &stat);
    lx->self = (struct qz_process){.pid = getpid(), .start_time = stat.start_time};
    /* Orphaned descendants of our children come to us, and so stay ours to end. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return errno;
    qz_linux_read_text("/proc/sys/kernel/random/boot_id", lx->boot_id, sizeof lx->boot_id);
    lower_oom_score(lx);
    raise_descriptors(lx);
    qz_linux_trees_open(lx);
    return 0;
}

struct qz_os *qz_linux_open(const char *state_directory)
{
    struct qz_linux *lx = calloc(1, sizeof *lx);
    if (!lx)
        return NULL;
    lx->base.ops = &linux_ops;
    lx->state_directory = state_directory;
    lx->signals = lx->wake = lx->lock = lx->starter = lx->nowhere = -1;
    lx->peer.socket = lx->peer.pidfd = lx->former.socket = lx->former.pidfd = -1;
    for (int i = 0; i < QZ_SETTINGS; i++)
        lx->settings[i] = -1;
    for (int slot = 0; slot < QZ_LINUX_SLOTS; slot++)
        lx->children[slot].pipes[0].fd = lx->children[slot].pipes[1].fd = lx->children[slot].line = -1;
    int failed = prepare(lx);
    if (failed) {
        qz_linux_close(&lx->base);
        errno = failed;
        return NULL;
    }
    return &lx->base;
}

void qz_linux_close(struct qz_os *os)
{
    if (!os)
        return;
    struct qz_linux *lx = qz_linux(os);
    qz_linux_dismiss(os, true);
    qz_linux_volumes_close(os);
    qz_linux_child_unprepare(lx);
    free(lx->volumes);
    free(lx->disks);
    if (lx->shared)
        qz_linux_trees_close(lx);
    for (int i = 0; i < 2 * lx->slots_used; i++)
        qz_linux_close_fd(&lx->children[i / 2].pipes[i % 2].fd);
    for (int slot = 0; slot < lx->slots_used; slot++)
        qz_linux_close_fd(&lx->children[slot].line);
    qz_linux_close_fd(&lx->signals);
    qz_linux_close_fd(&lx->wake);
    qz_linux_close_fd(&lx->lock);
    for (int i = 0; i < QZ_SETTINGS; i++)
        qz_linux_close_fd(&lx->settings[i]);
    qz_linux_close_fd(&lx->peer.pidfd);
    qz_linux_close_fd(&lx->starter);
    qz_linux_close_fd(&lx->nowhere);
    if (lx->oom_score[0])
        qz_linux_write_text("/proc/self/oom_score_adj", lx->oom_score);
    qz_linux_restore_descriptors(lx);
    qz_linux_unshare(lx);
    free(lx);
}
