//! The exit status that the kernel keeps behind a pidfd, also of a process that was reaped.

use crate::calls::pidfd;
use crate::error::{Failure, Result};
use nix::errno::Errno;
use std::os::fd::RawFd;

/// Returns the wait status of the process behind `pidfd`, a descriptor of this process. `None`: the process was not reaped
/// yet. Linux 6.15.
pub fn of(pidfd: RawFd) -> Result<Option<i32>> {
    let read = || pidfd::exit_status(pidfd).near();
    // The kernel looks for the status first, and for the process afterwards. A process that is reaped in between has
    // neither, and the answer is ESRCH. The second look finds the status.
    match read() {
        Err(Failure::Refused(refusal)) if refusal.errno == Errno::ESRCH => read(),
        answer => answer,
    }
}
