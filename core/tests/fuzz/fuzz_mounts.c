/* Any bytes as /proc/self/mountinfo: refused, or read; a path leads to one mount; and the same when it is written
 * anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fuzz.h"
#include "linux_mounts.h"
#include "text.h"

#define SWAPS "Filename\t" /* where a table begins so, libmount takes it for /proc/swaps */

static int parse(const char *text, size_t size, struct qz_mount_table *table)
{
    FILE *file = fmemopen((char *)text, size, "r");
    fuzz_must(file != NULL, "there is memory", NULL);
    int error = qz_linux_parse_mounts(file, table);
    fclose(file);
    return error;
}

/* How many lines of the text say something: up to a NUL, not behind a "#", and with or without a CR at the end. */
static size_t count_lines(const char *text, size_t size)
{
    size_t count = 0;
    for (const char *at = text, *end = text + size; at < end;) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next : end;
        const char *nul = memchr(at, '\0', (size_t)(next - at));
        const char *stop = nul ? nul : next;
        stop -= stop > at && stop[-1] == '\r';
        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        count += at < stop && *at != '#';
        at = next + (next < end);
    }
    return count;
}

/* A word as the kernel writes it: what would end it, as octal digits. */
static void add_word(struct qz_text *text, const char *word)
{
    if (*word == '\0')
        qz_text_add(text, "\\000"); /* libmount's way to say it */
    for (; *word; word++) {
        if (strchr(" \t\n\\#\r\v\f", *word))
            qz_text_add(text, "\\%03o", (unsigned char)*word);
        else
            qz_text_add_bytes(text, word, 1);
    }
    qz_text_add(text, " ");
}

static bool same(const struct qz_mount *one, const struct qz_mount *other)
{
    return one->id == other->id && one->dev == other->dev && strcmp(one->mount_point, other->mount_point) == 0 &&
           strcmp(one->root, other->root) == 0 && strcmp(one->fstype, other->fstype) == 0 &&
           strcmp(one->source, other->source) == 0 && one->read_only == other->read_only &&
           one->super_read_only == other->super_read_only && one->block_backed == other->block_backed;
}

/* All but which mount lies on which. */
static void write_and_read(const struct qz_mount_table *table)
{
    struct qz_text text = {0};
    for (size_t i = 0; i < table->count; i++) {
        const struct qz_mount *mount = &table->mounts[i];
        qz_text_add(&text, "%d 0 %u:%u ", mount->id, major(mount->dev), minor(mount->dev));
        add_word(&text, mount->root);
        add_word(&text, mount->mount_point);
        qz_text_add(&text, "%s - ", mount->read_only ? "ro" : "rw");
        add_word(&text, mount->fstype);
        add_word(&text, mount->source);
        qz_text_add(&text, "%s\n", mount->super_read_only ? "ro" : "rw");
    }
    struct qz_mount_table again;
    fuzz_must(parse(text.bytes, text.size, &again) == 0 && again.count == table->count, "what was read is read again",
              text.bytes);
    for (size_t i = 0; i < table->count; i++)
        fuzz_must(same(&table->mounts[i], &again.mounts[i]), "every mount is the same again", text.bytes);
    qz_mount_table_free(&again);
    qz_text_free(&text);
}

/* A path leads to one mount, so of those with the same one all others are hidden. */
static void must_be_found_once(const struct qz_mount_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        for (size_t j = 0; j < i && !table->mounts[i].hidden; j++)
            fuzz_must(table->mounts[j].hidden || strcmp(table->mounts[i].mount_point, table->mounts[j].mount_point) != 0,
                      "one mount is to be seen at a mount point", table->mounts[i].mount_point);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qz_mount_table table;
    if (size == 0 || memmem(data, size, SWAPS, sizeof SWAPS - 1) || parse((const char *)data, size, &table) != 0)
        return 0;
    fuzz_must(table.count == count_lines((const char *)data, size), "no mount is passed over", NULL);
    must_be_found_once(&table);
    if (table.count > 0)
        write_and_read(&table);
    qz_mount_table_free(&table);
    return 0;
}
