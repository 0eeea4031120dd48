/* command.c: quiesce-sim fakefs. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "commands.h"
#include "server.h"

static const char HELP[] =
    "Usage: quiesce-sim fakefs [OPTION…] MOUNTPOINT\n"
    "       quiesce-sim fakefs --ask REQUEST MOUNTPOINT\n"
    "\n"
    "Serves a filesystem in memory, whose operations fail, stall or fall short when told, which can be frozen, records\n"
    "all that is done to it, and copies its files as they were at any moment. Ends when it is unmounted, or at SIGTERM.\n"
    "\n"
    "  --size BYTES           what can be written, with K, M or G behind it; the machine's memory otherwise\n"
    "  --history              keeps what is overwritten, so that copies of the past can be made\n"
    "  --block-device DEVICE  mounts as fuseblk on this device, which is not touched\n"
    "  --socket PATH          where requests are taken, one a line, answers too; besides --ask\n"
    "  --ask REQUEST          asks the server of a mount point something, prints the answer\n"
    "  --help                 this\n"
    "\n"
    "Requests (sim/fakefs/README.md has all of them):\n"
    "  {\"do\":\"status\"}   {\"do\":\"freeze\"}   {\"do\":\"thaw\"}   {\"do\":\"records\",\"first\":0,\"limit\":20}\n"
    "  {\"do\":\"rule\",\"operation\":\"write\",\"path\":\"/db*\",\"nth\":3,\"error\":\"EIO\"}\n"
    "  {\"do\":\"rule\",\"operation\":\"fsync\",\"delay_us\":\"forever\"}   {\"do\":\"release\"}   {\"do\":\"clear\"}\n"
    "  {\"do\":\"copy\",\"path\":\"/disk\",\"at_us\":81234567,\"to\":\"/disk-then\"}\n"
    "\n"
    "Example: the third write to a file fails.\n"
    "  quiesce-sim fakefs /mnt &\n"
    "  quiesce-sim fakefs --ask '{\"do\":\"rule\",\"operation\":\"write\",\"nth\":3,\"error\":\"EIO\"}' /mnt\n"
    "  for i in 1 2 3 4; do echo $i >>/mnt/log; done\n"
    "  umount /mnt\n";

enum { OPTION_SIZE = 256, OPTION_HISTORY, OPTION_DEVICE, OPTION_SOCKET, OPTION_ASK, OPTION_COMMAND, OPTION_OWNER,
       OPTION_HELP };

static const struct option OPTIONS[] = {
    {"size", required_argument, NULL, OPTION_SIZE},
    {"history", no_argument, NULL, OPTION_HISTORY},
    {"block-device", required_argument, NULL, OPTION_DEVICE},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"ask", required_argument, NULL, OPTION_ASK},
    {"command", required_argument, NULL, OPTION_COMMAND}, /* these two: client.c's */
    {"owner", required_argument, NULL, OPTION_OWNER},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static int mistake(const char *what, const char *why)
{
    fprintf(stderr, "quiesce-sim: fakefs: %s: %s; quiesce-sim fakefs --help tells more\n", what, why);
    return EXIT_MISTAKE;
}

/* -1: is none. */
static int64_t read_size(const char *text)
{
    static const char UNITS[] = "KMG";
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(UNITS, *end) : NULL;
    int shift = unit ? 10 * (int)(unit - UNITS + 1) : 0;
    if (errno || end == text || (*end && (!unit || end[1])) || number < 1 || number > INT64_MAX >> shift)
        return -1;
    return number << shift;
}

static int ask(const char *request, const char *mount_point)
{
    static struct fakefs_text text;
    if (strlen(request) >= sizeof text.bytes)
        return mistake("--ask", "the request is too long");
    strcpy(text.bytes, request);
    int directory = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || ioctl(directory, FAKEFS_ASK, &text) != 0) {
        fprintf(stderr, "quiesce-sim: fakefs: %s: %s\n", mount_point,
                errno == ENOTTY ? "is not the mount point of a fakefs" : strerror(errno));
        return EXIT_BROKEN;
    }
    close(directory);
    puts(text.bytes);
    return strncmp(text.bytes, "{\"error\":", 9) == 0 && text.bytes[9] != '0' ? EXIT_FAILED : EXIT_PASSED;
}

int command_fakefs(int argc, char **argv)
{
    struct server_options options = {.command = -1, .owner = -1};
    const char *request = NULL;
    int option = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) >= 0) {
        switch (option) {
        case OPTION_SIZE:
            options.size = read_size(optarg);
            if (options.size < 0)
                return mistake(optarg, "--size takes bytes, from 1 on, with K, M or G behind the number");
            break;
        case OPTION_HISTORY: options.history = true; break;
        case OPTION_DEVICE: options.block_device = optarg; break;
        case OPTION_SOCKET:
            options.socket = optarg;
            if (*optarg != '/')
                return mistake(optarg, "--socket takes an absolute path");
            break;
        case OPTION_ASK: request = optarg; break;
        case OPTION_COMMAND: options.command = atoi(optarg); break;
        case OPTION_OWNER: options.owner = atoi(optarg); break;
        case OPTION_HELP: fputs(HELP, stdout); return EXIT_PASSED;
        default: return EXIT_MISTAKE; /* getopt has said why */
        }
    }
    if (optind != argc - 1)
        return mistake("MOUNTPOINT", optind < argc ? "more than one" : "is missing");
    if (request)
        return ask(request, argv[optind]);
    options.mount_point = argv[optind];
    return server_run(&options);
}
