/* path.c: shared paths. */
#include "path.h"

#include <string.h>

#include "memory.h"

static struct path *new_path(const char *directory, size_t directory_length, const char *name)
{
    size_t length = strlen(name);
    struct path *path = memory_get_raw(sizeof *path + directory_length + length + 2);
    path->references = 1;
    memcpy(path->text, directory, directory_length);
    path->text[directory_length] = '/';
    memcpy(path->text + directory_length + 1, name, length + 1);
    return path;
}

struct path *path_new(const char *text)
{
    return new_path("", 0, text + (*text == '/'));
}

struct path *path_join(const struct path *directory, const char *name)
{
    size_t length = strlen(directory->text);
    return new_path(directory->text, length > 1 ? length : 0, name);
}

struct path *path_hold(struct path *path)
{
    path->references++;
    return path;
}

void path_drop(struct path *path)
{
    if (path && --path->references == 0)
        free(path);
}
