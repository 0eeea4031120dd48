/* house.h: for tests of `quiesce-sim run`: worlds in which a scenario does what its name says, and a folder to be in.
 *
 * What the names say: crash, leave (by _exit), hang, meet (three others), broken, moody (no two plays are alike), seven
 * (which wants that seed), golden (by GOLDEN of the environment), fail (unless REPAIRED is there), not-there. */
#ifndef HOUSE_H
#define HOUSE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "running.h"

/* Shared with the players. */
struct house_shared {
    _Atomic int inside; /* players that play now */
    _Atomic int most;   /* the most of them at one time */
    _Atomic int played;
    _Atomic int pid; /* of the last one that hung */
};

extern struct house {
    struct house_shared *shared;
    const char *lacks; /* what the loop world says that this machine lacks */
    int loop_exits;    /* what every scenario exits with in the loop world */
    int status;        /* what came of the last run: */
    char *out;
    char *err;
} house;

extern const struct world *const ONLY_VIRTUAL[];
extern const struct world *const ONLY_LOOP[];
extern const struct world *const BOTH[];

/* In the loop world the program that is played with must be there. */
#define REAL "--binary /bin/true "

/* Makes an empty folder of the test's own, and goes there. */
void house_enter(void);
void house_leave(void);

/* Writes scenarios/NAME.json, which expects exit status 0; `more`: further members, each with a comma before it. */
void house_scenario(const char *name, const char *more);
void house_write(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *house_read(const char *path); /* the caller frees; "" if there is no such file */

/* `quiesce-sim run` and the words, split at blanks ('quoted words' are one), in a process of its own. Returns the exit
 * status, or the signal that ended it, as a negative number. */
int house_run(const struct world *const *worlds, const char *words);
/* The two halves of that. */
pid_t house_start(const struct world *const *worlds, const char *words);
int house_finish(pid_t pid);

void house_remove(const char *path); /* a whole tree */
void house_note(struct trace *trace, const char *text);
void house_wait_ms(long ms);

#endif
