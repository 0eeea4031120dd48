/* Every operation of a run fails, is late, or is the last one: what oracle.h demands is true all the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "judged.h"

#define HOLD_LIMIT_US (60 * RUN_SECOND)
#define LONGER_US (HOLD_LIMIT_US + 5 * RUN_SECOND)

/* ---- The standard run -------------------------------------------------------------------------------------------- */

/* Two volumes in two levels: /data2 is stored in a file on /data1. Each thing takes its time. */
static struct run *standard_machine(void)
{
    struct run *run = run_new(1);
    dev_t below[] = {RUN_DEV(1)}, disks[] = {RUN_DEV(1)};
    virtual_add_mount(run->world, &(struct qz_mount){.dev = RUN_DEV(2),
                                                     .mount_point = (char[]){"/data2"},
                                                     .fstype = (char[]){"ext4"},
                                                     .source = (char[]){"/dev/loop0"},
                                                     .block_backed = true,
                                                     .below = below,
                                                     .below_count = 1,
                                                     .disks = disks,
                                                     .disk_count = 1});
    virtual_set_script(run->world, RUN_SNAP, &(struct virtual_attempt){.run_us = RUN_SECOND}, 1);
    return run;
}

/* What the runs are told to do. A snapshot with a command whose failure forbids a backup, and one that is held for. */
static const struct way {
    const char *members; /* of the config */
    const char *words;
    int64_t hold_us;
} ways[] = {{NULL, RUN_JSON, 0},
            {"\"continueBackupOnFailure\": false", RUN_JSON, 0},
            {NULL, "run --format json --hold-limit 60 --hold 2", 2 * RUN_SECOND}};
enum { WAYS = sizeof ways / sizeof ways[0] };

/* One operation of a clean run. */
struct operation {
    enum virtual_role role;
    int ordinal;
    unsigned nth; /* among all of its process */
    enum virtual_op op;
    int64_t value;
};

#define OPERATIONS_MAX 512

static struct operation operations[OPERATIONS_MAX];
static size_t operation_count;

static void count_operations(const struct way *way)
{
    unsigned calls[2][3] = {{0}};
    struct run *run = standard_machine();
    run_config(run, way->members);
    CHECK_INT(run_quiesce(run, way->words), QZ_EXIT_APPLICATION);
    size_t count;
    const struct virtual_entry *trace = virtual_trace(run->world, &count);
    operation_count = 0;
    for (size_t i = 0; i < count && operation_count < OPERATIONS_MAX; i++) {
        if (trace[i].what >= VIRTUAL_DID_STARTS || trace[i].ordinal > 2)
            continue;
        unsigned nth = ++calls[trace[i].role][trace[i].ordinal];
        operations[operation_count++] =
            (struct operation){trace[i].role, trace[i].ordinal, nth, trace[i].what, trace[i].value};
    }
    run_free(run);
    CU_ASSERT_FATAL(operation_count > 50 && operation_count < OPERATIONS_MAX);
}

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

#define ERRORS_MAX 4

