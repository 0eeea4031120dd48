/* marks.c: finding what bears a mark: /proc, /sys/block, and the control groups. */
#include "marks.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"
#include "sweep.h"

#define SCAN_MAX 4096
#define CGROUP_DEPTH 16

/* ---- Marks ------------------------------------------------------------------------------------------------------ */

/* Of a living process: when it started, in clock ticks since boot. */
static bool read_start(pid_t pid, unsigned long long *start)
{
    PATH_OF(path, "/proc/%d/stat", (int)pid);
    char text[1024];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    if (file >= 0)
        close(file);
    text[size > 0 ? size : 0] = '\0';
    const char *rest = strrchr(text, ')');
    char state = 'X';
    return rest && sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                          &state, start) == 2 && !strchr("ZX", state);
}

static unsigned long own_namespace(void)
{
    struct stat facts = {0};
    stat("/proc/self/ns/pid", &facts);
    return (unsigned long)facts.st_ino;
}

void mark_make(char mark[MARK_SIZE])
{
    unsigned long long start = 0;
    read_start(getpid(), &start);
    snprintf(mark, MARK_SIZE, WORK_PREFIX "%lu-%d-%llu.XXXXXX", own_namespace(), (int)getpid(), start);
}

bool mark_is_alive(const char *mark)
{
    unsigned long space = 0;
    int pid = 0;
    unsigned long long start = 0, started = 0;
    if (sscanf(mark, WORK_PREFIX "%lu-%d-%llu.", &space, &pid, &start) != 3 || space != own_namespace())
        return true;
    return read_start(pid, &started) && started == start;
}

bool mark_covers(const char *mark, const char *text)
{
    for (; *mark; mark++, text++) {
        if (*mark != *text && (*mark != '/' || *text != '.'))
            return false;
    }
    return *text == '\0' || *text == '/' || *text == '.';
}

bool mark_of_harness(const char *text, char mark[MARK_SIZE])
{
    unsigned long space = 0;
    int pid = 0, end = 0;
    unsigned long long start = 0;
    if (sscanf(text, WORK_PREFIX "%lu-%d-%llu.%n", &space, &pid, &start, &end) != 3 || end == 0 || strstr(text, ".."))
        return false;
    size_t length = (size_t)end + strcspn(text + end, "./");
    if (length >= MARK_SIZE)
        return false;
    memcpy(mark, text, length);
    mark[length] = '\0';
    return true;
}

/* ---- Processes -------------------------------------------------------------------------------------------------- */

/* The source of the first tmpfs that bears a mark in the mount table of a process. */
static bool read_mark(pid_t pid, char mark[MARK_SIZE])
{
    PATH_OF(path, "/proc/%d/mountinfo", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = file >= 0 ? read_whole(file, NULL) : NULL;
    if (file >= 0)
        close(file);
    const char *found = text ? strstr(text, " - tmpfs " WORK_PREFIX) : NULL;
    if (found)
        snprintf(mark, MARK_SIZE, "%.*s", (int)strcspn(found + strlen(" - tmpfs "), " "), found + strlen(" - tmpfs "));
    free(text);
    return found != NULL;
}

static ino_t mount_namespace(const char *pid)
{
    PATH_OF(path, "/proc/%s/ns/mnt", pid);
    struct stat facts;
    return stat(path, &facts) == 0 ? facts.st_ino : 0;
}

void marks_visit_processes(bool (*each)(const struct marked_process *, void *), void *argument)
{
    ino_t own = mount_namespace("self");
    DIR *directory = opendir("/proc");
    bool more = true;
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry && more; entry = readdir(directory)) {
        struct marked_process process = {.pid = (pid_t)strtol(entry->d_name, NULL, 10)};
        if (!isdigit((unsigned char)entry->d_name[0]) || mount_namespace(entry->d_name) == own ||
            !read_mark(process.pid, process.mark))
            continue;
        more = each(&process, argument);
    }
    if (directory)
        closedir(directory);
}

