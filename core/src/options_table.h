/* options_table.h: commands and options, once; parsing and help both come from here. */
#ifndef QUIESCE_OPTIONS_TABLE_H
#define QUIESCE_OPTIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

enum qz_option_id {
    QZ_OPTION_HOLD,
    QZ_OPTION_FAILED,
    QZ_OPTION_CONFIG,
    QZ_OPTION_PLUGIN_HOST,
    QZ_OPTION_VOLUME,
    QZ_OPTION_EXCLUDE,
    QZ_OPTION_SCRIPTS_ONLY,
    QZ_OPTION_FREEZE_TIMEOUT,
    QZ_OPTION_HOLD_LIMIT,
    QZ_OPTION_EXPEDITE,
    QZ_OPTION_ATTEMPTS,
    QZ_OPTION_ATTEMPT_DELAY,
    QZ_OPTION_DIR,
    QZ_OPTION_FORMAT,
    QZ_OPTION_REPORT,
    QZ_OPTION_HELP,
    QZ_OPTION_VERSION,
    QZ_OPTION_COUNT
};

struct qz_option_row {
    const char *name;  /* without the dashes */
    const char *value; /* what its value is called; NULL: it takes none */
    bool repeatable;
    unsigned commands; /* a bit for each enum qz_command that takes it */
    const char *help;
};

struct qz_command_row {
    const char *name;
    const char *usage;    /* one line or more, without the program's name */
    const char *summary;  /* one line */
    const char *epilogue; /* examples and more, whole lines */
};

extern const struct qz_option_row qz_option_rows[QZ_OPTION_COUNT];
extern const struct qz_command_row qz_command_rows[QZ_COMMAND_COUNT];

/* Does `command` take this option? */
bool qz_option_applies(enum qz_option_id option, enum qz_command command);

#endif
