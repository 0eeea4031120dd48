/* linux_paths.h: the file operations of the seam that look: inspect, read, close. Contracts in quiesce/os.h. */
#ifndef QUIESCE_LINUX_PATHS_H
#define QUIESCE_LINUX_PATHS_H

#include "quiesce/os.h"

/* Follows every link by hand, on opened descriptors, so that each step is described as it was used. Besides the walk's
 * own errnos, facts->error is EINVAL for a relative path, ELOOP after 40 links, ESTALE if a directory was moved
 * during the walk, and the errno of open() where a regular file may not be read. Never opens anything but directories
 * and regular files, and never blocks on them. */
int qz_linux_inspect(struct qz_os *os, const char *path, struct qz_path_facts *facts);

/* Reads from the start, wherever the handle's offset is. */
ssize_t qz_linux_read_file(struct qz_os *os, int handle, size_t limit, char **text);
void qz_linux_close_file(struct qz_os *os, int handle);

#endif
