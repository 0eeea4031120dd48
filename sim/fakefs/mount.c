/* mount.c: mounting and unmounting; see mount.h. fuse(4), mount(2), proc(5) on mountinfo. */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "memory.h"

#define LAYERS_MOST 64 /* of mounts on top of each other, before it is given up */

void mount_source(const char *block_device, pid_t server, char *source, size_t size)
{
    if (block_device)
        snprintf(source, size, "%s", block_device);
    else
        snprintf(source, size, "fakefs-%d", (int)server);
}

int mount_open(int device, const char *mount_point, const char *block_device)
{
    char options[128];
    snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0,default_permissions,allow_other%s",
             device, block_device ? ",blksize=4096" : "");
    char source[256];
    mount_source(block_device, getpid(), source, sizeof source);
    return mount(source, mount_point, block_device ? "fuseblk" : "fuse", 0, options) == 0 ? 0 : errno;
}

/* ---- The mount table --------------------------------------------------------------------------------------------- */

struct row {
    dev_t device;
    char *mount_point;
    char *type;
    char *source;
};

/* \040 and its like, in place. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in; out++) {
        unsigned code = 0;
        if (in[0] == '\\' && sscanf(in + 1, "%3o", &code) == 1) {
            *out = (char)code;
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
}

/* "29 1 0:26 / /mnt rw,relatime shared:1 - fuse fakefs-77 rw,…" */
static bool read_row(char *line, struct row *row)
{
    char *rest = NULL;
    unsigned major_number = 0;
    unsigned minor_number = 0;
    strtok_r(line, " ", &rest);
    strtok_r(NULL, " ", &rest);
    const char *device = strtok_r(NULL, " ", &rest);
    strtok_r(NULL, " ", &rest);
    row->mount_point = strtok_r(NULL, " ", &rest);
    const char *word = row->mount_point;
    while (word && strcmp(word, "-") != 0)
        word = strtok_r(NULL, " ", &rest);
    row->type = strtok_r(NULL, " ", &rest);
    row->source = strtok_r(NULL, " ", &rest);
    if (!row->source || sscanf(device, "%u:%u", &major_number, &minor_number) != 2)
        return false;
    row->device = makedev(major_number, minor_number);
    unescape(row->mount_point);
    unescape(row->source);
    return true;
}

/* The first mount of the source. The caller frees `line`, in which the row lies. */
static bool find(const char *source, char **line, struct row *row)
{
    *line = NULL;
    FILE *table = fopen("/proc/self/mountinfo", "re");
    if (!table)
        return false;
    size_t size = 0;
    bool found = false;
    while (!found && getline(line, &size, table) > 0)
        found = read_row(*line, row) && (strcmp(row->type, "fuse") == 0 || strcmp(row->type, "fuseblk") == 0) &&
                strcmp(row->source, source) == 0;
    fclose(table);
    return found;
}

void mount_remove(const char *source)
{
    for (int i = 0; i < LAYERS_MOST; i++) {
        char *line = NULL;
        struct row row;
        /* What covers it is what this takes away first: there is no other way to it. */
        bool goes_on = find(source, &line, &row) && umount2(row.mount_point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
        free(line);
        if (!goes_on)
            return;
    }
}

/* The kernel's files about FUSE connections, whether they are mounted anywhere (/sys/fs/fuse/connections) or not. */
static int open_connections(void)
{
    int context = fsopen("fusectl", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    int connections = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0
                          ? fsmount(context, FSMOUNT_CLOEXEC, 0) : -1;
    close(context);
    return connections;
}

void mount_abort_device(dev_t device)
{
    char path[64]; /* the kernel's own dev_t in decimal */
    snprintf(path, sizeof path, "%u/abort", major(device) << 20 | minor(device));
    int connections = open_connections();
    int file = connections >= 0 ? openat(connections, path, O_WRONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        (void)!write(file, "1", 1);
        close(file);
    }
    if (connections >= 0)
        close(connections);
}

void mount_abort(const char *source)
{
    char *line = NULL;
    struct row row;
    if (find(source, &line, &row))
        mount_abort_device(row.device);
    free(line);
}
