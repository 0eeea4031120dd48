/* test_sweep.c: whatever a killed harness leaves is found by its mark and removed; nothing else is touched. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "marks.h"
#include "stage.h"
#include "sweep.h"

#define MOMENTS 20

/* ---- A harness that can be killed ------------------------------------------------------------------------------------ */

/* Shared with the harness, which outlives nothing. */
struct watch {
    char folder[PATH_MAX];
    volatile int64_t ready; /* players that are where they should be */
    char loop[32];          /* of a player's first volume, where it is asked for */
    struct stage_notes notes[4];
};

static struct watch *watch_new(void)
{
    struct watch *watch = mmap(NULL, sizeof *watch, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (watch == MAP_FAILED)
        abort();
    return watch;
}

static struct watch *of_player; /* in a player: where it tells that it is ready */

/* Freezes all but leaves writers behind that wait in it, and stays. */
static void freeze_and_stay(struct sandbox *sandbox, struct stage_notes *out)
{
    sandbox_workload_start(sandbox, out->why, sizeof out->why);
    usleep(20000);
    /* The upper ones first, as one who knows how. */
    for (size_t i = sandbox->volume_count; i > 0; i--)
        sandbox_freeze(&sandbox->volumes[i - 1]);
    usleep(20000);
    __atomic_add_fetch(&of_player->ready, 1, __ATOMIC_SEQ_CST);
    pause();
}

static void freeze_thaw_and_end(struct sandbox *sandbox, struct stage_notes *out)
{
    (void)out;
    for (size_t i = sandbox->volume_count; i > 0; i--)
        sandbox_freeze(&sandbox->volumes[i - 1]);
    usleep(1000);
}

/* A harness with a player for each row; ends with them. */
static _Noreturn void harness_main(struct watch *watch, const struct sandbox *given, size_t count, stage_act act,
                                   bool with_rescuer)
{
    struct stage stage = {0};
    if (work_make(WORK_BASE, stage.folder) != 0)
        _exit(2);
    memcpy(watch->folder, stage.folder, sizeof stage.folder);
    if (with_rescuer && rescuer_start(stage.folder) < 0)
        _exit(2);
    of_player = watch;
    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < count; i++) {
            char name[16];
            snprintf(name, sizeof name, "%d", round * 10 + (int)i);
            stage_start(&stage, name, &given[i], act, &watch->notes[i]);
        }
        while (waitpid(-1, NULL, 0) > 0)
            ;
    }
    _exit(0);
}

static pid_t start_harness(struct watch *watch, const struct sandbox *given, size_t count, stage_act act,
                           bool with_rescuer)
{
    pid_t test = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != test)
        _exit(2);
    harness_main(watch, given, count, act, with_rescuer);
}

static void kill_harness(pid_t harness)
{
    kill(harness, SIGKILL);
    waitpid(harness, NULL, 0);
}

static int count_of(const struct watch *watch)
{
    struct stage stage = {0};
    memcpy(stage.folder, watch->folder, sizeof stage.folder);
    return stage_count_marked(&stage, NULL);
}

static bool wait_ready(const struct watch *watch, int64_t players)
{
    for (int waited_ms = 0; watch->ready < players && waited_ms < 20000; waited_ms += 5)
        usleep(5000);
    return watch->ready >= players;
}

static bool can_play(void)
{
    mkdir(QZ_TEST_CACHE, 0700);
    bool can = geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0;
    if (!can)
        check_skip("sandboxes need root and loop devices");
    return can;
}

/* The thaw that needs nothing from the test: sweeps what is dead by then. */
static pid_t start_alarm(void)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setsid();
    close_range(3, ~0U, 0);
    size_t found;
    sleep(50);
    sweep_dead(WORK_BASE, NULL, &found);
    _exit(0);
}

static void stop_alarm(pid_t alarm_pid)
{
    kill(alarm_pid, SIGKILL);
    waitpid(alarm_pid, NULL, 0);
}

/* ---- What is frozen when all of it is killed -------------------------------------------------------------------------- */

