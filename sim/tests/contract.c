/* contract.c: the rules of os.h that both worlds must keep. */
#include "contract.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

/* Here a rule is given its world: QZ_TEST(rule) { … contract->os … }, and VOLUME_TEST the same with a volume. */
#undef QZ_TEST
#define RULE(rule, runner, ...)                                                  \
    static void rule(__VA_ARGS__);                                               \
    static void run_##rule(void)                                                 \
    {                                                                            \
        runner(rule);                                                            \
    }                                                                            \
    __attribute__((constructor)) static void check_register_##rule(void)         \
    {                                                                            \
        static struct check_rule entry = {#rule, run_##rule, NULL};              \
        check_register(&entry);                                                  \
    }                                                                            \
    static void rule(__VA_ARGS__)
#define QZ_TEST(rule) RULE(rule, contract_run, struct contract *contract)
#define QZ_TEST_WITH_VOLUME(rule) \
    RULE(rule, contract_run_with_volume, struct contract *contract, const char *mount_point)

#define PATIENCE_US (10 * QZ_US_PER_S)

/* ---- Helpers ----------------------------------------------------------------------------------------------------- */

static const char *in_directory(const struct contract *contract, const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", contract->directory, name);
    return path;
}

static void write_text(struct contract *contract, const char *path, const char *text)
{
    CHECK_INT(contract->os->ops->write_file(contract->os, path, text, strlen(text), 0600, true), 0);
}

/* Waits for an event of that kind and drops others. False: it did not come. */
static bool await(struct qz_os *os, enum qz_event_kind kind, struct qz_event *event)
{
    int64_t deadline_us = os->ops->now_us(os) + PATIENCE_US;
    do
        os->ops->wait(os, deadline_us, event);
    while (event->kind != kind && event->kind != QZ_EVENT_TIMEOUT);
    return event->kind == kind;
}

static bool await_tree_end(struct qz_os *os, int slot)
{
    struct qz_event event;
    int64_t deadline_us = os->ops->now_us(os) + PATIENCE_US;
    while (os->ops->tree_alive(os, slot) && os->ops->now_us(os) < deadline_us)
        os->ops->wait(os, os->ops->now_us(os) + 5000, &event);
    return !os->ops->tree_alive(os, slot);
}

static int start_as(struct qz_os *os, const char *path, const struct qz_path_facts *facts, bool gated,
                    struct qz_tail *tails)
{
    char *argv[] = {(char *)(uintptr_t)path, NULL};
    char *envp[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
    return os->ops->child_start(os, &(struct qz_child_spec){.slot = 0,
                                                            .path = path,
                                                            .facts = facts,
                                                            .argv = argv,
                                                            .envp = envp,
                                                            .clean = true,
                                                            .gated = gated,
                                                            .out = &tails[0],
                                                            .err = &tails[1]});
}

static int start(struct qz_os *os, const char *path, const struct qz_path_facts *facts, struct qz_tail *tails)
{
    return start_as(os, path, facts, false, tails);
}

/* Starts a script of that kind as slot 0, as it is found now. */
static int start_script(struct contract *contract, enum contract_script kind, struct qz_tail *tails)
{
    struct qz_os *os = contract->os;
    const char *path = contract_script(contract, kind);
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    CHECK_INT(facts.error, 0);
    int error = start(os, path, &facts, tails);
    qz_path_facts_free(os, &facts);
    return error;
}

/* Does one operation on volume 0 and returns its errno, -1 if it does not end. */
static int operate(struct qz_os *os, enum qz_volume_op op)
{
    struct qz_event event;
    os->ops->volume_start(os, 0, op);
    if (!await(os, QZ_EVENT_VOLUME, &event))
        return -1;
    CHECK_INT(event.slot, 0);
    CHECK_INT(event.op, op);
    CU_ASSERT(event.begin_us <= event.end_us);
    CU_ASSERT(event.end_us <= os->ops->now_us(os));
    return event.error;
}

/* Finds the mount of `mount_point` in `table`. */
static const struct qz_mount *find_mount(const struct qz_mount_table *table, const char *mount_point)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->mounts[i].mount_point, mount_point) == 0 && !table->mounts[i].hidden)
            return &table->mounts[i];
    }
    return NULL;
}

