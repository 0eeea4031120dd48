/* writers.h: the processes of a workload, as their player sees them, and what each does again and again. */
#ifndef QUIESCE_SIM_WRITERS_H
#define QUIESCE_SIM_WRITERS_H

#include <stdatomic.h>

#include "sandbox.h"

#define STALLS_KEPT 64

/* What a writer and the player share. */
struct writer {
    _Atomic int64_t since_us; /* of the operation under way; 0: it pauses */
    _Atomic int64_t longest_us;
    _Atomic size_t stall_count; /* of all that were noted; the last STALLS_KEPT of them are there */
    struct sandbox_stall stalls[STALLS_KEPT];
    size_t told; /* of stall_count, to the player */
    const char *volume;
    pid_t pid;
    int ledger; /* which one, from 1; 0: it is none */
};

int64_t writer_now_us(void); /* CLOCK_MONOTONIC */

/* Does it work on the volume as a whole, by a descriptor of its root, and not on a file of its own? */
bool writer_needs_volume(enum scenario_workload_kind kind);
/* Maps the file for the writer that is forked next; false: errno. */
bool writer_map(int file);
void writer_unmap(void);

/* In the writer's process, after a fork, so that only async-signal-safe calls may be made. `file`: its file, its
 * directory, or the volume's root. */
_Noreturn void writer_go_on(struct writer *writer, const struct scenario_workload *given, int file);

#endif
