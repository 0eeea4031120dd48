/* test_sim_run.c: `quiesce-sim run` in worlds of the test's own, in which a scenario does what its name says. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "run_command.h"
#include "running.h"

/* ---- The worlds ------------------------------------------------------------------------------------------------- */

/* Shared with the players. */
static struct shared {
    _Atomic int inside; /* players that play now */
    _Atomic int most;   /* the most of them at one time */
    _Atomic int played;
    _Atomic int pid;    /* of the last one that hung */
} *shared;

static const char *machine_lacks; /* what a world says that this machine lacks */
static int exit_of_loop = 0;      /* what every scenario exits with in the loop world */

static const char *lacks(void)
{
    return machine_lacks;
}

static const char *cannot(const struct scenario *scenario)
{
    return strstr(scenario->name, "not-there") ? "there is no such thing there" : NULL;
}

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Stays until others are inside as well, or nobody comes. */
static void meet(int how_many)
{
    for (int i = 0; i < 300 && shared->most < how_many; i++)
        wait_ms(10);
}

static void hang(void)
{
    shared->pid = getpid();
    for (;;)
        wait_ms(1000);
}

static void note(struct trace *trace, const char *text)
{
    trace_add(trace, &(struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = text, .disk_writes = -1});
}

static void play(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome)
{
    const char *name = strrchr(scenario->name, '/') ? strrchr(scenario->name, '/') + 1 : scenario->name;
    int inside = ++shared->inside;
    if (inside > shared->most)
        shared->most = inside;
    shared->played++;
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
        note(&outcome->trace, shared->played % 2 ? "one mood" : "another mood");
    if (strcmp(name, "seven") == 0 && settings->seed != 7)
        note(&outcome->trace, "mount over /data");
    if (strcmp(name, "golden") == 0)
        note(&outcome->trace, getenv("GOLDEN") ? getenv("GOLDEN") : "as ever");
    outcome->steps[0].exit = strcmp(name, "fail") == 0 && !getenv("REPAIRED") ? 20 : 0;
    outcome->steps[0].out = strdup("what came of it\n");
    outcome->steps[0].err = strdup("quiesce: a line of its log\n");
    trace_add(&outcome->trace,
              &(struct trace_event){.what = TRACE_EXITS, .ordinal = 1, .value = outcome->steps[0].exit});
    shared->inside--;
}

static void play_loop(const struct scenario *scenario, const struct world_settings *settings, struct outcome *outcome)
{
    play(scenario, settings, outcome);
    if (exit_of_loop)
        outcome->steps[0].exit = exit_of_loop;
    mkdir(settings->work, 0700);
    if (!settings->keep)
        rmdir(settings->work);
}

static const struct world VIRTUAL = {"virtual", SCENARIO_VIRTUAL, NULL, cannot, play};
static const struct world LOOP = {"loop", SCENARIO_LOOP, lacks, cannot, play_loop};
static const struct world *const ONLY_VIRTUAL[] = {&VIRTUAL, NULL};
static const struct world *const ONLY_LOOP[] = {&LOOP, NULL};
static const struct world *const BOTH[] = {&VIRTUAL, &LOOP, NULL};

/* ---- A folder with scenarios ------------------------------------------------------------------------------------ */

static char folder[64];

__attribute__((format(printf, 2, 3))) static void write_file(const char *path, const char *format, ...)
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

/* scenarios/NAME.json, which expects exit status 0; `more`: further members, each with a comma before it. */
static void scenario(const char *name, const char *more)
{
    char path[256];
    snprintf(path, sizeof path, "scenarios/%s.json", name);
    for (char *slash = strchr(path + 10, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    write_file(path, "{\"description\": \"The rule of %s.\", \"expect\": {\"exit\": 0}%s}\n", name, more);
}

/* An empty folder of the test's own, in which it is. */
static void enter(void)
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
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    machine_lacks = NULL;
    exit_of_loop = 0;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts, (void)kind, (void)place;
    return remove(path);
}

static void leave(void)
{
    if (chdir("/") == 0)
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    munmap(shared, sizeof *shared);
    unsetenv("REPAIRED");
    unsetenv("GOLDEN");
}

static char *slurp(const char *path)
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

static struct {
    int status;
    char *out;
    char *err;
} seen;

static void forget(void)
{
    free(seen.out);
    free(seen.err);
    seen.out = seen.err = NULL;
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

static pid_t start(const struct world *const *worlds, const char *words)
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

/* Runs in a process of its own; what came of it is in `seen`. Returns the exit status. */
static int finish(pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    forget();
    seen.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    seen.out = slurp("out");
    seen.err = slurp("err");
    return seen.status;
}

static int run(const struct world *const *worlds, const char *words)
{
    return finish(start(worlds, words));
}

/* In the loop world the program that is played with must be there. */
#define REAL "--binary /bin/true "

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *found = strstr(text, part); found; found = strstr(found + 1, part))
        count++;
    return count;
}

