/* sweep.c: removing what a harness left that was killed. */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "marks.h"
#include "mount.h"
#include "parts.h"

#define SWEEP_WAIT_MS 15000
#define ROUND_MS 10
#define ROUNDS_LEAST 50 /* on a machine where one takes long */
#define THAW_EVERY 10   /* rounds: most loops go by themselves once their processes are gone */
#define THAWERS_MAX 256

/* One sweep. Children that thaw may hang until others have thawed what lies below; nobody waits for one of them. */
struct sweep {
    const char *mark;
    const struct sweep_log *log;
    pid_t thawers[THAWERS_MAX];
    size_t thawer_count;
    size_t round;
    size_t left; /* seen in this round */
};

__attribute__((format(printf, 2, 3))) static void say(const struct sweep *sweep, const char *format, ...)
{
    char line[PATH_MAX + 256];
    va_list arguments;
    if (!sweep->log || !sweep->log->line)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    sweep->log->line(line, sweep->log->argument);
}

/* ---- Processes -------------------------------------------------------------------------------------------------- */

static bool end_process(const struct marked_process *process, void *argument)
{
    struct sweep *sweep = argument;
    if (!mark_covers(sweep->mark, process->mark))
        return true;
    sweep->left++;
    if (kill(process->pid, SIGKILL) == 0 && sweep->round == 0)
        say(sweep, "killed process %d", (int)process->pid);
    return true;
}

/* ---- Freezes ---------------------------------------------------------------------------------------------------- */

/* By any mount of it that a process still has. */
static bool thaw_where_mounted(const struct marked_process *process, void *argument)
{
    const struct marked_loop *loop = argument;
    char path[PATH_MAX];
    if (!mark_find_mount(process->pid, loop->number, path))
        return true;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0)
        ioctl(directory, FITHAW, 0);
    return directory < 0;
}

/* What was unmounted while frozen is still there, and can be mounted again. In a mount namespace of our own,
 * anywhere. */
static void thaw_by_mounting(const struct marked_loop *loop)
{
    static const char *const types[] = {"ext4", "xfs", "btrfs", "ext3", "ext2"};
    static const char at[] = "/var/tmp";
    PATH_OF(device, "/dev/loop%d", loop->number);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (volume_mount(device, at, types[i], 0) != 0)
            continue;
        int directory = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ioctl(directory, FITHAW, 0);
        close(directory);
        umount2(at, MNT_DETACH);
        return;
    }
}

static void start_thawer(struct sweep *sweep, const struct marked_loop *loop)
{
    if (sweep->thawer_count == THAWERS_MAX)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        struct marked_loop same = *loop;
        marks_visit_processes(thaw_where_mounted, &same);
        thaw_by_mounting(loop);
        _exit(0);
    }
    if (pid > 0)
        sweep->thawers[sweep->thawer_count++] = pid;
    if (sweep->round < THAW_EVERY)
        say(sweep, "thawed and detached /dev/loop%d", loop->number);
}

/* A device that is still there when nothing uses it any more. */
static void detach(const struct marked_loop *loop)
{
    PATH_OF(path, "/dev/loop%d", loop->number);
    int device = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (device < 0)
        return;
    ioctl(device, LOOP_CLR_FD, 0);
    close(device);
}

static bool end_loop(const struct marked_loop *loop, void *argument)
{
    struct sweep *sweep = argument;
    if (!mark_covers(sweep->mark, loop->mark))
        return true;
    sweep->left++;
    if (sweep->round % THAW_EVERY != 2)
        return true;
    /* A fake filesystem's server that is killed as the last one in its mount namespace unmounts what it serves as it
     * ends, before the kernel closes its end of it, and waits for its own answer for ever. */
    mount_abort_device(makedev(LOOP_MAJOR, (unsigned)loop->number));
    if (loop->fakefs)
        mount_abort_device(makedev(0, loop->fakefs)); /* nor can a disk that lies in one be waited for */
    start_thawer(sweep, loop);
    if (sweep->round > THAW_EVERY)
        detach(loop);
    return true;
}

