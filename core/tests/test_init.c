#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "init.h"
#include "quiesce/config.h"

#define FILES_MAX 4

/* A world of a few files in memory. `refuse` is the errno that writing file number `refuse_at` comes to. */
struct world {
    struct qz_os os;
    struct {
        char path[256];
        char text[8192];
        mode_t mode;
    } files[FILES_MAX];
    int count;
    int refuse, refuse_at;
    int directory_error;
    char directory[256];
};

static int find(const struct world *world, const char *path)
{
    for (int i = 0; i < world->count; i++)
        if (strcmp(world->files[i].path, path) == 0)
            return i;
    return -1;
}

static int write_file(struct qz_os *os, const char *path, const char *text, size_t size, mode_t mode, bool replace)
{
    struct world *world = (struct world *)os;
    if (world->refuse != 0 && world->count == world->refuse_at)
        return world->refuse;
    if (!replace && find(world, path) >= 0)
        return EEXIST;
    snprintf(world->files[world->count].path, sizeof world->files[0].path, "%s", path);
    snprintf(world->files[world->count].text, sizeof world->files[0].text, "%.*s", (int)size, text);
    world->files[world->count++].mode = mode;
    return 0;
}

static int make_directory(struct qz_os *os, const char *path, mode_t mode)
{
    struct world *world = (struct world *)os;
    snprintf(world->directory, sizeof world->directory, "%s %03o", path, (unsigned)mode);
    return world->directory_error;
}

static const struct qz_os_ops ops = {.write_file = write_file, .make_directory = make_directory};

static struct world new_world(void)
{
    return (struct world){.os = {.ops = &ops}};
}

static enum qz_code init(struct world *world, const char *directory, struct qz_init_result *result,
                         struct qz_error *error)
{
    *error = (struct qz_error){0};
    return qz_init_write(&world->os, directory, result, error);
}

QZ_TEST(writes_scripts_before_the_config) // Both scripts (0700), then the config (0600) that points at them.
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    CHECK_INT(init(&world, "/etc/azure", &result, &error), QZ_E_SUCCESS);
    CHECK_STRING(world.directory, "/etc/azure 755");
    CHECK_INT(world.count, 3);
    CHECK_STRING(world.files[0].path, "/etc/azure/pre-script.sh");
    CHECK_INT(world.files[0].mode, 0700);
    CHECK_STRING(world.files[1].path, "/etc/azure/post-script.sh");
    CHECK_INT(world.files[1].mode, 0700);
    CHECK_STRING(world.files[2].path, QZ_CONFIG_PATH_DEFAULT);
    CHECK_INT(world.files[2].mode, 0600);
    CU_ASSERT_TRUE(result.standard);
    for (int i = 0; i < QZ_INIT_FILES; i++)
        CHECK_INT(result.files[i].state, QZ_INIT_WRITTEN);
    qz_init_free(&result);
}

/* The config that was written into `directory`, as our own parser reads it, without a warning. */
static struct qz_config parse_config(const char *directory)
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    struct qz_config config = {0};
    struct qz_warning_list warnings = {0};
    CHECK_INT(init(&world, directory, &result, &error), QZ_E_SUCCESS);
    const char *text = world.files[2].text;
    CHECK_INT(qz_config_parse("c", text, strlen(text), &config, &warnings, &error), QZ_E_SUCCESS);
    CHECK_STRING(error.message, "");
    CHECK_INT(warnings.count, 0);
    qz_warning_list_free(&warnings);
    qz_init_free(&result);
    return config;
}

QZ_TEST(the_config_passes_without_a_warning) // The template config has every key at its default.
{
    struct qz_config config = parse_config("/etc/azure");
    CHECK_STRING(config.plugin_name, QZ_PLUGIN_NAME_DEFAULT);
    CHECK_STRING(config.pre.path, "/etc/azure/pre-script.sh");
    CHECK_STRING(config.post.path, "/etc/azure/post-script.sh");
    CHECK_INT(config.timeout_s, QZ_TIMEOUT_S_DEFAULT);
    CHECK_INT(config.poll_s, QZ_POLL_S_DEFAULT);
    CHECK_INT(config.pre.retries, 0);
    CU_ASSERT_TRUE(config.continue_on_failure);
    CU_ASSERT_TRUE(config.fs_freeze);
    qz_config_free(&config);
}

