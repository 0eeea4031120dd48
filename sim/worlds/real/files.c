/* files.c: the scenario's files, configs and scripts at their paths. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "behaviour.h"
#include "parts.h"

#define BOOT_ID "${boot_id}"
#define PATH_TRIES 10000

/* ---- Paths of the inside ---------------------------------------------------------------------------------------- */

/* EAGAIN: something was renamed or mounted, anywhere, while the path went up by ".." (openat2(2)). */
static int open_inside(const struct sandbox *sandbox, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | resolve};
    int file = -1;
    for (int tries = 0; tries == 0 || (file < 0 && errno == EAGAIN && tries < PATH_TRIES); tries++)
        file = (int)syscall(SYS_openat2, sandbox->root_directory, path, &how, sizeof how);
    return file;
}

int inside_open(const struct sandbox *sandbox, const char *path, int flags)
{
    return open_inside(sandbox, path, flags, 0);
}

int inside_make_directories(const struct sandbox *sandbox, const char *path)
{
    char prefix[PATH_MAX];
    int above = inside_open(sandbox, "/", O_PATH | O_DIRECTORY);
    int error = above < 0 ? errno : 0;
    for (const char *end = path; !error && *end;) {
        const char *name = end + strspn(end, "/");
        end = name + strcspn(name, "/");
        if (end == name)
            break;
        snprintf(prefix, sizeof prefix, "%.*s", (int)(end - path), path);
        int directory = inside_open(sandbox, prefix, O_PATH | O_DIRECTORY);
        if (directory < 0 && errno == ENOENT) {
            char last[PATH_MAX];
            snprintf(last, sizeof last, "%.*s", (int)(end - name), name);
            if (mkdirat(above, last, 0755) == 0 && fchmodat(above, last, 0755, 0) == 0)
                directory = inside_open(sandbox, prefix, O_PATH | O_DIRECTORY);
        }
        error = directory < 0 ? errno : 0;
        close(above);
        above = directory;
    }
    if (above >= 0)
        close(above);
    return error;
}

int inside_open_parent(const struct sandbox *sandbox, const char *path, const char **name)
{
    *name = strrchr(path, '/') + 1;
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%.*s", (int)(*name - path), path);
    int error = inside_make_directories(sandbox, parent);
    if (error)
        return -error;
    int directory = inside_open(sandbox, parent, O_PATH | O_DIRECTORY);
    return directory < 0 ? -errno : directory;
}

/* ---- Whole files ------------------------------------------------------------------------------------------------ */

char *read_whole(int file, size_t *size)
{
    size_t length = 0, capacity = 4096;
    char *text = allocate(1, capacity);
    ssize_t got;
    while ((got = read(file, text + length, capacity - length - 1)) > 0) {
        length += (size_t)got;
        if (length + 1 < capacity)
            continue;
        capacity *= 2;
        text = realloc(text, capacity);
        if (!text)
            abort();
    }
    if (got < 0) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    if (size)
        *size = length;
    return text;
}

char *sandbox_read(struct sandbox *sandbox, const char *path, size_t *size)
{
    int file = inside_open(sandbox, path, O_RDONLY | O_NONBLOCK);
    if (file < 0)
        return NULL;
    char *text = read_whole(file, size);
    int error = errno;
    close(file);
    errno = error;
    return text;
}

static int write_whole(int file, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, text, size);
        if (written < 0)
            return errno;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

/* ---- One file --------------------------------------------------------------------------------------------------- */

