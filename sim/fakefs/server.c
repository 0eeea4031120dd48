/* server.c: the loop, its start and its end. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "memory.h"
#include "mount.h"

#define BATCH 32 /* operations that are taken before the control is looked at again */

static struct server server; /* with all that is in it: the end of the process frees it faster than we could */

int64_t server_now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* ---- The kernel -------------------------------------------------------------------------------------------------- */

static ssize_t read_message(int device, void *buffer, size_t size, void *userdata)
{
    (void)userdata;
    return read(device, buffer, size);
}

/* libfuse does not know FUSE_HANDLE_KILLPRIV_V2, without which the kernel asks for an attribute before each write. So
 * it is added to what libfuse says in its first message, which is what it has negotiated. */
static ssize_t write_message(int device, struct iovec *parts, int count, void *userdata)
{
    struct server *to = userdata;
    if (!to->greeted && count == 2) {
        struct fuse_init_out *greeting = parts[1].iov_base;
        greeting->flags |= FUSE_HANDLE_KILLPRIV_V2;
    }
    to->greeted = true;
    return writev(device, parts, count);
}

static void say_nothing(enum fuse_log_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
}

/* Opens the session for `device`. NULL: no memory. */
static struct fuse_session *open_session(int device)
{
    static char *argv[] = {"fakefs", NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
    const struct fuse_custom_io io = {.read = read_message, .writev = write_message};
    fuse_set_log_func(say_nothing); /* of answers that nobody waits for any more */
    struct fuse_session *session = fuse_session_new(&arguments, &server_handlers, sizeof server_handlers, &server);
    fuse_opt_free_args(&arguments);
    if (session && fuse_session_custom_io(session, &io, device) != 0) {
        fuse_session_destroy(session);
        session = NULL;
    }
    return session;
}

static void take_operations(struct fuse_buf *buffer)
{
    for (int i = 0; i < BATCH && server.mounted; i++) {
        int size = fuse_session_receive_buf(server.session, buffer);
        if (size == -EAGAIN || size == -EINTR)
            return;
        if (size > 0)
            fuse_session_process_buf(server.session, buffer);
        if (size <= 0 || fuse_session_exited(server.session))
            server.mounted = false;
    }
}

/* ---- The loop ---------------------------------------------------------------------------------------------------- */

struct events {
    int device;
    int signals;
    int owner; /* who started us, as a pidfd; -1 */
    bool controlled; /* somebody may still ask for what happened, after it was unmounted */
};

static void wait_for_events(struct pollfd *polls, size_t count)
{
    int64_t next_us = turn_next_us(&server);
    int64_t wait_us = next_us - server_now_us();
    if (wait_us < 0)
        wait_us = 0;
    struct timespec time = {wait_us / 1000000, wait_us % 1000000 * 1000};
    if (ppoll(polls, count, next_us == FOREVER ? NULL : &time, NULL) < 0) {
        for (size_t i = 0; i < count; i++)
            polls[i].revents = 0;
    }
}

static void serve(const struct events *events)
{
    struct fuse_buf buffer = {0};
    struct pollfd *polls = NULL;
    while (!server.ended && (server.mounted || events->controlled)) {
        size_t count = 3 + control_count(&server);
        polls = memory_or_end(reallocarray(polls, count, sizeof *polls));
        polls[0] = (struct pollfd){.fd = server.mounted ? events->device : -1, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = events->signals, .events = POLLIN};
        polls[2] = (struct pollfd){.fd = events->owner, .events = POLLIN};
        control_poll(&server, polls + 3);
        wait_for_events(polls, count);
        if (polls[1].revents || polls[2].revents)
            server.ended = true;
        control_serve(&server, polls + 3, count - 3);
        if (polls[0].revents)
            take_operations(&buffer);
        turn_go_on(&server);
    }
    free(polls);
    free(buffer.mem);
}

/* ---- Start and end ----------------------------------------------------------------------------------------------- */

static int block_signals(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int64_t memory_bytes(void)
{
    struct sysinfo info;
    sysinfo(&info);
    return (int64_t)info.totalram * info.mem_unit;
}

/* To who started us, or to people: one line. Nothing said: it is mounted. */
static void tell_start(const struct server_options *options, const char *why)
{
    if (options->command >= 0)
        (void)!send(options->command, why, strlen(why) + 1, MSG_NOSIGNAL);
    else if (*why)
        fprintf(stderr, "quiesce-sim: fakefs: %s\n", why);
}

/* Opens and mounts; returns the descriptor, or -1 with `why`. */
static int open_device(const struct server_options *options, const char *mount_point, char *why, size_t why_size)
{
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device < 0) {
        snprintf(why, why_size, "/dev/fuse: %s", strerror(errno));
        return -1;
    }
    int error = mount_open(device, mount_point, options->block_device);
    if (!error) {
        server.session = open_session(device);
        if (server.session)
            return device;
        error = ENOMEM;
    }
    snprintf(why, why_size, "%s: cannot be mounted as %s%s%s: %s", mount_point,
             options->block_device ? "fuseblk on " : "fuse", options->block_device ? options->block_device : "",
             geteuid() == 0 ? "" : " (not root)", strerror(error));
    close(device);
    return -1;
}

/* Closing the device first ends all that waits for us: else unmounting could wait for ourselves. */
static void end(const struct server_options *options)
{
    turn_give_up(&server);
    fuse_session_destroy(server.session);
    char source[256];
    mount_source(options->block_device, getpid(), source, sizeof source);
    mount_remove(source);
    if (options->socket)
        unlink(options->socket);
}

static int listen_at(const struct server_options *options, char *why, size_t why_size)
{
    if (!options->socket)
        return -1;
    int listening = control_listen(options->socket);
    if (listening < 0)
        snprintf(why, why_size, "%s: %s", options->socket, strerror(-listening));
    return listening;
}

int server_run(const struct server_options *options)
{
    char why[512] = "";
    char *mount_point = realpath(options->mount_point, NULL);
    struct events events = {.signals = block_signals(), .owner = options->owner, .controlled = options->command >= 0};
    if (!mount_point)
        snprintf(why, sizeof why, "%s: %s", options->mount_point, strerror(errno));
    server.history = options->history;
    server.control.command = options->command;
    server.control.listening = listen_at(options, why, sizeof why);
    tree_make(&server.tree, options->size > 0 ? options->size : memory_bytes());
    prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0); /* memory for us is not had by writing to a disk that we serve */
    events.device = *why ? -1 : open_device(options, mount_point, why, sizeof why);
    server.mounted = events.device >= 0;
    tell_start(options, why);
    if (server.mounted) {
        (void)!chdir("/");
        serve(&events);
        end(options);
    }
    free(mount_point);
    return *why ? EXIT_BROKEN : EXIT_PASSED;
}
