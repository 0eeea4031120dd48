/* test_sandbox.c: the sandbox of the real worlds: what is in it, what is not, and that nothing of it stays. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gate.h"
#include "marks.h"
#include "stage.h"

#define MIB INT64_C(1048576)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct stage_notes notes;

#define EXT4(at) {.mount = at, .type = "ext4", .size = 16 * MIB}
#define XFS(at) {.mount = at, .type = "xfs", .size = 300 * MIB}
#define BTRFS(at) {.mount = at, .type = "btrfs", .size = 128 * MIB}

/* Plays with these volumes and nothing else. */
static bool play_volumes(const struct scenario_volume *volumes, size_t count, stage_act act)
{
    const struct scenario scenario = {.volumes = volumes, .volume_count = count};
    const struct sandbox given = {.scenario = &scenario};
    notes = (struct stage_notes){0};
    if (!stage_play(&given, act, &notes))
        return false;
    CHECK_STRING(notes.why, "");
    CU_ASSERT_TRUE(notes.opened);
    CU_ASSERT_TRUE(notes.closed);
    return true;
}

static bool play_scenario(const struct scenario *scenario, stage_act act)
{
    const struct sandbox given = {.scenario = scenario};
    notes = (struct stage_notes){0};
    if (!stage_play(&given, act, &notes))
        return false;
    CHECK_STRING(notes.why, "");
    CU_ASSERT_TRUE(notes.opened);
    return true;
}

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
    if (play_volumes(volumes, COUNT(volumes), list_frozen))
        CHECK_STRING(notes.text, "/data\n/xfs\n/btrfs\n");
}

static void look_around(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out,
                "pwd; cat /proc/1/comm; ls /run; awk 'BEGIN {print \"awk\"}'; id -nu; touch /usr/x 2>/dev/null || "
                "echo read-only; stat -fc %T /usr; grep -c ' - ext4' /proc/self/mountinfo; umask; ls -A /tmp /home");
}

