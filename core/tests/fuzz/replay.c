/* replay.c: a main for fuzz targets without libFuzzer: takes the files named, and all files of the folders named,
 * through the target. Exits 1 if there is none to take. */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

/* In memory of exactly its size, so that a sanitizer sees every byte read beyond. */
static bool replay(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    bool complete = file && data && fread(data, 1, size, file) == size;
    if (complete)
        LLVMFuzzerTestOneInput(data, size);
    else
        fprintf(stderr, "%s can't be read\n", path);
    free(data);
    if (file)
        fclose(file);
    return complete;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    bool complete = argc > 1;
    FTS *files = complete ? fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    for (FTSENT *entry = files ? fts_read(files) : NULL; entry; entry = fts_read(files)) {
        if (entry->fts_info == FTS_F) {
            fprintf(stderr, "%s\n", entry->fts_path); /* the last line before a failure */
            complete = replay(entry->fts_path, (size_t)entry->fts_statp->st_size) && complete;
            count++;
        } else if (entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
            fprintf(stderr, "%s can't be read\n", entry->fts_path);
            complete = false;
        }
    }
    if (files)
        fts_close(files);
    printf("%zu inputs\n", count);
    return complete && count > 0 ? 0 : 1;
}
