/* content.h: what is in a file, as pages in a tree whose parts are counted and shared.
 *
 * A copy of a file, and each state that a file once had (where history is kept), is a reference to the root of a tree.
 * A change makes new only those parts on its way that somebody else holds too. Holes hold nothing. Units: bytes,
 * unless a name says pages. */
#ifndef QUIESCE_SIM_FAKEFS_CONTENT_H
#define QUIESCE_SIM_FAKEFS_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define PAGE_BYTES 4096

struct page;
struct fan;

union slot {
    struct fan *fan;
    struct page *page;
};

/* One state of a file. `height` 0: the root is a page, else a fan of that many levels. */
struct shape {
    union slot root;
    int height;
    int64_t size;
    int64_t pages; /* that are no holes */
};

struct version {
    int64_t since_us;
    struct shape shape;
};

/* The room that all files have together; pages of a copy count only once they are its own. */
struct space {
    int64_t limit_pages;
    int64_t used_pages;
};

struct content {
    struct space *space;
    struct shape now;
    int64_t charged; /* pages of `space` */
    int64_t since_us;
    struct version *past; /* in the order of time */
    size_t past_count;
    size_t past_capacity;
};

void content_free(struct content *content);
/* Ends the present state: what follows is one that began at `moment_us`, and the one before can be shared later. */
void content_keep(struct content *content, int64_t moment_us);
/* Makes `copy`, which is empty, what `content` was at that moment (negative: is now). False: nothing is known of it. */
bool content_share(struct content *copy, const struct content *content, int64_t moment_us);

/* How many parts a read of so many bytes has at most. */
#define CONTENT_PARTS(length) ((length) / PAGE_BYTES + 2)
/* Points `parts` at what can be read there, good until the next change. Returns how many bytes. */
size_t content_read(const struct content *content, int64_t offset, size_t length, struct iovec *parts, int *count);
/* Returns how many bytes there was room for. */
size_t content_write(struct content *content, int64_t offset, const void *bytes, size_t length);
void content_resize(struct content *content, int64_t size);
/* Zeroes, for which no room is needed. Does not change the size. */
void content_punch(struct content *content, int64_t offset, int64_t length);
/* Sees to it that a later write there finds room. Does not change the size. False: there is none. */
bool content_reserve(struct content *content, int64_t offset, int64_t length);
/* The next byte from `offset` on that is data, or that is in a hole; the end of the file is one. -1: none. */
int64_t content_seek(const struct content *content, int64_t offset, bool data);

#endif
