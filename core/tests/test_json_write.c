/* JSON as core writes it: json_write.h. */
#include <stdlib.h>

#include "check.h"
#include "json_write.h"

static void check_written(struct qz_text *text, const char *expected)
{
    char *written = qz_text_take(text);
    CHECK_STRING(written, expected);
    free(written);
}

QZ_TEST(commas_come_by_themselves) // between members and elements, and nowhere else
{
    struct qz_text text = {0};
    qz_json_object(&text, NULL);
    qz_json_array(&text, "none");
    qz_json_end_array(&text);
    qz_json_array(&text, "some");
    qz_json_number(&text, NULL, 1);
    qz_json_object(&text, NULL);
    qz_json_bool(&text, "a", true);
    qz_json_bool(&text, "b", false);
    qz_json_end_object(&text);
    qz_json_object(&text, NULL);
    qz_json_end_object(&text);
    qz_json_end_array(&text);
    qz_json_null(&text, "c");
    qz_json_string(&text, "d", NULL);
    qz_json_string(&text, "e", "[");
    qz_json_string(&text, "f", "");
    qz_json_end_object(&text);
    check_written(&text, "{\"none\":[],\"some\":[1,{\"a\":true,\"b\":false},{}],\"c\":null,\"d\":null,\"e\":\"[\",\"f\":\"\"}");
}

QZ_TEST(numbers_keep_every_digit)
{
    struct qz_text text = {0};
    qz_json_array(&text, NULL);
    qz_json_number(&text, NULL, 0);
    qz_json_number(&text, NULL, INT64_MAX);
    qz_json_number(&text, NULL, INT64_MIN);
    qz_json_end_array(&text);
    check_written(&text, "[0,9223372036854775807,-9223372036854775808]");
}

static void expect_string(const char *bytes, size_t size, const char *expected)
{
    struct qz_text text = {0};
    qz_json_bytes(&text, NULL, bytes, size);
    check_written(&text, expected);
}

QZ_TEST(strings_are_escaped_as_json_wants) // quotes, backslashes, all that is below a blank; no more than that
{
    expect_string("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    expect_string("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    expect_string("\x01\x1f \x7f", 4, "\"\\u0001\\u001f \x7f\"");
    expect_string("", 0, "\"\"");
}

QZ_TEST(strings_are_utf8_whatever_they_were) // what is none becomes U+FFFD, and NUL; keys, too
{
    expect_string("gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\"");
    expect_string("\xf0\x9f\x92\xbe\n\xc3", 6, "\"\xf0\x9f\x92\xbe\\n\uFFFD\"");
    expect_string("a\0b\xff\xfe\"", 6, "\"a\uFFFDb\uFFFD\uFFFD\\\"\"");
    struct qz_text text = {0};
    qz_json_object(&text, NULL);
    qz_json_string(&text, "k\"\xff", "v");
    qz_json_end_object(&text);
    check_written(&text, "{\"k\\\"\uFFFD\":\"v\"}");
}
