/* linux_check.h: what the tests of core/os share: an os of their own, and waiting for what must come. */
#ifndef QUIESCE_TESTS_LINUX_CHECK_H
#define QUIESCE_TESTS_LINUX_CHECK_H

#include "check.h"
#include "linux.h"

/* The sanitizers need memory of their own. */
#if defined(__SANITIZE_ADDRESS__)
#define LINUX_CHECK_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LINUX_CHECK_SANITIZED true
#endif
#endif
#ifndef LINUX_CHECK_SANITIZED
#define LINUX_CHECK_SANITIZED false
#endif

/* Opens the Linux os with a new state directory; linux_check_close removes it again. Ends the program if it can't. */
struct qz_os *linux_check_open(void);
void linux_check_close(struct qz_os *os);

/* Waits for the next event of this kind and drops all others. Returns false if it has not come in time. */
bool linux_check_await(struct qz_os *os, enum qz_event_kind kind, int64_t within_us, struct qz_event *event);

/* Waits up to two seconds, taking in events, until the tree of `slot` is alive, or dead. */
bool linux_check_tree(struct qz_os *os, int slot, bool alive);

/* Starts `sh -c SCRIPT` as a script is started. Returns what child_start does. */
int linux_check_shell(struct qz_os *os, int slot, const char *script);

/* What a slot's children write. Slots that are so far apart have the same. */
#define LINUX_CHECK_TAILS 20
struct qz_tail *linux_check_out(int slot);
struct qz_tail *linux_check_err(int slot);

/* What is in a tail, as a string that is good until the next call. */
const char *linux_check_tail(const struct qz_tail *tail);

/* Longer than anything here takes on a busy machine. */
#define LINUX_CHECK_SOON_US (5 * QZ_US_PER_S)

/* Waits for the end of a slot's child, which must be this one. */
void linux_check_end(struct qz_os *os, int slot, bool signaled, int status);

/* The path of `name` in the state directory, good until the next call but three; and a file of that name, made. */
const char *linux_check_path(struct qz_os *os, const char *name);
const char *linux_check_script(struct qz_os *os, const char *name, const char *text, mode_t mode);

/* How many descriptors are open. */
int linux_check_descriptors(void);

/* Does a process with this number live (a zombie does not)? */
bool linux_check_alive(pid_t pid);

/* Resident memory of a process in KiB; -1 if it cannot be told. */
long linux_check_resident_kib(pid_t pid);

#endif
