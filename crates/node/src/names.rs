//! The names of files: JavaScript sees paths as text or bytes.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use napi::bindgen_prelude::{Buffer, Result};
use napi_derive::napi;

/// mkdirat(2).
#[napi]
pub fn mkdirat(at: i32, path: Text, mode: u32) -> Result<()> {
    linux::calls::names::mkdirat(at, bytes(&path), mode).run().or_throw()
}

/// mknodat(2).
#[napi]
pub fn mknodat(at: i32, path: Text, mode: u32, major: u32, minor: u32) -> Result<()> {
    linux::calls::names::mknodat(at, bytes(&path), mode, [major, minor]).run().or_throw()
}

/// symlinkat(2).
#[napi]
pub fn symlinkat(target: Text, at: i32, path: Text) -> Result<()> {
    linux::calls::names::symlinkat(bytes(&target), at, bytes(&path)).run().or_throw()
}

/// linkat(2).
#[napi]
pub fn linkat(from: i32, from_path: Text, to: i32, to_path: Text, flags: u32) -> Result<()> {
    linux::calls::names::linkat(from, bytes(&from_path), to, bytes(&to_path), flags).run().or_throw()
}

/// renameat2(2).
#[napi]
pub fn renameat2(from: i32, from_path: Text, to: i32, to_path: Text, flags: u32) -> Result<()> {
    linux::calls::names::renameat2(from, bytes(&from_path), to, bytes(&to_path), flags).run().or_throw()
}

/// unlinkat(2).
#[napi]
pub fn unlinkat(at: i32, path: Text, directory: bool) -> Result<()> {
    linux::calls::names::unlinkat(at, bytes(&path), directory).run().or_throw()
}

/// readlinkat(2).
#[napi]
pub fn readlinkat(at: i32, path: Text, length: u32) -> Result<Buffer> {
    linux::calls::names::readlinkat(at, bytes(&path), length).run_written().or_throw().map(Buffer::from)
}
