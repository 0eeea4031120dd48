#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

void fuzz_must(bool holds, const char *rule, const char *seen)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", rule);
    if (seen)
        fprintf(stderr, "  seen: %s\n", seen);
    abort();
}

ssize_t fuzz_copy(const void *bytes, size_t size, size_t limit, char **text)
{
    *text = NULL;
    if (size > limit)
        return -EFBIG;
    *text = malloc(size + 1);
    fuzz_must(*text != NULL, "there is memory", NULL);
    if (size > 0)
        memcpy(*text, bytes, size);
    return (ssize_t)size;
}

bool fuzz_same_text(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

static bool is_visible_line(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size;) {
        uint32_t character;
        size_t length = qz_utf8_decode(text + i, size - i, &character);
        if (length == 0 || qz_utf8_is_control(character))
            return false;
        i += length;
    }
    return size > 0;
}

/* Has the text such a line, and so many characters in it, or one less (its end is a place, too)? */
static bool is_place(int line, int column, const uint8_t *data, size_t size)
{
    const uint8_t *at = data;
    const uint8_t *end = data + size;
    for (int i = 1; i < line && at; i++) {
        at = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        at = at ? at + 1 : NULL;
    }
    if (line < 1 || column < 1 || (size > 0 && !at))
        return false;
    const uint8_t *next = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return column - 1 <= (next ? next : end) - at;
}

void fuzz_must_be_refusal(const char *message, const char *path, const uint8_t *data, size_t size)
{
    size_t length = strlen(path);
    int line = 0, column = 0, used = 0;
    fuzz_must(strncmp(message, path, length) == 0, "a refusal begins with the path", message);
    fuzz_must(sscanf(message + length, ":%d:%d: %n", &line, &column, &used) == 2 && used > 0,
              "a refusal says line and column", message);
    fuzz_must(is_place(line, column, data, size), "a refusal is about a place that the text has", message);
    fuzz_must(is_visible_line(message + length + used), "a refusal says something, in one visible line", message);
}

void fuzz_must_be_warnings(const struct qz_warning_list *warnings, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < warnings->count; i++) {
        const struct qz_warning *warning = &warnings->items[i];
        fuzz_must(is_place(warning->line, warning->column, data, size), "a warning is about a place that the text has",
                  warning->message);
        fuzz_must(is_visible_line(warning->message), "a warning is one visible line", warning->message);
    }
}
