/* Worlds made by chance: volumes and what they are stored on, scripts, slow and failing disks, others who freeze and
 * thaw, and all that may befall agent and guardian. What oracle.h demands is true in each.
 *
 * A world is made from one number alone. A failing one is told by its number: QZ_SEED=NUMBER QZ_WORLDS=1 QZ_TRACE=1
 * shows it again; QZ_WORLDS=100000 looks at more of them than a test has time for. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define SEED UINT64_C(1)
#define WORLDS 2500
#define MOUNT_SIZE 16

/* One world in the making. */
struct making {
    uint64_t random;
    struct run *run;
    size_t volumes;
    bool foreign[ORACLE_VOLUMES_MAX + 1]; /* somebody else freezes it, and perhaps never thaws it */
    struct oracle_terms terms;
    char words[400];
};

/* ---- Chance ------------------------------------------------------------------------------------------------------ */

/* SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static unsigned below(struct making *making, unsigned limit)
{
    return (unsigned)(next_random(&making->random) % limit);
}

static bool percent(struct making *making, unsigned chance)
{
    return below(making, 100) < chance;
}

/* Mostly milliseconds, sometimes seconds. */
static int64_t some_time_us(struct making *making)
{
    return percent(making, 70) ? 100 * (int64_t)below(making, 200) : 10 * RUN_MS * (int64_t)below(making, 1500);
}

/* A moment at which something may be going on. */
static int64_t some_moment_us(struct making *making)
{
    return 100 * (int64_t)(percent(making, 60) ? below(making, 200) : below(making, 80000));
}

/* ---- The machine ------------------------------------------------------------------------------------------------- */

static void add_stored_volume(struct making *making, unsigned n, unsigned storage)
{
    char mount_point[MOUNT_SIZE];
    dev_t lower[] = {RUN_DEV(storage)};
    snprintf(mount_point, sizeof mount_point, "/data%u", n);
    virtual_add_mount(making->run->world, &(struct qz_mount){.dev = RUN_DEV(n),
                                                             .mount_point = mount_point,
                                                             .fstype = (char[]){"xfs"},
                                                             .source = (char[]){"/dev/loop0"},
                                                             .block_backed = true,
                                                             .below = lower,
                                                             .below_count = 1,
                                                             .disks = lower,
                                                             .disk_count = 1});
}

static void make_volumes(struct making *making)
{
    making->volumes = 1 + below(making, 4);
    making->run = run_new(1);
    for (unsigned n = 2; n <= making->volumes; n++) {
        char mount_point[MOUNT_SIZE];
        snprintf(mount_point, sizeof mount_point, "/data%u", n);
        if (percent(making, 40))
            add_stored_volume(making, n, 1 + below(making, n - 1));
        else
            virtual_add_ext4(making->run->world, mount_point, RUN_DEV(n));
    }
}

static void make_behaviour(struct making *making, unsigned n)
{
    struct virtual_volume volume = VIRTUAL_VOLUME_DEFAULT;
    if (percent(making, 30))
        volume.sync_us = percent(making, 10) ? QZ_NEVER : some_time_us(making);
    if (percent(making, 5))
        volume.sync_error = EIO;
    if (percent(making, 30))
        volume.freeze_us = some_time_us(making);
    if (percent(making, 8)) {
        volume.freeze_error = percent(making, 50) ? EIO : EOPNOTSUPP;
        volume.freeze_errors = (int)below(making, 3);
    }
    if (percent(making, 10))
        volume.stuck_until_us = percent(making, 30) ? QZ_NEVER : some_moment_us(making) + 1;
    volume.thaw_passes = percent(making, 50);
    if (percent(making, 20))
        volume.thaw_us = 100 * (int64_t)below(making, 5000);
    if (percent(making, 10)) {
        volume.thaw_error = EIO;
        volume.thaw_errors = (int)below(making, 3);
        making->terms.thaw_fails = making->terms.thaw_fails || volume.thaw_errors == 0;
    }
    making->terms.thaw_slack_us += 3 * volume.thaw_us;
    making->terms.late = making->terms.late || volume.stuck_until_us || volume.freeze_us > RUN_SECOND;
    virtual_set_volume(making->run->world, RUN_DEV(n), &volume);
}

