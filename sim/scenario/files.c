/* files.c: scenario files on this machine: found, read, put into a set. */
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read.h"

#define SCHEMA "scenario.schema.json"

char *scenario_slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(QZ_JSON_SIZE_MAX + 1);
    if (!text)
        scenario_no_memory();
    *size = file ? fread(text, 1, QZ_JSON_SIZE_MAX + 1, file) : 0;
    bool failed = !file || ferror(file);
    int error = errno;
    if (file)
        fclose(file);
    if (!failed && *size <= QZ_JSON_SIZE_MAX)
        return text;
    free(text);
    errno = failed ? error : EFBIG;
    return NULL;
}

/* ---- Sets -------------------------------------------------------------------------------------------------------- */

static bool read_combination(struct reader *reader, const char *root, struct scenario *scenario)
{
    struct given *given = scenario_take(reader->memory, sizeof *given);
    reader->given = given;
    reader->unsure = false;
    return scenario_read_object(reader, &scenario_keys, reader->json.root, given) &&
           scenario_build(reader, root, given, scenario);
}

/* Room for one more behind `count`: there is always as much as the next power of two says. */
static void make_room(struct scenario_set *set, size_t count)
{
    if ((count & (count - 1)) != 0)
        return;
    struct scenario *items = realloc(set->items, (count ? count * 2 : 1) * sizeof *items);
    if (!items)
        scenario_no_memory();
    set->items = items;
}

/* All combinations, added to the set; on a mistake those that were added stay behind its end. */
static bool read_all(struct reader *reader, const char *root, struct scenario_set *set, size_t *count)
{
    bool good = true;
    if (!matrix_open(reader, reader->json.root))
        return false;
    do {
        make_room(set, *count);
        good = read_combination(reader, root, &set->items[*count]) && good;
        ++*count;
        reader->combination++;
    } while (matrix_next(reader));
    return good && matrix_check_used(reader);
}

/* Notes the one mistake of a file of which nothing can be read. */
__attribute__((format(printf, 2, 3)))
static bool refuse_file(struct scenario_mistakes *mistakes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(mistakes->items[0].line, sizeof mistakes->items[0].line, format, arguments);
    va_end(arguments);
    mistakes->count = 1;
    return false;
}

bool scenario_parse(struct scenario_set *set, const char *root, const char *file, const char *text, size_t size,
                    struct scenario_mistakes *mistakes)
{
    struct qz_error error;
    struct reader reader = {.file = file, .mistakes = mistakes};
    mistakes->count = 0;
    if (!set->memory)
        set->memory = scenario_memory_new();
    reader.memory = set->memory;
    reader.fixtures = scenario_format(reader.memory, "%s/../fixtures", root ? root : "scenarios");
    if (qz_json_parse(file, text, size, QZ_E_INTERNAL_ERROR, &reader.json, &error) != QZ_E_SUCCESS)
        return refuse_file(mistakes, "%s", error.message);
    size_t count = set->count;
    bool good = read_all(&reader, root, set, &count);
    if (good)
        set->count = count;
    matrix_close(&reader);
    qz_json_free(&reader.json);
    return good;
}

bool scenario_read(struct scenario_set *set, const char *root, const char *file, struct scenario_mistakes *mistakes)
{
    size_t size;
    char *text = scenario_slurp(file, &size);
    if (!text)
        return refuse_file(mistakes, "%s: %s", file, strerror(errno));
    bool good = scenario_parse(set, root, file, text, size, mistakes);
    free(text);
    return good;
}

void scenario_set_free(struct scenario_set *set)
{
    scenario_memory_free(set->memory);
    free(set->items);
    *set = (struct scenario_set){NULL, 0, NULL};
}

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

