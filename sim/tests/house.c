#include "house.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run_command.h"

/* ---- The worlds ------------------------------------------------------------------------------------------------- */

struct house house;

static const char *lacks(void)
{
    return house.lacks;
}

static const char *cannot(const struct scenario *scenario)
{
    return strstr(scenario->name, "not-there") ? "there is no such thing there" : NULL;
}

void house_wait_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Stays until others are inside as well, or nobody comes. */
static void meet(int how_many)
{
    for (int i = 0; i < 300 && house.shared->most < how_many; i++)
        house_wait_ms(10);
}

static void hang(void)
{
    house.shared->pid = getpid();
    for (;;)
        house_wait_ms(1000);
}

void house_note(struct trace *trace, const char *text)
{
    trace_add(trace, &(struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = text, .disk_writes = -1});
}

static void play(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome)
{
    const char *name = strrchr(scenario->name, '/') ? strrchr(scenario->name, '/') + 1 : scenario->name;
    int inside = ++house.shared->inside;
    if (inside > house.shared->most)
        house.shared->most = inside;
    house.shared->played++;
    *outcome = (struct outcome){.steps = calloc(scenario->step_count, sizeof *outcome->steps),
                                .step_count = scenario->step_count};
    trace_add(&outcome->trace, &(struct trace_event){.what = TRACE_STARTS, .ordinal = 1});
    if (strcmp(name, "crash") == 0) {
        fputs("its last words\n", stderr);
        kill(getpid(), SIGKILL);
    }
    if (strcmp(name, "leave") == 0)
        _exit(7);
    if (strcmp(name, "hang") == 0)
        hang();
    if (strcmp(name, "meet") == 0)
        meet(3);
    if (strcmp(name, "broken") == 0)
        outcome->broken = strdup("no loop device is free");
    if (strcmp(name, "moody") == 0)
        house_note(&outcome->trace, house.shared->played % 2 ? "one mood" : "another mood");
    if (strcmp(name, "seven") == 0 && settings->seed != 7)
        house_note(&outcome->trace, "mount over /data");
    if (strcmp(name, "golden") == 0)
        house_note(&outcome->trace, getenv("GOLDEN") ? getenv("GOLDEN") : "as ever");
    outcome->steps[0].exit = strcmp(name, "fail") == 0 && !getenv("REPAIRED") ? 20 : 0;
    outcome->steps[0].out = strdup("what came of it\n");
    outcome->steps[0].err = strdup("quiesce: a line of its log\n");
    trace_add(&outcome->trace,
              &(struct trace_event){.what = TRACE_EXITS, .ordinal = 1, .value = outcome->steps[0].exit});
    house.shared->inside--;
}

static void play_loop(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome)
{
    play(scenario, settings, outcome);
    if (house.loop_exits)
        outcome->steps[0].exit = house.loop_exits;
    mkdir(settings->work, 0700);
    if (!settings->keep)
        rmdir(settings->work);
}

static const struct world VIRTUAL = {"virtual", SCENARIO_VIRTUAL, NULL, cannot, play};
static const struct world LOOP = {"loop", SCENARIO_LOOP, lacks, cannot, play_loop};
const struct world *const ONLY_VIRTUAL[] = {&VIRTUAL, NULL};
const struct world *const ONLY_LOOP[] = {&LOOP, NULL};
const struct world *const BOTH[] = {&VIRTUAL, &LOOP, NULL};

/* ---- A folder with scenarios ------------------------------------------------------------------------------------ */

static char folder[64];

void house_write(const char *path, const char *format, ...)
{
    FILE *file = fopen(path, "w");
    va_list arguments;
    if (!file)
        abort();
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    fclose(file);
}

void house_scenario(const char *name, const char *more)
{
    char path[256];
    snprintf(path, sizeof path, "scenarios/%s.json", name);
    for (char *slash = strchr(path + 10, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    house_write(path, "{\"description\": \"The rule of %s.\", \"expect\": {\"exit\": 0}%s}\n", name, more);
}

void house_enter(void)
{
    strcpy(folder, "/tmp/test_sim_run.XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0 || mkdir("scenarios", 0755) != 0 || mkdir("cache", 0700) != 0)
        abort();
    char *cache = NULL;
    if (asprintf(&cache, "%s/cache", folder) < 0)
        abort();
    setenv("XDG_CACHE_HOME", cache, 1);
    setenv("CI", "false", 1);
    free(cache);
    house.shared = mmap(NULL, sizeof *house.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    house.lacks = NULL;
    house.loop_exits = 0;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts, (void)kind, (void)place;
    return remove(path);
}

void house_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void house_leave(void)
{
    if (chdir("/") == 0)
        house_remove(folder);
    munmap(house.shared, sizeof *house.shared);
    unsetenv("REPAIRED");
    unsetenv("GOLDEN");
}

char *house_read(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fread(text, 1, (1 << 20) - 1, file) == 0)
            text[0] = '\0';
        fclose(file);
    }
    return text;
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

static void forget(void)
{
    free(house.out);
    free(house.err);
    house.out = house.err = NULL;
}

/* "run" and the words, split at blanks; 'quoted words' are one. */
static int split(char *words, char **argv)
{
    int argc = 0;
    argv[argc++] = (char *)"run";
    while (*words) {
        words += strspn(words, " ");
        char quote = *words == '\'' ? '\'' : ' ';
        words += quote == '\'';
        if (*words)
            argv[argc++] = words;
        words += strcspn(words, (char[]){quote, '\0'});
        if (*words)
            *words++ = '\0';
    }
    argv[argc] = NULL;
    return argc;
}

pid_t house_start(const struct world *const *worlds, const char *words)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char *argv[64];
    char *copy = strdup(words);
    int out = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int err = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, 1);
    dup2(err, 2);
    int status = run_in_worlds(worlds, split(copy, argv), argv);
    fflush(NULL);
    _exit(status);
}

int house_finish(pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    forget();
    house.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    house.out = house_read("out");
    house.err = house_read("err");
    return house.status;
}

int house_run(const struct world *const *worlds, const char *words)
{
    return house_finish(house_start(worlds, words));
}
