#include "put.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

void *must(void *memory)
{
    if (!memory) {
        fputs("quiesce-sim: out of memory\n", stderr);
        abort();
    }
    return memory;
}

char *must_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    return must(size < 0 ? NULL : text);
}

/* Calls `put` for each character; 0xFFFD for what is none. */
static void each_character(FILE *out, const char *text, void (*put)(FILE *, uint32_t, const char *, size_t))
{
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t character = 0;
        size_t length = qz_utf8_decode(text, left, &character);
        if (length == 0)
            put(out, 0xFFFD, REPLACEMENT, 3);
        else
            put(out, character, text, length);
        length += length == 0;
        text += length;
        left -= length;
    }
}

static void put_json_character(FILE *out, uint32_t character, const char *bytes, size_t size)
{
    if (character == '"' || character == '\\')
        fprintf(out, "\\%c", (int)character);
    else if (character == '\n')
        fputs("\\n", out);
    else if (character < 0x20 || character == 0x7f || character == '<')
        fprintf(out, "\\u%04x", (unsigned)character);
    else
        fwrite(bytes, 1, size, out);
}

void put_json_string(FILE *out, const char *text)
{
    if (!text) {
        fputs("null", out);
        return;
    }
    putc('"', out);
    each_character(out, text, put_json_character);
    putc('"', out);
}

static void put_raw_character(FILE *out, uint32_t character, const char *bytes, size_t size)
{
    if (character == '<') /* in JSON it stands only in strings */
        fputs("\\u003c", out);
    else
        fwrite(bytes, 1, size, out);
}

void put_json_value(FILE *out, const cJSON *value)
{
    char *text = value ? must(cJSON_PrintUnformatted(value)) : NULL;
    each_character(out, text ? text : "null", put_raw_character);
    cJSON_free(text);
}

static void put_xml_character(FILE *out, uint32_t character, const char *bytes, size_t size)
{
    bool allowed = character >= 0x20 || character == '\n' || character == '\t';
    switch (character) {
    case '<': fputs("&lt;", out); break;
    case '>': fputs("&gt;", out); break;
    case '&': fputs("&amp;", out); break;
    case '"': fputs("&quot;", out); break;
    case 0xFFFE: case 0xFFFF: allowed = false; /* fall through */
    default: fwrite(allowed ? bytes : REPLACEMENT, 1, allowed ? size : 3, out);
    }
}

void put_xml(FILE *out, const char *text)
{
    each_character(out, text, put_xml_character);
}

static void put_visible_bytes(FILE *out, const char *text, size_t size)
{
    struct qz_text line = {0};
    qz_text_add_visible(&line, text, size);
    fputs(must(line.bytes), out);
    qz_text_free(&line);
}

void put_visible(FILE *out, const char *text)
{
    put_visible_bytes(out, text, strlen(text));
}

void put_lines(FILE *out, const char *text, const char *indent, size_t lines)
{
    size_t shown = 0;
    size_t hidden = 0;
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (shown < lines) {
            fputs(indent, out);
            put_visible_bytes(out, text, length);
            putc('\n', out);
            shown++;
        } else {
            hidden++;
        }
        text += length + (text[length] == '\n');
    }
    if (hidden > 0)
        fprintf(out, "%s… and %zu more lines\n", indent, hidden);
}

void put_duration(FILE *out, int64_t duration_us)
{
    struct qz_text text = {0};
    qz_text_add_duration(&text, duration_us);
    fputs(must(text.bytes), out);
    qz_text_free(&text);
}
