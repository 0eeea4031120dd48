/* client.c: requests to a server. Each has a connection of its own, whose other end is handed to the server over
 * fakefs.control: so threads need no lock, and one that waits for a freeze that hangs holds up nobody. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "fakefs.h"
#include "memory.h"

#define RECORDS_AT_ONCE 4096

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

static bool hand_over(const struct fakefs *fakefs, int end)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } space = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space};
    space.header.cmsg_level = SOL_SOCKET;
    space.header.cmsg_type = SCM_RIGHTS;
    space.header.cmsg_len = CMSG_LEN(sizeof end);
    memcpy(CMSG_DATA(&space.header), &end, sizeof end);
    return sendmsg(fakefs->control, &message, MSG_NOSIGNAL) == 1;
}

/* Sends a line. It lies in the socket until the server has that: it is no longer than that has room for. */
static bool send_line(int connection, const char *text)
{
    char end = '\n';
    struct iovec parts[] = {{(void *)(uintptr_t)text, strlen(text)}, {&end, 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)parts[0].iov_len + 1;
}

/* A connection to the server, on which this line waits for it: so it is woken once. -1: it is gone. */
static int connect_with(const struct fakefs *fakefs, const char *line)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    if (!send_line(ends[0], line) || !hand_over(fakefs, ends[1])) {
        close(ends[0]);
        ends[0] = -1;
    }
    close(ends[1]);
    return ends[0];
}

/* One line, without its end; the caller frees. NULL: the server is gone. */
static char *receive_line(int connection)
{
    size_t size = 0;
    size_t capacity = 0;
    char *line = NULL;
    for (;;) {
        if (capacity - size < 4096)
            line = memory_or_end(realloc(line, capacity = 2 * capacity + 8192));
        ssize_t got = recv(connection, line + size, capacity - size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            free(line);
            return NULL;
        }
        size += (size_t)got;
        if (line[size - 1] == '\n') {
            line[size - 1] = '\0';
            return line;
        }
    }
}

/* Asks, and takes the request over. `answer` gets the answer unless it is NULL or the result is not 0. */
static int ask(const struct fakefs *fakefs, cJSON *request, cJSON **answer)
{
    char *text = memory_or_end(cJSON_PrintUnformatted(request));
    cJSON_Delete(request);
    int connection = connect_with(fakefs, text);
    char *line = connection >= 0 ? receive_line(connection) : NULL;
    if (connection >= 0)
        close(connection);
    cJSON_free(text);
    cJSON *object = line ? cJSON_Parse(line) : NULL;
    free(line);
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(object, "error");
    int error = cJSON_IsNumber(result) ? result->valueint : ENOTCONN;
    if (error == 0 && answer)
        *answer = object;
    else
        cJSON_Delete(object);
    return error;
}

static cJSON *request_to(const char *what)
{
    cJSON *request = memory_or_end(cJSON_CreateObject());
    cJSON_AddStringToObject(request, "do", what);
    return request;
}

static void add_text(cJSON *request, const char *key, const char *text)
{
    if (text)
        cJSON_AddStringToObject(request, key, text);
}

/* Asks for a number of that key. */
static int ask_number(const struct fakefs *fakefs, cJSON *request, const char *key, int64_t *number)
{
    cJSON *answer = NULL;
    int error = ask(fakefs, request, &answer);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(answer, key);
    if (cJSON_IsNumber(item))
        *number = (int64_t)item->valuedouble;
    cJSON_Delete(answer);
    return error;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static void add_chance(cJSON *request, const struct fakefs_rule *rule)
{
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)rule->seed);
    switch (rule->chance) {
    case FAKEFS_NTH: cJSON_AddNumberToObject(request, "nth", rule->nth); break;
    case FAKEFS_PROBABILITY:
        cJSON_AddNumberToObject(request, "probability", rule->probability);
        cJSON_AddStringToObject(request, "seed", seed);
        break;
    case FAKEFS_EVERY:
        if (rule->nth)
            cJSON_AddNumberToObject(request, "every", rule->nth);
        break;
    }
}