/* Opens the volume as slot 0 and arms it. False: that failed, and nothing may be started on it. */
static bool open_volume(struct qz_os *os, const char *mount_point)
{
    struct qz_mount_table table;
    int error = os->ops->list_mounts(os, &table);
    const struct qz_mount *mount = error ? NULL : find_mount(&table, mount_point);
    if (!error)
        error = mount ? os->ops->volume_open(os, 0, mount) : ENOENT;
    if (!error)
        error = os->ops->volumes_arm(os, 1);
    qz_mount_table_free(&table);
    CHECK_INT(error, 0);
    return error == 0;
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

QZ_TEST(a_file_is_read_whole_or_not) // read_file gives all of it, or EFBIG if it has no room
{
    struct qz_os *os = contract->os;
    char path[256], buffer[16] = "";
    write_text(contract, in_directory(contract, "file", path), "twelve bytes");
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    CHECK_INT(os->ops->read_file(os, facts.handle, buffer, 11), -EFBIG);
    CHECK_INT(os->ops->read_file(os, facts.handle, buffer, sizeof buffer), 12);
    CU_ASSERT(memcmp(buffer, "twelve bytes", 12) == 0);
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
    char buffer[16] = "";
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->journal_read(os, buffer, sizeof buffer), 0);
    CHECK_INT(os->ops->journal_write(os, "first, longer", 13), 0);
    CHECK_INT(os->ops->journal_write(os, "second", 6), 0);
    CHECK_INT(os->ops->journal_read(os, buffer, sizeof buffer), 6);
    CU_ASSERT(memcmp(buffer, "second", 6) == 0);
    CU_ASSERT(os->ops->journal_read(os, buffer, 5) < 0);
    CHECK_INT(os->ops->journal_write(os, "", 0), 0);
    CHECK_INT(os->ops->journal_read(os, buffer, sizeof buffer), 0);
}

QZ_TEST(the_lock_is_one) // lock: EWOULDBLOCK while another process has it
{
    contract_others_lock(contract);
    CHECK_INT(contract->os->ops->lock(contract->os), EWOULDBLOCK);
}

/* ---- Children ---------------------------------------------------------------------------------------------------- */

QZ_TEST(an_exit_status_is_told) // the child's exit status, and no tree is left
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_script(contract, CONTRACT_EXITS_3, tails), 0);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.slot, 0);
    CU_ASSERT_FALSE(event.end.signaled);
    CHECK_INT(event.end.status, 3);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(a_death_by_signal_is_told) // and is not an exit status
{
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_script(contract, CONTRACT_KILLS_ITSELF, tails), 0);
    CU_ASSERT_TRUE(await(contract->os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_TRUE(event.end.signaled);
    CHECK_INT(event.end.status, SIGKILL);
}

QZ_TEST(output_is_drained) // all is counted, the last bytes are kept, and they are there when the end is told
{
    static char kept[QZ_TAIL_SIZE];
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_script(contract, CONTRACT_WRITES, tails), 0);
    CU_ASSERT_TRUE(await(contract->os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, 0);
    CHECK_INT(tails[0].total, CONTRACT_OUTPUT);
    CHECK_INT(qz_tail_copy(&tails[0], kept), QZ_TAIL_SIZE);
    CU_ASSERT(memcmp(kept + QZ_TAIL_SIZE - 10, "0123456789", 10) == 0);
    CHECK_INT(qz_tail_copy(&tails[1], kept), 4);
    CU_ASSERT(memcmp(kept, "oops", 4) == 0);
}

QZ_TEST(what_was_checked_is_what_starts) // ESTALE if the file was swapped since its facts were taken
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    const char *path = contract_script(contract, CONTRACT_EXITS_3);
    struct qz_path_facts facts;
    CHECK_INT(os->ops->inspect(os, path, &facts), 0);
    contract_swap(contract, path);
    CHECK_INT(start(os, path, &facts, tails), ESTALE);
    CU_ASSERT_FALSE(os->ops->tree_alive(os, 0));
    qz_path_facts_free(os, &facts);
}

QZ_TEST(an_unknown_command_does_not_start) // ENOENT if PATH does not know it
{
    struct qz_tail tails[2] = {0};
    for (int gated = 0; gated < 2; gated++) {
        CHECK_INT(start_as(contract->os, "no-such-command-anywhere", NULL, gated, tails), ENOENT);
        CU_ASSERT_FALSE(contract->os->ops->tree_alive(contract->os, 0));
    }
}

