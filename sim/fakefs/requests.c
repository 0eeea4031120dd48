/* requests.c: what may be asked: one JSON object a line; README.md lists them. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "memory.h"
#include "server.h"

#define DEFAULT_LIMIT 1000
#define ANSWERS_LATER (-1)

/* What a request comes to while it is looked at. */
struct inquiry {
    struct server *server;
    struct asker *asker;
    const cJSON *request;
    cJSON *answer;
    char why[256];
};

__attribute__((format(printf, 3, 4))) static int refuse(struct inquiry *inquiry, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(inquiry->why, sizeof inquiry->why, format, arguments);
    va_end(arguments);
    return error;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* A whole number in a range. Absent: `value` stays as it is. */
static int take_number(struct inquiry *inquiry, const char *key, int64_t least, int64_t most, int64_t *value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(inquiry->request, key);
    if (!item)
        return 0;
    double number = item->valuedouble;
    bool within = cJSON_IsNumber(item) && number >= (double)least && number <= (double)most;
    if (!within || number != (double)(int64_t)number)
        return refuse(inquiry, EINVAL, "%s: a whole number from %lld to %lld", key, (long long)least, (long long)most);
    *value = (int64_t)number;
    return 0;
}

static int take_text(struct inquiry *inquiry, const char *key, bool required, const char **value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(inquiry->request, key);
    if (!item && !required)
        return 0;
    if (!cJSON_IsString(item))
        return refuse(inquiry, EINVAL, "%s: a string", key);
    *value = item->valuestring;
    return 0;
}

/* The kernel knows errors up to 511; ENOSYS it takes for "never ask this again", also where no rule is meant. */
static int take_error(struct inquiry *inquiry, bool asked_by_kernel, int *value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(inquiry->request, "error");
    if (!item)
        return 0;
    int error = cJSON_IsNumber(item) ? item->valueint : 0;
    for (int number = 1; cJSON_IsString(item) && error == 0 && number < 134; number++) {
        const char *name = strerrorname_np(number);
        error = name && strcmp(name, item->valuestring) == 0 ? number : 0;
    }
    if (error < 1 || error > 511)
        return refuse(inquiry, EINVAL, "error: the name of an errno (\"EIO\"), or its number from 1 to 511");
    if (asked_by_kernel && error == ENOSYS)
        return refuse(inquiry, EINVAL, "error: not ENOSYS, after which the kernel asks for no such operation any more");
    *value = error;
    return 0;
}

static int take_operation(struct inquiry *inquiry, bool required, enum rule_for *for_what, enum operation_kind *kind)
{
    const char *name = "*";
    int error = take_text(inquiry, "operation", required, &name);
    if (error)
        return error;
    int known = operation_kind(name);
    if (strcmp(name, "*") == 0)
        *for_what = RULE_ANY;
    else if (strcmp(name, "change") == 0)
        *for_what = RULE_CHANGES;
    else if (known >= 0)
        *for_what = RULE_KIND;
    else
        return refuse(inquiry, EINVAL, "operation: %s is none; one of README.md's, \"change\" or \"*\"", name);
    if (known >= 0)
        *kind = (enum operation_kind)known;
    return 0;
}

static struct node *find_node(struct inquiry *inquiry, const char *path)
{
    struct node *node = tree_walk(&inquiry->server->tree, path);
    if (!node)
        refuse(inquiry, ENOENT, "%s: is not there (paths begin at the mount point)", path);
    return node;
}

/* ---- Rules ------------------------------------------------------------------------------------------------------- */

static int take_chance(struct inquiry *inquiry, struct rule *rule)
{
    int64_t nth = 0;
    int64_t every = 0;
    int error = take_number(inquiry, "nth", 1, INT32_MAX, &nth);
    if (!error)
        error = take_number(inquiry, "every", 1, INT32_MAX, &every);
    if (error)
        return error;
    const cJSON *probability = cJSON_GetObjectItemCaseSensitive(inquiry->request, "probability");
    if ((nth > 0) + (every > 0) + (probability != NULL) > 1)
        return refuse(inquiry, EINVAL, "nth, every, probability: one of them");
    if (probability &&
        !(cJSON_IsNumber(probability) && probability->valuedouble >= 0 && probability->valuedouble <= 1))
        return refuse(inquiry, EINVAL, "probability: a number from 0 to 1");
    rule->chance = probability ? FAKEFS_PROBABILITY : nth > 0 ? FAKEFS_NTH : FAKEFS_EVERY;
    rule->nth = nth > 0 ? (int)nth : every > 0 ? (int)every : 1;
    rule->probability = probability ? probability->valuedouble : 0;
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(inquiry->request, "seed");
    rule->seed = cJSON_IsString(seed) ? strtoull(seed->valuestring, NULL, 10) : 0;
    if (cJSON_IsNumber(seed))
        rule->seed = (uint64_t)seed->valuedouble;
    return 0;
}

static int take_delay(struct inquiry *inquiry, struct rule *rule)
{
    const cJSON *delay = cJSON_GetObjectItemCaseSensitive(inquiry->request, "delay_us");
    if (cJSON_IsString(delay) && strcmp(delay->valuestring, "forever") == 0) {
        rule->delay_us = FOREVER;
        return 0;
    }
    return take_number(inquiry, "delay_us", 0, INT64_C(1) << 50, &rule->delay_us);
}

static int add_rule(struct inquiry *inquiry)
{
    struct rule rule = {0};
    int error = take_operation(inquiry, true, &rule.for_what, &rule.kind);
    bool by_kernel = rule.for_what != RULE_KIND || (rule.kind != OP_FREEZE && rule.kind != OP_THAW);
    const char *path = NULL;
    if (!error)
        error = take_text(inquiry, "path", false, &path);
    if (!error)
        error = take_chance(inquiry, &rule);
    if (!error)
        error = take_error(inquiry, by_kernel, &rule.error);
    if (!error)
        error = take_delay(inquiry, &rule);
    if (!error)
        error = take_number(inquiry, "transfer", 1, INT64_C(1) << 50, &rule.transfer);
    if (!error)
        error = take_number(inquiry, "bytes_per_s", 1, INT64_C(1) << 50, &rule.bytes_per_s);
    if (error)
        return error;
    rule.frozen = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(inquiry->request, "frozen"));
    rule.path = path ? memory_text(path) : NULL;
    rules_add(inquiry->server, &rule);
    return 0;
}

