/* Tests of sim/gate: the rules of gate.h, with stock programs and probes that know nothing of the gate. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gate.h"
#include "gate_calls.h"

#define PATIENCE_MS 20000 /* against hanging */

/* What is frozen here can't be: should the gate be broken, the kernel says EOPNOTSUPP. */
#define DIRECTORY "/proc"
#define OTHER_DIRECTORY "/proc/sys"

/* ---- A process behind the gate ---------------------------------------------------------------------------------- */

struct guest {
    pid_t pid;
    int pidfd;
    int listener;
    int out;            /* both streams */
    char output[4096];  /* when it has ended */
    int status;         /* waitpid's */
    int calls;          /* that were gated */
};

typedef void guest_supervisor(struct guest *guest, const struct gate_call *call, void *argument);

static const struct gate_filter NO_CALLS = {.calls = NULL};

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

static bool start_as(struct guest *guest, const struct gate_filter *filter, uid_t user, char *const *argv)
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

static bool start(struct guest *guest, const struct gate_filter *filter, char *const *argv)
{
    return start_as(guest, filter, 0, argv);
}

/* Waits for the next call. False: the guest has ended. */
static bool next(struct guest *guest, struct gate_call *call)
{
    for (;;) {
        struct pollfd sources[] = {{guest->listener, POLLIN, 0}, {guest->pidfd, POLLIN, 0}};
        if (poll(sources, 2, PATIENCE_MS) <= 0) {
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

static void finish(struct guest *guest)
{
    waitpid(guest->pid, &guest->status, 0);
    ssize_t size = pread(guest->out, guest->output, sizeof guest->output - 1, 0);
    guest->output[size > 0 ? size : 0] = '\0';
    close(guest->out);
    close(guest->pidfd);
    if (guest->listener >= 0)
        close(guest->listener);
}

/* Starts and serves a guest to its end. */
static struct guest play(const struct gate_filter *filter, char *const *argv, guest_supervisor *decide, void *argument)
{
    struct guest guest;
    struct gate_call call;
    bool started = start(&guest, filter, argv);
    while (started && next(&guest, &call))
        decide(&guest, &call, argument);
    finish(&guest);
    CU_ASSERT_TRUE(started);
    return guest;
}

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
    struct guest guest = play(&NO_CALLS, (char *[]){program, "-f", DIRECTORY, NULL}, answer_freeze, &error);
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
    struct guest guest = play(&NO_CALLS, (char *[]){program, "-f", DIRECTORY, NULL}, go_on, NULL);
    CHECK_INT(WEXITSTATUS(guest.status), 1);
    CHECK_CONTAINS(guest.output, "Operation not"); /* supported; permitted, for who is not root */
}

static void check_build(char *probe)
{
    int error = EBUSY;
    struct guest guest = play(&NO_CALLS, (char *[]){probe, "freeze", DIRECTORY, NULL}, answer_freeze, &error);
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
    bool started = start_as(&guest, &NO_CALLS, 65534, argv);
    while (started && next(&guest, &call))
        answer_freeze(&guest, &call, &error);
    finish(&guest);
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
    bool started = start(&guest, &NO_CALLS, (char *[]){"/bin/sh", "-c", script, NULL});
    for (int i = 0; started && next(&guest, &call); i++) {
        if (i < 2)
            pids[i] = gate_process(&call);
        CHECK_INT((unsigned)call.arguments[1], i == 0 ? (unsigned)FIFREEZE : (unsigned)FITHAW);
        gate_return(guest.listener, &call, 0);
    }
    finish(&guest);
    CHECK_INT(guest.calls, 2);
    CHECK_INT(guest.status, 0);
    CU_ASSERT_TRUE(pids[0] > 0 && pids[1] > 0 && pids[0] != pids[1] && pids[0] != guest.pid);
}

QZ_TEST(killed_while_it_waits) // A call whose process was killed does not wait any more, and can't be answered.
{
    struct guest guest;
    struct gate_call call;
    CU_ASSERT_TRUE_FATAL(start(&guest, &NO_CALLS, (char *[]){PROBE, "freeze", DIRECTORY, NULL}));
    CU_ASSERT_TRUE_FATAL(next(&guest, &call));
    CU_ASSERT_TRUE(gate_waits(guest.listener, &call));
    kill(guest.pid, SIGKILL);
    struct pollfd end = {guest.pidfd, POLLIN, 0};
    CHECK_INT(poll(&end, 1, PATIENCE_MS), 1);
    CU_ASSERT_FALSE(gate_waits(guest.listener, &call));
    CU_ASSERT_FALSE(gate_return(guest.listener, &call, 0));
    CU_ASSERT_FALSE(gate_fail(guest.listener, &call, EIO));
    CU_ASSERT_FALSE(gate_continue(guest.listener, &call));
    finish(&guest);
    CHECK_INT(WTERMSIG(guest.status), SIGKILL);
}

QZ_TEST(listener_hangs_up_with_the_last_process) // When nobody is left behind the gate, its listener hangs up.
{
    struct guest guest;
    CU_ASSERT_TRUE_FATAL(start(&guest, &NO_CALLS, (char *[]){PROBE, "live", NULL}));
    struct pollfd source = {guest.listener, POLLIN, 0};
    CHECK_INT(poll(&source, 1, PATIENCE_MS), 1);
    CHECK_INT(source.revents, POLLHUP);
    finish(&guest);
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
        struct guest guest = play(&NO_CALLS, (char *[]){probes[i], "live", NULL}, answer_freeze, &(int){0});
        CHECK_INT(guest.status, 0);
        CHECK_INT(guest.calls, 0);
        CHECK_STRING(guest.output, "lived\n");
    }
}

static void check_foreign(char *how)
{
    struct guest guest = play(&NO_CALLS, (char *[]){PROBE, how, NULL}, go_on, NULL);
    CHECK_STRING(guest.output, "");
    CHECK_INT(WTERMSIG(guest.status), SIGSYS);
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
    struct guest guest = play(&filter, (char *[]){(char[]){"/bin/cat"}, (char[]){"/etc/hostname"}, NULL}, count_kinds,
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
        struct guest guest = play(&filter, (char *[]){probes[i], "show", "/dev/null", NULL}, fail_protections, &loaders);
        CHECK_INT(guest.status, 0);
        CU_ASSERT_TRUE(loaders > 0);
    }
}

/* ---- What a call is about --------------------------------------------------------------------------------------- */

static void check_about(int number, uint64_t first, uint64_t second, const char *expected)
{
    struct gate_call call = {.pid = getpid(), .call = number, .arguments = {first, second}};
    char about[GATE_ABOUT_MAX];
    gate_call_about(&call, "", about);
    CHECK_STRING(about, expected);
}

QZ_TEST(calls_are_told_by_what_they_are_about) // Paths and descriptors by name; what changes from run to run is "*".
{
    static const char stat[] = "/proc/4711/stat", temporary[] = "/run/quiesce/journal.aB3dE6";
    static const char lower[] = "/run/quiesce/journal.wmlrtu", events[] = "/sys/fs/cgroup/cgroup.events";
    static const char uuid[] = "/sys/fs/btrfs/632e580c-365c-947e-7b44-9720e578017d/devices";
    static const char plain[] = "/srv/data.images2", loop[] = "/dev/loop452", name[] = "status";
    int directory = open("/proc/self", O_RDONLY | O_DIRECTORY), pipes[2] = {-1, -1};
    if (pipe(pipes) != 0)
        CU_FAIL("no pipe");
    check_about(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)stat, "/proc/*/stat");
    check_about(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)temporary, "/run/quiesce/journal.*");
    check_about(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)lower, "/run/quiesce/journal.*");
    check_about(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)events, events);
    check_about(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)uuid, "/sys/fs/btrfs/*/devices");
    check_about(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)plain, plain);
    check_about(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)loop, "/dev/loop*");
    check_about(SYS_openat, (uint64_t)directory, (uintptr_t)name, "/proc/*/status");
    check_about(SYS_read, (uint64_t)pipes[0], 0, "pipe");
    check_about(SYS_fcntl, (uint64_t)pipes[0], F_SETFL, "F_SETFL pipe");
    check_about(SYS_ioctl, (uint64_t)directory, FITHAW, "FITHAW /proc/*");
    check_about(SYS_kill, 1, SIGTERM, "TERM");
    check_about(SYS_prctl, PR_SET_NAME, 0, "PR_SET_NAME");
    check_about(SYS_getpid, 0, 0, "");
    close(directory);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- Looking into the process ----------------------------------------------------------------------------------- */

