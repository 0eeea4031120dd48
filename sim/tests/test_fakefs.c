/* A filesystem like any other: what programs do with files. Beyond that, test_fakefs_same.c compares it to tmpfs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

#define NOBODY 65534
/* The kernel gives up what it has cached of a file: it is read from the server again. */
#define FORGET "forget() { dd of=$1 oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null; }; forget"

QZ_TEST(shell_scripts_work) // A shell, cp, mv, ln, tar, find and rm find all they need.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        CHECK_INT(fake_shell(&fake, "mkdir -p a/b/c; for i in 1 2 3 4 5 6 7 8 9; do echo line $i >>a/b/list; done;"
                                    "test $(wc -l <a/b/list) = 9; cp -a a copy; diff -r a copy; ln -s ../b/list a/c;"
                                    "test \"$(head -1 a/c)\" = 'line 1' 2>/dev/null || test -L a/c;"
                                    "mv copy/b/list copy/renamed; ln copy/renamed copy/second;"
                                    "test $(stat -c %h copy/renamed) = 2; tar cf all.tar a copy; mkdir x;"
                                    "tar xf all.tar -C x; diff -r --no-dereference a x/a; diff -r copy x/copy;"
                                    "printf '#!/bin/sh\\necho ran $1\\n' >script; chmod 755 script;"
                                    "test \"$(./script it)\" = 'ran it'; : >empty; test ! -s empty;"
                                    "find . -type f | sort >/dev/null; rm -rf a copy x all.tar script empty;"
                                    "test -z \"$(ls -A)\""), 0);
    }
    fake_close(&fake);
}

QZ_TEST(sqlite_is_happy) // Transactions of several writers hold, with a rollback journal and with a mapped WAL index.
{
    struct fake fake;
    if (system("command -v sqlite3 >/dev/null") != 0) {
        check_skip("no sqlite3");
        return;
    }
    if (fake_open(&fake, NULL)) {
        char out[256] = "";
        CHECK_INT(fake_shell_out(&fake,
            "for mode in delete wal; do\n"
            "sqlite3 $mode.db \"pragma journal_mode=$mode; create table t(a,b);\" >/dev/null\n"
            "for w in 1 2; do (for i in $(seq 20); do echo \"begin immediate; insert into t values($w,$i);"
            " insert into t values($w,-$i); commit;\"; done | sqlite3 -cmd '.timeout 15000' $mode.db) & done; wait\n"
            FORGET " $mode.db; sqlite3 $mode.db 'begin; insert into t values(3,3); rollback; select count(*),sum(b) from t;"
            " pragma integrity_check;'; done", out, sizeof out), 0);
        CHECK_STRING(out, "80|0\nok\n80|0\nok\n");
    }
    fake_close(&fake);
}

QZ_TEST(unlinked_files_live_while_open) // A removed file can be read and written until it is closed, then its room is free.
{
    struct fake fake;
    if (fake_open(&fake, &(struct fakefs_mount){.size = 1 << 20})) {
        int file = open(fake_path(&fake, "/gone"), O_RDWR | O_CREAT | O_EXCL, 0600);
        static char bytes[512 * 1024];
        memset(bytes, 'x', sizeof bytes);
        CHECK_INT(write(file, bytes, sizeof bytes), sizeof bytes);
        CHECK_INT(unlink(fake_path(&fake, "/gone")), 0);
        CHECK_INT(pwrite(file, "late", 4, 100), 4);
        char seen[5] = "";
        CHECK_INT(pread(file, seen, 4, 100), 4);
        CHECK_STRING(seen, "late");
        struct stat stat;
        CHECK_INT(fstat(file, &stat), 0);
        CHECK_INT(stat.st_nlink, 0);
        CHECK_INT(access(fake_path(&fake, "/gone"), F_OK), -1);
        struct statvfs before;
        struct statvfs after;
        statvfs(fake.mount, &before);
        close(file);
        for (int i = 0; i < 100; i++) { /* the kernel closes and forgets when it likes */
            statvfs(fake.mount, &after);
            if (after.f_bfree > before.f_bfree)
                break;
            usleep(10000);
        }
        CHECK_INT(after.f_bfree - before.f_bfree, 128);
    }
    fake_close(&fake);
}

