/* leftovers.c: what still runs in the sandbox at the end, and whether it may. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

#define GRACE_MS 300 /* for what is ending already */

/* ---- What may be left ------------------------------------------------------------------------------------------- */

/* Did the start of a script that is meant end as a success? A leftover of any other one should have been ended. */
static bool has_succeeded(const char *record, int start, const char *name)
{
    for (const char *line = record; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        int of = 0, status = -1, at = 0;
        if (sscanf(line, "ends %d %*d %d %n", &of, &status, &at) == 2 && at > 0 && of == start && status == 0 &&
            strcspn(line + at, "\n") == strlen(name) && strncmp(line + at, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

static bool was_left_on_purpose(const char *record, int pid)
{
    for (const char *line = record; record && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        int start = 0, left = 0, at = 0;
        char name[256];
        if (sscanf(line, "leaves %d %d %*d %n", &start, &left, &at) != 2 || at == 0 || left != pid)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line + at, "\n"), line + at);
        if (has_succeeded(record, start, name))
            return true;
    }
    return false;
}

/* ---- What is left ----------------------------------------------------------------------------------------------- */

static char *read_of_process(const struct sandbox *sandbox, const char *pid, const char *file, size_t *size)
{
    PATH_OF(path, "%s/proc/%s/%s", sandbox->root, pid, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    char *text = descriptor >= 0 ? read_whole(descriptor, size) : NULL;
    if (descriptor >= 0)
        close(descriptor);
    return text;
}

/* A zombie has ended; only whose child it is has not looked yet. */
static bool is_alive(const struct sandbox *sandbox, const char *pid)
{
    char *stat = read_of_process(sandbox, pid, "stat", NULL);
    const char *state = stat ? strrchr(stat, ')') : NULL;
    bool alive = state && !strchr("ZX", state[2]);
    free(stat);
    return alive;
}

/* Calls `each` for every process that lives and must not. Returns how many. */
static size_t visit(const struct sandbox *sandbox, void (*each)(const struct sandbox *, const char *pid, void *),
                    void *argument)
{
    PATH_OF(proc, "%s/proc", sandbox->root);
    int file = inside_open(sandbox, SANDBOX_RECORD, O_RDONLY);
    char *record = file >= 0 ? read_whole(file, NULL) : NULL;
    if (file >= 0)
        close(file);
    DIR *directory = opendir(proc);
    size_t count = 0;
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry; entry = readdir(directory)) {
        int pid = isdigit((unsigned char)entry->d_name[0]) ? (int)strtol(entry->d_name, NULL, 10) : 0;
        if (pid <= 1 || !is_alive(sandbox, entry->d_name) || was_left_on_purpose(record, pid))
            continue;
        count++;
        if (each)
            each(sandbox, entry->d_name, argument);
    }
    if (directory)
        closedir(directory);
    free(record);
    return count;
}

static void name_process(const struct sandbox *sandbox, const char *pid, void *outcome)
{
    size_t size = 0;
    char *words = read_of_process(sandbox, pid, "cmdline", &size);
    for (size_t i = 0; words && i + 1 < size; i++)
        words[i] = words[i] ? words[i] : ' ';
    outcome_left(outcome, "process %s (%s)", pid, words && *words ? words : "without a command line");
    free(words);
}

static void name_setting(const struct sandbox *sandbox, const char *path, const char *name, int before, struct outcome *outcome)
{
    int file = inside_open(sandbox, path, O_RDONLY);
    char *text = file >= 0 ? read_whole(file, NULL) : NULL;
    if (file >= 0)
        close(file);
    if (!text || strtol(text, NULL, 10) != before)
        outcome_left(outcome, "%s is %.*s", name, text ? (int)strcspn(text, "\n") : 0, text ? text : "");
    free(text);
}

void leftovers_name(const struct sandbox *sandbox, struct outcome *outcome)
{
    for (int waited_ms = 0; visit(sandbox, NULL, NULL) > 0 && waited_ms < GRACE_MS; waited_ms++)
        usleep(1000);
    visit(sandbox, name_process, outcome);
    name_setting(sandbox, SANDBOX_RCU, "rcu_expedited", sandbox->scenario->rcu_expedited, outcome);
    name_setting(sandbox, SANDBOX_PERIOD, "dirty_writeback_centisecs", sandbox->scenario->writeback_period, outcome);
}
