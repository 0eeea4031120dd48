#include "table.h"

#include <string.h>

struct qz_text *qz_table_cell(struct qz_table *table)
{
    qz_text_add_bytes(&table->cells, "", table->count++ > 0);
    return &table->cells;
}

void qz_table_add(struct qz_table *table, const char *words)
{
    qz_text_add_bytes(qz_table_cell(table), words, strlen(words));
}

void qz_table_add_visible(struct qz_table *table, const char *value)
{
    struct qz_text *cell = qz_table_cell(table);
    if (value)
        qz_text_add_visible(cell, value, strlen(value));
}

/* Prints a cell, and returns where the next one begins. */
static const char *print_cell(const struct qz_table *table, const char *cell, size_t column, const size_t *widths,
                              struct qz_text *text)
{
    size_t size = strlen(cell);
    size_t blanks = widths[column] - qz_text_width(cell, size);
    bool right = table->right >> column & 1;
    bool last = column + 1 == table->columns;
    qz_text_add_blanks(text, right ? blanks : 0);
    qz_text_add_bytes(text, cell, size);
    qz_text_add_blanks(text, right ? 0 : blanks);
    if (!last)
        qz_text_add_blanks(text, 2);
    while (last && !text->failed && text->bytes[text->size - 1] == ' ')
        text->bytes[--text->size] = '\0';
    if (last)
        qz_text_add_bytes(text, "\n", 1);
    return cell + size + 1;
}

static void measure(const struct qz_table *table, size_t *widths)
{
    const char *cell = table->cells.bytes;
    for (size_t i = 0; i < table->count; i++) {
        size_t size = strlen(cell), width = qz_text_width(cell, size);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
        cell += size + 1;
    }
}

void qz_table_print(struct qz_table *table, struct qz_text *text)
{
    size_t widths[QZ_TABLE_COLUMNS_MAX] = {0};
    if (table->cells.failed)
        text->failed = true;
    else
        measure(table, widths);
    const char *cell = table->cells.bytes;
    for (size_t i = 0; !text->failed && i < table->count; i++) {
        if (i % table->columns == 0)
            qz_text_add_blanks(text, 2);
        cell = print_cell(table, cell, i % table->columns, widths, text);
    }
    qz_text_free(&table->cells);
    table->count = 0;
}
