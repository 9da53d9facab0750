//! Rights, scopes and flags of landlock(7), and the versions of its ABI that have them.

use super::flags;

flags! {
    /// Rights on files and directories, for landlock_create_ruleset(2) and landlock_add_rule(2).
    bits LandlockFsRights: u64, "LANDLOCK_ACCESS_FS_" in "linux/landlock.h", landlockFsRights: LandlockFsRight {
        EXECUTE = 1 << 0, "Execute a file";
        WRITE_FILE = 1 << 1, "Open a file for writing";
        READ_FILE = 1 << 2, "Open a file for reading";
        READ_DIR = 1 << 3, "Open a directory, or list what is in it";
        REMOVE_DIR = 1 << 4, "Remove an empty directory, or rename one";
        REMOVE_FILE = 1 << 5, "Remove another file, or rename one";
        MAKE_CHAR = 1 << 6, "Make, rename or link a character device";
        MAKE_DIR = 1 << 7, "Make or rename a directory";
        MAKE_REG = 1 << 8, "Make, rename or link a regular file";
        MAKE_SOCK = 1 << 9, "Make, rename or link a Unix socket";
        MAKE_FIFO = 1 << 10, "Make, rename or link a named pipe";
        MAKE_BLOCK = 1 << 11, "Make, rename or link a block device";
        MAKE_SYM = 1 << 12, "Make, rename or link a symbolic link";
        REFER = 1 << 13, "Rename or link between directories; since ABI 2, Linux 5.19";
        TRUNCATE = 1 << 14, "Truncate a file; since ABI 3, Linux 6.2";
        IOCTL_DEV = 1 << 15, "Call ioctl(2) on a device; since ABI 5, Linux 6.10";
        RESOLVE_UNIX = 1 << 16, "Connect or send to a Unix socket by its path; since ABI 9, Linux 7.1";
    }

    /// Rights on ports, for landlock_create_ruleset(2) and landlock_add_rule(2). Since Linux 6.7.
    bits LandlockNetRights: u64, "LANDLOCK_ACCESS_NET_" in "linux/landlock.h", landlockNetRights: LandlockNetRight {
        BIND_TCP = 1 << 0, "Bind a TCP socket to a local port";
        CONNECT_TCP = 1 << 1, "Connect a TCP socket to a remote port";
        BIND_UDP = 1 << 2, "Bind a UDP socket to a local port, also by sending, to port 0; since ABI 10, Linux 7.2";
        CONNECT_SEND_UDP = 1 << 3, "Connect a UDP socket to a remote port, or send to one; since ABI 10, Linux 7.2";
    }

    /// What stays within the domain and those below, for landlock_create_ruleset(2). Since Linux 6.12.
    bits LandlockScopes: u64, "LANDLOCK_SCOPE_" in "linux/landlock.h", landlockScopes: LandlockScope {
        ABSTRACT_UNIX_SOCKET = 1 << 0, "Connect to abstract Unix sockets of processes outside of the domain";
        SIGNAL = 1 << 1, "Send signals to processes outside of the domain";
    }

    /// Flags of landlock_restrict_self(2). Since Linux 6.15.
    bits LandlockRestrictFlags: u32, "LANDLOCK_RESTRICT_SELF_" in "linux/landlock.h", landlockRestrictFlags: LandlockRestrictBit {
        LOG_SAME_EXEC_OFF = 1 << 0, "Does not log what is refused before the next execve(2)";
        LOG_NEW_EXEC_ON = 1 << 1, "Logs what is refused after the next execve(2)";
        LOG_SUBDOMAINS_OFF = 1 << 2, "Does not log what domains below this one refuse";
        TSYNC = 1 << 3, "Restricts every thread of the process; since ABI 8, Linux 7.0";
        NO_NEW_PRIVS = 1 << 4, "Sets no_new_privs as well; since ABI 11, Linux 7.3";
    }
}

/// A version of the ABI, with all that it added to the one before.
#[derive(Clone, Copy, Debug)]
pub struct LandlockAbi {
    /// The number, as landlock_create_ruleset(2) returns it.
    pub abi: u32,
    /// The first kernel that has it.
    pub linux: &'static str,
    /// New rights on files and directories.
    pub fs: LandlockFsRights,
    /// New rights on ports.
    pub net: LandlockNetRights,
    /// New scopes.
    pub scope: LandlockScopes,
    /// New flags.
    pub restrict: LandlockRestrictFlags,
}

const NOTHING: LandlockAbi = LandlockAbi {
    abi: 0,
    linux: "",
    fs: LandlockFsRights::empty(),
    net: LandlockNetRights::empty(),
    scope: LandlockScopes::empty(),
    restrict: LandlockRestrictFlags::empty(),
};
const UP_TO_MAKE_SYM: LandlockFsRights = LandlockFsRights::from_bits_retain(0x1fff);
const TCP: LandlockNetRights = LandlockNetRights::BIND_TCP.union(LandlockNetRights::CONNECT_TCP);
const UDP: LandlockNetRights = LandlockNetRights::BIND_UDP.union(LandlockNetRights::CONNECT_SEND_UDP);
const SCOPES: LandlockScopes = LandlockScopes::ABSTRACT_UNIX_SOCKET.union(LandlockScopes::SIGNAL);
const LOGS: LandlockRestrictFlags = LandlockRestrictFlags::from_bits_retain(0x7);

/// Every version of the ABI that nearfar knows, the first one first.
pub const LANDLOCK_ABIS: &[LandlockAbi] = &[
    LandlockAbi { abi: 1, linux: "5.13", fs: UP_TO_MAKE_SYM, ..NOTHING },
    LandlockAbi { abi: 2, linux: "5.19", fs: LandlockFsRights::REFER, ..NOTHING },
    LandlockAbi { abi: 3, linux: "6.2", fs: LandlockFsRights::TRUNCATE, ..NOTHING },
    LandlockAbi { abi: 4, linux: "6.7", net: TCP, ..NOTHING },
    LandlockAbi { abi: 5, linux: "6.10", fs: LandlockFsRights::IOCTL_DEV, ..NOTHING },
    LandlockAbi { abi: 6, linux: "6.12", scope: SCOPES, ..NOTHING },
    LandlockAbi { abi: 7, linux: "6.15", restrict: LOGS, ..NOTHING },
    LandlockAbi { abi: 8, linux: "7.0", restrict: LandlockRestrictFlags::TSYNC, ..NOTHING },
    LandlockAbi { abi: 9, linux: "7.1", fs: LandlockFsRights::RESOLVE_UNIX, ..NOTHING },
    LandlockAbi { abi: 10, linux: "7.2", net: UDP, ..NOTHING },
    LandlockAbi { abi: 11, linux: "7.3", restrict: LandlockRestrictFlags::NO_NEW_PRIVS, ..NOTHING },
];
