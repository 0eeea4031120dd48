/* trace.h: what happened, in order: the common tongue of the three worlds.
 *
 * Every event has one line of text, which expectations and actions match with patterns (fnmatch: * ? […]):
 *
 *     agent starts                       guardian starts
 *     agent exits 0                      guardian dies KILL
 *     pre ScriptRunner 1 starts          (role, plugin, attempt)
 *     pre ScriptRunner 1 exits 3         post ScriptRunner 1 dies TERM
 *     leftover of pre ScriptRunner 1 starts … ends
 *     snapshot starts                    snapshot exits 0
 *     sync /data begins                  sync /data ok
 *     freeze /data begins                freeze /data ok | EBUSY | …
 *     thaw /data begins                  thaw /data ok | EINVAL | …
 *     other freeze /data ok              other thaw /data ok
 *     other quiesce starts               other quiesce exits 20 (and, a note: other quiesce says LINE)
 *     KILL to agent                      mount over /data
 *     writer of /data waited 12.3 ms     (a note as it goes on: timelines show when workloads stood still)
 */
#ifndef QUIESCE_SIM_TRACE_H
#define QUIESCE_SIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trace_role {
    TRACE_AGENT,
    TRACE_GUARDIAN,
    TRACE_PRE,
    TRACE_POST,
    TRACE_SNAPSHOT,
    TRACE_LEFTOVER, /* a process that a script left behind; `target`: the role of that script */
    TRACE_OTHER,    /* somebody else who freezes and thaws, or another quiesce */
    TRACE_HARNESS,
};

enum trace_what {
    TRACE_STARTS,
    TRACE_EXITS,  /* value: the status */
    TRACE_DIES,   /* value: the signal; 0: gone, nobody saw how */
    TRACE_BEGINS, /* an operation on a volume, before it takes effect */
    TRACE_DONE,   /* value: 0 or an errno */
    TRACE_SENT,   /* a signal of the harness: value; `target` a role */
    TRACE_NOTE,   /* text */
};

enum trace_op { TRACE_NO_OP, TRACE_SYNC, TRACE_FREEZE, TRACE_THAW };

/* Strings are the trace's own, or static. */
struct trace_event {
    int64_t at_us; /* since the scenario's start */
    int step;      /* of the scenario, from 0 */
    enum trace_role role;
    enum trace_what what;
    enum trace_op op;
    int ordinal;        /* scripts: attempt; agent, guardian: how many-th, from 1 */
    int value;
    enum trace_role target;
    const char *plugin; /* of a script: the scenario's name for it, told by the script's path (quiesce calls every
                           plugin ScriptRunner); NULL */
    const char *volume; /* mount point; NULL */
    const char *text;   /* of a note; NULL */
    int64_t disk_writes; /* freeze done, thaw begins: writes that reached the volume's disk so far; -1: not counted */
};

struct trace {
    struct trace_event *events;
    size_t count;
    size_t capacity;
    void *strings; /* of trace.c */
};

/* Adds a copy of the event, its strings copied. Returns where it stands. */
size_t trace_add(struct trace *trace, const struct trace_event *event);
void trace_clear(struct trace *trace); /* empties it; keeps its memory */
void trace_free(struct trace *trace);

/* The line of an event, cut to `size`. Returns `text`. */
char *trace_line(const struct trace_event *event, char *text, size_t size);
bool trace_matches(const struct trace_event *event, const char *pattern);

/* "KILL" for 9; "EBUSY" for 16; numbers where there is no name. And back: -1 if nobody knows it. */
const char *trace_signal_name(int signal_number);
const char *trace_errno_name(int error);
int trace_signal_number(const char *name); /* with or without "SIG" */
int trace_errno_number(const char *name);

#endif
