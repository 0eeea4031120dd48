/* commands.h: one function a command, between main.c, which exits, and the rooms that do the work. */
#ifndef QUIESCE_COMMANDS_H
#define QUIESCE_COMMANDS_H

#include "options.h"

/* Does what the command line says: prints the result through `os`, writes --report. Returns the exit status. */
int qz_command_do(struct qz_os *os, const struct qz_command_line *line, bool no_colour);

/* `quiesce errors`: the table of errors, or the one entry whose name or number is given (NULL: all), as text or as one
 * JSON value in *text (the caller frees). Returns 0; QZ_EXIT_USAGE with `error`'s message for an unknown word;
 * QZ_EXIT_SOFTWARE if memory is short. `*text` is NULL unless 0 was returned. */
int qz_command_errors(const char *name_or_number, enum qz_format format, char **text, struct qz_error *error);

#endif
