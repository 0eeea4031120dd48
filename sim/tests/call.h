/* call.h: calls of quiesce in one world, of which one may go on in the background, as `begin` does, while others come.
 *
 *     struct call begin = CALL((char[]){"begin"}), end = END_JSON;
 *     call_do(run, &begin, true);
 *     call_do(run, &end, false);
 *     CHECK_INT(end.status, QZ_EXIT_APPLICATION);
 *     CHECK_STRING(run_text(run, "snapshot.outcome"), "taken"); */
#ifndef QUIESCE_SIM_TESTS_CALL_H
#define QUIESCE_SIM_TESTS_CALL_H

#include "run.h"

/* One call; it lives as long as the world, since the program may go on in the background. */
struct call {
    char *words[8];
    int count;
    int status; /* -1: there came none */
};

#define CALL(...) {.words = {(char[]){"quiesce"}, __VA_ARGS__}, .status = -1}
#define END_JSON CALL((char[]){"end"}, (char[]){"--format"}, (char[]){"json"})

/* Calls quiesce; `leaves`: does what goes on in the background outlast that? What was printed meanwhile on standard
 * output and on the log, by whomever, stands in run->output, ->json and ->log. */
void call_do(struct run *run, struct call *call, bool leaves);

#endif
