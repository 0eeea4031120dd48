#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "player.h"

static bool is_in(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) == 0)
            return true;
    }
    return false;
}

const char *player_volume(const struct scenario *scenario, const char *mount_point)
{
    for (size_t i = 0; i < scenario->volume_count; i++) {
        const struct scenario_volume *volume = &scenario->volumes[i];
        if (strcmp(volume->mount, mount_point) == 0 || is_in(mount_point, volume->binds, volume->bind_count) ||
            is_in(mount_point, volume->subvolumes, volume->subvolume_count))
            return volume->mount;
    }
    return NULL;
}

dev_t player_device(const struct player *player, const char *mount)
{
    for (size_t i = 0; i < player->scenario->volume_count; i++) {
        if (strcmp(player->scenario->volumes[i].mount, mount) == 0)
            return makedev(8, (unsigned)(i + 1) * 16 + 1);
    }
    return 0;
}

static char *words(const char *text)
{
    return (char *)(uintptr_t)text; /* struct qz_mount has no const; what it is given here is copied */
}

static void add_tmpfs(struct player *player, const char *mount_point)
{
    virtual_add_mount(player->world, &(struct qz_mount){.dev = makedev(0, 25), .mount_point = words(mount_point),
                                                        .root = words("/"), .fstype = words("tmpfs"),
                                                        .source = words("tmpfs"), .uuid = words(""), .label = words("")});
}

static bool is_on_disk(const char *type)
{
    return strcmp(type, "tmpfs") != 0;
}

static void add_volume(struct player *player, const struct scenario_volume *volume)
{
    dev_t dev = player_device(player, volume->mount);
    dev_t disk = makedev(8, (unsigned)volume->disk * 16);
    dev_t below = volume->on ? player_device(player, volume->on) : 0;
    char source[32];
    char uuid[40];
    snprintf(source, sizeof source, "/dev/sd%u", minor(dev));
    snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012u", minor(dev));
    bool on_disk = is_on_disk(volume->type);
    struct qz_mount row = {.dev = dev, .mount_point = words(volume->mount), .root = words("/"),
                           .fstype = words(volume->type), .source = on_disk ? source : words(volume->type), .uuid = uuid,
                           .label = words(""), .read_only = volume->read_only, .super_read_only = volume->read_only,
                           .block_backed = on_disk, .below = &below, .below_count = volume->on ? 1 : 0, .disks = &disk,
                           .disk_count = on_disk ? 1 : 0};
    virtual_add_mount(player->world, &row);
    for (size_t i = 0; i < volume->bind_count + volume->subvolume_count; i++) {
        row.mount_point = words(i < volume->bind_count ? volume->binds[i] : volume->subvolumes[i - volume->bind_count]);
        virtual_add_mount(player->world, &row);
    }
    if (volume->covered)
        add_tmpfs(player, volume->mount);
    virtual_set_volume(player->world, dev, &VIRTUAL_VOLUME_DEFAULT);
    if (volume->frozen_by_other)
        virtual_foreign_freeze(player->world, dev, 0);
}

static void add_file(struct player *player, const struct scenario_file *file)
{
    switch (file->kind) {
    case SCENARIO_FILE:
        if (file->text)
            virtual_add_bytes(player->world, file->path, file->owner, file->mode, file->text, file->size);
        else
            virtual_add_file(player->world, file->path, file->owner, file->mode, "#!/bin/sh\n");
        break;
    case SCENARIO_DIRECTORY: virtual_add_directory(player->world, file->path, file->owner, file->mode); break;
    case SCENARIO_SYMLINK: virtual_add_symlink(player->world, file->path, file->text); break;
    case SCENARIO_FIFO: virtual_add_other(player->world, file->path, file->owner, file->mode); break;
    case SCENARIO_ABSENT: break;
    }
}

static int64_t duration(int64_t us)
{
    return us == SCENARIO_FOREVER ? QZ_NEVER : us;
}

static void set_script(struct player *player, const char *path, const struct scenario_attempt *attempts, size_t count)
{
    struct virtual_attempt *rows = calloc(count + 1, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        const struct scenario_attempt *given = &attempts[i];
        rows[i] = (struct virtual_attempt){
            .run_us = given->run_us ? duration(given->run_us) : 1000, /* nothing real takes no time */
            .status = given->exit,
            .signal = given->signal,
            .out = given->out_size ? given->out : NULL,
            .out_size = given->out_size,
            .err = given->err_size ? given->err : NULL,
            .err_size = given->err_size,
            .ignores_term = given->ignores_term,
            .leftovers = given->leaves,
            .leftover_us = duration(given->leaves_run_us),
            .leftovers_ignore_term = given->leaves_ignore_term,
            .writes = given->writes,
        };
    }
    if (count > 0)
        virtual_set_script(player->world, path, rows, count);
    free(rows);
}

static void add_plugin(struct player *player, const struct scenario_plugin *plugin)
{
    add_file(player, &plugin->config);
    add_file(player, &plugin->pre.file);
    add_file(player, &plugin->post.file);
    set_script(player, plugin->pre.location, plugin->pre.attempts, plugin->pre.attempt_count);
    set_script(player, plugin->post.location, plugin->post.attempts, plugin->post.attempt_count);
}

