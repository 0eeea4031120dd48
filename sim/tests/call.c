#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "commands.h"

static void quiesce(struct qz_os *os, void *argument)
{
    struct call *call = argument;
    char path[] = "PATH=/usr/bin:/bin";
    char *const environment[] = {path, NULL};
    while (call->words[call->count])
        call->count++;
    int status = qz_command_line_do(os, call->count, call->words, environment, true);
    if (!virtual_is_in_background(os))
        call->status = status;
}

void call_do(struct run *run, struct call *call, bool leaves)
{
    size_t from, count;
    size_t output = strlen(virtual_output(run->world, QZ_STREAM_RESULT));
    size_t log = strlen(virtual_output(run->world, QZ_STREAM_LOG));
    virtual_trace(run->world, &from);
    virtual_leave_background(run->world, leaves);
    CHECK_INT(virtual_run(run->world, quiesce, call), VIRTUAL_OVER);
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    for (size_t i = from; i < count; i++)
        if (trace[i].what == VIRTUAL_DID_ENDS && trace[i].detail == VIRTUAL_STARTED)
            call->status = (int)trace[i].value;
    cJSON_Delete(run->json);
    free(run->output);
    free(run->log);
    run->output = strdup(virtual_output(run->world, QZ_STREAM_RESULT) + output);
    run->log = strdup(virtual_output(run->world, QZ_STREAM_LOG) + log);
    run->json = cJSON_ParseWithOpts(run->output, NULL, true);
}