static ino_t inode_of(const char *path)
{
    struct stat status = {0};
    stat(path, &status);
    return status.st_ino;
}

/* Writes the inode number of what each freeze is about to the next place of `argument`. */
struct frozen {
    ino_t inodes[8];
    int count;
};

static void note_inode(struct guest *guest, const struct gate_call *call, void *argument)
{
    struct frozen *frozen = argument;
    struct stat status = {0};
    int copy = -1;
    CHECK_INT(gate_descriptor(call, (int)call->arguments[0], &copy), 0);
    CHECK_INT(fstat(copy, &status), 0);
    close(copy);
    CHECK_INT(gate_process(call), guest->pid);
    CU_ASSERT_TRUE(gate_waits(guest->listener, call));
    if (frozen->count < 8)
        frozen->inodes[frozen->count++] = status.st_ino;
    gate_return(guest->listener, call, 0);
}

QZ_TEST(descriptors_are_the_threads_own) // Of two threads with tables of their own, each one's descriptor is found.
{
    struct frozen frozen = {.count = 0};
    char *const argv[] = {PROBE, "thread", DIRECTORY, OTHER_DIRECTORY, NULL};
    struct guest guest = play(&NO_CALLS, argv, note_inode, &frozen);
    CHECK_INT(guest.status, 0);
    CHECK_INT(frozen.count, 1);
    CHECK_INT(frozen.inodes[0], inode_of(OTHER_DIRECTORY));
}

