/* story.c: the machine's trace, told in the common tongue. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "player.h"

void player_add(struct player *player, struct trace_event event)
{
    event.step = player->step;
    event.at_us = virtual_now_us(player->world);
    event.disk_writes = -1;
    size_t at = trace_add(&player->outcome->trace, &event);
    struct trace_event copy = player->outcome->trace.events[at];
    player_match_actions(player, &copy);
}

static enum trace_role role_of(const struct virtual_entry *entry)
{
    return entry->role == VIRTUAL_AGENT ? TRACE_AGENT : TRACE_GUARDIAN;
}

static const char *variable(const struct virtual_start *start, const char *name)
{
    size_t length = strlen(name);
    for (char *const *at = start->envp; *at; at++) {
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
            return *at + length + 1;
    }
    return NULL;
}

/* Which plugin's script is started by this path? */
static const struct scenario_plugin *plugin_of(const struct scenario *scenario, enum trace_role role, const char *path)
{
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        const struct scenario_plugin *plugin = &scenario->plugins[i];
        if (strcmp(role == TRACE_PRE ? plugin->pre.location : plugin->post.location, path) == 0)
            return plugin;
    }
    return NULL;
}

static struct trace_event event_of(const struct player_child *child, enum trace_what what, int value)
{
    return (struct trace_event){.role = child->role, .what = what, .ordinal = child->attempt, .value = value,
                                .plugin = child->plugin};
}

static struct trace_event leftover_event(const struct player_child *child, enum trace_what what, int value)
{
    struct trace_event event = event_of(child, what, value);
    event.target = child->role;
    event.role = TRACE_LEFTOVER;
    return event;
}

/* How many processes does the nth start of a script leave behind? */
static int leaves_of(const struct scenario_script *script, const struct player *player, const char *path)
{
    size_t nth = 0;
    for (size_t i = 0; i < player->started; i++)
        nth += strcmp(virtual_start_at(player->world, i)->path, path) == 0;
    if (script->attempt_count == 0)
        return 0;
    return script->attempts[nth < script->attempt_count ? nth : script->attempt_count - 1].leaves;
}

static void tell_start(struct player *player, const struct virtual_entry *entry)
{
    const struct virtual_start *start = virtual_start_at(player->world, player->started);
    bool waits = entry->what == VIRTUAL_OP_CHILD_START && entry->value; /* to be released: it has not begun */
    if (waits || entry->result < 0 || !start || entry->slot < 0 || entry->slot >= PLAYER_SLOTS)
        return;
    struct player_child *child = &player->children[entry->slot];
    const char *phase = variable(start, "QUIESCE_PHASE");
    const char *attempt = variable(start, "QUIESCE_ATTEMPT");
    *child = (struct player_child){.role = TRACE_SNAPSHOT, .running = true};
    if (phase) {
        child->role = strcmp(phase, "pre") == 0 ? TRACE_PRE : TRACE_POST;
        child->attempt = attempt ? atoi(attempt) : 0;
        const struct scenario_plugin *plugin = plugin_of(player->scenario, child->role, start->path);
        child->plugin = plugin ? plugin->name : start->path;
        if (plugin)
            child->leftovers = leaves_of(child->role == TRACE_PRE ? &plugin->pre : &plugin->post, player, start->path);
    }
    player->started++;
    player_add(player, event_of(child, TRACE_STARTS, 0));
    for (int i = 0; i < child->leftovers; i++)
        player_add(player, leftover_event(child, TRACE_STARTS, 0));
}

static void tell_end(struct player *player, const struct virtual_entry *entry)
{
    struct player_child *child = &player->children[entry->slot];
    bool died = entry->detail < 0;
    if (!child->running)
        return; /* it never began */
    child->running = false;
    child->failed = entry->detail != 0;
    player_add(player, event_of(child, died ? TRACE_DIES : TRACE_EXITS, (int)llabs(entry->detail)));
}

static void tell_leftover_end(struct player *player, const struct virtual_entry *entry)
{
    struct player_child *child = &player->children[entry->slot];
    child->leftovers--;
    player_add(player, leftover_event(child, entry->detail ? TRACE_DIES : TRACE_EXITS, (int)-entry->detail));
}

