/* What `quiesce begin` leaves for `quiesce end`: what is kept is what is read; what is damaged is refused. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kept.h"
#include "virtual.h"

#define KEPT VIRTUAL_STATE_DIRECTORY "/result"
#define RUN_ID "20240101T000000Z-aff44f"

/* ---- Keeping ---------------------------------------------------------------------------------------------------- */

/* What a process of the virtual world is to do with the result, and what came of it. */
struct visit {
    struct qz_result *written; /* NULL: nothing is written */
    int write_error;
    struct qz_process self;
    mode_t mode; /* of the file */
    int read_error;
    struct qz_kept kept;
};

static void write_and_read(struct qz_os *os, void *argument)
{
    struct visit *visit = argument;
    struct qz_path_facts facts;
    if (visit->written)
        visit->write_error = qz_kept_write(os, visit->written);
    os->ops->self(os, &visit->self);
    CHECK_INT(os->ops->inspect(os, KEPT, &facts), 0);
    visit->mode = facts.steps[facts.count - 1].mode;
    qz_path_facts_free(os, &facts);
    visit->read_error = qz_kept_read(os, &visit->kept);
}

static void visit(struct virtual_world *world, struct visit *visit)
{
    CHECK_INT(virtual_run(world, write_and_read, visit), VIRTUAL_OVER);
}

static struct qz_result sample(enum qz_consistency consistency, enum qz_consistency if_taken)
{
    return (struct qz_result){.command = "begin", .run_id = RUN_ID, .attempt = 1, .attempts = 1,
                              .consistency = consistency, .if_taken = if_taken};
}

QZ_TEST(what_is_kept_is_read) // both forms, the status, and whose it is; by root alone, and in place of one before
{
    struct virtual_world *world = virtual_new();
    struct qz_result result = sample(QZ_FILESYSTEM, QZ_NONE);
    virtual_add_file(world, KEPT, 0, 0644, "of another one");
    struct visit seen = {.written = &result};
    visit(world, &seen);
    CHECK_INT(seen.write_error, 0);
    CHECK_INT(seen.read_error, 0);
    CHECK_INT(seen.mode, 0600);
    CHECK_STRING(seen.kept.run_id, RUN_ID);
    CHECK_INT(seen.kept.writer.pid, seen.self.pid);
    CHECK_INT(seen.kept.writer.start_time, seen.self.start_time);
    CHECK_INT(seen.kept.result.status, QZ_EXIT_FILESYSTEM);
    char *json = qz_report_json(&result), *human = qz_report_human(&result, false);
    CHECK_STRING(seen.kept.result.json, json);
    CHECK_STRING(seen.kept.result.human, human);
    CU_ASSERT_PTR_NULL(seen.kept.if_taken.json);
    CU_ASSERT_PTR_NULL(seen.kept.if_taken.human);
    free(json);
    free(human);
    qz_kept_free(&seen.kept);
    virtual_free(world);
}

QZ_TEST(what_may_be_told_too_late_is_kept_beside_it) // as if there were a snapshot; the result itself stays as it was
{
    struct virtual_world *world = virtual_new();
    struct qz_result result = sample(QZ_NONE, QZ_CRASH);
    struct visit seen = {.written = &result};
    visit(world, &seen);
    CHECK_INT(seen.kept.result.status, QZ_EXIT_NONE);
    CHECK_CONTAINS(seen.kept.result.json, "\"consistency\":\"none\"");
    CHECK_CONTAINS(seen.kept.result.json, "\"outcome\":\"not_taken\"");
    CHECK_INT(seen.kept.if_taken.status, QZ_EXIT_CRASH);
    CHECK_CONTAINS(seen.kept.if_taken.json, "\"consistency\":\"crash\"");
    CHECK_CONTAINS(seen.kept.if_taken.json, "\"outcome\":\"taken\"");
    CHECK_CONTAINS(seen.kept.if_taken.human, "crash");
    CHECK_INT(result.consistency, QZ_NONE);
    CHECK_INT(result.snapshot.outcome, QZ_SNAPSHOT_NOT_TAKEN);
    qz_kept_free(&seen.kept);
    virtual_free(world);
}

