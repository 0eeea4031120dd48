#include "options_table.h"

#include <string.h>

#include "text.h"

#define BIT(command) (1u << QZ_COMMAND_##command)
#define WHOLE (BIT(RUN) | BIT(CHECK) | BIT(FREEZE))
#define SESSION (WHOLE | BIT(BEGIN))
#define SCRIPTS (BIT(RUN) | BIT(BEGIN) | BIT(CHECK))
#define EVERY (SESSION | BIT(END) | BIT(THAW) | BIT(STATUS) | BIT(INIT) | BIT(ERRORS) | BIT(NONE))

const struct qz_option_row qz_option_rows[QZ_OPTION_COUNT] = {
    [QZ_OPTION_HOLD] =
        {"hold", "SECONDS", false, BIT(RUN) | BIT(FREEZE),
         "stay frozen this long for somebody else's snapshot"},
    [QZ_OPTION_FAILED] =
        {"failed", NULL, false, BIT(END),
         "the snapshot failed: say so to the post-scripts"},
    [QZ_OPTION_CONFIG] =
        {"config", "FILE", false, SESSION,
         "/etc/azure/VMSnapshotScriptPluginConfig.json"},
    [QZ_OPTION_PLUGIN_HOST] =
        {"plugin-host", "FILE", false, SESSION,
         "/etc/azure/VMSnapshotPluginHost.conf"},
    [QZ_OPTION_VOLUME] =
        {"volume", "MOUNTPOINT", true, SESSION,
         "freeze this one, not all that can be (repeatable)"},
    [QZ_OPTION_EXCLUDE] =
        {"exclude", "MOUNTPOINT", true, SESSION,
         "leave this one out (repeatable)"},
    [QZ_OPTION_SCRIPTS_ONLY] =
        {"scripts-only", NULL, false, SCRIPTS,
         "freeze nothing: somebody else does, or need not"},
    [QZ_OPTION_FREEZE_TIMEOUT] =
        {"freeze-timeout", "SECONDS", false, SESSION,
         "for freezing, all volumes together (60)"},
    [QZ_OPTION_HOLD_LIMIT] =
        {"hold-limit", "SECONDS", false, SESSION,
         "nothing stays frozen longer (60, or --hold + 10)"},
    [QZ_OPTION_EXPEDITE] =
        {"expedite", "WHEN", false, SESSION,
         "set rcu_expedited: auto, always or never (auto)"},
    [QZ_OPTION_ATTEMPTS] =
        {"attempts", "N", false, WHOLE,
         "try so often for a usable backup, at most 100 (1)"},
    [QZ_OPTION_ATTEMPT_DELAY] =
        {"attempt-delay", "SECONDS", false, WHOLE,
         "wait so long between attempts (5)"},
    [QZ_OPTION_DIR] =
        {"dir", "DIR", false, BIT(INIT),
         "where to write them (/etc/azure)"},
    [QZ_OPTION_FORMAT] =
        {"format", "human|json", false, SESSION | BIT(END) | BIT(STATUS) | BIT(ERRORS),
         "the result's form on standard output (human)"},
    [QZ_OPTION_REPORT] =
        {"report", "FILE", false, SESSION | BIT(END),
         "write the result to FILE too, as JSON"},
    [QZ_OPTION_HELP] =
        {"help", NULL, false, EVERY,
         "show this"},
    [QZ_OPTION_VERSION] =
        {"version", NULL, false, EVERY,
         "show the version"},
};

