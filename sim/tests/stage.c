#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "marks.h"
#include "sweep.h"

#define ALARM_S 40
#define WAIT_MS 30000

/* ---- The stage -------------------------------------------------------------------------------------------------- */

/* The thaw that needs nothing from the test. */
static pid_t start_alarm(const char *folder)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setsid();
    close_range(3, ~0U, 0);
    sleep(ALARM_S);
    sweep_work(folder, NULL);
    _exit(0);
}

bool stage_open(struct stage *stage)
{
    *stage = (struct stage){0};
    if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) != 0 || work_make(WORK_BASE, stage->folder) != 0) {
        check_skip("sandboxes need root and loop devices");
        return false;
    }
    mkdir(QZ_TEST_CACHE, 0700);
    stage->notes = mmap(NULL, sizeof *stage->notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stage->alarm = start_alarm(stage->folder);
    CU_ASSERT_TRUE(stage->alarm > 0);
    return true;
}

struct count {
    const char *mark;
    int count;
};

static bool count_process(const struct marked_process *process, void *argument)
{
    struct count *count = argument;
    count->count += mark_covers(count->mark, process->mark);
    return true;
}

static bool count_loop(const struct marked_loop *loop, void *argument)
{
    struct count *count = argument;
    count->count += mark_covers(count->mark, loop->mark);
    return true;
}

static bool count_cgroup(const char *path, const char *mark, void *argument)
{
    (void)path;
    struct count *count = argument;
    count->count += mark_covers(count->mark, mark);
    return true;
}

int stage_count_marked(const struct stage *stage, const char *name)
{
    char mark[PATH_MAX];
    snprintf(mark, sizeof mark, "%s%s%s", strrchr(stage->folder, '/') + 1, name ? "/" : "", name ? name : "");
    struct count count = {.mark = mark};
    marks_visit_processes(count_process, &count);
    marks_visit_loops(count_loop, &count);
    marks_visit_cgroups(count_cgroup, &count);
    return count.count;
}

void stage_close(struct stage *stage)
{
    if (!stage->notes)
        return;
    CHECK_INT(stage_count_marked(stage, NULL), 0);
    CU_ASSERT_TRUE(sweep_work(stage->folder, NULL));
    kill(stage->alarm, SIGKILL);
    waitpid(stage->alarm, NULL, 0);
    munmap(stage->notes, sizeof *stage->notes);
}

/* ---- Players ---------------------------------------------------------------------------------------------------- */

const struct world_settings *stage_settings(const struct stage *stage, const char *name)
{
    static char work[PATH_MAX];
    static struct world_settings settings;
    path_format(work, "%s/%s", stage->folder, name);
    settings = (struct world_settings){.quiesce = QZ_TEST_QUIESCE, .self = QZ_TEST_SIM, .ledger = QZ_TEST_LEDGER,
                                       .cache = QZ_TEST_CACHE, .work = work};
    return &settings;
}

static void note_left(struct stage_notes *notes, const struct outcome *outcome)
{
    size_t length = 0;
    for (size_t i = 0; i < outcome->left_count && length < sizeof notes->left; i++)
        length += (size_t)snprintf(notes->left + length, sizeof notes->left - length, "%s\n", outcome->left[i]);
}

pid_t stage_start(const struct stage *stage, const char *name, const struct sandbox *given, stage_act act,
                  struct stage_notes *notes)
{
    pid_t test = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != test)
        _exit(2);
    struct sandbox sandbox = *given;
    struct outcome outcome = {0};
    sandbox.settings = stage_settings(stage, name);
    notes->opened = sandbox_open(&sandbox, notes->why, sizeof notes->why);
    if (notes->opened)
        act(&sandbox, notes);
    sandbox_close(&sandbox, &outcome);
    note_left(notes, &outcome);
    notes->closed = true;
    _exit(0);
}

bool stage_wait(pid_t player)
{
    int status = -1;
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += 5) {
        pid_t ended = waitpid(player, &status, WNOHANG);
        if (ended == player)
            return status == 0;
        usleep(5000);
    }
    kill(player, SIGKILL);
    return false;
}

bool stage_play(const struct sandbox *given, stage_act act, struct stage_notes *notes)
{
    struct stage stage;
    if (!stage_open(&stage))
        return false;
    pid_t player = stage_start(&stage, "1", given, act, stage.notes);
    CU_ASSERT_TRUE(stage_wait(player));
    *notes = *stage.notes;
    stage_close(&stage);
    return true;
}

/* ---- Inside ----------------------------------------------------------------------------------------------------- */

struct stage_notes stage_seen;

bool stage_volumes(const struct scenario_volume *volumes, size_t count, stage_act act)
{
    const struct scenario scenario = {.volumes = volumes, .volume_count = count};
    if (!stage_scenario(&scenario, act))
        return false;
    CU_ASSERT_TRUE(stage_seen.closed);
    return true;
}

bool stage_scenario(const struct scenario *scenario, stage_act act)
{
    const struct sandbox given = {.scenario = scenario};
    stage_seen = (struct stage_notes){0};
    if (!stage_play(&given, act, &stage_seen))
        return false;
    CHECK_STRING(stage_seen.why, "");
    CU_ASSERT_TRUE(stage_seen.opened);
    return true;
}

int stage_shell(struct sandbox *sandbox, struct stage_notes *notes, const char *command)
{
    static char path[] = "PATH=" SANDBOX_PROGRAMS ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int out[2], status = -1;
    if (pipe2(out, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = sandbox_fork(sandbox);
    if (pid == 0) {
        process_become(sandbox, out[1], out[1], -1);
        execle("/bin/sh", "sh", "-c", command, (char *)NULL, (char *const[]){path, NULL});
        _exit(127);
    }
    close(out[1]);
    size_t length = strlen(notes->text);
    /* Until the command has ended, whoever else may hold its output. */
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    for (pid_t ended = 0; pid > 0 && ended == 0;) {
        ended = waitpid(pid, &status, WNOHANG);
        ssize_t got;
        while ((got = read(out[0], notes->text + length, sizeof notes->text - 1 - length)) > 0)
            length += (size_t)got;
        if (ended == 0)
            usleep(500);
    }
    notes->text[length] = '\0';
    close(out[0]);
    return status;
}
