/* pluginhost_lines.h: the lines of a plugin host file, vetted before libinih sees them.
 *
 * libinih cuts long lines and long names, strips what looks like a comment from the end of a value, joins indented
 * lines to the key before, goes on after a line without "=", and mixes sections that stand twice. Which of these
 * it does depends on how it was built. Here every line that it could alter or drop is refused. */
#ifndef QUIESCE_PLUGINHOST_LINES_H
#define QUIESCE_PLUGINHOST_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "quiesce/error.h"

#define QZ_PLUGIN_HOST_SECTION "pre_post"

/* Where reading stands. Set path, at, end and error; the rest begins as zero. */
struct qz_plugin_host_lines {
    const char *path;
    const char *at; /* the next line */
    const char *end;
    struct qz_error *error;
    int line;         /* the one handed out last, from 1 */
    int value_column; /* where its value begins, or would */
    int section_line; /* 0: the section has not begun */
    bool refused;     /* `error` is set; no more lines come */
};

/* Hands libinih the next line (an ini_reader; `lines` is a struct qz_plugin_host_lines): as it stands but for CR, an
 * empty one in place of a comment. Returns NULL at the end or after a refusal. */
char *qz_plugin_host_next_line(char *out, int size, void *lines);

#endif