bool mark_find_mount(pid_t pid, int loop, char path[PATH_MAX])
{
    char source[32], line[PATH_MAX + 256];
    snprintf(source, sizeof source, "/dev/loop%d", loop);
    PATH_OF(table_path, "/proc/%d/mountinfo", (int)pid);
    FILE *table = fopen(table_path, "re");
    bool found = false;
    while (table && !found && fgets(line, sizeof line, table)) {
        char at[PATH_MAX], from[PATH_MAX];
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*d %*d %*s %*s %4095s", at) != 1 || sscanf(rest, " - %*s %4095s", from) != 1)
            continue;
        size_t length = strlen(from), wanted = strlen(source);
        found = length >= wanted && strcmp(from + length - wanted, source) == 0;
        if (found)
            path_format(path, "/proc/%d/root%s", (int)pid, at);
    }
    if (table)
        fclose(table);
    return found;
}

/* ---- Loop devices ----------------------------------------------------------------------------------------------- */

/* What the file under the loop device is called, also when nobody serves that any more. */
static bool read_backing_file(const char *name, char text[PATH_MAX])
{
    PATH_OF(path, "/sys/block/%s/loop/backing_file", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file >= 0 ? read(file, text, PATH_MAX - 1) : -1;
    if (file >= 0)
        close(file);
    text[size > 0 ? size : 0] = '\0';
    return size > 0;
}

/* To open a device of somebody else's would delay its end, so only what looks like ours is. */
static bool looks_like_ours(const char *backing_file)
{
    return strstr(backing_file, SANDBOX_PRIVATE "/") || strstr(backing_file, "/disk-");
}

static bool read_marked_disk(const char *backing_file, struct marked_loop *loop)
{
    const char *disk = strstr(backing_file, "/disk-");
    int end = 0;
    loop->fakefs = 0;
    if (!disk || sscanf(disk, MARKED_DISK "%n", &loop->fakefs, &end) != 1 || end == 0)
        return false;
    snprintf(loop->mark, MARK_SIZE, "%.*s", (int)strcspn(disk + end, " \n"), disk + end);
    return true;
}

static bool ask_device(const char *name, struct marked_loop *loop)
{
    struct loop_info64 info = {0};
    PATH_OF(path, "/dev/%s", name);
    int device = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool told = device >= 0 && ioctl(device, LOOP_GET_STATUS64, &info) == 0;
    if (device >= 0)
        close(device);
    snprintf(loop->mark, MARK_SIZE, "%.*s", MARK_SIZE - 1, (const char *)info.lo_file_name);
    return told;
}

static bool read_loop(const char *name, struct marked_loop *loop)
{
    char backing_file[PATH_MAX];
    return sscanf(name, "loop%d", &loop->number) == 1 && read_backing_file(name, backing_file) &&
           looks_like_ours(backing_file) && (read_marked_disk(backing_file, loop) || ask_device(name, loop)) &&
           strncmp(loop->mark, WORK_PREFIX, strlen(WORK_PREFIX)) == 0;
}

void marks_visit_loops(bool (*each)(const struct marked_loop *, void *), void *argument)
{
    DIR *directory = opendir("/sys/block");
    bool more = true;
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry && more; entry = readdir(directory)) {
        struct marked_loop loop;
        if (strncmp(entry->d_name, "loop", 4) == 0 && read_loop(entry->d_name, &loop))
            more = each(&loop, argument);
    }
    if (directory)
        closedir(directory);
}

/* ---- Control groups --------------------------------------------------------------------------------------------- */

static void visit_cgroups(const char *path, int depth, bool (*each)(const char *, const char *, void *), void *argument)
{
    DIR *directory = opendir(path);
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry; entry = readdir(directory)) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        PATH_OF(inner, "%s/%s", path, entry->d_name);
        if (strncmp(entry->d_name, WORK_PREFIX, strlen(WORK_PREFIX)) == 0)
            each(inner, entry->d_name, argument);
        else if (depth > 0)
            visit_cgroups(inner, depth - 1, each, argument);
    }
    if (directory)
        closedir(directory);
}

void marks_visit_cgroups(bool (*each)(const char *, const char *, void *), void *argument)
{
    const char *mount_point = cgroup_mount();
    if (mount_point)
        visit_cgroups(mount_point, CGROUP_DEPTH, each, argument);
}
