//! Processes that this process waits for, through their pidfds: no SIGCHLD, no pid that could be somebody else's.

mod end;
mod stops;

use crate::calls::pidfd::{self, ChildState};
use crate::error::{Failure, Result};
use crate::task::channel::Channel;
use crate::task::share::Shared;
use crate::task::zygote::Spawner;
use crate::wait::reactor;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::Duration;

/// How a process ended, and what it used; `usage` is empty where the kernel did not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The last state change.
    pub state: ChildState,
    /// `struct rusage` as numbers: utime and stime in microseconds, then its fourteen `long`s.
    pub usage: Vec<i64>,
}

/// What a process tells: that it ended, or that it stopped or went on.
#[derive(Clone, Debug)]
pub enum Change {
    /// The end; nothing follows.
    Death(Death),
    /// A stop or a continuation.
    State(ChildState),
}

/// Hears what a child does.
pub type Listener = Box<dyn Fn(Change) + Send + Sync>;

/// The task whose child a process is.
#[derive(Clone, Debug)]
pub struct Parent {
    /// What asks it.
    pub channel: Arc<Channel>,
    /// The child's pid as the task sees it.
    pub pid: i32,
}

/// Who counts on a child's pid.
#[derive(Debug, Default)]
struct Held {
    holders: usize,
    /// It ended meanwhile.
    ended: bool,
    /// Its parent was asked to reap it: too late to hold it.
    reaping: bool,
}

/// A process that is ours to wait for.
pub struct Child {
    id: u64,
    pid: i32,
    /// Shared, so that waiting for it takes no further descriptor, of which there may be none.
    pidfd: Mutex<Option<Arc<OwnedFd>>>,
    /// What it is controlled through, as long as it is a task.
    channel: Weak<Channel>,
    /// The task whose child it is; `None`: ours.
    parent: Option<Parent>,
    /// Somebody else reaps it.
    orphan: AtomicBool,
    /// The task whose child it is reaps it, and tells.
    supervised: AtomicBool,
    /// Whether a thread waits for its stops. Locked while one is taken from the kernel, until it is told of.
    stops: Mutex<bool>,
    death: Mutex<Option<Death>>,
    settled: Condvar,
    held: Mutex<Held>,
    listener: Listener,
    /// What its parent has made for it, where nobody but us gives that back.
    leaves: Mutex<Option<Shared>>,
    /// The thread whose end would kill the process.
    _spawner: Option<Arc<Spawner>>,
}

impl std::fmt::Debug for Child {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Child").field("id", &self.id).field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Child {
    /// Takes over a process and watches it; `listener` hears of its end on the reactor's thread.
    pub fn new(
        pid: i32,
        pidfd: OwnedFd,
        channel: Weak<Channel>,
        parent: Option<Parent>,
        spawner: Option<Arc<Spawner>>,
        listener: Listener,
    ) -> Result<Arc<Self>> {
        let child = Arc::new(Child {
            id: reactor::next_id(),
            pid,
            pidfd: Mutex::new(Some(Arc::new(pidfd))),
            channel,
            parent,
            orphan: AtomicBool::new(false),
            supervised: AtomicBool::new(false),
            stops: Mutex::default(),
            death: Mutex::default(),
            settled: Condvar::new(),
            held: Mutex::default(),
            listener,
            leaves: Mutex::default(),
            _spawner: spawner,
        });
        child.watch(false)?;
        Ok(child)
    }

    /// Its pid as this process sees it; 0 where it is not visible from here.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, once that is known.
    pub fn death(&self) -> Option<Death> {
        lock(&self.death).clone()
    }

    /// Another descriptor for the process; `None` once it was reaped.
    pub fn pidfd(&self) -> Option<std::io::Result<OwnedFd>> {
        self.shared_pidfd().map(|pidfd| pidfd.try_clone())
    }

    fn shared_pidfd(&self) -> Option<Arc<OwnedFd>> {
        lock(&self.pidfd).clone()
    }

    /// pidfd_send_signal(2). `false`: it has ended, and there is nobody to signal.
    pub fn signal(&self, signal: i32) -> Result<bool> {
        let Some(pidfd) = self.shared_pidfd() else { return Ok(false) };
        match pidfd::pidfd_send_signal(pidfd.as_raw_fd(), signal, 0).near() {
            Ok(()) => Ok(true),
            Err(Failure::Refused(refusal)) if refusal.errno == Errno::ESRCH => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Keeps it from being reaped, and so its pid from becoming a stranger's, until [`Child::release`]. `false`: too late.
    pub fn hold(&self) -> bool {
        let mut held = lock(&self.held);
        let alive = lock(&self.death).is_none() && !held.reaping;
        // A task that is gone, or a program in its place, does not reap its children at our word.
        let alive = alive && (self.parent.is_none() || !matches!(self.signal(0), Ok(false)));
        held.holders += usize::from(alive);
        alive
    }

    /// Ends a successful [`Child::hold`].
    pub fn release(self: &Arc<Self>) {
        let mut held = lock(&self.held);
        held.holders -= 1;
        let reap = held.holders == 0 && std::mem::take(&mut held.ended);
        drop(held);
        if reap {
            self.ended();
        }
    }

    /// Waits up to `milliseconds` for an end that is near; whether it has come, and was told.
    pub fn await_end(&self, milliseconds: u16) -> bool {
        let patience = Duration::from_millis(milliseconds.into());
        let known = self.settled.wait_timeout_while(lock(&self.death), patience, |death| death.is_none());
        known.unwrap_or_else(|broken| broken.into_inner()).0.is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}
