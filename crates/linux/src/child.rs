//! Processes that this process waits for, through their pidfds: no SIGCHLD, no pid that could be somebody else's.

use crate::channel::{Channel, Ran};
use crate::error::{refused, During, Failure, Result};
use crate::pidfd::{self, ChildState};
use crate::program::Program;
use crate::reactor;
use crate::zygote::Spawner;
use nix::poll::{PollFd, PollFlags};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

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

/// A process that is ours to wait for.
pub struct Child {
    id: u64,
    pid: i32,
    pidfd: Mutex<Option<OwnedFd>>,
    /// What it is controlled through, as long as it is a task.
    channel: Weak<Channel>,
    /// The task whose child it is; `None`: ours.
    parent: Option<Parent>,
    orphan: AtomicBool,
    /// The task whose child it is reaps it, and tells.
    supervised: AtomicBool,
    stops: AtomicBool,
    death: Mutex<Option<Death>>,
    /// How many hold it, and whether it ended meanwhile.
    held: Mutex<(usize, bool)>,
    listener: Listener,
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
            pidfd: Mutex::new(Some(pidfd)),
            channel,
            parent,
            orphan: AtomicBool::new(false),
            supervised: AtomicBool::new(false),
            stops: AtomicBool::new(false),
            death: Mutex::default(),
            held: Mutex::default(),
            listener,
            _spawner: spawner,
        });
        child.watch(false)?;
        Ok(child)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
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
        lock(&self.pidfd).as_ref().map(OwnedFd::try_clone)
    }

    /// pidfd_send_signal(2). `false`: it has ended, and there is nobody to signal.
    pub fn signal(&self, signal: i32) -> Result<bool> {
        let pidfd = lock(&self.pidfd);
        let Some(pidfd) = pidfd.as_ref() else { return Ok(false) };
        match pidfd::pidfd_send_signal(pidfd.as_raw_fd(), signal, 0).near() {
            Ok(()) => Ok(true),
            Err(Failure::Refused(refusal)) if refusal.errno == nix::errno::Errno::ESRCH => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// waitid(2) that returns at once: the state change asked for, if there is one. A death is also told to the
    /// listener, and remembered.
    pub fn poll(self: &Arc<Self>, options: i32) -> Result<Option<ChildState>> {
        // Held, so that nobody else reaps it between two looks.
        if !self.hold() {
            return Ok(self.death().map(|death| death.state).filter(|_| options & libc::WEXITED != 0));
        }
        let seen = match &self.parent {
            None => self.poll_here(options),
            Some(_) if self.supervised.load(Ordering::Relaxed) => Ok(None),
            Some(parent) => self.poll_in(&parent.channel, options),
        };
        self.release();
        if matches!(seen, Ok(Some(state)) if state.ended()) {
            self.ended();
        }
        seen
    }

    /// The death itself is left to [`Child::ended`], so that it is told exactly once.
    fn poll_here(&self, options: i32) -> Result<Option<ChildState>> {
        let guard = lock(&self.pidfd);
        let Some(pidfd) = guard.as_ref() else { return Ok(None) };
        let wait =
            |more| pidfd::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options | libc::WNOHANG | libc::__WALL | more);
        let Some((state, _)) = wait(libc::WNOWAIT).near()? else { return Ok(None) };
        if !state.ended() && options & libc::WNOWAIT == 0 {
            wait(0).near()?;
        }
        Ok(Some(state))
    }

    /// Asks the task whose child it is. Its death is asked for by [`Child::ended`] alone, which hears of it.
    fn poll_in(&self, parent: &Arc<Channel>, options: i32) -> Result<Option<ChildState>> {
        let options = options & !libc::WEXITED;
        let Some(pidfd) = self.pidfd().transpose().during("fcntl")? else { return Ok(None) };
        if options & (libc::WSTOPPED | libc::WCONTINUED) == 0 {
            return Ok(None);
        }
        let mut program = Program::default();
        let call = pidfd::waitid_passed(0, options | libc::WNOHANG | libc::__WALL);
        let read = call.read;
        let step = program.step(call);
        let (reply, _) = parent.run(&program, &[pidfd.as_raw_fd()])?;
        match program.failure(&reply, 0) {
            Some(failure) => Err(failure.without_step()),
            None => Ok(reply.answer(step).and_then(|answer| read(&answer)).map(|(state, _)| state)),
        }
    }

    /// Keeps it from being reaped, and so its pid from becoming a stranger's, until [`Child::release`]. `false`: too late.
    pub fn hold(&self) -> bool {
        let mut held = lock(&self.held);
        let alive = lock(&self.death).is_none();
        held.0 += usize::from(alive);
        alive
    }

    /// Ends a successful [`Child::hold`].
    pub fn release(self: &Arc<Self>) {
        let mut held = lock(&self.held);
        held.0 -= 1;
        let reap = held.0 == 0 && std::mem::take(&mut held.1);
        drop(held);
        if reap {
            self.ended();
        }
    }

    /// Waits up to `milliseconds` for an end that is near; whether it has come.
    pub fn await_end(self: &Arc<Self>, milliseconds: u16) -> bool {
        let ended = match self.pidfd() {
            Some(Ok(pidfd)) => {
                let mut poll = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
                nix::poll::poll(&mut poll, milliseconds).is_ok_and(|count| count > 0)
            }
            _ => true,
        };
        if ended && self.parent.is_none() {
            // Also where another thread is about to tell of it: this returns when that is done.
            self.ended();
        }
        ended
    }

    /// From now on the listener hears of stops and continuations too. They can only be waited for by a thread: one for
    /// each child of which somebody asks, until it dies.
    pub fn watch_stops(self: &Arc<Self>) -> Result<()> {
        if self.parent.is_some() {
            // As the kernel answers for a process that is not ours: only its parent hears of stops, and can be polled.
            return Err(refused("waitid", nix::errno::Errno::ECHILD));
        }
        if self.stops.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(Ok(pidfd)) = self.pidfd() else { return Ok(()) };
        let child = self.clone();
        reactor::spawn("nearfar-stops", move || {
            let any = libc::WSTOPPED | libc::WCONTINUED | libc::__WALL;
            let wait = |options| pidfd::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), any | options).near();
            loop {
                match wait(libc::WEXITED | libc::WNOWAIT) {
                    Ok(Some((state, _))) if !state.ended() => {
                        if let Ok(Some((state, _))) = wait(libc::WNOHANG) {
                            (child.listener)(Change::State(state));
                        }
                    }
                    Err(Failure::Refused(refusal)) if refusal.errno == nix::errno::Errno::EINTR => {}
                    _ => return,
                }
            }
        })
    }

    /// Called by the reactor when the pidfd says that the process has ended.
    pub(crate) fn ended(self: &Arc<Self>) {
        // Where others have its descriptors too, its death has not closed it.
        if let Some(channel) = self.channel.upgrade() {
            channel.hang_up();
        }
        // Locked until its death is known to all: two threads that reap would leave the second without a status.
        let mut held = lock(&self.held);
        if held.0 > 0 {
            held.1 = true;
            return;
        }
        match &self.parent {
            None => self.reap(),
            Some(_) if self.supervised.load(Ordering::Relaxed) => {}
            Some(_) if self.orphan.load(Ordering::Relaxed) => self.settle_orphan(),
            Some(parent) => self.reap_in(&parent.channel),
        }
    }

    fn reap(self: &Arc<Self>) {
        let guard = lock(&self.pidfd);
        let Some(pidfd) = guard.as_ref() else { return };
        let seen = pidfd::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), libc::WEXITED | libc::WNOHANG | libc::__WALL).near();
        drop(guard);
        match seen {
            Ok(Some((state, usage))) => self.settle(Death { state, usage }),
            Ok(None) => self.watch_again(false),
            // Somebody else reaped it: the pidfd may still know.
            Err(_) => self.settle_orphan(),
        }
    }

    /// Asks the task whose child it is to reap it.
    fn reap_in(self: &Arc<Self>, parent: &Arc<Channel>) {
        let call = pidfd::waitid_passed(0, libc::WEXITED | libc::WNOHANG | libc::__WALL);
        let read = call.read;
        let mut program = Program::default();
        let step = program.step(call);
        let Some(Ok(pidfd)) = self.pidfd() else { return };
        let child = self.clone();
        let done = move |ran: Result<Ran>| match ran.map(|ran| ran.reply.answer(step).map(|answer| read(&answer))) {
            Ok(Some(Some((state, usage)))) => child.settle(Death { state, usage }),
            Ok(Some(None)) => child.watch_again(false),
            Ok(None) | Err(_) => child.orphaned(),
        };
        parent.submit(program, vec![pidfd], Box::new(done));
    }

    /// Its pid as `task` sees it, where it is a child of that.
    pub(crate) fn pid_in(&self, task: &Arc<Channel>) -> Option<i32> {
        self.parent.as_ref().filter(|parent| Arc::ptr_eq(&parent.channel, task)).map(|parent| parent.pid)
    }

    /// From now on the task whose child it is reaps it, and says so with [`Child::supervised`].
    pub(crate) fn supervise(&self) {
        self.supervised.store(true, Ordering::Relaxed);
    }

    /// What the supervisor says; `None`: it is gone, and the program goes with it.
    pub(crate) fn supervised(self: &Arc<Self>, death: Option<Death>) {
        if let Some(death) = death {
            return self.settle(death);
        }
        if self.death().is_some() {
            return;
        }
        self.supervised.store(false, Ordering::Relaxed);
        // Where that is refused, it has become another user's: nobody here can do more.
        let _ = self.signal(libc::SIGKILL);
        self.orphaned();
    }

    /// The task is gone, or its child was adopted: whoever reaps it now, the pidfd will tell. Perhaps nobody ever does;
    /// then the zombie itself has to.
    fn orphaned(self: &Arc<Self>) {
        self.orphan.store(true, Ordering::Relaxed);
        match self.status_of_zombie() {
            Some(status) => self.settle_with(Some(status)),
            None => self.watch_again(true),
        }
    }

    /// The exit information of the pidfd, where the kernel keeps it (6.15); no status where it does not.
    fn settle_orphan(self: &Arc<Self>) {
        let guard = lock(&self.pidfd);
        let Some(pidfd) = guard.as_ref() else { return };
        let status = pidfd::exit_status(pidfd.as_raw_fd()).near().ok().flatten();
        drop(guard);
        self.settle_with(status);
    }

    fn settle_with(self: &Arc<Self>, status: Option<i32>) {
        let state = status.map_or(ChildState { pid: self.pid, ..ChildState::default() }, |status| {
            ChildState::from_wait_status(self.pid, status)
        });
        self.settle(Death { state, usage: Vec::new() });
    }

    /// The wait status of one that has ended and was not reaped, from `/proc`; `None` where that does not say.
    fn status_of_zombie(&self) -> Option<i32> {
        // To whom the kernel does not show this link, it shows 0 for every status.
        std::fs::read_link(format!("/proc/{}/ns/user", self.pid)).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let fields = stat.rsplit_once(") ")?.1;
        let status = fields.split(' ').nth(52 - 3)?.trim().parse().ok();
        // While the pidfd knows no exit, nobody has reaped the process, and the pid is still its own.
        let guard = lock(&self.pidfd);
        match pidfd::exit_status(guard.as_ref()?.as_raw_fd()).near() {
            Ok(None) if fields.starts_with('Z') => status,
            Ok(reaped) => reaped,
            Err(_) => None,
        }
    }

    fn settle(self: &Arc<Self>, death: Death) {
        let mut known = lock(&self.death);
        if known.is_some() {
            return;
        }
        *known = Some(death.clone());
        drop(known);
        let pidfd = lock(&self.pidfd).take();
        reactor::forget(self.id);
        drop(pidfd);
        (self.listener)(Change::Death(death));
    }

    fn watch(self: &Arc<Self>, reaped: bool) -> Result<()> {
        match lock(&self.pidfd).as_ref() {
            Some(pidfd) => reactor::watch_child(self, pidfd.as_fd(), reaped),
            None => Ok(()),
        }
    }

    fn watch_again(self: &Arc<Self>, reaped: bool) {
        if self.watch(reaped).is_err() {
            // Without a watch nobody would ever hear of the end: tell what is known now.
            self.settle_orphan();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}
