/* json_number.c: may this number be trusted to a double? */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "json_scan.h"

#define NUMBER_MAX 63 /* characters that cJSON reads of a number */
#define INTEGER_MAX UINT64_C(9007199254740991) /* 2^53 - 1 */
#define INTEGER_DIGITS 16
#define FRACTION_DIGITS 15 /* DBL_DIG: so many decimal digits survive */
#define EXPONENT_MAX 300

/* A number as digits × 10^exponent, without zeros at either end; no digits: zero. */
struct decimal {
    char digits[NUMBER_MAX];
    size_t count;
    int exponent;
};

/* Takes the digits at `*at`; `fraction`: they stand after the point. Returns how many there were. */
static size_t take_digits(struct decimal *decimal, const char **at, const char *end, bool fraction)
{
    const char *begin = *at;
    for (; *at < end && isdigit((unsigned char)**at); ++*at) {
        decimal->digits[decimal->count++] = **at;
        decimal->exponent -= fraction;
    }
    return (size_t)(*at - begin);
}

static bool take_exponent(struct decimal *decimal, const char **at, const char *end)
{
    bool negative = *at < end && **at == '-';
    if (*at < end && (**at == '-' || **at == '+'))
        ++*at;
    const char *begin = *at;
    int value = 0;
    for (; *at < end && isdigit((unsigned char)**at); ++*at) {
        if (value < 1000)
            value = value * 10 + (**at - '0');
    }
    decimal->exponent += negative ? -value : value;
    return *at > begin;
}

/* Reads a number by JSON's grammar, or says what the grammar allows. */
static const char *parse(struct decimal *decimal, const char *number, size_t length)
{
    const char *at = number;
    const char *end = number + length;
    if (at < end && *at == '-')
        at++;
    const char *first = at;
    size_t whole = take_digits(decimal, &at, end, false);
    if (whole == 0)
        return "a number like 30, -1, 2.5 or 1e3";
    if (whole > 1 && *first == '0')
        return "a number without leading zeros";
    if (at < end && *at == '.') {
        at++;
        if (take_digits(decimal, &at, end, true) == 0)
            return "a digit after the decimal point";
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (!take_exponent(decimal, &at, end))
            return "a digit in the exponent";
    }
    return at == end ? NULL : "a number like 30, -1, 2.5 or 1e3";
}

static void strip_zeros(struct decimal *decimal)
{
    size_t leading = 0;
    while (leading < decimal->count && decimal->digits[leading] == '0')
        leading++;
    decimal->count -= leading;
    memmove(decimal->digits, decimal->digits + leading, decimal->count);
    while (decimal->count > 0 && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
        decimal->exponent++;
    }
}

static bool is_small_integer(const struct decimal *decimal)
{
    if (decimal->count + (size_t)decimal->exponent > INTEGER_DIGITS)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < decimal->count; i++)
        value = value * 10 + (uint64_t)(decimal->digits[i] - '0');
    for (int i = 0; i < decimal->exponent; i++)
        value *= 10;
    return value <= INTEGER_MAX;
}

const char *qz_json_number_fault(const char *number, size_t length, bool *altered)
{
    *altered = false;
    if (length > NUMBER_MAX)
        return "a number of at most 63 characters";
    struct decimal decimal = {0};
    const char *fault = parse(&decimal, number, length);
    if (fault)
        return fault;
    strip_zeros(&decimal);
    if (decimal.count == 0)
        return NULL;
    if (decimal.exponent >= 0 && !is_small_integer(&decimal))
        fault = "an integer from -9007199254740991 to 9007199254740991";
    else if (decimal.exponent < 0 && (decimal.count > FRACTION_DIGITS || decimal.exponent < -EXPONENT_MAX))
        fault = "a fraction of at most 15 significant digits, not smaller than 1e-300";
    *altered = fault != NULL;
    return fault;
}
