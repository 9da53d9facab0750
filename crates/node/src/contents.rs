//! The contents of a file as a whole: JavaScript sees numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// ftruncate(2).
#[napi]
pub fn ftruncate(fd: i32, length: i64) -> Result<()> {
    linux::calls::contents::ftruncate(fd, length).run().or_throw()
}

/// fsync(2).
#[napi]
pub fn fsync(fd: i32) -> Result<()> {
    linux::calls::contents::fsync(fd).run().or_throw()
}

/// fdatasync(2).
#[napi]
pub fn fdatasync(fd: i32) -> Result<()> {
    linux::calls::contents::fdatasync(fd).run().or_throw()
}
