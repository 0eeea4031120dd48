/* json.c: strict JSON with places: the scanner's yes or no, cJSON's tree, and which key stands twice. */
#include "quiesce/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"
#include "quote.h"
#include "utf8.h"

/* A member of an object, with the object it belongs to. */
struct member {
    const cJSON *object;
    const struct qz_json_place *place;
};

struct walk {
    struct qz_json_place *places;
    size_t place_count;
    size_t seen;
    struct member *members;
    size_t member_count;
};

/* Gives `item`, what is in it and what follows it their places: cJSON keeps the order of the document. Returns false
 * if the tree has more values than the scanner saw. */
static bool pair(struct walk *walk, const cJSON *item, const cJSON *object)
{
    for (; item; item = item->next) {
        if (walk->seen == walk->place_count)
            return false;
        struct qz_json_place *place = &walk->places[walk->seen++];
        place->item = item;
        if (object)
            walk->members[walk->member_count++] = (struct member){object, place};
        if (!pair(walk, item->child, cJSON_IsObject(item) ? item : NULL))
            return false;
    }
    return true;
}

static bool same_key(const struct member *one, const struct member *other)
{
    return one->object == other->object && strcmp(one->place->item->string, other->place->item->string) == 0;
}

/* By object, then by key, then as in the document. */
static int compare_members(const void *left, const void *right)
{
    const struct member *one = left;
    const struct member *other = right;
    if (one->object != other->object)
        return (uintptr_t)one->object < (uintptr_t)other->object ? -1 : 1;
    int order = strcmp(one->place->item->string, other->place->item->string);
    return order != 0 ? order : (one->place > other->place) - (one->place < other->place);
}

/* Refuses the first key of the document that its object has already. */
static enum qz_code refuse_duplicates(const char *path, struct walk *walk, enum qz_code code, struct qz_error *error)
{
    const struct member *second = NULL;
    qsort(walk->members, walk->member_count, sizeof *walk->members, compare_members);
    for (size_t i = 1; i < walk->member_count; i++) {
        const struct member *member = &walk->members[i];
        if (same_key(member - 1, member) && (!second || member->place < second->place))
            second = member;
    }
    if (!second)
        return QZ_E_SUCCESS;
    const char *key = second->place->item->string;
    struct qz_place place = {path, second->place->key_line, second->place->key_column, key, strlen(key)};
    char found[QZ_QUOTE_SIZE];
    snprintf(found, sizeof found, "the key a second time (first in line %d)", (second - 1)->place->key_line);
    return qz_quote_refuse(error, code, &place, found, "each key once");
}

/* Builds the tree of text that the scanner has passed, and pairs it with the places. */
static enum qz_code build(const char *path, const char *text, size_t size, enum qz_code code, struct qz_json *json,
                          struct qz_error *error)
{
    struct walk walk = {.places = json->places, .place_count = json->place_count};
    walk.members = calloc(json->place_count, sizeof *walk.members);
    json->root = walk.members ? cJSON_ParseWithLengthOpts(text, size, NULL, 0) : NULL;
    enum qz_code result;
    if (!json->root || !pair(&walk, json->root, NULL) || walk.seen != walk.place_count)
        result = qz_quote_no_memory(error, path);
    else
        result = refuse_duplicates(path, &walk, code, error);
    free(walk.members);
    return result;
}

static enum qz_code parse(const char *path, const char *text, size_t size, bool lazily, enum qz_code code,
                          struct qz_json *json, struct qz_error *error)
{
    *json = (struct qz_json){0};
    if (size > QZ_JSON_SIZE_MAX) {
        char found[QZ_QUOTE_SIZE];
        snprintf(found, sizeof found, "%zu bytes", size);
        return qz_quote_refuse(error, code, &(struct qz_place){.path = path, .line = 1, .column = 1}, found,
                              "at most 1048576 bytes");
    }
    if (size == 0)
        text = ""; /* it may be NULL then */
    size_t mark = qz_utf8_mark_length(text, size);
    enum qz_code result =
        qz_json_scan(path, text + mark, size - mark, lazily, code, &json->places, &json->place_count, error);
    if (result == QZ_E_SUCCESS)
        result = build(path, text + mark, size - mark, code, json, error);
    if (result != QZ_E_SUCCESS)
        qz_json_free(json);
    return result;
}

enum qz_code qz_json_parse(const char *path, const char *text, size_t size, enum qz_code code, struct qz_json *json,
                           struct qz_error *error)
{
    return parse(path, text, size, false, code, json, error);
}

enum qz_code qz_json_parse_lazily(const char *path, const char *text, size_t size, enum qz_code code, struct qz_json *json,
                                  struct qz_error *error)
{
    return parse(path, text, size, true, code, json, error);
}

const struct qz_json_place *qz_json_place(const struct qz_json *json, const cJSON *item)
{
    const struct qz_json_place *place = json->places;
    while (place->item != item)
        place++;
    return place;
}

void qz_json_free(struct qz_json *json)
{
    cJSON_Delete(json->root);
    free(json->places);
    *json = (struct qz_json){0};
}
