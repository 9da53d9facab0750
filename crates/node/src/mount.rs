//! Mounts: JavaScript sees numbers and text.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// mount(2).
#[napi]
pub fn mount(source: Option<Text>, target: Text, kind: Option<Text>, flags: i64, data: Option<Text>) -> Result<()> {
    let [source, kind, data] = [&source, &kind, &data].map(|text| text.as_ref().map(bytes));
    linux::calls::mount::mount(source, bytes(&target), kind, flags as u64, data).run().or_throw()
}

/// umount2(2).
#[napi]
pub fn umount(target: Text, flags: u32) -> Result<()> {
    linux::calls::mount::umount(bytes(&target), flags).run().or_throw()
}

/// pivot_root(2).
#[napi]
pub fn pivot_root(new_root: Text, put_old: Text) -> Result<()> {
    linux::calls::mount::pivot_root(bytes(&new_root), bytes(&put_old)).run().or_throw()
}

/// open_tree(2).
#[napi]
pub fn open_tree(at: i32, path: Text, flags: u32) -> Result<i32> {
    linux::calls::mount::open_tree(at, bytes(&path), flags).run().or_throw()
}

/// move_mount(2).
#[napi]
pub fn move_mount(from: i32, from_path: Text, to: i32, to_path: Text, flags: u32) -> Result<()> {
    linux::calls::mount::move_mount(from, bytes(&from_path), to, bytes(&to_path), flags).run().or_throw()
}

/// mount_setattr(2).
#[napi]
pub fn mount_setattr(
    at: i32,
    path: Text,
    flags: u32,
    set: i64,
    clear: i64,
    propagation: i64,
    userns: Option<i32>,
) -> Result<()> {
    linux::calls::mount::mount_setattr(at, bytes(&path), flags, set as u64, clear as u64, propagation as u64, userns)
        .run()
        .or_throw()
}

/// open_tree_attr(2).
#[napi]
pub fn open_tree_attr(
    at: i32,
    path: Text,
    flags: u32,
    set: i64,
    clear: i64,
    propagation: i64,
    userns: Option<i32>,
) -> Result<i32> {
    linux::calls::mount::open_tree_attr(at, bytes(&path), flags, set as u64, clear as u64, propagation as u64, userns)
        .run()
        .or_throw()
}

/// umount2(2) of a mount that is known by its descriptor, with everything that lies below it and on it.
#[napi]
pub fn unmount(fd: i32, near: bool) -> Result<()> {
    linux::target::mounts::unmount(fd, near).or_throw()
}

/// Fails where `/proc` is no procfs, as mount(2) on `target` would without one.
#[napi]
pub fn require_proc(target: Text) -> Result<()> {
    linux::target::mounts::require_proc(bytes(&target)).or_throw()
}

/// move_mount(2), fchdir(2), pivot_root(2) and umount2(2).
#[napi]
pub fn enter_root(fd: i32) -> Result<()> {
    linux::target::mounts::enter_root(fd).or_throw()
}
