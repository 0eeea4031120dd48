#include "linux_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct qz_tail *linux_check_out(int slot)
{
    static struct qz_tail tails[LINUX_CHECK_TAILS];
    return &tails[slot % LINUX_CHECK_TAILS];
}

struct qz_tail *linux_check_err(int slot)
{
    static struct qz_tail tails[LINUX_CHECK_TAILS];
    return &tails[slot % LINUX_CHECK_TAILS];
}

struct qz_os *linux_check_open(void)
{
    char template[] = "/tmp/quiesce-test-XXXXXX";
    char *directory = mkdtemp(template) ? strdup(template) : NULL;
    struct qz_os *os = directory ? qz_linux_open(directory) : NULL;
    if (!os) {
        perror("qz_linux_open");
        exit(2);
    }
    return os;
}

void linux_check_close(struct qz_os *os)
{
    char *directory = (char *)os->ops->state_directory(os);
    CHECK_INT(os->ops->remove(os, directory), 0);
    qz_linux_close(os);
    free(directory);
}

bool linux_check_await(struct qz_os *os, enum qz_event_kind kind, int64_t within_us, struct qz_event *event)
{
    int64_t deadline_us = os->ops->now_us(os) + within_us;
    do
        os->ops->wait(os, deadline_us, event);
    while (event->kind != kind && event->kind != QZ_EVENT_TIMEOUT);
    return event->kind == kind;
}

bool linux_check_tree(struct qz_os *os, int slot, bool alive)
{
    struct qz_event event;
    for (int tries = 0; tries < 400; tries++) {
        if (os->ops->tree_alive(os, slot) == alive)
            return true;
        os->ops->wait(os, os->ops->now_us(os) + 5000, &event);
    }
    return false;
}

int linux_check_shell(struct qz_os *os, int slot, const char *script)
{
    char *argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    /* Tests run side by side, and a run's identity is what its processes are told apart by. */
    char run_id[64];
    snprintf(run_id, sizeof run_id, "QUIESCE_RUN_ID=test-%d", (int)getpid());
    char *envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", run_id, "QUIESCE_PLUGIN=ScriptRunner",
                    "QUIESCE_PHASE=pre", slot % 2 ? "QUIESCE_ATTEMPT=1" : "QUIESCE_ATTEMPT=2", NULL};
    linux_check_out(slot)->total = linux_check_err(slot)->total = 0;
    struct qz_child_spec spec = {.slot = slot,
                                 .path = argv[0],
                                 .argv = argv,
                                 .envp = envp,
                                 .clean = true,
                                 .out = linux_check_out(slot),
                                 .err = linux_check_err(slot)};
    return os->ops->child_start(os, &spec);
}

const char *linux_check_tail(const struct qz_tail *tail)
{
    static char text[QZ_TAIL_SIZE + 1];
    text[qz_tail_copy(tail, text)] = '\0';
    return text;
}

bool linux_check_alive(pid_t pid)
{
    struct qz_linux_stat stat;
    return qz_linux_stat(pid, &stat) && stat.state != 'Z' && stat.state != 'X';
}

long linux_check_resident_kib(pid_t pid)
{
    char path[32], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    const char *line = qz_linux_read_text(path, text, sizeof text) > 0 ? strstr(text, "VmRSS:") : NULL;
    return line ? strtol(line + strlen("VmRSS:"), NULL, 10) : -1;
}

void linux_check_end(struct qz_os *os, int slot, bool signaled, int status)
{
    struct qz_event event;
    CU_ASSERT(linux_check_await(os, QZ_EVENT_CHILD, LINUX_CHECK_SOON_US, &event));
    CHECK_INT(event.slot, slot);
    CHECK_INT(event.end.signaled, signaled);
    CHECK_INT(event.end.status, status);
}

const char *linux_check_path(struct qz_os *os, const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", os->ops->state_directory(os), name);
    return path;
}

const char *linux_check_script(struct qz_os *os, const char *name, const char *text, mode_t mode)
{
    const char *path = linux_check_path(os, name);
    CHECK_INT(os->ops->write_file(os, path, text, strlen(text), mode, true), 0);
    return path;
}

int linux_check_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}
