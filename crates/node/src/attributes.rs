//! The mode and the owner of a file: JavaScript sees numbers.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// fchmod(2).
#[napi]
pub fn fchmod(fd: i32, mode: u32) -> Result<()> {
    linux::calls::attributes::fchmod(fd, mode).run().or_throw()
}

/// fchmodat(2).
#[napi]
pub fn fchmodat(at: i32, path: Text, mode: u32) -> Result<()> {
    linux::calls::attributes::fchmodat(at, bytes(&path), mode).run().or_throw()
}

/// fchmodat2(2).
#[napi]
pub fn fchmodat2(at: i32, path: Text, mode: u32, flags: u32) -> Result<()> {
    linux::calls::attributes::fchmodat2(at, bytes(&path), mode, flags).run().or_throw()
}

/// fchownat(2).
#[napi]
pub fn fchownat(at: i32, path: Text, owner: u32, group: u32, flags: u32) -> Result<()> {
    linux::calls::attributes::fchownat(at, bytes(&path), owner, group, flags).run().or_throw()
}
