/* The sandbox of the real worlds: what is in it, what is not, and that nothing of it stays. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gate.h"
#include "parts.h"
#include "stage.h"

/* ---- The machine ------------------------------------------------------------------------------------------------ */

/* What quiesce would freeze by default, one mount point a line. */
static void list_frozen(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "quiesce check --format json");
    cJSON *result = cJSON_Parse(out->text);
    const cJSON *volumes = cJSON_GetObjectItem(cJSON_GetObjectItem(result, "freeze"), "volumes");
    const cJSON *volume = NULL;
    size_t length = 0;
    out->text[0] = '\0';
    cJSON_ArrayForEach(volume, volumes)
    {
        const char *decision = cJSON_GetStringValue(cJSON_GetObjectItem(volume, "decision"));
        const char *mount_point = cJSON_GetStringValue(cJSON_GetObjectItem(volume, "mount"));
        if (decision && strcmp(decision, "freeze") == 0)
            length += (size_t)snprintf(out->text + length, sizeof out->text - length, "%s\n", mount_point);
    }
    cJSON_Delete(result);
}

QZ_TEST(a_path_is_found_whatever_is_renamed_meanwhile) // anywhere on the machine, and the path goes up
{
    char root[] = "/var/tmp/quiesce-sim-test.XXXXXX";
    if (!mkdtemp(root)) {
        CU_FAIL("a folder for the test");
        return;
    }
    struct sandbox sandbox = {.root_directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    CHECK_INT(mkdirat(sandbox.root_directory, "a", 0700), 0);
    pid_t renaming = fork();
    bool there = true;
    if (renaming == 0)
        alarm(60); /* should nobody be left to end it */
    while (renaming == 0) {
        there = !there;
        renameat(sandbox.root_directory, there ? "x" : "y", sandbox.root_directory, there ? "y" : "x");
    }
    CHECK_INT(mkdirat(sandbox.root_directory, "x", 0700), 0);
    int missed = 0;
    for (int i = 0; i < 100000; i++) {
        int found = inside_open(&sandbox, "/a/../a/../a", O_PATH);
        missed += found < 0;
        if (found >= 0)
            close(found);
    }
    CHECK_INT(missed, 0);
    kill(renaming, SIGKILL);
    waitpid(renaming, NULL, 0);
    for (size_t i = 0; i < 3; i++)
        unlinkat(sandbox.root_directory, (const char *[]){"a", "x", "y"}[i], AT_REMOVEDIR);
    close(sandbox.root_directory);
    CHECK_INT(rmdir(root), 0);
}

QZ_TEST(quiesce_finds_the_scenarios_volumes_and_nothing_of_the_machine)
{
    const char *const binds[] = {"/bound"}, *const subvolumes[] = {"/photos"};
    const struct scenario_volume volumes[] = {
        {.mount = "/data", .type = "ext4", .size = 16 * MIB, .binds = binds, .bind_count = 1},
        XFS("/xfs"),
        {.mount = "/btrfs", .type = "btrfs", .size = 128 * MIB, .subvolumes = subvolumes, .subvolume_count = 1},
        {.mount = "/memory", .type = "tmpfs", .size = 4 * MIB},
        {.mount = "/fixed", .type = "ext4", .size = 16 * MIB, .read_only = true},
    };
    if (stage_volumes(volumes, COUNT(volumes), list_frozen))
        CHECK_STRING(stage_seen.text, "/data\n/xfs\n/btrfs\n");
}

static void look_around(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out,
                "pwd; cat /proc/1/comm; ls /run; awk 'BEGIN {print \"awk\"}'; id -nu; touch /usr/x 2>/dev/null || "
                "echo read-only; stat -fc %T /usr; grep -c ' - ext4' /proc/self/mountinfo; umask; ls -A /tmp /home");
}

QZ_TEST(the_machine_inside_is_bare_private_and_works)
{
    if (stage_volumes(NULL, 0, look_around))
        CHECK_STRING(stage_seen.text, "/\nsim-init\nawk\nroot\nread-only\noverlayfs\n0\n0022\n/home:\n\n/tmp:\n");
}

static const struct gate_filter NO_CALLS = {.calls = NULL};

