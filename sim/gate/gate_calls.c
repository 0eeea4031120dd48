#include "gate_calls.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Names ------------------------------------------------------------------------------------------------------ */

enum about {
    ABOUT_NOTHING,
    ABOUT_PATH,
    ABOUT_PATH_AT,
    ABOUT_FD,
    ABOUT_MAPPED,
    ABOUT_REQUEST,
    ABOUT_COMMAND,
    ABOUT_OPTION,
    ABOUT_FORK,
    ABOUT_SIGNAL,
};

#define CALL(name, about) {SYS_##name, #name, about},
#if defined(__x86_64__)
#define CALL_X86(name, about) CALL(name, about)
#else
#define CALL_X86(name, about)
#endif

/* Numbers are the same on all machines for what is younger than our headers. */
#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

static const struct known_call {
    int call;
    const char *name;
    enum about about;
} CALLS[] = {
#include "calls.def"
};

static const int FREE[] = {
    SYS_brk, /* the C library takes mmap then */
    SYS_clock_gettime, SYS_clock_nanosleep, SYS_exit, SYS_futex, SYS_getegid, SYS_geteuid, SYS_getgid, SYS_getpid,
    SYS_getppid, SYS_getsid, SYS_gettid, SYS_gettimeofday, SYS_getuid, SYS_madvise, SYS_membarrier, SYS_nanosleep,
    SYS_restart_syscall, SYS_rseq, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sched_getaffinity,
    SYS_sched_yield, SYS_set_robust_list, SYS_set_tid_address, SYS_sigaltstack, SYS_umask,
#if defined(__x86_64__)
    SYS_arch_prctl, SYS_time,
#endif
};

size_t gate_free_calls(int *calls)
{
    memcpy(calls, FREE, sizeof FREE);
    return sizeof FREE / sizeof FREE[0];
}

static const struct known_call *find(int call)
{
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        if (CALLS[i].call == call)
            return &CALLS[i];
    }
    return NULL;
}

const char *gate_call_name(int call)
{
    const struct known_call *known = find(call);
    return known ? known->name : NULL;
}

int gate_call_number(const char *name)
{
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        if (strcmp(CALLS[i].name, name) == 0)
            return CALLS[i].call;
    }
    return -1;
}

/* What was written to in relocating is made read-only when that is done; nothing else ever is. */
static bool ends_relocating(const struct gate_call *call)
{
    return call->call == SYS_mprotect && call->arguments[2] == PROT_READ;
}

bool gate_call_is_loaders(const struct gate_call *call)
{
    char path[64], line[512];
    bool loaders = ends_relocating(call);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)call->pid);
    FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin = 0, end = 0;
        if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && call->instruction >= begin && call->instruction < end)
            loaders |= strstr(line, "/ld-linux") != NULL || strstr(line, "/ld.so") != NULL;
    }
    if (maps)
        fclose(maps);
    return loaders;
}

/* ---- What is another one in every run --------------------------------------------------------------------------- */

/* Does a name end here that is written to under a temporary one first? */
static bool is_written(const char *path, size_t length)
{
    static const char *const ENDS[] = {"/journal", "/result", ".json"};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        size_t size = strlen(ENDS[i]);
        if (length >= size && memcmp(path + length - size, ENDS[i], size) == 0)
            return true;
    }
    return false;
}

/* Is the end of the path a dot and six letters or digits, as mkstemp makes them? ".events" is not. */
static bool is_temporary(const char *path, size_t length)
{
    if (length < 8 || path[length - 7] != '.')
        return false;
    bool mixed = is_written(path, length - 7);
    for (const char *c = path + length - 6; c < path + length; c++) {
        if (!isalnum((unsigned char)*c))
            return false;
        mixed |= isdigit((unsigned char)*c) || isupper((unsigned char)*c);
    }
    return mixed;
}

/* How long the name of a run is that begins here: "20261127T003131Z-e8b9a8"; 0: none does. */
static size_t run_id_length(const char *text)
{
    size_t end = strspn(text, "0123456789");
    if (end != 8 || text[8] != 'T' || strspn(text + 9, "0123456789") != 6 || text[15] != 'Z' || text[16] != '-')
        return 0;
    return 17 + strspn(text + 17, "0123456789abcdef");
}

/* How long the UUID is that begins here; 0: none does. */
static size_t uuid_length(const char *text)
{
    size_t length = strspn(text, "0123456789abcdef-");
    return length == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' ? length : 0;
}

/* How long the mark of a harness is that begins here (sweep.h), with numbers and six random characters; 0: none
 * does. */
static size_t mark_length(const char *text)
{
    return strncmp(text, "quiesce-sim.", 12) == 0 ? strcspn(text, "/") : 0;
}

/* In place: numbers that stand alone, behind one of /.-:[ or "loop" become "*", and so do names of runs and of
 * harnesses, and UUIDs. */
