/* Tests of sim/gate: the rules of gate.h, with stock programs and probes that know nothing of the gate. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gate_calls.h"
#include "gate_guest.h"

static const struct gate_filter NO_CALLS = {.calls = NULL};

/* Answers every FIFREEZE with the errno (0: success) at `argument`, and lets everything else go on. */
static void answer_freeze(struct guest *guest, const struct gate_call *call, void *argument)
{
    int error = *(int *)argument;
    if (call->call != SYS_ioctl || (unsigned)call->arguments[1] != (unsigned)FIFREEZE)
        gate_continue(guest->listener, call);
    else if (error)
        gate_fail(guest->listener, call, error);
    else
        gate_return(guest->listener, call, 0);
}

static char *fsfreeze(void)
{
    static char *const places[] = {"/usr/sbin/fsfreeze", "/sbin/fsfreeze"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (access(places[i], X_OK) == 0)
            return places[i];
    }
    check_skip("no fsfreeze (util-linux)");
    return NULL;
}

/* ---- Answers ---------------------------------------------------------------------------------------------------- */

static void check_fsfreeze(int error, int exit, const char *message)
{
    char *program = fsfreeze();
    if (!program)
        return;
    struct guest guest = guest_play(&NO_CALLS, (char *[]){program, "-f", DIRECTORY, NULL}, answer_freeze, &error);
    CHECK_INT(guest.calls, 1);
    CHECK_INT(WEXITSTATUS(guest.status), exit);
    CHECK_CONTAINS(guest.output, message);
}

QZ_TEST(freeze_succeeds_if_the_supervisor_says_so) // Stock fsfreeze sees a freeze of a plain directory succeed.
{
    check_fsfreeze(0, 0, "");
}

QZ_TEST(freeze_fails_with_the_supervisors_errno) // Stock fsfreeze sees the errno that the supervisor answers.
{
    check_fsfreeze(EBUSY, 1, "Device or resource busy");
    check_fsfreeze(EIO, 1, "Input/output error");
}

static void go_on(struct guest *guest, const struct gate_call *call, void *argument)
{
    (void)argument;
    gate_continue(guest->listener, call);
}

QZ_TEST(call_that_goes_on_is_the_kernels) // A call that is told to go on does what it does without a gate.
{
    char *program = fsfreeze();
    if (!program)
        return;
    struct guest guest = guest_play(&NO_CALLS, (char *[]){program, "-f", DIRECTORY, NULL}, go_on, NULL);
    CHECK_INT(WEXITSTATUS(guest.status), 1);
    CHECK_CONTAINS(guest.output, "Operation not"); /* supported; permitted, for who is not root */
}

static void check_build(char *probe)
{
    int error = EBUSY;
    struct guest guest = guest_play(&NO_CALLS, (char *[]){probe, "freeze", DIRECTORY, NULL}, answer_freeze, &error);
    CHECK_INT(guest.status, 0);
    CHECK_CONTAINS(guest.output, "freeze: EBUSY\n");
}

QZ_TEST(programs_of_every_build_are_gated) // Static, dynamic and sanitized programs alike come to the gate.
{
    check_build(PROBE);
    check_build(PROBE "_static");
    check_build(PROBE "_asan");
}

QZ_TEST(users_without_rights_are_gated) // Who is not root can be put behind the gate, too.
{
    int error = EBUSY;
    struct guest guest;
    struct gate_call call;
    char *const argv[] = {"/bin/sh", "-c", "exec fsfreeze -f " DIRECTORY, NULL};
    if (geteuid() != 0 || !fsfreeze())
        return;
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    bool started = guest_start_as(&guest, &NO_CALLS, 65534, argv);
    while (started && guest_next(&guest, &call))
        answer_freeze(&guest, &call, &error);
    guest_finish(&guest);
    CHECK_INT(guest.calls, 1);
    CHECK_CONTAINS(guest.output, "Device or resource busy");
}

QZ_TEST(children_inherit_the_gate) // Whatever a gated process starts is gated, too, and is told apart.
{
    pid_t pids[2] = {0, 0};
    struct guest guest;
    struct gate_call call;
    if (!fsfreeze())
        return;
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    char script[] = "fsfreeze -f " DIRECTORY "; (fsfreeze -u " DIRECTORY "; :); :";
    bool started = guest_start(&guest, &NO_CALLS, (char *[]){"/bin/sh", "-c", script, NULL});
    for (int i = 0; started && guest_next(&guest, &call); i++) {
        if (i < 2)
            pids[i] = gate_process(&call);
        CHECK_INT((unsigned)call.arguments[1], i == 0 ? (unsigned)FIFREEZE : (unsigned)FITHAW);
        gate_return(guest.listener, &call, 0);
    }
    guest_finish(&guest);
    CHECK_INT(guest.calls, 2);
    CHECK_INT(guest.status, 0);
    CU_ASSERT_TRUE(pids[0] > 0 && pids[1] > 0 && pids[0] != pids[1] && pids[0] != guest.pid);
}

