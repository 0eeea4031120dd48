/* Operations that fail, stall and fall short, as rules of the fake filesystem say. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

#define WAIT_MS 10000

QZ_TEST(the_nth_fails) // Of the operations that match, exactly the nth fails; those of other paths are not counted.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/log"), "");
        fake_write(fake_path(&fake, "/other"), "");
        fake_rule(&fake, (struct fakefs_rule){
            .operation = "write", .path = "/lo*", .chance = FAKEFS_NTH, .nth = 3, .error = EIO});
        for (int i = 1; i <= 5; i++) {
            CHECK_INT(fake_append(fake_path(&fake, "/other"), "x"), 0);
            CHECK_INT(fake_append(fake_path(&fake, "/log"), "x"), i == 3 ? EIO : 0);
        }
        CHECK_STRING(fake_read(fake_path(&fake, "/log")), "xxxx");
        CHECK_INT(fakefs_clear_rules(&fake.fakefs), 0);
    }
    fake_close(&fake);
}

QZ_TEST(every_nth_fails) // With "every", each one fails, or each kth; after the rules are cleared none does.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        const char *file = fake_path(&fake, "/file");
        fake_write(file, "");
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .nth = 2, .error = ENOSPC});
        for (int i = 1; i <= 6; i++)
            CHECK_INT(fake_append(file, "x"), i % 2 ? 0 : ENOSPC);
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .error = EIO}); /* the first error counts */
        CHECK_INT(fake_append(file, "x"), EIO);
        CHECK_INT(fake_append(file, "x"), ENOSPC);
        fakefs_clear_rules(&fake.fakefs);
        CHECK_INT(fake_append(file, "x"), 0);
    }
    fake_close(&fake);
}

/* Which of 64 appends failed, as bits. */
static uint64_t failures(struct fake *fake, double probability, uint64_t seed)
{
    uint64_t failed = 0;
    fake_write(fake_path(fake, "/file"), "");
    fake_rule(fake, (struct fakefs_rule){
        .operation = "write", .chance = FAKEFS_PROBABILITY, .probability = probability, .seed = seed, .error = EIO});
    for (int i = 0; i < 64; i++)
        failed |= (uint64_t)(fake_append(fake_path(fake, "/file"), "x") == EIO) << i;
    fakefs_clear_rules(&fake->fakefs);
    return failed;
}

QZ_TEST(chance_has_a_seed) // With a probability, the seed decides which fail: the same seed, the same failures.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        uint64_t first = failures(&fake, 0.5, UINT64_C(0xfedcba9876543210));
        CU_ASSERT(__builtin_popcountll(first) > 10 && __builtin_popcountll(first) < 54);
        CU_ASSERT(failures(&fake, 0.5, UINT64_C(0xfedcba9876543210)) == first);
        CU_ASSERT(failures(&fake, 0.5, UINT64_C(0xfedcba9876543211)) != first);
        CU_ASSERT(failures(&fake, 0, 1) == 0);
        CU_ASSERT(failures(&fake, 1, 1) == UINT64_MAX);
    }
    fake_close(&fake);
}

/* ---- Every operation --------------------------------------------------------------------------------------------- */

static long act_on(const char *operation, const char *file, const char *directory, const char *new)
{
    int opened = open(file, O_RDWR | O_CLOEXEC);
    char bytes[16] = "";
    struct statvfs room;
    long result = 0;
    if (strcmp(operation, "open") == 0)
        return opened;
    if (strcmp(operation, "fsync") == 0)
        result = fsync(opened);
    else if (strcmp(operation, "read") == 0)
        result = pread(opened, bytes, sizeof bytes, 0);
    else if (strcmp(operation, "write") == 0)
        result = pwrite(opened, "x", 1, 0);
    else if (strcmp(operation, "truncate") == 0)
        result = ftruncate(opened, 1);
    else if (strcmp(operation, "fallocate") == 0)
        result = fallocate(opened, 0, 0, 8192);
    else if (strcmp(operation, "lseek") == 0)
        result = lseek(opened, 0, SEEK_DATA);
    else if (strcmp(operation, "flush") == 0)
        return close(opened);
    else if (strcmp(operation, "create") == 0)
        result = open(new, O_RDWR | O_CREAT | O_EXCL, 0600);
    else if (strcmp(operation, "mknod") == 0)
        result = mknod(new, S_IFIFO | 0600, 0);
    else if (strcmp(operation, "mkdir") == 0)
        result = mkdir(new, 0700);
    else if (strcmp(operation, "symlink") == 0)
        result = symlink("x", new);
    else if (strcmp(operation, "link") == 0)
        result = link(file, new);
    else if (strcmp(operation, "rename") == 0)
        result = rename(file, new);
    else if (strcmp(operation, "unlink") == 0)
        result = unlink(file);
    else if (strcmp(operation, "rmdir") == 0)
        result = rmdir(directory);
    else if (strcmp(operation, "chmod") == 0)
        result = chmod(file, 0600);
    else if (strcmp(operation, "chown") == 0)
        result = chown(file, 1, 1);
    else if (strcmp(operation, "utimens") == 0)
        result = utimensat(-1, file, NULL, 0);
    else if (strcmp(operation, "statfs") == 0)
        result = statvfs(file, &room);
    else if (strcmp(operation, "setxattr") == 0)
        result = setxattr(file, "user.a", "x", 1, 0);
    else if (strcmp(operation, "getxattr") == 0)
        result = getxattr(file, "user.a", bytes, sizeof bytes);
    else if (strcmp(operation, "listxattr") == 0)
        result = listxattr(file, bytes, sizeof bytes);
    else if (strcmp(operation, "removexattr") == 0)
        result = removexattr(file, "user.a");
    else if (strcmp(operation, "getattr") == 0)
        result = stat(file, &(struct stat){0});
    else if (strcmp(operation, "lookup") == 0)
        result = access(file, F_OK);
    else if (strcmp(operation, "opendir") == 0)
        result = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    else
        errno = ENOTSUP, result = -2;
    int error = errno;
    close(opened);
    errno = error;
    return result;
}