static void generalise(char *path)
{
    size_t length = strlen(path);
    if (is_temporary(path, length))
        memcpy(path + length - 6, "*", 2);
    char *to = path;
    for (const char *from = path; *from;) {
        bool begins = from == path || strchr("/.-:[", from[-1]) || (from - path >= 4 && strncmp(from - 4, "loop", 4) == 0);
        size_t digits = begins ? run_id_length(from) + mark_length(from) + uuid_length(from) : 0;
        digits = begins && digits == 0 ? strspn(from, "0123456789") : digits;
        if (digits > 0 && !isalpha((unsigned char)from[digits])) {
            *to++ = '*';
            from += digits;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* ---- Subjects --------------------------------------------------------------------------------------------------- */

static void about_path(const struct gate_call *call, uint64_t address, char *text)
{
    if (!address || gate_string(call, address, text, GATE_ABOUT_MAX) == EFAULT)
        text[0] = '\0';
    generalise(text);
}

/* "pipe:[123]" is "pipe", "anon_inode:[eventfd]" "eventfd". */
static void simplify(char *text)
{
    size_t length = strlen(text);
    if (strncmp(text, "anon_inode:[", 12) == 0 && text[length - 1] == ']') {
        text[length - 1] = '\0';
        memmove(text, text + 12, length - 12);
    } else if (text[0] != '/') {
        text[strcspn(text, ":")] = '\0';
    }
    char *deleted = strstr(text, " (deleted)");
    if (deleted)
        *deleted = '\0';
}

static void about_descriptor(const struct gate_call *call, int descriptor, const char *root, char *text)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)call->pid, descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    size_t length = strlen(root);
    const char *inside = path;
    if (length > 0 && strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == '\0'))
        inside = path[length] ? path + length : "/";
    snprintf(text, GATE_ABOUT_MAX, "%.*s", GATE_ABOUT_MAX - 1, inside);
    simplify(text);
    generalise(text);
}

/* A path below an open directory is told as a whole. */
static void about_path_at(const struct gate_call *call, const char *root, char *text)
{
    char name[GATE_ABOUT_MAX];
    about_path(call, call->arguments[1], name);
    text[0] = '\0';
    if (name[0] != '/' && (int)call->arguments[0] != AT_FDCWD)
        about_descriptor(call, (int)call->arguments[0], root, text);
    size_t length = strlen(text);
    bool joined = length > 0 && name[0] && text[length - 1] != '/';
    snprintf(text + length, GATE_ABOUT_MAX - length, "%s%s", joined ? "/" : "", name);
}

static const char *request_name(unsigned request, char number[16])
{
    snprintf(number, 16, "%#x", request);
    return request == (unsigned)FIFREEZE ? "FIFREEZE" : request == (unsigned)FITHAW ? "FITHAW" : number;
}

static const char *command_name(int command, char number[16])
{
    static const struct {
        int command;
        const char *name;
    } NAMES[] = {{F_DUPFD, "F_DUPFD"}, {F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC"}, {F_GETFD, "F_GETFD"},
                 {F_SETFD, "F_SETFD"}, {F_GETFL, "F_GETFL"},                 {F_SETFL, "F_SETFL"}};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (NAMES[i].command == command)
            return NAMES[i].name;
    }
    snprintf(number, 16, "%d", command);
    return number;
}

static const char *option_name(int option, char number[16])
{
    static const struct {
        int option;
        const char *name;
    } NAMES[] = {{PR_SET_NAME, "PR_SET_NAME"}, {PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER"},
                 {PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG"}, {PR_SET_VMA, "PR_SET_VMA"},
                 {PR_SET_TIMERSLACK, "PR_SET_TIMERSLACK"}};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (NAMES[i].option == option)
            return NAMES[i].name;
    }
    snprintf(number, 16, "%d", option);
    return number;
}

/* "FIFREEZE /data": what is done, and to what. */
static void about_done_to(const struct gate_call *call, const char *done, const char *root, char *text)
{
    char to[GATE_ABOUT_MAX];
    about_descriptor(call, (int)call->arguments[0], root, to);
    snprintf(text, GATE_ABOUT_MAX, "%s %.200s", done, to);
}

static void about_fork(const struct gate_call *call, char *text)
{
    uint64_t flags = call->arguments[0];
    if (call->call == SYS_clone3 && gate_read(call, call->arguments[0], &flags, sizeof flags) != 0)
        flags = 0;
    strcpy(text, flags & CLONE_THREAD ? "thread" : "process");
}

static void about_signal(int signal_number, char *text)
{
    const char *name = sigabbrev_np(signal_number);
    snprintf(text, GATE_ABOUT_MAX, "%s", name ? name : "0");
}

void gate_call_about(const struct gate_call *call, const char *root, char *text)
{
    char number[16];
    const struct known_call *known = find(call->call);
    text[0] = '\0';
    switch (known ? known->about : ABOUT_NOTHING) {
    case ABOUT_NOTHING: break;
    case ABOUT_PATH: about_path(call, call->arguments[0], text); break;
    case ABOUT_PATH_AT: about_path_at(call, root, text); break;
    case ABOUT_FD: about_descriptor(call, (int)call->arguments[0], root, text); break;
    case ABOUT_MAPPED:
        if ((int)call->arguments[4] >= 0)
            about_descriptor(call, (int)call->arguments[4], root, text);
        break;
    case ABOUT_REQUEST: about_done_to(call, request_name((unsigned)call->arguments[1], number), root, text); break;
    case ABOUT_COMMAND: about_done_to(call, command_name((int)call->arguments[1], number), root, text); break;
    case ABOUT_OPTION: strcpy(text, option_name((int)call->arguments[0], number)); break;
    case ABOUT_FORK: about_fork(call, text); break;
    case ABOUT_SIGNAL: about_signal((int)call->arguments[1], text); break;
    }
}
