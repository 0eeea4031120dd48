/* Files of the fake filesystem as disks, and copies of them as they were. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

#define MIB (INT64_C(1) << 20)

static bool lacks_loops(void)
{
    if (access("/dev/loop-control", R_OK | W_OK) == 0)
        return false;
    check_skip("no loop devices");
    return true;
}

/* Mounts and loop devices end with the mount namespace of the test: `mount -o loop` lets the kernel detach them. */
static void check_disk(const char *type, const char *size, const char *checker)
{
    struct fake fake;
    char script[1024];
    if (lacks_loops())
        return;
    snprintf(script, sizeof script, "command -v mkfs.%s >/dev/null", type);
    if (system(script) != 0) {
        check_skip("no mkfs of that type");
        return;
    }
    if (fake_open(&fake, NULL)) {
        snprintf(script, sizeof script,
                 "truncate -s %s disk; mkfs.%s -q disk >/dev/null; mkdir ../inner; mount -o loop disk ../inner;"
                 "mkdir ../inner/d; for i in 1 2 3 4 5 6 7 8; do echo $i >../inner/d/$i; done;"
                 "dd if=/dev/zero bs=64k count=64 conv=fsync of=../inner/zeroes 2>/dev/null; rm ../inner/d/3;"
                 "umount ../inner; dd of=disk oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null;" /* read it again */
                 "%s disk >/dev/null 2>&1; mount -o loop disk ../inner;"
                 "test \"$(cat ../inner/d/* | tr -d '\\n')\" = 1245678; test $(stat -c %%s ../inner/zeroes) = 4194304;"
                 "umount ../inner; rmdir ../inner", size, type, checker);
        CHECK_INT(fake_shell(&fake, script), 0);
        CU_ASSERT(fake_records(&fake, "write", "/disk", 0) > 64);
    }
    fake_close(&fake);
}

QZ_TEST(ext4_lives_on_it) // An ext4 on a loop device of a file is made, mounted, written, unmounted, and found clean.
{
    check_disk("ext4", "64M", "e2fsck -fn");
}

QZ_TEST(xfs_lives_on_it) // So is an xfs,
{
    check_disk("xfs", "300M", "xfs_repair -n");
}

QZ_TEST(btrfs_lives_on_it) // and a btrfs.
{
    check_disk("btrfs", "128M", "btrfs check");
}

QZ_TEST(disks_of_the_past_are_mounted) // A disk as it was at a moment holds what was synced until then, and nothing later.
{
    struct fake fake;
    int64_t moments[3];
    char script[512];
    if (lacks_loops())
        return;
    if (fake_open(&fake, &(struct fakefs_mount){.history = true})) {
        CHECK_INT(fake_shell(&fake, "truncate -s 32M disk; mkfs.ext4 -q disk; mkdir ../inner; mount -o loop disk ../inner"), 0);
        for (int i = 0; i < 3; i++) {
            snprintf(script, sizeof script, "echo %d >>../inner/log; sync -f ../inner", i);
            CHECK_INT(fake_shell(&fake, script), 0);
            moments[i] = fake_now_us();
        }
        for (int i = 0; i < 3; i++) {
            snprintf(script, sizeof script, "/then-%d", i);
            CHECK_INT(fakefs_copy(&fake.fakefs, "/disk", moments[i], script), 0);
            snprintf(script, sizeof script,
                     "e2fsck -p then-%d >/dev/null || test $? -le 1; e2fsck -fn then-%d >/dev/null 2>&1; mkdir ../then;"
                     "mount -o loop then-%d ../then; test $(wc -l <../then/log) = %d; echo more >../then/more;"
                     "umount ../then; rmdir ../then", i, i, i, i + 1);
            CHECK_INT(fake_shell(&fake, script), 0);
        }
        CHECK_INT(fake_shell(&fake, "test $(wc -l <../inner/log) = 3; test ! -e ../inner/more; umount ../inner; rmdir ../inner"), 0);
    }
    fake_close(&fake);
}

