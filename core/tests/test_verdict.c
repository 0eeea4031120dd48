#include <stdio.h>

#include "check.h"
#include "verdict.h"

/* A run, told in the contract's own words. */
enum scripts { NOT_CONFIGURED, REFUSED, CONFIGURED };

struct run {
    int scripts;     /* enum scripts; REFUSED: a config or script that is missing, unsafe or wrong */
    int pre_fails;
    int post_fails;
    int continues;   /* continueBackupOnFailure */
    int fs_freeze;   /* fsFreezeEnabled */
    int freeze;      /* enum freeze; looked at only with fs_freeze */
    int thaw_fails;
    int single_disk;
    int snapshot;    /* enum qz_snapshot_outcome */
    int interrupted;
};

enum freeze { FREEZE_FAILS, FREEZE_LOST, FREEZE_HOLDS };

#define DIMENSIONS (sizeof(struct run) / sizeof(int))
static const int sizes[DIMENSIONS] = {3, 2, 2, 2, 2, 3, 2, 2, 4, 2};

union world {
    struct run run;
    int values[DIMENSIONS];
};

/* Goes to the next world, as an odometer does; false after the last one. */
static bool next_world(union world *world)
{
    for (size_t i = 0; i < DIMENSIONS; i++) {
        if (++world->values[i] < sizes[i])
            return true;
        world->values[i] = 0;
    }
    return false;
}

static struct qz_verdict_facts facts_of(const struct run *run)
{
    static const enum qz_freeze_state states[] = {
        [FREEZE_FAILS] = QZ_FREEZE_FAILED, [FREEZE_LOST] = QZ_FREEZE_LOST, [FREEZE_HOLDS] = QZ_FREEZE_HELD};
    return (struct qz_verdict_facts){
        .scripts_configured = run->scripts == CONFIGURED,
        .scripts_failed = run->scripts == REFUSED || run->pre_fails || run->post_fails,
        .failed_scripts_continue = run->continues,
        .freeze = run->fs_freeze ? states[run->freeze] : QZ_FREEZE_DISABLED,
        .freeze_continue = run->continues,
        .thaw_failed = run->thaw_fails,
        .single_disk = run->single_disk,
        .snapshot = (enum qz_snapshot_outcome)run->snapshot,
        .interrupted = run->interrupted,
    };
}

/* The contract as a table: the first rule that matches says what may be claimed. */
enum { ANY = -1, NO = 0, YES = 1 };

static const struct rule {
    const char *sentence;
    int interrupted, snapshot_taken, scripts_fail, scripts_configured, freeze_breaks, fs_freeze, thaw_fails;
    int continues, single_disk;
    enum qz_consistency claim;
} rules[] = {
    /*                                                  int  snap s.f. conf f.b. fs   thaw cont single */
    {"interrupted: nothing that may be used",           YES, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, QZ_NONE},
    {"no snapshot, no backup",                          ANY, NO,  ANY, ANY, ANY, ANY, ANY, ANY, ANY, QZ_NONE},
    {"a script failure that forbids, on one disk",      ANY, ANY, YES, ANY, ANY, ANY, ANY, NO,  YES, QZ_CRASH},
    {"a freeze failure that forbids, on one disk",      ANY, ANY, ANY, ANY, YES, ANY, ANY, NO,  YES, QZ_CRASH},
    {"a script failure that forbids, on several disks", ANY, ANY, YES, ANY, ANY, ANY, ANY, NO,  NO,  QZ_NONE},
    {"a freeze failure that forbids, on several disks", ANY, ANY, ANY, ANY, YES, ANY, ANY, NO,  NO,  QZ_NONE},
    {"a freeze that failed or was lost, and may",       ANY, ANY, ANY, ANY, YES, ANY, ANY, ANY, ANY, QZ_CRASH},
    {"no freeze wanted and scripts failed",             ANY, ANY, YES, ANY, ANY, NO,  ANY, ANY, ANY, QZ_CRASH},
    {"no freeze wanted and no scripts",                 ANY, ANY, ANY, NO,  ANY, NO,  ANY, ANY, ANY, QZ_CRASH},
    {"no freeze wanted and yet a thaw went wrong",      ANY, ANY, ANY, ANY, ANY, NO,  YES, ANY, ANY, QZ_CRASH},
    {"frozen, but scripts failed",                      ANY, ANY, YES, ANY, ANY, ANY, ANY, ANY, ANY, QZ_FILESYSTEM},
    {"frozen, but no scripts",                          ANY, ANY, ANY, NO,  ANY, ANY, ANY, ANY, ANY, QZ_FILESYSTEM},
    {"frozen, but a thaw went wrong",                   ANY, ANY, ANY, ANY, ANY, ANY, YES, ANY, ANY, QZ_FILESYSTEM},
    {"everything succeeded",                            ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, QZ_APPLICATION},
};

