//! Flags of paths and descriptors.

use super::flags;

flags! {
    /// Flags of open(2) and openat2(2). At most one of `rdonly`, `wronly` and `rdwr`; none is `rdonly`.
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

    /// Flags of close_range(2).
    bits CloseRangeFlags: u32, "CLOSE_RANGE_" in "linux/close_range.h", closeRangeFlags: CloseRangeFlag {
        UNSHARE = libc::CLOSE_RANGE_UNSHARE, "Stops sharing the descriptor table first";
        CLOEXEC = libc::CLOSE_RANGE_CLOEXEC, "Marks the descriptors close-on-exec instead; since Linux 5.11";
    }

    /// Flags of eventfd2(2).
    bits EventFdFlags: u32, "EFD_" in "sys/eventfd.h", eventFdFlags: EventFdFlag {
        SEMAPHORE = libc::EFD_SEMAPHORE, "A read takes one instead of everything";
        NONBLOCK = libc::EFD_NONBLOCK, "Reads and writes do not wait";
        CLOEXEC = libc::EFD_CLOEXEC, "The descriptor is closed on execve(2)";
    }
}
