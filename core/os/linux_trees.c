/* linux_trees.c: a child and everything that it started, whoever is its parent by now.
 *
 * With cgroup v2, each attempt lives in a control group of its own, below the one that we are in:
 * quiesce-PID-START/ATTEMPT. No process leaves it by accident, and the kernel ends all of it at once.
 *
 * Without, /proc is searched for processes of the child's session, for descendants of the child, and for processes
 * whose environment names the same run, plugin, phase and attempt. What starts a session of its own, loses its parent
 * and clears its environment as well, before it was ever found, is not found then. Nor, by its environment, while there is
 * another child of the same phase and attempt: what that one has left behind, such as who holds a lock, says the same. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "linux.h"

/* How often all processes are gone through when a signal must reach those that are being forked meanwhile, too. */
#define KILL_ROUNDS 16

#define REMOVE_TRIES 20

/* A path of ours and the name of an entry of it. */
#define LONG_PATH (PATH_MAX + NAME_MAX + 2)

/* ---- Control groups: where -------------------------------------------------------------------------------------- */

static const char *cgroup_mount(void)
{
    static const char *const candidates[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct statfs facts;
        if (statfs(candidates[i], &facts) == 0 && facts.f_type == CGROUP2_SUPER_MAGIC)
            return candidates[i];
    }
    return NULL;
}

void qz_linux_trees_open(struct qz_linux *lx)
{
    const char *mount = cgroup_mount();
    char text[PATH_MAX];
    if (!mount || qz_linux_read_text("/proc/self/cgroup", text, sizeof text) < 0)
        return;
    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (!line)
        return;
    const char *own = strstr(line, "::") + 2;
    int size = (int)strcspn(own, "\n");
    /* Outside of what this namespace shows. */
    if (strncmp(own, "/..", 3) == 0)
        return;
    int needed = snprintf(lx->cgroup_parent, sizeof lx->cgroup_parent, "%s%.*s", mount, size, own);
    if (needed < 0 || (size_t)needed + 128 > sizeof lx->cgroup_parent) {
        lx->cgroup_parent[0] = '\0';
        return;
    }
    snprintf(lx->cgroup_base, sizeof lx->cgroup_base, "%.*s/quiesce-%d-%llu", needed, lx->cgroup_parent,
             (int)lx->self.pid, (unsigned long long)lx->self.start_time);
}

/* The path of a file in a tree's control group ("": of the group itself). */
static void cgroup_path(const struct qz_linux *lx, unsigned attempt, const char *file, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%.3900s/%u%s%s", lx->cgroup_base, attempt, *file ? "/" : "", file);
}

/* ---- Control groups: beginning and end -------------------------------------------------------------------------- */

/* Calls `each` with every piece of a file of the kernel's that `separator` ends; one that no piece of ours can be as long as
 * is passed over. Returns how many there are. Allocates nothing. */
static int each_piece(const char *path, char separator, void (*each)(const char *piece, void *argument), void *argument)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int pieces = 0;
    size_t kept = 0;
    ssize_t got;
    while ((got = read(fd, text + kept, sizeof text - kept)) > 0) {
        char *at = text, *limit = text + kept + got;
        for (char *end = memchr(at, separator, (size_t)(limit - at)); end; end = memchr(at, separator, (size_t)(limit - at))) {
            *end = '\0';
            each(at, argument);
            pieces++;
            at = end + 1;
        }
        kept = (size_t)(limit - at) < sizeof text ? (size_t)(limit - at) : 0;
        memmove(text, at, kept);
    }
    close(fd);
    return pieces;
}

static void move_process(const char *pid, void *to)
{
    qz_linux_write_text(to, pid);
}

/* Moves what lives in a control group to the one that we are in. Returns whether there was anything. */
static bool empty_cgroup(const struct qz_linux *lx, const char *path)
{
    char from[LONG_PATH + 16], to[LONG_PATH];
    snprintf(from, sizeof from, "%s/cgroup.procs", path);
    snprintf(to, sizeof to, "%s/cgroup.procs", lx->cgroup_parent);
    return each_piece(from, '\n', move_process, to) > 0;
}

