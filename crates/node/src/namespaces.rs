//! Namespaces: JavaScript sees numbers and text.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use napi::bindgen_prelude::{BigInt, Result};
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

/// ioctl(2) with NS_GET_NSTYPE: the CLONE_NEW… flag of a namespace's kind.
#[napi]
pub fn namespace_kind(fd: i32) -> Result<u32> {
    linux::calls::namespaces::namespace_kind(fd).run().or_throw()
}

/// ioctl(2) with NS_GET_MNTNS_ID: the id of a mount namespace.
#[napi]
pub fn mount_namespace_id(fd: i32) -> Result<BigInt> {
    linux::calls::namespaces::mount_namespace_id(fd).run().or_throw().map(BigInt::from)
}
