#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux_check.h"
#include "linux_paths.h"

/* Waits until a child, or what it has left, has written so much. */
static void await_output(struct qz_os *os, int slot, uint64_t size)
{
    struct qz_event event;
    for (int tries = 0; tries < 1000 && linux_check_out(slot)->total < size; tries++)
        os->ops->wait(os, os->ops->now_us(os) + 5000, &event);
}

/* Waits for a number that a child, or what it has left, writes as its first line. */
static pid_t written_pid(struct qz_os *os, int slot)
{
    await_output(os, slot, 1);
    return (pid_t)strtol(linux_check_tail(linux_check_out(slot)), NULL, 10);
}

/* The same, of a child that succeeds. */
static pid_t left_pid(struct qz_os *os, int slot)
{
    linux_check_end(os, slot, false, 0);
    return written_pid(os, slot);
}

/* ---- Time and signals ------------------------------------------------------------------------------------------- */

QZ_TEST(a_deadline_is_kept_and_never_early)
{
    struct qz_os *os = linux_check_open();
    struct qz_event event;
    for (int64_t length_us = 1; length_us <= 100000; length_us *= 10) {
        int64_t deadline_us = os->ops->now_us(os) + length_us;
        os->ops->wait(os, deadline_us, &event);
        int64_t late_us = os->ops->now_us(os) - deadline_us;
        CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
        CU_ASSERT(late_us >= 0 && late_us < 5 * QZ_US_PER_S); /* on the busiest machine */
    }
    linux_check_close(os);
}

QZ_TEST(a_past_deadline_still_looks_once)
{
    struct qz_os *os = linux_check_open();
    struct qz_event event;
    kill(getpid(), SIGTERM);
    os->ops->wait(os, 0, &event);
    CHECK_INT(event.kind, QZ_EVENT_SIGNAL);
    CHECK_INT(event.value, SIGTERM);
    os->ops->wait(os, 0, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    linux_check_close(os);
}

/* What whoever starts us has done about what asks us to end. */
static void dispose(void (*disposition)(int))
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGTERM, disposition);
    signal(SIGINT, disposition);
    signal(SIGHUP, disposition);
    signal(SIGQUIT, disposition);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

QZ_TEST(each_signal_that_asks_us_to_end_is_an_event)
{
    dispose(SIG_DFL);
    struct qz_os *os = linux_check_open();
    const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct qz_event event;
        kill(getpid(), numbers[i]);
        CU_ASSERT(linux_check_await(os, QZ_EVENT_SIGNAL, LINUX_CHECK_SOON_US, &event));
        CHECK_INT(event.value, numbers[i]);
    }
    linux_check_close(os);
}

QZ_TEST(what_our_caller_ignores_does_not_end_us) // nohup, a job in the background of a script; SIGTERM does
{
    dispose(SIG_IGN);
    struct qz_os *os = linux_check_open();
    struct qz_event event;
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGINT);
    kill(getpid(), SIGQUIT);
    kill(getpid(), SIGTERM);
    CU_ASSERT(linux_check_await(os, QZ_EVENT_SIGNAL, LINUX_CHECK_SOON_US, &event));
    CHECK_INT(event.value, SIGTERM);
    CU_ASSERT_FALSE(linux_check_await(os, QZ_EVENT_SIGNAL, 10000, &event));
    linux_check_close(os);
    dispose(SIG_DFL);
}

QZ_TEST(what_our_caller_ignores_is_not_ignored_by_scripts)
{
    dispose(SIG_IGN);
    struct qz_os *os = linux_check_open();
    CHECK_INT(linux_check_shell(os, 0, "kill -HUP $$; exit 3"), 0);
    linux_check_end(os, 0, true, SIGHUP);
    CHECK_INT(linux_check_shell(os, 0, "kill -INT $$; exit 3"), 0);
    linux_check_end(os, 0, true, SIGINT);
    linux_check_close(os);
    dispose(SIG_DFL);
}

