/* operation.c: operations by name, kept while they wait, and the paths that they are about. */
#include "operation.h"

#include <string.h>

#include "memory.h"
#include "server.h"

static const struct {
    const char *name;
    bool changes;
    int (*perform)(struct server *server, struct operation *operation);
} OPERATIONS[] = {
#define OPERATION(constant, name, changes, perform) {name, changes, perform},
#include "operations.def"
#undef OPERATION
};

const char *operation_name(enum operation_kind kind)
{
    return OPERATIONS[kind].name;
}

bool operation_changes(enum operation_kind kind)
{
    return OPERATIONS[kind].changes;
}

int operation_kind(const char *name)
{
    for (int kind = 0; kind < OP_COUNT; kind++) {
        if (strcmp(OPERATIONS[kind].name, name) == 0)
            return kind;
    }
    return -1;
}

int operation_perform(struct server *server, struct operation *operation)
{
    return OPERATIONS[operation->kind].perform(server, operation);
}

static const char *copy_text(const char *text)
{
    return text ? memory_text(text) : NULL;
}

struct operation *operation_keep(const struct operation *operation)
{
    struct operation *kept = memory_get(sizeof *kept);
    *kept = *operation;
    kept->owned = true;
    kept->name = copy_text(operation->name);
    kept->new_name = copy_text(operation->new_name);
    kept->text = copy_text(operation->text);
    if (operation->data) {
        void *data = memory_get_raw(operation->size + 1);
        memcpy(data, operation->data, operation->size);
        kept->data = data;
    }
    return kept;
}

void operation_free(struct operation *operation)
{
    if (!operation->owned)
        return;
    free((void *)operation->name);
    free((void *)operation->new_name);
    free((void *)operation->text);
    free((void *)operation->data);
    free(operation);
}

static struct path *path_of(struct server *server, uint64_t number, const char *name)
{
    struct node *node = tree_node(&server->tree, number);
    if (!node)
        return path_new("/");
    struct path *path = tree_path(&server->tree, node);
    return name ? path_join(path, name) : path_hold(path);
}

struct path *operation_path(struct server *server, const struct operation *operation)
{
    return path_of(server, operation->node, operation->name);
}

struct path *operation_other_path(struct server *server, const struct operation *operation)
{
    return operation->new_name ? path_of(server, operation->new_parent, operation->new_name) : NULL;
}
