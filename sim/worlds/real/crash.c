/* crash.c: what crashes would have left of a recorded disk.
 *
 * The disk is a file of the fake filesystem, which remembers every write and every flush (fsync), and what the file was
 * at each moment. What a flush promises: all writes that were done before it was asked for are kept. Of those that came
 * later a disk with a cache has written any part, in any order; so an image between two flushes is the disk as it was
 * at the first one, with some of the later writes upon it, each whole. A write that was not done yet at the moment of
 * the crash is not among them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

#define PIECE_NAME "/disk-piece" /* what the disk was when one write was done */
#define WRITES_MAX 512           /* after a flush, that an image takes into account */
#define PIECE_MAX (1 << 20)

struct write {
    int64_t at_us;
    int64_t offset;
    int64_t length;
};

struct flush {
    int64_t asked_us;
    int64_t at_us;
    size_t kept;   /* how many writes it promises to keep */
    size_t before; /* how many were done when it had been done */
};

/* What happened to a disk. */
struct history {
    const char *disk; /* in its fake filesystem */
    struct write *writes;
    size_t write_count;
    struct flush *flushes;
    size_t flush_count;
};

/* ---- What happened ---------------------------------------------------------------------------------------------- */

static void *grown(void *items, size_t count, size_t size)
{
    if (count & (count - 1))
        return items; /* there is room up to the next power of two */
    void *larger = realloc(items, (count ? 2 * count : 1) * size);
    if (!larger)
        abort();
    return larger;
}

static void note_record(const struct fakefs_record *record, void *argument)
{
    struct history *history = argument;
    if (strcmp(record->path, history->disk) != 0 || record->error)
        return;
    if (strcmp(record->operation, "write") == 0 || strcmp(record->operation, "fallocate") == 0) {
        history->writes = grown(history->writes, history->write_count, sizeof *history->writes);
        history->writes[history->write_count++] = (struct write){record->at_us, record->offset, record->length};
    } else if (strcmp(record->operation, "fsync") == 0) {
        int64_t asked_us = record->at_us - record->waited_us;
        size_t kept = history->write_count;
        while (kept > 0 && history->writes[kept - 1].at_us >= asked_us)
            kept--;
        history->flushes = grown(history->flushes, history->flush_count, sizeof *history->flushes);
        history->flushes[history->flush_count++] =
            (struct flush){asked_us, record->at_us, kept, history->write_count};
    }
}

/* ---- Images ----------------------------------------------------------------------------------------------------- */

struct looking {
    struct sandbox *sandbox;
    struct sandbox_volume *volume;
    struct history history;
    uint64_t dice;
    int64_t start_us; /* the trace's zero */
    int64_t end_us;   /* when everything had been done */
    struct outcome *outcome;
};

static uint64_t roll(uint64_t *dice, uint64_t sides)
{
    uint64_t mixed = *dice += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return (mixed ^ mixed >> 31) % sides;
}

/* Puts one write upon the image, as it stood on the disk when it was done. 0 or an errno. */
static int put_write(const struct looking *looking, int image, const char *path, const struct write *write)
{
    PATH_OF(piece, "%.*s" PIECE_NAME, (int)(strlen(path) - strlen(FAKE_DISK_THEN)), path);
    unlink(piece);
    int error = fakefs_copy(&looking->volume->fakefs, looking->history.disk, write->at_us, PIECE_NAME);
    int file = error ? -1 : open(piece, O_RDONLY | O_CLOEXEC);
    char *bytes = allocate(1, PIECE_MAX);
    for (int64_t done = 0; file >= 0 && done < write->length;) {
        size_t wanted = write->length - done < PIECE_MAX ? (size_t)(write->length - done) : PIECE_MAX;
        ssize_t got = pread(file, bytes, wanted, write->offset + done);
        if (got <= 0 || pwrite(image, bytes, (size_t)got, write->offset + done) != got) {
            error = errno ? errno : EIO;
            break;
        }
        done += got;
    }
    free(bytes);
    if (file >= 0)
        close(file);
    unlink(piece);
    return error;
}

/* All of them, none, all but one, one alone, or each with an even chance: the ends are where mistakes are. */
static bool is_chosen(uint64_t *dice, uint64_t way, size_t index, size_t odd)
{
    switch (way) {
    case 0: return true;
    case 1: return false;
    case 2: return index != odd;
    case 3: return index == odd;
    default: return roll(dice, 2) == 0;
    }
}

static void look(struct looking *looking, int image, const char *path, bool at_flush, int64_t at_us)
{
    const struct scenario_volume *given = looking->volume->given;
    struct outcome *outcome = looking->outcome;
    struct look seen;
    look_at_image(looking->sandbox, given, image, path, at_us, &seen);
    outcome->crashes = grown(outcome->crashes, outcome->crash_count, sizeof *outcome->crashes);
    outcome->crashes[outcome->crash_count++] =
        (struct outcome_crash){.mount = given->mount, .at_flush = at_flush, .at_us = at_us - looking->start_us,
                               .mounts = seen.mounts, .clean = seen.clean, .missing = seen.missing,
                               .damaged = seen.damaged};
}

