/* memory.h: where a world's memory comes from, and where that of a killed process goes.
 *
 * The linker sends malloc and its relatives here (--wrap, an interface option of quiesce_virtual), so that blocks which
 * a simulated process allocates can be told apart: a killed one never frees, and its blocks must neither pile up nor
 * look like leaks. The blocks of processes that end by themselves are their own: a leak there is a leak. */
#ifndef QUIESCE_SIM_MEMORY_H
#define QUIESCE_SIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Memory that lives as long as its world. */
struct arena {
    struct arena_chunk *chunks;
};

void *arena_take(struct arena *arena, size_t size); /* zeroed, aligned for anything; never NULL */
char *arena_string(struct arena *arena, const char *text);
char *arena_bytes(struct arena *arena, const char *bytes, size_t size); /* with a NUL after them */
/* A larger zeroed array with the old one's content. */
void *arena_grow(struct arena *arena, const void *old, size_t old_count, size_t new_count, size_t item_size);
void arena_free(struct arena *arena);

/* What a process has asked for: so many pieces so far; the how manieth it does not get (from 1; 0: it gets all); and
 * `spared`: what is asked for at the moment is the world's doing, is not counted and not refused. */
struct memory_asked {
    unsigned count;
    unsigned refused;
    bool spared;
};

/* Whose blocks are those that malloc gives out from now on: `*killed` tells at memory_sweep whether they are garbage.
 * NULL: nobody's, they are left alone. */
void memory_set_owner(const bool *killed, struct memory_asked *asked);

/* libcjson is linked as a shared library, which --wrap does not reach: sends its allocations here, too. */
void memory_adopt_cjson(void);

/* Forgets all owned blocks; frees those whose owner was killed. */
void memory_sweep(void);

#endif
