//! The channel to a task, a SOCK_SEQPACKET socket: one sequence of calls goes out, one reply comes back, in order.
//!
//! A thread either blocks until its reply has come ([`Channel::call`], [`Channel::run`]), or submits a job
//! ([`Channel::submit`]), whose reply the reactor receives. The channel sends a sequence only when the reply to the one
//! before has come. So sending never blocks, and the thread that receives a reply knows which sequence it belongs to.

mod broken;
mod children;
mod followers;
mod jobs;
mod late;
mod replies;
mod socket;
mod start;

pub use self::jobs::{JobDone, Ran};

use self::broken::ends_channel;
use self::followers::Followers;
use self::jobs::{report_failures, Job};
use self::socket::Arrived;
use self::start::Start;
use crate::call::Call;
use crate::error::{During, Failure, Result};
use crate::own_descriptor;
use crate::sequence::encode::encode_one;
use crate::sequence::expected::Expected;
use crate::sequence::list::Sequence;
use crate::sequence::message::{self, Long};
use crate::sequence::reply::{check_serial, decode_one, Reply};
use crate::wait::child::Child;
use crate::wait::foreign_descriptor::{close_elsewhere, ForeignDescriptors};
use crate::wait::reactor;
use crate::wire;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{shutdown, socketpair, AddressFamily, Shutdown, SockFlag, SockType};
use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};

thread_local! {
    /// The buffer for the messages of this thread, kept so that a short call allocates nothing.
    static MESSAGE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Node's end of a channel. Dropping it closes the channel, and a task that still serves ends then.
#[derive(Debug)]
pub struct Channel {
    socket: ManuallyDrop<OwnedFd>,
    state: Mutex<State>,
    /// Notified when the channel becomes idle while a thread waits for its turn.
    idle: Condvar,
    /// Notified when the reply to a clone that this task has made was read.
    cloned: Condvar,
    id: u64,
}

#[derive(Default)]
struct State {
    /// The start of the task, as long as the reply to it was not received. That reply comes before all others.
    start: Option<Start>,
    /// The channel to the process that clones this task.
    cloner: Weak<Channel>,
    /// The number of the channel's other end in the task.
    far_fd: Option<i32>,
    /// The serial number of the message that was sent last.
    serial: u64,
    /// True while a thread has its [`Turn`]. Jobs wait in the queue meanwhile.
    in_turn: bool,
    /// How many threads wait for a turn.
    waiting: usize,
    /// The job whose sequence was sent and whose reply has not come.
    active: Option<Job>,
    /// The jobs whose sequences were not sent yet.
    queue: VecDeque<Job>,
    /// True when the task is gone, or when a reply was lost: no sequence is sent any more.
    gone: bool,
    /// True when the task is to be killed as soon as it is known.
    killed: bool,
    /// The task, once it was cloned.
    process: Weak<Child>,
    /// True until the reply to the clone of this task was read.
    is_being_cloned: bool,
    /// How many replies to clones that this task makes were not read.
    clones: usize,
    /// Called when that reply was read.
    when_cloned: Vec<Box<dyn FnOnce() + Send>>,
    /// True when the task is a supervisor.
    supervises: bool,
    /// The tasks that end with this one.
    followers: Followers,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("active", &self.active).field("gone", &self.gone).finish_non_exhaustive()
    }
}

