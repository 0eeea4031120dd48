/* agreement.c: two worlds that played the same scenario must tell the same story, else one of them is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"

static const char *string_in(const struct outcome_step *step, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(step->result, key));
    return text ? text : "(absent)";
}

/* "check pre freeze snapshot thaw post". The caller frees. */
static char *phases(const struct outcome_step *step)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const cJSON *phase;
    cJSON_ArrayForEach(phase, cJSON_GetObjectItemCaseSensitive(step->result, "phases")) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(phase, "name"));
        fprintf(out, "%s%s", ftell(out) > 0 ? " " : "", name ? name : "?");
    }
    fclose(out);
    return text;
}

static void compare(const char *what, size_t step, const char *name_a, const char *a, const char *name_b, const char *b,
                    struct findings *findings)
{
    char seen[512];
    snprintf(seen, sizeof seen, "%s: %s\n%s: %s", name_a, a, name_b, b);
    if (strcmp(a, b) != 0)
        findings_add(findings, 0, SIZE_MAX, "the same in both worlds", seen, "%s of command %zu", what, step + 1);
}

void judge_agreement(const char *name_a, const struct outcome *a, const char *name_b, const struct outcome *b,
                     struct findings *findings)
{
    for (size_t i = 0; i < a->step_count && i < b->step_count; i++) {
        const struct outcome_step *one = &a->steps[i];
        const struct outcome_step *two = &b->steps[i];
        char exit_one[32];
        char exit_two[32];
        snprintf(exit_one, sizeof exit_one, "%d", one->signal ? -one->signal : one->exit);
        snprintf(exit_two, sizeof exit_two, "%d", two->signal ? -two->signal : two->exit);
        compare("the exit status", i, name_a, exit_one, name_b, exit_two, findings);
        if (!one->result || !two->result)
            continue;
        compare("the consistency", i, name_a, string_in(one, "consistency"), name_b, string_in(two, "consistency"), findings);
        compare("the code", i, name_a, string_in(one, "code"), name_b, string_in(two, "code"), findings);
        char *phases_one = phases(one);
        char *phases_two = phases(two);
        compare("the order of phases", i, name_a, phases_one, name_b, phases_two, findings);
        free(phases_one);
        free(phases_two);
    }
}
