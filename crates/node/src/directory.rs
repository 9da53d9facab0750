//! Reading directories: JavaScript sees the bytes of the kernel.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{Buffer, Result};
use napi_derive::napi;

/// getdents64(2).
#[napi]
pub fn getdents64(fd: i32, length: u32) -> Result<Buffer> {
    linux::calls::directory::getdents64(fd, length).run_written().or_throw().map(Buffer::from)
}
