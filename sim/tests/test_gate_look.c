/* Tests of sim/gate: what a call that waits is about, and what is read of its process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gate_calls.h"
#include "gate_guest.h"

static const struct gate_filter NO_CALLS = {.calls = NULL};

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
    struct guest guest = guest_play(&NO_CALLS, argv, note_inode, &frozen);
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
    bool started = guest_start(&guest, &NO_CALLS, (char *[]){PROBE, "thread", DIRECTORY, OTHER_DIRECTORY, NULL});
    forget_thread_pidfds();
    while (started && guest_next(&guest, &call))
        note_inode(&guest, &call, &frozen);
    guest_finish(&guest);
    CHECK_INT(frozen.count, 1);
    CHECK_INT(frozen.inodes[0], inode_of(OTHER_DIRECTORY));
}

QZ_TEST(closed_descriptors_are_told) // A descriptor that the process has not opened is EBADF.
{
    struct guest guest;
    struct gate_call call;
    int copy = -1;
    CU_ASSERT_TRUE_FATAL(guest_start(&guest, &NO_CALLS, (char *[]){PROBE, "freeze", DIRECTORY, NULL}));
    CU_ASSERT_TRUE_FATAL(guest_next(&guest, &call));
    CHECK_INT(gate_descriptor(&call, 77, &copy), EBADF);
    kill(guest.pid, SIGKILL);
    guest_finish(&guest);
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
    struct guest guest = guest_play(&filter, (char *[]){PROBE, "exec", "/bin/true", NULL}, read_exec, &seen);
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
