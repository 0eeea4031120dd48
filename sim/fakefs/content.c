/* content.c: files' pages; see content.h. */
#include "content.h"

#include <string.h>

#include "memory.h"

#define FAN_BITS 6
#define FAN_SLOTS 64

struct page {
    unsigned references;
    unsigned char bytes[PAGE_BYTES];
};

struct fan {
    unsigned references;
    union slot slots[FAN_SLOTS];
};

/* What was reserved and not yet written; never changed, never freed. */
static struct page reserved = {.references = 1};

static uint64_t span_pages(int height)
{
    return UINT64_C(1) << (FAN_BITS * height);
}

static void slot_hold(union slot slot, int height)
{
    if (!slot.fan)
        return;
    if (height == 0)
        slot.page->references++;
    else
        slot.fan->references++;
}

static void slot_drop(union slot slot, int height)
{
    if (!slot.fan)
        return;
    if (height == 0) {
        if (--slot.page->references == 0)
            free(slot.page);
        return;
    }
    if (--slot.fan->references > 0)
        return;
    for (int i = 0; i < FAN_SLOTS; i++)
        slot_drop(slot.fan->slots[i], height - 1);
    free(slot.fan);
}

static int64_t slot_pages(union slot slot, int height)
{
    if (!slot.fan)
        return 0;
    if (height == 0)
        return 1;
    int64_t pages = 0;
    for (int i = 0; i < FAN_SLOTS; i++)
        pages += slot_pages(slot.fan->slots[i], height - 1);
    return pages;
}

/* The fan in a slot that may be changed: made if there is none, copied if others hold it. */
static struct fan *own_fan(union slot *slot, int height)
{
    struct fan *fan = slot->fan;
    if (fan && fan->references == 1)
        return fan;
    slot->fan = memory_get(sizeof *slot->fan);
    slot->fan->references = 1;
    if (fan) {
        memcpy(slot->fan->slots, fan->slots, sizeof fan->slots);
        for (int i = 0; i < FAN_SLOTS; i++)
            slot_hold(fan->slots[i], height - 1);
        fan->references--;
    }
    return slot->fan;
}

/* Where page `index` belongs, on a way that may be changed. */
static struct page **own_slot(struct shape *shape, uint64_t index)
{
    while (index >= span_pages(shape->height)) {
        if (shape->root.fan) {
            struct fan *fan = memory_get(sizeof *fan);
            fan->references = 1;
            fan->slots[0] = shape->root;
            shape->root.fan = fan;
        }
        shape->height++;
    }
    union slot *slot = &shape->root;
    for (int height = shape->height; height > 0; height--)
        slot = &own_fan(slot, height)->slots[index >> (FAN_BITS * (height - 1)) & (FAN_SLOTS - 1)];
    return &slot->page;
}

static const struct page *find_page(const struct shape *shape, uint64_t index)
{
    if (index >= span_pages(shape->height))
        return NULL;
    union slot slot = shape->root;
    for (int height = shape->height; height > 0 && slot.fan; height--)
        slot = slot.fan->slots[index >> (FAN_BITS * (height - 1)) & (FAN_SLOTS - 1)];
    return slot.page;
}

/* ---- States ------------------------------------------------------------------------------------------------------ */

static void shape_hold(const struct shape *shape)
{
    slot_hold(shape->root, shape->height);
}

static void shape_drop(struct shape *shape)
{
    slot_drop(shape->root, shape->height);
    *shape = (struct shape){0};
}

void content_free(struct content *content)
{
    if (content->space)
        content->space->used_pages -= content->charged;
    shape_drop(&content->now);
    for (size_t i = 0; i < content->past_count; i++)
        shape_drop(&content->past[i].shape);
    free(content->past);
    *content = (struct content){0};
}

void content_keep(struct content *content, int64_t moment_us)
{
    if (content->since_us == moment_us)
        return;
    content->past = memory_grow(content->past, content->past_count, &content->past_capacity, sizeof *content->past);
    content->past[content->past_count++] = (struct version){content->since_us, content->now};
    shape_hold(&content->now);
    content->since_us = moment_us;
}

