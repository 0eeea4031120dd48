/* json_scan.h: is this text strict JSON, and where does everything stand? The first half of json.c. */
#ifndef QUIESCE_JSON_SCAN_H
#define QUIESCE_JSON_SCAN_H

#include <stdbool.h>

#include "quiesce/json.h"

/* Checks `size` bytes of `text` (after a byte order mark) against RFC 8259 and the limits of json.h, duplicate keys
 * excepted, and if `lazily` numbers that a double would alter. Returns QZ_E_SUCCESS and the places of all values in
 * document order, their items still NULL (the caller frees *places), or sets `error` with `code` (InternalError: out of
 * memory) and leaves *places alone. */
enum qz_code qz_json_scan(const char *path, const char *text, size_t size, bool lazily, enum qz_code code,
                          struct qz_json_place **places, size_t *place_count, struct qz_error *error);

/* What is wrong with a number: NULL if nothing is, else what is allowed instead. Allowed are numbers that come out
 * of a double as they went in: integers below 2^53, others of at most 15 significant digits. `altered`: that is all that
 * is wrong with it. */
const char *qz_json_number_fault(const char *number, size_t length, bool *altered);

#endif
