#include "matrix.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

#define LABEL_MAX 48
#define DEPTH_MAX 8 /* values that are variables themselves */

/* ---- References -------------------------------------------------------------------------------------------------- */

/* "${name.member.member}" in a text. */
struct reference {
    const char *name;
    size_t name_size;
    const char *path; /* behind the name: ".member.member", or "" */
    size_t path_size;
    size_t size;      /* of it all */
};

static size_t word_size(const char *text)
{
    size_t size = 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_')
        size++;
    return size;
}

/* Does a reference begin here? */
static bool read_reference(const char *text, struct reference *reference)
{
    if (strncmp(text, "${", 2) != 0)
        return false;
    *reference = (struct reference){.name = text + 2, .name_size = word_size(text + 2)};
    const char *end = reference->path = text + 2 + reference->name_size;
    while (*end == '.' && word_size(end + 1) > 0)
        end += 1 + word_size(end + 1);
    reference->path_size = (size_t)(end - reference->path);
    reference->size = (size_t)(end + 1 - text);
    return reference->name_size > 0 && *end == '}';
}

static struct matrix_variable *variable_of(const struct reader *reader, const struct reference *reference)
{
    for (size_t i = 0; i < reader->matrix.count; i++) {
        struct matrix_variable *variable = &reader->matrix.variables[i];
        if (strlen(variable->name) == reference->name_size &&
            memcmp(variable->name, reference->name, reference->name_size) == 0)
            return variable;
    }
    return NULL;
}

static bool refuse_unknown(struct reader *reader, const cJSON *item, const struct reference *reference)
{
    const char **known = scenario_take(reader->memory, (reader->matrix.count + 1) * sizeof *known);
    for (size_t i = 0; i < reader->matrix.count; i++)
        known[i] = reader->matrix.variables[i].name;
    const char *name = scenario_copy(reader->memory, reference->name, reference->name_size);
    return scenario_refuse(reader, item, scenario_key_of(reader, item), "${%s} is %s%s", name,
                           reader->matrix.count ? "no variable of the matrix" : "a variable, and there is no matrix",
                           scenario_nearest_or_all(reader, name, known));
}

static void note_member(struct reader *reader, const char *member)
{
    struct matrix *matrix = &reader->matrix;
    for (size_t i = 0; i < matrix->member_count; i++) {
        if (strcmp(matrix->members[i], member) == 0)
            return;
    }
    if (matrix->member_count == matrix->member_capacity) {
        matrix->member_capacity = matrix->member_capacity ? matrix->member_capacity * 2 : 16;
        matrix->members = realloc(matrix->members, matrix->member_capacity * sizeof *matrix->members);
        if (!matrix->members)
            scenario_no_memory();
    }
    matrix->members[matrix->member_count++] = member;
}

/* Has any value of the variable this member? Then its not being in the chosen one is no mistake. */
static bool any_has(const struct matrix_variable *variable, const char *member)
{
    const cJSON *value;
    cJSON_ArrayForEach(value, variable->values) {
        if (cJSON_GetObjectItemCaseSensitive(value, member))
            return true;
    }
    return false;
}

/* Adds a name unless it is there. Returns how many were added. */
static size_t add_name(const char **names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return 0;
    }
    names[count] = name;
    return 1;
}

static bool refuse_member(struct reader *reader, const cJSON *item, const struct matrix_variable *variable,
                          const char *member)
{
    const char **known = NULL;
    size_t count = 0;
    const cJSON *value, *entry;
    cJSON_ArrayForEach(value, variable->values)
        count += cJSON_IsObject(value) ? (size_t)cJSON_GetArraySize(value) : 0;
    known = scenario_take(reader->memory, (count + 1) * sizeof *known);
    count = 0;
    cJSON_ArrayForEach(value, variable->values) {
        if (cJSON_IsObject(value)) {
            cJSON_ArrayForEach(entry, value)
                count += add_name(known, count, entry->string);
        }
    }
    return scenario_refuse(reader, item, scenario_key_of(reader, item),
                           "${%s.%s}: no value of %s has a member %s%s",
                           variable->name, member, variable->name, member,
                           scenario_nearest_or_all(reader, member, known));
}

/* The value that a reference stands for; *value NULL: none here. `*known` false: nobody knows the variable, and
 * that is no mistake. */
static bool look_up(struct reader *reader, const cJSON *item, const struct reference *reference, bool strict,
                    bool *known, const cJSON **value)
{
    struct matrix_variable *variable = variable_of(reader, reference);
    *known = variable != NULL;
    if (!variable)
        return strict ? refuse_unknown(reader, item, reference) : true;
    variable->used = true;
    variable->used_whole = variable->used_whole || reference->path_size == 0;
    *value = variable->chosen;
    const char *end = reference->path + reference->path_size;
    for (const char *at = reference->path; at < end; at += 1 + word_size(at + 1)) {
        const char *member = scenario_copy(reader->memory, at + 1, word_size(at + 1));
        if (at == reference->path) {
            note_member(reader, member);
            if (!any_has(variable, member))
                return refuse_member(reader, item, variable, member);
        }
        *value = cJSON_GetObjectItemCaseSensitive(*value, member);
    }
    return true;
}

