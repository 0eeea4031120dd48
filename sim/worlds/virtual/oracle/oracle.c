#include <string.h>

#include "digest.h"

/* ---- Who can act ------------------------------------------------------------------------------------------------- */

/* One process of ours: does it live, has it the volumes, and does it stand still? */
struct hand {
    bool living;
    bool armed;
    bool stopped;
    int64_t late_until_us; /* by a delay */
};

#define HANDS_MAX 16

struct crew {
    struct hand hands[2][HANDS_MAX]; /* by role and ordinal */
};

static void crew_note(struct crew *crew, const struct virtual_entry *entry)
{
    if (entry->role == VIRTUAL_WORLD || entry->ordinal >= HANDS_MAX)
        return;
    struct hand *hand = &crew->hands[entry->role][entry->ordinal];
    switch (entry->what) {
    case VIRTUAL_DID_STARTS:
        *hand = (struct hand){.living = true};
        break;
    case VIRTUAL_DID_ENDS:
    case VIRTUAL_DID_KILLED:
        hand->living = false;
        break;
    case VIRTUAL_DID_STOPPED:
        hand->stopped = true;
        break;
    case VIRTUAL_DID_DELAYED:
        hand->late_until_us = entry->at_us + entry->value;
        break;
    case VIRTUAL_DID_CONTINUED:
        hand->stopped = false;
        break;
    case VIRTUAL_OP_VOLUMES_ARM:
    case VIRTUAL_OP_VOLUMES_CLOSE:
        hand->armed = entry->what == VIRTUAL_OP_VOLUMES_ARM;
        break;
    default:
        break;
    }
}

/* From when on somebody can thaw, at the earliest, if nothing happens; `from_us` if somebody can. */
static int64_t crew_able_us(const struct crew *crew, int64_t from_us)
{
    int64_t able_us = QZ_NEVER;
    for (int i = 0; i < 2 * HANDS_MAX; i++) {
        const struct hand *hand = &crew->hands[i / HANDS_MAX][i % HANDS_MAX];
        if (hand->living && hand->armed && !hand->stopped && hand->late_until_us < able_us)
            able_us = hand->late_until_us;
    }
    return able_us > from_us ? able_us : from_us;
}

/* ---- Frozen ------------------------------------------------------------------------------------------------------ */

/* How long the volume that was frozen at `place` stayed so while somebody could have thawed it. */
static int64_t frozen_in_our_hands_us(const struct digest *digest, size_t place, int64_t end_us)
{
    const struct virtual_entry *trace = digest->trace;
    struct crew crew = {0};
    int64_t sum_us = 0;
    for (size_t i = 0; i < digest->count; i++) {
        crew_note(&crew, &trace[i]);
        if (i < place)
            continue;
        if (i > place && trace[i].what == VIRTUAL_DID_THAWED && trace[i].value == trace[place].value)
            break;
        int64_t next_us = i + 1 < digest->count ? trace[i + 1].at_us : end_us;
        int64_t able_us = crew_able_us(&crew, trace[i].at_us);
        if (able_us < next_us)
            sum_us += next_us - able_us;
    }
    return sum_us;
}

static const char *judge_durations(const struct digest *digest, const struct oracle_terms *terms, int64_t end_us)
{
    int64_t limit_us = terms->hold_limit_us + terms->thaw_slack_us + ORACLE_MARGIN_US;
    for (size_t i = 0; i < digest->count && !terms->thaw_fails; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        bool ours = entry->what == VIRTUAL_DID_FROZEN && digest_by_us(entry) && !digest_is_abandoned(digest, i);
        if (ours && frozen_in_our_hands_us(digest, i, end_us) > limit_us)
            return "a volume was frozen longer than the hold limit and its margin";
    }
    return NULL;
}

/* Does this process write: a line of log, the journal, a file? */
static bool writes(const struct virtual_entry *entry)
{
    return entry->what == VIRTUAL_OP_JOURNAL_WRITE || entry->what == VIRTUAL_OP_WRITE_FILE ||
           entry->what == VIRTUAL_OP_MAKE_DIRECTORY ||
           (entry->what == VIRTUAL_OP_PRINT && entry->value == QZ_STREAM_LOG);
}

static bool stands_still(const struct virtual_entry *entry)
{
    return entry->what == VIRTUAL_DID_STOPPED || entry->what == VIRTUAL_DID_DELAYED;
}

/* While anything is frozen by us nothing is written. But for what is frozen late, for a moment, when the agent has
 * given up its volumes, or for longer when the guardian that waits for it sleeps; and what cannot be thawed, for
 * ever. */