/* Somebody else. One thing a volume: nobody can know a freeze of ours from one that took its place. */
static void make_others(struct making *making, unsigned n)
{
    struct virtual_world *world = making->run->world;
    int64_t at_us = some_moment_us(making);
    if (percent(making, 12)) {
        making->foreign[n] = true;
        virtual_foreign_freeze(world, RUN_DEV(n), at_us);
        if (percent(making, 50) && making->volumes == 1)
            virtual_foreign_thaw(world, RUN_DEV(n), at_us + some_time_us(making));
        /* What is stored on it can be thawed only when it is. */
        making->terms.thaw_fails = making->terms.thaw_fails || making->volumes > 1;
    } else if (percent(making, 12)) {
        virtual_foreign_thaw(world, RUN_DEV(n), at_us);
    }
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

static void make_script(struct making *making, const char *path)
{
    struct virtual_attempt attempts[3] = {0};
    size_t count = 1 + below(making, 3);
    for (size_t i = 0; i < count; i++) {
        struct virtual_attempt *attempt = &attempts[i];
        attempt->run_us = percent(making, 5) ? QZ_NEVER : some_time_us(making);
        attempt->status = percent(making, 15) ? 1 : 0;
        attempt->signal = percent(making, 3) ? SIGSEGV : 0;
        attempt->ignores_term = percent(making, 20);
        attempt->start_error = percent(making, 3) ? EAGAIN : 0;
        attempt->out = percent(making, 20) ? "some output\n" : NULL;
        if (percent(making, 10)) {
            attempt->leftovers = 1 + (int)below(making, 3);
            attempt->leftover_us = QZ_NEVER;
            attempt->leftovers_ignore_term = percent(making, 50);
            making->terms.may_leave = true;
        }
        if (percent(making, 4)) {
            attempt->writes = "/data1";
            making->terms.may_leave = making->terms.may_leave || making->foreign[1] || making->terms.thaw_fails;
        }
    }
    virtual_set_script(making->run->world, path, attempts, count);
}

static void make_config(struct making *making)
{
    char members[300];
    snprintf(members, sizeof members,
             "\"continueBackupOnFailure\": %s, \"fsFreezeEnabled\": %s, \"preScriptNoOfRetries\": %u, "
             "\"postScriptNoOfRetries\": %u, \"timeoutInSeconds\": %u",
             percent(making, 70) ? "true" : "false", percent(making, 90) ? "true" : "false", below(making, 3),
             below(making, 3), 1 + below(making, 20));
    run_config(making->run, members);
}

static void make_words(struct making *making)
{
    unsigned hold_limit_s = 1 + below(making, 20);
    unsigned hold_s = percent(making, 20) ? 1 + below(making, hold_limit_s) : 0;
    char snapshot[40] = "-- " RUN_SNAP;
    if (hold_s)
        snprintf(snapshot, sizeof snapshot, "--hold %u", hold_s);
    making->terms.hold_limit_us = hold_limit_s * RUN_SECOND;
    making->terms.hold_us = hold_s * RUN_SECOND;
    snprintf(making->words, sizeof making->words,
             "run --format json --freeze-timeout %u --hold-limit %u --attempts %u --attempt-delay %u %s",
             1 + below(making, 10), hold_limit_s, percent(making, 15) ? 2 : 1, 1 + below(making, 5), snapshot);
}

/* ---- Blows ------------------------------------------------------------------------------------------------------- */

static enum virtual_role either(struct making *making)
{
    return percent(making, 50) ? VIRTUAL_AGENT : VIRTUAL_GUARDIAN;
}

static void fail_something(struct making *making)
{
    static const struct {
        enum virtual_op op;
        int error;
    } table[] = {
        {VIRTUAL_OP_CHILD_START, EAGAIN}, {VIRTUAL_OP_JOURNAL_WRITE, ENOSPC}, {VIRTUAL_OP_LIST_MOUNTS, ENOMEM},
        {VIRTUAL_OP_VOLUME_OPEN, EACCES}, {VIRTUAL_OP_VOLUMES_ARM, EAGAIN},   {VIRTUAL_OP_VOLUME_START, EIO},
        {VIRTUAL_OP_VOLUME_START, EBUSY}, {VIRTUAL_OP_SHARE, ENOMEM},         {VIRTUAL_OP_GUARD, EAGAIN},
        {VIRTUAL_OP_MAKE_DIRECTORY, EROFS},
    };
    size_t which = below(making, sizeof table / sizeof table[0]);
    virtual_fail(making->run->world, either(making), table[which].op, 1 + below(making, 8), table[which].error);
    making->terms.no_journal = making->terms.no_journal || table[which].op == VIRTUAL_OP_JOURNAL_WRITE;
    bool once_too_often = table[which].op == VIRTUAL_OP_VOLUME_START; /* for a thaw that fails by itself, too */
    making->terms.thaw_fails = making->terms.thaw_fails || once_too_often;
    making->terms.may_leave = true;
}

static void strike_once(struct making *making)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct virtual_world *world = making->run->world;
    enum virtual_role role = either(making);
    unsigned nth = 1 + below(making, role == VIRTUAL_AGENT ? 90 : 40);
    enum virtual_moment moment = percent(making, 50) ? VIRTUAL_BEFORE : VIRTUAL_AFTER;
    int64_t for_us = percent(making, 10) ? QZ_NEVER : some_time_us(making);
    virtual_aim(world, role == VIRTUAL_GUARDIAN ? 1 + (int)below(making, 3) : 0);
    switch (below(making, 9)) {
    case 0:
        fail_something(making);
        break;
    case 1:
        virtual_delay(world, role, VIRTUAL_OP_ANY, nth, some_time_us(making));
        break;
    case 2:
        virtual_kill_on(world, role, VIRTUAL_OP_ANY, nth, moment);
        break;
    case 3:
        virtual_kill_at(world, role, some_moment_us(making));
        break;
    case 4:
        virtual_stop_on(world, role, VIRTUAL_OP_ANY, nth, moment, for_us);
        break;
    case 5:
        virtual_stop_at(world, role, some_moment_us(making), for_us);
        break;
    case 6:
        virtual_signal_at(world, VIRTUAL_AGENT, signals[below(making, 3)], some_moment_us(making));
        break;
    case 7:
        virtual_signal_at(world, VIRTUAL_GUARDIAN, SIGTERM, some_moment_us(making));
        break;
    default:
        break;
    }
    virtual_aim(world, 0);
}

