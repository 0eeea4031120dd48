/* crash.c: `quiesce-sim crash`: `run`, of what has recorded disks, with many images of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "put.h"

#define IMAGES "200"

static void print_help(FILE *out)
{
    fputs("Usage: quiesce-sim crash [OPTION]… [PATH]…\n\n"
          "Plays scenarios with recorded disks (./scenarios/crash) in the loop world, and tells what each snapshot, and a\n"
          "crash at any moment, would have left: whether it mounts, whether its filesystem's checker finds anything,\n"
          "and how many records that a database had acknowledged are not in it.\n\n"
          "The options are those of `quiesce-sim run`; --crash-images N is " IMAGES " here unless it is given.\n", out);
}

/* Does any word name a file or a folder? Values of options may, too: those have their option before them. */
static bool has_path(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && (i == 1 || argv[i - 1][0] != '-' || strchr(argv[i - 1], '=')))
            return true;
    }
    return false;
}

int command_crash(int argc, char **argv)
{
    running_command = "crash";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return EXIT_PASSED;
        }
    }
    static char world[] = "--world=loop", images[] = "--crash-images=" IMAGES, usual[] = "scenarios/crash";
    char **words = must(calloc((size_t)argc + 4, sizeof *words));
    int count = 0;
    words[count++] = argv[0];
    words[count++] = world;
    words[count++] = images;
    for (int i = 1; i < argc; i++)
        words[count++] = argv[i];
    if (!has_path(argc, argv))
        words[count++] = usual;
    int status = command_run(count, words);
    free(words);
    return status;
}
