/* fixture.h: the files under fixtures/, for tests that read them. */
#ifndef QUIESCE_TESTS_FIXTURE_H
#define QUIESCE_TESTS_FIXTURE_H

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* A file read into memory of exactly its size, so that a sanitizer sees every byte read beyond. */
struct fixture {
    char path[512];
    char *text; /* NULL: could not be read */
    size_t size;
};

/* Reads fixtures/FOLDER/NAME; a file that cannot be read is a failed assertion. The caller frees. */
static inline struct fixture fixture_read(const char *folder, const char *name)
{
    struct fixture fixture = {.path = "", .text = NULL, .size = 0};
    snprintf(fixture.path, sizeof fixture.path, "%s/%s/%s", QZ_FIXTURES, folder, name);
    FILE *file = fopen(fixture.path, "rb");
    if (file && fseek(file, 0, SEEK_END) == 0) {
        fixture.size = (size_t)ftell(file);
        rewind(file);
        fixture.text = malloc(fixture.size ? fixture.size : 1);
        if (fixture.text && fread(fixture.text, 1, fixture.size, file) != fixture.size)
            CU_FAIL("a fixture cannot be read");
    }
    if (file)
        fclose(file);
    if (!fixture.text)
        fprintf(stderr, "cannot read %s\n", fixture.path);
    CU_ASSERT_PTR_NOT_NULL(fixture.text);
    return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
    free(fixture->text);
    fixture->text = NULL;
}

/* Calls `each` for every file of fixtures/FOLDER. Returns how many there were. */
static inline int fixture_walk(const char *folder, void (*each)(const char *folder, const char *name))
{
    char path[512];
    struct dirent **entries = NULL;
    snprintf(path, sizeof path, "%s/%s", QZ_FIXTURES, folder);
    int count = scandir(path, &entries, NULL, alphasort);
    int seen = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            each(folder, entries[i]->d_name);
            seen++;
        }
        free(entries[i]);
    }
    free(entries);
    return seen;
}

#endif
