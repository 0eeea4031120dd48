/* Characters in bytes that may be anything: utf8.h. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "utf8.h"

/* Expects `size` bytes of text to begin with a character of `length` bytes; 0: with none. */
static void expect_decoded(const char *text, size_t size, size_t length, uint32_t expected)
{
    uint32_t character = 0;
    CHECK_INT(qz_utf8_decode(text, size, &character), length);
    if (length > 0)
        CHECK_INT(character, expected);
}

QZ_TEST(characters_are_read) // of one to four bytes, the first and the last of each length
{
    expect_decoded("", 1, 1, 0);
    expect_decoded("\x7f", 1, 1, 0x7f);
    expect_decoded("\xc2\x80", 2, 2, 0x80);
    expect_decoded("\xdf\xbf", 2, 2, 0x7ff);
    expect_decoded("\xe0\xa0\x80", 3, 3, 0x800);
    expect_decoded("\xef\xbf\xbf", 3, 3, 0xffff);
    expect_decoded("\xf0\x90\x80\x80", 4, 4, 0x10000);
    expect_decoded("\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff);
    expect_decoded("\xc3\xa9rest", 6, 2, 0xe9);
}

QZ_TEST(what_is_none_is_not_read) // overlong, a surrogate, beyond the last, cut, a stray byte, nothing at all
{
    static const char *const broken[] = {"\xc0\x80",         "\xc1\xbf",     "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                                         "\xed\xa0\x80",     "\xed\xbf\xbf", "\xc3",         "\xe2\x82",
                                         "\xf0\x9f\x92",     "\x80",         "\xbf",         "\xff",
                                         "\xf4\x90\x80\x80", "\xc3(",        "\xe2\x82(",    "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        expect_decoded(broken[i], strlen(broken[i]), 0, 0);
    expect_decoded("\xc3\xa9", 1, 0, 0);
    expect_decoded("a", 0, 0, 0);
}

QZ_TEST(what_steers_is_known) // each range, to its ends and no further
{
    static const uint32_t ranges[][2] = {{0x0, 0x1f},       {0x7f, 0x9f},     {0x61c, 0x61c},  {0x200b, 0x200f},
                                         {0x2028, 0x202e}, {0x2060, 0x2069}, {0xfeff, 0xfeff}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        CU_ASSERT_TRUE(qz_utf8_is_control(ranges[i][0]));
        CU_ASSERT_TRUE(qz_utf8_is_control(ranges[i][1]));
        CU_ASSERT_FALSE(qz_utf8_is_control(ranges[i][1] + 1));
        if (ranges[i][0] > 0)
            CU_ASSERT_FALSE(qz_utf8_is_control(ranges[i][0] - 1));
    }
}

QZ_TEST(plain_text_is_known) // up to the first character that is not ASCII, or would steer
{
    CHECK_INT(qz_utf8_plain_length("", 0), 0);
    CHECK_INT(qz_utf8_plain_length("abcdef", 3), 3);
    CHECK_INT(qz_utf8_plain_length(" ~\x7f", 3), 2);
    CHECK_INT(qz_utf8_plain_length("a\n", 2), 1);
    CHECK_INT(qz_utf8_plain_length("a\xc3\xa9", 3), 1);
    CHECK_INT(qz_utf8_plain_length("\0a", 2), 0);
}

QZ_TEST(what_is_shown_does_no_harm) // a plain character as it is, all else as an escape, one at a time
{
    static const struct {
        const char *text, *shown;
        size_t length;
    } rows[] = {{"a", "a", 1},           {"\"", "\"", 1},           {"\\", "\\", 1},
                {"\xc3\xa9", "\xc3\xa9", 2}, {"\xf0\x9f\x92\xa9", "\xf0\x9f\x92\xa9", 4},
                {"\n", "\\n", 1},        {"\r", "\\r", 1},          {"\t", "\\t", 1},
                {"\x1b[31m", "\\x1b", 1}, {"\x7f", "\\x7f", 1},     {"\xc2\x9b", "\\u009b", 2},
                {"\xe2\x80\xae", "\\u202e", 3}, {"\xff", "\\xff", 1}, {"\xc3", "\\xc3", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char shown[QZ_UTF8_SHOWN_SIZE];
        CHECK_INT(qz_utf8_show(shown, rows[i].text, strlen(rows[i].text)), rows[i].length);
        CHECK_STRING(shown, rows[i].shown);
    }
    char shown[QZ_UTF8_SHOWN_SIZE];
    CHECK_INT(qz_utf8_show(shown, "\0a", 2), 1);
    CHECK_STRING(shown, "\\x00");
}

QZ_TEST(a_byte_order_mark_is_measured) // a whole one, at the beginning
{
    CHECK_INT(qz_utf8_mark_length("\xef\xbb\xbf{", 4), 3);
    CHECK_INT(qz_utf8_mark_length("\xef\xbb\xbf", 3), 3);
    CHECK_INT(qz_utf8_mark_length("\xef\xbb\xbf", 2), 0);
    CHECK_INT(qz_utf8_mark_length("{\xef\xbb\xbf", 4), 0);
    CHECK_INT(qz_utf8_mark_length("", 0), 0);
}
