/* linux_command.c: which file a command is, whether it can be executed, and bringing it into memory before it is.
 *
 * This says what execve(2) would say without doing it: of a name the first file in PATH that may be executed, and whose
 * interpreter, that of a script ("#!") or of a program (the dynamic linker), is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux.h"

#define DEFAULT_PATH "/bin:/usr/bin" /* what execvp(3) searches where there is no PATH */
#define INTERPRETERS_MAX 5           /* the kernel's own limit */
#define HEAD_SIZE 256                /* as much of a script as the kernel looks at */

/* What a file's beginning tells: who interprets it ("": nobody). */
struct head {
    int error;
    char interpreter[PATH_MAX];
};

/* "#! /bin/sh -e": "/bin/sh". */
static void read_script(const char *line, size_t size, struct head *head)
{
    size_t begin = 2;
    while (begin < size && (line[begin] == ' ' || line[begin] == '\t'))
        begin++;
    size_t end = begin;
    while (end < size && !strchr(" \t\n", line[end])) /* or its terminator */
        end++;
    memcpy(head->interpreter, line + begin, end - begin);
    head->interpreter[end - begin] = '\0';
}

/* Reads who interprets the file, and brings it in. One that cannot be read may yet be executed. */
static void read_file(const char *path, struct head *head)
{
    char bytes[HEAD_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    size_t size = qz_linux_read_at(fd, bytes, sizeof bytes, 0);
    if (size > 2 && memcmp(bytes, "#!", 2) == 0)
        read_script(bytes, size, head);
    else
        qz_linux_program_linker(fd, head->interpreter); /* of another machine's: none; somebody may be there who runs it */
    qz_linux_file_bring_in(fd);
    qz_linux_libraries_bring_in(fd);
    close(fd);
}

/* Looks at a file as execve does. */
static void look(const char *path, struct head *head)
{
    struct stat status;
    *head = (struct head){0};
    if (stat(path, &status) != 0)
        head->error = errno;
    else if (!S_ISREG(status.st_mode))
        head->error = EACCES;
    else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        head->error = errno;
    else
        read_file(path, head);
}

/* The errno for which the file cannot be executed, or 0. */
static int try_file(const char *path)
{
    struct head head, next;
    look(path, &head);
    for (int i = 0; i < INTERPRETERS_MAX && !head.error && head.interpreter[0]; i++) {
        look(head.interpreter, &next);
        head = next;
    }
    return head.error;
}

static const char *variable(char *const *envp, const char *name)
{
    size_t size = strlen(name);
    for (; envp && *envp; envp++)
        if (strncmp(*envp, name, size) == 0 && (*envp)[size] == '=')
            return *envp + size + 1;
    return NULL;
}

/* Puts "DIRECTORY/NAME", or of an empty directory, which is the current one, the name. False: too long. */
static bool join(char *found, const char *directory, size_t size, const char *name)
{
    size_t length = strlen(name);
    if (size + 1 + length >= PATH_MAX)
        return false;
    memcpy(found, directory, size);
    if (size > 0)
        found[size++] = '/';
    memcpy(found + size, name, length + 1);
    return true;
}

/* Does a search go on after this error? Those of execvp(3). */
static bool goes_on(int error)
{
    return error == ENOENT || error == EACCES || error == ENOTDIR || error == ESTALE || error == ENODEV ||
           error == ETIMEDOUT;
}

int qz_linux_command_find(const char *name, char *const *envp, char *found)
{
    if (name[0] == '\0')
        return ENOENT;
    if (strchr(name, '/'))
        return join(found, "", 0, name) ? try_file(found) : ENAMETOOLONG;
    const char *path = variable(envp, "PATH");
    if (!path)
        path = DEFAULT_PATH;
    int refused = ENOENT;
    for (;;) {
        size_t size = strcspn(path, ":");
        int error = join(found, path, size, name) ? try_file(found) : ENOENT;
        if (error == 0 || !goes_on(error))
            return error;
        if (error == EACCES)
            refused = EACCES;
        if (path[size] == '\0')
            return refused;
        path += size + 1;
    }
}
