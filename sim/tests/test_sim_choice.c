/* `quiesce-sim run`: which scenarios are played, how often, and in which part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "house.h"

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *found = strstr(text, part); found; found = strstr(found + 1, part))
        count++;
    return count;
}

QZ_TEST(all_mistakes_are_told) // Every mistake of every file is one line, and nothing is played.
{
    house_enter();
    house_scenario("a/good", "");
    house_scenario("b/wrong", ", \"fautls\": []");
    house_write("scenarios/c.json", "{\"description\": 3}");
    CHECK_INT(house_run(ONLY_VIRTUAL, ""), 2);
    CHECK_CONTAINS(house.err, "scenarios/b/wrong.json:1:");
    CHECK_CONTAINS(house.err, "faults");
    CHECK_CONTAINS(house.err, "\nscenarios/c.json:1:");
    CHECK_CONTAINS(house.err, "2 files are wrong; nothing was played\n");
    CHECK_INT(house.shared->played, 0);
    house_leave();
}

QZ_TEST(choices_narrow_down) // --filter, --tags and --world play only what they name.
{
    house_enter();
    house_scenario("a/one", ", \"tags\": [\"slow\", \"peers\"]");
    house_scenario("a/two", ", \"tags\": [\"peers\"]");
    house_scenario("b/three", ", \"matrix\": {\"n\": [1, 2]}, \"config\": {\"preScriptNoOfRetries\": \"${n}\"}");
    const struct {
        const char *words;
        const char *list;
    } ROWS[] = {
        {"--list --filter a/*", "virtual  a/one  [slow,peers]\nvirtual  a/two  [peers]\n"},
        {"--list --filter *:n=2", "virtual  b/three:n=2\n"},
        {"--list --filter b/three", "virtual  b/three:n=1\nvirtual  b/three:n=2\n"},
        {"--list --filter a/one --filter *2", "virtual  a/one  [slow,peers]\nvirtual  b/three:n=2\n"},
        {"--list --tags slow", "virtual  a/one  [slow,peers]\n"},
        {"--list --tags peers --tags !slow", "virtual  a/two  [peers]\n"},
        {"--list --tags slow,nothing", "virtual  a/one  [slow,peers]\n"},
        {"--list --world virtual scenarios/a/two.json", "virtual  a/two  [peers]\n"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CHECK_INT(house_run(ONLY_VIRTUAL, ROWS[i].words), 0);
        CHECK_STRING(house.out, ROWS[i].list);
    }
    CHECK_INT(house_run(BOTH, "--list --filter a/two"), 0);
    CHECK_STRING(house.out, "virtual  a/two  [peers]\nloop     a/two  [peers]\n");
    CHECK_INT(house.shared->played, 0);
    house_leave();
}

QZ_TEST(no_match_is_2) // Where nothing matches that is a mistake, and what comes nearest is named.
{
    house_enter();
    house_scenario("runner/retries", ", \"tags\": [\"peers\"]");
    const struct {
        const char *words;
        const char *message;
    } ROWS[] = {
        {"--filter runner/retrys",
         "--filter: no name matches \"runner/retrys\" (did you mean \"runner/retries\"?); --list prints all"},
        {"--tags peer", "--tags: no scenario has what \"peer\" asks for; there is \"peers\""},
        {"--failed", "--failed: none of these failed last time"},
        {"nowhere", "nowhere: No such file or directory"},
        {"cache", "cache: found no scenario in it, allowed: files whose names end in .json"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CHECK_INT(house_run(ONLY_VIRTUAL, ROWS[i].words), 2);
        CHECK_CONTAINS(house.err, ROWS[i].message);
        CHECK_INT(count_of(house.err, "\n"), 1);
    }
    house_leave();
}

QZ_TEST(shards_share_everything) // Each case is in one shard and only one, and stays there when others are added.
{
    house_enter();
    char name[32];
    char words[64];
    char *before[3];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "a/s%d", i);
        house_scenario(name, "");
    }
    size_t all = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(words, sizeof words, "--list --shard %d/3", i + 1);
        CHECK_INT(house_run(BOTH, words), 0);
        CU_ASSERT(count_of(house.out, "virtual ") >= 2);
        CHECK_INT(count_of(house.out, "virtual "), count_of(house.out, "loop "));
        all += count_of(house.out, "virtual ");
        before[i] = strdup(house.out);
    }
    CHECK_INT(all, 20);
    house_scenario("a/added", "");
    for (int i = 0; i < 3; i++) {
        snprintf(words, sizeof words, "--list --shard %d/3", i + 1);
        house_run(BOTH, words);
        char *rest = before[i];
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
            CHECK_CONTAINS(house.out, line);
        free(before[i]);
    }
    CHECK_INT(house_run(ONLY_VIRTUAL, "--shard 4999/10000"), 0);
    CHECK_CONTAINS(house.out, "part 4999 of 10000 holds none of 21");
    house_leave();
}

QZ_TEST(failed_plays_what_failed) // --failed plays what failed last time, until it passes.
{
    house_enter();
    house_scenario("a/good", "");
    house_scenario("a/fail", "");
    house_scenario("b/crash", "");
    CHECK_INT(house_run(ONLY_VIRTUAL, ""), 1);
    CHECK_INT(house_run(ONLY_VIRTUAL, "--failed --list"), 0);
    CHECK_STRING(house.out, "virtual  a/fail\nvirtual  b/crash\n");
    setenv("REPAIRED", "1", 1);
    CHECK_INT(house_run(ONLY_VIRTUAL, "--failed scenarios/a"), 0);
    CHECK_CONTAINS(house.out, "1 passed in ");
    CHECK_INT(house_run(ONLY_VIRTUAL, "--failed --list"), 0);
    CHECK_STRING(house.out, "virtual  b/crash\n"); /* which was not played in between */
    house_leave();
}

