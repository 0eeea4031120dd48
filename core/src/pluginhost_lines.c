#include "pluginhost_lines.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "quote.h"
#include "utf8.h"

#define BLANKS " \t"
#define COMMENTS "#;"
#define KEY_MAX 49 /* bytes of a key that libinih keeps */

/* One line without its end. */
struct line {
    const char *text;
    size_t length;
};

static bool is_one_of(char byte, const char *set)
{
    return byte != '\0' && strchr(set, byte);
}

/* The column of the byte at `offset`, in characters. */
static int column_of(const struct line *line, size_t offset)
{
    int column = 1;
    for (size_t i = 0; i < offset; i++)
        column += ((unsigned char)line->text[i] & 0xc0) != 0x80;
    return column;
}

/* Refuses the current line at `offset`. Returns false. */
static bool refuse(struct qz_plugin_host_lines *lines, const struct line *line, size_t offset, const char *found,
                   const char *allowed)
{
    struct qz_place place = {.path = lines->path, .line = lines->line, .column = column_of(line, offset)};
    qz_quote_refuse(lines->error, QZ_E_INCORRECT_PLUGIN_HOST_FILE, &place, found, allowed);
    lines->refused = true;
    return false;
}

static bool refuse_text(struct qz_plugin_host_lines *lines, const struct line *line, size_t offset, size_t length,
                        const char *allowed)
{
    char found[QZ_QUOTE_SIZE];
    return refuse(lines, line, offset, qz_quote_text(found, sizeof found, line->text + offset, length), allowed);
}

static size_t skip_blanks(const struct line *line, size_t offset)
{
    while (offset < line->length && is_one_of(line->text[offset], BLANKS))
        offset++;
    return offset;
}

static bool vet_characters(struct qz_plugin_host_lines *lines, const struct line *line)
{
    for (size_t i = 0; i < line->length;) {
        uint32_t character;
        size_t length = qz_utf8_decode(line->text + i, line->length - i, &character);
        if (length == 0)
            return refuse_text(lines, line, i, 1, "UTF-8 text");
        if (qz_utf8_is_control(character) && character != '\t')
            return refuse_text(lines, line, i, length, "text without control characters");
        i += length;
    }
    return true;
}

static bool vet_size(struct qz_plugin_host_lines *lines, const struct line *line, size_t room)
{
    if (line->length <= room)
        return true;
    char found[QZ_QUOTE_SIZE];
    char allowed[QZ_QUOTE_SIZE];
    snprintf(found, sizeof found, "a line of %zu bytes", line->length);
    snprintf(allowed, sizeof allowed, "at most %zu", room);
    return refuse(lines, line, 0, found, allowed);
}

static bool vet_section(struct qz_plugin_host_lines *lines, const struct line *line)
{
    static const char wanted[] = "[" QZ_PLUGIN_HOST_SECTION "]";
    size_t length = sizeof wanted - 1;
    if (line->length < length || memcmp(line->text, wanted, length) != 0 || skip_blanks(line, length) < line->length)
        return refuse_text(lines, line, 0, line->length, "only the section " "[" QZ_PLUGIN_HOST_SECTION "]");
    if (lines->section_line != 0) {
        char found[QZ_QUOTE_SIZE];
        snprintf(found, sizeof found, "the section a second time (first in line %d)", lines->section_line);
        return refuse(lines, line, 0, found, "it once");
    }
    lines->section_line = lines->line;
    return true;
}

static bool vet_setting(struct qz_plugin_host_lines *lines, const struct line *line)
{
    size_t separator = 0;
    while (separator < line->length && !is_one_of(line->text[separator], "=:"))
        separator++;
    if (separator == line->length)
        return refuse_text(lines, line, 0, line->length, "\"key = value\", the section, or a comment");
    size_t key = separator;
    while (key > 0 && is_one_of(line->text[key - 1], BLANKS))
        key--;
    if (key == 0)
        return refuse_text(lines, line, 0, line->length, "a key before the \"=\"");
    if (key > KEY_MAX)
        return refuse_text(lines, line, 0, key, "a key of at most 49 bytes");
    if (lines->section_line == 0)
        return refuse_text(lines, line, 0, key, "keys only after the section [" QZ_PLUGIN_HOST_SECTION "]");
    for (size_t i = 1; i < line->length; i++) {
        if (is_one_of(line->text[i], COMMENTS) && is_one_of(line->text[i - 1], BLANKS))
            return refuse_text(lines, line, i, line->length - i, "comments only on lines of their own");
    }
    lines->value_column = column_of(line, skip_blanks(line, separator + 1));
    return true;
}

static bool vet(struct qz_plugin_host_lines *lines, const struct line *line, size_t room)
{
    if (!vet_characters(lines, line) || !vet_size(lines, line, room))
        return false;
    if (is_one_of(line->text[0], BLANKS))
        return refuse_text(lines, line, 0, line->length, "no blanks before a key or section");
    return line->text[0] == '[' ? vet_section(lines, line) : vet_setting(lines, line);
}

static struct line take_line(struct qz_plugin_host_lines *lines)
{
    struct line line = {.text = lines->at};
    const char *end = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    lines->at = end ? end + 1 : lines->end;
    lines->line++;
    line.length = (size_t)((end ? end : lines->end) - line.text);
    if (line.length > 0 && line.text[line.length - 1] == '\r')
        line.length--;
    return line;
}

char *qz_plugin_host_next_line(char *out, int size, void *stream)
{
    struct qz_plugin_host_lines *lines = stream;
    if (lines->refused || lines->at == lines->end)
        return NULL;
    struct line line = take_line(lines);
    size_t first = skip_blanks(&line, 0);
    bool empty = first == line.length || is_one_of(line.text[first], COMMENTS);
    if (empty)
        line.length = 0;
    else if (!vet(lines, &line, (size_t)size - 2))
        return NULL;
    memcpy(out, line.text, line.length);
    memcpy(out + line.length, "\n", 2);
    return out;
}
