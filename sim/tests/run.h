/* run.h: a machine of the virtual world on which quiesce is run by its command line.
 *
 *     struct run *run = run_new(2);
 *     run_config(run, "\"preScriptNoOfRetries\": 1");
 *     RUN_SCRIPT(run, RUN_PRE, {.status = 1}, {.status = 0});
 *     CHECK_INT(run_quiesce(run, "run --format json -- " RUN_SNAP), QZ_EXIT_APPLICATION);
 *     CHECK_STRING(run_text(run, "scripts.0.attempts.1.outcome"), "exited");
 *     run_free(run);
 *
 * The machine: a plugin host file is absent; RUN_CONFIG names RUN_PRE and RUN_POST (0700; each takes a millisecond and
 * succeeds); RUN_SNAP is a snapshot command that does the same; N ext4 volumes, each on a disk of its own (so with
 * one it is a single-disk machine); a tmpfs on /run. Everything else is the test's to set on `world` before a run. */
#ifndef QUIESCE_SIM_TESTS_RUN_H
#define QUIESCE_SIM_TESTS_RUN_H

#include <sys/sysmacros.h>

#include <cjson/cJSON.h>

#include "check.h"
#include "quiesce/config.h"
#include "quiesce/report.h"
#include "virtual.h"

#define RUN_CONFIG QZ_CONFIG_PATH_DEFAULT
#define RUN_HOST QZ_PLUGIN_HOST_PATH_DEFAULT
#define RUN_PRE "/etc/azure/pre.sh"
#define RUN_POST "/etc/azure/post.sh"
#define RUN_SNAP "/usr/sbin/snap"
#define RUN_JSON "run --format json -- " RUN_SNAP /* the plain run */

/* Volume n (from 1) is mounted at "/data<n>". */
#define RUN_DEV(n) makedev(8, (unsigned)(n) * 16 + 1)

#define RUN_SECOND QZ_US_PER_S
#define RUN_MS INT64_C(1000)

struct run {
    struct virtual_world *world;
    size_t volumes;
    char *const *environment; /* the caller's; set another one before a run */
    bool colour;              /* is allowed; set it before a run */
    /* of the last run: */
    enum virtual_end end;
    int status;         /* the agent's exit status; -1: it was killed, or never ended */
    char *output;       /* what was printed on standard output, and on the log */
    char *log;
    cJSON *json; /* the output parsed, where it is one JSON value; else NULL */
    struct run_words *words;
    struct run_beside *beside; /* of run_beside: NULL, or … */
};

/* Another quiesce that ran meanwhile. */
struct run_beside {
    int status; /* -1: as above */
    char *output;
    char *log;
    struct run *run;
    struct run_words *words;
};

/* A machine with so many volumes. Free with run_free. */
struct run *run_new(size_t volumes);

/* The last thing in a test: a broken rule of os.h, or a file that was left open, is a failed assertion. */
void run_free(struct run *run);

/* Rewrites RUN_CONFIG (0600): the two scripts' paths, and `members` (JSON without braces; NULL: none). */
void run_config(struct run *run, const char *members);

/* Plugin number `n` (from 0) of several: its config /etc/azure/plugin<n>.json with `members`, and its scripts
 * /etc/azure/pre<n>.sh and post<n>.sh, sound. */
void run_plugin(struct run *run, int n, const char *members);

/* A plugin host file with `count` plugins as run_plugin makes them (it makes them, with `members` for each). */
void run_plugins(struct run *run, int count, int timeout_s, const char *members);

/* What `path` does at its first, second, … start: rows of struct virtual_attempt. */
#define RUN_SCRIPT(run, path, ...)                                                       \
    virtual_set_script((run)->world, path, (const struct virtual_attempt[]){__VA_ARGS__}, \
                       sizeof((const struct virtual_attempt[]){__VA_ARGS__}) / sizeof(struct virtual_attempt))

/* Calls quiesce with `words`: everything after `quiesce`, split at blanks. Returns the exit status, -1 if there came
 * none. What the run before had printed is forgotten. */
int run_quiesce(struct run *run, const char *words);

/* In the next run_quiesce, `at_us` after its start, quiesce is called with `words` once more, beside the first one.
 * What comes of it stands in run->beside. */
void run_beside(struct run *run, int64_t at_us, const char *words);

/* Values of the JSON result by path, as in "scripts.0.attempts.1.exit_code". A path that leads nowhere, or to another
 * type, is a failed assertion (and gives NULL, or -1); run_is_null asks for null; run_count is an array's length. */
const cJSON *run_at(const struct run *run, const char *path);
const char *run_text(const struct run *run, const char *path);
int64_t run_number(const struct run *run, const char *path);
bool run_bool(const struct run *run, const char *path);
bool run_is_null(const struct run *run, const char *path);
size_t run_count(const struct run *run, const char *path);

/* The entry of "errors" with this code: its place, or -1 (no assertion). */
int run_find_error(const struct run *run, const char *code);

/* The value of a variable that the nth start (from 0) of `path` was given, or NULL. */
const char *run_variable(const struct run *run, const char *path, size_t nth, const char *name);

/* The nth start (from 0) of `path`, or NULL. */
const struct virtual_start *run_start(const struct run *run, const char *path, size_t nth);

/* When the nth start (from 0) of `path` came, and when its first process ended; -1: it did not. */
int64_t run_started_us(const struct run *run, const char *path, size_t nth);
int64_t run_ended_us(const struct run *run, const char *path, size_t nth);

/* The nth line (from 0) of the whole log that contains `part`: when it was printed, -1: there is none. */
int64_t run_logged_us(const struct run *run, const char *part, size_t nth);

/* How often `op` was done by processes of `role`, and when a signal was first sent to slot's tree (-1: never). */
size_t run_calls(const struct run *run, enum virtual_role role, enum virtual_op op);
int64_t run_signaled_us(const struct run *run, int slot, int signal_number);

#endif
