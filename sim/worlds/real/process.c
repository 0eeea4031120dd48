/* process.c: the namespaces of a scenario, its pid 1, and how processes get in. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "parts.h"

#define NOBODY 65534
#define END_WAIT_MS 5000

/* ---- Namespaces ------------------------------------------------------------------------------------------------- */

const char *cgroup_mount(void)
{
    static const char *const candidates[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct statfs facts;
        if (statfs(candidates[i], &facts) == 0 && facts.f_type == CGROUP2_SUPER_MAGIC)
            return candidates[i];
    }
    return NULL;
}

/* Makes a control group below our own: quiesce names its groups by process numbers, which are the same in many
 * sandboxes. Where that cannot be had, the scenario goes on without, as quiesce does. */
static void cgroup_make(struct sandbox *sandbox)
{
    const char *mount_point = sandbox->no_cgroups ? NULL : cgroup_mount();
    int file = mount_point ? open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC) : -1;
    char *text = file >= 0 ? read_whole(file, NULL) : NULL;
    const char *line = text && strncmp(text, "0::", 3) != 0 ? strstr(text, "\n0::") : text;
    if (file >= 0)
        close(file);
    if (line) {
        const char *own = strstr(line, "::") + 2;
        char name[MARK_SIZE];
        sandbox_dotted_mark(sandbox, name);
        path_format(sandbox->cgroup_path, "%s%.*s/%s", mount_point, (int)strcspn(own, "\n"), own, name);
        if (mkdir(sandbox->cgroup_path, 0755) == 0)
            sandbox->cgroup = open(sandbox->cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        else
            sandbox->cgroup_path[0] = '\0';
    }
    free(text);
}

bool namespaces_enter(struct sandbox *sandbox, struct problem *problem)
{
    sandbox->own_pids = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (sandbox->own_pids < 0)
        return problem_set(problem, "/proc/self/ns/pid: %s", strerror(errno));
    /* Mounts of the machine that go away must go away here, too; ours must not be seen there. */
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
        return problem_set(problem, "a mount namespace of its own: %s", strerror(errno));
    cgroup_make(sandbox);
    return true;
}

int cgroup_remove(const char *path, int depth)
{
    struct dirent **entries = NULL;
    int count = depth > 0 ? scandir(path, &entries, NULL, NULL) : 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_type == DT_DIR && entries[i]->d_name[0] != '.') {
            PATH_OF(inner, "%s/%s", path, entries[i]->d_name);
            cgroup_remove(inner, depth - 1);
        }
        free(entries[i]);
    }
    free(entries);
    return rmdir(path) == 0 ? 0 : errno;
}

void namespaces_leave(struct sandbox *sandbox)
{
    if (sandbox->cgroup >= 0) {
        close(sandbox->cgroup);
        /* A process that was waited for may be in its group for a moment longer. */
        for (int tries = 0; tries < 100 && cgroup_remove(sandbox->cgroup_path, 4) == EBUSY; tries++)
            usleep(2000);
    }
    if (sandbox->own_pids >= 0)
        close(sandbox->own_pids);
    sandbox->cgroup = sandbox->own_pids = -1;
}

/* ---- In a new process ------------------------------------------------------------------------------------------- */

/* As new: no handlers, nothing blocked or ignored. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts the descriptors in their places 0, 1, 2 (and 3 for `keep`), out of the way of each other first. */
static bool place_descriptors(int out, int err, int keep)
{
    int high[] = {fcntl(out, F_DUPFD, 16), fcntl(err, F_DUPFD, 16), keep >= 0 ? fcntl(keep, F_DUPFD, 16) : -1};
    int null = open("/dev/null", O_RDONLY);
    if (high[0] < 0 || high[1] < 0 || null < 0 || (keep >= 0 && high[2] < 0))
        return false;
    if (dup2(null, 0) < 0 || dup2(high[0], 1) < 0 || dup2(high[1], 2) < 0 ||
        (keep >= 0 && dup3(high[2], 3, O_CLOEXEC) < 0))
        return false;
    return close_range(keep >= 0 ? 4 : 3, ~0U, 0) == 0;
}

/* As most machines have it: who closes all that may be open, one by one, is not to be at it for seconds. */
static void limit_descriptors(void)
{
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
}

int process_become(const struct sandbox *sandbox, int out, int err, int keep)
{
    setsid();
    reset_signals();
    limit_descriptors();
    umask(022);
    if (chroot(sandbox->root) != 0 || chdir("/") != 0 || !place_descriptors(out, err, keep))
        _exit(127);
    return keep >= 0 ? 3 : -1;
}

static pid_t clone_process(const struct sandbox *sandbox, uint64_t flags, int *pidfd)
{
    struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
    if (pidfd) {
        arguments.flags |= CLONE_PIDFD;
        arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
    }
    if (sandbox->cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (unsigned)sandbox->cgroup;
    }
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    return pid < 0 ? -errno : (pid_t)pid;
}

/* ---- Process 1 -------------------------------------------------------------------------------------------------- */

/* Process 1 keeps the namespace, and sees off those whose parents are gone. It ends with the player. `ready`: says
 * that the namespace's /proc is there, and would break if the player had gone before we could be told so. */
static _Noreturn void init_main(const struct sandbox *sandbox, int ready, const char *proc)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "sim-init", 0, 0, 0);
    int null = open("/dev/null", O_RDWR);
    int error = mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ? 0 : errno;
    ready = process_become(sandbox, null, null, ready);
    if (write(ready, &error, sizeof error) != sizeof error || error)
        _exit(1);
    close(ready);
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
    for (;;) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        sigwaitinfo(&ended, NULL);
    }
}