QZ_TEST(killed_while_it_waits) // A call whose process was killed does not wait any more, and can't be answered.
{
    struct guest guest;
    struct gate_call call;
    CU_ASSERT_TRUE_FATAL(guest_start(&guest, &NO_CALLS, (char *[]){PROBE, "freeze", DIRECTORY, NULL}));
    CU_ASSERT_TRUE_FATAL(guest_next(&guest, &call));
    CU_ASSERT_TRUE(gate_waits(guest.listener, &call));
    kill(guest.pid, SIGKILL);
    struct pollfd end = {guest.pidfd, POLLIN, 0};
    CHECK_INT(poll(&end, 1, GUEST_PATIENCE_MS), 1);
    CU_ASSERT_FALSE(gate_waits(guest.listener, &call));
    CU_ASSERT_FALSE(gate_return(guest.listener, &call, 0));
    CU_ASSERT_FALSE(gate_fail(guest.listener, &call, EIO));
    CU_ASSERT_FALSE(gate_continue(guest.listener, &call));
    guest_finish(&guest);
    CHECK_INT(WTERMSIG(guest.status), SIGKILL);
}

QZ_TEST(listener_hangs_up_with_the_last_process) // When nobody is left behind the gate, its listener hangs up.
{
    struct guest guest;
    CU_ASSERT_TRUE_FATAL(guest_start(&guest, &NO_CALLS, (char *[]){PROBE, "live", NULL}));
    struct pollfd source = {guest.listener, POLLIN, 0};
    CHECK_INT(poll(&source, 1, GUEST_PATIENCE_MS), 1);
    CHECK_INT(source.revents, POLLHUP);
    guest_finish(&guest);
}

QZ_TEST(second_gate_is_refused) // A process behind a gate can't be put behind another: EBUSY, and no listener comes.
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int failed = gate_install(&NO_CALLS, ends[1]);
        _exit(failed ? failed : gate_install(&NO_CALLS, ends[1]));
    }
    close(ends[1]);
    int status = 0, listener = gate_receive_listener(ends[0]);
    waitpid(child, &status, 0);
    CHECK_INT(WEXITSTATUS(status), EBUSY);
    CHECK_INT(gate_receive_listener(ends[0]), -ECONNRESET);
    close(listener);
    close(ends[0]);
}

/* ---- What passes by --------------------------------------------------------------------------------------------- */

QZ_TEST(nothing_else_is_gated) // Calls that are not named pass by, other ioctls too, though nobody answers.
{
    static char *const probes[] = {PROBE, PROBE "_static", PROBE "_asan"};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        struct guest guest = guest_play(&NO_CALLS, (char *[]){probes[i], "live", NULL}, answer_freeze, &(int){0});
        CHECK_INT(guest.status, 0);
        CHECK_INT(guest.calls, 0);
        CHECK_STRING(guest.output, "lived\n");
    }
}

/* What kills the probe where no gate is: under some hypervisors no 32-bit call reaches the kernel. 0: nothing. */
static int killed_anyway(char *how)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        close(STDOUT_FILENO);
        execv(PROBE, (char *[]){PROBE, how, NULL});
        _exit(1);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void check_foreign(char *how)
{
    int anyway = killed_anyway(how);
    struct guest guest = guest_play(&NO_CALLS, (char *[]){PROBE, how, NULL}, go_on, NULL);
    CHECK_STRING(guest.output, "");
    CHECK_INT(WTERMSIG(guest.status), anyway ? anyway : SIGSYS);
}

QZ_TEST(other_architectures_do_not_slip_past) // A call by another architecture's number kills its process.
{
#if defined(__x86_64__)
    check_foreign("i386");
    check_foreign("x32");
#else
    check_skip("no other architecture's calls here");
#endif
}

QZ_TEST(too_many_calls_are_refused) // More calls than fit into the filter are E2BIG, and nothing is installed.
{
    int calls[GATE_CALLS_MAX + 1] = {0};
    const struct gate_filter filter = {.calls = calls, .count = GATE_CALLS_MAX + 1};
    CHECK_INT(gate_install(&filter, -1), E2BIG);
}

/* Counts the calls of the kinds that matter here, and lets all go on. */
struct kinds {
    int opens, closes, times, unknown;
    char about[GATE_ABOUT_MAX]; /* of the last open that is about a file in /etc */
};

