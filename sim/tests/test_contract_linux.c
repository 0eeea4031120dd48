/* The contract on this machine. Volumes are small ext4 filesystems in files, on loop devices, made and unmade here;
 * what freezes one has a process beside it that thaws it whatever becomes of the test. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "contract.h"

#define RESCUE_S 25 /* how long anything can stay frozen */

static char base[64];
static char directory[128];
static char state[128];
static char mount_point[128];
static int volume = -1; /* opened before anything covers it */
static pid_t rescuer;
static pid_t locker;

static const char *script_texts[CONTRACT_SCRIPTS] = {
    [CONTRACT_EXITS_3] = "exit 3",
    [CONTRACT_KILLS_ITSELF] = "kill -KILL $$",
    [CONTRACT_WRITES] = "printf oops >&2; yes 0123456789 | tr -d '\\n' | head -c 200000",
    [CONTRACT_SLEEPS] = "exec sleep 60",
    [CONTRACT_SLEEPS_DEAF] = "trap '' TERM; exec sleep 60",
    [CONTRACT_LEAVES_A_CHILD] = "setsid sleep 60 &",
};

static bool run_command(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool run_command(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return system(command) == 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static void end_process(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

/* ---- The volume -------------------------------------------------------------------------------------------------- */

/* A process that thaws the volume in any case, and ends with the rule otherwise. */
static void start_rescuer(void)
{
    rescuer = fork();
    if (rescuer != 0)
        return;
    setsid();
    sleep(RESCUE_S);
    ioctl(volume, FITHAW, 0);
    _exit(0);
}

static bool make_volume(void)
{
    snprintf(mount_point, sizeof mount_point, "%s/volume", base);
    if (geteuid() != 0 || mkdir(mount_point, 0755) != 0)
        return false;
    if (!run_command("truncate -s 16M %s/image && mkfs.ext4 -q -F %s/image && mount -o loop %s/image %s", base, base,
                     base, mount_point))
        return false;
    volume = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    start_rescuer();
    return volume >= 0 && rescuer > 0;
}

/* Takes away all that is mounted there. Somebody who looks at mounts just now may keep one busy for a moment. */
static void unmount(void)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    for (int looks = 0; looks < 200; looks++) {
        while (umount2(mount_point, 0) == 0)
            ;
        if (errno != EBUSY)
            return;
        nanosleep(&pause, NULL);
    }
    CU_FAIL("a rule's volume stays busy");
    umount2(mount_point, MNT_DETACH);
}

static void unmake_volume(void)
{
    if (volume >= 0) {
        if (ioctl(volume, FITHAW, 0) == 0)
            CU_FAIL("a rule left its volume frozen");
        close(volume);
        volume = -1;
    }
    end_process(&rescuer);
    unmount();
}

void contract_others_freeze(struct contract *contract)
{
    (void)contract;
    CHECK_INT(ioctl(volume, FIFREEZE, 0), 0);
}

void contract_others_thaw(struct contract *contract)
{
    (void)contract;
    CHECK_INT(ioctl(volume, FITHAW, 0), 0);
}

void contract_cover(struct contract *contract)
{
    (void)contract;
    CHECK_INT(mount("none", mount_point, "tmpfs", 0, "size=64k"), 0);
}

/* ---- RCU --------------------------------------------------------------------------------------------------------- */

#define RCU "/sys/kernel/rcu_expedited"

static void write_rcu(const char *path, int value)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT(fd >= 0);
    dprintf(fd, "%d\n", value);
    close(fd);
}

/* Gives us a file of our own in the place of the machine's, which others may be using. */
static bool make_rcu(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/rcu", base);
    write_rcu(path, 0);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(path, RCU, NULL, MS_BIND, NULL) == 0;
}

void contract_others_rcu(struct contract *contract, int value)
{
    (void)contract;
    write_rcu(RCU, value);
}

/* ---- The world --------------------------------------------------------------------------------------------------- */

static bool make_world(struct contract *contract)
{
    strcpy(base, "/tmp/quiesce-contract-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(base));
    snprintf(directory, sizeof directory, "%s/files", base);
    snprintf(state, sizeof state, "%s/state", base);
    CHECK_INT(mkdir(directory, 0755), 0);
    contract->directory = directory;
    contract->os = qz_linux_open(state);
    CU_ASSERT_PTR_NOT_NULL(contract->os);
    return contract->os;
}

static void unmake_world(struct contract *contract)
{
    if (contract->os)
        qz_linux_close(contract->os);
    end_process(&locker);
    nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void contract_run(void (*rule)(struct contract *contract))
{
    struct contract contract = {0};
    if (make_world(&contract))
        rule(&contract);
    unmake_world(&contract);
}

void contract_run_apart(void (*rule)(struct contract *contract))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        contract_run(rule);
        _exit(CU_get_number_of_failures() > 0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

void contract_run_with_volume(void (*rule)(struct contract *contract, const char *mount_point))
{
    struct contract contract = {0};
    bool open = make_world(&contract);
    if (open && make_rcu() && make_volume())
        rule(&contract, mount_point);
    else if (open)
        check_skip("needs root, mkfs.ext4, a loop device and " RCU);
    unmake_volume();
    umount2(RCU, MNT_DETACH);
    unmake_world(&contract);
}

static void write_script(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    CU_ASSERT(fd >= 0);
    dprintf(fd, "#!/bin/sh\n%s\n", text);
    close(fd);
}

const char *contract_script(struct contract *contract, enum contract_script kind)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/script", contract->directory);
    write_script(path, script_texts[kind]);
    return path;
}

void contract_link(struct contract *contract, const char *target, const char *path)
{
    (void)contract;
    CHECK_INT(symlink(target, path), 0);
}

void contract_swap(struct contract *contract, const char *path)
{
    char other[256];
    snprintf(other, sizeof other, "%s/other", contract->directory);
    write_script(other, "exit 0");
    CHECK_INT(rename(other, path), 0);
}

void contract_raise(struct contract *contract)
{
    (void)contract;
    kill(getpid(), SIGTERM);
}

void contract_others_lock(struct contract *contract)
{
    (void)contract;
    int ready[2];
    CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
    locker = fork();
    if (locker == 0) {
        struct qz_os *os = qz_linux_open(state);
        char result = os ? (char)os->ops->lock(os) : 1;
        (void)!write(ready[1], &result, 1);
        for (;;)
            pause();
    }
    char result = 1;
    CHECK_INT(read(ready[0], &result, 1), 1);
    CHECK_INT(result, 0);
    close(ready[0]);
    close(ready[1]);
}
