/* utf8.h: characters in bytes that may be anything. Pure. */
#ifndef QUIESCE_UTF8_H
#define QUIESCE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads one UTF-8 character from `size` bytes of `text`. Returns its length in bytes, 0 if there is no valid one
 * (overlong forms and surrogates are not valid). */
size_t qz_utf8_decode(const char *text, size_t size, uint32_t *character);

/* The length of the byte order mark that `text` begins with: 3, or 0 without one. */
size_t qz_utf8_mark_length(const char *text, size_t size);

/* Would this character steer a terminal rather than be shown: control characters (C0, DEL, C1), separators of lines,
 * marks that turn the direction of writing or cannot be seen? */
bool qz_utf8_is_control(uint32_t character);

/* How many bytes `text` begins with that are plain ASCII, and are shown as they are: nearly all that is ever shown, and
 * faster at once than one by one. */
size_t qz_utf8_plain_length(const char *text, size_t size);

#define QZ_UTF8_SHOWN_SIZE 8

/* Writes how the first character of `text` (`size` bytes, at least 1) is shown where it must do no harm: as it is, or,
 * where it would steer a terminal or is no UTF-8, as an escape (\n, \t, \x1b, \u202e). `shown` ends in NUL. Returns
 * how many bytes of `text` that was. */
size_t qz_utf8_show(char shown[QZ_UTF8_SHOWN_SIZE], const char *text, size_t size);

#endif
