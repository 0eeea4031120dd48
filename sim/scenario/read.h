/* read.h: a file being read: from JSON, by the tables of keys.h, through the variables of its matrix. */
#ifndef QUIESCE_SIM_SCENARIO_READ_H
#define QUIESCE_SIM_SCENARIO_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "keys.h"
#include "matrix.h"
#include "memory.h"
#include "quiesce/json.h"
#include "scenario.h"

struct reader {
    const char *file;
    const char *fixtures; /* the folder fixtures/ */
    struct qz_json json;
    struct scenario_memory *memory;
    struct scenario_mistakes *mistakes;
    size_t combination; /* of the matrix, from 0 */
    bool unsure; /* what others name is wrong: who names it may be right */
    struct matrix matrix;
    const struct given *given; /* as far as it has been read */
};

/* ---- Mistakes: each notes one and returns false ------------------------------------------------------------------ */

/* Where one can be read on without believing what is wrong, it is: all mistakes are told at once, each once, and none
 * that follows from another. */

/* "file:line:column: what: …", at the value `item`. */
bool scenario_refuse(struct reader *reader, const cJSON *item, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* At its key, which is what the line is about. */
bool scenario_refuse_key(struct reader *reader, const cJSON *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool scenario_refuse_at(struct reader *reader, struct scenario_place place, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* " (did you mean NEAREST?)", or "". `known` is ended by NULL. */
const char *scenario_nearest(struct reader *reader, const char *word, const char *const *known);
/* The same, or where none is near "; known are …". */
const char *scenario_nearest_or_all(struct reader *reader, const char *word, const char *const *known);
/* The key that `item` has or, being an element of lists, the nearest list has. NULL: none has. */
const char *scenario_key_of(const struct reader *reader, const cJSON *item);
/* The value as it would be written, cut. */
const char *scenario_shown(struct reader *reader, const cJSON *value);

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* The member as it is written, or NULL. */
const cJSON *scenario_member(const struct reader *reader, const cJSON *object, const char *name);

/* Reads an object into `out` (of keys->size). False: it has mistakes. */
bool scenario_read_object(struct reader *reader, const struct key_object *keys, const cJSON *item, void *out);

/* read_keys.c. NULL: there is none of that name. */
const struct key *scenario_find_key(const struct key_object *keys, const char *name);
/* Does the table have every key of this object? Each that it does not have is a mistake. */
bool scenario_check_known(struct reader *reader, const struct key_object *keys, const cJSON *item);
/* Is none missing, and does none stand beside one that it must not? */
bool scenario_check_company(struct reader *reader, const struct key_object *keys, const cJSON *item);

/* read_result.c: may the JSON result have what `item` says, at its members? */
bool scenario_check_result(struct reader *reader, const struct key *key, const cJSON *item);

/* What a key's value may be, for messages: "a number from 0 to 255". */
const char *scenario_allowed(struct scenario_memory *memory, const struct key *key);

/* ---- Parts of the whole ------------------------------------------------------------------------------------------ */

/* build.c: one combination of the matrix becomes one scenario. `set` and `root`: for names. */
bool scenario_build(struct reader *reader, const char *root, const struct given *given, struct scenario *scenario);

/* The volumes of what is given: the usual one, if none are. */
const struct scenario_volume *scenario_volumes(const struct given *given, size_t *count);
/* The name of plugin `index`, in `name` if it is not given. */
const char *scenario_plugin_name(struct scenario_memory *memory, const struct given *given, size_t index);

/* lines.c: can a line of this scenario's trace match the pattern? False: the mistake says what lines there are. */
bool scenario_line_possible(struct reader *reader, const cJSON *item, const char *what, const char *pattern);

/* worlds.c: sets scenario->worlds and why_not. `wanted`: bits of the key "worlds". */
void scenario_find_worlds(struct scenario_memory *memory, struct scenario *scenario, unsigned wanted);

/* files.c: a whole file; the caller frees. NULL: errno. */
char *scenario_slurp(const char *path, size_t *size);

#endif
