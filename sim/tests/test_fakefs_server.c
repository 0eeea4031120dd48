/* Servers of fake filesystems: how they start, and how they end whatever happens. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "mount.h"

#define WAIT_MS 10000

/* How often the mount table has this text. */
static int mounts_of(const char *text)
{
    char line[4096];
    int count = 0;
    FILE *table = fopen("/proc/self/mountinfo", "re");
    while (table && fgets(line, sizeof line, table))
        count += strstr(line, text) != NULL;
    if (table)
        fclose(table);
    return count;
}

static bool mounts_become(const char *text, int count)
{
    for (int i = 0; i < 500 && mounts_of(text) != count; i++)
        usleep(10000);
    return mounts_of(text) == count;
}

static int append_to(const struct fake *fake, void *argument)
{
    return fake_append(fake_path(fake, argument), "x");
}

/* A writer that waits for ever. */
static pid_t start_hanging(struct fake *fake)
{
    fake_write(fake_path(fake, "/hangs"), "");
    fake_rule(fake, (struct fakefs_rule){.operation = "write", .path = "/hangs", .delay_us = FAKEFS_FOREVER});
    pid_t writer = fake_start(fake, append_to, "/hangs");
    CU_ASSERT(fake_waits(fake, "write", 1));
    return writer;
}

QZ_TEST(a_killed_server_leaves_a_mount_that_goes) // After SIGKILL its users get ENOTCONN, and stopping removes the mount.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        pid_t writer = start_hanging(&fake);
        CHECK_INT(kill(fake.fakefs.server, SIGKILL), 0);
        CU_ASSERT(fake_wait(writer, WAIT_MS) > 0);
        CHECK_INT(fake_write(fake_path(&fake, "/file"), "x"), ENOTCONN);
        CHECK_INT(mounts_of(fake.mount), 1);
        CHECK_INT(fakefs_freeze(&fake.fakefs), ENOTCONN);
        fakefs_stop(&fake.fakefs);
        CHECK_INT(mounts_of(fake.mount), 0);
    }
    fake_close(&fake);
}

QZ_TEST(a_killed_harness_leaves_nothing) // When who started it is killed, the server ends what hangs, unmounts and ends.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        char inner[96];
        int64_t *pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        snprintf(inner, sizeof inner, "%s/inner", fake.directory);
        mkdir(inner, 0755);
        pid_t harness = fork();
        if (harness == 0) {
            struct fake own = fake;
            char why[256];
            snprintf(own.mount, sizeof own.mount, "%.79s", inner);
            fakefs_start(&own.fakefs, &(struct fakefs_mount){.mount_point = inner}, why, sizeof why);
            pids[1] = start_hanging(&own); /* has a copy of the control's descriptor, too */
            pids[0] = own.fakefs.server;
            pause();
        }
        for (int i = 0; i < 1000 && pids[0] == 0; i++)
            usleep(10000);
        CHECK_INT(mounts_of(inner), 1);
        kill(harness, SIGKILL);
        waitpid(harness, NULL, 0);
        CU_ASSERT(mounts_become(inner, 0));
        for (int i = 0; i < 500 && (kill((pid_t)pids[0], 0) == 0 || kill((pid_t)pids[1], 0) == 0); i++)
            usleep(10000);
        CHECK_INT(kill((pid_t)pids[0], 0), -1);
        CHECK_INT(kill((pid_t)pids[1], 0), -1);
        rmdir(inner);
    }
    fake_close(&fake);
}

