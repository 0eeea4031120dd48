/* gate_look.c: looking into the process whose call waits. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gate.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* since 6.9 */
#endif

#define PAGE 4096 /* memory is given in no smaller pieces */

/* A process has more than any environment that execve takes, if it has these many. */
#define POINTERS_MAX (1024 * 1024)

/* ---- Descriptors ------------------------------------------------------------------------------------------------ */

static int open_again(pid_t thread, int number, int *copy)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)thread, number);
    *copy = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*copy >= 0)
        return 0;
    return errno == ENOENT ? EBADF : errno;
}

/* Threads may have tables of descriptors of their own: it must be this thread's. */
int gate_descriptor(const struct gate_call *call, int number, int *copy)
{
    long pidfd = syscall(SYS_pidfd_open, call->pid, PIDFD_THREAD);
    if (pidfd < 0 && errno == EINVAL)
        pidfd = syscall(SYS_pidfd_open, call->pid, 0);
    if (pidfd < 0)
        return errno == EINVAL || errno == ENOENT ? open_again(call->pid, number, copy) : errno;
    *copy = (int)syscall(SYS_pidfd_getfd, (int)pidfd, number, 0);
    int failed = *copy < 0 ? errno : 0;
    close((int)pidfd);
    return failed;
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

/* Reads at most `size` bytes, not beyond the end of a page. Returns how many, or a negative errno. */
static ssize_t peek(pid_t pid, uint64_t address, void *out, size_t size)
{
    size_t to_page_end = PAGE - (size_t)(address % PAGE);
    struct iovec here = {.iov_base = out, .iov_len = size < to_page_end ? size : to_page_end};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = here.iov_len};
    ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    return got < 0 ? -errno : got;
}

int gate_read(const struct gate_call *call, uint64_t address, void *bytes, size_t size)
{
    struct iovec here = {.iov_base = bytes, .iov_len = size};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
    ssize_t got = process_vm_readv(call->pid, &here, 1, &there, 1, 0);
    return got < 0 ? errno : (size_t)got == size ? 0 : EFAULT;
}

int gate_write(const struct gate_call *call, uint64_t address, const void *bytes, size_t size)
{
    struct iovec here = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
    ssize_t put = process_vm_writev(call->pid, &here, 1, &there, 1, 0);
    return put < 0 ? errno : (size_t)put == size ? 0 : EFAULT;
}

int gate_string(const struct gate_call *call, uint64_t address, char *text, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = peek(call->pid, address + have, text + have, size - have);
        if (got <= 0)
            return got < 0 ? (int)-got : EFAULT;
        if (memchr(text + have, '\0', (size_t)got))
            return 0;
        have += (size_t)got;
    }
    if (size > 0)
        text[size - 1] = '\0';
    return ENAMETOOLONG;
}

/* The value, if the string at `address` is NAME=VALUE. ENOENT: it is another. */
static int value_of(const struct gate_call *call, uint64_t address, const char *name, char *value, size_t size)
{
    char head[256];
    size_t length = strlen(name);
    if (length + 2 > sizeof head)
        return ENAMETOOLONG;
    int failed = gate_string(call, address, head, length + 2);
    if (failed && failed != ENAMETOOLONG)
        return failed;
    if (strncmp(head, name, length) != 0 || head[length] != '=')
        return ENOENT;
    return gate_string(call, address + length + 1, value, size);
}

int gate_environment(const struct gate_call *call, uint64_t address, const char *name, char *value, size_t size)
{
    uint64_t pointers[64];
    for (size_t seen = 0; address && seen < POINTERS_MAX;) {
        ssize_t got = peek(call->pid, address, pointers, sizeof pointers);
        if (got < (ssize_t)sizeof pointers[0])
            return got < 0 ? (int)-got : EFAULT;
        size_t count = (size_t)got / sizeof pointers[0];
        for (size_t i = 0; i < count; i++) {
            int failed = pointers[i] ? value_of(call, pointers[i], name, value, size) : ENOENT;
            if (failed != ENOENT || !pointers[i])
                return failed;
        }
        seen += count;
        address += count * sizeof pointers[0];
    }
    return ENOENT;
}

/* ---- The process ------------------------------------------------------------------------------------------------ */

pid_t gate_process(const struct gate_call *call)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/status", (int)call->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const char *line = strstr(text, "\nTgid:");
    return line ? (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10) : 0;
}
