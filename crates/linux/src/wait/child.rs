//! Processes that this process waits for. A pidfd says when one has ended: no SIGCHLD handler is needed, and no pid is
//! used that may belong to another process by now.

mod end;
mod parent;
mod stops;

pub use self::parent::{Parent, TaskChannel, WaitDone};

use crate::calls::pidfd;
use crate::calls::process::ChildState;
use crate::error::{Failure, Result};
use crate::wait::reactor;
use nix::errno::Errno;
use std::any::Any;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::Duration;

/// How a process ended, and which resources it used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The last state change.
    pub state: ChildState,
    /// `struct rusage` as numbers: utime and stime in microseconds, then its fourteen `long`s. Empty where the kernel
    /// did not report it.
    pub usage: Vec<i64>,
}

/// A state change of a process.
#[derive(Clone, Debug)]
pub enum Change {
    /// The process ended; no change follows.
    Death(Death),
    /// The process stopped or continued.
    State(ChildState),
}

/// Called with every state change of a child.
pub type Listener = Box<dyn Fn(Change) + Send + Sync>;

/// The tasks and the thread that a child has to do with. The default is a plain child of this process.
#[derive(Debug, Default)]
pub struct Relations {
    /// The channel through which the process is controlled as long as it is a task. The end of the process hangs it up.
    pub channel: Option<Weak<dyn TaskChannel>>,
    /// The task that is the parent of the process. `None`: this process is the parent.
    pub parent: Option<Parent>,
    /// Dropped with the child. A task of the zygote keeps its spawner thread alive by this, whose end would kill it.
    pub keep_alive: Option<Arc<dyn Any + Send + Sync>>,
}

/// The users of a child's pid. As long as there is one, the process is not reaped, and so its pid is not reused.
#[derive(Debug, Default)]
struct Holds {
    /// How many users there are.
    count: usize,
    /// True when the process ended while it was held: the last user that releases it has it reaped.
    ended: bool,
    /// How many requests to reap the process its parent has got and not replied to. While there is one, it is too late to
    /// hold the process.
    reaping: usize,
}

/// A process that this process waits for.
pub struct Child {
    id: u64,
    pid: i32,
    /// `None` once the process was reaped. In an `Arc`, because a waiting thread that duplicated the descriptor could
    /// fail with EMFILE.
    pidfd: Mutex<Option<Arc<OwnedFd>>>,
    relations: Relations,
    /// True when a process other than the one that was its parent at first reaps the child.
    orphan: AtomicBool,
    /// True when the child's parent is a supervisor, which reaps the child and reports its end in a reply.
    supervised: AtomicBool,
    /// True when a thread waits for stops and continuations. Locked while one is taken from the kernel, and until the
    /// listener was called with it.
    stops: Mutex<bool>,
    death: Mutex<Option<Death>>,
    /// Notified when `death` is set.
    death_known: Condvar,
    holds: Mutex<Holds>,
    listener: Listener,
    /// Called once when the process has ended.
    cleanup: Mutex<Option<Cleanup>>,
}

/// Frees what belongs to a process that has ended.
type Cleanup = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Child {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Child").field("id", &self.id).field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Child {
    /// Takes over a process and watches it. `listener` is called with the end of the process on the reactor's thread.
    pub fn new(pid: i32, pidfd: OwnedFd, relations: Relations, listener: Listener) -> Result<Arc<Self>> {
        let child = Arc::new(Child {
            id: reactor::next_id(),
            pid,
            pidfd: Mutex::new(Some(Arc::new(pidfd))),
            relations,
            orphan: AtomicBool::new(false),
            supervised: AtomicBool::new(false),
            stops: Mutex::default(),
            death: Mutex::default(),
            death_known: Condvar::new(),
            holds: Mutex::default(),
            listener,
            cleanup: Mutex::default(),
        });
        child.watch()?;
        Ok(child)
    }

    /// Returns the pid in this process's pid namespace; 0 where the process is not visible there.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Returns the pid in the pid namespace of `task`, if that is the parent of the process.
    pub(crate) fn pid_in<T: TaskChannel>(&self, task: &Arc<T>) -> Option<i32> {
        let parent = self.relations.parent.as_ref();
        let parent = parent.filter(|parent| std::ptr::addr_eq(Arc::as_ptr(&parent.channel), Arc::as_ptr(task)));
        parent.map(|parent| parent.pid)
    }

    /// Returns how the process ended, once that is known.
    pub fn death(&self) -> Option<Death> {
        lock(&self.death).clone()
    }

    /// Duplicates the pidfd. `None`: the process was reaped.
    pub fn pidfd(&self) -> Option<std::io::Result<OwnedFd>> {
        self.shared_pidfd().map(|pidfd| pidfd.try_clone())
    }

    /// Returns the pidfd. `None`: the process was reaped.
    pub(crate) fn shared_pidfd(&self) -> Option<Arc<OwnedFd>> {
        lock(&self.pidfd).clone()
    }

    /// pidfd_send_signal(2). `false`: the process has ended, and no signal was sent.
    pub fn signal(&self, signal: i32) -> Result<bool> {
        let Some(pidfd) = self.shared_pidfd() else { return Ok(false) };
        match pidfd::pidfd_send_signal(pidfd.as_raw_fd(), signal, 0).near() {
            Ok(()) => Ok(true),
            Err(Failure::Refused(refusal)) if refusal.errno == Errno::ESRCH => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Keeps the process from being reaped until [`Child::release`], so that no other process can get its pid. `false`:
    /// it is too late for that.
    pub fn hold(&self) -> bool {
        let mut holds = lock(&self.holds);
        let alive = lock(&self.death).is_none() && holds.reaping == 0;
        // A parent that was a task and has ended or executed a program may reap its children at any moment, and cannot
        // be told to wait. So a child of a task is held only while it runs.
        let alive = alive && (self.relations.parent.is_none() || !matches!(self.signal(0), Ok(false)));
        holds.count += usize::from(alive);
        alive
    }

    /// Ends a successful [`Child::hold`].
    pub fn release(self: &Arc<Self>) {
        let mut holds = lock(&self.holds);
        holds.count -= 1;
        let reap = holds.count == 0 && std::mem::take(&mut holds.ended);
        drop(holds);
        if reap {
            self.handle_end();
        }
    }

    /// Waits up to `milliseconds` for the end of a process that is about to end. `true`: the process has ended, and the
    /// listener was called.
    pub fn await_end(&self, milliseconds: u16) -> bool {
        let patience = Duration::from_millis(milliseconds.into());
        let known = self.death_known.wait_timeout_while(lock(&self.death), patience, |death| death.is_none());
        known.unwrap_or_else(|broken| broken.into_inner()).0.is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}
