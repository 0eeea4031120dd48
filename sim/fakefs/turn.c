/* turn.c: the way of an operation from its arrival to its answer.
 *
 * Rules look at it; it waits as long as they say; then it fails as they say, or waits for the thaw if it changes
 * something, and is done. */
#include <errno.h>

#include "server.h"

static void finish(struct server *server, struct operation *operation)
{
    struct record *record = records_begin(server, operation);
    int error = operation->error ? operation->error : operation_perform(server, operation);
    if (error)
        fuse_reply_err(operation->request, error);
    records_end(server, record, operation, error);
    operation_free(operation);
}

static bool waits_for_thaw(const struct server *server, const struct operation *operation)
{
    return !operation->error && operation_changes(operation->kind) && freeze_holds_changes(server);
}

void turn_take(struct server *server, struct operation *operation)
{
    operation->arrived_us = server_now_us();
    rules_apply(server, operation, operation->arrived_us);
    if (operation->until_us > operation->arrived_us || waits_for_thaw(server, operation))
        turn_put_aside(server, operation);
    else
        finish(server, operation);
}

static void append(struct turns *turns, struct operation *operation)
{
    struct operation **last = &turns->first;
    while (*last)
        last = &(*last)->next;
    operation->next = NULL;
    *last = operation;
}

void turn_put_aside(struct server *server, const struct operation *operation)
{
    append(&server->turns, operation->owned ? (struct operation *)operation : operation_keep(operation));
}

/* Takes those out of the list that can go on now. */
static struct operation *take_ready(struct server *server)
{
    int64_t now = server_now_us();
    struct operation *ready = NULL;
    struct operation **last = &ready;
    for (struct operation **link = &server->turns.first; *link;) {
        struct operation *operation = *link;
        if (operation->until_us > now || waits_for_thaw(server, operation)) {
            link = &operation->next;
            continue;
        }
        *link = operation->next;
        operation->next = NULL;
        *last = operation;
        last = &operation->next;
    }
    return ready;
}

void turn_go_on(struct server *server)
{
    for (struct operation *ready = take_ready(server); ready;) {
        struct operation *operation = ready;
        ready = ready->next;
        if (!operation->request)
            freeze_go_on(server, operation);
        else if (waits_for_thaw(server, operation)) /* a freeze came between */
            append(&server->turns, operation);
        else
            finish(server, operation);
    }
}

int64_t turn_next_us(const struct server *server)
{
    int64_t next = FOREVER;
    for (const struct operation *operation = server->turns.first; operation; operation = operation->next) {
        if (operation->until_us < next && !waits_for_thaw(server, operation))
            next = operation->until_us;
    }
    return next;
}

int64_t turn_release(struct server *server, enum rule_for for_what, enum operation_kind kind)
{
    int64_t released = 0;
    int64_t now = server_now_us();
    for (struct operation *operation = server->turns.first; operation; operation = operation->next) {
        if (operation->until_us <= now || !rule_is_for(for_what, kind, operation->kind))
            continue;
        operation->until_us = 0;
        released++;
    }
    return released;
}

int64_t turn_count(const struct server *server, enum rule_for for_what, enum operation_kind kind)
{
    int64_t count = 0;
    for (const struct operation *operation = server->turns.first; operation; operation = operation->next)
        count += rule_is_for(for_what, kind, operation->kind);
    return count;
}

void turn_give_up(struct server *server)
{
    while (server->turns.first) {
        struct operation *operation = server->turns.first;
        server->turns.first = operation->next;
        if (operation->request)
            fuse_reply_err(operation->request, EIO);
        operation_free(operation);
    }
}