QZ_TEST(renames_exchange_and_refuse) // RENAME_EXCHANGE swaps, also a file and a directory; RENAME_NOREPLACE never replaces.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/file"), "file");
        mkdir(fake_path(&fake, "/dir"), 0755);
        mkdir(fake_path(&fake, "/dir/sub"), 0755);
        fake_write(fake_path(&fake, "/dir/inner"), "inner");
        CHECK_INT(renameat2(-1, fake_path(&fake, "/file"), -1, fake_path(&fake, "/dir/sub"), RENAME_EXCHANGE), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/dir/sub")), "file");
        struct stat stats[2];
        CHECK_INT(stat(fake_path(&fake, "/file"), &stats[0]), 0);
        CHECK_INT(stat(fake_path(&fake, "/dir"), &stats[1]), 0);
        CU_ASSERT(S_ISDIR(stats[0].st_mode));
        CHECK_INT(stats[1].st_nlink, 2);
        CHECK_INT(renameat2(-1, fake_path(&fake, "/dir/inner"), -1, fake_path(&fake, "/dir/sub"), RENAME_NOREPLACE), -1);
        CHECK_INT(errno, EEXIST);
        CHECK_INT(rename(fake_path(&fake, "/dir/inner"), fake_path(&fake, "/dir/sub")), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/dir/sub")), "inner");
        CHECK_INT(rename(fake_path(&fake, "/file"), fake_path(&fake, "/dir")), -1);
        CHECK_INT(errno, ENOTEMPTY);
    }
    fake_close(&fake);
}

QZ_TEST(mappings_are_shared) // What one process stores into a shared mapping, others read; after msync the server has it.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/mapped"), "0123456789");
        int file = open(fake_path(&fake, "/mapped"), O_RDWR);
        char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        CU_ASSERT_NOT_EQUAL(memory, MAP_FAILED);
        memset(memory, 's', 6);
        CHECK_STRING(fake_read(fake_path(&fake, "/mapped")), "ssssss6789");
        CHECK_INT(msync(memory, 4096, MS_SYNC), 0);
        munmap(memory, 4096);
        close(file);
        CHECK_INT(fakefs_copy(&fake.fakefs, "/mapped", -1, "/copy"), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/copy")), "ssssss6789");
    }
    fake_close(&fake);
}

QZ_TEST(direct_io_works) // O_DIRECT reads what was written with O_DIRECT and without.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        int direct = open(fake_path(&fake, "/file"), O_RDWR | O_CREAT | O_DIRECT, 0600);
        int cached = open(fake_path(&fake, "/file"), O_RDWR);
        char *block = aligned_alloc(4096, 8192);
        memset(block, 'd', 8192);
        CHECK_INT(pwrite(direct, block, 8192, 0), 8192);
        CHECK_INT(pwrite(cached, "cached", 6, 4100), 6);
        memset(block, 0, 8192);
        CHECK_INT(pread(direct, block, 8192, 0), 8192);
        CU_ASSERT(memcmp(block + 4094, "ddddddcachedd", 13) == 0);
        memset(block, 'e', 4096);
        CHECK_INT(pwrite(direct, block, 4096, 4096), 4096);
        char seen[3] = "";
        CHECK_INT(pread(cached, seen, 2, 4095), 2);
        CHECK_STRING(seen, "de");
        free(block);
        close(direct);
        close(cached);
    }
    fake_close(&fake);
}

static int write_fifo(const struct fake *fake, void *argument)
{
    return fake_append(fake_path(fake, argument), "through");
}