static bool matches(int wanted, bool is)
{
    return wanted == ANY || (wanted == YES) == is;
}

static const struct rule *rule_for(const struct run *run)
{
    bool fails = run->scripts == REFUSED || run->pre_fails || run->post_fails;
    bool breaks = run->fs_freeze && run->freeze != FREEZE_HOLDS;
    const struct rule *rule = rules;
    while (!(matches(rule->interrupted, run->interrupted) &&
             matches(rule->snapshot_taken, run->snapshot == QZ_SNAPSHOT_TAKEN) && matches(rule->scripts_fail, fails) &&
             matches(rule->scripts_configured, run->scripts == CONFIGURED) && matches(rule->freeze_breaks, breaks) &&
             matches(rule->fs_freeze, run->fs_freeze) && matches(rule->thaw_fails, run->thaw_fails) &&
             matches(rule->continues, run->continues) && matches(rule->single_disk, run->single_disk)))
        rule++;
    return rule;
}

static void describe(const struct run *run, const char *sentence)
{
    fprintf(stderr,
            "  scripts %d, pre fails %d, post fails %d, continue %d, fsFreeze %d, freeze %d, thaw fails %d,"
            " one disk %d, snapshot %d, interrupted %d: %s\n",
            run->scripts, run->pre_fails, run->post_fails, run->continues, run->fs_freeze, run->freeze, run->thaw_fails,
            run->single_disk, run->snapshot, run->interrupted, sentence);
}

QZ_TEST(claims_follow_the_contract) // In every world the claim is the one that the contract's rules give.
{
    union world world = {0};
    unsigned worlds = 0, wrong = 0;
    bool used[sizeof rules / sizeof rules[0]] = {false};
    do {
        const struct rule *rule = rule_for(&world.run);
        struct qz_verdict_facts facts = facts_of(&world.run);
        used[rule - rules] = true;
        worlds++;
        if (qz_verdict_consistency(&facts) != rule->claim && wrong++ < 5)
            describe(&world.run, rule->sentence);
    } while (next_world(&world));
    CHECK_INT(wrong, 0);
    CHECK_INT(worlds, 3 * 2 * 2 * 2 * 2 * 3 * 2 * 2 * 4 * 2);
    for (size_t i = 0; i < sizeof used; i++)
        CU_ASSERT_TRUE(used[i]);
}

/* For every dimension in which a failure can be added: from which value to which. */
static const struct {
    size_t dimension;
    int sound, broken;
} failures[] = {{0, CONFIGURED, REFUSED},
                {0, CONFIGURED, NOT_CONFIGURED},
                {1, NO, YES},
                {2, NO, YES},
                {3, YES, NO}, /* stricter, once something has failed */
                {5, FREEZE_HOLDS, FREEZE_LOST},
                {5, FREEZE_HOLDS, FREEZE_FAILS},
                {6, NO, YES},
                {8, QZ_SNAPSHOT_TAKEN, QZ_SNAPSHOT_FAILED},
                {8, QZ_SNAPSHOT_TAKEN, QZ_SNAPSHOT_TIMEOUT},
                {8, QZ_SNAPSHOT_TAKEN, QZ_SNAPSHOT_NOT_TAKEN},
                {9, NO, YES}};

QZ_TEST(a_failure_never_improves_the_claim) // Whatever else is so, one failure more never gives a better claim.
{
    unsigned improved = 0;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        union world world = {0};
        do {
            if (world.values[failures[i].dimension] != failures[i].sound)
                continue;
            union world worse = world;
            worse.values[failures[i].dimension] = failures[i].broken;
            struct qz_verdict_facts before = facts_of(&world.run), after = facts_of(&worse.run);
            if (qz_verdict_consistency(&after) > qz_verdict_consistency(&before) && improved++ < 5)
                describe(&worse.run, "improves the claim");
            if (qz_verdict_may_snapshot(&after) && !qz_verdict_may_snapshot(&before) && improved++ < 5)
                describe(&worse.run, "allows the snapshot");
            if (qz_verdict_may_freeze(&after) && !qz_verdict_may_freeze(&before) && improved++ < 5)
                describe(&worse.run, "allows the freeze");
        } while (next_world(&world));
    }
    CHECK_INT(improved, 0);
}

