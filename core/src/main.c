/* main.c: words on the command line → one call → exit status. The only file that exits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "quiesce/os.h"

#define STATE_DIRECTORY "/run/quiesce"

extern char **environ;

static int show(struct qz_os *os, char *text)
{
    if (text)
        os->ops->print(os, QZ_STREAM_RESULT, text, strlen(text));
    free(text);
    return text ? 0 : QZ_EXIT_SOFTWARE;
}

static int dispatch(struct qz_os *os, enum qz_parse parsed, const struct qz_command_line *line)
{
    switch (parsed) {
    case QZ_PARSE_HELP:
        return show(os, qz_options_help(line->command));
    case QZ_PARSE_VERSION:
        return show(os, strdup(qz_options_version()));
    case QZ_PARSE_WRONG:
        qz_say(os, "%s", line->message);
        return QZ_EXIT_USAGE;
    case QZ_PARSE_FAILED:
        qz_say(os, "%s", line->message);
        return QZ_EXIT_SOFTWARE;
    case QZ_PARSE_GO:
        break;
    }
    return qz_command_do(os, line, getenv("NO_COLOR") != NULL);
}

int main(int argc, char **argv)
{
    struct qz_command_line line;
    struct qz_os *os = qz_linux_open(STATE_DIRECTORY);
    if (!os) {
        perror("quiesce");
        return QZ_EXIT_SOFTWARE;
    }
    enum qz_parse parsed = qz_options_parse(argc, argv, environ, &line);
    int status = dispatch(os, parsed, &line);
    qz_options_free(&line);
    qz_linux_close(os);
    return status;
}