static int clear_rules(struct inquiry *inquiry)
{
    rules_clear(inquiry->server);
    return 0;
}

static int release(struct inquiry *inquiry)
{
    enum rule_for for_what = RULE_ANY;
    enum operation_kind kind = OP_LOOKUP;
    int error = take_operation(inquiry, false, &for_what, &kind);
    if (!error)
        cJSON_AddNumberToObject(inquiry->answer, "count", (double)turn_release(inquiry->server, for_what, kind));
    return error;
}

/* ---- Freezing ---------------------------------------------------------------------------------------------------- */

static int freeze(struct inquiry *inquiry)
{
    freeze_ask(inquiry->server, OP_FREEZE, inquiry->asker);
    return ANSWERS_LATER;
}

static int thaw(struct inquiry *inquiry)
{
    freeze_ask(inquiry->server, OP_THAW, inquiry->asker);
    return ANSWERS_LATER;
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

static int tell_status(struct inquiry *inquiry)
{
    static const char *const STATES[] = {"thawed", "freezing", "frozen"};
    const struct server *server = inquiry->server;
    const struct space *space = &server->tree.space;
    cJSON_AddBoolToObject(inquiry->answer, "mounted", server->mounted);
    cJSON_AddStringToObject(inquiry->answer, "state", STATES[server->freezer.state]);
    cJSON_AddNumberToObject(inquiry->answer, "waiting", (double)turn_count(server, RULE_ANY, OP_LOOKUP));
    cJSON_AddNumberToObject(inquiry->answer, "changes", (double)server->records.changes);
    cJSON_AddNumberToObject(inquiry->answer, "records", (double)server->records.count);
    cJSON_AddNumberToObject(inquiry->answer, "used", (double)space->used_pages * PAGE_BYTES);
    cJSON_AddNumberToObject(inquiry->answer, "size", (double)space->limit_pages * PAGE_BYTES);
    return 0;
}

static int count_waiting(struct inquiry *inquiry)
{
    enum rule_for for_what = RULE_ANY;
    enum operation_kind kind = OP_LOOKUP;
    int error = take_operation(inquiry, false, &for_what, &kind);
    if (!error)
        cJSON_AddNumberToObject(inquiry->answer, "count", (double)turn_count(inquiry->server, for_what, kind));
    return error;
}

static int count_changes(struct inquiry *inquiry)
{
    const char *path = NULL;
    int error = take_text(inquiry, "path", false, &path);
    if (error)
        return error;
    int64_t count = inquiry->server->records.changes;
    if (path) {
        const struct node *node = find_node(inquiry, path);
        if (!node)
            return ENOENT;
        count = node->changes;
    }
    cJSON_AddNumberToObject(inquiry->answer, "count", (double)count);
    return 0;
}

static cJSON *record_object(const struct record *record)
{
    cJSON *object = memory_or_end(cJSON_CreateObject());
    cJSON_AddNumberToObject(object, "at_us", (double)record->at_us);
    cJSON_AddNumberToObject(object, "waited_us", (double)(record->at_us - record->arrived_us));
    cJSON_AddStringToObject(object, "operation", operation_name(record->kind));
    cJSON_AddStringToObject(object, "path", record->path->text);
    if (record->other)
        cJSON_AddStringToObject(object, "to", record->other->text);
    cJSON_AddNumberToObject(object, "pid", record->pid);
    cJSON_AddNumberToObject(object, "offset", (double)record->offset);
    cJSON_AddNumberToObject(object, "length", (double)record->length);
    cJSON_AddNumberToObject(object, "error", record->error);
    return object;
}

static int tell_records(struct inquiry *inquiry)
{
    const struct records *records = &inquiry->server->records;
    int64_t first = 0;
    int64_t limit = DEFAULT_LIMIT;
    enum rule_for for_what = RULE_ANY;
    enum operation_kind kind = OP_LOOKUP;
    int error = take_operation(inquiry, false, &for_what, &kind);
    if (!error)
        error = take_number(inquiry, "first", 0, INT64_C(1) << 50, &first);
    if (!error)
        error = take_number(inquiry, "limit", 1, RECORDS_MOST, &limit);
    if (error)
        return error;
    size_t index = records_oldest(records);
    if ((size_t)first > index)
        index = (size_t)first < records->count ? (size_t)first : records->count;
    cJSON_AddNumberToObject(inquiry->answer, "first", (double)index);
    cJSON *list = cJSON_AddArrayToObject(inquiry->answer, "records");
    for (; limit > 0 && index < records->count; index++) {
        const struct record *record = records_at(records, index);
        if (!rule_is_for(for_what, kind, record->kind))
            continue;
        cJSON_AddItemToArray(list, record_object(record));
        limit--;
    }
    cJSON_AddNumberToObject(inquiry->answer, "next", (double)index);
    return 0;
}

/* ---- Copies ------------------------------------------------------------------------------------------------------ */

/* The directory in which `path` would be, and its name there. */
static int find_place(struct inquiry *inquiry, const char *path, struct node **directory, const char **name)
{
    const char *slash = strrchr(path, '/');
    if (!slash || !slash[1])
        return refuse(inquiry, EINVAL, "to: the path of a file, from the mount point on (\"/copy\")");
    char *parent = memory_or_end(strndup(path, (size_t)(slash - path)));
    *directory = find_node(inquiry, parent);
    free(parent);
    *name = slash + 1;
    if (!*directory)
        return ENOENT;
    if (!S_ISDIR((*directory)->mode))
        return refuse(inquiry, ENOTDIR, "to: %s is not in a directory", path);
    if (tree_find(&inquiry->server->tree, *directory, *name))
        return refuse(inquiry, EEXIST, "to: %s is there already", path);
    return 0;
}

static int copy(struct inquiry *inquiry)
{
    struct server *server = inquiry->server;
    const char *path = NULL;
    const char *to = NULL;
    int64_t at_us = -1;
    int error = take_text(inquiry, "path", true, &path);
    if (!error)
        error = take_text(inquiry, "to", true, &to);
    if (!error)
        error = take_number(inquiry, "at_us", -1, INT64_C(1) << 53, &at_us);
    if (error)
        return error;
    const struct node *node = find_node(inquiry, path);
    if (!node)
        return ENOENT;
    if (!S_ISREG(node->mode))
        return refuse(inquiry, EINVAL, "path: %s is no regular file", path);
    struct node *directory = NULL;
    const char *name = NULL;
    error = find_place(inquiry, to, &directory, &name);
    if (error)
        return error;
    struct content content = {0};
    if (!server->history && at_us >= 0)
        return refuse(inquiry, ENODATA, "at_us: no history is kept (--history)");
    if (!content_share(&content, &node->content, at_us))
        return refuse(inquiry, ENODATA, "at_us: %s was not there yet", path);
    struct node *made = tree_new_node(&server->tree, S_IFREG | 0600, 0, 0);
    content.space = made->content.space;
    content.since_us = server_now_us();
    made->content = content;
    tree_link(&server->tree, directory, name, made);
    node_modified(directory);
    return 0;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static const struct word {
    const char *name;
    const char *keys; /* all that it knows, with a space around each */
    int (*answer)(struct inquiry *inquiry);
} WORDS[] = {
    {"rule", " operation path frozen nth every probability seed error delay_us bytes_per_s transfer ", add_rule},
    {"clear", " ", clear_rules},
    {"release", " operation ", release},
    {"freeze", " ", freeze},
    {"thaw", " ", thaw},
    {"status", " ", tell_status},
    {"waiting", " operation ", count_waiting},
    {"changes", " path ", count_changes},
    {"records", " operation first limit ", tell_records},
    {"copy", " path to at_us ", copy},
};

static int check_keys(struct inquiry *inquiry, const struct word *word)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, inquiry->request)
    {
        char wanted[64];
        snprintf(wanted, sizeof wanted, " %s ", item->string);
        if (strcmp(item->string, "do") != 0 && !strstr(word->keys, wanted))
            return refuse(inquiry, EINVAL, "%s: not a key of \"%s\"; it knows%s", item->string, word->name,
                          word->keys[1] ? word->keys : " none");
    }
    return 0;
}

