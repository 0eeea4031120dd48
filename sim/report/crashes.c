/* crashes.c: what snapshots and crashes were worth, measured: a table for people. */
#include <stdlib.h>
#include <string.h>

#include "put.h"
#include "report.h"

/* Images of one kind, of one volume. */
struct tally {
    size_t images;
    size_t mounts;
    size_t clean;
    size_t judged; /* by a ledger */
    size_t lossy;
    int64_t most;
    int64_t damaged;
};

static void count_in(struct tally *tally, bool mounts, bool clean, int64_t missing, int64_t damaged)
{
    tally->images++;
    tally->mounts += mounts;
    tally->clean += clean;
    tally->judged += missing >= 0;
    tally->lossy += missing > 0;
    tally->most = missing > tally->most ? missing : tally->most;
    tally->damaged += damaged > 0;
}

static void put_row(FILE *out, const char *what, const struct tally *tally)
{
    if (tally->images == 0)
        return;
    fprintf(out, "  %-22s %7zu %7zu %7zu", what, tally->images, tally->mounts, tally->clean);
    if (tally->judged > 0)
        fprintf(out, " %9zu %9lld %9lld", tally->lossy, (long long)tally->most, (long long)tally->damaged);
    putc('\n', out);
}

static void put_volume(FILE *out, const struct outcome *outcome, const char *mount)
{
    struct tally snapshot = {0}, of_flush[2] = {{0}, {0}};
    for (size_t i = 0; i < outcome->snapshot_count; i++) {
        const struct outcome_snapshot *seen = &outcome->snapshots[i];
        if (seen->taken && strcmp(seen->mount, mount) == 0)
            count_in(&snapshot, seen->mounts, seen->clean, seen->missing, seen->damaged);
    }
    for (size_t i = 0; i < outcome->crash_count; i++) {
        const struct outcome_crash *seen = &outcome->crashes[i];
        if (strcmp(seen->mount, mount) == 0)
            count_in(&of_flush[seen->at_flush], seen->mounts, seen->clean, seen->missing, seen->damaged);
    }
    put_row(out, "the snapshot", &snapshot);
    put_row(out, "crashes at flushes", &of_flush[1]);
    put_row(out, "crashes between them", &of_flush[0]);
}

static void put_case_crashes(FILE *out, const struct report_case *it)
{
    char *title = report_title(it);
    const cJSON *result = it->outcome.step_count > 0 ? it->outcome.steps[0].result : NULL;
    const char *claim = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "consistency"));
    for (size_t i = 0; i < it->scenario->volume_count; i++) {
        const struct scenario_volume *volume = &it->scenario->volumes[i];
        if (!volume->recorded)
            continue;
        put_visible(out, title);
        fputs(", ", out);
        put_visible(out, volume->mount);
        fputs(", claimed: ", out);
        put_visible(out, claim ? claim : "nothing");
        putc('\n', out);
        put_volume(out, &it->outcome, volume->mount);
    }
    free(title);
}

void report_crashes(const struct report *report, FILE *out)
{
    fprintf(out, "  %-22s %7s %7s %7s %9s %9s %9s\n", "images of a disk", "images", "mount", "clean", "that lose",
            "records", "with torn");
    for (size_t i = 0; i < report->count; i++) {
        if (report->cases[i].outcome.crash_count > 0)
            put_case_crashes(out, &report->cases[i]);
    }
    putc('\n', out);
}
