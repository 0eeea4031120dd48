/* operation.h: one thing that somebody wants of the filesystem, from its arrival to its answer. */
#ifndef QUIESCE_SIM_FAKEFS_OPERATION_H
#define QUIESCE_SIM_FAKEFS_OPERATION_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 314
#endif

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "path.h"

#define FOREVER INT64_MAX

enum operation_kind {
#define OPERATION(constant, name, changes, perform) OP_##constant,
#include "operations.def"
#undef OPERATION
    OP_COUNT
};

struct server;
struct asker;
struct node;

/* Which of the fields below the name of an operation uses, its handler in handlers.c shows. Strings and `data` are
 * borrowed from the session's buffer until the operation has to wait: then it gets copies of its own. */
struct operation {
    struct operation *next;
    enum operation_kind kind;
    fuse_req_t request;      /* NULL: freeze or thaw */
    struct asker *asker;     /* of freeze or thaw */
    uint64_t node;           /* by number */
    uint64_t new_parent;
    const char *name;        /* in `node`; NULL: it is about `node` itself */
    const char *new_name;    /* in `new_parent` */
    const char *text;        /* where a symbolic link leads; name of an attribute */
    const void *data;
    size_t size;             /* of data, or what there is room for */
    int64_t offset;
    int64_t length;
    int flags;
    int valid;               /* of attributes */
    bool open;               /* attributes are set through an open file */
    mode_t mode;
    dev_t device;
    struct stat attributes;
    uid_t uid;
    gid_t gid;
    pid_t pid;               /* 0: the kernel itself */
    bool owned;              /* this struct is on the heap, and so are its strings */
    /* what the rules made of it */
    int error;
    int64_t until_us;        /* of the monotonic clock; FOREVER: until released */
    int64_t transfer;        /* at most; 0: all */
    int64_t arrived_us;
    int64_t done;            /* bytes that were read or written */
};

const char *operation_name(enum operation_kind kind);
bool operation_changes(enum operation_kind kind);
int operation_kind(const char *name); /* -1: none is called so */
/* Answers and returns 0, or returns the errno to answer with. */
int operation_perform(struct server *server, struct operation *operation);

/* A copy that owns all it holds; frees the original if that did too. */
struct operation *operation_keep(const struct operation *operation);
void operation_free(struct operation *operation);

/* The path that it is about, and the other one of rename and link (else NULL). The caller drops them. */
struct path *operation_path(struct server *server, const struct operation *operation);
struct path *operation_other_path(struct server *server, const struct operation *operation);

/* operations_*.c. Each answers and returns 0, or returns an errno. */
int perform_lookup(struct server *server, struct operation *operation);
int perform_getattr(struct server *server, struct operation *operation);
int perform_setattr(struct server *server, struct operation *operation);
int perform_readlink(struct server *server, struct operation *operation);
int perform_make(struct server *server, struct operation *operation);
int perform_create(struct server *server, struct operation *operation);
int perform_link(struct server *server, struct operation *operation);
int perform_unlink(struct server *server, struct operation *operation);
int perform_rmdir(struct server *server, struct operation *operation);
int perform_rename(struct server *server, struct operation *operation);
int perform_open(struct server *server, struct operation *operation);
int perform_read(struct server *server, struct operation *operation);
int perform_write(struct server *server, struct operation *operation);
int perform_fallocate(struct server *server, struct operation *operation);
int perform_lseek(struct server *server, struct operation *operation);
int perform_nothing(struct server *server, struct operation *operation);
int perform_opendir(struct server *server, struct operation *operation);
int perform_readdir(struct server *server, struct operation *operation);
int perform_statfs(struct server *server, struct operation *operation);
int perform_setxattr(struct server *server, struct operation *operation);
int perform_getxattr(struct server *server, struct operation *operation);
int perform_listxattr(struct server *server, struct operation *operation);
int perform_removexattr(struct server *server, struct operation *operation);
int perform_ioctl(struct server *server, struct operation *operation);

bool attributes_remove(struct node *node, const char *name); /* false: had none of that name */

#endif