/* ---- What stands for a value ------------------------------------------------------------------------------------- */

bool matrix_value(struct reader *reader, const cJSON *item, bool strict, const cJSON **value)
{
    *value = item;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        struct reference reference;
        bool known;
        if (!cJSON_IsString(item) || !read_reference(item->valuestring, &reference) ||
            item->valuestring[reference.size] != '\0')
            return true;
        if (!look_up(reader, item, &reference, strict, &known, value))
            return false;
        if (!known || !*value)
            return true;
        item = *value;
    }
    return scenario_refuse(reader, item, "matrix", "a variable that stands for itself");
}

static const char *number_text(struct reader *reader, double number)
{
    if (number == (double)(long long)number)
        return scenario_format(reader->memory, "%lld", (long long)number);
    return scenario_format(reader->memory, "%.15g", number);
}

/* Text of what a variable stands for; NULL: it is none. */
static const char *value_text(struct reader *reader, const cJSON *value)
{
    if (!value || cJSON_IsNull(value))
        return "";
    if (cJSON_IsString(value))
        return value->valuestring;
    if (cJSON_IsNumber(value))
        return number_text(reader, value->valuedouble);
    if (cJSON_IsBool(value))
        return cJSON_IsTrue(value) ? "true" : "false";
    return NULL;
}

/* Adds `text` to what is put together. */
static char *join(char *whole, size_t *size, const char *text, size_t length)
{
    whole = realloc(whole, *size + length + 1);
    if (!whole)
        scenario_no_memory();
    memcpy(whole + *size, text, length);
    *size += length;
    whole[*size] = '\0';
    return whole;
}

/* Replaces every reference in the string. NULL: a mistake. */
static const char *replace_all(struct reader *reader, const cJSON *item, bool strict)
{
    size_t size = 0;
    char *whole = join(NULL, &size, "", 0);
    for (const char *at = item->valuestring; *at;) {
        struct reference reference;
        bool known = false;
        const cJSON *value = NULL;
        size_t plain = 1 + strcspn(at + 1, "$");
        if (!read_reference(at, &reference)) {
            whole = join(whole, &size, at, plain);
            at += plain;
            continue;
        }
        const char *text = NULL;
        bool found = look_up(reader, item, &reference, strict, &known, &value);
        if (found && known && !(text = value_text(reader, value)))
            found = scenario_refuse(reader, item, scenario_key_of(reader, item),
                                    "%.*s in the middle of a text is a list or an object here; allowed is a string, a "
                                    "number, true or false", (int)reference.size, at);
        if (!found) {
            free(whole);
            return NULL;
        }
        whole = text ? join(whole, &size, text, strlen(text)) : join(whole, &size, at, reference.size);
        at += reference.size;
    }
    const char *copy = scenario_copy(reader->memory, whole, size);
    free(whole);
    return copy;
}

bool matrix_text(struct reader *reader, const cJSON *item, bool strict, const char **text)
{
    const cJSON *value;
    *text = NULL;
    if (!matrix_value(reader, item, strict, &value))
        return false;
    if (value != item && value && !cJSON_IsString(value)) {
        *text = cJSON_IsNull(value) ? NULL : value_text(reader, value);
        return true;
    }
    if (!value || !cJSON_IsString(value))
        return true;
    *text = replace_all(reader, value, strict);
    return *text != NULL;
}

/* ---- Trees ------------------------------------------------------------------------------------------------------- */

static bool copy_value(struct reader *reader, const cJSON *item, cJSON **copy);

static bool copy_children(struct reader *reader, const cJSON *value, cJSON *copy)
{
    const cJSON *child;
    cJSON_ArrayForEach(child, value) {
        cJSON *part = NULL;
        if (!copy_value(reader, child, &part))
            return false;
        if (part && cJSON_IsObject(value))
            cJSON_AddItemToObject(copy, child->string, part);
        else if (part)
            cJSON_AddItemToArray(copy, part);
    }
    return true;
}

static bool copy_value(struct reader *reader, const cJSON *item, cJSON **copy)
{
    const cJSON *value;
    if (!matrix_value(reader, item, true, &value))
        return false;
    if (!value)
        return true;
    if (cJSON_IsString(value)) {
        const char *text = replace_all(reader, value, true);
        *copy = text ? cJSON_CreateString(text) : NULL;
        return text != NULL;
    }
    *copy = cJSON_Duplicate(value, false);
    if (!*copy)
        scenario_no_memory();
    if (copy_children(reader, value, *copy))
        return true;
    cJSON_Delete(*copy);
    *copy = NULL;
    return false;
}

bool matrix_tree(struct reader *reader, const cJSON *item, const cJSON **tree)
{
    cJSON *copy = NULL;
    *tree = NULL;
    if (!copy_value(reader, item, &copy))
        return false;
    if (copy) {
        cJSON_free(copy->string);
        copy->string = NULL;
        *tree = scenario_keep(reader->memory, copy);
    }
    return true;
}

