/* workload.c: programs that write while the scenario is played, and how long they were made to wait. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"
#include "writers.h"

#define LEDGER_WAIT_MS 3000
#define STOP_WAIT_MS 200

struct workload {
    size_t count;
    size_t capacity;
    struct writer writers[];
};

/* ---- Starting --------------------------------------------------------------------------------------------------- */

/* What a writer works on, opened while failure can still be told of. */
static int prepare_file(const struct sandbox *sandbox, const struct scenario_workload *given, int number)
{
    PATH_OF(path, "%s%s/writer-%d", sandbox->root, given->volume, number);
    if (writer_needs_volume(given->kind))
        return inside_open(sandbox, given->volume, O_RDONLY | O_DIRECTORY);
    if (given->kind == SCENARIO_DIRECTORIES)
        return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (given->kind == SCENARIO_DIRECT ? O_DIRECT : 0), 0600);
    if (file < 0 || given->kind != SCENARIO_MMAP || writer_map(file))
        return file;
    close(file);
    return -1;
}

int workload_make_files(const struct scenario *scenario, const struct sandbox_volume *volume)
{
    int number = 0, error = 0;
    for (size_t i = 0; !error && i < scenario->workload_count; i++) {
        const struct scenario_workload *given = &scenario->workloads[i];
        int writers = given->kind == SCENARIO_LEDGER ? 1 : given->writers;
        bool here = strcmp(given->volume, volume->given->mount) == 0 && given->kind != SCENARIO_LEDGER &&
                    !writer_needs_volume(given->kind);
        for (int n = 0; here && !error && n < writers; n++) {
            char name[32];
            snprintf(name, sizeof name, "writer-%d", number + n);
            bool made = given->kind == SCENARIO_DIRECTORIES
                            ? mkdirat(volume->directory, name, 0700) == 0
                            : mknodat(volume->directory, name, S_IFREG | 0600, 0) == 0;
            error = made ? 0 : errno;
        }
        number += writers;
    }
    return error;
}

static bool start_writer(struct sandbox *sandbox, const struct scenario_workload *given, struct writer *writer,
                         int number, struct problem *problem)
{
    int file = prepare_file(sandbox, given, number);
    if (file < 0)
        return problem_set(problem, "a writer on %s: %s", given->volume, strerror(errno));
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* The writer's own copy of this is 0, and must not become what both see. */
    pid_t pid = sandbox_fork(sandbox);
    if (pid == 0)
        writer_go_on(writer, given, process_become(sandbox, null, null, file));
    close(null);
    if (given->kind == SCENARIO_MMAP)
        writer_unmap();
    close(file);
    writer->pid = pid > 0 ? pid : 0;
    return pid > 0 || problem_set(problem, "a writer on %s: %s", given->volume, strerror(-pid));
}

/* ---- The ledger ------------------------------------------------------------------------------------------------- */

static void ledger_socket(int which, char path[64])
{
    if (which == 1)
        snprintf(path, 64, "%s", SANDBOX_LEDGER_SOCKET);
    else
        snprintf(path, 64, "/run/ledger-%d.socket", which);
}

/* Asks a ledger from outside. False: it does not answer. */
static bool ask_ledger(const struct sandbox *sandbox, int which, char *answer, size_t size)
{
    char path[64];
    ledger_socket(which, path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int directory = inside_open(sandbox, "/run", O_PATH | O_DIRECTORY);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* By way of a descriptor, as the outside path may be longer than an address. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d%s", directory, path + strlen("/run"));
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 1}, sizeof(struct timeval));
    bool asked = connect(connection, (struct sockaddr *)&address, sizeof address) == 0 &&
                 send(connection, "status\n", 7, MSG_NOSIGNAL) == 7;
    ssize_t got = asked ? recv(connection, answer, size - 1, 0) : -1;
    answer[got > 0 ? got : 0] = '\0';
    close(connection);
    close(directory);
    return got > 0;
}

static _Noreturn void run_ledger(const struct sandbox *sandbox, char *const *argv, int null)
{
    static char *const environment[] = {NULL};
    process_become(sandbox, null, null, -1);
    execve(argv[0], argv, environment);
    _exit(127);
}

static bool start_ledger(struct sandbox *sandbox, const struct scenario_workload *given, struct writer *writer,
                         struct problem *problem)
{
    char socket_path[64], acks[PATH_MAX], writers[16], flush_ms[24], answer[256];
    ledger_socket(writer->ledger, socket_path);
    ledger_acks(sandbox, given->volume, acks);
    snprintf(writers, sizeof writers, "%d", given->writers);
    snprintf(flush_ms, sizeof flush_ms, "%lld", (long long)given->flush_us / 1000);
    if (!sandbox->settings->ledger)
        return problem_set(problem, "the workload \"ledger\": its program is not there");
    const char *const words[] = {SANDBOX_LEDGER, "serve", "--dir", given->volume, "--socket", socket_path, "--acks",
                                 acks + strlen(sandbox->root), "--writers", writers,
                                 "--flush-ms", flush_ms, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = sandbox_fork(sandbox);
    if (pid == 0)
        run_ledger(sandbox, (char *const *)(uintptr_t)words, null);
    close(null);
    writer->pid = pid > 0 ? pid : 0;
    for (int waited_ms = 0; pid > 0 && waited_ms < LEDGER_WAIT_MS; waited_ms++) {
        if (ask_ledger(sandbox, writer->ledger, answer, sizeof answer))
            return true;
        usleep(1000);
    }
    return problem_set(problem, "the ledger on %s does not answer", given->volume);
}

void ledger_acks(const struct sandbox *sandbox, const char *volume, char path[PATH_MAX])
{
    char name[256];
    snprintf(name, sizeof name, "%s", volume);
    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash, '/'))
        *slash = '-';
    path_format(path, "%s" SANDBOX_PRIVATE "/acknowledged%s", sandbox->root, name);
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

