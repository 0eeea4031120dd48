/* quote.h: what a file says, made fit for messages, without allocating.
 *
 * Text from a file may hold anything. Before it is shown it is escaped (a terminal must not be steered by a config
 * file) and cut. Every refusal of a file has the one shape of qz_quote_refuse. */
#ifndef QUIESCE_QUOTE_H
#define QUIESCE_QUOTE_H

#include <stddef.h>

#include "quiesce/error.h"

#define QZ_QUOTE_SIZE 128 /* room for a quoted piece of a file in a message */

/* Where in a file something stands. All borrowed; `key` (`key_size` bytes, NULL: none) is what it belongs to. */
struct qz_place {
    const char *path;
    int line;
    int column;
    const char *key;
    size_t key_size;
};

/* Writes `length` bytes of `text` to `out` (`size` bytes, at least 8), with backslash escapes for quotes,
 * control characters and invalid UTF-8 (a backslash stays one, so that the file's own escapes look as they do there);
 * what does not fit ends in "…". Returns `out`. */
const char *qz_quote_escape(char *out, size_t size, const char *text, size_t length);

/* The same between double quotes. `size` is at least 10. */
const char *qz_quote_text(char *out, size_t size, const char *text, size_t length);

/* Sets `error` to "path:line:column: key: found FOUND, allowed ALLOWED", its path to place->path and its detail to
 * the line and column. `found` is fit for a message already. Returns `code`. */
enum qz_code qz_quote_refuse(struct qz_error *error, enum qz_code code, const struct qz_place *place,
                             const char *found, const char *allowed);

/* Sets `error` to InternalError: memory ran out while the file at `path` was read. Returns the code. */
enum qz_code qz_quote_no_memory(struct qz_error *error, const char *path);

/* Warns that nobody knows place->key, naming the nearest of `known` (NULL-terminated). `*unknown` counts the calls
 * of one file: from a limit on, one last warning says that the others are not listed. */
void qz_quote_warn_unknown(struct qz_warning_list *warnings, const struct qz_place *place, const char *const *known,
                           size_t *unknown);

#endif
