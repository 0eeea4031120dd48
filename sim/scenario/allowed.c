/* allowed.c: what a key's value may be, in words. */
#include "read.h"
#include "values.h"

static const char *one_of(struct scenario_memory *memory, const struct key_word *words)
{
    const char *text = "";
    for (const struct key_word *word = words; word->word; word++)
        text = scenario_format(memory, "%s%s%s", text, word == words ? "" : word[1].word ? ", " : " or ", word->word);
    return text;
}

static const char *one(struct scenario_memory *memory, const struct key *key)
{
    switch (key->kind) {
    case KEY_TEXT: return "a string";
    case KEY_LINES: return "a string, or a list of lines";
    case KEY_TAG: return "a word of small letters, digits and -";
    case KEY_NEED: return "program:NAME or fs:TYPE";
    case KEY_PATH: return "an absolute path without //, . and ..";
    case KEY_FIXTURE: return "a path below fixtures/";
    case KEY_VOLUME: return "the mount point of a volume";
    case KEY_PATTERN: return "a pattern for lines of the trace";
    case KEY_ERROR_NAME: return "the name of an error (`quiesce errors` lists them)";
    case KEY_CALL_NAME: return "the name of a system call, as in \"openat\"";
    case KEY_WORD:
    case KEY_CHOICE: return one_of(memory, key->words);
    case KEY_FLAG: return "true or false";
    case KEY_INTEGER:
    case KEY_BYTES:
    case KEY_MIB:
        return scenario_format(memory, "a whole number from %lld to %lld", (long long)key->min, (long long)key->max);
    case KEY_MS: return scenario_format(memory, "milliseconds, from %lld to %lld", (long long)key->min,
                                        (long long)key->max);
    case KEY_MS_FOREVER: return scenario_format(memory, "milliseconds, from 0 to %lld, or \"forever\"",
                                                (long long)key->max);
    case KEY_MISSING: return "a whole number from 0 on, or \"some\"";
    case KEY_SIGNAL: return "the name of a signal, as in \"KILL\"";
    case KEY_ERRNO: return "the name of an error, as in \"EIO\"";
    case KEY_MODE: return "a mode in octal, as in \"0644\"";
    case KEY_OWNER: return scenario_format(memory, "the number of a user, from 0 to %d", VALUES_OWNER_MAX);
    case KEY_CONFIG:
    case KEY_RESULT:
    case KEY_OBJECT: return "an object";
    case KEY_MAP: return "an object: mount points, each with an object";
    case KEY_ANY:
    case KEY_MATRIX:
    case KEY_NOTHING: break;
    }
    return "anything";
}

const char *scenario_allowed(struct scenario_memory *memory, const struct key *key)
{
    return key->list ? scenario_format(memory, "a list, each of it %s", one(memory, key)) : one(memory, key);
}
