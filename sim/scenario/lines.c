/* lines.c: which lines a trace can have (trace.h), and whether a pattern could match one of them: one that cannot is a
 * mistake, not an expectation. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"
#include "values.h"

/* Places in a form where one of several words stands. */
enum set { END, PLUGIN, ATTEMPT, STATUS, SIGNAL, ERRNO, VOLUME, ANYTHING, SET_COUNT };

static const char *const FORMS[] = {
    "agent starts",
    "agent exits \3",
    "agent dies \4",
    "guardian starts",
    "guardian exits \3",
    "guardian dies \4",
    "pre \1 \2 starts",
    "pre \1 \2 exits \3",
    "pre \1 \2 dies \4",
    "post \1 \2 starts",
    "post \1 \2 exits \3",
    "post \1 \2 dies \4",
    "snapshot starts",
    "snapshot exits \3",
    "snapshot dies \4",
    "leftover of pre \1 \2 starts",
    "leftover of pre \1 \2 exits \3",
    "leftover of pre \1 \2 dies \4",
    "leftover of post \1 \2 starts",
    "leftover of post \1 \2 exits \3",
    "leftover of post \1 \2 dies \4",
    "leftover of snapshot starts",
    "leftover of snapshot exits \3",
    "leftover of snapshot dies \4",
    "sync \6 begins",
    "sync \6 ok",
    "sync \6 \5",
    "freeze \6 begins",
    "freeze \6 ok",
    "freeze \6 \5",
    "thaw \6 begins",
    "thaw \6 ok",
    "thaw \6 \5",
    "other freeze \6 ok",
    "other freeze \6 \5",
    "other thaw \6 ok",
    "other thaw \6 \5",
    "\4 to agent",
    "\4 to guardian",
    "\4 to snapshot",
    "mount over \6",
    "unmount \6",
    "release \6",
    "replace /\7",
    "chmod /\7",
    "lose disk \6",
    "other quiesce starts",
    "other quiesce exits \3",
    "other quiesce dies \4",
    "other quiesce says \7",
};

static const char *const SET_SAYS[SET_COUNT] = {"", "PLUGIN", "ATTEMPT", "STATUS", "SIGNAL", "ERROR", "VOLUME", "…"};

struct lines {
    const struct given *given;
    struct scenario_memory *memory;
};

/* The numbers of a set that is made of them. */
static const struct {
    unsigned first;
    unsigned last;
} NUMBERS[SET_COUNT] = {[ATTEMPT] = {1, 101}, [STATUS] = {0, 255}};

static const char *number(enum set set, size_t index)
{
    static _Thread_local char text[24];
    if (NUMBERS[set].first + index > NUMBERS[set].last)
        return NULL;
    snprintf(text, sizeof text, "%zu", NUMBERS[set].first + index);
    return text;
}

/* The word `index` of a set; NULL: there are no more. Valid until the next call. */
static const char *word_of(struct lines *lines, enum set set, size_t index)
{
    size_t count;
    const struct scenario_volume *volumes;
    switch (set) {
    case PLUGIN:
        count = lines->given->plugins ? lines->given->plugin_count : 1;
        return index < count ? scenario_plugin_name(lines->memory, lines->given, index) : NULL;
    case ATTEMPT:
    case STATUS:
        return number(set, index);
    case SIGNAL:
        return values_signals()[index];
    case ERRNO:
        return values_errnos()[index];
    case VOLUME:
        volumes = scenario_volumes(lines->given, &count);
        return index < count ? volumes[index].mount : NULL;
    default:
        return NULL;
    }
}

/* The end of "[…]", or NULL: the bracket is a plain one. */
static const char *bracket_end(const char *pattern)
{
    const char *at = pattern + 1;
    at += *at == '!' || *at == '^';
    at += *at == ']';
    at = strchr(at, ']');
    return at ? at + 1 : NULL;
}

static bool is_plain(char c)
{
    return c != '\0' && !strchr("*?[\\", c);
}

/* Does the first character of the pattern, which is no star, match `c`? *rest: the pattern behind it. */
static bool matches_one(const char *pattern, char c, const char **rest)
{
    char single[64];
    char subject[2] = {c, '\0'};
    const char *end = pattern + 1;
    if (*pattern == '[' && bracket_end(pattern))
        end = bracket_end(pattern);
    else if (*pattern == '\\' && pattern[1])
        end = pattern + 2;
    *rest = end;
    if (is_plain(*pattern))
        return *pattern == c;
    if ((size_t)(end - pattern) >= sizeof single)
        return true;
    memcpy(single, pattern, (size_t)(end - pattern));
    single[end - pattern] = '\0';
    return fnmatch(single, subject, 0) == 0;
}

static bool can_match(struct lines *lines, const char *pattern, const char *form);

