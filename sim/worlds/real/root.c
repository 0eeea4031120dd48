/* root.c: the root directory of a scenario's machine.
 *
 * A tmpfs; over it /usr, read-only, as an overlay of the machine's /usr and a folder of ours with the binaries under
 * test. Nothing of the machine is bind-mounted: a bind mount shows the machine's own filesystem, which quiesce would
 * rightly want to freeze; an overlay, /sys, /proc and tmpfs cannot be frozen. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "parts.h"

static const struct {
    const char *path;
    mode_t mode;
} DIRECTORIES[] = {
    {"/dev", 0755},
    {"/dev/shm", 01777},
    {"/etc", 0755},
    {"/home", 0755},
    {"/mnt", 0755},
    {"/opt", 0755},
    {"/proc", 0555},
    {"/root", 0700},
    {"/run", 0755},
    {"/srv", 0755},
    {"/sys", 0555},
    {"/tmp", 01777},
    {"/usr", 0755},
    {"/var", 0755},
    {"/var/lib", 0755},
    {"/var/log", 0755},
    {"/var/tmp", 01777},
    {SANDBOX_PRIVATE, 0755},
    {SANDBOX_PROGRAMS, 0755},
    {SANDBOX_REPORTS, 01777},
    {SANDBOX_COUNTS, 0700},
    {SANDBOX_DISKS, 0700},
    {SANDBOX_COPIES, 0700},
};

static const struct {
    const char *path;
    const char *target;
} LINKS[] = {
    {"/bin", "usr/bin"},
    {"/sbin", "usr/sbin"},
    {"/lib", "usr/lib"},
    {"/lib32", "usr/lib32"},
    {"/lib64", "usr/lib64"},
    {"/libx32", "usr/libx32"},
    {"/var/run", "/run"},
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
    {"/etc/alternatives", SANDBOX_LAYER_ETC "/alternatives"},
    {"/etc/group", SANDBOX_LAYER_ETC "/group"},
    {"/etc/ld.so.cache", SANDBOX_LAYER_ETC "/ld.so.cache"},
    {"/etc/nsswitch.conf", SANDBOX_LAYER_ETC "/nsswitch.conf"},
    {"/etc/passwd", SANDBOX_LAYER_ETC "/passwd"},
    {SANDBOX_ACTOR, SANDBOX_LAYER_ACTOR},
};

static const struct {
    const char *path;
    unsigned major;
    unsigned minor;
} DEVICES[] = {
    {"/dev/null", 1, 3}, {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
    {"/dev/tty", 5, 0},  {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9},
};

static bool make_entries(const struct sandbox *sandbox, struct problem *problem)
{
    mode_t mask = umask(0);
    bool made = true;
    for (size_t i = 0; made && i < sizeof DIRECTORIES / sizeof *DIRECTORIES; i++) {
        PATH_OF(path, "%s%s", sandbox->root, DIRECTORIES[i].path);
        made = mkdir(path, DIRECTORIES[i].mode) == 0 || problem_set(problem, "mkdir %s: %s", path, strerror(errno));
    }
    for (size_t i = 0; made && i < sizeof LINKS / sizeof *LINKS; i++) {
        PATH_OF(path, "%s%s", sandbox->root, LINKS[i].path);
        made = symlink(LINKS[i].target, path) == 0 || problem_set(problem, "symlink %s: %s", path, strerror(errno));
    }
    for (size_t i = 0; made && i < sizeof DEVICES / sizeof *DEVICES; i++) {
        PATH_OF(path, "%s%s", sandbox->root, DEVICES[i].path);
        made = mknod(path, S_IFCHR | 0666, makedev(DEVICES[i].major, DEVICES[i].minor)) == 0 ||
               problem_set(problem, "mknod %s: %s", path, strerror(errno));
    }
    umask(mask);
    return made;
}

/* Writes `text` with what overlay's options give a meaning to escaped. */
static void escape(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 3 < size; text++) {
        if (strchr("\\:,", *text))
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = '\0';
}

static bool mount_usr(const struct sandbox *sandbox, struct problem *problem)
{
    char layer[PATH_MAX], escaped[2 * PATH_MAX], options[2 * PATH_MAX + 32];
    if (!layer_prepare(sandbox->settings, layer, problem))
        return false;
    escape(escaped, sizeof escaped, layer);
    snprintf(options, sizeof options, "lowerdir=%s:/usr", escaped);
    PATH_OF(usr, "%s/usr", sandbox->root);
    if (mount("overlay", usr, "overlay", MS_RDONLY | MS_NODEV, options) != 0)
        return problem_set(problem, "an overlay of %s over /usr: %s", layer, strerror(errno));
    return true;
}

static bool mount_sys(const struct sandbox *sandbox, struct problem *problem)
{
    PATH_OF(sys, "%s/sys", sandbox->root);
    if (mount("/sys", sys, NULL, MS_BIND, NULL) != 0)
        return problem_set(problem, "/sys in the sandbox: %s", strerror(errno));
    PATH_OF(cgroup, "%s/sys/fs/cgroup", sandbox->root);
    if (sandbox->cgroup >= 0 && mount("cgroup2", cgroup, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        return problem_set(problem, "control groups in the sandbox: %s", strerror(errno));
    return true;
}

bool root_make(struct sandbox *sandbox, struct problem *problem)
{
    char mark[MARK_SIZE];
    sandbox_mark(sandbox, mark);
    if (mkdir(sandbox->root, 0755) != 0 || mount(mark, sandbox->root, "tmpfs", 0, "mode=755") != 0)
        return problem_set(problem, "a tmpfs on %s: %s", sandbox->root, strerror(errno));
    sandbox->root_directory = open(sandbox->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sandbox->root_directory < 0)
        return problem_set(problem, "%s: %s", sandbox->root, strerror(errno));
    return make_entries(sandbox, problem) && mount_usr(sandbox, problem) && mount_sys(sandbox, problem);
}

/* Lays a file of our own over one of the machine's. Some kernels have no rcu_expedited. */
static bool cover(const struct sandbox *sandbox, const char *name, const char *over, const char *text,
                  struct problem *problem)
{
    PATH_OF(own, "%s%s", sandbox->root, name);
    PATH_OF(path, "%s%s", sandbox->root, over);
    int file = open(own, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    bool written = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0)
        close(file);
    if (written && (mount(own, path, NULL, MS_BIND, NULL) == 0 || errno == ENOENT))
        return true;
    return problem_set(problem, "%s: %s", path, strerror(errno));
}

bool root_cover(struct sandbox *sandbox, struct problem *problem)
{
    const struct scenario *scenario = sandbox->scenario;
    char rcu[16], period[16], meminfo[128];
    snprintf(rcu, sizeof rcu, "%d\n", scenario->rcu_expedited);
    snprintf(period, sizeof period, "%d\n", scenario->writeback_period);
    snprintf(meminfo, sizeof meminfo, "MemTotal:        8388608 kB\nDirty:           %7" PRId64 " kB\nWriteback:             0 kB\n",
             scenario->dirty_bytes / 1024);
    return cover(sandbox, SANDBOX_RCU, "/sys/kernel/rcu_expedited", rcu, problem) &&
           cover(sandbox, SANDBOX_PERIOD, "/proc/sys/vm/dirty_writeback_centisecs", period, problem) &&
           cover(sandbox, SANDBOX_MEMINFO, "/proc/meminfo", meminfo, problem);
}