QZ_TEST(the_machine_inside_is_bare_private_and_works)
{
    if (play_volumes(NULL, 0, look_around))
        CHECK_STRING(notes.text, "/\nsim-init\nawk\nroot\nread-only\noverlayfs\n0\n0022\n/home:\n\n/tmp:\n");
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
    if (!play_volumes(volumes, 1, start_gated))
        return;
    CHECK_INT(notes.numbers[0], 0);
    CHECK_INT(notes.numbers[1], true);
    CHECK_INT(notes.numbers[2], true);
    CHECK_CONTAINS(notes.text, "0\nPATH=/quiesce-sim/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                               "HOME=/root\nLANG=C.UTF-8\n4\n");
    CHECK_CONTAINS(notes.text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    CHECK_CONTAINS(notes.text, "Device or resource busy\n1\n");
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
    if (!play_volumes(NULL, 0, start_as_nobody))
        return;
    CHECK_INT(notes.numbers[0], 20);
    CHECK_CONTAINS(notes.text, "NotRoot");
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
    notes = (struct stage_notes){0};
    if (!stage_play(&given, show_cgroups, &notes) || !cgroup_mount())
        return;
    CHECK_STRING(notes.text, "cgroup2fs\nmade\nquiesce-sim.1\n");
    given.no_cgroups = true;
    stage_play(&given, show_cgroups, &notes);
    CHECK_CONTAINS(notes.text, "sysfs\n");
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
    if (!play_scenario(&scenario, list_files))
        return;
    CHECK_STRING(notes.text, "way directory 7 777\nway/fifo fifo 0 600\nway/file regular file 9 4750\n"
                             "deep/er directory 0 755\nlink symbolic link 0 777\nwords\ndeep\n"
                             "ls: cannot access '/etc/hosts': No such file or directory\nvolume\n");
    for (int i = 0; i < 2; i++)
        CHECK_INT(notes.numbers[i], 0);
    CU_ASSERT_NOT_EQUAL(notes.numbers[2], notes.numbers[3]);
    CHECK_INT(notes.numbers[4], 0777);
    CHECK_INT(notes.numbers[5], 9);
    CHECK_INT(notes.numbers[6], 0);
}

static void look_at_run_state(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "cat /run/quiesce/journal; echo; cat /proc/sys/kernel/random/boot_id; "
                              "stat -c %a /run/quiesce; quiesce freeze --hold 1 2>&1 | grep -o AlreadyRunning | head -1");
}

QZ_TEST(an_earlier_journal_and_another_quiesce_can_be_there)
{
    const struct scenario scenario = {.journal = "{\"boot_id\": \"${boot_id}\"}", .other_has_lock = true};
    if (!play_scenario(&scenario, look_at_run_state))
        return;
    char boot_id[64] = "", *rest = strchr(notes.text, '\n');
    CU_ASSERT_TRUE(rest && sscanf(rest, "%63s", boot_id) == 1 && strlen(boot_id) == 36);
    char expected[256];
    snprintf(expected, sizeof expected, "{\"boot_id\": \"%s\"}\n%s\n700\nAlreadyRunning\n", boot_id, boot_id);
    CHECK_STRING(notes.text, expected);
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
    if (play_scenario(&scenario, run_script_thrice))
        CHECK_STRING(notes.text, "ababaerror= 3\nSegmentation fault\n= 139\n= 0\n"
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
    if (!play_scenario(&scenario, run_leaving_scripts))
        return;
    CHECK_STRING(notes.text, "1 1\n1 1\n1 1\n");
    int lines = 0;
    for (const char *at = notes.left; *at; at++)
        lines += *at == '\n';
    CHECK_INT(lines, 2);
    CHECK_CONTAINS(notes.left, "/opt/app/post.sh");
}

static void leave_a_process(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "setsid sleep 300 & sleep 0.1");
}

QZ_TEST(a_process_that_is_still_there_at_the_end_is_named_and_ended)
{
    if (play_volumes(NULL, 0, leave_a_process))
        CHECK_CONTAINS(notes.left, "(sleep 300)");
}

/* ---- Volumes ---------------------------------------------------------------------------------------------------- */

static void fill_volumes(struct sandbox *sandbox, struct stage_notes *out)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        char command[256];
        snprintf(command, sizeof command, "cd %s; dd if=/dev/zero of=x bs=4k count=16 conv=fsync status=none 2>&1 | "
                                          "grep -o 'No space'; df --output=avail -k . | awk 'NR == 2 {print ($1 < 300) ? \"little\" : $1}'",
                 sandbox->volumes[i].given->mount);
        stage_shell(sandbox, out, command);
    }
}

QZ_TEST(a_full_volume_takes_nothing_and_a_nearly_full_one_a_little)
{
    const struct scenario_volume volumes[] = {
        {.mount = "/full", .type = "ext4", .size = 16 * MIB, .fill = SCENARIO_FULL},
        {.mount = "/nearly", .type = "ext4", .size = 16 * MIB, .fill = SCENARIO_NEARLY_FULL},
        {.mount = "/memory", .type = "tmpfs", .size = 4 * MIB, .fill = SCENARIO_FULL},
    };
    if (play_volumes(volumes, COUNT(volumes), fill_volumes))
        CHECK_STRING(notes.text, "No space\nlittle\nlittle\nNo space\nlittle\n");
}

static void look_at_order(struct sandbox *sandbox, struct stage_notes *out)
{
    stage_shell(sandbox, out, "quiesce check --format json | grep -o '\"order\":[0-9]*\\|\"mount\":\"/[a-z]*\"\\|stored on "
                              "/[a-z]*'");
    const struct sandbox_volume *inner = sandbox_volume_at(sandbox, "/inner");
    out->numbers[0] = inner && strstr(inner->image, "/outer/") != NULL;
}

QZ_TEST(the_disk_of_a_nested_volume_lies_on_the_other_one)
{
    for (size_t i = 0; i < 3; i++) {
        const char *const types[] = {"ext4", "xfs", "btrfs"};
        const struct scenario_volume volumes[] = {
            {.mount = "/outer", .type = types[i], .size = i == 0 ? 64 * MIB : 300 * MIB},
            {.mount = "/inner", .type = "ext4", .size = 16 * MIB, .on = "/outer"},
        };
        if (!play_volumes(volumes, COUNT(volumes), look_at_order))
            return;
        CHECK_INT(notes.numbers[0], 1);
        CHECK_STRING(notes.text, "\"mount\":\"/inner\"\nstored on /outer\n\"order\":0\n\"mount\":\"/outer\"\n\"order\":1\n");
    }
}

