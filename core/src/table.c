#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_owned(struct qz_table *table, char *cell)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity > 0 ? table->capacity * 2 : 64;
        char **cells = realloc(table->cells, capacity * sizeof *cells);
        if (cells) {
            table->cells = cells;
            table->capacity = capacity;
        }
    }
    if (!cell || table->count == table->capacity) {
        table->failed = true;
        free(cell);
        return;
    }
    table->cells[table->count++] = cell;
}

void qz_table_add(struct qz_table *table, struct qz_text *cell)
{
    add_owned(table, qz_text_take(cell));
}

void qz_table_add_plain(struct qz_table *table, const char *format, ...)
{
    char *cell = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&cell, format, arguments);
    va_end(arguments);
    add_owned(table, size < 0 ? NULL : cell);
}

void qz_table_add_visible(struct qz_table *table, const char *value)
{
    struct qz_text cell = {0};
    if (value)
        qz_text_add_visible(&cell, value, strlen(value));
    qz_table_add(table, &cell);
}

static size_t cell_width(const char *cell)
{
    return qz_text_width(cell, strlen(cell));
}

static void print_cell(const struct qz_table *table, size_t index, const size_t *widths, struct qz_text *text)
{
    size_t column = index % table->columns;
    size_t blanks = widths[column] - cell_width(table->cells[index]);
    bool right = table->right >> column & 1;
    bool last = column + 1 == table->columns;
    qz_text_add(text, "%*s%s%*s", right ? (int)blanks : 0, "", table->cells[index],
                right ? 0 : (int)blanks, "");
    if (!last) {
        qz_text_add(text, "  ");
        return;
    }
    while (!text->failed && text->bytes[text->size - 1] == ' ')
        text->bytes[--text->size] = '\0';
    qz_text_add(text, "\n");
}

void qz_table_print(struct qz_table *table, struct qz_text *text)
{
    size_t widths[QZ_TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->count; i++)
        if (cell_width(table->cells[i]) > widths[i % table->columns])
            widths[i % table->columns] = cell_width(table->cells[i]);
    for (size_t i = 0; i < table->count; i++) {
        if (i % table->columns == 0)
            qz_text_add(text, "  ");
        print_cell(table, i, widths, text);
    }
    text->failed |= table->failed;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct qz_table){.columns = table->columns, .right = table->right};
}