/* Removes the control groups of `base`, and it; with `emptying` also those that something lives in. */
static void remove_base(const struct qz_linux *lx, const char *base, bool emptying)
{
    DIR *directory = opendir(base);
    if (!directory)
        return;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        char path[LONG_PATH];
        snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        /* A process that has just ended may keep its group for a moment. */
        for (int tries = 0; rmdir(path) != 0 && errno == EBUSY && emptying && tries < REMOVE_TRIES; tries++)
            if (!empty_cgroup(lx, path))
                usleep(1000);
    }
    closedir(directory);
    rmdir(base);
}

/* Removes what runs left behind whose agent was killed, and its guardian too: nobody else leaves anything empty. */
static void sweep(struct qz_linux *lx)
{
    DIR *directory = opendir(lx->cgroup_parent);
    if (!directory)
        return;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        struct qz_process process;
        unsigned long long start_time;
        if (sscanf(entry->d_name, "quiesce-%d-%llu", &process.pid, &start_time) != 2)
            continue;
        process.start_time = start_time;
        char path[LONG_PATH];
        snprintf(path, sizeof path, "%s/%s", lx->cgroup_parent, entry->d_name);
        if (!lx->base.ops->process_alive(&lx->base, &process))
            remove_base(lx, path, false);
    }
    closedir(directory);
}

void qz_linux_trees_tidy(struct qz_linux *lx)
{
    if (!lx->cgroups_made)
        return;
    remove_base(lx, lx->cgroup_base, false);
    sweep(lx);
    lx->cgroups_made = false;
}

void qz_linux_trees_close(struct qz_linux *lx)
{
    if (lx->cgroup_base[0])
        remove_base(lx, lx->cgroup_base, true);
}

/* Makes the control group of an attempt. Returns a descriptor of it, or -1. */
static int make_cgroup(struct qz_linux *lx, unsigned attempt)
{
    if (!lx->cgroup_base[0] || lx->no_cgroups)
        return -1;
    lx->cgroups_made = true;
    mkdir(lx->cgroup_base, 0755);
    char path[PATH_MAX];
    cgroup_path(lx, attempt, "", path);
    if (mkdir(path, 0755) != 0)
        return -1;
    int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0)
        rmdir(path);
    return cgroup;
}

/* ---- Trees: beginning and end ----------------------------------------------------------------------------------- */