/* ---- What comes of scenarios ------------------------------------------------------------------------------------ */

QZ_TEST(all_passed_is_0) // Scenarios that do what they should give exit status 0, and the seed is told.
{
    enter();
    scenario("a/one", "");
    scenario("b/two", "");
    CHECK_INT(run(BOTH, REAL "--seed 42"), 0);
    CHECK_CONTAINS(seen.out, "playing 4 cases, seed 42\n");
    CHECK_CONTAINS(seen.out, "4 passed in ");
    CHECK_INT(shared->played, 4);
    CHECK_INT(run(BOTH, REAL "scenarios/a/one.json scenarios/a"), 0);
    CHECK_CONTAINS(seen.out, "2 passed in "); /* one file, reached twice */
    leave();
}

QZ_TEST(a_failure_is_1_and_can_be_repeated) // A failure shows expected and seen, and how to play it again.
{
    enter();
    scenario("a/good", "");
    scenario("a/fail", ", \"matrix\": {\"n\": [1, 12]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    CHECK_INT(run(BOTH, REAL "--seed 9"), 1);
    CHECK_CONTAINS(seen.out, "FAILED  virtual  a/fail:n=1  (");
    CHECK_CONTAINS(seen.out, "  the exit status\n    expected 0\n    seen     20\n");
    CHECK_CONTAINS(seen.out, "agent exits 20\n");
    CHECK_CONTAINS(seen.out, "quiesce: a line of its log\n");
    CHECK_CONTAINS(seen.out, "2 passed, 4 failed in ");
    char *repeat = strstr(seen.out, "repeat: ");
    char *words = repeat ? strstr(repeat, " run ") : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(words);
    words = strndup(words + 5, strcspn(words + 5, "\n"));
    CHECK_CONTAINS(words, "--binary /bin/true --world virtual --seed 9 --filter a/fail:n=1 scenarios/a/fail.json");
    CHECK_INT(run(BOTH, words), 1);
    CHECK_CONTAINS(seen.out, "playing 1 case, seed 9\n");
    free(words);
    leave();
}

static void check_crash(const struct world *const *worlds, const char *name)
{
    char head[64];
    scenario("a/first", "");
    scenario("b/crash", "");
    scenario("b/leave", "");
    scenario("c/last", "");
    CHECK_INT(run(worlds, REAL "--jobs 1"), 1);
    snprintf(head, sizeof head, "FAILED  %-7s  b/crash  (", name);
    CHECK_CONTAINS(seen.out, head);
    CHECK_CONTAINS(seen.out, "  the player died by SIGKILL\n");
    CHECK_CONTAINS(seen.out, "  standard error of the player\n    its last words\n");
    CHECK_CONTAINS(seen.out, "  the player ended with status 7\n");
    CHECK_CONTAINS(seen.out, "2 passed, 2 failed in ");
    CHECK_INT(shared->played, 4);
}

QZ_TEST(a_crash_fails_one_case_virtual) // A player that dies fails the case it was at; the rest is played.
{
    enter();
    check_crash(ONLY_VIRTUAL, "virtual");
    leave();
}

QZ_TEST(a_crash_fails_one_case_real) // The same where each case has a player of its own.
{
    enter();
    check_crash(ONLY_LOOP, "loop");
    leave();
}

static void check_hang(const struct world *const *worlds)
{
    scenario("a/hang", "");
    scenario("b/good", "");
    CHECK_INT(run(worlds, REAL "--jobs 1 --timeout 0.2"), 1);
    CHECK_CONTAINS(seen.out, "  it ran out of time\n    expected the end within 0.2 s\n    seen     still playing\n");
    CHECK_CONTAINS(seen.out, "1 passed, 1 failed in ");
    CHECK_INT(kill(shared->pid, 0), -1);
    CHECK_CONTAINS(seen.out, "--timeout 0.2 --world");
}

QZ_TEST(a_hang_fails_one_case_virtual) // A case that takes longer than it may is ended and fails; the rest is played.
{
    enter();
    check_hang(ONLY_VIRTUAL);
    leave();
}

QZ_TEST(a_hang_fails_one_case_real) // The same where each case has a player of its own.
{
    enter();
    check_hang(ONLY_LOOP);
    leave();
}

QZ_TEST(a_broken_world_is_3) // A world that does not work says why, and nothing is said of the scenario.
{
    enter();
    scenario("a/broken", "");
    scenario("a/good", "");
    CHECK_INT(run(ONLY_LOOP, REAL), 3);
    CHECK_CONTAINS(seen.out, "BROKEN  loop     a/broken  (");
    CHECK_CONTAINS(seen.out, "  no loop device is free\n");
    CHECK_CONTAINS(seen.out, "1 passed, 1 broken in ");
    scenario("a/fail", "");
    CHECK_INT(run(ONLY_LOOP, REAL), 1);
    leave();
}

QZ_TEST(what_the_machine_lacks_is_skipped) // Skipped is what this machine cannot play; under CI=true that is a failure.
{
    enter();
    scenario("a/good", "");
    scenario("b/picky", ", \"needs\": [\"program:no-such-program\"]");
    CHECK_INT(run(ONLY_LOOP, REAL), 0);
    CHECK_CONTAINS(seen.out, "skipped 1 in the world loop: no program no-such-program\n1 passed, 1 skipped in ");
    machine_lacks = "not root";
    CHECK_INT(run(BOTH, ""), 0); /* and needs no binary */
    CHECK_CONTAINS(seen.out, "skipped 2 in the world loop: not root\n1 passed, 2 skipped in ");
    setenv("CI", "true", 1);
    CHECK_INT(run(BOTH, ""), 3);
    CHECK_CONTAINS(seen.out, "cannot be skipped under CI=true: not root\n");
    leave();
}

QZ_TEST(what_cannot_be_is_not_played) // What a world cannot play by its nature is not played there, CI or not.
{
    enter();
    scenario("a/not-there", "");
    scenario("a/good", ", \"worlds\": [\"virtual\"]");
    setenv("CI", "true", 1);
    CHECK_INT(run(BOTH, ""), 0);
    CHECK_CONTAINS(seen.out, "1 passed in ");
    CHECK_INT(run(ONLY_LOOP, ""), 2);
    CHECK_CONTAINS(seen.err, "none of these 2 can be played in the world loop: ");
    leave();
}

QZ_TEST(worlds_must_agree) // Two worlds that play the same scenario must come to the same.
{
    enter();
    scenario("a/good", "");
    exit_of_loop = 11;
    CHECK_INT(run(BOTH, REAL), 1);
    CHECK_CONTAINS(seen.out, "the exit status of command 1: virtual (expected) and loop (seen) do not agree\n"
                             "    expected 0\n    seen     11\n");
    CHECK_CONTAINS(seen.out, "1 passed, 1 failed in ");
    leave();
}

QZ_TEST(the_same_seed_goes_the_same_way) // A virtual world that takes another way with the same seed fails.
{
    enter();
    scenario("a/good", "");
    CHECK_INT(run(ONLY_VIRTUAL, "--repeat 50 --jobs 2"), 0);
    CHECK_CONTAINS(seen.out, "50 passed in ");
    scenario("a/moody", "");
    CHECK_INT(run(ONLY_VIRTUAL, "--repeat 4 --jobs 1 scenarios/a/moody.json"), 1);
    CHECK_CONTAINS(seen.out, "FAILED  virtual  a/moody #2  (");
    CHECK_CONTAINS(seen.out, "  repeated with the same seed it went another way\n");
    CHECK_CONTAINS(seen.out, "2 passed, 2 failed in ");
    leave();
}

QZ_TEST(the_seed_reaches_the_worlds) // Worlds are given the seed that was asked for.
{
    enter();
    scenario("a/seven", "");
    write_file("scenarios/a/seven.json",
               "{\"description\": \"Seven.\", \"expect\": {\"exit\": 0, \"never\": [\"mount over *\"]}}");
    CHECK_INT(run(ONLY_VIRTUAL, "--seed 7"), 0);
    CHECK_INT(run(ONLY_VIRTUAL, "--seed 8"), 1);
    leave();
}

QZ_TEST(jobs_play_side_by_side) // No more players at a time than --jobs says, and no fewer.
{
    enter();
    scenario("a/meet",
             ", \"matrix\": {\"n\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    CHECK_INT(run(ONLY_LOOP, REAL "--jobs 3"), 0);
    CHECK_INT(shared->most, 3);
    leave();
}

/* ---- Choosing --------------------------------------------------------------------------------------------------- */

QZ_TEST(all_mistakes_are_told) // Every mistake of every file is one line, and nothing is played.
{
    enter();
    scenario("a/good", "");
    scenario("b/wrong", ", \"fautls\": []");
    write_file("scenarios/c.json", "{\"description\": 3}");
    CHECK_INT(run(ONLY_VIRTUAL, ""), 2);
    CHECK_CONTAINS(seen.err, "scenarios/b/wrong.json:1:");
    CHECK_CONTAINS(seen.err, "faults");
    CHECK_CONTAINS(seen.err, "\nscenarios/c.json:1:");
    CHECK_CONTAINS(seen.err, "2 files are wrong; nothing was played\n");
    CHECK_INT(shared->played, 0);
    leave();
}

QZ_TEST(choices_narrow_down) // --filter, --tags and --world play only what they name.
{
    enter();
    scenario("a/one", ", \"tags\": [\"slow\", \"peers\"]");
    scenario("a/two", ", \"tags\": [\"peers\"]");
    scenario("b/three", ", \"matrix\": {\"n\": [1, 2]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    const struct {
        const char *words;
        const char *list;
    } ROWS[] = {
        {"--list --filter a/*", "virtual  a/one  [slow,peers]\nvirtual  a/two  [peers]\n"},
        {"--list --filter *:n=2", "virtual  b/three:n=2\n"},
        {"--list --filter b/three", "virtual  b/three:n=1\nvirtual  b/three:n=2\n"},
        {"--list --filter a/one --filter *2", "virtual  a/one  [slow,peers]\nvirtual  b/three:n=2\n"},
        {"--list --tags slow", "virtual  a/one  [slow,peers]\n"},
        {"--list --tags peers --tags !slow", "virtual  a/two  [peers]\n"},
        {"--list --tags slow,nothing", "virtual  a/one  [slow,peers]\n"},
        {"--list --world virtual scenarios/a/two.json", "virtual  a/two  [peers]\n"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CHECK_INT(run(ONLY_VIRTUAL, ROWS[i].words), 0);
        CHECK_STRING(seen.out, ROWS[i].list);
    }
    CHECK_INT(run(BOTH, "--list --filter a/two"), 0);
    CHECK_STRING(seen.out, "virtual  a/two  [peers]\nloop     a/two  [peers]\n");
    CHECK_INT(shared->played, 0);
    leave();
}

QZ_TEST(no_match_is_2) // Where nothing matches that is a mistake, and what comes nearest is named.
{
    enter();
    scenario("runner/retries", ", \"tags\": [\"peers\"]");
    const struct {
        const char *words;
        const char *message;
    } ROWS[] = {
        {"--filter runner/retrys",
         "--filter: no name matches \"runner/retrys\" (did you mean \"runner/retries\"?); --list prints all"},
        {"--tags peer", "--tags: no scenario has what \"peer\" asks for; there is \"peers\""},
        {"--failed", "--failed: none of these failed last time"},
        {"nowhere", "nowhere: No such file or directory"},
        {"cache", "cache: found no scenario in it, allowed: files whose names end in .json"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CHECK_INT(run(ONLY_VIRTUAL, ROWS[i].words), 2);
        CHECK_CONTAINS(seen.err, ROWS[i].message);
        CHECK_INT(count_of(seen.err, "\n"), 1);
    }
    leave();
}

QZ_TEST(shards_share_everything) // Each case is in one shard and only one, and stays there when others are added.
{
    enter();
    char name[32];
    char words[64];
    char *before[3];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "a/s%d", i);
        scenario(name, "");
    }
    size_t all = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(words, sizeof words, "--list --shard %d/3", i + 1);
        CHECK_INT(run(BOTH, words), 0);
        CU_ASSERT(count_of(seen.out, "virtual ") >= 2);
        CHECK_INT(count_of(seen.out, "virtual "), count_of(seen.out, "loop "));
        all += count_of(seen.out, "virtual ");
        before[i] = strdup(seen.out);
    }
    CHECK_INT(all, 20);
    scenario("a/added", "");
    for (int i = 0; i < 3; i++) {
        snprintf(words, sizeof words, "--list --shard %d/3", i + 1);
        run(BOTH, words);
        char *rest = before[i];
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
            CHECK_CONTAINS(seen.out, line);
        free(before[i]);
    }
    CHECK_INT(run(ONLY_VIRTUAL, "--shard 4999/10000"), 0);
    CHECK_CONTAINS(seen.out, "part 4999 of 10000 holds none of 21");
    leave();
}

QZ_TEST(failed_plays_what_failed) // --failed plays what failed last time, until it passes.
{
    enter();
    scenario("a/good", "");
    scenario("a/fail", "");
    scenario("b/crash", "");
    CHECK_INT(run(ONLY_VIRTUAL, ""), 1);
    CHECK_INT(run(ONLY_VIRTUAL, "--failed --list"), 0);
    CHECK_STRING(seen.out, "virtual  a/fail\nvirtual  b/crash\n");
    setenv("REPAIRED", "1", 1);
    CHECK_INT(run(ONLY_VIRTUAL, "--failed scenarios/a"), 0);
    CHECK_CONTAINS(seen.out, "1 passed in ");
    CHECK_INT(run(ONLY_VIRTUAL, "--failed --list"), 0);
    CHECK_STRING(seen.out, "virtual  b/crash\n"); /* which was not played in between */
    leave();
}

QZ_TEST(mistakes_in_the_command_line) // Each mistake is one line: what was found, what is allowed, what comes nearest.
{
    enter();
    scenario("a/good", "");
    const struct {
        const char *words;
        const char *message;
    } ROWS[] = {
        {"--wrold loop", "no option --wrold; did you mean --world?"},
        {"--world lop", "--world: found \"lop\", allowed: virtual, loop; did you mean loop?"},
        {"--world", "--world: needs a value: WORLD"},
        {"--list=yes", "--list: takes no value"},
        {"--jobs 0", "--jobs: found \"0\", allowed: a whole number from 1 to 256"},
        {"--jobs 2x", "--jobs: found \"2x\", allowed: a whole number from 1 to 256"},
        {"--repeat -1", "--repeat: found \"-1\", allowed: a whole number from 1 to 1000000"},
        {"--seed one", "--seed: found \"one\", allowed: a whole number from 0 to 9007199254740991"},
        {"--timeout 0", "--timeout: found \"0\", allowed: seconds from 0.001 to 86400, such as 5 or 0.5"},
        {"--timeout 1e3", "--timeout: found \"1e3\", allowed: seconds"},
        {"--shard 3/2", "--shard: found \"3/2\", allowed: I/N, the I-th of N parts, such as 1/4"},
        {"--shard 0/2", "--shard: found \"0/2\", allowed: I/N"},
        {"--shard 2", "--shard: found \"2\", allowed: I/N"},
        {"-list", "found -list, allowed: --list"},
        {"-x", "no option --x"},
        {"--html /nowhere/x.html", "--html: /nowhere/x.html: No such file or directory"},
        {"--binary /nowhere/quiesce", "--binary: found /nowhere/quiesce, allowed: a program"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CHECK_INT(run(BOTH, ROWS[i].words), 2);
        CHECK_CONTAINS(seen.err, ROWS[i].message);
        CHECK_INT(count_of(seen.err, "\n"), 1);
    }
    CHECK_INT(shared->played, 0);
    setenv("CI", "true", 1);
    CHECK_INT(run(BOTH, "--update"), 2);
    CHECK_CONTAINS(seen.err, "--update: found CI=true in the environment");
    leave();
}

QZ_TEST(help_fits_a_screen) // The help has every option and an example, in 40 lines of 80 columns.
{
    enter();
    CHECK_INT(run(BOTH, "--help"), 0);
    CHECK_CONTAINS(seen.out, "Examples:\n  quiesce-sim run ");
    CU_ASSERT(count_of(seen.out, "\n") <= 40);
    for (const char *line = seen.out; *line; line += strcspn(line, "\n") + 1)
        CU_ASSERT(strcspn(line, "\n") <= 80);
    leave();
}

QZ_TEST(a_missing_binary_is_3) // A real world without a quiesce to play with is an environment that is broken.
{
    enter();
    scenario("a/good", "");
    CHECK_INT(run(ONLY_LOOP, ""), 3);
    CHECK_CONTAINS(seen.err, "there is no quiesce beside it; build it, or name one with --binary");
    leave();
}

/* ---- Forms and files -------------------------------------------------------------------------------------------- */

QZ_TEST(reports_are_written) // --tap, --junit, --html and --json give the forms they name, traces of all included.
{
    enter();
    scenario("a/good", "");
    scenario("a/fail", "");
    CHECK_INT(run(ONLY_VIRTUAL, "--tap --junit junit.xml --html page.html --json all.json --seed 3"), 1);
    CU_ASSERT(strncmp(seen.out, "TAP version 14\n1..2\n# seed 3\n", 29) == 0);
    CHECK_CONTAINS(seen.out, "\nok 2 - virtual a/good\n");
    char *junit = slurp("junit.xml");
    char *html = slurp("page.html");
    char *json = slurp("all.json");
    CHECK_CONTAINS(junit, "<testsuites name=\"quiesce-sim\" tests=\"2\" failures=\"1\" errors=\"0\"");
    CHECK_CONTAINS(html, "<!DOCTYPE html>");
    cJSON *root = cJSON_Parse(json);
    cJSON *good = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "cases"), 1);
    CHECK_STRING(cJSON_GetStringValue(cJSON_GetObjectItem(good, "verdict")), "passed");
    CHECK_INT(cJSON_GetArraySize(cJSON_GetObjectItem(good, "trace")), 2);
    CHECK_STRING(
        cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(good, "steps"), 0), "err")),
        "quiesce: a line of its log\n");
    cJSON_Delete(root);
    free(junit);
    free(html);
    free(json);
    CHECK_INT(run(ONLY_VIRTUAL, "--html page.html scenarios/a/good.json"), 0);
    html = slurp("page.html");
    CHECK_CONTAINS(html, "\"line\":\"agent starts\"");
    free(html);
    leave();
}

