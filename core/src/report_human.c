/* The result as text for people: the verdict first, then why, then what happened. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/report.h"
#include "report_volumes.h"
#include "result.h"
#include "table.h"
#include "text.h"

#define TAIL_LINES_MAX 10
#define BAR_WIDTH 40

enum paint { PAINT_NONE, PAINT_GOOD, PAINT_FAIR, PAINT_BAD, PAINT_HEAD };

struct page {
    struct qz_text text;
    bool colour;
};

static void begin_paint(struct page *page, enum paint paint)
{
    static const char *const codes[] = {
        [PAINT_GOOD] = "\033[1;32m", [PAINT_FAIR] = "\033[1;33m", [PAINT_BAD] = "\033[1;31m", [PAINT_HEAD] = "\033[1m"};
    if (page->colour && codes[paint])
        qz_text_add(&page->text, "%s", codes[paint]);
}

static void end_paint(struct page *page)
{
    if (page->colour)
        qz_text_add(&page->text, "\033[0m");
}

static void add_heading(struct page *page, const char *heading)
{
    qz_text_add(&page->text, "\n");
    begin_paint(page, PAINT_HEAD);
    qz_text_add(&page->text, "%s", heading);
    end_paint(page);
    qz_text_add(&page->text, "\n");
}

static void add_visible(struct page *page, const char *value)
{
    qz_text_add_visible(&page->text, value, strlen(value));
}

static bool is_command(const struct qz_result *result, const char *name)
{
    return result->command && strcmp(result->command, name) == 0;
}

/* A volume that came to one of these is frozen still, or becomes so when its FIFREEZE returns. */
static bool may_be_frozen(const struct qz_volume *volume)
{
    return volume->outcome == QZ_VOLUME_STUCK || volume->outcome == QZ_VOLUME_THAW_FAILED;
}

static bool was_thawed(const struct qz_volume *volume)
{
    return volume->outcome == QZ_VOLUME_THAWED || volume->outcome == QZ_VOLUME_LOST;
}

static size_t count_volumes(const struct qz_result *result, bool (*is)(const struct qz_volume *volume))
{
    size_t count = 0;
    for (size_t i = 0; i < result->volume_count; i++)
        count += is(&result->volumes[i]);
    return count;
}

/* How many volumes may be frozen still; of a run that could not begin beside them only the errors know. */
static size_t count_still_frozen(const struct qz_result *result)
{
    size_t count = count_volumes(result, may_be_frozen);
    if (count > 0)
        return count;
    for (size_t i = 0; i < result->errors.count; i++)
        count += result->errors.items[i].code == QZ_E_THAW_FAILED;
    return count;
}

static const char *headline(const struct qz_result *result)
{
    static const char *const run[] = {[QZ_NONE] = "no usable backup",
                                      [QZ_CRASH] = "crash-consistent backup taken",
                                      [QZ_FILESYSTEM] = "file-system-consistent backup taken",
                                      [QZ_APPLICATION] = "application-consistent backup taken"};
    static const char *const check[] = {[QZ_NONE] = "a run would give no usable backup",
                                        [QZ_CRASH] = "a run would give a crash-consistent backup",
                                        [QZ_FILESYSTEM] = "a run would give a file-system-consistent backup",
                                        [QZ_APPLICATION] = "a run would give an application-consistent backup"};
    static const char *const freeze[] = {[QZ_NONE] = "the freeze failed",
                                         [QZ_CRASH] = "the freeze did not hold",
                                         [QZ_FILESYSTEM] = "the volumes were frozen for the whole hold, and thawed",
                                         [QZ_APPLICATION] = "the volumes were frozen for the whole hold, and thawed"};
    const char *const *lines = is_command(result, "check") ? check : is_command(result, "freeze") ? freeze : run;
    if (lines == freeze && result->consistency >= QZ_FILESYSTEM && count_still_frozen(result) > 0)
        return "the volumes were frozen for the whole hold";
    return lines[result->consistency];
}

