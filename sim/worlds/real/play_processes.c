/* play_processes.c: which process is what, how it began, and how it ended.
 *
 * Nobody tells us: the program is not changed. The agent is what we start, and what gives itself the name of one that
 * goes on in the background. A process of quiesce's that is neither it
 * nor about to execute something is a guardian: it shows itself by giving itself a name, or by what it does to a
 * volume. What quiesce executes with QUIESCE_PHASE in its environment is a script, with QUIESCE_VOLUMES only, the
 * snapshot command. What is alive in a script's control group when the script has ended is a leftover. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"
#include "play.h"

#define BACKGROUND "quiesce-agent" /* what an agent that has detached calls itself */
#define TREE_DEPTH 16
#define PF_EXITING 0x4U        /* of the flags in /proc/PID/stat (linux/sched.h) */
#define ENDING_WAIT_MS 1000    /* who is about to end waits for nobody, but for a busy machine */
#define EXECUTING_WAIT_MS 1000 /* nor who is between two programs */

/* linux/pidfd.h has them since 6.15 (without the later fields). */
struct exit_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};
#define PIDFD_GET_INFO_EXIT _IOWR(0xFF, 11, struct exit_info)
#define PIDFD_INFO_EXIT_MASK (1UL << 3)

/* ---- The list --------------------------------------------------------------------------------------------------- */

struct play_process *play_process_add(struct play *play, pid_t pid, enum trace_role role)
{
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return NULL;
    struct play_process *process = allocate(1, sizeof *process);
    *process = (struct play_process){
        .next = play->processes, .pid = pid, .pidfd = pidfd, .role = role, .status = -1, .output = -1};
    play->processes = process;
    return process;
}

struct play_process *play_process_find(const struct play *play, pid_t pid)
{
    for (struct play_process *process = play->processes; process; process = process->next) {
        if (process->pid == pid && process->pidfd >= 0)
            return process;
    }
    return NULL;
}

struct play_process *play_process_of_role(const struct play *play, enum trace_role role)
{
    for (struct play_process *process = play->processes; process; process = process->next) {
        if (process->role == role && process->pidfd >= 0)
            return process;
    }
    return NULL;
}

bool play_quiesce_lives(const struct play *play)
{
    return play_process_of_role(play, TRACE_AGENT) || play_process_of_role(play, TRACE_GUARDIAN) ||
           play_process_of_role(play, TRACE_HARNESS);
}

bool play_children_live(const struct play *play)
{
    return play_process_of_role(play, TRACE_PRE) || play_process_of_role(play, TRACE_POST) ||
           play_process_of_role(play, TRACE_SNAPSHOT);
}

void play_processes_end(struct play *play)
{
    while (play->processes) {
        struct play_process *process = play->processes;
        play->processes = process->next;
        if (process->pidfd >= 0)
            close(process->pidfd);
        free(process->group);
        free(process);
    }
}

/* ---- What /proc tells ------------------------------------------------------------------------------------------- */

/* A small file of the process; the caller frees. NULL: it is gone. */
static char *read_of(pid_t pid, const char *name, size_t *size)
{
    PATH_OF(path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = file >= 0 ? read_whole(file, size) : NULL;
    if (file >= 0)
        close(file);
    return text;
}

static bool runs_quiesce(const struct play *play, pid_t pid)
{
    struct stat theirs;
    PATH_OF(path, "/proc/%d/exe", (int)pid);
    return stat(path, &theirs) == 0 && theirs.st_dev == play->binary.st_dev && theirs.st_ino == play->binary.st_ino;
}

static pid_t parent_of(pid_t pid)
{
    char *status = read_of(pid, "status", NULL);
    const char *line = status ? strstr(status, "\nPPid:") : NULL;
    pid_t parent = line ? (pid_t)strtol(line + strlen("\nPPid:"), NULL, 10) : 0;
    free(status);
    return parent;
}

/* The status of a process that has ended, as waitpid has it; -1: nobody can tell any more. */
static int status_of_ended(const struct play_process *process)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0)
        return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
    char *stat = read_of(process->pid, "stat", NULL);
    const char *fields = stat ? strrchr(stat, ')') : NULL;
    const char *last = fields && fields[2] == 'Z' ? strrchr(fields, ' ') : NULL;
    int status = last ? atoi(last) : -1;
    free(stat);
    struct exit_info exit_info = {.mask = PIDFD_INFO_EXIT_MASK};
    if (status < 0 && ioctl(process->pidfd, PIDFD_GET_INFO_EXIT, &exit_info) == 0 &&
        exit_info.mask & PIDFD_INFO_EXIT_MASK)
        status = exit_info.exit_code;
    return status;
}

