/* records.c: what was done, in the order in which it took effect. */
#include "memory.h"
#include "server.h"

static struct record *next_record(struct records *records)
{
    if (records->count < RECORDS_MOST)
        records->items = memory_grow(records->items, records->count, &records->capacity, sizeof *records->items);
    struct record *record = &records->items[records->count % RECORDS_MOST];
    if (records->count >= RECORDS_MOST) {
        path_drop(record->path);
        path_drop(record->other);
    }
    records->count++;
    return record;
}

/* No two records are of the same moment: a copy "at the moment of this record" has exactly what was done until then. */
struct record *records_begin(struct server *server, const struct operation *operation)
{
    struct records *records = &server->records;
    int64_t now = server_now_us();
    records->moment_us = now > records->moment_us ? now : records->moment_us + 1;
    struct record *record = next_record(records);
    *record = (struct record){
        .at_us = records->moment_us,
        .arrived_us = operation->arrived_us,
        .kind = operation->kind,
        .pid = operation->pid,
        .offset = operation->offset,
        .path = operation_path(server, operation),
        .other = operation_other_path(server, operation),
    };
    return record;
}

void records_end(struct server *server, struct record *record, const struct operation *operation, int error)
{
    record->error = error;
    record->length = operation->kind == OP_READ || operation->kind == OP_WRITE ? operation->done : operation->length;
    if (error || !operation_changes(operation->kind))
        return;
    server->records.changes++;
    struct node *node = tree_node(&server->tree, operation->node);
    if (node)
        node->changes++;
}

size_t records_oldest(const struct records *records)
{
    return records->count > RECORDS_MOST ? records->count - RECORDS_MOST : 0;
}

const struct record *records_at(const struct records *records, size_t index)
{
    return &records->items[index % RECORDS_MOST];
}
