//! Descriptors that JavaScript waits to read from.

use crate::error::Result;
use crate::wait::reactor;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A descriptor of our own that is watched, and whom to tell when there is something to read.
pub struct Readable {
    id: u64,
    fd: OwnedFd,
    tell: Box<dyn Fn() + Send + Sync>,
}

impl Readable {
    /// Tells once when `fd` has something to read, and again after each [`Readable::again`]. Nothing is read here: what
    /// is read must be given to somebody, and only who waits knows whether he still does.
    pub fn watch(id: u64, fd: OwnedFd, tell: Box<dyn Fn() + Send + Sync>) -> Result<Arc<Self>> {
        let readable = Arc::new(Readable { id, fd, tell });
        readable.again()?;
        Ok(readable)
    }

    /// Watches for the next time.
    pub fn again(self: &Arc<Self>) -> Result<()> {
        reactor::watch_readable(self.id, self)
    }

    /// The descriptor.
    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// There is something to read.
    pub(crate) fn wake(&self) {
        (self.tell)();
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        // The open file lives on behind other descriptors, and with it would what epoll knows of this one.
        reactor::forget_readable(self.id, &self.fd);
    }
}

impl fmt::Debug for Readable {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.id.fmt(formatter)
    }
}
