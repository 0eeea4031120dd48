#include "gate_guest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

_Noreturn static void run_guest(const struct gate_filter *filter, int channel, int out, uid_t user, char *const *argv)
{
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
        _exit(125);
    if (user && setresuid(user, user, user) != 0)
        _exit(125);
    int failed = gate_install(filter, channel);
    if (failed) {
        dprintf(STDERR_FILENO, "gate_install: %s\n", strerrorname_np(failed));
        _exit(126);
    }
    close(channel);
    execv(argv[0], argv);
    _exit(127);
}

bool guest_start_as(struct guest *guest, const struct gate_filter *filter, uid_t user, char *const *argv)
{
    int ends[2];
    *guest = (struct guest){.out = memfd_create("output", MFD_CLOEXEC)};
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    guest->pid = fork();
    if (guest->pid == 0)
        run_guest(filter, ends[1], guest->out, user, argv);
    close(ends[1]);
    guest->pidfd = pidfd_open(guest->pid, 0);
    guest->listener = gate_receive_listener(ends[0]);
    close(ends[0]);
    return guest->listener >= 0;
}

bool guest_start(struct guest *guest, const struct gate_filter *filter, char *const *argv)
{
    return guest_start_as(guest, filter, 0, argv);
}

bool guest_next(struct guest *guest, struct gate_call *call)
{
    for (;;) {
        struct pollfd sources[] = {{guest->listener, POLLIN, 0}, {guest->pidfd, POLLIN, 0}};
        if (poll(sources, 2, GUEST_PATIENCE_MS) <= 0) {
            CU_FAIL("the guest hangs");
            kill(guest->pid, SIGKILL);
            return false;
        }
        if (sources[0].revents & POLLIN && gate_next(guest->listener, call) == 0) {
            guest->calls++;
            return true;
        }
        if (sources[1].revents)
            return false;
    }
}

void guest_finish(struct guest *guest)
{
    waitpid(guest->pid, &guest->status, 0);
    ssize_t size = pread(guest->out, guest->output, sizeof guest->output - 1, 0);
    guest->output[size > 0 ? size : 0] = '\0';
    close(guest->out);
    close(guest->pidfd);
    if (guest->listener >= 0)
        close(guest->listener);
}

struct guest guest_play(const struct gate_filter *filter, char *const *argv, guest_supervisor *decide, void *argument)
{
    struct guest guest;
    struct gate_call call;
    bool started = guest_start(&guest, filter, argv);
    while (started && guest_next(&guest, &call))
        decide(&guest, &call, argument);
    guest_finish(&guest);
    CU_ASSERT_TRUE(started);
    return guest;
}
