/* gate.h: system calls of an unmodified program and its children, held at the gate (seccomp user notification).
 *
 * The child installs a filter and hands its listener to the supervisor; every gated call then waits, killable, until
 * the supervisor has answered: go on, fail with an errno, or "done for you". Children inherit the filter. seccomp(2),
 * seccomp_unotify(2).
 *
 * x86-64 and aarch64. A call by another table of numbers (i386's, from a 32-bit program or by `int $0x80`, or x32's)
 * kills its process with SIGSYS, so that nothing slips past. */
#ifndef QUIESCE_SIM_GATE_H
#define QUIESCE_SIM_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GATE_CALLS_MAX 64

/* Which calls are gated. FIFREEZE and FITHAW (ioctl's second argument) always are; sendmsg, by which the listener
 * leaves its process, never is. */
struct gate_filter {
    const int *calls; /* system call numbers (SYS_…) */
    size_t count;     /* at most GATE_CALLS_MAX, or E2BIG */
    bool all_others;  /* these are let through, and all others gated */
    bool opens_to_read; /* openat, too, of what is there to be read, by a path from the root or the working directory */
};

/* In the child, right before it executes: installs the filter and sends the listener over the Unix socket `channel`.
 * Async-signal-safe; allocates nothing. A caller without CAP_SYS_ADMIN gets no_new_privs with it. Returns 0 or an
 * errno; EBUSY: a filter with a listener is there already, and the kernel allows one. */
int gate_install(const struct gate_filter *filter, int channel);
/* In the supervisor: receives the listener; close it when done. Returns a descriptor to poll for reading (POLLHUP: the
 * last process behind the gate has ended), or a negative errno (-ECONNRESET: the child ended without sending it). */
int gate_receive_listener(int channel);

struct gate_call {
    uint64_t id;
    pid_t pid; /* the thread's number, as the supervisor sees it */
    int call;  /* SYS_… */
    uint64_t arguments[6];
    uint64_t instruction; /* where in the program it is */
};

/* Takes the next call that waits; only after poll said that there is one, or it may block. 0; ENOENT: it was
 * interrupted meanwhile, look again; other errno. */
int gate_next(int listener, struct gate_call *call);
bool gate_waits(int listener, const struct gate_call *call); /* does it still wait? false: its process is gone */
/* Answers; false: the process is gone. */
bool gate_continue(int listener, const struct gate_call *call);
bool gate_fail(int listener, const struct gate_call *call, int error);
bool gate_return(int listener, const struct gate_call *call, int64_t value);
/* Gives the process `descriptor` as the call's result (an open that opened something else). It stays the caller's. */
bool gate_return_descriptor(int listener, const struct gate_call *call, int descriptor, bool close_on_exec);

/* What the call is about, read from the waiting process; check gate_waits afterwards, before it is believed.
 * All return 0 or an errno; EFAULT: it is not the process's memory; ESRCH: the process is gone. */
/* A duplicate of descriptor `number` in the thread's own table, close-on-exec, the caller's to close. On kernels before
 * 6.9, for threads other than a process's first: the same file or directory opened again. */
int gate_descriptor(const struct gate_call *call, int number, int *copy);
int gate_string(const struct gate_call *call, uint64_t address, char *text, size_t size); /* ENAMETOOLONG */
/* All of it or an errno; gate_write changes what the process will find there. */
int gate_read(const struct gate_call *call, uint64_t address, void *bytes, size_t size);
int gate_write(const struct gate_call *call, uint64_t address, const void *bytes, size_t size);
/* The environment variable `name` among the strings of the array at `address`. ENOENT: is not there; ENAMETOOLONG: is
 * there, and `value` has as much of it as fits. */
int gate_environment(const struct gate_call *call, uint64_t address, const char *name, char *value, size_t size);
pid_t gate_process(const struct gate_call *call); /* the thread group; 0: gone */

#endif
