/* The fake filesystem, frozen and thawed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

#define WAIT_MS 10000

static bool is_frozen(struct fake *fake)
{
    bool frozen = false;
    CHECK_INT(fakefs_is_frozen(&fake->fakefs, &frozen), 0);
    return frozen;
}

QZ_TEST(freeze_and_thaw_as_the_kernel_does) // A second freeze is EBUSY, a thaw of what is not frozen EINVAL.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        CHECK_INT(fakefs_thaw(&fake.fakefs), EINVAL);
        CHECK_INT(fakefs_freeze(&fake.fakefs), 0);
        CU_ASSERT(is_frozen(&fake));
        CHECK_INT(fakefs_freeze(&fake.fakefs), EBUSY);
        CU_ASSERT(is_frozen(&fake));
        CHECK_INT(fakefs_thaw(&fake.fakefs), 0);
        CU_ASSERT(!is_frozen(&fake));
        CHECK_INT(fakefs_thaw(&fake.fakefs), EINVAL);
        CHECK_INT(fake_records(&fake, "freeze", "/", -1), 2);
        CHECK_INT(fake_records(&fake, "thaw", "/", EINVAL), 2);
    }
    fake_close(&fake);
}

/* ---- Writers ----------------------------------------------------------------------------------------------------- */

/* Each changes something in a directory of its own: the kernel lets only one change a directory at a time. */
struct writer {
    const char *operation;
    const char *directory;
};

static int result_of(long value)
{
    return value < 0 ? errno : 0;
}

static int change(const struct fake *fake, void *argument)
{
    const struct writer *writer = argument;
    char file[256];
    char new[256];
    char directory[256];
    snprintf(file, sizeof file, "%s/%s/file", fake->mount, writer->directory);
    snprintf(new, sizeof new, "%s/%s/new", fake->mount, writer->directory);
    snprintf(directory, sizeof directory, "%s/%s/dir", fake->mount, writer->directory);
    const char *operation = writer->operation;
    if (strcmp(operation, "write") == 0)
        return fake_append(file, "x");
    if (strcmp(operation, "create") == 0)
        return fake_write(new, "");
    if (strcmp(operation, "mkdir") == 0)
        return result_of(mkdir(new, 0700));
    if (strcmp(operation, "mknod") == 0)
        return result_of(mknod(new, S_IFIFO | 0600, 0));
    if (strcmp(operation, "symlink") == 0)
        return result_of(symlink("x", new));
    if (strcmp(operation, "link") == 0)
        return result_of(link(file, new));
    if (strcmp(operation, "rename") == 0)
        return result_of(rename(file, new));
    if (strcmp(operation, "unlink") == 0)
        return result_of(unlink(file));
    if (strcmp(operation, "rmdir") == 0)
        return result_of(rmdir(directory));
    if (strcmp(operation, "truncate") == 0)
        return result_of(truncate(file, 1));
    if (strcmp(operation, "chmod") == 0)
        return result_of(chmod(file, 0600));
    if (strcmp(operation, "chown") == 0)
        return result_of(chown(file, 1, 1));
    if (strcmp(operation, "utimens") == 0)
        return result_of(utimensat(-1, file, NULL, 0));
    if (strcmp(operation, "setxattr") == 0)
        return result_of(setxattr(file, "user.b", "x", 1, 0));
    if (strcmp(operation, "removexattr") == 0)
        return result_of(removexattr(file, "user.a"));
    int opened = open(file, O_RDWR | O_CLOEXEC | (strcmp(operation, "direct") == 0 ? O_DIRECT : 0));
    if (strcmp(operation, "fallocate") == 0)
        return result_of(fallocate(opened, 0, 0, 8192));
    void *block = aligned_alloc(4096, 4096);
    memset(block, 'd', 4096);
    return result_of(write(opened, block, 4096)); /* "direct" */
}

static const char *const CHANGES[] = {
    "write", "direct", "create", "mkdir", "mknod", "symlink", "link", "rename", "unlink", "rmdir", "truncate",
    "fallocate", "chmod", "chown", "utimens", "setxattr", "removexattr",
};
enum { CHANGES_COUNT = sizeof CHANGES / sizeof *CHANGES };

