/* operations_names.c: what is done to names: looking up, making, removing, renaming, listing. Permissions, cycles of
 * directories and the like the kernel has checked before it asks (default_permissions). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "server.h"

/* The directory that has the number and may be written to, for a name that can be one. */
static int find_directory(const struct server *server, uint64_t number, const char *name, struct node **directory)
{
    *directory = tree_node(&server->tree, number);
    if (!*directory)
        return ESTALE;
    if (strlen(name) > NAME_MAX)
        return ENAMETOOLONG;
    return (*directory)->links == 0 ? ENOENT : 0;
}

static int find_entry(const struct server *server, uint64_t number, const char *name, struct entry **entry)
{
    struct node *directory = NULL;
    int error = find_directory(server, number, name, &directory);
    if (error)
        return error;
    *entry = tree_find(&server->tree, directory, name);
    return *entry ? 0 : ENOENT;
}

/* Nothing is left to be cached: every look at the filesystem is an operation that rules and records can see. */
static struct fuse_entry_param entry_of(struct node *node)
{
    struct fuse_entry_param entry = {.ino = node->number};
    node_stat(node, &entry.attr);
    node->lookups++;
    return entry;
}

static void answer_entry(struct server *server, const struct operation *operation, struct node *node)
{
    struct fuse_entry_param entry = entry_of(node);
    if (fuse_reply_entry(operation->request, &entry) != 0)
        tree_forget(&server->tree, node, 1); /* nobody waited any more */
}

int perform_lookup(struct server *server, struct operation *operation)
{
    struct entry *entry = NULL;
    int error = find_entry(server, operation->node, operation->name, &entry);
    if (!error)
        answer_entry(server, operation, entry->node);
    return error;
}

