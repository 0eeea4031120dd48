/* matrix.h: the variables of a scenario file, and what stands for them in one combination of their values. */
#ifndef QUIESCE_SIM_SCENARIO_MATRIX_H
#define QUIESCE_SIM_SCENARIO_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#define MATRIX_COMBINATIONS_MAX 20000

struct reader;

struct matrix_variable {
    const char *name;
    const cJSON *values; /* a list */
    const cJSON *chosen; /* in this combination */
    bool used;           /* in any combination so far … */
    bool used_whole;     /* … not only members of it */
};

struct matrix {
    struct matrix_variable *variables;
    size_t count;
    const char **members; /* that were used, of any variable */
    size_t member_count;
    size_t member_capacity;
};

/* Takes in the key "matrix" of `root` (there may be none) and chooses the first combination. */
bool matrix_open(struct reader *reader, const cJSON *root);
void matrix_close(struct reader *reader);
/* Chooses the next combination, the last variable going fastest. False: there is none. */
bool matrix_next(struct reader *reader);
/* The combination's name: "exit=3,type=xfs"; "" without variables. */
const char *matrix_name(struct reader *reader);
/* After all combinations: has everything been used? */
bool matrix_check_used(struct reader *reader);

/* What stands for `item`: itself, or for a string that is only a variable, its value. *value NULL: the variable's value
 * has no such member here. `strict`: a variable that nobody knows is a mistake; else it is text. */
bool matrix_value(struct reader *reader, const cJSON *item, bool strict, const cJSON **value);
/* A string with the values of its variables in it; numbers and booleans that stand for a variable are text, too.
 * NULL in *text: it is none. */
bool matrix_text(struct reader *reader, const cJSON *item, bool strict, const char **text);
/* A copy of `item` in which every variable has its value, kept by the reader's memory. NULL in *tree: `item` is a
 * variable that has no value here. */
bool matrix_tree(struct reader *reader, const cJSON *item, const cJSON **tree);

#endif