/* As can_match, with what is left of a word before the form. */
static bool can_match_word(struct lines *lines, const char *pattern, const char *word, const char *form)
{
    const char *rest;
    if (*word == '\0')
        return can_match(lines, pattern, form);
    if (*pattern == '*')
        return can_match_word(lines, pattern + 1, word, form) || can_match_word(lines, pattern, word + 1, form);
    return *pattern && matches_one(pattern, *word, &rest) && can_match_word(lines, rest, word + 1, form);
}

/* The same for a number that the pattern spells out, so that not all numbers have to be tried. */
static bool can_match_number(struct lines *lines, enum set set, const char *pattern, const char *form)
{
    char *end;
    unsigned long value = strtoul(pattern, &end, 10);
    bool spelt = *pattern >= '0' && *pattern <= '9' && (*pattern != '0' || end == pattern + 1);
    return spelt && value >= NUMBERS[set].first && value <= NUMBERS[set].last && can_match(lines, end, form);
}

/* Does any word of the set, followed by the form, match? That a star takes a whole word has been tried before. */
static bool can_match_set(struct lines *lines, enum set set, const char *pattern, const char *form)
{
    size_t digits = strspn(pattern, "0123456789");
    char within = *pattern == '*' && is_plain(pattern[1]) ? pattern[1] : '\0'; /* where the star ends */
    if (NUMBERS[set].last > 0 && within && !strchr("0123456789", within))
        return false;
    if (NUMBERS[set].last > 0 && (digits > 0 ? is_plain(pattern[digits]) || !pattern[digits] : is_plain(*pattern)))
        return can_match_number(lines, set, pattern, form);
    for (size_t i = 0; *pattern && word_of(lines, set, i); i++) {
        const char *word = word_of(lines, set, i);
        char kept[16];
        if (NUMBERS[set].last > 0) /* it lies where the next one will */
            word = strcpy(kept, word);
        if ((!within || strchr(word, within)) && can_match_word(lines, pattern, word, form))
            return true;
    }
    return false;
}

/* Is there a line of this form that the pattern matches? */
static bool can_match(struct lines *lines, const char *pattern, const char *form)
{
    enum set set = (unsigned char)*form < SET_COUNT ? (enum set)*form : END;
    const char *rest;
    if (set == ANYTHING) /* as a star, in the form */
        return can_match(lines, pattern, form + 1) || (*pattern && can_match(lines, pattern + 1, form));
    if (*pattern == '*' && (can_match(lines, pattern + 1, form) || (*form && can_match(lines, pattern, form + 1))))
        return true;
    if (set != END)
        return can_match_set(lines, set, pattern, form + 1);
    if (*form == '\0' || *pattern == '\0' || *pattern == '*')
        return *form == *pattern;
    return matches_one(pattern, *form, &rest) && can_match(lines, rest, form + 1);
}

static const char *shown(struct lines *lines, const char *form)
{
    const char *text = "";
    for (; *form; form++) {
        if ((unsigned char)*form < SET_COUNT)
            text = scenario_format(lines->memory, "%s%s", text, SET_SAYS[(unsigned char)*form]);
        else
            text = scenario_format(lines->memory, "%s%c", text, *form);
    }
    return text;
}

/* The words of a set, if the forms that are shown name it. */
static const char *say_set(struct lines *lines, const char *forms, enum set set)
{
    const char *text = "";
    for (size_t i = 0; strstr(forms, SET_SAYS[set]) && word_of(lines, set, i); i++)
        text = scenario_format(lines->memory, "%s%s%s", i ? text : SET_SAYS[set], i ? ", " : ": ",
                               word_of(lines, set, i));
    return *text ? scenario_format(lines->memory, "; %s", text) : "";
}

/* The forms that begin as the pattern does; without any, the words with which lines begin. */
static const char *say_forms(struct lines *lines, const char *pattern)
{
    size_t length = strcspn(pattern, " *?[");
    const char *all = "";
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        const char *form = shown(lines, FORMS[i]);
        if (length > 0 && strncmp(form, pattern, length) == 0 && form[length] == ' ')
            all = scenario_format(lines->memory, "%s%s\"%s\"", all, *all ? ", " : "", form);
    }
    if (*all)
        return scenario_format(lines->memory, "lines are like %s%s%s", all, say_set(lines, all, PLUGIN),
                               say_set(lines, all, VOLUME));
    return "lines begin with agent, guardian, pre, post, snapshot, leftover of, sync, freeze, thaw, other freeze, "
           "other thaw, other quiesce, SIGNAL to, mount over, unmount, release, replace, chmod or lose disk";
}

bool scenario_line_possible(struct reader *reader, const cJSON *item, const char *what, const char *pattern)
{
    struct lines lines = {reader->given, reader->memory};
    if (reader->unsure)
        return true;
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        if (can_match(&lines, pattern, FORMS[i]))
            return true;
    }
    return scenario_refuse(reader, item, what, "no line of the trace can match \"%s\"; %s", pattern,
                           say_forms(&lines, pattern));
}
