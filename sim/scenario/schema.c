#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "memory.h"
#include "values.h"

#define LINE_MAX_WIDTH 118 /* what fits on one line is written on one */

/* ---- Trees: memory that is short aborts -------------------------------------------------------------------------- */

static cJSON *add(cJSON *object, const char *key, cJSON *value)
{
    if (!object || !value || !cJSON_AddItemToObject(object, key, value))
        scenario_no_memory();
    return value;
}

static cJSON *push(cJSON *array, cJSON *value)
{
    if (!array || !value || !cJSON_AddItemToArray(array, value))
        scenario_no_memory();
    return value;
}

static cJSON *parsed(const char *text)
{
    cJSON *value = cJSON_Parse(text);
    if (!value) {
        fprintf(stderr, "quiesce-sim: keys.h: not JSON: %s\n", text);
        abort();
    }
    return value;
}

static cJSON *string(const char *text)
{
    return cJSON_CreateString(text);
}

static cJSON *typed(const char *type)
{
    cJSON *schema = cJSON_CreateObject();
    add(schema, "type", string(type));
    return schema;
}

static cJSON *matching(const char *pattern)
{
    cJSON *schema = typed("string");
    add(schema, "pattern", string(pattern));
    return schema;
}

static cJSON *reference(const char *name)
{
    char path[64];
    cJSON *schema = cJSON_CreateObject();
    snprintf(path, sizeof path, "#/definitions/%s", name);
    add(schema, "$ref", string(path));
    return schema;
}

static cJSON *ranged(const char *type, int64_t least, int64_t most)
{
    cJSON *schema = typed(type);
    add(schema, "minimum", cJSON_CreateNumber((double)least));
    add(schema, "maximum", cJSON_CreateNumber((double)most));
    return schema;
}

/* {"required": [one, other]} */
static cJSON *requiring(const char *one, const char *other)
{
    cJSON *schema = cJSON_CreateObject();
    cJSON *names = add(schema, "required", cJSON_CreateArray());
    push(names, string(one));
    if (other)
        push(names, string(other));
    return schema;
}

