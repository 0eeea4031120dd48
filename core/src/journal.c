#include "journal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cjson/cJSON.h>

#include "json_write.h"
#include "quiesce/json.h"
#include "text.h"
#include "utf8.h"

#define INTEGER_MAX 9007199254740991.0 /* the largest that survives JSON: 2^53 - 1 */
#define RECOVER_WAIT_US (10 * QZ_US_PER_S)
#define LOOK_US 20000 /* between looks whether a dead run's FIFREEZE has come to its end */
#define THAW_TRIES 3

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* How many bytes at the beginning can be written as they are. */
static size_t sound_length(const char *bytes, size_t size)
{
    size_t sound = 0;
    while (sound < size && bytes[sound] != '\\') {
        uint32_t character;
        size_t length = qz_utf8_decode(bytes + sound, size - sound, &character);
        if (length == 0)
            break;
        sound += length;
    }
    return sound;
}

/* A mount point may hold any bytes, and JSON only UTF-8. What is none, and the backslash itself, is written as a
 * backslash and three octal digits, as /proc/mounts does. */
static void add_bytes(struct qz_text *out, const char *name, const char *bytes)
{
    struct qz_text text = {0};
    for (size_t size = strlen(bytes); size > 0;) {
        size_t length = sound_length(bytes, size);
        if (length > 0)
            qz_text_add_bytes(&text, bytes, length);
        else
            qz_text_add(&text, "\\%03o", (unsigned char)*bytes);
        length += length == 0;
        bytes += length;
        size -= length;
    }
    char *written = qz_text_take(&text);
    out->failed |= !written;
    qz_json_string(out, name, written);
    free(written);
}

/* Numbers over INTEGER_MAX would not be read back: process start times and clocks stay far below. */
static void add_process(struct qz_text *text, const char *name, const struct qz_process *process)
{
    qz_json_object(text, name);
    qz_json_number(text, "pid", process->pid);
    qz_json_number(text, "start_time", (int64_t)process->start_time);
    qz_json_end_object(text);
}

static void add_volumes(struct qz_text *text, const struct qz_journal *journal)
{
    qz_json_array(text, "volumes");
    for (size_t i = 0; i < journal->volume_count; i++) {
        const struct qz_journal_volume *volume = &journal->volumes[i];
        qz_json_object(text, NULL);
        add_bytes(text, "mount", volume->mount);
        add_bytes(text, "device", volume->device);
        add_bytes(text, "fstype", volume->fstype);
        qz_json_number(text, "major", major(volume->dev));
        qz_json_number(text, "minor", minor(volume->dev));
        qz_json_end_object(text);
    }
    qz_json_end_array(text);
}

static void add_posts(struct qz_text *text, const struct qz_journal *journal)
{
    qz_json_array(text, "posts_owed");
    for (size_t i = 0; i < journal->post_count; i++)
        qz_json_string(text, NULL, journal->posts_owed[i]);
    qz_json_end_array(text);
}

int qz_journal_lock(struct qz_os *os, struct qz_error *error)
{
    const char *directory = os->ops->state_directory(os);
    int failed = os->ops->lock(os);
    if (failed == EWOULDBLOCK)
        qz_error_set(error, QZ_E_ALREADY_RUNNING, "another quiesce is at work (it holds %s/lock); `quiesce status` shows it",
                     directory);
    else if (failed == EPERM)
        qz_error_set(error, QZ_E_INTERNAL_ERROR,
                     "%s: others than root own it or may write to it, so nothing in it can be believed; it must be root's, "
                     "with mode 0755 or less", directory);
    else if (failed)
        qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s/lock: %s", directory, strerror(failed));
    if (failed && failed != EWOULDBLOCK)
        qz_error_detail(error, "%s", strerror(failed));
    return failed;
}

int qz_journal_write(struct qz_os *os, const struct qz_journal *journal)
{
    struct qz_text text = {0};
    qz_json_object(&text, NULL);
    qz_json_string(&text, "boot_id", os->ops->boot_id(os));
    qz_json_string(&text, "command", journal->command);
    qz_json_string(&text, "run_id", journal->run_id);
    add_process(&text, "agent", &journal->agent);
    add_process(&text, "guardian", &journal->guardian);
    qz_json_number(&text, "since_us", journal->since_us);
    qz_json_number(&text, "until_us", journal->until_us);
    add_volumes(&text, journal);
    add_posts(&text, journal);
    qz_json_end_object(&text);
    size_t size = text.size;
    char *bytes = qz_text_take(&text);
    int failed = bytes ? os->ops->journal_write(os, bytes, size) : ENOMEM;
    free(bytes);
    return failed;
}

