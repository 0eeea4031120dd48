#include "digest.h"

#include <string.h>

#define WAITED_US (9 * QZ_US_PER_S)

static bool is_about(const struct virtual_entry *entry, enum virtual_op what, const char *path)
{
    return entry->what == what && entry->text && strcmp(entry->text, path) == 0;
}

static void read_snapshot(struct digest *digest, const struct oracle_run *run, size_t place)
{
    const struct virtual_entry *entry = &digest->trace[place];
    if (is_about(entry, VIRTUAL_OP_CHILD_RELEASE, run->snapshot) && entry->result == 0) {
        digest->snapshot_start = place;
        digest->snapshot_end = digest->count;
        digest->snapshot_succeeded = false;
    } else if (is_about(entry, VIRTUAL_DID_CHILD_ENDS, run->snapshot)) {
        digest->snapshot_end = place;
        digest->snapshot_succeeded = entry->detail == 0;
    }
}

static void read_scripts(struct digest_plugin *plugin, const char *pre, const char *post,
                         const struct virtual_entry *entry)
{
    if (is_about(entry, VIRTUAL_OP_CHILD_START, pre)) {
        plugin->pre_succeeded = false;
        if (entry->result == 0) {
            plugin->pre_started = true;
            plugin->post_tried = false;
        }
    } else if (is_about(entry, VIRTUAL_DID_CHILD_ENDS, pre)) {
        plugin->pre_succeeded = entry->detail == 0;
    } else if (is_about(entry, VIRTUAL_OP_CHILD_START, post)) {
        plugin->post_tried = true;
        plugin->post_succeeded = false;
    } else if (is_about(entry, VIRTUAL_DID_CHILD_ENDS, post)) {
        plugin->post_succeeded = entry->detail == 0;
    }
}

/* With --hold the snapshot is the time from when all was frozen. */
static void read_hold(struct digest *digest, int64_t hold_us)
{
    size_t place = digest->count;
    for (size_t i = 0; i < digest->count; i++)
        if (digest->trace[i].what == VIRTUAL_DID_FROZEN && digest_by_us(&digest->trace[i]))
            place = i;
    digest->held_only = true;
    digest->snapshot_start = place;
    while (place < digest->count && digest->trace[place].at_us < digest->trace[digest->snapshot_start].at_us + hold_us)
        place++;
    digest->snapshot_end = place;
    digest->snapshot_succeeded = place < digest->count;
}

bool digest_is_abandoned(const struct digest *digest, size_t place)
{
    const struct virtual_entry *frozen = &digest->trace[place];
    size_t closed = digest->count, killed = digest->count, silent = digest->count;
    bool slept = false;
    for (size_t i = 0; i < digest->count; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        bool closes = entry->what == VIRTUAL_OP_VOLUMES_CLOSE && entry->role == VIRTUAL_AGENT;
        if (closes && closed == digest->count)
            closed = i;
        bool freezer = entry->role == frozen->role && entry->ordinal == frozen->ordinal;
        if (entry->what == VIRTUAL_DID_KILLED && freezer)
            killed = i;
        bool stops = entry->what == VIRTUAL_DID_STOPPED || entry->what == VIRTUAL_DID_DELAYED;
        slept = slept || (stops && entry->role == VIRTUAL_AGENT && i > killed);
        if (freezer && (stops || entry->what == VIRTUAL_DID_KILLED) && silent == digest->count)
            silent = i; /* since then it is waited for */
        bool seen = entry->what == VIRTUAL_OP_WAIT && entry->role == VIRTUAL_AGENT &&
                    entry->result == QZ_EVENT_PEER_LOST && i > killed;
        if (seen && i < closed)
            closed = digest->count + 1; /* it waits */
    }
    if (closed > digest->count)
        return slept || frozen->at_us >= digest->trace[silent].at_us + WAITED_US;
    return killed < digest->count && closed < digest->count && (place > killed || closed < place);
}

/* What kills leave behind. */
static void read_kills(struct digest *digest)
{
    int guardians = 0;
    bool refused = false;
    for (size_t i = 0; i < digest->count; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        bool guardian = entry->role == VIRTUAL_GUARDIAN, killed = entry->what == VIRTUAL_DID_KILLED;
        guardians += guardian && entry->what == VIRTUAL_DID_STARTS;
        guardians -= guardian && (entry->what == VIRTUAL_DID_ENDS || killed);
        refused = refused || (entry->what == VIRTUAL_OP_GUARD && entry->result < 0);
        digest->unguarded = digest->unguarded || (killed && !guardian && guardians == 0 && refused);
        digest->agent_killed = digest->agent_killed || (killed && !guardian);
        digest->guardian_killed = digest->guardian_killed || (killed && guardian);
        if (entry->what == VIRTUAL_DID_FROZEN)
            digest->abandoned = digest->abandoned || digest_is_abandoned(digest, i);
    }
}

struct digest digest_read(const struct oracle_run *run, const struct oracle_terms *terms)
{
    struct digest digest = {0};
    digest.trace = virtual_trace(run->world, &digest.count);
    digest.snapshot_start = digest.snapshot_end = digest.count;
    digest.left = run->end != VIRTUAL_OVER;
    int under_way = 0;
    for (size_t i = 0; i < digest.count; i++) {
        const struct virtual_entry *entry = &digest.trace[i];
        read_snapshot(&digest, run, i);
        for (size_t k = 0; k < run->plugin_count; k++)
            read_scripts(&digest.plugins[k], run->pre_scripts[k], run->post_scripts[k], entry);
        under_way += entry->what == VIRTUAL_OP_VOLUME_START ? 1 : entry->what == VIRTUAL_DID_OPERATION_ENDS ? -1 : 0;
    }
    digest.hangs = under_way > 0;
    read_kills(&digest);
    if (terms->hold_us > 0)
        read_hold(&digest, terms->hold_us);
    return digest;
}
