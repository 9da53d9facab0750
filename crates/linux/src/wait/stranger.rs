//! Processes that nearfar did not start: waiting for the end, or for a change of state, of the process of a pidfd.

use crate::calls::process::{waitid, ChildState};
use crate::error::{During, Failure, Result};
use crate::wait::reactor::{self, Ready, Wake};
use crate::wait::thread;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex};

/// Called once, with the state where it is known.
pub type Listener = Box<dyn FnOnce(Option<ChildState>) + Send>;

/// The end of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The process has ended.
    Ended,
    /// The process was reaped.
    Reaped,
    /// waitid(2) reports a change, or refuses: its options. The change stays there to be waited for.
    Changed(i32),
}

struct Stranger {
    id: u64,
    listener: Mutex<Option<Listener>>,
}

impl Wake for Stranger {
    fn wake(self: Arc<Self>) {
        // A thread that has called `forget` in the meantime may have closed the pidfd: then the listener is not called.
        if reactor::forget(self.id) {
            let listener = self.listener.lock().unwrap_or_else(|broken| broken.into_inner()).take();
            listener.into_iter().for_each(|listener| listener(None));
        }
    }
}

/// Calls `listener` once, when the process of `pidfd` has come to what `until` says.
///
/// Until then, or until [`forget`], the caller keeps `pidfd` open. With [`Until::Changed`] a thread waits, with a copy of
/// `pidfd`: a pidfd does not become ready by a stop or a continuation.
pub fn watch(id: u64, pidfd: BorrowedFd, until: Until, listener: Listener) -> Result<()> {
    let ready = match until {
        Until::Ended => Ready::Read,
        Until::Reaped => Ready::HangUp,
        Until::Changed(options) => return watch_changes(pidfd, options, listener),
    };
    reactor::watch(id, pidfd, ready, Arc::new(Stranger { id, listener: Mutex::new(Some(listener)) }))
}

/// Stops watching. The listener of an [`Until::Changed`] is called all the same.
pub fn forget(id: u64) {
    reactor::forget(id);
}

fn watch_changes(pidfd: BorrowedFd, options: i32, listener: Listener) -> Result<()> {
    let pidfd = pidfd.try_clone_to_owned().during("fcntl")?;
    thread::spawn("nearfar-stops", move || loop {
        match waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options | libc::WNOWAIT | libc::__WALL).near() {
            Err(Failure::Refused(refusal)) if refusal.errno == Errno::EINTR => {}
            other => return listener(other.ok().flatten().map(|(state, _)| state)),
        }
    })
}
