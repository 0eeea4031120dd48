#include "memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

/* ---- The arena -------------------------------------------------------------------------------------------------- */

#define CHUNK_SIZE ((size_t)64 * 1024)
#define ALIGNMENT (sizeof(max_align_t))

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    max_align_t bytes[];
};

/* Chunks are kept from world to world. */
static _Thread_local struct arena_chunk *spares;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);

static void *need(void *block)
{
    if (!block) {
        fputs("virtual world: out of memory\n", stderr);
        abort();
    }
    return block;
}

static struct arena_chunk *chunk_get(size_t size)
{
    struct arena_chunk *chunk = spares;
    if (chunk && size <= CHUNK_SIZE) {
        spares = chunk->next;
    } else {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = need(__real_malloc(sizeof *chunk + room));
        chunk->size = room;
    }
    chunk->used = 0;
    return chunk;
}

void *arena_take(struct arena *arena, size_t size)
{
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) {
        chunk = chunk_get(rounded);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *block = (char *)chunk->bytes + chunk->used;
    chunk->used += rounded;
    return memset(block, 0, size);
}

char *arena_bytes(struct arena *arena, const char *bytes, size_t size)
{
    char *copy = arena_take(arena, size + 1);
    memcpy(copy, bytes, size);
    return copy;
}

char *arena_string(struct arena *arena, const char *text)
{
    return arena_bytes(arena, text, strlen(text));
}

void *arena_grow(struct arena *arena, const void *old, size_t old_count, size_t new_count, size_t item_size)
{
    void *grown = arena_take(arena, new_count * item_size);
    if (old_count > 0)
        memcpy(grown, old, old_count * item_size);
    return grown;
}

void arena_free(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        if (chunk->size > CHUNK_SIZE) {
            __real_free(chunk);
        } else {
            chunk->next = spares;
            spares = chunk;
        }
    }
}

/* ---- Owned blocks: a hash table with linear probing --------------------------------------------------------------- */

struct owned {
    void *block;
    const bool *killed;
};

static _Thread_local const bool *owner;
static _Thread_local struct memory_asked *asked_by_owner;
static _Thread_local struct owned *table;
static _Thread_local size_t table_size; /* a power of two, or 0 */
static _Thread_local size_t table_count;

static size_t home_of(const void *block)
{
    return (size_t)(((uintptr_t)block >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (table_size - 1);
}

static void table_put(void *block, const bool *killed)
{
    size_t at = home_of(block);
    while (table[at].block)
        at = (at + 1) & (table_size - 1);
    table[at] = (struct owned){block, killed};
    table_count++;
}

static void table_grow(void)
{
    struct owned *old = table;
    size_t old_size = table_size;
    table_size = old_size ? old_size * 2 : 512;
    table = need(__real_calloc(table_size, sizeof *table));
    table_count = 0;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].block)
            table_put(old[i].block, old[i].killed);
    }
    __real_free(old);
}

static void *remember(void *block)
{
    if (!block || !owner)
        return block;
    if (table_count * 2 >= table_size)
        table_grow();
    table_put(block, owner);
    return block;
}

/* Takes a block out, and moves those behind it up so that no search ends too early. */
static void forget(const void *block)
{
    if (!block || table_count == 0)
        return;
    size_t mask = table_size - 1;
    size_t hole = home_of(block);
    while (table[hole].block != block) {
        if (!table[hole].block)
            return;
        hole = (hole + 1) & mask;
    }
    for (size_t at = (hole + 1) & mask; table[at].block; at = (at + 1) & mask) {
        if (((at - home_of(table[at].block)) & mask) >= ((at - hole) & mask)) {
            table[hole] = table[at];
            hole = at;
        }
    }
    table[hole].block = NULL;
    table_count--;
}

void memory_set_owner(const bool *killed, struct memory_asked *asked)
{
    owner = killed;
    asked_by_owner = asked;
}

static bool refuses(void)
{
    bool refused = asked_by_owner && !asked_by_owner->spared && ++asked_by_owner->count == asked_by_owner->refused;
    if (refused)
        errno = ENOMEM;
    return refused;
}

void memory_sweep(void)
{
    for (size_t i = 0; i < table_size && table_count > 0; i++) {
        if (!table[i].block)
            continue;
        if (*table[i].killed)
            __real_free(table[i].block);
        table[i].block = NULL;
        table_count--;
    }
}

/* ---- What the linker puts in place of malloc and its relatives ---------------------------------------------------- */

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
void __wrap_free(void *block);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_vasprintf(char **out, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));

void *__wrap_malloc(size_t size)
{
    return refuses() ? NULL : remember(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuses() ? NULL : remember(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (refuses())
        return NULL;
    forget(block);
    return remember(__real_realloc(block, size));
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    size_t whole;
    return __builtin_mul_overflow(count, size, &whole) ? NULL : __wrap_realloc(block, whole);
}

void __wrap_free(void *block)
{
    forget(block);
    __real_free(block);
}

static char *copy_of(const char *text, size_t length)
{
    char *copy = refuses() ? NULL : remember(__real_malloc(length + 1));
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *__wrap_strndup(const char *text, size_t size)
{
    return copy_of(text, strnlen(text, size));
}

char *__wrap_strdup(const char *text)
{
    return copy_of(text, strlen(text));
}

int __wrap_vasprintf(char **out, const char *format, va_list arguments)
{
    char first[256]; /* nearly always enough: printing twice is dear */
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(first, sizeof first, format, arguments);
    *out = length < 0 || refuses() ? NULL : remember(__real_malloc((size_t)length + 1));
    if (*out && (size_t)length < sizeof first)
        memcpy(*out, first, (size_t)length + 1);
    else if (*out)
        vsnprintf(*out, (size_t)length + 1, format, again);
    va_end(again);
    return *out ? length : -1;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = __wrap_vasprintf(out, format, arguments);
    va_end(arguments);
    return length;
}

/* What _FORTIFY_SOURCE calls instead. */
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return __wrap_vasprintf(out, format, arguments);
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int length = __wrap_vasprintf(out, format, arguments);
    va_end(arguments);
    return length;
}

void memory_adopt_cjson(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = __wrap_free});
}
