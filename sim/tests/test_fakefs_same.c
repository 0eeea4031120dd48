/* The same random operations on tmpfs and on the fake filesystem: every result, and what is there in the end, agree.
 *
 * FAKEFS_SEED in the environment plays that one sequence, FAKEFS_STEPS makes it as long. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acts.h"
#include "check.h"
#include "fake.h"

#define SHOWN 24 /* steps before a difference */

static uint64_t state;

/* xorshift64* */
static unsigned draw(unsigned below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (unsigned)((state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

static const char *draw_name(bool directories)
{
    static const char *const NAMES[] = {"d0", "d1", "f0", "f1", "f2", "f3"};
    return NAMES[draw(directories ? 2 : 6)];
}

static void draw_path(char *path, size_t size)
{
    unsigned depth = draw(3);
    snprintf(path, size, "%s%s%s%s%s", depth > 1 ? draw_name(true) : "", depth > 1 ? "/" : "",
             depth > 0 ? draw_name(true) : "", depth > 0 ? "/" : "", draw_name(false));
}

static struct step draw_step(void)
{
    static const char *const ATTRIBUTES[] = {"trusted.a", "trusted.b"};
    static const mode_t MODES[] = {0644, 0755, 0777, 01777, 06755, 02770, 0600, 0};
    struct step step = {.act = &ACTS[draw((unsigned)ACTS_COUNT)]};
    draw_path(step.one, sizeof step.one);
    draw_path(step.other, sizeof step.other);
    bool attribute = strstr(step.act->name, "xattr");
    step.name = attribute ? ATTRIBUTES[draw(2)] : draw_name(false);
    step.slot = (int)draw(ACTS_SLOTS);
    step.other_slot = (int)draw(ACTS_SLOTS);
    step.offset = draw(4) ? (off_t)draw(20000) : (off_t)draw(6) * 4096;
    step.length = draw(4) ? draw(ACTS_LONGEST) : draw(2) * 4096;
    step.length = attribute ? step.length % 40 : step.length;
    unsigned count = 0;
    while (step.act->flags && step.act->flags[count] != -1)
        count++;
    step.flags = count ? step.act->flags[draw(count)] : 0;
    step.mode = MODES[draw(8)];
    step.value = draw(1000);
    step.somebody = draw(4) == 0;
    return step;
}

/* ---- The comparison ---------------------------------------------------------------------------------------------- */

/* The whole tree, in words; contents as the filesystem has them, not the cache. */
static void tell_tree(struct side *side)
{
    char command[512];
    snprintf(command, sizeof command,
             "cd %.96s && find . -mindepth 1 -printf '%%p %%M %%n %%U:%%G %%l ' \\( -type d -printf '\\n' -o -printf '%%s\\n' \\)"
             " | sort; for f in $(find . -type f | sort); do"
             " dd of=$f oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null; cksum $f; done", side->root);
    FILE *output = popen(command, "re");
    size_t size = output ? fread(side->line, 1, sizeof side->line - 1, output) : 0;
    side->line[size] = '\0';
    if (output)
        pclose(output);
}

static bool agree(struct side *sides, char shown[SHOWN][512], int steps)
{
    if (strcmp(sides[0].line, sides[1].line) == 0)
        return true;
    for (int i = steps < SHOWN ? 0 : steps - SHOWN; i < steps; i++)
        fprintf(stderr, "  %d %s\n", i, shown[i % SHOWN]);
    fprintf(stderr, "tmpfs:  %s\nfakefs: %s\n", sides[0].line, sides[1].line);
    return false;
}

static bool play(struct side *sides, uint64_t seed, int steps)
{
    static char shown[SHOWN][512];
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    acts_reserve = seed % 2;
    bool same = true;
    int done = 0;
    for (; same && done < steps; done++) {
        struct step step = draw_step();
        for (int i = 0; i < 2; i++)
            acts_do(&sides[i], &step);
        snprintf(shown[done % SHOWN], sizeof shown[0], "%.500s", sides[1].line);
        same = agree(sides, shown, done + 1);
    }
    for (int i = 0; i < 2 && same; i++)
        tell_tree(&sides[i]);
    return same && agree(sides, shown, done);
}

static void start_side(struct side *side, const char *root)
{
    snprintf(side->root, sizeof side->root, "%.*s", (int)sizeof side->root - 1, root);
    for (int i = 0; i < ACTS_SLOTS; i++)
        side->files[i] = -1;
    chmod(root, 0777);
}

static void end_side(struct side *side)
{
    for (int i = 0; i < ACTS_SLOTS; i++) {
        if (side->files[i] >= 0)
            close(side->files[i]);
    }
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s/*", side->root);
    CHECK_INT(system(command), 0);
}

QZ_TEST(random_operations_agree_with_tmpfs) // Whatever is done, in whatever order, by root or somebody: tmpfs agrees.
{
    static struct side sides[2];
    struct fake fake;
    char real[128];
    const char *seed = getenv("FAKEFS_SEED");
    const char *steps = getenv("FAKEFS_STEPS");
    umask(0);
    signal(SIGPIPE, SIG_IGN);
    if (fake_open(&fake, NULL)) {
        snprintf(real, sizeof real, "%s/real", fake.directory);
        mkdir(real, 0755);
        CHECK_INT(mount("tmpfs", real, "tmpfs", MS_NOATIME, "huge=never"), 0);
        uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
        for (uint64_t number = first; number < first + (seed ? 1 : 5); number++) {
            start_side(&sides[0], real);
            start_side(&sides[1], fake.mount);
            bool same = play(sides, number, steps ? atoi(steps) : 2000);
            if (!same)
                fprintf(stderr, "to repeat it: FAKEFS_SEED=%llu\n", (unsigned long long)number);
            CU_ASSERT(same);
            end_side(&sides[0]);
            end_side(&sides[1]);
        }
        umount(real);
    }
    fake_close(&fake);
}
