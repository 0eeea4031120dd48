/* copies.c: the command `snapshot` copies the volumes' disks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "inside.h"
#include "sparse.h"

#define US_PER_S 1000000

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
bool actor_copy_disks(void)
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
