/* fake.h: fake filesystems of a test's own.
 *
 * Each lives in a mount namespace of the test's process. Whatever the test does with it, its server is killed after half a
 * minute by a process apart, so that nothing that hangs in it can hang for ever. */
#ifndef QUIESCE_TESTS_FAKE_H
#define QUIESCE_TESTS_FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fakefs.h"

struct fake {
    char directory[64];
    char mount[80]; /* in `directory` */
    struct fakefs fakefs;
    pid_t rescuer;
};

/* Starts one; `options` may be NULL; its self and mount_point are filled in. False: it can't be done here and the rule
 * was skipped, or it failed. Call fake_close in either case. */
bool fake_open(struct fake *fake, const struct fakefs_mount *options);
/* Stops it, checks that nothing is left mounted and no server runs. */
void fake_close(struct fake *fake);

/* A path in it, from its mount point on ("/a"); good until the eighth call after. */
const char *fake_path(const struct fake *fake, const char *path);

/* Runs a shell script in the mount point, `sh -e`, under a timeout; returns its exit status. */
int fake_shell(const struct fake *fake, const char *script);
/* The same; its output, cut to what fits, in `out`. */
int fake_shell_out(const struct fake *fake, const char *script, char *out, size_t size);

/* Does `act` in a child, which exits with what it returns (0 or an errno). */
pid_t fake_start(const struct fake *fake, int (*act)(const struct fake *fake, void *argument), void *argument);
/* What it returned; -1 if it has not within the time. */
int fake_wait(pid_t child, int wait_ms);
bool fake_is_over(pid_t child); /* it will not be waited for: fake_wait still can */

/* Waits until so many operations wait in the server. False: they do not, within some seconds. */
bool fake_waits(struct fake *fake, const char *operation, int64_t count);

/* Adds a rule that must be accepted. */
void fake_rule(struct fake *fake, struct fakefs_rule rule);

int64_t fake_now_us(void); /* of the monotonic clock */

/* How many records there are of an operation ("change": any that changes something) of `path` (NULL: any) with that
 * error (-1: any). */
int64_t fake_records(struct fake *fake, const char *operation, const char *path, int error);
/* The last of them; at_us 0: none. */
struct fakefs_record fake_last_record(struct fake *fake, const char *operation, const char *path);

/* 0 or errno: */
int fake_write(const char *path, const char *text);  /* made or replaced */
int fake_append(const char *path, const char *text); /* to what is there */
/* What is in the file, as a string; "" with errno. Good until the fourth call after. */
const char *fake_read(const char *path);

#endif
