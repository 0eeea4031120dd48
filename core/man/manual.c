/* manual.c: fills the errors into a manual page at build time, so that the pages can't drift from error.def.
 *
 *     manual [NUMBER NUMBER] <page >page-with-errors
 *
 * The comment line `.\" @ERRORS@` is replaced by one list item for each error, by number; with two numbers, only by
 * those in that range. Exits 0; 1 if the page has no such line or the output cannot be written. */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK ".\\\" @ERRORS@\n"

struct row {
    int number;
    const char *name;
    const char *meaning;
    const char *action;
};

static struct row rows[] = {
#define QZ_ERROR(symbol, number, wire, rank, meaning, action) {number, wire, meaning, action},
#include "quiesce/error.def"
#undef QZ_ERROR
};

static int by_number(const void *one, const void *other)
{
    return ((const struct row *)one)->number - ((const struct row *)other)->number;
}

/* Prose as mdoc takes it: what is typed must stay a plain ASCII dash or quote when it is copied from the page. */
static void print_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '`')
            fputs("\\(ga", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void print_errors(int lowest, int highest)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].number < lowest || rows[i].number > highest)
            continue;
        fputs(".It Sy ", stdout);
        print_text(rows[i].name);
        printf(" Pq %d\n", rows[i].number);
        print_text(rows[i].meaning);
        puts("\n.br\n.Em What to do :");
        print_text(rows[i].action);
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    int lowest = argc == 3 ? atoi(argv[1]) : 0;
    int highest = argc == 3 ? atoi(argv[2]) : INT_MAX;
    bool found = false;
    char line[1024];
    qsort(rows, sizeof rows / sizeof rows[0], sizeof rows[0], by_number);
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, MARK) != 0) {
            fputs(line, stdout);
            continue;
        }
        print_errors(lowest, highest);
        found = true;
    }
    return found && fflush(stdout) == 0 && !ferror(stdin) && !ferror(stdout) ? 0 : 1;
}
