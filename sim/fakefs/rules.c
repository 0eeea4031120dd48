/* rules.c: what befalls operations. */
#include <fnmatch.h>
#include <string.h>

#include "memory.h"
#include "server.h"

void rules_add(struct server *server, const struct rule *rule)
{
    struct rule *added = memory_get(sizeof *added);
    *added = *rule;
    added->next = NULL;
    struct rule **last = &server->rules;
    while (*last)
        last = &(*last)->next;
    *last = added;
}

void rules_clear(struct server *server)
{
    while (server->rules) {
        struct rule *rule = server->rules;
        server->rules = rule->next;
        free(rule->path);
        free(rule);
    }
}

static bool path_matches(const struct rule *rule, const struct path *path)
{
    return !rule->path || (path && fnmatch(rule->path, path->text, 0) == 0);
}

bool rule_is_for(enum rule_for for_what, enum operation_kind kind, enum operation_kind other)
{
    switch (for_what) {
    case RULE_KIND: return other == kind;
    case RULE_CHANGES: return operation_changes(other);
    case RULE_ANY: break;
    }
    return true;
}

/* Freezing and thawing are meant only where they are named: a rule for everything shall not hold the thaw. */
static bool is_for(const struct server *server, const struct rule *rule, enum operation_kind kind)
{
    if (rule->frozen && server->freezer.state != FROZEN)
        return false;
    if (rule->for_what == RULE_ANY && (kind == OP_FREEZE || kind == OP_THAW))
        return false;
    return rule_is_for(rule->for_what, rule->kind, kind);
}

/* SplitMix64: the number-th draw of the rule's own sequence, in [0, 1). */
static double draw(uint64_t seed, int64_t number)
{
    uint64_t z = seed + (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static bool hits(struct rule *rule)
{
    rule->matches++;
    switch (rule->chance) {
    case FAKEFS_EVERY: return rule->matches % rule->nth == 0;
    case FAKEFS_NTH: return rule->matches == rule->nth;
    case FAKEFS_PROBABILITY: return draw(rule->seed, rule->matches) < rule->probability;
    }
    return false;
}

static int64_t add_up(int64_t one, int64_t other)
{
    return one > FOREVER - other ? FOREVER : one + other;
}

/* How long one has to wait for its transfer to be over, and for those before it. */
static int64_t transfer_us(struct rule *rule, const struct operation *operation, int64_t now)
{
    if (rule->bytes_per_s == 0)
        return 0;
    if (rule->busy_until_us < now)
        rule->busy_until_us = now;
    rule->busy_until_us += (int64_t)((double)operation->size * 1e6 / (double)rule->bytes_per_s);
    return rule->busy_until_us - now;
}

/* What every rule that hits says holds: delays add up, the first error and the shortest transfer count. */
void rules_apply(struct server *server, struct operation *operation, int64_t now)
{
    if (!server->rules)
        return;
    struct path *path = operation_path(server, operation);
    struct path *other = operation_other_path(server, operation);
    int64_t delay_us = 0;
    for (struct rule *rule = server->rules; rule; rule = rule->next) {
        if (!is_for(server, rule, operation->kind) || !(path_matches(rule, path) || path_matches(rule, other)))
            continue;
        if (!hits(rule))
            continue;
        delay_us = add_up(delay_us, rule->delay_us);
        delay_us = add_up(delay_us, transfer_us(rule, operation, now));
        if (!operation->error)
            operation->error = rule->error;
        if (rule->transfer > 0 && (operation->transfer == 0 || rule->transfer < operation->transfer))
            operation->transfer = rule->transfer;
    }
    if (delay_us > 0)
        operation->until_us = add_up(now, delay_us);
    path_drop(path);
    path_drop(other);
}

bool rules_shorten_reads(const struct server *server, const char *path)
{
    for (const struct rule *rule = server->rules; rule; rule = rule->next) {
        bool reads = rule->for_what == RULE_ANY || (rule->for_what == RULE_KIND && rule->kind == OP_READ);
        if (reads && rule->transfer > 0 && (!rule->path || fnmatch(rule->path, path, 0) == 0))
            return true;
    }
    return false;
}
