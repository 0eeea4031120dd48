/* linux_devices.h: what is under a filesystem, from sysfs, libblkid and the loop driver. Private to core/os. */
#ifndef QUIESCE_LINUX_DEVICES_H
#define QUIESCE_LINUX_DEVICES_H

#include "quiesce/os.h"

/* Fills in uuid, label, below and disks of table->mounts[index]. `options` are the filesystem's own mount options.
 * Returns ENOMEM or 0; what cannot be found out stays empty. */
int qz_linux_describe_devices(struct qz_mount_table *table, size_t index, const char *options);

/* Fills in uuid and label of a mount on a block device: what udev has found; where it has not looked, what is on the
 * disk, which is waited for then. Returns ENOMEM or 0; what cannot be found out stays as it is. */
int qz_linux_read_names(struct qz_mount *mount);

/* A path under /dev to a block device; the caller frees. NULL: there is none. */
char *qz_linux_device_path(dev_t dev);

/* The block devices of the btrfs in `directory` of /sys/fs/btrfs. Returns how many of at most `capacity`. */
size_t qz_linux_btrfs_members(const char *directory, dev_t *members, size_t capacity);

#endif