static const struct scenario_volume PLAIN[] = {{.mount = "/data", .type = "ext4", .size = 16 * MIB},
                                               {.mount = "/old", .type = "ext3", .size = 16 * MIB},
                                               {.mount = "/older", .type = "ext2", .size = 16 * MIB}};
static const struct scenario_volume OTHERS[] = {{.mount = "/data", .type = "btrfs", .size = 128 * MIB},
                                                {.mount = "/xfs", .type = "xfs", .size = 300 * MIB}};
static const struct scenario_volume NESTED[] = {{.mount = "/data", .type = "ext4", .size = 64 * MIB},
                                                {.mount = "/inner", .type = "xfs", .size = 32 * MIB, .on = "/data"}};
static const struct scenario_workload WRITER = {.kind = SCENARIO_FSYNC, .volume = "/data", .writers = 2};
static const struct scenario SCENARIOS[] = {
    {.volumes = PLAIN, .volume_count = 3},
    {.volumes = OTHERS, .volume_count = 2, .workloads = &WRITER, .workload_count = 1},
    {.volumes = NESTED, .volume_count = 2, .workloads = &WRITER, .workload_count = 1},
};
static const struct sandbox GIVEN[] = {
    {.scenario = &SCENARIOS[0]}, {.scenario = &SCENARIOS[1]}, {.scenario = &SCENARIOS[2]}};

QZ_TEST(what_was_frozen_when_the_harness_was_killed_is_thawed_and_removed)
{
    if (!can_play())
        return;
    struct watch *watch = watch_new();
    pid_t alarm_pid = start_alarm();
    pid_t harness = start_harness(watch, GIVEN, COUNT(GIVEN), freeze_and_stay, false);
    CU_ASSERT_TRUE(wait_ready(watch, (int64_t)COUNT(GIVEN)));
    /* The living are left alone. */
    size_t found = 99;
    struct stat facts;
    sweep_dead(WORK_BASE, NULL, &found);
    CU_ASSERT_TRUE(count_of(watch) > 5);
    usleep(300000);
    CHECK_INT(watch->ready, (int64_t)COUNT(GIVEN)); /* nor had anybody to begin anew */
    CHECK_INT(stat(watch->folder, &facts), 0);
    kill_harness(harness);
    found = 0;
    CU_ASSERT_TRUE(sweep_dead(WORK_BASE, NULL, &found));
    CHECK_INT(count_of(watch), 0);
    CU_ASSERT_TRUE(stat(watch->folder, &facts) != 0 && errno == ENOENT);
    stop_alarm(alarm_pid);
    munmap(watch, sizeof *watch);
}

QZ_TEST(what_is_left_is_found_also_when_the_folder_is_gone)
{
    if (!can_play())
        return;
    struct watch *watch = watch_new();
    pid_t alarm_pid = start_alarm();
    pid_t harness = start_harness(watch, GIVEN, COUNT(GIVEN), freeze_and_stay, false);
    CU_ASSERT_TRUE(wait_ready(watch, (int64_t)COUNT(GIVEN)));
    kill_harness(harness);
    usleep(50000);
    remove_tree(watch->folder);
    size_t found;
    CU_ASSERT_TRUE(sweep_dead(WORK_BASE, NULL, &found));
    CHECK_INT(count_of(watch), 0);
    stop_alarm(alarm_pid);
    munmap(watch, sizeof *watch);
}

QZ_TEST(a_rescuer_does_it_by_itself)
{
    if (!can_play())
        return;
    struct watch *watch = watch_new();
    pid_t alarm_pid = start_alarm();
    pid_t harness = start_harness(watch, GIVEN, COUNT(GIVEN), freeze_and_stay, true);
    CU_ASSERT_TRUE(wait_ready(watch, (int64_t)COUNT(GIVEN)));
    kill_harness(harness);
    struct stat facts;
    int waited_ms = 0;
    while (stat(watch->folder, &facts) == 0 && waited_ms < 20000) {
        usleep(10000);
        waited_ms += 10;
    }
    CU_ASSERT_TRUE(waited_ms < 20000);
    CHECK_INT(count_of(watch), 0);
    stop_alarm(alarm_pid);
    munmap(watch, sizeof *watch);
}

