/* linux_paths.c: walks a path by hand, so that what was checked is what is opened. */
#include "linux_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* the kernel's own limit */
#define READ_FIRST 8192 /* bytes to begin with: more than most of what we read */
#define LOOK_FLAGS (O_PATH | O_NOFOLLOW | O_CLOEXEC)

/* A walk under way: `directory` is where the next name is looked up, steps[at] describes it. */
struct walk {
    struct qz_path_facts *facts;
    size_t capacity;
    int directory;
    int at;
    char *rest;       /* what is still to be walked; owned */
    const char *next; /* into `rest` */
    unsigned links;
    int found; /* the file itself (O_PATH), once it was reached; -1 */
};

static enum qz_step_kind kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return QZ_STEP_DIRECTORY;
    if (S_ISLNK(mode))
        return QZ_STEP_SYMLINK;
    return S_ISREG(mode) ? QZ_STEP_REGULAR : QZ_STEP_OTHER;
}

/* "/" for the root directory, else the parent's path and `name`. */
static char *join(const struct qz_path_facts *facts, int parent, const char *name)
{
    char *path = NULL;
    const char *above = parent < 0 ? "" : facts->steps[parent].path;
    if (asprintf(&path, "%s%s%s", above, strcmp(above, "/") == 0 ? "" : "/", name) < 0)
        return NULL;
    return path;
}

/* Adds the step that `status` describes, looked up as `name` in steps[parent]. Returns 0 or ENOMEM. */
static int add_step(struct walk *walk, int parent, const char *name, const struct stat *status)
{
    struct qz_path_facts *facts = walk->facts;
    if (facts->count == walk->capacity) {
        size_t capacity = walk->capacity ? walk->capacity * 2 : 16;
        struct qz_path_step *steps = realloc(facts->steps, capacity * sizeof *steps);
        if (!steps)
            return ENOMEM;
        facts->steps = steps;
        walk->capacity = capacity;
    }
    char *path = join(facts, parent, name);
    if (!path)
        return ENOMEM;
    facts->steps[facts->count++] = (struct qz_path_step){
        .path = path,
        .kind = kind_of(status->st_mode),
        .parent = parent,
        .mode = status->st_mode & ~(mode_t)S_IFMT,
        .uid = status->st_uid,
        .dev = status->st_dev,
        .ino = status->st_ino,
        .size = status->st_size,
        .ctime_ns = status->st_ctim.tv_sec * INT64_C(1000000000) + status->st_ctim.tv_nsec,
    };
    return 0;
}

static void enter(struct walk *walk, int directory, int at)
{
    if (walk->directory >= 0)
        close(walk->directory);
    walk->directory = directory;
    walk->at = at;
}

/* Goes (back) to the root directory, which is always step 0. */
static int enter_root(struct walk *walk)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    struct stat status;
    int error = fstat(fd, &status) == 0 ? 0 : errno;
    if (!error && walk->facts->count == 0)
        error = add_step(walk, -1, "", &status);
    if (error)
        close(fd);
    else
        enter(walk, fd, 0);
    return error;
}

/* "..": back to the directory that this one was looked up in. Another one means that somebody moved it meanwhile. */
static int enter_parent(struct walk *walk)
{
    int parent = walk->facts->steps[walk->at].parent;
    if (parent < 0)
        return 0;
    int fd = openat(walk->directory, "..", LOOK_FLAGS | O_DIRECTORY);
    if (fd < 0)
        return errno;
    struct stat status;
    const struct qz_path_step *step = &walk->facts->steps[parent];
    int error = fstat(fd, &status) == 0 ? 0 : errno;
    if (!error && (status.st_dev != step->dev || status.st_ino != step->ino))
        error = ESTALE;
    if (error)
        close(fd);
    else
        enter(walk, fd, parent);
    return error;
}

/* Puts the target of the link `fd` before what is still to be walked. */
static int follow(struct walk *walk, int fd)
{
    if (++walk->links > LINKS_MAX)
        return ELOOP;
    char target[PATH_MAX];
    ssize_t size = readlinkat(fd, "", target, sizeof target);
    if (size < 0)
        return errno;
    if (size == 0)
        return ENOENT;
    if ((size_t)size == sizeof target)
        return ENAMETOOLONG;
    char *rest = NULL;
    if (asprintf(&rest, "%.*s%s", (int)size, target, walk->next) < 0)
        return ENOMEM;
    free(walk->rest);
    walk->rest = rest;
    walk->next = rest;
    return rest[0] == '/' ? enter_root(walk) : 0;
}

