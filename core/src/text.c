#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define FIRST_CAPACITY 256
#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@^_"

/* Makes room for `more` bytes and a NUL. */
static bool reserve(struct qz_text *text, size_t more)
{
    if (text->failed)
        return false;
    if (text->size + more < text->capacity)
        return true;
    size_t need = text->size + more + 1;
    size_t capacity = need < FIRST_CAPACITY ? FIRST_CAPACITY : need * 2;
    char *bytes = realloc(text->bytes, capacity);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void qz_text_add(struct qz_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = text->failed ? 0 : text->capacity - text->size;
    int size = vsnprintf(room > 0 ? text->bytes + text->size : NULL, room, format, arguments);
    if (size >= 0 && (size_t)size >= room && reserve(text, (size_t)size))
        vsnprintf(text->bytes + text->size, (size_t)size + 1, format, again);
    if (size >= 0 && !text->failed)
        text->size += (size_t)size;
    va_end(again);
    va_end(arguments);
}

void qz_text_add_bytes(struct qz_text *text, const char *bytes, size_t size)
{
    if (!reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void qz_text_add_number(struct qz_text *text, int64_t number)
{
    char digits[24];
    char *end = digits + sizeof digits, *first = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--first = '-';
    qz_text_add_bytes(text, first, (size_t)(end - first));
}

void qz_text_add_blanks(struct qz_text *text, size_t count)
{
    static const char blanks[] = "                ";
    for (; count >= sizeof blanks; count -= sizeof blanks - 1)
        qz_text_add_bytes(text, blanks, sizeof blanks - 1);
    qz_text_add_bytes(text, blanks, count);
}

void qz_text_add_utf8(struct qz_text *text, const char *bytes, size_t size)
{
    qz_text_add_bytes(text, "", 0);
    while (size > 0) {
        uint32_t character = 0;
        size_t length = qz_utf8_decode(bytes, size, &character);
        if (character != 0)
            qz_text_add_bytes(text, bytes, length);
        else
            qz_text_add_bytes(text, REPLACEMENT, sizeof REPLACEMENT - 1);
        length += length == 0;
        bytes += length;
        size -= length;
    }
}

void qz_text_add_visible(struct qz_text *text, const char *bytes, size_t size)
{
    qz_text_add_bytes(text, "", 0);
    while (size > 0) {
        char shown[QZ_UTF8_SHOWN_SIZE];
        size_t length = qz_utf8_plain_length(bytes, size);
        if (length > 0) {
            qz_text_add_bytes(text, bytes, length);
        } else {
            length = qz_utf8_show(shown, bytes, size);
            qz_text_add_bytes(text, shown, strlen(shown));
        }
        bytes += length;
        size -= length;
    }
}

static void add_word(struct qz_text *text, const char *word)
{
    if (word[0] != '\0' && word[strspn(word, PLAIN)] == '\0') {
        qz_text_add(text, "%s", word);
        return;
    }
    qz_text_add(text, "'");
    for (const char *quote = strchr(word, '\''); quote; quote = strchr(word, '\'')) {
        qz_text_add(text, "%.*s'\\''", (int)(quote - word), word);
        word = quote + 1;
    }
    qz_text_add(text, "%s'", word);
}

void qz_text_add_words(struct qz_text *text, char *const *words)
{
    for (size_t i = 0; words[i]; i++) {
        qz_text_add(text, "%s", i > 0 ? " " : "");
        add_word(text, words[i]);
    }
}

/* 420 of which 100 are a whole: "4.20". */
static void add_decimal(struct qz_text *text, int64_t number, int64_t whole)
{
    qz_text_add_number(text, number / whole);
    qz_text_add_bytes(text, ".", 1);
    for (int64_t digit = whole / 10; digit > 0; digit /= 10)
        qz_text_add_number(text, number / digit % 10);
}

void qz_text_add_duration(struct qz_text *text, int64_t duration_us)
{
    if (duration_us < 0) {
        qz_text_add(text, "-");
    } else if (duration_us < 1000) {
        qz_text_add_number(text, duration_us);
        qz_text_add(text, " µs");
    } else if (duration_us < 999950) {
        add_decimal(text, (duration_us + 50) / 100, 10);
        qz_text_add(text, " ms");
    } else if (duration_us < 119995000) {
        add_decimal(text, (duration_us + 5000) / 10000, 100);
        qz_text_add(text, " s");
    } else {
        int64_t seconds = (duration_us + 500000) / 1000000;
        qz_text_add(text, "%lld min %lld s", (long long)(seconds / 60), (long long)(seconds % 60));
    }
}

size_t qz_text_width(const char *bytes, size_t size)
{
    size_t width = 0;
    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)bytes[i] & 0xC0) != 0x80;
    return width;
}

char *qz_text_take(struct qz_text *text)
{
    qz_text_add_bytes(text, "", 0);
    if (text->failed)
        free(text->bytes);
    char *bytes = text->failed ? NULL : text->bytes;
    *text = (struct qz_text){0};
    return bytes;
}

void qz_text_free(struct qz_text *text)
{
    free(text->bytes);
    *text = (struct qz_text){0};
}