QZ_TEST(mistakes_in_the_command_line) // Each mistake is one line: what was found, what is allowed, what comes nearest.
{
    house_enter();
    house_scenario("a/good", "");
    const struct {
        const char *words;
        const char *message;
    } ROWS[] = {
        {"--wrold loop", "no option --wrold; did you mean --world?"},
        {"--world lop", "--world: found \"lop\", allowed: virtual, loop; did you mean loop?"},
        {"--world", "--world: needs a value: WORLD"},
        {"--list=yes", "--list: takes no value"},
        {"--jobs 0", "--jobs: found \"0\", allowed: a whole number from 1 to 256"},
        {"--jobs 2x", "--jobs: found \"2x\", allowed: a whole number from 1 to 256"},
        {"--repeat -1", "--repeat: found \"-1\", allowed: a whole number from 1 to 1000000"},
        {"--seed one", "--seed: found \"one\", allowed: a whole number from 0 to 9007199254740991"},
        {"--timeout 0", "--timeout: found \"0\", allowed: seconds from 0.001 to 86400, such as 5 or 0.5"},
        {"--timeout 1e3", "--timeout: found \"1e3\", allowed: seconds"},
        {"--shard 3/2", "--shard: found \"3/2\", allowed: I/N, the I-th of N parts, such as 1/4"},
        {"--shard 0/2", "--shard: found \"0/2\", allowed: I/N"},
        {"--shard 2", "--shard: found \"2\", allowed: I/N"},
        {"-list", "found -list, allowed: --list"},
        {"-x", "no option --x"},
        {"--html /nowhere/x.html", "--html: /nowhere/x.html: No such file or directory"},
        {"--binary /nowhere/quiesce", "--binary: found /nowhere/quiesce, allowed: a program"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CHECK_INT(house_run(BOTH, ROWS[i].words), 2);
        CHECK_CONTAINS(house.err, ROWS[i].message);
        CHECK_INT(count_of(house.err, "\n"), 1);
    }
    CHECK_INT(house.shared->played, 0);
    setenv("CI", "true", 1);
    CHECK_INT(house_run(BOTH, "--update"), 2);
    CHECK_CONTAINS(house.err, "--update: found CI=true in the environment");
    house_leave();
}

QZ_TEST(help_fits_a_screen) // The help has every option and an example, in 40 lines of 80 columns.
{
    house_enter();
    CHECK_INT(house_run(BOTH, "--help"), 0);
    CHECK_CONTAINS(house.out, "Examples:\n  quiesce-sim run ");
    CU_ASSERT(count_of(house.out, "\n") <= 40);
    for (const char *line = house.out; *line; line += strcspn(line, "\n") + 1)
        CU_ASSERT(strcspn(line, "\n") <= 80);
    house_leave();
}

QZ_TEST(a_missing_binary_is_3) // A real world without a quiesce to play with is an environment that is broken.
{
    house_enter();
    house_scenario("a/good", "");
    CHECK_INT(house_run(ONLY_LOOP, ""), 3);
    CHECK_CONTAINS(house.err, "there is no quiesce beside it; build it, or name one with --binary");
    house_leave();
}
