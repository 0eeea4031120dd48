/* json_write.h: JSON, written as it is said, into text that grows (text.h). Compact, on one line.
 *
 * `key` NULL: an element of an array, or the whole. Commas come by themselves. Strings may be any bytes: what is no
 * UTF-8 becomes U+FFFD, as in qz_text_add_utf8. Memory that is short is told by qz_text_take, as always. */
#ifndef QUIESCE_JSON_WRITE_H
#define QUIESCE_JSON_WRITE_H

#include "text.h"

void qz_json_object(struct qz_text *text, const char *key); /* begins one … */
void qz_json_end_object(struct qz_text *text);
void qz_json_array(struct qz_text *text, const char *key);
void qz_json_end_array(struct qz_text *text);

void qz_json_string(struct qz_text *text, const char *key, const char *value); /* NULL: null */
void qz_json_bytes(struct qz_text *text, const char *key, const char *bytes, size_t size);
void qz_json_number(struct qz_text *text, const char *key, int64_t value);
void qz_json_bool(struct qz_text *text, const char *key, bool value);
void qz_json_null(struct qz_text *text, const char *key);

#endif
