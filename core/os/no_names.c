/* no_names.c: no user and no group has a name. Linked in only where quiesce is linked statically: parts of libmount
 * that quiesce never comes to look names up, and the C library's way of doing so is a matter of shared libraries. */
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

int getpwnam_r(const char *name, struct passwd *user, char *buffer, size_t size, struct passwd **found)
{
    (void)name, (void)user, (void)buffer, (void)size;
    *found = NULL;
    return 0;
}

int getpwuid_r(uid_t id, struct passwd *user, char *buffer, size_t size, struct passwd **found)
{
    (void)id, (void)user, (void)buffer, (void)size;
    *found = NULL;
    return 0;
}

int getgrnam_r(const char *name, struct group *group, char *buffer, size_t size, struct group **found)
{
    (void)name, (void)group, (void)buffer, (void)size;
    *found = NULL;
    return 0;
}