static void tell_operation(struct player *player, const struct virtual_entry *entry, enum trace_what what)
{
    static const enum trace_op OPS[] = {TRACE_SYNC, TRACE_FREEZE, TRACE_THAW};
    if (entry->slot < 0 || entry->slot >= PLAYER_VOLUMES || !player->volumes[entry->slot])
        return;
    player_add(player, (struct trace_event){.role = role_of(entry), .what = what, .op = OPS[entry->value],
                                            .value = what == TRACE_DONE ? (int)-entry->result : 0,
                                            .volume = player->volumes[entry->slot]});
}

/* Somebody else's freezes and thaws, which the world does by itself. */
static void tell_other(struct player *player, const struct virtual_entry *entry, enum trace_op op)
{
    for (size_t i = 0; i < player->scenario->volume_count && entry->role == VIRTUAL_WORLD; i++) {
        const char *mount = player->scenario->volumes[i].mount;
        if (player_device(player, mount) == (dev_t)entry->value)
            player_add(player, (struct trace_event){.role = TRACE_OTHER, .what = TRACE_DONE, .op = op, .volume = mount});
    }
}

/* What hangs is let go when the command has ended: nobody waits for it any more. */
static void release_all(struct player *player)
{
    for (size_t i = 0; i < player->scenario->volume_count; i++)
        virtual_release_volume(player->world, player_device(player, player->scenario->volumes[i].mount));
}

/* A signal that hit it at a call of its own, and not one of the actions: those have been told. */
static void tell_blow(struct player *player, const struct virtual_entry *entry, int signal_number)
{
    const struct trace *trace = &player->outcome->trace;
    for (size_t i = trace->count; i > 0 && trace->events[i - 1].at_us == entry->at_us; i--) {
        const struct trace_event *event = &trace->events[i - 1];
        if (event->what == TRACE_SENT && event->target == role_of(entry) && event->value == signal_number)
            return;
    }
    player_add(player, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .value = signal_number,
                                            .target = role_of(entry)});
}

static void tell_process(struct player *player, const struct virtual_entry *entry, enum trace_what what, int value)
{
    player_add(player, (struct trace_event){.role = role_of(entry), .what = what, .ordinal = entry->ordinal, .value = value});
    if (what != TRACE_STARTS && entry->role == VIRTUAL_AGENT)
        release_all(player);
}

/* A command that went on in the background has its status from the process that it left behind. */
static void tell_end_of(struct player *player, const struct virtual_entry *entry)
{
    bool has_status = entry->role == VIRTUAL_AGENT && entry->detail != VIRTUAL_BACKGROUND;
    if (entry->detail == VIRTUAL_STARTED)
        player->status = (int)entry->value;
    tell_process(player, entry, TRACE_EXITS, has_status ? player->status : 0);
}

static void tell_entry(struct player *player, const struct virtual_entry *entry)
{
    switch ((int)entry->what) {
    case VIRTUAL_DID_STARTS: tell_process(player, entry, TRACE_STARTS, 0); break;
    case VIRTUAL_DID_ENDS: tell_end_of(player, entry); break;
    case VIRTUAL_DID_KILLED:
        tell_blow(player, entry, SIGKILL);
        tell_process(player, entry, TRACE_DIES, SIGKILL);
        break;
    case VIRTUAL_DID_STOPPED: tell_blow(player, entry, SIGSTOP); break;
    case VIRTUAL_OP_VOLUME_OPEN:
    case VIRTUAL_OP_VOLUME_RECOVER:
        if (entry->result == 0 && entry->slot >= 0 && entry->slot < PLAYER_VOLUMES)
            player->volumes[entry->slot] = player_volume(player->scenario, entry->text);
        break;
    case VIRTUAL_OP_VOLUME_START: tell_operation(player, entry, TRACE_BEGINS); break;
    case VIRTUAL_DID_OPERATION_ENDS: tell_operation(player, entry, TRACE_DONE); break;
    case VIRTUAL_OP_CHILD_START:
    case VIRTUAL_OP_CHILD_RELEASE: tell_start(player, entry); break;
    case VIRTUAL_DID_CHILD_ENDS: tell_end(player, entry); break;
    case VIRTUAL_DID_MEMBER_ENDS: tell_leftover_end(player, entry); break;
    case VIRTUAL_DID_FROZEN: tell_other(player, entry, TRACE_FREEZE); break;
    case VIRTUAL_DID_THAWED: tell_other(player, entry, TRACE_THAW); break;
    default: break;
    }
}

void player_tell(void *argument)
{
    struct player *player = argument;
    size_t count;
    virtual_trace(player->world, &count);
    while (player->told < count) {
        struct virtual_entry entry = virtual_trace(player->world, &count)[player->told++];
        tell_entry(player, &entry);
    }
}
