/* values.h: which texts are what they claim to be. For the schema the same rules are regular expressions (ECMA 262). */
#ifndef QUIESCE_SIM_SCENARIO_VALUES_H
#define QUIESCE_SIM_SCENARIO_VALUES_H

#include <stdbool.h>

#define VALUES_TAG "^[a-z0-9][a-z0-9-]*$"
bool values_is_tag(const char *text);

#define VALUES_PATH "^/(?!(.*/)?\\.\\.?(/|$))([^/]+(/[^/]+)*)?$" /* absolute, nothing doubled, no . and no .. */
bool values_is_path(const char *text);

#define VALUES_FIXTURE "^(?!(.*/)?\\.\\.?(/|$))[^/]+(/[^/]+)*$" /* the same, relative */
bool values_is_fixture(const char *text);

#define VALUES_NEED "^(fs|program):[A-Za-z0-9._+-]+$"
bool values_is_need(const char *text);

#define VALUES_MODE "^0[0-7]{3,4}$"
int values_mode(const char *text); /* -1: it is none */

#define VALUES_OWNER_MAX 65534

#define VALUES_VARIABLE "^\\$\\{[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*\\}$"

/* By the one name that each has. -1: nobody knows it. Lists are ended by NULL. */
int values_signal(const char *name);
int values_errno(const char *name);
bool values_is_call(const char *name);  /* of gate/calls.def */
const char *const *values_calls(void);
bool values_is_error(const char *name); /* of error.def, Success excepted */
const char *const *values_signals(void);
const char *const *values_errnos(void);
const char *const *values_errors(void);

#endif
