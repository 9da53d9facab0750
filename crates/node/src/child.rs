//! Children: JavaScript sees the ids of their tasks.

use crate::convert::owned_number;
use crate::events::state_numbers;
use crate::tables::{self, Id};
use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// Signals a child. Returns false when the child is gone.
#[napi]
pub fn kill_child(child: Id, signal: i32) -> Result<bool> {
    tables::child(child).map_or(Ok(false), |child| child.signal(signal)).or_throw()
}

/// waitid(2) that never waits: CLD code, status, pid, uid, or no numbers.
#[napi]
pub fn poll_child(child: Id, options: i32) -> Result<Vec<f64>> {
    let state = tables::child(child).map_or(Ok(None), |child| child.poll(options)).or_throw()?;
    Ok(state.map_or(Vec::new(), |state| state_numbers(state).into()))
}

/// Returns true when the kernel says that a child has ended, also when no event says how.
#[napi]
pub fn has_ended(child: Id) -> bool {
    tables::child(child).is_none_or(|child| child.has_ended())
}

/// Waits up to `milliseconds` for the end of a child that is ending; Returns true when the child has ended.
#[napi]
pub fn await_end(child: Id, milliseconds: u16) -> bool {
    tables::child(child).is_none_or(|child| child.await_end(milliseconds))
}

/// Keeps a child from being reaped, and so its pid from being used again, until `release_child`. Returns false when the child has been reaped.
#[napi]
pub fn hold_child(child: Id) -> bool {
    tables::child(child).is_some_and(|child| child.hold())
}

/// Lets a child be reaped after a successful `hold_child`.
#[napi]
pub fn release_child(child: Id) {
    if let Some(child) = tables::child(child) {
        child.release();
    }
}

/// Watches a child for stops and continuations: "state" events follow.
#[napi]
pub fn watch_stops(child: Id) -> Result<()> {
    tables::child(child).map_or(Ok(()), |child| child.watch_stops()).or_throw()
}

/// Returns a new pidfd of a child, or -1 when the child is gone.
#[napi]
pub fn child_pidfd(child: Id) -> Result<i32> {
    use linux::error::During;
    match tables::child(child).and_then(|child| child.pidfd()) {
        Some(pidfd) => pidfd.during("fcntl").or_throw().map(owned_number),
        None => Ok(-1),
    }
}

/// Lets go of a child. The reactor reaps it all the same.
#[napi]
pub fn forget_child(child: Id) {
    tables::forget_child(child);
}