static int make_regular(int parent, const char *name, const char *text, size_t size)
{
    int file = openat(parent, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return errno;
    int error = write_whole(file, text, size);
    if (close(file) != 0 && !error)
        error = errno;
    return error;
}

static int make_entry(int parent, const char *name, const struct scenario_file *file, const char *text, size_t size)
{
    int failed = 0;
    switch (file->kind) {
    case SCENARIO_FILE:
        return make_regular(parent, name, text ? text : "", size);
    case SCENARIO_DIRECTORY:
        failed = mkdirat(parent, name, 0755);
        return failed != 0 && errno != EEXIST ? errno : 0;
    case SCENARIO_SYMLINK:
        return symlinkat(file->text, parent, name) == 0 ? 0 : errno;
    case SCENARIO_FIFO:
        return mkfifoat(parent, name, 0600) == 0 ? 0 : errno;
    case SCENARIO_ABSENT:
        failed = unlinkat(parent, name, 0);
        return failed != 0 && errno != ENOENT ? errno : 0;
    }
    return EINVAL;
}

static int set_owner_and_mode(int parent, const char *name, const struct scenario_file *file)
{
    if (file->kind == SCENARIO_ABSENT)
        return 0;
    if (file->owner != 0 && fchownat(parent, name, file->owner, file->owner, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    return file->kind == SCENARIO_SYMLINK || fchmodat(parent, name, file->mode, 0) == 0 ? 0 : errno;
}

/* Makes `file` with this content. */
static bool make_file(const struct sandbox *sandbox, const struct scenario_file *file, const char *text, size_t size,
                      struct problem *problem)
{
    const char *name = NULL;
    int parent = inside_open_parent(sandbox, file->path, &name);
    int error = parent < 0 ? -parent : make_entry(parent, name, file, text, size);
    if (!error)
        error = set_owner_and_mode(parent, name, file);
    if (parent >= 0)
        close(parent);
    return !error || problem_set(problem, "%s cannot be made: %s", file->path, strerror(error));
}

static bool make_given(const struct sandbox *sandbox, const struct scenario_file *file, struct problem *problem)
{
    return make_file(sandbox, file, file->text, file->text ? file->size : 0, problem);
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

static bool make_script(const struct sandbox *sandbox, const struct scenario_script *script, const char *role,
                        const char *plugin, struct problem *problem)
{
    if (!script->file.path)
        return true;
    if (script->file.kind != SCENARIO_FILE || script->file.text)
        return make_given(sandbox, &script->file, problem);
    char *text = behaviour_text(role, plugin, script->attempts, script->attempt_count);
    bool made = make_file(sandbox, &script->file, text, strlen(text), problem);
    free(text);
    return made;
}

static bool make_plugins(const struct sandbox *sandbox, struct problem *problem)
{
    const struct scenario *scenario = sandbox->scenario;
    bool made = true;
    for (size_t i = 0; made && i < scenario->plugin_count; i++) {
        const struct scenario_plugin *plugin = &scenario->plugins[i];
        made = (!plugin->config.path || make_given(sandbox, &plugin->config, problem)) &&
               make_script(sandbox, &plugin->pre, "pre", plugin->name, problem) &&
               make_script(sandbox, &plugin->post, "post", plugin->name, problem);
    }
    return made;
}

/* The command `snapshot`. */
static bool make_snapshot(const struct sandbox *sandbox, struct problem *problem)
{
    static const struct scenario_attempt nothing;
    const struct scenario *scenario = sandbox->scenario;
    const struct scenario_file file = {.kind = SCENARIO_FILE, .path = SANDBOX_PROGRAMS "/snapshot", .mode = 0755};
    char *text = scenario->snapshot_count > 0
                     ? behaviour_text("snapshot", "", scenario->snapshots, scenario->snapshot_count)
                     : behaviour_text("snapshot", "", &nothing, 1);
    bool made = make_file(sandbox, &file, text, strlen(text), problem);
    free(text);
    return made;
}

/* The run state that an earlier quiesce left. */
static bool make_journal(const struct sandbox *sandbox, struct problem *problem)
{
    const char *journal = sandbox->scenario->journal;
    if (!journal)
        return true;
    char boot_id[64] = "";
    int source = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (source < 0 || read(source, boot_id, sizeof boot_id - 1) <= 0)
        problem_set(problem, "the boot id: %s", strerror(errno));
    if (source >= 0)
        close(source);
    boot_id[strcspn(boot_id, "\n")] = '\0';
    size_t size = strlen(journal) + sizeof boot_id;
    char *text = allocate(1, size);
    const char *place = strstr(journal, BOOT_ID);
    if (place)
        snprintf(text, size, "%.*s%s%s", (int)(place - journal), journal, boot_id, place + strlen(BOOT_ID));
    else
        snprintf(text, size, "%s", journal);
    const struct scenario_file directory = {.kind = SCENARIO_DIRECTORY, .path = "/run/quiesce", .mode = 0700};
    const struct scenario_file file = {.kind = SCENARIO_FILE, .path = "/run/quiesce/journal", .mode = 0600};
    bool made = boot_id[0] && make_file(sandbox, &directory, NULL, 0, problem) &&
                make_file(sandbox, &file, text, strlen(text), problem);
    free(text);
    return made;
}

bool files_make(struct sandbox *sandbox, struct problem *problem)
{
    const struct scenario *scenario = sandbox->scenario;
    bool made = make_plugins(sandbox, problem) && make_snapshot(sandbox, problem) && make_journal(sandbox, problem) &&
                (!scenario->plugin_host || make_given(sandbox, scenario->plugin_host, problem));
    for (size_t i = 0; made && i < scenario->file_count; i++)
        made = make_given(sandbox, &scenario->files[i], problem);
    return made;
}

/* ---- Actions ---------------------------------------------------------------------------------------------------- */

/* Where `path` leads, links followed, as an outside path. 0 or an errno. */
static int outside_path(const struct sandbox *sandbox, const char *path, char outside[PATH_MAX])
{
    int file = inside_open(sandbox, path, O_PATH);
    if (file < 0)
        return errno;
    PATH_OF(link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, outside, PATH_MAX - 1);
    int error = length < 0 ? errno : 0;
    outside[length > 0 ? length : 0] = '\0';
    close(file);
    return error;
}

int sandbox_replace_file(struct sandbox *sandbox, const char *path)
{
    char old[PATH_MAX];
    size_t size = 0;
    struct stat facts;
    int error = outside_path(sandbox, path, old);
    char *text = error ? NULL : sandbox_read(sandbox, path, &size);
    if (!text || stat(old, &facts) != 0)
        return error ? error : errno;
    PATH_OF(new, "%s.replacement", old);
    const struct scenario_file same = {.kind = SCENARIO_FILE, .owner = facts.st_uid, .mode = facts.st_mode & 07777};
    error = make_regular(AT_FDCWD, new, text, size);
    if (!error)
        error = set_owner_and_mode(AT_FDCWD, new, &same);
    if (!error && rename(new, old) != 0)
        error = errno;
    free(text);
    return error;
}

int sandbox_chmod(struct sandbox *sandbox, const char *path, mode_t mode)
{
    int file = inside_open(sandbox, path, O_PATH);
    if (file < 0)
        return errno;
    PATH_OF(link, "/proc/self/fd/%d", file);
    int error = chmod(link, mode) == 0 ? 0 : errno;
    close(file);
    return error;
}
