/* The journal: what is written is what is read; what is damaged is refused; what it says is frozen gets thawed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "run.h"

#define SECOND RUN_SECOND
#define MS RUN_MS

/* ---- Writing and reading ---------------------------------------------------------------------------------------- */

/* What a process of the virtual world is to do with the journal, and what came of it. */
struct visit {
    const struct qz_journal *written; /* NULL: nothing is written */
    int write_error;
    int found;
    struct qz_journal journal;
    struct qz_error error;
};

static void write_and_read(struct qz_os *os, void *argument)
{
    struct visit *visit = argument;
    if (visit->written)
        visit->write_error = qz_journal_write(os, visit->written);
    visit->found = qz_journal_read(os, &visit->journal, &visit->error);
}

static void visit(struct virtual_world *world, struct visit *visit)
{
    CHECK_INT(virtual_run(world, write_and_read, visit), VIRTUAL_OVER);
}

static char text_run[] = "run", text_id[] = "20240101T000000Z-aff44f", text_ext4[] = "ext4", text_vdb[] = "/dev/vdb";
static char text_mount[] = "/data1", text_post[] = "/etc/azure/post.sh", text_other_post[] = "/etc/azure/p\u00f6st.sh";
static char text_strange[] = "/mnt/\xff\xfe \\134 \\ \n\x1b\" \u00e9\xc3";

static struct qz_journal sample(struct qz_journal_volume *volumes, char **posts)
{
    volumes[0] = (struct qz_journal_volume){text_mount, text_vdb, text_ext4, makedev(8, 17)};
    volumes[1] = (struct qz_journal_volume){text_strange, text_strange, text_strange, makedev(0, 1048575)};
    posts[0] = text_post;
    posts[1] = text_other_post;
    return (struct qz_journal){.command = text_run,
                               .run_id = text_id,
                               .agent = {.pid = 1234, .start_time = 5678},
                               .guardian = {.pid = INT32_MAX, .start_time = UINT64_C(4503599627370495)},
                               .since_us = INT64_C(1704067200123456),
                               .until_us = INT64_C(1704067320123456),
                               .volumes = volumes,
                               .volume_count = 2,
                               .posts_owed = posts,
                               .post_count = 2};
}

QZ_TEST(what_is_written_is_read) // every field, and mount points of any bytes: one that is lost would stay frozen
{
    struct virtual_world *world = virtual_new();
    struct qz_journal_volume volumes[2];
    char *posts[2];
    struct qz_journal journal = sample(volumes, posts);
    struct visit seen = {.written = &journal};
    visit(world, &seen);
    CHECK_INT(seen.write_error, 0);
    CHECK_INT(seen.found, 1);
    const struct qz_journal *read = &seen.journal;
    CHECK_STRING(read->command, "run");
    CHECK_STRING(read->run_id, text_id);
    CHECK_INT(read->agent.pid, 1234);
    CHECK_INT(read->agent.start_time, 5678);
    CHECK_INT(read->guardian.pid, INT32_MAX);
    CHECK_INT(read->guardian.start_time, UINT64_C(4503599627370495));
    CHECK_INT(read->since_us, journal.since_us);
    CHECK_INT(read->until_us, journal.until_us);
    CHECK_INT(read->volume_count, 2);
    CHECK_INT(read->post_count, 2);
    for (size_t i = 0; i < 2 && seen.found == 1; i++) {
        CHECK_STRING(read->volumes[i].mount, volumes[i].mount);
        CHECK_STRING(read->volumes[i].device, volumes[i].device);
        CHECK_STRING(read->volumes[i].fstype, volumes[i].fstype);
        CHECK_INT(read->volumes[i].dev, volumes[i].dev);
        CHECK_STRING(read->posts_owed[i], posts[i]);
    }
    qz_journal_free(&seen.journal);
    virtual_free(world);
}

