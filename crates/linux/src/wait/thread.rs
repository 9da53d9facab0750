//! Threads of nearfar's own.

use crate::error::{During, Result};
use nix::sys::signal::{pthread_sigmask, SigSet, SigmaskHow};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Starts a thread on which no signal handler of the host program ever runs.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    spawn_boxed(name, Box::new(run))
}

/// Calls `run`, and returns false if it panics. The panic hook has reported the panic then. All that the callers share with
/// other code lies behind mutexes, which are used after a panic as they were left.
pub(crate) fn catch(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_ok()
}

/// Compiled once, not once for each closure.
fn spawn_boxed(name: &str, run: Box<dyn FnOnce() + Send>) -> Result<()> {
    let mut before = SigSet::empty();
    // A new thread inherits the mask of its creator.
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before)).during("sigprocmask")?;
    // Somebody waits for what this thread does. A thread that ends by a panic would leave them waiting for ever, and so the
    // process ends.
    let run = move || {
        if !catch(run) {
            std::process::abort();
        }
    };
    let thread = std::thread::Builder::new().name(name.into()).stack_size(256 * 1024).spawn(run);
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None).during("sigprocmask")?;
    thread.map(drop).during("clone")
}