static void reap_thawers(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->thawer_count;) {
        if (waitpid(sweep->thawers[i], NULL, WNOHANG) == 0)
            i++;
        else
            sweep->thawers[i] = sweep->thawers[--sweep->thawer_count];
    }
}

/* ---- Mounts, control groups, folders ------------------------------------------------------------------------------- */

/* Mounts below the folder in our own namespace; the harness makes none, but one who looked into a kept folder may. */
static void unmount_below(const char *folder)
{
    char line[PATH_MAX + 256], *points[256];
    size_t count = 0, length = strlen(folder);
    FILE *table = fopen("/proc/self/mountinfo", "re");
    while (table && count < sizeof points / sizeof *points && fgets(line, sizeof line, table)) {
        char at[PATH_MAX];
        if (sscanf(line, "%*d %*d %*s %*s %4095s", at) == 1 && strncmp(at, folder, length) == 0 && at[length] == '/')
            points[count++] = strdup(at);
    }
    if (table)
        fclose(table);
    while (count > 0) {
        umount2(points[--count], MNT_DETACH);
        free(points[count]);
    }
}

static bool end_cgroup(const char *path, const char *mark, void *argument)
{
    struct sweep *sweep = argument;
    if (!mark_covers(sweep->mark, mark))
        return true;
    PATH_OF(kill_path, "%s/cgroup.kill", path);
    int file = open(kill_path, O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)!write(file, "1", 1);
        close(file);
    }
    if (cgroup_remove(path, 4) != 0)
        sweep->left++;
    else
        say(sweep, "removed control group %s", path);
    return true;
}

static bool remove_folder(struct sweep *sweep, const char *base)
{
    PATH_OF(folder, "%s/%s", base, sweep->mark);
    struct stat facts;
    if (lstat(folder, &facts) != 0)
        return true;
    unmount_below(folder);
    remove_tree(folder);
    bool removed = lstat(folder, &facts) != 0;
    say(sweep, removed ? "removed %s" : "%s could not be removed", folder);
    return removed;
}

/* ---- One mark --------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static bool sweep_mark(const char *base, const char *mark, const struct sweep_log *log)
{
    struct sweep sweep = {.mark = mark, .log = log};
    int64_t until_ms = now_ms() + SWEEP_WAIT_MS;
    char harness[MARK_SIZE];
    /* A name that is no mark would match what is not ours. */
    if (!mark_of_harness(mark, harness))
        return false;
    do {
        if (sweep.round > 0)
            usleep(ROUND_MS * 1000);
        sweep.left = 0;
        marks_visit_processes(end_process, &sweep);
        marks_visit_loops(end_loop, &sweep);
        marks_visit_cgroups(end_cgroup, &sweep);
        reap_thawers(&sweep);
    } while (sweep.left > 0 && (++sweep.round < ROUNDS_LEAST || now_ms() < until_ms));
    if (sweep.left > 0)
        say(&sweep, "of %s something is left that cannot be removed: see losetup, and ps for processes in state D", mark);
    return sweep.left == 0 && remove_folder(&sweep, base);
}

/* WORK is BASE/MARK; NULL: it has no mark. */
static void split(const char *work, char base[PATH_MAX], const char **mark)
{
    const char *at = strstr(work, "/" WORK_PREFIX);
    *mark = at ? at + 1 : NULL;
    path_format(base, "%.*s", at ? (int)(at - work) : 0, work);
}

bool sweep_work(const char *work, const struct sweep_log *log)
{
    char base[PATH_MAX];
    const char *mark;
    split(work, base, &mark);
    return mark && sweep_mark(base, mark, log);
}

/* ---- Every mark of the dead ------------------------------------------------------------------------------------- */

struct collection {
    char (*marks)[MARK_SIZE];
    size_t count;
};

static void collect(struct collection *collection, const char *text)
{
    char mark[MARK_SIZE];
    if (!mark_of_harness(text, mark) || mark_is_alive(mark))
        return;
    for (size_t i = 0; i < collection->count; i++) {
        if (strcmp(collection->marks[i], mark) == 0)
            return;
    }
    collection->marks = realloc(collection->marks, (collection->count + 1) * sizeof *collection->marks);
    if (!collection->marks)
        abort();
    memcpy(collection->marks[collection->count++], mark, MARK_SIZE);
}

