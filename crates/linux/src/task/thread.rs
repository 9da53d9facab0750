//! A thread of this process that makes calls and does nothing else: a task without a process of its own.
//!
//! The thread shares descriptors and memory with this process. Root, working directory, umask and namespaces are its own. The thread
//! was in no pool before and goes to none afterwards, so that no other code ever runs in its namespaces.

use crate::call::{Call, Request};
use crate::calls::{credentials, descriptor, namespaces, signals};
use crate::error::{Failure, Result};
use crate::own_descriptor;
use crate::owned::{self, Owner};
use crate::wait::thread;
use nix::errno::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The namespaces that a single thread of a process may have of its own.
const KINDS: u64 =
    (libc::CLONE_NEWCGROUP | libc::CLONE_NEWIPC | libc::CLONE_NEWNET | libc::CLONE_NEWNS | libc::CLONE_NEWUTS) as u64;
/// How long a caller waits before it looks whether the thread still exists.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The work of the thread. `Err`: the thread has ended before.
type Job = Box<dyn FnOnce(Result<()>) + Send>;

/// The namespaces of a new thread.
#[derive(Debug)]
pub struct Begin {
    /// The namespaces that the thread enters in order, each with the CLONE_NEW… flag of its kind.
    pub join: Vec<(OwnedFd, u64)>,
    /// The CLONE_NEW… flags of the namespaces that the thread makes afterwards.
    pub make: u64,
}

/// Called with the id of the thread, or with the reason why there is none; and later with [`Failure::Gone`], when a thread that has
/// begun has ended.
pub type Notify = Box<dyn Fn(Result<i32>) + Send>;

/// A thread that makes calls until this value is dropped.
#[derive(Debug)]
pub struct ThreadTask(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Notified when there is work, and when the thread has to end.
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// 0: the thread has not begun yet.
    tid: i32,
    ended: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("tid", &self.tid).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl ThreadTask {
    /// Starts a thread. Descriptors that the thread makes belong to the calling thread, as those that the calling thread makes itself.
    pub fn start(begin: Begin, notify: Notify) -> Result<ThreadTask> {
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new() });
        let (of_thread, owner) = (shared.clone(), owned::owner());
        thread::spawn("nearfar-thread", move || of_thread.live(begin, owner, &notify))?;
        Ok(ThreadTask(shared))
    }

    /// Has the thread call `act`, and blocks until `act` has returned.
    pub fn run<T: Send + 'static>(&self, act: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let slot = Arc::new(Slot { result: Mutex::new(None), filled: Condvar::new() });
        let of_job = slot.clone();
        self.submit(Box::new(move |alive| of_job.fill(alive.and_then(|()| act()))));
        slot.take(|| self.0.was_killed())
    }

    /// Has the thread call `job` when all jobs before it have returned.
    pub fn submit(&self, job: Job) {
        if let Some(job) = self.0.add(job) {
            job(Err(Failure::Gone));
        }
    }
}

impl Drop for ThreadTask {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Shared {
    /// Runs on the thread, from its beginning to its end.
    fn live(&self, begin: Begin, owner: Option<Owner>, notify: &Notify) {
        owned::act_for(owner);
        let tid = match enter(begin) {
            Ok(tid) => tid,
            Err(failure) => {
                self.end();
                return notify(Err(failure));
            }
        };
        self.lock().tid = tid;
        notify(Ok(tid));
        while let Some(job) = self.next() {
            job(Ok(()));
        }
        notify(Err(Failure::Gone));
    }

