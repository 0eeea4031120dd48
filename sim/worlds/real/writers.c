/* writers.c: what the writers of a workload do, one operation after another, and how long each took. What fails (a full
 * volume, one that was unmounted or is busy) is tried again. */
#include "writers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define FILE_BLOCKS 64 /* what a writer writes again and again: little enough for any volume */
#define PAUSE_US 500
#define HOLD_US 2000   /* how long a freezer holds; and how long those pause whose operations take the whole volume */
#define STALL_NOTED_US 1000
#define TOP_LEVEL 5    /* the subvolume that every btrfs has */

int64_t writer_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* ---- Operations ------------------------------------------------------------------------------------------------- */

static alignas(BLOCK) char block[BLOCK];
static char *mapping;
static const char *place; /* where the volume is mounted */

bool writer_map(int file)
{
    mapping = ftruncate(file, (off_t)FILE_BLOCKS * BLOCK) != 0
                  ? MAP_FAILED
                  : mmap(NULL, (size_t)FILE_BLOCKS * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return mapping != MAP_FAILED;
}

void writer_unmap(void)
{
    munmap(mapping, (size_t)FILE_BLOCKS * BLOCK);
}

static void append(int file, size_t n)
{
    (void)!pwrite(file, block, sizeof block, (off_t)(n % FILE_BLOCKS * BLOCK));
}

static void append_and_sync(int file, size_t n)
{
    append(file, n);
    fsync(file);
}

static void store(int file, size_t n)
{
    (void)file;
    /* A freeze makes the pages clean, so that the next store to each asks the filesystem. */
    *(volatile size_t *)(void *)(mapping + n % FILE_BLOCKS * BLOCK) = n;
}

static void change_directories(int directory, size_t n)
{
    (void)n;
    int file = openat(directory, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        close(file);
    mkdirat(directory, "directory", 0700);
    renameat(directory, "file", directory, "directory/file");
    (void)!linkat(directory, "directory/file", directory, "link", 0);
    unlinkat(directory, "directory/file", 0);
    unlinkat(directory, "directory", AT_REMOVEDIR);
    unlinkat(directory, "link", 0);
}

/* Grows it with and without blocks, and cuts within a block. */
static void change_size(int file, size_t n)
{
    static const off_t SIZES[] = {BLOCK * 8, BLOCK * 3 + 100, BLOCK * FILE_BLOCKS, 1};
    (void)!ftruncate(file, SIZES[n % 4]);
    append(file, n % 8);
}

/* As somebody who minds his own business: thaws what he froze himself, and nothing else. */
static void freeze_and_thaw(int directory, size_t n)
{
    (void)n;
    if (ioctl(directory, FIFREEZE, 0) != 0)
        return;
    usleep(HOLD_US);
    ioctl(directory, FITHAW, 0);
}

static void remount(int directory, size_t n)
{
    (void)directory;
    mount(NULL, place, NULL, MS_REMOUNT | (n % 2 ? 0 : MS_RDONLY), NULL);
}

static void bind_and_unmount(int directory, size_t n)
{
    static const char AT[] = "/mounted-meanwhile";
    (void)directory;
    (void)n;
    mkdir(AT, 0755);
    if (mount(place, AT, NULL, MS_BIND, NULL) == 0)
        umount2(AT, MNT_DETACH);
}

static void set_quota(int directory, size_t n)
{
    struct btrfs_ioctl_quota_ctl_args enable = {.cmd = BTRFS_QUOTA_CTL_ENABLE};
    struct btrfs_ioctl_qgroup_limit_args limit = {
        .qgroupid = TOP_LEVEL,
        .lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_RFER, .max_rfer = UINT64_C(64) << 20 | (n % 2) << 12}};
    if (n == 0)
        ioctl(directory, BTRFS_IOC_QUOTA_CTL, &enable);
    ioctl(directory, BTRFS_IOC_QGROUP_LIMIT, &limit);
}

/* ---- Again and again -------------------------------------------------------------------------------------------- */

/* `volume`: it takes the whole volume, so that its waits are no writer's, and it leaves room for others. */
static const struct doing {
    void (*operation)(int file, size_t n);
    bool volume;
} DOINGS[] = {
    [SCENARIO_APPEND] = {append, false},
    [SCENARIO_FSYNC] = {append_and_sync, false},
    [SCENARIO_MMAP] = {store, false},
    [SCENARIO_DIRECT] = {append, false},
    [SCENARIO_DIRECTORIES] = {change_directories, false},
    [SCENARIO_LEDGER] = {NULL, false}, /* a program of its own */
    [SCENARIO_TRUNCATE] = {change_size, false},
    [SCENARIO_FREEZERS] = {freeze_and_thaw, true},
    [SCENARIO_REMOUNT] = {remount, true},
    [SCENARIO_MOUNTS] = {bind_and_unmount, true},
    [SCENARIO_QUOTA] = {set_quota, true},
};

bool writer_needs_volume(enum scenario_workload_kind kind)
{
    return DOINGS[kind].volume;
}

static void note(struct writer *writer, int64_t begin_us)
{
    int64_t end_us = writer_now_us();
    int64_t took_us = end_us - begin_us;
    if (took_us > atomic_load(&writer->longest_us))
        atomic_store(&writer->longest_us, took_us);
    if (took_us < STALL_NOTED_US)
        return;
    size_t n = atomic_load(&writer->stall_count);
    writer->stalls[n % STALLS_KEPT] =
        (struct sandbox_stall){.volume = writer->volume, .end_us = end_us, .duration_us = took_us};
    atomic_store(&writer->stall_count, n + 1);
}

_Noreturn void writer_go_on(struct writer *writer, const struct scenario_workload *given, int file)
{
    const struct doing *doing = &DOINGS[given->kind];
    place = given->volume;
    for (size_t n = 0;; n++) {
        int64_t begin_us = writer_now_us();
        if (!doing->volume)
            atomic_store(&writer->since_us, begin_us);
        doing->operation(file, n);
        atomic_store(&writer->since_us, 0);
        if (!doing->volume)
            note(writer, begin_us);
        usleep(doing->volume ? HOLD_US : PAUSE_US);
    }
}
