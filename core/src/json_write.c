#include "json_write.h"

#include <stdio.h>
#include <string.h>

static void add(struct qz_text *text, const char *words)
{
    qz_text_add_bytes(text, words, strlen(words));
}

/* Does this byte stand for itself in a string? */
static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* One byte of ASCII that may not stand in a string as it is. */
static void add_escape(struct qz_text *text, char byte)
{
    static const char LETTERS[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* each byte, and what it is called */
    char escape[8] = {'\\'};
    for (const char *pair = LETTERS; *pair && !escape[1]; pair += 2)
        escape[1] = *pair == byte ? pair[1] : '\0';
    if (!escape[1])
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)byte);
    add(text, escape);
}

/* The rest is of other alphabets, or none; NUL, too. */
static bool is_ascii(unsigned char byte)
{
    return byte > 0 && byte < 0x80;
}

static void add_string(struct qz_text *text, const char *bytes, size_t size)
{
    add(text, "\"");
    for (size_t at = 0; at < size;) {
        const char *start = bytes + at;
        size_t length = 0;
        while (at + length < size && is_plain((unsigned char)start[length]))
            length++;
        qz_text_add_bytes(text, start, length);
        at += length;
        if (at < size && is_ascii((unsigned char)bytes[at]))
            add_escape(text, bytes[at++]);
        start = bytes + at;
        for (length = 0; at + length < size && !is_ascii((unsigned char)start[length]); length++)
            ;
        if (length > 0)
            qz_text_add_utf8(text, start, length);
        at += length;
    }
    add(text, "\"");
}

/* The comma before, and the key. What ends in a bracket that opens has nothing in it yet. */
static void begin(struct qz_text *text, const char *key)
{
    char last = text->size > 0 && !text->failed ? text->bytes[text->size - 1] : '[';
    if (last != '[' && last != '{')
        add(text, ",");
    if (key) {
        add_string(text, key, strlen(key));
        add(text, ":");
    }
}

static void add_word(struct qz_text *text, const char *key, const char *word)
{
    begin(text, key);
    add(text, word);
}

void qz_json_object(struct qz_text *text, const char *key)
{
    add_word(text, key, "{");
}

void qz_json_end_object(struct qz_text *text)
{
    add(text, "}");
}

void qz_json_array(struct qz_text *text, const char *key)
{
    add_word(text, key, "[");
}

void qz_json_end_array(struct qz_text *text)
{
    add(text, "]");
}

void qz_json_string(struct qz_text *text, const char *key, const char *value)
{
    if (value)
        qz_json_bytes(text, key, value, strlen(value));
    else
        qz_json_null(text, key);
}

void qz_json_bytes(struct qz_text *text, const char *key, const char *bytes, size_t size)
{
    begin(text, key);
    add_string(text, bytes, size);
}

void qz_json_number(struct qz_text *text, const char *key, int64_t value)
{
    begin(text, key);
    qz_text_add_number(text, value);
}

void qz_json_bool(struct qz_text *text, const char *key, bool value)
{
    add_word(text, key, value ? "true" : "false");
}

void qz_json_null(struct qz_text *text, const char *key)
{
    add_word(text, key, "null");
}