    /// Waits for work. `None`: the thread has to end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        while !state.ended {
            match state.queue.pop_front() {
                Some(job) => return Some(job),
                None => state = self.work.wait(state).unwrap_or_else(|broken| broken.into_inner()),
            }
        }
        None
    }

    /// Returns the job if the thread has ended.
    fn add(&self, job: Job) -> Option<Job> {
        let mut state = self.lock();
        if state.ended {
            return Some(job);
        }
        state.queue.push_back(job);
        drop(state);
        self.work.notify_one();
        None
    }

    /// Ends the thread when the job under way has returned. The jobs that wait do not run.
    fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let waiting = std::mem::take(&mut state.queue);
        drop(state);
        self.work.notify_one();
        waiting.into_iter().for_each(|job| job(Err(Failure::Gone)));
    }

    /// True when the kernel has killed the thread alone, as a filter of seccomp(2) can demand.
    fn was_killed(&self) -> bool {
        let tid = self.lock().tid;
        // Another error than ESRCH says nothing about the thread: a filter may refuse the call.
        let looked = signals::tgkill(std::process::id() as i32, tid, 0).near();
        let killed = tid != 0 && looked.is_err_and(|failure| failure.has_errno(Errno::ESRCH));
        if killed {
            self.end();
        }
        killed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// The place for the result of one job.
struct Slot<T> {
    result: Mutex<Option<Result<T>>>,
    filled: Condvar,
}

impl<T> Slot<T> {
    fn fill(&self, result: Result<T>) {
        *self.lock() = Some(result);
        self.filled.notify_one();
    }

    /// Waits for the result. `abandoned` returns true when nothing fills the slot any more. It may fill the slot itself, so that the
    /// slot is not locked meanwhile.
    fn take(&self, abandoned: impl Fn() -> bool) -> Result<T> {
        loop {
            let empty = self.lock();
            let waited = self.filled.wait_timeout_while(empty, LOOK_AGAIN, |result| result.is_none());
            if let Some(result) = waited.unwrap_or_else(|broken| broken.into_inner()).0.take() {
                return result;
            }
            if abandoned() {
                return self.lock().take().unwrap_or(Err(Failure::Gone));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Result<T>>> {
        self.result.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// The signal that musl keeps for itself beside 32 and 33, with which it has all threads change their ids.
const SIGNAL_OF_MUSL: i32 = 34;

/// Takes the calling thread out of what it shares with the others of this process, and into its namespaces. Returns its id.
fn enter(begin: Begin) -> Result<i32> {
    // The C library has all threads of a process do something with these signals. A thread that blocks them would stop setuid(3) of this
    // process for ever. A new thread of [`thread::spawn`] blocks the one of musl.
    signals::sigprocmask(libc::SIG_UNBLOCK, 1 << (SIGNAL_OF_MUSL - 1)).in_own_thread().near()?;
    // A mount namespace can be entered only by a thread that shares root and working directory with no other one.
    namespaces::unshare(libc::CLONE_FS as u64).in_own_thread().near()?;
    for (namespace, kind) in &begin.join {
        namespaces::setns(namespace.as_raw_fd(), *kind).in_own_thread().near()?;
    }
    if begin.make != 0 {
        namespaces::unshare(begin.make).in_own_thread().near()?;
    }
    credentials::gettid().near().map(|tid| tid as i32)
}

/// Returns a copy of a descriptor that the caller may close before the thread has begun.
pub fn copy(fd: i32) -> Result<OwnedFd> {
    own_descriptor::make(descriptor::dup(fd, 3, true))
}

impl Request {
    /// Lets a [`ThreadTask`] make the call, if the call changes only what such a thread has of its own. Otherwise the call stays one
    /// that is refused in this process.
    pub(crate) fn permit_in_thread(&mut self) {
        let kinds = match self.nr as i64 {
            libc::SYS_unshare => self.number_at(0),
            libc::SYS_setns => self.number_at(1),
            _ => return,
        };
        if kinds.is_some_and(|kinds| kinds != 0 && kinds as u64 & !KINDS == 0) {
            self.one_thread = false;
        }
    }
}

impl<T> Call<T> {
    /// Says that the calling thread was started by nearfar for calls that change it.
    fn in_own_thread(mut self) -> Self {
        self.request.one_thread = false;
        self
    }
}
