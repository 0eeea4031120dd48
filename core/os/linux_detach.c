/* linux_detach.c: going on in the background: the process that was started waits, its child goes on in its place. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux.h"

static struct qz_process process_of(pid_t pid)
{
    struct qz_linux_stat stat = {0};
    qz_linux_stat(pid, &stat);
    return (struct qz_process){.pid = pid, .start_time = stat.start_time};
}

/* What our caller has open is not ours to keep open: its locks, its pipes, what is to be unmounted. It came through an
 * execve, which none of ours would. */
static void close_inherited(void)
{
    DIR *open_files = opendir("/proc/self/fd");
    for (struct dirent *entry; open_files && (entry = readdir(open_files));) {
        int fd = atoi(entry->d_name), flags = fcntl(fd, F_GETFD);
        if (fd > STDERR_FILENO && flags >= 0 && (flags & FD_CLOEXEC) == 0)
            close(fd);
    }
    if (open_files)
        closedir(open_files);
}

/* Gives the new process what must be its own; a subreaper's right is not inherited. Returns 0 or an errno. */
static int go_on(struct qz_linux *lx, int socket)
{
    setsid();
    close_inherited();
    prctl(PR_SET_NAME, "quiesce-agent", 0, 0, 0);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return errno;
    lx->self = process_of(getpid());
    lx->starter = socket;
    qz_linux_close_fd(&lx->signals);
    qz_linux_close_fd(&lx->wake);
    lx->signals = qz_linux_signals(QZ_LINUX_AGENT);
    lx->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lx->signals < 0 || lx->wake < 0 || dup2(lx->nowhere, STDIN_FILENO) < 0 || dup2(lx->nowhere, STDOUT_FILENO) < 0)
        return errno;
    return 0;
}

static _Noreturn void do_rest(struct qz_linux *lx, int socket, pid_t pid, qz_rest rest, void *argument)
{
    lx->peer = (struct qz_linux_peer){.process = process_of(pid), .socket = socket, .pidfd = pidfd_open(pid, 0)};
    /* The lock is that of the open file, which the other one has, too. */
    qz_linux_close_fd(&lx->lock);
    /* What else is to be given up, control groups and shared memory, is the other one's. */
    _exit(rest(&lx->base, argument, &lx->peer.process));
}

int qz_linux_detach(struct qz_os *os, qz_rest rest, void *argument)
{
    struct qz_linux *lx = qz_linux(os);
    int ends[2];
    lx->nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (lx->nowhere < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return errno;
    pid_t pid = fork();
    if (pid > 0) {
        close(ends[1]);
        do_rest(lx, ends[0], pid, rest, argument);
    }
    int failed = pid < 0 ? errno : 0;
    close(ends[0]);
    if (failed) {
        close(ends[1]);
        return failed;
    }
    if (go_on(lx, ends[1]) != 0)
        _exit(EXIT_FAILURE); /* the other one sees us go */
    return 0;
}

bool qz_linux_release(struct qz_os *os, int byte)
{
    struct qz_linux *lx = qz_linux(os);
    unsigned char message = (unsigned char)byte;
    if (lx->starter < 0)
        return false;
    bool told = send(lx->starter, &message, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    qz_linux_close_fd(&lx->starter);
    dup2(lx->nowhere, STDERR_FILENO);
    return told;
}