QZ_TEST(no_journal_is_none) // nothing was written, or it was removed
{
    struct virtual_world *world = virtual_new();
    struct visit seen = {0};
    visit(world, &seen);
    CHECK_INT(seen.found, 0);
    CU_ASSERT_PTR_NULL(seen.journal.run_id);
    virtual_free(world);
}

QZ_TEST(a_journal_of_another_boot_says_nothing) // a reboot thaws everything; whatever else it says, and be it damaged
{
    struct virtual_world *world = virtual_new();
    struct qz_journal_volume volumes[2];
    char *posts[2];
    struct qz_journal journal = sample(volumes, posts);
    struct visit seen = {.written = &journal};
    visit(world, &seen);
    qz_journal_free(&seen.journal);
    virtual_set_boot_id(world, "another");
    seen.written = NULL;
    visit(world, &seen);
    CHECK_INT(seen.found, 0);
    virtual_set_journal(world, "{\"boot_id\": \"a third\"}");
    visit(world, &seen);
    CHECK_INT(seen.found, 0);
    CU_ASSERT_PTR_NULL(seen.journal.run_id);
    virtual_free(world);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

#define SOUND                                                                                                         \
    "{\"boot_id\":\"B\",\"command\":\"run\",\"run_id\":\"R\",\"agent\":{\"pid\":7,\"start_time\":5},"               \
    "\"guardian\":{\"pid\":8,\"start_time\":6},\"since_us\":1,\"until_us\":2,"                                        \
    "\"volumes\":[{\"mount\":\"/d\",\"device\":\"/dev/x\",\"fstype\":\"ext4\",\"major\":8,\"minor\":17}],"            \
    "\"posts_owed\":[\"/p\"]}"

/* Expects SOUND, with one part replaced by another, to be found, or refused. */
static void expect_found(const char *part, const char *other, int found)
{
    char text[1024];
    const char *at = strstr(SOUND, part);
    CU_ASSERT_PTR_NOT_NULL(at);
    if (!at)
        return;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - SOUND), SOUND, other, at + strlen(part));
    struct virtual_world *world = virtual_new();
    virtual_set_boot_id(world, "B");
    virtual_set_journal(world, text);
    struct visit seen = {0};
    visit(world, &seen);
    if (seen.found != found)
        fprintf(stderr, "  in: %s\n", text);
    CHECK_INT(seen.found, found);
    if (seen.found == 1) {
        qz_journal_free(&seen.journal);
    } else {
        CHECK_INT(seen.error.code, QZ_E_INTERNAL_ERROR);
        CU_ASSERT_PTR_NULL(seen.journal.run_id);
        CHECK_INT(seen.journal.volume_count, 0);
    }
    virtual_free(world);
}

QZ_TEST(what_is_missing_is_damage) // every key is required, and so is every type
{
    expect_found("{", "{", 1);
    static const char *const keys[] = {"boot_id", "command", "run_id",  "agent",  "guardian", "since_us", "until_us",
                                       "volumes", "mount",   "device",  "fstype", "major",    "minor",    "posts_owed",
                                       "pid",     "start_time"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char part[32], other[32];
        snprintf(part, sizeof part, "\"%s\":", keys[i]);
        snprintf(other, sizeof other, "\"%s_\":", keys[i]);
        expect_found(part, other, -1);
        snprintf(other, sizeof other, "\"%s\":null,\"x\":", keys[i]);
        expect_found(part, other, -1);
    }
}

