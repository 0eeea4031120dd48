/* progress.c: what is done already: on the screen, and in a file with which an exploration goes on where it ended. The
 * file speaks of one program: the first line is a sum of its bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "commands.h"
#include "explore.h"
#include "put.h"

#define TELL_EVERY_US 10000000 /* where nobody watches */
#define SHOW_EVERY_US 200000
#define STATE_HEAD "explored "

static const char *const STATES[] = {"open", "held", "violated", "unreached", "broken"};

static uint64_t sum(const char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

/* The caller frees; "" where it cannot be read. */
static char *read_whole_file(const char *path, size_t *size)
{
    char *text = NULL;
    FILE *out = must(open_memstream(&text, size));
    FILE *in = fopen(path, "re");
    char bytes[65536];
    for (size_t got; in && (got = fread(bytes, 1, sizeof bytes, in)) > 0;)
        fwrite(bytes, 1, got, out);
    if (in)
        fclose(in);
    fclose(out);
    return must(text);
}

struct known {
    uint64_t sum;
    int state;
};

static int by_sum(const void *one, const void *other)
{
    const struct known *a = one;
    const struct known *b = other;
    return a->sum < b->sum ? -1 : a->sum > b->sum;
}

/* "held TAB NAME"; false: no such line. */
static bool take_line(char *line, struct known *known)
{
    char *name = strchr(line, '\t');
    if (!name)
        return false;
    *name++ = '\0';
    known->sum = sum(name, strlen(name));
    for (known->state = 0; known->state < 5 && strcmp(STATES[known->state], line) != 0;)
        known->state++;
    return known->state == ATTEMPT_HELD || known->state == ATTEMPT_UNREACHED;
}

static void apply(struct plan *plan, const struct known *known, size_t count)
{
    for (size_t i = 0; i < plan->attempt_count; i++) {
        struct attempt *attempt = &plan->attempts[i];
        char *name = attempt_name(plan, attempt);
        struct known wanted = {.sum = sum(name, strlen(name))};
        const struct known *found = count > 0 ? bsearch(&wanted, known, count, sizeof *known, by_sum) : NULL;
        free(name);
        if (!found)
            continue;
        attempt->state = (unsigned)found->state;
        plan->bases[attempt->base].sites.items[attempt->site].reached |= found->state == ATTEMPT_HELD;
        plan->done++;
    }
}

/* Takes what the file says. False: it is of another program, or empty. */
static bool take_state(struct plan *plan, char *text, const char *head)
{
    char *line = strsep(&text, "\n");
    if (strcmp(line, head) != 0)
        return false;
    size_t count = 0;
    struct known *known = NULL;
    for (line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
        if (count % 4096 == 0)
            known = must(realloc(known, (count + 4096) * sizeof *known));
        count += take_line(line, &known[count]);
    }
    if (count > 0)
        qsort(known, count, sizeof *known, by_sum);
    apply(plan, known, count);
    free(known);
    return true;
}

/* Is this a state, or nothing yet? What is somebody's file otherwise is not ours to replace. */
static bool is_state(const char *text)
{
    return !text[0] || strncmp(text, STATE_HEAD, sizeof STATE_HEAD - 1) == 0;
}

int progress_open(struct plan *plan)
{
    const char *path = plan->options.state;
    plan->state = -1;
    if (!path)
        return EXIT_PASSED;
    size_t size;
    char *program = read_whole_file(plan->running.places.quiesce, &size);
    char *head = must_format(STATE_HEAD "%016llx", (unsigned long long)sum(program, size));
    char *text = read_whole_file(path, &size);
    bool ours = is_state(text), same = ours && take_state(plan, text, head);
    if (ours)
        plan->state = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (same ? 0 : O_TRUNC), 0600);
    const char *why = ours ? strerror(errno) : "is no state of an exploration, and is left as it is";
    if (plan->state >= 0 && !same)
        dprintf(plan->state, "%s\n", head);
    free(program);
    free(head);
    free(text);
    if (plan->state >= 0)
        return EXIT_PASSED;
    fprintf(stderr, "quiesce-sim explore: --state: %s: %s\n", path, why);
    return EXIT_MISTAKE;
}

void progress_note(struct plan *plan, const struct attempt *attempt)
{
    if (plan->state < 0 || attempt->second != SIZE_MAX)
        return;
    char *name = attempt_name(plan, attempt);
    dprintf(plan->state, "%s\t%s\n", STATES[attempt->state], name);
    free(name);
}

void progress_close(struct plan *plan)
{
    if (plan->state >= 0)
        close(plan->state);
    plan->state = -1;
}

/* ---- The screen ------------------------------------------------------------------------------------------------- */

/* Seconds to go, judged by how long the others took. */
static double left_s(const struct plan *plan, int64_t now)
{
    double each_us = plan->played > 0 ? (double)(now - plan->start_us) / (double)plan->played : 0;
    double all_s = plan->total > plan->played ? each_us * (double)(plan->total - plan->played) / 1e6 : 0;
    double budget_s = (double)(plan->until_us - now) / 1e6;
    return plan->until_us > 0 && budget_s < all_s ? budget_s : all_s;
}

void progress_show(const struct plan *plan, bool last)
{
    static int64_t shown_us;
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    int64_t now = now_us();
    if (!last && now - shown_us < (terminal ? SHOW_EVERY_US : TELL_EVERY_US))
        return;
    shown_us = now;
    size_t violated = 0;
    for (size_t i = 0; i < plan->attempt_count; i++)
        violated += plan->attempts[i].state == ATTEMPT_VIOLATED;
    fprintf(stderr, "%s%zu of %zu, %zu violated, %.0f s to go%s", terminal ? "\r\033[K" : "", plan->played, plan->total,
            violated, left_s(plan, now), terminal && !last ? "" : "\n");
    fflush(stderr);
}
