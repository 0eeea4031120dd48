/* explain_machine.c: the machine of a scenario, and what befalls it, in plain words. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "memory.h"
#include "trace.h"

#define MIB 1048576

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

static void explain_volume(struct explainer *explainer, const struct scenario_volume *volume)
{
    static const char *const FILLS[] = {"", ", nearly full", ", full"};
    char size[32] = "", on[300] = "", disk[64] = "";
    if (volume->size > 0)
        snprintf(size, sizeof size, ", %lld MiB", (long long)(volume->size / MIB));
    if (volume->on)
        snprintf(on, sizeof on, ", on a disk image that lies on %s", volume->on);
    if (volume->recorded)
        snprintf(disk, sizeof disk, ", on a recording disk, %s a write", explain_duration(volume->disk_write_us));
    explain_line(explainer, "%s: %s%s%s%s%s%s%s%s, disk %d", volume->mount, volume->type, size, FILLS[volume->fill],
                 volume->read_only ? ", read-only" : "", on, disk, volume->covered ? ", covered by another mount" : "",
                 volume->frozen_by_other ? ", frozen by somebody else" : "", volume->disk);
    for (size_t i = 0; i < volume->bind_count; i++)
        explain_line(explainer, "  the same is mounted at %s", volume->binds[i]);
    for (size_t i = 0; i < volume->subvolume_count; i++)
        explain_line(explainer, "  a subvolume of it is mounted at %s", volume->subvolumes[i]);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void explain_file(struct explainer *explainer, const struct scenario_file *file, const char *says)
{
    static const char *const KINDS[] = {"", "directory, ", "link", "named pipe, ", "absent"};
    char owner[32] = "root's";
    if (file->owner != 0)
        snprintf(owner, sizeof owner, "user %u's", (unsigned)file->owner);
    if (file->kind == SCENARIO_ABSENT)
        explain_line(explainer, "%s: absent", file->path);
    else if (file->kind == SCENARIO_SYMLINK)
        explain_line(explainer, "%s: a link to %s", file->path, file->text);
    else
        explain_line(explainer, "%s: %s%s, %04o%s%s", file->path, KINDS[file->kind], owner, (unsigned)file->mode,
                     *says ? ", " : "", says);
}

/* The lines of a text, as far as one wants to see them. */
static void explain_text(struct explainer *explainer, const struct scenario_file *file)
{
    size_t left = file->kind == SCENARIO_FILE && file->text ? file->size : 0;
    const char *at = file->text;
    for (int line = 0; left > 0 && line < 20; line++) {
        const char *end = memchr(at, '\n', left);
        size_t length = end ? (size_t)(end - at) : left;
        explain_line(explainer, "    | %.*s", (int)length, at);
        left -= end ? length + 1 : length;
        at += length + 1;
    }
    if (left > 0)
        explain_line(explainer, "    | … (%zu bytes more)", left);
}

/* ---- Attempts ---------------------------------------------------------------------------------------------------- */

static void put_output(FILE *out, const char *text, size_t size, const char *where)
{
    if (text)
        fprintf(out, "prints %zu bytes on standard %s, ", size, where);
}

static void put_attempt(FILE *out, const struct scenario_attempt *attempt)
{
    if (attempt->reads)
        fprintf(out, "reads from %s, ", attempt->reads);
    if (attempt->writes)
        fprintf(out, "writes to %s, ", attempt->writes);
    put_output(out, attempt->out, attempt->out_size, "output");
    put_output(out, attempt->err, attempt->err_size, "error");
    if (attempt->leaves > 0)
        fprintf(out, "leaves %d process%s behind that run%s %s%s%s, ", attempt->leaves,
                attempt->leaves == 1 ? "" : "es",
                attempt->leaves == 1 ? "s" : "", explain_duration(attempt->leaves_run_us),
                attempt->leaves_ignore_term ? ", ignore SIGTERM" : "",
                attempt->leaves_hold_output ? ", hold the output open" : "");
    if (attempt->ignores_term)
        fputs("ignores SIGTERM, ", out);
    if (attempt->run_us == SCENARIO_FOREVER)
        fputs("never ends", out);
    else if (attempt->signal)
        fprintf(out, "dies by SIG%s after %s", trace_signal_name(attempt->signal), explain_duration(attempt->run_us));
    else
        fprintf(out, "exits %d after %s", attempt->exit, explain_duration(attempt->run_us));
}

