/* snapshots.c: copies of the volumes' disks: what is to be copied, and looking at what was. Copying is the actor's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"

/* ---- What is to be copied ------------------------------------------------------------------------------ */

bool sandbox_has_ledger(const struct scenario *scenario, const char *volume)
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
        if (scenario->steps[i].expect.snapshot || scenario->steps[i].expect.crash_images)
            return true;
    }
    return sandbox_has_ledger(scenario, NULL);
}

bool snapshot_prepare(const struct sandbox *sandbox, struct problem *problem)
{
    if (!wants_copies(sandbox->scenario))
        return true;
    PATH_OF(path, "%s" SANDBOX_COPY_LIST, sandbox->root);
    FILE *list = fopen(path, "we");
    for (size_t i = 0; list && i < sandbox->volume_count; i++) {
        const char *image = sandbox->volumes[i].image;
        if (image[0] && !sandbox->volumes[i].given->recorded) /* a recording disk remembers what it held */
            fprintf(list, "%s\t" SANDBOX_COPIES "/%zu\n", image + strlen(sandbox->root), i);
    }
    return (list && fclose(list) == 0) || problem_set(problem, "%s: %s", path, strerror(errno));
}

/* ---- What was copied ----------------------------------------------------------------------------------- */

/* When the command began to copy; -1: it did not. */
static int64_t read_marker(const struct sandbox *sandbox)
{
    char marker[32];
    int file = inside_open(sandbox, SANDBOX_MARKER, O_RDONLY);
    ssize_t size = file >= 0 ? read(file, marker, sizeof marker - 1) : -1;
    if (file >= 0)
        close(file);
    if (size <= 0)
        return -1;
    marker[size] = '\0';
    return strtoll(marker, NULL, 10);
}

/* Opens the copy of a volume's disk; a recording one is copied now, as it was then. -1: there is none. */
static int open_copy(struct sandbox *sandbox, size_t index, int64_t marker_us, char path[PATH_MAX])
{
    struct sandbox_volume *volume = &sandbox->volumes[index];
    if (volume->given->recorded)
        return fake_open_then(volume, marker_us, path);
    struct stat copied, disk;
    path_format(path, "%s" SANDBOX_COPIES "/%zu", sandbox->root, index);
    bool whole = volume->image[0] && stat(path, &copied) == 0 && stat(volume->image, &disk) == 0 &&
                 copied.st_size == disk.st_size;
    return whole ? volume_open_image(sandbox, path, O_RDWR | O_CLOEXEC) : -1;
}

void sandbox_judge_snapshots(struct sandbox *sandbox, struct outcome *outcome)
{
    if (!wants_copies(sandbox->scenario))
        return;
    int64_t marker_us = read_marker(sandbox);
    outcome->snapshots = allocate(sandbox->volume_count, sizeof *outcome->snapshots);
    outcome->snapshot_count = sandbox->volume_count;
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        const struct scenario_volume *given = sandbox->volumes[i].given;
        char path[PATH_MAX];
        struct look look = {.missing = -1, .damaged = -1};
        int image = marker_us < 0 ? -1 : open_copy(sandbox, i, marker_us, path);
        if (image >= 0) {
            look_at_image(sandbox, given, image, path, marker_us, &look);
            close(image);
        }
        outcome->snapshots[i] = (struct outcome_snapshot){.mount = given->mount, .taken = image >= 0,
                                                          .mounts = look.mounts, .clean = look.clean,
                                                          .missing = look.missing, .damaged = look.damaged};
    }
}
