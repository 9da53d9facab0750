//! Descriptors and memory that go from one process to another.

use crate::convert::owned_number;
use crate::tables::{self, Id};
use crate::throw::OrThrow;
use linux::target;
use linux::task::transfer;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// Copies a descriptor of this process into a task, to a number or (-1) the lowest that is free; collected in a batch.
#[napi]
pub fn put(task: Id, fd: i32, number: i32, close_on_exec: bool) -> Result<i32> {
    let number = (number >= 0).then_some(number);
    let collected = target::collecting(|batch| batch.put(fd, number, close_on_exec));
    let put = || tables::task(task).and_then(|task| transfer::put(&task, fd, number, close_on_exec));
    collected.unwrap_or_else(put).or_throw()
}

/// Copies a descriptor of a task into this process.
#[napi]
pub fn get(task: Id, fd: i32) -> Result<i32> {
    tables::task(task).and_then(|task| transfer::get(&task, fd)).or_throw().map(owned_number)
}

/// Closes descriptors of a task some time soon.
#[napi]
pub fn close_later(task: Id, fds: Vec<i32>) {
    if let Ok(task) = tables::task(task) {
        transfer::close_all(&task, &fds, || {});
    }
}

/// Gives the memory of a task that has left it back, in a task that shared it, some time soon.
#[napi]
pub fn unmap_later(task: Id, block: i64) {
    if let Ok(task) = tables::task(task) {
        linux::task::share::unmap(&task, block as u64);
    }
}