QZ_TEST(a_killed_player_is_swept_while_its_harness_lives)
{
    struct stage stage;
    if (!stage_open(&stage))
        return;
    struct watch *watch = of_player = watch_new();
    pid_t first = stage_start(&stage, "1", &GIVEN[2], freeze_and_stay, &watch->notes[0]);
    pid_t second = stage_start(&stage, "12", &GIVEN[0], freeze_and_stay, &watch->notes[1]);
    CU_ASSERT_TRUE(wait_ready(watch, 2));
    int of_second = stage_count_marked(&stage, "12");
    kill_harness(first);
    usleep(50000);
    CU_ASSERT_TRUE(stage_count_marked(&stage, "1") > 0);
    char work[PATH_MAX];
    path_format(work, "%s/1", stage.folder);
    CU_ASSERT_TRUE(sweep_work(work, NULL));
    CHECK_INT(stage_count_marked(&stage, "1"), 0);
    CHECK_INT(stage_count_marked(&stage, "12"), of_second);
    CU_ASSERT_TRUE(of_second > 2);
    kill_harness(second);
    path_format(work, "%s/12", stage.folder);
    CU_ASSERT_TRUE(sweep_work(work, NULL));
    munmap(watch, sizeof *watch);
    stage_close(&stage);
}

/* ---- A server that serves nobody any more ----------------------------------------------------------------------------- */

static void dirty_and_stop_servers(struct sandbox *sandbox, struct stage_notes *out)
{
    (void)out;
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        PATH_OF(path, "%s/dirty", sandbox->volumes[i].path);
        int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0 || write(file, path, sizeof path) != (ssize_t)sizeof path || close(file) != 0)
            return;
        if (sandbox->volumes[i].fakefs.server > 0)
            kill(sandbox->volumes[i].fakefs.server, SIGSTOP);
    }
    __atomic_add_fetch(&of_player->ready, 1, __ATOMIC_SEQ_CST);
    pause();
}

/* As the last one in its namespace a server unmounts what it serves, while it ends, and would wait for itself. */
static void leave_servers_last(const struct sandbox *given)
{
    if (!can_play())
        return;
    struct watch *watch = watch_new();
    pid_t harness = start_harness(watch, given, 1, dirty_and_stop_servers, false);
    CU_ASSERT_TRUE(wait_ready(watch, 1));
    kill_harness(harness);
    usleep(300000);
    size_t found;
    CU_ASSERT_TRUE(sweep_dead(WORK_BASE, NULL, &found));
    CHECK_INT(count_of(watch), 0);
    munmap(watch, sizeof *watch);
}

QZ_TEST(a_server_that_is_the_last_one_is_removed)
{
    static const struct scenario_volume volumes[] = {{.mount = "/data", .type = "ext4", .size = 16 * MIB},
                                                     {.mount = "/srv", .type = "ext4", .size = 16 * MIB}};
    static const struct scenario scenario = {.volumes = volumes, .volume_count = 2};
    leave_servers_last(&(struct sandbox){.scenario = &scenario, .fake = true});
}

QZ_TEST(a_server_of_disks_that_is_the_last_one_is_removed)
{
    static const struct scenario_volume volumes[] = {
        {.mount = "/data", .type = "ext4", .size = 16 * MIB, .recorded = true},
        {.mount = "/srv", .type = "btrfs", .size = 128 * MIB, .recorded = true},
        {.mount = "/xfs", .type = "xfs", .size = 300 * MIB, .recorded = true}};
    static const struct scenario scenario = {.volumes = volumes, .volume_count = 3};
    leave_servers_last(&(struct sandbox){.scenario = &scenario});
}

