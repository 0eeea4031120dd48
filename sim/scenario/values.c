#include "values.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce/error.h"
#include "trace.h"

#define ERRNO_MAX 133 /* Linux: EHWPOISON */

static bool is_made_of(const char *text, const char *characters)
{
    return text[0] && text[strspn(text, characters)] == '\0';
}

bool values_is_tag(const char *text)
{
    return text[0] != '-' && is_made_of(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

/* Names between slashes, of which none is empty, . or .. */
static bool is_relative(const char *text)
{
    for (;;) {
        size_t size = strcspn(text, "/");
        if (size == 0 || (size <= 2 && strspn(text, ".") == size))
            return false;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

bool values_is_path(const char *text)
{
    return text[0] == '/' && (text[1] == '\0' || is_relative(text + 1));
}

bool values_is_fixture(const char *text)
{
    return is_relative(text);
}

bool values_is_need(const char *text)
{
    size_t prefix = strncmp(text, "fs:", 3) == 0 ? 3 : strncmp(text, "program:", 8) == 0 ? 8 : 0;
    return prefix > 0 && is_made_of(text + prefix,
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");
}

int values_mode(const char *text)
{
    size_t size = strlen(text);
    return text[0] == '0' && is_made_of(text, "01234567") && (size == 4 || size == 5) ? (int)strtol(text, NULL, 8) : -1;
}

static int position(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

/* The lists are made anew at each call, always the same: so they need no moment at which they become ready. */
const char *const *values_signals(void)
{
    static const char *names[_NSIG];
    size_t count = 0;
    for (int number = 1; number < _NSIG; number++) {
        if (sigabbrev_np(number))
            names[count++] = sigabbrev_np(number);
    }
    return names;
}

const char *const *values_errnos(void)
{
    static const char *names[ERRNO_MAX + 1];
    size_t count = 0;
    for (int number = 1; number <= ERRNO_MAX; number++) {
        if (strerrorname_np(number))
            names[count++] = strerrorname_np(number);
    }
    return names;
}

const char *const *values_errors(void)
{
    static const char *names[QZ_CODE_COUNT];
    for (int code = QZ_E_SUCCESS + 1; code < QZ_CODE_COUNT; code++)
        names[code - 1] = qz_error_name((enum qz_code)code);
    return names;
}

const char *const *values_calls(void)
{
#define CALL(name, about) #name,
#define CALL_X86(name, about) #name,
    static const char *const names[] = {
#include "calls.def"
        NULL};
    return names;
}

bool values_is_call(const char *name)
{
    return position(values_calls(), name) >= 0;
}

int values_signal(const char *name)
{
    return position(values_signals(), name) < 0 ? -1 : trace_signal_number(name);
}

int values_errno(const char *name)
{
    return position(values_errnos(), name) < 0 ? -1 : trace_errno_number(name);
}

bool values_is_error(const char *name)
{
    return position(values_errors(), name) >= 0;
}
