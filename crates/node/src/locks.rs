//! Locks of open files: JavaScript sees numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{Buffer, Result};
use napi_derive::napi;

/// flock(2).
#[napi]
pub fn flock(fd: i32, operation: i32, wait: bool) -> Result<()> {
    linux::calls::locks::flock(fd, operation, wait).run().or_throw()
}

/// fcntl(2) with F_OFD_SETLK or F_OFD_SETLKW.
#[napi]
pub fn set_lock(fd: i32, kind: u16, start: i64, length: i64, wait: bool) -> Result<()> {
    linux::calls::locks::set_lock(fd, kind, start, length, wait).run().or_throw()
}

/// fcntl(2) with F_OFD_GETLK: the bytes of its struct.
#[napi]
pub fn get_lock(fd: i32, kind: u16, start: i64, length: i64) -> Result<Buffer> {
    linux::calls::locks::get_lock(fd, kind, start, length).run().or_throw().map(Buffer::from)
}
