#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define LINKS_MAX 40
#define STEPS_MAX 512
#define FIRST_HANDLE 3

/* ---- The tree ---------------------------------------------------------------------------------------------------- */

static struct node *node_new(struct virtual_world *world, struct node *parent, const char *name, size_t name_size)
{
    struct node *node = arena_take(&world->arena, sizeof *node);
    node->name = arena_bytes(&world->arena, name, name_size);
    node->parent = parent;
    node->kind = QZ_STEP_DIRECTORY;
    node->mode = 0755;
    node->size = 4096;
    node->ino = ++world->next_ino;
    node->ctime_ns = (world->now_us + VIRTUAL_START_US) * 1000 + (int64_t)node->ino;
    if (parent) {
        node->dev = parent->dev;
        node->sibling = parent->children;
        parent->children = node;
    }
    return node;
}

struct node *files_new_root(struct virtual_world *world)
{
    struct node *root = node_new(world, NULL, "", 0);
    root->dev = makedev(8, 1);
    return root;
}

static struct node *child_of(const struct node *directory, const char *name, size_t size)
{
    struct node *child = directory->children;
    while (child && (strncmp(child->name, name, size) != 0 || child->name[size] != '\0'))
        child = child->sibling;
    return child;
}

static void detach(struct node *node)
{
    struct node **at = &node->parent->children;
    while (*at != node)
        at = &(*at)->sibling;
    *at = node->sibling;
}

static void change_content(struct virtual_world *world, struct node *node, const char *content, size_t size)
{
    node->content = arena_bytes(&world->arena, content, size);
    node->size = size;
}

/* The next component of *path, which goes on behind it; *size 0: there is none. */
static const char *next_component(const char **path, size_t *size)
{
    const char *begin = *path + strspn(*path, "/");
    *size = strcspn(begin, "/");
    *path = begin + *size;
    return begin;
}

/* A new node at `path` with its missing parents; symbolic links are not followed. */
static struct node *node_add(struct virtual_world *world, const char *path, enum qz_step_kind kind, uid_t uid,
                             mode_t mode)
{
    struct node *node = world->root;
    size_t size;
    const char *name = next_component(&path, &size);
    while (size > 0) {
        struct node *child = child_of(node, name, size);
        bool last = path[strspn(path, "/")] == '\0';
        if (child && last && (kind != QZ_STEP_DIRECTORY || child->kind != kind)) {
            detach(child);
            child = NULL;
        }
        node = child ? child : node_new(world, node, name, size);
        name = next_component(&path, &size);
    }
    node->kind = kind;
    node->uid = uid;
    node->mode = mode;
    return node;
}

void virtual_add_bytes(struct virtual_world *world, const char *path, uid_t uid, mode_t mode, const void *content,
                       size_t size)
{
    change_content(world, node_add(world, path, QZ_STEP_REGULAR, uid, mode), content, size);
}

void virtual_add_file(struct virtual_world *world, const char *path, uid_t uid, mode_t mode, const char *content)
{
    virtual_add_bytes(world, path, uid, mode, content, strlen(content));
}

void virtual_add_directory(struct virtual_world *world, const char *path, uid_t uid, mode_t mode)
{
    node_add(world, path, QZ_STEP_DIRECTORY, uid, mode);
}

void virtual_add_symlink(struct virtual_world *world, const char *path, const char *target)
{
    change_content(world, node_add(world, path, QZ_STEP_SYMLINK, 0, 0777), target, strlen(target));
}

void virtual_add_other(struct virtual_world *world, const char *path, uid_t uid, mode_t mode)
{
    node_add(world, path, QZ_STEP_OTHER, uid, mode)->size = 0;
}

