#include "sparse.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PIECE (128 * 1024)
#define BLOCK 4096

static bool is_zero(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static int write_at(int to, const char *bytes, size_t size, off_t at)
{
    while (size > 0) {
        ssize_t written = pwrite(to, bytes, size, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        bytes += written;
        size -= (size_t)written;
        at += written;
    }
    return 0;
}

/* Writes runs of blocks that are not all zeros. */
static int write_dug(int to, const char *bytes, size_t size, off_t at)
{
    int error = 0;
    for (size_t done = 0, end = 0; !error && done < size; done = end) {
        size_t block = size - done < BLOCK ? size - done : BLOCK;
        bool zero = is_zero(bytes + done, block);
        for (end = done + block; end < size; end += block) {
            block = size - end < BLOCK ? size - end : BLOCK;
            if (is_zero(bytes + end, block) != zero)
                break;
        }
        if (!zero)
            error = write_at(to, bytes + done, end - done, at + (off_t)done);
    }
    return error;
}

static int copy_range(int from, int to, off_t at, off_t end, bool dig)
{
    char *piece = malloc(PIECE);
    int error = piece ? 0 : ENOMEM;
    while (!error && at < end) {
        size_t wanted = end - at < PIECE ? (size_t)(end - at) : PIECE;
        ssize_t got = pread(from, piece, wanted, at);
        if (got <= 0) {
            error = got < 0 ? errno : EIO;
            break;
        }
        error = dig ? write_dug(to, piece, (size_t)got, at) : write_at(to, piece, (size_t)got, at);
        at += got;
    }
    free(piece);
    return error;
}

int sparse_copy(int from, int to, bool dig)
{
    if (!dig && ioctl(to, FICLONE, from) == 0)
        return 0;
    off_t size = lseek(from, 0, SEEK_END);
    if (size < 0 || ftruncate(to, size) != 0)
        return errno;
    int error = 0;
    for (off_t at = 0; !error && at < size;) {
        off_t begin = lseek(from, at, SEEK_DATA);
        if (begin < 0)
            return errno == ENXIO ? 0 : errno;
        at = lseek(from, begin, SEEK_HOLE);
        error = at < 0 ? errno : copy_range(from, to, begin, at, dig);
    }
    return error;
}
