/* The contract: time, identity, files and run state. */
#include "contract_rules.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *in_directory(const struct contract *contract, const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", contract->directory, name);
    return path;
}

static void write_text(struct contract *contract, const char *path, const char *text)
{
    CHECK_INT(contract->os->ops->write_file(contract->os, path, text, strlen(text), 0600, true), 0);
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

QZ_TEST(waiting_ends_at_the_deadline) // a wait in which nothing happens ends at its deadline, not before
{
    struct qz_os *os = contract->os;
    struct qz_event event = {.kind = QZ_EVENT_SIGNAL};
    int64_t deadline_us = os->ops->now_us(os) + 20000;
    os->ops->wait(os, deadline_us, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CU_ASSERT(os->ops->now_us(os) >= deadline_us);
}

QZ_TEST(a_past_deadline_looks_once) // a deadline that has passed does not wait, and an event that is there comes
{
    struct qz_os *os = contract->os;
    struct qz_event event;
    os->ops->wait(os, os->ops->now_us(os) - 1, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    contract_raise(contract);
    os->ops->wait(os, os->ops->now_us(os) - 1, &event);
    CHECK_INT(event.kind, QZ_EVENT_SIGNAL);
    CHECK_INT(event.value, SIGTERM);
}

QZ_TEST(the_wall_clock_is_of_this_century) // wall_us counts microseconds since 1970
{
    int64_t wall_us = contract->os->ops->wall_us(contract->os);
    CU_ASSERT(wall_us > INT64_C(1700000000) * QZ_US_PER_S && wall_us < INT64_C(4100000000) * QZ_US_PER_S);
}

/* ---- Identity ---------------------------------------------------------------------------------------------------- */

QZ_TEST(a_process_is_known_by_its_start) // oneself is alive; the same number with another start time is somebody else
{
    struct qz_os *os = contract->os;
    struct qz_process self;
    os->ops->self(os, &self);
    CU_ASSERT_TRUE(os->ops->process_alive(os, &self));
    self.start_time++;
    CU_ASSERT_FALSE(os->ops->process_alive(os, &self));
}

QZ_TEST(random_bytes_differ) // two draws are not the same
{
    struct qz_os *os = contract->os;
    char first[16], second[16];
    CHECK_INT(os->ops->random_bytes(os, first, sizeof first), 0);
    CHECK_INT(os->ops->random_bytes(os, second, sizeof second), 0);
    CU_ASSERT(memcmp(first, second, sizeof first) != 0);
}

QZ_TEST(boot_id_is_told) // the boot id is not empty, and is the same when asked again
{
    struct qz_os *os = contract->os;
    CU_ASSERT(strlen(os->ops->boot_id(os)) >= 36);
    CHECK_STRING(os->ops->boot_id(os), os->ops->boot_id(os));
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

QZ_TEST(every_step_is_told) // a walk tells the root, each directory, each link and the file, each with its parent
{
    struct qz_os *os = contract->os;
    char file[256], link[256], directory[256];
    in_directory(contract, "real", directory);
    CHECK_INT(os->ops->make_directory(os, directory, 0750), 0);
    write_text(contract, in_directory(contract, "real/file", file), "hello");
    contract_link(contract, "real/file", in_directory(contract, "link", link));
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, link, &facts), 0);
    CHECK_INT(facts.error, 0);
    CU_ASSERT(facts.handle >= 0);
    CU_ASSERT(facts.count >= 4);
    if (facts.count >= 4) {
        const struct qz_path_step *last = &facts.steps[facts.count - 1];
        CHECK_STRING(facts.steps[0].path, "/");
        CHECK_INT(facts.steps[0].parent, -1);
        CHECK_STRING(last->path, file);
        CHECK_INT(last->kind, QZ_STEP_REGULAR);
        CHECK_INT(last->mode, 0600);
        CHECK_INT(last->size, 5);
        CHECK_INT(last->parent, (int)facts.count - 2);
        CHECK_STRING(last[-1].path, directory);
        CHECK_INT(last[-1].kind, QZ_STEP_DIRECTORY);
        CHECK_INT(last[-1].mode, 0750);
        CHECK_INT(last[-1].parent, last[-2].parent);
        CHECK_STRING(last[-2].path, link);
        CHECK_INT(last[-2].kind, QZ_STEP_SYMLINK);
    }
    qz_path_facts_free(os, &facts);
}

QZ_TEST(a_missing_file_is_told) // ENOENT, no handle, and the last step is the directory in which it is missing
{
    struct qz_os *os = contract->os;
    char path[256];
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, in_directory(contract, "nothing", path), &facts), 0);
    CHECK_INT(facts.error, ENOENT);
    CHECK_INT(facts.handle, -1);
    CHECK_STRING(facts.steps[facts.count - 1].path, contract->directory);
    qz_path_facts_free(os, &facts);
}