QZ_TEST(a_gated_child_waits) // it is alive, and does nothing, until it is released
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_as(os, contract_script(contract, CONTRACT_WRITES), NULL, true, tails), 0);
    os->ops->wait(os, os->ops->now_us(os) + 50000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CHECK_INT(tails[0].total, 0);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    CHECK_INT(os->ops->child_release(os, 0), 0);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, 0);
    CHECK_INT(event.end.error, 0);
    CHECK_INT(tails[0].total, CONTRACT_OUTPUT);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(a_gated_child_can_be_ended) // SIGTERM ends it whatever it would become; released, it is not there: ESRCH
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_as(os, contract_script(contract, CONTRACT_SLEEPS_DEAF), NULL, true, tails), 0);
    os->ops->tree_signal(os, 0, SIGTERM);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_TRUE(event.end.signaled);
    CHECK_INT(event.end.status, SIGTERM);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
    CHECK_INT(os->ops->child_release(os, 0), ESRCH);
}

QZ_TEST(a_tree_is_ended_politely) // SIGTERM ends what does not ignore it
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_script(contract, CONTRACT_SLEEPS, tails), 0);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGTERM);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_TRUE(event.end.signaled);
    CHECK_INT(event.end.status, SIGTERM);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(a_tree_is_ended_in_any_case) // what ignores SIGTERM lives on until SIGKILL
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_script(contract, CONTRACT_SLEEPS_DEAF, tails), 0);
    os->ops->wait(os, os->ops->now_us(os) + 200000, &event); /* a real one has to come to its trap */
    os->ops->tree_signal(os, 0, SIGTERM);
    os->ops->wait(os, os->ops->now_us(os) + 50000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGKILL);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, SIGKILL);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

QZ_TEST(who_moved_away_belongs_to_the_tree) // a child's end is told though a grandchild lives; a signal reaches that, too
{
    struct qz_os *os = contract->os;
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_script(contract, CONTRACT_LEAVES_A_CHILD, tails), 0);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_CHILD, &event));
    CU_ASSERT_FALSE(event.end.signaled);
    CHECK_INT(event.end.status, 0);
    CU_ASSERT_TRUE(os->ops->tree_alive(os, 0));
    os->ops->tree_signal(os, 0, SIGKILL);
    CU_ASSERT_TRUE(await_tree_end(os, 0));
}

/* ---- Guardian ---------------------------------------------------------------------------------------------------- */

struct shared {
    atomic_int seen;
    atomic_int error;
};

/* Answers each byte with the next one, until it is let go. */
static void echo(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    struct qz_event event;
    do {
        os->ops->wait(os, os->ops->now_us(os) + PATIENCE_US, &event);
        if (event.kind == QZ_EVENT_MESSAGE)
            os->ops->tell_peer(os, event.value + 1);
    } while (event.kind == QZ_EVENT_MESSAGE);
    shared->seen = (int)event.kind;
}

QZ_TEST(agent_and_guardian_talk) // bytes go both ways; the guardian is let go, and the agent hears no more of it
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_process guardian;
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, echo, shared), 0);
    os->ops->guardian(os, &guardian);
    CU_ASSERT(guardian.pid > 0);
    CU_ASSERT_TRUE(os->ops->process_alive(os, &guardian));
    os->ops->tell_peer(os, 7);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 8);
    os->ops->dismiss(os);
    CHECK_INT(shared->seen, QZ_EVENT_DISMISSED);
    CU_ASSERT_FALSE(os->ops->process_alive(os, &guardian));
    os->ops->guardian(os, &guardian);
    CHECK_INT(guardian.pid, 0);
    os->ops->wait(os, os->ops->now_us(os) + 50000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
}

/* Says a byte and ends without having been asked to. */
static void leave_early(struct qz_os *os, void *argument)
{
    (void)argument;
    os->ops->tell_peer(os, 42);
}

