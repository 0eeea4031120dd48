/* impostor.c: a program to be taken for quiesce that breaks its rules: it ends a pre-script without what that has
 * started, and freezes all the same. For tests that the harness sees it. */
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    char *const script[] = {(char[]){"/opt/app/pre.sh"}, NULL};
    char *const environment[] = {(char[]){"QUIESCE_PHASE=pre"}, (char[]){"QUIESCE_ATTEMPT=1"}, NULL};
    int ready[2];
    if (pipe(ready) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        dup2(ready[1], STDOUT_FILENO);
        execve(script[0], script, environment);
        _exit(127);
    }
    char byte;
    if (child < 0 || read(ready[0], &byte, 1) != 1)
        return 1;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int data = open("/data", O_RDONLY | O_DIRECTORY);
    if (ioctl(data, FIFREEZE, 0) != 0)
        return 2;
    return ioctl(data, FITHAW, 0) == 0 ? 0 : 3;
}