static size_t workload_size(size_t count)
{
    return sizeof(struct workload) + count * sizeof(struct writer);
}

static struct workload *make_workload(const struct scenario *scenario)
{
    size_t count = 0;
    for (size_t i = 0; i < scenario->workload_count; i++)
        count += scenario->workloads[i].kind == SCENARIO_LEDGER ? 1 : (size_t)scenario->workloads[i].writers;
    struct workload *workload =
        mmap(NULL, workload_size(count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workload == MAP_FAILED)
        abort();
    workload->capacity = count;
    return workload;
}

bool sandbox_workload_start(struct sandbox *sandbox, char *why, size_t why_size)
{
    const struct scenario *scenario = sandbox->scenario;
    struct problem problem = {.text = why, .size = why_size};
    sandbox->workload_us = writer_now_us();
    if (scenario->workload_count == 0)
        return true;
    struct workload *workload = sandbox->workload = make_workload(scenario);
    bool started = true;
    int ledgers = 0;
    for (size_t i = 0; started && i < scenario->workload_count; i++) {
        const struct scenario_workload *given = &scenario->workloads[i];
        bool ledger = given->kind == SCENARIO_LEDGER;
        for (int n = 0; started && n < (ledger ? 1 : given->writers); n++) {
            struct writer *writer = &workload->writers[workload->count];
            writer->volume = given->volume;
            writer->ledger = ledger ? ++ledgers : 0;
            started = ledger ? start_ledger(sandbox, given, writer, &problem)
                             : start_writer(sandbox, given, writer, (int)workload->count, &problem);
            workload->count++;
        }
    }
    return started;
}

/* ---- Looking ---------------------------------------------------------------------------------------------------- */

bool sandbox_next_stall(struct sandbox *sandbox, struct sandbox_stall *stall)
{
    struct writer *first = NULL;
    for (size_t i = 0; sandbox->workload && i < sandbox->workload->count; i++) {
        struct writer *writer = &sandbox->workload->writers[i];
        size_t noted = atomic_load(&writer->stall_count);
        if (noted > writer->told + STALLS_KEPT)
            writer->told = noted - STALLS_KEPT;
        if (writer->told == noted)
            continue;
        const struct sandbox_stall *next = &writer->stalls[writer->told % STALLS_KEPT];
        if (!first || next->end_us < stall->end_us) {
            first = writer;
            *stall = *next;
        }
    }
    if (first)
        first->told++;
    return first != NULL;
}

static int64_t longest_of_ledger(const struct sandbox *sandbox, int which)
{
    char answer[256];
    const char *number = ask_ledger(sandbox, which, answer, sizeof answer) ? strstr(answer, "longest_stall_us=") : NULL;
    return number ? strtoll(number + strlen("longest_stall_us="), NULL, 10) : 0;
}

/* Also of what it is waiting for at this moment. */
static int64_t longest_of_writer(const struct writer *writer)
{
    int64_t longest_us = atomic_load(&writer->longest_us);
    int64_t since_us = atomic_load(&writer->since_us);
    int64_t waiting_us = since_us ? writer_now_us() - since_us : 0;
    return waiting_us > longest_us ? waiting_us : longest_us;
}

/* ---- Stopping --------------------------------------------------------------------------------------------------- */

int64_t sandbox_workload_stop(struct sandbox *sandbox)
{
    struct workload *workload = sandbox->workload;
    int64_t longest_us = 0;
    for (size_t i = 0; workload && i < workload->count; i++) {
        struct writer *writer = &workload->writers[i];
        int64_t own_us = writer->ledger ? longest_of_ledger(sandbox, writer->ledger) : longest_of_writer(writer);
        longest_us = own_us > longest_us ? own_us : longest_us;
        if (writer->pid > 0)
            kill(writer->pid, SIGKILL);
    }
    /* One that waits in a frozen filesystem ends when it is thawed, and not before. */
    int waited_ms = 0;
    for (size_t i = 0; workload && i < workload->count; i++) {
        pid_t pid = workload->writers[i].pid;
        while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0 && waited_ms++ < STOP_WAIT_MS)
            usleep(1000);
        workload->writers[i].pid = 0;
    }
    return longest_us;
}

void workload_free(struct sandbox *sandbox)
{
    if (sandbox->workload)
        munmap(sandbox->workload, workload_size(sandbox->workload->capacity));
    sandbox->workload = NULL;
}
