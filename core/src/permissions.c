/* permissions.c: may root trust this file? */
#include "permissions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ALL_BITS 07777

/* What each role demands of the file itself. */
static const struct rule {
    const char *name;
    enum qz_code not_found;
    enum qz_code unsafe;
    mode_t forbidden;  /* no bit of these */
    mode_t required;   /* every bit of these */
    const char *limit; /* the rule in words */
    const char *remedy;
} RULES[] = {
    [QZ_FILE_PLUGIN_HOST] = {
        .name = "plugin host file",
        .not_found = QZ_E_PLUGIN_HOST_FILE_NOT_FOUND,
        .unsafe = QZ_E_INSUFFICIENT_PERMISSION_FOR_PLUGIN_HOST_FILE,
        .forbidden = S_IWGRP | S_IWOTH,
        .limit = "must not be writable by group or others",
        .remedy = "go-w",
    },
    [QZ_FILE_CONFIG] = {
        .name = "config file",
        .not_found = QZ_E_JSON_CONFIG_FILE_NOT_FOUND,
        .unsafe = QZ_E_INSUFFICIENT_PERMISSION_FOR_JSON_CONFIG_FILE,
        .forbidden = ALL_BITS & ~0600,
        .limit = "must be no more than 0600",
        .remedy = "0600",
    },
    [QZ_FILE_PRE_SCRIPT] = {
        .name = "pre-script",
        .not_found = QZ_E_PRE_SCRIPT_NOT_FOUND,
        .unsafe = QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT,
        .forbidden = ALL_BITS & ~0700,
        .required = S_IRUSR | S_IXUSR,
        .limit = "must be no more than 0700",
        .remedy = "0700",
    },
    [QZ_FILE_POST_SCRIPT] = {
        .name = "post-script",
        .not_found = QZ_E_POST_SCRIPT_NOT_FOUND,
        .unsafe = QZ_E_INSUFFICIENT_PERMISSION_FOR_POST_SCRIPT,
        .forbidden = ALL_BITS & ~0700,
        .required = S_IRUSR | S_IXUSR,
        .limit = "must be no more than 0700",
        .remedy = "0700",
    },
};

static const char *kind_name(enum qz_step_kind kind)
{
    static const char *const NAMES[] = {
        [QZ_STEP_DIRECTORY] = "a directory",
        [QZ_STEP_SYMLINK] = "a symbolic link",
        [QZ_STEP_REGULAR] = "a regular file",
        [QZ_STEP_OTHER] = "a device, socket or pipe",
    };
    return NAMES[kind];
}

/* Is there a regular file that could be opened? */
static enum qz_code check_found(const struct rule *rule, const char *path, const struct qz_path_facts *facts,
                                struct qz_error *error)
{
    const struct qz_path_step *last = facts->count > 0 ? &facts->steps[facts->count - 1] : NULL;
    if (facts->error == EACCES || facts->error == EPERM)
        return qz_error_set(error, rule->unsafe, "%s %s: cannot be opened: %s", rule->name, path,
                            strerror(facts->error));
    if (facts->error == ENOTDIR && last)
        return qz_error_set(error, rule->not_found, "%s %s: %s is %s, must be a directory", rule->name, path,
                            last->path, kind_name(last->kind));
    if (facts->error == ENOENT && last)
        return qz_error_set(error, rule->not_found, "%s %s: not found; the path leads as far as %s%s", rule->name, path,
                            last->path, last->kind == QZ_STEP_SYMLINK ? ", a symbolic link to nothing" : "");
    if (qz_errno_passes(facts->error))
        return qz_error_set(error, QZ_E_INTERNAL_ERROR, "%s %s: cannot be opened: %s", rule->name, path,
                            strerror(facts->error));
    if (facts->error || !last)
        return qz_error_set(error, rule->not_found, "%s %s: not found: %s", rule->name, path,
                            strerror(facts->error ? facts->error : ENOENT));
    if (last->kind != QZ_STEP_REGULAR)
        return qz_error_set(error, rule->not_found, "%s %s: is %s, must be a regular file", rule->name, path,
                            kind_name(last->kind));
    return QZ_E_SUCCESS;
}

/* Sets the error: "NAME WHERE: FOUND, ALLOWED", with what was found as its detail. */
static enum qz_code refuse(const struct rule *rule, const char *where, const char *found, const char *allowed,
                           struct qz_error *error)
{
    qz_error_set(error, rule->unsafe, "%s %s: %s, %s", rule->name, where, found, allowed);
    qz_error_detail(error, "%s", found);
    return rule->unsafe;
}

