/* Whose freeze was thawed by us, and could we know? */
#include "digest.h"

/* The volume that a slot of the first run means; 0: none. */
static dev_t dev_of_slot(const struct digest *digest, int slot, size_t before)
{
    for (size_t i = before; i-- > 0;) {
        const struct virtual_entry *entry = &digest->trace[i];
        if (entry->what == VIRTUAL_OP_VOLUME_OPEN && entry->slot == slot && entry->result == 0)
            return (dev_t)entry->value;
    }
    return 0;
}

/* Does the process that made this entry make another one before `before`, other than being killed or stopped? */
static bool goes_on(const struct digest *digest, size_t place, size_t before)
{
    for (size_t i = place + 1; i < before; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        if (digest_same_process(entry, &digest->trace[place]) && entry->what != VIRTUAL_DID_OPERATION_ENDS)
            return entry->what != VIRTUAL_DID_KILLED && entry->what != VIRTUAL_DID_STOPPED;
    }
    return true;
}

/* Had another process, whose first operation on this slot was begun at `first`, begun to freeze or thaw it before
 * `before`, or been about to, and not noted what came of it? */
static bool leaves_unknown(const struct digest *digest, size_t first, size_t before)
{
    const struct virtual_entry *start = &digest->trace[first];
    int begun = 0, noted = 0, syncs = 0;
    for (size_t i = first; i < before; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        if (!digest_same_process(entry, start) || entry->slot != start->slot)
            continue;
        begun += entry->what == VIRTUAL_OP_VOLUME_START;
        syncs += entry->what == VIRTUAL_OP_VOLUME_START && entry->value == QZ_VOLUME_SYNC;
        noted += entry->what == VIRTUAL_OP_WAIT && entry->result == QZ_EVENT_VOLUME && goes_on(digest, i, before);
    }
    return syncs == begun || noted < begun;
}

static bool is_first(const struct digest *digest, size_t place)
{
    const struct virtual_entry *start = &digest->trace[place];
    for (size_t i = 0; i < place; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        if (entry->what == VIRTUAL_OP_VOLUME_START && digest_same_process(entry, start) && entry->slot == start->slot)
            return false;
    }
    return true;
}

/* Can nobody know whose freeze it is that `thawer` thaws? A process that is killed or stopped between FIFREEZE and
 * noting what came of it leaves it open whether a freeze is its own. */
static bool is_unknown(const struct digest *digest, const struct virtual_entry *thawer, dev_t dev, size_t place)
{
    for (size_t i = 0; i < place; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        if (entry->what == VIRTUAL_OP_VOLUME_START && !digest_same_process(entry, thawer) &&
            dev_of_slot(digest, entry->slot, i) == dev && is_first(digest, i) && leaves_unknown(digest, i, place))
            return true;
    }
    return false;
}

/* What becomes of an operation is noted as its process's, whatever that does meanwhile. */
static bool is_own_doing(const struct virtual_entry *entry)
{
    return entry->what != VIRTUAL_DID_OPERATION_ENDS && entry->what != VIRTUAL_DID_FROZEN &&
           entry->what != VIRTUAL_DID_THAWED;
}

/* Was this process held up between deciding to thaw this slot, and thawing it? */
static bool was_held_up(const struct digest *digest, const struct virtual_entry *thawer, dev_t dev, size_t place)
{
    const struct virtual_entry *before = NULL, *last = NULL;
    for (size_t i = 0; i < place; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        if (!digest_same_process(entry, thawer) || !is_own_doing(entry))
            continue;
        if (entry->what == VIRTUAL_OP_VOLUME_START && entry->value == QZ_VOLUME_THAW &&
            dev_of_slot(digest, entry->slot, i) == dev)
            last = before;
        before = entry;
    }
    return last && (last->what == VIRTUAL_DID_CONTINUED || last->what == VIRTUAL_DID_DELAYED);
}

/* Where the thaw of this volume that took effect at `place` was begun. */
static size_t begun_at(const struct digest *digest, const struct virtual_entry *thawer, dev_t dev, size_t place)
{
    for (size_t i = place; i-- > 0;) {
        const struct virtual_entry *entry = &digest->trace[i];
        bool thaws = entry->what == VIRTUAL_OP_VOLUME_START && entry->value == QZ_VOLUME_THAW;
        if (thaws && digest_same_process(entry, thawer) && dev_of_slot(digest, entry->slot, i) == dev)
            return i;
    }
    return place;
}

/* `frozen`: where the other one's freeze took effect. What was begun before was meant for our own. */
static bool is_excused(const struct digest *digest, dev_t dev, size_t place, size_t frozen)
{
    const struct virtual_entry *thawed = &digest->trace[place];
    return begun_at(digest, thawed, dev, place) < frozen || is_unknown(digest, thawed, dev, begun_at(digest, thawed, dev, place)) ||
           was_held_up(digest, thawed, dev, place);
}

const char *digest_judge_foreign(const struct digest *digest, const struct oracle_run *run)
{
    enum virtual_role owner[ORACLE_VOLUMES_MAX] = {0};
    size_t frozen[ORACLE_VOLUMES_MAX] = {0};
    for (size_t i = 0; i < digest->count; i++) {
        const struct virtual_entry *entry = &digest->trace[i];
        for (size_t n = 0; n < run->volume_count; n++) {
            if ((dev_t)entry->value != run->devices[n])
                continue;
            bool thawed = entry->what == VIRTUAL_DID_THAWED && digest_by_us(entry);
            if (entry->what == VIRTUAL_DID_FROZEN) {
                owner[n] = entry->role;
                frozen[n] = i;
            } else if (thawed && owner[n] == VIRTUAL_WORLD && !is_excused(digest, run->devices[n], i, frozen[n])) {
                return "somebody else's freeze was thawed";
            }
        }
    }
    return NULL;
}