QZ_TEST(what_has_another_type_is_damage) // a number for a string, a string for a number, an object for a list
{
    static const char *const parts[][2] = {
        {"\"B\"", "5"},         {"\"run\"", "true"},      {"\"R\"", "[]"},       {"\"/d\"", "{}"},
        {"\"/dev/x\"", "1"},    {"\"ext4\"", "[\"\"]"},   {"\"/p\"", "null"},    {"[\"/p\"]", "\"/p\""},
        {"[\"/p\"]", "{}"},     {":7", ":\"7\""},         {":5", ":[5]"},        {":1,", ":\"1\","},
        {":8,\"m", ":{},\"m"},  {"[{\"mount", "[5,{\"mount"}, {"\"agent\":{\"pid\":7,\"start_time\":5}", "\"agent\":7"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        expect_found(parts[i][0], parts[i][1], -1);
}

QZ_TEST(what_no_process_or_device_has_is_damage) // numbers below zero, with a fraction, or beyond what there can be
{
    static const char *const parts[][2] = {
        {":7", ":-7"},          {":7", ":7.5"},           {":7", ":2147483648"},      {":7", ":1e300"},
        {":5", ":-1"},          {":5", ":1e300"},         {":5", ":0.5"},             {":1,", ":-1,"},
        {":1,", ":1e300,"},     {":2,", ":1e17,"},        {":8,\"m", ":4294967296,\"m"}, {":8,\"m", ":-1,\"m"},
        {":17", ":4294967296"}, {":17", ":0.1"},          {":17", ":1e300"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        expect_found(parts[i][0], parts[i][1], -1);
    expect_found(":7", ":2147483647", 1);
    expect_found(":17", ":4294967295", 1);
}

QZ_TEST(a_broken_escape_is_damage) // bytes that are no UTF-8 stand there as a backslash and three octal digits
{
    expect_found("\"/d\"", "\"/d\\\\377\"", 1);
    static const char *const broken[] = {"\"/d\\\\\"",    "\"/d\\\\37\"",  "\"/d\\\\378\"",
                                         "\"/d\\\\777\"", "\"/d\\\\x41\"", "\"/d\\\\000\""};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        expect_found("\"/d\"", broken[i], -1);
}

QZ_TEST(what_is_no_json_is_damage) // text after it, keys given twice, another kind of value, noise
{
    expect_found("\"/p\"]}", "\"/p\"]} {}", -1);
    expect_found("\"run_id\":\"R\"", "\"run_id\":\"R\",\"run_id\":\"R\"", -1);
    expect_found(SOUND, "[]", -1);
    expect_found(SOUND, "7", -1);
    expect_found(SOUND, "{}", -1);
    expect_found(SOUND, "\xff\xfe{}", -1);
    expect_found("\"/d\"", "\"/d\xff\"", -1);
    expect_found("\"run\"", "\"run\\u0000\"", -1);
}

QZ_TEST(a_cut_journal_is_damage) // wherever it was cut; never is half of it believed
{
    for (size_t size = 1; size < sizeof SOUND - 1; size++) {
        char text[sizeof SOUND];
        snprintf(text, sizeof text, "%.*s", (int)size, SOUND);
        struct virtual_world *world = virtual_new();
        virtual_set_boot_id(world, "B");
        virtual_set_journal(world, text);
        struct visit seen = {0};
        visit(world, &seen);
        CHECK_INT(seen.found, -1);
        virtual_free(world);
    }
}

QZ_TEST(more_than_is_needed_does_no_harm) // keys that a later version may add
{
    expect_found("\"run_id\"", "\"new\":[1,{}],\"run_id\"", 1);
    expect_found("{\"mount\"", "{\"new\":true,\"mount\"", 1);
    expect_found("[\"/p\"]", "[]", 1);
    expect_found("[{\"mount\":\"/d\",\"device\":\"/dev/x\",\"fstype\":\"ext4\",\"major\":8,\"minor\":17}]", "[]", 1);
}

QZ_TEST(an_unreadable_journal_is_told) // with the file and the cause
{
    struct virtual_world *world = virtual_new();
    struct visit seen = {0};
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_READ, 1, EIO);
    visit(world, &seen);
    CHECK_INT(seen.found, QZ_JOURNAL_UNREAD);
    CHECK_STRING(seen.error.message, VIRTUAL_STATE_DIRECTORY "/journal: Input/output error");
    virtual_set_journal(world, "{}");
    visit(world, &seen);
    CHECK_INT(seen.found, -1);
    CHECK_CONTAINS(seen.error.message, VIRTUAL_STATE_DIRECTORY "/journal: not a journal of quiesce");
    virtual_set_journal(world, "{");
    visit(world, &seen);
    CHECK_CONTAINS(seen.error.message, VIRTUAL_STATE_DIRECTORY "/journal:1:2: ");
    virtual_free(world);
}

QZ_TEST(half_a_journal_is_not_read) // when memory is short: it is refused as a whole
{
    struct visit seen = {0};
    for (unsigned nth = 1; seen.found != 1; nth++) {
        struct virtual_world *world = virtual_new();
        virtual_set_boot_id(world, "B");
        virtual_set_journal(world, SOUND);
        virtual_starve(world, VIRTUAL_AGENT, 1, nth);
        visit(world, &seen);
        if (virtual_asked_for(world, VIRTUAL_AGENT, 1) >= nth) { /* not damage, which the next run would write over */
            CHECK_INT(seen.found, QZ_JOURNAL_UNREAD);
            CHECK_CONTAINS(seen.error.message, "memory");
        }
        virtual_free(world);
    }
    qz_journal_free(&seen.journal);
}

QZ_TEST(an_oversized_journal_is_refused) // 1 MiB is the most
{
    struct virtual_world *world = virtual_new();
    char *text = malloc(QZ_JOURNAL_SIZE_MAX + 2);
    memset(text, ' ', QZ_JOURNAL_SIZE_MAX + 1);
    text[QZ_JOURNAL_SIZE_MAX + 1] = '\0';
    virtual_set_journal(world, text);
    struct visit seen = {0};
    visit(world, &seen);
    CHECK_INT(seen.found, -1);
    CHECK_CONTAINS(seen.error.message, "File too large");
    free(text);
    virtual_free(world);
}

QZ_TEST(a_journal_that_cannot_be_written_is_told) // by its errno, and what was there before stays
{
    struct virtual_world *world = virtual_new();
    struct qz_journal_volume volumes[2];
    char *posts[2];
    struct qz_journal journal = sample(volumes, posts);
    struct visit seen = {.written = &journal};
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_JOURNAL_WRITE, 1, ENOSPC);
    visit(world, &seen);
    CHECK_INT(seen.write_error, ENOSPC);
    CHECK_INT(seen.found, 0);
    virtual_free(world);
}

/* ---- Recovery --------------------------------------------------------------------------------------------------- */

/* Volumes that a dead run left frozen: DATA is "/data1", UPPER lies on it. */
#define DATA RUN_DEV(1)
#define UPPER RUN_DEV(2)

struct rescue {
    size_t count; /* volumes of the journal */
    dev_t devs[2];
    size_t thawed;
    struct qz_error_list errors;
    char path[64];
};

static void freeze_volume(struct qz_os *os, int slot, const char *mount_point, dev_t dev)
{
    CHECK_INT(os->ops->volume_recover(os, slot, mount_point, dev), 0);
    CHECK_INT(os->ops->volumes_arm(os, slot + 1), 0);
    os->ops->volume_start(os, slot, QZ_VOLUME_FREEZE, NULL);
    struct qz_event event;
    os->ops->wait(os, QZ_NEVER, &event);
    CHECK_INT(event.error, 0);
}

/* Freezes and dies without a thaw. */
static void freeze_all(struct qz_os *os, void *argument)
{
    const struct rescue *rescue = argument;
    for (size_t i = rescue->count; i-- > 0;) /* the upper one first: else it could not be frozen */
        freeze_volume(os, (int)i, i == 0 ? "/data1" : "/data2", rescue->devs[i]);
}

static void recover_all(struct qz_os *os, void *argument)
{
    static char data1[] = "/data1", data2[] = "/data2";
    struct rescue *rescue = argument;
    struct qz_journal_volume volumes[2] = {{data1, text_vdb, text_ext4, rescue->devs[0]},
                                           {data2, text_vdb, text_ext4, rescue->devs[1]}};
    struct qz_journal journal = {.command = text_run, .run_id = text_id, .volumes = volumes,
                                 .volume_count = rescue->count};
    CHECK_INT(qz_journal_write(os, &journal), 0);
    rescue->thawed = qz_journal_recover(os, &journal, &rescue->errors);
    if (rescue->errors.count > 0)
        snprintf(rescue->path, sizeof rescue->path, "%s", rescue->errors.items[0].path);
}

static struct virtual_world *world_with_two(void)
{
    struct virtual_world *world = virtual_new();
    virtual_add_ext4(world, "/data1", DATA);
    virtual_add_ext4(world, "/data2", UPPER);
    return world;
}

QZ_TEST(what_the_journal_names_is_thawed) // and then there is no journal any more
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 2, .devs = {DATA, UPPER}};
    CHECK_INT(virtual_run(world, freeze_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(virtual_frozen_count(world), 2);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.thawed, 2);
    CHECK_INT(rescue.errors.count, 0);
    CHECK_INT(virtual_frozen_count(world), 0);
    CHECK_STRING(virtual_journal(world), "");
    CHECK_CONTAINS(virtual_trace_text(world), " agent volumes_close = 0\n");
    virtual_free(world);
}

QZ_TEST(what_the_journal_does_not_name_is_left) // somebody else's freeze is theirs
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 1, .devs = {DATA}};
    virtual_foreign_freeze(world, UPPER, 0);
    CHECK_INT(virtual_run(world, freeze_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.thawed, 1);
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    CU_ASSERT_TRUE(virtual_is_frozen(world, UPPER));
    virtual_free(world);
}