QZ_TEST(half_a_result_is_not_kept) // when memory is short: what was there before stays
{
    int lost = 0;
    for (unsigned nth = 1; nth == 1 || lost > 0; nth++) {
        struct virtual_world *world = virtual_new();
        struct qz_result before = sample(QZ_APPLICATION, QZ_NONE), result = sample(QZ_NONE, QZ_CRASH);
        struct visit first = {.written = &before}, seen = {.written = &result}, last = {0};
        visit(world, &first);
        qz_kept_free(&first.kept);
        virtual_starve(world, VIRTUAL_AGENT, 1, nth);
        visit(world, &seen);
        qz_kept_free(&seen.kept);
        virtual_starve(world, VIRTUAL_AGENT, 1, 0);
        visit(world, &last);
        lost = seen.write_error;
        CU_ASSERT(lost == 0 || lost == ENOMEM);
        CHECK_INT(last.read_error, 0);
        CHECK_INT(last.kept.result.status, lost ? QZ_EXIT_APPLICATION : QZ_EXIT_NONE);
        CHECK_INT(last.kept.if_taken.json != NULL, lost == 0);
        qz_kept_free(&last.kept);
        virtual_free(world);
    }
}

QZ_TEST(a_result_that_cannot_be_written_is_told) // by its errno
{
    struct virtual_world *world = virtual_new();
    struct qz_result result = sample(QZ_NONE, QZ_NONE);
    struct visit seen = {.written = &result};
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_WRITE_FILE, 1, ENOSPC);
    visit(world, &seen);
    CHECK_INT(seen.write_error, ENOSPC);
    CHECK_INT(seen.read_error, ENOENT);
    virtual_free(world);
}

static void remove_it(struct qz_os *os, void *argument)
{
    int *errors = argument;
    errors[0] = qz_kept_remove(os);
    errors[1] = qz_kept_remove(os);
}

QZ_TEST(what_is_removed_is_gone) // and there is nothing to remove any more
{
    struct virtual_world *world = virtual_new();
    struct qz_result result = sample(QZ_NONE, QZ_NONE);
    struct visit seen = {.written = &result}, later = {0};
    int errors[2];
    visit(world, &seen);
    qz_kept_free(&seen.kept);
    CHECK_INT(virtual_run(world, remove_it, errors), VIRTUAL_OVER);
    CHECK_INT(errors[0], 0);
    CHECK_INT(errors[1], ENOENT);
    visit(world, &later);
    CHECK_INT(later.read_error, ENOENT);
    virtual_free(world);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

#define SOUND                                                                                                         \
    "{\"run_id\":\"R\",\"pid\":7,\"start_time\":5,\"result\":{\"status\":20,\"json\":\"J\",\"human\":\"H\"},"         \
    "\"if_taken\":{\"status\":11,\"json\":\"j\",\"human\":\"h\"}}"

static bool is_empty(const struct qz_kept *kept)
{
    return !kept->run_id && kept->writer.pid == 0 && kept->writer.start_time == 0 && !kept->result.json &&
           !kept->result.human && kept->result.status == 0 && !kept->if_taken.json && !kept->if_taken.human &&
           kept->if_taken.status == 0;
}

/* Expects SOUND, with one part replaced by another, to be read, or refused. */
static struct qz_kept read_with(const char *part, const char *other, int error)
{
    char text[1024] = "";
    const char *at = strstr(SOUND, part);
    CU_ASSERT_PTR_NOT_NULL(at);
    if (at)
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - SOUND), SOUND, other, at + strlen(part));
    struct virtual_world *world = virtual_new();
    virtual_add_file(world, KEPT, 0, 0600, text);
    struct visit seen = {0};
    visit(world, &seen);
    if (seen.read_error != error)
        fprintf(stderr, "  in: %s\n", text);
    CHECK_INT(seen.read_error, error);
    CU_ASSERT(error == 0 || is_empty(&seen.kept));
    CHECK_INT(virtual_open_files(world), 0);
    virtual_free(world);
    return seen.kept;
}

static void expect(const char *part, const char *other, int error)
{
    struct qz_kept kept = read_with(part, other, error);
    qz_kept_free(&kept);
    CU_ASSERT(is_empty(&kept));
}

QZ_TEST(what_is_sound_is_read) // every field
{
    struct qz_kept kept = read_with("{", "{", 0);
    CHECK_STRING(kept.run_id, "R");
    CHECK_INT(kept.writer.pid, 7);
    CHECK_INT(kept.writer.start_time, 5);
    CHECK_INT(kept.result.status, 20);
    CHECK_STRING(kept.result.json, "J");
    CHECK_STRING(kept.result.human, "H");
    CHECK_INT(kept.if_taken.status, 11);
    CHECK_STRING(kept.if_taken.json, "j");
    CHECK_STRING(kept.if_taken.human, "h");
    qz_kept_free(&kept);
}