static void ask_about_freezes(struct sandbox *sandbox, struct stage_notes *out)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        struct sandbox_volume *volume = &sandbox->volumes[i];
        int64_t *numbers = out->numbers + 8 * i;
        numbers[0] = sandbox_is_frozen(volume);
        numbers[1] = sandbox_freeze(volume);
        numbers[2] = sandbox_is_frozen(volume);
        numbers[3] = sandbox_freeze(volume);
        numbers[4] = sandbox_is_frozen(volume);
        numbers[5] = sandbox_thaw(volume);
        numbers[6] = sandbox_is_frozen(volume);
        numbers[7] = sandbox_thaw(volume);
    }
}

QZ_TEST(whether_a_volume_is_frozen_is_told_without_freezing_it)
{
    const struct scenario_volume volumes[] = {EXT4("/a"), XFS("/b"), BTRFS("/c")};
    const int64_t expected[] = {false, 0, true, EBUSY, true, 0, false, EINVAL};
    if (!play_volumes(volumes, COUNT(volumes), ask_about_freezes))
        return;
    for (size_t i = 0; i < 24; i++)
        CHECK_INT(notes.numbers[i], expected[i % 8]);
}

QZ_TEST(volumes_of_the_fake_world_freeze_as_the_kernels_do)
{
    const char *const binds[] = {"/bound"}, *const subvolumes[] = {"/photos"};
    const struct scenario_volume volumes[] = {
        {.mount = "/a", .type = "ext4", .size = 16 * MIB, .binds = binds, .bind_count = 1},
        {.mount = "/b", .type = "btrfs", .size = 16 * MIB, .subvolumes = subvolumes, .subvolume_count = 1},
        {.mount = "/c", .type = "xfs", .size = 16 * MIB, .on = "/a"}};
    const struct scenario scenario = {.volumes = volumes, .volume_count = COUNT(volumes)};
    const struct sandbox given = {.scenario = &scenario, .fake = true};
    const int64_t expected[] = {false, 0, true, EBUSY, true, 0, false, EINVAL};
    notes = (struct stage_notes){0};
    if (!stage_play(&given, ask_about_freezes, &notes))
        return;
    CHECK_STRING(notes.why, "");
    CHECK_STRING(notes.left, "");
    for (size_t i = 0; i < 24; i++)
        CHECK_INT(notes.numbers[i], expected[i % 8]);
}

static void leave_fakes_frozen(struct sandbox *sandbox, struct stage_notes *out)
{
    static const char *const paths[] = {"/a", "/bound", "/b", "/photos"};
    stage_shell(sandbox, out, "awk '$5 == \"/a\" || $5 == \"/b\" {print $3, $8}' /proc/self/mountinfo; echo x >/a/x");
    out->numbers[5] = sandbox_disk_writes(&sandbox->volumes[0]);
    for (size_t i = 0; i < COUNT(paths); i++) {
        PATH_OF(path, "%s%s", sandbox->root, paths[i]);
        int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        out->numbers[i] = sandbox_volume_of(sandbox, descriptor) - sandbox->volumes;
        close(descriptor);
    }
    sandbox_freeze(&sandbox->volumes[1]);
    stage_shell(sandbox, out, "(echo y >/b/y) & sleep 0.1");
    for (size_t i = 0; i < 2; i++)
        out->numbers[6 + i] = (int64_t)sandbox->volumes[i].dev;
}

