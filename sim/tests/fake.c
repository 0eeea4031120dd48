#include "fake.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define RESCUE_AFTER_S 30
#define SHELL_LIMIT_S "20"

/* ---- Open and close ---------------------------------------------------------------------------------------------- */

static const char *lacks(void)
{
    static bool alone;
    if (geteuid() != 0)
        return "not root";
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        return "no /dev/fuse";
    /* Others who make mount namespaces while we run would keep copies of our mounts. */
    if (!alone && (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0))
        return "no mount namespaces";
    alone = true;
    return NULL;
}

static pid_t start_rescuer(int server)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the server sees that end itself */
    int kept = dup2(server, 3);
    close_range(4, ~0U, 0);
    sleep(RESCUE_AFTER_S);
    pidfd_send_signal(kept, SIGKILL, NULL, 0);
    _exit(0);
}

/* What a sanitizer finds in a server goes to files, which fake_close looks for. */
static void keep_reports(const struct fake *fake)
{
#ifdef __SANITIZE_ADDRESS__
    char path[96];
    snprintf(path, sizeof path, "%s/report", fake->directory);
    __sanitizer_set_report_path(path);
#else
    (void)fake;
#endif
}

static void check_reports(const struct fake *fake)
{
    char command[256];
    snprintf(command, sizeof command, "cat %s/report* >&2 2>/dev/null", fake->directory);
    CU_ASSERT(system(command) != 0);
}

bool fake_open(struct fake *fake, const struct fakefs_mount *options)
{
    *fake = (struct fake){.fakefs = {.process = -1, .control = -1}};
    const char *why_not = lacks();
    if (why_not) {
        check_skip(why_not);
        return false;
    }
    strcpy(fake->directory, "/var/tmp/fakefs-test.XXXXXX");
    if (!mkdtemp(fake->directory))
        abort();
    chmod(fake->directory, 0755);
    snprintf(fake->mount, sizeof fake->mount, "%s/mount", fake->directory);
    mkdir(fake->mount, 0755);
    keep_reports(fake);
    struct fakefs_mount mount = options ? *options : (struct fakefs_mount){0};
    mount.mount_point = fake->mount;
    char why[512] = "";
    int error = fakefs_start(&fake->fakefs, &mount, why, sizeof why);
    CHECK_STRING(why, "");
    CHECK_INT(error, 0);
    if (error == 0)
        fake->rescuer = start_rescuer(fake->fakefs.process);
    return error == 0;
}

static bool is_mounted(const char *mount_point)
{
    char line[4096];
    bool found = false;
    FILE *table = fopen("/proc/self/mountinfo", "re");
    while (table && fgets(line, sizeof line, table))
        found = found || strstr(line, mount_point);
    if (table)
        fclose(table);
    return found;
}

void fake_close(struct fake *fake)
{
    if (!fake->directory[0])
        return;
    pid_t server = fake->fakefs.server;
    fakefs_stop(&fake->fakefs);
    CU_ASSERT(server == 0 || kill(server, 0) != 0);
    CU_ASSERT(!is_mounted(fake->mount));
    if (fake->rescuer > 0) {
        kill(fake->rescuer, SIGKILL);
        waitpid(fake->rescuer, NULL, 0);
    }
    check_reports(fake);
    char command[128];
    snprintf(command, sizeof command, "rm -rf --one-file-system '%s'", fake->directory);
    CHECK_INT(system(command), 0);
}

const char *fake_path(const struct fake *fake, const char *path)
{
    static char paths[8][512];
    static int next;
    char *out = paths[next++ % 8];
    snprintf(out, sizeof paths[0], "%s%s", fake->mount, path);
    return out;
}

/* ---- Processes --------------------------------------------------------------------------------------------------- */

