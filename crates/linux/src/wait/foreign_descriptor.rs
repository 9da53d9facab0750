//! Descriptors that another process has made. Closing one can block for as long as its maker likes: a socket with SO_LINGER
//! waits for its peer, and a file of FUSE waits for its daemon.

use crate::wait::thread;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

/// Descriptors that have come with a message. Those that are not taken out are closed on a thread of their own.
#[derive(Debug, Default)]
pub struct ForeignDescriptors(Vec<OwnedFd>);

impl ForeignDescriptors {
    /// Takes over descriptors.
    pub fn new(fds: Vec<OwnedFd>) -> Self {
        ForeignDescriptors(fds)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the first one out. The caller knows which file it is, or that a user has asked for it.
    pub(crate) fn take_first(&mut self) -> Option<OwnedFd> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

impl Drop for ForeignDescriptors {
    fn drop(&mut self) {
        close_elsewhere(std::mem::take(&mut self.0));
    }
}

/// Closes descriptors on a thread of their own.
pub(crate) fn close_elsewhere(fds: Vec<OwnedFd>) {
    if fds.is_empty() {
        return;
    }
    let numbers: Vec<_> = fds.into_iter().map(IntoRawFd::into_raw_fd).collect();
    // A thread that cannot be made leaves the descriptors open: a leak is better than an event loop that stands still.
    let _ = thread::spawn("nearfar-close", move || {
        for fd in numbers {
            // SAFETY: `into_raw_fd` has given up the ownership of this open descriptor, and this closure alone has its number.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    });
}
