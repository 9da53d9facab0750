//! Threads of nearfar's own.

use crate::error::{During, Result};
use nix::sys::signal::{pthread_sigmask, SigSet, SigmaskHow};

/// Starts a thread on which no signal handler of the host program ever runs.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    spawn_boxed(name, Box::new(run))
}

/// Compiled once, not once for each closure.
fn spawn_boxed(name: &str, run: Box<dyn FnOnce() + Send>) -> Result<()> {
    let mut before = SigSet::empty();
    // A new thread inherits the mask of its creator.
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before)).during("sigprocmask")?;
    let thread = std::thread::Builder::new().name(name.into()).stack_size(256 * 1024).spawn(run);
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None).during("sigprocmask")?;
    thread.map(drop).during("clone")
}
