//! Stops and continuations of a child: asked for without blocking, or waited for by a thread.

use super::{lock, Change, Child, Parent};
use crate::calls::process::{self, ChildState};
use crate::error::{refused, Failure, Result};
use crate::wait::thread;
use nix::errno::Errno;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::Arc;

impl Child {
    /// Calls waitid(2) without blocking, and returns a state change of those that `options` ask for, if there is one. A
    /// death is also remembered, and the listener is called with it. The listener is not called with a stop or a
    /// continuation that this function returns.
    pub fn poll(self: &Arc<Self>, options: i32) -> Result<Option<ChildState>> {
        // The process is held, so that no other thread reaps it between the look at the death and the waitid(2).
        if !self.hold() {
            return Ok(self.death().map(|death| death.state).filter(|_| options & libc::WEXITED != 0));
        }
        let seen = match &self.relations.parent {
            None => self.poll_here(options),
            Some(_) if self.supervised.load(Ordering::Relaxed) => match options & (libc::WSTOPPED | libc::WCONTINUED) {
                0 => Ok(None),
                // The parent is a supervisor, and takes no more calls.
                _ => Err(no_child()),
            },
            Some(parent) => self.poll_in(parent, options),
        };
        self.release();
        if matches!(seen, Ok(Some(state)) if state.ended()) {
            self.handle_end();
        }
        seen
    }

    /// Polls a child of this process. A death is only looked at (WNOWAIT): [`Child::handle_end`] reaps the process, so
    /// that the listener is called exactly once.
    fn poll_here(&self, options: i32) -> Result<Option<ChildState>> {
        let Some(pidfd) = self.shared_pidfd() else { return Ok(None) };
        let wait =
            |more| process::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options | libc::WNOHANG | libc::__WALL | more);
        let _taking = lock(&self.stops);
        let Some((state, _)) = wait(libc::WNOWAIT).near()? else { return Ok(None) };
        if !state.ended() && options & libc::WNOWAIT == 0 {
            wait(0).near()?;
        }
        Ok(Some(state))
    }

    /// Makes the task that is the parent poll the child for stops and continuations. A death is never asked for here:
    /// the reactor reports it, and then [`Child::handle_end`] has it reaped.
    fn poll_in(&self, parent: &Parent, options: i32) -> Result<Option<ChildState>> {
        let options = options & !libc::WEXITED;
        let Some(pidfd) = self.shared_pidfd() else { return Ok(None) };
        if options & (libc::WSTOPPED | libc::WCONTINUED) == 0 {
            return Ok(None);
        }
        match parent.channel.clone().waitid(&pidfd, options | libc::WNOHANG | libc::__WALL) {
            Err(Failure::Gone) => Err(no_child()),
            waited => Ok(waited?.map(|(state, _)| state)),
        }
    }

    /// Has the listener called with stops and continuations from now on. The kernel reports them only to a thread that
    /// blocks in waitid(2): one thread for each child for which this was called, until the child ends.
    pub fn watch_stops(self: &Arc<Self>) -> Result<()> {
        if self.relations.parent.is_some() {
            return Err(no_child());
        }
        let mut watched = lock(&self.stops);
        let Some(pidfd) = self.shared_pidfd().filter(|_| !*watched) else { return Ok(()) };
        let child = self.clone();
        thread::spawn("nearfar-stops", move || {
            let any = libc::WSTOPPED | libc::WCONTINUED | libc::__WALL;
            let wait = |options| process::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), any | options).near();
            loop {
                match wait(libc::WEXITED | libc::WNOWAIT) {
                    Ok(Some((state, _))) if !state.ended() => {
                        let _taking = lock(&child.stops);
                        if let Ok(Some((state, _))) = wait(libc::WNOHANG) {
                            (child.listener)(Change::State(state));
                        }
                    }
                    Err(Failure::Refused(refusal)) if refusal.errno == Errno::EINTR => {}
                    _ => return,
                }
            }
        })?;
        *watched = true;
        Ok(())
    }
}

/// Returns the kernel's own answer for a process that is not a child of the caller: only a parent can wait for stops.
fn no_child() -> Failure {
    refused("waitid", Errno::ECHILD)
}
