/* Children that wait to be released, and what is known of a command before it is executed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_check.h"

/* ---- Gates ------------------------------------------------------------------------------------------------------ */

static int start_gated(struct qz_os *os, const char *path, char *variable)
{
    char *argv[] = {(char *)path, NULL};
    char *envp[] = {variable, NULL};
    linux_check_out(0)->total = linux_check_err(0)->total = 0;
    struct qz_child_spec spec = {
        .path = path, .argv = argv, .envp = envp, .gated = true, .out = linux_check_out(0), .err = linux_check_err(0)};
    int error = os->ops->child_start(os, &spec);
    return error ? error : os->ops->child_await(os, 0);
}

/* Runs a gated child, released with volumes armed, to its end. Returns how many page faults that took us. */
static long faults_of_release(struct qz_os *os)
{
    struct rusage before, after;
    CHECK_INT(start_gated(os, linux_check_script(os, "script", "#!/bin/sh\necho gone on\n", 0700), "PATH=/bin"), 0);
    CHECK_INT(os->ops->volumes_arm(os, 0), 0);
    int descriptors = linux_check_descriptors();
    getrusage(RUSAGE_SELF, &before);
    CHECK_INT(os->ops->child_release(os, 0), 0);
    int released = linux_check_descriptors();
    linux_check_end(os, 0, false, 0);
    getrusage(RUSAGE_SELF, &after);
    CHECK_INT(released, descriptors);
    CHECK_INT(linux_check_descriptors(), descriptors - 1 - 2); /* its line, its pipes */
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "gone on\n");
    return after.ru_minflt - before.ru_minflt;
}

QZ_TEST(a_gated_child_is_released_without_making_anything) // nothing is opened, and none of our memory is copied
{
    struct qz_os *os = linux_check_open();
    long faults = faults_of_release(os);
    /* What is used for the first time may have to be found; and on a busy machine the kernel may move a page. */
    for (int tries = 0; tries < 10 && faults > 0; tries++)
        faults = faults_of_release(os);
    CU_ASSERT(LINUX_CHECK_SANITIZED || faults == 0);
    os->ops->volumes_close(os);
    linux_check_close(os);
}

QZ_TEST(what_is_too_long_to_be_executed_is_told_before_the_gate) // one text, or all together
{
    struct qz_os *os = linux_check_open();
    size_t size = 128 * 1024;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    char *argv[] = {(char[]){"true"}, NULL}, *one[] = {(char[]){"PATH=/bin"}, text, NULL}, *all[4096];
    struct qz_child_spec spec = {.path = "true", .argv = argv, .envp = one, .gated = true, .out = linux_check_out(0),
                                 .err = linux_check_err(0)};
    CHECK_INT(os->ops->child_start(os, &spec), E2BIG);
    text[size - 1] = '\0';
    for (size_t i = 0; i < 4095; i++)
        all[i] = text;
    all[4095] = NULL;
    spec.envp = all;
    CHECK_INT(os->ops->child_start(os, &spec), E2BIG);
    spec.envp = one;
    CHECK_INT(os->ops->child_start(os, &spec), 0);
    CHECK_INT(os->ops->child_await(os, 0), 0);
    CHECK_INT(os->ops->child_release(os, 0), 0);
    linux_check_end(os, 0, false, 0);
    free(text);
    linux_check_close(os);
}

QZ_TEST(what_goes_wrong_after_the_gate_is_told_at_the_end) // the file is gone by then
{
    struct qz_os *os = linux_check_open();
    struct qz_event event = {0};
    const char *script = linux_check_script(os, "script", "#!/bin/sh\n", 0700);
    CHECK_INT(start_gated(os, script, "PATH=/bin"), 0);
    CHECK_INT(unlink(script), 0);
    CHECK_INT(os->ops->child_release(os, 0), 0);
    CU_ASSERT(linux_check_await(os, QZ_EVENT_CHILD, LINUX_CHECK_SOON_US, &event));
    CHECK_INT(event.end.error, ENOENT);
    linux_check_close(os);
}