/* FNV-1a, whose last bytes hardly reach the upper bits, and the mixing that ends MurmurHash3, so that they do: what
 * differs in last digits only (run …-5f0a9b at attempt 2, run …-5f0a9c at attempt 1) would have the same sum. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

/* Adds one variable to what an environment says about whom its process belongs to. The order does not matter. */
static void add_variable(const char *variable, void *environment)
{
    static const char *const names[] = {"QUIESCE_RUN_ID=", "QUIESCE_PLUGIN=", "QUIESCE_PHASE=", "QUIESCE_ATTEMPT="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            *(uint64_t *)environment += hash_of(variable);
}

int qz_linux_tree_prepare(struct qz_linux *lx, unsigned *attempt)
{
    *attempt = ++lx->shared->attempts;
    int cgroup = make_cgroup(lx, *attempt);
    if (cgroup < 0)
        *attempt = 0;
    return cgroup;
}

void qz_linux_tree_unprepare(struct qz_linux *lx, unsigned attempt)
{
    char path[PATH_MAX];
    if (attempt == 0)
        return;
    cgroup_path(lx, attempt, "", path);
    rmdir(path);
}

void qz_linux_tree_begin(struct qz_linux *lx, int slot, unsigned attempt, char *const *envp)
{
    struct qz_linux_tree *tree = &lx->shared->trees[slot];
    qz_linux_tree_drop(lx, slot);
    uint64_t environment = 0;
    for (char *const *variable = envp; *variable; variable++)
        add_variable(*variable, &environment);
    tree->environment = environment;
    tree->attempt = attempt;
}

void qz_linux_tree_root(struct qz_linux *lx, int slot)
{
    struct qz_linux_tree *tree = &lx->shared->trees[slot];
    struct qz_linux_stat stat;
    pid_t root = getpid();
    if (qz_linux_stat(root, &stat))
        tree->known[0] = (struct qz_process){.pid = root, .start_time = stat.start_time};
    tree->root = root;
}

void qz_linux_tree_enter(struct qz_linux *lx, int slot, int cgroup)
{
    int procs = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (procs < 0 || write(procs, "0", 1) != 1)
        lx->shared->trees[slot].attempt = 0;
}

void qz_linux_tree_drop(struct qz_linux *lx, int slot)
{
    struct qz_linux_tree *tree = &lx->shared->trees[slot];
    unsigned attempt = atomic_exchange(&tree->attempt, 0);
    /* While something may be frozen nothing is removed either; the end of all of them comes later. */
    if (!lx->workers)
        qz_linux_tree_unprepare(lx, attempt);
    tree->root = 0;
    tree->environment = 0;
    memset(tree->known, 0, sizeof tree->known);
}

/* ---- Without control groups ------------------------------------------------------------------------------------- */

/* Does the environment that a process was started with say that it belongs to the tree? */
static bool environment_matches(pid_t pid, uint64_t wanted)
{
    char path[32];
    uint64_t environment = 0;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    if (wanted)
        each_piece(path, '\0', add_variable, &environment);
    return wanted && environment == wanted;
}

static bool is_known(const struct qz_linux_tree *tree, pid_t pid, const struct qz_linux_stat *stat)
{
    for (int i = 0; i < QZ_LINUX_KNOWN; i++)
        if (tree->known[i].pid == pid && tree->known[i].start_time == stat->start_time)
            return true;
    return false;
}

static void remember(const struct qz_linux *lx, struct qz_linux_tree *tree, pid_t pid, const struct qz_linux_stat *stat)
{
    if (is_known(tree, pid, stat))
        return;
    for (int i = 1; i < QZ_LINUX_KNOWN; i++) {
        if (lx->base.ops->process_alive(NULL, &tree->known[i]))
            continue;
        tree->known[i] = (struct qz_process){.pid = pid, .start_time = stat->start_time};
        return;
    }
}

/* Is a process, or one that it descends from, known to be of the tree? */
static bool descends(const struct qz_linux_tree *tree, pid_t pid, const struct qz_linux_stat *stat)
{
    struct qz_linux_stat step = *stat;
    while (!is_known(tree, pid, &step)) {
        pid = step.parent;
        if (pid <= 1 || !qz_linux_stat(pid, &step))
            return false;
    }
    return true;
}

/* Does another tree's environment say the same? All plugins have one name: then it says nothing. */
static bool is_shared(const struct qz_linux *lx, const struct qz_linux_tree *tree)
{
    for (int slot = 0; slot < QZ_LINUX_SLOTS; slot++) {
        const struct qz_linux_tree *other = &lx->shared->trees[slot];
        if (other != tree && other->root != 0 && other->environment == tree->environment)
            return true;
    }
    return false;
}

static bool is_member(const struct qz_linux *lx, struct qz_linux_tree *tree, pid_t pid)
{
    struct qz_linux_stat stat;
    if (pid == lx->self.pid || pid == lx->peer.process.pid || !qz_linux_stat(pid, &stat))
        return false;
    /* A zombie does nothing any more. 2 is the parent of the kernel's own threads, which have no session; in a pid
     * namespace it may be us. */
    if (stat.state == 'Z' || stat.state == 'X' || (stat.parent == 2 && stat.session == 0))
        return false;
    if (stat.session != tree->root && !descends(tree, pid, &stat) &&
        (is_shared(lx, tree) || !environment_matches(pid, tree->environment)))
        return false;
    remember(lx, tree, pid, &stat);
    return true;
}

/* Finds the living processes of a tree, `capacity` of them at most. Returns how many. */
static int find_members(const struct qz_linux *lx, struct qz_linux_tree *tree, pid_t *members, int capacity)
{
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return 0;
    _Alignas(struct dirent64) char entries[4096];
    int count = 0;
    ssize_t size;
    while ((size = getdents64(proc, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < size && count < capacity;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
            at += entry->d_reclen;
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (pid > 1 && is_member(lx, tree, pid))
                members[count++] = pid;
        }
    }
    close(proc);
    return count;
}

/* Signals every living process of a tree (0: only looks). Returns how many there are. All are found before any is
 * signalled: the descendants of one that has ended could not be told any more. Allocates nothing: it may be needed
 * while filesystems are frozen. */
static int signal_members(const struct qz_linux *lx, struct qz_linux_tree *tree, int signal_number)
{
    pid_t members[1024];
    int count = find_members(lx, tree, members, sizeof members / sizeof *members);
    for (int i = 0; i < count; i++)
        kill(members[i], signal_number);
    return count;
}

/* ---- With control groups ---------------------------------------------------------------------------------------- */

static void signal_process(const char *pid, void *signal_number)
{
    kill((pid_t)strtol(pid, NULL, 10), *(int *)signal_number);
}

static bool cgroup_populated(const struct qz_linux *lx, unsigned attempt)
{
    char path[PATH_MAX], text[256];
    cgroup_path(lx, attempt, "cgroup.events", path);
    if (qz_linux_read_text(path, text, sizeof text) >= 0)
        return strstr(text, "populated 1");
    /* Gone with its group; of one that is there and cannot be looked at nobody says that it is empty. */
    bool gone = errno == ENODEV || errno == ENOENT;
    cgroup_path(lx, attempt, "", path);
    return !gone || access(path, F_OK) == 0;
}

/* ---- The two operations ----------------------------------------------------------------------------------------- */

static int signal_once(const struct qz_linux *lx, int slot, const char *procs, int signal_number)
{
    return *procs ? each_piece(procs, '\n', signal_process, &signal_number)
                  : signal_members(lx, &lx->shared->trees[slot], signal_number);
}

void qz_linux_tree_signal(struct qz_os *os, int slot, int signal_number)
{
    struct qz_linux *lx = qz_linux(os);
    if (slot < 0 || slot >= QZ_LINUX_SLOTS || lx->shared->trees[slot].root == 0)
        return;
    unsigned attempt = lx->shared->trees[slot].attempt;
    char path[PATH_MAX] = "";
    if (attempt != 0 && signal_number == SIGKILL) {
        cgroup_path(lx, attempt, "cgroup.kill", path);
        if (qz_linux_write_text(path, "1") == 0)
            return;
    }
    if (attempt != 0)
        cgroup_path(lx, attempt, "cgroup.procs", path);
    int rounds = signal_number == SIGKILL ? KILL_ROUNDS : 1;
    while (rounds-- > 0 && signal_once(lx, slot, path, signal_number) > 0)
        ;
}

bool qz_linux_tree_alive(struct qz_os *os, int slot)
{
    struct qz_linux *lx = qz_linux(os);
    if (slot < 0 || slot >= QZ_LINUX_SLOTS || lx->shared->trees[slot].root == 0)
        return false;
    struct qz_linux_tree *tree = &lx->shared->trees[slot];
    unsigned attempt = tree->attempt;
    bool alive = attempt != 0 ? cgroup_populated(lx, attempt) : signal_members(lx, tree, 0) > 0;
    /* What has ended stays so: whoever gets its numbers later is none of ours. */
    if (!alive)
        qz_linux_tree_drop(lx, slot);
    return alive;
}