QZ_TEST(what_is_not_frozen_any_more_is_no_failure) // nor what is not there any more; neither counts as thawed
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 2, .devs = {DATA, makedev(8, 200)}};
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.thawed, 0);
    CHECK_INT(rescue.errors.count, 0);
    CHECK_STRING(virtual_journal(world), "");
    virtual_free(world);
}

QZ_TEST(a_volume_that_stays_frozen_is_told) // the others are thawed; the journal stays, so that it can be tried again
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 2, .devs = {DATA, UPPER}};
    virtual_set_volume(world, DATA, &(struct virtual_volume){.thaw_error = EIO, .thaw_errors = 3});
    CHECK_INT(virtual_run(world, freeze_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.thawed, 1);
    CHECK_INT(rescue.errors.count, 1);
    const struct qz_error *error = &rescue.errors.items[0];
    CHECK_INT(error->code, QZ_E_THAW_FAILED);
    CHECK_INT(error->phase, QZ_PHASE_THAW);
    CHECK_STRING(rescue.path, "/data1");
    CHECK_STRING(error->detail, "Input/output error");
    CHECK_STRING(error->message, "/data1 (/dev/vdb): still frozen: Input/output error");
    CU_ASSERT_TRUE(strlen(virtual_journal(world)) > 0);
    qz_error_list_free(&rescue.errors);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.thawed, 1);
    CHECK_STRING(virtual_journal(world), "");
    virtual_free(world);
}

