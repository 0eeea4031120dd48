/* fakefs.h: the fake filesystem, as who controls it sees it.
 *
 * `quiesce-sim fakefs [OPTIONS] MOUNTPOINT` serves an in-memory tree over FUSE: files with the owner and mode that one
 * wants, operations that fail, stall or fall short when told, freezing on command, every operation recorded, and copies
 * of a file at any recorded moment. It is controlled by requests, one JSON object a line, over a Unix socket (and by
 * the same requests in an ioctl on the mount point, where a socket is not at hand). Here is the client's side.
 *
 * Paths begin at the mount point ("/disk"). Everything may be called from several threads at once, also with copies of
 * a struct fakefs; but it is stopped once, when nobody else calls any more. */
#ifndef QUIESCE_SIM_FAKEFS_H
#define QUIESCE_SIM_FAKEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#define FAKEFS_FOREVER INT64_MAX

/* A request, and in its place the answer: ioctl on the mount point, root only. */
struct fakefs_text {
    char bytes[8192];
};
#define FAKEFS_ASK _IOWR('q', 1, struct fakefs_text)

struct fakefs {
    pid_t server; /* 0: not started */
    int process;  /* pidfd of it */
    int control;  /* socket */
    bool has_rules; /* fakefs_add_rule was called: something may be held up */
    char source[64]; /* by which the mount table names it */
};

/* How it is mounted. Borrowed. */
struct fakefs_mount {
    const char *mount_point;
    const char *block_device; /* mounts as fuseblk on this device, so that it looks block-backed; NULL: fuse */
    int64_t size;             /* bytes that statfs tells and that can be written (ENOSPC beyond); 0: the machine's memory */
    bool history;             /* keeps what is overwritten, for copies of the past */
};

/* Starts a server and waits until it is mounted. 0 or an errno; `why` gets one line on failure. The server ends, and
 * unmounts, when the calling process has ended, however that came. */
int fakefs_start(struct fakefs *fakefs, const struct fakefs_mount *mount, char *why, size_t why_size);
/* Releases all that hangs (it fails), unmounts, ends the server; whatever state it is in, also if it was killed.
 * Bounded in time. What others mounted on it or in it is unmounted too. Nothing, if it is not started. */
void fakefs_stop(struct fakefs *fakefs);

/* A rule: what happens to operations that match. Zeroed but for `operation`: to every one, nothing. Of several rules
 * that hit, the delays add up, the first error and the shortest transfer count. */
enum fakefs_chance { FAKEFS_EVERY, FAKEFS_NTH, FAKEFS_PROBABILITY };

struct fakefs_rule {
    const char *operation; /* "write", "open", "fsync", "freeze", "thaw", … (operations.def); "change": any that changes
                              something; "*": any but freeze and thaw */
    const char *path;      /* fnmatch pattern, * matches / too; NULL: any */
    enum fakefs_chance chance;
    int nth;            /* NTH: from 1. EVERY: each nth; 0: each one */
    double probability; /* PROBABILITY, with `seed` */
    uint64_t seed;
    int error;          /* errno; 0: none */
    int64_t delay_us;   /* before it is done or fails; FAKEFS_FOREVER: hangs until released */
    int64_t bytes_per_s; /* of what is read or written, one transfer after another, as a disk does it; 0: no limit */
    int64_t transfer;   /* at most so many bytes are read (of files opened from now on) or written; 0 or less: all */
    bool frozen;        /* only while it is frozen: its error then comes in place of waiting for the thaw */
};

/* All return 0 or an errno; ENOTCONN: the server is gone. */
int fakefs_add_rule(struct fakefs *fakefs, const struct fakefs_rule *rule);
int fakefs_clear_rules(struct fakefs *fakefs);
int fakefs_release(struct fakefs *fakefs, const char *operation); /* what waits because of a rule; NULL: everything */
/* Freezes and thaws as the kernel would: EBUSY, EINVAL, one at a time; rules for "freeze" and "thaw" apply, so that it
 * may take long or never return. Writers are stopped from the beginning of freezing on: whatever would change something
 * waits. What the kernel holds dirty of mappings is not flushed: that takes a syncfs before. */
int fakefs_freeze(struct fakefs *fakefs);
int fakefs_thaw(struct fakefs *fakefs);
int fakefs_is_frozen(struct fakefs *fakefs, bool *frozen);
/* How many operations wait now: for the thaw, or because of a rule. NULL: of all kinds. */
int fakefs_waiting(struct fakefs *fakefs, const char *operation, int64_t *count);
/* How many operations that change something were done so far, of all files or of `path`. */
int fakefs_writes(struct fakefs *fakefs, const char *path, int64_t *count);
/* A copy of file `path` as it is now (`at_us` negative), or as it was at that moment of the monotonic clock, appears
 * as file `copy` (root's, 0600), also while frozen. Costs nothing until one of them is changed. ENODATA: no history is
 * kept, or it was not there yet. */
int fakefs_copy(struct fakefs *fakefs, const char *path, int64_t at_us, const char *copy);

/* One recorded operation. A copy at its moment has what it did, and nothing that came after. */
struct fakefs_record {
    int64_t at_us;     /* CLOCK_MONOTONIC, when it took effect or failed; each record's is greater than the one before */
    int64_t waited_us; /* until then, since it arrived */
    char operation[16];
    char path[256];    /* cut, if it is longer */
    char to[256];      /* the other path of rename and link; "" */
    pid_t pid;         /* 0: the kernel writes back what was mapped */
    int64_t offset;
    int64_t length;    /* bytes that were read or written; of truncate: the new size */
    int error;
};

/* Calls `each` for every record from `first` on, in order. The server keeps the last million. */
int fakefs_records(struct fakefs *fakefs, size_t first, void (*each)(const struct fakefs_record *, void *), void *argument);

#endif