static void start_gated(struct sandbox *sandbox, struct stage_notes *out)
{
    static char script[] = "id -u; tr '\\0' '\\n' </proc/$$/environ; ls /proc/self/fd | wc -l; "
                           "grep -E 'SigIgn|SigBlk' /proc/self/status; fsfreeze -f /data; echo $?";
    char *const argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, script, NULL};
    int output[2], listener = -1;
    if (pipe2(output, O_CLOEXEC) != 0)
        return;
    signal(SIGUSR1, SIG_IGN);
    pid_t pid = sandbox_start(sandbox, argv, true, output[1], output[1], &NO_CALLS, &listener);
    close(output[1]);
    struct gate_call call;
    out->numbers[0] = gate_next(listener, &call);
    struct sandbox_volume *volume = NULL;
    int descriptor = -1;
    if (gate_descriptor(&call, (int)call.arguments[0], &descriptor) == 0)
        volume = sandbox_volume_of(sandbox, descriptor);
    out->numbers[1] = volume == &sandbox->volumes[0];
    gate_fail(listener, &call, EBUSY);
    int status = -1;
    out->numbers[2] = waitpid(pid, &status, 0) == pid && status == 0;
    for (ssize_t got = 1, length = 0; got > 0; length += got)
        got = read(output[0], out->text + length, sizeof out->text - 1 - (size_t)length);
    close(output[0]);
    close(listener);
}

QZ_TEST(a_started_command_is_behind_the_gate_and_sees_only_what_it_should)
{
    const struct scenario_volume volumes[] = {EXT4("/data")};
    if (!stage_volumes(volumes, 1, start_gated))
        return;
    CHECK_INT(stage_seen.numbers[0], 0);
    CHECK_INT(stage_seen.numbers[1], true);
    CHECK_INT(stage_seen.numbers[2], true);
    CHECK_CONTAINS(stage_seen.text, "0\nPATH=/quiesce-sim/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                               "HOME=/root\nLANG=C.UTF-8\n4\n");
    CHECK_CONTAINS(stage_seen.text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    CHECK_CONTAINS(stage_seen.text, "Device or resource busy\n1\n");
}

static void start_as_nobody(struct sandbox *sandbox, struct stage_notes *out)
{
    char *const argv[] = {(char[]){SANDBOX_BINARY}, (char[]){"status"}, NULL};
    int listener = -1, status = -1;
    int output = memfd_create("output", MFD_CLOEXEC);
    pid_t pid = sandbox_start(sandbox, argv, false, output, output, &NO_CALLS, &listener);
    out->numbers[0] = waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    (void)!pread(output, out->text, sizeof out->text - 1, 0);
}

QZ_TEST(a_command_can_be_started_as_nobody)
{
    if (!stage_volumes(NULL, 0, start_as_nobody))
        return;
    CHECK_INT(stage_seen.numbers[0], 20);
    CHECK_CONTAINS(stage_seen.text, "NotRoot");
}

static void show_cgroups(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "stat -fc %T /sys/fs/cgroup; own=$(sed -n 's/^0:://p' /proc/self/cgroup); "
                              "mkdir /sys/fs/cgroup$own/x && echo made; echo ${own##*/} | cut -d. -f 1,4");
}

QZ_TEST(control_groups_can_be_had_and_can_be_left_out)
{
    static const struct scenario scenario;
    struct sandbox given = {.scenario = &scenario};
    stage_seen = (struct stage_notes){0};
    if (!stage_play(&given, show_cgroups, &stage_seen) || !cgroup_mount())
        return;
    CHECK_STRING(stage_seen.text, "cgroup2fs\nmade\nquiesce-sim.1\n");
    given.no_cgroups = true;
    stage_play(&given, show_cgroups, &stage_seen);
    CHECK_CONTAINS(stage_seen.text, "sysfs\n");
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static void list_files(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "cd /srv; stat -c '%n %F %u %a' way way/* deep/er link; cat link deep/er/file; "
                              "ls /etc/hosts 2>&1; cat /data/on");
    out->numbers[0] = sandbox_chmod(sandbox, "/srv/link", 0777);
    struct stat before, after;
    PATH_OF(path, "%s/srv/way/file", sandbox->root);
    stat(path, &before);
    out->numbers[1] = sandbox_replace_file(sandbox, "/srv/link");
    stat(path, &after);
    out->numbers[2] = (int64_t)before.st_ino;
    out->numbers[3] = (int64_t)after.st_ino;
    out->numbers[4] = after.st_mode & 07777;
    out->numbers[5] = after.st_uid;
    size_t size = 0;
    char *text = sandbox_read(sandbox, "/srv/link", &size);
    out->numbers[6] = text ? strcmp(text, "words\n") : -1;
    free(text);
    free(sandbox_read(sandbox, "/proc/1/no", &size));
}

QZ_TEST(files_lie_at_their_paths_with_owner_and_mode)
{
    const struct scenario_volume volumes[] = {EXT4("/data")};
    const struct scenario_file files[] = {
        {.kind = SCENARIO_DIRECTORY, .path = "/srv/way", .owner = 7, .mode = 0777},
        {.kind = SCENARIO_FILE, .path = "/srv/way/file", .text = "words\n", .size = 6, .owner = 9, .mode = 04750},
        {.kind = SCENARIO_FIFO, .path = "/srv/way/fifo", .mode = 0600},
        {.kind = SCENARIO_SYMLINK, .path = "/srv/link", .text = "/srv/way/file"},
        {.kind = SCENARIO_FILE, .path = "/srv/deep/er/file", .text = "deep\n", .size = 5, .mode = 0644},
        {.kind = SCENARIO_ABSENT, .path = "/etc/hosts"},
        {.kind = SCENARIO_FILE, .path = "/data/on", .text = "volume\n", .size = 7, .mode = 0600},
    };
    const struct scenario scenario = {.volumes = volumes, .volume_count = 1, .files = files, .file_count = COUNT(files)};
    if (!stage_scenario(&scenario, list_files))
        return;
    CHECK_STRING(stage_seen.text, "way directory 7 777\nway/fifo fifo 0 600\nway/file regular file 9 4750\n"
                             "deep/er directory 0 755\nlink symbolic link 0 777\nwords\ndeep\n"
                             "ls: cannot access '/etc/hosts': No such file or directory\nvolume\n");
    for (int i = 0; i < 2; i++)
        CHECK_INT(stage_seen.numbers[i], 0);
    CU_ASSERT_NOT_EQUAL(stage_seen.numbers[2], stage_seen.numbers[3]);
    CHECK_INT(stage_seen.numbers[4], 0777);
    CHECK_INT(stage_seen.numbers[5], 9);
    CHECK_INT(stage_seen.numbers[6], 0);
}

static void look_at_run_state(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "cat /run/quiesce/journal; echo; cat /proc/sys/kernel/random/boot_id; "
                              "stat -c %a /run/quiesce; quiesce freeze --hold 1 2>&1 | grep -o AlreadyRunning | head -1");
}

