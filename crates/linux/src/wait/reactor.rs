//! One thread and one epoll for every channel, every pidfd and whatever else is waited for in the process.

use crate::calls::descriptor;
use crate::calls::pidfd::ChildState;
use crate::error::{During, Result};
use crate::task::channel::Channel;
use crate::wait::child::Child;
use crate::wait::readable::Readable;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, SigmaskHow};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

/// Hears once what a process did; with nothing where that is to be asked for.
pub type Tell = Box<dyn FnOnce(Option<ChildState>) + Send>;

enum Source {
    /// A channel with a reply due; watched once, for the next message.
    Channel(Weak<Channel>),
    /// A process that is waited for, kept alive until its death was seen.
    Child(Arc<Child>),
    /// A descriptor that somebody waits to read from; watched once.
    Readable(Weak<Readable>),
    /// A process that somebody else reaps; watched once.
    Stranger(RawFd, Tell),
}

struct Reactor {
    epoll: Epoll,
    sources: Mutex<HashMap<u64, Source>>,
}

static REACTOR: OnceLock<Reactor> = OnceLock::new();
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A number that nothing else of this process has.
pub fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Wakes [`Channel::readable`] once, when the channel has something to read or has ended.
pub(crate) fn watch_channel(channel: &Arc<Channel>) -> Result<()> {
    let reactor = reactor()?;
    let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, channel.id());
    let known = reactor.lock().insert(channel.id(), Source::Channel(Arc::downgrade(channel))).is_some();
    reactor.set(known, channel.as_fd(), event)
}

/// Wakes [`Child::ended`] when the process has ended, or, with `reaped`, when nothing is left of it.
pub(crate) fn watch_child(child: &Arc<Child>, pidfd: BorrowedFd, reaped: bool) -> Result<()> {
    let reactor = reactor()?;
    let events = if reaped { EpollFlags::empty() } else { EpollFlags::EPOLLIN };
    let event = EpollEvent::new(events | EpollFlags::EPOLLONESHOT, child.id());
    let known = reactor.lock().insert(child.id(), Source::Child(child.clone())).is_some();
    reactor.set(known, pidfd, event)
}

/// Wakes [`Readable::wake`] once, when there is something to read.
pub(crate) fn watch_readable(id: u64, readable: &Arc<Readable>) -> Result<()> {
    let reactor = reactor()?;
    let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, id);
    let known = reactor.lock().insert(id, Source::Readable(Arc::downgrade(readable))).is_some();
    reactor.set(known, readable.fd().as_fd(), event)
}

/// Stops watching a descriptor whose open file others have too.
pub(crate) fn forget_readable(id: u64, fd: &OwnedFd) {
    forget(id);
    if let Some(reactor) = REACTOR.get() {
        // ENOENT: it was never watched.
        let _ = reactor.epoll.delete(fd);
    }
}

/// Calls `tell` once, when the process has ended, or, with `reaped`, when nothing is left of it. Until then, or until
/// [`forget`], `pidfd` stays open.
pub(crate) fn watch_stranger(id: u64, pidfd: BorrowedFd, reaped: bool, tell: Tell) -> Result<()> {
    let reactor = reactor()?;
    let event = EpollEvent::new(if reaped { EpollFlags::empty() } else { EpollFlags::EPOLLIN }, id);
    reactor.lock().insert(id, Source::Stranger(pidfd.as_raw_fd(), tell));
    reactor.set(false, pidfd, event)
}

/// Stops watching; the descriptor itself goes when its owner closes it.
pub fn forget(id: u64) {
    if let Some(reactor) = REACTOR.get() {
        // Dropped after the lock is open: what a source owns may come back here.
        let source = reactor.remove(id);
        drop(source);
    }
}

fn reactor() -> Result<&'static Reactor> {
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(reactor) = REACTOR.get() {
        return Ok(reactor);
    }
    let _one = STARTING.lock().unwrap_or_else(|broken| broken.into_inner());
    if let Some(reactor) = REACTOR.get() {
        return Ok(reactor);
    }
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).during("epoll_create1")?;
    let epoll = Epoll(descriptor::above_stdio(epoll.0)?);
    let reactor = REACTOR.get_or_init(|| Reactor { epoll, sources: Mutex::default() });
    spawn("nearfar-reactor", move || reactor.run())?;
    Ok(reactor)
}

/// Starts a thread on which no signal handler of the host program ever runs.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    spawn_boxed(name, Box::new(run))
}

/// What there is of it once, whatever runs.
fn spawn_boxed(name: &str, run: Box<dyn FnOnce() + Send>) -> Result<()> {
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
        .during("sigprocmask")?;
    let thread = std::thread::Builder::new().name(name.into()).stack_size(256 * 1024).spawn(run);
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None).during("sigprocmask")?;
    thread.map(drop).during("clone")
}

impl Reactor {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Source>> {
        self.sources.lock().unwrap_or_else(|broken| broken.into_inner())
    }

    fn set(&self, known: bool, fd: BorrowedFd, mut event: EpollEvent) -> Result<()> {
        let id = event.data();
        let set = if known { self.epoll.modify(fd, &mut event) } else { self.epoll.add(fd, event) };
        if set.is_err() {
            forget(id);
        }
        set.during("epoll_ctl")
    }

    /// A stranger's descriptor is not watched any more when this returns: its number may be watched again.
    fn remove(&self, id: u64) -> Option<Source> {
        let mut sources = self.lock();
        let source = sources.remove(&id);
        if let Some(Source::Stranger(pidfd, _)) = &source {
            // SAFETY: whoever watches it keeps it open. Where it was never added, nothing is to be done.
            let _ = self.epoll.delete(unsafe { BorrowedFd::borrow_raw(*pidfd) });
        }
        source
    }

    fn run(&self) {
        let mut events = [EpollEvent::empty(); 64];
        loop {
            // EINTR is the only failure of a valid epoll with a valid buffer, and asks for another turn.
            let count = self.epoll.wait(&mut events, EpollTimeout::NONE).unwrap_or(0);
            for event in &events[..count] {
                self.wake(event.data());
            }
        }
    }

    /// The lock is open again before anything is done: what is done may watch or forget.
    fn wake(&self, id: u64) {
        let (channel, child, readable) = match self.lock().get(&id) {
            Some(Source::Channel(channel)) => (channel.upgrade(), None, None),
            Some(Source::Child(child)) => (None, Some(child.clone()), None),
            Some(Source::Readable(readable)) => (None, None, readable.upgrade()),
            Some(Source::Stranger(..)) => (None, None, None),
            None => return,
        };
        if let Some(channel) = channel {
            return channel.readable();
        }
        if let Some(child) = child {
            return child.ended();
        }
        if let Some(readable) = readable {
            return readable.wake();
        }
        if let Some(Source::Stranger(_, tell)) = self.remove(id) {
            tell(None);
        }
    }
}