/* `folder` or a folder "scenarios" in it, if the schema lies there. The caller frees. */
static char *root_in(const char *folder)
{
    static const char *const BELOW[] = {"", "/scenarios"};
    for (size_t i = 0; i < 2; i++) {
        char *root, *schema;
        bool here = strcmp(folder, ".") == 0 && BELOW[i][0];
        if (asprintf(&root, "%s%s", here ? "" : folder, BELOW[i] + here) < 0 ||
            asprintf(&schema, "%s/%s", root, SCHEMA) < 0)
            scenario_no_memory();
        bool found = access(schema, F_OK) == 0;
        free(schema);
        if (found)
            return root;
        free(root);
    }
    return NULL;
}

/* Upwards by name, so that names stay as they were written: first in `path` itself, then in what it lies in. */
char *scenario_find_root(const char *path)
{
    char *whole = strdup(path[0] ? path : ".");
    if (!whole)
        scenario_no_memory();
    size_t length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/')
        whole[--length] = '\0';
    char *root = root_in(whole);
    while (!root) {
        char *slash = strrchr(whole, '/');
        if (!slash)
            break;
        *(slash == whole ? slash + 1 : slash) = '\0';
        root = root_in(whole);
        if (slash == whole)
            break;
    }
    free(whole);
    if (root || path[0] == '/')
        return root;
    /* What was written did not lead to it: look from where we are. */
    char *here = realpath(".", NULL);
    root = here ? scenario_find_root(here) : NULL;
    free(here);
    return root;
}

static int by_name(const FTSENT **one, const FTSENT **other)
{
    return strcmp((*one)->fts_name, (*other)->fts_name);
}

static bool is_scenario(const FTSENT *entry)
{
    const char *name = entry->fts_name;
    size_t length = strlen(name);
    bool json = length > 5 && strcmp(name + length - 5, ".json") == 0;
    bool schema = length > 12 && strcmp(name + length - 12, ".schema.json") == 0;
    return entry->fts_info == FTS_F && ((json && !schema) || entry->fts_level == FTS_ROOTLEVEL);
}

int scenario_walk(const char *path, bool (*found)(const char *file, void *argument), void *argument)
{
    char *start = strdup(path);
    if (!start)
        scenario_no_memory();
    size_t length = strlen(start);
    while (length > 1 && start[length - 1] == '/')
        start[--length] = '\0';
    char *const starts[] = {start, NULL};
    FTS *walk = fts_open(starts, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    int error = walk ? 0 : errno;
    bool more = true;
    for (FTSENT *entry; !error && more && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
            error = entry->fts_errno;
        else if (is_scenario(entry))
            more = found(entry->fts_path, argument);
    }
    if (walk)
        fts_close(walk);
    free(start);
    return error;
}

/* ---- Small things ------------------------------------------------------------------------------------------------ */

char *scenario_action_line(const struct scenario_action *action, char *line, size_t size)
{
    switch (action->kind) {
    case SCENARIO_SEND: {
        static const char *const TARGETS[] = {"?", "agent", "guardian", "agent and guardian", "snapshot"};
        const char *name = sigabbrev_np(action->signal);
        snprintf(line, size, "%s to %s", name ? name : "?", TARGETS[action->target]);
        break;
    }
    case SCENARIO_OTHER_FREEZE: snprintf(line, size, "other freeze %s ok", action->volume); break;
    case SCENARIO_OTHER_THAW: snprintf(line, size, "other thaw %s ok", action->volume); break;
    case SCENARIO_MOUNT_OVER: snprintf(line, size, "mount over %s", action->volume); break;
    case SCENARIO_UNMOUNT: snprintf(line, size, "unmount %s", action->volume); break;
    case SCENARIO_RELEASE: snprintf(line, size, "release %s", action->volume); break;
    case SCENARIO_REPLACE: snprintf(line, size, "replace %s", action->path); break;
    case SCENARIO_CHMOD: snprintf(line, size, "chmod %s", action->path); break;
    case SCENARIO_OTHER_QUIESCE: snprintf(line, size, "other quiesce starts"); break;
    case SCENARIO_LOSE_DISK: snprintf(line, size, "lose disk %s", action->volume); break;
    }
    return line;
}
