/* keys.h: the words of the language, once: one table for each object. The reader, its messages and the schema for
 * editors all come from here. */
#ifndef QUIESCE_SIM_SCENARIO_KEYS_H
#define QUIESCE_SIM_SCENARIO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "scenario.h"

/* What a key's value may be, and as what it is stored. */
enum key_kind {
    KEY_TEXT,       /* const char * */
    KEY_LINES,      /* a string, or a list of lines; const char *, and size_t at `count` */
    KEY_TAG,        /* const char *: a short word */
    KEY_NEED,       /* const char *: "fs:xfs", "program:sqlite3" */
    KEY_PATH,       /* const char *: absolute */
    KEY_FIXTURE,    /* const char *: below fixtures/ */
    KEY_VOLUME,     /* const char *: the mount point of one of the volumes */
    KEY_PATTERN,    /* const char *: a pattern that some line of a trace can match */
    KEY_ERROR_NAME, /* const char *: a name of error.def */
    KEY_CALL_NAME,  /* const char *: a system call of gate/calls.def */
    KEY_WORD,       /* int: the value of one of `words` */
    KEY_CHOICE,     /* const char *: one of `words` */
    KEY_FLAG,       /* bool */
    KEY_INTEGER,    /* int: min…max */
    KEY_BYTES,      /* size_t: min…max */
    KEY_MIB,        /* int64_t, in bytes: min…max MiB */
    KEY_MS,         /* int64_t, in microseconds: 0…max ms, decimals allowed */
    KEY_MS_FOREVER, /* the same, or "forever": SCENARIO_FOREVER */
    KEY_MISSING,    /* int: a count; or "some": -1 */
    KEY_SIGNAL,     /* int: by name */
    KEY_ERRNO,      /* int: by name */
    KEY_MODE,       /* mode_t: "0644" */
    KEY_OWNER,      /* uid_t */
    KEY_CONFIG,     /* const cJSON *: any members; those that are known are in `object` */
    KEY_OBJECT,     /* a struct, as `object` says */
    KEY_MAP,        /* const cJSON *: mount points, each with an `object` */
    KEY_RESULT,     /* const cJSON *: any values, at members of the JSON result, which `object` has */
    KEY_ANY,        /* const cJSON * */
    KEY_MATRIX,     /* read by matrix.c */
    KEY_NOTHING,    /* for editors only */
};

struct key_word {
    const char *word;
    int value;
};

struct key {
    const char *name;
    enum key_kind kind;
    bool list;     /* a list of these: a pointer to them, and size_t at `count` */
    bool required;
    bool named;    /* other keys name what is in it */
    size_t at;     /* offsets in the object's struct */
    size_t count;
    int64_t min, max;
    const struct key_word *words; /* ended by NULL */
    const struct key_object *object;
    const char *with;    /* only beside this key */
    const char *without; /* not beside this key */
    const char *description;
    const char *fallback; /* what holds without it, as JSON; NULL: nothing, or it depends */
    const char *example;  /* as JSON */
};

struct reader;

/* How many of the keys in `choice` must be there. */
enum key_rule { KEY_ANY_NUMBER, KEY_ONE, KEY_AT_MOST_ONE, KEY_AT_LEAST_ONE };

struct key_object {
    const char *name; /* in the schema's definitions */
    const struct key *keys; /* ended by a name NULL */
    size_t size;            /* of the struct */
    const void *initial;    /* what it is before keys are read; NULL: zeros */
    size_t place;           /* offset of its struct scenario_place; NO_PLACE */
    enum key_rule rule;
    const char *const *choice; /* ended by NULL */
    /* What tables can't say; the object has been read. */
    bool (*check)(struct reader *reader, const cJSON *item, void *object);
};

#define NO_PLACE SIZE_MAX
#define NOTHING_EXPECTED {.exit = -1}

/* ---- A file, as it is written ------------------------------------------------------------------------------------ */

#define GIVEN_NO_MODE ((mode_t)-1)

struct given_file {
    const char *path; /* NULL: the usual one */
    const char *text; /* NULL: none was given */
    size_t size;
    const char *fixture;
    const char *symlink;
    bool directory;
    bool fifo;
    bool absent;
    uid_t owner;
    mode_t mode;
    struct scenario_place place; /* line 0: the key was not given */
};

struct given_plugin {
    const char *name;
    const cJSON *config;
    struct given_file config_file;
    const struct scenario_attempt *pre;
    size_t pre_count;
    struct given_file pre_file;
    const struct scenario_attempt *post;
    size_t post_count;
    struct given_file post_file;
    struct scenario_place place;
};

struct given_step {
    const char *const *command; /* NULL: the usual one */
    size_t command_count;
    bool root;
    const char *log_on;
    int64_t after_us;
    struct scenario_expect expect;
    struct scenario_place place;
};

struct given {
    const char *description;
    const char *const *tags;
    size_t tag_count;
    const int *worlds;
    size_t world_count;
    const char *const *needs;
    size_t need_count;
    int64_t timeout_us;
    bool other_has_lock;
    const char *journal;
    int rcu_expedited;
    int writeback_period;
    int dirty_kib;
    const struct scenario_volume *volumes; /* NULL: the usual one */
    size_t volume_count;
    struct given_plugin plugin; /* of a scenario with one */
    const struct given_plugin *plugins;
    size_t plugin_count;
    const cJSON *plugin_host;
    struct given_file plugin_host_file;
    const struct given_file *files;
    size_t file_count;
    const struct scenario_attempt *snapshots;
    size_t snapshot_count;
    const struct scenario_workload *workloads;
    size_t workload_count;
    const struct scenario_fault *faults;
    size_t fault_count;
    const struct scenario_call *calls;
    size_t call_count;
    const struct scenario_blow *blows;
    size_t blow_count;
    bool oracle;
    const struct scenario_action *actions;
    size_t action_count;
    struct given_step step;
    const struct given_step *then;
    size_t then_count;
};

extern const struct key_object scenario_keys;         /* struct given */
extern const struct key_object scenario_attempt_keys; /* struct scenario_attempt, and so on */
extern const struct key_object scenario_volume_keys;
extern const struct key_object scenario_workload_keys;
extern const struct key_object scenario_fault_keys;
extern const struct key_object scenario_call_keys;
extern const struct key_object scenario_blow_keys;
extern const struct key_object scenario_action_keys;
extern const struct key_object scenario_expect_keys;
extern const struct key_object scenario_result_keys; /* of the JSON result; no struct */

/* A list's pointer and count, for a row. */
#define KEY_AT(type, member) .at = offsetof(type, member)
#define KEY_LIST_AT(type, member, number) .list = true, .at = offsetof(type, member), .count = offsetof(type, number)

/* ---- Types of filesystems ---------------------------------------------------------------------------------------- */

struct key_fstype {
    const char *name;
    unsigned worlds; /* in which there can be one */
    int usual_mib;   /* 0: it has no size of its own */
    int least_mib;
};

const struct key_fstype *scenario_fstype(const char *name); /* NULL: nobody knows it */

#endif
