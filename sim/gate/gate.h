/* gate.h: system calls of an unmodified program and its children, held at the gate (seccomp user notification).
 *
 * The child installs a filter and hands its listener to the supervisor; every gated call then waits, killable, until
 * the supervisor has answered: go on, fail with an errno, or "done for you". Children inherit the filter. seccomp(2),
 * seccomp_unotify(2). */
#ifndef QUIESCE_SIM_GATE_H
#define QUIESCE_SIM_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Which calls are gated. FIFREEZE and FITHAW (ioctl's second argument) always are. */
struct gate_filter {
    const int *calls; /* system call numbers (SYS_…) */
    size_t count;
};

/* In the child, right before it executes: installs the filter and sends the listener over the Unix socket `channel`.
 * Async-signal-safe. Returns 0 or an errno. */
int gate_install(const struct gate_filter *filter, int channel);
/* In the supervisor: receives the listener. Returns a descriptor to poll for reading, or a negative errno. */
int gate_receive_listener(int channel);

struct gate_call {
    uint64_t id;
    pid_t pid; /* the thread's number, as the supervisor sees it */
    int call;  /* SYS_… */
    uint64_t arguments[6];
};

/* Takes the next call that waits. 0; ENOENT: it was interrupted meanwhile, look again; other errno. */
int gate_next(int listener, struct gate_call *call);
bool gate_waits(int listener, const struct gate_call *call); /* does it still wait? false: its process is gone */
/* Answers; false: the process is gone. */
bool gate_continue(int listener, const struct gate_call *call);
bool gate_fail(int listener, const struct gate_call *call, int error);
bool gate_return(int listener, const struct gate_call *call, int64_t value);
/* Gives the process `descriptor` as the call's result (an open that opened something else). */
bool gate_return_descriptor(int listener, const struct gate_call *call, int descriptor, bool close_on_exec);

/* What the call is about, read from the waiting process; check gate_waits afterwards, before it is believed.
 * All return 0 or an errno. */
int gate_descriptor(const struct gate_call *call, int number, int *copy); /* a duplicate of its descriptor */
int gate_string(const struct gate_call *call, uint64_t address, char *text, size_t size);
/* The environment variable `name` among the strings of the array at `address`; ENOENT: is not there. */
int gate_environment(const struct gate_call *call, uint64_t address, const char *name, char *value, size_t size);
pid_t gate_process(const struct gate_call *call); /* the thread group; 0: gone */

#endif
