/* client_start.c: servers started and stopped. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakefs.h"
#include "mount.h"

/* Where the server finds what it gets from us. */
#define SERVER_COMMAND 3
#define SERVER_OWNER 4

#define START_WAIT_MS 10000
#define STOP_WAIT_MS 5000 /* for a server to end by itself, and again for it to die */

static int spawn(const struct fakefs_mount *mount, int command, int owner, pid_t *server)
{
    char size[32];
    snprintf(size, sizeof size, "%lld", (long long)mount->size);
    const char *argv[16] = {mount->self, "fakefs", "--command", "3", "--owner", "4"};
    int count = 6;
    if (mount->size > 0) {
        argv[count++] = "--size";
        argv[count++] = size;
    }
    if (mount->history)
        argv[count++] = "--history";
    if (mount->block_device) {
        argv[count++] = "--block-device";
        argv[count++] = mount->block_device;
    }
    argv[count++] = "--";
    argv[count] = mount->mount_point;

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, command, SERVER_COMMAND);
    posix_spawn_file_actions_adddup2(&files, owner, SERVER_OWNER);
    posix_spawn_file_actions_addclosefrom_np(&files, SERVER_OWNER + 1);
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    /* A session of its own: a Ctrl-C ends who started it, which has still to clean up. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    int error = posix_spawn(server, mount->self, &files, &attributes, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
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
    int error = spawn(mount, command, owner, &fakefs->server);
    close(command);
    close(owner);
    if (error) {
        fakefs->server = 0;
        snprintf(why, why_size, "%s: %s", mount->self, strerror(error));
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