int qz_journal_clear(struct qz_os *os)
{
    return os->ops->journal_write(os, "", 0);
}

void qz_journal_remove_tmpdir(struct qz_os *os, const char *run_id)
{
    char path[PATH_MAX];
    if (strchr(run_id, '/'))
        return;
    snprintf(path, sizeof path, "%s/" QZ_TMPDIR_PREFIX "%s", os->ops->state_directory(os), run_id);
    os->ops->remove(os, path);
}

void qz_journal_settle(struct qz_os *os, const struct qz_journal *journal)
{
    if (journal->run_id)
        qz_journal_remove_tmpdir(os, journal->run_id);
    qz_journal_clear(os);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* An integer from 0 to `max`. */
static bool read_number(const cJSON *object, const char *name, double max, double *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > max)
        return false;
    if ((double)(int64_t)item->valuedouble < item->valuedouble)
        return false;
    *out = item->valuedouble;
    return true;
}

static bool read_string(const cJSON *object, const char *name, char **out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    *out = cJSON_IsString(item) ? strdup(item->valuestring) : NULL;
    return *out != NULL;
}

/* The byte that three octal digits stand for; 0: they do not, or for NUL. */
static unsigned char octal_byte(const char *digits)
{
    if (strspn(digits, "01234567") < 3 || digits[0] > '3')
        return 0;
    return (unsigned char)((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
}

/* What add_bytes wrote. */
static bool read_bytes(const cJSON *object, const char *name, char **out)
{
    if (!read_string(object, name, out))
        return false;
    char *to = *out;
    for (const char *from = *out; *from; to++) {
        bool escaped = *from == '\\';
        unsigned char byte = escaped ? octal_byte(from + 1) : (unsigned char)*from;
        if (byte == 0)
            return false;
        *to = (char)byte;
        from += escaped ? 4 : 1;
    }
    *to = '\0';
    return true;
}

static bool read_process(const cJSON *root, const char *name, struct qz_process *out)
{
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(root, name);
    double pid, start_time;
    if (!read_number(entry, "pid", INT32_MAX, &pid) || !read_number(entry, "start_time", INTEGER_MAX, &start_time))
        return false;
    *out = (struct qz_process){.pid = (pid_t)pid, .start_time = (uint64_t)start_time};
    return true;
}

static bool read_volumes(const cJSON *root, struct qz_journal *journal)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "volumes");
    if (!cJSON_IsArray(list))
        return false;
    journal->volumes = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *journal->volumes);
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, list)
    {
        double major_number, minor_number;
        if (!journal->volumes)
            return false;
        struct qz_journal_volume *volume = &journal->volumes[journal->volume_count++];
        if (!read_bytes(entry, "mount", &volume->mount) || !read_bytes(entry, "device", &volume->device) ||
            !read_bytes(entry, "fstype", &volume->fstype) ||
            !read_number(entry, "major", UINT32_MAX, &major_number) ||
            !read_number(entry, "minor", UINT32_MAX, &minor_number))
            return false;
        volume->dev = makedev((unsigned)major_number, (unsigned)minor_number);
    }
    return journal->volumes != NULL;
}

static bool read_posts(const cJSON *root, struct qz_journal *journal)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "posts_owed");
    if (!cJSON_IsArray(list))
        return false;
    journal->posts_owed = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *journal->posts_owed);
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, list)
    {
        if (!journal->posts_owed || !cJSON_IsString(entry))
            return false;
        journal->posts_owed[journal->post_count] = strdup(entry->valuestring);
        if (!journal->posts_owed[journal->post_count++])
            return false;
    }
    return journal->posts_owed != NULL;
}

static bool read_journal(const cJSON *root, struct qz_journal *journal)
{
    double since_us, until_us;
    if (!read_string(root, "command", &journal->command) || !read_string(root, "run_id", &journal->run_id) ||
        !read_process(root, "agent", &journal->agent) || !read_process(root, "guardian", &journal->guardian) ||
        !read_number(root, "since_us", INTEGER_MAX, &since_us) ||
        !read_number(root, "until_us", INTEGER_MAX, &until_us) ||
        !read_volumes(root, journal) || !read_posts(root, journal))
        return false;
    journal->since_us = (int64_t)since_us;
    journal->until_us = (int64_t)until_us;
    return true;
}

/* Sets `error`, unless it is told already, and returns what qz_journal_read does. */
static int misread(const char *path, bool told, struct qz_error *error)
{
    if (errno == ENOMEM) { /* which is no fault of the journal's (malloc(3)) */
        qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s: %s", path, strerror(ENOMEM));
        return QZ_JOURNAL_UNREAD;
    }
    if (!told)
        qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s: not a journal of quiesce; remove it once nothing is frozen", path);
    return -1;
}

