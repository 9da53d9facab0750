//! Descriptors that JavaScript waits to read from or to write to, or whose file it waits to see changed.

use crate::error::Result;
pub use crate::wait::reactor::Ready;

use crate::wait::reactor::{self, Wake};
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// A watched descriptor, and what to call when it is ready.
pub struct Watched {
    id: u64,
    fd: OwnedFd,
    ready: Ready,
    listener: Box<dyn Fn() + Send + Sync>,
}

impl Watched {
    /// Calls `listener` once when `fd` is ready, and once more after each [`Watched::again`]. The reactor reads nothing itself: by
    /// the time it has read, the waiter may have given up, and the data would be lost.
    pub fn watch(id: u64, fd: OwnedFd, ready: Ready, listener: Box<dyn Fn() + Send + Sync>) -> Result<Arc<Self>> {
        let watched = Arc::new(Watched { id, fd, ready, listener });
        watched.again()?;
        Ok(watched)
    }

    /// Watches for the next time.
    pub fn again(self: &Arc<Self>) -> Result<()> {
        reactor::watch(self.id, self.fd.as_fd(), self.ready, Arc::new(Arc::downgrade(self)))
    }
}

impl Wake for Watched {
    fn wake(self: Arc<Self>) {
        (self.listener)();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        reactor::forget(self.id);
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.id.fmt(formatter)
    }
}
