//! One thread and one epoll for every descriptor that something in this process waits for.

use crate::error::{During, Result};
use crate::own_descriptor;
use crate::wait::thread;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::collections::HashMap;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

/// A target of the reactor, which wakes it.
pub(crate) trait Wake: Send + Sync {
    /// Called on the reactor's thread when the descriptor is ready, as often as [`Ready`] says. The reactor holds no lock
    /// meanwhile, so this may watch and forget.
    fn wake(self: Arc<Self>);
}

/// A watch that does not keep alive what it wakes.
impl<T: Wake> Wake for Weak<T> {
    fn wake(self: Arc<Self>) {
        if let Some(target) = self.upgrade() {
            target.wake();
        }
    }
}

/// The condition by which a watched descriptor becomes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Once, by something to read, or by the other end being closed. A pidfd: by the end of its process.
    Read,
    /// Once, by room to write. A socket that connects: by the end of the attempt, whatever the outcome.
    Write,
    /// Once, by a change that the kernel reports as urgent (EPOLLPRI): a file of cgroup v2 that differs from what was read last, a
    /// trigger of pressure, `/proc/self/mounts` after a mount. Such files can be read at any time, so [`Ready::Read`] says nothing
    /// about them.
    Change,
    /// Once, by the other end being closed. A pidfd: by its process being reaped (Linux 6.9).
    HangUp,
    /// A pidfd: by the end of its process, and once more each time the kernel tells the parent of the dead process about it,
    /// as when a tracer lets go. While a tracer holds a dead process, its pidfd is readable, but its parent cannot reap it. A
    /// watch that ended with each wake and was set again would wake the reactor at once, over and over.
    End,
}

struct Source {
    fd: RawFd,
    wake: Arc<dyn Wake>,
}

struct Reactor {
    epoll: Epoll,
    sources: Mutex<HashMap<u64, Source>>,
}

/// Present once the thread of the reactor was started.
static REACTOR: OnceLock<Arc<Reactor>> = OnceLock::new();
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Returns a number that nothing else in this process has.
pub fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Wakes `wake` when `fd` is ready. The caller keeps `fd` open until then or until [`forget`], with [`Ready::End`] always until
/// [`forget`], and uses one `id` for one descriptor.
pub(crate) fn watch(id: u64, fd: BorrowedFd, ready: Ready, wake: Arc<dyn Wake>) -> Result<()> {
    let reactor = reactor()?;
    let events = match ready {
        Ready::Read => EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT,
        Ready::Write => EpollFlags::EPOLLOUT | EpollFlags::EPOLLONESHOT,
        Ready::Change => EpollFlags::EPOLLPRI | EpollFlags::EPOLLONESHOT,
        Ready::HangUp => EpollFlags::EPOLLONESHOT, // epoll reports a hang-up always
        Ready::End => EpollFlags::EPOLLIN | EpollFlags::EPOLLET,
    };
    let mut event = EpollEvent::new(events, id);
    let known = reactor.lock().insert(id, Source { fd: fd.as_raw_fd(), wake }).is_some();
    let set = if known { reactor.epoll.modify(fd, &mut event) } else { reactor.epoll.add(fd, event) };
    if set.is_err() {
        forget(id);
    }
    set.during("epoll_ctl")
}

/// Stops watching. Returns true when `id` was watched. Afterwards the descriptor may be closed, also where other
/// descriptors keep its open file alive, and its number may be watched again.
pub(crate) fn forget(id: u64) -> bool {
    let Some(reactor) = REACTOR.get() else { return false };
    let mut sources = reactor.lock();
    let source = sources.remove(&id);
    if let Some(source) = &source {
        // SAFETY: the caller of `watch` keeps the descriptor open until this function returns.
        let fd = unsafe { BorrowedFd::borrow_raw(source.fd) };
        // Refused (ENOENT) where `watch` could not add it.
        let _ = reactor.epoll.delete(fd);
    }
    drop(sources);
    // `source` is dropped without the lock: dropping what it owns may call `forget`.
    source.is_some()
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
    let epoll = Epoll(own_descriptor::above_stdio(epoll.0)?);
    let reactor = Arc::new(Reactor { epoll, sources: Mutex::default() });
    let running = reactor.clone();
    // Where this thread could not be started, a later call tries again.
    thread::spawn("nearfar-reactor", move || running.run())?;
    Ok(REACTOR.get_or_init(|| reactor))
}

impl Reactor {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Source>> {
        self.sources.lock().unwrap_or_else(|broken| broken.into_inner())
    }

    #[expect(clippy::panic, reason = "a process whose promises never resolve is worse than its end")]
    fn run(&self) {
        let mut events = [EpollEvent::empty(); 64];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                // Code that is not nearfar's has closed the epoll. No promise of nearfar would ever be resolved, and a reactor
                // that tried again would need a whole CPU for it. The panic ends the process.
                Err(errno) => panic!("the epoll of the reactor is lost: {errno}"),
            };
            for event in events.iter().take(count) {
                let wake = self.lock().get(&event.data()).map(|source| source.wake.clone());
                if let Some(wake) = wake {
                    thread::catch(|| wake.wake());
                }
            }
        }
    }
}