QZ_TEST(keep_leaves_a_folder) // --keep leaves each case's folder, with a program that plays it again and what was seen.
{
    enter();
    scenario("a/fail", "");
    CHECK_INT(run(ONLY_LOOP, REAL "--keep --seed 5"), 1);
    CHECK_CONTAINS(seen.err, "kept in /var/tmp/quiesce-sim-kept.");
    char *kept = strstr(seen.out, "kept: ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
    kept = strndup(kept + 6, strcspn(kept + 6, "\n"));
    char path[300];
    struct stat facts;
    snprintf(path, sizeof path, "%s/repro.sh", kept);
    CHECK_INT(stat(path, &facts), 0);
    CHECK_INT(facts.st_mode & 07777, 0700);
    char *text = slurp(path);
    CHECK_CONTAINS(text, "#!/bin/sh\n");
    CHECK_CONTAINS(text, " run --binary /bin/true --world loop --seed 5 scenarios/a/fail.json \"$@\"\n");
    free(text);
    snprintf(path, sizeof path, "%s/trace.txt", kept);
    text = slurp(path);
    CHECK_CONTAINS(text, "agent exits 20\n");
    free(text);
    *strrchr(kept, '/') = '\0';
    nftw(kept, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(kept);
    leave();
}

static void golden(const char *more)
{
    mkdir("scenarios/a", 0755);
    write_file("scenarios/a/golden.json",
               "{\"description\": \"Golden.\", \"expect\": {\"exit\": 0, \"golden\": true}%s}", more);
}

QZ_TEST(golden_traces_are_kept) // A trace that a scenario calls golden must stay as --update has written it.
{
    enter();
    golden(", \"matrix\": {\"n\": [1, 2]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    CHECK_INT(run(BOTH, REAL), 1);
    CHECK_CONTAINS(seen.out, "scenarios/a/golden.golden has no golden trace for it; --update writes one\n");
    CHECK_INT(run(BOTH, REAL "--update"), 0);
    char *text = slurp("scenarios/a/golden.golden");
    CHECK_STRING(text, "== n=1: command 1\nagent starts\nas ever\nagent exits 0\n"
                       "== n=2: command 1\nagent starts\nas ever\nagent exits 0\n");
    free(text);
    CHECK_INT(run(BOTH, REAL), 0);
    setenv("GOLDEN", "not as ever", 1);
    CHECK_INT(run(BOTH, REAL), 1);
    CHECK_CONTAINS(seen.out, "  line 2 differs from the golden trace in scenarios/a/golden.golden\n"
                             "    expected as ever\n    seen     not as ever\n");
    CHECK_INT(run(ONLY_VIRTUAL, "--update --filter *:n=1"), 0);
    text = slurp("scenarios/a/golden.golden");
    CHECK_STRING(text, "== n=1: command 1\nagent starts\nnot as ever\nagent exits 0\n"
                       "== n=2: command 1\nagent starts\nas ever\nagent exits 0\n");
    free(text);
    leave();
}

QZ_TEST(golden_traces_have_no_chance) // Overlapping operations and times make no difference to a golden trace.
{
    enter();
    struct scenario_step step = {.expect = {.golden = true}};
    struct scenario given = {.file = "x.json", .name = "x", .variant = "", .steps = &step, .step_count = 1};
    struct outcome_step ended = {.exit = 0};
    struct outcome outcome = {.steps = &ended, .step_count = 1};
    struct findings findings = {NULL, 0, 0};
    write_file("x.golden",
               "== command 1\nfreeze /a begins\nfreeze /a ok\nfreeze /b begins\nfreeze /b ok\nthaw /b begins\n");
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_BEGINS, .op = TRACE_FREEZE, .volume = "/b"});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_BEGINS, .op = TRACE_FREEZE, .volume = "/a"});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_DONE, .op = TRACE_FREEZE, .volume = "/b"});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_DONE, .op = TRACE_FREEZE, .volume = "/a"});
    note(&outcome.trace, "writer of /a waited 12.3 ms");
    trace_add(&outcome.trace, &(struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_STARTS});
    trace_add(&outcome.trace, &(struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_EXITS});
    trace_add(&outcome.trace, &(struct trace_event){.what = TRACE_BEGINS, .op = TRACE_THAW, .volume = "/b"});
    golden_judge(&given, &outcome, &findings);
    CHECK_INT(findings.count, 0);
    trace_add(&outcome.trace, &(struct trace_event){.role = TRACE_GUARDIAN, .what = TRACE_DIES, .value = SIGKILL});
    golden_judge(&given, &outcome, &findings);
    CHECK_INT(findings.count, 1);
    CHECK_STRING(findings.items[0].expected, "(the end)");
    CHECK_STRING(findings.items[0].seen, "guardian dies KILL");
    findings_free(&findings);
    trace_free(&outcome.trace);
    leave();
}

