/* behaviour.h: what a script of a scenario does, as the file that the actor carries out:
 *
 *     #!/quiesce-sim/actor
 *     pre ScriptRunner                          its name
 *     1500000 3 0 5 10 -1 0 …                   an attempt: a number for each member; of a text its length, -1: none
 *     ready                                     and its texts, each with a newline behind it
 *     … */
#ifndef QUIESCE_SIM_BEHAVIOUR_H
#define QUIESCE_SIM_BEHAVIOUR_H

#include <stdbool.h>

#include "scenario.h"

struct behaviour {
    const char *name; /* "pre ScriptRunner", "snapshot" */
    struct scenario_attempt *attempts;
    size_t attempt_count;
};

/* The text of the file; `plugin` "": none. The caller frees. */
char *behaviour_text(const char *role, const char *plugin, const struct scenario_attempt *attempts, size_t count);
/* Reads such a text, which is changed and holds the strings from then on. False: it is none. The caller frees the
 * attempts in either case. */
bool behaviour_parse(char *text, struct behaviour *behaviour);

#endif
