/* sandbox.c: a root of its own for one scenario: the order in which its parts come and go. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"
#include "sweep.h"

/* ---- Small helpers ---------------------------------------------------------------------------------------------- */

bool problem_set(struct problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (problem->size > 0 && !problem->text[0])
        vsnprintf(problem->text, problem->size, format, arguments);
    va_end(arguments);
    return false;
}

void path_format(char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, PATH_MAX, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < PATH_MAX)
        return;
    fprintf(stderr, "quiesce-sim: a path is too long: %.100s…\n", path);
    abort();
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory)
        return memory;
    fputs("quiesce-sim: out of memory\n", stderr);
    abort();
}

void outcome_left(struct outcome *outcome, const char *format, ...)
{
    char *line = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&line, format, arguments);
    va_end(arguments);
    outcome->left = realloc(outcome->left, (outcome->left_count + 1) * sizeof *outcome->left);
    if (length < 0 || !outcome->left)
        abort();
    outcome->left[outcome->left_count++] = line;
}

void sandbox_mark(const struct sandbox *sandbox, char mark[MARK_SIZE])
{
    const char *at = strstr(sandbox->settings->work, "/" WORK_PREFIX);
    snprintf(mark, MARK_SIZE, "%s", at ? at + 1 : "");
}

void sandbox_dotted_mark(const struct sandbox *sandbox, char mark[MARK_SIZE])
{
    sandbox_mark(sandbox, mark);
    for (char *slash = strchr(mark, '/'); slash; slash = strchr(slash, '/'))
        *slash = '.';
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

/* As another quiesce that runs all the time. */
static bool take_lock(struct sandbox *sandbox, struct problem *problem)
{
    if (!sandbox->scenario->other_has_lock)
        return true;
    int error = inside_make_directories(sandbox, "/run/quiesce");
    int directory = error ? -1 : inside_open(sandbox, "/run/quiesce", O_RDONLY | O_DIRECTORY);
    if (directory >= 0 && fchmod(directory, 0700) == 0)
        sandbox->lock = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool taken = sandbox->lock >= 0 && flock(sandbox->lock, LOCK_EX | LOCK_NB) == 0;
    if (!taken)
        problem_set(problem, "/run/quiesce/lock: %s", strerror(error ? error : errno));
    if (directory >= 0)
        close(directory);
    return taken;
}

/* What a sweep could not find is not begun. */
static bool check_mark(const struct sandbox *sandbox, struct problem *problem)
{
    char mark[MARK_SIZE], harness[MARK_SIZE];
    const char *work = sandbox->settings->work;
    sandbox_mark(sandbox, mark);
    return (mark_of_harness(mark, harness) && strlen(strstr(work, "/" WORK_PREFIX) + 1) < MARK_SIZE) ||
           problem_set(problem, "%s: a work folder lies in one that work_make made, and has a short name", work);
}

/* What is in the cache is mounted and run as root. */
static bool check_cache(const struct world_settings *settings, struct problem *problem)
{
    struct stat facts;
    if (stat(settings->cache, &facts) != 0)
        return problem_set(problem, "%s: %s", settings->cache, strerror(errno));
    return (facts.st_uid == geteuid() && (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0) ||
           problem_set(problem, "%s: others may write there; it must be ours, 0755 or less", settings->cache);
}

static bool make_work(const struct sandbox *sandbox, struct problem *problem)
{
    const char *work = sandbox->settings->work;
    return mkdir(work, 0700) == 0 || errno == EEXIST || problem_set(problem, "%s: %s", work, strerror(errno));
}

bool sandbox_open(struct sandbox *sandbox, char *why, size_t why_size)
{
    struct problem problem = {.text = why, .size = why_size};
    if (why_size > 0)
        why[0] = '\0';
    sandbox->init_pidfd = sandbox->own_pids = sandbox->root_directory = sandbox->cgroup = sandbox->lock = -1;
    path_format(sandbox->root, "%s/root", sandbox->settings->work);
    return check_mark(sandbox, &problem) && make_work(sandbox, &problem) && check_cache(sandbox->settings, &problem) && namespaces_enter(sandbox, &problem) &&
           root_make(sandbox, &problem) && init_start(sandbox, &problem) && root_cover(sandbox, &problem) &&
           volumes_make(sandbox, &problem) &&
           files_make(sandbox, &problem) && snapshot_prepare(sandbox, &problem) && take_lock(sandbox, &problem) && volumes_finish(sandbox, &problem);
}

/* ---- Closing ---------------------------------------------------------------------------------------------------- */

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* What lies on the root itself would go with it. */
static void keep_machine(const struct sandbox *sandbox)
{
    char output[256];
    PATH_OF(machine, "%s/machine", sandbox->settings->work);
    const char *const words[] = {"cp", "-ax", "--sparse=always", sandbox->root, machine, NULL};
    program_run(words, output, sizeof output);
}

void sandbox_close(struct sandbox *sandbox, struct outcome *outcome)
{
    char mark[MARK_SIZE], harness[MARK_SIZE];
    sandbox_mark(sandbox, mark);
    if (!mark_of_harness(mark, harness))
        return; /* nothing was begun */
    bool thawed = volumes_thaw(sandbox);
    sandbox_workload_stop(sandbox);
    if (sandbox->init > 0)
        leftovers_name(sandbox, outcome);
    init_end(sandbox, outcome);
    /* Somebody may have frozen something in his last moment. */
    thawed = thawed && volumes_thaw(sandbox);
    if (sandbox->settings->keep)
        keep_machine(sandbox);
    close_descriptor(&sandbox->lock);
    close_descriptor(&sandbox->root_directory);
    if (thawed)
        volumes_close(sandbox, outcome);
    else
        outcome_left(outcome, "a volume whose thaw hangs"); /* its unmounting would hang, too: a sweep has to do it */
    namespaces_leave(sandbox);
    workload_free(sandbox);
    if (thawed && !sandbox->settings->keep)
        remove_tree(sandbox->settings->work);
}