QZ_TEST(nothing_is_claimed_of_a_forbidden_snapshot) // A snapshot that should not have been taken is worth nothing.
{
    union world world = {0};
    unsigned claimed = 0;
    do {
        struct qz_verdict_facts facts = facts_of(&world.run);
        if (!qz_verdict_may_snapshot(&facts) && qz_verdict_consistency(&facts) != QZ_NONE)
            claimed++;
    } while (next_world(&world));
    CHECK_INT(claimed, 0);
}

static struct qz_verdict_facts before_the_freeze(bool scripts_failed, bool continues, bool single_disk)
{
    return (struct qz_verdict_facts){.scripts_configured = true,
                                     .scripts_failed = scripts_failed,
                                     .failed_scripts_continue = continues,
                                     .freeze = QZ_FREEZE_HELD,
                                     .freeze_continue = continues,
                                     .single_disk = single_disk};
}

QZ_TEST(a_failed_pre_script_may_forbid_the_freeze) // With continue false and a failed pre-script nothing is frozen.
{
    struct qz_verdict_facts sound = before_the_freeze(false, false, false);
    struct qz_verdict_facts lenient = before_the_freeze(true, true, false);
    struct qz_verdict_facts strict = before_the_freeze(true, false, false);
    struct qz_verdict_facts strict_one_disk = before_the_freeze(true, false, true);
    CU_ASSERT_TRUE(qz_verdict_may_freeze(&sound));
    CU_ASSERT_TRUE(qz_verdict_may_freeze(&lenient));
    CU_ASSERT_FALSE(qz_verdict_may_freeze(&strict));
    CU_ASSERT_FALSE(qz_verdict_may_freeze(&strict_one_disk));
}

QZ_TEST(one_disk_gets_its_snapshot_all_the_same) // With continue false, only a single disk still gets one.
{
    struct qz_verdict_facts strict = before_the_freeze(true, false, false);
    struct qz_verdict_facts strict_one_disk = before_the_freeze(true, false, true);
    CU_ASSERT_FALSE(qz_verdict_may_snapshot(&strict));
    CU_ASSERT_TRUE(qz_verdict_may_snapshot(&strict_one_disk));
    struct qz_verdict_facts freeze_failed = before_the_freeze(false, false, false);
    freeze_failed.freeze = QZ_FREEZE_FAILED;
    CU_ASSERT_FALSE(qz_verdict_may_snapshot(&freeze_failed));
    freeze_failed.single_disk = true;
    CU_ASSERT_TRUE(qz_verdict_may_snapshot(&freeze_failed));
}

QZ_TEST(an_interrupted_run_goes_no_further) // After a signal nothing is frozen and no snapshot taken.
{
    struct qz_verdict_facts facts = before_the_freeze(false, true, true);
    facts.interrupted = true;
    CU_ASSERT_FALSE(qz_verdict_may_freeze(&facts));
    CU_ASSERT_FALSE(qz_verdict_may_snapshot(&facts));
}

QZ_TEST(fs_freeze_disabled_freezes_nothing) // Where no plugin asks for it, nothing is frozen.
{
    struct qz_verdict_facts facts = before_the_freeze(false, true, false);
    facts.freeze = QZ_FREEZE_DISABLED;
    CU_ASSERT_FALSE(qz_verdict_may_freeze(&facts));
    CU_ASSERT_TRUE(qz_verdict_may_snapshot(&facts));
}

QZ_TEST(exit_statuses_follow_the_claim) // Each consistency has its exit status.
{
    CHECK_INT(qz_verdict_exit(QZ_APPLICATION), 0);
    CHECK_INT(qz_verdict_exit(QZ_FILESYSTEM), 10);
    CHECK_INT(qz_verdict_exit(QZ_CRASH), 11);
    CHECK_INT(qz_verdict_exit(QZ_NONE), 20);
}