static void look_at_flush(struct looking *looking, const struct flush *flush)
{
    char path[PATH_MAX];
    int image = fake_open_then(looking->volume, flush->at_us, path);
    if (image < 0)
        return;
    look(looking, image, path, true, flush->at_us);
    close(image);
}

/* A crash at `at_us`, when the last flush was that one. */
static void look_after_flush(struct looking *looking, size_t index, int64_t at_us)
{
    const struct history *history = &looking->history;
    const struct flush *flush = &history->flushes[index];
    size_t done = flush->kept;
    while (done < history->write_count && history->writes[done].at_us <= at_us && done - flush->kept < WRITES_MAX)
        done++;
    uint64_t way = roll(&looking->dice, 8);
    size_t odd = flush->kept + (size_t)roll(&looking->dice, done - flush->kept + 1);
    char path[PATH_MAX];
    int64_t base_us = flush->kept ? history->writes[flush->kept - 1].at_us : flush->asked_us;
    int image = fake_open_then(looking->volume, base_us, path);
    int error = image < 0 ? errno : 0;
    for (size_t i = flush->kept; !error && i < done; i++) {
        if (is_chosen(&looking->dice, way, i, odd))
            error = put_write(looking, image, path, &history->writes[i]);
    }
    if (!error)
        look(looking, image, path, false, at_us);
    if (image >= 0)
        close(image);
}

/* A crash at any time, or, as most of that is quiet, when the disk was busy: as a write was done. */
static void look_between(struct looking *looking, size_t first, bool busy)
{
    const struct history *history = &looking->history;
    size_t index = first + (size_t)roll(&looking->dice, history->flush_count - first);
    const struct flush *flush = &history->flushes[index];
    size_t end = index + 1 < history->flush_count ? history->flushes[index + 1].before : history->write_count;
    if (busy && flush->before < end) {
        size_t last = flush->before + (size_t)roll(&looking->dice, end - flush->before);
        look_after_flush(looking, index, history->writes[last].at_us);
        return;
    }
    int64_t begin_us = history->flushes[first].at_us;
    int64_t at_us = begin_us + (int64_t)roll(&looking->dice, (uint64_t)(looking->end_us - begin_us) + 1);
    for (index = first; index + 1 < history->flush_count && history->flushes[index + 1].at_us <= at_us;)
        index++;
    look_after_flush(looking, index, at_us);
}

/* ---- How many, and which ---------------------------------------------------------------------------------------- */

/* How many images the scenario wants of this volume's disk. */
static int wanted_by(const struct scenario *scenario, const struct scenario_volume *given)
{
    int most = 0;
    for (size_t i = 0; i < scenario->step_count; i++) {
        const cJSON *images = cJSON_GetObjectItemCaseSensitive(
            cJSON_GetObjectItemCaseSensitive(scenario->steps[i].expect.crash_images, given->mount), "images");
        most = images && images->valueint > most ? images->valueint : most;
    }
    return most;
}

static int images_of(const struct sandbox *sandbox, const struct scenario_volume *given)
{
    int wanted = wanted_by(sandbox->scenario, given);
    return !given->recorded || wanted > sandbox->settings->crash_images ? wanted : sandbox->settings->crash_images;
}

bool sandbox_looks_back(const struct sandbox *sandbox, const struct scenario_volume *given)
{
    bool snapshot = sandbox_has_ledger(sandbox->scenario, given->mount);
    for (size_t i = 0; i < sandbox->scenario->step_count; i++)
        snapshot |= cJSON_HasObjectItem(sandbox->scenario->steps[i].expect.snapshot, given->mount);
    return given->recorded && (snapshot || images_of(sandbox, given) > 0);
}

/* Half of them at flushes, half after flushes; both spread over all that happened while the workloads wrote, the first
 * and the last of it included. */
static void look_at_disk(struct looking *looking, size_t images)
{
    const struct history *history = &looking->history;
    size_t first = 0;
    while (first < history->flush_count && history->flushes[first].at_us < looking->sandbox->workload_us)
        first++;
    size_t flushes = history->flush_count - first;
    size_t half = (images + 1) / 2 < flushes ? (images + 1) / 2 : flushes;
    for (size_t i = 0; i < half; i++)
        look_at_flush(looking, &history->flushes[first + (half > 1 ? i * (flushes - 1) / (half - 1) : flushes - 1)]);
    for (size_t i = 0; flushes > 0 && i < images / 2; i++)
        look_between(looking, first, i % 2 == 1);
}

void sandbox_judge_crashes(struct sandbox *sandbox, int64_t start_us, struct outcome *outcome)
{
    for (size_t i = 0; i < sandbox->volume_count; i++) {
        struct looking looking = {.sandbox = sandbox, .volume = &sandbox->volumes[i], .start_us = start_us,
                                  .end_us = start_us + outcome->duration_us,
                                  .history.disk = fake_disk(&sandbox->volumes[i]),
                                  .dice = sandbox->settings->seed + i, .outcome = outcome};
        int images = images_of(sandbox, looking.volume->given);
        if (images <= 0 || fakefs_records(&looking.volume->fakefs, 0, note_record, &looking.history) != 0)
            continue;
        fakefs_clear_rules(&looking.volume->fakefs);
        look_at_disk(&looking, (size_t)images);
        free(looking.history.writes);
        free(looking.history.flushes);
    }
}
