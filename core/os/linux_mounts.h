/* linux_mounts.h: the mount table, and ways to a mounted filesystem. Private to core/os and its tests.
 *
 * A superblock is named by mountinfo's device: st_dev is another one on btrfs. */
#ifndef QUIESCE_LINUX_MOUNTS_H
#define QUIESCE_LINUX_MOUNTS_H

#include <stdio.h>

#include "quiesce/os.h"

/* The longest that qz_linux_recover_mount may take, not counting work of the kernel that cannot be interrupted. */
#define QZ_LINUX_RECOVER_US (10 * QZ_US_PER_S)

/* The whole table, devices and all, as this process's mount namespace has it. Reads the superblocks of mounted block
 * devices (libblkid); what cannot be found out stays empty. Free with qz_mount_table_free. */
int qz_linux_list_mounts(struct qz_os *os, struct qz_mount_table *table);

/* The same without uuid, label, below and disks: touches nothing but /proc. */
int qz_linux_read_mounts(struct qz_mount_table *table);

/* The same from a file that is open and reads like /proc/PID/mountinfo. EBADMSG: a line of it does not. */
int qz_linux_parse_mounts(FILE *file, struct qz_mount_table *table);

/* The id of the mount that a descriptor lies on. */
int qz_linux_mount_id(int fd, int *id);

/* Opens `mount` by its mount point, a directory or (bind mounts) a regular file, for ioctls: the caller closes `*fd`.
 * ESTALE: the path leads to another mount, or the mount's number now belongs to another filesystem. */
int qz_linux_open_mount(const struct qz_mount *mount, int *fd);

/* Opens something on superblock `dev` by any way there is: its mount point, another mount of it, in a mount namespace
 * of a child's own underneath what covers it, or there mounted again, if its block device is in use but it is mounted
 * nowhere (umount of a frozen filesystem leaves it so). ENOENT: there is no such filesystem any more, so that nothing
 * of it is frozen. ETIMEDOUT: the kernel did not answer in QZ_LINUX_RECOVER_US. */
int qz_linux_recover_mount(const char *mount_point, dev_t dev, int *fd);

#endif