static cJSON *not(cJSON *what)
{
    cJSON *schema = cJSON_CreateObject();
    add(schema, "not", what);
    return schema;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static cJSON *any_of(cJSON *one, cJSON *other)
{
    cJSON *schema = cJSON_CreateObject();
    cJSON *choice = add(schema, "anyOf", cJSON_CreateArray());
    push(choice, one);
    push(choice, other);
    return schema;
}

/* Or a string that is only a variable. */
static cJSON *or_variable(cJSON *schema)
{
    return any_of(schema, reference("variable"));
}

/* Or a string with a variable in it. */
static cJSON *or_with_variable(cJSON *schema)
{
    return any_of(schema, reference("text_with_variable"));
}

static cJSON *named(const char *const *names)
{
    cJSON *schema = cJSON_CreateObject();
    cJSON *values = add(schema, "enum", cJSON_CreateArray());
    for (; *names; names++)
        push(values, string(*names));
    return schema;
}

static cJSON *worded(const struct key_word *words)
{
    cJSON *schema = cJSON_CreateObject();
    cJSON *values = add(schema, "enum", cJSON_CreateArray());
    for (; words->word; words++)
        push(values, string(words->word));
    return schema;
}

static cJSON *constant(const char *text)
{
    cJSON *schema = cJSON_CreateObject();
    add(schema, "const", string(text));
    return schema;
}

static cJSON *lines(void)
{
    cJSON *list = typed("array");
    add(list, "items", typed("string"));
    return any_of(typed("string"), list);
}

static cJSON *map(const struct key *key)
{
    cJSON *schema = typed("object");
    add(schema, "additionalProperties", or_variable(reference(key->object->name)));
    return or_variable(schema);
}

static cJSON *matrix(void)
{
    cJSON *schema = typed("object");
    cJSON *names = cJSON_CreateObject();
    add(names, "pattern", string("^[A-Za-z0-9_]+$"));
    add(schema, "propertyNames", names);
    cJSON *values = typed("array");
    add(values, "minItems", cJSON_CreateNumber(1));
    add(schema, "additionalProperties", values);
    return schema;
}

/* What one value may be; variables included. */
static cJSON *value_of(const struct key *key)
{
    switch (key->kind) {
    case KEY_LINES: return lines();
    case KEY_TAG: return or_with_variable(matching(VALUES_TAG));
    case KEY_NEED: return or_with_variable(matching(VALUES_NEED));
    case KEY_PATH: return or_with_variable(matching(VALUES_PATH));
    case KEY_FIXTURE: return or_with_variable(matching(VALUES_FIXTURE));
    case KEY_MODE: return or_with_variable(matching(VALUES_MODE));
    case KEY_ERROR_NAME: return or_with_variable(reference("error"));
    case KEY_SIGNAL: return or_with_variable(reference("signal"));
    case KEY_ERRNO: return or_with_variable(reference("errno"));
    case KEY_CALL_NAME: return or_with_variable(reference("call_name"));
    case KEY_WORD:
    case KEY_CHOICE: return or_with_variable(worded(key->words));
    case KEY_FLAG: return or_variable(typed("boolean"));
    case KEY_INTEGER:
    case KEY_BYTES:
    case KEY_MIB:
    case KEY_OWNER: return or_variable(ranged("integer", key->min, key->max));
    case KEY_MS: return or_variable(ranged("number", key->min, key->max));
    case KEY_MS_FOREVER: return or_variable(any_of(ranged("number", key->min, key->max), constant("forever")));
    case KEY_MISSING: return or_variable(any_of(ranged("integer", key->min, key->max), constant("some")));
    case KEY_CONFIG:
    case KEY_RESULT:
    case KEY_OBJECT: return or_variable(reference(key->object->name));
    case KEY_MAP: return map(key);
    case KEY_MATRIX: return matrix();
    case KEY_ANY: return cJSON_CreateObject();
    default: return typed("string");
    }
}

static cJSON *schema_of(const struct key *key)
{
    cJSON *value = value_of(key);
    if (key->list) {
        cJSON *list = typed("array");
        add(list, "items", value);
        value = or_variable(list);
    }
    cJSON *schema = cJSON_CreateObject();
    add(schema, "description", string(key->description));
    if (key->fallback)
        add(schema, "default", parsed(key->fallback));
    if (key->example)
        push(add(schema, "examples", cJSON_CreateArray()), parsed(key->example));
    while (value->child) {
        cJSON *part = cJSON_DetachItemViaPointer(value, value->child);
        char *name = strdup(part->string);
        if (!name)
            scenario_no_memory();
        add(schema, name, part);
        free(name);
    }
    cJSON_Delete(value);
    return schema;
}

/* ---- Objects ----------------------------------------------------------------------------------------------------- */

static void add_rule(const struct key_object *keys, cJSON *all)
{
    cJSON *choice = cJSON_CreateArray();
    for (size_t i = 0; keys->choice && keys->choice[i]; i++) {
        if (keys->rule != KEY_AT_MOST_ONE)
            push(choice, requiring(keys->choice[i], NULL));
        for (size_t k = 0; keys->rule == KEY_AT_MOST_ONE && k < i; k++)
            push(choice, requiring(keys->choice[k], keys->choice[i]));
    }
    if (keys->rule == KEY_ANY_NUMBER) {
        cJSON_Delete(choice);
        return;
    }
    cJSON *schema = cJSON_CreateObject();
    add(schema, keys->rule == KEY_ONE ? "oneOf" : "anyOf", choice);
    push(all, keys->rule == KEY_AT_MOST_ONE ? not(schema) : schema);
}

/* Adds the members of an object's schema. `free`: keys that nobody knows may be there. */
static void fill_object(cJSON *schema, const struct key_object *keys, bool free_keys)
{
    cJSON *properties = cJSON_CreateObject();
    cJSON *required = cJSON_CreateArray();
    cJSON *beside = cJSON_CreateObject();
    cJSON *all = cJSON_CreateArray();
    for (const struct key *key = keys->keys; key->name; key++) {
        add(properties, key->name, schema_of(key));
        if (key->required)
            push(required, string(key->name));
        if (key->with)
            push(add(beside, key->name, cJSON_CreateArray()), string(key->with));
        if (key->without)
            push(all, not(requiring(key->name, key->without)));
    }
    add_rule(keys, all);
    add(schema, "type", string("object"));
    add(schema, "required", required);
    add(schema, "dependencies", beside);
    add(schema, "allOf", all);
    add(schema, "properties", properties);
    if (!free_keys)
        add(schema, "additionalProperties", cJSON_CreateBool(false));
    static const char *const MAY_BE_EMPTY[] = {"required", "dependencies", "allOf"};
    for (size_t i = 0; i < sizeof MAY_BE_EMPTY / sizeof MAY_BE_EMPTY[0]; i++) {
        if (!cJSON_GetObjectItemCaseSensitive(schema, MAY_BE_EMPTY[i])->child)
            cJSON_DeleteItemFromObjectCaseSensitive(schema, MAY_BE_EMPTY[i]);
    }
}

/* Defines the objects that are named in `keys`, and those in them. */
static void define_objects(cJSON *definitions, const struct key_object *keys)
{
    for (const struct key *key = keys->keys; key->name; key++) {
        if (!key->object || cJSON_GetObjectItemCaseSensitive(definitions, key->object->name))
            continue;
        fill_object(add(definitions, key->object->name, cJSON_CreateObject()), key->object, key->kind == KEY_CONFIG);
        define_objects(definitions, key->object);
    }
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

/* Writes a value: on one line if it fits there. */
static void write_value(FILE *out, const cJSON *value, int depth, size_t column)
{
    char *line = cJSON_PrintUnformatted(value);
    if (!line)
        scenario_no_memory();
    const cJSON *part;
    if (!value->child || (column + strlen(line) <= LINE_MAX_WIDTH && depth > 2)) {
        fputs(line, out);
        cJSON_free(line);
        return;
    }
    cJSON_free(line);
    bool object = cJSON_IsObject(value);
    fputs(object ? "{\n" : "[\n", out);
    cJSON_ArrayForEach(part, value) {
        int indent = (depth + 1) * 2;
        size_t key_size = object ? strlen(part->string) + 4 : 0;
        fprintf(out, "%*s", indent, "");
        if (object)
            fprintf(out, "\"%s\": ", part->string);
        write_value(out, part, depth + 1, (size_t)indent + key_size);
        fputs(part->next ? ",\n" : "\n", out);
    }
    fprintf(out, "%*s%s", depth * 2, "", object ? "}" : "]");
}

char *scenario_schema(void)
{
    cJSON *schema = cJSON_CreateObject();
    add(schema, "$schema", string("http://json-schema.org/draft-07/schema#"));
    add(schema, "title", string("A scenario of quiesce-sim"));
    add(schema, "description", string("What is given, what happens, and what must be seen. This file is made by "
                                      "`quiesce-sim schema`."));
    fill_object(schema, &scenario_keys, false);
    cJSON *definitions = add(schema, "definitions", cJSON_CreateObject());
    add(definitions, "variable", matching(VALUES_VARIABLE));
    add(definitions, "text_with_variable", matching("\\$\\{"));
    add(definitions, "error", named(values_errors()));
    add(definitions, "signal", named(values_signals()));
    add(definitions, "errno", named(values_errnos()));
    add(definitions, "call_name", named(values_calls()));
    define_objects(definitions, &scenario_keys);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        scenario_no_memory();
    write_value(out, schema, 0, 0);
    fputc('\n', out);
    if (fclose(out) != 0)
        scenario_no_memory();
    cJSON_Delete(schema);
    return text;
}
