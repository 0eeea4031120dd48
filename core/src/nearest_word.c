/* nearest_word.c: what was probably meant. */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "quiesce/json.h"

#define WORD_MAX 64 /* bytes; longer known words are passed over */
#define PREFIX_MIN 4

/* How many letters must be put in, taken out or changed to make one word of the other. `other` has at most WORD_MAX. */
static size_t edit_distance(const char *one, const char *other)
{
    size_t row[WORD_MAX + 1];
    size_t width = strlen(other);
    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t i = 1; one[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            bool same = tolower((unsigned char)one[i - 1]) == tolower((unsigned char)other[j - 1]);
            size_t changed = diagonal + !same;
            size_t shifted = (row[j - 1] < row[j] ? row[j - 1] : row[j]) + 1;
            diagonal = row[j];
            row[j] = changed < shifted ? changed : shifted;
        }
    }
    return row[width];
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