QZ_TEST(a_terminal_does_not_stop_us) // neither by its keys nor by what we write to it
{
    const int numbers[] = {SIGTSTP, SIGTTIN, SIGTTOU};
    struct qz_os *os = linux_check_open();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {0};
        CHECK_INT(sigaction(numbers[i], NULL, &action), 0);
        CU_ASSERT(action.sa_handler == SIG_IGN);
    }
    linux_check_close(os);
}

/* ---- Ends ------------------------------------------------------------------------------------------------------- */

QZ_TEST(an_exit_status_and_a_signal_are_told_apart)
{
    struct qz_os *os = linux_check_open();
    CHECK_INT(linux_check_shell(os, 0, "exit 0"), 0);
    linux_check_end(os, 0, false, 0);
    CHECK_INT(linux_check_shell(os, 128, "exit 124"), 0);
    linux_check_end(os, 128, false, 124);
    CHECK_INT(linux_check_shell(os, 0, "kill -KILL $$"), 0);
    linux_check_end(os, 0, true, SIGKILL);
    linux_check_close(os);
}

QZ_TEST(children_that_end_at_once_each_have_their_event)
{
    struct qz_os *os = linux_check_open();
    for (int slot = 0; slot < 20; slot++)
        CHECK_INT(linux_check_shell(os, slot, "exit 7"), 0);
    usleep(100000);
    bool seen[20] = {false};
    struct qz_event event;
    for (int i = 0; i < 20; i++) {
        CU_ASSERT(linux_check_await(os, QZ_EVENT_CHILD, LINUX_CHECK_SOON_US, &event));
        CHECK_INT(event.end.status, 7);
        CU_ASSERT(!seen[event.slot]);
        seen[event.slot] = true;
    }
    linux_check_close(os);
}

QZ_TEST(an_orphan_that_comes_to_us_is_reaped_without_an_event)
{
    struct qz_os *os = linux_check_open();
    CHECK_INT(linux_check_shell(os, 3, "sleep 0.05 & echo $!"), 0);
    pid_t orphan = left_pid(os, 3);
    struct qz_event event;
    for (int tries = 0; tries < 50 && kill(orphan, 0) == 0; tries++) {
        os->ops->wait(os, os->ops->now_us(os) + 100000, &event);
        CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    }
    CHECK_INT(kill(orphan, 0), -1);
    CHECK_INT(errno, ESRCH);
    linux_check_close(os);
}

QZ_TEST(a_slot_is_refused_while_its_child_runs)
{
    struct qz_os *os = linux_check_open();
    CHECK_INT(linux_check_shell(os, 1, "sleep 60"), 0);
    CHECK_INT(linux_check_shell(os, 1, "true"), EBUSY);
    os->ops->tree_signal(os, 1, SIGKILL);
    linux_check_end(os, 1, true, SIGKILL);
    CHECK_INT(linux_check_shell(os, 1, "true"), 0);
    linux_check_end(os, 1, false, 0);
    linux_check_close(os);
}

/* ---- What a child is given -------------------------------------------------------------------------------------- */

QZ_TEST(a_script_gets_nothing_that_was_ours)
{
    umask(0);
    struct qz_os *os = linux_check_open();
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(linux_check_shell(os, 0, "ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0; pwd; umask;"
                                       "grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2"),
              0);
    linux_check_end(os, 0, false, 0);
    /* 3 is how ls reads the directory. */
    CHECK_STRING(linux_check_tail(linux_check_out(0)),
                 "0 1 2 3 /dev/null\n/\n0022\n0000000000000000\n0000000000000000\n");
    CHECK_STRING(linux_check_tail(linux_check_err(0)), "");
    linux_check_close(os);
}

QZ_TEST(a_child_has_a_session_and_the_kernels_usual_regard)
{
    char before[16];
    qz_linux_read_text("/proc/self/oom_score_adj", before, sizeof before);
    struct qz_os *os = linux_check_open();
    CHECK_INT(linux_check_shell(os, 0, "cat /proc/$$/oom_score_adj; cut -d' ' -f6 /proc/$$/stat; echo $$"), 0);
    linux_check_end(os, 0, false, 0);
    char text[64];
    strcpy(text, linux_check_tail(linux_check_out(0)));
    char *rest = NULL;
    CHECK_STRING(strtok_r(text, "\n", &rest), before);
    const char *session = strtok_r(NULL, "\n", &rest);
    CHECK_STRING(session, strtok_r(NULL, "\n", &rest));
    linux_check_close(os);
}

