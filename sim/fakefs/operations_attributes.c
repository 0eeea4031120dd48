/* operations_attributes.c: extended attributes. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "memory.h"
#include "server.h"

/* Where the attribute is, or would be put. */
static struct attribute **find(struct node *node, const char *name)
{
    struct attribute **link = &node->attributes;
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

bool attributes_remove(struct node *node, const char *name)
{
    struct attribute **link = find(node, name);
    struct attribute *attribute = *link;
    if (!attribute)
        return false;
    *link = attribute->next;
    free(attribute->name);
    free(attribute->value);
    free(attribute);
    return true;
}

/* Those that mean something to a filesystem (access control lists) this one does not have. */
static int find_node(const struct server *server, const struct operation *operation, struct node **node)
{
    *node = tree_node(&server->tree, operation->node);
    if (!*node)
        return ESTALE;
    return operation->text && strncmp(operation->text, "system.", 7) == 0 ? EOPNOTSUPP : 0;
}

int perform_setxattr(struct server *server, struct operation *operation)
{
    struct node *node = NULL;
    int error = find_node(server, operation, &node);
    if (error)
        return error;
    struct attribute **link = find(node, operation->text);
    if (*link && (operation->flags & XATTR_CREATE))
        return EEXIST;
    if (!*link && (operation->flags & XATTR_REPLACE))
        return ENODATA;
    if (!*link) {
        *link = memory_get(sizeof **link);
        (*link)->name = memory_text(operation->text);
    }
    void *value = memory_get_raw(operation->size + 1);
    memcpy(value, operation->data, operation->size);
    free((*link)->value);
    (*link)->value = value;
    (*link)->size = operation->size;
    node_changed(node);
    fuse_reply_err(operation->request, 0);
    return 0;
}

/* Answers with the bytes, or with how many they are if no room was given. */
static int answer(const struct operation *operation, const void *bytes, size_t size)
{
    if (operation->size == 0)
        fuse_reply_xattr(operation->request, size);
    else if (operation->size < size)
        return ERANGE;
    else
        fuse_reply_buf(operation->request, bytes, size);
    return 0;
}

int perform_getxattr(struct server *server, struct operation *operation)
{
    struct node *node = NULL;
    int error = find_node(server, operation, &node);
    if (error)
        return error;
    const struct attribute *attribute = *find(node, operation->text);
    return attribute ? answer(operation, attribute->value, attribute->size) : ENODATA;
}

int perform_listxattr(struct server *server, struct operation *operation)
{
    struct node *node = NULL;
    int error = find_node(server, operation, &node);
    if (error)
        return error;
    size_t size = 0;
    for (const struct attribute *attribute = node->attributes; attribute; attribute = attribute->next)
        size += strlen(attribute->name) + 1;
    char *names = memory_get_raw(size + 1);
    char *end = names;
    for (const struct attribute *attribute = node->attributes; attribute; attribute = attribute->next)
        end = stpcpy(end, attribute->name) + 1;
    error = answer(operation, names, size);
    free(names);
    return error;
}

int perform_removexattr(struct server *server, struct operation *operation)
{
    struct node *node = NULL;
    int error = find_node(server, operation, &node);
    if (error)
        return error;
    if (!attributes_remove(node, operation->text))
        return ENODATA;
    node_changed(node);
    fuse_reply_err(operation->request, 0);
    return 0;
}
