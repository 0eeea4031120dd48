/* sweep.h: what a harness makes bears its mark, and whatever bears the mark of a harness that is gone is removed.
 *
 * A harness has one folder, BASE/quiesce-sim.NAMESPACE-PID-START.XXXXXX: the pid namespace, number and start time of
 * its process, so that the name alone tells whether it still lives. A scenario's folder lies in it. The mark, FOLDER or
 * FOLDER/SCENARIO, is on everything: work folders, loop devices (their file name), mount namespaces (the source of
 * their root's tmpfs), control groups (their name). Nothing else is ever touched. */
#ifndef QUIESCE_SIM_SWEEP_H
#define QUIESCE_SIM_SWEEP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WORK_BASE "/var/tmp"
#define WORK_PREFIX "quiesce-sim."
#define WORK_KEPT_PREFIX "quiesce-sim-kept."

/* Makes the folder of this process (0700). 0 or an errno. */
int work_make(const char *base, char path[PATH_MAX]);
/* Gives the folder, in which nothing is mounted any more, a name without a mark, so that no sweep removes it. 0 or an
 * errno; `path` becomes the new name. */
int work_keep(char path[PATH_MAX]);

/* Starts a small process that outlives us and, should we end without having stopped it, removes everything with the
 * mark of the folder `work`. Call it before the first scenario. Its number, or a negative errno. */
pid_t rescuer_start(const char *work);
void rescuer_stop(pid_t rescuer);

/* Whom to tell, a line at a time. `line` NULL: nobody. */
struct sweep_log {
    void (*line)(const char *line, void *argument);
    void *argument;
};

/* Removes everything with the mark of `work`, a harness's folder or a scenario's in it: kills its processes, thaws,
 * unmounts, detaches, deletes. For a scenario whose player was killed; never from within. Returns whether all of it is
 * gone; bounded in time. */
bool sweep_work(const char *work, const struct sweep_log *log);
/* The same for every harness that is gone, whose folder was in `base`. `found`: how many there were. */
bool sweep_dead(const char *base, const struct sweep_log *log, size_t *found);

#endif
