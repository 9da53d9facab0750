//! Processes that have ended. Until they are reaped, `/proc` still shows their wait status.

use crate::wait::proc_directory::{self, stat_field};
use nix::fcntl::readlinkat;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// The place of the state among the fields that follow the name in `/proc/<pid>/stat`.
const STATE: usize = 0;
/// The place of the wait status among the same fields. proc(5) counts from 1 and calls this field 52, the state 3.
const EXIT_CODE: usize = 52 - 3;

/// True when the process has ended. It may be reaped already.
pub(crate) fn has_ended(pidfd: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Returns the wait status of a process that was not reaped. `None`: `/proc` does not show it.
///
/// `pidfd` is a descriptor of this process. It must have reported the end of the process: the kernel also shows a process
/// as a zombie whose first thread has ended before the others.
pub fn wait_status(pidfd: RawFd) -> Option<i32> {
    let directory = proc_directory::open(pidfd)?;
    // The kernel shows the status as 0 to a reader that may not trace the process. Reading this link needs the same
    // permission, so a failure here means that the 0 would not be true.
    readlinkat(&directory, "ns/user").ok()?;
    let stat = proc_directory::read(&directory, "stat")?;
    (stat_field(&stat, STATE)? == "Z").then(|| stat_field(&stat, EXIT_CODE)?.parse().ok())?
}
