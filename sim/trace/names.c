/* names.c: signals and errors by name, for traces and scenarios. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

const char *trace_signal_name(int signal_number)
{
    const char *name = sigabbrev_np(signal_number);
    static _Thread_local char number[16];
    if (!name)
        snprintf(number, sizeof number, "%d", signal_number);
    return name ? name : number;
}

const char *trace_errno_name(int error)
{
    const char *name = strerrorname_np(error);
    static _Thread_local char number[16];
    if (!name)
        snprintf(number, sizeof number, "%d", error);
    return name ? name : number;
}

int trace_signal_number(const char *name)
{
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (int number = 1; number < NSIG; number++) {
        const char *known = sigabbrev_np(number);
        if (known && strcmp(known, name) == 0)
            return number;
    }
    return -1;
}

int trace_errno_number(const char *name)
{
    for (int number = 1; number < 134; number++) { /* Linux has them up to EHWPOISON, 133 */
        const char *known = strerrorname_np(number);
        if (known && strcmp(known, name) == 0)
            return number;
    }
    return -1;
}
