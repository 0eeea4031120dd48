/* actor.c: quiesce-sim-actor FILE: carries out what a scenario says of a script's n-th start.
 *
 * It runs inside the sandbox, where the kernel starts it as the interpreter of a behaviour (behaviour.h). What it does
 * is in SANDBOX_RECORD, a line each: what, which start, process number of the inside, status, name.
 *
 *     starts 1 12 0 pre ScriptRunner
 *     leaves 1 13 0 pre ScriptRunner
 *     ends 1 12 3 pre ScriptRunner          (is about to exit with status 3; negative: to die by that signal)
 *     gone 1 13 0 pre ScriptRunner          (what was left ended by itself) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "behaviour.h"
#include "commands.h"
#include "inside.h"

#define US_PER_S 1000000

struct acting {
    struct behaviour behaviour;
    const struct scenario_attempt *attempt;
    int start; /* which one this is, from 1 */
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "quiesce-sim-actor: %s: %s\n", what, strerror(errno));
    exit(EXIT_BROKEN);
}

static void record(const struct acting *acting, const char *what, int status)
{
    char line[512];
    int length = snprintf(line, sizeof line, "%s %d %d %d %s\n", what, acting->start, (int)getpid(), status,
                          acting->behaviour.name);
    int file = open(SANDBOX_RECORD, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || write(file, line, (size_t)length) != length)
        fail(SANDBOX_RECORD);
    close(file);
}

/* Counts this start. One byte each, so that starts at the same time get different numbers without a lock. */
static int count_start(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, SANDBOX_COUNTS "/%s", name);
    for (char *slash = strchr(path + sizeof SANDBOX_COUNTS, '/'); slash; slash = strchr(slash, '/'))
        *slash = '-';
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || write(file, "+", 1) != 1)
        fail(path);
    off_t count = lseek(file, 0, SEEK_CUR);
    close(file);
    return (int)count;
}

static void sleep_us(int64_t duration_us)
{
    while (duration_us == SCENARIO_FOREVER)
        pause();
    struct timespec left = {.tv_sec = duration_us / US_PER_S, .tv_nsec = duration_us % US_PER_S * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Writes `text` again and again until `size` bytes are written, or nobody reads them any more. */
static void print(int file, const char *text, size_t size)
{
    size_t length = text ? strlen(text) : 0;
    for (size_t done = 0; length > 0 && done < size;) {
        size_t at = done % length;
        size_t piece = length - at < size - done ? length - at : size - done;
        ssize_t written = write(file, text + at, piece);
        if (written < 0 && errno != EINTR)
            return;
        done += written > 0 ? (size_t)written : 0;
    }
}

static void write_to_volume(const char *mount_point)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/written", mount_point);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || write(file, "written\n", 8) != 8 || fsync(file) != 0)
        fail(path);
    close(file);
}

/* What was read before is in the cache, and would need no disk. */
static void read_from_volume(const char *mount_point)
{
    char path[PATH_MAX], bytes[4096];
    snprintf(path, sizeof path, "%s/" SANDBOX_TO_READ, mount_point);
    struct dirent **entries;
    int count = scandir(mount_point, &entries, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (count < 0 || file < 0 || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0 ||
        read(file, bytes, sizeof bytes) != (ssize_t)sizeof bytes)
        fail(path);
    close(file);
}

/* A process of its own session whose parent is gone. */
static void leave_one(const struct acting *acting)
{
    const struct scenario_attempt *attempt = acting->attempt;
    pid_t middle = fork();
    if (middle < 0)
        fail("fork");
    if (middle > 0) {
        waitpid(middle, NULL, 0);
        return;
    }
    setsid();
    pid_t left = fork();
    if (left != 0)
        _exit(left < 0);
    setsid();
    signal(SIGTERM, attempt->leaves_ignore_term ? SIG_IGN : SIG_DFL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (!attempt->leaves_hold_output && (dup2(null, 1) < 0 || dup2(null, 2) < 0))
        _exit(1);
    prctl(PR_SET_NAME, SANDBOX_LEFTOVER, 0, 0, 0); /* the player sees it at the gate */
    record(acting, "leaves", 0);
    sleep_us(attempt->leaves_run_us);
    record(acting, "gone", 0);
    _exit(0);
}

static void die(int number)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    signal(number, SIG_DFL);
    raise(number);
    pause();
}

static int act(const struct acting *acting)
{
    const struct scenario_attempt *attempt = acting->attempt;
    if (attempt->ignores_term)
        signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    record(acting, "starts", 0);
    print(STDOUT_FILENO, attempt->out, attempt->out_size);
    print(STDERR_FILENO, attempt->err, attempt->err_size);
    if (attempt->reads)
        read_from_volume(attempt->reads);
    if (attempt->writes)
        write_to_volume(attempt->writes);
    for (int i = 0; i < attempt->leaves; i++)
        leave_one(acting);
    if (strcmp(acting->behaviour.name, "snapshot") == 0 && !actor_copy_disks())
        fail("the snapshot");
    sleep_us(attempt->run_us);
    record(acting, "ends", attempt->signal ? -attempt->signal : attempt->exit);
    if (attempt->signal)
        die(attempt->signal);
    return attempt->exit;
}

/* The whole file; NULL: errno. */
static char *read_file(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = file >= 0 ? lseek(file, 0, SEEK_END) : -1;
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    ssize_t got = text ? pread(file, text, (size_t)size, 0) : -1;
    if (text)
        text[got > 0 ? got : 0] = '\0';
    if (file >= 0)
        close(file);
    return text;
}

/* Its text and its attempts live as long as the process. */
int main(int argc, char **argv)
{
    struct acting acting = {0};
    char *text = argc > 1 ? read_file(argv[1]) : NULL;
    if (!text || !behaviour_parse(text, &acting.behaviour)) {
        fprintf(stderr, "quiesce-sim-actor: %s is no behaviour of a scenario\n", argc > 1 ? argv[1] : "(no file)");
        return EXIT_MISTAKE;
    }
    acting.start = count_start(acting.behaviour.name);
    size_t last = acting.behaviour.attempt_count - 1;
    size_t row = (size_t)acting.start - 1;
    acting.attempt = &acting.behaviour.attempts[row < last ? row : last];
    return act(&acting);
}
