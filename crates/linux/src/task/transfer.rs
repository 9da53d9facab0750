//! Descriptors that are copied into a task, copied out of it, and closed there.

use crate::call::Arg;
use crate::calls::descriptor;
use crate::calls::stub::attach;
use crate::error::{refused, Result};
use crate::own_descriptor;
use crate::sequence::list::Sequence;
use crate::task::channel::Channel;
use crate::wait::foreign_descriptor::ForeignDescriptors;
use nix::errno::Errno;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

/// Copies a descriptor of this process into a task, to `number` or to the lowest number that is free. Returns the
/// number.
pub fn put(task: &Arc<Channel>, fd: RawFd, number: Option<i32>, close_on_exec: bool) -> Result<i32> {
    let mut sequence = Sequence::default();
    let step = sequence.step(descriptor::put_passed(0, number, close_on_exec));
    let (reply, _) = task.run(&sequence, &[fd])?;
    match sequence.failure(&reply, 0) {
        Some(failure) => Err(failure.without_step()),
        None => Ok(reply.result(step).unwrap_or(-1) as i32),
    }
}

/// Copies a descriptor of a task into this process.
pub fn get(task: &Arc<Channel>, fd: RawFd) -> Result<OwnedFd> {
    let mut sequence = Sequence::default();
    sequence.step(attach(Arg::Number(fd as u64), false));
    let (reply, fds) = task.run(&sequence, &[])?;
    match sequence.failure(&reply, 0) {
        Some(failure) => Err(failure.without_step()),
        None => received(fds),
    }
}

/// Closes descriptors of a task without blocking. A number below 0 is skipped. `done` is called once, when they are
/// closed or the task is gone.
pub fn close_all(task: &Arc<Channel>, fds: &[i32], done: impl FnOnce() + Send + 'static) {
    let mut sequence = Sequence::default();
    for fd in fds.iter().filter(|fd| **fd >= 0) {
        sequence.step(descriptor::close(*fd).go_on());
    }
    if sequence.is_empty() {
        return done();
    }
    // A failure means that the task is gone, and its descriptors with it.
    task.submit(sequence, Vec::new(), Box::new(|_| done()));
}

/// Returns the descriptor that came with a reply, at a number above 2. The kernel leaves the descriptor out where this
/// process has no free number for it.
pub(crate) fn received(mut fds: ForeignDescriptors) -> Result<OwnedFd> {
    fds.take_first().ok_or_else(|| refused("recvmsg", Errno::EMFILE)).and_then(own_descriptor::above_stdio)
}
