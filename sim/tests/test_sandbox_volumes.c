/* Volumes of a sandbox: of every kind, with those who write to them, and copies of their disks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"
#include "stage.h"

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
    if (stage_volumes(volumes, COUNT(volumes), fill_volumes))
        CHECK_STRING(stage_seen.text, "No space\nlittle\nlittle\nNo space\nlittle\n");
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
        if (!stage_volumes(volumes, COUNT(volumes), look_at_order))
            return;
        CHECK_INT(stage_seen.numbers[0], 1);
        CHECK_STRING(stage_seen.text, "\"mount\":\"/inner\"\nstored on /outer\n\"order\":0\n\"mount\":\"/outer\"\n\"order\":1\n");
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
    if (!stage_volumes(volumes, COUNT(volumes), ask_about_freezes))
        return;
    for (size_t i = 0; i < 24; i++)
        CHECK_INT(stage_seen.numbers[i], expected[i % 8]);
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
    stage_seen = (struct stage_notes){0};
    if (!stage_play(&given, ask_about_freezes, &stage_seen))
        return;
    CHECK_STRING(stage_seen.why, "");
    CHECK_STRING(stage_seen.left, "");
    for (size_t i = 0; i < 24; i++)
        CHECK_INT(stage_seen.numbers[i], expected[i % 8]);
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
    stage_seen = (struct stage_notes){0};
    if (!stage_play(&given, leave_fakes_frozen, &stage_seen))
        return;
    char lines[64];
    snprintf(lines, sizeof lines, "%u:%u fuseblk\n%u:%u fuseblk\n", major((dev_t)stage_seen.numbers[6]),
             minor((dev_t)stage_seen.numbers[6]), major((dev_t)stage_seen.numbers[7]), minor((dev_t)stage_seen.numbers[7]));
    CHECK_STRING(stage_seen.text, lines);
    CHECK_INT(major((dev_t)stage_seen.numbers[6]), 7);
    const int64_t expected[] = {0, 0, 1, 1};
    for (size_t i = 0; i < COUNT(expected); i++)
        CHECK_INT(stage_seen.numbers[i], expected[i]);
    CU_ASSERT_TRUE(stage_seen.numbers[5] > 0);
    CHECK_STRING(stage_seen.left, "");
    CU_ASSERT_TRUE(stage_seen.closed);
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
    if (!stage_volumes(&volume, 1, write_slowly))
        return;
    long long begin_ns = 0, end_ns = 0;
    CHECK_INT(sscanf(stage_seen.text, "ext4 %lld %lld", &begin_ns, &end_ns), 2);
    CU_ASSERT_TRUE(end_ns - begin_ns >= 100000000);
    CU_ASSERT_TRUE(stage_seen.numbers[0] >= 0 && stage_seen.numbers[1] > stage_seen.numbers[0]);
    CHECK_INT(stage_seen.numbers[2], true);
    CHECK_STRING(stage_seen.left, "");
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
    if (!stage_volumes(volumes, COUNT(volumes), look_at_others))
        return;
    CHECK_INT(stage_seen.numbers[0], 1);
    CHECK_INT(stage_seen.numbers[1], 1);
    CHECK_INT(stage_seen.numbers[2], 0);
    CHECK_INT(stage_seen.numbers[3], 0);
    CHECK_STRING(stage_seen.text, "tmpfs\next2/ext3\ntmpfs\n");
    CHECK_STRING(stage_seen.left, "");
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
    if (!stage_volumes(volumes, COUNT(volumes), find_volumes))
        return;
    for (size_t i = 0; i < COUNT(expected); i++)
        CHECK_INT(stage_seen.numbers[i], expected[i]);
    char lines[64];
    snprintf(lines, sizeof lines, "%u:%u\n%u:%u\n", major((dev_t)stage_seen.numbers[6]), minor((dev_t)stage_seen.numbers[6]),
             major((dev_t)stage_seen.numbers[7]), minor((dev_t)stage_seen.numbers[7]));
    CHECK_STRING(stage_seen.text, lines);
    CU_ASSERT_TRUE(stage_seen.numbers[9] > stage_seen.numbers[8] && stage_seen.numbers[8] >= 0);
}

QZ_TEST(a_type_that_is_unknown_is_refused_with_its_reason)
{
    const struct scenario_volume volume = {.mount = "/data", .type = "newfs", .size = 16 * MIB};
    const struct scenario scenario = {.volumes = &volume, .volume_count = 1};
    const struct sandbox given = {.scenario = &scenario};
    if (!stage_play(&given, NULL, &stage_seen))
        return;
    CU_ASSERT_FALSE(stage_seen.opened);
    CHECK_CONTAINS(stage_seen.why, "newfs: no volume of this type can be made");
}

/* ---- Workloads and snapshots ------------------------------------------------------------------------------------ */

static void freeze_for_a_while(struct sandbox *sandbox, struct stage_notes *out)
{
    if (!sandbox_workload_start(sandbox, out->why, sizeof out->why))
        return;
    usleep(200000);
    int64_t writes = sandbox_disk_writes(&sandbox->volumes[0]);
    sandbox_freeze(&sandbox->volumes[0]);
    usleep(300000);
    sandbox_thaw(&sandbox->volumes[0]);
    out->numbers[0] = writes;
    struct sandbox_stall stall;
    for (int tries = 0; tries < 500 && out->numbers[1] < 2; tries++) {
        usleep(20000);
        while (sandbox_next_stall(sandbox, &stall))
            out->numbers[1] += stall.duration_us > 250000;
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
        if (!stage_scenario(&scenario, freeze_for_a_while))
            return;
        CHECK_INT(stage_seen.numbers[1], 2);
        CU_ASSERT_TRUE(stage_seen.numbers[2] > 250000);
        CHECK_STRING(stage_seen.left, "");
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
    if (!stage_scenario(&scenario, stop_while_frozen))
        return;
    CU_ASSERT_TRUE(stage_seen.numbers[0] > 50000);
    CHECK_STRING(stage_seen.left, "");
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
        if (!stage_scenario(&scenario, take_snapshots))
            return;
        const int64_t expected[] = {0, true, true, 0, 0, true, true};
        for (size_t k = 0; k < COUNT(expected); k++)
            CHECK_INT(stage_seen.numbers[k], expected[k]);
        CU_ASSERT_TRUE(stage_seen.numbers[7] > 0);
        CHECK_INT(stage_seen.numbers[10], false);
    }
}
