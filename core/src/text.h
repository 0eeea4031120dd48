/* text.h: text that grows, and the ways to put foreign bytes into it without harm.
 *
 * Out of memory is remembered and nothing more is added; qz_text_take then gives NULL. So a writer adds all it has to
 * say and asks once. Start with `struct qz_text text = {0};`. Never use it while anything is frozen: it allocates. */
#ifndef QUIESCE_TEXT_H
#define QUIESCE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qz_text {
    char *bytes; /* always ends in NUL once something was added */
    size_t size;
    size_t capacity;
    bool failed;
};

/* printf-style. */
void qz_text_add(struct qz_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

void qz_text_add_bytes(struct qz_text *text, const char *bytes, size_t size);

/* In decimal. */
void qz_text_add_number(struct qz_text *text, int64_t number);

/* As many blanks. */
void qz_text_add_blanks(struct qz_text *text, size_t count);

/* As UTF-8 without NUL: every byte that belongs to no valid character, and every NUL, becomes U+FFFD. */
void qz_text_add_utf8(struct qz_text *text, const char *bytes, size_t size);

/* As one line that is safe on a terminal: control characters, those that turn the writing direction, and what is no
 * UTF-8 become visible escapes (\n, \t, \x1b, \u202e). */
void qz_text_add_visible(struct qz_text *text, const char *bytes, size_t size);

/* The words of a NULL-terminated list as one would type them into a shell. */
void qz_text_add_words(struct qz_text *text, char *const *words);

/* A duration in microseconds as people read it: "85 µs", "23.4 ms", "4.20 s", "3 min 20 s"; "-" if negative. */
void qz_text_add_duration(struct qz_text *text, int64_t duration_us);

/* How many characters (code points) UTF-8 text has. */
size_t qz_text_width(const char *bytes, size_t size);

/* Hands the text over; the caller frees. Empty text is "". NULL: memory was short. `text` is empty afterwards. */
char *qz_text_take(struct qz_text *text);

void qz_text_free(struct qz_text *text);

#endif