const char *virtual_file(const struct virtual_world *world, const char *path, size_t *size)
{
    const struct node *node = world->root;
    size_t name_size;
    const char *name = next_component(&path, &name_size);
    while (node && name_size > 0) {
        node = child_of(node, name, name_size);
        name = next_component(&path, &name_size);
    }
    if (!node || node->kind != QZ_STEP_REGULAR)
        return NULL;
    if (size)
        *size = node->size;
    return node->content;
}

static void set_device(struct node *node, dev_t dev)
{
    node->dev = dev;
    for (struct node *child = node->children; child; child = child->sibling)
        set_device(child, dev);
}

void files_mount(struct virtual_world *world, const char *path, dev_t dev)
{
    set_device(node_add(world, path, QZ_STEP_DIRECTORY, 0, 0755), dev);
}

/* ---- Walking ----------------------------------------------------------------------------------------------------- */

struct walk {
    struct virtual_world *world;
    struct node *nodes[STEPS_MAX];
    int parents[STEPS_MAX];
    size_t count;
    int links;
};

static int add_step(struct walk *walk, struct node *node, int parent)
{
    walk->nodes[walk->count] = node;
    walk->parents[walk->count] = parent;
    return (int)walk->count++;
}

/* Follows the components of `path` from step `at`, which it moves along. Returns 0 or an errno. */
static int follow(struct walk *walk, const char *path, int *at)
{
    if (*path == '/')
        *at = 0;
    size_t size;
    for (const char *name = next_component(&path, &size); size > 0; name = next_component(&path, &size)) {
        struct node *directory = walk->nodes[*at];
        if (directory->kind != QZ_STEP_DIRECTORY)
            return ENOTDIR;
        if (size == 1 && name[0] == '.')
            continue;
        if (size == 2 && name[0] == '.' && name[1] == '.') {
            *at = walk->parents[*at] < 0 ? 0 : walk->parents[*at];
            continue;
        }
        struct node *node = child_of(directory, name, size);
        if (!node)
            return ENOENT;
        if (walk->count + 1 == STEPS_MAX)
            return ENAMETOOLONG;
        int step = add_step(walk, node, *at);
        if (node->kind != QZ_STEP_SYMLINK) {
            *at = step;
            continue;
        }
        if (++walk->links > LINKS_MAX)
            return ELOOP;
        int error = follow(walk, node->content, at);
        if (error)
            return error;
    }
    /* A trailing slash asks for a directory. */
    return path[-1] == '/' && walk->nodes[*at]->kind != QZ_STEP_DIRECTORY ? ENOTDIR : 0;
}

/* Returns 0 or the errno that ended the walk; the last step is then the last thing that was there. */
static int walk_path(struct virtual_world *world, const char *path, struct walk *walk)
{
    walk->world = world;
    walk->count = 0;
    walk->links = 0;
    int at = add_step(walk, world->root, -1);
    int error = *path == '/' ? follow(walk, path, &at) : EINVAL;
    if (!error && at != (int)walk->count - 1)
        add_step(walk, walk->nodes[at], walk->parents[at]);
    return error;
}

static struct node *find(struct virtual_world *world, const char *path)
{
    struct walk walk;
    return walk_path(world, path, &walk) == 0 ? walk.nodes[walk.count - 1] : NULL;
}

/* The node's own absolute path, malloc'ed. */
static char *path_of(const struct node *node)
{
    size_t size = node->parent ? 0 : 1;
    for (const struct node *at = node; at->parent; at = at->parent)
        size += strlen(at->name) + 1;
    char *path = malloc(size + 1);
    if (!path)
        return NULL;
    path[0] = '/';
    path[size] = '\0';
    for (const struct node *at = node; at->parent; at = at->parent) {
        size_t length = strlen(at->name);
        size -= length;
        memcpy(path + size, at->name, length);
        path[--size] = '/';
    }
    return path;
}

