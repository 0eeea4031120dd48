/* shrink.c: a violation made small: members and elements are taken out, one at a time, and numbers made simple, as long
 * as the same goes wrong. What makes no sense without the part is refused by the reader, which costs nothing. */
#include <math.h>
#include <string.h>

#include "put.h"
#include "random.h"

#define PLAYS_MAX 5000

struct shrinker {
    cJSON *root;
    const char *kind;
    int plays;
};

static bool still(struct shrinker *shrinker)
{
    struct random_verdict verdict;
    if (shrinker->plays++ >= PLAYS_MAX)
        return false;
    random_play_apart(shrinker->root, &verdict);
    return verdict.sound && strcmp(verdict.kind, shrinker->kind) == 0;
}

/* What it is a scenario of this kind by. */
static bool is_kept(const cJSON *item)
{
    static const char *const KEPT[] = {"description", "worlds", "oracle"};
    for (size_t i = 0; item->string && i < sizeof KEPT / sizeof KEPT[0]; i++) {
        if (strcmp(item->string, KEPT[i]) == 0)
            return true;
    }
    return false;
}

/* Takes `count` children from `index` out. False: they are needed, and all children are back, as copies. */
static bool take_out(struct shrinker *shrinker, cJSON *parent, int index, int count)
{
    cJSON *before = must(cJSON_Duplicate(parent, true));
    for (int i = 0; i < count; i++)
        cJSON_DeleteItemFromArray(parent, index);
    bool needed = !still(shrinker);
    cJSON *children = parent->child;
    if (needed) {
        parent->child = before->child;
        before->child = children;
    }
    cJSON_Delete(before);
    return !needed;
}

static bool simplify_number(struct shrinker *shrinker, cJSON *item)
{
    double was = item->valuedouble;
    const double simpler[] = {1, 10, 100, 1000, floor(was / 2), floor(was)};
    for (size_t i = 0; i < sizeof simpler / sizeof simpler[0]; i++) {
        if (simpler[i] >= was || simpler[i] < 1)
            continue;
        cJSON_SetNumberValue(item, simpler[i]);
        if (still(shrinker))
            return true;
    }
    cJSON_SetNumberValue(item, was);
    return false;
}

/* One pass over an object or array, from its end: what comes last depends on what came before. */
static bool shrink_children(struct shrinker *shrinker, cJSON *parent)
{
    bool smaller = false;
    for (int i = cJSON_GetArraySize(parent) - 1; i >= 0; i--) {
        cJSON *item = cJSON_GetArrayItem(parent, i);
        bool is_word = cJSON_IsString(item) && !item->string;
        if (is_kept(item))
            continue;
        if (take_out(shrinker, parent, i, 1)) {
            smaller = true;
            continue;
        }
        if (is_word && i > 0 && take_out(shrinker, parent, i - 1, 2)) { /* an option and its value */
            smaller = true;
            i--;
            continue;
        }
        item = cJSON_GetArrayItem(parent, i);
        smaller |= cJSON_IsNumber(item) ? simplify_number(shrinker, item) : shrink_children(shrinker, item);
    }
    return smaller;
}

int random_shrink(cJSON *scenario, const char *kind)
{
    struct shrinker shrinker = {scenario, kind, 0};
    while (shrink_children(&shrinker, scenario))
        ;
    return shrinker.plays;
}
