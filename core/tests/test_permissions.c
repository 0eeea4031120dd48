/* The rules of permissions.h, over paths that were never on a disk. */
#include "check.h"

#include <errno.h>

#include "permissions.h"

#define SCRIPT "/etc/azure/pre.sh"
#define SOMEBODY 1000

/* What inspect() finds on the way to SCRIPT where all is well. */
struct way {
    struct qz_path_step steps[8];
    struct qz_path_facts facts;
    struct qz_error error;
};

static struct qz_path_step directory(char *path, int parent)
{
    return (struct qz_path_step){.path = path, .kind = QZ_STEP_DIRECTORY, .parent = parent, .mode = 0755};
}

static void set_up(struct way *way, mode_t file_mode)
{
    *way = (struct way){
        .steps = {directory("/", -1), directory("/etc", 0), directory("/etc/azure", 1),
                  {.path = SCRIPT, .kind = QZ_STEP_REGULAR, .parent = 2, .mode = file_mode}},
        .facts = {.count = 4, .handle = -1},
    };
    way->facts.steps = way->steps;
}

#define FILE_STEP 3

static enum qz_code check(struct way *way, enum qz_file_role role)
{
    return qz_permissions_check(role, SCRIPT, &way->facts, &way->error);
}

QZ_TEST(a_script_of_root_with_0700_is_trusted) // and with 0500: no more than 0700, readable, executable
{
    struct way way;
    set_up(&way, 0700);
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_SUCCESS);
    CHECK_INT(check(&way, QZ_FILE_POST_SCRIPT), QZ_E_SUCCESS);
    way.steps[FILE_STEP].mode = 0500;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_SUCCESS);
    CU_ASSERT_PTR_NULL(way.error.path); /* nothing is said of it */
}

QZ_TEST(a_script_may_have_no_more_than_0700) // any bit of group or others is refused, and the message says the remedy
{
    static const mode_t MODES[] = {0755, 0710, 0701, 0740, 0704, 0720, 0702, 01700};
    struct way way;
    for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++) {
        set_up(&way, MODES[i]);
        CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
        CHECK_INT(check(&way, QZ_FILE_POST_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_POST_SCRIPT);
    }
    set_up(&way, 0755);
    check(&way, QZ_FILE_PRE_SCRIPT);
    CHECK_STRING(way.error.message, "pre-script /etc/azure/pre.sh: mode is 0755, must be no more than 0700 "
                                    "(chmod 0700 /etc/azure/pre.sh)");
    CHECK_STRING(way.error.detail, "mode is 0755");
    CHECK_STRING(way.error.path, SCRIPT);
}

QZ_TEST(a_script_must_be_executable_and_readable_by_its_owner) // root could run it, but nobody meant it to be run
{
    struct way way;
    set_up(&way, 0600);
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
    CHECK_CONTAINS(way.error.message, "mode is 0600, must be readable and executable by its owner");
    set_up(&way, 0300);
    CHECK_INT(check(&way, QZ_FILE_POST_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_POST_SCRIPT);
}

QZ_TEST(set_id_bits_are_refused) // by name, not as one more number
{
    struct way way;
    set_up(&way, 04700);
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
    CHECK_CONTAINS(way.error.message, "mode is 4700, must have no set-user-ID or set-group-ID bit");
    set_up(&way, 02700);
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
    CHECK_CONTAINS(way.error.message, "set-group-ID");
}

QZ_TEST(every_file_must_be_owned_by_root) // whatever its role, and even if its mode is fine
{
    static const struct {
        enum qz_file_role role;
        enum qz_code code;
        mode_t mode;
    } ROLES[] = {
        {QZ_FILE_PLUGIN_HOST, QZ_E_INSUFFICIENT_PERMISSION_FOR_PLUGIN_HOST_FILE, 0644},
        {QZ_FILE_CONFIG, QZ_E_INSUFFICIENT_PERMISSION_FOR_JSON_CONFIG_FILE, 0600},
        {QZ_FILE_PRE_SCRIPT, QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT, 0700},
        {QZ_FILE_POST_SCRIPT, QZ_E_INSUFFICIENT_PERMISSION_FOR_POST_SCRIPT, 0700},
    };
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++) {
        struct way way;
        set_up(&way, ROLES[i].mode);
        CHECK_INT(check(&way, ROLES[i].role), QZ_E_SUCCESS);
        way.steps[FILE_STEP].uid = SOMEBODY;
        CHECK_INT(check(&way, ROLES[i].role), ROLES[i].code);
        CHECK_CONTAINS(way.error.message, "owner is uid 1000, must be root (chown root /etc/azure/pre.sh)");
    }
}