/* ---- Being interrupted ------------------------------------------------------------------------------------------ */

static void check_interrupted(const struct world *const *worlds, int signal_number)
{
    shared->pid = 0;
    pid_t pid = start(worlds, REAL "--jobs 1 --tap");
    for (int i = 0; i < 1000 && shared->pid == 0; i++)
        wait_ms(10);
    kill(pid, signal_number);
    CHECK_INT(finish(pid), 128 + signal_number);
    CHECK_CONTAINS(seen.out, "\nok 1 - ");
    CHECK_CONTAINS(seen.out, "b/hang # SKIP interrupted before its turn\n");
    CHECK_CONTAINS(seen.out, "c/late # SKIP interrupted before its turn\n");
    CHECK_CONTAINS(seen.out, "\nBail out! SIG");
    CHECK_INT(kill(shared->pid, 0), -1);
    CHECK_INT(errno, ESRCH);
}

QZ_TEST(interrupted_in_good_order) // A signal ends every player; what ran is told; the exit status names it.
{
    enter();
    scenario("a/good", "");
    scenario("b/hang", "");
    scenario("c/late", "");
    check_interrupted(ONLY_VIRTUAL, SIGINT);
    check_interrupted(ONLY_LOOP, SIGTERM);
    leave();
}

/* ---- The wire --------------------------------------------------------------------------------------------------- */

