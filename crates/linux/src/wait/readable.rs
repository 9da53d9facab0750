//! Descriptors that JavaScript waits to read from.

use crate::error::Result;
use crate::wait::reactor::{self, Ready, Wake};
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// A watched descriptor, and what to call when it has something to read.
pub struct Readable {
    id: u64,
    fd: OwnedFd,
    listener: Box<dyn Fn() + Send + Sync>,
}

impl Readable {
    /// Calls `listener` once when `fd` has something to read, and once more after each [`Readable::again`]. The reactor
    /// reads nothing itself: by the time it has read, the waiter may have given up, and the data would be lost.
    pub fn watch(id: u64, fd: OwnedFd, listener: Box<dyn Fn() + Send + Sync>) -> Result<Arc<Self>> {
        let readable = Arc::new(Readable { id, fd, listener });
        readable.again()?;
        Ok(readable)
    }

    /// Watches for the next time.
    pub fn again(self: &Arc<Self>) -> Result<()> {
        reactor::watch(self.id, self.fd.as_fd(), Ready::Read, Arc::new(Arc::downgrade(self)))
    }
}

impl Wake for Readable {
    fn wake(self: Arc<Self>) {
        (self.listener)();
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        reactor::forget(self.id);
    }
}

impl fmt::Debug for Readable {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.id.fmt(formatter)
    }
}