QZ_TEST(any_operation_can_fail) // A rule names any kind of operation; its caller gets that very errno, and nothing is done.
{
    static const char *const OPERATIONS[] = {
        "open", "fsync", "read", "write", "truncate", "fallocate", "lseek", "flush", "create", "mknod", "mkdir",
        "symlink", "link", "rename", "unlink", "rmdir", "chmod", "chown", "utimens", "statfs", "setxattr", "getxattr",
        "listxattr", "removexattr", "getattr", "lookup", "opendir",
    };
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/file"), "0123456789");
        mkdir(fake_path(&fake, "/dir"), 0755);
        setxattr(fake_path(&fake, "/file"), "user.a", "a", 1, 0);
        for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++) {
            fake_rule(&fake, (struct fakefs_rule){.operation = OPERATIONS[i], .error = EUCLEAN});
            errno = 0;
            long result = act_on(OPERATIONS[i], fake_path(&fake, "/file"), fake_path(&fake, "/dir"),
                                 fake_path(&fake, "/new"));
            int error = errno;
            if (result != -1 || error != EUCLEAN)
                fprintf(stderr, "  %s: %ld %s\n", OPERATIONS[i], result, strerrorname_np(error));
            CU_ASSERT(result == -1 && error == EUCLEAN);
            fakefs_clear_rules(&fake.fakefs);
            CU_ASSERT(fake_records(&fake, OPERATIONS[i], NULL, EUCLEAN) > 0);
        }
        CHECK_STRING(fake_read(fake_path(&fake, "/file")), "0123456789");
        char names[64] = "";
        CHECK_INT(fake_shell_out(&fake, "ls -d *", names, sizeof names), 0);
        CHECK_STRING(names, "dir\nfile\n");
    }
    fake_close(&fake);
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static int append_to(const struct fake *fake, void *argument)
{
    return fake_append(fake_path(fake, argument), "slow");
}

QZ_TEST(what_is_delayed_holds_up_nobody) // A delayed operation takes its time; all others, and the control, go on.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/slow"), "");
        fake_write(fake_path(&fake, "/quick"), "");
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .path = "/slow", .delay_us = 300000});
        pid_t child = fake_start(&fake, append_to, "/slow");
        CU_ASSERT(fake_waits(&fake, "write", 1));
        CHECK_INT(fake_append(fake_path(&fake, "/quick"), "x"), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/quick")), "x");
        CU_ASSERT(!fake_is_over(child));
        CHECK_INT(fake_wait(child, WAIT_MS), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/slow")), "slow");
        struct fakefs_record record = fake_last_record(&fake, "write", "/slow");
        CU_ASSERT(record.waited_us >= 300000);
        CHECK_INT(record.pid, child);
        CHECK_INT(record.length, 4);
        CU_ASSERT(fake_last_record(&fake, "write", "/quick").at_us < record.at_us);
    }
    fake_close(&fake);
}

static int append_page(const struct fake *fake, void *argument)
{
    static char page[4096];
    memset(page, 'p', sizeof page - 1);
    return fake_append(fake_path(fake, argument), page);
}

QZ_TEST(a_rate_is_that_of_all_together) // Two who write at once to a disk of 40 KB/s take as long as both need.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/one"), "");
        fake_write(fake_path(&fake, "/other"), "");
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .bytes_per_s = 40950});
        pid_t one = fake_start(&fake, append_page, "/one");
        CU_ASSERT(fake_waits(&fake, "write", 1));
        pid_t other = fake_start(&fake, append_page, "/other");
        CHECK_INT(fake_wait(one, WAIT_MS), 0);
        CHECK_INT(fake_wait(other, WAIT_MS), 0);
        struct fakefs_record first = fake_last_record(&fake, "write", "/one");
        struct fakefs_record second = fake_last_record(&fake, "write", "/other");
        CU_ASSERT(first.waited_us >= 100000);
        CU_ASSERT(second.at_us >= first.at_us - first.waited_us + 200000);
    }
    fake_close(&fake);
}

