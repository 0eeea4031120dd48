/* generate_bad.c: what befalls a scenario made by chance. */
#include <stdio.h>

#include "generate.h"

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

static void add_fault(struct making *making, cJSON *faults, const char *op, const char *const *errors, unsigned count)
{
    cJSON *fault = making_row(faults);
    bool fails = making_percent(making, 50);
    cJSON_AddStringToObject(fault, "op", op);
    if (making_percent(making, 85))
        cJSON_AddStringToObject(fault, "volume", making_mount(making));
    if (making_percent(making, 70))
        cJSON_AddNumberToObject(fault, "nth", 1 + making_below(making, 2));
    if (fails)
        cJSON_AddStringToObject(fault, "error", errors[making_below(making, count)]);
    if (!fails && making_percent(making, 12))
        cJSON_AddStringToObject(fault, "delay_ms", "forever");
    else if (!fails || making_percent(making, 20))
        making_ms(fault, "delay_ms", 0.1 + making_time_ms(making));
    if (op[0] == 'f' && cJSON_GetObjectItem(fault, "delay_ms") && making_percent(making, 60))
        cJSON_AddStringToObject(fault, "hangs", making_percent(making, 50) ? "inside" : "passed");
}

static void add_faults(struct making *making)
{
    static const char *const SYNC[] = {"EIO", "ENOSPC"};
    static const char *const FREEZE[] = {"EIO", "EOPNOTSUPP", "EBUSY", "EPERM", "ENOSPC"};
    static const char *const THAW[] = {"EIO", "EPERM"};
    cJSON *faults = cJSON_AddArrayToObject(making->root, "faults");
    for (unsigned left = making_has(making, SYNC_FAULTS) ? 1 + making_below(making, 2) : 0; left > 0; left--)
        add_fault(making, faults, "sync", SYNC, 2);
    for (unsigned left = making_has(making, FREEZE_FAULTS) ? 1 + making_below(making, 2) : 0; left > 0; left--)
        add_fault(making, faults, "freeze", FREEZE, 5);
    for (unsigned left = making_has(making, THAW_FAULTS) ? 1 + making_below(making, 2) : 0; left > 0; left--)
        add_fault(making, faults, "thaw", THAW, 2);
}

/* ---- Agent and guardian ------------------------------------------------------------------------------------------ */

static cJSON *add_blow(struct making *making, cJSON *blows, const char *op, unsigned calls_of_agent,
                       unsigned calls_of_guardian)
{
    cJSON *blow = making_row(blows);
    bool agent = making_percent(making, 55);
    cJSON_AddStringToObject(blow, "by", agent ? "agent" : "guardian");
    if (!agent && making_percent(making, 70))
        cJSON_AddNumberToObject(blow, "which", 1 + making_below(making, 3));
    cJSON_AddStringToObject(blow, "op", op);
    cJSON_AddNumberToObject(blow, "nth", 1 + making_below(making, agent ? calls_of_agent : calls_of_guardian));
    return blow;
}

static cJSON *strike_any(struct making *making, cJSON *blows)
{
    return add_blow(making, blows, "any", 130, 50);
}

static void add_error(struct making *making, cJSON *blows)
{
    static const struct {
        const char *op;
        unsigned calls;
        const char *errors[4];
    } ROWS[] = {
        {"child_start", 6, {"EAGAIN", "ENOEXEC", "ESTALE", "EACCES"}},
        {"child_await", 1, {"ENOENT", "EACCES", "ESRCH"}},
        {"child_release", 1, {"EPIPE", "ESRCH"}},
        {"journal_write", 6, {"ENOSPC", "EROFS", "EIO"}},
        {"journal_read", 2, {"EIO", "EACCES"}},
        {"list_mounts", 3, {"ENOMEM", "EIO"}},
        {"volume_open", 6, {"ENOENT", "ESTALE", "EACCES", "EMFILE"}},
        {"volume_recover", 2, {"ENODEV", "EIO"}},
        {"volumes_arm", 3, {"EAGAIN", "ENOMEM"}},
        {"volume_start", 12, {"EIO", "EBUSY", "EPERM"}},
        {"share", 2, {"ENOMEM"}},
        {"guard", 2, {"EAGAIN", "ENOMEM"}},
        {"make_directory", 3, {"EROFS", "ENOSPC", "EACCES"}},
        {"write_file", 3, {"ENOSPC", "EROFS"}},
        {"remove", 3, {"EIO", "ENOENT"}},
        {"lock", 1, {"EAGAIN", "ENOSPC", "EACCES"}},
        {"inspect", 12, {"ENOMEM"}},
        {"read_file", 3, {"EIO", "EFBIG"}},
        {"random_bytes", 1, {"EIO"}},
        {"print", 12, {"ENOSPC", "EPIPE"}},
        {"process_signal", 2, {"ESRCH", "EPERM"}},
    };
    unsigned which = making_below(making, sizeof ROWS / sizeof ROWS[0]);
    unsigned errors = 0;
    while (errors < 4 && ROWS[which].errors[errors])
        errors++;
    cJSON *blow = add_blow(making, blows, ROWS[which].op, ROWS[which].calls, ROWS[which].calls);
    cJSON_AddStringToObject(blow, "error", ROWS[which].errors[making_below(making, errors)]);
}

