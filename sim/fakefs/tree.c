/* tree.c: nodes and names; see tree.h. */
#include "tree.h"

#include <limits.h>
#include <string.h>

#include "memory.h"

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static struct timespec now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time;
}

struct node *tree_node(const struct tree *tree, uint64_t number)
{
    return number < tree->node_count ? tree->nodes[number] : NULL;
}

struct node *tree_new_node(struct tree *tree, mode_t mode, uid_t uid, gid_t gid)
{
    struct node *node = memory_get(sizeof *node);
    tree->nodes = memory_grow(tree->nodes, tree->node_count, &tree->node_capacity, sizeof(struct node *));
    tree->nodes[tree->node_count] = node;
    node->number = tree->node_count++;
    node->mode = mode;
    node->uid = uid;
    node->gid = gid;
    node->links = S_ISDIR(mode) ? 2 : 0;
    node->read_at = node->modified_at = node->changed_at = now();
    node->content.space = &tree->space;
    node->next_cookie = 3; /* after "." and ".." */
    return node;
}

static void free_if_unknown(struct tree *tree, struct node *node)
{
    if (node->names || node->lookups > 0 || node->number == ROOT_NUMBER)
        return;
    tree->nodes[node->number] = NULL;
    content_free(&node->content);
    while (node->attributes) {
        struct attribute *attribute = node->attributes;
        node->attributes = attribute->next;
        free(attribute->name);
        free(attribute->value);
        free(attribute);
    }
    path_drop(node->path);
    free(node->target);
    free(node->entries);
    free(node);
}

void tree_forget(struct tree *tree, struct node *node, uint64_t lookups)
{
    node->lookups -= lookups < node->lookups ? lookups : node->lookups;
    free_if_unknown(tree, node);
}

void tree_make(struct tree *tree, int64_t limit_bytes)
{
    tree->space.limit_pages = limit_bytes / PAGE_BYTES;
    tree->table_size = 1024;
    tree->table = memory_get(tree->table_size * sizeof(struct entry *));
    tree->nodes = memory_grow(NULL, 0, &tree->node_capacity, sizeof(struct node *));
    tree->nodes[tree->node_count++] = NULL; /* number 0 is nobody's */
    tree_new_node(tree, S_IFDIR | 0755, 0, 0);
}

void node_changed(struct node *node)
{
    node->changed_at = now();
}

void node_modified(struct node *node)
{
    node->modified_at = node->changed_at = now();
}

