//! eventfds, and waiting until a descriptor is ready: JavaScript sees numbers.

use crate::events;
use crate::tables::{self, Id};
use crate::throw::OrThrow;
use linux::calls::eventfd;
use linux::owned;
use linux::wait::watched::{Ready, Watched};
use napi::bindgen_prelude::{BigInt, Result};
use napi_derive::napi;
use std::os::fd::{FromRawFd, OwnedFd};

/// eventfd2(2).
#[napi]
pub fn eventfd(initial: u32, flags: u32) -> Result<i32> {
    eventfd::eventfd(initial, flags).run().or_throw()
}

/// read(2) of a counter, or preadv2(2) that does not wait.
#[napi]
pub fn eventfd_read(fd: i32, wait: bool) -> Result<BigInt> {
    let read = if wait { eventfd::read } else { eventfd::read_now };
    read(fd).run().or_throw().map(BigInt::from)
}

/// write(2) of a counter.
#[napi]
pub fn eventfd_write(fd: i32, value: BigInt) -> Result<()> {
    eventfd::write(fd, value.get_u64().1).run().or_throw()
}

/// Takes a descriptor of this process over and watches it: "ready" follows once, with the id that is returned, when there is
/// something to read, or with `write` room to write.
#[napi]
pub fn watch_ready(fd: i32, write: bool) -> Result<Id> {
    watch(fd, if write { Ready::Write } else { Ready::Read })
}

/// Takes a descriptor of this process over and watches it: "ready" follows once, with the id that is returned, when the kernel
/// reports a change of its file (EPOLLPRI).
#[napi]
pub fn watch_change(fd: i32) -> Result<Id> {
    watch(fd, Ready::Change)
}

fn watch(fd: i32, ready: Ready) -> Result<Id> {
    owned::forget(fd, fd);
    // SAFETY: JavaScript gives up the number of an open descriptor with this call, and no other code closes it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let (id, queue) = (tables::next_id(), events::queue().or_throw()?);
    let listener = Box::new(move || queue.post(id, "ready", None, Vec::new()));
    tables::keep_watched(id, Watched::watch(id as u64, fd, ready, listener).or_throw()?);
    Ok(id)
}

/// Watches a descriptor once more: "ready" follows once.
#[napi]
pub fn watch_again(id: Id) -> Result<()> {
    tables::watched(id).map_or(Ok(()), |watched| watched.again()).or_throw()
}

/// Stops watching a descriptor, and closes it.
#[napi]
pub fn unwatch_ready(id: Id) {
    tables::forget_watched(id);
}