QZ_TEST(a_thaw_that_hangs_is_not_waited_for) // longer than ten seconds; the other volume is thawed at once
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 2, .devs = {DATA, UPPER}};
    CHECK_INT(virtual_run(world, freeze_all, &rescue), VIRTUAL_OVER);
    virtual_set_volume(world, DATA, &(struct virtual_volume){.thaw_us = QZ_NEVER});
    int64_t begin_us = virtual_now_us(world);
    virtual_run(world, recover_all, &rescue);
    CHECK_INT(virtual_now_us(world) - begin_us, 10 * SECOND);
    CHECK_INT(rescue.thawed, 1);
    CHECK_INT(rescue.errors.count, 1);
    CHECK_STRING(rescue.errors.items[0].detail, "FITHAW has not returned");
    CU_ASSERT_FALSE(virtual_is_frozen(world, UPPER));
    CU_ASSERT_TRUE(strlen(virtual_journal(world)) > 0);
    qz_error_list_free(&rescue.errors);
    virtual_free(world);
}

static void thaw_all(struct qz_os *os, void *argument)
{
    struct rescue *rescue = argument;
    struct qz_journal_volume volumes[2] = {{text_mount, text_vdb, text_ext4, rescue->devs[0]},
                                           {(char[]){"/data2"}, text_vdb, text_ext4, rescue->devs[1]}};
    struct qz_journal journal = {.command = text_run, .run_id = text_id, .volumes = volumes, .volume_count = 2};
    rescue->thawed = qz_journal_thaw(os, &journal, NULL, &rescue->errors);
}

