/* places.c: where things are, and the folders of a run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "put.h"
#include "running.h"
#include "sweep.h"

static int broken(const char *what, const char *why)
{
    fprintf(stderr, "quiesce-sim %s: %s: %s\n", running_command, what, why);
    return EXIT_BROKEN;
}

/* Cut paths name nothing that is there. */
static bool join(char path[PATH_MAX], const char *folder, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* The first of `names` (ended by NULL), from the folder of this program, that can be executed. */
static bool find_beside(const char *self, const char *const *names, char found[PATH_MAX])
{
    char folder[PATH_MAX];
    char path[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", self);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    for (; *names; names++) {
        if (join(path, folder, *names) && access(path, X_OK) == 0 && realpath(path, found))
            return true;
    }
    found[0] = '\0';
    return false;
}

/* ---- The cache -------------------------------------------------------------------------------------------------- */

static bool make_folder(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool places_cache(char cache[PATH_MAX], char *why, size_t why_size)
{
    struct stat facts;
    const char *given = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    bool fits = given && given[0] == '/'
                    ? join(cache, given, "quiesce-sim")
                    : join(cache, home && home[0] == '/' ? home : "/var/tmp", ".cache/quiesce-sim");
    if (!fits || !make_folder(cache) || lstat(cache, &facts) != 0) {
        snprintf(why, why_size, "%s: %s", cache, strerror(fits ? errno : ENAMETOOLONG));
        return false;
    }
    /* What lies in it is mounted and believed by root. */
    if (!S_ISDIR(facts.st_mode) || facts.st_uid != geteuid() || facts.st_mode & (S_IWGRP | S_IWOTH)) {
        snprintf(why, why_size,
                 "%s: must be a folder of ours that nobody else may write; set XDG_CACHE_HOME to another", cache);
        return false;
    }
    return true;
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

static bool is_real(const struct running *running)
{
    for (size_t i = 0; i < running->report.count; i++) {
        if (running->report.cases[i].verdict == VERDICT_NOT_RUN &&
            running->report.cases[i].world->bit != SCENARIO_VIRTUAL)
            return true;
    }
    return false;
}

static int find_binary(struct running *running)
{
    static const char *const NAMES[] = {"quiesce", "../core/quiesce", NULL};
    struct places *places = &running->places;
    const char *given = running->options.binary;
    struct stat facts = {0};
    bool there = !given || (realpath(given, places->quiesce) && access(places->quiesce, X_OK) == 0 &&
                            stat(places->quiesce, &facts) == 0);
    if (given && (!there || !S_ISREG(facts.st_mode))) {
        fprintf(stderr, "quiesce-sim %s: --binary: found %s, allowed: a program (%s)\n", running_command, given,
                there ? "it is no regular file" : strerror(errno));
        return EXIT_MISTAKE;
    }
    if (!given && !find_beside(places->self, NAMES, places->quiesce) && is_real(running))
        return broken(places->self, "there is no quiesce beside it; build it, or name one with --binary");
    return EXIT_PASSED;
}

/* Should we be killed, the rescuer removes whatever is marked as this folder's. */
static int open_work(struct running *running)
{
    struct places *places = &running->places;
    int error = work_make(WORK_BASE, places->work);
    if (error)
        return broken(WORK_BASE, strerror(error));
    places->rescuer = is_real(running) ? rescuer_start(places->work) : 0;
    return places->rescuer < 0 ? broken("the rescuer", strerror(-places->rescuer)) : EXIT_PASSED;
}

int places_open(struct running *running)
{
    static const char *const LEDGERS[] = {"ledger", "../fixtures/apps/ledger/ledger", NULL};
    struct places *places = &running->places;
    char why[PATH_MAX + 128];
    ssize_t size = readlink("/proc/self/exe", places->self, sizeof places->self - 1);
    if (size < 0)
        return broken("/proc/self/exe", strerror(errno));
    places->self[size] = '\0';
    int status = find_binary(running);
    if (status != EXIT_PASSED)
        return status;
    find_beside(places->self, LEDGERS, places->ledger);
    if (!places_cache(places->cache, why, sizeof why) && is_real(running))
        return broken("the cache", why);
    return is_real(running) || running->options.keep ? open_work(running) : EXIT_PASSED;
}

void places_close(struct running *running)
{
    struct places *places = &running->places;
    if (places->rescuer > 0)
        rescuer_stop(places->rescuer);
    places->rescuer = 0;
    if (places->work[0])
        rmdir(places->work);
}

int places_keep(struct running *running)
{
    int error = work_keep(running->places.work);
    if (error)
        return broken(running->places.work, strerror(error));
    fprintf(stderr, "kept in %s, a folder for each case\n", running->places.work);
    return EXIT_PASSED;
}

void places_clean_up(struct running *running, size_t index)
{
    char *folder = must_format("%s/%zu", running->places.work, index);
    if (running->places.rescuer > 0 && !sweep_work(folder, NULL))
        fprintf(stderr, "quiesce-sim %s: %s: not all of it could be removed; try quiesce-sim sweep\n", running_command, folder);
    free(folder);
}

char *places_program(void)
{
    char self[PATH_MAX];
    char here[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0)
        return must(strdup("quiesce-sim"));
    self[size] = '\0';
    size_t length = getcwd(here, sizeof here) ? strlen(here) : 0;
    bool below = length > 1 && strncmp(self, here, length) == 0 && self[length] == '/';
    return must(strdup(below ? self + length + 1 : self));
}

char *places_here(void)
{
    char here[PATH_MAX];
    return getcwd(here, sizeof here) ? must(strdup(here)) : NULL;
}