/* ---- Combinations ------------------------------------------------------------------------------------------------ */

/* How a value goes by in the name of a combination: its member "name", itself, or which one it is. */
static const char *label_of(struct reader *reader, const struct matrix_variable *variable, const cJSON *value)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(value, "name");
    const char *label = cJSON_IsString(name) ? name->valuestring : NULL;
    if (!label && !cJSON_IsObject(value))
        label = cJSON_IsNull(value) ? "null" : value_text(reader, value);
    bool plain = label && label[0] && strlen(label) <= LABEL_MAX;
    for (size_t i = 0; plain && label[i]; i++)
        plain = !iscntrl((unsigned char)label[i]);
    if (plain)
        return label;
    int index = 1;
    for (const cJSON *at = variable->values->child; at != value; at = at->next)
        index++;
    return scenario_format(reader->memory, "#%d", index);
}

static bool check_labels(struct reader *reader, const struct matrix_variable *variable)
{
    for (const cJSON *value = variable->values->child; value; value = value->next) {
        const char *label = label_of(reader, variable, value);
        for (const cJSON *other = variable->values->child; other != value; other = other->next) {
            if (strcmp(label_of(reader, variable, other), label) == 0)
                return scenario_refuse(reader, value, variable->name,
                                       "\"%s\" is there a second time; each value has a name of its own", label);
        }
    }
    return true;
}

static bool open_variable(struct reader *reader, const cJSON *values, size_t *combinations)
{
    struct matrix_variable *variable = &reader->matrix.variables[reader->matrix.count++];
    *variable = (struct matrix_variable){.name = values->string, .values = values, .chosen = values->child};
    if (variable->name[0] == '\0' || word_size(variable->name) != strlen(variable->name))
        return scenario_refuse_key(reader, values, "\"%s\" is no name of a variable; allowed are letters, digits and _",
                                   variable->name);
    if (!cJSON_IsArray(values) || !values->child)
        return scenario_refuse(reader, values, variable->name, "allowed is a list of one value or more");
    *combinations *= (size_t)cJSON_GetArraySize(values);
    if (*combinations > MATRIX_COMBINATIONS_MAX)
        return scenario_refuse(reader, values, variable->name, "too many combinations; allowed are %d",
                               MATRIX_COMBINATIONS_MAX);
    return check_labels(reader, variable);
}

bool matrix_open(struct reader *reader, const cJSON *root)
{
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, "matrix");
    const cJSON *values;
    size_t combinations = 1;
    reader->matrix = (struct matrix){NULL, 0, NULL, 0, 0};
    if (!object)
        return true;
    if (!cJSON_IsObject(object))
        return scenario_refuse(reader, object, "matrix",
                               "allowed is an object: names of variables, each with a list of values");
    reader->matrix.variables = calloc((size_t)cJSON_GetArraySize(object) + 1, sizeof *reader->matrix.variables);
    if (!reader->matrix.variables)
        scenario_no_memory();
    bool good = true;
    cJSON_ArrayForEach(values, object)
        good = open_variable(reader, values, &combinations) && good;
    return good;
}

void matrix_close(struct reader *reader)
{
    free(reader->matrix.variables);
    free(reader->matrix.members);
    reader->matrix = (struct matrix){NULL, 0, NULL, 0, 0};
}

bool matrix_next(struct reader *reader)
{
    for (size_t i = reader->matrix.count; i > 0; i--) {
        struct matrix_variable *variable = &reader->matrix.variables[i - 1];
        variable->chosen = variable->chosen->next;
        if (variable->chosen)
            return true;
        variable->chosen = variable->values->child;
    }
    return false;
}

const char *matrix_name(struct reader *reader)
{
    const char *name = "";
    for (size_t i = 0; i < reader->matrix.count; i++) {
        const struct matrix_variable *variable = &reader->matrix.variables[i];
        name = scenario_format(reader->memory, "%s%s%s=%s", name, i ? "," : "", variable->name,
                               label_of(reader, variable, variable->chosen));
    }
    return name;
}

static bool is_used_member(const struct matrix *matrix, const char *member)
{
    for (size_t i = 0; i < matrix->member_count; i++) {
        if (strcmp(matrix->members[i], member) == 0)
            return true;
    }
    return strcmp(member, "name") == 0;
}

bool matrix_check_used(struct reader *reader)
{
    const struct matrix *matrix = &reader->matrix;
    bool good = true;
    for (size_t i = 0; i < matrix->count; i++) {
        const struct matrix_variable *variable = &matrix->variables[i];
        const cJSON *value, *member;
        if (!variable->used)
            good = scenario_refuse_key(reader, variable->values, "${%s} is nowhere in this file", variable->name);
        if (!variable->used || variable->used_whole)
            continue;
        cJSON_ArrayForEach(value, variable->values) {
            cJSON_ArrayForEach(member, value) {
                if (member->string && !is_used_member(matrix, member->string))
                    good = scenario_refuse_key(reader, member, "${%s.%s} is nowhere in this file", variable->name,
                                               member->string);
            }
        }
    }
    return good;
}
