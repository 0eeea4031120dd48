/* client_start.c: servers started and stopped. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakefs.h"
#include "mount.h"
#include "server.h"

/* Where the server finds what it gets from us. */
#define SERVER_COMMAND 3
#define SERVER_OWNER 4

#define START_WAIT_MS 10000
#define STOP_WAIT_MS 5000 /* for a server to end by itself, and again for it to die */

/* What is ours is not the server's. A session of its own: a Ctrl-C ends who started it, which has still to clean up. */
static void leave_behind(int command, int owner)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    setsid();
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(command, SERVER_COMMAND);
    dup2(owner, SERVER_OWNER);
    close_range(SERVER_OWNER + 1, ~0U, 0);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* refused for SIGKILL, SIGSTOP and the C library's own */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Forked, not executed: linking alone would take longer than all that many a scenario does. Returns 0 or an errno. */
static int start_server(const struct fakefs_mount *mount, int command, int owner, pid_t *server)
{
    *server = fork();
    if (*server == 0) {
        leave_behind(command, owner);
        _exit(server_run(&(struct server_options){.mount_point = mount->mount_point,
                                                  .block_device = mount->block_device,
                                                  .size = mount->size,
                                                  .history = mount->history,
                                                  .command = SERVER_COMMAND,
                                                  .owner = SERVER_OWNER}));
    }
    return *server < 0 ? errno : 0;
}

/* Waits for the server to say that it is mounted, or why not. */
static int wait_for_start(int control, char *why, size_t why_size)
{
    char line[512];
    struct pollfd wait = {.fd = control, .events = POLLIN};
    ssize_t size = poll(&wait, 1, START_WAIT_MS) == 1 ? recv(control, line, sizeof line - 1, 0) : -1;
    if (size == 1) /* nothing said */
        return 0;
    line[size > 0 ? size : 0] = '\0';
    snprintf(why, why_size, "%s", size > 0 ? line : "the server of a fake filesystem ended before it was mounted");
    return EIO;
}

/* Descriptors are moved out of the way of the server's. */
static int move_up(int descriptor)
{
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, SERVER_OWNER + 1);
    close(descriptor);
    return moved;
}

int fakefs_start(struct fakefs *fakefs, const struct fakefs_mount *mount, char *why, size_t why_size)
{
    int ends[2];
    *fakefs = (struct fakefs){.process = -1, .control = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        int error = errno;
        snprintf(why, why_size, "no socket for a fake filesystem: %s", strerror(error));
        return error;
    }
    int command = move_up(ends[1]);
    int owner = move_up(pidfd_open(getpid(), 0));
    fakefs->control = ends[0];
    int error = start_server(mount, command, owner, &fakefs->server);
    close(command);
    close(owner);
    if (error) {
        fakefs->server = 0;
        snprintf(why, why_size, "no process for a fake filesystem: %s", strerror(error));
    } else {
        fakefs->process = pidfd_open(fakefs->server, 0);
        mount_source(mount->block_device, fakefs->server, fakefs->source, sizeof fakefs->source);
        error = wait_for_start(fakefs->control, why, why_size);
    }
    if (error)
        fakefs_stop(fakefs);
    return error;
}

static bool ends_within(const struct fakefs *fakefs, int wait_ms)
{
    struct pollfd wait = {.fd = fakefs->process, .events = POLLIN};
    int ready = 0;
    do {
        ready = poll(&wait, 1, wait_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

void fakefs_stop(struct fakefs *fakefs)
{
    if (fakefs->control >= 0) {
        shutdown(fakefs->control, SHUT_RDWR); /* also for those who were forked and have it too: the server ends, unmounts */
        close(fakefs->control);
    }
    if (fakefs->server > 0) {
        bool ended = ends_within(fakefs, STOP_WAIT_MS);
        if (!ended) {
            pidfd_send_signal(fakefs->process, SIGKILL, NULL, 0);
            ended = ends_within(fakefs, STOP_WAIT_MS);
        }
        if (ended)
            waitid(P_PIDFD, (id_t)fakefs->process, &(siginfo_t){0}, WEXITED);
        else
            mount_abort(fakefs->source); /* else its end would have */
        mount_remove(fakefs->source);
        close(fakefs->process);
    }
    *fakefs = (struct fakefs){.process = -1, .control = -1};
}
