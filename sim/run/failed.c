/* failed.c: what failed last time, for --failed: a list in the cache, shared by runs side by side. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "put.h"
#include "running.h"

#define LIST_SIZE_MAX (16 << 20)

/* How a case stands in the list. The caller frees. */
static char *line_of(const struct scenario *scenario, const struct world *world)
{
    char *real = realpath(scenario->file, NULL);
    char *name = report_name(scenario);
    char *line = must_format("%s\t%s\t%s", world->name, real ? real : scenario->file, name);
    free(real);
    free(name);
    return line;
}

static bool contains(const struct failed_list *list, const char *line)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->lines[i], line) == 0)
            return true;
    }
    return false;
}

static void add(struct failed_list *list, char *line)
{
    list->lines = must(realloc(list->lines, (list->count + 1) * sizeof *list->lines));
    list->lines[list->count++] = line;
}

/* Opens the list, locked until it is closed; -1: there is none to be had. */
static int open_list(int flags, int lock)
{
    char cache[PATH_MAX];
    char why[PATH_MAX + 128];
    char path[PATH_MAX + 16];
    if (!places_cache(cache, why, sizeof why))
        return -1;
    snprintf(path, sizeof path, "%s/failed", cache);
    int file = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file >= 0)
        flock(file, lock);
    return file;
}

static struct failed_list read_list(int file)
{
    struct failed_list list = {NULL, 0};
    char *text = must(calloc(1, LIST_SIZE_MAX + 1));
    size_t size = 0;
    ssize_t more = 1;
    while (file >= 0 && more > 0 && size < LIST_SIZE_MAX) {
        more = read(file, text + size, LIST_SIZE_MAX - size);
        size += more > 0 ? (size_t)more : 0;
    }
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (*line)
            add(&list, must(strdup(line)));
    }
    free(text);
    return list;
}

struct failed_list failed_read(void)
{
    int file = open_list(O_RDONLY, LOCK_SH);
    struct failed_list list = read_list(file);
    if (file >= 0)
        close(file);
    return list;
}

bool failed_contains(const struct failed_list *list, const struct scenario *scenario, const struct world *world)
{
    char *line = line_of(scenario, world);
    bool found = contains(list, line);
    free(line);
    return found;
}

void failed_free(struct failed_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->lines[i]);
    free(list->lines);
}

/* Is the file of this line still there? */
static bool is_alive(const char *line)
{
    const char *path = strchr(line, '\t');
    size_t length = path ? strcspn(++path, "\t") : 0;
    char *file = path ? must(strndup(path, length)) : NULL;
    bool alive = file && access(file, F_OK) == 0;
    free(file);
    return alive;
}

/* What was not played this time stays as it was. */
void failed_remember(const struct report *report)
{
    struct failed_list now = {NULL, 0};
    struct failed_list played = {NULL, 0};
    int file = open_list(O_RDWR | O_CREAT, LOCK_EX);
    if (file < 0)
        return;
    struct failed_list before = read_list(file);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_case *it = &report->cases[i];
        bool failed = it->verdict == VERDICT_FAILED || it->verdict == VERDICT_BROKEN;
        bool played_it = it->verdict == VERDICT_PASSED || failed;
        if (!played_it || (!failed && (it->repetition > 0 || before.count == 0)))
            continue;
        char *line = line_of(it->scenario, it->world);
        if (failed && !contains(&now, line))
            add(&now, must(strdup(line)));
        add(&played, line);
    }
    for (size_t i = 0; i < before.count; i++) {
        if (!contains(&played, before.lines[i]) && is_alive(before.lines[i]))
            add(&now, must(strdup(before.lines[i])));
    }
    if (ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0) {
        for (size_t i = 0; i < now.count; i++)
            dprintf(file, "%s\n", now.lines[i]);
    }
    close(file);
    failed_free(&before);
    failed_free(&played);
    failed_free(&now);
}
