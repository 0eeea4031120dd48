/* memory.h: the memory of a set of scenarios: taken piece by piece, freed at once. None left: the program aborts. */
#ifndef QUIESCE_SIM_SCENARIO_MEMORY_H
#define QUIESCE_SIM_SCENARIO_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>

struct scenario_memory;

struct scenario_memory *scenario_memory_new(void);
void scenario_memory_free(struct scenario_memory *memory);

void *scenario_take(struct scenario_memory *memory, size_t size); /* zeroed, aligned for anything */
char *scenario_copy(struct scenario_memory *memory, const void *bytes, size_t size); /* with a NUL behind */
char *scenario_format(struct scenario_memory *memory, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The tree is deleted with the memory. Returns it. */
cJSON *scenario_keep(struct scenario_memory *memory, cJSON *tree);

_Noreturn void scenario_no_memory(void);

#endif
