/* options.h: the command line, as data. Prints nothing and exits never. */
#ifndef QUIESCE_OPTIONS_H
#define QUIESCE_OPTIONS_H

#include "quiesce/session.h"

#define QZ_SECONDS_MAX 3600 /* the largest value of --hold, --hold-limit, --freeze-timeout and --attempt-delay */
#define QZ_ATTEMPTS_MAX 100
#define QZ_INIT_DIRECTORY_DEFAULT "/etc/azure"

enum qz_command {
    QZ_COMMAND_NONE, /* of `quiesce --help` */
    QZ_COMMAND_RUN,
    QZ_COMMAND_BEGIN,
    QZ_COMMAND_END,
    QZ_COMMAND_CHECK,
    QZ_COMMAND_FREEZE,
    QZ_COMMAND_THAW,
    QZ_COMMAND_STATUS,
    QZ_COMMAND_INIT,
    QZ_COMMAND_ERRORS,
    QZ_COMMAND_COUNT
};

enum qz_format { QZ_FORMAT_HUMAN, QZ_FORMAT_JSON };

enum qz_parse {
    QZ_PARSE_GO,      /* do `command` */
    QZ_PARSE_HELP,    /* show qz_options_help(command), exit 0 */
    QZ_PARSE_VERSION, /* show qz_options_version(), exit 0 */
    QZ_PARSE_WRONG,   /* say `message`, exit QZ_EXIT_USAGE */
    QZ_PARSE_FAILED,  /* memory is short; say `message`, exit QZ_EXIT_SOFTWARE */
};

/* Strings are borrowed from argv, but for the mount points. */
struct qz_command_line {
    enum qz_command command;
    struct qz_options options; /* with every default filled in */
    enum qz_format format;
    const char *report_path;    /* --report; NULL: not given */
    const char *init_directory; /* init --dir */
    const char *error_word;     /* errors NAME|NUMBER; NULL: all */
    bool snapshot_failed;       /* end --failed */
    char message[QZ_MESSAGE_SIZE];
    char **volumes;  /* owned; what options.volumes and options.excludes show */
    char **excludes;
};

/* Reads `argv` (`argc` words and NULL; getopt may put them in another order), fills `line` (free with
 * qz_options_free, whatever was returned). `environment` is borrowed for the snapshot command. */
enum qz_parse qz_options_parse(int argc, char **argv, char *const *environment, struct qz_command_line *line);

void qz_options_free(struct qz_command_line *line);

/* The help of a command, or of the whole program for QZ_COMMAND_NONE. The caller frees. NULL: memory is short. */
char *qz_options_help(enum qz_command command);

const char *qz_options_version(void);

#endif
