/* stopwatch: measures, from outside, what ci/bench compares. Prints microseconds.
 *
 *     stopwatch run FILE COMMAND ARG…   from the start of a command to its end was seen; FILE gets its output
 *     stopwatch parts FILE DIR PRE COMMAND POST   what a run consists of, and no more: PRE, FIFREEZE of DIR, COMMAND, FITHAW,
 *                                    POST; FILE gets three numbers: all of it, FIFREEZE to FITHAW, these two calls alone
 *     stopwatch kill PID DIR         from SIGKILL of PID, which has DIR frozen, until a writer in DIR goes on
 *     stopwatch writers OPTION… DIR… :: COMMAND ARG…   writers' stalls while a command freezes these (writers.c)
 *     stopwatch qemu-ga SOCKET COUNT COMMAND ARG…      a hypervisor that has so many filesystems frozen (qemu_ga.c)
 *     snapshot                       by this name it is the snapshot command for that
 *
 * What freezes has a child beside it that thaws after some seconds, or when it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stopwatch.h"

#define RESCUE_S 5
#define BLOCKED_US 20000 /* a write that takes longer than this is waiting for the thaw */

int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void fail(const char *what)
{
    fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
    exit(1);
}

void write_line(const char *path, const char *format, ...)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    va_list arguments;
    va_start(arguments, format);
    if (file < 0 || vdprintf(file, format, arguments) < 0)
        fail(path);
    va_end(arguments);
    close(file);
}

int open_directory(const char *path)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        fail(path);
    return directory;
}

/* Thaws side by side: the thaw of one may wait for the freeze of another. */
static void thaw_all(const int *directories, int count)
{
    for (int i = 0; i < count; i++) {
        if (fork() == 0) {
            ioctl(directories[i], FITHAW, 0);
            _exit(0);
        }
    }
}

pid_t start_rescue(const int *directories, int count, int seconds)
{
    int alive[2]; /* open for writing as long as we are */
    if (pipe2(alive, O_CLOEXEC) < 0)
        fail("pipe");
    pid_t rescue = fork();
    if (rescue < 0)
        fail("fork");
    if (rescue == 0) {
        close(alive[1]);
        struct pollfd end = {.fd = alive[0]};
        if (poll(&end, 1, seconds * 1000) == 0)
            fprintf(stderr, "stopwatch: still frozen after %d s; thawing\n", seconds);
        thaw_all(directories, count);
        _exit(0);
    }
    close(alive[0]);
    return rescue;
}

void dismiss(pid_t rescue)
{
    kill(rescue, SIGKILL);
    waitpid(rescue, NULL, 0);
}

int run(char *const *argv, const char *output)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child;
    int status;
    errno = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
    if (errno || waitpid(child, &status, 0) < 0)
        fail(argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

static int measure_run(char **argv, const char *output)
{
    int64_t begin_us = now_us();
    int status = run(argv, output);
    int64_t end_us = now_us();
    if (status != 0) {
        fprintf(stderr, "stopwatch: %s ended with wait status %d\n", argv[0], status);
        return 1;
    }
    printf("%lld\n", (long long)(end_us - begin_us));
    return 0;
}

static int run_alone(char *command)
{
    char *argv[] = {command, NULL};
    return run(argv, "/dev/null");
}

static int measure_parts(const char *result, const char *path, char *pre, char *command, char *post)
{
    int directory = open_directory(path);
    pid_t rescue = start_rescue(&directory, 1, RESCUE_S);
    int64_t begin_us = now_us();
    int status = run_alone(pre);
    int64_t freeze_us = now_us();
    if (ioctl(directory, FIFREEZE, 0) < 0)
        fail("FIFREEZE");
    int64_t frozen_us = now_us();
    status |= run_alone(command);
    int64_t thaw_us = now_us();
    if (ioctl(directory, FITHAW, 0) < 0)
        fail("FITHAW");
    int64_t thawed_us = now_us();
    status |= run_alone(post);
    int64_t end_us = now_us();
    dismiss(rescue);
    write_line(result, "%lld %lld %lld\n", (long long)(end_us - begin_us), (long long)(thawed_us - freeze_us),
               (long long)(frozen_us - freeze_us + thawed_us - thaw_us));
    return status != 0;
}

struct writer {
    int directory;
    _Atomic int64_t begin_us; /* of the last write */
    int64_t end_us;
};

/* Writes until a write had to wait, as while the filesystem is frozen. */
static void *writer_main(void *argument)
{
    struct writer *writer = argument;
    do {
        writer->begin_us = now_us();
        if (mkdirat(writer->directory, "stopwatch", 0700) < 0 || unlinkat(writer->directory, "stopwatch", AT_REMOVEDIR) < 0)
            fail("stopwatch");
        writer->end_us = now_us();
    } while (writer->end_us - writer->begin_us < BLOCKED_US);
    return NULL;
}

static int measure_kill(pid_t victim, const char *path)
{
    struct writer writer = {.directory = open_directory(path), .begin_us = now_us()};
    pid_t rescue = start_rescue(&writer.directory, 1, RESCUE_S);
    pthread_t thread;
    errno = pthread_create(&thread, NULL, writer_main, &writer);
    if (errno)
        fail("thread");
    int64_t give_up_us = now_us() + RESCUE_S * INT64_C(1000000) / 2;
    while (now_us() - writer.begin_us < 2 * BLOCKED_US) {
        if (now_us() > give_up_us) {
            fprintf(stderr, "stopwatch: %s is not frozen\n", path);
            exit(1);
        }
        usleep(1000);
    }
    int64_t kill_us = now_us();
    if (victim <= 0 || kill(victim, SIGKILL) < 0)
        fail("kill");
    pthread_join(thread, NULL);
    dismiss(rescue);
    printf("%lld\n", (long long)(writer.end_us - kill_us));
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    if (strcmp(name ? name + 1 : argv[0], "snapshot") == 0)
        return cut_main();
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "run") == 0 && argc > 3)
        return measure_run(argv + 3, argv[2]);
    if (strcmp(what, "parts") == 0 && argc == 7)
        return measure_parts(argv[2], argv[3], argv[4], argv[5], argv[6]);
    if (strcmp(what, "kill") == 0 && argc == 4)
        return measure_kill(atoi(argv[2]), argv[3]);
    if (strcmp(what, "writers") == 0)
        return writers_main(argc - 1, argv + 1);
    if (strcmp(what, "qemu-ga") == 0)
        return qemu_ga_main(argc - 1, argv + 1);
    fputs("stopwatch: wrong command line; stopwatch.c has them all\n", stderr);
    return 64;
}