QZ_TEST(a_lost_guardian_is_noticed) // PEER_LOST, once, after what it had said; then it is gone
{
    struct qz_os *os = contract->os;
    struct qz_process self, guardian;
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, leave_early, NULL), 0);
    os->ops->self(os, &self);
    os->ops->guardian(os, &guardian);
    CU_ASSERT_FALSE(os->ops->process_gone(os, &self));
    CU_ASSERT_FALSE(os->ops->process_gone(os, &guardian));
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 42);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_PEER_LOST, &event));
    os->ops->wait(os, os->ops->now_us(os) + 20000, &event);
    CHECK_INT(event.kind, QZ_EVENT_TIMEOUT);
    CU_ASSERT_TRUE(os->ops->peer_gone(os));
    CU_ASSERT_TRUE(os->ops->process_gone(os, &guardian));
    os->ops->tell_peer(os, 1);
    os->ops->dismiss(os);
}

QZ_TEST(a_second_guardian_is_possible) // after the first one was let go
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    for (int i = 0; i < 2; i++) {
        shared->seen = 0;
        CHECK_INT(os->ops->guard(os, echo, shared), 0);
        os->ops->dismiss(os);
        CHECK_INT(shared->seen, QZ_EVENT_DISMISSED);
    }
}

QZ_TEST(a_guardian_takes_the_place_of_another) // that is let go once it is there; the agent talks to the new one
{
    struct qz_os *os = contract->os;
    struct shared *first = os->ops->share(os, sizeof *first), *second = os->ops->share(os, sizeof *second);
    struct qz_process before, after;
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, echo, first), 0);
    os->ops->guardian(os, &before);
    CHECK_INT(os->ops->guard(os, echo, second), 0);
    os->ops->guardian(os, &after);
    CU_ASSERT(after.pid > 0 && after.pid != before.pid);
    CHECK_INT(first->seen, QZ_EVENT_DISMISSED);
    CU_ASSERT_FALSE(os->ops->process_alive(os, &before));
    os->ops->tell_peer(os, 7);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 8);
    CU_ASSERT_FALSE(os->ops->peer_gone(os));
    os->ops->dismiss(os);
    CHECK_INT(second->seen, QZ_EVENT_DISMISSED);
}

QZ_TEST(of_a_replaced_guardian_nothing_more_is_heard) // not even its loss
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_event event = {0};
    CHECK_INT(os->ops->guard(os, leave_early, NULL), 0);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(os->ops->guard(os, echo, shared), 0);
    os->ops->tell_peer(os, 7);
    os->ops->wait(os, os->ops->now_us(os) + PATIENCE_US, &event);
    CHECK_INT(event.kind, QZ_EVENT_MESSAGE);
    CHECK_INT(event.value, 8);
    os->ops->dismiss(os);
}

static void end_slot_0(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    shared->seen = os->ops->tree_alive(os, 0);
    os->ops->tree_signal(os, 0, SIGKILL);
    os->ops->tell_peer(os, 1);
    struct qz_event event;
    await(os, QZ_EVENT_DISMISSED, &event);
}

QZ_TEST(a_guardian_reaches_the_agents_children) // tree_alive and tree_signal serve it, too
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_tail tails[2] = {0};
    struct qz_event event = {0};
    CHECK_INT(start_script(contract, CONTRACT_SLEEPS, tails), 0);
    CHECK_INT(os->ops->guard(os, end_slot_0, shared), 0);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_CHILD, &event));
    CHECK_INT(event.end.status, SIGKILL);
    CHECK_INT(shared->seen, true);
    os->ops->dismiss(os);
}

/* ---- In the background ------------------------------------------------------------------------------------------- */

/* What both halves of a detach() tell each other. */
struct halves {
    struct qz_process background;
    atomic_bool spoken; /* the half that goes on has done what it was to do */
    atomic_bool done;   /* the other half needs nothing any more */
    atomic_int wrong;   /* what was not as it should be in the half whose exit status nobody sees */
};

static int all_is_well(const struct halves *halves)
{
    CHECK_INT(halves->wrong, 0);
    return halves->wrong != 0 || CU_get_number_of_failures() > 0;
}

static void await_true(struct qz_os *os, const atomic_bool *condition)
{
    int64_t deadline_us = os->ops->now_us(os) + PATIENCE_US;
    struct qz_event event;
    while (!*condition && os->ops->now_us(os) < deadline_us)
        os->ops->wait(os, os->ops->now_us(os) + 5000, &event);
}

