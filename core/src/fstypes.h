/* fstypes.h: which types of filesystem the kernel can freeze. Pure. */
#ifndef QUIESCE_FSTYPES_H
#define QUIESCE_FSTYPES_H

enum qz_fstype {
    QZ_FSTYPE_UNKNOWN,     /* not in the table, or only trying tells (fuse) */
    QZ_FSTYPE_FREEZABLE,   /* local storage that FIFREEZE works on */
    QZ_FSTYPE_UNFREEZABLE, /* local storage, but FIFREEZE fails with EOPNOTSUPP */
    QZ_FSTYPE_NETWORK,     /* somebody else's storage */
};

/* The kind of a mountinfo type name ("ext4", "fuse.sshfs"). */
enum qz_fstype qz_fstype_kind(const char *fstype);

#endif