static void add_headline(struct page *page, const struct qz_result *result)
{
    static const enum paint paints[] = {
        [QZ_NONE] = PAINT_BAD, [QZ_CRASH] = PAINT_FAIR, [QZ_FILESYSTEM] = PAINT_FAIR, [QZ_APPLICATION] = PAINT_GOOD};
    enum qz_code code = qz_result_code(result);
    begin_paint(page, paints[result->consistency]);
    qz_text_add(&page->text, "%s", headline(result));
    end_paint(page);
    if (code != QZ_E_SUCCESS)
        qz_text_add(&page->text, ": %s (%d)", qz_error_name(code), qz_error_number(code));
    qz_text_add(&page->text, "\n");
}

/* What nobody should overlook. How long its writers are stopped nobody knows yet. */
static void add_still_frozen(struct page *page, const struct qz_result *result, size_t still)
{
    size_t thawed = count_volumes(result, was_thawed);
    begin_paint(page, PAINT_BAD);
    qz_text_add(&page->text, "%zu volume%s may still be frozen", still, still == 1 ? "" : "s");
    end_paint(page);
    qz_text_add(&page->text, still == 1 ? "; its error below names it.\n" : "; their errors below name them.\n");
    if (result->window_us == 0 || thawed == 0)
        return;
    qz_text_add(&page->text, "Writers of the others were stopped for ");
    qz_text_add_duration(&page->text, result->window_us);
    qz_text_add(&page->text, " at most; %zu volume%s thawed.\n", thawed, thawed == 1 ? " was" : "s were");
}

/* How long writers were stopped; for `check`, what a run would come to. */
static void add_summary(struct page *page, const struct qz_result *result)
{
    size_t still = count_still_frozen(result), thawed = count_volumes(result, was_thawed);
    bool disabled = !result->freeze_enabled && result->phase_count > 0; /* else it did not come as far as the configs */
    if (is_command(result, "check"))
        qz_text_add(&page->text, "`quiesce run` would exit with status %d%s.\n", (int)qz_result_exit(result),
                    disabled ? "; it would freeze nothing, as none was asked for" : "");
    else if (still > 0)
        add_still_frozen(page, result, still);
    else if (result->window_us > 0) {
        qz_text_add(&page->text, "Writers were stopped for ");
        qz_text_add_duration(&page->text, result->window_us);
        qz_text_add(&page->text, " at most; %zu volume%s frozen.\n", thawed, thawed == 1 ? " was" : "s were");
    } else
        qz_text_add(&page->text, "Nothing was frozen%s.\n", disabled ? ", as none was asked for" : "");
    bool no_reason = result->errors.count == 0 && result->script_count == 0;
    if (no_reason && result->consistency != QZ_APPLICATION && !is_command(result, "freeze"))
        qz_text_add(&page->text, "No script is configured, so no application is quiesced.\n");
    if (result->attempts > 1)
        qz_text_add(&page->text, "This was attempt %d of %d.\n", result->attempt, result->attempts);
}

static void add_lost(struct page *page, size_t lost, const char *what)
{
    if (lost > 0)
        qz_text_add(&page->text, "%zu more %s could not be kept: memory was short.\n", lost, what);
}

static void add_errors(struct page *page, const struct qz_error_list *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct qz_error *error = &errors->items[i];
        qz_text_add(&page->text, "\n");
        begin_paint(page, PAINT_BAD);
        qz_text_add(&page->text, "%s (%d)", qz_error_name(error->code), qz_error_number(error->code));
        end_paint(page);
        qz_text_add(&page->text, ": ");
        add_visible(page, error->message[0] != '\0' ? error->message : qz_error_meaning(error->code));
        qz_text_add(&page->text, "\n  what to do: %s\n", qz_error_action(error->code));
    }
    add_lost(page, errors->lost, "errors");
}

/* "FILE:LINE:COLUMN: ", as compilers do; nothing where a warning has no place. */
static void add_place(struct page *page, const struct qz_warning *warning)
{
    if (!warning->path || warning->line == 0)
        return;
    add_visible(page, warning->path);
    qz_text_add(&page->text, ":%d:%d: ", warning->line, warning->column);
}

static void add_warnings(struct page *page, const struct qz_warning_list *warnings)
{
    if (warnings->count > 0)
        qz_text_add(&page->text, "\n");
    for (size_t i = 0; i < warnings->count; i++) {
        begin_paint(page, PAINT_FAIR);
        qz_text_add(&page->text, "warning");
        end_paint(page);
        qz_text_add(&page->text, ": ");
        add_place(page, &warnings->items[i]);
        add_visible(page, warnings->items[i].message);
        qz_text_add(&page->text, "\n");
    }
    add_lost(page, warnings->lost, "warnings");
}

