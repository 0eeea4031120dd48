/* qemu_ga.c: what a hypervisor does for a snapshot: it asks the guest agent to freeze, snapshots, asks it to thaw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stopwatch.h"

/* Asks; the agent answers one line, with "return" in it if it did it. Returns the number that it returned. */
static int ask(int agent, const char *command)
{
    char line[4096];
    int size = snprintf(line, sizeof line, "{\"execute\":\"%s\"}\n", command);
    if (write(agent, line, (size_t)size) != size)
        fail("qemu-ga");
    for (size_t got = 0;;) {
        ssize_t more = read(agent, line + got, sizeof line - 1 - got);
        if (more <= 0)
            fail("qemu-ga");
        got += (size_t)more;
        line[got] = '\0';
        if (strchr(line, '\n'))
            break;
    }
    int number;
    if (sscanf(line, "{\"return\": %d}", &number) != 1) {
        fprintf(stderr, "stopwatch: qemu-ga: %s: %s", command, line);
        return -1;
    }
    return number;
}

int qemu_ga_main(int argc, char **argv)
{
    if (argc < 4)
        return 64;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (agent < 0 || connect(agent, (struct sockaddr *)&address, sizeof address) < 0)
        fail(argv[1]);
    int expected = atoi(argv[2]);
    int frozen = ask(agent, "guest-fsfreeze-freeze");
    int status = frozen == expected ? run(argv + 3, "/dev/null") : 1;
    int thawed = ask(agent, "guest-fsfreeze-thaw");
    if (frozen != expected || thawed != expected)
        fprintf(stderr, "stopwatch: qemu-ga froze %d and thawed %d filesystems of %d\n", frozen, thawed, expected);
    return status != 0 || frozen != expected || thawed != expected;
}
