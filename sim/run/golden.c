/* golden.c: traces kept beside scenarios, in NAME.golden of NAME.json.
 *
 * Kept is what must not change without somebody noticing: which lines, in which order, without times. Operations of the
 * same kind on several volumes overlap, so neighbours of them are put in the order of volumes; guardians come and go
 * beside all that, and are left out unless they die. So any world, and any run, gives the same text. The file:
 *
 *     == exit=3,type=xfs: command 1
 *     agent starts
 *     …
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "put.h"
#include "running.h"

#define HEAD "== "

/* "scenarios/x.golden" of "scenarios/x.json". The caller frees. */
static char *golden_path(const struct scenario *scenario)
{
    size_t length = strlen(scenario->file);
    bool json = length > 5 && strcmp(scenario->file + length - 5, ".json") == 0;
    return must_format("%.*s.golden", (int)(json ? length - 5 : length), scenario->file);
}

static char *head_of(const struct scenario *scenario, size_t step)
{
    return must_format(HEAD "%s%scommand %zu", scenario->variant, *scenario->variant ? ": " : "", step + 1);
}

/* ---- Normalised ------------------------------------------------------------------------------------------------- */

static int by_volume(const void *one, const void *other)
{
    const struct trace_event *a = *(const struct trace_event *const *)one;
    const struct trace_event *b = *(const struct trace_event *const *)other;
    int order = strcmp(a->volume, b->volume);
    return order ? order : (a > b) - (a < b); /* events of one trace: as they came */
}

/* May the two have happened the other way round? */
static bool overlap(const struct trace_event *a, const struct trace_event *b)
{
    return a->op != TRACE_NO_OP && a->op == b->op && a->role == b->role && a->volume && b->volume;
}

/* Is it, or when it is, another in every run? */
static bool is_chance(const struct trace_event *event)
{
    bool waited = event->what == TRACE_NOTE && event->text && strncmp(event->text, "writer of ", 10) == 0;
    bool exits = event->what == TRACE_EXITS && event->value == 0;
    return waited || (event->role == TRACE_GUARDIAN && (exits || event->what == TRACE_STARTS));
}

