/* commands.h: the commands of quiesce-sim. Each takes its own words (argv[0] is its name) and returns an exit
 * status. */
#ifndef QUIESCE_SIM_COMMANDS_H
#define QUIESCE_SIM_COMMANDS_H

enum {
    EXIT_PASSED = 0,
    EXIT_FAILED = 1,  /* a scenario failed */
    EXIT_MISTAKE = 2, /* a scenario, or the command line, is wrong */
    EXIT_BROKEN = 3,  /* the environment does not work */
};

int command_sweep(int argc, char **argv); /* removes what killed harnesses left */

int command_run(int argc, char **argv);
int command_crash(int argc, char **argv); /* plays those with recorded disks, and measures crash images */
int command_explore(int argc, char **argv); /* every system call of quiesce's goes wrong in every way */
int command_fakefs(int argc, char **argv); /* serves a fake filesystem */
int command_explain(int argc, char **argv);
int command_random(int argc, char **argv); /* plays scenarios made by chance */
int command_new(int argc, char **argv);
int command_schema(int argc, char **argv);

#endif
