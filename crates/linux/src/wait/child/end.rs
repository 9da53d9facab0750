//! The end of a child: the pidfd reports it, the parent reaps the process, the listener is called once.

use super::{lock, Change, Child, Death, Parent};
use crate::calls::process::{self, ChildState};
use crate::error::Result;
use crate::wait::exit_status;
use crate::wait::reactor::{self, Ready, Wake};
use crate::wait::zombie;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering;
use std::sync::Arc;

impl Wake for Child {
    fn wake(self: Arc<Self>) {
        self.handle_end();
    }
}

impl Child {
    /// Called by the reactor when the pidfd says that the process has ended.
    pub(crate) fn handle_end(self: &Arc<Self>) {
        // The end of a process closes its descriptors, but not those of a table that it shared with another task.
        if let Some(channel) = self.relations.channel.as_ref().and_then(|channel| channel.upgrade()) {
            channel.hang_up();
        }
        // The lock is held until the death is known to all threads. Without it the reactor and a thread that calls
        // `release` could both call waitid(2), and the second one would get no status.
        let mut holds = lock(&self.holds);
        if holds.count > 0 {
            holds.ended = true;
            return;
        }
        match &self.relations.parent {
            _ if self.supervised.load(Ordering::Relaxed) => {}
            _ if self.orphan.load(Ordering::Relaxed) => self.record_orphan_death(),
            None => self.reap(),
            Some(parent) => {
                holds.reaping += 1;
                self.reap_in(parent);
            }
        }
    }

    fn reap(self: &Arc<Self>) {
        match self.wait_here() {
            Ok(Some(death)) => self.record_death(death),
            // A tracer holds the dead process. The reactor calls again when the tracer lets go.
            Ok(None) => {}
            // Another part of this process has reaped the child, or SIGCHLD is ignored and the kernel has reaped it.
            Err(_) => self.handle_orphan(),
        }
    }

    /// Calls waitid(2) for the end of a child of this process, without blocking.
    fn wait_here(&self) -> Result<Option<Death>> {
        let Some(pidfd) = self.shared_pidfd() else { return Ok(None) };
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        let seen = process::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options).near()?;
        Ok(seen.map(|(state, usage)| Death { state, usage }))
    }

    /// Makes the task that is the parent reap the child.
    fn reap_in(self: &Arc<Self>, parent: &Parent) {
        let Some(pidfd) = self.shared_pidfd() else { return };
        let child = self.clone();
        let done = move |waited: Result<_>| match waited {
            Ok(Some((state, usage))) => child.record_death(Death { state, usage }),
            // A tracer holds the dead process, as in `reap`.
            Ok(None) => lock(&child.holds).reaping -= 1,
            Err(_) => child.handle_orphan(),
        };
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        parent.channel.clone().submit_waitid(pidfd, options, Box::new(done));
    }

    /// True when the kernel says that the process has ended. The listener may be called a moment later.
    pub fn has_ended(&self) -> bool {
        self.shared_pidfd().is_none_or(|pidfd| zombie::has_ended(&pidfd))
    }

    /// Leaves the reaping of the child to its parent, a supervisor, which reports with [`Child::supervisor_replied`].
    pub(crate) fn set_supervised(&self) {
        self.supervised.store(true, Ordering::Relaxed);
    }

    /// Called with the reply of the supervisor. `None`: the supervisor is gone, and the process is killed.
    pub(crate) fn supervisor_replied(self: &Arc<Self>, death: Option<Death>) {
        if let Some(death) = death {
            return self.record_death(death);
        }
        if self.death().is_some() {
            return;
        }
        self.supervised.store(false, Ordering::Relaxed);
        // EPERM: the process runs as another user by now, and this process has no means to end it.
        let _ = self.signal(libc::SIGKILL);
        self.handle_orphan();
    }

    /// Goes on without the parent: the task is gone, or another process has adopted the child, perhaps this one. The
    /// pidfd reports when the new parent has reaped the child. A new parent may never do that, and then the status is
    /// read from the zombie.
    fn handle_orphan(self: &Arc<Self>) {
        match self.wait_here() {
            Ok(Some(death)) => return self.record_death(death),
            Ok(None) => return,
            Err(_) => self.orphan.store(true, Ordering::Relaxed),
        }
        match self.shared_pidfd().and_then(|pidfd| zombie::wait_status(pidfd.as_raw_fd())) {
            Some(status) => self.record_death_by_status(Some(status)),
            None if self.exit_status().is_err() => self.record_death_by_status(None),
            None => self.watch_reaping(),
        }
    }

    /// Takes the status from the pidfd, where the kernel keeps it (6.15); on older kernels the status stays unknown.
    fn record_orphan_death(self: &Arc<Self>) {
        self.record_death_by_status(self.exit_status().ok().flatten());
    }

    fn exit_status(&self) -> Result<Option<i32>> {
        self.shared_pidfd().map_or(Ok(None), |pidfd| exit_status::of(pidfd.as_raw_fd()))
    }

    fn record_death_by_status(self: &Arc<Self>, status: Option<i32>) {
        let state = status.map_or(ChildState { pid: self.pid, ..ChildState::default() }, |status| {
            ChildState::from_wait_status(self.pid, status)
        });
        self.record_death(Death { state, usage: Vec::new() });
    }

    fn record_death(self: &Arc<Self>, death: Death) {
        let mut known = lock(&self.death);
        if known.is_some() {
            return;
        }
        let pidfd = lock(&self.pidfd).take();
        reactor::forget(self.id);
        drop(pidfd);
        // The listener posts the event before the death is stored: a thread blocked in `await_end` drains its events
        // right after it wakes, and has to find this one.
        (self.listener)(Change::Death(death.clone()));
        *known = Some(death);
        drop(known);
        self.death_known.notify_all();
        self.clean_up();
    }

    /// Has `cleanup` called once when the process has ended; at once if it has ended already.
    pub(crate) fn set_cleanup(&self, cleanup: impl FnOnce() + Send + 'static) {
        *lock(&self.cleanup) = Some(Box::new(cleanup));
        if self.death().is_some() {
            self.clean_up();
        }
    }

    fn clean_up(&self) {
        // The lock is open again when the cleanup runs.
        let cleanup = lock(&self.cleanup).take();
        if let Some(cleanup) = cleanup {
            cleanup();
        }
    }

    /// Has the reactor call [`Child::handle_end`] with the end of the process.
    pub(super) fn watch(self: &Arc<Self>) -> Result<()> {
        self.watch_for(Ready::End)
    }

    /// Has the reactor call [`Child::handle_end`] when the new parent has reaped the process.
    fn watch_reaping(self: &Arc<Self>) {
        if self.watch_for(Ready::HangUp).is_err() {
            // Without a watch the end would never be reported, so the child is reported as ended with what is known
            // now.
            self.record_orphan_death();
        }
    }

    fn watch_for(self: &Arc<Self>, ready: Ready) -> Result<()> {
        self.shared_pidfd().map_or(Ok(()), |pidfd| reactor::watch(self.id, pidfd.as_fd(), ready, self.clone()))
    }
}