static int to_facts(const struct walk *walk, int error, struct qz_path_facts *facts)
{
    *facts = (struct qz_path_facts){.error = error, .handle = -1};
    facts->steps = calloc(walk->count, sizeof *facts->steps);
    if (!facts->steps)
        return ENOMEM;
    facts->count = walk->count;
    for (size_t i = 0; i < walk->count; i++) {
        const struct node *node = walk->nodes[i];
        facts->steps[i] = (struct qz_path_step){
            .path = path_of(node),
            .kind = node->kind,
            .parent = walk->parents[i],
            .mode = node->mode,
            .uid = node->uid,
            .dev = node->dev,
            .ino = node->ino,
            .size = (off_t)node->size,
            .ctime_ns = node->ctime_ns,
        };
    }
    return 0;
}

bool files_unchanged(struct virtual_world *world, const char *path, const struct qz_path_facts *facts)
{
    struct walk walk;
    int error = walk_path(world, path, &walk);
    struct qz_path_facts now;
    if (to_facts(&walk, error, &now) != 0)
        return false;
    bool same = qz_path_facts_same(facts, &now);
    for (size_t i = 0; i < now.count; i++)
        free(now.steps[i].path);
    free(now.steps);
    return same;
}

bool files_executable(struct virtual_world *world, const char *path)
{
    const struct node *node = find(world, path);
    return node && node->kind == QZ_STEP_REGULAR && (node->mode & 0111) != 0;
}

void files_swap(struct virtual_world *world, const char *path)
{
    struct node *node = find(world, path);
    if (!node || node->kind != QZ_STEP_REGULAR)
        return;
    detach(node);
    struct node *other = node_new(world, node->parent, node->name, strlen(node->name));
    other->kind = node->kind;
    other->uid = node->uid;
    other->mode = node->mode;
    change_content(world, other, node->content, node->size);
}

/* ---- Operations -------------------------------------------------------------------------------------------------- */

static int open_file(struct process *process, const struct node *node)
{
    size_t i = 0;
    while (i < process->open_file_count && process->open_files[i])
        i++;
    if (i == process->open_file_count) {
        size_t count = i ? i * 2 : 8;
        process->open_files = arena_grow(&process->world->arena, process->open_files, i, count,
                                         sizeof *process->open_files);
        process->open_file_count = count;
    }
    process->open_files[i] = node;
    return (int)i + FIRST_HANDLE;
}

int os_inspect(struct qz_os *os, const char *path, struct qz_path_facts *facts)
{
    struct process *process = process_of(os);
    int fault = enter(process, VIRTUAL_OP_INSPECT);
    *facts = (struct qz_path_facts){.handle = -1};
    struct walk walk;
    int error = walk_path(process->world, path, &walk);
    if (fault) {
        walk.count = 1;
        error = fault;
    }
    int result = fault == ENOMEM ? ENOMEM : to_facts(&walk, error, facts);
    const struct node *last = walk.nodes[walk.count - 1];
    if (!result && !error && last->kind == QZ_STEP_REGULAR)
        facts->handle = open_file(process, last);
    entry_operation(process, VIRTUAL_OP_INSPECT, path, -1, 0, -error);
    leave(process, VIRTUAL_OP_INSPECT);
    return result;
}

static const struct node *opened(struct process *process, int handle)
{
    size_t i = (size_t)(handle - FIRST_HANDLE);
    bool open = handle >= FIRST_HANDLE && i < process->open_file_count && process->open_files[i];
    if (!open)
        violate(process, "a file handle that is not open");
    return open ? process->open_files[i] : NULL;
}

ssize_t files_copy(const char *content, size_t size, size_t limit, char **text)
{
    *text = size > limit ? NULL : malloc(size + 1);
    if (!*text)
        return size > limit ? -EFBIG : -ENOMEM;
    memcpy(*text, content, size);
    return (ssize_t)size;
}