QZ_TEST(what_is_missing_is_damage) // or of another type
{
    static const char *const parts[] = {"\"run_id\":\"R\"", "\"pid\":7", "\"start_time\":5", "\"status\":20",
                                        "\"json\":\"J\"", "\"human\":\"H\"", "\"status\":11", "\"json\":\"j\"",
                                        "\"human\":\"h\""};
    static const char *const others[] = {"null", "true", "[]", "{}"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        expect(parts[i], "\"x\":1", EINVAL);
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            char other[64];
            snprintf(other, sizeof other, "%.*s%s", (int)(strchr(parts[i], ':') + 1 - parts[i]), parts[i], others[k]);
            expect(parts[i], other, EINVAL);
        }
    }
    expect("\"R\"", "1", EINVAL);
    expect("\"J\"", "1", EINVAL);
    expect("\"H\"", "1", EINVAL);
    expect(":7", ":\"7\"", EINVAL);
    expect(":5", ":\"5\"", EINVAL);
    expect(":20", ":\"20\"", EINVAL);
    expect("\"result\"", "\"x\"", EINVAL);
    expect("{\"status\":20,\"json\":\"J\",\"human\":\"H\"}", "5", EINVAL);
    expect("{\"status\":11,\"json\":\"j\",\"human\":\"h\"}", "null", EINVAL);
    expect("{", "[", EINVAL);
    expect(SOUND, "", EINVAL);
    expect(",\"if_taken\":{\"status\":11,\"json\":\"j\",\"human\":\"h\"}", "", 0);
}

QZ_TEST(what_no_process_has_is_damage) // numbers below zero, with a fraction, or beyond what there can be
{
    static const char *const refused[][2] = {
        {":7", ":0"},      {":7", ":-1"},   {":7", ":7.5"},   {":7", ":2147483648"},       {":7", ":1e300"},
        {":5", ":-1"},     {":5", ":0.5"},  {":5", ":1e300"}, {":5", ":9007199254740992"},
    };
    static const char *const taken[][2] = {
        {":7", ":1"}, {":7", ":2147483647"}, {":5", ":0"}, {":5", ":9007199254740991"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        expect(refused[i][0], refused[i][1], EINVAL);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        expect(taken[i][0], taken[i][1], 0);
}

QZ_TEST(what_no_result_has_is_damage) // an exit status that quiesce does not end with; for exit(2) 256 is 0
{
    static const int statuses[] = {QZ_EXIT_APPLICATION, QZ_EXIT_FILESYSTEM, QZ_EXIT_CRASH, QZ_EXIT_NONE,
                                   QZ_EXIT_SOFTWARE};
    for (int status = -1; status <= 257; status++) {
        bool known = false;
        for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
            known = known || status == statuses[i];
        char other[16];
        snprintf(other, sizeof other, ":%d", status);
        expect(":20", other, known ? 0 : EINVAL);
        expect(":11", other, known ? 0 : EINVAL);
    }
    expect(":20", ":10.5", EINVAL);
}

QZ_TEST(a_cut_result_is_damage) // wherever it was cut
{
    for (size_t size = 1; size < sizeof SOUND - 1; size++) {
        char text[sizeof SOUND];
        snprintf(text, sizeof text, "%.*s", (int)size, SOUND);
        expect(SOUND, text, EINVAL);
    }
}

QZ_TEST(what_cannot_be_read_is_told) // by its errno; also what is no file
{
    struct virtual_world *world = virtual_new();
    struct visit seen = {0};
    visit(world, &seen);
    CHECK_INT(seen.read_error, ENOENT);
    virtual_add_file(world, KEPT, 0, 0600, SOUND);
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_READ_FILE, 1, EIO);
    visit(world, &seen);
    CHECK_INT(seen.read_error, EIO);
    virtual_fail(world, VIRTUAL_AGENT, VIRTUAL_OP_INSPECT, 2, ENOMEM);
    visit(world, &seen);
    CHECK_INT(seen.read_error, ENOMEM);
    virtual_add_other(world, KEPT, 0, 0600);
    visit(world, &seen);
    CHECK_INT(seen.read_error, EINVAL);
    CU_ASSERT(is_empty(&seen.kept));
    CHECK_INT(virtual_open_files(world), 0);
    virtual_free(world);
}

QZ_TEST(memory_that_is_short_is_no_damage)
{
    bool refused = true;
    for (unsigned nth = 1; refused; nth++) {
        struct virtual_world *world = virtual_new();
        struct visit seen = {0};
        virtual_add_file(world, KEPT, 0, 0600, SOUND);
        virtual_starve(world, VIRTUAL_AGENT, 1, nth);
        visit(world, &seen);
        refused = virtual_asked_for(world, VIRTUAL_AGENT, 1) >= nth;
        CHECK_INT(seen.read_error, refused ? ENOMEM : 0);
        qz_kept_free(&seen.kept);
        virtual_free(world);
    }
}
