/* new.c: the command `new`: a scenario to start from, which passes. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "memory.h"
#include "scenario.h"
#include "values.h"

static const char STARTER[] =
    "{\n"
    "  \"$schema\": \"%sscenario.schema.json\",\n"
    "  \"description\": \"A pre-script that fails once is run again. (Put your rule here, in one sentence.)\",\n"
    "  \"config\": {\"preScriptNoOfRetries\": 1},\n"
    "  \"pre\": [{\"exit\": 3}, {}],\n"
    "  \"expect\": {\n"
    "    \"exit\": 0,\n"
    "    \"consistency\": \"application\",\n"
    "    \"errors\": [],\n"
    "    \"trace\": [\n"
    "      \"pre * 1 exits 3\",\n"
    "      \"pre * 2 exits 0\",\n"
    "      \"freeze /data ok\",\n"
    "      \"snapshot exits 0\",\n"
    "      \"thaw /data ok\",\n"
    "      \"post * 1 exits 0\"\n"
    "    ],\n"
    "    \"never\": [\"pre * 3 starts\"]\n"
    "  }\n"
    "}\n";

static void print_help(FILE *out)
{
    fputs("Usage: quiesce-sim new NAME\n\n"
          "Writes scenarios/NAME.json, as in `quiesce-sim new retries/my-rule`: a scenario that passes, to be "
          "changed. Never\n"
          "overwrites. It looks for the folder scenarios upwards from the current one.\n", out);
}

/* The directories on the way to `path`, below the first `size` bytes of it. */
static int make_parents(char *path, size_t size)
{
    for (char *slash = strchr(path + size + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : errno;
        *slash = '/';
        if (failed)
            return failed;
    }
    return 0;
}

static int write_starter(const char *path, const char *up)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        return errno;
    int written = dprintf(file, STARTER, up);
    int error = written < 0 ? errno : 0;
    return close(file) == 0 ? error : errno;
}

/* Returns 0, or an errno. */
static int write_new(const char *root, const char *name)
{
    char *path, up[256] = "";
    if (asprintf(&path, "%s/%s.json", root, name) < 0)
        scenario_no_memory();
    for (const char *slash = strchr(name, '/'); slash && strlen(up) + 4 < sizeof up; slash = strchr(slash + 1, '/'))
        strcat(up, "../");
    int error = make_parents(path, strlen(root));
    if (!error)
        error = write_starter(path, *up ? up : "./");
    if (!error)
        printf("%s\n", path);
    else if (error == EEXIST)
        fprintf(stderr, "quiesce-sim new: %s is there already; nothing was written\n", path);
    else
        fprintf(stderr, "quiesce-sim new: %s: %s\n", path, strerror(error));
    free(path);
    return error;
}

int command_new(int argc, char **argv)
{
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (argc != 2 || help) {
        print_help(help ? stdout : stderr);
        return help ? EXIT_PASSED : EXIT_MISTAKE;
    }
    size_t length = strlen(argv[1]);
    if (length > 5 && strcmp(argv[1] + length - 5, ".json") == 0)
        argv[1][length - 5] = '\0';
    const char *name = strncmp(argv[1], "scenarios/", 10) == 0 ? argv[1] + 10 : argv[1];
    if (!values_is_fixture(name) || name[0] == '-') {
        fprintf(stderr, "quiesce-sim new: %s is no name; allowed is a path below scenarios/, as in retries/my-rule\n",
                name);
        return EXIT_MISTAKE;
    }
    char *root = scenario_find_root(".");
    if (!root) {
        fprintf(stderr, "quiesce-sim new: there is no folder scenarios with a scenario.schema.json here or above; to begin "
                        "one: mkdir scenarios && quiesce-sim schema >scenarios/scenario.schema.json\n");
        return EXIT_MISTAKE;
    }
    int error = write_new(root, name);
    free(root);
    return error == 0 ? EXIT_PASSED : error == EEXIST ? EXIT_MISTAKE : EXIT_BROKEN;
}
