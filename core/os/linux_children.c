/* linux_children.c: starting children, draining what they write, and seeing them end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux.h"
#include "linux_paths.h"

/* A child that has not come to its execve, or its gate, by now never will: its file is on a filesystem that hangs. */
#define EXEC_WAIT_MS 10000

/* What is said by a child's line. */
enum { SAYS_READY = 0, SAYS_GO = 1 }; /* and by the child, any errno */

/* ---- Lines ------------------------------------------------------------------------------------------------------ */

/* Returns 0 or an errno: EPIPE or ECONNRESET if nobody is there to hear it. */
static int say(int line, int what)
{
    while (send(line, &what, sizeof what, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* Hears one word. Returns false if there comes none: the other end is closed, or with MSG_DONTWAIT, nothing was
 * said. */
static bool hear(int line, int *said, int flags)
{
    ssize_t got;
    do
        got = recv(line, said, sizeof *said, flags);
    while (got < 0 && errno == EINTR);
    return got == sizeof *said;
}

/* More than a pipe can hold: after so many bytes, what is read was written after we came. */
#define DRAIN_LIMIT (1024 * 1024)

/* ---- Output ----------------------------------------------------------------------------------------------------- */

static void keep(struct qz_tail *tail, const char *bytes, size_t size)
{
    if (size > QZ_TAIL_SIZE) {
        tail->total += size - QZ_TAIL_SIZE;
        bytes += size - QZ_TAIL_SIZE;
        size = QZ_TAIL_SIZE;
    }
    size_t at = (size_t)(tail->total % QZ_TAIL_SIZE);
    size_t first = size < QZ_TAIL_SIZE - at ? size : QZ_TAIL_SIZE - at;
    memcpy(tail->bytes + at, bytes, first);
    memcpy(tail->bytes, bytes + first, size - first);
    tail->total += size;
}

void qz_linux_drain(struct qz_linux_pipe *pipe)
{
    char buffer[16 * 1024];
    size_t drained = 0;
    while (pipe->fd >= 0 && drained < DRAIN_LIMIT) {
        ssize_t got = read(pipe->fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            qz_linux_close_fd(&pipe->fd);
            return;
        }
        if (pipe->tail)
            keep(pipe->tail, buffer, (size_t)got);
        drained += (size_t)got;
    }
}

/* ---- The end of children ---------------------------------------------------------------------------------------- */

static void note_end(struct qz_linux *lx, const siginfo_t *info)
{
    if (lx->role == QZ_LINUX_AGENT && info->si_pid == lx->peer.process.pid) {
        lx->peer.reaped = true;
        return;
    }
    if (lx->role == QZ_LINUX_AGENT && info->si_pid == lx->former.process.pid) {
        lx->former.reaped = true;
        return;
    }
    for (int slot = 0; slot < lx->slots_used; slot++) {
        struct qz_linux_child *child = &lx->children[slot];
        if (child->pid != info->si_pid || child->ended)
            continue;
        child->ended = true;
        child->end = (struct qz_child_end){.signaled = info->si_code != CLD_EXITED, .status = info->si_status};
        return;
    }
}

void qz_linux_reap(struct qz_linux *lx)
{
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        int failed = waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 ? 0 : errno;
        if (failed == EINTR) /* nobody would tell us of that end again */
            continue;
        if (failed || info.si_pid == 0)
            return;
        note_end(lx, &info);
    }
}

/* Why could one that had been gated not be executed? 0: it could, or was not gated. */
static int take_failure(struct qz_linux_child *child)
{
    int said;
    int failed = child->line >= 0 && hear(child->line, &said, MSG_DONTWAIT) ? said : 0;
    qz_linux_close_fd(&child->line);
    return failed;
}

bool qz_linux_take_child(struct qz_linux *lx, struct qz_event *event)
{
    for (int slot = 0; slot < lx->slots_used; slot++) {
        struct qz_linux_child *child = &lx->children[slot];
        if (!child->ended)
            continue;
        qz_linux_drain(&child->pipes[0]);
        qz_linux_drain(&child->pipes[1]);
        child->ended = false;
        child->pid = 0;
        child->end.error = take_failure(child);
        *event = (struct qz_event){.kind = QZ_EVENT_CHILD, .slot = slot, .end = child->end};
        return true;
    }
    return false;
}

void qz_linux_children_discard(struct qz_linux *lx)
{
    for (int slot = 0; slot < lx->slots_used; slot++)
        lx->children[slot].pipes[0].tail = lx->children[slot].pipes[1].tail = NULL;
}

void qz_linux_children_forget(struct qz_linux *lx)
{
    for (int slot = 0; slot < lx->slots_used; slot++) {
        lx->children[slot].pid = 0;
        lx->children[slot].ended = false;
        /* A gate that we held open would not close when the agent dies. */
        qz_linux_close_fd(&lx->children[slot].line);
    }
    /* The control group stays the agent's. */
    lx->spare.attempt = 0;
    qz_linux_child_unprepare(lx);
}

/* ---- In the child ----------------------------------------------------------------------------------------------- */

/* What a child is given to begin with. */
struct child_fds {
    int out;
    int err;
    int line;
    int cgroup; /* to move into; -1: it was born where it belongs */
};

static void close_from(int first)
{
    if (close_range((unsigned)first, ~0U, 0) == 0)
        return;
    for (int fd = first; fd < (int)sysconf(_SC_OPEN_MAX); fd++)
        close(fd);
}

/* Leaves the child 0, 1, 2 and, closed by execve, its line as 3. */
static int take_descriptors(const struct child_fds *fds)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(fds->out, STDOUT_FILENO) < 0 ||
        dup2(fds->err, STDERR_FILENO) < 0)
        return errno;
    if (fds->line != 3 && dup3(fds->line, 3, O_CLOEXEC) < 0)
        return errno;
    close_from(4);
    return 0;
}

