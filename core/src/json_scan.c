/* json_scan.c: strict JSON, and where everything stands. */
#include "json_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"
#include "utf8.h"

struct scan {
    const char *path;
    bool lazily;
    enum qz_code code;
    struct qz_error *error;
    const char *at;
    const char *end;
    int line; /* of `at` */
    int column;
    int depth;
    const char *key; /* of the member that is being read; NULL outside of any */
    size_t key_size;
    struct qz_json_place *places;
    size_t place_count;
    size_t place_capacity;
};

struct position {
    int line;
    int column;
};

static bool scan_value(struct scan *scan, struct position key);

static struct position here(const struct scan *scan)
{
    return (struct position){scan->line, scan->column};
}

/* All of these return false, as every function of the scanner does after a refusal. */
static bool refuse(struct scan *scan, struct position position, const char *found, const char *allowed)
{
    struct qz_place place = {scan->path, position.line, position.column, scan->key, scan->key_size};
    qz_quote_refuse(scan->error, scan->code, &place, found, allowed);
    return false;
}

static bool refuse_text(struct scan *scan, struct position position, const char *text, size_t length,
                        const char *allowed)
{
    char found[QZ_QUOTE_SIZE];
    return refuse(scan, position, qz_quote_text(found, sizeof found, text, length), allowed);
}

/* Refuses the next character. */
static bool refuse_next(struct scan *scan, const char *allowed)
{
    uint32_t character;
    if (scan->at == scan->end)
        return refuse(scan, here(scan), "the end of the file", allowed);
    size_t length = qz_utf8_decode(scan->at, (size_t)(scan->end - scan->at), &character);
    return refuse_text(scan, here(scan), scan->at, length ? length : 1, allowed);
}

static void skip_blanks(struct scan *scan)
{
    for (; scan->at < scan->end && strchr(" \t\r\n", *scan->at) && *scan->at; scan->at++) {
        scan->column++;
        if (*scan->at == '\n') {
            scan->line++;
            scan->column = 1;
        }
    }
}

/* Takes one ASCII character that is no line end, if it is the next. */
static bool take(struct scan *scan, char character)
{
    if (scan->at == scan->end || *scan->at != character)
        return false;
    scan->at++;
    scan->column++;
    return true;
}

static bool add_place(struct scan *scan, struct position key)
{
    if (scan->place_count == scan->place_capacity) {
        size_t wanted = scan->place_capacity ? scan->place_capacity * 2 : 32;
        struct qz_json_place *grown = reallocarray(scan->places, wanted, sizeof *grown);
        if (!grown) {
            qz_quote_no_memory(scan->error, scan->path);
            return false;
        }
        scan->places = grown;
        scan->place_capacity = wanted;
    }
    scan->places[scan->place_count++] = (struct qz_json_place){
        .key_line = key.line, .key_column = key.column, .line = scan->line, .column = scan->column};
    return true;
}

/* Reads the four digits of a \u escape. Returns false if they are not there. */
static bool take_unit(struct scan *scan, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        static const char hex[] = "0123456789abcdef";
        if (scan->at == scan->end || *scan->at == '\0')
            return false;
        const char *digit = strchr(hex, *scan->at >= 'A' && *scan->at <= 'F' ? *scan->at + ('a' - 'A') : *scan->at);
        if (!digit)
            return false;
        *unit = *unit << 4 | (uint32_t)(digit - hex);
        scan->at++;
        scan->column++;
    }
    return true;
}

/* What follows "\u": a character, or two surrogates that make one. */
static bool scan_unicode_escape(struct scan *scan, const char *begin, struct position position)
{
    uint32_t unit;
    uint32_t second;
    if (!take_unit(scan, &unit))
        return refuse_text(scan, position, begin, (size_t)(scan->at - begin), "\\u and four hexadecimal digits");
    if (unit == 0)
        return refuse(scan, position, "a NUL in a string", "any other character");
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    bool paired = unit < 0xdc00 && take(scan, '\\') && take(scan, 'u') && take_unit(scan, &second) &&
                  second >= 0xdc00 && second <= 0xdfff;
    if (!paired)
        return refuse_text(scan, position, begin, 6, "no surrogate, or two that belong together (\\ud83d\\ude00)");
    return true;
}

static bool scan_escape(struct scan *scan)
{
    const char *begin = scan->at;
    struct position position = here(scan);
    take(scan, '\\');
    if (take(scan, 'u'))
        return scan_unicode_escape(scan, begin, position);
    if (scan->at < scan->end && *scan->at && strchr("\"\\/bfnrt", *scan->at))
        return take(scan, *scan->at);
    uint32_t character;
    size_t length = qz_utf8_decode(scan->at, (size_t)(scan->end - scan->at), &character);
    return refuse_text(scan, position, begin, 1 + length, "\\ followed by one of \" \\ / b f n r t u");
}