static void explain_attempts(struct explainer *explainer, const struct scenario_attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out)
            scenario_no_memory();
        put_attempt(out, &attempts[i]);
        if (fclose(out) != 0)
            scenario_no_memory();
        if (count == 1)
            explain_line(explainer, "  %s", text);
        else
            explain_line(explainer, "  start %zu%s: %s", i + 1, i + 1 == count ? " and later" : "", text);
        free(text);
    }
}

static void explain_script(FILE *out, const char *word, const struct scenario_script *script)
{
    struct explainer explainer = {out, word};
    explain_file(&explainer, &script->file, "");
    if (strcmp(script->location, script->file.path) != 0)
        explain_line(&explainer, "  in the config: %s", script->location);
    explain_text(&explainer, &script->file);
    explain_attempts(&explainer, script->attempts, script->attempt_count);
}

static void explain_plugins(FILE *out, const struct scenario *scenario)
{
    if (scenario->plugin_host) {
        struct explainer host = {out, "Plugin host"};
        explain_file(&host, scenario->plugin_host, "");
        explain_text(&host, scenario->plugin_host);
    }
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        const struct scenario_plugin *plugin = &scenario->plugins[i];
        struct explainer config = {out, "Config"};
        explain_file(&config, &plugin->config, scenario->plugin_count > 1 ? plugin->name : "");
        explain_text(&config, &plugin->config);
        explain_script(out, "Pre-script", &plugin->pre);
        explain_script(out, "Post-script", &plugin->post);
    }
}

/* ---- What befalls it --------------------------------------------------------------------------------------------- */

static void explain_fault(struct explainer *explainer, const struct scenario_fault *fault)
{
    static const char *const OPS[] = {"sync", "freeze", "thaw"};
    char which[32] = "every", late[64] = "", error[64] = "is done";
    if (fault->nth > 0)
        snprintf(which, sizeof which, "number %d", fault->nth);
    if (fault->delay_us > 0)
        snprintf(late, sizeof late, " after %s", explain_duration(fault->delay_us));
    if (fault->delay_us == SCENARIO_FOREVER)
        snprintf(late, sizeof late, " when it is released");
    if (fault->error)
        snprintf(error, sizeof error, "fails with %s", trace_errno_name(fault->error));
    static const char *const HANGS[] = {"", "; a thaw waits for it", "; a thaw finds nothing frozen meanwhile"};
    explain_line(explainer, "%s of %s, %s: %s%s%s", OPS[fault->op], fault->volume ? fault->volume : "any volume",
                 which, error, late, HANGS[fault->hang]);
}

static void explain_blow(struct explainer *explainer, const struct scenario_blow *blow)
{
    char which[32] = "", what[128], during[32] = "";
    if (blow->command > 1)
        snprintf(during, sizeof during, " (command %d)", blow->command);
    if (blow->which > 0)
        snprintf(which, sizeof which, " %d", blow->which);
    if (blow->error)
        snprintf(what, sizeof what, "fails with %s", trace_errno_name(blow->error));
    else if (blow->delay_us > 0)
        snprintf(what, sizeof what, "is late by %s", explain_duration(blow->delay_us));
    else
        snprintf(what, sizeof what, "%s%s %s it", trace_signal_name(blow->signal),
                 blow->target == SCENARIO_BOTH ? " to both" : "", blow->after ? "after" : "before");
    if (blow->signal == SIGSTOP && blow->resume_us != SCENARIO_FOREVER)
        snprintf(what + strlen(what), sizeof what - strlen(what), " for %s", explain_duration(blow->resume_us));
    explain_line(explainer, "%s%s, %s number %d%s: %s", blow->by == SCENARIO_AGENT ? "agent" : "guardian", which,
                 blow->op, blow->nth, during, what);
}

static void explain_call(struct explainer *explainer, const struct scenario_call *call)
{
    static const char *const CALLERS[] = {"the agent", "the guardian", "a child"};
    static const char *const TARGETS[] = {"", "the agent", "the guardian", "both"};
    char which[32] = "every", what[300] = "";
    int size = 0;
    if (call->nth > 0)
        snprintf(which, sizeof which, "number %d", call->nth);
    if (call->signal)
        size = snprintf(what, sizeof what, ", SIG%s to %s %s it", trace_signal_name(call->signal),
                        TARGETS[call->target], call->after ? "after" : "before");
    if (call->signal && call->resume_us > 0)
        size += snprintf(what + size, sizeof what - (size_t)size, " for %s", explain_duration(call->resume_us));
    if (call->delay_us > 0)
        size += snprintf(what + size, sizeof what - (size_t)size, ", after %s", explain_duration(call->delay_us));
    if (call->transfers > 0)
        size += snprintf(what + size, sizeof what - (size_t)size, ", no more than %d bytes", call->transfers);
    if (call->error)
        snprintf(what + size, sizeof what - (size_t)size, ", fails with %s", trace_errno_name(call->error));
    explain_line(explainer, "%s(%s) by %s, %s%s", call->call, call->about ? call->about : "", CALLERS[call->by], which,
                 what);
}

