//! The end of a task that is not wanted any more, and of one that has sent something that no stub sends. Another process may
//! have got hold of the latter, and nothing that it sends later can be trusted either.

use super::Channel;
use crate::error::{Failure, Result};
use crate::wait::child::Child;
use std::sync::Arc;

impl Channel {
    /// Returns `result`. If it is [`Failure::Broken`], kills the task first.
    pub(crate) fn break_off_if_broken<T>(&self, result: Result<T>) -> Result<T> {
        if matches!(result, Err(Failure::Broken(_))) {
            self.kill();
        }
        result
    }

    /// Remembers the task, and kills it at once if [`Channel::kill`] was called before.
    pub(crate) fn set_process(&self, process: &Arc<Child>) {
        let mut state = self.lock();
        state.process = Arc::downgrade(process);
        let killed = state.killed;
        drop(state);
        if killed {
            self.kill();
        }
    }

    /// Returns the task, if it was cloned and has not been reaped.
    pub(crate) fn process(&self) -> Option<Arc<Child>> {
        self.lock().process.upgrade()
    }

    /// Kills the task as [`Channel::kill`] does, after the replies to the clone of the task and to a clone that the task makes, if
    /// their cloners run. Without such a reply nobody knows which process is new, and a new process in a frozen cgroup does not
    /// end with its channel. This process may end right afterwards. Returns false when the task is not known yet.
    pub fn give_up(self: &Arc<Self>) -> bool {
        self.lock().gone = true;
        self.receive_clone_reply();
        self.receive_replies_to_clones();
        self.kill();
        self.process().is_some()
    }

    /// Receives the reply to the clone of this task, unless it was read before or its cloner does not run. The cloner may be a task
    /// that is still being cloned too.
    fn receive_clone_reply(&self) {
        let state = self.lock();
        let cloner = if state.is_being_cloned { state.cloner.upgrade() } else { None };
        drop(state);
        if let Some(cloner) = cloner {
            cloner.receive_clone_reply();
            cloner.receive_replies_to_clones();
        }
    }

    /// Receives the reply to the clone that this task makes, unless the task does not run. What is sent to the task before that clone
    /// is replied to first.
    fn receive_replies_to_clones(self: &Arc<Self>) {
        if self.lock().clones > 0 {
            self.receive_job_reply_while_it_runs();
            self.await_reading_of_clone();
        }
    }

    /// Hangs up, and kills the task. A task that is not known yet is killed when the reply to its clone is read: it may
    /// be in a frozen cgroup, where the end of its channel does not end it.
    #[cold]
    pub fn kill(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.killed = true;
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
