/* handlers.c: from what libfuse calls to operations. */
#include <string.h>

#include "server.h"

static struct operation from(fuse_req_t request, enum operation_kind kind, fuse_ino_t node)
{
    const struct fuse_ctx *caller = fuse_req_ctx(request);
    return (struct operation){
        .kind = kind,
        .request = request,
        .node = node,
        .uid = caller->uid,
        .gid = caller->gid,
        .pid = caller->pid,
    };
}

static void take(struct operation *operation)
{
    turn_take(fuse_req_userdata(operation->request), operation);
}

static void on_init(void *userdata, struct fuse_conn_info *connection)
{
    (void)userdata;
    /* O_TRUNC is an operation of its own; contents change only through the kernel, so that what it has cached holds. */
    connection->want &= ~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_HANDLE_KILLPRIV |
                                    FUSE_CAP_READDIRPLUS);
    /* What waits here while frozen must not use up the places of those who read. */
    connection->max_background = UINT16_MAX;
    connection->congestion_threshold = UINT16_MAX;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct operation operation = from(request, OP_LOOKUP, parent);
    operation.name = name;
    take(&operation);
}

static void forget(struct server *server, fuse_ino_t number, uint64_t lookups)
{
    struct node *node = tree_node(&server->tree, number);
    if (node)
        tree_forget(&server->tree, node, lookups);
}

static void on_forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups)
{
    forget(fuse_req_userdata(request), number, lookups);
    fuse_reply_none(request);
}

static void on_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        forget(fuse_req_userdata(request), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(request);
}

/* Those that say no more than which node: */
#define ON_NODE(handler, kind)                                            \
    static void handler(fuse_req_t request, fuse_ino_t number)            \
    {                                                                     \
        struct operation operation = from(request, kind, number);         \
        take(&operation);                                                 \
    }
ON_NODE(on_readlink, OP_READLINK)
ON_NODE(on_statfs, OP_STATFS)

#define ON_OPEN_NODE(handler, kind)                                                             \
    static void handler(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)     \
    {                                                                                           \
        struct operation operation = from(request, kind, number);                               \
        operation.flags = file ? file->flags : 0;                                               \
        take(&operation);                                                                       \
    }
ON_OPEN_NODE(on_getattr, OP_GETATTR)
ON_OPEN_NODE(on_open, OP_OPEN)
ON_OPEN_NODE(on_flush, OP_FLUSH)
ON_OPEN_NODE(on_release, OP_RELEASE)
ON_OPEN_NODE(on_opendir, OP_OPENDIR)
ON_OPEN_NODE(on_releasedir, OP_RELEASEDIR)

static void on_fsync(fuse_req_t request, fuse_ino_t number, int data_only, struct fuse_file_info *file)
{
    (void)data_only;
    (void)file;
    struct operation operation = from(request, OP_FSYNC, number);
    take(&operation);
}

static void on_fsyncdir(fuse_req_t request, fuse_ino_t number, int data_only, struct fuse_file_info *file)
{
    (void)data_only;
    (void)file;
    struct operation operation = from(request, OP_FSYNCDIR, number);
    take(&operation);
}

static void on_setattr(fuse_req_t request, fuse_ino_t number, struct stat *attributes, int valid,
                       struct fuse_file_info *file)
{
    enum operation_kind kind = OP_CHMOD; /* also where nothing is set, which takes away set-id bits */
    if (valid & FUSE_SET_ATTR_SIZE)
        kind = OP_TRUNCATE;
    else if (valid & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
        kind = OP_CHOWN;
    else if (valid & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))
        kind = OP_UTIMENS;
    struct operation operation = from(request, kind, number);
    operation.attributes = *attributes;
    operation.valid = valid;
    operation.open = file != NULL;
    operation.length = kind == OP_TRUNCATE ? attributes->st_size : 0;
    take(&operation);
}

static void on_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    struct operation operation = from(request, OP_MKNOD, parent);
    operation.name = name;
    operation.mode = mode;
    operation.device = device;
    take(&operation);
}

static void on_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct operation operation = from(request, OP_MKDIR, parent);
    operation.name = name;
    operation.mode = S_IFDIR | (mode & 07777);
    take(&operation);
}

static void on_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    struct operation operation = from(request, OP_SYMLINK, parent);
    operation.name = name;
    operation.text = target;
    operation.mode = S_IFLNK | 0777;
    take(&operation);
}