static void explain_action(struct explainer *explainer, const struct scenario_action *action)
{
    char line[512], nth[32] = "", after[64] = "";
    scenario_action_line(action, line, sizeof line);
    if (action->kind == SCENARIO_CHMOD)
        snprintf(line + strlen(line), sizeof line - strlen(line), " to %04o", (unsigned)action->mode);
    for (size_t i = 0; i < action->word_count; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", i ? " " : ": ", action->words[i]);
    if (action->when && action->nth > 1)
        snprintf(nth, sizeof nth, " for the %d. time", action->nth);
    if (action->when && action->after_us > 0)
        snprintf(after, sizeof after, ", and %s later", explain_duration(action->after_us));
    if (action->when)
        explain_line(explainer, "when \"%s\"%s%s: %s", action->when, nth, after, line);
    else
        explain_line(explainer, "after %s: %s", explain_duration(action->after_us), line);
}

static void explain_workload(struct explainer *explainer, const struct scenario_workload *workload)
{
    static const char *const KINDS[] = {"append", "append and sync", "store to a shared mapping", "write with O_DIRECT",
                                        "make and remove directory entries", "keep a ledger", "make a file longer and shorter",
                                        "freeze and thaw, as somebody else", "remount it read-only and writable",
                                        "bind-mount and unmount it", "set a quota"};
    char flush[64] = "";
    if (workload->kind == SCENARIO_LEDGER && workload->flush_us == 0)
        snprintf(flush, sizeof flush, ", acknowledging what is durable");
    else if (workload->kind == SCENARIO_LEDGER)
        snprintf(flush, sizeof flush, ", flushed every %s", explain_duration(workload->flush_us));
    explain_line(explainer, "%d writer%s on %s: %s%s", workload->writers, workload->writers == 1 ? "" : "s",
                 workload->volume, KINDS[workload->kind], flush);
}

void explain_machine(FILE *out, const struct scenario *scenario)
{
    struct explainer explainer = {out, "Volumes"};
    for (size_t i = 0; i < scenario->volume_count; i++)
        explain_volume(&explainer, &scenario->volumes[i]);
    if (scenario->volume_count == 0)
        explain_line(&explainer, "none");
    explain_plugins(out, scenario);
    explain_begin(&explainer, "Files");
    for (size_t i = 0; i < scenario->file_count; i++) {
        explain_file(&explainer, &scenario->files[i], "");
        explain_text(&explainer, &scenario->files[i]);
    }
    explain_begin(&explainer, "Snapshot");
    explain_attempts(&explainer, scenario->snapshots, scenario->snapshot_count);
    explain_begin(&explainer, "Given");
    if (scenario->journal)
        explain_line(&explainer, "a journal lies in /run/quiesce: %s", scenario->journal);
    if (scenario->rcu_expedited != 0)
        explain_line(&explainer, "/sys/kernel/rcu_expedited is %d", scenario->rcu_expedited);
    if (scenario->writeback_period != SCENARIO_WRITEBACK_PERIOD)
        explain_line(&explainer, "/proc/sys/vm/dirty_writeback_centisecs is %d", scenario->writeback_period);
    if (scenario->dirty_bytes > 0)
        explain_line(&explainer, "/proc/meminfo says all the time that %" PRId64 " KiB are dirty", scenario->dirty_bytes / 1024);
    if (scenario->other_has_lock)
        explain_line(&explainer, "another quiesce is at work all the time");
    explain_begin(&explainer, "Writers");
    for (size_t i = 0; i < scenario->workload_count; i++)
        explain_workload(&explainer, &scenario->workloads[i]);
    explain_begin(&explainer, "Goes wrong");
    for (size_t i = 0; i < scenario->fault_count; i++)
        explain_fault(&explainer, &scenario->faults[i]);
    for (size_t i = 0; i < scenario->call_count; i++)
        explain_call(&explainer, &scenario->calls[i]);
    for (size_t i = 0; i < scenario->blow_count; i++)
        explain_blow(&explainer, &scenario->blows[i]);
    explain_begin(&explainer, "Is done");
    for (size_t i = 0; i < scenario->action_count; i++)
        explain_action(&explainer, &scenario->actions[i]);
}
