#include "memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)65536)

struct block {
    struct block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

struct kept {
    struct kept *next;
    cJSON *tree;
};

struct scenario_memory {
    struct block *blocks; /* the one with room first */
    struct kept *kept;
};

_Noreturn void scenario_no_memory(void)
{
    fputs("quiesce-sim: out of memory\n", stderr);
    abort();
}

struct scenario_memory *scenario_memory_new(void)
{
    struct scenario_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        scenario_no_memory();
    return memory;
}

void scenario_memory_free(struct scenario_memory *memory)
{
    if (!memory)
        return;
    for (struct kept *kept = memory->kept; kept; kept = kept->next)
        cJSON_Delete(kept->tree);
    while (memory->blocks) {
        struct block *next = memory->blocks->next;
        free(memory->blocks);
        memory->blocks = next;
    }
    free(memory);
}

void *scenario_take(struct scenario_memory *memory, size_t size)
{
    size_t unit = alignof(max_align_t);
    size = (size + unit - 1) / unit * unit;
    struct block *block = memory->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = calloc(1, sizeof *block + room);
        if (!block)
            scenario_no_memory();
        block->size = room;
        block->next = memory->blocks;
        memory->blocks = block;
    }
    void *piece = block->bytes + block->used;
    block->used += size;
    return piece;
}

char *scenario_copy(struct scenario_memory *memory, const void *bytes, size_t size)
{
    char *copy = scenario_take(memory, size + 1);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *scenario_format(struct scenario_memory *memory, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        scenario_no_memory();
    char *copy = scenario_copy(memory, text, (size_t)length);
    free(text);
    return copy;
}

cJSON *scenario_keep(struct scenario_memory *memory, cJSON *tree)
{
    if (!tree)
        scenario_no_memory();
    struct kept *kept = scenario_take(memory, sizeof *kept);
    *kept = (struct kept){memory->kept, tree};
    memory->kept = kept;
    return tree;
}