static const struct shape *shape_at(const struct content *content, int64_t moment_us)
{
    if (moment_us < 0 || moment_us >= content->since_us)
        return &content->now;
    size_t first = 0; /* the first version that began later */
    size_t end = content->past_count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (content->past[middle].since_us <= moment_us)
            first = middle + 1;
        else
            end = middle;
    }
    return first > 0 ? &content->past[first - 1].shape : NULL;
}

bool content_share(struct content *copy, const struct content *content, int64_t moment_us)
{
    const struct shape *shape = shape_at(content, moment_us);
    if (!shape)
        return false;
    copy->now = *shape;
    shape_hold(shape);
    return true;
}

/* ---- Reading and writing ----------------------------------------------------------------------------------------- */

size_t content_read(const struct content *content, int64_t offset, size_t length, struct iovec *parts, int *count)
{
    *count = 0;
    if (offset >= content->now.size)
        return 0;
    if ((int64_t)length > content->now.size - offset)
        length = (size_t)(content->now.size - offset);
    for (size_t done = 0; done < length;) {
        const struct page *page = find_page(&content->now, (uint64_t)(offset + (int64_t)done) / PAGE_BYTES);
        size_t from = (size_t)(offset + (int64_t)done) % PAGE_BYTES;
        size_t part = PAGE_BYTES - from < length - done ? PAGE_BYTES - from : length - done;
        parts[(*count)++] = (struct iovec){(void *)((page ? page : &reserved)->bytes + from), part};
        done += part;
    }
    return length;
}

static bool charge(struct content *content)
{
    if (content->space->used_pages >= content->space->limit_pages)
        return false;
    content->space->used_pages++;
    content->charged++;
    content->now.pages++;
    return true;
}

static void discharge(struct content *content, int64_t pages)
{
    content->now.pages -= pages;
    if (pages > content->charged) /* a copy's, that were never charged */
        pages = content->charged;
    content->charged -= pages;
    content->space->used_pages -= pages;
}

/* The page `index` that may be changed; `whole`: what it holds does not matter. NULL: no room. */
static struct page *own_page(struct content *content, uint64_t index, bool whole)
{
    const struct page *there = find_page(&content->now, index);
    if (!there && !charge(content))
        return NULL;
    struct page **slot = own_slot(&content->now, index);
    struct page *page = *slot;
    if (page && page->references == 1 && page != &reserved)
        return page;
    *slot = whole ? memory_get_raw(sizeof **slot) : memory_get(sizeof **slot);
    (*slot)->references = 1;
    if (page) {
        if (!whole && page != &reserved)
            memcpy((*slot)->bytes, page->bytes, PAGE_BYTES);
        page->references--;
    }
    return *slot;
}

size_t content_write(struct content *content, int64_t offset, const void *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        size_t from = (size_t)(offset + (int64_t)done) % PAGE_BYTES;
        size_t part = PAGE_BYTES - from < length - done ? PAGE_BYTES - from : length - done;
        struct page *page = own_page(content, (uint64_t)(offset + (int64_t)done) / PAGE_BYTES, part == PAGE_BYTES);
        if (!page)
            break;
        memcpy(page->bytes + from, (const char *)bytes + done, part);
        done += part;
    }
    if (done > 0 && offset + (int64_t)done > content->now.size)
        content->now.size = offset + (int64_t)done;
    return done;
}

/* ---- Holes ------------------------------------------------------------------------------------------------------- */

/* Empties pages first…last of the subtree in `slot`; returns how many there were. */
static int64_t empty(union slot *slot, int height, uint64_t first, uint64_t last)
{
    if (!slot->fan)
        return 0;
    if (first == 0 && last >= span_pages(height) - 1) {
        int64_t pages = slot_pages(*slot, height);
        slot_drop(*slot, height);
        slot->fan = NULL;
        return pages;
    }
    struct fan *fan = own_fan(slot, height);
    uint64_t step = span_pages(height - 1);
    int64_t pages = 0;
    for (uint64_t i = first / step; i < FAN_SLOTS && i <= last / step; i++)
        pages += empty(&fan->slots[i], height - 1, i == first / step ? first % step : 0,
                       i == last / step ? last % step : step - 1);
    return pages;
}