QZ_TEST(who_is_killed_at_the_gate_is_told_at_the_end) // though he is released before we have seen it
{
    struct qz_os *os = linux_check_open();
    CHECK_INT(start_gated(os, "/bin/true", "PATH=/bin"), 0);
    pid_t child = qz_linux(os)->shared->trees[0].root;
    CHECK_INT(kill(child, SIGKILL), 0);
    CHECK_INT(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    CHECK_INT(os->ops->child_release(os, 0), 0);
    linux_check_end(os, 0, true, SIGKILL);
    linux_check_close(os);
}

/* A guardian that does nothing but be there. */
static void stand_by(struct qz_os *os, void *argument)
{
    (void)argument;
    struct qz_event event;
    do
        os->ops->wait(os, os->ops->now_us(os) + LINUX_CHECK_SOON_US, &event);
    while (event.kind == QZ_EVENT_MESSAGE);
    pause();
}

QZ_TEST(a_gate_closes_when_the_agent_dies) // though the guardian lives, and does nothing about it
{
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    pid_t agent = fork();
    if (agent == 0) {
        struct qz_os *os = linux_check_open();
        pid_t told[2] = {0};
        struct qz_process guardian;
        if (start_gated(os, "/bin/true", "PATH=/bin") == 0 && os->ops->guard(os, stand_by, NULL) == 0)
            told[0] = qz_linux(os)->shared->trees[0].root;
        os->ops->guardian(os, &guardian);
        told[1] = guardian.pid;
        os->ops->remove(os, os->ops->state_directory(os));
        (void)!write(ends[1], told, sizeof told);
        pause();
    }
    pid_t told[2] = {0};
    CHECK_INT(read(ends[0], told, sizeof told), sizeof told);
    CU_ASSERT(told[0] > 0 && linux_check_alive(told[0]));
    kill(agent, SIGKILL);
    waitpid(agent, NULL, 0);
    for (int tries = 0; tries < 1000 && linux_check_alive(told[0]); tries++)
        usleep(5000);
    CU_ASSERT(!linux_check_alive(told[0]));
    CU_ASSERT(linux_check_alive(told[1]));
    kill(told[1], SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

QZ_TEST(a_gated_child_gets_nothing_that_was_ours)
{
    struct qz_os *os = linux_check_open();
    const char *list = linux_check_script(os, "list", "#!/bin/sh\nls /proc/self/fd | tr '\\n' ' '\n", 0700);
    CHECK_INT(start_gated(os, list, "PATH=/bin"), 0);
    CHECK_INT(os->ops->child_release(os, 0), 0);
    linux_check_end(os, 0, false, 0);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "0 1 2 3 ");
    linux_check_close(os);
}

/* ---- What a command is ------------------------------------------------------------------------------------------ */

QZ_TEST(a_command_is_what_execvp_would_execute) // the first in PATH that can be; else the errno that execvp ends with
{
    struct qz_os *os = linux_check_open();
    char variable[3 * PATH_MAX], found[PATH_MAX], expected[PATH_MAX];
    const char *first = linux_check_path(os, "first"), *second = linux_check_path(os, "second");
    CHECK_INT(mkdir(first, 0700), 0);
    CHECK_INT(mkdir(second, 0700), 0);
    snprintf(variable, sizeof variable, "PATH=/nowhere:%s:%s", first, second);
    char *envp[] = {variable, NULL};
    linux_check_script(os, "first/tool", "#!/bin/sh\n", 0600);
    CHECK_INT(qz_linux_command_find("tool", envp, found), EACCES);
    linux_check_script(os, "second/tool", "#! /bin/sh -e\n", 0700);
    CHECK_INT(qz_linux_command_find("tool", envp, found), 0);
    snprintf(expected, sizeof expected, "%s/second/tool", os->ops->state_directory(os));
    CHECK_STRING(found, expected);
    linux_check_script(os, "first/tool", "#!/no/such/shell\n", 0700);
    CHECK_INT(qz_linux_command_find("tool", envp, found), 0);
    CHECK_STRING(found, expected);
    linux_check_script(os, "first/tool", "#!/bin/sh\n", 0700);
    CHECK_INT(qz_linux_command_find("tool", envp, found), 0);
    CHECK_CONTAINS(found, "/first/tool");
    CHECK_INT(qz_linux_command_find("other", envp, found), ENOENT);
    CHECK_INT(qz_linux_command_find("", envp, found), ENOENT);
    CHECK_INT(qz_linux_command_find(linux_check_path(os, "first"), envp, found), EACCES);
    envp[0] = NULL;
    CHECK_INT(qz_linux_command_find("sh", envp, found), 0);
    CHECK_STRING(found, "/bin/sh");
    linux_check_close(os);
}

/* Copies /bin/true with another dynamic linker. */
static const char *make_program(struct qz_os *os, const char *name, const char *linker)
{
    static char bytes[1024 * 1024];
    int file = open("/bin/true", O_RDONLY | O_CLOEXEC);
    ssize_t size = read(file, bytes, sizeof bytes);
    close(file);
    char *asked = size > 0 ? memmem(bytes, (size_t)size, "/lib", 4) : NULL;
    CU_ASSERT_PTR_NOT_NULL(asked);
    const char *path = linux_check_path(os, name);
    if (asked)
        memcpy(asked, linker, strlen(linker));
    CHECK_INT(os->ops->write_file(os, path, bytes, (size_t)size, 0700, true), 0);
    return path;
}

QZ_TEST(a_program_whose_linker_is_missing_cannot_be_executed) // which execve tells by ENOENT, too
{
    struct qz_os *os = linux_check_open();
    char found[PATH_MAX];
    CHECK_INT(qz_linux_command_find(make_program(os, "sound", "/lib"), NULL, found), 0);
    const char *broken = make_program(os, "broken", "/lob");
    CHECK_INT(qz_linux_command_find(broken, NULL, found), ENOENT);
    CHECK_INT(start_gated(os, broken, "PATH=/bin"), ENOENT);
    linux_check_close(os);
}

/* ---- What is brought in ----------------------------------------------------------------------------------------- */

/* How much of the file, in percent, is in memory; -1: there is no such file. */
static int resident(const char *path, bool drop)
{
    static unsigned char pages[4096];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return -1;
    if (drop && (fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0))
        perror(path);
    size_t count = ((size_t)status.st_size + 4095) / 4096, seen = 0;
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    CU_ASSERT(memory != MAP_FAILED && count <= sizeof pages && mincore(memory, (size_t)status.st_size, pages) == 0);
    for (size_t i = 0; i < count; i++)
        seen += pages[i] & 1;
    munmap(memory, (size_t)status.st_size);
    close(fd);
    return (int)(100 * seen / count);
}

/* Looks for the command, of which `file` is a part that was dropped from memory before. */
static void check_brought_in(const char *command, const char *file)
{
    char found[PATH_MAX];
    if (resident(file, true) != 0) {
        check_skip("it stays in memory");
        return;
    }
    int seen = 0;
    for (int tries = 0; tries < 5 && seen < 100; tries++) { /* short of memory, the kernel may drop it again at once */
        CHECK_INT(qz_linux_command_find(command, NULL, found), 0);
        seen = resident(file, false);
    }
    CHECK_INT(seen, 100);
}

QZ_TEST(all_of_a_command_is_brought_in) // not only as much as the kernel reads ahead at once
{
    static char text[3 * 1024 * 1024];
    struct qz_os *os = linux_check_open();
    memset(text, '\n', sizeof text - 1);
    memcpy(text, "#!/bin/sh", strlen("#!/bin/sh"));
    const char *script = linux_check_script(os, "script", text, 0700);
    check_brought_in(script, script);
    linux_check_close(os);
}

QZ_TEST(the_libraries_of_a_command_are_brought_in) // here one that hardly anybody else has in use
{
    static const char library[] = "/lib/x86_64-linux-gnu/libsmartcols.so.1";
    if (access(library, F_OK) == 0 && access("/bin/findmnt", X_OK) == 0)
        check_brought_in("findmnt", library);
    else
        check_skip("there is no findmnt with libsmartcols");
}
