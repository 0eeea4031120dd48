/* control.c: who controls, by connections and by ioctl: lines come in, answers go out. What anybody asks for is
 * requests.c's. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "memory.h"
#include "server.h"

#define LONGEST_LINE (1 << 16)

int control_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listening < 0)
        return -errno;
    mode_t mask = umask(0077); /* nobody else's from the first moment on */
    bool bound = bind(listening, (struct sockaddr *)&address, sizeof address) == 0;
    int error = errno;
    umask(mask);
    if (bound && listen(listening, SOMAXCONN) == 0)
        return listening;
    close(listening);
    return -error;
}

/* ---- Connections ------------------------------------------------------------------------------------------------- */

static struct connection *add_connection(struct server *server, int socket)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    struct connection *connection = memory_get(sizeof *connection);
    *connection = (struct connection){.next = server->control.connections, .socket = socket, .pid = peer.pid};
    server->control.connections = connection;
    return connection;
}

static void free_finished(struct control *control)
{
    for (struct connection **link = &control->connections; *link;) {
        struct connection *connection = *link;
        if (!connection->closed || connection->askers > 0 || connection->out_size > 0) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        close(connection->socket);
        free(connection->in);
        free(connection->out);
        free(connection);
    }
}

static void send_out(struct connection *connection)
{
    size_t sent = 0;
    while (sent < connection->out_size) {
        ssize_t size = send(connection->socket, connection->out + sent, connection->out_size - sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN)
            break;
        if (size < 0) { /* nobody is there to read it */
            connection->closed = true;
            sent = connection->out_size;
            break;
        }
        sent += (size_t)size;
    }
    connection->out_size -= sent;
    memmove(connection->out, connection->out + sent, connection->out_size);
}

static void answer_line(struct connection *connection, const char *text)
{
    size_t length = strlen(text);
    connection->out = memory_or_end(realloc(connection->out, connection->out_size + length + 1));
    memcpy(connection->out + connection->out_size, text, length);
    connection->out[connection->out_size + length] = '\n';
    connection->out_size += length + 1;
    send_out(connection);
}

static void do_lines(struct server *server, struct connection *connection)
{
    char *line = connection->in;
    char *end = connection->in + connection->in_size;
    for (char *newline; (newline = memchr(line, '\n', (size_t)(end - line))); line = newline + 1) {
        *newline = '\0';
        struct asker *asker = memory_get(sizeof *asker);
        *asker = (struct asker){.connection = connection, .pid = connection->pid};
        connection->askers++;
        requests_do(server, asker, line);
    }
    connection->in_size = (size_t)(end - line);
    memmove(connection->in, line, connection->in_size);
}

static void read_in(struct server *server, struct connection *connection)
{
    for (;;) {
        if (connection->in_capacity - connection->in_size < PAGE_BYTES) {
            connection->in_capacity += 2 * PAGE_BYTES;
            connection->in = memory_or_end(realloc(connection->in, connection->in_capacity));
        }
        ssize_t size = recv(connection->socket, connection->in + connection->in_size, PAGE_BYTES, MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0 || connection->in_size > LONGEST_LINE) {
            connection->closed = true;
            return;
        }
        connection->in_size += (size_t)size;
        do_lines(server, connection);
    }
}

/* ---- What to wait for -------------------------------------------------------------------------------------------- */

size_t control_count(const struct server *server)
{
    size_t count = 2;
    for (const struct connection *connection = server->control.connections; connection; connection = connection->next)
        count++;
    return count;
}

size_t control_poll(const struct server *server, struct pollfd *polls)
{
    polls[0] = (struct pollfd){.fd = server->control.command, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = server->control.listening, .events = POLLIN};
    size_t count = 2;
    for (const struct connection *connection = server->control.connections; connection; connection = connection->next) {
        short events = (short)((connection->closed ? 0 : POLLIN) | (connection->out_size > 0 ? POLLOUT : 0));
        polls[count++] = (struct pollfd){.fd = events ? connection->socket : -1, .events = events};
    }
    return count;
}

/* Who started us hands over one end of a connection, on which a request waits; or is gone. */
static void take_command(struct server *server)
{
    char byte;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } space = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space};
    ssize_t size = recvmsg(server->control.command, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        server->ended = true;
    const struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return;
    int socket = -1;
    memcpy(&socket, CMSG_DATA(header), sizeof socket);
    read_in(server, add_connection(server, socket));
}

void control_serve(struct server *server, const struct pollfd *polls, size_t count)
{
    size_t i = 2;
    for (struct connection *connection = server->control.connections; connection && i < count; i++) {
        if (polls[i].revents & POLLOUT)
            send_out(connection);
        if (polls[i].revents & ~POLLOUT)
            read_in(server, connection);
        connection = connection->next;
    }
    free_finished(&server->control);
    if (polls[0].revents)
        take_command(server);
    int accepted = polls[1].revents ? accept4(server->control.listening, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (accepted >= 0)
        add_connection(server, accepted);
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

void control_ioctl(struct server *server, fuse_req_t request, const void *in, size_t size, size_t room)
{
    if (fuse_req_ctx(request)->uid != 0) {
        fuse_reply_err(request, EPERM);
        return;
    }
    char *line = memory_or_end(strndup(in, size));
    struct asker *asker = memory_get(sizeof *asker);
    *asker = (struct asker){.request = request, .room = room, .pid = fuse_req_ctx(request)->pid};
    requests_do(server, asker, line);
    free(line);
}

static void answer_ioctl(struct server *server, struct asker *asker, const char *text)
{
    size_t length = strlen(text);
    if (length < asker->room) {
        fuse_reply_ioctl(asker->request, 0, text, length + 1);
        free(asker);
        return;
    }
    char why[128];
    snprintf(why, sizeof why, "the answer has %zu bytes, an ioctl has room for %zu; give a limit, or use the socket",
             length, asker->room - 1);
    requests_finish(server, asker, E2BIG, why);
}

void control_answer(struct server *server, struct asker *asker, cJSON *answer)
{
    char *text = memory_or_end(cJSON_PrintUnformatted(answer));
    cJSON_Delete(answer);
    if (asker->connection) {
        asker->connection->askers--;
        answer_line(asker->connection, text);
        free(asker);
    } else {
        answer_ioctl(server, asker, text);
    }
    cJSON_free(text);
}
