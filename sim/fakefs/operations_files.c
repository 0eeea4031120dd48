/* operations_files.c: what is done to files and their attributes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "server.h"

#define LONGEST_READ (1 << 20) /* libfuse never asks the kernel for more */

/* The content is about to change. */
static void keep_history(const struct server *server, struct node *node)
{
    if (server->history)
        content_keep(&node->content, server->records.moment_us);
}

/* Who writes to a program takes away what it could do beyond its owner (FUSE_HANDLE_KILLPRIV_V2: left to us). */
static void drop_privileges(struct node *node, const struct operation *operation)
{
    if (operation->uid != 0) {
        node->mode &= ~(mode_t)S_ISUID;
        if (node->mode & S_IXGRP)
            node->mode &= ~(mode_t)S_ISGID;
    }
    attributes_remove(node, "security.capability");
}

int perform_nothing(struct server *server, struct operation *operation)
{
    (void)server;
    fuse_reply_err(operation->request, 0);
    return 0;
}

int perform_ioctl(struct server *server, struct operation *operation)
{
    (void)server;
    (void)operation;
    return ENOTTY;
}

/* ---- Attributes -------------------------------------------------------------------------------------------------- */

static void answer_attributes(const struct operation *operation, const struct node *node)
{
    struct stat stat;
    node_stat(node, &stat);
    fuse_reply_attr(operation->request, &stat, 0);
}

int perform_getattr(struct server *server, struct operation *operation)
{
    const struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    answer_attributes(operation, node);
    return 0;
}

static void change_owner(struct node *node, const struct operation *operation)
{
    bool owned = operation->valid & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID);
    if (operation->valid & FUSE_SET_ATTR_UID)
        node->uid = operation->attributes.st_uid;
    if (operation->valid & FUSE_SET_ATTR_GID)
        node->gid = operation->attributes.st_gid;
    /* With nothing to set, the kernel asks for just this, before somebody writes. */
    if (S_ISDIR(node->mode) || !(owned || (operation->valid & ~FUSE_SET_ATTR_CTIME) == 0))
        return;
    node->mode &= ~(mode_t)(S_ISUID | (node->mode & S_IXGRP ? S_ISGID : 0));
    attributes_remove(node, "security.capability");
}

static void change_times(struct node *node, const struct operation *operation)
{
    node_changed(node);
    if (operation->valid & FUSE_SET_ATTR_ATIME)
        node->read_at = operation->valid & FUSE_SET_ATTR_ATIME_NOW ? node->changed_at : operation->attributes.st_atim;
    if (operation->valid & FUSE_SET_ATTR_MTIME)
        node->modified_at =
            operation->valid & FUSE_SET_ATTR_MTIME_NOW ? node->changed_at : operation->attributes.st_mtim;
}

/* ftruncate and O_TRUNC modify a file whatever size it has, truncate only if the size is another; which of them it is
 * can be seen but for O_TRUNC, taken for what it is likely to be. */
static void change_size(const struct server *server, struct node *node, const struct operation *operation)
{
    int64_t size = operation->attributes.st_size;
    keep_history(server, node);
    if (operation->open || size == 0 || size != node->content.now.size)
        node_modified(node);
    content_resize(&node->content, size);
    drop_privileges(node, operation);
}

int perform_setattr(struct server *server, struct operation *operation)
{
    struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    if ((operation->valid & FUSE_SET_ATTR_SIZE) && !S_ISREG(node->mode))
        return EINVAL;
    if (operation->valid & FUSE_SET_ATTR_SIZE)
        change_size(server, node, operation);
    change_owner(node, operation);
    if (operation->valid & FUSE_SET_ATTR_MODE)
        node->mode = (node->mode & S_IFMT) | (operation->attributes.st_mode & 07777);
    change_times(node, operation);
    answer_attributes(operation, node);
    return 0;
}

int perform_statfs(struct server *server, struct operation *operation)
{
    const struct space *space = &server->tree.space;
    fsblkcnt_t rest = (fsblkcnt_t)(space->limit_pages - space->used_pages);
    struct statvfs answer = {
        .f_bsize = PAGE_BYTES,
        .f_frsize = PAGE_BYTES,
        .f_blocks = (fsblkcnt_t)space->limit_pages,
        .f_bfree = rest,
        .f_bavail = rest,
        .f_files = UINT32_MAX,
        .f_ffree = UINT32_MAX - server->tree.entry_count,
        .f_namemax = NAME_MAX,
    };
    fuse_reply_statfs(operation->request, &answer);
    return 0;
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

int perform_open(struct server *server, struct operation *operation)
{
    struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    struct fuse_file_info file = {.flags = operation->flags, .keep_cache = 1};
    file.direct_io = rules_shorten_reads(server, tree_path(&server->tree, node)->text);
    fuse_reply_open(operation->request, &file);
    return 0;
}

static size_t cut(const struct operation *operation)
{
    bool shorter = operation->transfer > 0 && operation->transfer < (int64_t)operation->size;
    return shorter ? (size_t)operation->transfer : operation->size;
}

int perform_read(struct server *server, struct operation *operation)
{
    const struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    size_t size = cut(operation);
    if (size > LONGEST_READ)
        return EINVAL;
    struct iovec parts[CONTENT_PARTS(LONGEST_READ)];
    int count = 0;
    operation->done = (int64_t)content_read(&node->content, operation->offset, size, parts, &count);
    fuse_reply_iov(operation->request, parts, count);
    return 0;
}

int perform_write(struct server *server, struct operation *operation)
{
    struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    keep_history(server, node);
    size_t done = content_write(&node->content, operation->offset, operation->data, cut(operation));
    if (done == 0 && operation->size > 0)
        return ENOSPC;
    operation->done = (int64_t)done;
    drop_privileges(node, operation);
    node_modified(node);
    fuse_reply_write(operation->request, done);
    return 0;
}

int perform_fallocate(struct server *server, struct operation *operation)
{
    struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    int what = operation->flags & ~FALLOC_FL_KEEP_SIZE;
    if (what != 0 && what != FALLOC_FL_PUNCH_HOLE && what != FALLOC_FL_ZERO_RANGE)
        return EOPNOTSUPP;
    struct content *content = &node->content;
    keep_history(server, node);
    if (what != FALLOC_FL_PUNCH_HOLE && !content_reserve(content, operation->offset, operation->length))
        return ENOSPC;
    if (what != 0)
        content_punch(content, operation->offset, operation->length);
    if (what == FALLOC_FL_ZERO_RANGE) /* again, now that nothing is there: there was room for it before */
        content_reserve(content, operation->offset, operation->length);
    int64_t end = operation->offset + operation->length;
    if (!(operation->flags & FALLOC_FL_KEEP_SIZE) && end > content->now.size)
        content_resize(content, end);
    drop_privileges(node, operation);
    node_modified(node);
    fuse_reply_err(operation->request, 0);
    return 0;
}

int perform_lseek(struct server *server, struct operation *operation)
{
    const struct node *node = tree_node(&server->tree, operation->node);
    if (!node)
        return ESTALE;
    if (operation->flags != SEEK_DATA && operation->flags != SEEK_HOLE)
        return EINVAL;
    int64_t at = content_seek(&node->content, operation->offset, operation->flags == SEEK_DATA);
    if (at < 0)
        return ENXIO;
    fuse_reply_lseek(operation->request, at);
    return 0;
}
