/* json.h: strict JSON (RFC 8259) with places.
 *
 * cJSON builds the tree; this room refuses what cJSON lets through (duplicate keys, leading zeros, trailing text,
 * NUL and lone surrogates in strings, invalid UTF-8, numbers that a double would alter: integers beyond ±(2^53 - 1),
 * others of more than 15 significant digits) and remembers where every value and key stands, so that whoever reads
 * the tree can say file:line:column. A UTF-8 byte order mark and CRLF line ends are accepted. */
#ifndef QUIESCE_JSON_H
#define QUIESCE_JSON_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "quiesce/error.h"

#define QZ_JSON_SIZE_MAX 1048576 /* bytes: 1 MiB */
#define QZ_JSON_DEPTH_MAX 32     /* arrays and objects inside each other */

struct qz_json_place {
    const cJSON *item;
    int key_line, key_column; /* of the member's key; 0 where the item is no member of an object */
    int line, column;         /* of the value; both count from 1, columns in characters */
    const char *number;       /* of a number that a double alters: as it stands in the text; else NULL */
    size_t number_size;
};

struct qz_json {
    cJSON *root;
    struct qz_json_place *places; /* in document order */
    size_t place_count;
};

/* Parses `size` bytes of `text`; `path` names the file in messages ("path:line:column: …").
 * Returns QZ_E_SUCCESS and fills `json` (free with qz_json_free), or sets `error` with `code` (InternalError:
 * out of memory) and leaves `json` empty. */
enum qz_code qz_json_parse(const char *path, const char *text, size_t size, enum qz_code code, struct qz_json *json,
                           struct qz_error *error);

/* The same, but a number that a double would alter is let through, with its place saying so: whoever asks for its value
 * refuses it. One that nobody asks for harms nobody. `text` must live as long as `json`. */
enum qz_code qz_json_parse_lazily(const char *path, const char *text, size_t size, enum qz_code code, struct qz_json *json,
                                  struct qz_error *error);

/* Where `item` of this tree stands. Never NULL for an item of the tree. */
const struct qz_json_place *qz_json_place(const struct qz_json *json, const cJSON *item);

void qz_json_free(struct qz_json *json);

/* The entry of the NULL-terminated list `known` that is nearest to `key` (edit distance, any case), or NULL if none
 * is near enough to be what was meant. */
const char *qz_nearest_word(const char *key, const char *const *known);

#endif
