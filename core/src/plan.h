/* plan.h: what is to be run: the plugin host's plugins, their configs and scripts, read and judged. */
#ifndef QUIESCE_PLAN_H
#define QUIESCE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "quiesce/config.h"
#include "quiesce/os.h"
#include "quiesce/report.h"
#include "quiesce/session.h"

struct qz_plugin {
    const char *name;        /* borrowed from the host */
    const char *config_path; /* borrowed from the host */
    bool sound;              /* its config was read; else it has no scripts, and `config` is the defaults */
    bool runnable;           /* … and both scripts may be run */
    struct qz_config config;
    struct qz_path_facts pre_facts;
    struct qz_path_facts post_facts;
};

struct qz_plan {
    struct qz_plugin_host host; /* count 0: refused, or no scripts were wanted */
    bool host_refused;
    struct qz_plugin plugins[QZ_PLUGINS_MAX];
};

/* Reads and judges everything that `options` name. Verdicts on files, errors (each for the plugin it concerns) and
 * warnings go to `result`; a broken plugin stops no other. The result borrows the plan's strings: free the plan
 * (qz_plan_free) after it. */
void qz_plan_load(struct qz_os *os, const struct qz_options *options, struct qz_plan *plan, struct qz_result *result);
void qz_plan_free(struct qz_os *os, struct qz_plan *plan);

/* How many plugins are sound: they are the ones that have scripts in the report. */
size_t qz_plan_sound_count(const struct qz_plan *plan);

/* Does any plugin want the filesystems frozen? A refused one counts with the defaults. */
bool qz_plan_wants_freeze(const struct qz_plan *plan);

/* Has every plugin that wants the filesystems frozen continueBackupOnFailure? */
bool qz_plan_freeze_continue(const struct qz_plan *plan);

#endif
