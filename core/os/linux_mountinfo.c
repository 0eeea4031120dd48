/* linux_mountinfo.c: pure functions over text. */
#include "linux_mountinfo.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static bool is_octal(char digit, char highest)
{
    return digit >= '0' && digit <= highest;
}

char *qz_linux_unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && is_octal(from[1], '3') && is_octal(from[2], '7') && is_octal(from[3], '7')) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return text;
}

/* The next field of a row, which may be empty. */
static char *take_field(char **rest)
{
    char *field = strsep(rest, " ");
    return field ? field : strchr("", '\0');
}

bool qz_linux_mountinfo_parse(char *line, struct qz_linux_mountinfo *row)
{
    unsigned major_number, minor_number;
    int fixed = 0;
    if (sscanf(line, "%d %d %u:%u %n", &row->id, &row->parent, &major_number, &minor_number, &fixed) != 4 ||
        fixed == 0)
        return false;
    row->dev = makedev(major_number, minor_number);
    line[strcspn(line, "\n")] = '\0';
    char *rest = line + fixed;
    row->root = qz_linux_unescape(take_field(&rest));
    row->mount_point = qz_linux_unescape(take_field(&rest));
    row->mount_options = take_field(&rest);
    /* Propagation and the like, as many as there are, up to a dash. */
    while (rest && strcmp(take_field(&rest), "-") != 0)
        ;
    if (!rest)
        return false;
    row->fstype = qz_linux_unescape(take_field(&rest));
    row->source = qz_linux_unescape(take_field(&rest));
    row->super_options = take_field(&rest);
    return true;
}

const char *qz_linux_find_option(const char *options, const char *name, size_t *size)
{
    size_t length = strlen(name);
    while (*options) {
        size_t whole = strcspn(options, ",");
        if (strncmp(options, name, length) == 0 && (options[length] == '=' || length == whole)) {
            const char *value = options + length + (options[length] == '=');
            *size = (size_t)(options + whole - value);
            return value;
        }
        options += whole + (options[whole] == ',');
    }
    return NULL;
}