QZ_TEST(each_volume_is_thawed_or_told) // also where memory is short: none twice, and none that is not there
{
    size_t untold = 2;
    for (unsigned nth = 1; untold > 0; nth++) {
        struct virtual_world *world = world_with_two();
        struct rescue rescue = {.count = 2, .devs = {DATA, UPPER}};
        CHECK_INT(virtual_run(world, freeze_all, &rescue), VIRTUAL_OVER);
        virtual_starve(world, VIRTUAL_AGENT, 1, nth);
        CHECK_INT(virtual_run(world, thaw_all, &rescue), VIRTUAL_OVER);
        untold = rescue.errors.count + rescue.errors.lost;
        CHECK_INT(rescue.thawed + untold, 2);
        CHECK_INT(virtual_frozen_count(world), untold);
        qz_error_list_free(&rescue.errors);
        virtual_free(world);
    }
}

QZ_TEST(volumes_on_each_other_are_thawed) // all at once: the upper one's thaw waits for the lower one's
{
    struct virtual_world *world = virtual_new();
    dev_t below[] = {DATA};
    struct rescue rescue = {.count = 2, .devs = {DATA, UPPER}};
    virtual_add_ext4(world, "/data1", DATA);
    virtual_add_mount(world, &(struct qz_mount){.dev = UPPER, .mount_point = (char[]){"/data2"}, .block_backed = true,
                                                .below = below, .below_count = 1});
    CHECK_INT(virtual_run(world, freeze_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.thawed, 2);
    CHECK_INT(virtual_frozen_count(world), 0);
    virtual_free(world);
}

QZ_TEST(a_covered_volume_is_thawed) // something else is mounted on its mount point now
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 1, .devs = {DATA}};
    CHECK_INT(virtual_run(world, freeze_all, &rescue), VIRTUAL_OVER);
    virtual_add_mount(world, &(struct qz_mount){.dev = makedev(0, 50), .mount_point = (char[]){"/data1"}});
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.thawed, 1);
    CU_ASSERT_FALSE(virtual_is_frozen(world, DATA));
    virtual_free(world);
}

QZ_TEST(a_volume_that_cannot_be_reached_is_told) // and one without workers; the journal stays
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 2, .devs = {DATA, UPPER}};
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_VOLUME_RECOVER, 2, ETIMEDOUT);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.errors.count, 1);
    CHECK_STRING(rescue.errors.items[0].detail, "Connection timed out");
    CHECK_STRING(rescue.path, "/data2");
    CU_ASSERT_TRUE(strlen(virtual_journal(world)) > 0);
    qz_error_list_free(&rescue.errors);
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_VOLUMES_ARM, 1, EAGAIN);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.errors.count, 2);
    CHECK_STRING(rescue.errors.items[1].detail, "Resource temporarily unavailable");
    CU_ASSERT_TRUE(strlen(virtual_journal(world)) > 0);
    qz_error_list_free(&rescue.errors);
    virtual_free(world);
}