QZ_TEST(a_config_may_have_no_more_than_0600) // nobody but root reads it, nobody executes it
{
    static const mode_t REFUSED[] = {0700, 0640, 0604, 0620, 0644, 04600, 01600};
    struct way way;
    set_up(&way, 0600);
    CHECK_INT(check(&way, QZ_FILE_CONFIG), QZ_E_SUCCESS);
    set_up(&way, 0400);
    CHECK_INT(check(&way, QZ_FILE_CONFIG), QZ_E_SUCCESS);
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        set_up(&way, REFUSED[i]);
        CHECK_INT(check(&way, QZ_FILE_CONFIG), QZ_E_INSUFFICIENT_PERMISSION_FOR_JSON_CONFIG_FILE);
    }
}

QZ_TEST(a_plugin_host_file_may_be_read_but_not_written_by_others) // 0644 is fine, 0664 and 0646 are not
{
    struct way way;
    set_up(&way, 0644);
    CHECK_INT(check(&way, QZ_FILE_PLUGIN_HOST), QZ_E_SUCCESS);
    set_up(&way, 0664);
    CHECK_INT(check(&way, QZ_FILE_PLUGIN_HOST), QZ_E_INSUFFICIENT_PERMISSION_FOR_PLUGIN_HOST_FILE);
    CHECK_CONTAINS(way.error.message, "must not be writable by group or others (chmod go-w /etc/azure/pre.sh)");
    set_up(&way, 0646);
    CHECK_INT(check(&way, QZ_FILE_PLUGIN_HOST), QZ_E_INSUFFICIENT_PERMISSION_FOR_PLUGIN_HOST_FILE);
}

QZ_TEST(nothing_at_the_path_is_not_found) // each role has its own code, and the message says how far the path leads
{
    struct way way;
    set_up(&way, 0700);
    way.facts.count = 3;
    way.facts.error = ENOENT;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
    CHECK_STRING(way.error.message, "pre-script /etc/azure/pre.sh: not found; the path leads as far as /etc/azure");
    CHECK_STRING(way.error.detail, "No such file or directory");
    CHECK_INT(check(&way, QZ_FILE_POST_SCRIPT), QZ_E_POST_SCRIPT_NOT_FOUND);
    CHECK_INT(check(&way, QZ_FILE_CONFIG), QZ_E_JSON_CONFIG_FILE_NOT_FOUND);
    CHECK_INT(check(&way, QZ_FILE_PLUGIN_HOST), QZ_E_PLUGIN_HOST_FILE_NOT_FOUND);
    way.facts.error = ELOOP;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
    way.facts.count = 1;
    way.facts.error = ENOENT;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
    CHECK_STRING(way.error.message, "pre-script /etc/azure/pre.sh: not found; the path leads as far as /");
    way.facts = (struct qz_path_facts){.error = EINVAL, .handle = -1};
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
}

QZ_TEST(a_way_that_ends_in_an_error_leads_to_no_file) // and says nothing of the file where the error may pass
{
    struct way way;
    set_up(&way, 0700);
    way.facts.error = ELOOP;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
    CHECK_STRING(way.error.message, "pre-script /etc/azure/pre.sh: not found: Too many levels of symbolic links");
    way.facts.error = EMFILE;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INTERNAL_ERROR);
    CHECK_STRING(way.error.message, "pre-script /etc/azure/pre.sh: cannot be opened: Too many open files");
}

QZ_TEST(what_is_no_regular_file_is_not_found) // a directory, a device; or a file where a directory should be
{
    struct way way;
    set_up(&way, 0700);
    way.steps[FILE_STEP].kind = QZ_STEP_DIRECTORY;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
    CHECK_CONTAINS(way.error.message, "is a directory, must be a regular file");
    way.steps[FILE_STEP].kind = QZ_STEP_OTHER;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
    CHECK_CONTAINS(way.error.message, "is a device, socket or pipe");
    set_up(&way, 0700);
    way.facts.error = ENOTDIR;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
    CHECK_CONTAINS(way.error.message, SCRIPT " is a regular file, must be a directory");
}

