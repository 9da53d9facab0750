//! A sequence of calls together with the descriptors of this process that go along with its message.

use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, JobDone};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A sequence, and the descriptors that go along with it.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub sequence: Sequence,
    fds: Vec<Arc<OwnedFd>>,
}

impl Outgoing {
    /// Has a descriptor go along. Returns its index, by which a call of the sequence names it.
    pub fn pass(&mut self, fd: Arc<OwnedFd>) -> u32 {
        self.fds.push(fd);
        self.fds.len() as u32 - 1
    }

    /// Returns how many descriptors go along.
    pub fn passed(&self) -> usize {
        self.fds.len()
    }

    /// Submits the sequence as a job; see [`Channel::submit`].
    pub fn submit(self, task: &Arc<Channel>, done: JobDone) {
        task.submit(self.sequence, self.fds, done);
    }

    /// Submits the sequence as a job; see [`Channel::submit_with_patience`].
    pub fn submit_with_patience(self, task: &Arc<Channel>, patience: Duration, done: JobDone) {
        task.submit_with_patience(self.sequence, self.fds, patience, done);
    }
}