QZ_TEST(the_wire_loses_nothing) // What a player tells of a case arrives whole.
{
    struct report_case told = {.why = (char *)"because", .outcome = {.longest_stall_us = 1234}};
    struct trace_event event = {INT64_C(1800000000123), 2, TRACE_LEFTOVER, TRACE_DIES, TRACE_FREEZE, 3, -5, TRACE_POST,
                                "plugin \"1\"", "/da\nta", "text\x01", INT64_C(123456789012345)};
    struct outcome_step steps[2] = {{.exit = -1, .signal = 9, .out = (char *)"out \xff", .err = (char *)"err"},
                                    {.exit = 10}};
    steps[0].result =
        cJSON_Parse("{\"code\":\"Success\",\"phases\":[{\"name\":\"pre\",\"start_us\":3}],\"deep\":{\"a\":[1]}}");
    told.outcome.steps = steps;
    told.outcome.step_count = 2;
    const struct scenario_volume volumes[] = {{.mount = "/a"}, {.mount = "/b"}};
    const struct scenario machine = {.volumes = volumes, .volume_count = 2};
    struct outcome_snapshot snapshot = {"/b", true, false, true, -1, 5};
    struct outcome_crash crashes[] = {{"/a", true, 77, true, true, 3, 0}, {"/b", false, -5, false, false, -1, -1}};
    told.scenario = &machine;
    told.outcome.snapshots = &snapshot;
    told.outcome.snapshot_count = 1;
    told.outcome.crashes = crashes;
    told.outcome.crash_count = 2;
    trace_add(&told.outcome.trace, &event);
    findings_add(&told.findings, 3, 0, "expected", NULL, "what %d", 1);
    findings_add(&told.findings, 0, SIZE_MAX, NULL, "seen", "else");
    char *line = wire_encode(&told, 1, WIRE_ALL);
    CU_ASSERT_PTR_NULL(strchr(line, '\n'));
    struct report report = {.cases = calloc(2, sizeof *report.cases), .count = 2};
    report.cases[1].scenario = &machine;
    CU_ASSERT(wire_decode(&report, line));
    struct report_case *it = &report.cases[1];
    CHECK_STRING(it->why, "because");
    CHECK_INT(it->outcome.snapshot_count, 1);
    CHECK_STRING(it->outcome.snapshots[0].mount, "/b");
    CU_ASSERT(it->outcome.snapshots[0].taken && !it->outcome.snapshots[0].mounts && it->outcome.snapshots[0].clean);
    CHECK_INT(it->outcome.snapshots[0].missing, -1);
    CHECK_INT(it->outcome.snapshots[0].damaged, 5);
    CHECK_INT(it->outcome.crash_count, 2);
    CHECK_STRING(it->outcome.crashes[0].mount, "/a");
    CHECK_INT(it->outcome.crashes[0].at_us, 77);
    CU_ASSERT(it->outcome.crashes[0].at_flush && it->outcome.crashes[0].mounts && it->outcome.crashes[0].clean);
    CHECK_INT(it->outcome.crashes[0].missing, 3);
    CHECK_INT(it->outcome.crashes[1].at_us, -5);
    CU_ASSERT(!it->outcome.crashes[1].at_flush && !it->outcome.crashes[1].mounts);
    CHECK_INT(it->outcome.crashes[1].damaged, -1);
    CHECK_INT(it->outcome.longest_stall_us, 1234);
    CHECK_INT(it->findings.count, 2);
    CHECK_INT(it->findings.items[0].invariant, 3);
    CHECK_INT(it->findings.items[0].event, 0);
    CHECK_STRING(it->findings.items[0].what, "what 1");
    CHECK_STRING(it->findings.items[0].expected, "expected");
    CU_ASSERT_PTR_NULL(it->findings.items[0].seen);
    CU_ASSERT(it->findings.items[1].event == SIZE_MAX);
    CHECK_INT(it->outcome.step_count, 2);
    CHECK_INT(it->outcome.steps[0].exit, -1);
    CHECK_INT(it->outcome.steps[0].signal, 9);
    CHECK_STRING(it->outcome.steps[0].out, "out \xff");
    CHECK_INT(it->outcome.steps[1].exit, 10);
    CU_ASSERT(cJSON_Compare(it->outcome.steps[0].result, steps[0].result, true));
    CU_ASSERT_PTR_NULL(it->outcome.steps[1].result);
    const struct trace_event *seen_event = it->outcome.trace.events;
    CHECK_INT(it->outcome.trace.count, 1);
    CHECK_INT(seen_event->at_us, event.at_us);
    CHECK_INT(seen_event->step, 2);
    CHECK_INT(seen_event->role, TRACE_LEFTOVER);
    CHECK_INT(seen_event->what, TRACE_DIES);
    CHECK_INT(seen_event->op, TRACE_FREEZE);
    CHECK_INT(seen_event->ordinal, 3);
    CHECK_INT(seen_event->value, -5);
    CHECK_INT(seen_event->target, TRACE_POST);
    CHECK_STRING(seen_event->plugin, event.plugin);
    CHECK_STRING(seen_event->volume, event.volume);
    CHECK_STRING(seen_event->text, event.text);
    CHECK_INT(seen_event->disk_writes, event.disk_writes);
    CU_ASSERT(!wire_decode(&report, "{\"case\":2}"));
    CU_ASSERT(!wire_decode(&report, "nonsense"));
    free(line);
    report_free(&report);
    findings_free(&told.findings);
    trace_free(&told.outcome.trace);
    cJSON_Delete(steps[0].result);
}

QZ_TEST(agreement_needs_little) // What is told of a case that passed is enough to compare it, and no more.
{
    struct report_case told = {.outcome = {.step_count = 1}};
    struct outcome_step step = {.exit = 10, .out = (char *)"long"};
    step.result = cJSON_Parse("{\"code\":\"Success\",\"consistency\":\"application\",\"scripts\":[1,2,3],"
                              "\"phases\":[{\"name\":\"pre\",\"start_us\":3},{\"name\":\"post\"}]}");
    told.outcome.steps = &step;
    note(&told.outcome.trace, "x");
    char *line = wire_encode(&told, 0, WIRE_STEPS);
    CHECK_STRING(
        line,
        "{\"case\":0,\"stall\":0,\"steps\":[[10,0,null,null,{\"consistency\":\"application\",\"code\":\"Success\","
        "\"phases\":[{\"name\":\"pre\"},{\"name\":\"post\"}]}]]}");
    free(line);
    cJSON_Delete(step.result);
    trace_free(&told.outcome.trace);
}