static void empty_pages(struct content *content, uint64_t first, uint64_t last)
{
    if (first < span_pages(content->now.height))
        discharge(content, empty(&content->now.root, content->now.height, first, last));
}

/* Zeroes `length` bytes from `offset` on, all within one page. */
static void zero_within(struct content *content, int64_t offset, int64_t length)
{
    uint64_t index = (uint64_t)offset / PAGE_BYTES;
    const struct page *page = find_page(&content->now, index);
    if (page && page != &reserved && length > 0)
        memset(own_page(content, index, false)->bytes + offset % PAGE_BYTES, 0, (size_t)length);
}

void content_punch(struct content *content, int64_t offset, int64_t length)
{
    int64_t end = offset + length;
    int64_t head = (PAGE_BYTES - offset % PAGE_BYTES) % PAGE_BYTES; /* bytes before the first whole page */
    if (head >= length) {
        zero_within(content, offset, length);
        return;
    }
    zero_within(content, offset, head);
    zero_within(content, end - end % PAGE_BYTES, end % PAGE_BYTES);
    uint64_t first = (uint64_t)(offset + head) / PAGE_BYTES;
    uint64_t beyond = (uint64_t)end / PAGE_BYTES;
    if (beyond > first)
        empty_pages(content, first, beyond - 1);
}

void content_resize(struct content *content, int64_t size)
{
    if (size <= content->now.size) { /* also where nothing but what was reserved behind the end is lost */
        int64_t odd = size % PAGE_BYTES;
        if (odd > 0)
            zero_within(content, size, PAGE_BYTES - odd);
        empty_pages(content, (uint64_t)size / PAGE_BYTES + (odd > 0), UINT64_MAX);
    }
    content->now.size = size;
}

bool content_reserve(struct content *content, int64_t offset, int64_t length)
{
    uint64_t first = (uint64_t)offset / PAGE_BYTES;
    uint64_t last = (uint64_t)(offset + length - 1) / PAGE_BYTES;
    int64_t free_pages = content->space->limit_pages - content->space->used_pages;
    if (last - first >= (uint64_t)(free_pages + content->now.pages)) /* else far too many would have to be looked at */
        return false;
    int64_t missing = 0;
    for (uint64_t index = first; index <= last; index++)
        missing += !find_page(&content->now, index);
    if (missing > free_pages)
        return false;
    for (uint64_t index = first; missing > 0; index++) {
        if (find_page(&content->now, index) || !charge(content))
            continue;
        *own_slot(&content->now, index) = &reserved;
        reserved.references++;
        missing--;
    }
    return true;
}

/* The first page from `first` on in the subtree that is data, or that is none. */
static bool find_kind(union slot slot, int height, uint64_t first, bool data, uint64_t *found)
{
    if (!slot.fan || height == 0) {
        *found = first;
        return (slot.page && slot.page != &reserved) == data;
    }
    uint64_t step = span_pages(height - 1);
    for (uint64_t i = first / step; i < FAN_SLOTS; i++) {
        if (find_kind(slot.fan->slots[i], height - 1, i == first / step ? first % step : 0, data, found)) {
            *found += i * step;
            return true;
        }
    }
    return false;
}

int64_t content_seek(const struct content *content, int64_t offset, bool data)
{
    if (offset >= content->now.size)
        return -1;
    uint64_t first = (uint64_t)offset / PAGE_BYTES;
    uint64_t found = first;
    bool inside = first < span_pages(content->now.height);
    if (inside && !find_kind(content->now.root, content->now.height, first, data, &found)) {
        if (data)
            return -1;
        found = span_pages(content->now.height);
    }
    if (!inside && data)
        return -1;
    int64_t at = found == first ? offset : (int64_t)(found * PAGE_BYTES);
    if (at >= content->now.size)
        return data ? -1 : content->now.size;
    return at;
}