const struct qz_command_row qz_command_rows[QZ_COMMAND_COUNT] = {
    [QZ_COMMAND_NONE] = {"", "COMMAND [options]", "Application-consistent backups of a running machine.",
                         "Each command tells more: quiesce run --help. See also quiesce(8).\n"},
    [QZ_COMMAND_RUN] =
        {"run", "run [options] -- COMMAND ARG...\nrun [options] --hold SECONDS",
         "Pre-scripts, freeze, snapshot (COMMAND), thaw, post-scripts, report.",
         "Example:\n"
         "  quiesce run --scripts-only -- lvcreate -s -L 2G -n nightly vg/srv\n"
         "Exit status: 0 application-, 10 file-system-, 11 crash-consistent, 20 no backup\n"},
    [QZ_COMMAND_BEGIN] =
        {"begin", "begin [options]", "Pre-scripts and freeze; then somebody else's snapshot, until `end`.",
         "Example:\n"
         "  quiesce begin && { snapshot; quiesce end; }\n"
         "Exit status: 0, 10, 11: take the snapshot, then call `end`; the backup will be\n"
         "application-, file-system-, crash-consistent at best. 20: take none\n"},
    [QZ_COMMAND_END] =
        {"end", "end [options]", "Ends what `begin` began: thaw, post-scripts, report.",
         "Examples:\n"
         "  quiesce end --format json\n"
         "  quiesce end --failed\n"
         "Exit status: that of `run`; 20, too, if nothing had been begun\n"},
    [QZ_COMMAND_CHECK] =
        {"check", "check [options]", "Says what `quiesce run` would find and do; runs and freezes nothing.",
         "Examples:\n"
         "  quiesce check\n"
         "  quiesce check --config /etc/azure/new.json --volume /srv --format json\n"
         "Exit status: that of a run in which nothing fails\n"},
    [QZ_COMMAND_FREEZE] =
        {"freeze", "freeze --hold SECONDS [options]", "Freezes, waits, thaws. Runs no scripts and reads no config.",
         "Examples:\n"
         "  quiesce freeze --hold 5\n"
         "  quiesce freeze --hold 0.5 --volume /srv\n"},
    [QZ_COMMAND_THAW] =
        {"thaw", "thaw", "Thaws what quiesce froze and left frozen.",
         "Example:\n"
         "  quiesce thaw\n"},
    [QZ_COMMAND_STATUS] =
        {"status", "status [options]", "Tells what quiesce has frozen now, since when and until when.",
         "Example:\n"
         "  quiesce status --format json\n"},
    [QZ_COMMAND_INIT] =
        {"init", "init [--dir DIR]", "Writes a config and two script templates; never overwrites.",
         "Example:\n"
         "  quiesce init && quiesce check\n"},
    [QZ_COMMAND_ERRORS] =
        {"errors", "errors [options] [NAME|NUMBER]", "Every error: name, number, meaning and what to do.",
         "Examples:\n"
         "  quiesce errors\n"
         "  quiesce errors 308\n"
         "  quiesce errors FreezeLost --format json\n"},
};

bool qz_option_applies(enum qz_option_id option, enum qz_command command)
{
    return qz_option_rows[option].commands >> command & 1;
}

static void add_usage(struct qz_text *text, const char *usage)
{
    const char *lead = "usage:";
    while (*usage) {
        size_t length = strcspn(usage, "\n");
        qz_text_add(text, "%s quiesce %.*s\n", lead, (int)length, usage);
        usage += length + (usage[length] == '\n');
        lead = "      ";
    }
}

static void add_options(struct qz_text *text, enum qz_command command)
{
    for (int i = 0; i < QZ_OPTION_COUNT; i++) {
        const struct qz_option_row *row = &qz_option_rows[i];
        if (!qz_option_applies((enum qz_option_id)i, command))
            continue;
        struct qz_text name = {0};
        qz_text_add(&name, "--%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
        qz_text_add(text, "  %-26s%s\n", name.bytes ? name.bytes : "", row->help);
        text->failed |= name.failed;
        qz_text_free(&name);
    }
}

static void add_commands(struct qz_text *text)
{
    for (int i = QZ_COMMAND_NONE + 1; i < QZ_COMMAND_COUNT; i++)
        qz_text_add(text, "  %-8s%s\n", qz_command_rows[i].name, qz_command_rows[i].summary);
    qz_text_add(text, "\n");
}

char *qz_options_help(enum qz_command command)
{
    const struct qz_command_row *row = &qz_command_rows[command];
    struct qz_text text = {0};
    add_usage(&text, row->usage);
    qz_text_add(&text, "\n%s\n\n", row->summary);
    if (command == QZ_COMMAND_NONE)
        add_commands(&text);
    add_options(&text, command);
    qz_text_add(&text, "\n%s", row->epilogue);
    return qz_text_take(&text);
}

const char *qz_options_version(void)
{
    return "quiesce " QZ_VERSION "\n";
}
