/* `quiesce-sim random`: what it makes, what it finds nothing wrong with, and how it makes small what it finds. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "../commands.h" /* core has one, too */
#include "random.h"

#ifdef __SANITIZE_ADDRESS__
#define WORLDS 80 /* each costs ten times as much */
#else
#define WORLDS 400
#endif

static char *text_of(uint64_t number)
{
    cJSON *scenario = random_scenario(number);
    char *text = cJSON_PrintUnformatted(scenario);
    cJSON_Delete(scenario);
    return text;
}

QZ_TEST(a_number_is_a_scenario) // The same one each time, and another one for another number.
{
    for (uint64_t number = 0; number < 50; number++) {
        char *text = text_of(number), *again = text_of(number), *next = text_of(number + 1);
        CHECK_STRING(again, text);
        CU_ASSERT_STRING_NOT_EQUAL(next, text);
        free(text);
        free(again);
        free(next);
    }
}

QZ_TEST(everything_happens_in_some_scenario) // … and not everything in each.
{
    static const char *const PARTS[] = {
        "\"on\"", "\"binds\"", "\"read_only\"", "\"covered\"", "\"disk\"", "--volume", "--exclude", "\"plugins\"", "\"plugin_host\"",
        "\"exit\"", "\"signal\"", "\"ignores_term\"", "\"leaves\"", "\"writes\"", "\"stderr\"", "Retries\"", "--attempts",
        "\"continueBackupOnFailure\"", "\"fsFreezeEnabled\"", "\"timeoutInSeconds\"", "--freeze-timeout", "--hold-limit",
        "\"--hold\"", "[\"freeze\",\"--", "\"op\":\"sync\"", "\"op\":\"freeze\"", "\"op\":\"thaw\"", "\"inside\"", "\"passed\"",
        "\"forever\"", "\"freeze\":\"/", "\"thaw\":\"/", "\"mount_over\"", "\"unmount\"", "\"release\"", "\"TERM\"", "\"KILL\"",
        "\"STOP\"", "\"both\"", "\"after\"", "\"resume_ms\"", "\"error\":\"EAGAIN\"", "\"status\"", "\"check\"", "\"command\":3"};
    size_t seen[sizeof PARTS / sizeof PARTS[0]] = {0};
    for (uint64_t number = 0; number < 1000; number++) {
        char *text = text_of(number);
        for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
            seen[i] += strstr(text, PARTS[i]) != NULL;
        free(text);
    }
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        if (seen[i] == 0 || seen[i] > 700)
            printf("%s is in %zu of 1000\n", PARTS[i], seen[i]);
        CU_ASSERT_TRUE(seen[i] > 0 && seen[i] < 700);
    }
}

QZ_TEST(every_world_is_safe) // whatever comes together in it; and plays the same a second time
{
    for (uint64_t number = 1; number <= WORLDS; number++) {
        struct random_verdict verdict;
        cJSON *scenario = random_scenario(number);
        random_play(scenario, number % 8 == 0, &verdict);
        if (!verdict.sound || verdict.kind[0])
            printf("number %llu: %s\n", (unsigned long long)number, verdict.says);
        CU_ASSERT_TRUE(verdict.sound && !verdict.kind[0]);
        cJSON_Delete(scenario);
    }
}

QZ_TEST(what_goes_wrong_is_made_small) // to what is needed for the same to go wrong, and no further
{
    struct random_verdict verdict;
    cJSON *scenario = random_scenario(32);
    cJSON *expect = cJSON_GetObjectItemCaseSensitive(scenario, "expect");
    cJSON *faults = cJSON_CreateArray(), *fault = cJSON_CreateObject();
    cJSON_AddNumberToObject(expect, "exit", 0); /* which it will not be: a planted violation */
    cJSON_AddItemToArray(faults, fault);
    cJSON_AddStringToObject(fault, "op", "sync");
    cJSON_AddStringToObject(fault, "error", "EIO");
    cJSON_AddNumberToObject(fault, "delay_ms", 1234.5);
    cJSON_ReplaceItemInObjectCaseSensitive(scenario, "faults", faults);
    cJSON_DeleteItemFromObjectCaseSensitive(scenario, "blows");
    cJSON_DeleteItemFromObjectCaseSensitive(scenario, "actions");
    random_play_apart(scenario, &verdict);
    CHECK_STRING(verdict.kind, "11");
    CU_ASSERT_TRUE(random_shrink(scenario, verdict.kind) > 5);
    char *after = cJSON_PrintUnformatted(scenario);
    CHECK_STRING(after, "{\"description\":\"Made by chance, number 32.\",\"worlds\":[\"virtual\"],\"oracle\":true,"
                        "\"faults\":[{\"op\":\"sync\",\"error\":\"EIO\"}],\"expect\":{\"exit\":0}}");
    free(after);
    cJSON_Delete(scenario);
}

/* What the command makes of these words; the last one is NULL. */
static int call(char **words)
{
    int count = 0;
    while (words[count])
        count++;
    return command_random(count, words);
}

#define CALL(...) call((char *[]){(char[]){"random"}, __VA_ARGS__, NULL})

QZ_TEST(the_command_says_how_it_went) // by its exit status
{
    CHECK_INT(CALL((char[]){"--seed"}, (char[]){"5"}, (char[]){"--count"}, (char[]){"20"}, (char[]){"--jobs"}, (char[]){"2"}),
              EXIT_PASSED);
    CHECK_INT(CALL((char[]){"--print"}, (char[]){"--seed=9"}), EXIT_PASSED);
    CHECK_INT(CALL((char[]){"--help"}), EXIT_PASSED);
    CHECK_INT(CALL((char[]){"--count"}, (char[]){"0"}), EXIT_MISTAKE);
    CHECK_INT(CALL((char[]){"--seed"}, (char[]){"-1"}), EXIT_MISTAKE);
    CHECK_INT(CALL((char[]){"--jobs"}), EXIT_MISTAKE);
    CHECK_INT(CALL((char[]){"--sed"}, (char[]){"1"}), EXIT_MISTAKE);
    CHECK_INT(CALL((char[]){"more"}), EXIT_MISTAKE);
    CHECK_INT(CALL((char[]){"--count=1"}, (char[]){"--found=/dev/null/x"}), EXIT_BROKEN);
}