static int try_lock(const struct fake *fake, void *argument)
{
    int file = open(fake_path(fake, argument), O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    if (flock(file, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return fcntl(file, F_SETLK, &lock) == 0 ? 0 : EAGAIN;
}

QZ_TEST(fifos_and_locks_hold_between_processes) // A fifo carries bytes; flock and POSIX locks keep other processes out.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        CHECK_INT(mkfifo(fake_path(&fake, "/fifo"), 0600), 0);
        pid_t writer = fake_start(&fake, write_fifo, "/fifo");
        CHECK_STRING(fake_read(fake_path(&fake, "/fifo")), "through");
        CHECK_INT(fake_wait(writer, 5000), 0);
        fake_write(fake_path(&fake, "/locked"), "x");
        int file = open(fake_path(&fake, "/locked"), O_RDWR);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
        CHECK_INT(flock(file, LOCK_EX), 0);
        CHECK_INT(fcntl(file, F_SETLK, &lock), 0);
        CHECK_INT(fake_wait(fake_start(&fake, try_lock, "/locked"), 5000), EAGAIN);
        close(file);
        CHECK_INT(fake_wait(fake_start(&fake, try_lock, "/locked"), 5000), 0);
    }
    fake_close(&fake);
}

QZ_TEST(attributes_are_kept) // Extended attributes are set, listed, replaced and removed, by the flags' rules.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        const char *file = fake_path(&fake, "/file");
        fake_write(file, "x");
        char value[16] = "";
        CHECK_INT(setxattr(file, "user.one", "1", 1, XATTR_CREATE), 0);
        CHECK_INT(setxattr(file, "user.one", "2", 1, XATTR_CREATE), -1);
        CHECK_INT(errno, EEXIST);
        CHECK_INT(setxattr(file, "user.two", "2", 1, XATTR_REPLACE), -1);
        CHECK_INT(errno, ENODATA);
        CHECK_INT(setxattr(file, "trusted.two", "22", 2, 0), 0);
        CHECK_INT(setxattr(file, "user.one", "one", 3, XATTR_REPLACE), 0);
        CHECK_INT(getxattr(file, "user.one", NULL, 0), 3);
        CHECK_INT(getxattr(file, "user.one", value, 2), -1);
        CHECK_INT(errno, ERANGE);
        CHECK_INT(getxattr(file, "user.one", value, sizeof value), 3);
        CHECK_STRING(value, "one");
        char names[64] = "";
        CHECK_INT(listxattr(file, names, sizeof names), 21);
        CHECK_STRING(names, "user.one");
        CHECK_STRING(names + 9, "trusted.two");
        CHECK_INT(removexattr(file, "user.one"), 0);
        CHECK_INT(getxattr(file, "user.one", value, sizeof value), -1);
        CHECK_INT(errno, ENODATA);
    }
    fake_close(&fake);
}

static int64_t blocks_of(int file)
{
    struct stat stat;
    return fstat(file, &stat) == 0 ? stat.st_blocks : -1;
}