static void take_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* refused for SIGKILL, SIGSTOP and the C library's own */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Is `path` still what was checked? */
static int look_again(const char *path, const struct qz_path_facts *facts)
{
    const struct qz_path_step *checked = &facts->steps[facts->count - 1];
    struct stat now;
    if (stat(path, &now) != 0)
        return qz_errno_passes(errno) ? errno : ESTALE;
    int64_t ctime_ns = (int64_t)now.st_ctim.tv_sec * 1000000000 + now.st_ctim.tv_nsec;
    bool same = now.st_dev == checked->dev && now.st_ino == checked->ino && ctime_ns == checked->ctime_ns;
    return same ? 0 : ESTALE;
}

/* Waits until the child may go on. If the agent dies, or gives it up, it ends here. */
static void stand_at_gate(int line)
{
    int said;
    say(line, SAYS_READY);
    if (!hear(line, &said, 0) || said != SAYS_GO)
        _exit(127);
}

/* Returns the errno for which the child could not be executed, and only then. */
static int become(struct qz_linux *lx, const struct qz_child_spec *spec)
{
    if (lx->oom_score[0])
        qz_linux_write_text("/proc/self/oom_score_adj", lx->oom_score);
    qz_linux_restore_descriptors(lx);
    if (spec->clean) {
        if (chdir("/") != 0)
            return errno;
        umask(022);
    }
    char found[PATH_MAX];
    int failed = spec->facts ? 0 : qz_linux_command_find(spec->path, spec->envp, found);
    if (failed)
        return failed;
    /* All that is left to be done then is to be executed. */
    if (spec->gated)
        stand_at_gate(3);
    failed = spec->facts ? look_again(spec->path, spec->facts) : 0;
    if (failed)
        return failed;
    /* Whoever has taken over from a dead starter may have looked for the tree before there was one; or nobody has, and
     * nobody would see to what is begun here. */
    if (getppid() != lx->self.pid)
        _exit(127);
    environ = (char **)spec->envp;
    execvp(spec->facts ? spec->path : found, spec->argv);
    return errno;
}