/* ---- Output ----------------------------------------------------------------------------------------------------- */

QZ_TEST(megabytes_on_both_streams_are_drained_and_their_ends_kept)
{
    struct qz_os *os = linux_check_open();
    CHECK_INT(linux_check_shell(os, 0, "head -c 5000000 /dev/zero | tr '\\0' x >&2 & "
                                       "head -c 5000000 /dev/zero | tr '\\0' y; wait; echo last; echo fault >&2"),
              0);
    linux_check_end(os, 0, false, 0);
    CHECK_INT(linux_check_out(0)->total, 5000005);
    CHECK_INT(linux_check_err(0)->total, 5000006);
    const char *tail = linux_check_tail(linux_check_out(0));
    CHECK_INT(strlen(tail), QZ_TAIL_SIZE);
    CHECK_INT(strspn(tail, "y"), QZ_TAIL_SIZE - 5);
    CHECK_CONTAINS(tail, "ylast\n");
    CHECK_CONTAINS(linux_check_tail(linux_check_err(0)), "xfault\n");
    linux_check_close(os);
}

QZ_TEST(a_flood_of_output_does_not_hold_up_the_deadline)
{
    struct qz_os *os = linux_check_open();
    struct qz_event event;
    CHECK_INT(linux_check_shell(os, 0, "exec yes"), 0);
    int64_t deadline_us = os->ops->now_us(os) + 100000;
    os->ops->wait(os, deadline_us, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CU_ASSERT(os->ops->now_us(os) - deadline_us < QZ_US_PER_S); /* it goes on for ever */
    os->ops->tree_signal(os, 0, SIGKILL);
    linux_check_end(os, 0, true, SIGKILL);
    linux_check_close(os);
}

QZ_TEST(what_a_left_process_writes_goes_on_being_drained)
{
    struct qz_os *os = linux_check_open();
    CHECK_INT(linux_check_shell(os, 0, "(sleep 1; head -c 200000 /dev/zero; echo late; sleep 60) & echo early"), 0);
    int64_t begin_us = os->ops->now_us(os);
    linux_check_end(os, 0, false, 0);
    CU_ASSERT(os->ops->now_us(os) - begin_us < 900000);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "early\n");
    await_output(os, 0, 200011);
    CHECK_INT(linux_check_out(0)->total, 200011);
    CU_ASSERT(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGTERM);
    CU_ASSERT(linux_check_tree(os, 0, false));
    linux_check_close(os);
}

QZ_TEST(tails_are_given_up_with_the_guardian) // a further attempt has others; what is left behind may still write
{
    struct qz_os *os = linux_check_open();
    struct qz_event event;
    CHECK_INT(linux_check_shell(os, 0, "(sleep 0.2; head -c 200000 /dev/zero; sleep 60) & echo early"), 0);
    linux_check_end(os, 0, false, 0);
    os->ops->dismiss(os, false);
    os->ops->wait(os, os->ops->now_us(os) + 500000, &event);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "early\n");
    CHECK_INT(linux_check_shell(os, 0, "echo again"), 0);
    linux_check_end(os, 0, false, 0);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "again\n");
    linux_check_close(os);
}

/* ---- What is executed ------------------------------------------------------------------------------------------- */

static int start(struct qz_os *os, const char *path, const struct qz_path_facts *facts, char *variable)
{
    char *argv[] = {(char *)path, "first", NULL};
    char *envp[] = {variable, NULL};
    linux_check_out(0)->total = 0;
    struct qz_child_spec spec = {.path = path,
                                 .facts = facts,
                                 .argv = argv,
                                 .envp = envp,
                                 .clean = facts != NULL,
                                 .out = linux_check_out(0),
                                 .err = linux_check_err(0)};
    return os->ops->child_start(os, &spec);
}

