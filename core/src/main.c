/* main.c: the real world, one call, its exit status. The only file that exits. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "quiesce/os.h"

#define STATE_DIRECTORY "/run/quiesce"

extern char **environ;

int main(int argc, char **argv)
{
    struct qz_os *os = qz_linux_open(STATE_DIRECTORY);
    if (!os) {
        perror("quiesce: nothing was begun");
        return QZ_EXIT_SOFTWARE;
    }
    const char *no_colour = getenv("NO_COLOR"); /* empty, it counts for nothing: no-color.org */
    int status = qz_command_line_do(os, argc, argv, environ, no_colour && *no_colour);
    qz_linux_close(os);
    return status;
}
