/* mount.h: mounts that fakefs servers serve: made, and removed whatever has become of the server. */
#ifndef QUIESCE_SIM_FAKEFS_MOUNT_H
#define QUIESCE_SIM_FAKEFS_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The source by which the mount table names what a server has mounted: the block device, or one of the server's own. */
void mount_source(const char *block_device, pid_t server, char *source, size_t size);

/* Mounts what is to be served through `device`, an open /dev/fuse. 0 or an errno. */
int mount_open(int device, const char *mount_point, const char *block_device);

/* Unmounts, lazily, every fake filesystem of this source; what is mounted on it or in it goes too. */
void mount_remove(const char *source);
/* Ends all that waits in it, for a server that does not answer. */
void mount_abort(const char *source);
/* The same for the one whose superblock is that device's; nothing, if there is none. */
void mount_abort_device(dev_t device);

#endif