QZ_TEST(an_earlier_journal_and_another_quiesce_can_be_there)
{
    const struct scenario scenario = {.journal = "{\"boot_id\": \"${boot_id}\"}", .other_has_lock = true};
    if (!stage_scenario(&scenario, look_at_run_state))
        return;
    char boot_id[64] = "", *rest = strchr(stage_seen.text, '\n');
    CU_ASSERT_TRUE(rest && sscanf(rest, "%63s", boot_id) == 1 && strlen(boot_id) == 36);
    char expected[256];
    snprintf(expected, sizeof expected, "{\"boot_id\": \"%s\"}\n%s\n700\nAlreadyRunning\n", boot_id, boot_id);
    CHECK_STRING(stage_seen.text, expected);
}

/* ---- Behaviours ------------------------------------------------------------------------------------------------- */

static void run_script_thrice(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "cd /opt/app; for i in 1 2 3; do ./pre.sh a b; echo \"= $?\"; done; cut -d' ' -f 1,2,4- "
                              SANDBOX_RECORD);
}

QZ_TEST(a_script_does_at_each_start_what_its_row_says)
{
    const struct scenario_attempt attempts[] = {
        {.out = "ab", .out_size = 5, .err = "error", .err_size = 5, .exit = 3},
        {.signal = SIGSEGV},
        {.exit = 0},
    };
    const struct scenario_plugin plugin = {
        .name = "ScriptRunner",
        .pre = {.file = {.kind = SCENARIO_FILE, .path = "/opt/app/pre.sh", .mode = 0700}, .attempts = attempts,
                .attempt_count = COUNT(attempts)}};
    const struct scenario scenario = {.plugins = &plugin, .plugin_count = 1};
    if (stage_scenario(&scenario, run_script_thrice))
        CHECK_STRING(stage_seen.text, "ababaerror= 3\nSegmentation fault\n= 139\n= 0\n"
                                 "starts 1 0 pre ScriptRunner\nends 1 3 pre ScriptRunner\n"
                                 "starts 2 0 pre ScriptRunner\nends 2 -11 pre ScriptRunner\n"
                                 "starts 3 0 pre ScriptRunner\nends 3 0 pre ScriptRunner\n");
}

static void run_leaving_scripts(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "/opt/app/pre.sh; /opt/app/post.sh; sleep 1.2; ps -eo ppid,sid,pid,args --no-headers | "
                              "awk '$4 ~ /actor/ {print $1, $2 == $3 || $2 != 1}'");
}

