//! Descriptors on their way: into a task, out of it, and closed there.

use crate::call::Arg;
use crate::calls::descriptor;
use crate::calls::stub::attach;
use crate::error::{refused, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::Channel;
use nix::errno::Errno;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

/// Copies a descriptor of this process into a task, to `number` or the lowest that is free; which one comes back.
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

/// Closes descriptors of a task; a number below 0 is none.
pub fn close_all(task: &Arc<Channel>, fds: &[i32], done: impl FnOnce() + Send + 'static) {
    let mut sequence = Sequence::default();
    for fd in fds.iter().filter(|fd| **fd >= 0) {
        sequence.step(descriptor::close(*fd).go_on());
    }
    // Whether or not the task still lives, they are not open in it any more.
    task.submit(sequence, Vec::new(), Box::new(|_| done()));
}

/// The descriptor that was to come with a reply. The kernel leaves it out where our table has no room.
pub(crate) fn received(fds: Vec<OwnedFd>) -> Result<OwnedFd> {
    fds.into_iter().next().ok_or_else(|| refused("recvmsg", Errno::EMFILE))
}
