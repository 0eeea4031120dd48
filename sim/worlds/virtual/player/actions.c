#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "player.h"

static void send_to(struct player *player, const struct scenario_action *action, enum scenario_target target)
{
    int64_t now_us = virtual_now_us(player->world);
    enum virtual_role role = target == SCENARIO_AGENT ? VIRTUAL_AGENT : VIRTUAL_GUARDIAN;
    if (!(action->target & target))
        return;
    player_add(player, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_SENT, .value = action->signal,
                                            .target = target == SCENARIO_AGENT ? TRACE_AGENT : TRACE_GUARDIAN});
    switch (action->signal) {
    case SIGKILL: virtual_kill_at(player->world, role, now_us); break;
    case SIGSTOP: virtual_stop_at(player->world, role, now_us, QZ_NEVER); break;
    case SIGCONT: virtual_continue_at(player->world, role, now_us); break;
    default: virtual_signal_at(player->world, role, action->signal, now_us); break;
    }
}

static const struct scenario_file *file_at(const struct scenario *scenario, const char *path)
{
    for (size_t i = 0; i < scenario->plugin_count; i++) {
        const struct scenario_plugin *plugin = &scenario->plugins[i];
        const struct scenario_file *files[] = {&plugin->config, &plugin->pre.file, &plugin->post.file};
        for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
            if (strcmp(files[k]->path, path) == 0)
                return files[k];
        }
    }
    for (size_t i = 0; i < scenario->file_count; i++) {
        if (strcmp(scenario->files[i].path, path) == 0)
            return &scenario->files[i];
    }
    return NULL;
}

/* The file is another one from now on, with the same text. */
static void replace(struct player *player, const char *path, const mode_t *mode)
{
    const struct scenario_file *file = file_at(player->scenario, path);
    char *text = strdup(file && file->text ? file->text : "#!/bin/sh\n");
    virtual_add_file(player->world, path, file ? file->owner : 0, mode ? *mode : file ? file->mode : 0700, text);
    free(text);
}

static void note(struct player *player, const char *what, const char *about)
{
    char text[512];
    snprintf(text, sizeof text, "%s %s", what, about);
    player_add(player, (struct trace_event){.role = TRACE_HARNESS, .what = TRACE_NOTE, .text = text});
}

static void cover(struct player *player, const char *mount)
{
    virtual_add_mount(player->world, &(struct qz_mount){.dev = makedev(0, 99), .mount_point = (char *)(uintptr_t)mount,
                                                        .root = (char[]){"/"}, .fstype = (char[]){"tmpfs"},
                                                        .source = (char[]){"tmpfs"}, .uuid = (char[]){""},
                                                        .label = (char[]){""}});
}

/* What somebody else does succeeds, and the machine tells it; or it fails as the kernel would have it. */
static void act_as_other(struct player *player, const struct scenario_action *action, dev_t dev)
{
    bool frozen = virtual_is_frozen(player->world, dev);
    bool freezes = action->kind == SCENARIO_OTHER_FREEZE;
    int64_t now_us = virtual_now_us(player->world);
    if (freezes == frozen)
        player_add(player, (struct trace_event){.role = TRACE_OTHER, .what = TRACE_DONE, .volume = action->volume,
                                                .op = freezes ? TRACE_FREEZE : TRACE_THAW,
                                                .value = freezes ? EBUSY : EINVAL});
    else if (freezes)
        virtual_foreign_freeze(player->world, dev, now_us);
    else
        virtual_foreign_thaw(player->world, dev, now_us);
}

static void carry_out(void *argument)
{
    const struct player_due *due = argument;
    struct player *player = due->player;
    const struct scenario_action *action = due->action;
    dev_t dev = action->volume ? player_device(player, action->volume) : 0;
    int64_t now_us = virtual_now_us(player->world);
    switch (action->kind) {
    case SCENARIO_SEND:
        send_to(player, action, SCENARIO_AGENT);
        send_to(player, action, SCENARIO_GUARDIAN);
        break;
    case SCENARIO_OTHER_FREEZE:
    case SCENARIO_OTHER_THAW: act_as_other(player, action, dev); break;
    case SCENARIO_MOUNT_OVER:
        note(player, "mount over", action->volume);
        cover(player, action->volume);
        break;
    case SCENARIO_UNMOUNT:
        note(player, "unmount", action->volume);
        virtual_unmount_at(player->world, action->volume, now_us);
        break;
    case SCENARIO_RELEASE:
        note(player, "release", action->volume);
        virtual_release_volume(player->world, dev);
        break;
    case SCENARIO_REPLACE:
        note(player, "replace", action->path);
        replace(player, action->path, NULL);
        break;
    case SCENARIO_CHMOD:
        note(player, "chmod", action->path);
        replace(player, action->path, &action->mode);
        break;
    case SCENARIO_LOSE_DISK:
        note(player, "lose disk", action->volume);
        virtual_fault_volume(player->world, dev, QZ_VOLUME_SYNC, VIRTUAL_EVERY, EIO, 0);
        virtual_fault_volume(player->world, dev, QZ_VOLUME_FREEZE, VIRTUAL_EVERY, EIO, 0);
        break;
    case SCENARIO_OTHER_QUIESCE: break; /* not in this world (scenario/worlds.c) */
    }
}

static void carry_out_at(struct player *player, size_t index, int64_t at_us)
{
    struct player_due *due = &player->dues[index];
    due->player = player;
    due->action = &player->scenario->actions[index];
    if (at_us <= virtual_now_us(player->world))
        carry_out(due);
    else
        virtual_call_at(player->world, at_us, carry_out, due);
}

void player_start_clock_actions(struct player *player)
{
    for (size_t i = 0; i < player->scenario->action_count; i++) {
        const struct scenario_action *action = &player->scenario->actions[i];
        if (!action->when && player->step == 0)
            carry_out_at(player, i, player->step_start_us + action->after_us);
    }
}

void player_match_actions(struct player *player, const struct trace_event *event)
{
    for (size_t i = 0; i < player->scenario->action_count; i++) {
        const struct scenario_action *action = &player->scenario->actions[i];
        if (action->when && trace_matches(event, action->when) && ++player->dues[i].matches == action->nth)
            carry_out_at(player, i, virtual_now_us(player->world) + action->after_us);
    }
}
