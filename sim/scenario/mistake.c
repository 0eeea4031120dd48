/* mistake.c: what is wrong with a file, in lines that begin with their places. */
#include <stdio.h>
#include <string.h>

#include "quiesce/error.h"
#include "read.h"
#include "text.h"

#define SHOWN_MAX 60 /* bytes of a value that a message shows */

_Static_assert(sizeof((struct scenario_mistake){.line = ""}.line) == QZ_MESSAGE_SIZE,
               "a mistake is cut as an error of the core's is");

static int compare(struct scenario_place one, struct scenario_place other)
{
    return one.line != other.line ? one.line - other.line : one.column - other.column;
}

/* One place is wrong in one way: other variants only say it in other words. */
static bool is_told(const struct reader *reader, struct scenario_place place, const char *line)
{
    for (size_t i = 0; i < reader->mistakes->count; i++) {
        const struct scenario_mistake *told = &reader->mistakes->items[i];
        if (compare(told->place, place) == 0 &&
            (told->combination != reader->combination || strcmp(told->line, line) == 0))
            return true;
    }
    return false;
}

static void note(struct reader *reader, struct scenario_place place, const char *line)
{
    struct scenario_mistakes *mistakes = reader->mistakes;
    size_t at = mistakes->count;
    while (at > 0 && compare(mistakes->items[at - 1].place, place) > 0)
        at--;
    if (at == SCENARIO_MISTAKES_MAX || is_told(reader, place, line))
        return;
    mistakes->count += mistakes->count < SCENARIO_MISTAKES_MAX;
    memmove(&mistakes->items[at + 1], &mistakes->items[at], (mistakes->count - at - 1) * sizeof mistakes->items[0]);
    mistakes->items[at].place = place;
    mistakes->items[at].combination = reader->combination;
    snprintf(mistakes->items[at].line, sizeof mistakes->items[at].line, "%s", line);
}

/* What the file says, and be it its name, must not steer a terminal. */
static void refuse(struct reader *reader, struct scenario_place place, const char *what, const char *format,
                   va_list arguments)
{
    char said[QZ_MESSAGE_SIZE * 2]; /* more than is shown, so that it is cut in one way only */
    struct qz_text visible = {0};
    struct qz_error error;
    vsnprintf(said, sizeof said, format, arguments);
    qz_text_add_visible(&visible, reader->file, strlen(reader->file));
    qz_text_add(&visible, ":%d:%d: %s%s", place.line, place.column, what ? what : "", what ? ": " : "");
    qz_text_add_visible(&visible, said, strlen(said));
    if (visible.failed)
        scenario_no_memory();
    qz_error_set(&error, QZ_E_INTERNAL_ERROR, "%s", visible.bytes);
    note(reader, place, error.message);
    qz_text_free(&visible);
}

bool scenario_refuse(struct reader *reader, const cJSON *item, const char *what, const char *format, ...)
{
    const struct qz_json_place *place = qz_json_place(&reader->json, item);
    va_list arguments;
    va_start(arguments, format);
    refuse(reader, (struct scenario_place){place->line, place->column}, what, format, arguments);
    va_end(arguments);
    return false;
}

bool scenario_refuse_key(struct reader *reader, const cJSON *item, const char *format, ...)
{
    const struct qz_json_place *place = qz_json_place(&reader->json, item);
    va_list arguments;
    va_start(arguments, format);
    refuse(reader, (struct scenario_place){place->key_line, place->key_column}, NULL, format, arguments);
    va_end(arguments);
    return false;
}

bool scenario_refuse_at(struct reader *reader, struct scenario_place place, const char *what, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    refuse(reader, place, what, format, arguments);
    va_end(arguments);
    return false;
}

/* The nearest key on the way from `tree`, which goes by `key`, to `item`. NULL: it is not in there, or has none. */
static const char *key_on_the_way(const cJSON *tree, const char *key, const cJSON *item)
{
    const char *found = tree == item ? key : NULL;
    for (const cJSON *part = tree->child; part && !found; part = part->next)
        found = key_on_the_way(part, part->string ? part->string : key, item);
    return found;
}

const char *scenario_key_of(const struct reader *reader, const cJSON *item)
{
    return key_on_the_way(reader->json.root, NULL, item);
}

void scenario_tell_mistakes(const struct scenario_mistakes *mistakes, FILE *out)
{
    for (size_t i = 0; i < mistakes->count; i++)
        fprintf(out, "%s\n", mistakes->items[i].line);
}

const char *scenario_nearest(struct reader *reader, const char *word, const char *const *known)
{
    const char *nearest = qz_nearest_word(word, known);
    return nearest ? scenario_format(reader->memory, " (did you mean %s?)", nearest) : "";
}

const char *scenario_nearest_or_all(struct reader *reader, const char *word, const char *const *known)
{
    const char *near = scenario_nearest(reader, word, known);
    const char *all = "; known are ";
    for (size_t i = 0; !*near && known[i]; i++)
        all = scenario_format(reader->memory, "%s%s%s", all, i ? ", " : "", known[i]);
    return *near || !known[0] ? near : all;
}

const char *scenario_shown(struct reader *reader, const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    if (!text)
        scenario_no_memory();
    size_t size = strlen(text);
    const char *rest = size > SHOWN_MAX ? "…" : "";
    size = size > SHOWN_MAX ? SHOWN_MAX : size;
    while (size > 0 && *rest && ((unsigned char)text[size] & 0xC0) == 0x80)
        size--; /* not in the middle of a character */
    const char *copy = scenario_format(reader->memory, "%.*s%s", (int)size, text, rest);
    cJSON_free(text);
    return copy;
}
