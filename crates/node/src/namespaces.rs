//! Namespaces: JavaScript sees numbers and text.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use napi::bindgen_prelude::{Env, Result};
use napi_derive::napi;

/// unshare(2).
#[napi]
pub fn unshare(env: Env, flags: i64) -> Result<()> {
    linux::namespaces::unshare(flags as u64).run().or_throw(&env)
}

/// setns(2).
#[napi]
pub fn setns(env: Env, fd: i32, kinds: i64) -> Result<()> {
    linux::namespaces::setns(fd, kinds as u64).run().or_throw(&env)
}

/// sethostname(2).
#[napi]
pub fn sethostname(env: Env, name: Text) -> Result<()> {
    linux::namespaces::sethostname(bytes(&name)).run().or_throw(&env)
}
