//! Descriptors of nearfar's own in this process.

use crate::call::Call;
use crate::error::{During, Result};
use crate::owned;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Moves a descriptor to a number above 2. In a process that has closed its stdin, stdout or stderr, a new descriptor
/// gets such a number, and every task would inherit it as stdio.
pub(crate) fn above_stdio(fd: OwnedFd) -> Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    // SAFETY: fcntl takes numbers here and touches no memory; `fd` is open until this function returns.
    let moved = Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) }).during("fcntl")?;
    // SAFETY: the kernel has just made this descriptor, and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// Makes a call that returns a descriptor, in this process, for nearfar's own use. The end of a Worker does not close the
/// descriptor: the number may be another file's by then.
pub(crate) fn make(call: Call<i32>) -> Result<OwnedFd> {
    let fd = call.near()?;
    owned::forget(fd, fd);
    // SAFETY: the kernel has just made this descriptor, and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