/* ---- The test ---------------------------------------------------------------------------------------------------- */

static void make_world(struct making *making)
{
    make_volumes(making);
    for (unsigned n = 1; n <= making->volumes; n++) {
        make_behaviour(making, n);
        make_others(making, n);
    }
    make_config(making);
    make_script(making, RUN_PRE);
    make_script(making, RUN_POST);
    make_script(making, RUN_SNAP);
    make_words(making);
    for (unsigned left = below(making, 4); left > 0; left--)
        strike_once(making);
    making->terms.recovery = ORACLE_THAW;
}

static bool holds_in_world(uint64_t seed)
{
    struct making making = {.random = seed};
    make_world(&making);
    run_quiesce(making.run, making.words);
    const char *broken = oracle_judge(making.run, &making.terms);
    if (broken) {
        fprintf(stderr, "world %" PRIu64 ": %s\n", seed, broken);
        if (getenv("QZ_TRACE"))
            fprintf(stderr, "quiesce %s\n%s%s\n", making.words, virtual_trace_text(making.run->world),
                    making.run->output);
        CU_FAIL("every invariant holds");
    }
    run_free(making.run);
    return !broken;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

QZ_TEST(every_world_is_safe) // whatever comes together in it
{
    uint64_t seed = number_from("QZ_SEED", SEED), worlds = number_from("QZ_WORLDS", WORLDS);
    unsigned broken = 0;
    printf("worlds %" PRIu64 "…%" PRIu64 " (QZ_SEED, QZ_WORLDS)\n", seed, seed + worlds - 1);
    for (uint64_t i = 0; i < worlds && broken < 20; i++)
        broken += !holds_in_world(seed + i);
}
