/* The rules of what all implementations of the seam share (os.c); comparing walks is tested in test_linux_paths.c. */
#include "check.h"

#include <string.h>

#include "quiesce/os.h"

/* An os that keeps the last thing printed. */
struct listener {
    struct qz_os os;
    char text[4096];
    int lines;
};

static int print(struct qz_os *os, enum qz_stream stream, const char *text, size_t size)
{
    struct listener *listener = (struct listener *)os;
    CHECK_INT(stream, QZ_STREAM_LOG);
    CU_ASSERT_TRUE(size < sizeof listener->text);
    memcpy(listener->text, text, size);
    listener->text[size] = '\0';
    listener->lines++;
    return 0;
}

static const struct qz_os_ops OPS = {.print = print};

QZ_TEST(a_log_line_says_who_speaks_and_ends) // printf-style
{
    struct listener listener = {.os = {.ops = &OPS}};
    qz_say(&listener.os, "%s takes %d s", "pre-script", 3);
    CHECK_STRING(listener.text, "quiesce: pre-script takes 3 s\n");
}

QZ_TEST(a_log_line_cannot_steer_a_terminal) // control characters and broken UTF-8 are shown, letters are left alone
{
    struct listener listener = {.os = {.ops = &OPS}};
    qz_say(&listener.os, "a\nb\x1b[31m\x7f \xc2\x9b \xff é\t");
    CHECK_STRING(listener.text, "quiesce: a\\nb\\x1b[31m\\x7f \\u009b \\xff é\\t\n");
}

QZ_TEST(a_log_line_too_long_is_cut) // visibly, and still one line
{
    struct listener listener = {.os = {.ops = &OPS}};
    char text[3000];
    for (size_t size = 2000; size < sizeof text; size++) {
        memset(text, '\n', size);
        text[size] = '\0';
        qz_say(&listener.os, "%s", text);
        CHECK_STRING(listener.text + strlen(listener.text) - 4, "…\n");
        CU_ASSERT_TRUE(strlen(listener.text) <= 2048);
    }
}

QZ_TEST(a_hushed_log_is_silent) // while something is frozen a log line might never come back
{
    struct listener listener = {.os = {.ops = &OPS, .hush = true}};
    qz_say(&listener.os, "frozen");
    CHECK_INT(listener.lines, 0);
}

/* Compares a walk of a directory and a file with one that differs from it in `step`, at `index`. */
static void expect_differs(size_t index, struct qz_path_step step, bool differs)
{
    struct qz_path_step before[] = {{.path = "/", .kind = QZ_STEP_DIRECTORY, .parent = -1},
                                    {.path = "/file", .kind = QZ_STEP_REGULAR, .parent = 0}};
    struct qz_path_step after[] = {before[0], before[1]};
    after[index] = step;
    struct qz_path_facts a = {.steps = before, .count = 2};
    struct qz_path_facts b = {.steps = after, .count = 2};
    CHECK_INT(qz_path_facts_same(&a, &b), !differs);
}

QZ_TEST(walks_are_compared_in_all_that_matters) // of a directory, size and time do not: entries come and go
{
    struct qz_path_step file = {.path = "/file", .kind = QZ_STEP_REGULAR, .parent = 0};
    struct qz_path_step changed[9];
    for (size_t i = 0; i < 9; i++)
        changed[i] = file;
    changed[0].path = "/elif";
    changed[1].kind = QZ_STEP_OTHER;
    changed[2].parent = -1;
    changed[3].mode = 0700;
    changed[4].uid = 1;
    changed[5].dev = 1;
    changed[6].ino = 1;
    changed[7].size = 1;
    changed[8].ctime_ns = 1;
    expect_differs(1, file, false);
    for (size_t i = 0; i < 9; i++)
        expect_differs(1, changed[i], true);
    struct qz_path_step directory = {
        .path = "/", .kind = QZ_STEP_DIRECTORY, .parent = -1, .size = 1, .ctime_ns = 1};
    expect_differs(0, directory, false);
    directory.ino = 1;
    expect_differs(0, directory, true);
}

QZ_TEST(walks_of_different_length_or_end_differ) // even if all their steps are alike
{
    struct qz_path_step steps[] = {{.path = "/", .kind = QZ_STEP_DIRECTORY, .parent = -1},
                                   {.path = "/file", .kind = QZ_STEP_REGULAR, .parent = 0}};
    struct qz_path_facts whole = {.steps = steps, .count = 2};
    struct qz_path_facts part = {.steps = steps, .count = 1};
    struct qz_path_facts failed = {.steps = steps, .count = 2, .error = 13};
    CHECK_INT(qz_path_facts_same(&whole, &whole), true);
    CHECK_INT(qz_path_facts_same(&part, &whole), false);
    CHECK_INT(qz_path_facts_same(&whole, &failed), false);
}

/* Writes `total` bytes a, b, c … as whoever drains a stream does. */
static void fill(struct qz_tail *tail, size_t total)
{
    tail->total = 0;
    for (size_t i = 0; i < total; i++)
        tail->bytes[tail->total++ % QZ_TAIL_SIZE] = (char)('a' + i % 26);
}

QZ_TEST(a_tail_gives_the_last_bytes_in_order) // all of a short stream, QZ_TAIL_SIZE of a long one
{
    static const size_t TOTALS[] = {0, 1, QZ_TAIL_SIZE - 1, QZ_TAIL_SIZE, QZ_TAIL_SIZE + 1, 3 * QZ_TAIL_SIZE - 7};
    for (size_t i = 0; i < sizeof TOTALS / sizeof TOTALS[0]; i++) {
        struct qz_tail tail;
        char out[QZ_TAIL_SIZE];
        fill(&tail, TOTALS[i]);
        size_t expected = TOTALS[i] < QZ_TAIL_SIZE ? TOTALS[i] : QZ_TAIL_SIZE;
        size_t size = qz_tail_copy(&tail, out);
        CHECK_INT(size, expected);
        size_t wrong = 0;
        for (size_t k = 0; k < size; k++)
            wrong += out[k] != (char)('a' + (TOTALS[i] - size + k) % 26);
        CHECK_INT(wrong, 0);
    }
}