static int parse(struct qz_os *os, const char *text, size_t size, struct qz_journal *journal, struct qz_error *error)
{
    struct qz_json json;
    char path[QZ_DETAIL_SIZE];
    snprintf(path, sizeof path, "%s/journal", os->ops->state_directory(os));
    errno = 0;
    if (qz_json_parse(path, text, size, QZ_E_INTERNAL_ERROR, &json, error) != QZ_E_SUCCESS) {
        error->path = NULL;
        return misread(path, true, error);
    }
    const cJSON *boot = cJSON_GetObjectItemCaseSensitive(json.root, "boot_id");
    int found = 1;
    /* Where one of the two is not known it is believed: what lies in /run does not outlive the kernel. */
    if (cJSON_IsString(boot) && boot->valuestring[0] && os->ops->boot_id(os)[0] &&
        strcmp(boot->valuestring, os->ops->boot_id(os)) != 0)
        found = 0;
    else if (!cJSON_IsString(boot) || !read_journal(json.root, journal))
        found = misread(path, false, error);
    qz_json_free(&json);
    return found;
}

int qz_journal_read(struct qz_os *os, struct qz_journal *journal, struct qz_error *error)
{
    *journal = (struct qz_journal){0};
    char *text;
    ssize_t size = os->ops->journal_read(os, QZ_JOURNAL_SIZE_MAX, &text);
    int found = 0;
    if (size < 0) {
        qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s/journal: %s", os->ops->state_directory(os), strerror((int)-size));
        found = size == -EFBIG ? -1 : QZ_JOURNAL_UNREAD; /* we write none so large */
    } else if (size > 0) {
        found = parse(os, text, (size_t)size, journal, error);
    }
    free(text);
    if (found != 1)
        qz_journal_free(journal);
    return found;
}

void qz_journal_free(struct qz_journal *journal)
{
    for (size_t i = 0; i < journal->volume_count; i++) {
        free(journal->volumes[i].mount);
        free(journal->volumes[i].device);
        free(journal->volumes[i].fstype);
    }
    for (size_t i = 0; i < journal->post_count; i++)
        free(journal->posts_owed[i]);
    free(journal->volumes);
    free(journal->posts_owed);
    free(journal->command);
    free(journal->run_id);
    *journal = (struct qz_journal){0};
}

/* ---- Recovery --------------------------------------------------------------------------------------------------- */

/* "MOUNT (DEVICE): STATE: CAUSE" */
static void add_failure(struct qz_error_list *errors, const struct qz_journal_volume *volume, const char *state,
                        const char *cause)
{
    struct qz_error error;
    qz_error_set(&error, QZ_E_THAW_FAILED, "%s (%s): %s: %s", volume->mount, volume->device, state, cause);
    qz_error_detail(&error, "%s", cause);
    error.phase = QZ_PHASE_THAW;
    error.path = volume->mount;
    qz_error_list_add(errors, &error);
}

static void add_still_frozen(struct qz_error_list *errors, const struct qz_journal_volume *volume, const char *cause)
{
    add_failure(errors, volume, "still frozen", cause);
}

/* A volume on its way to be thawed. */
struct recovery {
    bool open; /* … and the thaw has come to no end yet */
    bool under_way;
    bool may_freeze; /* when the thaw was begun, a FIFREEZE of the dead run was perhaps under way */
    int failures;
    int64_t next_us; /* not to be tried before */
};

struct thawing {
    struct qz_os *os;
    const struct qz_journal *journal;
    struct recovery *list; /* by volume */
    size_t open_count;
    bool *thawed; /* as of qz_journal_thaw */
    size_t count; /* thawed so far */
    struct qz_error_list *errors;
};

/* Opens what there still is of the journal's volumes and makes ready to thaw them. */
static void open_volumes(struct thawing *thawing)
{
    struct qz_os *os = thawing->os;
    const struct qz_journal *journal = thawing->journal;
    for (size_t i = 0; i < journal->volume_count; i++) {
        int failed = os->ops->volume_recover(os, (int)i, journal->volumes[i].mount, journal->volumes[i].dev);
        thawing->list[i].open = failed == 0;
        thawing->open_count += failed == 0;
        if (failed && failed != ENOENT)
            add_still_frozen(thawing->errors, &journal->volumes[i], strerror(failed));
    }
    int failed = thawing->open_count > 0 ? os->ops->volumes_arm(os, (int)journal->volume_count) : 0;
    if (!failed)
        return;
    for (size_t i = 0; i < journal->volume_count; i++)
        if (thawing->list[i].open)
            add_still_frozen(thawing->errors, &journal->volumes[i], strerror(failed));
    thawing->open_count = 0;
}

