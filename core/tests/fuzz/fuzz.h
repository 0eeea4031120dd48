/* fuzz.h: what the fuzz targets share. A target is one function that takes any bytes: libFuzzer calls it with what it
 * makes up (ci/fuzz), replay.c with the files of the corpus (ci/test). It ends the program where a property does not
 * hold; that it reads no byte too far and leaks nothing is seen to by the sanitizers. */
#ifndef QUIESCE_TESTS_FUZZ_H
#define QUIESCE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "quiesce/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program unless `holds`; `rule` is the property, `seen` (may be NULL) what was there instead. */
void fuzz_must(bool holds, const char *rule, const char *seen);

/* What a world that is one file gives of it; as qz_os.read_file. */
ssize_t fuzz_copy(const void *bytes, size_t size, size_t limit, char **text);

/* Both NULL, or the same text. */
bool fuzz_same_text(const char *one, const char *other);

/* The property of a refusal: one line of visible UTF-8, "PATH:LINE:COLUMN: …", at a place that the text has. */
void fuzz_must_be_refusal(const char *message, const char *path, const uint8_t *data, size_t size);

/* The property of warnings: each has a place in the text, and one visible line. */
void fuzz_must_be_warnings(const struct qz_warning_list *warnings, const uint8_t *data, size_t size);

#endif
