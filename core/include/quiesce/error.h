/* error.h: what went wrong, as data.
 *
 * Every failure in core is a struct qz_error that the caller owns; nothing is allocated to report one, and nothing
 * below main.c prints or exits. Names, numbers and remedies stand once, in error.def. */
#ifndef QUIESCE_ERROR_H
#define QUIESCE_ERROR_H

#include <stddef.h>

enum qz_code {
#define QZ_ERROR(symbol, number, wire, rank, meaning, action) QZ_E_##symbol,
#include "quiesce/error.def"
#undef QZ_ERROR
    QZ_CODE_COUNT
};

/* Which part of a run an error belongs to; NONE where no phase had begun. */
enum qz_phase { QZ_PHASE_NONE, QZ_PHASE_PRE, QZ_PHASE_FREEZE, QZ_PHASE_SNAPSHOT, QZ_PHASE_THAW, QZ_PHASE_POST };

#define QZ_MESSAGE_SIZE 1024
#define QZ_DETAIL_SIZE 256

/* `plugin` and `path` are borrowed (NULL: does not apply): they must live as long as the error is used, in practice
 * as long as the run's config and volumes. `message` is the one whole line an operator reads: where, what was found,
 * what is allowed. `detail` is the bare cause (errno text, exit status, signal, line and column), or empty.
 * `attempt` counts from 1; 0: does not apply. */
struct qz_error {
    enum qz_code code;
    enum qz_phase phase;
    int attempt;
    const char *plugin;
    const char *path;
    char message[QZ_MESSAGE_SIZE];
    char detail[QZ_DETAIL_SIZE];
};

/* The rows of error.def. `code` must be below QZ_CODE_COUNT; the strings are static. */
const char *qz_error_name(enum qz_code code);
int qz_error_number(enum qz_code code);
int qz_error_rank(enum qz_code code);
const char *qz_error_meaning(enum qz_code code);
const char *qz_error_action(enum qz_code code);
const char *qz_phase_name(enum qz_phase phase); /* "pre", "freeze", …; "" for QZ_PHASE_NONE */

/* Finds a row by its wire name (any case) or its number in decimal. Returns QZ_CODE_COUNT if there is none. */
enum qz_code qz_error_find(const char *name_or_number);

/* Clears `error`, then sets code and message (printf-style; what does not fit ends in "…"). Returns `code`, so that
 * a failing function can say `return qz_error_set(…)`. Other fields are the caller's to fill in afterwards. */
enum qz_code qz_error_set(struct qz_error *error, enum qz_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets `detail`, printf-style, cut like the message. */
void qz_error_detail(struct qz_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A growing list of errors and warnings-as-data. Add only while nothing is frozen (it allocates); if memory is
 * short the entry is counted in `lost` instead, never dropped in silence. */
struct qz_error_list {
    struct qz_error *items;
    size_t count;
    size_t capacity;
    size_t lost;
};

void qz_error_list_add(struct qz_error_list *list, const struct qz_error *error);

/* Sorts most decisive first (error.def's rank; equals keep their order). */
void qz_error_list_sort(struct qz_error_list *list);
void qz_error_list_free(struct qz_error_list *list);

/* Something that does not fail the run but that its owner should know. Borrowed `path` as above; line 0: no place. */
struct qz_warning {
    const char *path;
    int line;
    int column;
    char message[QZ_MESSAGE_SIZE];
};

struct qz_warning_list {
    struct qz_warning *items;
    size_t count;
    size_t capacity;
    size_t lost;
};

void qz_warning_list_add(struct qz_warning_list *list, const char *path, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void qz_warning_list_free(struct qz_warning_list *list);

#endif