int fakefs_add_rule(struct fakefs *fakefs, const struct fakefs_rule *rule)
{
    cJSON *request = request_to("rule");
    add_text(request, "operation", rule->operation);
    add_text(request, "path", rule->path);
    add_chance(request, rule);
    if (rule->error)
        cJSON_AddNumberToObject(request, "error", rule->error);
    if (rule->delay_us == FAKEFS_FOREVER)
        cJSON_AddStringToObject(request, "delay_us", "forever");
    else if (rule->delay_us)
        cJSON_AddNumberToObject(request, "delay_us", (double)rule->delay_us);
    if (rule->bytes_per_s > 0)
        cJSON_AddNumberToObject(request, "bytes_per_s", (double)rule->bytes_per_s);
    if (rule->transfer > 0)
        cJSON_AddNumberToObject(request, "transfer", (double)rule->transfer);
    if (rule->frozen)
        cJSON_AddTrueToObject(request, "frozen");
    fakefs->has_rules = true;
    return ask(fakefs, request, NULL);
}

int fakefs_clear_rules(struct fakefs *fakefs)
{
    return ask(fakefs, request_to("clear"), NULL);
}

int fakefs_release(struct fakefs *fakefs, const char *operation)
{
    cJSON *request = request_to("release");
    add_text(request, "operation", operation);
    return ask(fakefs, request, NULL);
}

int fakefs_freeze(struct fakefs *fakefs)
{
    return ask(fakefs, request_to("freeze"), NULL);
}

int fakefs_thaw(struct fakefs *fakefs)
{
    return ask(fakefs, request_to("thaw"), NULL);
}

int fakefs_is_frozen(struct fakefs *fakefs, bool *frozen)
{
    cJSON *answer = NULL;
    int error = ask(fakefs, request_to("status"), &answer);
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "state"));
    *frozen = state && strcmp(state, "frozen") == 0;
    cJSON_Delete(answer);
    return error;
}

int fakefs_waiting(struct fakefs *fakefs, const char *operation, int64_t *count)
{
    cJSON *request = request_to("waiting");
    add_text(request, "operation", operation);
    return ask_number(fakefs, request, "count", count);
}

int fakefs_writes(struct fakefs *fakefs, const char *path, int64_t *count)
{
    cJSON *request = request_to("changes");
    add_text(request, "path", path);
    return ask_number(fakefs, request, "count", count);
}

int fakefs_copy(struct fakefs *fakefs, const char *path, int64_t at_us, const char *copy)
{
    cJSON *request = request_to("copy");
    add_text(request, "path", path);
    add_text(request, "to", copy);
    if (at_us >= 0)
        cJSON_AddNumberToObject(request, "at_us", (double)at_us);
    return ask(fakefs, request, NULL);
}

/* ---- Records ----------------------------------------------------------------------------------------------------- */

static int64_t number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

static void copy_text(const cJSON *object, const char *key, char *text, size_t size)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    snprintf(text, size, "%s", value ? value : "");
}

static void read_record(const cJSON *object, struct fakefs_record *record)
{
    *record = (struct fakefs_record){
        .at_us = number_of(object, "at_us"),
        .waited_us = number_of(object, "waited_us"),
        .pid = (pid_t)number_of(object, "pid"),
        .offset = number_of(object, "offset"),
        .length = number_of(object, "length"),
        .error = (int)number_of(object, "error"),
    };
    copy_text(object, "operation", record->operation, sizeof record->operation);
    copy_text(object, "path", record->path, sizeof record->path);
    copy_text(object, "to", record->to, sizeof record->to);
}

int fakefs_records(struct fakefs *fakefs, size_t first, void (*each)(const struct fakefs_record *, void *), void *argument)
{
    for (;;) {
        cJSON *request = request_to("records");
        cJSON_AddNumberToObject(request, "first", (double)first);
        cJSON_AddNumberToObject(request, "limit", RECORDS_AT_ONCE);
        cJSON *answer = NULL;
        int error = ask(fakefs, request, &answer);
        if (error)
            return error;
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "records");
        bool more = cJSON_GetArraySize(list) == RECORDS_AT_ONCE;
        const cJSON *object = NULL;
        cJSON_ArrayForEach(object, list)
        {
            struct fakefs_record record;
            read_record(object, &record);
            each(&record, argument);
        }
        first = (size_t)number_of(answer, "next");
        cJSON_Delete(answer);
        if (!more)
            return 0;
    }
}
