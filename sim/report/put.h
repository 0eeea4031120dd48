/* put.h: foreign bytes into a stream, so that they can do no harm there. */
#ifndef QUIESCE_SIM_REPORT_PUT_H
#define QUIESCE_SIM_REPORT_PUT_H

#include <stdint.h>
#include <stdio.h>

#include "report.h"

/* A JSON string with its quotes; NULL: null. What is no UTF-8 becomes U+FFFD, and "<" an escape, so that it may
 * stand in a page too. */
void put_json_string(FILE *out, const char *text);
/* JSON that somebody else wrote; the same bytes become escapes. */
void put_json_value(FILE *out, const cJSON *value);
/* As text or an attribute of XML 1.0; what cannot stand there becomes U+FFFD. */
void put_xml(FILE *out, const char *text);
/* One line for a terminal: whatever would steer it is made visible. */
void put_visible(FILE *out, const char *text);
/* The same for lines, each after `indent`; no more than `lines` of them: the rest is counted. */
void put_lines(FILE *out, const char *text, const char *indent, size_t lines);
/* "12.3 ms". */
void put_duration(FILE *out, int64_t duration_us);

/* The memory of a report that can't be had ends the program. */
void *must(void *memory);
char *must_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
