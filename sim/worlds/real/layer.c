/* layer.c: the folder that lies over /usr in every sandbox, with the binaries under test and what /etc links to. It is
 * made once for each build of them, kept in the cache, and shared by all sandboxes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"
#include "sparse.h"

#define UNUSED_AFTER_S 3600
#define LAYER_VERSION "2" /* of what is written here, to be counted up with a change */

/* What the layer is made of, by where it lies in it. */
struct source {
    const char *from;
    const char *to;
    mode_t mode;
};

static const struct {
    const char *name;
    const char *text;
} TEXTS[] = {
    {"passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"group", "root:x:0:\nnogroup:x:65534:\n"},
    {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"},
};

/* ---- Which layer ------------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Of what tells one version of a file from another. */
static uint64_t mix_file(uint64_t hash, const char *path)
{
    struct stat facts;
    if (!path || stat(path, &facts) != 0)
        return mix(hash, "absent", 6);
    int64_t values[] = {(int64_t)facts.st_dev,  (int64_t)facts.st_ino,     (int64_t)facts.st_size,
                        facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec, facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec};
    return mix(hash, values, sizeof values);
}

static uint64_t layer_key(const struct world_settings *settings)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = mix(hash, LAYER_VERSION, strlen(LAYER_VERSION));
    hash = mix_file(hash, settings->quiesce);
    PATH_OF(actor, "%s-actor", settings->self);
    hash = mix_file(hash, actor);
    hash = mix_file(hash, settings->ledger);
    hash = mix_file(hash, "/etc/ld.so.cache");
    return mix_file(hash, "/etc/alternatives");
}

/* ---- Making it -------------------------------------------------------------------------------------------------- */

static int make_parents(const char *path)
{
    char prefix[PATH_MAX];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(prefix, sizeof prefix, "%.*s", (int)(slash - path), path);
        if (mkdir(prefix, 0755) != 0 && errno != EEXIST)
            return errno;
    }
    return 0;
}

static int copy_file(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return errno;
    int error = make_parents(to);
    int out = error ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (!error && out < 0)
        error = errno;
    if (!error)
        error = sparse_copy(in, out, false);
    if (!error && fchmod(out, mode) != 0)
        error = errno;
    close(in);
    if (out >= 0 && close(out) != 0 && !error)
        error = errno;
    return error;
}

static int write_text(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int error = file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) ? errno : 0;
    if (file >= 0)
        close(file);
    return error;
}

/* Debian's commands with several providers (awk) are links through here. */
static int copy_alternatives(const char *layer)
{
    PATH_OF(to, "%s" SANDBOX_LAYER_ETC_IN_USR "/alternatives", layer);
    DIR *directory = opendir("/etc/alternatives");
    int error = mkdir(to, 0755) == 0 ? 0 : errno;
    for (struct dirent *entry = directory ? readdir(directory) : NULL; !error && entry; entry = readdir(directory)) {
        char target[PATH_MAX];
        PATH_OF(from, "/etc/alternatives/%s", entry->d_name);
        ssize_t length = readlink(from, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        PATH_OF(link, "%s/%s", to, entry->d_name);
        error = symlink(target, link) == 0 ? 0 : errno;
    }
    if (directory)
        closedir(directory);
    return error;
}

/* Fills the empty folder `layer`. */
static bool fill(const struct world_settings *settings, const char *layer, struct problem *problem)
{
    PATH_OF(actor, "%s-actor", settings->self);
    const struct source sources[] = {
        {settings->quiesce, "/sbin/quiesce", 0755},
        {actor, "/libexec/quiesce-sim/actor", 0755},
        {settings->ledger, "/local/bin/ledger", 0755},
        {access("/etc/ld.so.cache", R_OK) == 0 ? "/etc/ld.so.cache" : NULL, SANDBOX_LAYER_ETC_IN_USR "/ld.so.cache", 0644},
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        PATH_OF(to, "%s%s", layer, sources[i].to);
        int error = sources[i].from ? copy_file(sources[i].from, to, sources[i].mode) : make_parents(to);
        if (error)
            return problem_set(problem, "%s to %s: %s", sources[i].from, to, strerror(error));
    }
    int error = copy_alternatives(layer);
    for (size_t i = 0; !error && i < sizeof TEXTS / sizeof *TEXTS; i++) {
        PATH_OF(path, "%s" SANDBOX_LAYER_ETC_IN_USR "/%s", layer, TEXTS[i].name);
        error = write_text(path, TEXTS[i].text);
    }
    return !error || problem_set(problem, "%s: %s", layer, strerror(error));
}

/* ---- Removing it ------------------------------------------------------------------------------------------------ */

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

/* Does the path lead into something that only the harness makes? Anything else is never removed, whoever asks. */
static bool is_ours(const char *path)
{
    return !strstr(path, "/..") && (strstr(path, "/quiesce-sim.") || strstr(path, "/layer-"));
}

void remove_tree(const char *path)
{
    if (!is_ours(path)) {
        fprintf(stderr, "quiesce-sim: %s is not ours to remove\n", path);
        abort();
    }
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Layers of builds that nobody has played with for a while. */
static void remove_unused(const char *cache)
{
    DIR *directory = opendir(cache);
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry; entry = readdir(directory)) {
        PATH_OF(path, "%s/%s", cache, entry->d_name);
        struct stat facts;
        if (strncmp(entry->d_name, "layer-", 6) == 0 && stat(path, &facts) == 0 &&
            facts.st_mtime < time(NULL) - UNUSED_AFTER_S)
            remove_tree(path);
    }
    if (directory)
        closedir(directory);
}

/* ---- Either ----------------------------------------------------------------------------------------------------- */

static bool make_layer(const struct world_settings *settings, const char *layer, struct problem *problem)
{
    remove_unused(settings->cache);
    PATH_OF(making, "%s.XXXXXX", layer);
    if (!mkdtemp(making) || chmod(making, 0755) != 0)
        return problem_set(problem, "%s: %s", making, strerror(errno));
    bool made = fill(settings, making, problem);
    /* Another player may have been faster; theirs is as good. */
    if (made && rename(making, layer) != 0 && errno != EEXIST && errno != ENOTEMPTY)
        made = problem_set(problem, "%s: %s", layer, strerror(errno));
    remove_tree(making);
    return made;
}

bool layer_prepare(const struct world_settings *settings, char *layer, struct problem *problem)
{
    path_format(layer, "%s/layer-%016llx", settings->cache, (unsigned long long)layer_key(settings));
    /* That it is used now is told by its time. */
    if (utimensat(AT_FDCWD, layer, NULL, 0) == 0)
        return true;
    return make_layer(settings, layer, problem);
}
