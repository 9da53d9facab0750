//! pidfds: JavaScript sees numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// pidfd_open(2).
#[napi]
pub fn pidfd_open(pid: i32, flags: u32) -> Result<i32> {
    linux::pidfd::pidfd_open(pid, flags).run().or_throw()
}

/// pidfd_send_signal(2).
#[napi]
pub fn pidfd_send_signal(pidfd: i32, signal: i32, flags: u32) -> Result<()> {
    linux::pidfd::pidfd_send_signal(pidfd, signal, flags).run().or_throw()
}

/// pidfd_getfd(2).
#[napi]
pub fn pidfd_getfd(pidfd: i32, fd: i32) -> Result<i32> {
    linux::pidfd::pidfd_getfd(pidfd, fd).run().or_throw()
}
