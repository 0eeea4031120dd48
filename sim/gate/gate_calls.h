/* gate_calls.h: system calls by name, and what a waiting one is about. */
#ifndef QUIESCE_SIM_GATE_CALLS_H
#define QUIESCE_SIM_GATE_CALLS_H

#include "gate.h"

#define GATE_ABOUT_MAX 256

/* The calls that are not worth a stop: they cannot fail, or nobody can act upon it when they do. To be let through by a
 * filter for all others. Returns how many; `calls` has room for GATE_CALLS_MAX. */
size_t gate_free_calls(int *calls);

/* "openat"; NULL: calls.def does not have it. */
const char *gate_call_name(int call);
/* The other way; -1: it does not have it. */
int gate_call_number(const char *name);

/* Is it the dynamic loader that makes the call, and not the program? Of a static program: the call that is made in the
 * loader's place, before the program begins, and ends it when it fails. */
bool gate_call_is_loaders(const struct gate_call *call);

/* What a waiting call is about, as a pattern (fnmatch): a path, the path of an open file, a request … Paths are told as
 * they are below `root`; what is another one in every run (process numbers, the ends of temporary names) is "*".
 * `text` has room for GATE_ABOUT_MAX. "": nothing. */
void gate_call_about(const struct gate_call *call, const char *root, char *text);

#endif