bool init_start(struct sandbox *sandbox, struct problem *problem)
{
    int ready[2];
    PATH_OF(proc, "%s/proc", sandbox->root);
    if (pipe2(ready, O_CLOEXEC) != 0)
        return problem_set(problem, "a pipe: %s", strerror(errno));
    pid_t pid = clone_process(sandbox, CLONE_NEWPID, &sandbox->init_pidfd);
    if (pid == 0)
        init_main(sandbox, ready[1], proc);
    close(ready[1]);
    int error = pid < 0 ? -pid : 0;
    if (pid > 0) {
        sandbox->init = pid;
        if (read(ready[0], &error, sizeof error) != sizeof error)
            error = ESRCH;
    }
    close(ready[0]);
    return !error || problem_set(problem, "a pid namespace with /proc: %s", strerror(error));
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

static void remember_started(struct sandbox *sandbox, pid_t pid)
{
    sandbox->started = realloc(sandbox->started, (sandbox->started_count + 1) * sizeof *sandbox->started);
    if (!sandbox->started)
        abort();
    sandbox->started[sandbox->started_count++] = pid;
}

pid_t sandbox_fork(struct sandbox *sandbox)
{
    /* Only for the moment: who has another pid namespace for its children cannot start threads. */
    if (setns(sandbox->init_pidfd, CLONE_NEWPID) != 0)
        return -errno;
    pid_t pid = clone_process(sandbox, 0, NULL);
    if (pid == 0)
        return 0;
    int error = setns(sandbox->own_pids, CLONE_NEWPID) != 0 ? errno : 0;
    if (pid > 0)
        remember_started(sandbox, pid);
    return error ? -error : pid;
}

static _Noreturn void run_command(const struct sandbox *sandbox, char *const *argv, bool root, const int output[2],
                                  const struct gate_filter *filter, int channel)
{
    static char path[] = "PATH=" SANDBOX_PROGRAMS ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char home[] = "HOME=/root";
    static char language[] = "LANG=C.UTF-8";
    static char *const environment[] = {path, home, language, NULL};
    channel = process_become(sandbox, output[0], output[1], channel);
    if (gate_install(filter, channel) != 0)
        _exit(127);
    if (!root && (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setgid, NOBODY) != 0 ||
                  syscall(SYS_setuid, NOBODY) != 0))
        _exit(127);
    execve(argv[0], argv, environment);
    static const char message[] = "quiesce-sim: the program cannot be started\n";
    (void)!write(STDERR_FILENO, message, sizeof message - 1);
    _exit(127);
}

pid_t sandbox_start(struct sandbox *sandbox, char *const *argv, bool root, int out, int err,
                    const struct gate_filter *filter, int *listener)
{
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
        return -errno;
    pid_t pid = sandbox_fork(sandbox);
    if (pid == 0)
        run_command(sandbox, argv, root, (int[]){out, err}, filter, channel[1]);
    close(channel[1]);
    *listener = pid > 0 ? gate_receive_listener(channel[0]) : -1;
    close(channel[0]);
    if (pid > 0 && *listener < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return *listener;
    }
    return pid;
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

/* The number in the innermost namespace, if that is the scenario's: two levels below ours are one too many. */
static pid_t inside_number(pid_t pid)
{
    PATH_OF(path, "/proc/%d/status", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = file >= 0 ? read_whole(file, NULL) : NULL;
    if (file >= 0)
        close(file);
    const char *line = text ? strstr(text, "\nNSpid:") : NULL;
    int outer = 0, inner = 0;
    if (!line || sscanf(line, "\nNSpid: %d %d", &outer, &inner) != 2)
        inner = 0;
    free(text);
    return inner;
}

static bool in_sandbox(const struct sandbox *sandbox, pid_t pid)
{
    struct stat theirs, ours;
    PATH_OF(space, "/proc/%d/ns/pid", (int)pid);
    PATH_OF(init, "/proc/%d/ns/pid", (int)sandbox->init);
    return stat(space, &theirs) == 0 && stat(init, &ours) == 0 && theirs.st_ino == ours.st_ino;
}

pid_t sandbox_pid(const struct sandbox *sandbox, pid_t inside)
{
    struct dirent **entries = NULL;
    int count = scandir("/proc", &entries, NULL, NULL);
    pid_t found = 0;
    for (int i = 0; i < count; i++) {
        pid_t pid = (pid_t)strtol(entries[i]->d_name, NULL, 10);
        if (!found && pid > 0 && in_sandbox(sandbox, pid) && inside_number(pid) == inside)
            found = pid;
        free(entries[i]);
    }
    free(entries);
    return found;
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* Sees off what was started and has ended; the namespace does not end before. */
static void reap(const struct sandbox *sandbox)
{
    for (size_t i = 0; i < sandbox->started_count; i++)
        waitpid(sandbox->started[i], NULL, WNOHANG);
}

void init_end(struct sandbox *sandbox, struct outcome *outcome)
{
    if (sandbox->init <= 0)
        return;
    kill(sandbox->init, SIGKILL);
    pid_t ended = 0;
    for (int waited_ms = 0; waited_ms < END_WAIT_MS && ended == 0; waited_ms += 2) {
        reap(sandbox);
        ended = waitpid(sandbox->init, NULL, WNOHANG);
        if (ended == 0)
            poll(&(struct pollfd){.fd = sandbox->init_pidfd, .events = POLLIN}, 1, 2);
    }
    if (ended == 0)
        outcome_left(outcome, "processes that SIGKILL does not end: they wait for a filesystem or a device");
    close(sandbox->init_pidfd);
    free(sandbox->started);
    sandbox->started = NULL;
    sandbox->started_count = 0;
    sandbox->init = 0;
    sandbox->init_pidfd = -1;
}
