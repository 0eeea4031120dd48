/* json.c: everything, for programs and for the page. README.md has the keys. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "put.h"
#include "report.h"

static void put_key(FILE *out, const char *key, const char *value)
{
    fprintf(out, ",\"%s\":", key);
    put_json_string(out, value);
}

static void put_findings(FILE *out, const struct report_case *it)
{
    fputs(",\"findings\":[", out);
    for (size_t i = 0; i < it->findings.count; i++) {
        const struct finding *finding = &it->findings.items[i];
        fprintf(out, "%s{\"invariant\":%d", i ? "," : "", finding->invariant);
        put_key(out, "what", finding->what);
        put_key(out, "expected", finding->expected);
        put_key(out, "seen", finding->seen);
        if (finding->event < it->outcome.trace.count)
            fprintf(out, ",\"event\":%zu", finding->event);
        putc('}', out);
    }
    putc(']', out);
}

static void put_steps(FILE *out, const struct report_case *it)
{
    fputs(",\"steps\":[", out);
    for (size_t i = 0; i < it->outcome.step_count; i++) {
        const struct outcome_step *step = &it->outcome.steps[i];
        fprintf(out, "%s{\"command\":[\"quiesce\"", i ? "," : "");
        for (size_t k = 0; i < it->scenario->step_count && k < it->scenario->steps[i].argc; k++) {
            putc(',', out);
            put_json_string(out, it->scenario->steps[i].argv[k]);
        }
        fprintf(out, "],\"exit\":%d,\"signal\":%d", step->exit, step->signal);
        put_key(out, "out", step->out);
        put_key(out, "err", step->err);
        fputs(",\"result\":", out);
        put_json_value(out, step->result);
        putc('}', out);
    }
    putc(']', out);
}

static void put_trace(FILE *out, const struct trace *trace)
{
    fputs(",\"trace\":[", out);
    for (size_t i = 0; i < trace->count; i++) {
        char line[512];
        fprintf(out, "%s{\"at_us\":%lld,\"step\":%d", i ? "," : "", (long long)trace->events[i].at_us,
                trace->events[i].step);
        put_key(out, "line", trace_line(&trace->events[i], line, sizeof line));
        putc('}', out);
    }
    putc(']', out);
}

static void put_crashes(FILE *out, const struct outcome *outcome)
{
    fputs(",\"snapshots\":[", out);
    for (size_t i = 0; i < outcome->snapshot_count; i++) {
        const struct outcome_snapshot *seen = &outcome->snapshots[i];
        fputs(i ? ",{\"volume\":" : "{\"volume\":", out);
        put_json_string(out, seen->mount);
        fprintf(out, ",\"taken\":%s,\"mounts\":%s,\"clean\":%s,\"missing\":%lld,\"damaged\":%lld}",
                seen->taken ? "true" : "false", seen->mounts ? "true" : "false", seen->clean ? "true" : "false",
                (long long)seen->missing, (long long)seen->damaged);
    }
    fputs("],\"crashes\":[", out);
    for (size_t i = 0; i < outcome->crash_count; i++) {
        const struct outcome_crash *seen = &outcome->crashes[i];
        fputs(i ? ",{\"volume\":" : "{\"volume\":", out);
        put_json_string(out, seen->mount);
        fprintf(out, ",\"at_us\":%lld,\"at_flush\":%s,\"mounts\":%s,\"clean\":%s,\"missing\":%lld,\"damaged\":%lld}",
                (long long)seen->at_us, seen->at_flush ? "true" : "false", seen->mounts ? "true" : "false",
                seen->clean ? "true" : "false", (long long)seen->missing, (long long)seen->damaged);
    }
    putc(']', out);
}

static void put_case(FILE *out, const struct report *report, const struct report_case *it)
{
    char *repeat = report_repeat(report, it);
    fputs("{\"world\":", out);
    put_json_string(out, it->world->name);
    put_key(out, "name", it->scenario->name);
    put_key(out, "variant", it->scenario->variant);
    put_key(out, "file", it->scenario->file);
    put_key(out, "description", it->scenario->description);
    fputs(",\"tags\":[", out);
    for (size_t i = 0; i < it->scenario->tag_count; i++) {
        fputs(i ? "," : "", out);
        put_json_string(out, it->scenario->tags[i]);
    }
    fprintf(out, "],\"repetition\":%d", it->repetition);
    put_key(out, "verdict", report_verdict_name(it->verdict));
    put_key(out, "why", it->why);
    fprintf(out, ",\"start_us\":%lld,\"duration_us\":%lld,\"longest_stall_us\":%lld", (long long)it->start_us,
            (long long)it->duration_us, (long long)it->outcome.longest_stall_us);
    put_key(out, "repeat", repeat);
    put_key(out, "kept", it->kept);
    put_key(out, "stderr", it->noise);
    if (it->outcome.crash_count > 0)
        put_crashes(out, &it->outcome);
    put_findings(out, it);
    put_steps(out, it);
    put_trace(out, &it->outcome.trace);
    putc('}', out);
    free(repeat);
}

void report_json(const struct report *report, FILE *out)
{
    struct report_counts counts = report_count(report);
    struct utsname machine;
    struct tm broken_down;
    char when[32];
    time_t started = (time_t)report->started;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&started, &broken_down));
    uname(&machine);
    fprintf(out, "{\"seed\":%llu", (unsigned long long)report->seed);
    put_key(out, "version", QZ_VERSION);
    put_key(out, "command", report->command);
    put_key(out, "started", when);
    fprintf(out, ",\"duration_us\":%lld,\"kernel\":", (long long)report->duration_us);
    put_json_string(out, machine.release);
    put_key(out, "machine", machine.machine);
    put_key(out, "interrupted", report->interrupted ? trace_signal_name(report->interrupted) : NULL);
    fputs(",\"counts\":{", out);
    for (int i = 0; i < VERDICT_COUNT; i++)
        fprintf(out, "%s\"%s\":%zu", i ? "," : "", report_verdict_name((enum verdict)i), counts.of[i]);
    fputs("},\"cases\":[", out);
    for (size_t i = 0; i < report->count; i++) {
        fputs(i ? ",\n" : "\n", out);
        put_case(out, report, &report->cases[i]);
    }
    fputs("\n]}\n", out);
}