static void count_kinds(struct guest *guest, const struct gate_call *call, void *argument)
{
    struct kinds *kinds = argument;
    const char *name = gate_call_name(call->call);
    kinds->unknown += name == NULL;
    kinds->opens += name && strcmp(name, "openat") == 0;
    kinds->closes += name && strcmp(name, "close") == 0;
    kinds->times += call->call == SYS_clock_gettime || call->call == SYS_brk || call->call == SYS_futex;
    char about[GATE_ABOUT_MAX];
    gate_call_about(call, "", about);
    if (name && strcmp(name, "openat") == 0 && strncmp(about, "/etc/", 5) == 0)
        strcpy(kinds->about, about);
    gate_continue(guest->listener, call);
}

QZ_TEST(all_calls_but_the_free_ones_are_gated) // A filter for all others: every call comes, and each has a name.
{
    int calls[GATE_CALLS_MAX];
    const struct gate_filter filter = {.calls = calls, .count = gate_free_calls(calls), .all_others = true};
    struct kinds kinds = {0};
    struct guest guest = guest_play(&filter, (char *[]){(char[]){"/bin/cat"}, (char[]){"/etc/hostname"}, NULL}, count_kinds,
                              &kinds);
    CHECK_INT(guest.status, 0);
    CU_ASSERT_TRUE(kinds.opens > 1);
    CU_ASSERT_TRUE(kinds.closes > 1);
    CHECK_INT(kinds.times, 0);
    CHECK_INT(kinds.unknown, 0);
    CHECK_STRING(kinds.about, "/etc/hostname");
}

/* Fails every mprotect of the program's own; counts those of the loader at `argument`. */
static void fail_protections(struct guest *guest, const struct gate_call *call, void *argument)
{
    int *loaders = argument;
    if (call->call == SYS_mprotect && !gate_call_is_loaders(call)) {
        gate_fail(guest->listener, call, ENOMEM);
        return;
    }
    *loaders += call->call == SYS_mprotect;
    gate_continue(guest->listener, call);
}

QZ_TEST(static_programs_are_their_own_loaders) // What a program without a loader does in its place is the loader's.
{
    static char *const probes[] = {PROBE, PROBE "_static"};
    int calls[GATE_CALLS_MAX];
    const struct gate_filter filter = {.calls = calls, .count = gate_free_calls(calls), .all_others = true};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        int loaders = 0;
        struct guest guest = guest_play(&filter, (char *[]){probes[i], "show", "/dev/null", NULL}, fail_protections, &loaders);
        CHECK_INT(guest.status, 0);
        CU_ASSERT_TRUE(loaders > 0);
    }
}

/* ---- Another file ----------------------------------------------------------------------------------------------- */

static void open_another(struct guest *guest, const struct gate_call *call, void *argument)
{
    char path[256];
    bool read = gate_string(call, call->arguments[1], path, sizeof path) == 0;
    if (!read || strcmp(path, "/proc/self/mountinfo") != 0 ||
        !gate_return_descriptor(guest->listener, call, *(int *)argument, call->arguments[2] & O_CLOEXEC))
        gate_continue(guest->listener, call);
}

QZ_TEST(open_is_answered_with_another_file) // An open can be answered with another file, close-on-exec where asked.
{
    static const int calls[] = {SYS_openat};
    const struct gate_filter filter = {.calls = calls, .count = 1};
    int other = memfd_create("other", MFD_CLOEXEC);
    CHECK_INT(write(other, "another table\n", 14), 14);
    struct guest guest = guest_play(&filter, (char *[]){PROBE, "show", "/proc/self/mountinfo", NULL}, open_another, &other);
    CHECK_STRING(guest.output, "another table\nanother table\nclosed on exec\n");
    close(other);
}

static void count_opens(struct guest *guest, const struct gate_call *call, void *argument)
{
    char path[256];
    CHECK_INT((int)call->arguments[0], AT_FDCWD);
    CHECK_INT((int)call->arguments[2] & (O_ACCMODE | O_CREAT | O_DIRECTORY | O_PATH), 0);
    if (gate_string(call, call->arguments[1], path, sizeof path) == 0 && strcmp(path, "/dev/null") == 0)
        ++*(int *)argument;
    gate_continue(guest->listener, call);
}

QZ_TEST(opens_to_read_can_be_gated_alone) // Those that write go by.
{
    static const struct gate_filter filter = {.opens_to_read = true};
    int count = 0;
    guest_play(&filter, (char *[]){"/bin/sh", "-c", ": </dev/null; : >/dev/null; : <>/dev/null", NULL}, count_opens,
               &count);
    CHECK_INT(count, 1);
}
