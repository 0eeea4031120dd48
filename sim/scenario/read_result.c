/* read_result.c: what is expected of the JSON result. Values may be anything, but a member that no result has is a
 * mistake, and no expectation that fails. */
#include "read.h"

static bool check_members(struct reader *reader, const struct key_object *keys, const cJSON *object)
{
    const cJSON *member;
    bool good = scenario_check_known(reader, keys, object);
    cJSON_ArrayForEach(member, object) {
        const struct key *key = scenario_find_key(keys, member->string);
        if (key && key->kind == KEY_RESULT)
            good = scenario_check_result(reader, key, member) && good;
    }
    return good;
}

bool scenario_check_result(struct reader *reader, const struct key *key, const cJSON *item)
{
    const cJSON *value, *part;
    if (!matrix_value(reader, item, true, &value))
        return false;
    if (!value)
        return true;
    if (key->list ? !cJSON_IsArray(value) : !cJSON_IsObject(value))
        return scenario_refuse(reader, value, key->name, "%s; allowed is %s", scenario_shown(reader, value),
                               scenario_allowed(reader->memory, key));
    if (!key->list)
        return check_members(reader, key->object, value);
    struct key one = *key;
    bool good = true;
    one.list = false;
    cJSON_ArrayForEach(part, value)
        good = scenario_check_result(reader, &one, part) && good;
    return good;
}