static void add_files(struct page *page, const struct qz_result *result)
{
    if (result->file_count == 0 || !is_command(result, "check"))
        return;
    add_heading(page, "files");
    struct qz_table table = {.columns = 4};
    for (size_t i = 0; i < result->file_count; i++) {
        const struct qz_file_verdict *file = &result->files[i];
        bool sound = file->code == QZ_E_SUCCESS;
        qz_table_add(&table, sound ? (file->note ? file->note : "ok") : qz_error_name(file->code));
        qz_table_add(&table, file->what);
        qz_table_add_visible(&table, file->path);
        qz_table_add_visible(&table, file->plugin);
    }
    qz_table_print(&table, &page->text);
}

static void add_attempt(struct page *page, const struct qz_attempt *attempt)
{
    struct qz_text *text = &page->text;
    const char *signal_name = NULL;
    switch (attempt->outcome) {
    case QZ_ATTEMPT_EXITED:
        qz_text_add(text, "exit status %d after ", attempt->status);
        break;
    case QZ_ATTEMPT_SIGNALED:
        signal_name = sigabbrev_np(attempt->status);
        qz_text_add(text, "ended by signal %d (SIG%s) after ", attempt->status, signal_name ? signal_name : "?");
        break;
    case QZ_ATTEMPT_TIMEOUT:
        qz_text_add(text, "timed out, and was ended, after ");
        break;
    case QZ_ATTEMPT_NOT_STARTED:
        if (attempt->status == ESTALE)
            qz_text_add(text, QZ_SCRIPT_CHANGED "\n");
        else
            qz_text_add(text, "could not be started: %s\n", strerror(attempt->status));
        return;
    }
    qz_text_add_duration(text, attempt->duration_us);
    qz_text_add(text, "\n");
}

/* Where the last TAIL_LINES_MAX lines of `bytes` begin. */
static size_t last_lines(const char *bytes, size_t size)
{
    size_t lines = 0;
    for (size_t i = size; i > 0; i--)
        if (bytes[i - 1] == '\n' && i < size && ++lines == TAIL_LINES_MAX)
            return i;
    return 0;
}

/* What a stream said last, one marked line each, so that it can't be taken for ours. */
static void add_tail(struct page *page, const char *stream, const struct qz_tail *tail)
{
    char bytes[QZ_TAIL_SIZE];
    size_t size = tail ? qz_tail_copy(tail, bytes) : 0;
    size_t start = last_lines(bytes, size);
    uint64_t left_out = size > 0 ? tail->total - (size - start) : 0;
    if (left_out > 0)
        qz_text_add(&page->text, "      %s | (%" PRIu64 " earlier bytes are left out)\n", stream, left_out);
    while (start < size) {
        const char *line = bytes + start;
        const char *end = memchr(line, '\n', size - start);
        size_t length = end ? (size_t)(end - line) : size - start;
        qz_text_add(&page->text, "      %s | ", stream);
        qz_text_add_visible(&page->text, line, length);
        qz_text_add(&page->text, "\n");
        start += length + 1;
    }
}

static const char still_alive[] = "    a process of it could not be ended and is still alive\n";

static bool attempt_failed(const struct qz_attempt *attempt)
{
    return attempt->outcome != QZ_ATTEMPT_EXITED || attempt->status != 0;
}

static void add_script(struct page *page, const struct qz_script_result *script)
{
    qz_text_add(&page->text, "  %-4s  ", qz_phase_name(script->role));
    add_visible(page, script->path ? script->path : "(no script)");
    qz_text_add(&page->text, " (");
    add_visible(page, script->plugin ? script->plugin : "no plugin");
    static const char *const leads[] = {": was not started\n", ": ", ":\n"};
    qz_text_add(&page->text, ")%s", leads[script->attempt_count < 2 ? script->attempt_count : 2]);
    for (size_t i = 0; i < script->attempt_count; i++) {
        const struct qz_attempt *attempt = &script->attempts[i];
        if (script->attempt_count > 1)
            qz_text_add(&page->text, "    attempt %zu: ", i + 1);
        add_attempt(page, attempt);
        if (attempt_failed(attempt)) {
            add_tail(page, "stdout", attempt->out);
            add_tail(page, "stderr", attempt->err);
        }
    }
    if (script->left_alive)
        qz_text_add(&page->text, "%s", still_alive);
}

