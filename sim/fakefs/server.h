/* server.h: what the rooms of the server know of each other.
 *
 *   content.c    what is in files, by pages that versions and copies share     tree.c     nodes and names
 *   handlers.c   from libfuse to an operation                                  turn.c     from there to its answer
 *   operations_*.c  what operations do                                         rules.c    what befalls them
 *   freeze.c     frozen and thawed                                             records.c  what was done, and when
 *   control.c    connections of those who control                              requests.c what they may say
 *   mount.c      mounted and unmounted                                         server.c   the loop, start and end
 *
 * One thread does everything and waits for nothing but the next event: what has to wait is put aside (turn.c). So
 * nothing that waits holds up anything else, requests of the control least of all. The server touches no file of its
 * own filesystem, which would wait for itself. */
#ifndef QUIESCE_SIM_FAKEFS_SERVER_H
#define QUIESCE_SIM_FAKEFS_SERVER_H

#include <cjson/cJSON.h>
#include <poll.h>

#include "fakefs.h"
#include "operation.h"
#include "tree.h"

/* ---- Rules ------------------------------------------------------------------------------------------------------- */

enum rule_for { RULE_KIND, RULE_CHANGES, RULE_ANY };

struct rule {
    struct rule *next;
    enum rule_for for_what;
    enum operation_kind kind;
    char *path; /* pattern; NULL: any */
    bool frozen; /* only while frozen */
    enum fakefs_chance chance;
    int nth;
    double probability;
    uint64_t seed;
    int error;
    int64_t delay_us;
    int64_t bytes_per_s; /* one transfer after another; 0: no limit */
    int64_t busy_until_us; /* with those that have begun */
    int64_t transfer;
    int64_t matches; /* so far */
};

/* Is `other` among what is named by the first two? */
bool rule_is_for(enum rule_for for_what, enum operation_kind kind, enum operation_kind other);
/* Adds a rule to the last place; takes it over. */
void rules_add(struct server *server, const struct rule *rule);
void rules_clear(struct server *server);
/* Lets every rule look at an operation whose time is `now`, and puts what they say into it. */
void rules_apply(struct server *server, struct operation *operation, int64_t now);
/* Would reads of this path be cut short? Then they must not pass through the page cache. */
bool rules_shorten_reads(const struct server *server, const char *path);

/* ---- Turns ------------------------------------------------------------------------------------------------------- */

/* Operations put aside, in the order in which they were. */
struct turns {
    struct operation *first;
};

void turn_take(struct server *server, struct operation *operation); /* one that has arrived */
void turn_put_aside(struct server *server, const struct operation *operation);
void turn_go_on(struct server *server); /* with those whose time has come */
int64_t turn_next_us(const struct server *server); /* when the next one's time comes; FOREVER: never */
/* Ends the waiting that rules make, for `for_what` (RULE_KIND: of `kind`). Returns how many waited. */
int64_t turn_release(struct server *server, enum rule_for for_what, enum operation_kind kind);
int64_t turn_count(const struct server *server, enum rule_for for_what, enum operation_kind kind);
void turn_give_up(struct server *server); /* answers all with EIO, at the end */

/* ---- Freezing ---------------------------------------------------------------------------------------------------- */

enum freeze_state { THAWED, FREEZING, FROZEN };

/* As at the kernel's lock of a superblock, one freeze or thaw is under way at a time; the others stand in a queue. */
struct freezer {
    enum freeze_state state;
    struct operation *under_way;
    struct operation *queue;
};

/* OP_FREEZE or OP_THAW; the asker, who is taken over, is told when it is over. */
void freeze_ask(struct server *server, enum operation_kind kind, struct asker *asker);
void freeze_go_on(struct server *server, struct operation *operation); /* one whose delay is over */
bool freeze_holds_changes(const struct server *server);

/* ---- Records ----------------------------------------------------------------------------------------------------- */

struct record {
    int64_t at_us; /* when it took effect; grows from record to record */
    int64_t arrived_us;
    enum operation_kind kind;
    int error;
    pid_t pid;
    int64_t offset;
    int64_t length;
    struct path *path;
    struct path *other;
};

#define RECORDS_MOST (1 << 20) /* older ones are dropped */

struct records {
    struct record *items; /* a ring, once it is full */
    size_t count;         /* ever */
    size_t capacity;
    int64_t moment_us;    /* of the last one */
    int64_t changes;      /* operations that changed something */
};

/* The operation takes effect now: its record, to be completed by records_end. */
struct record *records_begin(struct server *server, const struct operation *operation);
void records_end(struct server *server, struct record *record, const struct operation *operation, int error);
size_t records_oldest(const struct records *records);
const struct record *records_at(const struct records *records, size_t index);

/* ---- Control ----------------------------------------------------------------------------------------------------- */

/* A request that will be answered, once: on a connection or as the result of an ioctl. */
struct asker {
    struct connection *connection;
    fuse_req_t request;
    size_t room; /* for the answer to an ioctl */
    pid_t pid;
};

struct connection {
    struct connection *next;
    int socket;
    pid_t pid;
    int askers; /* not yet answered */
    bool closed; /* the other end is; freed with the last answer */
    char *in;
    size_t in_size;
    size_t in_capacity;
    char *out;
    size_t out_size;
};

struct control {
    int command;   /* descriptor over which connections come from who started us; -1 */
    int listening; /* socket that everybody may find; -1 */
    struct connection *connections;
};

int control_listen(const char *path); /* a socket, or a negative errno */
/* Adds what the control waits for to `polls`, which is as large as control_count says. Returns how many. */
size_t control_count(const struct server *server);
size_t control_poll(const struct server *server, struct pollfd *polls);
void control_serve(struct server *server, const struct pollfd *polls, size_t count);
void control_ioctl(struct server *server, fuse_req_t request, const void *in, size_t size, size_t room);
void control_answer(struct server *server, struct asker *asker, cJSON *answer); /* takes both over */

/* Does what one line asks for, now or later. Takes the asker over. */
void requests_do(struct server *server, struct asker *asker, const char *line);
/* Answers that a request has come to `error` (0: success); `why`: one line, or NULL for the errno's. */
void requests_finish(struct server *server, struct asker *asker, int error, const char *why);

/* ---- The server -------------------------------------------------------------------------------------------------- */

struct server {
    bool history; /* states of files are kept when they change */
    struct tree tree;
    struct rule *rules;
    struct turns turns;
    struct freezer freezer;
    struct records records;
    struct control control;
    struct fuse_session *session;
    bool greeted;  /* the kernel's first message was answered */
    bool mounted;  /* until the kernel says that it is no more */
    bool ended;    /* enough */
};

extern const struct fuse_lowlevel_ops server_handlers;

int64_t server_now_us(void); /* of the monotonic clock */

/* How `quiesce-sim fakefs` was called. Borrowed. */
struct server_options {
    const char *mount_point;
    const char *block_device;
    const char *socket; /* path; NULL: none */
    int64_t size;
    int command;        /* descriptors from who started us; -1: none */
    int owner;
    bool history;
};

/* Serves until it is told to end. Returns an exit status. */
int server_run(const struct server_options *options);

#endif
