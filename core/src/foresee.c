#include "foresee.h"

#include <stdlib.h>
#include <string.h>

#include "init.h"

#define SCRIPT_MAX ((size_t)64 * 1024) /* of a longer one no more is foreseen */
#define INTERPRETER_MAX 255            /* as long as the kernel's line (BINPRM_BUF_SIZE) */

/* What stands behind "#!", to the first blank; "" if there is no such line, or it is too long for the kernel. */
static void read_interpreter(const char *text, char interpreter[INTERPRETER_MAX + 1])
{
    interpreter[0] = '\0';
    if (strncmp(text, "#!", 2) != 0)
        return;
    text += 2 + strspn(text + 2, " \t");
    size_t length = strcspn(text, " \t\n");
    if (length > INTERPRETER_MAX)
        return;
    memcpy(interpreter, text, length);
    interpreter[length] = '\0';
}

static bool is_there(struct qz_os *os, const char *path)
{
    struct qz_path_facts facts;
    if (path[0] != '/' || os->ops->inspect(os, path, &facts) != 0)
        return true; /* as far as we know */
    bool there = facts.error == 0;
    qz_path_facts_free(os, &facts);
    return there;
}

static void look_at(struct qz_os *os, const char *path, const char *text, struct qz_warning_list *warnings)
{
    char interpreter[INTERPRETER_MAX + 1];
    read_interpreter(text, interpreter);
    size_t length = strlen(interpreter);
    if (qz_init_is_template(text))
        qz_warning_list_add(warnings, path, 1, 1, "still the template of `quiesce init`, which fails until it is filled in");
    else if (length > 0 && interpreter[length - 1] == '\r')
        qz_warning_list_add(warnings, path, 1, (int)strcspn(text, "\r") + 1,
                            "it cannot be executed: the carriage return is a part of its interpreter's name");
    else if (length > 0 && !is_there(os, interpreter))
        qz_warning_list_add(warnings, path, 1, 3, "it cannot be executed: its interpreter %s is not there", interpreter);
}

static void foresee(struct qz_os *os, const char *path, struct qz_warning_list *warnings)
{
    struct qz_path_facts facts;
    char *text = NULL;
    if (os->ops->inspect(os, path, &facts) != 0)
        return;
    ssize_t size = facts.handle >= 0 ? os->ops->read_file(os, facts.handle, SCRIPT_MAX, &text) : 0;
    char *line = size > 0 ? strndup(text, (size_t)size) : NULL; /* to its end, or to a NUL */
    if (line)
        look_at(os, path, line, warnings);
    free(line);
    free(text);
    qz_path_facts_free(os, &facts);
}

void qz_foresee(struct qz_os *os, const struct qz_plan *plan, struct qz_warning_list *warnings)
{
    for (size_t i = 0; i < plan->host.count; i++) {
        const struct qz_plugin *plugin = &plan->plugins[i];
        if (!plugin->runnable)
            continue;
        foresee(os, plugin->config.pre.path, warnings);
        foresee(os, plugin->config.post.path, warnings);
    }
}