/* Reads a string from its opening quote; *text and *length are what stands between the quotes. */
static bool scan_string(struct scan *scan, const char **text, size_t *length)
{
    take(scan, '"');
    *text = scan->at;
    while (scan->at < scan->end && *scan->at != '"') {
        uint32_t character;
        size_t bytes = qz_utf8_decode(scan->at, (size_t)(scan->end - scan->at), &character);
        if (bytes == 0)
            return refuse_next(scan, "UTF-8 text");
        if (character == '\n' || character == '\r')
            return refuse(scan, here(scan), "the line's end in a string", "a closing \" before it");
        if (character < 0x20)
            return refuse_next(scan, "control characters in a string only as escapes such as \\t or \\u001b");
        if (character == '\\') {
            if (!scan_escape(scan))
                return false;
            continue;
        }
        scan->at += bytes;
        scan->column++;
    }
    *length = (size_t)(scan->at - *text);
    return take(scan, '"') || refuse_next(scan, "a closing \" before it");
}

/* Reads a number or one of the three words. */
static bool scan_word(struct scan *scan)
{
    static const char allowed[] = "a value: a text in double quotes, a number, true, false, null, [ or {";
    size_t length = 0;
    while (scan->at + length < scan->end && !memchr(" \t\r\n,:[]{}\"", scan->at[length], 12))
        length++;
    if (length == 0)
        return refuse_next(scan, allowed);
    const char *fault = allowed;
    bool altered = false;
    if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'))
        fault = qz_json_number_fault(scan->at, length, &altered);
    else if ((length == 4 && (!memcmp(scan->at, "true", 4) || !memcmp(scan->at, "null", 4))) ||
             (length == 5 && !memcmp(scan->at, "false", 5)))
        fault = NULL;
    if (fault && !(altered && scan->lazily))
        return refuse_text(scan, here(scan), scan->at, length, fault);
    if (fault) {
        scan->places[scan->place_count - 1].number = scan->at;
        scan->places[scan->place_count - 1].number_size = length;
    }
    scan->at += length;
    scan->column += (int)length;
    return true;
}

static bool scan_member(struct scan *scan)
{
    struct position position = here(scan);
    const char *text = NULL;
    size_t length = 0;
    if (scan->at == scan->end || *scan->at != '"')
        return refuse_next(scan, "a key in double quotes");
    if (!scan_string(scan, &text, &length))
        return false;
    const char *outer = scan->key;
    size_t outer_size = scan->key_size;
    scan->key = text;
    scan->key_size = length;
    skip_blanks(scan);
    if (!take(scan, ':'))
        return refuse_next(scan, "a \":\" after the key");
    skip_blanks(scan);
    if (!scan_value(scan, position))
        return false;
    scan->key = outer;
    scan->key_size = outer_size;
    return true;
}

static bool scan_element(struct scan *scan)
{
    return scan_value(scan, (struct position){0, 0});
}

static bool refuse_last_comma(struct scan *scan, struct position comma, char close)
{
    char found[] = "a comma before the closing \"?\"";
    *strchr(found, '?') = close;
    return refuse(scan, comma, found, "none there");
}

/* Reads an object or array, from its opening to its closing bracket. */
static bool scan_container(struct scan *scan, char close, bool (*scan_part)(struct scan *), const char *next)
{
    struct position comma = {0, 0};
    if (scan->depth == QZ_JSON_DEPTH_MAX)
        return refuse(scan, here(scan), "a 33rd level of nesting", "at most 32 levels");
    scan->depth++;
    take(scan, *scan->at);
    skip_blanks(scan);
    if (!take(scan, close)) {
        do {
            skip_blanks(scan);
            if (comma.line > 0 && take(scan, close))
                return refuse_last_comma(scan, comma, close);
            if (!scan_part(scan))
                return false;
            skip_blanks(scan);
            comma = here(scan);
        } while (take(scan, ','));
        if (!take(scan, close))
            return refuse_next(scan, next);
    }
    scan->depth--;
    return true;
}

static bool scan_value(struct scan *scan, struct position key)
{
    const char *text;
    size_t length;
    if (!add_place(scan, key))
        return false;
    switch (scan->at < scan->end ? *scan->at : '\0') {
    case '{':
        return scan_container(scan, '}', scan_member, "\",\" or \"}\"");
    case '[':
        return scan_container(scan, ']', scan_element, "\",\" or \"]\"");
    case '"':
        return scan_string(scan, &text, &length);
    default:
        return scan_word(scan);
    }
}

enum qz_code qz_json_scan(const char *path, const char *text, size_t size, bool lazily, enum qz_code code,
                          struct qz_json_place **places, size_t *place_count, struct qz_error *error)
{
    struct scan scan = {
        .path = path, .lazily = lazily, .code = code, .error = error, .at = text, .end = text + size, .line = 1,
        .column = 1};
    skip_blanks(&scan);
    bool sound = scan_value(&scan, (struct position){0, 0});
    if (sound) {
        skip_blanks(&scan);
        sound = scan.at == scan.end || refuse_next(&scan, "nothing after the end of the value");
    }
    if (!sound) {
        free(scan.places);
        return error->code;
    }
    *places = scan.places;
    *place_count = scan.place_count;
    return QZ_E_SUCCESS;
}
