/* behaviour.h: what a script of a scenario does, as the file that the actor carries out: a shebang, a line with the
 * script's name, then a line for each attempt. */
#ifndef QUIESCE_SIM_BEHAVIOUR_H
#define QUIESCE_SIM_BEHAVIOUR_H

#include <stdbool.h>

#include "scenario.h"

struct behaviour {
    char *name; /* "pre ScriptRunner", "snapshot" */
    struct scenario_attempt *attempts;
    size_t attempt_count;
    cJSON **lines; /* hold the strings */
    size_t line_count;
};

/* The text of the file; `plugin` "": none. The caller frees. */
char *behaviour_text(const char *role, const char *plugin, const struct scenario_attempt *attempts, size_t count);
/* Reads such a text. False: it is none. Free with behaviour_free in either case. */
bool behaviour_parse(const char *text, struct behaviour *behaviour);
void behaviour_free(struct behaviour *behaviour);

#endif
