/* `quiesce status` and `quiesce thaw`: what the journal says is frozen, told or thawed; and what `begin` tells of
 * it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "journal.h"
#include "json_write.h"
#include "kept.h"
#include "settings.h"
#include "text.h"
#include "verdict.h"

#define THAW_WAIT_US (5 * QZ_US_PER_S) /* for a living guardian to thaw on request */
#define THAW_LOOK_US 20000

int qz_command_open_journal(struct qz_os *os, const char *command, struct qz_journal *journal)
{
    struct qz_error error;
    *journal = (struct qz_journal){0};
    if (!os->ops->is_root(os)) {
        qz_error_set(&error, QZ_E_NOT_ROOT, "quiesce %s must be run by root", command);
        return qz_command_fail(os, &error, QZ_EXIT_NONE);
    }
    return qz_journal_read(os, journal, &error) < 0 ? qz_command_fail(os, &error, QZ_EXIT_SOFTWARE) : 0;
}

/* Prints what was put together. Returns `status`, or QZ_EXIT_SOFTWARE if memory was short. */
static int show(struct qz_os *os, struct qz_text *text, int status)
{
    char *bytes = qz_text_take(text);
    status = bytes ? qz_command_print(os, bytes, status) : qz_command_out_of_memory(os);
    free(bytes);
    return status;
}

static void add_volume(struct qz_text *text, const char *what, const struct qz_journal_volume *volume)
{
    qz_text_add(text, "%s: ", what);
    qz_text_add_visible(text, volume->mount, strlen(volume->mount));
    qz_text_add(text, " (");
    qz_text_add_visible(text, volume->fstype, strlen(volume->fstype));
    qz_text_add(text, " on ");
    qz_text_add_visible(text, volume->device, strlen(volume->device));
    qz_text_add(text, ")");
}

/* ---- status ----------------------------------------------------------------------------------------------------- */

static void format_time(int64_t wall_us, char *out, size_t size)
{
    time_t seconds = (time_t)(wall_us / QZ_US_PER_S);
    struct tm broken_down;
    gmtime_r(&seconds, &broken_down);
    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &broken_down);
}

static void add_process(struct qz_os *os, struct qz_text *text, const char *key, const char *alive_key,
                        const struct qz_process *process)
{
    qz_json_number(text, key, process->pid);
    qz_json_bool(text, alive_key, os->ops->process_alive(os, process));
}