static void prepare(struct fake *fake)
{
    char path[64];
    for (int i = 0; i < CHANGES_COUNT; i++) {
        snprintf(path, sizeof path, "/%s", CHANGES[i]);
        mkdir(fake_path(fake, path), 0755);
        snprintf(path, sizeof path, "/%s/dir", CHANGES[i]);
        mkdir(fake_path(fake, path), 0755);
        snprintf(path, sizeof path, "/%s/file", CHANGES[i]);
        fake_write(fake_path(fake, path), "file");
        setxattr(fake_path(fake, path), "user.a", "a", 1, 0);
    }
}

static int64_t changes(struct fake *fake)
{
    int64_t count = -1;
    CHECK_INT(fakefs_writes(&fake->fakefs, NULL, &count), 0);
    return count;
}

QZ_TEST(whatever_changes_waits) // Every kind of change waits while frozen, is not done before the thaw, and goes on after.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        prepare(&fake);
        CHECK_INT(fakefs_freeze(&fake.fakefs), 0);
        int64_t before = changes(&fake);
        pid_t writers[CHANGES_COUNT];
        for (int i = 0; i < CHANGES_COUNT; i++)
            writers[i] = fake_start(&fake, change, &(struct writer){CHANGES[i], CHANGES[i]});
        CU_ASSERT(fake_waits(&fake, "change", CHANGES_COUNT));
        CHECK_STRING(fake_read(fake_path(&fake, "/chmod/file")), "file"); /* reading goes on */
        CHECK_INT(fake_shell(&fake, "ls >/dev/null; cat chmod/file >/dev/null; stat -f . >/dev/null"), 0);
        for (int i = 0; i < CHANGES_COUNT; i++)
            CU_ASSERT(!fake_is_over(writers[i]));
        CHECK_INT(changes(&fake), before);
        CHECK_INT(fakefs_thaw(&fake.fakefs), 0);
        for (int i = 0; i < CHANGES_COUNT; i++)
            CHECK_INT(fake_wait(writers[i], WAIT_MS), 0);
        CHECK_INT(changes(&fake), before + CHANGES_COUNT);
        int64_t thawed_us = fake_last_record(&fake, "thaw", NULL).at_us;
        CU_ASSERT(fake_last_record(&fake, "rename", NULL).at_us > thawed_us);
        CHECK_STRING(fake_last_record(&fake, "rename", NULL).to, "/rename/new");
    }
    fake_close(&fake);
}

QZ_TEST(mapped_pages_wait) // What is stored into a mapping while frozen reaches the server only after the thaw.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/mapped"), "before");
        int file = open(fake_path(&fake, "/mapped"), O_RDWR);
        char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        CHECK_INT(fakefs_freeze(&fake.fakefs), 0);
        memcpy(memory, "during", 6);
        pid_t child = fork();
        if (child == 0)
            _exit(msync(memory, 4096, MS_SYNC) == 0 ? 0 : errno);
        CU_ASSERT(fake_waits(&fake, "write", 1));
        CHECK_INT(fakefs_copy(&fake.fakefs, "/mapped", -1, "/frozen-copy"), 0); /* the control is not held up */
        CHECK_STRING(fake_read(fake_path(&fake, "/frozen-copy")), "before");
        CU_ASSERT(!fake_is_over(child));
        CHECK_INT(fakefs_thaw(&fake.fakefs), 0);
        CHECK_INT(fake_wait(child, WAIT_MS), 0);
        CHECK_INT(fakefs_copy(&fake.fakefs, "/mapped", -1, "/thawed-copy"), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/thawed-copy")), "during");
        munmap(memory, 4096);
        close(file);
    }
    fake_close(&fake);
}