static int hear_it_out(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    struct qz_event event = {0};
    struct qz_process self;
    os->ops->self(os, &self);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 42);
    CHECK_INT(background->pid, halves->background.pid);
    CHECK_INT(background->start_time, halves->background.start_time);
    CU_ASSERT_NOT_EQUAL(self.pid, background->pid);
    CU_ASSERT_TRUE(os->ops->process_alive(os, background));
    CU_ASSERT_TRUE(await(os, QZ_EVENT_PEER_LOST, &event));
    await_true(os, &halves->spoken);
    halves->done = true;
    return all_is_well(halves);
}

QZ_TEST(who_goes_on_in_the_background_is_heard_once) // release: a message, then no more; a second one finds nobody
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    CHECK_INT(os->ops->detach(os, hear_it_out, halves), 0);
    os->ops->self(os, &halves->background);
    halves->wrong += !os->ops->release(os, 42);
    halves->wrong += os->ops->release(os, 43);
    halves->spoken = true;
    await_true(os, &halves->done);
}

static int hear_it_end(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    struct qz_event event = {0};
    (void)background;
    halves->done = true;
    os->ops->wait(os, os->ops->now_us(os) + PATIENCE_US, &event);
    CHECK_INT(event.kind, QZ_EVENT_PEER_LOST);
    return all_is_well(halves);
}

QZ_TEST(who_ends_in_the_background_is_missed) // PEER_LOST for the process that was started, also without a release
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    CHECK_INT(os->ops->detach(os, hear_it_end, halves), 0);
    await_true(os, &halves->done);
}

static int ask_for_the_lock(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    (void)background;
    CHECK_INT(os->ops->lock(os), EWOULDBLOCK);
    halves->done = true;
    return all_is_well(halves);
}

QZ_TEST(the_lock_goes_on_in_the_background) // the process that was started has it no longer
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    CHECK_INT(os->ops->lock(os), 0);
    CHECK_INT(os->ops->detach(os, ask_for_the_lock, halves), 0);
    await_true(os, &halves->done);
}

static int give_the_word(struct qz_os *os, void *argument, const struct qz_process *background)
{
    struct halves *halves = argument;
    CHECK_INT(os->ops->process_signal(os, background, QZ_SIGNAL_FAILED), 0);
    struct qz_event event = {0};
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(event.value, 1);
    halves->done = true;
    return all_is_well(halves);
}

QZ_TEST(a_word_on_the_snapshot_is_an_event) // QZ_SIGNAL_TAKEN and QZ_SIGNAL_FAILED are heard as signals
{
    struct qz_os *os = contract->os;
    struct halves *halves = os->ops->share(os, sizeof *halves);
    struct qz_event event = {0};
    CHECK_INT(os->ops->detach(os, give_the_word, halves), 0);
    halves->wrong += !await(os, QZ_EVENT_SIGNAL, &event) || event.value != QZ_SIGNAL_FAILED;
    os->ops->release(os, 1);
    await_true(os, &halves->done);
}

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

QZ_TEST_WITH_VOLUME(a_mount_is_described) // its filesystem, its superblock's device, its disk
{
    struct qz_os *os = contract->os;
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    const struct qz_mount *mount = find_mount(&table, mount_point);
    CU_ASSERT_PTR_NOT_NULL(mount);
    if (mount) {
        CHECK_STRING(mount->fstype, "ext4");
        CHECK_STRING(mount->root, "/");
        CU_ASSERT_TRUE(mount->block_backed);
        CU_ASSERT_FALSE(mount->read_only || mount->super_read_only);
        CU_ASSERT(mount->dev != 0);
        CHECK_INT(mount->disk_count, 1);
    }
    qz_mount_table_free(&table);
}

QZ_TEST_WITH_VOLUME(a_volume_is_frozen_and_thawed) // twice frozen: EBUSY; thawed when it is not frozen: EINVAL
{
    struct qz_os *os = contract->os;
    if (!open_volume(os, mount_point))
        return;
    CHECK_INT(operate(os, QZ_VOLUME_SYNC), 0);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), EBUSY);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), 0);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), EINVAL);
    os->ops->volumes_close(os);
}