/* From now on this process' pidfd_open fails with EINVAL if it gets flags, as before 6.9. */
static void forget_thread_pidfds(void)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof instructions / sizeof *instructions, instructions};
    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
}

QZ_TEST(descriptors_are_found_on_older_kernels) // Without threads' pidfds, the directory is opened again.
{
    struct frozen frozen = {.count = 0};
    struct guest guest;
    struct gate_call call;
    bool started = start(&guest, &NO_CALLS, (char *[]){PROBE, "thread", DIRECTORY, OTHER_DIRECTORY, NULL});
    forget_thread_pidfds();
    while (started && next(&guest, &call))
        note_inode(&guest, &call, &frozen);
    finish(&guest);
    CHECK_INT(frozen.count, 1);
    CHECK_INT(frozen.inodes[0], inode_of(OTHER_DIRECTORY));
}

QZ_TEST(closed_descriptors_are_told) // A descriptor that the process has not opened is EBADF.
{
    struct guest guest;
    struct gate_call call;
    int copy = -1;
    CU_ASSERT_TRUE_FATAL(start(&guest, &NO_CALLS, (char *[]){PROBE, "freeze", DIRECTORY, NULL}));
    CU_ASSERT_TRUE_FATAL(next(&guest, &call));
    CHECK_INT(gate_descriptor(&call, 77, &copy), EBADF);
    kill(guest.pid, SIGKILL);
    finish(&guest);
}

/* What was read of the second execve. */
struct seen {
    char path[64];
    int path_result;
    char value[64];
    int value_result;
    int cut_result;
    int prefix_result;
    int missing_result;
    int wild_result;
};

static void read_exec(struct guest *guest, const struct gate_call *call, void *argument)
{
    struct seen *seen = argument;
    if (guest->calls == 2) {
        char cut[4];
        seen->path_result = gate_string(call, call->arguments[0], seen->path, sizeof seen->path);
        seen->value_result = gate_environment(call, call->arguments[2], "GATE_WORD", seen->value, sizeof seen->value);
        seen->cut_result = gate_environment(call, call->arguments[2], "GATE_WORD", cut, sizeof cut);
        seen->prefix_result = gate_environment(call, call->arguments[2], "GATE_WOR", cut, sizeof cut);
        seen->missing_result = gate_environment(call, call->arguments[2], "GATE_OTHER", cut, sizeof cut);
        seen->wild_result = gate_string(call, 8, cut, sizeof cut);
        CHECK_STRING(cut, "som");
    }
    gate_continue(guest->listener, call);
}

QZ_TEST(strings_and_environment_are_read) // Paths and variables are the calling process's; what does not fit is told.
{
    static const int calls[] = {SYS_execve};
    const struct gate_filter filter = {.calls = calls, .count = 1};
    struct seen seen = {0};
    /* More variables than are read at once, and the one looked for at the very end of a page more often than not. */
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "GATE_FILLER_%d", i);
        setenv(name, "GATE_WORD=wrong", 1);
    }
    setenv("GATE_WORD_TOO", "wrong", 1);
    setenv("GATE_WORD", "some value", 1);
    struct guest guest = play(&filter, (char *[]){PROBE, "exec", "/bin/true", NULL}, read_exec, &seen);
    CHECK_INT(guest.status, 0);
    CHECK_INT(seen.path_result, 0);
    CHECK_STRING(seen.path, "/bin/true");
    CHECK_INT(seen.value_result, 0);
    CHECK_STRING(seen.value, "some value");
    CHECK_INT(seen.cut_result, ENAMETOOLONG);
    CHECK_INT(seen.prefix_result, ENOENT);
    CHECK_INT(seen.missing_result, ENOENT);
    CHECK_INT(seen.wild_result, EFAULT);
}

QZ_TEST(strings_across_pages_are_read) // A string is read whole, up to the last byte of readable memory.
{
    char *memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct gate_call call = {.pid = getpid()};
    char text[64];
    strcpy(memory + 4096 - 3, "across");
    strcpy(memory + 2 * 4096 - 5, "last");
    mprotect(memory + 2 * 4096, 4096, PROT_NONE);
    CHECK_INT(gate_string(&call, (uintptr_t)memory + 4096 - 3, text, sizeof text), 0);
    CHECK_STRING(text, "across");
    CHECK_INT(gate_string(&call, (uintptr_t)memory + 2 * 4096 - 5, text, sizeof text), 0);
    CHECK_STRING(text, "last");
    memory[2 * 4096 - 1] = '!';
    CHECK_INT(gate_string(&call, (uintptr_t)memory + 2 * 4096 - 5, text, sizeof text), EFAULT);
    munmap(memory, 3 * 4096);
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
    struct guest guest = play(&filter, (char *[]){PROBE, "show", "/proc/self/mountinfo", NULL}, open_another, &other);
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
    play(&filter, (char *[]){"/bin/sh", "-c", ": </dev/null; : >/dev/null; : <>/dev/null", NULL}, count_opens, &count);
    CHECK_INT(count, 1);
}
