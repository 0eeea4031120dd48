/* table.h: rows of cells, printed in columns as wide as they must be. */
#ifndef QUIESCE_TABLE_H
#define QUIESCE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

#define QZ_TABLE_COLUMNS_MAX 16

/* Start with `columns` (≤ QZ_TABLE_COLUMNS_MAX) set and, for columns that are aligned to the right, their bits in
 * `right`. Out of memory is remembered and reported to the text that the table is printed into. */
struct qz_table {
    size_t columns;
    unsigned right;
    char **cells; /* row by row */
    size_t count;
    size_t capacity;
    bool failed;
};

/* Adds the next cell; takes over what `cell` holds and leaves it empty. */
void qz_table_add(struct qz_table *table, struct qz_text *cell);

/* The same, printf-style; foreign bytes should come in a visible form (qz_text_add_visible). */
void qz_table_add_plain(struct qz_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Foreign text, made visible; NULL is empty. */
void qz_table_add_visible(struct qz_table *table, const char *value);

/* Prints every row after two spaces, without trailing blanks, and frees the cells. */
void qz_table_print(struct qz_table *table, struct qz_text *text);

#endif