QZ_TEST(a_fake_volume_has_a_block_device_and_is_thawed_at_the_end)
{
    const char *const binds[] = {"/bound"}, *const subvolumes[] = {"/photos"};
    const struct scenario_volume volumes[] = {
        {.mount = "/a", .type = "ext4", .size = 16 * MIB, .binds = binds, .bind_count = 1},
        {.mount = "/b", .type = "btrfs", .size = 16 * MIB, .subvolumes = subvolumes, .subvolume_count = 1}};
    const struct scenario scenario = {.volumes = volumes, .volume_count = COUNT(volumes)};
    const struct sandbox given = {.scenario = &scenario, .fake = true};
    notes = (struct stage_notes){0};
    if (!stage_play(&given, leave_fakes_frozen, &notes))
        return;
    char lines[64];
    snprintf(lines, sizeof lines, "%u:%u fuseblk\n%u:%u fuseblk\n", major((dev_t)notes.numbers[6]),
             minor((dev_t)notes.numbers[6]), major((dev_t)notes.numbers[7]), minor((dev_t)notes.numbers[7]));
    CHECK_STRING(notes.text, lines);
    CHECK_INT(major((dev_t)notes.numbers[6]), 7);
    const int64_t expected[] = {0, 0, 1, 1};
    for (size_t i = 0; i < COUNT(expected); i++)
        CHECK_INT(notes.numbers[i], expected[i]);
    CU_ASSERT_TRUE(notes.numbers[5] > 0);
    CHECK_STRING(notes.left, "");
    CU_ASSERT_TRUE(notes.closed);
}

static void write_slowly(struct sandbox *sandbox, struct stage_notes *out)
{
    out->numbers[0] = sandbox_disk_writes(&sandbox->volumes[0]);
    stage_shell(sandbox, out, "awk '$5 == \"/data\" {print $8}' /proc/self/mountinfo; date +%s%N; echo >/data/x; "
                              "sync -f /data; date +%s%N");
    out->numbers[1] = sandbox_disk_writes(&sandbox->volumes[0]);
    sandbox_freeze(&sandbox->volumes[0]);
    out->numbers[2] = sandbox_is_frozen(&sandbox->volumes[0]);
}

QZ_TEST(a_recorded_disk_counts_its_writes_and_can_be_slow)
{
    const struct scenario_volume volume = {.mount = "/data", .type = "ext4", .size = 16 * MIB, .recorded = true,
                                           .disk_write_us = 100000};
    if (!play_volumes(&volume, 1, write_slowly))
        return;
    long long begin_ns = 0, end_ns = 0;
    CHECK_INT(sscanf(notes.text, "ext4 %lld %lld", &begin_ns, &end_ns), 2);
    CU_ASSERT_TRUE(end_ns - begin_ns >= 100000000);
    CU_ASSERT_TRUE(notes.numbers[0] >= 0 && notes.numbers[1] > notes.numbers[0]);
    CHECK_INT(notes.numbers[2], true);
    CHECK_STRING(notes.left, "");
}

static void look_at_others(struct sandbox *sandbox, struct stage_notes *out)
{
    out->numbers[0] = sandbox_is_frozen(&sandbox->volumes[0]);
    out->numbers[1] = sandbox->volumes[0].frozen_by_other;
    stage_shell(sandbox, out, "stat -fc %T /covered");
    out->numbers[2] = sandbox_unmount(sandbox, "/covered");
    stage_shell(sandbox, out, "stat -fc %T /covered");
    out->numbers[3] = sandbox_mount_over(sandbox, "/covered");
    stage_shell(sandbox, out, "stat -fc %T /covered");
}

QZ_TEST(a_volume_can_be_frozen_by_others_and_covered_from_the_beginning)
{
    const struct scenario_volume volumes[] = {
        {.mount = "/frozen", .type = "ext4", .size = 16 * MIB, .frozen_by_other = true},
        {.mount = "/covered", .type = "ext4", .size = 16 * MIB, .covered = true},
    };
    if (!play_volumes(volumes, COUNT(volumes), look_at_others))
        return;
    CHECK_INT(notes.numbers[0], 1);
    CHECK_INT(notes.numbers[1], 1);
    CHECK_INT(notes.numbers[2], 0);
    CHECK_INT(notes.numbers[3], 0);
    CHECK_STRING(notes.text, "tmpfs\next2/ext3\ntmpfs\n");
    CHECK_STRING(notes.left, "");
}

static int volume_index(struct sandbox *sandbox, const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    const struct sandbox_volume *volume = sandbox_volume_of(sandbox, descriptor);
    close(descriptor);
    return volume ? (int)(volume - sandbox->volumes) : -1;
}