/* The state and flags of the process (proc_pid_stat(5)); what has ended is exiting. */
static unsigned flags_of(pid_t pid, char *state)
{
    char *stat = read_of(pid, "stat", NULL);
    const char *fields = stat ? strrchr(stat, ')') : NULL;
    unsigned flags = PF_EXITING;
    *state = 'X';
    if (fields && sscanf(fields + 1, " %c %*d %*d %*d %*d %*d %u", state, &flags) != 2)
        flags = PF_EXITING;
    free(stat);
    return flags;
}

/* Is the process about to end, or has it ended? Its descriptors may be closed already, and its pidfd tell nothing. */
static bool is_ending(pid_t pid)
{
    char state;
    return flags_of(pid, &state) & PF_EXITING;
}

/* Is the process between two programs, its environment not there yet? Then both its bounds are 0 (proc_pid_stat(5): the
 * fields 50 and 51); where it is empty, they are equal. */
static bool is_executing(pid_t pid)
{
    char *stat = read_of(pid, "stat", NULL);
    const char *at = stat ? strrchr(stat, ')') : NULL;
    for (int field = 2; at && field < 50; field++)
        at = strchr(at + 1, ' ');
    unsigned long start = 0, end = 0;
    bool told = at && sscanf(at, "%lu %lu", &start, &end) == 2;
    free(stat);
    return told && (start != end || end == 0) && !is_ending(pid);
}

/* The environment ("A=1\0B=2\0…"), empty where the process has none; the caller frees. NULL: it is gone. */
static char *environment_of(pid_t pid, size_t *size)
{
    char *environment = read_of(pid, "environ", size);
    for (int waited_ms = 0; environment && *size == 0 && waited_ms < EXECUTING_WAIT_MS && is_executing(pid);
         waited_ms++) {
        usleep(1000);
        free(environment);
        environment = read_of(pid, "environ", size);
    }
    return environment;
}

/* ---- Telling ---------------------------------------------------------------------------------------------------- */

static void tell(struct play *play, const struct play_process *process, enum trace_what what, int value,
                 struct held *held)
{
    if (process->role == TRACE_HARNESS)
        return;
    play_tell(play, (struct trace_event){.role = process->role, .what = what, .ordinal = process->ordinal,
                                         .value = value, .target = process->target, .plugin = process->plugin,
                                         .disk_writes = -1}, held);
}

static void tell_start(struct play *play, struct play_process *process, struct held *held)
{
    process->start_told = true;
    tell(play, process, TRACE_STARTS, 0, held);
}

/* ---- Beginnings ------------------------------------------------------------------------------------------------- */

/* Is it a regular file, as seen inside, that may be executed? `head`: its beginning. */
static bool is_executable(const struct play *play, const char *path, char *head, size_t size)
{
    struct stat facts;
    int file = inside_open(&play->sandbox, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    bool executable = file >= 0 && fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_mode & 0111;
    ssize_t got = executable ? pread(file, head, size - 1, 0) : 0;
    head[got > 0 ? got : 0] = '\0';
    if (file >= 0)
        close(file);
    return executable;
}

/* Will execve succeed? A search in PATH has many that don't, and so has a script whose interpreter is missing. */
static bool can_execute(const struct play *play, const char *path)
{
    char head[256], interpreter[256], none[2];
    if (!is_executable(play, path, head, sizeof head))
        return false;
    return sscanf(head, "#! %255[^ \t\n]", interpreter) != 1 || is_executable(play, interpreter, none, sizeof none);
}

static const struct scenario_plugin *plugin_at(const struct scenario *scenario, enum trace_role role, const char *path)
{
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        const struct scenario_plugin *plugin = &scenario->plugins[i];
        if (strcmp(role == TRACE_PRE ? plugin->pre.location : plugin->post.location, path) == 0)
            return plugin;
    }
    return NULL;
}