static _Noreturn void run_child(struct qz_linux *lx, const struct qz_child_spec *spec, const struct child_fds *fds)
{
    setsid();
    if (fds->cgroup >= 0)
        qz_linux_tree_enter(lx, spec->slot, fds->cgroup);
    /* A lost agent is noticed by the end of its socket: before anything that may take long, be done with that. */
    int failed = take_descriptors(fds);
    if (failed) {
        say(fds->line, failed);
        _exit(127);
    }
    take_signals();
    say(3, become(lx, spec));
    _exit(127);
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

/* Was the file reached in the same way as when it was checked? */
static int check_facts(struct qz_os *os, const struct qz_child_spec *spec)
{
    struct qz_path_facts now;
    int failed = qz_linux_inspect(os, spec->path, &now);
    if (failed)
        return failed;
    if (qz_errno_passes(now.error))
        failed = now.error;
    else if (now.error != 0 || now.count == 0 || !qz_path_facts_same(&now, spec->facts))
        failed = ESTALE;
    qz_path_facts_free(os, &now);
    return failed;
}

/* A pipe with `ends[0]` ours. */
static int open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
}

/* As fork(2), into `cgroup` if there is one. Being born there costs nothing; moving there waits for an RCU grace
 * period of 10 ms or more, so that is done, by the child, only where clone3 cannot. */
static pid_t fork_into(struct child_fds *fds)
{
    if (fds->cgroup >= 0) {
        struct clone_args arguments = {
            .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (unsigned)fds->cgroup};
        pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
        if (pid == 0)
            fds->cgroup = -1;
        if (pid >= 0)
            return pid;
    }
    return fork();
}

/* Waits until the child has been executed, or stands at its gate. Returns 0, or the errno for which it does not. */
static int await_exec(int line, bool gated)
{
    struct pollfd source = {.fd = line, .events = POLLIN};
    int count;
    do
        count = poll(&source, 1, EXEC_WAIT_MS);
    while (count < 0 && errno == EINTR);
    if (count == 0)
        return ETIMEDOUT;
    int said;
    if (hear(line, &said, 0))
        return said;
    return gated ? ESRCH : 0; /* it was executed; or it was ended before it could say anything */
}

/* A child that was not executed. One that said why ends by itself; of another one nobody knows what it waits for: it is
 * an orphan of ours from now on. */
static void abandon(struct qz_linux *lx, int slot, pid_t pid, int why)
{
    if (why == ETIMEDOUT || why == ESRCH) {
        kill(pid, SIGKILL);
        return;
    }
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0 && errno == EINTR)
        ;
    qz_linux_tree_drop(lx, slot);
}

/* As execve(2) has them, "Limits on size of arguments and environment": one that waits at its gate would not know until
 * everything is frozen. */
static int check_size(const struct qz_child_spec *spec)
{
    const size_t most = (size_t)sysconf(_SC_ARG_MAX), most_each = 32 * (size_t)sysconf(_SC_PAGESIZE);
    const char *const *lists[] = {(const char *const *)spec->argv, (const char *const *)spec->envp};
    size_t all = 0;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; lists[k] && lists[k][i]; i++) {
            size_t size = strlen(lists[k][i]) + 1;
            all += size + sizeof(char *);
            if (size > most_each || all > most)
                return E2BIG;
        }
    }
    return 0;
}

/* Starts the child, and waits for its execve unless it is gated, with the write ends of the kit's pipes and its control
 * group, which are closed here. */
static int launch(struct qz_linux *lx, const struct qz_child_spec *spec, struct qz_linux_kit *kit)
{
    struct qz_linux_tree *tree = &lx->shared->trees[spec->slot];
    qz_linux_tree_begin(lx, spec->slot, kit->attempt, spec->envp);
    kit->attempt = 0;
    struct child_fds fds = {.out = kit->out[1], .err = kit->err[1], .line = kit->line[1], .cgroup = kit->cgroup};
    pid_t pid = fork_into(&fds);
    if (pid == 0) {
        qz_linux_tree_root(lx, spec->slot);
        run_child(lx, spec, &fds);
    }
    int failed = pid < 0 ? errno : 0;
    qz_linux_close_fd(&kit->cgroup);
    qz_linux_close_fd(&kit->out[1]);
    qz_linux_close_fd(&kit->err[1]);
    qz_linux_close_fd(&kit->line[1]);
    if (failed) {
        qz_linux_tree_drop(lx, spec->slot);
        return failed;
    }
    tree->root = pid;
    qz_linux_child_prepare(lx); /* for the next one, while this one begins; if it cannot be done now, starting that says so */
    failed = spec->gated ? 0 : await_exec(kit->line[0], false);
    if (failed) {
        abandon(lx, spec->slot, pid, failed);
        return failed;
    }
    lx->children[spec->slot].pid = pid;
    return 0;
}