ssize_t os_read_file(struct qz_os *os, int handle, size_t limit, char **text)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_READ_FILE);
    const struct node *node = opened(process, handle);
    *text = NULL;
    if (!error && !node)
        error = EBADF;
    ssize_t result = error ? -(ssize_t)error : files_copy(node->content, node->size, limit, text);
    entry_operation(process, VIRTUAL_OP_READ_FILE, node ? node->name : NULL, -1, handle, result);
    leave(process, VIRTUAL_OP_READ_FILE);
    return result;
}

void os_close_file(struct qz_os *os, int handle)
{
    struct process *process = process_of(os);
    enter(process, VIRTUAL_OP_CLOSE_FILE);
    const struct node *node = opened(process, handle);
    if (node)
        process->open_files[handle - FIRST_HANDLE] = NULL;
    entry_operation(process, VIRTUAL_OP_CLOSE_FILE, node ? node->name : NULL, -1, handle, 0);
    leave(process, VIRTUAL_OP_CLOSE_FILE);
}

/* The directory in which `path` is or would be, and the name there. */
static int find_parent(struct virtual_world *world, const char *path, struct node **parent, const char **name)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash[1] == '\0')
        return EINVAL;
    struct walk walk;
    int error = walk_path(world, arena_bytes(&world->arena, path, (size_t)(slash - path) + 1), &walk);
    *parent = walk.nodes[walk.count - 1];
    *name = slash + 1;
    return error;
}

static int write_node(struct virtual_world *world, const char *path, const char *text, size_t size, mode_t mode,
                      bool replace)
{
    struct node *parent;
    const char *name;
    int error = find_parent(world, path, &parent, &name);
    if (error)
        return error;
    struct node *old = child_of(parent, name, strlen(name));
    if (old && !replace)
        return EEXIST;
    if (old && old->kind == QZ_STEP_DIRECTORY)
        return EISDIR;
    if (old)
        detach(old);
    struct node *node = node_new(world, parent, name, strlen(name));
    node->kind = QZ_STEP_REGULAR;
    node->mode = mode;
    change_content(world, node, text, size);
    return 0;
}

int os_write_file(struct qz_os *os, const char *path, const char *text, size_t size, mode_t mode, bool replace)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_WRITE_FILE);
    if (!error) {
        mounts_write_to(process, path);
        error = write_node(process->world, path, text, size, mode, replace);
    }
    entry_operation(process, VIRTUAL_OP_WRITE_FILE, path, -1, (int64_t)size, -error);
    leave(process, VIRTUAL_OP_WRITE_FILE);
    return error;
}

static int make_node(struct virtual_world *world, const char *path, mode_t mode)
{
    struct node *parent;
    const char *name;
    int error = find_parent(world, path, &parent, &name);
    if (error)
        return error;
    if (!child_of(parent, name, strlen(name)))
        node_new(world, parent, name, strlen(name))->mode = mode;
    return 0;
}

int os_make_directory(struct qz_os *os, const char *path, mode_t mode)
{
    struct process *process = process_of(os);
    int error = enter(process, VIRTUAL_OP_MAKE_DIRECTORY);
    if (!error) {
        mounts_write_to(process, path);
        error = make_node(process->world, path, mode);
    }
    entry_operation(process, VIRTUAL_OP_MAKE_DIRECTORY, path, -1, mode, -error);
    leave(process, VIRTUAL_OP_MAKE_DIRECTORY);
    return error;
}

int os_remove(struct qz_os *os, const char *path)
{
    struct process *process = process_of(os);
    struct virtual_world *world = process->world;
    int error = enter(process, VIRTUAL_OP_REMOVE);
    if (!error) {
        mounts_write_to(process, path);
        struct node *parent;
        const char *name;
        error = find_parent(world, path, &parent, &name);
        struct node *node = error ? NULL : child_of(parent, name, strlen(name));
        if (node)
            detach(node);
        else if (!error)
            error = ENOENT;
    }
    entry_operation(process, VIRTUAL_OP_REMOVE, path, -1, 0, -error);
    leave(process, VIRTUAL_OP_REMOVE);
    return error;
}
