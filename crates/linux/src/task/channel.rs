//! The channel to a task: one sequence goes out, one reply comes back, in order.
//!
//! A thread may wait for its reply ([`Channel::call`]), or leave a job that the reactor finishes ([`Channel::submit`]).
//! One sequence is under way at a time, so that sending never blocks and a waiting thread knows whose reply it reads.

mod children;
mod jobs;

pub use self::jobs::{Done, Ran};

use self::jobs::{finish, Job};
use crate::call::Call;
use crate::error::{During, Failure, Result};
use crate::sequence::list::{self, Reply, Sequence};
use crate::sequence::message::{self, Message};
use crate::wait::own_descriptor;
use crate::wait::reactor;
use crate::wire;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{
    recvmsg, sendmsg, shutdown, socketpair, AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown,
    SockFlag, SockType,
};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::Duration;

thread_local! {
    /// Messages are written into and read from memory that stays: nothing is allocated for a short call.
    static MESSAGE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Node's end of a channel.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    state: Mutex<State>,
    idle: Condvar,
    id: u64,
}

#[derive(Debug, Default)]
struct State {
    /// The first reply of a task whose start nobody waited for: it comes before all others.
    owed: Option<Start>,
    /// Who clones it.
    cloner: Weak<Channel>,
    /// The number of the channel's other end in the task.
    far_fd: Option<i32>,
    /// A thread has its [`Turn`]; jobs queue up meanwhile.
    taken: bool,
    /// How many threads wait for a turn.
    waiting: usize,
    active: Option<Job>,
    queue: VecDeque<Job>,
    gone: bool,
    supervises: bool,
}

/// The sequence with which a task starts.
#[derive(Debug)]
struct Start {
    sequence: Sequence,
    /// The step whose result is the number of the channel in the new task.
    clone_step: usize,
}

impl State {
    /// The task has said of its start what number its channel has, or why it has come to nothing.
    fn started(&mut self, received: Result<Option<i32>>) -> Result<()> {
        self.gone |= received.is_err();
        self.far_fd = received?;
        Ok(())
    }
}