QZ_TEST(holes_are_holes) // Holes cost nothing, are found by lseek, punched and filled by fallocate, and read as zeroes.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        int file = open(fake_path(&fake, "/sparse"), O_RDWR | O_CREAT, 0600);
        static char bytes[16384];
        memset(bytes, 'x', sizeof bytes);
        CHECK_INT(pwrite(file, bytes, sizeof bytes, INT64_C(1) << 40), sizeof bytes);
        CHECK_INT(blocks_of(file), 32);
        CHECK_INT(lseek(file, 0, SEEK_DATA), INT64_C(1) << 40);
        CHECK_INT(lseek(file, 0, SEEK_HOLE), 0);
        CHECK_INT(lseek(file, INT64_C(1) << 40, SEEK_HOLE), (INT64_C(1) << 40) + 16384);
        CHECK_INT(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (INT64_C(1) << 40) + 100, 8192), 0);
        CHECK_INT(blocks_of(file), 24);
        CHECK_INT(pread(file, bytes, 8394, INT64_C(1) << 40), 8394);
        CU_ASSERT(bytes[99] == 'x' && bytes[100] == 0 && bytes[4096] == 0 && bytes[8291] == 0 && bytes[8292] == 'x');
        CHECK_INT(lseek(file, (INT64_C(1) << 40) + 4096, SEEK_DATA), (INT64_C(1) << 40) + 8192);
        CHECK_INT(ftruncate(file, 0), 0);
        CHECK_INT(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 65536), 0);
        CHECK_INT(blocks_of(file), 128);
        CHECK_INT(lseek(file, 0, SEEK_END), 0);
        CHECK_INT(fallocate(file, 0, 0, 65536), 0);
        CHECK_INT(lseek(file, 0, SEEK_END), 65536);
        CHECK_INT(pwrite(file, bytes, 100, 0), 100);
        CHECK_INT(fallocate(file, FALLOC_FL_ZERO_RANGE, 50, 100000), 0);
        CHECK_INT(pread(file, bytes, 200, 0), 200);
        CU_ASSERT(bytes[49] == 'x' && bytes[50] == 0 && bytes[99] == 0);
        CHECK_INT(lseek(file, 0, SEEK_END), 100050);
        close(file);
    }
    fake_close(&fake);
}

QZ_TEST(room_ends) // As many bytes as the size says can be written, then ENOSPC, until something is removed.
{
    struct fake fake;
    if (fake_open(&fake, &(struct fakefs_mount){.size = 64 * 1024})) {
        static char bytes[65536 + 8192];
        struct statvfs room;
        CHECK_INT(statvfs(fake.mount, &room), 0);
        CHECK_INT(room.f_blocks * room.f_frsize, 65536);
        CHECK_INT(room.f_bavail, 16);
        int file = open(fake_path(&fake, "/file"), O_RDWR | O_CREAT, 0600);
        CHECK_INT(write(file, bytes, sizeof bytes), 65536);
        CHECK_INT(write(file, bytes, 1), -1);
        CHECK_INT(errno, ENOSPC);
        CHECK_INT(pwrite(file, bytes, 4096, 0), 4096);
        CHECK_INT(fallocate(file, 0, 65536, 4096), -1);
        CHECK_INT(errno, ENOSPC);
        CHECK_INT(fake_write(fake_path(&fake, "/other"), "x"), ENOSPC);
        CHECK_INT(ftruncate(file, 4096), 0);
        CHECK_INT(fake_write(fake_path(&fake, "/other"), "x"), 0);
        close(file);
    }
    fake_close(&fake);
}

static int append_as_nobody(const struct fake *fake, void *argument)
{
    return setgid(NOBODY) == 0 && setuid(NOBODY) == 0 ? fake_append(fake_path(fake, argument), "x") : EINVAL;
}

static int truncate_as_nobody(const struct fake *fake, void *argument)
{
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return EINVAL;
    return truncate(fake_path(fake, argument), 1) == 0 ? 0 : errno;
}

