#include "quote.h"

#include <string.h>

#include "quiesce/json.h"
#include "utf8.h"

#define PATH_SHOWN_SIZE 512
#define KEY_KNOWN_SIZE 64 /* longer keys are near to nothing that is known */
#define UNKNOWN_KEYS_MAX 20

static const char ellipsis[] = "…";

/* As qz_utf8_show, and quotes are escaped. */
static size_t show_character(char shown[QZ_UTF8_SHOWN_SIZE], const char *text, size_t size)
{
    if (*text != '"')
        return qz_utf8_show(shown, text, size);
    memcpy(shown, "\\\"", 3);
    return 1;
}

const char *qz_quote_escape(char *out, size_t size, const char *text, size_t length)
{
    size_t used = 0;
    size_t fits = 0; /* up to here the ellipsis still finds room */
    for (size_t at = 0; at < length;) {
        char shown[QZ_UTF8_SHOWN_SIZE];
        at += show_character(shown, text + at, length - at);
        size_t more = strlen(shown);
        if (used + more >= size) {
            memcpy(out + fits, ellipsis, sizeof ellipsis);
            return out;
        }
        memcpy(out + used, shown, more);
        used += more;
        if (used + sizeof ellipsis <= size)
            fits = used;
    }
    out[used] = '\0';
    return out;
}

const char *qz_quote_text(char *out, size_t size, const char *text, size_t length)
{
    out[0] = '"';
    qz_quote_escape(out + 1, size - 2, text, length);
    memcpy(out + strlen(out), "\"", 2);
    return out;
}

enum qz_code qz_quote_refuse(struct qz_error *error, enum qz_code code, const struct qz_place *place,
                             const char *found, const char *allowed)
{
    char path[PATH_SHOWN_SIZE];
    char key[QZ_QUOTE_SIZE] = "";
    qz_quote_escape(path, sizeof path, place->path, strlen(place->path));
    if (place->key)
        qz_quote_escape(key, sizeof key, place->key, place->key_size);
    qz_error_set(error, code, "%s:%d:%d: %s%sfound %s, allowed %s", path, place->line, place->column, key,
                 place->key ? ": " : "", found, allowed);
    error->path = place->path;
    qz_error_detail(error, "line %d, column %d", place->line, place->column);
    return code;
}

enum qz_code qz_quote_no_memory(struct qz_error *error, const char *path)
{
    char shown[PATH_SHOWN_SIZE];
    qz_quote_escape(shown, sizeof shown, path, strlen(path));
    qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s: out of memory while reading the file", shown);
    error->path = path;
    return QZ_E_INTERNAL_ERROR;
}

void qz_quote_warn_unknown(struct qz_warning_list *warnings, const struct qz_place *place, const char *const *known,
                           size_t *unknown)
{
    if (++*unknown > UNKNOWN_KEYS_MAX) {
        if (*unknown == UNKNOWN_KEYS_MAX + 1)
            qz_warning_list_add(warnings, place->path, place->line, place->column,
                                "there are more unknown keys from here on, ignored and not listed");
        return;
    }
    char key[QZ_QUOTE_SIZE];
    char word[KEY_KNOWN_SIZE] = "";
    qz_quote_text(key, sizeof key, place->key, place->key_size);
    if (place->key_size < sizeof word)
        memcpy(word, place->key, place->key_size);
    const char *nearest = qz_nearest_word(word, known);
    qz_warning_list_add(warnings, place->path, place->line, place->column, "unknown key %s, ignored%s%s%s", key,
                        nearest ? "; the nearest known key is \"" : "", nearest ? nearest : "", nearest ? "\"" : "");
}
