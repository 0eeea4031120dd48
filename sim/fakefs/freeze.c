/* freeze.c: frozen and thawed, as the kernel does it: one freeze or thaw at a time, the others wait for their turn;
 * and who freezes stops the writers before anything else, and only then does what may take long. */
#include <errno.h>

#include "server.h"

bool freeze_holds_changes(const struct server *server)
{
    return server->freezer.state != THAWED;
}

static int refused(const struct server *server, enum operation_kind kind)
{
    if (!server->mounted)
        return ENODEV;
    if (kind == OP_FREEZE)
        return server->freezer.state == FROZEN ? EBUSY : 0;
    return server->freezer.state == THAWED ? EINVAL : 0;
}

/* The one whose turn it was has come to its end. */
static void end(struct server *server, struct operation *operation, int error)
{
    struct freezer *freezer = &server->freezer;
    struct record *record = records_begin(server, operation);
    if (freezer->state == FREEZING)
        freezer->state = error ? THAWED : FROZEN;
    else if (operation->kind == OP_THAW && !error)
        freezer->state = THAWED;
    records_end(server, record, operation, error);
    freezer->under_way = NULL;
    requests_finish(server, operation->asker, error, NULL);
    operation_free(operation);
}

static void begin(struct server *server, struct operation *operation)
{
    int error = refused(server, operation->kind);
    if (!error) {
        int64_t now = server_now_us();
        rules_apply(server, operation, now);
        if (operation->kind == OP_FREEZE)
            server->freezer.state = FREEZING;
        if (operation->until_us > now) {
            turn_put_aside(server, operation);
            return;
        }
        error = operation->error;
    }
    end(server, operation, error);
}

static void begin_next(struct server *server)
{
    struct freezer *freezer = &server->freezer;
    while (!freezer->under_way && freezer->queue) {
        struct operation *operation = freezer->queue;
        freezer->queue = operation->next;
        operation->next = NULL;
        freezer->under_way = operation;
        begin(server, operation);
    }
}

void freeze_ask(struct server *server, enum operation_kind kind, struct asker *asker)
{
    struct operation operation = {
        .kind = kind,
        .asker = asker,
        .node = ROOT_NUMBER,
        .pid = asker->pid,
        .arrived_us = server_now_us(),
    };
    struct operation **last = &server->freezer.queue;
    while (*last)
        last = &(*last)->next;
    *last = operation_keep(&operation);
    begin_next(server);
}

void freeze_go_on(struct server *server, struct operation *operation)
{
    end(server, operation, operation->error);
    begin_next(server);
}
