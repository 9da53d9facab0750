//! pidfds: JavaScript sees numbers.

use crate::events;
use crate::tables::{self, Id};
use crate::throw::OrThrow;
use linux::calls::process::ChildState;
use linux::wait::stranger::{self, Until};
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use std::os::fd::BorrowedFd;

/// pidfd_open(2).
#[napi]
pub fn pidfd_open(pid: i32, flags: u32) -> Result<i32> {
    linux::calls::pidfd::pidfd_open(pid, flags).run().or_throw()
}

/// pidfd_send_signal(2).
#[napi]
pub fn pidfd_send_signal(pidfd: i32, signal: i32, flags: u32) -> Result<()> {
    linux::calls::pidfd::pidfd_send_signal(pidfd, signal, flags).run().or_throw()
}

/// pidfd_getfd(2).
#[napi]
pub fn pidfd_getfd(pidfd: i32, fd: i32) -> Result<i32> {
    linux::calls::pidfd::pidfd_getfd(pidfd, fd).run().or_throw()
}

/// Returns the wait status that `/proc` shows of a process that has ended and was not reaped. `pidfd` is of this process.
#[napi]
pub fn zombie_status(pidfd: i32) -> Option<i32> {
    linux::wait::zombie::wait_status(pidfd)
}

/// Returns the wait status that the kernel keeps of a process that was reaped. `pidfd` is of this process.
#[napi]
pub fn exit_status(pidfd: i32) -> Result<Option<i32>> {
    linux::wait::exit_status::of(pidfd).or_throw()
}

/// waitid(2): CLD code, status, pid, uid, or nothing.
#[napi]
pub fn waitid(idtype: u32, id: i32, options: i32) -> Result<Vec<f64>> {
    let waited = linux::calls::process::waitid(idtype, id, options).run().or_throw()?;
    Ok(waited.map_or(Vec::new(), |(state, _)| events::state_numbers(state).into()))
}

/// "ended" follows: with `how` 0 when the process of a pidfd has ended, with -1 when nothing is left of it; with options
/// of waitid(2) when that has something to say of a child, or refuses. The descriptor is one of this process; without
/// options it stays open until then, or until `unwatch`.
#[napi]
pub fn watch_pidfd(pidfd: i32, how: i32) -> Result<Id> {
    let (id, queue) = (tables::next_id(), events::queue().or_throw()?);
    let listener = Box::new(move |state: Option<ChildState>| {
        queue.post(id, "ended", None, state.map_or(Vec::new(), |state| events::state_numbers(state).into()));
    });
    // SAFETY: JavaScript keeps it open during the call and, as said, after it.
    let pidfd = unsafe { BorrowedFd::borrow_raw(pidfd) };
    let until = match how {
        0 => Until::Ended,
        ..0 => Until::Reaped,
        options => Until::Changed(options),
    };
    stranger::watch(id as u64, pidfd, until, listener).or_throw().map(|()| id)
}

/// No event follows any more, and the descriptor may be closed.
#[napi]
pub fn unwatch(id: Id) {
    linux::wait::stranger::forget(id as u64);
}
