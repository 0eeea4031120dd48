#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"
#include "put.h"

const char *const explore_callers[] = {"agent", "guardian", "child"};

static bool is_there(const struct sites *sites, const struct site *site)
{
    for (size_t i = 0; i < sites->count; i++) {
        const struct site *other = &sites->items[i];
        if (other->nth == site->nth && other->by == site->by && strcmp(other->call, site->call) == 0 &&
            strcmp(other->about, site->about) == 0)
            return true;
    }
    return false;
}

/* "agent TAB openat TAB /etc/azure TAB 2". */
static bool take_line(char *line, struct site *site)
{
    char *by = strsep(&line, "\t");
    site->call = strsep(&line, "\t");
    site->about = strsep(&line, "\t");
    site->nth = line ? atoi(line) : 0;
    for (int i = 0; i < 3; i++) {
        if (strcmp(by, explore_callers[i]) == 0)
            site->by = (enum scenario_caller)i;
    }
    return site->nth > 0;
}

int sites_read(struct sites *sites, struct scenario_memory *memory, const char *path)
{
    char *line = NULL;
    size_t capacity = 0;
    bool guarded = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return errno;
    while (getline(&line, &capacity, file) > 0) {
        struct site site = {.by = SCENARIO_BY_AGENT};
        if (!take_line(line, &site))
            continue;
        guarded |= site.by == SCENARIO_BY_GUARDIAN;
        site.guarded = guarded;
        if (is_there(sites, &site))
            continue;
        site.call = scenario_copy(memory, site.call, strlen(site.call));
        site.about = scenario_copy(memory, site.about, strlen(site.about));
        sites->items = must(realloc(sites->items, (sites->count + 1) * sizeof *sites->items));
        sites->items[sites->count++] = site;
    }
    free(line);
    fclose(file);
    return 0;
}