QZ_TEST(stopping_ends_what_waits) // Stopping a frozen filesystem full of hanging, waiting and mapped writers is quick, and ends them.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        pid_t hanging = start_hanging(&fake);
        fake_write(fake_path(&fake, "/mapped"), "x");
        fake_write(fake_path(&fake, "/waits"), "x");
        int file = open(fake_path(&fake, "/mapped"), O_RDWR);
        char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        CHECK_INT(fakefs_freeze(&fake.fakefs), 0);
        memory[0] = 'y';
        pid_t mapped = fork();
        if (mapped == 0)
            _exit(msync(memory, 4096, MS_SYNC) == 0 ? 0 : errno);
        pid_t waiting = fake_start(&fake, append_to, "/waits");
        CU_ASSERT(fake_waits(&fake, "write", 3));
        int64_t begin_us = fake_now_us();
        fakefs_stop(&fake.fakefs);
        CU_ASSERT(fake_now_us() - begin_us < 4000000); /* it ended by itself, though its writers were forked from us */
        CHECK_INT(mounts_of(fake.mount), 0);
        CU_ASSERT(fake_wait(hanging, WAIT_MS) > 0);
        CU_ASSERT(fake_wait(mapped, WAIT_MS) > 0);
        CU_ASSERT(fake_wait(waiting, WAIT_MS) > 0);
        munmap(memory, 4096);
        close(file);
    }
    fake_close(&fake);
}

QZ_TEST(a_stopped_server_is_stopped) // A server that does not answer any more (SIGSTOP) is killed, and all is removed.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        fake_write(fake_path(&fake, "/file"), "");
        pid_t server = fake.fakefs.server;
        kill(server, SIGSTOP);
        pid_t writer = fake_start(&fake, append_to, "/file");
        int64_t begin_us = fake_now_us();
        fakefs_stop(&fake.fakefs);
        CU_ASSERT(fake_now_us() - begin_us < 20000000);
        CHECK_INT(kill(server, 0), -1);
        CU_ASSERT(fake_wait(writer, WAIT_MS) > 0);
        CHECK_INT(mounts_of(fake.mount), 0);
    }
    fake_close(&fake);
}

QZ_TEST(waiting_can_be_aborted) // Through the kernel's own file, a connection is aborted though its server cannot be.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        pid_t writer = start_hanging(&fake);
        kill(fake.fakefs.server, SIGSTOP);
        mount_abort(fake.fakefs.source);
        CU_ASSERT(fake_wait(writer, WAIT_MS) > 0);
        kill(fake.fakefs.server, SIGCONT);
    }
    fake_close(&fake);
}

QZ_TEST(unmounted_by_others_it_still_tells) // After somebody unmounts it the control answers: records, state; freezing is ENODEV.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        bool frozen = true;
        fake_write(fake_path(&fake, "/file"), "x");
        CHECK_INT(umount(fake.mount), 0);
        for (int i = 0; i < 500 && fakefs_freeze(&fake.fakefs) == 0; i++) { /* the kernel tells when it has time */
            fakefs_thaw(&fake.fakefs);
            usleep(10000);
        }
        CHECK_INT(fakefs_freeze(&fake.fakefs), ENODEV);
        CHECK_INT(fakefs_is_frozen(&fake.fakefs, &frozen), 0);
        CU_ASSERT(!frozen);
        CHECK_INT(fake_records(&fake, "create", "/file", 0), 1);
    }
    fake_close(&fake);
}

QZ_TEST(covered_and_busy_it_is_unmounted) // What is mounted on it and in it, who stands in it: stopping removes it all the same.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        mkdir(fake_path(&fake, "/inside"), 0755);
        CHECK_INT(mount("tmpfs", fake_path(&fake, "/inside"), "tmpfs", 0, NULL), 0);
        pid_t inside = fork();
        if (inside == 0) {
            (void)!chdir(fake.mount);
            pause();
        }
        for (int i = 0; i < 3; i++)
            CHECK_INT(mount("tmpfs", fake.mount, "tmpfs", 0, NULL), 0);
        CHECK_INT(mounts_of(fake.mount), 5);
        fakefs_stop(&fake.fakefs);
        CHECK_INT(mounts_of(fake.mount), 0);
        kill(inside, SIGKILL);
        waitpid(inside, NULL, 0);
    }
    fake_close(&fake);
}

