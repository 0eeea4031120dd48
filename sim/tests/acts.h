/* acts.h: what is done to two filesystems alike, for test_fakefs_same.c: each step in both, and what it came to as a
 * line. */
#ifndef QUIESCE_TESTS_ACTS_H
#define QUIESCE_TESTS_ACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACTS_SLOTS 6
#define ACTS_LONGEST 9000 /* bytes of a read or a write */
#define ACTS_SOMEBODY 1000

/* One of the two filesystems. */
struct side {
    char root[96];
    int files[ACTS_SLOTS];
    char line[40000]; /* what a step came to */
};

/* What a step does; drawn once, done twice. */
struct step {
    const struct act *act;
    char one[64]; /* paths below a root */
    char other[64];
    const char *name;
    int slot;
    int other_slot;
    off_t offset;
    size_t length;
    int flags;
    mode_t mode;
    unsigned value;
    bool somebody; /* not root */
};

struct act {
    const char *name;
    void (*run)(struct side *side, const struct step *step);
    const int *flags; /* one of these; ends with -1 */
};

extern const struct act ACTS[];
extern const size_t ACTS_COUNT;

/* What tmpfs has reserved is data or a hole to its lseek by rules of its own: a sequence has one of them or the
 * other. */
extern bool acts_reserve;

void acts_do(struct side *side, const struct step *step);

#endif
