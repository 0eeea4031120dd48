/* linux_mountinfo.h: the rows of /proc/self/mountinfo as the kernel writes them, proc(5). Pure. Private to core/os.
 *
 * libmount reads them too, but brings libselinux and libpcre2 with it: with them a run takes longer, and the agent is
 * half a megabyte larger while it holds a freeze. */
#ifndef QUIESCE_LINUX_MOUNTINFO_H
#define QUIESCE_LINUX_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One row. The strings lie in the line that was parsed; what the row lacks is "". Options are still escaped, so that
 * a comma in a value is none between two options. */
struct qz_linux_mountinfo {
    int id;
    int parent;
    dev_t dev; /* of the superblock */
    char *root;
    char *mount_point;
    char *mount_options;
    char *fstype;
    char *source;
    char *super_options;
};

/* Takes a line apart, in place. False: it is not a row. */
bool qz_linux_mountinfo_parse(char *line, struct qz_linux_mountinfo *row);

/* Puts bytes in the place of their octal escapes (\040), in place. Returns `text`. */
char *qz_linux_unescape(char *text);

/* Finds an option in a list with commas: its value, `*size` bytes, still escaped, "" if it has none. NULL: it is not in
 * the list. */
const char *qz_linux_find_option(const char *options, const char *name, size_t *size);

#endif