static void add_fault(struct player *player, const struct scenario_fault *fault)
{
    static const enum qz_volume_op OPS[] = {QZ_VOLUME_SYNC, QZ_VOLUME_FREEZE, QZ_VOLUME_THAW};
    unsigned nth = fault->nth ? (unsigned)fault->nth : VIRTUAL_EVERY;
    for (size_t i = 0; i < player->scenario->volume_count; i++) {
        const char *mount = player->scenario->volumes[i].mount;
        dev_t dev = player_device(player, mount);
        if (fault->volume && strcmp(fault->volume, mount) != 0)
            continue;
        if (fault->hang == SCENARIO_HANGS_BEFORE)
            virtual_fault_volume(player->world, dev, OPS[fault->op], nth, fault->error, duration(fault->delay_us));
        else
            virtual_hang_freeze(player->world, dev, nth, fault->error, duration(fault->delay_us),
                                fault->hang == SCENARIO_HANGS_PASSED);
    }
}

static void add_blow(struct player *player, const struct scenario_blow *blow)
{
    struct virtual_world *world = player->world;
    enum virtual_role role = blow->by == SCENARIO_AGENT ? VIRTUAL_AGENT : VIRTUAL_GUARDIAN;
    enum virtual_op op = virtual_op_named(blow->op);
    enum virtual_moment moment = blow->after ? VIRTUAL_AFTER : VIRTUAL_BEFORE;
    unsigned nth = (unsigned)blow->nth;
    virtual_aim(world, blow->which);
    if (blow->error)
        virtual_fail(world, role, op, nth, blow->error);
    else if (blow->signal == SIGSTOP)
        virtual_stop_on(world, role, op, nth, moment, duration(blow->resume_us));
    else if (blow->signal == SIGKILL && blow->target == SCENARIO_BOTH)
        virtual_kill_both_on(world, role, op, nth, moment);
    else if (blow->signal == SIGKILL)
        virtual_kill_on(world, role, op, nth, moment);
    else
        virtual_delay(world, role, op, nth, blow->delay_us);
    virtual_aim(world, 0);
}

void player_set_blows(struct player *player)
{
    virtual_forget_faults(player->world);
    for (size_t i = 0; i < player->scenario->blow_count; i++) {
        if (player->scenario->blows[i].command == player->step + 1)
            add_blow(player, &player->scenario->blows[i]);
    }
}

void player_note_blows(struct player *player)
{
    size_t set = 0;
    for (size_t i = 0; i < player->scenario->blow_count; i++) {
        if (player->scenario->blows[i].command == player->step + 1)
            player->outcome->blows_struck[i] = virtual_has_struck(player->world, set++);
    }
}

/* The journal as the scenario gives it, with the machine's boot id in it. */
static void add_journal(struct player *player, const char *journal)
{
    static const char VARIABLE[] = "${boot_id}";
    static const char BOOT_ID[] = "00000000-0000-4000-8000-00000000b007";
    virtual_set_boot_id(player->world, BOOT_ID);
    if (!journal)
        return;
    const char *at = strstr(journal, VARIABLE);
    char *text = NULL;
    if (asprintf(&text, "%.*s%s%s", at ? (int)(at - journal) : (int)strlen(journal), journal, at ? BOOT_ID : "",
                 at ? at + sizeof VARIABLE - 1 : "") < 0)
        abort();
    virtual_set_journal(player->world, text);
    free(text);
}

void player_set_up(struct player *player, uint64_t seed)
{
    const struct scenario *scenario = player->scenario;
    player->world = virtual_new();
    virtual_set_seed(player->world, seed);
    add_tmpfs(player, "/");
    virtual_add_directory(player->world, PLAYER_REPORTS, 0, 0755);
    for (size_t i = 0; i < scenario->volume_count; i++)
        add_volume(player, &scenario->volumes[i]);
    for (size_t i = 0; i < scenario->file_count; i++)
        add_file(player, &scenario->files[i]);
    for (size_t i = 0; i < scenario->plugin_count; i++)
        add_plugin(player, &scenario->plugins[i]);
    if (scenario->plugin_host)
        add_file(player, scenario->plugin_host);
    virtual_add_file(player->world, "/bin/sh", 0, 0755, "");
    virtual_add_file(player->world, "/usr/bin/" PLAYER_SNAPSHOT, 0, 0755, "#!/bin/sh\n");
    set_script(player, PLAYER_SNAPSHOT, scenario->snapshots, scenario->snapshot_count);
    for (size_t i = 0; i < scenario->fault_count; i++)
        add_fault(player, &scenario->faults[i]);
    if (scenario->other_has_lock)
        virtual_lock_by_other(player->world, QZ_NEVER);
    add_journal(player, scenario->journal);
    virtual_set(player->world, QZ_SETTING_RCU_EXPEDITED, scenario->rcu_expedited);
    virtual_set(player->world, QZ_SETTING_WRITEBACK_PERIOD, scenario->writeback_period);
    virtual_set_dirty(player->world, scenario->dirty_bytes, 0);
}
