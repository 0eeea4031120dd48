/* play_mounts.c: the fake world's table of mounts: what the kernel says, but for the types of fake filesystems. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "parts.h"
#include "play.h"

#define TYPE_OF_FAKES " - fuseblk "

/* The longest name that it has: /proc/thread-self/mountinfo. */
#define TABLE_PATH_MAX 64

bool play_opens_mounts(const struct gate_call *call)
{
    static const char before[] = "/proc/", behind[] = "/mountinfo";
    char path[TABLE_PATH_MAX];
    if (gate_string(call, call->arguments[1], path, sizeof path) != 0)
        return false;
    size_t length = strlen(path);
    return length > sizeof before + sizeof behind - 2 && strncmp(path, before, sizeof before - 1) == 0 &&
           strcmp(path + length - (sizeof behind - 1), behind) == 0;
}

/* Opens the table that the caller would see. */
static FILE *open_table(const struct play *play, const struct held *held, const char *path)
{
    bool own = strncmp(path, "/proc/self/", 11) == 0 || strncmp(path, "/proc/thread-self/", 18) == 0;
    PATH_OF(theirs, "/proc/%d/mountinfo", (int)held->process);
    int file = own ? open(theirs, O_RDONLY | O_CLOEXEC) : inside_open(&play->sandbox, path, O_RDONLY);
    return file >= 0 ? fdopen(file, "re") : NULL;
}

/* The scenario's type of the fake filesystem in this line; NULL: it is of something else. */
static const char *type_in(const struct play *play, const char *line)
{
    unsigned major_number = 0, minor_number = 0;
    if (!strstr(line, TYPE_OF_FAKES) || sscanf(line, "%*d %*d %u:%u", &major_number, &minor_number) != 2)
        return NULL;
    for (size_t i = 0; i < play->sandbox.volume_count; i++) {
        if (play->sandbox.volumes[i].dev == makedev(major_number, minor_number))
            return play->sandbox.volumes[i].given->type;
    }
    return NULL;
}

static void retell(const struct play *play, FILE *from, FILE *to)
{
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, from) > 0) {
        const char *type = type_in(play, line);
        const char *at = type ? strstr(line, TYPE_OF_FAKES) : NULL;
        if (at)
            fprintf(to, "%.*s - %s %s", (int)(at - line), line, type, at + sizeof TYPE_OF_FAKES - 1);
        else
            fputs(line, to);
    }
    free(line);
}

int play_open_mounts(struct play *play, const struct held *held)
{
    char path[TABLE_PATH_MAX];
    if (gate_string(&held->call, held->call.arguments[1], path, sizeof path) != 0)
        return -1;
    FILE *from = open_table(play, held, path);
    int table = from ? memfd_create("mountinfo", MFD_CLOEXEC) : -1;
    int writing = table >= 0 ? fcntl(table, F_DUPFD_CLOEXEC, 0) : -1;
    FILE *to = writing >= 0 ? fdopen(writing, "we") : NULL;
    if (to) {
        retell(play, from, to);
        fclose(to);
        lseek(table, 0, SEEK_SET);
    }
    if (from)
        fclose(from);
    return table;
}