/* Notes what a child takes along beyond its three streams: descriptors that execve does not close. */
static void note_inherited(struct play *play, const struct play_process *process)
{
    PATH_OF(folder, "/proc/%d/fdinfo", (int)process->pid);
    DIR *directory = opendir(folder);
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry; entry = readdir(directory)) {
        char name[32];
        snprintf(name, sizeof name, "fdinfo/%.20s", entry->d_name);
        char *text = atoi(entry->d_name) > STDERR_FILENO ? read_of(process->pid, name, NULL) : NULL;
        const char *flags = text ? strstr(text, "flags:") : NULL;
        if (flags && !(strtol(flags + 6, NULL, 8) & O_CLOEXEC))
            play_note(play, "a child inherits descriptor %s", entry->d_name);
        free(text);
    }
    if (directory)
        closedir(directory);
}

/* What quiesce executes is a script, the snapshot command, or nothing that has a part: then it stays what it was. */
static void become_child(struct play *play, struct play_process *process, const struct held *held, const char *path,
                         uint64_t environment)
{
    char phase[8] = "", attempt[16] = "", volumes[2];
    bool script = gate_environment(&held->call, environment, "QUIESCE_PHASE", phase, sizeof phase) == 0;
    bool snapshot = gate_environment(&held->call, environment, "QUIESCE_VOLUMES", volumes, sizeof volumes) != ENOENT;
    if ((!script && !snapshot) || !can_execute(play, path))
        return;
    note_inherited(play, process);
    process->group = read_of(process->pid, "cgroup", NULL);
    process->role = !script ? TRACE_SNAPSHOT : strcmp(phase, "pre") == 0 ? TRACE_PRE : TRACE_POST;
    if (!script)
        return;
    const struct scenario_plugin *plugin = plugin_at(play->scenario, process->role, path);
    process->plugin = plugin ? plugin->name : "?";
    gate_environment(&held->call, environment, "QUIESCE_ATTEMPT", attempt, sizeof attempt);
    process->ordinal = atoi(attempt);
}

/* Was it started by a quiesce that somebody else started? */
static bool is_of_others(const struct play *play, pid_t pid)
{
    const struct play_process *parent = play_process_find(play, parent_of(pid));
    return parent && parent->role != TRACE_AGENT && parent->role != TRACE_GUARDIAN;
}

void play_process_executes(struct play *play, struct held *held, const char *path, uint64_t environment)
{
    struct play_process *process = play_process_find(play, held->process);
    bool quiesce = !process && runs_quiesce(play, held->process);
    if (quiesce)
        play_settle(play);
    if (quiesce && is_of_others(play, held->process))
        return; /* what another quiesce starts has no part */
    if (!process && (quiesce || strcmp(path, SANDBOX_BINARY) == 0))
        process = play_process_add(play, held->process, quiesce ? TRACE_HARNESS : TRACE_OTHER);
    if (process && process->role == TRACE_HARNESS)
        become_child(play, process, held, path, environment);
    if (!process || process->start_told || process->role == TRACE_HARNESS)
        return;
    if (process == play->agent)
        process->ordinal = ++play->agents;
    tell_start(play, process, held);
}

enum trace_role play_caller_role(struct play *play, struct held *held)
{
    play_settle(play);
    struct play_process *process = play_process_find(play, held->process);
    if (!process && runs_quiesce(play, held->process)) {
        bool theirs = is_of_others(play, held->process);
        process = play_process_add(play, held->process, theirs ? TRACE_OTHER : TRACE_HARNESS);
    }
    if (process && process->role == TRACE_HARNESS) {
        process->role = TRACE_GUARDIAN;
        process->ordinal = ++play->guardians;
        tell_start(play, process, held);
    }
    bool ours = process && (process->role == TRACE_AGENT || process->role == TRACE_GUARDIAN);
    return ours ? process->role : TRACE_OTHER;
}

