/* linux_settings.c: settings of the machine. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux.h"

static const char *const paths[QZ_SETTINGS] = {
    [QZ_SETTING_RCU_EXPEDITED] = "/sys/kernel/rcu_expedited",
    [QZ_SETTING_WRITEBACK_PERIOD] = "/proc/sys/vm/dirty_writeback_centisecs",
};

int qz_linux_setting_get(struct qz_os *os, enum qz_setting setting, int *value)
{
    int *fd = &qz_linux(os)->settings[setting];
    char text[16];
    char *end;
    if (*fd < 0)
        *fd = open(paths[setting], O_RDWR | O_CLOEXEC);
    if (*fd < 0)
        return errno;
    size_t size = qz_linux_read_at(*fd, text, sizeof text - 1, 0);
    text[size] = '\0';
    *value = (int)strtol(text, &end, 10);
    return end > text && *end == '\n' ? 0 : EIO;
}

int qz_linux_setting_set(struct qz_os *os, enum qz_setting setting, int value)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%d\n", value);
    return pwrite(qz_linux(os)->settings[setting], text, (size_t)size, 0) == size ? 0 : errno;
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