impl Channel {
    /// A channel and the end that belongs in the task.
    pub fn pair() -> Result<(Arc<Channel>, OwnedFd)> {
        let (near, far) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).during("socketpair")?;
        let (near, far) = (own_descriptor::above_stdio(near)?, own_descriptor::above_stdio(far)?);
        let channel = Channel { socket: near, state: Mutex::default(), idle: Condvar::new(), id: reactor::next_id() };
        Ok((Arc::new(channel), far))
    }

    /// Whether the other end has closed.
    pub fn hung_up(&self) -> bool {
        let mut poll = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        nix::poll::poll(&mut poll, PollTimeout::ZERO).is_ok()
            && poll[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
    }

    /// The task supervises a program from now on.
    pub(crate) fn set_supervises(&self) {
        self.lock().supervises = true;
    }

    /// Ends a supervisor, and so all that it watches over, and says whether the task is one. What it has to say of the
    /// program's end is still heard.
    pub fn end_supervision(&self) -> bool {
        let supervises = self.lock().supervises;
        if supervises {
            // Refused only where the other end has closed already.
            let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
        }
        supervises
    }

    /// Whether a sequence that is left now is sent at once.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        !state.taken && state.active.is_none()
    }

    /// Whether the reply to a sequence is due of which somebody will be told.
    pub fn has_job(&self) -> bool {
        self.lock().active.is_some()
    }

    /// Whoever waits for a reply hears that none will come, and the task ends when it next waits for a sequence.
    pub fn hang_up(&self) {
        // Refused only where the other end has closed already.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
    }

    /// The task that has this channel, or soon will, replies to `start`, the sequence it is born with, before all else.
    /// The result of its step `clone_step` is the number that the channel has in the task.
    pub fn owe(&self, sequence: Sequence, clone_step: usize) {
        self.lock().owed = Some(Start { sequence, clone_step });
    }

    /// Says who clones the task.
    pub(crate) fn set_cloner(&self, cloner: &Arc<Channel>) {
        self.lock().cloner = Arc::downgrade(cloner);
    }

    /// Waits up to `patience` until the task has been cloned.
    pub(crate) fn await_clone(&self, patience: Duration) {
        let cloner = self.lock().cloner.upgrade();
        if let Some(cloner) = cloner {
            cloner.await_job(patience);
        }
    }

    /// A task has this channel under this number.
    pub(crate) fn set_far_fd(&self, fd: i32) {
        self.lock().far_fd = Some(fd);
    }

    /// The number that the channel has in the task.
    pub fn far_fd(self: &Arc<Self>) -> Result<i32> {
        let (known, gone) = {
            let state = self.lock();
            (state.far_fd, state.gone)
        };
        if let (Some(known), false) = (known, gone) {
            return Ok(known);
        }
        self.turn()?.settle_start()?;
        self.lock().far_fd.ok_or(Failure::Gone)
    }

    /// Receives what a task has to say of its start: the number of its channel.
    fn receive_start(&self, start: &Start, flags: MsgFlags) -> Result<Option<i32>> {
        let mut message = Vec::new();
        self.receive(&mut message, start.sequence.reply_length(), flags)?;
        let reply = start.sequence.decode(&message)?;
        let channel = reply.result(start.clone_step).map(|fd| fd as i32);
        start.sequence.failure(&reply, 0).map_or(Ok(channel), Err)
    }

    /// Makes one call and waits for the answer.
    pub fn call<T>(self: &Arc<Self>, call: Call<T>) -> Result<T> {
        let mut message = MESSAGE.take();
        let reply = list::encode_one(&call.request, &mut message);
        let answer = self.exchange(&mut message, reply, &[]).and_then(|_| {
            let answer = list::decode_one(&call.request, &message)?;
            Ok((call.read)(&answer))
        });
        if message.capacity() <= wire::INLINE {
            MESSAGE.set(message);
        }
        answer
    }

    /// Runs a sequence, with descriptors of this process going along, and waits for the reply and those that come back.
    pub fn run(self: &Arc<Self>, sequence: &Sequence, fds: &[RawFd]) -> Result<(Reply, Vec<OwnedFd>)> {
        let mut message = Vec::new();
        let reply = sequence.encode(&mut message);
        let came = self.exchange(&mut message, reply, fds)?;
        Ok((sequence.decode(&message)?, came))
    }

    fn exchange(self: &Arc<Self>, message: &mut Vec<u8>, reply: usize, fds: &[RawFd]) -> Result<Vec<OwnedFd>> {
        let turn = self.turn()?;
        let came = if message.len() <= wire::INLINE {
            self.send(message, fds)
                .and_then(|()| turn.settle_start())
                .and_then(|()| self.receive(message, reply, MsgFlags::empty()))
        } else {
            turn.settle_start().and_then(|()| self.exchange_long(message, reply, fds))
        };
        if matches!(came, Err(Failure::Gone)) {
            self.lock().gone = true;
        }
        came
    }

    fn exchange_long(&self, message: &mut Vec<u8>, reply: usize, fds: &[RawFd]) -> Result<Vec<OwnedFd>> {
        let Message::Long { mut header, memfd, reply } = Message::new(std::mem::take(message), reply)? else {
            unreachable!("a message over the limit is long")
        };
        let fds: Vec<RawFd> = fds.iter().copied().chain([memfd.as_raw_fd()]).collect();
        self.send(&header, &fds)?;
        let came = self.receive(&mut header, size_of::<wire::Header>(), MsgFlags::empty())?;
        message::read_long(message, header, &memfd, reply)?;
        Ok(came)
    }

    /// Waits until nobody uses the channel, and has it until the turn is dropped. No lock is held meanwhile: whoever
    /// leaves a job, the reactor above all, never waits for a task.
    fn turn(self: &Arc<Self>) -> Result<Turn<'_>> {
        let mut state = self.lock();
        while state.taken || state.active.is_some() {
            state.waiting += 1;
            state = self.idle.wait(state).unwrap_or_else(|broken| broken.into_inner());
            state.waiting -= 1;
        }
        if state.gone {
            return Err(Failure::Gone);
        }
        state.taken = true;
        Ok(Turn(self))
    }

    fn send(&self, bytes: &[u8], fds: &[RawFd]) -> Result<()> {
        let rights = [ControlMessage::ScmRights(fds)];
        let control: &[ControlMessage] = if fds.is_empty() { &[] } else { &rights };
        loop {
            match sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)
            {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(Failure::Gone),
                Err(errno) => return Err(errno).during("sendmsg"),
            }
        }
    }

    /// What came in `message`, and the descriptors with it; those for which our table had no room are missing.
    fn receive(&self, message: &mut Vec<u8>, length: usize, flags: MsgFlags) -> Result<Vec<OwnedFd>> {
        message.resize(length, 0);
        let mut control = nix::cmsg_space!([RawFd; wire::DESCRIPTORS]);
        loop {
            let mut buffer = [IoSliceMut::new(message)];
            let came = match recvmsg::<()>(
                self.socket.as_raw_fd(),
                &mut buffer,
                Some(&mut control),
                flags | MsgFlags::MSG_CMSG_CLOEXEC,
            ) {
                Ok(came) => came,
                Err(Errno::EINTR) => continue,
                Err(Errno::ECONNRESET) => return Err(Failure::Gone),
                Err(errno) => return Err(errno).during("recvmsg"),
            };
            let bytes = came.bytes;
            if bytes == 0 {
                return Err(Failure::Gone);
            }
            let mut fds = Vec::new();
            for block in came.cmsgs().into_iter().flatten() {
                if let ControlMessageOwned::ScmRights(numbers) = block {
                    // SAFETY: the kernel has just made these descriptors in our table, for this message alone.
                    fds.extend(numbers.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                }
            }
            message.truncate(bytes);
            return Ok(fds);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// The right to use a channel, which one thread has at a time.
struct Turn<'a>(&'a Arc<Channel>);

impl Turn<'_> {
    /// Receives what the task had to say of its start, if that is still to come.
    fn settle_start(&self) -> Result<()> {
        let Some(start) = self.0.lock().owed.take() else { return Ok(()) };
        let received = self.0.receive_start(&start, MsgFlags::empty());
        self.0.lock().started(received)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.taken = false;
        let ended = self.0.advance(&mut state, true);
        drop(state);
        finish(ended);
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        reactor::forget(self.id);
    }
}
