#include "behaviour.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define SHEBANG "#!" SANDBOX_ACTOR "\n"

enum kind { FLAG, INTEGER, SIZE, DURATION, TEXT };

/* Every member of an attempt, in the order of the file. */
static const struct member {
    enum kind kind;
    size_t at;
} MEMBERS[] = {
    {DURATION, offsetof(struct scenario_attempt, run_us)},
    {INTEGER, offsetof(struct scenario_attempt, exit)},
    {INTEGER, offsetof(struct scenario_attempt, signal)},
    {TEXT, offsetof(struct scenario_attempt, out)},
    {SIZE, offsetof(struct scenario_attempt, out_size)},
    {TEXT, offsetof(struct scenario_attempt, err)},
    {SIZE, offsetof(struct scenario_attempt, err_size)},
    {FLAG, offsetof(struct scenario_attempt, ignores_term)},
    {INTEGER, offsetof(struct scenario_attempt, leaves)},
    {DURATION, offsetof(struct scenario_attempt, leaves_run_us)},
    {FLAG, offsetof(struct scenario_attempt, leaves_ignore_term)},
    {FLAG, offsetof(struct scenario_attempt, leaves_hold_output)},
    {TEXT, offsetof(struct scenario_attempt, reads)},
    {TEXT, offsetof(struct scenario_attempt, writes)},
};
#define MEMBER_COUNT (sizeof MEMBERS / sizeof *MEMBERS)

/* ---- To text ---------------------------------------------------------------------------------------------------- */

static long long number_of(const struct member *member, const void *value)
{
    const char *text = member->kind == TEXT ? *(const char *const *)value : NULL;
    switch (member->kind) {
    case FLAG: return *(const bool *)value;
    case INTEGER: return *(const int *)value;
    case SIZE: return (long long)*(const size_t *)value;
    case DURATION: return *(const int64_t *)value;
    case TEXT: break;
    }
    return text ? (long long)strlen(text) : -1;
}

static void write_attempt(FILE *out, const struct scenario_attempt *attempt)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        fprintf(out, "%lld%c", number_of(&MEMBERS[i], (const char *)attempt + MEMBERS[i].at),
                i + 1 < MEMBER_COUNT ? ' ' : '\n');
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        const void *value = (const char *)attempt + MEMBERS[i].at;
        const char *text = MEMBERS[i].kind == TEXT ? *(const char *const *)value : NULL;
        if (text)
            fprintf(out, "%s\n", text);
    }
}

char *behaviour_text(const char *role, const char *plugin, const struct scenario_attempt *attempts, size_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    fprintf(out, SHEBANG "%s%s%s\n", role, *plugin ? " " : "", plugin);
    for (size_t i = 0; i < count; i++)
        write_attempt(out, &attempts[i]);
    if (fclose(out) != 0)
        abort();
    return text;
}

/* ---- And back --------------------------------------------------------------------------------------------------- */

/* Ends the line at `*at`, and goes on behind it. NULL: there is none. */
static char *take_line(char **at)
{
    char *line = *at;
    char *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line;
}

static bool read_number(char **at, long long *number)
{
    char *end = *at;
    errno = 0;
    *number = strtoll(*at, &end, 10);
    bool read = end != *at && !errno;
    *at = end;
    return read;
}

/* Takes a text of that length, and the newline behind it. */
static bool take_text(char **at, long long length, const char **text)
{
    *text = length < 0 ? NULL : *at;
    if (length < 0)
        return true;
    if (strnlen(*at, (size_t)length + 1) <= (size_t)length || (*at)[length] != '\n')
        return false;
    (*at)[length] = '\0';
    *at += length + 1;
    return true;
}

static void set_number(const struct member *member, void *value, long long number)
{
    switch (member->kind) {
    case FLAG: *(bool *)value = number != 0; break;
    case INTEGER: *(int *)value = (int)number; break;
    case SIZE: *(size_t *)value = (size_t)number; break;
    case DURATION: *(int64_t *)value = number; break;
    case TEXT: break;
    }
}

static bool read_attempt(char **at, struct scenario_attempt *attempt)
{
    long long numbers[MEMBER_COUNT];
    char *line = take_line(at);
    for (size_t i = 0; line && i < MEMBER_COUNT; i++) {
        if (!read_number(&line, &numbers[i]))
            return false;
        set_number(&MEMBERS[i], (char *)attempt + MEMBERS[i].at, numbers[i]);
    }
    for (size_t i = 0; line && i < MEMBER_COUNT; i++) {
        if (MEMBERS[i].kind == TEXT && !take_text(at, numbers[i], (const char **)((char *)attempt + MEMBERS[i].at)))
            return false;
    }
    return line && *line == '\0';
}

bool behaviour_parse(char *text, struct behaviour *behaviour)
{
    *behaviour = (struct behaviour){0};
    size_t capacity = 0;
    for (const char *at = text; *at; at++)
        capacity += *at == '\n';
    behaviour->attempts = calloc(capacity + 1, sizeof *behaviour->attempts);
    if (!behaviour->attempts || strncmp(text, SHEBANG, strlen(SHEBANG)) != 0)
        return false;
    text += strlen(SHEBANG);
    behaviour->name = take_line(&text);
    while (*text && behaviour->name) {
        if (!read_attempt(&text, &behaviour->attempts[behaviour->attempt_count++]))
            return false;
    }
    return behaviour->attempt_count > 0;
}