QZ_TEST(a_ring_of_links_is_told) // ELOOP
{
    struct qz_os *os = contract->os;
    char path[256];
    contract_link(contract, "ring", in_directory(contract, "ring", path));
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    CHECK_INT(facts.error, ELOOP);
    qz_path_facts_free(os, &facts);
}

QZ_TEST(a_file_is_no_directory) // ENOTDIR, and the last step is the file
{
    struct qz_os *os = contract->os;
    char file[256], path[256];
    write_text(contract, in_directory(contract, "file", file), "");
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, in_directory(contract, "file/more", path), &facts), 0);
    CHECK_INT(facts.error, ENOTDIR);
    CHECK_INT(facts.handle, -1);
    CHECK_STRING(facts.steps[facts.count - 1].path, file);
    qz_path_facts_free(os, &facts);
}

QZ_TEST(a_file_is_read_whole_or_not) // read_file gives all of it, or EFBIG if that is too much
{
    struct qz_os *os = contract->os;
    char path[256], *text;
    write_text(contract, in_directory(contract, "file", path), "twelve bytes");
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    CHECK_INT(os->ops->read_file(os, facts.handle, 11, &text), -EFBIG);
    CU_ASSERT_PTR_NULL(text);
    CHECK_INT(os->ops->read_file(os, facts.handle, 12, &text), 12);
    CU_ASSERT(memcmp(text, "twelve bytes", 12) == 0);
    free(text);
    qz_path_facts_free(os, &facts);
}

QZ_TEST(a_swapped_file_is_another) // facts stay the same while nothing changes, and differ after a swap
{
    struct qz_os *os = contract->os;
    char path[256];
    write_text(contract, in_directory(contract, "file", path), "text");
    struct qz_path_facts first, second, third;
    CHECK_INT(os->ops->inspect(os, path, &first), 0);
    CHECK_INT(os->ops->inspect(os, path, &second), 0);
    contract_swap(contract, path);
    CHECK_INT(os->ops->inspect(os, path, &third), 0);
    CU_ASSERT_TRUE(qz_path_facts_same(&first, &second));
    CU_ASSERT_FALSE(qz_path_facts_same(&first, &third));
    qz_path_facts_free(os, &first);
    qz_path_facts_free(os, &second);
    qz_path_facts_free(os, &third);
}

QZ_TEST(a_file_is_replaced_only_if_asked) // write_file: EEXIST without `replace`; ENOENT without a directory
{
    struct qz_os *os = contract->os;
    char path[256], nowhere[256];
    in_directory(contract, "file", path);
    CHECK_INT(os->ops->write_file(os, path, "one", 3, 0640, false), 0);
    CHECK_INT(os->ops->write_file(os, path, "two", 3, 0640, false), EEXIST);
    CHECK_INT(os->ops->write_file(os, path, "three", 5, 0640, true), 0);
    CHECK_INT(os->ops->write_file(os, in_directory(contract, "no/file", nowhere), "x", 1, 0640, true), ENOENT);
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    CHECK_INT(facts.steps[facts.count - 1].size, 5);
    CHECK_INT(facts.steps[facts.count - 1].mode, 0640);
    qz_path_facts_free(os, &facts);
}

QZ_TEST(a_directory_is_made_once_and_removed_whole) // EEXIST is success; remove takes what is inside along
{
    struct qz_os *os = contract->os;
    char directory[256], file[256];
    in_directory(contract, "made", directory);
    CHECK_INT(os->ops->make_directory(os, directory, 0700), 0);
    CHECK_INT(os->ops->make_directory(os, directory, 0700), 0);
    write_text(contract, in_directory(contract, "made/file", file), "x");
    CHECK_INT(os->ops->remove(os, directory), 0);
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, directory, &facts), 0);
    CHECK_INT(facts.error, ENOENT);
    qz_path_facts_free(os, &facts);
}

/* ---- Run state --------------------------------------------------------------------------------------------------- */

QZ_TEST(the_journal_is_kept) // none at first; what was written last is read; writing nothing removes it
{
    struct qz_os *os = contract->os;
    char *text;
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->journal_read(os, 16, &text), 0);
    CU_ASSERT_PTR_NULL(text);
    CHECK_INT(os->ops->journal_write(os, "first, longer", 13), 0);
    CHECK_INT(os->ops->journal_write(os, "second", 6), 0);
    CHECK_INT(os->ops->journal_read(os, 16, &text), 6);
    CU_ASSERT(memcmp(text, "second", 6) == 0);
    free(text);
    CHECK_INT(os->ops->journal_read(os, 5, &text), -EFBIG);
    CU_ASSERT_PTR_NULL(text);
    CHECK_INT(os->ops->journal_write(os, "", 0), 0);
    CHECK_INT(os->ops->journal_read(os, 16, &text), 0);
}

QZ_TEST(the_lock_is_one) // lock: EWOULDBLOCK while another process has it
{
    contract_others_lock(contract);
    CHECK_INT(contract->os->ops->lock(contract->os), EWOULDBLOCK);
}
