/* marks.h: finding what bears a mark (sweep.h). */
#ifndef QUIESCE_SIM_MARKS_H
#define QUIESCE_SIM_MARKS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MARK_SIZE 64 /* what a loop device keeps of a name */

/* Is `text` the mark, or something of the one who has it? Where it is part of a name, it has dots for slashes. */
bool mark_covers(const char *mark, const char *text);
/* The mark of the harness (without the scenario) that `text` bears; false: none. */
bool mark_of_harness(const char *text, char mark[MARK_SIZE]);
/* Does the process live that this mark names? Also true if that cannot be told from here. */
bool mark_is_alive(const char *mark);
/* The mark of this process, with XXXXXX at its end. */
void mark_make(char mark[MARK_SIZE]);

/* A process in a mount namespace that bears a mark. */
struct marked_process {
    pid_t pid;
    char mark[MARK_SIZE];
};
/* Calls `each` for every one but our own, whatever its mark; `each` returns false to end it. */
void marks_visit_processes(bool (*each)(const struct marked_process *process, void *argument), void *argument);

/* A disk that lies in a fake filesystem of its own: which one (the minor of its device), and the mark. Of such a loop
 * device nothing else is asked: where the server does not answer any more, whoever asks waits for ever. */
#define MARKED_DISK "/disk-%u-"

struct marked_loop {
    int number;
    unsigned fakefs; /* of a MARKED_DISK; 0: it is none */
    char mark[MARK_SIZE];
};
void marks_visit_loops(bool (*each)(const struct marked_loop *loop, void *argument), void *argument);
void marks_visit_cgroups(bool (*each)(const char *path, const char *mark, void *argument), void *argument);

/* Where a process has this loop device mounted, as a path that leads there from here; false: nowhere. */
bool mark_find_mount(pid_t pid, int loop, char path[PATH_MAX]);

#endif