static void find_volumes(struct sandbox *sandbox, struct stage_notes *out)
{
    static const char *const paths[] = {"/ext4", "/bound", "/btrfs", "/photos", "/opt"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        PATH_OF(path, "%s%s", sandbox->root, paths[i]);
        out->numbers[i] = volume_index(sandbox, path);
    }
    out->numbers[5] = volume_index(sandbox, "/");
    stage_shell(sandbox, out, "awk '$5 == \"/btrfs\" || $5 == \"/ext4\" {print $3}' /proc/self/mountinfo");
    for (size_t i = 0; i < 2; i++)
        out->numbers[6 + i] = (int64_t)sandbox->volumes[i].dev;
    out->numbers[8] = sandbox_disk_writes(&sandbox->volumes[0]);
    stage_shell(sandbox, out, "echo >/ext4/x; sync -f /ext4");
    out->numbers[9] = sandbox_disk_writes(&sandbox->volumes[0]);
}

QZ_TEST(a_descriptor_tells_its_volume_and_one_of_the_machine_none)
{
    const char *const binds[] = {"/bound"}, *const subvolumes[] = {"/photos"};
    const struct scenario_volume volumes[] = {
        {.mount = "/ext4", .type = "ext4", .size = 16 * MIB, .binds = binds, .bind_count = 1},
        {.mount = "/btrfs", .type = "btrfs", .size = 128 * MIB, .subvolumes = subvolumes, .subvolume_count = 1},
    };
    const int64_t expected[] = {0, 0, 1, 1, -1, -1};
    if (!play_volumes(volumes, COUNT(volumes), find_volumes))
        return;
    for (size_t i = 0; i < COUNT(expected); i++)
        CHECK_INT(notes.numbers[i], expected[i]);
    char lines[64];
    snprintf(lines, sizeof lines, "%u:%u\n%u:%u\n", major((dev_t)notes.numbers[6]), minor((dev_t)notes.numbers[6]),
             major((dev_t)notes.numbers[7]), minor((dev_t)notes.numbers[7]));
    CHECK_STRING(notes.text, lines);
    CU_ASSERT_TRUE(notes.numbers[9] > notes.numbers[8] && notes.numbers[8] >= 0);
}

QZ_TEST(a_type_that_is_unknown_is_refused_with_its_reason)
{
    const struct scenario_volume volume = {.mount = "/data", .type = "newfs", .size = 16 * MIB};
    const struct scenario scenario = {.volumes = &volume, .volume_count = 1};
    const struct sandbox given = {.scenario = &scenario};
    if (!stage_play(&given, NULL, &notes))
        return;
    CU_ASSERT_FALSE(notes.opened);
    CHECK_CONTAINS(notes.why, "newfs: no volume of this type can be made");
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
    if (play_volumes(volumes, COUNT(volumes), read_identities))
        CU_ASSERT_TRUE(memcmp(notes.text, notes.text + 16, 16) != 0);
}

/* ---- Workloads and snapshots ------------------------------------------------------------------------------------ */

static void freeze_for_a_while(struct sandbox *sandbox, struct stage_notes *out)
{
    if (!sandbox_workload_start(sandbox, out->why, sizeof out->why))
        return;
    usleep(50000);
    int64_t writes = sandbox_disk_writes(&sandbox->volumes[0]);
    sandbox_freeze(&sandbox->volumes[0]);
    usleep(300000);
    sandbox_thaw(&sandbox->volumes[0]);
    usleep(20000);
    out->numbers[0] = writes;
    struct sandbox_stall stall;
    while (sandbox_next_stall(sandbox, &stall)) {
        if (stall.duration_us > 250000)
            out->numbers[1]++;
    }
    out->numbers[2] = sandbox_workload_stop(sandbox);
}

QZ_TEST(writers_of_every_kind_feel_a_freeze_and_tell_it)
{
    const enum scenario_workload_kind kinds[] = {SCENARIO_APPEND, SCENARIO_FSYNC, SCENARIO_MMAP, SCENARIO_DIRECT,
                                                 SCENARIO_DIRECTORIES};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const struct scenario_volume volume = EXT4("/data");
        const struct scenario_workload workload = {.kind = kinds[i], .volume = "/data", .writers = 2};
        const struct scenario scenario = {.volumes = &volume, .volume_count = 1, .workloads = &workload,
                                          .workload_count = 1};
        if (!play_scenario(&scenario, freeze_for_a_while))
            return;
        CHECK_INT(notes.numbers[1], 2);
        CU_ASSERT_TRUE(notes.numbers[2] > 250000);
        CHECK_STRING(notes.left, "");
    }
}