/* Takes what an earlier child of the slot left in its pipes, and gives them up. */
static void release_pipes(struct qz_linux_child *child)
{
    for (int i = 0; i < 2; i++) {
        qz_linux_drain(&child->pipes[i]);
        qz_linux_close_fd(&child->pipes[i].fd);
    }
}

static void close_kit(struct qz_linux *lx, struct qz_linux_kit *kit)
{
    int *fds[] = {&kit->out[0], &kit->out[1], &kit->err[0], &kit->err[1], &kit->line[0], &kit->line[1], &kit->cgroup};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        qz_linux_close_fd(fds[i]);
    qz_linux_tree_unprepare(lx, kit->attempt);
}

static int open_kit(struct qz_linux *lx, struct qz_linux_kit *kit)
{
    *kit = (struct qz_linux_kit){.out = {-1, -1}, .err = {-1, -1}, .line = {-1, -1}, .cgroup = -1};
    int failed = open_pipe(kit->out);
    if (!failed)
        failed = open_pipe(kit->err);
    if (!failed && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, kit->line) != 0)
        failed = errno;
    if (!failed)
        kit->cgroup = qz_linux_tree_prepare(lx, &kit->attempt);
    else
        close_kit(lx, kit);
    return failed;
}

int qz_linux_child_prepare(struct qz_linux *lx)
{
    int failed = lx->has_spare ? 0 : open_kit(lx, &lx->spare);
    lx->has_spare = failed == 0;
    return failed;
}

void qz_linux_child_unprepare(struct qz_linux *lx)
{
    if (lx->has_spare)
        close_kit(lx, &lx->spare);
    lx->has_spare = false;
}

int qz_linux_child_start(struct qz_os *os, const struct qz_child_spec *spec)
{
    struct qz_linux *lx = qz_linux(os);
    if (spec->slot < 0 || spec->slot >= QZ_LINUX_SLOTS)
        return EINVAL;
    struct qz_linux_child *child = &lx->children[spec->slot];
    if (child->pid != 0)
        return EBUSY;
    int failed = check_size(spec);
    if (!failed && spec->facts)
        failed = check_facts(os, spec);
    if (!failed)
        failed = qz_linux_child_prepare(lx);
    if (failed)
        return failed;
    release_pipes(child);
    struct qz_linux_kit kit = lx->spare;
    lx->has_spare = false;
    failed = launch(lx, spec, &kit);
    if (!failed) {
        child->pipes[0] = (struct qz_linux_pipe){.fd = kit.out[0], .tail = spec->out};
        child->pipes[1] = (struct qz_linux_pipe){.fd = kit.err[0], .tail = spec->err};
        if (spec->slot >= lx->slots_used)
            lx->slots_used = spec->slot + 1;
        kit.out[0] = kit.err[0] = -1;
    }
    if (!failed && spec->gated) {
        child->line = kit.line[0];
        kit.line[0] = -1;
    }
    close_kit(lx, &kit);
    return failed;
}

int qz_linux_child_await(struct qz_os *os, int slot)
{
    struct qz_linux *lx = qz_linux(os);
    struct qz_linux_child *child = &lx->children[slot];
    int failed = await_exec(child->line, true);
    if (!failed)
        return 0;
    abandon(lx, slot, child->pid, failed);
    child->pid = 0;
    release_pipes(child);
    qz_linux_close_fd(&child->line);
    return failed;
}

int qz_linux_child_release(struct qz_os *os, int slot)
{
    struct qz_linux *lx = qz_linux(os);
    struct qz_linux_child *child = &lx->children[slot];
    if (child->pid == 0)
        return ESRCH;
    int failed = say(child->line, SAYS_GO);
    if (failed != EPIPE && failed != ECONNRESET)
        return failed;
    qz_linux_close_fd(&child->line); /* it has just ended, or does so now; that will be told */
    return 0;
}
