/* init.h: `quiesce init`: a config and two scripts to start from.
 *
 * JSON has no comments, so what each key means stands in the pre-script's comments, by the key's name; the config has
 * every key with its default and nothing else. Both scripts fail until their owner has filled them in, and `quiesce check`
 * warns of that: a script that does nothing must not make a backup look application-consistent. */
#ifndef QUIESCE_INIT_H
#define QUIESCE_INIT_H

#include <stdbool.h>

#include "quiesce/error.h"
#include "quiesce/os.h"

#define QZ_INIT_FILES 3

enum qz_init_state { QZ_INIT_NOT_REACHED, QZ_INIT_WRITTEN, QZ_INIT_LEFT, QZ_INIT_FAILED };

/* One file: where, and what was done. QZ_INIT_LEFT: it was there already and is as it was. */
struct qz_init_file {
    const char *what; /* static: "pre-script", "post-script", "config" */
    char *path;       /* owned */
    mode_t mode;
    enum qz_init_state state;
};

/* The scripts come first, so that no config ever points at scripts that are not there. */
struct qz_init_result {
    struct qz_init_file files[QZ_INIT_FILES];
    bool standard; /* the config is where `run` looks for it without --config */
};

/* Writes what is missing of the three files into `directory` (absolute; made, mode 0755, if its parent exists), never
 * over what is there. Returns QZ_E_SUCCESS, also if all were there, or InternalError with the file and the cause;
 * `result` tells how far it came and is freed with qz_init_free in any case. */
enum qz_code qz_init_write(struct qz_os *os, const char *directory, struct qz_init_result *result,
                           struct qz_error *error);

/* Is this the text of one of the scripts as it was written? */
bool qz_init_is_template(const char *text);

/* What was done, for people, and what to do next. The caller frees. NULL: memory is short. */
char *qz_init_describe(const struct qz_init_result *result);

void qz_init_free(struct qz_init_result *result);

#endif