static const char *judge_silence(const struct digest *digest, const struct oracle_terms *terms)
{
    int frozen = 0;
    bool closed = false, asleep = false;
    for (size_t i = 0; i < digest->count && !terms->thaw_fails; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        if (entry->what == VIRTUAL_OP_VOLUMES_ARM || entry->what == VIRTUAL_OP_VOLUMES_CLOSE)
            closed = entry->role == VIRTUAL_AGENT ? entry->what == VIRTUAL_OP_VOLUMES_CLOSE : closed;
        asleep = asleep || (entry->role == VIRTUAL_GUARDIAN && stands_still(entry));
        if (entry->what == VIRTUAL_DID_FROZEN)
            frozen += digest_by_us(entry) && !closed && !digest_is_abandoned(digest, i) && !(asleep && terms->late);
        else if (entry->what == VIRTUAL_DID_THAWED)
            frozen = frozen > 0 ? frozen - 1 : 0;
        if (frozen > 0 && writes(entry))
            return "something was written while a volume was frozen by us";
    }
    return NULL;
}

/* ---- The claim --------------------------------------------------------------------------------------------------- */

/* Was the volume frozen by us from before the snapshot's start to after its end? `to_our_thaw`: and thawed by us? */
static bool held_throughout(const struct digest *digest, dev_t dev, bool to_our_thaw)
{
    bool frozen = false;
    for (size_t i = 0; i < digest->count; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        bool its = (dev_t)entry->value == dev;
        if (entry->what == VIRTUAL_DID_FROZEN && its)
            frozen = digest_by_us(entry);
        if (i == digest->snapshot_start && !frozen)
            return false;
        if (entry->what == VIRTUAL_DID_THAWED && its && i > digest->snapshot_start)
            return i > digest->snapshot_end && (digest_by_us(entry) || !to_our_thaw);
        if (entry->what == VIRTUAL_DID_THAWED && its)
            frozen = false;
    }
    return frozen && !to_our_thaw;
}

static bool volume_named(const struct oracle_run *run, const char *mount, dev_t *dev)
{
    for (size_t i = 0; mount && i < run->volume_count; i++) {
        *dev = run->devices[i];
        if (strcmp(run->mounts[i], mount) == 0)
            return true;
    }
    return false;
}

static const char *string_in(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

/* How many volumes were asked for, or -1: one of them was not held. */
static int held_volumes(const struct oracle_run *run, const struct digest *digest, bool to_our_thaw)
{
    const cJSON *freeze = cJSON_GetObjectItemCaseSensitive(run->result, "freeze");
    const cJSON *volume = NULL;
    int count = 0;
    cJSON_ArrayForEach(volume, cJSON_GetObjectItemCaseSensitive(freeze, "volumes")) {
        dev_t dev;
        if (strcmp(string_in(volume, "decision"), "freeze") != 0)
            continue;
        if (!volume_named(run, string_in(volume, "mount"), &dev) || !held_throughout(digest, dev, to_our_thaw))
            return -1;
        count++;
    }
    return count;
}

/* In the order of what may be claimed; their places are told by exit statuses, too. */
enum worth { WORTH_NONE, WORTH_CRASH, WORTH_FILESYSTEM, WORTH_APPLICATION, WORTH_UNKNOWN };

static enum worth worth_of(const char *name)
{
    static const char *const NAMES[] = {"none", "crash", "filesystem", "application"};
    enum worth worth = WORTH_NONE;
    while (worth < WORTH_UNKNOWN && strcmp(NAMES[worth], name) != 0)
        worth++;
    return worth;
}

static const char *judge_claim(const struct oracle_run *run, const struct digest *digest, enum worth claim)
{
    if (claim == WORTH_NONE || (claim == WORTH_CRASH && digest->held_only))
        return NULL;
    const cJSON *freeze = cJSON_GetObjectItemCaseSensitive(run->result, "freeze");
    bool enabled = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(freeze, "enabled"));
    bool seen = enabled || !digest->held_only;
    if (seen && (digest->snapshot_end == digest->count || !digest->snapshot_succeeded))
        return "a backup was claimed without a snapshot that succeeded";
    if (claim == WORTH_CRASH)
        return NULL;
    if (enabled ? held_volumes(run, digest, claim == WORTH_APPLICATION) <= 0 : claim == WORTH_FILESYSTEM)
        return "a freeze was claimed that did not hold for the whole snapshot";
    for (size_t i = 0; i < run->plugin_count && claim == WORTH_APPLICATION; i++) {
        if (!digest->plugins[i].pre_succeeded || !digest->plugins[i].post_succeeded)
            return "scripts were claimed that did not succeed";
    }
    return NULL;
}

