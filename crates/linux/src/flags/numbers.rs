//! Enumerations: one name is one number, and they are never combined.

use super::flags;

flags! {
    /// Options of prctl(2).
    choice PrctlOption: u32, "PR_" in "linux/prctl.h", prctlOptions: PrctlOption {
        SET_PDEATHSIG = libc::PR_SET_PDEATHSIG, "Sets the signal sent when the parent thread ends";
        GET_PDEATHSIG = libc::PR_GET_PDEATHSIG, "Reads the signal sent when the parent thread ends";
        GET_DUMPABLE = libc::PR_GET_DUMPABLE, "Reads whether the process can dump core and be traced";
        SET_DUMPABLE = libc::PR_SET_DUMPABLE, "Sets whether the process can dump core and be traced";
        GET_KEEPCAPS = libc::PR_GET_KEEPCAPS, "Reads whether permitted capabilities survive leaving user 0";
        SET_KEEPCAPS = libc::PR_SET_KEEPCAPS, "Sets whether permitted capabilities survive leaving user 0";
        SET_NAME = libc::PR_SET_NAME, "Sets the name of the thread, at most 15 bytes";
        GET_NAME = libc::PR_GET_NAME, "Reads the name of the thread";
        GET_SECCOMP = libc::PR_GET_SECCOMP, "Reads whether system calls are restricted, and how";
        SET_SECCOMP = libc::PR_SET_SECCOMP, "Restricts the system calls of the thread, for ever";
        CAPBSET_READ = libc::PR_CAPBSET_READ, "Reads whether a capability is in the bounding set";
        CAPBSET_DROP = libc::PR_CAPBSET_DROP, "Removes a capability from the bounding set";
        GET_SECUREBITS = libc::PR_GET_SECUREBITS, "Reads the securebits";
        SET_SECUREBITS = libc::PR_SET_SECUREBITS, "Sets the securebits";
        SET_TIMERSLACK = libc::PR_SET_TIMERSLACK, "Sets how late timers may fire, in nanoseconds";
        GET_TIMERSLACK = libc::PR_GET_TIMERSLACK, "Reads how late timers may fire, in nanoseconds";
        SET_CHILD_SUBREAPER = libc::PR_SET_CHILD_SUBREAPER, "Sets whether orphaned descendants become children";
        GET_CHILD_SUBREAPER = libc::PR_GET_CHILD_SUBREAPER, "Reads whether orphaned descendants become children";
        SET_NO_NEW_PRIVS = libc::PR_SET_NO_NEW_PRIVS, "Makes execve(2) grant nothing, for ever";
        GET_NO_NEW_PRIVS = libc::PR_GET_NO_NEW_PRIVS, "Reads whether execve(2) grants nothing";
        SET_THP_DISABLE = libc::PR_SET_THP_DISABLE, "Sets whether transparent huge pages are off";
        GET_THP_DISABLE = libc::PR_GET_THP_DISABLE, "Reads whether transparent huge pages are off";
        CAP_AMBIENT = libc::PR_CAP_AMBIENT, "Reads or changes the ambient set";
        SET_PTRACER = 0x5961_6d61, "Permits one process to trace this one, under the Yama security module";
    }

    /// Operations of the prctl(2) option `capAmbient`.
    choice AmbientOperation: u32, "PR_CAP_AMBIENT_" in "linux/prctl.h", ambientOperations: AmbientOperation {
        IS_SET = libc::PR_CAP_AMBIENT_IS_SET, "Reads whether a capability is in the set";
        RAISE = libc::PR_CAP_AMBIENT_RAISE, "Adds a capability";
        LOWER = libc::PR_CAP_AMBIENT_LOWER, "Removes a capability";
        CLEAR_ALL = libc::PR_CAP_AMBIENT_CLEAR_ALL, "Removes all capabilities";
    }

    /// What a filter of seccomp(2) does with a system call, without the actions that take a number.
    choice SeccompAction: u32, "SECCOMP_RET_" in "linux/seccomp.h", seccompActions: SeccompActionName {
        ALLOW = 0x7fff_0000, "The kernel makes the call";
        LOG = 0x7ffc_0000, "The kernel makes the call and logs it";
        TRAP = 0x0003_0000, "The thread gets the signal SIGSYS";
        KILL("SECCOMP_RET_KILL_PROCESS") = 0x8000_0000_u32, "The process ends with SIGSYS";
        KILL_THREAD = 0, "The thread ends as with SIGSYS";
    }

    /// The ioctls that open a namespace of a pidfd's process. Since Linux 6.11.
    choice PidfdNamespace: u32, "PIDFD_GET_" in "linux/pidfd.h", pidfdNamespaces: PidfdNamespace {
        CGROUP("PIDFD_GET_CGROUP_NAMESPACE") = 0xff01, "The root of the cgroup tree";
        IPC("PIDFD_GET_IPC_NAMESPACE") = 0xff02, "System V objects and POSIX message queues";
        MNT("PIDFD_GET_MNT_NAMESPACE") = 0xff03, "Mounts";
        NET("PIDFD_GET_NET_NAMESPACE") = 0xff04, "Network devices, addresses, ports and rules";
        PID("PIDFD_GET_PID_NAMESPACE") = 0xff05, "Process ids";
        PID_FOR_CHILDREN("PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE") = 0xff06, "Process ids of its children";
        TIME("PIDFD_GET_TIME_NAMESPACE") = 0xff07, "Offsets of the monotonic and boot clocks";
        TIME_FOR_CHILDREN("PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE") = 0xff08, "Offsets of the clocks of its children";
        USER("PIDFD_GET_USER_NAMESPACE") = 0xff09, "User ids, group ids and capabilities";
        UTS("PIDFD_GET_UTS_NAMESPACE") = 0xff0a, "Host name and domain name";
    }

    /// What prlimit(2) limits.
    choice Resource: u32, "RLIMIT_" in "linux/resource.h", resources: Resource {
        CPU = libc::RLIMIT_CPU, "Processor time, in seconds";
        FSIZE = libc::RLIMIT_FSIZE, "Size of a file it writes, in bytes";
        DATA = libc::RLIMIT_DATA, "Data segment, in bytes";
        STACK = libc::RLIMIT_STACK, "Stack, in bytes";
        CORE = libc::RLIMIT_CORE, "Size of a core dump, in bytes";
        RSS = libc::RLIMIT_RSS, "Resident memory, in bytes; has no effect";
        NPROC = libc::RLIMIT_NPROC, "Threads of the real user";
        NOFILE = libc::RLIMIT_NOFILE, "Highest descriptor, plus one";
        MEMLOCK = libc::RLIMIT_MEMLOCK, "Locked memory, in bytes";
        AS = libc::RLIMIT_AS, "Address space, in bytes";
        LOCKS = libc::RLIMIT_LOCKS, "File locks; has no effect";
        SIGPENDING = libc::RLIMIT_SIGPENDING, "Signals queued for the real user";
        MSGQUEUE = libc::RLIMIT_MSGQUEUE, "POSIX message queues of the real user, in bytes";
        NICE = libc::RLIMIT_NICE, "Lowest nice value: 20 minus the limit";
        RTPRIO = libc::RLIMIT_RTPRIO, "Highest real-time priority";
        RTTIME = libc::RLIMIT_RTTIME, "Real-time processor time without a blocking call, in microseconds";
    }

    /// Processes whose nice value getpriority(2) and setpriority(2) mean.
    choice PriorityWhich: u32, "PRIO_" in "linux/resource.h", priorityWhich: PriorityWhich {
        PROCESS = libc::PRIO_PROCESS, "A process: of one with several threads, its first one alone";
        GROUP("PRIO_PGRP") = libc::PRIO_PGRP, "All of a process group";
        USER = libc::PRIO_USER, "All of a real user";
    }

    /// How sigprocmask(2) combines the mask with a set.
    choice SigprocmaskHow: u32, "SIG_" in "linux/signal.h", sigprocmaskHow: SigprocmaskHow {
        BLOCK = libc::SIG_BLOCK, "Adds the set";
        UNBLOCK = libc::SIG_UNBLOCK, "Takes the set away";
        SETMASK = libc::SIG_SETMASK, "Makes the set the mask";
    }

    /// What a socket speaks, and what its addresses look like.
    choice SocketFamily: i32, "AF_" in "sys/socket.h", socketFamilies: SocketFamily {
        INET = libc::AF_INET, "IPv4";
        INET6 = libc::AF_INET6, "IPv6";
        UNIX = libc::AF_UNIX, "Processes of one machine, by a path or an abstract name";
        NETLINK = libc::AF_NETLINK, "Messages with the kernel";
        PACKET = libc::AF_PACKET, "Frames of a network device";
        VSOCK = libc::AF_VSOCK, "A virtual machine and its host";
    }

    /// How a socket carries data.
    choice SocketType: i32, "SOCK_" in "sys/socket.h", socketTypes: SocketType {
        STREAM = libc::SOCK_STREAM, "Bytes in order, over a connection";
        DGRAM = libc::SOCK_DGRAM, "Messages, without a connection";
        SEQPACKET = libc::SOCK_SEQPACKET, "Messages in order, over a connection";
        RAW = libc::SOCK_RAW, "Packets with their headers";
    }

    /// What flock(2) does with the lock of an open file.
    choice FlockOperation: i32, "LOCK_" in "linux/fcntl.h", flockOperations: FlockOperation {
        SHARED("LOCK_SH") = libc::LOCK_SH, "Takes a lock that others may share";
        EXCLUSIVE("LOCK_EX") = libc::LOCK_EX, "Takes a lock that excludes all others";
        UNLOCK("LOCK_UN") = libc::LOCK_UN, "Gives the lock up";
    }

    /// What a lock of fcntl(2) allows to others.
    choice LockType: u16, "F_" in "linux/fcntl.h", lockTypes: LockType {
        READ("F_RDLCK") = libc::F_RDLCK, "Others may read-lock the range too";
        WRITE("F_WRLCK") = libc::F_WRLCK, "Others may not lock the range";
        UNLOCK("F_UNLCK") = libc::F_UNLCK, "Gives the locks of the range up";
    }

    /// Capabilities, by number, not by bit.
    choice Capability: u8, "CAP_" in "linux/capability.h", capabilities: Capability {
        CHOWN = 0, "Changes owners of files";
        DAC_OVERRIDE = 1, "Reads, writes and executes files whatever their mode";
        DAC_READ_SEARCH = 2, "Reads files and searches directories whatever their mode";
        FOWNER = 3, "Does with a file what only its owner may";
        FSETID = 4, "Keeps set-user-id and set-group-id bits when a file changes";
        KILL = 5, "Signals any process";
        SETGID = 6, "Sets group ids and supplementary groups";
        SETUID = 7, "Sets user ids";
        SETPCAP = 8, "Changes the bounding set, the inheritable set and the securebits";
        LINUX_IMMUTABLE = 9, "Sets the immutable and append-only attributes of files";
        NET_BIND_SERVICE = 10, "Binds ports below 1024";
        NET_BROADCAST = 11, "Broadcasts and listens to multicast; unused";
        NET_ADMIN = 12, "Configures the network";
        NET_RAW = 13, "Uses raw and packet sockets";
        IPC_LOCK = 14, "Locks memory without limit";
        IPC_OWNER = 15, "Uses System V objects whatever their mode";
        SYS_MODULE = 16, "Loads and unloads kernel modules";
        SYS_RAWIO = 17, "Accesses devices and I/O ports directly";
        SYS_CHROOT = 18, "Changes the root directory and enters mount namespaces";
        SYS_PTRACE = 19, "Traces any process";
        SYS_PACCT = 20, "Configures process accounting";
        SYS_ADMIN = 21, "Mounts, enters namespaces, and much else";
        SYS_BOOT = 22, "Reboots, and loads another kernel";
        SYS_NICE = 23, "Raises priorities and changes the scheduling of any process";
        SYS_RESOURCE = 24, "Exceeds resource limits and quotas";
        SYS_TIME = 25, "Sets the clocks";
        SYS_TTY_CONFIG = 26, "Configures terminals and hangs them up";
        MKNOD = 27, "Makes device files";
        LEASE = 28, "Takes leases on any file";
        AUDIT_WRITE = 29, "Writes to the audit log";
        AUDIT_CONTROL = 30, "Configures auditing";
        SETFCAP = 31, "Sets capabilities of files, and maps user 0 into a namespace";
        MAC_OVERRIDE = 32, "Overrides mandatory access control, where a security module says so";
        MAC_ADMIN = 33, "Configures mandatory access control";
        SYSLOG = 34, "Reads the kernel log and sees kernel addresses";
        WAKE_ALARM = 35, "Sets timers that wake the system";
        BLOCK_SUSPEND = 36, "Keeps the system from suspending";
        AUDIT_READ = 37, "Reads the audit log; since Linux 3.16";
        PERFMON = 38, "Observes performance; since Linux 5.8";
        BPF = 39, "Loads BPF programs; since Linux 5.8";
        CHECKPOINT_RESTORE = 40, "Checkpoints and restores processes; since Linux 5.9";
    }

    /// The 31 standard signals. Real-time signals are numbers.
    choice Signal: u8, "" in "linux/signal.h", signals: Signal {
        SIGHUP = libc::SIGHUP, "The terminal hung up, or the session leader exited";
        SIGINT = libc::SIGINT, "Interrupted from the keyboard";
        SIGQUIT = libc::SIGQUIT, "Quit from the keyboard, with a core dump";
        SIGILL = libc::SIGILL, "Illegal instruction";
        SIGTRAP = libc::SIGTRAP, "Breakpoint or other trap";
        SIGABRT = libc::SIGABRT, "Aborted itself";
        SIGBUS = libc::SIGBUS, "Access to memory that has nothing behind it";
        SIGFPE = libc::SIGFPE, "Arithmetic error";
        SIGKILL = libc::SIGKILL, "Killed; cannot be caught";
        SIGUSR1 = libc::SIGUSR1, "For the program to define";
        SIGSEGV = libc::SIGSEGV, "Invalid access to memory";
        SIGUSR2 = libc::SIGUSR2, "For the program to define";
        SIGPIPE = libc::SIGPIPE, "Wrote to a pipe or socket that nobody reads";
        SIGALRM = libc::SIGALRM, "A real-time timer expired";
        SIGTERM = libc::SIGTERM, "Asked to terminate";
        SIGSTKFLT = libc::SIGSTKFLT, "Unused";
        SIGCHLD = libc::SIGCHLD, "A child exited, stopped or continued";
        SIGCONT = libc::SIGCONT, "Continues a stopped process";
        SIGSTOP = libc::SIGSTOP, "Stopped; cannot be caught";
        SIGTSTP = libc::SIGTSTP, "Stopped from the terminal";
        SIGTTIN = libc::SIGTTIN, "Read from the terminal in the background";
        SIGTTOU = libc::SIGTTOU, "Wrote to the terminal in the background";
        SIGURG = libc::SIGURG, "Urgent data on a socket";
        SIGXCPU = libc::SIGXCPU, "Exceeded the limit of processor time";
        SIGXFSZ = libc::SIGXFSZ, "Exceeded the limit of file size";
        SIGVTALRM = libc::SIGVTALRM, "A timer of the process's own time expired";
        SIGPROF = libc::SIGPROF, "A profiling timer expired";
        SIGWINCH = libc::SIGWINCH, "The terminal's window changed its size";
        SIGIO = libc::SIGIO, "Input or output is possible";
        SIGPWR = libc::SIGPWR, "The power is about to fail";
        SIGSYS = libc::SIGSYS, "Bad system call";
    }
}
