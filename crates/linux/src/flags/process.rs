//! Flags of processes and namespaces.

use super::flags;

flags! {
    /// The eight kinds of namespaces, for unshare(2), setns(2) and clone3(2), named as in /proc/pid/ns.
    bits NamespaceFlags: u64, "CLONE_NEW" in "linux/sched.h", namespaceFlags: NamespaceKind {
        MNT("CLONE_NEWNS") = libc::CLONE_NEWNS, "Mounts";
        UTS = libc::CLONE_NEWUTS, "Host name and domain name";
        IPC = libc::CLONE_NEWIPC, "System V objects and POSIX message queues";
        USER = libc::CLONE_NEWUSER, "User ids, group ids and capabilities";
        PID = libc::CLONE_NEWPID, "Process ids";
        NET = libc::CLONE_NEWNET, "Network devices, addresses, ports and rules";
        CGROUP = libc::CLONE_NEWCGROUP, "The root of the cgroup tree";
        TIME = libc::CLONE_NEWTIME, "Offsets of the monotonic and boot clocks; not for clone(2)";
    }

    /// Parts that a new process shares with its creator, for clone3(2) and unshare(2). Namespaces are in
    /// `namespaceFlags`.
    bits CloneFlags: u64, "CLONE_" in "linux/sched.h", cloneFlags: CloneFlag {
        VM = libc::CLONE_VM, "Memory";
        FS = libc::CLONE_FS, "Root, working directory and umask";
        FILES = libc::CLONE_FILES, "The descriptor table";
        SIGHAND = libc::CLONE_SIGHAND, "Signal handlers; needs `vm`";
        PIDFD = libc::CLONE_PIDFD, "Returns a pidfd of the child";
        PTRACE = libc::CLONE_PTRACE, "The tracer of the creator traces the child too";
        VFORK = libc::CLONE_VFORK, "The creator waits until the child executes or exits";
        PARENT = libc::CLONE_PARENT, "The child's parent is the creator's parent";
        THREAD = libc::CLONE_THREAD, "A thread of the same process; needs `sighand`";
        SYSVSEM = libc::CLONE_SYSVSEM, "Undo values of System V semaphores";
        SETTLS = libc::CLONE_SETTLS, "Sets the thread-local storage";
        PARENT_SETTID = libc::CLONE_PARENT_SETTID, "Writes the child's id into the creator's memory";
        CHILD_CLEARTID = libc::CLONE_CHILD_CLEARTID, "Clears the child's id in its memory on exit, and wakes the futex";
        UNTRACED = libc::CLONE_UNTRACED, "A tracer cannot force `ptrace` on the child";
        CHILD_SETTID = libc::CLONE_CHILD_SETTID, "Writes the child's id into the child's memory";
        IO = libc::CLONE_IO as u32, "The context of the I/O scheduler";
        CLEAR_SIGHAND = 0x1_0000_0000_u64, "Handled signals get their default action; since Linux 5.5";
        INTO_CGROUP = 0x2_0000_0000_u64, "The child starts in another cgroup; since Linux 5.7";
    }

    /// Flags of pidfd_open(2).
    bits PidfdFlags: u32, "PIDFD_" in "linux/pidfd.h", pidfdFlags: PidfdFlag {
        NONBLOCK = libc::O_NONBLOCK, "Waiting on it fails with EAGAIN while the process runs; since Linux 5.10";
        THREAD = libc::O_EXCL, "Refers to one thread; since Linux 6.9";
    }

    /// The targets of pidfd_send_signal(2). None: the target that the descriptor refers to. Since Linux 6.9.
    bits PidfdSignalFlags: u32, "PIDFD_SIGNAL_" in "linux/pidfd.h", pidfdSignalFlags: PidfdSignalFlag {
        THREAD = 1, "The thread";
        THREAD_GROUP = 2, "The process";
        PROCESS_GROUP = 4, "The process group it leads";
    }

    /// Fields that the ioctl `PIDFD_GET_INFO` shall return, and fields that it returned. Since Linux 6.13.
    bits PidfdInfoMask: u64, "PIDFD_INFO_" in "linux/pidfd.h", pidfdInfoMask: PidfdInfoField {
        PID = 0x01, "Ids of the thread, the process and the parent; always returned";
        CREDS = 0x02, "User and group ids; always returned";
        CGROUPID = 0x04, "The id of its cgroup; returned when there is one";
        EXIT = 0x08, "The wait status, also after it was reaped; since Linux 6.15";
        COREDUMP = 0x10, "Whether and how it dumped core; since Linux 6.16";
        SUPPORTED_MASK = 0x20, "All fields this kernel can return; since Linux 6.19";
        COREDUMP_SIGNAL = 0x40, "The signal that made it dump core; since Linux 6.19";
    }

    /// Bits about core dumps, from the ioctl `PIDFD_GET_INFO`. Since Linux 6.16.
    bits PidfdCoredump: u32, "PIDFD_COREDUMP_" in "linux/pidfd.h", pidfdCoredump: PidfdCoredumpBit {
        DUMPED("PIDFD_COREDUMPED") = 0x1, "It dumped core";
        SKIP = 0x2, "It does not dump core";
        USER = 0x4, "It dumps core as its user";
        ROOT = 0x8, "It dumps core as root";
    }

    /// What waitid(2) and wait4(2) wait for, and how.
    bits WaitFlags: u32, "W" in "linux/wait.h", waitFlags: WaitFlag {
        EXITED = libc::WEXITED, "Children that exited";
        STOPPED = libc::WSTOPPED, "Children that were stopped by a signal";
        CONTINUED = libc::WCONTINUED, "Children that were continued by SIGCONT";
        NOHANG = libc::WNOHANG, "Returns at once if there is nothing to report";
        NOWAIT = libc::WNOWAIT, "Leaves the child, so that it can be waited for again";
        NOTHREAD("__WNOTHREAD") = libc::__WNOTHREAD, "Only children of the calling thread";
        ALL("__WALL") = libc::__WALL, "All children, whatever signal they send on exit";
        CLONE("__WCLONE") = libc::__WCLONE as u32, "Only children that do not send SIGCHLD on exit";
    }

    /// How the capabilities of user 0 behave, for prctl(2). A `Locked` bit makes the bit before it final.
    bits Securebits: u32, "SECBIT_" in "linux/securebits.h", securebits: Securebit {
        NOROOT = libc::SECBIT_NOROOT, "User 0 gains nothing on execve(2)";
        NOROOT_LOCKED = libc::SECBIT_NOROOT_LOCKED, "Locks `noroot`";
        NO_SETUID_FIXUP = libc::SECBIT_NO_SETUID_FIXUP, "Changing user ids does not change capabilities";
        NO_SETUID_FIXUP_LOCKED = libc::SECBIT_NO_SETUID_FIXUP_LOCKED, "Locks `noSetuidFixup`";
        KEEP_CAPS = libc::SECBIT_KEEP_CAPS, "Permitted capabilities survive leaving user 0; cleared by execve(2)";
        KEEP_CAPS_LOCKED = libc::SECBIT_KEEP_CAPS_LOCKED, "Locks `keepCaps`";
        NO_CAP_AMBIENT_RAISE = libc::SECBIT_NO_CAP_AMBIENT_RAISE, "Ambient capabilities cannot be added";
        NO_CAP_AMBIENT_RAISE_LOCKED = libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, "Locks `noCapAmbientRaise`";
        EXEC_RESTRICT_FILE = 0x100, "Interpreters shall ask the kernel before running a file; since Linux 6.14";
        EXEC_RESTRICT_FILE_LOCKED = 0x200, "Locks `execRestrictFile`";
        EXEC_DENY_INTERACTIVE = 0x400, "Interpreters shall not run interactive commands; since Linux 6.14";
        EXEC_DENY_INTERACTIVE_LOCKED = 0x800, "Locks `execDenyInteractive`";
    }
}
