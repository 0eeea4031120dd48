/* `quiesce begin` and `quiesce end`: a backup whose snapshot somebody else takes in between.
 *
 * begin detaches: the session goes on in the background, as in `run`; what was started only waits until it may tell its
 * caller to go on, or what came of it. end gives the agent its caller's word, waits for its end, and tells the result,
 * which was kept for it (kept.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "journal.h"
#include "kept.h"
#include "result.h"
#include "session_state.h"

/* How long apart we look whether the backup has ended: an eighth of what was waited so far, between these. */
#define LOOK_LEAST_US 2000
#define LOOK_MOST_US 250000

/* So long nobody wonders what we wait for. */
#define SILENT_US (10 * QZ_US_PER_S)

/* What the waiting half of begin has to know, copied before the other half may be gone. */
struct asked {
    enum qz_format format;
    const char *report_path;
    bool no_colour;
    bool failed; /* the snapshot */
    int64_t frozen_until_us; /* written by the other half */
};

static int fail(struct qz_os *os, enum qz_code code, int status, const char *text)
{
    struct qz_error error;
    qz_error_set(&error, code, "%s", text);
    return qz_command_fail(os, &error, status);
}

/* ---- The result ------------------------------------------------------------------------------------------------- */

/* Waits until nobody has the lock, or until the result is kept and its writer gone (a guardian may have to wait for a
 * stuck volume). False: a signal came. */
static bool await_end(struct qz_os *os)
{
    int64_t start_us = os->ops->now_us(os);
    for (bool told = false;;) {
        struct qz_kept kept;
        bool over = qz_kept_read(os, &kept) == 0 && !os->ops->process_alive(os, &kept.writer);
        qz_kept_free(&kept);
        if (over || os->ops->lock(os) != EWOULDBLOCK)
            return true;
        int64_t now_us = os->ops->now_us(os), pause_us = (now_us - start_us) / 8;
        if (!told && now_us - start_us >= SILENT_US) {
            told = true;
            qz_say(os, "waiting for the end of the backup; `quiesce status` tells what is at work");
        }
        pause_us = pause_us < LOOK_LEAST_US ? LOOK_LEAST_US : pause_us > LOOK_MOST_US ? LOOK_MOST_US : pause_us;
        struct qz_event event;
        os->ops->wait(os, now_us + pause_us, &event);
        if (event.kind == QZ_EVENT_SIGNAL)
            return false;
    }
}

static int show_kept(struct qz_os *os, const struct asked *asked, const struct qz_kept *kept)
{
    bool taken = !asked->failed && kept->if_taken.json;
    const struct qz_kept_text *text = taken ? &kept->if_taken : &kept->result;
    int told = qz_command_print(os, asked->format == QZ_FORMAT_JSON ? text->json : text->human, 0);
    bool reported = qz_command_report(os, asked->report_path, text->json) == 0;
    if (told == 0)
        qz_kept_remove(os);
    else
        qz_say(os, "it is kept, and the next `quiesce end` tells it");
    return (told != 0 || !reported) && text->status == QZ_EXIT_APPLICATION ? QZ_EXIT_SOFTWARE : text->status;
}

/* Agent and guardian are gone, and nothing is kept: what they have left is thawed; or somebody else was told before. */
static int show_lost(struct qz_os *os, const struct asked *asked)
{
    struct qz_result result = {.command = "end", .attempt = 1, .attempts = 1};
    struct qz_journal journal;
    struct qz_error error;
    int found = qz_journal_read(os, &journal, &error);
    if (found == 1)
        snprintf(result.run_id, sizeof result.run_id, "%s", journal.run_id);
    qz_journal_free(&journal);
    if (found < 0)
        return qz_command_fail(os, &error, QZ_EXIT_SOFTWARE);
    if (found == 0)
        return fail(os, QZ_E_INTERRUPTED, QZ_EXIT_NONE,
                    "no result is known: it was told to another `quiesce begin` or `quiesce end`, or the agent was killed "
                    "before it had begun anything");
    qz_session_recover(os, &result.warnings, &result.errors);
    qz_error_set(&error, QZ_E_FREEZE_LOST, "agent and guardian of the backup were killed before it had ended");
    error.phase = QZ_PHASE_FREEZE;
    qz_error_list_add(&result.errors, &error);
    qz_error_list_sort(&result.errors);
    int status = qz_command_result(os, asked->format, asked->report_path, &result, asked->no_colour);
    qz_result_free(&result);
    return status;
}

