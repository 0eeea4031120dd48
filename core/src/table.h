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
    struct qz_text cells; /* row by row, a NUL after each */
    size_t count;
};

/* Begins the next cell: what is added to this text, up to the next cell, is in it. Foreign bytes should come in a
 * visible form (qz_text_add_visible). */
struct qz_text *qz_table_cell(struct qz_table *table);

/* The next cell has these words. */
void qz_table_add(struct qz_table *table, const char *words);

/* Foreign text, made visible; NULL is empty. */
void qz_table_add_visible(struct qz_table *table, const char *value);

/* Prints every row after two spaces, without trailing blanks, and frees the cells. */
void qz_table_print(struct qz_table *table, struct qz_text *text);

#endif
