/* error.c: the table of errors, and errors and warnings as data. */
#include "quiesce/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct row {
    int number;
    int rank;
    const char *name;
    const char *meaning;
    const char *action;
} rows[QZ_CODE_COUNT] = {
#define QZ_ERROR(symbol, number, wire, rank, meaning, action) [QZ_E_##symbol] = {number, rank, wire, meaning, action},
#include "quiesce/error.def"
#undef QZ_ERROR
};

const char *qz_error_name(enum qz_code code)
{
    return rows[code].name;
}

int qz_error_number(enum qz_code code)
{
    return rows[code].number;
}

int qz_error_rank(enum qz_code code)
{
    return rows[code].rank;
}

const char *qz_error_meaning(enum qz_code code)
{
    return rows[code].meaning;
}

const char *qz_error_action(enum qz_code code)
{
    return rows[code].action;
}

const char *qz_phase_name(enum qz_phase phase)
{
    static const char *const names[] = {
        [QZ_PHASE_NONE] = "",          [QZ_PHASE_PRE] = "pre",   [QZ_PHASE_FREEZE] = "freeze",
        [QZ_PHASE_SNAPSHOT] = "snapshot", [QZ_PHASE_THAW] = "thaw", [QZ_PHASE_POST] = "post",
    };
    return names[phase];
}

enum qz_code qz_error_find(const char *name_or_number)
{
    for (enum qz_code code = 0; code < QZ_CODE_COUNT; code++) {
        char number[16];
        snprintf(number, sizeof number, "%d", rows[code].number);
        if (strcasecmp(name_or_number, rows[code].name) == 0 || strcmp(name_or_number, number) == 0)
            return code;
    }
    return QZ_CODE_COUNT;
}

/* Formats into `out`; what does not fit ends in "…" after the last whole UTF-8 character. */
__attribute__((format(printf, 3, 0))) static void format_cut(char *out, size_t size, const char *format, va_list values)
{
    static const char ellipsis[] = "…";
    int length = vsnprintf(out, size, format, values);
    if (length < 0) {
        out[0] = '\0';
    } else if ((size_t)length >= size) {
        size_t cut = size - sizeof ellipsis;
        while (cut > 0 && ((unsigned char)out[cut] & 0xc0) == 0x80)
            cut--;
        memcpy(out + cut, ellipsis, sizeof ellipsis);
    }
}

enum qz_code qz_error_set(struct qz_error *error, enum qz_code code, const char *format, ...)
{
    /* Formatted before the old error is cleared: its own message may be among the values. */
    char message[QZ_MESSAGE_SIZE];
    va_list values;
    va_start(values, format);
    format_cut(message, sizeof message, format, values);
    va_end(values);
    *error = (struct qz_error){.code = code};
    memcpy(error->message, message, sizeof message);
    return code;
}

void qz_error_detail(struct qz_error *error, const char *format, ...)
{
    char detail[QZ_DETAIL_SIZE];
    va_list values;
    va_start(values, format);
    format_cut(detail, sizeof detail, format, values);
    va_end(values);
    memcpy(error->detail, detail, sizeof detail);
}

/* Makes room for one more item of `size` bytes. Returns the items, or NULL if memory is short (nothing changed). */
static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity ? *capacity * 2 : 4;
    void *grown = reallocarray(items, wanted, size);
    if (grown)
        *capacity = wanted;
    return grown;
}

void qz_error_list_add(struct qz_error_list *list, const struct qz_error *error)
{
    struct qz_error *items = grow(list->items, list->count, &list->capacity, sizeof *items);
    if (!items) {
        list->lost++;
        return;
    }
    list->items = items;
    items[list->count++] = *error;
}

void qz_error_list_sort(struct qz_error_list *list)
{
    /* Insertion: the lists are short, and equals must keep their order. */
    for (size_t i = 1; i < list->count; i++) {
        struct qz_error moved = list->items[i];
        size_t place = i;
        for (; place > 0 && qz_error_rank(list->items[place - 1].code) > qz_error_rank(moved.code); place--)
            list->items[place] = list->items[place - 1];
        list->items[place] = moved;
    }
}

void qz_error_list_free(struct qz_error_list *list)
{
    free(list->items);
    *list = (struct qz_error_list){0};
}

void qz_warning_list_add(struct qz_warning_list *list, const char *path, int line, int column, const char *format, ...)
{
    struct qz_warning *items = grow(list->items, list->count, &list->capacity, sizeof *items);
    if (!items) {
        list->lost++;
        return;
    }
    list->items = items;
    struct qz_warning *warning = &items[list->count++];
    *warning = (struct qz_warning){.path = path, .line = line, .column = column};
    va_list values;
    va_start(values, format);
    format_cut(warning->message, sizeof warning->message, format, values);
    va_end(values);
}

void qz_warning_list_free(struct qz_warning_list *list)
{
    free(list->items);
    *list = (struct qz_warning_list){0};
}
