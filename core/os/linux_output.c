/* linux_output.c: what people and programs read from us. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux.h"

/* How long a reader of the log that is behind is waited for. */
#define LOG_WAIT_US 50000

static int descriptor(enum qz_stream stream)
{
    return stream == QZ_STREAM_RESULT ? STDOUT_FILENO : STDERR_FILENO;
}

/* Waits until something can be written to `fd`; `deadline_us` as for wait(). */
static bool await_room(int fd, int64_t deadline_us)
{
    for (;;) {
        int wait_ms = -1;
        if (deadline_us != QZ_NEVER) {
            int64_t left_us = deadline_us - qz_linux_now_us(NULL);
            wait_ms = left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
        }
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        int count = poll(&room, 1, wait_ms);
        if (count > 0)
            return true;
        if (count == 0 || errno != EINTR)
            return false;
    }
}

/* Writes no more at once than `most`, and gives up at the deadline. Returns 0 or an errno. */
static int write_until(int fd, const char *text, size_t size, size_t most, int64_t deadline_us)
{
    while (size > 0) {
        if (deadline_us != QZ_NEVER && !await_room(fd, deadline_us))
            return EAGAIN;
        ssize_t written = write(fd, text, size < most ? size : most);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN && await_room(fd, deadline_us))
            continue;
        if (written < 0)
            return errno;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

int qz_linux_print(struct qz_os *os, enum qz_stream stream, const char *text, size_t size)
{
    int fd = descriptor(stream);
    if (stream == QZ_STREAM_RESULT && qz_linux(os)->no_result)
        return EBADF;
    if (stream == QZ_STREAM_RESULT)
        return write_until(fd, text, size, size, QZ_NEVER);
    /* A pipe that has room at all has room for PIPE_BUF bytes. */
    return write_until(fd, text, size, PIPE_BUF, qz_linux_now_us(os) + LOG_WAIT_US);
}

bool qz_linux_is_terminal(struct qz_os *os, enum qz_stream stream)
{
    (void)os;
    return isatty(descriptor(stream));
}