/* ---- fuseblk ----------------------------------------------------------------------------------------------------- */

/* A loop device that is detached with its last user. Returns it opened, or -1; its path in `path`. */
static int attach_loop(const char *directory, char *path, size_t size)
{
    char image[128];
    snprintf(image, sizeof image, "%s/image", directory);
    int file = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int device = -1;
    for (int i = 0; i < 100 && device < 0 && control >= 0 && ftruncate(file, 1 << 20) == 0; i++) {
        snprintf(path, size, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
        struct loop_config config = {.fd = (unsigned)file, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
        device = open(path, O_RDWR | O_CLOEXEC);
        if (device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) != 0) { /* somebody was quicker */
            close(device);
            device = -1;
        }
    }
    close(control);
    close(file);
    return device;
}

QZ_TEST(fuseblk_shows_its_device) // Mounted on a block device the mount table has its number and name; it unmounts at once.
{
    struct fake fake;
    char device[32];
    char why[256] = "";
    if (access("/dev/loop-control", R_OK | W_OK) != 0) {
        check_skip("no loop devices");
        return;
    }
    if (fake_open(&fake, NULL)) { /* the block-backed one is beside it */
        char inner[96];
        char expected[160];
        struct fakefs block;
        struct stat stat_device;
        struct stat stat_mount;
        snprintf(inner, sizeof inner, "%s/inner", fake.directory);
        mkdir(inner, 0755);
        int loop = attach_loop(fake.directory, device, sizeof device);
        const struct fakefs_mount mount = {.mount_point = inner, .block_device = device};
        CHECK_INT(fakefs_start(&block, &mount, why, sizeof why), 0);
        CHECK_STRING(why, "");
        close(loop);
        CHECK_INT(stat(device, &stat_device), 0);
        CHECK_INT(stat(inner, &stat_mount), 0);
        CU_ASSERT(stat_mount.st_dev == stat_device.st_rdev);
        snprintf(expected, sizeof expected, " %u:%u / %s ", major(stat_device.st_rdev), minor(stat_device.st_rdev), inner);
        CHECK_INT(mounts_of(expected), 1);
        snprintf(expected, sizeof expected, " - fuseblk %s ", device);
        CHECK_INT(mounts_of(expected), 1);
        char path[128];
        snprintf(path, sizeof path, "%s/file", inner);
        CHECK_INT(fake_write(path, "text"), 0);
        CHECK_STRING(fake_read(path), "text");
        CHECK_INT(fakefs_freeze(&block), 0);
        CHECK_INT(fakefs_thaw(&block), 0);
        int64_t begin_us = fake_now_us();
        CHECK_INT(umount(inner), 0);
        CU_ASSERT(fake_now_us() - begin_us < 2000000);
        fakefs_stop(&block);
        loop = attach_loop(fake.directory, device, sizeof device);
        CHECK_INT(fakefs_start(&block, &mount, why, sizeof why), 0);
        close(loop);
        begin_us = fake_now_us();
        fakefs_stop(&block); /* mounted */
        CU_ASSERT(fake_now_us() - begin_us < 2000000);
        CHECK_INT(mounts_of(inner), 0);
        rmdir(inner);
    }
    fake_close(&fake);
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

QZ_TEST(what_cannot_start_says_why) // Of a mount point, a device or a program that is not there, one line tells.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        struct fakefs other;
        char why[256] = "";
        char missing[96];
        snprintf(missing, sizeof missing, "%s/missing", fake.directory);
        CU_ASSERT(fakefs_start(&other, &(struct fakefs_mount){.mount_point = missing}, why,
                               sizeof why) != 0);
        CHECK_CONTAINS(why, "/missing: No such file or directory");
        CHECK_INT(other.server, 0);
        fakefs_stop(&other); /* harmless */
        CU_ASSERT(fakefs_start(&other, &(struct fakefs_mount){.mount_point = "/dev/null"}, why,
                               sizeof why) != 0);
        CHECK_CONTAINS(why, "/dev/null: cannot be mounted as fuse: Not a directory");
        CU_ASSERT(fakefs_start(&other, &(struct fakefs_mount){.mount_point = fake.directory,
                                                              .block_device = missing}, why, sizeof why) != 0);
        CHECK_CONTAINS(why, "cannot be mounted as fuseblk on");
    }
    fake_close(&fake);
}