QZ_TEST(what_cannot_be_executed_is_told_by_its_errno)
{
    struct qz_os *os = linux_check_open();
    CHECK_INT(start(os, "/nonexistent", NULL, "PATH=/bin"), ENOENT);
    CHECK_INT(start(os, "no-such-command", NULL, "PATH=/bin"), ENOENT);
    CHECK_INT(start(os, linux_check_script(os, "data", "echo\n", 0600), NULL, "PATH=/bin"), EACCES);
    CHECK_INT(start(os, linux_check_script(os, "lost", "#!/no/such/shell\n", 0700), NULL, "PATH=/bin"), ENOENT);
    CU_ASSERT(!os->ops->tree_alive(os, 0));
    linux_check_close(os);
}

QZ_TEST(with_volumes_armed_nothing_is_removed_either) // when a child cannot be executed; its control group goes later
{
    struct qz_os *os = linux_check_open();
    struct qz_linux *lx = qz_linux(os);
    if (!lx->cgroup_base[0]) {
        linux_check_close(os);
        check_skip("no cgroup v2 to write to");
        return;
    }
    CHECK_INT(os->ops->volumes_arm(os, 0), 0);
    CHECK_INT(qz_linux_child_prepare(lx), 0);
    char cgroup[PATH_MAX + 16], base[PATH_MAX];
    snprintf(cgroup, sizeof cgroup, "%s/%u", lx->cgroup_base, lx->spare.attempt);
    strcpy(base, lx->cgroup_base);
    CHECK_INT(start(os, "/nonexistent", NULL, "PATH=/bin"), ENOENT);
    CU_ASSERT(!os->ops->tree_alive(os, 0));
    CHECK_INT(access(cgroup, F_OK), 0);
    os->ops->volumes_close(os);
    linux_check_close(os);
    CU_ASSERT(access(base, F_OK) != 0);
}

QZ_TEST(a_command_is_searched_in_the_path_it_is_given)
{
    struct qz_os *os = linux_check_open();
    char variable[PATH_MAX];
    linux_check_script(os, "tool", "#!/bin/sh\necho found\n", 0700);
    snprintf(variable, sizeof variable, "PATH=/nowhere:%s", os->ops->state_directory(os));
    CHECK_INT(start(os, "tool", NULL, variable), 0);
    linux_check_end(os, 0, false, 0);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "found\n");
    CHECK_INT(start(os, "tool", NULL, "PATH=/usr/bin"), ENOENT);
    linux_check_close(os);
}

QZ_TEST(a_script_has_its_own_interpreter_and_its_configured_name)
{
    struct qz_os *os = linux_check_open();
    char expected[PATH_MAX + 16];
    struct qz_path_facts facts;
    linux_check_script(os, "target", "#!/bin/sh -u\necho $0 $1 $-\n", 0700);
    const char *link = linux_check_path(os, "link");
    CHECK_INT(symlink("target", link), 0);
    CHECK_INT(os->ops->inspect(os, link, &facts), 0);
    CHECK_INT(start(os, link, &facts, "PATH=/bin"), 0);
    linux_check_end(os, 0, false, 0);
    snprintf(expected, sizeof expected, "%s first u\n", link);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), expected);
    qz_path_facts_free(os, &facts);

    const char *plain = linux_check_script(os, "plain", "echo plain $0\n", 0700);
    snprintf(expected, sizeof expected, "plain %s\n", plain);
    CHECK_INT(start(os, plain, NULL, "PATH=/bin"), 0);
    linux_check_end(os, 0, false, 0);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), expected);
    linux_check_close(os);
}