QZ_TEST(any_directory_name_is_written_rightly) // Quotes and trailing slashes in DIR give a config that still holds.
{
    struct qz_config config = parse_config("/srv/a \"b\"\\c//");
    CHECK_STRING(config.pre.path, "/srv/a \"b\"\\c/pre-script.sh");
    qz_config_free(&config);
    struct qz_config root = parse_config("/");
    CHECK_STRING(root.pre.path, "/pre-script.sh");
    qz_config_free(&root);
}

QZ_TEST(every_key_is_explained) // The pre-script's comments name every key that the config has.
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    init(&world, "/etc/azure", &result, &error);
    int keys = 0;
    const char *config = world.files[2].text;
    for (const char *key = strstr(config, "\n\t\""); key; key = strstr(key + 1, "\n\t\""), keys++) {
        char comment[64];
        snprintf(comment, sizeof comment, "#   %.*s", (int)strcspn(key + 3, "\""), key + 3);
        CHECK_CONTAINS(world.files[0].text, comment);
    }
    CHECK_INT(keys, 11);
    qz_init_free(&result);
}

QZ_TEST(an_unedited_template_fails) // A script that nobody filled in must not look like a quiesced application.
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    init(&world, "/etc/azure", &result, &error);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(strncmp(world.files[i].text, "#!/bin/sh\n", 10), 0);
        CHECK_CONTAINS(world.files[i].text, "\nexit 1\n");
    }
    qz_init_free(&result);
}

QZ_TEST(what_is_there_is_left) // Existing files are never overwritten, and finding them is no failure.
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    write_file(&world.os, "/etc/azure/post-script.sh", "mine", 4, 0700, false);
    CHECK_INT(init(&world, "/etc/azure", &result, &error), QZ_E_SUCCESS);
    CHECK_STRING(world.files[0].text, "mine");
    CHECK_INT(result.files[0].state, QZ_INIT_WRITTEN);
    CHECK_INT(result.files[1].state, QZ_INIT_LEFT);
    CHECK_INT(result.files[2].state, QZ_INIT_WRITTEN);
    qz_init_free(&result);
    CHECK_INT(init(&world, "/etc/azure", &result, &error), QZ_E_SUCCESS);
    CHECK_INT(world.count, 3);
    for (int i = 0; i < QZ_INIT_FILES; i++)
        CHECK_INT(result.files[i].state, QZ_INIT_LEFT);
    qz_init_free(&result);
}

QZ_TEST(a_failure_says_how_far_it_came) // The file and the cause are named; what came after is not written.
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    world.refuse = ENOSPC;
    world.refuse_at = 1;
    CHECK_INT(init(&world, "/etc/azure", &result, &error), QZ_E_INTERNAL_ERROR);
    CHECK_STRING(error.message,
                 "/etc/azure/post-script.sh: cannot be written: No space left on device");
    CHECK_INT(result.files[0].state, QZ_INIT_WRITTEN);
    CHECK_INT(result.files[1].state, QZ_INIT_FAILED);
    CHECK_INT(result.files[2].state, QZ_INIT_NOT_REACHED);
    qz_init_free(&result);
}

QZ_TEST(a_directory_that_cannot_be_made_is_named) // Nothing is written where the directory cannot be made.
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    world.directory_error = ENOENT;
    CHECK_INT(init(&world, "/no/such", &result, &error), QZ_E_INTERNAL_ERROR);
    CHECK_STRING(error.message, "/no/such: cannot be made: No such file or directory");
    CHECK_INT(world.count, 0);
    qz_init_free(&result);
}

QZ_TEST(the_description_says_what_to_do_next) // Each file with what was done, and the command that checks them.
{
    struct world world = new_world();
    struct qz_init_result result;
    struct qz_error error;
    write_file(&world.os, "/srv/q/post-script.sh", "mine", 4, 0700, false);
    init(&world, "/srv/q", &result, &error);
    char *text = qz_init_describe(&result);
    CHECK_STRING(text, "written         pre-script   /srv/q/pre-script.sh\n"
                       "left as it was  post-script  /srv/q/post-script.sh\n"
                       "written         config       /srv/q/VMSnapshotScriptPluginConfig.json\n"
                       "\n"
                       "A script that is still the template fails on purpose: fill it in.\n"
                       "Next: quiesce check --config /srv/q/VMSnapshotScriptPluginConfig.json\n");
    free(text);
    qz_init_free(&result);
}