static int do_word(struct inquiry *inquiry)
{
    const char *name = NULL;
    if (!cJSON_IsObject(inquiry->request))
        return refuse(inquiry, EINVAL, "not a JSON object in one line: {\"do\":\"status\"}");
    int error = take_text(inquiry, "do", true, &name);
    if (error)
        return error;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strcmp(WORDS[i].name, name) == 0) {
            error = check_keys(inquiry, &WORDS[i]);
            return error ? error : WORDS[i].answer(inquiry);
        }
    }
    return refuse(inquiry, EINVAL, "do: %s is none of rule, clear, release, freeze, thaw, status, waiting, changes, "
                                   "records, copy", name);
}

static void put_error(cJSON *answer, int error, const char *why)
{
    cJSON_AddNumberToObject(answer, "error", error);
    if (!error)
        return;
    const char *name = strerrorname_np(error);
    cJSON_AddStringToObject(answer, "name", name ? name : "unknown");
    cJSON_AddStringToObject(answer, "why", why ? why : strerror(error));
}

void requests_finish(struct server *server, struct asker *asker, int error, const char *why)
{
    cJSON *answer = memory_or_end(cJSON_CreateObject());
    put_error(answer, error, why);
    control_answer(server, asker, answer);
}

void requests_do(struct server *server, struct asker *asker, const char *line)
{
    cJSON *request = cJSON_ParseWithOpts(line, NULL, true);
    struct inquiry inquiry = {
        .server = server,
        .asker = asker,
        .request = request,
        .answer = memory_or_end(cJSON_CreateObject()),
    };
    int error = do_word(&inquiry);
    cJSON_Delete(request);
    if (error > 0) { /* nothing but the error */
        cJSON_Delete(inquiry.answer);
        requests_finish(server, asker, error, inquiry.why[0] ? inquiry.why : NULL);
    } else if (error == 0) {
        put_error(inquiry.answer, 0, NULL);
        control_answer(server, asker, inquiry.answer);
    } else {
        cJSON_Delete(inquiry.answer);
    }
}
