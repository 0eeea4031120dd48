/* stopwatch.h: what the stopwatch's parts share. They are one short-lived program: what goes wrong ends it. */
#ifndef STOPWATCH_H
#define STOPWATCH_H

#include <stdint.h>
#include <sys/types.h>

int64_t now_us(void);
void fail(const char *what) __attribute__((noreturn)); /* says what, and errno */
/* Into a new file, printf-style. */
void write_line(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
int open_directory(const char *path);

/* The independent thaw: a child that thaws all of these, side by side, after so many seconds or when we have died, unless
 * it is dismissed before. */
pid_t start_rescue(const int *directories, int count, int seconds);
void dismiss(pid_t rescue);

/* Runs a command to its end, its output into a file. Returns its wait status. */
int run(char *const *argv, const char *output);

int writers_main(int argc, char **argv); /* writers.c */
int qemu_ga_main(int argc, char **argv); /* qemu_ga.c */
int cut_main(void);                      /* writers.c */

#endif