/* The lines of a step. The caller frees. */
static char *normalise(const struct trace *trace, size_t step)
{
    const struct trace_event **events = must(calloc(trace->count + 1, sizeof *events));
    size_t count = 0;
    for (size_t i = 0; i < trace->count; i++) {
        if (trace->events[i].step == (int)step && !is_chance(&trace->events[i]))
            events[count++] = &trace->events[i];
    }
    for (size_t from = 0; from < count;) {
        size_t to = from + 1;
        while (to < count && overlap(events[from], events[to]))
            to++;
        qsort(events + from, to - from, sizeof *events, by_volume);
        from = to;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = must(open_memstream(&text, &size));
    for (size_t i = 0; i < count; i++) {
        char line[512];
        fprintf(out, "%s\n", trace_line(events[i], line, sizeof line));
    }
    fclose(out);
    free(events);
    return text;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

/* The whole file; "" where there is none. The caller frees. */
static char *read_golden(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return must(strdup(""));
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = must(strdup(""));
    }
    fclose(file);
    return text;
}

/* Where the lines under `head` begin, and how long they are. NULL: there is no such head. */
static const char *find_section(const char *text, const char *head, size_t *size)
{
    size_t length = strlen(head);
    for (const char *line = text; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
        if (strncmp(line, head, length) != 0 || line[length] != '\n')
            continue;
        const char *begin = line + length + 1;
        const char *end = strncmp(begin, HEAD, strlen(HEAD)) == 0 ? begin - 1 : strstr(begin, "\n" HEAD);
        *size = end ? (size_t)(end + 1 - begin) : strlen(begin);
        return begin;
    }
    return NULL;
}

/* ---- Judging ---------------------------------------------------------------------------------------------------- */

/* Tells the first line that differs. */
static void compare(const char *path, const char *expected, size_t expected_size, const char *seen,
                    struct findings *findings)
{
    const char *end = expected + expected_size;
    for (int number = 1; expected < end || *seen; number++) {
        size_t expected_length = expected < end ? strcspn(expected, "\n") : 0;
        size_t seen_length = strcspn(seen, "\n");
        if (expected_length != seen_length || strncmp(expected, seen, seen_length) != 0) {
            char *wanted = must(expected < end ? strndup(expected, expected_length) : strdup("(the end)"));
            char *found = must(*seen ? strndup(seen, seen_length) : strdup("(the end)"));
            findings_add(findings, 0, SIZE_MAX, wanted, found, "line %d differs from the golden trace in %s", number,
                         path);
            free(wanted);
            free(found);
            return;
        }
        expected += expected_length + (expected < end);
        seen += seen_length + (*seen != '\0');
    }
}

static bool is_golden(const struct scenario *scenario, const struct outcome *outcome, size_t step)
{
    return step < outcome->step_count && scenario->steps[step].expect.golden;
}

void golden_judge(const struct scenario *scenario, const struct outcome *outcome, struct findings *findings)
{
    for (size_t i = 0; i < scenario->step_count; i++) {
        if (!is_golden(scenario, outcome, i))
            continue;
        size_t size = 0;
        char *path = golden_path(scenario);
        char *text = read_golden(path);
        char *head = head_of(scenario, i);
        char *seen = normalise(&outcome->trace, i);
        const char *expected = find_section(text, head, &size);
        if (expected)
            compare(path, expected, size, seen, findings);
        else
            findings_add(findings, 0, SIZE_MAX, head, "nowhere",
                         "%s has no golden trace for it; --update writes one", path);
        free(path);
        free(text);
        free(head);
        free(seen);
    }
}

/* ---- Updating --------------------------------------------------------------------------------------------------- */

/* Puts the section into the file; the others stay as they are. False: errno. */
static bool write_section(const char *path, const char *head, const char *lines)
{
    char *text = read_golden(path);
    size_t size = 0;
    const char *old = find_section(text, head, &size);
    FILE *file = fopen(path, "we");
    if (file && old)
        fprintf(file, "%.*s%s%s", (int)(old - text), text, lines, old + size);
    else if (file)
        fprintf(file, "%s%s\n%s", text, head, lines);
    free(text);
    return file && fclose(file) == 0;
}

/* Every world must tell the same: the first writes, the others are judged by that. */
static bool is_first_of_its_worlds(const struct report *report, size_t index)
{
    const struct report_case *it = &report->cases[index];
    for (size_t i = index; i > 0 && report->cases[i - 1].scenario == it->scenario; i--) {
        if (report->cases[i - 1].verdict == VERDICT_PASSED)
            return false;
    }
    return true;
}

static int update_case(struct report_case *it)
{
    char *path = golden_path(it->scenario);
    int status = EXIT_PASSED;
    bool any = false;
    for (size_t i = 0; i < it->scenario->step_count && status == EXIT_PASSED; i++) {
        if (!is_golden(it->scenario, &it->outcome, i))
            continue;
        char *head = head_of(it->scenario, i);
        char *lines = normalise(&it->outcome.trace, i);
        any = true;
        if (!write_section(path, head, lines)) {
            fprintf(stderr, "quiesce-sim %s: --update: %s: %s\n", running_command, path, strerror(errno));
            status = EXIT_BROKEN;
        }
        free(head);
        free(lines);
    }
    if (any && status == EXIT_PASSED)
        fprintf(stderr, "updated %s\n", path);
    free(path);
    return status;
}

int golden_update(struct running *running)
{
    struct report *report = &running->report;
    for (size_t i = 0; i < report->count; i++) {
        struct report_case *it = &report->cases[i];
        if (it->verdict != VERDICT_PASSED)
            continue;
        int status = EXIT_PASSED;
        if (is_first_of_its_worlds(report, i))
            status = update_case(it);
        else
            golden_judge(it->scenario, &it->outcome, &it->findings);
        if (it->findings.count > 0)
            it->verdict = VERDICT_FAILED;
        if (status != EXIT_PASSED)
            return status;
    }
    return EXIT_PASSED;
}