QZ_TEST(frozen_disks_are_left_alone) // While an ext4 on it is frozen nothing reaches the disk, whatever its writers want.
{
    struct fake fake;
    if (lacks_loops())
        return;
    if (fake_open(&fake, NULL)) {
        int64_t before = -1;
        int64_t after = -2;
        CHECK_INT(fake_shell(&fake, "truncate -s 32M disk; mkfs.ext4 -q disk; mkdir ../inner; mount -o loop disk ../inner;"
                                    "(sleep 20; fsfreeze -u ../inner) >/dev/null 2>&1 & echo $! >../rescue;"
                                    "(while :; do echo x >>../inner/log; sync ../inner/log; done) >/dev/null 2>&1 &"
                                    "echo $! >../writer; sleep 0.2; fsfreeze -f ../inner"), 0);
        CHECK_INT(fakefs_writes(&fake.fakefs, "/disk", &before), 0);
        CU_ASSERT(before > 100);
        usleep(300000);
        CHECK_INT(fakefs_writes(&fake.fakefs, "/disk", &after), 0);
        CHECK_INT(after, before);
        CHECK_INT(fake_shell(&fake, "fsfreeze -u ../inner; sleep 0.2; kill $(cat ../writer); kill $(cat ../rescue);"
                                    "for i in 1 2 3 4 5 6 7 8 9; do umount ../inner 2>/dev/null && break; sleep 0.1; done;"
                                    "rmdir ../inner"), 0);
        CHECK_INT(fakefs_writes(&fake.fakefs, "/disk", &after), 0);
        CU_ASSERT(after > before);
    }
    fake_close(&fake);
}

QZ_TEST(disks_fail_and_are_slow) // A rule for the disk's file is a fault of the disk: fsync on the filesystem above sees it.
{
    struct fake fake;
    if (lacks_loops())
        return;
    if (fake_open(&fake, NULL)) {
        CHECK_INT(fake_shell(&fake, "truncate -s 32M disk; mkfs.ext4 -q disk; mkdir ../inner; mount -o loop disk ../inner"), 0);
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .path = "/disk", .delay_us = 50000});
        CHECK_INT(fake_shell(&fake, "dd if=/dev/zero of=../inner/file bs=4k count=1 conv=fsync 2>/dev/null"), 0);
        CU_ASSERT(fake_last_record(&fake, "write", "/disk").waited_us >= 50000);
        fakefs_clear_rules(&fake.fakefs);
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .path = "/disk", .error = EIO});
        CHECK_INT(fake_shell(&fake, "! dd if=/dev/zero of=../inner/file bs=4k count=1 conv=notrunc,fsync 2>/dev/null"), 0);
        CU_ASSERT(fake_records(&fake, "write", "/disk", EIO) > 0);
        CHECK_INT(fake_shell(&fake, "umount ../inner; rmdir ../inner"), 0);
    }
    fake_close(&fake);
}

/* ---- Copies ------------------------------------------------------------------------------------------------------ */

QZ_TEST(copies_cost_nothing) // A copy takes no room until it or the original changes, and then only what changed.
{
    struct fake fake;
    if (fake_open(&fake, &(struct fakefs_mount){.size = 9 * MIB})) {
        CHECK_INT(fake_shell(&fake, "dd if=/dev/urandom of=disk bs=1M count=8 2>/dev/null"), 0);
        struct statvfs before;
        struct statvfs after;
        statvfs(fake.mount, &before);
        char path[16];
        for (int i = 0; i < 100; i++) {
            snprintf(path, sizeof path, "/copy-%d", i);
            CHECK_INT(fakefs_copy(&fake.fakefs, "/disk", -1, path), 0);
        }
        statvfs(fake.mount, &after);
        CHECK_INT(after.f_bfree, before.f_bfree);
        CHECK_INT(fake_shell(&fake, "cmp disk copy-0; cp copy-7 ../seven; echo changed | dd of=copy-7 conv=notrunc 2>/dev/null;"
                                    "test \"$(head -c 7 copy-7)\" = changed; cmp disk copy-8;"
                                    "echo original | dd of=disk conv=notrunc bs=1 seek=5000 2>/dev/null;"
                                    "cmp copy-8 ../seven; rm disk copy-[0-6]*; cmp copy-99 ../seven;"
                                    "test $(stat -c %a:%u:%s copy-99) = 600:0:8388608; rm ../seven"), 0);
        CHECK_INT(fakefs_copy(&fake.fakefs, "/copy-99", -1, "/copy-99"), EEXIST);
        CHECK_INT(fakefs_copy(&fake.fakefs, "/disk", -1, "/new"), ENOENT);
        CHECK_INT(fakefs_copy(&fake.fakefs, "/copy-99", 5, "/new"), ENODATA); /* no history */
    }
    fake_close(&fake);
}

