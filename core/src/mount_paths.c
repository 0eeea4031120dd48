/* mount_paths.c: which mount a path belongs to. */
#include "mount_paths.h"

#include <stdlib.h>
#include <string.h>

char *qz_mount_path_clean(const char *path)
{
    char *clean = malloc(strlen(path) + 2);
    if (!clean)
        return NULL;
    size_t size = 0;
    while (*path) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (size > 0 && clean[--size] != '/')
                ;
        } else if (length > 0 && !(length == 1 && path[0] == '.')) {
            clean[size++] = '/';
            memcpy(clean + size, path, length);
            size += length;
        }
        path += length;
    }
    if (size == 0)
        clean[size++] = '/';
    clean[size] = '\0';
    return clean;
}

bool qz_mount_path_in(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    if (strcmp(directory, "/") == 0)
        return true;
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

const struct qz_mount *qz_mount_of_path(const struct qz_mount_table *table, const char *path)
{
    const struct qz_mount *best = NULL;
    for (size_t i = 0; i < table->count; i++) {
        const struct qz_mount *mount = &table->mounts[i];
        if (mount->hidden || !qz_mount_path_in(path, mount->mount_point))
            continue;
        if (!best || strlen(mount->mount_point) >= strlen(best->mount_point))
            best = mount;
    }
    return best;
}

const struct qz_mount *qz_mount_at(const struct qz_mount_table *table, const char *mount_point)
{
    const struct qz_mount *found = NULL;
    for (size_t i = 0; i < table->count; i++) {
        const struct qz_mount *mount = &table->mounts[i];
        if (strcmp(mount->mount_point, mount_point) == 0 && (!found || found->hidden || !mount->hidden))
            found = mount;
    }
    return found;
}