static void freeze_and_lose_the_disk(struct sandbox *sandbox, struct stage_notes *out)
{
    struct sandbox_volume *volume = &sandbox->volumes[0];
    (void)out;
    snprintf(of_player->loop, sizeof of_player->loop, "%s", volume->loop);
    sandbox_freeze(volume);
    kill(volume->fakefs.server, SIGKILL);
    waitid(P_PIDFD, (id_t)volume->fakefs.process, &(siginfo_t){0}, WEXITED | WNOWAIT);
    __atomic_add_fetch(&of_player->ready, 1, __ATOMIC_SEQ_CST);
    pause();
}

QZ_TEST(what_was_frozen_on_a_disk_that_is_gone_is_thawed_and_removed) // Of such a disk the kernel tells little.
{
    if (!can_play())
        return;
    static const struct scenario_volume volume = {.mount = "/data", .type = "ext4", .size = 16 * MIB, .recorded = true};
    static const struct scenario scenario = {.volumes = &volume, .volume_count = 1};
    const struct sandbox given = {.scenario = &scenario};
    struct watch *watch = watch_new();
    pid_t harness = start_harness(watch, &given, 1, freeze_and_lose_the_disk, false);
    CU_ASSERT_TRUE(wait_ready(watch, 1));
    CU_ASSERT_TRUE(count_of(watch) > 0);
    kill_harness(harness);
    size_t found;
    CU_ASSERT_TRUE(sweep_dead(WORK_BASE, NULL, &found));
    CHECK_INT(count_of(watch), 0);
    PATH_OF(backing_file, "/sys/block/%s/loop/backing_file", watch->loop);
    CU_ASSERT_TRUE(access(backing_file, F_OK) != 0 && errno == ENOENT);
    munmap(watch, sizeof *watch);
}

/* ---- Any moment ------------------------------------------------------------------------------------------------- */

QZ_TEST(killed_at_any_moment_a_harness_leaves_nothing_that_one_sweep_does_not_remove)
{
    if (!can_play())
        return;
    pid_t alarm_pid = start_alarm();
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    for (int moment = 0; moment < MOMENTS; moment++) {
        struct watch *watch = watch_new();
        pid_t harness = start_harness(watch, GIVEN, COUNT(GIVEN), freeze_thaw_and_end, false);
        usleep(2000 + (unsigned)rand_r(&seed) % 150000);
        kill_harness(harness);
        size_t found;
        struct stat facts;
        CU_ASSERT_TRUE(sweep_dead(WORK_BASE, NULL, &found));
        if (watch->folder[0]) {
            CHECK_INT(count_of(watch), 0);
            CU_ASSERT_TRUE(stat(watch->folder, &facts) != 0);
        }
        munmap(watch, sizeof *watch);
    }
    stop_alarm(alarm_pid);
}

/* ---- Nothing else ----------------------------------------------------------------------------------------------- */

QZ_TEST(a_mark_covers_its_own_scenarios_and_no_others)
{
    CU_ASSERT_TRUE(mark_covers("quiesce-sim.1-2-3.abc", "quiesce-sim.1-2-3.abc"));
    CU_ASSERT_TRUE(mark_covers("quiesce-sim.1-2-3.abc", "quiesce-sim.1-2-3.abc/12"));
    CU_ASSERT_TRUE(mark_covers("quiesce-sim.1-2-3.abc", "quiesce-sim.1-2-3.abc.12"));
    CU_ASSERT_TRUE(mark_covers("quiesce-sim.1-2-3.abc/12", "quiesce-sim.1-2-3.abc.12"));
    CU_ASSERT_FALSE(mark_covers("quiesce-sim.1-2-3.abc/1", "quiesce-sim.1-2-3.abc/12"));
    CU_ASSERT_FALSE(mark_covers("quiesce-sim.1-2-3.abc/1", "quiesce-sim.1-2-3.abc"));
    CU_ASSERT_FALSE(mark_covers("quiesce-sim.1-2-3.abc", "quiesce-sim.1-2-3.abcd"));
    CU_ASSERT_FALSE(mark_covers("quiesce-sim.1-2-3.abc", ""));
}

