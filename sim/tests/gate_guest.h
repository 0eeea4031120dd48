/* gate_guest.h: a process behind the gate, and a test that supervises it. */
#ifndef GATE_GUEST_H
#define GATE_GUEST_H

#include "gate.h"

#define GUEST_PATIENCE_MS 20000 /* against hanging */

/* What is frozen here can't be: should the gate be broken, the kernel says EOPNOTSUPP. */
#define DIRECTORY "/proc"
#define OTHER_DIRECTORY "/proc/sys"

struct guest {
    pid_t pid;
    int pidfd;
    int listener;
    int out;            /* both streams */
    char output[4096];  /* when it has ended */
    int status;         /* waitpid's */
    int calls;          /* that were gated */
};

typedef void guest_supervisor(struct guest *guest, const struct gate_call *call, void *argument);

/* Starts a program; false: no listener came. `user`: not root. */
bool guest_start(struct guest *guest, const struct gate_filter *filter, char *const *argv);
bool guest_start_as(struct guest *guest, const struct gate_filter *filter, uid_t user, char *const *argv);
/* Waits for the next call. False: the guest has ended. */
bool guest_next(struct guest *guest, struct gate_call *call);
void guest_finish(struct guest *guest); /* waits for its end, and fills in output and status */
/* Starts and serves a guest to its end. */
struct guest guest_play(const struct gate_filter *filter, char *const *argv, guest_supervisor *decide, void *argument);

#endif