QZ_TEST(writers_can_fail_instead) // A rule for while it is frozen gives writers an errno in place of the wait.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/file"), "");
        fake_rule(&fake, (struct fakefs_rule){.operation = "change", .error = EROFS, .frozen = true});
        CHECK_INT(fake_append(fake_path(&fake, "/file"), "x"), 0);
        CHECK_INT(fakefs_freeze(&fake.fakefs), 0);
        CHECK_INT(fake_append(fake_path(&fake, "/file"), "x"), EROFS);
        CHECK_INT(mkdir(fake_path(&fake, "/dir"), 0755), -1);
        CHECK_INT(errno, EROFS);
        CHECK_INT(fakefs_thaw(&fake.fakefs), 0);
        CHECK_INT(fake_append(fake_path(&fake, "/file"), "x"), 0);
        CHECK_STRING(fake_read(fake_path(&fake, "/file")), "xx");
    }
    fake_close(&fake);
}

/* ---- Freezing that goes wrong ------------------------------------------------------------------------------------ */

QZ_TEST(freezing_can_fail) // Freezing and thawing fail with any errno, and then it is as it was.
{
    static const int ERRORS[] = {EIO, EOPNOTSUPP, EINTR, ENOMEM, ENOSYS, EAGAIN, EROFS};
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
            fake_rule(&fake, (struct fakefs_rule){.operation = "freeze", .error = ERRORS[i]});
            CHECK_INT(fakefs_freeze(&fake.fakefs), ERRORS[i]);
            CU_ASSERT(!is_frozen(&fake));
            CHECK_INT(fake_write(fake_path(&fake, "/file"), "x"), 0);
            fakefs_clear_rules(&fake.fakefs);
            CHECK_INT(fakefs_freeze(&fake.fakefs), 0);
            fake_rule(&fake, (struct fakefs_rule){
                .operation = "thaw", .chance = FAKEFS_NTH, .nth = 1, .error = ERRORS[i]});
            CHECK_INT(fakefs_thaw(&fake.fakefs), ERRORS[i]);
            CU_ASSERT(is_frozen(&fake));
            CHECK_INT(fakefs_thaw(&fake.fakefs), 0);
            fakefs_clear_rules(&fake.fakefs);
        }
    }
    fake_close(&fake);
}

struct call {
    pthread_t thread;
    struct fakefs fakefs; /* a copy, as another thread may have */
    bool thaws;
    int result;
};

static void *do_call(void *argument)
{
    struct call *call = argument;
    call->result = call->thaws ? fakefs_thaw(&call->fakefs) : fakefs_freeze(&call->fakefs);
    return NULL;
}

static void start_call(struct call *call, const struct fake *fake, bool thaws)
{
    *call = (struct call){.fakefs = fake->fakefs, .thaws = thaws, .result = -1};
    pthread_create(&call->thread, NULL, do_call, call);
}

static int end_call(struct call *call)
{
    pthread_join(call->thread, NULL);
    return call->result;
}

QZ_TEST(a_freeze_that_hangs_stops_writers) // It stops them from its beginning; a thaw waits its turn behind it, as in the kernel.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        struct call freezer;
        struct call thawer;
        prepare(&fake);
        fake_rule(&fake, (struct fakefs_rule){.operation = "freeze", .delay_us = FAKEFS_FOREVER});
        start_call(&freezer, &fake, false);
        CU_ASSERT(fake_waits(&fake, "freeze", 1));
        CU_ASSERT(!is_frozen(&fake));
        pid_t writer = fake_start(&fake, change, &(struct writer){"write", "write"});
        CU_ASSERT(fake_waits(&fake, "write", 1));
        start_call(&thawer, &fake, true);
        usleep(50000);
        CHECK_INT(thawer.result, -1);
        CU_ASSERT(!fake_is_over(writer));
        CHECK_INT(fakefs_release(&fake.fakefs, "freeze"), 0);
        CHECK_INT(end_call(&freezer), 0);
        CHECK_INT(end_call(&thawer), 0);
        CHECK_INT(fake_wait(writer, WAIT_MS), 0);
    }
    fake_close(&fake);
}