QZ_TEST(a_journal_without_volumes_needs_no_workers) // a run that died before its freeze owes no thaw
{
    struct virtual_world *world = world_with_two();
    struct rescue rescue = {.count = 0};
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_VOLUMES_ARM, 1, EAGAIN);
    CHECK_INT(virtual_run(world, recover_all, &rescue), VIRTUAL_OVER);
    CHECK_INT(rescue.errors.count, 0);
    CHECK_STRING(virtual_journal(world), "");
    virtual_free(world);
}

/* ---- What a run writes ------------------------------------------------------------------------------------------ */

/* What the journal said when agent and guardian were killed, both at that time. Free with cJSON_Delete. */
static cJSON *journal_at(struct run *run, int64_t at_us)
{
    virtual_kill_at(run->world, VIRTUAL_AGENT, at_us);
    virtual_kill_at(run->world, VIRTUAL_GUARDIAN, at_us);
    CHECK_INT(run_quiesce(run, RUN_JSON), -1);
    cJSON *journal = cJSON_Parse(virtual_journal(run->world));
    CU_ASSERT_PTR_NOT_NULL(journal);
    return journal;
}

static int length_of(const cJSON *journal, const char *name)
{
    return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(journal, name));
}

QZ_TEST(a_run_journals_what_it_owes) // from before its pre-script on the post-script; the volumes only while frozen
{
    static const struct {
        int64_t at_us;
        int volumes, posts;
    } rows[] = {{SECOND, 0, 1}, {3 * SECOND, 2, 1}, {5 * SECOND, 0, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run *run = run_new(2);
        RUN_SCRIPT(run, RUN_PRE, {.run_us = 2 * SECOND});
        RUN_SCRIPT(run, RUN_SNAP, {.run_us = 2 * SECOND});
        RUN_SCRIPT(run, RUN_POST, {.run_us = 2 * SECOND});
        cJSON *journal = journal_at(run, rows[i].at_us);
        CHECK_INT(length_of(journal, "volumes"), rows[i].volumes);
        CHECK_INT(length_of(journal, "posts_owed"), rows[i].posts);
        CHECK_INT(virtual_frozen_count(run->world), rows[i].volumes);
        cJSON_Delete(journal);
        run_free(run);
    }
}

QZ_TEST(only_started_pre_scripts_owe_a_post_script) // not those that could not be started, nor those that may not run
{
    struct run *run = run_new(2);
    run_plugins(run, 4, 120, "\"fsFreezeEnabled\": false");
    RUN_SCRIPT(run, "/etc/azure/pre0.sh", {.status = 1});
    RUN_SCRIPT(run, "/etc/azure/pre1.sh", {.start_error = ENOEXEC});
    virtual_add_file(run->world, "/etc/azure/post2.sh", 0, 0777, "#!/bin/sh\n");
    RUN_SCRIPT(run, RUN_SNAP, {.run_us = 2 * SECOND});
    cJSON *journal = journal_at(run, SECOND);
    const cJSON *posts = cJSON_GetObjectItemCaseSensitive(journal, "posts_owed");
    CHECK_INT(cJSON_GetArraySize(posts), 2);
    CHECK_STRING(cJSON_GetStringValue(cJSON_GetArrayItem(posts, 0)), "/etc/azure/post0.sh");
    CHECK_STRING(cJSON_GetStringValue(cJSON_GetArrayItem(posts, 1)), "/etc/azure/post3.sh");
    cJSON_Delete(journal);
    run_free(run);
}

QZ_TEST(a_run_that_ends_leaves_no_journal) // well or badly
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_STRING(virtual_journal(run->world), "");
    RUN_SCRIPT(run, RUN_SNAP, {.status = 1});
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_NONE);
    CHECK_STRING(virtual_journal(run->world), "");
    run_free(run);
}
