/* linux_rcu.c: how fast the kernel's RCU grace periods are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"

int qz_linux_rcu_get(struct qz_os *os, int *value)
{
    struct qz_linux *lx = qz_linux(os);
    char text[16];
    char *end;
    if (lx->rcu < 0)
        lx->rcu = open("/sys/kernel/rcu_expedited", O_RDWR | O_CLOEXEC);
    ssize_t size = lx->rcu < 0 ? -1 : pread(lx->rcu, text, sizeof text - 1, 0);
    if (size < 0)
        return errno;
    text[size] = '\0';
    *value = (int)strtol(text, &end, 10);
    return end > text && (*end == '\n' || *end == '\0') ? 0 : EINVAL;
}

int qz_linux_rcu_set(struct qz_os *os, int value)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%d\n", value);
    return pwrite(qz_linux(os)->rcu, text, (size_t)size, 0) == size ? 0 : errno;
}

/* Does a setting, where there is one, say anything but `nothing`? (Some kernels write an empty list as "(null)".) */
static bool says(const char *path, const char *nothing)
{
    char text[64];
    return qz_linux_read_text(path, text, sizeof text) > 0 && strcmp(text, nothing) != 0;
}

const char *qz_linux_rcu_spared(struct qz_os *os)
{
    (void)os;
    if (says("/sys/kernel/realtime", "0"))
        return "a real-time kernel is not to be interrupted";
    if (says("/sys/devices/system/cpu/isolated", "(null)") || says("/sys/devices/system/cpu/nohz_full", "(null)"))
        return "isolated processors are not to be interrupted";
    if (says("/sys/kernel/rcu_normal", "0"))
        return "/sys/kernel/rcu_normal is set, and rules it out";
    return NULL;
}
