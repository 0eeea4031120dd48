/* linux_writeback.c: what was written to files, and is not on a disk yet. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "linux.h"

#define MEMINFO_SIZE 8192
#define SECTOR 512 /* of the statistics, whatever the disk has */

/* In KiB, or -1. */
static long long meminfo(const char *text, const char *name)
{
    long long kib = -1;
    const char *line = strstr(text, name);
    return line && sscanf(line + strlen(name), "%lld kB", &kib) == 1 ? kib : -1;
}

int64_t qz_linux_dirty_bytes(struct qz_os *os)
{
    (void)os;
    char text[MEMINFO_SIZE];
    if (qz_linux_read_text("/proc/meminfo", text, sizeof text) < 0)
        return -1;
    long long waits = meminfo(text, "\nDirty:"), written = meminfo(text, "\nWriteback:");
    return waits < 0 || written < 0 ? -1 : (waits + written) * 1024;
}

int qz_linux_keep_disks(struct qz_linux *lx, const struct qz_mount *mount)
{
    dev_t *disks = realloc(lx->disks, (lx->disk_count + mount->disk_count + 1) * sizeof *disks);
    if (!disks)
        return ENOMEM;
    lx->disks = disks;
    for (size_t i = 0; i < mount->disk_count; i++) {
        size_t at = 0;
        while (at < lx->disk_count && disks[at] != mount->disks[i])
            at++;
        disks[at] = mount->disks[i];
        lx->disk_count += at == lx->disk_count;
    }
    return 0;
}

/* Reads what sysfs tells of a disk. False: nothing. */
static bool read_disk(dev_t disk, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s", major(disk), minor(disk), name);
    return qz_linux_read_text(path, text, size) > 0;
}

/* Documentation/admin-guide/iostats.rst of the kernel, and Documentation/ABI/stable/sysfs-block. */
int64_t qz_linux_volumes_written(struct qz_os *os, bool *writing)
{
    const struct qz_linux *lx = qz_linux(os);
    char text[256];
    int64_t written = 0;
    *writing = false;
    for (size_t i = 0; i < lx->disk_count; i++) {
        unsigned long long sectors = 0;
        unsigned writes = 0;
        if (read_disk(lx->disks[i], "stat", text, sizeof text) && sscanf(text, "%*u %*u %*u %*u %*u %*u %llu", &sectors) == 1)
            written += (int64_t)sectors * SECTOR;
        if (read_disk(lx->disks[i], "inflight", text, sizeof text) && sscanf(text, "%*u %u", &writes) == 1)
            *writing = *writing || writes > 0;
    }
    return written;
}