impl Channel {
    /// Makes a channel. The second value is the end that belongs in the task.
    pub fn pair() -> Result<(Arc<Channel>, OwnedFd)> {
        let (near, far) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).during("socketpair")?;
        let (near, far) = (own_descriptor::above_stdio(near)?, own_descriptor::above_stdio(far)?);
        let socket = ManuallyDrop::new(near);
        let channel = Channel {
            socket,
            state: Mutex::default(),
            idle: Condvar::new(),
            cloned: Condvar::new(),
            id: reactor::next_id(),
        };
        channel.let_descriptors_come(false);
        Ok((Arc::new(channel), far))
    }

    /// True when the task has closed its end.
    pub fn is_hung_up(&self) -> bool {
        let mut poll = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        nix::poll::poll(&mut poll, PollTimeout::ZERO).is_ok()
            && poll[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
    }

    /// Ends the channel in both directions. Each thread and each job that waits for a reply gets [`Failure::Gone`], and
    /// the task ends when it next waits for a sequence.
    pub fn hang_up(&self) {
        self.shut_down(Shutdown::Both);
    }

    fn shut_down(&self, how: Shutdown) {
        // ENOTCONN: the task has closed its end already.
        let _ = shutdown(self.socket.as_raw_fd(), how);
    }

    /// Remembers that the task is a supervisor.
    pub(crate) fn set_supervises(&self) {
        self.lock().supervises = true;
    }

    /// Ends a supervisor, and with it all processes that it supervises. The channel stays open for the reply that says
    /// how the program ended. Returns false, and does nothing, where the task is no supervisor.
    pub fn end_supervision(&self) -> bool {
        let supervises = self.lock().supervises;
        if supervises {
            self.shut_down(Shutdown::Write);
        }
        supervises
    }

    /// True when a job that is submitted now would be sent at once.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        !state.in_turn && state.active.is_none()
    }

    /// True when the sequence of a job was sent and its reply has not come.
    pub fn has_active_job(&self) -> bool {
        self.lock().active.is_some()
    }

    /// Makes one call in the task and blocks until the reply has come.
    pub fn call<T>(self: &Arc<Self>, call: Call<T>) -> Result<T> {
        let mut message = MESSAGE.take();
        let expected = encode_one(&call.request, &mut message)?;
        let answer = self.exchange(&mut message, expected, &[]).and_then(|arrived| {
            let answer = decode_one(&call.request, &message)?;
            arrived.exactly(expected.descriptors)?;
            Ok((call.read)(&answer))
        });
        let answer = self.break_off_if_broken(answer);
        if message.capacity() <= wire::INLINE {
            MESSAGE.set(message);
        }
        answer
    }

    /// Runs a sequence in the task and blocks until the reply has come. `fds` are descriptors of this process that go
    /// along with the message. Returns also the descriptors that came with the reply.
    pub fn run(self: &Arc<Self>, sequence: &Sequence, fds: &[RawFd]) -> Result<(Reply, ForeignDescriptors)> {
        let mut message = Vec::new();
        let expected = sequence.encode(&mut message)?;
        let received = self.exchange(&mut message, expected, fds);
        self.break_off_if_broken(received.and_then(|arrived| read_reply(sequence, &message, expected, arrived)))
    }

    /// Sends `message` and replaces it by the reply.
    fn exchange(self: &Arc<Self>, message: &mut Vec<u8>, expected: Expected, fds: &[RawFd]) -> Result<Arrived> {
        let turn = self.take_turn()?;
        if expected.descriptors > 0 {
            self.let_descriptors_come(true);
        }
        message::set_serial(message, turn.serial);
        let received = if !message::is_long(message, &expected) {
            self.send(message, fds)
                .and_then(|()| turn.receive_start_reply())
                .and_then(|()| self.receive_reply(message, expected))
                .and_then(|fds| check_serial(message, turn.serial).map(|()| fds))
        } else {
            turn.receive_start_reply().and_then(|()| self.exchange_long(message, expected, turn.serial, fds))
        };
        if expected.descriptors > 0 {
            self.let_descriptors_come(false);
        }
        if received.as_ref().is_err_and(ends_channel) {
            self.lock().gone = true;
        }
        received
    }

    fn exchange_long(&self, message: &mut Vec<u8>, expected: Expected, serial: u64, fds: &[RawFd]) -> Result<Arrived> {
        let long = Long::new(std::mem::take(message), expected)?;
        let Long { header, memfd, reply } = &long;
        let fds: Vec<RawFd> = fds.iter().copied().chain([memfd.as_raw_fd()]).collect();
        self.send(header, &fds)?;
        let received = self.receive_reply(message, long.expected())?;
        check_serial(message, serial)?;
        message::read_long(message, memfd, *reply)?;
        Ok(received)
    }

    /// Blocks until the channel is idle. The channel then belongs to the calling thread until the turn is dropped. The
    /// turn does not hold the lock of the state: a thread that submits a job, the reactor above all, must never wait
    /// for a task.
    fn take_turn(self: &Arc<Self>) -> Result<Turn<'_>> {
        let mut state = self.lock();
        while state.in_turn || state.active.is_some() {
            state.waiting += 1;
            state = self.idle.wait(state).unwrap_or_else(|broken| broken.into_inner());
            state.waiting -= 1;
        }
        if state.gone {
            return Err(Failure::Gone);
        }
        state.in_turn = true;
        state.serial += 1;
        Ok(Turn { channel: self, serial: state.serial })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Reads the reply to a sequence, and checks that the descriptors are those that the task has attached to it.
fn read_reply(
    sequence: &Sequence,
    message: &[u8],
    expected: Expected,
    arrived: Arrived,
) -> Result<(Reply, ForeignDescriptors)> {
    let reply = sequence.decode(message)?;
    let fds = arrived.exactly(sequence.attached(&reply).min(expected.descriptors))?;
    Ok((reply, fds))
}

/// The right to use a channel, which one thread has at a time.
struct Turn<'a> {
    channel: &'a Arc<Channel>,
    /// The serial number of the message that the thread sends.
    serial: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.channel.lock();
        state.in_turn = false;
        let failed = self.channel.send_next_job(&mut state, true);
        drop(state);
        report_failures(failed);
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let unread = self.has_unread_message();
        reactor::forget(self.id);
        // SAFETY: the channel is being dropped, and nothing takes the socket out once more.
        let socket = unsafe { ManuallyDrop::take(&mut self.socket) };
        if unread {
            close_elsewhere(vec![socket]);
        }
    }
}
