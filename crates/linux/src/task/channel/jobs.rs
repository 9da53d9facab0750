//! Jobs: sequences whose replies no thread blocks for. Jobs wait in a queue, the channel sends one at a time, and the reactor
//! receives the replies.

use super::{Channel, State};
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::sequence::message::{self, Message};
use crate::sequence::reply::Reply;
use crate::wait::reactor::{self, Ready, Wake};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::MsgFlags;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A sequence that ran, and the reply to it.
#[derive(Debug)]
pub struct Ran {
    /// The sequence.
    pub sequence: Sequence,
    /// The results of its steps.
    pub reply: Reply,
    /// The descriptors that came with the reply.
    pub fds: Vec<OwnedFd>,
}

/// Called once with the reply to a job, or with the reason why there is none.
pub type JobDone = Box<dyn FnOnce(Result<Ran>) + Send>;

/// A sequence that is queued or under way.
pub(super) struct Job {
    sequence: Sequence,
    message: Message,
    fds: Vec<Arc<OwnedFd>>,
    done: JobDone,
    /// True when the task has sent a notice since it got the sequence.
    noticed: bool,
    /// Keeps the channel open until the reply has come, even when nothing else refers to the channel.
    channel: Arc<Channel>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Job")
            .field("message", &self.message)
            .field("channel", &self.channel.id)
            .finish_non_exhaustive()
    }
}

impl Wake for Channel {
    fn wake(self: Arc<Self>) {
        self.receive_job_reply();
    }
}

impl Channel {
    /// Has the reactor receive the next message. The watch does not keep the channel open.
    fn watch(self: &Arc<Self>) -> Result<()> {
        reactor::watch(self.id, self.as_fd(), Ready::Read, Arc::new(Arc::downgrade(self)))
    }

    /// Runs a sequence in the task without blocking. `fds` go along with the message. `done` is called once, on this
    /// thread or on another one.
    pub fn submit(self: &Arc<Self>, sequence: Sequence, fds: Vec<Arc<OwnedFd>>, done: JobDone) {
        self.submit_with_patience(sequence, fds, Duration::ZERO, done);
    }

    /// Does the same as [`Channel::submit`], but the calling thread first waits up to `patience` and receives the reply
    /// itself: waking the reactor takes about as long as a short sequence.
    pub fn submit_with_patience(
        self: &Arc<Self>,
        sequence: Sequence,
        fds: Vec<Arc<OwnedFd>>,
        patience: Duration,
        done: JobDone,
    ) {
        let mut bytes = Vec::new();
        let reply = sequence.encode(&mut bytes);
        match Message::new(bytes, reply) {
            Ok(message) => {
                self.enqueue(Job { sequence, message, fds, done, noticed: false, channel: self.clone() }, patience)
            }
            Err(failure) => done(Err(failure)),
        }
    }

    /// Receives the reply to a sequence that was sent on another channel: a cloned task replies to the rest of the
    /// sequence that its cloner got.
    pub fn await_reply(self: &Arc<Self>, sequence: Sequence, done: JobDone) {
        let (message, fds) = (Message::Awaited { reply: sequence.reply_length() }, Vec::new());
        self.enqueue(Job { sequence, message, fds, done, noticed: false, channel: self.clone() }, Duration::ZERO);
    }

    fn enqueue(self: &Arc<Self>, job: Job, patience: Duration) {
        let mut state = self.lock();
        if state.in_turn || state.active.is_some() {
            return state.queue.push_back(job);
        }
        // Receives the task's reply to its start now if it has already come, so that the reactor is not woken for it.
        match self.try_receive_start_reply(&mut state) {
            Err(failure) if !is_early(&failure) => {
                drop(state);
                return (job.done)(Err(failure));
            }
            _ => {}
        }
        state.queue.push_back(job);
        let mut failed = self.send_next_job(&mut state, patience.is_zero());
        let waits = state.active.is_some() && !patience.is_zero();
        drop(state);
        if waits && self.has_message(patience) {
            self.receive_job_reply();
        } else if waits {
            if let Err(failure) = self.watch() {
                let mut state = self.lock();
                state.gone = true; // the reply will come, and a later job would take it for its own
                failed.extend(state.active.take().map(|job| (job.done, failure)));
            }
        }
        report_failures(failed);
    }

    /// Waits up to `patience` for the reply to the active job, and receives it in the reactor's place.
    pub(crate) fn receive_job_reply_within(self: &Arc<Self>, patience: Duration) {
        self.await_reply_or_reactor(patience);
        if self.has_active_job() && self.has_message(Duration::ZERO) {
            self.receive_job_reply();
        }
    }

    /// Waits up to `patience` until the reply to the active job has come, and leaves it to the reactor. The reactor may
    /// receive it at any moment, and a poll(2) that began before would then wait for nothing. So each poll is short, and
    /// between two of them this thread looks whether the job is still active.
    pub(super) fn await_reply_or_reactor(&self, patience: Duration) {
        const ONE_POLL: Duration = Duration::from_micros(200);
        let until = Instant::now() + patience;
        while self.has_active_job() && !self.has_message(ONE_POLL) && Instant::now() < until {}
    }

    fn has_message(&self, patience: Duration) -> bool {
        let mut poll = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // A signal (EINTR) only makes the wait shorter.
        nix::poll::ppoll(&mut poll, Some(patience.into()), None).is_ok_and(|ready| ready > 0)
    }

    /// Sends the next job of the queue. Returns the jobs that could not be sent: their `done` is called by
    /// [`report_failures`] when the lock is open again.
    pub(super) fn send_next_job(self: &Arc<Self>, state: &mut State, watch: bool) -> Vec<(JobDone, Failure)> {
        let mut failed = Vec::new();
        while let Some(job) = state.queue.pop_front() {
            // The watch comes before the message. If it failed afterwards, no thread would receive the reply, and the
            // next job would take it for its own.
            let ready = match watch {
                _ if state.gone => Err(Failure::Gone),
                true => self.watch(),
                false => Ok(()),
            };
            let sent = ready.and_then(|()| match &job.message {
                Message::Awaited { .. } => Ok(()),
                Message::Short { bytes, .. } => self.send(bytes, &raw(&job.fds, None)),
                Message::Long { header, memfd, .. } => self.send(header, &raw(&job.fds, Some(memfd))),
            });
            match sent {
                Ok(()) => {
                    // The message has copies of the descriptors.
                    state.active = Some(Job { fds: Vec::new(), ..job });
                    return failed;
                }
                Err(failure) => {
                    state.gone |= failure == Failure::Gone;
                    failed.push((job.done, failure));
                }
            }
        }
        if state.waiting > 0 {
            self.idle.notify_all();
        }
        failed
    }

    /// Receives the reply to the active job, if there is one, and sends the next job. Called by the reactor when the
    /// channel has a message or has ended, or by a thread that has seen that itself.
    fn receive_job_reply(self: &Arc<Self>) {
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
            // Only the reply to the start or a notice has come, or no message. A watch ends when it wakes, so it is set again.
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

/// Calls `done` of jobs that could not be sent. The caller holds no lock: `done` may submit a job.
pub(super) fn report_failures(failed: Vec<(JobDone, Failure)>) {
    for (done, failure) in failed {
        done(Err(failure));
    }
}

fn raw(fds: &[Arc<OwnedFd>], memfd: Option<&OwnedFd>) -> Vec<RawFd> {
    fds.iter().map(|fd| &**fd).chain(memfd).map(AsRawFd::as_raw_fd).collect()
}
