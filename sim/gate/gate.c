/* gate.c: the filter, the way of its listener to the supervisor, taking calls and answering them. */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000U /* x32's numbers begin here */
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS 0x80000000U /* there are none */
#else
#error "the gate knows x86-64 and aarch64"
#endif

/* linux/seccomp.h has it since 6.6: who answers is about to wait, so wake the other one right here. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#define FIXED_INSTRUCTIONS 18 /* at most: those that are not one a call */

/* Kernels to come may send and read more than our header knows of. */
union notification {
    struct seccomp_notif known;
    char room[512];
};

union answer {
    struct seccomp_notif_resp known;
    char room[256];
};

/* ---- The filter ------------------------------------------------------------------------------------------------- */

static struct sock_filter load(size_t offset)
{
    return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset);
}

static struct sock_filter answer_with(unsigned action)
{
    return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
}

/* Where a jump leads to: so many instructions further, or to one of the two answers, the last instructions. */
enum { TO_ALLOW = UINT8_MAX - 1, TO_NOTIFY };

static struct sock_filter jump_if(unsigned comparison, unsigned value, uint8_t then, uint8_t otherwise)
{
    return (struct sock_filter)BPF_JUMP(BPF_JMP | comparison | BPF_K, value, then, otherwise);
}

static struct sock_filter if_is(unsigned value, uint8_t then, uint8_t otherwise)
{
    return jump_if(BPF_JEQ, value, then, otherwise);
}

static uint8_t resolve(uint8_t target, size_t from, size_t allow)
{
    return target < TO_ALLOW ? target : (uint8_t)(allow + (target == TO_NOTIFY) - from - 1);
}

/* Writes the two answers, and resolves the jumps to them. Returns the program's length. */
static size_t end_program(struct sock_filter *program, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (BPF_CLASS(program[i].code) != BPF_JMP)
            continue;
        program[i].jt = resolve(program[i].jt, i, n);
        program[i].jf = resolve(program[i].jf, i, n);
    }
    program[n++] = answer_with(SECCOMP_RET_ALLOW);
    program[n++] = answer_with(SECCOMP_RET_USER_NOTIF);
    return n;
}

/* Of arguments the kernel looks at the lower half only, where they are ints; both machines have that one first. */
static struct sock_filter load_argument(int number)
{
    return load(offsetof(struct seccomp_data, args) + (size_t)number * sizeof(uint64_t));
}

/* Writes the program and returns its length. */
static unsigned short compile(const struct gate_filter *filter, struct sock_filter *program)
{
    size_t n = 0;
    program[n++] = load(offsetof(struct seccomp_data, arch));
    program[n++] = if_is(OUR_ARCH, 0, 2);
    program[n++] = load(offsetof(struct seccomp_data, nr));
    program[n++] = jump_if(BPF_JGE, FOREIGN_CALLS, 0, 1);
    program[n++] = answer_with(SECCOMP_RET_KILL_PROCESS);
    program[n++] = if_is(SYS_sendmsg, TO_ALLOW, 0);
    for (size_t i = 0; i < filter->count; i++)
        program[n++] = if_is((unsigned)filter->calls[i], filter->all_others ? TO_ALLOW : TO_NOTIFY, 0);
    if (filter->all_others)
        program[n++] = jump_if(BPF_JGE, 0, TO_NOTIFY, 0);
    if (filter->opens_to_read) {
        program[n++] = if_is(SYS_openat, 0, 4);
        program[n++] = load_argument(0);
        program[n++] = if_is((unsigned)AT_FDCWD, 0, TO_ALLOW);
        program[n++] = load_argument(2);
        program[n++] = jump_if(BPF_JSET, O_ACCMODE | O_CREAT | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_PATH, TO_ALLOW,
                               TO_NOTIFY);
    }
    program[n++] = if_is(SYS_ioctl, 0, TO_ALLOW);
    program[n++] = load_argument(1);
    program[n++] = if_is((unsigned)FIFREEZE, TO_NOTIFY, 0);
    program[n++] = if_is((unsigned)FITHAW, TO_NOTIFY, TO_ALLOW);
    return (unsigned short)end_program(program, n);
}

/* Returns the listener, or a negative errno. */
static int install(const struct sock_fprog *program)
{
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    if (listener < 0 && errno == EINVAL) /* before 5.19, any signal interrupts a call that waits; it then comes again */
        listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, program);
    return listener < 0 ? -errno : (int)listener;
}

/* ---- The listener's way ----------------------------------------------------------------------------------------- */

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

static int send_listener(int channel, int listener)
{
    union control control = {.room = {0}};
    char byte = 0;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof listener);
    memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
    ssize_t sent;
    do
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

int gate_install(const struct gate_filter *filter, int channel)
{
    struct sock_filter instructions[FIXED_INSTRUCTIONS + GATE_CALLS_MAX];
    if (filter->count > GATE_CALLS_MAX)
        return E2BIG;
    struct sock_fprog program = {.len = compile(filter, instructions), .filter = instructions};
    int listener = install(&program);
    if (listener == -EACCES) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
            return errno;
        listener = install(&program);
    }
    if (listener < 0)
        return -listener;
    int failed = send_listener(channel, listener);
    close(listener);
    return failed;
}

int gate_receive_listener(int channel)
{
    union control control = {.room = {0}};
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t got;
    do
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return -ECONNRESET;
    int listener;
    memcpy(&listener, CMSG_DATA(header), sizeof listener);
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    return listener;
}

/* ---- Calls and answers ------------------------------------------------------------------------------------------ */

/* As ioctl(2), again if a signal came between. Returns 0 or an errno. */
static int request(int listener, unsigned long what, void *argument)
{
    int result;
    do
        result = ioctl(listener, what, argument);
    while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}

int gate_next(int listener, struct gate_call *call)
{
    union notification notification;
    memset(&notification, 0, sizeof notification);
    int failed = request(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification);
    if (failed)
        return failed;
    const struct seccomp_notif *known = &notification.known;
    *call = (struct gate_call){.id = known->id, .pid = (pid_t)known->pid, .call = known->data.nr};
    for (size_t i = 0; i < 6; i++)
        call->arguments[i] = known->data.args[i];
    call->instruction = known->data.instruction_pointer;
    return 0;
}

bool gate_waits(int listener, const struct gate_call *call)
{
    uint64_t id = call->id;
    return request(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static bool answer(int listener, const struct gate_call *call, int64_t value, int error, unsigned flags)
{
    union answer answer;
    memset(&answer, 0, sizeof answer);
    answer.known = (struct seccomp_notif_resp){.id = call->id, .val = value, .error = -error, .flags = flags};
    return request(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

bool gate_continue(int listener, const struct gate_call *call)
{
    return answer(listener, call, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

bool gate_fail(int listener, const struct gate_call *call, int error)
{
    return answer(listener, call, 0, error, 0);
}

bool gate_return(int listener, const struct gate_call *call, int64_t value)
{
    return answer(listener, call, value, 0, 0);
}

bool gate_return_descriptor(int listener, const struct gate_call *call, int descriptor, bool close_on_exec)
{
    struct seccomp_notif_addfd give = {.id = call->id,
                                       .flags = SECCOMP_ADDFD_FLAG_SEND,
                                       .srcfd = (unsigned)descriptor,
                                       .newfd_flags = close_on_exec ? O_CLOEXEC : 0};
    int result;
    do
        result = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give);
    while (result < 0 && errno == EINTR);
    return result >= 0;
}
