//! The start of a task: the clone, the first reply, and the number that the channel has in the task.
//!
//! A task whose start cannot fail is used before it has replied, or even before it was cloned. The channel then
//! receives the reply to the start right before the reply to the first sequence.

use super::{Channel, State, Turn};
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::sequence::message::START_SERIAL;
use crate::sequence::reply::check_serial;
use nix::sys::socket::MsgFlags;
use std::sync::Arc;

/// The sequence with which a task begins, and to which it replies on its own channel.
#[derive(Debug)]
pub(super) struct Start {
    sequence: Sequence,
    /// The step whose result in the new task is the number of its channel.
    clone_step: usize,
}

impl Channel {
    /// Has the first message that comes on the channel taken as the reply to `sequence`, with which the task begins.
    /// The result of the step `clone_step` is the number that the channel has in the task.
    pub fn expect_start_reply(&self, sequence: Sequence, clone_step: usize) {
        self.lock().start = Some(Start { sequence, clone_step });
    }

    /// Remembers the channel to the process that clones this task from now on.
    pub(crate) fn set_cloner(&self, cloner: &Arc<Channel>) {
        cloner.lock().clones += 1;
        let mut state = self.lock();
        state.cloner = Arc::downgrade(cloner);
        state.is_being_cloned = true;
    }

    /// Calls `run` when the reply to the clone of this task was read. A task that is used early may have replied to a
    /// sequence before.
    pub(crate) fn when_cloned(&self, run: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.is_being_cloned {
            return state.when_cloned.push(Box::new(run));
        }
        drop(state);
        run();
    }

    /// Called when the reply to the clone of this task was read.
    pub(crate) fn clone_was_read(&self) {
        let mut state = self.lock();
        state.is_being_cloned = false;
        let waiting = std::mem::take(&mut state.when_cloned);
        let cloner = state.cloner.upgrade();
        drop(state);
        if let Some(cloner) = cloner {
            cloner.lock().clones -= 1;
            cloner.cloned.notify_all();
        }
        waiting.into_iter().for_each(|run| run());
    }

    /// Waits until the task was cloned; see [`Channel::await_job_reply`].
    pub(crate) fn await_clone(&self) {
        let cloner = self.lock().cloner.upgrade();
        if let Some(cloner) = cloner {
            cloner.await_job_reply();
        }
    }

    /// Remembers the number that the channel has in the task.
    pub(crate) fn set_far_fd(&self, fd: i32) {
        self.lock().far_fd = Some(fd);
    }

    /// Returns the number that the channel has in the task. Blocks until the task has replied to its start.
    pub fn far_fd(self: &Arc<Self>) -> Result<i32> {
        let (known, gone) = {
            let state = self.lock();
            (state.far_fd, state.gone)
        };
        if let (Some(known), false) = (known, gone) {
            return Ok(known);
        }
        self.take_turn()?.receive_start_reply()?;
        self.lock().far_fd.ok_or(Failure::Gone)
    }

    /// Receives the reply to the start, unless that was done before. Returns false if it has not come yet.
    pub(super) fn try_receive_start_reply(&self, state: &mut State) -> Result<bool> {
        let Some(start) = state.start.take() else { return Ok(true) };
        match self.read_start_reply(&start, MsgFlags::MSG_DONTWAIT) {
            Ok(None) => {
                state.start = Some(start);
                Ok(false)
            }
            read => state.record_start(read).map(|()| true),
        }
    }

    /// Receives the reply to the start, and returns the number of the channel in the task. Returns `None` if `flags` say not
    /// to block, and no message has come.
    fn read_start_reply(&self, start: &Start, flags: MsgFlags) -> Result<Option<i32>> {
        let Start { sequence, clone_step } = start;
        let mut message = Vec::new();
        let Some(arrived) = self.receive(&mut message, sequence.reply_length(), flags)? else { return Ok(None) };
        arrived.exactly(0)?;
        check_serial(&message, START_SERIAL)?;
        let reply = sequence.decode(&message)?;
        match sequence.failure(&reply, 0) {
            Some(failure) => Err(failure),
            None => Ok(Some(reply.result(*clone_step).unwrap_or(-1) as i32)),
        }
    }
}

impl Turn<'_> {
    /// Receives the reply to the start, unless that was done before. Blocks until it has come.
    pub(super) fn receive_start_reply(&self) -> Result<()> {
        let Some(start) = self.channel.lock().start.take() else { return Ok(()) };
        let read = self.channel.read_start_reply(&start, MsgFlags::empty());
        self.channel.lock().record_start(read)
    }
}

impl State {
    /// Remembers the number of the channel in the task, or that the start has failed.
    fn record_start(&mut self, read: Result<Option<i32>>) -> Result<()> {
        self.gone |= read.is_err();
        self.far_fd = read?;
        Ok(())
    }
}
