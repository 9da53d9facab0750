//! The end of a child: seen by its pidfd, reaped by its parent, told once.

use super::{lock, Change, Child, Death};
use crate::calls::pidfd::{self, ChildState};
use crate::error::Result;
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::share::Shared;
use crate::wait::reactor::{self, Ready, Wake};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering;
use std::sync::Arc;

impl Wake for Child {
    fn wake(self: Arc<Self>) {
        self.ended();
    }
}

impl Child {
    /// Called by the reactor when the pidfd says that the process has ended.
    pub(crate) fn ended(self: &Arc<Self>) {
        // Where others have its descriptors too, its death has not closed it.
        if let Some(channel) = self.channel.upgrade() {
            channel.hang_up();
        }
        // Locked until its death is known to all: two threads that reap would leave the second without a status.
        let mut held = lock(&self.held);
        if held.holders > 0 {
            held.ended = true;
            return;
        }
        match &self.parent {
            _ if self.supervised.load(Ordering::Relaxed) => {}
            _ if self.orphan.load(Ordering::Relaxed) => self.settle_orphan(),
            None => self.reap(),
            Some(parent) => {
                held.reaping = true;
                self.reap_in(&parent.channel);
            }
        }
    }

    fn reap(self: &Arc<Self>) {
        match self.waited() {
            Ok(Some(death)) => self.settle(death),
            Ok(None) => self.watch_again(false),
            // Somebody else has reaped it, or it reaps itself: SIGCHLD is ignored.
            Err(_) => self.orphaned(),
        }
    }

    /// waitid(2) for its end, as a child of this process.
    fn waited(&self) -> Result<Option<Death>> {
        let Some(pidfd) = self.shared_pidfd() else { return Ok(None) };
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        let seen = pidfd::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options).near()?;
        Ok(seen.map(|(state, usage)| Death { state, usage }))
    }

    /// Asks the task whose child it is to reap it.
    fn reap_in(self: &Arc<Self>, parent: &Arc<Channel>) {
        let call = pidfd::waitid_passed(0, libc::WEXITED | libc::WNOHANG | libc::__WALL);
        let read = call.read;
        let mut sequence = Sequence::default();
        let step = sequence.step(call);
        let Some(pidfd) = self.shared_pidfd() else { return };
        let child = self.clone();
        let done = move |ran: Result<Ran>| match ran.map(|ran| ran.reply.answer(step).map(|answer| read(&answer))) {
            Ok(Some(Some((state, usage)))) => child.settle(Death { state, usage }),
            Ok(Some(None)) => {
                lock(&child.held).reaping = false;
                child.watch_again(false);
            }
            Ok(None) | Err(_) => child.orphaned(),
        };
        parent.submit(sequence, vec![pidfd], Box::new(done));
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

    /// The task is gone, or its child was adopted, perhaps by us. Whoever reaps it now, the pidfd will tell. Perhaps
    /// nobody ever does; then the zombie itself has to.
    fn orphaned(self: &Arc<Self>) {
        match self.waited() {
            Ok(Some(death)) => return self.settle(death),
            Ok(None) => return self.watch_again(false),
            Err(_) => self.orphan.store(true, Ordering::Relaxed),
        }
        match self.status_of_zombie() {
            Some(status) => self.settle_with(Some(status)),
            None if self.known_status().is_err() => self.settle_with(None),
            None => self.watch_again(true),
        }
    }

    /// The exit information of the pidfd, where the kernel keeps it (6.15); no status where it does not.
    fn settle_orphan(self: &Arc<Self>) {
        self.settle_with(self.known_status().ok().flatten());
    }

    fn known_status(&self) -> Result<Option<i32>> {
        self.shared_pidfd().map_or(Ok(None), |pidfd| pidfd::exit_status(pidfd.as_raw_fd()).near())
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
        match self.known_status() {
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
        let pidfd = lock(&self.pidfd).take();
        reactor::forget(self.id);
        drop(pidfd);
        // Told before it is known: whoever waited for it finds the letter there.
        (self.listener)(Change::Death(death.clone()));
        *known = Some(death);
        drop(known);
        self.settled.notify_all();
        self.give_back();
    }

    /// What its parent has made for it is given back when it has ended: it never became a task that others know.
    pub(crate) fn leave(&self, shared: Shared) {
        *lock(&self.leaves) = Some(shared);
        if self.death().is_some() {
            self.give_back();
        }
    }

    fn give_back(&self) {
        let left = lock(&self.leaves).take();
        if let (Some(shared), Some(parent)) = (left, &self.parent) {
            shared.give_back(&parent.channel);
        }
    }

    pub(super) fn watch(self: &Arc<Self>, reaped: bool) -> Result<()> {
        self.shared_pidfd().map_or(Ok(()), |pidfd| {
            let ready = if reaped { Ready::HangUp } else { Ready::Read };
            reactor::watch(self.id, pidfd.as_fd(), ready, self.clone())
        })
    }

    fn watch_again(self: &Arc<Self>, reaped: bool) {
        if self.watch(reaped).is_err() {
            // Without a watch nobody would ever hear of the end: tell what is known now.
            self.settle_orphan();
        }
    }
}
