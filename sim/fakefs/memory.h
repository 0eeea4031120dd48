/* memory.h: memory or the end: a harness that is out of memory has nothing to say. */
#ifndef QUIESCE_SIM_FAKEFS_MEMORY_H
#define QUIESCE_SIM_FAKEFS_MEMORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *memory_or_end(void *memory)
{
    if (!memory) {
        fputs("quiesce-sim: fakefs: out of memory\n", stderr);
        abort();
    }
    return memory;
}

/* Zeroed. */
static inline void *memory_get(size_t size)
{
    return memory_or_end(calloc(1, size));
}

static inline void *memory_get_raw(size_t size)
{
    return memory_or_end(malloc(size));
}

static inline char *memory_text(const char *text)
{
    return memory_or_end(strdup(text));
}

/* Room for one more item after `count`. */
static inline void *memory_grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 8;
    return memory_or_end(reallocarray(items, *capacity, item_size));
}

#endif