static int show_unread(struct qz_os *os, int failed)
{
    struct qz_error error;
    qz_error_set(&error, QZ_E_INTERNAL_ERROR,
                 "the result of the backup cannot be read: %s; it is kept, and the next `quiesce end` tells it",
                 strerror(failed));
    return qz_command_fail(os, &error, QZ_EXIT_SOFTWARE);
}

/* Waits for the end of the backup and tells what came of it. */
static int show_end(struct qz_os *os, const struct asked *asked)
{
    struct qz_kept kept;
    if (!await_end(os))
        return fail(os, QZ_E_INTERRUPTED, QZ_EXIT_NONE,
                    "no longer waiting for the backup, which goes on to its end; `quiesce end` will tell its result");
    int failed = qz_kept_read(os, &kept), status;
    if (!failed)
        status = show_kept(os, asked, &kept);
    else if (failed == ENOENT || failed == EINVAL)
        status = show_lost(os, asked);
    else
        status = show_unread(os, failed);
    qz_kept_free(&kept);
    return status;
}

/* ---- begin ------------------------------------------------------------------------------------------------------ */

/* The process that was started. Whoever ends it ends the backup. */
static int await_begun(struct qz_os *os, void *argument, const struct qz_process *background)
{
    const struct asked *shared = argument;
    struct asked asked = *shared;
    bool ending = false;
    for (;;) {
        struct qz_event event;
        os->ops->wait(os, QZ_NEVER, &event);
        if (event.kind == QZ_EVENT_MESSAGE && !ending &&
            qz_command_show_open(os, asked.format, background, shared->frozen_until_us, event.value) == event.value)
            return event.value;
        if (event.kind == QZ_EVENT_PEER_LOST)
            return show_end(os, &asked);
        if (event.kind == QZ_EVENT_SIGNAL || event.kind == QZ_EVENT_MESSAGE) { /* it may be open, and nobody told */
            os->ops->process_signal(os, background, event.kind == QZ_EVENT_SIGNAL ? event.value : SIGTERM);
            ending = true;
        }
    }
}

static int begin_failed(struct qz_os *os, const struct asked *asked, struct qz_result *result)
{
    int status = qz_command_result(os, asked->format, asked->report_path, result, asked->no_colour);
    qz_result_free(result);
    return status;
}

int qz_command_begin(struct qz_os *os, struct qz_command_line *line, bool no_colour)
{
    struct qz_result result;
    struct asked *asked = os->ops->share(os, sizeof *asked); /* outlives us */
    if (!asked)
        return qz_command_out_of_memory(os);
    *asked = (struct asked){.format = line->format, .report_path = line->report_path, .no_colour = no_colour,
                            .failed = true};
    line->options.until_end = true;
    line->options.frozen_until_us = &asked->frozen_until_us;
    if (!qz_session_admit(os, &line->options, &result))
        return begin_failed(os, asked, &result);
    qz_kept_remove(os); /* of a backup that nobody ended */
    int failed = os->ops->detach(os, await_begun, asked);
    if (failed)
        return fail(os, QZ_E_INTERNAL_ERROR, QZ_EXIT_SOFTWARE, strerror(failed));
    qz_session_run(os, &line->options, &result);
    os->hush = false;
    if (!result.stored)
        qz_kept_write(os, &result);
    qz_result_free(&result);
    return 0; /* what came of it is told by others */
}

/* ---- end -------------------------------------------------------------------------------------------------------- */

/* Gives the agent the word, if there is one that waits for it. Returns 0, or the exit status after having said why no
 * result is to be waited for. */
static int tell_agent(struct qz_os *os, const struct qz_journal *journal, bool failed)
{
    bool living = journal->run_id && (os->ops->process_alive(os, &journal->agent) ||
                                      os->ops->process_alive(os, &journal->guardian));
    bool begun = journal->run_id && strcmp(journal->command, "begin") == 0;
    if (begun) {
        os->ops->process_signal(os, &journal->agent, failed ? QZ_SIGNAL_FAILED : QZ_SIGNAL_TAKEN);
        return 0;
    }
    if (qz_kept_exists(os))
        return 0;
    qz_say(os, "no backup is open that `quiesce begin` began%s",
           living ? "; what is at work is another quiesce: see `quiesce status`" : "");
    return QZ_EXIT_NONE;
}

int qz_command_end(struct qz_os *os, const struct qz_command_line *line, bool no_colour)
{
    struct asked asked = {.format = line->format, .report_path = line->report_path, .no_colour = no_colour,
                          .failed = line->snapshot_failed};
    struct qz_journal journal;
    int status = qz_command_open_journal(os, "end", &journal);
    if (status == 0)
        status = tell_agent(os, &journal, line->snapshot_failed);
    qz_journal_free(&journal);
    return status ? status : show_end(os, &asked);
}
