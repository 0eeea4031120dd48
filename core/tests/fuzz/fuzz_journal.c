/* Any bytes as the journal: not this boot's, not understood and told in one line, or read; and the same when
 * written. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "journal.h"

#define DIRECTORY "/run/f"
#define BOOT_ID "fuzz" /* as the corpus has it */

/* A world that is one file. */
struct world {
    struct qz_os os;
    char *text; /* what was written last; owned */
    const char *bytes;
    size_t size;
};

static ssize_t read_text(struct qz_os *os, size_t limit, char **text)
{
    const struct world *world = (const struct world *)os;
    return fuzz_copy(world->bytes, world->size, limit, text);
}

static int write_text(struct qz_os *os, const char *text, size_t size)
{
    struct world *world = (struct world *)os;
    free(world->text);
    world->text = malloc(size + 1);
    fuzz_must(world->text != NULL, "there is memory", NULL);
    memcpy(world->text, text, size);
    world->text[size] = '\0';
    world->bytes = world->text;
    world->size = size;
    return 0;
}

static const char *boot_id(struct qz_os *os)
{
    (void)os;
    return BOOT_ID;
}

static const char *state_directory(struct qz_os *os)
{
    (void)os;
    return DIRECTORY;
}

static const struct qz_os_ops ops = {
    .boot_id = boot_id, .state_directory = state_directory, .journal_read = read_text, .journal_write = write_text};

static bool same_process(const struct qz_process *one, const struct qz_process *other)
{
    return one->pid == other->pid && one->start_time == other->start_time;
}

static bool same(const struct qz_journal *one, const struct qz_journal *other)
{
    bool same = strcmp(one->command, other->command) == 0 && strcmp(one->run_id, other->run_id) == 0 &&
                same_process(&one->agent, &other->agent) && same_process(&one->guardian, &other->guardian) &&
                one->since_us == other->since_us && one->until_us == other->until_us &&
                one->volume_count == other->volume_count && one->post_count == other->post_count;
    for (size_t i = 0; same && i < one->volume_count; i++) {
        const struct qz_journal_volume *volume = &one->volumes[i], *again = &other->volumes[i];
        same = strcmp(volume->mount, again->mount) == 0 && strcmp(volume->device, again->device) == 0 &&
               strcmp(volume->fstype, again->fstype) == 0 && volume->dev == again->dev;
    }
    for (size_t i = 0; same && i < one->post_count; i++)
        same = strcmp(one->posts_owed[i], other->posts_owed[i]) == 0;
    return same;
}

static void write_and_read(struct world *world, const struct qz_journal *journal)
{
    struct qz_journal again;
    struct qz_error error = {.code = QZ_E_SUCCESS};
    fuzz_must(qz_journal_write(&world->os, journal) == 0, "what was read can be written", NULL);
    if (world->size > QZ_JOURNAL_SIZE_MAX) /* escapes may have made it longer than what is read */
        return;
    fuzz_must(qz_journal_read(&world->os, &again, &error) == 1, "what was written can be read", error.message);
    fuzz_must(same(journal, &again), "what was written is what is read", world->text);
    qz_journal_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct qz_journal none;
    struct world world = {.os = {.ops = &ops}, .bytes = (const char *)data, .size = size};
    struct qz_journal journal;
    struct qz_error error = {.code = QZ_E_SUCCESS};
    int found = qz_journal_read(&world.os, &journal, &error);
    if (found == 1)
        write_and_read(&world, &journal);
    else
        fuzz_must(memcmp(&journal, &none, sizeof none) == 0, "a journal that is not there is empty", error.message);
    if (found == -1) {
        static const char path[] = DIRECTORY "/journal:";
        fuzz_must(error.code == QZ_E_INTERNAL_ERROR && !error.path, "a refusal has its code, and borrows nothing", NULL);
        fuzz_must(strncmp(error.message, path, strlen(path)) == 0 && !strpbrk(error.message, "\n\r\x1b"),
                  "a refusal is one line that begins with the path", error.message);
    }
    qz_journal_free(&journal);
    free(world.text);
    return 0;
}
