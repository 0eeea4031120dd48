/* faults.c: what may befall a system call.
 *
 * Errors are those that the manual page of section 2 of Debian 12's man-pages lists for the call, but for the ones that
 * only a mistake in the program can bring about (EBADF, EFAULT, EINVAL where that is about arguments). Added are those
 * of the kernel that it does not list but its filesystems give: EIO and ENOMEM of whatever goes to a disk. close(2) has
 * none: the descriptor is gone whatever it returns, so a call that fails instead of being made would be a lie. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "explore.h"

#define ERRORS_MAX 10
#define ERRNO_MAX 256 /* beyond what Linux has */

static const struct {
    const char *calls;       /* blanks between them and around */
    int errors[ERRORS_MAX];
} ERRORS[] = {
    {" open openat openat2 creat ", {EACCES, EINTR, EIO, EMFILE, ENFILE, ENOENT, ENOMEM}},
    {" access faccessat faccessat2 ", {EACCES, EIO, ENOENT, ENOMEM}},
    {" stat lstat newfstatat statx ", {EACCES, EIO, ENOENT, ENOMEM}},
    {" fstat ", {EIO, ENOMEM}},
    {" statfs fstatfs ", {EINTR, EIO, ENOENT, ENOMEM}},
    {" readlink readlinkat ", {EACCES, EIO, ENOENT, ENOMEM}},
    {" getcwd ", {EACCES, ENOENT, ENOMEM}},
    {" chdir fchdir ", {EACCES, EIO, ENOENT, ENOMEM}},
    {" read pread64 readv preadv ", {EINTR, EIO}},
    {" write pwrite64 writev ", {EINTR, EIO, ENOSPC}},
    {" getdents getdents64 ", {EIO, ENOENT, ENOMEM}},
    {" fsync fdatasync sync_file_range ", {EINTR, EIO, ENOSPC}},
    {" syncfs ", {EINTR, EIO, ENOSPC}},
    {" ftruncate fallocate ", {EINTR, EIO, ENOSPC}},
    {" mkdir mkdirat ", {EACCES, EEXIST, EIO, ENOMEM, ENOSPC, EROFS}},
    {" rmdir ", {EACCES, EBUSY, EIO, ENOENT, ENOTEMPTY, EROFS}},
    {" unlink unlinkat ", {EACCES, EBUSY, EIO, ENOENT, ENOMEM, EROFS}},
    {" rename renameat renameat2 link linkat symlink symlinkat ", {EACCES, EIO, ENOMEM, ENOSPC, EROFS}},
    {" chmod fchmod fchmodat chown fchown fchownat utimensat ", {EIO, ENOMEM, EPERM, EROFS}},
    {" flock ", {EINTR, ENOLCK, EWOULDBLOCK}},
    {" dup dup2 dup3 ", {EBUSY, EINTR, EMFILE}},
    {" fcntl ", {EMFILE, ENOMEM, EPERM}},
    {" lseek fadvise64 readahead ", {EINVAL}},
    {" close exit_group ", {0}},
    {" close_range ", {ENOSYS}}, /* EMFILE and ENOMEM are for a flag that quiesce does not give */
    {" pipe pipe2 ", {EMFILE, ENFILE, ENOMEM}},
    {" socket socketpair ", {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
    {" bind connect listen setsockopt getsockopt shutdown ", {ENOBUFS, ENOMEM}},
    {" sendto ", {EAGAIN, ECONNRESET, EINTR, ENOBUFS, ENOMEM, EPIPE}},
    {" recvfrom recvmsg accept4 ", {EAGAIN, ECONNRESET, EINTR, ENOMEM}},
    {" poll ppoll select pselect6 epoll_pwait ", {EINTR, ENOMEM}},
    {" epoll_create1 epoll_ctl inotify_init1 inotify_add_watch ", {EMFILE, ENOMEM, ENOSPC}},
    {" signalfd4 eventfd2 timerfd_create memfd_create ", {EMFILE, ENFILE, ENODEV, ENOMEM}},
    {" timerfd_settime setitimer rt_sigtimedwait ", {EINTR, EINVAL}},
    {" fork vfork clone clone3 ", {EAGAIN, ENOMEM}},
    {" execve execveat ", {EACCES, E2BIG, EAGAIN, EIO, EMFILE, ENOENT, ENOEXEC, ENOMEM, ETXTBSY}},
    {" pidfd_open pidfd_getfd ", {EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS, ESRCH}},
    {" kill tgkill pidfd_send_signal ", {EPERM, ESRCH}},
    {" ioctl ", {EBUSY, EINTR, EIO, ENOTTY, EOPNOTSUPP, EPERM}},
    {" mmap mremap ", {EAGAIN, ENFILE, ENOMEM}},
    {" munmap mprotect ", {ENOMEM}},
    {" mlock mlock2 mlockall munlock munlockall ", {EAGAIN, ENOMEM, EPERM}},
    {" prctl ", {EINVAL, EPERM}},
    {" unshare setns ", {ENOMEM, ENOSPC, EPERM}},
    {" setsid setpgid setpriority sched_setattr sched_setscheduler ioprio_set prlimit64 setgroups setuid setgid ", {EPERM}},
    {" getpriority getrusage sysinfo uname alarm ioprio_get sched_getattr sched_getparam sched_getscheduler ", {0}},
    {" getrandom ", {EAGAIN, EINTR, ENOSYS}},
    {" mount umount2 chroot mknodat ", {EBUSY, ENOMEM, EPERM}},
    {" name_to_handle_at open_by_handle_at open_tree statmount listmount quotactl ",
     {ENOENT, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM}},
    {" sync ", {0}},
    {" copy_file_range sendfile splice ", {EAGAIN, EINTR, EIO, ENOMEM, ENOSPC}},
    {" fgetxattr ", {EIO, ENODATA, EOPNOTSUPP}},
};

/* What is no file on a disk has errors of its own; and whether there is a journal says whether anything is frozen: that
 * there is none, where there is one, is no error but another state of the machine. */
static const struct {
    const char *calls;
    const char *about;
    int errors[ERRORS_MAX];
} SPECIAL[] = {
    {" openat ", "/run/quiesce/journal", {EACCES, EINTR, EIO, EMFILE, ENFILE, ENOMEM}},
    {" read ", "pipe", {EAGAIN, EINTR}},
    {" write ", "pipe", {EAGAIN, EINTR, EPIPE}},
    {" read ", "eventfd", {EAGAIN}}, /* all of them never wait: O_NONBLOCK */
    {" write ", "eventfd", {0}},     /* a counter that is never full */
    {" read ", "signalfd", {EAGAIN}},
    {" wait4 waitid ", "", {EINTR}},
};

static bool is_named(const char *names, const char *name)
{
    for (const char *found = strstr(names, name); found; found = strstr(found + 1, name)) {
        if (found[-1] == ' ' && found[strlen(name)] == ' ')
            return true;
    }
    return false;
}

static const int *errors_of(const char *call, const char *about)
{
    /* What the kernel makes up while it is read is never waited for. */
    static const int MADE_UP[ERRORS_MAX] = {EIO, ENOMEM};
    bool made_up = strncmp(about, "/proc/", 6) == 0 || strncmp(about, "/sys/", 5) == 0 ||
                   strcmp(about, "/memfd:mountinfo") == 0;
    if (made_up && is_named(" read pread64 ", call))
        return MADE_UP;
    for (size_t i = 0; i < sizeof SPECIAL / sizeof SPECIAL[0]; i++) {
        if (is_named(SPECIAL[i].calls, call) && strcmp(SPECIAL[i].about, about) == 0)
            return SPECIAL[i].errors;
    }
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++) {
        if (is_named(ERRORS[i].calls, call))
            return ERRORS[i].errors;
    }
    return NULL;
}

/* Only what is a stream of bytes can come in pieces: not a signal, not a counter, not a packet. */
static bool is_stream(const struct site *site)
{
    static const char *const CALLS[] = {"read", "write", "pread64", "pwrite64"};
    bool writes = site->call[0] == 'w' || site->call[1] == 'w';
    bool special = strncmp(site->about, "/proc/", 6) == 0 || strncmp(site->about, "/sys/", 5) == 0;
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        if (strcmp(site->call, CALLS[i]) == 0)
            return strcmp(site->about, "pipe") == 0 || (site->about[0] == '/' && !(writes && special));
    }
    return false;
}

