#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_check.h"

/* What the processes of one test let each other see. */
struct seen {
    _Atomic pid_t background;
    _Atomic pid_t guardian;
    atomic_int told; /* release: 1 true, -1 false */
    atomic_bool go;
    atomic_bool done;
};

static struct seen *new_seen(void)
{
    struct seen *seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        exit(2);
    return seen;
}

/* Waits up to ten seconds for what another process makes true. */
#define AWAIT(condition)                                           \
    for (int tries_ = 0; tries_ < 10000 && !(condition); tries_++) \
    usleep(1000)

static int await_message(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct qz_event event = {0};
    (void)argument;
    (void)background;
    return linux_check_await(os, QZ_EVENT_MESSAGE, 10 * QZ_US_PER_S, &event) ? event.value : 99;
}

static void guard(struct qz_os *os, void *argument)
{
    struct seen *seen = argument;
    struct qz_event event = {0};
    seen->guardian = getpid();
    while (event.kind != QZ_EVENT_DISMISSED && event.kind != QZ_EVENT_PEER_LOST)
        os->ops->wait(os, QZ_NEVER, &event);
}

/* A quiesce that goes on in the background, starts a guardian, and tells 7 when it may. */
static void go_on(struct seen *seen)
{
    struct qz_os *os = linux_check_open();
    if (os->ops->detach(os, await_message, seen) != 0)
        _exit(98);
    os->ops->guard(os, guard, seen);
    seen->background = getpid();
    AWAIT(seen->go);
    seen->told = os->ops->release(os, 7) ? 1 : -1;
    AWAIT(seen->done);
    linux_check_close(os);
    _exit(0);
}

/* Starts it with its output into a pipe, whose other end is returned. */
static pid_t start(struct seen *seen, int *output)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(2);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        go_on(seen);
    }
    close(ends[1]);
    *output = ends[0];
    return pid;
}

static void end(struct seen *seen, int output)
{
    seen->done = true;
    AWAIT(!linux_check_alive(seen->background));
    CU_ASSERT_FALSE(linux_check_alive(seen->background));
    close(output);
}

QZ_TEST(nobody_waits_for_who_goes_on) // the started process ends with its status, and its output with it
{
    struct seen *seen = new_seen();
    int output, status = 0;
    char byte;
    pid_t pid = start(seen, &output);
    AWAIT(seen->guardian && seen->background);
    seen->go = true;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 7);
    CHECK_INT(read(output, &byte, 1), 0); /* would wait for whoever else holds it */
    AWAIT(seen->told);
    CHECK_INT(seen->told, 1);
    CU_ASSERT_TRUE(linux_check_alive(seen->background));
    CU_ASSERT_TRUE(linux_check_alive(seen->guardian));
    end(seen, output);
}

QZ_TEST(what_a_caller_has_open_is_left_to_it) // its locks, and where it is: it may want to unmount that
{
    struct seen *seen = new_seen();
    int output, ends[2];
    char byte, path[64], there[PATH_MAX] = "";
    CHECK_INT(pipe(ends), 0);
    pid_t pid = start(seen, &output);
    AWAIT(seen->guardian && seen->background);
    seen->go = true;
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    close(ends[1]);
    CHECK_INT(read(ends[0], &byte, 1), 0); /* would wait for whoever else holds it */
    const pid_t both[] = {seen->background, seen->guardian};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/proc/%d/cwd", (int)both[i]);
        CHECK_INT(readlink(path, there, sizeof there), 1);
    }
    close(ends[0]);
    end(seen, output);
}

QZ_TEST(a_caller_that_is_gone_is_not_told) // release says so, and whoever went on lives
{
    struct seen *seen = new_seen();
    int output;
    pid_t pid = start(seen, &output);
    AWAIT(seen->background);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    seen->go = true;
    AWAIT(seen->told);
    CHECK_INT(seen->told, -1);
    CU_ASSERT_TRUE(linux_check_alive(seen->background));
    end(seen, output);
}