static void stop_while_frozen(struct sandbox *sandbox, struct stage_notes *out)
{
    sandbox_workload_start(sandbox, out->why, sizeof out->why);
    sandbox_freeze(&sandbox->volumes[0]);
    usleep(100000);
    out->numbers[0] = sandbox_workload_stop(sandbox);
}

QZ_TEST(a_writer_that_still_waits_counts_and_does_not_hang_the_end)
{
    const struct scenario_volume volume = EXT4("/data");
    const struct scenario_workload workload = {.kind = SCENARIO_APPEND, .volume = "/data", .writers = 1};
    const struct scenario scenario = {.volumes = &volume, .volume_count = 1, .workloads = &workload, .workload_count = 1};
    if (!play_scenario(&scenario, stop_while_frozen))
        return;
    CU_ASSERT_TRUE(notes.numbers[0] > 50000);
    CHECK_STRING(notes.left, "");
}

/* So that an ext4 mounts and only its checker sees it; others do not mount any more. */
static void damage(const char *copy, const char *type)
{
    char output[256];
    static const char zeros[4096];
    if (strcmp(type, "ext4") == 0) {
        program_run((const char *const[]){"debugfs", "-w", "-R", "set_inode_field <2> links_count 9", copy, NULL}, output,
                    sizeof output);
        return;
    }
    int file = open(copy, O_WRONLY | O_CLOEXEC);
    (void)!pwrite(file, zeros, sizeof zeros, strcmp(type, "btrfs") == 0 ? 64 * 1024 : 0);
    close(file);
}

/* Copies the disks three ways: quiesced and frozen; frozen only; and with the copy of the last one damaged. */
static void take_snapshots(struct sandbox *sandbox, struct stage_notes *out)
{
    static const char *const befores[] = {"ledger ask /run/ledger.socket quiesce", "true", "true"};
    if (!sandbox_workload_start(sandbox, out->why, sizeof out->why))
        return;
    usleep(700000);
    for (size_t i = 0; i < COUNT(befores); i++) {
        struct outcome outcome = {0};
        stage_shell(sandbox, out, befores[i]);
        sandbox_freeze(&sandbox->volumes[0]);
        int status = stage_shell(sandbox, out, "snapshot");
        sandbox_thaw(&sandbox->volumes[0]);
        stage_shell(sandbox, out, "ledger ask /run/ledger.socket resume");
        PATH_OF(copy, "%s" SANDBOX_COPIES "/0", sandbox->root);
        if (i == 2)
            damage(copy, sandbox->volumes[0].given->type);
        sandbox_judge_snapshots(sandbox, &outcome);
        int64_t *numbers = out->numbers + 4 * i;
        numbers[0] = status;
        numbers[1] = outcome.snapshot_count == 1 && outcome.snapshots[0].taken;
        numbers[2] = outcome.snapshot_count == 1 && outcome.snapshots[0].clean;
        numbers[3] = outcome.snapshot_count == 1 ? outcome.snapshots[0].missing : -2;
        free(outcome.snapshots);
    }
    sandbox_workload_stop(sandbox);
}

QZ_TEST(a_copy_of_a_frozen_disk_is_clean_and_whole_only_if_the_application_was_told)
{
    const char *const types[] = {"ext4", "xfs", "btrfs"};
    for (size_t i = 0; i < COUNT(types); i++) {
        const struct scenario_volume volume = {.mount = "/data", .type = types[i], .size = i == 0 ? 64 * MIB : 300 * MIB};
        const struct scenario_workload workload = {.kind = SCENARIO_LEDGER, .volume = "/data", .writers = 4, .flush_us = 500000};
        const struct scenario scenario = {.volumes = &volume, .volume_count = 1, .workloads = &workload,
                                          .workload_count = 1};
        if (!play_scenario(&scenario, take_snapshots))
            return;
        const int64_t expected[] = {0, true, true, 0, 0, true, true};
        for (size_t k = 0; k < COUNT(expected); k++)
            CHECK_INT(notes.numbers[k], expected[k]);
        CU_ASSERT_TRUE(notes.numbers[7] > 0);
        CHECK_INT(notes.numbers[10], false);
    }
}