static void on_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *file)
{
    struct operation operation = from(request, OP_CREATE, parent);
    operation.name = name;
    operation.mode = S_IFREG | (mode & 07777);
    operation.flags = file->flags;
    take(&operation);
}

static void on_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent, const char *name)
{
    struct operation operation = from(request, OP_LINK, number);
    operation.new_parent = parent;
    operation.new_name = name;
    take(&operation);
}

static void on_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct operation operation = from(request, OP_UNLINK, parent);
    operation.name = name;
    take(&operation);
}

static void on_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct operation operation = from(request, OP_RMDIR, parent);
    operation.name = name;
    take(&operation);
}

static void on_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                      const char *new_name, unsigned int flags)
{
    struct operation operation = from(request, OP_RENAME, parent);
    operation.name = name;
    operation.new_parent = new_parent;
    operation.new_name = new_name;
    operation.flags = (int)flags;
    take(&operation);
}

static void on_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *file)
{
    (void)file;
    struct operation operation = from(request, OP_READ, number);
    operation.size = size;
    operation.offset = offset;
    take(&operation);
}

static void on_write(fuse_req_t request, fuse_ino_t number, const char *data, size_t size, off_t offset,
                     struct fuse_file_info *file)
{
    (void)file;
    struct operation operation = from(request, OP_WRITE, number);
    operation.data = data;
    operation.size = size;
    operation.offset = offset;
    take(&operation);
}

static void on_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *file)
{
    (void)file;
    struct operation operation = from(request, OP_READDIR, number);
    operation.size = size;
    operation.offset = offset;
    take(&operation);
}

static void on_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value, size_t size,
                        int flags)
{
    struct operation operation = from(request, OP_SETXATTR, number);
    operation.text = name;
    operation.data = value;
    operation.size = size;
    operation.flags = flags;
    take(&operation);
}

static void on_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size)
{
    struct operation operation = from(request, OP_GETXATTR, number);
    operation.text = name;
    operation.size = size;
    take(&operation);
}

static void on_listxattr(fuse_req_t request, fuse_ino_t number, size_t size)
{
    struct operation operation = from(request, OP_LISTXATTR, number);
    operation.size = size;
    take(&operation);
}

static void on_removexattr(fuse_req_t request, fuse_ino_t number, const char *name)
{
    struct operation operation = from(request, OP_REMOVEXATTR, number);
    operation.text = name;
    take(&operation);
}

static void on_fallocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t length,
                         struct fuse_file_info *file)
{
    (void)file;
    struct operation operation = from(request, OP_FALLOCATE, number);
    operation.flags = mode;
    operation.offset = offset;
    operation.length = length;
    take(&operation);
}

static void on_lseek(fuse_req_t request, fuse_ino_t number, off_t offset, int whence, struct fuse_file_info *file)
{
    (void)file;
    struct operation operation = from(request, OP_LSEEK, number);
    operation.offset = offset;
    operation.flags = whence;
    take(&operation);
}

static void on_ioctl(fuse_req_t request, fuse_ino_t number, unsigned command, void *argument,
                     struct fuse_file_info *file, unsigned flags, const void *in, size_t in_size, size_t out_size)
{
    (void)argument;
    (void)file;
    (void)flags;
    if (command == FAKEFS_ASK && number == ROOT_NUMBER) {
        control_ioctl(fuse_req_userdata(request), request, in, in_size, out_size);
        return;
    }
    struct operation operation = from(request, OP_IOCTL, number);
    take(&operation);
}

const struct fuse_lowlevel_ops server_handlers = {
    .init = on_init,
    .lookup = on_lookup,
    .forget = on_forget,
    .forget_multi = on_forget_multi,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .readlink = on_readlink,
    .mknod = on_mknod,
    .mkdir = on_mkdir,
    .symlink = on_symlink,
    .create = on_create,
    .link = on_link,
    .unlink = on_unlink,
    .rmdir = on_rmdir,
    .rename = on_rename,
    .open = on_open,
    .read = on_read,
    .write = on_write,
    .flush = on_flush,
    .release = on_release,
    .fsync = on_fsync,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .releasedir = on_releasedir,
    .fsyncdir = on_fsyncdir,
    .statfs = on_statfs,
    .setxattr = on_setxattr,
    .getxattr = on_getxattr,
    .listxattr = on_listxattr,
    .removexattr = on_removexattr,
    .fallocate = on_fallocate,
    .lseek = on_lseek,
    .ioctl = on_ioctl,
};