int fake_shell_out(const struct fake *fake, const char *script, char *out, size_t size)
{
    char file[96];
    snprintf(file, sizeof file, "%s/out", fake->directory);
    pid_t child = fork();
    if (child == 0) {
        int output = open(file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        if (chdir(fake->mount) == 0)
            execlp("timeout", "timeout", "-k", "2", SHELL_LIMIT_S, "sh", "-ec", script, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    snprintf(out, size, "%s", fake_read(file));
    return code;
}

int fake_shell(const struct fake *fake, const char *script)
{
    char out[4096];
    int code = fake_shell_out(fake, script, out, sizeof out);
    if (code != 0)
        fprintf(stderr, "  the script ended with %d: %s\n", code, out);
    return code;
}

pid_t fake_start(const struct fake *fake, int (*act)(const struct fake *fake, void *argument), void *argument)
{
    pid_t child = fork();
    if (child == 0)
        _exit(act(fake, argument));
    return child;
}

bool fake_is_over(pid_t child)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

int fake_wait(pid_t child, int wait_ms)
{
    int process = pidfd_open(child, 0);
    struct pollfd wait = {.fd = process, .events = POLLIN};
    int status = 0;
    bool ended = poll(&wait, 1, wait_ms) == 1 && waitpid(child, &status, 0) == child;
    close(process);
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool fake_waits(struct fake *fake, const char *operation, int64_t count)
{
    for (int i = 0; i < 2000; i++) {
        int64_t waiting = -1;
        if (fakefs_waiting(&fake->fakefs, operation, &waiting) == 0 && waiting == count)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return false;
}

/* ---- The server -------------------------------------------------------------------------------------------------- */

void fake_rule(struct fake *fake, struct fakefs_rule rule)
{
    CHECK_INT(fakefs_add_rule(&fake->fakefs, &rule), 0);
}

int64_t fake_now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

struct search {
    const char *operation;
    const char *path;
    int error;
    int64_t count;
    struct fakefs_record last;
};

static void look_at(const struct fakefs_record *record, void *argument)
{
    static const char READING[] = " lookup getattr readlink open read lseek flush fsync release opendir readdir fsyncdir "
                                  "releasedir statfs getxattr listxattr ioctl freeze thaw ";
    struct search *search = argument;
    char word[20];
    snprintf(word, sizeof word, " %s ", record->operation);
    bool same = strcmp(search->operation, record->operation) == 0;
    if (strcmp(search->operation, "change") == 0)
        same = !strstr(READING, word);
    if (!same || (search->path && strcmp(search->path, record->path) != 0) ||
        (search->error >= 0 && search->error != record->error))
        return;
    search->count++;
    search->last = *record;
}

int64_t fake_records(struct fake *fake, const char *operation, const char *path, int error)
{
    struct search search = {.operation = operation, .path = path, .error = error};
    CHECK_INT(fakefs_records(&fake->fakefs, 0, look_at, &search), 0);
    return search.count;
}

struct fakefs_record fake_last_record(struct fake *fake, const char *operation, const char *path)
{
    struct search search = {.operation = operation, .path = path, .error = -1};
    CHECK_INT(fakefs_records(&fake->fakefs, 0, look_at, &search), 0);
    return search.last;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static int put(const char *path, int flags, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
    if (file < 0)
        return errno;
    ssize_t size = write(file, text, strlen(text));
    int error = size < 0 ? errno : size < (ssize_t)strlen(text) ? ENOSPC : 0;
    if (close(file) != 0 && !error)
        error = errno;
    return error;
}

int fake_write(const char *path, const char *text)
{
    return put(path, O_CREAT | O_TRUNC, text);
}

int fake_append(const char *path, const char *text)
{
    return put(path, O_APPEND, text);
}

const char *fake_read(const char *path)
{
    static char texts[4][4096];
    static int next;
    char *text = texts[next++ % 4];
    text[0] = '\0';
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof texts[0] - 1);
    int error = errno;
    if (file >= 0)
        close(file);
    text[size > 0 ? size : 0] = '\0';
    errno = size < 0 ? error : 0;
    return text;
}