static void add_scripts(struct page *page, const struct qz_result *result)
{
    if (result->script_count == 0 || is_command(result, "check"))
        return;
    add_heading(page, "scripts");
    for (size_t i = 0; i < result->script_count; i++)
        add_script(page, &result->scripts[i]);
}

static void add_snapshot(struct page *page, const struct qz_result *result)
{
    const struct qz_snapshot_result *snapshot = &result->snapshot;
    bool begun = snapshot->outcome != QZ_SNAPSHOT_NOT_TAKEN;
    if (!result->snapshot_argv || is_command(result, "check"))
        return;
    struct qz_text words = {0};
    qz_text_add_words(&words, result->snapshot_argv);
    add_heading(page, "snapshot");
    qz_text_add(&page->text, "  ");
    if (words.size > 0)
        qz_text_add_visible(&page->text, words.bytes, words.size);
    page->text.failed |= words.failed;
    qz_text_free(&words);
    qz_text_add(&page->text, begun ? ": " : ": no snapshot was taken\n");
    if (begun)
        add_attempt(page, &snapshot->attempt);
    if (snapshot->outcome != QZ_SNAPSHOT_TAKEN) {
        add_tail(page, "stdout", snapshot->attempt.out);
        add_tail(page, "stderr", snapshot->attempt.err);
    }
    if (snapshot->left_alive)
        qz_text_add(&page->text, "%s", still_alive);
}

static void add_volumes(struct page *page, const struct qz_result *result)
{
    if (result->volume_count == 0)
        return;
    add_heading(page, "volumes");
    if (is_command(result, "check"))
        qz_report_volume_decisions(result, &page->text);
    else
        qz_report_volume_times(result, &page->text);
}

/* A stretch of the run, drawn to scale; never so short that it can't be seen. */
static void add_bar(struct qz_text *text, const struct qz_phase_time *phase, int64_t whole_us)
{
    if (whole_us <= 0)
        return;
    int64_t begin = phase->start_us * BAR_WIDTH / whole_us;
    int64_t end = (phase->start_us + phase->duration_us) * BAR_WIDTH / whole_us;
    begin = begin < BAR_WIDTH ? begin : BAR_WIDTH - 1;
    qz_text_add_blanks(text, (size_t)begin);
    for (int64_t i = begin; i < end || i == begin; i++)
        qz_text_add_bytes(text, "━", sizeof "━" - 1);
}

static void add_timeline(struct page *page, const struct qz_result *result)
{
    if (result->phase_count == 0 || is_command(result, "check"))
        return;
    int64_t whole_us = 0;
    for (size_t i = 0; i < result->phase_count; i++)
        if (result->phases[i].start_us + result->phases[i].duration_us > whole_us)
            whole_us = result->phases[i].start_us + result->phases[i].duration_us;
    add_heading(page, "timeline");
    struct qz_table table = {.columns = 4, .right = 1 << 1 | 1 << 2};
    for (size_t i = 0; i < result->phase_count; i++) {
        const struct qz_phase_time *phase = &result->phases[i];
        qz_table_add(&table, phase->name);
        qz_table_add(&table, "at ");
        qz_text_add_duration(&table.cells, phase->start_us);
        qz_text_add_duration(qz_table_cell(&table), phase->duration_us);
        add_bar(qz_table_cell(&table), phase, whole_us);
    }
    qz_table_print(&table, &page->text);
}

char *qz_report_human(const struct qz_result *result, bool colour)
{
    struct page page = {.colour = colour};
    add_headline(&page, result);
    add_summary(&page, result);
    add_errors(&page, &result->errors);
    add_warnings(&page, &result->warnings);
    add_files(&page, result);
    add_scripts(&page, result);
    add_volumes(&page, result);
    add_snapshot(&page, result);
    add_timeline(&page, result);
    return qz_text_take(&page.text);
}
