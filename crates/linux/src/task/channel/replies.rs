//! The replies to jobs: the reactor receives them, or a thread that waits for a short time.

use super::jobs::{report_failures, Job, Ran};
use super::Channel;
use crate::error::Failure;
use crate::sequence::message::{self, Message};
use crate::wait::reactor::Wake;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::MsgFlags;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Wake for Channel {
    fn wake(self: Arc<Self>) {
        self.receive_job_reply();
    }
}

impl Channel {
    /// Waits up to `patience` for the reply to the active job, and receives it in the reactor's place.
    pub(crate) fn receive_job_reply_within(self: &Arc<Self>, patience: Duration) {
        self.await_reply_or_reactor(patience);
        if self.has_active_job() && self.has_message(Duration::ZERO) {
            self.receive_job_reply();
        }
    }

    /// Waits up to `patience` until the reply to the active job has come, and leaves it to the reactor. The reactor may
    /// receive it at any moment, and a poll(2) that began before would then wait for nothing. So each poll is short,
    /// and between two of them this thread looks whether the job is still active.
    pub(super) fn await_reply_or_reactor(&self, patience: Duration) {
        const ONE_POLL: Duration = Duration::from_micros(200);
        let until = Instant::now() + patience;
        while self.has_active_job() && !self.has_message(ONE_POLL) && Instant::now() < until {}
    }

    pub(super) fn has_message(&self, patience: Duration) -> bool {
        let mut poll = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // A signal (EINTR) only makes the wait shorter.
        nix::poll::ppoll(&mut poll, Some(patience.into()), None).is_ok_and(|ready| ready > 0)
    }

    /// Receives the reply to the active job, if there is one, and sends the next job. Called by the reactor when the
    /// channel has a message or has ended, or by a thread that has seen that itself.
    pub(super) fn receive_job_reply(self: &Arc<Self>) {
        let mut state = self.lock();
        let Some(mut job) = state.active.take() else { return };
        let mut bytes = Vec::new();
        let length = match &job.message {
            Message::Short { reply, .. } | Message::Awaited { reply } => *reply,
            Message::Long { header, .. } => header.len(),
        };
        // The task's reply to its start comes before the reply to the job.
        let started = self.try_receive_start_reply(&mut state);
        let mut received = started
            .and_then(|()| self.receive_reply_or_notice(&mut bytes, length, MsgFlags::MSG_DONTWAIT, &mut job.noticed));
        if let (Ok(_), Message::Long { memfd, reply, .. }) = (&received, &job.message) {
            let header = std::mem::take(&mut bytes);
            received = message::read_long(&mut bytes, header, memfd, *reply).and(received);
        }
        if received.as_ref().is_err_and(is_early) {
            // Only the reply to the start or a notice has come, or no message. A watch ends when it wakes, so it is set
            // again.
            let Err(failure) = self.watch() else {
                state.active = Some(job);
                return;
            };
            state.gone = true; // the reply will come, and a later job would take it for its own
            received = Err(failure);
        }
        state.gone |= matches!(received, Err(Failure::Gone | Failure::Executed));
        let failed = self.send_next_job(&mut state, true);
        drop(state);
        let Job { sequence, done, .. } = job;
        done(received.and_then(|fds| Ok(Ran { reply: sequence.decode(&bytes)?, sequence, fds })));
        report_failures(failed);
    }
}

/// True when the message has not come yet.
pub(super) fn is_early(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(refusal) if refusal.errno == Errno::EAGAIN)
}