/* With what an operation may fail; 0: no more. */
static const int *plausible_errors(const struct operation *operation)
{
    static const struct {
        enum virtual_op op;
        int errors[ERRORS_MAX];
    } table[] = {
        {VIRTUAL_OP_RANDOM_BYTES, {EIO}},
        {VIRTUAL_OP_PROCESS_SIGNAL, {ESRCH, EPERM}},
        {VIRTUAL_OP_INSPECT, {ENOMEM}},
        {VIRTUAL_OP_READ_FILE, {EIO, EFBIG}},
        {VIRTUAL_OP_WRITE_FILE, {ENOSPC, EROFS}},
        {VIRTUAL_OP_MAKE_DIRECTORY, {ENOSPC, EROFS, EACCES}},
        {VIRTUAL_OP_REMOVE, {EIO, ENOENT}},
        {VIRTUAL_OP_LOCK, {EWOULDBLOCK, ENOSPC, EACCES}},
        {VIRTUAL_OP_JOURNAL_WRITE, {ENOSPC, EROFS, EIO}},
        {VIRTUAL_OP_JOURNAL_READ, {EIO, EACCES}},
        {VIRTUAL_OP_CHILD_START, {EAGAIN, ENOEXEC, ESTALE, EACCES}},
        {VIRTUAL_OP_CHILD_AWAIT, {ENOENT, ESRCH}},
        {VIRTUAL_OP_CHILD_RELEASE, {ESRCH}},
        {VIRTUAL_OP_LIST_MOUNTS, {ENOMEM, EIO}},
        {VIRTUAL_OP_VOLUME_OPEN, {ENOENT, ESTALE, EACCES, EMFILE}},
        {VIRTUAL_OP_VOLUME_RECOVER, {ENODEV, EIO}},
        {VIRTUAL_OP_VOLUMES_ARM, {EAGAIN, ENOMEM}},
        {VIRTUAL_OP_SHARE, {ENOMEM}},
        {VIRTUAL_OP_GUARD, {EAGAIN, ENOMEM}},
        {VIRTUAL_OP_RCU_GET, {ENOENT, EACCES}},
        {VIRTUAL_OP_RCU_SET, {EACCES, EIO}},
        {VIRTUAL_OP_PERIOD_GET, {ENOENT, EACCES}},
        {VIRTUAL_OP_PERIOD_SET, {EACCES, EIO}},
        {VIRTUAL_OP_DIRTY_BYTES, {EIO}},
        {VIRTUAL_OP_PRINT, {ENOSPC, EPIPE}},
    };
    static const int of_volume[][ERRORS_MAX] = {[QZ_VOLUME_SYNC] = {EIO, ENOSPC},
                                                [QZ_VOLUME_FREEZE] = {EBUSY, EIO, EOPNOTSUPP, EPERM},
                                                [QZ_VOLUME_THAW] = {EIO, EPERM}};
    static const int none[ERRORS_MAX];
    if (operation->op == VIRTUAL_OP_VOLUME_START)
        return of_volume[operation->value];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].op == operation->op)
            return table[i].errors;
    return none;
}

enum blow { FAILS, LATE, KILLED_BEFORE, KILLED_AFTER, STOPPED_BEFORE, STOPPED_AFTER, STOPPED_FOR_EVER, BLOWS };

static const char *const blow_names[BLOWS] = {
    [FAILS] = "fails",
    [LATE] = "late",
    [KILLED_BEFORE] = "killed before",
    [KILLED_AFTER] = "killed after",
    [STOPPED_BEFORE] = "stopped before",
    [STOPPED_AFTER] = "stopped after",
    [STOPPED_FOR_EVER] = "stopped for ever",
};

static void strike(struct virtual_world *world, const struct operation *operation, enum blow blow, int error)
{
    enum virtual_role role = operation->role;
    unsigned nth = operation->nth;
    virtual_aim(world, operation->ordinal);
    switch (blow) {
    case FAILS: {
        unsigned calls = 0; /* of this very operation */
        for (const struct operation *before = operations; before <= operation; before++)
            calls += before->role == role && before->ordinal == operation->ordinal && before->op == operation->op;
        virtual_fail(world, role, operation->op, calls, error);
        break;
    }
    case LATE:
        virtual_delay(world, role, VIRTUAL_OP_ANY, nth, LONGER_US);
        break;
    case KILLED_BEFORE:
        virtual_kill_on(world, role, VIRTUAL_OP_ANY, nth, VIRTUAL_BEFORE);
        break;
    case KILLED_AFTER:
        virtual_kill_on(world, role, VIRTUAL_OP_ANY, nth, VIRTUAL_AFTER);
        break;
    case STOPPED_BEFORE:
        virtual_stop_on(world, role, VIRTUAL_OP_ANY, nth, VIRTUAL_BEFORE, LONGER_US);
        break;
    case STOPPED_AFTER:
        virtual_stop_on(world, role, VIRTUAL_OP_ANY, nth, VIRTUAL_AFTER, LONGER_US);
        break;
    case STOPPED_FOR_EVER:
        virtual_stop_on(world, role, VIRTUAL_OP_ANY, nth, VIRTUAL_BEFORE, QZ_NEVER);
        break;
    case BLOWS:
        break;
    }
    virtual_aim(world, 0);
}

/* Says what was done to the run that broke a rule, and how to see it again. */
static void tell(struct run *run, const char *what, const char *broken)
{
    if (!broken)
        return;
    fprintf(stderr, "%s: %s\n", what, broken);
    if (getenv("QZ_TRACE"))
        fprintf(stderr, "%s%s\n", virtual_trace_text(run->world), run->output);
    CU_FAIL("every invariant holds");
}

