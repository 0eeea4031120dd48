/* generate.c: from a number to a scenario: volumes, plugins, scripts, the command. */
#include "generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

/* ---- Chance ------------------------------------------------------------------------------------------------------ */

/* SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

unsigned making_below(struct making *making, unsigned limit)
{
    return (unsigned)(next_random(&making->random) % limit);
}

bool making_percent(struct making *making, unsigned chance)
{
    return making_below(making, 100) < chance;
}

bool making_has(const struct making *making, enum feature feature)
{
    return making->features >> feature & 1;
}

double making_time_ms(struct making *making)
{
    return making_percent(making, 70) ? making_below(making, 200) / 10.0 : 10.0 * making_below(making, 1500);
}

double making_moment_ms(struct making *making)
{
    return making_below(making, making_percent(making, 60) ? 200 : 80000) / 10.0;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

cJSON *making_row(cJSON *array)
{
    cJSON *row = cJSON_CreateObject();
    cJSON_AddItemToArray(array, row);
    return row;
}

void making_ms(cJSON *object, const char *key, double ms)
{
    cJSON_AddNumberToObject(object, key, ms);
}

const char *making_mount(struct making *making)
{
    return making->mounts[making_below(making, (unsigned)making->volumes)];
}

static void add_word(cJSON *words, const char *word)
{
    cJSON_AddItemToArray(words, cJSON_CreateString(word));
}

static void add_option(cJSON *words, const char *option, unsigned value)
{
    char number[16];
    snprintf(number, sizeof number, "%u", value);
    add_word(words, option);
    add_word(words, number);
}

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

static void make_unusual(struct making *making, cJSON *volume, int number)
{
    static const char *const TYPES[] = {"xfs", "btrfs", "ext3", "vfat", "f2fs", "newfs"};
    char bind[48];
    snprintf(bind, sizeof bind, "/bind%d", number);
    switch (making_below(making, 7)) {
    case 0: cJSON_AddItemToArray(cJSON_AddArrayToObject(volume, "binds"), cJSON_CreateString(bind)); break;
    case 1: cJSON_AddTrueToObject(volume, "read_only"); break;
    case 2: cJSON_AddTrueToObject(volume, "covered"); break;
    case 3: cJSON_AddNumberToObject(volume, "disk", 1); break;
    case 4: cJSON_AddStringToObject(volume, "type", TYPES[making_below(making, 6)]); break;
    default: break;
    }
}

static void make_volumes(struct making *making)
{
    cJSON *volumes = cJSON_AddArrayToObject(making->root, "volumes");
    making->volumes = 1 + (int)making_below(making, making_percent(making, 70) ? 3 : MAKING_VOLUMES);
    for (int i = 0; i < making->volumes; i++) {
        cJSON *volume = making_row(volumes);
        const char *above = making->mounts[i > 0 ? making_below(making, (unsigned)i) : 0];
        bool nested = i > 0 && making_has(making, STACKED) && making_percent(making, 25) && strlen(above) < 20;
        snprintf(making->mounts[i], sizeof making->mounts[i], "%.20s/data%d", nested ? above : "", i + 1);
        cJSON_AddStringToObject(volume, "mount", making->mounts[i]);
        if (i > 0 && making_has(making, STACKED) && making_percent(making, 50))
            cJSON_AddStringToObject(volume, "on", making->mounts[making_below(making, (unsigned)i)]);
        else if (making_has(making, UNUSUAL))
            make_unusual(making, volume, i + 1);
    }
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

static void make_stubborn(struct making *making, cJSON *attempt)
{
    if (making_percent(making, 30))
        cJSON_AddTrueToObject(attempt, "ignores_term");
    if (making_percent(making, 25)) {
        cJSON_AddNumberToObject(attempt, "leaves", 1 + making_below(making, 2));
        if (making_percent(making, 50))
            making_ms(attempt, "leaves_run_ms", making_time_ms(making));
        if (making_percent(making, 40))
            cJSON_AddTrueToObject(attempt, "leaves_ignore_term");
    }
    if (making_percent(making, 10))
        cJSON_AddStringToObject(attempt, "writes", making_mount(making));
}

static void make_attempt(struct making *making, cJSON *attempt)
{
    static const char *const DEADLY[] = {"SEGV", "KILL", "TERM"};
    if (making_has(making, SLOW) && making_percent(making, 8))
        cJSON_AddStringToObject(attempt, "run_ms", "forever");
    else if (making_percent(making, 70))
        making_ms(attempt, "run_ms", making_has(making, SLOW) ? making_time_ms(making) : making_below(making, 200) / 10.0);
    if (making_has(making, FAILING) && making_percent(making, 5))
        cJSON_AddStringToObject(attempt, "signal", DEADLY[making_below(making, 3)]);
    else if (making_has(making, FAILING) && making_percent(making, 25))
        cJSON_AddNumberToObject(attempt, "exit", 1 + making_below(making, 255));
    if (making_has(making, CHATTY) && making_percent(making, 30))
        cJSON_AddStringToObject(attempt, making_percent(making, 50) ? "stdout" : "stderr", "a line\n");
    if (making_has(making, STUBBORN))
        make_stubborn(making, attempt);
}

static void make_attempts(struct making *making, cJSON *owner, const char *key)
{
    cJSON *attempts = cJSON_AddArrayToObject(owner, key);
    for (unsigned left = 1 + making_below(making, making_has(making, FAILING) ? 3 : 1); left > 0; left--)
        make_attempt(making, making_row(attempts));
}

static void make_plugin(struct making *making, cJSON *owner)
{
    cJSON *config = cJSON_AddObjectToObject(owner, "config");
    if (making_has(making, RETRYING)) {
        cJSON_AddNumberToObject(config, "preScriptNoOfRetries", making_below(making, 3));
        cJSON_AddNumberToObject(config, "postScriptNoOfRetries", making_below(making, 3));
    }
    if (making_has(making, LIMITED) || making_has(making, SLOW))
        cJSON_AddNumberToObject(config, "timeoutInSeconds", 1 + making_below(making, 20));
    if (making_has(making, NO_BACKUP)) {
        cJSON_AddBoolToObject(config, "continueBackupOnFailure", making_percent(making, 40));
        cJSON_AddBoolToObject(config, "fsFreezeEnabled", making_percent(making, 80));
    }
    make_attempts(making, owner, "pre");
    make_attempts(making, owner, "post");
}

static void make_plugins(struct making *making)
{
    if (!making_has(making, MANY_PLUGINS)) {
        make_plugin(making, making->root);
        return;
    }
    cJSON *plugins = cJSON_AddArrayToObject(making->root, "plugins");
    for (unsigned left = 1 + making_below(making, 3); left > 0; left--)
        make_plugin(making, making_row(plugins));
    if (making_has(making, LIMITED))
        cJSON_AddNumberToObject(cJSON_AddObjectToObject(making->root, "plugin_host"), "timeoutInSeconds",
                                1 + making_below(making, 40));
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static void choose_volumes(struct making *making, cJSON *words)
{
    bool exclude = making_percent(making, 30);
    for (int i = 0; i < making->volumes; i++) {
        if (!making_percent(making, exclude ? 30 : 60))
            continue;
        add_word(words, exclude ? "--exclude" : "--volume");
        add_word(words, making->mounts[i]);
    }
}

static void make_command(struct making *making)
{
    cJSON *words = cJSON_AddArrayToObject(making->root, "command");
    bool held = making_has(making, HELD);
    bool freeze_only = held && making_percent(making, 30);
    unsigned limit = making_has(making, LIMITED) || held ? 1 + making_below(making, 20) : 0;
    add_word(words, freeze_only ? "freeze" : "run");
    if (limit > 0)
        add_option(words, "--hold-limit", limit);
    if (making_has(making, LIMITED))
        add_option(words, "--freeze-timeout", 1 + making_below(making, 10));
    if (making_has(making, RETRYING) && !freeze_only && making_percent(making, 40)) {
        add_option(words, "--attempts", 2);
        add_option(words, "--attempt-delay", 1 + making_below(making, 5));
    }
    if (making_has(making, CHOSEN))
        choose_volumes(making, words);
    if (held) {
        add_option(words, "--hold", 1 + making_below(making, limit));
    } else {
        make_attempts(making, making->root, "snapshot");
        add_word(words, "--");
        add_word(words, "snapshot");
    }
    cJSON_AddObjectToObject(making->root, "expect");
}

/* What comes after it on the same machine: looking must do no harm, and thawing must mend what was left. */
static void make_steps(struct making *making)
{
    static const char *const LOOK[][3] = {{"status", NULL, NULL}, {"status", "--format", "json"}, {"check", NULL, NULL}};
    cJSON *steps = cJSON_AddArrayToObject(making->root, "then");
    for (int i = 0; i + 1 < making->commands; i++) {
        static const char *const THAW[3] = {"thaw", NULL, NULL};
        cJSON *step = making_row(steps);
        cJSON *words = cJSON_AddArrayToObject(step, "command");
        const char *const *given = i + 3 < making->commands ? LOOK[making_below(making, 3)] : THAW;
        for (int k = 0; k < 3 && given[k]; k++)
            add_word(words, given[k]);
        cJSON_AddObjectToObject(step, "expect");
    }
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

cJSON *random_scenario(uint64_t number)
{
    struct making making = {.random = number, .root = cJSON_CreateObject()};
    char description[64];
    snprintf(description, sizeof description, "Made by chance, number %" PRIu64 ".", number);
    next_random(&making.random);
    making.features = next_random(&making.random) & (next_random(&making.random) | next_random(&making.random));
    making.features &= making_percent(&making, 50) ? UINT64_MAX : next_random(&making.random);
    cJSON_AddStringToObject(making.root, "description", description);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(making.root, "worlds"), cJSON_CreateString("virtual"));
    cJSON_AddTrueToObject(making.root, "oracle");
    making.commands = 3 + (making_has(&making, LOOKS) ? 1 + (int)making_below(&making, 2) : 0);
    make_volumes(&making);
    make_plugins(&making);
    making_befall(&making);
    make_command(&making);
    make_steps(&making);
    if (making_has(&making, DIRTY))
        cJSON_AddNumberToObject(making.root, "dirty_kib", making_below(&making, 65536));
    return making.root;
}
