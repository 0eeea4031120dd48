/* tree.h: files and directories, and their names.
 *
 * A node lives as long as a name leads to it or the kernel knows it (`lookups`). Numbers of nodes are never used twice. */
#ifndef QUIESCE_SIM_FAKEFS_TREE_H
#define QUIESCE_SIM_FAKEFS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "content.h"
#include "path.h"

#define ROOT_NUMBER 1

struct node;

/* A name in a directory. */
struct entry {
    char *name;
    struct node *node;
    struct node *parent;
    uint64_t cookie;         /* grows within the directory: where a listing goes on */
    struct entry *chain;     /* with the same hash */
    struct entry *next_name; /* of the same node */
};

/* An extended one. */
struct attribute {
    struct attribute *next;
    char *name;
    void *value;
    size_t size;
};

struct node {
    uint64_t number;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    dev_t device;
    nlink_t links;
    struct timespec read_at;
    struct timespec modified_at;
    struct timespec changed_at;
    uint64_t lookups;
    int64_t changes; /* operations that changed it */
    struct attribute *attributes;
    struct entry *names;
    struct path *path;        /* as it was at `path_state` of the tree; NULL: never asked for */
    uint64_t path_state;
    struct content content;   /* of a regular file */
    char *target;             /* of a symbolic link */
    struct entry **entries;   /* of a directory, in the order of their cookies */
    size_t entry_count;
    size_t entry_capacity;
    uint64_t next_cookie;
};

struct tree {
    struct node **nodes; /* by number; NULL: gone */
    size_t node_count;
    size_t node_capacity;
    struct entry **table; /* names by hash of parent and name */
    size_t table_size;
    size_t entry_count;
    uint64_t path_state; /* grows whenever paths change that have been told */
    struct space space;
};

void tree_make(struct tree *tree, int64_t limit_bytes);

struct node *tree_node(const struct tree *tree, uint64_t number); /* NULL: gone */
/* A node without a name. It is freed by tree_forget or tree_unlink if nothing leads to it. */
struct node *tree_new_node(struct tree *tree, mode_t mode, uid_t uid, gid_t gid);
void tree_forget(struct tree *tree, struct node *node, uint64_t lookups);

struct entry *tree_find(const struct tree *tree, const struct node *directory, const char *name);
void tree_link(struct tree *tree, struct node *directory, const char *name, struct node *node);
void tree_unlink(struct tree *tree, struct entry *entry); /* a directory's must be empty */
void tree_move(struct tree *tree, struct entry *entry, struct node *directory, const char *name);
void tree_exchange(struct tree *tree, struct entry *one, struct entry *other);
/* The first entry of a directory whose cookie is greater. Its place in `entries`. */
size_t tree_after(const struct node *directory, uint64_t cookie);

/* By a path from the mount point on; symbolic links are not followed. NULL: not there. */
struct node *tree_walk(const struct tree *tree, const char *path);
/* Where the node is: by its oldest name, or the last one it had. Good until the next change; hold it to keep it. */
struct path *tree_path(struct tree *tree, struct node *node);

void node_stat(const struct node *node, struct stat *out);
void node_modified(struct node *node); /* its times are now */
void node_changed(struct node *node);  /* what is not its content */

#endif