static const char *judge_result(const struct oracle_run *run, const struct digest *digest, bool freeze_only)
{
    static const int STATUS[] = {20, 11, 10, 0};
    const char *code = string_in(run->result, "code");
    enum worth claim = worth_of(string_in(run->result, "consistency"));
    if (!*code)
        return "an agent that was not killed gave no result";
    if (claim == WORTH_UNKNOWN)
        return "the result has an unknown consistency";
    bool own_failure = claim == WORTH_NONE && strcmp(code, "InternalError") == 0;
    if (run->status != (own_failure ? 70 : STATUS[claim]))
        return "exit status and result do not agree";
    bool success = strcmp(code, "Success") == 0;
    bool best = claim == (freeze_only ? WORTH_FILESYSTEM : WORTH_APPLICATION);
    if (success != best && (success || !freeze_only)) /* what was frozen for nobody's snapshot may have been thawed late */
        return "no error says why the backup is worth less, or one is named though it is not";
    return judge_claim(run, digest, claim);
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

static size_t frozen_by_us(const struct oracle_run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->volume_count; i++)
        if (virtual_is_frozen(run->world, run->devices[i]))
            count += virtual_frozen_by(run->world, run->devices[i]) != VIRTUAL_WORLD;
    return count;
}

static bool settings_changed(const struct oracle_run *run)
{
    return virtual_setting(run->world, QZ_SETTING_RCU_EXPEDITED) != 0 ||
           virtual_setting(run->world, QZ_SETTING_WRITEBACK_PERIOD) != VIRTUAL_PERIOD;
}

const char *oracle_judge_recovery(const struct oracle_run *run)
{
    if (frozen_by_us(run) > 0)
        return "the recovery left a volume frozen";
    if (settings_changed(run))
        return "the recovery left a setting of the machine changed";
    return *virtual_journal(run->world) ? "the recovery left a journal" : NULL;
}

/* Is nobody left who could act, now or later? */
static bool all_stopped(const struct digest *digest)
{
    struct crew crew = {0};
    for (size_t i = 0; i < digest->count; i++)
        crew_note(&crew, &digest->trace[i]);
    return crew_able_us(&crew, 0) == QZ_NEVER;
}

/* Does the result own that there was no time left for post-scripts? */
static bool is_out_of_time(const struct oracle_run *run)
{
    const cJSON *error = NULL;
    cJSON_ArrayForEach(error, cJSON_GetObjectItemCaseSensitive(run->result, "errors")) {
        if (strcmp(string_in(error, "code"), "Post-PluginhostTimeout") == 0)
            return true;
    }
    return false;
}

static bool owes_post(const struct oracle_run *run, const struct digest *digest)
{
    bool owes = false;
    for (size_t i = 0; i < run->plugin_count; i++)
        owes = owes || (digest->plugins[i].pre_started && !digest->plugins[i].post_tried);
    return owes;
}

/* Has a guardian stood still? What it may have under way then, only its end tells. */
static bool guardian_slept(const struct digest *digest)
{
    for (size_t i = 0; i < digest->count; i++) {
        if (digest->trace[i].role == VIRTUAL_GUARDIAN && stands_still(&digest->trace[i]))
            return true;
    }
    return false;
}

static const char *judge_end(const struct oracle_run *run, const struct digest *digest,
                             const struct oracle_terms *terms, bool *owed)
{
    bool both_killed = (digest->guardian_killed && digest->agent_killed) || digest->abandoned;
    if (frozen_by_us(run) > 0 && !both_killed && !terms->thaw_fails && !(digest->left && all_stopped(digest)))
        return "a volume is left frozen";
    if (settings_changed(run) && !both_killed && !(digest->left && all_stopped(digest)))
        return "a setting of the machine is not what it was";
    if (owes_post(run, digest) && !both_killed && !digest->left && !digest->unguarded && !is_out_of_time(run))
        return "a pre-script was started, and no post-script";
    if (virtual_alive(run->world) > 0 && !both_killed && !digest->left && !terms->may_leave)
        return "a script or the snapshot command is left behind";
    *owed = both_killed && !terms->thaw_fails && !digest->hangs && !digest->left;
    if (*owed)
        return NULL;
    bool awaited = digest->guardian_killed && (terms->late || guardian_slept(digest)); /* a FIFREEZE that nobody waits for any more */
    bool excused = digest->left || terms->thaw_fails || terms->no_journal || awaited || digest->hangs;
    return *virtual_journal(run->world) && !excused ? "a journal is left" : NULL;
}

const char *oracle_judge(const struct oracle_run *run, const struct oracle_terms *terms, bool *owed)
{
    struct digest digest = digest_read(run, terms);
    const char *broken = virtual_violation(run->world);
    *owed = false;
    if (!broken && run->end == VIRTUAL_HANGS)
        broken = "the run hangs";
    if (!broken)
        broken = judge_durations(&digest, terms, virtual_now_us(run->world));
    if (!broken)
        broken = digest_judge_foreign(&digest, run);
    if (!broken)
        broken = judge_silence(&digest, terms);
    if (!broken && run->status != -1 && !terms->no_result)
        broken = judge_result(run, &digest, terms->freeze_only);
    return broken ? broken : judge_end(run, &digest, terms, owed);
}
