//! Flags of the mount calls.

use super::flags;

flags! {
    /// Flags of mount(2).
    bits MountFlags: u64, "MS_" in "linux/mount.h", mountFlags: MountFlag {
        RDONLY = libc::MS_RDONLY, "Nobody can write";
        NOSUID = libc::MS_NOSUID, "Set-user-id and set-group-id bits and file capabilities have no effect";
        NODEV = libc::MS_NODEV, "Device files cannot be opened";
        NOEXEC = libc::MS_NOEXEC, "Programs cannot be executed";
        SYNCHRONOUS = libc::MS_SYNCHRONOUS, "Every write reaches the device before it returns";
        REMOUNT = libc::MS_REMOUNT, "Changes an existing mount, and forgets the flags that are not repeated; `mountSetattr` keeps them";
        MANDLOCK = libc::MS_MANDLOCK, "Permits mandatory locks; ignored since Linux 5.15";
        DIRSYNC = libc::MS_DIRSYNC, "Every directory change reaches the device before it returns";
        NOSYMFOLLOW = libc::MS_NOSYMFOLLOW, "Symbolic links are not followed; since Linux 5.10";
        NOATIME = libc::MS_NOATIME, "Access times are not updated";
        NODIRATIME = libc::MS_NODIRATIME, "Access times of directories are not updated";
        BIND = libc::MS_BIND, "Makes an existing tree visible at a second place";
        MOVE = libc::MS_MOVE, "Moves a mount to another place";
        REC = libc::MS_REC, "Includes all mounts below";
        SILENT = libc::MS_SILENT, "Keeps some warnings out of the kernel log";
        POSIXACL = libc::MS_POSIXACL, "The umask is left to the file system";
        UNBINDABLE = libc::MS_UNBINDABLE, "Makes it private, and impossible to bind elsewhere";
        PRIVATE = libc::MS_PRIVATE, "Mount events neither arrive nor leave";
        SLAVE = libc::MS_SLAVE, "Mount events arrive but do not leave";
        SHARED = libc::MS_SHARED, "Mount events arrive and leave";
        RELATIME = libc::MS_RELATIME, "Access times are updated only when older than the modification or a day";
        I_VERSION = libc::MS_I_VERSION, "The inode's version number counts its changes";
        STRICTATIME = libc::MS_STRICTATIME, "Access times are always updated";
        LAZYTIME = libc::MS_LAZYTIME, "Time stamps stay in memory until something else is written";
    }

    /// How mount events pass between a mount and its peers: an argument of mount(2) and mount_setattr(2).
    choice Propagation: u64, "MS_" in "linux/mount.h", propagations: Propagation {
        PRIVATE = MountFlags::PRIVATE.bits(), "Events neither arrive nor leave";
        SHARED = MountFlags::SHARED.bits(), "Events arrive and leave";
        SLAVE = MountFlags::SLAVE.bits(), "Events arrive but do not leave";
        UNBINDABLE = MountFlags::UNBINDABLE.bits(), "Private, and cannot be bound elsewhere";
    }

    /// Flags of umount2(2).
    bits UmountFlags: u32, "MNT_" in "sys/mount.h", umountFlags: UmountFlag {
        FORCE = libc::MNT_FORCE, "Aborts pending requests, at the risk of lost data; a few file systems only";
        DETACH = libc::MNT_DETACH, "Hides the mount now, and unmounts it once nobody uses it";
        EXPIRE = libc::MNT_EXPIRE, "Unmounts only if nobody used it since the last call with this flag";
        NOFOLLOW("UMOUNT_NOFOLLOW") = libc::UMOUNT_NOFOLLOW, "Does not follow a symbolic link at the end of the path";
    }

    /// Attributes of one mount, for fsmount(2) and mount_setattr(2). At most one of `relatime`, `noatime`
    /// and `strictatime`.
    bits MountAttributes: u64, "MOUNT_ATTR_" in "linux/mount.h", mountAttributes: MountAttribute {
        RDONLY = 0x01, "Nobody can write through this mount";
        NOSUID = 0x02, "Set-user-id and set-group-id bits and file capabilities have no effect";
        NODEV = 0x04, "Device files cannot be opened";
        NOEXEC = 0x08, "Programs cannot be executed";
        RELATIME = 0x00, "Access times are updated only when older than the modification or a day";
        NOATIME = 0x10, "Access times are not updated";
        STRICTATIME = 0x20, "Access times are always updated";
        NODIRATIME = 0x80, "Access times of directories are not updated";
        IDMAP = 0x0010_0000, "Owners are mapped by a user namespace; since Linux 5.12";
        NOSYMFOLLOW = 0x0020_0000, "Symbolic links are not followed; since Linux 5.14";
    }

    /// Bits of the mount attributes that are one exclusive choice; to change it, clear all of them.
    choice MountAttributeMask: u64, "MOUNT_ATTR_" in "linux/mount.h", mountAttributeMasks: MountAttributeMask {
        ATIME("MOUNT_ATTR__ATIME") = 0x70, "How access times are updated";
    }

    /// Flags of open_tree(2), which takes some of the `AT_` flags too.
    bits OpenTreeFlags: u32, "OPEN_TREE_" in "linux/mount.h", openTreeFlags: OpenTreeFlag {
        CLONE = 1, "Copies the mount, detached, instead of referring to it";
        NAMESPACE = 2, "Puts the copy into a new mount namespace and opens that; since Linux 7.0";
        CLOEXEC = libc::O_CLOEXEC, "The descriptor is closed on execve(2)";
    }

    /// Flags of move_mount(2). `f` is the path moved from, `t` the path moved to.
    bits MoveMountFlags: u32, "MOVE_MOUNT_" in "linux/mount.h", moveMountFlags: MoveMountFlag {
        F_SYMLINKS = 0x01, "Follows a symbolic link at the end of the path moved from";
        F_AUTOMOUNTS = 0x02, "Triggers an automount at the end of the path moved from";
        F_EMPTY_PATH = 0x04, "The path moved from may be empty: the descriptor itself is moved";
        T_SYMLINKS = 0x10, "Follows a symbolic link at the end of the path moved to";
        T_AUTOMOUNTS = 0x20, "Triggers an automount at the end of the path moved to";
        T_EMPTY_PATH = 0x40, "The path moved to may be empty: the descriptor itself is the target";
        SET_GROUP = 0x100, "Copies the propagation group instead of moving; since Linux 5.15";
        BENEATH = 0x200, "Mounts beneath the topmost mount at the target; since Linux 6.5";
    }

    /// Flags of fsopen(2).
    bits FsopenFlags: u32, "FSOPEN_" in "linux/mount.h", fsopenFlags: FsopenFlag {
        CLOEXEC = 1, "The descriptor is closed on execve(2)";
    }

    /// Flags of fsmount(2).
    bits FsmountFlags: u32, "FSMOUNT_" in "linux/mount.h", fsmountFlags: FsmountFlag {
        CLOEXEC = 1, "The descriptor is closed on execve(2)";
        NAMESPACE = 2, "Puts the mount into a new mount namespace and opens that; since Linux 7.1";
    }

    /// Flags of fspick(2).
    bits FspickFlags: u32, "FSPICK_" in "linux/mount.h", fspickFlags: FspickFlag {
        CLOEXEC = 1, "The descriptor is closed on execve(2)";
        SYMLINK_NOFOLLOW = 2, "Does not follow a symbolic link at the end of the path";
        NO_AUTOMOUNT = 4, "Does not trigger an automount at the end of the path";
        EMPTY_PATH = 8, "The path may be empty: the descriptor itself is meant";
    }

    /// Commands of fsconfig(2).
    choice FsconfigCommand: u32, "FSCONFIG_" in "linux/mount.h", fsconfigCommands: FsconfigCommand {
        SET_FLAG = 0, "Sets a parameter that has no value";
        SET_STRING = 1, "Sets a parameter to a string";
        SET_BINARY = 2, "Sets a parameter to bytes";
        SET_PATH = 3, "Sets a parameter to the file at a path";
        SET_PATH_EMPTY = 4, "Sets a parameter to the file at a path, which may be empty";
        SET_FD = 5, "Sets a parameter to a descriptor";
        CMD_CREATE = 6, "Creates the file system, or reuses a matching one";
        CMD_RECONFIGURE = 7, "Applies the parameters to the existing file system";
        CMD_CREATE_EXCL = 8, "Creates the file system, and fails if it exists; since Linux 6.6";
    }

    /// What statmount(2) shall return, and what it returned.
    bits StatmountMask: u64, "STATMOUNT_" in "linux/mount.h", statmountMask: StatmountField {
        SB_BASIC = 0x01, "Device, magic number and flags of the superblock";
        MNT_BASIC = 0x02, "Ids, attributes and propagation of the mount";
        PROPAGATE_FROM = 0x04, "The peer group events come from, in this namespace";
        MNT_ROOT = 0x08, "The mount's root, as a path inside its file system";
        MNT_POINT = 0x10, "The mount point, as a path from the caller's root";
        FS_TYPE = 0x20, "The type of the file system";
        MNT_NS_ID = 0x40, "The id of its mount namespace; since Linux 6.11";
        MNT_OPTS = 0x80, "The options, as one string; since Linux 6.11";
        FS_SUBTYPE = 0x100, "The subtype of the file system; since Linux 6.13";
        SB_SOURCE = 0x200, "The source of the mount; since Linux 6.13";
        OPT_ARRAY = 0x400, "The options, one string each; since Linux 6.13";
        OPT_SEC_ARRAY = 0x800, "The security options, one string each; since Linux 6.13";
        SUPPORTED_MASK = 0x1000, "All fields this kernel can return; since Linux 6.15";
        MNT_UIDMAP = 0x2000, "The user id map of an idmapped mount; since Linux 6.15";
        MNT_GIDMAP = 0x4000, "The group id map of an idmapped mount; since Linux 6.15";
    }

    /// Flags of statmount(2).
    bits StatmountFlags: u32, "STATMOUNT_" in "linux/mount.h", statmountFlags: StatmountFlag {
        BY_FD = 1, "The mount is named by a descriptor instead of its id; since Linux 7.0";
    }

    /// Flags of listmount(2).
    bits ListmountFlags: u32, "LISTMOUNT_" in "linux/mount.h", listmountFlags: ListmountFlag {
        REVERSE = 1, "Lists later mounts first; since Linux 6.11";
    }
}