QZ_TEST_WITH_VOLUME(somebody_elses_freeze_is_seen) // EBUSY
{
    struct qz_os *os = contract->os;
    if (!open_volume(os, mount_point))
        return;
    contract_others_freeze(contract);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), EBUSY);
    contract_others_thaw(contract);
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), 0);
    os->ops->volumes_close(os);
}

QZ_TEST_WITH_VOLUME(somebody_elses_thaw_is_seen) // EINVAL
{
    struct qz_os *os = contract->os;
    if (!open_volume(os, mount_point))
        return;
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    contract_others_thaw(contract);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), EINVAL);
    os->ops->volumes_close(os);
}

QZ_TEST_WITH_VOLUME(a_covered_mount_is_not_opened) // ESTALE by its mount point; recovery finds the superblock underneath
{
    struct qz_os *os = contract->os;
    struct qz_mount_table table;
    CHECK_INT(os->ops->list_mounts(os, &table), 0);
    const struct qz_mount *mount = find_mount(&table, mount_point);
    CU_ASSERT_PTR_NOT_NULL(mount);
    contract_cover(contract);
    int error = ENOENT;
    if (mount) {
        CHECK_INT(os->ops->volume_open(os, 0, mount), ESTALE);
        error = os->ops->volume_recover(os, 0, mount_point, mount->dev);
    }
    if (!error)
        error = os->ops->volumes_arm(os, 1);
    CHECK_INT(error, 0);
    if (!error) {
        CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
        CHECK_INT(operate(os, QZ_VOLUME_THAW), 0);
    }
    os->ops->volumes_close(os);
    qz_mount_table_free(&table);
}

static void thaw_slot_0(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    shared->error = os->ops->volumes_arm(os, 1);
    os->ops->volume_start(os, 0, QZ_VOLUME_THAW);
    struct qz_event event;
    shared->seen = await(os, QZ_EVENT_VOLUME, &event) ? event.error : -1;
    os->ops->tell_peer(os, 1);
    await(os, QZ_EVENT_DISMISSED, &event);
}

QZ_TEST_WITH_VOLUME(a_guardian_thaws_what_the_agent_froze) // it has the open volumes, and workers of its own
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_event event = {0};
    if (!open_volume(os, mount_point))
        return;
    CHECK_INT(operate(os, QZ_VOLUME_FREEZE), 0);
    CHECK_INT(os->ops->guard(os, thaw_slot_0, shared), 0);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(shared->error, 0);
    CHECK_INT(shared->seen, 0);
    CHECK_INT(operate(os, QZ_VOLUME_THAW), EINVAL);
    os->ops->dismiss(os);
    os->ops->volumes_close(os);
}

static void set_rcu_to_9(struct qz_os *os, void *argument)
{
    struct shared *shared = argument;
    int value = 0;
    struct qz_event event;
    shared->error = os->ops->rcu_set(os, 9); /* the agent has opened it */
    shared->seen = os->ops->rcu_get(os, &value) == 0 ? value : -1;
    os->ops->tell_peer(os, 1);
    await(os, QZ_EVENT_DISMISSED, &event);
}

QZ_TEST_WITH_VOLUME(the_rcu_number_is_what_was_set_last) // any number, by us, by others, by a guardian
{
    struct qz_os *os = contract->os;
    struct shared *shared = os->ops->share(os, sizeof *shared);
    struct qz_event event = {0};
    int value = -1;
    (void)mount_point;
    CHECK_INT(os->ops->rcu_get(os, &value), 0);
    CHECK_INT(value, 0);
    CHECK_INT(os->ops->rcu_set(os, 71563), 0);
    CHECK_INT(os->ops->rcu_get(os, &value), 0);
    CHECK_INT(value, 71563);
    contract_others_rcu(contract, 5);
    CHECK_INT(os->ops->rcu_get(os, &value), 0);
    CHECK_INT(value, 5);
    CHECK_INT(os->ops->guard(os, set_rcu_to_9, shared), 0);
    CU_ASSERT_TRUE(await(os, QZ_EVENT_MESSAGE, &event));
    CHECK_INT(shared->error, 0);
    CHECK_INT(shared->seen, 9);
    CHECK_INT(os->ops->rcu_get(os, &value), 0);
    CHECK_INT(value, 9);
    CHECK_INT(os->ops->rcu_set(os, 0), 0);
    os->ops->dismiss(os);
}
