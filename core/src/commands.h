/* commands.h: one function a command, between main.c, which exits, and the rooms that do the work. */
#ifndef QUIESCE_COMMANDS_H
#define QUIESCE_COMMANDS_H

#include "journal.h"
#include "options.h"

/* Does what `argv` (`argc` words and NULL; they may be put in another order) says, as qz_options_parse reads it:
 * prints help, result or complaint through `os`, writes --report. `environment` is the caller's, for the snapshot
 * command; `no_colour`: not even on a terminal. Returns the exit status. */
int qz_command_line_do(struct qz_os *os, int argc, char **argv, char *const *environment, bool no_colour);

/* `quiesce errors`: the table of errors, or the one entry whose name or number is given (NULL: all), as text or as one
 * JSON value in *text (the caller frees). Returns 0; QZ_EXIT_USAGE with `error`'s message for an unknown word;
 * QZ_EXIT_SOFTWARE if memory is short. `*text` is NULL unless 0 was returned. */
int qz_command_errors(const char *name_or_number, enum qz_format format, char **text, struct qz_error *error);

/* `quiesce status`, `quiesce thaw`. They print what they have to say and return the exit status. */
int qz_command_status(struct qz_os *os, enum qz_format format);
int qz_command_thaw(struct qz_os *os);

/* `quiesce begin`, `quiesce end`. As above; begin's status is for the process that was started. */
int qz_command_begin(struct qz_os *os, struct qz_command_line *line, bool no_colour);
int qz_command_end(struct qz_os *os, const struct qz_command_line *line, bool no_colour);

/* What `begin` says once its caller may take the snapshot: the state, and what the backup will be at best, which is
 * `status`. Returns that; or -1 if `agent`'s backup is not open any more, or QZ_EXIT_SOFTWARE if it cannot be said. */
int qz_command_show_open(struct qz_os *os, enum qz_format format, const struct qz_process *agent, int64_t until_us,
                         int status);

/* Root, and the journal (free with qz_journal_free). Returns 0, or the exit status after having said why not. */
int qz_command_open_journal(struct qz_os *os, const char *command, struct qz_journal *journal);

/* Prints a result and writes it, as JSON, to `report_path` (NULL: to none). Return the exit status; 0 or an errno. */
int qz_command_result(struct qz_os *os, enum qz_format format, const char *report_path, const struct qz_result *result,
                      bool no_colour);
int qz_command_report(struct qz_os *os, const char *report_path, const char *json);

/* What all commands share: printing a result; saying what failed, and memory that was short, on the log. They return
 * the exit status (`status`, of a result that could not be printed QZ_EXIT_SOFTWARE instead of 0; QZ_EXIT_SOFTWARE). */
int qz_command_print(struct qz_os *os, const char *text, int status);
int qz_command_fail(struct qz_os *os, const struct qz_error *error, int status);
int qz_command_out_of_memory(struct qz_os *os);

#endif
