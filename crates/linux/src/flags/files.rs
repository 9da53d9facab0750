//! Flags of paths and descriptors.

use super::flags;

flags! {
    /// Flags of open(2) and openat2(2). At most one of `rdonly`, `wronly` and `rdwr`; without one, `rdonly`.
    bits OpenFlags: u64, "O_" in "linux/fcntl.h", openFlags: OpenFlag {
        RDONLY = libc::O_RDONLY, "For reading";
        WRONLY = libc::O_WRONLY, "For writing";
        RDWR = libc::O_RDWR, "For reading and writing";
        CREAT = libc::O_CREAT, "Creates a regular file if the path does not exist";
        EXCL = libc::O_EXCL, "With `creat`, fails if the path exists";
        NOCTTY = libc::O_NOCTTY, "A terminal does not become the controlling terminal";
        TRUNC = libc::O_TRUNC, "Empties the file";
        APPEND = libc::O_APPEND, "Every write goes to the end of the file";
        NONBLOCK = libc::O_NONBLOCK, "Neither opening nor input and output wait";
        ASYNC("FASYNC") = libc::O_ASYNC, "The `O_ASYNC` of fcntl(2): accepted at opening, without an effect then";
        DSYNC = libc::O_DSYNC, "A write returns once its data is on the device";
        SYNC = libc::O_SYNC, "A write returns once its data and all metadata are on the device; contains `dsync`";
        PATH = libc::O_PATH, "Only names a place: neither reads nor writes";
        DIRECTORY = 0o200_000, aarch64 0o40_000, "Fails unless it is a directory";
        NOFOLLOW = 0o400_000, aarch64 0o100_000, "Fails if the last component is a symbolic link";
        DIRECT = 0o40_000, aarch64 0o200_000, "Bypasses the page cache";
        NOATIME = libc::O_NOATIME, "Reading does not update the access time";
        TMPFILE = 0o20_200_000, aarch64 0o20_040_000, "Creates a file without a name; contains `directory`";
        LARGEFILE = 0o100_000, aarch64 0o400_000, "Offsets have 64 bits, as they always do here";
        CLOEXEC = libc::O_CLOEXEC, "The descriptor is closed on execve(2)";
    }

    /// How openat2(2) may walk a path.
    bits ResolveFlags: u64, "RESOLVE_" in "linux/openat2.h", resolveFlags: ResolveFlag {
        NO_XDEV = libc::RESOLVE_NO_XDEV, "Crosses no mount point";
        NO_MAGICLINKS = libc::RESOLVE_NO_MAGICLINKS, "Follows no magic link, such as those of /proc/pid/fd";
        NO_SYMLINKS = libc::RESOLVE_NO_SYMLINKS, "Follows no symbolic link at all";
        BENEATH = libc::RESOLVE_BENEATH, "Fails when the path leaves the starting directory";
        IN_ROOT = libc::RESOLVE_IN_ROOT, "Treats the starting directory as the root";
        CACHED = libc::RESOLVE_CACHED, "Fails with EAGAIN unless the answer is cached; since Linux 5.12";
    }

    /// How a call that takes a directory descriptor and a path treats them.
    bits AtFlags: u32, "AT_" in "linux/fcntl.h", atFlags: AtFlag {
        SYMLINK_NOFOLLOW = libc::AT_SYMLINK_NOFOLLOW, "Does not follow a symbolic link at the end of the path";
        SYMLINK_FOLLOW = libc::AT_SYMLINK_FOLLOW, "Follows a symbolic link at the end of the path";
        NO_AUTOMOUNT = libc::AT_NO_AUTOMOUNT, "Does not trigger an automount at the end of the path";
        EMPTY_PATH = libc::AT_EMPTY_PATH, "The path may be empty: the descriptor itself is meant";
        STATX_SYNC_AS_STAT = libc::AT_STATX_SYNC_AS_STAT, "Asks a remote server when stat(2) would";
        STATX_FORCE_SYNC = libc::AT_STATX_FORCE_SYNC, "Asks a remote server always";
        STATX_DONT_SYNC = libc::AT_STATX_DONT_SYNC, "Asks a remote server never";
        RECURSIVE = libc::AT_RECURSIVE, "Includes all mounts below";
    }

    /// What statx(2) is asked for, and says that it found.
    bits StatxMask: u32, "STATX_" in "linux/stat.h", statxMask: StatxField {
        TYPE = libc::STATX_TYPE, "`type`";
        MODE = libc::STATX_MODE, "`mode`";
        NLINK = libc::STATX_NLINK, "`nlink`";
        UID = libc::STATX_UID, "`uid`";
        GID = libc::STATX_GID, "`gid`";
        ATIME = libc::STATX_ATIME, "`atimeNs`";
        MTIME = libc::STATX_MTIME, "`mtimeNs`";
        CTIME = libc::STATX_CTIME, "`ctimeNs`";
        INO = libc::STATX_INO, "`ino`";
        SIZE = libc::STATX_SIZE, "`size`";
        BLOCKS = libc::STATX_BLOCKS, "`blocks`";
        BTIME = libc::STATX_BTIME, "`btimeNs`";
        MNT_ID = 0x1000, "`mountId`; since Linux 5.8";
        DIOALIGN = 0x2000, "`dioMemAlign` and `dioOffsetAlign`; since Linux 6.1";
        MNT_ID_UNIQUE = 0x4000, "`mountIdUnique`; since Linux 6.8";
        SUBVOL = 0x8000, "`subvol`; since Linux 6.10";
        WRITE_ATOMIC = 0x1_0000, "The four fields that begin with `atomicWrite`; since Linux 6.11";
        DIO_READ_ALIGN = 0x2_0000, "`dioReadOffsetAlign`; since Linux 6.14";
    }

    /// Attributes of a file that statx(2) tells of, where it knows.
    bits StatxAttributes: u32, "STATX_ATTR_" in "linux/stat.h", statxAttributes: StatxAttribute {
        COMPRESSED = libc::STATX_ATTR_COMPRESSED, "The file system compresses it";
        IMMUTABLE = libc::STATX_ATTR_IMMUTABLE, "It cannot be changed, renamed, linked or deleted";
        APPEND = libc::STATX_ATTR_APPEND, "It can only be appended to";
        NODUMP = libc::STATX_ATTR_NODUMP, "Backup programs leave it out";
        ENCRYPTED = libc::STATX_ATTR_ENCRYPTED, "A key is needed to read it";
        AUTOMOUNT = libc::STATX_ATTR_AUTOMOUNT, "A directory that triggers an automount";
        MOUNT_ROOT = libc::STATX_ATTR_MOUNT_ROOT, "The root of a mount; since Linux 5.8";
        VERITY = libc::STATX_ATTR_VERITY, "fs-verity protects its content; since Linux 5.5";
        DAX = 0x20_0000, "It is accessed without the page cache; since Linux 5.8";
        WRITE_ATOMIC = 0x40_0000, "It supports atomic writes; since Linux 6.11";
    }

    /// Flags of close_range(2).
    bits CloseRangeFlags: u32, "CLOSE_RANGE_" in "linux/close_range.h", closeRangeFlags: CloseRangeFlag {
        UNSHARE = libc::CLOSE_RANGE_UNSHARE, "Stops sharing the descriptor table first";
        CLOEXEC = libc::CLOSE_RANGE_CLOEXEC, "Marks the descriptors close-on-exec instead; since Linux 5.11";
    }

    /// Flags of renameat2(2).
    bits RenameFlags: u32, "RENAME_" in "linux/fs.h", renameFlags: RenameFlag {
        NOREPLACE = libc::RENAME_NOREPLACE, "Fails if the new name exists";
        EXCHANGE = libc::RENAME_EXCHANGE, "Exchanges two files, which both exist";
        WHITEOUT = libc::RENAME_WHITEOUT, "Leaves a whiteout of an overlay under the old name";
    }

    /// Flags of eventfd2(2).
    bits EventFdFlags: u32, "EFD_" in "sys/eventfd.h", eventFdFlags: EventFdFlag {
        SEMAPHORE = libc::EFD_SEMAPHORE, "A read takes one instead of everything";
        NONBLOCK = libc::EFD_NONBLOCK, "Reads and writes do not wait";
        CLOEXEC = libc::EFD_CLOEXEC, "The descriptor is closed on execve(2)";
    }
}