void node_stat(const struct node *node, struct stat *out)
{
    int64_t size = node->content.now.size;
    if (S_ISLNK(node->mode))
        size = (int64_t)strlen(node->target);
    *out = (struct stat){
        .st_ino = node->number,
        .st_mode = node->mode,
        .st_nlink = node->links,
        .st_uid = node->uid,
        .st_gid = node->gid,
        .st_rdev = node->device,
        .st_size = size,
        .st_blocks = node->content.now.pages * (PAGE_BYTES / 512),
        .st_blksize = PAGE_BYTES,
        .st_atim = node->read_at,
        .st_mtim = node->modified_at,
        .st_ctim = node->changed_at,
    };
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* FNV-1a */
static uint64_t hash_of(const struct node *directory, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ directory->number;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static struct entry **bucket(const struct tree *tree, const struct node *directory, const char *name)
{
    return &tree->table[hash_of(directory, name) & (tree->table_size - 1)];
}

struct entry *tree_find(const struct tree *tree, const struct node *directory, const char *name)
{
    struct entry *entry = *bucket(tree, directory, name);
    while (entry && (entry->parent != directory || strcmp(entry->name, name) != 0))
        entry = entry->chain;
    return entry;
}

static void grow_table(struct tree *tree)
{
    struct entry **old = tree->table;
    size_t old_size = tree->table_size;
    tree->table_size *= 2;
    tree->table = memory_get(tree->table_size * sizeof(struct entry *));
    for (size_t i = 0; i < old_size; i++) {
        while (old[i]) {
            struct entry *entry = old[i];
            old[i] = entry->chain;
            struct entry **head = bucket(tree, entry->parent, entry->name);
            entry->chain = *head;
            *head = entry;
        }
    }
    free(old);
}

/* Puts an entry, which has parent, name and node, where it is found by these. */
static void insert(struct tree *tree, struct entry *entry)
{
    struct node *directory = entry->parent;
    struct entry **head = bucket(tree, directory, entry->name);
    entry->chain = *head;
    *head = entry;
    entry->cookie = directory->next_cookie++;
    directory->entries = memory_grow(directory->entries, directory->entry_count, &directory->entry_capacity,
                                     sizeof(struct entry *));
    directory->entries[directory->entry_count++] = entry;
    if (S_ISDIR(entry->node->mode))
        directory->links++;
    if (++tree->entry_count > tree->table_size)
        grow_table(tree);
}

static void take_out(struct tree *tree, struct entry *entry)
{
    struct node *directory = entry->parent;
    struct entry **link = bucket(tree, directory, entry->name);
    while (*link != entry)
        link = &(*link)->chain;
    *link = entry->chain;
    size_t place = tree_after(directory, entry->cookie - 1);
    memmove(&directory->entries[place], &directory->entries[place + 1],
            (directory->entry_count - place - 1) * sizeof(struct entry *));
    directory->entry_count--;
    if (S_ISDIR(entry->node->mode))
        directory->links--;
    tree->entry_count--;
}

size_t tree_after(const struct node *directory, uint64_t cookie)
{
    size_t first = 0;
    size_t end = directory->entry_count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (directory->entries[middle]->cookie <= cookie)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

void tree_link(struct tree *tree, struct node *directory, const char *name, struct node *node)
{
    struct entry *entry = memory_get(sizeof *entry);
    *entry = (struct entry){.name = memory_text(name), .node = node, .parent = directory};
    struct entry **last = &node->names;
    while (*last)
        last = &(*last)->next_name;
    *last = entry;
    if (!S_ISDIR(node->mode))
        node->links++;
    insert(tree, entry);
}

void tree_unlink(struct tree *tree, struct entry *entry)
{
    struct node *node = entry->node;
    tree_path(tree, node); /* remembered, for those who still have it open */
    take_out(tree, entry);
    struct entry **link = &node->names;
    while (*link != entry)
        link = &(*link)->next_name;
    *link = entry->next_name;
    if (S_ISDIR(node->mode))
        node->links = 0;
    else
        node->links--;
    free(entry->name);
    free(entry);
    if (node->names)
        tree->path_state++;
    free_if_unknown(tree, node);
}

void tree_move(struct tree *tree, struct entry *entry, struct node *directory, const char *name)
{
    take_out(tree, entry);
    char *old = entry->name;
    entry->name = memory_text(name);
    entry->parent = directory;
    free(old);
    insert(tree, entry);
    tree->path_state++;
}

void tree_exchange(struct tree *tree, struct entry *one, struct entry *other)
{
    take_out(tree, one);
    take_out(tree, other);
    struct entry before = *one;
    one->name = other->name;
    one->parent = other->parent;
    other->name = before.name;
    other->parent = before.parent;
    insert(tree, one);
    insert(tree, other);
    tree->path_state++;
}

/* ---- Paths ------------------------------------------------------------------------------------------------------- */

struct node *tree_walk(const struct tree *tree, const char *path)
{
    struct node *node = tree_node(tree, ROOT_NUMBER);
    char name[NAME_MAX + 1];
    while (node) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            return node;
        if (length > NAME_MAX)
            return NULL;
        memcpy(name, path, length);
        name[length] = '\0';
        struct entry *entry = tree_find(tree, node, name);
        node = entry ? entry->node : NULL;
        path += length;
    }
    return NULL;
}

struct path *tree_path(struct tree *tree, struct node *node)
{
    if (node->path && (node->path_state == tree->path_state || !node->names))
        return node->path;
    struct path *path = NULL;
    if (node->names)
        path = path_join(tree_path(tree, node->names->parent), node->names->name);
    else
        path = path_new("/");
    path_drop(node->path);
    node->path = path;
    node->path_state = tree->path_state;
    return path;
}
