//! The end of a channel on which something has come that no stub sends. Another process may have got hold of the task, and so
//! the task is killed: nothing that it sends later can be trusted either.

use super::Channel;
use crate::error::{Failure, Result};
use crate::wait::child::Child;
use std::sync::Arc;

impl Channel {
    /// Returns `result`. If it is [`Failure::Broken`], hangs up first and kills the task.
    pub(crate) fn break_off_if_broken<T>(&self, result: Result<T>) -> Result<T> {
        if matches!(result, Err(Failure::Broken(_))) {
            self.break_off();
        }
        result
    }

    /// Remembers the task, and kills it at once if it has broken off before it was known.
    pub(crate) fn set_process(&self, process: &Arc<Child>) {
        let mut state = self.lock();
        state.process = Arc::downgrade(process);
        let broken = state.broken;
        drop(state);
        if broken {
            self.break_off();
        }
    }

    /// Returns the task, if it was cloned and has not been reaped.
    pub(crate) fn process(&self) -> Option<Arc<Child>> {
        self.lock().process.upgrade()
    }

    #[cold]
    fn break_off(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.broken = true;
        let process = state.process.upgrade();
        drop(state);
        // EPERM: the task runs as another user by now. Without its channel, a task that is a stub ends by itself.
        let _ = process.map(|process| process.signal(libc::SIGKILL));
        self.hang_up();
    }
}

/// True when no sequence may be sent after this failure.
pub(super) fn ends_channel(failure: &Failure) -> bool {
    matches!(failure, Failure::Gone | Failure::Executed | Failure::Broken(_))
}
