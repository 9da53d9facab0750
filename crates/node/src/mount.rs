//! Mounts: JavaScript sees numbers and text.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use napi::bindgen_prelude::{Env, Result};
use napi_derive::napi;

/// mount(2).
#[napi]
pub fn mount(env: Env, source: Text, target: Text, kind: Option<Text>, flags: i64, data: Option<Text>) -> Result<()> {
    linux::mount::mount(bytes(&source), bytes(&target), kind.as_ref().map(bytes), flags as u64, data.as_ref().map(bytes)).run().or_throw(&env)
}

/// umount2(2).
#[napi]
pub fn umount(env: Env, target: Text, flags: u32) -> Result<()> {
    linux::mount::umount(bytes(&target), flags).run().or_throw(&env)
}

/// pivot_root(2).
#[napi]
pub fn pivot_root(env: Env, new_root: Text, put_old: Text) -> Result<()> {
    linux::mount::pivot_root(bytes(&new_root), bytes(&put_old)).run().or_throw(&env)
}

/// open_tree(2).
#[napi]
pub fn open_tree(env: Env, at: i32, path: Text, flags: u32) -> Result<i32> {
    linux::mount::open_tree(at, bytes(&path), flags).run().or_throw(&env)
}

/// move_mount(2).
#[napi]
pub fn move_mount(env: Env, from: i32, from_path: Text, to: i32, to_path: Text, flags: u32) -> Result<()> {
    linux::mount::move_mount(from, bytes(&from_path), to, bytes(&to_path), flags).run().or_throw(&env)
}

/// mount_setattr(2).
#[napi]
pub fn mount_setattr(env: Env, at: i32, path: Text, flags: u32, set: i64, clear: i64, propagation: i64, userns: Option<i32>) -> Result<()> {
    linux::mount::mount_setattr(at, bytes(&path), flags, set as u64, clear as u64, propagation as u64, userns).run().or_throw(&env)
}