QZ_TEST(only_a_harness_that_is_known_to_be_gone_is_dead)
{
    char own[MARK_SIZE], name[MARK_SIZE];
    mark_make(own);
    CU_ASSERT_TRUE(mark_of_harness(own, name));
    CU_ASSERT_TRUE(mark_is_alive(own));
    /* The same number, another process: it started at another time. */
    unsigned long space = 0;
    int pid = 0;
    unsigned long long start = 0;
    CHECK_INT(sscanf(own, WORK_PREFIX "%lu-%d-%llu.", &space, &pid, &start), 3);
    snprintf(name, sizeof name, WORK_PREFIX "%lu-%d-%llu.abc", space, pid, start + 1);
    CU_ASSERT_FALSE(mark_is_alive(name));
    /* Another container's: its numbers mean nothing here. */
    snprintf(name, sizeof name, WORK_PREFIX "%lu-%d-%llu.abc", space + 1, pid, start + 1);
    CU_ASSERT_TRUE(mark_is_alive(name));
    CU_ASSERT_TRUE(mark_is_alive("quiesce-sim.other"));
    CU_ASSERT_FALSE(mark_of_harness("quiesce-sim.other", name));
    CU_ASSERT_FALSE(mark_of_harness("quiesce-sim.1-2-3.abc/../up", name));
}

QZ_TEST(a_path_without_a_mark_is_not_swept)
{
    char folder[] = "/var/tmp/quiesce-test.XXXXXX";
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
    /* Only folders of this test are ever named to a sweep: should it be wrong, nothing else may be lost. */
    CU_ASSERT_FALSE(sweep_work(folder, NULL));
    PATH_OF(near, "%s/quiesce-sim.near", folder);
    CHECK_INT(mkdir(near, 0700), 0);
    CU_ASSERT_FALSE(sweep_work(near, NULL));
    CHECK_INT(rmdir(near), 0);
    CHECK_INT(rmdir(folder), 0);
}

/* Ends the program rather than remove it: told by a child. */
QZ_TEST(what_is_not_the_harness_own_is_never_removed)
{
    char folder[] = "/var/tmp/quiesce-test.XXXXXX";
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        remove_tree(folder);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CU_ASSERT_TRUE(status != 0);
    CHECK_INT(rmdir(folder), 0);
}

QZ_TEST(a_kept_folder_bears_no_mark)
{
    char folder[PATH_MAX];
    CHECK_INT(work_make(WORK_BASE, folder), 0);
    CHECK_INT(work_keep(folder), 0);
    CHECK_CONTAINS(folder, "/var/tmp/quiesce-sim-kept.");
    CU_ASSERT_FALSE(sweep_work(folder, NULL));
    CHECK_INT(rmdir(folder), 0);
}

/* A device whose file is where ours would be, and whose name is another's. */
QZ_TEST(a_loop_device_of_somebody_else_is_not_touched)
{
    if (!can_play())
        return;
    char folder[] = "/var/tmp/quiesce-test.XXXXXX", nodes[] = "/var/tmp/quiesce-test.XXXXXX";
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(nodes));
    PATH_OF(path, "%s/disk-0.img", folder);
    int image = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(ftruncate(image, MIB), 0);
    int number = -1;
    int loop = loop_attach(image, path, nodes, &number);
    CU_ASSERT_TRUE(loop >= 0);
    /* A dead harness, so that there is something to sweep. */
    char own[MARK_SIZE], dead[PATH_MAX];
    unsigned long space = 0;
    size_t found = 0;
    mark_make(own);
    CHECK_INT(sscanf(own, WORK_PREFIX "%lu-", &space), 1);
    path_format(dead, WORK_BASE "/" WORK_PREFIX "%lu-%d-1.dead", space, (int)getpid());
    CHECK_INT(mkdir(dead, 0700), 0);
    CU_ASSERT_TRUE(sweep_dead(WORK_BASE, NULL, &found));
    CU_ASSERT_TRUE(rmdir(dead) != 0);
    struct loop_info64 info;
    CHECK_INT(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
    close(loop);
    close(image);
    PATH_OF(node, "%s/loop%d", nodes, number);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(rmdir(folder), 0);
    CHECK_INT(unlink(node), 0);
    CHECK_INT(rmdir(nodes), 0);
}
