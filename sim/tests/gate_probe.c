/* gate_probe.c: a program like any other, for test_gate: it knows nothing of the gate. Built statically, dynamically
 * and with the sanitizers; each word of its command line names what it does, and it tells what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *what, int result)
{
    printf("%s: %s\n", what, result == 0 ? "ok" : strerrorname_np(errno));
}

static int freeze(char **words)
{
    int directory = open(words[0], O_RDONLY | O_DIRECTORY);
    tell("freeze", ioctl(directory, FIFREEZE, 0));
    tell("thaw", ioctl(directory, FITHAW, 0));
    return 0;
}

static void *freeze_other(void *path)
{
    int other = open(path, O_RDONLY | O_DIRECTORY);
    if (unshare(CLONE_FILES) != 0 || dup2(other, 100) < 0)
        exit(2);
    tell("freeze", ioctl(100, FIFREEZE, 0));
    return NULL;
}

/* A thread with descriptors of its own freezes what is number 100 there, and another directory here. */
static int freeze_in_thread(char **words)
{
    int directory = open(words[0], O_RDONLY | O_DIRECTORY);
    pthread_t thread;
    if (dup2(directory, 100) < 0 || pthread_create(&thread, NULL, freeze_other, words[1]) != 0)
        return 2;
    return pthread_join(thread, NULL);
}

static int show(char **words)
{
    for (int close_on_exec = 0; close_on_exec <= 1; close_on_exec++) {
        char text[256] = "";
        int fd = open(words[0], O_RDONLY | (close_on_exec ? O_CLOEXEC : 0));
        ssize_t size = pread(fd, text, sizeof text - 1, 0);
        printf("%s%s", size >= 0 ? text : strerrorname_np(errno),
               fcntl(fd, F_GETFD) & FD_CLOEXEC ? "closed on exec\n" : "");
    }
    return 0;
}

static void *nothing(void *argument)
{
    return argument;
}

/* What any program does. */
static int live(char **words)
{
    (void)words;
    int ends[2], waiting = -1;
    struct stat status;
    if (pipe(ends) != 0 || write(ends[1], "abc", 3) != 3 || ioctl(ends[0], FIONREAD, &waiting) != 0 || waiting != 3)
        return 2;
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    int ended = 0;
    if (waitpid(child, &ended, 0) != child || WEXITSTATUS(ended) != 7)
        return 3;
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 4;
    if (stat("/", &status) != 0 || ioctl(ends[0], FS_IOC_GETFLAGS, &waiting) == 0 || errno != ENOTTY)
        return 5;
    puts("lived");
    return 0;
}

#if defined(__x86_64__)
/* getpid, by the numbers of another architecture: told, if it came back. */
static int go_i386(char **words)
{
    (void)words;
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    tell("i386", result == getpid() ? 0 : -1);
    return 0;
}

static int go_x32(char **words)
{
    (void)words;
    tell("x32", syscall(0x40000000L | SYS_getpid) == getpid() ? 0 : -1);
    return 0;
}
#endif

/* Execs what follows. */
static int become(char **words)
{
    execv(words[0], words);
    return 127;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(char **words);
    } deeds[] = {
        {"freeze", freeze}, {"thread", freeze_in_thread}, {"show", show}, {"live", live}, {"exec", become},
#if defined(__x86_64__)
        {"i386", go_i386}, {"x32", go_x32},
#endif
    };
    for (size_t i = 0; argc > 1 && i < sizeof deeds / sizeof *deeds; i++) {
        if (strcmp(argv[1], deeds[i].word) == 0)
            return deeds[i].run(argv + 2);
    }
    return 2;
}