/* Was this process killed in a system call that has not returned? Then its FIFREEZE may still take effect. */
static bool lingers(struct qz_os *os, const struct qz_process *process)
{
    return !os->ops->process_alive(os, process) && !os->ops->process_gone(os, process);
}

static void note(struct thawing *thawing, const struct qz_event *event)
{
    struct qz_os *os = thawing->os;
    const struct qz_journal *journal = thawing->journal;
    struct recovery *recovery = &thawing->list[event->slot];
    bool thawed = event->error == 0, not_frozen = event->error == EINVAL;
    recovery->under_way = false;
    if (not_frozen && recovery->may_freeze) {
        recovery->next_us = os->ops->now_us(os) + LOOK_US;
        return;
    }
    if (!thawed && !not_frozen && ++recovery->failures < THAW_TRIES)
        return;
    recovery->open = false;
    thawing->open_count--;
    thawing->count += thawed;
    if (!thawed && !not_frozen)
        add_still_frozen(thawing->errors, &journal->volumes[event->slot], strerror(event->error));
    else if (thawing->thawed)
        thawing->thawed[event->slot] = thawed;
}

/* Starts every thaw that is due; all at once, since a thaw may have to wait for that of a lower volume. Returns when
 * the next one is due, or `deadline_us`. */
static int64_t start_due(struct thawing *thawing, int64_t now_us, int64_t deadline_us)
{
    const struct qz_journal *journal = thawing->journal;
    int64_t next_us = deadline_us;
    bool lingering = lingers(thawing->os, &journal->guardian) || lingers(thawing->os, &journal->agent);
    for (size_t i = 0; i < journal->volume_count; i++) {
        struct recovery *recovery = &thawing->list[i];
        if (!recovery->open || recovery->under_way)
            continue;
        if (recovery->next_us <= now_us) {
            recovery->under_way = true;
            recovery->may_freeze = lingering;
            thawing->os->ops->volume_start(thawing->os, (int)i, QZ_VOLUME_THAW, NULL);
        } else if (recovery->next_us < next_us) {
            next_us = recovery->next_us;
        }
    }
    return next_us;
}

/* What came to no end in time. */
static void add_unended(struct thawing *thawing)
{
    for (size_t i = 0; thawing->open_count > 0 && i < thawing->journal->volume_count; i++) {
        const struct qz_journal_volume *volume = &thawing->journal->volumes[i];
        if (thawing->list[i].open && thawing->list[i].under_way)
            add_still_frozen(thawing->errors, volume, "FITHAW has not returned");
        else if (thawing->list[i].open)
            add_failure(thawing->errors, volume, "not frozen, but may still become so",
                        "a system call of the killed quiesce has not returned; thaw again when it has");
    }
}

static void thaw_opened(struct thawing *thawing)
{
    struct qz_os *os = thawing->os;
    int64_t now_us = os->ops->now_us(os), deadline_us = now_us + RECOVER_WAIT_US;
    for (; thawing->open_count > 0 && now_us < deadline_us; now_us = os->ops->now_us(os)) {
        struct qz_event event;
        os->ops->wait(os, start_due(thawing, now_us, deadline_us), &event);
        if (event.kind == QZ_EVENT_VOLUME)
            note(thawing, &event);
    }
    add_unended(thawing);
}

size_t qz_journal_thaw(struct qz_os *os, const struct qz_journal *journal, bool *thawed, struct qz_error_list *errors)
{
    struct thawing thawing = {.os = os, .journal = journal, .thawed = thawed, .errors = errors};
    thawing.list = calloc(journal->volume_count + 1, sizeof *thawing.list);
    if (!thawing.list) {
        for (size_t i = 0; i < journal->volume_count; i++)
            add_still_frozen(errors, &journal->volumes[i], strerror(ENOMEM));
        return 0;
    }
    open_volumes(&thawing);
    thaw_opened(&thawing);
    os->ops->volumes_close(os);
    free(thawing.list);
    return thawing.count;
}

size_t qz_journal_recover(struct qz_os *os, const struct qz_journal *journal, struct qz_error_list *errors)
{
    size_t failures = errors->count;
    size_t thawed = qz_journal_thaw(os, journal, NULL, errors);
    if (errors->count == failures)
        qz_journal_settle(os, journal);
    return thawed;
}