QZ_TEST(a_script_that_changed_after_the_check_is_not_run)
{
    struct qz_os *os = linux_check_open();
    struct qz_path_facts facts;
    const char *directory = linux_check_path(os, "bin");
    CHECK_INT(mkdir(directory, 0700), 0);
    const char *script = linux_check_script(os, "bin/script", "#!/bin/sh\necho checked\n", 0700);
    CHECK_INT(os->ops->inspect(os, script, &facts), 0);

    CHECK_INT(start(os, script, &facts, "PATH=/bin"), 0);
    linux_check_end(os, 0, false, 0);
    /* Another file in its place. */
    linux_check_script(os, "bin/script", "#!/bin/sh\necho swapped\n", 0700);
    CHECK_INT(start(os, script, &facts, "PATH=/bin"), ESTALE);
    qz_path_facts_free(os, &facts);

    /* Another directory on the way to the same file. */
    CHECK_INT(os->ops->inspect(os, script, &facts), 0);
    const char *aside = linux_check_path(os, "aside");
    CHECK_INT(rename(directory, aside), 0);
    CHECK_INT(mkdir(directory, 0700), 0);
    CHECK_INT(rename(linux_check_path(os, "aside/script"), script), 0);
    CHECK_INT(start(os, script, &facts, "PATH=/bin"), ESTALE);
    qz_path_facts_free(os, &facts);

    /* Nothing at all. */
    CHECK_INT(os->ops->inspect(os, script, &facts), 0);
    CHECK_INT(unlink(script), 0);
    CHECK_INT(start(os, script, &facts, "PATH=/bin"), ESTALE);
    CHECK_STRING(linux_check_tail(linux_check_out(0)), "");
    qz_path_facts_free(os, &facts);
    linux_check_close(os);
}

/* ---- Trees ------------------------------------------------------------------------------------------------------ */

/* Starts a daemon by `command`: two forks, a session of its own, no parent; it ignores SIGTERM. */
#define DAEMON(command)                                                                                  \
    "(setsid " command " sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' &) & wait"

static void check_whole_tree_ends(const char *script, bool cgroups)
{
    struct qz_os *os = linux_check_open();
    qz_linux(os)->no_cgroups = !cgroups;
    CHECK_INT(linux_check_shell(os, 0, "sleep 60"), 0);
    CHECK_INT(linux_check_shell(os, 1, script), 0);
    pid_t daemon = left_pid(os, 1);
    CU_ASSERT(daemon > 0 && linux_check_alive(daemon));
    CU_ASSERT(os->ops->tree_alive(os, 1));
    os->ops->tree_signal(os, 1, SIGTERM);
    struct qz_event event;
    while (linux_check_await(os, QZ_EVENT_CHILD, 100000, &event))
        ;
    CU_ASSERT(os->ops->tree_alive(os, 1) && linux_check_alive(daemon));
    os->ops->tree_signal(os, 1, SIGKILL);
    CU_ASSERT(linux_check_tree(os, 1, false));
    CU_ASSERT(!linux_check_alive(daemon));
    /* Nobody else's. */
    CU_ASSERT(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGTERM);
    CU_ASSERT(linux_check_tree(os, 0, false));
    linux_check_close(os);
}

QZ_TEST(a_daemon_with_a_session_of_its_own_is_part_of_its_tree)
{
    struct qz_os *os = linux_check_open();
    bool cgroups = qz_linux(os)->cgroup_base[0];
    linux_check_close(os);
    if (cgroups)
        check_whole_tree_ends(DAEMON("env -i PATH=/bin"), true);
    else
        check_skip("no cgroup v2 to write to");
}

QZ_TEST(without_control_groups_a_daemon_is_known_by_its_environment)
{
    check_whole_tree_ends(DAEMON(""), false);
}

/* Names of runs and plugins differ in a digit or two, as attempts do; a sum of their parts must not even that out. */
QZ_TEST(without_control_groups_what_belongs_to_whom_is_never_mistaken)
{
    struct qz_os *os = linux_check_open();
    enum { DIGITS = 10, TREES = DIGITS * DIGITS * DIGITS };
    static uint64_t seen[TREES];
    bool alike = false;
    for (int i = 0; i < TREES; i++) {
        char run_id[64], plugin[64], attempt[64];
        snprintf(run_id, sizeof run_id, "QUIESCE_RUN_ID=20261128T03%02d-1", i / DIGITS / DIGITS);
        snprintf(plugin, sizeof plugin, "QUIESCE_PLUGIN=db%d", i / DIGITS % DIGITS);
        snprintf(attempt, sizeof attempt, "QUIESCE_ATTEMPT=%d", i % DIGITS);
        char *envp[] = {run_id, "PATH=/bin", plugin, "QUIESCE_PHASE=pre", attempt, NULL};
        qz_linux_tree_begin(qz_linux(os), 0, 0, envp);
        seen[i] = qz_linux(os)->shared->trees[0].environment;
        for (int before = 0; before < i; before++)
            alike |= seen[before] == seen[i];
    }
    CU_ASSERT(!alike);
    linux_check_close(os);
}