int perform_readlink(struct server *server, struct operation *operation)
{
    const struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    if (!S_ISLNK(node->mode))
        return EINVAL;
    fuse_reply_readlink(operation->request, node->target);
    return 0;
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static struct node *make(struct server *server, const struct operation *operation, struct node *directory)
{
    bool inherits = directory->mode & S_ISGID;
    mode_t mode = operation->mode | (inherits && S_ISDIR(operation->mode) ? S_ISGID : 0);
    struct node *node =
        tree_new_node(&server->tree, mode, operation->uid, inherits ? directory->gid : operation->gid);
    node->device = operation->device;
    node->content.since_us = server->records.moment_us;
    if (operation->text)
        node->target = memory_text(operation->text);
    tree_link(&server->tree, directory, operation->name, node);
    node_modified(directory);
    return node;
}

int perform_make(struct server *server, struct operation *operation)
{
    struct node *directory = NULL;
    int error = find_directory(server, operation->node, operation->name, &directory);
    if (error)
        return error;
    if (tree_find(&server->tree, directory, operation->name))
        return EEXIST;
    answer_entry(server, operation, make(server, operation, directory));
    return 0;
}

int perform_create(struct server *server, struct operation *operation)
{
    struct node *directory = NULL;
    int error = find_directory(server, operation->node, operation->name, &directory);
    if (error)
        return error;
    struct entry *there = tree_find(&server->tree, directory, operation->name);
    if (there && (operation->flags & O_EXCL))
        return EEXIST;
    struct node *node = there ? there->node : make(server, operation, directory);
    struct fuse_entry_param entry = entry_of(node);
    struct fuse_file_info file = {.flags = operation->flags, .keep_cache = 1};
    file.direct_io = rules_shorten_reads(server, tree_path(&server->tree, node)->text);
    if (fuse_reply_create(operation->request, &entry, &file) != 0)
        tree_forget(&server->tree, node, 1);
    return 0;
}

int perform_link(struct server *server, struct operation *operation)
{
    struct node *directory = NULL;
    int error = find_directory(server, operation->new_parent, operation->new_name, &directory);
    if (error)
        return error;
    struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    if (S_ISDIR(node->mode))
        return EPERM;
    if (!node->names)
        return ENOENT;
    if (tree_find(&server->tree, directory, operation->new_name))
        return EEXIST;
    tree_link(&server->tree, directory, operation->new_name, node);
    node_modified(directory);
    node_changed(node);
    answer_entry(server, operation, node);
    return 0;
}

/* ---- Removing ---------------------------------------------------------------------------------------------------- */

static void remove_entry(struct server *server, struct entry *entry)
{
    node_modified(entry->parent);
    node_changed(entry->node);
    tree_unlink(&server->tree, entry);
}

int perform_unlink(struct server *server, struct operation *operation)
{
    struct entry *entry = NULL;
    int error = find_entry(server, operation->node, operation->name, &entry);
    if (error)
        return error;
    if (S_ISDIR(entry->node->mode))
        return EISDIR;
    remove_entry(server, entry);
    fuse_reply_err(operation->request, 0);
    return 0;
}

int perform_rmdir(struct server *server, struct operation *operation)
{
    struct entry *entry = NULL;
    int error = find_entry(server, operation->node, operation->name, &entry);
    if (error)
        return error;
    if (!S_ISDIR(entry->node->mode))
        return ENOTDIR;
    if (entry->node->entry_count > 0)
        return ENOTEMPTY;
    remove_entry(server, entry);
    fuse_reply_err(operation->request, 0);
    return 0;
}

/* ---- Renaming ---------------------------------------------------------------------------------------------------- */

/* May `entry` take the place of `there`? */
static int can_replace(const struct entry *entry, const struct entry *there)
{
    bool directory = S_ISDIR(entry->node->mode);
    if (directory && !S_ISDIR(there->node->mode))
        return ENOTDIR;
    if (!directory && S_ISDIR(there->node->mode))
        return EISDIR;
    return there->node->entry_count > 0 ? ENOTEMPTY : 0;
}

static int check_rename(const struct entry *entry, const struct entry *there, int flags)
{
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return EINVAL;
    if (flags & RENAME_EXCHANGE)
        return there ? 0 : ENOENT;
    if (!there)
        return 0;
    return flags & RENAME_NOREPLACE ? EEXIST : can_replace(entry, there);
}

int perform_rename(struct server *server, struct operation *operation)
{
    struct entry *entry = NULL;
    struct node *directory = NULL;
    int error = find_entry(server, operation->node, operation->name, &entry);
    if (!error)
        error = find_directory(server, operation->new_parent, operation->new_name, &directory);
    if (error)
        return error;
    struct entry *there = tree_find(&server->tree, directory, operation->new_name);
    error = check_rename(entry, there, operation->flags);
    if (error)
        return error;
    if (!there || there->node != entry->node) { /* two names of one file stay as they are */
        node_modified(entry->parent);
        node_modified(directory);
        node_changed(entry->node);
        if (operation->flags & RENAME_EXCHANGE) {
            node_changed(there->node);
            tree_exchange(&server->tree, entry, there);
        } else {
            if (there)
                remove_entry(server, there);
            tree_move(&server->tree, entry, directory, operation->new_name);
        }
    }
    fuse_reply_err(operation->request, 0);
    return 0;
}

/* ---- Listing ----------------------------------------------------------------------------------------------------- */

int perform_opendir(struct server *server, struct operation *operation)
{
    if (!tree_node(&server->tree, operation->node))
        return ESTALE;
    struct fuse_file_info file = {.flags = operation->flags};
    fuse_reply_open(operation->request, &file);
    return 0;
}

struct listing {
    const struct operation *operation;
    char *bytes;
    size_t used;
};

/* False: it does not fit any more. */
static bool list(struct listing *listing, const char *name, const struct node *node, uint64_t cookie)
{
    struct stat stat = {.st_ino = node->number, .st_mode = node->mode};
    size_t room = listing->operation->size - listing->used;
    size_t size = fuse_add_direntry(listing->operation->request, listing->bytes + listing->used, room, name, &stat,
                                    (off_t)cookie);
    if (size > room)
        return false;
    listing->used += size;
    return true;
}

int perform_readdir(struct server *server, struct operation *operation)
{
    const struct node *directory = tree_node(&server->tree, operation->node);
    if (!directory)
        return ESTALE;
    const struct node *parent = directory->names ? directory->names->parent : directory;
    struct listing listing = {operation, memory_get_raw(operation->size), 0};
    uint64_t cookie = (uint64_t)operation->offset;
    bool fits = (cookie >= 1 || list(&listing, ".", directory, 1)) && (cookie >= 2 || list(&listing, "..", parent, 2));
    for (size_t i = tree_after(directory, cookie); fits && i < directory->entry_count; i++) {
        const struct entry *entry = directory->entries[i];
        fits = list(&listing, entry->name, entry->node, entry->cookie);
    }
    fuse_reply_buf(operation->request, listing.bytes, listing.used);
    free(listing.bytes);
    return 0;
}