bool play_process_calls(const struct play *play, const struct gate_call *call, enum scenario_caller *by)
{
    if (!play->agent || !play->agent->start_told)
        return false; /* what starts the agent is the harness's */
    const struct play_process *process = play_process_find(play, call->pid);
    pid_t pid = process ? call->pid : gate_process(call);
    if (!process)
        process = play_process_find(play, pid);
    enum trace_role role = process ? process->role : TRACE_HARNESS;
    *by = role == TRACE_AGENT ? SCENARIO_BY_AGENT : role == TRACE_GUARDIAN ? SCENARIO_BY_GUARDIAN : SCENARIO_BY_CHILD;
    return role == TRACE_AGENT || role == TRACE_GUARDIAN ||
           (role == TRACE_HARNESS && runs_quiesce(play, pid) && !is_of_others(play, pid));
}

/* ---- What is left behind ---------------------------------------------------------------------------------------- */

/* Has the environment ("A=1\0B=2\0…") this variable, and with this value (NULL: any)? */
static bool has_variable(const char *environment, size_t size, const char *name, const char *value)
{
    size_t length = strlen(name);
    for (const char *at = environment; at < environment + size; at += strlen(at) + 1) {
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return !value || strcmp(at + length + 1, value) == 0;
    }
    return false;
}

static bool is_of_script(const struct play_process *script, const char *group, const char *environment, size_t size)
{
    char attempt[16];
    snprintf(attempt, sizeof attempt, "%d", script->ordinal);
    if (!script->group || strcmp(script->group, group) != 0)
        return false;
    if (script->role == TRACE_SNAPSHOT)
        return has_variable(environment, size, "QUIESCE_VOLUMES", NULL);
    return (script->role == TRACE_PRE || script->role == TRACE_POST) &&
           has_variable(environment, size, "QUIESCE_PHASE", script->role == TRACE_PRE ? "pre" : "post") &&
           has_variable(environment, size, "QUIESCE_ATTEMPT", attempt);
}

/* The last script, or snapshot command, to whose tree the process belongs; NULL: none. */
static const struct play_process *script_of(const struct play *play, pid_t pid)
{
    size_t size = 0;
    char *group = read_of(pid, "cgroup", NULL);
    char *environment = environment_of(pid, &size);
    const struct play_process *script = group && environment ? play->processes : NULL;
    while (script && !is_of_script(script, group, environment, size))
        script = script->next;
    free(group);
    free(environment);
    return script;
}

static void add_leftover(struct play *play, pid_t pid, const struct play_process *script, struct held *held)
{
    struct play_process *process = play_process_add(play, pid, TRACE_LEFTOVER);
    if (!process)
        return;
    process->target = script->role;
    process->plugin = script->plugin;
    process->ordinal = script->ordinal;
    tell_start(play, process, held);
}

typedef void visitor(struct play *play, pid_t pid, const struct play_process *script);

/* Visits the descendants of a process. */
static void visit_tree(struct play *play, pid_t pid, int depth, visitor *visit, const struct play_process *script)
{
    char name[64];
    snprintf(name, sizeof name, "task/%d/children", (int)pid);
    char *children = read_of(pid, name, NULL);
    char *rest = children;
    for (pid_t child; rest && depth > 0 && (child = (pid_t)strtol(rest, &rest, 10)) > 0;) {
        visit(play, child, script);
        visit_tree(play, child, depth - 1, visit, script);
    }
    free(children);
}

static void look_for_leftover(struct play *play, pid_t pid, const struct play_process *script)
{
    if (play_process_find(play, pid) || runs_quiesce(play, pid))
        return;
    const struct play_process *of = script_of(play, pid);
    if (of && (!script || of == script))
        add_leftover(play, pid, of, NULL);
}