QZ_TEST(a_freeze_that_fails_late_lets_writers_go) // Writers that a slow freeze stopped go on when it fails.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        struct call freezer;
        prepare(&fake);
        fake_rule(&fake, (struct fakefs_rule){.operation = "freeze", .delay_us = FAKEFS_FOREVER, .error = EIO});
        start_call(&freezer, &fake, false);
        CU_ASSERT(fake_waits(&fake, "freeze", 1));
        pid_t writer = fake_start(&fake, change, &(struct writer){"mkdir", "mkdir"});
        CU_ASSERT(fake_waits(&fake, "mkdir", 1));
        CHECK_INT(fakefs_release(&fake.fakefs, NULL), 0);
        CHECK_INT(end_call(&freezer), EIO);
        CHECK_INT(fake_wait(writer, WAIT_MS), 0);
    }
    fake_close(&fake);
}

QZ_TEST(freezers_take_turns) // Of two freezes behind a slow one, each gets its own answer: EBUSY; a slow thaw keeps it frozen.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        struct call calls[3];
        fake_rule(&fake, (struct fakefs_rule){
            .operation = "freeze", .chance = FAKEFS_NTH, .nth = 1, .delay_us = FAKEFS_FOREVER});
        for (int i = 0; i < 3; i++) {
            start_call(&calls[i], &fake, false);
            CU_ASSERT(fake_waits(&fake, "freeze", 1));
            usleep(20000);
        }
        CHECK_INT(fakefs_release(&fake.fakefs, NULL), 0);
        CHECK_INT(end_call(&calls[0]), 0);
        CHECK_INT(end_call(&calls[1]), EBUSY);
        CHECK_INT(end_call(&calls[2]), EBUSY);
        fake_rule(&fake, (struct fakefs_rule){.operation = "thaw", .delay_us = FAKEFS_FOREVER});
        start_call(&calls[0], &fake, true);
        CU_ASSERT(fake_waits(&fake, "thaw", 1));
        CU_ASSERT(is_frozen(&fake));
        CHECK_INT(fakefs_release(&fake.fakefs, "thaw"), 0);
        CHECK_INT(end_call(&calls[0]), 0);
        CU_ASSERT(!is_frozen(&fake));
    }
    fake_close(&fake);
}

QZ_TEST(a_rule_for_everything_leaves_freezing_alone) // "*" hangs the filesystem, but not who freezes and thaws it.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        prepare(&fake);
        fake_rule(&fake, (struct fakefs_rule){.operation = "*", .delay_us = FAKEFS_FOREVER});
        CHECK_INT(fakefs_freeze(&fake.fakefs), 0);
        CHECK_INT(fakefs_thaw(&fake.fakefs), 0);
        fakefs_clear_rules(&fake.fakefs);
        CHECK_INT(fakefs_release(&fake.fakefs, NULL), 0);
    }
    fake_close(&fake);
}

QZ_TEST(an_ioctl_freezes_too) // The same requests, as an ioctl on the mount point; from root only.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        int directory = open(fake.mount, O_RDONLY | O_DIRECTORY);
        struct fakefs_text text = {"{\"do\":\"freeze\"}"};
        CHECK_INT(ioctl(directory, FAKEFS_ASK, &text), 0);
        CHECK_STRING(text.bytes, "{\"error\":0}");
        CU_ASSERT(is_frozen(&fake));
        strcpy(text.bytes, "{\"do\":\"freeze\"}");
        CHECK_INT(ioctl(directory, FAKEFS_ASK, &text), 0);
        CHECK_CONTAINS(text.bytes, "{\"error\":16,\"name\":\"EBUSY\"");
        strcpy(text.bytes, "{\"do\":\"thaw\"}");
        CHECK_INT(seteuid(65534), 0);
        CHECK_INT(ioctl(directory, FAKEFS_ASK, &text), -1);
        CHECK_INT(errno, EPERM);
        CHECK_INT(seteuid(0), 0);
        CHECK_INT(ioctl(directory, FAKEFS_ASK, &text), 0);
        CHECK_STRING(text.bytes, "{\"error\":0}");
        CU_ASSERT(!is_frozen(&fake));
        close(directory);
    }
    fake_close(&fake);
}