static bool collect_process(const struct marked_process *process, void *argument)
{
    collect(argument, process->mark);
    return true;
}

static bool collect_loop(const struct marked_loop *loop, void *argument)
{
    collect(argument, loop->mark);
    return true;
}

static bool collect_cgroup(const char *path, const char *mark, void *argument)
{
    (void)path;
    collect(argument, mark);
    return true;
}

static void collect_folders(struct collection *collection, const char *base)
{
    DIR *directory = opendir(base);
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry; entry = readdir(directory))
        collect(collection, entry->d_name);
    if (directory)
        closedir(directory);
}

bool sweep_dead(const char *base, const struct sweep_log *log, size_t *found)
{
    struct collection collection = {0};
    collect_folders(&collection, base);
    marks_visit_processes(collect_process, &collection);
    marks_visit_loops(collect_loop, &collection);
    marks_visit_cgroups(collect_cgroup, &collection);
    bool gone = true;
    for (size_t i = 0; i < collection.count; i++)
        gone &= sweep_mark(base, collection.marks[i], log);
    *found = collection.count;
    free(collection.marks);
    return gone;
}

/* ---- Folders and rescuers ------------------------------------------------------------------------------------------ */

int work_make(const char *base, char path[PATH_MAX])
{
    char mark[MARK_SIZE];
    mark_make(mark);
    path_format(path, "%s/%s", base, mark);
    return mkdtemp(path) ? 0 : errno;
}

int work_keep(char path[PATH_MAX])
{
    char kept[PATH_MAX], base[PATH_MAX];
    const char *mark;
    split(path, base, &mark);
    if (!mark)
        return EINVAL;
    path_format(kept, "%s/" WORK_KEPT_PREFIX "%s", base, mark + strlen(WORK_PREFIX));
    if (rename(path, kept) != 0)
        return errno;
    path_format(path, "%s", kept);
    return 0;
}

static _Noreturn void rescue(int harness, const char *work)
{
    setsid();
    prctl(PR_SET_NAME, "sim-rescuer", 0, 0, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int stream = 0; stream < 3; stream++)
        dup2(null, stream);
    harness = dup2(harness, 3);
    close_range(4, ~0U, 0);
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGCHLD)
            signal(number, SIG_IGN);
    }
    struct pollfd end = {.fd = harness, .events = POLLIN};
    while (poll(&end, 1, -1) < 1)
        ;
    sweep_work(work, NULL);
    _exit(0);
}

pid_t rescuer_start(const char *work)
{
    int self = pidfd_open(getpid(), 0);
    if (self < 0)
        return -errno;
    pid_t pid = fork();
    int error = errno;
    if (pid == 0)
        rescue(self, work);
    close(self);
    return pid < 0 ? -error : pid;
}

void rescuer_stop(pid_t rescuer)
{
    if (rescuer <= 0)
        return;
    kill(rescuer, SIGKILL);
    waitpid(rescuer, NULL, 0);
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static void print_line(const char *line, void *argument)
{
    (void)argument;
    puts(line);
}

int command_sweep(int argc, char **argv)
{
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (argc > 1) {
        fputs("Usage: quiesce-sim sweep\n\nRemoves what a harness left that was killed: processes, frozen filesystems, "
              "loop devices, mounts, control\ngroups, folders in " WORK_BASE ". Touches nothing of one that still runs.\n",
              help ? stdout : stderr);
        return help ? EXIT_PASSED : EXIT_MISTAKE;
    }
    if (geteuid() != 0) {
        fputs("quiesce-sim sweep: only root can\n", stderr);
        return EXIT_BROKEN;
    }
    size_t found = 0;
    bool gone = sweep_dead(WORK_BASE, &(struct sweep_log){.line = print_line}, &found);
    printf("%zu harness%s that %s gone%s\n", found, found == 1 ? "" : "es", found == 1 ? "is" : "are",
           gone ? "; nothing of theirs is left" : "; something of theirs could not be removed");
    return gone ? EXIT_PASSED : EXIT_BROKEN;
}