static void describe(char *out, size_t size, const struct operation *operation, enum blow blow, int error)
{
    snprintf(out, size, "%s#%d operation %u (%s): %s%s%s", operation->role == VIRTUAL_AGENT ? "agent" : "guardian",
             operation->ordinal, operation->nth, virtual_op_name(operation->op), blow_names[blow],
             error ? " with " : "", error ? strerrorname_np(error) : "");
}

static void strike_once(const struct way *way, const struct operation *operation, enum blow blow, int error)
{
    char what[200];
    struct run *run = standard_machine();
    struct oracle_terms terms = {.hold_limit_us = HOLD_LIMIT_US,
                                 .hold_us = way->hold_us,
                                 .no_result = operation->op == VIRTUAL_OP_PRINT && blow == FAILS,
                                 .no_journal = operation->op == VIRTUAL_OP_JOURNAL_WRITE && blow == FAILS};
    run_config(run, way->members);
    strike(run->world, operation, blow, error);
    run_quiesce(run, way->words);
    describe(what, sizeof what, operation, blow, error);
    tell(run, what, judged(run, &terms, JUDGED_BY_THAW));
    run_free(run);
}

static void strike_all(const struct way *way, enum blow blow)
{
    count_operations(way);
    for (size_t i = 0; i < operation_count; i++) {
        if (blow != FAILS) {
            strike_once(way, &operations[i], blow, 0);
            continue;
        }
        const int *errors = plausible_errors(&operations[i]);
        for (int k = 0; k < ERRORS_MAX && errors[k]; k++)
            strike_once(way, &operations[i], blow, errors[k]);
    }
}

static void strike_everywhere(enum blow blow)
{
    for (int i = 0; i < WAYS; i++)
        strike_all(&ways[i], blow);
}

QZ_TEST(every_operation_fails) // once, with each error that it plausibly has
{
    strike_everywhere(FAILS);
}

QZ_TEST(every_operation_is_late) // by more than the hold limit
{
    strike_everywhere(LATE);
}

QZ_TEST(either_is_killed_at_every_operation) // before it and after it
{
    strike_everywhere(KILLED_BEFORE);
    strike_everywhere(KILLED_AFTER);
}

QZ_TEST(either_is_stopped_at_every_operation) // for longer than the hold limit, or for ever
{
    strike_everywhere(STOPPED_BEFORE);
    strike_everywhere(STOPPED_AFTER);
    strike_everywhere(STOPPED_FOR_EVER);
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
#define PAIRS 300 /* a run costs ten times as much */
#else
#define PAIRS 1500
#endif
#define SEED UINT64_C(20260101)

/* SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* An operation of that role in a clean run; of a guardian, also one that it comes to only when the agent is dead. */
static struct operation any_operation(uint64_t *random, enum virtual_role role)
{
    struct operation operation;
    do
        operation = operations[next_random(random) % operation_count];
    while (operation.role != role);
    if (role == VIRTUAL_GUARDIAN && next_random(random) % 3 == 0)
        operation.nth += (unsigned)(next_random(random) % 40);
    return operation;
}

static void kill_pair(uint64_t *random, enum judged_recovery recovery)
{
    char what[500], which[2][200];
    struct run *run = standard_machine();
    struct oracle_terms terms = {.hold_limit_us = HOLD_LIMIT_US};
    for (int role = VIRTUAL_AGENT; role <= VIRTUAL_GUARDIAN; role++) {
        struct operation last = any_operation(random, (enum virtual_role)role);
        enum blow blow = next_random(random) % 2 ? KILLED_BEFORE : KILLED_AFTER;
        strike(run->world, &last, blow, 0);
        describe(which[role], sizeof which[role], &last, blow, 0);
    }
    snprintf(what, sizeof what, "%s; %s", which[0], which[1]);
    run_quiesce(run, RUN_JSON);
    tell(run, what, judged(run, &terms, recovery));
    run_free(run);
}

QZ_TEST(both_are_killed_and_thaw_recovers) // whatever was frozen; a sample of all pairs of operations
{
    uint64_t random = SEED;
    count_operations(&ways[0]);
    for (int i = 0; i < PAIRS; i++)
        kill_pair(&random, JUDGED_BY_THAW);
}

QZ_TEST(both_are_killed_and_the_next_run_recovers) // and is none the worse for it
{
    uint64_t random = SEED + 1;
    count_operations(&ways[0]);
    for (int i = 0; i < PAIRS; i++)
        kill_pair(&random, JUDGED_BY_NEXT_RUN);
}