QZ_TEST(what_hangs_is_released) // A hundred hanging writers leave everything else alone, until they are released.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        char path[16];
        pid_t writers[100];
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .path = "/hangs-*", .delay_us = FAKEFS_FOREVER});
        for (int i = 0; i < 100; i++) {
            snprintf(path, sizeof path, "/hangs-%d", i);
            fake_write(fake_path(&fake, path), ""); /* empty: no write */
            writers[i] = fake_start(&fake, append_to, path);
        }
        CU_ASSERT(fake_waits(&fake, "write", 100));
        CHECK_INT(fake_write(fake_path(&fake, "/other"), "other"), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/other")), "other");
        CHECK_INT(fakefs_release(&fake.fakefs, "read"), 0);
        CU_ASSERT(fake_waits(&fake, NULL, 100));
        CHECK_INT(fakefs_release(&fake.fakefs, "write"), 0);
        for (int i = 0; i < 100; i++)
            CHECK_INT(fake_wait(writers[i], WAIT_MS), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/hangs-99")), "slow");
    }
    fake_close(&fake);
}

QZ_TEST(a_hang_can_end_in_an_error) // Delay and error go together: first the one, then the other, and nothing is done.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/file"), "old");
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .delay_us = FAKEFS_FOREVER, .error = ETIMEDOUT});
        pid_t child = fake_start(&fake, append_to, "/file");
        CU_ASSERT(fake_waits(&fake, "change", 1));
        CHECK_INT(fakefs_release(&fake.fakefs, NULL), 0);
        CHECK_INT(fake_wait(child, WAIT_MS), ETIMEDOUT);
        CHECK_STRING(fake_read(fake_path(&fake, "/file")), "old");
    }
    fake_close(&fake);
}

QZ_TEST(transfers_are_cut) // A read or a write of more than a rule's transfer does as much, and says so.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/file"), "0123456789");
        fake_rule(&fake, (struct fakefs_rule){.operation = "read", .path = "/file", .transfer = 4});
        fake_rule(&fake, (struct fakefs_rule){.operation = "write", .transfer = 3});
        int file = open(fake_path(&fake, "/file"), O_RDWR);
        char bytes[16] = "";
        CHECK_INT(pread(file, bytes, 10, 2), 4);
        CHECK_STRING(bytes, "2345");
        CHECK_INT(pwrite(file, "abcdef", 6, 0), 3);
        fakefs_clear_rules(&fake.fakefs);
        CHECK_INT(pread(file, bytes, 10, 0), 10);
        CHECK_STRING(bytes, "abc3456789");
        struct stat stat;
        fstat(file, &stat);
        CHECK_INT(stat.st_size, 10);
        close(file);
    }
    fake_close(&fake);
}

/* ---- Language ---------------------------------------------------------------------------------------------------- */

static int ask(const struct fake *fake, const char *request, char *answer, size_t size)
{
    char script[512];
    snprintf(script, sizeof script, "'%s' fakefs --ask '%s' .", QUIESCE_SIM, request);
    return fake_shell_out(fake, script, answer, size);
}

QZ_TEST(mistakes_are_refused) // A request that is not understood is refused in one line that says what is allowed.
{
    static const struct {
        const char *request;
        const char *why;
    } MISTAKES[] = {
        {"{\"do\":\"rule\",\"operation\":\"wriet\",\"error\":\"EIO\"}", "operation: wriet is none"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"eror\":\"EIO\"}", "eror: not a key of \\\"rule\\\"; it knows operation"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"error\":\"EIEIO\"}", "error: the name of an errno"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"error\":512}", "from 1 to 511"},
        {"{\"do\":\"rule\",\"operation\":\"fsync\",\"error\":\"ENOSYS\"}", "error: not ENOSYS"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"nth\":0}", "nth: a whole number from 1"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"nth\":1,\"every\":2}", "one of them"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"probability\":1.5}", "from 0 to 1"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"delay_us\":\"long\"}", "delay_us: a whole number"},
        {"{\"do\":\"rule\",\"operation\":\"write\",\"bytes_per_s\":0}", "bytes_per_s: a whole number from 1"},
        {"{\"do\":\"rule\"}", "operation: a string"},
        {"{\"do\":\"freez\"}", "do: freez is none of rule, clear"},
        {"{\"do\":\"copy\",\"path\":\"/none\",\"to\":\"/copy\"}", "/none: is not there"},
        {"freeze", "not a JSON object"},
        {"{} {}", "not a JSON object"},
    };
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        char answer[1024];
        for (size_t i = 0; i < sizeof MISTAKES / sizeof *MISTAKES; i++) {
            CHECK_INT(ask(&fake, MISTAKES[i].request, answer, sizeof answer), 1);
            CHECK_CONTAINS(answer, MISTAKES[i].why);
        }
        CHECK_INT(ask(&fake, "{\"do\":\"rule\",\"operation\":\"write\",\"error\":\"EDQUOT\"}", answer, sizeof answer), 0);
        CHECK_INT(fake_write(fake_path(&fake, "/file"), "x"), EDQUOT);
    }
    fake_close(&fake);
}
