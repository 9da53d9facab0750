//! Stops and continuations: asked for at once, or waited for by a thread.

use super::{lock, Change, Child};
use crate::calls::pidfd::{self, ChildState};
use crate::error::{refused, Failure, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::Channel;
use crate::wait::thread;
use nix::errno::Errno;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::Arc;

impl Child {
    /// waitid(2) that returns at once: the state change asked for, if there is one. A death is also told to the
    /// listener, and remembered; whom else a stop concerns, the caller has to tell.
    pub fn poll(self: &Arc<Self>, options: i32) -> Result<Option<ChildState>> {
        // Held, so that nobody else reaps it between two looks.
        if !self.hold() {
            return Ok(self.death().map(|death| death.state).filter(|_| options & libc::WEXITED != 0));
        }
        let seen = match &self.parent {
            None => self.poll_here(options),
            Some(_) if self.supervised.load(Ordering::Relaxed) => match options & (libc::WSTOPPED | libc::WCONTINUED) {
                0 => Ok(None),
                // Its parent, the supervisor, answers no questions.
                _ => Err(not_ours()),
            },
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
        let Some(pidfd) = self.shared_pidfd() else { return Ok(None) };
        let wait =
            |more| pidfd::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), options | libc::WNOHANG | libc::__WALL | more);
        let _taking = lock(&self.stops);
        let Some((state, _)) = wait(libc::WNOWAIT).near()? else { return Ok(None) };
        if !state.ended() && options & libc::WNOWAIT == 0 {
            wait(0).near()?;
        }
        Ok(Some(state))
    }

    /// Asks the task whose child it is. Its death is asked for by [`Child::ended`] alone, which hears of it.
    fn poll_in(&self, parent: &Arc<Channel>, options: i32) -> Result<Option<ChildState>> {
        let options = options & !libc::WEXITED;
        let Some(pidfd) = self.shared_pidfd() else { return Ok(None) };
        if options & (libc::WSTOPPED | libc::WCONTINUED) == 0 {
            return Ok(None);
        }
        let mut sequence = Sequence::default();
        let call = pidfd::waitid_passed(0, options | libc::WNOHANG | libc::__WALL);
        let read = call.read;
        let step = sequence.step(call);
        let (reply, _) = match parent.run(&sequence, &[pidfd.as_raw_fd()]) {
            Err(Failure::Gone) => return Err(not_ours()),
            other => other?,
        };
        match sequence.failure(&reply, 0) {
            Some(failure) => Err(failure.without_step()),
            None => Ok(reply.answer(step).and_then(|answer| read(&answer)).map(|(state, _)| state)),
        }
    }

    /// From now on the listener hears of stops and continuations too. They can only be waited for by a thread: one for
    /// each child of which somebody asks, until it dies.
    pub fn watch_stops(self: &Arc<Self>) -> Result<()> {
        if self.parent.is_some() {
            return Err(not_ours());
        }
        let mut watched = lock(&self.stops);
        let Some(pidfd) = self.shared_pidfd().filter(|_| !*watched) else { return Ok(()) };
        let child = self.clone();
        thread::spawn("nearfar-stops", move || {
            let any = libc::WSTOPPED | libc::WCONTINUED | libc::__WALL;
            let wait = |options| pidfd::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), any | options).near();
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

/// As the kernel answers for a process that is not ours: only its parent hears of stops, and can be polled.
fn not_ours() -> Failure {
    refused("waitid", Errno::ECHILD)
}
