//! Jobs: sequences whose replies no thread blocks for. Jobs wait in a queue, and the channel sends one at a time.

use super::{Channel, State};
use crate::error::{Failure, Result};
use crate::sequence::expected::Expected;
use crate::sequence::list::Sequence;
use crate::sequence::message::{Long, Message};
use crate::sequence::reply::Reply;
use crate::wait::foreign_descriptor::ForeignDescriptors;
use crate::wait::reactor::{self, Ready};
use crate::wait::thread;
use std::fs::File;
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
    pub fds: ForeignDescriptors,
}

/// Called once with the reply to a job, or with the reason why there is none.
pub type JobDone = Box<dyn FnOnce(Result<Ran>) + Send>;

/// A sequence that is queued or under way.
pub(super) struct Job {
    pub(super) sequence: Sequence,
    pub(super) message: Message,
    /// The serial number of the reply, once the sequence was sent.
    pub(super) serial: u64,
    fds: Vec<Arc<OwnedFd>>,
    pub(super) done: JobDone,
    /// True when the task has sent a notice since it got the sequence.
    pub(super) noticed: bool,
    /// When the sequence was sent.
    pub(super) sent: Instant,
    /// True when a thread has given up waiting for the reply, because the task does not run.
    pub(super) late: bool,
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

impl Channel {
    /// Has the reactor receive the next message. The watch does not keep the channel open.
    pub(super) fn watch(self: &Arc<Self>) -> Result<()> {
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
        match sequence.encode(&mut bytes).and_then(|reply| Message::new(bytes, reply)) {
            Ok(message) => self.enqueue(self.job(sequence, message, fds, done), patience),
            Err(failure) => done(Err(failure)),
        }
    }

    /// Receives the reply to a sequence that was sent on another channel: a cloned task replies to the rest of the
    /// sequence that its cloner got.
    pub fn await_reply(self: &Arc<Self>, sequence: Sequence, done: JobDone) {
        let message = Message::Awaited { reply: Expected { descriptors: 0, ..sequence.expected() } };
        self.enqueue(self.job(sequence, message, Vec::new(), done), Duration::ZERO);
    }

    fn job(self: &Arc<Self>, sequence: Sequence, message: Message, fds: Vec<Arc<OwnedFd>>, done: JobDone) -> Job {
        let (sent, channel) = (Instant::now(), self.clone());
        Job { sequence, message, serial: 0, fds, done, noticed: false, sent, late: false, channel }
    }

    fn enqueue(self: &Arc<Self>, job: Job, patience: Duration) {
        let mut state = self.lock();
        if state.in_turn || state.active.is_some() {
            return state.queue.push_back(job);
        }
        // Receives the task's reply to its start now if it has already come, so that the reactor is not woken for it.
        if let Err(failure) = self.try_receive_start_reply(&mut state) {
            drop(state);
            return (job.done)(self.break_off_if_broken(Err(failure)));
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

    /// Sends the next job of the queue. Returns the jobs that could not be sent: their `done` is called by
    /// [`report_failures`] when the lock is open again.
    pub(super) fn send_next_job(self: &Arc<Self>, state: &mut State, watch: bool) -> Vec<(JobDone, Failure)> {
        let mut failed = Vec::new();
        while let Some(mut job) = state.queue.pop_front() {
            state.serial += 1;
            job.serial = job.message.set_serial(state.serial);
            // The watch comes before the message. If it failed afterwards, no thread would receive the reply, and the
            // next job would take it for its own.
            let ready = match watch {
                _ if state.gone => Err(Failure::Gone),
                true => self.watch(),
                false => Ok(()),
            };
            if job.message.expected().descriptors > 0 {
                self.let_descriptors_come(true);
            }
            let sent = ready.and_then(|()| match &job.message {
                Message::Awaited { .. } => Ok(()),
                Message::Short { bytes, .. } => self.send(bytes, &raw(&job.fds, None)),
                Message::Long(Long { header, memfd, .. }) => self.send(header, &raw(&job.fds, Some(memfd))),
            });
            match sent {
                Ok(()) => {
                    // The message has copies of the descriptors.
                    state.active = Some(Job { fds: Vec::new(), sent: Instant::now(), ..job });
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
}

/// Calls `done` of jobs that could not be sent. The caller holds no lock: `done` may submit a job.
pub(super) fn report_failures(failed: Vec<(JobDone, Failure)>) {
    for (done, failure) in failed {
        call_done(done, Err(failure));
    }
}

/// Calls `done`. A panic in it is caught, because the jobs after this one have to be reported too.
pub(super) fn call_done(done: JobDone, ran: Result<Ran>) {
    thread::catch(|| done(ran));
}

fn raw(fds: &[Arc<OwnedFd>], memfd: Option<&File>) -> Vec<RawFd> {
    fds.iter().map(|fd| fd.as_raw_fd()).chain(memfd.map(AsRawFd::as_raw_fd)).collect()
}
