#include "read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace.h"
#include "values.h"

const cJSON *scenario_member(const struct reader *reader, const cJSON *object, const char *name)
{
    (void)reader;
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* Says that `value` (as found for `item`) is not what the key may be. */
static bool refuse_value(struct reader *reader, const struct key *key, const cJSON *value)
{
    return scenario_refuse(reader, value, key->name, "%s; allowed is %s", scenario_shown(reader, value),
                           scenario_allowed(reader->memory, key));
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

/* The text of a string, or of what stands for a variable. */
static bool read_text(struct reader *reader, const struct key *key, const cJSON *item, const char **text)
{
    if (!matrix_text(reader, item, key->kind != KEY_LINES, text))
        return false;
    return *text || refuse_value(reader, key, item);
}

static const char *word_near(struct reader *reader, const char *text, const struct key_word *words)
{
    size_t count = 0;
    while (words[count].word)
        count++;
    const char **known = scenario_take(reader->memory, (count + 1) * sizeof *known);
    for (size_t i = 0; i < count; i++)
        known[i] = words[i].word;
    return scenario_nearest(reader, text, known);
}

static const struct key_word *find_word(const struct key_word *words, const char *text)
{
    for (; words->word; words++) {
        if (strcmp(words->word, text) == 0)
            return words;
    }
    return NULL;
}

static bool refuse_text(struct reader *reader, const struct key *key, const cJSON *item, const char *text,
                        const char *near)
{
    return scenario_refuse(reader, item, key->name, "\"%s\"%s; allowed is %s", text, near,
                           scenario_allowed(reader->memory, key));
}

static bool check_volume_name(struct reader *reader, const struct key *key, const cJSON *item, const char *text)
{
    size_t count;
    if (reader->unsure)
        return true;
    const struct scenario_volume *volumes = scenario_volumes(reader->given, &count);
    const char **known = scenario_take(reader->memory, (count + 1) * sizeof *known);
    const char *all = "";
    for (size_t i = 0; i < count; i++) {
        known[i] = volumes[i].mount;
        if (strcmp(text, known[i]) == 0)
            return true;
        all = scenario_format(reader->memory, "%s%s%s", all, i ? ", " : "", known[i]);
    }
    return scenario_refuse(reader, item, key->name, "\"%s\" is the mount point of no volume%s; there %s %s", text,
                           scenario_nearest(reader, text, known), count == 1 ? "is" : "are", count ? all : "none");
}

static bool check_fixture(struct reader *reader, const struct key *key, const cJSON *item, const char *text)
{
    if (!values_is_fixture(text))
        return refuse_text(reader, key, item, text, "");
    const char *path = scenario_format(reader->memory, "%s/%s", reader->fixtures, text);
    return access(path, R_OK) == 0 ||
           scenario_refuse(reader, item, key->name, "there is no file fixtures/%s beside the folder scenarios", text);
}

static bool check_need(struct reader *reader, const struct key *key, const cJSON *item, const char *text)
{
    if (!values_is_need(text))
        return refuse_text(reader, key, item, text, "");
    return strncmp(text, "fs:", 3) != 0 || scenario_fstype(text + 3) ||
           scenario_refuse(reader, item, key->name, "\"%s\" is no type that a volume can have", text);
}

/* Is the text what a key of its kind may be? */
static bool check_text(struct reader *reader, const struct key *key, const cJSON *item, const char *text)
{
    switch (key->kind) {
    case KEY_TAG:
        return values_is_tag(text) || refuse_text(reader, key, item, text, "");
    case KEY_NEED:
        return check_need(reader, key, item, text);
    case KEY_PATH:
        return values_is_path(text) || refuse_text(reader, key, item, text, "");
    case KEY_FIXTURE:
        return check_fixture(reader, key, item, text);
    case KEY_VOLUME:
        return check_volume_name(reader, key, item, text);
    case KEY_PATTERN:
        return scenario_line_possible(reader, item, key->name, text);
    case KEY_ERROR_NAME:
        return values_is_error(text) ||
               refuse_text(reader, key, item, text, scenario_nearest(reader, text, values_errors()));
    case KEY_CALL_NAME:
        return values_is_call(text) || refuse_text(reader, key, item, text, scenario_nearest(reader, text, values_calls()));
    case KEY_CHOICE:
        return find_word(key->words, text) || refuse_text(reader, key, item, text, word_near(reader, text, key->words));
    default:
        return true;
    }
}

/* A string, or lines of which each gets its newline. */
static bool read_lines(struct reader *reader, const struct key *key, const cJSON *item, const char **text)
{
    const cJSON *value, *line;
    if (!matrix_value(reader, item, false, &value))
        return false;
    if (!cJSON_IsArray(value))
        return read_text(reader, key, item, text);
    bool good = true;
    *text = "";
    cJSON_ArrayForEach(line, value) {
        const char *part;
        good = read_text(reader, key, line, &part) && good;
        *text = scenario_format(reader->memory, "%s%s\n", *text, good ? part : "");
    }
    return good;
}

/* ---- Numbers and words ------------------------------------------------------------------------------------------- */

static bool read_integer(struct reader *reader, const struct key *key, const cJSON *value, int64_t *number)
{
    if (!cJSON_IsNumber(value) || value->valuedouble < (double)key->min || value->valuedouble > (double)key->max ||
        value->valuedouble != (double)(int64_t)value->valuedouble)
        return refuse_value(reader, key, value);
    *number = (int64_t)value->valuedouble;
    return true;
}

static bool read_duration(struct reader *reader, const struct key *key, const cJSON *value, int64_t *duration_us)
{
    if (key->kind == KEY_MS_FOREVER && cJSON_IsString(value) && strcmp(value->valuestring, "forever") == 0) {
        *duration_us = SCENARIO_FOREVER;
        return true;
    }
    if (!cJSON_IsNumber(value) || value->valuedouble < (double)key->min || value->valuedouble > (double)key->max)
        return refuse_value(reader, key, value);
    *duration_us = (int64_t)(value->valuedouble * 1000 + 0.5);
    return true;
}

static bool read_missing(struct reader *reader, const struct key *key, const cJSON *value, int *number)
{
    int64_t count = -1;
    bool some = cJSON_IsString(value) && strcmp(value->valuestring, "some") == 0;
    if (!some && !read_integer(reader, key, value, &count))
        return false;
    *number = (int)count;
    return true;
}

/* What comes nearest to a name that nobody knows. */
static const char *name_near(struct reader *reader, const struct key *key, const char *text)
{
    switch (key->kind) {
    case KEY_SIGNAL: return scenario_nearest(reader, text, values_signals());
    case KEY_ERRNO: return scenario_nearest(reader, text, values_errnos());
    case KEY_MODE: return "";
    default: return word_near(reader, text, key->words);
    }
}

/* A name that is a number: of a signal, an error, a word of the table, a mode. */
static bool read_name(struct reader *reader, const struct key *key, const cJSON *item, int *number)
{
    const char *text;
    const struct key_word *word;
    if (!read_text(reader, key, item, &text))
        return false;
    switch (key->kind) {
    case KEY_SIGNAL: *number = values_signal(text); break;
    case KEY_ERRNO: *number = values_errno(text); break;
    case KEY_MODE: *number = values_mode(text); break;
    default:
        word = find_word(key->words, text);
        *number = word ? word->value : -1;
    }
    return *number >= 0 || refuse_text(reader, key, item, text, name_near(reader, key, text));
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static bool read_map(struct reader *reader, const struct key *key, const cJSON *value, const cJSON **tree)
{
    const cJSON *member;
    void *unused = scenario_take(reader->memory, key->object->size);
    bool good = true;
    if (!cJSON_IsObject(value))
        return refuse_value(reader, key, value);
    cJSON_ArrayForEach(member, value) {
        const cJSON *content;
        good = check_volume_name(reader, key, member, member->string) && good;
        good = matrix_value(reader, member, true, &content) &&
               (!content || scenario_read_object(reader, key->object, content, unused)) && good;
    }
    return good && matrix_tree(reader, value, tree);
}

#define STORE(type, value) (*(type *)(void *)to = (type)(value))

/* Reads one value as it is written and stores it at `to`. `text_size`: where the size of a text goes; NULL. */
static bool read_value(struct reader *reader, const struct key *key, const cJSON *item, unsigned char *to,
                       size_t *text_size)
{
    const cJSON *value; /* what stands for it; texts look for themselves */
    const char *text;
    const cJSON *tree;
    int64_t number = 0; /* the compiler does not see that it is always read */
    int word;
    if (!matrix_value(reader, item, key->kind != KEY_LINES, &value))
        return false;
    switch (key->kind) {
    case KEY_FLAG:
        if (!cJSON_IsBool(value))
            return refuse_value(reader, key, value);
        STORE(bool, cJSON_IsTrue(value));
        return true;
    case KEY_INTEGER:
        return read_integer(reader, key, value, &number) && (STORE(int, number), true);
    case KEY_BYTES:
        return read_integer(reader, key, value, &number) && (STORE(size_t, number), true);
    case KEY_OWNER:
        return read_integer(reader, key, value, &number) && (STORE(uid_t, number), true);
    case KEY_MIB:
        return read_integer(reader, key, value, &number) && (STORE(int64_t, number * 1048576), true);
    case KEY_MS:
    case KEY_MS_FOREVER:
        return read_duration(reader, key, value, &number) && (STORE(int64_t, number), true);
    case KEY_MISSING:
        return read_missing(reader, key, value, &word) && (STORE(int, word), true);
    case KEY_SIGNAL:
    case KEY_ERRNO:
    case KEY_WORD:
        return read_name(reader, key, item, &word) && (STORE(int, word), true);
    case KEY_MODE:
        return read_name(reader, key, item, &word) && (STORE(mode_t, word), true);
    case KEY_OBJECT:
        return scenario_read_object(reader, key->object, value, to);
    case KEY_MAP:
        return read_map(reader, key, value, &tree) && (STORE(const cJSON *, tree), true);
    case KEY_CONFIG:
        if (!cJSON_IsObject(value))
            return refuse_value(reader, key, value);
        return matrix_tree(reader, value, &tree) && (STORE(const cJSON *, tree), true);
    case KEY_RESULT:
        return scenario_check_result(reader, key, item) && matrix_tree(reader, value, &tree) &&
               (STORE(const cJSON *, tree), true);
    case KEY_ANY:
        return matrix_tree(reader, value, &tree) && (STORE(const cJSON *, tree), true);
    case KEY_LINES:
        if (!read_lines(reader, key, item, &text))
            return false;
        if (text_size)
            *text_size = strlen(text);
        STORE(const char *, text);
        return true;
    case KEY_MATRIX:
    case KEY_NOTHING:
        return true;
    default:
        return read_text(reader, key, item, &text) && check_text(reader, key, item, text) &&
               (STORE(const char *, text), true);
    }
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

static size_t size_of(const struct key *key)
{
    switch (key->kind) {
    case KEY_OBJECT:
        return key->object->size;
    case KEY_WORD:
        return sizeof(int);
    default:
        return sizeof(const char *);
    }
}

struct elements {
    const cJSON **items;
    size_t count;
    size_t capacity;
};

/* The elements of a list as they are written; a variable that stands for a list gives its elements, one without a value
 * none. */
static bool gather(struct reader *reader, const cJSON *list, struct elements *elements)
{
    const cJSON *element;
    cJSON_ArrayForEach(element, list) {
        const cJSON *value;
        if (!matrix_value(reader, element, true, &value))
            return false;
        if (!value || (value != element && cJSON_IsNull(value)))
            continue;
        if (value != element && cJSON_IsArray(value)) {
            if (!gather(reader, value, elements))
                return false;
            continue;
        }
        if (elements->count == elements->capacity) {
            elements->capacity = elements->capacity ? elements->capacity * 2 : 8;
            elements->items = realloc(elements->items, elements->capacity * sizeof(cJSON *));
            if (!elements->items)
                scenario_no_memory();
        }
        elements->items[elements->count++] = element;
    }
    return true;
}

static bool read_list(struct reader *reader, const struct key *key, const cJSON *value, unsigned char *out)
{
    struct elements elements = {NULL, 0, 0};
    if (!cJSON_IsArray(value))
        return refuse_value(reader, key, value);
    bool read = gather(reader, value, &elements);
    size_t size = size_of(key);
    struct key one = *key;
    one.list = false;
    unsigned char *items = scenario_take(reader->memory, (elements.count + 1) * size);
    for (size_t i = 0; i < elements.count; i++)
        read = read_value(reader, &one, elements.items[i], items + i * size, NULL) && read;
    *(void **)(void *)(out + key->at) = items;
    *(size_t *)(void *)(out + key->count) = elements.count;
    free(elements.items);
    return read;
}

/* ---- Objects ----------------------------------------------------------------------------------------------------- */

static bool read_member(struct reader *reader, const struct key_object *keys, const struct key *key, const cJSON *item,
                        unsigned char *out)
{
    const cJSON *member = scenario_member(reader, item, key->name);
    const cJSON *value = member;
    if (!member || key->kind == KEY_MATRIX || key->kind == KEY_NOTHING)
        return true;
    if (!matrix_value(reader, member, key->kind != KEY_LINES, &value))
        return false;
    if (!value || (value != member && cJSON_IsNull(value)))
        return !key->required ||
               scenario_refuse(reader, member, keys->name, "the key \"%s\" has no value here", key->name);
    if (key->list)
        return read_list(reader, key, value, out);
    size_t *size = key->kind == KEY_LINES && key->count != SIZE_MAX ? (size_t *)(void *)(out + key->count) : NULL;
    return read_value(reader, key, member, out + key->at, size);
}

bool scenario_read_object(struct reader *reader, const struct key_object *keys, const cJSON *item, void *out)
{
    if (!cJSON_IsObject(item))
        return scenario_refuse(reader, item, keys->name, "%s; allowed is an object", scenario_shown(reader, item));
    if (keys->initial)
        memcpy(out, keys->initial, keys->size);
    else
        memset(out, 0, keys->size);
    if (keys->place != NO_PLACE) {
        const struct qz_json_place *place = qz_json_place(&reader->json, item);
        struct scenario_place *to = (struct scenario_place *)(void *)((unsigned char *)out + keys->place);
        *to = (struct scenario_place){place->line, place->column};
    }
    /* A key that is not known may be the one that seems to be missing. */
    bool good = scenario_check_known(reader, keys, item) && scenario_check_company(reader, keys, item);
    for (const struct key *key = keys->keys; key->name; key++) {
        bool read = read_member(reader, keys, key, item, out);
        reader->unsure = reader->unsure || (key->named && !read);
        good = good && read;
    }
    return good && (!keys->check || keys->check(reader, item, out));
}
