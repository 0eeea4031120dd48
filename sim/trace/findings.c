#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"

static _Noreturn void no_memory(void)
{
    fputs("quiesce-sim: out of memory\n", stderr);
    abort();
}

static char *copy(const char *text)
{
    char *result = text ? strdup(text) : NULL;
    if (text && !result)
        no_memory();
    return result;
}

void findings_add(struct findings *findings, int invariant, size_t event, const char *expected, const char *seen,
                  const char *format, ...)
{
    if (findings->count == findings->capacity) {
        findings->capacity = findings->capacity ? findings->capacity * 2 : 8;
        findings->items = realloc(findings->items, findings->capacity * sizeof *findings->items);
        if (!findings->items)
            no_memory();
    }
    struct finding *finding = &findings->items[findings->count++];
    *finding = (struct finding){invariant, NULL, copy(expected), copy(seen), event};
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&finding->what, format, arguments) < 0)
        no_memory();
    va_end(arguments);
}

void findings_of_command(struct findings *findings, size_t first, size_t number, const char *command)
{
    for (size_t i = first; i < findings->count; i++) {
        char *what = findings->items[i].what;
        if (asprintf(&findings->items[i].what, "command %zu, %s: %s", number, command ? command : "quiesce", what) < 0)
            no_memory();
        free(what);
    }
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].what);
        free(findings->items[i].expected);
        free(findings->items[i].seen);
    }
    free(findings->items);
    *findings = (struct findings){NULL, 0, 0};
}