void play_find_leftovers(struct play *play, const struct play_process *script)
{
    /* Agent and guardian adopt what their scripts leave behind; else process 1 does. */
    for (const struct play_process *process = play->processes; process; process = process->next) {
        if (process->pidfd >= 0 && (process->role == TRACE_AGENT || process->role == TRACE_GUARDIAN))
            visit_tree(play, process->pid, TREE_DEPTH, look_for_leftover, script);
    }
    visit_tree(play, play->sandbox.init, TREE_DEPTH, look_for_leftover, script);
}

/* The agent goes on as another process, which is the agent from now on. */
static void add_background(struct play *play, struct held *held)
{
    struct play_process *process = play_process_find(play, held->process);
    if (!process)
        process = play_process_add(play, held->process, is_of_others(play, held->process) ? TRACE_OTHER : TRACE_AGENT);
    if (!process || process->start_told)
        return;
    process->in_background = true;
    process->ordinal = ++play->agents;
    tell_start(play, process, held);
}

void play_process_names_itself(struct play *play, struct held *held)
{
    char name[16] = "";
    gate_string(&held->call, held->call.arguments[1], name, sizeof name);
    if (strcmp(name, BACKGROUND) == 0) {
        add_background(play, held);
        return;
    }
    if (strcmp(name, SANDBOX_LEFTOVER) != 0) {
        play_caller_role(play, held);
        return;
    }
    const struct play_process *script = script_of(play, held->process);
    if (script && !play_process_find(play, held->process))
        add_leftover(play, held->process, script, held);
}

/* ---- Ends ------------------------------------------------------------------------------------------------------- */

static bool is_child(const struct play_process *process)
{
    return process->role == TRACE_PRE || process->role == TRACE_POST || process->role == TRACE_SNAPSHOT;
}

void play_process_exits(struct play *play, struct held *held, int status)
{
    struct play_process *process = play_process_find(play, held->process);
    if (!process || process->end_told || !process->start_told)
        return;
    if (is_child(process))
        play_find_leftovers(play, process);
    process->end_told = true;
    tell(play, process, TRACE_EXITS, status, held);
}

bool play_process_is_stopped(const struct play_process *process)
{
    char state;
    return flags_of(process->pid, &state) & PF_EXITING || state == 'T' || state == 't';
}

void play_settle(struct play *play)
{
    for (struct play_process *process = play->processes; process; process = process->next) {
        if (process->pidfd < 0 || !is_ending(process->pid))
            continue;
        struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
        if (poll(&end, 1, ENDING_WAIT_MS) > 0)
            play_process_ended(play, process);
    }
}

/* A process of quiesce's that is not known by now is a guardian whose agent died before it could show itself. */
static void adopt(struct play *play, pid_t pid, const struct play_process *script)
{
    (void)script;
    if (!play_process_find(play, pid) && runs_quiesce(play, pid))
        play_process_add(play, pid, TRACE_HARNESS);
}

/* What another quiesce said, a note a line; and whoever waited for its end goes on. */
static void end_other(struct play *play, struct play_process *process)
{
    lseek(process->output, 0, SEEK_SET);
    char *text = read_whole(process->output, NULL);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line && !play->ended; line = strtok_r(NULL, "\n", &rest))
        play_note(play, "other quiesce says %s", line);
    free(text);
    close(process->output);
    process->output = -1;
    held_let_go(play, process->waits);
    process->waits = NULL;
}

void play_others_end(struct play *play)
{
    for (struct play_process *process = play->processes; process; process = process->next) {
        if (process->output >= 0)
            end_other(play, process);
    }
}

void play_process_ended(struct play *play, struct play_process *process)
{
    process->status = status_of_ended(process);
    close(process->pidfd);
    process->pidfd = -1;
    int status = process->status < 0 ? 0 : process->status; /* nobody saw: died by no signal known */
    bool exited = process->status >= 0 && WIFEXITED(status);
    if (process->start_told && !process->end_told)
        tell(play, process, exited ? TRACE_EXITS : TRACE_DIES, exited ? WEXITSTATUS(status) : WTERMSIG(status), NULL);
    process->end_told = true;
    if (process->output >= 0)
        end_other(play, process);
    if (process != play->agent)
        return;
    visit_tree(play, play->sandbox.init, 1, adopt, NULL);
    play->agent_ended = true;
    play_release_all(play);
}