QZ_TEST(what_a_successful_script_leaves_may_stay_and_what_a_failed_one_leaves_is_named)
{
    const struct scenario_attempt success = {.leaves = 1, .leaves_run_us = SCENARIO_FOREVER, .leaves_ignore_term = true};
    const struct scenario_attempt failure = {.leaves = 2, .leaves_run_us = SCENARIO_FOREVER, .exit = 1,
                                             .leaves_hold_output = true};
    const struct scenario_plugin plugin = {
        .name = "ScriptRunner",
        .pre = {.file = {.path = "/opt/app/pre.sh", .mode = 0700}, .attempts = &success, .attempt_count = 1},
        .post = {.file = {.path = "/opt/app/post.sh", .mode = 0700}, .attempts = &failure, .attempt_count = 1}};
    const struct scenario scenario = {.plugins = &plugin, .plugin_count = 1};
    if (!stage_scenario(&scenario, run_leaving_scripts))
        return;
    CHECK_STRING(stage_seen.text, "1 1\n1 1\n1 1\n");
    int lines = 0;
    for (const char *at = stage_seen.left; *at; at++)
        lines += *at == '\n';
    CHECK_INT(lines, 2);
    CHECK_CONTAINS(stage_seen.left, "/opt/app/post.sh");
}

static void leave_a_process(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "setsid sleep 300 & sleep 0.1");
}

QZ_TEST(a_process_that_is_still_there_at_the_end_is_named_and_ended)
{
    if (stage_volumes(NULL, 0, leave_a_process))
        CHECK_CONTAINS(stage_seen.left, "(sleep 300)");
}

/* ---- Many at once ----------------------------------------------------------------------------------------------- */

#define PLAYERS 16

static void hold_still(struct sandbox *sandbox, struct stage_notes *out)
{
    out->numbers[0] = atoi(sandbox->volumes[0].loop + strlen("loop"));
    usleep(100000);
}

QZ_TEST(many_players_at_once_get_a_device_each)
{
    struct stage stage;
    const struct scenario_volume volumes[] = {BTRFS("/data"), XFS("/more")};
    const struct scenario scenario = {.volumes = volumes, .volume_count = COUNT(volumes)};
    const struct sandbox given = {.scenario = &scenario};
    if (!stage_open(&stage))
        return;
    struct stage_notes *all = mmap(NULL, PLAYERS * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t players[PLAYERS];
    for (int i = 0; i < PLAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        players[i] = stage_start(&stage, name, &given, hold_still, &all[i]);
    }
    for (int i = 0; i < PLAYERS; i++) {
        CU_ASSERT_TRUE(stage_wait(players[i]));
        CHECK_STRING(all[i].why, "");
        CHECK_STRING(all[i].left, "");
        for (int k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(all[i].numbers[0], all[k].numbers[0]);
    }
    munmap(all, PLAYERS * sizeof *all);
    stage_close(&stage);
}

/* While somebody else has every device that is free. */
QZ_TEST(devices_that_others_claim_are_passed_over)
{
    struct stage stage;
    if (!stage_open(&stage))
        return;
    int claims[1024], count = 0;
    char name[] = "quiesce-sim.none";
    for (int number = 0; number < 1024; number++) {
        PATH_OF(device, "/dev/loop%d", number);
        int claim = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);
        if (claim >= 0)
            claims[count++] = claim;
    }
    PATH_OF(path, "%s/disk", stage.folder);
    int image = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), number = -1;
    CHECK_INT(ftruncate(image, MIB), 0);
    int loop = loop_attach(image, name, stage.folder, &number);
    CU_ASSERT_TRUE(loop >= 0);
    while (count > 0)
        close(claims[--count]);
    close(loop);
    close(image);
    stage_close(&stage);
}

static void read_identities(struct sandbox *sandbox, struct stage_notes *out)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        int image = open(sandbox->volumes[i].image, O_RDONLY | O_CLOEXEC);
        (void)!pread(image, out->text + 16 * i, 16, 64 * 1024 + 32); /* the superblock's fsid */
        close(image);
    }
}

QZ_TEST(no_two_btrfs_have_the_same_identity)
{
    const struct scenario_volume volumes[] = {BTRFS("/a"), BTRFS("/b")};
    if (stage_volumes(volumes, COUNT(volumes), read_identities))
        CU_ASSERT_TRUE(memcmp(stage_seen.text, stage_seen.text + 16, 16) != 0);
}
