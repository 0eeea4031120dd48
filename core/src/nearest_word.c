/* nearest_word.c: what was probably meant. */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "quiesce/json.h"

#define WORD_MAX 64 /* bytes; longer known words are passed over */
#define PREFIX_MIN 4

static bool same_letter(char one, char other)
{
    return tolower((unsigned char)one) == tolower((unsigned char)other);
}

static size_t least_of(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* How many letters must be put in, taken out, changed or exchanged with the next one to make one word of the other.
 * `other` has at most WORD_MAX. */
static size_t edit_distance(const char *one, const char *other)
{
    size_t rows[3][WORD_MAX + 1]; /* of the last three letters of `one`, in turns */
    size_t width = strlen(other);
    size_t height = 0;
    for (size_t j = 0; j <= width; j++)
        rows[0][j] = j;
    for (size_t i = 1; one[i - 1]; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = height = i;
        for (size_t j = 1; j <= width; j++) {
            row[j] = least_of(least_of(row[j - 1], above[j]) + 1, above[j - 1] + !same_letter(one[i - 1], other[j - 1]));
            if (i > 1 && j > 1 && same_letter(one[i - 1], other[j - 2]) && same_letter(one[i - 2], other[j - 1]))
                row[j] = least_of(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[height % 3][width];
}

/* Near: at most two letters of five differ, or the key is how the word begins. */
static bool is_near(const char *key, const char *word, size_t distance)
{
    size_t key_length = strlen(key);
    size_t word_length = strlen(word);
    size_t longer = key_length > word_length ? key_length : word_length;
    return distance * 5 <= longer * 2 || (key_length >= PREFIX_MIN && strncasecmp(key, word, key_length) == 0);
}

const char *qz_nearest_word(const char *key, const char *const *known)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (; *known; known++) {
        if (strlen(*known) > WORD_MAX)
            continue;
        size_t distance = edit_distance(key, *known);
        if (distance < least && is_near(key, *known, distance)) {
            least = distance;
            nearest = *known;
        }
    }
    return nearest;
}