QZ_TEST(permissions_hold) // Owner and mode are as told, kept by the kernel, and who writes to a set-id program disarms it.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        const char *file = fake_path(&fake, "/file");
        fake_write(file, "x");
        CHECK_INT(chmod(file, 0600), 0);
        CHECK_INT(fake_wait(fake_start(&fake, append_as_nobody, "/file"), 5000), EACCES);
        CHECK_INT(chmod(file, 06777), 0);
        struct stat stat_now;
        stat(file, &stat_now);
        CHECK_INT(stat_now.st_mode & 07777, 06777);
        CHECK_INT(fake_append(file, "x"), 0); /* root may */
        stat(file, &stat_now);
        CHECK_INT(stat_now.st_mode & 07777, 06777);
        CHECK_INT(fake_wait(fake_start(&fake, append_as_nobody, "/file"), 5000), 0);
        stat(file, &stat_now);
        CHECK_INT(stat_now.st_mode & 07777, 0777);
        CHECK_INT(chmod(file, 06777), 0);
        CHECK_INT(fake_wait(fake_start(&fake, truncate_as_nobody, "/file"), 5000), 0);
        stat(file, &stat_now);
        CHECK_INT(stat_now.st_mode & 07777, 0777);
        CHECK_INT(chmod(file, 04755), 0);
        CHECK_INT(chown(file, 7, 8), 0);
        stat(file, &stat_now);
        CHECK_INT(stat_now.st_uid, 7);
        CHECK_INT(stat_now.st_gid, 8);
        CHECK_INT(stat_now.st_mode & 07777, 0755);
        CHECK_INT(mkdir(fake_path(&fake, "/set"), 0755), 0);
        CHECK_INT(chown(fake_path(&fake, "/set"), 0, 42), 0);
        CHECK_INT(chmod(fake_path(&fake, "/set"), 02755), 0);
        CHECK_INT(mkdir(fake_path(&fake, "/set/sub"), 0755), 0);
        stat(fake_path(&fake, "/set/sub"), &stat_now);
        CHECK_INT(stat_now.st_gid, 42);
        CHECK_INT(stat_now.st_mode & 07777, 02755);
    }
    fake_close(&fake);
}

QZ_TEST(times_move_and_can_be_set) // Contents, attributes and names move the times they should; utimens sets them.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        const char *file = fake_path(&fake, "/file");
        const struct timespec old[2] = {{.tv_sec = 1000, .tv_nsec = 7}, {.tv_sec = 2000, .tv_nsec = 9}};
        struct stat stat_now;
        fake_write(file, "x");
        CHECK_INT(utimensat(-1, file, old, 0), 0);
        stat(file, &stat_now);
        CHECK_INT(stat_now.st_atim.tv_sec * 10 + stat_now.st_atim.tv_nsec, 10007);
        CHECK_INT(stat_now.st_mtim.tv_sec * 10 + stat_now.st_mtim.tv_nsec, 20009);
        CHECK_INT(chmod(file, 0640), 0);
        stat(file, &stat_now);
        CHECK_INT(stat_now.st_mtim.tv_sec, 2000);
        CU_ASSERT(stat_now.st_ctim.tv_sec > 2000);
        fake_append(file, "y");
        stat(file, &stat_now);
        CU_ASSERT(stat_now.st_mtim.tv_sec > 2000);
        CHECK_INT(utimensat(-1, fake.mount, old, 0), 0);
        CHECK_INT(rename(file, fake_path(&fake, "/other")), 0);
        stat(fake.mount, &stat_now);
        CU_ASSERT(stat_now.st_mtim.tv_sec > 2000);
    }
    fake_close(&fake);
}

QZ_TEST(large_directories_are_listed_whole) // Every entry that stays is listed once, while others come and go.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        char path[600];
        for (int i = 0; i < 3000; i++) {
            snprintf(path, sizeof path, "%s/file-with-a-name-of-some-length-%d", fake.mount, i);
            close(open(path, O_CREAT | O_WRONLY, 0600));
        }
        DIR *directory = opendir(fake.mount);
        int kept = 0;
        for (const struct dirent *entry; (entry = readdir(directory));) {
            int number = -1;
            if (sscanf(entry->d_name, "file-with-a-name-of-some-length-%d", &number) != 1)
                continue;
            kept += number % 2;
            snprintf(path, sizeof path, "%s/file-with-a-name-of-some-length-%d", fake.mount, number / 2 * 2);
            unlink(path);
        }
        closedir(directory);
        CHECK_INT(kept, 1500);
        memset(path, 'n', sizeof path);
        snprintf(path, sizeof path, "%s/%0256d", fake.mount, 1);
        CHECK_INT(fake_write(path, "x"), ENAMETOOLONG);
    }
    fake_close(&fake);
}
