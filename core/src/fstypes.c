/* fstypes.c: FIFREEZE needs a filesystem that has the super operation freeze_fs or freeze_super (the kernel's
 * fs/ioctl.c); being on a block device is not enough. So the freezable ones are those that implement one of them. */
#include "fstypes.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    enum qz_fstype kind;
} TYPES[] = {
    {"bcachefs", QZ_FSTYPE_FREEZABLE},
    {"btrfs", QZ_FSTYPE_FREEZABLE},
    {"ext2", QZ_FSTYPE_FREEZABLE},
    {"ext3", QZ_FSTYPE_FREEZABLE},
    {"ext4", QZ_FSTYPE_FREEZABLE},
    {"f2fs", QZ_FSTYPE_FREEZABLE},
    {"gfs2", QZ_FSTYPE_FREEZABLE}, /* freeze_super: on every node of the cluster */
    {"jfs", QZ_FSTYPE_FREEZABLE},
    {"nilfs2", QZ_FSTYPE_FREEZABLE},
    {"reiserfs", QZ_FSTYPE_FREEZABLE},
    {"xfs", QZ_FSTYPE_FREEZABLE},

    {"affs", QZ_FSTYPE_UNFREEZABLE},
    {"erofs", QZ_FSTYPE_UNFREEZABLE},
    {"exfat", QZ_FSTYPE_UNFREEZABLE},
    {"fuseblk", QZ_FSTYPE_UNFREEZABLE},
    {"hfs", QZ_FSTYPE_UNFREEZABLE},
    {"hfsplus", QZ_FSTYPE_UNFREEZABLE},
    {"iso9660", QZ_FSTYPE_UNFREEZABLE},
    {"jffs2", QZ_FSTYPE_UNFREEZABLE},
    {"minix", QZ_FSTYPE_UNFREEZABLE},
    {"msdos", QZ_FSTYPE_UNFREEZABLE},
    {"ntfs", QZ_FSTYPE_UNFREEZABLE},
    {"ntfs3", QZ_FSTYPE_UNFREEZABLE},
    {"ocfs2", QZ_FSTYPE_UNFREEZABLE},
    {"squashfs", QZ_FSTYPE_UNFREEZABLE},
    {"ubifs", QZ_FSTYPE_UNFREEZABLE},
    {"udf", QZ_FSTYPE_UNFREEZABLE},
    {"ufs", QZ_FSTYPE_UNFREEZABLE},
    {"vfat", QZ_FSTYPE_UNFREEZABLE},
    {"zfs", QZ_FSTYPE_UNFREEZABLE},

    {"9p", QZ_FSTYPE_NETWORK},
    {"afs", QZ_FSTYPE_NETWORK},
    {"beegfs", QZ_FSTYPE_NETWORK},
    {"ceph", QZ_FSTYPE_NETWORK},
    {"cifs", QZ_FSTYPE_NETWORK},
    {"coda", QZ_FSTYPE_NETWORK},
    {"fuse.blobfuse2", QZ_FSTYPE_NETWORK},
    {"fuse.ceph", QZ_FSTYPE_NETWORK},
    {"fuse.ceph-fuse", QZ_FSTYPE_NETWORK},
    {"fuse.glusterfs", QZ_FSTYPE_NETWORK},
    {"fuse.rclone", QZ_FSTYPE_NETWORK},
    {"fuse.s3fs", QZ_FSTYPE_NETWORK},
    {"fuse.sshfs", QZ_FSTYPE_NETWORK},
    {"lustre", QZ_FSTYPE_NETWORK},
    {"nfs", QZ_FSTYPE_NETWORK},
    {"nfs4", QZ_FSTYPE_NETWORK},
    {"orangefs", QZ_FSTYPE_NETWORK},
    {"smb3", QZ_FSTYPE_NETWORK},
    {"virtiofs", QZ_FSTYPE_NETWORK},
};

enum qz_fstype qz_fstype_kind(const char *fstype)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strcmp(TYPES[i].name, fstype) == 0)
            return TYPES[i].kind;
    }
    return QZ_FSTYPE_UNKNOWN;
}
