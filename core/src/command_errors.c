#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "json_write.h"
#include "quiesce/json.h"
#include "quote.h"
#include "text.h"

#define LINE_WIDTH 78

/* Words of `prose` in lines of at most LINE_WIDTH characters, each after `indent` blanks; the first one stands after
 * what is already there. */
static void add_wrapped(struct qz_text *text, int indent, const char *prose)
{
    size_t column = (size_t)indent;
    while (*prose) {
        size_t length = strcspn(prose, " ");
        size_t width = qz_text_width(prose, length);
        bool first = column == (size_t)indent;
        if (!first && column + 1 + width > LINE_WIDTH) {
            qz_text_add(text, "\n%*s", indent, "");
            column = (size_t)indent;
            first = true;
        }
        qz_text_add(text, "%s%.*s", first ? "" : " ", (int)length, prose);
        column += width + !first;
        prose += length + strspn(prose + length, " ");
    }
    qz_text_add(text, "\n");
}

static void add_entry(struct qz_text *text, enum qz_code code)
{
    qz_text_add(text, "%s (%d)\n  meaning:    ", qz_error_name(code), qz_error_number(code));
    add_wrapped(text, 14, qz_error_meaning(code));
    qz_text_add(text, "  what to do: ");
    add_wrapped(text, 14, qz_error_action(code));
}

static int by_number(const void *one, const void *other)
{
    return qz_error_number(*(const enum qz_code *)one) - qz_error_number(*(const enum qz_code *)other);
}

static void sort_codes(enum qz_code codes[QZ_CODE_COUNT])
{
    for (int i = 0; i < QZ_CODE_COUNT; i++)
        codes[i] = (enum qz_code)i;
    qsort(codes, QZ_CODE_COUNT, sizeof codes[0], by_number);
}

static char *as_text(const enum qz_code *codes, size_t count)
{
    struct qz_text text = {0};
    for (size_t i = 0; i < count; i++) {
        qz_text_add(&text, "%s", i > 0 ? "\n" : "");
        add_entry(&text, codes[i]);
    }
    return qz_text_take(&text);
}

static char *as_json(const enum qz_code *codes, size_t count)
{
    struct qz_text text = {0};
    qz_json_object(&text, NULL);
    qz_json_array(&text, "errors");
    for (size_t i = 0; i < count; i++) {
        qz_json_object(&text, NULL);
        qz_json_string(&text, "code", qz_error_name(codes[i]));
        qz_json_number(&text, "number", qz_error_number(codes[i]));
        qz_json_string(&text, "meaning", qz_error_meaning(codes[i]));
        qz_json_string(&text, "action", qz_error_action(codes[i]));
        qz_json_end_object(&text);
    }
    qz_json_end_array(&text);
    qz_json_end_object(&text);
    qz_text_add_bytes(&text, "\n", 1);
    return qz_text_take(&text);
}

/* Says that there is no such error, and which one is nearly it. */
static int refuse(const char *word, struct qz_error *error)
{
    const char *names[QZ_CODE_COUNT + 1] = {NULL};
    char quoted[QZ_QUOTE_SIZE];
    for (int i = 0; i < QZ_CODE_COUNT; i++)
        names[i] = qz_error_name((enum qz_code)i);
    const char *nearest = qz_nearest_word(word, names);
    qz_quote_text(quoted, sizeof quoted, word, strlen(word));
    if (nearest)
        qz_error_set(error, QZ_E_INTERNAL_ERROR, "no error %s; did you mean %s?", quoted, nearest);
    else
        qz_error_set(error, QZ_E_INTERNAL_ERROR, "no error %s; `quiesce errors` lists all", quoted);
    return QZ_EXIT_USAGE;
}

int qz_command_errors(const char *name_or_number, enum qz_format format, char **text, struct qz_error *error)
{
    enum qz_code codes[QZ_CODE_COUNT];
    size_t count = QZ_CODE_COUNT;
    *text = NULL;
    sort_codes(codes);
    if (name_or_number) {
        codes[0] = qz_error_find(name_or_number);
        count = 1;
        if (codes[0] == QZ_CODE_COUNT)
            return refuse(name_or_number, error);
    }
    *text = format == QZ_FORMAT_JSON ? as_json(codes, count) : as_text(codes, count);
    if (*text)
        return 0;
    qz_error_set(error, QZ_E_INTERNAL_ERROR, "out of memory");
    return QZ_EXIT_SOFTWARE;
}