/* Sends text to the socket at `path`, reads until so many lines have come. */
static void talk(const char *path, const char *text, int lines, char *out, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    size_t used = 0;
    out[0] = '\0';
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(connection, text, strlen(text), MSG_NOSIGNAL) > 0) {
        shutdown(connection, SHUT_WR);
        for (ssize_t got = 1; lines > 0 && got > 0;) {
            got = recv(connection, out + used, size - used - 1, 0);
            for (ssize_t i = 0; i < got; i++)
                lines -= out[used++] == '\n';
        }
    }
    out[used] = '\0';
    close(connection);
}

QZ_TEST(people_can_serve_one) // On the command line, with a socket that only its owner may use; SIGTERM ends and unmounts it.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        char inner[96];
        char path[96];
        char answers[256];
        struct stat stat_socket;
        snprintf(inner, sizeof inner, "%s/inner", fake.directory);
        snprintf(path, sizeof path, "%s/socket", fake.directory);
        mkdir(inner, 0755);
        pid_t server = fork();
        if (server == 0) {
            execl(QUIESCE_SIM, "quiesce-sim", "fakefs", "--size", "1M", "--socket", path, inner, (char *)NULL);
            _exit(127);
        }
        CU_ASSERT(mounts_become(inner, 1));
        CHECK_INT(stat(path, &stat_socket), 0);
        CHECK_INT(stat_socket.st_mode & 0777, 0700);
        talk(path, "{\"do\":\"thaw\"}\n{\"do\":\"waiting\"}\n{\"do\":\"changes\"}\n", 3, answers, sizeof answers);
        CHECK_STRING(answers, "{\"error\":22,\"name\":\"EINVAL\",\"why\":\"Invalid argument\"}\n"
                              "{\"count\":0,\"error\":0}\n{\"count\":0,\"error\":0}\n");
        kill(server, SIGTERM);
        CHECK_INT(fake_wait(server, WAIT_MS), 0);
        CHECK_INT(mounts_of(inner), 0);
        CHECK_INT(access(path, F_OK), -1);
        rmdir(inner);
    }
    fake_close(&fake);
}

QZ_TEST(the_command_line_explains_itself) // --help fits a screen and shows an example; mistakes are told in one line, status 2.
{
    struct fake fake;
    if (fake_open(&fake, NULL)) {
        char out[4096];
        CHECK_INT(fake_shell_out(&fake, "'" QUIESCE_SIM "' fakefs --help", out, sizeof out), 0);
        int lines = 0;
        for (const char *at = out; *at; at++)
            lines += *at == '\n';
        CU_ASSERT(lines > 10 && lines <= 30);
        CHECK_CONTAINS(out, "Example");
        CHECK_INT(fake_shell_out(&fake, "'" QUIESCE_SIM "' fakefs", out, sizeof out), 2);
        CHECK_CONTAINS(out, "MOUNTPOINT: is missing");
        CHECK_INT(fake_shell_out(&fake, "'" QUIESCE_SIM "' fakefs --size 0 x", out, sizeof out), 2);
        CHECK_CONTAINS(out, "0: --size takes bytes");
        CHECK_INT(fake_shell_out(&fake, "'" QUIESCE_SIM "' fakefs --ask '{}' /tmp", out, sizeof out), 3);
        CHECK_CONTAINS(out, "/tmp: is not the mount point of a fakefs");
    }
    fake_close(&fake);
}
