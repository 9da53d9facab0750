//! The directory of a process in `/proc`, found by the pidfd of the process.

use nix::fcntl::{open as open_file, OFlag};
use nix::sys::stat::Mode;
use std::os::fd::{OwnedFd, RawFd};

/// Opens `/proc/<pid>` of the process of `pidfd`, a descriptor of this process. `None`: the process was reaped, or
/// `/proc` does not show it.
///
/// A file that is opened below the directory later is a file of the same process, or fails to be read when the process
/// was reaped: it never is a file of another process with the same pid.
pub(crate) fn open(pidfd: RawFd) -> Option<OwnedFd> {
    let pid = pid_in_proc(pidfd)?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = open_file(format!("/proc/{pid}").as_str(), flags, Mode::empty()).ok()?;
    // A process that has the pid before and after the open had it in between.
    (pid_in_proc(pidfd) == Some(pid)).then_some(directory)
}

/// Returns the number by which `/proc` knows the process of `pidfd`. `/proc` may belong to another pid namespace than
/// this process: then the number is not the one that kill(2) takes.
pub(crate) fn pid_in_proc(pidfd: RawFd) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/thread-self/fdinfo/{pidfd}")).ok()?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()?;
    // The kernel writes -1 for a process that was reaped, and 0 for one outside the pid namespace of `/proc`.
    (pid > 0).then_some(pid)
}
