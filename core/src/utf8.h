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

#endif
