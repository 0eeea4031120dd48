/* behaviour.c: attempts to text and back, a JSON object a line. */
#include "behaviour.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

enum kind { FLAG, INTEGER, SIZE, DURATION, TEXT };

/* Every member of an attempt, by its name in the file. */
static const struct member {
    const char *name;
    enum kind kind;
    size_t at;
} MEMBERS[] = {
    {"run_us", DURATION, offsetof(struct scenario_attempt, run_us)},
    {"exit", INTEGER, offsetof(struct scenario_attempt, exit)},
    {"signal", INTEGER, offsetof(struct scenario_attempt, signal)},
    {"out", TEXT, offsetof(struct scenario_attempt, out)},
    {"out_size", SIZE, offsetof(struct scenario_attempt, out_size)},
    {"err", TEXT, offsetof(struct scenario_attempt, err)},
    {"err_size", SIZE, offsetof(struct scenario_attempt, err_size)},
    {"ignores_term", FLAG, offsetof(struct scenario_attempt, ignores_term)},
    {"leaves", INTEGER, offsetof(struct scenario_attempt, leaves)},
    {"leaves_run_us", DURATION, offsetof(struct scenario_attempt, leaves_run_us)},
    {"leaves_ignore_term", FLAG, offsetof(struct scenario_attempt, leaves_ignore_term)},
    {"leaves_hold_output", FLAG, offsetof(struct scenario_attempt, leaves_hold_output)},
    {"reads", TEXT, offsetof(struct scenario_attempt, reads)},
    {"writes", TEXT, offsetof(struct scenario_attempt, writes)},
};

/* "Forever" does not survive a double; no number does as well as its absence. */
static cJSON *write_attempt(const struct scenario_attempt *attempt)
{
    cJSON *line = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        const struct member *member = &MEMBERS[i];
        const void *value = (const char *)attempt + member->at;
        int64_t duration = member->kind == DURATION ? *(const int64_t *)value : 0;
        const char *text = member->kind == TEXT ? *(const char *const *)value : NULL;
        if (member->kind == FLAG)
            cJSON_AddBoolToObject(line, member->name, *(const bool *)value);
        else if (member->kind == INTEGER)
            cJSON_AddNumberToObject(line, member->name, *(const int *)value);
        else if (member->kind == SIZE)
            cJSON_AddNumberToObject(line, member->name, (double)*(const size_t *)value);
        else if (member->kind == DURATION && duration != SCENARIO_FOREVER)
            cJSON_AddNumberToObject(line, member->name, (double)duration);
        else if (text)
            cJSON_AddStringToObject(line, member->name, text);
    }
    return line;
}

static void append_line(char **text, size_t *size, cJSON *line)
{
    char *printed = cJSON_PrintUnformatted(line);
    size_t length = printed ? strlen(printed) : 0;
    char *longer = realloc(*text, *size + length + 2);
    if (!printed || !longer)
        abort();
    memcpy(longer + *size, printed, length);
    memcpy(longer + *size + length, "\n", 2);
    *text = longer;
    *size += length + 1;
    free(printed);
    cJSON_Delete(line);
}

char *behaviour_text(const char *role, const char *plugin, const struct scenario_attempt *attempts, size_t count)
{
    static const char shebang[] = "#!" SANDBOX_ACTOR "\n";
    size_t size = sizeof shebang - 1;
    char *text = strdup(shebang);
    char name[256];
    snprintf(name, sizeof name, "%s%s%s", role, *plugin ? " " : "", plugin);
    append_line(&text, &size, cJSON_CreateString(name));
    for (size_t i = 0; i < count; i++)
        append_line(&text, &size, write_attempt(&attempts[i]));
    return text;
}

/* ---- And back --------------------------------------------------------------------------------------------------- */

static void read_attempt(const cJSON *line, struct scenario_attempt *attempt)
{
    *attempt = (struct scenario_attempt){0};
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        const struct member *member = &MEMBERS[i];
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, member->name);
        void *value = (char *)attempt + member->at;
        switch (member->kind) {
        case FLAG: *(bool *)value = cJSON_IsTrue(item); break;
        case INTEGER: *(int *)value = item ? (int)item->valuedouble : 0; break;
        case SIZE: *(size_t *)value = item ? (size_t)item->valuedouble : 0; break;
        case DURATION: *(int64_t *)value = item ? (int64_t)item->valuedouble : SCENARIO_FOREVER; break;
        case TEXT: *(const char **)value = cJSON_GetStringValue(item); break;
        }
    }
}

bool behaviour_parse(const char *text, struct behaviour *behaviour)
{
    *behaviour = (struct behaviour){0};
    size_t capacity = 1;
    for (const char *at = text; *at; at++)
        capacity += *at == '\n';
    behaviour->lines = allocate(capacity, sizeof *behaviour->lines);
    behaviour->attempts = allocate(capacity, sizeof *behaviour->attempts);
    text += strcspn(text, "\n");
    while (*text && behaviour->line_count < capacity) {
        text += strspn(text, "\n");
        if (!*text)
            break;
        size_t length = strcspn(text, "\n");
        cJSON *line = cJSON_ParseWithLength(text, length);
        if (!line)
            return false;
        if (behaviour->line_count > 0)
            read_attempt(line, &behaviour->attempts[behaviour->attempt_count++]);
        behaviour->lines[behaviour->line_count++] = line;
        text += length;
    }
    behaviour->name = behaviour->line_count > 0 ? cJSON_GetStringValue(behaviour->lines[0]) : NULL;
    return behaviour->name && behaviour->attempt_count > 0;
}

void behaviour_free(struct behaviour *behaviour)
{
    for (size_t i = 0; i < behaviour->line_count; i++)
        cJSON_Delete(behaviour->lines[i]);
    free(behaviour->lines);
    free(behaviour->attempts);
    *behaviour = (struct behaviour){0};
}