static void add_kill(struct making *making, cJSON *blows)
{
    cJSON *blow = strike_any(making, blows);
    cJSON_AddStringToObject(blow, "send", "KILL");
    if (making_percent(making, 20))
        cJSON_AddStringToObject(blow, "to", "both");
    if (making_percent(making, 50))
        cJSON_AddTrueToObject(blow, "after");
}

/* The first thaw that mends what was left may be struck, too: the second one must do, then. */
static void strike_thaw(struct making *making, cJSON *blows)
{
    cJSON *blow = making_row(blows);
    cJSON_AddStringToObject(blow, "by", "agent");
    cJSON_AddNumberToObject(blow, "command", making->commands - 1);
    cJSON_AddStringToObject(blow, "op", "any");
    cJSON_AddNumberToObject(blow, "nth", 1 + making_below(making, 30));
    cJSON_AddStringToObject(blow, "send", "KILL");
    if (making_percent(making, 50))
        cJSON_AddTrueToObject(blow, "after");
}

static void add_stop(struct making *making, cJSON *blows)
{
    cJSON *blow = strike_any(making, blows);
    cJSON_AddStringToObject(blow, "send", "STOP");
    if (making_percent(making, 50))
        cJSON_AddTrueToObject(blow, "after");
    if (making_percent(making, 85))
        making_ms(blow, "resume_ms", making_time_ms(making));
}

static void add_blows(struct making *making)
{
    cJSON *blows = cJSON_AddArrayToObject(making->root, "blows");
    if (making_has(making, ERRORS))
        add_error(making, blows);
    if (making_has(making, ERRORS) && making_percent(making, 40))
        add_error(making, blows);
    if (making_has(making, LATE))
        making_ms(strike_any(making, blows), "delay_ms", 0.1 + making_time_ms(making));
    if (making_has(making, STOPS) && making_percent(making, 70))
        add_stop(making, blows);
    for (unsigned left = making_has(making, KILLS) ? making_below(making, 3) : 0; left > 0; left--)
        add_kill(making, blows);
    if (making_has(making, KILLS) && making_percent(making, 30))
        strike_thaw(making, blows);
}

/* ---- What others do ---------------------------------------------------------------------------------------------- */

/* At a line of the trace, or at a time. */
static cJSON *add_action(struct making *making, cJSON *actions)
{
    static const char *const LINES[] = {"pre * 1 starts", "pre * exits *", "sync * begins",    "sync * ok",
                                        "freeze * begins", "freeze * ok",   "snapshot starts",  "snapshot exits *",
                                        "thaw * begins",   "thaw * ok",     "post * 1 starts", "guardian starts"};
    cJSON *action = making_row(actions);
    if (making_percent(making, 50)) {
        making_ms(action, "at_ms", making_moment_ms(making));
        return action;
    }
    cJSON_AddStringToObject(action, "when", LINES[making_below(making, sizeof LINES / sizeof LINES[0])]);
    if (making_percent(making, 30))
        cJSON_AddNumberToObject(action, "nth", 2);
    if (making_percent(making, 40))
        making_ms(action, "after_ms", making_time_ms(making));
    return action;
}

static void send_one_of(struct making *making, cJSON *actions, const char *const *signals, unsigned count, const char *to)
{
    cJSON *action = add_action(making, actions);
    cJSON_AddStringToObject(action, "send", signals[making_below(making, count)]);
    cJSON_AddStringToObject(action, "to", to);
}

/* Somebody else's freezes and thaws, one of them a volume: nobody can know a freeze of ours from one that took its
 * place, nobody whose thaw fails can know that there is nothing frozen any more, and a FIFREEZE of the dead that
 * comes late finds thawed, as ours, what was theirs. */
static void add_freezer(struct making *making, cJSON *actions, const char *mount)
{
    if (!making_percent(making, 30))
        return;
    bool late = making_has(making, FREEZE_FAULTS);
    bool freezes = !late && (making_has(making, THAW_FAULTS) || making_percent(making, 60));
    if (late && making_has(making, THAW_FAULTS))
        return;
    cJSON_AddStringToObject(add_action(making, actions), freezes ? "freeze" : "thaw", mount);
}

static void add_others(struct making *making, cJSON *actions)
{
    for (int i = 0; i < making->volumes; i++)
        add_freezer(making, actions, making->mounts[i]);
    if (making_percent(making, 15))
        cJSON_AddStringToObject(add_action(making, actions), making_percent(making, 50) ? "mount_over" : "unmount",
                                making_mount(making));
    for (int i = 0; i < making->volumes; i++)
        if (making_percent(making, 10))
            cJSON_AddStringToObject(add_action(making, actions), "release", making->mounts[i]);
}

void making_befall(struct making *making)
{
    static const char *const ASK[] = {"TERM", "INT", "HUP"}, *const KILL[] = {"KILL"}, *const STOP[] = {"STOP"};
    add_faults(making);
    add_blows(making);
    cJSON *actions = cJSON_AddArrayToObject(making->root, "actions");
    if (making_has(making, OTHERS))
        add_others(making, actions);
    if (making_has(making, SIGNALS))
        send_one_of(making, actions, ASK, 3, making_percent(making, 80) ? "agent" : "guardian");
    if (making_has(making, KILLS) && making_percent(making, 50))
        send_one_of(making, actions, KILL, 1, making_percent(making, 20) ? "both" : making_percent(making, 50) ? "agent" : "guardian");
    if (making_has(making, STOPS) && making_percent(making, 50))
        send_one_of(making, actions, STOP, 1, making_percent(making, 50) ? "agent" : "guardian");
}
