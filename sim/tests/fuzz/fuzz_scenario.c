/* Any bytes as a scenario file: refused in clear lines, or read; laid out otherwise it is told in the same words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "fuzz.h"
#include "scenario.h"

#define ROOT QZ_FIXTURES "/../scenarios"
#define PATH ROOT "/f/f.json"
#define EXPLAINED_MAX 50 /* of a matrix; all are read */

/* All that the file says, in plain words; the caller frees. NULL: it is refused, as `mistakes` says. */
static char *explain(const char *text, size_t size, struct scenario_mistakes *mistakes)
{
    struct scenario_set set = {0};
    char *words = NULL;
    size_t length = 0;
    if (scenario_parse(&set, ROOT, PATH, text, size, mistakes)) {
        FILE *out = open_memstream(&words, &length);
        fuzz_must(out && set.count > 0, "a file that is accepted is a scenario", NULL);
        for (size_t i = 0; i < set.count && i < EXPLAINED_MAX; i++)
            scenario_explain(out, &set.items[i]);
        fclose(out);
    }
    scenario_set_free(&set);
    return words;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scenario_mistakes mistakes = {.count = 0};
    char *words = explain((const char *)data, size, &mistakes);
    if (!words) {
        fuzz_must(mistakes.count > 0, "what is refused has a mistake", NULL);
        for (size_t i = 0; i < mistakes.count; i++)
            fuzz_must_be_refusal(mistakes.items[i].line, PATH, data, size);
        return 0;
    }
    cJSON *tree = cJSON_ParseWithLength((const char *)data, size);
    char *text = cJSON_Print(tree);
    fuzz_must(text != NULL, "there is memory", NULL);
    char *again = explain(text, strlen(text), &mistakes);
    fuzz_must(again != NULL, "what was accepted is accepted when it is laid out otherwise", mistakes.items[0].line);
    fuzz_must(strcmp(words, again) == 0, "the layout says nothing", again);
    cJSON_free(text);
    cJSON_Delete(tree);
    free(words);
    free(again);
    return 0;
}
