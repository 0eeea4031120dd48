/* os.c: what every implementation of the seam shares. No system calls. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/os.h"
#include "utf8.h"

#define LINE_SIZE 2048

static const char PREFIX[] = "quiesce: ";
static const char CUT[] = "…";

/* Appends `text` to the `used` bytes of `line`, as qz_utf8_show shows it: a script's name must not steer the terminal
 * that the log is read on. Leaves room for CUT and a newline. Returns the new size. */
static size_t append_escaped(char *line, size_t used, const char *text, size_t size)
{
    const size_t limit = LINE_SIZE - sizeof CUT - 1;
    while (size > 0) {
        char escaped[QZ_UTF8_SHOWN_SIZE];
        const char *shown = text;
        size_t length = qz_utf8_plain_length(text, size), need = length;
        if (length == 0) {
            length = qz_utf8_show(escaped, text, size);
            shown = escaped;
            need = strlen(escaped);
        }
        if (used + need > limit) {
            size_t rest = shown == text ? limit - used : 0; /* plain text is cut where it is full */
            memcpy(line + used, shown, rest);
            memcpy(line + used + rest, CUT, sizeof CUT - 1);
            return used + rest + sizeof CUT - 1;
        }
        memcpy(line + used, shown, need);
        used += need;
        text += length;
        size -= length;
    }
    return used;
}

void qz_say(struct qz_os *os, const char *format, ...)
{
    if (os->hush)
        return;
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    char line[LINE_SIZE];
    memcpy(line, PREFIX, sizeof PREFIX - 1);
    size_t used = append_escaped(line, sizeof PREFIX - 1, text, strlen(text));
    line[used++] = '\n';
    os->ops->print(os, QZ_STREAM_LOG, line, used);
}

bool qz_errno_passes(int error)
{
    static const int passing[] = {EAGAIN, ENOMEM, EMFILE, ENFILE, ENOBUFS, ETIMEDOUT, EINTR, ETXTBSY, EIO};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (error == passing[i])
            return true;
    return false;
}

void qz_path_facts_free(struct qz_os *os, struct qz_path_facts *facts)
{
    if (facts->handle >= 0)
        os->ops->close_file(os, facts->handle);
    for (size_t i = 0; i < facts->count; i++)
        free(facts->steps[i].path);
    free(facts->steps);
    *facts = (struct qz_path_facts){.handle = -1};
}

static bool step_same(const struct qz_path_step *a, const struct qz_path_step *b)
{
    if (a->kind != b->kind || a->parent != b->parent || a->mode != b->mode || a->uid != b->uid || a->dev != b->dev ||
        a->ino != b->ino || strcmp(a->path, b->path) != 0)
        return false;
    return a->kind == QZ_STEP_DIRECTORY || (a->size == b->size && a->ctime_ns == b->ctime_ns);
}

bool qz_path_facts_same(const struct qz_path_facts *a, const struct qz_path_facts *b)
{
    if (a->error != b->error || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!step_same(&a->steps[i], &b->steps[i]))
            return false;
    }
    return true;
}

void qz_mount_table_free(struct qz_mount_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct qz_mount *mount = &table->mounts[i];
        free(mount->mount_point);
        free(mount->root);
        free(mount->fstype);
        free(mount->source);
        free(mount->uuid);
        free(mount->label);
        free(mount->below);
        free(mount->disks);
    }
    free(table->mounts);
    *table = (struct qz_mount_table){0};
}

size_t qz_tail_copy(const struct qz_tail *tail, char *out)
{
    if (tail->total <= QZ_TAIL_SIZE) {
        memcpy(out, tail->bytes, (size_t)tail->total);
        return (size_t)tail->total;
    }
    size_t oldest = (size_t)(tail->total % QZ_TAIL_SIZE);
    memcpy(out, tail->bytes + oldest, QZ_TAIL_SIZE - oldest);
    memcpy(out + QZ_TAIL_SIZE - oldest, tail->bytes, oldest);
    return QZ_TAIL_SIZE;
}