static void add_frozen(struct qz_text *text, const struct qz_journal *journal)
{
    qz_json_array(text, "frozen");
    for (size_t i = 0; i < journal->volume_count; i++) {
        const struct qz_journal_volume *volume = &journal->volumes[i];
        qz_json_object(text, NULL);
        qz_json_string(text, "mount", volume->mount);
        qz_json_string(text, "device", volume->device);
        qz_json_string(text, "fstype", volume->fstype);
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
}

static void add_run(struct qz_os *os, struct qz_text *text, const struct qz_journal *journal)
{
    char since[32], until[32];
    format_time(journal->since_us, since, sizeof since);
    format_time(journal->until_us, until, sizeof until);
    qz_json_string(text, "run_id", journal->run_id);
    qz_json_string(text, "command", journal->command);
    add_process(os, text, "agent", "agent_alive", &journal->agent);
    add_process(os, text, "guardian", "guardian_alive", &journal->guardian);
    qz_json_string(text, "since", since);
    qz_json_string(text, "until", until);
}

/* The state as an object that is not ended yet. */
static void begin_state(struct qz_os *os, struct qz_text *text, const struct qz_journal *journal)
{
    qz_json_object(text, NULL);
    add_frozen(text, journal);
    if (journal->run_id)
        add_run(os, text, journal);
}

static int end_state(struct qz_os *os, struct qz_text *text, int status)
{
    qz_json_end_object(text);
    qz_text_add_bytes(text, "\n", 1);
    return show(os, text, status);
}

static void add_state(struct qz_os *os, struct qz_text *text, const struct qz_journal *journal)
{
    char since[32], until[32];
    format_time(journal->since_us, since, sizeof since);
    format_time(journal->until_us, until, sizeof until);
    bool agent = os->ops->process_alive(os, &journal->agent);
    bool guardian = os->ops->process_alive(os, &journal->guardian);
    qz_text_add(text, "quiesce %s, run %s, since %s: agent %d %s, guardian %d %s\n", journal->command, journal->run_id,
                since, (int)journal->agent.pid, agent ? "alive" : "dead", (int)journal->guardian.pid,
                guardian ? "alive" : "dead");
    for (size_t i = 0; i < journal->volume_count; i++) {
        add_volume(text, "frozen", &journal->volumes[i]);
        if (agent || guardian)
            qz_text_add(text, ", until %s at the latest", until);
        qz_text_add(text, "\n");
    }
    if (journal->volume_count == 0)
        qz_text_add(text, "nothing is frozen\n");
    if (agent || guardian)
        return;
    qz_text_add(text, "nobody is left to thaw: use `quiesce thaw`\n");
    for (size_t i = 0; i < journal->post_count; i++)
        qz_text_add(text, QZ_POST_NEVER_RAN "; run it yourself\n", journal->posts_owed[i], journal->run_id);
}

static int show_state(struct qz_os *os, const struct qz_journal *journal)
{
    struct qz_text text = {0};
    if (journal->run_id)
        add_state(os, &text, journal);
    else
        qz_text_add(&text, "nothing is frozen by quiesce\n");
    if (qz_kept_exists(os))
        qz_text_add(&text, "the result of a backup that ended by itself is kept: `quiesce end` tells it\n");
    return show(os, &text, 0);
}

static int show_state_json(struct qz_os *os, const struct qz_journal *journal)
{
    struct qz_text text = {0};
    begin_state(os, &text, journal);
    if (qz_kept_exists(os))
        qz_json_bool(&text, "result_kept", true);
    return end_state(os, &text, 0);
}

int qz_command_status(struct qz_os *os, enum qz_format format)
{
    struct qz_journal journal;
    int status = qz_command_open_journal(os, "status", &journal);
    if (status == 0)
        status = format == QZ_FORMAT_JSON ? show_state_json(os, &journal) : show_state(os, &journal);
    qz_journal_free(&journal);
    return status;
}

/* ---- begin ------------------------------------------------------------------------------------------------------ */

static enum qz_consistency worth_of(int status)
{
    for (int consistency = QZ_NONE; consistency <= QZ_APPLICATION; consistency++)
        if ((int)qz_verdict_exit((enum qz_consistency)consistency) == status)
            return (enum qz_consistency)consistency;
    return QZ_NONE;
}

static int show_open_json(struct qz_os *os, const struct qz_journal *journal, int status)
{
    struct qz_text text = {0};
    begin_state(os, &text, journal);
    qz_json_number(&text, "exit_status", status);
    qz_json_string(&text, "consistency_at_best", qz_consistency_name(worth_of(status)));
    return end_state(os, &text, status);
}

static int show_open(struct qz_os *os, const struct qz_journal *journal, int status)
{
    struct qz_text text = {0};
    add_state(os, &text, journal);
    qz_text_add(&text, "take the snapshot, which will be %s-consistent at best, and call `quiesce end`\n",
                qz_consistency_name(worth_of(status)));
    return show(os, &text, status);
}

int qz_command_show_open(struct qz_os *os, enum qz_format format, const struct qz_process *agent, int64_t until_us,
                         int status)
{
    struct qz_journal journal;
    int failed = qz_command_open_journal(os, "begin", &journal);
    if (!failed && (!journal.run_id || journal.agent.pid != agent->pid || journal.agent.start_time != agent->start_time))
        failed = -1;
    if (!failed && until_us > 0)
        journal.until_us = until_us; /* the journal was written before that was known */
    if (!failed)
        failed = format == QZ_FORMAT_JSON ? show_open_json(os, &journal, status) : show_open(os, &journal, status);
    qz_journal_free(&journal);
    return failed;
}

/* ---- thaw ------------------------------------------------------------------------------------------------------- */

static bool names_volumes(struct qz_os *os)
{
    struct qz_journal journal;
    struct qz_error error;
    int found = qz_journal_read(os, &journal, &error);
    bool named = found < 0 || journal.volume_count > 0;
    qz_journal_free(&journal);
    return named;
}

/* Asks the living guardian to thaw and waits until the journal says that it has. */
static bool ask_guardian(struct qz_os *os, const struct qz_journal *journal)
{
    if (os->ops->process_signal(os, &journal->guardian, SIGTERM) != 0)
        return false;
    int64_t until_us = os->ops->now_us(os) + THAW_WAIT_US;
    while (os->ops->now_us(os) < until_us) {
        struct qz_event event;
        os->ops->wait(os, os->ops->now_us(os) + THAW_LOOK_US, &event);
        if (!names_volumes(os))
            return true;
    }
    return false;
}

/* One line a volume; `thawed` NULL: all of them were. Nothing of those that stay frozen: their errors tell. */
static int show_thawed(struct qz_os *os, const struct qz_journal *journal, const bool *thawed, bool all_well)
{
    struct qz_text text = {0};
    for (size_t i = 0; i < journal->volume_count; i++) {
        bool was_thawed = !thawed || thawed[i];
        if (!was_thawed && !all_well)
            continue;
        add_volume(&text, was_thawed ? "thawed" : "was not frozen any more", &journal->volumes[i]);
        qz_text_add(&text, "\n");
    }
    return show(os, &text, all_well ? 0 : QZ_EXIT_NONE);
}

/* Thaws what the journal names. `dead`: its processes are gone, and we hold the lock; then their debts are told, and
 * the journal has done its duty unless a volume stays frozen. */
static int thaw_volumes(struct qz_os *os, const struct qz_journal *journal, bool dead)
{
    struct qz_error_list errors = {0};
    bool *thawed = calloc(journal->volume_count + 1, sizeof *thawed);
    if (!thawed)
        return qz_command_out_of_memory(os);
    qz_journal_thaw(os, journal, thawed, &errors);
    for (size_t i = 0; i < errors.count; i++)
        qz_command_fail(os, &errors.items[i], QZ_EXIT_NONE);
    int status = show_thawed(os, journal, thawed, errors.count == 0);
    for (size_t i = 0; dead && i < journal->post_count; i++)
        qz_say(os, QZ_POST_NEVER_RAN, journal->posts_owed[i], journal->run_id);
    if (dead && errors.count == 0)
        qz_journal_settle(os, journal);
    qz_error_list_free(&errors);
    free(thawed);
    return status;
}

/* Nobody who lives has thawed. With the lock it is ours to do, by what the journal says now; without, it is the one
 * who has the lock: a run that does not react, whose volumes are then thawed over its head; or the next one, which
 * thaws what was left frozen itself. */
static int thaw_for(struct qz_os *os, struct qz_journal *journal, bool living)
{
    struct qz_error error;
    int failed = qz_journal_lock(os, &error);
    if (failed == 0) {
        qz_journal_free(journal);
        int status = qz_command_open_journal(os, "thaw", journal);
        if (status)
            return status;
        if (!journal->run_id)
            return qz_command_print(os, "nothing is frozen by quiesce any more\n", 0);
        return thaw_volumes(os, journal, true);
    }
    if (failed == EWOULDBLOCK && living)
        return thaw_volumes(os, journal, false);
    if (failed == EWOULDBLOCK)
        qz_error_set(&error, QZ_E_ALREADY_RUNNING, "another quiesce has just begun, and thaws what was left frozen");
    return qz_command_fail(os, &error, failed == EWOULDBLOCK ? QZ_EXIT_NONE : QZ_EXIT_SOFTWARE);
}

int qz_command_thaw(struct qz_os *os)
{
    struct qz_journal journal;
    int status = qz_command_open_journal(os, "thaw", &journal);
    if (status)
        return status;
    bool guardian = journal.run_id && os->ops->process_alive(os, &journal.guardian);
    bool living = guardian || (journal.run_id && os->ops->process_alive(os, &journal.agent));
    qz_settings_restore(os); /* a mark without a journal, too; that of one who lives, to whom it is only speed */
    if (journal.volume_count == 0)
        status = qz_command_print(os, "nothing is frozen by quiesce\n", status);
    if (journal.volume_count > 0 && guardian && ask_guardian(os, &journal))
        status = show_thawed(os, &journal, NULL, true);
    else if (journal.run_id && (journal.volume_count > 0 || !living))
        status = thaw_for(os, &journal, living);
    qz_journal_free(&journal);
    return status;
}
