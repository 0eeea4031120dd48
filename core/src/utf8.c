#include "utf8.h"

#include <stdio.h>
#include <string.h>

/* The number of bytes that a lead byte announces, and the smallest character they may encode; 0: no lead byte. */
static size_t sequence_length(unsigned char lead, uint32_t *smallest)
{
    if ((lead & 0xe0) == 0xc0) {
        *smallest = 0x80;
        return 2;
    }
    if ((lead & 0xf0) == 0xe0) {
        *smallest = 0x800;
        return 3;
    }
    if ((lead & 0xf8) == 0xf0) {
        *smallest = 0x10000;
        return 4;
    }
    return 0;
}

size_t qz_utf8_decode(const char *text, size_t size, uint32_t *character)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (size == 0)
        return 0;
    if (bytes[0] < 0x80) {
        *character = bytes[0];
        return 1;
    }
    uint32_t smallest = 0;
    size_t length = sequence_length(bytes[0], &smallest);
    if (length == 0 || length > size)
        return 0;
    uint32_t value = bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3fu);
    }
    if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *character = value;
    return length;
}

size_t qz_utf8_mark_length(const char *text, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t length = sizeof mark - 1;
    return size >= length && memcmp(text, mark, length) == 0 ? length : 0;
}

bool qz_utf8_is_control(uint32_t character)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } ranges[] = {
        {0x0, 0x1f},       {0x7f, 0x9f},      {0x61c, 0x61c},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x2069}, {0xfeff, 0xfeff},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    }
    return false;
}

size_t qz_utf8_plain_length(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && text[length] >= ' ' && text[length] <= '~')
        length++;
    return length;
}

size_t qz_utf8_show(char shown[QZ_UTF8_SHOWN_SIZE], const char *text, size_t size)
{
    static const char steering[] = "\n\r\t", letters[] = "nrt";
    uint32_t character = 0;
    size_t length = qz_utf8_decode(text, size, &character);
    const char *named = length > 0 && *text ? strchr(steering, *text) : NULL;
    if (length == 0)
        snprintf(shown, QZ_UTF8_SHOWN_SIZE, "\\x%02x", (unsigned char)*text);
    else if (named)
        snprintf(shown, QZ_UTF8_SHOWN_SIZE, "\\%c", letters[named - steering]);
    else if (!qz_utf8_is_control(character))
        *(char *)mempcpy(shown, text, length) = '\0';
    else
        snprintf(shown, QZ_UTF8_SHOWN_SIZE, character < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)character & 0xffff);
    return length > 0 ? length : 1;
}
