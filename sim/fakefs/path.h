/* path.h: paths from the mount point on ("/a/b"), shared by the records of all that happened there. */
#ifndef QUIESCE_SIM_FAKEFS_PATH_H
#define QUIESCE_SIM_FAKEFS_PATH_H

#include <stddef.h>

struct path {
    unsigned references;
    char text[];
};

struct path *path_new(const char *text);
/* `name` in `directory`. */
struct path *path_join(const struct path *directory, const char *name);
struct path *path_hold(struct path *path); /* returns it */
void path_drop(struct path *path);         /* NULL: nothing */

#endif
