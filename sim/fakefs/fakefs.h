/* fakefs.h: the fake filesystem, as who controls it sees it.
 *
 * `quiesce-sim fakefs [OPTIONS] MOUNTPOINT` serves an in-memory tree over FUSE: files with the owner and mode that one
 * wants, operations that fail, stall or fall short when told, freezing on command, every operation recorded, and copies
 * of a file at any recorded moment. It is controlled by requests, one JSON object a line, over a Unix socket (and by
 * the same requests in an ioctl on the mount point, where a socket is not at hand). Here is the client's side. */
#ifndef QUIESCE_SIM_FAKEFS_H
#define QUIESCE_SIM_FAKEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAKEFS_FOREVER INT64_MAX

struct fakefs {
    pid_t server;
    int control; /* socket */
};

/* How it is mounted. Borrowed. */
struct fakefs_mount {
    const char *self;       /* the quiesce-sim binary */
    const char *mount_point;
    const char *block_device; /* mounts as fuseblk on this device, so that it looks block-backed; NULL: fuse */
    int64_t size;           /* bytes that statfs tells and that can be written (ENOSPC beyond); 0: no limit */
};

/* Starts a server and waits until it is mounted. 0 or an errno; `why` gets one line on failure. */
int fakefs_start(struct fakefs *fakefs, const struct fakefs_mount *mount, char *why, size_t why_size);
/* Releases all that hangs, unmounts, ends the server; whatever state it is in. Bounded in time. */
void fakefs_stop(struct fakefs *fakefs, const char *mount_point);

/* A rule: what happens to operations that match. */
enum fakefs_chance { FAKEFS_NTH, FAKEFS_EVERY, FAKEFS_PROBABILITY };

struct fakefs_rule {
    const char *operation; /* "write", "open", "fsync", "freeze", "thaw", …; "*": any */
    const char *path;      /* fnmatch pattern; NULL: any */
    enum fakefs_chance chance;
    int nth;            /* NTH: from 1 */
    double probability; /* PROBABILITY, with `seed` */
    uint64_t seed;
    int error;          /* errno; 0: none */
    int64_t delay_us;   /* FAKEFS_FOREVER: hangs until released */
    int64_t transfer;   /* at most so many bytes are read or written; -1: all */
};

/* All return 0 or an errno. */
int fakefs_add_rule(struct fakefs *fakefs, const struct fakefs_rule *rule);
int fakefs_clear_rules(struct fakefs *fakefs);
int fakefs_release(struct fakefs *fakefs, const char *operation); /* what hangs in it; NULL: everything */
/* Freezes and thaws as the kernel would: EBUSY, EINVAL; rules for "freeze" and "thaw" apply. Frozen: whatever would
 * change something waits. */
int fakefs_freeze(struct fakefs *fakefs);
int fakefs_thaw(struct fakefs *fakefs);
int fakefs_is_frozen(struct fakefs *fakefs, bool *frozen);
/* How many operations that change something were done so far, of all files or of `path`. */
int fakefs_writes(struct fakefs *fakefs, const char *path, int64_t *count);
/* A copy of file `path` as it is now (`at_us` negative), or as it was at that moment of the monotonic clock, appears
 * as file `copy`. Costs nothing until one of them is changed. Recording must have been on for the past. */
int fakefs_copy(struct fakefs *fakefs, const char *path, int64_t at_us, const char *copy);

/* One recorded operation. */
struct fakefs_record {
    int64_t at_us; /* CLOCK_MONOTONIC */
    char operation[16];
    char path[256];
    pid_t pid;
    int64_t offset;
    int64_t length;
    int error;
};

/* Calls `each` for every record from `first` on, in order. */
int fakefs_records(struct fakefs *fakefs, size_t first, void (*each)(const struct fakefs_record *, void *), void *argument);

#endif
