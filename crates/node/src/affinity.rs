//! CPU affinity: masks cross as bytes.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{Buffer, Result, Uint8Array};
use napi_derive::napi;

/// sched_setaffinity(2).
#[napi]
pub fn sched_setaffinity(pid: i32, mask: Uint8Array) -> Result<()> {
    linux::calls::affinity::sched_setaffinity(pid, &mask).run().or_throw()
}

/// sched_getaffinity(2).
#[napi]
pub fn sched_getaffinity(pid: i32, size: u32) -> Result<Buffer> {
    linux::calls::affinity::sched_getaffinity(pid, size).run().or_throw().map(Buffer::from)
}