#define MOMENTS 60
#define LONGEST 40000

/* One random change of the file and of what is expected of it. */
static void change(int file, char *model, size_t *size, unsigned number)
{
    unsigned offset = (number * 7919U) % 30000;
    unsigned length = (number * 104729U) % 9000 + 1;
    char bytes[9001];
    if (number % 5 == 3) {
        CHECK_INT(ftruncate(file, offset), 0);
        if (offset < *size)
            memset(model + offset, 0, *size - offset);
        *size = offset;
    } else if (number % 5 == 4) {
        CHECK_INT(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length), 0);
        memset(model + offset, 0, length);
    } else {
        memset(bytes, (int)('a' + number % 26), length);
        CHECK_INT(pwrite(file, bytes, length, offset), length);
        memcpy(model + offset, bytes, length);
        *size = offset + length > *size ? offset + length : *size;
    }
}

QZ_TEST(every_moment_can_be_had) // A copy at the moment of any record is byte for byte what the file was right after it.
{
    static char models[MOMENTS][LONGEST];
    static char seen[LONGEST];
    size_t sizes[MOMENTS];
    int64_t moments[MOMENTS];
    struct fake fake;
    if (fake_open(&fake, &(struct fakefs_mount){.history = true})) {
        int64_t before_us = fake_now_us();
        usleep(1000);
        int file = open(fake_path(&fake, "/file"), O_RDWR | O_CREAT, 0600);
        size_t size = 0;
        static char model[LONGEST];
        for (unsigned i = 0; i < MOMENTS; i++) {
            change(file, model, &size, i);
            memcpy(models[i], model, LONGEST);
            sizes[i] = size;
            moments[i] = fake_last_record(&fake, "change", "/file").at_us; /* the kernel may make two of one write */
        }
        close(file);
        for (int i = 0; i < MOMENTS; i++) {
            CHECK_INT(fakefs_copy(&fake.fakefs, "/file", moments[i], "/copy"), 0);
            file = open(fake_path(&fake, "/copy"), O_RDONLY);
            ssize_t got = read(file, seen, sizeof seen);
            CHECK_INT(got, sizes[i]);
            CU_ASSERT(got < 0 || memcmp(seen, models[i], (size_t)got) == 0);
            close(file);
            unlink(fake_path(&fake, "/copy"));
        }
        CHECK_INT(fakefs_copy(&fake.fakefs, "/file", before_us, "/copy"), ENODATA);
    }
    fake_close(&fake);
}

QZ_TEST(images_are_quick) // A 64 MiB image is written and read; nobody waits seconds for it.
{
    struct fake fake;
    if (fake_open(&fake, &(struct fakefs_mount){.history = true})) {
        int64_t begin_us = fake_now_us();
        CHECK_INT(fake_shell(&fake, "dd if=/dev/zero of=image bs=1M count=64 2>/dev/null;"
                                    "dd if=image of=/dev/null bs=1M iflag=direct 2>/dev/null"), 0);
        int64_t took_us = fake_now_us() - begin_us;
        printf("64 MiB written and read in %lld ms\n", (long long)took_us / 1000);
        CU_ASSERT(took_us < 10000000);
    }
    fake_close(&fake);
}