/* Plugins have names in common: their scripts of the same phase and attempt tell their environments apart by
 * nothing. */
QZ_TEST(without_control_groups_what_another_script_left_behind_is_not_ours)
{
    struct qz_os *os = linux_check_open();
    qz_linux(os)->no_cgroups = true;
    CHECK_INT(linux_check_shell(os, 0, "(setsid sleep 60 >/dev/null 2>&1 & echo $!) & wait"), 0);
    pid_t left = left_pid(os, 0);
    CHECK_INT(linux_check_shell(os, LINUX_CHECK_TAILS, "exit 1"), 0);
    linux_check_end(os, LINUX_CHECK_TAILS, false, 1);
    CU_ASSERT(linux_check_alive(left));
    CU_ASSERT(!os->ops->tree_alive(os, LINUX_CHECK_TAILS));
    os->ops->tree_signal(os, LINUX_CHECK_TAILS, SIGKILL);
    CU_ASSERT(linux_check_alive(left));
    CU_ASSERT(os->ops->tree_alive(os, 0)); /* it is its own script's */
    os->ops->tree_signal(os, 0, SIGKILL);
    CU_ASSERT(linux_check_tree(os, 0, false));
    CU_ASSERT(!linux_check_alive(left));
    linux_check_close(os);
}

QZ_TEST(without_control_groups_a_descendant_is_known_by_its_ancestors)
{
    struct qz_os *os = linux_check_open();
    qz_linux(os)->no_cgroups = true;
    CHECK_INT(linux_check_shell(os, 1, "setsid env -i /bin/sleep 60 & echo $!; wait"), 0);
    pid_t descendant = written_pid(os, 1);
    struct qz_linux_stat stat = {0};
    for (int tries = 0; tries < 1000 && qz_linux_stat(descendant, &stat) && stat.session != descendant; tries++)
        usleep(5000);
    CHECK_INT(stat.session, descendant);
    CU_ASSERT(linux_check_alive(descendant));
    os->ops->tree_signal(os, 1, SIGKILL);
    CU_ASSERT(linux_check_tree(os, 1, false));
    CU_ASSERT(!linux_check_alive(descendant));
    linux_check_close(os);
}

QZ_TEST(an_ended_tree_is_not_alive_and_a_signal_reaches_nobody)
{
    struct qz_os *os = linux_check_open();
    CU_ASSERT(!os->ops->tree_alive(os, 5));
    os->ops->tree_signal(os, 5, SIGKILL);
    for (int cgroups = 0; cgroups < 2; cgroups++) {
        qz_linux(os)->no_cgroups = !cgroups;
        CHECK_INT(linux_check_shell(os, 5, "true"), 0);
        linux_check_end(os, 5, false, 0);
        CU_ASSERT(!os->ops->tree_alive(os, 5));
    }
    linux_check_close(os);
}

QZ_TEST(a_left_process_outlives_us_and_no_control_group_does)
{
    struct qz_os *os = linux_check_open();
    char base[PATH_MAX];
    strcpy(base, qz_linux(os)->cgroup_base);
    CHECK_INT(linux_check_shell(os, 0, "sleep 60 >/dev/null 2>&1 & echo $!"), 0);
    pid_t left = left_pid(os, 0);
    linux_check_close(os);
    CU_ASSERT(linux_check_alive(left));
    CU_ASSERT(access(base, F_OK) != 0);
    kill(left, SIGKILL);
}