/* Opens `name` in the directory without following it. With O_DIRECTORY first where more is to come: an automounter
 * mounts only then. */
static int open_entry(const struct walk *walk, const char *name)
{
    int fd = -1;
    errno = ENOTDIR;
    if (walk->next[0] == '/')
        fd = openat(walk->directory, name, LOOK_FLAGS | O_DIRECTORY);
    if (fd < 0 && errno == ENOTDIR)
        fd = openat(walk->directory, name, LOOK_FLAGS);
    return fd;
}

static int look_up(struct walk *walk, const char *name)
{
    int fd = open_entry(walk, name);
    if (fd < 0)
        return errno;
    struct stat status;
    int error = fstat(fd, &status) == 0 ? add_step(walk, walk->at, name, &status) : errno;
    if (error) {
        close(fd);
        return error;
    }
    if (S_ISDIR(status.st_mode)) {
        enter(walk, fd, (int)walk->facts->count - 1);
        return 0;
    }
    if (S_ISLNK(status.st_mode)) {
        error = follow(walk, fd);
        close(fd);
        return error;
    }
    walk->found = fd;
    return walk->next[0] == '/' ? ENOTDIR : 0;
}

/* Takes the next name of the path. Returns 0 or the errno that ends the walk. */
static int walk_name(struct walk *walk)
{
    size_t size = strcspn(walk->next, "/");
    if (size > NAME_MAX)
        return ENAMETOOLONG;
    char name[NAME_MAX + 1];
    memcpy(name, walk->next, size);
    name[size] = '\0';
    walk->next += size;
    if (strcmp(name, ".") == 0)
        return 0;
    return strcmp(name, "..") == 0 ? enter_parent(walk) : look_up(walk, name);
}

static int walk_path(struct walk *walk)
{
    int error = enter_root(walk);
    while (!error && walk->found < 0) {
        walk->next += strspn(walk->next, "/");
        if (walk->next[0] == '\0')
            return 0;
        error = walk_name(walk);
    }
    return error;
}

/* Opens for reading the very file that `fd` (O_PATH) is. O_NONBLOCK: a lease that somebody holds must not stop us. */
static int open_found(int fd, int *handle)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    *handle = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return *handle < 0 ? errno : 0;
}

int qz_linux_inspect(struct qz_os *os, const char *path, struct qz_path_facts *facts)
{
    *facts = (struct qz_path_facts){.handle = -1};
    if (path[0] != '/') {
        facts->error = path[0] ? EINVAL : ENOENT;
        return 0;
    }
    if (strlen(path) >= PATH_MAX) {
        facts->error = ENAMETOOLONG;
        return 0;
    }
    struct walk walk = {.facts = facts, .directory = -1, .found = -1, .rest = strdup(path)};
    walk.next = walk.rest;
    facts->error = walk.rest ? walk_path(&walk) : ENOMEM;
    if (!facts->error && walk.found >= 0 && facts->steps[facts->count - 1].kind == QZ_STEP_REGULAR)
        facts->error = open_found(walk.found, &facts->handle);
    if (walk.found >= 0)
        close(walk.found);
    if (walk.directory >= 0)
        close(walk.directory);
    free(walk.rest);
    if (facts->error != ENOMEM)
        return 0;
    qz_path_facts_free(os, facts);
    return ENOMEM;
}

/* Room for a byte more than `limit` in the end: it tells that a file is longer. */
static bool make_room(char **bytes, size_t *room, size_t limit)
{
    size_t more = *room > 0 ? 2 * *room : READ_FIRST;
    more = more < limit + 1 ? more : limit + 1;
    char *longer = realloc(*bytes, more);
    if (!longer)
        return false;
    *bytes = longer;
    *room = more;
    return true;
}

static ssize_t give_up(char **text, int error)
{
    free(*text);
    *text = NULL;
    return -error;
}

ssize_t qz_linux_read_file(struct qz_os *os, int handle, size_t limit, char **text)
{
    (void)os;
    size_t size = 0, room = 0;
    *text = NULL;
    for (;;) {
        if (size == room && !make_room(text, &room, limit))
            return give_up(text, ENOMEM);
        ssize_t got = pread(handle, *text + size, room - size, (off_t)size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return give_up(text, errno);
        if (got == 0)
            return (ssize_t)size;
        size += (size_t)got;
        if (size > limit)
            return give_up(text, EFBIG);
    }
}

void qz_linux_close_file(struct qz_os *os, int handle)
{
    (void)os;
    close(handle);
}
