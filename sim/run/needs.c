/* needs.c: does this machine have what a scenario needs? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "running.h"

/* Is there a program of that name on the PATH, or where administrators' programs are? */
static bool has_program(const char *name)
{
    char path[PATH_MAX];
    char file[PATH_MAX];
    const char *given = getenv("PATH");
    char *rest = path;
    snprintf(path, sizeof path, "%s:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", given ? given : "");
    for (char *folder = strsep(&rest, ":"); folder; folder = strsep(&rest, ":")) {
        if (snprintf(file, sizeof file, "%s/%s", folder, name) < (int)sizeof file && *folder && access(file, X_OK) == 0)
            return true;
    }
    return false;
}

/* A filesystem without a disk needs no program that makes it. */
static bool is_diskless(const char *type)
{
    char line[128];
    char name[64];
    bool found = false;
    FILE *file = fopen("/proc/filesystems", "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "nodev %63s", name) == 1 && strcmp(name, type) == 0;
    if (file)
        fclose(file);
    return found;
}

const char *needs_missing(const struct scenario *scenario, const struct world *world)
{
    static char why[256];
    if (world->bit == SCENARIO_VIRTUAL)
        return NULL;
    for (size_t i = 0; i < scenario->need_count; i++) {
        const char *need = scenario->needs[i];
        char name[128];
        bool missing = false;
        if (strncmp(need, "program:", 8) == 0) {
            snprintf(name, sizeof name, "%s", need + 8);
            missing = !has_program(name);
        } else if (strncmp(need, "fs:", 3) == 0 && world->bit == SCENARIO_LOOP) {
            snprintf(name, sizeof name, "mkfs.%s", need + 3);
            missing = !is_diskless(need + 3) && !has_program(name);
        }
        if (missing) {
            snprintf(why, sizeof why, "no program %s", name);
            return why;
        }
    }
    return NULL;
}
