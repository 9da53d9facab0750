//! Namespaces: JavaScript sees numbers and text.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// unshare(2).
#[napi]
pub fn unshare(flags: i64) -> Result<()> {
    linux::calls::namespaces::unshare(flags as u64).run().or_throw()
}

/// setns(2).
#[napi]
pub fn setns(fd: i32, kinds: i64) -> Result<()> {
    linux::calls::namespaces::setns(fd, kinds as u64).run().or_throw()
}

/// sethostname(2).
#[napi]
pub fn sethostname(name: Text) -> Result<()> {
    linux::calls::namespaces::sethostname(bytes(&name)).run().or_throw()
}