static const struct fault *error_fault(int error)
{
    static struct fault faults[ERRNO_MAX];
    faults[error] = (struct fault){.name = strerrorname_np(error), .error = error};
    return &faults[error];
}

bool faults_of(const struct site *site, void (*each)(void *argument, const struct fault *fault), void *argument)
{
    static const struct fault CUT = {.name = "1 byte", .transfers = 1};
    static const struct fault LATE = {.name = "late", .late = true};
    static const struct fault SIGNALS[] = {
        {"KILL agent before", 0, 0, SIGKILL, SCENARIO_AGENT, false, false, false},
        {"KILL agent after", 0, 0, SIGKILL, SCENARIO_AGENT, true, false, false},
        {"STOP agent", 0, 0, SIGSTOP, SCENARIO_AGENT, false, false, true},
        {"KILL guardian before", 0, 0, SIGKILL, SCENARIO_GUARDIAN, false, false, false},
        {"KILL guardian after", 0, 0, SIGKILL, SCENARIO_GUARDIAN, true, false, false},
        {"STOP guardian", 0, 0, SIGSTOP, SCENARIO_GUARDIAN, false, false, true},
        {"KILL both before", 0, 0, SIGKILL, SCENARIO_BOTH, false, false, false},
        {"KILL both after", 0, 0, SIGKILL, SCENARIO_BOTH, true, false, false},
    };
    const int *errors = errors_of(site->call, site->about);
    for (int i = 0; errors && i < ERRORS_MAX && errors[i]; i++)
        each(argument, error_fault(errors[i]));
    if (is_stream(site))
        each(argument, &CUT);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        if (site->guarded || SIGNALS[i].target == SCENARIO_AGENT)
            each(argument, &SIGNALS[i]);
    }
    each(argument, &LATE);
    return errors != NULL;
}

bool fault_waits(const struct fault *fault)
{
    return fault->late || fault->resumes;
}
