/* Any bytes as the result that `quiesce begin` leaves for `quiesce end`: refused, or read; and then nothing is taken
 * from it that a run cannot have said. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kept.h"

/* A world that is one file. */
struct world {
    struct qz_os os;
    const uint8_t *bytes;
    size_t size;
};

static const char *state_directory(struct qz_os *os)
{
    (void)os;
    return "/run/f";
}

static int inspect(struct qz_os *os, const char *path, struct qz_path_facts *facts)
{
    const struct world *world = (const struct world *)os;
    *facts = (struct qz_path_facts){.steps = calloc(1, sizeof *facts->steps), .count = 1, .handle = 0};
    fuzz_must(facts->steps != NULL, "there is memory", NULL);
    facts->steps[0] = (struct qz_path_step){.path = strdup(path), .kind = QZ_STEP_REGULAR, .size = (off_t)world->size};
    return 0;
}

static ssize_t read_file(struct qz_os *os, int handle, size_t limit, char **text)
{
    const struct world *world = (const struct world *)os;
    (void)handle;
    return fuzz_copy(world->bytes, world->size, limit, text);
}

static void close_file(struct qz_os *os, int handle)
{
    (void)os, (void)handle;
}

static const struct qz_os_ops ops = {
    .state_directory = state_directory, .inspect = inspect, .read_file = read_file, .close_file = close_file};

static bool is_exit(int status)
{
    return status == QZ_EXIT_APPLICATION || status == QZ_EXIT_FILESYSTEM || status == QZ_EXIT_CRASH ||
           status == QZ_EXIT_NONE || status == QZ_EXIT_SOFTWARE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct qz_kept none;
    struct world world = {.os = {.ops = &ops}, .bytes = data, .size = size};
    struct qz_kept kept;
    if (qz_kept_read(&world.os, &kept) != 0) {
        fuzz_must(memcmp(&kept, &none, sizeof none) == 0, "what is refused is left empty", NULL);
        return 0;
    }
    fuzz_must(kept.run_id && kept.result.json && kept.result.human, "what is accepted is whole", NULL);
    fuzz_must(is_exit(kept.result.status), "the exit status is one that a run has", NULL);
    fuzz_must(!kept.if_taken.json || (kept.if_taken.human && is_exit(kept.if_taken.status)),
              "so is that of what may be said too late", NULL);
    fuzz_must(kept.writer.pid > 0 && kept.writer.start_time < UINT64_C(1) << 53, "the writer is a process", NULL);
    qz_kept_free(&kept);
    return 0;
}
