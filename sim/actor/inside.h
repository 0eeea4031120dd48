/* inside.h: what player and actor name alike in a sandbox. All of it lies in the harness's own folder in the scenario's
 * root, but for what is said otherwise. */
#ifndef QUIESCE_SIM_INSIDE_H
#define QUIESCE_SIM_INSIDE_H

#define SANDBOX_PRIVATE "/quiesce-sim"
#define SANDBOX_ACTOR SANDBOX_PRIVATE "/actor"   /* leads to quiesce-sim-actor, the interpreter of behaviours */
#define SANDBOX_COUNTS SANDBOX_PRIVATE "/counts" /* one file a behaviour, one byte a start */
#define SANDBOX_RECORD SANDBOX_PRIVATE "/record" /* what actors did, a line each (actor.c) */
#define SANDBOX_COPIES SANDBOX_PRIVATE "/snapshots"
#define SANDBOX_COPY_LIST SANDBOX_COPIES "/list" /* which images the command snapshot copies, a line each: image, tab,
                                                    copy; absent: none */
#define SANDBOX_MARKER SANDBOX_COPIES "/marker"  /* when it began (CLOCK_MONOTONIC, microseconds) */
#define SANDBOX_LEFTOVER "sim-leftover" /* the name that a process gives itself whom its script leaves behind */
#define SANDBOX_TO_READ "to-read"       /* a file of 4 KiB on each volume from which somebody reads */

#endif