QZ_TEST(missing_is_said_before_unsafe) // a file that is not there cannot have a wrong mode, whatever its directory has
{
    struct way way;
    set_up(&way, 0700);
    way.facts.count = 3;
    way.facts.error = ENOENT;
    way.steps[2].mode = 0777;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_PRE_SCRIPT_NOT_FOUND);
}

QZ_TEST(a_file_that_may_not_be_opened_is_a_matter_of_permission) // not of being found
{
    struct way way;
    set_up(&way, 0700);
    way.facts.error = EACCES;
    CHECK_INT(check(&way, QZ_FILE_CONFIG), QZ_E_INSUFFICIENT_PERMISSION_FOR_JSON_CONFIG_FILE);
    CHECK_CONTAINS(way.error.message, "cannot be opened: Permission denied");
}

QZ_TEST(every_directory_on_the_way_is_roots) // the first one that is not is named
{
    for (int i = 0; i < FILE_STEP; i++) {
        struct way way;
        set_up(&way, 0700);
        way.steps[i].uid = SOMEBODY;
        CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
        CHECK_CONTAINS(way.error.message, "is owned by uid 1000, must be root's");
        CHECK_CONTAINS(way.error.message, way.steps[i].path);
    }
}

QZ_TEST(no_directory_on_the_way_is_writable_by_others) // nor by the group
{
    static const mode_t MODES[] = {0775, 0757, 0777};
    for (int i = 0; i < FILE_STEP; i++) {
        for (size_t k = 0; k < sizeof MODES / sizeof MODES[0]; k++) {
            struct way way;
            set_up(&way, 0700);
            way.steps[i].mode = MODES[k];
            CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
            CHECK_CONTAINS(way.error.message, "must not be writable by group or others (chmod go-w /");
        }
    }
}

QZ_TEST(a_sticky_directory_is_fine_for_entries_of_root) // others can neither remove nor rename them
{
    struct way way;
    set_up(&way, 0700);
    way.steps[1].mode = 01777;
    way.steps[2].mode = 01777;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_SUCCESS);
    way.steps[1].uid = SOMEBODY; /* but the directory's owner can */
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
}

QZ_TEST(a_link_in_a_sticky_directory_must_be_roots) // somebody else could point it elsewhere
{
    struct way way;
    set_up(&way, 0700);
    way.steps[1].mode = 01777;
    way.steps[2] = (struct qz_path_step){.path = "/etc/link", .kind = QZ_STEP_SYMLINK, .parent = 1, .mode = 0777};
    way.steps[3] = directory("/srv", 0);
    way.steps[4] = (struct qz_path_step){.path = "/srv/pre.sh", .kind = QZ_STEP_REGULAR, .parent = 3, .mode = 0700};
    way.facts.count = 5;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_SUCCESS);
    way.steps[2].uid = SOMEBODY;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
    CHECK_CONTAINS(way.error.message, "/etc/link in the sticky directory /etc (mode 1777) is owned by uid 1000");
    way.steps[0].mode = 01777;
    way.steps[1].mode = 0755;
    way.steps[2].parent = 0;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
    CHECK_CONTAINS(way.error.message, "/etc/link in the sticky directory / (mode 1777) is owned by uid 1000");
    way.steps[0].mode = 0755; /* where only root can put one, it is what root wanted, whoever owns it */
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_SUCCESS);
}

QZ_TEST(the_directories_of_a_links_target_count_too) // and a message about the target names both paths
{
    struct way way;
    set_up(&way, 0700);
    way.steps[2] = (struct qz_path_step){.path = "/etc/azure", .kind = QZ_STEP_SYMLINK, .parent = 1, .mode = 0777};
    way.steps[3] = directory("/srv", 0);
    way.steps[4] = (struct qz_path_step){.path = "/srv/pre.sh", .kind = QZ_STEP_REGULAR, .parent = 3, .mode = 0755};
    way.facts.count = 5;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
    CHECK_CONTAINS(way.error.message, "/etc/azure/pre.sh: leads to /srv/pre.sh: mode is 0755");
    CHECK_CONTAINS(way.error.message, "(chmod 0700 /srv/pre.sh)");
    way.steps[4].mode = 0700;
    way.steps[3].mode = 0777;
    CHECK_INT(check(&way, QZ_FILE_PRE_SCRIPT), QZ_E_INSUFFICIENT_PERMISSION_FOR_PRE_SCRIPT);
    CHECK_CONTAINS(way.error.message, "the directory /srv has mode 0777");
}
