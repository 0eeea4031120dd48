/* main.c: quiesce-sim's commands by name. Each is a function of its folder; only here the program exits. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit status */
    const char *does;
} COMMANDS[] = {
    {"run", command_run, "plays scenarios, and tells what came of them"},
    {"explore", command_explore, "fails every system call of quiesce's in every way, and kills it at each"},
    {"random", command_random, "plays scenarios made by chance in the virtual world"},
    {"crash", command_crash, "what snapshots and crashes leave of recorded disks, measured"},
    {"explain", command_explain, "what a scenario sets up, does and expects, in plain words"},
    {"new", command_new, "writes a scenario to start from"},
    {"schema", command_schema, "prints the JSON Schema of scenarios, for editors"},
    {"sweep", command_sweep, "removes what a harness left that was killed"},
    {"fakefs", command_fakefs, "a filesystem in memory that fails, stalls and freezes when told"},
    {NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
    fputs("Usage: quiesce-sim COMMAND [ARG…]\n\nPlays scenarios against quiesce, and says what went wrong.\n\n", out);
    for (const struct command *command = COMMANDS; command->name; command++)
        fprintf(out, "  %-8s %s\n", command->name, command->does);
    fputs("\nquiesce-sim COMMAND --help tells more.\n", out);
}

/* A descriptor of ours in the place of a closed standard stream would be taken for that stream. Returns whether there is
 * a standard output. */
static bool open_standard_streams(void)
{
    bool output = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            break;
    }
    return output;
}

/* What could not be said is no success. */
static int finish(int status, bool output)
{
    int failed = output ? 0 : EBADF;
    if (!failed && (fflush(stdout) != 0 || ferror(stdout)))
        failed = errno ? errno : EIO;
    if (!failed)
        return status;
    fprintf(stderr, "quiesce-sim: what there was to say could not be printed: %s\n", strerror(failed));
    return status == EXIT_PASSED ? EXIT_BROKEN : status;
}

static int do_command(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_MISTAKE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return EXIT_PASSED;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("quiesce-sim " QZ_VERSION);
        return EXIT_PASSED;
    }
    for (const struct command *command = COMMANDS; command->name; command++) {
        if (strcmp(command->name, argv[1]) == 0)
            return command->run(argc - 1, argv + 1);
    }
    fprintf(stderr, "quiesce-sim: %s is no command; quiesce-sim --help lists them\n", argv[1]);
    return EXIT_MISTAKE;
}

int main(int argc, char **argv)
{
    bool output = open_standard_streams();
    return finish(do_command(argc, argv), output);
}
