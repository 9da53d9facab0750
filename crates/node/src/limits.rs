//! Resource limits: soft and hard cross as the bytes of two 64-bit numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{Buffer, Result, Uint8Array};
use napi_derive::napi;

/// setrlimit(2).
#[napi]
pub fn setrlimit(resource: u32, limits: Uint8Array) -> Result<()> {
    linux::calls::limits::setrlimit(resource, &limits).run().or_throw()
}

/// prlimit(2): returns the former limits. No bytes: the limits stay.
#[napi]
pub fn prlimit(pid: i32, resource: u32, limits: Uint8Array) -> Result<Buffer> {
    linux::calls::limits::prlimit(pid, resource, &limits).run().or_throw().map(Buffer::from)
}
