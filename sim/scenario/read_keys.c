/* read_keys.c: which keys an object has. */
#include <string.h>

#include "read.h"

const struct key *scenario_find_key(const struct key_object *keys, const char *name)
{
    for (const struct key *key = keys->keys; key->name; key++) {
        if (strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

bool scenario_check_known(struct reader *reader, const struct key_object *keys, const cJSON *item)
{
    const cJSON *member;
    size_t count = 0;
    bool good = true;
    while (keys->keys[count].name)
        count++;
    cJSON_ArrayForEach(member, item) {
        if (scenario_find_key(keys, member->string))
            continue;
        const char **known = scenario_take(reader->memory, (count + 1) * sizeof *known);
        for (size_t i = 0; i < count; i++)
            known[i] = keys->keys[i].name;
        good = scenario_refuse_key(reader, member, "the key \"%s\" is not known here%s", member->string,
                                   scenario_nearest_or_all(reader, member->string, known));
    }
    return good;
}

static bool check_beside(struct reader *reader, const struct key_object *keys, const cJSON *item)
{
    bool good = true;
    for (const struct key *key = keys->keys; key->name; key++) {
        const cJSON *member = scenario_member(reader, item, key->name);
        if (key->required && !member)
            good = scenario_refuse(reader, item, keys->name, "the key \"%s\" is missing", key->name);
        if (member && key->with && !scenario_member(reader, item, key->with))
            good = scenario_refuse_key(reader, member, "the key \"%s\" is allowed only beside \"%s\"", key->name,
                                       key->with);
        if (member && key->without && scenario_member(reader, item, key->without))
            good = scenario_refuse_key(reader, member, "the key \"%s\" is not allowed beside \"%s\"", key->name,
                                       key->without);
    }
    return good;
}

static bool check_rule(struct reader *reader, const struct key_object *keys, const cJSON *item)
{
    static const char *const SAYS[] = {"", "exactly one", "at most one", "at least one"};
    const char *all = "";
    const cJSON *second = NULL;
    int count = 0;
    if (keys->rule == KEY_ANY_NUMBER)
        return true;
    for (size_t i = 0; keys->choice[i]; i++) {
        const cJSON *member = scenario_member(reader, item, keys->choice[i]);
        count += member != NULL;
        if (member && count == 2)
            second = member;
        all = scenario_format(reader->memory, "%s%s%s", all, i ? ", " : "", keys->choice[i]);
    }
    if (second && keys->rule != KEY_AT_LEAST_ONE)
        return scenario_refuse_key(reader, second, "the key \"%s\" is one too many; allowed is %s of %s",
                                   second->string,
                                   SAYS[keys->rule], all);
    if (count == 0 && keys->rule != KEY_AT_MOST_ONE)
        return scenario_refuse(reader, item, keys->name, "a key is missing; allowed is %s of %s", SAYS[keys->rule],
                               all);
    return true;
}

bool scenario_check_company(struct reader *reader, const struct key_object *keys, const cJSON *item)
{
    return check_beside(reader, keys, item) && check_rule(reader, keys, item);
}