static enum qz_code check_file(const struct rule *rule, const char *path, const struct qz_path_step *file,
                               struct qz_error *error)
{
    char where[QZ_MESSAGE_SIZE], found[QZ_MESSAGE_SIZE], allowed[QZ_MESSAGE_SIZE];
    unsigned mode = file->mode & ALL_BITS;
    bool direct = strcmp(path, file->path) == 0;
    snprintf(where, sizeof where, "%s%s%s", path, direct ? "" : ": leads to ", direct ? "" : file->path);
    snprintf(found, sizeof found, "mode is %04o", mode);
    const char *limit = NULL;
    if (mode & rule->forbidden & (S_ISUID | S_ISGID))
        limit = "must have no set-user-ID or set-group-ID bit";
    else if (mode & rule->forbidden)
        limit = rule->limit;
    else if ((mode & rule->required) != rule->required)
        limit = "must be readable and executable by its owner";
    if (file->uid != 0) {
        snprintf(found, sizeof found, "owner is uid %u", (unsigned)file->uid);
        snprintf(allowed, sizeof allowed, "must be root (chown root %s)", file->path);
        return refuse(rule, where, found, allowed, error);
    }
    if (!limit)
        return QZ_E_SUCCESS;
    snprintf(allowed, sizeof allowed, "%s (chmod %s %s)", limit, rule->remedy, file->path);
    return refuse(rule, where, found, allowed, error);
}

static enum qz_code check_directory(const struct rule *rule, const char *path, const struct qz_path_step *directory,
                                    struct qz_error *error)
{
    char found[QZ_MESSAGE_SIZE], allowed[QZ_MESSAGE_SIZE];
    unsigned mode = directory->mode & ALL_BITS;
    if (directory->uid != 0) {
        snprintf(found, sizeof found, "the directory %s is owned by uid %u", directory->path, (unsigned)directory->uid);
        snprintf(allowed, sizeof allowed, "must be root's (chown root %s)", directory->path);
        return refuse(rule, path, found, allowed, error);
    }
    if (!(mode & (S_IWGRP | S_IWOTH)) || (mode & S_ISVTX))
        return QZ_E_SUCCESS;
    snprintf(found, sizeof found, "the directory %s has mode %04o", directory->path, mode);
    snprintf(allowed, sizeof allowed, "must not be writable by group or others (chmod go-w %s)", directory->path);
    return refuse(rule, path, found, allowed, error);
}

/* In a sticky directory that others may write to, an entry is safe from them only if it is root's. */
static enum qz_code check_entry(const struct rule *rule, const char *path, const struct qz_path_step *directory,
                                const struct qz_path_step *entry, struct qz_error *error)
{
    char found[QZ_MESSAGE_SIZE];
    unsigned mode = directory->mode & ALL_BITS;
    if (entry->uid == 0 || !(mode & (S_IWGRP | S_IWOTH)))
        return QZ_E_SUCCESS;
    snprintf(found, sizeof found, "%s in the sticky directory %s (mode %04o) is owned by uid %u", entry->path,
             directory->path, mode, (unsigned)entry->uid);
    return refuse(rule, path, found, "must be root's", error);
}

/* Could anybody but root have put the file, or a link or directory on the way, where it is? */
static enum qz_code check_way(const struct rule *rule, const char *path, const struct qz_path_facts *facts,
                              struct qz_error *error)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct qz_path_step *step = &facts->steps[i];
        enum qz_code code = QZ_E_SUCCESS;
        if (step->parent >= 0)
            code = check_entry(rule, path, &facts->steps[step->parent], step, error);
        if (code == QZ_E_SUCCESS && step->kind == QZ_STEP_DIRECTORY)
            code = check_directory(rule, path, step, error);
        if (code != QZ_E_SUCCESS)
            return code;
    }
    return QZ_E_SUCCESS;
}

enum qz_code qz_permissions_check(enum qz_file_role role, const char *path, const struct qz_path_facts *facts,
                                  struct qz_error *error)
{
    const struct rule *rule = &RULES[role];
    enum qz_code code = check_found(rule, path, facts, error);
    if (code == QZ_E_SUCCESS)
        code = check_file(rule, path, &facts->steps[facts->count - 1], error);
    if (code == QZ_E_SUCCESS)
        code = check_way(rule, path, facts, error);
    if (code == QZ_E_SUCCESS)
        return code;
    error->path = path;
    if (facts->error)
        qz_error_detail(error, "%s", strerror(facts->error));
    return code;
}
