//! Sequences that nobody blocks for: they wait in a queue, are sent one at a time, and the reactor takes the replies.

use super::{Channel, State};
use crate::error::{Failure, Result};
use crate::sequence::list::{Reply, Sequence};
use crate::sequence::message::{self, Message};
use crate::wait::reactor::{self, Ready, Wake};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::MsgFlags;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A sequence that ran, what came of it, and the descriptors that came with the reply.
#[derive(Debug)]
pub struct Ran {
    /// The sequence.
    pub sequence: Sequence,
    /// What its steps came to.
    pub reply: Reply,
    /// What it attached.
    pub fds: Vec<OwnedFd>,
}

/// Hears how a sequence ended.
pub type Done = Box<dyn FnOnce(Result<Ran>) + Send>;

/// A sequence on its way that nobody blocks for.
pub struct Job {
    sequence: Sequence,
    message: Message,
    fds: Vec<Arc<OwnedFd>>,
    done: Done,
    /// A channel stays open while a reply is due, whoever else has let go of it.
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
        self.readable();
    }
}

impl Channel {
    /// Lets the reactor receive the next message, as long as the channel is in use elsewhere.
    fn watch(self: &Arc<Self>) -> Result<()> {
        reactor::watch(self.id, self.as_fd(), Ready::Read, Arc::new(Arc::downgrade(self)))
    }

    /// Leaves a sequence for the reactor to see through. `done` is called once, on another thread or this one.
    pub fn submit(self: &Arc<Self>, sequence: Sequence, fds: Vec<Arc<OwnedFd>>, done: Done) {
        self.submit_with(sequence, fds, Duration::ZERO, done);
    }

    /// The same, but a reply that comes within `patience` is taken by the calling thread: by then it would hardly have
    /// been woken by the reactor.
    pub fn submit_with(self: &Arc<Self>, sequence: Sequence, fds: Vec<Arc<OwnedFd>>, patience: Duration, done: Done) {
        let mut bytes = Vec::new();
        let reply = sequence.encode(&mut bytes);
        match Message::new(bytes, reply) {
            Ok(message) => self.enqueue(Job { sequence, message, fds, done, channel: self.clone() }, patience),
            Err(failure) => done(Err(failure)),
        }
    }

    /// Waits for the reply to a sequence that somebody else sent.
    pub fn await_reply(self: &Arc<Self>, sequence: Sequence, done: Done) {
        let (message, fds) = (Message::Awaited { reply: sequence.reply_length() }, Vec::new());
        self.enqueue(Job { sequence, message, fds, done, channel: self.clone() }, Duration::ZERO);
    }

    fn enqueue(self: &Arc<Self>, job: Job, patience: Duration) {
        let mut state = self.lock();
        if state.taken || state.active.is_some() {
            return state.queue.push_back(job);
        }
        // If it is there by now: the reactor would be woken for it.
        match self.take_start(&mut state) {
            Err(failure) if !is_early(&failure) => {
                drop(state);
                return (job.done)(Err(failure));
            }
            _ => {}
        }
        state.queue.push_back(job);
        let mut ended = self.advance(&mut state, patience.is_zero());
        let waits = state.active.is_some() && !patience.is_zero();
        drop(state);
        if waits && self.has_reply(patience) {
            self.readable();
        } else if waits {
            if let Err(failure) = self.watch() {
                let mut state = self.lock();
                state.gone = true; // the reply will come, and nobody for it
                ended.extend(state.active.take().map(|job| (job.done, failure)));
            }
        }
        finish(ended);
    }

    /// Receives what the task has to say of its start, if that is still to come. `EAGAIN`: it is not there yet.
    fn take_start(&self, state: &mut State) -> Result<()> {
        let Some(start) = state.owed.take() else { return Ok(()) };
        match self.receive_start(&start, MsgFlags::MSG_DONTWAIT) {
            Err(failure) if is_early(&failure) => {
                state.owed = Some(start);
                Err(failure)
            }
            received => state.started(received),
        }
    }

    /// Takes a reply that is due and comes within `patience`, as the reactor would.
    pub(crate) fn settle(self: &Arc<Self>, patience: Duration) {
        self.await_job(patience);
        if self.has_job() && self.has_reply(Duration::ZERO) {
            self.readable();
        }
    }

    /// Waits up to `patience` for a reply that is due, and leaves it to the reactor. That may take it at any moment, and
    /// then nothing would come for whoever does not look up.
    pub(crate) fn await_job(&self, patience: Duration) {
        const GLANCE: Duration = Duration::from_micros(200);
        let until = Instant::now() + patience;
        while self.has_job() && !self.has_reply(GLANCE) && Instant::now() < until {}
    }

    fn has_reply(&self, patience: Duration) -> bool {
        let mut poll = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // An interruption ends the patience early, and nothing else.
        nix::poll::ppoll(&mut poll, Some(patience.into()), None).is_ok_and(|ready| ready > 0)
    }

    /// Sends the next job of the queue; what fails at once is handed back to be told when the lock is open.
    pub(super) fn advance(self: &Arc<Self>, state: &mut State, watch: bool) -> Vec<(Done, Failure)> {
        let mut ended = Vec::new();
        while let Some(job) = state.queue.pop_front() {
            // Watched before it is sent: what was sent and is not watched would leave its reply to the next job.
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
                    state.active = Some(Job { fds: Vec::new(), ..job }); // the message holds them now
                    return ended;
                }
                Err(failure) => {
                    state.gone |= failure == Failure::Gone;
                    ended.push((job.done, failure));
                }
            }
        }
        if state.waiting > 0 {
            self.idle.notify_all();
        }
        ended
    }

    /// Called by the reactor when the channel can be read.
    pub(crate) fn readable(self: &Arc<Self>) {
        let mut state = self.lock();
        let Some(job) = state.active.take() else { return };
        let mut bytes = Vec::new();
        let length = match &job.message {
            Message::Short { reply, .. } | Message::Awaited { reply } => *reply,
            Message::Long { header, .. } => header.len(),
        };
        // The task's first words come before the reply that is waited for.
        let started = self.take_start(&mut state);
        let mut came = started.and_then(|()| self.receive(&mut bytes, length, MsgFlags::MSG_DONTWAIT));
        if let (Ok(_), Message::Long { memfd, reply, .. }) = (&came, &job.message) {
            let header = std::mem::take(&mut bytes);
            came = message::read_long(&mut bytes, header, memfd, *reply).and(came);
        }
        if came.as_ref().is_err_and(is_early) {
            // Only the first words have come, or nothing: the watch ended with the wake-up and is set again.
            let Err(failure) = self.watch() else {
                state.active = Some(job);
                return;
            };
            state.gone = true; // the reply will come, and nobody for it
            came = Err(failure);
        }
        state.gone |= matches!(came, Err(Failure::Gone));
        let ended = self.advance(&mut state, true);
        drop(state);
        let Job { sequence, done, .. } = job;
        done(came.and_then(|fds| Ok(Ran { reply: sequence.decode(&bytes)?, sequence, fds })));
        finish(ended);
    }
}

/// What has not come yet, but will.
fn is_early(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(refusal) if refusal.errno == Errno::EAGAIN)
}

/// Tells those whose sequences could not be sent, when no lock is held.
pub(super) fn finish(ended: Vec<(Done, Failure)>) {
    for (done, failure) in ended {
        done(Err(failure));
    }
}

fn raw(fds: &[Arc<OwnedFd>], memfd: Option<&OwnedFd>) -> Vec<RawFd> {
    fds.iter().map(|fd| &**fd).chain(memfd).map(AsRawFd::as_raw_fd).collect()
}
