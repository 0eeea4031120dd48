/* snapshots.c: copies of the volumes' disks: taking them, inside, and looking at them, outside. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"

#define US_PER_S 1000000

/* ---- Inside, by the command `snapshot` -------------------------------------------------------------------------- */

static bool write_marker(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int file = open(SANDBOX_MARKER, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = file >= 0 && dprintf(file, "%lld", (long long)now.tv_sec * US_PER_S + now.tv_nsec / 1000) > 0;
    if (file >= 0)
        close(file);
    return written;
}

static bool copy_image(const char *from, const char *to)
{
    int image = open(from, O_RDONLY | O_CLOEXEC);
    int copy = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int error = image < 0 || copy < 0 ? errno : sparse_copy(image, copy, false);
    if (image >= 0)
        close(image);
    if (copy >= 0)
        close(copy);
    errno = error;
    return !error;
}

/* The list has a line for each disk: its image, and the name of its copy. */
bool snapshot_copy(void)
{
    FILE *list = fopen(SANDBOX_COPY_LIST, "re");
    if (!list)
        return errno == ENOENT;
    bool copied = write_marker();
    char *line = NULL;
    size_t capacity = 0;
    while (copied && getline(&line, &capacity, list) > 0) {
        char *rest = NULL;
        const char *from = strtok_r(line, "\n\t", &rest);
        const char *to = strtok_r(NULL, "\n\t", &rest);
        copied = from && to && copy_image(from, to);
    }
    free(line);
    fclose(list);
    return copied;
}

/* ---- Outside: what is to be copied ------------------------------------------------------------------------------ */

/* Is there a ledger on the volume (NULL: on any)? */
static bool has_ledger(const struct scenario *scenario, const char *volume)
{
    for (size_t i = 0; i < scenario->workload_count; i++) {
        if (scenario->workloads[i].kind == SCENARIO_LEDGER &&
            (!volume || strcmp(scenario->workloads[i].volume, volume) == 0))
            return true;
    }
    return false;
}

static bool wants_copies(const struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->step_count; i++) {
        if (scenario->steps[i].expect.snapshot)
            return true;
    }
    return has_ledger(scenario, NULL);
}

bool snapshot_prepare(const struct sandbox *sandbox, struct problem *problem)
{
    if (!wants_copies(sandbox->scenario))
        return true;
    PATH_OF(path, "%s" SANDBOX_COPY_LIST, sandbox->root);
    FILE *list = fopen(path, "we");
    for (size_t i = 0; list && i < sandbox->volume_count; i++) {
        const char *image = sandbox->volumes[i].image;
        if (image[0])
            fprintf(list, "%s\t" SANDBOX_COPIES "/%zu\n", image + strlen(sandbox->root), i);
    }
    return (list && fclose(list) == 0) || problem_set(problem, "%s: %s", path, strerror(errno));
}

/* ---- Outside: what was copied ----------------------------------------------------------------------------------- */

/* Does the checker find nothing? Run when its log was replayed: a frozen xfs has a dirty one by design. */
static bool is_clean(const char *type, const char *copy)
{
    const char *const checkers[][5] = {
        {"ext4", "e2fsck", "-fn", copy, NULL},   {"ext3", "e2fsck", "-fn", copy, NULL},
        {"ext2", "e2fsck", "-fn", copy, NULL},   {"xfs", "xfs_repair", "-n", copy, NULL},
        {"btrfs", "btrfsck", "--readonly", copy, NULL},
    };
    char output[512];
    for (size_t i = 0; i < sizeof checkers / sizeof *checkers; i++) {
        if (strcmp(checkers[i][0], type) == 0)
            return program_run(&checkers[i][1], output, sizeof output) == 0;
    }
    return false;
}

/* Acknowledged records that are not in the copy; -1: cannot be said. */
static int64_t count_missing(const struct sandbox *sandbox, const char *volume, const char *mounted)
{
    char acks[PATH_MAX], output[512], marker[32];
    ledger_acks(sandbox, volume, acks);
    int file = inside_open(sandbox, SANDBOX_MARKER, O_RDONLY);
    ssize_t size = file >= 0 ? read(file, marker, sizeof marker - 1) : -1;
    if (file >= 0)
        close(file);
    marker[size > 0 ? size : 0] = '\0';
    const char *const words[] = {sandbox->settings->ledger, "verify", mounted, acks, marker, NULL};
    int status = program_run(words, output, sizeof output);
    const char *number = status <= 1 ? strstr(output, "missing=") : NULL;
    return number ? strtoll(number + strlen("missing="), NULL, 10) : -1;
}

/* Attaches and mounts the copy, which replays its log. A descriptor that keeps the device, or -1. */
static int mount_copy(const struct sandbox *sandbox, const char *type, const char *copy, const char *at)
{
    char name[MARK_SIZE];
    int number = 0;
    sandbox_mark(sandbox, name);
    PATH_OF(nodes, "%s/dev", sandbox->root);
    int image = volume_open_image(sandbox, copy, O_RDWR | O_CLOEXEC);
    int loop = image < 0 || image_make_unique(image, type) != 0 ? -1 : loop_attach(image, name, nodes, &number);
    if (image >= 0)
        close(image);
    if (loop < 0)
        return -1;
    PATH_OF(device, "%s/loop%d", nodes, number);
    if (volume_mount(device, at, type, 0) == 0)
        return loop;
    close(loop);
    return -1;
}

static void judge(const struct sandbox *sandbox, size_t index, struct outcome_snapshot *snapshot)
{
    const struct scenario_volume *given = sandbox->volumes[index].given;
    struct stat copied, disk;
    PATH_OF(copy, "%s" SANDBOX_COPIES "/%zu", sandbox->root, index);
    PATH_OF(at, "%s/look", sandbox->settings->work);
    *snapshot = (struct outcome_snapshot){.mount = given->mount, .missing = -1};
    snapshot->taken = sandbox->volumes[index].image[0] && stat(copy, &copied) == 0 &&
                      stat(sandbox->volumes[index].image, &disk) == 0 && copied.st_size == disk.st_size;
    if (!snapshot->taken || (mkdir(at, 0700) != 0 && errno != EEXIST))
        return;
    int loop = mount_copy(sandbox, given->type, copy, at);
    if (loop < 0)
        return;
    if (has_ledger(sandbox->scenario, given->mount))
        snapshot->missing = count_missing(sandbox, given->mount, at);
    bool unmounted = umount2(at, 0) == 0;
    close(loop);
    snapshot->clean = unmounted && is_clean(given->type, copy);
}

void sandbox_judge_snapshots(struct sandbox *sandbox, struct outcome *outcome)
{
    if (!wants_copies(sandbox->scenario))
        return;
    outcome->snapshots = allocate(sandbox->volume_count, sizeof *outcome->snapshots);
    outcome->snapshot_count = sandbox->volume_count;
    for (size_t i = 0; i < sandbox->volume_count; i++)
        judge(sandbox, i, &outcome->snapshots[i]);
}
