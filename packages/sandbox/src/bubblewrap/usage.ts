/** What `--help` prints behind its first line. */
export const help = `
Runs COMMAND as bubblewrap does: the same options, in the same order, with the same
messages. The defaults are those of bubblewrap, and weaker than those of "nearfar run":
user 0 keeps its capabilities, no system call is filtered, the environment and open
descriptors are passed on, and a namespace is shared unless an option unshares it.

    --help                       Print this help
    --version                    Print the version of bubblewrap that is meant
    --args FD                    Read more options from FD, each with a NUL behind
    --argv0 VALUE                Give the command VALUE as argv[0]
    --level-prefix               Begin messages with their level, such as <3>

    --unshare-all                Unshare all of the following, user and cgroup if possible
    --share-net                  Keep the network all the same
    --unshare-user, -user-try    New user namespace, or one if possible; implied unless root
    --unshare-ipc                New namespace of System V IPC and POSIX message queues
    --unshare-pid                New namespace of processes
    --unshare-net                New network, with nothing but loopback
    --unshare-uts                New namespace of the host name
    --unshare-cgroup, -cgroup-try  New cgroup namespace, or one if possible
    --userns FD                  Enter this user namespace; not with --unshare-user
    --userns2 FD                 Enter this user namespace when the root is made
    --disable-userns             Forbid user namespaces inside; needs --unshare-user
    --assert-userns-disabled     Fail if user namespaces are possible inside
    --pidns FD                   Enter this pid namespace
    --uid UID, --gid GID         Ids inside; need --unshare-user or --userns
    --hostname NAME              Host name inside; needs --unshare-uts
    --chdir DIR                  Begin in DIR
    --clearenv                   Empty the environment
    --setenv VAR VALUE           Set a variable
    --unsetenv VAR               Remove a variable
    --lock-file DEST             Hold a read lock on DEST while the command runs
    --sync-fd FD                 Keep FD open while the sandbox runs

    --bind SRC DEST              Show SRC at DEST; --bind-try: if there is a SRC
    --dev-bind SRC DEST          The same, with use of devices; --dev-bind-try
    --ro-bind SRC DEST           The same, read-only; --ro-bind-try
    --bind-fd FD DEST            Show an open file or directory; --ro-bind-fd: read-only
    --remount-ro DEST            Make the mount at DEST read-only, not those below it
    --overlay-src SRC            A layer of the next overlay, the lowest first
    --overlay RWSRC WORKDIR DEST An overlay that writes to RWSRC
    --tmp-overlay DEST           An overlay that writes to memory
    --ro-overlay DEST            An overlay that cannot be written
    --proc DEST                  A procfs, new with a new pid namespace
    --dev DEST                   A new /dev
    --tmpfs DEST                 A new file system in memory
    --mqueue DEST                The POSIX message queues
    --dir DEST                   A directory
    --file FD DEST               A file with what FD holds
    --bind-data FD DEST          The same, mounted on DEST; --ro-bind-data: read-only
    --symlink TARGET DEST        A symbolic link
    --chmod OCTAL PATH           Change the mode of a file
    --perms OCTAL                The mode of what the next option makes
    --size BYTES                 The size of the next --tmpfs

    --seccomp FD                 Filter system calls by the program in FD
    --add-seccomp-fd FD          The same, repeatable
    --block-fd FD                Begin when something can be read from FD
    --userns-block-fd FD         Go on when FD says that the ids are mapped
    --info-fd FD                 Write what runs to FD, as JSON
    --json-status-fd FD          Write what happens to FD, as lines of JSON
    --new-session                A new session without a terminal
    --die-with-parent            Kill the command when the parent of this process dies
    --as-pid-1                   Let the command be process 1
    --cap-add CAP, --cap-drop CAP  Change the capabilities; CAP may be ALL
    --exec-label, --file-label LABEL  Refused: there is no SELinux label
    --not-a-security-boundary    Show a tree also where it cannot be made read-only
    --refuse-symlinks            Not of bubblewrap: refuse a DEST that is a link, as its
                                 version 0.12 does. Otherwise a link leads inside.

Different from bubblewrap: processes that the command leaves behind in its pid namespace
end with it, and with nearfar-bwrap. /proc/self/exe as COMMAND is nearfar-bwrap.
`;
